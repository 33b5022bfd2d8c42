/* The sqlite store: the contract, then what only a file can suffer. */
#include "contract.h"
#include "power_vfs.h"

#include "adapters/sqlite/sqlite_store.h"
#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct folder {
    char dir[64];
    struct sqlite_options options;
    struct sqlite_source *source;
};

static int open_source(struct folder *f, struct arena *a, struct str *ret_why) {
    return sqlite_source_open(&f->options, a, &f->source, ret_why);
}

static void must_open(struct folder *f) {
    struct arena a;
    struct str why = STR_NONE;
    arena_init(&a, 1024);
    if (open_source(f, &a, &why) != 0)
        fail_msg("%.*s", STR_ARG(why));
    arena_free(&a);
}

static void *make(const struct store_collection *const *collections, int count) {
    struct folder *f = calloc(1, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%s/lorry-test-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    f->options = (struct sqlite_options){
        .dir = f->dir, .collections = collections, .collection_count = count};
    must_open(f);
    return f;
}

static struct store_source *source(void *data) {
    return sqlite_source_port(((struct folder *)data)->source);
}

static void reopen(void *data) {
    struct folder *f = data;
    f->source = sqlite_source_close(f->source);
    must_open(f);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void drop(void *data) {
    struct folder *f = data;
    sqlite_source_close(f->source);
    nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
}

/* --- what only a file can suffer -------------------------------------------------------------- */

static const struct store_collection things = {"things", {"owner"}, true};
static const struct store_collection *const collections[] = {&things};

static struct str why_not(struct folder *f, struct arena *a, int code) {
    struct str why = STR_NONE;
    assert_int_equal(open_source(f, a, &why), code);
    assert_true(why.len > 0);
    return why;
}

static bool contains(struct str s, const char *part) {
    return memmem(s.p, s.len, part, strlen(part)) != NULL;
}

static void path_of(const struct folder *f, const char *name, char out[128]) {
    snprintf(out, 128, "%s/%s", f->dir, name);
}

static void raw_sql(const struct folder *f, const char *sql) {
    char path[128];
    sqlite3 *db;
    path_of(f, "lorry.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* The batch N of the crash test: its documents, each with an event, and the one that counts. */
#define CRASH_BATCH 8

static int crash_commit(struct store *w, int64_t n, struct arena *a) {
    struct store_change c[CRASH_BATCH + 1];
    struct event e[CRASH_BATCH];
    for (int i = 0; i < CRASH_BATCH; i++) {
        struct str id = arena_printf(a, "b%06lld-%d", (long long)n, i);
        char *state = arena_bytes(a, 3000);
        memset(state, 'x', 3000);
        e[i] = (struct event){id, STR("t"), id, 1, STR_NONE, STR_NONE, STR("{}"), 0};
        c[i] = (struct store_change){.collection = &things,
                                     .id = id,
                                     .state = {state, (size_t)(n * 37 % 3000)},
                                     .keys = {STR("crash")},
                                     .dedupe = id,
                                     .events = &e[i],
                                     .event_count = 1};
    }
    c[CRASH_BATCH] = (struct store_change){
        .collection = &things, .id = STR("count"), .state = STR("{}"), .expected_version = n};
    int r = w->ops->commit(w, c, CRASH_BATCH + 1, NULL, 0);
    for (int i = 0; r == 0 && i <= CRASH_BATCH; i++)
        r = c[i].result;
    return r;
}

/* The child: commits until it is killed, and tells of each batch that has been acknowledged. */
static void crash_child(struct folder *f, int64_t from, int fd) {
    struct arena a;
    struct store *w;
    struct str why;
    arena_init(&a, 65536);
    if (open_source(f, &a, &why) != 0)
        _exit(1);
    struct store_source *src = source(f);
    if (src->open(src, true, &w) != 0)
        _exit(2);
    for (int64_t n = from;; n++) {
        if (crash_commit(w, n, &a) != 0 || write(fd, &n, sizeof n) != sizeof n)
            _exit(3);
        arena_reset(&a);
    }
}

/* Everything up to batch LAST is there whole; the one after it whole or not at all, and nothing
 * else. Returns how many batches there are. */
static int64_t crash_audit(struct folder *f, int64_t last) {
    struct arena a;
    struct store *r;
    struct store_doc doc;
    struct event *events;
    int32_t n;
    arena_init(&a, 65536);
    must_open(f);
    struct store_source *src = source(f);
    assert_int_equal(src->open(src, false, &r), 0);
    int64_t count = r->ops->get(r, &things, STR("count"), &a, &doc) == 0 ? doc.version : 0;
    assert_true(count == last + 1 || count == last + 2);
    for (int64_t b = 0; b <= count; b++) {
        for (int i = 0; i < CRASH_BATCH; i++) {
            struct str id = arena_printf(&a, "b%06lld-%d", (long long)b, i);
            bool there = r->ops->get(r, &things, id, &a, &doc) == 0;
            assert_true(there == (b < count));
            assert_true(r->ops->seen(r, &things, id) == there);
            if (there)
                assert_int_equal(doc.state.len, b * 37 % 3000);
        }
        arena_reset(&a);
    }
    int64_t rows = 0, after_seq = 0;
    do {
        assert_int_equal(r->ops->outbox_read(r, after_seq, 1000, &a, &events, &n), 0);
        rows += n;
        after_seq = n ? events[n - 1].seq : after_seq;
        arena_reset(&a);
    } while (n > 0);
    assert_int_equal(rows, count * CRASH_BATCH);
    assert_int_equal(after_seq, rows);
    r->ops->close(r);
    f->source = sqlite_source_close(f->source);
    arena_free(&a);
    return count;
}

static void killed_at_any_moment(void **state) {
    (void)state;
    struct folder *f = make(collections, 1);
    struct rng rng;
    int64_t last = -1;
    f->source = sqlite_source_close(f->source);
    rng_seed(&rng, (uint64_t)clock_wall_us()); /* the moments are by chance anyway */
    for (int round = 0; round < 25; round++) {
        int fds[2], status;
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0)
            crash_child(f, last + 1, fds[1]);
        close(fds[1]);
        int64_t n, stop_us = clock_mono_us() + rng_between(&rng, 500, 40000);
        bool killed = false;
        while (read(fds[0], &n, sizeof n) == sizeof n) { /* to the end of what it said */
            last = n;
            if (!killed && clock_mono_us() >= stop_us)
                killed = kill(child, SIGKILL) == 0;
        }
        close(fds[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        last = crash_audit(f, last) - 1;
    }
    drop(f);
}

static int64_t count_docs(struct store *r, struct arena *a) {
    struct store_query q = {.collection = &things, .limit = STORE_LIST_MAX, .ascending = true};
    struct store_doc *docs;
    int64_t total = 0;
    int32_t n;
    do {
        assert_int_equal(r->ops->list(r, &q, a, &docs, &n), 0);
        total += n;
        if (n)
            q.after = docs[n - 1].id;
    } while (n > 0);
    return total;
}

/* The power fails at a write or sync chosen by seed, and takes with it what was not synced. */
static void power_fails_at_any_write(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 20260101);
    for (int round = 0; round < 120; round++) {
        struct folder *f = make(collections, 1);
        int64_t n, last = -1, ops = rng_between(&rng, 1, 1500);
        int fds[2], status;
        f->source = sqlite_source_close(f->source);
        f->options.checkpoint_pages = 100;
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            power_vfs_install(ops, (uint64_t)round);
            crash_child(f, 0, fds[1]);
        }
        close(fds[1]);
        while (read(fds[0], &n, sizeof n) == sizeof n)
            last = n;
        close(fds[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        crash_audit(f, last);
        drop(f);
    }
}

/* A sync that fails leaves the batch undone for everyone who looks, and says that it knows no
 * more than that. */
static void failed_sync(void **state) {
    (void)state;
    struct folder *f = make(collections, 1);
    int status;
    f->source = sqlite_source_close(f->source);
    pid_t child = fork();
    if (child == 0) {
        struct arena a;
        struct store *w;
        arena_init(&a, 65536);
        power_vfs_install(0, 1);
        must_open(f);
        struct store_source *src = source(f);
        if (src->open(src, true, &w) != 0 || crash_commit(w, 0, &a) != 0)
            _exit(1);
        power_vfs_fail_syncs(1);
        if (crash_commit(w, 1, &a) != ERR_UNKNOWN || count_docs(w, &a) != CRASH_BATCH + 1)
            _exit(2);
        power_vfs_repair();
        if (crash_commit(w, 1, &a) != 0 || count_docs(w, &a) != 2 * CRASH_BATCH + 1)
            _exit(3);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    crash_audit(f, 1);
    drop(f);
}

/* Creates documents until the store refuses; returns how many there are. */
static int64_t fill(struct store *w, struct arena *a, int *ret_code) {
    static char state[2000];
    memset(state, 'x', sizeof state);
    for (int64_t n = 0;; n++) {
        struct store_change c = {.collection = &things,
                                 .id = arena_printf(a, "id%06lld", (long long)n),
                                 .state = {state, sizeof state},
                                 .keys = {STR("o")}};
        *ret_code = w->ops->commit(w, &c, 1, NULL, 0);
        assert_int_equal(c.result, *ret_code);
        if (*ret_code != 0)
            return n;
        arena_reset(a);
    }
}

static void full_disk(void **state) {
    (void)state;
    struct folder *f = make(collections, 1);
    struct arena a;
    struct store *w;
    int code;
    arena_init(&a, 65536);
    f->options.pages_max = 200;
    reopen(f);
    struct store_source *src = source(f);
    assert_int_equal(src->open(src, true, &w), 0);
    int64_t n = fill(w, &a, &code);
    assert_int_equal(code, ERR_FULL);
    assert_true(n > 50);
    assert_int_equal(count_docs(w, &a), n); /* still reads, and nothing half-written */
    static char large[20000];
    memset(large, 'x', sizeof large);
    struct store_change c = {.collection = &things,
                             .id = STR("large"),
                             .state = {large, sizeof large},
                             .keys = {STR("o")}};
    for (int i = 0; i < 3; i++) /* again and again, and nothing comes of it */
        assert_int_equal(w->ops->commit(w, &c, 1, NULL, 0), ERR_FULL);
    assert_true(w->ops->prune_docs(w, &things, STR("id000040"), 100) == 40); /* makes room */
    assert_int_equal(w->ops->commit(w, &c, 1, NULL, 0), 0);
    assert_int_equal(c.result, 0);
    assert_int_equal(count_docs(w, &a), n - 40 + 1);
    w->ops->close(w);
    arena_free(&a);
    drop(f);
}

/* The kernel refuses to let any file grow: the log cannot be written. */
static void disk_refuses_writes(void **state) {
    (void)state;
    struct folder *f = make(collections, 1);
    int status;
    f->source = sqlite_source_close(f->source);
    pid_t child = fork();
    if (child == 0) {
        struct arena a;
        struct store *w;
        struct rlimit limit = {1000000, 1000000};
        int code;
        arena_init(&a, 65536);
        signal(SIGXFSZ, SIG_IGN);
        must_open(f);
        struct store_source *src = source(f);
        if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || src->open(src, true, &w) != 0)
            _exit(99);
        int64_t n = fill(w, &a, &code);
        bool right = (code == ERR_IO || code == ERR_FULL) && count_docs(w, &a) == n;
        _exit(right && n > 10 && n < 250 ? (int)n : 98);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 98);
    struct arena a;
    struct store *r;
    arena_init(&a, 65536);
    must_open(f);
    struct store_source *src = source(f);
    assert_int_equal(src->open(src, false, &r), 0);
    assert_int_equal(count_docs(r, &a), WEXITSTATUS(status));
    r->ops->close(r);
    arena_free(&a);
    drop(f);
}

static void one_server_a_folder(void **state) {
    (void)state;
    struct folder *f = make(collections, 1), second = *f;
    struct arena a;
    struct store *w, *beside;
    struct store_doc doc;
    char pid[32];
    arena_init(&a, 1024);
    snprintf(pid, sizeof pid, "process %ld:", (long)getpid());
    assert_true(contains(why_not(&second, &a, ERR_BUSY), pid));
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct str why = STR_NONE;
        _exit(open_source(&second, &a, &why) == ERR_BUSY && contains(why, pid) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    second.options.beside = true; /* `lorry user add` at a running server */
    must_open(&second);
    assert_int_equal(source(f)->open(source(f), true, &w), 0);
    assert_int_equal(source(&second)->open(source(&second), true, &beside), 0);
    struct event e = {STR("evt"), STR("t"), STR("k"), 1, STR_NONE, STR_NONE, STR("{}"), 0};
    for (int64_t v = 0; v < 6; v++) { /* in turns; the outbox has one order all the same */
        struct store *by = v % 2 ? beside : w, *other = v % 2 ? w : beside;
        struct store_change c = {.collection = &things,
                                 .id = STR("a"),
                                 .expected_version = v,
                                 .state = STR("{}"),
                                 .events = &e,
                                 .event_count = 1};
        assert_int_equal(by->ops->commit(by, &c, 1, NULL, 0), 0);
        assert_int_equal(c.result, 0);
        assert_int_equal(other->ops->get(other, &things, STR("a"), &a, &doc), 0);
        assert_int_equal(doc.version, v + 1);
    }
    struct event *events;
    int32_t n;
    assert_int_equal(w->ops->outbox_read(w, 0, 10, &a, &events, &n), 0);
    assert_int_equal(n, 6);
    assert_int_equal(events[5].seq, 6);
    beside->ops->close(beside);
    sqlite_source_close(second.source);
    w->ops->close(w);
    arena_free(&a);
    drop(f);
}

/* POSIX drops all locks that a process has on a file when it closes any descriptor of it. A server
 * whose demo opened the file a second time had none left, and the next command that looked into the
 * folder took itself for the last one there and deleted the log under the server. */
static void second_opening_keeps_the_locks(void **state) {
    (void)state;
    struct folder *f = make(collections, 1), second = *f;
    int status;
    second.options.beside = true;
    must_open(&second);
    sqlite_source_close(second.source);
    pid_t child = fork();
    if (child == 0) {
        char path[128];
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        path_of(f, "lorry.db", path);
        int fd = open(path, O_RDWR);
        _exit(fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    drop(f);
}

struct hand {
    struct store *s;
    const char *prefix;
    int failures;
};

static void *write_all_the_time(void *arg) {
    struct hand *h = arg;
    struct arena a;
    arena_init(&a, 4096);
    for (int n = 0; n < 150; n++) {
        struct str id = arena_printf(&a, "%s%d", h->prefix, n);
        struct event e = {id, STR("t"), id, 1, STR_NONE, STR_NONE, STR("{}"), 0};
        struct store_change c = {.collection = &things,
                                 .id = id,
                                 .state = STR("{}"),
                                 .dedupe = id,
                                 .events = &e,
                                 .event_count = 1};
        h->failures += h->s->ops->commit(h->s, &c, 1, NULL, 0) != 0 || c.result != 0;
        arena_reset(&a);
    }
    arena_free(&a);
    return NULL;
}

/* The server and a command beside it at the same moment: they wait for each other. */
static void two_writers_at_once(void **state) {
    (void)state;
    struct folder *f = make(collections, 1), second = *f;
    struct hand hands[2] = {{.prefix = "a"}, {.prefix = "b"}};
    pthread_t threads[2];
    struct event *events;
    struct arena a;
    int32_t n;
    arena_init(&a, 65536);
    second.options.beside = true;
    must_open(&second);
    assert_int_equal(source(f)->open(source(f), true, &hands[0].s), 0);
    assert_int_equal(source(&second)->open(source(&second), true, &hands[1].s), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_all_the_time, &hands[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(hands[i].failures, 0);
    }
    assert_int_equal(hands[0].s->ops->outbox_read(hands[0].s, 0, 1000, &a, &events, &n), 0);
    assert_int_equal(n, 300);
    assert_int_equal(events[299].seq, 300);
    for (int i = 0; i < 2; i++)
        hands[i].s->ops->close(hands[i].s);
    sqlite_source_close(second.source);
    arena_free(&a);
    drop(f);
}

static void busy_while_another_writes(void **state) {
    (void)state;
    struct folder *f = make(collections, 1);
    char path[128];
    sqlite3 *other;
    struct store *w;
    path_of(f, "lorry.db", path);
    assert_int_equal(source(f)->open(source(f), true, &w), 0);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct store_change c = {.collection = &things, .id = STR("a"), .state = STR("{}")};
    assert_int_equal(w->ops->commit(w, &c, 1, NULL, 0), ERR_BUSY);
    assert_int_equal(c.result, ERR_BUSY);
    assert_int_equal(w->ops->prune(w, 1, 1), ERR_BUSY);
    sqlite3_close(other);
    assert_int_equal(w->ops->commit(w, &c, 1, NULL, 0), 0);
    assert_int_equal(c.result, 0);
    w->ops->close(w);
    drop(f);
}

static void write_file(const struct folder *f, const char *name, const char *bytes, size_t len) {
    char path[128];
    path_of(f, name, path);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    fclose(out);
}

static void refuses_other_files(void **state) {
    (void)state;
    struct folder *f = make(collections, 1);
    struct arena a;
    char path[128], garbage[10000];
    struct rng rng;
    arena_init(&a, 1024);
    path_of(f, "lorry.db", path);

    f->source = sqlite_source_close(f->source);
    raw_sql(f, "INSERT INTO schema_version VALUES(7, 1, 'lorry 9.9')");
    struct str why = why_not(f, &a, ERR_INVALID);
    assert_true(contains(why, "newer Lorry (schema 7") && contains(why, path));

    unlink(path);
    raw_sql(f, "CREATE TABLE recipes(x); INSERT INTO recipes VALUES('soup')");
    assert_true(contains(why_not(f, &a, ERR_INVALID), "another program's"));
    raw_sql(f, "INSERT INTO recipes VALUES('bread')"); /* it was left alone */

    rng_seed(&rng, 1);
    rng_bytes(&rng, garbage, sizeof garbage);
    write_file(f, "lorry.db", garbage, sizeof garbage);
    assert_true(contains(why_not(f, &a, ERR_CORRUPT), "not a database"));
    write_file(f, "lorry.db", "a note to myself\n", 17);
    assert_true(contains(why_not(f, &a, ERR_CORRUPT), "not a database"));

    struct folder inside = *f; /* a folder below a file */
    char below[160];
    snprintf(below, sizeof below, "%s/data", path);
    inside.options.dir = below;
    assert_true(contains(why_not(&inside, &a, ERR_IO), "cannot make the folder"));
    arena_free(&a);
    drop(f);
}

/* What a Lorry of schema 1 left in its outbox still goes out, and new events have their trace. */
static void outbox_of_schema_1(void **state) {
    (void)state;
    struct folder *f = make(collections, 1);
    struct arena a;
    struct store *w;
    struct event *events;
    int32_t n;
    arena_init(&a, 1024);
    f->source = sqlite_source_close(f->source);
    raw_sql(f, "ALTER TABLE outbox DROP COLUMN traceparent;"
               "DELETE FROM schema_version WHERE version > 1;"
               "UPDATE counters SET value = 1 WHERE name = 'outbox_seq';"
               "INSERT INTO outbox VALUES(1, 'evt_old', 't', 'k', 5, 'req_1', '{}')");
    must_open(f);
    assert_int_equal(source(f)->open(source(f), true, &w), 0);
    struct event e = {.id = STR("evt_new"), .type = STR("t"), .key = STR("k"), .data = STR("{}")};
    e.traceparent = STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    struct store_change c = {
        .collection = &things, .id = STR("a"), .state = STR("{}"), .events = &e, .event_count = 1};
    assert_int_equal(w->ops->commit(w, &c, 1, NULL, 0), 0);
    assert_int_equal(w->ops->outbox_read(w, 0, 10, &a, &events, &n), 0);
    assert_int_equal(n, 2);
    assert_true(str_is(events[0].id, "evt_old") && events[0].traceparent.p == NULL);
    assert_true(str_is(events[0].request_id, "req_1") && str_is(events[0].data, "{}"));
    assert_true(str_eq(events[1].traceparent, e.traceparent));
    w->ops->close(w);
    arena_free(&a);
    drop(f);
}

static void refuses_a_truncated_file(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 65536);
    for (int part = 1; part <= 9; part++) {
        struct folder *f = make(collections, 1);
        struct store *w;
        char path[128];
        assert_int_equal(source(f)->open(source(f), true, &w), 0);
        for (int64_t n = 0; n < 60; n++)
            assert_int_equal(crash_commit(w, n, &a), 0);
        w->ops->close(w);
        f->source = sqlite_source_close(f->source);
        path_of(f, "lorry.db", path);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_true(st.st_size > 100000);
        assert_int_equal(truncate(path, st.st_size * part / 10), 0);
        assert_true(contains(why_not(f, &a, ERR_CORRUPT), "damaged"));
        drop(f);
        arena_reset(&a);
    }
    arena_free(&a);
}

static void collections_come_and_grow(void **state) {
    (void)state;
    static const struct store_collection more_keys = {"things", {"owner", "colour"}, true};
    static const struct store_collection fresh = {"fresh", {"a", "b"}, false};
    static const struct store_collection *const later[] = {&more_keys, &fresh};
    struct arena a;
    struct store *w;
    arena_init(&a, 1024);
    for (int with_docs = 0; with_docs < 2; with_docs++) {
        struct folder *f = make(collections, 1);
        assert_int_equal(source(f)->open(source(f), true, &w), 0);
        struct store_change c = {.collection = &things, .id = STR("a"), .state = STR("{}")};
        if (with_docs)
            assert_int_equal(w->ops->commit(w, &c, 1, NULL, 0), 0);
        w->ops->close(w);
        f->source = sqlite_source_close(f->source);
        f->options.collections = later;
        f->options.collection_count = 2;
        must_open(f);
        assert_int_equal(source(f)->open(source(f), true, &w), 0);
        struct store_query q = {
            .collection = &more_keys, .index = "colour", .key = STR("red"), .limit = 10};
        struct store_doc *docs;
        int32_t count;
        assert_int_equal(w->ops->list(w, &q, &a, &docs, &count), 0);
        assert_int_equal(count, 0); /* what was there before is found once it is written again */
        c.collection = &more_keys;
        c.keys[1] = STR("red");
        c.expected_version = with_docs;
        assert_int_equal(w->ops->commit(w, &c, 1, NULL, 0), 0);
        assert_int_equal(c.result, 0);
        assert_int_equal(w->ops->list(w, &q, &a, &docs, &count), 0);
        assert_int_equal(count, 1);
        w->ops->close(w);
        drop(f);
    }
    arena_free(&a);
}

int main(void) {
    const struct store_factory f = {"sqlite store", make, source, reopen, drop};
    const struct CMUnitTest own[] = {
        cmocka_unit_test(killed_at_any_moment),
        cmocka_unit_test(power_fails_at_any_write),
        cmocka_unit_test(failed_sync),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(disk_refuses_writes),
        cmocka_unit_test(one_server_a_folder),
        cmocka_unit_test(second_opening_keeps_the_locks),
        cmocka_unit_test(two_writers_at_once),
        cmocka_unit_test(busy_while_another_writes),
        cmocka_unit_test(refuses_other_files),
        cmocka_unit_test(outbox_of_schema_1),
        cmocka_unit_test(refuses_a_truncated_file),
        cmocka_unit_test(collections_come_and_grow),
    };
    int failed = store_contract(&f);
    return failed + cmocka_run_group_tests_name("sqlite store's own", own, NULL, NULL);
}
