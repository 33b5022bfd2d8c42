/* Time to text and back by hand: it is done for every fix of every driver, and the C library's ways
 * go through the time zone's lock. Dates are counted in years that begin in March, so that the leap
 * day comes last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
 */
#include "base/timestamp.h"

#include "base/err.h"

#include <string.h>
#include <time.h>

#define DAYS_TO_1970 719468                                      /* from 0000-03-01 */
#define DAYS_PER_ERA 146097                                      /* 400 years */
#define AT_MIN (INT64_C(-62135596800) * US_PER_S)                /* 0001-01-01 */
#define AT_MAX (INT64_C(253402300799) * US_PER_S + US_PER_S - 1) /* the end of 9999 */
#define YEAR_MIN 1970
#define YEAR_MAX 2261

struct date {
    int year, month, day;
};

static int64_t days_from_date(struct date d) {
    int year = d.month <= 2 ? d.year - 1 : d.year; /* >= 0 here */
    int64_t era = year / 400, year_of_era = year % 400;
    int64_t day_of_year = (153 * (d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static struct date date_from_days(int64_t days) {
    days += DAYS_TO_1970; /* >= 0: AT_MIN is after 0000-03-01 */
    int era = (int)(days / DAYS_PER_ERA), day_of_era = (int)(days % DAYS_PER_ERA);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int march_month = (5 * day_of_year + 2) / 153;
    struct date d = {.year = year_of_era + era * 400,
                     .month = march_month < 10 ? march_month + 3 : march_month - 9,
                     .day = day_of_year - (153 * march_month + 2) / 5 + 1};
    d.year += d.month <= 2;
    return d;
}

static char *put_digits(char *p, int value, int width) {
    for (int i = width - 1; i >= 0; i--) {
        p[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return p + width;
}

static char *put_date(char *p, int64_t days) {
    struct date d = date_from_days(days);
    p = put_digits(p, d.year, 4);
    *p++ = '-';
    p = put_digits(p, d.month, 2);
    *p++ = '-';
    return put_digits(p, d.day, 2);
}

/* Splits into whole days and the rest, which is never negative. */
static int64_t split_days(int64_t at_us, int64_t *ret_rest_us) {
    at_us = at_us < AT_MIN ? AT_MIN : at_us > AT_MAX ? AT_MAX : at_us;
    int64_t days = at_us / US_PER_DAY, rest = at_us % US_PER_DAY;
    if (rest < 0) {
        rest += US_PER_DAY;
        days--;
    }
    *ret_rest_us = rest;
    return days;
}

size_t timestamp_format(int64_t at_us, char out[TIMESTAMP_TEXT_MAX]) {
    int64_t rest_us;
    char *p = put_date(out, split_days(at_us, &rest_us));
    int seconds = (int)(rest_us / US_PER_S), us = (int)(rest_us % US_PER_S);
    *p++ = 'T';
    p = put_digits(p, seconds / 3600, 2);
    *p++ = ':';
    p = put_digits(p, seconds / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, seconds % 60, 2);
    if (us) {
        *p++ = '.';
        p = us % 1000 ? put_digits(p, us, 6) : put_digits(p, us / 1000, 3);
    }
    *p++ = 'Z';
    *p = '\0';
    return (size_t)(p - out);
}

void timestamp_date(int64_t at_us, char out[11]) {
    int64_t rest_us;
    *put_date(out, split_days(at_us, &rest_us)) = '\0';
}

/* A number of exactly WIDTH digits in LOW..HIGH, or -1. */
static int digits(const char *p, int width, int low, int high) {
    int value = 0;
    for (int i = 0; i < width; i++) {
        unsigned digit = (unsigned)(unsigned char)p[i] - '0';
        if (digit > 9)
            return -1;
        value = value * 10 + (int)digit;
    }
    return value >= low && value <= high ? value : -1;
}

static int days_in_month(int year, int month) {
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* ".digits", 1 to 9 of them, cut to microseconds. Returns how far P goes, 0 when malformed. */
static size_t parse_fraction(const char *p, size_t len, int64_t *ret_us) {
    int64_t us = 0, scale = 100000;
    size_t i = 1;
    for (; i < len && p[i] >= '0' && p[i] <= '9'; i++) {
        us += (p[i] - '0') * scale;
        scale /= 10;
    }
    if (i == 1 || i > 10)
        return 0;
    *ret_us = us;
    return i;
}

/* "Z" or "+hh:mm", all of it. */
static bool parse_zone(const char *p, size_t len, int64_t *ret_offset_s) {
    if (len == 1 && (p[0] == 'Z' || p[0] == 'z')) {
        *ret_offset_s = 0;
        return true;
    }
    if (len != 6 || (p[0] != '+' && p[0] != '-') || p[3] != ':')
        return false;
    int hours = digits(p + 1, 2, 0, 23), minutes = digits(p + 4, 2, 0, 59);
    if (hours < 0 || minutes < 0)
        return false;
    int64_t offset_s = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    *ret_offset_s = p[0] == '-' ? -offset_s : offset_s;
    return true;
}

int timestamp_parse(struct str text, int64_t *ret_at_us) {
    const char *p = text.p;
    if (text.len < 20 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != 't') ||
        p[13] != ':' || p[16] != ':')
        return ERR_INVALID;
    struct date d = {.year = digits(p, 4, YEAR_MIN, YEAR_MAX),
                     .month = digits(p + 5, 2, 1, 12),
                     .day = digits(p + 8, 2, 1, 31)};
    /* The leap second is refused: the clock inside has no place for it. */
    int hour = digits(p + 11, 2, 0, 23), minute = digits(p + 14, 2, 0, 59),
        second = digits(p + 17, 2, 0, 59);
    if ((d.year | d.month | d.day | hour | minute | second) < 0 ||
        d.day > days_in_month(d.year, d.month))
        return ERR_INVALID;
    size_t at = 19;
    int64_t us = 0, offset_s;
    if (p[at] == '.') {
        size_t fraction_len = parse_fraction(p + at, text.len - at, &us);
        if (fraction_len == 0)
            return ERR_INVALID;
        at += fraction_len;
    }
    if (!parse_zone(p + at, text.len - at, &offset_s))
        return ERR_INVALID;
    int second_of_day = hour * 3600 + minute * 60 + second;
    int64_t seconds = days_from_date(d) * 86400 + second_of_day - offset_s;
    if (seconds < 0)
        return ERR_INVALID; /* before 1970 once the zone is taken off */
    *ret_at_us = seconds * US_PER_S + us;
    return 0;
}

static int64_t clock_us(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int64_t clock_wall_us(void) {
    return clock_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void) {
    return clock_us(CLOCK_MONOTONIC);
}
