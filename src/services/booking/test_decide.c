/* The decisions of a booking, called directly: no store, no clock, no threads. Every decision of
 * these tests is made twice and must come out the same, must leave the old state as it was, and its
 * new state goes through the store's text before the next one sees it.
 */
#include "base/check.h"
#include "base/timestamp.h"
#include "services/booking/booking_bench.h"
#include "services/booking/internal.h"
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
    struct booking *b;
    struct decision d; /* the last one */
    struct identity customer, staff, stranger, drivers[DRIVERS];
};

static void no_entropy(struct entropy *e, void *out, size_t n) {
    (void)e;
    memset(out, 7, n);
}

static struct identity person(struct world *w, enum role role) {
    return (struct identity){.user_id = id_new(&w->arena, "usr", w->now_us, &w->rng), .role = role};
}

static struct world *world_new(uint64_t seed) {
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

static void world_free(struct world *w) {
    booking_service_free(w->service);
    json_parser_free(w->parser);
    arena_free(&w->arena);
    free(w);
}

static struct str state_text(struct world *w, const struct booking *b) {
    return b != NULL ? schema_text(&booking_schema, b, S_STORE, &w->arena) : STR("");
}

/* ---- what must hold after every decision ---- */

static bool legal_step(int32_t from, int32_t to) {
    if (from == to)
        return true;
    for (int action = 0; action < ACTION_COUNT; action++) {
        const struct booking_move *m = &booking_moves[from][action];
        if (m->to == to || (m->to_more != BOOKING_NONE && m->to_more == to))
            return true;
    }
    return false;
}

static void check_state(const struct booking *b) {
    bool asked = false;
    for (int32_t i = 0; i < b->offer_count; i++) {
        asked = asked || !b->offers[i].wanted;
        assert_int_equal(booking_offer_index(b, b->offers[i].id), i);
        assert_null(booking_closed(b, b->offers[i].id));
    }
    assert_true(b->offer_count == 0 || booking_is_searching(b->state));
    assert_int_equal(b->state == BOOKING_OFFERED, asked);
    assert_true(b->offer_count <= OFFERS_MAX && b->closed_count <= CLOSED_MAX);
    assert_true(b->timeline_count <= TIMELINE_MAX);
    assert_int_equal(b->ended_at_us != 0, booking_is_final(b->state));
    assert_true(!booking_is_searching(b->state) || b->driver == NULL);
    bool taken = b->state >= BOOKING_ASSIGNED && b->state <= BOOKING_DELIVERED;
    assert_true(!taken || b->driver != NULL);
    assert_true(b->state != BOOKING_DELIVERED || booking_next_stop(b) == b->stop_count);
}

static void check_events(struct world *w, const struct booking *b) {
    assert_in_range(w->d.event_count, 1, STORE_EVENTS_MAX);
    for (int32_t i = 0; i < w->d.event_count; i++) {
        struct ev_booking ev;
        assert_int_equal(
            schema_load(&ev_booking_schema, w->parser, w->d.events[i].data, &w->arena, &ev), 0);
        assert_int_equal(ev.version, b->head.version);
        assert_int_equal(ev.state, b->state);
        assert_int_equal(ev.view.p != NULL, i == 0);
    }
}

static void check_step(struct world *w, const struct booking *old, const struct booking *b) {
    check_state(b);
    check_events(w, b);
    assert_int_equal(b->head.version, old != NULL ? old->head.version + 1 : 1);
    if (old == NULL)
        return;
    assert_true(legal_step(old->state, b->state));
    assert_true(b->timeline_count >= old->timeline_count);
    if (old->driver != NULL)
        assert_true(str_eq(b->driver->id, old->driver->id));
    assert_true(str_eq(b->secret, old->secret) && str_eq(b->customer_id, old->customer_id));
    assert_int_equal(b->price.total, old->price.total);
}

/* Decides; the new state, if any, becomes w->b. Returns the status of the response. */
static int run(struct world *w, const struct command_type *type, struct identity who, void *args,
               void *facts) {
    struct str id = w->b != NULL
                        ? w->b->head.id
                        : id_with_prefix(&w->arena, ((struct create_body *)args)->quote_id, "bkg");
    struct command cmd = {.type = type,
                          .service = w->service,
                          .id = id,
                          .args = args,
                          .facts = facts,
                          .who = who,
                          .arena = &w->arena};
    const struct booking *old = w->b;
    struct str before = state_text(w, old);
    struct rng rng = w->rng;
    struct decide_ctx ctx = {.now_us = w->now_us, .rng = &rng, .arena = &w->arena};
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

static int create(struct world *w, int32_t stops) {
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
    w->b = NULL;
    return run(w, &booking_create, w->customer, cmd->args, facts);
}

static struct ev_claim *claim_of(struct world *w, int driver, struct str offer_id) {
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

static struct str offer(struct world *w, int driver) {
    struct str id = id_new(&w->arena, "ofr", w->now_us, &w->rng);
    run(w, &booking_offered, (struct identity){0}, claim_of(w, driver, id), NULL);
    return id;
}

static int accept(struct world *w, int driver, struct str offer_id) {
    return run(w, &booking_accept, w->drivers[driver], &(struct offer_body){.offer_id = offer_id},
               NULL);
}

static int decline(struct world *w, int driver, struct str offer_id) {
    return run(w, &booking_decline, w->drivers[driver], &(struct offer_body){.offer_id = offer_id},
               NULL);
}

static int status(struct world *w, int driver, int32_t state, int64_t stop) {
    struct status_body body = {.status = state, .stop = stop, .version = I64_ABSENT};
    if (state == BOOKING_FAILED)
        body.reason = STR("nobody at home");
    return run(w, &booking_status, w->drivers[driver], &body, NULL);
}

static int cancel(struct world *w, struct identity who) {
    return run(w, &booking_cancel, who,
               &(struct cancel_body){.reason = STR("changed my mind"), .version = I64_ABSENT},
               NULL);
}

static int assign(struct world *w, int driver) {
    struct str id = id_with_prefix(&w->arena, w->drivers[driver].user_id, "drv");
    return run(w, &booking_assign, w->staff,
               &(struct assign_body){.driver_id = id, .version = I64_ABSENT}, NULL);
}

static int rate(struct world *w, struct identity who, int64_t stars) {
    return run(w, &booking_rate, who, &(struct rating_body){.stars = stars, .version = I64_ABSENT},
               NULL);
}

static void wake(struct world *w) {
    run(w, &booking_wake, (struct identity){0}, NULL, NULL);
}

static bool body_has(const struct world *w, const char *text) {
    struct str b = w->d.response.body;
    return memmem(b.p, b.len, text, strlen(text)) != NULL;
}

static bool told(const struct world *w, const char *type, const char *text) {
    for (int32_t i = 0; i < w->d.event_count; i++) {
        struct str data = w->d.events[i].data;
        if (str_is(w->d.events[i].type, type) &&
            memmem(data.p, data.len, text, strlen(text)) != NULL)
            return true;
    }
    return false;
}

static bool told_of(const struct world *w, const char *type, struct str id) {
    char text[64];
    snprintf(text, sizeof(text), "%.*s", STR_ARG(id));
    return told(w, type, text);
}

/* ---- stories ---- */

static void test_create(void **unused) {
    (void)unused;
    struct world *w = world_new(1);
    assert_int_equal(create(w, 2), 201);
    assert_int_equal(w->b->state, BOOKING_REQUESTED);
    assert_int_equal(w->b->code.len, CODE_LEN);
    assert_int_equal(w->b->search_until_us, w->now_us + 180 * US_PER_S);
    assert_int_equal(booking_aggregate.wake_at(w->b), w->b->search_until_us);
    assert_true(told(w, EV_BOOKING_REQUESTED, "\"stops\":[{"));
    assert_true(body_has(w, "\"driver\":null,\"vehicle_plate\":null"));
    assert_true(body_has(w, "\"contact\":{\"name\":\"Bo Ek\",\"phone\":\"+46701234567\"},"
                            "\"state\":\"pending\",\"eta\":null}"));
    /* the same quote again */
    struct command *cmd = booking_bench_create(w->service, &w->arena, &w->rng, w->now_us);
    struct create_facts *facts = cmd->facts;
    assert_int_equal(run(w, &booking_create, w->customer, cmd->args, facts), 409);
    assert_true(body_has(w, "/problems/quote-used"));
    assert_int_equal(run(w, &booking_create, w->stranger, cmd->args, facts), 404);
    /* expired; of another class than was quoted; more stops than it has; nobody's */
    struct create_body *body = cmd->args;
    w->b = NULL;
    struct identity owner = cmd->who;
    w->now_us = facts->set->expires_at_us;
    assert_int_equal(run(w, &booking_create, owner, body, facts), 409);
    assert_true(body_has(w, "/problems/quote-expired"));
    w->now_us--;
    body->stop_count = 3;
    assert_int_equal(run(w, &booking_create, owner, body, facts), 422);
    assert_true(body_has(w, "\"/stops\""));
    body->stop_count = 0;
    body->quote_id = id_variant(&w->arena, body->quote_id, VEHICLE_BIKE);
    assert_int_equal(run(w, &booking_create, owner, body, facts), 404);
    facts->set = NULL;
    assert_int_equal(run(w, &booking_create, owner, body, facts), 404);
    world_free(w);
}

static void test_offer_won_and_lost(void **unused) {
    (void)unused;
    struct world *w = world_new(2);
    create(w, 2);
    struct str first = offer(w, 0), second = offer(w, 1);
    assert_int_equal(w->b->state, BOOKING_OFFERED);
    assert_int_equal(accept(w, 1, first), 409); /* not his */
    assert_int_equal(accept(w, 1, second), 200);
    assert_int_equal(w->b->state, BOOKING_ASSIGNED);
    assert_true(told_of(w, EV_BOOKING_ASSIGNED, second));
    assert_true(told(w, EV_BOOKING_OFFER_CLOSED, "accepted_elsewhere"));
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, first));
    int64_t version = w->b->head.version;
    assert_int_equal(accept(w, 1, second), 200); /* again */
    assert_int_equal(accept(w, 0, first), 409);
    assert_true(body_has(w, "/problems/offer-closed"));
    assert_int_equal(decline(w, 1, second), 409);
    assert_int_equal(w->b->head.version, version);
    /* one that comes too late is closed at once, and what was closed stays so */
    struct str late = offer(w, 2);
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, late));
    assert_int_equal(accept(w, 2, late), 409);
    world_free(w);
}

