/* Other stops of a live booking, through the routes: what may be wanted, what it costs, who comes
 * first, and that nothing that is over is touched.
 */
#include "services/booking/ledger.h"
#include "services/booking/stops.h"
#include "services/booking/test_town.h"

#define P0 "{\"lat\":57.70,\"lng\":11.97,\"address\":\"Gate\"}"
#define P1 "{\"lat\":57.71,\"lng\":11.97,\"address\":\"One\"}"
#define P2 "{\"lat\":57.72,\"lng\":11.97,\"address\":\"Two\"}"
#define P3 "{\"lat\":57.73,\"lng\":11.99,\"address\":\"Three\"}"
#define K(n) "{\"index\":" #n "}"
#define WISH(revision, more, ...)                                                                  \
    "{\"stops_revision\":" #revision ",\"stops\":[" __VA_ARGS__ "]" more "}"
#define ANY ",\"total\":100000000"

/* Base 10,000, 1,000 a kilometre, 500 a stop; what cannot be delivered comes back for half. */
static struct town *stops_town(uint64_t seed) {
    struct town *t = town_new(seed);
    struct house_answer a =
        ask(t, house_who(t->h, ROLE_ADMIN, NULL), "PUT", "/v1/tariffs",
            "{\"currency\":\"SEK\",\"items\":[{\"vehicle\":\"van\",\"base\":10000,"
            "\"per_km\":1000,\"per_minute\":0,\"per_stop\":500,\"minimum\":0,"
            "\"waiting_free_minutes\":10,\"waiting_per_minute\":400}],"
            "\"commission_bp\":2000,\"returns\":{\"percent\":50}}");
    assert_int_equal(a.status, 200);
    return t;
}

static struct house_answer quote(struct town *t, const char *stops) {
    struct house_answer q = ask(t, t->customer, "POST", "/v1/quotes",
                                format(t, "{\"vehicle\":\"van\",\"stops\":[%s]}", stops));
    assert_int_equal(q.status, 201);
    return q;
}

/* Gate, One, Two; Two with a PIN. */
static void book_three(struct town *t, const char *payment) {
    struct house_answer q = quote(t, P0 "," P1 "," P2);
    struct house_answer b = ask(t, t->customer, "POST", "/v1/bookings",
                                format(t,
                                       "{\"quote_id\":\"%s\",\"payment\":\"%s\",\"stops\":[{},{},"
                                       "{\"proof\":[\"pin\"],\"contact\":{\"name\":\"Bo\"}}]}",
                                       member(t, q, "id"), payment));
    assert_int_equal(b.status, 201);
    t->booking = member(t, b, "id");
    t->token = member(t, b, "tracking_token");
}

static const struct booking *kept(struct town *t) {
    void *state;
    assert_int_equal(aggregate_get(&booking_aggregate, t->h->worker.reader, t->h->worker.parser,
                                   str_from(t->booking), &t->h->arena, &state),
                     0);
    return state;
}

static int64_t amount_of(struct house_answer a, const char *after, const char *key) {
    const char *at = memmem(a.body.p, a.body.len, after, strlen(after));
    assert_non_null(at);
    at = memmem(at, a.body.len - (size_t)(at - a.body.p), key, strlen(key));
    assert_non_null(at);
    return strtoll(at + strlen(key), NULL, 10);
}

static struct house_answer change(struct town *t, struct identity who, const char *body) {
    return act(t, who, "stops", body);
}
static struct house_answer preview(struct town *t, struct identity who, const char *body) {
    return act(t, who, "stops/preview", body);
}

/* The addresses of the stops as they are kept: "Gate One Two". */
static void way_is(struct town *t, const char *want) {
    const struct booking *b = kept(t);
    struct buf out;
    buf_init(&out, &t->h->arena, 64);
    for (int32_t i = 0; i < b->stop_count; i++)
        buf_printf(&out, "%s%.*s", i > 0 ? " " : "", STR_ARG(b->stops[i].place.address));
    assert_string_equal(arena_cstr(&t->h->arena, buf_str(&out)), want);
}

/* ---- what comes of it ---- */

