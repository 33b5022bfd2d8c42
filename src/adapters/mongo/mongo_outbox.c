/* The outbox: events lie in their documents, each with its owner. What this handle owns it also has
 * in memory, with a number; so reading asks no server, and a confirmed one is found again.
 *
 * Owners give signs of life in MONGO_NODES. About once a second each writer looks for events whose
 * owner is not among the living and makes itself their owner. A handle that was thought dead and
 * was not goes on with what it has in memory: then an event is published twice, and consumers drop
 * the second one.
 */
#include "adapters/mongo/mongo_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "ports/store_check.h"

#include <stdlib.h>
#include <string.h>

/* --- in memory -------------------------------------------------------------------------------- */

void mongo_outbox_init(struct mongo_outbox *o) {
    *o = (struct mongo_outbox){0};
    map_init(&o->rows);
}

void mongo_outbox_free(struct mongo_outbox *o) {
    for (int32_t i = o->first; i < o->end; i++)
        free(o->events[i]);
    free(o->events);
    map_free(&o->rows);
}

bool mongo_outbox_room(const struct mongo_outbox *o, int32_t events) {
    return o->count + events <= MONGO_OUTBOX_MAX && o->bytes <= MONGO_OUTBOX_BYTES_MAX;
}

/* Moves what is there to the front, and makes room for one more. */
static void make_room(struct mongo_outbox *o) {
    if (o->end < o->cap)
        return;
    int32_t n = 0;
    for (int32_t i = o->first; i < o->end; i++)
        if (o->events[i] != NULL)
            o->events[n++] = o->events[i];
    o->first = 0;
    o->end = n;
    if (n > o->cap / 2) {
        o->cap = o->cap ? o->cap * 2 : 256;
        o->events = xrealloc(o->events, sizeof(struct mongo_event *) * (size_t)o->cap);
    } else if (o->cap == 0) {
        o->cap = 256;
        o->events = xrealloc(o->events, sizeof(struct mongo_event *) * (size_t)o->cap);
    }
}

static size_t event_bytes(const struct mongo_event *m) {
    const struct event *e = &m->event;
    return sizeof *m + m->doc_id.len + m->row.len + e->id.len + e->type.len + e->key.len +
           e->request_id.len + e->traceparent.len + e->data.len;
}

static struct str put(char **at, struct str s) {
    if (s.p == NULL)
        return s;
    memcpy(*at, s.p, s.len);
    struct str copy = {*at, s.len};
    *at += s.len;
    return copy;
}

void mongo_outbox_add(struct mongo_outbox *o, int table, struct str id, struct str row,
                      const struct event *e) {
    struct mongo_event sizes = {.doc_id = id, .row = row, .event = *e};
    size_t bytes = event_bytes(&sizes);
    struct mongo_event *m = xcalloc(1, bytes);
    char *at = (char *)(m + 1);
    *m = (struct mongo_event){.seq = ++o->seq, .table = table};
    m->doc_id = put(&at, id);
    m->row = put(&at, row);
    m->event = (struct event){.id = put(&at, e->id),
                              .type = put(&at, e->type),
                              .key = put(&at, e->key),
                              .at_us = e->at_us,
                              .request_id = put(&at, e->request_id),
                              .traceparent = put(&at, e->traceparent),
                              .data = put(&at, e->data),
                              .seq = m->seq};
    make_room(o);
    o->events[o->end++] = m;
    o->count++;
    o->bytes += bytes;
    map_put(&o->rows, m->row, m);
}

/* The place of the first event with a number of at least SEQ. */
static int32_t place_of(const struct mongo_outbox *o, int64_t seq) {
    int32_t low = o->first, high = o->end;
    while (low < high) {
        int32_t middle = low + (high - low) / 2, at = middle;
        while (at < high && o->events[at] == NULL)
            at++;
        if (at == high || o->events[at]->seq >= seq)
            high = middle;
        else
            low = at + 1;
    }
    while (low < o->end && o->events[low] == NULL)
        low++;
    return low;
}

