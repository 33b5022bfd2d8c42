/* Strings with a length. Everything here reads its arguments and owns nothing.
 *
 * The hash multiplies 64 bits by 64 and folds the 128-bit product (the step of wyhash): a few
 * cycles for an id, good in all its bits, and the same on every little-endian machine, so that the
 * simulator replays.
 */
#include "base/str.h"

#include "base/err.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_TEXT_MAX                                                                            \
    128 /* of str_to_f64; the longest exact double people write is far shorter */

struct str str_from(const char *cstr) {
    return cstr ? (struct str){cstr, strlen(cstr)} : STR_NONE;
}

static bool bytes_eq(const char *a, const char *b, size_t len) {
    return len == 0 || memcmp(a, b, len) == 0;
}

bool str_eq(struct str a, struct str b) {
    return a.len == b.len && (a.p == NULL) == (b.p == NULL) && bytes_eq(a.p, b.p, a.len);
}

bool str_is(struct str a, const char *cstr) {
    return str_eq(a, str_from(cstr));
}

bool str_starts(struct str s, const char *prefix) {
    size_t len = strlen(prefix);
    return s.len >= len && bytes_eq(s.p, prefix, len);
}

bool str_ends(struct str s, const char *suffix) {
    size_t len = strlen(suffix);
    return s.len >= len && (len == 0 || bytes_eq(s.p + (s.len - len), suffix, len));
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_nocase(struct str a, const char *cstr) {
    if (a.p == NULL || cstr == NULL)
        return a.p == NULL && cstr == NULL;
    for (size_t i = 0; i < a.len; i++) {
        if (cstr[i] == '\0' || lower(a.p[i]) != lower(cstr[i]))
            return false;
    }
    return cstr[a.len] == '\0';
}

int str_cmp(struct str a, struct str b) {
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.p, b.p, len) : 0;
    if (order)
        return order < 0 ? -1 : 1;
    return a.len < b.len ? -1 : a.len > b.len;
}

struct str str_sub(struct str s, size_t from, size_t len) {
    if (s.p == NULL)
        return STR_NONE;
    if (from > s.len)
        from = s.len;
    if (len > s.len - from)
        len = s.len - from;
    return (struct str){s.p + from, len};
}

int str_to_i64(struct str s, int64_t *ret_value) {
    bool negative = s.len > 0 && s.p[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == s.len)
        return ERR_INVALID;
    /* Negative all the way: INT64_MIN has no positive twin. */
    int64_t value = 0;
    bool over = false;
    for (; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return ERR_INVALID;
        over |= __builtin_mul_overflow(value, 10, &value);
        over |= __builtin_sub_overflow(value, s.p[i] - '0', &value);
    }
    if (over || (!negative && value == INT64_MIN))
        return ERR_LIMIT;
    *ret_value = negative ? value : -value;
    return 0;
}

static size_t skip_digits(struct str s, size_t i) {
    while (i < s.len && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i;
}

/* -?digits[.digits][e[+-]digits], all of S? strtod alone would take "0x1p3", " 1" and "inf". */
static bool is_decimal(struct str s) {
    size_t i = s.len > 0 && s.p[0] == '-' ? 1 : 0, start = i;
    i = skip_digits(s, i);
    if (i == start)
        return false;
    if (i < s.len && s.p[i] == '.') {
        start = ++i;
        i = skip_digits(s, i);
        if (i == start)
            return false;
    }
    if (i < s.len && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.len && (s.p[i] == '+' || s.p[i] == '-'))
            i++;
        start = i;
        i = skip_digits(s, i);
        if (i == start)
            return false;
    }
    return i == s.len;
}

int str_to_f64(struct str s, double *ret_value) {
    char text[NUMBER_TEXT_MAX];
    if (s.len >= sizeof text || !is_decimal(s))
        return ERR_INVALID;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    double value = strtod(text, NULL);
    if (!isfinite(value))
        return ERR_INVALID;
    *ret_value = value;
    return 0;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int str_percent(struct str s) {
    int high = s.len == 3 && s.p[0] == '%' ? hex_digit(s.p[1]) : -1;
    int low = high >= 0 ? hex_digit(s.p[2]) : -1;
    return low >= 0 ? high * 16 + low : -1;
}

bool str_eq_secret(struct str a, struct str b) {
    if (a.len != b.len || a.p == NULL || b.p == NULL)
        return false;
    volatile unsigned char differs = 0;
    for (size_t i = 0; i < a.len; i++)
        differs = (unsigned char)(differs | (a.p[i] ^ b.p[i]));
    return differs == 0;
}

/* The length of the valid UTF-8 sequence at P, or 0 (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *p, size_t left) {
    unsigned char c = p[0], low = 0x80, high = 0xBF;
    size_t len;
    if (c < 0x80)
        return 1;
    if (c < 0xC2)
        return 0;
    if (c < 0xE0) {
        len = 2;
    } else if (c < 0xF0) {
        len = 3;
        if (c == 0xE0)
            low = 0xA0; /* overlong */
        else if (c == 0xED)
            high = 0x9F; /* surrogates */
    } else if (c < 0xF5) {
        len = 4;
        if (c == 0xF0)
            low = 0x90; /* overlong */
        else if (c == 0xF4)
            high = 0x8F; /* over U+10FFFF */
    } else {
        return 0;
    }
    if (left < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

bool str_is_utf8(struct str s, size_t *ret_chars) {
    const unsigned char *p = (const unsigned char *)s.p;
    size_t chars = 0, i = 0;
    while (i < s.len) {
        uint64_t word;
        if (s.len - i >= sizeof word) { /* eight ASCII bytes at once */
            memcpy(&word, p + i, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof word;
                chars += sizeof word;
                continue;
            }
        }
        size_t len = utf8_sequence(p + i, s.len - i);
        if (len == 0)
            return false;
        i += len;
        chars++;
    }
    if (ret_chars)
        *ret_chars = chars;
    return true;
}

static uint64_t fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t read_64(const char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Up to eight bytes as a number. */
static uint64_t read_tail(const char *p, size_t len) {
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++)
        v |= (uint64_t)(unsigned char)p[i] << (8 * i);
    return v;
}

uint64_t str_hash(struct str s, uint64_t seed) {
    const uint64_t k0 = UINT64_C(0xa0761d6478bd642f), k1 = UINT64_C(0xe7037ed1a0b428db),
                   k2 = UINT64_C(0x8ebc6af09c88c6e3);
    const char *p = s.p;
    size_t left = s.len;
    uint64_t h = fold(seed ^ k0, k1);
    for (; left > 16; left -= 16, p += 16)
        h = fold(read_64(p) ^ k1, read_64(p + 8) ^ h);
    uint64_t a = left >= 8 ? read_64(p) : read_tail(p, left);
    uint64_t b = left > 8 ? read_tail(p + 8, left - 8) : 0;
    h = fold(a ^ k1, b ^ h);
    return fold(h ^ k2, (uint64_t)s.len ^ k1);
}
