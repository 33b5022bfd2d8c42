/* The postgres store on a real server: the contract, then what only a server can suffer. */
#include "contract.h"
#include "postgres_server.h"
#include "wire.h"

#include "adapters/postgres/postgres_store.h"
#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct postgres_server server; /* one for all tests; each has a database of its own */

struct database {
    char name[32], uri[POSTGRES_URI_MAX];
    struct postgres_options options;
    struct postgres_source *source;
};

static struct postgres_source *must_open(const struct postgres_options *o) {
    struct arena a;
    struct str why = STR_NONE;
    struct postgres_source *source = NULL;
    arena_init(&a, 1024);
    if (postgres_source_open(o, &a, &source, &why) != 0)
        fail_msg("%.*s", STR_ARG(why));
    arena_free(&a);
    return source;
}

static void *make(const struct store_collection *const *collections, int count) {
    static int number;
    struct database *d = calloc(1, sizeof *d);
    char sql[128];
    snprintf(d->name, sizeof d->name, "test_%d", ++number);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0", d->name);
    postgres_server_do(&server, "postgres", sql);
    postgres_server_uri(&server, d->name, d->uri);
    d->options = (struct postgres_options){
        .uri = d->uri, .collections = collections, .collection_count = count};
    d->source = must_open(&d->options);
    return d;
}

static struct store_source *source(void *data) {
    return postgres_source_port(((struct database *)data)->source);
}

static void reopen(void *data) {
    struct database *d = data;
    d->source = postgres_source_close(d->source);
    d->source = must_open(&d->options);
}

static void drop(void *data) {
    struct database *d = data;
    char sql[128];
    postgres_source_close(d->source);
    snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", d->name);
    postgres_server_do(&server, "postgres", sql);
    free(d);
}

static struct store_source *join(void *data, bool beside) {
    struct postgres_options o = ((struct database *)data)->options;
    o.beside = beside;
    return postgres_source_port(must_open(&o));
}

static void leave(void *data, struct store_source *src) {
    (void)data;
    postgres_source_close((struct postgres_source *)src);
}

/* --- a handle behind a wire --------------------------------------------------------------------
 */

static const struct store_collection things = {"things", {"owner"}, true};
static const struct store_collection *const collections[] = {&things};

/* One database; `direct` sees it as it is, `far` through a wire that fails. */
struct wired {
    struct database *db;
    struct wire *wire;
    char uri[POSTGRES_URI_MAX];
    struct postgres_source *far_source;
    struct store *direct, *far;
    struct arena a;
};

static struct store *open_handle(struct store_source *src, bool writer) {
    struct store *s = NULL;
    assert_int_equal(src->open(src, writer, &s), 0);
    return s;
}

static void wired_up(struct wired *t) {
    *t = (struct wired){.db = make(collections, 1), .wire = wire_new(server.port)};
    arena_init(&t->a, 65536);
    snprintf(t->uri, sizeof t->uri, "postgresql://lorry@127.0.0.1:%d/%s", wire_port(t->wire),
             t->db->name);
    struct postgres_options o = {.uri = t->uri, .collections = collections, .collection_count = 1};
    t->far_source = must_open(&o);
    t->direct = open_handle(source(t->db), true);
    t->far = open_handle(postgres_source_port(t->far_source), true);
}

static void wired_down(struct wired *t) {
    t->far->ops->close(t->far);
    t->direct->ops->close(t->direct);
    postgres_source_close(t->far_source);
    wire_free(t->wire);
    drop(t->db);
    arena_free(&t->a);
}

static struct store_change change_of(const char *id, int64_t version, const char *commit_id) {
    return (struct store_change){.collection = &things,
                                 .id = str_from(id),
                                 .expected_version = version,
                                 .state = STR("{\"n\":1}"),
                                 .commit_id = str_from(commit_id),
                                 .result = 99};
}

static int commit_one(struct store *s, struct store_change c) {
    int r = s->ops->commit(s, &c, 1, NULL, 0);
    assert_true(r == 0 || c.result == r);
    return c.result;
}

