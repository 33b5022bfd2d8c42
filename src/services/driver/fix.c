#include "services/driver/fix.h"

#include "base/err.h"
#include "base/timestamp.h"

#include <math.h>
#include <string.h>

enum member { AT, LAT, LNG, ACCURACY, SPEED, BEARING, MEMBER_COUNT, OTHER };

static const char *const member_names[MEMBER_COUNT] = {"at",         "lat",       "lng",
                                                       "accuracy_m", "speed_mps", "bearing_deg"};

/* The names differ in length and first letter: one comparison decides. */
static enum member member_of(struct str key) {
    enum member guess = OTHER;
    switch (key.len) {
    case 2:
        guess = AT;
        break;
    case 3:
        guess = key.p[1] == 'a' ? LAT : LNG;
        break;
    case 9:
        guess = SPEED;
        break;
    case 10:
        guess = ACCURACY;
        break;
    case 11:
        guess = BEARING;
        break;
    default:
        return OTHER;
    }
    return memcmp(key.p, member_names[guess], key.len) == 0 ? guess : OTHER;
}

static const char *read_at(struct json_value v, int64_t now_us, struct fix *f) {
    struct str text = json_text(v);
    if (text.p == NULL || timestamp_parse(text, &f->at_us) < 0)
        return "must be a time such as 2026-11-23T10:00:00Z";
    if (f->at_us > now_us + FIX_AHEAD_US)
        return "must not be more than 5 minutes ahead of the server's clock";
    return f->at_us < now_us - FIX_AGE_US ? "must not be older than 30 days" : NULL;
}

static const char *read_degrees(struct json_value v, int32_t limit, const char *words,
                                int32_t *ret_e7) {
    double value;
    if (json_f64(v, &value) < 0)
        return "must be a number";
    if (!(value >= -limit && value <= limit))
        return words;
    *ret_e7 = (int32_t)lround(value * E7);
    return NULL;
}

static const char *read_scaled(struct json_value v, double max, double scale, const char *words,
                               int32_t *ret) {
    double value;
    if (json_f64(v, &value) < 0)
        return "must be a number";
    if (!(value >= 0 && value <= max))
        return words;
    *ret = (int32_t)lround(value * scale);
    return NULL;
}

static const char *read_member(enum member m, struct json_value v, int64_t now_us, struct fix *f) {
    switch (m) {
    case AT:
        return read_at(v, now_us, f);
    case LAT:
        return read_degrees(v, 90, "must be between -90 and 90", &f->at.lat_e7);
    case LNG:
        return read_degrees(v, 180, "must be between -180 and 180", &f->at.lng_e7);
    case ACCURACY:
        return read_scaled(v, FIX_ACCURACY_M_MAX, 100, "must be between 0 and 100000",
                           &f->accuracy_cm);
    case SPEED:
        return read_scaled(v, FIX_SPEED_MPS_MAX, 100, "must be between 0 and 200", &f->speed_cmps);
    case BEARING: {
        const char *fault = read_scaled(v, 360, 1, "must be between 0 and 360", &f->bearing_deg);
        f->bearing_deg = f->bearing_deg == 360 ? 0 : f->bearing_deg;
        return fault;
    }
    case MEMBER_COUNT:
    case OTHER:
        break;
    }
    return NULL;
}

int fix_read(struct json_value v, int64_t now_us, struct fix *ret_fix,
             struct fix_fault *ret_fault) {
    if (json_kind(v) != JSON_IS_OBJECT) {
        *ret_fault = (struct fix_fault){NULL, "must be an object"};
        return ERR_INVALID;
    }
    struct fix f = {.accuracy_cm = -1, .speed_cmps = -1, .bearing_deg = -1};
    unsigned seen = 0, there = 0;
    for (struct json_iter it = json_iter(v); json_next(&it);) {
        enum member m = member_of(it.key);
        if (m == OTHER)
            continue;
        const char *fault = NULL;
        if (seen & (1u << m)) {
            fault = "is given twice";
        } else if (json_kind(it.value) != JSON_IS_NULL) {
            fault = read_member(m, it.value, now_us, &f);
            there |= 1u << m;
        }
        if (fault != NULL) {
            *ret_fault = (struct fix_fault){member_names[m], fault};
            return ERR_INVALID;
        }
        seen |= 1u << m;
    }
    for (enum member m = AT; m <= LNG; m++) {
        if (!(there & (1u << m))) {
            *ret_fault = (struct fix_fault){member_names[m], "is required"};
            return ERR_INVALID;
        }
    }
    *ret_fix = f;
    return 0;
}

