/* The machine, prices, tariffs and the area: functions of what they are given. */
#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "services/booking/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the machine against the rules in words, written a second time ---- */

static bool searching(int32_t s) {
    return s == BOOKING_REQUESTED || s == BOOKING_OFFERED;
}
static bool open_state(int32_t s) {
    return s >= BOOKING_REQUESTED && s <= BOOKING_ARRIVED_DROPOFF;
}

/* Where ACTION by one HAT leads from S, or BOOKING_NONE. */
static int32_t expected(int32_t s, enum booking_action action, unsigned hat, bool last) {
    switch (action) {
    case ACTION_OFFER:
        return hat == HAT_SYSTEM && searching(s) ? BOOKING_OFFERED : BOOKING_NONE;
    case ACTION_LAPSE:
        return hat == HAT_SYSTEM && s == BOOKING_OFFERED ? BOOKING_REQUESTED : BOOKING_NONE;
    case ACTION_ACCEPT:
        return hat == HAT_ASKED && s == BOOKING_OFFERED ? BOOKING_ASSIGNED : BOOKING_NONE;
    case ACTION_ASSIGN:
        return hat == HAT_STAFF && searching(s) ? BOOKING_ASSIGNED : BOOKING_NONE;
    case ACTION_EXPIRE:
        return hat == HAT_SYSTEM && searching(s) ? BOOKING_EXPIRED : BOOKING_NONE;
    case ACTION_ARRIVE_PICKUP:
        return hat == HAT_DRIVER && s == BOOKING_ASSIGNED ? BOOKING_ARRIVED_PICKUP : BOOKING_NONE;
    case ACTION_PICK_UP:
        return hat == HAT_DRIVER && s == BOOKING_ARRIVED_PICKUP ? BOOKING_PICKED_UP : BOOKING_NONE;
    case ACTION_ARRIVE_DROPOFF:
        return hat == HAT_DRIVER && s == BOOKING_PICKED_UP ? BOOKING_ARRIVED_DROPOFF : BOOKING_NONE;
    case ACTION_DELIVER:
        if (hat != HAT_DRIVER || s != BOOKING_ARRIVED_DROPOFF)
            return BOOKING_NONE;
        return last ? BOOKING_DELIVERED : BOOKING_PICKED_UP;
    case ACTION_FAIL:
        return hat == HAT_DRIVER && (s == BOOKING_ARRIVED_PICKUP || s == BOOKING_ARRIVED_DROPOFF)
                   ? BOOKING_FAILED
                   : BOOKING_NONE;
    case ACTION_CANCEL:
        if (hat == HAT_STAFF && open_state(s))
            return BOOKING_CANCELLED;
        return hat == HAT_CUSTOMER && open_state(s) && s <= BOOKING_ARRIVED_PICKUP
                   ? BOOKING_CANCELLED
                   : BOOKING_NONE;
    case ACTION_RATE:
        return hat == HAT_CUSTOMER && s == BOOKING_DELIVERED ? BOOKING_DELIVERED : BOOKING_NONE;
    case ACTION_COUNT:
        break;
    }
    return BOOKING_NONE;
}

static void test_machine_every_move(void **unused) {
    (void)unused;
    const unsigned hats[] = {HAT_SYSTEM, HAT_CUSTOMER, HAT_DRIVER, HAT_ASKED, HAT_STAFF, 0};
    for (int32_t s = BOOKING_REQUESTED; s < BOOKING_STATE_COUNT; s++) {
        for (int action = 0; action < ACTION_COUNT; action++) {
            for (size_t h = 0; h < COUNT_OF(hats); h++) {
                for (int last = 0; last < 2; last++) {
                    struct booking_ask ask = {.state = s,
                                              .action = (enum booking_action)action,
                                              .hats = hats[h],
                                              .stop = I64_ABSENT,
                                              .next_stop = last ? 2 : 1,
                                              .stop_count = 3,
                                              .has_reason = true};
                    int32_t to = BOOKING_NONE;
                    enum verdict v = booking_judge(&ask, &to);
                    int32_t want = expected(s, ask.action, hats[h], last);
                    assert_int_equal(v == VERDICT_OK, want != BOOKING_NONE);
                    assert_int_equal(to, want);
                }
            }
        }
    }
}

