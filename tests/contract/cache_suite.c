/* What ports/cache.h promises. */
#include "contract.h"

#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* --- several replicas on the same data: what they know becomes the same within a moment --------
 */

#define REPLICAS 3
#define SETTLE_US INT64_C(5000000) /* far longer than a moment: machines are busy */

struct replicas {
    struct cache *c[REPLICAS];
};

static struct replicas replicas_make(const struct cache_factory *factory) {
    struct replicas r;
    r.c[0] = factory->make(1000);
    for (int i = 1; i < REPLICAS; i++)
        r.c[i] = factory->join(r.c[0]);
    return r;
}

static void replicas_close(struct replicas *r) {
    for (int i = 0; i < REPLICAS; i++)
        r->c[i]->ops->close(r->c[i]);
}

#define NOTHING INT64_MIN

static int64_t look(struct cache *c, struct str key) {
    int64_t value = NOTHING;
    c->ops->get(c, key, clock_wall_us(), &value);
    return value;
}

/* Waits until C has WANTED; what it took. */
static int64_t becomes(struct cache *c, struct str key, int64_t wanted) {
    const int64_t since_us = clock_wall_us();
    while (look(c, key) != wanted) {
        if (clock_wall_us() - since_us > SETTLE_US)
            fail_msg("%.*s is %lld and not %lld", STR_ARG(key), (long long)look(c, key),
                     (long long)wanted);
        usleep(200);
    }
    return clock_wall_us() - since_us;
}

static void all_become(struct replicas *r, struct str key, int64_t wanted) {
    for (int i = 0; i < REPLICAS; i++)
        becomes(r->c[i], key, wanted);
}

static int64_t add_now(struct cache *c, struct str key, int64_t n) {
    return add(c, key, n, 60 * US_PER_S, clock_wall_us());
}

static void needs_replicas(const struct cache_factory *factory) {
    if (!factory->join)
        skip();
}

static void counts_are_shared(void **state) {
    const struct cache_factory *factory = *state;
    needs_replicas(factory);
    struct replicas r = replicas_make(factory);
    assert_int_equal(add_now(r.c[0], STR("a"), 3), 3);
    all_become(&r, STR("a"), 3);
    assert_int_equal(add_now(r.c[1], STR("a"), 4), 7);
    all_become(&r, STR("a"), 7);
    /* at once: whoever is first begins, the others join */
    for (int i = 0; i < REPLICAS; i++)
        add_now(r.c[i], STR("b"), 10 + i);
    all_become(&r, STR("b"), 33);
    assert_int_equal(add_now(r.c[2], STR("b"), -33), 0);
    all_become(&r, STR("b"), 0);
    struct cache *late = factory->join(r.c[0]);
    assert_int_equal(look(late, STR("a")), 7); /* who comes late knows it all */
    late->ops->close(late);
    replicas_close(&r);
}

static void sets_and_drops_are_shared(void **state) {
    const struct cache_factory *factory = *state;
    needs_replicas(factory);
    struct replicas r = replicas_make(factory);
    int64_t now_us = clock_wall_us();
    assert_int_equal(r.c[0]->ops->set(r.c[0], STR("k"), 5, 60 * US_PER_S, now_us), 0);
    all_become(&r, STR("k"), 5);
    assert_int_equal(r.c[1]->ops->set(r.c[1], STR("k"), -6, 60 * US_PER_S, now_us), 0);
    all_become(&r, STR("k"), -6);
    assert_int_equal(add_now(r.c[2], STR("k"), 1), -5);
    all_become(&r, STR("k"), -5);
    assert_int_equal(r.c[0]->ops->drop(r.c[0], STR("k")), 0);
    assert_int_equal(look(r.c[0], STR("k")), NOTHING);
    all_become(&r, STR("k"), NOTHING);
    assert_int_equal(add_now(r.c[1], STR("k"), 2), 2); /* nothing of before is in it */
    all_become(&r, STR("k"), 2);
    /* dropped and begun again in one breath */
    assert_int_equal(r.c[2]->ops->drop(r.c[2], STR("k")), 0);
    assert_int_equal(add_now(r.c[2], STR("k"), 9), 9);
    all_become(&r, STR("k"), 9);
    assert_int_equal(r.c[2]->ops->set(r.c[2], STR("for ever"), 1, INT64_MAX, now_us), 0);
    all_become(&r, STR("for ever"), 1);
    struct str odd = {"a\0\n 7", 5};
    assert_int_equal(add_now(r.c[0], odd, 1), 1);
    all_become(&r, odd, 1);
    assert_int_equal(add_now(r.c[0], STR(""), 1), 1);
    all_become(&r, STR(""), 1);
    assert_int_equal(add_now(r.c[1], STR("most"), INT64_MAX), INT64_MAX);
    all_become(&r, STR("most"), INT64_MAX);
    assert_int_equal(add_now(r.c[0], STR("most"), 1), INT64_MAX);
    assert_int_equal(add_now(r.c[2], STR("most"), -1), INT64_MAX - 1);
    replicas_close(&r);
}

