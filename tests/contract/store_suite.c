/* What ports/store.h promises. */
#include "contract.h"

#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct store_collection things = {"things", {"owner", "state"}, true};
static const struct store_collection plain = {"plain", {NULL}, false};
static const struct store_collection *const collections[] = {&things, &plain};

/* One test's data, a writing and a reading handle on it, and memory. */
struct fixture {
    const struct store_factory *factory;
    void *data;
    struct store *w, *r;
    struct arena a;
};

static void open_handles(struct fixture *f) {
    struct store_source *src = f->factory->source(f->data);
    assert_int_equal(src->open(src, true, &f->w), 0);
    assert_int_equal(src->open(src, false, &f->r), 0);
}

static void set_up(struct fixture *f, void **state) {
    *f = (struct fixture){.factory = *state};
    arena_init(&f->a, 65536);
    f->data = f->factory->make(collections, (int)COUNT_OF(collections));
    open_handles(f);
}

static void close_handles(struct fixture *f) {
    f->r->ops->close(f->r);
    f->w->ops->close(f->w);
}

static void reopen(struct fixture *f) {
    close_handles(f);
    f->factory->reopen(f->data);
    open_handles(f);
}

static void tear_down(struct fixture *f) {
    close_handles(f);
    f->factory->drop(f->data);
    arena_free(&f->a);
}

static struct store_change change_of(const char *id, int64_t version, const char *state) {
    return (struct store_change){.collection = &things,
                                 .id = str_from(id),
                                 .expected_version = version,
                                 .state = str_from(state),
                                 .commit_id = str_from("c"),
                                 .result = 99};
}

static int commit(struct fixture *f, struct store_change *changes, int32_t count) {
    return f->w->ops->commit(f->w, changes, count, NULL, 0);
}

/* Commits one change and gives its own result. */
static int commit_one(struct fixture *f, struct store_change c) {
    assert_int_equal(commit(f, &c, 1), 0);
    return c.result;
}

/* Is GOT the JSON that was WANTed, but for white space? (The states here have no white space within
 * strings, and one member.) */
static void is_state(struct str got, const char *want) {
    size_t at = 0;
    for (size_t i = 0; i < got.len; i++) {
        if (got.p[i] == ' ' || got.p[i] == '\n')
            continue;
        assert_int_equal(got.p[i], want[at]);
        at++;
    }
    assert_int_equal(want[at], 0);
}

/* A document as it must be; VERSION 0: it must not be there. Both handles must say the same. */
static void is_doc(struct fixture *f, const char *id, int64_t version, const char *state) {
    struct store *handles[] = {f->w, f->r};
    for (int i = 0; i < 2; i++) {
        struct store_doc doc;
        int r = handles[i]->ops->get(handles[i], &things, str_from(id), &f->a, &doc);
        assert_int_equal(r, version ? 0 : ERR_NOT_FOUND);
        if (!version)
            continue;
        assert_true(str_is(doc.id, id));
        assert_int_equal(doc.version, version);
        is_state(doc.state, state);
    }
}

static struct event event_of(const char *id) {
    return (struct event){.id = str_from(id),
                          .type = STR("thing.happened"),
                          .key = STR("k"),
                          .at_us = 7,
                          .data = STR("{}")};
}

static int32_t outbox(struct fixture *f, int64_t after_seq, int32_t limit, struct event **ret) {
    int32_t n = -1;
    assert_int_equal(f->w->ops->outbox_read(f->w, after_seq, limit, &f->a, ret, &n), 0);
    return n;
}

/* Ids of a list, joined by spaces. */
static const char *ids(struct fixture *f, struct store_query q) {
    struct store_doc *docs;
    int32_t n = -1;
    if (!q.collection)
        q.collection = &things;
    if (!q.limit)
        q.limit = STORE_LIST_MAX;
    assert_int_equal(f->r->ops->list(f->r, &q, &f->a, &docs, &n), 0);
    struct str all = STR("");
    for (int32_t i = 0; i < n; i++)
        all = arena_printf(&f->a, "%.*s%s%.*s", STR_ARG(all), i ? " " : "", STR_ARG(docs[i].id));
    return arena_cstr(&f->a, all);
}

static const char *due_ids(struct fixture *f, int64_t now_us, int32_t limit) {
    struct store_doc *docs;
    int32_t n = -1;
    assert_int_equal(f->r->ops->due(f->r, &things, now_us, limit, &f->a, &docs, &n), 0);
    struct str all = STR("");
    for (int32_t i = 0; i < n; i++)
        all = arena_printf(&f->a, "%.*s%s%.*s", STR_ARG(all), i ? " " : "", STR_ARG(docs[i].id));
    return arena_cstr(&f->a, all);
}

/* --- one document ----------------------------------------------------------------------------- */

static void versions_rise(void **state) {
    struct fixture f;
    set_up(&f, state);
    is_doc(&f, "a", 0, NULL);
    assert_int_equal(commit_one(&f, change_of("a", 0, "{\"n\":1}")), 0);
    is_doc(&f, "a", 1, "{\"n\":1}");
    assert_int_equal(commit_one(&f, change_of("a", 1, "{\"n\":2}")), 0);
    assert_int_equal(commit_one(&f, change_of("a", 2, "{\"n\":3}")), 0);
    is_doc(&f, "a", 3, "{\"n\":3}");
    assert_int_equal(commit_one(&f, change_of("b", 0, "{}")), 0);
    is_doc(&f, "b", 1, "{}");
    is_doc(&f, "a", 3, "{\"n\":3}");
    tear_down(&f);
}

