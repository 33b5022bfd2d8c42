/* Fixes: what a bad one gets, and that each good one is stored exactly once, against a twin that
 * remembers every (driver, time) in a plain list; with seeds, restarts and a failing store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/timestamp.h"
#include "services/driver/test_rig.h"
#include "services/driver/trail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCATIONS "/v1/driver/locations"

static bool has(struct str text, const char *part) {
    return memmem(text.p, text.len, part, strlen(part)) != NULL;
}
#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (!has(text, part))                                                                      \
            fail_msg("no %s in %.*s", part, STR_ARG(text));                                        \
    } while (0)

static int64_t number(struct rig *r, struct str json, const char *key) {
    struct json_value root, v;
    int64_t n = -1;
    CHECK(json_parse(r->parser, json, &root) == 0 && json_get(root, key, &v));
    CHECK(json_i64(v, &n) == 0);
    return n;
}

static void test_shapes(void **state) {
    (void)state;
    struct rig *r = rig_new(1);
    const char *user = house_id(r->house, "usr").p;
    const char *bad[] = {"{}",
                         "[]",
                         "{\"fixes\":null}",
                         "{\"fixes\":{}}",
                         "{\"fixes\":[]}",
                         "{\"fixes\":[{}],\"fixes\":[{}]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        rig_expect(r, 422, ROLE_DRIVER, user, "POST", LOCATIONS, bad[i]);
    struct buf many;
    buf_init(&many, &r->arena, 8192);
    buf_add_cstr(&many, "{\"fixes\":[1");
    for (int i = 0; i < LOCATIONS_FIXES_MAX; i++)
        buf_add_cstr(&many, ",1");
    buf_add_cstr(&many, "]}");
    buf_add_char(&many, '\0');
    assert_has(rig_expect(r, 422, ROLE_DRIVER, user, "POST", LOCATIONS, many.p), "/fixes");
    rig_expect(r, 400, ROLE_DRIVER, user, "POST", LOCATIONS, "{\"fixes\":[{]}");
    rig_expect(r, 403, ROLE_CUSTOMER, user, "POST", LOCATIONS, "{\"fixes\":[]}");
    rig_free(r);
}

static void test_each_fault_by_its_index(void **state) {
    (void)state;
    struct rig *r = rig_new(2); /* it is 2026-11-23T10:00:00Z */
    const char *user = house_id(r->house, "usr").p;
    struct str body =
        rig_expect(r, 200, ROLE_DRIVER, user, "POST", LOCATIONS,
                   "{\"fixes\":["
                   "{\"at\":\"2026-11-23T09:59:59Z\",\"lat\":57.70,\"lng\":11.97,\"accuracy_m\":8,"
                   "\"speed_mps\":9.1,\"bearing_deg\":360,\"battery\":7},"
                   "{\"at\":\"2026-11-23T09:59:58Z\",\"lat\":91,\"lng\":11.97},"
                   "7,"
                   "{\"at\":\"2026-11-23T10:05:00.000001Z\",\"lat\":1,\"lng\":1},"
                   "{\"at\":\"2026-11-23T10:05:00Z\",\"lat\":1,\"lng\":1,\"speed_mps\":null},"
                   "{\"at\":\"2026-10-24T09:59:59Z\",\"lat\":1,\"lng\":1},"
                   "{\"at\":\"soon\",\"lat\":1,\"lng\":1},"
                   "{\"lat\":1,\"lng\":1},"
                   "{\"at\":\"2026-11-23T09:00:00Z\",\"lng\":1},"
                   "{\"at\":\"2026-11-23T09:00:00Z\",\"lat\":1,\"lng\":\"1\"},"
                   "{\"at\":\"2026-11-23T09:00:00Z\",\"lat\":1,\"lng\":1,\"bearing_deg\":361},"
                   "{\"at\":\"2026-11-23T09:00:00Z\",\"lat\":1,\"lng\":1,\"speed_mps\":-1},"
                   "{\"at\":\"2026-11-23T09:00:00Z\",\"lat\":1,\"lng\":1,\"accuracy_m\":1e9},"
                   "{\"at\":\"2026-11-23T09:00:00Z\",\"lat\":1,\"lat\":1,\"lng\":1}"
                   "]}");
    assert_int_equal(number(r, body, "stored"), 2);
    assert_int_equal(number(r, body, "duplicates"), 0);
    static const char *const faults[] = {
        "\"index\":1,\"pointer\":\"/fixes/1/lat\",\"detail\":\"must be between -90 and 90\"",
        "\"index\":2,\"pointer\":\"/fixes/2\"",
        "\"pointer\":\"/fixes/3/at\",\"detail\":\"must not be more than 5 minutes ahead",
        "\"pointer\":\"/fixes/5/at\",\"detail\":\"must not be older than 30 days\"",
        "\"pointer\":\"/fixes/6/at\"",
        "\"pointer\":\"/fixes/7/at\",\"detail\":\"is required\"",
        "\"pointer\":\"/fixes/8/lat\",\"detail\":\"is required\"",
        "\"pointer\":\"/fixes/9/lng\",\"detail\":\"must be a number\"",
        "/fixes/10/bearing_deg",
        "/fixes/11/speed_mps",
        "/fixes/12/accuracy_m",
        "\"pointer\":\"/fixes/13/lat\",\"detail\":\"is given twice\""};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        assert_has(body, faults[i]);
    assert_has(body, "\"through\":\"2026-11-23T10:05:00Z\"");
    /* nothing good: 200 all the same, and how far his trail goes */
    body = rig_expect(r, 200, ROLE_DRIVER, user, "POST", LOCATIONS, "{\"fixes\":[{}]}");
    assert_int_equal(number(r, body, "stored"), 0);
    assert_has(body, "\"through\":\"2026-11-23T10:05:00Z\"");
    rig_free(r);
}