/* The commit id of a document as S tells it, "" if there is none. As soon as S answers again. */
static const char *commit_id_of(struct wired *t, struct store *s, const char *id) {
    struct store_doc doc = {0};
    int64_t until_us = clock_mono_us() + 10 * US_PER_S;
    int r;
    while ((r = s->ops->get(s, &things, str_from(id), &t->a, &doc)) == ERR_UNAVAILABLE &&
           clock_mono_us() < until_us)
        usleep(10000);
    assert_true(r == 0 || r == ERR_NOT_FOUND);
    return r == 0 ? arena_cstr(&t->a, doc.commit_id) : "";
}

static int64_t took_ms(int64_t from_us) {
    return (clock_mono_us() - from_us) / 1000;
}

static void lost_answers_are_found(void **state) {
    (void)state;
    struct wired t;
    struct event e = {STR("evt_1"), STR("t"), STR("k"), 1, STR_NONE, STR_NONE, STR("{}"), 0},
                 *events;
    int32_t n;
    wired_up(&t);
    assert_int_equal(commit_one(t.far, change_of("warm", 0, "c0")), 0);
    struct store_change c = change_of("a", 0, "c1");
    c.events = &e;
    c.event_count = 1;
    c.dedupe = STR("dup");
    wire_set(t.wire, WIRE_DEAF); /* it arrives, and the answer does not */
    wire_cut_in(t.wire, 200);
    assert_int_equal(commit_one(t.far, c), ERR_UNKNOWN);
    assert_string_equal(commit_id_of(&t, t.far, "a"), "c1");
    assert_int_equal(commit_one(t.far, c), ERR_DUPLICATE);
    assert_int_equal(t.far->ops->outbox_read(t.far, 0, 10, &t.a, &events, &n), 0);
    assert_int_equal(n, 1); /* it is still the owner of what that session wrote */
    assert_int_equal(t.far->ops->commit(t.far, NULL, 0, &events[0].seq, 1), 0);

    wire_set(t.wire, WIRE_MUTE); /* it never arrives */
    wire_cut_in(t.wire, 200);
    assert_int_equal(commit_one(t.far, change_of("b", 0, "c2")), ERR_UNKNOWN);
    assert_string_equal(commit_id_of(&t, t.far, "b"), "");
    assert_int_equal(commit_one(t.far, change_of("b", 0, "c3")), 0);
    struct postgres_stats stats;
    postgres_source_stats(t.far_source, &stats);
    assert_int_equal(stats.reconnects, 2);
    assert_int_equal(stats.writers_connected, 1);
    wired_down(&t);
}

/* Others write over what is in doubt before anybody has looked. */
static void lost_answers_are_found_under_others(void **state) {
    (void)state;
    struct wired t;
    wired_up(&t);
    assert_int_equal(commit_one(t.direct, change_of("taken", 0, "d0")), 0);
    struct store_change lost[] = {change_of("a", 0, "c.0"), change_of("taken", 0, "c.1"),
                                  change_of("a", 1, "c.2"), change_of("b", 0, "c.3")};
    wire_set(t.wire, WIRE_DEAF);
    wire_cut_in(t.wire, 200);
    assert_int_equal(t.far->ops->commit(t.far, lost, 4, NULL, 0), ERR_UNKNOWN);
    assert_int_equal(commit_one(t.direct, change_of("a", 2, "d1")), 0);
    assert_int_equal(commit_one(t.direct, change_of("taken", 1, "d2")), 0);
    assert_int_equal(commit_one(t.direct, change_of("b", 1, "d3")), 0);
    assert_string_equal(commit_id_of(&t, t.far, "a"), "c.2");    /* the last of its own */
    assert_string_equal(commit_id_of(&t, t.far, "a"), "d1");     /* told once */
    assert_string_equal(commit_id_of(&t, t.far, "taken"), "d2"); /* it did not go through */
    assert_string_equal(commit_id_of(&t, t.far, "b"), "c.3");

    wire_set(t.wire, WIRE_MUTE);
    wire_cut_in(t.wire, 200);
    assert_int_equal(commit_one(t.far, change_of("b", 2, "c.4")), ERR_UNKNOWN);
    assert_int_equal(commit_one(t.direct, change_of("b", 2, "d4")), 0);
    assert_string_equal(commit_id_of(&t, t.far, "b"), "d4");
    wired_down(&t);
}

