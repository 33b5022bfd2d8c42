/* Pickups for later, through the routes: when they may be, what they cost, when a driver is looked
 * for, another time, and what is left after a crash.
 */
#include "services/booking/schedule.h"
#include "services/booking/test_town.h"

#define MIN_US (60 * US_PER_S)
#define HOUR_US (60 * MIN_US)

static const char *time_text(struct town *t, int64_t at_us) {
    char text[TIMESTAMP_TEXT_MAX];
    timestamp_format(at_us, text);
    return format(t, "%s", text);
}

static const char *window(struct town *t, int64_t from_us, int64_t to_us) {
    return format(t, "\"pickup_window\":{\"from\":\"%s\",\"to\":\"%s\"}", time_text(t, from_us),
                  time_text(t, to_us));
}

static struct house_answer quote_for(struct town *t, int64_t from_us, int64_t to_us) {
    return ask(t, t->customer, "POST", "/v1/quotes",
               format(t, "%s,\"vehicle\":\"van\",%s}", TWO_STOPS, window(t, from_us, to_us)));
}

/* A booking for IN_US from now on, an hour long. */
static struct house_answer book_for(struct town *t, int64_t in_us) {
    int64_t from_us = t->h->now_us + in_us;
    struct house_answer q = quote_for(t, from_us, from_us + HOUR_US);
    assert_int_equal(q.status, 201);
    struct house_answer b = ask(t, t->customer, "POST", "/v1/bookings",
                                format(t, "{\"quote_id\":\"%s\"}", member(t, q, "id")));
    assert_int_equal(b.status, 201);
    t->booking = member(t, b, "id");
    t->token = member(t, b, "tracking_token");
    return b;
}

static struct house_answer look(struct town *t) {
    return ask(t, t->customer, "GET", format(t, "/v1/bookings/%s", t->booking), NULL);
}

static bool is(struct town *t, const char *state) {
    return has(look(t), format(t, "\"state\":\"%s\"", state));
}

static struct house_answer move_to(struct town *t, struct identity who, int64_t from_us,
                                   const char *more) {
    return ask(t, who, "PUT", format(t, "/v1/bookings/%s/pickup-window", t->booking),
               format(t, "{%s%s}", window(t, from_us, from_us + HOUR_US), more));
}

/* ---- windows that cannot be ---- */

