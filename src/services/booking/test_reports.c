/* Reports: what a booking counts, on which day, whatever the order and however often its events
 * come; and what the route makes of it.
 */
#include "services/booking/report.h"
#include "services/booking/test_town.h"

#define HOUR_US (INT64_C(3600) * US_PER_S)

static struct house_answer report(struct town *t, const char *query) {
    return ask(t, t->staff, "GET", format(t, "/v1/reports/%s", query), NULL);
}

static void says(struct house_answer a, const char *text) {
    if (a.status != 200 || !has(a, text))
        fail_msg("%d: not %s in %.*s", a.status, text, STR_ARG(a.body));
}

/* ZONE must be the system's; rates so that money is easy to see. */
static void set_tariff(struct town *t, const char *timezone, const char *more) {
    struct house_answer a =
        ask(t, house_who(t->h, ROLE_ADMIN, NULL), "PUT", "/v1/tariffs",
            format(t,
                   "{\"currency\":\"SEK\",\"timezone\":\"%s\",\"items\":[{\"vehicle\":\"van\","
                   "\"base\":10000,\"per_km\":0,\"per_minute\":0,\"minimum\":0}%s],"
                   "\"commission_bp\":2000,\"cancellation\":{\"free_minutes\":0,"
                   "\"assigned_percent\":10,\"arrived_percent\":50}%s}",
                   timezone, "", more));
    assert_int_equal(a.status, 200);
}

static void deliver(struct town *t) {
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    assert_int_equal(status(t, "delivered", 1), 200);
}

/* One delivered after a decline, one cancelled late, one that nobody took. */
static void busy_day(struct town *t) {
    book(t, t->customer);
    const char *first = offer(t, t->driver2);
    house_advance(t->h, US_PER_S);
    assert_int_equal(
        act(t, t->driver2, "decline", format(t, "{\"offer_id\":\"%s\"}", first)).status, 204);
    house_advance(t->h, 3 * US_PER_S);
    take(t, t->driver);
    house_advance(t->h, 100 * US_PER_S);
    deliver(t);
    assert_int_equal(act(t, t->customer, "rating", "{\"stars\":4}").status, 200);
    book(t, t->customer);
    take(t, t->driver);
    house_advance(t->h, 1000 * US_PER_S); /* 150 s were promised */
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(act(t, t->customer, "cancel", "{}").status, 200);
    book(t, t->other);
    offer(t, t->driver2);
    house_advance(t->h, 200 * US_PER_S);
    house_settle(t->h);
}