/* ---- rows ---- */

static char *put_i64(char *p, int64_t value) {
    char text[20], *from = text + sizeof text;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--from = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (value < 0)
        *p++ = '-';
    size_t len = (size_t)(text + sizeof text - from);
    memcpy(p, from, len);
    return p + len;
}

static char *put_known(char *p, int32_t value) {
    *p++ = ',';
    if (value >= 0)
        return put_i64(p, value);
    memcpy(p, "null", 4);
    return p + 4;
}

char *fix_row(char *out, const struct fix *f) {
    char *p = out;
    *p++ = '[';
    p = put_i64(p, f->at_us);
    *p++ = ',';
    p = put_i64(p, f->at.lat_e7);
    *p++ = ',';
    p = put_i64(p, f->at.lng_e7);
    p = put_known(p, f->accuracy_cm);
    p = put_known(p, f->speed_cmps);
    p = put_known(p, f->bearing_deg);
    *p++ = ']';
    return p;
}

int fix_from_row(struct json_value v, struct fix *ret_fix) {
    enum { COLUMNS = 6 };
    int64_t cells[COLUMNS];
    int n = 0;
    for (struct json_iter it = json_iter(v); json_next(&it); n++) {
        if (n == COLUMNS)
            return ERR_CORRUPT;
        if (json_kind(it.value) == JSON_IS_NULL && n > 2)
            cells[n] = -1;
        else if (json_i64(it.value, &cells[n]) < 0)
            return ERR_CORRUPT;
        if (n > 0 && (cells[n] < INT32_MIN || cells[n] > INT32_MAX))
            return ERR_CORRUPT;
    }
    if (n != COLUMNS)
        return ERR_CORRUPT;
    *ret_fix = (struct fix){.at_us = cells[0],
                            .at = {(int32_t)cells[1], (int32_t)cells[2]},
                            .accuracy_cm = (int32_t)cells[3],
                            .speed_cmps = (int32_t)cells[4],
                            .bearing_deg = (int32_t)cells[5]};
    return 0;
}

/* ---- out ---- */

void fix_write_motion(struct jw *w, int32_t speed_cmps, int32_t bearing_deg) {
    jw_key(w, "speed_mps");
    if (speed_cmps < 0)
        jw_null(w);
    else
        jw_fixed(w, speed_cmps, 2);
    jw_key(w, "bearing_deg");
    if (bearing_deg < 0)
        jw_null(w);
    else
        jw_i64(w, bearing_deg);
}

void fix_write(struct jw *w, const struct fix *f) {
    jw_kv_time(w, "at", f->at_us);
    jw_kv_point(w, f->at);
    fix_write_motion(w, f->speed_cmps, f->bearing_deg);
}

/* Merges [from, middle) and [middle, until) of FIXES into OUT. */
static void merge(const struct fix *fixes, int32_t from, int32_t middle, int32_t until,
                  struct fix *out) {
    int32_t left = from, right = middle;
    for (int32_t i = from; i < until; i++) {
        bool take_left =
            left < middle && (right == until || fixes[left].at_us <= fixes[right].at_us);
        out[i] = fixes[take_left ? left++ : right++];
    }
}

static int32_t least(int32_t a, int32_t b) {
    return a < b ? a : b;
}

void fix_sort(struct fix *fixes, int32_t count, struct arena *a) {
    struct fix *from = fixes, *to = arena_array(a, struct fix, count);
    for (int32_t run = 1; run < count; run *= 2) {
        for (int32_t at = 0; at < count; at += 2 * run)
            merge(from, at, least(at + run, count), least(at + 2 * run, count), to);
        struct fix *swap = from;
        from = to;
        to = swap;
    }
    if (from != fixes && count > 0)
        memcpy(fixes, from, (size_t)count * sizeof(struct fix));
}
