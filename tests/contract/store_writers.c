/* What ports/store.h promises of several handles that write at once, in this process and in others
 * that die. */
#include "contract.h"

#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct store_collection things = {"things", {"owner"}, true};
static const struct store_collection *const collections[] = {&things};

/* Two writers, each with a source of its own, as two processes have. */
struct pair {
    const struct store_factory *factory;
    void *data;
    struct store_source *joined;
    struct store *one, *two;
    struct arena a;
};

static struct store *open_writer(struct store_source *src) {
    struct store *s = NULL;
    assert_int_equal(src->open(src, true, &s), 0);
    return s;
}

static void set_up(struct pair *p, void **state) {
    *p = (struct pair){.factory = *state};
    arena_init(&p->a, 65536);
    p->data = p->factory->make(collections, (int)COUNT_OF(collections));
    p->joined = p->factory->join(p->data, false);
    p->one = open_writer(p->factory->source(p->data));
    p->two = open_writer(p->joined);
}

static struct store *close_one(struct store *s) {
    if (s)
        s->ops->close(s);
    return NULL;
}

static void tear_down(struct pair *p) {
    close_one(p->one);
    close_one(p->two);
    p->factory->leave(p->data, p->joined);
    p->factory->drop(p->data);
    arena_free(&p->a);
}

static struct store_change change_of(const char *id, int64_t version) {
    return (struct store_change){.collection = &things,
                                 .id = str_from(id),
                                 .expected_version = version,
                                 .state = STR("{\"n\":1}"),
                                 .commit_id = STR("c"),
                                 .result = 99};
}

static int commit_one(struct store *s, struct store_change c) {
    assert_int_equal(s->ops->commit(s, &c, 1, NULL, 0), 0);
    return c.result;
}

/* Commits a new document with COUNT events "<ID>.<n>". */
static void commit_events(struct store *s, const char *id, int32_t count, struct arena *a) {
    struct event e[STORE_EVENTS_MAX];
    for (int32_t i = 0; i < count; i++)
        e[i] = (struct event){.id = arena_printf(a, "%s.%d", id, i),
                              .type = STR("thing.happened"),
                              .key = str_from(id),
                              .at_us = 7,
                              .data = STR("{\"a\": 1}")};
    struct store_change c = change_of(id, 0);
    c.events = e;
    c.event_count = count;
    assert_int_equal(commit_one(s, c), 0);
}

/* The ids of the events that S owns beyond AFTER, joined by spaces. */
static const char *owned(struct store *s, int64_t after_seq, struct arena *a, int64_t *ret_last) {
    struct event *events;
    int32_t n = -1;
    struct str all = STR("");
    assert_int_equal(s->ops->outbox_read(s, after_seq, 1000, a, &events, &n), 0);
    for (int32_t i = 0; i < n; i++) {
        assert_true(events[i].seq > after_seq);
        after_seq = events[i].seq;
        assert_true(str_is(events[i].data, "{\"a\": 1}"));
        all = arena_printf(a, "%.*s%s%.*s", STR_ARG(all), i ? " " : "", STR_ARG(events[i].id));
    }
    if (ret_last)
        *ret_last = after_seq;
    return arena_cstr(a, all);
}

/* Waits until S owns exactly WANT beyond AFTER, for as long as a takeover may take. */
static void comes_to_own(struct pair *p, struct store *s, int64_t after_seq, const char *want,
                         int64_t *ret_last) {
    int64_t until_us = clock_mono_us() + p->factory->takeover_ms * US_PER_MS;
    const char *got = owned(s, after_seq, &p->a, ret_last);
    while (strcmp(got, want) != 0 && clock_mono_us() < until_us) {
        usleep(20000);
        got = owned(s, after_seq, &p->a, ret_last);
    }
    assert_string_equal(got, want);
}

/* --- conflicts -------------------------------------------------------------------------------- */