static void forget(struct mongo_outbox *o, int32_t place) {
    struct mongo_event *m = o->events[place];
    map_remove(&o->rows, m->row);
    o->bytes -= event_bytes(m);
    o->count--;
    o->confirmed -= m->confirmed;
    o->events[place] = NULL;
    free(m);
    while (o->first < o->end && o->events[o->first] == NULL)
        o->first++;
}

/* --- confirmed -------------------------------------------------------------------------------- */

/* Adds to BULK: the document of the event at PLACE loses it, and those of the same document that
 * follow it closely. Returns the last place. */
static int32_t add_pull(struct mongo_outbox *o, mongoc_bulk_operation_t *bulk, int32_t place) {
    const struct mongo_event *first = o->events[place];
    bson_t filter = BSON_INITIALIZER, update = BSON_INITIALIZER, pull, outbox, row, in;
    char number[16];
    const char *at;
    uint32_t count = 0;
    int32_t last = place;
    bson_add_str(&filter, "_id", first->doc_id);
    bson_append_document_begin(&update, "$pull", -1, &pull);
    bson_append_document_begin(&pull, "outbox", -1, &outbox);
    bson_append_document_begin(&outbox, "row", -1, &row);
    bson_append_array_begin(&row, "$in", -1, &in);
    for (int32_t i = place; i < o->end; i++) {
        const struct mongo_event *m = o->events[i];
        if (m == NULL || !m->confirmed || m->table != first->table)
            continue;
        if (!str_eq(m->doc_id, first->doc_id))
            break;
        bson_uint32_to_string(count++, &at, number, sizeof number);
        bson_add_str(&in, at, m->row);
        last = i;
    }
    bson_append_array_end(&row, &in);
    bson_append_document_end(&outbox, &row);
    bson_append_document_end(&pull, &outbox);
    bson_append_document_end(&update, &pull);
    CHECK(mongoc_bulk_operation_update_one_with_opts(bulk, &filter, &update, NULL, NULL));
    bson_destroy(&filter);
    bson_destroy(&update);
    return last;
}

/* An event that comes back because a fail-over has undone its pull is one that is published twice:
 * so the primary's word is enough here. */
static int pull_table(struct mongo_store *s, int table) {
    struct mongo_outbox *o = &s->outbox;
    bson_t opts = BSON_INITIALIZER;
    bson_error_t e;
    mongoc_write_concern_t *wc = mongoc_write_concern_new();
    int32_t pulls = 0;
    mongoc_write_concern_set_w(wc, 1);
    bson_append_bool(&opts, "ordered", -1, false);
    CHECK(mongoc_write_concern_append(wc, &opts));
    mongoc_bulk_operation_t *bulk =
        mongoc_collection_create_bulk_operation_with_opts(s->tables[table].docs, &opts);
    for (int32_t i = o->first; i < o->end; i++) {
        if (o->events[i] == NULL || !o->events[i]->confirmed || o->events[i]->table != table)
            continue;
        i = add_pull(o, bulk, i);
        pulls++;
    }
    int r = 0;
    if (pulls > 0 && mongoc_bulk_operation_execute(bulk, NULL, &e) == 0)
        r = mongo_failed(s, &e);
    mongoc_bulk_operation_destroy(bulk);
    mongoc_write_concern_destroy(wc);
    bson_destroy(&opts);
    for (int32_t i = o->first; r == 0 && i < o->end; i++)
        if (o->events[i] != NULL && o->events[i]->confirmed && o->events[i]->table == table)
            forget(o, i);
    return r;
}

void mongo_outbox_remove(struct mongo_store *s, const int64_t *seqs, int32_t count) {
    struct mongo_outbox *o = &s->outbox;
    for (int32_t i = 0; i < count; i++) {
        int32_t place = place_of(o, seqs[i]);
        if (place == o->end || o->events[place]->seq != seqs[i] || o->events[place]->confirmed)
            continue;
        o->events[place]->confirmed = true;
        o->confirmed++;
    }
    int r = 0;
    for (int t = 0; r == 0 && o->confirmed > 0 && !mongo_away(s) && t < s->table_count; t++)
        r = pull_table(s, t);
}

