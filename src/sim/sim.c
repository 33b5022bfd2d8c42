/* One run: the seed draws a town and its faults, people go about their business, the faults end,
 * everything must settle.
 */
#include "sim/sim.h"
#include "adapters/memory/memory_cache.h"
#include "base/check.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

#define SETTLE_US (INT64_C(240) * 60 * US_PER_S) /* after the faults; far more than it needs */
#define CACHE_ENTRIES_MAX 4096
#define REST_US (10 * US_PER_S)
#define STEPS_MAX INT64_C(200000000)

/* One store for all; the second of a service is made like the first. */
static void make_replicas(struct sim *sim) {
    static const struct {
        const char *name;
        enum sim_service service;
    } nodes[SIM_NODES_MAX] = {{"auth", SIM_AUTH},
                              {"booking-1", SIM_BOOKING},
                              {"booking-2", SIM_BOOKING},
                              {"driver-1", SIM_DRIVER},
                              {"driver-2", SIM_DRIVER},
                              {"notification-1", SIM_NOTIFICATION},
                              {"notification-2", SIM_NOTIFICATION}};
    sim->node_count = SIM_NODES_MAX;
    for (int32_t i = 0; i < sim->node_count; i++)
        sim_node_init(sim, &sim->nodes[i], i, nodes[i].name, 1u << nodes[i].service);
}

static void make_nodes(struct sim *sim) {
    static const char *const names[] = {"auth", "booking", "driver", "notification"};
    if (sim->profile.topology != SIM_ONE_NODE) {
        sim->bus = sim_bus_new(sim);
        sim->cache = memory_cache_new(CACHE_ENTRIES_MAX);
    }
    bool four = sim->profile.topology == SIM_FOUR_NODES;
    sim->node_count = four ? SIM_SERVICE_COUNT : 1;
    if (sim->profile.topology == SIM_REPLICAS)
        make_replicas(sim);
    for (int32_t i = 0; i < sim->node_count && sim->profile.topology != SIM_REPLICAS; i++)
        sim_node_init(sim, &sim->nodes[i], i, four ? names[i] : "all",
                      four ? 1u << i : (1u << SIM_SERVICE_COUNT) - 1);
    for (int32_t i = 0; i < sim->node_count; i++)
        sim_node_boot(&sim->nodes[i]);
}

static void make_people(struct sim *sim) {
    const struct sim_profile *p = &sim->profile;
    sim->customers = arena_array(&sim->arena, struct customer, p->customers);
    sim->drivers = arena_array(&sim->arena, struct driver_person, p->drivers);
    for (int32_t i = 0; i < p->customers; i++) {
        struct customer *c = &sim->customers[i];
        sim_person_init(sim, &c->p, ROLE_CUSTOMER, i);
        c->left = p->bookings / p->customers + (i < p->bookings % p->customers);
        sim_customer_start(c);
    }
    for (int32_t i = 0; i < p->drivers; i++) {
        sim_person_init(sim, &sim->drivers[i].p, ROLE_DRIVER, i);
        sim_driver_start(&sim->drivers[i]);
    }
    sim_person_init(sim, &sim->staff.p, ROLE_ADMIN, 0);
    sim_staff_start(&sim->staff);
}

/* What a replica has missed it reads again within some seconds, if nothing else tells it before. */
static bool has_rested(struct sim *sim) {
    if (sim->settled_us == 0)
        sim->settled_us = sim->now_us;
    return sim->profile.topology != SIM_REPLICAS || sim->now_us - sim->settled_us >= REST_US;
}

/* Once a second: is it over? */
static void look(struct sim *sim, void *arg, uint64_t token) {
    struct str why = STR("the faults have not ended");
    (void)token;
    bool *over = arg;
    oracle_watch(sim);
    *over = sim->calm && oracle_settled(sim, &why) && has_rested(sim);
    if (*over)
        return;
    if (sim->now_us > sim->profile.faults_until_us + SETTLE_US)
        sim_fail(sim, "everything settles", "%lld s after the faults: %.*s",
                 (long long)(SETTLE_US / US_PER_S), STR_ARG(why));
    else
        sim_after(sim, US_PER_S, look, over, 0);
}

static int64_t virtual_now(const struct clock *c) {
    return ((const struct sim *)((const char *)c - offsetof(struct sim, clock)))->now_us;
}

static void run(struct sim *sim, const struct sim_options *o) {
    bool over = false;
    sim->oracle = oracle_new(sim);
    sim_profile_draw(sim, o);
    sim->clock.now_us = virtual_now;
    sim->blobs = memory_blobs_new(&sim->clock, &sim->profile.blobs, &sim->rng);
    make_nodes(sim);
    make_people(sim);
    sim_disasters(sim);
    if (sim->profile.topology != SIM_REPLICAS) /* they read the keys from their store */
        sim_after(sim, 0, sim_fetch_jwks, NULL, 0);
    sim_after(sim, US_PER_S, look, &over, 0);
    for (int64_t i = 0; !over && !sim->result->failed && sim_step(sim); i++)
        CHECK(i < STEPS_MAX);
    if (!sim->result->failed)
        oracle_verdict(sim);
}

static void end(struct sim *sim) {
    for (int32_t i = 0; i < sim->node_count; i++)
        sim_node_stop(&sim->nodes[i]);
    for (int32_t i = 0; i < sim->node_count; i++)
        sim_node_free(&sim->nodes[i]);
    for (size_t i = 0; i < sim->queue.count; i++) {
        sim_bus_drop_event(&sim->queue.heap[i]);
        sim_socket_drop_event(&sim->queue.heap[i]);
    }
    sim_bus_free(sim->bus);
    if (sim->cache != NULL)
        sim->cache->ops->close(sim->cache);
    sim->blobs->ops->close(sim->blobs);
    sim_queue_free(&sim->queue);
    oracle_free(sim->oracle);
    json_parser_free(sim->parser);
    arena_free(&sim->arena);
}

int sim_run_seed(const struct sim_options *o, uint64_t seed, struct sim_result *ret) {
    CHECK(o->bookings >= 1 && o->bookings <= SIM_BOOKINGS_MAX);
    struct sim *sim = xcalloc(1, sizeof(*sim));
    *ret = (struct sim_result){0};
    sim->seed = seed;
    sim->print = o->trace;
    sim->now_us = SIM_START_US;
    sim->result = ret;
    sim->parser = json_parser_new();
    rng_seed(&sim->rng, seed);
    arena_init(&sim->arena, (size_t)1 << 20);
    run(sim, o);
    if (ret->failed)
        sim_trace_tail(sim, ret->tail, sizeof(ret->tail));
    ret->trace_hash = sim->trace.hash;
    ret->virtual_us = sim->now_us - SIM_START_US;
    end(sim);
    free(sim);
    return ret->failed ? ERR_CORRUPT : 0;
}
