/* A booking whose driver finishes another one first: it waits, and is his once he has; or he does
 * not come to it, and it is looked for anew. */
#include "services/booking/fees.h"
#include "services/booking/figures.h"
#include "services/booking/test_world.h"

#define FREE_S 300

static struct ev_claim *next_of(struct world *w, int driver, struct str offer_id) {
    struct ev_claim *claim = claim_of(w, driver, offer_id);
    claim->after = id_new(&w->arena, "bkg", w->now_us, &w->rng);
    claim->free_at_us = w->now_us + FREE_S * US_PER_S;
    claim->pickup_eta_s = FREE_S + 60;
    return claim;
}

static struct ev_claim *offer_next(struct world *w, int driver) {
    struct ev_claim *claim = next_of(w, driver, id_new(&w->arena, "ofr", w->now_us, &w->rng));
    run(w, &booking_offered, (struct identity){0}, claim, NULL);
    return claim;
}

static void say(struct world *w, const struct command_type *type, struct ev_claim *claim) {
    run(w, type, (struct identity){0}, claim, NULL);
}

static int32_t entries(const struct world *w, int32_t type) {
    int32_t n = 0;
    for (int32_t i = 0; i < w->b->timeline_count; i++)
        n += w->b->timeline[i].type == type;
    return n;
}

/* The driver's service says so: he is at it now. */
static struct ev_claim *begun(struct world *w, const struct ev_claim *claim) {
    struct ev_claim *now = arena_copy(&w->arena, claim, sizeof(*claim));
    now->after = STR_NONE;
    now->free_at_us = 0;
    return now;
}

static void test_waits_and_begins(void **unused) {
    (void)unused;
    struct world *w = world_new(1);
    create(w, 2);
    struct ev_claim *claim = offer_next(w, 0);
    assert_true(told(w, EV_BOOKING_OFFERED, "\"free_at\":\""));
    assert_int_equal(accept(w, 0, claim->offer_id), 200);
    assert_true(body_has(w, "\"free_at\":\"") && booking_waits(w->b));
    assert_int_equal(w->b->pickup_due_us, w->now_us + (FREE_S + 60) * US_PER_S);
    assert_true(told(w, EV_BOOKING_ASSIGNED, "\"free_at\":\""));
    assert_int_equal(status(w, 0, BOOKING_ARRIVED_PICKUP, 0), 409);
    assert_true(body_has(w, "finish the booking that you have before it first"));
    assert_true(body_has(w, "\"allowed\":[\"cancelled\"]") && body_has(w, "\"free_at\":\""));
    w->b->stops[0].reached_at_us = w->now_us; /* the other one ends at its door */
    assert_int_equal(booking_suggested(w->b), BOOKING_NONE);
    say(w, &booking_next_begun, begun(w, claim));
    assert_false(booking_waits(w->b));
    assert_int_equal(entries(w, ENTRY_DRIVER_FREE), 1);
    assert_true(told(w, EV_BOOKING_DRIVER_FREE, "\"driver_id\":\"drv_"));
    assert_int_equal(booking_suggested(w->b), BOOKING_ARRIVED_PICKUP);
    say(w, &booking_next_begun, begun(w, claim)); /* twice */
    assert_null(w->d.state);
    assert_int_equal(status(w, 0, BOOKING_ARRIVED_PICKUP, 0), 200);
    world_free(w);
}

/* What he did before it was the other one's time, not this one's. */
static void test_busy_since_he_is_free(void **unused) {
    (void)unused;
    struct world *w = world_new(9);
    create(w, 2);
    struct ev_claim *claim = offer_next(w, 0);
    assert_int_equal(accept(w, 0, claim->offer_id), 200);
    w->now_us += FREE_S * US_PER_S;
    say(w, &booking_next_begun, begun(w, claim));
    int64_t free_us = w->now_us;
    w->now_us += 60 * US_PER_S;
    assert_int_equal(cancel(w, w->customer), 200);
    struct figure figures[FIGURES_MAX];
    int32_t count = figures_of(w->b, figures), of_driver = 0;
    for (int32_t i = 0; i < count; i++) {
        if (figures[i].driver_id.p == NULL || figures[i].since_us == 0)
            continue;
        of_driver++;
        assert_int_equal(figures[i].since_us, free_us);
        assert_int_equal(figures[i].counts.n[COUNT_BUSY_S], 60);
    }
    assert_int_equal(of_driver, 1);
    world_free(w);
}

/* He finishes before he has answered: what he is asked is like any offer then. */
static void test_free_before_he_answers(void **unused) {
    (void)unused;
    struct world *w = world_new(2);
    create(w, 2);
    struct ev_claim *claim = offer_next(w, 0);
    say(w, &booking_next_begun, begun(w, claim));
    assert_int_equal(w->b->offers[0].driver.free_at_us, 0);
    assert_int_equal(entries(w, ENTRY_DRIVER_FREE), 0); /* to nobody's interest */
    assert_int_equal(accept(w, 0, claim->offer_id), 200);
    assert_false(booking_waits(w->b));
    assert_int_equal(status(w, 0, BOOKING_ARRIVED_PICKUP, 0), 200);
    /* this comes before the claim itself: it says as much */
    create(w, 2);
    claim = next_of(w, 1, id_new(&w->arena, "ofr", w->now_us, &w->rng));
    say(w, &booking_next_begun, begun(w, claim));
    assert_int_equal(w->b->state, BOOKING_OFFERED);
    say(w, &booking_offered, claim);
    assert_null(w->d.state);
    assert_int_equal(accept(w, 1, claim->offer_id), 200);
    assert_false(booking_waits(w->b));
    world_free(w);
}

