/* The bus on a real RabbitMQ: the contract, then what is its own. */
#include "broker.h"
#include "contract.h"

#include "adapters/amqp/dead_letters.h"
#include "adapters/inproc/inproc_signals.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct broker *broker;
static const struct log quiet = {LOG_WARN, 2, "test"};

/* At URI. No two with one prefix unless they are to meet. */
static struct bus *open_at(const char *prefix, const char *uri, const char *ca_file,
                           const struct amqp_group *groups, int32_t group_count) {
    struct arena a;
    struct bus *b;
    struct str why;
    arena_init(&a, 256);
    int err = amqp_bus_new(&(struct amqp_options){.uri = uri,
                                                  .ca_file = ca_file,
                                                  .prefix = prefix,
                                                  .groups = groups,
                                                  .group_count = group_count,
                                                  .signals = inproc_signals_new(),
                                                  .log = &quiet},
                           &a, &b, &why);
    assert_int_equal(err, 0);
    arena_free(&a);
    return b;
}

/* On HOSTS, or on the broker's own. */
static struct bus *open_bus(const char *prefix, const char *hosts, const struct amqp_group *groups,
                            int32_t group_count) {
    char uri[128], own[32];
    snprintf(own, sizeof(own), "127.0.0.1:%d", broker_port(broker));
    snprintf(uri, sizeof(uri), "amqp://guest:guest@%s/%%2f", hosts ? hosts : own);
    return open_at(prefix, uri, NULL, groups, group_count);
}

static const char *fresh_prefix(void) {
    static char prefixes[256][16];
    static int count;
    assert_true(count < 256);
    snprintf(prefixes[count], sizeof(prefixes[0]), "t%d", count);
    return prefixes[count++];
}

static struct bus *make(void) {
    return open_bus(fresh_prefix(), NULL, NULL, 0);
}

static void wait_a_little(void) {
    usleep(300);
}

static void block(bool on) {
    broker_pause(broker, on);
}

/* ---- what stands for an outbox, and for services ---- */

#define EVENTS_MAX 8192
#define TRACE STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
#define PATIENCE_US (90 * US_PER_S)
static const char *const types[] = {"t.a", NULL};

struct outbox {
    struct bus *bus;
    int32_t count; /* events 1..count are to be published */
    int32_t confirmed, errors;
    enum { WAITS, FLIES, SAFE } state[EVENTS_MAX + 1];
};

struct ears {
    int32_t count, distinct;
    int32_t times[EVENTS_MAX + 1];
    struct bus_delivery *held[AMQP_PREFETCH];
    int32_t held_count;
    bool hold;
    int64_t faulty_seq; /* this one is refused with `fault` */
    int fault, faults;
};

static void on_confirm(void *arg, int64_t seq, int result) {
    struct outbox *o = arg;
    assert_int_equal(o->state[seq], FLIES);
    o->state[seq] = result == 0 ? SAFE : WAITS;
    o->confirmed += result == 0;
    o->errors += result != 0;
}

static int put(struct outbox *o, int64_t seq, const char *type) {
    char id[32], key[16], data[48];
    snprintf(id, sizeof(id), "evt_%lld", (long long)seq);
    snprintf(key, sizeof(key), "k%lld", (long long)seq % 64);
    snprintf(data, sizeof(data), "{\"seq\":%lld}", (long long)seq);
    struct event e = {str_from(id), str_from(type), str_from(key),  seq,
                      STR("req"),   TRACE,          str_from(data), seq};
    return o->bus->ops->publish(o->bus, &e, on_confirm, o);
}

/* As the pump does: what was not confirmed is published again. */
static void pump(struct outbox *o) {
    for (int32_t seq = 1; seq <= o->count; seq++) {
        if (o->state[seq] != WAITS)
            continue;
        o->state[seq] = FLIES;
        if (put(o, seq, "t.a") < 0) {
            o->state[seq] = WAITS;
            break;
        }
    }
    o->bus->ops->poll(o->bus, clock_wall_us());
}

static void hear(void *arg, struct bus_delivery *d) {
    struct ears *e = arg;
    int64_t seq = d->event->seq;
    assert_in_range(seq, 1, EVENTS_MAX);
    assert_true(str_is(d->event->request_id, "req") && str_eq(d->event->traceparent, TRACE));
    e->count++;
    e->distinct += e->times[seq]++ == 0;
    if (e->hold) {
        e->held[e->held_count++] = d;
    } else if (seq == e->faulty_seq) {
        e->faults++;
        d->done(d, e->fault);
    } else {
        d->done(d, 0);
    }
}

