/* Waiting, cancelling and the ledger, through the routes. */
#include "services/booking/fees.h"
#include "services/booking/ledger.h"
#include "services/booking/test_town.h"

#define MIN_US (60 * US_PER_S)

/* Base 10,000 and nothing else, so that percentages are easy to see. */
static void set_tariff(struct town *t, const char *more) {
    struct house_answer a =
        ask(t, house_who(t->h, ROLE_ADMIN, NULL), "PUT", "/v1/tariffs",
            format(t,
                   "{\"currency\":\"SEK\",\"items\":[{\"vehicle\":\"van\",\"base\":10000,"
                   "\"per_km\":0,\"per_minute\":0,\"minimum\":0,\"waiting_free_minutes\":10,"
                   "\"waiting_per_minute\":400}],\"commission_bp\":2000%s}",
                   more));
    assert_int_equal(a.status, 200);
}

#define CANCELLING                                                                                 \
    ",\"cancellation\":{\"free_minutes\":2,\"assigned_percent\":10,\"arrived_percent\":50}"

static struct house_answer cancellation(struct town *t) {
    return ask(t, t->customer, "GET", format(t, "/v1/bookings/%s/cancellation", t->booking), NULL);
}

static struct house_answer ledger(struct town *t, struct identity who) {
    return ask(t, who, "GET", format(t, "/v1/bookings/%s/ledger", t->booking), NULL);
}

static void costs(struct town *t, int64_t fee, bool until) {
    struct house_answer a = cancellation(t);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"allowed\":true"));
    if (!has(a, format(t, "\"fee\":{\"currency\":\"SEK\",\"amount\":%lld}", (long long)fee)))
        fail_msg("not %lld: %.*s", (long long)fee, STR_ARG(a.body));
    assert_int_equal(has(a, "\"free_until\":null"), !until);
}

/* Each state, and the moment at which it begins to cost. */
static void test_cancel_fees(void **unused) {
    (void)unused;
    struct town *t = town_new(1);
    set_tariff(t, CANCELLING);
    book(t, t->customer);
    costs(t, 0, false);
    take(t, t->driver);
    costs(t, 0, true);
    house_advance(t->h, 2 * MIN_US - US_PER_S);
    costs(t, 0, true);
    house_advance(t->h, US_PER_S);
    costs(t, 1000, false);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    costs(t, 5000, false);
    /* nobody pays more than he was shown */
    struct house_answer a = act(t, t->customer, "cancel", "{\"fee\":1000}");
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/fee-changed") &&
                has(a, "\"fee\":{\"currency\":\"SEK\",\"amount\":5000}"));
    a = act(t, t->customer, "cancel", "{\"fee\":5000}");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"cancel_fee\":5000") && has(a, "\"total\":10000"));
    assert_true(
        has(cancellation(t), "\"allowed\":false,\"fee\":{\"currency\":\"SEK\",\"amount\":0}"));
    a = ledger(t, t->staff);
    assert_true(has(a, "\"account\":\"customer\",\"code\":\"fee\",\"amount\":-5000"));
    assert_true(has(a, "\"account\":\"driver\",\"code\":\"earning\",\"amount\":4000"));
    assert_true(has(a, "\"account\":\"house\",\"code\":\"commission\",\"amount\":1000"));
    a = ledger(t, t->customer);
    assert_true(has(a, "\"account\":\"customer\"") && !has(a, "\"account\":\"driver\""));
    a = ledger(t, t->driver);
    assert_true(has(a, "\"account\":\"driver\"") && !has(a, "\"account\":\"customer\""));
    assert_int_equal(ledger(t, t->other).status, 404);
    town_free(t);
}

/* The office cancels for nothing, and so does who booked under other terms. */
static void test_cancel_free(void **unused) {
    (void)unused;
    struct town *t = town_new(2);
    set_tariff(t, CANCELLING);
    book(t, t->customer);
    take(t, t->driver);
    house_advance(t->h, 5 * MIN_US);
    assert_true(
        has(ask(t, t->staff, "GET", format(t, "/v1/bookings/%s/cancellation", t->booking), NULL),
            "\"amount\":0"));
    assert_true(has(act(t, t->staff, "cancel", "{}"), "\"cancel_fee\":0"));
    assert_true(has(ledger(t, t->staff), "\"items\":[]"));
    set_tariff(t, "");
    book(t, t->customer);
    set_tariff(t, CANCELLING);
    take(t, t->driver);
    house_advance(t->h, 5 * MIN_US);
    costs(t, 0, false);
    assert_true(has(act(t, t->customer, "cancel", "{\"fee\":0}"), "\"cancel_fee\":0"));
    assert_int_equal(act(t, t->customer, "cancel", "{\"fee\":-1}").status, 422);
    town_free(t);
}

