/* ULIDs. 26 characters of 5 bits are 130 bits, of which the first two are always zero: the first
 * character is 0..7. The text is all there is; it lives in the arena of whoever asked.
 */
#include "base/id.h"

#include "base/check.h"
#include "base/timestamp.h"

#include <string.h>

#define PREFIX_MAX (ID_TEXT_MAX - ULID_TEXT_LEN - 2) /* the underscore and the NUL */
#define TIME_CHARS 10
#define RANDOM_CHARS 8 /* twice, 40 bits each */
#define TIME_MS_MAX ((INT64_C(1) << 48) - 1)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford: no I L O U */

/* 0..31, or -1. Upper case only: one id has one text. */
static int value_of(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c < 'A' || c > 'Z')
        return -1;
    static const int8_t letters[] = {10, 11, 12, 13, 14, 15, 16, 17, -1, 18, 19, -1, 20,
                                     21, -1, 22, 23, 24, 25, 26, -1, 27, 28, 29, 30, 31};
    return letters[c - 'A'];
}

static char *put_bits(char *p, uint64_t bits, int chars) {
    for (int i = chars - 1; i >= 0; i--) {
        p[i] = alphabet[bits & 31];
        bits >>= 5;
    }
    return p + chars;
}

static char *put_prefix(char *p, const char *prefix) {
    size_t len = strlen(prefix);
    CHECK(len > 0 && len <= PREFIX_MAX);
    memcpy(p, prefix, len);
    p[len] = '_';
    return p + len + 1;
}

/* An id from its parts; RANDOM's two halves give 40 bits each. */
static struct str make(struct arena *a, const char *prefix, int64_t time_ms, uint64_t high,
                       uint64_t low) {
    char text[ID_TEXT_MAX];
    char *p = put_prefix(text, prefix);
    p = put_bits(p, (uint64_t)time_ms, TIME_CHARS);
    p = put_bits(p, high, RANDOM_CHARS);
    p = put_bits(p, low, RANDOM_CHARS);
    return arena_str(a, (struct str){text, (size_t)(p - text)});
}

struct str id_new(struct arena *a, const char *prefix, int64_t now_us, struct rng *rng) {
    int64_t time_ms = now_us / US_PER_MS;
    CHECK(time_ms >= 0 && time_ms <= TIME_MS_MAX);
    uint64_t high = rng_next(rng), low = rng_next(rng);
    return make(a, prefix, time_ms, high >> 24, low >> 24);
}

/* Where the ULID begins in S, or 0 when S is not "<some prefix>_<ULID>". */
static size_t ulid_start(struct str s) {
    if (s.len < 1 + 1 + ULID_TEXT_LEN || s.len > PREFIX_MAX + 1 + ULID_TEXT_LEN)
        return 0;
    size_t start = s.len - ULID_TEXT_LEN;
    for (size_t i = 0; i < start - 1; i++) {
        if (s.p[i] < 'a' || s.p[i] > 'z')
            return 0;
    }
    if (s.p[start - 1] != '_' || s.p[start] > '7')
        return 0;
    for (size_t i = start; i < s.len; i++) {
        if (value_of(s.p[i]) < 0)
            return 0;
    }
    return start;
}

bool id_valid(struct str s, const char *prefix) {
    size_t start = ulid_start(s);
    if (start == 0 || prefix == NULL)
        return start != 0;
    return strlen(prefix) == start - 1 && memcmp(s.p, prefix, start - 1) == 0;
}

struct str id_with_prefix(struct arena *a, struct str s, const char *prefix) {
    size_t start = ulid_start(s);
    CHECK(start > 0);
    char text[ID_TEXT_MAX];
    char *p = put_prefix(text, prefix);
    memcpy(p, s.p + start, ULID_TEXT_LEN);
    return arena_str(a, (struct str){text, (size_t)(p - text) + ULID_TEXT_LEN});
}

struct str id_variant(struct arena *a, struct str s, unsigned variant) {
    CHECK(variant < 8 && ulid_start(s) > 0);
    char *text = arena_cstr(a, s);
    char *last = text + s.len - 1;
    *last = alphabet[((unsigned)value_of(*last) & ~7u) | variant];
    return (struct str){text, s.len};
}

unsigned id_variant_of(struct str s) {
    CHECK(ulid_start(s) > 0);
    return (unsigned)value_of(s.p[s.len - 1]) & 7u;
}

int64_t id_time_us(struct str s) {
    size_t start = ulid_start(s);
    if (start == 0)
        return 0;
    int64_t time_ms = 0;
    for (size_t i = 0; i < TIME_CHARS; i++)
        time_ms = time_ms * 32 + value_of(s.p[start + i]);
    return time_ms * US_PER_MS;
}