static struct outbox *outbox_new(struct bus *b, int32_t count) {
    struct outbox *o = calloc(1, sizeof(*o));
    o->bus = b;
    o->count = count;
    return o;
}

/* Pumps O, and polls OTHER (NULL: nobody), until *COUNT is WANT. */
static void pump_until(struct outbox *o, struct bus *other, const int32_t *count, int32_t want) {
    int64_t until_us = clock_mono_us() + PATIENCE_US;
    while (*count < want) {
        if (clock_mono_us() > until_us)
            fail_msg("%d of %d; confirmed %d of %d", *count, want, o->confirmed, o->count);
        pump(o);
        if (other)
            other->ops->poll(other, clock_wall_us());
        usleep(500);
    }
}

static struct amqp_bus_stats stats_of(struct bus *b) {
    struct amqp_bus_stats s;
    amqp_bus_stats(b, &s);
    return s;
}

struct letters {
    int32_t count;
    enum dead_letter_fate fate;
    const char *only; /* its id; the others stay */
    char first_id[32], reason[32];
    int64_t deaths, died_us;
};

static enum dead_letter_fate see_letter(void *arg, const struct dead_letter *l) {
    struct letters *s = arg;
    if (s->count++ == 0) {
        snprintf(s->first_id, sizeof(s->first_id), "%.*s", STR_ARG(l->event.id));
        snprintf(s->reason, sizeof(s->reason), "%.*s", STR_ARG(l->reason));
        s->deaths = l->deaths;
        s->died_us = l->died_us;
    }
    assert_string_equal(l->group, "g");
    return s->only && !str_is(l->event.id, s->only) ? DEAD_LETTER_KEEP : s->fate;
}

static int32_t walk_letters(const char *prefix, int32_t limit, struct letters *s) {
    char uri[64];
    struct arena a;
    struct str why = STR_NONE;
    s->count = 0;
    snprintf(uri, sizeof(uri), "amqp://127.0.0.1:%d", broker_port(broker));
    arena_init(&a, 1024);
    int err = dead_letters_walk(&(struct amqp_options){.uri = uri, .prefix = prefix}, "g", limit,
                                see_letter, s, &a, &why);
    if (err < 0)
        fail_msg("%.*s", STR_ARG(why));
    arena_free(&a);
    return s->count;
}

static void await_connection(struct bus *b) {
    int64_t until_us = clock_mono_us() + PATIENCE_US;
    while (!stats_of(b).connected && clock_mono_us() < until_us) {
        b->ops->poll(b, clock_wall_us());
        usleep(1000);
    }
    assert_true(stats_of(b).connected);
}

/* ---- the broker fails ---- */

/* Publishes COUNT events; FAULT happens while two thirds are on their way. Nothing may be lost. */
static void survive(void (*fault)(void), int32_t count) {
    struct bus *b = make();
    struct outbox *o = outbox_new(b, count);
    struct ears *e = calloc(1, sizeof(*e));
    b->ops->subscribe(b, "g", types, hear, e);
    o->count = count / 3;
    pump_until(o, NULL, &o->confirmed, o->count);
    sleep(2); /* a broker killed within a moment of a queue's making has a queue that is broken */
    o->count = count;
    pump(o); /* the rest is on its way, or about to be */
    fault();
    pump_until(o, NULL, &o->confirmed, count);
    pump_until(o, NULL, &e->distinct, count);
    await_connection(b);
    assert_int_equal(stats_of(b).in_flight, 0);
    b->ops->close(b);
    free(o), free(e);
}

static void kill_and_restart(void) {
    broker_kill(broker);
    broker_start(broker);
}
static void broker_killed(void **state) {
    (void)state;
    survive(kill_and_restart, 4000);
}

static void stop_and_restart(void) {
    broker_stop(broker);
    broker_start(broker);
}
static void broker_stopped(void **state) {
    (void)state;
    survive(stop_and_restart, 4000);
}

static void pause_short(void) {
    broker_pause(broker, true);
    sleep(2);
    broker_pause(broker, false);
}
static void broker_paused(void **state) {
    (void)state;
    survive(pause_short, 4000);
}

static void close_connections(void) {
    assert_int_equal(BROKER_CTL(broker, "close_all_connections", "a test"), 0);
}
static void connections_closed(void **state) {
    (void)state;
    survive(close_connections, 4000);
}

/* A consumer that is done when the connection that brought the event has gone: nobody is told, the
 * event comes once more, in its turn, and no other is taken for acknowledged. */
