/* The port's operations on one SQLite connection. Statements are prepared when they are first
 * needed and kept as long as the handle; values are bound without copies, since every statement is
 * reset before its operation returns.
 *
 * A commit is BEGIN IMMEDIATE … COMMIT around the whole batch. Each change first looks whether
 * anything stands against it (dedupe key, answer key, version; of a new document the insert itself
 * finds out) and writes only then, so that one which fails has left nothing to undo. An error of
 * the disk undoes the batch.
 */
#include "adapters/sqlite/sqlite_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "ports/store_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An update writes the key and wake columns (and so their indexes) only if they changed: one
 * statement for each set of changed ones. */
#define WAKE_BIT (1u << STORE_KEYS_MAX)
#define UPDATE_FORMS (WAKE_BIT * 2)

struct table {
    const struct store_collection *decl;
    int index_count;
    sqlite3_stmt *get, *head, *insert, *remove, *due, *prune;
    sqlite3_stmt *update[UPDATE_FORMS];
    sqlite3_stmt *list[STORE_KEYS_MAX + 1][2]; /* [index, last: none][ascending] */
};

enum fixed {
    BEGIN,
    COMMIT,
    ROLLBACK,
    SEEN_GET,
    SEEN_ADD,
    ANSWER_GET,
    ANSWER_ADD,
    SEQ_GET,
    SEQ_SET,
    OUTBOX_ADD,
    OUTBOX_REMOVE,
    OUTBOX_READ,
    PRUNE_SEEN,
    PRUNE_ANSWERS,
    FIXED_COUNT
};

static const char *const fixed_sql[FIXED_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [SEEN_GET] = "SELECT 1 FROM seen WHERE key = ?",
    [SEEN_ADD] = "INSERT INTO seen(key, at) VALUES(?, ?)",
    [ANSWER_GET] = "SELECT at, body_hash, status, etag, body FROM answers WHERE key = ?",
    [ANSWER_ADD] = "INSERT INTO answers(key, at, body_hash, status, etag, body)"
                   " VALUES(?, ?, ?, ?, ?, ?)",
    [SEQ_GET] = "SELECT value FROM counters WHERE name = 'outbox_seq'",
    [SEQ_SET] = "UPDATE counters SET value = ? WHERE name = 'outbox_seq'",
    [OUTBOX_ADD] = "INSERT INTO outbox(seq, id, type, key, at, request_id, traceparent,"
                   " data) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
    [OUTBOX_REMOVE] = "DELETE FROM outbox WHERE seq BETWEEN ? AND ?",
    [OUTBOX_READ] = "SELECT seq, id, type, key, at, request_id, traceparent, data FROM outbox"
                    " WHERE seq > ? ORDER BY seq LIMIT ?",
    [PRUNE_SEEN] = "DELETE FROM seen WHERE key IN"
                   " (SELECT key FROM seen WHERE at < ? ORDER BY at LIMIT ?)",
    [PRUNE_ANSWERS] = "DELETE FROM answers WHERE rowid IN"
                      " (SELECT rowid FROM answers WHERE at < ? ORDER BY at LIMIT ?)",
};

struct sqlite_store {
    struct store store; /* first: the port's view */
    sqlite3 *db;
    const struct log *log;
    bool writer;
    int last_error; /* SQLite's; a failing disk is logged when it starts to fail, not each time */
    int64_t seq;    /* of the last event, within a commit; -1: not read yet */
    sqlite3_stmt *fixed[FIXED_COUNT];
    int table_count;
    struct table tables[];
};

static struct sqlite_store *self(struct store *s) {
    return (struct sqlite_store *)s;
}

static int failed(struct sqlite_store *s, int rc) {
    if (rc != s->last_error && (rc & 0xff) != SQLITE_BUSY)
        log_error(s->log, "store: %s (SQLite %d)", sqlite3_errmsg(s->db), rc);
    s->last_error = rc;
    return sqlite_error(rc);
}

/* --- statements ------------------------------------------------------------------------------- */

/* *SLOT, prepared from SQL if it is not yet. */
static int prepare(struct sqlite_store *s, sqlite3_stmt **slot, const char *sql) {
    int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, slot, NULL);
    return rc == SQLITE_OK ? 0 : failed(s, rc);
}

