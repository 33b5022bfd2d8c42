/* Recurrences through the routes: what is booked when, once whatever fails; what is held, skipped,
 * paused, changed and ended; and what nobody should ask for. */
#include "services/booking/recurrence.h"
#include "services/booking/standing.h"
#include "services/booking/test_town.h"

#define PATH "/v1/recurrences"
#define HOUR_US (3600 * US_PER_S)
#define TRIP TWO_STOPS ",\"vehicle\":\"van\""
#define WORKDAYS "\"weekdays\":[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\"]"
#define DAILY "\"weekdays\":[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\",\"sat\",\"sun\"]"
#define AFTERNOON "\"pickup\":{\"from\":\"14:00\",\"to\":\"16:00\"}"

/* A van costs BASE; the house stands at 2026-11-23T10:00:00Z, a Monday, 11:00 on its clock. */
static void set_tariff(struct town *t, const char *vehicle, int base) {
    struct house_answer a =
        ask(t, house_who(t->h, ROLE_ADMIN, NULL), "PUT", "/v1/tariffs",
            format(t,
                   "{\"currency\":\"SEK\",\"timezone\":\"Europe/Stockholm\",\"items\":[{"
                   "\"vehicle\":\"%s\",\"base\":%d,\"per_km\":0,\"per_minute\":0,\"minimum\":0}]}",
                   vehicle, base));
    assert_int_equal(a.status, 200);
    house_advance(t->h, US_PER_S);
}

static struct town *town(uint64_t seed) {
    struct town *t = town_new(seed);
    set_tariff(t, "van", 10000);
    return t;
}

static struct house_answer get(struct town *t, const char *id) {
    return ask(t, t->customer, "GET", format(t, PATH "/%s", id), NULL);
}

static struct house_answer post(struct town *t, const char *id, const char *what,
                                const char *body) {
    return ask(t, t->customer, "POST", format(t, PATH "/%s/%s", id, what), body);
}

/* Made, and what was due seen to. */
static const char *made(struct town *t, const char *when) {
    struct house_answer a = ask(t, t->customer, "POST", PATH, format(t, "%s,%s}", TRIP, when));
    if (a.status != 201)
        fail_msg("%.*s", STR_ARG(a.body));
    house_advance(t->h, 2 * US_PER_S);
    return member(t, a, "id");
}

static int count(struct house_answer a, const char *text) {
    int found = 0;
    for (struct str rest = a.body; rest.len > 0; rest = str_sub(rest, 1, rest.len))
        found += str_starts(rest, text);
    return found;
}

static int bookings(struct town *t) {
    return count(ask(t, t->customer, "GET", "/v1/bookings?limit=200", NULL), "\"tracking_token\":");
}

/* How many of its occurrences are in STATE. */
static int in(struct town *t, const char *id, const char *state) {
    return count(get(t, id), format(t, "\",\"state\":\"%s\",\"from\"", state));
}

/* Straight there, without the seconds between. */
static void jump(struct town *t, int64_t by_us) {
    t->h->now_us += by_us;
    house_settle(t->h);
}

static void advance(struct town *t, int hours) {
    for (int i = 0; i < hours; i++) {
        jump(t, HOUR_US - 2 * US_PER_S);
        house_advance(t->h, 2 * US_PER_S);
    }
}

/* ---- what is sound ---- */

static void test_booked_ahead(void **unused) {
    (void)unused;
    struct town *t = town(1);
    const char *id = made(t, "\"name\":\"Bread\",\"notes\":\"ring twice\"," WORKDAYS "," AFTERNOON);
    struct house_answer a = get(t, id);
    assert_true(has(a, "\"state\":\"active\"") && has(a, "\"name\":\"Bread\"") &&
                has(a, "\"starts_on\":\"2026-11-23\"") && has(a, "\"ends_on\":null") &&
                has(a, "\"next_on\":\"2026-11-30\"") &&
                has(a, "\"next_at\":\"2026-11-23T13:00:00Z\"") && has(a, "\"total\":10000"));
    assert_int_equal(in(t, id, "booked"), 5);
    assert_int_equal(bookings(t), 5);
    struct house_answer b =
        ask(t, t->customer, "GET", format(t, "/v1/bookings/%s", member(t, a, "booking_id")), NULL);
    assert_true(has(b, "\"state\":\"scheduled\"") && has(b, "ring twice") &&
                has(b, format(t, "\"made_by\":\"%s\"", id)) &&
                has(b, "\"from\":\"2026-11-23T13:00:00Z\",\"to\":\"2026-11-23T15:00:00Z\""));
    advance(t, 2);
    assert_int_equal(bookings(t), 5);
    advance(t, 1); /* seven days before the next */
    assert_int_equal(bookings(t), 6);
    advance(t, 24 * 14);
    assert_int_equal(bookings(t), 16);
    assert_int_equal(in(t, id, "booked"), 16);
    town_free(t);
}

