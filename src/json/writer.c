/* The writer: each call reserves what it can need at most and then writes without looking. The only
 * state is whether a comma is due and what closes each open container.
 */
#include "json/writer.h"

#include "base/check.h"
#include "base/timestamp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPED_MAX 6 /* bytes one byte may need: \u001f */
#define F64_TEXT_MAX 32
#define F64_DECIMALS_FAST 9
#define F64_EXACT_MAX 9007199254740992.0 /* 2^53 */

void jw_init(struct jw *w, struct buf *out) {
    *w = (struct jw){.out = out};
}

/* Before every value: the comma that the one before it left due, and room for BYTES more. */
static char *begin_value(struct jw *w, size_t bytes) {
    struct buf *b = w->out;
    buf_reserve(b, bytes + 1);
    if (w->comma)
        b->p[b->len++] = ',';
    w->comma = true;
    return b->p + b->len;
}

static void end_value(struct jw *w, const char *end) {
    w->out->len = (size_t)(end - w->out->p);
}

static void open_container(struct jw *w, char opener, char closer) {
    CHECK(w->depth < JW_DEPTH_MAX);
    char *p = begin_value(w, 1);
    *p = opener;
    end_value(w, p + 1);
    w->closers[w->depth++] = closer;
    w->comma = false;
}

void jw_object(struct jw *w) {
    open_container(w, '{', '}');
}

void jw_array(struct jw *w) {
    open_container(w, '[', ']');
}

void jw_end(struct jw *w) {
    CHECK(w->depth > 0);
    buf_add_char(w->out, w->closers[--w->depth]);
    w->comma = true;
}

