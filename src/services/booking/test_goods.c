/* Goods: what is said at quote and booking, which classes take it, and where it is shown. */
#include "services/booking/test_town.h"

#define GOODS(list) TWO_STOPS ",\"goods\":[" list "]}"
#define SOFA                                                                                       \
    "{\"name\":\"Sofa\",\"weight_g\":70000,\"volume_cm3\":1500000,\"count\":2,"                    \
    "\"handling\":[\"two_people\",\"dry\"]}"

static struct house_answer quote(struct town *t, const char *body) {
    return ask(t, t->customer, "POST", "/v1/quotes", body);
}

static const char *id_of_class(struct town *t, struct house_answer a, const char *vehicle) {
    struct json_value root = {0}, quotes = {0};
    assert_int_equal(json_parse(t->parser, a.body, &root), 0);
    assert_true(json_get(root, "quotes", &quotes));
    for (struct json_iter it = json_iter(quotes); json_next(&it);) {
        struct json_value id = {0}, v = {0};
        assert_true(json_get(it.value, "id", &id) && json_get(it.value, "vehicle", &v));
        if (str_is(json_text(v), vehicle))
            return format(t, "%.*s", STR_ARG(json_text(id)));
    }
    return NULL;
}

/* ---- pure ---- */

static void test_load(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 4096);
    struct str fragile[] = {STR("fragile")}, two[] = {STR("two_people"), STR("fragile")};
    struct goods goods[] = {{STR("Vase"), 1200, I64_ABSENT, 3, fragile, 1},
                            {STR("Piano"), 250001, 900000, I64_ABSENT, two, 2},
                            {STR("Letter"), I64_ABSENT, I64_ABSENT, 1, NULL, 0}};
    struct ev_load load;
    goods_load(goods, 3, &a, &load);
    assert_int_equal(load.weight_g, 253601);
    assert_int_equal(load.volume_cm3, 900000);
    assert_int_equal(load.pieces, 5);
    assert_int_equal(load.handling_count, 2);
    assert_true(str_is(load.handling[0], "fragile") && str_is(load.handling[1], "two_people"));
    struct capacity exact = {.kg = 254, .l = 900};
    assert_null(goods_unfit(&load, VEHICLE_VAN, exact, &a).p);
    struct str why = goods_unfit(&load, VEHICLE_VAN, (struct capacity){.kg = 253, .l = 900}, &a);
    assert_true(str_is(why, "weigh 253.7 kg, and a van carries 253 kg"));
    why = goods_unfit(&load, VEHICLE_CAR, (struct capacity){.kg = 254, .l = 899}, &a);
    assert_true(str_is(why, "take 900 l, and a car holds 899 l"));
    goods_load(NULL, 0, &a, &load);
    assert_null(goods_unfit(&load, VEHICLE_BIKE, (struct capacity){.kg = 1, .l = 1}, &a).p);
    arena_free(&a);
}

/* The greatest that the limits allow is no trouble. */
static void test_extremes(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 4096);
    struct goods goods[GOODS_MAX];
    for (int i = 0; i < GOODS_MAX; i++)
        goods[i] = (struct goods){.weight_g = GOODS_WEIGHT_G_MAX,
                                  .volume_cm3 = GOODS_VOLUME_CM3_MAX,
                                  .count = GOODS_PIECES_MAX};
    struct ev_load load;
    goods_load(goods, GOODS_MAX, &a, &load);
    assert_int_equal(load.weight_g, GOODS_MAX * GOODS_WEIGHT_G_MAX * GOODS_PIECES_MAX);
    assert_non_null(goods_unfit(&load, VEHICLE_TRUCK,
                                (struct capacity){.kg = CLASS_KG_MAX, .l = CLASS_L_MAX}, &a)
                        .p);
    arena_free(&a);
}

/* ---- quotes ---- */