static void test_who_may(void **unused) {
    (void)unused;
    struct town *t = town(2);
    const char *id = made(t, WORKDAYS "," AFTERNOON), *at = format(t, PATH "/%s", id);
    assert_int_equal(ask(t, t->other, "GET", at, NULL).status, 404);
    assert_int_equal(ask(t, t->other, "PATCH", at, "{\"paused\":true}").status, 404);
    assert_int_equal(ask(t, t->other, "DELETE", at, NULL).status, 404);
    assert_int_equal(
        ask(t, t->other, "POST", format(t, "%s/skip", at), "{\"date\":\"2026-12-07\"}").status,
        404);
    assert_int_equal(
        ask(t, t->other, "POST", format(t, "%s/book", at), "{\"date\":\"2026-11-23\"}").status,
        404);
    assert_false(has(ask(t, t->other, "GET", PATH, NULL), id));
    assert_int_equal(ask(t, t->driver, "GET", PATH, NULL).status, 403);
    assert_true(has(ask(t, t->customer, "GET", PATH, NULL), id));
    assert_true(has(ask(t, t->staff, "GET", PATH, NULL), id));
    assert_int_equal(ask(t, t->staff, "PATCH", at, "{\"paused\":true}").status, 200);
    assert_true(has(get(t, id), "\"state\":\"paused\""));
    town_free(t);
}

static void test_ends_by_itself(void **unused) {
    (void)unused;
    struct town *t = town(3);
    const char *id =
        made(t, "\"times\":3,\"every_weeks\":2,\"weekdays\":[\"wed\",\"mon\"]," AFTERNOON);
    assert_true(has(get(t, id), "\"ends_on\":\"2026-12-07\""));
    assert_int_equal(bookings(t), 2);
    advance(t, 24 * 13);
    assert_int_equal(bookings(t), 3);
    assert_true(has(get(t, id), "\"state\":\"active\"") && has(get(t, id), "\"next_on\":null"));
    advance(t, 24 * 2);
    assert_true(has(get(t, id), "\"state\":\"ended\"") && !has(get(t, id), "\"ended_at\":null"));
    assert_int_equal(bookings(t), 3);
    assert_int_equal(ask(t, t->customer, "PATCH", format(t, PATH "/%s", id), "{}").status, 409);
    advance(t, 24 * 31);
    assert_int_equal(get(t, id).status, 404);
    town_free(t);
}

/* ---- once ---- */

/* The process goes again and again while the days are booked. */
static void test_crashes(void **unused) {
    (void)unused;
    for (uint64_t seed = 10; seed < 16; seed++) {
        struct town *t = town(seed);
        struct house_answer a = ask(t, t->customer, "POST", PATH, TRIP "," DAILY "," AFTERNOON "}");
        const char *id = member(t, a, "id");
        for (int i = 0; i < 40; i++) {
            house_advance(t->h, (int64_t)(1 + 700 * (seed - 9) + 331 * (uint64_t)i));
            town_reopen(t, 0);
        }
        for (int i = 0; i < 20; i++) { /* and away for days */
            jump(t, (int64_t)(seed - 8) * 5 * HOUR_US + i);
            town_reopen(t, 0);
        }
        house_advance(t->h, 2 * US_PER_S);
        assert_int_equal(in(t, id, "failed"), 0);
        assert_int_equal(in(t, id, "booked"), bookings(t));
        assert_true(bookings(t) > 7);
        town_free(t);
    }
}

/* Away for longer than it books ahead: what has gone by is told, the rest is booked. */
static void test_away(void **unused) {
    (void)unused;
    struct town *t = town(4);
    const char *id = made(t, DAILY "," AFTERNOON);
    assert_int_equal(bookings(t), 7);
    house_crash(t->h);
    t->h->now_us += 20 * US_PER_DAY;
    booking_service_free(t->service);
    open_town(t);
    house_advance(t->h, 20 * US_PER_S);
    assert_int_equal(in(t, id, "failed"), 13);
    assert_int_equal(in(t, id, "booked"), 14);
    assert_true(has(get(t, id), "\"reason\":\"too_late\""));
    town_free(t);
}

static void test_same_key(void **unused) {
    (void)unused;
    struct town *t = town(5);
    for (int i = 0; i < 3; i++) {
        struct house_request r = {.method = "POST",
                                  .path = PATH,
                                  .body = TRIP "," WORKDAYS "," AFTERNOON "}",
                                  .who = t->customer,
                                  .headers = {{STR("idempotency-key"), STR("k")}}};
        assert_int_equal(house_call(t->h, &r).status, 201);
        house_advance(t->h, 2 * US_PER_S);
    }
    assert_int_equal(bookings(t), 5);
    town_free(t);
}

/* Asked again after midnight, with the same key, he is answered as he was, though that day has gone
 * by. */
static void test_same_key_next_day(void **unused) {
    (void)unused;
    struct town *t = town(18);
    struct house_request r = {.method = "POST",
                              .path = PATH,
                              .body = TRIP "," WORKDAYS "," AFTERNOON
                                           ",\"starts_on\":\"2026-11-23\",\"times\":1}",
                              .who = t->customer,
                              .headers = {{STR("idempotency-key"), STR("k")}}};
    struct house_answer first = house_call(t->h, &r);
    assert_int_equal(first.status, 201);
    advance(t, 14);
    struct house_answer again = house_call(t->h, &r);
    assert_true(again.status == 201 && str_eq(again.body, first.body));
    r.headers[0].value = STR("another");
    again = house_call(t->h, &r);
    assert_true(again.status == 422 && has(again, "\"pointer\":\"/starts_on\""));
    town_free(t);
}

/* What the office changes of somebody else's is noted, from what to what; of the customer and his
 * places nothing. What is not known is refused, so that nobody thinks it counts. */