static void done_too_late(void **state) {
    (void)state;
    struct bus *b = make();
    struct outbox *o =
        outbox_new(b, 130); /* of keys k1 and k2 there are three, of the others two */
    struct ears *e = calloc(1, sizeof(*e));
    b->ops->subscribe(b, "g", types, hear, e);
    e->hold = true;
    pump_until(o, NULL, &o->confirmed, 130);
    pump_until(o, NULL, &e->held_count, 64);
    close_connections();
    while (stats_of(b).reconnects < 2)
        usleep(1000);
    await_connection(b);
    int64_t until_us = clock_mono_us() + PATIENCE_US;
    while (stats_of(b).unacknowledged < 64 + 130 && clock_mono_us() < until_us) {
        b->ops->poll(b, clock_wall_us());
        usleep(1000);
    }
    assert_int_equal(stats_of(b).unacknowledged, 64 + 130);
    assert_int_equal(e->count, 64); /* of each key the first is still in hand */
    e->hold = false;
    for (int32_t i = 0; i < e->held_count; i++)
        e->held[i]->done(e->held[i], i % 2 ? ERR_BUSY : 0);
    pump_until(o, NULL, &e->count, 64 + 130);
    assert_int_equal(e->distinct, 130);
    usleep(200000);
    b->ops->poll(b, clock_wall_us());
    assert_int_equal(e->count, 64 + 130);
    assert_int_equal(stats_of(b).unacknowledged, 0);
    assert_int_equal(stats_of(b).reconnects, 2); /* no answer went to a connection it is not of */
    b->ops->close(b);
    free(o), free(e);
}

/* A broker that neither answers nor closes: heartbeats find it out. Until then, and after, publish
 * takes what it has room for and no more. */
static void broker_hangs(void **state) {
    (void)state;
    struct bus *b = make();
    struct outbox *o = outbox_new(b, AMQP_IN_FLIGHT_MAX + 500);
    struct ears *e = calloc(1, sizeof(*e));
    b->ops->subscribe(b, "g", types, hear, e);
    int32_t all = o->count;
    o->count = 10;
    pump_until(o, NULL, &e->distinct, 10);
    pump_until(o, NULL, &o->confirmed, 10);
    broker_pause(broker, true);
    o->count = all;
    pump(o);
    assert_int_equal(stats_of(b).in_flight, AMQP_IN_FLIGHT_MAX);
    assert_int_equal(put(o, all, "t.a"), ERR_FULL);
    int64_t until_us = clock_mono_us() + AMQP_HEARTBEAT_S * (4 * US_PER_S);
    while (o->errors == 0 && clock_mono_us() < until_us) {
        b->ops->poll(b, clock_wall_us());
        usleep(10000);
    }
    assert_true(o->errors > 0); /* what hung is said to have failed, and goes again */
    assert_false(stats_of(b).connected);
    assert_int_equal(e->distinct, 10);
    broker_pause(broker, false);
    pump_until(o, NULL, &e->distinct, all);
    pump_until(o, NULL, &o->confirmed, all);
    b->ops->close(b);
    free(o), free(e);
}

/* A broker that is short of memory takes nothing in. What it has it gives out all the same, and
 * what was to be published waits. */
static void broker_short_of_memory(void **state) {
    (void)state;
    struct bus *b = make();
    struct outbox *o = outbox_new(b, 3000);
    struct ears *e = calloc(1, sizeof(*e));
    b->ops->subscribe(b, "g", types, hear, e);
    e->hold = true;
    o->count = 100;
    pump_until(o, NULL, &o->confirmed, 100);
    pump_until(o, NULL, &e->held_count, 64); /* one of each key */
    assert_int_equal(BROKER_CTL(broker, "set_vm_memory_high_watermark", "0.00001"), 0);
    o->count = 3000;
    for (int i = 0; i < 500; i++) {
        pump(o);
        usleep(1000);
    }
    assert_in_range(o->confirmed, 100, 2900);
    e->hold = false;
    for (int32_t i = 0; i < e->held_count; i++)
        e->held[i]->done(e->held[i], 0);
    pump_until(o, NULL, &e->distinct, 100);
    assert_in_range(o->confirmed, 100, 2900);
    assert_int_equal(BROKER_CTL(broker, "set_vm_memory_high_watermark", "0.4"), 0);
    pump_until(o, NULL, &e->distinct, 3000);
    pump_until(o, NULL, &o->confirmed, 3000);
    b->ops->close(b);
    free(o), free(e);
}

