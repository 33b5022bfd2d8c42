/* Time zones, against libc's own reading of the same files, and what a damaged file does. */
#include "base/zone.h"

#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const names[] = {
    "Europe/Stockholm", "America/New_York",  "Australia/Lord_Howe", "Asia/Kolkata",
    "Asia/Kathmandu",   "Africa/Casablanca", "America/St_Johns",    "Pacific/Apia",
    "Europe/Dublin",    "America/Sao_Paulo", "Asia/Tehran",         "Antarctica/Troll",
    "America/Nuuk",     "Africa/Cairo",      "Pacific/Chatham",     "Etc/GMT+12",
};

static bool have_zones(void) {
    if (access(ZONE_DIR "/Europe/Stockholm", R_OK) == 0)
        return true;
    print_message("skipped: there is no " ZONE_DIR " (Debian: tzdata)\n");
    return false;
}

static void same_as_libc(const struct zone *z, const char *name, int64_t at_s) {
    struct zone_time mine;
    struct tm theirs;
    time_t at = (time_t)at_s;
    zone_local(z, at_s * US_PER_S, &mine);
    assert_non_null(localtime_r(&at, &theirs));
    if (mine.year != theirs.tm_year + 1900 || mine.month != theirs.tm_mon + 1 ||
        mine.day != theirs.tm_mday || mine.hour != theirs.tm_hour || mine.minute != theirs.tm_min ||
        mine.second != theirs.tm_sec || mine.weekday != theirs.tm_wday ||
        zone_offset_s(z, at_s * US_PER_S) != theirs.tm_gmtoff)
        fail_msg("%s at %lld: %d-%d-%d %d:%d, libc says %d-%d-%d %d:%d", name, (long long)at_s,
                 mine.year, mine.month, mine.day, mine.hour, mine.minute, theirs.tm_year + 1900,
                 theirs.tm_mon + 1, theirs.tm_mday, theirs.tm_hour, theirs.tm_min);
}

/* Random moments of 1970 to 2100, and the seconds around each change of the clock, which are found
 * by halving wherever two moments a day apart differ. */
static void test_against_libc(void **unused) {
    (void)unused;
    if (!have_zones())
        skip();
    struct rng rng;
    rng_seed(&rng, 7);
    struct arena a;
    arena_init(&a, 4096);
    for (size_t n = 0; n < COUNT_OF(names); n++) {
        struct zone z;
        assert_int_equal(zone_load(ZONE_DIR, str_from(names[n]), &a, &z), 0);
        setenv("TZ", names[n], 1);
        tzset();
        for (int i = 0; i < 2000; i++)
            same_as_libc(&z, names[n], rng_between(&rng, 0, INT64_C(4102444800)));
        int changes = 0;
        for (int64_t day = 0; day < INT64_C(365) * 75; day++) {
            int64_t low = day * 86400, high = low + 86400;
            int32_t before_s = zone_offset_s(&z, low * US_PER_S);
            if (before_s == zone_offset_s(&z, high * US_PER_S))
                continue;
            while (high - low > 1) {
                int64_t mid = low + (high - low) / 2;
                if (zone_offset_s(&z, mid * US_PER_S) == before_s)
                    low = mid;
                else
                    high = mid;
            }
            for (int64_t s = low - 1; s <= high + 1; s++)
                same_as_libc(&z, names[n], s);
            changes++;
        }
        if (n < 3)
            assert_true(changes > 100);
        arena_reset(&a);
    }
    arena_free(&a);
}

/* What everybody in Göteborg knows: on 29 March 2026 there is no half past two. */
static void test_stockholm(void **unused) {
    (void)unused;
    if (!have_zones())
        skip();
    struct arena a;
    struct zone z;
    struct zone_time t;
    arena_init(&a, 4096);
    assert_int_equal(zone_load(ZONE_DIR, STR("Europe/Stockholm"), &a, &z), 0);
    int64_t spring_us = INT64_C(1774746000) * US_PER_S; /* 2026-03-29T01:00:00Z */
    zone_local(&z, spring_us - 1, &t);
    assert_true(t.hour == 1 && t.minute == 59 && t.second == 59 && t.day == 29 && t.weekday == 0);
    zone_local(&z, spring_us, &t);
    assert_true(t.hour == 3 && t.minute == 0 && t.month == 3);
    int64_t autumn_us = INT64_C(1792890000) * US_PER_S; /* 2026-10-25T01:00:00Z */
    zone_local(&z, autumn_us - 1, &t);
    assert_true(t.hour == 2 && t.minute == 59);
    zone_local(&z, autumn_us, &t);
    assert_true(t.hour == 2 && t.minute == 0 && t.day == 25);
    /* and back: half past two is not there, then twice */
    int64_t spring_s = date_days(2026, 3, 29) * 86400, autumn_s = date_days(2026, 10, 25) * 86400;
    assert_int_equal(zone_moment_us(&z, spring_s + 7199), spring_us - US_PER_S);
    assert_int_equal(zone_moment_us(&z, spring_s + 9000), spring_us + 1800 * US_PER_S);
    assert_int_equal(zone_moment_us(&z, spring_s + 10800), spring_us);
    assert_int_equal(zone_moment_us(&z, autumn_s + 9000), autumn_us - 1800 * US_PER_S);
    assert_int_equal(zone_moment_us(&z, autumn_s + 10800), autumn_us + 3600 * US_PER_S);
    arena_free(&a);
}

