/* Tariffs over the API: versions and their days, what quotes and bookings keep of them, and several
 * processes that hear of a new one, or do not.
 */
#include "services/booking/test_town.h"

#define VAN_RATE(base)                                                                             \
    "{\"vehicle\":\"van\",\"base\":" base ",\"per_km\":1000,\"per_minute\":100,\"minimum\":0}"
#define TARIFF(base, more) "{\"currency\":\"SEK\",\"items\":[" VAN_RATE(base) "]" more "}"

static struct house_answer put(struct town *t, const char *body, const char *if_match) {
    return house_call(t->h, &(struct house_request){
                                .method = "PUT",
                                .path = "/v1/tariffs",
                                .body = body,
                                .who = house_who(t->h, ROLE_ADMIN, NULL),
                                .headers = {{if_match != NULL ? STR("if-match") : STR_NONE,
                                             if_match != NULL ? str_from(if_match) : STR_NONE}}});
}

static int64_t base_of(struct town *t, struct house_answer a) {
    const char *mark = "{\"code\":\"base\",\"amount\":";
    const char *at = memmem(a.body.p, a.body.len, mark, strlen(mark));
    (void)t;
    assert_non_null(at);
    return strtoll(at + strlen(mark), NULL, 10);
}

static int64_t quoted_base(struct town *t) {
    return base_of(t, ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE));
}

static void test_versions(void **unused) {
    (void)unused;
    struct town *t = town_new(1);
    assert_int_equal(quoted_base(t), 9900);
    struct house_answer a = put(t, TARIFF("5000", ",\"note\":\"cheaper\""), NULL);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"version\":2,") && has(a, "\"note\":\"cheaper\""));
    assert_string_equal(header_of(t, a, "ETag"), "\"2\"");
    assert_int_equal(quoted_base(t), 5000);
    /* If-Match: the newest version, or nothing happens */
    a = put(t, TARIFF("6000", ""), "\"1\"");
    assert_int_equal(a.status, 412);
    assert_int_equal(quoted_base(t), 5000);
    assert_int_equal(put(t, TARIFF("6000", ""), "\"2\"").status, 200);
    assert_int_equal(put(t, TARIFF("6500", ""), "*").status, 200);
    assert_int_equal(quoted_base(t), 6500);
    /* each stays as it was */
    a = ask(t, t->customer, "GET", "/v1/tariffs?version=2", NULL);
    assert_true(has(a, "\"base\":5000") && has(a, "\"version\":2"));
    assert_string_equal(header_of(t, a, "ETag"), "\"4\"");
    assert_true(has(ask(t, t->customer, "GET", "/v1/tariffs?version=1", NULL), "\"base\":4900"));
    assert_int_equal(ask(t, t->customer, "GET", "/v1/tariffs?version=9", NULL).status, 404);
    assert_int_equal(ask(t, t->customer, "GET", "/v1/tariffs?version=0", NULL).status, 422);
    a = ask(t, t->staff, "GET", "/v1/tariffs/versions?limit=2", NULL);
    assert_true(has(a, "{\"items\":[{\"version\":4,") && has(a, "{\"version\":3,"));
    a = ask(t, t->staff, "GET",
            format(t, "/v1/tariffs/versions?cursor=%s", member(t, a, "next_cursor")), NULL);
    assert_true(has(a, "{\"items\":[{\"version\":2,") && has(a, "{\"version\":1,") &&
                has(a, "\"next_cursor\":null"));
    /* a restart forgets nothing */
    town_reopen(t, 0);
    assert_int_equal(quoted_base(t), 6500);
    town_free(t);
}

static void advance(struct town *t, int64_t us) {
    house_advance(t->h, us);
}