static char *put_escape(char *p, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    static const char short_forms[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    *p++ = '\\';
    if (c == '"' || c == '\\') {
        *p++ = (char)c;
    } else if (short_forms[c]) {
        *p++ = short_forms[c];
    } else {
        memcpy(p, "u00", 3);
        p[3] = hex[c >> 4];
        p[4] = hex[c & 15];
        p += 5;
    }
    return p;
}

static bool plain(unsigned char c) {
    return c >= 0x20 && c != '"' && c != '\\';
}

/* Are all eight bytes plain? The usual trick: a byte less than N borrows from its top bit. It may
 * say no too often (the borrow goes on to the next byte), never too seldom. */
static bool word_plain(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
    uint64_t below = (word - ones * 0x20) & ~word;
    return ((below | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & tops) == 0;
}

static bool word_at_plain(const char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word_plain(word);
}

/* Nearly always true, so this is the one that is fast: the last word overlaps the one before. */
static bool all_plain(struct str s) {
    if (s.len < sizeof(uint64_t)) {
        for (size_t i = 0; i < s.len; i++) {
            if (!plain((unsigned char)s.p[i]))
                return false;
        }
        return true;
    }
    for (size_t i = 0; i + sizeof(uint64_t) < s.len; i += sizeof(uint64_t)) {
        if (!word_at_plain(s.p + i))
            return false;
    }
    return word_at_plain(s.p + s.len - sizeof(uint64_t));
}

static size_t count_escaped(struct str s) {
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++)
        count += !plain((unsigned char)s.p[i]);
    return count;
}

/* Writes S in quotes as the next value, with room for AFTER more bytes. */
static char *put_string(struct jw *w, struct str s, size_t after) {
    CHECK(s.len <= SIZE_MAX / 64);
    size_t escaped = all_plain(s) ? 0 : count_escaped(s);
    char *p = begin_value(w, s.len + escaped * (ESCAPED_MAX - 1) + 2 + after);
    *p++ = '"';
    if (escaped == 0 && s.len) {
        memcpy(p, s.p, s.len);
        p += s.len;
    }
    for (size_t i = 0; escaped > 0 && i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (plain(c))
            *p++ = (char)c;
        else
            p = put_escape(p, c);
    }
    *p++ = '"';
    return p;
}

void jw_str(struct jw *w, struct str s) {
    if (s.p == NULL) {
        jw_null(w);
        return;
    }
    end_value(w, put_string(w, s, 0));
}

void jw_cstr(struct jw *w, const char *s) {
    jw_str(w, str_from(s));
}

void jw_key_str(struct jw *w, struct str key) {
    CHECK(w->depth > 0 && w->closers[w->depth - 1] == '}');
    char *p = put_string(w, key, 1);
    *p++ = ':';
    end_value(w, p);
    w->comma = false;
}

void jw_key(struct jw *w, const char *key) {
    CHECK(w->depth > 0 && w->closers[w->depth - 1] == '}');
    size_t len = strlen(key);
    char *p = begin_value(w, len + 3);
    *p++ = '"';
    memcpy(p, key, len);
    p += len;
    *p++ = '"';
    *p++ = ':';
    end_value(w, p);
    w->comma = false;
}

void jw_i64(struct jw *w, int64_t v) {
    begin_value(w, 20);
    buf_add_i64(w->out, v);
}

static const double powers_of_ten[F64_DECIMALS_FAST + 1] = {1,   1e1, 1e2, 1e3, 1e4,
                                                            1e5, 1e6, 1e7, 1e8, 1e9};

/* V as a whole number of 10^-decimals, with as few decimals as read back the same; false when it
 * has too many. Both operands of the division are exact and division rounds to nearest, as reading
 * does: so what divides back to V also reads back as V. */
static bool as_decimal(double v, int64_t *ret_whole, int *ret_decimals) {
    for (int decimals = 0; decimals <= F64_DECIMALS_FAST; decimals++) {
        double scaled = v * powers_of_ten[decimals];
        if (!(fabs(scaled) < F64_EXACT_MAX))
            return false;
        int64_t whole = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
        if ((double)whole / powers_of_ten[decimals] == v) {
            *ret_whole = whole;
            *ret_decimals = decimals;
            return true;
        }
    }
    return false;
}

void jw_f64(struct jw *w, double v) {
    if (!isfinite(v)) {
        jw_null(w);
        return;
    }
    if (v == 0 && signbit(v)) { /* "-0" would be read as the integer, which has no sign */
        jw_raw(w, STR("-0.0"));
        return;
    }
    int64_t whole;
    int decimals;
    if (as_decimal(v, &whole, &decimals)) {
        jw_fixed(w, whole, decimals);
        return;
    }
    char text[F64_TEXT_MAX];
    int len = 0;
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    memcpy(begin_value(w, (size_t)len), text, (size_t)len);
    w->out->len += (size_t)len;
}

void jw_fixed(struct jw *w, int64_t v, int decimals) {
    CHECK(decimals >= 0 && decimals <= 18);
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    for (; decimals > 0 && left % 10 == 0; decimals--)
        left /= 10;
    char text[24], *p = text + sizeof text; /* a sign, 19 digits, the point */
    for (int digits = 0; left > 0 || digits <= decimals; digits++) {
        if (digits > 0 && digits == decimals)
            *--p = '.';
        *--p = (char)('0' + left % 10);
        left /= 10;
    }
    if (v < 0)
        *--p = '-';
    size_t len = (size_t)(text + sizeof text - p);
    memcpy(begin_value(w, len), p, len);
    w->out->len += len;
}

void jw_deg7(struct jw *w, int32_t e7) {
    jw_fixed(w, e7, 7);
}

void jw_bool(struct jw *w, bool v) {
    jw_raw(w, v ? STR("true") : STR("false"));
}

void jw_null(struct jw *w) {
    jw_raw(w, STR("null"));
}

void jw_time(struct jw *w, int64_t at_us) {
    if (at_us == 0) {
        jw_null(w);
        return;
    }
    char *p = begin_value(w, TIMESTAMP_TEXT_MAX + 2);
    *p = '"';
    p += 1 + timestamp_format(at_us, p + 1);
    *p++ = '"';
    end_value(w, p);
}

void jw_raw(struct jw *w, struct str json) {
    char *p = begin_value(w, json.len);
    if (json.len)
        memcpy(p, json.p, json.len);
    end_value(w, p + json.len);
}

void jw_kv_str(struct jw *w, const char *key, struct str s) {
    jw_key(w, key);
    jw_str(w, s);
}

void jw_kv_i64(struct jw *w, const char *key, int64_t v) {
    jw_key(w, key);
    jw_i64(w, v);
}

void jw_kv_time(struct jw *w, const char *key, int64_t at_us) {
    jw_key(w, key);
    jw_time(w, at_us);
}

void jw_kv_point(struct jw *w, struct point p) {
    jw_key(w, "lat");
    jw_deg7(w, p.lat_e7);
    jw_key(w, "lng");
    jw_deg7(w, p.lng_e7);
}
