#include "runtime/eraser.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"

#include <stddef.h>
#include <string.h>

#define ERASER_PAGE_MAX 100 /* documents looked at in one step */
#define ERASER_STEPS_MAX 20 /* in one tick */
#define ERASER_IDLE_US (5 * US_PER_S)

#define AT(member) .flags = S_STORE, .offset = offsetof(struct erasure, member)
static const struct schema_field fields[] = {
    {"since", S_TIME, AT(since_us)}, {"next", S_TIME, AT(next_us)}, {"target", S_I64, AT(target)},
    {"cursor", S_STR, AT(cursor)},   {"again", S_BOOL, AT(again)},
};
const struct schema erasure_schema = SCHEMA(struct erasure, "Erasure", fields);

void eraser_begin(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                  struct decision *ret) {
    if (state != NULL)
        return;
    struct erasure *e = arena_new(ctx->arena, struct erasure);
    *e = (struct erasure){.since_us = ctx->now_us, .next_us = ctx->now_us};
    decision_state(ret, cmd, NULL, e);
}

void eraser_take(struct event_turn *t, const struct ev_erased *e,
                 const struct command_type *begin) {
    if (id_valid(e->user_id, "usr"))
        event_command(t, begin, e->user_id, NULL);
}

/* ---- one page of one collection ---- */

struct step {
    const struct eraser *eraser;
    struct store *store;
    struct json_parser *parser;
    struct arena *arena;
    int64_t now_us;
    struct erasure *e;
};

static void fill_change(const struct step *s, const struct aggregate *g, void *state, bool remove,
                        struct store_change *ret) {
    const struct aggregate_head *head = state;
    *ret = (struct store_change){.collection = g->collection,
                                 .id = head->id,
                                 .expected_version = head->version,
                                 .remove = remove,
                                 .commit_id = STR("erase"),
                                 .at_us = s->now_us};
    if (remove)
        return;
    ret->state = schema_text(g->schema, state, S_STORE, s->arena);
    ret->wake_at_us = g->wake_at != NULL ? g->wake_at(state) : 0;
    if (g->keys != NULL)
        g->keys(state, s->arena, ret->keys);
}

/* The ULID stands in the ids of a user, of a driver, and of what is named after either. */
static bool names_him(const struct store_doc *doc, struct str user_id) {
    struct str ulid = str_sub(user_id, user_id.len - ULID_TEXT_LEN, user_id.len);
    return memmem(doc->state.p, doc->state.len, ulid.p, ulid.len) != NULL ||
           memmem(doc->id.p, doc->id.len, ulid.p, ulid.len) != NULL;
}

static enum eraser_verdict verdict_of(const struct step *s, const struct eraser_target *t,
                                      const struct store_doc *doc, void **ret_state) {
    if (t->index < 0 && !names_him(doc, s->e->head.id))
        return ERASE_KEEP;
    if (aggregate_decode(t->aggregate, doc, s->parser, s->arena, ret_state) < 0)
        return ERASE_KEEP; /* nobody can read it, then */
    return t->judge != NULL ? t->judge(*ret_state, s->e->head.id, s->arena) : ERASE_REMOVE;
}

/* Writes what has become of DOCS. False: some of it has not been written. */
static bool erase_page(const struct step *s, const struct eraser_target *t,
                       const struct store_doc *docs, int32_t count) {
    struct store_change *changes = arena_array(s->arena, struct store_change, count);
    int32_t n = 0;
    for (int32_t i = 0; i < count; i++) {
        void *state = NULL;
        enum eraser_verdict v = verdict_of(s, t, &docs[i], &state);
        if (v != ERASE_KEEP)
            fill_change(s, t->aggregate, state, v == ERASE_REMOVE, &changes[n++]);
    }
    if (n > 0 && s->store->ops->commit(s->store, changes, n, NULL, 0) < 0)
        return false;
    for (int32_t i = 0; i < n; i++) {
        if (changes[i].result < 0)
            return false;
    }
    return true;
}

/* ---- how far it has got ---- */

/* Writes E down, or that it has come to its end. */
static bool keep(const struct step *s, bool over) {
    struct store_change change;
    fill_change(s, s->eraser->aggregate, s->e, over, &change);
    int err = s->store->ops->commit(s->store, &change, 1, NULL, 0);
    s->e->head.version++;
    return err == 0 && change.result == 0;
}

static bool next_target(const struct step *s) {
    struct erasure *e = s->e;
    e->cursor = STR_NONE;
    if (++e->target < s->eraser->target_count)
        return keep(s, false);
    bool over = e->again;
    e->target = 0;
    e->again = true;
    e->next_us = e->since_us + ERASER_AGAIN_US;
    keep(s, over);
    return false; /* nothing to do for now */
}

/* True: there is more to do at once. */
static bool step(const struct step *s) {
    struct erasure *e = s->e;
    if (e->target < 0 || e->target >= s->eraser->target_count)
        e->target = 0; /* of a version that had more of them */
    const struct eraser_target *t = &s->eraser->targets[e->target];
    const struct store_collection *c = t->aggregate->collection;
    struct store_query q = {
        .collection = c, .after = e->cursor, .ascending = true, .limit = ERASER_PAGE_MAX};
    if (t->index >= 0) {
        q.index = c->indexes[t->index];
        q.key = t->key != NULL ? t->key(s->arena, e->head.id) : e->head.id;
    }
    struct store_doc *docs;
    int32_t count;
    if (s->store->ops->list(s->store, &q, s->arena, &docs, &count) < 0 ||
        !erase_page(s, t, docs, count))
        return false;
    if (count < q.limit)
        return next_target(s);
    e->cursor = docs[count - 1].id;
    return keep(s, false);
}

/* True: something was due. */
static bool go_on(struct step *s, const struct store_doc *doc) {
    void *state;
    if (aggregate_decode(s->eraser->aggregate, doc, s->parser, s->arena, &state) < 0)
        return false;
    s->e = state;
    if (s->now_us < s->e->next_us)
        return false;
    for (int i = 0; i < ERASER_STEPS_MAX && step(s); i++) {
    }
    return true;
}

void eraser_tick(const struct eraser *e, struct store *writer, int64_t *next_us, int64_t now_us) {
    if (now_us < *next_us)
        return;
    struct arena a;
    struct store_doc *docs;
    int32_t count;
    struct store_query q = {
        .collection = e->aggregate->collection, .ascending = true, .limit = ERASER_PAGE_MAX};
    arena_init(&a, 4096);
    *next_us = now_us + ERASER_IDLE_US;
    if (writer->ops->list(writer, &q, &a, &docs, &count) == 0 && count > 0) {
        struct json_parser *parser = json_parser_new();
        struct step s = {
            .eraser = e, .store = writer, .parser = parser, .arena = &a, .now_us = now_us};
        for (int32_t i = 0; i < count; i++) {
            if (go_on(&s, &docs[i]))
                *next_us = now_us; /* with the next tick */
        }
        json_parser_free(parser);
    }
    arena_free(&a);
}
