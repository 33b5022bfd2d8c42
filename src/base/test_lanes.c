/* Lanes against a twin that keeps plain lists and looks through all of them. */
#include "base/lanes.h"

#include "base/arena.h"
#include "base/rng.h"
#include "base/test.h"

#include <stddef.h>
#include <stdlib.h>

#define KEYS 7
#define ITEMS_MAX 400
#define STEPS 3000

struct thing {
    struct lane_item item;
    int32_t key, number;
    bool alive, out;
    int32_t refusals;
    int64_t due_us; /* of the twin; -1: refused, its rest has not begun; 0: none */
};

struct twin {
    struct thing *things[ITEMS_MAX]; /* in the order in which they came */
    int32_t count, dropped;
};

static struct thing *of_item(struct lane_item *i) {
    return (struct thing *)((char *)i - offsetof(struct thing, item));
}

static struct str key_text(int32_t key) {
    static const char *const names[KEYS] = {"", "a", "b", "ab", "ba", "aa", "a longer key"};
    return str_from(names[key]);
}

/* May it be given now? It is the first of its key that is not done, is not out, and has rested. */
static bool ready(const struct twin *t, const struct thing *x) {
    for (int32_t i = 0; i < t->count; i++) {
        const struct thing *y = t->things[i];
        if (y->alive && y->key == x->key)
            return y == x && !x->out && x->due_us == 0;
    }
    return false;
}

static int32_t count_ready(const struct twin *t) {
    int32_t n = 0;
    for (int32_t i = 0; i < t->count; i++)
        n += t->things[i]->alive && ready(t, t->things[i]);
    return n;
}

static struct thing *any_out(const struct twin *t, struct rng *r) {
    int32_t from = t->count > 0 ? (int32_t)rng_below(r, (uint64_t)t->count) : 0;
    for (int32_t i = 0; i < t->count; i++) {
        struct thing *x = t->things[(from + i) % t->count];
        if (x->alive && x->out)
            return x;
    }
    return NULL;
}

static void enter(struct twin *t, struct map *lanes, struct lane_queue *q, int32_t key) {
    struct thing *x = xcalloc(1, sizeof(*x));
    x->key = key;
    x->number = t->count;
    x->alive = true;
    t->things[t->count++] = x;
    lanes_enter(lanes, q, key_text(key), &x->item);
}

/* All that are ready, and no others, are given. */
static void give_all(struct twin *t, struct lane_queue *q) {
    int32_t want = count_ready(t), given = 0;
    for (struct lane_item *i; (i = lanes_next(q)); given++) {
        struct thing *x = of_item(i);
        assert_true(ready(t, x));
        x->out = true;
    }
    assert_int_equal(given, want);
}

static int64_t rest_us(const struct thing *x) {
    int64_t us = LANES_REST_MIN_US;
    for (int32_t i = 0; i < x->refusals && us < LANES_REST_MAX_US; i++)
        us *= 2;
    return us < LANES_REST_MAX_US ? us : LANES_REST_MAX_US;
}

static void time_passes(struct twin *t, struct lane_queue *q, int64_t now_us) {
    int64_t first_us = 0;
    lanes_due(q, now_us);
    for (int32_t i = 0; i < t->count; i++) {
        struct thing *x = t->things[i];
        if (x->alive && x->due_us > 0 && x->due_us <= now_us)
            x->due_us = 0;
        if (x->alive && x->due_us < 0) {
            x->due_us = now_us + rest_us(x);
            x->refusals++;
        }
        if (x->alive && x->due_us > 0 && (first_us == 0 || x->due_us < first_us))
            first_us = x->due_us;
    }
    assert_int_equal(lanes_rest(q, now_us), first_us);
}

static void drop(void *arg, struct lane_item *i) {
    struct twin *t = arg;
    assert_true(of_item(i)->alive && !of_item(i)->out);
    of_item(i)->alive = false;
    t->dropped++;
}

static void drop_all(struct twin *t, struct map *lanes, struct lane_queue *q) {
    int32_t want = 0;
    for (int32_t i = 0; i < t->count; i++)
        want += t->things[i]->alive && !t->things[i]->out;
    t->dropped = 0;
    lanes_drop(lanes, q, drop, t);
    assert_int_equal(t->dropped, want);
    assert_int_equal(q->resting_count, 0);
}

static void step(struct twin *t, struct map *lanes, struct lane_queue *q, struct rng *r,
                 int64_t *now_us) {
    uint64_t what = rng_below(r, 100);
    struct thing *x = any_out(t, r);
    if (what < 30 && t->count < ITEMS_MAX) {
        enter(t, lanes, q, (int32_t)rng_below(r, KEYS));
    } else if (what < 55 && x != NULL) {
        lanes_done(lanes, q, &x->item);
        x->alive = x->out = false;
    } else if (what < 75 && x != NULL) {
        lanes_refuse(q, &x->item);
        x->out = false;
        x->due_us = -1;
    } else if (what < 99) {
        *now_us += rng_between(r, 0, 20000);
        time_passes(t, q, *now_us);
    } else {
        drop_all(t, lanes, q);
    }
    give_all(t, q);
}

static void as_the_twin_says(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct twin t = {0};
        struct map lanes;
        struct lane_queue q = {0};
        struct rng r;
        int64_t now_us = 1;
        rng_seed(&r, seed);
        map_init(&lanes);
        for (int i = 0; i < STEPS; i++)
            step(&t, &lanes, &q, &r, &now_us);
        lanes_free(&lanes, NULL, NULL);
        for (int32_t i = 0; i < t.count; i++)
            free(t.things[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_twin_says)};
    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
