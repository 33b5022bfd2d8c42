/* An arena: memory for one request, given back all at once. Blocks are chained, each twice the last
 * up to ARENA_BLOCK_MAX; a reset keeps the first block. Allocation never returns NULL: memory is
 * bounded by the limits on what is parsed into an arena, and a machine that has none left aborts.
 * Freed space is poisoned under AddressSanitizer. One owner at a time; not for sharing.
 */
#ifndef LORRY_BASE_ARENA_H
#define LORRY_BASE_ARENA_H

#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>

#define ARENA_BLOCK_MAX ((size_t)1 << 20)

struct arena_block;
struct arena {
    struct arena_block *block; /* newest first */
    char *next, *end;          /* free space in the newest block */
    size_t first_size;
    size_t used_bytes; /* handed out since the last reset */
};

void arena_init(struct arena *a, size_t first_block_bytes); /* allocates nothing yet */
void arena_reset(struct arena *a);                          /* everything handed out is gone */
void arena_free(struct arena *a);                           /* may be called twice */

void *arena_alloc(struct arena *a, size_t bytes); /* zeroed, aligned to 16 */
char *arena_bytes(struct arena *a, size_t bytes); /* not zeroed, unaligned */
void *arena_copy(struct arena *a, const void *from, size_t bytes);
/* Lets LAST, which has BYTES, grow by MORE where it stands. False when it is not the newest
 * allocation or the block is full: then allocate and copy. */
bool arena_extend(struct arena *a, const void *last, size_t bytes, size_t more);
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (size_t)(n)))

struct str arena_str(struct arena *a,
                     struct str s); /* a copy with a NUL after it; absent stays so */
char *arena_cstr(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct str arena_vprintf(struct arena *a, const char *format, va_list args);

/* malloc, calloc and realloc that abort when memory is gone. Free with free(). */
void *xmalloc(size_t bytes);
void *xcalloc(size_t n, size_t bytes);
void *xrealloc(void *p, size_t bytes);

#endif
