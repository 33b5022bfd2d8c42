/* Shifts: their arithmetic, and duty by them through the routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/timestamp.h"
#include "services/driver/shifts.h"
#include "services/driver/test_rig.h"

#include <stdio.h>
#include <string.h>

#define SCHEDULE "/v1/driver/schedule"
#define DUTY "/v1/driver/duty"
#define ON "{\"duty\":\"on\"}"

static bool has(struct str text, const char *part) {
    return memmem(text.p, text.len, part, strlen(part)) != NULL;
}
#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (!has(text, part))                                                                      \
            fail_msg("no %s in %.*s", part, STR_ARG(text));                                        \
    } while (0)

static int64_t at(const char *text) {
    int64_t us;
    assert_int_equal(timestamp_parse(str_from(text), &us), 0);
    return us;
}

/* ---- arithmetic ---- */

static struct shift shift_of(int day, const char *from, const char *to) {
    return (struct shift){day, str_from(from), str_from(to)};
}

static void assert_span(const struct shift *shifts, int32_t count, const struct zone *zone,
                        const char *after, const char *begin, const char *end) {
    struct shift_span span = shifts_span(shifts, count, zone, at(after));
    char text[2][TIMESTAMP_TEXT_MAX];
    timestamp_format(span.begin_us, text[0]);
    timestamp_format(span.end_us, text[1]);
    if (span.begin_us != at(begin) || span.end_us != at(end))
        fail_msg("after %s: %s to %s", after, text[0], text[1]);
}

static void test_spans(void **state) {
    (void)state;
    struct arena a;
    struct zone zone;
    arena_init(&a, 4096);
    assert_int_equal(zone_load(ZONE_DIR, STR("Europe/Stockholm"), &a, &zone), 0);
    const struct shift week[] = {
        shift_of(1, "08:00", "12:00"), shift_of(1, "12:00", "17:00"), /* one stretch */
        shift_of(5, "22:00", "06:00"),                                /* into Saturday */
        shift_of(7, "00:00", "24:00"),                                /* all of Sunday */
    };
    /* 2026-11-23 is a Monday; winter time is an hour east */
    assert_span(week, 4, &zone, "2026-11-23T05:00:00Z", "2026-11-23T07:00:00Z",
                "2026-11-23T16:00:00Z");
    assert_span(week, 4, &zone, "2026-11-23T11:00:00Z", "2026-11-23T07:00:00Z",
                "2026-11-23T16:00:00Z");
    assert_span(week, 4, &zone, "2026-11-23T16:00:00Z", "2026-11-27T21:00:00Z",
                "2026-11-28T05:00:00Z");
    assert_span(week, 4, &zone, "2026-11-28T04:59:59Z", "2026-11-27T21:00:00Z",
                "2026-11-28T05:00:00Z");
    assert_span(week, 4, &zone, "2026-11-28T05:00:00Z", "2026-11-28T23:00:00Z",
                "2026-11-29T23:00:00Z");
    /* summer time; and the night in which it begins is an hour shorter, the other longer */
    assert_span(week, 4, &zone, "2026-07-06T05:00:00Z", "2026-07-06T06:00:00Z",
                "2026-07-06T15:00:00Z");
    assert_span(week + 3, 1, &zone, "2026-03-28T23:00:00Z", "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z");
    assert_span(week + 3, 1, &zone, "2026-10-25T00:00:00Z", "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z");
    assert_int_equal(shifts_span(week, 0, &zone, at("2026-07-06T05:00:00Z")).end_us, 0);
    assert_int_equal(shifts_remind_at(week, 4, &zone, at("2026-11-23T05:00:00Z")),
                     at("2026-11-23T06:30:00Z"));
    assert_int_equal(shifts_remind_at(week, 4, &zone, at("2026-11-23T06:30:00Z")),
                     at("2026-11-27T20:30:00Z"));
    assert_int_equal(shifts_remind_at(week, 0, &zone, at("2026-11-23T06:30:00Z")), 0);
    arena_free(&a);
}