static void test_machine_conditions(void **unused) {
    (void)unused;
    struct booking_ask ask = {.state = BOOKING_ARRIVED_DROPOFF,
                              .action = ACTION_FAIL,
                              .hats = HAT_DRIVER,
                              .stop = 1,
                              .next_stop = 1,
                              .stop_count = 2};
    int32_t to = BOOKING_NONE;
    assert_int_equal(booking_judge(&ask, &to), VERDICT_NO_REASON);
    assert_int_equal(to, BOOKING_NONE);
    ask.has_reason = true;
    assert_int_equal(booking_judge(&ask, &to), VERDICT_OK);
    ask.stop = 0;
    assert_int_equal(booking_judge(&ask, &to), VERDICT_OTHER_STOP);
    ask.hats = HAT_CUSTOMER;
    assert_int_equal(booking_judge(&ask, &to), VERDICT_DENIED);
    ask.action = ACTION_CANCEL;
    assert_int_equal(booking_judge(&ask, &to), VERDICT_ILLEGAL); /* too late, not never */
    ask = (struct booking_ask){
        .state = BOOKING_DELIVERED, .action = ACTION_RATE, .hats = HAT_CUSTOMER, .rated = true};
    assert_int_equal(booking_judge(&ask, &to), VERDICT_RATED);
}

static void allowed_is(int32_t state, unsigned hats, const char *want) {
    struct buf got;
    buf_init(&got, NULL, 64);
    int32_t states[BOOKING_STATE_COUNT];
    int32_t n = booking_allowed(state, hats, states);
    for (int32_t i = 0; i < n; i++)
        buf_printf(&got, "%s%s", i > 0 ? "," : "", booking_state_names[states[i]]);
    assert_true(str_is(buf_str(&got), want) || (n == 0 && want[0] == 0));
    buf_free(&got);
}

static void test_machine_allowed(void **unused) {
    (void)unused;
    allowed_is(BOOKING_ASSIGNED, HAT_DRIVER, "arrived_pickup,cancelled");
    allowed_is(BOOKING_REQUESTED, HAT_CUSTOMER, "cancelled");
    allowed_is(BOOKING_REQUESTED, HAT_STAFF, "assigned,cancelled");
    allowed_is(BOOKING_OFFERED, HAT_CUSTOMER, "assigned,cancelled");
    allowed_is(BOOKING_ARRIVED_PICKUP, HAT_CUSTOMER, "picked_up,cancelled,failed");
    allowed_is(BOOKING_PICKED_UP, HAT_CUSTOMER, "arrived_dropoff");
    allowed_is(BOOKING_PICKED_UP, HAT_STAFF, "arrived_dropoff,cancelled");
    allowed_is(BOOKING_ARRIVED_DROPOFF, HAT_DRIVER, "delivered,failed");
    for (int32_t s = BOOKING_DELIVERED; s < BOOKING_STATE_COUNT; s++)
        allowed_is(s, HAT_STAFF | HAT_CUSTOMER | HAT_DRIVER, "");
}

/* states.md is what the table says. */
static void test_machine_page(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 16384);
    struct buf table;
    buf_init(&table, &a, 8192);
    booking_moves_markdown(&table);
    buf_add_char(&table, 0);
    struct str page;
    assert_int_equal(booking_file_read(STATES_MD, &a, &page), 0);
    char *text = arena_cstr(&a, page);
    if (strstr(text, table.p) == NULL)
        print_message("%s", table.p);
    assert_non_null(strstr(text, table.p));
    arena_free(&a);
}

/* ---- prices ---- */

static void test_price_example(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 1024);
    struct tariff t = {VEHICLE_VAN, 9900, 1500, 260, 12900, 3500};
    struct price p = {.currency = STR("SEK")};
    price_compute(&t, 2140, 420, 2, &a, &p);
    assert_int_equal(p.item_count, 3);
    assert_int_equal(p.items[1].amount, 3210);
    assert_int_equal(p.items[1].quantity, 2140);
    assert_int_equal(p.items[2].amount, 1820);
    assert_int_equal(p.total, 9900 + 3210 + 1820);
    price_compute(&t, 100, 20, 4, &a, &p); /* 150 + 86.67 -> 87 */
    assert_int_equal(p.item_count, 4);
    assert_int_equal(p.items[2].amount, 87);
    assert_int_equal(p.items[3].code, ITEM_STOPS);
    assert_int_equal(p.items[3].amount, 7000);
    price_compute(&t, 0, 0, 2, &a, &p);
    assert_int_equal(p.items[3].code, ITEM_MINIMUM);
    assert_int_equal(p.items[3].amount, 3000);
    assert_int_equal(p.total, 12900);
    assert_true(str_is(p.currency, "SEK"));
    arena_free(&a);
}