/* Nobody waits for a server that does not answer longer than the header says. */
static void silence_is_bounded(void **state) {
    (void)state;
    struct wired t;
    struct store_doc doc;
    struct store_query q = {.collection = &things, .limit = 10};
    struct store_doc *docs;
    int32_t n;
    wired_up(&t);
    struct store *reader = open_handle(postgres_source_port(t.far_source), false);
    assert_int_equal(commit_one(t.far, change_of("a", 0, "c1")), 0);
    assert_int_equal(reader->ops->get(reader, &things, STR("a"), &t.a, &doc), 0);
    wire_set(t.wire, WIRE_FROZEN);
    int64_t from_us = clock_mono_us();
    assert_int_equal(reader->ops->get(reader, &things, STR("a"), &t.a, &doc), ERR_UNAVAILABLE);
    assert_true(took_ms(from_us) >= 1000 && took_ms(from_us) < POSTGRES_STALL_MAX_MS);
    from_us = clock_mono_us(); /* and then not at all */
    for (int i = 0; i < 20; i++)
        assert_int_equal(reader->ops->list(reader, &q, &t.a, &docs, &n), ERR_UNAVAILABLE);
    assert_true(took_ms(from_us) < 1500);
    from_us = clock_mono_us();
    assert_int_equal(commit_one(t.far, change_of("a", 1, "c2")), ERR_UNKNOWN);
    assert_true(took_ms(from_us) < POSTGRES_STALL_MAX_MS);
    from_us = clock_mono_us();
    for (int i = 0; i < 20; i++)
        assert_int_equal(commit_one(t.far, change_of("z", 0, "c3")), ERR_UNAVAILABLE);
    assert_true(took_ms(from_us) < POSTGRES_STALL_MAX_MS);
    struct postgres_stats stats;
    postgres_source_stats(t.far_source, &stats);
    assert_true(stats.writers == 1 && stats.writers_connected == 0);
    wire_cut_in(t.wire, 0);
    assert_string_equal(commit_id_of(&t, t.far, "a"), "c1");
    assert_string_equal(commit_id_of(&t, reader, "a"), "c1");
    reader->ops->close(reader);
    wired_down(&t);
}

/* --- what others do to it ----------------------------------------------------------------------
 */

static void ended_sessions_are_made_again(void **state) {
    (void)state;
    struct wired t;
    wired_up(&t);
    struct event e = {STR("evt_1"), STR("t"), STR("k"), 1, STR_NONE, STR_NONE, STR("{}"), 0},
                 *events;
    int32_t n;
    for (int64_t v = 0; v < 10; v++) {
        struct store_change c = change_of("a", v, "c");
        c.events = &e;
        c.event_count = 1;
        assert_int_equal(commit_one(t.direct, c), 0);
        postgres_server_do(&server, t.db->name,
                           "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE"
                           " datname = current_database() AND pid <> pg_backend_pid()");
    }
    int64_t last = 0; /* its own events are still its own */
    assert_int_equal(t.direct->ops->outbox_read(t.direct, 0, 100, &t.a, &events, &n), 0);
    assert_int_equal(n, 10);
    for (int i = 0; i < n; i++) {
        assert_true(events[i].seq > last);
        last = events[i].seq;
    }
    wired_down(&t);
}

struct helper {
    struct store *s;
    struct store_change change;
    int result;
};

static void *commit_in_thread(void *arg) {
    struct helper *h = arg;
    h->result = commit_one(h->s, h->change);
    return NULL;
}

