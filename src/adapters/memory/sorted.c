#include "adapters/memory/sorted.h"

#include "base/arena.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* Chunks are never empty. Most sets are tiny (one customer's bookings), so a chunk starts with room
 * for SORTED_CHUNK_MIN and doubles. */
#define SORTED_CHUNK_MIN 4

struct sorted_chunk {
    uint32_t count, cap;
    struct sorted_entry entries[];
};

void sorted_init(struct sorted *s) {
    *s = (struct sorted){0};
}

void sorted_free(struct sorted *s) {
    for (size_t i = 0; i < s->chunk_count; i++)
        free(s->chunks[i]);
    free(s->chunks);
    sorted_init(s);
}

static int compare(const struct sorted_entry *e, int64_t rank, struct str key) {
    if (e->rank != rank)
        return e->rank < rank ? -1 : 1;
    return str_cmp(e->key, key);
}

struct sorted_pos sorted_first(void) {
    return (struct sorted_pos){0, 0};
}

struct sorted_pos sorted_end(const struct sorted *s) {
    return (struct sorted_pos){s->chunk_count, 0};
}

struct sorted_pos sorted_seek(const struct sorted *s, int64_t rank, struct str key) {
    size_t low = 0, high = s->chunk_count; /* the first chunk whose last entry is not below */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct sorted_chunk *c = s->chunks[mid];
        if (compare(&c->entries[c->count - 1], rank, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == s->chunk_count)
        return sorted_end(s);
    const struct sorted_chunk *c = s->chunks[low];
    size_t from = 0, to = c->count;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (compare(&c->entries[mid], rank, key) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return (struct sorted_pos){low, from};
}

const struct sorted_entry *sorted_at(const struct sorted *s, struct sorted_pos pos) {
    if (pos.chunk >= s->chunk_count)
        return NULL;
    CHECK(pos.slot < s->chunks[pos.chunk]->count);
    return &s->chunks[pos.chunk]->entries[pos.slot];
}

void sorted_next(const struct sorted *s, struct sorted_pos *pos) {
    CHECK(pos->chunk < s->chunk_count);
    if (++pos->slot == s->chunks[pos->chunk]->count)
        *pos = (struct sorted_pos){pos->chunk + 1, 0};
}

bool sorted_prev(const struct sorted *s, struct sorted_pos *pos) {
    if (pos->slot > 0) {
        pos->slot--;
        return true;
    }
    if (pos->chunk == 0)
        return false;
    pos->chunk--;
    pos->slot = s->chunks[pos->chunk]->count - 1;
    return true;
}

static struct sorted_chunk *chunk_sized(struct sorted_chunk *c, uint32_t cap) {
    bool fresh = !c;
    c = xrealloc(c, sizeof *c + cap * sizeof c->entries[0]);
    if (fresh)
        c->count = 0;
    c->cap = cap;
    return c;
}

static void chunk_list_insert(struct sorted *s, size_t at, struct sorted_chunk *c) {
    if (s->chunk_count == s->chunk_cap) {
        s->chunk_cap = s->chunk_cap ? s->chunk_cap * 2 : 1;
        s->chunks = xrealloc(s->chunks, s->chunk_cap * sizeof *s->chunks);
    }
    memmove(&s->chunks[at + 1], &s->chunks[at], (s->chunk_count - at) * sizeof *s->chunks);
    s->chunks[at] = c;
    s->chunk_count++;
}

static void chunk_list_remove(struct sorted *s, size_t at) {
    free(s->chunks[at]);
    s->chunk_count--;
    memmove(&s->chunks[at], &s->chunks[at + 1], (s->chunk_count - at) * sizeof *s->chunks);
}

/* Makes room for one entry at POS, which moves when its chunk is split. */
static struct sorted_pos make_room(struct sorted *s, struct sorted_pos pos) {
    struct sorted_chunk *c = s->chunks[pos.chunk];
    if (c->count < c->cap)
        return pos;
    if (c->cap < SORTED_CHUNK_MAX) {
        s->chunks[pos.chunk] = chunk_sized(c, c->cap * 2);
        return pos;
    }
    if (pos.chunk == s->chunk_count - 1 && pos.slot == c->count) { /* append: leave it full */
        chunk_list_insert(s, pos.chunk + 1, chunk_sized(NULL, SORTED_CHUNK_MAX));
        return (struct sorted_pos){pos.chunk + 1, 0};
    }
    struct sorted_chunk *upper = chunk_sized(NULL, SORTED_CHUNK_MAX);
    uint32_t keep = c->count / 2;
    upper->count = c->count - keep;
    memcpy(upper->entries, &c->entries[keep], upper->count * sizeof c->entries[0]);
    c->count = keep;
    chunk_list_insert(s, pos.chunk + 1, upper);
    if (pos.slot > keep)
        return (struct sorted_pos){pos.chunk + 1, pos.slot - keep};
    return pos;
}

void sorted_insert(struct sorted *s, int64_t rank, struct str key, void *value) {
    if (s->chunk_count == 0)
        chunk_list_insert(s, 0, chunk_sized(NULL, SORTED_CHUNK_MIN));
    struct sorted_chunk *last = s->chunks[s->chunk_count - 1];
    struct sorted_pos pos;
    if (last->count == 0 || compare(&last->entries[last->count - 1], rank, key) < 0) {
        pos = (struct sorted_pos){s->chunk_count - 1, last->count};
    } else {
        pos = sorted_seek(s, rank, key);
        CHECK(compare(sorted_at(s, pos), rank, key) != 0);
    }
    pos = make_room(s, pos);
    struct sorted_chunk *c = s->chunks[pos.chunk];
    memmove(&c->entries[pos.slot + 1], &c->entries[pos.slot],
            (c->count - pos.slot) * sizeof c->entries[0]);
    c->entries[pos.slot] = (struct sorted_entry){rank, key, value};
    c->count++;
    s->count++;
}

/* Joins the chunk at AT with the one after it when both together are small. */
static void join_small(struct sorted *s, size_t at) {
    if (at + 1 >= s->chunk_count)
        return;
    struct sorted_chunk *a = s->chunks[at], *b = s->chunks[at + 1];
    if (a->count + b->count > SORTED_CHUNK_MAX / 2)
        return;
    if (a->cap < a->count + b->count)
        a = s->chunks[at] = chunk_sized(a, SORTED_CHUNK_MAX);
    memcpy(&a->entries[a->count], b->entries, b->count * sizeof b->entries[0]);
    a->count += b->count;
    chunk_list_remove(s, at + 1);
}

void *sorted_remove(struct sorted *s, int64_t rank, struct str key) {
    struct sorted_pos pos = sorted_seek(s, rank, key);
    const struct sorted_entry *e = sorted_at(s, pos);
    if (!e || compare(e, rank, key) != 0)
        return NULL;
    void *value = e->value;
    struct sorted_chunk *c = s->chunks[pos.chunk];
    c->count--;
    memmove(&c->entries[pos.slot], &c->entries[pos.slot + 1],
            (c->count - pos.slot) * sizeof c->entries[0]);
    s->count--;
    if (c->count == 0)
        chunk_list_remove(s, pos.chunk);
    else
        join_small(s, pos.chunk);
    return value;
}
