/* Collections and their indexes, made at start by whoever comes first; making one that is there
 * already does nothing. What the shape of the documents is, is noted in MONGO_META.
 */
#include "adapters/mongo/mongo_private.h"

#include "base/check.h"
#include "base/err.h"
#include "ports/store_check.h"

#include <string.h>

#define SECONDS_DEAD 3600 /* a handle that has not been heard of for so long is forgotten */

static int failed(const bson_error_t *e, struct arena *a, const char *doing, struct str *ret_why) {
    int code = mongo_error(e);
    *ret_why = arena_printf(a, "cannot %s: %s%s", doing, e->message,
                            code == ERR_DENIED ? " (the user needs the role readWrite on it)" : "");
    return code;
}

/* Declarations become names of collections and fields, so they must be plain words. */
static void check_name(const char *name) {
    size_t len = strlen(name);
    CHECK(len >= 1 && len <= 40 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len);
    CHECK(name[0] >= 'a' && name[0] <= 'z' && strncmp(name, "lorry_", 6) != 0);
}

/* --- indexes ---------------------------------------------------------------------------------- */

/* One more index in INDEXES: on FIELD (and THEN), of those documents that have FIELD. */
static void add_index(bson_t *indexes, const char *name, const char *field, const char *then,
                      bool unique) {
    bson_t index, part;
    char number[16];
    const char *at;
    bson_uint32_to_string(bson_count_keys(indexes), &at, number, sizeof number);
    CHECK(bson_append_document_begin(indexes, at, -1, &index));
    bson_append_document_begin(&index, "key", -1, &part);
    bson_append_int32(&part, field, -1, 1);
    if (then)
        bson_append_int32(&part, then, -1, 1);
    bson_append_document_end(&index, &part);
    bson_append_utf8(&index, "name", -1, name, -1);
    if (unique)
        bson_append_bool(&index, "unique", -1, true);
    if (then) { /* a sparse compound index would hold those that have either */
        bson_t exists;
        bson_append_document_begin(&index, "partialFilterExpression", -1, &part);
        bson_append_document_begin(&part, field, -1, &exists);
        bson_append_bool(&exists, "$exists", -1, true);
        bson_append_document_end(&part, &exists);
        bson_append_document_end(&index, &part);
    } else {
        bson_append_bool(&index, "sparse", -1, true);
    }
    CHECK(bson_append_document_end(indexes, &index));
}

static bool create_indexes(mongoc_client_t *client, const char *database, const char *collection,
                           const bson_t *indexes, bson_error_t *e) {
    bson_t command = BSON_INITIALIZER, reply;
    bson_append_utf8(&command, "createIndexes", -1, collection, -1);
    bson_append_array(&command, "indexes", -1, indexes);
    bool ok = mongoc_client_write_command_with_opts(client, database, &command, NULL, &reply, e);
    bson_destroy(&reply);
    bson_destroy(&command);
    return ok;
}

/* On a sharded collection only what begins with the shard key can be unique: there keys are looked
 * for, but two writers at the same instant are not kept apart by the server. */
static bool make_key_index(mongoc_client_t *client, const char *database, const char *collection,
                           const char *name, const char *field, bool unique, bson_error_t *e) {
    bson_t indexes = BSON_INITIALIZER;
    add_index(&indexes, name, field, NULL, unique);
    bool ok = create_indexes(client, database, collection, &indexes, e);
    bson_destroy(&indexes);
    if (ok || !unique || e->domain != MONGOC_ERROR_SERVER)
        return ok;
    bson_init(&indexes);
    add_index(&indexes, name, field, NULL, false);
    ok = create_indexes(client, database, collection, &indexes, e);
    bson_destroy(&indexes);
    return ok;
}

static int prepare_collection(mongoc_client_t *client, const char *database,
                              const struct store_collection *c, bool unique, struct arena *a,
                              struct str *ret_why) {
    bson_t indexes = BSON_INITIALIZER;
    bson_error_t e;
    check_name(c->name);
    for (int i = 0; i < store_index_count(c); i++) {
        check_name(c->indexes[i]);
        const char *field = arena_cstr(a, arena_printf(a, "k.%s", c->indexes[i]));
        add_index(&indexes, arena_cstr(a, arena_printf(a, "by_%s", c->indexes[i])), field, "_id",
                  false);
    }
    if (c->timers)
        add_index(&indexes, "wakes", "wake_at", "_id", false);
    add_index(&indexes, "outbox", "outbox.owner", NULL, false);
    add_index(&indexes, "keys", "keys_at", NULL, false);
    bool ok = create_indexes(client, database, c->name, &indexes, &e);
    bson_destroy(&indexes);
    ok = ok && make_key_index(client, database, c->name, "seen", "seen.k", unique, &e) &&
         make_key_index(client, database, c->name, "answers", "answers.k", unique, &e);
    return ok ? 0
              : failed(&e, a, arena_cstr(a, arena_printf(a, "make indexes on %s", c->name)),
                       ret_why);
}