static void test_what_is_shown_of_a_trail(void **state) {
    (void)state;
    struct rig *r = rig_new(3);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", LOCATIONS,
               "{\"fixes\":[{\"at\":\"2026-11-23T09:59:59.5Z\",\"lat\":-57.7089123,\"lng\":-0.5,"
               "\"accuracy_m\":8,\"speed_mps\":9.126,\"bearing_deg\":45.4}]}");
    char path[160];
    snprintf(path, sizeof path,
             "/v1/drivers/%s/trail?from=2026-11-23T09:59:59Z&to=2026-11-23T09:59:59.9Z",
             rig_driver_id(r, user));
    struct str body = rig_expect(r, 200, ROLE_DISPATCHER, NULL, "GET", path, NULL);
    assert_has(body, "\"fixes\":[{\"at\":\"2026-11-23T09:59:59.500Z\",\"lat\":-57.7089123,"
                     "\"lng\":-0.5,\"speed_mps\":9.13,\"bearing_deg\":45}],\"next_cursor\":null");
    rig_expect(r, 403, ROLE_CUSTOMER, NULL, "GET", path, NULL);
    rig_expect(r, 404, ROLE_ADMIN, NULL, "GET", "/v1/drivers/drv_x/trail", NULL);
    rig_expect(r, 404, ROLE_ADMIN, NULL, "GET", "/v1/drivers/drv_01ARZ3NDEKTSV4RRFFQ69G5FAV/trail",
               NULL);
    snprintf(path, sizeof path, "/v1/drivers/%s/trail?cursor=!!", rig_driver_id(r, user));
    rig_expect(r, 422, ROLE_ADMIN, NULL, "GET", path, NULL);
    rig_free(r);
}

static void test_who_is_told(void **state) {
    (void)state;
    struct rig *r = rig_new(4);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    int32_t before = r->signal_count;
    r->house->now_us += US_PER_S;
    rig_fix(r, user, 57.71, 11.98);
    assert_int_equal(r->signal_count, before + 1);
    const struct signal_position *s = &r->signals[before];
    assert_string_equal(s->driver_id, rig_driver_id(r, user));
    assert_int_equal(s->at.lat_e7, 577100000);
    assert_int_equal(s->vehicle, VEHICLE_VAN);
    assert_false(s->off);
    rig_fix(r, user, 57.72, 11.98); /* the same moment: a duplicate */
    r->house->now_us -= 500000;
    rig_fix(r, user, 57.73, 11.98); /* late: where he was, not where he is */
    assert_int_equal(r->signal_count, before + 1);
    rig_free(r);
}

