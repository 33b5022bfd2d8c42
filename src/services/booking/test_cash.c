/* Cash at stops, through the routes: what may be asked for, what is due, what is confirmed, and
 * that the ledger adds up to zero all the while. */
#include "services/booking/collect.h"
#include "services/booking/ledger.h"
#include "services/booking/test_town.h"

#define MIN_US (60 * US_PER_S)

/* Base 10,000, so much a kilometre, and MORE. */
static struct town *tariff_town(uint64_t seed, int per_km, const char *more) {
    struct town *t = town_new(seed);
    struct house_answer a =
        ask(t, house_who(t->h, ROLE_ADMIN, NULL), "PUT", "/v1/tariffs",
            format(t,
                   "{\"currency\":\"SEK\",\"items\":[{\"vehicle\":\"van\",\"base\":10000,"
                   "\"per_km\":%d,\"per_minute\":0,\"minimum\":0,\"waiting_free_minutes\":10,"
                   "\"waiting_per_minute\":400}],\"commission_bp\":2000%s}",
                   per_km, more));
    assert_int_equal(a.status, 200);
    return t;
}
static struct town *cash_town(uint64_t seed) {
    return tariff_town(seed, 0, "");
}
static struct town *returns_town(uint64_t seed) {
    return tariff_town(seed, 1000, ",\"returns\":{\"percent\":50}");
}

static struct house_answer try_book(struct town *t, const char *payment, const char *stops) {
    struct house_answer q = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    assert_int_equal(q.status, 201);
    struct house_answer b = ask(t, t->customer, "POST", "/v1/bookings",
                                format(t, "{\"quote_id\":\"%s\",\"payment\":\"%s\",\"stops\":%s}",
                                       member(t, q, "id"), payment, stops));
    if (b.status == 201)
        t->booking = member(t, b, "id");
    return b;
}

/* At the dropoff, whose customer wants so much for his goods. */
static void at_dropoff(struct town *t, const char *payment, const char *goods) {
    struct house_answer b =
        try_book(t, payment, format(t, "[{},{\"collect\":{\"amount\":%s}}]", goods));
    assert_int_equal(b.status, 201);
    take(t, t->driver);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
}

static struct house_answer confirm(struct town *t, struct identity who, const char *body) {
    return ask(t, who, "POST", format(t, "/v1/bookings/%s/collection", t->booking), body);
}

/* The booking as the store has it; its ledger adds up. */
static const struct booking *kept(struct town *t) {
    void *state;
    assert_int_equal(aggregate_get(&booking_aggregate, t->h->worker.reader, t->h->worker.parser,
                                   str_from(t->booking), &t->h->arena, &state),
                     0);
    const struct booking *b = state;
    int64_t sum = 0;
    for (int32_t i = 0; i < b->ledger_count; i++)
        sum += b->ledger[i].amount;
    assert_int_equal(sum, 0);
    struct cash_lines *lines = ledger_book_lines(b, 0, &t->h->arena);
    for (int i = 1; lines != NULL && i < CASH_ACCOUNT_COUNT; i++)
        sum += lines->amount[i];
    assert_int_equal(sum, 0);
    return b;
}

static void book_has(struct town *t, int64_t held, int64_t customers, int64_t fares) {
    const struct cash_lines *lines = ledger_book_lines(kept(t), 0, &t->h->arena);
    assert_non_null(lines);
    assert_int_equal(lines->amount[CASH_HELD], held);
    assert_int_equal(lines->amount[CASH_CUSTOMERS], customers);
    assert_int_equal(lines->amount[CASH_FARES], fares);
}

static void test_bad_asks(void **unused) {
    (void)unused;
    static const struct {
        const char *stops, *pointer;
    } bad[] = {
        {"[{\"collect\":{\"amount\":100}}]", "/stops/0/collect\""},
        {"[{},{\"collect\":{}}]", "/stops/1/collect/amount"},
        {"[{},{\"collect\":{\"amount\":0}}]", "/stops/1/collect/amount"},
        {"[{},{\"collect\":{\"amount\":-5}}]", "/stops/1/collect/amount"},
        {"[{},{\"collect\":{\"amount\":12.5}}]", "/stops/1/collect/amount"},
        {"[{},{\"collect\":{\"amount\":\"100\"}}]", "/stops/1/collect/amount"},
        {"[{},{\"collect\":{\"amount\":1000001}}]", "/stops/1/collect/amount"},
        {"[{},{\"collect\":{\"amount\":1e18}}]", "/stops/1/collect/amount"},
        {"[{},{\"collect\":{\"amount\":100,\"currency\":\"EUR\"}}]", "/stops/1/collect/currency"},
        {"[{},{\"collect\":7}]", "/stops/1/collect"},
    };
    struct town *t = cash_town(1);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct house_answer a = try_book(t, "cash", bad[i].stops);
        if (a.status != 422 || !has(a, bad[i].pointer))
            fail_msg("%s: %d %.*s", bad[i].stops, a.status, STR_ARG(a.body));
    }
    assert_true(has(ask(t, t->customer, "GET", "/v1/bookings", NULL), "\"items\":[]"));
    town_free(t);
}

