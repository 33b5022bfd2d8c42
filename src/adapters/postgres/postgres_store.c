/* The port's operations on one handle, but for the batch (postgres_commit.c) and the outbox
 * (postgres_outbox.c). Statements are prepared when they are first needed on a connection.
 *
 * A reading handle reads lists that may lag where the options say; while no replica answers in
 * time, and for everything else, it reads where the writers write.
 */
#include "adapters/postgres/postgres_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "ports/store_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct postgres_store *self(struct store *s) {
    return (struct postgres_store *)s;
}

struct postgres_table *postgres_table_of(struct postgres_store *s,
                                         const struct store_collection *c) {
    for (int i = 0; i < s->table_count; i++)
        if (s->tables[i].decl == c)
            return &s->tables[i];
    for (int i = 0; i < s->table_count; i++)
        if (!strcmp(s->tables[i].decl->name, c->name))
            return &s->tables[i];
    UNREACHABLE(); /* a collection that the source was not opened with */
}

struct postgres_params postgres_params(struct postgres_store *s) {
    arena_reset(&s->scratch);
    return (struct postgres_params){.arena = &s->scratch};
}

int postgres_query(struct postgres_store *s, struct postgres_link *l, int statement,
                   const char *sql, const struct postgres_params *p, postgres_result_fn on_result,
                   void *arg) {
    int r = postgres_link_ready(l);
    if (r < 0)
        return r;
    postgres_add(l, 0, statement, sql, p);
    r = postgres_run(l, s->writer ? POSTGRES_READ_TIMEOUT_MS : POSTGRES_READER_TIMEOUT_MS,
                     on_result, arg);
    return r == ERR_UNKNOWN ? ERR_UNAVAILABLE : r == ERR_AGAIN ? ERR_BUSY : r;
}

/* --- reading ---------------------------------------------------------------------------------- */

#define DOC_COLUMNS "id, version, wake_at, commit_id, state"

struct docs {
    struct arena *arena;
    struct store_doc *docs;
    int32_t count;
};

static void on_docs(void *arg, int tag, const PGresult *r) {
    struct docs *d = arg;
    (void)tag;
    d->count = PQntuples(r);
    d->docs = arena_array(d->arena, struct store_doc, d->count + 1);
    for (int i = 0; i < d->count; i++)
        d->docs[i] = (struct store_doc){.id = arena_str(d->arena, postgres_str(r, i, 0)),
                                        .version = postgres_i64(r, i, 1),
                                        .wake_at_us = postgres_i64(r, i, 2),
                                        .commit_id = arena_str(d->arena, postgres_str(r, i, 3)),
                                        .state = arena_str(d->arena, postgres_str(r, i, 4))};
}

static int get(struct store *store, const struct store_collection *c, struct str id,
               struct arena *a, struct store_doc *ret_doc) {
    struct postgres_store *s = self(store);
    struct docs d = {.arena = a};
    char sql[POSTGRES_SQL_MAX];
    bool found = false;
    if (postgres_fetched_doc(s, c, id, a, ret_doc, &found)) {
        if (found)
            postgres_doubts_tell(s, c, id, a, ret_doc);
        return found ? 0 : ERR_NOT_FOUND;
    }
    struct postgres_params p = postgres_params(s);
    postgres_add_text(&p, id);
    snprintf(sql, sizeof sql, "SELECT " DOC_COLUMNS " FROM %s WHERE id = $1", c->name);
    int r = postgres_query(s, &s->link, postgres_table_of(s, c)->statements + POSTGRES_T_GET, sql,
                           &p, on_docs, &d);
    if (r == ERR_INVALID)
        return ERR_NOT_FOUND; /* an id that no text can be */
    if (r < 0)
        return r;
    if (d.count == 0)
        return ERR_NOT_FOUND;
    postgres_doubts_tell(s, c, id, a, &d.docs[0]);
    *ret_doc = d.docs[0];
    return 0;
}