/* ---- the twin ---- */

#define TWIN_MAX 20000
struct seen {
    int32_t driver;
    int64_t at_us;
    int32_t lat_e7; /* which of those who came with this time was stored */
    bool acked;     /* else it may or may not be there */
};
struct twin {
    struct seen seen[TWIN_MAX];
    int32_t count;
};

static struct seen *twin_find(struct twin *t, int32_t driver, int64_t at_us) {
    for (int32_t i = 0; i < t->count; i++) {
        if (t->seen[i].driver == driver && t->seen[i].at_us == at_us)
            return &t->seen[i];
    }
    return NULL;
}

#define DRIVERS 3
#define BATCH_MAX 40
struct sent {
    int32_t driver, count;
    int64_t at_us[BATCH_MAX];
    int32_t lat_e7[BATCH_MAX];
    struct house_answer answer;
};

/* Times as phones have them: mostly onwards from the last, now and then a stretch sent again, a
 * late one in between, or hours at once. */
static void make_batch(struct rng *rng, int64_t now_us, int64_t *clock_us, struct sent *s) {
    s->count = (int32_t)rng_between(rng, 1, BATCH_MAX);
    int64_t at_us = *clock_us, step_us = US_PER_S;
    switch (rng_below(rng, 5)) {
    case 0:
        at_us -= rng_between(rng, 0, 60) * US_PER_S;
        break;
    case 1:
        at_us -= rng_between(rng, 0, 7200) * US_PER_S;
        break;
    case 2:
        step_us = rng_between(rng, 1, 400) * US_PER_S;
        break;
    default:
        at_us += US_PER_S;
        break;
    }
    for (int32_t i = 0; i < s->count; i++) {
        s->at_us[i] = at_us < now_us ? at_us : now_us;
        s->lat_e7[i] = (int32_t)rng_between(rng, -900000000, 900000000);
        at_us += (int64_t)rng_below(rng, 3) * step_us;
        if (at_us > *clock_us)
            *clock_us = at_us;
    }
    for (int32_t i = s->count - 1; i > 0 && rng_below(rng, 4) == 0; i--) { /* out of order */
        int32_t with = (int32_t)rng_below(rng, (uint64_t)i + 1);
        int64_t kept = s->at_us[i];
        s->at_us[i] = s->at_us[with];
        s->at_us[with] = kept;
    }
}

static const char *batch_body(struct rig *r, const struct sent *s) {
    struct buf out;
    buf_init(&out, &r->arena, 4096);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "fixes");
    jw_array(&w);
    for (int32_t i = 0; i < s->count; i++) {
        jw_object(&w);
        jw_kv_time(&w, "at", s->at_us[i]);
        jw_kv_point(&w, (struct point){s->lat_e7[i], 0});
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    buf_add_char(&out, '\0');
    return out.p;
}

/* Takes S into the twin in the order of the batch; returns how many were new. */
static int32_t twin_take(struct twin *t, const struct sent *s, bool acked) {
    int32_t fresh = 0;
    for (int32_t i = 0; i < s->count; i++) {
        struct seen *seen = twin_find(t, s->driver, s->at_us[i]);
        if (seen == NULL) {
            CHECK(t->count < TWIN_MAX);
            seen = &t->seen[t->count++];
            *seen = (struct seen){s->driver, s->at_us[i], s->lat_e7[i], false};
            fresh++;
        }
        seen->acked = seen->acked || acked;
    }
    return fresh;
}