/* --- signs of life ---------------------------------------------------------------------------- */

int mongo_beat(struct mongo_store *s, int64_t *ret_server_ms) {
    bson_t query = BSON_INITIALIZER, update = BSON_INITIALIZER, now, reply;
    bson_error_t e;
    int r = 0;
    if (mongo_away(s))
        return ERR_UNAVAILABLE;
    mongoc_find_and_modify_opts_t *opts = mongoc_find_and_modify_opts_new();
    bson_append_utf8(&query, "_id", -1, s->owner, -1);
    bson_append_document_begin(&update, "$currentDate", -1, &now);
    bson_append_bool(&now, "beat_at", -1, true);
    bson_append_document_end(&update, &now);
    mongoc_find_and_modify_opts_set_update(opts, &update);
    mongoc_find_and_modify_opts_set_flags(
        opts, (mongoc_find_and_modify_flags_t)(MONGOC_FIND_AND_MODIFY_UPSERT |
                                               MONGOC_FIND_AND_MODIFY_RETURN_NEW));
    int64_t at_us = clock_mono_us();
    if (mongoc_collection_find_and_modify_with_opts(s->nodes, &query, opts, &reply, &e)) {
        bson_iter_t it, beat;
        bool found =
            bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, "value.beat_at", &beat);
        s->outbox.beat_at_us = at_us;
        *ret_server_ms = found ? bson_iter_date_time(&beat) : 0;
        mongo_well(s);
    } else {
        r = mongo_failed(s, &e);
    }
    mongoc_find_and_modify_opts_destroy(opts);
    bson_destroy(&reply);
    bson_destroy(&query);
    bson_destroy(&update);
    return r;
}

void mongo_leave(struct mongo_store *s) {
    bson_t query = BSON_INITIALIZER;
    bson_append_utf8(&query, "_id", -1, s->owner, -1);
    mongoc_collection_delete_one(s->nodes, &query, NULL, NULL, NULL); /* else its lease runs out */
    bson_destroy(&query);
}

/* --- taking over ------------------------------------------------------------------------------ */

struct estate {
    struct mongo_store *s;
    struct arena *a;
    int table;
    bson_t *living; /* an array of owners */
    uint32_t living_count;
    mongoc_bulk_operation_t *bulk;
    int32_t docs;
    struct mongo_event *found; /* ours, and not in memory */
    int32_t found_count, found_max;
};

static int note_living(void *arg, const bson_t *doc) {
    struct estate *t = arg;
    char number[16];
    const char *at;
    bson_uint32_to_string(t->living_count++, &at, number, sizeof number);
    bson_add_str(t->living, at, bson_str(doc, "_id"));
    return 0;
}

static int find_living(struct estate *t, int64_t server_ms) {
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, since;
    bson_append_document_begin(&filter, "beat_at", -1, &since);
    bson_append_date_time(&since, "$gt", -1, server_ms - MONGO_LEASE_MS);
    bson_append_document_end(&filter, &since);
    bson_add_i64(&opts, "limit", MONGO_NODES_MAX);
    int r = mongo_find(t->s, t->s->nodes, &filter, &opts, note_living, t);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return r;
}

/* {outbox: {$elemMatch: {owner: {$nin: living}}}} */
static void add_orphaned(const struct estate *t, bson_t *filter) {
    bson_t outbox, match, owner;
    bson_append_document_begin(filter, "outbox", -1, &outbox);
    bson_append_document_begin(&outbox, "$elemMatch", -1, &match);
    bson_append_document_begin(&match, "owner", -1, &owner);
    bson_append_array(&owner, "$nin", -1, t->living);
    bson_append_document_end(&match, &owner);
    bson_append_document_end(&outbox, &match);
    bson_append_document_end(filter, &outbox);
}