/* One statement for each form, so that each has the plan that fits it. */
static void list_sql(const struct store_query *q, const struct postgres_params *p, bool low,
                     bool high, char sql[POSTGRES_SQL_MAX]) {
    int next = 1;
    struct buf b;
    buf_init(&b, p->arena, 256);
    buf_printf(&b, "SELECT " DOC_COLUMNS " FROM %s WHERE true", q->collection->name);
    if (low)
        buf_printf(&b, " AND id > $%d", next++);
    if (high)
        buf_printf(&b, " AND id < $%d", next++);
    if (q->index)
        buf_printf(&b, " AND " POSTGRES_KEY_COLUMN " = $%d", q->index, next++);
    buf_printf(&b, " ORDER BY id %s LIMIT $%d", q->ascending ? "ASC" : "DESC", next);
    CHECK(b.len < POSTGRES_SQL_MAX);
    memcpy(sql, b.p, b.len);
    sql[b.len] = 0;
}

/* On a standby what it has replayed, elsewhere where its log is. Asked before the list, so that the
 * list has at least that. */
#define POSITION_SQL                                                                               \
    "SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"           \
    " ELSE pg_current_wal_lsn() END, '0/0')::bigint"
enum { TAG_DOCS, TAG_POSITION };

static void on_position(void *arg, int tag, const PGresult *r) {
    (void)tag;
    *(int64_t *)arg = postgres_i64(r, 0, 0);
}

static void mark_primary(struct postgres_store *s, int64_t now_us) {
    struct arena none;
    struct postgres_params p = {.arena = &none};
    int64_t position = 0;
    arena_init(&none, 64);
    if (postgres_query(s, &s->link, POSTGRES_POSITION, POSITION_SQL, &p, on_position, &position) ==
        0)
        postgres_lag_mark(s->lag, now_us, position);
    arena_free(&none);
}

struct replica_list {
    struct docs *docs;
    int64_t position;
};

static void on_replica_list(void *arg, int tag, const PGresult *r) {
    struct replica_list *l = arg;
    if (tag == TAG_POSITION)
        on_position(&l->position, tag, r);
    else
        on_docs(l->docs, tag, r);
}

/* True: the replica has answered, and is near enough. */
static bool list_from_replica(struct postgres_store *s, int statement, const char *sql,
                              const struct postgres_params *p, struct docs *d) {
    const struct postgres_params none = {.arena = p->arena};
    struct replica_list l = {.docs = d};
    int64_t now_us = clock_mono_us();
    if (postgres_lag_turn(s->lag, now_us))
        mark_primary(s, now_us);
    if (now_us < s->replica_next_us) {
        s->counters->replica_behind++;
        return false;
    }
    int r = postgres_link_ready(&s->replica);
    if (r == 0) {
        postgres_add(&s->replica, TAG_POSITION, POSTGRES_POSITION, POSITION_SQL, &none);
        postgres_add(&s->replica, TAG_DOCS, statement, sql, p);
        r = postgres_run(&s->replica, POSTGRES_READER_TIMEOUT_MS, on_replica_list, &l);
    }
    bool near = r == 0 && postgres_lag_of(s->lag, l.position, now_us) <= s->lag->max_us;
    if (r == 0 && !near)
        s->replica_next_us = now_us + s->lag->each_us;
    s->counters->replica_lists += near;
    s->counters->replica_behind += r == 0 && !near;
    s->counters->replica_away += r != 0;
    return near;
}

static int list(struct store *store, const struct store_query *q, struct arena *a,
                struct store_doc **ret_docs, int32_t *ret_count) {
    struct postgres_store *s = self(store);
    struct docs d = {.arena = a};
    char sql[POSTGRES_SQL_MAX];
    store_query_check(q);
    struct str low = q->ascending ? q->after : q->until;
    struct str high = q->ascending ? q->until : q->after;
    int index = q->index ? store_index_of(q->collection, q->index) : STORE_KEYS_MAX;
    int statement = postgres_table_of(s, q->collection)->statements + POSTGRES_T_LIST + index * 8 +
                    q->ascending * 4 + (low.p ? 2 : 0) + (high.p ? 1 : 0);
    struct postgres_params p = postgres_params(s);
    if (low.p)
        postgres_add_text(&p, low);
    if (high.p)
        postgres_add_text(&p, high);
    if (q->index)
        postgres_add_text(&p, q->key);
    postgres_add_i32(&p, q->limit);
    list_sql(q, &p, low.p, high.p, sql);
    int r = 0;
    if (s->lag == NULL || !q->may_lag || !list_from_replica(s, statement, sql, &p, &d))
        r = postgres_query(s, &s->link, statement, sql, &p, on_docs, &d);
    if (r == ERR_INVALID) { /* a cursor or key that no text can be */
        d = (struct docs){0};
        r = 0;
    }
    if (r < 0)
        return r;
    *ret_docs = d.docs;
    *ret_count = d.count;
    return 0;
}

