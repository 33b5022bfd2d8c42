/* Booking again, and favourite drivers, through the routes. */
#include "services/booking/favourites.h"
#include "services/booking/test_town.h"

static void deliver(struct town *t) {
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    assert_int_equal(status(t, "delivered", 1), 200);
}

static struct house_answer again(struct town *t, struct identity who, const char *body) {
    return ask(t, who, "POST", format(t, "/v1/bookings/%s/rebook", t->booking), body);
}

static const char *driver_id(struct town *t, struct identity who) {
    return format(t, "%.*s", STR_ARG(id_with_prefix(&t->h->arena, who.user_id, "drv")));
}

static struct house_answer favour(struct town *t, struct identity who, const char *driver,
                                  const char *booking) {
    return ask(t, who, "PUT", format(t, "/v1/me/favourite-drivers/%s", driver),
               format(t, "{\"booking_id\":\"%s\"}", booking));
}

/* ---- again ---- */

static void test_again(void **unused) {
    (void)unused;
    struct town *t = town_new(1);
    book(t, t->customer);
    const char *first = t->booking;
    assert_int_equal(again(t, t->other, NULL).status, 404);
    assert_int_equal(again(t, t->driver, NULL).status, 403);
    assert_int_equal(again(t, t->customer, "{\"pickup_window\":{}}").status, 422);
    struct house_answer q = again(t, t->customer, NULL);
    assert_int_equal(q.status, 201);
    assert_true(has(q, "Drottningtorget") && has(q, "\"vehicle\":\"van\"") &&
                !has(q, "\"vehicle\":\"bike\""));
    assert_true(has(q, format(t, "\"again_of\":\"%s\"", first)));
    struct house_answer b = ask(t, t->customer, "POST", "/v1/bookings",
                                format(t, "{\"quote_id\":\"%s\"}", member(t, q, "id")));
    assert_int_equal(b.status, 201);
    assert_true(has(b, "ring twice") &&
                has(b, "\"contact\":{\"name\":\"Bo\",\"phone\":\"+46701234567\"}"));
    assert_false(has(b, first));
    /* what the new one says counts */
    q = again(t, t->customer, "{}");
    b = ask(t, t->customer, "POST", "/v1/bookings",
            format(t,
                   "{\"quote_id\":\"%s\",\"notes\":\"\",\"payment\":\"card\",\"stops\":[{},"
                   "{\"contact\":{\"name\":\"Li\"}}]}",
                   member(t, q, "id")));
    assert_true(!has(b, "ring twice") && !has(b, "\"Bo\"") && has(b, "\"Li\"") &&
                has(b, "\"payment\":\"card\""));
    town_free(t);
}

/* ---- favourites ---- */

static void test_only_who_has_delivered(void **unused) {
    (void)unused;
    struct town *t = town_new(2);
    book(t, t->customer);
    const char *driver = driver_id(t, t->driver), *booking = t->booking;
    assert_int_equal(favour(t, t->customer, driver, booking).status, 422); /* not yet */
    deliver(t);
    assert_int_equal(favour(t, t->other, driver, booking).status, 422); /* not his booking */
    assert_int_equal(favour(t, t->customer, driver_id(t, t->driver2), booking).status, 422);
    assert_int_equal(favour(t, t->customer, "drv_x", booking).status, 404);
    assert_int_equal(favour(t, t->customer, driver, "bkg_x").status, 422);
    assert_int_equal(
        ask(t, t->customer, "PUT", format(t, "/v1/me/favourite-drivers/%s", driver), "{}").status,
        422);
    assert_int_equal(favour(t, t->driver, driver, booking).status, 403);
    assert_true(has(ask(t, t->customer, "GET", "/v1/me/favourite-drivers", NULL), "\"items\":[]"));
    for (int i = 0; i < 2; i++) { /* twice is once */
        struct house_answer a = favour(t, t->customer, driver, booking);
        assert_int_equal(a.status, 200);
        assert_true(has(a, "\"name\":\"Ola\"") && has(a, driver));
        assert_string_equal(member(t, a, "driver_id"), last_member(t, a, "driver_id"));
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            ask(t, t->customer, "DELETE", format(t, "/v1/me/favourite-drivers/%s", driver), NULL)
                .status,
            204);
    assert_true(has(ask(t, t->customer, "GET", "/v1/me/favourite-drivers", NULL), "\"items\":[]"));
    town_free(t);
}

