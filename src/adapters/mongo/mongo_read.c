/* The port's reads, and the handle itself. All reads are of what a majority has, from the primary:
 * what was acknowledged is seen, and what is seen is not rolled back.
 */
#include "adapters/mongo/mongo_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "ports/store_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

int mongo_table_of(const struct mongo_store *s, const struct store_collection *c) {
    for (int i = 0; i < s->table_count; i++)
        if (s->tables[i].decl == c)
            return i;
    for (int i = 0; i < s->table_count; i++)
        if (!strcmp(s->tables[i].decl->name, c->name))
            return i;
    UNREACHABLE(); /* a collection that the source was not opened with */
}

int mongo_failed(struct mongo_store *s, const bson_error_t *e) {
    int code = mongo_error(e);
    if (code != s->last_error && code != ERR_BUSY)
        log_error(s->log, "store: %s (MongoDB %u.%u)", e->message, e->domain, e->code);
    s->last_error = code;
    if (e->domain == MONGOC_ERROR_SERVER_SELECTION)
        s->away_until_us = clock_mono_us() + MONGO_AWAY_MS * US_PER_MS;
    return code;
}

void mongo_well(struct mongo_store *s) {
    s->last_error = 0;
    s->away_until_us = 0;
}

bool mongo_away(const struct mongo_store *s) {
    return s->away_until_us > 0 && clock_mono_us() < s->away_until_us;
}

int mongo_find(struct mongo_store *s, mongoc_collection_t *c, const bson_t *filter,
               const bson_t *opts, int (*each)(void *arg, const bson_t *doc), void *arg) {
    const bson_t *doc;
    bson_error_t e;
    bson_t all = BSON_INITIALIZER;
    int r = 0;
    if (mongo_away(s))
        return ERR_UNAVAILABLE;
    if (opts != NULL)
        CHECK(bson_concat(&all, opts));
    bson_add_i64(&all, "maxTimeMS", MONGO_READ_MAX_MS);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, filter, &all, NULL);
    while (r == 0 && mongoc_cursor_next(cursor, &doc))
        r = each(arg, doc);
    if (r == 0 && mongoc_cursor_error(cursor, &e))
        r = mongo_failed(s, &e);
    else
        mongo_well(s);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&all);
    return r;
}

/* --- documents -------------------------------------------------------------------------------- */

struct gathered {
    struct mongo_store *s;
    struct arena *a;
    struct store_doc *docs;
    int32_t count, limit;
};

static int gather_doc(void *arg, const bson_t *doc) {
    struct gathered *g = arg;
    bson_iter_t state;
    CHECK(g->count < g->limit);
    struct store_doc *d = &g->docs[g->count];
    if (!bson_iter_init_find(&state, doc, "state") || bson_read_json(&state, g->a, &d->state) < 0) {
        struct str id = bson_str(doc, "_id");
        log_error(g->s->log, "store: the state of %.*s is not what was written", STR_ARG(id));
        return ERR_CORRUPT;
    }
    d->id = arena_str(g->a, bson_str(doc, "_id"));
    d->version = bson_i64(doc, "version");
    d->wake_at_us = bson_i64(doc, "wake_at");
    d->commit_id = arena_str(g->a, bson_str(doc, "commit_id"));
    g->count++;
    return 0;
}

void mongo_add_projection(bson_t *opts) {
    static const char *const members[] = {"version", "wake_at", "commit_id", "state"};
    bson_t projection;
    bson_append_document_begin(opts, "projection", -1, &projection);
    for (size_t i = 0; i < COUNT_OF(members); i++)
        bson_append_int32(&projection, members[i], -1, 1);
    bson_append_document_end(opts, &projection);
}

/* What was removed, but has something left to say, has version 0. */
void mongo_add_alive(bson_t *filter) {
    bson_t more;
    bson_append_document_begin(filter, "version", -1, &more);
    bson_add_i64(&more, "$gt", 0);
    bson_append_document_end(filter, &more);
}