static void test_noted(void **unused) {
    (void)unused;
    struct town *t = town(19);
    const char *id = made(t, WORKDAYS "," AFTERNOON), *at = format(t, PATH "/%s", id);
    assert_int_equal(ask(t, t->customer, "PATCH", at, "{\"price_max\":30000}").status, 200);
    house_settle(t->h);
    assert_null(strstr(t->note, "recurrence."));
    assert_int_equal(
        ask(t, t->staff, "PATCH", at,
            "{\"price_max\":20000,\"stops\":[{\"lat\":57.7,\"lng\":11.97,\"address\":"
            "\"Secret 1\"},{\"lat\":57.71,\"lng\":11.98},{\"lat\":57.7,\"lng\":11.99}]}")
            .status,
        200);
    house_settle(t->h);
    assert_non_null(strstr(t->note, "recurrence.changed"));
    assert_non_null(strstr(t->note, "30000"));
    assert_non_null(strstr(t->note, "20000"));
    assert_non_null(strstr(t->note, "\"stops\":2"));
    assert_non_null(strstr(t->note, "\"stops\":3"));
    assert_null(strstr(t->note, "Secret"));
    assert_int_equal(ask(t, t->staff, "DELETE", at, NULL).status, 204);
    house_settle(t->h);
    assert_non_null(strstr(t->note, "\"ended\""));
    struct house_answer a =
        ask(t, t->customer, "POST", PATH,
            "{\"stops\":[{\"lat\":57.7089,\"lng\":11.9746},{\"lat\":57.6969,\"lng\":11.9865,"
            "\"collect\":{\"amount\":500}}],\"vehicle\":\"van\"," WORKDAYS "," AFTERNOON "}");
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/stops/1/collect\""));
    town_free(t);
}

/* ---- held ---- */

static void test_held(void **unused) {
    (void)unused;
    struct town *t = town(6);
    const char *id = made(t, "\"price_max\":9999," WORKDAYS "," AFTERNOON);
    assert_int_equal(in(t, id, "held"), 5);
    assert_int_equal(bookings(t), 0);
    struct house_answer a = get(t, id);
    assert_true(has(a, "\"reason\":\"too_dear\"") && has(a, "\"total\":10000") &&
                has(a, "\"currency\":\"SEK\""));
    a = post(t, id, "book", "{\"date\":\"2026-11-25\"}"); /* as before */
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/price-changed") && has(a, "\"total\":10000"));
    assert_int_equal(post(t, id, "book", "{\"date\":\"2026-11-25\",\"total\":9999}").status, 409);
    for (int i = 0; i < 3; i++) {
        a = post(t, id, "book", "{\"date\":\"2026-11-25\",\"total\":10000}");
        assert_int_equal(a.status, 200);
        house_advance(t->h, US_PER_S);
    }
    assert_int_equal(bookings(t), 1);
    assert_int_equal(in(t, id, "booked"), 1);
    /* one that nobody wants; and one that is looked at again, by what is allowed now */
    assert_int_equal(post(t, id, "skip", "{\"date\":\"2026-11-26\"}").status, 200);
    assert_int_equal(in(t, id, "skipped"), 1);
    a = ask(t, t->customer, "PATCH", format(t, PATH "/%s", id), "{\"price_max\":0}");
    assert_true(a.status == 200 && has(a, "\"price_max\":null"));
    assert_int_equal(post(t, id, "unskip", "{\"date\":\"2026-11-26\"}").status, 200);
    house_advance(t->h, 2 * US_PER_S);
    assert_int_equal(bookings(t), 2);
    /* nobody answers: its time goes by */
    assert_int_equal(in(t, id, "held"), 3);
    advance(t, 4);
    assert_int_equal(in(t, id, "held"), 2);
    assert_int_equal(in(t, id, "failed"), 1);
    assert_int_equal(bookings(t), 3); /* that of the 30th */
    assert_int_equal(post(t, id, "book", "{\"date\":\"2026-11-23\",\"total\":99999}").status, 409);
    assert_int_equal(bookings(t), 3);
    town_free(t);
}

/* Also where no further day is to come: whoever is silent has said no when the day's time has come,
 * not when the last one's has. */
static void test_held_to_the_end(void **unused) {
    (void)unused;
    struct town *t = town(9);
    const char *id = made(t, "\"price_max\":1,\"times\":3," DAILY "," AFTERNOON);
    assert_int_equal(in(t, id, "held"), 3);
    advance(t, 4);
    assert_int_equal(in(t, id, "held"), 2);
    assert_int_equal(in(t, id, "failed"), 1);
    advance(t, 24);
    assert_int_equal(in(t, id, "held"), 1);
    assert_true(has(get(t, id), "\"state\":\"active\""));
    advance(t, 24);
    assert_int_equal(in(t, id, "failed"), 3);
    assert_true(has(get(t, id), "\"state\":\"ended\""));
    town_free(t);
}

/* ---- what fails ---- */

static void set_area(struct town *t, const char *west) {
    struct house_answer a =
        ask(t, house_who(t->h, ROLE_ADMIN, NULL), "PUT", "/v1/service-area",
            format(t,
                   "{\"area\":{\"type\":\"MultiPolygon\",\"coordinates\":[[[[%s,57.6],[12.2,57.6],"
                   "[12.2,57.8],[%s,57.8],[%s,57.6]]]]}}",
                   west, west, west));
    assert_int_equal(a.status, 200);
    house_advance(t->h, US_PER_S);
}

