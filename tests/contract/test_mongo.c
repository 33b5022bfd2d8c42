/* The mongo store: the contract, then what only a server across a network can do to it. Which
 * server it ran on is printed; without any it is skipped, and says so. */
#include "contract.h"
#include "mongo_server.h"

#include "adapters/mongo/mongo_store.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKIPPED 77

static struct mongo_server server;

/* A database of its own for each test, on the one server. */
struct house {
    char database[64];
    struct mongo_options options;
    struct mongo_source *source;
};

static struct mongo_source *open_source(const struct mongo_options *o) {
    struct arena a;
    struct str why = STR_NONE;
    struct mongo_source *s = NULL;
    arena_init(&a, 1024);
    if (mongo_source_open(o, &a, &s, &why) != 0)
        fail_msg("%.*s", STR_ARG(why));
    arena_free(&a);
    return s;
}

static void *make(const struct store_collection *const *collections, int count) {
    static int number;
    struct house *h = calloc(1, sizeof *h);
    snprintf(h->database, sizeof h->database, "lorry_test_%llx_%d",
             (unsigned long long)clock_wall_us(), number++);
    h->options = (struct mongo_options){.uri = server.uri,
                                        .database = h->database,
                                        .collections = collections,
                                        .collection_count = count};
    h->source = open_source(&h->options);
    return h;
}

static struct store_source *source(void *data) {
    return mongo_source_port(((struct house *)data)->source);
}

static void reopen(void *data) {
    struct house *h = data;
    mongo_source_close(h->source);
    h->source = open_source(&h->options);
}

static void drop(void *data) {
    struct house *h = data;
    mongo_source_close(h->source);
    mongoc_client_t *client = mongoc_client_new(server.uri);
    mongoc_database_t *database = mongoc_client_get_database(client, h->database);
    bson_error_t e;
    if (!mongoc_database_drop(database, &e))
        fail_msg("%s", e.message);
    mongoc_database_destroy(database);
    mongoc_client_destroy(client);
    free(h);
}

/* Sources of other processes; each is the port of one that is remembered here. */
static struct mongo_source *joined[16];

static struct store_source *join(void *data, bool beside) {
    struct mongo_options o = ((struct house *)data)->options;
    o.beside = beside;
    for (size_t i = 0; i < COUNT_OF(joined); i++) {
        if (joined[i] == NULL) {
            joined[i] = open_source(&o);
            return mongo_source_port(joined[i]);
        }
    }
    UNREACHABLE();
}

static void leave(void *data, struct store_source *src) {
    (void)data;
    for (size_t i = 0; i < COUNT_OF(joined); i++)
        if (joined[i] != NULL && mongo_source_port(joined[i]) == src)
            joined[i] = mongo_source_close(joined[i]);
}

/* --- what only this store does ---------------------------------------------------------------- */

static const struct store_collection things = {"things", {"owner"}, true};
static const struct store_collection *const own_collections[] = {&things};

struct own {
    struct house *h;
    struct store *w;
    struct arena a;
};

static struct store *open_writer(struct house *h) {
    struct store *s = NULL;
    struct store_source *src = mongo_source_port(h->source);
    assert_int_equal(src->open(src, true, &s), 0);
    return s;
}

static void set_up(struct own *o) {
    arena_init(&o->a, 65536);
    o->h = make(own_collections, 1);
    o->w = open_writer(o->h);
}

static void tear_down(struct own *o) {
    o->w->ops->close(o->w);
    drop(o->h);
    arena_free(&o->a);
}

static struct store_change change_of(const char *id, int64_t version) {
    return (struct store_change){.collection = &things,
                                 .id = str_from(id),
                                 .expected_version = version,
                                 .state = STR("{\"n\":1,\"list\":[1.5,true,null]}"),
                                 .keys = {STR("o")},
                                 .commit_id = STR("c"),
                                 .at_us = version + 1};
}

static int commit_one(struct store *s, struct store_change c) {
    assert_int_equal(s->ops->commit(s, &c, 1, NULL, 0), 0);
    return c.result;
}