static void test_figures(void **unused) {
    (void)unused;
    struct town *t = town_new(1);
    set_tariff(t, "Europe/Stockholm", "");
    busy_day(t);
    const char *day = "?from=2026-11-23&to=2026-11-23";
    says(report(t, format(t, "bookings%s", day)),
         "\"totals\":{\"requested\":3,\"delivered\":1,\"cancelled\":1,\"expired\":1,\"failed\":0,"
         "\"assign_wait\":2}");
    says(report(t, format(t, "on-time%s", day)),
         "\"totals\":{\"pickups\":2,\"on_time\":1,\"on_time_rate\":0.5}");
    says(report(t, format(t, "acceptance%s", day)),
         "\"totals\":{\"offers\":4,\"accepted\":2,\"declined\":1,\"timed_out\":1,"
         "\"acceptance_rate\":0.5}");
    says(report(t, format(t, "revenue%s", day)),
         "\"totals\":{\"delivered\":1,\"revenue\":15000,\"fees\":5000,\"tax\":0,\"earnings\":12000,"
         "\"commission\":3000}");
    says(report(t, format(t, "cancellations%s", day)),
         "\"totals\":{\"ended\":3,\"cancelled\":1,\"by_customer\":1,\"fees\":5000,"
         "\"cancellation_rate\":0.3333}");
    says(report(t, format(t, "ratings%s", day)), "\"totals\":{\"ratings\":1,\"rating\":4}");
    says(report(t, format(t, "earnings%s&by=driver", day)),
         format(t,
                "{\"key\":\"drv_%s\",\"values\":{\"delivered\":1,\"earnings\":12000,"
                "\"commission\":3000,\"per_delivery\":12000}}",
                t->driver.user_id.p + 4));
    says(report(t, format(t, "acceptance%s&by=driver", day)),
         format(t,
                "{\"key\":\"drv_%s\",\"values\":{\"offers\":2,\"accepted\":0,\"declined\":1,"
                "\"timed_out\":1,\"acceptance_rate\":0}}",
                t->driver2.user_id.p + 4));
    /* 10:00 UTC is 11 o'clock there */
    says(report(t, format(t, "bookings%s&by=hour", day)),
         "{\"key\":\"11\",\"values\":{\"requested\":3");
    says(report(t, format(t, "bookings%s&by=class", day)),
         "\"items\":[{\"key\":\"van\",\"values\":{\"requested\":3");
    says(report(t, format(t, "bookings%s&by=zone", day)),
         "\"items\":[{\"key\":\"\",\"values\":{\"requested\":3");
    says(report(t, format(t, "bookings%s&compare=previous", day)),
         "\"previous\":{\"from\":\"2026-11-22\",\"to\":\"2026-11-22\",\"totals\":{\"requested\":0");
    says(report(t, "bookings?from=2026-11-24&to=2026-11-24&compare=previous"),
         "{\"key\":\"2026-11-24\",\"values\":{\"requested\":0,\"delivered\":0,\"cancelled\":0,"
         "\"expired\":0,\"failed\":0,\"assign_wait\":null},\"previous\":{\"requested\":3");
    town_free(t);
}

/* What is put right later counts for the day on which it happened. */
static void test_late(void **unused) {
    (void)unused;
    struct town *t = town_new(2);
    set_tariff(t, "Europe/Stockholm", "");
    book(t, t->customer);
    take(t, t->driver);
    deliver(t);
    house_advance(t->h, 72 * HOUR_US);
    assert_int_equal(act(t, t->customer, "rating", "{\"stars\":2}").status, 200);
    house_settle(t->h);
    says(report(t, "ratings?from=2026-11-23&to=2026-11-23"),
         "\"totals\":{\"ratings\":1,\"rating\":2}");
    says(report(t, "ratings?from=2026-11-24&to=2026-11-26"),
         "\"totals\":{\"ratings\":0,\"rating\":null}");
    town_free(t);
}

static void put_event(struct town *t, const char *id, const char *type, int64_t at_us,
                      const char *data) {
    struct event e = {.id = str_from(id),
                      .type = str_from(type),
                      .key = STR("any"),
                      .at_us = at_us,
                      .data = str_from(data)};
    assert_int_equal(t->h->bus->ops->publish(t->h->bus, &e, confirmed, NULL), 0);
    house_settle(t->h);
}

/* The clocks are put back on 31 October 2027: that day has 25 hours, the one from 2 to 3 twice. */
static void test_clock(void **unused) {
    (void)unused;
    struct town *t = town_new(3);
    set_tariff(t, "Europe/Stockholm", "");
    const char *driver = format(t, "drv_%s", t->driver.user_id.p + 4);
    int64_t end_us, since_us;
    char since[TIMESTAMP_TEXT_MAX];
    assert_int_equal(timestamp_parse(STR("2027-11-01T00:30:00+01:00"), &end_us), 0);
    since_us = end_us - 26 * HOUR_US;
    timestamp_format(since_us, since);
    t->h->now_us = end_us; /* the tariff holds from long before */
    put_event(
        t, house_id(t->h, "evt").p, EV_DRIVER_SHIFT, end_us,
        format(t, "{\"driver_id\":\"%s\",\"vehicle\":\"van\",\"since\":\"%s\"}", driver, since));
    says(report(t, "utilisation?from=2027-10-30&to=2027-11-02"),
         "{\"key\":\"2027-10-31\",\"values\":{\"duty\":90000");
    says(report(t, "utilisation?from=2027-10-30&to=2027-11-02"),
         "{\"key\":\"2027-11-01\",\"values\":{\"duty\":1800");
    says(report(t, "utilisation?from=2027-10-30&to=2027-11-02"),
         "{\"key\":\"2027-10-30\",\"values\":{\"duty\":1800");
    says(report(t, "utilisation?from=2027-10-31&to=2027-10-31&by=hour"),
         "{\"key\":\"02\",\"values\":{\"duty\":7200");
    town_free(t);
}