static void the_first_wins(void **state) {
    struct pair p;
    struct store_doc doc;
    set_up(&p, state);
    assert_int_equal(commit_one(p.one, change_of("a", 0)), 0);
    assert_int_equal(commit_one(p.two, change_of("a", 0)), ERR_CONFLICT); /* it exists */
    assert_int_equal(commit_one(p.two, change_of("a", 1)), 0);
    assert_int_equal(commit_one(p.one, change_of("a", 1)), ERR_CONFLICT);
    struct store_change gone = change_of("a", 2);
    gone.remove = true;
    assert_int_equal(commit_one(p.one, gone), 0);
    assert_int_equal(commit_one(p.two, change_of("a", 2)), ERR_CONFLICT);
    assert_int_equal(p.two->ops->get(p.two, &things, STR("a"), &p.a, &doc), ERR_NOT_FOUND);
    struct store_change both[] = {change_of("b", 0), change_of("a", 2), change_of("b", 1)};
    assert_int_equal(p.two->ops->commit(p.two, both, 3, NULL, 0), 0);
    assert_true(both[0].result == 0 && both[1].result == ERR_CONFLICT && both[2].result == 0);
    assert_int_equal(p.one->ops->get(p.one, &things, STR("b"), &p.a, &doc), 0);
    assert_int_equal(doc.version, 2);
    tear_down(&p);
}

static void keys_hold_for_all(void **state) {
    struct pair p;
    struct store_answer ans = {.key = STR("k"), .status = 201, .body = STR("{\"b\":  2}")}, got;
    set_up(&p, state);
    struct store_change c = change_of("a", 0), d = change_of("b", 0);
    c.dedupe = d.dedupe = STR("evt_1");
    assert_int_equal(commit_one(p.one, c), 0);
    assert_true(p.two->ops->seen(p.two, &things, STR("evt_1")));
    assert_int_equal(commit_one(p.two, d), ERR_DUPLICATE);
    c = change_of("c", 0);
    d = change_of("d", 0);
    c.answer = d.answer = &ans;
    assert_int_equal(commit_one(p.two, c), 0);
    assert_int_equal(commit_one(p.one, d), ERR_DUPLICATE);
    assert_int_equal(p.one->ops->answer(p.one, &things, STR("k"), &p.a, &got), 0);
    assert_true(got.status == 201 && str_eq(got.body, ans.body));
    tear_down(&p);
}

/* What one expected may be old by the time it commits: then the version says so; and after the end
 * it sees what the other has made of it. */
static void expectations_are_of_one_batch(void **state) {
    struct pair p;
    struct store_doc doc;
    set_up(&p, state);
    const struct store_ops *ops = p.one->ops;
    assert_int_equal(commit_one(p.one, change_of("a", 0)), 0);
    if (ops->begin)
        assert_int_equal(ops->begin(p.one), 0);
    struct store_want wants[] = {{.collection = &things, .id = STR("a")},
                                 {.collection = &things, .id = STR("b")}};
    if (ops->expect)
        ops->expect(p.one, wants, 2);
    assert_int_equal(commit_one(p.two, change_of("a", 1)), 0);
    assert_int_equal(commit_one(p.two, change_of("b", 0)), 0);
    assert_int_equal(commit_one(p.one, change_of("a", 1)), ERR_CONFLICT);
    if (ops->end)
        ops->end(p.one);
    if (ops->begin)
        assert_int_equal(ops->begin(p.one), 0);
    if (ops->expect)
        ops->expect(p.one, wants, 2);
    if (ops->end)
        ops->end(p.one);
    assert_int_equal(commit_one(p.two, change_of("b", 1)), 0);
    assert_int_equal(ops->get(p.one, &things, STR("b"), &p.a, &doc), 0);
    assert_int_equal(doc.version, 2);
    tear_down(&p);
}

static void both_see_what_is_due(void **state) {
    struct pair p;
    struct store_doc *docs;
    int32_t n = 0;
    set_up(&p, state);
    struct store_change c = change_of("a", 0);
    c.wake_at_us = 50;
    assert_int_equal(commit_one(p.one, c), 0);
    for (int i = 0; i < 2; i++) {
        struct store *s = i ? p.two : p.one;
        assert_int_equal(s->ops->due(s, &things, 50, 10, &p.a, &docs, &n), 0);
        assert_int_equal(n, 1);
        assert_true(str_is(docs[0].id, "a"));
    }
    assert_int_equal(commit_one(p.two, change_of("a", 1)), 0); /* woken */
    assert_int_equal(commit_one(p.one, change_of("a", 1)), ERR_CONFLICT);
    assert_int_equal(p.one->ops->due(p.one, &things, 50, 10, &p.a, &docs, &n), 0);
    assert_int_equal(n, 0);
    tear_down(&p);
}

