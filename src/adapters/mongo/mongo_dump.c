/* The whole of a database. There is no one moment to read while servers write (a document is all
 * that changes at once here), so both ways want them stopped: their signs of life are looked for at
 * the beginning and at the end.
 *
 * Keys and events lie in documents here and beside them in other stores. So a load gives them
 * documents of their own: removed ones (version 0) that hold some hundred keys, or events that
 * nobody owns. Nobody lists them, their keys hold, servers take the events over, and retention
 * takes them away. A key whose collection is not known is put into each collection: where it is the
 * first one, it is the key; in the others a copy, which a dump passes over.
 *
 * A load is marked in MONGO_META until it is finished. What was cut off is thrown away by the next
 * one, and no server starts on it.
 */
#include "adapters/mongo/mongo_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "ports/dump.h"
#include "ports/store_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DUMP_DOCS 200
#define IMPORTED "imported_" /* ids of the documents that hold keys and events */
#define COPIES "imported_copy_"

static int say(char why[STORE_WHY_MAX], const char *doing, const bson_error_t *e) {
    snprintf(why, STORE_WHY_MAX, "cannot %s MongoDB: %s", doing, e->message);
    return mongo_error(e);
}

/* Does a server work on it? */
static int check_alone(struct mongo_store *s, char why[STORE_WHY_MAX]) {
    bson_t filter = BSON_INITIALIZER, since, now = BSON_INITIALIZER, reply;
    bson_error_t e;
    bson_iter_t it;
    bson_append_int32(&now, "isMaster", -1, 1);
    bool ok = mongoc_client_command_simple(s->client, "admin", &now, NULL, &reply, &e);
    int64_t server_ms = ok && bson_iter_init_find(&it, &reply, "localTime")
                            ? bson_iter_date_time(&it)
                            : clock_wall_us() / US_PER_MS;
    bson_destroy(&now);
    bson_destroy(&reply);
    bson_append_document_begin(&filter, "beat_at", -1, &since);
    bson_append_date_time(&since, "$gt", -1, server_ms - MONGO_LEASE_MS);
    bson_append_document_end(&filter, &since);
    int64_t alive =
        ok ? mongoc_collection_count_documents(s->nodes, &filter, NULL, NULL, NULL, &e) : -1;
    bson_destroy(&filter);
    if (alive < 0)
        return say(why, "read from", &e);
    if (alive == 0)
        return 0;
    snprintf(why, STORE_WHY_MAX,
             "a Lorry works on this database (or was killed within the last %d s): stop it first",
             MONGO_LEASE_MS / 1000);
    return ERR_BUSY;
}