/* ---- any order, any number of times ---- */

#define EVENTS 40
struct fact {
    const char *id, *data;
    int64_t at_us;
};

static void make_facts(struct town *t, struct rng *rng, struct fact *facts) {
    static const char *const zones[] = {"", "\"zone\":\"harbour\",",
                                        "\"zone\":\"=cmd|'/C calc'!A0\","};
    for (int i = 0; i < EVENTS; i++) {
        int64_t at_us = t->h->now_us - (int64_t)rng_below(rng, 72) * HOUR_US;
        char at[TIMESTAMP_TEXT_MAX], since[TIMESTAMP_TEXT_MAX];
        timestamp_format(at_us, at);
        timestamp_format(at_us - (int64_t)(1 + rng_below(rng, 30000)) * US_PER_S, since);
        const char *house =
            format(t, "{\"at\":\"%s\",%s\"delivered\":%d,\"revenue\":%d,\"earnings\":%d}", at,
                   zones[rng_below(rng, 3)], (int)rng_below(rng, 3),
                   (int)rng_below(rng, 9000) - 3000, (int)rng_below(rng, 5000));
        const char *driver = format(t,
                                    "{\"at\":\"%s\",\"driver_id\":\"drv_%s\",\"since\":\"%s\","
                                    "\"busy_s\":%d,\"delivered\":1}",
                                    at, (rng_below(rng, 2) ? t->driver : t->driver2).user_id.p + 4,
                                    since, (int)rng_below(rng, 30000));
        facts[i] = (struct fact){house_id(t->h, "evt").p,
                                 format(t, "{\"vehicle\":\"%s\",\"figures\":[%s,%s]}",
                                        rng_below(rng, 2) ? "van" : "car", house, driver),
                                 at_us};
    }
}

static const char *all_reports(struct town *t) {
    static const char *const asked[] = {
        "revenue?by=day",   "revenue?by=zone",     "bookings?by=hour",
        "revenue?by=class", "utilisation?by=hour", "earnings?by=driver&compare=previous"};
    const char *all = "";
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        struct house_answer a = report(t, asked[i]);
        assert_int_equal(a.status, 200);
        all = format(t, "%s%.*s\n", all, STR_ARG(a.body));
    }
    return all;
}

static void test_any_order(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct town *once = town_new(seed), *often = town_new(seed);
        struct fact facts[EVENTS];
        struct rng rng;
        rng_seed(&rng, seed);
        make_facts(once, &rng, facts);
        for (int i = 0; i < EVENTS; i++)
            put_event(once, facts[i].id, EV_BOOKING_COUNTED, facts[i].at_us, facts[i].data);
        int order[3 * EVENTS];
        for (int i = 0; i < 3 * EVENTS; i++)
            order[i] = i % EVENTS;
        for (int i = 3 * EVENTS - 1; i > 0; i--) {
            int k = (int)rng_below(&rng, (uint64_t)i + 1), was = order[i];
            order[i] = order[k];
            order[k] = was;
        }
        for (int i = 0; i < 3 * EVENTS; i++) {
            const struct fact *f = &facts[order[i]];
            put_event(often, f->id, EV_BOOKING_COUNTED, f->at_us, f->data);
            if (rng_below(&rng, 20) == 0)
                town_reopen(often, 0);
        }
        if (strcmp(all_reports(once), all_reports(often)) != 0)
            fail_msg("seed %d: %s\nbut\n%s", (int)seed, all_reports(once), all_reports(often));
        town_free(once);
        town_free(often);
    }
}

