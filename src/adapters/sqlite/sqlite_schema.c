/* The tables. Those that belong to no collection come from numbered migrations, each in its own
 * transaction; a row in schema_version tells which have been applied. A collection's table follows
 * from its declaration:
 *
 *   id TEXT UNIQUE, version, wake_at, commit_id, by_<index>…, state
 *
 * It is a rowid table: rows of a kilobyte stay out of the inner nodes of the tree, and with ids in
 * time order both trees grow at their right edge. State comes last, so that reading what stands
 * before it never follows an overflow chain. Indexes are partial: what has no key is not in them.
 */
#include "adapters/sqlite/sqlite_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "ports/store_check.h"

#include <stdio.h>
#include <string.h>

#define APPLICATION_ID 0x4c6f7279 /* "Lory": tells our files from other SQLite files */

static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO counters VALUES('outbox_seq', 0);"
    /* seq comes from the counter, not from AUTOINCREMENT: read and written once a batch. */
    "CREATE TABLE outbox(seq INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL,"
    " key TEXT NOT NULL, at INTEGER NOT NULL, request_id TEXT, data TEXT NOT NULL);"
    "CREATE TABLE seen(key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX seen_by_at ON seen(at);"
    "CREATE TABLE answers(key TEXT PRIMARY KEY, at INTEGER NOT NULL, body_hash INTEGER NOT NULL,"
    " status INTEGER NOT NULL, etag TEXT, body TEXT);"
    "CREATE INDEX answers_by_at ON answers(at);",
    /* 2 */
    "ALTER TABLE outbox ADD COLUMN traceparent TEXT;",
};
_Static_assert(COUNT_OF(migrations) == SQLITE_STORE_SCHEMA, "one migration a version");

static const char *const reserved[] = {"counters", "outbox", "seen", "answers", "schema_version"};

bool sqlite_schema_own(struct str table) {
    for (size_t i = 0; i < COUNT_OF(reserved); i++)
        if (str_is(table, reserved[i]))
            return true;
    return false;
}

/* Declarations become SQL, so they must be plain words. */
static void check_name(const char *name) {
    size_t len = strlen(name);
    CHECK(len >= 1 && len <= 40 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len);
    CHECK(name[0] >= 'a' && name[0] <= 'z' && strncmp(name, "sqlite", 6) != 0);
    for (size_t i = 0; i < COUNT_OF(reserved); i++)
        CHECK(strcmp(name, reserved[i]) != 0);
}