/* A collection that looks like Lorry's and is none of ours. */
static int check_strangers(struct mongo_store *s, char why[STORE_WHY_MAX]) {
    bson_error_t e;
    mongoc_database_t *db = mongoc_client_get_database(s->client, mongo_source_database(s->source));
    char **names = mongoc_database_get_collection_names_with_opts(db, NULL, &e);
    mongoc_database_destroy(db);
    if (names == NULL)
        return say(why, "read from", &e);
    int r = 0;
    for (int i = 0; names[i] != NULL; i++) {
        bool known = strncmp(names[i], "lorry_", 6) == 0 || strncmp(names[i], "system.", 7) == 0;
        for (int t = 0; !known && t < s->table_count; t++)
            known = strcmp(names[i], s->tables[t].decl->name) == 0;
        if (known)
            continue;
        snprintf(why, STORE_WHY_MAX, "it holds a collection \"%s\" that this Lorry does not know",
                 names[i]);
        r = ERR_INVALID;
    }
    bson_strfreev(names);
    return r;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct mongo_dump {
    struct store_dump dump; /* first: the port's view */
    struct store *handle;
    bool owned; /* the handle: not a load's */
    int table;
    mongoc_cursor_t *cursor;
};

struct page {
    struct store_record *records;
    int32_t count, cap;
    struct arena *a;
};

static struct store_record *more(struct page *p) {
    if (p->count == p->cap) {
        struct store_record *wider = arena_array(p->a, struct store_record, p->cap * 2);
        memcpy(wider, p->records, sizeof *wider * (size_t)p->count);
        p->records = wider;
        p->cap *= 2;
    }
    return &p->records[p->count++];
}

static void read_keys(struct page *p, const bson_t *doc, const char *list,
                      enum store_record_kind kind, const struct store_collection *c) {
    for (struct bson_walk w = bson_walk(doc, list); bson_walk_next(&w);)
        *more(p) = (struct store_record){
            .kind = kind, .collection = c, .answer = mongo_answer(&w.doc, p->a)};
}

static void read_events(struct page *p, const bson_t *doc) {
    for (struct bson_walk w = bson_walk(doc, "outbox"); bson_walk_next(&w);)
        *more(p) = (struct store_record){
            .kind = STORE_RECORD_EVENT,
            .event = {.id = arena_str(p->a, bson_str(&w.doc, "id")),
                      .type = arena_str(p->a, bson_str(&w.doc, "type")),
                      .key = arena_str(p->a, bson_str(&w.doc, "key")),
                      .at_us = bson_i64(&w.doc, "at"),
                      .request_id = arena_str(p->a, bson_str(&w.doc, "request_id")),
                      .traceparent = arena_str(p->a, bson_str(&w.doc, "traceparent")),
                      .data = arena_str(p->a, bson_str(&w.doc, "data"))}};
}

static int read_doc(struct page *p, const bson_t *doc, const struct store_collection *c) {
    struct str id = bson_str(doc, "_id");
    bson_iter_t state, keys;
    if (str_starts(id, COPIES))
        return 0;
    if (bson_i64(doc, "version") > 0) {
        struct store_record *r = more(p);
        *r = (struct store_record){.kind = STORE_RECORD_DOC, .collection = c};
        r->doc = (struct store_doc){.id = arena_str(p->a, id),
                                    .version = bson_i64(doc, "version"),
                                    .wake_at_us = bson_i64(doc, "wake_at"),
                                    .commit_id = arena_str(p->a, bson_str(doc, "commit_id"))};
        if (!bson_iter_init_find(&state, doc, "state") ||
            bson_read_json(&state, p->a, &r->doc.state) < 0)
            return ERR_CORRUPT;
        for (int i = 0; i < store_index_count(c); i++)
            if (bson_iter_init_find(&state, doc, "k") && bson_iter_recurse(&state, &keys) &&
                bson_iter_find(&keys, c->indexes[i]))
                r->keys[i] = arena_str(p->a, bson_iter_str(&keys));
    }
    const struct store_collection *of = str_starts(id, IMPORTED) ? NULL : c;
    read_keys(p, doc, "seen", STORE_RECORD_SEEN, of);
    read_keys(p, doc, "answers", STORE_RECORD_ANSWER, of);
    read_events(p, doc);
    return 0;
}

static mongoc_cursor_t *open_cursor(mongoc_collection_t *c) {
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, sort;
    bson_append_document_begin(&opts, "sort", -1, &sort);
    bson_append_int32(&sort, "_id", -1, 1);
    bson_append_document_end(&opts, &sort);
    bson_add_i64(&opts, "batchSize", DUMP_DOCS);
    bson_append_utf8(&opts, "hint", -1, "_id_", -1);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, &filter, &opts, NULL);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return cursor;
}

static int dump_next(struct store_dump *dump, struct arena *a, struct store_record **ret_records,
                     int32_t *ret_count) {
    struct mongo_dump *d = (struct mongo_dump *)dump;
    struct mongo_store *s = mongo_self(d->handle);
    struct page p = {.records = arena_array(a, struct store_record, DUMP_DOCS * 2),
                     .cap = DUMP_DOCS * 2,
                     .a = a};
    const bson_t *doc;
    bson_error_t e;
    int r = 0;
    while (r == 0 && p.count < DUMP_DOCS && d->table < s->table_count) {
        if (d->cursor == NULL)
            d->cursor = open_cursor(s->tables[d->table].docs);
        if (mongoc_cursor_next(d->cursor, &doc)) {
            r = read_doc(&p, doc, s->tables[d->table].decl);
            if (r < 0)
                snprintf(d->dump.why, STORE_WHY_MAX, "a document of %s is not what was written",
                         s->tables[d->table].decl->name);
            continue;
        }
        if (mongoc_cursor_error(d->cursor, &e))
            return say(d->dump.why, "read from", &e);
        mongoc_cursor_destroy(d->cursor);
        d->cursor = NULL;
        d->table++;
    }
    if (r == 0 && p.count == 0 && d->owned)
        r = check_alone(s, d->dump.why); /* or what was read is of no moment */
    *ret_records = p.records;
    *ret_count = p.count;
    return r;
}

