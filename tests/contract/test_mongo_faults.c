/* What a network, and a server that dies or hangs, may do to the mongo store. It kills, so it only
 * runs on a server of its own. */
#include "contract.h"
#include "mongo_proxy.h"
#include "mongo_server.h"

#include "adapters/mongo/mongo_store.h"
#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77
#define DOCS 4
#define BACK_PATIENCE_US (20 * US_PER_S) /* until a server that is there again is found */

static struct mongo_server server;
static const struct store_collection things = {"things", {"owner"}, true};
static const struct store_collection others = {"others", {NULL}, false};
static const struct store_collection *const collections[] = {&things, &others};

/* A writer behind the proxy, and one that sees what the server has. */
struct world {
    struct mongo_proxy *proxy;
    struct mongo_source *far, *near;
    struct store *w, *eye;
    struct arena a;
    int64_t versions[DOCS]; /* what must be there */
    int64_t events;
};

static struct mongo_source *open_at(int port, const char *database) {
    char uri[128];
    struct str why = STR_NONE;
    struct arena a;
    struct mongo_source *s = NULL;
    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/?heartbeatFrequencyMS=500", port);
    struct mongo_options o = {.uri = uri,
                              .database = database,
                              .collections = collections,
                              .collection_count = (int)COUNT_OF(collections)};
    arena_init(&a, 1024);
    if (mongo_source_open(&o, &a, &s, &why) != 0)
        fail_msg("%.*s", STR_ARG(why));
    arena_free(&a);
    return s;
}

static struct store *open_handle(struct mongo_source *s, bool writer) {
    struct store *store = NULL;
    struct store_source *port = mongo_source_port(s);
    assert_int_equal(port->open(port, writer, &store), 0);
    return store;
}

static void set_up(struct world *w) {
    static int number;
    char database[32];
    snprintf(database, sizeof database, "faults_%d", number++);
    *w = (struct world){.proxy = mongo_proxy_new(server.port)};
    arena_init(&w->a, 65536);
    w->far = open_at(mongo_proxy_port(w->proxy), database);
    w->near = open_at(server.port, database);
    w->w = open_handle(w->far, true);
    w->eye = open_handle(w->near, false);
}

static void tear_down(struct world *w) {
    w->eye->ops->close(w->eye);
    w->w->ops->close(w->w);
    mongo_source_close(w->far);
    mongo_source_close(w->near);
    mongo_proxy_free(w->proxy);
    arena_free(&w->a);
}

/* One batch: each document rises by one and sends an event; the last one is in another collection.
 */
static int commit_all(struct world *w, struct store_change *c) {
    for (int i = 0; i < DOCS; i++) {
        struct event *e = arena_new(&w->a, struct event);
        *e = (struct event){.id = arena_printf(&w->a, "e%d.%lld", i, (long long)w->versions[i]),
                            .type = STR("t"),
                            .key = STR("k"),
                            .data = STR("{}")};
        c[i] = (struct store_change){
            .collection = i == DOCS - 1 ? &others : &things,
            .id = arena_printf(&w->a, "d%d", i),
            .expected_version = w->versions[i],
            .state = arena_printf(&w->a, "{\"n\":%lld}", (long long)w->versions[i] + 1),
            .dedupe = arena_printf(&w->a, "k%d.%lld", i, (long long)w->versions[i]),
            .commit_id = arena_printf(&w->a, "c%d.%lld", i, (long long)w->versions[i]),
            .events = e,
            .event_count = 1,
            .result = 99};
    }
    return w->w->ops->commit(w->w, c, DOCS, NULL, 0);
}

/* What S says of document I, as soon as it says anything. */
static struct store_doc read_doc(struct world *w, struct store *s, int i) {
    struct store_doc doc = {0};
    int64_t until_us = clock_mono_us() + BACK_PATIENCE_US;
    int r;
    do
        r = s->ops->get(s, i == DOCS - 1 ? &others : &things, arena_printf(&w->a, "d%d", i), &w->a,
                        &doc);
    while (r == ERR_UNAVAILABLE && clock_mono_us() < until_us);
    assert_true(r == 0 || r == ERR_NOT_FOUND);
    return doc;
}

/* Takes each result at its word: 0 is there, in doubt is what get says, all else is not there. */
static void settle(struct world *w, const struct store_change *c) {
    for (int i = 0; i < DOCS; i++) {
        bool there = c[i].result == 0;
        if (c[i].result == ERR_UNKNOWN) {
            struct store_doc doc = read_doc(w, w->w, i);
            there = str_eq(doc.commit_id, c[i].commit_id);
        }
        w->versions[i] += there;
        w->events += there;
    }
}