static void test_bad_confirmations(void **unused) {
    (void)unused;
    static const struct {
        const char *body, *pointer;
        int status;
    } bad[] = {
        {"{}", "/stop", 422},
        {"{\"stop\":1}", "/amount", 422},
        {"{\"stop\":1,\"amount\":-1}", "/amount", 422},
        {"{\"stop\":1,\"amount\":12.5}", "/amount", 422},
        {"{\"stop\":1,\"amount\":35001}", "/amount", 422}, /* more than is due */
        {"{\"stop\":1,\"amount\":34999}", "/reason", 422}, /* less, and no reason */
        {"{\"stop\":1,\"amount\":34999,\"reason\":\"\"}", "/reason", 422},
        {"{\"stop\":0,\"amount\":0}", "illegal-transition", 409},
        {"{\"stop\":1,\"amount\":35000,\"version\":1}", "version-conflict", 409},
    };
    struct town *t = cash_town(2);
    at_dropoff(t, "cash", "25000");
    int64_t version = kept(t)->head.version;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct house_answer a = confirm(t, t->driver, bad[i].body);
        if (a.status != bad[i].status || !has(a, bad[i].pointer))
            fail_msg("%s: %d %.*s", bad[i].body, a.status, STR_ARG(a.body));
    }
    const char *whole = "{\"stop\":1,\"amount\":35000}";
    assert_int_equal(confirm(t, t->customer, whole).status, 403);
    assert_int_equal(confirm(t, t->driver2, whole).status, 404);
    assert_int_equal(confirm(t, house_who(t->h, ROLE_DISPATCHER, NULL), whole).status, 422);
    assert_int_equal(kept(t)->head.version, version); /* nothing of it was written */
    assert_int_equal(kept(t)->ledger_count, 0);
    town_free(t);
}

static void test_whole(void **unused) {
    (void)unused;
    struct town *t = cash_town(3);
    at_dropoff(t, "cash", "25000");
    struct house_answer a = act(t, t->driver, "status", "{\"status\":\"delivered\"}");
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/cash-missing") && has(a, "\"stop\":1"));
    a = confirm(t, t->driver, "{\"stop\":1,\"amount\":35000}");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"cash\":{\"currency\":\"SEK\",\"goods\":25000,\"fare\":10000,"
                       "\"due\":35000,\"collected\":35000"));
    book_has(t, 35000, -25000, -10000);
    int64_t version = kept(t)->head.version;
    assert_int_equal(confirm(t, t->driver, "{\"stop\":1,\"amount\":35000}").status, 200);
    assert_int_equal(kept(t)->head.version, version); /* said again: nothing new */
    assert_int_equal(status(t, "delivered", 1), 200);
    book_has(t, 35000, -25000, 0); /* and what it cost is paid */
    assert_int_equal(ledger_earned(kept(t)), 8000);
    a = ask(t, t->customer, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    assert_true(has(a, "booking.collected") && has(a, "\"amount\":35000"));
    assert_int_equal(confirm(t, t->driver, "{\"stop\":1,\"amount\":35000}").status, 409);
    town_free(t);
}

/* The fare first: what is left is the customer's. */
static void test_less(void **unused) {
    (void)unused;
    struct town *t = cash_town(4);
    at_dropoff(t, "cash", "25000");
    const char *less = "{\"stop\":1,\"amount\":12000,\"reason\":\"had no more\"}";
    assert_int_equal(confirm(t, t->driver, less).status, 200);
    book_has(t, 12000, -2000, -10000);
    /* he has counted again: the difference is written, nothing is changed */
    int32_t lines = kept(t)->ledger_count;
    less = "{\"stop\":1,\"amount\":4000,\"reason\":\"false notes\"}";
    assert_int_equal(confirm(t, t->driver, less).status, 200);
    book_has(t, 4000, 0, -4000);
    assert_true(kept(t)->ledger_count > lines);
    assert_int_equal(kept(t)->ledger[0].amount, 2000);
    assert_int_equal(status(t, "delivered", 1), 200);
    book_has(t, 4000, 0, 6000); /* the customer owes it */
    town_free(t);
}

