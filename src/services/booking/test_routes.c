/* The routes of the booking service, through the real runtime over memory. */
#include "services/booking/test_town.h"

/* ---- quotes ---- */

static void test_quotes(void **unused) {
    (void)unused;
    struct town *t = town_new(1);
    t->fleet.free = true;
    struct house_answer a = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    assert_int_equal(a.status, 201);
    assert_true(has(a, "{\"quotes\":[{\"id\":\"qte_"));
    assert_true(has(a, "\"vehicle\":\"van\",\"distance_m\":1510,\"duration_s\":151,\"currency\":"
                       "\"SEK\",\"total\":12900,\"items\":[{\"code\":\"base\",\"amount\":9900},"
                       "{\"code\":\"distance\",\"quantity\":1510,\"unit\":\"m\",\"amount\":2265},"
                       "{\"code\":\"time\",\"quantity\":151,\"unit\":\"s\",\"amount\":654},"
                       "{\"code\":\"minimum\",\"amount\":81}],\"taxes\":[],\"tariff_version\":1,"
                       "\"pickup_eta_s\":"));
    assert_true(has(a, "\"estimate\":true"));
    assert_true(has(a, "\"expires_at\":\"2026-11-23T10:10:00Z\""));
    assert_true(has(a, "{\"index\":0,\"kind\":\"pickup\",\"lat\":57.7089,\"lng\":11.9746,"
                       "\"address\":\"Drottningtorget\"}"));
    assert_false(has(a, "\"pickup_eta_s\":null"));
    /* all classes, each with its own id; only vans are about */
    a = ask(t, t->staff, "POST", "/v1/quotes", TWO_STOPS "}");
    assert_int_equal(a.status, 201);
    for (int32_t v = VEHICLE_BIKE; v < VEHICLE_COUNT; v++)
        assert_true(has(a, format(t, "\"vehicle\":\"%s\"", vehicle_names[v])));
    assert_true(has(a, "\"pickup_eta_s\":null"));
    assert_int_equal(ask(t, t->driver, "POST", "/v1/quotes", VAN_QUOTE).status, 403);
    assert_int_equal(ask(t, (struct identity){0}, "POST", "/v1/quotes", VAN_QUOTE).status, 401);
    town_free(t);
}

static void test_quotes_refused(void **unused) {
    (void)unused;
    struct town *t = town_new(2);
    struct house_answer a = ask(t, t->customer, "POST", "/v1/quotes",
                                "{\"stops\":[{\"lat\":91,\"lng\":11},{\"lng\":\"x\"}],"
                                "\"vehicle\":\"plane\"}");
    assert_int_equal(a.status, 422);
    assert_true(has(a, "/stops/0/lat") && has(a, "/stops/1/lat") && has(a, "/stops/1/lng"));
    assert_true(has(a, "unknown vehicle class: plane; one of bike, car, van, truck"));
    a = ask(t, t->customer, "POST", "/v1/quotes",
            "{\"stops\":[{\"lat\":57,\"lng\":11},{\"lat\":57,\"lng\":11}]}");
    assert_int_equal(a.status, 422);
    assert_true(has(a, "\"/stops\""));
    assert_int_equal(
        ask(t, t->customer, "POST", "/v1/quotes", "{\"stops\":[{\"lat\":57,\"lng\":11}]}").status,
        422);
    a = ask(
        t, t->customer, "POST", "/v1/quotes",
        "{\"stops\":[{\"lat\":57,\"lng\":11},{\"lat\":57.1,\"lng\":11},{\"lat\":60,\"lng\":11}]}");
    assert_int_equal(a.status, 422);
    assert_true(has(a, "/problems/outside-service-area") && has(a, "/stops/2"));
    assert_false(has(a, "/stops/1"));
    town_free(t);
}

static void test_tariffs(void **unused) {
    (void)unused;
    struct town *t = town_new(3);
    struct house_answer a = ask(t, t->driver, "GET", "/v1/tariffs", NULL);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "{\"currency\":\"SEK\",\"items\":[{\"vehicle\":\"bike\",\"base\":4900"));
    assert_int_equal(ask(t, (struct identity){0}, "GET", "/v1/tariffs", NULL).status, 401);
    assert_string_equal(header_of(t, a, "ETag"), "\"1\"");
    assert_int_equal(ask(t, t->staff, "PUT", "/v1/tariffs", "{}").status, 403);
    assert_int_equal(ask(t, t->driver, "GET", "/v1/tariffs/versions", NULL).status, 403);
    town_free(t);
}

/* ---- bookings ---- */

