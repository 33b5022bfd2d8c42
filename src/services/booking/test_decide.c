/* The decisions of a booking, as stories. */
#include "services/booking/test_world.h"

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
                            "\"note\":null,\"state\":\"pending\",\"eta\":null}"));
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
    struct str late = offer(w, 3); /* the search is over, whether or not the wake-up has come */
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, late));
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

/* Who takes every offer has it as soon as he is claimed; nobody else's offer stays open. */
static void test_taken_at_once(void **unused) {
    (void)unused;
    struct world *w = world_new(35);
    create(w, 2);
    struct str first = offer(w, 0);
    struct str id = id_new(&w->arena, "ofr", w->now_us, &w->rng);
    struct ev_claim *claim = claim_of(w, 1, id);
    claim->at_once = true;
    run(w, &booking_offered, (struct identity){0}, claim, NULL);
    assert_int_equal(w->b->state, BOOKING_ASSIGNED);
    assert_true(str_eq(w->b->driver->user_id, w->drivers[1].user_id));
    assert_true(told(w, EV_BOOKING_ASSIGNED, "\"at_once\":true"));
    assert_false(told(w, EV_BOOKING_OFFERED, ""));
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, first));
    run(w, &booking_offered, (struct identity){0}, claim, NULL); /* heard again */
    assert_null(w->d.state);
    /* too late for it, like for any */
    claim = claim_of(w, 2, id_new(&w->arena, "ofr", w->now_us, &w->rng));
    claim->at_once = true;
    run(w, &booking_offered, (struct identity){0}, claim, NULL);
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, claim->offer_id));
    assert_true(str_eq(w->b->driver->user_id, w->drivers[1].user_id));
    world_free(w);
}

static void test_released(void **unused) {
    (void)unused;
    struct world *w = world_new(31);
    create(w, 2);
    struct str first = offer(w, 0);
    accept(w, 0, first);
    status(w, 0, BOOKING_ARRIVED_PICKUP, 0);
    w->now_us += 300 * US_PER_S;
    assert_int_equal(release(w, 1), 404); /* not his */
    assert_int_equal(release(w, 0), 200);
    assert_int_equal(w->b->state, BOOKING_REQUESTED);
    assert_null(w->b->driver);
    assert_int_equal(w->b->search_until_us, w->now_us + 180 * US_PER_S); /* a search of its own */
    assert_true(told_of(w, EV_BOOKING_UNASSIGNED, first));
    assert_true(told(w, EV_BOOKING_UNASSIGNED, "\"reason\":\"released\",\"why\":\"a puncture\""));
    assert_true(told(w, EV_BOOKING_UNASSIGNED, "\"stops\":[{")); /* dispatch may begin */
    assert_false(told(w, EV_AUDIT_RECORDED, ""));                /* his own affair */
    assert_int_equal(release(w, 0), 404);
    assert_int_equal(status(w, 0, BOOKING_PICKED_UP, 0), 404);
    assert_int_equal(accept(w, 0, first), 409); /* what he had is no offer any more */
    /* another takes it, and then it is too late to give it back */
    accept(w, 1, offer(w, 1));
    status(w, 1, BOOKING_ARRIVED_PICKUP, 0);
    status(w, 1, BOOKING_PICKED_UP, 0);
    assert_int_equal(release(w, 1), 409);
    assert_int_equal(unassign(w, w->staff, TRI_ABSENT), 409);
    assert_int_equal(reassign(w, 2, "nearer"), 409);
    world_free(w);
}

/* The audit log hears that the dispatcher did this, also where the driver's claim came later. */
static void audited(const struct world *w, const char *action) {
    char actor[64];
    snprintf(actor, sizeof actor, "\"actor_id\":\"%.*s\"", STR_ARG(w->staff.user_id));
    assert_true(told(w, EV_AUDIT_RECORDED, action));
    assert_true(told(w, EV_AUDIT_RECORDED, actor));
    assert_true(told(w, EV_AUDIT_RECORDED, "\"driver\":"));
}