/* Every minute of a week: on shift by the spans, just when the shift's own hours say so. */
static void test_spans_against_the_clock(void **state) {
    (void)state;
    const struct shift week[] = {shift_of(1, "23:30", "01:15"), shift_of(3, "06:00", "06:01"),
                                 shift_of(3, "06:01", "24:00"), shift_of(4, "00:00", "03:00"),
                                 shift_of(7, "22:00", "02:00")};
    static const struct {
        int from, to; /* minutes of the week */
    } hours[] = {{1410, 1515}, {2 * 1440 + 360, 3 * 1440 + 180}, {6 * 1440 + 1320, 7 * 1440 + 120}};
    int64_t monday_us = at("2026-11-23T00:00:00Z");
    for (int minute = 0; minute < 7 * 1440; minute++) {
        bool wanted = minute < 120; /* of last Sunday */
        for (size_t i = 0; i < 3; i++)
            wanted |= minute >= hours[i].from && minute < hours[i].to;
        int64_t now_us = monday_us + minute * INT64_C(60) * US_PER_S;
        struct shift_span span = shifts_span(week, 5, &zone_utc, now_us);
        if ((span.begin_us <= now_us) != wanted)
            fail_msg("minute %d", minute);
        assert_true(span.end_us > now_us);
    }
}

static void test_bad_schedules(void **state) {
    (void)state;
    static const struct {
        const char *body, *pointer;
    } bad[] = {
        {"{}", "/shifts"},
        {"{\"shifts\":7}", "/shifts"},
        {"{\"shifts\":[{}]}", "/shifts/0/day"},
        {"{\"shifts\":[{\"day\":\"noday\",\"from\":\"08:00\",\"to\":\"09:00\"}]}", "/shifts/0/day"},
        {"{\"shifts\":[{\"day\":\"mon\",\"from\":\"8:00\",\"to\":\"09:00\"}]}", "/shifts/0/from"},
        {"{\"shifts\":[{\"day\":\"mon\",\"from\":\"24:00\",\"to\":\"09:00\"}]}", "/shifts/0/from"},
        {"{\"shifts\":[{\"day\":\"mon\",\"from\":\"08:60\",\"to\":\"09:00\"}]}", "/shifts/0/from"},
        {"{\"shifts\":[{\"day\":\"mon\",\"from\":\"08:00\",\"to\":\"24:01\"}]}", "/shifts/0/to"},
        {"{\"shifts\":[{\"day\":\"mon\",\"from\":\"08:00\",\"to\":\"08:00\"}]}", "/shifts/0/to"},
        {"{\"shifts\":[{\"day\":\"mon\",\"from\":\"08:00\",\"to\":\"a9:00\"}]}", "/shifts/0/to"},
        {"{\"shifts\":[{\"day\":\"mon\",\"from\":\"08:00\",\"to\":\"12:00\"},"
         "{\"day\":\"mon\",\"from\":\"11:59\",\"to\":\"13:00\"}]}",
         "/shifts/1"},
        {"{\"shifts\":[{\"day\":\"sun\",\"from\":\"22:00\",\"to\":\"06:00\"},"
         "{\"day\":\"mon\",\"from\":\"05:00\",\"to\":\"13:00\"}]}",
         "/shifts/1"},
        {"{\"shifts\":[{\"day\":\"mon\",\"from\":\"00:00\",\"to\":\"13:00\"},"
         "{\"day\":\"sun\",\"from\":\"22:00\",\"to\":\"00:01\"}]}",
         "/shifts/1"},
        {"{\"shifts\":[],\"home\":{}}", "/home/lat"},
        {"{\"shifts\":[],\"home\":{\"lat\":91,\"lng\":0,\"radius_m\":500}}", "/home/lat"},
        {"{\"shifts\":[],\"home\":{\"lat\":1,\"lng\":181,\"radius_m\":500}}", "/home/lng"},
        {"{\"shifts\":[],\"home\":{\"lat\":1,\"lng\":1,\"radius_m\":99}}", "/home/radius_m"},
        {"{\"shifts\":[],\"home\":{\"lat\":1,\"lng\":1,\"radius_m\":200001}}", "/home/radius_m"},
    };
    struct rig *r = rig_new(1);
    const char *user = house_id(r->house, "usr").p;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_has(rig_expect(r, 422, ROLE_DRIVER, user, "PUT", SCHEDULE, bad[i].body),
                   bad[i].pointer);
    struct buf many;
    buf_init(&many, &r->arena, 4096);
    buf_add_cstr(&many, "{\"shifts\":[");
    for (int i = 0; i < SHIFTS_MAX + 1; i++)
        buf_printf(&many, "%s{\"day\":\"mon\",\"from\":\"%02d:00\",\"to\":\"%02d:30\"}",
                   i > 0 ? "," : "", i, i);
    buf_add_cstr(&many, "]}");
    assert_has(rig_expect(r, 422, ROLE_DRIVER, user, "PUT", SCHEDULE,
                          arena_cstr(&r->arena, buf_str(&many))),
               "/shifts");
    assert_null(rig_stored(r, user));
    rig_expect(r, 403, ROLE_CUSTOMER, NULL, "PUT", SCHEDULE, "{\"shifts\":[]}");
    rig_expect(r, 404, ROLE_ADMIN, NULL, "PUT", "/v1/drivers/drv_1/schedule", "{\"shifts\":[]}");
    rig_expect(r, 404, ROLE_DISPATCHER, NULL, "GET", "/v1/drivers/drv_1/schedule", NULL);
    /* what touches does not overlap */
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", SCHEDULE,
               "{\"shifts\":[{\"day\":\"mon\",\"from\":\"00:00\",\"to\":\"13:00\"},"
               "{\"day\":\"sun\",\"from\":\"22:00\",\"to\":\"00:00\"}]}");
    rig_free(r);
}

