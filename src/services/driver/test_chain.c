/* What comes next: a driver who is about to finish is asked for it, and what becomes of that. The
 * test plays the booking service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "services/driver/journey.h"
#include "services/driver/service_internal.h"
#include "services/driver/test_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAT 57.70
#define LNG 11.97
#define M (1 / 111195.0) /* degrees of latitude */
#define END_M 1112       /* the first booking ends so far north of its pickup */
#define SOON_S 600
#define WIDE_M 6000 /* the first circle has room for what he still needs */
#define LATE_S 120

struct day {
    struct rig *r;
    const char *user;
    struct ev_booking first, second; /* that he carries; that begins 300 m north of where it ends */
};

static void say(struct day *d, const char *type, int32_t state, int64_t next_stop) {
    d->first.version++;
    d->first.state = state;
    d->first.next_stop = next_stop;
    rig_say_booking(d->r, type, &d->first);
}

/* He has the goods of the first and is METRES before its end; the second is not booked yet. */
static struct day day_with(struct rig *r, double metres, int64_t cash) {
    struct day d = {.r = r};
    d.r->options.chain_eta_s = SOON_S;
    d.r->options.chain_late_s = LATE_S;
    if (d.r->options.search_radius_m == 0)
        d.r->options.search_radius_m = WIDE_M;
    rig_reopen(d.r);
    d.user = rig_driver(d.r, "van", LAT, LNG);
    d.first = rig_booking(d.r, VEHICLE_VAN, LAT, LNG);
    d.first.cash = cash;
    rig_say_booking(d.r, EV_BOOKING_REQUESTED, &d.first);
    const struct ev_claim *claim = rig_last(d.r, EV_DISPATCH_OFFERED);
    d.first.driver_id = claim->driver_id;
    d.first.driver_user_id = claim->driver_user_id;
    d.first = rig_with_offer(d.r, &d.first, claim->offer_id, claim->driver_id, NULL);
    say(&d, EV_BOOKING_ASSIGNED, BOOKING_ASSIGNED, 0);
    d.first.offer = NULL;
    say(&d, EV_BOOKING_PROGRESSED, BOOKING_ARRIVED_PICKUP, 0);
    say(&d, EV_BOOKING_PROGRESSED, BOOKING_PICKED_UP, 1);
    house_advance(d.r->house, (int64_t)(END_M - metres) / 10 * US_PER_S);
    rig_fix(d.r, d.user, LAT + (END_M - metres) * M, LNG);
    house_advance(d.r->house, 12 * US_PER_S); /* his journey has woken since */
    d.second = rig_booking(d.r, VEHICLE_VAN, LAT + (END_M + 300) * M, LNG);
    return d;
}
static struct day day_new(uint64_t seed, double metres) {
    return day_with(rig_new(seed), metres, 0);
}

static const struct ev_claim *ask(struct day *d) {
    rig_say_booking(d->r, EV_BOOKING_REQUESTED, &d->second);
    return rig_last(d->r, EV_DISPATCH_OFFERED);
}

static bool is_asked(struct day *d, const struct ev_claim *claim) {
    return claim != NULL && str_eq(claim->booking_id, d->second.booking_id) &&
           str_is(claim->driver_id, rig_driver_id(d->r, d->user));
}

/* What the booking service says of the claim; then it is his. */
static void offered(struct day *d, const struct ev_claim *claim) {
    struct ev_booking with =
        rig_with_offer(d->r, &d->second, claim->offer_id, claim->driver_id, NULL);
    with.offer->free_at_us = claim->free_at_us;
    with.state = BOOKING_OFFERED;
    rig_say_booking(d->r, EV_BOOKING_OFFERED, &with);
}
static void taken(struct day *d, const struct ev_claim *claim) {
    offered(d, claim);
    d->second.version++;
    d->second.driver_id = claim->driver_id;
    d->second.driver_user_id = claim->driver_user_id;
    struct ev_booking with =
        rig_with_offer(d->r, &d->second, claim->offer_id, claim->driver_id, NULL);
    with.state = BOOKING_ASSIGNED;
    with.next_stop = 0;
    rig_say_booking(d->r, EV_BOOKING_ASSIGNED, &with);
}
static void unassigned(struct day *d, struct ev_booking *b, struct str offer_id, const char *how) {
    struct ev_booking with = rig_with_offer(d->r, b, offer_id, b->driver_id, how);
    with.offer->why = STR("too late");
    with.state = BOOKING_REQUESTED;
    with.version = ++b->version;
    with.driver_id = with.driver_user_id = STR_NONE;
    with.search_until_us = d->r->house->now_us + 180 * US_PER_S;
    rig_say_booking(d->r, EV_BOOKING_UNASSIGNED, &with);
}