static void second_host_serves(void **state) {
    (void)state;
    char hosts[64];
    snprintf(hosts, sizeof(hosts), "127.0.0.1:%d,127.0.0.1:%d", free_port(), broker_port(broker));
    for (int i = 0; i < 3; i++) { /* it begins with any of them */
        struct bus *b = open_bus(fresh_prefix(), hosts, NULL, 0);
        struct outbox *o = outbox_new(b, 10);
        struct ears *e = calloc(1, sizeof(*e));
        b->ops->subscribe(b, "g", types, hear, e);
        pump_until(o, NULL, &e->distinct, 10);
        b->ops->close(b);
        free(o), free(e);
    }
}

/* Nobody there, or nobody who lets us in: publish fills up, and the end comes at once. */
static void nobody_there(void **state) {
    (void)state;
    char nobody[32], denied[64];
    snprintf(nobody, sizeof(nobody), "127.0.0.1:%d", free_port());
    snprintf(denied, sizeof(denied), "wrong:%d,127.0.0.1:%d", free_port(), free_port());
    const char *const hosts[] = {nobody, denied};
    for (int i = 0; i < 2; i++) {
        struct bus *b = open_bus(fresh_prefix(), hosts[i], NULL, 0);
        struct outbox *o = outbox_new(b, AMQP_IN_FLIGHT_MAX + 1);
        pump(o);
        assert_int_equal(put(o, 1, "t.a"), ERR_FULL);
        assert_false(stats_of(b).connected);
        int64_t began_us = clock_mono_us();
        b->ops->close(b);
        assert_true(clock_mono_us() - began_us < 20 * US_PER_S);
        free(o);
    }
}

/* What docs/operations.md tells an operator to permit is enough. A wrong password is not. */
static void least_permissions(void **state) {
    (void)state;
    char uri[128];
    BROKER_CTL(broker, "add_vhost", "house/1");
    assert_int_equal(BROKER_CTL(broker, "add_user", "lorry", "p@ss:word"), 0);
    assert_int_equal(BROKER_CTL(broker, "set_permissions", "-p", "house/1", "lorry", "^lorry\\.",
                                "^(lorry\\.|amq\\.default$)", "^lorry\\."),
                     0);
    snprintf(uri, sizeof(uri), "amqp://lorry:p%%40ss:word@127.0.0.1:%d/house%%2F1",
             broker_port(broker));
    struct bus *b = open_at(NULL, uri, NULL, NULL, 0);
    struct outbox *o = outbox_new(b, 10);
    struct ears *e = calloc(1, sizeof(*e));
    e->faulty_seq = 3;
    e->fault = ERR_INVALID;
    b->ops->subscribe(b, "g", types, hear, e);
    pump_until(o, NULL, &e->distinct, 10);
    pump_until(o, NULL, &e->faults, AMQP_ATTEMPTS_MAX);
    struct arena a;
    struct str why = STR_NONE;
    struct letters s = {.fate = DEAD_LETTER_REPLAY};
    struct amqp_options options = {.uri = uri};
    arena_init(&a, 1024);
    e->faulty_seq = 0;
    int64_t until_us = clock_mono_us() + PATIENCE_US;
    while (s.count == 0 && clock_mono_us() < until_us)
        assert_int_equal(dead_letters_walk(&options, "g", 9, see_letter, &s, &a, &why), 0);
    pump_until(o, NULL, &e->times[3], AMQP_ATTEMPTS_MAX + 1);
    snprintf(uri, sizeof(uri), "amqp://lorry:wrong@127.0.0.1:%d/house%%2F1", broker_port(broker));
    assert_int_equal(dead_letters_walk(&options, "g", 9, see_letter, &s, &a, &why), ERR_DENIED);
    assert_non_null(strstr(why.p, "ACCESS_REFUSED"));
    assert_null(strstr(why.p, "wrong"));
    arena_free(&a);
    b->ops->close(b);
    free(o), free(e);
}

