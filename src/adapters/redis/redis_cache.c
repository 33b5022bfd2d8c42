/* The mirror and what of it Redis must still be told.
 *
 * An entry's `value` is always the whole that this replica knows: what Redis said last, plus what
 * was sent and not answered (`away`), plus what was not sent (`pending`). Each value is in a life,
 * a number with the time in it at which somebody began it; `fresh` is one that was begun here and
 * not sent. `known` is the life of the key in Redis as far as we have heard: when it is the one
 * that has ended here, the script may replace it; any other one is somebody else's, which is
 * joined.
 *
 * `op` is what waits to be sent, `sent` what is under way. One batch is under way at a time. The
 * generation counts connections: an entry of an older one is not certain to be in Redis (or to be
 * all that is there); it is, once it was heard of in the scan, and is sent again ("put back") if
 * not.
 *
 * Entries that wait stand in a list; an entry that was changed often is in it once. A
 * dropped entry stays until Redis has been told. Nothing here waits for anything but the lock,
 * which the thread holds for one batch at most.
 */
#include "adapters/redis/redis_private.h"

#include "adapters/memory/entries.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACK_MIN 64                      /* of a batch, for what is put back */
#define TTL_MS_MAX INT64_C(315360000000) /* ten years: what Redis is told of for ever */

enum op { OP_NONE, OP_ADD, OP_SET, OP_DROP };

struct shared {
    struct entry entry;            /* first */
    struct shared *before, *after; /* in the list of those that wait */
    uint64_t life, known;
    int64_t pending, away;
    uint32_t generation, sent_no;
    uint8_t op, sent; /* enum op */
    bool fresh, dropped, waits;
};

struct redis_cache {
    struct cache cache; /* first: the port's view */
    struct redis *redis;
    pthread_mutex_t lock; /* guards everything below */
    struct entries entries;
    struct shared *first, *last;  /* that wait */
    struct shared *walk;          /* from here on entries may have to be put back; or NULL */
    uint32_t generation, sent_no; /* of connections, of batches */
    uint64_t last_life;
    int64_t offset_us; /* the callers' clock minus the monotonic one */
    int64_t count_waiting;
    int64_t waiting_since_us, away_since_us; /* monotonic; 0: nothing */
    uint64_t evicted;
};

static struct redis_cache *self(struct cache *c) {
    return (struct redis_cache *)c;
}

/* ---- time and lives ---- */

/* The time by the callers' clock, which need not be the machine's. */
static int64_t callers_now(const struct redis_cache *c) {
    return entries_sum(clock_mono_us(), c->offset_us);
}

static void heed_clock(struct redis_cache *c, int64_t now_us) {
    c->offset_us = entries_sum(now_us, -clock_mono_us());
}

static uint64_t new_life(struct redis_cache *c) {
    uint64_t by_time = (uint64_t)clock_wall_us() << 12 | (c->redis->origin_id & 0xfff);
    c->last_life = by_time > c->last_life ? by_time : c->last_life + 0x1000;
    return c->last_life;
}

/* ---- the list of those that wait ---- */

static void unlist(struct redis_cache *c, struct shared *e) {
    if (!e->waits)
        return;
    *(e->before ? &e->before->after : &c->first) = e->after;
    *(e->after ? &e->after->before : &c->last) = e->before;
    e->before = e->after = NULL;
    e->waits = false;
    c->count_waiting--;
}

/* What was set or dropped goes before what was counted: a revocation does not wait for the counters
 * of a rush. */
static void list(struct redis_cache *c, struct shared *e) {
    bool first = e->op != OP_ADD;
    if (e->waits && !first)
        return;
    unlist(c, e);
    e->waits = true;
    if (first) {
        e->after = c->first;
        *(c->first ? &c->first->before : &c->last) = e;
        c->first = e;
    } else {
        e->before = c->last;
        *(c->last ? &c->last->after : &c->first) = e;
        c->last = e;
    }
    c->count_waiting++;
    if (c->waiting_since_us == 0)
        c->waiting_since_us = clock_mono_us();
}

static void on_leaves(void *arg, struct entry *entry, bool for_good) {
    struct redis_cache *c = arg;
    if ((struct shared *)entry == c->walk) /* one that moves to the end is met there */
        c->walk = (struct shared *)entry->newer;
    if (for_good)
        unlist(c, (struct shared *)entry);
}

/* ---- the port ---- */

static bool lives(const struct shared *e, int64_t now_us) {
    return e && !e->dropped && e->entry.expires_us > now_us;
}

/* Is E of a connection that broke? Of that, and of batches before this, nothing is under way. */
static bool uncertain(struct redis_cache *c, struct shared *e) {
    bool before = e->generation != c->generation;
    if (before || e->sent_no != c->sent_no) {
        e->sent = OP_NONE;
        e->away = 0;
    }
    return before;
}

