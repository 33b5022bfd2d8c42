/* What cannot be delivered comes back: through the routes, and as moves of the machine. */
#include "services/booking/machine.h"
#include "services/booking/price.h"
#include "services/booking/test_town.h"

#define MIN_US (60 * US_PER_S)
#define PICTURED "{\"proof\":[\"pin\",\"signature\"]}"

/* Base 10,000; a way back costs half of 1,000 a kilometre, and half of 600 a minute. */
static void set_tariff(struct town *t, const char *more) {
    struct house_answer a =
        ask(t, house_who(t->h, ROLE_ADMIN, NULL), "PUT", "/v1/tariffs",
            format(t,
                   "{\"currency\":\"SEK\",\"items\":[{\"vehicle\":\"van\",\"base\":10000,"
                   "\"per_km\":1000,\"per_minute\":600,\"minimum\":0,\"waiting_free_minutes\":10,"
                   "\"waiting_per_minute\":400}],\"commission_bp\":2000%s}",
                   more));
    assert_int_equal(a.status, 200);
}
/* A tariff of a base and what a stop beyond two costs. */
#define PER_STOP                                                                                   \
    "{\"currency\":\"SEK\",\"items\":[{\"vehicle\":\"van\",\"base\":20000,\"per_km\":1000,"        \
    "\"per_minute\":0,\"per_stop\":100,\"minimum\":0}],\"returns\":{\"percent\":100}}"
#define RETURNS ",\"returns\":{\"percent\":50}"

/* One pickup and N drop-offs, the last of them with a PIN and a signature. */
static void book_stops(struct town *t, int dropoffs) {
    struct buf quote, stops;
    buf_init(&quote, &t->h->arena, 256);
    buf_init(&stops, &t->h->arena, 256);
    buf_add_cstr(&quote, "{\"vehicle\":\"van\",\"stops\":[{\"lat\":57.7,\"lng\":11.97}");
    buf_add_cstr(&stops, "[{\"contact\":{\"name\":\"Asha\"}}");
    for (int i = 1; i <= dropoffs; i++) {
        buf_printf(&quote, ",{\"lat\":57.7%d,\"lng\":11.97}", (i - 1) % 9 + 1);
        buf_add_cstr(&stops, i == dropoffs ? "," PICTURED "]" : ",{}");
    }
    buf_add_cstr(&quote, "]}");
    struct house_answer q =
        ask(t, t->customer, "POST", "/v1/quotes", arena_cstr(&t->h->arena, buf_str(&quote)));
    assert_int_equal(q.status, 201);
    struct house_answer b = ask(t, t->customer, "POST", "/v1/bookings",
                                format(t, "{\"quote_id\":\"%s\",\"stops\":%.*s}",
                                       member(t, q, "id"), STR_ARG(buf_str(&stops))));
    assert_int_equal(b.status, 201);
    t->booking = member(t, b, "id");
    t->token = member(t, b, "tracking_token");
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
}

static struct house_answer seen(struct town *t, struct identity who) {
    return ask(t, who, "GET", format(t, "/v1/bookings/%s", t->booking), NULL);
}

static struct house_answer fails(struct town *t, int stop) {
    return act(t, t->driver, "status",
               format(t, "{\"status\":\"failed\",\"stop\":%d,\"reason\":\"nobody in\"}", stop));
}

static int64_t amount_of(struct town *t, struct house_answer a, const char *path_a,
                         const char *key) {
    (void)t;
    const char *at = memmem(a.body.p, a.body.len, path_a, strlen(path_a));
    assert_non_null(at);
    at = memmem(at, a.body.len - (size_t)(at - a.body.p), key, strlen(key));
    assert_non_null(at);
    return strtoll(at + strlen(key), NULL, 10);
}