/* A counter ends a TTL after it began, whoever adds to it when. */
static void ttl_is_set_once(void **state) {
    const struct cache_factory *factory = *state;
    needs_replicas(factory);
    struct replicas r = replicas_make(factory);
    const int64_t ttl_us = 3 * US_PER_S, began_us = clock_wall_us();
    int64_t value, first_us, then_us;
    r.c[0]->ops->add(r.c[0], STR("w"), 1, ttl_us, began_us, &value, &first_us);
    assert_int_equal(first_us, began_us + ttl_us);
    all_become(&r, STR("w"), 1);
    for (int i = 1; i <= 10; i++) {
        struct cache *c = r.c[i % REPLICAS];
        usleep(50000);
        c->ops->add(c, STR("w"), 1, ttl_us, clock_wall_us(), &value, &then_us);
        assert_int_equal(value, 1 + i);
        assert_true(then_us > first_us - 20 * US_PER_MS && then_us < first_us + US_PER_S / 4);
        all_become(&r, STR("w"), 1 + i);
    }
    struct cache *late = factory->join(r.c[0]); /* who comes late knows its end, too */
    late->ops->add(late, STR("w"), 0, ttl_us, clock_wall_us(), &value, &then_us);
    assert_int_equal(value, 11);
    assert_true(then_us > first_us - 20 * US_PER_MS && then_us < first_us + US_PER_S / 4);
    all_become(&r, STR("w"), NOTHING);
    assert_true(clock_wall_us() >= first_us - 20 * US_PER_MS);
    assert_int_equal(add_now(r.c[1], STR("w"), 5), 5);
    all_become(&r, STR("w"), 5);
    late->ops->close(late);
    replicas_close(&r);
}

struct adder {
    struct cache *c;
    pthread_t thread;
};

static void *add_many(void *arg) {
    struct adder *a = arg;
    char buf[32];
    for (long i = 0; i < 3000; i++) {
        int64_t value, expires_us;
        struct str key = key_of(buf, sizeof buf, "sum", i % 7);
        a->c->ops->add(a->c, key, 1 + i % 3, 60 * US_PER_S, clock_wall_us(), &value, &expires_us);
        if (i % 100 == 0)
            usleep(1000);
    }
    return NULL;
}

/* Nothing of what is added anywhere is lost or counted twice. */
static void sums_are_exact(void **state) {
    const struct cache_factory *factory = *state;
    needs_replicas(factory);
    struct replicas r = replicas_make(factory);
    struct adder adders[REPLICAS * 2];
    int64_t sums[7] = {0};
    char buf[32];
    for (long i = 0; i < 3000; i++)
        sums[i % 7] += (1 + i % 3) * REPLICAS * 2;
    for (int i = 0; i < REPLICAS * 2; i++) {
        adders[i].c = r.c[i % REPLICAS];
        assert_int_equal(pthread_create(&adders[i].thread, NULL, add_many, &adders[i]), 0);
    }
    for (int i = 0; i < REPLICAS * 2; i++)
        pthread_join(adders[i].thread, NULL);
    for (long k = 0; k < 7; k++)
        all_become(&r, key_of(buf, sizeof buf, "sum", k), sums[k]);
    replicas_close(&r);
}

