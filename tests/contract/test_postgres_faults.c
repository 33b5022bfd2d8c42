/* What happens to the postgres store's server: killed, stopped, full, lost for good. Writers go on
 * all the while, and in the end everything that was acknowledged is there, once. */
#include "contract.h"
#include "postgres_server.h"

#include "adapters/postgres/postgres_store.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 8
#define BACK_MAX_US (20 * US_PER_S) /* a fault that is over is over by then */

static const struct store_collection things = {"things", {"owner"}, true};
static const struct store_collection *const collections[] = {&things};

static struct postgres_source *must_open_reading(const char *uri, const char *read_uri,
                                                 int32_t lag_max_ms) {
    struct postgres_options o = {.uri = uri,
                                 .read_uri = read_uri,
                                 .read_lag_max_ms = lag_max_ms,
                                 .collections = collections,
                                 .collection_count = 1};
    struct postgres_source *source = NULL;
    struct str why = STR_NONE;
    struct arena a;
    arena_init(&a, 1024);
    if (postgres_source_open(&o, &a, &source, &why) != 0)
        fail_msg("%.*s", STR_ARG(why));
    arena_free(&a);
    return source;
}

static struct postgres_source *must_open(const char *uri) {
    return must_open_reading(uri, NULL, 0);
}

/* --- a writer that goes on ---------------------------------------------------------------------
 */

struct writer {
    const char *name;
    struct store *s;
    pthread_t thread;
    _Atomic bool stop;
    _Atomic int64_t acked; /* batches that are there, as far as the writer was told */
    _Atomic int64_t last_ack_us;
    int64_t unknown, found, refused, worst_us;
    const char *wrong;
};

static struct str id_of(const struct writer *w, int64_t n, int i, struct arena *a) {
    return arena_printf(a, "%s%06lld-%d", w->name, (long long)n, i);
}

/* Batch N: its documents, each with an event and a dedupe key, and the one that counts. */
static int commit_batch(struct writer *w, int64_t n, struct arena *a) {
    struct store_change c[BATCH + 1];
    struct event e[BATCH];
    for (int i = 0; i < BATCH; i++) {
        struct str id = id_of(w, n, i, a);
        e[i] = (struct event){id, STR("t"), id, 1, STR_NONE, STR_NONE, STR("{}"), 0};
        c[i] = (struct store_change){.collection = &things,
                                     .id = id,
                                     .state = arena_printf(a, "{\"n\":%lld}", (long long)n),
                                     .commit_id = id,
                                     .keys = {str_from(w->name)},
                                     .dedupe = id,
                                     .events = &e[i],
                                     .event_count = 1};
    }
    c[BATCH] = (struct store_change){.collection = &things,
                                     .id = arena_printf(a, "count-%s", w->name),
                                     .state = STR("{}"),
                                     .commit_id = arena_printf(a, "%s%lld", w->name, (long long)n),
                                     .expected_version = n};
    int64_t from_us = clock_mono_us();
    int r = w->s->ops->commit(w->s, c, BATCH + 1, NULL, 0);
    if (clock_mono_us() - from_us > w->worst_us)
        w->worst_us = clock_mono_us() - from_us;
    for (int i = 0; r == 0 && i <= BATCH; i++)
        r = c[i].result;
    return r;
}

/* After ERR_UNKNOWN: did batch N get there? */
static bool find(struct writer *w, int64_t n, struct arena *a) {
    struct store_doc doc = {0};
    struct str id = arena_printf(a, "count-%s", w->name);
    int64_t until_us = clock_mono_us() + BACK_MAX_US;
    int r;
    while ((r = w->s->ops->get(w->s, &things, id, a, &doc)) < 0 && r != ERR_NOT_FOUND) {
        if (clock_mono_us() > until_us) {
            w->wrong = "the store did not come back";
            return false;
        }
        usleep(5000);
    }
    if (doc.version != n && doc.version != n + 1)
        w->wrong = "after a lost answer the count was neither the old nor the new";
    return doc.version == n + 1;
}

