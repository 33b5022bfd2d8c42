/* Dispatch through the house: who is asked, when, and what the trace says of it. The test plays the
 * booking service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "services/driver/journey.h"
#include "services/driver/test_rig.h"

#include <stdio.h>
#include <string.h>

#define LAT 57.7
#define LNG 11.97
#define LAT_M 8.9932e-6 /* a metre north */

#define ROUND_US (61 * US_PER_S) /* retention looks at the old ones so often */

static void assert_str(struct str s, const char *want) {
    if (!str_is(s, want))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), want);
}

/* A van at METRES north of the pickup. */
static const char *van_at(struct rig *r, double metres) {
    return rig_driver(r, "van", LAT + metres * LAT_M, LNG);
}

static const struct search_candidate *candidate(struct rig *r, const char *booking_id,
                                                int32_t round, const char *user) {
    const struct search *s = rig_search(r, booking_id);
    CHECK(s != NULL && round < s->round_count);
    for (int32_t i = 0; i < s->rounds[round].candidate_count; i++) {
        if (str_is(s->rounds[round].candidates[i].driver_id, rig_driver_id(r, user)))
            return &s->rounds[round].candidates[i];
    }
    return NULL;
}

/* What the booking service does with a claim that came. */
static void record(struct rig *r, const struct ev_booking *b, const struct ev_claim *claim) {
    struct ev_booking with = rig_with_offer(r, b, claim->offer_id, claim->driver_id, NULL);
    with.state = BOOKING_OFFERED;
    rig_say_booking(r, EV_BOOKING_OFFERED, &with);
}

static void close_offer(struct rig *r, const struct ev_booking *b, const struct ev_claim *claim,
                        const char *reason) {
    struct ev_booking with = rig_with_offer(r, b, claim->offer_id, claim->driver_id, reason);
    rig_say_booking(r, EV_BOOKING_OFFER_CLOSED, &with);
}

static void assign(struct rig *r, const struct ev_booking *b, const struct ev_claim *claim) {
    struct ev_booking with = rig_with_offer(r, b, claim->offer_id, claim->driver_id, NULL);
    with.state = BOOKING_ASSIGNED;
    with.driver_id = claim->driver_id;
    with.driver_user_id = claim->driver_user_id;
    rig_say_booking(r, EV_BOOKING_ASSIGNED, &with);
}

static void end(struct rig *r, const struct ev_booking *b, const char *type,
                enum booking_state state, struct str driver_id) {
    struct ev_booking ended = *b;
    ended.state = (int32_t)state;
    ended.driver_id = driver_id;
    rig_say_booking(r, type, &ended);
}

/* The booking is its driver's no more, as of VERSION. */
static void unassign(struct rig *r, const struct ev_booking *b, const struct ev_claim *claim,
                     const char *reason, enum booking_state state, int64_t version) {
    struct ev_booking with = rig_with_offer(r, b, claim->offer_id, claim->driver_id, reason);
    with.offer->why = STR("a puncture");
    with.state = (int32_t)state;
    with.version = version;
    with.search_until_us = r->house->now_us + 180 * US_PER_S;
    rig_say_booking(r, EV_BOOKING_UNASSIGNED, &with);
}

static bool is_of(struct rig *r, const struct ev_claim *claim, const char *user) {
    return claim != NULL && str_is(claim->driver_id, rig_driver_id(r, user));
}

/* Whose vehicle is too small is not asked, and the trace says so; nor can a dispatcher choose him.
 */
static void test_too_small(void **state) {
    (void)state;
    struct rig *r = rig_new(31);
    const char *near = van_at(r, 500), *far = van_at(r, 1200); /* of 800 kg both */
    rig_expect(r, 200, ROLE_DRIVER, far, "PUT", "/v1/driver",
               "{\"vehicle\":{\"class\":\"van\",\"plate\":\"BIG1\",\"capacity_kg\":1200}}");
    struct str handling[] = {STR("fragile")};
    struct ev_load load = {1000001, 0, 3, handling, 1};
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    b.load = &load;
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    const struct ev_claim *offered = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, offered, far));
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 1);
    assert_str(candidate(r, b.booking_id.p, 0, near)->reason,
               "the goods do not fit into the vehicle");
    record(r, &b, offered);
    struct str body = rig_expect(r, 200, ROLE_DRIVER, far, "GET", "/v1/driver/offers", NULL);
    assert_non_null(strstr(body.p, "\"load\":{\"weight_g\":1000001,\"volume_cm3\":0,\"pieces\":3,"
                                   "\"handling\":[\"fragile\"]}"));
    struct ev_booking wanted =
        rig_with_offer(r, &b, id_new(&r->arena, "ofr", r->house->now_us, &r->house->rng),
                       str_from(rig_driver_id(r, near)), NULL);
    rig_say_booking(r, EV_BOOKING_ASSIGN_WANTED, &wanted);
    assert_str(rig_last(r, EV_DISPATCH_REFUSED)->reason,
               "too small: takes 800 kg, the goods are 1001");
    rig_free(r);
}

/* The customer's favourite is asked first, and alone, though another is nearer. */
static void test_favourite_first(void **state) {
    (void)state;
    struct rig *r = rig_new(32);
    const char *near = van_at(r, 300), *favourite = van_at(r, 1300);
    struct str favourites[] = {str_from(rig_driver_id(r, favourite))};
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    b.favourites = favourites;
    b.favourite_count = 1;
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    assert_true(is_of(r, rig_last(r, EV_DISPATCH_OFFERED), favourite));
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 1);
    assert_int_equal(candidate(r, b.booking_id.p, 0, favourite)->reason_code, REASON_FAVOURITE);
    assert_int_equal(candidate(r, b.booking_id.p, 0, near)->reason_code, REASON_NOT_FAVOURITE);
    rig_free(r);
}

