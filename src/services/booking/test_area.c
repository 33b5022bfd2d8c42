/* The service area over the API: what may be drawn, versions, what a quote outside is told, and
 * several processes that hear of a new one, or do not.
 */
#include "services/booking/test_town.h"

#define RING(w, s, e, n)                                                                           \
    "[[" #w "," #s "],[" #e "," #s "],[" #e "," #n "],[" #w "," #n "],[" #w "," #s "]]"
#define TOWN RING(11.8, 57.6, 12.2, 57.8)
#define LAKE RING(11.98, 57.69, 11.99, 57.70)
#define ISLAND RING(11.0, 57.0, 11.1, 57.1)
#define POLYGONS(list) "{\"area\":{\"type\":\"MultiPolygon\",\"coordinates\":[" list "]}}"
#define ONE(rings) "[" rings "]"

static struct house_answer put_in(struct house *h, const char *body, const char *if_match) {
    return house_call(h, &(struct house_request){
                             .method = "PUT",
                             .path = "/v1/service-area",
                             .body = body,
                             .who = house_who(h, ROLE_ADMIN, NULL),
                             .headers = {{if_match != NULL ? STR("if-match") : STR_NONE,
                                          if_match != NULL ? str_from(if_match) : STR_NONE}}});
}

static int quoted(struct town *t) {
    return ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE).status;
}

static void test_written(void **unused) {
    (void)unused;
    struct town *t = town_new(1);
    struct house_answer a = ask(t, t->customer, "GET", "/v1/service-area", NULL);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "{\"version\":1,\"updated_at\":null,\"area\":null}"));
    assert_string_equal(header_of(t, a, "ETag"), "\"1\"");
    assert_int_equal(quoted(t), 201);
    /* the second stop is on the lake; an island is far away */
    a = put_in(t->h, POLYGONS(ONE(TOWN "," LAKE) "," ONE(ISLAND)), "\"1\"");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"version\":2,") && has(a, "\"updated_by\":\"usr_"));
    assert_string_equal(header_of(t, a, "ETag"), "\"2\"");
    a = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    assert_int_equal(a.status, 422);
    assert_true(has(a, "/problems/outside-service-area") && has(a, "\"/stops/1\"") &&
                !has(a, "\"/stops/0\""));
    assert_true(has(a, "\"boundary\":{\"type\":\"MultiPolygon\",\"coordinates\":[[[[11.8,57.6],"));
    assert_true(has(a, "\"outside\":[{\"stop\":1,\"nearest\":{\"lat\":"));
    /* what is offered as the nearest is served */
    const char *at = memmem(a.body.p, a.body.len, "\"nearest\":", 10);
    double lat, lng;
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"nearest\":{\"lat\":%lf,\"lng\":%lf}", &lat, &lng), 2);
    assert_int_equal(ask(t, t->customer, "POST", "/v1/quotes",
                         format(t,
                                "{\"stops\":[{\"lat\":57.7089,\"lng\":11.9746},{\"lat\":%.7f,"
                                "\"lng\":%.7f}]}",
                                lat, lng))
                         .status,
                     201);
    assert_int_equal(put_in(t->h, POLYGONS(ONE(TOWN)), "\"1\"").status, 412);
    assert_int_equal(quoted(t), 422);
    assert_int_equal(put_in(t->h, POLYGONS(ONE(TOWN)), "\"2\"").status, 200);
    assert_int_equal(quoted(t), 201);
    assert_int_equal(put_in(t->h, POLYGONS(ONE(ISLAND)), "*").status, 200);
    town_reopen(t, 0); /* a restart forgets nothing */
    assert_int_equal(quoted(t), 422);
    a = ask(t, t->staff, "GET", "/v1/service-area", NULL);
    assert_true(has(a, "\"version\":4,") && has(a, "\"updated_by\":\"usr_"));
    assert_false(has(ask(t, t->customer, "GET", "/v1/service-area", NULL), "updated_by"));
    /* none again: any place is served */
    assert_int_equal(put_in(t->h, "{\"area\":null}", NULL).status, 200);
    assert_int_equal(quoted(t), 201);
    assert_int_equal(ask(t, t->staff, "PUT", "/v1/service-area", "{\"area\":null}").status, 403);
    town_free(t);
}