/* A broker whose certificate nobody vouches for, or which is another's, is not talked to. */
static void tls(void **state) {
    (void)state;
    char uri[64], other[64];
    struct arena a;
    struct str why = STR_NONE;
    struct letters s = {0};
    snprintf(uri, sizeof(uri), "amqps://localhost:%d", broker_tls_port(broker));
    snprintf(other, sizeof(other), "amqps://127.0.0.1:%d", broker_tls_port(broker));
    arena_init(&a, 1024);
    const char *ca = broker_certificate(broker);
    assert_true(dead_letters_walk(&(struct amqp_options){.uri = uri}, "g", 9, see_letter, &s, &a,
                                  &why) < 0);
    assert_true(dead_letters_walk(&(struct amqp_options){.uri = other, .ca_file = ca}, "g", 9,
                                  see_letter, &s, &a, &why) < 0);
    struct bus *b = open_at(fresh_prefix(), uri, ca, NULL, 0);
    struct outbox *o = outbox_new(b, 3000);
    struct ears *e = calloc(1, sizeof(*e));
    b->ops->subscribe(b, "g", types, hear, e);
    pump_until(o, NULL, &e->distinct, 3000);
    pump_until(o, NULL, &o->confirmed, 3000);
    b->ops->close(b);
    arena_free(&a);
    free(o), free(e);
}

/* ---- groups ---- */

/* Two processes of one group share; what one has in hand when it dies the other gets. */
static void replicas_take_over(void **state) {
    (void)state;
    const char *prefix = fresh_prefix();
    struct bus *one = open_bus(prefix, NULL, NULL, 0), *two = open_bus(prefix, NULL, NULL, 0);
    struct ears *e1 = calloc(1, sizeof(*e1)), *e2 = calloc(1, sizeof(*e2));
    one->ops->subscribe(one, "g", types, hear, e1);
    two->ops->subscribe(two, "g", types, hear, e2);
    struct outbox *o = outbox_new(one, 0);
    await_connection(one);
    await_connection(two);
    e2->hold = true; /* it takes, and does not finish */
    o->count = 600;
    pump_until(o, two, &o->confirmed, 600);
    pump_until(o, two, &e2->held_count, 1);
    int32_t held = e2->held_count;
    two->ops->close(two);
    pump_until(o, NULL, &e1->distinct, 600);
    assert_true(held > 0 && e2->count == held);
    one->ops->close(one);
    free(o), free(e1), free(e2);
}

/* An event does not wait for its consumer's first start. */
static void queue_before_consumer(void **state) {
    (void)state;
    const char *prefix = fresh_prefix();
    const struct amqp_group groups[] = {{"late", types}};
    struct bus *b = open_bus(prefix, NULL, groups, 1);
    struct outbox *o = outbox_new(b, 20);
    pump_until(o, NULL, &o->confirmed, 20);
    assert_int_equal(stats_of(b).returned, 0);
    struct bus *late = open_bus(prefix, NULL, groups, 1);
    struct ears *e = calloc(1, sizeof(*e));
    late->ops->subscribe(late, "late", types, hear, e);
    pump_until(o, late, &e->distinct, 20);
    late->ops->close(late);
    b->ops->close(b);
    free(o), free(e);
}

/* What a group wanted in an earlier version, and does not want now, stays away from it. */
static void old_bindings_go(void **state) {
    (void)state;
    static const char *const both[] = {"t.a", "t.b", NULL};
    static const char *const only_b[] = {"t.b", NULL};
    const char *prefix = fresh_prefix();
    struct bus *b = open_bus(prefix, NULL, NULL, 0);
    struct outbox *o = outbox_new(b, 1);
    struct ears *e = calloc(1, sizeof(*e));
    b->ops->subscribe(b, "g", both, hear, e);
    pump_until(o, NULL, &e->distinct, 1);
    b->ops->close(b);
    /* the next version; somebody else still wants the type */
    const struct amqp_group groups[] = {{"g", only_b}, {"other", types}};
    b = open_bus(prefix, NULL, groups, 2);
    b->ops->subscribe(b, "g", only_b, hear, e);
    o->bus = b;
    await_connection(b);
    o->count = 3;
    pump_until(o, NULL, &o->confirmed, 3);
    o->state[4] = FLIES;
    assert_int_equal(put(o, 4, "t.b"), 0);
    pump_until(o, NULL, &e->times[4], 1);
    assert_int_equal(e->times[2] + e->times[3], 0);
    b->ops->close(b);
    free(o), free(e);
}

/* Somebody deletes a queue while all are connected: an event for it is not taken for delivered. */
static void deleted_queue_comes_back(void **state) {
    (void)state;
    const char *prefix = fresh_prefix();
    char queue[32];
    struct bus *b = open_bus(prefix, NULL, NULL, 0);
    struct outbox *o = outbox_new(b, 5);
    struct ears *e = calloc(1, sizeof(*e));
    b->ops->subscribe(b, "g", types, hear, e);
    pump_until(o, NULL, &e->distinct, 5);
    snprintf(queue, sizeof(queue), "%s.g", prefix);
    assert_int_equal(BROKER_CTL(broker, "delete_queue", queue), 0);
    o->count = 50;
    pump_until(o, NULL, &e->distinct, 50);
    pump_until(o, NULL, &o->confirmed, 50);
    b->ops->close(b);
    free(o), free(e);
}