/* The area is made smaller, and larger again. */
static void test_outside(void **unused) {
    (void)unused;
    struct town *t = town(10);
    const char *id = made(t, DAILY "," AFTERNOON);
    set_area(t, "11.98"); /* the first stop lies outside */
    advance(t, 24);
    assert_int_equal(in(t, id, "failed"), 1);
    assert_true(
        has(get(t, id), "\"reason\":\"outside_area\",\"errors\":[{\"pointer\":\"/stops/0\""));
    set_area(t, "11.8");
    advance(t, 24);
    assert_int_equal(in(t, id, "failed"), 1);
    assert_int_equal(bookings(t), 8);
    /* a trip that could not be booked is refused, and nothing is changed */
    struct house_answer a = ask(t, t->customer, "PATCH", format(t, PATH "/%s", id),
                                "{\"name\":\"far\",\"stops\":[{\"lat\":1,\"lng\":1},"
                                "{\"lat\":57.6969,\"lng\":11.98}]}");
    assert_true(a.status == 422 && has(a, "\"/stops/0\""));
    assert_true(has(get(t, id), "\"name\":null"));
    town_free(t);
}

/* On 28 March 2027 the clock is put forward: the time on the wall stays, and half past two is half
 * past three, for there is no other. */
static void test_clock(void **unused) {
    (void)unused;
    struct town *t = town(11);
    made(t, DAILY "," AFTERNOON ",\"starts_on\":\"2027-03-27\",\"times\":2");
    made(t, DAILY ",\"pickup\":{\"from\":\"02:30\",\"to\":\"04:00\"},\"starts_on\":\"2027-03-28\","
                  "\"times\":1");
    for (int i = 0; i < 123; i++)
        jump(t, US_PER_DAY);
    house_advance(t->h, 2 * US_PER_S);
    struct house_answer a = ask(t, t->customer, "GET", "/v1/bookings", NULL);
    assert_int_equal(bookings(t), 3);
    assert_true(has(a, "\"pickup_window\":{\"from\":\"2027-03-27T13:00:00Z\"") &&
                has(a, "\"pickup_window\":{\"from\":\"2027-03-28T12:00:00Z\"") &&
                has(a, "\"pickup_window\":{\"from\":\"2027-03-28T01:30:00Z\""));
    town_free(t);
}

/* As many days ahead as can be set, for a quarter of a year: what is kept stays bounded, and
 * nothing is lost for it. */
static void test_long(void **unused) {
    (void)unused;
    struct town *t = town_new(12);
    t->options.recurrence_days = RECURRENCE_DAYS_MAX;
    town_reopen(t, 1000);
    set_tariff(t, "van", 100);
    const char *id = made(t, DAILY "," AFTERNOON);
    house_advance(t->h, 5 * US_PER_S);
    assert_int_equal(bookings(t), RECURRENCE_DAYS_MAX);
    for (int i = 0; i < 90; i++) {
        jump(t, US_PER_DAY);
        house_advance(t->h, US_PER_S);
    }
    assert_int_equal(bookings(t), RECURRENCE_DAYS_MAX + 90);
    assert_int_equal(in(t, id, "booked"), OCCURRENCES_MAX);
    town_free(t);
}

/* What another service says of KEY at AT_US. */
static void heard(struct town *t, const char *type, struct str key, int64_t at_us,
                  const struct schema *schema, const void *data) {
    struct event e = {.id = house_id(t->h, "evt"),
                      .type = str_from(type),
                      .key = key,
                      .at_us = at_us,
                      .data = schema_text(schema, data, S_STORE, &t->h->arena)};
    assert_int_equal(t->h->bus->ops->publish(t->h->bus, &e, confirmed, NULL), 0);
    house_settle(t->h);
}

static void disable(struct town *t, bool disabled, int64_t at_us) {
    struct ev_account said = {.user_id = t->customer.user_id,
                              .name = STR("Asha"),
                              .email = STR("asha@example.com"),
                              .role = ROLE_CUSTOMER,
                              .disabled = disabled};
    heard(t, EV_ACCOUNT_CHANGED, said.user_id, at_us, &ev_account_schema, &said);
}

/* What recurs of an account that is disabled stops, says why, and goes on when its customer says
 * so: not when the account is enabled, and not when the office says it. */
static void test_disabled(void **unused) {
    (void)unused;
    struct town *t = town(14);
    const char *id = made(t, DAILY "," AFTERNOON), *at = format(t, PATH "/%s", id);
    const char *own = made(t, DAILY "," AFTERNOON);
    assert_int_equal(
        ask(t, t->customer, "PATCH", format(t, PATH "/%s", own), "{\"paused\":true}").status, 200);
    int before = bookings(t);
    assert_true(has(get(t, id), "\"paused_reason\":null"));
    disable(t, true, t->h->now_us);
    assert_true(has(get(t, id), "\"state\":\"paused\",\"paused_reason\":\"account_disabled\"") &&
                has(get(t, id), "\"next_at\":null"));
    assert_true(has(get(t, own), "\"state\":\"paused\",\"paused_reason\":null"));
    advance(t, 24 * 2);
    assert_int_equal(bookings(t), before);
    struct house_answer a = ask(t, t->staff, "PATCH", at, "{\"paused\":false}");
    assert_true(a.status == 409 && has(a, "/problems/illegal-transition"));
    disable(t, true, t->h->now_us); /* said once more: of something else */
    disable(t, false, t->h->now_us);
    advance(t, 24);
    assert_true(has(get(t, id), "account_disabled"));
    assert_int_equal(bookings(t), before);
    assert_int_equal(ask(t, t->staff, "PATCH", at, "{\"name\":\"Bread\"}").status, 200);
    assert_true(has(get(t, id), "account_disabled"));
    a = ask(t, t->customer, "PATCH", at, "{\"paused\":false}");
    assert_true(a.status == 200 && has(a, "\"state\":\"active\",\"paused_reason\":null"));
    house_advance(t->h, 2 * US_PER_S);
    assert_int_equal(bookings(t), before + 3);
    disable(t, true, t->h->now_us - US_PER_DAY); /* told late: he has said since that it goes on */
    advance(t, 24);
    assert_int_equal(bookings(t), before + 4);
    assert_true(has(get(t, id), "\"state\":\"active\""));
    town_free(t);
}

