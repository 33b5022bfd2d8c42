/* What waiting and cancelling cost, by a booking's own terms. Pure; any thread. */
#ifndef LORRY_BOOKING_FEES_H
#define LORRY_BOOKING_FEES_H

#include "services/booking/types.h"

/* Since when waiting at stop I counts, or 0: its driver is not there yet. */
int64_t fees_waiting_from(const struct booking *b, int32_t i);
/* Minutes to be paid for at stop I, whose driver leaves it at NOW: those begun beyond the free
 * ones. */
int64_t fees_waiting_minutes(const struct booking *b, int32_t i, int64_t now_us);
/* What a fee for cancelling is a part of: the price, or what it was while a fee was due already. */
int64_t fees_base(const struct booking *b);
/* Does cancelling cost something at NOW, by its state and the clock alone? */
bool fees_run(const struct booking *b, int64_t now_us);
/* What cancelling cost already when its customer chose another time: another time avoids no fee. */
static inline int64_t fees_moved(const struct booking *b) {
    return b->fee_moved != I64_ABSENT ? b->fee_moved : 0;
}
/* What a customer pays who cancels at NOW, in minor units. *RET_FREE_UNTIL_US: until when it would
 * cost nothing, where that is a matter of time; else 0. */
int64_t fees_cancel(const struct booking *b, int64_t now_us, int64_t *ret_free_until_us);

/* The price once the driver leaves stop I at NOW, with what he has waited there; in A. False: it is
 * as it was. */
bool fees_leave(const struct booking *b, int32_t i, int64_t now_us, struct arena *a,
                struct price *ret);

#endif