/* A square whose western border is N hundredths of a degree further on. */
static const char *square(struct town *t, int n) {
    return format(t,
                  "{\"area\":{\"type\":\"Polygon\",\"coordinates\":[[[11.%02d,57],[12.2,57],"
                  "[12.2,58],[11.%02d,58],[11.%02d,57]]]}}",
                  n, n, n);
}

/* An admin may look at what was, and write it anew; what is kept has an end. */
static void test_versions(void **unused) {
    (void)unused;
    struct town *t = town_new(6);
    struct house_answer a = ask(t, t->staff, "GET", "/v1/service-area/versions", NULL);
    assert_true(has(a, "{\"items\":[{\"version\":1,\"updated_at\":null,\"updated_by\":null}],"
                       "\"next_cursor\":null}"));
    assert_int_equal(ask(t, t->customer, "GET", "/v1/service-area/versions", NULL).status, 403);
    for (int i = 2; i <= 5; i++)
        assert_int_equal(put_in(t->h, i == 3 ? "{\"area\":null}" : square(t, i), NULL).status, 200);
    town_reopen(t, 0);
    a = ask(t, t->staff, "GET", "/v1/service-area/versions", NULL);
    for (int i = 1; i <= 5; i++)
        assert_true(has(a, format(t, "{\"version\":%d,", i)));
    a = ask(t, t->staff, "GET", "/v1/service-area?version=2", NULL);
    assert_true(has(a, "\"version\":2,") && has(a, "[11.02,57]") && has(a, "usr_"));
    assert_string_equal(header_of(t, a, "ETag"),
                        "\"5\""); /* the newest: what a PUT would replace */
    assert_true(has(ask(t, t->staff, "GET", "/v1/service-area?version=3", NULL), "\"area\":null"));
    assert_true(has(ask(t, t->staff, "GET", "/v1/service-area?version=5", NULL), "[11.05,57]"));
    a = ask(t, t->customer, "GET", "/v1/service-area?version=1", NULL);
    assert_true(has(a, "{\"version\":1,\"updated_at\":null,\"area\":null}"));
    assert_int_equal(ask(t, t->staff, "GET", "/v1/service-area?version=6", NULL).status, 404);
    assert_int_equal(ask(t, t->staff, "GET", "/v1/service-area?version=0", NULL).status, 422);
    assert_int_equal(ask(t, t->staff, "GET", "/v1/service-area?version=x", NULL).status, 422);
    for (int i = 6; i <= AREA_PAST_MAX + 9; i++)
        assert_int_equal(put_in(t->h, square(t, i), NULL).status, 200);
    int newest = AREA_PAST_MAX + 9;
    assert_int_equal(ask(t, t->staff, "GET",
                         format(t, "/v1/service-area?version=%d", newest - AREA_PAST_MAX), NULL)
                         .status,
                     200);
    assert_int_equal(ask(t, t->staff, "GET",
                         format(t, "/v1/service-area?version=%d", newest - AREA_PAST_MAX - 1), NULL)
                         .status,
                     404);
    assert_int_equal(ask(t, t->staff, "GET", "/v1/service-area?version=1", NULL).status, 200);
    town_free(t);
}

/* Large ones make room for few. */
static void test_versions_bytes(void **unused) {
    (void)unused;
    struct town *t = town_new(7);
    struct buf large;
    buf_init(&large, &t->h->arena, 1 << 17);
    buf_add_cstr(&large, "{\"area\":{\"type\":\"Polygon\",\"coordinates\":[[");
    for (int i = 0; i < 1900; i++) {
        double angle = 2 * M_PI * i / 1900;
        buf_printf(&large, "[%.7f,%.7f],", 12 + 0.5 * cos(angle), 57 + 0.5 * sin(angle));
    }
    buf_printf(&large, "[%.7f,%.7f]]]}}", 12.5, 57.0);
    const char *body = arena_cstr(&t->h->arena, buf_str(&large));
    for (int i = 2; i <= 12; i++)
        assert_int_equal(put_in(t->h, body, NULL).status, 200);
    struct house_answer a = ask(t, t->staff, "GET", "/v1/service-area/versions", NULL);
    assert_true(has(a, "\"version\":12,") && has(a, "\"version\":9,"));
    assert_false(has(a, "\"version\":3,"));
    assert_int_equal(ask(t, t->staff, "GET", "/v1/service-area?version=9", NULL).status, 200);
    town_free(t);
}