static void test_unassigned(void **unused) {
    (void)unused;
    struct world *w = world_new(32);
    create(w, 2);
    assert_int_equal(unassign(w, w->staff, TRI_ABSENT), 409); /* nobody has it */
    struct str first = offer(w, 0);
    accept(w, 0, first);
    assert_int_equal(unassign(w, w->customer, TRI_ABSENT), 403);
    assert_int_equal(unassign(w, w->stranger, TRI_ABSENT), 404);
    assert_int_equal(unassign(w, w->staff, TRI_FALSE), 200);
    assert_true(body_has(w, "\"held\":true"));
    assert_true(told(w, EV_BOOKING_UNASSIGNED, "\"held\":true"));
    assert_true(told(w, EV_AUDIT_RECORDED, "booking.unassigned"));
    assert_true(told(w, EV_AUDIT_RECORDED, "he is stuck"));
    assert_int_equal(w->b->search_until_us, w->now_us + 3600 * US_PER_S);
    /* old news of the offer that he had it by change nothing */
    struct ev_claim *claim = claim_of(w, 0, first);
    run(w, &booking_offered, (struct identity){0}, claim, NULL);
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, first));
    assert_int_equal(w->b->state, BOOKING_REQUESTED);
    assert_int_equal(assign(w, 1), 202);
    claim = claim_of(w, 1, w->b->offers[0].id);
    claim->manual = true;
    assert_int_equal(run(w, &booking_offered, (struct identity){0}, claim, NULL), 200);
    assert_int_equal(w->b->state, BOOKING_ASSIGNED);
    assert_false(w->b->held);
    world_free(w);
}

/* To another straight away: the first keeps it until the second is claimed. */
static void test_reassigned(void **unused) {
    (void)unused;
    struct world *w = world_new(33);
    create(w, 2);
    struct str first = offer(w, 0);
    accept(w, 0, first);
    assert_int_equal(assign(w, 1), 422); /* not without a reason */
    assert_true(body_has(w, "\"/reason\""));
    assert_int_equal(reassign(w, 0, "again"), 200); /* his already */
    assert_int_equal(reassign(w, 1, "nearer"), 202);
    assert_true(str_eq(w->b->driver->user_id, w->drivers[0].user_id));
    assert_true(booking_aggregate.wake_at(w->b) > 0);
    struct str wanted = w->b->offers[0].id;
    struct ev_claim *claim = claim_of(w, 1, wanted);
    claim->manual = true;
    claim->reason = STR("off duty");
    run(w, &booking_refused, (struct identity){0}, claim, NULL); /* he cannot: nothing happens */
    assert_true(str_eq(w->b->driver->user_id, w->drivers[0].user_id));
    assert_int_equal(w->b->offer_count, 0);
    assert_false(told(w, EV_AUDIT_RECORDED, "")); /* nor is it noted */
    reassign(w, 2, "nearer");
    claim = claim_of(w, 2, w->b->offers[0].id);
    claim->manual = true;
    assert_int_equal(run(w, &booking_offered, (struct identity){0}, claim, NULL), 200);
    assert_true(str_eq(w->b->driver->user_id, w->drivers[2].user_id));
    assert_true(told_of(w, EV_BOOKING_UNASSIGNED, first));
    assert_true(told(w, EV_BOOKING_UNASSIGNED, "\"reason\":\"reassigned\",\"why\":\"nearer\""));
    assert_true(told_of(w, EV_BOOKING_ASSIGNED, claim->offer_id));
    audited(w, "booking.reassigned");
    assert_true(told(w, EV_AUDIT_RECORDED, "\"reason\":\"nearer\""));
    /* nobody says anything for too long; or it is picked up before he does */
    reassign(w, 1, "nearer");
    w->now_us = booking_aggregate.wake_at(w->b);
    wake(w);
    assert_int_equal(w->b->offer_count, 0);
    assert_int_equal(w->b->state, BOOKING_ASSIGNED);
    status(w, 2, BOOKING_ARRIVED_PICKUP, 0);
    reassign(w, 1, "nearer");
    claim = claim_of(w, 1, w->b->offers[0].id);
    claim->manual = true;
    status(w, 2, BOOKING_PICKED_UP, 0);
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, claim->offer_id));
    assert_int_equal(run(w, &booking_offered, (struct identity){0}, claim, NULL), 409);
    assert_true(str_eq(w->b->driver->user_id, w->drivers[2].user_id));
    world_free(w);
}