/* --- who owns the events ---------------------------------------------------------------------- */

static void events_are_their_writers(void **state) {
    struct pair p;
    struct event *events;
    int32_t n;
    set_up(&p, state);
    commit_events(p.one, "a", 3, &p.a);
    commit_events(p.two, "b", 2, &p.a);
    commit_events(p.one, "c", 1, &p.a);
    int64_t until_us = clock_mono_us() + 2500 * US_PER_MS; /* while both live, nothing moves */
    do {
        assert_string_equal(owned(p.one, 0, &p.a, NULL), "a.0 a.1 a.2 c.0");
        assert_string_equal(owned(p.two, 0, &p.a, NULL), "b.0 b.1");
        usleep(50000);
    } while (clock_mono_us() < until_us);
    assert_int_equal(p.one->ops->outbox_read(p.one, 0, 10, &p.a, &events, &n), 0);
    assert_int_equal(n, 4);
    int64_t seqs[4];
    for (int i = 0; i < 4; i++)
        seqs[i] = events[i].seq;
    assert_int_equal(p.two->ops->outbox_read(p.two, 0, 10, &p.a, &events, &n), 0);
    for (int i = 0; i < 4; i++) /* numbers that are not its own mean nothing to a handle */
        if (seqs[i] != events[0].seq && seqs[i] != events[1].seq)
            assert_int_equal(p.two->ops->commit(p.two, NULL, 0, &seqs[i], 1), 0);
    assert_string_equal(owned(p.one, 0, &p.a, NULL), "a.0 a.1 a.2 c.0");
    assert_int_equal(p.one->ops->commit(p.one, NULL, 0, seqs, 4), 0);
    assert_string_equal(owned(p.one, 0, &p.a, NULL), "");
    assert_string_equal(owned(p.two, 0, &p.a, NULL), "b.0 b.1");
    tear_down(&p);
}

static void closed_writers_are_inherited(void **state) {
    struct pair p;
    int64_t last, end;
    set_up(&p, state);
    commit_events(p.two, "mine", 2, &p.a);
    commit_events(p.one, "left", 3, &p.a);
    assert_string_equal(owned(p.two, 0, &p.a, &last), "mine.0 mine.1");
    p.one = close_one(p.one);
    comes_to_own(&p, p.two, last, "left.0 left.1 left.2", &end);
    commit_events(p.two, "next", 1, &p.a); /* its own go on beyond them */
    assert_string_equal(owned(p.two, end, &p.a, NULL), "next.0");
    assert_string_equal(owned(p.two, 0, &p.a, NULL), "mine.0 mine.1 left.0 left.1 left.2 next.0");
    p.one = open_writer(p.factory->source(p.data)); /* it begins without any */
    assert_string_equal(owned(p.one, 0, &p.a, NULL), "");
    tear_down(&p);
}

/* A process that commits and dies by a signal, with nothing closed. */
static void die_after_commit(struct pair *p, const char *id, int32_t events) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct store_source *src = p->factory->join(p->data, false);
        struct store *s = NULL;
        if (!src || src->open(src, true, &s) != 0)
            _exit(1);
        struct arena a;
        arena_init(&a, 4096);
        commit_events(s, id, events, &a);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void dead_processes_are_inherited(void **state) {
    struct pair p;
    int64_t last;
    struct event *events;
    int32_t n;
    set_up(&p, state);
    p.two = close_one(p.two);
    commit_events(p.one, "mine", 1, &p.a);
    assert_string_equal(owned(p.one, 0, &p.a, &last), "mine.0");
    die_after_commit(&p, "dead", 3);
    comes_to_own(&p, p.one, last, "dead.0 dead.1 dead.2", NULL);
    p.two = open_writer(p.joined);
    assert_string_equal(owned(p.two, 0, &p.a, NULL), "");
    assert_int_equal(p.one->ops->outbox_read(p.one, 0, 10, &p.a, &events, &n), 0);
    assert_int_equal(n, 4);
    int64_t seqs[] = {events[0].seq, events[1].seq, events[2].seq, events[3].seq};
    assert_int_equal(p.one->ops->commit(p.one, NULL, 0, seqs, 4), 0);
    assert_string_equal(owned(p.one, 0, &p.a, NULL), "");
    tear_down(&p);
}