static void test_the_whole_way(void **state) {
    (void)state;
    struct rig *r = rig_new(1);
    const char *far = van_at(r, 1200), *near = van_at(r, 500);
    rig_driver(r, "bike", LAT, LNG);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    b.stops[0].address = STR("Drottningtorget 5");
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 1);
    const struct ev_claim *offered = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, offered, near));
    assert_str(offered->driver_name, "Test Person");
    assert_str(offered->plate, "ABC123");
    assert_int_equal(offered->pickup_eta_s, 50);
    assert_int_equal(offered->earning, 11900);
    /* not shown to him before the booking has recorded it */
    struct str body = rig_expect(r, 200, ROLE_DRIVER, near, "GET", "/v1/driver/offers", NULL);
    assert_str(body, "{\"items\":[],\"next_cursor\":null}");
    record(r, &b, offered);
    body = rig_expect(r, 200, ROLE_DRIVER, near, "GET", "/v1/driver/offers", NULL);
    assert_non_null(strstr(body.p, "\"pickup_distance_m\":500,\"pickup_eta_s\":50"));
    assert_non_null(strstr(body.p, "\"address\":\"Drottningtorget\"")); /* not the house */
    assert_non_null(strstr(body.p, "\"earning\":{\"currency\":\"SEK\",\"amount\":11900}"));
    assert_non_null(strstr(body.p, "\"expires_at\":\"2026-11-23T10:00:20Z\""));
    const struct search_candidate *c = candidate(r, b.booking_id.p, 0, near);
    assert_int_equal(c->rank, 1);
    assert_int_equal(c->outcome, OUTCOME_OFFERED);
    c = candidate(r, b.booking_id.p, 0, far);
    assert_int_equal(c->outcome, OUTCOME_PASSED_OVER);
    assert_str(c->reason, "farther: 120 s against 50 s");
    /* he declines: the other is asked at once */
    close_offer(r, &b, offered, "declined");
    assert_int_equal(candidate(r, b.booking_id.p, 0, near)->outcome, OUTCOME_DECLINED);
    offered = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, offered, far));
    record(r, &b, offered);
    assign(r, &b, offered);
    assert_int_equal(rig_stored(r, far)->duty, DUTY_BUSY);
    assert_int_equal(candidate(r, b.booking_id.p, 1, far)->outcome, OUTCOME_ACCEPTED);
    assert_str(candidate(r, b.booking_id.p, 1, near)->reason, "declined this booking before");
    assert_int_equal(rig_search(r, b.booking_id.p)->status, SEARCH_DONE);
    /* under way: seen on the map, and not off duty, nor with another vehicle */
    rig_expect(r, 409, ROLE_DRIVER, far, "POST", "/v1/driver/duty", "{\"duty\":\"off\"}");
    rig_expect(r, 409, ROLE_DRIVER, far, "PUT", "/v1/driver",
               "{\"vehicle\":{\"class\":\"car\",\"plate\":\"X\",\"capacity_kg\":8}}");
    body = rig_expect(r, 200, ROLE_ADMIN, NULL, "GET", "/v1/fleet", NULL);
    assert_non_null(strstr(body.p, b.booking_id.p));
    rig_fix(r, far, LAT, LNG);
    r->house->now_us += US_PER_S;
    rig_fix(r, far, LAT, LNG);
    assert_string_equal(r->signals[r->signal_count - 1].booking_id, b.booking_id.p);
    end(r, &b, EV_BOOKING_DELIVERED, BOOKING_DELIVERED, offered->driver_id);
    assert_int_equal(rig_stored(r, far)->duty, DUTY_ON);
    assert_null(rig_stored(r, far)->claim);
    body = rig_expect(r, 200, ROLE_DRIVER, far, "GET", "/v1/driver/earnings", NULL);
    assert_non_null(strstr(body.p, "\"total\":11900,\"bookings\":1"));
    struct ev_booking rated = b;
    rated.driver_id = offered->driver_id;
    rated.stars = 4;
    rig_say_booking(r, EV_BOOKING_RATED, &rated);
    rated.stars = 5;
    rig_say_booking(r, EV_BOOKING_RATED, &rated);
    body = rig_expect(r, 200, ROLE_DRIVER, far, "GET", "/v1/driver", NULL);
    assert_non_null(strstr(body.p, "\"rating\":{\"mean\":4.5,\"count\":2}"));
    rig_free(r);
}

/* His word is known: the booking is told to take the offer as accepted. */
static void test_taken_at_once(void **state) {
    (void)state;
    struct rig *r = rig_new(27);
    const char *user = van_at(r, 100);
    struct str body = rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/duty",
                                 "{\"duty\":\"on\",\"auto_accept\":true}");
    assert_non_null(strstr(body.p, "\"auto_accept\":true"));
    rig_expect(r, 422, ROLE_DRIVER, user, "POST", "/v1/driver/duty",
               "{\"duty\":\"on\",\"auto_accept\":\"yes\"}");
    body = rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    assert_non_null(strstr(body.p, "\"auto_accept\":true")); /* as it was */
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    const struct ev_claim *claim = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, claim, user) && claim->at_once);
    struct ev_booking with = rig_with_offer(r, &b, claim->offer_id, claim->driver_id, NULL);
    with.state = BOOKING_ASSIGNED;
    with.driver_id = claim->driver_id;
    with.offer->at_once = true;
    rig_say_booking(r, EV_BOOKING_ASSIGNED, &with);
    assert_int_equal(rig_stored(r, user)->duty, DUTY_BUSY);
    assert_int_equal(candidate(r, b.booking_id.p, 0, user)->reason_code, REASON_AUTO);
    end(r, &b, EV_BOOKING_DELIVERED, BOOKING_DELIVERED, claim->driver_id);
    /* the house may forbid it, or want it of all */
    for (int of_house = AUTO_ACCEPT_NEVER; of_house <= AUTO_ACCEPT_ALWAYS; of_house++) {
        r->options.auto_accept = (enum auto_accept)of_house;
        rig_reopen(r);
        struct ev_booking next = rig_booking(r, VEHICLE_VAN, LAT, LNG);
        rig_say_booking(r, EV_BOOKING_REQUESTED, &next);
        claim = rig_last(r, EV_DISPATCH_OFFERED);
        assert_true(str_eq(claim->booking_id, next.booking_id));
        assert_int_equal(claim->at_once, of_house == AUTO_ACCEPT_ALWAYS);
        end(r, &next, EV_BOOKING_CANCELLED, BOOKING_CANCELLED, STR_NONE);
        close_offer(r, &next, claim, "withdrawn");
    }
    rig_free(r);
}

