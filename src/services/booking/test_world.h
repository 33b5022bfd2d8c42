/* For the tests of decisions: one booking, and the people around it. Decisions are called directly:
 * no store, no clock, no threads. Every one of them is made twice and must come out the same, must
 * leave the old state as it was, and its new state goes through the store's text before the next
 * one sees it.
 */
#ifndef LORRY_BOOKING_TEST_WORLD_H
#define LORRY_BOOKING_TEST_WORLD_H

#include "base/check.h"
#include "base/timestamp.h"
#include "services/booking/booking_bench.h"
#include "services/booking/internal.h"
#include "services/booking/returns.h"
#include "services/booking/test_fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START_US (INT64_C(1795428000) * US_PER_S)
#define DRIVERS 4

struct world {
    struct arena arena;
    struct rng rng; /* what decisions draw from */
    struct fake_router router;
    struct entropy entropy;
    struct booking_service *service;
    struct json_parser *parser;
    int64_t now_us;
    struct str id; /* of the booking */
    struct booking *b;
    struct decision d; /* the last one */
    struct identity customer, staff, stranger, drivers[DRIVERS];
};

static inline void no_entropy(struct entropy *e, void *out, size_t n) {
    (void)e;
    memset(out, 7, n);
}

static inline struct identity person(struct world *w, enum role role) {
    return (struct identity){.user_id = id_new(&w->arena, "usr", w->now_us, &w->rng), .role = role};
}

static inline struct world *world_new(uint64_t seed) {
    struct world *w = calloc(1, sizeof(*w));
    arena_init(&w->arena, 65536);
    rng_seed(&w->rng, seed);
    w->now_us = START_US;
    w->router.router.ops = &fake_router_ops;
    w->entropy.fill = no_entropy;
    w->service = booking_service_new(
        &(struct booking_options){.router = &w->router.router, .entropy = &w->entropy});
    w->parser = json_parser_new();
    w->customer = person(w, ROLE_CUSTOMER);
    w->staff = person(w, ROLE_DISPATCHER);
    w->stranger = person(w, ROLE_CUSTOMER);
    for (int i = 0; i < DRIVERS; i++)
        w->drivers[i] = person(w, ROLE_DRIVER);
    return w;
}

static inline void world_free(struct world *w) {
    booking_service_free(w->service);
    json_parser_free(w->parser);
    arena_free(&w->arena);
    free(w);
}

static inline struct str state_text(struct world *w, const struct booking *b) {
    return b != NULL ? schema_text(&booking_schema, b, S_STORE, &w->arena) : STR("");
}

/* ---- what must hold after every decision ---- */

static inline bool legal_step(int32_t from, int32_t to) {
    if (from == to)
        return true;
    for (int action = 0; action < ACTION_COUNT; action++) {
        const struct booking_move *m = &booking_moves[from][action];
        if (m->to == to || (m->to_more != BOOKING_NONE && m->to_more == to) ||
            (m->to_back != BOOKING_NONE && m->to_back == to))
            return true;
    }
    return false;
}

static inline void check_state(const struct booking *b) {
    bool asked = false;
    for (int32_t i = 0; i < b->offer_count; i++) {
        asked = asked || !b->offers[i].wanted;
        assert_int_equal(booking_offer_index(b, b->offers[i].id), i);
        assert_null(booking_closed(b, b->offers[i].id));
    }
    for (int32_t i = 0; i < b->offer_count; i++)
        assert_true(booking_is_searching(b->state) ||
                    (b->offers[i].wanted && booking_may_change_hands(b->state)));
    assert_true(!b->held || booking_is_searching(b->state) || booking_is_final(b->state));
    assert_int_equal(b->state == BOOKING_OFFERED, asked);
    assert_true(b->offer_count <= OFFERS_MAX && b->closed_count <= CLOSED_MAX);
    assert_true(b->timeline_count <= TIMELINE_MAX);
    assert_int_equal(b->ended_at_us != 0, booking_is_final(b->state));
    assert_true(!booking_is_searching(b->state) || b->driver == NULL);
    bool taken = b->state >= BOOKING_ASSIGNED && b->state <= BOOKING_DELIVERED;
    assert_true(!taken || b->driver != NULL);
    assert_true(b->state != BOOKING_DELIVERED || booking_next_stop(b) == b->stop_count);
}

