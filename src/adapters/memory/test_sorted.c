/* The ordered set against a plain sorted array, by seeds. */
#include "adapters/memory/sorted.h"
#include "base/arena.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TWIN_MAX 3000

struct twin {
    struct sorted_entry entries[TWIN_MAX];
    size_t count;
};

static int twin_compare(const void *a, const void *b) {
    const struct sorted_entry *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return str_cmp(x->key, y->key);
}

static size_t twin_seek(const struct twin *t, int64_t rank, struct str key) {
    struct sorted_entry wanted = {rank, key, NULL};
    size_t i = 0;
    while (i < t->count && twin_compare(&t->entries[i], &wanted) < 0)
        i++;
    return i;
}

static bool twin_has(const struct twin *t, size_t i, int64_t rank, struct str key) {
    struct sorted_entry wanted = {rank, key, NULL};
    return i < t->count && twin_compare(&t->entries[i], &wanted) == 0;
}

static void same(const struct sorted *s, const struct twin *t) {
    assert_int_equal(s->count, t->count);
    struct sorted_pos pos = sorted_first();
    for (size_t i = 0; i < t->count; i++, sorted_next(s, &pos))
        assert_ptr_equal(sorted_at(s, pos)->value, t->entries[i].value);
    assert_null(sorted_at(s, pos));
    pos = sorted_end(s);
    for (size_t i = t->count; i-- > 0;) {
        assert_true(sorted_prev(s, &pos));
        assert_ptr_equal(sorted_at(s, pos)->value, t->entries[i].value);
    }
    assert_false(sorted_prev(s, &pos));
}

static void step(struct sorted *s, struct twin *t, struct rng *r, struct arena *a, bool grow,
                 bool ascending) {
    char text[32];
    uint64_t n = ascending && grow ? 100000 + t->count : rng_below(r, 2000);
    int len = snprintf(text, sizeof text, "%06llu", (unsigned long long)n);
    struct str key = {text, (size_t)len};
    int64_t rank = ascending ? 0 : rng_between(r, -2, 2);
    size_t at = twin_seek(t, rank, key);
    const struct sorted_entry *found = sorted_at(s, sorted_seek(s, rank, key));
    assert_true(at < t->count ? found && found->value == t->entries[at].value : !found);
    if (grow && t->count < TWIN_MAX && !twin_has(t, at, rank, key)) {
        struct sorted_entry e = {rank, arena_str(a, key), arena_bytes(a, 1)};
        memmove(&t->entries[at + 1], &t->entries[at], (t->count - at) * sizeof e);
        t->entries[at] = e;
        t->count++;
        sorted_insert(s, e.rank, e.key, e.value);
    } else if (!grow) {
        void *value = sorted_remove(s, rank, key);
        if (!twin_has(t, at, rank, key)) {
            assert_null(value);
            return;
        }
        assert_ptr_equal(value, t->entries[at].value);
        t->count--;
        memmove(&t->entries[at], &t->entries[at + 1], (t->count - at) * sizeof t->entries[0]);
    }
}

static void against_twin(void **state) {
    (void)state;
    struct twin *t = malloc(sizeof *t);
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct rng r;
        struct arena a;
        struct sorted s;
        rng_seed(&r, seed);
        arena_init(&a, 65536);
        sorted_init(&s);
        t->count = 0;
        for (int phase = 0; phase < 6; phase++) {
            uint64_t grow_of_10 = phase % 2 ? 2 : 8;
            for (int i = 0; i < 700; i++)
                step(&s, t, &r, &a, rng_below(&r, 10) < grow_of_10, seed % 3 == 0);
            same(&s, t);
        }
        while (t->count > 0) { /* and from the front, as pruning does */
            struct sorted_entry e = t->entries[0];
            assert_ptr_equal(sorted_remove(&s, e.rank, e.key), e.value);
            memmove(t->entries, t->entries + 1, --t->count * sizeof e);
        }
        same(&s, t);
        sorted_free(&s);
        arena_free(&a);
    }
    free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_twin)};
    return cmocka_run_group_tests_name("sorted", tests, NULL, NULL);
}
