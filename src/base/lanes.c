/* Within a step of resting items come due in the order in which they came, so each step is a plain
 * list. A lane lives as long as it has items.
 */
#include "base/lanes.h"

#include "base/arena.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

struct lane {
    struct lane_item *first, *last;
    struct lane *next; /* while lanes are dropped */
    struct str key;
    char key_bytes[];
};

static void list_add(struct lane_list *l, struct lane_item *i) {
    i->next = NULL;
    *(l->last ? &l->last->next : &l->first) = i;
    l->last = i;
}

static struct lane_item *list_take(struct lane_list *l) {
    struct lane_item *i = l->first;
    if (i) {
        l->first = i->next;
        if (!l->first)
            l->last = NULL;
    }
    return i;
}

void lanes_enter(struct map *lanes, struct lane_queue *q, struct str key, struct lane_item *item) {
    struct lane *lane = map_get(lanes, key);
    bool alone = !lane;
    if (alone) {
        lane = xcalloc(1, sizeof *lane + key.len + 1);
        memcpy(lane->key_bytes, key.p, key.len);
        lane->key = (struct str){lane->key_bytes, key.len};
        map_put(lanes, lane->key, lane);
    }
    item->lane = lane;
    *(lane->last ? &lane->last->behind : &lane->first) = item;
    lane->last = item;
    if (alone)
        list_add(&q->ready, item);
}

struct lane_item *lanes_next(struct lane_queue *q) {
    struct lane_item *i = list_take(&q->ready);
    if (i)
        i->out = true;
    return i;
}

static void lane_end(struct map *lanes, struct lane *lane) {
    map_remove(lanes, lane->key);
    free(lane);
}

void lanes_done(struct map *lanes, struct lane_queue *q, struct lane_item *item) {
    struct lane *lane = item->lane;
    CHECK(item->out && lane->first == item);
    item->out = false;
    lane->first = item->behind;
    if (lane->first)
        list_add(&q->ready, lane->first);
    else
        lane_end(lanes, lane);
}

void lanes_refuse(struct lane_queue *q, struct lane_item *item) {
    CHECK(item->out);
    item->out = false;
    list_add(&q->refused, item);
    q->resting_count++;
}

static int64_t rest_us(int32_t step) {
    int64_t us = LANES_REST_MIN_US << step;
    return us < LANES_REST_MAX_US ? us : LANES_REST_MAX_US;
}

void lanes_due(struct lane_queue *q, int64_t now_us) {
    for (int32_t step = 0; step < LANES_REST_STEPS; step++) {
        struct lane_list *l = &q->resting[step];
        /* Due later than a whole rest from now: the clock was put back meanwhile. */
        while (l->first &&
               (l->first->due_us <= now_us || l->first->due_us - now_us > rest_us(step))) {
            q->resting_count--;
            list_add(&q->ready, list_take(l));
        }
    }
}

int64_t lanes_rest(struct lane_queue *q, int64_t now_us) {
    struct lane_item *i;
    int64_t next_us = 0;
    while ((i = list_take(&q->refused))) {
        int32_t step = i->refusals < LANES_REST_STEPS ? i->refusals : LANES_REST_STEPS - 1;
        i->refusals++;
        i->due_us = now_us + rest_us(step);
        list_add(&q->resting[step], i);
    }
    for (int32_t step = 0; step < LANES_REST_STEPS; step++) {
        const struct lane_item *first = q->resting[step].first;
        if (first && (next_us == 0 || first->due_us < next_us))
            next_us = first->due_us;
    }
    return next_us;
}

void lanes_drop(struct map *lanes, struct lane_queue *q,
                void (*drop)(void *arg, struct lane_item *item), void *arg) {
    struct lane *empty = NULL;
    void *value;
    for (size_t at = 0; map_next(lanes, &at, &value);) {
        struct lane *lane = value;
        struct lane_item *i = lane->first, *kept = i->out ? i : NULL;
        if (kept)
            i = kept->behind;
        while (i) {
            struct lane_item *behind = i->behind;
            drop(arg, i);
            i = behind;
        }
        lane->first = lane->last = kept;
        if (kept) {
            kept->behind = NULL;
        } else {
            lane->next = empty;
            empty = lane;
        }
    }
    while (empty) {
        struct lane *next = empty->next;
        lane_end(lanes, empty);
        empty = next;
    }
    *q = (struct lane_queue){0};
}

void lanes_free(struct map *lanes, void (*drop)(void *arg, struct lane_item *item), void *arg) {
    void *value;
    for (size_t at = 0; map_next(lanes, &at, &value);) {
        struct lane *lane = value;
        for (struct lane_item *i = lane->first, *behind; drop && i; i = behind) {
            behind = i->behind;
            drop(arg, i);
        }
        free(lane);
    }
    map_free(lanes);
}