/* Half up: 2 x amount - 1 < 2 x exact <= 2 x amount + ... in integers. */
static void rounds_half_up(int64_t amount, int64_t product, int64_t by) {
    assert_true(2 * amount * by <= 2 * product + by);
    assert_true(2 * amount * by > 2 * product - by);
}

static void test_price_properties(void **unused) {
    (void)unused;
    struct rng rng;
    rng_seed(&rng, 20261123);
    struct arena a;
    arena_init(&a, 1024);
    for (int i = 0; i < 20000; i++) {
        struct tariff t = {.vehicle = VEHICLE_CAR,
                           .base = rng_between(&rng, 0, 20000),
                           .per_km = rng_between(&rng, 0, 5000),
                           .per_minute = rng_between(&rng, 0, 1000),
                           .minimum = rng_between(&rng, 0, 60000),
                           .per_stop = rng_between(&rng, 0, 5000)};
        int64_t m = rng_between(&rng, 0, 300000), s = rng_between(&rng, 0, 20000);
        int32_t stops = (int32_t)rng_between(&rng, STOPS_MIN, STOPS_MAX);
        struct price p = {.currency = STR("SEK")}, farther = p;
        price_compute(&t, m, s, stops, &a, &p);
        int64_t sum = 0;
        for (int32_t n = 0; n < p.item_count; n++) {
            sum += p.items[n].amount;
            assert_true(p.items[n].amount >= 0);
            assert_true(p.items[n].code != ITEM_MINIMUM || p.total == t.minimum);
        }
        assert_int_equal(sum, p.total);
        assert_true(p.total >= t.minimum);
        rounds_half_up(p.items[1].amount, t.per_km * m, 1000);
        rounds_half_up(p.items[2].amount, t.per_minute * s, 60);
        price_compute(&t, m + 1 + rng_between(&rng, 0, 999), s, stops, &a, &farther);
        assert_true(farther.total >= p.total);
        arena_reset(&a);
    }
    struct tariff most = {VEHICLE_CAR,       TARIFF_AMOUNT_MAX, TARIFF_AMOUNT_MAX,
                          TARIFF_AMOUNT_MAX, TARIFF_AMOUNT_MAX, TARIFF_AMOUNT_MAX};
    struct price p = {.currency = STR("SEK")};
    price_compute(&most, PRICE_DISTANCE_M_MAX, PRICE_DURATION_S_MAX, STOPS_MAX, &a, &p);
    assert_true(p.total > 0);
    assert_int_equal(price_earning(p.total, 0), p.total);
    arena_free(&a);
}

static void test_earning(void **unused) {
    (void)unused;
    assert_int_equal(price_earning(14900, 20), 11920);
    assert_int_equal(price_earning(14999, 0), 14999);
    assert_int_equal(price_earning(14999, 100), 0);
    assert_int_equal(price_earning(125, 50), 63); /* half up */
    assert_int_equal(price_earning(124, 50), 62);
}

/* ---- tariffs ---- */

static void test_tariffs(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 8192);
    struct tariffs t = tariffs_default;
    struct field_errors errors = {0};
    struct str good = STR("{\"currency\":\"EUR\",\"tariffs\":[{\"vehicle\":\"van\",\"base\":990,"
                          "\"per_km\":150,\"per_minute\":26,\"minimum\":1290}]}");
    assert_int_equal(tariffs_parse(good, &a, &t, &errors), 0);
    assert_string_equal(t.currency, "EUR");
    assert_int_equal(t.classes[VEHICLE_VAN].per_km, 150);
    assert_int_equal(t.classes[VEHICLE_VAN].per_stop, 0);
    assert_int_equal(t.classes[VEHICLE_BIKE].vehicle, VEHICLE_NONE);
    assert_true(str_is(tariffs_classes(&t, &a), "van"));
    assert_true(str_is(tariffs_json(&t, &a),
                       "{\"currency\":\"EUR\",\"items\":[{\"vehicle\":\"van\",\"base\":990,"
                       "\"per_km\":150,\"per_minute\":26,\"minimum\":1290,\"per_stop\":0}],"
                       "\"next_cursor\":null}"));
    arena_free(&a);
}

