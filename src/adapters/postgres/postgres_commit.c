/* A batch, in one round trip and one transaction.
 *
 * The changes of one collection go as arrays to one statement, which looks for what stands against
 * each of them (dedupe key, answer key, version), writes those that may be written, and then their
 * keys, answers and events. What one change of the batch must see of another (the same document,
 * the same key) cannot be in the same statement, where all see the same snapshot; so the batch is
 * cut into waves: a change goes into the wave after the last one that shares a document or a key
 * with it. The waves' statements follow each other in the same round trip, and see each other.
 * Changes in one wave have nothing to do with each other, so their order does not matter, but for
 * the locks: all writers take them in the order of collections and ids.
 *
 * Documents are decided by their row locks. A dedupe or answer key that another transaction writes
 * at the same moment is not seen by the look for it, only by the insert, when the document has been
 * written already. Then the statement fails on purpose (retry_commit(), a serialization failure)
 * and the batch is done again, which sees that key. The same goes for deadlocks.
 */
#include "adapters/postgres/postgres_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/map.h"
#include "base/timestamp.h"
#include "ports/store_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMIT_TRIES_MAX 5

enum { TAG_CHANGES, TAG_REST };                                     /* of results */
enum verdict { VERDICT_DONE, VERDICT_CONFLICT, VERDICT_DUPLICATE }; /* as the statement says them */

/* --- the statement ---------------------------------------------------------------------------- */

/* Appends FORMAT with each index's name for "%s", in order. */
static void each_index(struct buf *b, const struct postgres_table *t, const char *before,
                       const char *after) {
    for (int i = 0; i < t->index_count; i++)
        buf_printf(b, "%s" POSTGRES_KEY_COLUMN "%s", before, t->decl->indexes[i], after);
}

/* The values are $1 …, in the order of add_changes, the owner, add_events and add_answers; the
 * keys' come last. "(x IN (…)) IS TRUE" keeps it a hashed lookup. */
#define FIRST_KEY_PARAM 29

/* What goes with the documents that were hit. */
static void commit_sql_rest(struct buf *b) {
    buf_add_cstr(
        b, " ok AS MATERIALIZED (SELECT ord, dedupe, at FROM good"
           " WHERE (id IN (SELECT id FROM hit)) IS TRUE),"
           " s AS (INSERT INTO seen(key, at) SELECT dedupe, at FROM ok WHERE dedupe IS NOT NULL"
           " ORDER BY dedupe ON CONFLICT DO NOTHING RETURNING 1),"
           " x AS MATERIALIZED (SELECT * FROM unnest($21::int4[], $22::text[], $23::int8[],"
           " $24::int8[], $25::int4[], $26::text[], $27::text[])"
           " AS u(ord, key, at, body_hash, status, etag, body)"
           " WHERE (ord IN (SELECT ord FROM ok)) IS TRUE),"
           " a AS (INSERT INTO answers(key, at, body_hash, status, etag, body)"
           " SELECT key, at, body_hash, status, etag, body FROM x ORDER BY key"
           " ON CONFLICT DO NOTHING RETURNING 1),"
           " o AS (INSERT INTO outbox(owner, seq, id, type, key, at, request_id, traceparent, data)"
           " SELECT $11::int8, seq, id, type, key, at, request_id, traceparent, data FROM"
           " unnest($12::int4[], $13::int8[], $14::text[], $15::text[], $16::text[], $17::int8[],"
           " $18::text[], $19::text[], $20::text[]) AS u(ord, seq, id, type, key, at, request_id, "
           "traceparent, data)"
           " WHERE (ord IN (SELECT ord FROM ok)) IS TRUE)"
           ", n AS (UPDATE nodes SET batch = $28, done = CASE WHEN batch = $28 THEN done END ||"
           " ARRAY(SELECT ord FROM ok) WHERE node = $11)"
           " SELECT ord, CASE WHEN ord IN (SELECT ord FROM ok) THEN 0"
           " WHEN ord IN (SELECT ord FROM good) THEN 1 ELSE 2 END,"
           " CASE WHEN (SELECT count(*) FROM s) <>"
           " (SELECT count(*) FROM ok WHERE dedupe IS NOT NULL)"
           " OR (SELECT count(*) FROM a) <> (SELECT count(*) FROM x) THEN retry_commit() END"
           " FROM c");
}

