/* The tariffs that count now and soon, in memory, for quotes. */
#ifndef LORRY_BOOKING_TARIFF_BOOK_H
#define LORRY_BOOKING_TARIFF_BOOK_H

#include "runtime/shelf.h"
#include "services/booking/tariff.h"

struct tariff_version {
    const struct tariffs *t;
    struct zone zone;
};
struct tariff_book; /* read-only */

/* Its books are `struct tariff_book`; its house is a `struct tariffs`: version 1. */
extern const struct shelf_kind tariff_shelf;

/* The version that holds at AT_US. */
const struct tariff_version *tariff_book_at(const struct tariff_book *b, int64_t at_us);
/* The newest there is, whether it holds yet or not. */
int64_t tariff_book_newest(const struct tariff_book *b);

/* The newest version that is written, or HOUSE, in A. */
int tariffs_newest(struct store *store, struct json_parser *p, const struct tariffs *house,
                   struct arena *a, const struct tariffs **ret);
/* Which of NEWEST's versions holds at AT_US. */
int64_t tariffs_number_at(const struct tariffs *newest, int64_t at_us);

#endif
