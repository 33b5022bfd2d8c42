/* The audit against histories made by hand: each breach that it is there for is found, once and by
 * name, and a history without one is clean.
 */
#include "client/city_internal.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct city city;
static struct person customer, driver;

static int setup(void **state) {
    (void)state;
    memset(&city, 0, sizeof(city));
    map_init(&city.bookings);
    city.parser = json_parser_new();
    customer = (struct person){.city = &city, .email = "customer@x"};
    driver = (struct person){.city = &city, .email = "driver@x"};
    return 0;
}
static int teardown(void **state) {
    (void)state;
    audit_free(&city);
    json_parser_free(city.parser);
    return 0;
}

/* A booking as the API shows it; DRIVER may be NULL. */
static struct json_value booking(const char *id, int version, const char *driver_id) {
    static char text[256];
    struct json_value root;
    snprintf(text, sizeof(text), "{\"id\":\"%s\",\"version\":%d,\"driver\":%s%s%s}", id, version,
             driver_id != NULL ? "{\"id\":\"" : "null", driver_id != NULL ? driver_id : "",
             driver_id != NULL ? "\"}" : "");
    assert_true(city_json(&city, str_from(text), &root));
    return root;
}
static void told(struct person *p, const char *id, int version, const char *driver_id) {
    audit_acknowledged(&city, p, booking(id, version, driver_id));
}
static void saw(struct person *p, const char *id, int version, const char *driver_id) {
    audit_seen(&city, p, booking(id, version, driver_id));
}

static void assert_found(const char *what) {
    assert_int_equal(city.sum.violations, 1);
    if (strstr(city.violations[0], what) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", city.violations[0], what);
}

static void test_clean(void **state) {
    (void)state;
    audit_seq(&city, &customer, 7);
    audit_seq(&city, &customer, 8);
    told(&customer, "bkg_1", 1, NULL);
    assert_false(audit_settled(&city));
    saw(&customer, "bkg_1", 1, NULL);
    saw(&customer, "bkg_1", 3, "drv_1"); /* a push before the answer, and one nobody asked for */
    told(&driver, "bkg_1", 3, "drv_1");
    audit_accepted(&city, STR("bkg_1"), "driver@x", false);
    audit_accepted(&city, STR("bkg_1"), "driver@x", false); /* the winner asked twice */
    saw(&driver, "bkg_1", 3, "drv_1");
    saw(&customer, "bkg_2", 1, NULL);
    audit_accepted(&city, STR("bkg_2"), "driver@x", false);
    saw(&customer, "bkg_2", 2, "drv_1"); /* the next job of the same driver */
    audit_fixes(&city, &driver, 5, 5);
    assert_true(audit_settled(&city));
    audit_end(&city, 0);
    assert_int_equal(city.sum.violations, 0);
    assert_int_equal(city.sum.events_seen, 5);
}

static void test_two_drivers(void **state) {
    (void)state;
    saw(&customer, "bkg_1", 2, "drv_1");
    saw(&customer, "bkg_1", 3, "drv_2");
    assert_found("two drivers");
}

static void test_two_winners(void **state) {
    (void)state;
    audit_accepted(&city, STR("bkg_1"), "driver@x", false);
    audit_accepted(&city, STR("bkg_1"), "other@x", false);
    assert_found("accepted by driver@x and by other@x");
}

static void test_driver_with_two_bookings(void **state) {
    (void)state;
    audit_accepted(&city, STR("bkg_1"), "driver@x", false);
    audit_accepted(&city, STR("bkg_2"), "driver@x", true);
    assert_found("while on another booking");
}

static void test_seen_twice(void **state) {
    (void)state;
    saw(&customer, "bkg_1", 2, NULL);
    saw(&driver, "bkg_1", 2, NULL); /* somebody else's socket is another matter */
    assert_int_equal(city.sum.violations, 0);
    saw(&customer, "bkg_1", 2, NULL);
    assert_found("saw version 2 of bkg_1 twice");
}

static void test_never_seen(void **state) {
    (void)state;
    told(&customer, "bkg_1", 2, NULL);
    saw(&driver, "bkg_1", 2, NULL); /* it does not count that others saw it */
    saw(&customer, "bkg_1", 3, NULL);
    assert_false(audit_settled(&city));
    audit_end(&city, 0);
    assert_found("customer@x was told of version 2 of bkg_1 and never saw it");
}

static void test_seq_goes_back(void **state) {
    (void)state;
    audit_seq(&city, &customer, 7);
    audit_seq(&city, &customer, 7);
    assert_found("seq 7 after 7");
    city.sum.violations = 0;
    audit_seq(&city, &customer, 9);
    audit_seq(&city, &customer, 8);
    assert_found("seq 8 after 9");
}

static void test_fixes(void **state) {
    (void)state;
    audit_fixes(&city, &driver, 5, 4);
    assert_found("sent 5 fixes and was told of 4");
    city.sum.violations = 0;
    audit_waiting(&city, &driver);
    assert_found("never acknowledged");
}

static void test_unfinished(void **state) {
    (void)state;
    audit_end(&city, 3);
    assert_found("3 bookings had not ended");
}

/* More than are kept are counted all the same, and what is long is cut. */
static void test_many(void **state) {
    (void)state;
    char id[PERSON_TEXT_MAX];
    memset(id, 'b', sizeof(id) - 1);
    id[sizeof(id) - 1] = 0;
    for (int i = 0; i < 3 * VIOLATIONS_KEPT; i++)
        audit_violation(&city, "%s %s %s %s", id, id, id, id);
    assert_int_equal(city.sum.violations, 3 * VIOLATIONS_KEPT);
    /* versions and ids beyond what is told apart are nobody's crime */
    saw(&customer, "bkg_1", 100000, NULL);
    saw(&customer, "bkg_1", 100000, NULL);
    saw(&customer, "a-very-long-id-that-no-server-of-ours-would-ever-give-to-a-booking-of-its", 1,
        NULL);
    assert_int_equal(city.sum.violations, 3 * VIOLATIONS_KEPT);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_clean),         TEST(test_two_drivers),
        TEST(test_two_winners),   TEST(test_driver_with_two_bookings),
        TEST(test_seen_twice),    TEST(test_never_seen),
        TEST(test_seq_goes_back), TEST(test_fixes),
        TEST(test_unfinished),    TEST(test_many),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