static void test_often_enough(void **unused) {
    (void)unused;
    struct town *t = cash_town(5);
    at_dropoff(t, "card", "500");
    for (int i = 0; i <= COLLECT_CHANGES_MAX; i++) {
        const char *body =
            format(t, "{\"stop\":1,\"amount\":%d,\"reason\":\"counted again\"}", 400 + i);
        assert_int_equal(confirm(t, t->driver, body).status, i < COLLECT_CHANGES_MAX ? 200 : 422);
    }
    struct identity staff = house_who(t->h, ROLE_DISPATCHER, NULL); /* has the last word */
    for (int i = COLLECT_CHANGES_MAX; i <= COLLECT_CHANGES_IN_ALL; i++) {
        const char *body = format(t, "{\"stop\":1,\"amount\":%d,\"reason\":\"seen\"}", 399 + i);
        assert_int_equal(confirm(t, staff, body).status, i < COLLECT_CHANGES_IN_ALL ? 200 : 422);
    }
    book_has(t, 406, -406, 0); /* paid by card: the fare is not the driver's to take */
    town_free(t);
}

/* A fare alone counts as taken; the office puts right what is wrong afterwards. */
static void test_put_right_by_the_office(void **unused) {
    (void)unused;
    struct town *t = cash_town(6);
    struct identity staff = house_who(t->h, ROLE_DISPATCHER, NULL);
    assert_int_equal(try_book(t, "cash", "[]").status, 201);
    take(t, t->driver);
    assert_int_equal(confirm(t, staff, "{\"stop\":1,\"amount\":5,\"reason\":\"x\"}").status, 422);
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
    assert_int_equal(status(t, "delivered", 1), 200);
    book_has(t, 10000, 0, 0);
    assert_true(has(confirm(t, staff, "{\"stop\":1,\"amount\":7000}"), "/reason"));
    assert_true(
        has(confirm(t, staff, "{\"stop\":1,\"amount\":7000,\"reason\":\" \\n \"}"), "/reason"));
    const char *body = "{\"stop\":1,\"amount\":7000,\"reason\":\"the recipient has a receipt\"}";
    struct house_answer a = confirm(t, staff, body);
    assert_int_equal(a.status, 200);
    house_settle(t->h);
    assert_non_null(strstr(t->note, "booking.cash_corrected"));
    assert_non_null(strstr(t->note, "10000"));
    assert_non_null(strstr(t->note, "7000"));
    assert_non_null(strstr(t->note, "the recipient has a receipt"));
    assert_true(has(a, "\"collected\":7000") && has(a, "\"state\":\"delivered\""));
    book_has(t, 7000, 0, 3000);
    assert_int_equal(ledger_earned(kept(t)), 8000); /* he earned it all the same */
    assert_int_equal(confirm(t, staff, "{\"stop\":9,\"amount\":1,\"reason\":\"x\"}").status, 422);
    town_free(t);
}

/* What he is asked for is what is due now, and grows no more once it was paid. */
static void test_waiting_is_due(void **unused) {
    (void)unused;
    struct town *t = cash_town(7);
    at_dropoff(t, "cash", "1000");
    house_advance(t->h, 12 * MIN_US);
    struct house_answer a =
        ask(t, t->driver, "GET", format(t, "/v1/bookings/%s/collection", t->booking), NULL);
    assert_true(has(a, "\"stop\":1,\"goods\":1000,\"fare\":10800,\"due\":11800,"
                       "\"collected\":null"));
    assert_int_equal(confirm(t, t->driver, "{\"stop\":1,\"amount\":11800}").status, 200);
    house_advance(t->h, 30 * MIN_US);
    assert_int_equal(status(t, "delivered", 1), 200);
    assert_int_equal(kept(t)->price.total, 10800);
    book_has(t, 11800, -1000, 0);
    assert_int_equal(
        ask(t, t->other, "GET", format(t, "/v1/bookings/%s/collection", t->booking), NULL).status,
        404);
    town_free(t);
}