/* After a commit in doubt the first look must find it even if others have written since: they are
 * told the id of our commit, not the last one's. */
static void recall_commit(struct mongo_store *s, int table, struct store_doc *doc,
                          struct arena *a) {
    for (int32_t i = 0; i < s->recovered_count; i++) {
        const struct mongo_recovered *r = &s->recovered[i];
        if (r->table == table && str_eq(doc->id, (struct str){r->id, r->id_len}))
            doc->commit_id = arena_str(a, str_from(r->commit_id));
    }
}

static int copy_doc(struct mongo_store *s, int table, const struct store_doc *known,
                    struct arena *a, struct store_doc *ret_doc) {
    if (known->id.p == NULL)
        return ERR_NOT_FOUND;
    *ret_doc = (struct store_doc){.id = arena_str(a, known->id),
                                  .version = known->version,
                                  .state = arena_str(a, known->state),
                                  .wake_at_us = known->wake_at_us,
                                  .commit_id = arena_str(a, known->commit_id)};
    recall_commit(s, table, ret_doc, a);
    return 0;
}

static int get(struct store *store, const struct store_collection *c, struct str id,
               struct arena *a, struct store_doc *ret_doc) {
    struct mongo_store *s = mongo_self(store);
    struct store_doc doc = {0};
    struct gathered g = {.s = s, .a = a, .docs = &doc, .limit = 1};
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER; /* own nothing while small */
    int table = mongo_table_of(s, c), r = mongo_resolve(s);
    const struct store_doc *known = r == 0 ? mongo_expected_doc(s, table, id) : NULL;
    if (known != NULL)
        return copy_doc(s, table, known, a, ret_doc);
    bson_add_str(&filter, "_id", id);
    mongo_add_alive(&filter);
    mongo_add_projection(&opts);
    bson_add_i64(&opts, "limit", 1);
    bson_append_bool(&opts, "singleBatch", -1, true);
    if (r == 0)
        r = mongo_find(s, s->tables[table].docs, &filter, &opts, gather_doc, &g);
    bson_destroy(&filter);
    bson_destroy(&opts);
    if (r < 0 || g.count == 0)
        return r < 0 ? r : ERR_NOT_FOUND;
    recall_commit(s, table, &doc, a);
    *ret_doc = doc;
    return 0;
}

int mongo_find_docs(struct mongo_store *s, int table, const bson_t *filter, const bson_t *opts,
                    int32_t limit, struct arena *a, struct store_doc **ret_docs,
                    int32_t *ret_count) {
    struct gathered g = {
        .s = s, .a = a, .docs = arena_array(a, struct store_doc, limit), .limit = limit};
    int r = mongo_find(s, s->tables[table].docs, filter, opts, gather_doc, &g);
    if (r < 0)
        return r;
    *ret_docs = g.docs;
    *ret_count = g.count;
    return 0;
}

static void add_sort(bson_t *opts, const char *first, int way, const char *second) {
    bson_t sort;
    bson_append_document_begin(opts, "sort", -1, &sort);
    bson_append_int32(&sort, first, -1, way);
    if (second)
        bson_append_int32(&sort, second, -1, 1);
    bson_append_document_end(opts, &sort);
}

/* Hints make sure that no list ever walks a whole collection. */
static int list(struct store *store, const struct store_query *q, struct arena *a,
                struct store_doc **ret_docs, int32_t *ret_count) {
    struct mongo_store *s = mongo_self(store);
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, range;
    char field[64];
    store_query_check(q);
    int table = mongo_table_of(s, q->collection);
    if (q->index) {
        store_index_of(q->collection, q->index);
        snprintf(field, sizeof field, "k.%s", q->index);
        bson_add_str(&filter, field, q->key);
        snprintf(field, sizeof field, "by_%s", q->index);
    }
    struct str low = q->ascending ? q->after : q->until;
    struct str high = q->ascending ? q->until : q->after;
    if (low.p || high.p) {
        bson_append_document_begin(&filter, "_id", -1, &range);
        bson_add_str(&range, "$gt", low);
        bson_add_str(&range, "$lt", high);
        bson_append_document_end(&filter, &range);
    }
    mongo_add_alive(&filter);
    mongo_add_projection(&opts);
    add_sort(&opts, "_id", q->ascending ? 1 : -1, NULL);
    bson_add_i64(&opts, "limit", q->limit);
    bson_append_utf8(&opts, "hint", -1, q->index ? field : "_id_", -1);
    int r = mongo_find_docs(s, table, &filter, &opts, q->limit, a, ret_docs, ret_count);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return r;
}