static bool complains(const struct field_errors *errors, const char *pointer) {
    for (int i = 0; i < errors->count; i++) {
        if (str_is(errors->items[i].pointer, pointer))
            return true;
    }
    return false;
}

static void test_tariffs_bad(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 8192);
    struct tariffs t = tariffs_default;
    struct field_errors errors = {0};
    struct str bad = STR("{\"currency\":\"sek\",\"tariffs\":[{\"vehicle\":\"van\",\"base\":-1,"
                         "\"per_km\":1.5,\"per_minute\":26,\"minimum\":1290},{\"vehicle\":"
                         "\"plane\",\"base\":1,\"per_km\":1,\"per_minute\":1}]}");
    assert_int_equal(tariffs_parse(bad, &a, &t, &errors), ERR_INVALID);
    assert_true(complains(&errors, "/currency"));
    assert_true(complains(&errors, "/tariffs/0/base"));
    assert_true(complains(&errors, "/tariffs/0/per_km"));
    assert_true(complains(&errors, "/tariffs/1/vehicle"));
    assert_true(complains(&errors, "/tariffs/1/minimum"));
    assert_string_equal(t.currency, "SEK"); /* untouched */
    errors = (struct field_errors){0};
    struct str twice = STR("{\"currency\":\"SEK\",\"tariffs\":["
                           "{\"vehicle\":\"van\",\"base\":1,\"per_km\":1,\"per_minute\":1,"
                           "\"minimum\":1},{\"vehicle\":\"van\",\"base\":1,\"per_km\":1,"
                           "\"per_minute\":1,\"minimum\":1}]}");
    assert_int_equal(tariffs_parse(twice, &a, &t, &errors), ERR_INVALID);
    assert_true(complains(&errors, "/tariffs/1/vehicle"));
    const char *hostile[] = {"",
                             "{",
                             "[]",
                             "null",
                             "{\"currency\":null,\"tariffs\":null}",
                             "{\"currency\":\"SEK\",\"tariffs\":[]}",
                             "{\"currency\":\"SEK\",\"tariffs\":[3]}"};
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        errors = (struct field_errors){0};
        assert_int_equal(tariffs_parse(str_from(hostile[i]), &a, &t, &errors), ERR_INVALID);
        assert_true(errors.count > 0);
    }
    struct str complaint = STR_NONE;
    assert_true(tariffs_load("/nonexistent/tariffs.json", &a, &t, &complaint) < 0);
    assert_true(str_starts(complaint, "/nonexistent/tariffs.json: "));
    arena_free(&a);
}

/* ---- the service area ---- */

#define SQUARE "[[11,57],[13,57],[13,58],[11,58],[11,57]]"
#define HOLE "[[11.9,57.6],[12.1,57.6],[12.1,57.8],[11.9,57.8],[11.9,57.6]]"

static void test_area(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 65536);
    const char *forms[] = {
        "{\"type\":\"Polygon\",\"coordinates\":[" SQUARE "," HOLE "]}",
        "{\"type\":\"Feature\",\"properties\":{},\"geometry\":{\"type\":\"Polygon\","
        "\"coordinates\":[" SQUARE "," HOLE "]}}",
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":"
        "{\"type\":\"Polygon\",\"coordinates\":[" SQUARE "," HOLE "]}}]}"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct area area;
        struct field_errors errors = {0};
        assert_int_equal(area_parse(str_from(forms[i]), &a, &area, &errors), 0);
        assert_true(area_has(&area, point_of(57.5, 11.5)));
        assert_false(area_has(&area, point_of(57.7, 12.0))); /* in the hole */
        assert_false(area_has(&area, point_of(58.5, 12.0)));
        assert_false(area_has(&area, point_of(57.5, 13.5)));
        struct place stops[] = {{575000000, 115000000, STR_NONE},
                                {577000000, 120000000, STR_NONE},
                                {585000000, 120000000, STR_NONE}};
        area_check(&area, 0, stops, 3, &a, &errors);
        assert_int_equal(errors.count, 2);
        assert_true(complains(&errors, "/stops/1") && complains(&errors, "/stops/2"));
    }
    arena_free(&a);
}

