/* What is made of a trail: fewer fixes, equal steps, files. The simplified line is held against the
 * fixes that it leaves out, with seeds; the files are read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/timestamp.h"
#include "geo/geo.h"
#include "services/driver/test_rig.h"
#include "services/driver/track.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXES 2000

/* A drive that turns now and then, stands, and is not heard of now and then. */
static int32_t drive(struct rng *rng, struct fix *fixes) {
    struct point at = point_of(rng_unit(rng) * 120 - 60, 179.99 + rng_unit(rng) * 0.02);
    int64_t at_us = INT64_C(1795428000) * US_PER_S;
    double heading = 0;
    int32_t count = 1 + (int32_t)rng_below(rng, FIXES);
    for (int32_t i = 0; i < count; i++) {
        at_us += rng_below(rng, 100) == 0 ? TRACK_GAP_US + US_PER_S : US_PER_S;
        if (rng_below(rng, 20) == 0)
            heading = rng_unit(rng) * 2 * M_PI;
        double step_m = rng_below(rng, 10) == 0 ? 0 : 15;
        at = geo_offset(at, cos(heading) * step_m + rng_unit(rng), sin(heading) * step_m);
        fixes[i] = (struct fix){
            .at_us = at_us, .at = at, .accuracy_cm = -1, .speed_cmps = -1, .bearing_deg = -1};
    }
    return count;
}

/* Metres from P to the line from A to B, by looking at many points of it: slow and plain. */
static double far_from(struct point a, struct point b, struct point p) {
    double least = geo_distance_m(a, p);
    for (int i = 1; i <= 400; i++)
        least = fmin(least, geo_distance_m(geo_toward(a, b, i / 400.0), p));
    return least;
}

static void test_simplified(void **state) {
    (void)state;
    struct fix *whole = calloc(FIXES, sizeof *whole), *kept = calloc(FIXES, sizeof *kept);
    int64_t all = 0, stay = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct rng rng;
        rng_seed(&rng, seed);
        double tolerance_m = 1 + rng_unit(&rng) * 30;
        int32_t count = drive(&rng, whole);
        memcpy(kept, whole, sizeof *kept * (size_t)count);
        int32_t left = track_simplify(kept, count, tolerance_m), k = 0;
        assert_true(left >= 1 && left <= count);
        for (int32_t i = 0; i < count; i++) {
            if (k < left && kept[k].at_us == whole[i].at_us) {
                k++;
                continue;
            }
            assert_true(k > 0 && k < left); /* neither the first nor the last is left out */
            assert_true(kept[k].at_us - kept[k - 1].at_us <= TRACK_GAP_US); /* no new gap */
            double off = far_from(kept[k - 1].at, kept[k].at, whole[i].at);
            if (off > tolerance_m * 1.02 + 1)
                fail_msg("seed %d: fix %d is %.1f m off, %.1f are allowed", (int)seed, (int)i, off,
                         tolerance_m);
        }
        for (int32_t i = 1, n = 0; i < count; i++) { /* both ends of a gap stay */
            if (whole[i].at_us - whole[i - 1].at_us <= TRACK_GAP_US)
                continue;
            while (n < left && kept[n].at_us < whole[i - 1].at_us)
                n++;
            assert_true(n + 1 < left && kept[n].at_us == whole[i - 1].at_us &&
                        kept[n + 1].at_us == whole[i].at_us);
        }
        assert_int_equal(k, left);
        all += count;
        stay += left;
    }
    assert_true(stay * 2 < all);
    free(whole);
    free(kept);
}

static void test_at_equal_steps(void **state) {
    (void)state;
    struct fix fixes[] = {{.at_us = 100 * US_PER_S, .at = point_of(10, 20)},
                          {.at_us = 120 * US_PER_S, .at = point_of(10.002, 20)},
                          {.at_us = 1000 * US_PER_S, .at = point_of(11, 20)}};
    struct fix f;
    int32_t next = 0;
    assert_false(track_at(fixes, 3, 99 * US_PER_S, &next, &f));
    assert_true(track_at(fixes, 3, 100 * US_PER_S, &next, &f));
    assert_true(track_at(fixes, 3, 105 * US_PER_S, &next, &f));
    assert_int_equal(f.at.lat_e7, 100005000);
    assert_int_equal(f.at_us, 105 * US_PER_S);
    assert_true(track_at(fixes, 3, 120 * US_PER_S, &next, &f));
    assert_false(track_at(fixes, 3, 500 * US_PER_S, &next, &f)); /* nobody knows */
    assert_true(track_at(fixes, 3, 1000 * US_PER_S, &next, &f));
    assert_false(track_at(fixes, 3, 1001 * US_PER_S, &next, &f));
    assert_false(track_at(fixes, 0, 0, &(int32_t){0}, &f));
}

