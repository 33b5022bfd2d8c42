/* Places that customers have given names, through the routes. */
#include "services/booking/saved_places.h"
#include "services/booking/test_town.h"

#define AT "/v1/me/places"
#define HOME                                                                                       \
    "{\"label\":\"Home\",\"lat\":57.7089,\"lng\":11.9746,\"address\":\"Drottningtorget 5\","       \
    "\"contact\":{\"name\":\"Bo\",\"phone\":\"+46701234567\"}}"

static struct house_answer places(struct town *t, struct identity who) {
    struct house_answer a = ask(t, who, "GET", AT, NULL);
    assert_int_equal(a.status, 200);
    return a;
}

static const char *saved(struct town *t, struct identity who, const char *body) {
    struct house_answer a = ask(t, who, "POST", AT, body);
    assert_int_equal(a.status, 201);
    return member(t, a, "id");
}

static void test_saved_renamed_removed(void **unused) {
    (void)unused;
    struct town *t = town_new(1);
    assert_true(has(places(t, t->customer), "{\"items\":[],\"next_cursor\":null}"));
    const char *home = format(t, AT "/%s", saved(t, t->customer, HOME));
    saved(t, t->customer, "{\"label\":\"Depot\",\"lat\":57.6969,\"lng\":11.9865}");
    struct house_answer a = places(t, t->customer);
    assert_true(has(a, "\"label\":\"Home\",\"lat\":57.7089,\"lng\":11.9746,"
                       "\"address\":\"Drottningtorget 5\","
                       "\"contact\":{\"name\":\"Bo\",\"phone\":\"+46701234567\"}"));
    assert_true(has(a, "\"label\":\"Depot\",\"lat\":57.6969,\"lng\":11.9865,\"created_at\""));
    /* the whole of it is sent: what is left out goes */
    a = ask(t, t->customer, "PUT", home, "{\"label\":\"Hem\",\"lat\":57.7,\"lng\":11.97}");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"label\":\"Hem\",\"lat\":57.7,\"lng\":11.97,\"created_at\""));
    town_reopen(t, 0);
    a = places(t, t->customer);
    assert_true(has(a, "\"Hem\"") && has(a, "\"Depot\"") && !has(a, "Drottningtorget"));
    for (int i = 0; i < 2; i++) /* twice is once */
        assert_int_equal(ask(t, t->customer, "DELETE", home, NULL).status, 204);
    a = places(t, t->customer);
    assert_true(!has(a, "\"Hem\"") && has(a, "\"Depot\""));
    assert_int_equal(ask(t, t->customer, "PUT", home, HOME).status, 404);
    town_free(t);
}

static void test_nobody_elses(void **unused) {
    (void)unused;
    struct town *t = town_new(2);
    const char *home = format(t, AT "/%s", saved(t, t->customer, HOME));
    assert_true(has(places(t, t->other), "\"items\":[]"));
    assert_int_equal(ask(t, t->other, "PUT", home, HOME).status, 404);
    assert_int_equal(ask(t, t->other, "DELETE", home, NULL).status, 204); /* of his own: none */
    assert_true(has(places(t, t->customer), "\"Home\""));
    assert_int_equal(ask(t, t->driver, "GET", AT, NULL).status, 403);
    assert_int_equal(ask(t, t->staff, "POST", AT, HOME).status, 403);
    town_free(t);
}