/* The trip is another: who was asked for the old one is asked for it as it is now. */
static void test_asked_anew(void **state) {
    (void)state;
    struct rig *r = rig_new(28);
    const char *user = van_at(r, 100);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    const struct ev_claim *first = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, first, user) && first->earning == 11900);
    record(r, &b, first);
    struct ev_point to[3] = {
        b.stops[0], b.stops[1], {b.stops[1].lat_e7 + 50000, b.stops[1].lng_e7, STR("Farther")}};
    struct str first_id = arena_str(&r->arena, first->offer_id);
    struct ev_booking other = b;
    other.version += 5;
    other.stops = to;
    other.stop_count = 3;
    other.earning = 15000;
    rig_say_booking(r, EV_BOOKING_STOPS_CHANGED, &other);
    close_offer(r, &other, first, "changed");
    house_advance(r->house, 10 * US_PER_S); /* until it is known here that he is free */
    const struct ev_claim *second = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, second, user) && !str_eq(second->offer_id, first_id));
    assert_true(second->earning == 15000 && second->stop_count == 3);
    assert_str(second->dropoff->address, "Farther");
    assert_int_equal(rig_stored(r, user)->declined + rig_stored(r, user)->timed_out, 0);
    rig_say_booking(r, EV_BOOKING_STOPS_CHANGED, &b); /* old news */
    assert_int_equal(rig_search(r, b.booking_id.p)->earning, 15000);
    rig_free(r);
}

/* He drops out: he is free, another is looked for, and not he; and fair shares remember it. */
static void test_given_back(void **state) {
    (void)state;
    struct rig *r = rig_new(25);
    const char *near = van_at(r, 100), *far = van_at(r, 900);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    const struct ev_claim *first = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, first, near));
    struct ev_booking given = b;
    given.version = 3;
    assign(r, &given, first);
    int64_t load = rig_stored(r, near)->load_milli;
    assert_int_equal(load, 1000);
    r->house->now_us += 200 * US_PER_S; /* its first search would be over by now */
    rig_fix(r, far, LAT + 900 * LAT_M, LNG);
    unassign(r, &b, first, "released", BOOKING_REQUESTED, 4);
    assert_int_equal(rig_stored(r, near)->duty, DUTY_ON);
    assert_null(rig_stored(r, near)->claim);
    assert_int_equal(rig_stored(r, near)->released, 1);
    assert_int_equal(rig_stored(r, near)->load_milli, load);
    const struct ev_claim *second = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, second, far));
    const struct search_candidate *c = candidate(r, b.booking_id.p, 0, near);
    assert_int_equal(c->outcome, OUTCOME_LEFT);
    assert_str(c->reason, "gave it back");
    assert_int_equal(candidate(r, b.booking_id.p, 1, near)->reason_code, REASON_LEFT);
    /* news of before: that it was his, and that he lost it */
    assign(r, &given, first);
    assert_null(rig_stored(r, near)->claim);
    unassign(r, &b, first, "released", BOOKING_REQUESTED, 4);
    assert_int_equal(rig_stored(r, near)->released, 1);
    assert_int_equal(rig_search(r, b.booking_id.p)->status, SEARCH_OPEN);
    given.version = 6;
    assign(r, &given, second);
    assert_int_equal(rig_search(r, b.booking_id.p)->status, SEARCH_DONE);
    unassign(r, &b, first, "released", BOOKING_REQUESTED, 4);
    assert_int_equal(rig_search(r, b.booking_id.p)->status, SEARCH_DONE);
    rig_free(r);
}

/* Taken from him: not his doing. Given to another, or held: nobody is looked for. */
static void test_taken_away(void **state) {
    (void)state;
    struct rig *r = rig_new(26);
    const char *near = van_at(r, 100), *other = van_at(r, 300);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    const struct ev_claim *first = rig_last(r, EV_DISPATCH_OFFERED);
    b.version = 3;
    assign(r, &b, first);
    struct ev_claim second = {.offer_id = house_id(r->house, "ofr"),
                              .driver_id = str_from(rig_driver_id(r, other)),
                              .driver_user_id = str_from(other)};
    unassign(r, &b, first, "reassigned", BOOKING_ASSIGNED, 4);
    b.version = 4; /* of the same commit */
    assign(r, &b, &second);
    assert_null(rig_stored(r, near)->claim);
    assert_int_equal(rig_stored(r, near)->released, 0);
    assert_int_equal(rig_stored(r, near)->load_milli, 0);
    assert_true(rig_stored(r, other)->claim->active);
    assert_int_equal(rig_search(r, b.booking_id.p)->status, SEARCH_DONE);
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 1);
    b.held = true;
    unassign(r, &b, &second, "unassigned", BOOKING_REQUESTED, 5);
    house_advance(r->house, 30 * US_PER_S);
    assert_int_equal(rig_stored(r, other)->duty, DUTY_ON);
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 1);
    rig_free(r);
}

static void test_the_trace_over_http(void **state) {
    (void)state;
    struct rig *r = rig_new(2);
    van_at(r, 500);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    char path[96];
    snprintf(path, sizeof path, "/v1/bookings/%s/dispatch", b.booking_id.p);
    rig_expect(r, 404, ROLE_DISPATCHER, NULL, "GET", path, NULL);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    struct str body = rig_expect(r, 200, ROLE_DISPATCHER, NULL, "GET", path, NULL);
    assert_non_null(strstr(body.p, "\"rounds\":[{\"at\":\"2026-11-23T10:00:00Z\""));
    assert_non_null(strstr(body.p, "\"radius_m\":1500,\"candidates\":[{\"driver_id\":\"drv_"));
    assert_non_null(strstr(body.p, "\"name\":\"Test Person\",\"rank\":1,"));
    assert_non_null(strstr(body.p, "\"pickup_eta_s\":50,\"score\":857,\"outcome\":\"offered\","
                                   "\"reason_code\":\"soonest\","
                                   "\"reason\":\"soonest at the pickup\""));
    rig_expect(r, 403, ROLE_CUSTOMER, NULL, "GET", path, NULL);
    rig_expect(r, 403, ROLE_DRIVER, NULL, "GET", path, NULL);
    rig_expect(r, 404, ROLE_ADMIN, NULL, "GET", "/v1/bookings/x/dispatch", NULL);
    rig_free(r);
}

/* Who could take it now: in order, whoever the trace has seen, and with whom the dispatcher may not
 * reckon. */