static void commit_sql(const struct postgres_table *t, struct buf *b) {
    const char *name = t->decl->name;
    buf_add_cstr(b, "WITH c AS MATERIALIZED (SELECT * FROM unnest($1::int4[], $2::text[],"
                    " $3::int8[], $4::bool[], $5::jsonb[], $6::int8[], $7::text[], $8::text[],"
                    " $9::int8[], $10::text[]");
    for (int i = 0; i < t->index_count; i++)
        buf_printf(b, ", $%d::text[]", FIRST_KEY_PARAM + i);
    buf_add_cstr(b, ") AS u(ord, id, expected, remove, state, wake_at, commit_id, dedupe, at,"
                    " answer");
    each_index(b, t, ", ", "");
    buf_add_cstr(b, ")),"
                    " good AS MATERIALIZED (SELECT c.* FROM c"
                    " LEFT JOIN seen s ON s.key = c.dedupe LEFT JOIN answers a ON a.key = c.answer"
                    " WHERE s.key IS NULL AND a.key IS NULL),");
    buf_printf(b, " ins AS (INSERT INTO %s(id, version, wake_at, commit_id, state", name);
    each_index(b, t, ", ", "");
    buf_add_cstr(b, ") SELECT id, 1, wake_at, commit_id, state");
    each_index(b, t, ", ", "");
    buf_add_cstr(b, " FROM good WHERE expected = 0 AND NOT remove"
                    " ON CONFLICT (id) DO NOTHING RETURNING id),");
    if (t->decl->daily) { /* only ever created */
        buf_add_cstr(b, " hit AS (SELECT id FROM ins),");
        commit_sql_rest(b);
        return;
    }
    buf_printf(b,
               " upd AS (UPDATE %s t SET version = t.version + 1, wake_at = g.wake_at,"
               " commit_id = g.commit_id, state = g.state",
               name);
    for (int i = 0; i < t->index_count; i++)
        buf_printf(b, ", " POSTGRES_KEY_COLUMN " = g." POSTGRES_KEY_COLUMN, t->decl->indexes[i],
                   t->decl->indexes[i]);
    buf_printf(b,
               " FROM good g WHERE t.id = g.id AND t.version = g.expected AND NOT g.remove"
               " RETURNING t.id),"
               " del AS (DELETE FROM %s t USING good g WHERE t.id = g.id"
               " AND t.version = g.expected AND g.remove RETURNING t.id),"
               " hit AS (SELECT id FROM ins UNION ALL SELECT id FROM upd UNION ALL"
               " SELECT id FROM del UNION ALL SELECT id FROM good WHERE remove AND expected = 0"
               " AND NOT EXISTS (SELECT FROM %s t WHERE t.id = good.id)),",
               name, name);
    commit_sql_rest(b);
}

/* --- waves ------------------------------------------------------------------------------------ */

struct slot { /* of a change in the order in which the batch is sent */
    const struct store_change *change;
    int32_t ord; /* its place in the caller's array */
    int32_t wave, table;
    int64_t seq; /* of its first event */
};

/* Who shares KEY goes beyond the wave in which it was used last. */
static void after_last(const struct map *m, struct str key, int32_t *wave) {
    const int32_t *next = key.p ? map_get(m, key) : NULL;
    if (next && *next > *wave)
        *wave = *next;
}

static void used(struct map *m, struct str key, int32_t *next) {
    if (key.p)
        map_put(m, key, next);
}

static void cut_waves(struct slot *slots, int32_t count, struct arena *a) {
    struct map docs, dedupes, answers;
    map_init(&docs);
    map_init(&dedupes);
    map_init(&answers);
    for (int32_t i = 0; i < count; i++) {
        const struct store_change *c = slots[i].change;
        struct str doc = arena_printf(a, "%s/%.*s", c->collection->name, STR_ARG(c->id));
        struct str answer = c->answer ? c->answer->key : STR_NONE;
        int32_t *next = arena_new(a, int32_t);
        after_last(&docs, doc, &slots[i].wave);
        after_last(&dedupes, c->dedupe, &slots[i].wave);
        after_last(&answers, answer, &slots[i].wave);
        *next = slots[i].wave + 1;
        used(&docs, doc, next);
        used(&dedupes, c->dedupe, next);
        used(&answers, answer, next);
    }
    map_free(&docs);
    map_free(&dedupes);
    map_free(&answers);
}