/* Goods that were paid for and then went back: what he took he holds. */
static void test_failed_after(void **unused) {
    (void)unused;
    struct town *t = cash_town(8);
    at_dropoff(t, "cash", "1000");
    assert_int_equal(confirm(t, t->driver, "{\"stop\":1,\"amount\":0,\"reason\":\"no\"}").status,
                     200);
    assert_null(ledger_book_lines(kept(t), 0, &t->h->arena));
    assert_int_equal(
        act(t, t->driver, "status", "{\"status\":\"failed\",\"reason\":\"did not pay\"}").status,
        200);
    assert_null(ledger_book_lines(kept(t), 0, &t->h->arena));
    town_free(t);
}

/* Cash was taken, and then it was not delivered after all: he holds it, the timeline says how much,
 * and all of it is the customer's; so it stays where the office puts it right. */
static void test_failed_with_cash(void **unused) {
    (void)unused;
    struct town *t = cash_town(9);
    at_dropoff(t, "cash", "1000");
    assert_int_equal(confirm(t, t->driver, "{\"stop\":1,\"amount\":11000}").status, 200);
    book_has(t, 11000, -1000, -10000);
    struct house_answer a =
        act(t, t->driver, "status", "{\"status\":\"failed\",\"reason\":\"changed his mind\"}");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"collected\":11000"));
    book_has(t, 11000, -11000, 0);
    const struct booking *b = kept(t);
    const struct timeline_entry *last = &b->timeline[b->timeline_count - 1];
    assert_true(last->type == ENTRY_FAILED && last->amount == 11000 && last->stop == 1);
    a = ask(t, t->staff, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    assert_true(has(a, "\"amount\":11000,") || has(a, "\"amount\":11000}"));
    struct identity staff = house_who(t->h, ROLE_DISPATCHER, NULL);
    const char *back = "{\"stop\":1,\"amount\":1000,\"reason\":\"he gave the rest back\"}";
    assert_int_equal(confirm(t, staff, back).status, 200);
    book_has(t, 1000, -1000, 0);
    back = "{\"stop\":1,\"amount\":0,\"reason\":\"and that, too\"}";
    assert_int_equal(confirm(t, staff, back).status, 200);
    book_has(t, 0, 0, 0);
    town_free(t);
}

/* The office cancels what was paid for at the door: nobody pays for the trip, so all of it is the
 * customer's, as where it fails. What is put right then may be put right again. */
static void test_cancelled_with_cash(void **unused) {
    (void)unused;
    struct town *t = cash_town(11);
    struct identity staff = house_who(t->h, ROLE_DISPATCHER, NULL);
    at_dropoff(t, "cash", "1000");
    assert_int_equal(confirm(t, t->driver, "{\"stop\":1,\"amount\":11000}").status, 200);
    book_has(t, 11000, -1000, -10000);
    assert_int_equal(act(t, staff, "cancel", "{\"reason\":\"wrong goods\"}").status, 200);
    book_has(t, 11000, -11000, 0);
    static const int64_t said[] = {10500, 0, 11000};
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        struct house_answer a = confirm(
            t, staff,
            format(t, "{\"stop\":1,\"amount\":%lld,\"reason\":\"counted\"}", (long long)said[i]));
        assert_int_equal(a.status, 200);
        book_has(t, said[i], -said[i], 0);
    }
    town_free(t);
}

/* Where drivers may hold so much and no more, a customer asks no driver for more than he took the
 * booking with. The office may, and anybody as long as it is nobody's. */
static void test_more_cash_later(void **unused) {
    (void)unused;
    struct town *t = cash_town(10);
    t->options.cash_limit = 5000;
    town_reopen(t, 0);
#define AND_COLLECT(rev, n, more)                                                                  \
    "{\"stops_revision\":" #rev                                                                    \
    ",\"total\":100000000,\"stops\":[{\"index\":0},{\"lat\":57.71,\"lng\":"                        \
    "11.97,\"collect\":{\"amount\":" #n "}},{\"index\":1}]" more "}"
    assert_int_equal(try_book(t, "card", "[{},{\"collect\":{\"amount\":500}}]").status, 201);
    assert_int_equal(act(t, t->customer, "stops", AND_COLLECT(0, 300, "")).status, 200);
    take(t, t->driver);
    struct house_answer a = act(
        t, t->customer, "stops/preview",
        "{\"stops_revision\":1,\"stops\":[{\"index\":0},{\"lat\":57.71,\"lng\":11.97,\"collect\":{"
        "\"amount\":301}},{\"index\":2}]}");
    assert_true(a.status == 422 && has(a, "/stops/1/collect"));
#define INSTEAD(rev, n)                                                                            \
    "{\"stops_revision\":" #rev                                                                    \
    ",\"total\":100000000,\"stops\":[{\"index\":0},{\"lat\":57.71,\"lng\":"                        \
    "11.97,\"collect\":{\"amount\":" #n "}},{\"index\":2}]}"
    assert_int_equal(act(t, t->customer, "stops", INSTEAD(1, 301)).status, 422);
    assert_int_equal(act(t, t->customer, "stops", INSTEAD(1, 300)).status, 200);
    assert_int_equal(
        act(t, t->staff, "stops", AND_COLLECT(2, 900, ",\"reason\":\"he agrees\"")).status, 200);
    town_free(t);
}

