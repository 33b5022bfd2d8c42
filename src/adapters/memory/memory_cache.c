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
    struct entries entries;
};

static struct memory_cache *self(struct cache *c) {
    return (struct memory_cache *)c;
}

static int add(struct cache *c, struct str key, int64_t n, int64_t ttl_us, int64_t now_us,
               int64_t *ret_value, int64_t *ret_expires_us) {
    struct memory_cache *m = self(c);
    if (key.len > MEMORY_CACHE_KEY_MAX)
        return ERR_LIMIT;
    pthread_mutex_lock(&m->lock);
    struct entry *e = entries_living(&m->entries, key, now_us);
    if (!e) {
        e = entries_make(&m->entries, key, now_us);
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
    struct entry *e = entries_living(&m->entries, key, now_us);
    if (e)
        entries_renew(&m->entries, e); /* a new value begins a new life */
    else
        e = entries_make(&m->entries, key, now_us);
    e->value = value;
    e->expires_us = entries_expiry(now_us, ttl_us);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

static int get(struct cache *c, struct str key, int64_t now_us, int64_t *ret_value) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    const struct entry *e = entries_living(&m->entries, key, now_us);
    if (e)
        *ret_value = e->value;
    pthread_mutex_unlock(&m->lock);
    return e ? 0 : ERR_NOT_FOUND;
}

static int drop(struct cache *c, struct str key) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    struct entry *e = entries_get(&m->entries, key);
    if (e)
        entries_drop(&m->entries, e);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

static void close_cache(struct cache *c) {
    struct memory_cache *m = self(c);
    entries_free(&m->entries);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static const struct cache_ops memory_cache_ops = {
    .add = add, .set = set, .get = get, .drop = drop, .close = close_cache};

struct cache *memory_cache_new(int32_t entries_max) {
    CHECK(entries_max >= 1);
    struct memory_cache *m = xcalloc(1, sizeof *m);
    m->cache.ops = &memory_cache_ops;
    entries_init(&m->entries, (size_t)entries_max, sizeof(struct entry), NULL, NULL);
    CHECK(pthread_mutex_init(&m->lock, NULL) == 0);
    return &m->cache;
}

void memory_cache_clear(struct cache *c) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    entries_clear(&m->entries);
    pthread_mutex_unlock(&m->lock);
}

int32_t memory_cache_count(struct cache *c) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    size_t n = m->entries.by_key.count;
    pthread_mutex_unlock(&m->lock);
    return (int32_t)n;
}
