/* The byte buffer. On the heap it is realloc with doubling; in an arena it first tries to grow
 * where it stands (it is usually the newest thing there), and copies otherwise.
 */
#include "base/buf.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN ((size_t)64)

void buf_init(struct buf *b, struct arena *arena, size_t cap) {
    *b = (struct buf){.arena = arena, .cap = cap};
    if (cap)
        b->p = arena ? arena_bytes(arena, cap) : xmalloc(cap);
}

void buf_free(struct buf *b) {
    if (b->arena)
        return;
    free(b->p);
    *b = (struct buf){0};
}

void buf_grow(struct buf *b, size_t more) {
    CHECK(more <= SIZE_MAX / 4);
    size_t cap_min = b->len + more;
    size_t cap = b->cap < CAP_MIN ? CAP_MIN : 2 * b->cap;
    if (cap < cap_min)
        cap = cap_min;
    if (b->arena == NULL) {
        b->p = xrealloc(b->p, cap);
    } else if (!arena_extend(b->arena, b->p, b->cap, cap - b->cap)) {
        char *p = arena_bytes(b->arena, cap);
        if (b->len)
            memcpy(p, b->p, b->len);
        b->p = p;
    }
    b->cap = cap;
}

void buf_add(struct buf *b, const void *bytes, size_t len) {
    if (len == 0)
        return;
    buf_reserve(b, len);
    memcpy(b->p + b->len, bytes, len);
    b->len += len;
}

void buf_add_str(struct buf *b, struct str s) {
    buf_add(b, s.p, s.len);
}

void buf_add_cstr(struct buf *b, const char *s) {
    buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c) {
    buf_reserve(b, 1);
    b->p[b->len++] = c;
}

void buf_add_i64(struct buf *b, int64_t value) {
    char text[20], *p = text + sizeof text;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--p = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (value < 0)
        *--p = '-';
    buf_add(b, p, (size_t)(text + sizeof text - p));
}

void buf_printf(struct buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    buf_reserve(b, 128);
    int len = vsnprintf(b->p + b->len, b->cap - b->len, format, args);
    CHECK(len >= 0);
    if ((size_t)len >= b->cap - b->len) {
        buf_reserve(b, (size_t)len + 1);
        vsnprintf(b->p + b->len, b->cap - b->len, format, again);
    }
    b->len += (size_t)len;
    va_end(again);
    va_end(args);
}

struct str buf_str(const struct buf *b) {
    return (struct str){b->p ? b->p : "", b->len};
}