static void test_offer_declined_and_timed_out(void **unused) {
    (void)unused;
    struct world *w = world_new(3);
    create(w, 2);
    struct str first = offer(w, 0);
    assert_int_equal(decline(w, 1, first), 409);
    assert_int_equal(decline(w, 0, first), 204);
    assert_true(told(w, EV_BOOKING_OFFER_CLOSED, "declined"));
    assert_int_equal(w->b->state, BOOKING_REQUESTED);
    assert_int_equal(decline(w, 0, first), 204);
    assert_null(w->d.state);
    struct str second = offer(w, 1);
    assert_int_equal(booking_aggregate.wake_at(w->b), w->now_us + 20 * US_PER_S);
    w->now_us += 20 * US_PER_S;
    assert_int_equal(accept(w, 1, second), 409); /* the clock counts, not the wake-up */
    wake(w);
    assert_int_equal(w->b->state, BOOKING_REQUESTED);
    assert_true(told(w, EV_BOOKING_OFFER_CLOSED, "timed_out"));
    struct str third = offer(w, 2);
    w->now_us = w->b->search_until_us;
    wake(w);
    assert_int_equal(w->b->state, BOOKING_EXPIRED);
    assert_true(told(w, EV_BOOKING_EXPIRED, ""));
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, third));
    assert_int_equal(booking_aggregate.wake_at(w->b), 0);
    wake(w);
    assert_null(w->d.state);
    world_free(w);
}

