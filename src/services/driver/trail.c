/* Chunks overlap only where a driver's fixes came late, and never by more than TRAIL_SPAN_US
 * (TRACK_SPAN_US in `tracks`): what lies in [from, until] is in chunks that begin in [from - span,
 * until]. Reading goes through these
 * by id; as soon as a chunk begins after enough fixes, no later one can add to those before.
 */
#include "services/driver/trail.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "ports/locations.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define KEPT(member) .flags = S_STORE, .offset = offsetof(struct trail_chunk, member)
#define CHUNK_ROWS_MAX LOCATIONS_FIXES_MAX /* a batch may be one chunk */

static const struct schema_field chunk_fields[] = {
    {"id", S_STR, .flags = S_OUT, .offset = offsetof(struct trail_chunk, head.id)},
    {"version", S_I64, .flags = S_OUT, .offset = offsetof(struct trail_chunk, head.version)},
    {"driver_id", S_ID, KEPT(driver_id), .hint = "drv"},
    {"newest", S_RAW, KEPT(newest)},
    {"fixes", S_RAW, KEPT(fixes)},
};
static const struct schema chunk_schema = SCHEMA(struct trail_chunk, "TrailChunk", chunk_fields);

const struct store_collection trail_collection = {
    .name = "trails", .indexes = {"driver_id"}, .daily = true};

static void chunk_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    (void)a;
    ret_keys[0] = ((const struct trail_chunk *)state)->driver_id;
}

const struct aggregate trail_aggregate = {
    .collection = &trail_collection, .schema = &chunk_schema, .keys = chunk_keys};

const struct store_collection track_collection = {
    .name = "tracks", .indexes = {"driver_id"}, .daily = true};
const struct aggregate track_aggregate = {
    .collection = &track_collection, .schema = &chunk_schema, .keys = chunk_keys};

#define FIRST_CHARS 16

static int64_t first_of(struct str id) {
    char hex[FIRST_CHARS + 1] = {0};
    CHECK(id.len > FIRST_CHARS);
    memcpy(hex, id.p, FIRST_CHARS);
    return (int64_t)strtoull(hex, NULL, 16);
}

struct str trail_floor(struct arena *a, int64_t at_us) {
    return arena_printf(a, "%016" PRIx64, (uint64_t)(at_us > 0 ? at_us : 0));
}

struct str trail_id(struct arena *a, struct str driver_id, int64_t first_us) {
    CHECK(driver_id.len > ULID_TEXT_LEN && first_us >= 0);
    return arena_printf(a, "%016" PRIx64 "_%s", (uint64_t)first_us,
                        driver_id.p + driver_id.len - ULID_TEXT_LEN);
}

struct str track_id(struct arena *a, struct str driver_id, int64_t first_us) {
    struct str id = trail_id(a, driver_id, first_us);
    return arena_printf(a, "%.*ss", STR_ARG(id));
}

bool trail_id_parts(struct str id, struct arena *a, int64_t *ret_first_us, struct str *ret_driver) {
    if (id.len < FIRST_CHARS + 1 + ULID_TEXT_LEN || id.p[FIRST_CHARS] != '_')
        return false;
    *ret_first_us = first_of(id);
    *ret_driver = arena_printf(a, "drv_%.*s", ULID_TEXT_LEN, id.p + FIRST_CHARS + 1);
    return true;
}

struct trail_chunk *trail_encode(struct arena *a, struct str driver_id, const struct fix *fixes,
                                 int32_t count, const struct fix *newest) {
    CHECK(count > 0 && count <= CHUNK_ROWS_MAX);
    struct trail_chunk *chunk = arena_new(a, struct trail_chunk);
    chunk->driver_id = driver_id;
    char *text = arena_bytes(a, (size_t)(count + 1) * (FIX_ROW_BYTES_MAX + 1) + 1);
    char *end = fix_row(text, newest);
    chunk->newest = (struct str){text, (size_t)(end - text)};
    char *p = end;
    *p++ = '[';
    for (int32_t i = 0; i < count; i++) {
        CHECK(i == 0 || fixes[i].at_us > fixes[i - 1].at_us);
        if (i > 0)
            *p++ = ',';
        p = fix_row(p, &fixes[i]);
    }
    *p++ = ']';
    chunk->fixes = (struct str){end, (size_t)(p - end)};
    return chunk;
}