static struct house_answer preview_as(struct town *t, enum role role, const char *body) {
    return house_call(t->h, &(struct house_request){.method = "POST",
                                                    .path = "/v1/service-area/preview",
                                                    .body = body,
                                                    .who = house_who(t->h, role, NULL)});
}

/* How many of last week's bookings would not have been served; nothing comes of it. */
static void test_preview(void **unused) {
    (void)unused;
    struct town *t = town_new(8);
    for (int i = 0; i < 3; i++)
        book(t, t->customer);
    struct house_answer a = preview_as(t, ROLE_ADMIN, POLYGONS(ONE(TOWN "," LAKE)));
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"complete\":true,\"bookings\":3,\"outside\":3}"));
    a = preview_as(t, ROLE_ADMIN, POLYGONS(ONE(TOWN)));
    assert_true(has(a, "\"bookings\":3,\"outside\":0}"));
    a = preview_as(t, ROLE_ADMIN, "{\"area\":null}");
    assert_true(has(a, "\"bookings\":3,\"outside\":0}"));
    assert_int_equal(preview_as(t, ROLE_ADMIN, "{\"area\":3}").status, 422);
    assert_int_equal(preview_as(t, ROLE_DISPATCHER, "{\"area\":null}").status, 403);
    assert_true(has(ask(t, t->staff, "GET", "/v1/service-area", NULL), "\"version\":1,"));
    town_free(t);
}

/* Rings are turned as RFC 7946 has them, whichever way they were drawn. */
static void test_turned(void **unused) {
    (void)unused;
    struct town *t = town_new(2);
    struct house_answer a = put_in(
        t->h,
        "{\"area\":{\"type\":\"Feature\",\"properties\":{},\"geometry\":{\"type\":\"Polygon\","
        "\"coordinates\":[[[11,57],[11,58],[13,58],[13,57],[11,57]],"
        "[[12,57.5],[12.1,57.5],[12.1,57.6],[12,57.5]]]}}}",
        NULL);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "[[[[13,57],[13,58],[11,58],[11,57],[13,57]],"
                       "[[12.1,57.6],[12.1,57.5],[12,57.5],[12.1,57.6]]]]"));
    town_free(t);
}

static void test_refused(void **unused) {
    (void)unused;
    struct town *t = town_new(3);
    static const struct {
        const char *body, *pointer;
    } bad[] = {
        {"{}", "\"/area\""},
        {"[]", "\"\""},
        {"{\"area\":3}", "\"/area\""},
        {"{\"area\":{\"type\":\"Point\",\"coordinates\":[11,57]}}", "\"/area\""},
        {"{\"area\":{\"type\":\"MultiPolygon\",\"coordinates\":[]}}", "\"/area\""},
        {"{\"area\":{\"type\":\"FeatureCollection\",\"features\":[]}}", "\"/area\""},
        {"{\"area\":{\"type\":\"FeatureCollection\",\"features\":[3]}}", "\"/area/features/0\""},
        {POLYGONS("[]"), "\"/area/coordinates/0\""},
        {POLYGONS(ONE(TOWN) ",3"), "\"/area/coordinates/1\""},
        {POLYGONS(ONE(TOWN) "," ONE("[[11,57],[13,57],[13,58],[11,58]]")),
         "\"/area/coordinates/1/0\""}, /* open */
        {POLYGONS(ONE("[[11,57],[13,57],[11,57]]")), "\"/area/coordinates/0/0\""},
        {POLYGONS(ONE("[[11,57],[12,57],[13,57],[11,57]]")), "\"/area/coordinates/0/0\""},
        {POLYGONS(ONE("[[11,57],[12,97],[13,57],[11,57]]")), "\"/area/coordinates/0/0/1\""},
        {POLYGONS(ONE("[[11,57],[\"12\",57],[13,57],[11,57]]")), "\"/area/coordinates/0/0/1\""},
        {POLYGONS(ONE("[[11,57],[13,58],[13,57],[11,58],[11,57]]")),
         "\"/area/coordinates/0/0\""}, /* a bow */
        {POLYGONS(ONE(TOWN "," RING(12.1, 57.7, 12.3, 57.75))),
         "\"/area/coordinates/0/"}, /* a hole across the border */
        {POLYGONS(ONE(TOWN "," ISLAND)), "\"/area/coordinates/0/1\""}, /* a hole elsewhere */
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct house_answer a = put_in(t->h, bad[i].body, NULL);
        assert_int_equal(a.status, 422);
        if (!has(a, bad[i].pointer))
            fail_msg("%s is not named: %.*s", bad[i].pointer, STR_ARG(a.body));
    }
    struct buf many;
    buf_init(&many, &t->h->arena, 1 << 17);
    buf_add_cstr(&many, "{\"area\":{\"type\":\"Polygon\",\"coordinates\":[[");
    for (int i = 0; i <= AREA_DRAWN_POINTS_MAX; i++)
        buf_printf(&many, "[%.5f,57],", 11 + i * 0.0001);
    buf_add_cstr(&many, "[11,57]]]}}");
    assert_int_equal(put_in(t->h, arena_cstr(&t->h->arena, buf_str(&many)), NULL).status, 422);
    assert_true(has(ask(t, t->staff, "GET", "/v1/service-area", NULL), "\"version\":1,"));
    town_free(t);
}

