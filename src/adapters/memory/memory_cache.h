/* The cache port in memory, under one lock. At most ENTRIES_MAX entries; a new one pushes the
 * oldest counter (what add has made) out, and a value that was set only where there is no counter:
 * so a rush of counters makes nobody forget which sessions have ended. Expired entries go when they
 * are met or when they are the oldest of their kind. Any thread.
 */
#ifndef LORRY_ADAPTERS_MEMORY_CACHE_H
#define LORRY_ADAPTERS_MEMORY_CACHE_H

#include "ports/cache.h"

#define MEMORY_CACHE_KEY_MAX 512 /* bytes; a longer key is refused with ERR_LIMIT */

/* ENTRIES_MAX ≥ 1. Close with ops->close. */
struct cache *memory_cache_new(int32_t entries_max);
/* Loses everything at once, as a cache may. */
void memory_cache_clear(struct cache *c);
int32_t memory_cache_count(struct cache *c);

#endif
