/* A bounded table of values that expire: a hash map and a list from the oldest to the newest by
 * when the value began. A new entry pushes out what has expired at the old end, and the oldest when
 * there is no more room. An entry may carry more, for the caches that are built on this.
 *
 * One owner, or a lock outside.
 */
#ifndef LORRY_ADAPTERS_MEMORY_ENTRIES_H
#define LORRY_ADAPTERS_MEMORY_ENTRIES_H

#include "base/map.h"

struct entry {
    struct entry *older, *newer; /* by when the value began */
    int64_t value, expires_us;
    struct str key; /* lies behind the entry */
};

struct entries {
    struct map by_key; /* → entry */
    struct entry *oldest, *newest;
    size_t entries_max;
    size_t entry_bytes; /* of a struct that begins with struct entry */
    /* ENTRY is about to leave its place in the list, for the other end of it or for good. */
    void (*leaves)(void *arg, struct entry *e, bool for_good);
    void *arg;
};

/* ENTRY_BYTES ≥ sizeof(struct entry); what lies beyond begins as zero. LEAVES may be NULL. */
void entries_init(struct entries *t, size_t entries_max, size_t entry_bytes,
                  void (*leaves)(void *arg, struct entry *e, bool for_good), void *arg);
void entries_free(struct entries *t);
void entries_clear(struct entries *t);

void *entries_get(const struct entries *t, struct str key); /* also one that has expired; or NULL */
void *entries_living(struct entries *t, struct str key,
                     int64_t now_us); /* drops what has expired */
/* KEY is not there yet; it is copied. The entry has value 0 and no end yet. */
void *entries_make(struct entries *t, struct str key, int64_t now_us);
void entries_renew(struct entries *t, struct entry *e); /* a new life begins: the newest */
void entries_drop(struct entries *t, struct entry *e);

/* When something of TTL that begins NOW ends; a TTL beyond the end of time is for ever. */
int64_t entries_expiry(int64_t now_us, int64_t ttl_us);
/* A + B, held at the ends of int64_t. */
int64_t entries_sum(int64_t a, int64_t b);

#endif