static void whole_documents_come_back(void **state) {
    struct fixture f;
    struct store_doc doc;
    set_up(&f, state);
    size_t len = 1 << 20;
    char *big = malloc(len);
    memset(big, 'x', len);
    memcpy(big, "{\"x\":\"", 6);
    memcpy(big + len - 2, "\"}", 2);
    struct store_change c = change_of("it's \"quoted\" Å", 0, "");
    c.state = (struct str){big, len};
    c.wake_at_us = INT64_C(253402300799000000);
    c.commit_id = STR("cmt_1");
    c.keys[0] = STR("it's");
    assert_int_equal(commit_one(&f, c), 0);
    memset(big, 'y', len); /* the store has its copy */
    reopen(&f);
    assert_int_equal(f.r->ops->get(f.r, &things, c.id, &f.a, &doc), 0);
    assert_true(str_eq(doc.id, c.id));
    assert_true(doc.state.len >= len && doc.state.len < len + 10);
    for (size_t i = 10; i < len - 2; i++)
        assert_int_equal(doc.state.p[i], 'x');
    assert_int_equal(doc.wake_at_us, c.wake_at_us);
    assert_true(str_is(doc.commit_id, "cmt_1"));
    assert_int_equal(f.r->ops->get(f.r, &plain, c.id, &f.a, &doc), ERR_NOT_FOUND);
    free(big);
    tear_down(&f);
}

/* A change that must fail for each reason, with everything on it that could leave a trace. */
static void failures_leave_no_trace(void **state) {
    struct fixture f;
    struct event *events, e = event_of("evt_1");
    struct store_answer kept = {.key = STR("ans"), .status = 200, .at_us = 5}, ans;
    set_up(&f, state);
    struct store_change first = change_of("a", 0, "{}");
    first.dedupe = STR("dup");
    first.answer = &kept;
    first.keys[0] = STR("o");
    assert_int_equal(commit_one(&f, first), 0);

    struct store_answer other = {.key = STR("other"), .status = 200, .at_us = 5};
    struct store_change c = change_of("a", 0, "{\"bad\":1}");
    c.events = &e;
    c.event_count = 1;
    c.keys[0] = STR("p");
    c.wake_at_us = 1;
    c.dedupe = STR("fresh");
    c.answer = &other;
    assert_int_equal(commit_one(&f, c), ERR_CONFLICT); /* exists */
    c.expected_version = 2;
    assert_int_equal(commit_one(&f, c), ERR_CONFLICT); /* ahead */
    c.id = STR("nobody");
    assert_int_equal(commit_one(&f, c), ERR_CONFLICT); /* not there */
    c.remove = true;
    assert_int_equal(commit_one(&f, c), ERR_CONFLICT);
    c.remove = false;
    c.id = STR("a");
    c.expected_version = 1;
    c.dedupe = STR("dup");
    assert_int_equal(commit_one(&f, c), ERR_DUPLICATE);
    c.expected_version = 9; /* a duplicate before a conflict: its effect is there */
    assert_int_equal(commit_one(&f, c), ERR_DUPLICATE);
    c.expected_version = 1;
    c.dedupe = STR("fresh");
    c.answer = &kept;
    assert_int_equal(commit_one(&f, c), ERR_DUPLICATE);

    is_doc(&f, "a", 1, "{}");
    is_doc(&f, "nobody", 0, NULL);
    assert_int_equal(outbox(&f, 0, 10, &events), 0);
    assert_false(f.r->ops->seen(f.r, &things, STR("fresh")));
    assert_int_equal(f.r->ops->answer(f.r, &things, STR("other"), &f.a, &ans), ERR_NOT_FOUND);
    assert_string_equal(ids(&f, (struct store_query){.index = "owner", .key = STR("p")}), "");
    assert_string_equal(ids(&f, (struct store_query){.index = "owner", .key = STR("o")}), "a");
    assert_string_equal(due_ids(&f, 100, 10), "");
    c.answer = &other; /* and now that nothing stands against it */
    assert_int_equal(commit_one(&f, c), 0);
    assert_int_equal(outbox(&f, 0, 10, &events), 1);
    assert_true(f.r->ops->seen(f.r, &things, STR("fresh")));
    tear_down(&f);
}

static void removes(void **state) {
    struct fixture f;
    struct event *events, e = event_of("evt_1");
    set_up(&f, state);
    struct store_change c = change_of("a", 0, "{}");
    c.keys[0] = STR("o");
    c.wake_at_us = 5;
    assert_int_equal(commit_one(&f, c), 0);
    struct store_change gone = {.collection = &things,
                                .id = STR("a"),
                                .expected_version = 1,
                                .remove = true,
                                .events = &e,
                                .event_count = 1,
                                .dedupe = STR("removal")};
    assert_int_equal(commit_one(&f, gone), 0);
    is_doc(&f, "a", 0, NULL);
    assert_string_equal(ids(&f, (struct store_query){0}), "");
    assert_string_equal(ids(&f, (struct store_query){.index = "owner", .key = STR("o")}), "");
    assert_string_equal(due_ids(&f, 100, 10), "");
    assert_int_equal(outbox(&f, 0, 10, &events), 1); /* its events and its dedupe key count */
    assert_int_equal(commit_one(&f, gone), ERR_DUPLICATE);
    gone.expected_version = 0; /* nothing is there, as expected: only the rest is written */
    gone.dedupe = STR("removal of nothing");
    assert_int_equal(commit_one(&f, gone), 0);
    assert_int_equal(outbox(&f, 0, 10, &events), 2);
    is_doc(&f, "a", 0, NULL);
    assert_int_equal(commit_one(&f, change_of("a", 0, "{\"new\":1}")), 0);
    is_doc(&f, "a", 1, "{\"new\":1}"); /* a new life begins at 1 */
    tear_down(&f);
}