static void test_bounded(void **unused) {
    (void)unused;
    struct town *t = town_new(3);
    for (int i = 0; i <= FAVOURITES_MAX; i++) {
        t->driver = house_who(t->h, ROLE_DRIVER, NULL);
        book(t, t->customer);
        deliver(t);
        struct house_answer a = favour(t, t->customer, driver_id(t, t->driver), t->booking);
        assert_int_equal(a.status, i < FAVOURITES_MAX ? 200 : 409);
        assert_int_equal(has(a, "/problems/too-many-favourites"), i == FAVOURITES_MAX);
    }
    town_free(t);
}

/* What dispatch is told is a matter of test_search.c. */
static void test_asked_first(void **unused) {
    (void)unused;
    struct town *t = town_new(4);
    book(t, t->customer);
    deliver(t);
    assert_int_equal(favour(t, t->customer, driver_id(t, t->driver), t->booking).status, 200);
    struct house_answer q = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    struct house_answer b =
        ask(t, t->customer, "POST", "/v1/bookings",
            format(t, "{\"quote_id\":\"%s\",\"prefer_favourites\":true}", member(t, q, "id")));
    assert_int_equal(b.status, 201);
    assert_true(has(b, "\"prefer_favourites\":true"));
    q = ask(t, t->other, "POST", "/v1/quotes", VAN_QUOTE);
    b = ask(t, t->other, "POST", "/v1/bookings",
            format(t, "{\"quote_id\":\"%s\",\"prefer_favourites\":true}", member(t, q, "id")));
    assert_true(has(b, "\"prefer_favourites\":false")); /* he has none */
    town_free(t);
}

/* The account goes, and what was known of it. */
static void erase(struct town *t, struct identity who) {
    struct arena *a = &t->h->arena;
    struct ev_erased said = {.user_id = who.user_id};
    struct event e = {.id = house_id(t->h, "evt"),
                      .type = STR(EV_ACCOUNT_ERASED),
                      .key = who.user_id,
                      .at_us = t->h->now_us,
                      .data = schema_text(&ev_erased_schema, &said, S_STORE, a)};
    assert_int_equal(t->h->bus->ops->publish(t->h->bus, &e, confirmed, NULL), 0);
    house_settle(t->h);
    house_advance(t->h, 10 * US_PER_S);
}

static void test_erased(void **unused) {
    (void)unused;
    struct town *t = town_new(5);
    struct identity first = t->driver;
    book(t, t->customer);
    deliver(t);
    assert_int_equal(favour(t, t->customer, driver_id(t, first), t->booking).status, 200);
    t->driver = t->driver2;
    book(t, t->customer);
    deliver(t);
    assert_int_equal(favour(t, t->customer, driver_id(t, t->driver2), t->booking).status, 200);
    erase(t, first); /* as a driver, from the lists of others */
    struct house_answer a = ask(t, t->customer, "GET", "/v1/me/favourite-drivers", NULL);
    assert_true(has(a, driver_id(t, t->driver2)) && !has(a, driver_id(t, first)));
    erase(t, t->customer); /* his own list goes whole */
    assert_true(has(ask(t, t->customer, "GET", "/v1/me/favourite-drivers", NULL), "\"items\":[]"));
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_again), cmocka_unit_test(test_only_who_has_delivered),
        cmocka_unit_test(test_bounded), cmocka_unit_test(test_asked_first),
        cmocka_unit_test(test_erased)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