static int fixed(struct sqlite_store *s, enum fixed which, sqlite3_stmt **ret) {
    int r = s->fixed[which] ? 0 : prepare(s, &s->fixed[which], fixed_sql[which]);
    *ret = s->fixed[which];
    return r;
}

static void bind_str(sqlite3_stmt *st, int i, struct str v) {
    CHECK((v.p ? sqlite3_bind_text64(st, i, v.p, v.len, SQLITE_STATIC, SQLITE_UTF8)
               : sqlite3_bind_null(st, i)) == SQLITE_OK);
}

static void bind_i64(sqlite3_stmt *st, int i, int64_t v) {
    CHECK(sqlite3_bind_int64(st, i, v) == SQLITE_OK);
}

static struct str column_str(sqlite3_stmt *st, int i) {
    const char *p = (const char *)sqlite3_column_text(st, i);
    return (struct str){p, p ? (size_t)sqlite3_column_bytes(st, i) : 0};
}

/* Runs a statement that gives no rows. */
static int run(struct sqlite_store *s, sqlite3_stmt *st) {
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    if (rc != SQLITE_DONE)
        return failed(s, rc);
    s->last_error = 0;
    return 0;
}

static int run_fixed(struct sqlite_store *s, enum fixed which) {
    sqlite3_stmt *st;
    int r = fixed(s, which, &st);
    return r < 0 ? r : run(s, st);
}

/* 1: there is a row, and ST stands on it; 0: there is none, and ST is reset; or an error. */
static int next_row(struct sqlite_store *s, sqlite3_stmt *st) {
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        return 1;
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? 0 : failed(s, rc);
}

static struct table *table_of(struct sqlite_store *s, const struct store_collection *c) {
    for (int i = 0; i < s->table_count; i++)
        if (s->tables[i].decl == c)
            return &s->tables[i];
    for (int i = 0; i < s->table_count; i++)
        if (!strcmp(s->tables[i].decl->name, c->name))
            return &s->tables[i];
    UNREACHABLE(); /* a collection that the source was not opened with */
}

/* --- reading ---------------------------------------------------------------------------------- */

#define DOC_COLUMNS "id, version, wake_at, commit_id, state"

static struct store_doc read_doc(sqlite3_stmt *st, struct arena *a) {
    return (struct store_doc){.id = arena_str(a, column_str(st, 0)),
                              .version = sqlite3_column_int64(st, 1),
                              .wake_at_us = sqlite3_column_int64(st, 2),
                              .commit_id = arena_str(a, column_str(st, 3)),
                              .state = arena_str(a, column_str(st, 4))};
}

static int get(struct store *store, const struct store_collection *c, struct str id,
               struct arena *a, struct store_doc *ret_doc) {
    struct sqlite_store *s = self(store);
    struct table *t = table_of(s, c);
    if (!t->get) {
        char sql[SQLITE_SQL_MAX];
        snprintf(sql, sizeof sql, "SELECT " DOC_COLUMNS " FROM %s WHERE id = ?", c->name);
        int r = prepare(s, &t->get, sql);
        if (r < 0)
            return r;
    }
    bind_str(t->get, 1, id);
    int r = next_row(s, t->get);
    if (r <= 0)
        return r < 0 ? r : ERR_NOT_FOUND;
    *ret_doc = read_doc(t->get, a);
    sqlite3_reset(t->get);
    return 0;
}

/* All rows of ST as documents, at most LIMIT. */
static int read_docs(struct sqlite_store *s, sqlite3_stmt *st, int32_t limit, struct arena *a,
                     struct store_doc **ret_docs, int32_t *ret_count) {
    struct store_doc *docs = arena_array(a, struct store_doc, limit);
    int32_t n = 0;
    int r;
    while ((r = next_row(s, st)) == 1) {
        CHECK(n < limit);
        docs[n++] = read_doc(st, a);
    }
    if (r < 0)
        return r;
    *ret_docs = docs;
    *ret_count = n;
    return 0;
}