/* --- batches ---------------------------------------------------------------------------------- */

static void one_failure_in_a_batch(void **state) {
    struct fixture f;
    struct event *events, e[3] = {event_of("evt_1"), event_of("evt_2"), event_of("evt_3")};
    set_up(&f, state);
    assert_int_equal(commit_one(&f, change_of("taken", 0, "{}")), 0);
    struct store_change c[5] = {
        change_of("a", 0, "{\"n\":\"1\"}"), change_of("taken", 0, "{\"n\":\"2\"}"),
        change_of("b", 0, "{\"n\":\"3\"}"), change_of("b", 0, "{\"n\":\"4\"}"),
        change_of("taken", 1, "{\"n\":\"5\"}")};
    for (int i = 0; i < 3; i++) {
        c[i].events = &e[i];
        c[i].event_count = 1;
    }
    assert_int_equal(commit(&f, c, 5), 0);
    assert_int_equal(c[0].result, 0);
    assert_int_equal(c[1].result, ERR_CONFLICT);
    assert_int_equal(c[2].result, 0);
    assert_int_equal(c[3].result, ERR_CONFLICT); /* sees the one before it */
    assert_int_equal(c[4].result, 0);
    is_doc(&f, "a", 1, "{\"n\":\"1\"}");
    is_doc(&f, "b", 1, "{\"n\":\"3\"}");
    is_doc(&f, "taken", 2, "{\"n\":\"5\"}");
    assert_int_equal(outbox(&f, 0, 10, &events), 2);
    assert_true(str_is(events[0].id, "evt_1") && str_is(events[1].id, "evt_3"));
    tear_down(&f);
}

static void chains_in_a_batch(void **state) {
    struct fixture f;
    set_up(&f, state);
    struct store_change c[] = {
        change_of("a", 0, "{\"n\":\"1\"}"),   change_of("a", 1, "{\"n\":\"2\"}"),
        change_of("a", 2, "{\"n\":\"3\"}"),   change_of("a", 2, "{\"n\":\"again\"}"),
        change_of("b", 0, "{\"n\":\"1\"}"),   change_of("b", 1, ""),
        change_of("b", 0, "{\"n\":\"anew\"}")};
    c[0].keys[0] = STR("one");
    c[1].keys[0] = STR("two");
    c[1].wake_at_us = 50;
    c[2].keys[1] = STR("three");
    c[5].remove = true;
    assert_int_equal(commit(&f, c, (int32_t)COUNT_OF(c)), 0);
    for (size_t i = 0; i < COUNT_OF(c); i++)
        assert_int_equal(c[i].result, i == 3 ? ERR_CONFLICT : 0);
    is_doc(&f, "a", 3, "{\"n\":\"3\"}");
    is_doc(&f, "b", 1, "{\"n\":\"anew\"}");
    assert_string_equal(ids(&f, (struct store_query){.index = "owner", .key = STR("one")}), "");
    assert_string_equal(ids(&f, (struct store_query){.index = "owner", .key = STR("two")}), "");
    assert_string_equal(ids(&f, (struct store_query){.index = "state", .key = STR("three")}), "a");
    assert_string_equal(due_ids(&f, 1000, 10), "");

    struct store_change d[3] = {change_of("c", 0, "{\"n\":\"1\"}"),
                                change_of("d", 0, "{\"n\":\"1\"}"),
                                change_of("e", 0, "{\"n\":\"1\"}")};
    struct store_answer ans = {.key = STR("k"), .status = 201, .at_us = 1};
    d[0].dedupe = d[1].dedupe = STR("same"); /* a duplicate of one in the same batch */
    d[0].answer = d[2].answer = &ans;
    assert_int_equal(commit(&f, d, 3), 0);
    assert_int_equal(d[0].result, 0);
    assert_int_equal(d[1].result, ERR_DUPLICATE);
    assert_int_equal(d[2].result, ERR_DUPLICATE);
    tear_down(&f);
}

static void empty_batches(void **state) {
    struct fixture f;
    struct event *events, e = event_of("evt_1");
    set_up(&f, state);
    assert_int_equal(f.w->ops->commit(f.w, NULL, 0, NULL, 0), 0);
    struct store_change c = change_of("a", 0, "{}");
    c.events = &e;
    c.event_count = 1;
    assert_int_equal(commit_one(&f, c), 0);
    assert_int_equal(outbox(&f, 0, 10, &events), 1);
    int64_t seqs[] = {events[0].seq, events[0].seq, 123456789}; /* twice, and never there */
    assert_int_equal(f.w->ops->commit(f.w, NULL, 0, seqs, 3), 0);
    assert_int_equal(outbox(&f, 0, 10, &events), 0);
    tear_down(&f);
}