/* One drop-off: failed, brought back with proof, paid. */
static void test_brought_back(void **unused) {
    (void)unused;
    struct town *t = town_new(1);
    set_tariff(t, RETURNS);
    book_stops(t, 1);
    int64_t agreed = amount_of(t, seen(t, t->customer), "\"price\"", "\"total\":");
    assert_int_equal(status(t, "returned", 1), 409);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    house_advance(t->h, 12 * MIN_US + US_PER_S);
    assert_int_equal(act(t, t->driver, "status", "{\"status\":\"failed\",\"stop\":1}").status, 422);
    struct house_answer a = fails(t, 1);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"state\":\"returning\"") && has(a, "\"ended_at\":null"));
    assert_true(has(a, "\"returns\":{\"percent\":50}"));
    assert_true(has(a, "\"index\":2,\"kind\":\"return\",\"lat\":57.7,\"lng\":11.97"));
    assert_true(has(a, "\"contact\":{\"name\":\"Asha\""));
    assert_true(has(a, "\"required\":[\"signature\",\"name\"]")); /* and no PIN */
    assert_true(has(a, "\"state\":\"failed\",\"reason\":\"nobody in\""));
    /* half of what the way is worth, and who was not there was waited for: three minutes */
    int64_t metres = amount_of(t, a, "\"code\":\"return\"", "\"quantity\":");
    int64_t amount = amount_of(t, a, "\"code\":\"return\"", "\"amount\":");
    assert_in_range(metres, 1100, 1125);
    assert_int_equal(amount, price_return(50, 1000, 600, metres, (metres + 5) / 10));
    assert_true(has(a, "\"code\":\"waiting\",\"quantity\":3,\"unit\":\"min\",\"amount\":1200"));
    assert_int_equal(amount_of(t, a, "\"price\"", "\"total\":"), agreed + 1200 + amount);
    /* the customer sees it, and so does who has the link; he may not cancel, the driver not go on
     */
    assert_true(has(seen(t, t->customer), "\"kind\":\"return\""));
    a = ask(t, (struct identity){0}, "GET", format(t, "/v1/track/%s", t->token), NULL);
    assert_true(has(a, "\"state\":\"returning\"") && has(a, "\"reason\":\"nobody in\""));
    assert_int_equal(act(t, t->customer, "cancel", "{}").status, 409);
    assert_int_equal(status(t, "delivered", 2), 409);
    assert_int_equal(status(t, "returned", 2), 409);
    a = fails(t, 2);
    assert_int_equal(a.status, 409);
    assert_true(has(a, "\"state\":\"returning\",\"allowed\":[\"arrived_return\"],\"stop\":2"));
    assert_int_equal(status(t, "arrived_return", 1), 409);
    assert_int_equal(status(t, "arrived_return", 2), 200);
    assert_int_equal(fails(t, 2).status, 409); /* it has to end somewhere */
    a = act(t, t->driver, "status", "{\"status\":\"returned\",\"stop\":2}");
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/proof-missing") && has(a, "[\"signature\",\"name\"]"));
    town_free(t);
}

/* Without a picture asked for, the name of who takes it back is enough. */
static void test_paid(void **unused) {
    (void)unused;
    struct town *t = town_new(2);
    set_tariff(t, RETURNS);
    book(t, t->customer);
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    assert_int_equal(fails(t, 1).status, 200);
    assert_int_equal(status(t, "arrived_return", 2), 200);
    assert_int_equal(status(t, "returned", 2), 409);
    assert_int_equal(act(t, t->driver, "proof", "{\"stop\":1,\"name\":\"Asha\"}").status, 409);
    assert_int_equal(act(t, t->driver, "proof", "{\"stop\":2,\"pin\":\"1234\"}").status, 422);
    assert_int_equal(act(t, t->driver, "proof", "{\"stop\":2,\"name\":\"Asha\"}").status, 200);
    struct house_answer a = act(t, t->driver, "status", "{\"status\":\"returned\",\"stop\":2}");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"state\":\"returned\"") && !has(a, "\"ended_at\":null"));
    int64_t total = amount_of(t, a, "\"price\"", "\"total\":");
    a = ask(t, t->staff, "GET", format(t, "/v1/bookings/%s/ledger", t->booking), NULL);
    assert_int_equal(amount_of(t, a, "\"code\":\"charge\"", "\"amount\":"), -total);
    int64_t earned = amount_of(t, a, "\"code\":\"earning\"", "\"amount\":");
    assert_int_equal(earned, price_earning(total, 2000));
    assert_int_equal(act(t, t->customer, "rating", "{\"stars\":5}").status, 409);
    a = ask(t, t->customer, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    assert_true(has(a, "booking.stop_failed") && has(a, "booking.returned"));
    a = ask(t, t->customer, "GET", "/v1/bookings?state=returned", NULL);
    assert_true(has(a, t->booking));
    assert_true(!has(ask(t, t->customer, "GET", "/v1/bookings?state=active", NULL), t->booking));
    town_free(t);
}

