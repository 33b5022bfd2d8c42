/* Several vehicles of one driver, through the routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/driver/test_rig.h"

#include <stdio.h>
#include <string.h>

#define VEHICLES "/v1/driver/vehicles"
#define VAN "{\"class\":\"van\",\"plate\":\"VAN1\"}"
#define BIKE "{\"class\":\"bike\",\"plate\":\"BIKE1\",\"capacity_kg\":25}"

static bool has(struct str text, const char *part) {
    return memmem(text.p, text.len, part, strlen(part)) != NULL;
}
#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (!has(text, part))                                                                      \
            fail_msg("no %s in %.*s", part, STR_ARG(text));                                        \
    } while (0)

/* The path of USER's vehicle number AT, with REST behind it. */
static const char *path_of(struct rig *r, const char *user, int at, const char *rest) {
    const struct driver *d = rig_stored(r, user);
    assert_true(at < d->vehicle_count);
    return arena_printf(&r->arena, VEHICLES "/%.*s%s", STR_ARG(d->vehicles[at].id), rest).p;
}

static void test_add_use_change_remove(void **state) {
    (void)state;
    struct rig *r = rig_new(1);
    const char *user = house_id(r->house, "usr").p;
    struct str body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", VEHICLES, NULL);
    assert_true(str_is(body, "{\"items\":[],\"next_cursor\":null}"));
    body = rig_expect(r, 201, ROLE_DRIVER, user, "POST", VEHICLES, VAN);
    assert_has(body, "\"in_use\":true"); /* the first one is */
    assert_has(body, "\"capacity_kg\":800,\"capacity_l\":8000,\"capacity_items\":200");
    body = rig_expect(r, 201, ROLE_DRIVER, user, "POST", VEHICLES, BIKE);
    assert_has(body, "\"in_use\":false");
    assert_has(body, "\"capacity_kg\":25,\"capacity_l\":120,\"capacity_items\":6");
    body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver", NULL);
    assert_has(body, "\"vehicle\":{\"id\":\"veh_");
    assert_has(body, "\"plate\":\"VAN1\"");
    body = rig_expect(r, 200, ROLE_DRIVER, user, "POST", path_of(r, user, 1, "/use"), NULL);
    assert_has(body, "\"plate\":\"BIKE1\"");
    int64_t version = rig_stored(r, user)->head.version;
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", path_of(r, user, 1, "/use"), NULL);
    assert_int_equal(rig_stored(r, user)->head.version, version);
    /* changing the one in use is seen in the profile; and so is removing it */
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", path_of(r, user, 1, ""),
               "{\"class\":\"bike\",\"plate\":\"BIKE2\",\"capacity_items\":9}");
    body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver", NULL);
    assert_has(body, "\"plate\":\"BIKE2\",\"capacity_kg\":30,\"capacity_l\":120,"
                     "\"capacity_items\":9");
    rig_expect(r, 204, ROLE_DRIVER, user, "DELETE", path_of(r, user, 1, ""), NULL);
    body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver", NULL);
    assert_has(body, "\"vehicle\":null");
    body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", VEHICLES, NULL);
    assert_has(body, "VAN1");
    assert_false(has(body, "BIKE"));
    rig_free(r);
}