static const struct driver *him(struct day *d) {
    return rig_stored(d->r, d->user);
}
static bool carries(struct day *d, const struct ev_booking *b) {
    const struct driver *is = him(d);
    return driver_active(is) && str_eq(is->claim->booking_id, b->booking_id) &&
           is->duty == DUTY_BUSY;
}
static bool has_next(struct day *d, const struct ev_booking *b) {
    const struct driver *is = him(d);
    return is->next != NULL && str_eq(is->next->booking_id, b->booking_id) && is->next->active;
}
static bool body_has(struct str body, const char *text) {
    return memmem(body.p, body.len, text, strlen(text)) != NULL;
}

static const struct search_candidate *candidate(struct day *d) {
    const struct search *s = rig_search(d->r, d->second.booking_id.p);
    CHECK(s != NULL && s->round_count > 0);
    const struct search_round *round = &s->rounds[s->round_count - 1];
    for (int32_t i = 0; i < round->candidate_count; i++) {
        if (str_is(round->candidates[i].driver_id, rig_driver_id(d->r, d->user)))
            return &round->candidates[i];
    }
    return NULL;
}

/* He is asked, takes it, ends what he has, and goes on. */
static void test_goes_on(void **unused) {
    (void)unused;
    struct day d = day_new(1, 500);
    struct house *h = d.r->house;
    const struct ev_claim *claim = ask(&d);
    assert_true(is_asked(&d, claim));
    assert_true(str_eq(claim->after, d.first.booking_id));
    /* some 40 s of way, and what a stop takes; then 30 s to the pickup */
    int64_t free_in_s = (claim->free_at_us - h->now_us) / US_PER_S;
    assert_true(free_in_s >= 30 + ETA_STAND_US / US_PER_S &&
                free_in_s <= 55 + ETA_STAND_US / US_PER_S);
    assert_int_equal(claim->pickup_eta_s, free_in_s + 30);
    const struct search_candidate *c = candidate(&d);
    assert_true(str_eq(c->after, d.first.booking_id) && c->free_in_s == free_in_s);
    assert_true(str_starts(c->reason, "finishes bkg_") && c->rank == 1);
    assert_int_equal(c->distance_m, 300); /* from where he will be */
    offered(&d, claim);
    char at[TIMESTAMP_TEXT_MAX];
    timestamp_format(claim->free_at_us, at);
    struct str body = rig_expect(d.r, 200, ROLE_DRIVER, d.user, "GET", "/v1/driver/offers", NULL);
    assert_true(body_has(body, d.second.booking_id.p) && body_has(body, "\"free_at\":\""));
    assert_true(body_has(body, at));
    assert_true(body_has(rig_expect(d.r, 200, ROLE_DRIVER, d.user, "GET", "/v1/driver", NULL),
                         "\"next_booking_id\":null"));
    taken(&d, claim);
    assert_true(carries(&d, &d.first) && has_next(&d, &d.second));
    assert_true(body_has(rig_expect(d.r, 200, ROLE_DRIVER, d.user, "GET", "/v1/driver", NULL),
                         "\"next_booking_id\":\"bkg_"));
    assert_int_equal(rig_count(d.r, EV_DRIVER_NEXT_BEGUN), 0);
    assert_int_equal(him(&d)->accepted, 2);
    say(&d, EV_BOOKING_DELIVERED, BOOKING_DELIVERED, 2);
    assert_true(str_eq(rig_last(d.r, EV_DRIVER_NEXT_BEGUN)->offer_id, claim->offer_id));
    assert_true(carries(&d, &d.second));
    assert_null(him(&d)->next);
    assert_int_equal(him(&d)->claim->free_at_us, 0);
    say(&d, EV_BOOKING_DELIVERED, BOOKING_DELIVERED, 2); /* heard twice: nothing more */
    assert_int_equal(rig_count(d.r, EV_DRIVER_NEXT_BEGUN), 1);
    d.second.state = BOOKING_DELIVERED;
    d.second.version++;
    rig_say_booking(d.r, EV_BOOKING_DELIVERED, &d.second);
    assert_true(him(&d)->claim == NULL && him(&d)->duty == DUTY_ON);
    rig_free(d.r);
}

