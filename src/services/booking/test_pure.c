/* The machine, prices, tariffs and the area: functions of what they are given. */
#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"
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
static bool before_pickup(int32_t s) {
    return s == BOOKING_ASSIGNED || s == BOOKING_ARRIVED_PICKUP;
}
static bool open_state(int32_t s) {
    return s >= BOOKING_SCHEDULED && s <= BOOKING_ARRIVED_RETURN;
}

/* Where ACTION by one HAT leads from S, or BOOKING_NONE. */
static int32_t expected(int32_t s, enum booking_action action, unsigned hat, bool last, bool back) {
    switch (action) {
    case ACTION_OFFER:
        return hat == HAT_SYSTEM && searching(s) ? BOOKING_OFFERED : BOOKING_NONE;
    case ACTION_LAPSE:
        return hat == HAT_SYSTEM && s == BOOKING_OFFERED ? BOOKING_REQUESTED : BOOKING_NONE;
    case ACTION_ACCEPT:
        return hat == HAT_ASKED && s == BOOKING_OFFERED ? BOOKING_ASSIGNED : BOOKING_NONE;
    case ACTION_ASSIGN:
        return hat == HAT_STAFF && (searching(s) || before_pickup(s)) ? BOOKING_ASSIGNED
                                                                      : BOOKING_NONE;
    case ACTION_UNASSIGN:
        /* by the system what its driver was to do next, and does not come to */
        return (hat == HAT_STAFF && before_pickup(s)) ||
                       (hat == HAT_SYSTEM && s == BOOKING_ASSIGNED)
                   ? BOOKING_REQUESTED
                   : BOOKING_NONE;
    case ACTION_RELEASE:
        return hat == HAT_DRIVER && before_pickup(s) ? BOOKING_REQUESTED : BOOKING_NONE;
    case ACTION_EXPIRE:
        return hat == HAT_SYSTEM && (searching(s) || s == BOOKING_SCHEDULED) ? BOOKING_EXPIRED
                                                                             : BOOKING_NONE;
    case ACTION_ARRIVE_PICKUP:
        return hat == HAT_DRIVER && s == BOOKING_ASSIGNED ? BOOKING_ARRIVED_PICKUP : BOOKING_NONE;
    case ACTION_PICK_UP:
        return hat == HAT_DRIVER && s == BOOKING_ARRIVED_PICKUP ? BOOKING_PICKED_UP : BOOKING_NONE;
    case ACTION_ARRIVE_DROPOFF:
        return hat == HAT_DRIVER && s == BOOKING_PICKED_UP ? BOOKING_ARRIVED_DROPOFF : BOOKING_NONE;
    case ACTION_DELIVER:
        if (hat != HAT_DRIVER || s != BOOKING_ARRIVED_DROPOFF)
            return BOOKING_NONE;
        return !last ? BOOKING_PICKED_UP : back ? BOOKING_RETURNING : BOOKING_DELIVERED;
    case ACTION_FAIL:
        if (hat != HAT_DRIVER || (s != BOOKING_ARRIVED_PICKUP && s != BOOKING_ARRIVED_DROPOFF))
            return BOOKING_NONE;
        if (s == BOOKING_ARRIVED_PICKUP || !back)
            return BOOKING_FAILED;
        return last ? BOOKING_RETURNING : BOOKING_PICKED_UP;
    case ACTION_ARRIVE_RETURN:
        return hat == HAT_DRIVER && s == BOOKING_RETURNING ? BOOKING_ARRIVED_RETURN : BOOKING_NONE;
    case ACTION_GIVE_BACK:
        return hat == HAT_DRIVER && s == BOOKING_ARRIVED_RETURN ? BOOKING_RETURNED : BOOKING_NONE;
    case ACTION_CANCEL:
        if (hat == HAT_STAFF && open_state(s))
            return BOOKING_CANCELLED;
        return (hat == HAT_CUSTOMER || hat == HAT_SYSTEM) && open_state(s) &&
                       s <= BOOKING_ARRIVED_PICKUP
                   ? BOOKING_CANCELLED
                   : BOOKING_NONE;
    case ACTION_RATE:
        return hat == HAT_CUSTOMER && s == BOOKING_DELIVERED ? BOOKING_DELIVERED : BOOKING_NONE;
    case ACTION_DISPATCH:
        return hat == HAT_SYSTEM && s == BOOKING_SCHEDULED ? BOOKING_REQUESTED : BOOKING_NONE;
    case ACTION_RESCHEDULE:
        return (hat == HAT_CUSTOMER || hat == HAT_STAFF) && s == BOOKING_SCHEDULED
                   ? BOOKING_SCHEDULED
                   : BOOKING_NONE;
    case ACTION_CHANGE_STOPS:
        return (hat == HAT_CUSTOMER || hat == HAT_STAFF) && s >= BOOKING_SCHEDULED &&
                       s <= BOOKING_ARRIVED_DROPOFF
                   ? s
                   : BOOKING_NONE;
    case ACTION_NOTE:
        return (hat == HAT_CUSTOMER || hat == HAT_STAFF) && open_state(s) ? s : BOOKING_NONE;
    case ACTION_COUNT:
        break;
    }
    return BOOKING_NONE;
}