static void *write_on(void *arg) {
    struct writer *w = arg;
    struct arena a;
    arena_init(&a, 65536);
    for (int64_t n = 0; !w->stop && !w->wrong;) {
        int r = commit_batch(w, n, &a);
        bool there = r == 0;
        if (r == ERR_UNKNOWN) {
            w->unknown++;
            there = find(w, n, &a);
            w->found += there;
        } else if (r == ERR_BUSY || r == ERR_UNAVAILABLE || r == ERR_FULL) {
            w->refused++;
            usleep(5000);
        } else if (r != 0) {
            w->wrong = err_text(r);
        }
        if (there) {
            w->acked = ++n;
            w->last_ack_us = clock_mono_us();
        }
        arena_reset(&a);
    }
    arena_free(&a);
    return NULL;
}

static void start(struct writer *w, const char *name, struct postgres_source *src) {
    struct store_source *port = postgres_source_port(src);
    *w = (struct writer){.name = name};
    assert_int_equal(port->open(port, true, &w->s), 0);
    assert_int_equal(pthread_create(&w->thread, NULL, write_on, w), 0);
}

/* Waits until W has written once more. */
static void goes_on(struct writer *w) {
    int64_t before = w->acked, until_us = clock_mono_us() + BACK_MAX_US;
    while (w->acked <= before && !w->wrong && clock_mono_us() < until_us)
        usleep(1000);
    assert_true(w->acked > before || w->wrong);
}

static void stop(struct writer *w) {
    w->stop = true;
    pthread_join(w->thread, NULL);
    printf("  %s: %lld batches, %lld answers lost (%lld of them written), %lld tries refused, "
           "longest commit %lld ms\n",
           w->name, (long long)w->acked, (long long)w->unknown, (long long)w->found,
           (long long)w->refused, (long long)w->worst_us / 1000);
    if (w->wrong)
        fail_msg("%s", w->wrong);
    assert_true(w->worst_us < POSTGRES_STALL_MAX_MS * US_PER_MS);
}

/* Everything of W is there, once, and nothing else of it. */
static void audit(struct writer *w, const struct postgres_server *server, const char *db) {
    char sql[256], out[256];
    struct arena a;
    arena_init(&a, 65536);
    struct store_doc doc;
    assert_int_equal(w->s->ops->get(w->s, &things, arena_printf(&a, "count-%s", w->name), &a, &doc),
                     0);
    assert_int_equal(doc.version, w->acked);
    for (int64_t n = 0; n <= w->acked; n++) {
        for (int i = 0; i < BATCH; i++) {
            struct str id = id_of(w, n, i, &a);
            bool there = w->s->ops->get(w->s, &things, id, &a, &doc) == 0;
            assert_true(there == (n < w->acked));
            assert_true(w->s->ops->seen(w->s, &things, id) == there);
        }
        arena_reset(&a);
    }
    snprintf(sql, sizeof sql, "SELECT count(*) FROM outbox WHERE id LIKE '%s%%'", w->name);
    postgres_server_sql(server, db, sql, out);
    assert_int_equal(atoll(out), w->acked * BATCH);
    arena_free(&a);
}

static void close_writer(struct writer *w) {
    w->s->ops->close(w->s);
}

/* --- killed, stopped ----------------------------------------------------------------------------
 */

static void killed_and_restarted(void **state) {
    (void)state;
    struct postgres_server server;
    struct writer w;
    struct rng rng;
    char uri[POSTGRES_URI_MAX];
    rng_seed(&rng, (uint64_t)clock_wall_us()); /* the moments are by chance anyway */
    postgres_server_make(&server, NULL, NULL);
    postgres_server_start(&server);
    postgres_server_uri(&server, "postgres", uri);
    struct postgres_source *src = must_open(uri);
    start(&w, "k", src);
    for (int round = 0; round < 5; round++) {
        goes_on(&w);
        usleep((useconds_t)rng_between(&rng, 1000, 300000));
        postgres_server_kill(&server);
        postgres_server_start(&server);
    }
    goes_on(&w);
    stop(&w);
    audit(&w, &server, "postgres");
    close_writer(&w);
    postgres_source_close(src);
    postgres_server_remove(&server);
}