static void test_delivery_of_three(void **unused) {
    (void)unused;
    struct world *w = world_new(4);
    create(w, 4);
    accept(w, 0, offer(w, 0));
    assert_int_equal(status(w, 1, BOOKING_ARRIVED_PICKUP, 0), 404); /* not his booking */
    assert_int_equal(status(w, 0, BOOKING_PICKED_UP, 0), 409);
    assert_true(
        body_has(w, "\"state\":\"assigned\",\"allowed\":[\"arrived_pickup\",\"cancelled\"]"));
    assert_int_equal(status(w, 0, BOOKING_CANCELLED, I64_ABSENT), 409);
    assert_int_equal(status(w, 0, BOOKING_FAILED, 0), 409); /* not at a stop */
    assert_int_equal(status(w, 0, BOOKING_ARRIVED_PICKUP, 1), 409);
    assert_int_equal(status(w, 0, BOOKING_ARRIVED_PICKUP, 0), 200);
    assert_int_equal(w->b->stops[0].state, STOP_ARRIVED);
    assert_int_equal(cancel(w, w->stranger), 404);
    assert_int_equal(status(w, 0, BOOKING_PICKED_UP, I64_ABSENT), 200);
    assert_int_equal(w->b->stops[0].state, STOP_DONE);
    assert_int_equal(cancel(w, w->customer), 409); /* too late for him */
    assert_true(body_has(w, "\"allowed\":[\"arrived_dropoff\"]"));
    for (int64_t stop = 1; stop < 4; stop++) {
        assert_int_equal(w->b->state, BOOKING_PICKED_UP);
        assert_int_equal(status(w, 0, BOOKING_ARRIVED_DROPOFF, stop == 3 ? 1 : stop + 1), 409);
        assert_int_equal(status(w, 0, BOOKING_ARRIVED_DROPOFF, stop), 200);
        assert_int_equal(status(w, 0, BOOKING_ARRIVED_DROPOFF, stop), 409);
        assert_int_equal(rate(w, w->customer, 5), 409);
        assert_int_equal(status(w, 0, BOOKING_DELIVERED, stop), 200);
        assert_true(told(w, stop < 3 ? EV_BOOKING_PROGRESSED : EV_BOOKING_DELIVERED, ""));
    }
    assert_int_equal(w->b->state, BOOKING_DELIVERED);
    assert_int_equal(cancel(w, w->staff), 409);
    assert_int_equal(rate(w, w->staff, 1), 403);
    assert_int_equal(rate(w, w->customer, 4), 200);
    assert_true(told(w, EV_BOOKING_RATED, "\"stars\":4"));
    assert_int_equal(rate(w, w->customer, 5), 409);
    assert_true(body_has(w, "/problems/already-rated"));
    world_free(w);
}

