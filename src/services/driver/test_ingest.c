/* Devices and what they report: who may make and take back a token, what each client's way of
 * saying where it is comes to in the trail, and what a bad one is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/timestamp.h"
#include "services/driver/devices.h"
#include "services/driver/test_rig.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define has(text, part) (memmem((text).p, (text).len, (part), strlen(part)) != NULL)
#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (!has(text, part))                                                                      \
            fail_msg("no %s in %.*s", part, STR_ARG(text));                                        \
    } while (0)

/* "10:00" of the day it is in the house. */
#define NOW_S INT64_C(1795428000)

static const char *text_of(struct rig *r, struct str json, const char *key) {
    struct json_value root, v;
    assert_int_equal(json_parse(r->parser, json, &root), 0);
    assert_true(json_get(root, key, &v));
    return arena_cstr(&r->arena, json_text(v));
}

/* A new device's token, of USER. */
static const char *device(struct rig *r, const char *user) {
    return text_of(r,
                   rig_expect(r, 201, ROLE_DRIVER, user, "POST", "/v1/driver/devices",
                              "{\"name\":\"My phone\"}"),
                   "token");
}

static struct house_answer ask(struct rig *r, const char *method, const char *path,
                               const char *authorization, const char *body) {
    struct house_request q = {.method = method, .path = path, .body = body};
    if (authorization != NULL)
        q.headers[0] = (struct header){STR("authorization"), str_from(authorization)};
    return house_call(r->house, &q);
}

static int osmand(struct rig *r, const char *method, const char *token, const char *rest) {
    char path[512];
    snprintf(path, sizeof path, "/v1/ingest/osmand?id=%s%s", token, rest);
    return ask(r, method, path, NULL, NULL).status;
}

/* His whole trail of the day. */
static struct str trail(struct rig *r, const char *user) {
    char path[160];
    snprintf(path, sizeof path, "/v1/drivers/%s/trail?from=2026-11-01T00:00:00Z",
             rig_driver_id(r, user));
    return rig_expect(r, 200, ROLE_DISPATCHER, "usr_01M850A1NMTJ9XZHYE6M2PAP2Q", "GET", path, NULL);
}

static const char *bearer(struct rig *r, const char *token) {
    return arena_printf(&r->arena, "Bearer %s", token).p;
}

static void test_tokens(void **state) {
    (void)state;
    struct rig *r = rig_new(1);
    const char *user = rig_driver(r, "van", 57.7, 11.97),
               *other = rig_driver(r, "van", 57.7, 11.98);
    const char *token = device(r, user);
    char path[160];
    assert_int_equal(strlen(token), 63);
    struct str all = rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver/devices", NULL);
    assert_has(all, "My phone");
    assert_false(has(all, token + 31));
    assert_false(has(all, "token"));
    assert_false(
        has(rig_expect(r, 200, ROLE_DRIVER, other, "GET", "/v1/driver/devices", NULL), "My phone"));
    snprintf(path, sizeof path, "/v1/driver/devices/%.30s", token);
    rig_expect(r, 404, ROLE_DRIVER, other, "DELETE", path, NULL);
    rig_expect(r, 403, ROLE_CUSTOMER, user, "DELETE", path, NULL);
    assert_int_equal(osmand(r, "GET", token, "&lat=57.7&lon=11.9"), 200);
    rig_expect(r, 204, ROLE_DRIVER, user, "DELETE", path, NULL);
    rig_expect(r, 404, ROLE_DRIVER, user, "DELETE", path, NULL);
    assert_int_equal(osmand(r, "GET", token, "&lat=57.7&lon=11.9"), 401);
    static const char *const bad[] = {"{}", "{\"name\":\"\"}", "{\"name\":7}",
                                      "{\"name\":\"a\\nb\"}", "{\"name\":null}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_has(rig_expect(r, 422, ROLE_DRIVER, user, "POST", "/v1/driver/devices", bad[i]),
                   "/name");
    rig_free(r);
}

