/* The bus port inside one process. It keeps nothing itself: what makes it durable is the outbox. A
 * publish hands the event to every group that subscribed to its type; when all of them have
 * acknowledged, and only then, the publisher gets its confirm and removes the outbox row. After a
 * crash the outbox is pumped again and consumers drop what they have seen.
 *
 * Order: within a group one event per key is out at a time; the next of the same key is given when
 * it has been acknowledged, so an event that must be redelivered holds back those behind it, and no
 * other key. Members of one group share its keys by hash.
 *
 * Redelivery: an event refused with done(< 0) rests 10 ms, then twice as long each time up to 5 s,
 * counted by the clock of poll(). It is never given up.
 *
 * Threads: any. Callbacks run without the lock held: deliver on whichever thread published,
 * acknowledged or polled; confirm on the thread that published. Where the acknowledging thread is
 * another one, the confirm waits for the publisher's next call into the bus, and poll() then asks
 * to be called at least each 10 ms. deliver, done and confirm may call into the bus again; an event
 * that nobody subscribes to is confirmed before publish returns.
 */
#ifndef LORRY_ADAPTERS_INPROC_BUS_H
#define LORRY_ADAPTERS_INPROC_BUS_H

#include "ports/bus.h"

#define INPROC_IN_FLIGHT_MAX 8192 /* events not yet acknowledged by all; then publish: ERR_FULL */
#define INPROC_GROUPS_MAX 32
#define INPROC_MEMBERS_MAX 16 /* subscriptions of one group to one type */

/* TYPES given to subscribe and the topics given to listen must outlive the bus. close() when no
 * thread calls it any more; deliveries that are still out are void from then on. */
struct bus *inproc_bus_new(void);

struct inproc_bus_stats {
    int64_t in_flight; /* events published and not yet confirmed */
    int64_t resting;   /* deliveries waiting for their redelivery */
    uint64_t published, delivered, redelivered, signals;
};
void inproc_bus_stats(struct bus *b, struct inproc_bus_stats *ret); /* any thread */

#endif
