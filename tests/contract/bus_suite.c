/* What ports/bus.h promises. Time is the test's own: poll() is called when the bus asks for it.
 * What a bus does meanwhile in real time, over a network, is waited for by goals: counters and what
 * they are to come to.
 */
#include "contract.h"

#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"
#include "base/traceparent.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_MAX 20000

/* A consumer that writes down what it gets. */
struct consumer {
    struct {
        int64_t seq;
        char key[16], data[16], type[24];
    } got[LOG_MAX];
    int32_t count, acknowledged;
    int32_t *total; /* of a group */
    struct bus_delivery *held[LOG_MAX];
    int32_t held_count;
    bool hold;      /* acknowledge later */
    int32_t refuse; /* this many next ones */
    const char *refuse_key;
    struct rng *rng; /* refuse by chance */
};

struct publisher {
    int64_t confirmed[LOG_MAX];
    int32_t count;
    struct bus *bus; /* publishes one more from within confirm */
    int32_t again;
};

static void copy(char *to, size_t cap, struct str s) {
    assert_true(s.len < cap);
    memcpy(to, s.p, s.len);
    to[s.len] = 0;
}

static void deliver(void *arg, struct bus_delivery *d) {
    struct consumer *c = arg;
    assert_true(c->count < LOG_MAX);
    c->got[c->count].seq = d->event->seq;
    copy(c->got[c->count].key, 16, d->event->key);
    copy(c->got[c->count].data, 16, d->event->data);
    copy(c->got[c->count].type, 24, d->event->type);
    c->count++;
    if (c->total)
        ++*c->total;
    if (c->hold) {
        c->held[c->held_count++] = d;
    } else if (c->refuse > 0 && (!c->refuse_key || str_is(d->event->key, c->refuse_key))) {
        c->refuse--;
        d->done(d, ERR_BUSY);
    } else {
        int result = c->rng && rng_below(c->rng, 3) == 0 ? ERR_FULL : 0;
        c->acknowledged += result == 0;
        d->done(d, result);
    }
}

static void release(struct consumer *c, int result) {
    c->hold = false;
    for (int32_t i = 0; i < c->held_count; i++)
        c->held[i]->done(c->held[i], result);
    c->held_count = 0;
}

static int put(struct bus *b, struct publisher *p, int64_t seq, const char *type, const char *key);

static void confirm(void *arg, int64_t seq, int result) {
    struct publisher *p = arg;
    assert_int_equal(result, 0);
    assert_true(p->count < LOG_MAX);
    p->confirmed[p->count++] = seq;
    if (p->again > 0) {
        p->again--;
        put(p->bus, p, seq + 1000, "t.a", "chained");
    }
}

static int put(struct bus *b, struct publisher *p, int64_t seq, const char *type, const char *key) {
    char id[32], data[16];
    snprintf(id, sizeof id, "evt_%lld", (long long)seq);
    snprintf(data, sizeof data, "[%lld]", (long long)seq);
    struct event e = {.id = str_from(id),
                      .type = str_from(type),
                      .key = str_from(key),
                      .at_us = seq,
                      .data = str_from(data),
                      .seq = seq};
    int r = b->ops->publish(b, &e, confirm, p);
    memset(id, '!', sizeof id); /* the bus has its copy */
    memset(data, '!', sizeof data);
    return r;
}

struct goal {
    const int32_t *count;
    int32_t want;
};
#define GOALS(...) ((const struct goal[]){__VA_ARGS__, {NULL, 0}})
#define PATIENCE_US (60 * US_PER_S)
#define QUIET_US (60 * US_PER_MS) /* in which what should not come would have come */

static bool reached(const struct goal *goals) {
    for (const struct goal *g = goals; g->count; g++)
        if (*g->count < g->want)
            return false;
    return true;
}