static int by_wave_table_id(const void *va, const void *vb) {
    const struct slot *a = va, *b = vb;
    if (a->wave != b->wave)
        return a->wave < b->wave ? -1 : 1;
    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    return str_cmp(a->change->id, b->change->id);
}

/* Gives the changes their seqs, waves and order. Seqs are used up even if nothing is written: one
 * that may lie in the store must not be given again. */
static struct slot *plan(struct postgres_store *s, struct store_change *changes, int32_t count) {
    struct slot *slots = arena_array(&s->scratch, struct slot, count + 1);
    for (int32_t i = 0; i < count; i++) {
        slots[i] = (struct slot){.change = &changes[i],
                                 .ord = i,
                                 .table = postgres_table_of(s, changes[i].collection)->statements,
                                 .seq = s->last_seq + 1};
        s->last_seq += changes[i].event_count;
    }
    cut_waves(slots, count, &s->scratch);
    qsort(slots, (size_t)count, sizeof *slots, by_wave_table_id);
    return slots;
}

/* --- sending ---------------------------------------------------------------------------------- */

enum { C_ORD, C_ID, C_EXPECTED, C_REMOVE, C_STATE, C_WAKE, C_COMMIT, C_DEDUPE, C_AT, C_ANSWER };

static void add_changes(struct postgres_params *p, const struct slot *slots, int32_t count) {
    static const enum postgres_type types[] = {
        POSTGRES_I32, POSTGRES_TEXT, POSTGRES_I64,  POSTGRES_BOOL, POSTGRES_JSONB,
        POSTGRES_I64, POSTGRES_TEXT, POSTGRES_TEXT, POSTGRES_I64,  POSTGRES_TEXT};
    struct postgres_array v[COUNT_OF(types)];
    for (size_t i = 0; i < COUNT_OF(types); i++)
        postgres_array_init(&v[i], p->arena, types[i]);
    for (int32_t i = 0; i < count; i++) {
        const struct store_change *c = slots[i].change;
        int64_t at_us = store_change_at(c);
        postgres_array_i32(&v[C_ORD], slots[i].ord);
        postgres_array_str(&v[C_ID], c->id);
        postgres_array_i64(&v[C_EXPECTED], c->expected_version);
        postgres_array_bool(&v[C_REMOVE], c->remove);
        postgres_array_str(&v[C_STATE], c->remove ? STR_NONE : c->state);
        if (c->wake_at_us)
            postgres_array_i64(&v[C_WAKE], c->wake_at_us);
        else
            postgres_array_null(&v[C_WAKE]);
        postgres_array_str(&v[C_COMMIT], c->commit_id);
        postgres_array_str(&v[C_DEDUPE], c->dedupe);
        postgres_array_i64(&v[C_AT], at_us ? at_us : clock_wall_us());
        postgres_array_str(&v[C_ANSWER], c->answer ? c->answer->key : STR_NONE);
    }
    for (size_t i = 0; i < COUNT_OF(types); i++)
        postgres_add_array(p, &v[i]);
}

enum { E_ORD, E_SEQ, E_ID, E_TYPE, E_KEY, E_AT, E_REQUEST, E_TRACE, E_DATA };

static void add_events(struct postgres_params *p, const struct slot *slots, int32_t count) {
    static const enum postgres_type types[] = {POSTGRES_I32,  POSTGRES_I64,  POSTGRES_TEXT,
                                               POSTGRES_TEXT, POSTGRES_TEXT, POSTGRES_I64,
                                               POSTGRES_TEXT, POSTGRES_TEXT, POSTGRES_TEXT};
    struct postgres_array v[COUNT_OF(types)];
    for (size_t i = 0; i < COUNT_OF(types); i++)
        postgres_array_init(&v[i], p->arena, types[i]);
    for (int32_t i = 0; i < count; i++) {
        const struct event *events = slots[i].change->events;
        for (int32_t n = 0; n < slots[i].change->event_count; n++) {
            postgres_array_i32(&v[E_ORD], slots[i].ord);
            postgres_array_i64(&v[E_SEQ], slots[i].seq + n);
            postgres_array_str(&v[E_ID], events[n].id);
            postgres_array_str(&v[E_TYPE], events[n].type);
            postgres_array_str(&v[E_KEY], events[n].key);
            postgres_array_i64(&v[E_AT], events[n].at_us);
            postgres_array_str(&v[E_REQUEST], events[n].request_id);
            postgres_array_str(&v[E_TRACE], events[n].traceparent);
            postgres_array_str(&v[E_DATA], events[n].data);
        }
    }
    for (size_t i = 0; i < COUNT_OF(types); i++)
        postgres_add_array(p, &v[i]);
}

