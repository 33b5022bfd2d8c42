/* The whole of a database. A dump is one repeatable-read transaction: whatever servers write
 * meanwhile, it sees the moment of its beginning. A load is one transaction, too, below the lock
 * that keeps servers from starting: until its commit nobody sees anything of it, and without one
 * nothing of it was ever there. Both go in pages of some hundred rows, each a round trip.
 */
#include "adapters/postgres/postgres_private.h"

#include "base/check.h"
#include "base/err.h"
#include "ports/dump.h"
#include "ports/store_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 500
#define TIMEOUT_MS (10 * 60 * 1000) /* of one page; an index may be cold */

/* What takes long is allowed here. */
#define PATIENT_SQL                                                                                \
    "SELECT set_config('statement_timeout', '0', true),"                                           \
    " set_config('lock_timeout', '0', true),"                                                      \
    " set_config('idle_in_transaction_session_timeout', '0', true)"

static int run(struct postgres_link *l, const char *sql, const struct postgres_params *p,
               postgres_result_fn on_result, void *arg) {
    postgres_add_once(l, 0, sql, p);
    int r = postgres_run(l, TIMEOUT_MS, on_result, arg);
    return r == ERR_UNKNOWN ? ERR_UNAVAILABLE : r;
}

static void on_number(void *arg, int tag, const PGresult *r) {
    (void)tag;
    if (PQntuples(r))
        *(int64_t *)arg = postgres_i64(r, 0, 0);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct postgres_dump {
    struct store_dump dump;          /* first: the port's view */
    struct postgres_link own, *link; /* link: own, or a load's */
    const struct postgres_options *options;
    int stage;          /* which collection; then the outbox, dedupe keys, answers; then the end */
    struct arena after; /* of the last row of the stage: */
    struct str after_key; /* absent: from the start */
    int64_t after_owner, after_seq;
};

static int dump_failed(struct postgres_dump *d, int code) {
    snprintf(d->dump.why, sizeof d->dump.why, "cannot read from PostgreSQL: %s",
             d->link->error.text[0] ? d->link->error.text : d->link->why);
    return code;
}

static bool is_outbox(const struct postgres_dump *d) {
    return d->stage == d->options->collection_count;
}

static void page_sql(const struct postgres_dump *d, char sql[POSTGRES_SQL_MAX]) {
    static const char *const rest[] = {
        "SELECT owner, seq, id, type, key, at, request_id, traceparent, data FROM outbox"
        " WHERE (owner, seq) > ($1, $2) ORDER BY owner, seq LIMIT $3",
        "SELECT key, at FROM seen WHERE key > $1 ORDER BY key LIMIT $2",
        "SELECT key, at, body_hash, status, etag, body FROM answers WHERE key > $1"
        " ORDER BY key LIMIT $2"};
    if (d->stage >= d->options->collection_count) {
        snprintf(sql, POSTGRES_SQL_MAX, "%s", rest[d->stage - d->options->collection_count]);
        return;
    }
    const struct store_collection *c = d->options->collections[d->stage];
    int n = snprintf(sql, POSTGRES_SQL_MAX, "SELECT id, version, wake_at, commit_id, state::text");
    for (int i = 0; i < store_index_count(c); i++)
        n += snprintf(sql + n, POSTGRES_SQL_MAX - (size_t)n, ", " POSTGRES_KEY_COLUMN,
                      c->indexes[i]);
    snprintf(sql + n, POSTGRES_SQL_MAX - (size_t)n, " FROM %s WHERE id > $1 ORDER BY id LIMIT $2",
             c->name);
}

struct page {
    struct postgres_dump *dump;
    struct arena *a;
    struct store_record *records;
    int32_t count;
};

static void read_record(const struct postgres_dump *d, const PGresult *res, int row,
                        struct arena *a, struct store_record *r) {
#define TEXT(i) arena_str(a, postgres_str(res, row, (i)))
#define NUMBER(i) postgres_i64(res, row, (i))
    int rest = d->stage - d->options->collection_count;
    *r = (struct store_record){
        .kind = rest < 0 ? STORE_RECORD_DOC : (enum store_record_kind)(STORE_RECORD_EVENT + rest)};
    switch (r->kind) {
    case STORE_RECORD_DOC:
        r->collection = d->options->collections[d->stage];
        r->doc = (struct store_doc){.id = TEXT(0),
                                    .version = NUMBER(1),
                                    .wake_at_us = NUMBER(2),
                                    .commit_id = TEXT(3),
                                    .state = TEXT(4)};
        for (int i = 0; i < store_index_count(r->collection); i++)
            r->keys[i] = TEXT(5 + i);
        break;
    case STORE_RECORD_EVENT:
        r->event = (struct event){.seq = NUMBER(1),
                                  .id = TEXT(2),
                                  .type = TEXT(3),
                                  .key = TEXT(4),
                                  .at_us = NUMBER(5),
                                  .request_id = TEXT(6),
                                  .traceparent = TEXT(7),
                                  .data = TEXT(8)};
        break;
    case STORE_RECORD_ANSWER:
        r->answer = (struct store_answer){.body_hash = (uint64_t)NUMBER(2),
                                          .status = (int32_t)NUMBER(3),
                                          .etag = TEXT(4),
                                          .body = TEXT(5)};
        /* fallthrough */
    default:
        r->answer.key = TEXT(0);
        r->answer.at_us = NUMBER(1);
    }
#undef TEXT
#undef NUMBER
}

static void on_page(void *arg, int tag, const PGresult *r) {
    struct page *p = arg;
    struct postgres_dump *d = p->dump;
    (void)tag;
    p->count = PQntuples(r);
    p->records = arena_array(p->a, struct store_record, p->count + 1);
    for (int i = 0; i < p->count; i++)
        read_record(d, r, i, p->a, &p->records[i]);
    if (p->count == 0)
        return;
    arena_reset(&d->after);
    if (is_outbox(d)) {
        d->after_owner = postgres_i64(r, p->count - 1, 0);
        d->after_seq = postgres_i64(r, p->count - 1, 1);
    } else {
        d->after_key = arena_str(&d->after, postgres_str(r, p->count - 1, 0));
    }
}

static int read_page(struct postgres_dump *d, struct page *p) {
    char sql[POSTGRES_SQL_MAX];
    struct postgres_params params = {.arena = p->a};
    if (is_outbox(d)) {
        postgres_add_i64(&params, d->after_owner);
        postgres_add_i64(&params, d->after_seq);
    } else {
        postgres_add_text(&params, d->after_key.p ? d->after_key : STR(""));
    }
    postgres_add_i32(&params, PAGE_ROWS);
    page_sql(d, sql);
    return run(d->link, sql, &params, on_page, p);
}

static int dump_next(struct store_dump *dump, struct arena *a, struct store_record **ret_records,
                     int32_t *ret_count) {
    struct postgres_dump *d = (struct postgres_dump *)dump;
    struct page p = {.dump = d, .a = a};
    while (p.count == 0 && d->stage < d->options->collection_count + 3) {
        int r = read_page(d, &p);
        if (r < 0)
            return dump_failed(d, r);
        if (p.count == PAGE_ROWS)
            break;
        d->stage++;
        d->after_key = STR_NONE;
        d->after_owner = d->after_seq = INT64_MIN;
    }
    *ret_records = p.records;
    *ret_count = p.count;
    return 0;
}

static void dump_close(struct store_dump *dump) {
    struct postgres_dump *d = (struct postgres_dump *)dump;
    if (d->link == &d->own)
        postgres_link_free(&d->own); /* and with it the transaction */
    arena_free(&d->after);
    free(d);
}

static const struct store_dump_ops dump_ops = {.next = dump_next, .close = dump_close};

static struct postgres_dump *dump_new(const struct postgres_options *o) {
    struct postgres_dump *d = xcalloc(1, sizeof *d);
    d->dump.ops = &dump_ops;
    d->options = o;
    d->after_owner = d->after_seq = INT64_MIN;
    arena_init(&d->after, 256);
    return d;
}

struct stranger {
    char name[64];
};

static void on_stranger(void *arg, int tag, const PGresult *r) {
    struct stranger *s = arg;
    (void)tag;
    if (PQntuples(r))
        snprintf(s->name, sizeof s->name, "%s", PQgetvalue(r, 0, 0));
}

/* A table that looks like a collection's (it has a commit_id) and is none of ours. */
static int find_stranger(struct postgres_dump *d, struct arena *a, struct stranger *ret) {
    struct postgres_params p = {.arena = a};
    struct postgres_array names;
    postgres_array_init(&names, a, POSTGRES_TEXT);
    for (int i = 0; i < d->options->collection_count; i++)
        postgres_array_str(&names, str_from(d->options->collections[i]->name));
    postgres_add_array(&p, &names);
    return run(d->link,
               "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
               " AND a.attname = 'commit_id' AND NOT a.attisdropped"
               " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
               " AND pg_table_is_visible(c.oid) AND c.relname <> ALL ($1::text[]) LIMIT 1",
               &p, on_stranger, ret);
}

int postgres_dump_open(const struct postgres_target *target, const struct postgres_options *o,
                       struct arena *a, struct store_dump **ret_dump, struct str *ret_why) {
    struct postgres_dump *d = dump_new(o);
    struct stranger stranger = {""};
    d->link = &d->own;
    postgres_link_init(&d->own, target, 0, NULL);
    int r = postgres_link_open(d->link);
    if (r == 0)
        r = run(d->link, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", NULL, NULL, NULL);
    if (r == 0)
        r = run(d->link, PATIENT_SQL, NULL, NULL, NULL);
    if (r == 0)
        r = find_stranger(d, a, &stranger);
    if (r < 0) {
        dump_failed(d, r);
        *ret_why = arena_str(a, str_from(d->dump.why));
    } else if (stranger.name[0]) {
        *ret_why = arena_printf(a, "it holds a collection \"%s\" that this Lorry does not know",
                                stranger.name);
        r = ERR_INVALID;
    }
    if (r < 0)
        dump_close(&d->dump);
    else
        *ret_dump = &d->dump;
    return r;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct postgres_load {
    struct store_load load; /* first: the port's view */
    struct postgres_link link;
    const struct postgres_options *options;
    struct arena scratch;
    int64_t seq;
};

static int load_failed(struct postgres_load *l, int code) {
    bool twice = !strcmp(l->link.error.sqlstate, "23505");
    snprintf(l->load.why, sizeof l->load.why, "cannot write to PostgreSQL: %s",
             l->link.error.text[0] ? l->link.error.text : l->link.why);
    return twice ? ERR_INVALID : code;
}

enum { DOC_ID, DOC_VERSION, DOC_WAKE, DOC_COMMIT, DOC_STATE, DOC_FIXED };

static int add_docs(struct postgres_load *l, const struct store_record *records, int32_t count) {
    static const enum postgres_type types[DOC_FIXED] = {POSTGRES_TEXT, POSTGRES_I64, POSTGRES_I64,
                                                        POSTGRES_TEXT, POSTGRES_JSONB};
    const struct store_collection *c = records[0].collection;
    struct postgres_params p = {.arena = &l->scratch};
    struct postgres_array v[DOC_FIXED + STORE_KEYS_MAX];
    int keys = store_index_count(c);
    char sql[POSTGRES_SQL_MAX];
    for (int i = 0; i < DOC_FIXED + keys; i++)
        postgres_array_init(&v[i], &l->scratch, i < DOC_FIXED ? types[i] : POSTGRES_TEXT);
    for (int32_t i = 0; i < count; i++) {
        const struct store_doc *d = &records[i].doc;
        postgres_array_str(&v[DOC_ID], d->id);
        postgres_array_i64(&v[DOC_VERSION], d->version);
        if (d->wake_at_us)
            postgres_array_i64(&v[DOC_WAKE], d->wake_at_us);
        else
            postgres_array_null(&v[DOC_WAKE]);
        postgres_array_str(&v[DOC_COMMIT], d->commit_id);
        postgres_array_str(&v[DOC_STATE], d->state);
        for (int k = 0; k < keys; k++)
            postgres_array_str(&v[DOC_FIXED + k], records[i].keys[k]);
    }
    int n =
        snprintf(sql, sizeof sql, "INSERT INTO %s(id, version, wake_at, commit_id, state", c->name);
    for (int k = 0; k < keys; k++)
        n += snprintf(sql + n, sizeof sql - (size_t)n, ", " POSTGRES_KEY_COLUMN, c->indexes[k]);
    n += snprintf(sql + n, sizeof sql - (size_t)n,
                  ") SELECT * FROM unnest($1::text[], $2::int8[], $3::int8[], $4::text[],"
                  " $5::jsonb[]");
    for (int k = 0; k < keys; k++)
        n += snprintf(sql + n, sizeof sql - (size_t)n, ", $%d::text[]", DOC_FIXED + 1 + k);
    snprintf(sql + n, sizeof sql - (size_t)n, ")");
    for (int i = 0; i < DOC_FIXED + keys; i++)
        postgres_add_array(&p, &v[i]);
    return run(&l->link, sql, &p, NULL, NULL);
}

/* Owned by nobody: the first server takes them over. */
static int add_events(struct postgres_load *l, const struct store_record *records, int32_t count) {
    struct postgres_params p = {.arena = &l->scratch};
    struct postgres_array v[8];
    for (int i = 0; i < 8; i++)
        postgres_array_init(&v[i], &l->scratch, i == 0 || i == 4 ? POSTGRES_I64 : POSTGRES_TEXT);
    for (int32_t i = 0; i < count; i++) {
        const struct event *e = &records[i].event;
        postgres_array_i64(&v[0], ++l->seq);
        postgres_array_str(&v[1], e->id);
        postgres_array_str(&v[2], e->type);
        postgres_array_str(&v[3], e->key);
        postgres_array_i64(&v[4], e->at_us);
        postgres_array_str(&v[5], e->request_id);
        postgres_array_str(&v[6], e->traceparent);
        postgres_array_str(&v[7], e->data);
    }
    for (int i = 0; i < 8; i++)
        postgres_add_array(&p, &v[i]);
    return run(&l->link,
               "INSERT INTO outbox(owner, seq, id, type, key, at, request_id, traceparent, data)"
               " SELECT 0, * FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[],"
               " $5::int8[], $6::text[], $7::text[], $8::text[])",
               &p, NULL, NULL);
}

static int add_keys(struct postgres_load *l, const struct store_record *records, int32_t count,
                    bool answers) {
    static const enum postgres_type types[] = {POSTGRES_TEXT, POSTGRES_I64,  POSTGRES_I64,
                                               POSTGRES_I32,  POSTGRES_TEXT, POSTGRES_TEXT};
    struct postgres_params p = {.arena = &l->scratch};
    struct postgres_array v[COUNT_OF(types)];
    int columns = answers ? (int)COUNT_OF(types) : 2;
    for (int i = 0; i < columns; i++)
        postgres_array_init(&v[i], &l->scratch, types[i]);
    for (int32_t i = 0; i < count; i++) {
        const struct store_answer *a = &records[i].answer;
        postgres_array_str(&v[0], a->key);
        postgres_array_i64(&v[1], a->at_us);
        if (!answers)
            continue;
        postgres_array_i64(&v[2], (int64_t)a->body_hash);
        postgres_array_i32(&v[3], a->status);
        postgres_array_str(&v[4], a->etag);
        postgres_array_str(&v[5], a->body);
    }
    for (int i = 0; i < columns; i++)
        postgres_add_array(&p, &v[i]);
    return run(&l->link,
               answers ? "INSERT INTO answers(key, at, body_hash, status, etag, body)"
                         " SELECT * FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int4[],"
                         " $5::text[], $6::text[]) ON CONFLICT DO NOTHING"
                       : "INSERT INTO seen(key, at) SELECT * FROM unnest($1::text[], $2::int8[])"
                         " ON CONFLICT DO NOTHING",
               &p, NULL, NULL);
}

static int load_add(struct store_load *load, const struct store_record *records, int32_t count) {
    struct postgres_load *l = (struct postgres_load *)load;
    int r = 0;
    CHECK(count >= 1 && count <= STORE_LOAD_MAX);
    for (int32_t from = 0, to; r == 0 && from < count; from = to) {
        enum store_record_kind kind = records[from].kind;
        for (to = from + 1; to < count && records[to].kind == kind; to++)
            if (kind == STORE_RECORD_DOC && records[to].collection != records[from].collection)
                break;
        arena_reset(&l->scratch);
        if (kind == STORE_RECORD_DOC)
            r = add_docs(l, &records[from], to - from);
        else if (kind == STORE_RECORD_EVENT)
            r = add_events(l, &records[from], to - from);
        else
            r = add_keys(l, &records[from], to - from, kind == STORE_RECORD_ANSWER);
    }
    return r < 0 ? load_failed(l, r) : 0;
}

static int load_dump(struct store_load *load, struct store_dump **ret_dump) {
    struct postgres_load *l = (struct postgres_load *)load;
    struct postgres_dump *d = dump_new(l->options);
    d->link = &l->link;
    *ret_dump = &d->dump;
    return 0;
}

static int load_finish(struct store_load *load) {
    struct postgres_load *l = (struct postgres_load *)load;
    int r = run(&l->link, "COMMIT", NULL, NULL, NULL);
    return r < 0 ? load_failed(l, r) : 0;
}

static void load_close(struct store_load *load) {
    struct postgres_load *l = (struct postgres_load *)load;
    postgres_link_free(&l->link); /* what is not committed was never there */
    arena_free(&l->scratch);
    free(l);
}

static const struct store_load_ops load_ops = {
    .add = load_add, .dump = load_dump, .finish = load_finish, .close = load_close};

/* Servers hold a lock each (postgres_outbox.c); those that start wait for the schema's. */
static int keep_servers_out(struct postgres_load *l, int64_t *ret_servers) {
    char lock[96];
    snprintf(lock, sizeof lock, "SELECT pg_advisory_xact_lock(%d, %d)", POSTGRES_LOCK_CLASS,
             POSTGRES_LOCK_SCHEMA);
    int r = run(&l->link, lock, NULL, NULL, NULL);
    if (r < 0)
        return r;
    return run(&l->link,
               "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
               " AND classid = x'4c6f7279'::int::oid AND objid <> 0 AND objsubid = 2"
               " AND mode = 'ExclusiveLock' AND pid <> pg_backend_pid() AND database ="
               " (SELECT oid FROM pg_database WHERE datname = current_database())",
               NULL, on_number, ret_servers);
}

/* The first table of all that has rows. */
static int find_rows(struct postgres_load *l, const char **ret_table) {
    static const char *const rest[] = {"outbox", "seen", "answers"};
    for (int i = 0; i < l->options->collection_count + 3; i++) {
        int n = i - l->options->collection_count;
        const char *table = n < 0 ? l->options->collections[i]->name : rest[n];
        char sql[128];
        int64_t some = 0;
        snprintf(sql, sizeof sql, "SELECT count(*) FROM (SELECT FROM %s LIMIT 1) t", table);
        int r = run(&l->link, sql, NULL, on_number, &some);
        if (r < 0)
            return r;
        if (some) {
            *ret_table = table;
            return 0;
        }
    }
    return 0;
}

static int load_begin(struct postgres_load *l, struct arena *a, struct str *ret_why) {
    int64_t servers = 0;
    const char *table = NULL;
    int r = postgres_link_open(&l->link);
    if (r == 0)
        r = run(&l->link, "BEGIN", NULL, NULL, NULL);
    if (r == 0)
        r = run(&l->link, PATIENT_SQL, NULL, NULL, NULL);
    if (r == 0)
        r = keep_servers_out(l, &servers);
    if (r == 0)
        r = find_rows(l, &table);
    if (r < 0) {
        load_failed(l, r);
        *ret_why = arena_str(a, str_from(l->load.why));
        return r;
    }
    if (servers) {
        *ret_why = arena_printf(a, "a Lorry works on this database: stop it first");
        return ERR_BUSY;
    }
    if (table) {
        *ret_why = arena_printf(a, "the database is not empty: its table %s has rows", table);
        return ERR_CONFLICT;
    }
    return 0;
}

int postgres_load_open(const struct postgres_target *target, const struct postgres_options *o,
                       struct arena *a, struct store_load **ret_load, struct str *ret_why) {
    struct postgres_load *l = xcalloc(1, sizeof *l);
    l->load.ops = &load_ops;
    l->options = o;
    arena_init(&l->scratch, 65536);
    postgres_link_init(&l->link, target, 0, NULL);
    int r = load_begin(l, a, ret_why);
    if (r < 0)
        load_close(&l->load);
    else
        *ret_load = &l->load;
    return r;
}