/* Enough is enough; until then there is room in the timeline for all of it. */
static void test_handed_on_for_ever(void **unused) {
    (void)unused;
    struct world *w = world_new(34);
    create(w, 20);
    for (int n = 0; n < HANDS_MAX; n++) {
        for (int m = 0; m < 20; m++)
            decline(w, m % DRIVERS, offer(w, m % DRIVERS));
        accept(w, n % DRIVERS, offer(w, n % DRIVERS));
        status(w, n % DRIVERS, BOOKING_ARRIVED_PICKUP, 0);
        assert_int_equal(release(w, n % DRIVERS), 200);
    }
    accept(w, 0, offer(w, 0));
    assert_int_equal(release(w, 0), 409);
    assert_int_equal(unassign(w, w->staff, TRI_ABSENT), 409);
    assert_int_equal(reassign(w, 1, "nearer"), 409);
    assert_int_equal(status(w, 0, BOOKING_ARRIVED_PICKUP, 0), 200);
    assert_int_equal(status(w, 0, BOOKING_PICKED_UP, 0), 200);
    for (int64_t stop = 1; stop < 20; stop++) {
        assert_int_equal(status(w, 0, BOOKING_ARRIVED_DROPOFF, stop), 200);
        assert_int_equal(status(w, 0, BOOKING_DELIVERED, stop), 200);
    }
    assert_int_equal(rate(w, w->customer, 5), 200);
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
    audited(w, "booking.assigned");
    assert_true(str_is(w->b->driver->name, "Ola Berg"));
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, asked));
    assert_int_equal(assign(w, 1), 200);
    assert_int_equal(assign(w, 2), 422); /* not without a reason */
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
    audited(w, "booking.assigned");
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
    assert_true(told_of(w, EV_BOOKING_CLAIM_HOLDS, won)); /* him alone, nobody else */
    assert_false(told(w, EV_BOOKING_ASSIGNED, ""));
    assert_false(told(w, EV_BOOKING_CLAIM_HOLDS, "\"view\""));
    run(w, &booking_dropped, nobody, claim_of(w, 2, won), NULL);
    assert_null(w->d.state); /* his to finish */
    cancel(w, w->staff);
    run(w, &booking_stale, nobody, claim_of(w, 2, won), NULL);
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, won));
    world_free(w);
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

/* Each event of the way back says where that goes: the first of them may be heard last. */
static void test_way_back_is_told(void **unused) {
    (void)unused;
    struct world *w = world_new(17);
    create(w, 2);
    accept(w, 0, offer(w, 0));
    w->b->terms.return_percent = 50;
    w->b->terms.return_per_km = w->b->terms.return_per_minute = 100;
    assert_int_equal(status(w, 0, BOOKING_ARRIVED_PICKUP, 0), 200);
    assert_int_equal(status(w, 0, BOOKING_PICKED_UP, 0), 200);
    assert_int_equal(status(w, 0, BOOKING_ARRIVED_DROPOFF, 1), 200);
    assert_int_equal(status(w, 0, BOOKING_FAILED, 1), 200);
    assert_int_equal(w->b->state, BOOKING_RETURNING);
    assert_int_equal(status(w, 0, BOOKING_ARRIVED_RETURN, 2), 200);
    struct ev_booking ev;
    assert_int_equal(
        schema_load(&ev_booking_schema, w->parser, w->d.events[0].data, &w->arena, &ev), 0);
    assert_true(str_is(w->d.events[0].type, EV_BOOKING_PROGRESSED) && ev.stop_count == 3);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_offer_won_and_lost),
        cmocka_unit_test(test_offer_declined_and_timed_out),
        cmocka_unit_test(test_delivery_of_three),
        cmocka_unit_test(test_taken_at_once),
        cmocka_unit_test(test_released),
        cmocka_unit_test(test_unassigned),
        cmocka_unit_test(test_reassigned),
        cmocka_unit_test(test_handed_on_for_ever),
        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_cancel_closes_offers),
        cmocka_unit_test(test_assign),
        cmocka_unit_test(test_assign_refused),
        cmocka_unit_test(test_assign_meets_offer),
        cmocka_unit_test(test_events_out_of_order),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_way_back_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