static bool is_kept(struct town *t) {
    struct store_doc doc;
    struct store *store = memory_disk_open(t->h->disk, false, NULL);
    int err = store->ops->get(store, &disabled_collection, t->customer.user_id, &t->h->arena, &doc);
    store->ops->close(store);
    return err == 0;
}

/* Replicas compete for the news, so what is older may come later; and what was never heard may lie
 * between two. */
static void test_disabled_out_of_order(void **unused) {
    (void)unused;
    struct town *t = town(16);
    const char *id = made(t, DAILY "," AFTERNOON), *at = format(t, PATH "/%s", id);
    house_advance(t->h, 10 * US_PER_S);
    disable(t, false, t->h->now_us);
    disable(t, true, t->h->now_us - US_PER_S);
    assert_true(has(get(t, id), "\"state\":\"active\""));
    house_advance(t->h, 10 * US_PER_S);
    disable(t, true, t->h->now_us);
    assert_true(has(get(t, id), "account_disabled"));
    house_advance(t->h, 10 * US_PER_S);
    struct house_answer a = ask(t, t->customer, "PATCH", at, "{\"paused\":false}");
    assert_true(a.status == 200 && has(a, "\"state\":\"active\"")); /* he was enabled */
    house_advance(t->h, 10 * US_PER_S);
    disable(t, true, t->h->now_us);
    assert_true(has(get(t, id), "account_disabled"));
    disable(t, false, t->h->now_us - US_PER_S);
    house_advance(t->h, 8 * US_PER_DAY);
    assert_true(is_kept(t));
    disable(t, false, t->h->now_us);
    assert_true(is_kept(t));
    house_advance(t->h, 8 * US_PER_DAY);
    assert_false(is_kept(t));
    town_free(t);
}

/* One that was being made when its account was disabled stops itself, before it books a day. */
static void test_disabled_meanwhile(void **unused) {
    (void)unused;
    struct town *t = town(15);
    disable(t, true, t->h->now_us + US_PER_S);
    const char *id = made(t, DAILY "," AFTERNOON);
    assert_true(has(get(t, id), "account_disabled"));
    assert_int_equal(bookings(t), 0);
    town_free(t);
}

static int cancelled(struct town *t) {
    return count(ask(t, t->staff, "GET", "/v1/bookings?state=cancelled&limit=200", NULL),
                 "\"tracking_token\":");
}

/* Nothing is made of what was ordered for somebody who is erased meanwhile; and what was made in
 * that moment is cancelled, and says nothing of him. */
static void test_erased_meanwhile(void **unused) {
    (void)unused;
    struct town *t = town(16);
    struct ev_erased gone = {.user_id = t->customer.user_id};
    struct str made_by = house_id(t->h, "rec");
    struct contact bo = {STR("Bo Berg"), STR("+46701234567")};
    struct order_stop stops[] = {{{577089000, 119746000, STR("Gate 1")}, &bo},
                                 {{576969000, 119865000, STR_NONE}, NULL}};
    struct window w = {t->h->now_us + US_PER_DAY, t->h->now_us + US_PER_DAY + HOUR_US};
    struct order o = {.stops = stops, .stop_count = 2, .vehicle = VEHICLE_VAN, .pickup_window = &w};
    struct field_errors errors = {0};
    struct quote_set *set = order_price(
        t->service, &o, &(struct order_owner){t->customer.user_id, ROLE_CUSTOMER, made_by},
        t->h->now_us, &t->h->arena, &errors);
    assert_non_null(set);
    for (int64_t day = 1; day <= 2; day++) { /* one is there before him, one comes after */
        struct str id = order_booking_id(made_by, day, t->h->now_us, &t->h->arena);
        heard(t, EV_BOOKING_ORDERED, id, t->h->now_us, &quote_set_schema, set);
        heard(t, EV_ACCOUNT_ERASED, gone.user_id, t->h->now_us, &ev_erased_schema, &gone);
        house_advance(t->h, 10 * US_PER_S);
        assert_int_equal(bookings(t), 1);
        assert_int_equal(cancelled(t), 1);
    }
    assert_false(has(ask(t, t->staff, "GET", "/v1/bookings", NULL), "Bo Berg"));
    town_free(t);
}

/* More than one document orders at once, and each thinks that there is room: what is too many is
 * made as cancelled, says why, and is nobody's to drive. */
static void test_ordered_at_once(void **unused) {
    (void)unused;
    struct town *t = town_new(17);
    town_reopen(t, 10);
    set_tariff(t, "van", 100);
    struct house_answer a[3] = {0};
    const char *body = TRIP "," DAILY "," AFTERNOON "}";
    for (int i = 0; i < 3; i++)
        house_begin(t->h,
                    &(struct house_request){
                        .method = "POST", .path = PATH, .body = body, .who = t->customer},
                    &a[i]);
    house_advance(t->h, 5 * US_PER_S);
    int all = 0;
    for (int i = 0; i < 3; i++)
        all += in(t, member(t, a[i], "id"), "booked");
    assert_int_equal(all, bookings(t));
    struct house_answer open =
        ask(t, t->customer, "GET", "/v1/bookings?state=active&limit=200", NULL);
    assert_int_equal(count(open, "\"tracking_token\":"), 10);
    assert_int_equal(cancelled(t), all - 10);
    assert_true(all > 10); /* else nothing was at stake here */
    assert_true(has(ask(t, t->customer, "GET", "/v1/bookings?state=cancelled", NULL),
                    "as many as an account may have"));
    town_free(t);
}

