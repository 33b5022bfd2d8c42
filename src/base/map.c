/* The map: open addressing with linear probing, robin hood. Each entry has a home slot, given by
 * its hash; an insert takes the place of whoever stands nearer to his home and carries that one on,
 * so all stay near. A lookup may stop as soon as it meets one nearer to home than it would be
 * itself. A remove shifts those behind it one back, so there are no tombstones. The map owns its
 * slots, never keys or values.
 */
#include "base/map.h"

#include "base/arena.h"
#include "base/check.h"

#include <stdlib.h>

#define CAP_MIN ((size_t)16)
#define HASH_SEED 0 /* fixed: iteration must replay, and keys are ids we made */

struct map_slot {
    struct str key;
    void *value; /* NULL: free */
    uint64_t hash;
};

void map_init(struct map *m) {
    *m = (struct map){0};
}

void map_free(struct map *m) {
    free(m->slots);
    *m = (struct map){0};
}

/* How far slot AT is from the home of HASH. */
static size_t distance(const struct map *m, uint64_t hash, size_t at) {
    return (at - (size_t)hash) & (m->cap - 1);
}

/* The slot that holds KEY, or cap. */
static size_t find(const struct map *m, struct str key, uint64_t hash) {
    if (m->count == 0)
        return m->cap;
    size_t mask = m->cap - 1, at = (size_t)hash & mask;
    for (size_t far = 0;; far++, at = (at + 1) & mask) {
        const struct map_slot *slot = &m->slots[at];
        if (slot->value == NULL || distance(m, slot->hash, at) < far)
            return m->cap;
        if (slot->hash == hash && str_eq(slot->key, key))
            return at;
    }
}

/* Puts NEW, which is not there yet, where there is room. */
static void insert(struct map *m, struct map_slot new) {
    size_t mask = m->cap - 1, at = (size_t) new.hash &mask;
    for (size_t far = 0;; far++, at = (at + 1) & mask) {
        struct map_slot *slot = &m->slots[at];
        if (slot->value == NULL) {
            *slot = new;
            return;
        }
        size_t theirs = distance(m, slot->hash, at);
        if (theirs < far) {
            struct map_slot poorer = *slot;
            *slot = new;
            new = poorer;
            far = theirs;
        }
    }
}

static void grow(struct map *m) {
    struct map old = *m;
    m->cap = old.cap ? 2 * old.cap : CAP_MIN;
    m->slots = xcalloc(m->cap, sizeof *m->slots);
    for (size_t i = 0; i < old.cap; i++) {
        if (old.slots[i].value)
            insert(m, old.slots[i]);
    }
    free(old.slots);
}

void *map_get(const struct map *m, struct str key) {
    size_t at = find(m, key, str_hash(key, HASH_SEED));
    return at < m->cap ? m->slots[at].value : NULL;
}

void *map_put(struct map *m, struct str key, void *value) {
    CHECK(value != NULL);
    uint64_t hash = str_hash(key, HASH_SEED);
    size_t at = find(m, key, hash);
    if (at < m->cap) {
        void *before = m->slots[at].value;
        m->slots[at].value = value;
        m->slots[at].key = key; /* the old key's bytes may go with the old value */
        return before;
    }
    if (m->count + 1 > m->cap - m->cap / 8)
        grow(m);
    insert(m, (struct map_slot){.key = key, .value = value, .hash = hash});
    m->count++;
    return NULL;
}

void *map_remove(struct map *m, struct str key) {
    size_t at = find(m, key, str_hash(key, HASH_SEED));
    if (at >= m->cap)
        return NULL;
    void *value = m->slots[at].value;
    size_t mask = m->cap - 1;
    for (;;) {
        size_t next = (at + 1) & mask;
        if (m->slots[next].value == NULL || distance(m, m->slots[next].hash, next) == 0)
            break;
        m->slots[at] = m->slots[next];
        at = next;
    }
    m->slots[at] = (struct map_slot){0};
    m->count--;
    return value;
}

bool map_next(const struct map *m, size_t *iter, void **ret_value) {
    while (*iter < m->cap) {
        void *value = m->slots[(*iter)++].value;
        if (value) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}