/* Minutes begun beyond ten, at each stop; the price is what the ledger says. */
static void test_waiting(void **unused) {
    (void)unused;
    struct town *t = town_new(3);
    set_tariff(t, ",\"taxes\":[{\"name\":\"VAT\",\"rate_bp\":2500}]");
    book(t, t->customer);
    take(t, t->driver);
    const char *path = format(t, "/v1/bookings/%s", t->booking);
#define TERMS "\"waiting\":{\"free_minutes\":10,\"per_minute\":400"
    assert_true(has(ask(t, t->customer, "GET", path, NULL), TERMS "}"));
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    /* from now on whoever shows it counts, and it is the same for all */
    char since[TIMESTAMP_TEXT_MAX];
    timestamp_format(t->h->now_us, since);
    const char *counting = format(t, TERMS ",\"stop\":0,\"since\":\"%s\"}", since);
    assert_true(has(ask(t, t->customer, "GET", path, NULL), counting));
    assert_true(has(ask(t, t->driver, "GET", path, NULL), counting));
    house_advance(t->h, 12 * MIN_US + US_PER_S); /* the thirteenth minute has begun */
    assert_int_equal(status(t, "picked_up", 0), 200);
    struct house_answer a =
        ask(t, t->customer, "GET", format(t, "/v1/bookings/%s", t->booking), NULL);
    assert_true(has(a, "{\"code\":\"waiting\",\"quantity\":3,\"unit\":\"min\",\"amount\":1200}"));
    assert_true(has(a, "\"total\":14000") && has(a, TERMS "}")); /* it waits no more */
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    house_advance(t->h, 10 * MIN_US); /* all free */
    assert_int_equal(status(t, "delivered", 1), 200);
    a = ledger(t, t->staff);
    assert_true(has(a, "\"account\":\"customer\",\"code\":\"charge\",\"amount\":-14000"));
    assert_true(has(a, "\"account\":\"driver\",\"code\":\"earning\",\"amount\":8960"));
    assert_true(has(a, "\"account\":\"house\",\"code\":\"commission\",\"amount\":2240"));
    assert_true(has(a, "\"account\":\"tax\",\"code\":\"tax\",\"amount\":2800"));
    assert_true(has(a, "\"account\":\"customer\",\"code\":\"cash\",\"amount\":14000"));
    assert_true(has(a, "\"account\":\"driver\",\"code\":\"cash\",\"amount\":-14000"));
    town_free(t);
}

/* Whatever is delivered or cancelled, the lines add up to zero. */
static void test_balance(void **unused) {
    (void)unused;
    struct arena a;
    struct rng rng;
    arena_init(&a, 4096);
    rng_seed(&rng, 5);
    for (int i = 0; i < 5000; i++) {
        struct tariff rate = {.base = rng_between(&rng, 0, 50000)};
        const struct tax taxes[] = {{STR("a"), rng_between(&rng, 0, 3000)},
                                    {STR("b"), rng_between(&rng, 0, 3000)}};
        struct pricing in = {.rate = &rate,
                             .stop_count = 2,
                             .promo_percent = rng_between(&rng, 0, 100),
                             .taxes = taxes,
                             .tax_count = (int32_t)rng_between(&rng, 0, 2),
                             .taxes_included = rng_below(&rng, 2) == 0};
        struct booking b = {.payment = (int32_t)rng_between(&rng, PAYMENT_CASH, PAYMENT_INVOICE),
                            .terms.commission_bp = rng_between(&rng, 0, BASIS_POINTS)};
        price_compute(&in, &a, &b.price);
        b.earning = price_earning(price_gross(&b.price), b.terms.commission_bp);
        if (rng_below(&rng, 2) == 0)
            ledger_delivered(&b, US_PER_S, &a);
        else
            ledger_cancelled(&b, rng_between(&rng, 0, b.price.total), US_PER_S, &a);
        int64_t sum = 0;
        for (int32_t n = 0; n < b.ledger_count; n++)
            sum += b.ledger[n].amount;
        assert_int_equal(sum, 0);
        assert_true(ledger_earned(&b) >= 0 && ledger_earned(&b) <= ledger_gross(&b));
        arena_reset(&a);
    }
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_fees),
        cmocka_unit_test(test_cancel_free),
        cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_balance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