static void test_bad_windows(void **unused) {
    (void)unused;
    struct town *t = town_new(1);
    int64_t now_us = t->h->now_us;
    const struct {
        int64_t from_us, to_us;
        const char *pointer, *words;
    } bad[] = {
        {now_us - 1, now_us + HOUR_US, "/pickup_window/from", "is in the past"},
        {now_us + 31 * US_PER_DAY, now_us + 31 * US_PER_DAY + HOUR_US, "/pickup_window/from",
         "more than 30 days ahead"},
        {now_us + HOUR_US, now_us + HOUR_US, "/pickup_window/to", "at least 15 minutes"},
        {now_us + HOUR_US, now_us + HOUR_US - 1, "/pickup_window/to", "at least 15 minutes"},
        {now_us + HOUR_US, now_us + HOUR_US + 15 * MIN_US - 1, "/pickup_window/to",
         "at least 15 minutes"},
        {now_us + HOUR_US, now_us + 13 * HOUR_US + 1, "/pickup_window/to", "at most 12 hours"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct house_answer a = quote_for(t, bad[i].from_us, bad[i].to_us);
        assert_int_equal(a.status, 422);
        if (!has(a, format(t, "\"pointer\":\"%s\"", bad[i].pointer)) || !has(a, bad[i].words))
            fail_msg("%zu: %.*s", i, STR_ARG(a.body));
    }
    static const char *const texts[] = {
        "\"pickup_window\":7",
        "\"pickup_window\":{}",
        "\"pickup_window\":{\"from\":\"tomorrow\",\"to\":\"2026-11-24T10:00:00Z\"}",
        "\"pickup_window\":{\"from\":\"2026-11-24T10:00:00\",\"to\":\"2026-11-24T11:00:00Z\"}",
        "\"pickup_window\":{\"from\":\"2026-11-24T10:00:00Z\"}",
        "\"pickup_window\":{\"from\":1,\"to\":2}",
        "\"pickup_window\":{\"from\":\"9999-12-31T00:00:00Z\",\"to\":\"9999-12-31T01:00:00Z\"}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct house_answer a =
            ask(t, t->customer, "POST", "/v1/quotes", format(t, "%s,%s}", TWO_STOPS, texts[i]));
        assert_int_equal(a.status, 422);
        assert_true(has(a, "\"pointer\":\"/pickup_window"));
    }
    assert_int_equal(quote_for(t, now_us, now_us + 15 * MIN_US).status, 201);
    assert_int_equal(
        quote_for(t, now_us + 30 * US_PER_DAY, now_us + 30 * US_PER_DAY + 12 * HOUR_US).status,
        201);
    town_free(t);
}

/* ---- prices ---- */

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
#define NIGHT ",\"night\":{\"from\":\"22:00\",\"to\":\"06:00\",\"add_percent\":50}"

/* The night of the pickup counts, not that of the call; demand of now does not. The house stands at
 * 2026-11-23T10:00:00Z. */
static void test_price_of_its_time(void **unused) {
    (void)unused;
    struct town *t = town_new(2);
    set_tariff(t, NIGHT ",\"surge\":{\"from_percent\":1,\"full_percent\":2,\"add_percent\":100}");
    int64_t midnight_us = (t->h->now_us / US_PER_DAY + 1) * US_PER_DAY;
    for (int i = 0; i < 4; i++)
        book(t, t->other);
    house_advance(t->h, MIN_US);
    struct house_answer now = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    assert_true(has(now, "\"code\":\"surge\"") && has(now, "\"surge_applies\":true") &&
                has(now, "\"pickup_window\":null"));
    struct house_answer day = quote_for(t, midnight_us + 12 * HOUR_US, midnight_us + 13 * HOUR_US);
    assert_true(has(day, "\"total\":10000") && has(day, "\"surge_applies\":false") &&
                has(day, "\"pickup_eta_s\":null"));
    struct house_answer night = quote_for(t, midnight_us, midnight_us + HOUR_US);
    assert_true(has(night, "\"total\":15000") && has(night, "\"code\":\"night\""));
    town_free(t);
}

/* ---- the way of one ---- */

static void test_its_time_comes(void **unused) {
    (void)unused;
    struct town *t = town_new(3);
    struct house_answer b = book_for(t, 5 * HOUR_US);
    assert_true(has(b, "\"state\":\"scheduled\"") && has(b, "\"pickup_window\":{\"from\":"));
    assert_true(has(b, format(t, "\"dispatch_at\":\"%s\"",
                              time_text(t, t->h->now_us + 5 * HOUR_US - 15 * MIN_US))));
    assert_true(has(ask(t, t->customer, "GET", "/v1/bookings?state=scheduled", NULL), t->booking));
    assert_true(has(ask(t, t->staff, "GET", "/v1/bookings?state=active", NULL), t->booking));
    assert_false(has(ask(t, t->staff, "GET", "/v1/bookings?state=requested", NULL), t->booking));
    /* a driver cannot be given to it yet, and no claim counts */
    const char *driver = id_with_prefix(&t->h->arena, t->driver.user_id, "drv").p;
    assert_int_equal(act(t, t->staff, "assign", format(t, "{\"driver_id\":\"%s\"}", driver)).status,
                     409);
    offer(t, t->driver);
    assert_true(is(t, "scheduled"));
    house_advance(t->h, 3 * HOUR_US);
    struct house_answer timeline =
        ask(t, t->customer, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    assert_true(has(timeline, "booking.scheduled") && has(timeline, "booking.reminded"));
    house_advance(t->h, 2 * HOUR_US - 15 * MIN_US - 2 * US_PER_S);
    assert_true(is(t, "scheduled"));
    house_advance(t->h, 3 * US_PER_S);
    assert_true(is(t, "requested"));
    take(t, t->driver);
    assert_true(is(t, "assigned"));
    town_free(t);
}

/* How many seconds before the window of a booking made now the search for its driver begins. */
static int64_t searched_before_s(struct town *t) {
    int64_t from_us = t->h->now_us + 3 * HOUR_US;
    book_for(t, 3 * HOUR_US);
    house_advance(t->h, 2 * HOUR_US - 5 * US_PER_S);
    while (is(t, "scheduled"))
        house_advance(t->h, 5 * US_PER_S);
    assert_true(is(t, "requested"));
    return (from_us - t->h->now_us) / US_PER_S;
}

/* Who has far to come is looked for earlier, so that he can be there when the window begins. */
static void test_in_time_for_who_is_far(void **unused) {
    (void)unused;
    struct town *t = town_new(10);
    t->fleet.free = true; /* 150 s away */
    assert_in_range(searched_before_s(t), 15 * 60 - 10, 15 * 60);
    t->fleet.position.at = point_of(57.79, 11.96);
    struct house_answer q = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    long eta_s =
        strtol(strstr(q.body.p, "\"pickup_eta_s\":") + strlen("\"pickup_eta_s\":"), NULL, 10);
    assert_in_range(eta_s, 15 * 60, 30 * 60);
    long lead_s = 15 * 60 / 2 + eta_s; /* half the usual lead for finding him */
    assert_in_range(searched_before_s(t), lead_s - 60 - 10, lead_s);
    t->fleet.position.at = point_of(58.6, 11.96); /* hours: nobody is held for so long */
    assert_in_range(searched_before_s(t), 60 * 60 - 10, 60 * 60);
    t->fleet.free = false;
    assert_in_range(searched_before_s(t), 15 * 60 - 10, 15 * 60);
    town_free(t);
}

/* By WHO, for IN_US from now on, to be fetched at LAT. */
static const char *book_at(struct town *t, struct identity who, int64_t in_us, const char *lat) {
    int64_t from_us = t->h->now_us + in_us;
    struct house_answer q = ask(t, who, "POST", "/v1/quotes",
                                format(t,
                                       "{\"stops\":[{\"lat\":%s,\"lng\":11.9746},"
                                       "{\"lat\":57.6969,\"lng\":11.9865}],\"vehicle\":\"van\",%s}",
                                       lat, window(t, from_us, from_us + HOUR_US)));
    assert_int_equal(q.status, 201);
    struct house_answer b =
        ask(t, who, "POST", "/v1/bookings", format(t, "{\"quote_id\":\"%s\"}", member(t, q, "id")));
    assert_int_equal(b.status, 201);
    return member(t, b, "id");
}

static bool requested(struct town *t, const char *id) {
    return has(ask(t, t->staff, "GET", format(t, "/v1/bookings/%s", id), NULL),
               "\"state\":\"requested\"");
}

/* However many are near their time, who has far to come is looked for in time: the first as well as
 * the last; and what waits for its reminder takes nobody's turn. */
static void test_each_has_its_turn(void **unused) {
    (void)unused;
    struct town *t = town_new(12);
    const char *near[40], *first, *last;
    t->fleet.free = true;
    first = book_at(t, t->customer, 59 * MIN_US, "57.79");
    for (size_t i = 0; i < COUNT_OF(near); i++) {
        near[i] = book_at(t, t->customer, 60 * MIN_US, "57.7089");
        book_at(t, t->other, 3 * HOUR_US, "57.7089"); /* reminded in an hour */
    }
    last = book_at(t, t->customer, 61 * MIN_US, "57.79");
    for (int i = 0; i < 41; i++)
        house_advance(t->h, MIN_US);
    for (size_t i = 0; i < COUNT_OF(near); i++)
        assert_false(requested(t, near[i]));
    assert_true(requested(t, first));
    assert_true(requested(t, last));
    town_free(t);
}

static void test_nobody_comes(void **unused) {
    (void)unused;
    struct town *t = town_new(4);
    book_for(t, HOUR_US);
    house_advance(t->h, HOUR_US + 59 * MIN_US);
    assert_true(is(t, "requested"));
    house_advance(t->h, MIN_US + US_PER_S);
    assert_true(is(t, "expired"));
    /* so near that it is looked for at once, but no longer than until the window ends */
    struct house_answer b = book_for(t, MIN_US);
    assert_true(has(b, "\"state\":\"requested\"") && has(b, "\"dispatch_at\":null"));
    house_advance(t->h, 60 * MIN_US);
    assert_true(is(t, "requested"));
    house_advance(t->h, MIN_US + US_PER_S);
    assert_true(is(t, "expired"));
    town_free(t);
}

/* What waits is in the store: a process that was away does it late, or lets it expire. */
static void test_crash_between(void **unused) {
    (void)unused;
    struct town *t = town_new(5);
    book_for(t, HOUR_US);
    house_crash(t->h);
    booking_service_free(t->service);
    t->h->now_us += 50 * MIN_US;
    open_town(t);
    house_advance(t->h, 2 * US_PER_S);
    assert_true(is(t, "requested"));
    book_for(t, HOUR_US);
    house_crash(t->h);
    booking_service_free(t->service);
    t->h->now_us += 3 * HOUR_US;
    open_town(t);
    house_advance(t->h, 2 * US_PER_S);
    assert_true(is(t, "expired"));
    town_free(t);
}

/* ---- another time ---- */

static void test_another_time(void **unused) {
    (void)unused;
    struct town *t = town_new(6);
    set_tariff(t, NIGHT);
    int64_t midnight_us = (t->h->now_us / US_PER_DAY + 1) * US_PER_DAY;
    book_for(t, 3 * HOUR_US);
    assert_int_equal(move_to(t, t->other, midnight_us, "").status, 404);
    assert_int_equal(move_to(t, t->driver, midnight_us, "").status, 403);
    assert_int_equal(move_to(t, t->customer, t->h->now_us - 1, "").status, 422);
    assert_int_equal(move_to(t, t->customer, midnight_us, ",\"total\":-1").status, 422);
    assert_int_equal(move_to(t, t->customer, midnight_us, ",\"version\":7").status, 409);
    struct house_answer a = move_to(t, t->customer, midnight_us, "");
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/price-changed") &&
                has(a, "\"price\":{\"currency\":\"SEK\",\"total\":15000,\"old_total\":10000}"));
    assert_int_equal(move_to(t, t->customer, midnight_us, ",\"total\":14999").status, 409);
    a = move_to(t, t->customer, midnight_us, ",\"total\":15000");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"total\":15000") && has(a, time_text(t, midnight_us)));
    house_advance(t->h, 4 * HOUR_US);
    assert_true(is(t, "scheduled")); /* the old time means nothing any more */
    /* cheaper needs no consent; so near that it begins */
    a = move_to(t, t->customer, t->h->now_us + 10 * MIN_US, "");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"total\":10000"));
    house_advance(t->h, 2 * US_PER_S);
    assert_true(is(t, "requested"));
    a = move_to(t, t->customer, midnight_us, ",\"total\":15000");
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/illegal-transition"));
    town_free(t);
}

