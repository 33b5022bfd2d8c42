#include "contract.h"

#include "adapters/memory/memory_cache.h"
#include "base/err.h"

#include <stdio.h>

/* Whoever counts as many as he likes pushes out counters, but nothing that was set. */
static void a_rush_of_counters(void **state) {
    (void)state;
    enum { ROOM = 100, SET = 40, RUSH = 5000 };
    struct cache *c = memory_cache_new(ROOM);
    char key[32];
    int64_t value, until_us;
    for (int i = 0; i < SET; i++) {
        snprintf(key, sizeof key, "revoked:%d", i);
        assert_int_equal(c->ops->set(c, str_from(key), i, 1000000, 1), 0);
    }
    for (int i = 0; i < RUSH; i++) {
        snprintf(key, sizeof key, "failures:%d", i);
        assert_int_equal(c->ops->add(c, str_from(key), 1, 1000000, 1, &value, &until_us), 0);
        assert_true(memory_cache_count(c) <= ROOM);
    }
    for (int i = 0; i < SET; i++) {
        snprintf(key, sizeof key, "revoked:%d", i);
        assert_int_equal(c->ops->get(c, str_from(key), 2, &value), 0);
        assert_int_equal(value, i);
    }
    assert_int_equal(c->ops->get(c, str_from(key), 2000000, &value), ERR_NOT_FOUND);
    /* A counter that is set is a value from then on, and there once. */
    assert_int_equal(c->ops->set(c, STR("failures:4999"), 7, 1000000, 2), 0);
    assert_int_equal(c->ops->add(c, STR("failures:4999"), 1, 1000000, 2, &value, &until_us), 0);
    assert_int_equal(value, 8);
    assert_int_equal(c->ops->drop(c, STR("failures:4999")), 0);
    assert_int_equal(c->ops->get(c, STR("failures:4999"), 2, &value), ERR_NOT_FOUND);
    c->ops->close(c);
}

int main(void) {
    const struct cache_factory f = {"memory cache", memory_cache_new, memory_cache_count,
                                    MEMORY_CACHE_KEY_MAX, NULL};
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_rush_of_counters)};
    return cache_contract(&f) + cmocka_run_group_tests_name("its own", tests, NULL, NULL);
}
