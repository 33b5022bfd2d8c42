/* The bus port: events between services. At least once, in order per key where nothing fails; a
 * consumer acknowledges after its own commit and is given the event again until it does.
 *
 * Adapters: inproc (durable through the outbox of the store), sim (delays, drops, doubles,
 * reorders), amqp (RabbitMQ).
 */
#ifndef LORRY_PORTS_BUS_H
#define LORRY_PORTS_BUS_H

#include "base/buf.h"
#include "ports/signals.h"
#include "ports/store.h"

#define BUS_WAKERS_MAX 16 /* executors on one bus */

struct bus;

/* One delivery to one consumer. Call done exactly once, from the consumer's executor thread:
 * 0 acknowledges, anything else asks for it again later. The event is valid until then. */
struct bus_delivery {
    const struct event *event;
    void (*done)(struct bus_delivery *d, int result);
};
typedef void (*bus_deliver_fn)(void *consumer, struct bus_delivery *d);
/* The bus has the event safely (every consumer's copy): it may leave the outbox. Called on the
 * publisher's executor thread. RESULT < 0: publish again. */
typedef void (*bus_confirm_fn)(void *publisher, int64_t seq, int result);
struct bus_ops {
    /* GROUP is the consumer's durable name ("notification"); replicas of one share a group. TYPES
     * is a NULL-terminated list of exact event types. Before start only. */
    int (*subscribe)(struct bus *b, const char *group, const char *const *types,
                     bus_deliver_fn deliver, void *consumer);
    /* Takes a copy of the event. ERR_FULL: later. */
    int (*publish)(struct bus *b, const struct event *e, bus_confirm_fn confirm, void *publisher);
    /* The signals port as the bus's users see it (ports/signals.h): an adapter for many processes
     * is given one and passes these on. listen() before start only. */
    int (*listen)(struct bus *b, const char *topic, signal_fn fn, void *consumer);
    void (*signal)(struct bus *b, const char *topic, const void *data, size_t len);
    /* Gives due redeliveries and the signals of others; called by the executor's thread once a
     * turn. Returns when it wants to be called again at the latest (µs wall clock), 0 for whenever.
     */
    int64_t (*poll)(struct bus *b, int64_t now_us);
    /* Optional (NULL: nothing comes of its own accord). WAKE is called when a poll would find
     * something that the last one did not: on any thread, with the bus locked, so it must neither
     * wait nor call the bus. Each executor registers its own; WAKE NULL takes back the
     * one of ARG, which is not called any more from then on. */
    void (*on_ready)(struct bus *b, void (*wake)(void *arg), void *arg);
    /* Optional (NULL: none). Appends its figures in Prometheus' text format. Any thread. */
    void (*metrics)(struct bus *b, struct buf *out);
    void (*close)(struct bus *b);
};
struct bus {
    const struct bus_ops *ops;
    /* An event refused with an error that speaks of itself is put aside after some tries, for
     * people to look at, and holds up nobody. Without it it is given again for ever. */
    bool puts_aside;
};

#endif