/* Not for ever, and it can be cancelled all the same. */
static void test_another_time_and_another(void **unused) {
    (void)unused;
    struct town *t = town_new(9);
    book_for(t, 3 * HOUR_US);
    for (int i = 0; i < 2 * RESCHEDULES_MAX; i++) {
        struct house_answer a = move_to(t, t->customer, t->h->now_us + (3 + i % 2) * HOUR_US, "");
        assert_int_equal(a.status, i < RESCHEDULES_MAX ? 200 : 409);
        assert_true(i < RESCHEDULES_MAX || has(a, "/problems/too-many-changes"));
    }
    assert_int_equal(act(t, t->customer, "cancel", "{}").status, 200);
    town_free(t);
}

/* ---- cancelling ---- */

static void test_cancel_late(void **unused) {
    (void)unused;
    struct town *t = town_new(7);
    set_tariff(t,
               ",\"cancellation\":{\"free_minutes\":2,\"assigned_percent\":10,\"arrived_percent\""
               ":50,\"late_minutes\":60,\"late_percent\":20}");
    book_for(t, 3 * HOUR_US);
    const char *path = format(t, "/v1/bookings/%s/cancellation", t->booking);
    struct house_answer a = ask(t, t->customer, "GET", path, NULL);
    assert_true(has(a, "\"amount\":0") && has(a, format(t, "\"free_until\":\"%s\"",
                                                        time_text(t, t->h->now_us + 2 * HOUR_US))));
    house_advance(t->h, 2 * HOUR_US);
    a = ask(t, t->customer, "GET", path, NULL);
    assert_true(has(a, "\"amount\":2000") && has(a, "\"free_until\":null"));
    assert_int_equal(act(t, t->customer, "cancel", "{\"fee\":1999}").status, 409);
    a = act(t, t->customer, "cancel", "{\"fee\":2000}");
    assert_true(has(a, "\"state\":\"cancelled\"") && has(a, "\"cancel_fee\":2000"));
    a = ask(t, t->staff, "GET", format(t, "/v1/bookings/%s/ledger", t->booking), NULL);
    assert_true(has(a, "\"account\":\"house\",\"code\":\"commission\",\"amount\":2000") &&
                !has(a, "\"account\":\"driver\""));
    /* what is for now costs nothing while nobody has it */
    book(t, t->customer);
    assert_true(has(act(t, t->customer, "cancel", "{}"), "\"cancel_fee\":0"));
    town_free(t);
}

