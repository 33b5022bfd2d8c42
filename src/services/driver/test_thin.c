/* Positions that grow old: what is left of them is near enough at every moment, makes no gap, and
 * is what playback, trail and files then read; whoever dies in the middle loses nothing; what comes
 * in old is kept; days end. With seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/rng.h"
#include "base/timestamp.h"
#include "geo/geo.h"
#include "services/driver/test_rig.h"
#include "services/driver/thin.h"
#include "services/driver/track.h"
#include "services/driver/trail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXES 2000
#define BATCH 60
#define TOLERANCE_M 8

/* A drive that turns now and then, stands, and is not heard of now and then. */
static int32_t drive(struct rng *rng, int64_t from_us, struct fix *fixes) {
    struct point at = point_of(rng_unit(rng) * 120 - 60, 179.99 + rng_unit(rng) * 0.02);
    int32_t count = 1 + (int32_t)rng_below(rng, FIXES), standing = 0;
    double north_m = 10, east_m = 0;
    for (int32_t i = 0; i < count; i++) {
        from_us += rng_below(rng, 150) == 0 ? TRACK_GAP_US + US_PER_S : US_PER_S;
        if (rng_below(rng, 20) == 0) {
            north_m = rng_unit(rng) * 30 - 15;
            east_m = rng_unit(rng) * 30 - 15;
        }
        if (standing == 0 && rng_below(rng, 100) == 0)
            standing = (int32_t)rng_below(rng, 700);
        if (standing > 0)
            standing--;
        else
            at = geo_offset(at, north_m + rng_unit(rng), east_m);
        fixes[i] = (struct fix){
            .at_us = from_us, .at = at, .accuracy_cm = 500, .speed_cmps = i, .bearing_deg = -1};
    }
    return count;
}

/* KEPT is some of WHOLE, and whoever plays it sees him within TOLERANCE_M of where he was. */
static void expect_near(const struct fix *whole, int32_t count, const struct fix *kept,
                        int32_t left, double tolerance_m) {
    int32_t next = 0, found = 0;
    for (int32_t i = 0; i < count; i++) {
        struct fix f;
        if (!track_at(kept, left, whole[i].at_us, &next, &f))
            fail_msg("fix %d is in a gap", (int)i);
        double off_m = geo_distance_m(f.at, whole[i].at);
        if (off_m > tolerance_m + 0.1)
            fail_msg("fix %d is %.2f m off", (int)i, off_m);
        if (f.at_us == kept[found].at_us && f.speed_cmps == whole[i].speed_cmps && found + 1 < left)
            found++;
    }
    assert_int_equal(kept[left - 1].at_us, whole[count - 1].at_us);
}

static void test_near_at_every_moment(void **state) {
    (void)state;
    struct fix *whole = calloc(FIXES, sizeof *whole), *kept = calloc(FIXES, sizeof *kept);
    int64_t all = 0, stay = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct rng rng;
        rng_seed(&rng, seed);
        double tolerance_m = 1 + rng_unit(&rng) * 30;
        int32_t count = drive(&rng, INT64_C(1795428000) * US_PER_S, whole);
        memcpy(kept, whole, sizeof *kept * (size_t)count);
        int32_t left = track_thin(kept, count, tolerance_m);
        assert_true(left >= 1 && left <= count && kept[0].at_us == whole[0].at_us);
        expect_near(whole, count, kept, left, tolerance_m);
        for (int32_t i = 1, n = 0; i < left; i++) { /* each stays as it was; no gap is new */
            while (whole[n].at_us < kept[i].at_us)
                n++;
            assert_memory_equal(&whole[n], &kept[i], sizeof *kept);
            assert_true(kept[i].at_us - kept[i - 1].at_us <= TRACK_GAP_US ||
                        whole[n - 1].at_us == kept[i - 1].at_us);
        }
        assert_int_equal(track_thin(whole, 0, tolerance_m), 0);
        all += count;
        stay += left;
    }
    assert_true(stay * 3 < all);
    free(whole);
    free(kept);
}

/* ---- in the service ---- */

static struct rig *thin_rig(uint64_t seed) {
    struct rig *r = rig_new(seed); /* it is 2026-11-23T10:00:00Z */
    r->options.trail_thin_m = TOLERANCE_M;
    r->options.trail_keep_days = 30;
    rig_reopen(r);
    return r;
}