static void test_quotes_fit(void **unused) {
    (void)unused;
    struct town *t = town_new(21);
    struct house_answer a = quote(t, GOODS(SOFA));
    assert_int_equal(a.status, 201);
    assert_null(id_of_class(t, a, "bike"));
    assert_null(id_of_class(t, a, "car"));
    assert_non_null(id_of_class(t, a, "van"));
    assert_true(has(a,
                    "\"unfit\":[{\"vehicle\":\"bike\",\"reason\":\"the goods weigh 140 kg, and a "
                    "bike carries 30 kg\"},{\"vehicle\":\"car\",\"reason\":\"the goods take 3000"
                    " l, and a car holds 800 l\"}]"));
    a = quote(t, TWO_STOPS "}");
    assert_true(!has(a, "unfit") && has(a, "\"collect_max\":1000000"));
    a = quote(t, TWO_STOPS ",\"vehicle\":\"bike\",\"goods\":[" SOFA "]}");
    assert_int_equal(a.status, 422);
    assert_true(has(a, "\"pointer\":\"/goods\"") && has(a, "what takes them: van, truck"));
    a = quote(t, GOODS("{\"name\":\"Engine\",\"weight_g\":9000000}"));
    assert_int_equal(a.status, 422);
    assert_true(has(a, "\"pointer\":\"/goods\"") && has(a, "none of those on offer there"));
    town_free(t);
}

static void test_bad_goods(void **unused) {
    (void)unused;
    struct town *t = town_new(22);
    static const struct {
        const char *goods, *pointer;
    } cases[] = {
        {"{}", "/goods/0/name"},
        {"{\"name\":\"\"}", "/goods/0/name"},
        {"{\"name\":\"a\\nb\"}", "/goods/0/name"},
        {"{\"name\":"
         "\"123456789012345678901234567890123456789012345678901234567890123456789012345678"
         "901\"}",
         "/goods/0/name"},
        {"{\"name\":\"x\",\"weight_g\":-1}", "/goods/0/weight_g"},
        {"{\"name\":\"x\",\"weight_g\":1.5}", "/goods/0/weight_g"},
        {"{\"name\":\"x\",\"weight_g\":40000001}", "/goods/0/weight_g"},
        {"{\"name\":\"x\",\"volume_cm3\":\"1\"}", "/goods/0/volume_cm3"},
        {"{\"name\":\"x\",\"volume_cm3\":100000001}", "/goods/0/volume_cm3"},
        {"{\"name\":\"x\",\"count\":0}", "/goods/0/count"},
        {"{\"name\":\"x\",\"count\":1001}", "/goods/0/count"},
        {"{\"name\":\"x\",\"handling\":\"cold\"}", "/goods/0/handling"},
        {"{\"name\":\"x\",\"handling\":[\"hot\"]}", "/goods/0/handling/0"},
        {"{\"name\":\"x\",\"handling\":[\"cold\",\"cold\"]}", "/goods/0/handling/1"},
        {"{\"name\":\"x\"},7", "/goods/1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct house_answer a = quote(t, format(t, TWO_STOPS ",\"goods\":[%s]}", cases[i].goods));
        assert_int_equal(a.status, 422);
        assert_true(has(a, format(t, "\"pointer\":\"%s\"", cases[i].pointer)));
        a = ask(t, t->customer, "POST", "/v1/bookings",
                format(t, "{\"quote_id\":\"qte_01M850A1TTNSX0QPYRVTXQD5MV\",\"goods\":[%s]}",
                       cases[i].goods));
        assert_int_equal(a.status, 422);
        assert_true(has(a, format(t, "\"pointer\":\"%s\"", cases[i].pointer)));
    }
    struct buf many;
    buf_init(&many, &t->h->arena, 1024);
    for (int i = 0; i <= GOODS_MAX; i++)
        buf_printf(&many, "%s{\"name\":\"x\"}", i > 0 ? "," : "");
    const char *body = format(t, TWO_STOPS ",\"goods\":[%.*s]}", STR_ARG(buf_str(&many)));
    assert_true(has(quote(t, body), "\"pointer\":\"/goods\""));
    town_free(t);
}

/* ---- bookings ---- */

static struct house_answer book_as(struct town *t, const char *quote_id, const char *goods) {
    return ask(t, t->customer, "POST", "/v1/bookings",
               format(t, "{\"quote_id\":\"%s\"%s%s}", quote_id, goods[0] != 0 ? ",\"goods\":" : "",
                      goods));
}

