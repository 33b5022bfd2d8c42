#include "services/driver/thin.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "runtime/metrics.h"
#include "services/driver/service_internal.h"
#include "services/driver/track.h"
#include "services/driver/trail.h"

#include <stdlib.h>
#include <string.h>

#define CHUNKS_A_TICK_MAX 2000 /* read: about as many as a large fleet makes in a second */
#define FIXES_MAX 8192         /* of a driver's window held at once */
#define PART_FIXES_MAX LOCATIONS_FIXES_MAX
#define DONE_MAX 65536 /* drivers remembered; forgetting them costs a look each */
#define PRUNE_MAX 2000

static int64_t window_of(const struct driver_service *s, int64_t at_us) {
    return at_us - at_us % s->o.trail_thin_window_us;
}

bool thin_is_old(const struct driver_service *s, int64_t at_us, int64_t now_us) {
    return s->o.trail_thin_m > 0 && at_us < now_us - s->o.trail_thin_us;
}

void thin_init(struct driver_service *s) {
    CHECK(s->o.trail_thin_window_us > 0 && s->o.trail_thin_window_us <= TRAIL_SPAN_US);
    CHECK(s->o.trail_thin_m <= TRACK_TOLERANCE_M_MAX);
    s->thin.parser = json_parser_new();
    arena_init(&s->thin.arena, 1024);
    map_init(&s->thin.done);
}

void thin_free(struct driver_service *s) {
    json_parser_free(s->thin.parser);
    map_free(&s->thin.done);
    arena_free(&s->thin.arena);
}

/* ---- a driver's window ---- */

struct job {
    struct driver_service *service;
    struct store *store;
    struct arena *arena;
    struct str driver_id, id; /* of what will say that it is done */
    int64_t window_us;
    int64_t now_us;
    struct fix *fixes; /* on the heap */
    int32_t count;
    struct fix newest; /* the driver's, as the chunks say */
    int32_t read;      /* chunks */
    uint64_t kept, left_out;
    struct store_change parts[2]; /* the first, and one more on its way */
    int32_t part_count;
};

/* 0 also if it is there already: whoever wrote it has seen the same chunks. */
static int write_part(struct job *j, struct store_change *part) {
    struct store_doc doc;
    int err = j->store->ops->commit(j->store, part, 1, NULL, 0);
    if (err == 0 && part->result == ERR_CONFLICT)
        return j->store->ops->get(j->store, &track_collection, part->id, j->arena, &doc);
    return err < 0 ? err : part->result;
}

static void add_part(struct job *j, struct str id, const struct fix *fixes, int32_t count) {
    struct trail_chunk *chunk = trail_encode(j->arena, j->driver_id, fixes, count, &j->newest);
    struct store_change *c = &j->parts[j->part_count++];
    *c = (struct store_change){
        .collection = &track_collection, .id = id, .commit_id = STR("thin"), .at_us = j->now_us};
    chunk->head.id = id;
    chunk->head.version = 1;
    c->state = schema_text(track_aggregate.schema, chunk, S_STORE, j->arena);
    track_aggregate.keys(chunk, j->arena, c->keys);
}

/* Simplifies what has been read; what makes more than one part is written, but for the first, whose
 * id says that all is there. */
static int take_fixes(struct job *j) {
    fix_sort(j->fixes, j->count, j->arena);
    int32_t whole = trail_leave_out_twice(j->fixes, j->count);
    int32_t left = track_thin(j->fixes, whole, (double)j->service->o.trail_thin_m);
    j->kept += (uint64_t)left;
    j->left_out += (uint64_t)(whole - left);
    j->count = 0;
    int err = 0;
    for (int32_t from = 0; err == 0 && from < left; from += PART_FIXES_MAX) {
        int32_t n = left - from < PART_FIXES_MAX ? left - from : PART_FIXES_MAX;
        bool first = j->part_count == 0;
        add_part(j, first ? j->id : track_id(j->arena, j->driver_id, j->fixes[from].at_us),
                 &j->fixes[from], n);
        if (!first) {
            err = write_part(j, &j->parts[1]);
            j->part_count = 1;
        }
    }
    return err;
}

static int take_chunk(struct job *j, const struct store_doc *doc) {
    struct json_parser *p = j->service->thin.parser;
    struct fix *fixes, newest;
    int32_t count;
    int err = trail_decode(p, doc->state, j->arena, &fixes, &count);
    if (err == 0)
        err = trail_decode_newest(p, doc->state, &newest);
    if (err == ERR_CORRUPT)
        return 0; /* nobody can read it */
    if (err == 0 && newest.at_us > j->newest.at_us)
        j->newest = newest;
    if (err == 0 && j->count + count > FIXES_MAX)
        err = take_fixes(j);
    if (err < 0)
        return err;
    memcpy(&j->fixes[j->count], fixes, sizeof(*fixes) * (size_t)count);
    j->count += count;
    return 0;
}

static int read_window(struct job *j) {
    struct store_query q = {
        .collection = &trail_collection,
        .index = "driver_id",
        .key = j->driver_id,
        .after = trail_floor(j->arena, j->window_us),
        .until = trail_floor(j->arena, j->window_us + j->service->o.trail_thin_window_us),
        .ascending = true,
        .limit = STORE_LIST_MAX};
    for (;;) {
        struct store_doc *docs;
        int32_t count;
        int err = j->store->ops->list(j->store, &q, j->arena, &docs, &count);
        for (int32_t i = 0; err == 0 && i < count; i++)
            err = take_chunk(j, &docs[i]);
        j->read += count;
        if (err < 0 || count < q.limit)
            return err;
        q.after = docs[count - 1].id;
    }
}