/* He will not come to it: it is looked for anew, and its customer is told; but what he has begun is
 * his to finish. */
static void test_does_not_come(void **unused) {
    (void)unused;
    struct world *w = world_new(3);
    create(w, 2);
    struct ev_claim *claim = offer_next(w, 0);
    accept(w, 0, claim->offer_id);
    claim->reason = STR("what he carries before it takes longer than was promised");
    w->now_us += 900 * US_PER_S;
    say(w, &booking_dropped, claim);
    assert_int_equal(w->b->state, BOOKING_REQUESTED);
    assert_null(w->b->driver);
    assert_true(w->b->search_until_us > w->now_us && w->b->pickup_due_us == 0);
    assert_true(told(w, EV_BOOKING_UNASSIGNED, "takes longer than was promised"));
    assert_true(told_of(w, EV_BOOKING_UNASSIGNED, claim->offer_id));
    say(w, &booking_dropped, claim); /* twice: the claim is to go */
    assert_true(w->b->driver == NULL && w->b->state == BOOKING_REQUESTED);
    say(w, &booking_next_begun, begun(w, claim)); /* he has finished after all: too late */
    assert_true(told_of(w, EV_BOOKING_OFFER_CLOSED, claim->offer_id));
    assert_int_equal(w->b->state, BOOKING_REQUESTED);
    claim = offer_next(w, 1);
    accept(w, 1, claim->offer_id);
    say(w, &booking_next_begun, begun(w, claim));
    say(w, &booking_dropped, claim);
    assert_null(w->d.state);
    assert_int_equal(w->b->state, BOOKING_ASSIGNED);
    world_free(w);
}

/* Its hands change as those of any: given back, to another, cancelled; and not for ever. */
static void test_changes_hands(void **unused) {
    (void)unused;
    struct world *w = world_new(4);
    create(w, 2);
    struct ev_claim *claim = offer_next(w, 0);
    accept(w, 0, claim->offer_id);
    assert_int_equal(release(w, 0), 200);
    assert_int_equal(w->b->state, BOOKING_REQUESTED);
    accept(w, 1, offer_next(w, 1)->offer_id);
    assert_int_equal(reassign(w, 2, "is nearer"), 202);
    struct ev_claim *wanted = claim_of(w, 2, w->d.park_key);
    wanted->manual = true;
    say(w, &booking_offered, wanted);
    assert_int_equal(w->b->state, BOOKING_ASSIGNED);
    assert_false(booking_waits(w->b));
    assert_int_equal(unassign(w, w->staff, TRI_ABSENT), 200);
    claim = offer_next(w, 3);
    accept(w, 3, claim->offer_id);
    assert_int_equal(cancel(w, w->customer), 200);
    assert_int_equal(w->b->state, BOOKING_CANCELLED);
    assert_false(body_has(w, "free_at"));
    say(w, &booking_next_begun, begun(w, claim));
    assert_null(w->d.state);
    create(w, 2);
    for (int i = 0; i < HANDS_MAX; i++) {
        claim = offer_next(w, i % DRIVERS);
        accept(w, i % DRIVERS, claim->offer_id);
        say(w, &booking_dropped, claim);
        assert_int_equal(w->b->state, BOOKING_REQUESTED);
    }
    claim = offer_next(w, 0);
    accept(w, 0, claim->offer_id);
    say(w, &booking_dropped, claim); /* however late: nobody else is looked for */
    assert_int_equal(w->b->state, BOOKING_ASSIGNED);
    say(w, &booking_next_begun, begun(w, claim));
    assert_int_equal(status(w, 0, BOOKING_ARRIVED_PICKUP, 0), 200);
    world_free(w);
}

/* Nobody is on the way while he finishes the other: cancelling costs nothing, and the free minutes
 * begin when he does. */
static void test_cancelling(void **unused) {
    (void)unused;
    struct world *w = world_new(5);
    int64_t until_us;
    create(w, 2);
    w->b->terms.cancel_free_minutes = 2;
    w->b->terms.cancel_assigned_percent = 10;
    struct ev_claim *claim = offer_next(w, 0);
    accept(w, 0, claim->offer_id);
    w->now_us += 3600 * US_PER_S;
    assert_int_equal(fees_cancel(w->b, w->now_us, &until_us), 0);
    assert_int_equal(until_us, w->now_us + 120 * US_PER_S);
    say(w, &booking_next_begun, begun(w, claim));
    assert_int_equal(fees_cancel(w->b, w->now_us + 119 * US_PER_S, &until_us), 0);
    assert_int_equal(until_us, w->now_us + 120 * US_PER_S);
    assert_true(fees_cancel(w->b, w->now_us + 120 * US_PER_S, &until_us) > 0);
    create(w, 2); /* where nothing is free he waits for nothing all the same */
    w->b->terms.cancel_free_minutes = 0;
    w->b->terms.cancel_assigned_percent = 10;
    claim = offer_next(w, 1);
    accept(w, 1, claim->offer_id);
    assert_int_equal(fees_cancel(w->b, w->now_us, &until_us), 0);
    say(w, &booking_next_begun, begun(w, claim));
    assert_true(fees_cancel(w->b, w->now_us, &until_us) > 0);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_and_begins), cmocka_unit_test(test_free_before_he_answers),
        cmocka_unit_test(test_does_not_come),    cmocka_unit_test(test_changes_hands),
        cmocka_unit_test(test_cancelling),       cmocka_unit_test(test_busy_since_he_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