/* One at a time, each when the one before has been heard of: all are like a plain array. */
static void replicas_against_twin(void **state) {
    const struct cache_factory *factory = *state;
    needs_replicas(factory);
    struct replicas r = replicas_make(factory);
    int64_t twin[6];
    struct rng rng;
    char buf[32];
    rng_seed(&rng, 11);
    for (int i = 0; i < 6; i++)
        twin[i] = NOTHING;
    for (int i = 0; i < 300; i++) {
        struct cache *c = r.c[rng_below(&rng, REPLICAS)];
        uint64_t k = rng_below(&rng, 6);
        struct str key = key_of(buf, sizeof buf, "key", (long)k);
        int64_t n = rng_between(&rng, -9, 9);
        for (uint64_t more = rng_below(&rng, 3) + 1; more > 0; more--) /* some in one breath */
            switch (rng_below(&rng, 4)) {
            case 0:
                twin[k] = n;
                c->ops->set(c, key, n, 60 * US_PER_S, clock_wall_us());
                break;
            case 1:
                twin[k] = NOTHING;
                c->ops->drop(c, key);
                break;
            default:
                twin[k] = twin[k] == NOTHING ? n : twin[k] + n;
                assert_int_equal(add_now(c, key, n), twin[k]);
            }
        add_now(c, STR("turn"), 1); /* who knows of this knows of what went before */
        all_become(&r, STR("turn"), i + 1);
        all_become(&r, key, twin[k]);
    }
    replicas_close(&r);
}

/* All at once, and then rest: whatever came of it, it is the same for all. */
static void all_agree_in_the_end(void **state) {
    const struct cache_factory *factory = *state;
    needs_replicas(factory);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct replicas r = replicas_make(factory);
        struct rng rng;
        char buf[32];
        rng_seed(&rng, seed);
        for (int i = 0; i < 2000; i++) {
            struct cache *c = r.c[rng_below(&rng, REPLICAS)];
            struct str key = key_of(buf, sizeof buf, "key", (long)rng_below(&rng, 20));
            uint64_t what = rng_below(&rng, 10);
            if (what == 0)
                c->ops->set(c, key, i, 60 * US_PER_S, clock_wall_us());
            else if (what == 1)
                c->ops->drop(c, key);
            else
                add_now(c, key, 1);
            if (rng_below(&rng, 20) == 0)
                usleep((useconds_t)rng_below(&rng, 3000));
        }
        usleep(100000);
        for (long k = 0; k < 20; k++) {
            struct str key = key_of(buf, sizeof buf, "key", k);
            int64_t since_us = clock_wall_us(), v;
            do {
                v = look(r.c[0], key);
                usleep(500);
            } while ((look(r.c[1], key) != v || look(r.c[2], key) != v) &&
                     clock_wall_us() - since_us < SETTLE_US);
            assert_int_equal(look(r.c[1], key), v);
            assert_int_equal(look(r.c[2], key), v);
        }
        replicas_close(&r);
    }
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void how_long_a_moment_is(void **state) {
    const struct cache_factory *factory = *state;
    needs_replicas(factory);
    struct replicas r = replicas_make(factory);
    int64_t took_us[101];
    for (int i = 0; i < 101; i++) {
        add_now(r.c[i % 2], STR("m"), 1);
        took_us[i] = becomes(r.c[2], STR("m"), i + 1);
    }
    qsort(took_us, 101, sizeof *took_us, by_size);
    print_message("heard of by another replica after %.1f ms (median), %.1f ms (99 %%)\n",
                  (double)took_us[50] / 1000, (double)took_us[99] / 1000);
    replicas_close(&r);
}

int cache_contract(const struct cache_factory *f) {
#define TEST(name) cmocka_unit_test_prestate(name, (void *)(uintptr_t)f)
    const struct CMUnitTest tests[] = {
        TEST(counts),
        TEST(sets_and_drops),
        TEST(saturates),
        TEST(keys_are_bytes),
        TEST(bounded),
        TEST(against_twin),
        TEST(threads),
        TEST(counts_are_shared),
        TEST(sets_and_drops_are_shared),
        TEST(ttl_is_set_once),
        TEST(sums_are_exact),
        TEST(replicas_against_twin),
        TEST(all_agree_in_the_end),
        TEST(how_long_a_moment_is),
    };
    return cmocka_run_group_tests_name(f->name, tests, NULL, NULL);
}