static void test_candidates_now(void **state) {
    (void)state;
    struct rig *r = rig_new(28);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    char path[96];
    snprintf(path, sizeof path, "/v1/bookings/%s/candidates", b.booking_id.p);
    rig_expect(r, 404, ROLE_DISPATCHER, NULL, "GET", path, NULL);
    rig_expect(r, 404, ROLE_DISPATCHER, NULL, "GET", "/v1/bookings/x/candidates", NULL);
    rig_expect(r, 403, ROLE_CUSTOMER, NULL, "GET", path, NULL);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    struct str body = rig_expect(r, 200, ROLE_DISPATCHER, NULL, "GET", path, NULL);
    assert_str(body, "{\"items\":[]}");
    const char *far = van_at(r, 30000), *near = van_at(r, 20000);
    body = rig_expect(r, 200, ROLE_DISPATCHER, NULL, "GET", path, NULL);
    const char *first = strstr(body.p, rig_driver_id(r, near));
    const char *second = strstr(body.p, rig_driver_id(r, far));
    assert_true(first != NULL && second != NULL && first < second);
    assert_non_null(strstr(first, "\"reason_code\":\"soonest\""));
    assert_non_null(strstr(second, "\"reason_code\":\"farther\""));
    assert_null(strstr(body.p, "\"outcome\""));
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 0);
    rig_free(r);
}

static void test_wider_and_wider(void **state) {
    (void)state;
    struct rig *r = rig_new(3);
    const char *far = van_at(r, 8000);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 0);
    assert_int_equal(rig_search(r, b.booking_id.p)->radius_m, 3000);
    house_advance(r->house, 5 * US_PER_S); /* 3 km, 6 km */
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 0);
    house_advance(r->house, 2 * US_PER_S); /* 12 km */
    assert_true(is_of(r, rig_last(r, EV_DISPATCH_OFFERED), far));
    assert_int_equal(rig_search(r, b.booking_id.p)->round_count, 4);
    rig_free(r);
}

/* Nobody for a long time: the trace stays short, and who comes free is asked. */
static void test_passes_until_somebody_comes(void **state) {
    (void)state;
    struct rig *r = rig_new(4);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    house_advance(r->house, 60 * US_PER_S);
    const struct search *s = rig_search(r, b.booking_id.p);
    assert_int_equal(s->round_count, 4); /* 1.5, 3, 6, 12 km */
    assert_true(s->rounds[3].repeats > 20);
    assert_int_equal(s->rounds[3].radius_m, 12000);
    assert_int_equal(s->radius_m, 12000);
    const char *late = van_at(r, 5000);
    house_advance(r->house, 3 * US_PER_S);
    assert_true(is_of(r, rig_last(r, EV_DISPATCH_OFFERED), late));
    /* he does not answer: asked again after a minute, because nobody else is there */
    const struct ev_claim *first = rig_last(r, EV_DISPATCH_OFFERED);
    close_offer(r, &b, first, "timed_out");
    house_advance(r->house, 50 * US_PER_S);
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 1);
    rig_fix(r, late, LAT, LNG);
    house_advance(r->house, 15 * US_PER_S);
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 2);
    s = rig_search(r, b.booking_id.p);
    assert_str(s->rounds[s->round_count - 1].candidates[0].reason,
               "asked again: nobody else is free");
    close_offer(r, &b, rig_last(r, EV_DISPATCH_OFFERED), "declined");
    house_advance(r->house, 55 * US_PER_S); /* never again, and not after its time */
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 2);
    van_at(r, 10);
    house_advance(r->house, 30 * US_PER_S);
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 2);
    assert_int_equal(rig_search(r, b.booking_id.p)->wake_at_us, 0);
    end(r, &b, EV_BOOKING_EXPIRED, BOOKING_EXPIRED, STR_NONE);
    assert_int_equal(rig_search(r, b.booking_id.p)->status, SEARCH_DONE);
    rig_free(r);
}

static void test_waves(void **state) {
    (void)state;
    struct rig *r = rig_new(5);
    r->options.offer_wave = 3;
    rig_reopen(r);
    const char *users[5];
    for (int i = 0; i < 5; i++)
        users[i] = van_at(r, 100 * (i + 1));
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 3);
    assert_null(rig_stored(r, users[3])->claim);
    for (int i = 0; i < 3; i++)
        assert_non_null(rig_stored(r, users[i])->claim);
    /* one declines: one more is asked, not three */
    struct str his = rig_stored(r, users[1])->claim->offer_id;
    struct ev_claim claim = {.offer_id = his, .driver_id = str_from(rig_driver_id(r, users[1]))};
    close_offer(r, &b, &claim, "declined");
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 4);
    assert_true(is_of(r, rig_last(r, EV_DISPATCH_OFFERED), users[3]));
    /* the first takes it: the others are told by the booking, and free again */
    claim = (struct ev_claim){.offer_id = rig_stored(r, users[0])->claim->offer_id,
                              .driver_id = str_from(rig_driver_id(r, users[0]))};
    assign(r, &b, &claim);
    for (int i = 2; i <= 3; i++) {
        claim.offer_id = rig_stored(r, users[i])->claim->offer_id;
        claim.driver_id = str_from(rig_driver_id(r, users[i]));
        close_offer(r, &b, &claim, "accepted_elsewhere");
        assert_null(rig_stored(r, users[i])->claim);
    }
    house_advance(r->house, 30 * US_PER_S);
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 4);
    assert_str(candidate(r, b.booking_id.p, 0, users[2])->reason, "another driver has the booking");
    rig_free(r);
}

/* The next wave only when all of the first have answered; at once, if none of them wants it. */
static void test_whole_waves(void **state) {
    (void)state;
    struct rig *r = rig_new(21);
    r->options.offer_wave = 2;
    r->options.offer_whole_waves = true;
    rig_reopen(r);
    const char *users[5];
    for (int i = 0; i < 5; i++)
        users[i] = van_at(r, 100 * (i + 1));
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 2);
    for (int i = 0; i < 2; i++) {
        struct ev_claim claim = {.offer_id = rig_stored(r, users[i])->claim->offer_id,
                                 .driver_id = str_from(rig_driver_id(r, users[i]))};
        close_offer(r, &b, &claim, i == 0 ? "declined" : "timed_out");
        assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), i == 0 ? 2 : 4);
    }
    assert_non_null(rig_stored(r, users[2])->claim);
    assert_non_null(rig_stored(r, users[3])->claim);
    assert_null(rig_stored(r, users[4])->claim);
    const struct search_candidate *c = candidate(r, b.booking_id.p, 1, users[3]);
    assert_int_equal(c->reason_code, REASON_AMONG_BEST);
    assert_int_equal(candidate(r, b.booking_id.p, 1, users[4])->reason_code, REASON_FARTHER);
    rig_free(r);
}