/* INDEXED BY makes sure, when the statement is prepared, that no list ever walks a whole table. */
static int prepare_list(struct sqlite_store *s, struct table *t, int index, bool ascending) {
    char sql[SQLITE_SQL_MAX];
    const char *name = t->decl->name, *order = ascending ? "ASC" : "DESC";
    if (index == STORE_KEYS_MAX) {
        snprintf(sql, sizeof sql,
                 "SELECT " DOC_COLUMNS " FROM %s WHERE id > ?1 AND id < ?2"
                 " ORDER BY id %s LIMIT ?3",
                 name, order);
    } else {
        const char *k = t->decl->indexes[index];
        snprintf(sql, sizeof sql,
                 "SELECT " DOC_COLUMNS " FROM %s INDEXED BY %s_by_%s WHERE " SQLITE_KEY_COLUMN
                 " = ?4 AND id > ?1 AND id < ?2 ORDER BY id %s LIMIT ?3",
                 name, name, k, k, order);
    }
    return prepare(s, &t->list[index][ascending], sql);
}

static int list(struct store *store, const struct store_query *q, struct arena *a,
                struct store_doc **ret_docs, int32_t *ret_count) {
    struct sqlite_store *s = self(store);
    store_query_check(q);
    struct table *t = table_of(s, q->collection);
    int index = q->index ? store_index_of(q->collection, q->index) : STORE_KEYS_MAX;
    sqlite3_stmt **slot = &t->list[index][q->ascending];
    if (!*slot) {
        int r = prepare_list(s, t, index, q->ascending);
        if (r < 0)
            return r;
    }
    /* No lower bound: no id is empty. No upper bound: SQLite orders every text below a blob. */
    struct str low = q->ascending ? q->after : q->until;
    struct str high = q->ascending ? q->until : q->after;
    bind_str(*slot, 1, low.p ? low : STR(""));
    if (high.p)
        bind_str(*slot, 2, high);
    else
        CHECK(sqlite3_bind_blob(*slot, 2, "", 0, SQLITE_STATIC) == SQLITE_OK);
    bind_i64(*slot, 3, q->limit);
    if (q->index)
        bind_str(*slot, 4, q->key);
    return read_docs(s, *slot, q->limit, a, ret_docs, ret_count);
}

static int due(struct store *store, const struct store_collection *c, int64_t now_us, int32_t limit,
               struct arena *a, struct store_doc **ret_docs, int32_t *ret_count) {
    struct sqlite_store *s = self(store);
    struct table *t = table_of(s, c);
    CHECK(c->timers && limit >= 1);
    if (!t->due) {
        char sql[SQLITE_SQL_MAX];
        snprintf(sql, sizeof sql,
                 "SELECT " DOC_COLUMNS " FROM %s INDEXED BY %s_wakes WHERE wake_at <= ?"
                 " ORDER BY wake_at, id LIMIT ?",
                 c->name, c->name);
        int r = prepare(s, &t->due, sql);
        if (r < 0)
            return r;
    }
    bind_i64(t->due, 1, now_us);
    bind_i64(t->due, 2, limit);
    return read_docs(s, t->due, limit, a, ret_docs, ret_count);
}

static int answer(struct store *store, const struct store_collection *c, struct str key,
                  struct arena *a, struct store_answer *ret_answer) {
    (void)c; /* all keys are in one table */
    struct sqlite_store *s = self(store);
    sqlite3_stmt *st;
    int r = fixed(s, ANSWER_GET, &st);
    if (r < 0)
        return r;
    bind_str(st, 1, key);
    r = next_row(s, st);
    if (r <= 0)
        return r < 0 ? r : ERR_NOT_FOUND;
    *ret_answer = (struct store_answer){.key = arena_str(a, key),
                                        .at_us = sqlite3_column_int64(st, 0),
                                        .body_hash = (uint64_t)sqlite3_column_int64(st, 1),
                                        .status = sqlite3_column_int(st, 2),
                                        .etag = arena_str(a, column_str(st, 3)),
                                        .body = arena_str(a, column_str(st, 4))};
    sqlite3_reset(st);
    return 0;
}

/* 1: the statement WHICH has a row for KEY; 0: it has none; or an error. */
static int has(struct sqlite_store *s, enum fixed which, struct str key) {
    sqlite3_stmt *st;
    int r = fixed(s, which, &st);
    if (r < 0)
        return r;
    bind_str(st, 1, key);
    r = next_row(s, st);
    sqlite3_reset(st);
    return r;
}

