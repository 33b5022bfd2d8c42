/* A binary min-heap of (key, id), both 32 bits, packed so that one comparison does. An id may lie
 * in it more than once: whoever pops drops the stale ones. Owner frees.
 */
#ifndef LORRY_ADAPTERS_STREETS_HEAP_H
#define LORRY_ADAPTERS_STREETS_HEAP_H

#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

struct heap {
    uint64_t *items;
    size_t count, room;
};

static inline void heap_free(struct heap *h) {
    free(h->items);
    *h = (struct heap){0};
}

static inline uint32_t heap_top_key(const struct heap *h) {
    return (uint32_t)(h->items[0] >> 32);
}

static inline void heap_push(struct heap *h, uint32_t key, uint32_t id) {
    if (h->count == h->room) {
        h->room = h->room ? 2 * h->room : 64;
        h->items = xrealloc(h->items, h->room * sizeof *h->items);
    }
    uint64_t item = (uint64_t)key << 32 | id;
    size_t at = h->count++;
    for (size_t parent; at > 0 && h->items[parent = (at - 1) / 2] > item; at = parent)
        h->items[at] = h->items[parent];
    h->items[at] = item;
}

/* Takes the least; the heap must not be empty. */
static inline uint32_t heap_pop(struct heap *h, uint32_t *ret_key) {
    uint64_t top = h->items[0], item = h->items[--h->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < h->count; at = child) {
        child += child + 1 < h->count && h->items[child + 1] < h->items[child];
        if (h->items[child] >= item)
            break;
        h->items[at] = h->items[child];
    }
    if (h->count)
        h->items[at] = item;
    *ret_key = (uint32_t)(top >> 32);
    return (uint32_t)top;
}

#endif
