/* The signals port: what replicas tell each other that is worth nothing a moment later, or can be
 * read again from the store: positions, "stream X has entry N", "the document of driver Y has
 * changed", "forget what you know of Z". Every replica hears every signal, in the order of each
 * sender; any may be lost on any failure, and nothing may rely on one.
 *
 * Own signals: whoever signals hears it himself, exactly once, before signal() returns and on his
 * thread, also while the others cannot be reached. Signals of others are heard inside poll(). The
 * executor's thread is the one that polls and the one that signals, so a listener is called there
 * and nowhere else; who signals from another thread has his own listeners called on that one. Where
 * several executors share a port, poll() serves one of them at a time, in order.
 *
 * Gaps: a listener to SIGNAL_GAP is told (no data) that signals of others may have been lost: a
 * connection came back, or a queue ran over. What was heard before the gap may be out of date and
 * what comes after it is current, so whoever keeps something that signals keep fresh reads it again
 * from the store. The first connection is a gap, too: what went before it was never heard.
 *
 * Replicas may be of different builds: data that is a C struct is checked (its length, its version
 * if it has one) by the listener, who ignores what he does not know.
 *
 * Adapters: inproc (one process: nobody else, no gaps), redis.
 */
#ifndef LORRY_PORTS_SIGNALS_H
#define LORRY_PORTS_SIGNALS_H

#include "base/str.h"

#define SIGNAL_GAP ""         /* the topic of gaps; never sent */
#define SIGNAL_TOPIC_MAX 64   /* bytes */
#define SIGNAL_BYTES_MAX 8192 /* of data */

struct signals;

/* TOPIC and DATA (not aligned to anything) are valid during the call. May signal. */
typedef void (*signal_fn)(void *consumer, struct str topic, const void *data, size_t len);

struct signals_ops {
    /* Each signal of exactly this TOPIC, which must outlive the port. Before the first poll and
     * the first signal only. */
    int (*listen)(struct signals *s, const char *topic, signal_fn fn, void *consumer);
    /* TOPIC is of 1..SIGNAL_TOPIC_MAX bytes, LEN ≤ SIGNAL_BYTES_MAX (both CHECKed). Takes a copy,
     * never waits; what does not fit the queue pushes the oldest out. */
    void (*signal)(struct signals *s, const char *topic, const void *data, size_t len);
    /* Calls the listeners with what others have signalled since. Returns when it wants to be
     * called again at the latest (µs wall clock, NOW_US: at once, because there is more than one
     * poll gives), 0 for whenever. */
    int64_t (*poll)(struct signals *s, int64_t now_us);
    /* WAKE is called when a poll would find something that the last one did not: on a thread of the
     * adapter, holding no lock; it must not wait. Before the first poll; NULL for none. */
    void (*on_ready)(struct signals *s, void (*wake)(void *arg), void *arg);
    /* When no thread calls it any more. */
    void (*close)(struct signals *s);
};
struct signals {
    const struct signals_ops *ops;
};

#endif