/* Two living writers share out what a dead one left: each event goes to one of them. */
static void an_estate_is_not_shared_twice(void **state) {
    struct pair p;
    set_up(&p, state);
    for (int i = 0; i < 3; i++)
        die_after_commit(&p, (char[]){'x', (char)('0' + i), 0}, 4);
    int64_t until_us = clock_mono_us() + p.factory->takeover_ms * US_PER_MS;
    size_t have = 0;
    const size_t want = (size_t)12 * 5; /* "x0.0 " */
    while (have < want && clock_mono_us() < until_us) {
        const char *a = owned(p.one, 0, &p.a, NULL), *b = owned(p.two, 0, &p.a, NULL);
        have = strlen(a) + (*a != 0) + strlen(b) + (*b != 0);
        usleep(20000);
    }
    assert_int_equal(have, want);
    const char *a = owned(p.one, 0, &p.a, NULL), *b = owned(p.two, 0, &p.a, NULL);
    for (int i = 0; i < 12; i++) {
        char id[] = {'x', (char)('0' + i / 4), '.', (char)('0' + i % 4), 0};
        assert_true(!strstr(a, id) != !strstr(b, id));
    }
    tear_down(&p);
}

static void nobodys_are_taken(void **state) {
    struct pair p;
    struct event *events;
    int32_t n;
    set_up(&p, state);
    p.two = close_one(p.two);
    struct store_source *beside = p.factory->join(p.data, true);
    struct store *tool = open_writer(beside);
    commit_events(tool, "user", 2, &p.a);
    comes_to_own(&p, p.one, 0, "user.0 user.1", NULL); /* while the tool still runs */
    commit_events(tool, "more", 1, &p.a);
    close_one(tool);
    p.factory->leave(p.data, beside);
    comes_to_own(&p, p.one, 0, "user.0 user.1 more.0", NULL);
    assert_int_equal(p.one->ops->outbox_read(p.one, 0, 10, &p.a, &events, &n), 0);
    assert_int_equal(p.one->ops->commit(p.one, NULL, 0, &events[1].seq, 1), 0);
    assert_string_equal(owned(p.one, 0, &p.a, NULL), "user.0 more.0");
    tear_down(&p);
}

/* --- all at once ------------------------------------------------------------------------------ */

#define CROWD 3
#define CROWD_DOCS 6
#define CROWD_KEYS 60
#define CROWD_BATCHES 60
#define CROWD_TRIES_MAX 100

struct member {
    struct store_source *src;
    uint64_t seed;
    bool keys_by_document;
    const char *wrong;
    int64_t done[CROWD_DOCS]; /* changes that went through */
    int taken[CROWD_KEYS];    /* dedupe keys */
    int64_t events;           /* committed with them, and seen in its own outbox */
};

static void crowd_batch(struct member *m, struct store *s, struct rng *r, struct arena *a) {
    struct store_change c[8];
    int docs[8], keys[8], n = (int)rng_between(r, 1, 8);
    int64_t versions[CROWD_DOCS];
    for (int i = 0; i < CROWD_DOCS; i++) {
        struct store_doc doc = {0};
        int err = s->ops->get(s, &things, arena_printf(a, "d%d", i), a, &doc);
        if (err != 0 && err != ERR_NOT_FOUND)
            m->wrong = "cannot read";
        versions[i] = doc.version;
    }
    for (int i = 0; i < n; i++) {
        struct event *e = arena_new(a, struct event);
        docs[i] = (int)rng_below(r, CROWD_DOCS);
        keys[i] = rng_below(r, 2) ? (int)rng_below(r, CROWD_KEYS) : -1;
        if (keys[i] >= 0 && m->keys_by_document)
            docs[i] = keys[i] % CROWD_DOCS;
        *e = (struct event){.id = arena_printf(a, "e%d", i),
                            .type = STR("t"),
                            .key = STR("k"),
                            .data = STR("{\"a\": 1}")};
        c[i] = change_of("", versions[docs[i]]++);
        c[i].id = arena_printf(a, "d%d", docs[i]);
        c[i].dedupe = keys[i] < 0 ? STR_NONE : arena_printf(a, "key%d", keys[i]);
        c[i].events = e;
        c[i].event_count = 1;
    }
    int err, tries = 0;
    do { /* busy means that nothing was written: others hold what it wants for long, where all is
            slow */
        err = s->ops->commit(s, c, n, NULL, 0);
    } while (err == ERR_BUSY && ++tries < CROWD_TRIES_MAX);
    if (err != 0) {
        m->wrong = "a commit failed as a whole";
        return;
    }
    for (int i = 0; i < n; i++) {
        if (c[i].result == 0) {
            m->done[docs[i]]++;
            m->events++;
            if (keys[i] >= 0)
                m->taken[keys[i]]++;
        } else if (c[i].result != ERR_CONFLICT && (c[i].result != ERR_DUPLICATE || keys[i] < 0)) {
            m->wrong = "a change failed for no reason";
        }
    }
}

