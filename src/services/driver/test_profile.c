/* Profiles, duty, offers, earnings and the map, through the routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/timestamp.h"
#include "services/driver/test_rig.h"
#include "services/driver/trail.h"

#include <stdio.h>
#include <string.h>

#define VAN "{\"vehicle\":{\"class\":\"van\",\"plate\":\"ABC123\",\"capacity_kg\":800}}"

static bool has(struct str text, const char *part) {
    return memmem(text.p, text.len, part, strlen(part)) != NULL;
}
#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (!has(text, part))                                                                      \
            fail_msg("no %s in %.*s", part, STR_ARG(text));                                        \
    } while (0)

static void test_tables(void **state) {
    (void)state;
    const struct schema *all[] = {driver_aggregate.schema,    search_aggregate.schema,
                                  earnings_aggregate.schema,  trail_aggregate.schema,
                                  &profile_body_schema,       &duty_body_schema,
                                  &driver_status_body_schema, &locations_body_schema};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (schema_fault(all[i]) != NULL)
            fail_msg("%s: %s", all[i]->name, schema_fault(all[i]));
    }
}

/* The vectors of the reference implementation: key 00…0f, text 00, 01, … */
static void test_siphash(void **state) {
    (void)state;
    static const uint64_t wanted[] = {0x726fdb47dd0e0e31U, 0x74f839c593dc67fdU, 0x0d6c8009d9a94f5aU,
                                      0x85676696d7fb7e2dU};
    unsigned char bytes[16];
    for (unsigned char i = 0; i < 16; i++)
        bytes[i] = i;
    for (size_t len = 0; len < sizeof wanted / sizeof wanted[0]; len++)
        assert_true(siphash((struct str){(const char *)bytes, len}, bytes) == wanted[len]);
    assert_true(siphash((struct str){(const char *)bytes, 15}, bytes) == 0xa129ca6149be45e5U);
}

static void test_first_look(void **state) {
    (void)state;
    struct rig *r = rig_new(1);
    const char *user = house_id(r->house, "usr").p;
    struct str body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver", NULL);
    assert_has(body, "\"status\":\"pending\"");
    assert_has(body, "\"duty\":\"off\"");
    assert_has(body, "\"name\":\"Test Person\"");
    assert_has(body, "\"vehicle\":null");
    assert_has(body, "\"rating\":{\"mean\":null,\"count\":0}");
    assert_has(body, "\"version\":1");
    /* the event comes after */
    struct ev_account account = {
        .user_id = str_from(user), .name = STR("Ola Berg"), .phone = STR("+46701"), .role = 2};
    rig_say(r, EV_ACCOUNT_REGISTERED, account.user_id, &ev_account_schema, &account);
    body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver", NULL);
    assert_has(body, "\"name\":\"Ola Berg\"");
    assert_has(body, "\"phone\":\"+46701\"");
    /* and for another, before */
    const char *other = house_id(r->house, "usr").p;
    account.user_id = str_from(other);
    rig_say(r, EV_ACCOUNT_REGISTERED, account.user_id, &ev_account_schema, &account);
    assert_non_null(rig_stored(r, other));
    /* customers are no drivers */
    const char *customer = house_id(r->house, "usr").p;
    account.user_id = str_from(customer);
    account.role = ROLE_CUSTOMER;
    rig_say(r, EV_ACCOUNT_REGISTERED, account.user_id, &ev_account_schema, &account);
    assert_null(rig_stored(r, customer));
    rig_free(r);
}

static void test_old_news_of_an_account(void **state) {
    (void)state;
    struct rig *r = rig_new(2);
    const char *user = house_id(r->house, "usr").p;
    struct ev_account account = {.user_id = str_from(user), .name = STR("New"), .role = 2};
    house_advance(r->house, US_PER_S);
    rig_say(r, EV_ACCOUNT_CHANGED, account.user_id, &ev_account_schema, &account);
    r->house->now_us -= US_PER_S / 2;
    account.name = STR("Old");
    rig_say(r, EV_ACCOUNT_REGISTERED, account.user_id, &ev_account_schema, &account);
    assert_true(str_is(rig_stored(r, user)->name, "New"));
    rig_free(r);
}