#define FAILS "{\"status\":\"failed\",\"reason\":\"nobody in\"}"
#define BACK_NAME "{\"stop\":2,\"name\":\"Asha\"}"

/* Up to the door where they came from, whose sender pays what was not paid before. */
static void brought_back(struct town *t) {
    assert_int_equal(act(t, t->driver, "status", FAILS).status, 200);
    assert_int_equal(status(t, "arrived_return", 2), 200);
    assert_int_equal(act(t, t->driver, "proof", BACK_NAME).status, 200);
}

static int confirms(struct town *t, struct identity who, int stop, int64_t amount) {
    return confirm(t, who,
                   format(t, "{\"stop\":%d,\"amount\":%lld,\"reason\":\"by receipt\"}", stop,
                          (long long)amount))
        .status;
}

/* "fare":FARE … "due":DUE,"collected":COLLECTED is at some stop of what the driver sees. */
static bool shows(struct town *t, int64_t fare, int64_t due, const char *collected) {
    struct house_answer a =
        ask(t, t->driver, "GET", format(t, "/v1/bookings/%s", t->booking), NULL);
    return has(a, format(t, "\"fare\":%lld,\"due\":%lld,\"collected\":%s", (long long)fare,
                         (long long)due, collected));
}

static void test_returned(void **unused) {
    (void)unused;
    struct town *t = returns_town(9);
    at_dropoff(t, "cash", "25000");
    int64_t agreed = kept(t)->price.total;
    brought_back(t);
    int64_t total = kept(t)->price.total;
    assert_true(total > agreed);
    assert_true(shows(t, total, total, "null"));
    assert_int_equal(confirms(t, t->driver, 2, total + 1), 422);
    assert_int_equal(status(t, "returned", 2), 200); /* nothing said: he has it all */
    book_has(t, total, 0, 0);
    assert_int_equal(confirms(t, house_who(t->h, ROLE_DISPATCHER, NULL), 2, total - 3000), 200);
    book_has(t, total - 3000, 0, 3000);
    town_free(t);
}

/* The fare was taken at the door before it turned out that the goods go back. */
static void test_returned_after_it_was_paid(void **unused) {
    (void)unused;
    struct town *t = returns_town(10);
    struct identity staff = house_who(t->h, ROLE_DISPATCHER, NULL);
    at_dropoff(t, "cash", "25000");
    int64_t agreed = kept(t)->price.total;
    assert_int_equal(confirms(t, t->driver, 1, agreed), 200);
    brought_back(t);
    int64_t total = kept(t)->price.total;
    assert_true(shows(t, agreed, 25000 + agreed, format(t, "%lld", (long long)agreed)));
    assert_true(shows(t, total - agreed, total - agreed, "null"));
    assert_int_equal(status(t, "returned", 2), 200);
    book_has(t, total, 0, 0);
    /* the office takes back what was said at the door: what is known of the way back stays */
    assert_int_equal(confirms(t, staff, 1, agreed - 6000), 200);
    assert_true(shows(t, total - agreed + 6000, total - agreed + 6000,
                      format(t, "%lld", (long long)(total - agreed))));
    book_has(t, total - 6000, 0, 6000);
    assert_int_equal(confirms(t, staff, 2, total - agreed + 6000), 200);
    book_has(t, total, 0, 0);
    town_free(t);
}

/* At a door that is not the last any more the office said less, and was wrong: it may say again
 * what it was, for the trip as well; but not what has been paid at the other door since. */