static int32_t read_trail(struct rig *r, const char *driver_id, int limit, struct twin *t,
                          int32_t driver, bool exact) {
    char path[512], cursor[128] = "";
    int32_t count = 0;
    int64_t last_us = 0;
    do {
        snprintf(path, sizeof path, "/v1/drivers/%s/trail?from=2026-11-01T00:00:00Z&limit=%d%s%s",
                 driver_id, limit, cursor[0] ? "&cursor=" : "", cursor);
        struct str body = rig_expect(r, 200, ROLE_ADMIN, NULL, "GET", path, NULL);
        struct json_value root, fixes, v;
        CHECK(json_parse(r->parser, body, &root) == 0 && json_get(root, "fixes", &fixes));
        for (struct json_iter it = json_iter(fixes); json_next(&it); count++) {
            int64_t at_us;
            double lat;
            CHECK(json_get(it.value, "at", &v) && timestamp_parse(json_text(v), &at_us) == 0);
            assert_true(at_us > last_us); /* in order, none twice */
            last_us = at_us;
            const struct seen *seen = twin_find(t, driver, at_us);
            assert_non_null(seen);
            CHECK(json_get(it.value, "lat", &v) && json_f64(v, &lat) == 0);
            if (exact)
                assert_int_equal(point_of(lat, 0).lat_e7, seen->lat_e7);
        }
        CHECK(json_get(root, "next_cursor", &v));
        struct str next = json_text(v);
        snprintf(cursor, sizeof cursor, "%.*s", STR_ARG(next));
    } while (cursor[0] != '\0');
    return count;
}

static void check_trails(struct rig *r, struct twin *t, const char *const users[DRIVERS],
                         bool exact) {
    for (int32_t d = 0; d < DRIVERS; d++) {
        int32_t least = 0, most = 0;
        for (int32_t i = 0; i < t->count; i++) {
            least += t->seen[i].driver == d && t->seen[i].acked;
            most += t->seen[i].driver == d;
        }
        int32_t count = read_trail(r, rig_driver_id(r, users[d]), d == 0 ? 7 : 200, t, d, exact);
        assert_true(count >= least && count <= most);
    }
}

static void send_some(struct rig *r, struct rng *rng, const char *const users[DRIVERS],
                      int64_t clocks[DRIVERS], struct sent *sent, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        struct sent *s = &sent[i];
        s->driver = (int32_t)rng_below(rng, DRIVERS);
        make_batch(rng, r->house->now_us, &clocks[s->driver], s);
        house_begin(
            r->house,
            &(struct house_request){.method = "POST",
                                    .path = LOCATIONS,
                                    .body = batch_body(r, s),
                                    .who = house_who(r->house, ROLE_DRIVER, users[s->driver])},
            &s->answer);
    }
    house_settle(r->house);
}

/* HOPELESS: so many lost answers that the executor gives up, and nobody knows what is stored. */
static void set_faults(struct rig *r, bool hopeless) {
    struct memory_store_faults *f = &r->house->faults;
    f->busy = f->conflict = f->read_busy = 0.1;
    f->unknown_committed = hopeless ? 0.15 : 0.1;
    f->unknown_lost = hopeless ? 0.8 : 0.1;
}

/* ONE at a time the counts must be exact; several at once their sum; with FAULTS what was
 * acknowledged must be there. */
static void run_seed(uint64_t seed, int32_t at_once, bool faults) {
    struct rig *r = rig_new(seed);
    struct twin *t = xcalloc(1, sizeof(*t));
    struct rng rng;
    rng_seed(&rng, seed * 977);
    const char *users[DRIVERS];
    int64_t clocks[DRIVERS];
    for (int32_t d = 0; d < DRIVERS; d++) {
        users[d] = house_id(r->house, "usr").p;
        rig_expect(r, 200, ROLE_DRIVER, users[d], "GET", "/v1/driver", NULL);
        clocks[d] = r->house->now_us - US_PER_DAY;
    }
    struct sent sent[4];
    for (int32_t round = 0; round < 25; round++) {
        if (faults)
            set_faults(r, rng_below(&rng, 4) == 0);
        send_some(r, &rng, users, clocks, sent, at_once);
        int64_t stored = 0, fresh = 0;
        for (int32_t i = 0; i < at_once; i++) {
            struct sent *s = &sent[i];
            bool ok = s->answer.status == 200;
            assert_true(ok || (faults && s->answer.status == 503));
            fresh += twin_take(t, s, ok);
            if (!ok)
                continue;
            stored += number(r, s->answer.body, "stored");
            assert_int_equal(number(r, s->answer.body, "stored") +
                                 number(r, s->answer.body, "duplicates"),
                             s->count);
        }
        if (!faults)
            assert_int_equal(stored, fresh);
        r->house->faults = (struct memory_store_faults){.rng = r->house->faults.rng};
        if (rng_below(&rng, 6) == 0)
            rig_reopen(r);
    }
    check_trails(r, t, users, at_once == 1 && !faults);
    rig_reopen(r);
    check_trails(r, t, users, at_once == 1 && !faults);
    free(t);
    rig_free(r);
}