/* A dedupe key that another transaction is writing at the very moment is waited for; then the
 * document that was already written is put back. */
static void keys_written_at_the_same_moment(void **state) {
    (void)state;
    struct wired t;
    struct postgres_stats stats;
    pthread_t thread;
    wired_up(&t);
    for (int commits = 0; commits < 2; commits++) {
        struct helper h = {.s = t.direct, .change = change_of(commits ? "x" : "y", 0, "c")};
        h.change.dedupe = commits ? STR("k1") : STR("k0");
        PGconn *other = PQconnectdb(t.db->uri);
        PQclear(PQexec(other, "BEGIN"));
        PQclear(PQexec(other, commits ? "INSERT INTO seen VALUES('k1', 1)"
                                      : "INSERT INTO seen VALUES('k0', 1)"));
        assert_int_equal(pthread_create(&thread, NULL, commit_in_thread, &h), 0);
        usleep(300000);
        PQclear(PQexec(other, commits ? "COMMIT" : "ROLLBACK"));
        pthread_join(thread, NULL);
        PQfinish(other);
        assert_int_equal(h.result, commits ? ERR_DUPLICATE : 0);
        assert_string_equal(commit_id_of(&t, t.direct, commits ? "x" : "y"), commits ? "" : "c");
        postgres_source_stats(t.db->source, &stats);
        assert_int_equal(stats.commits_retried, commits);
    }
    wired_down(&t);
}

/* Who cannot get a lock in time writes nothing and may try again. */
static void locks_are_not_waited_for_long(void **state) {
    (void)state;
    struct wired t;
    wired_up(&t);
    assert_int_equal(commit_one(t.direct, change_of("a", 0, "c1")), 0);
    PGconn *other = PQconnectdb(t.db->uri);
    PQclear(PQexec(other, "BEGIN"));
    PQclear(PQexec(other, "SELECT 1 FROM things WHERE id = 'a' FOR UPDATE"));
    int64_t from_us = clock_mono_us();
    assert_int_equal(commit_one(t.direct, change_of("a", 1, "c2")), ERR_BUSY);
    assert_true(took_ms(from_us) < POSTGRES_COMMIT_TIMEOUT_MS);
    PQclear(PQexec(other, "ROLLBACK"));
    PQfinish(other);
    assert_int_equal(commit_one(t.direct, change_of("a", 1, "c2")), 0);
    wired_down(&t);
}

/* One change with text that PostgreSQL cannot keep fails alone. */
static void bad_text_fails_alone(void **state) {
    (void)state;
    struct wired t;
    struct store_doc doc;
    wired_up(&t);
    struct store_change c[] = {change_of("a", 0, "c"), change_of("b", 0, "c"),
                               change_of("c", 0, "c"), change_of("d", 0, "c")};
    c[1].state = STR("{\"n\":\"\\u0000\"}");
    c[2].keys[0] = (struct str){"o\0x", 3};
    assert_int_equal(t.direct->ops->commit(t.direct, c, 4, NULL, 0), 0);
    assert_true(c[0].result == 0 && c[1].result == ERR_INVALID && c[2].result == ERR_INVALID &&
                c[3].result == 0);
    assert_int_equal(t.far->ops->get(t.far, &things, STR("a"), &t.a, &doc), 0);
    assert_int_equal(t.far->ops->get(t.far, &things, STR("b"), &t.a, &doc), ERR_NOT_FOUND);
    assert_int_equal(t.far->ops->get(t.far, &things, STR("d"), &t.a, &doc), 0);
    assert_int_equal(t.far->ops->get(t.far, &things, (struct str){"a\0", 2}, &t.a, &doc),
                     ERR_NOT_FOUND);
    wired_down(&t);
}

/* --- a replica to read lists from ---------------------------------------------------------------
 */

