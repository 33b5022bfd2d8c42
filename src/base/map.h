/* A hash map from str to pointer: open addressing, robin hood, grows at 7/8. Keys are NOT copied:
 * their bytes must outlive the entry (keep them in the value). Iteration order depends only on the
 * inserts, so the simulator replays. One owner, or a lock outside.
 */
#ifndef LORRY_BASE_MAP_H
#define LORRY_BASE_MAP_H

#include "base/str.h"

struct map_slot;
struct map {
    struct map_slot *slots;
    size_t count, cap;
};

void map_init(struct map *m); /* allocates nothing yet */
void map_free(struct map *m); /* values are the caller's */
void *map_get(const struct map *m, struct str key);
/* Returns the value that was there before, or NULL. VALUE must not be NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_remove(struct map *m, struct str key); /* the value, or NULL */
/* for (size_t i = 0; map_next(m, &i, &value);) … no inserts or removes meanwhile. */
bool map_next(const struct map *m, size_t *iter, void **ret_value);

#endif