#define NO_TIME INT64_MIN /* a guess at the time is no reason to let go of what may live */

static struct shared *make(struct redis_cache *c, struct str key, int64_t now_us) {
    const struct shared *oldest = (struct shared *)c->entries.oldest;
    if (c->entries.by_key.count >= c->entries.entries_max && lives(oldest, callers_now(c)))
        c->evicted++;
    struct shared *e = entries_make(&c->entries, key, now_us);
    e->generation = c->generation;
    return e;
}

/* Begins a life of E, NULL: of a new entry. */
static struct shared *begin(struct redis_cache *c, struct shared *e, struct str key,
                            int64_t expires_us, int64_t now_us) {
    if (e) {
        entries_renew(&c->entries, &e->entry);
        uncertain(c, e);
        e->generation = c->generation; /* what begins now is of this connection */
    } else {
        e = make(c, key, now_us);
    }
    e->entry.value = 0;
    e->entry.expires_us = expires_us;
    e->pending = 0;
    e->life = new_life(c);
    e->fresh = true;
    e->dropped = false;
    e->op = OP_NONE;
    return e;
}

static int add(struct cache *cache, struct str key, int64_t n, int64_t ttl_us, int64_t now_us,
               int64_t *ret_value, int64_t *ret_expires_us) {
    struct redis_cache *c = self(cache);
    if (key.len > REDIS_KEY_MAX)
        return ERR_LIMIT;
    pthread_mutex_lock(&c->lock);
    heed_clock(c, now_us);
    struct shared *e = entries_get(&c->entries, key);
    bool begun = !lives(e, now_us);
    if (begun)
        e = begin(c, e, key, entries_expiry(now_us, ttl_us), now_us);
    e->entry.value = entries_sum(e->entry.value, n);
    *ret_value = e->entry.value;
    *ret_expires_us = e->entry.expires_us;
    bool tell = begun || n != 0;
    if (tell) {
        if (e->op != OP_SET) { /* which is sent with all that was added */
            e->op = OP_ADD;
            e->pending = entries_sum(e->pending, n);
        }
        list(c, e);
    }
    pthread_mutex_unlock(&c->lock);
    if (tell)
        redis_wake(c->redis);
    return 0;
}

static int set(struct cache *cache, struct str key, int64_t value, int64_t ttl_us, int64_t now_us) {
    struct redis_cache *c = self(cache);
    if (key.len > REDIS_KEY_MAX)
        return ERR_LIMIT;
    pthread_mutex_lock(&c->lock);
    heed_clock(c, now_us);
    struct shared *e =
        begin(c, entries_get(&c->entries, key), key, entries_expiry(now_us, ttl_us), now_us);
    e->entry.value = value;
    e->op = OP_SET;
    list(c, e);
    pthread_mutex_unlock(&c->lock);
    redis_wake(c->redis);
    return 0;
}

static int get(struct cache *cache, struct str key, int64_t now_us, int64_t *ret_value) {
    struct redis_cache *c = self(cache);
    pthread_mutex_lock(&c->lock);
    const struct shared *e = entries_get(&c->entries, key);
    bool found = lives(e, now_us);
    if (found)
        *ret_value = e->entry.value;
    pthread_mutex_unlock(&c->lock);
    return found ? 0 : ERR_NOT_FOUND;
}

static int drop(struct cache *cache, struct str key) {
    struct redis_cache *c = self(cache);
    if (key.len > REDIS_KEY_MAX)
        return 0; /* there can be none */
    pthread_mutex_lock(&c->lock);
    struct shared *e = entries_get(&c->entries, key);
    bool tell = !e || !e->dropped;
    if (tell) { /* also one that is not in the mirror: it may be in Redis */
        int64_t until_us = entries_expiry(callers_now(c), INT64_C(1000) * REDIS_BURIED_MS);
        e = begin(c, e, key, until_us, NO_TIME);
        e->dropped = true;
        e->op = OP_DROP;
        list(c, e);
    }
    pthread_mutex_unlock(&c->lock);
    if (tell)
        redis_wake(c->redis);
    return 0;
}

static void metrics(struct cache *cache, struct buf *out) {
    redis_metrics(self(cache)->redis, out);
}