static void test_book(void **unused) {
    (void)unused;
    struct town *t = town_new(4);
    struct house_answer b = book(t, t->customer);
    assert_string_equal(header_of(t, b, "ETag"), "\"1\"");
    assert_string_equal(header_of(t, b, "Location"), format(t, "/v1/bookings/%s", t->booking));
    assert_true(has(b, "\"state\":\"requested\"") && has(b, "\"version\":1"));
    assert_true(has(b, "\"contact\":{\"name\":\"Bo\",\"phone\":\"+46701234567\"}"));
    assert_true(has(b, "\"contact\":null") && has(b, "\"payment\":\"cash\""));
    assert_int_equal(strlen(t->token), ULID_TEXT_LEN + SECRET_LEN);
    const char *path = format(t, "/v1/bookings/%s", t->booking);
    struct house_answer a = ask(t, t->customer, "GET", path, NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(header_of(t, a, "ETag"), "\"1\"");
    assert_true(str_eq(a.body, b.body));
    assert_int_equal(ask(t, t->staff, "GET", path, NULL).status, 200);
    assert_int_equal(ask(t, t->other, "GET", path, NULL).status, 404);
    assert_int_equal(ask(t, t->driver, "GET", path, NULL).status, 404);
    assert_int_equal(ask(t, t->staff, "GET", "/v1/bookings/bkg_nonsense", NULL).status, 404);
    a = house_call(t->h,
                   &(struct house_request){.method = "GET",
                                           .path = path,
                                           .who = t->customer,
                                           .headers = {{STR("if-none-match"), STR("\"1\"")}}});
    assert_int_equal(a.status, 304);
    town_free(t);
}

static void test_quote_serves_once(void **unused) {
    (void)unused;
    struct town *t = town_new(5);
    struct house_answer q = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    const char *body = format(t, "{\"quote_id\":\"%s\"}", member(t, q, "id"));
    assert_int_equal(ask(t, t->other, "POST", "/v1/bookings", body).status, 404);
    struct house_request request = {.method = "POST",
                                    .path = "/v1/bookings",
                                    .body = body,
                                    .who = t->customer,
                                    .headers = {{STR("idempotency-key"), STR("k1")}}};
    struct house_answer first = house_call(t->h, &request), again = house_call(t->h, &request);
    assert_int_equal(first.status, 201);
    assert_int_equal(again.status, 201);
    assert_true(str_eq(first.body, again.body));
    request.headers[0].value = STR("k2");
    struct house_answer used = house_call(t->h, &request);
    assert_int_equal(used.status, 409);
    assert_true(has(used, "/problems/quote-used"));
    q = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    body = format(t, "{\"quote_id\":\"%s\"}", member(t, q, "id"));
    house_advance(t->h, 600 * US_PER_S);
    struct house_answer late = ask(t, t->customer, "POST", "/v1/bookings", body);
    assert_int_equal(late.status, 409);
    assert_true(has(late, "/problems/quote-expired"));
    house_advance(t->h, 4 * US_PER_DAY); /* it is not even kept any more */
    assert_int_equal(ask(t, t->customer, "POST", "/v1/bookings", body).status, 404);
    town_free(t);
}

static void test_bad_bodies(void **unused) {
    (void)unused;
    struct town *t = town_new(6);
    book(t, t->customer);
    static const struct {
        const char *action, *body, *pointer;
    } cases[] = {
        {"cancel", "{\"reason\":7}", "/reason"},
        {"cancel", "{\"reason\":\"\"}", "/reason"},
        {"rating", "{\"stars\":6}", "/stars"},
        {"rating", "{\"stars\":4.5,\"comment\":[]}", "/comment"},
        {"rating", "{}", "/stars"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct house_answer a = act(t, t->customer, cases[i].action, cases[i].body);
        assert_int_equal(a.status, 422);
        assert_true(has(a, cases[i].pointer));
    }
    struct house_answer a =
        act(t, t->driver, "status", "{\"status\":\"flying\",\"stop\":-1,\"version\":0}");
    assert_int_equal(a.status, 422);
    assert_true(has(a, "/status") && has(a, "/stop") && has(a, "/version"));
    a = act(t, t->driver, "status", "{\"status\":\"failed\",\"stop\":0}");
    assert_int_equal(a.status, 422);
    assert_true(has(a, "/reason"));
    assert_int_equal(act(t, t->staff, "assign", "{\"driver_id\":\"usr_1\"}").status, 422);
    a = act(t, t->staff, "assign",
            "{\"driver_id\":\"drv_01M850A1SK23ZZJRCG4QJ80T26\",\"reason\":\"\"}");
    assert_true(a.status == 422 && has(a, "/reason"));
    a = act(t, t->staff, "unassign", "{}");
    assert_true(a.status == 422 && has(a, "/reason"));
    a = act(t, t->staff, "unassign", "{\"reason\":7,\"search\":\"no\",\"version\":0}");
    assert_true(a.status == 422 && has(a, "/reason") && has(a, "/search") && has(a, "/version"));
    a = act(t, t->driver, "release", "{\"reason\":\"\",\"version\":-1}");
    assert_true(a.status == 422 && has(a, "/reason") && has(a, "/version"));
    a = act(t, t->driver, "release", "[]");
    assert_int_equal(a.status, 422);
    assert_int_equal(act(t, t->driver, "accept", "{\"offer_id\":\"x\"}").status, 422);
    a = ask(
        t, t->customer, "POST", "/v1/bookings",
        "{\"quote_id\":\"bkg_1\",\"payment\":\"gold\",\"stops\":[{\"contact\":{\"phone\":1}}]}");
    assert_int_equal(a.status, 422);
    assert_true(has(a, "/quote_id") && has(a, "/payment") && has(a, "/stops/0/contact/phone"));
    town_free(t);
}

static void test_cancel(void **unused) {
    (void)unused;
    struct town *t = town_new(7);
    book(t, t->customer);
    assert_int_equal(act(t, t->other, "cancel", NULL).status, 404);
    assert_int_equal(act(t, t->driver, "cancel", NULL).status, 403);
    struct house_request request = {.method = "POST",
                                    .path = format(t, "/v1/bookings/%s/cancel", t->booking),
                                    .who = t->customer,
                                    .headers = {{STR("if-match"), STR("\"7\"")}}};
    assert_int_equal(house_call(t->h, &request).status, 412);
    request.headers[0].value = STR("\"1\"");
    struct house_answer a = house_call(t->h, &request);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"state\":\"cancelled\"") && has(a, "\"version\":2"));
    a = act(t, t->customer, "cancel", NULL);
    assert_int_equal(a.status, 409);
    assert_true(has(a, "\"state\":\"cancelled\",\"allowed\":[]"));
    town_free(t);
}