static void test_other_way(void **unused) {
    (void)unused;
    struct town *t = stops_town(1);
    book_three(t, "invoice");
    take(t, t->driver);
    struct str pin = kept(t)->stops[2].proof->pin;
    int64_t version = kept(t)->head.version, before = kept(t)->price.total;
    int64_t fresh = amount_of(quote(t, P0 "," P3 "," P2 "," P1), "\"quotes\"", "\"total\":");
    t->fleet.on_duty = true;
    struct house_answer a = preview(t, t->customer, WISH(0, "", K(0) "," P3 "," K(2) "," K(1)));
    assert_int_equal(a.status, 200);
    int64_t total = amount_of(a, "\"price\"", "\"total\":");
    assert_int_equal(total, fresh); /* as if it had been quoted so */
    assert_true(total > before);
    assert_int_equal(amount_of(a, "", "\"difference\":"), total - before);
    assert_int_equal(amount_of(a, "", "\"old_total\":"), before);
    assert_true(has(a, "\"was\":null") && has(a, "\"changes_left\":12") &&
                !has(a, "eta_at\":null"));
    assert_int_equal(kept(t)->head.version, version); /* nothing was changed */
    const char *less =
        format(t, WISH(0, ",\"total\":%lld", K(0) "," P3 "," K(2) "," K(1)), (long long)total - 1);
    a = change(t, t->customer, less);
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/price-changed"));
    assert_int_equal(amount_of(a, "\"price\"", "\"total\":"), total);
    a = change(t, t->customer, WISH(0, "", K(0) "," P3 "," K(2) "," K(1)));
    assert_true(a.status == 409 && has(a, "/problems/price-changed"));
    way_is(t, "Gate One Two");
    const char *agreed =
        format(t, WISH(0, ",\"total\":%lld", K(0) "," P3 "," K(2) "," K(1)), (long long)total);
    a = change(t, t->customer, agreed);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"stops_revision\":1") && has(a, "\"state\":\"assigned\""));
    way_is(t, "Gate Three Two One");
    const struct booking *b = kept(t);
    assert_true(b->head.version == version + 1 && b->price.total == total);
    assert_true(str_eq(b->stops[2].proof->pin, pin) && b->stops[1].proof == NULL);
    assert_true(str_is(b->stops[2].contact->name, "Bo"));
    assert_int_equal(b->earning, total * 8 / 10);
    a = ask(t, t->customer, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    assert_true(has(a, "booking.stops_changed") && has(a, "\"from\":[0,null,2,1]"));
    a = ask(t, (struct identity){0}, "GET", format(t, "/v1/track/%s", t->token), NULL);
    assert_true(has(a, "\"lat\":57.73"));
    town_free(t);
}

/* A shorter way that the office agrees to costs less, and the ledger is of the way that was gone.
 */
static void test_paid_as_gone(void **unused) {
    (void)unused;
    struct town *t = stops_town(2);
    book_three(t, "cash");
    take(t, t->driver);
    int64_t before = kept(t)->price.total;
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(
        change(t, t->staff, WISH(0, ",\"reason\":\"as agreed\"", K(0) "," K(1))).status, 200);
    assert_true(kept(t)->price.total < before);
    struct house_answer a =
        change(t, t->customer,
               WISH(1, ANY,
                    K(0) "," K(1) ",{\"lat\":57.73,\"lng\":11.99,\"address\":\"Three\","
                                  "\"collect\":{\"amount\":700}}"));
    assert_int_equal(a.status, 200);
    int64_t total = kept(t)->price.total;
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    assert_int_equal(status(t, "delivered", 1), 200);
    assert_int_equal(status(t, "arrived_dropoff", 2), 200);
    assert_int_equal(status(t, "delivered", 2), 409); /* its cash is not confirmed */
    a = act(t, t->driver, "collection",
            format(t, "{\"stop\":2,\"amount\":%lld}", (long long)total + 700));
    assert_int_equal(a.status, 200);
    assert_int_equal(status(t, "delivered", 2), 200);
    const struct booking *b = kept(t);
    int64_t sum = 0, charged = 0;
    for (int32_t i = 0; i < b->ledger_count; i++) {
        sum += b->ledger[i].amount;
        charged -= b->ledger[i].code == LINE_CHARGE ? b->ledger[i].amount : 0;
    }
    assert_int_equal(sum, 0);
    assert_int_equal(charged, total);
    assert_int_equal(ledger_earned(b), total * 8 / 10);
    assert_int_equal(change(t, t->customer, WISH(2, ANY, K(0) "," K(1) "," K(2))).status, 409);
    town_free(t);
}

/* He was paid at what was the last stop, and for waiting there, which is in the price only once he
 * leaves: until then nothing is due at the new one, and never less than that. */
static void test_paid_before(void **unused) {
    (void)unused;
    struct town *t = stops_town(16);
    book_three(t, "cash");
    take(t, t->driver);
    assert_int_equal(change(t, t->customer, WISH(0, "", K(0) "," K(1))).status, 200);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    int64_t paid = kept(t)->price.total + 20 * INT64_C(400);
    house_advance(t->h, 1799 * US_PER_S);
    struct house_answer a =
        act(t, t->driver, "collection", format(t, "{\"stop\":1,\"amount\":%lld}", (long long)paid));
    assert_int_equal(a.status, 200);
    a = change(t, t->customer, WISH(1, ANY, K(0) "," K(1) "," P2));
    assert_int_equal(a.status, 200);
    assert_true(kept(t)->price.total < paid);
    assert_int_equal(amount_of(a, "\"index\":2", "\"fare\":"), 0);
    assert_int_equal(status(t, "delivered", 1), 200);
    int64_t total = kept(t)->price.total;
    assert_true(total > paid);
    assert_int_equal(status(t, "arrived_dropoff", 2), 200);
    assert_int_equal(status(t, "delivered", 2), 200);
    assert_int_equal(ledger_fares(kept(t)), total);
    town_free(t);
}