/* Nobody holds more than one next; who is free and nearer is asked before. */
static void test_one_next(void **unused) {
    (void)unused;
    struct day d = day_new(2, 500);
    taken(&d, ask(&d));
    struct ev_booking third = rig_booking(d.r, VEHICLE_VAN, LAT + (END_M + 200) * M, LNG);
    int32_t asked = rig_count(d.r, EV_DISPATCH_OFFERED);
    rig_say_booking(d.r, EV_BOOKING_REQUESTED, &third);
    assert_int_equal(rig_count(d.r, EV_DISPATCH_OFFERED), asked);
    rig_free(d.r);
    d = day_new(3, 500);
    const char *other = rig_driver(d.r, "van", LAT + (END_M + 900) * M, LNG); /* 60 s away */
    const struct ev_claim *claim = ask(&d);
    assert_true(str_is(claim->driver_id, rig_driver_id(d.r, other)) && claim->after.p == NULL);
    assert_int_equal(candidate(&d)->rank, 2);
    rig_free(d.r);
}

/* Not whose end is too far off, or not known: with a stop between, or goods that go back. */
static void test_who_is_not(void **unused) {
    (void)unused;
    struct day d = day_new(4, 500);
    say(&d, EV_BOOKING_STOPS_CHANGED, BOOKING_PICKED_UP, 0); /* two stops lie before him */
    house_advance(d.r->house, 12 * US_PER_S);
    assert_false(is_asked(&d, ask(&d)));
    assert_int_equal(candidate(&d)->reason_code, REASON_BUSY);
    rig_free(d.r);
    d = day_new(5, 500);
    d.first.goes_back = true;
    say(&d, EV_BOOKING_PROGRESSED, BOOKING_PICKED_UP, 1);
    assert_false(is_asked(&d, ask(&d)));
    rig_free(d.r);
    d = day_new(6, 500);
    d.r->options.chain_eta_s = 60; /* he needs longer, with what a stop takes */
    rig_reopen(d.r);
    rig_fix(d.r, d.user, LAT + (END_M - 450) * M, LNG);
    house_advance(d.r->house, 12 * US_PER_S);
    assert_false(is_asked(&d, ask(&d)));
    rig_free(d.r);
    d = day_new(7, 500);
    d.r->options.chain_eta_s = 0;
    rig_reopen(d.r);
    rig_fix(d.r, d.user, LAT + (END_M - 450) * M, LNG);
    house_advance(d.r->house, 12 * US_PER_S);
    assert_false(is_asked(&d, ask(&d)));
    rig_free(d.r);
}

/* What he carries brings him cash that he has not taken yet: it counts. */
static void test_cash_to_come(void **unused) {
    (void)unused;
    for (int64_t cash = 499; cash <= 500; cash++) {
        struct rig *r = rig_new(20);
        r->options.cash_limit = 500;
        struct day d = day_with(r, 500, cash);
        d.second.cash = 300;
        assert_int_equal(is_asked(&d, ask(&d)), cash < 500);
        if (cash == 500)
            assert_int_equal(candidate(&d)->reason_code, REASON_CASH_LIMIT);
        rig_free(r);
    }
}

/* Who would be free when his shift is over is not asked for what comes then. */
static void test_end_of_shift(void **unused) {
    (void)unused;
    static const char *const ends[] = {"10:03", "10:30"}; /* he is free at 10:05 or so */
    for (int i = 0; i < 2; i++) {
        struct day d = day_new(21, 500);
        char shifts[100];
        snprintf(shifts, sizeof shifts,
                 "{\"shifts\":[{\"day\":\"mon\",\"from\":\"08:00\",\"to\":\"%s\"}]}", ends[i]);
        rig_expect(d.r, 200, ROLE_DRIVER, d.user, "PUT", "/v1/driver/schedule", shifts);
        assert_int_equal(is_asked(&d, ask(&d)), i == 1);
        if (i == 0)
            assert_true(str_is(rig_last(d.r, EV_DISPATCH_REFUSED)->reason, "the shift has ended"));
        rig_free(d.r);
    }
}

/* With what he still needs he is as far as somebody free beyond the first circle: both are looked
 * at, and the one who is there first is asked. */
static void test_weighed_with_who_is_free(void **unused) {
    (void)unused;
    struct rig *r = rig_new(22);
    r->options.search_radius_m = 1500;
    struct day d = day_with(r, 500, 0);
    const char *other = rig_driver(r, "van", LAT + (END_M + 300 + 1800) * M, LNG); /* 180 s away */
    rig_say_booking(r, EV_BOOKING_REQUESTED, &d.second);
    house_advance(r->house, 10 * US_PER_S);
    const struct ev_claim *claim = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(str_eq(claim->booking_id, d.second.booking_id));
    assert_true(str_is(claim->driver_id, rig_driver_id(r, other)));
    assert_true(str_eq(candidate(&d)->after, d.first.booking_id)); /* he was weighed */
    rig_free(r);
}