int trail_decode(struct json_parser *p, struct str state, struct arena *a, struct fix **ret_fixes,
                 int32_t *ret_count) {
    struct json_value root, rows;
    if (json_parse(p, state, &root) < 0 || !json_get(root, "fixes", &rows) ||
        json_kind(rows) != JSON_IS_ARRAY || json_count(rows) > CHUNK_ROWS_MAX)
        return ERR_CORRUPT;
    struct fix *fixes = arena_array(a, struct fix, json_count(rows));
    int32_t count = 0;
    for (struct json_iter it = json_iter(rows); json_next(&it); count++) {
        if (fix_from_row(it.value, &fixes[count]) < 0)
            return ERR_CORRUPT;
    }
    *ret_fixes = fixes;
    *ret_count = count;
    return 0;
}

int trail_decode_newest(struct json_parser *p, struct str state, struct fix *ret_fix) {
    struct json_value root, row;
    if (json_parse(p, state, &root) < 0 || !json_get(root, "newest", &row))
        return ERR_CORRUPT;
    return fix_from_row(row, ret_fix);
}

/* Of one collection. */
static int newest_in(const struct store_collection *c, struct store *store, struct json_parser *p,
                     struct str driver_id, struct arena *a, struct fix *ret_fix) {
    struct store_doc *docs;
    int32_t count;
    struct store_query q = {.collection = c, .index = "driver_id", .key = driver_id, .limit = 1};
    int err = store->ops->list(store, &q, a, &docs, &count);
    if (err < 0)
        return err;
    return count == 0 ? ERR_NOT_FOUND : trail_decode_newest(p, docs[0].state, ret_fix);
}

int trail_newest(struct store *store, struct json_parser *p, struct str driver_id, struct arena *a,
                 struct fix *ret_fix) {
    struct fix fresh, old;
    int err = newest_in(&trail_collection, store, p, driver_id, a, &fresh);
    if (err < 0 && err != ERR_NOT_FOUND)
        return err;
    int old_err = newest_in(&track_collection, store, p, driver_id, a, &old);
    if (old_err < 0 && old_err != ERR_NOT_FOUND)
        return old_err;
    if (err < 0 && old_err < 0)
        return ERR_NOT_FOUND;
    *ret_fix = err < 0 || (old_err == 0 && old.at_us > fresh.at_us) ? old : fresh;
    return 0;
}

/* ---- reading a stretch ---- */

struct reading {
    struct json_parser *parser;
    struct arena *arena;
    int64_t from_us, until_us;
    int32_t limit;
    struct fix *fixes; /* on the heap while it grows */
    int32_t count, cap;
};

static int take_chunk(struct reading *r, const struct store_doc *doc) {
    struct fix *fixes;
    int32_t count;
    int err = trail_decode(r->parser, doc->state, r->arena, &fixes, &count);
    if (err < 0)
        return err;
    if (r->count + count > TRAIL_FIXES_MAX)
        return ERR_LIMIT;
    if (r->count + count > r->cap) {
        r->cap = (r->count + count) * 2;
        r->fixes = xrealloc(r->fixes, (size_t)r->cap * sizeof(struct fix));
    }
    for (int32_t i = 0; i < count; i++) {
        if (fixes[i].at_us >= r->from_us && fixes[i].at_us <= r->until_us)
            r->fixes[r->count++] = fixes[i];
    }
    return 0;
}

/* Are more than limit fixes, from BEGIN on, before FIRST_US, where all later chunks begin? */
static bool enough(const struct reading *r, int32_t begin, int64_t first_us) {
    if (r->count - begin <= r->limit)
        return false;
    int32_t before = 0;
    for (int32_t i = begin; i < r->count; i++)
        before += r->fixes[i].at_us < first_us;
    return before > r->limit;
}