static void test_the_staff(void **state) {
    (void)state;
    struct rig *r = rig_new(2);
    const char *user = rig_driver(r, "van", 57.7, 11.97), *desk = house_id(r->house, "usr").p;
    char path[160];
    snprintf(path, sizeof path, "/v1/drivers/%s/devices", rig_driver_id(r, user));
    struct str made =
        rig_expect(r, 201, ROLE_DISPATCHER, desk, "POST", path, "{\"name\":\"In the van\"}");
    const char *token = text_of(r, made, "token");
    assert_int_equal(osmand(r, "POST", token, "&lat=57.7&lon=11.9"), 200);
    assert_has(rig_expect(r, 200, ROLE_ADMIN, desk, "GET", path, NULL), "In the van");
    assert_has(rig_expect(r, 200, ROLE_DRIVER, user, "GET", "/v1/driver/devices", NULL),
               "In the van");
    for (int i = 1; i < DEVICES_MAX; i++)
        device(r, user);
    assert_has(rig_expect(r, 409, ROLE_DRIVER, user, "POST", "/v1/driver/devices",
                          "{\"name\":\"one more\"}"),
               "too-many-devices");
    rig_expect(r, 403, ROLE_DRIVER, user, "POST", path, "{\"name\":\"x\"}");
    rig_expect(r, 404, ROLE_ADMIN, desk, "POST",
               "/v1/drivers/drv_01M850A1NMTJ9XZHYE6M2PAP2Q/devices", "{\"name\":\"x\"}");
    rig_expect(r, 404, ROLE_ADMIN, desk, "GET", "/v1/drivers/nobody/devices", NULL);
    snprintf(path, sizeof path, "/v1/drivers/%s/devices/%.30s", rig_driver_id(r, user), token);
    rig_expect(r, 204, ROLE_ADMIN, desk, "DELETE", path, NULL);
    assert_int_equal(osmand(r, "GET", token, "&lat=57.7&lon=11.9"), 401);
    rig_free(r);
}