static void rate(struct rig *r, const char *user, int64_t stars, int times) {
    struct ev_booking rated = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rated.driver_id = str_from(rig_driver_id(r, user));
    rated.stars = stars;
    for (int i = 0; i < times; i++)
        rig_say_booking(r, EV_BOOKING_RATED, &rated);
}

/* Fifty metres farther, and rated so much better; and what it costs him is in the trace. */
static void test_judged_by_more_than_the_way(void **state) {
    (void)state;
    struct rig *r = rig_new(22);
    const char *near = van_at(r, 500), *better = van_at(r, 550);
    rate(r, near, 2, 40);
    rate(r, better, 5, 40);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    assert_true(is_of(r, rig_last(r, EV_DISPATCH_OFFERED), better));
    const struct search_candidate *c = candidate(r, b.booking_id.p, 0, better);
    assert_int_equal(c->cost, 550);
    assert_int_equal(c->reason_code, REASON_BEST);
    assert_int_equal(c->part_count, 1);
    c = candidate(r, b.booking_id.p, 0, near);
    assert_int_equal(c->cost, 500 + 3 * (494 - 227));
    assert_int_equal(c->part_count, 2);
    assert_int_equal(c->parts[1].part, PART_RATING);
    assert_int_equal(c->parts[1].value, 227);
    assert_int_equal(c->parts[1].points, 3 * (494 - 227));
    assert_int_equal(c->reason_code, REASON_RATED_LOWER);
    assert_str(c->reason, "rated lower: 2.27 against 4.94");
    char path[96];
    snprintf(path, sizeof path, "/v1/bookings/%s/dispatch", b.booking_id.p);
    struct str body = rig_expect(r, 200, ROLE_DISPATCHER, NULL, "GET", path, NULL);
    assert_non_null(strstr(body.p, "\"reason_code\":\"rated_lower\""));
    assert_non_null(strstr(body.p, "\"part\":\"rating\",\"value\":227,\"points\":801"));
    rig_free(r);
}

/* Who has just had a job stands behind who has had none, until hours have gone by. */
static void test_fair_shares(void **state) {
    (void)state;
    struct rig *r = rig_new(23);
    const char *near = van_at(r, 100), *other = van_at(r, 200);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    const struct ev_claim *first = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, first, near));
    assign(r, &b, first);
    end(r, &b, EV_BOOKING_DELIVERED, BOOKING_DELIVERED, first->driver_id);
    struct ev_booking second = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &second);
    const struct ev_claim *next = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, next, other));
    assert_int_equal(candidate(r, second.booking_id.p, 0, near)->reason_code, REASON_MORE_JOBS);
    close_offer(r, &second, next, "withdrawn");
    end(r, &second, EV_BOOKING_CANCELLED, BOOKING_CANCELLED, STR_NONE);
    r->house->now_us += 144000 * US_PER_S; /* ten half-lives */
    rig_fix(r, near, LAT + 100 * LAT_M, LNG);
    rig_fix(r, other, LAT + 200 * LAT_M, LNG);
    struct ev_booking third = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &third);
    assert_true(is_of(r, rig_last(r, EV_DISPATCH_OFFERED), near));
    rig_free(r);
}

static void test_bigger_class(void **state) {
    (void)state;
    struct rig *r = rig_new(24);
    const char *car = rig_driver(r, "car", LAT, LNG), *truck = rig_driver(r, "truck", LAT, LNG);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 0);
    end(r, &b, EV_BOOKING_CANCELLED, BOOKING_CANCELLED, STR_NONE);
    r->options.bigger_classes = 1;
    rig_reopen(r);
    const char *van = van_at(r, 400); /* a truck where a van is wanted costs a minute */
    struct ev_booking second = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &second);
    assert_true(is_of(r, rig_last(r, EV_DISPATCH_OFFERED), van));
    assert_int_equal(candidate(r, second.booking_id.p, 0, truck)->reason_code, REASON_BIGGER_CLASS);
    assert_null(candidate(r, second.booking_id.p, 0, car));
    close_offer(r, &second, rig_last(r, EV_DISPATCH_OFFERED), "declined");
    assert_true(is_of(r, rig_last(r, EV_DISPATCH_OFFERED), truck));
    rig_free(r);
}

static void confirmed(void *publisher, int64_t seq, int result) {
    (void)publisher;
    (void)seq;
    (void)result;
}

/* Many bookings at one place at one moment: each asks another driver, none in vain. */
static void test_crowd(void **state) {
    (void)state;
    struct rig *r = rig_new(6);
    for (int i = 0; i < 12; i++)
        van_at(r, 50 * (i + 1));
    struct house *h = r->house;
    struct ev_booking all[10];
    for (int i = 0; i < 10; i++) {
        all[i] = rig_booking(r, VEHICLE_VAN, LAT, LNG);
        struct event e = {.id = house_id(h, "evt"),
                          .type = STR(EV_BOOKING_REQUESTED),
                          .key = all[i].booking_id,
                          .at_us = h->now_us,
                          .data = schema_text(&ev_booking_schema, &all[i], S_STORE, &r->arena)};
        assert_int_equal(h->bus->ops->publish(h->bus, &e, confirmed, NULL), 0);
    }
    house_settle(h);
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 10);
    assert_int_equal(rig_count(r, EV_DISPATCH_REFUSED), 0);
    const struct search *last = rig_search(r, all[9].booking_id.p);
    bool said = false;
    for (int32_t i = 0; i < last->rounds[0].candidate_count; i++)
        said = said || str_is(last->rounds[0].candidates[i].reason,
                              "is about to be offered another booking");
    assert_true(said);
    rig_free(r);
}

/* Two bookings in one window, two vans: the first booking's nearest is the only one near the
 * second. In turn the second would wait for long; together each is served well. */
static void test_batch(void **state) {
    (void)state;
    for (int batch = 0; batch < 2; batch++) {
        struct rig *r = rig_new(29);
        r->options.window_us = batch ? 5 * US_PER_S : 0;
        rig_reopen(r);
        const char *middle = van_at(r, 0), *far = van_at(r, -700);
        struct ev_booking first = rig_booking(r, VEHICLE_VAN, LAT - 300 * LAT_M, LNG);
        struct ev_booking second = rig_booking(r, VEHICLE_VAN, LAT + 100 * LAT_M, LNG);
        rig_say_booking(r, EV_BOOKING_REQUESTED, &first);
        rig_say_booking(r, EV_BOOKING_REQUESTED, &second);
        assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), batch ? 0 : 2);
        house_advance(r->house, 6 * US_PER_S);
        assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 2);
        const struct driver *d = rig_stored(r, middle);
        assert_true(str_eq(d->claim->booking_id, batch ? second.booking_id : first.booking_id));
        d = rig_stored(r, far);
        assert_true(str_eq(d->claim->booking_id, batch ? first.booking_id : second.booking_id));
        if (batch) /* and the trace says why not the nearer one */
            assert_int_equal(candidate(r, first.booking_id.p, 0, middle)->reason_code,
                             REASON_RESERVED);
        rig_free(r);
    }
}