static void largest_batch(void **state) {
    struct fixture f;
    struct event *events, e[STORE_EVENTS_MAX];
    static struct store_change c[STORE_BATCH_MAX];
    set_up(&f, state);
    for (int i = 0; i < STORE_EVENTS_MAX; i++)
        e[i] = event_of("evt");
    for (int i = 0; i < STORE_BATCH_MAX; i++) {
        c[i] = change_of(arena_cstr(&f.a, arena_printf(&f.a, "id%04d", i)), 0, "{}");
        c[i].events = e;
        c[i].event_count = STORE_EVENTS_MAX;
    }
    assert_int_equal(commit(&f, c, STORE_BATCH_MAX), 0);
    int32_t n = outbox(&f, 0, 10000, &events);
    assert_int_equal(n, STORE_BATCH_MAX * STORE_EVENTS_MAX);
    for (int32_t i = 1; i < n; i++)
        assert_true(events[i].seq > events[i - 1].seq);
    char longest[STORE_ID_MAX + 1] = {0};
    memset(longest, 'z', STORE_ID_MAX);
    assert_int_equal(commit_one(&f, change_of(longest, 0, "{}")), 0);
    is_doc(&f, longest, 1, "{}");
    tear_down(&f);
}

/* --- lists ------------------------------------------------------------------------------------ */

static void lists_and_cursors(void **state) {
    struct fixture f;
    set_up(&f, state);
    const char *order = "dbfaec";
    for (int i = 0; order[i]; i++) {
        struct store_change c = change_of((char[]){order[i], 0}, 0, "{}");
        if (order[i] != 'f')
            c.keys[0] = order[i] < 'c' ? STR("low") : STR("high");
        assert_int_equal(commit_one(&f, c), 0);
    }
#define Q(...) ids(&f, (struct store_query){__VA_ARGS__})
    assert_string_equal(Q(0), "f e d c b a");
    assert_string_equal(Q(.ascending = true), "a b c d e f");
    assert_string_equal(Q(.limit = 2), "f e");
    assert_string_equal(Q(.limit = 2, .after = STR("e")), "d c");
    assert_string_equal(Q(.limit = 2, .ascending = true, .after = STR("b")), "c d");
    assert_string_equal(Q(.after = STR("cc")), "c b a"); /* a cursor need not exist */
    assert_string_equal(Q(.ascending = true, .after = STR("cc")), "d e f");
    assert_string_equal(Q(.until = STR("c")), "f e d");
    assert_string_equal(Q(.ascending = true, .until = STR("c")), "a b");
    assert_string_equal(Q(.after = STR("e"), .until = STR("b")), "d c");
    assert_string_equal(Q(.after = STR("b"), .until = STR("e")), ""); /* the wrong way round */
    assert_string_equal(Q(.after = STR("a")), "");
    assert_string_equal(Q(.ascending = true, .after = STR("f")), "");
    assert_string_equal(Q(.index = "owner", .key = STR("high")), "e d c");
    assert_string_equal(Q(.index = "owner", .key = STR("high"), .ascending = true, .limit = 1),
                        "c");
    assert_string_equal(Q(.index = "owner", .key = STR("high"), .after = STR("d")), "c");
    assert_string_equal(Q(.index = "owner", .key = STR("high"), .until = STR("c")), "e d");
    assert_string_equal(Q(.index = "owner", .key = STR("low")), "b a");
    assert_string_equal(Q(.index = "owner", .key = STR("lo")), "");
    assert_string_equal(Q(.index = "owner", .key = STR("")), ""); /* absent is not empty */
    assert_string_equal(Q(.index = "state", .key = STR("high")), "");
    assert_string_equal(Q(.collection = &plain), "");
    tear_down(&f);
}

static void pages_stay_put_under_inserts(void **state) {
    struct fixture f;
    set_up(&f, state);
    for (int i = 0; i < 100; i++)
        commit_one(&f, change_of(arena_cstr(&f.a, arena_printf(&f.a, "m%03d", i)), 0, "{}"));
    struct str cursor = STR_NONE;
    int next = 99;
    for (int page = 0; next >= 0; page++) {
        struct store_query q = {.collection = &things, .after = cursor, .limit = 7};
        struct store_doc *docs;
        int32_t n;
        assert_int_equal(f.r->ops->list(f.r, &q, &f.a, &docs, &n), 0);
        for (int32_t i = 0; i < n; i++, next--)
            assert_true(str_eq(docs[i].id, arena_printf(&f.a, "m%03d", next)));
        cursor = docs[n - 1].id;
        for (int i = 0; i < 5; i++) /* newer ones arrive meanwhile */
            commit_one(&f, change_of(arena_cstr(&f.a, arena_printf(&f.a, "n%03d", page * 5 + i)), 0,
                                     "{}"));
    }
    tear_down(&f);
}

