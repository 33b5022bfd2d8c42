#include "adapters/memory/memory_blobs.h"

#include "base/check.h"
#include "base/err.h"
#include "base/map.h"
#include "base/timestamp.h"

#include <stdlib.h>
#include <string.h>

struct blob {
    char name[BLOB_NAME_LEN];
    int64_t put_us;
    size_t len;
    char bytes[];
};
struct memory_blobs {
    struct blobs blobs;
    const struct clock *clock;
    const struct memory_blob_faults *faults;
    struct rng *rng;
    struct map by_name;
};

static bool strikes(const struct memory_blobs *m, int32_t chance) {
    return chance > 0 && rng_below(m->rng, 1000) < (uint64_t)chance;
}

/* Before and after a call: does a fault end it here? */
static bool refused(const struct memory_blobs *m) {
    return m->faults != NULL && strikes(m, m->faults->refused);
}
static int answer(const struct memory_blobs *m) {
    return m->faults != NULL && strikes(m, m->faults->lost) ? ERR_UNAVAILABLE : 0;
}

static int memory_put(struct blobs *blobs, struct str name, struct str bytes) {
    struct memory_blobs *m = (struct memory_blobs *)blobs;
    CHECK(blob_name_valid(name));
    if (refused(m))
        return ERR_UNAVAILABLE;
    struct blob *b = xmalloc(sizeof *b + bytes.len);
    memcpy(b->name, name.p, sizeof b->name);
    b->put_us = m->clock->now_us(m->clock);
    b->len = bytes.len;
    if (bytes.len > 0)
        memcpy(b->bytes, bytes.p, bytes.len);
    free(map_remove(&m->by_name, name));
    (void)map_put(&m->by_name, (struct str){b->name, sizeof b->name}, b);
    return answer(m);
}

static int memory_get(struct blobs *blobs, struct str name, struct arena *a,
                      struct str *ret_bytes) {
    const struct memory_blobs *m = (struct memory_blobs *)blobs;
    if (refused(m))
        return ERR_UNAVAILABLE;
    const struct blob *b = map_get(&m->by_name, name);
    if (b == NULL)
        return ERR_NOT_FOUND;
    *ret_bytes = arena_str(a, (struct str){b->bytes, b->len});
    return 0;
}

static int memory_remove(struct blobs *blobs, struct str name, int64_t younger_s) {
    struct memory_blobs *m = (struct memory_blobs *)blobs;
    if (refused(m))
        return ERR_UNAVAILABLE;
    const struct blob *b = map_get(&m->by_name, name);
    if (b == NULL)
        return answer(m);
    if (b->put_us + younger_s * US_PER_S > m->clock->now_us(m->clock))
        return ERR_BUSY;
    free(map_remove(&m->by_name, name));
    return answer(m);
}

static void memory_close(struct blobs *blobs) {
    struct memory_blobs *m = (struct memory_blobs *)blobs;
    void *each;
    for (size_t i = 0; map_next(&m->by_name, &i, &each);)
        free(each);
    map_free(&m->by_name);
    free(m);
}
static const struct blobs_ops memory_ops = {memory_put, memory_get, memory_remove, memory_close};

struct blobs *memory_blobs_new(const struct clock *clock, const struct memory_blob_faults *faults,
                               struct rng *rng) {
    struct memory_blobs *m = xcalloc(1, sizeof *m);
    m->blobs.ops = &memory_ops;
    m->clock = clock;
    m->faults = faults;
    m->rng = rng;
    map_init(&m->by_name);
    return &m->blobs;
}

int64_t memory_blobs_count(const struct blobs *b) {
    return (int64_t)((const struct memory_blobs *)b)->by_name.count;
}

bool memory_blobs_has(const struct blobs *b, struct str name) {
    return map_get(&((const struct memory_blobs *)b)->by_name, name) != NULL;
}

void memory_blobs_spoil(struct blobs *b, struct str name) {
    struct blob *blob = map_get(&((struct memory_blobs *)b)->by_name, name);
    CHECK(blob != NULL && blob->len > 0);
    blob->bytes[blob->len / 2] ^= 1;
}