/* The one holds whose day is the latest that has come. */
static void test_effective(void **unused) {
    (void)unused;
    struct town *t = town_new(2); /* 2026-11-23T10:00:00Z */
    assert_int_equal(
        put(t, TARIFF("7000", ",\"effective_at\":\"2026-11-24T00:00:00Z\""), NULL).status, 200);
    assert_int_equal(quoted_base(t), 9900); /* the house's own holds until then */
    assert_true(has(ask(t, t->customer, "GET", "/v1/tariffs", NULL), "\"version\":1"));
    assert_int_equal(put(t, TARIFF("6000", ""), NULL).status, 200);
    assert_int_equal(quoted_base(t), 6000);
    assert_int_equal(
        put(t, TARIFF("8000", ",\"effective_at\":\"2026-11-25T00:00:00Z\""), NULL).status, 200);
    /* of the same moment the newer one replaces the older */
    assert_int_equal(
        put(t, TARIFF("8500", ",\"effective_at\":\"2026-11-25T00:00:00Z\""), NULL).status, 200);
    town_reopen(t, 0);
    assert_int_equal(quoted_base(t), 6000);
    advance(t, 50400 * US_PER_S);
    assert_int_equal(quoted_base(t), 7000);
    assert_true(has(ask(t, t->customer, "GET", "/v1/tariffs", NULL), "\"version\":2"));
    advance(t, US_PER_DAY);
    assert_int_equal(quoted_base(t), 8500);
    for (int i = 0; i < TARIFF_AHEAD_MAX - 1; i++)
        assert_int_equal(
            put(t, format(t, TARIFF("1", ",\"effective_at\":\"2026-12-%02dT00:00:00Z\""), i + 1),
                NULL)
                .status,
            200);
    struct house_answer a = put(t, TARIFF("1", ",\"effective_at\":\"2026-12-20T00:00:00Z\""), NULL);
    assert_int_equal(a.status, 422);
    assert_true(has(a, "\"/effective_at\""));
    town_free(t);
}

static void test_refused(void **unused) {
    (void)unused;
    struct town *t = town_new(3);
    static const struct {
        const char *body, *pointer;
    } bad[] = {
        {"{}", "\"/currency\""},
        {"{}", "\"/items\""},
        {"{\"currency\":\"EUR\",\"items\":[" VAN_RATE("1") "]}", "\"/currency\""},
        {TARIFF("-1", ""), "\"/items/0/base\""},
        {TARIFF("1", ",\"effective_at\":\"2026-11-23T09:00:00Z\""), "\"/effective_at\""},
        {TARIFF("1", ",\"effective_at\":\"2036-11-23T09:00:00Z\""), "\"/effective_at\""},
        {TARIFF("1", ",\"timezone\":\"../etc/passwd\""), "\"/timezone\""},
        {TARIFF("1", ",\"taxes\":[{\"name\":\"a\",\"rate_bp\":10001}]"), "\"/taxes/0/rate_bp\""},
        {TARIFF("1", ",\"night\":{\"from\":\"25:00\",\"to\":\"06:00\",\"add_percent\":1}"),
         "\"/night/from\""},
        {"{\"currency\":\"SEK\",\"items\":[" VAN_RATE("1") "," VAN_RATE("2") "]}",
         "\"/items/1/vehicle\""},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct house_answer a = put(t, bad[i].body, NULL);
        assert_int_equal(a.status, 422);
        if (!has(a, bad[i].pointer))
            fail_msg("%s is not named: %.*s", bad[i].pointer, STR_ARG(a.body));
    }
    assert_int_equal(quoted_base(t), 9900);
    town_free(t);
}

/* What was quoted is what is booked, and what is booked stays so. */
static void test_kept(void **unused) {
    (void)unused;
    struct town *t = town_new(4);
    assert_int_equal(put(t,
                         TARIFF("5000", ",\"taxes\":[{\"name\":\"VAT\",\"rate_bp\":2500}],"
                                        "\"commission_bp\":1000"),
                         NULL)
                         .status,
                     200);
    struct house_answer b = book(t, t->customer);
    assert_true(has(b, "\"tariff_version\":2"));
    assert_true(has(b, "{\"code\":\"tax\",\"amount\":"));
    assert_true(has(b, "\"taxes\":[{\"name\":\"VAT\",\"rate_bp\":2500,\"amount\":"));
    assert_int_equal(base_of(t, b), 5000);
    assert_int_equal(put(t, TARIFF("1", ""), NULL).status, 200);
    b = ask(t, t->customer, "GET", format(t, "/v1/bookings/%s", t->booking), NULL);
    assert_int_equal(base_of(t, b), 5000);
    assert_true(has(b, "\"tariff_version\":2"));
    assert_int_equal(quoted_base(t), 1);
    town_free(t);
}

/* No class is on offer where it begins. */
static void test_nowhere(void **unused) {
    (void)unused;
    struct town *t = town_new(5);
    struct house_answer a =
        put(t,
            "{\"currency\":\"SEK\",\"items\":[{\"vehicle\":\"van\",\"zone\":\"pole\",\"base\":1,"
            "\"per_km\":1,\"per_minute\":1,\"minimum\":1}],\"zones\":[{\"name\":\"pole\",\"area\":"
            "[{\"lat\":89,\"lng\":0},{\"lat\":89,\"lng\":1},{\"lat\":88,\"lng\":0}]}]}",
            NULL);
    assert_int_equal(a.status, 200);
    a = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    assert_int_equal(a.status, 422);
    assert_true(has(a, "\"/vehicle\"") && has(a, "is not on offer where the trip begins"));
    a = ask(t, t->customer, "POST", "/v1/quotes", TWO_STOPS "}");
    assert_int_equal(a.status, 422);
    assert_true(has(a, "\"/stops/0\""));
    town_free(t);
}