/* Lets the bus work, at NOW_US, until GOALS are reached and nothing more comes. */
static void settle(const struct bus_factory *f, struct bus *b, int64_t now_us,
                   const struct goal *goals) {
    int64_t until_us = clock_mono_us() + PATIENCE_US, reached_us = 0;
    b->ops->poll(b, now_us);
    while (f->wait && (!reached_us || clock_mono_us() - reached_us < QUIET_US)) {
        f->wait();
        b->ops->poll(b, now_us);
        if (!reached_us && reached(goals))
            reached_us = clock_mono_us();
        if (!reached_us && clock_mono_us() > until_us)
            break;
    }
    for (const struct goal *g = goals; g->count; g++)
        assert_int_equal(*g->count, g->want);
}

/* Lets time pass until GOALS are reached and nothing is due any more. */
static int64_t pass_time(const struct bus_factory *f, struct bus *b, int64_t now_us,
                         const struct goal *goals) {
    int64_t until_us = clock_mono_us() + PATIENCE_US;
    for (int i = 0; f->wait ? clock_mono_us() < until_us : i < 100000; i++) {
        int64_t next_us = b->ops->poll(b, now_us);
        if (next_us == 0 && (!f->wait || reached(goals))) {
            settle(f, b, now_us, goals);
            return now_us;
        }
        if (next_us == 0)
            f->wait();
        else
            now_us = next_us > now_us ? next_us : now_us + 1;
    }
    fail_msg("the bus never comes to rest");
    return 0;
}

static const char *const types_a[] = {"t.a", NULL};
static const char *const types_b[] = {"t.b", NULL};
static const char *const types_ab[] = {"t.a", "t.b", NULL};

static void fans_out(void **state) {
    const struct bus_factory *factory = *state;
    struct bus *b = factory->make();
    struct consumer *one = calloc(1, sizeof *one), *two = calloc(1, sizeof *two);
    struct publisher *p = calloc(1, sizeof *p);
    b->ops->subscribe(b, "one", types_a, deliver, one);
    b->ops->subscribe(b, "two", types_ab, deliver, two);
    assert_int_equal(put(b, p, 1, "t.a", "k"), 0);
    assert_int_equal(put(b, p, 2, "t.b", "k"), 0);
    assert_int_equal(put(b, p, 3, "t.nobody", "k"), 0);
    /* also what nobody asked for is confirmed */
    settle(factory, b, 1000000, GOALS({&one->count, 1}, {&two->count, 2}, {&p->count, 3}));
    assert_string_equal(two->got[1].type, "t.b");
    assert_string_equal(two->got[1].data, "[2]");
    assert_int_equal(two->got[1].seq, 2);
    b->ops->close(b);
    free(one), free(two), free(p);
}

/* A copy of everything there is to an event; what was absent stays so. */
struct keeper {
    char id[16], request_id[16], traceparent[TRACEPARENT_CHARS + 1], data[16];
    int64_t at_us;
    int32_t count, without;
};

static void keep(void *arg, struct bus_delivery *d) {
    struct keeper *k = arg;
    const struct event *e = d->event;
    k->count++;
    if (e->traceparent.p == NULL && e->request_id.p == NULL) {
        k->without++;
    } else {
        copy(k->id, sizeof k->id, e->id);
        copy(k->request_id, sizeof k->request_id, e->request_id);
        copy(k->traceparent, sizeof k->traceparent, e->traceparent);
        copy(k->data, sizeof k->data, e->data);
        k->at_us = e->at_us;
    }
    d->done(d, 0);
}

static void brings_all_of_an_event(void **state) {
    const struct bus_factory *factory = *state;
    struct bus *b = factory->make();
    struct keeper *k = calloc(1, sizeof *k);
    struct publisher *p = calloc(1, sizeof *p);
    struct str trace = STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    struct event e = {.id = STR("evt_1"),
                      .type = STR("t.a"),
                      .key = STR("k"),
                      .at_us = INT64_C(1790000000123456),
                      .request_id = STR("req_1"),
                      .traceparent = trace,
                      .data = STR("[1]"),
                      .seq = 1};
    b->ops->subscribe(b, "g", types_a, keep, k);
    assert_int_equal(b->ops->publish(b, &e, confirm, p), 0);
    assert_int_equal(put(b, p, 2, "t.a", "k"), 0);
    settle(factory, b, 1000000, GOALS({&k->count, 2}, {&k->without, 1}, {&p->count, 2}));
    assert_string_equal(k->id, "evt_1");
    assert_string_equal(k->request_id, "req_1");
    assert_string_equal(k->data, "[1]");
    assert_true(str_is(trace, k->traceparent) && k->at_us == e.at_us);
    b->ops->close(b);
    free(k), free(p);
}

