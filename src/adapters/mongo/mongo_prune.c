/* Retention. `keys_at` is the time of the oldest key of a document, or of its removal: an index on
 * it finds what has keys past their time. What was removed stays, without state, until its events
 * are published and its keys are old; then it goes.
 */
#include "adapters/mongo/mongo_private.h"

#include "base/check.h"
#include "base/err.h"
#include "ports/store_check.h"

#include <stdlib.h>

struct pruning {
    struct mongo_store *s;
    int64_t before_us;
    mongoc_bulk_operation_t *bulk;
    int32_t docs;
    int32_t dropped; /* keys */
};

/* How many of LIST are old, and the least time of those that stay (or of LEAST_US). */
static int32_t count_old(const bson_t *doc, const char *list, int64_t before_us, int32_t *ret_left,
                         int64_t *least_us) {
    int32_t old = 0;
    for (struct bson_walk w = bson_walk(doc, list); bson_walk_next(&w);) {
        int64_t at_us = bson_i64(&w.doc, "at");
        if (at_us < before_us) {
            old++;
            continue;
        }
        ++*ret_left;
        *least_us = at_us < *least_us ? at_us : *least_us;
    }
    return old;
}

static void add_drop(bson_t *pull, bson_t *unset, const char *list, int32_t old, int32_t left,
                     int64_t before_us) {
    bson_t entry, at;
    if (old == 0)
        return;
    if (left == 0) { /* no empty lists: the index on them is sparse */
        bson_append_bool(unset, list, -1, true);
        return;
    }
    bson_append_document_begin(pull, list, -1, &entry);
    bson_append_document_begin(&entry, "at", -1, &at);
    bson_add_i64(&at, "$lt", before_us);
    bson_append_document_end(&entry, &at);
    bson_append_document_end(pull, &entry);
}

/* Only if nobody has written to it meanwhile; else the next time. */
static void same_as(bson_t *filter, const bson_t *doc) {
    bson_add_str(filter, "_id", bson_str(doc, "_id"));
    bson_add_i64(filter, "version", bson_i64(doc, "version"));
    bson_add_i64(filter, "keys_at", bson_i64(doc, "keys_at"));
}

static void add_empty_outbox(bson_t *filter) {
    bson_t none;
    bson_append_document_begin(filter, "outbox.0", -1, &none);
    bson_append_bool(&none, "$exists", -1, false);
    bson_append_document_end(filter, &none);
}

static int prune_keys_of(void *arg, const bson_t *doc) {
    struct pruning *p = arg;
    bson_t filter = BSON_INITIALIZER, update = BSON_INITIALIZER, part;
    bson_t pull = BSON_INITIALIZER, unset = BSON_INITIALIZER;
    int64_t least_us = INT64_MAX;
    int32_t seen_left = 0, answers_left = 0;
    int32_t seen = count_old(doc, "seen", p->before_us, &seen_left, &least_us);
    int32_t answers = count_old(doc, "answers", p->before_us, &answers_left, &least_us);
    p->dropped += seen + answers;
    p->docs++;
    same_as(&filter, doc);
    if (bson_i64(doc, "version") == 0 && seen_left + answers_left == 0) {
        add_empty_outbox(&filter);
        CHECK(mongoc_bulk_operation_remove_one_with_opts(p->bulk, &filter, NULL, NULL));
    } else {
        add_drop(&pull, &unset, "seen", seen, seen_left, p->before_us);
        add_drop(&pull, &unset, "answers", answers, answers_left, p->before_us);
        if (least_us == INT64_MAX)
            bson_append_bool(&unset, "keys_at", -1, true);
        if (!bson_empty(&pull))
            bson_append_document(&update, "$pull", -1, &pull);
        if (!bson_empty(&unset))
            bson_append_document(&update, "$unset", -1, &unset);
        if (least_us != INT64_MAX) {
            bson_append_document_begin(&update, "$set", -1, &part);
            bson_add_i64(&part, "keys_at", least_us);
            bson_append_document_end(&update, &part);
        }
        CHECK(mongoc_bulk_operation_update_one_with_opts(p->bulk, &filter, &update, NULL, NULL));
    }
    bson_destroy(&filter);
    bson_destroy(&update);
    bson_destroy(&pull);
    bson_destroy(&unset);
    return 0;
}