static void test_put_of_the_profile(void **state) {
    (void)state;
    struct rig *r = rig_new(2);
    const char *user = house_id(r->house, "usr").p;
    const char *van = "{\"vehicle\":{\"class\":\"van\",\"plate\":\"A\",\"capacity_kg\":800}}";
    const char *other = "{\"vehicle\":{\"class\":\"car\",\"plate\":\"B\",\"capacity_kg\":300}}";
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", "/v1/driver", van);
    int64_t version = rig_stored(r, user)->head.version;
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", "/v1/driver", van);
    assert_int_equal(rig_stored(r, user)->head.version, version);
    /* who has one and tells another has another */
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", "/v1/driver", other);
    assert_int_equal(rig_stored(r, user)->vehicle_count, 1);
    assert_int_equal(rig_stored(r, user)->vehicle->kind, VEHICLE_CAR);
    /* who has two and tells the other's plate drives that one */
    rig_expect(r, 201, ROLE_DRIVER, user, "POST", VEHICLES, VAN);
    struct str body =
        rig_expect(r, 200, ROLE_DRIVER, user, "PUT", "/v1/driver",
                   "{\"vehicle\":{\"class\":\"van\",\"plate\":\"VAN1\",\"capacity_kg\":900}}");
    assert_has(body, "\"plate\":\"VAN1\",\"capacity_kg\":900,\"capacity_l\":8000");
    assert_int_equal(rig_stored(r, user)->vehicle_count, 2);
    rig_free(r);
}

static const char *numbered(struct rig *r, int n) {
    return arena_printf(&r->arena, "{\"class\":\"bike\",\"plate\":\"N%d\"}", n).p;
}

/* No two of his have one plate, however it is written; another's may. */
static void test_plates(void **state) {
    (void)state;
    static const char *const again[] = {
        "{\"class\":\"van\",\"plate\":\"VAN1\"}",
        "{\"class\":\"car\",\"plate\":\"van1\"}",
        "{\"class\":\"van\",\"plate\":\"Van 1\"}",
        "{\"class\":\"van\",\"plate\":\"-V-AN 1 \"}",
    };
    struct rig *r = rig_new(10);
    const char *user = house_id(r->house, "usr").p, *other = house_id(r->house, "usr").p;
    rig_expect(r, 201, ROLE_DRIVER, user, "POST", VEHICLES, VAN);
    rig_expect(r, 201, ROLE_DRIVER, user, "POST", VEHICLES, BIKE);
    rig_expect(r, 201, ROLE_DRIVER, other, "POST", VEHICLES, VAN);
    int64_t version = rig_stored(r, user)->head.version;
    for (size_t i = 0; i < sizeof again / sizeof again[0]; i++) {
        assert_has(rig_expect(r, 422, ROLE_DRIVER, user, "POST", VEHICLES, again[i]),
                   "\"pointer\":\"/plate\"");
        assert_has(rig_expect(r, 422, ROLE_DRIVER, user, "PUT", path_of(r, user, 1, ""), again[i]),
                   "\"pointer\":\"/plate\"");
    }
    assert_int_equal(rig_stored(r, user)->head.version, version);
    rig_expect(r, 201, ROLE_DRIVER, user, "POST", VEHICLES,
               "{\"class\":\"van\",\"plate\":\"VAN\"}");
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", path_of(r, user, 0, ""), again[2]); /* its own */
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", "/v1/driver",
               "{\"vehicle\":{\"class\":\"van\",\"plate\":\"van-1\"}}");
    assert_int_equal(rig_stored(r, user)->vehicle_count, 3);
    rig_free(r);
}