static void test_dropping_out(void **state) {
    (void)state;
    struct rig *r = rig_new(7);
    const char *user = van_at(r, 100);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    const struct ev_claim *offered = rig_last(r, EV_DISPATCH_OFFERED);
    record(r, &b, offered);
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"off\"}");
    const struct ev_claim *dropped = rig_last(r, EV_DRIVER_DROPPED);
    assert_true(is_of(r, dropped, user));
    assert_true(str_eq(dropped->offer_id, offered->offer_id));
    assert_non_null(rig_stored(r, user)->claim); /* until the booking has said so */
    close_offer(r, &b, dropped, "declined");
    assert_null(rig_stored(r, user)->claim);
    /* the account is disabled: the same, without his doing */
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    rig_fix(r, user, LAT, LNG);
    struct ev_booking second = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &second);
    assert_int_equal(rig_count(r, EV_DISPATCH_OFFERED), 2);
    struct ev_account gone = {
        .user_id = str_from(user), .name = STR("Ola"), .role = ROLE_DRIVER, .disabled = true};
    rig_say(r, EV_ACCOUNT_CHANGED, gone.user_id, &ev_account_schema, &gone);
    assert_int_equal(rig_count(r, EV_DRIVER_DROPPED), 2);
    assert_int_equal(rig_stored(r, user)->duty, DUTY_OFF);
    rig_free(r);
}

/* No word of the booking: the claim asks, again and again, also after a restart. */
static void test_asks_what_became_of_it(void **state) {
    (void)state;
    struct rig *r = rig_new(8);
    const char *user = van_at(r, 100);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    const struct ev_claim *offered = rig_last(r, EV_DISPATCH_OFFERED);
    house_advance(r->house, 49 * US_PER_S);
    assert_int_equal(rig_count(r, EV_DRIVER_CLAIM_STALE), 0);
    house_advance(r->house, 2 * US_PER_S);
    assert_int_equal(rig_count(r, EV_DRIVER_CLAIM_STALE), 1);
    rig_reopen(r);
    house_advance(r->house, 31 * US_PER_S);
    assert_int_equal(rig_count(r, EV_DRIVER_CLAIM_STALE), 2);
    end(r, &b, EV_BOOKING_CANCELLED, BOOKING_CANCELLED, STR_NONE);
    close_offer(r, &b, offered, "withdrawn");
    assert_null(rig_stored(r, user)->claim);
    house_advance(r->house, 60 * US_PER_S);
    assert_int_equal(rig_count(r, EV_DRIVER_CLAIM_STALE), 2);
    rig_free(r);
}

static void test_a_dispatchers_choice(void **state) {
    (void)state;
    struct rig *r = rig_new(9);
    const char *near = van_at(r, 100), *chosen = van_at(r, 900);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    assert_true(is_of(r, rig_last(r, EV_DISPATCH_OFFERED), near));
    struct ev_booking wanted =
        rig_with_offer(r, &b, house_id(r->house, "ofr"), str_from(rig_driver_id(r, chosen)), NULL);
    wanted.offer->manual = true;
    rig_say_booking(r, EV_BOOKING_ASSIGN_WANTED, &wanted);
    const struct ev_claim *offered = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, offered, chosen));
    assert_true(offered->manual);
    wanted.driver_id = offered->driver_id;
    wanted.state = BOOKING_ASSIGNED;
    rig_say_booking(r, EV_BOOKING_ASSIGNED, &wanted);
    const struct search_candidate *c = candidate(r, b.booking_id.p, 1, chosen);
    assert_int_equal(c->outcome, OUTCOME_ACCEPTED);
    assert_str(c->reason, "chosen by a dispatcher");
    assert_str(c->name, "Test Person");
    assert_int_equal(rig_stored(r, chosen)->duty, DUTY_BUSY);
    /* for another booking he is busy; and nobody is nobody */
    struct ev_booking other = rig_booking(r, VEHICLE_VAN, LAT + 1, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &other);
    wanted = rig_with_offer(r, &other, house_id(r->house, "ofr"),
                            str_from(rig_driver_id(r, chosen)), NULL);
    rig_say_booking(r, EV_BOOKING_ASSIGN_WANTED, &wanted);
    assert_str(rig_last(r, EV_DISPATCH_REFUSED)->reason, "busy with another booking");
    assert_true(rig_last(r, EV_DISPATCH_REFUSED)->manual);
    wanted = rig_with_offer(r, &other, house_id(r->house, "ofr"), house_id(r->house, "drv"), NULL);
    rig_say_booking(r, EV_BOOKING_ASSIGN_WANTED, &wanted);
    assert_str(rig_last(r, EV_DISPATCH_REFUSED)->reason, "there is no such driver");
    assert_true(str_eq(rig_last(r, EV_DISPATCH_REFUSED)->offer_id, wanted.offer->id));
    assert_non_null(rig_last(r, EV_DISPATCH_REFUSED)->driver_user_id.p);
    rig_free(r);
}

/* News in the wrong order: the end before the beginning, an answer after the end. */
static void test_wrong_order(void **state) {
    (void)state;
    struct rig *r = rig_new(10);
    van_at(r, 100);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    end(r, &b, EV_BOOKING_CANCELLED, BOOKING_CANCELLED, STR_NONE);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    house_advance(r->house, 5 * US_PER_S);
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 0);
    struct ev_booking second = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &second);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &second); /* another event, the same news */
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 1);
    const struct ev_claim *claim = rig_last(r, EV_DISPATCH_CLAIM);
    end(r, &second, EV_BOOKING_CANCELLED, BOOKING_CANCELLED, STR_NONE);
    close_offer(r, &second, claim, "declined");
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 1);
    assert_int_equal(rig_search(r, second.booking_id.p)->wake_at_us, 0);
    rig_free(r);
}