static void test_way(void **unused) {
    (void)unused;
    struct town *t = town_new(8);
    book(t, t->customer);
    const char *first = offer(t, t->driver), *second = offer(t, t->driver2);
    const char *path = format(t, "/v1/bookings/%s", t->booking);
    assert_int_equal(ask(t, t->driver, "GET", path, NULL).status, 404); /* asked, not assigned */
    struct house_answer won, lost;
    struct house_request accept = {.method = "POST",
                                   .path = format(t, "%s/accept", path),
                                   .body = format(t, "{\"offer_id\":\"%s\"}", first),
                                   .who = t->driver};
    house_begin(t->h, &accept, &won);
    accept.who = t->driver2;
    accept.body = format(t, "{\"offer_id\":\"%s\"}", second);
    house_begin(t->h, &accept, &lost);
    house_settle(t->h);
    assert_int_equal(won.status, 200);
    assert_int_equal(lost.status, 409);
    assert_true(has(won, "\"driver\":{\"id\":\"drv_") && has(won, "\"vehicle_plate\":\"ABC123\""));
    assert_true(has(won, "\"name\":\"Ola Berg\",\"phone\":\"+46701112233\",\"rating\":null}"));
    assert_int_equal(ask(t, t->driver, "GET", path, NULL).status, 200);
    assert_int_equal(ask(t, t->driver2, "GET", path, NULL).status, 404);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    assert_int_equal(act(t, t->customer, "rating", "{\"stars\":5}").status, 409);
    assert_int_equal(status(t, "delivered", 1), 200);
    struct house_answer a = act(t, t->customer, "rating", "{\"stars\":5,\"comment\":\"quick\"}");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"rating\":{\"stars\":5,\"comment\":\"quick\"}}") ||
                has(a, "\"rating\":{\"stars\":5,\"comment\":\"quick\"},"));
    struct house_answer mine = ask(t, t->customer, "GET", format(t, "%s/timeline", path), NULL);
    struct house_answer all = ask(t, t->staff, "GET", format(t, "%s/timeline", path), NULL);
    assert_true(has(mine,
                    "\"seq\":1,\"at\":\"2026-11-23T10:00:00Z\",\"type\":\"booking.requested\","
                    "\"actor\":{\"kind\":\"customer\",\"id\":\"usr_"));
    assert_true(has(mine, "\"type\":\"booking.rated\""));
    assert_false(has(mine, second));
    assert_true(has(all, second));
    town_free(t);
}

static void test_clock(void **unused) {
    (void)unused;
    struct town *t = town_new(9);
    book(t, t->customer);
    offer(t, t->driver);
    const char *path = format(t, "/v1/bookings/%s", t->booking);
    assert_true(has(ask(t, t->customer, "GET", path, NULL), "\"state\":\"offered\""));
    house_advance(t->h, 25 * US_PER_S);
    assert_true(has(ask(t, t->customer, "GET", path, NULL), "\"state\":\"requested\""));
    /* all memory is lost; the timers are in the store */
    town_reopen(t, 0);
    house_advance(t->h, 180 * US_PER_S);
    assert_true(has(ask(t, t->customer, "GET", path, NULL), "\"state\":\"expired\""));
    town_free(t);
}