static void test_bad_input(void **state) {
    (void)state;
    static const struct {
        const char *body, *pointer;
    } bad[] = {
        {"{}", "/class"},
        {"{\"class\":\"van\"}", "/plate"},
        {"{\"class\":\"plane\",\"plate\":\"A\"}", "/class"},
        {"{\"class\":\"van\",\"plate\":\"\"}", "/plate"},
        {"{\"class\":\"van\",\"plate\":\"12345678901234567\"}", "/plate"},
        {"{\"class\":\"van\",\"plate\":\"A\\nB\"}", "/plate"},
        {"{\"class\":\"van\",\"plate\":7}", "/plate"},
        {"{\"class\":\"van\",\"plate\":\"A\",\"capacity\":900}", "/capacity"},
        {"{\"class\":\"van\",\"plate\":\"A\",\"capacity_kg\":0}", "/capacity_kg"},
        {"{\"class\":\"van\",\"plate\":\"A\",\"capacity_kg\":40001}", "/capacity_kg"},
        {"{\"class\":\"van\",\"plate\":\"A\",\"capacity_kg\":1.5}", "/capacity_kg"},
        {"{\"class\":\"van\",\"plate\":\"A\",\"capacity_l\":-1}", "/capacity_l"},
        {"{\"class\":\"van\",\"plate\":\"A\",\"capacity_l\":150001}", "/capacity_l"},
        {"{\"class\":\"van\",\"plate\":\"A\",\"capacity_items\":0}", "/capacity_items"},
        {"{\"class\":\"van\",\"plate\":\"A\",\"capacity_items\":10001}", "/capacity_items"},
    };
    struct rig *r = rig_new(3);
    const char *user = house_id(r->house, "usr").p;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_has(rig_expect(r, 422, ROLE_DRIVER, user, "POST", VEHICLES, bad[i].body),
                   bad[i].pointer);
    assert_null(rig_stored(r, user));
    rig_expect(r, 404, ROLE_DRIVER, user, "PUT", VEHICLES "/veh_1", VAN);
    rig_expect(r, 404, ROLE_DRIVER, user, "DELETE", VEHICLES "/veh_1", NULL);
    rig_expect(r, 404, ROLE_DRIVER, user, "POST", VEHICLES "/veh_1/use", NULL);
    rig_expect(r, 403, ROLE_CUSTOMER, NULL, "POST", VEHICLES, VAN);
    rig_expect(r, 403, ROLE_ADMIN, NULL, "GET", VEHICLES, NULL);
    for (int i = 0; i < VEHICLES_MAX; i++)
        rig_expect(r, 201, ROLE_DRIVER, user, "POST", VEHICLES, numbered(r, i));
    assert_has(rig_expect(r, 409, ROLE_DRIVER, user, "POST", VEHICLES, VAN), "too-many-vehicles");
    /* another's is not his */
    const char *other = house_id(r->house, "usr").p;
    rig_expect(r, 201, ROLE_DRIVER, other, "POST", VEHICLES, BIKE);
    rig_expect(r, 404, ROLE_DRIVER, user, "DELETE", path_of(r, other, 0, ""), NULL);
    rig_free(r);
}

static void claim(struct rig *r, const char *user, struct ev_booking *b) {
    struct ev_claim want = {.booking_id = b->booking_id,
                            .offer_id = house_id(r->house, "ofr"),
                            .driver_id = str_from(rig_driver_id(r, user)),
                            .vehicle = VEHICLE_VAN};
    rig_say(r, EV_DISPATCH_CLAIM, want.driver_id, &ev_claim_schema, &want);
    assert_non_null(rig_stored(r, user)->claim);
}

static void test_not_while_claimed(void **state) {
    (void)state;
    struct rig *r = rig_new(4);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    rig_expect(r, 201, ROLE_DRIVER, user, "POST", VEHICLES, BIKE);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, 57.7, 11.97);
    /* on duty and free he may take another, but not be without one */
    assert_has(rig_expect(r, 409, ROLE_DRIVER, user, "DELETE", path_of(r, user, 0, ""), NULL),
               "go off duty");
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", path_of(r, user, 1, "/use"), NULL);
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", path_of(r, user, 0, "/use"), NULL);
    claim(r, user, &b);
    int64_t version = rig_stored(r, user)->head.version;
    const char *answers[] = {"once the offer is answered", "once the booking is finished"};
    for (int active = 0; active < 2; active++) {
        static const char *const changed = "{\"class\":\"truck\",\"plate\":\"NEW\"}";
        assert_has(rig_expect(r, 409, ROLE_DRIVER, user, "POST", path_of(r, user, 1, "/use"), NULL),
                   answers[active]);
        rig_expect(r, 409, ROLE_DRIVER, user, "PUT", path_of(r, user, 0, ""), changed);
        rig_expect(r, 409, ROLE_DRIVER, user, "DELETE", path_of(r, user, 0, ""), NULL);
        rig_expect(r, 409, ROLE_DRIVER, user, "PUT", "/v1/driver",
                   "{\"vehicle\":{\"class\":\"bike\",\"plate\":\"BIKE1\",\"capacity_kg\":25}}");
        assert_int_equal(rig_stored(r, user)->head.version, version);
        if (active == 0) {
            struct ev_booking won = rig_with_offer(r, &b, rig_stored(r, user)->claim->offer_id,
                                                   str_from(rig_driver_id(r, user)), NULL);
            won.driver_id = str_from(rig_driver_id(r, user));
            rig_say_booking(r, EV_BOOKING_ASSIGNED, &won);
            version = rig_stored(r, user)->head.version;
            assert_true(driver_active(rig_stored(r, user)));
        }
    }
    /* those that are not in use are nobody's business */
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", path_of(r, user, 1, ""),
               "{\"class\":\"car\",\"plate\":\"CAR1\"}");
    rig_expect(r, 204, ROLE_DRIVER, user, "DELETE", path_of(r, user, 1, ""), NULL);
    rig_free(r);
}