static void index_keys_move(void **state) {
    struct fixture f;
    set_up(&f, state);
    struct store_change c = change_of("a", 0, "{}");
    c.keys[0] = STR("one");
    c.keys[1] = STR("");
    assert_int_equal(commit_one(&f, c), 0);
    assert_string_equal(Q(.index = "owner", .key = STR("one")), "a");
    assert_string_equal(Q(.index = "state", .key = STR("")), "a");
    c.expected_version = 1;
    c.keys[0] = STR("two");
    assert_int_equal(commit_one(&f, c), 0);
    assert_string_equal(Q(.index = "owner", .key = STR("one")), "");
    assert_string_equal(Q(.index = "owner", .key = STR("two")), "a");
    assert_string_equal(Q(.index = "state", .key = STR("")), "a");
    c.expected_version = 2;
    c.keys[0] = STR_NONE;
    c.keys[1] = STR("x");
    assert_int_equal(commit_one(&f, c), 0);
    assert_string_equal(Q(.index = "owner", .key = STR("two")), "");
    assert_string_equal(Q(.index = "state", .key = STR("")), "");
    assert_string_equal(Q(.index = "state", .key = STR("x")), "a");
    assert_string_equal(Q(0), "a");
    tear_down(&f);
}

static void due_in_order(void **state) {
    struct fixture f;
    set_up(&f, state);
    const int64_t wakes[] = {300, 100, 0, 200, 100};
    for (int i = 0; i < 5; i++) {
        struct store_change c = change_of((char[]){(char)('a' + i), 0}, 0, "{}");
        c.wake_at_us = wakes[i];
        assert_int_equal(commit_one(&f, c), 0);
    }
    assert_string_equal(due_ids(&f, 99, 10), "");
    assert_string_equal(due_ids(&f, 100, 10), "b e");
    assert_string_equal(due_ids(&f, 1000, 10), "b e d a");
    assert_string_equal(due_ids(&f, 1000, 3), "b e d");
    struct store_change later = change_of("b", 1, "{}");
    later.wake_at_us = 250;
    assert_int_equal(commit_one(&f, later), 0);
    struct store_change never = change_of("e", 1, "{}");
    assert_int_equal(commit_one(&f, never), 0);
    reopen(&f);
    assert_string_equal(due_ids(&f, 1000, 10), "d b a");
    tear_down(&f);
}

/* --- outbox, dedupe keys, answers ------------------------------------------------------------- */

static void outbox_in_order(void **state) {
    struct fixture f;
    struct event *events;
    int64_t last_seq = 0;
    set_up(&f, state);
    for (int round = 0; round < 6; round++) {
        struct event e[3] = {event_of("evt_1"), event_of("evt_2"), event_of("evt_3")};
        e[1].request_id = STR("req_1");
        e[2].request_id = STR("");
        e[1].traceparent = STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        struct store_change c = change_of("a", round, "{}");
        c.events = e;
        c.event_count = 3;
        assert_int_equal(commit_one(&f, c), 0);
        assert_int_equal(outbox(&f, 0, 10, &events), 3);
        for (int i = 0; i < 3; i++) { /* never again a number that was used */
            assert_true(events[i].seq > last_seq);
            last_seq = events[i].seq;
            assert_true(str_eq(events[i].id, e[i].id));
        }
        assert_true(str_is(events[1].type, "thing.happened") && str_is(events[1].key, "k"));
        assert_true(events[1].at_us == 7 && str_is(events[1].data, "{}"));
        assert_null(events[0].request_id.p);
        assert_true(str_is(events[1].request_id, "req_1"));
        assert_null(events[0].traceparent.p);
        assert_true(str_eq(events[1].traceparent, e[1].traceparent));
        assert_true(events[2].request_id.p && events[2].request_id.len == 0);
        int64_t first = events[0].seq, middle = events[1].seq;
        assert_int_equal(outbox(&f, 0, 2, &events), 2);
        assert_int_equal(outbox(&f, first, 10, &events), 2);
        assert_int_equal(outbox(&f, last_seq, 10, &events), 0);
        assert_int_equal(f.w->ops->commit(f.w, NULL, 0, &middle, 1), 0);
        assert_int_equal(outbox(&f, 0, 10, &events), 2);
        int64_t ends[] = {last_seq, first};
        if (round % 2) { /* whoever takes them over may number them anew, in their order */
            reopen(&f);
            assert_int_equal(outbox(&f, 0, 10, &events), 2);
            assert_true(str_eq(events[0].id, e[0].id) && str_eq(events[1].id, e[2].id));
            first = ends[1] = events[0].seq;
            last_seq = ends[0] = events[1].seq;
        }
        assert_int_equal(outbox(&f, first, 10, &events), 1);
        assert_int_equal(f.w->ops->commit(f.w, NULL, 0, ends, 2), 0);
        assert_int_equal(outbox(&f, 0, 10, &events), 0);
        if (round % 3) {
            reopen(&f);
            last_seq = f.factory->join ? 0 : last_seq;
        }
    }
    tear_down(&f);
}

static void answers_come_back(void **state) {
    struct fixture f;
    struct store_answer got;
    set_up(&f, state);
    struct store_answer full = {.key = STR("full"),
                                .body_hash = UINT64_MAX - 1,
                                .status = 201,
                                .etag = STR("\"3\""),
                                .body = STR("{\"id\":\"a\"}"),
                                .at_us = 12345};
    struct store_answer bare = {.key = STR("bare"), .status = 204, .body = STR(""), .at_us = 1};
    struct store_change c = change_of("a", 0, "{}"), d = change_of("b", 0, "{}");
    c.answer = &full;
    d.answer = &bare;
    assert_int_equal(commit_one(&f, c), 0);
    assert_int_equal(commit_one(&f, d), 0);
    reopen(&f);
    assert_int_equal(f.r->ops->answer(f.r, &things, STR("full"), &f.a, &got), 0);
    assert_true(str_is(got.key, "full") && str_eq(got.etag, full.etag));
    assert_true(str_eq(got.body, full.body));
    assert_true(got.body_hash == full.body_hash && got.status == 201 && got.at_us == 12345);
    assert_int_equal(f.r->ops->answer(f.r, &things, STR("bare"), &f.a, &got), 0);
    assert_true(!got.etag.p && got.body.p && got.body.len == 0 && got.body_hash == 0);
    assert_int_equal(f.r->ops->answer(f.r, &things, STR("none"), &f.a, &got), ERR_NOT_FOUND);
    tear_down(&f);
}