/* News of other stops that overtakes what the search begins with. */
static void test_other_stops_first(void **state) {
    (void)state;
    struct rig *r = rig_new(32);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    struct ev_point to[3] = {b.stops[0], b.stops[1], {577500000, 119700000, STR("Farther")}};
    struct ev_booking other = b;
    other.version++;
    other.stops = to;
    other.stop_count = 3;
    other.earning = 15000;
    /* by a key of its own, for what has one key comes in order here */
    rig_say(r, EV_BOOKING_STOPS_CHANGED, house_id(r->house, "bkg"), &ev_booking_schema, &other);
    assert_null(rig_search(r, b.booking_id.p));
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    house_advance(r->house, 10 * US_PER_S);
    assert_int_equal(rig_search(r, b.booking_id.p)->stop_count, 3);
    assert_int_equal(rig_search(r, b.booking_id.p)->earning, 15000);
    rig_free(r);
}

/* A claim or its answer is lost for good: after its time the search goes on without. */
static void test_lost_answer(void **state) {
    (void)state;
    struct rig *r = rig_new(11);
    const char *first = van_at(r, 100);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 1);
    house_advance(r->house, 70 * US_PER_S);
    const char *second = van_at(r, 200);
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 1);
    house_advance(r->house, 15 * US_PER_S);
    assert_int_equal(rig_count(r, EV_DISPATCH_CLAIM), 2);
    assert_true(is_of(r, rig_last(r, EV_DISPATCH_CLAIM), second));
    assert_int_equal(candidate(r, b.booking_id.p, 0, first)->outcome, OUTCOME_TIMED_OUT);
    rig_free(r);
}

static void test_restart_in_the_middle(void **state) {
    (void)state;
    struct rig *r = rig_new(12);
    const char *near = van_at(r, 100), *far = van_at(r, 1000);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    const struct ev_claim *offered = rig_last(r, EV_DISPATCH_OFFERED);
    record(r, &b, offered);
    rig_reopen(r);
    struct str body = rig_expect(r, 200, ROLE_DRIVER, near, "GET", "/v1/driver/offers", NULL);
    assert_non_null(strstr(body.p, offered->offer_id.p));
    close_offer(r, &b, offered, "declined");
    assert_true(is_of(r, rig_last(r, EV_DISPATCH_OFFERED), far));
    /* and with nobody asked: the wake-up is in the store */
    struct ev_booking second = rig_booking(r, VEHICLE_CAR, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &second);
    rig_reopen(r);
    rig_driver(r, "car", LAT, LNG);
    house_advance(r->house, 3 * US_PER_S);
    assert_true(str_eq(rig_last(r, EV_DISPATCH_OFFERED)->booking_id, second.booking_id));
    rig_free(r);
}

/* More rounds than the trace holds: those in which somebody was asked are kept longest. */
static void test_long_trace(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    struct search s = {.radius_m = 1500, .status = SEARCH_OPEN};
    s.rounds = arena_array(&a, struct search_round, ROUNDS_MAX);
    struct search_near near[1] = {{.driver_id = STR("drv_01ARZ3NDEKTSV4RRFFQ69G5FA1")}};
    for (int i = 0; i < 3 * ROUNDS_MAX; i++) {
        struct dispatch_candidate c = {.driver_id = near[0].driver_id, .rank = 1, .chosen = i % 2};
        s.radius_m = 1000 + i; /* so that none is put together with the one before */
        struct search_round *round = trace_round(&s, &c, 1, near, i + 1, &a);
        if (c.chosen)
            round->candidates[0].offer_id = STR("ofr_01ARZ3NDEKTSV4RRFFQ69G5FA1");
        assert_true(s.round_count <= ROUNDS_MAX);
    }
    assert_int_equal(s.round_count, ROUNDS_MAX);
    int32_t asked = 0;
    for (int32_t i = 0; i < ROUNDS_MAX; i++) {
        asked += s.rounds[i].candidates[0].offer_id.p != NULL;
        assert_true(i == 0 || s.rounds[i].at_us > s.rounds[i - 1].at_us);
    }
    assert_true(asked >= ROUNDS_MAX - 1);
    assert_int_equal(s.rounds[ROUNDS_MAX - 1].at_us, 3 * ROUNDS_MAX);
    arena_free(&a);
}

/* Where somebody was, and why he was asked, is nobody's business for ever. */
static void test_retention(void **state) {
    (void)state;
    struct rig *r = rig_new(13);
    r->options.trail_keep_days = 40;
    rig_reopen(r);
    const char *user = van_at(r, 100);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    end(r, &b, EV_BOOKING_CANCELLED, BOOKING_CANCELLED, STR_NONE);
    char path[128];
    snprintf(path, sizeof path, "/v1/drivers/%s/trail?from=2026-11-23T00:00:00Z",
             rig_driver_id(r, user));
    r->house->now_us += 40 * US_PER_DAY - US_PER_S;
    house_settle(r->house);
    struct str body = rig_expect(r, 200, ROLE_ADMIN, NULL, "GET", path, NULL);
    assert_non_null(strstr(body.p, "\"lat\""));
    assert_non_null(rig_search(r, b.booking_id.p));
    house_advance(r->house, 3 * US_PER_S);
    body = rig_expect(r, 200, ROLE_ADMIN, NULL, "GET", path, NULL);
    assert_null(strstr(body.p, "\"lat\""));
    house_advance(r->house, ROUND_US);
    assert_null(rig_search(r, b.booking_id.p));
    rig_free(r);
}

static const struct journey *journey_of(struct rig *r, const struct ev_booking *b) {
    struct store *store = memory_disk_open(r->house->disk, false, NULL);
    void *state = NULL;
    int err = aggregate_get(&journey_aggregate, store, r->parser,
                            journey_id(&r->arena, b->booking_id), &r->arena, &state);
    store->ops->close(store);
    return err == 0 ? state : NULL;
}

static void days_pass(struct rig *r, int64_t days) {
    r->house->now_us += days * US_PER_DAY;
    house_advance(r->house, ROUND_US);
}

/* A booking may be for later than traces are kept: its search and its journey go by their own end.
 */