static void close_cache(struct cache *cache) {
    struct redis_cache *c = self(cache);
    redis_stop(c->redis);
    c->redis->cache = NULL;
    entries_free(&c->entries);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static const struct cache_ops redis_cache_ops = {
    .add = add, .set = set, .get = get, .drop = drop, .metrics = metrics, .close = close_cache};

struct cache *redis_cache_new(struct redis *r, int32_t entries_max) {
    CHECK(!r->cache && !r->started && entries_max >= 1);
    struct redis_cache *c = xcalloc(1, sizeof *c);
    c->cache.ops = &redis_cache_ops;
    c->redis = r;
    c->offset_us = clock_wall_us() - clock_mono_us();
    entries_init(&c->entries, (size_t)entries_max, sizeof(struct shared), on_leaves, c);
    CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
    r->cache = c;
    return &c->cache;
}

int32_t redis_cache_count(struct cache *cache) {
    struct redis_cache *c = self(cache);
    pthread_mutex_lock(&c->lock);
    size_t n = c->entries.by_key.count;
    pthread_mutex_unlock(&c->lock);
    return (int32_t)n;
}

/* ---- sending: on the thread from here on ---- */

int64_t redis_cache_max(const struct redis_cache *c) {
    return (int64_t)c->entries.entries_max;
}

void redis_cache_link_up(struct redis_cache *c) {
    pthread_mutex_lock(&c->lock);
    c->generation++;
    c->walk = NULL;
    c->away_since_us = 0;
    pthread_mutex_unlock(&c->lock);
}

void redis_cache_refilled(struct redis_cache *c) {
    pthread_mutex_lock(&c->lock);
    c->walk = (struct shared *)c->entries.oldest;
    pthread_mutex_unlock(&c->lock);
}

int64_t redis_cache_waits(struct redis_cache *c) {
    pthread_mutex_lock(&c->lock);
    int64_t waits = c->count_waiting + (c->walk ? REDIS_BATCH_MAX : 0);
    pthread_mutex_unlock(&c->lock);
    return waits;
}

void redis_cache_confirmed(struct redis_cache *c) {
    pthread_mutex_lock(&c->lock);
    c->away_since_us = 0;
    pthread_mutex_unlock(&c->lock);
}

static void argument(struct redis_batch *b, int which, struct str text) {
    b->args[b->count * 6 + which].at = b->bytes.len;
    b->args[b->count * 6 + which].len = text.len;
    buf_add_str(&b->bytes, text);
}

static void number(struct redis_batch *b, int which, int64_t n) {
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)n);
    argument(b, which, (struct str){text, (size_t)len});
}

static void life(struct redis_batch *b, int which, uint64_t n) {
    char text[24];
    int len = snprintf(text, sizeof text, "%016llx", (unsigned long long)n);
    argument(b, which, (struct str){text, (size_t)len});
}

/* Puts E into the batch. */
static void put(struct redis_cache *c, struct redis_batch *b, struct shared *e, int64_t now_us) {
    bool back = uncertain(c, e);
    e->generation = c->generation;
    unlist(c, e);
    if (!e->dropped && e->entry.expires_us <= now_us)
        return;                                 /* nothing to be said of it any more */
    bool counted = e->fresh && e->op == OP_ADD; /* and never sent: that is the same after a break */
    char op = e->dropped         ? (back ? 'x' : 'd')
              : back && !counted ? 'r'
              : e->op == OP_SET  ? 's'
                                 : 'a';
    int64_t rest_ms = (entries_sum(e->entry.expires_us, -now_us) - 1) / 1000 + 1;
    if (rest_ms < 1)
        rest_ms = 1;
    b->keys[b->count].at = b->bytes.len;
    buf_add_cstr(&b->bytes, c->redis->keys);
    buf_add_str(&b->bytes, e->entry.key);
    b->keys[b->count].len = b->bytes.len - b->keys[b->count].at;
    argument(b, 0, (struct str){&op, 1});
    life(b, 1, e->life);
    life(b, 2, e->known);
    number(b, 3, e->pending);
    number(b, 4, e->entry.value);
    number(b, 5, rest_ms < TTL_MS_MAX ? rest_ms : TTL_MS_MAX);
    b->count++;
    /* What an answer makes of one that is put back is not to be foreseen: as with a set. */
    e->sent = e->dropped ? OP_DROP : op == 'a' ? OP_ADD : OP_SET;
    e->sent_no = c->sent_no;
    e->away = e->pending;
    e->pending = 0;
    e->op = OP_NONE;
    e->fresh = false;
}

void redis_cache_batch(struct redis_cache *c, struct redis_batch *b) {
    pthread_mutex_lock(&c->lock);
    int64_t now_us = callers_now(c);
    c->sent_no++;
    /* What is new goes first; what is put back takes the rest, and some room in any case. */
    int room = c->walk ? REDIS_BATCH_MAX - BACK_MIN : REDIS_BATCH_MAX;
    while (c->first && b->count < room)
        put(c, b, c->first, now_us);
    for (int looked = 0; c->walk && looked < REDIS_BATCH_MAX && b->count < REDIS_BATCH_MAX;
         looked++) {
        struct shared *e = c->walk;
        c->walk = (struct shared *)e->entry.newer;
        if (e->generation != c->generation)
            put(c, b, e, now_us);
    }
    c->away_since_us = c->waiting_since_us;
    c->waiting_since_us = c->first ? clock_mono_us() : 0;
    pthread_mutex_unlock(&c->lock);
}