static int failed(sqlite3 *db, struct arena *a, const char *doing, struct str *ret_why) {
    int code = sqlite_failed(db, a, doing, ret_why);
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

/* The one integer that SQL gives, FALLBACK when it gives no row. */
static int query_i64(sqlite3 *db, const char *sql, int64_t fallback, int64_t *ret_value) {
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(st);
    int64_t value = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : fallback;
    sqlite3_finalize(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    *ret_value = value;
    return SQLITE_OK;
}

/* Which version the file has: 0 for an empty one. */
static int read_version(sqlite3 *db, struct arena *a, int64_t *ret_version, struct str *ret_why) {
    int64_t application_id = 0, tables = 0, version = 0;
    if (query_i64(db, "PRAGMA application_id", 0, &application_id) ||
        query_i64(db, "SELECT count(*) FROM sqlite_schema", 0, &tables))
        return failed(db, a, "read the database", ret_why);
    if (application_id != APPLICATION_ID && (tables > 0 || application_id != 0)) {
        *ret_why = arena_printf(a, "this is another program's SQLite database, not Lorry's");
        return ERR_INVALID;
    }
    if (tables > 0 && query_i64(db, "SELECT max(version) FROM schema_version", 0, &version))
        return failed(db, a, "read the schema's version", ret_why);
    if (version > SQLITE_STORE_SCHEMA) {
        *ret_why = arena_printf(a,
                                "written by a newer Lorry (schema %lld, this one knows %d): use "
                                "that version, or another folder",
                                (long long)version, SQLITE_STORE_SCHEMA);
        return ERR_INVALID;
    }
    *ret_version = version;
    return 0;
}

static int migrate_one(sqlite3 *db, int64_t to) {
    char sql[SQLITE_SQL_MAX];
    int rc = SQLITE_OK;
    if (to == 1) {
        snprintf(sql, sizeof sql,
                 "PRAGMA application_id = %d; CREATE TABLE schema_version(version INTEGER PRIMARY "
                 "KEY, at INTEGER NOT NULL, by TEXT NOT NULL);",
                 APPLICATION_ID);
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, migrations[to - 1], NULL, NULL, NULL);
    snprintf(sql, sizeof sql, "INSERT INTO schema_version VALUES(%lld, %lld, 'lorry %s')",
             (long long)to, (long long)clock_wall_us(), LORRY_VERSION);
    return rc == SQLITE_OK ? sqlite3_exec(db, sql, NULL, NULL, NULL) : rc;
}

/* --- collections ------------------------------------------------------------------------------ */

static int make_table(sqlite3 *db, const struct store_collection *c) {
    char sql[SQLITE_SQL_MAX];
    int n = snprintf(sql, sizeof sql,
                     "CREATE TABLE %s(id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL,"
                     " wake_at INTEGER, commit_id TEXT,",
                     c->name);
    for (int i = 0; i < store_index_count(c); i++)
        n += snprintf(sql + n, sizeof sql - (size_t)n, " " SQLITE_KEY_COLUMN " TEXT,",
                      c->indexes[i]);
    n += snprintf(sql + n, sizeof sql - (size_t)n, " state TEXT NOT NULL)");
    CHECK(n < (int)sizeof sql);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int make_indexes(sqlite3 *db, const struct store_collection *c) {
    char sql[SQLITE_SQL_MAX];
    int rc = SQLITE_OK;
    for (int i = 0; rc == SQLITE_OK && i < store_index_count(c); i++) {
        const char *k = c->indexes[i];
        snprintf(sql, sizeof sql,
                 "CREATE INDEX IF NOT EXISTS %s_by_%s ON %s(" SQLITE_KEY_COLUMN
                 ", id) WHERE " SQLITE_KEY_COLUMN " IS NOT NULL",
                 c->name, k, c->name, k, k);
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK && c->timers) {
        snprintf(sql, sizeof sql,
                 "CREATE INDEX IF NOT EXISTS %s_wakes ON %s(wake_at, id) WHERE wake_at IS NOT NULL",
                 c->name, c->name);
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    }
    return rc;
}

static bool has_column(sqlite3 *db, const char *table, const char *column) {
    return sqlite3_table_column_metadata(db, "main", table, column, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
}

/* The first column that C's table lacks beside its keys, or NULL. */
static const char *missing_column(sqlite3 *db, const struct store_collection *c) {
    static const char *const fixed[] = {"id", "version", "wake_at", "commit_id", "state"};
    for (size_t i = 0; i < COUNT_OF(fixed); i++)
        if (!has_column(db, c->name, fixed[i]))
            return fixed[i];
    return NULL;
}

/* Indexes that C has got since its table was made. The keys of documents that are there already can
 * only be told by their service, which it does whenever it writes one. */
static int add_keys(sqlite3 *db, const struct store_collection *c) {
    char sql[SQLITE_SQL_MAX], column[64];
    int rc = SQLITE_OK;
    for (int i = 0; rc == SQLITE_OK && i < store_index_count(c); i++) {
        snprintf(column, sizeof column, SQLITE_KEY_COLUMN, c->indexes[i]);
        if (has_column(db, c->name, column))
            continue;
        snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN %s TEXT", c->name, column);
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    }
    return rc;
}

static int prepare_collection(sqlite3 *db, const struct store_collection *c, struct arena *a,
                              struct str *ret_why) {
    char sql[SQLITE_SQL_MAX];
    int64_t rows = 0;
    check_name(c->name);
    for (int i = 0; i < store_index_count(c); i++)
        check_name(c->indexes[i]);
    bool exists = has_column(db, c->name, NULL);
    const char *missing = exists ? missing_column(db, c) : NULL;
    if (missing) {
        snprintf(sql, sizeof sql, "SELECT 1 FROM %s LIMIT 1", c->name);
        if (query_i64(db, sql, 0, &rows))
            return failed(db, a, "read a table", ret_why);
        if (rows) {
            *ret_why = arena_printf(a,
                                    "table %s has no column %s: this Lorry needs a migration "
                                    "that it does not have",
                                    c->name, missing);
            return ERR_INVALID;
        }
        snprintf(sql, sizeof sql, "DROP TABLE %s", c->name);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL))
            return failed(db, a, "make a table anew", ret_why);
    }
    if ((!exists || missing) && make_table(db, c))
        return failed(db, a, "make a table", ret_why);
    if (add_keys(db, c))
        return failed(db, a, "add an index", ret_why);
    if (make_indexes(db, c))
        return failed(db, a, "make an index", ret_why);
    return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Everything in one step below the write lock, because another process may be at it too. */
static int in_transaction(sqlite3 *db, const struct sqlite_options *o, struct arena *a,
                          struct str *ret_why) {
    int64_t version = 0;
    int r = read_version(db, a, &version, ret_why);
    if (r < 0)
        return r;
    if (version < SQLITE_STORE_SCHEMA) {
        if (migrate_one(db, version + 1))
            return failed(db, a, "migrate the database", ret_why);
        return 1; /* once more: one migration, one transaction */
    }
    for (int i = 0; i < o->collection_count; i++) {
        r = prepare_collection(db, o->collections[i], a, ret_why);
        if (r < 0)
            return r;
    }
    return 0;
}

int sqlite_schema_check(sqlite3 *db, struct arena *a, struct str *ret_why) {
    int64_t version = 0;
    return read_version(db, a, &version, ret_why);
}

int sqlite_schema_prepare(sqlite3 *db, const struct sqlite_options *o, struct arena *a,
                          struct str *ret_why) {
    int r;
    do {
        if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL))
            return failed(db, a, "write to the database", ret_why);
        r = in_transaction(db, o, a, ret_why);
        if (r < 0) {
            if (!sqlite3_get_autocommit(db))
                sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
            return r;
        }
        if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL))
            return failed(db, a, "write to the database", ret_why);
    } while (r == 1);
    return 0;
}
