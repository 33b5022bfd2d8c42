/* What an executor's batch will ask for, fetched in one round trip instead of one for each
 * question. It is kept until the batch ends; what was looked for and not found is kept as that.
 */
#include "adapters/postgres/postgres_private.h"

#include "base/check.h"
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>

struct fetched { /* one answer; of a document, an answer, or a dedupe key */
    bool found;
    struct store_doc doc;
    struct store_answer answer;
};

struct postgres_fetch {
    struct arena arena;
    struct map docs, answers, seen; /* key → struct fetched */
};

static struct str doc_key(struct arena *a, const struct store_collection *c, struct str id) {
    return arena_printf(a, "%s/%.*s", c->name, STR_ARG(id));
}

void postgres_fetch_end(struct postgres_store *s) {
    struct postgres_fetch *f = s->fetch;
    if (!f)
        return;
    map_free(&f->docs);
    map_free(&f->answers);
    map_free(&f->seen);
    arena_reset(&f->arena);
}

void postgres_fetch_free(struct postgres_store *s) {
    postgres_fetch_end(s);
    if (s->fetch)
        arena_free(&s->fetch->arena);
    free(s->fetch);
    s->fetch = NULL;
}

/* --- asking ----------------------------------------------------------------------------------- */

enum { TAG_ANSWERS, TAG_SEEN, TAG_TABLES }; /* then a tag for each table */

struct taking {
    struct postgres_store *store;
    struct postgres_fetch *fetch;
};

static void on_fetched(void *arg, int tag, const PGresult *r) {
    struct taking *t = arg;
    struct postgres_fetch *f = t->fetch;
    struct arena *a = &f->arena;
    for (int i = 0; i < PQntuples(r); i++) {
        struct str id = postgres_str(r, i, 0);
        struct fetched *x = NULL;
        if (tag == TAG_ANSWERS && (x = map_get(&f->answers, id)))
            x->answer = (struct store_answer){.key = arena_str(a, id),
                                              .at_us = postgres_i64(r, i, 1),
                                              .body_hash = (uint64_t)postgres_i64(r, i, 2),
                                              .status = (int32_t)postgres_i64(r, i, 3),
                                              .etag = arena_str(a, postgres_str(r, i, 4)),
                                              .body = arena_str(a, postgres_str(r, i, 5))};
        else if (tag == TAG_SEEN)
            x = map_get(&f->seen, id);
        else if (tag >= TAG_TABLES &&
                 (x = map_get(&f->docs, doc_key(a, t->store->tables[tag - TAG_TABLES].decl, id))))
            x->doc = (struct store_doc){.id = arena_str(a, id),
                                        .version = postgres_i64(r, i, 1),
                                        .wake_at_us = postgres_i64(r, i, 2),
                                        .commit_id = arena_str(a, postgres_str(r, i, 3)),
                                        .state = arena_str(a, postgres_str(r, i, 4))};
        if (x)
            x->found = true;
    }
}

/* Notes KEY in M, and in ARRAY, unless it is there. */
static void want(struct postgres_fetch *f, struct map *m, struct str key, struct str text,
                 struct postgres_array *array) {
    if (map_get(m, key))
        return;
    map_put(m, arena_str(&f->arena, key), arena_new(&f->arena, struct fetched));
    postgres_array_str(array, text);
}

static int ask(struct postgres_store *s, int tag, int statement, const char *sql,
               struct postgres_array *array) {
    struct postgres_params p = {.arena = &s->scratch};
    if (array->count == 0)
        return 0;
    postgres_add_array(&p, array);
    postgres_add(&s->link, tag, statement, sql, &p);
    return 1;
}

