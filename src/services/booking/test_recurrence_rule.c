/* On which days something recurs and when: by the clock on the wall, also where that is changed;
 * and at random against a brute-force twin that looks at every minute there is. */
#include "services/booking/recurrence_rule.h"

#include "base/check.h"
#include "base/rng.h"
#include "services/booking/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOUR_US (3600 * US_PER_S)
#define DAY_S INT64_C(86400)
#define ALL_DAYS 127u

static void load(const char *name, struct arena *a, struct zone *ret) {
    assert_int_equal(zone_load(ZONE_DIR, str_from(name), a, ret), 0);
}

static int64_t utc(int32_t y, int32_t m, int32_t d, int32_t hour, int32_t minute) {
    return (date_days(y, m, d) * DAY_S + (int64_t)hour * 3600 + (int64_t)minute * 60) * US_PER_S;
}

/* ---- days ---- */

static void test_weeks(void **unused) {
    (void)unused;
    int64_t monday = date_days(2026, 11, 23);
    struct recurrence_rule r = {.weekdays = 1u << 1 | 1u << 4, /* Monday, Thursday */
                                .every_weeks = 2,
                                .from_min = 480,
                                .to_min = 600,
                                .first_day = monday + 1, /* a Tuesday: this week counts */
                                .last_day = I64_ABSENT};
    assert_int_equal(rule_next(&r, 0), monday + 3);
    assert_int_equal(rule_next(&r, monday + 3), monday + 14);
    assert_int_equal(rule_nth(&r, 0, 4), monday + 28);
    r.last_day = monday + 14;
    assert_int_equal(rule_nth(&r, 0, 2), monday + 14);
    assert_int_equal(rule_nth(&r, 0, 3), I64_ABSENT);
    r.weekdays = 1u; /* Sundays end a week, they do not begin one */
    r.last_day = I64_ABSENT;
    assert_int_equal(rule_next(&r, 0), monday + 6);
    assert_int_equal(rule_next(&r, monday + 6), monday + 20);
    r.every_weeks = RECURRENCE_WEEKS_MAX;
    assert_int_equal(rule_next(&r, monday + 6), monday + 6 + INT64_C(7) * RECURRENCE_WEEKS_MAX);
}

static void test_days_against_a_twin(void **unused) {
    (void)unused;
    struct rng rng;
    rng_seed(&rng, 212);
    for (int i = 0; i < 3000; i++) {
        int64_t first = rng_between(&rng, -1000, 30000);
        struct recurrence_rule r = {
            .weekdays = (uint32_t)rng_between(&rng, 1, ALL_DAYS),
            .every_weeks = rng_between(&rng, 1, RECURRENCE_WEEKS_MAX),
            .first_day = first,
            .last_day = rng_below(&rng, 2) == 0 ? I64_ABSENT : first + rng_between(&rng, 0, 90)};
        int64_t monday = first;
        while ((monday + 700000 - 4) % 7 != 0) /* 700000: a multiple of 7, so that nothing is < 0 */
            monday--;
        int64_t after = first + rng_between(&rng, -20, 80), twin = I64_ABSENT;
        for (int64_t day = after + 1; day < after + 200 && twin == I64_ABSENT; day++) {
            bool week = day >= monday && (day - monday) / 7 % r.every_weeks == 0;
            bool counts = (r.weekdays & 1u << ((day + 700000 + 4) % 7)) != 0;
            if (day >= first && week && counts && (r.last_day == I64_ABSENT || day <= r.last_day))
                twin = day;
        }
        assert_int_equal(rule_next(&r, after), twin);
    }
}

/* ---- the clock ---- */

/* In Stockholm it is put forward on 2027-03-28 at 02:00 and back on 2027-10-31 at 03:00. */
static void test_clock_changed(void **unused) {
    (void)unused;
    struct arena a;
    struct zone z;
    arena_init(&a, 4096);
    load("Europe/Stockholm", &a, &z);
    const struct {
        int32_t from_min, to_min, month, day;
        int64_t from_us, to_us;
    } rows[] = {
        /* the time on the wall stays */
        {480, 600, 3, 27, utc(2027, 3, 27, 7, 0), utc(2027, 3, 27, 9, 0)},
        {480, 600, 3, 28, utc(2027, 3, 28, 6, 0), utc(2027, 3, 28, 8, 0)},
        {480, 600, 10, 31, utc(2027, 10, 31, 7, 0), utc(2027, 10, 31, 9, 0)},
        /* 02:30 does not exist: 03:30; its end lies before that: as short as may be */
        {150, 210, 3, 28, utc(2027, 3, 28, 1, 30), utc(2027, 3, 28, 1, 45)},
        {150, 300, 3, 28, utc(2027, 3, 28, 1, 30), utc(2027, 3, 28, 3, 0)},
        /* 02:30 comes twice: the first */
        {150, 210, 10, 31, utc(2027, 10, 31, 0, 30), utc(2027, 10, 31, 2, 30)},
        /* over midnight, and over the change */
        {1380, 180, 3, 27, utc(2027, 3, 27, 22, 0), utc(2027, 3, 28, 1, 0)},
        {1380, 240, 10, 30, utc(2027, 10, 30, 21, 0), utc(2027, 10, 31, 3, 0)},
        /* twelve hours on the wall are thirteen: as long as may be */
        {1260, 540, 10, 30, utc(2027, 10, 30, 19, 0), utc(2027, 10, 31, 7, 0)},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct recurrence_rule r = {.weekdays = ALL_DAYS,
                                    .every_weeks = 1,
                                    .from_min = rows[i].from_min,
                                    .to_min = rows[i].to_min,
                                    .last_day = I64_ABSENT};
        struct window w = rule_window(&r, date_days(2027, rows[i].month, rows[i].day), &z);
        if (w.from_us != rows[i].from_us || w.to_us != rows[i].to_us)
            fail_msg("row %zu: %lld to %lld", i, (long long)(w.from_us / US_PER_S),
                     (long long)(w.to_us / US_PER_S));
    }
    arena_free(&a);
}