static int due(struct store *store, const struct store_collection *c, int64_t now_us, int32_t limit,
               struct arena *a, struct store_doc **ret_docs, int32_t *ret_count) {
    struct mongo_store *s = mongo_self(store);
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, range;
    CHECK(c->timers && limit >= 1);
    bson_append_document_begin(&filter, "wake_at", -1, &range);
    bson_add_i64(&range, "$lte", now_us);
    bson_append_document_end(&filter, &range);
    mongo_add_projection(&opts);
    add_sort(&opts, "wake_at", 1, "_id");
    bson_add_i64(&opts, "limit", limit);
    bson_append_utf8(&opts, "hint", -1, "wakes", -1);
    int r = mongo_find_docs(s, mongo_table_of(s, c), &filter, &opts, limit, a, ret_docs, ret_count);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return r;
}

/* --- keys ------------------------------------------------------------------------------------- */

/* Looks for the document of collection C whose list LIST has KEY; EACH gets just that entry. */
static int find_key(struct mongo_store *s, int table, const char *list_name, struct str key,
                    int (*each)(void *arg, const bson_t *doc), void *arg) {
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, projection, entry, match;
    char path[32];
    snprintf(path, sizeof path, "%s.k", list_name);
    bson_add_str(&filter, path, key);
    bson_append_document_begin(&opts, "projection", -1, &projection);
    bson_append_document_begin(&projection, list_name, -1, &entry);
    bson_append_document_begin(&entry, "$elemMatch", -1, &match);
    bson_add_str(&match, "k", key);
    bson_append_document_end(&entry, &match);
    bson_append_document_end(&projection, &entry);
    bson_append_document_end(&opts, &projection);
    bson_add_i64(&opts, "limit", 1);
    bson_append_bool(&opts, "singleBatch", -1, true);
    int r = mongo_find(s, s->tables[table].docs, &filter, &opts, each, arg);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return r;
}

struct found_answer {
    struct arena *a;
    struct store_answer answer;
};

struct store_answer mongo_answer(const bson_t *entry, struct arena *a) {
    return (struct store_answer){.key = arena_str(a, bson_str(entry, "k")),
                                 .at_us = bson_i64(entry, "at"),
                                 .body_hash = (uint64_t)bson_i64(entry, "hash"),
                                 .status = (int32_t)bson_i64(entry, "status"),
                                 .etag = arena_str(a, bson_str(entry, "etag")),
                                 .body = arena_str(a, bson_str(entry, "body"))};
}

static int take_answer(void *arg, const bson_t *doc) {
    struct found_answer *f = arg;
    struct bson_walk w = bson_walk(doc, "answers");
    if (bson_walk_next(&w))
        f->answer = mongo_answer(&w.doc, f->a);
    return 0;
}

static int answer(struct store *store, const struct store_collection *c, struct str key,
                  struct arena *a, struct store_answer *ret_answer) {
    struct mongo_store *s = mongo_self(store);
    struct found_answer found = {.a = a};
    int r = mongo_resolve(s), table = mongo_table_of(s, c);
    const struct store_answer *known = mongo_expected_key(s, false, table, key);
    if (r == 0 && known != NULL && known->key.p == NULL)
        return ERR_NOT_FOUND; /* one that is there is rare: it is read in full */
    if (r == 0)
        r = find_key(s, table, "answers", key, take_answer, &found);
    if (r < 0 || found.answer.key.p == NULL)
        return r < 0 ? r : ERR_NOT_FOUND;
    *ret_answer = found.answer;
    return 0;
}