/* What is booked already, by a tariff that is only thought of; nothing comes of it. */
static void test_preview(void **unused) {
    (void)unused;
    struct town *t = town_new(7);
    struct identity admin = house_who(t->h, ROLE_ADMIN, NULL);
    assert_int_equal(put(t, TARIFF("5000", ",\"waiting_per_minute\":1"), NULL).status, 200);
    book(t, t->customer);
    advance(t, US_PER_DAY);
    book(t, t->customer);
    struct house_answer a = ask(t, admin, "POST", "/v1/tariffs/preview", TARIFF("5000", ""));
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"complete\":true,\"bookings\":2,\"classes\":[{\"vehicle\":\"van\","
                       "\"bookings\":2,\"not_offered\":0,\"old\":13524,\"new\":13524}],"
                       "\"old\":13524,\"new\":13524}"));
    a = ask(t, admin, "POST", "/v1/tariffs/preview",
            TARIFF("6000", ",\"taxes\":[{\"name\":\"VAT\",\"rate_bp\":10000}]"));
    assert_true(has(a, "\"old\":13524,\"new\":31048}"));
    a = ask(t, admin, "POST", "/v1/tariffs/preview?from=2026-11-24T00:00:00Z", TARIFF("0", ""));
    assert_true(has(a, "\"bookings\":1,"));
    a = ask(t, admin, "POST",
            "/v1/tariffs/preview?from=2026-11-20T00:00:00Z&to=2026-11-23T09:00:00Z",
            TARIFF("0", ""));
    assert_true(has(a, "\"bookings\":0,\"classes\":[],\"old\":0,\"new\":0"));
    a = ask(t, admin, "POST", "/v1/tariffs/preview",
            "{\"currency\":\"SEK\",\"items\":[{\"vehicle\":\"bike\",\"base\":1,\"per_km\":1,"
            "\"per_minute\":1,\"minimum\":1}]}");
    assert_true(has(a, "\"bookings\":0,\"not_offered\":2,\"old\":0,\"new\":0}"));
    assert_int_equal(quoted_base(t), 5000);
    static const char *const bad[] = {"?from=2026-11-25T00:00:00Z", "?from=2025-11-24T00:00:00Z",
                                      "?to=tomorrow"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(
            ask(t, admin, "POST", format(t, "/v1/tariffs/preview%s", bad[i]), TARIFF("0", ""))
                .status,
            422);
    a = ask(t, admin, "POST", "/v1/tariffs/preview",
            "{\"currency\":\"EUR\",\"items\":[" VAN_RATE("1") "]}");
    assert_true(a.status == 422 && has(a, "\"/currency\""));
    assert_int_equal(ask(t, t->staff, "POST", "/v1/tariffs/preview", TARIFF("1", "")).status, 403);
    town_free(t);
}

/* What was booked for later, hours ago, asks as well once it is looked for. */
static void test_surge_of_what_was_booked_before(void **unused) {
    (void)unused;
    struct town *t = town_new(9);
    t->fleet.free_count = 1;
    const char *terms = ",\"surge\":{\"full_percent\":500,\"add_percent\":80}";
    assert_int_equal(put(t, format(t, TARIFF("10000", "%s"), terms), NULL).status, 200);
    int64_t from_us = t->h->now_us + 3 * INT64_C(3600) * US_PER_S;
    char from[TIMESTAMP_TEXT_MAX], to[TIMESTAMP_TEXT_MAX];
    timestamp_format(from_us, from);
    timestamp_format(from_us + INT64_C(3600) * US_PER_S, to);
    for (int i = 0; i < 6; i++) {
        struct house_answer q = ask(
            t, t->customer, "POST", "/v1/quotes",
            format(t, "%s,\"vehicle\":\"van\",\"pickup_window\":{\"from\":\"%s\",\"to\":\"%s\"}}",
                   TWO_STOPS, from, to));
        q = ask(t, t->customer, "POST", "/v1/bookings",
                format(t, "{\"quote_id\":\"%s\"}", member(t, q, "id")));
        assert_true(q.status == 201 && has(q, "\"state\":\"scheduled\""));
    }
    for (int i = 0; i < 8; i++)
        advance(t, SURGE_EVERY_US);
    assert_false(has(ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE), "\"surge\""));
    advance(t, from_us - t->h->now_us);
    for (int i = 0; i < 8; i++)
        advance(t, SURGE_EVERY_US);
    assert_true(has(ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE), "\"code\":\"surge\""));
    town_free(t);
}