static void test_assign(void **unused) {
    (void)unused;
    struct town *t = town_new(10);
    book(t, t->customer);
    const char *drv = id_with_prefix(&t->h->arena, t->driver.user_id, "drv").p;
    struct house_request request = {.method = "POST",
                                    .path = format(t, "/v1/bookings/%s/assign", t->booking),
                                    .body = format(t, "{\"driver_id\":\"%s\"}", drv),
                                    .who = t->customer};
    assert_int_equal(house_call(t->h, &request).status, 403);
    request.who = t->staff;
    struct house_answer a;
    house_begin(t->h, &request, &a);
    house_settle(t->h);
    assert_int_equal(a.status, 0); /* waits for the driver service */
    struct house_answer log =
        ask(t, t->staff, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    say(t, EV_DISPATCH_REFUSED, t->driver, member(t, log, "offer_id"), true);
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/driver-unavailable") && has(a, "off duty"));
    house_begin(t->h, &request, &a);
    house_advance(t->h, 6 * US_PER_S);
    assert_int_equal(a.status, 202); /* nobody answers */
    assert_true(has(a, "\"state\":\"requested\""));
    house_begin(t->h, &request, &a); /* the same choice waits on */
    house_settle(t->h);
    log = ask(t, t->staff, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    say(t, EV_DISPATCH_OFFERED, t->driver, last_member(t, log, "offer_id"), true);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"state\":\"assigned\"") && has(a, "\"name\":\"Ola Berg\""));
    assert_string_equal(header_of(t, a, "ETag"), "\"5\"");
    /* and taken from him again */
    const char *stuck = "{\"reason\":\"he is stuck\"}";
    assert_int_equal(act(t, t->driver, "unassign", stuck).status, 403);
    assert_int_equal(act(t, t->staff, "release", stuck).status, 403);
    a = act(t, t->staff, "unassign", "{\"reason\":\"he is stuck\",\"version\":4}");
    assert_int_equal(a.status, 409);
    a = act(t, t->staff, "unassign", stuck);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"state\":\"requested\"") && has(a, "\"driver\":null"));
    assert_int_equal(act(t, t->staff, "unassign", stuck).status, 409);
    assert_int_equal(act(t, t->driver, "release", stuck).status, 404); /* not his any more */
    log = ask(t, t->customer, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    assert_true(has(log, "booking.unassigned") && !has(log, "he is stuck"));
    log = ask(t, t->staff, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    assert_true(has(log, "he is stuck"));
    town_free(t);
}

/* ---- lists ---- */

static int items(struct town *t, struct house_answer a, const char **ret_cursor) {
    struct json_value root, list, cursor;
    assert_int_equal(a.status, 200);
    assert_int_equal(json_parse(t->parser, a.body, &root), 0);
    assert_true(json_get(root, "items", &list) && json_get(root, "next_cursor", &cursor));
    if (ret_cursor != NULL)
        *ret_cursor = json_kind(cursor) == JSON_IS_NULL
                          ? NULL
                          : format(t, "%.*s", STR_ARG(json_text(cursor)));
    return (int)json_count(list);
}

static int listed(struct town *t, struct identity who, const char *query) {
    return items(t, ask(t, who, "GET", format(t, "/v1/bookings%s", query), NULL), NULL);
}

static void test_list(void **unused) {
    (void)unused;
    struct town *t = town_new(11);
    for (int i = 0; i < 7; i++) {
        book(t, t->customer);
        if (i == 2)
            take(t, t->driver);
        if (i == 3)
            act(t, t->customer, "cancel", NULL);
    }
    book(t, t->other);
    assert_int_equal(listed(t, t->customer, ""), 7);
    assert_int_equal(listed(t, t->customer, "?state=active"), 6);
    assert_int_equal(listed(t, t->customer, "?state=finished"), 1);
    assert_int_equal(listed(t, t->customer, "?state=assigned,cancelled"), 2);
    assert_int_equal(listed(t, t->other, ""), 1);
    assert_int_equal(listed(t, t->driver, ""), 1);
    assert_int_equal(listed(t, t->driver2, ""), 0);
    assert_int_equal(listed(t, t->staff, ""), 8);
    assert_int_equal(listed(t, t->staff, "?state=active"), 7);
    assert_int_equal(listed(t, t->staff, "?state=cancelled"), 1);
    assert_int_equal(listed(t, t->staff, "?state=delivered"), 0);
    assert_int_equal(listed(t, t->staff, "?state=assigned"), 1);
    assert_int_equal(ask(t, t->staff, "GET", "/v1/bookings?state=lost", NULL).status, 422);
    assert_int_equal(ask(t, t->staff, "GET", "/v1/bookings?state=", NULL).status, 422);
    assert_int_equal(ask(t, t->staff, "GET", "/v1/bookings?limit=0", NULL).status, 422);
    assert_int_equal(ask(t, (struct identity){0}, "GET", "/v1/bookings", NULL).status, 401);
    /* page by page: each once, also when new ones come in between */
    const char *cursor = NULL;
    int seen = 0, pages = 0;
    do {
        const char *path = cursor != NULL
                               ? format(t, "/v1/bookings?state=active&limit=2&cursor=%s", cursor)
                               : "/v1/bookings?state=active&limit=2";
        int n = items(t, ask(t, t->customer, "GET", path, NULL), &cursor);
        assert_true(n <= 2);
        seen += n;
        pages++;
        t->h->now_us += 1000;
        book(t, t->customer);
    } while (cursor != NULL);
    assert_int_equal(seen, 6);
    assert_int_equal(pages, 3);
    town_free(t);
}

/* The two keys of a customer's index are one list, whatever has ended between. */
static void test_list_merged(void **unused) {
    (void)unused;
    struct town *t = town_new(14);
    const char *ids[23];
    for (int i = 0; i < 23; i++) {
        t->h->now_us += 1000;
        book(t, t->customer);
        ids[i] = t->booking;
        if (i % 3 == 0 || (i > 9 && i < 15))
            assert_int_equal(act(t, t->customer, "cancel", NULL).status, 200);
    }
    for (int limit = 1; limit <= 24; limit++) {
        const char *cursor = NULL;
        int seen = 0;
        do {
            const char *more = cursor != NULL ? format(t, "&cursor=%s", cursor) : "";
            struct house_answer a =
                ask(t, t->customer, "GET", format(t, "/v1/bookings?limit=%d%s", limit, more), NULL);
            int n = items(t, a, &cursor);
            assert_int_equal(n, limit < 23 - seen ? limit : 23 - seen);
            assert_string_equal(member(t, a, "id"), ids[22 - seen]); /* newest first */
            seen += n;
        } while (cursor != NULL);
        assert_int_equal(seen, 23);
    }
    town_free(t);
}

/* A reader that counts what it gives. */
struct counting {
    struct store port; /* first */
    struct store *real;
    int calls, docs;
};
static int counting_list(struct store *s, const struct store_query *q, struct arena *a,
                         struct store_doc **ret_docs, int32_t *ret_count) {
    struct counting *c = (struct counting *)s;
    int err = c->real->ops->list(c->real, q, a, ret_docs, ret_count);
    c->calls++;
    c->docs += err == 0 ? *ret_count : 0;
    return err;
}

/* His bookings that are open, as his app asks for them: TO_READ documents at most for it. */
static void expect_active(struct town *t, int count, int to_read) {
    static const struct store_ops ops = {.list = counting_list};
    struct counting reader = {.port = {&ops}, .real = t->h->worker.reader};
    t->h->worker.reader = &reader.port;
    assert_int_equal(listed(t, t->driver, "?state=active&limit=2"), count);
    t->h->worker.reader = reader.real;
    assert_true(reader.docs <= to_read && reader.calls <= 2 + 2 * (to_read / STORE_LIST_MAX));
}

static bool engaged(struct town *t) {
    struct str ids[ENGAGED_BOOKINGS_MAX];
    int32_t count;
    assert_int_equal(booking_engaged(t->h->worker.reader, t->parser, t->driver.user_id,
                                     &t->h->arena, ids, &count),
                     0);
    return count == 1 && str_is(ids[0], t->booking);
}

/* Puts the booking under its driver's bare id, as an older version has. */
static void lay_as_before(struct town *t) {
    struct store *store = executor_store(t->h->executor);
    struct store_doc doc;
    struct str id = str_from(t->booking);
    assert_int_equal(store->ops->get(store, &booking_collection, id, &t->h->arena, &doc), 0);
    struct store_change change = {.collection = &booking_collection,
                                  .id = id,
                                  .expected_version = doc.version,
                                  .state = doc.state,
                                  .commit_id = STR("before"),
                                  .at_us = t->h->now_us};
    change.keys[0] = booking_open_key(&t->h->arena, t->customer.user_id);
    change.keys[1] = id_with_prefix(&t->h->arena, t->driver.user_id, "drv");
    change.keys[2] = STR(PHASE_OPEN);
    assert_int_equal(store->ops->commit(store, &change, 1, NULL, 0), 0);
    assert_int_equal(change.result, 0);
}

/* What a driver has open is found at once, however much he has behind him and however long ago it
 * was booked; one that an older version wrote, too. */
static void test_list_of_a_driver(void **unused) {
    (void)unused;
    struct town *t = town_new(41);
    book(t, t->customer);
    const char *first = t->booking;
    for (int i = 0; i < STORE_LIST_MAX + 5; i++) {
        t->h->now_us += 1000;
        book(t, t->customer);
        take(t, t->driver);
        assert_int_equal(status(t, "arrived_pickup", 0), 200);
        assert_int_equal(status(t, "picked_up", 0), 200);
        assert_int_equal(status(t, "arrived_dropoff", 1), 200);
        assert_int_equal(status(t, "delivered", 1), 200);
        t->h->now_us += 1000;
    }
    expect_active(t, 0, 0);
    t->booking = first;
    assert_false(engaged(t));
    take(t, t->driver);
    assert_true(engaged(t));
    expect_active(t, 1, 1);
    assert_int_equal(listed(t, t->driver, "?limit=200"), 200);
    assert_int_equal(listed(t, t->driver, "?state=assigned,delivered&limit=200"), 200);
    assert_int_equal(listed(t, t->customer, "?state=active"), 1);
    lay_as_before(t);
    town_reopen(t, 0);
    for (int i = 0; i < 3; i++) {
        expect_active(t, 1, STORE_LIST_MAX + 6);
        house_advance(t->h, 700 * US_PER_S);
    }
    assert_int_equal(status(t, "arrived_pickup", 0), 200); /* written again, it lies well */
    house_advance(t->h, 700 * US_PER_S);
    expect_active(t, 1, 1);
    town_free(t);
}

/* ---- how many may be open ---- */

static const char *quoted(struct town *t, struct identity who) {
    struct house_answer q = ask(t, who, "POST", "/v1/quotes", VAN_QUOTE);
    return format(t, "{\"quote_id\":\"%s\"}", member(t, q, "id"));
}

static void test_open_max(void **unused) {
    (void)unused;
    struct town *t = town_new(15);
    town_reopen(t, 3);
    const char *body = quoted(t, t->customer);
    for (int i = 0; i < 3; i++)
        book(t, t->customer);
    take(t, t->driver); /* a driver on the way leaves it open */
    struct house_answer a = ask(t, t->customer, "POST", "/v1/bookings", body);
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/too-many-open-bookings") && has(a, "you have 3 open bookings"));
    assert_int_equal(listed(t, t->customer, ""), 3);
    book(t, t->other); /* each has his own */
    for (int i = 0; i < 5; i++)
        book(t, t->staff);
    /* an end makes room for one, and the quote serves still */
    t->booking = member(t, ask(t, t->customer, "GET", "/v1/bookings", NULL), "id");
    assert_int_equal(act(t, t->customer, "cancel", NULL).status, 200);
    assert_int_equal(ask(t, t->customer, "POST", "/v1/bookings", body).status, 201);
    body = quoted(t, t->customer);
    assert_int_equal(ask(t, t->customer, "POST", "/v1/bookings", body).status, 409);
    town_free(t);
}

/* Those that meet in one batch count each other. */
static void test_open_max_at_once(void **unused) {
    (void)unused;
    struct town *t = town_new(16);
    town_reopen(t, 3);
    book(t, t->customer);
    struct house_answer answers[7];
    struct house_request requests[COUNT_OF(answers)];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(answers); i++)
            requests[i] = (struct house_request){.method = "POST",
                                                 .path = "/v1/bookings",
                                                 .body = quoted(t, t->customer),
                                                 .who = t->customer};
        for (size_t i = 0; i < COUNT_OF(answers); i++)
            house_begin(t->h, &requests[i], &answers[i]);
        house_settle(t->h);
        int made = 0, refused = 0;
        for (size_t i = 0; i < COUNT_OF(answers); i++) {
            made += answers[i].status == 201;
            refused += answers[i].status == 409;
        }
        assert_int_equal(made, round == 0 ? 2 : 0);
        assert_int_equal(made + refused, COUNT_OF(answers));
    }
    assert_int_equal(listed(t, t->customer, "?state=active"), 3);
    town_free(t);
}

