/* The ledger of a booking: who owes and who gets what because of it, as lines whose amounts add up
 * to zero whenever they are written. A positive amount is to the good of its account. Lines are
 * added, never changed. Pure; any thread.
 *
 *   delivered   customer −total · driver +his part · house +its commission · tax +taxes ·
 *               promo −discount, which the house bears
 *     in cash   customer +total · driver −total: he has taken it, and owes it to the house
 *   cancelled   with a fee: customer −fee · driver +his part of it · house +the rest
 */
#ifndef LORRY_BOOKING_LEDGER_H
#define LORRY_BOOKING_LEDGER_H

#include "services/booking/types.h"

/* B is delivered: what it costs, and the cash that was taken. */
void ledger_delivered(struct booking *b, int64_t now_us, struct arena *a);
/* B is cancelled for FEE (≥ 0; 0 writes nothing). */
void ledger_cancelled(struct booking *b, int64_t fee, int64_t now_us, struct arena *a);

/* What DRIVER and house have shared by it so far, and the driver's part. 0 until it has ended. */
int64_t ledger_gross(const struct booking *b);
int64_t ledger_earned(const struct booking *b);

#endif
