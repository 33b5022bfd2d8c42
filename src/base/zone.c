/* A TZif file is a head, a block of 32-bit data, and from version 2 on a second head and block with
 * 64 bits and a POSIX TZ string behind it. Only the second is used: every file since 2005 has it.
 * Up to the last transition the table counts, after it the string's rule.
 *
 * Dates are turned into days and back by Howard Hinnant's algorithms ("chrono-Compatible Low-Level
 * Date Algorithms"): years begin in March there, so that leap days come last.
 */
#include "base/zone.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <stdio.h>
#include <string.h>

#define HEAD_BYTES 44
#define INFO_BYTES 6
#define DAY_S 86400
#define OFFSET_S_MAX 93600 /* 26 h */
#define RULE_TIME_S_MAX (167 * 3600)

const struct zone zone_utc = {.rule = true};

/* ---- dates ---- */

int64_t date_days(int32_t year, int32_t month, int32_t day) {
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void days_date(int64_t days, struct zone_time *ret) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    ret->day = (int32_t)(of_year - (153 * month + 2) / 5 + 1);
    ret->month = (int32_t)(month < 10 ? month + 3 : month - 9);
    ret->year = (int32_t)(year + era * 400 + (ret->month <= 2 ? 1 : 0));
}

void date_of_days(int64_t days, int32_t *ret_year, int32_t *ret_month, int32_t *ret_day) {
    struct zone_time t;
    days_date(days, &t);
    *ret_year = t.year;
    *ret_month = t.month;
    *ret_day = t.day;
}