static void prunes_what_is_old(void **state) {
    struct fixture f;
    struct store_answer got;
    set_up(&f, state);
    const int64_t ages[] = {50, 20, 90, 10, 70}; /* not in the order in which they came */
    for (int i = 0; i < 5; i++) {
        char name[] = {(char)('a' + i), 0};
        struct store_answer ans = {.key = str_from(name), .status = 200, .at_us = ages[i]};
        struct store_change c = change_of(name, 0, "{}");
        c.dedupe = str_from(name);
        c.at_us = ages[i];
        c.answer = &ans;
        assert_int_equal(commit_one(&f, c), 0);
    }
    assert_int_equal(f.w->ops->prune(f.w, 10, 100), 0);
    assert_int_equal(f.w->ops->prune(f.w, 60, 1), 2); /* one of each kind, the oldest */
    assert_false(f.r->ops->seen(f.r, &things, STR("d")));
    assert_true(f.r->ops->seen(f.r, &things, STR("b")));
    assert_int_equal(f.w->ops->prune(f.w, 60, 100), 4);
    assert_int_equal(f.w->ops->prune(f.w, 60, 100), 0);
    for (int i = 0; i < 5; i++) {
        struct str name = {(char[]){(char)('a' + i), 0}, 1};
        assert_true(f.r->ops->seen(f.r, &things, name) == (ages[i] >= 60));
        assert_int_equal(f.r->ops->answer(f.r, &things, name, &f.a, &got),
                         ages[i] >= 60 ? 0 : ERR_NOT_FOUND);
        is_doc(&f, (char[]){(char)('a' + i), 0}, 1, "{}"); /* documents stay */
    }
    struct store_change again = change_of("a", 1, "{\"new\":1}"); /* forgotten: as if never seen */
    again.dedupe = STR("a");
    assert_int_equal(commit_one(&f, again), 0);
    tear_down(&f);
}

static void prunes_documents(void **state) {
    struct fixture f;
    set_up(&f, state);
    for (int i = 0; i < 9; i++) {
        struct store_change c = change_of((char[]){(char)('a' + i), 0}, 0, "{}");
        c.keys[0] = STR("o");
        c.wake_at_us = 10;
        assert_int_equal(commit_one(&f, c), 0);
    }
    assert_int_equal(f.w->ops->prune_docs(f.w, &things, STR("a"), 100), 0);
    assert_int_equal(f.w->ops->prune_docs(f.w, &things, STR("f"), 2), 2);
    assert_string_equal(Q(0), "i h g f e d c");
    assert_int_equal(f.w->ops->prune_docs(f.w, &things, STR("f"), 100), 3);
    assert_int_equal(f.w->ops->prune_docs(f.w, &plain, STR("f"), 100), 0);
    assert_string_equal(Q(.index = "owner", .key = STR("o")), "i h g f");
    assert_string_equal(due_ids(&f, 100, 10), "f g h i");
    assert_int_equal(commit_one(&f, change_of("a", 0, "{}")), 0);
    tear_down(&f);
}

/* What was expected is answered as it is, and after a commit or the end as it has become. */
static void expectations_are_met(void **state) {
    struct fixture f;
    struct store_answer ans = {.key = STR("k"), .status = 201, .body = STR("b"), .at_us = 5}, got;
    struct store_doc doc;
    set_up(&f, state);
    const struct store_ops *ops = f.w->ops;
    if (!ops->expect || !ops->end) {
        tear_down(&f);
        return;
    }
    struct store_change c = change_of("a", 0, "{\"n\":1}");
    c.collection = &plain;
    assert_int_equal(commit_one(&f, c), 0); /* the same id elsewhere */
    c = change_of("a", 0, "{\"n\":2}");
    c.answer = &ans;
    c.dedupe = STR("d");
    c.wake_at_us = 9;
    assert_int_equal(commit_one(&f, c), 0);
    struct store_want wants[] = {
        {.collection = &things, .id = STR("a"), .answer = STR("k"), .dedupe = STR("d")},
        {.collection = &things, .id = STR("b"), .answer = STR("l"), .dedupe = STR("e")},
        {.collection = &things, .id = STR("a")}, /* twice */
        {.collection = &plain, .id = STR("b")}};
    for (int round = 0; round < 2; round++) {
        if (ops->begin)
            assert_int_equal(ops->begin(f.w), 0);
        ops->expect(f.w, wants, (int32_t)COUNT_OF(wants));
        assert_int_equal(ops->get(f.w, &things, STR("a"), &f.a, &doc), 0);
        assert_true(doc.version == 1 + round && str_is(doc.id, "a"));
        assert_true(doc.wake_at_us == (round ? 0 : 9) && str_is(doc.commit_id, "c"));
        is_state(doc.state, round ? "{\"n\":3}" : "{\"n\":2}");
        assert_int_equal(ops->get(f.w, &things, STR("b"), &f.a, &doc), ERR_NOT_FOUND);
        assert_int_equal(ops->get(f.w, &plain, STR("b"), &f.a, &doc), ERR_NOT_FOUND);
        assert_int_equal(ops->get(f.w, &plain, STR("a"), &f.a, &doc), 0); /* not expected */
        is_state(doc.state, "{\"n\":1}");
        assert_int_equal(ops->answer(f.w, &things, STR("k"), &f.a, &got), 0);
        assert_true(str_is(got.key, "k") && got.status == 201 && str_is(got.body, "b"));
        assert_int_equal(ops->answer(f.w, &things, STR("l"), &f.a, &got), ERR_NOT_FOUND);
        assert_true(ops->seen(f.w, &things, STR("d")) && !ops->seen(f.w, &things, STR("e")));
        if (round == 0)
            assert_int_equal(commit_one(&f, change_of("a", 1, "{\"n\":3}")), 0);
        else
            ops->end(f.w);
        assert_int_equal(ops->get(f.w, &things, STR("a"), &f.a, &doc), 0);
        assert_int_equal(doc.version, 2);
        if (round == 0)
            ops->end(f.w);
    }
    tear_down(&f);
}

