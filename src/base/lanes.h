/* Deliveries in order per key: what a bus keeps of the events that its consumers have not yet
 * acknowledged. Of each key one is out at a time, the first that came; the next is given when it is
 * done. One that is refused rests, 10 ms at first, then twice as long each time up to 5 s, holds
 * back those behind it, and no other key:
 *
 *   behind others of its key → ready → out (the consumer has it) → done
 *                                ↑         └→ refused → resting ─┐
 *                                └───────────────────────────────┘
 *
 * A map of lanes belongs to one group of consumers; one queue serves any number of maps. An item
 * lies inside the delivery it stands for, which is its owner's. No locks: the bus has one.
 */
#ifndef LORRY_BASE_LANES_H
#define LORRY_BASE_LANES_H

#include "base/map.h"

#include <stdint.h>

#define LANES_REST_MIN_US INT64_C(10000)
#define LANES_REST_MAX_US INT64_C(5000000)
#define LANES_REST_STEPS 10 /* from the shortest rest to the longest */

struct lane;
struct lane_item {
    struct lane *lane;
    struct lane_item *behind; /* the next of the same key */
    struct lane_item *next;   /* in the ready, refused or a resting list */
    int64_t due_us;
    int32_t refusals;
    bool out;
};

struct lane_list {
    struct lane_item *first, *last;
};

struct lane_queue {
    struct lane_list ready, refused, resting[LANES_REST_STEPS];
    int64_t resting_count; /* refused ones included */
};

/* ITEM, zeroed, comes last in the lane of KEY, whose bytes are copied. */
void lanes_enter(struct map *lanes, struct lane_queue *q, struct str key, struct lane_item *item);
/* Whose turn it is: it is out from then on. NULL: nobody's. */
struct lane_item *lanes_next(struct lane_queue *q);
/* ITEM was out and is done with: it is in no lane any more. */
void lanes_done(struct map *lanes, struct lane_queue *q, struct lane_item *item);
/* ITEM was out and comes again: it rests from the next lanes_rest on, whose clock counts. */
void lanes_refuse(struct lane_queue *q, struct lane_item *item);
/* Whose rest is over becomes ready. */
void lanes_due(struct lane_queue *q, int64_t now_us);
/* The refused begin to rest. Returns when the first rest ends, 0 if nobody rests. */
int64_t lanes_rest(struct lane_queue *q, int64_t now_us);
/* Takes out what is not out and gives it to DROP; what is out stays the first of its lane. Of all
 * maps that use Q at once: each one must be dropped. */
void lanes_drop(struct map *lanes, struct lane_queue *q,
                void (*drop)(void *arg, struct lane_item *item), void *arg);
/* Gives all that is left to DROP (NULL: to nobody). */
void lanes_free(struct map *lanes, void (*drop)(void *arg, struct lane_item *item), void *arg);

#endif
