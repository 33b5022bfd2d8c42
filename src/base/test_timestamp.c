#include "base/err.h"
#include "base/rng.h"
#include "base/test.h"
#include "base/timestamp.h"

#include <stdio.h>
#include <time.h>

#define YEAR_2262_S INT64_C(9214646400)

static void every_day_like_the_c_library(void **state) {
    (void)state;
    for (int64_t s = 0; s < YEAR_2262_S; s += 86400 - 1) { /* a second earlier each day */
        char text[TIMESTAMP_TEXT_MAX], wanted[64], date[11];
        struct tm tm;
        time_t t = (time_t)s;
        gmtime_r(&t, &tm);
        strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%SZ", &tm);
        size_t len = timestamp_format(s * US_PER_S, text);
        assert_int_equal(len, 20);
        assert_string_equal(text, wanted);
        timestamp_date(s * US_PER_S, date);
        wanted[10] = '\0';
        assert_string_equal(date, wanted);
        int64_t back = -1;
        assert_int_equal(timestamp_parse(str_from(text), &back), 0);
        assert_true(back == s * US_PER_S);
    }
}

static void decimals_as_needed(void **state) {
    (void)state;
    char text[TIMESTAMP_TEXT_MAX];
    timestamp_format(1500000, text);
    assert_string_equal(text, "1970-01-01T00:00:01.500Z");
    timestamp_format(1000001, text);
    assert_string_equal(text, "1970-01-01T00:00:01.000001Z");
    timestamp_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    assert_int_equal(timestamp_format(INT64_MAX, text), 27);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
    timestamp_format(INT64_MIN, text);
    assert_string_equal(text, "0001-01-01T00:00:00Z");
}

static void parts_and_zones(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t wanted_us;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:01z", 1000000},
        {"1970-01-01T00:00:00.1Z", 100000},
        {"1970-01-01T00:00:00.123456789Z", 123456},
        {"1970-01-01T00:00:00.000000999Z", 0},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T23:30:00-01:00", -1}, /* the year as written must be 1970 or later */
        {"1970-01-01T00:00:00-00:00", 0},
        {"1970-01-01T00:00:00-23:59", INT64_C(86340000000)},
        {"1985-04-12T23:20:50.52Z", INT64_C(482196050520000)}, /* from RFC 3339 */
        {"1996-12-19T16:39:57-08:00", INT64_C(851042397000000)},
        {"1937-01-01T12:00:27.87+00:20", -1},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000000)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000)},
        {"2261-12-31T23:59:59.999999Z", TIMESTAMP_US_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t at_us = -1;
        int err = timestamp_parse(str_from(cases[i].text), &at_us);
        assert_int_equal(err, cases[i].wanted_us < 0 ? ERR_INVALID : 0);
        assert_true(at_us == cases[i].wanted_us);
    }
}

static void refused(void **state) {
    (void)state;
    static const char *const invalid[] = {
        "",
        "2026-11-23",
        "2026-11-23T10:00:00",
        "2026-11-23 10:00:00Z",
        "2026-11-23T10:00Z",
        "2026-11-23T10:00:00.Z",
        "2026-11-23T10:00:00.1234567890Z",
        "2026-11-23T10:00:00,5Z",
        "2026-11-23T10:00:00ZZ",
        "2026-11-23T10:00:00Z ",
        " 2026-11-23T10:00:00Z",
        "2026-11-23T10:00:00+0100",
        "2026-11-23T10:00:00+01",
        "2026-11-23T10:00:00+24:00",
        "2026-11-23T10:00:00+01:60",
        "2026-11-23T10:00:00+1:000",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:60:00Z",
        "2026-12-31T23:59:60Z",
        "2026-00-10T10:00:00Z",
        "2026-13-10T10:00:00Z",
        "2026-11-00T10:00:00Z",
        "2026-11-31T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2100-02-29T10:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "2262-01-01T00:00:00Z",
        "+026-11-23T10:00:00Z",
        "2026-1a-23T10:00:00Z",
        "2026/11/23T10:00:00Z",
        "2026-11-23T-1:00:00Z",
    };
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        int64_t at_us = 42;
        if (timestamp_parse(str_from(invalid[i]), &at_us) != ERR_INVALID)
            fail_msg("\"%s\" was taken", invalid[i]);
        assert_int_equal(at_us, 42);
    }
    assert_int_equal(timestamp_parse(STR_NONE, &(int64_t){0}), ERR_INVALID);
    /* A valid text cut anywhere or with any one byte spoiled reads nothing past its end. */
    const char valid[] = "2026-11-23T10:00:00.123+01:30";
    for (size_t len = 0; len < sizeof valid - 1; len++)
        assert_int_equal(timestamp_parse((struct str){valid, len}, &(int64_t){0}), ERR_INVALID);
}

static void what_is_written_reads_back(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 3);
    for (int i = 0; i < 100000; i++) {
        int64_t at_us = rng_between(&rng, 0, YEAR_2262_S * US_PER_S - 1), back;
        if (i % 3 == 0)
            at_us -= at_us % US_PER_MS;
        char text[TIMESTAMP_TEXT_MAX];
        size_t len = timestamp_format(at_us, text);
        assert_int_equal(timestamp_parse((struct str){text, len}, &back), 0);
        assert_true(back == at_us);
    }
}

static void clocks_go_forward(void **state) {
    (void)state;
    int64_t before = clock_mono_us();
    assert_true(clock_mono_us() >= before);
    assert_true(clock_wall_us() > INT64_C(1577836800) * US_PER_S); /* after 2020 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_like_the_c_library),
        cmocka_unit_test(decimals_as_needed),
        cmocka_unit_test(parts_and_zones),
        cmocka_unit_test(refused),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(clocks_go_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