static int prune_table(struct pruning *p, int table, int32_t limit) {
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, part, unordered = BSON_INITIALIZER;
    bson_error_t e;
    static const char *const members[] = {"version", "keys_at",   "seen.k",
                                          "seen.at", "answers.k", "answers.at"};
    mongoc_collection_t *docs = p->s->tables[table].docs;
    bson_append_document_begin(&filter, "keys_at", -1, &part);
    bson_add_i64(&part, "$lt", p->before_us);
    bson_append_document_end(&filter, &part);
    bson_append_document_begin(&opts, "projection", -1, &part);
    for (size_t i = 0; i < COUNT_OF(members); i++)
        bson_append_int32(&part, members[i], -1, 1);
    bson_append_document_end(&opts, &part);
    bson_append_document_begin(&opts, "sort", -1, &part);
    bson_append_int32(&part, "keys_at", -1, 1);
    bson_append_document_end(&opts, &part);
    bson_add_i64(&opts, "limit", limit);
    bson_append_utf8(&opts, "hint", -1, "keys", -1);
    bson_append_bool(&unordered, "ordered", -1, false);
    p->bulk = mongoc_collection_create_bulk_operation_with_opts(docs, &unordered);
    p->docs = 0;
    int r = mongo_find(p->s, docs, &filter, &opts, prune_keys_of, p);
    if (r == 0 && p->docs > 0 && mongoc_bulk_operation_execute(p->bulk, NULL, &e) == 0)
        r = mongo_failed(p->s, &e);
    mongoc_bulk_operation_destroy(p->bulk);
    bson_destroy(&unordered);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return r;
}

int mongo_prune(struct store *store, int64_t before_us, int32_t limit) {
    struct pruning p = {.s = mongo_self(store), .before_us = before_us};
    int r = 0, left = limit;
    CHECK(p.s->writer && limit >= 1);
    for (int t = 0; r == 0 && left > 0 && t < p.s->table_count; t++) {
        r = prune_table(&p, t, left);
        left -= p.docs;
    }
    return r < 0 ? r : p.dropped;
}

/* --- documents -------------------------------------------------------------------------------- */

struct doomed {
    bson_t ids;
    uint32_t count;
};

static int doom(void *arg, const bson_t *doc) {
    struct doomed *d = arg;
    char number[16];
    const char *at;
    bson_uint32_to_string(d->count++, &at, number, sizeof number);
    bson_add_str(&d->ids, at, bson_str(doc, "_id"));
    return 0;
}

/* What still has something to say is left for later. */
int mongo_prune_docs(struct store *store, const struct store_collection *c, struct str below_id,
                     int32_t limit) {
    struct mongo_store *s = mongo_self(store);
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, part, reply;
    bson_error_t e;
    struct doomed d = {.count = 0};
    mongoc_collection_t *docs = s->tables[mongo_table_of(s, c)].docs;
    CHECK(s->writer && limit >= 1 && below_id.p);
    bson_init(&d.ids);
    bson_append_document_begin(&filter, "_id", -1, &part);
    bson_add_str(&part, "$lt", below_id);
    bson_append_document_end(&filter, &part);
    bson_append_document_begin(&filter, "version", -1, &part);
    bson_add_i64(&part, "$gt", 0);
    bson_append_document_end(&filter, &part);
    add_empty_outbox(&filter);
    bson_append_document_begin(&opts, "projection", -1, &part);
    bson_append_int32(&part, "_id", -1, 1);
    bson_append_document_end(&opts, &part);
    bson_append_document_begin(&opts, "sort", -1, &part);
    bson_append_int32(&part, "_id", -1, 1);
    bson_append_document_end(&opts, &part);
    bson_add_i64(&opts, "limit", limit);
    bson_append_utf8(&opts, "hint", -1, "_id_", -1);
    int r = mongo_find(s, docs, &filter, &opts, doom, &d);
    bson_destroy(&opts);
    bson_destroy(&filter);
    if (r == 0 && d.count > 0) {
        bson_init(&filter);
        bson_append_document_begin(&filter, "_id", -1, &part);
        bson_append_array(&part, "$in", -1, &d.ids);
        bson_append_document_end(&filter, &part);
        add_empty_outbox(&filter);
        if (mongoc_collection_delete_many(docs, &filter, NULL, &reply, &e))
            r = (int)bson_i64(&reply, "deletedCount");
        else
            r = mongo_failed(s, &e);
        bson_destroy(&reply);
        bson_destroy(&filter);
    }
    bson_destroy(&d.ids);
    return r;
}