/* What the clock shows at any moment leads back to that moment, or to an earlier one at which it
 * showed the same. */
static void test_moments(void **unused) {
    (void)unused;
    static const char *const there[] = {"Europe/Stockholm", "America/New_York", "Asia/Kolkata",
                                        "Australia/Lord_Howe", "UTC"};
    if (!have_zones())
        skip();
    struct arena a;
    struct rng rng;
    arena_init(&a, 4096);
    rng_seed(&rng, 11);
    for (size_t n = 0; n < COUNT_OF(there); n++) {
        struct zone z;
        int again = 0;
        assert_int_equal(zone_load(ZONE_DIR, str_from(there[n]), &a, &z), 0);
        for (int i = 0; i < 200000; i++) {
            int64_t at_s = rng_between(&rng, INT64_C(1735689600), INT64_C(2051222400));
            int64_t local_s = at_s + zone_offset_s(&z, at_s * US_PER_S);
            int64_t back_us = zone_moment_us(&z, local_s);
            assert_int_equal(back_us / US_PER_S + zone_offset_s(&z, back_us), local_s);
            assert_true(back_us <= at_s * US_PER_S && back_us >= (at_s - 3600) * US_PER_S);
            again += back_us < at_s * US_PER_S;
        }
        assert_true((again > 0) == (n == 0 || n == 1 || n == 3));
        arena_reset(&a);
    }
    arena_free(&a);
}

static void test_names(void **unused) {
    (void)unused;
    static const char *const bad[] = {"",          "/etc/passwd",
                                      "../passwd", "Europe/../../x",
                                      "a/",        "a//b",
                                      "Europe/.x", "Europe\\Stockholm",
                                      "Å",         "1"};
    struct arena a;
    struct zone z;
    arena_init(&a, 4096);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(zone_load(ZONE_DIR, str_from(bad[i]), &a, &z), ERR_INVALID);
    assert_int_equal(zone_load(ZONE_DIR, STR("Europe/Nowhere"), &a, &z), ERR_NOT_FOUND);
    assert_int_equal(zone_load("/nonexistent", STR("UTC"), &a, &z), 0);
    assert_int_equal(zone_offset_s(&z, INT64_C(1792890000) * US_PER_S), 0);
    if (have_zones()) { /* a folder, and a file that is no zone */
        assert_true(zone_load(ZONE_DIR, STR("Europe"), &a, &z) < 0);
        assert_true(zone_load("/usr/share", STR("dict"), &a, &z) < 0);
    }
    arena_free(&a);
}

/* Every file cut anywhere, and with any byte changed: refused, or read without harm. */
static void test_damaged(void **unused) {
    (void)unused;
    if (!have_zones())
        skip();
    FILE *f = fopen(ZONE_DIR "/Europe/Dublin", "rbe");
    static char good[1 << 16];
    assert_non_null(f);
    size_t len = fread(good, 1, sizeof(good), f);
    fclose(f);
    struct zone z;
    assert_int_equal(zone_parse((struct str){good, len}, &z), 0);
    for (size_t cut = 0; cut < len; cut++) {
        char *part = malloc(cut + 1); /* of its own, so that reading beyond it is seen */
        memcpy(part, good, cut);
        assert_int_equal(zone_parse((struct str){part, cut}, &z), ERR_CORRUPT);
        free(part);
    }
    struct rng rng;
    rng_seed(&rng, 11);
    for (int i = 0; i < 20000; i++) {
        char *copy = malloc(len + 1);
        memcpy(copy, good, len);
        copy[rng_between(&rng, 0, (int64_t)len - 1)] = (char)rng_between(&rng, 0, 255);
        if (zone_parse((struct str){copy, len}, &z) == 0) {
            int32_t offset_s = zone_offset_s(&z, rng_between(&rng, -US_PER_DAY, INT64_C(1) << 52));
            assert_true(offset_s > -200000 && offset_s < 200000);
        }
        free(copy);
    }
}

static void test_dates(void **unused) {
    (void)unused;
    int32_t y, m, d;
    assert_int_equal(date_days(1970, 1, 1), 0);
    assert_int_equal(date_days(2000, 3, 1), 11017);
    assert_true(date_parse(STR("2028-02-29"), &y, &m, &d) && y == 2028 && m == 2 && d == 29);
    static const char *const bad[] = {
        "2026-02-29", "2026-13-01",  "2026-1-1",   "2026-00-10", "2026-06-31",
        "20260101",   "2026-01-01T", "0000-01-01", "2026/01/01", ""};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(date_parse(str_from(bad[i]), &y, &m, &d));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_libc), cmocka_unit_test(test_stockholm),
        cmocka_unit_test(test_moments),      cmocka_unit_test(test_names),
        cmocka_unit_test(test_damaged),      cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