/* ---- tracking ---- */

static void test_track(void **unused) {
    (void)unused;
    struct town *t = town_new(12);
    struct identity nobody = {0};
    t->fleet.on_duty = true;
    book(t, t->customer);
    const char *path = format(t, "/v1/track/%s", t->token);
    struct house_answer a = ask(t, nobody, "GET", path, NULL);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"driver\":null,\"position\":null,\"eta\":null,\"rating\":null}"));
    assert_false(has(a, "contact") || has(a, "+4670"));
    take(t, t->driver);
    a = ask(t, nobody, "GET", path, NULL);
    assert_true(has(a, "\"driver\":{\"name\":\"Ola\",\"vehicle\":\"van\",\"plate\":\"ABC123\"},"
                       "\"position\":{\"lat\":57.7,\"lng\":11.96,\"bearing_deg\":90,\"at\":"));
    assert_true(has(a, "},\"eta\":\"2026-"));
    assert_false(has(a, "Berg"));
    struct house_answer b =
        ask(t, t->customer, "GET", format(t, "/v1/bookings/%s", t->booking), NULL);
    assert_true(has(b, "\"state\":\"pending\",\"eta\":\"2026-"));
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_true(
        has(ask(t, nobody, "GET", path, NULL), "\"position\":null,\"eta\":null,\"rating\":null}"));
    assert_int_equal(act(t, t->staff, "cancel", NULL).status, 200);
    assert_int_equal(ask(t, nobody, "GET", path, NULL).status, 200);
    t->h->now_us += 7 * US_PER_DAY + US_PER_S;
    assert_int_equal(ask(t, nobody, "GET", path, NULL).status, 410);
    char *wrong = arena_cstr(&t->h->arena, str_from(path));
    wrong[strlen(wrong) - 1] = wrong[strlen(wrong) - 1] == 'A' ? 'B' : 'A';
    assert_int_equal(ask(t, nobody, "GET", wrong, NULL).status, 404);
    assert_int_equal(ask(t, nobody, "GET", "/v1/track/x", NULL).status, 404);
    town_free(t);
}