/* Who is erased has no recurrences, and nothing is booked for him any more. */
static void test_erased(void **unused) {
    (void)unused;
    struct town *t = town(13);
    const char *id = made(t, DAILY "," AFTERNOON);
    struct ev_erased said = {.user_id = t->customer.user_id};
    heard(t, EV_ACCOUNT_ERASED, said.user_id, t->h->now_us, &ev_erased_schema, &said);
    house_advance(t->h, 10 * US_PER_S);
    assert_int_equal(ask(t, t->staff, "GET", format(t, PATH "/%s", id), NULL).status, 404);
    int before = bookings(t);
    advance(t, 24 * 2);
    assert_int_equal(bookings(t), before);
    assert_int_equal(cancelled(t), before); /* nobody is there to whom they could go */
    town_free(t);
}

static void test_one_fails(void **unused) {
    (void)unused;
    struct town *t = town(7);
    const char *id = made(t, DAILY "," AFTERNOON);
    assert_int_equal(bookings(t), 7);
    set_tariff(t, "truck", 1);
    advance(t, 24);
    assert_int_equal(in(t, id, "failed"), 1);
    assert_true(has(get(t, id), "\"reason\":\"no_tariff\""));
    assert_int_equal(post(t, id, "book", "{\"date\":\"2026-11-30\"}").status, 422);
    set_tariff(t, "van", 20000);
    advance(t, 24);
    assert_int_equal(in(t, id, "failed"), 1);
    assert_int_equal(bookings(t), 8);
    assert_true(has(get(t, id), "\"total\":20000")); /* of its time */
    assert_int_equal(post(t, id, "book", "{\"date\":\"2026-11-30\"}").status, 200);
    house_advance(t->h, US_PER_S);
    assert_int_equal(bookings(t), 9);
    assert_int_equal(in(t, id, "failed"), 0);
    assert_true(has(get(t, id), "\"errors\":[]"));
    town_free(t);
}

static void test_too_many_open(void **unused) {
    (void)unused;
    struct town *t = town_new(8);
    town_reopen(t, 3);
    set_tariff(t, "van", 100);
    const char *id = made(t, DAILY "," AFTERNOON);
    assert_int_equal(in(t, id, "booked"), 3);
    assert_int_equal(in(t, id, "failed"), 4);
    assert_true(has(get(t, id), "\"reason\":\"too_many_open\""));
    struct house_answer a = post(t, id, "book", "{\"date\":\"2026-11-29\"}");
    assert_true(a.status == 409 && has(a, "/problems/too-many-open-bookings"));
    assert_int_equal(bookings(t), 3);
    town_free(t);
}

/* ---- people change their minds ---- */

static void test_skip(void **unused) {
    (void)unused;
    struct town *t = town(20);
    const char *id = made(t, DAILY "," AFTERNOON);
    struct house_answer a = post(t, id, "skip", "{\"date\":\"2026-12-01\"}");
    assert_true(a.status == 200 && has(a, "\"skips\":[\"2026-12-01\"]"));
    assert_int_equal(post(t, id, "skip", "{\"date\":\"2026-11-30\"}").status, 200);
    a = post(t, id, "skip", "{\"date\":\"2026-12-01\"}"); /* it is so already */
    assert_true(has(a, "\"skips\":[\"2026-11-30\",\"2026-12-01\"]") &&
                has(a, "\"next_on\":\"2026-12-02\""));
    a = post(t, id, "unskip", "{\"date\":\"2026-11-30\"}");
    assert_true(has(a, "\"skips\":[\"2026-12-01\"]") && has(a, "\"next_on\":\"2026-11-30\""));
    advance(t, 48);
    assert_int_equal(in(t, id, "skipped"), 1);
    assert_int_equal(bookings(t), 8);
    a = post(t, id, "skip", "{\"date\":\"2026-11-30\"}"); /* it is booked */
    assert_true(a.status == 409 && has(a, "\"booking_id\":\"bkg_"));
    assert_int_equal(post(t, id, "skip", "{\"date\":\"2026-11-24\"}").status, 409);
    assert_int_equal(post(t, id, "unskip", "{\"date\":\"2026-12-01\"}").status, 200);
    house_advance(t->h, 2 * US_PER_S);
    assert_int_equal(bookings(t), 9);
    town_free(t);
}

static void test_pause(void **unused) {
    (void)unused;
    struct town *t = town(21);
    const char *id = made(t, DAILY "," AFTERNOON), *at = format(t, PATH "/%s", id);
    assert_int_equal(ask(t, t->customer, "PATCH", at, "{\"paused\":true}").status, 200);
    assert_true(has(get(t, id), "\"next_at\":null"));
    advance(t, 24 * 10);
    assert_int_equal(bookings(t), 7);
    assert_int_equal(ask(t, t->customer, "PATCH", at, "{\"paused\":false}").status, 200);
    house_advance(t->h, 2 * US_PER_S);
    assert_int_equal(bookings(t), 14); /* the days of the pause are not made up for */
    assert_int_equal(in(t, id, "failed"), 0);
    town_free(t);
}