static void is_given_until_acknowledged_and_not_after(void **state) {
    const struct bus_factory *factory = *state;
    struct bus *b = factory->make();
    struct consumer *quick = calloc(1, sizeof *quick), *slow = calloc(1, sizeof *slow);
    struct publisher *p = calloc(1, sizeof *p);
    b->ops->subscribe(b, "quick", types_a, deliver, quick);
    b->ops->subscribe(b, "slow", types_a, deliver, slow);
    slow->hold = true;
    put(b, p, 1, "t.a", "k");
    put(b, p, 2, "t.a", "other");
    int64_t now_us = 1000000;
    settle(factory, b, now_us, GOALS({&quick->count, 2}, {&slow->count, 2}));
    for (int i = 0; i < 20; i++, now_us += 1000000)
        b->ops->poll(b, now_us);
    settle(factory, b, now_us, GOALS({&quick->count, 2}, {&slow->count, 2}));
    release(slow, 0);
    pass_time(factory, b, now_us, GOALS({&quick->count, 2}, {&slow->count, 2}, {&p->count, 2}));
    b->ops->close(b);
    free(quick), free(slow), free(p);
}

static void redelivers_until_acknowledged(void **state) {
    const struct bus_factory *factory = *state;
    struct bus *b = factory->make();
    struct consumer *c = calloc(1, sizeof *c);
    struct publisher *p = calloc(1, sizeof *p);
    b->ops->subscribe(b, "g", types_a, deliver, c);
    b->ops->poll(b, 1000000);
    c->refuse = 40;
    put(b, p, 1, "t.a", "k");
    settle(factory, b, 1000000, GOALS({&c->count, 1}));
    int64_t next_us = b->ops->poll(b, 1000000), last_us = 1000000;
    assert_true(next_us > 1000000); /* not at once, and not never */
    b->ops->poll(b, next_us - 1);
    assert_int_equal(c->count, 1);
    for (int i = 2; i <= 41; i++) {
        assert_int_equal(c->count, i - 1);
        int64_t asked_us = next_us;
        next_us = b->ops->poll(b, asked_us);
        assert_int_equal(c->count, i);
        if (i <= 40) { /* waits grow, up to a bound */
            assert_true(next_us - asked_us >= asked_us - last_us || next_us - asked_us >= 1000000);
            assert_true(next_us - asked_us <= 60000000);
        }
        last_us = asked_us;
    }
    assert_int_equal(next_us, 0);
    settle(factory, b, last_us, GOALS({&c->count, 41}, {&p->count, 1}));
    b->ops->close(b);
    free(c), free(p);
}

static void keeps_order_per_key_when_refused(void **state) {
    const struct bus_factory *factory = *state;
    struct bus *b = factory->make();
    struct consumer *c = calloc(1, sizeof *c), *other = calloc(1, sizeof *other);
    struct publisher *p = calloc(1, sizeof *p);
    b->ops->subscribe(b, "g", types_a, deliver, c);
    b->ops->subscribe(b, "other", types_a, deliver, other);
    c->refuse = 1;
    c->refuse_key = "bad";
    put(b, p, 1, "t.a", "bad");
    for (int64_t seq = 2; seq <= 9; seq++)
        put(b, p, seq, "t.a", seq % 2 ? "bad" : "good");
    /* the good ones passed by; another group does not wait */
    settle(factory, b, 1, GOALS({&c->count, 1 + 4}, {&other->count, 9}));
    pass_time(factory, b, 1, GOALS({&c->acknowledged, 9}, {&p->count, 9}));
    int64_t last = 0;
    int32_t bad = 0;
    for (int32_t i = 1; i < c->count; i++) {
        if (strcmp(c->got[i].key, "bad") != 0)
            continue;
        assert_true(c->got[i].seq > last);
        last = c->got[i].seq;
        bad++;
    }
    assert_int_equal(bad, 5);
    b->ops->close(b);
    free(c), free(other), free(p);
}