/* Why it failed is told to whoever has the link; of one that was cancelled nothing is. */
static void test_track_reason(void **unused) {
    (void)unused;
    struct town *t = town_new(12);
    struct identity nobody = {0};
    t->fleet.on_duty = true;
    book(t, t->customer);
    const char *path = format(t, "/v1/track/%s", t->token);
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_false(has(ask(t, nobody, "GET", path, NULL), "\"reason\""));
    struct house_answer a = act(t, t->driver, "status",
                                "{\"status\":\"failed\",\"stop\":0,\"reason\":\"Nobody is here\"}");
    assert_int_equal(a.status, 200);
    assert_true(
        has(ask(t, nobody, "GET", path, NULL), "\"reason\":\"Nobody is here\",\"rating\":null}"));
    book(t, t->customer);
    assert_int_equal(act(t, t->staff, "cancel", "{\"reason\":\"A fraud\"}").status, 200);
    path = format(t, "/v1/track/%s", t->token);
    assert_false(has(ask(t, nobody, "GET", path, NULL), "fraud"));
    town_free(t);
}

static struct house_answer rate_by(struct town *t, const char *token, const char *body) {
    struct identity nobody = {0};
    return ask(t, nobody, "POST", format(t, "/v1/track/%s/rating", token), body);
}