static void stopped_for_three_seconds(void **state) {
    (void)state;
    struct postgres_server server;
    struct writer w;
    char uri[POSTGRES_URI_MAX];
    postgres_server_make(&server, NULL, NULL);
    postgres_server_start(&server);
    postgres_server_uri(&server, "postgres", uri);
    struct postgres_source *src = must_open(uri);
    start(&w, "s", src);
    goes_on(&w);
    postgres_server_freeze(&server, true);
    sleep(3);
    postgres_server_freeze(&server, false);
    int64_t from_us = clock_mono_us();
    goes_on(&w);
    printf("  back after %lld ms\n", (long long)(clock_mono_us() - from_us) / 1000);
    stop(&w);
    audit(&w, &server, "postgres");
    close_writer(&w);
    postgres_source_close(src);
    postgres_server_remove(&server);
}

/* --- full ----------------------------------------------------------------------------------------
 */

static void fill(struct store *s, struct arena *a, int64_t *ret_written) {
    struct rng rng;
    rng_seed(&rng, 1);
    int r = 0;
    while (r == 0) {
        struct buf b;
        buf_init(&b, a, 70000);
        buf_add_cstr(&b, "{\"x\":\"");
        for (int i = 0; i < 4000; i++)
            buf_printf(&b, "%016llx", (unsigned long long)rng_next(&rng));
        buf_add_cstr(&b, "\"}");
        struct store_change c = {.collection = &things,
                                 .id = arena_printf(a, "big%05lld", (long long)*ret_written),
                                 .state = buf_str(&b),
                                 .commit_id = STR("c")};
        r = s->ops->commit(s, &c, 1, NULL, 0);
        *ret_written += r == 0;
        arena_reset(a);
        assert_true(*ret_written < 10000);
    }
    assert_int_equal(r, ERR_FULL);
}

static void a_full_disk(void **state) {
    (void)state;
    struct postgres_server server;
    char dir[128], ballast[160], sql[256], uri[POSTGRES_URI_MAX];
    int64_t written = 0;
    struct store *s;
    struct store_doc doc;
    struct arena a;
    postgres_server_make(&server, NULL, NULL);
    snprintf(dir, sizeof dir, "%s/small", server.dir);
    assert_int_equal(mkdir(dir, 0777), 0);
    if (mount("tmpfs", dir, "tmpfs", 0, "size=32m,mode=0777") < 0) {
        printf("  skipped: a small file system cannot be mounted here (needs root)\n");
        postgres_server_remove(&server);
        skip();
    }
    postgres_server_start(&server);
    snprintf(ballast, sizeof ballast, "%s/ballast", dir);
    int fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && posix_fallocate(fd, 0, 8 << 20) == 0);
    close(fd);
    snprintf(sql, sizeof sql, "CREATE TABLESPACE small LOCATION '%s/space'", dir);
    snprintf(uri, sizeof uri, "%s/space", dir);
    assert_int_equal(mkdir(uri, 0777), 0);
    assert_int_equal(chmod(uri, 0777), 0);
    struct stat st;
    assert_int_equal(stat(server.dir, &st), 0);
    assert_int_equal(chown(uri, st.st_uid, st.st_gid), 0);
    postgres_server_do(&server, "postgres", sql);
    postgres_server_do(&server, "postgres",
                       "CREATE DATABASE tight TABLESPACE small TEMPLATE template0");
    postgres_server_uri(&server, "tight", uri);
    struct postgres_source *src = must_open(uri);
    struct store_source *port = postgres_source_port(src);
    arena_init(&a, 65536);
    assert_int_equal(port->open(port, true, &s), 0);
    fill(s, &a, &written);
    for (int64_t i = 0; i <= written; i++) /* what was acknowledged can be read, the rest is not */
        assert_int_equal(
            s->ops->get(s, &things, arena_printf(&a, "big%05lld", (long long)i), &a, &doc),
            i < written ? 0 : ERR_NOT_FOUND);
    assert_int_equal(unlink(ballast), 0);
    int64_t before = written;
    fill(s, &a, &written); /* room again: it goes on without help */
    assert_true(written > before + 10);
    printf("  %lld documents, then full; %lld more when there was room again\n", (long long)before,
           (long long)(written - before));
    s->ops->close(s);
    postgres_source_close(src);
    arena_free(&a);
    postgres_server_stop(&server);
    assert_int_equal(umount(dir), 0);
    postgres_server_remove(&server);
}

/* --- lost for good -------------------------------------------------------------------------------
 */

