/* A frame is one block on the heap: the count, the length and the bytes. The last reference frees
 * it, on whichever thread that is.
 */
#include "base/arena.h"
#include "base/check.h"
#include "ports/socket.h"

#include <stdlib.h>
#include <string.h>

struct frame *frame_new(struct str text) {
    struct frame *f = xmalloc(sizeof *f + text.len);
    atomic_init(&f->refs, 1);
    f->len = text.len;
    if (text.len)
        memcpy(f->bytes, text.p, text.len);
    return f;
}

struct frame *frame_ref(struct frame *f) {
    int before = atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    CHECK(before > 0);
    return f;
}

void frame_unref(struct frame *f) {
    /* Release what this thread did with the bytes; acquire what all others did, before freeing. */
    int before = atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before == 1)
        free(f);
}