/* What is over, and where the driver stands, stays; he may go home from there. */
static void test_what_stays(void **unused) {
    (void)unused;
    struct town *t = stops_town(3);
    book_three(t, "invoice");
    take(t, t->driver);
    struct house_answer a = change(t, t->customer, WISH(0, ANY, K(1) "," K(0) "," K(2)));
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/stops/0\"") && has(a, "the pickup"));
    a = change(t, t->customer, WISH(0, ANY, P3 "," K(1)));
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/stops/0\""));
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    a = change(t, t->customer, WISH(0, ANY, K(0) "," K(2) "," K(1)));
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/stops/1\"") && has(a, "arrived"));
    a = change(t, t->customer, WISH(0, ANY, K(0) "," P3 "," K(1) "," K(2)));
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/stops/1\""));
    way_is(t, "Gate One Two");
    assert_int_equal(change(t, t->customer, WISH(0, ANY, K(0) "," K(1))).status, 200);
    way_is(t, "Gate One"); /* and ends where he stands */
    assert_int_equal(change(t, t->customer, WISH(1, ANY, K(0) "," K(1) "," P2)).status, 200);
    assert_int_equal(status(t, "delivered", 1), 200);
    a = change(t, t->customer, WISH(2, ANY, K(0) "," K(1)));
    assert_true(a.status == 422 && has(a, "one to go to after them"));
    assert_int_equal(change(t, t->customer, WISH(2, ANY, K(0) "," K(1) "," P3)).status, 200);
    way_is(t, "Gate One Three");
    assert_int_equal(status(t, "arrived_dropoff", 2), 200);
    assert_int_equal(status(t, "delivered", 2), 200);
    assert_int_equal(kept(t)->state, BOOKING_DELIVERED);
    town_free(t);
}

/* Who finishes another one first is reckoned from when he will be at the pickup. */
static void test_of_who_comes_later(void **unused) {
    (void)unused;
    struct town *t = stops_town(30);
    book_three(t, "invoice");
    t->free_in_s = 600;
    take(t, t->driver);
    struct house_answer a = preview(t, t->customer, WISH(0, "", K(0) "," K(2) "," K(1)));
    assert_int_equal(a.status, 200);
    int64_t way_s = amount_of(a, "\"difference\"", "\"duration_s\":"), eta_us = 0;
    const char *at = strstr(a.body.p, "\"eta_at\":\"");
    assert_non_null(at);
    at += strlen("\"eta_at\":\"");
    assert_int_equal(timestamp_parse((struct str){at, strcspn(at, "\"")}, &eta_us), 0);
    assert_in_range(eta_us - kept(t)->pickup_due_us, (way_s - 1) * US_PER_S,
                    (way_s + 1) * US_PER_S);
    town_free(t);
}

/* What could not be delivered comes back after the stops that there are then. */
static void test_way_back(void **unused) {
    (void)unused;
    struct town *t = stops_town(4);
    book_three(t, "invoice");
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    struct house_answer a =
        act(t, t->driver, "status", "{\"status\":\"failed\",\"stop\":1,\"reason\":\"nobody in\"}");
    assert_int_equal(a.status, 200);
    assert_int_equal(change(t, t->customer, WISH(0, ANY, K(0) "," K(1) "," P3)).status, 200);
    assert_int_equal(status(t, "arrived_dropoff", 2), 200);
    assert_int_equal(status(t, "delivered", 2), 200);
    way_is(t, "Gate One Three Gate");
    assert_int_equal(kept(t)->state, BOOKING_RETURNING);
    a = change(t, t->customer, WISH(1, ANY, K(0) "," K(1) "," K(2) "," P2));
    assert_true(a.status == 409 && has(a, "/problems/illegal-transition"));
    assert_int_equal(preview(t, t->customer, WISH(1, "", K(0) "," K(1) "," K(2) "," P2)).status,
                     409);
    town_free(t);
}

/* ---- who may, and what cannot be ---- */