static void test_change(void **unused) {
    (void)unused;
    struct town *t = town(22);
    const char *id = made(t, DAILY "," AFTERNOON), *at = format(t, PATH "/%s", id);
    struct house_answer a = ask(t, t->customer, "PATCH", at,
                                "{\"weekdays\":[\"sat\"],\"pickup\":{\"from\":\"23:00\",\"to\":"
                                "\"01:00\"},\"notes\":\"\",\"times\":2}");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"weekdays\":[\"sat\"]") && has(a, "\"next_on\":\"2026-12-05\"") &&
                has(a, "\"ends_on\":\"2026-12-12\""));
    advance(t, 24 * 7);
    assert_int_equal(bookings(t), 8);
    assert_true(
        has(get(t, id), "\"from\":\"2026-12-05T22:00:00Z\",\"to\":\"2026-12-06T00:00:00Z\""));
    a = ask(t, t->customer, "PATCH", at, "{\"open_ended\":true}");
    assert_true(has(a, "\"ends_on\":null"));
    struct house_request stale = {.method = "PATCH",
                                  .path = at,
                                  .body = "{\"paused\":true}",
                                  .who = t->customer,
                                  .headers = {{STR("if-match"), STR("\"1\"")}}};
    assert_int_equal(house_call(t->h, &stale).status, 412);
    assert_int_equal(ask(t, t->customer, "DELETE", at, NULL).status, 204);
    assert_int_equal(ask(t, t->customer, "DELETE", at, NULL).status, 204);
    a = get(t, id);
    assert_true(has(a, "\"state\":\"ended\"") && has(a, "\"next_on\":null"));
    assert_int_equal(post(t, id, "skip", "{\"date\":\"2026-12-12\"}").status, 409);
    advance(t, 24 * 14);
    assert_int_equal(bookings(t), 8);
    town_free(t);
}

/* ---- bounds, and what is not sound ---- */

static void test_bound(void **unused) {
    (void)unused;
    struct town *t = town(23);
    const char *body = TRIP "," WORKDAYS "," AFTERNOON ",\"starts_on\":\"2027-03-01\"}", *id = NULL;
    for (int i = 0; i < RECURRENCES_MAX; i++) {
        struct house_answer a = ask(t, t->customer, "POST", PATH, body);
        assert_int_equal(a.status, 201);
        id = member(t, a, "id");
    }
    struct house_answer a = ask(t, t->customer, "POST", PATH, body);
    assert_true(a.status == 409 && has(a, "/problems/too-many-recurrences"));
    assert_int_equal(ask(t, t->other, "POST", PATH, body).status, 201);
    assert_int_equal(ask(t, t->customer, "DELETE", format(t, PATH "/%s", id), NULL).status, 204);
    assert_int_equal(ask(t, t->customer, "POST", PATH, body).status, 201);
    town_free(t);
}

/* Those that meet in one batch count each other. */
static void test_bound_at_once(void **unused) {
    (void)unused;
    struct town *t = town(24);
    const char *body = TRIP "," WORKDAYS "," AFTERNOON ",\"starts_on\":\"2027-03-01\"}";
    struct house_answer a[RECURRENCES_MAX + 5] = {0};
    int made = 0;
    for (int i = 0; i < RECURRENCES_MAX + 5; i++)
        house_begin(t->h,
                    &(struct house_request){
                        .method = "POST", .path = PATH, .body = body, .who = t->customer},
                    &a[i]);
    house_settle(t->h);
    for (int i = 0; i < RECURRENCES_MAX + 5; i++)
        made += a[i].status == 201;
    assert_int_equal(made, RECURRENCES_MAX);
    assert_int_equal(ask(t, t->customer, "POST", PATH, body).status, 409);
    town_free(t);
}