/* How many documents of `things` FILTER finds, by the server's own word. */
static int64_t count(const struct own *o, const char *filter) {
    bson_error_t e;
    mongoc_client_t *client = mongoc_client_new(server.uri);
    mongoc_collection_t *c = mongoc_client_get_collection(client, o->h->database, "things");
    bson_t *query = bson_new_from_json((const uint8_t *)filter, -1, &e);
    assert_non_null(query);
    int64_t n = mongoc_collection_count_documents(c, query, NULL, NULL, NULL, &e);
    assert_true(n >= 0);
    bson_destroy(query);
    mongoc_collection_destroy(c);
    mongoc_client_destroy(client);
    return n;
}

static void states_are_documents(void **state) {
    (void)state;
    struct own o;
    set_up(&o);
    assert_int_equal(commit_one(o.w, change_of("a", 0)), 0);
    assert_int_equal(count(&o, "{\"_id\":\"a\",\"state.n\":1,\"state.list\":1.5,\"k.owner\":\"o\","
                               "\"version\":1,\"commit_id\":\"c\"}"),
                     1);
    tear_down(&o);
}

static void lists_are_bounded(void **state) {
    (void)state;
    struct own o;
    set_up(&o);
    int64_t version = 0;
    for (int batch = 0; version < MONGO_SEEN_MAX + 100; batch++) {
        struct store_change c[100];
        struct store_answer answers[100];
        for (int i = 0; i < 100; i++) {
            answers[i] = (struct store_answer){
                .key = arena_printf(&o.a, "a%lld", (long long)version), .status = 200, .at_us = 1};
            c[i] = change_of("a", version);
            c[i].dedupe = arena_printf(&o.a, "k%lld", (long long)version++);
            c[i].answer = &answers[i];
        }
        assert_int_equal(o.w->ops->commit(o.w, c, 100, NULL, 0), 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(c[i].result, 0);
    }
    struct store_answer got;
    char filter[160];
    assert_false(o.w->ops->seen(o.w, &things, STR("k0")));
    for (int64_t i = version - MONGO_SEEN_MAX; i < version; i += 37)
        assert_true(o.w->ops->seen(o.w, &things, arena_printf(&o.a, "k%lld", (long long)i)));
    assert_int_equal(o.w->ops->answer(o.w, &things, STR("a0"), &o.a, &got), ERR_NOT_FOUND);
    struct str last = arena_printf(&o.a, "a%lld", (long long)version - 1);
    assert_int_equal(o.w->ops->answer(o.w, &things, last, &o.a, &got), 0);
    snprintf(filter, sizeof filter,
             "{\"_id\":\"a\",\"seen\":{\"$size\":%d},\"answers\":{\"$size\":%d},"
             "\"tags\":{\"$size\":%d}}",
             MONGO_SEEN_MAX, MONGO_ANSWERS_MAX, 7);
    assert_int_equal(count(&o, filter), 1);
    tear_down(&o);
}

/* What was removed stays until its events are out and its keys are old; then nothing is left. */
static void the_removed_go_in_the_end(void **state) {
    (void)state;
    struct own o;
    struct event e = {STR("evt"), STR("t"), STR("k"), 1, STR_NONE, STR_NONE, STR("{}"), 0}, *events;
    int32_t n;
    set_up(&o);
    assert_int_equal(commit_one(o.w, change_of("a", 0)), 0);
    assert_int_equal(commit_one(o.w, change_of("b", 0)), 0);
    struct store_change gone = change_of("a", 1);
    gone.remove = true;
    gone.dedupe = STR("why");
    gone.events = &e;
    gone.event_count = 1;
    assert_int_equal(commit_one(o.w, gone), 0);
    struct store_change plain = change_of("b", 1);
    plain.remove = true;
    assert_int_equal(commit_one(o.w, plain), 0);
    assert_int_equal(count(&o, "{\"version\":0,\"state\":{\"$exists\":false}}"), 2);
    assert_int_equal(o.w->ops->prune(o.w, 1000, 100), 1);
    assert_int_equal(count(&o, "{}"), 1); /* the event is not out */
    assert_int_equal(o.w->ops->outbox_read(o.w, 0, 10, &o.a, &events, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(o.w->ops->commit(o.w, NULL, 0, &events[0].seq, 1), 0);
    assert_true(o.w->ops->prune(o.w, 1000, 100) >= 0);
    assert_int_equal(count(&o, "{}"), 0);
    tear_down(&o);
}

/* A handle that is not heard of for a lease's time, and was only asleep. */
static void sleepers_wake_up(void **state) {
    (void)state;
    struct own o;
    struct event e = {STR("one"), STR("t"), STR("k"), 1, STR_NONE, STR_NONE, STR("{}"), 0}, *events;
    int32_t n = 0;
    set_up(&o);
    struct store *other = open_writer(o.h);
    struct store_change c = change_of("a", 0);
    c.events = &e;
    c.event_count = 1;
    assert_int_equal(commit_one(o.w, c), 0);
    int64_t began_us = clock_mono_us();
    while (n == 0 && clock_mono_us() - began_us < (MONGO_LEASE_MS + 5000) * US_PER_MS) {
        usleep(50000);
        assert_int_equal(other->ops->outbox_read(other, 0, 10, &o.a, &events, &n), 0);
    }
    assert_int_equal(n, 1);
    assert_true(clock_mono_us() - began_us > (MONGO_LEASE_MS - 3000) * US_PER_MS); /* not sooner */
    e.id = STR("two");
    c = change_of("b", 0);
    c.events = &e;
    c.event_count = 1;
    assert_int_equal(commit_one(o.w, c), 0);
    assert_int_equal(o.w->ops->outbox_read(o.w, 0, 10, &o.a, &events, &n), 0);
    assert_true(str_is(events[n - 1].id, "two"));
    sleep(2); /* it lives again: what it writes is its own */
    assert_int_equal(other->ops->outbox_read(other, 0, 10, &o.a, &events, &n), 0);
    assert_true(n == 1 && str_is(events[0].id, "one"));
    int64_t seq = events[0].seq;
    assert_int_equal(other->ops->commit(other, NULL, 0, &seq, 1), 0);
    assert_int_equal(count(&o, "{\"outbox.id\":\"one\"}"), 0);
    assert_int_equal(count(&o, "{\"outbox.id\":\"two\"}"), 1);
    other->ops->close(other);
    tear_down(&o);
}

/* What was expected is told as it was; what was not is asked for; a commit ends it. */
static void expected_reads(void **state) {
    (void)state;
    struct own o;
    struct store_doc doc;
    struct store_answer ans = {.key = STR("ans"), .status = 200, .body = STR("x"), .at_us = 1}, got;
    set_up(&o);
    struct store *other = open_writer(o.h);
    struct store_change c = change_of("a", 0);
    c.dedupe = STR("key");
    c.answer = &ans;
    assert_int_equal(commit_one(o.w, c), 0);
    const struct store_want wants[] = {{&things, STR("a"), STR("key"), STR("ans")},
                                       {&things, STR("b"), STR("no key"), STR("no ans")},
                                       {&things, STR("a"), STR_NONE, STR_NONE},
                                       {&things, STR_NONE, STR("key"), STR_NONE}};
    o.w->ops->begin(o.w);
    o.w->ops->expect(o.w, wants, (int32_t)COUNT_OF(wants));
    assert_int_equal(commit_one(other, change_of("a", 1)), 0);
    assert_int_equal(commit_one(other, change_of("b", 0)), 0);
    assert_int_equal(o.w->ops->get(o.w, &things, STR("a"), &o.a, &doc), 0);
    assert_true(doc.version == 1 && str_is(doc.id, "a") && str_is(doc.commit_id, "c"));
    assert_true(str_is(doc.state, "{\"n\":1,\"list\":[1.5,true,null]}"));
    assert_int_equal(o.w->ops->get(o.w, &things, STR("b"), &o.a, &doc), ERR_NOT_FOUND);
    assert_int_equal(o.w->ops->get(o.w, &things, STR("c"), &o.a, &doc), ERR_NOT_FOUND);
    assert_true(o.w->ops->seen(o.w, &things, STR("key")));
    assert_false(o.w->ops->seen(o.w, &things, STR("no key")));
    assert_int_equal(o.w->ops->answer(o.w, &things, STR("ans"), &o.a, &got), 0);
    assert_true(str_is(got.body, "x"));
    assert_int_equal(o.w->ops->answer(o.w, &things, STR("no ans"), &o.a, &got), ERR_NOT_FOUND);
    assert_int_equal(commit_one(o.w, change_of("a", 1)), ERR_CONFLICT); /* the commit finds out */
    assert_int_equal(o.w->ops->get(o.w, &things, STR("a"), &o.a, &doc), 0);
    assert_int_equal(doc.version, 2);
    o.w->ops->expect(o.w, wants, 2);
    assert_int_equal(commit_one(other, change_of("a", 2)), 0);
    o.w->ops->end(o.w);
    assert_int_equal(o.w->ops->get(o.w, &things, STR("a"), &o.a, &doc), 0);
    assert_int_equal(doc.version, 3);
    other->ops->close(other);
    tear_down(&o);
}

/* A server that is away is waited for once, not once for each read of a batch. */
static void away_is_away(void **state) {
    (void)state;
    struct own o;
    if (!server.ours)
        skip();
    set_up(&o);
    mongo_server_freeze(&server, true);
    int64_t began_us = clock_mono_us();
    for (int i = 0; i < 200; i++) {
        struct store_doc doc;
        assert_int_equal(o.w->ops->get(o.w, &things, STR("a"), &o.a, &doc), ERR_UNAVAILABLE);
    }
    int64_t took_ms = (clock_mono_us() - began_us) / US_PER_MS;
    mongo_server_freeze(&server, false);
    assert_true(took_ms < INT64_C(4) * (MONGO_SELECTION_TIMEOUT_MS + MONGO_SOCKET_TIMEOUT_MS));
    struct store_doc doc;
    int r;
    do
        r = o.w->ops->get(o.w, &things, STR("a"), &o.a, &doc);
    while (r == ERR_UNAVAILABLE && clock_mono_us() - began_us < 60 * US_PER_S);
    assert_int_equal(r, ERR_NOT_FOUND);
    tear_down(&o);
}

static void sources_say_why_not(void **state) {
    (void)state;
    struct arena a;
    struct str why = STR_NONE;
    struct mongo_source *s = NULL;
    struct mongo_options o = {.collections = own_collections, .collection_count = 1};
    arena_init(&a, 4096);
    o.uri = "mongo://here";
    assert_int_equal(mongo_source_open(&o, &a, &s, &why), ERR_INVALID);
    assert_true(why.len > 0);
    o.uri = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300";
    assert_int_equal(mongo_source_open(&o, &a, &s, &why), ERR_UNAVAILABLE);
    assert_true(why.len > 0);
    assert_null(s);
    arena_free(&a);
}

int main(void) {
    const char *why;
    if (!mongo_server_find(&server, &why)) {
        printf("skipped: %s\n", why);
        return SKIPPED;
    }
    printf("on %s\n", server.what);
    const struct store_factory f = {.name = "mongo store",
                                    .make = make,
                                    .source = source,
                                    .reopen = reopen,
                                    .drop = drop,
                                    .join = join,
                                    .leave = leave,
                                    .batch_by_document = true,
                                    .keys_by_document = server.stand_in,
                                    .takeover_ms = MONGO_LEASE_MS + 5000};
    const struct CMUnitTest own[] = {
        cmocka_unit_test(states_are_documents),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(the_removed_go_in_the_end),
        cmocka_unit_test(sleepers_wake_up),
        cmocka_unit_test(sources_say_why_not),
        cmocka_unit_test(expected_reads),
        cmocka_unit_test(away_is_away),
    };
    int failed = store_contract(&f);
    failed += cmocka_run_group_tests_name("mongo store's own", own, NULL, NULL);
    mongo_server_remove(&server);
    return failed;
}