#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (memmem((text).p, (text).len, (part), strlen(part)) == NULL)                            \
            fail_msg("no %s in %.*s", part, STR_ARG(text));                                        \
    } while (0)

static struct house_answer get(struct rig *r, const char *user, const char *rest) {
    char path[512];
    snprintf(path, sizeof path, "/v1/drivers/%s/%s", rig_driver_id(r, user), rest);
    return rig_call(r, ROLE_DISPATCHER, "usr_01M850A1NMTJ9XZHYE6M2PAP2Q", "GET", path, NULL);
}

static void test_routes(void **state) {
    (void)state;
    struct rig *r = rig_new(1); /* it is 2026-11-23T10:00:00Z */
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/locations",
               "{\"fixes\":[{\"at\":\"2026-11-23T09:00:00Z\",\"lat\":57.7,\"lng\":11.9},"
               "{\"at\":\"2026-11-23T09:00:10Z\",\"lat\":57.7,\"lng\":11.91},"
               "{\"at\":\"2026-11-23T09:00:20Z\",\"lat\":57.7,\"lng\":11.92},"
               "{\"at\":\"2026-11-23T09:10:00Z\",\"lat\":-57.75,\"lng\":-0.5}]}");
    const char *when = "from=2026-11-23T09:00:00Z&to=2026-11-23T09:30:00Z";
    char rest[256];
    snprintf(rest, sizeof rest, "trail/file?%s", when);
    struct house_answer a = get(r, user, rest);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.response.content_type, "application/gpx+xml");
    assert_has(a.body,
               "<trkseg>\n<trkpt lat=\"57.7\" lon=\"11.9\"><time>2026-11-23T09:00:00Z</time>"
               "</trkpt>\n");
    assert_has(a.body, "</trkseg>\n<trkseg>\n<trkpt lat=\"-57.75\" lon=\"-0.5\">");
    snprintf(rest, sizeof rest, "trail/file?%s&format=geojson&simplify_m=20", when);
    a = get(r, user, rest);
    assert_has(a.body, "[[[11.9,57.7],[11.92,57.7]],[[-0.5,-57.75],[-0.5,-57.75]]]");
    assert_has(a.body, "\"coordTimes\":[[\"2026-11-23T09:00:00Z\",\"2026-11-23T09:00:20Z\"],");
    snprintf(rest, sizeof rest, "playback?%s&step_s=5", when);
    a = get(r, user, rest);
    assert_has(a.body, "{\"at\":\"2026-11-23T09:00:05Z\",\"lat\":57.7,\"lng\":11.905");
    assert_has(a.body, "\"lng\":11.92,\"speed_mps\":null,\"bearing_deg\":null},null");
    /* nothing was heard then */
    a = get(r, user, "trail/file?format=geojson&from=2026-11-22T00:00:00Z&to=2026-11-22T01:00:00Z");
    assert_has(a.body, "\"coordinates\":[]");
    a = get(r, user, "trail/file?from=2026-11-22T00:00:00Z&to=2026-11-22T01:00:00Z");
    assert_has(a.body, "</name>\n</trk>");
    static const char *const bad[] = {
        "trail/file?format=kml",
        "trail/file?simplify_m=-1",
        "trail/file?simplify_m=1001",
        "trail/file?simplify_m=x",
        "trail/file?from=today",
        "trail/file?from=2026-11-23T09:00:00Z&to=2026-11-23T08:00:00Z",
        "playback?step_s=0",
        "playback?step_s=3601",
        "playback?from=2026-11-20T00:00:00Z&step_s=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (get(r, user, bad[i]).status != 422)
            fail_msg("%s", bad[i]);
    rig_expect(r, 404, ROLE_ADMIN, user, "GET", "/v1/drivers/nobody/playback", NULL);
    rig_expect(r, 403, ROLE_DRIVER, user, "GET", "/v1/drivers/nobody/trail/file", NULL);
    rig_free(r);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simplified),
        cmocka_unit_test(test_at_equal_steps),
        cmocka_unit_test(test_routes),
    };
    return cmocka_run_group_tests_name("track", tests, NULL, NULL);
}