static void test_bad_wishes(void **unused) {
    (void)unused;
    static const struct {
        const char *body, *word;
        int status;
    } bad[] = {
        {"{}", "/stops", 422},
        {"{\"stops\":[" K(0) "," K(1) "]}", "/stops_revision", 422},
        {WISH(-1, "", K(0) "," K(1)), "/stops_revision", 422},
        {WISH(1, "", K(0) "," K(1)), "\"stops_revision\":0", 409},
        {WISH(0, "", K(0)), "\"/stops\"", 422},
        {WISH(0, "", K(0) ",7"), "/stops/1", 422},
        {WISH(0, "", K(0) ",{}"), "/stops/1/lat", 422},
        {WISH(0, "", K(0) ",{\"lat\":57.7}"), "/stops/1/lng", 422},
        {WISH(0, "", K(0) ",{\"lat\":91,\"lng\":0}"), "/stops/1/lat", 422},
        {WISH(0, "", K(0) ",{\"lat\":\"a\",\"lng\":0}"), "/stops/1/lat", 422},
        {WISH(0, "", K(0) "," K(3)), "/stops/1/index", 422},
        {WISH(0, "", K(0) "," K(20)), "/stops/1/index", 422},
        {WISH(0, "", K(0) "," K(-1)), "/stops/1/index", 422},
        {WISH(0, "", K(0) "," K(1.5)), "/stops/1/index", 422},
        {WISH(0, "", K(0) "," K(1) "," K(1)), "/stops/2/index", 422},
        {WISH(0, "", K(0) ",{\"index\":1,\"lat\":57.7}"), "/stops/1/lat", 422},
        {WISH(0, "", K(0) ",{\"index\":1,\"contact\":{\"name\":\"a\"}}"), "/stops/1/contact", 422},
        {WISH(0, "", K(0) ",{\"lat\":57.7,\"lng\":11.9,\"proof\":[\"dna\"]}"), "/stops/1/proof/0",
         422},
        {WISH(0, "", K(0) ",{\"lat\":57.7,\"lng\":11.9,\"collect\":{\"amount\":0}}"),
         "/stops/1/collect/amount", 422},
        {WISH(0, "", K(0) ",{\"lat\":57.7,\"lng\":11.9,\"collect\":{\"amount\":1000001}}"),
         "/stops/1/collect/amount", 422},
        {WISH(0, "",
              K(0) ",{\"lat\":57.7,\"lng\":11.9,\"collect\":{\"amount\":1,\"currency\":\"EUR\"}}"),
         "/stops/1/collect/currency", 422},
        {WISH(0, "", K(0) ",{\"lat\":57.70,\"lng\":11.97}"), "all at the same place", 422},
        {WISH(0, "", P0 "," K(1)), "/stops/0", 422},
    };
    struct town *t = stops_town(5);
    book_three(t, "invoice");
    int64_t version = kept(t)->head.version;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        for (int shown = 0; shown < 2; shown++) {
            struct house_answer a = shown == 0 ? preview(t, t->customer, bad[i].body)
                                               : change(t, t->customer, bad[i].body);
            if (a.status != bad[i].status || !has(a, bad[i].word))
                fail_msg("%s: %d %.*s", bad[i].body, a.status, STR_ARG(a.body));
        }
    }
    struct house_answer a = change(t, t->customer, WISH(0, ",\"total\":-1", K(0) "," K(1)));
    assert_true(a.status == 422 && has(a, "/total"));
    a = change(t, t->customer, WISH(0, ",\"version\":9", K(0) "," K(1)));
    assert_true(a.status == 409 && has(a, "/problems/version-conflict"));
    struct buf many;
    buf_init(&many, &t->h->arena, 1024);
    buf_add_cstr(&many, "{\"stops_revision\":0,\"stops\":[" K(0));
    for (int i = 0; i < STOPS_MAX; i++)
        buf_printf(&many, ",{\"lat\":57.7%d,\"lng\":11.9}", i);
    buf_add_cstr(&many, "]}");
    a = change(t, t->customer, arena_cstr(&t->h->arena, buf_str(&many)));
    assert_true(a.status == 422 && has(a, "\"/stops\""));
    assert_int_equal(kept(t)->head.version, version); /* nothing of it was written */
    town_free(t);
}

static void test_who(void **unused) {
    (void)unused;
    struct town *t = stops_town(6);
    const char *wish = WISH(0, ANY, K(0) "," K(2) "," K(1));
    book_three(t, "invoice");
    take(t, t->driver);
    assert_int_equal(change(t, t->other, wish).status, 404);
    assert_int_equal(preview(t, t->other, WISH(0, "", K(0) "," K(2))).status, 404);
    assert_int_equal(change(t, t->driver, wish).status, 403);
    assert_int_equal(change(t, (struct identity){0}, wish).status, 401);
    struct house_answer a = change(t, t->staff, wish);
    assert_true(a.status == 422 && has(a, "/reason"));
    assert_int_equal(preview(t, t->staff, WISH(0, "", K(0) "," K(2))).status, 200);
    way_is(t, "Gate One Two");
    a = change(t, t->staff, WISH(0, ANY ",\"reason\":\"they rang\"", K(0) "," K(2) "," K(1)));
    assert_int_equal(a.status, 200);
    way_is(t, "Gate Two One");
    a = ask(t, t->staff, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    assert_true(has(a, "they rang"));
    town_free(t);
}

/* A new stop outside of what is served is refused; one that was agreed on before stays. */
static void test_where(void **unused) {
    (void)unused;
    struct town *t = stops_town(7);
    book_three(t, "invoice");
    struct house_answer a =
        ask(t, house_who(t->h, ROLE_ADMIN, NULL), "PUT", "/v1/service-area",
            "{\"area\":{\"type\":\"Polygon\",\"coordinates\":[[[11.9,57.69],[12.0,57.69],"
            "[12.0,57.715],[11.9,57.715],[11.9,57.69]]]}}");
    assert_int_equal(a.status, 200);
    a = change(t, t->customer, WISH(0, ANY, K(0) "," P3 "," K(1)));
    assert_true(a.status == 422 && has(a, "/problems/outside-service-area"));
    assert_true(has(a, "\"pointer\":\"/stops/1\"") && has(a, "\"boundary\""));
    assert_int_equal(change(t, t->customer, WISH(0, ANY, K(0) "," K(2) "," K(1))).status, 200);
    way_is(t, "Gate Two One"); /* Two is outside by now */
    town_free(t);
}

/* Without an area no two stops are farther apart than a trip may be, wherever in the list the new
 * one stands. */
static void test_far_apart(void **unused) {
    (void)unused;
    struct town *t = stops_town(20);
    struct house_answer q = quote(t, P0 ",{\"lat\":58.95,\"lng\":11.97,\"address\":\"North\"}");
    struct house_answer a = ask(t, t->customer, "POST", "/v1/bookings",
                                format(t, "{\"quote_id\":\"%s\"}", member(t, q, "id")));
    assert_int_equal(a.status, 201);
    t->booking = member(t, a, "id");
#define SOUTH "{\"lat\":56.45,\"lng\":11.97}"
    a = change(t, t->customer, WISH(0, ANY, K(0) "," K(1) "," SOUTH));
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/stops/2\"") && has(a, "from stop 1"));
    a = change(t, t->customer, WISH(0, ANY, K(0) "," SOUTH "," K(1)));
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/stops/1\"") && has(a, "from stop 2"));
    assert_int_equal(change(t, t->customer, WISH(0, ANY, K(0) "," P3 "," K(1))).status, 200);
    town_free(t);
}