static void audit(struct world *w) {
    struct event *events;
    int32_t n = 0;
    for (int i = 0; i < DOCS; i++) {
        struct store_doc doc = read_doc(w, w->eye, i);
        assert_int_equal(doc.version, w->versions[i]);
        if (w->versions[i] > 0)
            assert_true(
                str_eq(doc.state, arena_printf(&w->a, "{\"n\":%lld}", (long long)w->versions[i])));
    }
    int64_t until_us = clock_mono_us() + 3 * US_PER_S; /* in doubt, they are looked for */
    do {
        assert_int_equal(w->w->ops->outbox_read(w->w, 0, 10000, &w->a, &events, &n), 0);
        usleep(20000);
    } while (n < w->events && clock_mono_us() < until_us);
    assert_int_equal(n, w->events);
    for (int32_t i = 0; i < n; i++)
        for (int32_t k = i + 1; k < n; k++)
            assert_false(str_eq(events[i].id, events[k].id));
}

/* --- the network ------------------------------------------------------------------------------ */

static void lost_messages(void **state) {
    (void)state;
    static const enum mongo_mishap kinds[] = {MISHAP_LOSE_ANSWER, MISHAP_LOSE_REQUEST};
    struct world w;
    struct store_change c[DOCS];
    set_up(&w);
    for (int round = 0; round < 20; round++) {
        mongo_proxy_expect(w.proxy, kinds[round % 2]);
        assert_int_equal(commit_all(&w, c), 0);
        assert_true(mongo_proxy_happened(w.proxy));
        for (int i = 0; i < DOCS; i++)
            assert_int_equal(c[i].result, 0); /* it is found, or sent once more: no doubt is left */
        settle(&w, c);
        arena_reset(&w.a);
    }
    audit(&w);
    tear_down(&w);
}

/* A request that was thought lost arrives when all is long over. */
static void ghosts(void **state) {
    (void)state;
    struct world w;
    struct store_change c[DOCS];
    set_up(&w);
    for (int round = 0; round < 6; round++) {
        mongo_proxy_expect(w.proxy, MISHAP_GHOST);
        assert_int_equal(commit_all(&w, c), 0);
        settle(&w, c);
        if (round % 2) {
            assert_int_equal(commit_all(&w, c), 0);
            settle(&w, c);
        }
        mongo_proxy_release(w.proxy);
        audit(&w);
        arena_reset(&w.a);
    }
    tear_down(&w);
}

/* Nothing comes through for longer than a commit waits. */
static void holes(void **state) {
    (void)state;
    struct world w;
    struct store_change c[DOCS];
    struct store_doc doc;
    set_up(&w);
    assert_int_equal(commit_all(&w, c), 0);
    settle(&w, c);
    mongo_proxy_expect(w.proxy, MISHAP_HOLE);
    int64_t began_us = clock_mono_us();
    int r = commit_all(&w, c);
    int64_t took_ms = (clock_mono_us() - began_us) / US_PER_MS;
    assert_true(took_ms < MONGO_COMMIT_PATIENCE_MS +
                              4 * (MONGO_SELECTION_TIMEOUT_MS + MONGO_SOCKET_TIMEOUT_MS));
    assert_true(r == 0 || r == ERR_UNKNOWN || r == ERR_UNAVAILABLE);
    assert_int_equal(c[0].result, ERR_UNKNOWN);
    assert_int_equal(c[DOCS - 1].result, ERR_UNAVAILABLE); /* it was never sent */
    assert_int_equal(w.w->ops->get(w.w, &things, STR("d0"), &w.a, &doc), ERR_UNAVAILABLE);
    struct store_change more[DOCS];
    memcpy(more, c, sizeof more);
    assert_int_equal(commit_all(&w, more), ERR_UNAVAILABLE); /* not before the doubt is gone */
    mongo_proxy_mend(w.proxy);
    settle(&w, c);
    audit(&w);
    assert_int_equal(commit_all(&w, c), 0);
    settle(&w, c);
    audit(&w);
    tear_down(&w);
}

/* The answer was lost for good, and before we could look others have written on: the look must
 * still find our commit. */