/* A border of thousands of points is shown with few. */
static void test_shown(void **unused) {
    (void)unused;
    struct arena a;
    struct rng rng;
    struct buf text;
    struct area area;
    struct field_errors errors = {0};
    rng_seed(&rng, 5);
    arena_init(&a, 1 << 16);
    buf_init(&text, &a, 1 << 18);
    buf_add_cstr(&text, "{\"type\":\"Polygon\",\"coordinates\":[[");
    double first = 0;
    for (int i = 0; i < 5000; i++) {
        double angle = 2 * M_PI * i / 5000, far = 0.3 + (double)rng_below(&rng, 100) / 10000;
        first = i == 0 ? far : first;
        buf_printf(&text, "[%.7f,%.7f],", 12 + far * cos(angle), 57.7 + far * sin(angle));
    }
    buf_printf(&text, "[%.7f,%.7f]]]}", 12 + first, 57.7);
    assert_int_equal(area_parse(buf_str(&text), &a, &area, &errors), 0);
    struct area shown = area_shown(&area, &a);
    assert_int_equal(shown.count, 1);
    assert_true(shown.polygons[0].rings[0].count <= AREA_SHOWN_POINTS_MAX);
    assert_true(shown.polygons[0].rings[0].count > 20);
    assert_true(area_has(&shown, point_of(57.7, 12)) && !area_has(&shown, point_of(57.3, 12)));
    arena_free(&a);
}

/* ---- several processes ---- */

#define HOUSES 2
static void test_replicas(void **unused) {
    (void)unused;
    struct house *h[HOUSES];
    struct booking_service *services[HOUSES];
    struct fake_router router = {.router.ops = &fake_router_ops};
    h[0] = house_new(4);
    h[1] = house_beside(h[0], 5);
    for (int i = 0; i < HOUSES; i++)
        services[i] = booking_service_new(&(struct booking_options){.router = &router.router,
                                                                    .entropy = &h[i]->entropy,
                                                                    .bus = h[i]->bus,
                                                                    .peers = h[i]->peers});
    for (int i = 0; i < HOUSES; i++)
        house_open(h[i], (struct service[]){booking_service(services[i])}, 1);
    struct house_request quote = {.method = "POST",
                                  .path = "/v1/quotes",
                                  .body = VAN_QUOTE,
                                  .who = house_who(h[0], ROLE_CUSTOMER, NULL)};
    house_advance(h[0], 5 * US_PER_S);
    assert_int_equal(house_call(h[1], &quote).status, 201);
    assert_int_equal(put_in(h[0], POLYGONS(ONE(ISLAND)), NULL).status, 200);
    house_advance(h[0], 2 * US_PER_S); /* heard, and read at the next tick */
    assert_int_equal(house_call(h[1], &quote).status, 422);
    assert_int_equal(put_in(h[1], POLYGONS(ONE(TOWN)), "\"1\"").status, 412);
    /* signals are lost: the store is read again */
    house_deafen(h[0], true);
    assert_int_equal(put_in(h[0], POLYGONS(ONE(TOWN)), "\"2\"").status, 200);
    assert_int_equal(house_call(h[0], &quote).status, 201);
    house_advance(h[0], SHELF_READ_US + 5 * US_PER_S);
    assert_int_equal(house_call(h[1], &quote).status, 201);
    house_free(h[0]);
    for (int i = 0; i < HOUSES; i++)
        booking_service_free(services[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),        cmocka_unit_test(test_turned),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_replicas),       cmocka_unit_test(test_versions),
        cmocka_unit_test(test_versions_bytes), cmocka_unit_test(test_preview),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