static void test_failed(void **unused) {
    (void)unused;
    struct world *w = world_new(5);
    create(w, 3);
    accept(w, 0, offer(w, 0));
    status(w, 0, BOOKING_ARRIVED_PICKUP, 0);
    status(w, 0, BOOKING_PICKED_UP, 0);
    status(w, 0, BOOKING_ARRIVED_DROPOFF, 1);
    struct status_body no_reason = {.status = BOOKING_FAILED, .stop = 1, .version = I64_ABSENT};
    assert_int_equal(run(w, &booking_status, w->drivers[0], &no_reason, NULL), 422);
    struct status_body old_version = {.status = BOOKING_DELIVERED, .stop = 1, .version = 2};
    assert_int_equal(run(w, &booking_status, w->drivers[0], &old_version, NULL), 409);
    assert_true(body_has(w, "/problems/version-conflict"));
    assert_int_equal(status(w, 0, BOOKING_FAILED, 1), 200);
    assert_int_equal(w->b->state, BOOKING_FAILED);
    assert_int_equal(w->b->stops[1].state, STOP_FAILED);
    assert_int_equal(w->b->stops[2].state, STOP_PENDING);
    assert_true(body_has(w, "\"reason\":\"nobody at home\""));
    assert_true(told(w, EV_BOOKING_FAILED, "\"driver_id\""));
    world_free(w);
}