static void costs(struct town *t, int64_t fee, int64_t free_until_us) {
    struct house_answer a =
        ask(t, t->customer, "GET", format(t, "/v1/bookings/%s/cancellation", t->booking), NULL);
    const char *until = free_until_us == 0
                            ? "\"free_until\":null"
                            : format(t, "\"free_until\":\"%s\"", time_text(t, free_until_us));
    if (!has(a, format(t, "\"amount\":%lld}", (long long)fee)) || !has(a, until))
        fail_msg("not %lld, %s: %.*s", (long long)fee, until, STR_ARG(a.body));
}

/* That a driver has taken it does not make free what was too late already, nor what becomes so. */
static void test_cancel_late_when_taken(void **unused) {
    (void)unused;
    struct town *t = town_new(11);
    set_tariff(t, ",\"cancellation\":{\"free_minutes\":2,\"assigned_percent\":10,"
                  "\"arrived_percent\":50,\"late_minutes\":60,\"late_percent\":20}");
    book_for(t, 3 * HOUR_US);
    house_advance(t->h, 3 * HOUR_US - 14 * MIN_US);
    costs(t, 2000, 0);
    take(t, t->driver);
    costs(t, 2000, 0);
    house_advance(t->h, 3 * MIN_US);
    costs(t, 2000, 0); /* the higher of the two */
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    costs(t, 5000, 0);
    set_tariff(t, ",\"cancellation\":{\"free_minutes\":20,\"assigned_percent\":0,"
                  "\"arrived_percent\":50,\"late_minutes\":5,\"late_percent\":20}");
    int64_t from_us = t->h->now_us + HOUR_US;
    book_for(t, HOUR_US);
    house_advance(t->h, 46 * MIN_US);
    take(t, t->driver2);
    costs(t, 0, from_us - 5 * MIN_US); /* the earlier end */
    house_advance(t->h, 9 * MIN_US);
    costs(t, 2000, 0);
    town_free(t);
}

