/* What ports/cache.h promises. */
#include "contract.h"

#include "base/err.h"
#include "base/rng.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct str key_of(char *buf, size_t cap, const char *prefix, long n) {
    int len = snprintf(buf, cap, "%s%ld", prefix, n);
    return (struct str){buf, (size_t)len};
}

static int64_t add(struct cache *c, struct str key, int64_t n, int64_t ttl_us, int64_t now_us) {
    int64_t value = INT64_MIN, expires_us = 0;
    assert_int_equal(c->ops->add(c, key, n, ttl_us, now_us, &value, &expires_us), 0);
    assert_true(expires_us > now_us);
    return value;
}

static void counts(void **state) {
    const struct cache_factory *factory = *state;
    struct cache *c = factory->make(100);
    int64_t value = 0, expires_us = 0;
    assert_int_equal(add(c, STR("a"), 1, 1000, 5000), 1);
    assert_int_equal(add(c, STR("a"), 4, 1000, 5500), 5);
    assert_int_equal(add(c, STR("b"), 7, 1000, 5500), 7);
    assert_int_equal(add(c, STR("a"), -5, 1000, 5500), 0);
    /* it expires a TTL after its creation, not after its last use */
    assert_int_equal(c->ops->add(c, STR("a"), 1, 1000, 5999, &value, &expires_us), 0);
    assert_int_equal(value, 1);
    assert_int_equal(expires_us, 6000);
    assert_int_equal(add(c, STR("a"), 1, 1000, 6000), 1);
    assert_int_equal(c->ops->get(c, STR("a"), 6000, &value), 0);
    assert_int_equal(value, 1);
    c->ops->close(c);
}

static void sets_and_drops(void **state) {
    const struct cache_factory *factory = *state;
    struct cache *c = factory->make(100);
    int64_t value = 77;
    assert_int_equal(c->ops->get(c, STR("k"), 1, &value), ERR_NOT_FOUND);
    assert_int_equal(value, 77); /* untouched on failure */
    assert_int_equal(c->ops->set(c, STR("k"), -3, 1000, 1), 0);
    assert_int_equal(c->ops->get(c, STR("k"), 1000, &value), 0);
    assert_int_equal(value, -3);
    assert_int_equal(c->ops->get(c, STR("k"), 1001, &value), ERR_NOT_FOUND);
    assert_int_equal(c->ops->set(c, STR("k"), 1, 1000, 2000), 0);
    assert_int_equal(c->ops->set(c, STR("k"), 2, 1000, 2500), 0); /* a new life */
    assert_int_equal(c->ops->get(c, STR("k"), 3400, &value), 0);
    assert_int_equal(value, 2);
    assert_int_equal(add(c, STR("k"), 5, 10, 3400), 7); /* a counter like any other */
    assert_int_equal(c->ops->drop(c, STR("k")), 0);
    assert_int_equal(c->ops->get(c, STR("k"), 3400, &value), ERR_NOT_FOUND);
    assert_int_equal(c->ops->drop(c, STR("k")), 0);
    assert_int_equal(c->ops->set(c, STR("for ever"), 9, INT64_MAX, 1), 0);
    assert_int_equal(c->ops->get(c, STR("for ever"), INT64_MAX - 1, &value), 0);
    c->ops->close(c);
}

static void saturates(void **state) {
    const struct cache_factory *factory = *state;
    struct cache *c = factory->make(4);
    assert_int_equal(add(c, STR("a"), INT64_MAX, 1000, 1), INT64_MAX);
    assert_int_equal(add(c, STR("a"), 1, 1000, 1), INT64_MAX);
    assert_int_equal(add(c, STR("b"), INT64_MIN, 1000, 1), INT64_MIN);
    assert_int_equal(add(c, STR("b"), -1, 1000, 1), INT64_MIN);
    c->ops->close(c);
}

static void keys_are_bytes(void **state) {
    const struct cache_factory *factory = *state;
    struct cache *c = factory->make(100);
    char *longest = malloc((size_t)factory->key_max + 1);
    int64_t value;
    memset(longest, 'x', (size_t)factory->key_max + 1);
    struct str fits = {longest, (size_t)factory->key_max};
    struct str over = {longest, (size_t)factory->key_max + 1};
    assert_int_equal(c->ops->set(c, fits, 5, 100, 1), 0);
    assert_int_equal(c->ops->set(c, over, 5, 100, 1), ERR_LIMIT);
    assert_int_equal(c->ops->get(c, fits, 1, &value), 0);
    longest[0] = 'y'; /* the key was copied */
    assert_int_equal(c->ops->get(c, fits, 1, &value), ERR_NOT_FOUND);
    assert_int_equal(add(c, (struct str){"a\0b", 3}, 1, 100, 1), 1);
    assert_int_equal(add(c, (struct str){"a\0c", 3}, 1, 100, 1), 1);
    assert_int_equal(add(c, STR(""), 1, 100, 1), 1);
    free(longest);
    c->ops->close(c);
}

