#include "adapters/memory/memory_cache.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *older, *newer; /* by when the value began */
    int64_t value, expires_us;
    struct str key;
    char key_bytes[];
};

struct memory_cache {
    struct cache cache; /* first: the port's view */
    pthread_mutex_t lock;
    struct map entries; /* key → entry */
    struct entry *oldest, *newest;
    size_t entries_max;
};

static struct memory_cache *self(struct cache *c) {
    return (struct memory_cache *)c;
}

static void unlink_entry(struct memory_cache *m, struct entry *e) {
    *(e->older ? &e->older->newer : &m->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &m->newest) = e->older;
    e->older = e->newer = NULL;
}

static void link_newest(struct memory_cache *m, struct entry *e) {
    e->older = m->newest;
    *(m->newest ? &m->newest->newer : &m->oldest) = e;
    m->newest = e;
}

static void entry_drop(struct memory_cache *m, struct entry *e) {
    unlink_entry(m, e);
    map_remove(&m->entries, e->key);
    free(e);
}

/* The living entry KEY, or NULL. */
static struct entry *find(struct memory_cache *m, struct str key, int64_t now_us) {
    struct entry *e = map_get(&m->entries, key);
    if (e && e->expires_us <= now_us) {
        entry_drop(m, e);
        return NULL;
    }
    return e;
}

static struct entry *entry_new(struct memory_cache *m, struct str key, int64_t now_us) {
    while (m->oldest && (m->oldest->expires_us <= now_us || m->entries.count >= m->entries_max))
        entry_drop(m, m->oldest);
    struct entry *e = xcalloc(1, sizeof *e + key.len + 1);
    memcpy(e->key_bytes, key.p, key.len);
    e->key = (struct str){e->key_bytes, key.len};
    map_put(&m->entries, e->key, e);
    link_newest(m, e);
    return e;
}

/* When something of TTL that begins NOW ends; a TTL beyond the end of time is for ever. */
static int64_t expiry(int64_t now_us, int64_t ttl_us) {
    int64_t at_us;
    return __builtin_add_overflow(now_us, ttl_us, &at_us) ? INT64_MAX : at_us;
}

static int add(struct cache *c, struct str key, int64_t n, int64_t ttl_us, int64_t now_us,
               int64_t *ret_value, int64_t *ret_expires_us) {
    struct memory_cache *m = self(c);
    if (key.len > MEMORY_CACHE_KEY_MAX)
        return ERR_LIMIT;
    pthread_mutex_lock(&m->lock);
    struct entry *e = find(m, key, now_us);
    if (!e) {
        e = entry_new(m, key, now_us);
        e->expires_us = expiry(now_us, ttl_us);
    }
    if (__builtin_add_overflow(e->value, n, &e->value))
        e->value = n > 0 ? INT64_MAX : INT64_MIN;
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
    struct entry *e = find(m, key, now_us);
    if (e) { /* a new value begins a new life */
        unlink_entry(m, e);
        link_newest(m, e);
    } else {
        e = entry_new(m, key, now_us);
    }
    e->value = value;
    e->expires_us = expiry(now_us, ttl_us);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

static int get(struct cache *c, struct str key, int64_t now_us, int64_t *ret_value) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    const struct entry *e = find(m, key, now_us);
    if (e)
        *ret_value = e->value;
    pthread_mutex_unlock(&m->lock);
    return e ? 0 : ERR_NOT_FOUND;
}

static int drop(struct cache *c, struct str key) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    struct entry *e = map_get(&m->entries, key);
    if (e)
        entry_drop(m, e);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

static void close_cache(struct cache *c) {
    struct memory_cache *m = self(c);
    memory_cache_clear(c);
    map_free(&m->entries);
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
    map_init(&m->entries);
    CHECK(pthread_mutex_init(&m->lock, NULL) == 0);
    return &m->cache;
}

void memory_cache_clear(struct cache *c) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    while (m->oldest)
        entry_drop(m, m->oldest);
    pthread_mutex_unlock(&m->lock);
}

int32_t memory_cache_count(struct cache *c) {
    struct memory_cache *m = self(c);
    pthread_mutex_lock(&m->lock);
    size_t n = m->entries.count;
    pthread_mutex_unlock(&m->lock);
    return (int32_t)n;
}