static struct house_answer put_off(struct town *t, struct identity who, int64_t from_us) {
    return ask(t, who, "PUT", format(t, "/v1/bookings/%s/pickup-window", t->booking),
               format(t, "{\"pickup_window\":{\"from\":\"%s\",\"to\":\"%s\"}}",
                      time_text(t, from_us), time_text(t, from_us + HOUR_US)));
}

/* Who would have to pay for cancelling does not get out of it by moving it far away first. */
static void test_moved_to_avoid_a_fee(void **unused) {
    (void)unused;
    struct town *t = town_new(9);
    set_tariff(t, ",\"cancellation\":{\"free_minutes\":2,\"assigned_percent\":10,"
                  "\"arrived_percent\":50,\"late_minutes\":60,\"late_percent\":20}");
    book_for(t, 3 * HOUR_US);
    const char *path = format(t, "/v1/bookings/%s/cancellation", t->booking);
    assert_int_equal(put_off(t, t->customer, t->h->now_us + 4 * HOUR_US).status, 200);
    struct house_answer a = ask(t, t->customer, "GET", path, NULL);
    assert_true(has(a, "\"amount\":0") && has(a, "\"due_when_moved\":0")); /* in good time */
    house_advance(t->h, 3 * HOUR_US + 5 * MIN_US);
    assert_int_equal(put_off(t, t->customer, t->h->now_us + 20 * US_PER_DAY).status, 200);
    a = ask(t, t->customer, "GET", path, NULL);
    assert_true(has(a, "\"amount\":2000") && has(a, "\"free_until\":null") &&
                has(a, "\"due_when_moved\":2000"));
    assert_true(has(ask(t, t->staff, "GET", path, NULL), "\"due_when_moved\":0"));
    assert_int_equal(put_off(t, t->customer, t->h->now_us + 25 * US_PER_DAY).status, 200);
    assert_int_equal(act(t, t->customer, "cancel", "{\"fee\":1999}").status, 409);
    assert_true(has(act(t, t->customer, "cancel", "{\"fee\":2000}"), "\"cancel_fee\":2000"));
    /* the office may have moved it for reasons of its own */
    book_for(t, HOUR_US);
    assert_int_equal(put_off(t, t->staff, t->h->now_us + 20 * US_PER_DAY).status, 200);
    assert_true(has(act(t, t->customer, "cancel", "{}"), "\"cancel_fee\":0"));
    town_free(t);
}

/* Who comes before the window waits for himself. */
static void test_waiting_from_the_window(void **unused) {
    (void)unused;
    struct town *t = town_new(8);
    set_tariff(t, "");
    book_for(t, HOUR_US);
    house_advance(t->h, 45 * MIN_US + US_PER_S);
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    house_advance(t->h, 15 * MIN_US + 10 * MIN_US - 2 * US_PER_S);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_true(has(look(t), "\"total\":10000"));
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_windows),
        cmocka_unit_test(test_price_of_its_time),
        cmocka_unit_test(test_its_time_comes),
        cmocka_unit_test(test_in_time_for_who_is_far),
        cmocka_unit_test(test_each_has_its_turn),
        cmocka_unit_test(test_nobody_comes),
        cmocka_unit_test(test_crash_between),
        cmocka_unit_test(test_another_time),
        cmocka_unit_test(test_another_time_and_another),
        cmocka_unit_test(test_cancel_late),
        cmocka_unit_test(test_cancel_late_when_taken),
        cmocka_unit_test(test_moved_to_avoid_a_fee),
        cmocka_unit_test(test_waiting_from_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