static void test_cancel_closes_offers(void **unused) {
    (void)unused;
    struct world *w = world_new(6);
    create(w, 2);
    struct str open = offer(w, 0);
    assert_int_equal(cancel(w, w->customer), 200);
    assert_int_equal(w->b->state, BOOKING_CANCELLED);
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, open));
    assert_true(told(w, EV_BOOKING_OFFER_CLOSED, "withdrawn"));
    assert_int_equal(accept(w, 0, open), 409);
    assert_int_equal(cancel(w, w->customer), 409);
    assert_true(body_has(w, "\"state\":\"cancelled\",\"allowed\":[]"));
    world_free(w);
}

static void test_assign(void **unused) {
    (void)unused;
    struct world *w = world_new(7);
    create(w, 2);
    struct str asked = offer(w, 0);
    assert_int_equal(assign(w, 1), 202);
    struct str wanted = w->d.park_key;
    assert_non_null(wanted.p);
    assert_true(told_of(w, EV_BOOKING_ASSIGN_WANTED, wanted));
    assert_true(told(w, EV_BOOKING_ASSIGN_WANTED, "\"stops\":[{"));
    assert_int_equal(accept(w, 1, wanted), 409); /* not an offer to answer */
    assert_int_equal(assign(w, 1), 202);         /* somebody else wants the same */
    assert_true(str_eq(w->d.park_key, wanted));
    assert_null(w->d.state);
    struct ev_claim *claim = claim_of(w, 1, wanted);
    claim->manual = true;
    run(w, &booking_offered, (struct identity){0}, claim, NULL);
    assert_true(str_eq(w->d.wake_key, wanted));
    assert_int_equal(w->d.response.status, 200);
    assert_int_equal(w->b->state, BOOKING_ASSIGNED);
    assert_true(str_is(w->b->driver->name, "Ola Berg"));
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, asked));
    assert_int_equal(assign(w, 1), 200);
    assert_int_equal(assign(w, 2), 409);
    world_free(w);
}

static void test_assign_refused(void **unused) {
    (void)unused;
    struct world *w = world_new(8);
    create(w, 2);
    assign(w, 1);
    struct str wanted = w->d.park_key;
    struct ev_claim *claim = claim_of(w, 1, wanted);
    claim->manual = true;
    claim->reason = STR("off duty");
    run(w, &booking_refused, (struct identity){0}, claim, NULL);
    assert_true(str_eq(w->d.wake_key, wanted));
    assert_int_equal(w->d.response.status, 409);
    assert_true(body_has(w, "/problems/driver-unavailable") && body_has(w, "off duty"));
    assert_int_equal(w->b->offer_count, 0);
    /* his word comes after all, late: the claim must go */
    run(w, &booking_offered, (struct identity){0}, claim, NULL);
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, wanted));
    assert_int_equal(w->b->state, BOOKING_REQUESTED);
    world_free(w);
}

/* A driver is being asked, or about to be, when a dispatcher picks him. */
static void test_assign_meets_offer(void **unused) {
    (void)unused;
    struct world *w = world_new(9);
    create(w, 2);
    offer(w, 0);
    struct str his = offer(w, 1);
    assert_int_equal(assign(w, 1), 200);
    assert_true(told_of(w, EV_BOOKING_ASSIGNED, his));
    create(w, 2);
    assert_int_equal(assign(w, 2), 202);
    struct str wanted = w->d.park_key;
    struct str asked = offer(w, 2);
    assert_int_equal(w->b->state, BOOKING_ASSIGNED);
    assert_true(told_of(w, EV_BOOKING_ASSIGNED, asked));
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, wanted));
    assert_true(str_eq(w->d.wake_key, wanted));
    world_free(w);
}

