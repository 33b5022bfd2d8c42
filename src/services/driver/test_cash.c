/* A driver's cash book: what events write into it, once; settlements, never twice, and put right by
 * an entry of their own; and that who holds as much cash as he may is offered no more of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/timestamp.h"
#include "services/driver/cash.h"
#include "services/driver/test_rig.h"

#include <stdio.h>
#include <string.h>

#define LAT 57.7
#define LNG 11.97
#define CLERK "usr_01ARZ3NDEKTSV4RRFFQ69G5FA0"

static bool has(struct str text, const char *part) {
    return memmem(text.p, text.len, part, strlen(part)) != NULL;
}

static struct str ask(struct rig *r, int want, enum role role, const char *user, const char *method,
                      const char *path, const char *body) {
    return rig_expect(r, want, role, user, method, path, body);
}

static const char *path_of(struct rig *r, const char *user, const char *rest) {
    return arena_printf(&r->arena, "/v1/drivers/%s/cash%s", rig_driver_id(r, user), rest).p;
}

/* The same key is the same request. */
static struct house_answer settle(struct rig *r, const char *user, const char *key,
                                  const char *body) {
    return house_call(
        r->house, &(struct house_request){
                      .method = "POST",
                      .path = path_of(r, user, "/settlements"),
                      .body = body,
                      .headers = {{key != NULL ? STR("idempotency-key") : STR_NONE, str_from(key)}},
                      .who = house_who(r->house, ROLE_DISPATCHER, CLERK)});
}

static struct ev_booking with_money(struct rig *r, const char *user, struct cash_lines lines) {
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    b.state = BOOKING_ARRIVED_DROPOFF;
    b.driver_id = str_from(rig_driver_id(r, user));
    b.driver_user_id = str_from(user);
    b.money = arena_new(&r->arena, struct cash_lines);
    *b.money = lines;
    b.money_stop = 1;
    return b;
}

static struct cash_lines collected(int64_t goods, int64_t fare) {
    struct cash_lines l = {{0}};
    l.amount[CASH_HELD] = goods + fare;
    l.amount[CASH_CUSTOMERS] = -goods;
    l.amount[CASH_FARES] = -fare;
    return l;
}

static struct cash_lines trip(int64_t total, int64_t earning) {
    struct cash_lines l = {{0}};
    l.amount[CASH_FARES] = total;
    l.amount[CASH_EARNINGS] = -earning;
    l.amount[CASH_COMMISSION] = earning - total;
    return l;
}