enum { A_ORD, A_KEY, A_AT, A_HASH, A_STATUS, A_ETAG, A_BODY };

static void add_answers(struct postgres_params *p, const struct slot *slots, int32_t count) {
    static const enum postgres_type types[] = {POSTGRES_I32, POSTGRES_TEXT, POSTGRES_I64,
                                               POSTGRES_I64, POSTGRES_I32,  POSTGRES_TEXT,
                                               POSTGRES_TEXT};
    struct postgres_array v[COUNT_OF(types)];
    for (size_t i = 0; i < COUNT_OF(types); i++)
        postgres_array_init(&v[i], p->arena, types[i]);
    for (int32_t i = 0; i < count; i++) {
        const struct store_answer *answer = slots[i].change->answer;
        if (!answer)
            continue;
        int64_t at_us = store_change_at(slots[i].change);
        postgres_array_i32(&v[A_ORD], slots[i].ord);
        postgres_array_str(&v[A_KEY], answer->key);
        postgres_array_i64(&v[A_AT], at_us ? at_us : clock_wall_us());
        postgres_array_i64(&v[A_HASH], (int64_t)answer->body_hash);
        postgres_array_i32(&v[A_STATUS], answer->status);
        postgres_array_str(&v[A_ETAG], answer->etag);
        postgres_array_str(&v[A_BODY], answer->body);
    }
    for (size_t i = 0; i < COUNT_OF(types); i++)
        postgres_add_array(p, &v[i]);
}

static void add_keys(struct postgres_params *p, const struct postgres_table *t,
                     const struct slot *slots, int32_t count) {
    for (int k = 0; k < t->index_count; k++) {
        struct postgres_array v;
        postgres_array_init(&v, p->arena, POSTGRES_TEXT);
        for (int32_t i = 0; i < count; i++)
            postgres_array_str(&v, slots[i].change->keys[k]);
        postgres_add_array(p, &v);
    }
}

/* COUNT changes of one wave and one collection. */
static void send_group(struct postgres_store *s, const struct slot *slots, int32_t count) {
    const struct postgres_table *t = postgres_table_of(s, slots[0].change->collection);
    struct postgres_params p = {.arena = &s->scratch};
    int statement = t->statements + POSTGRES_T_COMMIT;
    struct buf sql;
    add_changes(&p, slots, count);
    postgres_add_i64(&p, s->beside ? 0 : s->node);
    add_events(&p, slots, count);
    add_answers(&p, slots, count);
    postgres_add_i64(&p, s->batch);
    add_keys(&p, t, slots, count);
    buf_init(&sql, &s->scratch, POSTGRES_SQL_MAX);
    if (!s->link.prepared[statement])
        commit_sql(t, &sql);
    buf_add_char(&sql, 0);
    postgres_add(&s->link, TAG_CHANGES, statement, sql.p, &p);
}

static void send_removes(struct postgres_store *s, const int64_t *seqs, int32_t count) {
    struct postgres_params p = {.arena = &s->scratch};
    struct postgres_array v;
    postgres_array_init(&v, &s->scratch, POSTGRES_I64);
    for (int32_t i = 0; i < count; i++)
        postgres_array_i64(&v, seqs[i]);
    postgres_add_i64(&p, s->node);
    postgres_add_array(&p, &v);
    postgres_add(&s->link, TAG_REST, POSTGRES_OUTBOX_REMOVE,
                 "DELETE FROM outbox o USING unnest($2::int8[]) AS gone(seq)"
                 " WHERE o.owner = $1 AND o.seq = gone.seq",
                 &p);
}

/* --- the batch -------------------------------------------------------------------------------- */

struct verdicts {
    struct store_change *changes;
    int32_t count, given;
};