static void lists_come_from_a_replica(void **state) {
    (void)state;
    struct database *db = make(collections, 1);
    struct wire *wire = wire_new(server.port); /* the way to the replica */
    struct postgres_options o = db->options;
    struct postgres_stats stats;
    struct store_query q = {.collection = &things, .limit = 10, .may_lag = true};
    struct store_doc *docs;
    struct arena a;
    char uri[POSTGRES_URI_MAX];
    int32_t n;
    arena_init(&a, 4096);
    snprintf(uri, sizeof uri, "postgresql://lorry@127.0.0.1:%d/%s", wire_port(wire), db->name);
    o.read_uri = uri;
    struct postgres_source *src = must_open(&o);
    struct store *w = open_handle(postgres_source_port(src), true);
    struct store *r = open_handle(postgres_source_port(src), false);
    assert_int_equal(commit_one(w, change_of("a", 0, "c")), 0);
    for (int round = 0; round < 2; round++) { /* the second time the replica does not answer */
        int64_t until_us = clock_mono_us() + 5 * US_PER_S;
        do {
            assert_int_equal(r->ops->list(r, &q, &a, &docs, &n), 0);
            assert_int_equal(n, 1);
            assert_int_equal(w->ops->list(w, &q, &a, &docs, &n), 0); /* never from there */
            postgres_source_stats(src, &stats);
            usleep(2000);
        } while (round == 0 && stats.replica_lists < 5 && clock_mono_us() < until_us);
        assert_true(stats.replica_lists >= 5);
        wire_set(wire, WIRE_FROZEN);
    }
    r->ops->close(r);
    w->ops->close(w);
    postgres_source_close(src);
    wire_free(wire);
    drop(db);
    arena_free(&a);
}

/* --- what is wrong is said ----------------------------------------------------------------------
 */

static void says(const char *uri, int code, const char *part) {
    struct postgres_options o = {.uri = uri, .collections = collections, .collection_count = 1};
    struct postgres_source *src = NULL;
    struct str why = STR_NONE;
    struct arena a;
    arena_init(&a, 1024);
    assert_int_equal(postgres_source_open(&o, &a, &src, &why), code);
    if (!memmem(why.p, why.len, part, strlen(part)))
        fail_msg("\"%s\" is not in \"%.*s\"", part, STR_ARG(why));
    arena_free(&a);
}