/* A document from before there were several has one, which gets an id that never changes. */
static void test_older_document(void **state) {
    (void)state;
    struct rig *r = rig_new(5);
    const char *user = house_id(r->house, "usr").p;
    struct str id = str_from(rig_driver_id(r, user));
    struct store *store = executor_store(r->house->executor);
    struct store_change change = {
        .collection = &driver_collection,
        .id = id,
        .state =
            arena_printf(&r->arena,
                         "{\"user_id\":\"%s\",\"status\":\"approved\",\"duty\":\"off\","
                         "\"vehicle\":{\"class\":\"van\",\"plate\":\"OLD\",\"capacity_kg\":7}}",
                         user),
        .keys = {STR("approved")},
        .commit_id = STR("older"),
        .at_us = 1};
    assert_int_equal(store->ops->commit(store, &change, 1, NULL, 0), 0);
    struct str first = rig_expect(r, 200, ROLE_DRIVER, user, "GET", VEHICLES, NULL);
    assert_has(first, "\"plate\":\"OLD\",\"capacity_kg\":7,\"capacity_l\":8000");
    assert_has(first, "\"in_use\":true");
    rig_expect(r, 201, ROLE_DRIVER, user, "POST", VEHICLES, BIKE);
    struct str both = rig_expect(r, 200, ROLE_DRIVER, user, "GET", VEHICLES, NULL);
    assert_true(memcmp(first.p, both.p, first.len - strlen("],\"next_cursor\":null}")) == 0);
    assert_int_equal(rig_stored(r, user)->vehicle_count, 2);
    rig_free(r);
}

/* Dispatch reads what he can carry from the roster. */
static void test_roster_knows_the_capacity(void **state) {
    (void)state;
    struct rig *r = rig_new(6);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    rig_expect(r, 201, ROLE_DRIVER, user, "POST", VEHICLES, BIKE);
    struct str id = str_from(rig_driver_id(r, user));
    const struct member *m = roster_find(r->service->roster, id);
    assert_int_equal(m->capacity.l, 8000);
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", path_of(r, user, 1, "/use"), NULL);
    m = roster_find(r->service->roster, id);
    assert_int_equal(m->vehicle, VEHICLE_BIKE);
    assert_int_equal(m->capacity.kg, 25);
    assert_int_equal(m->capacity.items, 6);
    rig_free(r);
}

/* ---- the office ---- */

/* The path by which the office knows USER's vehicles; AT < 0: all of them. */
static const char *office_path(struct rig *r, const char *user, int at) {
    struct str one = at < 0 ? STR("") : rig_stored(r, user)->vehicles[at].id;
    return arena_printf(&r->arena, "/v1/drivers/%s/vehicles%s%.*s", rig_driver_id(r, user),
                        at < 0 ? "" : "/", STR_ARG(one))
        .p;
}

