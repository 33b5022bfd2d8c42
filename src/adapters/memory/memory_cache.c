/* Two tables that share the room: what was set, and counters, which anybody who asks makes some of.
 * A key is in one of them at most.
 */
#include "adapters/memory/memory_cache.h"

#include "adapters/memory/entries.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"

#include <pthread.h>
#include <stdlib.h>

struct memory_cache {
    struct cache cache; /* first: the port's view */
    pthread_mutex_t lock;
    size_t entries_max; /* of both together */
    struct entries values, counters;
};

static struct memory_cache *self(struct cache *c) {
    return (struct memory_cache *)c;
}

static size_t count(const struct memory_cache *m) {
    return m->values.by_key.count + m->counters.by_key.count;
}

static struct entry *living(struct memory_cache *m, struct str key, int64_t now_us) {
    struct entry *e = entries_living(&m->values, key, now_us);
    return e ? e : entries_living(&m->counters, key, now_us);
}

/* What has expired goes first, then the oldest counter, a value only where there is no counter. */
static struct entry *make(struct memory_cache *m, struct entries *t, struct str key,
                          int64_t now_us) {
    struct entries *each[] = {&m->values, &m->counters};
    for (size_t i = 0; i < COUNT_OF(each); i++) {
        while (each[i]->oldest && each[i]->oldest->expires_us <= now_us)
            entries_drop(each[i], each[i]->oldest);
    }
    while (count(m) >= m->entries_max) {
        struct entries *from = m->counters.oldest ? &m->counters : &m->values;
        entries_drop(from, from->oldest);
    }
    return entries_make(t, key, now_us);
}

static int add(struct cache *c, struct str key, int64_t n, int64_t ttl_us, int64_t now_us,
               int64_t *ret_value, int64_t *ret_expires_us) {
    struct memory_cache *m = self(c);
    if (key.len > MEMORY_CACHE_KEY_MAX)
        return ERR_LIMIT;
    pthread_mutex_lock(&m->lock);
    struct entry *e = living(m, key, now_us);
    if (!e) {
        e = make(m, &m->counters, key, now_us);
        e->expires_us = entries_expiry(now_us, ttl_us);
    }
    e->value = entries_sum(e->value, n);
    *ret_value = e->value;
    *ret_expires_us = e->expires_us;
    pthread_mutex_unlock(&m->lock);
    return 0;
}

static int set(struct cache *c, struct str key, int64_t value, int64_t ttl_us, int64_t now_us) {
    struct memory_cache *m = self(c);
    if (key.len > MEMORY_CACHE_KEY_MAX)
        return ERR_LIMIT;
    pthread_mutex_lock(&m->lock);
    struct entry *counter = entries_get(&m->counters, key);
    if (counter)
        entries_drop(&m->counters, counter);
    struct entry *e = entries_living(&m->values, key, now_us);
    if (e)
        entries_renew(&m->values, e); /* a new value begins a new life */
    else
        e = make(m, &m->values, key, now_us);
    e->value = value;
    e->expires_us = entries_expiry(now_us, ttl_us);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

static int get(struct cache *c, struct str key, int64_t now_us, int64_t *ret_value) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    const struct entry *e = living(m, key, now_us);
    if (e)
        *ret_value = e->value;
    pthread_mutex_unlock(&m->lock);
    return e ? 0 : ERR_NOT_FOUND;
}

static int drop(struct cache *c, struct str key) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    struct entries *each[] = {&m->values, &m->counters};
    for (size_t i = 0; i < COUNT_OF(each); i++) {
        struct entry *e = entries_get(each[i], key);
        if (e)
            entries_drop(each[i], e);
    }
    pthread_mutex_unlock(&m->lock);
    return 0;
}

static void close_cache(struct cache *c) {
    struct memory_cache *m = self(c);
    entries_free(&m->values);
    entries_free(&m->counters);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static const struct cache_ops memory_cache_ops = {
    .add = add, .set = set, .get = get, .drop = drop, .close = close_cache};

struct cache *memory_cache_new(int32_t entries_max) {
    CHECK(entries_max >= 1);
    struct memory_cache *m = xcalloc(1, sizeof *m);
    m->cache.ops = &memory_cache_ops;
    m->entries_max = (size_t)entries_max;
    entries_init(&m->values, (size_t)entries_max, sizeof(struct entry), NULL, NULL);
    entries_init(&m->counters, (size_t)entries_max, sizeof(struct entry), NULL, NULL);
    CHECK(pthread_mutex_init(&m->lock, NULL) == 0);
    return &m->cache;
}

void memory_cache_clear(struct cache *c) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    entries_clear(&m->values);
    entries_clear(&m->counters);
    pthread_mutex_unlock(&m->lock);
}

int32_t memory_cache_count(struct cache *c) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    size_t n = count(m);
    pthread_mutex_unlock(&m->lock);
    return (int32_t)n;
}