static void deliver(struct town *t) {
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    assert_int_equal(status(t, "delivered", 1), 200);
}

/* Whoever has the link rates once, and it is the rating that the customer has. */
static void test_rated_by_link(void **unused) {
    (void)unused;
    struct town *t = town_new(14);
    struct identity nobody = {0};
    book(t, t->customer);
    struct house_answer a = rate_by(t, t->token, "{\"stars\":5}");
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/illegal-transition"));
    deliver(t);
    const char *path = format(t, "/v1/track/%s", t->token);
    a = rate_by(t, t->token, "{\"stars\":4,\"comment\":\"the blue door\"}");
    assert_int_equal(a.status, 200);
    assert_string_equal(header_of(t, a, "Cache-Control"), "no-store");
    assert_true(has(a, "\"rating\":{\"stars\":4}}"));
    assert_false(has(a, "the blue door")); /* what was said is the customer's to read */
    assert_true(has(ask(t, nobody, "GET", path, NULL), "\"rating\":{\"stars\":4}}"));
    a = ask(t, t->customer, "GET", format(t, "/v1/bookings/%s", t->booking), NULL);
    assert_true(has(a, "\"rating\":{\"stars\":4,\"comment\":\"the blue door\"}"));
    a = ask(t, t->customer, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    assert_true(has(a, "\"type\":\"booking.rated\",\"actor\":{\"kind\":\"link\",\"id\":null}"));
    a = rate_by(t, t->token, "{\"stars\":1}");
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/already-rated"));
    assert_int_equal(act(t, t->customer, "rating", "{\"stars\":1}").status, 409);
    /* and the other way round */
    book(t, t->customer);
    deliver(t);
    assert_int_equal(act(t, t->customer, "rating", "{\"stars\":2}").status, 200);
    assert_int_equal(rate_by(t, t->token, "{\"stars\":5}").status, 409);
    town_free(t);
}

static void test_bad_rating_by_link(void **unused) {
    (void)unused;
    static const struct {
        const char *body, *pointer;
    } bad[] = {{"{}", "/stars"},
               {"{\"stars\":0}", "/stars"},
               {"{\"stars\":6}", "/stars"},
               {"{\"stars\":\"five\"}", "/stars"},
               {"{\"stars\":5,\"comment\":7}", "/comment"}};
    struct town *t = town_new(15);
    book(t, t->customer);
    deliver(t);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct house_answer a = rate_by(t, t->token, bad[i].body);
        assert_int_equal(a.status, 422);
        assert_true(has(a, format(t, "\"pointer\":\"%s\"", bad[i].pointer)));
    }
    assert_int_equal(rate_by(t, t->token, "{\"stars\":5").status, 400);
    assert_int_equal(rate_by(t, "x", "{\"stars\":5}").status, 404);
    char *wrong = arena_cstr(&t->h->arena, str_from(t->token));
    wrong[strlen(wrong) - 1] = wrong[strlen(wrong) - 1] == 'A' ? 'B' : 'A';
    assert_int_equal(rate_by(t, wrong, "{\"stars\":5}").status, 404);
    t->h->now_us += 7 * US_PER_DAY + US_PER_S;
    assert_int_equal(rate_by(t, t->token, "{\"stars\":5}").status, 410);
    assert_true(has(ask(t, t->customer, "GET", format(t, "/v1/bookings/%s", t->booking), NULL),
                    "\"rating\":null")); /* nothing of all that was written */
    town_free(t);
}

/* ---- what is not known ---- */

/* The first body in S, or in it, that takes what it does not know; NULL: none does. */
static const char *lax(const struct schema *s) {
    for (int32_t i = 0; s->strict && i < s->count; i++) {
        const struct schema_field *f = &s->fields[i];
        const char *name = (f->flags & S_IN) != 0 && f->sub != NULL ? lax(f->sub) : NULL;
        if (name != NULL)
            return name;
    }
    return s->strict ? NULL : s->name;
}

/* Every body is strict, but those that may be sent back as they were got. */
static void test_bodies_are_strict(void **unused) {
    (void)unused;
    static const char *const sent_back[] = {"TariffsRequest", "ServiceAreaRequest",
                                            "SavedPlaceRequest", "FavouriteRequest"};
    struct town *t = town_new(31);
    const struct service_def *def = booking_service(t->service).def;
    int bodies = 0;
    for (int32_t i = 0; i < def->route_count; i++) {
        const char *name = def->routes[i].body != NULL ? lax(def->routes[i].body) : NULL;
        bodies += def->routes[i].body != NULL;
        for (size_t k = 0; name != NULL && k < COUNT_OF(sent_back); k++)
            name = strcmp(name, sent_back[k]) == 0 ? NULL : name;
        if (name != NULL)
            fail_msg("%s %s: %s", def->routes[i].method, def->routes[i].pattern, name);
    }
    assert_true(bodies > 20);
    town_free(t);
}