/* Where the clock on the wall shows MINUTE of DAY first, looked for minute by minute; I64_ABSENT:
 * never. */
static int64_t first_shown(const struct zone *z, int64_t day, int32_t minute) {
    int64_t near_us = (day * DAY_S + (int64_t)minute * 60) * US_PER_S;
    for (int64_t at_us = near_us - 16 * HOUR_US; at_us < near_us + 16 * HOUR_US;
         at_us += 60 * US_PER_S) {
        struct zone_time t;
        zone_local(z, at_us, &t);
        if (date_days(t.year, t.month, t.day) == day && t.hour * 60 + t.minute == minute)
            return at_us;
    }
    return I64_ABSENT;
}

static void test_clock_against_a_twin(void **unused) {
    (void)unused;
    static const char *const names[] = {"Europe/Stockholm", "America/New_York", "Asia/Kolkata",
                                        "Australia/Lord_Howe", "Pacific/Chatham"};
    struct rng rng;
    struct arena a;
    rng_seed(&rng, 213);
    arena_init(&a, 65536);
    int never = 0;
    for (size_t n = 0; n < COUNT_OF(names); n++) {
        struct zone z;
        load(names[n], &a, &z);
        for (int64_t day = date_days(2026, 12, 1); day < date_days(2027, 12, 1); day++) {
            int32_t minute = (int32_t)rng_between(&rng, 0, 4 * 60 - 1);
            int64_t shown_us = first_shown(&z, day, minute);
            int64_t at_us = zone_moment_us(&z, day * DAY_S + (int64_t)minute * 60);
            struct zone_time t;
            zone_local(&z, at_us, &t);
            if (shown_us != I64_ABSENT) {
                assert_int_equal(at_us, shown_us);
                continue;
            }
            never++; /* moved forward: on the same day, later */
            assert_int_equal(date_days(t.year, t.month, t.day), day);
            assert_true(t.hour * 60 + t.minute > minute && t.hour * 60 + t.minute <= minute + 60);
        }
    }
    print_message("%d of the times do not exist\n", never);
    arena_free(&a);
}

/* ---- what is due ---- */

static void test_due(void **unused) {
    (void)unused;
    struct arena a;
    struct zone z;
    struct rule_due due;
    arena_init(&a, 4096);
    load("Europe/Stockholm", &a, &z);
    int64_t monday = date_days(2026, 11, 23);
    struct recurrence_rule r = {.weekdays = ALL_DAYS,
                                .every_weeks = 1,
                                .from_min = 480,
                                .to_min = 600,
                                .first_day = monday,
                                .last_day = monday + 20};
    int64_t settled[] = {monday + 1, monday + 3};
    struct rule_progress done = {monday - 1, settled, 2};
    int64_t week_us = INT64_C(7) * 24 * HOUR_US, now_us = utc(2026, 11, 23, 6, 0);
    rule_due(&r, &done, &z, now_us, week_us, &due); /* 07:00 there */
    assert_int_equal(due.count, 5);
    assert_int_equal(due.days[0], monday);
    assert_int_equal(due.days[1], monday + 2);
    assert_int_equal(due.days[4], monday + 6);
    assert_false(due.more);
    assert_int_equal(due.next_us, now_us + HOUR_US);
    rule_due(&r, &done, &z, due.next_us - 1, week_us, &due);
    assert_int_equal(due.count, 5);
    rule_due(&r, &done, &z, now_us + HOUR_US, week_us, &due);
    assert_int_equal(due.count, 6);
    /* all of it at once, a step at a time */
    rule_due(&r, &done, &z, now_us + 5 * week_us, week_us, &due);
    assert_int_equal(due.count, RECURRENCE_STEP_MAX);
    assert_true(due.more);
    done = (struct rule_progress){monday + 18, NULL, 0};
    rule_due(&r, &done, &z, now_us + 5 * week_us, week_us, &due);
    assert_int_equal(due.count, 2);
    assert_true(!due.more && due.next_us == 0);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weeks),         cmocka_unit_test(test_days_against_a_twin),
        cmocka_unit_test(test_clock_changed), cmocka_unit_test(test_clock_against_a_twin),
        cmocka_unit_test(test_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