/* Whatever is refused when: each is acknowledged once, in order per key, and confirmed once. */
static void at_least_once_by_seeds(void **state) {
    const struct bus_factory *factory = *state;
    for (uint64_t seed = 1; seed <= (uint64_t)factory->seeds; seed++) {
        struct bus *b = factory->make();
        struct consumer *c = calloc(1, sizeof *c), *d = calloc(1, sizeof *d);
        struct publisher *p = calloc(1, sizeof *p);
        struct rng r;
        rng_seed(&r, seed);
        c->rng = d->rng = &r;
        b->ops->subscribe(b, "c", types_ab, deliver, c);
        b->ops->subscribe(b, "d", types_b, deliver, d);
        int64_t now_us = 1;
        int32_t of_b = 0;
        for (int64_t seq = 1; seq <= 300; seq++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", (int)rng_below(&r, 12));
            bool is_b = rng_below(&r, 2) == 0;
            of_b += is_b;
            assert_int_equal(put(b, p, seq, is_b ? "t.b" : "t.a", key), 0);
            if (rng_below(&r, 5) == 0)
                b->ops->poll(b, now_us += rng_between(&r, 0, 50000));
        }
        pass_time(factory, b, now_us,
                  GOALS({&c->acknowledged, 300}, {&d->acknowledged, of_b}, {&p->count, 300}));
        bool seen[301] = {false};
        for (int i = 0; i < 300; i++) {
            assert_false(seen[p->confirmed[i]]);
            seen[p->confirmed[i]] = true;
        }
        for (int32_t i = 0; i < c->count; i++) /* a repeat only right of nothing newer */
            for (int32_t j = i + 1; j < c->count; j++)
                if (!strcmp(c->got[i].key, c->got[j].key))
                    assert_true(c->got[j].seq >= c->got[i].seq);
        b->ops->close(b);
        free(c), free(d), free(p);
    }
}

static void pushes_back(void **state) {
    const struct bus_factory *factory = *state;
    struct bus *b = factory->make();
    struct consumer *c = calloc(1, sizeof *c);
    struct publisher *p = calloc(1, sizeof *p);
    b->ops->subscribe(b, "g", types_a, deliver, c);
    c->hold = true;
    if (factory->block)
        factory->block(true);
    int32_t taken = 0;
    while (taken < LOG_MAX) {
        char key[16];
        snprintf(key, sizeof key, "k%d", taken);
        int r = put(b, p, taken + 1, "t.a", key);
        if (r != 0) {
            assert_int_equal(r, ERR_FULL);
            break;
        }
        taken++;
    }
    assert_int_equal(taken, factory->in_flight_max);
    assert_int_equal(put(b, p, 999999, "t.a", "more"), ERR_FULL);
    assert_int_equal(p->count, 0);
    if (factory->block)
        factory->block(false);
    release(c, 0);
    pass_time(factory, b, 1, GOALS({&c->count, taken}, {&p->count, taken}));
    assert_int_equal(put(b, p, 999999, "t.a", "more"), 0);
    settle(factory, b, 1, GOALS({&c->count, taken + 1}, {&p->count, taken + 1}));
    b->ops->close(b);
    free(c), free(p);
}

static void calls_from_within_calls(void **state) {
    const struct bus_factory *factory = *state;
    struct bus *b = factory->make();
    struct consumer *c = calloc(1, sizeof *c);
    struct publisher *p = calloc(1, sizeof *p);
    b->ops->subscribe(b, "g", types_a, deliver, c);
    p->bus = b;
    p->again = factory->rounds; /* a recursion this deep would end the stack */
    int32_t all = factory->rounds + 1;
    put(b, p, 1, "t.a", "chained");
    pass_time(factory, b, 1, GOALS({&p->count, all}, {&c->count, all}));
    /* a long queue behind one key that is let go at once */
    p->count = c->count = 0;
    c->hold = true;
    all = factory->in_flight_max / 2;
    for (int64_t seq = 1; seq <= all; seq++)
        assert_int_equal(put(b, p, seq, "t.a", "k"), 0);
    settle(factory, b, 1, GOALS({&c->held_count, 1}));
    release(c, 0);
    pass_time(factory, b, 1, GOALS({&p->count, all}, {&c->count, all}));
    for (int64_t i = 1; i < c->count; i++)
        assert_int_equal(c->got[i].seq, c->got[i - 1].seq + 1);
    b->ops->close(b);
    free(c), free(p);
}