static void test_vehicle_is_checked(void **state) {
    (void)state;
    struct rig *r = rig_new(3);
    const char *user = house_id(r->house, "usr").p;
    struct str body = rig_expect(
        r, 422, ROLE_DRIVER, user, "PUT", "/v1/driver",
        "{\"vehicle\":{\"class\":\"plane\",\"plate\":\"ABCDEFGHIJKLMNOPQ\",\"capacity_kg\":0}}");
    assert_has(body, "/vehicle/class");
    assert_has(body, "/vehicle/plate");
    assert_has(body, "/vehicle/capacity_kg");
    rig_expect(r, 422, ROLE_DRIVER, user, "PUT", "/v1/driver", "{}");
    assert_null(rig_stored(r, user));
    rig_free(r);
}

static void hear_shift(void *consumer, struct bus_delivery *d) {
    struct ev_shift *shift = consumer;
    struct json_parser *p = json_parser_new();
    struct arena a;
    arena_init(&a, 1024);
    assert_int_equal(schema_load(&ev_shift_schema, p, d->event->data, &a, shift), 0);
    shift->driver_id = STR_NONE; /* is in A */
    arena_free(&a);
    json_parser_free(p);
    d->done(d, 0);
}

/* Once he is off duty, it is told how long he was on it: by himself, or by the office. */
static void test_shift(void **state) {
    (void)state;
    static const char *const types[] = {EV_DRIVER_SHIFT, NULL};
    struct rig *r = rig_new(9);
    struct ev_shift shift = {.vehicle = VEHICLE_NONE};
    struct bus *bus = r->house->bus;
    assert_int_equal(bus->ops->subscribe(bus, "shifts", types, hear_shift, &shift), 0);
    const char *user = rig_driver(r, "van", 57.7, 11.96);
    char path[64];
    snprintf(path, sizeof path, "/v1/drivers/%s", rig_driver_id(r, user));
    int64_t since_us = rig_stored(r, user)->on_since_us;
    assert_int_equal(since_us, r->house->now_us);
    house_advance(r->house, 3600 * US_PER_S);
    assert_int_equal(shift.vehicle, VEHICLE_NONE);
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"off\"}");
    house_settle(r->house);
    assert_int_equal(shift.vehicle, VEHICLE_VAN);
    assert_int_equal(shift.since_us, since_us);
    assert_int_equal(rig_stored(r, user)->on_since_us, 0);
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    since_us = r->house->now_us;
    house_advance(r->house, 60 * US_PER_S);
    rig_expect(r, 200, ROLE_ADMIN, NULL, "PATCH", path,
               "{\"status\":\"suspended\",\"reason\":\"complaints\"}");
    house_settle(r->house);
    assert_int_equal(shift.since_us, since_us);
    rig_free(r);
}