static void test_the_office(void **state) {
    (void)state;
    struct rig *r = rig_new(7);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    int32_t noted = r->audit_count;
    struct str body = rig_expect(r, 201, ROLE_ADMIN, NULL, "POST", office_path(r, user, -1), BIKE);
    assert_has(body, "\"plate\":\"BIKE1\",\"capacity_kg\":25,\"capacity_l\":120");
    assert_has(body, "\"in_use\":false"); /* which one he drives is his word */
    assert_int_equal(r->audit_count, noted + 1);
    assert_true(str_is(r->audit.action, "driver.vehicles"));
    assert_true(str_is(r->audit.subject_id, rig_driver_id(r, user)));
    assert_has(r->audit.after, "BIKE1");
    assert_false(has(r->audit.before, "BIKE1"));
    /* the same again is no change, and not noted */
    int64_t version = rig_stored(r, user)->head.version;
    rig_expect(r, 200, ROLE_ADMIN, NULL, "PUT", office_path(r, user, 1), BIKE);
    assert_int_equal(rig_stored(r, user)->head.version, version);
    assert_int_equal(r->audit_count, noted + 1);
    rig_expect(r, 200, ROLE_ADMIN, NULL, "PUT", office_path(r, user, 1),
               "{\"class\":\"bike\",\"plate\":\"BIKE2\"}");
    assert_has(r->audit.before, "BIKE1");
    assert_has(r->audit.after, "BIKE2");
    body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", VEHICLES, NULL);
    assert_has(body, "\"plate\":\"BIKE2\",\"capacity_kg\":30");
    /* the one in use is what he is, and what dispatch knows of him */
    rig_expect(r, 200, ROLE_ADMIN, NULL, "PUT", office_path(r, user, 0),
               "{\"class\":\"van\",\"plate\":\"VAN2\",\"capacity_kg\":500}");
    assert_int_equal(roster_find(r->service->roster, str_from(rig_driver_id(r, user)))->capacity.kg,
                     500);
    rig_expect(r, 204, ROLE_ADMIN, NULL, "DELETE", office_path(r, user, 1), NULL);
    assert_has(r->audit.before, "BIKE2");
    assert_int_equal(r->audit_count, noted + 4);
    /* what he does himself is in nobody's log */
    rig_expect(r, 201, ROLE_DRIVER, user, "POST", VEHICLES, BIKE);
    rig_expect(r, 204, ROLE_DRIVER, user, "DELETE", path_of(r, user, 1, ""), NULL);
    assert_int_equal(r->audit_count, noted + 4);
    rig_free(r);
}

