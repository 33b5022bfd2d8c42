/* The tables. Those that belong to no collection come from numbered migrations; a row in
 * schema_version tells which have been applied. A collection's table follows from its declaration:
 *
 *   id text PRIMARY KEY, version int8, wake_at int8, commit_id text, by_<index>… text, state jsonb
 *
 * Ids and keys have the collation "C", so that they are in the order of their bytes whatever the
 * database's language is. Indexes are partial: what has no key is not in them. Everything happens
 * in one transaction below an advisory lock, since several processes may start at once.
 */
#include "adapters/postgres/postgres_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "ports/store_check.h"

#include <stdio.h>
#include <string.h>

#define SCHEMA_TIMEOUT_MS (10 * 60 * 1000) /* a migration may have to rewrite much */

#define TEXT_C "text COLLATE \"C\""
/* Rows come and go by the thousand: the dead ones are swept up before they are in the way. */
#define SWEPT_OFTEN " WITH (autovacuum_vacuum_scale_factor = 0.02)"

static const char *const migration_1[] = {
    /* Writers; batch, done: the last batch of each and which of its changes went through. */
    "CREATE TABLE nodes(node serial PRIMARY KEY, since timestamptz NOT NULL DEFAULT now(),"
    " gone_at timestamptz, batch int8 NOT NULL DEFAULT 0, done int4[]) WITH (fillfactor = 20)",
    "CREATE TABLE outbox(owner int8 NOT NULL, seq int8 NOT NULL, id text NOT NULL,"
    " type text NOT NULL, key text NOT NULL, at int8 NOT NULL, request_id text,"
    " data text NOT NULL, PRIMARY KEY(owner, seq))" SWEPT_OFTEN,
    "CREATE TABLE seen(key " TEXT_C " PRIMARY KEY, at int8 NOT NULL)",
    "CREATE INDEX seen_by_at ON seen(at)",
    "CREATE TABLE answers(key " TEXT_C " PRIMARY KEY, at int8 NOT NULL, body_hash int8 NOT NULL,"
    " status int4 NOT NULL, etag text, body text)",
    "CREATE INDEX answers_by_at ON answers(at)",
    "CREATE FUNCTION retry_commit() RETURNS int4 LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
    " 'another writer has just written one of these keys' USING ERRCODE = '40001'; END $$",
    NULL,
};
static const char *const migration_2[] = {"ALTER TABLE outbox ADD COLUMN traceparent text", NULL};
static const char *const *const migrations[] = {migration_1, migration_2};
_Static_assert(COUNT_OF(migrations) == POSTGRES_STORE_SCHEMA, "one migration a version");

static const char *const reserved[] = {"nodes", "outbox", "seen", "answers", "schema_version"};

struct schema {
    struct postgres_link *link;
    struct arena *arena;
    struct str *ret_why;
};

/* --- asking ----------------------------------------------------------------------------------- */

static int failed(struct schema *s, const char *doing, int r) {
    *s->ret_why = arena_printf(s->arena, "cannot %s: %s", doing, s->link->error.text);
    if (!strcmp(s->link->error.sqlstate, "42501"))
        *s->ret_why = arena_printf(
            s->arena,
            "%.*s: the role needs the right to make tables (ALTER DATABASE … OWNER TO it, or GRANT "
            "CREATE ON SCHEMA)",
            STR_ARG(*s->ret_why));
    return r == ERR_UNKNOWN ? ERR_UNAVAILABLE : r;
}

static int run(struct schema *s, const char *doing, const char *sql) {
    postgres_add_once(s->link, 0, sql, NULL);
    int r = postgres_run(s->link, SCHEMA_TIMEOUT_MS, NULL, NULL);
    return r < 0 ? failed(s, doing, r) : 0;
}

static void on_i64(void *arg, int tag, const PGresult *r) {
    (void)tag;
    if (PQntuples(r))
        *(int64_t *)arg = postgres_i64(r, 0, 0);
}

/* The one integer that SQL gives; *RET_VALUE stays when it gives none. NAME is its $1. */
static int ask(struct schema *s, const char *sql, const char *name, int64_t *ret_value) {
    struct postgres_params p = {.arena = s->arena};
    if (name)
        postgres_add_text(&p, str_from(name));
    postgres_add_once(s->link, 0, sql, &p);
    int r = postgres_run(s->link, SCHEMA_TIMEOUT_MS, on_i64, ret_value);
    return r < 0 ? failed(s, "read the schema", r) : 0;
}

static int has_relation(struct schema *s, const char *name, int64_t *ret_yes) {
    return ask(s, "SELECT (to_regclass(quote_ident($1)) IS NOT NULL)::int", name, ret_yes);
}

/* --- migrations ------------------------------------------------------------------------------- */

