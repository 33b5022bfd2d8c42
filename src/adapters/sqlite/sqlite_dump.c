/* The whole of a database: read below one read transaction; written row by row. A load is for a
 * database that nobody has opened yet (its folder gets its name afterwards), so its transactions
 * only bound what SQLite holds in memory. */
#include "adapters/sqlite/sqlite_backup.h"
#include "adapters/sqlite/sqlite_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "ports/dump.h"
#include "ports/store_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DUMP_RECORDS 500

/* --- reading ---------------------------------------------------------------------------------- */

struct sqlite_dump {
    struct store_dump dump; /* first: the port's view */
    sqlite3 *db;
    const struct sqlite_options *options;
    int stage; /* which collection; then the outbox, dedupe keys, answers; then the end */
    sqlite3_stmt *st;
};

static int dump_failed(struct sqlite_dump *d) {
    snprintf(d->dump.why, sizeof d->dump.why, "cannot read the database: %s",
             sqlite3_errmsg(d->db));
    return sqlite_error(sqlite3_extended_errcode(d->db));
}

static void stage_sql(const struct sqlite_dump *d, char sql[SQLITE_SQL_MAX]) {
    static const char *const rest[] = {
        "SELECT seq, id, type, key, at, request_id, traceparent, data FROM outbox ORDER BY seq",
        "SELECT key, at FROM seen ORDER BY key",
        "SELECT key, at, body_hash, status, etag, body FROM answers ORDER BY key"};
    if (d->stage >= d->options->collection_count) {
        snprintf(sql, SQLITE_SQL_MAX, "%s", rest[d->stage - d->options->collection_count]);
        return;
    }
    const struct store_collection *c = d->options->collections[d->stage];
    int n = snprintf(sql, SQLITE_SQL_MAX, "SELECT id, version, wake_at, commit_id, state");
    for (int i = 0; i < store_index_count(c); i++)
        n += snprintf(sql + n, SQLITE_SQL_MAX - (size_t)n, ", " SQLITE_KEY_COLUMN, c->indexes[i]);
    snprintf(sql + n, SQLITE_SQL_MAX - (size_t)n, " FROM %s ORDER BY id", c->name);
}

static struct str text(const struct sqlite_dump *d, int i, struct arena *a) {
    const char *p = (const char *)sqlite3_column_text(d->st, i);
    return arena_str(a, (struct str){p, p ? (size_t)sqlite3_column_bytes(d->st, i) : 0});
}

static int64_t number(const struct sqlite_dump *d, int i) {
    return sqlite3_column_int64(d->st, i);
}

static void read_record(const struct sqlite_dump *d, struct arena *a, struct store_record *r) {
    int rest = d->stage - d->options->collection_count;
    *r = (struct store_record){
        .kind = rest < 0 ? STORE_RECORD_DOC : (enum store_record_kind)(STORE_RECORD_EVENT + rest)};
    switch (r->kind) {
    case STORE_RECORD_DOC:
        r->collection = d->options->collections[d->stage];
        r->doc = (struct store_doc){.id = text(d, 0, a),
                                    .version = number(d, 1),
                                    .wake_at_us = number(d, 2),
                                    .commit_id = text(d, 3, a),
                                    .state = text(d, 4, a)};
        for (int i = 0; i < store_index_count(r->collection); i++)
            r->keys[i] = text(d, 5 + i, a);
        break;
    case STORE_RECORD_EVENT:
        r->event = (struct event){.seq = number(d, 0),
                                  .id = text(d, 1, a),
                                  .type = text(d, 2, a),
                                  .key = text(d, 3, a),
                                  .at_us = number(d, 4),
                                  .request_id = text(d, 5, a),
                                  .traceparent = text(d, 6, a),
                                  .data = text(d, 7, a)};
        break;
    case STORE_RECORD_ANSWER:
        r->answer = (struct store_answer){.body_hash = (uint64_t)number(d, 2),
                                          .status = (int32_t)number(d, 3),
                                          .etag = text(d, 4, a),
                                          .body = text(d, 5, a)};
        /* fallthrough */
    default:
        r->answer.key = text(d, 0, a);
        r->answer.at_us = number(d, 1);
    }
}

static int dump_next(struct store_dump *dump, struct arena *a, struct store_record **ret_records,
                     int32_t *ret_count) {
    struct sqlite_dump *d = (struct sqlite_dump *)dump;
    struct store_record *records = arena_array(a, struct store_record, DUMP_RECORDS);
    int32_t n = 0;
    while (n < DUMP_RECORDS && d->stage < d->options->collection_count + 3) {
        char sql[SQLITE_SQL_MAX];
        if (d->st == NULL) {
            stage_sql(d, sql);
            if (sqlite3_prepare_v2(d->db, sql, -1, &d->st, NULL) != SQLITE_OK)
                return dump_failed(d);
        }
        int rc = sqlite3_step(d->st);
        if (rc == SQLITE_ROW) {
            read_record(d, a, &records[n++]);
            continue;
        }
        if (rc != SQLITE_DONE)
            return dump_failed(d);
        sqlite3_finalize(d->st);
        d->st = NULL;
        d->stage++;
    }
    *ret_records = records;
    *ret_count = n;
    return 0;
}

