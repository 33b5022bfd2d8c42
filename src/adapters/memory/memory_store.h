/* The memory store: the store port on plain data structures, for the simulator and for tests. The
 * disk outlives the handles on it, so a node that crashes finds its data again. A commit is atomic
 * and copies everything; handles may live on different threads (one lock around the disk).
 * Everything is deterministic: the same calls give the same answers in the same order.
 */
#ifndef LORRY_ADAPTERS_MEMORY_STORE_H
#define LORRY_ADAPTERS_MEMORY_STORE_H

#include "base/rng.h"
#include "ports/store.h"

/* Faults by chance, 0..1 each, drawn from RNG in each call. May be changed at any time by the
 * thread that owns the handle. All zero: no fault and nothing drawn. */
struct memory_store_faults {
    double busy;              /* commit: ERR_BUSY, nothing written */
    double io;                /* commit: ERR_IO, nothing written */
    double conflict;          /* each change: ERR_CONFLICT, nothing of it written */
    double unknown_committed; /* commit: written, yet ERR_UNKNOWN */
    double unknown_lost;      /* commit: ERR_UNKNOWN, nothing written */
    double doubt;     /* each document of a commit: whatever changes it is ERR_UNKNOWN, written
                         or not, or ERR_UNAVAILABLE, while the others go through */
    double read_busy; /* get, list, answer, outbox_read, due: ERR_BUSY */
    struct rng *rng;
};

/* One durable commit as the oracle sees it. Valid during the call. */
struct memory_commit {
    const struct store_change *changes; /* only those with result 0 were written */
    int32_t count;
    int64_t first_seq; /* of the events of the written changes, numbered on from it in order */
    int64_t event_count;
    const int64_t *remove_seqs;
    int32_t remove_count;
};
typedef void (*memory_watch_fn)(void *arg, const struct memory_commit *commit);

struct memory_disk;

struct memory_disk *memory_disk_new(void);
/* After all its handles are closed. NULL ok; returns NULL. */
struct memory_disk *memory_disk_free(struct memory_disk *d);
/* FN is called after each commit that is durable (also when its answer gets lost), outside the
 * disk's lock, on the committing thread. One watcher; NULL ends it. */
void memory_disk_watch(struct memory_disk *d, memory_watch_fn fn, void *arg);

/* A handle. FAULTS may be NULL; it must outlive the handle. Never fails. */
struct store *memory_disk_open(struct memory_disk *d, bool writer,
                               const struct memory_store_faults *faults);
/* The same for one of several writers: its events are OWNER's, and stay his until a handle of his
 * reads them, however often he is opened anew (a simulated node always comes back). */
struct store *memory_disk_join(struct memory_disk *d, bool writer, int32_t owner,
                               const struct memory_store_faults *faults);
/* The disk as the port's source of handles, without faults. Lives as long as the disk. */
struct store_source *memory_disk_source(struct memory_disk *d);

struct memory_disk_stats {
    int64_t documents, outbox_rows, seen, answers, commits;
    int64_t next_seq; /* of the next event */
};
void memory_disk_stats(struct memory_disk *d, struct memory_disk_stats *ret);

#endif