static void what_is_wrong_is_said(void **state) {
    (void)state;
    char uri[POSTGRES_URI_MAX];
    struct database *db = make(collections, 1);
    says("mysql://127.0.0.1/lorry", ERR_INVALID, "no PostgreSQL URI");
    says("postgresql://lorry@127.0.0.1:1/lorry", ERR_UNAVAILABLE, "Connection refused");
    postgres_server_uri(&server, "nowhere", uri);
    says(uri, ERR_UNAVAILABLE, "database \"nowhere\" does not exist");
    postgres_server_do(&server, "postgres", "CREATE ROLE walter LOGIN PASSWORD 'right'");
    snprintf(uri, sizeof uri, "postgresql://walter:wrong@127.0.0.1:%d/%s", server.port, db->name);
    says(uri, ERR_UNAVAILABLE, "password authentication failed for user \"walter\"");
    snprintf(uri, sizeof uri, "postgresql://walter:right@127.0.0.1:%d/template1", server.port);
    says(uri, ERR_IO, "the role needs the right to make tables");
    postgres_server_do(&server, "postgres",
                       "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    postgres_server_uri(&server, "latin", uri);
    says(uri, ERR_INVALID, "not in UTF-8");
    postgres_server_do(&server, "postgres", "CREATE DATABASE others");
    postgres_server_do(&server, "others", "CREATE TABLE outbox(a int)");
    postgres_server_uri(&server, "others", uri);
    says(uri, ERR_INVALID, "\"outbox\" that is not Lorry's");
    postgres_server_do(&server, db->name, "INSERT INTO schema_version VALUES(9, now(), 'lorry 9')");
    says(db->uri, ERR_INVALID, "newer Lorry (schema 9, this one knows");
    postgres_server_do(&server, db->name, "DELETE FROM schema_version WHERE version = 9");
    postgres_server_do(&server, db->name, "ALTER TABLE things DROP COLUMN by_owner");
    postgres_server_do(&server, db->name, "INSERT INTO things VALUES('a', 1, NULL, 'c', '{}')");
    struct postgres_source *again = must_open(&db->options); /* an index is added */
    postgres_source_close(again);
    postgres_server_do(&server, db->name,
                       "UPDATE things SET by_owner = 'me'; ALTER TABLE things DROP COLUMN wake_at");
    says(db->uri, ERR_INVALID, "table things has no column wake_at");
    drop(db);
}

/* --- another schema ----------------------------------------------------------------------------
 */

/* What a Lorry of schema 1 left in its outbox still goes out, and new events have their trace. */
static void outbox_of_schema_1(void **state) {
    (void)state;
    struct database *db = make(collections, 1);
    struct arena a;
    struct event *events;
    int32_t n;
    arena_init(&a, 1024);
    db->source = postgres_source_close(db->source);
    postgres_server_do(&server, db->name, "ALTER TABLE outbox DROP COLUMN traceparent");
    postgres_server_do(&server, db->name, "DELETE FROM schema_version WHERE version > 1");
    postgres_server_do(&server, db->name,
                       "INSERT INTO outbox VALUES(0, 1, 'evt_old', 't', 'k', 5, 'req_1', '{}')");
    db->source = must_open(&db->options);
    struct store *w = open_handle(source(db), true);
    struct event e = {.id = STR("evt_new"), .type = STR("t"), .key = STR("k"), .data = STR("{}")};
    e.traceparent = STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    struct store_change c = change_of("a", 0, "c");
    c.events = &e;
    c.event_count = 1;
    int64_t until_us = clock_mono_us() + 10 * US_PER_S;
    do {
        assert_int_equal(w->ops->outbox_read(w, 0, 10, &a, &events, &n), 0);
        usleep(10000);
    } while (n == 0 && clock_mono_us() < until_us);
    assert_int_equal(n, 1);
    assert_true(str_is(events[0].id, "evt_old") && events[0].traceparent.p == NULL);
    assert_true(str_is(events[0].request_id, "req_1") && str_is(events[0].data, "{}"));
    assert_int_equal(commit_one(w, c), 0);
    assert_int_equal(w->ops->outbox_read(w, events[0].seq, 10, &a, &events, &n), 0);
    assert_int_equal(n, 1);
    assert_true(str_eq(events[0].traceparent, e.traceparent));
    w->ops->close(w);
    arena_free(&a);
    drop(db);
}

/* --- days ------------------------------------------------------------------------------------ */

static const struct store_collection logs = {"logs", {"owner"}, .daily = true};
static const struct store_collection *const daily[] = {&logs};

static int64_t count_of(const struct database *db, const char *sql) {
    char out[256];
    postgres_server_sql(&server, db->name, sql, out);
    return atoll(out);
}

static const char *log_id(struct arena *a, int64_t at_us, int n) {
    return arena_cstr(a, arena_printf(a, "%016llx_%d", (unsigned long long)at_us, n));
}

/* One document at AT_US, and what is told of it. */
static void add_log(struct store *s, int64_t at_us, struct arena *a) {
    struct store_change c = change_of(log_id(a, at_us, 1), 0, "c");
    c.collection = &logs;
    c.keys[0] = STR("o");
    assert_int_equal(commit_one(s, c), 0);
    assert_int_equal(commit_one(s, c), ERR_CONFLICT);
}

static int32_t listed(struct store *s, struct arena *a) {
    struct store_query q = {.collection = &logs, .index = "owner", .key = STR("o"), .limit = 100};
    struct store_doc *docs;
    int32_t n;
    assert_int_equal(s->ops->list(s, &q, a, &docs, &n), 0);
    for (int32_t i = 1; i < n; i++)
        assert_true(str_cmp(docs[i - 1].id, docs[i].id) > 0);
    return n;
}

static void days_are_kept_apart(void **state) {
    (void)state;
    struct database *db = make(daily, 1);
    struct store *s = open_handle(source(db), true), *two = open_handle(source(db), true);
    struct store_doc doc;
    struct arena a;
    int64_t now_us = clock_wall_us();
    arena_init(&a, 65536);
    for (int day = -1; day <= 2; day++)
        add_log(s, now_us + day * US_PER_DAY, &a);
    assert_int_equal(count_of(db, "SELECT count(*) FROM ONLY logs_rest"), 0);
    add_log(s, now_us - 40 * US_PER_DAY, &a); /* no day was made for these */
    add_log(s, now_us + 40 * US_PER_DAY, &a);
    add_log(s, 5, &a);
    assert_int_equal(count_of(db, "SELECT count(*) FROM ONLY logs_rest"), 3);
    assert_int_equal(listed(two, &a), 7);
    for (int day = -1; day <= 2; day++)
        assert_int_equal(
            s->ops->get(s, &logs, str_from(log_id(&a, now_us + day * US_PER_DAY, 1)), &a, &doc), 0);
    /* Everything before today goes: yesterday with its day, the rest by itself. */
    struct str today = str_from(log_id(&a, now_us - now_us % US_PER_DAY, 0));
    struct store *writers[] = {s, two, s};
    for (int i = 0; i < 3; i++)
        assert_true(writers[i]->ops->prune_docs(writers[i], &logs, today, 100) >= 0);
    assert_int_equal(listed(s, &a), 4);
    assert_int_equal(count_of(db, "SELECT count(*) FROM pg_inherits WHERE"
                                  " inhparent = 'logs'::regclass"),
                     4); /* today, two to come, the rest */
    assert_int_equal(count_of(db, "SELECT count(*) FROM ONLY logs_rest"), 1);
    s->ops->close(s);
    two->ops->close(two);
    reopen(db); /* the day before today is made again, and nothing else happens */
    assert_int_equal(count_of(db, "SELECT count(*) FROM logs"), 4);
    drop(db);
    arena_free(&a);
}

/* Several processes start on an empty database at once: one makes the tables. */
static void *open_source_in_thread(void *arg) {
    return must_open(arg);
}

static void all_start_at_once(void **state) {
    (void)state;
    struct postgres_options o = {.collections = collections, .collection_count = 1};
    char uri[POSTGRES_URI_MAX];
    pthread_t threads[4];
    postgres_server_do(&server, "postgres", "CREATE DATABASE empty TEMPLATE template0");
    postgres_server_uri(&server, "empty", uri);
    o.uri = uri;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_source_in_thread, &o), 0);
    for (int i = 0; i < 4; i++) {
        void *src = NULL;
        pthread_join(threads[i], &src);
        assert_non_null(src);
        postgres_source_close(src);
    }
}

int main(void) {
    const struct store_factory f = {.name = "postgres store",
                                    .make = make,
                                    .source = source,
                                    .reopen = reopen,
                                    .drop = drop,
                                    .join = join,
                                    .leave = leave,
                                    .takeover_ms = 6000};
    const struct CMUnitTest own[] = {
        cmocka_unit_test(lost_answers_are_found),
        cmocka_unit_test(lost_answers_are_found_under_others),
        cmocka_unit_test(silence_is_bounded),
        cmocka_unit_test(ended_sessions_are_made_again),
        cmocka_unit_test(keys_written_at_the_same_moment),
        cmocka_unit_test(locks_are_not_waited_for_long),
        cmocka_unit_test(bad_text_fails_alone),
        cmocka_unit_test(lists_come_from_a_replica),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(outbox_of_schema_1),
        cmocka_unit_test(days_are_kept_apart),
        cmocka_unit_test(all_start_at_once),
    };
    postgres_server_make(&server, NULL, NULL);
    postgres_server_start(&server);
    int failed = getenv("OWN") ? 0 : store_contract(&f);
    failed += cmocka_run_group_tests_name("postgres store's own", own, NULL, NULL);
    postgres_server_remove(&server);
    return failed;
}
