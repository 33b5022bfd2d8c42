/* A string that knows its length and does not own its bytes. `p == NULL` means absent, which is not
 * the same as empty. Bytes live in an arena, a literal, or a buffer that outlives the str.
 */
#ifndef LORRY_BASE_STR_H
#define LORRY_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *p;
    size_t len;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).len, (s).p

struct str str_from(const char *cstr); /* NULL gives STR_NONE */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *cstr);
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
bool str_eq_nocase(struct str a, const char *cstr);        /* ASCII letters only */
int str_cmp(struct str a, struct str b);                   /* bytewise, shorter first on a tie */
struct str str_sub(struct str s, size_t from, size_t len); /* clamped to s */

/* Decimal int64, the whole string, no sign but '-', no spaces. ERR_INVALID or ERR_LIMIT. */
int str_to_i64(struct str s, int64_t *ret_value);
/* A finite decimal number, the whole string ("57.7", "-1e3"). ERR_INVALID. */
int str_to_f64(struct str s, double *ret_value);

/* The byte that S stands for if it is an escape of an address ("%2f"); -1: it is none. */
int str_percent(struct str s);

/* Compares secrets in time that depends on the lengths only. */
bool str_eq_secret(struct str a, struct str b);

/* Valid UTF-8 (no surrogates, no overlong forms)? Counts code points into *ret_chars when valid. */
bool str_is_utf8(struct str s, size_t *ret_chars);

/* 64-bit hash of bytes for tables in memory (SipHash-1-3 is not needed: keys are ids we made, or
 * are seeded). Stable across runs for the same SEED. */
uint64_t str_hash(struct str s, uint64_t seed);

#endif