static void test_events_out_of_order(void **unused) {
    (void)unused;
    struct world *w = world_new(10);
    struct identity nobody = {0};
    create(w, 2);
    struct str id = id_new(&w->arena, "ofr", w->now_us, &w->rng);
    struct ev_claim *claim = claim_of(w, 0, id);
    run(w, &booking_dropped, nobody, claim, NULL); /* before its offered */
    assert_true(told(w, EV_BOOKING_OFFER_CLOSED, "declined"));
    run(w, &booking_offered, nobody, claim, NULL);
    assert_int_equal(w->b->state, BOOKING_REQUESTED);
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, id));
    struct str stale = id_new(&w->arena, "ofr", w->now_us, &w->rng);
    run(w, &booking_stale, nobody, claim_of(w, 1, stale), NULL);
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, stale));
    run(w, &booking_offered, nobody, claim_of(w, 1, stale), NULL);
    assert_int_equal(w->b->state, BOOKING_REQUESTED);
    struct str won = offer(w, 2);
    run(w, &booking_stale, nobody, claim_of(w, 2, won), NULL);
    assert_null(w->d.state); /* open: wait */
    accept(w, 2, won);
    run(w, &booking_stale, nobody, claim_of(w, 2, won), NULL);
    assert_true(told_of(w, EV_BOOKING_ASSIGNED, won));
    run(w, &booking_dropped, nobody, claim_of(w, 2, won), NULL);
    assert_null(w->d.state); /* his to finish */
    cancel(w, w->staff);
    run(w, &booking_stale, nobody, claim_of(w, 2, won), NULL);
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, won));
    world_free(w);
}

/* ---- anything, in any order ---- */

#define WALK_OFFERS 200
struct walk {
    struct world *w;
    struct rng rng; /* what happens; not what is decided */
    struct str ids[WALK_OFFERS];
    int drivers[WALK_OFFERS];
    bool held[WALK_OFFERS]; /* the driver has a claim by it */
    int count;
    uint64_t reluctance; /* to accept; to fail */
};

/* An offer of before, or a new one. */
static int some_offer(struct walk *k) {
    if (k->count < WALK_OFFERS && (k->count == 0 || rng_below(&k->rng, 3) == 0)) {
        k->ids[k->count] = id_new(&k->w->arena, "ofr", k->w->now_us, &k->rng);
        k->drivers[k->count] = (int)rng_below(&k->rng, DRIVERS);
        return k->count++;
    }
    uint64_t recent = rng_below(&k->rng, 4) != 0 && k->count > 3 ? 3 : (uint64_t)k->count;
    return k->count - 1 - (int)rng_below(&k->rng, recent);
}

static void walk_claim(struct walk *k) {
    static const struct command_type *const types[] = {
        &booking_offered, &booking_offered, &booking_dropped, &booking_stale, &booking_refused};
    int i = some_offer(k);
    const struct command_type *type = types[rng_below(&k->rng, COUNT_OF(types))];
    struct ev_claim *claim = claim_of(k->w, k->drivers[i], k->ids[i]);
    if (k->w->b->offer_count > 0 && rng_below(&k->rng, 4) == 0) {
        const struct booking_offer *o = &k->w->b->offers[rng_below(&k->rng, 1)];
        claim->manual = o->wanted;
        claim->offer_id = o->id;
        claim->driver_id = o->driver.id;
        claim->driver_user_id = o->driver.user_id;
    } else if (type != &booking_refused) {
        k->held[i] = true;
    }
    run(k->w, type, (struct identity){0}, claim, NULL);
}