static int prepare_nodes(mongoc_client_t *client, const char *database, struct arena *a,
                         struct str *ret_why) {
    bson_t indexes = BSON_INITIALIZER, index, key;
    bson_error_t e;
    bson_append_document_begin(&indexes, "0", -1, &index);
    bson_append_document_begin(&index, "key", -1, &key);
    bson_append_int32(&key, "beat_at", -1, 1);
    bson_append_document_end(&index, &key);
    bson_append_utf8(&index, "name", -1, "dead", -1);
    bson_append_int32(&index, "expireAfterSeconds", -1, SECONDS_DEAD);
    bson_append_document_end(&indexes, &index);
    bool ok = create_indexes(client, database, MONGO_NODES, &indexes, &e);
    bson_destroy(&indexes);
    return ok ? 0 : failed(&e, a, "make an index on " MONGO_NODES, ret_why);
}

/* --- the shape's version ---------------------------------------------------------------------- */

static int check_version(mongoc_client_t *client, const char *database, struct arena *a,
                         struct str *ret_why) {
    bson_t query = BSON_INITIALIZER, update = BSON_INITIALIZER, set, opts = BSON_INITIALIZER;
    bson_error_t e;
    const bson_t *doc;
    int64_t version = 0;
    mongoc_collection_t *meta = mongoc_client_get_collection(client, database, MONGO_META);
    bson_append_utf8(&query, "_id", -1, "schema", -1);
    bson_append_document_begin(&update, "$setOnInsert", -1, &set);
    bson_add_i64(&set, "version", MONGO_STORE_SCHEMA);
    bson_append_document_end(&update, &set);
    bson_append_bool(&opts, "upsert", -1, true);
    bool ok = mongoc_collection_update_one(meta, &query, &update, &opts, NULL, &e) ||
              e.code == 11000; /* somebody was there at the same instant */
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(meta, &query, NULL, NULL);
    if (ok && mongoc_cursor_next(cursor, &doc))
        version = bson_i64(doc, "version");
    ok = ok && !mongoc_cursor_error(cursor, &e);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(meta);
    bson_destroy(&query);
    bson_destroy(&update);
    bson_destroy(&opts);
    if (!ok)
        return failed(&e, a, "write to the database", ret_why);
    if (version > MONGO_STORE_SCHEMA) {
        *ret_why = arena_printf(a,
                                "database %s was written by a newer Lorry (schema %lld, this one "
                                "knows %d): use that version, or another database",
                                database, (long long)version, MONGO_STORE_SCHEMA);
        return ERR_INVALID;
    }
    return 0;
}

/* --- does the server keep keys apart? --------------------------------------------------------- */

/* Two documents whose lists share a key, and only one: some stand-ins let both in (and find less
 * where there is such an index). */
static bool server_keeps_apart(mongoc_client_t *client, const char *database) {
    static const char *const tries[] = {"{\"$set\":{\"seen\":[{\"k\":\"a\"},{\"k\":\"b\"}]}}",
                                        "{\"$set\":{\"seen\":[{\"k\":\"c\"},{\"k\":\"b\"}]}}"};
    bson_error_t e;
    bool kept = make_key_index(client, database, MONGO_META, "seen", "seen.k", true, &e);
    mongoc_collection_t *meta = mongoc_client_get_collection(client, database, MONGO_META);
    for (int i = 0; kept && i < 2; i++) {
        bson_t query = BSON_INITIALIZER, opts = BSON_INITIALIZER;
        bson_t *update = bson_new_from_json((const uint8_t *)tries[i], -1, &e);
        bson_append_utf8(&query, "_id", -1, i == 0 ? "one" : "two", -1);
        bson_append_bool(&opts, "upsert", -1, true);
        bool ok = mongoc_collection_update_one(meta, &query, update, &opts, NULL, &e);
        kept = i == 0 ? ok : !ok && e.code == 11000;
        bson_destroy(update);
        bson_destroy(&query);
        bson_destroy(&opts);
    }
    mongoc_collection_destroy(meta);
    return kept;
}

static bool has_unique(mongoc_client_t *client, const char *database, const char *collection) {
    const bson_t *index;
    int unique = 0;
    mongoc_collection_t *c = mongoc_client_get_collection(client, database, collection);
    mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(c, NULL);
    while (mongoc_cursor_next(cursor, &index)) {
        struct str name = bson_str(index, "name");
        bson_iter_t it;
        if (str_is(name, "seen") || str_is(name, "answers"))
            unique += bson_iter_init_find(&it, index, "unique") && bson_iter_as_bool(&it);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(c);
    return unique == 2;
}

int mongo_schema_prepare(mongoc_client_t *client, const char *database,
                         const struct mongo_options *o, bool *ret_unique, struct arena *a,
                         struct str *ret_why) {
    int r = check_version(client, database, a, ret_why);
    bool apart = r == 0 && server_keeps_apart(client, database);
    if (r == 0)
        r = prepare_nodes(client, database, a, ret_why);
    for (int i = 0; r == 0 && i < o->collection_count; i++) {
        r = prepare_collection(client, database, o->collections[i], apart, a, ret_why);
        ret_unique[i] = r == 0 && apart && has_unique(client, database, o->collections[i]->name);
    }
    return r;
}