/* ---- duty ---- */

/* The house's clock stands on Monday 2026-11-23; goes on to this time of a day of that week. */
static void go_to(struct rig *r, const char *when) {
    assert_true(at(when) >= r->house->now_us);
    r->house->now_us = at(when);
    house_settle(r->house);
}

/* Beside the one that he is approved. */
static int32_t heard_notices(const struct rig *r) {
    return r->notice_count - 1;
}

static void test_shown(void **state) {
    (void)state;
    struct rig *r = rig_new(2);
    r->options.timezone = STR("Europe/Stockholm");
    rig_reopen(r);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", DUTY, "{\"duty\":\"off\"}");
    struct str body =
        rig_expect(r, 200, ROLE_DRIVER, user, "PUT", SCHEDULE,
                   "{\"shifts\":[{\"day\":\"wed\",\"from\":\"08:00\",\"to\":\"17:00\"}],"
                   "\"home\":{\"name\":\"Centrum\",\"lat\":57.7,\"lng\":11.97,\"radius_m\":5000}}");
    assert_has(body, "\"timezone\":\"Europe/Stockholm\"");
    assert_has(body, "\"next\":{\"begins_at\":\"2026-11-25T07:00:00Z\"");
    assert_has(body, "\"on_shift\":false");
    assert_has(body, "\"only\":false");
    /* half an hour before it he is reminded, once */
    go_to(r, "2026-11-25T06:29:59Z");
    assert_int_equal(heard_notices(r), 0);
    go_to(r, "2026-11-25T06:30:00Z");
    assert_int_equal(heard_notices(r), 1);
    assert_true(str_is(r->notice.kind, "shift_begins"));
    assert_true(str_is(r->notice.when, "08:00"));
    /* he may come before it, and is off duty when it ends */
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", DUTY, ON);
    assert_int_equal(rig_stored(r, user)->shift_end_us, at("2026-11-25T16:00:00Z"));
    go_to(r, "2026-11-25T15:59:59Z");
    assert_int_equal(rig_stored(r, user)->duty, DUTY_ON);
    go_to(r, "2026-11-25T16:00:00Z");
    assert_int_equal(rig_stored(r, user)->duty, DUTY_OFF);
    assert_int_equal(heard_notices(r), 2);
    assert_true(str_is(r->notice.kind, "shift_ended"));
    /* after it he may come again, if he likes */
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", DUTY, ON);
    go_to(r, "2026-12-02T07:00:00Z"); /* on duty: of what he is at, nobody is reminded */
    assert_int_equal(heard_notices(r), 2);
    rig_free(r);
}