static bool is_leap(int32_t year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

bool date_valid(int32_t year, int32_t month, int32_t day) {
    static const int32_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1)
        return false;
    return day <= lengths[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

bool date_parse(struct str text, int32_t *ret_year, int32_t *ret_month, int32_t *ret_day) {
    static const char form[] = "dddd-dd-dd";
    int32_t parts[3] = {0}, part = 0;
    if (text.len != sizeof(form) - 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (form[i] == '-' ? text.p[i] != '-' : text.p[i] < '0' || text.p[i] > '9')
            return false;
        if (form[i] == '-')
            part++;
        else
            parts[part] = parts[part] * 10 + (text.p[i] - '0');
    }
    if (!date_valid(parts[0], parts[1], parts[2]))
        return false;
    *ret_year = parts[0];
    *ret_month = parts[1];
    *ret_day = parts[2];
    return true;
}

/* ---- the string behind the table: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

struct scan {
    struct str text;
    size_t at;
    bool bad;
};

static char peek(const struct scan *s) {
    return s->at < s->text.len ? s->text.p[s->at] : 0;
}

static bool take(struct scan *s, char c) {
    if (peek(s) != c)
        return false;
    s->at++;
    return true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int32_t number(struct scan *s, int32_t min, int32_t max) {
    int32_t n = 0;
    int digits = 0;
    for (; is_digit(peek(s)) && digits < 4; digits++)
        n = n * 10 + (s->text.p[s->at++] - '0');
    if (digits == 0 || n < min || n > max)
        s->bad = true;
    return n;
}

/* "CET" or "<+0330>": nobody here needs it. */
static void skip_name(struct scan *s) {
    size_t from = s->at;
    if (take(s, '<')) {
        while (peek(s) != '>' && peek(s) != 0)
            s->at++;
        s->bad |= !take(s, '>');
        return;
    }
    while (is_letter(peek(s)))
        s->at++;
    s->bad |= s->at - from < 3;
}

/* hh[:mm[:ss]] with a sign, in seconds. */
static int32_t clock_time(struct scan *s, int32_t hours_max) {
    int32_t sign = 1;
    if (take(s, '-'))
        sign = -1;
    else
        take(s, '+');
    int32_t t = number(s, 0, hours_max) * 3600;
    if (take(s, ':'))
        t += number(s, 0, 59) * 60;
    if (take(s, ':'))
        t += number(s, 0, 59);
    return sign * t;
}

static void change(struct scan *s, struct zone_change *ret) {
    s->bad |= !take(s, ',');
    *ret = (struct zone_change){.kind = 'D', .time_s = 2 * 3600};
    if (take(s, 'M')) {
        ret->kind = 'M';
        ret->month = number(s, 1, 12);
        s->bad |= !take(s, '.');
        ret->week = number(s, 1, 5);
        s->bad |= !take(s, '.');
        ret->day = number(s, 0, 6);
    } else if (take(s, 'J')) {
        ret->kind = 'J';
        ret->day = number(s, 1, 365);
    } else {
        ret->day = number(s, 0, 365);
    }
    if (take(s, '/'))
        ret->time_s = clock_time(s, RULE_TIME_S_MAX / 3600);
}

static int parse_rule(struct str text, struct zone *z) {
    struct scan s = {.text = text};
    if (text.len == 0)
        return 0; /* none: the last transition holds for ever */
    z->rule = true;
    skip_name(&s);
    z->standard_s = -clock_time(&s, 24);
    if (peek(&s) != 0) {
        z->summer = true;
        skip_name(&s);
        z->summer_s = z->standard_s + 3600;
        if (peek(&s) != ',')
            z->summer_s = -clock_time(&s, 24);
        change(&s, &z->begin);
        change(&s, &z->end);
    }
    return s.bad || peek(&s) != 0 ? ERR_CORRUPT : 0;
}

/* Seconds since 1970 of the moment in YEAR's local time, as if that were UTC. */
static int64_t change_s(const struct zone_change *c, int32_t year) {
    int64_t first = date_days(year, 1, 1), day;
    if (c->kind == 'M') {
        first = date_days(year, c->month, 1);
        int32_t weekday = (int32_t)((first + 4) % 7); /* 1970-01-01 was a Thursday */
        weekday = weekday < 0 ? weekday + 7 : weekday;
        day = first + (c->day - weekday + 7) % 7 + (int64_t)(c->week - 1) * 7;
        int32_t next = c->month == 12 ? 1 : c->month + 1;
        if (day >= date_days(year + (c->month == 12 ? 1 : 0), next, 1))
            day -= 7; /* week 5 is the last, and this month has four */
    } else if (c->kind == 'J') {
        day = first + c->day - 1 + (is_leap(year) && c->day >= 60 ? 1 : 0);
    } else {
        day = first + c->day;
    }
    return day * DAY_S + c->time_s;
}

static int32_t rule_offset_s(const struct zone *z, int64_t at_s) {
    if (!z->summer)
        return z->standard_s;
    int64_t local = at_s + z->standard_s;
    struct zone_time t;
    days_date((local >= 0 ? local : local - DAY_S + 1) / DAY_S, &t);
    /* The clock that is put forward still shows standard time; the one put back, summer time. */
    int64_t begin_s = change_s(&z->begin, t.year) - z->standard_s;
    int64_t end_s = change_s(&z->end, t.year) - z->summer_s;
    bool summer = begin_s < end_s ? at_s >= begin_s && at_s < end_s
                                  : at_s >= begin_s || at_s < end_s; /* south of the equator */
    return summer ? z->summer_s : z->standard_s;
}

/* ---- the file ---- */

static int64_t big_endian(const unsigned char *p, int bytes) {
    uint64_t n = (p[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (int i = 0; i < bytes; i++)
        n = n << 8 | p[i];
    return (int64_t)n;
}

struct block {
    int64_t utc_flags, std_flags, leaps, times, types, chars;
};

static bool read_head(const unsigned char *p, size_t len, struct block *ret) {
    if (len < HEAD_BYTES || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
        return false;
    int64_t *const counts[] = {&ret->utc_flags, &ret->std_flags, &ret->leaps,
                               &ret->times,     &ret->types,     &ret->chars};
    for (int i = 0; i < 6; i++) {
        *counts[i] = big_endian(p + 20 + (ptrdiff_t)i * 4, 4);
        if (*counts[i] < 0 || *counts[i] > (int64_t)ZONE_FILE_MAX)
            return false;
    }
    return true;
}

/* Bytes of a block whose times have SIZE bytes each. */
static size_t block_bytes(const struct block *b, int64_t size) {
    return (size_t)(b->times * (size + 1) + b->types * INFO_BYTES + b->chars +
                    b->leaps * (size + 4) + b->std_flags + b->utc_flags);
}

/* Every time has a type that there is, the times rise, the offsets are of this world. */
static bool table_sound(const struct zone *z) {
    for (int32_t i = 0; i < z->time_count; i++) {
        bool rises = i == 0 || big_endian(z->times + (ptrdiff_t)i * 8, 8) >
                                   big_endian(z->times + (ptrdiff_t)(i - 1) * 8, 8);
        if (!rises || z->types[i] >= z->type_count)
            return false;
    }
    for (int32_t i = 0; i < z->type_count; i++) {
        int64_t offset_s = big_endian(z->infos + (ptrdiff_t)i * INFO_BYTES, 4);
        if (offset_s < -OFFSET_S_MAX || offset_s > OFFSET_S_MAX)
            return false;
    }
    return z->type_count > 0;
}

int zone_parse(struct str bytes, struct zone *ret) {
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t len = bytes.len;
    struct block b;
    if (len > ZONE_FILE_MAX || !read_head(p, len, &b))
        return ERR_CORRUPT;
    size_t skip = HEAD_BYTES + block_bytes(&b, 4);
    if (skip > len || !read_head(p + skip, len - skip, &b))
        return ERR_CORRUPT;
    p += skip + HEAD_BYTES;
    len -= skip + HEAD_BYTES;
    size_t table = block_bytes(&b, 8);
    if (table + 2 > len || p[table] != '\n')
        return ERR_CORRUPT;
    struct zone z = {.times = p, .time_count = (int32_t)b.times, .type_count = (int32_t)b.types};
    z.types = p + b.times * 8;
    z.infos = z.types + b.times;
    const char *rule = (const char *)p + table + 1;
    const char *end = memchr(rule, '\n', len - table - 1);
    if (end == NULL || !table_sound(&z) ||
        parse_rule((struct str){rule, (size_t)(end - rule)}, &z) < 0)
        return ERR_CORRUPT;
    *ret = z;
    return 0;
}

bool zone_name_valid(struct str name) {
    if (name.len == 0 || name.len > ZONE_NAME_MAX || !is_letter(name.p[0]))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        if (c == '/' && (i + 1 == name.len || !is_letter(name.p[i + 1])))
            return false;
        if (!is_letter(c) && !is_digit(c) && c != '/' && c != '_' && c != '-' && c != '+')
            return false;
    }
    return true;
}

int zone_load(const char *dir, struct str name, struct arena *a, struct zone *ret) {
    if (!zone_name_valid(name))
        return ERR_INVALID;
    if (str_is(name, "UTC")) {
        *ret = zone_utc;
        return 0;
    }
    FILE *f = fopen(arena_printf(a, "%s/%.*s", dir, STR_ARG(name)).p, "rbe");
    if (f == NULL)
        return ERR_NOT_FOUND;
    char *bytes = arena_bytes(a, ZONE_FILE_MAX + 1);
    size_t n = fread(bytes, 1, ZONE_FILE_MAX + 1, f);
    int err = ferror(f) ? ERR_NOT_FOUND : 0; /* a folder: no zone has that name */
    fclose(f);
    return err < 0 ? err : zone_parse((struct str){bytes, n}, ret);
}

/* ---- what the clock shows ---- */

static int64_t time_at(const struct zone *z, int32_t i) {
    return big_endian(z->times + (ptrdiff_t)i * 8, 8);
}

int32_t zone_offset_s(const struct zone *z, int64_t at_us) {
    int64_t at_s = (at_us >= 0 ? at_us : at_us - US_PER_S + 1) / US_PER_S;
    if (z->rule && (z->time_count == 0 || at_s >= time_at(z, z->time_count - 1)))
        return rule_offset_s(z, at_s);
    int32_t low = 0, high = z->time_count; /* how many transitions are not after AT */
    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        if (time_at(z, mid) <= at_s)
            low = mid + 1;
        else
            high = mid;
    }
    int32_t type = low > 0 ? z->types[low - 1] : 0;
    return (int32_t)big_endian(z->infos + (ptrdiff_t)type * INFO_BYTES, 4);
}

int64_t zone_moment_us(const struct zone *z, int64_t local_s) {
    int32_t before_s = zone_offset_s(z, (local_s - DAY_S) * US_PER_S);
    int32_t after_s = zone_offset_s(z, (local_s + DAY_S) * US_PER_S);
    int64_t by_before = (local_s - before_s) * US_PER_S, by_after = (local_s - after_s) * US_PER_S;
    if (zone_offset_s(z, by_before) == before_s)
        return by_before;
    return zone_offset_s(z, by_after) == after_s ? by_after : by_before;
}

void zone_local(const struct zone *z, int64_t at_us, struct zone_time *ret) {
    int64_t at_s = (at_us >= 0 ? at_us : at_us - US_PER_S + 1) / US_PER_S + zone_offset_s(z, at_us);
    int64_t days = (at_s >= 0 ? at_s : at_s - DAY_S + 1) / DAY_S;
    int32_t of_day = (int32_t)(at_s - days * DAY_S);
    days_date(days, ret);
    ret->hour = of_day / 3600;
    ret->minute = of_day / 60 % 60;
    ret->second = of_day % 60;
    int32_t weekday = (int32_t)((days + 4) % 7);
    ret->weekday = weekday < 0 ? weekday + 7 : weekday;
}

int32_t clock_minutes(struct str text) {
    if (text.len != 5 || text.p[2] != ':')
        return -1;
    int32_t digits[4];
    for (int i = 0, at = 0; i < 4; i++, at += at == 1 ? 2 : 1) {
        if (text.p[at] < '0' || text.p[at] > '9')
            return -1;
        digits[i] = text.p[at] - '0';
    }
    int32_t hours = digits[0] * 10 + digits[1], minutes = digits[2] * 10 + digits[3];
    return hours < 24 && minutes < 60 ? hours * 60 + minutes : -1;
}