static void test_refused(void **unused) {
    (void)unused;
    static const char *const bad[][2] = {
        {"{}", "\"/stops\""},
        {"{}", "\"/weekdays\""},
        {"{}", "\"/pickup\""},
        {TRIP "," AFTERNOON ",\"weekdays\":[]}", "\"/weekdays\""},
        {TRIP "," AFTERNOON ",\"weekdays\":[\"mon\",\"moon\"]}", "\"/weekdays/1\""},
        {TRIP "," AFTERNOON ",\"weekdays\":[\"mon\",\"tue\",\"mon\"]}", "\"/weekdays/2\""},
        {TRIP "," WORKDAYS ",\"pickup\":{\"from\":\"14:00\"}}", "\"/pickup/to\""},
        {TRIP "," WORKDAYS ",\"pickup\":{\"from\":\"24:00\",\"to\":\"9\"}}", "\"/pickup/to\""},
        {TRIP "," WORKDAYS ",\"pickup\":{\"from\":\"24:00\",\"to\":\"10:00\"}}",
         "\"/pickup/from\""},
        {TRIP "," WORKDAYS ",\"pickup\":{\"from\":\"08:00\",\"to\":\"08:14\"}}", "\"/pickup/to\""},
        {TRIP "," WORKDAYS ",\"pickup\":{\"from\":\"08:00\",\"to\":\"08:00\"}}", "\"/pickup/to\""},
        {TRIP "," WORKDAYS ",\"pickup\":{\"from\":\"08:00\",\"to\":\"20:01\"}}", "\"/pickup/to\""},
        {TRIP "," WORKDAYS "," AFTERNOON ",\"every_weeks\":9}", "\"/every_weeks\""},
        {TRIP "," WORKDAYS "," AFTERNOON ",\"every_weeks\":0}", "\"/every_weeks\""},
        {TRIP "," WORKDAYS "," AFTERNOON ",\"starts_on\":\"2026-02-30\"}", "\"/starts_on\""},
        {TRIP "," WORKDAYS "," AFTERNOON ",\"starts_on\":\"2026-11-22\"}", "\"/starts_on\""},
        {TRIP "," WORKDAYS "," AFTERNOON ",\"starts_on\":\"2027-11-25\"}", "\"/starts_on\""},
        {TRIP "," WORKDAYS "," AFTERNOON ",\"ends_on\":\"2026-11-22\"}", "\"/ends_on\""},
        {TRIP ",\"weekdays\":[\"tue\"]," AFTERNOON ",\"ends_on\":\"2026-11-23\"}", "\"/ends_on\""},
        {TRIP "," WORKDAYS "," AFTERNOON ",\"times\":501}", "\"/times\""},
        {TRIP "," WORKDAYS "," AFTERNOON ",\"times\":2,\"ends_on\":\"2026-12-24\"}", "\"/times\""},
        {TRIP "," WORKDAYS "," AFTERNOON ",\"price_max\":-1}", "\"/price_max\""},
        {TRIP "," WORKDAYS "," AFTERNOON ",\"name\":\"\"}", "\"/name\""},
        {TWO_STOPS ",\"vehicle\":\"plane\"," WORKDAYS "," AFTERNOON "}", "\"/vehicle\""},
        {TWO_STOPS ",\"vehicle\":\"truck\"," WORKDAYS "," AFTERNOON "}", "\"/vehicle\""},
        {"{\"vehicle\":\"van\",\"stops\":[{\"lat\":1,\"lng\":91}]," WORKDAYS "," AFTERNOON "}",
         "\"/stops"},
    };
    struct town *t = town(24);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct house_answer a = ask(t, t->customer, "POST", PATH, bad[i][0]);
        if (a.status != 422 || !has(a, bad[i][1]))
            fail_msg("%zu: %d %.*s", i, a.status, STR_ARG(a.body));
    }
    assert_false(has(ask(t, t->customer, "GET", PATH, NULL), "rec_"));
    town_free(t);
}

static void test_refused_changes(void **unused) {
    (void)unused;
    static const char *const bad[][2] = {
        {"{\"weekdays\":[\"Mon\"]}", "\"/weekdays/0\""},
        {"{\"pickup\":{\"from\":\"08:00\",\"to\":\"25:00\"}}", "\"/pickup/to\""},
        {"{\"ends_on\":\"2026-11-01\"}", "\"/ends_on\""},
        {"{\"ends_on\":\"2027-11-01\",\"open_ended\":true}", "\"/open_ended\""},
        {"{\"times\":0}", "\"/times\""},
        {"{\"paused\":\"yes\"}", "\"/paused\""},
        {"{\"vehicle\":\"truck\"}", "\"/vehicle\""},
        {"{\"price_max\":-5}", "\"/price_max\""},
    };
    static const char *const bad_dates[] = {"{}",
                                            "{\"date\":7}",
                                            "{\"date\":\"2026-13-01\"}",
                                            "{\"date\":\"tomorrow\"}",
                                            "{\"date\":\"2026-12-05\"}", /* a Saturday */
                                            "{\"date\":\"2026-11-20\"}" /* gone by */};
    struct town *t = town(25);
    const char *id = made(t, WORKDAYS "," AFTERNOON);
    struct house_answer before = get(t, id), a;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        a = ask(t, t->customer, "PATCH", format(t, PATH "/%s", id), bad[i][0]);
        if (a.status != 422 || !has(a, bad[i][1]))
            fail_msg("%zu: %d %.*s", i, a.status, STR_ARG(a.body));
    }
    for (size_t i = 0; i < COUNT_OF(bad_dates); i++) {
        static const char *const ways[] = {"skip", "unskip", "book"};
        for (size_t w = 0; w < COUNT_OF(ways); w++) {
            a = post(t, id, ways[w], bad_dates[i]);
            if (a.status != 422 || !has(a, "\"/date\""))
                fail_msg("%zu %s: %d %.*s", i, ways[w], a.status, STR_ARG(a.body));
        }
    }
    assert_true(str_eq(before.body, get(t, id).body));
    id = made(t, "\"starts_on\":\"2026-12-10\"," WORKDAYS "," AFTERNOON);
    a = ask(t, t->customer, "PATCH", format(t, PATH "/%s", id), "{\"ends_on\":\"2026-12-09\"}");
    assert_true(a.status == 422 && has(a, "\"/ends_on\""));
    assert_true(has(get(t, id), "\"state\":\"active\""));
    assert_int_equal(post(t, "rec_1", "skip", "{\"date\":\"2026-12-07\"}").status, 404);
    assert_int_equal(get(t, house_id(t->h, "rec").p).status, 404);
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_booked_ahead),
        cmocka_unit_test(test_who_may),
        cmocka_unit_test(test_ends_by_itself),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_away),
        cmocka_unit_test(test_same_key),
        cmocka_unit_test(test_same_key_next_day),
        cmocka_unit_test(test_noted),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_held_to_the_end),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_erased),
        cmocka_unit_test(test_one_fails),
        cmocka_unit_test(test_too_many_open),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_bound_at_once),
        cmocka_unit_test(test_ordered_at_once),
        cmocka_unit_test(test_disabled),
        cmocka_unit_test(test_disabled_meanwhile),
        cmocka_unit_test(test_disabled_out_of_order),
        cmocka_unit_test(test_erased_meanwhile),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