static void test_twin_one_by_one(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        run_seed(seed, 1, false);
}
static void test_twin_several_at_once(void **state) {
    (void)state;
    for (uint64_t seed = 100; seed <= 112; seed++)
        run_seed(seed, 4, false);
}
static void test_twin_with_faults(void **state) {
    (void)state;
    for (uint64_t seed = 200; seed <= 220; seed++)
        run_seed(seed, 4, true);
}

/* The newest fix is found in one read, whatever came late: also after a restart. */
static void test_through_after_late_fixes(void **state) {
    (void)state;
    struct rig *r = rig_new(5);
    const char *user = house_id(r->house, "usr").p;
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", LOCATIONS,
               "{\"fixes\":[{\"at\":\"2026-11-23T09:50:00Z\",\"lat\":1,\"lng\":1},"
               "{\"at\":\"2026-11-23T09:56:00Z\",\"lat\":2,\"lng\":2}]}");
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", LOCATIONS,
               "{\"fixes\":[{\"at\":\"2026-11-23T09:52:00Z\",\"lat\":3,\"lng\":3}]}");
    rig_reopen(r);
    struct str body = rig_expect(r, 200, ROLE_DRIVER, user, "POST", LOCATIONS, "{\"fixes\":[{}]}");
    assert_has(body, "\"through\":\"2026-11-23T09:56:00Z\"");
    body = rig_expect(r, 200, ROLE_DRIVER, user, "POST", LOCATIONS,
                      "{\"fixes\":[{\"at\":\"2026-11-23T09:52:00Z\",\"lat\":3,\"lng\":3},"
                      "{\"at\":\"2026-11-23T09:56:00Z\",\"lat\":2,\"lng\":2},"
                      "{\"at\":\"2026-11-23T09:58:00Z\",\"lat\":2,\"lng\":2}]}");
    assert_int_equal(number(r, body, "stored"), 1);
    assert_int_equal(number(r, body, "duplicates"), 2);
    assert_has(body, "\"through\":\"2026-11-23T09:58:00Z\"");
    rig_free(r);
}

/* What is stored can be read with the store's own JSON functions. */
static void test_rows_are_plain_json(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1024);
    struct fix fixes[2] = {{1795428000000000, {577089000, 119746000}, 800, 910, 45},
                           {1795428001000000, {-577089000, -1}, -1, -1, -1}};
    struct trail_chunk *chunk =
        trail_encode(&a, STR("drv_01ARZ3NDEKTSV4RRFFQ69G5FAV"), fixes, 2, &fixes[1]);
    struct str text = schema_text(trail_aggregate.schema, chunk, S_STORE, &a);
    assert_true(str_is(text, "{\"driver_id\":\"drv_01ARZ3NDEKTSV4RRFFQ69G5FAV\","
                             "\"newest\":[1795428001000000,-577089000,-1,null,null,null],"
                             "\"fixes\":[[1795428000000000,577089000,119746000,800,910,45],"
                             "[1795428001000000,-577089000,-1,null,null,null]]}"));
    struct json_parser *p = json_parser_new();
    struct fix *read;
    int32_t count;
    assert_int_equal(trail_decode(p, text, &a, &read, &count), 0);
    assert_int_equal(count, 2);
    struct str again = schema_text(
        trail_aggregate.schema,
        trail_encode(&a, STR("drv_01ARZ3NDEKTSV4RRFFQ69G5FAV"), read, 2, &read[1]), S_STORE, &a);
    assert_true(str_eq(text, again));
    static const char *const broken[] = {"{}",
                                         "{\"fixes\":1}",
                                         "{\"fixes\":[1]}",
                                         "{\"fixes\":[[1,2,3,4,5]]}",
                                         "{\"fixes\":[[1,2,3,4,5,6,7]]}",
                                         "{\"fixes\":[[null,2,3,4,5,6]]}",
                                         "{\"fixes\":[[1,99999999999,3,4,5,6]]}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_true(trail_decode(p, str_from(broken[i]), &a, &read, &count) < 0);
    json_parser_free(p);
    arena_free(&a);
}