/* ---- what cannot be consumed ---- */

/* An event that is itself at fault is put aside after some tries, and its key goes on. */
static void poison_is_put_aside(void **state) {
    (void)state;
    struct bus *b = make();
    struct outbox *o = outbox_new(b, 200);
    struct ears *e = calloc(1, sizeof(*e));
    b->ops->subscribe(b, "g", types, hear, e);
    e->faulty_seq = 64; /* key k0, as 128 and 192 behind it */
    e->fault = ERR_INVALID;
    pump_until(o, NULL, &e->distinct, 200);
    assert_int_equal(e->faults, AMQP_ATTEMPTS_MAX);
    assert_int_equal(stats_of(b).dead_lettered, 1);
    assert_int_equal(e->times[192], 1);
    /* a world that is not ready is another thing */
    e->faulty_seq = 201;
    e->fault = ERR_UNAVAILABLE;
    e->faults = 0;
    o->count = 201;
    pump_until(o, NULL, &e->faults, AMQP_ATTEMPTS_MAX + 2);
    e->faulty_seq = 0;
    pump_until(o, NULL, &e->times[201], AMQP_ATTEMPTS_MAX + 3);
    assert_int_equal(stats_of(b).dead_lettered, 1);
    b->ops->close(b);
    free(o), free(e);
}

/* An event that ends its consumers each time is put aside by the broker, which outlives them. */
static void killer_is_put_aside(void **state) {
    (void)state;
    const char *prefix = fresh_prefix();
    struct ears *e = calloc(1, sizeof(*e));
    struct outbox *o = NULL;
    for (int i = 0; i < AMQP_DELIVERIES_MAX; i++) {
        struct bus *b = open_bus(prefix, NULL, NULL, 0);
        if (!o)
            o = outbox_new(b, 1);
        o->bus = b;
        e->hold = true; /* it takes it, and is gone */
        e->held_count = 0;
        b->ops->subscribe(b, "g", types, hear, e);
        pump_until(o, NULL, &e->held_count, 1);
        pump_until(o, NULL, &o->confirmed, 1);
        b->ops->close(b);
    }
    struct letters s = {0};
    int64_t until_us = clock_mono_us() + PATIENCE_US;
    while (walk_letters(prefix, 10, &s) < 1 && clock_mono_us() < until_us)
        usleep(10000);
    assert_string_equal(s.first_id, "evt_1");
    assert_string_equal(s.reason, "delivery_limit");
    assert_int_equal(e->count, AMQP_DELIVERIES_MAX);
    free(o), free(e);
}

/* Somebody else's client. */
static amqp_connection_state_t raw_connect(void) {
    amqp_connection_state_t c = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(c);
    assert_int_equal(amqp_socket_open(socket, "127.0.0.1", broker_port(broker)), 0);
    assert_int_equal(
        amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type,
        AMQP_RESPONSE_NORMAL);
    assert_non_null(amqp_channel_open(c, 1));
    return c;
}

static void raw_put(amqp_connection_state_t c, const char *queue, const char *id, const char *type,
                    bool key, amqp_bytes_t body) {
    amqp_table_entry_t headers[] = {
        {.key = amqp_cstring_bytes("key"),
         .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("k")}},
        {.key = amqp_cstring_bytes("seq"),
         .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("no number")}}};
    amqp_basic_properties_t p = {0};
    if (id) {
        p._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        p.message_id = amqp_cstring_bytes(id);
    }
    if (type) {
        p._flags |= AMQP_BASIC_TYPE_FLAG;
        p.type = amqp_cstring_bytes(type);
    }
    if (key) {
        p._flags |= AMQP_BASIC_HEADERS_FLAG;
        p.headers = (amqp_table_t){2, headers};
    }
    assert_int_equal(
        amqp_basic_publish(c, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 0, 0, &p, body), 0);
}

static int32_t messages_in(amqp_connection_state_t c, const char *queue) {
    amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(c, 1, amqp_cstring_bytes(queue), 1, 0, 0, 0, amqp_empty_table);
    assert_non_null(ok);
    return (int32_t)ok->message_count;
}