/* Of three drop-offs the first fails: the others are delivered, then it comes back. */
static void test_goes_on(void **unused) {
    (void)unused;
    struct town *t = town_new(3);
    set_tariff(t, RETURNS);
    book_stops(t, 3);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    struct house_answer a = fails(t, 1);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"state\":\"picked_up\"") && !has(a, "\"kind\":\"return\""));
    assert_int_equal(status(t, "arrived_dropoff", 2), 200);
    assert_int_equal(status(t, "delivered", 2), 200);
    assert_int_equal(status(t, "arrived_dropoff", 3), 200);
    a = act(t, t->driver, "status", "{\"status\":\"delivered\",\"stop\":3}");
    assert_true(has(a, "/problems/proof-missing"));
    a = fails(t, 3);
    assert_true(has(a, "\"state\":\"returning\"") && has(a, "\"index\":4,\"kind\":\"return\""));
    /* the office may end it anywhere, and then has the goods to look after */
    assert_int_equal(act(t, t->staff, "cancel", "{\"reason\":\"they are here\"}").status, 200);
    town_free(t);
}

/* The last drop-off is delivered, an earlier one was not: what is left goes back all the same. */
static void test_delivered_then_back(void **unused) {
    (void)unused;
    struct town *t = town_new(4);
    set_tariff(t, ",\"returns\":{\"percent\":0}"); /* for nothing */
    struct house_answer q = ask(t, t->customer, "POST", "/v1/quotes",
                                "{\"vehicle\":\"van\",\"stops\":[{\"lat\":57.7,\"lng\":11.97},"
                                "{\"lat\":57.71,\"lng\":11.97},{\"lat\":57.72,\"lng\":11.97}]}");
    struct house_answer b = ask(t, t->customer, "POST", "/v1/bookings",
                                format(t, "{\"quote_id\":\"%s\"}", member(t, q, "id")));
    t->booking = member(t, b, "id");
    int64_t agreed = amount_of(t, b, "\"price\"", "\"total\":");
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    assert_int_equal(fails(t, 1).status, 200);
    assert_int_equal(status(t, "arrived_dropoff", 2), 200);
    struct house_answer a = act(t, t->driver, "status", "{\"status\":\"delivered\",\"stop\":2}");
    assert_true(has(a, "\"state\":\"returning\"") && !has(a, "\"code\":\"return\""));
    assert_int_equal(amount_of(t, a, "\"price\"", "\"total\":"), agreed);
    assert_int_equal(status(t, "arrived_return", 3), 200);
    assert_int_equal(act(t, t->driver, "proof", "{\"stop\":3,\"name\":\"Asha\"}").status, 200);
    assert_int_equal(status(t, "returned", 3), 200);
    town_free(t);
}

static int occurrences(struct house_answer a, const char *what) {
    int n = 0;
    const char *at = a.body.p, *end = a.body.p + a.body.len;
    while ((at = memmem(at, (size_t)(end - at), what, strlen(what))) != NULL) {
        at += strlen(what);
        n++;
    }
    return n;
}

/* The trip once more, and at other prices, is that which was booked; as many stops as there may be
 * are as many with a way back. */
