/* One document's compare-and-set, many at a time: what goes over the wire in a commit. */
#include "adapters/mongo/mongo_private.h"

#include "base/check.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

struct mongo_write *mongo_write_free(struct mongo_write *w) {
    if (w == NULL)
        return NULL;
    bson_destroy(w->filter);
    bson_destroy(w->update);
    free(w->id);
    free(w->tag);
    free(w->commit_id);
    free(w);
    return NULL;
}

/* --- heads ------------------------------------------------------------------------------------ */

struct heads {
    struct mongo_write *const *writes;
    struct mongo_head *heads;
    struct map by_id; /* id → place + 1, as a pointer into the writes */
};

static int take_head(void *arg, const bson_t *doc) {
    struct heads *h = arg;
    bson_iter_t it, tag;
    struct mongo_write *const *at = map_get(&h->by_id, bson_str(doc, "_id"));
    if (at == NULL)
        return 0;
    struct mongo_head *head = &h->heads[at - h->writes];
    head->version = bson_i64(doc, "version");
    if (!bson_iter_init_find(&it, doc, "tags") || !bson_iter_recurse(&it, &tag))
        return 0;
    while (bson_iter_next(&tag))
        head->applied = head->applied || str_is(bson_iter_str(&tag), (*at)->tag);
    return 0;
}

int mongo_heads(struct mongo_store *s, struct mongo_write *const *writes, int32_t count,
                struct arena *a, struct mongo_head *ret_heads) {
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, in, ids, projection;
    struct heads h = {.writes = writes, .heads = arena_array(a, struct mongo_head, count)};
    char number[16];
    const char *at;
    map_init(&h.by_id);
    bson_append_document_begin(&filter, "_id", -1, &in);
    bson_append_array_begin(&in, "$in", -1, &ids);
    for (int32_t i = 0; i < count; i++) {
        struct str id = {writes[i]->id, writes[i]->id_len};
        bson_uint32_to_string((uint32_t)i, &at, number, sizeof number);
        bson_add_str(&ids, at, id);
        map_put(&h.by_id, id, (void *)(uintptr_t)&writes[i]);
    }
    bson_append_array_end(&in, &ids);
    bson_append_document_end(&filter, &in);
    bson_append_document_begin(&opts, "projection", -1, &projection);
    bson_append_int32(&projection, "version", -1, 1);
    bson_append_int32(&projection, "tags", -1, 1);
    bson_append_document_end(&opts, &projection);
    int r = mongo_find(s, s->tables[writes[0]->table].docs, &filter, &opts, take_head, &h);
    if (r == 0)
        memcpy(ret_heads, h.heads, sizeof *ret_heads * (size_t)count);
    map_free(&h.by_id);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return r;
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Those that the reply names as failed are not ok; returns how many. */
static int64_t take_errors(const bson_t *reply, int32_t count, bool *ok) {
    int64_t failed = 0;
    for (struct bson_walk w = bson_walk(reply, "writeErrors"); bson_walk_next(&w);) {
        int64_t index = bson_i64(&w.doc, "index");
        CHECK(index >= 0 && index < count);
        failed += ok[index];
        ok[index] = false;
    }
    return failed;
}

/* What the reply says of each. It counts those that matched but does not name them: unless all did,
 * only those that were made anew are sure. */
static void take_reply(const bson_t *reply, int32_t count, bool *ret_ok) {
    for (int32_t i = 0; i < count; i++)
        ret_ok[i] = true;
    int64_t failed = take_errors(reply, count, ret_ok);
    if (bson_i64(reply, "nMatched") + bson_i64(reply, "nUpserted") + failed == count)
        return;
    for (int32_t i = 0; i < count; i++)
        ret_ok[i] = false;
    for (struct bson_walk w = bson_walk(reply, "upserted"); bson_walk_next(&w);) {
        int64_t index = bson_i64(&w.doc, "index");
        CHECK(index >= 0 && index < count);
        ret_ok[index] = true;
    }
}

static bool has_entries(const bson_t *reply, const char *array) {
    struct bson_walk w = bson_walk(reply, array);
    return bson_walk_next(&w);
}

/* Did the server answer with a plain no, before it wrote anything? */
static bool refused(const bson_t *reply, const bson_error_t *e) {
    return e->domain == MONGOC_ERROR_SERVER && mongo_error(e) != ERR_UNAVAILABLE &&
           bson_i64(reply, "nMatched") + bson_i64(reply, "nUpserted") == 0;
}

int mongo_send(struct mongo_store *s, struct mongo_write *const *writes, int32_t count,
               bool *ret_ok, bool *ret_sent) {
    bson_t opts = BSON_INITIALIZER, upsert = BSON_INITIALIZER, reply;
    bson_error_t e = {0};
    mongoc_collection_t *docs = s->tables[writes[0]->table].docs;
    *ret_sent = false;
    memset(ret_ok, 0, sizeof *ret_ok * (size_t)count);
    if (mongo_away(s))
        return ERR_UNAVAILABLE;
    bson_append_bool(&opts, "ordered", -1, false);
    bson_append_bool(&upsert, "upsert", -1, true);
    mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(docs, &opts);
    for (int32_t i = 0; i < count; i++)
        CHECK(mongoc_bulk_operation_update_one_with_opts(bulk, writes[i]->filter, writes[i]->update,
                                                         writes[i]->upsert ? &upsert : NULL, &e));
    bool done = mongoc_bulk_operation_execute(bulk, &reply, &e) != 0;
    int r = 0;
    *ret_sent = true;
    if (!done && !has_entries(&reply, "writeErrors")) {
        r = mongo_failed(s, &e);
        *ret_sent = e.domain != MONGOC_ERROR_SERVER_SELECTION && !refused(&reply, &e);
    } else if (has_entries(&reply, "writeConcernErrors")) {
        r = ERR_UNAVAILABLE; /* the primary has it, and a majority perhaps not */
    } else {
        mongo_well(s);
        take_reply(&reply, count, ret_ok);
    }
    mongoc_bulk_operation_destroy(bulk);
    bson_destroy(&reply);
    bson_destroy(&opts);
    bson_destroy(&upsert);
    return r;
}
