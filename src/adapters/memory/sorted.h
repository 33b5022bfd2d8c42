/* An ordered set of (rank, key) → value: a list of small sorted arrays ("chunks"). Finding is two
 * binary searches, inserting moves at most one chunk; appending at the end, the usual case with
 * ids made in time order, fills chunks to the brim. Its order depends on the contents only, never
 * on addresses.
 *
 * Key bytes are NOT copied and must outlive the entry. One owner, or a lock outside.
 */
#ifndef LORRY_ADAPTERS_MEMORY_SORTED_H
#define LORRY_ADAPTERS_MEMORY_SORTED_H

#include "base/str.h"

#define SORTED_CHUNK_MAX 64 /* entries */

struct sorted_entry {
    int64_t rank; /* compared first */
    struct str key;
    void *value;
};
struct sorted_chunk;
struct sorted {
    struct sorted_chunk **chunks;
    size_t chunk_count, chunk_cap;
    size_t count;
};

/* A place in the set; valid until the set changes. */
struct sorted_pos {
    size_t chunk, slot;
};

void sorted_init(struct sorted *s); /* allocates nothing yet */
void sorted_free(struct sorted *s); /* values are the caller's */
/* (RANK, KEY) must not be there yet. */
void sorted_insert(struct sorted *s, int64_t rank, struct str key, void *value);
void *sorted_remove(struct sorted *s, int64_t rank, struct str key); /* the value, or NULL */

struct sorted_pos sorted_first(void);
struct sorted_pos sorted_end(const struct sorted *s);
/* The first entry not below (RANK, KEY). */
struct sorted_pos sorted_seek(const struct sorted *s, int64_t rank, struct str key);
/* The entry at POS, or NULL past the end. */
const struct sorted_entry *sorted_at(const struct sorted *s, struct sorted_pos pos);
void sorted_next(const struct sorted *s, struct sorted_pos *pos);
bool sorted_prev(const struct sorted *s, struct sorted_pos *pos); /* false: POS is the first */

#endif