/* ---- who comes first ---- */

static void test_offers_made_anew(void **unused) {
    (void)unused;
    struct town *t = stops_town(8);
    book_three(t, "invoice");
    const char *old = offer(t, t->driver);
    assert_int_equal(kept(t)->state, BOOKING_OFFERED);
    assert_int_equal(change(t, t->customer, WISH(0, ANY, K(0) "," K(1))).status, 200);
    const struct booking *b = kept(t);
    assert_true(b->state == BOOKING_REQUESTED && b->offer_count == 0);
    assert_int_equal(b->closed[b->closed_count - 1].reason, CLOSE_CHANGED);
    assert_int_equal(act(t, t->driver, "accept", format(t, "{\"offer_id\":\"%s\"}", old)).status,
                     409);
    take(t, t->driver);
    assert_int_equal(kept(t)->state, BOOKING_ASSIGNED);
    town_free(t);
}

static struct house_request request_of(struct town *t, struct identity who, const char *action,
                                       const char *body) {
    return (struct house_request){.method = "POST",
                                  .path = format(t, "/v1/bookings/%s/%s", t->booking, action),
                                  .body = body,
                                  .who = who};
}

/* The driver comes to the stop while it is being taken away: he was first. */
static void test_driver_goes_on(void **unused) {
    (void)unused;
    struct town *t = stops_town(9);
    book_three(t, "invoice");
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    struct house_request goes =
        request_of(t, t->driver, "status", "{\"status\":\"arrived_dropoff\",\"stop\":1}");
    struct house_request wants = request_of(t, t->customer, "stops", WISH(0, ANY, K(0) "," K(2)));
    struct house_answer went = {0}, got = {0};
    house_begin(t->h, &goes, &went);
    house_begin(t->h, &wants, &got);
    house_settle(t->h);
    assert_int_equal(went.status, 200);
    assert_int_equal(got.status, 422);
    assert_true(has(got, "\"pointer\":\"/stops/1\""));
    way_is(t, "Gate One Two");
    /* the other way round: the stop that he says he has come to is no more that one */
    assert_int_equal(status(t, "delivered", 1), 200);
    struct house_request adds =
        request_of(t, t->customer, "stops", WISH(0, ANY, K(0) "," K(1) "," P3));
    goes = request_of(t, t->driver, "status",
                      format(t, "{\"status\":\"arrived_dropoff\",\"stop\":2,\"version\":%lld}",
                             (long long)kept(t)->head.version));
    house_begin(t->h, &adds, &got);
    house_begin(t->h, &goes, &went);
    house_settle(t->h);
    assert_int_equal(got.status, 200);
    assert_int_equal(went.status, 409);
    assert_int_equal(kept(t)->stops[2].state, STOP_PENDING);
    town_free(t);
}

/* Who has been away tells of a stop by the number that he knows: if that is another one by now, he
 * is not there; if only others have changed, he is. */
static void test_said_late(void **unused) {
    (void)unused;
    struct town *t = stops_town(14);
    book_three(t, "invoice");
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(change(t, t->customer, WISH(0, ANY, K(0) "," K(1) "," P3)).status, 200);
    const char *there = "{\"status\":\"arrived_dropoff\",\"stop\":1,\"stops_revision\":0}";
    assert_int_equal(change(t, t->customer, WISH(1, ANY, K(0) "," K(2) "," K(1))).status, 200);
    struct house_answer a = act(t, t->driver, "status", there);
    assert_true(a.status == 409 && has(a, "/problems/version-conflict"));
    assert_true(has(a, "\"stops_revision\":2"));
    assert_int_equal(kept(t)->stops[1].state, STOP_PENDING);
    there = "{\"status\":\"arrived_dropoff\",\"stop\":1,\"stops_revision\":2}";
    assert_int_equal(change(t, t->customer, WISH(2, ANY, K(0) "," K(1) "," P2)).status, 200);
    assert_int_equal(act(t, t->driver, "status", there).status, 200);
    assert_int_equal(
        act(t, t->driver, "status", "{\"status\":\"delivered\",\"stops_revision\":13}").status,
        422);
    town_free(t);
}