static void *crowd_member(void *arg) {
    struct member *m = arg;
    struct store *s;
    struct arena a;
    struct rng r;
    struct event *events;
    int32_t n = 0;
    arena_init(&a, 65536);
    rng_seed(&r, m->seed);
    if (m->src->open(m->src, true, &s) != 0) {
        m->wrong = "cannot open a writer";
        return NULL;
    }
    for (int i = 0; i < CROWD_BATCHES && !m->wrong; i++) {
        crowd_batch(m, s, &r, &a);
        if (s->ops->outbox_read(s, 0, 10000, &a, &events, &n) != 0 || n < m->events)
            m->wrong = "its outbox lacks events";
        arena_reset(&a);
    }
    arena_free(&a);
    s->ops->close(s);
    return NULL;
}

static void a_crowd_writes(void **state) {
    struct pair p;
    pthread_t threads[CROWD];
    struct member m[CROWD];
    int64_t done[CROWD_DOCS] = {0}, all = 0;
    struct event *events;
    int32_t n = 0;
    set_up(&p, state);
    for (int i = 0; i < CROWD; i++) {
        m[i] = (struct member){.src = i % 2 ? p.joined : p.factory->source(p.data),
                               .seed = (uint64_t)i + 1,
                               .keys_by_document = p.factory->keys_by_document};
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_member, &m[i]), 0);
    }
    for (int i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
        if (m[i].wrong)
            fail_msg("%s", m[i].wrong);
    }
    for (int i = 0; i < CROWD; i++)
        for (int d = 0; d < CROWD_DOCS; d++)
            done[d] += m[i].done[d];
    for (int d = 0; d < CROWD_DOCS; d++) {
        struct store_doc doc;
        assert_int_equal(p.one->ops->get(p.one, &things, arena_printf(&p.a, "d%d", d), &p.a, &doc),
                         0);
        assert_int_equal(doc.version, done[d]); /* every change that went through, and no other */
        all += done[d];
    }
    for (int k = 0; k < CROWD_KEYS; k++) {
        int taken = m[0].taken[k] + m[1].taken[k] + m[2].taken[k];
        assert_true(taken <= 1);
        assert_true(p.one->ops->seen(p.one, &things, arena_printf(&p.a, "key%d", k)) ==
                    (taken == 1));
    }
    /* All are closed: their events are with the two that are left, none lost and none twice. */
    int64_t until_us = clock_mono_us() + p.factory->takeover_ms * US_PER_MS;
    int64_t have = 0;
    do {
        assert_int_equal(p.one->ops->outbox_read(p.one, 0, 10000, &p.a, &events, &n), 0);
        have = n;
        assert_int_equal(p.two->ops->outbox_read(p.two, 0, 10000, &p.a, &events, &n), 0);
        have += n;
        usleep(20000);
    } while (have < all && clock_mono_us() < until_us);
    assert_int_equal(have, all);
    tear_down(&p);
}

int store_writers_contract(const struct store_factory *f) {
#define TEST(name) cmocka_unit_test_prestate(name, (void *)(uintptr_t)f)
    const struct CMUnitTest tests[] = {
        TEST(the_first_wins),
        TEST(keys_hold_for_all),
        TEST(expectations_are_of_one_batch),
        TEST(both_see_what_is_due),
        TEST(events_are_their_writers),
        TEST(closed_writers_are_inherited),
        TEST(dead_processes_are_inherited),
        TEST(an_estate_is_not_shared_twice),
        TEST(nobodys_are_taken),
        TEST(a_crowd_writes),
    };
    return cmocka_run_group_tests_name("several writers", tests, NULL, NULL);
}