static struct str balances(struct rig *r, const char *user) {
    return ask(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver/cash", NULL);
}

static struct str entries(struct rig *r, const char *user) {
    return ask(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver/cash/entries", NULL);
}

static int32_t count_of(struct str text, const char *part) {
    int32_t n = 0;
    const char *p = text.p, *end = text.p + text.len;
    while ((p = memmem(p, (size_t)(end - p), part, strlen(part))) != NULL) {
        n++;
        p++;
    }
    return n;
}

/* ---- what events write ---- */

static void confirmed(void *publisher, int64_t seq, int result) {
    (void)publisher;
    (void)seq;
    assert_int_equal(result, 0);
}

/* Each event counts once, however often it comes, and whatever was heard of the end before. */
static void test_events_count_once(void **unused) {
    (void)unused;
    struct rig *r = rig_new(1);
    const char *user = rig_driver(r, "van", LAT, LNG);
    assert_true(has(balances(r, user), "\"cash_held\":0"));
    struct ev_booking b = with_money(r, user, collected(25000, 10000));
    struct house *h = r->house;
    struct event e = {.id = house_id(h, "evt"),
                      .type = STR(EV_BOOKING_COLLECTED),
                      .key = b.booking_id,
                      .at_us = h->now_us,
                      .data = schema_text(&ev_booking_schema, &b, S_STORE, &r->arena)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(h->bus->ops->publish(h->bus, &e, confirmed, NULL), 0);
        house_settle(h);
    }
    struct str s = balances(r, user);
    assert_true(has(s, "\"cash_held\":35000") && has(s, "\"owed_to_customers\":25000"));
    assert_int_equal(count_of(entries(r, user), "\"kind\":\"collected\""), 1);
    rig_reopen(r); /* it lies in the store */
    struct ev_booking end = b;
    end.state = BOOKING_DELIVERED;
    end.money = NULL;
    rig_say_booking(r, EV_BOOKING_DELIVERED, &end); /* told again, when it was asked for its word */
    *b.money = trip(10000, 8000);
    b.state = BOOKING_DELIVERED;
    b.money_stop = I64_ABSENT;
    rig_say_booking(r, EV_BOOKING_DELIVERED, &b);
    s = balances(r, user);
    assert_true(has(s, "\"earnings_owed\":8000") && has(s, "\"owes_company\":27000") &&
                has(s, "\"commission\":2000") && has(s, "\"fares_due\":0"));
    assert_int_equal(cash_sum(&rig_stored(r, user)->cash->sum), 0);
    s = entries(r, user);
    assert_int_equal(count_of(s, "\"kind\":\"delivered\""), 1);
    rig_free(r);
}

/* Given again after all memory of events has gone, as dead letters are, it counts no second time:
 * also where it was heard before, and not written down. */
static void test_given_again_late(void **unused) {
    (void)unused;
    struct rig *r = rig_new(9);
    const char *user = rig_driver(r, "van", LAT, LNG);
    struct ev_booking b = with_money(r, user, collected(25000, 10000));
    struct house *h = r->house;
    struct event e = {.id = house_id(h, "evt"),
                      .type = STR(EV_BOOKING_COLLECTED),
                      .key = b.booking_id,
                      .at_us = h->now_us,
                      .data = schema_text(&ev_booking_schema, &b, S_STORE, &r->arena)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(h->bus->ops->publish(h->bus, &e, confirmed, NULL), 0);
        house_settle(h);
        assert_true(has(balances(r, user), "\"cash_held\":35000"));
        assert_int_equal(count_of(entries(r, user), "\"kind\":\"collected\""), 1);
        h->now_us += 4 * US_PER_DAY;
        house_advance(h, 3600 * US_PER_S);
    }
    rig_free(r);
}

static void test_unsound_is_nobodys(void **unused) {
    (void)unused;
    struct rig *r = rig_new(2);
    const char *user = rig_driver(r, "van", LAT, LNG);
    struct cash_lines lines = collected(100, 0);
    lines.amount[CASH_TILL] = 1; /* adds up to one */
    struct ev_booking b = with_money(r, user, lines);
    rig_say_booking(r, EV_BOOKING_COLLECTED, &b);
    assert_true(has(balances(r, user), "\"cash_held\":0") && has(entries(r, user), "\"items\":[]"));
    rig_free(r);
}

/* ---- settlements ---- */

static const char *rich(struct rig *r) {
    const char *user = rig_driver(r, "van", LAT, LNG);
    struct ev_booking b = with_money(r, user, collected(25000, 10000));
    rig_say_booking(r, EV_BOOKING_COLLECTED, &b);
    b = with_money(r, user, trip(10000, 8000));
    b.state = BOOKING_DELIVERED;
    rig_say_booking(r, EV_BOOKING_DELIVERED, &b);
    house_advance(r->house, US_PER_S); /* what follows is newer by its id, too */
    return user;
}

static void test_bad_settlements(void **unused) {
    (void)unused;
    static const struct {
        const char *body, *says;
        int status;
    } bad[] = {
        {"{}", "/kind", 422},
        {"{\"kind\":\"given\",\"amount\":1,\"balance\":35000}", "/kind", 422},
        {"{\"kind\":\"handed_in\",\"balance\":35000}", "/amount", 422},
        {"{\"kind\":\"handed_in\",\"amount\":0,\"balance\":35000}", "/amount", 422},
        {"{\"kind\":\"handed_in\",\"amount\":-1,\"balance\":35000}", "/amount", 422},
        {"{\"kind\":\"handed_in\",\"amount\":1.5,\"balance\":35000}", "/amount", 422},
        {"{\"kind\":\"handed_in\",\"amount\":100}", "/balance", 422},
        {"{\"kind\":\"handed_in\",\"amount\":35001,\"balance\":35000}", "/amount", 422},
        {"{\"kind\":\"kept\",\"amount\":8001,\"balance\":35000}", "/amount", 422},
        {"{\"kind\":\"paid_out\",\"amount\":8001,\"balance\":8000}", "/amount", 422},
        {"{\"kind\":\"handed_in\",\"amount\":100,\"balance\":34999}", "\"balance\":35000", 409},
        {"{\"kind\":\"paid_out\",\"amount\":100,\"balance\":35000}", "\"balance\":8000", 409},
    };
    struct rig *r = rig_new(3);
    const char *user = rich(r);
    const char *good = "{\"kind\":\"handed_in\",\"amount\":100,\"balance\":35000}";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct house_answer a = settle(r, user, "k", bad[i].body);
        if (a.status != bad[i].status || !has(a.body, bad[i].says))
            fail_msg("%s: %d %.*s", bad[i].body, a.status, STR_ARG(a.body));
    }
    assert_int_equal(settle(r, user, NULL, good).status, 422); /* no key: it might come twice */
    ask(r, 403, ROLE_DRIVER, user, "POST", path_of(r, user, "/settlements"), good);
    ask(r, 403, ROLE_CUSTOMER, NULL, "POST", path_of(r, user, "/settlements"), good);
    ask(r, 403, ROLE_DRIVER, user, "GET", path_of(r, user, ""), NULL);
    ask(r, 404, ROLE_ADMIN, NULL, "GET", "/v1/drivers/drv_x/cash", NULL);
    ask(r, 422, ROLE_DRIVER, user, "GET", "/v1/driver/cash/entries?format=pdf", NULL);
    /* another driver's page is not to be walked into */
    ask(r, 422, ROLE_DRIVER, user, "GET", "/v1/driver/cash/entries?cursor=WlpaWlpa", NULL);
    assert_true(has(balances(r, user), "\"cash_held\":35000"));
    assert_int_equal(count_of(entries(r, user), "\"kind\""), 2);
    rig_free(r);
}

static void test_settled_once(void **unused) {
    (void)unused;
    struct rig *r = rig_new(4);
    const char *user = rich(r);
    const char *body = "{\"kind\":\"handed_in\",\"amount\":20000,\"balance\":35000,"
                       "\"reference\":\"R-17\"}";
    struct house_answer a = settle(r, user, "one", body), b = settle(r, user, "one", body);
    assert_int_equal(a.status, 201);
    assert_true(has(a.body, "{\"account\":\"held\",\"amount\":-20000}") &&
                has(a.body, "{\"account\":\"till\",\"amount\":20000}"));
    if (b.status != 201 || !str_eq(a.body, b.body))
        fail_msg("%d: %.*s, then %d: %.*s", a.status, STR_ARG(a.body), b.status, STR_ARG(b.body));
    /* somebody else records the same with a key of his own */
    assert_int_equal(settle(r, user, "two", body).status, 409);
    assert_true(has(balances(r, user), "\"cash_held\":15000"));
    assert_int_equal(count_of(entries(r, user), "\"kind\":\"handed_in\""), 1);
    assert_int_equal(r->notice_count > 0 && str_is(r->notice.kind, "cash_settled"), 1);
    assert_int_equal(r->notice.amount, 20000);
    a = settle(r, user, "three", "{\"kind\":\"kept\",\"amount\":8000,\"balance\":15000}");
    assert_int_equal(a.status, 201);
    assert_true(has(balances(r, user), "\"cash_held\":7000,\"earnings_owed\":0,"
                                       "\"owes_company\":7000"));
    struct str csv =
        ask(r, 200, ROLE_DISPATCHER, NULL, "GET", path_of(r, user, "/entries?format=csv"), NULL);
    assert_true(has(csv, "at,id,kind,booking_id,stop,currency,held,customers,fares,earnings,"
                         "commission,tax,discounts,till,by,reverses,reference,reason\r\n"));
    assert_true(has(csv, ",-20000,0,0,0,0,0,0,20000,") && has(csv, "\"R-17\""));
    assert_int_equal(count_of(csv, "\r\n"), 5);
    ask(r, 200, ROLE_ADMIN, NULL, "GET", "/v1/cash", NULL);
    rig_free(r);
}

static void test_put_right(void **unused) {
    (void)unused;
    struct rig *r = rig_new(5);
    const char *user = rich(r);
    settle(r, user, "one", "{\"kind\":\"handed_in\",\"amount\":20000,\"balance\":35000}");
    struct str s = entries(r, user);
    const char *at = memmem(s.p, s.len, "cse_", 4); /* the newest */
    const char *path = path_of(r, user, arena_printf(&r->arena, "/entries/%.30s/reverse", at).p);
    ask(r, 422, ROLE_ADMIN, NULL, "POST", path, "{}");
    ask(r, 403, ROLE_DRIVER, user, "POST", path, "{\"reason\":\"mine\"}");
    struct str entry = ask(r, 201, ROLE_ADMIN, NULL, "POST", path, "{\"reason\":\"miscounted\"}");
    assert_true(has(entry, "{\"account\":\"held\",\"amount\":20000}"));
    assert_true(has(balances(r, user), "\"cash_held\":35000"));
    s = ask(r, 409, ROLE_ADMIN, NULL, "POST", path, "{\"reason\":\"again\"}");
    assert_true(has(s, "/problems/cash-reversed"));
    assert_true(has(balances(r, user), "\"cash_held\":35000"));
    s = entries(r, user); /* both are there */
    assert_true(has(s, "\"kind\":\"handed_in\"") && has(s, "\"reversed_by\":\"cse_") &&
                has(s, "\"kind\":\"reversed\"") && has(s, "\"reason\":\"miscounted\""));
    /* what a booking brought is not put right here */
    at = memmem(s.p, s.len, "\"kind\":\"collected\"", 18);
    while (memcmp(at, "cse_", 4) != 0)
        at--;
    path = path_of(r, user, arena_printf(&r->arena, "/entries/%.30s/reverse", at).p);
    ask(r, 409, ROLE_ADMIN, NULL, "POST", path, "{\"reason\":\"x\"}");
    rig_free(r);
}

/* ---- the limit ---- */

static void test_limit(void **unused) {
    (void)unused;
    struct rig *r = rig_new(6);
    r->options.cash_limit = 30000;
    rig_reopen(r);
    const char *user = rich(r);
    assert_true(has(balances(r, user), "\"limit\":30000,\"limit_reached\":true"));
    struct ev_booking cash = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    cash.cash = 5000;
    rig_say_booking(r, EV_BOOKING_REQUESTED, &cash);
    assert_null(rig_last(r, EV_DISPATCH_OFFERED));
    struct str trace = ask(
        r, 200, ROLE_DISPATCHER, NULL, "GET",
        arena_printf(&r->arena, "/v1/bookings/%.*s/dispatch", STR_ARG(cash.booking_id)).p, NULL);
    assert_true(has(trace, "\"reason_code\":\"cash_limit\"") &&
                has(trace, "holds as much cash as a driver may"));
    struct ev_booking card = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    rig_say_booking(r, EV_BOOKING_REQUESTED, &card);
    assert_non_null(rig_last(r, EV_DISPATCH_OFFERED)); /* what brings no cash he is offered */
    rig_free(r);
}

static void test_limit_lifted_by_settling(void **unused) {
    (void)unused;
    struct rig *r = rig_new(7);
    r->options.cash_limit = 30000;
    rig_reopen(r);
    const char *user = rich(r);
    settle(r, user, "one", "{\"kind\":\"handed_in\",\"amount\":35000,\"balance\":35000}");
    struct ev_booking cash = rig_booking(r, VEHICLE_VAN, LAT, LNG);
    cash.cash = 5000;
    rig_say_booking(r, EV_BOOKING_REQUESTED, &cash);
    assert_non_null(rig_last(r, EV_DISPATCH_OFFERED));
    rig_free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_count_once),
        cmocka_unit_test(test_given_again_late),
        cmocka_unit_test(test_unsound_is_nobodys),
        cmocka_unit_test(test_bad_settlements),
        cmocka_unit_test(test_settled_once),
        cmocka_unit_test(test_put_right),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_lifted_by_settling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