static int due(struct store *store, const struct store_collection *c, int64_t now_us, int32_t limit,
               struct arena *a, struct store_doc **ret_docs, int32_t *ret_count) {
    struct postgres_store *s = self(store);
    struct docs d = {.arena = a};
    char sql[POSTGRES_SQL_MAX];
    CHECK(c->timers && limit >= 1);
    struct postgres_params p = postgres_params(s);
    postgres_add_i64(&p, now_us);
    postgres_add_i32(&p, limit);
    snprintf(sql, sizeof sql,
             "SELECT id, version, wake_at, commit_id, NULL FROM %s WHERE wake_at <= $1"
             " ORDER BY wake_at, id LIMIT $2",
             c->name);
    int r = postgres_query(s, &s->link, postgres_table_of(s, c)->statements + POSTGRES_T_DUE, sql,
                           &p, on_docs, &d);
    if (r < 0)
        return r;
    *ret_docs = d.docs;
    *ret_count = d.count;
    return 0;
}

struct answering {
    struct arena *arena;
    struct store_answer *ret;
    bool found;
};

static void on_answer(void *arg, int tag, const PGresult *r) {
    struct answering *x = arg;
    (void)tag;
    x->found = PQntuples(r) == 1;
    if (x->found)
        *x->ret = (struct store_answer){.at_us = postgres_i64(r, 0, 0),
                                        .body_hash = (uint64_t)postgres_i64(r, 0, 1),
                                        .status = (int32_t)postgres_i64(r, 0, 2),
                                        .etag = arena_str(x->arena, postgres_str(r, 0, 3)),
                                        .body = arena_str(x->arena, postgres_str(r, 0, 4))};
}

static int answer(struct store *store, const struct store_collection *c, struct str key,
                  struct arena *a, struct store_answer *ret_answer) {
    (void)c; /* all keys are in one table */
    struct postgres_store *s = self(store);
    struct store_answer found;
    struct answering x = {.arena = a, .ret = &found};
    bool there = false;
    if (postgres_fetched_answer(s, key, a, ret_answer, &there))
        return there ? 0 : ERR_NOT_FOUND;
    struct postgres_params p = postgres_params(s);
    postgres_add_text(&p, key);
    int r = postgres_query(s, &s->link, POSTGRES_ANSWER_GET,
                           "SELECT at, body_hash, status, etag, body FROM answers WHERE key = $1",
                           &p, on_answer, &x);
    if (r == ERR_INVALID || (r == 0 && !x.found))
        return ERR_NOT_FOUND;
    if (r < 0)
        return r;
    found.key = arena_str(a, key);
    *ret_answer = found;
    return 0;
}

static void on_seen(void *arg, int tag, const PGresult *r) {
    (void)tag;
    *(bool *)arg = PQntuples(r) > 0;
}

static bool seen(struct store *store, const struct store_collection *c, struct str dedupe) {
    (void)c;
    struct postgres_store *s = self(store);
    bool found = false;
    if (postgres_fetched_seen(s, dedupe, &found))
        return found;
    struct postgres_params p = postgres_params(s);
    postgres_add_text(&p, dedupe);
    int r = postgres_query(s, &s->link, POSTGRES_SEEN_GET, "SELECT 1 FROM seen WHERE key = $1", &p,
                           on_seen, &found);
    return r == 0 && found;
}

/* --- retention -------------------------------------------------------------------------------- */

static void on_count(void *arg, int tag, const PGresult *r) {
    (void)tag;
    *(int64_t *)arg += postgres_i64(r, 0, 0);
}

/* What another writer is dropping at this moment is left to it. */
#define PRUNE_SQL(table)                                                                           \
    "WITH gone AS (DELETE FROM " table " WHERE key IN (SELECT key FROM " table                     \
    " WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1)"                     \
    " SELECT count(*) FROM gone"

