/* The simulator itself: that a seed replays, that a calm town is calm, and what its bus promises.
 */
#include "base/test.h"
#include "runtime/token.h"
#include "sim/sim.h"

#include <stdlib.h>

/* ---- whole runs ---- */

static struct sim_result *run(uint64_t seed, bool calm) {
    struct sim_result *r = calloc(1, sizeof(*r));
    sim_run_seed(&(struct sim_options){.bookings = 5, .calm = calm}, seed, r);
    if (r->failed)
        fail_msg("seed %llu: %s: %s", (unsigned long long)seed, r->invariant, r->what);
    return r;
}

static void a_seed_replays(void **state) {
    (void)state;
    uint64_t before = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim_result *a = run(seed, false), *b = run(seed, false);
        assert_true(a->trace_hash == b->trace_hash && a->events == b->events);
        assert_true(a->trace_hash != before);
        before = a->trace_hash;
        free(a);
        free(b);
    }
}

static void a_calm_town_has_no_faults(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim_result *r = run(seed, true);
        assert_int_equal(r->bookings - r->recurred, 5);
        assert_int_equal(r->crashes, 0);
        for (int i = 0; i < SIM_FAULT_COUNT; i++)
            assert_int_equal(r->faults[i], 0);
        free(r);
    }
}

/* ---- the broker ---- */

struct town { /* two nodes without anything in them, and the bus between them */
    struct sim sim;
    struct sim_result result;
    struct bus *from, *to;
    char got[64];
    int32_t got_count, refuse, confirmed, unconfirmed;
};

static void deliver(void *consumer, struct bus_delivery *d) {
    struct town *t = consumer;
    if (t->refuse > 0) {
        t->refuse--;
        d->done(d, -1);
        return;
    }
    assert_true(t->got_count < 63);
    t->got[t->got_count++] = d->event->data.p[0];
    d->done(d, 0);
}

static void confirm(void *publisher, int64_t seq, int result) {
    struct town *t = publisher;
    (void)seq;
    t->confirmed += result == 0;
    t->unconfirmed += result < 0;
}

static struct town *town_new(void) {
    static const char *const types[] = {"t.a", "t.b", NULL};
    struct town *t = calloc(1, sizeof(*t));
    struct sim *sim = &t->sim;
    sim->result = &t->result;
    sim->now_us = SIM_START_US;
    sim->profile.latency_mean_us = 5000;
    sim->profile.turn_delay_max_us = 1000;
    rng_seed(&sim->rng, 7);
    arena_init(&sim->arena, 4096);
    sim->oracle = oracle_new(sim);
    sim->bus = sim_bus_new(sim);
    sim->node_count = 2;
    for (int32_t i = 0; i < 2; i++) {
        sim->nodes[i] = (struct sim_node){.sim = sim, .index = i, .name = "node", .life = 1};
        sim->nodes[i].turn_at_us = 1; /* no turns here */
        sim->nodes[i].up = true;
    }
    t->from = sim_bus_open(sim->bus, &sim->nodes[0]);
    t->to = sim_bus_open(sim->bus, &sim->nodes[1]);
    t->to->ops->subscribe(t->to, "group", types, deliver, t);
    return t;
}

static void town_free(struct town *t) {
    struct sim *sim = &t->sim;
    for (size_t i = 0; i < sim->queue.count; i++)
        sim_bus_drop_event(&sim->queue.heap[i]);
    t->from->ops->close(t->from);
    t->to->ops->close(t->to);
    sim_bus_free(sim->bus);
    sim_queue_free(&sim->queue);
    oracle_free(sim->oracle);
    arena_free(&sim->arena);
    free(t);
}

static void put(struct town *t, const char *key, const char *data) {
    struct event e = {.id = STR("evt_1"),
                      .type = STR("t.a"),
                      .key = str_from(key),
                      .data = str_from(data),
                      .seq = 1};
    assert_int_equal(t->from->ops->publish(t->from, &e, confirm, t), 0);
}

static void pass(struct town *t, int64_t us) {
    int64_t until_us = t->sim.now_us + us;
    while (t->sim.queue.count > 0 && t->sim.queue.heap[0].at_us <= until_us)
        sim_step(&t->sim);
    t->sim.now_us = until_us;
}

static void order_is_kept_per_key(void **state) {
    (void)state;
    struct town *t = town_new();
    for (int i = 0; i < 26; i++) {
        char data[2] = {(char)('a' + i), 0};
        put(t, "k", data);
    }
    pass(t, US_PER_S);
    assert_string_equal(t->got, "abcdefghijklmnopqrstuvwxyz");
    assert_true(sim_bus_idle(t->sim.bus));
    town_free(t);
}

static void the_refused_comes_again(void **state) {
    (void)state;
    struct town *t = town_new();
    t->refuse = 3;
    put(t, "k", "x");
    pass(t, 5 * US_PER_S);
    assert_string_equal(t->got, "x");
    town_free(t);
}

static void a_consumer_that_is_down_gets_it_later(void **state) {
    (void)state;
    struct town *t = town_new();
    t->sim.nodes[1].up = false;
    put(t, "k", "x");
    pass(t, 5 * US_PER_S);
    assert_string_equal(t->got, "");
    assert_false(sim_bus_idle(t->sim.bus));
    t->sim.nodes[1].up = true;
    t->sim.nodes[1].life++;
    pass(t, 5 * US_PER_S);
    assert_string_equal(t->got, "x");
    town_free(t);
}

static void what_is_cut_off_is_published_in_vain(void **state) {
    (void)state;
    struct town *t = town_new();
    t->sim.nodes[0].cut_until_us = t->sim.now_us + US_PER_S;
    put(t, "k", "x");
    pass(t, 5 * US_PER_S);
    assert_int_equal(t->unconfirmed, 1);
    assert_string_equal(t->got, "");
    town_free(t);
}

int main(void) {
    token_library_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_replays),
        cmocka_unit_test(a_calm_town_has_no_faults),
        cmocka_unit_test(order_is_kept_per_key),
        cmocka_unit_test(the_refused_comes_again),
        cmocka_unit_test(a_consumer_that_is_down_gets_it_later),
        cmocka_unit_test(what_is_cut_off_is_published_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