/* --- by chance, against a twin ---------------------------------------------------------------- */

#define TWIN_DOCS 60

struct twin {
    struct {
        int64_t version, wake_at_us;
        int state_no, keys[2]; /* key -1: none */
    } docs[TWIN_DOCS];
    bool seen[400];
    int32_t outbox; /* rows */
};

struct draw { /* one random change and the memory it needs */
    char id[16], state[24], keys[2][16], dedupe[16];
    struct event event;
    int doc, state_no, key_no[2], dedupe_no;
};

static void twin_draw(struct rng *r, const struct twin *t, struct draw *d, struct store_change *c) {
    d->doc = (int)rng_below(r, TWIN_DOCS);
    d->state_no = (int)rng_below(r, 1000000);
    snprintf(d->id, sizeof d->id, "d%02d", d->doc);
    snprintf(d->state, sizeof d->state, "{\"n\":%d}", d->state_no);
    *c = change_of(d->id, t->docs[d->doc].version, d->state);
    if (rng_below(r, 8) == 0)
        c->expected_version = rng_between(r, 0, 3);
    c->remove = rng_below(r, 6) == 0;
    c->wake_at_us = rng_below(r, 2) ? rng_between(r, 1, 50) : 0;
    for (int i = 0; i < 2; i++) {
        d->key_no[i] = (int)rng_below(r, 5) - 1;
        snprintf(d->keys[i], sizeof d->keys[i], "k%d", d->key_no[i]);
        c->keys[i] = d->key_no[i] < 0 ? STR_NONE : str_from(d->keys[i]);
    }
    d->dedupe_no = rng_below(r, 3) ? -1 : (int)rng_below(r, 400);
    snprintf(d->dedupe, sizeof d->dedupe, "x%d", d->dedupe_no);
    c->dedupe = d->dedupe_no < 0 ? STR_NONE : str_from(d->dedupe);
    c->event_count = (int32_t)rng_below(r, 2);
    d->event = event_of("evt");
    c->events = &d->event;
}

static int twin_apply(struct twin *t, const struct draw *d, const struct store_change *c) {
    if (d->dedupe_no >= 0 && t->seen[d->dedupe_no])
        return ERR_DUPLICATE;
    if (t->docs[d->doc].version != c->expected_version)
        return ERR_CONFLICT;
    if (d->dedupe_no >= 0)
        t->seen[d->dedupe_no] = true;
    t->outbox += c->event_count;
    t->docs[d->doc].version = c->remove ? 0 : c->expected_version + 1;
    t->docs[d->doc].state_no = d->state_no;
    t->docs[d->doc].wake_at_us = c->wake_at_us;
    t->docs[d->doc].keys[0] = d->key_no[0];
    t->docs[d->doc].keys[1] = d->key_no[1];
    return 0;
}

static void twin_compare_lists(struct fixture *f, const struct twin *t) {
    for (int index = 0; index < 2; index++) {
        for (int key = 0; key < 4; key++) {
            struct str want = STR("");
            for (int i = 0; i < TWIN_DOCS; i++)
                if (t->docs[i].version && t->docs[i].keys[index] == key)
                    want =
                        arena_printf(&f->a, "%.*s%sd%02d", STR_ARG(want), want.len ? " " : "", i);
            const char *name = things.indexes[index];
            struct str k = arena_printf(&f->a, "k%d", key);
            const char *got =
                ids(f, (struct store_query){.index = name, .key = k, .ascending = true});
            assert_string_equal(got, arena_cstr(&f->a, want));
        }
    }
    struct store_doc *docs;
    int32_t n, wakes = 0;
    assert_int_equal(f->r->ops->due(f->r, &things, 25, 1000, &f->a, &docs, &n), 0);
    for (int i = 0; i < TWIN_DOCS; i++)
        wakes += t->docs[i].version && t->docs[i].wake_at_us && t->docs[i].wake_at_us <= 25;
    assert_int_equal(n, wakes);
    for (int32_t i = 1; i < n; i++)
        assert_true(docs[i - 1].wake_at_us < docs[i].wake_at_us ||
                    (docs[i - 1].wake_at_us == docs[i].wake_at_us &&
                     str_cmp(docs[i - 1].id, docs[i].id) < 0));
}