static void bounded(void **state) {
    const struct cache_factory *factory = *state;
    struct cache *c = factory->make(10);
    char buf[32];
    int64_t value;
    for (long i = 0; i < 1000; i++) {
        assert_int_equal(c->ops->set(c, key_of(buf, sizeof buf, "k", i), i, 1000000, 1), 0);
        assert_true(factory->count(c) <= 10);
    }
    for (long i = 980; i < 1000; i++) { /* the oldest went first */
        int r = c->ops->get(c, key_of(buf, sizeof buf, "k", i), 1, &value);
        assert_int_equal(r, i < 990 ? ERR_NOT_FOUND : 0);
    }
    /* what has expired makes room without anything living going */
    c->ops->close(c);
    c = factory->make(10);
    for (long i = 0; i < 10; i++)
        add(c, key_of(buf, sizeof buf, "k", i), 1, i < 5 ? 10 : 1000000, 1);
    for (long i = 10; i < 15; i++)
        add(c, key_of(buf, sizeof buf, "k", i), 1, 1000000, 100);
    for (long i = 5; i < 15; i++)
        assert_int_equal(c->ops->get(c, key_of(buf, sizeof buf, "k", i), 100, &value), 0);
    c->ops->close(c);
}

/* Against a plain array, by seeds. */
static void against_twin(void **state) {
    const struct cache_factory *factory = *state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cache *c = factory->make(64); /* more than there are keys: nothing is pushed out */
        struct {
            int64_t value, expires_us;
        } twin[40] = {{0}};
        struct rng r;
        int64_t now_us = 1;
        rng_seed(&r, seed);
        for (int i = 0; i < 2000; i++) {
            char buf[32];
            uint64_t k = rng_below(&r, 40);
            struct str key = key_of(buf, sizeof buf, "key", (long)k);
            int64_t n = rng_between(&r, -9, 9), ttl_us = rng_between(&r, 1, 60), value = 0;
            bool alive = twin[k].expires_us > now_us;
            switch (rng_below(&r, 4)) {
            case 0:
                twin[k].value = alive ? twin[k].value + n : n;
                twin[k].expires_us = alive ? twin[k].expires_us : now_us + ttl_us;
                assert_int_equal(add(c, key, n, ttl_us, now_us), twin[k].value);
                break;
            case 1:
                twin[k].value = n;
                twin[k].expires_us = now_us + ttl_us;
                assert_int_equal(c->ops->set(c, key, n, ttl_us, now_us), 0);
                break;
            case 2:
                twin[k].expires_us = 0;
                assert_int_equal(c->ops->drop(c, key), 0);
                break;
            default:
                assert_int_equal(c->ops->get(c, key, now_us, &value), alive ? 0 : ERR_NOT_FOUND);
                assert_int_equal(value, alive ? twin[k].value : 0);
            }
            now_us += rng_between(&r, 0, 4);
        }
        c->ops->close(c);
    }
}

static void *hammer(void *arg) {
    struct cache *c = arg;
    int64_t value, expires_us;
    char buf[32];
    for (long i = 0; i < 20000; i++) {
        if (c->ops->add(c, STR("shared"), 1, INT64_MAX, 1, &value, &expires_us) < 0)
            return arg;
        struct str own = key_of(buf, sizeof buf, "k", i % 500);
        c->ops->set(c, own, i, 1000, i);
        c->ops->get(c, own, i, &value);
        if (i % 7 == 0)
            c->ops->drop(c, own);
    }
    return NULL;
}

static void threads(void **state) {
    const struct cache_factory *factory = *state;
    struct cache *c = factory->make(1000);
    pthread_t t[4];
    int64_t value = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, hammer, c), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        pthread_join(t[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(c->ops->get(c, STR("shared"), 1, &value), 0);
    assert_int_equal(value, 80000);
    c->ops->close(c);
}

int cache_contract(const struct cache_factory *f) {
#define TEST(name) cmocka_unit_test_prestate(name, (void *)(uintptr_t)f)
    const struct CMUnitTest tests[] = {
        TEST(counts),  TEST(sets_and_drops), TEST(saturates), TEST(keys_are_bytes),
        TEST(bounded), TEST(against_twin),   TEST(threads),
    };
    return cmocka_run_group_tests_name(f->name, tests, NULL, NULL);
}
