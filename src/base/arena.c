/* The arena: a chain of blocks, newest first, handed out from the front of the newest. Blocks come
 * from malloc and belong to the arena. Under AddressSanitizer all that is not handed out is
 * poisoned, and a gap is left behind every allocation, so that a write past its end is caught.
 */
#include "base/arena.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONED 1
#endif
#endif

#ifdef POISONED
#include <sanitizer/asan_interface.h>
#define poison(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define BYTES_ALIGN ((size_t)8) /* the grain of ASan's shadow */
#define GAP ((size_t)16)
#else
#define poison(p, n) ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
#define BYTES_ALIGN ((size_t)1)
#define GAP ((size_t)0)
#endif

#define ALIGN ((size_t)16)
#define BLOCK_MIN ((size_t)256)

struct arena_block {
    struct arena_block *older;
    size_t size; /* of what follows */
    _Alignas(16) char bytes[];
};

static _Noreturn void out_of_memory(size_t bytes) {
    fprintf(stderr, "out of memory (%zu bytes wanted)\n", bytes);
    abort();
}

void *xmalloc(size_t bytes) {
    void *p = malloc(bytes ? bytes : 1);
    if (p == NULL)
        out_of_memory(bytes);
    return p;
}

void *xcalloc(size_t n, size_t bytes) {
    void *p = calloc(n ? n : 1, bytes ? bytes : 1);
    if (p == NULL)
        out_of_memory(bytes);
    return p;
}

void *xrealloc(void *p, size_t bytes) {
    p = realloc(p, bytes ? bytes : 1);
    if (p == NULL)
        out_of_memory(bytes);
    return p;
}

void arena_init(struct arena *a, size_t first_block_bytes) {
    *a =
        (struct arena){.first_size = first_block_bytes < BLOCK_MIN ? BLOCK_MIN : first_block_bytes};
}

static void use_block(struct arena *a, struct arena_block *block) {
    a->block = block;
    a->next = block ? block->bytes : NULL;
    a->end = block ? block->bytes + block->size : NULL;
    if (block)
        poison(block->bytes, block->size);
}

static void block_free(struct arena_block *block) {
    unpoison(block->bytes, block->size);
    free(block);
}

void arena_reset(struct arena *a) {
    struct arena_block *block = a->block;
    while (block && block->older) {
        struct arena_block *older = block->older;
        block_free(block);
        block = older;
    }
    /* One huge first request must not keep its memory for the arena's whole life. */
    if (block && block->size > a->first_size) {
        block_free(block);
        block = NULL;
    }
    use_block(a, block);
    a->used_bytes = 0;
}

void arena_free(struct arena *a) {
    while (a->block) {
        struct arena_block *older = a->block->older;
        block_free(a->block);
        a->block = older;
    }
    use_block(a, NULL);
    a->used_bytes = 0;
}

static __attribute__((noinline)) void add_block(struct arena *a, size_t bytes_min) {
    size_t size = a->first_size;
    if (a->block) {
        size = 2 * a->block->size;
        if (size > ARENA_BLOCK_MAX)
            size = ARENA_BLOCK_MAX;
    }
    if (size < bytes_min)
        size = bytes_min;
    struct arena_block *block = xmalloc(sizeof *block + size);
    block->older = a->block;
    block->size = size;
    use_block(a, block);
}

static char *take(struct arena *a, size_t bytes, size_t align) {
    CHECK(bytes <= SIZE_MAX / 4);
    size_t skip = (size_t) - (uintptr_t)a->next & (align - 1);
    if ((size_t)(a->end - a->next) < skip + bytes + GAP || a->next == NULL) {
        add_block(a, bytes + GAP);
        skip = 0; /* a block starts aligned */
    }
    char *p = a->next + skip;
    a->next = p + bytes + GAP;
    a->used_bytes += bytes;
    unpoison(p, bytes);
    return p;
}

void *arena_alloc(struct arena *a, size_t bytes) {
    char *p = take(a, bytes, ALIGN);
    memset(p, 0, bytes);
    return p;
}

char *arena_bytes(struct arena *a, size_t bytes) {
    return take(a, bytes, BYTES_ALIGN);
}

bool arena_extend(struct arena *a, const void *last, size_t bytes, size_t more) {
    if (last == NULL || (const char *)last + bytes + GAP != a->next)
        return false;
    if ((size_t)(a->end - a->next) < more)
        return false;
    unpoison(a->next - GAP, more);
    a->next += more;
    a->used_bytes += more;
    return true;
}

void *arena_copy(struct arena *a, const void *from, size_t bytes) {
    char *p = take(a, bytes, ALIGN);
    if (bytes)
        memcpy(p, from, bytes);
    return p;
}

char *arena_cstr(struct arena *a, struct str s) {
    char *p = arena_bytes(a, s.len + 1);
    if (s.len)
        memcpy(p, s.p, s.len);
    p[s.len] = '\0';
    return p;
}

struct str arena_str(struct arena *a, struct str s) {
    return s.p ? (struct str){arena_cstr(a, s), s.len} : STR_NONE;
}

struct str arena_vprintf(struct arena *a, const char *format, va_list args) {
    char small[256]; /* most texts fit, and are formatted once */
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(small, sizeof small, format, args);
    CHECK(len >= 0);
    struct str s = {small, (size_t)len};
    if (s.len < sizeof small) {
        s.p = arena_cstr(a, s);
    } else {
        char *p = arena_bytes(a, s.len + 1);
        vsnprintf(p, s.len + 1, format, again);
        s.p = p;
    }
    va_end(again);
    return s;
}

struct str arena_printf(struct arena *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct str s = arena_vprintf(a, format, args);
    va_end(args);
    return s;
}