/* A price that is of a state gone by is nobody's: he is asked to look again. */
static void test_changed_in_the_middle(void **unused) {
    (void)unused;
    struct town *t = stops_town(10);
    book_three(t, "invoice");
    take(t, t->driver);
    struct house_request wants =
        request_of(t, t->customer, "stops", WISH(0, ANY, K(0) "," K(2) "," K(1)));
    struct house_request goes =
        request_of(t, t->driver, "status", "{\"status\":\"arrived_pickup\",\"stop\":0}");
    struct house_answer went = {0}, got = {0};
    house_begin(t->h, &goes, &went);
    house_begin(t->h, &wants, &got);
    house_settle(t->h);
    assert_int_equal(went.status, 200);
    assert_int_equal(got.status, 200); /* another version; what it costs is the same */
    house_advance(t->h, 900 * US_PER_S);
    goes.body = "{\"status\":\"picked_up\",\"stop\":0}";
    wants.body = WISH(1, ANY, K(0) "," K(2));
    house_begin(t->h, &goes, &went);
    house_begin(t->h, &wants, &got);
    house_settle(t->h);
    assert_int_equal(went.status, 200); /* and what was waited is on the price */
    assert_true(got.status == 409 && has(got, "/problems/version-conflict"));
    way_is(t, "Gate Two One");
    struct house_answer a = house_call(t->h, &wants);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"code\":\"waiting\",\"quantity\":5"));
    town_free(t);
}

static void test_two_editors(void **unused) {
    (void)unused;
    struct town *t = stops_town(11);
    book_three(t, "invoice");
    struct house_request one = request_of(t, t->customer, "stops", WISH(0, ANY, K(0) "," K(2)));
    struct house_request two =
        request_of(t, t->staff, "stops", WISH(0, ANY ",\"reason\":\"they rang\"", K(0) "," K(1)));
    struct house_answer first = {0}, second = {0};
    house_begin(t->h, &one, &first);
    house_begin(t->h, &two, &second);
    house_settle(t->h);
    assert_int_equal(first.status, 200);
    assert_true(second.status == 409 && has(second, "\"stops_revision\":1"));
    way_is(t, "Gate Two");
    /* and with a key it is the same request, however often it is sent */
    one.body = WISH(1, ANY, K(0) "," P3 "," K(1));
    one.headers[0] = (struct header){STR("idempotency-key"), STR("once")};
    assert_int_equal(house_call(t->h, &one).status, 200);
    int64_t version = kept(t)->head.version;
    struct house_answer again = house_call(t->h, &one);
    assert_int_equal(again.status, 200);
    assert_string_equal(header_of(t, again, "Idempotency-Replayed"), "true");
    assert_int_equal(kept(t)->head.version, version);
    one.body = WISH(2, ANY, K(0) "," K(1));
    assert_int_equal(house_call(t->h, &one).status, 422);
    way_is(t, "Gate Three Two");
    one.headers[0] = (struct header){STR("if-match"), STR("\"1\"")};
    assert_int_equal(house_call(t->h, &one).status, 412);
    town_free(t);
}

static void test_often_enough(void **unused) {
    (void)unused;
    struct town *t = stops_town(12);
    book_three(t, "invoice");
    for (int i = 0; i < STOPS_CHANGES_MAX; i++) {
        struct house_answer a =
            change(t, t->customer,
                   format(t,
                          "{\"stops_revision\":%d,\"total\":1000000,\"stops\":[" K(0) "," K(
                              2) "," K(1) "]}",
                          i));
        assert_int_equal(a.status, 200);
    }
    struct house_answer a = change(t, t->customer, WISH(12, ANY, K(0) "," K(2) "," K(1)));
    assert_true(a.status == 409 && has(a, "/problems/too-many-changes"));
    assert_int_equal(preview(t, t->customer, WISH(12, "", K(0) "," K(2))).status, 409);
    /* what is as it is already is no change */
    assert_int_equal(change(t, t->customer, WISH(12, ANY, K(0) "," K(1) "," K(2))).status, 200);
    assert_int_equal(kept(t)->stops_revision, STOPS_CHANGES_MAX);
    town_free(t);
}

