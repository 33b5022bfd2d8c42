#include "adapters/memory/entries.h"

#include "base/arena.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void entries_init(struct entries *t, size_t entries_max, size_t entry_bytes,
                  void (*leaves)(void *arg, struct entry *e, bool for_good), void *arg) {
    CHECK(entries_max >= 1 && entry_bytes >= sizeof(struct entry));
    *t = (struct entries){
        .entries_max = entries_max, .entry_bytes = entry_bytes, .leaves = leaves, .arg = arg};
    map_init(&t->by_key);
}

void entries_free(struct entries *t) {
    entries_clear(t);
    map_free(&t->by_key);
}

void entries_clear(struct entries *t) {
    while (t->oldest)
        entries_drop(t, t->oldest);
}

static void unlink_entry(struct entries *t, struct entry *e, bool for_good) {
    if (t->leaves)
        t->leaves(t->arg, e, for_good);
    *(e->older ? &e->older->newer : &t->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &t->newest) = e->older;
    e->older = e->newer = NULL;
}

static void link_newest(struct entries *t, struct entry *e) {
    e->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = e;
    t->newest = e;
}

void *entries_get(const struct entries *t, struct str key) {
    return map_get(&t->by_key, key);
}

void *entries_living(struct entries *t, struct str key, int64_t now_us) {
    struct entry *e = map_get(&t->by_key, key);
    if (e && e->expires_us <= now_us) {
        entries_drop(t, e);
        return NULL;
    }
    return e;
}

void *entries_make(struct entries *t, struct str key, int64_t now_us) {
    while (t->oldest && (t->oldest->expires_us <= now_us || t->by_key.count >= t->entries_max))
        entries_drop(t, t->oldest);
    struct entry *e = xcalloc(1, t->entry_bytes + key.len + 1);
    char *bytes = (char *)e + t->entry_bytes;
    memcpy(bytes, key.p, key.len);
    e->key = (struct str){bytes, key.len};
    map_put(&t->by_key, e->key, e);
    link_newest(t, e);
    return e;
}

void entries_renew(struct entries *t, struct entry *e) {
    unlink_entry(t, e, false);
    link_newest(t, e);
}

void entries_drop(struct entries *t, struct entry *e) {
    unlink_entry(t, e, true);
    map_remove(&t->by_key, e->key);
    free(e);
}

int64_t entries_expiry(int64_t now_us, int64_t ttl_us) {
    int64_t at_us;
    return __builtin_add_overflow(now_us, ttl_us, &at_us) ? INT64_MAX : at_us;
}

int64_t entries_sum(int64_t a, int64_t b) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}