static void test_for_much_later(void **state) {
    (void)state;
    struct rig *r = rig_new(33);
    r->options.trail_keep_days = 40;
    rig_reopen(r);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    days_pass(r, 41);
    b.search_until_us = r->house->now_us + 600 * US_PER_S;
    rig_say_booking(r, EV_BOOKING_REQUESTED, &b);
    house_advance(r->house, ROUND_US);
    assert_non_null(rig_search(r, b.booking_id.p));
    const char *user = van_at(r, 100);
    house_advance(r->house, 10 * US_PER_S);
    const struct ev_claim *claim = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, claim, user));
    record(r, &b, claim);
    assign(r, &b, claim);
    house_advance(r->house, ROUND_US);
    assert_non_null(rig_search(r, b.booking_id.p));
    days_pass(r, 39);
    assert_true(rig_search(r, b.booking_id.p) != NULL && !journey_of(r, &b)->done);
    days_pass(r, 1);
    assert_true(rig_search(r, b.booking_id.p) == NULL && !journey_of(r, &b)->done);
    b.version += 9;
    end(r, &b, EV_BOOKING_DELIVERED, BOOKING_DELIVERED, str_from(rig_driver_id(r, user)));
    assert_int_equal(rig_stored(r, user)->duty, DUTY_ON);
    days_pass(r, 39);
    assert_true(journey_of(r, &b)->done);
    days_pass(r, 1);
    assert_null(journey_of(r, &b));
    rig_free(r);
}

/* What waits for a search that is long gone, or that a former version removed, holds up nothing. */
static void test_forgotten(void **state) {
    (void)state;
    struct rig *r = rig_new(34);
    const struct ev_claim nobody = {.offer_id = house_id(r->house, "ofr"),
                                    .driver_id = house_id(r->house, "drv")};
    struct ev_booking all[3];
    for (int i = 0; i < 3; i++)
        all[i] = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    days_pass(r, 91);
    for (int i = 0; i < 3; i++)
        all[i].search_until_us = r->house->now_us + 600 * US_PER_S;
    const char *user = van_at(r, 100);
    struct ev_booking wanted = rig_with_offer(r, &all[0], nobody.offer_id, nobody.driver_id, NULL);
    rig_say_booking(r, EV_BOOKING_ASSIGN_WANTED, &wanted);
    assert_str(rig_last(r, EV_DISPATCH_REFUSED)->reason, "there is no such driver");
    unassign(r, &all[1], &nobody, "released", BOOKING_REQUESTED, 7);
    house_advance(r->house, 5 * US_PER_S);
    const struct ev_claim *claim = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, claim, user) && str_eq(claim->booking_id, all[1].booking_id));
    user = van_at(r, 200);
    struct ev_booking other = all[2];
    other.version += 5;
    other.earning = 15000;
    rig_say_booking(r, EV_BOOKING_STOPS_CHANGED, &other);
    house_advance(r->house, 5 * US_PER_S);
    claim = rig_last(r, EV_DISPATCH_OFFERED);
    assert_true(is_of(r, claim, user) && claim->earning == 15000);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &all[2]); /* late */
    assert_int_equal(rig_search(r, all[2].booking_id.p)->earning, 15000);
    all[0].version += 5;
    rig_say_booking(r, EV_BOOKING_STOPS_CHANGED, &all[0]);
    assert_true(rig_search(r, all[0].booking_id.p)->begun);
    rig_free(r);
}

/* With a store that fails, and restarts: whoever is claimed was asked, nobody twice at once, and in
 * the end everybody is free. */
static void run_rough(uint64_t seed) {
    struct rig *r = rig_new(seed);
    const char *users[4];
    for (int i = 0; i < 4; i++)
        users[i] = van_at(r, 100 * (i + 1));
    struct ev_booking all[6];
    struct rng rng;
    rng_seed(&rng, seed);
    for (int i = 0; i < 6; i++) {
        struct memory_store_faults *f = &r->house->faults;
        f->busy = f->conflict = f->unknown_committed = f->unknown_lost = f->read_busy = 0.15;
        all[i] = rig_booking(r, VEHICLE_VAN, LAT, LNG);
        rig_say_booking(r, EV_BOOKING_REQUESTED, &all[i]);
        house_advance(r->house, (int64_t)rng_below(&rng, 10) * US_PER_S);
        *f = (struct memory_store_faults){.rng = f->rng};
        if (rng_below(&rng, 3) == 0)
            rig_reopen(r);
    }
    house_advance(r->house, 10 * US_PER_S);
    for (int32_t i = 0; i < r->heard_count; i++) { /* every offer ends somehow */
        if (!str_is(r->heard[i].type, EV_DISPATCH_OFFERED))
            continue;
        const struct ev_claim *c = &r->heard[i].claim;
        for (int n = 0; n < 6; n++) {
            if (str_eq(all[n].booking_id, c->booking_id))
                close_offer(r, &all[n], c, rng_below(&rng, 2) ? "declined" : "withdrawn");
        }
    }
    for (int n = 0; n < 6; n++)
        end(r, &all[n], EV_BOOKING_CANCELLED, BOOKING_CANCELLED, STR_NONE);
    house_advance(r->house, 10 * US_PER_S);
    for (int32_t i = 0; i < r->heard_count; i++) {
        if (!str_is(r->heard[i].type, EV_DISPATCH_OFFERED))
            continue;
        const struct ev_claim *c = &r->heard[i].claim;
        for (int n = 0; n < 6; n++) {
            if (str_eq(all[n].booking_id, c->booking_id))
                close_offer(r, &all[n], c, "withdrawn");
        }
    }
    for (int i = 0; i < 4; i++)
        assert_null(rig_stored(r, users[i])->claim);
    rig_free(r);
}

static void test_rough(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 15; seed++)
        run_rough(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_favourite_first),
        cmocka_unit_test(test_the_whole_way),
        cmocka_unit_test(test_the_trace_over_http),
        cmocka_unit_test(test_wider_and_wider),
        cmocka_unit_test(test_passes_until_somebody_comes),
        cmocka_unit_test(test_waves),
        cmocka_unit_test(test_whole_waves),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_candidates_now),
        cmocka_unit_test(test_taken_at_once),
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_asked_anew),
        cmocka_unit_test(test_taken_away),
        cmocka_unit_test(test_judged_by_more_than_the_way),
        cmocka_unit_test(test_fair_shares),
        cmocka_unit_test(test_bigger_class),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_dropping_out),
        cmocka_unit_test(test_asks_what_became_of_it),
        cmocka_unit_test(test_a_dispatchers_choice),
        cmocka_unit_test(test_wrong_order),
        cmocka_unit_test(test_other_stops_first),
        cmocka_unit_test(test_lost_answer),
        cmocka_unit_test(test_restart_in_the_middle),
        cmocka_unit_test(test_long_trace),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_for_much_later),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_rough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