/* Those events of the document whose owner is gone become ours, if nobody is faster. */
static int take_over(void *arg, const bson_t *doc) {
    struct estate *t = arg;
    bson_t filter = BSON_INITIALIZER, update = BSON_INITIALIZER, opts = BSON_INITIALIZER;
    bson_t set, filters, one, owner;
    bson_add_str(&filter, "_id", bson_str(doc, "_id"));
    add_orphaned(t, &filter);
    bson_append_document_begin(&update, "$set", -1, &set);
    bson_append_utf8(&set, "outbox.$[e].owner", -1, t->s->owner, -1);
    bson_append_document_end(&update, &set);
    bson_append_array_begin(&opts, "arrayFilters", -1, &filters);
    bson_append_document_begin(&filters, "0", -1, &one);
    bson_append_document_begin(&one, "e.owner", -1, &owner);
    bson_append_array(&owner, "$nin", -1, t->living);
    bson_append_document_end(&one, &owner);
    bson_append_document_end(&filters, &one);
    bson_append_array_end(&opts, &filters);
    CHECK(mongoc_bulk_operation_update_one_with_opts(t->bulk, &filter, &update, &opts, NULL));
    t->docs++;
    bson_destroy(&filter);
    bson_destroy(&update);
    bson_destroy(&opts);
    return 0;
}

static int take_over_table(struct estate *t) {
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, projection;
    bson_t unordered = BSON_INITIALIZER;
    bson_error_t e;
    mongoc_collection_t *docs = t->s->tables[t->table].docs;
    add_orphaned(t, &filter);
    bson_append_document_begin(&opts, "projection", -1, &projection);
    bson_append_int32(&projection, "_id", -1, 1);
    bson_append_document_end(&opts, &projection);
    bson_add_i64(&opts, "limit", MONGO_ADOPT_MAX);
    bson_append_utf8(&opts, "hint", -1, "outbox", -1);
    bson_append_bool(&unordered, "ordered", -1, false);
    t->bulk = mongoc_collection_create_bulk_operation_with_opts(docs, &unordered);
    t->docs = 0;
    int r = mongo_find(t->s, docs, &filter, &opts, take_over, t);
    if (r == 0 && t->docs > 0 && mongoc_bulk_operation_execute(t->bulk, NULL, &e) == 0)
        r = mongo_failed(t->s, &e);
    mongoc_bulk_operation_destroy(t->bulk);
    bson_destroy(&unordered);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return r;
}

/* --- what is ours, in the documents ----------------------------------------------------------- */

static int note_ours(void *arg, const bson_t *doc) {
    struct estate *t = arg;
    struct str id = arena_str(t->a, bson_str(doc, "_id"));
    for (struct bson_walk w = bson_walk(doc, "outbox"); bson_walk_next(&w);) {
        struct str row = bson_str(&w.doc, "row");
        if (!str_is(bson_str(&w.doc, "owner"), t->s->owner) || row.p == NULL ||
            map_get(&t->s->outbox.rows, row) != NULL)
            continue;
        if (t->found_count == t->found_max) {
            struct mongo_event *more = arena_array(t->a, struct mongo_event, t->found_max * 2);
            memcpy(more, t->found, sizeof *more * (size_t)t->found_count);
            t->found = more;
            t->found_max *= 2;
        }
        t->found[t->found_count++] = (struct mongo_event){
            .table = t->table,
            .doc_id = id,
            .row = arena_str(t->a, row),
            .event = {.id = arena_str(t->a, bson_str(&w.doc, "id")),
                      .type = arena_str(t->a, bson_str(&w.doc, "type")),
                      .key = arena_str(t->a, bson_str(&w.doc, "key")),
                      .at_us = bson_i64(&w.doc, "at"),
                      .request_id = arena_str(t->a, bson_str(&w.doc, "request_id")),
                      .traceparent = arena_str(t->a, bson_str(&w.doc, "traceparent")),
                      .data = arena_str(t->a, bson_str(&w.doc, "data"))}};
    }
    return 0;
}