static void test_required(void **state) {
    (void)state;
    struct rig *r = rig_new(3);
    r->options.shifts_required = true;
    rig_reopen(r);
    const char *user = house_id(r->house, "usr").p;
    char path[64];
    snprintf(path, sizeof path, "/v1/drivers/%s/schedule", rig_driver_id(r, user));
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", "/v1/driver",
               "{\"vehicle\":{\"class\":\"van\",\"plate\":\"A\",\"capacity_kg\":800}}");
    char driver[64];
    snprintf(driver, sizeof driver, "/v1/drivers/%s", rig_driver_id(r, user));
    rig_expect(r, 200, ROLE_ADMIN, NULL, "PATCH", driver, "{\"status\":\"approved\"}");
    assert_has(rig_expect(r, 409, ROLE_DRIVER, user, "POST", DUTY, ON), "you have no shifts");
    const char *shifts = "{\"shifts\":[{\"day\":\"wed\",\"from\":\"08:00\",\"to\":\"17:00\"}]}";
    rig_expect(r, 403, ROLE_DRIVER, user, "PUT", SCHEDULE, shifts);
    rig_expect(r, 403, ROLE_DISPATCHER, NULL, "PUT", path, shifts);
    rig_expect(r, 200, ROLE_ADMIN, NULL, "PUT", path, shifts);
    /* where he would rather work he says himself */
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", SCHEDULE,
               "{\"shifts\":[{\"day\":\"wed\",\"from\":\"08:00\",\"to\":\"17:00\"}],"
               "\"home\":{\"lat\":57.7,\"lng\":11.97,\"radius_m\":5000,\"only\":true}}");
    assert_true(rig_stored(r, user)->home->only);
    assert_has(rig_expect(r, 409, ROLE_DRIVER, user, "POST", DUTY, ON),
               "your next shift begins at 2026-11-25T08:00:00");
    go_to(r, "2026-11-25T07:44:59Z");
    rig_expect(r, 409, ROLE_DRIVER, user, "POST", DUTY, ON);
    go_to(r, "2026-11-25T07:45:00Z");
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", DUTY, ON);
    go_to(r, "2026-11-25T17:00:00Z");
    assert_int_equal(rig_stored(r, user)->duty, DUTY_OFF);
    assert_has(rig_expect(r, 409, ROLE_DRIVER, user, "POST", DUTY, ON), "2026-12-02");
    assert_has(rig_expect(r, 200, ROLE_DISPATCHER, NULL, "GET", path, NULL), "\"required\":true");
    rig_free(r);
}

static void claim(struct rig *r, const char *user, const struct ev_booking *b) {
    struct ev_claim want = {.booking_id = b->booking_id,
                            .offer_id = house_id(r->house, "ofr"),
                            .driver_id = str_from(rig_driver_id(r, user)),
                            .vehicle = VEHICLE_VAN,
                            .pickup = &b->stops[0]};
    rig_say(r, EV_DISPATCH_CLAIM, want.driver_id, &ev_claim_schema, &want);
}

/* The end of a shift waits for the booking under way, and for the offer's answer. */
static void test_end_waits_for_the_booking(void **state) {
    (void)state;
    struct rig *r = rig_new(4);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", SCHEDULE,
               "{\"shifts\":[{\"day\":\"wed\",\"from\":\"08:00\",\"to\":\"17:00\"}]}");
    go_to(r, "2026-11-25T16:59:50Z");
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, 57.7, 11.97);
    claim(r, user, &b);
    assert_non_null(rig_stored(r, user)->claim);
    go_to(r, "2026-11-25T17:00:05Z");
    assert_int_equal(rig_stored(r, user)->duty, DUTY_ON);
    struct ev_booking won = rig_with_offer(r, &b, rig_stored(r, user)->claim->offer_id,
                                           str_from(rig_driver_id(r, user)), NULL);
    won.driver_id = str_from(rig_driver_id(r, user));
    rig_say_booking(r, EV_BOOKING_ASSIGNED, &won);
    go_to(r, "2026-11-25T18:00:00Z");
    assert_int_equal(rig_stored(r, user)->duty, DUTY_BUSY);
    won.state = BOOKING_DELIVERED;
    rig_say_booking(r, EV_BOOKING_DELIVERED, &won);
    go_to(r, "2026-11-25T18:00:01Z");
    assert_int_equal(rig_stored(r, user)->duty, DUTY_OFF);
    assert_true(str_is(r->notice.kind, "shift_ended"));
    rig_free(r);
}

/* Who wants to work in his zone only is asked for nothing else; a dispatcher may give it to him. */
static void test_home_only(void **state) {
    (void)state;
    struct rig *r = rig_new(5);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", SCHEDULE,
               "{\"shifts\":[],\"home\":{\"lat\":57.7,\"lng\":11.97,\"radius_m\":1000,"
               "\"only\":true}}");
    struct ev_booking far = rig_booking(r, VEHICLE_VAN, 57.72, 11.97);
    claim(r, user, &far);
    assert_null(rig_stored(r, user)->claim);
    assert_true(str_is(rig_last(r, EV_DISPATCH_REFUSED)->reason, "outside the home zone"));
    struct ev_booking near = rig_booking(r, VEHICLE_VAN, 57.705, 11.97);
    claim(r, user, &near);
    assert_non_null(rig_stored(r, user)->claim);
    rig_free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans),         cmocka_unit_test(test_spans_against_the_clock),
        cmocka_unit_test(test_bad_schedules), cmocka_unit_test(test_shown),
        cmocka_unit_test(test_required),      cmocka_unit_test(test_end_waits_for_the_booking),
        cmocka_unit_test(test_home_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
