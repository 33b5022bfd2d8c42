/* What a batch is about to ask for, in one query for the documents of each collection and one or
 * two for its keys, instead of two for each command. It is kept until the commit, or the batch's
 * end.
 */
#include "adapters/mongo/mongo_private.h"

#include "base/check.h"
#include "base/err.h"

#include <stdio.h>

static const struct store_doc no_doc;
static const struct store_answer no_key, some_key = {.key = {"", 0}};

/* --- asking what was expected ----------------------------------------------------------------- */

static struct str name_of(struct arena *a, const char *kind, int table, struct str key) {
    return arena_printf(a, "%s%d %.*s", kind, table, STR_ARG(key));
}

const struct store_doc *mongo_expected_doc(struct mongo_store *s, int table, struct str id) {
    if (!s->expected.open)
        return NULL;
    return map_get(&s->expected.docs, name_of(&s->expected.a, "", table, id));
}

const struct store_answer *mongo_expected_key(struct mongo_store *s, bool dedupe, int table,
                                              struct str key) {
    if (!s->expected.open)
        return NULL;
    return map_get(&s->expected.keys, name_of(&s->expected.a, dedupe ? "d" : "a", table, key));
}

/* --- fetching --------------------------------------------------------------------------------- */

/* {FIELD: {$in: what the wants on TABLE have}}; returns how many, each once. */
struct picking {
    struct mongo_store *s;
    const struct store_want *wants;
    int32_t count;
    int table;
    bool dedupe; /* of keys: which */
};

static struct str want_of(const struct picking *k, int32_t i, bool docs) {
    const struct store_want *w = &k->wants[i];
    if (mongo_table_of(k->s, w->collection) != k->table)
        return STR_NONE;
    struct str want = docs ? w->id : k->dedupe ? w->dedupe : w->answer;
    bool sane = want.p != NULL && want.len > 0 && (!docs || want.len <= STORE_ID_MAX);
    return sane ? want : STR_NONE;
}

/* Each that is wanted is there for now as NOTHING. */
static uint32_t pick(const struct picking *k, bool docs, const char *field, bson_t *filter) {
    struct mongo_expected *x = &k->s->expected;
    bson_t in, list;
    char number[16];
    const char *at;
    uint32_t count = 0;
    bson_append_document_begin(filter, field, -1, &in);
    bson_append_array_begin(&in, "$in", -1, &list);
    for (int32_t i = 0; i < k->count; i++) {
        struct str want = want_of(k, i, docs);
        if (want.p == NULL)
            continue;
        struct str name = name_of(&x->a, docs ? "" : k->dedupe ? "d" : "a", k->table, want);
        struct map *map = docs ? &x->docs : &x->keys;
        const void *nothing = docs ? (const void *)&no_doc : (const void *)&no_key;
        if (map_put(map, name, (void *)(uintptr_t)nothing) != NULL)
            continue;
        bson_uint32_to_string(count++, &at, number, sizeof number);
        bson_add_str(&list, at, want);
    }
    bson_append_array_end(&in, &list);
    bson_append_document_end(filter, &in);
    return count;
}

static int fetch_docs(struct picking *k) {
    struct mongo_expected *x = &k->s->expected;
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
    struct store_doc *docs;
    int32_t found = 0;
    int r = 0;
    uint32_t count = pick(k, true, "_id", &filter);
    mongo_add_alive(&filter);
    mongo_add_projection(&opts);
    if (count > 0)
        r = mongo_find_docs(k->s, k->table, &filter, &opts, (int32_t)count, &x->a, &docs, &found);
    for (int32_t i = 0; r == 0 && i < found; i++)
        map_put(&x->docs, name_of(&x->a, "", k->table, docs[i].id), &docs[i]);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return r;
}

static int note_key(void *arg, const bson_t *doc) {
    struct picking *k = arg;
    for (struct bson_walk w = bson_walk(doc, k->dedupe ? "seen" : "answers"); bson_walk_next(&w);) {
        struct str key = bson_str(&w.doc, "k");
        if (key.p != NULL && mongo_expected_key(k->s, k->dedupe, k->table, key) != NULL)
            map_put(&k->s->expected.keys,
                    name_of(&k->s->expected.a, k->dedupe ? "d" : "a", k->table, key),
                    (void *)(uintptr_t)&some_key);
    }
    return 0;
}

static int fetch_keys(struct picking *k) {
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, projection;
    const char *field = k->dedupe ? "seen.k" : "answers.k";
    int r = 0;
    if (pick(k, false, field, &filter) > 0) {
        bson_append_document_begin(&opts, "projection", -1, &projection);
        bson_append_int32(&projection, field, -1, 1);
        bson_append_document_end(&opts, &projection);
        r = mongo_find(k->s, k->s->tables[k->table].docs, &filter, &opts, note_key, k);
    }
    bson_destroy(&filter);
    bson_destroy(&opts);
    return r;
}

/* --- the port's view -------------------------------------------------------------------------- */

int mongo_begin(struct store *store) {
    (void)store; /* there is nothing to hold on to; but what was expected ends */
    return 0;
}

void mongo_end(struct store *store) {
    struct mongo_expected *x = &mongo_self(store)->expected;
    if (!x->open)
        return;
    x->open = false;
    map_free(&x->docs);
    map_free(&x->keys);
    arena_free(&x->a);
}

void mongo_expect(struct store *store, const struct store_want *wants, int32_t count) {
    struct mongo_store *s = mongo_self(store);
    struct picking k = {.s = s, .wants = wants, .count = count};
    mongo_end(store);
    if (count < 2 || mongo_resolve(s) < 0)
        return;
    s->expected.open = true;
    arena_init(&s->expected.a, 65536);
    map_init(&s->expected.docs);
    map_init(&s->expected.keys);
    int r = 0;
    for (k.table = 0; r == 0 && k.table < s->table_count; k.table++) {
        r = fetch_docs(&k);
        k.dedupe = true;
        r = r < 0 ? r : fetch_keys(&k);
        k.dedupe = false;
        r = r < 0 ? r : fetch_keys(&k);
    }
    if (r < 0)
        mongo_end(store); /* half of it would be told as "none" */
}