static void test_what_the_office_may_not(void **state) {
    (void)state;
    struct rig *r = rig_new(8);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    const char *all = office_path(r, user, -1);
    const char *van = office_path(r, user, 0);
    int32_t noted = r->audit_count;
    int64_t version = rig_stored(r, user)->head.version;
    static const enum role others[] = {ROLE_CUSTOMER, ROLE_DRIVER, ROLE_DISPATCHER};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        rig_expect(r, 403, others[i], NULL, "POST", all, BIKE);
        rig_expect(r, 403, others[i], NULL, "PUT", van, BIKE);
        rig_expect(r, 403, others[i], NULL, "DELETE", van, NULL);
    }
    assert_has(rig_expect(r, 422, ROLE_ADMIN, NULL, "POST", all, "{\"class\":\"van\"}"), "/plate");
    assert_has(rig_expect(r, 422, ROLE_ADMIN, NULL, "PUT", van,
                          "{\"class\":\"van\",\"plate\":\"A\",\"capacity_kg\":0}"),
               "/capacity_kg");
    static const char *const nobody = "/v1/drivers/drv_00000000000000000000000001/vehicles";
    rig_expect(r, 404, ROLE_ADMIN, NULL, "POST", nobody, BIKE);
    rig_expect(r, 404, ROLE_ADMIN, NULL, "POST", "/v1/drivers/drv_1/vehicles", BIKE);
    rig_expect(r, 404, ROLE_ADMIN, NULL, "DELETE", "/v1/drivers/drv_1/vehicles/veh_1", NULL);
    assert_has(rig_expect(r, 404, ROLE_ADMIN, NULL, "PUT",
                          arena_printf(&r->arena, "%s/veh_1", all).p, BIKE),
               "there is no such vehicle");
    /* on duty he is not left without one */
    assert_has(rig_expect(r, 409, ROLE_ADMIN, NULL, "DELETE", van, NULL), "its driver must");
    assert_int_equal(rig_stored(r, user)->head.version, version);
    /* nor does it change below what he was asked for */
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, 57.7, 11.97);
    claim(r, user, &b);
    version = rig_stored(r, user)->head.version;
    rig_expect(r, 409, ROLE_ADMIN, NULL, "PUT", van, BIKE);
    rig_expect(r, 409, ROLE_ADMIN, NULL, "DELETE", van, NULL);
    assert_int_equal(rig_stored(r, user)->head.version, version);
    assert_int_equal(r->audit_count, noted);
    /* there are no more of them than he may have */
    for (int i = 1; i < VEHICLES_MAX; i++)
        rig_expect(r, 201, ROLE_ADMIN, NULL, "POST", all, numbered(r, i));
    assert_has(rig_expect(r, 409, ROLE_ADMIN, NULL, "POST", all, BIKE), "too-many-vehicles");
    rig_free(r);
}

/* Who is erased while he is asked gives the offer back at once, and is nobody whom the office could
 * bring back by what it adds to him. */
static void test_erased(void **state) {
    (void)state;
    struct rig *r = rig_new(9);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    const char *his = arena_printf(&r->arena, "/v1/drivers/%s", rig_driver_id(r, user)).p;
    const char *rota = arena_printf(&r->arena, "%s/schedule", his).p;
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, 57.7, 11.97);
    claim(r, user, &b);
    struct ev_erased gone = {.user_id = str_from(user)};
    rig_say(r, EV_ACCOUNT_ERASED, gone.user_id, &ev_erased_schema, &gone);
    assert_int_equal(rig_count(r, EV_DRIVER_DROPPED), 1);
    const struct ev_claim *dropped = rig_last(r, EV_DRIVER_DROPPED);
    assert_true(dropped->driver_name.p == NULL && dropped->plate.p == NULL);
    const struct driver *d = rig_stored(r, user);
    assert_true(d->duty == DUTY_OFF && d->status == STATUS_SUSPENDED && d->vehicle_count == 0);
    int32_t noted = r->audit_count;
    rig_expect(r, 404, ROLE_ADMIN, NULL, "POST", office_path(r, user, -1), BIKE);
    rig_expect(r, 404, ROLE_ADMIN, NULL, "PATCH", his, "{\"status\":\"approved\"}");
    rig_expect(r, 404, ROLE_ADMIN, NULL, "PUT", rota,
               "{\"shifts\":[{\"day\":\"mon\",\"from\":\"08:00\",\"to\":\"17:00\"}]}");
    rig_expect(r, 404, ROLE_DRIVER, user, "POST", VEHICLES, BIKE); /* a token that still holds */
    assert_int_equal(rig_stored(r, user)->head.version, d->head.version);
    assert_int_equal(r->audit_count, noted);
    rig_free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_use_change_remove),
        cmocka_unit_test(test_put_of_the_profile),
        cmocka_unit_test(test_plates),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_not_while_claimed),
        cmocka_unit_test(test_older_document),
        cmocka_unit_test(test_roster_knows_the_capacity),
        cmocka_unit_test(test_the_office),
        cmocka_unit_test(test_what_the_office_may_not),
        cmocka_unit_test(test_erased),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