static void test_said_less_and_again(void **unused) {
    (void)unused;
    struct town *t = returns_town(12);
    struct identity staff = house_who(t->h, ROLE_DISPATCHER, NULL);
    at_dropoff(t, "cash", "25000");
    int64_t agreed = kept(t)->price.total;
    assert_int_equal(confirms(t, t->driver, 1, 25000 + agreed), 200);
    brought_back(t);
    int64_t total = kept(t)->price.total;
    assert_int_equal(confirms(t, staff, 1, 0), 200);
    assert_int_equal(confirms(t, staff, 1, 25000 + agreed + 1), 422);
    assert_int_equal(confirms(t, staff, 1, agreed), 200); /* of less, the fare is paid first */
    assert_true(shows(t, total - agreed, total - agreed, "null"));
    assert_int_equal(status(t, "returned", 2), 200);
    book_has(t, total, 0, 0);
    assert_int_equal(confirms(t, staff, 1, 0), 200);
    assert_int_equal(confirms(t, staff, 1, 25000 + agreed), 200);
    book_has(t, total + 25000, -25000, 0);
    assert_int_equal(confirms(t, staff, 1, 0), 200);
    assert_int_equal(confirms(t, staff, 2, total), 200);
    assert_int_equal(confirms(t, staff, 1, 25000 + agreed), 422);
    assert_int_equal(confirms(t, staff, 1, 25000), 200);
    book_has(t, total + 25000, -25000, 0);
    town_free(t);
}

/* Makes the booking what a version that did not keep `fare_due` has stored. */
static void store_without_fare_due(struct town *t) {
    struct store *store = executor_store(t->h->executor);
    struct arena *a = &t->h->arena;
    struct store_doc doc;
    assert_int_equal(store->ops->get(store, &booking_collection, str_from(t->booking), a, &doc), 0);
    const char *state = arena_cstr(a, doc.state), *at = strstr(state, ",\"fare_due\":");
    assert_non_null(at);
    struct store_change change = {.collection = &booking_collection,
                                  .id = doc.id,
                                  .expected_version = doc.version,
                                  .state = arena_printf(a, "%.*s%s", (int)(at - state), state,
                                                        at + 1 + strcspn(at + 1, ",}")),
                                  .wake_at_us = doc.wake_at_us,
                                  .commit_id = STR("before"),
                                  .at_us = t->h->now_us};
    assert_int_equal(store->ops->commit(store, &change, 1, NULL, 0), 0);
    assert_int_equal(change.result, 0);
}

/* Of what was confirmed before `fare_due` was kept, the office may say less and again what it was;
 * not again what was said less of then. It learns it where the office cancels as well. */
static void test_stored_before_fare_due(void **unused) {
    (void)unused;
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        struct town *t = returns_town(13);
        struct identity staff = house_who(t->h, ROLE_DISPATCHER, NULL);
        at_dropoff(t, "cash", "25000");
        int64_t agreed = kept(t)->price.total;
        assert_int_equal(confirms(t, t->driver, 1, 25000 + agreed), 200);
        store_without_fare_due(t);
        brought_back(t);
        if (cancelled)
            assert_int_equal(act(t, staff, "cancel", "{\"reason\":\"lost\"}").status, 200);
        assert_int_equal(confirms(t, staff, 1, 0), 200);
        assert_int_equal(confirms(t, staff, 1, 25000 + agreed), 200);
        book_has(t, 25000 + agreed, -25000 - (cancelled ? agreed : 0), cancelled ? 0 : -agreed);
        assert_int_equal(confirms(t, staff, 1, 0), 200);
        store_without_fare_due(t);
        assert_int_equal(confirms(t, staff, 1, 25000 + agreed), 422);
        assert_int_equal(confirms(t, staff, 1, 25000), 200);
        town_free(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_asks),
        cmocka_unit_test(test_bad_confirmations),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_less),
        cmocka_unit_test(test_often_enough),
        cmocka_unit_test(test_put_right_by_the_office),
        cmocka_unit_test(test_waiting_is_due),
        cmocka_unit_test(test_failed_after),
        cmocka_unit_test(test_failed_with_cash),
        cmocka_unit_test(test_cancelled_with_cash),
        cmocka_unit_test(test_said_less_and_again),
        cmocka_unit_test(test_stored_before_fare_due),
        cmocka_unit_test(test_more_cash_later),
        cmocka_unit_test(test_returned),
        cmocka_unit_test(test_returned_after_it_was_paid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