static void once_more(uint64_t seed, int dropoffs) {
    struct town *t = town_new(seed);
    struct identity admin = house_who(t->h, ROLE_ADMIN, NULL);
    assert_int_equal(ask(t, admin, "PUT", "/v1/tariffs", PER_STOP).status, 200);
    book_stops(t, dropoffs);
    for (int stop = 1; stop <= dropoffs; stop++) {
        assert_int_equal(status(t, "arrived_dropoff", stop), 200);
        if (stop < dropoffs)
            assert_int_equal(status(t, "delivered", stop), 200);
        else
            assert_int_equal(fails(t, stop).status, 200);
    }
    struct house_answer a = seen(t, t->customer);
    int64_t total = amount_of(t, a, "\"price\"", "\"total\":");
    assert_true(amount_of(t, a, "\"code\":\"return\"", "\"amount\":") > 0);
    a = ask(t, admin, "POST", "/v1/tariffs/preview", PER_STOP);
    assert_true(
        has(a, format(t, "\"old\":%lld,\"new\":%lld}]", (long long)total, (long long)total)));
    a = act(t, t->customer, "rebook", "{}");
    assert_int_equal(a.status, 201);
    assert_true(!has(a, "\"return\""));
    assert_int_equal(occurrences(a, "\"kind\":\"dropoff\""), dropoffs);
    a = ask(t, t->customer, "POST", "/v1/bookings",
            format(t, "{\"quote_id\":\"%s\"}", member(t, a, "id")));
    assert_int_equal(a.status, 201);
    assert_int_equal(occurrences(a, "\"name\":\"Asha\""), 1); /* at the pickup alone */
    town_free(t);
}

static void test_once_more(void **unused) {
    (void)unused;
    once_more(7, 2);
    once_more(8, STOPS_MAX - 1);
}

/* Where nothing of the kind was agreed a delivery that fails ends the booking, and costs nothing;
 * a later tariff changes nothing for what is booked. And nothing goes back that was not fetched. */
static void test_not_agreed(void **unused) {
    (void)unused;
    struct town *t = town_new(5);
    set_tariff(t, "");
    book_stops(t, 2);
    set_tariff(t, RETURNS);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    struct house_answer a = fails(t, 1);
    assert_true(has(a, "\"state\":\"failed\"") && !has(a, "\"kind\":\"return\""));
    a = ask(t, t->staff, "GET", format(t, "/v1/bookings/%s/ledger", t->booking), NULL);
    assert_true(has(a, "\"items\":[]"));
    book(t, t->customer);
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_true(has(fails(t, 0), "\"state\":\"failed\""));
    town_free(t);
}

static void test_bad_tariff(void **unused) {
    (void)unused;
    static const char *const bad[] = {"{}", "{\"percent\":-1}", "{\"percent\":401}",
                                      "{\"percent\":\"50\"}"};
    struct town *t = town_new(6);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct house_answer a =
            ask(t, house_who(t->h, ROLE_ADMIN, NULL), "PUT", "/v1/tariffs",
                format(t,
                       "{\"currency\":\"SEK\",\"items\":[{\"vehicle\":\"van\",\"base\":1,"
                       "\"per_km\":1,\"per_minute\":1,\"minimum\":0}],\"returns\":%s}",
                       bad[i]));
        assert_int_equal(a.status, 422);
        assert_true(has(a, "\"pointer\":\"/returns/percent\""));
    }
    town_free(t);
}

static void test_price(void **unused) {
    (void)unused;
    assert_int_equal(price_return(100, 1500, 260, 2140, 420), 3210 + 1820);
    assert_int_equal(price_return(50, 1, 0, 1500, 0), 1); /* 1.5 → 2, half of it */
    assert_int_equal(price_return(50, 1, 0, 500, 0), 1);  /* 0.5 → 1 → 0.5 → 1 */
    assert_int_equal(price_return(0, 1500, 260, 2140, 420), 0);
    assert_int_equal(price_return(400, TARIFF_AMOUNT_MAX, TARIFF_AMOUNT_MAX, PRICE_DISTANCE_M_MAX,
                                  PRICE_DURATION_S_MAX) > 0,
                     true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brought_back), cmocka_unit_test(test_paid),
        cmocka_unit_test(test_goes_on),      cmocka_unit_test(test_delivered_then_back),
        cmocka_unit_test(test_not_agreed),   cmocka_unit_test(test_bad_tariff),
        cmocka_unit_test(test_price),        cmocka_unit_test(test_once_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