static int find_ours(struct estate *t) {
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, projection;
    bson_append_utf8(&filter, "outbox.owner", -1, t->s->owner, -1);
    bson_append_document_begin(&opts, "projection", -1, &projection);
    bson_append_int32(&projection, "outbox", -1, 1);
    bson_append_document_end(&opts, &projection);
    bson_append_utf8(&opts, "hint", -1, "outbox", -1);
    int r = mongo_find(t->s, t->s->tables[t->table].docs, &filter, &opts, note_ours, t);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return r;
}

/* A row's name begins with who wrote it and then rises in the order of his commits. */
static int by_row(const void *a, const void *b) {
    return str_cmp(((const struct mongo_event *)a)->row, ((const struct mongo_event *)b)->row);
}

static int sweep_with(struct estate *t) {
    struct mongo_store *s = t->s;
    int64_t server_ms = 0;
    int r = mongo_beat(s, &server_ms);
    if (r == 0)
        r = find_living(t, server_ms);
    bool changed = s->outbox.recheck;
    for (t->table = 0; r == 0 && t->table < s->table_count; t->table++) {
        r = take_over_table(t);
        changed = changed || t->docs > 0;
    }
    for (t->table = 0; r == 0 && changed && t->table < s->table_count; t->table++)
        r = find_ours(t);
    if (r < 0)
        return r;
    qsort(t->found, (size_t)t->found_count, sizeof *t->found, by_row);
    for (int32_t i = 0; i < t->found_count; i++) {
        const struct mongo_event *m = &t->found[i];
        mongo_outbox_add(&s->outbox, m->table, m->doc_id, m->row, &m->event);
    }
    if (s->limbo_count == 0)
        s->outbox.recheck = false;
    return 0;
}

/* Takes over what has no living owner, and what we wrote and do not know of. What a failure leaves
 * half done is ours and not known: the next look finds it. */
static void sweep(struct mongo_store *s) {
    struct arena a;
    bson_t living = BSON_INITIALIZER;
    struct estate t = {.s = s, .a = &a, .living = &living, .found_max = 256};
    s->outbox.sweep_at_us = clock_mono_us() + MONGO_SWEEP_US;
    if (mongo_resolve(s) < 0 || !mongo_outbox_room(&s->outbox, MONGO_OUTBOX_MAX / 2))
        return;
    arena_init(&a, 65536);
    t.found = arena_array(&a, struct mongo_event, t.found_max);
    if (sweep_with(&t) < 0)
        s->outbox.recheck = true;
    bson_destroy(&living);
    arena_free(&a);
}

int mongo_outbox_read(struct store *store, int64_t after_seq, int32_t limit, struct arena *a,
                      struct event **ret_events, int32_t *ret_count) {
    struct mongo_store *s = mongo_self(store);
    struct mongo_outbox *o = &s->outbox;
    CHECK(limit >= 1);
    if (s->writer && !s->beside && clock_mono_us() >= o->sweep_at_us)
        sweep(s);
    struct event *events = arena_array(a, struct event, limit);
    int32_t n = 0;
    for (int32_t i = place_of(o, after_seq + 1); i < o->end && n < limit; i++) {
        if (o->events[i] == NULL || o->events[i]->confirmed)
            continue;
        const struct event *e = &o->events[i]->event;
        events[n++] = (struct event){.id = arena_str(a, e->id),
                                     .type = arena_str(a, e->type),
                                     .key = arena_str(a, e->key),
                                     .at_us = e->at_us,
                                     .request_id = arena_str(a, e->request_id),
                                     .traceparent = arena_str(a, e->traceparent),
                                     .data = arena_str(a, e->data),
                                     .seq = e->seq};
    }
    *ret_events = events;
    *ret_count = n;
    return 0;
}