static int note_seen(void *arg, const bson_t *doc) {
    (void)doc;
    *(bool *)arg = true;
    return 0;
}

/* No answer means no: the commit will say it once more. */
static bool seen(struct store *store, const struct store_collection *c, struct str dedupe) {
    struct mongo_store *s = mongo_self(store);
    int table = mongo_table_of(s, c);
    bool found = false;
    if (mongo_resolve(s) < 0)
        return false;
    const struct store_answer *known = mongo_expected_key(s, true, table, dedupe);
    if (known != NULL)
        return known->key.p != NULL;
    find_key(s, table, "seen", dedupe, note_seen, &found);
    return found;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void close_handle(struct store *store) {
    struct mongo_store *s = mongo_self(store);
    if (s->writer && !s->beside)
        mongo_leave(s);
    for (int i = 0; i < s->table_count; i++)
        mongoc_collection_destroy(s->tables[i].docs);
    mongoc_collection_destroy(s->nodes);
    for (int32_t i = 0; i < s->limbo_count; i++)
        mongo_write_free(s->limbo[i]);
    for (int32_t i = 0; i < s->recovered_count; i++) {
        free(s->recovered[i].id);
        free(s->recovered[i].commit_id);
    }
    mongo_end(store);
    mongo_outbox_free(&s->outbox);
    json_parser_free(s->parser);
    mongo_source_return(s->source, s->client);
    free(s);
}

const struct store_ops mongo_ops = {
    .get = get,
    .list = list,
    .commit = mongo_commit,
    .answer = answer,
    .seen = seen,
    .outbox_read = mongo_outbox_read,
    .due = due,
    .prune = mongo_prune,
    .prune_docs = mongo_prune_docs,
    .begin = mongo_begin,
    .end = mongo_end,
    .expect = mongo_expect,
    .close = close_handle,
};

static mongoc_collection_t *collection(const struct mongo_store *s, const char *name) {
    const char *database = mongo_source_database(s->source);
    mongoc_collection_t *c = mongoc_client_get_collection(s->client, database, name);
    mongoc_write_concern_t *wc = mongoc_write_concern_new();
    mongoc_read_concern_t *rc = mongoc_read_concern_new();
    mongoc_write_concern_set_wmajority(wc, MONGO_WTIMEOUT_MS);
    mongoc_write_concern_set_journal(wc, true);
    mongoc_read_concern_set_level(rc, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    mongoc_collection_set_write_concern(c, wc);
    mongoc_collection_set_read_concern(c, rc);
    mongoc_write_concern_destroy(wc);
    mongoc_read_concern_destroy(rc);
    return c;
}

struct store *mongo_store_new(struct mongo_source *src, mongoc_client_t *client, bool writer) {
    const struct mongo_options *o = mongo_source_options(src);
    struct mongo_store *s =
        xcalloc(1, sizeof *s + sizeof s->tables[0] * (size_t)o->collection_count);
    uint64_t random;
    CHECK(getrandom(&random, sizeof random, 0) == (ssize_t)sizeof random);
    snprintf(s->owner, sizeof s->owner, "%s%016llx", o->beside ? "nobody-" : "",
             (unsigned long long)random);
    s->store.ops = &mongo_ops;
    s->source = src;
    s->client = client;
    s->log = o->log;
    s->writer = writer;
    s->beside = o->beside;
    s->parser = json_parser_new();
    s->nodes = collection(s, MONGO_NODES);
    s->table_count = o->collection_count;
    for (int i = 0; i < o->collection_count; i++)
        s->tables[i] = (struct mongo_table){.decl = o->collections[i],
                                            .docs = collection(s, o->collections[i]->name),
                                            .index_count = store_index_count(o->collections[i]),
                                            .unique_keys = mongo_source_unique(src, i)};
    mongo_outbox_init(&s->outbox);
    return &s->store;
}