static int do_window(struct job *j) {
    struct store_doc doc;
    j->id = track_id(j->arena, j->driver_id, j->window_us);
    int err = j->store->ops->get(j->store, &track_collection, j->id, j->arena, &doc);
    if (err != ERR_NOT_FOUND)
        return err; /* it is done, or who knows */
    j->fixes = xcalloc(FIXES_MAX, sizeof(*j->fixes));
    err = read_window(j);
    if (err == 0)
        err = take_fixes(j);
    if (err == 0 && j->part_count > 0)
        err = write_part(j, &j->parts[0]);
    free(j->fixes);
    if (err == 0) {
        j->service->thin.kept += j->kept;
        j->service->thin.left_out += j->left_out;
    }
    return err;
}

/* ---- all of them ---- */

/* All before WINDOW_US is done. */
static void next_window(struct driver_thin *t, int64_t window_us) {
    t->window_us = window_us;
    map_free(&t->done);
    arena_reset(&t->arena);
}

static void remember(struct driver_thin *t, struct str driver_id) {
    if (t->done.count >= DONE_MAX)
        next_window(t, t->window_us);
    struct str key = arena_str(&t->arena, driver_id);
    map_put(&t->done, key, t);
}

/* Looks at one chunk, and does its driver's whole window if that is not done. Returns how many
 * chunks were read, or an error. */
static int look_at(struct driver_service *s, struct store *store, struct str id, int64_t now_us) {
    struct driver_thin *t = &s->thin;
    struct arena a;
    int64_t first_us;
    struct job j = {.service = s, .store = store, .arena = &a, .now_us = now_us};
    int err = 0;
    arena_init(&a, 4096);
    if (trail_id_parts(id, &a, &first_us, &j.driver_id)) {
        j.window_us = window_of(s, first_us);
        if (j.window_us != t->window_us)
            next_window(t, j.window_us);
        if (map_get(&t->done, j.driver_id) == NULL && (err = do_window(&j)) == 0)
            remember(t, j.driver_id);
    }
    arena_free(&a);
    if (err < 0)
        return err;
    CHECK(id.len < sizeof t->after);
    memcpy(t->after, id.p, id.len);
    t->after[id.len] = '\0';
    return 1 + j.read;
}

/* Goes on through `trails` up to the newest window that is due. */
static void go_on(struct driver_service *s, struct store *store, int64_t now_us) {
    struct driver_thin *t = &s->thin;
    for (int32_t read = 0; read < CHUNKS_A_TICK_MAX;) {
        struct arena a;
        struct store_doc *docs;
        int32_t count = 0;
        arena_init(&a, 65536);
        struct store_query q = {.collection = &trail_collection,
                                .after = t->after[0] != '\0' ? str_from(t->after) : STR_NONE,
                                .until = trail_floor(&a, t->due_us),
                                .ascending = true,
                                .limit = STORE_LIST_MAX};
        int err = store->ops->list(store, &q, &a, &docs, &count);
        for (int32_t i = 0; err >= 0 && i < count && read < CHUNKS_A_TICK_MAX; i++) {
            err = look_at(s, store, docs[i].id, now_us);
            read += err > 0 ? err : 0;
        }
        arena_free(&a);
        if (err < 0)
            return; /* tried again with the next tick */
        t->done_us = t->window_us;
        if (count == 0) {
            t->done_us = t->due_us;
            return;
        }
    }
}

void thin_tick(struct driver_service *s, struct store *writer, int64_t now_us) {
    struct driver_thin *t = &s->thin;
    if (s->o.trail_thin_m == 0)
        return;
    int64_t due_us = window_of(s, now_us - s->o.trail_thin_us - s->o.trail_thin_margin_us);
    if (due_us > t->due_us)
        t->due_us = due_us;
    if (t->due_us <= 0)
        return;
    if (t->done_us < t->due_us)
        go_on(s, writer, now_us);
    t->behind_us = t->done_us > 0 ? t->due_us - t->done_us : 0;
    /* Replicas that are read from may be behind: what they lack in `tracks` stays in `trails`. A
     * whole window goes at once, for what is left of it there was not simplified for what is gone.
     */
    int64_t cut_us = window_of(s, t->done_us - s->o.trail_thin_margin_us);
    if (cut_us <= 0)
        return;
    struct arena a;
    arena_init(&a, 256);
    int n = writer->ops->prune_docs(writer, &trail_collection, trail_floor(&a, cut_us), PRUNE_MAX);
    t->removed += n > 0 ? (uint64_t)n : 0;
    arena_free(&a);
}

void thin_metrics(struct driver_service *s, struct buf *out) {
    const struct driver_thin *t = &s->thin;
    metric_head(out, "lorry_trail_simplified_fixes_total", "counter",
                "Positions that have grown old, by whether they stayed.");
    buf_printf(out,
               "lorry_trail_simplified_fixes_total{result=\"kept\"} %llu\n"
               "lorry_trail_simplified_fixes_total{result=\"left_out\"} %llu\n",
               (unsigned long long)t->kept, (unsigned long long)t->left_out);
    metric_write(out, "lorry_trail_behind_seconds", "gauge",
                 "Simplifying positions: how far the oldest that is due is behind.",
                 (double)t->behind_us / (double)US_PER_S);
    metric_write(out, "lorry_trail_pruned_total", "counter",
                 "Removed of positions: rows, or whole days where the store keeps days apart.",
                 (double)t->removed);
}