static void test_osmand(void **state) {
    (void)state;
    struct rig *r = rig_new(3);
    const char *user = rig_driver(r, "van", 57.7, 11.97), *token = device(r, user);
    char rest[256];
    snprintf(
        rest, sizeof rest,
        "&lat=57.71&lon=11.98&timestamp=%lld&speed=10&bearing=360&altitude=31&accuracy=5&batt=81",
        (long long)NOW_S - 30);
    assert_int_equal(osmand(r, "GET", token, rest), 200);
    assert_int_equal(osmand(r, "POST", token, rest), 200); /* it had no answer, and comes again */
    snprintf(rest, sizeof rest, "&lat=57.72&lon=11.98&timestamp=%lld500&speed=-1&bearing=-1",
             (long long)NOW_S - 20);
    assert_int_equal(osmand(r, "POST", token, rest), 200);
    assert_int_equal(
        osmand(r, "POST", token, "&lat=-57.73&lon=-0.5&timestamp=2026-11-23T09:59:50Z"), 200);
    struct str t = trail(r, user);
    assert_has(t, "{\"at\":\"2026-11-23T09:59:30Z\",\"lat\":57.71,\"lng\":11.98,\"speed_mps\":5.14,"
                  "\"bearing_deg\":0},{\"at\":\"2026-11-23T09:59:40.500Z\",\"lat\":57.72,"
                  "\"lng\":11.98,\"speed_mps\":null,\"bearing_deg\":null},"
                  "{\"at\":\"2026-11-23T09:59:50Z\",\"lat\":-57.73,\"lng\":-0.5");
    static const char *const bad[] = {"",
                                      "&lat=57.7",
                                      "&lon=11.9",
                                      "&lat=91&lon=11.9",
                                      "&lat=nan&lon=11.9",
                                      "&lat=57.7&lon=11.9&timestamp=soon",
                                      "&lat=57.7&lon=11.9&timestamp=-1",
                                      "&lat=57.7&lon=11.9&timestamp=0",
                                      "&lat=57.7&lon=11.9&timestamp=99999999999999999",
                                      "&lat=57.7&lon=11.9&timestamp=1500000000",
                                      "&lat=57.7&lon=11.9&timestamp=1900000000",
                                      "&lat=57.7&lon=11.9&speed=fast",
                                      "&lat=57.7&lon=11.9&bearing=361",
                                      "&lat=57.7&lon=11.9&accuracy=1e99"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (osmand(r, "GET", token, bad[i]) != 422)
            fail_msg("%s", bad[i]);
    assert_int_equal(trail(r, user).len, t.len);
    rig_free(r);
}

/* Nothing is answered well that is not on the disk. */
static void test_durable(void **state) {
    (void)state;
    struct rig *r = rig_new(4);
    const char *user = rig_driver(r, "van", 57.7, 11.97), *token = device(r, user);
    r->house->faults.io = 1;
    assert_int_equal(osmand(r, "GET", token, "&lat=57.71&lon=11.98&timestamp=1795427990"), 503);
    r->house->faults.io = 0;
    assert_int_equal(osmand(r, "GET", token, "&lat=57.71&lon=11.98&timestamp=1795427990"), 200);
    rig_reopen(r);
    assert_has(trail(r, user), "57.71");
    rig_free(r);
}

static void test_owntracks(void **state) {
    (void)state;
    struct rig *r = rig_new(5);
    const char *user = rig_driver(r, "van", 57.7, 11.97), *token = device(r, user);
    char plain[128], basic[256] = "Basic ", body[256];
    int n = snprintf(plain, sizeof plain, "ola:%s", token);
    sodium_bin2base64(basic + 6, sizeof basic - 6, (unsigned char *)plain, (size_t)n,
                      sodium_base64_VARIANT_ORIGINAL);
    snprintf(
        body, sizeof body,
        "{\"_type\":\"location\",\"tst\":%lld,\"lat\":57.71,\"lon\":11.98,\"acc\":8,\"vel\":36,"
        "\"cog\":45,\"batt\":81,\"tid\":\"OB\"}",
        (long long)NOW_S - 60);
    const char *path = "/v1/ingest/owntracks";
    struct house_answer a = ask(r, "POST", path, basic, body);
    assert_int_equal(a.status, 200);
    assert_true(str_is(a.body, "[]"));
    assert_has(trail(r, user), "\"at\":\"2026-11-23T09:59:00Z\",\"lat\":57.71,\"lng\":11.98,"
                               "\"speed_mps\":10,\"bearing_deg\":45");
    assert_int_equal(ask(r, "POST", path, bearer(r, token), "{\"_type\":\"lwt\",\"tst\":1}").status,
                     200);
    assert_int_equal(ask(r, "POST", path, NULL, body).status, 401);
    assert_int_equal(ask(r, "POST", path, "Basic !!!", body).status, 401);
    assert_int_equal(ask(r, "POST", path, "Basic b2xh", body).status, 401);
    assert_int_equal(ask(r, "POST", path, bearer(r, token), "{").status, 400);
    static const char *const bad[][2] = {
        {"{}", "/_type"},
        {"{\"_type\":7}", "/_type"},
        {"{\"_type\":\"location\",\"lat\":1,\"lon\":1}", "/tst"},
        {"{\"_type\":\"location\",\"tst\":1795427000,\"lon\":1}", "/lat"},
        {"{\"_type\":\"location\",\"tst\":1795427000,\"lat\":1}", "/lon"},
        {"{\"_type\":\"location\",\"tst\":1795427000,\"lat\":91,\"lon\":1}", "/lat"},
        {"{\"_type\":\"location\",\"tst\":\"x\",\"lat\":1,\"lon\":1}", "/tst"},
        {"{\"_type\":\"location\",\"tst\":1795427000,\"lat\":1,\"lon\":1,\"cog\":400}", "/cog"},
        {"{\"_type\":\"location\",\"tst\":1500000000,\"lat\":1,\"lon\":1}", "older than 30 days"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        a = ask(r, "POST", path, bearer(r, token), bad[i][0]);
        assert_int_equal(a.status, 422);
        assert_has(a.body, bad[i][1]);
    }
    rig_free(r);
}

/* A phone that had no network since the morning. */
static void test_batches_hours_later(void **state) {
    (void)state;
    struct rig *r = rig_new(6);
    const char *user = rig_driver(r, "van", 57.7, 11.97), *token = device(r, user);
    const char *path = "/v1/ingest/fixes",
               *body = "{\"fixes\":[{\"at\":\"2026-11-23T03:00:00Z\",\"lat\":57.7,\"lng\":11.9},"
                       "{\"at\":\"2026-11-23T05:30:00Z\",\"lat\":57.8,\"lng\":11.9},{}]}";
    struct house_answer a = ask(r, "POST", path, bearer(r, token), body);
    assert_int_equal(a.status, 200);
    assert_has(a.body, "\"stored\":2");
    assert_has(a.body, "/fixes/2/at");
    a = ask(r, "POST", path, bearer(r, token), body);
    assert_has(a.body, "\"stored\":0,\"duplicates\":2");
    assert_int_equal(ask(r, "POST", path, bearer(r, token), "{\"fixes\":[]}").status, 422);
    assert_int_equal(ask(r, "POST", path, NULL, body).status, 401);
    rig_free(r);
}

static void test_strangers(void **state) {
    (void)state;
    struct rig *r = rig_new(7);
    const char *user = rig_driver(r, "van", 57.7, 11.97), *token = device(r, user);
    char near[80];
    static const char *const nobodys[] = {"", "x", "dev_01M850A1W7876Y0K9TCRX45N1Z",
                                          ("dev_01M850A1W7876Y0K9TCRX45N1Z_"
                                           "0f1e2d3c4b5a69788796a5b4c3d2e1f0")};
    for (size_t i = 0; i < sizeof nobodys / sizeof *nobodys; i++)
        assert_int_equal(osmand(r, "GET", nobodys[i], "&lat=1&lon=1"), 401);
    snprintf(near, sizeof near, "%s", token);
    near[62] = near[62] == '0' ? '1' : '0';
    assert_int_equal(osmand(r, "GET", near, "&lat=1&lon=1"), 401);
    int status = 401;
    for (int i = 0; i < 100 && status == 401; i++)
        status = osmand(r, "GET", near, "&lat=1&lon=1");
    assert_int_equal(status, 429);
    /* Another phone behind the same address is none of their business. */
    assert_int_equal(osmand(r, "GET", token, "&lat=57.7&lon=11.9"), 200);
    house_advance(r->house, 61 * US_PER_S);
    assert_int_equal(osmand(r, "GET", near, "&lat=57.7&lon=11.9"), 401);
    rig_free(r);
}

static void test_a_disabled_account(void **state) {
    (void)state;
    struct rig *r = rig_new(8);
    const char *user = rig_driver(r, "van", 57.7, 11.97), *token = device(r, user);
    const struct ev_account gone = {
        .user_id = str_from(user), .name = STR("Ola"), .role = ROLE_DRIVER, .disabled = true};
    assert_int_equal(osmand(r, "GET", token, "&lat=57.7&lon=11.9"), 200);
    rig_say(r, EV_ACCOUNT_CHANGED, gone.user_id, &ev_account_schema, &gone);
    assert_int_equal(osmand(r, "GET", token, "&lat=57.7&lon=11.9"), 401);
    rig_free(r);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),    cmocka_unit_test(test_the_staff),
        cmocka_unit_test(test_osmand),    cmocka_unit_test(test_durable),
        cmocka_unit_test(test_owntracks), cmocka_unit_test(test_batches_hours_later),
        cmocka_unit_test(test_strangers), cmocka_unit_test(test_a_disabled_account),
    };
    return cmocka_run_group_tests_name("ingest", tests, NULL, NULL);
}