/* ---- the budget of an hour ---- */

static struct house_answer send_row(struct rig *r, const char *user, int64_t first_us,
                                    int32_t count) {
    struct sent s = {.count = count};
    for (int32_t i = 0; i < count; i++)
        s.at_us[i] = first_us + i * US_PER_S;
    return rig_call(r, ROLE_DRIVER, user, "POST", LOCATIONS, batch_body(r, &s));
}

static int64_t stored_of(struct rig *r, const char *user) {
    char path[128];
    snprintf(path, sizeof path, "/v1/drivers/%s/trail?from=2026-11-01T00:00:00Z",
             rig_driver_id(r, user));
    struct str body = rig_expect(r, 200, ROLE_DISPATCHER, NULL, "GET", path, NULL);
    int64_t n = 0;
    for (const char *at = body.p; (at = strstr(at, "\"at\":")) != NULL; at++)
        n++;
    return n;
}

static void test_an_hour_stores_so_many(void **state) {
    (void)state;
    struct rig *r = rig_new(9);
    r->options.fixes_per_hour_max = 40;
    rig_reopen(r);
    const char *user = rig_driver(r, "van", 57.7, 11.97), *other = house_id(r->house, "usr").p;
    r->house->now_us += 3600 * US_PER_S; /* the fix he began with is of another hour */
    int64_t begin_us = r->house->now_us - 1800 * US_PER_S;
    assert_int_equal(send_row(r, user, begin_us, 20).status, 200);
    /* What is there already costs nothing, nor does what the store refuses. */
    struct house_answer again = send_row(r, user, begin_us, 20);
    assert_int_equal(number(r, again.body, "duplicates"), 20);
    r->house->faults.io = 1;
    assert_int_equal(send_row(r, user, begin_us + 100 * US_PER_S, 20).status, 503);
    r->house->faults.io = 0;
    /* A batch has room or has none: nothing is half stored, and a smaller one may still fit. */
    struct house_answer full = send_row(r, user, begin_us + 20 * US_PER_S, 21);
    assert_int_equal(full.status, 429);
    assert_has(full.body, "/problems/too-many-requests");
    assert_int_equal(stored_of(r, user), 21);
    assert_int_equal(send_row(r, user, begin_us + 20 * US_PER_S, 20).status, 200);
    assert_int_equal(send_row(r, user, begin_us + 60 * US_PER_S, 1).status, 429);
    assert_int_equal(stored_of(r, user), 41);
    assert_int_equal(send_row(r, other, begin_us, 20).status, 200); /* each has his own */
    r->house->now_us += 3600 * US_PER_S;
    assert_int_equal(send_row(r, user, begin_us + 60 * US_PER_S, 20).status, 200);
    assert_int_equal(stored_of(r, user), 61);
    rig_free(r);
}

/* What is given back after the hour has ended is no credit on the next one. */
static void test_a_budget_has_no_credit(void **state) {
    (void)state;
    struct rig *r = rig_new(10);
    r->options.fixes_per_hour_max = 10;
    rig_reopen(r);
    struct str id = STR("drv_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    int64_t now_us = r->house->now_us, later_us = now_us + 3601 * US_PER_S;
    assert_int_equal(fix_budget_take(r->service, id, 10, now_us, &r->arena), 0);
    assert_int_equal(fix_budget_take(r->service, id, 1, now_us + 1, &r->arena), 3600);
    fix_budget_return(r->service, id, 10, later_us, &r->arena);
    assert_int_equal(fix_budget_take(r->service, id, 10, later_us, &r->arena), 0);
    assert_int_not_equal(fix_budget_take(r->service, id, 1, later_us, &r->arena), 0);
    rig_free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_each_fault_by_its_index),
        cmocka_unit_test(test_what_is_shown_of_a_trail),
        cmocka_unit_test(test_who_is_told),
        cmocka_unit_test(test_through_after_late_fixes),
        cmocka_unit_test(test_rows_are_plain_json),
        cmocka_unit_test(test_an_hour_stores_so_many),
        cmocka_unit_test(test_a_budget_has_no_credit),
        cmocka_unit_test(test_twin_one_by_one),
        cmocka_unit_test(test_twin_several_at_once),
        cmocka_unit_test(test_twin_with_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