static void wait_for(const struct postgres_server *s, const char *sql, const char *want) {
    char out[256];
    int64_t until_us = clock_mono_us() + BACK_MAX_US;
    do {
        postgres_server_sql(s, "postgres", sql, out);
    } while (strcmp(out, want) != 0 && clock_mono_us() < until_us && usleep(20000) == 0);
    assert_string_equal(out, want);
}

/* A primary with a synchronous standby, two writers; the primary dies, the standby is promoted. */
static void a_standby_takes_over(void **state) {
    (void)state;
    struct postgres_server primary, standby;
    struct writer w[2];
    char uri[POSTGRES_URI_MAX];
    postgres_server_make(&primary, NULL, NULL);
    postgres_server_start(&primary);
    postgres_server_clone(&standby, &primary);
    postgres_server_start(&standby);
    postgres_server_do(&primary, "postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
    postgres_server_do(&primary, "postgres", "SELECT pg_reload_conf()");
    wait_for(&primary, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", "1");
    snprintf(uri, sizeof uri, "postgresql://lorry@127.0.0.1:%d,127.0.0.1:%d/postgres", primary.port,
             standby.port);
    struct postgres_source *src = must_open(uri);
    start(&w[0], "a", src);
    start(&w[1], "b", src);
    goes_on(&w[0]);
    goes_on(&w[1]);
    sleep(1);
    int64_t killed_us = clock_mono_us();
    postgres_server_kill(&primary);
    postgres_server_do(&standby, "postgres", "SELECT pg_promote(true, 20)");
    int64_t promoted_us = clock_mono_us();
    goes_on(&w[0]);
    goes_on(&w[1]);
    printf("  promoted %lld ms after the kill; both writers went on %lld ms later\n",
           (long long)(promoted_us - killed_us) / 1000,
           (long long)(clock_mono_us() - promoted_us) / 1000);
    usleep(500000);
    stop(&w[0]);
    stop(&w[1]);
    audit(&w[0], &standby, "postgres");
    audit(&w[1], &standby, "postgres");
    close_writer(&w[0]);
    close_writer(&w[1]);
    postgres_source_close(src);
    postgres_server_remove(&primary);
    postgres_server_remove(&standby);
}

/* --- a replica for reading that is late, or away ------------------------------------------------
 */

#define LAG_MAX_MS 1000
#define NOTES_MAX 1024

struct late {
    struct postgres_server primary, standby;
    struct postgres_source *src;
    struct store *w, *r;
    int count;                   /* documents written; the n-th is that of count n + 1 */
    int64_t acked_us[NOTES_MAX]; /* when each was acknowledged */
    struct postgres_stats stats;
    struct arena a;
};

static void late_up(struct late *t) {
    char uri[POSTGRES_URI_MAX], read_uri[POSTGRES_URI_MAX];
    arena_init(&t->a, 65536);
    postgres_server_make(&t->primary, NULL, NULL);
    postgres_server_start(&t->primary);
    postgres_server_clone(&t->standby, &t->primary);
    postgres_server_start(&t->standby);
    postgres_server_uri(&t->primary, "postgres", uri);
    postgres_server_uri(&t->standby, "postgres", read_uri);
    t->src = must_open_reading(uri, read_uri, LAG_MAX_MS);
    struct store_source *port = postgres_source_port(t->src);
    assert_int_equal(port->open(port, true, &t->w), 0);
    assert_int_equal(port->open(port, false, &t->r), 0);
}

static void late_down(struct late *t) {
    t->r->ops->close(t->r);
    t->w->ops->close(t->w);
    postgres_source_close(t->src);
    postgres_server_remove(&t->standby);
    postgres_server_remove(&t->primary);
    arena_free(&t->a);
}

static void late_write(struct late *t) {
    assert_true(t->count < NOTES_MAX);
    struct str id = arena_printf(&t->a, "late%06d", t->count);
    struct store_change c = {
        .collection = &things, .id = id, .state = STR("{}"), .commit_id = id, .keys = {STR("l")}};
    assert_int_equal(t->w->ops->commit(t->w, &c, 1, NULL, 0), 0);
    assert_int_equal(c.result, 0);
    t->acked_us[t->count++] = clock_mono_us();
}

/* The newest document of a list: how many there are. */
static int late_list(struct late *t, bool may_lag) {
    struct store_query q = {
        .collection = &things, .index = "owner", .key = STR("l"), .limit = 1, .may_lag = may_lag};
    struct store_doc *docs = NULL;
    int32_t n = 0;
    int64_t number = -1;
    assert_int_equal(t->r->ops->list(t->r, &q, &t->a, &docs, &n), 0);
    if (n == 1)
        assert_int_equal(str_to_i64(str_sub(docs[0].id, 4, 6), &number), 0);
    return (int)number + 1;
}

/* A while of writing and reading: what is promised of every list. Counts those that were late. */
static int late_go_on(struct late *t, int64_t for_us, bool writing) {
    int late = 0;
    struct store_doc doc;
    for (int64_t until_us = clock_mono_us() + for_us; clock_mono_us() < until_us; usleep(20000)) {
        if (writing)
            late_write(t);
        struct str last = arena_printf(&t->a, "late%06d", t->count - 1);
        assert_int_equal(t->r->ops->get(t->r, &things, last, &t->a, &doc), 0); /* at once */
        assert_int_equal(late_list(t, false), t->count);
        int64_t now_us = clock_mono_us();
        int seen = late_list(t, true);
        late += seen < t->count;
        if (seen < t->count) /* the first that is missing is not older than the bound */
            assert_true(t->acked_us[seen] > now_us - LAG_MAX_MS * US_PER_MS);
    }
    postgres_source_stats(t->src, &t->stats);
    arena_reset(&t->a);
    return late;
}

/* Until lists come from the replica (again), and are complete. */
static void late_settle(struct late *t) {
    int64_t until_us = clock_mono_us() + BACK_MAX_US;
    postgres_source_stats(t->src, &t->stats);
    int64_t before = t->stats.replica_lists;
    do {
        assert_true(clock_mono_us() < until_us);
        usleep(20000);
        late_list(t, true);
        postgres_source_stats(t->src, &t->stats);
    } while (t->stats.replica_lists < before + 3);
}

static void a_replica_that_is_late(void **state) {
    (void)state;
    struct late *t = calloc(1, sizeof *t);
    late_up(t);
    late_write(t);
    late_settle(t);

    /* Held back a little: its lists are late, within the bound. */
    postgres_server_do(&t->standby, "postgres",
                       "ALTER SYSTEM SET recovery_min_apply_delay = '300ms'");
    postgres_server_do(&t->standby, "postgres", "SELECT pg_reload_conf()");
    int64_t from_it = t->stats.replica_lists;
    int late = late_go_on(t, 3 * US_PER_S, true);
    assert_true(late > 0 && t->stats.replica_lists > from_it);
    printf("  300 ms late: %d lists of %lld were behind, lag %lld ms\n", late,
           (long long)(t->stats.replica_lists - from_it),
           (long long)t->stats.replica_lag_us / 1000);
    postgres_server_do(&t->standby, "postgres", "ALTER SYSTEM RESET recovery_min_apply_delay");
    postgres_server_do(&t->standby, "postgres", "SELECT pg_reload_conf()");
    late_settle(t);

    /* It stands still: late until the bound, then the primary answers. */
    postgres_server_do(&t->standby, "postgres", "SELECT pg_wal_replay_pause()");
    int64_t behind = t->stats.replica_behind;
    late_go_on(t, 3 * US_PER_S, true);
    assert_int_equal(late_list(t, true), t->count);
    assert_true(t->stats.replica_behind > behind + 5);
    assert_true(t->stats.replica_lag_us > LAG_MAX_MS * US_PER_MS);
    printf("  standing still: %lld lists came from the primary, lag %lld ms\n",
           (long long)(t->stats.replica_behind - behind),
           (long long)t->stats.replica_lag_us / 1000);
    postgres_server_do(&t->standby, "postgres", "SELECT pg_wal_replay_resume()");
    late_settle(t);

    /* Away, and back. */
    int64_t away = t->stats.replica_away;
    postgres_server_kill(&t->standby);
    late_go_on(t, US_PER_S, true);
    assert_int_equal(late_list(t, true), t->count);
    assert_true(t->stats.replica_away > away);
    postgres_server_start(&t->standby);
    late_settle(t);
    late_go_on(t, US_PER_S / 2, false);
    late_down(t);
    free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_and_restarted),
        cmocka_unit_test(stopped_for_three_seconds),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_standby_takes_over),
        cmocka_unit_test(a_replica_that_is_late),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("postgres faults", tests, NULL, NULL);
}