static void test_machine_every_move(void **unused) {
    (void)unused;
    const unsigned hats[] = {HAT_SYSTEM, HAT_CUSTOMER, HAT_DRIVER, HAT_ASKED, HAT_STAFF, 0};
    for (int32_t s = BOOKING_SCHEDULED; s < BOOKING_STATE_COUNT; s++) {
        for (int action = 0; action < ACTION_COUNT; action++) {
            for (size_t h = 0; h < COUNT_OF(hats); h++) {
                for (int how = 0; how < 4; how++) {
                    bool last = how % 2 == 1, back = how >= 2;
                    struct booking_ask ask = {.state = s,
                                              .action = (enum booking_action)action,
                                              .hats = hats[h],
                                              .stop = I64_ABSENT,
                                              .next_stop = last ? 2 : 1,
                                              .stop_count = 3,
                                              .has_reason = true,
                                              .back = back};
                    int32_t to = BOOKING_NONE;
                    enum verdict v = booking_judge(&ask, &to);
                    int32_t want = expected(s, ask.action, hats[h], last, back);
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
    for (int action = ACTION_UNASSIGN; action <= ACTION_RELEASE; action++) {
        struct booking_ask leave = {.state = BOOKING_ASSIGNED,
                                    .action = (enum booking_action)action,
                                    .hats = HAT_STAFF | HAT_DRIVER};
        assert_int_equal(booking_judge(&leave, &to), VERDICT_NO_REASON);
    }
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
    int32_t n = booking_allowed(state, hats, false, states);
    for (int32_t i = 0; i < n; i++)
        buf_printf(&got, "%s%s", i > 0 ? "," : "", booking_state_names[states[i]]);
    assert_true(str_is(buf_str(&got), want) || (n == 0 && want[0] == 0));
    buf_free(&got);
}

static void test_machine_allowed(void **unused) {
    (void)unused;
    allowed_is(BOOKING_ASSIGNED, HAT_DRIVER, "arrived_pickup,cancelled");
    allowed_is(BOOKING_SCHEDULED, HAT_CUSTOMER | HAT_STAFF, "cancelled");
    allowed_is(BOOKING_REQUESTED, HAT_CUSTOMER, "cancelled");
    allowed_is(BOOKING_REQUESTED, HAT_STAFF, "assigned,cancelled");
    allowed_is(BOOKING_OFFERED, HAT_CUSTOMER, "assigned,cancelled");
    allowed_is(BOOKING_ARRIVED_PICKUP, HAT_CUSTOMER, "picked_up,cancelled,failed");
    allowed_is(BOOKING_PICKED_UP, HAT_CUSTOMER, "arrived_dropoff");
    allowed_is(BOOKING_PICKED_UP, HAT_STAFF, "arrived_dropoff,cancelled");
    allowed_is(BOOKING_ARRIVED_DROPOFF, HAT_DRIVER, "delivered,failed");
    allowed_is(BOOKING_RETURNING, HAT_CUSTOMER, "arrived_return");
    allowed_is(BOOKING_ARRIVED_RETURN, HAT_STAFF, "cancelled,returned");
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

static const struct tariff van = {.vehicle = VEHICLE_VAN,
                                  .base = 9900,
                                  .per_km = 1500,
                                  .per_minute = 260,
                                  .minimum = 12900,
                                  .per_stop = 3500};

static struct price price_of(const struct pricing *in, struct arena *a) {
    struct price p = {.currency = STR("SEK")};
    price_compute(in, a, &p);
    return p;
}

static int64_t amount_of(const struct price *p, int32_t code) {
    for (int32_t i = 0; i < p->item_count; i++) {
        if (p->items[i].code == code)
            return p->items[i].amount;
    }
    return I64_ABSENT;
}

static void test_price_example(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 1024);
    struct pricing in = {.rate = &van, .distance_m = 2140, .duration_s = 420, .stop_count = 2};
    struct price p = price_of(&in, &a);
    assert_int_equal(p.item_count, 3);
    assert_int_equal(p.items[1].amount, 3210);
    assert_int_equal(p.items[1].quantity, 2140);
    assert_int_equal(p.items[2].amount, 1820);
    assert_int_equal(p.total, 9900 + 3210 + 1820);
    in = (struct pricing){.rate = &van, .distance_m = 100, .duration_s = 20, .stop_count = 4};
    p = price_of(&in, &a); /* 150 + 86.67 -> 87 */
    assert_int_equal(p.item_count, 4);
    assert_int_equal(p.items[2].amount, 87);
    assert_int_equal(p.items[3].code, ITEM_STOPS);
    assert_int_equal(p.items[3].amount, 7000);
    in = (struct pricing){.rate = &van, .stop_count = 2};
    p = price_of(&in, &a);
    assert_int_equal(p.items[3].code, ITEM_MINIMUM);
    assert_int_equal(p.items[3].amount, 3000);
    assert_int_equal(p.total, 12900);
    assert_true(str_is(p.currency, "SEK"));
    arena_free(&a);
}

/* What is added, taken off and taxed, one by one, on a fare of 12,900. */
static void test_price_additions(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 1024);
    const struct tax taxes[] = {{STR("VAT"), 2500}, {STR("city"), 33}};
    struct pricing in = {.rate = &van,
                         .stop_count = 2,
                         .time_code = ITEM_NIGHT,
                         .time_percent = 25,
                         .surge_percent = 15};
    struct price p = price_of(&in, &a);
    assert_int_equal(amount_of(&p, ITEM_NIGHT), 3225);
    assert_int_equal(amount_of(&p, ITEM_SURGE), 1935);
    assert_int_equal(p.total, 18060);
    in.promo_percent = 10;
    p = price_of(&in, &a);
    assert_int_equal(amount_of(&p, ITEM_PROMO), -1806);
    assert_int_equal(price_discount(&p), 1806);
    assert_int_equal(price_gross(&p), 18060);
    in.taxes = taxes;
    in.tax_count = 2;
    p = price_of(&in, &a); /* of 16,254: 4063.5 -> 4064, and 53.64 -> 54 */
    assert_int_equal(p.taxes[0].amount, 4064);
    assert_int_equal(p.taxes[1].amount, 54);
    assert_int_equal(amount_of(&p, ITEM_TAX), 4118);
    assert_int_equal(p.total, 16254 + 4118);
    assert_int_equal(price_gross(&p), 18060);
    in.taxes_included = true;
    p = price_of(&in, &a); /* 16254 x 2500 / 12533 = 3242.24, x 33 / 12533 = 42.80 */
    assert_int_equal(p.total, 16254);
    assert_int_equal(amount_of(&p, ITEM_TAX), I64_ABSENT);
    assert_int_equal(p.taxes[0].amount, 3242);
    assert_int_equal(p.taxes[1].amount, 43);
    assert_int_equal(price_gross(&p), 16254 - 3285 + 1806);
    in.promo_percent = 0;
    in.promo_amount = 99999; /* more than there is to pay */
    p = price_of(&in, &a);
    assert_int_equal(p.total, 0);
    assert_int_equal(price_tax(&p), 0);
    in = (struct pricing){
        .rate = &van, .stop_count = 2, .promo_percent = 50, .taxes = taxes, .tax_count = 2};
    struct price waited, old = price_of(&in, &a);
    price_add(&old, ITEM_WAITING, 7, 2800, &a, &waited); /* what was promised stays as it was */
    assert_int_equal(amount_of(&waited, ITEM_PROMO), amount_of(&old, ITEM_PROMO));
    assert_int_equal(price_discount(&waited), 6450);
    assert_int_equal(waited.taxes[0].amount, 2313); /* of 9,250 */
    price_add(&waited, ITEM_WAITING, 3, 1200, &a, &waited);
    assert_int_equal(amount_of(&waited, ITEM_WAITING), 4000);
    arena_free(&a);
}

/* Half up: 2 x amount - 1 < 2 x exact <= 2 x amount + ... in integers. */
static void rounds_half_up(int64_t amount, int64_t product, int64_t by) {
    assert_true(2 * amount * by <= 2 * product + by);
    assert_true(2 * amount * by > 2 * product - by);
}

static void adds_up(const struct price *p) {
    int64_t sum = 0;
    for (int32_t n = 0; n < p->item_count; n++) {
        sum += p->items[n].amount;
        assert_true(p->items[n].amount >= 0 || p->items[n].code == ITEM_PROMO);
    }
    assert_int_equal(sum, p->total);
    assert_true(p->total >= 0 && price_gross(p) >= 0 && price_tax(p) >= 0);
    assert_int_equal(price_gross(p) + price_tax(p) - price_discount(p), p->total);
}

static void random_pricing(struct rng *rng, struct tariff *t, struct tax taxes[TAXES_MAX],
                           struct pricing *in) {
    *t = (struct tariff){.vehicle = VEHICLE_CAR,
                         .base = rng_between(rng, 0, 20000),
                         .per_km = rng_between(rng, 0, 5000),
                         .per_minute = rng_between(rng, 0, 1000),
                         .minimum = rng_between(rng, 0, 60000),
                         .per_stop = rng_between(rng, 0, 5000)};
    *in = (struct pricing){.rate = t,
                           .distance_m = rng_between(rng, 0, 300000),
                           .duration_s = rng_between(rng, 0, 20000),
                           .stop_count = (int32_t)rng_between(rng, STOPS_MIN, STOPS_MAX),
                           .taxes = taxes,
                           .tax_count = (int32_t)rng_between(rng, 0, TAXES_MAX),
                           .taxes_included = rng_below(rng, 2) == 0};
    for (int i = 0; i < TAXES_MAX; i++)
        taxes[i] = (struct tax){STR("T"), rng_between(rng, 0, BASIS_POINTS / TAXES_MAX)};
    if (rng_below(rng, 2) == 0) {
        in->time_code = ITEM_NIGHT;
        in->time_percent = rng_between(rng, 0, TARIFF_PERCENT_MAX);
    }
    if (rng_below(rng, 2) == 0)
        in->surge_percent = rng_between(rng, 0, TARIFF_PERCENT_MAX);
    if (rng_below(rng, 3) == 0)
        in->promo_percent = rng_between(rng, 1, 100);
    else if (rng_below(rng, 2) == 0)
        in->promo_amount = rng_between(rng, 1, 100000);
}

static void test_price_properties(void **unused) {
    (void)unused;
    struct rng rng;
    rng_seed(&rng, 20261123);
    struct arena a;
    arena_init(&a, 1024);
    for (int i = 0; i < 20000; i++) {
        struct tariff t;
        struct tax taxes[TAXES_MAX];
        struct pricing in;
        random_pricing(&rng, &t, taxes, &in);
        struct price p = price_of(&in, &a), more;
        adds_up(&p);
        rounds_half_up(p.items[1].amount, t.per_km * in.distance_m, 1000);
        rounds_half_up(p.items[2].amount, t.per_minute * in.duration_s, 60);
        price_add(&p, ITEM_WAITING, 1, rng_between(&rng, 0, 5000), &a, &more);
        adds_up(&more);
        assert_true(more.total >= p.total);
        in.distance_m += 1 + rng_between(&rng, 0, 999); /* farther is never cheaper */
        more = price_of(&in, &a);
        adds_up(&more);
        assert_true(more.total >= p.total);
        int64_t gross = price_gross(&p), bp = rng_between(&rng, 0, BASIS_POINTS);
        assert_true(price_earning(gross, bp) >= 0 && price_earning(gross, bp) <= gross);
        arena_reset(&a);
    }
    struct tariff most = {VEHICLE_CAR,       STR_NONE,          TARIFF_AMOUNT_MAX,
                          TARIFF_AMOUNT_MAX, TARIFF_AMOUNT_MAX, TARIFF_AMOUNT_MAX,
                          TARIFF_AMOUNT_MAX, TARIFF_AMOUNT_MAX, 0};
    const struct tax all = {STR("all of it"), BASIS_POINTS};
    struct pricing in = {.rate = &most,
                         .distance_m = PRICE_DISTANCE_M_MAX,
                         .duration_s = PRICE_DURATION_S_MAX,
                         .stop_count = STOPS_MAX,
                         .time_code = ITEM_HOLIDAY,
                         .time_percent = TARIFF_PERCENT_MAX,
                         .surge_percent = TARIFF_PERCENT_MAX,
                         .taxes = &all,
                         .tax_count = 1};
    struct price p = price_of(&in, &a);
    adds_up(&p);
    assert_int_equal(price_earning(p.total, 0), p.total);
    arena_free(&a);
}

static void test_earning(void **unused) {
    (void)unused;
    assert_int_equal(price_earning(14900, 2000), 11920);
    assert_int_equal(price_earning(14999, 0), 14999);
    assert_int_equal(price_earning(14999, 10000), 0);
    assert_int_equal(price_earning(125, 5000), 63); /* half up */
    assert_int_equal(price_earning(124, 5000), 62);
    assert_int_equal(price_part(INT64_C(90000000000000000), 9999, 10000),
                     INT64_C(89991000000000000));
}

/* ---- tariffs ---- */

static void test_tariffs(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 8192);
    struct tariffs t = tariffs_default;
    struct field_errors errors = {0};
    struct str zone;
    struct point here = point_of(57.7, 11.9);
    struct str good = STR("{\"currency\":\"EUR\",\"tariffs\":[{\"vehicle\":\"van\",\"base\":990,"
                          "\"per_km\":150,\"per_minute\":26,\"minimum\":1290}]}");
    assert_int_equal(tariffs_parse(good, &a, &t, &errors), 0);
    assert_string_equal(t.currency.p, "EUR");
    const struct tariff *rate = tariffs_rate(&t, VEHICLE_VAN, here, &zone);
    assert_int_equal(rate->per_km, 150);
    assert_int_equal(rate->per_stop, 0);
    assert_null(zone.p);
    assert_null(tariffs_rate(&t, VEHICLE_BIKE, here, &zone));
    assert_true(str_is(tariffs_classes(&t, &a), "van"));
    assert_true(str_is(tariffs_json(&t, &a),
                       "{\"currency\":\"EUR\",\"items\":[{\"vehicle\":\"van\",\"base\":990,"
                       "\"per_km\":150,\"per_minute\":26,\"minimum\":1290,\"per_stop\":0,"
                       "\"waiting_per_minute\":0,\"waiting_free_minutes\":0,\"capacity_kg\":800,"
                       "\"capacity_l\":8000}],"
                       "\"taxes_included\":false,\"version\":1,\"next_cursor\":null}"));
    arena_free(&a);
}

static struct tariffs parsed(struct arena *a, const char *more) {
    struct tariffs t = {0};
    struct field_errors errors = {0};
    struct str text = arena_printf(
        a,
        "{\"currency\":\"SEK\",\"tariffs\":[{\"vehicle\":\"van\",\"base\":100,\"per_km\":1,"
        "\"per_minute\":1,\"minimum\":1},{\"vehicle\":\"van\",\"zone\":\"harbour\",\"base\":200,"
        "\"per_km\":1,\"per_minute\":1,\"minimum\":1},{\"vehicle\":\"bike\",\"zone\":\"harbour\","
        "\"base\":50,\"per_km\":1,\"per_minute\":1,\"minimum\":1}],\"zones\":[{\"name\":"
        "\"harbour\",\"area\":[{\"lat\":57,\"lng\":11},{\"lat\":58,\"lng\":11},{\"lat\":58,"
        "\"lng\":12}]}],\"timezone\":\"Europe/Stockholm\"%s}",
        more);
    int err = tariffs_parse(text, a, &t, &errors);
    for (int i = 0; i < errors.count; i++)
        print_message("%.*s %.*s\n", STR_ARG(errors.items[i].pointer),
                      STR_ARG(errors.items[i].detail));
    assert_int_equal(err, 0);
    return t;
}

static void test_zones(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 8192);
    struct str zone;
    struct tariffs t = parsed(&a, "");
    struct point in = point_of(57.7, 11.2), out = point_of(57.2, 11.9);
    assert_int_equal(tariffs_rate(&t, VEHICLE_VAN, in, &zone)->base, 200);
    assert_true(str_is(zone, "harbour"));
    assert_int_equal(tariffs_rate(&t, VEHICLE_VAN, out, &zone)->base, 100);
    assert_null(zone.p);
    assert_int_equal(tariffs_rate(&t, VEHICLE_BIKE, in, &zone)->base, 50);
    assert_null(tariffs_rate(&t, VEHICLE_BIKE, out, &zone));
    assert_true(tariffs_offers(&t, VEHICLE_BIKE) && !tariffs_offers(&t, VEHICLE_CAR));
    arena_free(&a);
}

/* Which of the times holds, on the clock of Göteborg, over both changes of it. */
static void test_times(void **unused) {
    (void)unused;
    struct arena a;
    struct zone z;
    arena_init(&a, 8192);
    if (zone_load(ZONE_DIR, STR("Europe/Stockholm"), &a, &z) < 0) {
        arena_free(&a);
        print_message("skipped: there is no " ZONE_DIR " (Debian: tzdata)\n");
        skip();
    }
    struct tariffs t =
        parsed(&a, ",\"night\":{\"from\":\"22:00\",\"to\":\"06:00\",\"add_percent\":25},"
                   "\"weekend\":{\"add_percent\":10},"
                   "\"holiday\":{\"dates\":[\"2026-12-25\",\"2027-01-01\"],\"add_percent\":25}");
    static const struct {
        const char *at;
        int32_t code;
    } cases[] = {
        {"2026-11-23T20:59:59Z", ITEM_NONE},  /* Monday, 21:59 */
        {"2026-11-23T21:00:00Z", ITEM_NIGHT}, /* 22:00 */
        {"2026-11-24T04:59:59Z", ITEM_NIGHT}, /* 05:59 */
        {"2026-11-24T05:00:00Z", ITEM_NONE},  /* 06:00 */
        {"2026-07-01T20:00:00Z", ITEM_NIGHT}, /* summer: 22:00 is an hour earlier */
        {"2026-07-01T19:59:59Z", ITEM_NONE},
        {"2026-11-27T23:30:00Z", ITEM_NIGHT}, /* Saturday by the clock there: the higher counts */
        {"2026-11-28T12:00:00Z", ITEM_WEEKEND},
        {"2026-11-29T20:59:00Z", ITEM_WEEKEND},
        {"2026-12-24T22:59:59Z", ITEM_NIGHT},
        {"2026-12-24T23:00:00Z", ITEM_HOLIDAY}, /* Christmas has begun there */
        {"2026-12-25T22:59:59Z", ITEM_HOLIDAY},
        {"2026-03-29T03:59:59Z", ITEM_NIGHT}, /* Sunday, 05:59 in summer time since an hour */
        {"2026-03-29T04:00:00Z", ITEM_WEEKEND},
        {"2026-10-25T04:59:59Z", ITEM_NIGHT}, /* and back */
        {"2026-10-25T05:00:00Z", ITEM_WEEKEND},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t at_us, percent;
        assert_int_equal(timestamp_parse(str_from(cases[i].at), &at_us), 0);
        int32_t code = tariffs_time(&t, &z, at_us, &percent);
        if (code != cases[i].code)
            fail_msg("%s: %d, not %d", cases[i].at, code, cases[i].code);
        assert_int_equal(percent, code == ITEM_NONE ? 0 : code == ITEM_WEEKEND ? 10 : 25);
    }
    arena_free(&a);
}

static void test_surge(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 8192);
    struct tariffs t = parsed(&a, ",\"surge\":{\"full_percent\":300,\"add_percent\":60}");
    assert_int_equal(tariffs_surge(&t, 0, 0), 0);
    assert_int_equal(tariffs_surge(&t, 1000, 1000), 0);
    assert_int_equal(tariffs_surge(&t, 2000, 1000), 30);
    assert_int_equal(tariffs_surge(&t, 1990, 1000), 25); /* 29.7, in steps of 5 */
    assert_int_equal(tariffs_surge(&t, 3000, 1000), 60);
    assert_int_equal(tariffs_surge(&t, INT64_C(1) << 60, 1), 60);
    assert_int_equal(tariffs_surge(&t, 1000, 0), 0); /* nobody is there, and one asks */
    assert_int_equal(tariffs_surge(&t, 3000, 0), 60);
    int64_t last = 0;
    for (int64_t demand = 0; demand < 5000; demand += 7) { /* never falls as demand rises */
        int64_t add = tariffs_surge(&t, demand, 900);
        assert_true(add >= last && add <= 60);
        last = add;
    }
    assert_int_equal(tariffs_surge(&tariffs_default, 9000, 0), 0);
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
    assert_string_equal(t.currency.p, "SEK"); /* untouched */
    errors = (struct field_errors){0};
    struct str twice = STR("{\"currency\":\"SEK\",\"tariffs\":["
                           "{\"vehicle\":\"van\",\"base\":1,\"per_km\":1,\"per_minute\":1,"
                           "\"minimum\":1},{\"vehicle\":\"van\",\"base\":1,\"per_km\":1,"
                           "\"per_minute\":1,\"minimum\":1}]}");
    assert_int_equal(tariffs_parse(twice, &a, &t, &errors), ERR_INVALID);
    assert_true(complains(&errors, "/tariffs/1/vehicle"));
    errors = (struct field_errors){0};
    struct str more = STR(
        "{\"currency\":\"SEK\",\"tariffs\":[{\"vehicle\":\"van\",\"zone\":\"nowhere\",\"base\":1,"
        "\"per_km\":1,\"per_minute\":1,\"minimum\":1}],\"timezone\":\"Europe/Nowhere\","
        "\"zones\":[{\"name\":\"a\",\"area\":[{\"lat\":1,\"lng\":1},{\"lat\":2,\"lng\":2},"
        "{\"lat\":3,\"lng\":3}]},{\"name\":\"a\",\"area\":[{\"lat\":1,\"lng\":1},{\"lat\":1,"
        "\"lng\":2},{\"lat\":2,\"lng\":1}]}],"
        "\"night\":{\"from\":\"24:00\",\"to\":\"6 :00\",\"add_percent\":1},"
        "\"weekend\":{\"days\":[\"sat\",\"Sunday\"],\"add_percent\":1},"
        "\"holiday\":{\"dates\":[\"2026-02-29\"],\"add_percent\":1},"
        "\"surge\":{\"from_percent\":300,\"full_percent\":300,\"add_percent\":5},"
        "\"taxes\":[{\"name\":\"x\",\"rate_bp\":6000},{\"name\":\"y\",\"rate_bp\":6000}],"
        "\"commission_bp\":10001,\"cancellation\":{\"assigned_percent\":101,"
        "\"arrived_percent\":1}}");
    assert_int_equal(tariffs_parse(more, &a, &t, &errors), ERR_INVALID);
    static const char *const pointers[] = {
        "/tariffs/0/zone",     "/timezone", "/zones/0/area",   "/zones/1/name",
        "/night/from",         "/night/to", "/weekend/days/1", "/holiday/dates/0",
        "/surge/full_percent", "/taxes",    "/commission_bp",  "/cancellation/assigned_percent"};
    for (size_t i = 0; i < COUNT_OF(pointers); i++) {
        if (!complains(&errors, pointers[i]))
            fail_msg("nothing is said of %s", pointers[i]);
    }
    errors = (struct field_errors){0};
    struct str thin =
        STR("{\"currency\":\"SEK\",\"zones\":[{\"name\":\"b\",\"area\":[{\"lat\":91,\"lng\":1}]}],"
            "\"night\":{\"from\":\"22:00\",\"to\":\"06:00\",\"add_percent\":401},"
            "\"holiday\":{\"dates\":[],\"add_percent\":-1}}");
    assert_int_equal(tariffs_parse(thin, &a, &t, &errors), ERR_INVALID);
    assert_true(complains(&errors, "/tariffs") && complains(&errors, "/zones/0/area"));
    assert_true(complains(&errors, "/night/add_percent"));
    assert_true(complains(&errors, "/holiday/add_percent") && complains(&errors, "/holiday/dates"));
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
        cmocka_unit_test(test_price_additions),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_surge),
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