static void test_csv(void **unused) {
    (void)unused;
    struct town *t = town_new(5);
    set_tariff(t, "UTC", "");
    put_event(t, house_id(t->h, "evt").p, EV_BOOKING_COUNTED, t->h->now_us,
              "{\"vehicle\":\"van\",\"figures\":["
              "{\"at\":\"2026-11-23T09:00:00Z\",\"zone\":\"=1+1\",\"revenue\":-5},"
              "{\"at\":\"2026-11-23T09:00:00Z\",\"zone\":\"a \\\"b\\\", c\",\"revenue\":7},"
              "{\"at\":\"2026-11-22T09:00:00Z\",\"zone\":\"@x\",\"revenue\":1}]}");
    struct house_answer a =
        report(t, "revenue?from=2026-11-23&to=2026-11-23&by=zone&format=csv&compare=previous");
    assert_int_equal(a.status, 200);
    assert_string_equal(a.response.content_type, "text/csv; charset=utf-8; header=present");
    assert_string_equal(header_of(t, a, "Content-Disposition"),
                        "attachment; filename=\"revenue-2026-11-23-2026-11-23.csv\"");
    assert_string_equal(
        format(t, "%.*s", STR_ARG(a.body)),
        "zone,delivered,revenue,fees,tax,earnings,commission,previous_delivered,previous_revenue,"
        "previous_fees,previous_tax,previous_earnings,previous_commission\r\n"
        "\"'=1+1\",0,-5,0,0,0,0,0,0,0,0,0,0\r\n"
        "\"'@x\",0,0,0,0,0,0,0,1,0,0,0,0\r\n"
        "\"a \"\"b\"\", c\",0,7,0,0,0,0,0,0,0,0,0,0\r\n");
    town_free(t);
}

static void test_bad_input(void **unused) {
    (void)unused;
    static const char *const bad[] = {
        "bookings?from=yesterday",
        "bookings?from=2026-02-30",
        "bookings?from=2026-11-24&to=2026-11-23",
        "bookings?from=2025-01-01&to=2026-11-23",
        "bookings?from=1969-12-31&to=1969-12-31",
        "bookings?by=colour",
        "bookings?compare=next",
        "bookings?format=xml",
        "utilisation?by=zone",
        "earnings?by=zone",
        "bookings?from=",
    };
    static const char *const unsound[] = {
        "{}",
        "{\"vehicle\":\"van\"}",
        "{\"vehicle\":\"van\",\"figures\":[{}]}",
        "{\"vehicle\":\"van\",\"figures\":[{\"at\":\"2026-11-23T09:00:00Z\",\"revenue\":"
        "9000000000000000000}]}",
        "{\"figures\":[{\"at\":\"2026-11-23T09:00:00Z\",\"revenue\":9}]}",
        "{\"vehicle\":\"van\",\"figures\":[{\"at\":\"2026-11-23T09:00:00Z\",\"since\":"
        "\"2026-11-24T09:00:00Z\",\"busy_s\":9,\"driver_id\":\"drv_01ARZ3NDEKTSV4RRFFQ69G5FAV\"}]}",
    };
    struct town *t = town_new(6);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (report(t, bad[i]).status != 422)
            fail_msg("%s: %d", bad[i], report(t, bad[i]).status);
    }
    assert_int_equal(report(t, "weather").status, 404);
    assert_int_equal(ask(t, t->customer, "GET", "/v1/reports/bookings", NULL).status, 403);
    assert_int_equal(ask(t, t->driver, "GET", "/v1/reports/bookings", NULL).status, 403);
    for (size_t i = 0; i < COUNT_OF(unsound); i++)
        put_event(t, house_id(t->h, "evt").p, EV_BOOKING_COUNTED, t->h->now_us, unsound[i]);
    says(report(t, "revenue?by=zone"), "\"items\":[]");
    says(report(t, "utilisation?by=driver"), "\"items\":[]");
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures), cmocka_unit_test(test_late),
        cmocka_unit_test(test_clock),   cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_csv),     cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