static void test_approval(void **state) {
    (void)state;
    struct rig *r = rig_new(4);
    const char *user = house_id(r->house, "usr").p;
    char path[64];
    snprintf(path, sizeof path, "/v1/drivers/%s", rig_driver_id(r, user));
    rig_expect(r, 403, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    rig_expect(r, 404, ROLE_ADMIN, NULL, "PATCH", path, "{\"status\":\"approved\"}");
    rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver", NULL);
    struct str body =
        rig_expect(r, 403, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    assert_has(body, "/problems/not-approved");
    rig_expect(r, 403, ROLE_DRIVER, user, "PATCH", path, "{\"status\":\"approved\"}");
    rig_expect(r, 403, ROLE_DISPATCHER, NULL, "PATCH", path, "{\"status\":\"approved\"}");
    rig_expect(r, 422, ROLE_ADMIN, NULL, "PATCH", path, "{\"status\":\"pending\"}");
    rig_expect(r, 422, ROLE_ADMIN, NULL, "PATCH", path, "{\"status\":\"suspended\"}");
    assert_has(rig_expect(r, 422, ROLE_ADMIN, NULL, "PATCH", path,
                          "{\"status\":\"approved\",\"until\":\"2027-01-01\"}"),
               "\"/until\"");
    rig_expect(r, 404, ROLE_ADMIN, NULL, "PATCH", "/v1/drivers/nobody",
               "{\"status\":\"approved\"}");
    rig_expect(r, 200, ROLE_ADMIN, NULL, "PATCH", path, "{\"status\":\"approved\"}");
    body = rig_expect(r, 409, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    assert_has(body, "/problems/no-vehicle");
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", "/v1/driver", VAN);
    rig_expect(r, 422, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"busy\"}");
    body = rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    assert_has(body, "\"duty\":\"on\"");
    int64_t version = rig_stored(r, user)->head.version;
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    assert_int_equal(rig_stored(r, user)->head.version, version);
    body = rig_expect(r, 200, ROLE_ADMIN, NULL, "PATCH", path,
                      "{\"status\":\"suspended\",\"reason\":\"complaints\"}");
    assert_has(body, "\"duty\":\"off\"");
    assert_has(body, "\"status_reason\":\"complaints\"");
    rig_expect(r, 403, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    rig_free(r);
}

static void test_auto_approval(void **state) {
    (void)state;
    struct rig *r = rig_new(5);
    r->options.approval_auto = true;
    rig_reopen(r);
    const char *user = house_id(r->house, "usr").p;
    rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver", NULL);
    rig_expect(r, 403, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    struct str body = rig_expect(r, 200, ROLE_DRIVER, user, "PUT", "/v1/driver", VAN);
    assert_has(body, "\"status\":\"approved\"");
    rig_free(r);
}

static void test_list_of_drivers(void **state) {
    (void)state;
    struct rig *r = rig_new(6);
    for (int i = 0; i < 5; i++)
        rig_expect(r, 200, ROLE_DRIVER, house_id(r->house, "usr").p, "GET", "/v1/driver", NULL);
    const char *approved = rig_driver(r, "van", 57.7, 11.97);
    struct str body =
        rig_expect(r, 200, ROLE_ADMIN, NULL, "GET", "/v1/drivers?status=approved", NULL);
    assert_has(body, rig_driver_id(r, approved));
    assert_has(body, "\"next_cursor\":null");
    body = rig_expect(r, 200, ROLE_DISPATCHER, NULL, "GET", "/v1/drivers?status=pending&limit=2",
                      NULL);
    assert_false(has(body, "\"next_cursor\":null"));
    assert_false(has(body, rig_driver_id(r, approved)));
    rig_expect(r, 422, ROLE_ADMIN, NULL, "GET", "/v1/drivers?status=odd", NULL);
    rig_expect(r, 403, ROLE_CUSTOMER, NULL, "GET", "/v1/drivers", NULL);
    rig_free(r);
}

static void test_nearby(void **state) {
    (void)state;
    struct rig *r = rig_new(7);
    const char *near = rig_driver(r, "van", 57.7000, 11.9700);
    const char *far = rig_driver(r, "van", 57.7090, 11.9700); /* 1 km north */
    rig_driver(r, "bike", 57.7001, 11.9700);
    const char *path = "/v1/drivers/nearby?lat=57.7&lng=11.97&radius_m=3000&vehicle=van";
    struct str body = rig_expect(r, 200, ROLE_CUSTOMER, NULL, "GET", path, NULL);
    assert_has(body, "\"distance_m\":0");
    assert_has(body, "\"distance_m\":1001");
    assert_false(has(body, "bike"));
    assert_false(has(body, near + 4)); /* no ids, no names */
    assert_false(has(body, "driver_id"));
    assert_false(has(body, "Test Person"));
    struct str staff = rig_expect(r, 200, ROLE_DISPATCHER, NULL, "GET", path, NULL);
    assert_has(staff, rig_driver_id(r, near));
    assert_has(staff, rig_driver_id(r, far));
    assert_has(staff, "Test Person");
    /* the reference holds for the day, and is another the next */
    struct str again = rig_expect(r, 200, ROLE_CUSTOMER, NULL, "GET", path, NULL);
    assert_true(str_eq(body, again));
    r->house->now_us += US_PER_DAY;
    rig_fix(r, near, 57.7, 11.97);
    rig_fix(r, far, 57.709, 11.97);
    struct str tomorrow = rig_expect(r, 200, ROLE_CUSTOMER, NULL, "GET", path, NULL);
    assert_has(tomorrow, "\"distance_m\":1001");
    assert_false(str_eq(body, tomorrow));
    /* a position of long ago is nobody's */
    r->house->now_us += POSITION_FRESH_US + 1;
    body = rig_expect(r, 200, ROLE_CUSTOMER, NULL, "GET", path, NULL);
    assert_true(str_is(body, "{\"items\":[]}"));
    rig_expect(r, 422, ROLE_CUSTOMER, NULL, "GET", "/v1/drivers/nearby?lat=91&lng=0", NULL);
    rig_expect(r, 422, ROLE_CUSTOMER, NULL, "GET", "/v1/drivers/nearby?lat=1", NULL);
    rig_expect(r, 422, ROLE_CUSTOMER, NULL, "GET", "/v1/drivers/nearby?lat=nan&lng=0", NULL);
    rig_expect(r, 403, ROLE_DRIVER, NULL, "GET", path, NULL);
    rig_free(r);
}

static void test_fleet(void **state) {
    (void)state;
    struct rig *r = rig_new(8);
    const char *in = rig_driver(r, "van", 57.70, 11.97);
    const char *out = rig_driver(r, "car", 59.33, 18.07);
    struct str body =
        rig_expect(r, 200, ROLE_ADMIN, NULL, "GET", "/v1/fleet?bbox=11,57,12,58", NULL);
    assert_has(body, rig_driver_id(r, in));
    assert_false(has(body, rig_driver_id(r, out)));
    assert_has(body, "\"counts\":{\"on\":1,\"busy\":0}");
    body = rig_expect(r, 200, ROLE_ADMIN, NULL, "GET", "/v1/fleet", NULL);
    assert_has(body, rig_driver_id(r, out));
    assert_has(body, "\"booking_id\":null");
    rig_expect(r, 422, ROLE_ADMIN, NULL, "GET", "/v1/fleet?bbox=11,57,12", NULL);
    rig_expect(r, 422, ROLE_ADMIN, NULL, "GET", "/v1/fleet?bbox=11,58,12,57", NULL);
    rig_expect(r, 422, ROLE_ADMIN, NULL, "GET", "/v1/fleet?bbox=11,57,12,58,1", NULL);
    rig_expect(r, 422, ROLE_ADMIN, NULL, "GET", "/v1/fleet?bbox=11,57,181,58", NULL);
    rig_expect(r, 403, ROLE_CUSTOMER, NULL, "GET", "/v1/fleet", NULL);
    /* off duty: he leaves the map, and those who watch are told */
    rig_expect(r, 200, ROLE_DRIVER, in, "POST", "/v1/driver/duty", "{\"duty\":\"off\"}");
    body = rig_expect(r, 200, ROLE_ADMIN, NULL, "GET", "/v1/fleet?bbox=11,57,12,58", NULL);
    assert_has(body, "\"items\":[]");
    assert_true(r->signals[r->signal_count - 1].off);
    assert_string_equal(r->signals[r->signal_count - 1].driver_id, rig_driver_id(r, in));
    rig_free(r);
}

static void test_position_of_his_own(void **state) {
    (void)state;
    struct rig *r = rig_new(9);
    const char *user = rig_driver(r, "van", 57.70, 11.97);
    struct str body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver", NULL);
    assert_has(body, "\"lat\":57.7,\"lng\":11.97");
    struct fleet_position at;
    struct fleet *fleet = driver_service_fleet(r->service);
    struct str id = str_from(rig_driver_id(r, user));
    assert_int_equal(fleet->ops->position(fleet, id, &at), 0);
    assert_int_equal(at.at.lat_e7, 577000000);
    assert_int_equal(fleet->ops->nearest_free(fleet, point_of(57.7, 11.98), VEHICLE_VAN, &at), 0);
    assert_int_equal(fleet->ops->nearest_free(fleet, point_of(57.7, 11.98), VEHICLE_BIKE, &at),
                     ERR_NOT_FOUND);
    rig_reopen(r); /* the roster is read from the store again */
    fleet = driver_service_fleet(r->service);
    assert_int_equal(fleet->ops->position(fleet, id, &at), 0);
    assert_int_equal(at.at.lng_e7, 119700000);
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"off\"}");
    body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver", NULL);
    assert_has(body, "\"position\":null");
    /* back on duty after a restart, he stands where he was last */
    rig_reopen(r);
    body = rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    assert_has(body, "\"lat\":57.7");
    rig_free(r);
}

static void test_earnings(void **state) {
    (void)state;
    struct rig *r = rig_new(10);
    const char *user = rig_driver(r, "van", 57.70, 11.97);
    struct str body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver/earnings", NULL);
    assert_true(str_is(body, "{\"currency\":\"SEK\",\"total\":0,\"bookings\":0,\"gross\":0,"
                             "\"commission\":0,\"days\":[]}"));
    for (int day = 0; day < 3; day++) {
        for (int n = 0; n <= day; n++) {
            struct ev_booking b = rig_booking(r, VEHICLE_VAN, 57.7, 11.97);
            b.state = BOOKING_DELIVERED;
            b.driver_id = str_from(rig_driver_id(r, user));
            b.earning = 100 + day;
            rig_say_booking(r, EV_BOOKING_DELIVERED, &b);
        }
        r->house->now_us += US_PER_DAY; /* from 2026-11-23 */
    }
    body = rig_expect(r, 200, ROLE_DRIVER, user, "GET",
                      "/v1/driver/earnings?from=2026-11-24&to=2026-11-25T12:00:00Z", NULL);
    assert_true(str_is(body,
                       "{\"currency\":\"SEK\",\"total\":508,\"bookings\":5,\"gross\":508,"
                       "\"commission\":0,\"days\":[{\"date\":\"2026-11-24\",\"total\":202,"
                       "\"bookings\":2,\"gross\":202,\"commission\":0},{\"date\":\"2026-11-25\","
                       "\"total\":306,\"bookings\":3,\"gross\":306,\"commission\":0}]}"));
    struct ev_booking fee = rig_booking(r, VEHICLE_VAN, 57.7, 11.97); /* cancelled for a fee */
    fee.state = BOOKING_CANCELLED;
    fee.driver_id = str_from(rig_driver_id(r, user));
    fee.gross = 1000;
    fee.earned = 800;
    rig_say_booking(r, EV_BOOKING_CANCELLED, &fee);
    body =
        rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver/earnings?from=2026-11-26", NULL);
    assert_has(body, "\"total\":800,\"bookings\":0,\"gross\":1000,\"commission\":200");
    body = rig_expect(r, 200, ROLE_DRIVER, user, "GET",
                      "/v1/driver/earnings?from=2026-11-20&to=2026-11-23", NULL);
    assert_has(body, "\"total\":100,\"bookings\":1");
    rig_expect(r, 422, ROLE_DRIVER, user, "GET", "/v1/driver/earnings?from=yesterday", NULL);
    rig_expect(r, 422, ROLE_DRIVER, user, "GET",
               "/v1/driver/earnings?from=2026-11-24&to=2026-11-23", NULL);
    rig_expect(r, 422, ROLE_DRIVER, user, "GET",
               "/v1/driver/earnings?from=2020-01-01&to=2026-11-23", NULL);
    rig_free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_first_look),
        cmocka_unit_test(test_old_news_of_an_account),
        cmocka_unit_test(test_vehicle_is_checked),
        cmocka_unit_test(test_shift),
        cmocka_unit_test(test_approval),
        cmocka_unit_test(test_auto_approval),
        cmocka_unit_test(test_list_of_drivers),
        cmocka_unit_test(test_nearby),
        cmocka_unit_test(test_fleet),
        cmocka_unit_test(test_position_of_his_own),
        cmocka_unit_test(test_earnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
