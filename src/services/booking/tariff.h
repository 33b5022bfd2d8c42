/* Tariffs: what each vehicle class costs. From a JSON file or built in; read-only after start.
 *
 *   {"currency":"SEK","tariffs":[{"vehicle":"van","base":9900,"per_km":1500,"per_minute":260,
 *                                 "minimum":12900,"per_stop":3500}, …]}
 *
 * Amounts are minor units. "per_stop" may be left out; a class that is left out is not on offer.
 */
#ifndef LORRY_BOOKING_TARIFF_H
#define LORRY_BOOKING_TARIFF_H

#include "services/booking/price.h"

#define BOOKING_FILE_BYTES_MAX ((size_t)1 << 20)

struct tariffs {
    char currency[4];                     /* ISO 4217 */
    struct tariff classes[VEHICLE_COUNT]; /* by enum vehicle */
};

extern const struct tariffs tariffs_default; /* all four classes, SEK */

/* ERR_INVALID: every mistake is in *ERRORS (texts in A), *RET is untouched. */
int tariffs_parse(struct str json, struct arena *a, struct tariffs *ret,
                  struct field_errors *errors);
/* The same from a file. Failure: *RET_COMPLAINT (in A) is ready to print, one line a mistake. */
int tariffs_load(const char *path, struct arena *a, struct tariffs *ret, struct str *ret_complaint);

/* "bike, car, van": those on offer. */
struct str tariffs_classes(const struct tariffs *t, struct arena *a);
/* The answer to GET /v1/tariffs. */
struct str tariffs_json(const struct tariffs *t, struct arena *a);

/* For files of configuration: the whole file in A. ERR_NOT_FOUND, ERR_IO, ERR_LIMIT. */
int booking_file_read(const char *path, struct arena *a, struct str *ret_text);
/* "PATH: POINTER DETAIL" lines; what is said of the whole file has no pointer. */
struct str booking_file_complaint(const char *path, const struct field_errors *errors,
                                  struct arena *a);

#endif