static void walk_step(struct walk *k) {
    struct world *w = k->w;
    int driver = (int)rng_below(&k->rng, DRIVERS);
    int i = some_offer(k);
    switch (rng_below(&k->rng, 12)) {
    case 0:
        if (rng_below(&k->rng, k->reluctance) == 0)
            accept(w, k->drivers[i], k->ids[i]);
        break;
    case 1:
        decline(w, k->drivers[i], k->ids[i]);
        break;
    case 2:
        w->now_us += rng_between(&k->rng, 0, 24 * US_PER_S);
        wake(w);
        break;
    case 3:
        if (rng_below(&k->rng, 20) == 0)
            cancel(w, rng_below(&k->rng, 2) == 0 ? w->customer : w->staff);
        break;
    case 4:
        if (rng_below(&k->rng, 4) == 0)
            assign(w, driver);
        break;
    case 5:
    case 6:
    case 7:
        if (w->b->driver != NULL) {
            int32_t state = (int32_t)rng_between(&k->rng, BOOKING_ARRIVED_PICKUP, BOOKING_FAILED);
            int64_t stop = rng_below(&k->rng, 2) == 0 ? rng_between(&k->rng, 0, 3) : I64_ABSENT;
            for (int n = 0; n < DRIVERS && rng_below(&k->rng, 8) != 0; i++) {
                if (str_eq(w->drivers[n].user_id, w->b->driver->user_id))
                    driver = n;
            }
            if (state != BOOKING_FAILED || rng_below(&k->rng, k->reluctance) == 0)
                status(w, driver, state, stop);
        }
        break;
    case 8:
        rate(w, w->customer, 5);
        break;
    default:
        walk_claim(k);
    }
}

/* Claims that were told to go are gone; all others are open offers or the assignment. */
static void check_claims(struct walk *k) {
    const struct booking *b = k->w->b;
    for (int i = 0; i < k->count; i++) {
        if (told_of(k->w, EV_BOOKING_OFFER_CLOSED, k->ids[i]))
            k->held[i] = false;
        bool open = booking_offer_index(b, k->ids[i]) >= 0;
        bool won = b->driver != NULL && str_eq(b->driver->offer_id, k->ids[i]);
        assert_true(!k->held[i] || open || won);
    }
}

static void test_walks(void **unused) {
    (void)unused;
    int ends[BOOKING_STATE_COUNT] = {0};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct walk k = {.w = world_new(seed), .reluctance = 1 + seed % 4 * 15};
        rng_seed(&k.rng, seed * 7919);
        create(k.w, 2 + (int32_t)(seed % 3));
        for (int step = 0; step < 250; step++) {
            k.w->d = (struct decision){0};
            walk_step(&k);
            check_claims(&k);
        }
        ends[k.w->b->state]++;
        world_free(k.w);
    }
    /* the walks do get about */
    assert_true(ends[BOOKING_DELIVERED] > 0 && ends[BOOKING_CANCELLED] > 0);
    assert_true(ends[BOOKING_EXPIRED] > 0 && ends[BOOKING_FAILED] > 0);
}

/* However long the search, a booking stays small, and its end is still in the timeline. */
static void test_bounded(void **unused) {
    (void)unused;
    struct world *w = world_new(11);
    create(w, STOPS_MAX);
    for (int i = 0; i < 300; i++)
        decline(w, i % DRIVERS, offer(w, i % DRIVERS));
    assert_int_equal(w->b->timeline_count, TIMELINE_MAX - TIMELINE_RESERVED);
    assert_int_equal(w->b->closed_count, CLOSED_MAX);
    accept(w, 0, offer(w, 0));
    status(w, 0, BOOKING_ARRIVED_PICKUP, 0);
    status(w, 0, BOOKING_PICKED_UP, 0);
    for (int64_t stop = 1; stop < STOPS_MAX; stop++) {
        assert_int_equal(status(w, 0, BOOKING_ARRIVED_DROPOFF, stop), 200);
        assert_int_equal(status(w, 0, BOOKING_DELIVERED, stop), 200);
    }
    assert_int_equal(rate(w, w->customer, 5), 200);
    assert_int_equal(w->b->timeline[w->b->timeline_count - 1].type, ENTRY_RATED);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_offer_won_and_lost),
        cmocka_unit_test(test_offer_declined_and_timed_out),
        cmocka_unit_test(test_delivery_of_three),
        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_cancel_closes_offers),
        cmocka_unit_test(test_assign),
        cmocka_unit_test(test_assign_refused),
        cmocka_unit_test(test_assign_meets_offer),
        cmocka_unit_test(test_events_out_of_order),
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
