/* Redis as what replicas share: the cache port and the signals port on one server (or on whichever
 * the sentinels name), through one thread of its own and two connections. Nothing that a service
 * calls here ever waits for Redis: calls are answered from this process's memory, and the thread
 * carries news both ways. While Redis is away the platform goes on with what each replica knows;
 * when it returns everybody's knowledge is put together again.
 *
 * Addresses:
 *   redis://[USER:PASSWORD@]HOST[:PORT][/DB]
 *   redis+unix://[USER:PASSWORD@]/PATH/OF/SOCKET[?db=N]
 *   redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]…/MASTER[/DB]
 * USER may be empty; both may be %-encoded, and are for the server (sentinels are asked without).
 * rediss:// is refused: hiredis 0.14 has no TLS.
 *
 * The cache. A value lives in every replica's mirror. What changes here is written to Redis within
 * REDIS_SYNC_US plus a round trip, and Redis tells all replicas, in one order for all, what became
 * of it. In numbers, while Redis answers and keeps up (one of its cores takes about 100,000 keys a
 * second; beyond that counters wait, what was set or dropped goes first):
 *   - add() is exact within a replica. Of the others it knows all that is older than S, which is
 *     REDIS_SYNC_US and two round trips. So a limit of N that R replicas enforce lets through at
 *     most N plus what the R - 1 others let through in S. While Redis is away: at most R times N.
 *   - a counter's end is set once, by the first who adds; the others take his.
 *   - set() and drop() are seen by the others within S. Of two within S of one another the one that
 *     reaches Redis last stays, for everybody. A drop ends the life of a counter: what others have
 *     added and not sent begins a new one.
 *   - after everything came to rest all replicas show the same.
 * When Redis comes back (or lost its memory, or another server took over), values are compared by
 * life: each begins one, with a time in it (of its machine's clock). The younger life wins; in the
 * same life the greater value; what was counted on two sides is added. A replica puts its own live
 * values back where Redis has lost them, so a revocation is gone only when every replica and Redis
 * have gone. What may be lost: additions that were under way when the connection broke (at most
 * those of S), and a drop while a replica was cut off for longer than REDIS_BURIED_MS, whose old
 * value then returns until it expires.
 *
 * Signals go out in packs, at most one each REDIS_PACK_US; see ports/signals.h.
 *
 * Threads: the ports as they say; the rest of this header is for any thread once redis_start() has
 * returned.
 */
#ifndef LORRY_ADAPTERS_REDIS_H
#define LORRY_ADAPTERS_REDIS_H

#include "base/buf.h"
#include "base/log.h"
#include "base/module.h"
#include "ports/cache.h"
#include "ports/signals.h"

#define REDIS_KEY_MAX 512       /* bytes of a cache's key; a longer one is ERR_LIMIT */
#define REDIS_SYNC_US 5000      /* between two batches of writes */
#define REDIS_PACK_US 2000      /* between two packs of signals */
#define REDIS_ANSWER_US 1000000 /* no answer for so long: the connection is given up */
#define REDIS_BEAT_US 100000    /* how often an idle connection is asked whether it is there */
#define REDIS_BACKOFF_MIN_US 50000
#define REDIS_BACKOFF_MAX_US 1000000 /* before ±50 % of chance */
#define REDIS_BURIED_MS 60000
#define REDIS_LISTENERS_MAX 64
#define REDIS_OUT_BYTES_MAX (4 << 20) /* of signals that wait for Redis; then the oldest go */
#define REDIS_IN_BYTES_MAX (8 << 20)  /* of signals that wait for poll(); then the oldest go */
#define REDIS_PREFIX_MAX 32

struct redis;

struct redis_options {
    const char *url;
    const char *prefix; /* of keys and channels; NULL: "lorry:". Letters, digits, ':', '-', '_' */
    const struct log *log; /* may be NULL; outlives it */
};
/* ERR_INVALID with a constant *RET_WHY that says what is wrong with the options. Connects nothing.
 */
int redis_new(const struct redis_options *o, struct redis **ret, const char **ret_why);
/* One of each at most, before redis_start(). ENTRIES_MAX ≥ 1: of the mirror; the oldest go first.
 */
struct cache *redis_cache_new(struct redis *r, int32_t entries_max);
struct signals *redis_signals_new(struct redis *r);
/* Starts the thread; the listeners of signals are there. ERR_LIMIT. */
int redis_start(struct redis *r);
/* Connected, and the mirror has what Redis has. */
bool redis_ready(struct redis *r);
/* Waits for that; false: not within TIMEOUT_US. */
bool redis_wait_ready(struct redis *r, int64_t timeout_us);
/* Ends the thread, having tried for a moment to deliver what is under way. The ports stay usable
 * (alone) until they are closed. Closing one stops, too. */
void redis_stop(struct redis *r);
/* Stops. After the ports are closed. NULL ok; returns NULL. */
struct redis *redis_free(struct redis *r);

struct redis_stats {
    bool connected, ready;
    uint64_t connects;      /* since the start; the first is one */
    uint64_t failures;      /* connections that failed or broke */
    uint64_t garbage;       /* messages on our channels that were none of ours */
    int64_t mirror_entries; /* of the cache */
    int64_t waiting_writes; /* keys with something that Redis has not been told */
    int64_t sync_lag_us;    /* age of the oldest write that Redis has not confirmed; 0: none */
    int64_t sync_us;        /* what the last one took */
    uint64_t evicted;       /* living entries that had to make room */
    uint64_t signals_out, signals_in;                 /* sent to others; heard from others */
    uint64_t signals_out_dropped, signals_in_dropped; /* for want of room, or of Redis */
    uint64_t gaps;                                    /* that listeners were told of */
};
void redis_stats(struct redis *r, struct redis_stats *ret);
int32_t redis_cache_count(struct cache *c); /* entries in the mirror */
/* Appends them in Prometheus' text format; the cache's `metrics` does the same. */
void redis_metrics(struct redis *r, struct buf *out);

/* What lorry-redis.so gives: the functions above, by the same names. */
struct redis_module {
    struct module module;
    int (*new)(const struct redis_options *o, struct redis **ret, const char **ret_why);
    struct cache *(*cache_new)(struct redis *r, int32_t entries_max);
    struct signals *(*signals_new)(struct redis *r);
    int (*start)(struct redis *r);
    bool (*ready)(struct redis *r);
    bool (*wait_ready)(struct redis *r, int64_t timeout_us);
    struct redis *(*free)(struct redis *r);
};

#endif