/* Six ask where one is free: it costs more there, and bit by bit, and less again afterwards. */
static void test_surge(void **unused) {
    (void)unused;
    struct town *t = town_new(8);
    t->fleet.free_count = 1;
    const char *terms = ",\"surge\":{\"full_percent\":500,\"add_percent\":80}";
    assert_int_equal(put(t, format(t, TARIFF("10000", "%s"), terms), NULL).status, 200);
    for (int i = 0; i < 6; i++)
        book(t, t->customer);
    struct house_answer a = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    assert_false(has(a, "\"surge\"")); /* nobody has looked yet */
    int64_t last = 0;
    for (int i = 0; i < 8; i++) {
        advance(t, SURGE_EVERY_US);
        a = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
        const char *mark = "{\"code\":\"surge\",\"quantity\":";
        const char *at = memmem(a.body.p, a.body.len, mark, strlen(mark));
        int64_t percent = at != NULL ? strtoll(at + strlen(mark), NULL, 10) : 0;
        assert_true(percent >= last && percent <= 80 && percent % SURGE_STEP_PERCENT == 0);
        assert_true(i > 1 || percent < 60); /* smoothed */
        last = percent;
    }
    assert_true(last >= 60);
    a = ask(t, t->customer, "POST", "/v1/quotes", /* the other end of town */
            "{\"stops\":[{\"lat\":57.8,\"lng\":12.2},{\"lat\":57.81,\"lng\":12.2}],\"vehicle\":"
            "\"van\"}");
    assert_true(a.status == 201 && !has(a, "\"surge\""));
    t->fleet.free_count = 20; /* help has come */
    for (int i = 0; i < 20; i++)
        advance(t, SURGE_EVERY_US);
    assert_false(has(ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE), "\"surge\""));
    town_free(t);
}

/* ---- several processes ---- */

struct replica {
    struct house *h;
    struct booking_service *service;
};

static struct replica replica(struct town *t, struct house *h) {
    struct booking_options o = t->options;
    o.entropy = &h->entropy;
    o.bus = h->bus;
    o.peers = h->peers;
    return (struct replica){h, booking_service_new(&o)};
}

static int64_t base_at(struct town *t, struct replica *r) {
    return base_of(t, house_call(r->h, &(struct house_request){.method = "POST",
                                                               .path = "/v1/quotes",
                                                               .body = VAN_QUOTE,
                                                               .who = t->customer}));
}

static void test_replicas(void **unused) {
    (void)unused;
    struct town *t = calloc(1, sizeof(*t));
    t->h = house_new(6);
    t->router.router.ops = &fake_router_ops;
    t->options.router = &t->router.router;
    struct house *beside = house_beside(t->h, 7);
    struct replica one = replica(t, t->h), two = replica(t, beside);
    house_open(one.h, (struct service[]){booking_service(one.service)}, 1);
    house_open(two.h, (struct service[]){booking_service(two.service)}, 1);
    t->customer = house_who(t->h, ROLE_CUSTOMER, NULL);
    house_advance(t->h, 5 * US_PER_S);
    assert_int_equal(base_at(t, &two), 9900);
    assert_int_equal(put(t, TARIFF("5000", ""), NULL).status, 200);
    house_advance(t->h, 2 * US_PER_S); /* heard, and read at the next tick */
    assert_int_equal(base_at(t, &two), 5000);
    /* signals are lost: the store is read again */
    house_deafen(t->h, true);
    assert_int_equal(put(t, TARIFF("6000", ""), NULL).status, 200);
    assert_int_equal(base_at(t, &one), 6000);
    house_advance(t->h, SHELF_READ_US + 5 * US_PER_S);
    assert_int_equal(base_at(t, &two), 6000);
    house_free(t->h);
    booking_service_free(one.service);
    booking_service_free(two.service);
    free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_effective),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_nowhere),
        cmocka_unit_test(test_preview),
        cmocka_unit_test(test_surge_of_what_was_booked_before),
        cmocka_unit_test(test_surge),
        cmocka_unit_test(test_replicas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