static void twin_compare(struct fixture *f, const struct twin *t) {
    struct event *events;
    for (int i = 0; i < TWIN_DOCS; i++) {
        char id[16], text[24];
        snprintf(id, sizeof id, "d%02d", i);
        snprintf(text, sizeof text, "{\"n\":%d}", t->docs[i].state_no);
        is_doc(f, id, t->docs[i].version, text);
    }
    for (int i = 0; i < 400; i++)
        assert_true(f->r->ops->seen(f->r, &things, arena_printf(&f->a, "x%d", i)) == t->seen[i]);
    assert_int_equal(outbox(f, 0, 10000, &events), t->outbox);
    twin_compare_lists(f, t);
}

static void against_twin(void **state) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct fixture f;
        struct twin *t = calloc(1, sizeof *t);
        struct rng r;
        struct store_change changes[20];
        struct draw draws[20];
        set_up(&f, state);
        rng_seed(&r, seed);
        for (int batch = 0; batch < 60; batch++) {
            int want[20], n = (int)rng_between(&r, 1, 20);
            for (int i = 0; i < n; i++) {
                twin_draw(&r, t, &draws[i], &changes[i]);
                want[i] = twin_apply(t, &draws[i], &changes[i]);
            }
            struct event *oldest;
            int64_t seqs[3];
            int32_t gone = outbox(&f, 0, (int32_t)rng_between(&r, 1, 3), &oldest);
            for (int32_t i = 0; i < gone; i++)
                seqs[i] = oldest[i].seq;
            assert_int_equal(f.w->ops->commit(f.w, changes, n, seqs, gone), 0);
            t->outbox -= gone;
            for (int i = 0; i < n; i++)
                assert_int_equal(changes[i].result, want[i]);
            if (batch % 10 == 9) {
                if (batch % 20 == 19)
                    reopen(&f);
                twin_compare(&f, t);
            }
            arena_reset(&f.a);
        }
        free(t);
        tear_down(&f);
    }
}

/* --- several handles -------------------------------------------------------------------------- */

struct reader_thread {
    struct store_source *src;
    _Atomic bool *stop;
    bool by_document;
    int64_t reads;
    const char *wrong;
};

/* A batch changes all three documents, so every list must show them at one version. */
static void *read_all_the_time(void *arg) {
    struct reader_thread *t = arg;
    struct store *r;
    struct arena a;
    int64_t last = 0;
    if (t->src->open(t->src, false, &r) != 0) {
        t->wrong = "cannot open a reader";
        return NULL;
    }
    arena_init(&a, 4096);
    while (!*t->stop && !t->wrong) {
        struct store_query q = {.collection = &things, .limit = 10};
        struct store_doc *docs;
        int32_t n;
        if (r->ops->list(r, &q, &a, &docs, &n) != 0 || n != 3)
            t->wrong = "cannot read";
        else if (!t->by_document &&
                 (docs[0].version != docs[1].version || docs[1].version != docs[2].version))
            t->wrong = "half a batch was seen";
        else if (docs[0].version < last)
            t->wrong = "time went backwards";
        else
            last = docs[0].version;
        t->reads++;
        arena_reset(&a);
    }
    arena_free(&a);
    r->ops->close(r);
    return NULL;
}

static void readers_see_whole_batches(void **state) {
    struct fixture f;
    _Atomic bool stop = false;
    pthread_t threads[2];
    struct reader_thread t[2];
    set_up(&f, state);
    struct store_change c[3] = {change_of("a", 0, "{}"), change_of("b", 0, "{}"),
                                change_of("c", 0, "{}")};
    assert_int_equal(commit(&f, c, 3), 0);
    for (int i = 0; i < 2; i++) {
        t[i] = (struct reader_thread){.src = f.factory->source(f.data),
                                      .stop = &stop,
                                      .by_document = f.factory->batch_by_document};
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, &t[i]), 0);
    }
    for (int64_t v = 1; v <= 300; v++) {
        for (int i = 0; i < 3; i++)
            c[i].expected_version = v;
        assert_int_equal(commit(&f, c, 3), 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(c[i].result, 0);
    }
    stop = true;
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        if (t[i].wrong)
            fail_msg("%s", t[i].wrong);
    }
    tear_down(&f);
}

int store_contract(const struct store_factory *f) {
#define TEST(name) cmocka_unit_test_prestate(name, (void *)(uintptr_t)f)
    const struct CMUnitTest tests[] = {
        TEST(versions_rise),
        TEST(whole_documents_come_back),
        TEST(failures_leave_no_trace),
        TEST(removes),
        TEST(one_failure_in_a_batch),
        TEST(chains_in_a_batch),
        TEST(empty_batches),
        TEST(largest_batch),
        TEST(lists_and_cursors),
        TEST(pages_stay_put_under_inserts),
        TEST(index_keys_move),
        TEST(due_in_order),
        TEST(outbox_in_order),
        TEST(answers_come_back),
        TEST(prunes_what_is_old),
        TEST(prunes_documents),
        TEST(expectations_are_met),
        TEST(against_twin),
        TEST(readers_see_whole_batches),
    };
    int failed = cmocka_run_group_tests_name(f->name, tests, NULL, NULL);
    return failed + (f->join ? store_writers_contract(f) : 0);
}