static inline void check_events(struct world *w, const struct booking *b) {
    bool other_way = b->stops[b->stop_count - 1].back || booking_stops_revision(b) > 0;
    assert_in_range(w->d.event_count, 1, STORE_EVENTS_MAX);
    for (int32_t i = 0; i < w->d.event_count; i++) {
        struct ev_booking ev;
        if (str_is(w->d.events[i].type, EV_AUDIT_RECORDED))
            continue;
        assert_int_equal(
            schema_load(&ev_booking_schema, w->parser, w->d.events[i].data, &w->arena, &ev), 0);
        assert_int_equal(ev.version, b->head.version);
        assert_int_equal(ev.state, b->state);
        bool holds = str_is(w->d.events[i].type, EV_BOOKING_CLAIM_HOLDS); /* nobody is told */
        assert_true((ev.view.p != NULL) == !holds && ev.again == (i > 0));
        /* whichever of its events is heard first, its driver is expected where it goes */
        assert_true(b->driver == NULL || !other_way || ev.stop_count == b->stop_count);
    }
}

/* Was OLD's driver told that he has it no more? */
static inline bool told_unassigned(const struct world *w, const struct booking *old) {
    for (int32_t i = 0; i < w->d.event_count; i++) {
        struct str data = w->d.events[i].data;
        if (str_is(w->d.events[i].type, EV_BOOKING_UNASSIGNED) &&
            memmem(data.p, data.len, old->driver->offer_id.p, old->driver->offer_id.len) != NULL)
            return true;
    }
    return false;
}

static inline void check_step(struct world *w, const struct booking *old, const struct booking *b) {
    check_state(b);
    check_events(w, b);
    assert_int_equal(b->head.version, old != NULL ? old->head.version + 1 : 1);
    if (old == NULL)
        return;
    assert_true(legal_step(old->state, b->state));
    assert_true(b->timeline_count >= old->timeline_count);
    for (int32_t i = 0; i < old->timeline_count; i++) /* what was chained stays so */
        assert_true(str_eq(b->timeline[i].chain, old->timeline[i].chain));
    bool lost =
        old->driver != NULL && (b->driver == NULL || !str_eq(b->driver->id, old->driver->id));
    assert_int_equal(lost, told_unassigned(w, old));
    assert_true(!lost || booking_may_change_hands(old->state));
    for (int32_t i = 0; lost && i < b->stop_count; i++)
        assert_int_equal(b->stops[i].state, STOP_PENDING);
    assert_true(str_eq(b->secret, old->secret) && str_eq(b->customer_id, old->customer_id));
    assert_true(b->price.total == old->price.total || b->state == BOOKING_RETURNING);
}

/* Decides; the new state, if any, becomes w->b. Returns the status of the response. */
static inline int run(struct world *w, const struct command_type *type, struct identity who,
                      void *args, void *facts) {
    struct command cmd = {.type = type,
                          .service = w->service,
                          .id = w->id,
                          .args = args,
                          .facts = facts,
                          .who = who,
                          .arena = &w->arena};
    const struct booking *old = w->b;
    struct str before = state_text(w, old);
    struct rng rng = w->rng;
    struct decide_ctx ctx = {
        .now_us = w->now_us, .rng = &rng, .entropy = &w->entropy, .arena = &w->arena};
    struct decision twin = {0};
    type->decide(&cmd, &ctx, old, &twin);
    ctx.rng = &w->rng;
    w->d = (struct decision){0};
    type->decide(&cmd, &ctx, old, &w->d);
    assert_true(str_eq(before, state_text(w, old)));
    assert_int_equal(twin.event_count, w->d.event_count);
    assert_true(str_eq(twin.response.body, w->d.response.body) || twin.response.body.p == NULL);
    int status = w->d.response.status != 0 ? w->d.response.status : 204;
    if (w->d.state == NULL) {
        assert_int_equal(w->d.event_count, 0);
        return status;
    }
    struct str text = state_text(w, w->d.state);
    assert_true(str_eq(text, state_text(w, twin.state)));
    struct booking *b = arena_new(&w->arena, struct booking);
    assert_int_equal(schema_load(&booking_schema, w->parser, text, &w->arena, b), 0);
    b->head = ((struct booking *)w->d.state)->head;
    assert_true(str_eq(text, state_text(w, b)));
    check_step(w, old, b);
    w->b = b;
    return status;
}

/* ---- steps ---- */

