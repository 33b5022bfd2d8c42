/* What the files of this folder share. The thread of struct redis owns the connections; the cache
 * and the signals have a lock each for what the ports' callers and the thread both touch. No lock
 * is held while another one is taken, or while anything waits.
 */
#ifndef LORRY_ADAPTERS_REDIS_PRIVATE_H
#define LORRY_ADAPTERS_REDIS_PRIVATE_H

#include "adapters/redis/redis.h"
#include "adapters/redis/redis_url.h"
#include "base/buf.h"
#include "base/rng.h"

#include <hiredis/hiredis.h>

#include <pthread.h>
#include <stdatomic.h>

#define REDIS_EPOCH_TEXT 17      /* 16 hex digits and a NUL */
#define REDIS_BATCH_MAX 256      /* keys in one batch: the cache's lock is held while it is made */
#define REDIS_ASKED_MAX 256      /* answers waited for */
#define REDIS_OBUF_MAX (1 << 20) /* bytes hiredis holds for the socket; then signals wait */
#define REDIS_HEARD_MAX (64 << 20) /* bytes of one message; whoever sends more is cut off */
#define REDIS_NAME_MAX (REDIS_PREFIX_MAX + 32)

/* ---- redis_link.c: connecting, on the thread ---- */

struct redis_link {
    redisContext *commands, *heard; /* NULL: not connected */
    char sync_sha[48], read_sha[48];
    char epoch[REDIS_EPOCH_TEXT]; /* what the server's memory is called; another one: it was lost */
};

/* Connects, within REDIS_ANSWER_US for each host it has to try. ERR_UNAVAILABLE: *RET_WHY says why
 * (valid until the next call). */
int redis_link_open(struct redis *r, struct redis_link *l, const char **ret_why);
void redis_link_close(struct redis_link *l);

/* ---- redis_cache.c ---- */

/* One batch of writes, as the arguments of the script: six per key. */
struct redis_batch {
    struct buf bytes; /* all arguments and keys, one after the other */
    struct {
        size_t at, len;
    } keys[REDIS_BATCH_MAX], args[REDIS_BATCH_MAX * 6];
    int count;
};

struct redis_cache;
void redis_cache_link_up(struct redis_cache *c);  /* a new connection: nothing is certain */
void redis_cache_refilled(struct redis_cache *c); /* what was not heard of is put back from here */
/* Fills B with what waits to be written. */
void redis_cache_batch(struct redis_cache *c, struct redis_batch *b);
/* How much there is to write; REDIS_BATCH_MAX and more is no reason to wait for company. */
int64_t redis_cache_waits(struct redis_cache *c);
int64_t redis_cache_max(const struct redis_cache *c); /* entries */
struct redis_heard {                                  /* one key of a message */
    struct str key;
    bool buried; /* dropped */
    int64_t value, ttl_us;
    uint64_t life;
};
/* OWN: it is the answer to this replica's batch. */
void redis_cache_heard(struct redis_cache *c, const struct redis_heard *h, int32_t count, bool own);
void redis_cache_confirmed(struct redis_cache *c); /* the batch has been answered */
void redis_cache_fill_stats(struct redis_cache *c, struct redis_stats *ret);

/* ---- redis_signals.c ---- */

struct redis_pack { /* signals as they travel */
    struct redis_pack *next;
    size_t len;
    int32_t signals;
    bool gap; /* instead of signals */
    char bytes[];
};

struct redis_signals;
void redis_signals_link_up(struct redis_signals *s);
void redis_signals_link_down(struct redis_signals *s, int32_t unanswered);
bool redis_signals_waits(struct redis_signals *s);
struct redis_pack *redis_signals_take(struct redis_signals *s); /* the next to send; or NULL */
void redis_signals_heard(struct redis_signals *s, struct str message);
void redis_signals_fill_stats(struct redis_signals *s, struct redis_stats *ret);

/* ---- redis.c ---- */

enum redis_asked { ASKED_NOTHING, ASKED_SYNC, ASKED_SCAN, ASKED_READ, ASKED_PUBLISH };

struct redis {
    struct redis_url url;
    char prefix[REDIS_PREFIX_MAX + 1];
    char origin[REDIS_EPOCH_TEXT]; /* this replica, in what it sends */
    uint64_t origin_id;
    const struct log *log;
    struct redis_cache *cache;
    struct redis_signals *signals;
    char keys[REDIS_NAME_MAX], epoch_key[REDIS_NAME_MAX];      /* prefix of keys; a key */
    char to_cache[REDIS_NAME_MAX], to_signals[REDIS_NAME_MAX]; /* channels */
    char to_me[REDIS_NAME_MAX];

    pthread_t thread;
    pthread_mutex_t stop_lock;
    bool started;
    int stop_fd, wake_fd;
    _Atomic bool stopping;
    _Atomic bool awake; /* the thread will look anyway: it need not be woken */
    _Atomic bool connected, ready;
    _Atomic uint64_t connects, failures, garbage;
    _Atomic int64_t sync_us;

    /* the thread's own */
    struct rng rng;
    struct redis_link link;
    const char *broken; /* why the link is to be given up; NULL: it is well */
    struct {
        enum redis_asked what;
        int64_t at_us; /* monotonic, as all times of the thread */
    } asked[REDIS_ASKED_MAX];
    int asked_first, asked_count;
    struct redis_batch batch;
    uint64_t batch_no;
    bool batch_away;
    int64_t batch_at_us, pack_at_us;
    char cursor[24]; /* of the scan */
    bool scanning;
    bool lost_memory;          /* the server has: connect again at once */
    struct redis_heard *heard; /* REDIS_BATCH_MAX */
    int64_t scan_keys;
    int next_host;
    char why[256];
};

/* Lets the thread look for work. Any thread. */
void redis_wake(struct redis *r);
/* Waits until FD has EVENTS. False: not before UNTIL_US, or the thread is to stop. */
bool redis_wait_fd(struct redis *r, int fd, short events, int64_t until_us);
extern const char redis_sync_script[], redis_read_script[];

#endif