static void report(struct rig *r, const char *user, const struct fix *fixes, int32_t count) {
    for (int32_t from = 0; from < count; from += BATCH) {
        struct buf body;
        buf_init(&body, &r->arena, 8192);
        buf_add_cstr(&body, "{\"fixes\":[");
        for (int32_t i = from; i < count && i < from + BATCH; i++) {
            char at[TIMESTAMP_TEXT_MAX];
            timestamp_format(fixes[i].at_us, at);
            buf_printf(&body, "%s{\"at\":\"%s\",\"lat\":%.7f,\"lng\":%.7f}", i > from ? "," : "",
                       at, fixes[i].at.lat_e7 / 1e7, fixes[i].at.lng_e7 / 1e7);
        }
        buf_add_cstr(&body, "]}");
        buf_add_char(&body, '\0');
        rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/locations", body.p);
    }
}

static struct trail_page trail_of(struct rig *r, const char *user) {
    struct trail_page page;
    CHECK(trail_read(r->house->worker.reader, r->parser, str_from(rig_driver_id(r, user)), 0,
                     INT64_MAX / 2, TRAIL_FIXES_MAX, &r->arena, &page) == 0);
    return page;
}

static int32_t docs_of(struct rig *r, const struct store_collection *c) {
    int32_t all = 0;
    struct store_query q = {.collection = c, .ascending = true, .limit = STORE_LIST_MAX};
    for (;;) {
        struct store_doc *docs;
        int32_t count;
        CHECK(r->house->worker.reader->ops->list(r->house->worker.reader, &q, &r->arena, &docs,
                                                 &count) == 0);
        all += count;
        if (count < q.limit)
            return all;
        q.after = docs[count - 1].id;
    }
}

static void days_pass(struct rig *r, int64_t days) {
    r->house->now_us += days * US_PER_DAY;
    house_advance(r->house, 20 * US_PER_S); /* a tick each second */
}

static void test_in_the_background(void **state) {
    (void)state;
    struct fix *whole = calloc(FIXES, sizeof *whole);
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct rig *r = thin_rig(seed);
        struct rng rng;
        rng_seed(&rng, seed);
        const char *users[] = {rig_driver(r, "van", 57.7, 11.97),
                               rig_driver(r, "van", 57.7, 11.97)};
        const char *user = users[0];
        int32_t count = drive(&rng, r->house->now_us - US_PER_DAY, whole);
        report(r, users[1], whole, count);
        report(r, user, whole, count);
        struct trail_page before = trail_of(r, user);
        int32_t rows = docs_of(r, &trail_collection);
        days_pass(r, 6);
        assert_int_equal(docs_of(r, &trail_collection), rows);
        if (seed % 2 == 0)
            r->house->faults = (struct memory_store_faults){.rng = &r->house->rng,
                                                            .busy = 0.2,
                                                            .io = 0.2,
                                                            .unknown_committed = 0.2,
                                                            .unknown_lost = 0.2};
        days_pass(r, 1);
        r->house->faults = (struct memory_store_faults){.rng = &r->house->rng};
        rig_reopen(r); /* what was known is lost, in the middle or at the end */
        days_pass(r, 1);
        assert_int_equal(docs_of(r, &trail_collection), 0);
        for (int i = 0; i < 2; i++) {
            struct trail_page after = trail_of(r, users[i]);
            assert_true(after.count < before.count || before.count < 20);
            expect_near(before.fixes, before.count, after.fixes, after.count, TOLERANCE_M);
        }
        assert_true(docs_of(r, &track_collection) <= rows);
        days_pass(r, 22);
        assert_int_equal(docs_of(r, &track_collection), 0);
        assert_int_equal(trail_of(r, user).count, 0);
        rig_free(r);
    }
    free(whole);
}

#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (memmem((text).p, (text).len, (part), strlen(part)) == NULL)                            \
            fail_msg("no %s in %.*s", part, STR_ARG(text));                                        \
    } while (0)