static int ask_documents(struct postgres_store *s, const struct store_want *wants, int32_t count) {
    int asked = 0;
    for (int i = 0; i < s->table_count; i++) {
        struct postgres_table *t = &s->tables[i];
        struct postgres_array ids;
        char sql[512];
        postgres_array_init(&ids, &s->scratch, POSTGRES_TEXT);
        for (int32_t w = 0; w < count; w++)
            if (wants[w].id.len && postgres_table_of(s, wants[w].collection) == t)
                want(s->fetch, &s->fetch->docs, doc_key(&s->scratch, t->decl, wants[w].id),
                     wants[w].id, &ids);
        snprintf(sql, sizeof sql,
                 "SELECT t.id, t.version, t.wake_at, t.commit_id, t.state"
                 " FROM unnest($1::text[]) AS w(id) JOIN %s t ON t.id = w.id",
                 t->decl->name);
        asked += ask(s, TAG_TABLES + i, t->statements + POSTGRES_T_GET_ALL, sql, &ids);
    }
    return asked;
}

void postgres_expect(struct store *store, const struct store_want *wants, int32_t count) {
    struct postgres_store *s = (struct postgres_store *)store;
    struct postgres_array answers, seen;
    if (!s->fetch) {
        s->fetch = xcalloc(1, sizeof *s->fetch);
        arena_init(&s->fetch->arena, 65536);
    }
    postgres_fetch_end(s);
    if (count < 2 || postgres_link_ready(&s->link) < 0)
        return; /* nothing is gained, or each question will find out for itself */
    arena_reset(&s->scratch);
    postgres_array_init(&answers, &s->scratch, POSTGRES_TEXT);
    postgres_array_init(&seen, &s->scratch, POSTGRES_TEXT);
    for (int32_t i = 0; i < count; i++) {
        if (wants[i].answer.p)
            want(s->fetch, &s->fetch->answers, wants[i].answer, wants[i].answer, &answers);
        if (wants[i].dedupe.p)
            want(s->fetch, &s->fetch->seen, wants[i].dedupe, wants[i].dedupe, &seen);
    }
    int asked = ask(s, TAG_ANSWERS, POSTGRES_ANSWERS_GET_ALL,
                    "SELECT a.key, a.at, a.body_hash, a.status, a.etag, a.body"
                    " FROM unnest($1::text[]) AS w(key) JOIN answers a ON a.key = w.key",
                    &answers);
    asked +=
        ask(s, TAG_SEEN, POSTGRES_SEEN_GET_ALL,
            "SELECT s.key FROM unnest($1::text[]) AS w(key) JOIN seen s ON s.key = w.key", &seen);
    asked += ask_documents(s, wants, count);
    struct taking t = {s, s->fetch};
    if (asked && postgres_run(&s->link, POSTGRES_READ_TIMEOUT_MS, on_fetched, &t) < 0)
        postgres_fetch_end(s); /* as if nobody had asked */
}

/* --- answering -------------------------------------------------------------------------------- */

bool postgres_fetched_doc(struct postgres_store *s, const struct store_collection *c, struct str id,
                          struct arena *a, struct store_doc *ret_doc, bool *ret_found) {
    const struct fetched *x =
        s->fetch && s->fetch->docs.count ? map_get(&s->fetch->docs, doc_key(a, c, id)) : NULL;
    if (!x)
        return false;
    *ret_found = x->found;
    if (x->found)
        *ret_doc = (struct store_doc){.id = arena_str(a, x->doc.id),
                                      .version = x->doc.version,
                                      .wake_at_us = x->doc.wake_at_us,
                                      .commit_id = arena_str(a, x->doc.commit_id),
                                      .state = arena_str(a, x->doc.state)};
    return true;
}

bool postgres_fetched_answer(struct postgres_store *s, struct str key, struct arena *a,
                             struct store_answer *ret_answer, bool *ret_found) {
    const struct fetched *x = s->fetch ? map_get(&s->fetch->answers, key) : NULL;
    if (!x)
        return false;
    *ret_found = x->found;
    if (x->found) {
        *ret_answer = x->answer;
        ret_answer->key = arena_str(a, key);
        ret_answer->etag = arena_str(a, x->answer.etag);
        ret_answer->body = arena_str(a, x->answer.body);
    }
    return true;
}

bool postgres_fetched_seen(struct postgres_store *s, struct str dedupe, bool *ret_found) {
    const struct fetched *x = s->fetch ? map_get(&s->fetch->seen, dedupe) : NULL;
    if (x)
        *ret_found = x->found;
    return x != NULL;
}