static void replicas_share(void **state) {
    const struct bus_factory *factory = *state;
    struct bus *b = factory->make();
    struct consumer *c[3];
    struct publisher *p = calloc(1, sizeof *p);
    int32_t sum = 0;
    for (int i = 0; i < 3; i++) {
        c[i] = calloc(1, sizeof **c);
        c[i]->total = &sum;
        b->ops->subscribe(b, "replicated", types_a, deliver, c[i]);
    }
    for (int64_t seq = 1; seq <= 600; seq++) {
        char key[16];
        snprintf(key, sizeof key, "k%lld", (long long)(seq % 50));
        put(b, p, seq, "t.a", key);
    }
    /* one of them, not each of them */
    pass_time(factory, b, 1, GOALS({&sum, 600}, {&p->count, 600}));
    b->ops->close(b);
    for (int i = 0; i < 3; i++) {
        assert_true(c[i]->count > 0);
        free(c[i]);
    }
    free(p);
}

struct heard {
    int32_t count;
    char last[16];
};

static void on_signal(void *arg, struct str topic, const void *data, size_t len) {
    struct heard *s = arg;
    assert_true(str_starts(topic, "pos"));
    s->count++;
    copy(s->last, sizeof s->last, (struct str){data, len});
}

static void signals(void **state) {
    const struct bus_factory *factory = *state;
    struct bus *b = factory->make();
    struct heard one = {0}, two = {0}, other = {0};
    b->ops->listen(b, "position", on_signal, &one);
    b->ops->listen(b, "position", on_signal, &two);
    b->ops->listen(b, "posture", on_signal, &other);
    b->ops->signal(b, "position", "57.7", 4);
    b->ops->signal(b, "position", "57.8", 4);
    b->ops->signal(b, "nobody", "x", 1);
    b->ops->poll(b, 1);
    assert_true(one.count >= 1 && two.count >= 1);
    assert_string_equal(one.last, "57.8");
    assert_string_equal(two.last, "57.8");
    assert_int_equal(other.count, 0);
    b->ops->close(b);
}

/* A consumer with a thread of its own. */
struct remote {
    pthread_mutex_t lock;
    struct bus_delivery *inbox[LOG_MAX];
    int32_t count, taken;
    _Atomic int32_t acknowledged;
    bool stop;
    struct rng rng;
    int64_t last_seq[2][16]; /* by sender and key */
    bool disorder;
};

static void remote_deliver(void *arg, struct bus_delivery *d) {
    struct remote *r = arg;
    pthread_mutex_lock(&r->lock);
    if (r->count < LOG_MAX)
        r->inbox[r->count++] = d;
    pthread_mutex_unlock(&r->lock);
}

static void *remote_run(void *arg) {
    struct remote *r = arg;
    for (;;) {
        struct bus_delivery *d = NULL;
        pthread_mutex_lock(&r->lock);
        if (r->taken < r->count)
            d = r->inbox[r->taken++];
        bool stop = r->stop;
        pthread_mutex_unlock(&r->lock);
        if (!d && stop)
            return NULL;
        if (!d) {
            usleep(100);
            continue;
        }
        if (rng_below(&r->rng, 10) == 0) {
            d->done(d, ERR_BUSY);
            continue;
        }
        const char *key = d->event->key.p;
        int64_t *last = &r->last_seq[key[0] - '0'][key[1] - 'a'];
        if (d->event->seq <= *last)
            r->disorder = true;
        *last = d->event->seq;
        d->done(d, 0);
        r->acknowledged++;
    }
}

