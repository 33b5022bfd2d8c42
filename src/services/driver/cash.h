/* The cash book of a driver: double entry, so that every entry adds up to zero, and so do the sums.
 *
 *                 held  customers  fares  earnings  commission  tax  discounts  till
 *   collected      +a       −b      −(a−b)                                           cash was taken
 *   delivered                        +t       −e        −c        −x      +d         what it cost
 *     unconfirmed  +t                −t                                              in cash
 *   cancelled                        +f       −e        −c                           for a fee
 *   handed_in      −a                                                          +a
 *   kept           −a                         +a                  his earnings, out of what he
 * holds paid_out                                  +a                               −a reversed the
 * opposite of a settlement that was wrong
 *
 * What he holds is `held`, what he is owed is −`earnings`; `customers` is what the house owes to
 * customers. The sums lie in his own document, so that what he may still be asked for is decided
 * with them, and change by one command only: it adds the lines of an entry, and says so by an
 * event, of which the entry is written, a document of its own. It is named by what brought it, and
 * where it is there its lines have been added: so each counts once, also where what brought it
 * comes again after a week. An entry is never changed, but for who has reversed it. docs/cash.md
 * tells it for those who do the books.
 */
#ifndef LORRY_DRIVER_CASH_H
#define LORRY_DRIVER_CASH_H

#include "services/driver/service_internal.h"

#define CASH_AMOUNT_MAX INT64_C(100000000000) /* minor units: one settlement */
#define CASH_REFERENCE_CHARS_MAX 100
#define CASH_CSV_ENTRIES_MAX 10000

/* id "<ULID of the driver>_<its own ULID>": a driver's are a stretch of ids, by time. */
struct cash_entry {
    struct aggregate_head head;
    struct str driver_id;
    int32_t kind; /* enum cash_kind */
    int64_t at_us;
    struct str currency;
    struct cash_lines lines;
    struct str booking_id, customer_id; /* of a booking */
    int64_t stop;                       /* I64_ABSENT: of none */
    struct str by, reason, reference;   /* of a settlement: whose, why, the receipt's number */
    struct str reverses, reversed_by;   /* "cse_…"; may be absent */
};
extern const struct store_collection cash_entry_collection;
extern const struct aggregate cash_entry_aggregate;

/* ---- pure ---- */
int64_t cash_sum(const struct cash_lines *lines);
/* Adds LINES to D's book, which begins with it; D is being edited, in A. */
void cash_add(struct driver *d, struct str currency, const struct cash_lines *lines,
              struct arena *a);
int64_t cash_held(const struct driver *d);
/* What he will hold when he has ended what he carries. Until that is over it counts what it has
 * brought already twice: he is asked for less cash for that long, never for more. */
int64_t cash_coming(const struct driver *d);
/* May who holds so much not be asked for what brings him CASH more? */
static inline bool cash_barred(const struct driver_options *o, int64_t held, int64_t cash) {
    return o->cash_limit > 0 && cash > 0 && held >= o->cash_limit;
}
/* Does B say something of its driver's book? */
bool cash_sound(const struct ev_booking *b);
struct cash_book *cash_copy(struct arena *a, const struct cash_book *from); /* of driver_edit */

/* ---- events and routes ---- */
/* What T's event says of its driver's book, if it says anything. */
void cash_take(struct event_turn *t, const struct ev_booking *b, enum cash_kind kind);
void on_collected(struct event_turn *t, const void *data);
void on_settled(struct event_turn *t, const void *data);
void on_reversed(struct event_turn *t, const void *data);
extern const struct schema settlement_body_schema, reversal_body_schema;
void cash_own(struct call *c);
void cash_of(struct call *c);
void cash_entries_own(struct call *c);
void cash_entries_of(struct call *c);
void cash_all(struct call *c);
void cash_settle(struct call *c);
void cash_reverse(struct call *c);

#endif
