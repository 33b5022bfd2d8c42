/* A growing byte buffer, in an arena (grows by copying inside it) or on the heap (arena NULL; free
 * with buf_free). Used for everything that is written: JSON, HTTP heads, frames.
 */
#ifndef LORRY_BASE_BUF_H
#define LORRY_BASE_BUF_H

#include "base/arena.h"
#include "base/str.h"

struct buf {
    char *p;
    size_t len, cap;
    struct arena *arena; /* NULL: heap */
};

void buf_init(struct buf *b, struct arena *arena, size_t cap);
void buf_free(struct buf *b);              /* no-op for an arena's */
void buf_grow(struct buf *b, size_t more); /* for buf_reserve */
static inline void buf_reserve(struct buf *b, size_t more) {
    if (b->cap - b->len < more)
        buf_grow(b, more);
}
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_str(struct buf *b, struct str s);
void buf_add_cstr(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_add_i64(struct buf *b, int64_t value);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str buf_str(const struct buf *b); /* valid until the next add */

#endif