static int read_chunks(struct reading *r, const struct store_collection *c, int64_t span_us,
                       struct store *store, struct str driver_id) {
    int32_t begin = r->count;
    struct store_query q = {.collection = c,
                            .index = "driver_id",
                            .key = driver_id,
                            .until = trail_floor(r->arena, r->until_us + 1),
                            .ascending = true,
                            .may_lag = true,
                            .limit = STORE_LIST_MAX};
    q.after = trail_floor(r->arena, r->from_us - span_us);
    for (int32_t read = 0; read < TRAIL_CHUNKS_MAX;) {
        struct store_doc *docs;
        int32_t count;
        int err = store->ops->list(store, &q, r->arena, &docs, &count);
        for (int32_t i = 0; err == 0 && i < count; i++) {
            if (enough(r, begin, first_of(docs[i].id)))
                return 0;
            err = take_chunk(r, &docs[i]);
        }
        if (err < 0 || count < q.limit)
            return err;
        read += count;
        q.after = docs[count - 1].id;
    }
    return ERR_LIMIT;
}

/* Two replicas may each have stored what a driver sent again, and what has just become old may be
 * in both collections: it counts once. */
int32_t trail_leave_out_twice(struct fix *fixes, int32_t count) {
    int32_t kept = count > 0;
    for (int32_t i = 1; i < count; i++) {
        if (fixes[i].at_us != fixes[kept - 1].at_us)
            fixes[kept++] = fixes[i];
    }
    return kept;
}

int trail_read(struct store *store, struct json_parser *p, struct str driver_id, int64_t from_us,
               int64_t until_us, int32_t limit, struct arena *a, struct trail_page *ret_page) {
    CHECK(limit > 0);
    struct reading r = {
        .parser = p, .arena = a, .from_us = from_us, .until_us = until_us, .limit = limit};
    int err = 0;
    if (from_us <= until_us) {
        err = read_chunks(&r, &trail_collection, TRAIL_SPAN_US, store, driver_id);
        if (err == 0)
            err = read_chunks(&r, &track_collection, TRACK_SPAN_US, store, driver_id);
    }
    if (err == 0) {
        fix_sort(r.fixes, r.count, a);
        r.count = trail_leave_out_twice(r.fixes, r.count);
        ret_page->more = r.count > limit;
        ret_page->count = ret_page->more ? limit : r.count;
        ret_page->fixes = arena_copy(a, r.fixes, (size_t)ret_page->count * sizeof(struct fix));
    }
    free(r.fixes);
    return err;
}

/* A chunk that is newer than all its driver had begins after them, so its id says that it is new.
 */
int trail_since(struct store *store, struct json_parser *p, struct str driver_id, int64_t after_us,
                int32_t limit, struct arena *a, struct trail_page *ret_page) {
    CHECK(limit > 0);
    struct reading r = {
        .parser = p, .arena = a, .from_us = after_us + 1, .until_us = INT64_MAX, .limit = limit};
    struct store_query q = {.collection = &trail_collection,
                            .index = "driver_id",
                            .key = driver_id,
                            .after = trail_floor(a, after_us + 1),
                            .ascending = true,
                            .limit = STORE_LIST_MAX};
    struct store_doc *docs;
    int32_t count = 0, read = 0;
    int err = store->ops->list(store, &q, a, &docs, &count);
    for (; err == 0 && read < count && r.count < limit; read++)
        err = take_chunk(&r, &docs[read]);
    if (err == 0) {
        fix_sort(r.fixes, r.count, a);
        r.count = trail_leave_out_twice(r.fixes, r.count);
        ret_page->more = read < count || count == q.limit;
        ret_page->count = r.count;
        ret_page->fixes = arena_copy(a, r.fixes, (size_t)r.count * sizeof(struct fix));
    }
    free(r.fixes);
    return err;
}
