/* Journeys in a house: a driver on his way, what is told of it, and what is told only once. */
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
#include <stdlib.h>
#include <string.h>

#define LAT 57.70
#define LNG 11.97
#define M (1 / 111195.0) /* degrees of latitude */

struct trip {
    struct rig *r;
    const char *user;
    struct ev_booking b;
    double north_m; /* of the pickup; the second stop lies 1112 m north of it */
};

static void say(struct trip *t, const char *type, int32_t state, int64_t next_stop) {
    t->b.version++;
    t->b.state = state;
    t->b.next_stop = next_stop;
    rig_say_booking(t->r, type, &t->b);
}

static struct trip trip_new(uint64_t seed, double north_m, bool roads) {
    struct trip t = {.r = rig_new(seed), .north_m = north_m};
    t.r->roads = roads;
    t.r->options.search_radius_m = 1;
    rig_reopen(t.r);
    t.user = rig_driver(t.r, "van", LAT + north_m * M, LNG);
    t.b = rig_booking(t.r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(t.r, EV_BOOKING_REQUESTED, &t.b);
    t.b.driver_id = str_from(rig_driver_id(t.r, t.user));
    t.b.driver_user_id = str_from(t.user);
    t.b = rig_with_offer(t.r, &t.b, house_id(t.r->house, "ofr"), t.b.driver_id, "accepted");
    say(&t, EV_BOOKING_ASSIGNED, BOOKING_ASSIGNED, 0);
    t.b.offer = NULL;
    return t;
}

static void wait_s(struct trip *t, int64_t s) {
    house_advance(t->r->house, s * US_PER_S);
}

static void fix(struct trip *t, double east_m) {
    rig_fix(t->r, t->user, LAT + t->north_m * M, LNG + east_m * M / 0.5343);
}

/* Goes on by SPEED m/s northwards for S seconds, with a fix every five. */
static void drive(struct trip *t, double speed, int64_t s) {
    for (int64_t i = 0; i < s; i += 5) {
        wait_s(t, 5);
        t->north_m += 5 * speed;
        fix(t, 0);
    }
    wait_s(t, 11); /* it has woken since */
}

static int32_t alerts(const struct trip *t, const char *type, enum alert_kind kind) {
    int32_t n = 0;
    for (int32_t i = 0; i < t->r->heard_count; i++)
        n += str_is(t->r->heard[i].type, type) && t->r->heard[i].alert.kind == (int32_t)kind;
    return n;
}

static const struct journey *stored(struct trip *t) {
    void *state;
    struct str id = journey_id(&t->r->arena, t->b.booking_id);
    assert_int_equal(aggregate_get(&journey_aggregate, t->r->house->worker.reader, t->r->parser, id,
                                   &t->r->arena, &state),
                     0);
    return state;
}

static void test_whole_way(void **unused) {
    (void)unused;
    struct trip t = trip_new(1, -1000, false);
    wait_s(&t, 3);
    /* he is 1000 m away, at 10 m/s by the router; then he stands, and drives 111 s */
    assert_true(t.r->eta_count >= 1);
    int64_t eta_s = (t.r->eta.stops[0].eta_us - t.r->house->now_us) / US_PER_S;
    assert_true(eta_s > 90 && eta_s < 105);
    int64_t then_s = (t.r->eta.stops[1].eta_us - t.r->eta.stops[0].eta_us) / US_PER_S;
    assert_int_equal(then_s, ETA_STAND_US / US_PER_S + 111);
    drive(&t, 10, 100);
    wait_s(&t, 30);
    fix(&t, 0);
    wait_s(&t, 11);
    assert_int_equal(rig_count(t.r, EV_TRACKING_REACHED), 1);
    assert_int_equal(rig_last_heard(t.r, EV_TRACKING_REACHED)->tracking.stop, 0);
    assert_int_equal(rig_count(t.r, EV_TRACKING_LEFT), 0);
    /* told rarely: he kept to his time */
    assert_true(t.r->eta_count <= 3);
    rig_reopen(t.r); /* what is known survives a restart */
    say(&t, EV_BOOKING_PROGRESSED, BOOKING_ARRIVED_PICKUP, 0);
    say(&t, EV_BOOKING_PROGRESSED, BOOKING_PICKED_UP, 1);
    drive(&t, 10, 60);
    assert_int_equal(rig_count(t.r, EV_TRACKING_LEFT), 1);
    assert_int_equal(rig_last_heard(t.r, EV_TRACKING_LEFT)->tracking.stop, 0);
    drive(&t, 10, 50);
    wait_s(&t, 30);
    fix(&t, 0);
    wait_s(&t, 11);
    assert_int_equal(rig_count(t.r, EV_TRACKING_REACHED), 2);
    assert_int_equal(rig_last_heard(t.r, EV_TRACKING_REACHED)->tracking.stop, 1);
    say(&t, EV_BOOKING_PROGRESSED, BOOKING_ARRIVED_DROPOFF, 1);
    say(&t, EV_BOOKING_DELIVERED, BOOKING_DELIVERED, 2);
    assert_true(stored(&t)->done && stored(&t)->wake_at_us == 0);
    int64_t version = stored(&t)->head.version;
    wait_s(&t, 100);
    assert_int_equal(stored(&t)->head.version, version);
    assert_int_equal(rig_count(t.r, EV_ALERT_RAISED), 0);
    rig_free(t.r);
}

/* An hour's drive comes in one batch, when there is a network again: everything counts from when it
 * was measured. */
static void test_late_batch(void **unused) {
    (void)unused;
    struct trip t = trip_new(2, -1000, false);
    int64_t began_us = t.r->house->now_us;
    struct buf body;
    char at[TIMESTAMP_TEXT_MAX];
    wait_s(&t, 160);
    buf_init(&body, &t.r->arena, 1 << 16);
    buf_add_cstr(&body, "{\"fixes\":[");
    for (int64_t s = 5; s <= 150; s += 5) { /* there after 50 s; stands until 100 s; drives on */
        double m = s < 50 ? -1000 + 20.0 * (double)s : s < 100 ? 0 : 20.0 * (double)(s - 100);
        timestamp_format(began_us + s * US_PER_S, at);
        buf_printf(&body, "%s{\"at\":\"%s\",\"lat\":%.7f,\"lng\":%.7f,\"accuracy_m\":8}",
                   s > 5 ? "," : "", at, LAT + m * M, LNG);
    }
    buf_add_cstr(&body, "]}");
    rig_expect(t.r, 200, ROLE_DRIVER, t.user, "POST", "/v1/driver/locations",
               arena_cstr(&t.r->arena, buf_str(&body)));
    wait_s(&t, 12);
    assert_int_equal(rig_count(t.r, EV_TRACKING_REACHED), 1);
    assert_int_equal(rig_count(t.r, EV_TRACKING_LEFT), 1);
    int64_t reached_us = rig_last_heard(t.r, EV_TRACKING_REACHED)->tracking.at_us;
    int64_t left_us = rig_last_heard(t.r, EV_TRACKING_LEFT)->tracking.at_us;
    assert_int_equal((reached_us - began_us) / US_PER_S, 45);
    assert_int_equal((left_us - began_us) / US_PER_S, 115);
    /* the same batch again, and one that is older still, change nothing */
    rig_expect(t.r, 200, ROLE_DRIVER, t.user, "POST", "/v1/driver/locations",
               arena_cstr(&t.r->arena, buf_str(&body)));
    wait_s(&t, 30);
    assert_int_equal(rig_count(t.r, EV_TRACKING_REACHED), 1);
    rig_free(t.r);
}

static void test_stale(void **unused) {
    (void)unused;
    struct trip t = trip_new(3, -5000, false);
    drive(&t, 10, 20);
    wait_s(&t, 160);
    assert_int_equal(rig_count(t.r, EV_ALERT_RAISED), 0);
    wait_s(&t, 30);
    assert_int_equal(alerts(&t, EV_ALERT_RAISED, ALERT_STALE), 1);
    wait_s(&t, 600);
    assert_int_equal(alerts(&t, EV_ALERT_RAISED, ALERT_STALE), 1);
    fix(&t, 0);
    wait_s(&t, 12);
    assert_int_equal(alerts(&t, EV_ALERT_CLEARED, ALERT_STALE), 1);
    wait_s(&t, 300); /* silent again; then the booking ends */
    assert_int_equal(alerts(&t, EV_ALERT_RAISED, ALERT_STALE), 2);
    say(&t, EV_BOOKING_CANCELLED, BOOKING_CANCELLED, 0);
    assert_int_equal(alerts(&t, EV_ALERT_CLEARED, ALERT_STALE), 2);
    assert_true(rig_last_heard(t.r, EV_ALERT_CLEARED)->alert.number >
                rig_last_heard(t.r, EV_ALERT_RAISED)->alert.number);
    rig_free(t.r);
}

static void test_late(void **unused) {
    (void)unused;
    struct trip t = trip_new(4, -5000, false);
    drive(&t, 10, 30);
    int64_t promised_us = stored(&t)->stops[0].promised_us;
    assert_true(promised_us > t.r->house->now_us);
    for (int i = 0; i < 60 && alerts(&t, EV_ALERT_RAISED, ALERT_LATE) == 0; i++)
        drive(&t, 0, 30); /* he stands */
    assert_int_equal(alerts(&t, EV_ALERT_RAISED, ALERT_LATE), 1);
    const struct ev_alert *late = &rig_last_heard(t.r, EV_ALERT_RAISED)->alert;
    assert_true(late->stop == 0 && late->promised_us == promised_us &&
                late->eta_us > promised_us + JOURNEY_LATE_US);
    for (int i = 0; i < 10; i++)
        drive(&t, 0, 30);
    assert_int_equal(alerts(&t, EV_ALERT_RAISED, ALERT_LATE), 1); /* once */
    t.north_m = -100;                                             /* somebody has carried him */
    drive(&t, 1, 60);
    assert_int_equal(rig_count(t.r, EV_TRACKING_REACHED), 1);
    /* at the first he was late; at the next he will be, too */
    assert_int_equal(alerts(&t, EV_ALERT_RAISED, ALERT_LATE), 2);
    assert_int_equal(rig_last_heard(t.r, EV_ALERT_RAISED)->alert.stop, 1);
    say(&t, EV_BOOKING_PROGRESSED, BOOKING_ARRIVED_PICKUP, 0);
    say(&t, EV_BOOKING_FAILED, BOOKING_FAILED, 1);
    assert_true(alerts(&t, EV_ALERT_CLEARED, ALERT_LATE) >= 1);
    assert_true(stored(&t)->late_stop == I64_ABSENT);
    rig_free(t.r);
}

static void test_off_route(void **unused) {
    (void)unused;
    struct trip t = trip_new(5, -3000, true);
    drive(&t, 10, 60);
    assert_true(stored(&t)->plan.len > 0 && stored(&t)->plan_stop == 0);
    for (int i = 1; i <= 12; i++) { /* away to the east */
        wait_s(&t, 10);
        fix(&t, 100.0 * i);
    }
    wait_s(&t, 11);
    assert_int_equal(alerts(&t, EV_ALERT_RAISED, ALERT_OFF_ROUTE), 0); /* not for long enough yet */
    for (int i = 13; i <= 20; i++) {
        wait_s(&t, 10);
        fix(&t, 100.0 * i);
    }
    wait_s(&t, 11);
    assert_int_equal(alerts(&t, EV_ALERT_RAISED, ALERT_OFF_ROUTE), 1);
    assert_true(rig_last_heard(t.r, EV_ALERT_RAISED)->alert.distance_m > 300);
    /* from there straight to the stop is another way, and he is on it */
    double west_m = 2000, south_m = t.north_m;
    for (int i = 1; i <= 12; i++) {
        wait_s(&t, 10);
        t.north_m = south_m * (1 - i / 20.0);
        fix(&t, west_m * (1 - i / 20.0));
    }
    wait_s(&t, 11);
    assert_int_equal(alerts(&t, EV_ALERT_CLEARED, ALERT_OFF_ROUTE), 1);
    assert_int_equal(alerts(&t, EV_ALERT_RAISED, ALERT_OFF_ROUTE), 1);
    rig_free(t.r);
}

/* News that comes twice, or late, or of another booking's driver. */
static void test_old_news(void **unused) {
    (void)unused;
    struct trip t = trip_new(6, -1000, false);
    struct ev_booking first = t.b;
    drive(&t, 10, 60);
    int64_t through_us = stored(&t)->through_us;
    rig_say_booking(t.r, EV_BOOKING_ASSIGNED, &first);
    assert_int_equal(stored(&t)->through_us, through_us);
    say(&t, EV_BOOKING_PROGRESSED, BOOKING_PICKED_UP, 1);
    first.version = 2;
    first.next_stop = 0;
    rig_say_booking(t.r, EV_BOOKING_PROGRESSED, &first);
    assert_int_equal(stored(&t)->next_stop, 1);
    say(&t, EV_BOOKING_DELIVERED, BOOKING_DELIVERED, 2);
    rig_say_booking(t.r, EV_BOOKING_ASSIGNED, &first);
    assert_true(stored(&t)->done);
    rig_free(t.r);
}

/* His claim asked, and is answered when he is on his way; or he has it anew, and may. */
static void test_begun_once(void **unused) {
    (void)unused;
    struct trip t = trip_new(8, -1000, false);
    drive(&t, 10, 60);
    say(&t, EV_BOOKING_PROGRESSED, BOOKING_ARRIVED_PICKUP, 0);
    int64_t begun_us = stored(&t)->begun_us, promised_us = stored(&t)->stops[1].promised_us;
    assert_true(stored(&t)->at_stop && promised_us != 0);
    struct ev_booking with = t.b;
    t.b = rig_with_offer(t.r, &t.b, stored(&t)->offer_id, t.b.driver_id, "accepted");
    for (int i = 0; i < 3; i++)
        say(&t, EV_BOOKING_CLAIM_HOLDS, BOOKING_ARRIVED_PICKUP, 0);
    const struct journey *j = stored(&t);
    assert_true(j->at_stop && j->begun_us == begun_us && j->stops[1].promised_us == promised_us);
    with.version = t.b.version;
    t.b = rig_with_offer(t.r, &with, house_id(t.r->house, "ofr"), t.b.driver_id, "accepted");
    say(&t, EV_BOOKING_ASSIGNED, BOOKING_ASSIGNED, 0);
    assert_true(!stored(&t)->at_stop && stored(&t)->begun_us > begun_us);
    rig_free(t.r);
}

/* A stop between makes him later at those after it than he was promised, and not late. */
static void test_promised_anew(void **unused) {
    (void)unused;
    struct trip t = trip_new(33, -1000, false);
    drive(&t, 10, 30);
    int64_t first_us = stored(&t)->stops[0].promised_us, then_us = stored(&t)->stops[1].promised_us;
    assert_true(first_us != 0 && then_us != 0);
    struct ev_point to[3] = {t.b.stops[0], t.b.stops[1], t.b.stops[1]};
    to[1].lat_e7 += 600000;
    t.b.stops = to;
    t.b.stop_count = 3;
    say(&t, EV_BOOKING_STOPS_CHANGED, BOOKING_ASSIGNED, 0);
    drive(&t, 10, 15);
    const struct journey *j = stored(&t);
    assert_int_equal(j->stops[0].promised_us, first_us);
    assert_true(j->stops[2].promised_us > then_us && j->stops[2].eta_us > then_us);
    to[1].lat_e7 -= 500000; /* in the same places as many stops, one of them another */
    say(&t, EV_BOOKING_STOPS_CHANGED, BOOKING_ASSIGNED, 0);
    to[1].lat_e7 += 600000;
    say(&t, EV_BOOKING_STOPS_CHANGED, BOOKING_ASSIGNED, 0);
    drive(&t, 10, 15);
    assert_int_equal(alerts(&t, EV_ALERT_RAISED, ALERT_LATE), 0);
    rig_free(t.r);
}

static void test_etas_read(void **unused) {
    (void)unused;
    struct trip t = trip_new(7, -1000, false);
    struct fleet *fleet = driver_service_fleet(t.r->service);
    struct fleet_etas etas;
    wait_s(&t, 3);
    assert_int_equal(fleet->ops->etas(fleet, t.r->house->worker.reader, t.r->parser, t.b.booking_id,
                                      &t.r->arena, &etas),
                     0);
    assert_int_equal(etas.stop_count, 2);
    assert_true(etas.stops[0].at_us == t.r->eta.stops[0].eta_us && etas.stops[1].at_us != 0);
    assert_true(etas.stops[0].early_us <= etas.stops[0].at_us &&
                etas.stops[0].late_us >= etas.stops[0].at_us);
    say(&t, EV_BOOKING_CANCELLED, BOOKING_CANCELLED, 0);
    assert_true(fleet->ops->etas(fleet, t.r->house->worker.reader, t.r->parser, t.b.booking_id,
                                 &t.r->arena, &etas) < 0);
    rig_free(t.r);
}

/* His stops are others: he is expected at those, and passing one that is not his any more is no
 * arrival. Whether the change itself is heard, or only what came after it, is the same. */
static void other_stops(uint64_t seed, bool heard) {
    struct trip t = trip_new(seed, 0, false);
    wait_s(&t, 3);
    say(&t, EV_BOOKING_PROGRESSED, BOOKING_ARRIVED_PICKUP, 0);
    say(&t, EV_BOOKING_PROGRESSED, BOOKING_PICKED_UP, 1);
    struct ev_point to[3] = {t.b.stops[0], t.b.stops[1], t.b.stops[1]};
    to[1].lat_e7 += 200000; /* twice as far, and a third one between */
    t.b.stops = to;
    t.b.stop_count = 3;
    if (heard) {
        say(&t, EV_BOOKING_STOPS_CHANGED, BOOKING_PICKED_UP, 1);
    } else {
        t.b.version++;
        say(&t, EV_BOOKING_PROOF, BOOKING_PICKED_UP, 1);
        say(&t, EV_BOOKING_PROGRESSED, BOOKING_PICKED_UP, 1);
    }
    fix(&t, 0);
    wait_s(&t, 11);
    const struct journey *j = stored(&t);
    assert_int_equal(j->stop_count, 3);
    assert_true(j->stops[1].lat_e7 == to[1].lat_e7 && j->stops[2].lat_e7 == to[2].lat_e7);
    assert_true(j->stops[1].eta_us != 0 && j->stops[2].eta_us > j->stops[1].eta_us);
    drive(&t, 10, 111); /* to where the second was */
    wait_s(&t, 30);
    fix(&t, 0);
    wait_s(&t, 11);
    int32_t before = rig_count(t.r, EV_TRACKING_REACHED);
    drive(&t, 10, 222);
    wait_s(&t, 30);
    fix(&t, 0);
    wait_s(&t, 11);
    assert_int_equal(rig_count(t.r, EV_TRACKING_REACHED), before + 1);
    const struct ev_tracking *told = &rig_last_heard(t.r, EV_TRACKING_REACHED)->tracking;
    assert_true(told->stop == 1 && told->lat_e7 == to[1].lat_e7);
    /* what was said before the change is old news */
    t.b.version -= 4;
    t.b.stop_count = 2;
    say(&t, EV_BOOKING_STOPS_CHANGED, BOOKING_PICKED_UP, 1);
    assert_int_equal(stored(&t)->stop_count, 3);
    rig_free(t.r);
}

static void test_other_stops(void **unused) {
    (void)unused;
    other_stops(31, true);
    other_stops(32, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_way),  cmocka_unit_test(test_late_batch),
        cmocka_unit_test(test_begun_once), cmocka_unit_test(test_stale),
        cmocka_unit_test(test_late),       cmocka_unit_test(test_off_route),
        cmocka_unit_test(test_old_news),   cmocka_unit_test(test_promised_anew),
        cmocka_unit_test(test_etas_read),  cmocka_unit_test(test_other_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