static int prune(struct store *store, int64_t before_us, int32_t limit) {
    struct postgres_store *s = self(store);
    int64_t count = 0;
    CHECK(s->writer && limit >= 1);
    struct postgres_params p = postgres_params(s);
    postgres_add_i64(&p, before_us);
    postgres_add_i32(&p, limit);
    int r =
        postgres_query(s, &s->link, POSTGRES_PRUNE_SEEN, PRUNE_SQL("seen"), &p, on_count, &count);
    if (r == 0)
        r = postgres_query(s, &s->link, POSTGRES_PRUNE_ANSWERS, PRUNE_SQL("answers"), &p, on_count,
                           &count);
    return r < 0 ? r : (int)count;
}

static int prune_docs(struct store *store, const struct store_collection *c, struct str below_id,
                      int32_t limit) {
    struct postgres_store *s = self(store);
    struct postgres_table *t = postgres_table_of(s, c);
    int64_t count = 0;
    char sql[POSTGRES_SQL_MAX];
    CHECK(s->writer && limit >= 1 && below_id.p);
    char table[64];
    int days = c->daily ? postgres_daily_keep(s, t, below_id) : 0;
    if (days < 0)
        return days;
    snprintf(table, sizeof table, c->daily ? POSTGRES_DAILY_REST : "%s", c->name);
    struct postgres_params p = postgres_params(s);
    postgres_add_text(&p, below_id);
    postgres_add_i32(&p, limit);
    snprintf(sql, sizeof sql,
             "WITH gone AS (DELETE FROM %s WHERE id IN (SELECT id FROM %s WHERE id < $1"
             " ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1)"
             " SELECT count(*) FROM gone",
             table, table);
    int r =
        postgres_query(s, &s->link, t->statements + POSTGRES_T_PRUNE, sql, &p, on_count, &count);
    return r < 0 ? r : (int)count + days;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void end(struct store *store) {
    postgres_fetch_end(self(store));
}

static void close_handle(struct store *store) {
    struct postgres_store *s = self(store);
    if (s->writer && !s->beside)
        postgres_outbox_leave(s);
    postgres_link_free(&s->link);
    if (s->lag != NULL)
        postgres_link_free(&s->replica);
    if (s->writer)
        s->counters->writers--;
    else
        s->counters->readers--;
    arena_free(&s->scratch);
    free(s->doubts);
    postgres_fetch_free(s);
    free(s);
}

static const struct store_ops postgres_ops = {
    .get = get,
    .list = list,
    .commit = postgres_commit,
    .answer = answer,
    .seen = seen,
    .outbox_read = postgres_outbox_read,
    .due = due,
    .prune = prune,
    .prune_docs = prune_docs,
    .expect = postgres_expect,
    .end = end,
    .close = close_handle,
};

struct store *postgres_store_new(const struct postgres_target *target,
                                 const struct postgres_target *replica, struct postgres_lag *lag,
                                 bool writer, const struct postgres_options *o,
                                 struct postgres_counters *counters) {
    struct postgres_store *s =
        xcalloc(1, sizeof *s + sizeof s->tables[0] * (size_t)o->collection_count);
    int statements = POSTGRES_FIXED_COUNT + o->collection_count * POSTGRES_T_COUNT;
    s->store.ops = &postgres_ops;
    s->writer = writer;
    s->beside = o->beside;
    s->log = o->log;
    s->counters = counters;
    s->table_count = o->collection_count;
    for (int i = 0; i < o->collection_count; i++)
        s->tables[i] =
            (struct postgres_table){.decl = o->collections[i],
                                    .index_count = store_index_count(o->collections[i]),
                                    .statements = POSTGRES_FIXED_COUNT + i * POSTGRES_T_COUNT};
    arena_init(&s->scratch, 65536);
    postgres_link_init(&s->link, target, statements, o->log);
    s->link.reconnects = &counters->reconnects;
    s->link.up = writer ? &counters->writers_up : &counters->readers_up;
    s->link.patience_ms = writer ? POSTGRES_PATIENCE_MS : POSTGRES_READER_PATIENCE_MS;
    s->link.arg = s;
    s->link.setup = writer ? postgres_outbox_setup : NULL;
    if (lag != NULL && !writer) {
        s->lag = lag;
        postgres_link_init(&s->replica, replica, statements, o->log);
        s->replica.patience_ms = 0; /* there is another way */
    }
    if (writer)
        counters->writers++;
    else
        counters->readers++;
    return &s->store;
}