/* He takes too long: the booking is told, once it is beyond the bound, and asks others. */
static void test_too_late(void **unused) {
    (void)unused;
    struct day d = day_new(8, 500);
    const struct ev_claim claim = *ask(&d);
    taken(&d, &claim);
    int64_t bound_us = claim.free_at_us + LATE_S * US_PER_S;
    house_advance(d.r->house, bound_us - US_PER_S - d.r->house->now_us);
    assert_int_equal(rig_count(d.r, EV_DRIVER_DROPPED), 0);
    house_advance(d.r->house, 2 * US_PER_S);
    assert_int_equal(rig_count(d.r, EV_DRIVER_DROPPED), 1);
    assert_true(str_eq(rig_last(d.r, EV_DRIVER_DROPPED)->offer_id, claim.offer_id));
    assert_true(has_next(&d, &d.second)); /* until the booking has said so */
    unassigned(&d, &d.second, claim.offer_id, "unassigned");
    assert_true(carries(&d, &d.first));
    assert_null(him(&d)->next);
    house_advance(d.r->house, 60 * US_PER_S);
    assert_int_equal(rig_count(d.r, EV_DRIVER_DROPPED), 1);
    /* nor is he asked for it again */
    assert_int_equal(rig_count(d.r, EV_DISPATCH_OFFERED), 2);
    say(&d, EV_BOOKING_DELIVERED, BOOKING_DELIVERED, 2);
    assert_int_equal(rig_count(d.r, EV_DRIVER_NEXT_BEGUN), 0);
    assert_int_equal(him(&d)->duty, DUTY_ON);
    rig_free(d.r);
}

/* However the first ends, he goes on; if the second goes, the first stays. */
static void test_each_end(void **unused) {
    (void)unused;
    static const struct {
        const char *type;
        int32_t state;
    } ends[] = {{EV_BOOKING_CANCELLED, BOOKING_CANCELLED},
                {EV_BOOKING_FAILED, BOOKING_FAILED},
                {EV_BOOKING_RETURNED, BOOKING_RETURNED}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct day d = day_new(10 + i, 500);
        taken(&d, ask(&d));
        say(&d, ends[i].type, ends[i].state, 2);
        assert_true(carries(&d, &d.second));
        assert_int_equal(rig_count(d.r, EV_DRIVER_NEXT_BEGUN), 1);
        rig_free(d.r);
    }
    struct day d = day_new(20, 500); /* a dispatcher takes the first from him */
    taken(&d, ask(&d));
    unassigned(&d, &d.first, him(&d)->claim->offer_id, "unassigned");
    assert_true(carries(&d, &d.second));
    rig_free(d.r);
    d = day_new(21, 500); /* the second is cancelled */
    taken(&d, ask(&d));
    d.second.state = BOOKING_CANCELLED;
    d.second.version++;
    rig_say_booking(d.r, EV_BOOKING_CANCELLED, &d.second);
    assert_true(carries(&d, &d.first));
    assert_null(him(&d)->next);
    rig_free(d.r);
    d = day_new(22, 500); /* he has not answered yet: it stays an offer, and he is free */
    offered(&d, ask(&d));
    say(&d, EV_BOOKING_DELIVERED, BOOKING_DELIVERED, 2);
    assert_true(him(&d)->claim != NULL && !him(&d)->claim->active && him(&d)->duty == DUTY_ON);
    assert_int_equal(rig_count(d.r, EV_DRIVER_NEXT_BEGUN), 1);
    rig_free(d.r);
}

/* Who may not drive any more goes on with what he carries, and with nothing else. */
static void test_suspended(void **unused) {
    (void)unused;
    struct day d = day_new(30, 500);
    const struct ev_claim claim = *ask(&d);
    taken(&d, &claim);
    char path[64];
    snprintf(path, sizeof path, "/v1/drivers/%s", rig_driver_id(d.r, d.user));
    rig_expect(d.r, 200, ROLE_ADMIN, NULL, "PATCH", path,
               "{\"status\":\"suspended\",\"reason\":\"complaints\"}");
    assert_true(str_eq(rig_last(d.r, EV_DRIVER_DROPPED)->offer_id, claim.offer_id));
    unassigned(&d, &d.second, claim.offer_id, "unassigned");
    assert_true(carries(&d, &d.first));
    say(&d, EV_BOOKING_DELIVERED, BOOKING_DELIVERED, 2);
    assert_true(him(&d)->claim == NULL && him(&d)->duty == DUTY_OFF);
    rig_free(d.r);
}