static void dump_close(struct store_dump *dump) {
    struct mongo_dump *d = (struct mongo_dump *)dump;
    if (d->cursor != NULL)
        mongoc_cursor_destroy(d->cursor);
    if (d->owned)
        d->handle->ops->close(d->handle);
    free(d);
}

static const struct store_dump_ops dump_ops = {.next = dump_next, .close = dump_close};

static struct store_dump *dump_new(struct store *handle, bool owned) {
    struct mongo_dump *d = xcalloc(1, sizeof *d);
    d->dump.ops = &dump_ops;
    d->handle = handle;
    d->owned = owned;
    return &d->dump;
}

int mongo_dump_open(struct store *handle, struct arena *a, struct store_dump **ret_dump,
                    struct str *ret_why) {
    char why[STORE_WHY_MAX] = "";
    int r = check_alone(mongo_self(handle), why);
    if (r == 0)
        r = check_strangers(mongo_self(handle), why);
    if (r < 0) {
        *ret_why = arena_str(a, str_from(why));
        handle->ops->close(handle);
        return r;
    }
    *ret_dump = dump_new(handle, true);
    return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct mongo_load {
    struct store_load load; /* first: the port's view */
    struct store *handle;
    mongoc_collection_t *meta;
    int64_t parcels; /* documents with keys or events so far */
    int64_t events;
    bool begun, finished;
};

static void add_answer(bson_t *entry, const struct store_answer *answer) {
    bson_add_i64(entry, "hash", (int64_t)answer->body_hash);
    bson_add_i64(entry, "status", answer->status);
    bson_add_str(entry, "etag", answer->etag);
    bson_add_str(entry, "body", answer->body);
}

static bson_t *make_doc(struct mongo_store *s, const struct store_record *r) {
    bson_t *doc = bson_new(), keys;
    bson_t *state = bson_from_json(s->parser, r->doc.state);
    bson_add_str(doc, "_id", r->doc.id);
    bson_add_i64(doc, "version", r->doc.version);
    bson_add_str(doc, "commit_id", r->doc.commit_id);
    if (r->doc.wake_at_us)
        bson_add_i64(doc, "wake_at", r->doc.wake_at_us);
    bool some = false;
    for (int i = 0; i < store_index_count(r->collection); i++)
        some = some || r->keys[i].p != NULL;
    if (some) {
        bson_append_document_begin(doc, "k", -1, &keys);
        for (int i = 0; i < store_index_count(r->collection); i++)
            bson_add_str(&keys, r->collection->indexes[i], r->keys[i]);
        bson_append_document_end(doc, &keys);
    }
    if (state != NULL) {
        bson_append_document(doc, "state", -1, state);
        bson_destroy(state);
        return doc;
    }
    bson_destroy(doc);
    return NULL;
}

static int insert(struct mongo_load *l, int table, const bson_t **docs, size_t count) {
    struct mongo_store *s = mongo_self(l->handle);
    bson_t opts = BSON_INITIALIZER;
    bson_error_t e;
    bson_append_bool(&opts, "ordered", -1, true);
    bool ok = mongoc_collection_insert_many(s->tables[table].docs, docs, count, &opts, NULL, &e);
    bson_destroy(&opts);
    if (ok)
        return 0;
    int r = say(l->load.why, "write to", &e);
    return r == ERR_CONFLICT ? ERR_INVALID : r;
}

static int add_docs(struct mongo_load *l, const struct store_record *records, int32_t count) {
    struct mongo_store *s = mongo_self(l->handle);
    bson_t **docs = xcalloc((size_t)count, sizeof *docs);
    int r = 0;
    for (int32_t i = 0; r == 0 && i < count; i++) {
        docs[i] = make_doc(s, &records[i]);
        if (docs[i] != NULL)
            continue;
        snprintf(l->load.why, STORE_WHY_MAX, "MongoDB cannot hold the document %.*s",
                 STR_ARG(records[i].doc.id));
        r = ERR_INVALID;
    }
    if (r == 0)
        r = insert(l, mongo_table_of(s, records[0].collection), (const bson_t **)docs,
                   (size_t)count);
    for (int32_t i = 0; i < count; i++)
        bson_destroy(docs[i]);
    free(docs);
    return r;
}

static void make_key(bson_t *list, uint32_t index, const struct store_record *r) {
    bson_t entry;
    char number[16];
    const char *at;
    bson_uint32_to_string(index, &at, number, sizeof number);
    bson_append_document_begin(list, at, -1, &entry);
    bson_add_str(&entry, "k", r->answer.key);
    bson_add_i64(&entry, "at", r->answer.at_us);
    if (r->kind == STORE_RECORD_ANSWER)
        add_answer(&entry, &r->answer);
    bson_append_document_end(list, &entry);
}

static void make_event(struct mongo_load *l, bson_t *list, uint32_t index, const struct event *e) {
    bson_t entry;
    char number[16], row[40];
    const char *at;
    bson_uint32_to_string(index, &at, number, sizeof number);
    snprintf(row, sizeof row, "imported-%012llx", (unsigned long long)++l->events);
    bson_append_document_begin(list, at, -1, &entry);
    bson_append_utf8(&entry, "row", -1, row, -1);
    bson_append_utf8(&entry, "owner", -1, "nobody-imported", -1);
    bson_add_str(&entry, "id", e->id);
    bson_add_str(&entry, "type", e->type);
    bson_add_str(&entry, "key", e->key);
    bson_add_i64(&entry, "at", e->at_us);
    bson_add_str(&entry, "request_id", e->request_id);
    bson_add_str(&entry, "traceparent", e->traceparent);
    bson_add_str(&entry, "data", e->data);
    bson_append_document_end(list, &entry);
}

/* One document of keys or events, in TABLE. */
static int add_parcel(struct mongo_load *l, int table, bool copy,
                      const struct store_record *records, int32_t count) {
    static const char *const lists[] = {[STORE_RECORD_EVENT] = "outbox",
                                        [STORE_RECORD_SEEN] = "seen",
                                        [STORE_RECORD_ANSWER] = "answers"};
    bson_t *doc = bson_new(), list;
    char id[64];
    int64_t least_us = INT64_MAX;
    snprintf(id, sizeof id, "%s%012llx", copy ? COPIES : IMPORTED,
             (unsigned long long)++l->parcels);
    bson_append_utf8(doc, "_id", -1, id, -1);
    bson_add_i64(doc, "version", 0);
    bson_append_array_begin(doc, lists[records[0].kind], -1, &list);
    for (int32_t i = 0; i < count; i++) {
        bool event = records[i].kind == STORE_RECORD_EVENT;
        int64_t at_us = event ? records[i].event.at_us : records[i].answer.at_us;
        least_us = at_us < least_us ? at_us : least_us;
        if (event)
            make_event(l, &list, (uint32_t)i, &records[i].event);
        else
            make_key(&list, (uint32_t)i, &records[i]);
    }
    bson_append_array_end(doc, &list);
    bson_add_i64(doc, "keys_at", least_us);
    int r = insert(l, table, (const bson_t *[]){doc}, 1);
    bson_destroy(doc);
    return r;
}

/* Events may lie in any collection whose documents change. */
static int first_plain(const struct mongo_store *s) {
    int t = 0;
    while (s->tables[t].decl->daily)
        t++;
    return t;
}

static int add_keys(struct mongo_load *l, const struct store_record *records, int32_t count) {
    struct mongo_store *s = mongo_self(l->handle);
    if (records[0].collection != NULL)
        return add_parcel(l, mongo_table_of(s, records[0].collection), false, records, count);
    int r = 0;
    bool copy = false;
    for (int t = 0; r == 0 && t < s->table_count; t++) {
        r = add_parcel(l, t, copy, records, count);
        copy = true;
    }
    return r;
}

static int load_add(struct store_load *load, const struct store_record *records, int32_t count) {
    struct mongo_load *l = (struct mongo_load *)load;
    int r = 0;
    CHECK(count >= 1 && count <= STORE_LOAD_MAX);
    for (int32_t from = 0, to; r == 0 && from < count; from = to) {
        const struct store_record *first = &records[from];
        int32_t most = first->kind == STORE_RECORD_DOC    ? count
                       : first->kind == STORE_RECORD_SEEN ? MONGO_SEEN_MAX
                                                          : MONGO_ANSWERS_MAX;
        for (to = from + 1; to < count && to - from < most; to++)
            if (records[to].kind != first->kind || records[to].collection != first->collection)
                break;
        if (first->kind == STORE_RECORD_DOC)
            r = add_docs(l, first, to - from);
        else if (first->kind == STORE_RECORD_EVENT)
            r = add_parcel(l, first_plain(mongo_self(l->handle)), false, first, to - from);
        else
            r = add_keys(l, first, to - from);
    }
    return r;
}

static int load_dump(struct store_load *load, struct store_dump **ret_dump) {
    *ret_dump = dump_new(((struct mongo_load *)load)->handle, false);
    return 0;
}

static int set_mark(struct mongo_load *l, bool on) {
    bson_t query = BSON_INITIALIZER, doc = BSON_INITIALIZER, opts = BSON_INITIALIZER;
    bson_error_t e;
    bson_append_utf8(&query, "_id", -1, MONGO_LOADING, -1);
    bson_append_utf8(&doc, "_id", -1, MONGO_LOADING, -1);
    bson_add_i64(&doc, "at", clock_wall_us());
    bson_append_bool(&opts, "upsert", -1, true);
    bool ok = on ? mongoc_collection_replace_one(l->meta, &query, &doc, &opts, NULL, &e)
                 : mongoc_collection_delete_one(l->meta, &query, NULL, NULL, &e);
    bson_destroy(&query);
    bson_destroy(&doc);
    bson_destroy(&opts);
    return ok ? 0 : say(l->load.why, "write to", &e);
}

static int load_finish(struct store_load *load) {
    struct mongo_load *l = (struct mongo_load *)load;
    int r = check_alone(mongo_self(l->handle), l->load.why);
    if (r == 0)
        r = set_mark(l, false);
    l->finished = r == 0;
    return r;
}

/* All documents of all collections go. */
static int wipe(struct mongo_load *l) {
    struct mongo_store *s = mongo_self(l->handle);
    bson_t all = BSON_INITIALIZER;
    bson_error_t e;
    bool ok = true;
    for (int t = 0; ok && t < s->table_count; t++)
        ok = mongoc_collection_delete_many(s->tables[t].docs, &all, NULL, NULL, &e);
    bson_destroy(&all);
    return ok ? 0 : say(l->load.why, "write to", &e);
}

static void load_close(struct store_load *load) {
    struct mongo_load *l = (struct mongo_load *)load;
    if (l->begun && !l->finished && wipe(l) == 0)
        set_mark(l, false);
    mongoc_collection_destroy(l->meta);
    l->handle->ops->close(l->handle);
    free(l);
}

static const struct store_load_ops load_ops = {
    .add = load_add, .dump = load_dump, .finish = load_finish, .close = load_close};

static int check_empty(struct mongo_load *l) {
    struct mongo_store *s = mongo_self(l->handle);
    bson_t all = BSON_INITIALIZER, opts = BSON_INITIALIZER;
    bson_error_t e;
    int r = 0;
    bson_add_i64(&opts, "limit", 1);
    for (int t = 0; r == 0 && t < s->table_count; t++) {
        int64_t some =
            mongoc_collection_count_documents(s->tables[t].docs, &all, &opts, NULL, NULL, &e);
        if (some < 0)
            r = say(l->load.why, "read from", &e);
        if (some <= 0)
            continue;
        snprintf(l->load.why, STORE_WHY_MAX, "the database is not empty: %s has documents",
                 s->tables[t].decl->name);
        r = ERR_CONFLICT;
    }
    bson_destroy(&all);
    bson_destroy(&opts);
    return r;
}

int mongo_load_open(struct store *handle, struct arena *a, struct store_load **ret_load,
                    struct str *ret_why) {
    struct mongo_store *s = mongo_self(handle);
    struct mongo_load *l = xcalloc(1, sizeof *l);
    bool left = false;
    l->load.ops = &load_ops;
    l->handle = handle;
    l->meta = mongoc_client_get_collection(s->client, mongo_source_database(s->source), MONGO_META);
    int r = check_alone(s, l->load.why);
    if (r == 0)
        r = mongo_loading(l->meta, &left);
    if (r == 0 && left) /* one that was cut off: nothing else can be in there */
        r = wipe(l);
    if (r == 0)
        r = check_empty(l);
    if (r == 0)
        r = set_mark(l, true);
    l->begun = r == 0;
    if (r < 0) {
        *ret_why = arena_str(a, str_from(l->load.why));
        load_close(&l->load);
        return r;
    }
    *ret_load = &l->load;
    return 0;
}

int mongo_loading(mongoc_collection_t *meta, bool *ret_loading) {
    bson_t query = BSON_INITIALIZER;
    bson_error_t e;
    bson_append_utf8(&query, "_id", -1, MONGO_LOADING, -1);
    int64_t marks = mongoc_collection_count_documents(meta, &query, NULL, NULL, NULL, &e);
    bson_destroy(&query);
    if (marks < 0)
        return mongo_error(&e);
    *ret_loading = marks > 0;
    return 0;
}