/* Positions tell of a stop by its number; of one that is another by now they tell nothing. */
static void test_reached_another(void **unused) {
    (void)unused;
    struct town *t = stops_town(13);
    book_three(t, "invoice");
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(change(t, t->customer, WISH(0, ANY, K(0) "," K(2) "," K(1))).status, 200);
    const struct booking *b = kept(t);
    for (int i = 2; i >= 1; i--) { /* One, which was 1; then Two, which is */
        struct ev_tracking said = {.booking_id = str_from(t->booking),
                                   .driver_id = b->driver->id,
                                   .stop = 1,
                                   .at_us = t->h->now_us,
                                   .lat_e7 = b->stops[i].place.lat_e7,
                                   .lng_e7 = b->stops[i].place.lng_e7};
        struct event e = {.id = house_id(t->h, "evt"),
                          .type = STR(EV_TRACKING_REACHED),
                          .key = said.booking_id,
                          .at_us = t->h->now_us,
                          .data = schema_text(&ev_tracking_schema, &said, S_STORE, &t->h->arena)};
        assert_int_equal(t->h->bus->ops->publish(t->h->bus, &e, confirmed, NULL), 0);
        house_settle(t->h);
        assert_int_equal(kept(t)->stops[1].reached_at_us != 0, i == 1);
    }
    town_free(t);
}

/* Who may cancel for a fee only does not make that less by a shorter trip first. */
static void test_fee_stays(void **unused) {
    (void)unused;
    struct town *t = town_new(17);
    struct house_answer a = ask(
        t, house_who(t->h, ROLE_ADMIN, NULL), "PUT", "/v1/tariffs",
        "{\"currency\":\"SEK\",\"items\":[{\"vehicle\":\"van\",\"base\":10000,\"per_km\":1000,"
        "\"per_minute\":0,\"per_stop\":500,\"minimum\":0}],"
        "\"cancellation\":{\"free_minutes\":0,\"assigned_percent\":50,\"arrived_percent\":100}}");
    assert_int_equal(a.status, 200);
    book_three(t, "invoice");
    int64_t dear = kept(t)->price.total;
    take(t, t->driver);
    assert_int_equal(change(t, t->customer, WISH(0, ANY, K(0) "," K(1))).status, 200);
    assert_true(kept(t)->price.total < dear);
    assert_int_equal(act(t, t->driver, "status", "{\"status\":\"arrived_pickup\"}").status, 200);
    a = ask(t, t->customer, "GET", format(t, "/v1/bookings/%s/cancellation", t->booking), NULL);
    assert_int_equal(amount_of(a, "\"fee\"", "\"amount\":"), dear);
    assert_int_equal(
        act(t, t->customer, "cancel", format(t, "{\"fee\":%lld}", (long long)dear)).status, 200);
    assert_int_equal(kept(t)->cancel_fee, dear);
    town_free(t);
}

/* Who has the goods driven a long way does not pay for a short one: from the pickup on the price of
 * before stands, is shown to stand, and so does the driver's part. The office may agree to less. */
static void test_driven_is_paid(void **unused) {
    (void)unused;
    struct town *t = stops_town(18);
    book_three(t, "cash");
    take(t, t->driver);
    int64_t before = kept(t)->price.total, earning = kept(t)->earning;
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    struct house_answer a = preview(t, t->customer, WISH(0, "", K(0) "," K(1)));
    assert_true(has(a, "\"price_stands\":false") && amount_of(a, "", "\"difference\":") < 0);
    assert_int_equal(status(t, "picked_up", 0), 200);
    a = preview(t, t->customer, WISH(0, "", K(0) "," K(1)));
    assert_true(a.status == 200 && has(a, "\"price_stands\":true"));
    assert_int_equal(amount_of(a, "\"price\"", "\"total\":"), before);
    assert_int_equal(amount_of(a, "", "\"difference\":"), 0);
    assert_true(amount_of(a, "", "\"distance_m\":") < kept(t)->distance_m);
    a = preview(t, t->staff, WISH(0, "", K(0) "," K(1)));
    assert_true(has(a, "\"price_stands\":false") && amount_of(a, "", "\"difference\":") < 0);
    assert_int_equal(change(t, t->customer, WISH(0, "", K(0) "," K(1))).status, 200);
    assert_true(kept(t)->price.total == before && kept(t)->earning == earning);
    a = ask(t, t->customer, "GET", format(t, "/v1/bookings/%s/collection", t->booking), NULL);
    assert_int_equal(amount_of(a, "\"stop\":1", "\"due\":"), before);
    /* more is more, and then stands in its turn */
    assert_int_equal(change(t, t->customer, WISH(1, ANY, K(0) "," P3 "," P2 "," K(1))).status, 200);
    int64_t more = kept(t)->price.total;
    assert_true(more > before);
    assert_int_equal(change(t, t->customer, WISH(2, ANY, K(0) "," K(3))).status, 200);
    assert_int_equal(kept(t)->price.total, more);
    a = change(t, t->staff, WISH(3, ",\"reason\":\"was not needed\"", K(0) "," P2));
    assert_true(a.status == 200 && kept(t)->price.total < more);
    town_free(t);
}

/* What is not known here is no change that somebody can have wanted; and a driver who says which
 * change he knows knows none that has not been. */
