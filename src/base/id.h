/* Ids: "<prefix>_<26 Crockford base32>", a ULID: 48 bits of milliseconds, then 80 random bits, so
 * they sort by time. Upper case. Within Lorry an id is a struct str of its text.
 * Source: github.com/ulid/spec.
 */
#ifndef LORRY_BASE_ID_H
#define LORRY_BASE_ID_H

#include "base/arena.h"
#include "base/rng.h"
#include "base/str.h"

#define ULID_TEXT_LEN 26
#define ID_TEXT_MAX 32 /* "bkg_" + 26 and a NUL, rounded up */

/* A new id in A. PREFIX without the underscore ("bkg"). */
struct str id_new(struct arena *a, const char *prefix, int64_t now_us, struct rng *rng);
/* Is S "<prefix>_" + a valid ULID? PREFIX NULL: any of 1 to 4 lower-case letters. */
bool id_valid(struct str s, const char *prefix);
/* The same ULID under another prefix: a driver's id from his user's, a booking's from its quote's.
 * S must be a valid id of any prefix. */
struct str id_with_prefix(struct arena *a, struct str s, const char *prefix);
/* Sets the low bits of the last character to VARIANT (0..7): quotes made together share the rest.
 */
struct str id_variant(struct arena *a, struct str s, unsigned variant);
unsigned id_variant_of(struct str s);
/* The time inside the id, microseconds (whole milliseconds); 0 if it is not an id. */
int64_t id_time_us(struct str s);

#endif