static void test_area_bad(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 65536);
    const char *bad[] = {
        "",
        "[]",
        "{\"type\":\"Point\",\"coordinates\":[11,57]}",
        "{\"type\":\"Polygon\"}",
        "{\"type\":\"Polygon\",\"coordinates\":[]}",
        "{\"type\":\"Polygon\",\"coordinates\":[3]}",
        "{\"type\":\"Polygon\",\"coordinates\":[[[11,57],[13,57],[11,57]]]}",         /* too few */
        "{\"type\":\"Polygon\",\"coordinates\":[[[11,57],[13,57],[13,58],[11,58]]]}", /* open */
        "{\"type\":\"Polygon\",\"coordinates\":[[[11,57],[12,57],[13,57],[11,57]]]}", /* flat */
        "{\"type\":\"Polygon\",\"coordinates\":[[[11,97],[13,57],[13,58],[11,97]]]}",
        "{\"type\":\"Polygon\",\"coordinates\":[[[11],[13,57],[13,58],[11]]]}",
        "{\"type\":\"Polygon\",\"coordinates\":[[[\"11\",57],[13,57],[13,58],[11,57]]]}",
        "{\"type\":\"Polygon\",\"coordinates\":[[[-179,57],[179,57],[13,58],[-179,57]]]}",
        "{\"type\":\"Polygon\",\"coordinates\":[" HOLE "," SQUARE "]}", /* the hole outside */
        "{\"type\":\"FeatureCollection\",\"features\":[]}"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct area area;
        struct field_errors errors = {0};
        assert_int_equal(area_parse(str_from(bad[i]), &a, &area, &errors), ERR_INVALID);
        assert_true(errors.count > 0);
    }
    struct buf many;
    buf_init(&many, &a, 1 << 20);
    buf_add_cstr(&many, "{\"type\":\"Polygon\",\"coordinates\":[[");
    for (int i = 0; i <= AREA_POINTS_MAX; i++)
        buf_printf(&many, "%s[%d,%d]", i > 0 ? "," : "", i % 90, i % 80);
    buf_add_cstr(&many, "]]}");
    struct area area;
    struct field_errors errors = {0};
    assert_int_equal(area_parse(buf_str(&many), &a, &area, &errors), ERR_INVALID);
    arena_free(&a);
}

static void test_trip_max(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 4096);
    struct field_errors errors = {0};
    /* Göteborg, Stockholm, Göteborg again */
    struct place stops[] = {{577000000, 119000000, STR_NONE},
                            {593000000, 180000000, STR_NONE},
                            {577100000, 119100000, STR_NONE}};
    area_check(NULL, 200000, stops, 3, &a, &errors);
    assert_int_equal(errors.count, 2); /* the third is far from the second, too */
    assert_true(complains(&errors, "/stops/1") && complains(&errors, "/stops/2"));
    errors = (struct field_errors){0};
    area_check(NULL, 500000, stops, 3, &a, &errors);
    assert_int_equal(errors.count, 0);
    arena_free(&a);
}

static void test_secret(void **unused) {
    (void)unused;
    char text[SECRET_LEN + 1];
    unsigned char zeros[SECRET_BYTES] = {0}, ones[SECRET_BYTES];
    memset(ones, 0xff, sizeof(ones));
    tracking_secret(zeros, text);
    assert_string_equal(text, "AAAAAAAAAAAAAAAAAAAAAA");
    tracking_secret(ones, text);
    assert_string_equal(text, "_____________________w");
    tracking_secret((const unsigned char *)"Man is distingui", text);
    assert_string_equal(text, "TWFuIGlzIGRpc3Rpbmd1aQ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine_every_move),
        cmocka_unit_test(test_machine_conditions),
        cmocka_unit_test(test_machine_allowed),
        cmocka_unit_test(test_machine_page),
        cmocka_unit_test(test_price_example),
        cmocka_unit_test(test_price_properties),
        cmocka_unit_test(test_earning),
        cmocka_unit_test(test_tariffs),
        cmocka_unit_test(test_tariffs_bad),
        cmocka_unit_test(test_area),
        cmocka_unit_test(test_area_bad),
        cmocka_unit_test(test_trip_max),
        cmocka_unit_test(test_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