static void test_not_known(void **unused) {
    (void)unused;
    struct town *t = stops_town(21);
    book_three(t, "cash");
    take(t, t->driver);
    struct house_answer a = change(t, t->customer, WISH(0, ",\"totl\":5", K(0) "," K(1)));
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/totl\""));
    a = preview(t, t->customer, WISH(0, "", K(0) ",{\"lat\":57.7,\"lng\":11.99,\"cash\":5}"));
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/stops/1/cash\""));
    a = change(t, t->staff, WISH(0, ",\"reason\":\"   \"", K(0) "," K(1)));
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/reason\""));
    a = act(t, t->driver, "status",
            "{\"status\":\"arrived_pickup\",\"stop\":0,\"stops_revision\":1}");
    assert_true(a.status == 422 && has(a, "/stops_revision"));
    a = act(t, t->driver, "status",
            "{\"status\":\"arrived_pickup\",\"stop\":0,\"stops_revision\":0}");
    assert_int_equal(a.status, 200);
    town_free(t);
}

/* The price that was asked for before the pickup does not count after it. */
static void test_driven_in_between(void **unused) {
    (void)unused;
    struct town *t = stops_town(19);
    struct arena a;
    arena_init(&a, 4096);
    book_three(t, "invoice");
    take(t, t->driver);
    struct booking b = *kept(t);
    struct price less = {.total = b.price.total - 1};
    assert_ptr_equal(stops_agreed(&b, HAT_CUSTOMER, &less), &less);
    b.stops = arena_copy(&a, b.stops, sizeof(*b.stops) * (size_t)b.stop_count);
    b.stops[0].state = STOP_ARRIVED;
    assert_ptr_equal(stops_agreed(&b, HAT_CUSTOMER, &less), &less);
    b.stops[0].state = STOP_DONE;
    assert_ptr_equal(stops_agreed(&b, HAT_CUSTOMER, &less), &b.price);
    assert_ptr_equal(stops_agreed(&b, HAT_STAFF, &less), &less);
    less.total += 2;
    assert_ptr_equal(stops_agreed(&b, HAT_CUSTOMER, &less), &less);
    arena_free(&a);
    town_free(t);
}

/* What a code takes off from so much on it takes off no more where the trip gets cheaper than that.
 */
static void test_too_cheap_for_its_code(void **unused) {
    (void)unused;
    struct town *t = stops_town(16);
    int64_t dear = amount_of(quote(t, P0 "," P1 "," P2), "\"quotes\"", "\"total\":");
    struct house_answer a = ask(
        t, house_who(t->h, ROLE_ADMIN, NULL), "POST", "/v1/promo-codes",
        format(t, "{\"code\":\"DEAR\",\"amount\":5000,\"minimum_total\":%lld}", (long long)dear));
    assert_int_equal(a.status, 201);
    a = ask(t, t->customer, "POST", "/v1/quotes",
            "{\"vehicle\":\"van\",\"promo_code\":\"DEAR\",\"stops\":[" P0 "," P1 "," P2 "]}");
    a = ask(t, t->customer, "POST", "/v1/bookings",
            format(t, "{\"quote_id\":\"%s\"}", member(t, a, "id")));
    assert_int_equal(a.status, 201);
    t->booking = member(t, a, "id");
    assert_int_equal(kept(t)->price.total, dear - 5000);
    int64_t whole = amount_of(quote(t, P0 "," P1), "\"quotes\"", "\"total\":");
    assert_true(whole < dear && whole > dear - 5000); /* without it a shorter way costs more */
    a = change(t, t->customer, WISH(0, "", K(0) "," K(1)));
    assert_true(a.status == 409 && has(a, "/problems/price-changed"));
    assert_int_equal(change(t, t->customer, WISH(0, ANY, K(0) "," K(1))).status, 200);
    assert_int_equal(kept(t)->price.total, whole);
    assert_int_equal(change(t, t->customer, WISH(1, ANY, K(0) "," K(1) "," P3)).status, 200);
    assert_true(price_discount(&kept(t)->price) == 5000); /* and again */
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_who_comes_later),
        cmocka_unit_test(test_other_way),
        cmocka_unit_test(test_paid_as_gone),
        cmocka_unit_test(test_paid_before),
        cmocka_unit_test(test_what_stays),
        cmocka_unit_test(test_way_back),
        cmocka_unit_test(test_bad_wishes),
        cmocka_unit_test(test_who),
        cmocka_unit_test(test_where),
        cmocka_unit_test(test_far_apart),
        cmocka_unit_test(test_offers_made_anew),
        cmocka_unit_test(test_driver_goes_on),
        cmocka_unit_test(test_changed_in_the_middle),
        cmocka_unit_test(test_two_editors),
        cmocka_unit_test(test_often_enough),
        cmocka_unit_test(test_reached_another),
        cmocka_unit_test(test_said_late),
        cmocka_unit_test(test_fee_stays),
        cmocka_unit_test(test_driven_is_paid),
        cmocka_unit_test(test_driven_in_between),
        cmocka_unit_test(test_not_known),
        cmocka_unit_test(test_too_cheap_for_its_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