/* Whatever lies in our queue, it neither stops us nor is it lost. */
static void not_events(void **state) {
    (void)state;
    const char *prefix = fresh_prefix();
    char queue[32], dead[40];
    snprintf(queue, sizeof(queue), "%s.g", prefix);
    snprintf(dead, sizeof(dead), "%s.g.dead", prefix);
    struct bus *b = open_bus(prefix, NULL, NULL, 0);
    struct outbox *o = outbox_new(b, 5);
    struct ears *e = calloc(1, sizeof(*e));
    b->ops->subscribe(b, "g", types, hear, e);
    pump_until(o, NULL, &e->distinct, 5);
    amqp_connection_state_t c = raw_connect();
    const size_t large = (size_t)10 << 20;
    char *huge = calloc(1, large);
    raw_put(c, queue, NULL, NULL, false, amqp_empty_bytes);
    raw_put(c, queue, "id", NULL, true, amqp_cstring_bytes("{}"));
    raw_put(c, queue, "id", "t.a", false, amqp_cstring_bytes("{}"));
    raw_put(c, queue, "\xff\xfe", "t.a", true, amqp_cstring_bytes("{}"));
    raw_put(c, queue, "id", "t.a", true, (amqp_bytes_t){large, huge});
    raw_put(c, queue, "id", "t.unknown", true, amqp_cstring_bytes("{}"));
    o->count = 50;
    pump_until(o, NULL, &e->distinct, 50);
    int64_t until_us = clock_mono_us() + PATIENCE_US;
    while (messages_in(c, dead) < 6 && clock_mono_us() < until_us)
        usleep(10000);
    assert_int_equal(messages_in(c, dead), 6);
    assert_int_equal(messages_in(c, queue), 0);
    assert_int_equal(e->count, 50);
    free(huge);
    amqp_destroy_connection(c);
    b->ops->close(b);
    free(o), free(e);
}

/* ---- dead letters ---- */

static void await_letters(const char *prefix, int32_t count) {
    struct letters s = {.fate = DEAD_LETTER_KEEP};
    int64_t until_us = clock_mono_us() + PATIENCE_US;
    while (walk_letters(prefix, count + 1, &s) < count && clock_mono_us() < until_us)
        usleep(10000);
    assert_int_equal(s.count, count);
}

/* Each event is refused as being at fault while FAULT is set. */
static void hear_faulty(void *arg, struct bus_delivery *d) {
    struct ears *e = arg;
    e->count++;
    if (e->fault == 0)
        e->distinct += e->times[d->event->seq]++ == 0;
    d->done(d, e->fault);
}

static void dead_letters(void **state) {
    (void)state;
    const char *prefix = fresh_prefix();
    struct letters s = {0};
    assert_int_equal(walk_letters(prefix, 100, &s), 0); /* there is no such queue yet */
    struct bus *b = open_bus(prefix, NULL, NULL, 0);
    struct outbox *o = outbox_new(b, 10);
    struct ears *e = calloc(1, sizeof(*e));
    e->fault = ERR_CORRUPT;
    b->ops->subscribe(b, "g", types, hear_faulty, e);
    pump_until(o, NULL, &e->count, 10 * AMQP_ATTEMPTS_MAX);
    await_letters(prefix, 10);
    assert_int_equal(walk_letters(prefix, 100, &s), 10); /* looking changes nothing */
    assert_int_equal(walk_letters(prefix, 3, &s), 3);
    assert_string_equal(s.reason, "rejected");
    assert_int_equal(s.deaths, 1);
    assert_true(s.died_us > clock_wall_us() - PATIENCE_US);
    /* one goes back, and is at fault again: it has died twice by then */
    char id[32];
    snprintf(id, sizeof(id), "%s", s.first_id);
    s.only = id;
    s.fate = DEAD_LETTER_REPLAY;
    walk_letters(prefix, 100, &s);
    pump_until(o, NULL, &e->count, 11 * AMQP_ATTEMPTS_MAX);
    await_letters(prefix, 10);
    /* one is dropped; the rest goes back when the fault is mended */
    s.only = "evt_5";
    s.fate = DEAD_LETTER_DROP;
    assert_int_equal(walk_letters(prefix, 100, &s), 10);
    e->fault = 0;
    s.only = NULL;
    s.fate = DEAD_LETTER_REPLAY;
    assert_int_equal(walk_letters(prefix, 100, &s), 9);
    pump_until(o, NULL, &e->distinct, 9);
    assert_int_equal(e->times[5], 0);
    assert_int_equal(walk_letters(prefix, 100, &s), 0);
    b->ops->close(b);
    free(o), free(e);
}