/* A protection that is mistyped is none: whoever thinks that he has it is told. */
static void test_mistyped(void **unused) {
    (void)unused;
    struct town *t = town_new(32);
    book(t, t->customer);
    const char *path = format(t, "/v1/bookings/%s", t->booking);
    const char *quote = member(t, ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE), "id");
    const struct {
        struct identity who;
        const char *method, *path, *body, *pointer;
    } bad[] = {
        {t->customer, "POST", "/v1/quotes", TWO_STOPS ",\"promocode\":\"SPRING\"}", "/promocode"},
        {t->customer, "POST", "/v1/quotes",
         "{\"stops\":[{\"lat\":57.7,\"lng\":11.97},{\"lat\":57.69,\"lng\":11.98,\"adress\":"
         "\"x\"}]}",
         "/stops/1/adress"},
        {t->customer, "POST", "/v1/bookings",
         format(t,
                "{\"quote_id\":\"%s\",\"stops\":[{\"contact\":{\"name\":\"Bo\",\"tel\":\"112\"}}]}",
                quote),
         "/stops/0/contact/tel"},
        {t->customer, "POST", "/cancel", "{\"fees\":0}", "/fees"},
        {t->customer, "PUT", "/note", "{\"stop\":0,\"note\":\"x\",\"stops_revison\":0}",
         "/stops_revison"},
        {t->customer, "POST", "/rating", "{\"stars\":1,\"vesion\":1}", "/vesion"},
        {t->customer, "POST", "/rebook", "{\"pickup\":null}", "/pickup"},
        {t->customer, "PUT", "/pickup-window",
         "{\"pickup_window\":{\"from\":\"2026-12-01T10:00:00Z\",\"to\":\"2026-12-01T11:00:00Z\","
         "\"tz\":1}}",
         "/pickup_window/tz"},
        {t->driver, "POST", "/status", "{\"status\":\"arrived_pickup\",\"stop_revision\":0}",
         "/stop_revision"},
        {t->driver, "POST", "/proof", "{\"stop\":0,\"foto\":1}", "/foto"},
        {t->driver, "POST", "/release", "{\"reason\":\"tyre\",\"ver\":1}", "/ver"},
        {t->staff, "POST", "/unassign", "{\"reason\":\"late\",\"serch\":false}", "/serch"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        bool whole = strncmp(bad[i].path, "/v1/", 4) == 0;
        struct house_answer a =
            ask(t, bad[i].who, bad[i].method,
                whole ? bad[i].path : format(t, "%s%s", path, bad[i].path), bad[i].body);
        if (a.status != 422 || !has(a, format(t,
                                              "{\"pointer\":\"%s\",\"detail\":\"is not known "
                                              "here\"}",
                                              bad[i].pointer)))
            fail_msg("%s: %d %.*s", bad[i].body, a.status, STR_ARG(a.body));
    }
    assert_true(has(ask(t, t->customer, "GET", path, NULL), "\"version\":1,"));
    assert_int_equal(listed(t, t->customer, ""), 1); /* and its quote is still good */
    assert_int_equal(ask(t, t->customer, "POST", "/v1/bookings",
                         format(t, "{\"quote_id\":\"%s\",\"notes\":null}", quote))
                         .status,
                     201);
    town_free(t);
}

/* ---- the bench's command is a real one ---- */

static int bench_result = 1;
static void bench_finish(struct command *cmd, int result, struct response *response) {
    (void)cmd;
    bench_result = result == 0 && response->status == 201 ? 0 : -1;
}

static void test_bench(void **unused) {
    (void)unused;
    struct town *t = town_new(13);
    struct command *cmd = booking_bench_create(t->service, &t->h->arena, &t->h->rng, t->h->now_us);
    cmd->finish = bench_finish;
    assert_int_equal(executor_submit(t->h->executor, cmd), 0);
    house_settle(t->h);
    assert_int_equal(bench_result, 0);
    assert_int_equal(listed(t, t->staff, "?state=requested"), 1);
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_quotes_refused),
        cmocka_unit_test(test_tariffs),
        cmocka_unit_test(test_book),
        cmocka_unit_test(test_quote_serves_once),
        cmocka_unit_test(test_bad_bodies),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_way),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_assign),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_merged),
        cmocka_unit_test(test_list_of_a_driver),
        cmocka_unit_test(test_open_max),
        cmocka_unit_test(test_open_max_at_once),
        cmocka_unit_test(test_track),
        cmocka_unit_test(test_rated_by_link),
        cmocka_unit_test(test_bad_rating_by_link),
        cmocka_unit_test(test_track_reason),
        cmocka_unit_test(test_bodies_are_strict),
        cmocka_unit_test(test_mistyped),
        cmocka_unit_test(test_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