static int read_version(struct schema *s, int64_t *ret_version) {
    int64_t ours = 0, taken = 0;
    *ret_version = 0;
    int r = has_relation(s, "schema_version", &ours);
    if (r < 0 || !ours) {
        for (size_t i = 0; r == 0 && i < COUNT_OF(reserved); i++) {
            if ((r = has_relation(s, reserved[i], &taken)) == 0 && taken) {
                *s->ret_why = arena_printf(
                    s->arena, "there is a table \"%s\" that is not Lorry's: use another database",
                    reserved[i]);
                return ERR_INVALID;
            }
        }
        return r;
    }
    r = ask(s, "SELECT max(version) FROM schema_version", NULL, ret_version);
    if (r == 0 && *ret_version > POSTGRES_STORE_SCHEMA) {
        *s->ret_why = arena_printf(s->arena,
                                   "written by a newer Lorry (schema %lld, this one knows %d): use "
                                   "that version, or another database",
                                   (long long)*ret_version, POSTGRES_STORE_SCHEMA);
        return ERR_INVALID;
    }
    return r;
}

static int migrate(struct schema *s, int64_t from) {
    int r = 0;
    if (from == 0)
        r = run(s, "make tables",
                "CREATE TABLE schema_version(version int4 PRIMARY KEY,"
                " at timestamptz NOT NULL DEFAULT now(), by text NOT NULL)");
    CHECK(from >= 0);
    for (int64_t done = from; r == 0 && done < POSTGRES_STORE_SCHEMA; done++) {
        for (const char *const *sql = migrations[done]; r == 0 && *sql; sql++)
            r = run(s, "migrate the database", *sql);
        if (r == 0)
            r = run(s, "migrate the database",
                    arena_cstr(s->arena, arena_printf(s->arena,
                                                      "INSERT INTO schema_version(version, by)"
                                                      " VALUES(%lld, 'lorry " LORRY_VERSION "')",
                                                      (long long)done + 1)));
    }
    return r;
}

/* --- collections ------------------------------------------------------------------------------ */

/* Declarations become SQL, so they must be plain words. */
static void check_name(const char *name) {
    size_t len = strlen(name);
    CHECK(len >= 1 && len <= 40 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len);
    CHECK(name[0] >= 'a' && name[0] <= 'z' && strncmp(name, "pg_", 3) != 0);
    for (size_t i = 0; i < COUNT_OF(reserved); i++)
        CHECK(strcmp(name, reserved[i]) != 0);
}

static int make_table(struct schema *s, const struct store_collection *c) {
    struct buf sql;
    buf_init(&sql, s->arena, POSTGRES_SQL_MAX);
    buf_printf(&sql,
               "CREATE TABLE %s(id " TEXT_C " PRIMARY KEY, version int8 NOT NULL, wake_at int8,"
               " commit_id text",
               c->name);
    for (int i = 0; i < store_index_count(c); i++)
        buf_printf(&sql, ", " POSTGRES_KEY_COLUMN " " TEXT_C, c->indexes[i]);
    /* Room on each page for an update's new row: then indexes need not be touched. */
    buf_printf(&sql, ", state jsonb NOT NULL) %s",
               c->daily ? "PARTITION BY RANGE (id)" : "WITH (fillfactor = 85)");
    buf_add_char(&sql, 0);
    return run(s, "make a table", sql.p);
}

/* The days of yesterday to the day after tomorrow, and the place for all others. */
static int make_days(struct schema *s, const struct store_collection *c) {
    char sql[POSTGRES_SQL_MAX], rest[64];
    int64_t there = 0;
    snprintf(rest, sizeof rest, POSTGRES_DAILY_REST, c->name);
    int r = has_relation(s, rest, &there);
    if (r == 0 && !there) {
        snprintf(sql, sizeof sql, "CREATE TABLE %s PARTITION OF %s DEFAULT", rest, c->name);
        r = run(s, "make a table", sql);
    }
    for (int day = -1; r == 0 && day <= POSTGRES_DAYS_AHEAD; day++) {
        postgres_daily_make(c->name, clock_wall_us() + day * US_PER_DAY, sql);
        r = run(s, "make a day's table", sql);
    }
    return r;
}

/* Looked for first: even CREATE INDEX IF NOT EXISTS shuts writers out while it looks. */
static int make_index(struct schema *s, const char *name, const char *sql) {
    int64_t there = 0;
    int r = has_relation(s, name, &there);
    return r < 0 || there ? r : run(s, "make an index", sql);
}