/* Runs `lorry dead-letters ARGS`. Returns its exit status; OUT has what it wrote. */
static int lorry(const char *args, char out[4096]) {
    char command[512];
    snprintf(command, sizeof(command),
             "LORRY_BUS=amqp://guest:guest@127.0.0.1:%d '%s' dead-letters %s 2>&1",
             broker_port(broker), getenv("LORRY"), args);
    FILE *f = popen(command, "r"); // NOLINT(cert-env33-c): a test's own words
    assert_non_null(f);
    out[fread(out, 1, 4095, f)] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void dead_letters_by_command(void **state) {
    (void)state;
    char out[4096];
    if (getenv("LORRY") == NULL)
        skip();
    assert_int_equal(lorry("list", out), 0);
    assert_string_equal(out, "There are no dead letters.\n");
    struct bus *b = open_bus(NULL, NULL, NULL, 0);
    struct outbox *o = outbox_new(b, 2);
    struct ears *e = calloc(1, sizeof(*e));
    e->fault = ERR_INVALID;
    b->ops->subscribe(b, "booking", types, hear_faulty, e);
    pump_until(o, NULL, &e->count, 2 * AMQP_ATTEMPTS_MAX);
    int64_t until_us = clock_mono_us() + PATIENCE_US;
    do {
        assert_int_equal(lorry("list", out), 0);
    } while ((!strstr(out, "evt_1 ") || !strstr(out, "evt_2 ")) && clock_mono_us() < until_us);
    assert_non_null(strstr(out, "booking"));
    assert_non_null(strstr(out, "rejected"));
    assert_int_equal(lorry("list --json --group booking", out), 0);
    assert_non_null(strstr(out, "\"id\":\"evt_1\",\"type\":\"t.a\",\"key\":\"k1\","
                                "\"group\":\"booking\",\"reason\":\"rejected\",\"deaths\":1,"));
    assert_int_equal(lorry("list --group auth", out), 0);
    assert_string_equal(out, "There are no dead letters.\n");
    assert_int_equal(lorry("show evt_2", out), 0);
    assert_non_null(strstr(out, "{\"seq\":2}"));
    assert_int_equal(lorry("show evt_3", out), 1);
    assert_int_equal(lorry("replay", out), 2);
    assert_int_equal(lorry("replay evt_1 --all", out), 2);
    e->fault = 0;
    assert_int_equal(lorry("replay evt_1", out), 0);
    assert_string_equal(out, "1 replayed\n");
    pump_until(o, NULL, &e->distinct, 1);
    assert_int_equal(e->times[1], 1);
    assert_int_equal(lorry("drop --all", out), 0);
    assert_string_equal(out, "1 dropped\n");
    assert_int_equal(lorry("drop evt_1", out), 1);
    b->ops->close(b);
    free(o), free(e);
}

/* A test that failed must not take those after it along. */
static int go_on(void **state) {
    (void)state;
    broker_pause(broker, false);
    return 0;
}

#define OWN(name) cmocka_unit_test_teardown(name, go_on)

int main(int argc, char **argv) {
    if (!broker_is_installed()) {
        printf("skipped: rabbitmq-server is not installed\n");
        return 77;
    }
    if (argc > 1) /* one test, by its name */
        cmocka_set_test_filter(argv[1]);
    broker = broker_new();
    const struct bus_factory f = {.name = "amqp bus",
                                  .make = make,
                                  .in_flight_max = AMQP_IN_FLIGHT_MAX,
                                  .seeds = 5,
                                  .rounds = 200,
                                  .wait = wait_a_little,
                                  .block = block};
    const struct CMUnitTest own[] = {
        OWN(broker_killed),
        OWN(broker_stopped),
        OWN(broker_paused),
        OWN(connections_closed),
        OWN(done_too_late),
        OWN(broker_hangs),
        OWN(broker_short_of_memory),
        OWN(second_host_serves),
        OWN(nobody_there),
        OWN(least_permissions),
        OWN(tls),
        OWN(replicas_take_over),
        OWN(queue_before_consumer),
        OWN(old_bindings_go),
        OWN(deleted_queue_comes_back),
        OWN(poison_is_put_aside),
        OWN(killer_is_put_aside),
        OWN(not_events),
        OWN(dead_letters),
        OWN(dead_letters_by_command),
    };
    int failed = bus_contract(&f);
    failed += cmocka_run_group_tests_name("amqp bus's own", own, NULL, NULL);
    broker_free(broker);
    return failed;
}