struct sender {
    struct bus *bus;
    pthread_t self;
    int64_t confirmed, now_us;
    bool wrong_thread;
    int32_t index;
};

static void sender_confirm(void *arg, int64_t seq, int result) {
    struct sender *s = arg;
    (void)seq, (void)result;
    s->confirmed++;
    if (!pthread_equal(pthread_self(), s->self))
        s->wrong_thread = true;
}

static void *sender_run(void *arg) {
    struct sender *s = arg;
    int64_t now_us = 1;
    s->self = pthread_self();
    for (int64_t seq = 1; seq <= 2000; seq++) {
        char key[3] = {(char)('0' + s->index), (char)('a' + seq % 13), 0};
        struct event e = {STR("evt_x"), STR("t.a"), str_from(key), 1,
                          STR_NONE,     STR_NONE,   STR("{}"),     seq};
        while (s->bus->ops->publish(s->bus, &e, sender_confirm, s) == ERR_FULL)
            s->bus->ops->poll(s->bus, now_us += 1000);
    }
    int64_t until_us = clock_mono_us() + PATIENCE_US;
    while (s->confirmed < 2000 && clock_mono_us() < until_us) {
        s->bus->ops->poll(s->bus, now_us += 1000);
        usleep(50);
    }
    s->now_us = now_us;
    return NULL;
}

static void count_wake(void *arg) {
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static void across_threads(void **state) {
    const struct bus_factory *factory = *state;
    struct bus *b = factory->make();
    _Atomic int wakes = 0;
    if (b->ops->on_ready)
        b->ops->on_ready(b, count_wake, &wakes);
    struct remote *r[2];
    struct sender s[2] = {{.bus = b, .index = 0}, {.bus = b, .index = 1}};
    pthread_t consumers[2], senders[2];
    static const char *const groups[] = {"near", "far"};
    for (int i = 0; i < 2; i++) {
        r[i] = calloc(1, sizeof **r);
        pthread_mutex_init(&r[i]->lock, NULL);
        rng_seed(&r[i]->rng, (uint64_t)i + 1);
        b->ops->subscribe(b, groups[i], types_a, remote_deliver, r[i]);
    }
    for (int i = 0; i < 2; i++)
        pthread_create(&consumers[i], NULL, remote_run, r[i]);
    for (int i = 0; i < 2; i++)
        pthread_create(&senders[i], NULL, sender_run, &s[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(senders[i], NULL);
    int64_t until_us = clock_mono_us() + PATIENCE_US, now_us = s[0].now_us;
    while ((r[0]->acknowledged < 4000 || r[1]->acknowledged < 4000) && clock_mono_us() < until_us) {
        b->ops->poll(b, now_us += 1000);
        usleep(50);
    }
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&r[i]->lock);
        r[i]->stop = true;
        pthread_mutex_unlock(&r[i]->lock);
        pthread_join(consumers[i], NULL);
        assert_int_equal(s[i].confirmed, 2000);
        assert_false(s[i].wrong_thread);
        assert_false(r[i]->disorder);
        assert_int_equal(r[i]->acknowledged, 4000);
        free(r[i]);
    }
    if (b->ops->on_ready) {
        assert_true(wakes > 0); /* whoever acknowledged woke whoever waited for the confirm */
        b->ops->on_ready(b, NULL, &wakes);
    }
    b->ops->close(b);
}

int bus_contract(const struct bus_factory *f) {
#define TEST(name) cmocka_unit_test_prestate(name, (void *)(uintptr_t)f)
    const struct CMUnitTest tests[] = {
        TEST(fans_out),
        TEST(brings_all_of_an_event),
        TEST(is_given_until_acknowledged_and_not_after),
        TEST(redelivers_until_acknowledged),
        TEST(keeps_order_per_key_when_refused),
        TEST(at_least_once_by_seeds),
        TEST(pushes_back),
        TEST(calls_from_within_calls),
        TEST(replicas_share),
        TEST(signals),
        TEST(across_threads),
    };
    return cmocka_run_group_tests_name(f->name, tests, NULL, NULL);
}