static inline int create(struct world *w, int32_t stops) {
    struct command *cmd = booking_bench_create(w->service, &w->arena, &w->rng, w->now_us);
    struct create_facts *facts = cmd->facts;
    struct quote_set *set = arena_copy(&w->arena, facts->set, sizeof(*facts->set));
    set->customer_id = w->customer.user_id;
    struct place *places = arena_array(&w->arena, struct place, stops);
    for (int32_t i = 0; i < stops; i++)
        places[i] = set->stops[i % 2];
    set->stops = places;
    set->stop_count = stops;
    facts->set = set;
    w->id = cmd->id;
    w->b = NULL;
    return run(w, &booking_create, w->customer, cmd->args, facts);
}

static inline struct ev_claim *claim_of(struct world *w, int driver, struct str offer_id) {
    struct ev_claim *c = arena_new(&w->arena, struct ev_claim);
    struct str user_id = w->drivers[driver].user_id;
    *c = (struct ev_claim){.booking_id = w->b->head.id,
                           .offer_id = offer_id,
                           .driver_id = id_with_prefix(&w->arena, user_id, "drv"),
                           .driver_user_id = user_id,
                           .driver_name = STR("Ola Berg"),
                           .driver_phone = STR("+46701112233"),
                           .plate = STR("ABC123"),
                           .vehicle = VEHICLE_VAN,
                           .rating = 4.9,
                           .pickup_distance_m = 830,
                           .pickup_eta_s = 150};
    return c;
}

static inline struct str offer(struct world *w, int driver) {
    struct str id = id_new(&w->arena, "ofr", w->now_us, &w->rng);
    run(w, &booking_offered, (struct identity){0}, claim_of(w, driver, id), NULL);
    return id;
}

static inline int accept(struct world *w, int driver, struct str offer_id) {
    return run(w, &booking_accept, w->drivers[driver], &(struct offer_body){.offer_id = offer_id},
               NULL);
}

static inline int decline(struct world *w, int driver, struct str offer_id) {
    return run(w, &booking_decline, w->drivers[driver], &(struct offer_body){.offer_id = offer_id},
               NULL);
}

static inline int status(struct world *w, int driver, int32_t state, int64_t stop) {
    struct status_body body = {.status = state, .stop = stop, .version = I64_ABSENT};
    if (state == BOOKING_FAILED)
        body.reason = STR("nobody at home");
    return run(w, &booking_status, w->drivers[driver], &body,
               returns_way(w->service, w->b, state, &w->arena));
}

static inline int cancel(struct world *w, struct identity who) {
    return run(w, &booking_cancel, who,
               &(struct cancel_body){.reason = STR("changed my mind"), .version = I64_ABSENT},
               NULL);
}

static inline int assign(struct world *w, int driver) {
    struct str id = id_with_prefix(&w->arena, w->drivers[driver].user_id, "drv");
    return run(w, &booking_assign, w->staff,
               &(struct assign_body){.driver_id = id, .version = I64_ABSENT}, NULL);
}

static inline int reassign(struct world *w, int driver, const char *reason) {
    struct str id = id_with_prefix(&w->arena, w->drivers[driver].user_id, "drv");
    struct assign_body body = {.driver_id = id, .reason = str_from(reason), .version = I64_ABSENT};
    return run(w, &booking_assign, w->staff, &body, NULL);
}

static inline int unassign(struct world *w, struct identity who, enum tri search) {
    struct leave_body body = {
        .reason = STR("he is stuck"), .search = (int32_t)search, .version = I64_ABSENT};
    return run(w, &booking_unassign, who, &body, NULL);
}

static inline int release(struct world *w, int driver) {
    struct leave_body body = {.reason = STR("a puncture"), .version = I64_ABSENT};
    return run(w, &booking_release, w->drivers[driver], &body, NULL);
}

static inline int rate(struct world *w, struct identity who, int64_t stars) {
    return run(w, &booking_rate, who, &(struct rating_body){.stars = stars, .version = I64_ABSENT},
               NULL);
}

static inline void wake(struct world *w) {
    run(w, &booking_wake, (struct identity){0}, NULL, NULL);
}

static inline bool body_has(const struct world *w, const char *text) {
    struct str b = w->d.response.body;
    return memmem(b.p, b.len, text, strlen(text)) != NULL;
}

static inline bool told(const struct world *w, const char *type, const char *text) {
    for (int32_t i = 0; i < w->d.event_count; i++) {
        struct str data = w->d.events[i].data;
        if (str_is(w->d.events[i].type, type) &&
            memmem(data.p, data.len, text, strlen(text)) != NULL)
            return true;
    }
    return false;
}

static inline bool told_of(const struct world *w, const char *type, struct str id) {
    char text[64];
    snprintf(text, sizeof(text), "%.*s", STR_ARG(id));
    return told(w, type, text);
}

#endif