static void test_bad_input(void **unused) {
    (void)unused;
    static const struct {
        const char *body, *pointer;
    } bad[] = {
        {"{\"lat\":57.7,\"lng\":11.97}", "/label"},
        {"{\"label\":\"\",\"lat\":57.7,\"lng\":11.97}", "/label"},
        {"{\"label\":\"two\\nlines\",\"lat\":57.7,\"lng\":11.97}", "/label"},
        {"{\"label\":7,\"lat\":57.7,\"lng\":11.97}", "/label"},
        {"{\"label\":"
         "\"1234567890123456789012345678901234567890123456789012345678901\","
         "\"lat\":57.7,\"lng\":11.97}",
         "/label"},
        {"{\"label\":\"Home\",\"lng\":11.97}", "/lat"},
        {"{\"label\":\"Home\",\"lat\":90.1,\"lng\":11.97}", "/lat"},
        {"{\"label\":\"Home\",\"lat\":57.7,\"lng\":\"east\"}", "/lng"},
        {"{\"label\":\"Home\",\"lat\":57.7,\"lng\":11.97,\"address\":\"\"}", "/address"},
        {"{\"label\":\"Home\",\"lat\":57.7,\"lng\":11.97,\"contact\":{\"phone\":\"1\"}}",
         "/contact/phone"},
        {"{\"label\":\"Home\",\"lat\":57.7,\"lng\":11.97,\"contact\":\"Bo\"}", "/contact"},
    };
    struct town *t = town_new(3);
    const char *home = format(t, AT "/%s", saved(t, t->customer, HOME));
    struct str before = places(t, t->customer).body;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (int put = 0; put < 2; put++) {
            struct house_answer a =
                ask(t, t->customer, put ? "PUT" : "POST", put ? home : AT, bad[i].body);
            assert_int_equal(a.status, 422);
            assert_true(has(a, format(t, "\"pointer\":\"%s\"", bad[i].pointer)));
        }
    }
    assert_int_equal(ask(t, t->customer, "POST", AT, "{").status, 400);
    assert_int_equal(ask(t, t->customer, "PUT", AT "/plc_x", HOME).status, 404);
    assert_int_equal(ask(t, t->customer, "DELETE", AT "/plc_x", NULL).status, 404);
    assert_true(str_eq(places(t, t->customer).body, before)); /* nothing half-written */
    town_free(t);
}

static void test_once_with_a_key(void **unused) {
    (void)unused;
    struct town *t = town_new(4);
    struct house_request r = {.method = "POST",
                              .path = AT,
                              .body = HOME,
                              .who = t->customer,
                              .headers = {{STR("idempotency-key"), STR("once")}}};
    struct house_answer first = house_call(t->h, &r), again = house_call(t->h, &r);
    assert_int_equal(first.status, 201);
    assert_true(str_eq(first.body, again.body));
    struct house_answer a = places(t, t->customer);
    assert_string_equal(member(t, a, "id"), last_member(t, a, "id"));
    town_free(t);
}

static void test_bounded(void **unused) {
    (void)unused;
    struct town *t = town_new(5);
    const char *id = NULL;
    for (int i = 0; i < SAVED_PLACES_MAX; i++)
        id = saved(t, t->customer, HOME);
    struct house_answer a = ask(t, t->customer, "POST", AT, HOME);
    assert_int_equal(a.status, 409);
    assert_true(has(a, "/problems/too-many-places"));
    assert_int_equal(ask(t, t->customer, "PUT", format(t, AT "/%s", id), HOME).status, 200);
    assert_int_equal(ask(t, t->customer, "DELETE", format(t, AT "/%s", id), NULL).status, 204);
    saved(t, t->customer, HOME);
    town_free(t);
}

/* The account goes, and where its owner lives. */
static void test_erased(void **unused) {
    (void)unused;
    struct town *t = town_new(6);
    saved(t, t->customer, HOME);
    saved(t, t->other, HOME);
    struct ev_erased said = {.user_id = t->customer.user_id};
    struct event e = {.id = house_id(t->h, "evt"),
                      .type = STR(EV_ACCOUNT_ERASED),
                      .key = said.user_id,
                      .at_us = t->h->now_us,
                      .data = schema_text(&ev_erased_schema, &said, S_STORE, &t->h->arena)};
    assert_int_equal(t->h->bus->ops->publish(t->h->bus, &e, confirmed, NULL), 0);
    house_settle(t->h);
    house_advance(t->h, 10 * US_PER_S);
    assert_true(has(places(t, t->customer), "\"items\":[]"));
    assert_true(has(places(t, t->other), "\"Home\""));
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_saved_renamed_removed),
                                       cmocka_unit_test(test_nobody_elses),
                                       cmocka_unit_test(test_bad_input),
                                       cmocka_unit_test(test_once_with_a_key),
                                       cmocka_unit_test(test_bounded),
                                       cmocka_unit_test(test_erased)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