static int make_indexes(struct schema *s, const struct store_collection *c) {
    int r = 0;
    for (int i = 0; r == 0 && i < store_index_count(c); i++) {
        const char *k = c->indexes[i];
        char *name = arena_cstr(s->arena, arena_printf(s->arena, "%s_by_%s", c->name, k));
        r = make_index(
            s, name,
            arena_cstr(s->arena, arena_printf(s->arena,
                                              "CREATE INDEX %s ON %s(" POSTGRES_KEY_COLUMN
                                              ", id) WHERE " POSTGRES_KEY_COLUMN " IS NOT NULL",
                                              name, c->name, k, k)));
    }
    if (r == 0 && c->timers) {
        char *name = arena_cstr(s->arena, arena_printf(s->arena, "%s_wakes", c->name));
        r = make_index(s, name,
                       arena_cstr(s->arena, arena_printf(s->arena,
                                                         "CREATE INDEX %s ON %s(wake_at, id)"
                                                         " WHERE wake_at IS NOT NULL",
                                                         name, c->name)));
    }
    return r;
}

static int has_column(struct schema *s, const struct store_collection *c, const char *column,
                      int64_t *ret_there) {
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('%s')"
             " AND attname = $1 AND NOT attisdropped",
             c->name);
    return ask(s, sql, column, ret_there);
}

/* The first column that C's table lacks beside its keys, or NULL. */
static int missing_column(struct schema *s, const struct store_collection *c,
                          const char **ret_missing) {
    static const char *const columns[] = {"id", "version", "wake_at", "commit_id", "state"};
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        int64_t there = 0;
        int r = has_column(s, c, columns[i], &there);
        if (r < 0)
            return r;
        if (!there) {
            *ret_missing = columns[i];
            return 0;
        }
    }
    return 0;
}

/* Indexes that C has got since its table was made. The keys of documents that are there already can
 * only be told by their service, which it does whenever it writes one. */
static int add_keys(struct schema *s, const struct store_collection *c) {
    char sql[256];
    int r = 0;
    for (int i = 0; r == 0 && i < store_index_count(c); i++) {
        int64_t there = 0;
        struct str column = arena_printf(s->arena, POSTGRES_KEY_COLUMN, c->indexes[i]);
        r = has_column(s, c, arena_cstr(s->arena, column), &there);
        if (r < 0 || there)
            continue;
        snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN %.*s " TEXT_C, c->name,
                 STR_ARG(column));
        r = run(s, "add an index", sql);
    }
    return r;
}

static int prepare_collection(struct schema *s, const struct store_collection *c) {
    const char *missing = NULL;
    int64_t there = 0, rows = 0;
    char sql[256];
    check_name(c->name);
    for (int i = 0; i < store_index_count(c); i++)
        check_name(c->indexes[i]);
    int r = has_relation(s, c->name, &there);
    if (r == 0 && there)
        r = missing_column(s, c, &missing);
    if (r == 0 && missing) {
        snprintf(sql, sizeof sql, "SELECT 1 FROM %s LIMIT 1", c->name);
        if ((r = ask(s, sql, NULL, &rows)) < 0)
            return r;
        if (rows) {
            *s->ret_why = arena_printf(s->arena,
                                       "table %s has no column %s: this Lorry needs a migration "
                                       "that it does not have",
                                       c->name, missing);
            return ERR_INVALID;
        }
        snprintf(sql, sizeof sql, "DROP TABLE %s", c->name);
        r = run(s, "make a table anew", sql);
    }
    if (r == 0 && (!there || missing))
        r = make_table(s, c);
    if (r == 0)
        r = add_keys(s, c);
    if (r == 0)
        r = make_indexes(s, c);
    return r < 0 || !c->daily ? r : make_days(s, c);
}

/* --- the whole -------------------------------------------------------------------------------- */

int postgres_schema_prepare(struct postgres_link *l, const struct postgres_options *o,
                            struct arena *a, struct str *ret_why) {
    struct schema s = {l, a, ret_why};
    int64_t version = 0;
    char lock[96];
    snprintf(lock, sizeof lock, "SELECT pg_advisory_xact_lock(%d, %d)", POSTGRES_LOCK_CLASS,
             POSTGRES_LOCK_SCHEMA);
    int r = run(&s, "begin", "BEGIN");
    if (r == 0)
        r = run(&s, "begin", "SET LOCAL statement_timeout = 0");
    if (r == 0)
        r = run(&s, "begin", "SET LOCAL lock_timeout = 0");
    if (r == 0)
        r = run(&s, "begin", "SET LOCAL idle_in_transaction_session_timeout = 0");
    if (r == 0)
        r = run(&s, "wait for another Lorry that looks at the schema", lock);
    if (r == 0)
        r = read_version(&s, &version);
    if (r == 0 && version < POSTGRES_STORE_SCHEMA)
        r = migrate(&s, version);
    for (int i = 0; r == 0 && i < o->collection_count; i++)
        r = prepare_collection(&s, o->collections[i]);
    return r < 0 ? r : run(&s, "commit the schema", "COMMIT");
}