static void test_booked(void **unused) {
    (void)unused;
    struct town *t = town_new(23);
    struct house_answer q = quote(t, GOODS(SOFA));
    struct house_answer b = book_as(t, id_of_class(t, q, "van"), "");
    assert_int_equal(b.status, 201);
    assert_true(has(b, "\"goods\":[" SOFA "]"));
    t->booking = member(t, b, "id");
    take(t, t->driver);
    b = ask(t, t->driver, "GET", format(t, "/v1/bookings/%s", t->booking), NULL);
    assert_true(has(b, "\"goods\":[" SOFA "]")); /* its driver sees what he is to carry */
    /* named with the booking: in place of the quote's, and as bounded */
    q = quote(t, TWO_STOPS "}");
    b = book_as(t, id_of_class(t, q, "car"), "[" SOFA "]");
    assert_int_equal(b.status, 422);
    assert_true(has(b, "\"pointer\":\"/goods\"") && has(b, "what takes them: van, truck"));
    b = book_as(t, id_of_class(t, q, "car"), "[{\"name\":\"Lamp\",\"weight_g\":900}]");
    assert_int_equal(b.status, 201);
    assert_true(has(b, "\"goods\":[{\"name\":\"Lamp\",\"weight_g\":900}]"));
    b = book_as(t, id_of_class(t, q, "bike"), "");
    assert_false(has(b, "\"goods\":["));
    town_free(t);
}

/* A tariff may say what its classes take. */
static void test_tariff_capacity(void **unused) {
    (void)unused;
    struct town *t = town_new(24);
    struct identity admin = house_who(t->h, ROLE_ADMIN, NULL);
    const char *rates = "{\"currency\":\"SEK\",\"items\":[{\"vehicle\":\"bike\",\"base\":1,"
                        "\"per_km\":1,\"per_minute\":1,\"minimum\":1,\"capacity_kg\":%d},"
                        "{\"vehicle\":\"van\",\"base\":1,\"per_km\":1,\"per_minute\":1,"
                        "\"minimum\":1}]}";
    char body[512];
    snprintf(body, sizeof(body), "%s", rates);
    char *percent = strstr(body, "%d");
    memcpy(percent, "0,", 2); /* "capacity_kg":0,} is no JSON */
    assert_int_equal(ask(t, admin, "PUT", "/v1/tariffs", body).status, 400);
    memcpy(percent, " 0", 2);
    struct house_answer a = ask(t, admin, "PUT", "/v1/tariffs", body);
    assert_true(a.status == 422 && has(a, "/items/0/capacity_kg"));
    memcpy(percent, "99", 2);
    a = ask(t, admin, "PUT", "/v1/tariffs", body);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"capacity_kg\":99,\"capacity_l\":120") &&
                has(a, "\"capacity_kg\":800,\"capacity_l\":8000"));
    house_advance(t->h, US_PER_S);
    a = quote(t, GOODS("{\"name\":\"Sack\",\"weight_g\":99000}"));
    assert_non_null(id_of_class(t, a, "bike"));
    a = quote(t, GOODS("{\"name\":\"Sack\",\"weight_g\":99001}"));
    assert_null(id_of_class(t, a, "bike"));
    assert_true(has(a, "weigh 99.1 kg, and a bike carries 99 kg"));
    town_free(t);
}

/* What he calls his things is his own word. */
static void test_erased(void **unused) {
    (void)unused;
    struct town *t = town_new(26);
    struct house_answer q = quote(t, GOODS(SOFA));
    struct house_answer b = ask(t, t->customer, "POST", "/v1/bookings",
                                format(t, "{\"quote_id\":\"%s\"}", id_of_class(t, q, "van")));
    assert_int_equal(b.status, 201);
    t->booking = member(t, b, "id");
    assert_int_equal(act(t, t->customer, "cancel", "{}").status, 200);
    struct ev_erased said = {.user_id = t->customer.user_id};
    struct event e = {.id = house_id(t->h, "evt"),
                      .type = STR(EV_ACCOUNT_ERASED),
                      .key = said.user_id,
                      .at_us = t->h->now_us,
                      .data = schema_text(&ev_erased_schema, &said, S_STORE, &t->h->arena)};
    assert_int_equal(t->h->bus->ops->publish(t->h->bus, &e, confirmed, NULL), 0);
    house_settle(t->h);
    house_advance(t->h, 10 * US_PER_S);
    b = ask(t, t->staff, "GET", format(t, "/v1/bookings/%s", t->booking), NULL);
    assert_true(b.status == 200 && has(b, "\"weight_g\":70000") && !has(b, "Sofa"));
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),       cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_quotes_fit), cmocka_unit_test(test_bad_goods),
        cmocka_unit_test(test_booked),     cmocka_unit_test(test_tariff_capacity),
        cmocka_unit_test(test_erased),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