static void dump_close(struct store_dump *dump) {
    struct sqlite_dump *d = (struct sqlite_dump *)dump;
    sqlite3_finalize(d->st);
    sqlite3_close(d->db);
    free(d);
}

static const struct store_dump_ops dump_ops = {.next = dump_next, .close = dump_close};

int sqlite_dump_open(const char *path, const struct sqlite_options *o, struct arena *a,
                     struct store_dump **ret_dump, struct str *ret_why) {
    struct sqlite_census census;
    sqlite3 *db = NULL;
    int r = sqlite_snapshot_open(path, a, &db, ret_why);
    if (r == 0)
        r = sqlite_census_take(db, a, &census, ret_why);
    struct str stranger =
        r == 0 ? sqlite_census_stranger(&census, o->collections, o->collection_count) : STR_NONE;
    if (stranger.p != NULL) {
        *ret_why = arena_printf(a, "it holds a collection \"%.*s\" that this Lorry does not know",
                                STR_ARG(stranger));
        r = ERR_INVALID;
    }
    if (r < 0) {
        sqlite3_close(db);
        return r;
    }
    struct sqlite_dump *d = xcalloc(1, sizeof *d);
    d->dump.ops = &dump_ops;
    d->db = db;
    d->options = o;
    *ret_dump = &d->dump;
    return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

enum { ADD_EVENT = SQLITE_STORE_COLLECTIONS_MAX, ADD_SEEN, ADD_ANSWER, ADDS };

struct sqlite_load {
    struct store_load load; /* first: the port's view */
    sqlite3 *db;
    const char *path;
    const struct sqlite_options *options;
    sqlite3_stmt *add[ADDS]; /* by collection, then the others */
    int64_t seq;
};

static int load_failed(struct sqlite_load *l) {
    snprintf(l->load.why, sizeof l->load.why, "cannot write to the database: %s",
             sqlite3_errmsg(l->db));
    return sqlite_error(sqlite3_extended_errcode(l->db));
}

static void add_sql(const struct sqlite_load *l, int which, char sql[SQLITE_SQL_MAX]) {
    static const char *const rest[] = {
        "INSERT INTO outbox(seq, id, type, key, at, request_id, traceparent, data)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
        "INSERT OR IGNORE INTO seen(key, at) VALUES(?, ?)",
        "INSERT OR IGNORE INTO answers(key, at, body_hash, status, etag, body)"
        " VALUES(?, ?, ?, ?, ?, ?)"};
    if (which >= ADD_EVENT) {
        snprintf(sql, SQLITE_SQL_MAX, "%s", rest[which - ADD_EVENT]);
        return;
    }
    const struct store_collection *c = l->options->collections[which];
    int n = snprintf(sql, SQLITE_SQL_MAX, "INSERT INTO %s(id, version, wake_at, commit_id, state",
                     c->name);
    for (int i = 0; i < store_index_count(c); i++)
        n += snprintf(sql + n, SQLITE_SQL_MAX - (size_t)n, ", " SQLITE_KEY_COLUMN, c->indexes[i]);
    n += snprintf(sql + n, SQLITE_SQL_MAX - (size_t)n, ") VALUES(?, ?, ?, ?, ?");
    for (int i = 0; i < store_index_count(c); i++)
        n += snprintf(sql + n, SQLITE_SQL_MAX - (size_t)n, ", ?");
    snprintf(sql + n, SQLITE_SQL_MAX - (size_t)n, ")");
}

static int which_add(const struct sqlite_load *l, const struct store_record *r) {
    if (r->kind != STORE_RECORD_DOC)
        return ADD_EVENT + (int)r->kind - STORE_RECORD_EVENT;
    for (int i = 0; i < l->options->collection_count; i++)
        if (strcmp(l->options->collections[i]->name, r->collection->name) == 0)
            return i;
    UNREACHABLE(); /* a collection that the source was not opened with */
}

static void put(sqlite3_stmt *st, int i, struct str v) {
    CHECK((v.p ? sqlite3_bind_text64(st, i, v.p, v.len, SQLITE_STATIC, SQLITE_UTF8)
               : sqlite3_bind_null(st, i)) == SQLITE_OK);
}

static void put_number(sqlite3_stmt *st, int i, int64_t v) {
    CHECK(sqlite3_bind_int64(st, i, v) == SQLITE_OK);
}

static void bind_doc(sqlite3_stmt *st, const struct store_record *r) {
    put(st, 1, r->doc.id);
    put_number(st, 2, r->doc.version);
    if (r->doc.wake_at_us)
        put_number(st, 3, r->doc.wake_at_us);
    else
        CHECK(sqlite3_bind_null(st, 3) == SQLITE_OK);
    put(st, 4, r->doc.commit_id);
    put(st, 5, r->doc.state);
    for (int i = 0; i < store_index_count(r->collection); i++)
        put(st, 6 + i, r->keys[i]);
}

static void bind_record(struct sqlite_load *l, sqlite3_stmt *st, const struct store_record *r) {
    if (r->kind == STORE_RECORD_DOC) {
        bind_doc(st, r);
        return;
    }
    if (r->kind == STORE_RECORD_EVENT) {
        put_number(st, 1, ++l->seq);
        put(st, 2, r->event.id);
        put(st, 3, r->event.type);
        put(st, 4, r->event.key);
        put_number(st, 5, r->event.at_us);
        put(st, 6, r->event.request_id);
        put(st, 7, r->event.traceparent);
        put(st, 8, r->event.data);
        return;
    }
    put(st, 1, r->answer.key);
    put_number(st, 2, r->answer.at_us);
    if (r->kind == STORE_RECORD_SEEN)
        return;
    put_number(st, 3, (int64_t)r->answer.body_hash);
    put_number(st, 4, r->answer.status);
    put(st, 5, r->answer.etag);
    put(st, 6, r->answer.body);
}

static int add_one(struct sqlite_load *l, const struct store_record *r) {
    int which = which_add(l, r);
    if (l->add[which] == NULL) {
        char sql[SQLITE_SQL_MAX];
        add_sql(l, which, sql);
        if (sqlite3_prepare_v2(l->db, sql, -1, &l->add[which], NULL) != SQLITE_OK)
            return load_failed(l);
    }
    sqlite3_stmt *st = l->add[which];
    bind_record(l, st, r);
    int rc = sqlite3_step(st);
    int code = rc == SQLITE_DONE ? 0 : load_failed(l);
    if ((rc & 0xff) == SQLITE_CONSTRAINT) {
        snprintf(l->load.why, sizeof l->load.why, "there are two documents %.*s",
                 STR_ARG(r->doc.id));
        code = ERR_INVALID;
    }
    sqlite3_reset(st);
    return code;
}

static int execute(struct sqlite_load *l, const char *sql) {
    return sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : load_failed(l);
}

static int load_add(struct store_load *load, const struct store_record *records, int32_t count) {
    struct sqlite_load *l = (struct sqlite_load *)load;
    CHECK(count >= 1 && count <= STORE_LOAD_MAX);
    int r = execute(l, "BEGIN IMMEDIATE");
    for (int32_t i = 0; r == 0 && i < count; i++)
        r = add_one(l, &records[i]);
    return r < 0 ? r : execute(l, "COMMIT");
}

static int load_dump(struct store_load *load, struct store_dump **ret_dump) {
    struct sqlite_load *l = (struct sqlite_load *)load;
    struct arena a;
    struct str why = STR_NONE;
    arena_init(&a, 4096);
    int r = sqlite_dump_open(l->path, l->options, &a, ret_dump, &why);
    if (r < 0)
        snprintf(l->load.why, sizeof l->load.why, "%.*s", STR_ARG(why));
    arena_free(&a);
    return r;
}

static int load_finish(struct store_load *load) {
    struct sqlite_load *l = (struct sqlite_load *)load;
    char sql[SQLITE_SQL_MAX];
    snprintf(sql, sizeof sql,
             "PRAGMA synchronous = full; UPDATE counters SET value = %lld"
             " WHERE name = 'outbox_seq'; PRAGMA wal_checkpoint(TRUNCATE)",
             (long long)l->seq);
    return execute(l, sql);
}

static void load_close(struct store_load *load) {
    struct sqlite_load *l = (struct sqlite_load *)load;
    for (int i = 0; i < ADDS; i++)
        sqlite3_finalize(l->add[i]);
    sqlite3_close(l->db);
    free(l);
}

static const struct store_load_ops load_ops = {
    .add = load_add, .dump = load_dump, .finish = load_finish, .close = load_close};

/* The database must be as it was made: of a load that is not finished its folder is thrown away. */
int sqlite_load_open(const char *path, const struct sqlite_options *o, struct arena *a,
                     struct store_load **ret_load, struct str *ret_why) {
    struct sqlite_census census;
    struct sqlite_load *l = xcalloc(1, sizeof *l);
    l->load.ops = &load_ops;
    l->path = path;
    l->options = o;
    int r = 0, flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &l->db, flags, NULL) != SQLITE_OK ||
        sqlite3_exec(l->db, "PRAGMA synchronous = off; PRAGMA cache_size = -32768", NULL, NULL,
                     NULL) != SQLITE_OK)
        r = sqlite_failed(l->db, a, "open it", ret_why);
    if (r == 0)
        r = sqlite_census_take(l->db, a, &census, ret_why);
    for (int32_t i = 0; r == 0 && i < census.count; i++) {
        struct str name = census.tables[i].name;
        if (census.tables[i].rows == 0 || str_is(name, "counters") ||
            str_is(name, "schema_version"))
            continue;
        *ret_why = arena_printf(a, "%s is not empty: it has %lld rows in %.*s", path,
                                (long long)census.tables[i].rows, STR_ARG(name));
        r = ERR_CONFLICT;
    }
    if (r < 0) {
        load_close(&l->load);
        return r;
    }
    *ret_load = &l->load;
    return 0;
}