static bool seen(struct store *store, const struct store_collection *c, struct str dedupe) {
    (void)c;
    return has(self(store), SEEN_GET, dedupe) == 1;
}

static int outbox_read(struct store *store, int64_t after_seq, int32_t limit, struct arena *a,
                       struct event **ret_events, int32_t *ret_count) {
    struct sqlite_store *s = self(store);
    sqlite3_stmt *st;
    CHECK(limit >= 1);
    int r = fixed(s, OUTBOX_READ, &st);
    if (r < 0)
        return r;
    bind_i64(st, 1, after_seq);
    bind_i64(st, 2, limit);
    struct event *events = arena_array(a, struct event, limit);
    int32_t n = 0;
    while ((r = next_row(s, st)) == 1)
        events[n++] = (struct event){.seq = sqlite3_column_int64(st, 0),
                                     .id = arena_str(a, column_str(st, 1)),
                                     .type = arena_str(a, column_str(st, 2)),
                                     .key = arena_str(a, column_str(st, 3)),
                                     .at_us = sqlite3_column_int64(st, 4),
                                     .request_id = arena_str(a, column_str(st, 5)),
                                     .traceparent = arena_str(a, column_str(st, 6)),
                                     .data = arena_str(a, column_str(st, 7))};
    if (r < 0)
        return r;
    *ret_events = events;
    *ret_count = n;
    return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* What the row of a document says of it, before the change. */
struct head {
    int64_t rowid, version; /* version 0: there is no row */
    unsigned changed;       /* bits of the key columns, and WAKE_BIT, that the change alters */
};

static int read_head(struct sqlite_store *s, struct table *t, const struct store_change *c,
                     struct head *ret) {
    if (!t->head) {
        char sql[SQLITE_SQL_MAX];
        int n = snprintf(sql, sizeof sql, "SELECT rowid, version, wake_at");
        for (int i = 0; i < t->index_count; i++)
            n += snprintf(sql + n, sizeof sql - (size_t)n, ", " SQLITE_KEY_COLUMN,
                          t->decl->indexes[i]);
        snprintf(sql + n, sizeof sql - (size_t)n, " FROM %s WHERE id = ?", t->decl->name);
        int r = prepare(s, &t->head, sql);
        if (r < 0)
            return r;
    }
    *ret = (struct head){0};
    bind_str(t->head, 1, c->id);
    int r = next_row(s, t->head);
    if (r <= 0)
        return r;
    ret->rowid = sqlite3_column_int64(t->head, 0);
    ret->version = sqlite3_column_int64(t->head, 1);
    if (sqlite3_column_int64(t->head, 2) != c->wake_at_us)
        ret->changed |= WAKE_BIT;
    for (int i = 0; i < t->index_count; i++) {
        struct str old = column_str(t->head, 3 + i), new = c->keys[i];
        if (!old.p != !new.p || (old.p && !str_eq(old, new)))
            ret->changed |= 1u << i;
    }
    sqlite3_reset(t->head);
    return 0;
}

static void bind_wake(sqlite3_stmt *st, int i, int64_t wake_at_us) {
    if (wake_at_us)
        bind_i64(st, i, wake_at_us);
    else
        CHECK(sqlite3_bind_null(st, i) == SQLITE_OK);
}

static int insert_doc(struct sqlite_store *s, struct table *t, const struct store_change *c) {
    if (!t->insert) {
        char sql[SQLITE_SQL_MAX];
        int n = snprintf(sql, sizeof sql, "INSERT INTO %s(id, version, wake_at, commit_id, state",
                         t->decl->name);
        for (int i = 0; i < t->index_count; i++)
            n += snprintf(sql + n, sizeof sql - (size_t)n, ", " SQLITE_KEY_COLUMN,
                          t->decl->indexes[i]);
        n += snprintf(sql + n, sizeof sql - (size_t)n, ") VALUES(?, 1, ?, ?, ?");
        for (int i = 0; i < t->index_count; i++)
            n += snprintf(sql + n, sizeof sql - (size_t)n, ", ?");
        snprintf(sql + n, sizeof sql - (size_t)n, ")");
        int r = prepare(s, &t->insert, sql);
        if (r < 0)
            return r;
    }
    bind_str(t->insert, 1, c->id);
    bind_wake(t->insert, 2, c->wake_at_us);
    bind_str(t->insert, 3, c->commit_id);
    bind_str(t->insert, 4, c->state);
    for (int i = 0; i < t->index_count; i++)
        bind_str(t->insert, 5 + i, c->keys[i]);
    int rc = sqlite3_step(t->insert);
    sqlite3_reset(t->insert);
    if (rc == SQLITE_CONSTRAINT_UNIQUE)
        return ERR_CONFLICT; /* the id is there; nothing has been written */
    if (rc != SQLITE_DONE)
        return failed(s, rc);
    s->last_error = 0;
    return 0;
}

static int update_doc(struct sqlite_store *s, struct table *t, const struct store_change *c,
                      const struct head *h) {
    sqlite3_stmt **slot = &t->update[h->changed];
    if (!*slot) {
        char sql[SQLITE_SQL_MAX];
        int n = snprintf(sql, sizeof sql, "UPDATE %s SET version = ?2, commit_id = ?3, state = ?4",
                         t->decl->name);
        if (h->changed & WAKE_BIT)
            n += snprintf(sql + n, sizeof sql - (size_t)n, ", wake_at = ?5");
        for (int i = 0; i < t->index_count; i++)
            if (h->changed & (1u << i))
                n += snprintf(sql + n, sizeof sql - (size_t)n, ", " SQLITE_KEY_COLUMN " = ?%d",
                              t->decl->indexes[i], 6 + i);
        snprintf(sql + n, sizeof sql - (size_t)n, " WHERE rowid = ?1");
        int r = prepare(s, slot, sql);
        if (r < 0)
            return r;
    }
    bind_i64(*slot, 1, h->rowid);
    bind_i64(*slot, 2, h->version + 1);
    bind_str(*slot, 3, c->commit_id);
    bind_str(*slot, 4, c->state);
    if (h->changed & WAKE_BIT)
        bind_wake(*slot, 5, c->wake_at_us);
    for (int i = 0; i < t->index_count; i++)
        if (h->changed & (1u << i))
            bind_str(*slot, 6 + i, c->keys[i]);
    return run(s, *slot);
}

static int remove_doc(struct sqlite_store *s, struct table *t, const struct head *h) {
    if (!t->remove) {
        char sql[SQLITE_SQL_MAX];
        snprintf(sql, sizeof sql, "DELETE FROM %s WHERE rowid = ?", t->decl->name);
        int r = prepare(s, &t->remove, sql);
        if (r < 0)
            return r;
    }
    bind_i64(t->remove, 1, h->rowid);
    return run(s, t->remove);
}

static int add_events(struct sqlite_store *s, const struct event *events, int32_t count) {
    sqlite3_stmt *st;
    int r = 0;
    if (count > 0 && s->seq < 0) {
        if ((r = fixed(s, SEQ_GET, &st)) < 0)
            return r;
        if ((r = next_row(s, st)) <= 0)
            return r < 0 ? r : ERR_CORRUPT;
        s->seq = sqlite3_column_int64(st, 0);
        sqlite3_reset(st);
    }
    for (int32_t i = 0; i < count; i++) {
        if ((r = fixed(s, OUTBOX_ADD, &st)) < 0)
            return r;
        bind_i64(st, 1, s->seq + 1);
        bind_str(st, 2, events[i].id);
        bind_str(st, 3, events[i].type);
        bind_str(st, 4, events[i].key);
        bind_i64(st, 5, events[i].at_us);
        bind_str(st, 6, events[i].request_id);
        bind_str(st, 7, events[i].traceparent);
        bind_str(st, 8, events[i].data);
        if ((r = run(s, st)) < 0)
            return r;
        s->seq++;
    }
    return 0;
}

static int add_seen(struct sqlite_store *s, struct str key, int64_t at_us) {
    sqlite3_stmt *st;
    int r = fixed(s, SEEN_ADD, &st);
    if (r < 0)
        return r;
    bind_str(st, 1, key);
    bind_i64(st, 2, at_us);
    return run(s, st);
}

static int add_answer(struct sqlite_store *s, const struct store_answer *answer, int64_t at_us) {
    sqlite3_stmt *st;
    int r = fixed(s, ANSWER_ADD, &st);
    if (r < 0)
        return r;
    bind_str(st, 1, answer->key);
    bind_i64(st, 2, at_us);
    bind_i64(st, 3, (int64_t)answer->body_hash);
    bind_i64(st, 4, answer->status);
    bind_str(st, 5, answer->etag);
    bind_str(st, 6, answer->body);
    return run(s, st);
}

/* Within the transaction. 0, ERR_CONFLICT or ERR_DUPLICATE are the change's own result; any other
 * error ends the batch. */
static int apply(struct sqlite_store *s, const struct store_change *c) {
    struct table *t = table_of(s, c->collection);
    struct head h;
    int r;
    if (c->dedupe.p && (r = has(s, SEEN_GET, c->dedupe)) != 0)
        return r < 0 ? r : ERR_DUPLICATE;
    if (c->answer && (r = has(s, ANSWER_GET, c->answer->key)) != 0)
        return r < 0 ? r : ERR_DUPLICATE;
    if (c->expected_version == 0 && !c->remove) {
        r = insert_doc(s, t, c);
    } else {
        if ((r = read_head(s, t, c, &h)) < 0)
            return r;
        if (h.version != c->expected_version)
            return ERR_CONFLICT;
        if (c->remove)
            r = h.version ? remove_doc(s, t, &h) : 0;
        else
            r = update_doc(s, t, c, &h);
    }

    int64_t at_us = store_change_at(c);
    if (at_us == 0)
        at_us = clock_wall_us();
    if (r == 0)
        r = add_events(s, c->events, c->event_count);
    if (r == 0 && c->dedupe.p)
        r = add_seen(s, c->dedupe, at_us);
    if (r == 0 && c->answer)
        r = add_answer(s, c->answer, at_us);
    return r;
}

/* Mostly they follow each other: what does goes at once. */
static int remove_events(struct sqlite_store *s, const int64_t *seqs, int32_t count) {
    sqlite3_stmt *st;
    int r = 0;
    for (int32_t i = 0, n; r == 0 && i < count; i += n) {
        for (n = 1; i + n < count && seqs[i + n] == seqs[i] + n;)
            n++;
        if ((r = fixed(s, OUTBOX_REMOVE, &st)) < 0)
            return r;
        bind_i64(st, 1, seqs[i]);
        bind_i64(st, 2, seqs[i + n - 1]);
        r = run(s, st);
    }
    return r;
}

static int store_seq(struct sqlite_store *s) {
    sqlite3_stmt *st;
    int r = fixed(s, SEQ_SET, &st);
    if (r < 0)
        return r;
    bind_i64(st, 1, s->seq);
    return run(s, st);
}

static int write_batch(struct sqlite_store *s, struct store_change *changes, int32_t count,
                       const int64_t *remove_seqs, int32_t remove_count) {
    s->seq = -1;
    int r = sqlite3_get_autocommit(s->db) ? run_fixed(s, BEGIN) : 0;
    for (int32_t i = 0; r == 0 && i < count; i++) {
        changes[i].result = apply(s, &changes[i]);
        if (changes[i].result != ERR_CONFLICT && changes[i].result != ERR_DUPLICATE)
            r = changes[i].result;
    }
    if (r == 0)
        r = remove_events(s, remove_seqs, remove_count);
    if (r == 0 && s->seq >= 0)
        r = store_seq(s);
    return r < 0 ? r : run_fixed(s, COMMIT);
}

/* After an error some of SQLite's have ended the transaction already, others have not. */
static void roll_back(struct sqlite_store *s) {
    if (!sqlite3_get_autocommit(s->db))
        run_fixed(s, ROLLBACK);
}

/* One transaction from the batch's first read on: without it each read locks the file anew, which
 * costs more than the read. */
static int begin(struct store *store) {
    struct sqlite_store *s = self(store);
    CHECK(s->writer && sqlite3_get_autocommit(s->db));
    return run_fixed(s, BEGIN);
}

static void end(struct store *store) {
    roll_back(self(store)); /* of reads only: a commit has ended what it wrote */
}

static int commit(struct store *store, struct store_change *changes, int32_t count,
                  const int64_t *remove_seqs, int32_t remove_count) {
    struct sqlite_store *s = self(store);
    CHECK(s->writer);
    store_batch_check(changes, count, remove_count);
    int r = write_batch(s, changes, count, remove_seqs, remove_count);
    if (r == 0)
        return 0;
    int cause = s->last_error;
    roll_back(s);
    if (r == ERR_CORRUPT)
        r = ERR_IO; /* to the caller the disk has failed; Lorry's log says how */
    if (r == ERR_IO && cause == SQLITE_IOERR_FSYNC)
        r = ERR_UNKNOWN; /* undone here, but after a crash it may be found whole in the log */
    for (int32_t i = 0; i < count; i++)
        changes[i].result = r;
    return r;
}

/* --- retention -------------------------------------------------------------------------------- */

static int prune_one(struct sqlite_store *s, enum fixed which, int64_t before_us, int32_t limit) {
    sqlite3_stmt *st;
    int r = fixed(s, which, &st);
    if (r < 0)
        return r;
    bind_i64(st, 1, before_us);
    bind_i64(st, 2, limit);
    r = run(s, st);
    return r < 0 ? r : sqlite3_changes(s->db);
}

static int prune(struct store *store, int64_t before_us, int32_t limit) {
    struct sqlite_store *s = self(store);
    CHECK(s->writer && limit >= 1);
    int r = run_fixed(s, BEGIN);
    if (r < 0)
        return r;
    int seen_count = prune_one(s, PRUNE_SEEN, before_us, limit);
    int answer_count = seen_count < 0 ? 0 : prune_one(s, PRUNE_ANSWERS, before_us, limit);
    r = seen_count < 0 ? seen_count : answer_count < 0 ? answer_count : run_fixed(s, COMMIT);
    if (r < 0) {
        roll_back(s);
        return r;
    }
    return seen_count + answer_count;
}

static int prune_docs(struct store *store, const struct store_collection *c, struct str below_id,
                      int32_t limit) {
    struct sqlite_store *s = self(store);
    struct table *t = table_of(s, c);
    CHECK(s->writer && limit >= 1 && below_id.p);
    if (!t->prune) {
        char sql[SQLITE_SQL_MAX];
        snprintf(sql, sizeof sql,
                 "DELETE FROM %s WHERE rowid IN"
                 " (SELECT rowid FROM %s WHERE id < ? ORDER BY id LIMIT ?)",
                 c->name, c->name);
        int r = prepare(s, &t->prune, sql);
        if (r < 0)
            return r;
    }
    bind_str(t->prune, 1, below_id);
    bind_i64(t->prune, 2, limit);
    int r = run(s, t->prune);
    return r < 0 ? r : sqlite3_changes(s->db);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void close_handle(struct store *store) {
    struct sqlite_store *s = self(store);
    sqlite3_stmt *st;
    while ((st = sqlite3_next_stmt(s->db, NULL)))
        sqlite3_finalize(st);
    CHECK(sqlite3_close(s->db) == SQLITE_OK);
    free(s);
}

static const struct store_ops sqlite_ops = {
    .get = get,
    .list = list,
    .commit = commit,
    .answer = answer,
    .seen = seen,
    .outbox_read = outbox_read,
    .due = due,
    .prune = prune,
    .prune_docs = prune_docs,
    .begin = begin,
    .end = end,
    .close = close_handle,
};

struct store *sqlite_store_new(sqlite3 *db, bool writer, const struct sqlite_options *o) {
    struct sqlite_store *s =
        xcalloc(1, sizeof *s + sizeof s->tables[0] * (size_t)o->collection_count);
    s->store.ops = &sqlite_ops;
    s->db = db;
    s->log = o->log;
    s->writer = writer;
    s->table_count = o->collection_count;
    for (int i = 0; i < o->collection_count; i++)
        s->tables[i] = (struct table){.decl = o->collections[i],
                                      .index_count = store_index_count(o->collections[i])};
    return &s->store;
}
