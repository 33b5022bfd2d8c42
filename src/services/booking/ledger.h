/* The ledger of a booking: who owes and who gets what because of it, as lines whose amounts add up
 * to zero whenever they are written. A positive amount is to the good of its account. Lines are
 * added, never changed. Pure; any thread.
 *
 *   delivered   customer −total · driver +his part · house +its commission · tax +taxes ·
 *               promo −discount, which the house bears
 *     in cash   customer +rest · driver −rest, of what was not taken before: he has taken it, and
 *               owes it to the house; unless he has confirmed what he took at the last stop
 *   collected   customer +amount · driver −amount, when he confirms what he took for the customer
 *               and for the trip; what is put right, as the difference
 *   cancelled   with a fee: customer −fee · driver +his part of it · house +the rest
 */
#ifndef LORRY_BOOKING_LEDGER_H
#define LORRY_BOOKING_LEDGER_H

#include "services/booking/types.h"

/* What was taken in cash for the trip so far, however it came to be known. */
int64_t ledger_fares(const struct booking *b);
/* B is delivered, or its goods are back: what it costs, and the cash that was taken. */
void ledger_delivered(struct booking *b, int64_t now_us, struct arena *a);
/* B is cancelled for FEE (≥ 0; 0 writes nothing). */
void ledger_cancelled(struct booking *b, int64_t fee, int64_t now_us, struct arena *a);

/* GOODS for the customer and FARE for the trip were taken in cash; less than 0 puts right. */
void ledger_collected(struct booking *b, int64_t goods, int64_t fare, int64_t now_us,
                      struct arena *a);
/* What the lines from FROM on are to the book of its driver; NULL: there are none. */
struct cash_lines *ledger_book_lines(const struct booking *b, int32_t from, struct arena *a);

/* What DRIVER and house have shared by it so far, and the driver's part. 0 until it has ended. */
int64_t ledger_gross(const struct booking *b);
int64_t ledger_earned(const struct booking *b);

#endif