static void on_verdicts(void *arg, int tag, const PGresult *r) {
    static const int codes[] = {
        [VERDICT_DONE] = 0, [VERDICT_CONFLICT] = ERR_CONFLICT, [VERDICT_DUPLICATE] = ERR_DUPLICATE};
    struct verdicts *v = arg;
    if (tag != TAG_CHANGES)
        return;
    for (int row = 0; row < PQntuples(r); row++) {
        int64_t ord = postgres_i64(r, row, 0), verdict = postgres_i64(r, row, 1);
        CHECK(ord >= 0 && ord < v->count && verdict >= 0 && verdict <= VERDICT_DUPLICATE);
        v->changes[ord].result = codes[verdict];
        v->given++;
    }
}

/* One round trip. ERR_AGAIN: nothing was written, but it may go better now. */
static int try_batch(struct postgres_store *s, struct store_change *changes, int32_t count,
                     const int64_t *remove_seqs, int32_t remove_count) {
    struct verdicts v = {.changes = changes, .count = count};
    s->batch++;
    arena_reset(&s->scratch);
    struct slot *slots = plan(s, changes, count);
    for (int32_t from = 0, to; from < count; from = to) {
        to = from + 1;
        while (to < count && slots[to].wave == slots[from].wave &&
               slots[to].table == slots[from].table)
            to++;
        send_group(s, &slots[from], to - from);
    }
    if (remove_count)
        send_removes(s, remove_seqs, remove_count);
    if (s->beside) /* nobody's events: whoever hears it first takes them */
        postgres_add(&s->link, TAG_REST, POSTGRES_NOTIFY, POSTGRES_NOTIFY_SQL,
                     &(struct postgres_params){0});
    int r = postgres_run(&s->link, POSTGRES_COMMIT_TIMEOUT_MS, on_verdicts, &v);
    if (r == 0 && s->link.doubt) {
        postgres_link_drop(&s->link, "the server warned that a commit may not be replicated");
        r = ERR_UNKNOWN;
    }
    CHECK(r < 0 || v.given == count);
    if (r == ERR_UNKNOWN)
        postgres_doubt(s, changes, count);
    return r;
}

static int commit_whole(struct postgres_store *s, struct store_change *changes, int32_t count,
                        const int64_t *remove_seqs, int32_t remove_count) {
    int r = ERR_AGAIN;
    for (int i = 0; i < COMMIT_TRIES_MAX && r == ERR_AGAIN; i++) {
        if (i > 0)
            s->counters->commits_retried++;
        r = postgres_link_ready(&s->link);
        if (r < 0)
            break;
        r = try_batch(s, changes, count, remove_seqs, remove_count);
        if (r == ERR_UNAVAILABLE && s->link.error.fatal)
            r = ERR_AGAIN; /* its session was ended before it wrote: a new one may be at hand */
    }
    return r == ERR_AGAIN ? ERR_BUSY : r;
}

/* Something in the batch is text that the server does not take. One by one, so that only that one
 * fails; the rest of a batch is not to suffer for it. */
static int commit_each(struct postgres_store *s, struct store_change *changes, int32_t count,
                       const int64_t *remove_seqs, int32_t remove_count) {
    int r = remove_count ? commit_whole(s, NULL, 0, remove_seqs, remove_count) : 0;
    for (int32_t i = 0; r == 0 && i < count; i++) {
        r = commit_whole(s, &changes[i], 1, NULL, 0);
        if (r != ERR_INVALID)
            continue;
        log_error(s->log, "store: PostgreSQL refuses a %s: %s", changes[i].collection->name,
                  s->link.error.text);
        changes[i].result = r;
        r = 0;
    }
    return r;
}

int postgres_commit(struct store *store, struct store_change *changes, int32_t count,
                    const int64_t *remove_seqs, int32_t remove_count) {
    struct postgres_store *s = (struct postgres_store *)store;
    CHECK(s->writer);
    store_batch_check(changes, count, remove_count);
    postgres_fetch_end(s);
    if (count == 0 && remove_count == 0)
        return 0;
    int r = commit_whole(s, changes, count, remove_seqs, remove_count);
    if (r == ERR_INVALID)
        r = commit_each(s, changes, count, remove_seqs, remove_count);
    for (int32_t i = 0; r < 0 && i < count; i++)
        changes[i].result = r;
    return r;
}