/* A dispatcher may give it to him as dispatch would; without the option he is busy. */
static void test_by_hand(void **unused) {
    (void)unused;
    struct day d = day_new(40, 500);
    for (int on = 1; on >= 0; on--) {
        d.second = rig_booking(d.r, VEHICLE_VAN, LAT + 1, LNG); /* too far for dispatch */
        rig_say_booking(d.r, EV_BOOKING_REQUESTED, &d.second);
        struct ev_booking wanted = rig_with_offer(d.r, &d.second, house_id(d.r->house, "ofr"),
                                                  str_from(rig_driver_id(d.r, d.user)), NULL);
        wanted.offer->manual = true;
        rig_say_booking(d.r, EV_BOOKING_ASSIGN_WANTED, &wanted);
        const struct ev_claim *said = rig_last(d.r, on ? EV_DISPATCH_OFFERED : EV_DISPATCH_REFUSED);
        assert_true(is_asked(&d, said) && str_eq(said->offer_id, wanted.offer->id));
        if (!on) {
            assert_true(str_is(said->reason, "busy with another booking"));
            break;
        }
        assert_true(said->manual && str_eq(said->after, d.first.booking_id));
        assert_true(said->free_at_us > d.r->house->now_us);
        rig_free(d.r);
        d = day_new(41, 500);
        d.r->options.chain_eta_s = 0;
        rig_reopen(d.r);
        rig_fix(d.r, d.user, LAT + (END_M - 450) * M, LNG);
    }
    rig_free(d.r);
}

/* The customer of the second sees when he will be there, from where the first ends. */
static void test_when_he_comes(void **unused) {
    (void)unused;
    struct day d = day_new(50, 500);
    taken(&d, ask(&d));
    house_advance(d.r->house, 12 * US_PER_S);
    void *state;
    struct str id = journey_id(&d.r->arena, d.second.booking_id);
    assert_int_equal(aggregate_get(&journey_aggregate, d.r->house->worker.reader, d.r->parser, id,
                                   &d.r->arena, &state),
                     0);
    const struct journey *j = state;
    int64_t in_s = (j->stops[0].shown.at_us - d.r->house->now_us) / US_PER_S;
    int64_t stand_s = ETA_STAND_US / US_PER_S;
    assert_true(in_s > stand_s + 30 && in_s < stand_s + 100);
    assert_true(j->elsewhere_us == 0 && j->seen_us == 0); /* where he is is not of this one */
    rig_free(d.r);
}

/* Another replica follows his journey, and says what comes of it. */
static void test_told_by_another(void **unused) {
    (void)unused;
    struct day d = day_new(60, 500);
    struct roster *roster = d.r->service->roster;
    struct signal_ends said, none = {.at_us = 0};
    struct str id = str_from(rig_driver_id(d.r, d.user));
    assert_int_equal(roster_about_to_finish(roster, id, &said), 0);
    assert_true(str_is(d.first.booking_id, said.booking_id) && str_is(id, said.driver_id));
    none = said;
    none.at_us = 0;
    snprintf(none.booking_id, sizeof none.booking_id, "%s", d.second.booking_id.p);
    roster_heard_ends(roster, &none); /* late news of another one */
    assert_int_equal(roster_about_to_finish(roster, id, &said), 0);
    none.at_us = said.at_us;
    roster_heard_ends(roster, &none); /* of what he does not carry, or not yet */
    assert_int_equal(roster_about_to_finish(roster, id, &none), ERR_NOT_FOUND);
    roster_heard_ends(roster, &said);
    assert_int_equal(roster_about_to_finish(roster, id, &none), 0);
    snprintf(none.driver_id, sizeof none.driver_id, "%s", house_id(d.r->house, "drv").p);
    roster_heard_ends(roster, &none); /* of a stranger */
    said.at_us = 0;
    roster_heard_ends(roster, &said);
    assert_int_equal(roster_about_to_finish(roster, id, &none), ERR_NOT_FOUND);
    rig_free(d.r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on),         cmocka_unit_test(test_one_next),
        cmocka_unit_test(test_who_is_not),      cmocka_unit_test(test_too_late),
        cmocka_unit_test(test_each_end),        cmocka_unit_test(test_suspended),
        cmocka_unit_test(test_by_hand),         cmocka_unit_test(test_when_he_comes),
        cmocka_unit_test(test_told_by_another), cmocka_unit_test(test_cash_to_come),
        cmocka_unit_test(test_end_of_shift),    cmocka_unit_test(test_weighed_with_who_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