/* ---- hearing ---- */

static void forget(struct redis_cache *c, struct shared *e) {
    entries_drop(&c->entries, &e->entry);
}

/* What Redis has is what counts; what was not sent comes on top. */
static void follow(struct redis_cache *c, struct shared *e, const struct redis_heard *h,
                   int64_t now_us) {
    if (h->buried && e->pending == 0) {
        forget(c, e);
        return;
    }
    if (h->buried) { /* somebody has dropped it: a new life with what comes after */
        e->life = new_life(c);
        e->fresh = true;
        e->entry.value = e->pending;
    } else {
        e->entry.value = entries_sum(h->value, e->pending);
        if (h->life != e->life) {
            entries_renew(&c->entries, &e->entry);
            e->entry.expires_us = entries_expiry(now_us, h->ttl_us);
        }
        e->life = h->life;
        e->fresh = false;
    }
    e->known = h->life;
}

/* An entry that is not certain to be in Redis as it is here, and what the scan, or somebody, says.
 */
static void compare(struct redis_cache *c, struct shared *e, const struct redis_heard *h,
                    int64_t now_us) {
    if (e->fresh && e->op == OP_ADD) { /* somebody has counted the same meanwhile: together */
        if (!h->buried && h->life != e->known) {
            e->generation = c->generation;
            follow(c, e, h, now_us);
        }
    } else if (h->life == e->life) {
        bool same = e->dropped ? h->buried : !h->buried && h->value == e->entry.value;
        if (same && e->op != OP_SET && e->pending == 0) {
            e->generation = c->generation; /* nothing to put back */
            e->known = e->life;
            e->op = OP_NONE;
            e->fresh = false;
            unlist(c, e);
            if (e->dropped)
                forget(c, e);
        }
    } else if (h->life > e->life) { /* a younger life than ours */
        e->generation = c->generation;
        if (e->op != OP_ADD) {
            e->op = OP_NONE;
            e->pending = 0;
            unlist(c, e);
        }
        e->dropped = false;
        follow(c, e, h, now_us);
    }
}

static void hear(struct redis_cache *c, const struct redis_heard *h, bool own, int64_t now_us) {
    struct shared *e = entries_get(&c->entries, h->key);
    if (!e) {
        if (h->buried || own || h->ttl_us == 0)
            return; /* own: it has been pushed out meanwhile */
        e = make(c, h->key, NO_TIME);
        follow(c, e, h, now_us);
        return;
    }
    if (uncertain(c, e)) {
        compare(c, e, h, now_us);
        return;
    }
    if (own) {
        bool dropped = e->sent == OP_DROP && e->op == OP_NONE;
        e->sent = OP_NONE;
        e->away = 0;
        e->known = h->life;
        if (dropped && h->buried) {
            forget(c, e);
            return;
        }
        if (dropped) /* after a break: somebody's is younger than our drop */
            e->dropped = false;
    } else if (e->sent != OP_NONE) { /* our own answer is on its way and will have it all */
        if (e->sent == OP_ADD && !e->fresh && e->op <= OP_ADD && !h->buried && h->life == e->life)
            e->entry.value = entries_sum(h->value, entries_sum(e->away, e->pending));
        return;
    }
    bool begun_here = e->fresh || e->op > OP_ADD;
    /* Two have begun to count the same at once: the first one's life is for both. */
    bool join = !own && e->op == OP_ADD && !h->buried && h->life != e->known;
    if (!begun_here || join)
        follow(c, e, h, now_us);
}

void redis_cache_heard(struct redis_cache *c, const struct redis_heard *h, int32_t count,
                       bool own) {
    pthread_mutex_lock(&c->lock);
    int64_t now_us = callers_now(c);
    for (int32_t i = 0; i < count; i++)
        hear(c, &h[i], own, now_us);
    pthread_mutex_unlock(&c->lock);
}

void redis_cache_fill_stats(struct redis_cache *c, struct redis_stats *ret) {
    pthread_mutex_lock(&c->lock);
    int64_t since_us = c->away_since_us != 0 ? c->away_since_us : c->waiting_since_us;
    ret->mirror_entries = (int64_t)c->entries.by_key.count;
    ret->waiting_writes = c->count_waiting;
    ret->evicted = c->evicted;
    ret->sync_lag_us = since_us != 0 ? clock_mono_us() - since_us : 0;
    pthread_mutex_unlock(&c->lock);
}