static void found_behind_others(void **state) {
    (void)state;
    struct world w;
    struct store_change c[DOCS];
    set_up(&w);
    assert_int_equal(commit_all(&w, c), 0);
    settle(&w, c);
    struct store *other = open_handle(w.near, true);
    mongo_proxy_expect(w.proxy, MISHAP_HOLE);
    commit_all(&w, c);
    assert_int_equal(c[0].result, ERR_UNKNOWN);
    struct store_doc doc = read_doc(&w, w.eye, 0);
    assert_int_equal(doc.version, 1); /* the hole has swallowed it: nobody has it */
    struct store_change over = {.collection = &things,
                                .id = STR("d0"),
                                .expected_version = 1,
                                .state = STR("{\"other\":1}"),
                                .commit_id = STR("other")};
    assert_int_equal(other->ops->commit(other, &over, 1, NULL, 0), 0);
    mongo_proxy_mend(w.proxy);
    doc = read_doc(&w, w.w, 0); /* it can come no more, and is not said to be there */
    assert_true(str_is(doc.commit_id, "other") && doc.version == 2);
    doc = read_doc(&w, w.w, 1); /* nobody was faster here: it was brought to its end */
    assert_true(str_eq(doc.commit_id, c[1].commit_id) && doc.version == 2);
    over = (struct store_change){.collection = &things,
                                 .id = STR("d1"),
                                 .expected_version = 2,
                                 .state = STR("{\"other\":2}"),
                                 .commit_id = STR("other")};
    assert_int_equal(other->ops->commit(other, &over, 1, NULL, 0), 0);
    doc = read_doc(&w, w.w, 1); /* ours is not the last one, but it is told */
    assert_true(str_eq(doc.commit_id, c[1].commit_id) && doc.version == 3);
    other->ops->close(other);
    tear_down(&w);
}

/* --- the server ------------------------------------------------------------------------------- */

struct killer {
    uint64_t seed;
    int times;
    _Atomic bool done, leave;
};

/* A server ends with the thread that has started it: so this one stays until it may go. */
static void *kill_and_restart(void *arg) {
    struct killer *k = arg;
    struct rng r;
    rng_seed(&r, k->seed);
    for (int i = 0; i < k->times; i++) {
        usleep((unsigned)rng_between(&r, 100000, 900000));
        mongo_server_kill(&server);
        usleep((unsigned)rng_between(&r, 0, 500000));
        mongo_server_start(&server);
    }
    k->done = true;
    while (!k->leave)
        usleep(10000);
    mongo_server_kill(&server);
    return NULL;
}

static void killed_servers(void **state) {
    (void)state;
    struct world w;
    struct store_change c[DOCS];
    struct killer k = {.seed = (uint64_t)clock_wall_us(), .times = 6};
    pthread_t thread;
    int64_t whole = 0, failed = 0;
    set_up(&w);
    assert_int_equal(pthread_create(&thread, NULL, kill_and_restart, &k), 0);
    while (!k.done) {
        int r = commit_all(&w, c);
        whole += r == 0;
        failed += r != 0;
        settle(&w, c);
        arena_reset(&w.a);
    }
    read_doc(&w, w.w, 0);
    audit(&w);
    k.leave = true;
    pthread_join(thread, NULL);
    mongo_server_start(&server);
    read_doc(&w, w.w, 0);
    assert_int_equal(commit_all(&w, c), 0);
    settle(&w, c);
    audit(&w);
    print_message("%lld batches went through, %lld did not\n", (long long)whole, (long long)failed);
    assert_true(whole > 0);
    tear_down(&w);
}

/* Stopped for less than a commit's patience: it waits, and all is well. */
static void frozen_servers(void **state) {
    (void)state;
    struct world w;
    struct store_change c[DOCS];
    set_up(&w);
    assert_int_equal(commit_all(&w, c), 0);
    settle(&w, c);
    for (int round = 0; round < 2; round++) {
        mongo_server_freeze(&server, true);
        pid_t waker = fork();
        if (waker == 0) {
            sleep(4);
            mongo_server_freeze(&server, false);
            _exit(0);
        }
        int r = commit_all(&w, c);
        waitpid(waker, NULL, 0);
        assert_true(r == 0 || r == ERR_UNKNOWN || r == ERR_UNAVAILABLE);
        settle(&w, c);
        audit(&w);
    }
    tear_down(&w);
}

int main(void) {
    const char *why;
    if (!mongo_server_find(&server, &why)) {
        printf("skipped: %s\n", why);
        return SKIPPED;
    }
    if (!server.ours) {
        printf("skipped: it kills its server, and LORRY_TEST_MONGODB_URI's is somebody's\n");
        return SKIPPED;
    }
    printf("on %s\n", server.what);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_messages),  cmocka_unit_test(ghosts),
        cmocka_unit_test(holes),          cmocka_unit_test(found_behind_others),
        cmocka_unit_test(killed_servers), cmocka_unit_test(frozen_servers),
    };
    int failed = cmocka_run_group_tests_name("mongo store, faults", tests, NULL, NULL);
    mongo_server_remove(&server);
    return failed;
}