/* An hour of standing, then a kilometre straight ahead: the same to whoever looks after it. */
static void test_looking_back(void **state) {
    (void)state;
    struct rig *r = thin_rig(7);
    struct fix whole[460];
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    int64_t from_us = r->house->now_us - US_PER_DAY; /* 2026-11-22T10:00:00Z */
    for (int32_t i = 0; i < 460; i++)
        whole[i] = (struct fix){.at_us = from_us + INT64_C(10) * i * US_PER_S,
                                .at = point_of(57.7 + (i > 360 ? i - 360 : 0) * 0.0001, 11.97)};
    report(r, user, whole, 460);
    char path[512];
    struct str seen[2][3];
    static const char *const rest[] = {
        "playback?from=2026-11-22T10:00:00Z&to=2026-11-22T11:16:30Z&step_s=60",
        "trail/file?format=gpx&simplify_m=5&from=2026-11-22T09:00:00Z&to=2026-11-22T12:00:00Z",
        "trail/file?format=geojson&from=2026-11-22T09:00:00Z&to=2026-11-22T12:00:00Z"};
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "/v1/drivers/%s/%s", rig_driver_id(r, user), rest[i]);
            struct house_answer a =
                rig_call(r, ROLE_DISPATCHER, "usr_01M850A1NMTJ9XZHYE6M2PAP2Q", "GET", path, NULL);
            assert_int_equal(a.status, 200);
            seen[k][i] = arena_str(&r->arena, a.body);
        }
        days_pass(r, 8);
    }
    /* he is seen to stand, and nothing is unknown that was known */
    assert_null(memmem(seen[1][0].p, seen[1][0].len, "null,{", 6));
    assert_has(seen[1][0], "{\"at\":\"2026-11-22T10:59:00Z\",\"lat\":57.7,\"lng\":11.97,");
    assert_has(seen[1][0], "{\"at\":\"2026-11-22T11:08:00Z\",\"lat\":57.7048,\"lng\":11.97,");
    assert_int_equal(seen[0][0].len, seen[1][0].len);
    assert_has(seen[1][1], "<time>2026-11-22T10:00:00Z</time>");
    assert_has(seen[1][1], "<time>2026-11-22T11:16:30Z</time>");
    assert_null(memmem(seen[1][1].p, seen[1][1].len, "</trkseg>\n<trkseg>", 18)); /* one stretch */
    assert_true(seen[1][2].len * 4 < seen[0][2].len);
    rig_free(r);
}

/* A phone that was off for two weeks: what it tells is kept as it is, once, and is his newest. */
static void test_what_comes_in_old(void **state) {
    (void)state;
    struct rig *r = thin_rig(8);
    const char *user = house_id(r->house, "usr").p;
    struct fix whole[200];
    int64_t from_us = r->house->now_us - 14 * US_PER_DAY;
    for (int32_t i = 0; i < 200; i++)
        whole[i] = (struct fix){.at_us = from_us + INT64_C(10) * i * US_PER_S,
                                .at = point_of(57.7 + i * 0.0001, 11.97)};
    report(r, user, whole, 200);
    report(r, user, whole, 200);
    assert_int_equal(trail_of(r, user).count, 200);
    assert_int_equal(docs_of(r, &trail_collection), 0);
    struct fix newest;
    assert_int_equal(trail_newest(r->house->worker.reader, r->parser,
                                  str_from(rig_driver_id(r, user)), &r->arena, &newest),
                     0);
    assert_int_equal(newest.at_us, whole[199].at_us);
    rig_reopen(r);
    days_pass(r, 1);
    assert_int_equal(trail_of(r, user).count, 200);
    rig_free(r);
}

static void test_never(void **state) {
    (void)state;
    struct rig *r = thin_rig(9);
    r->options.trail_thin_m = 0;
    rig_reopen(r);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    int32_t count = trail_of(r, user).count;
    days_pass(r, 20);
    assert_int_equal(trail_of(r, user).count, count);
    assert_int_equal(docs_of(r, &track_collection), 0);
    rig_free(r);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_at_every_moment),
        cmocka_unit_test(test_in_the_background),
        cmocka_unit_test(test_looking_back),
        cmocka_unit_test(test_what_comes_in_old),
        cmocka_unit_test(test_never),
    };
    return cmocka_run_group_tests_name("thin", tests, NULL, NULL);
}
