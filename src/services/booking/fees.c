/* What depends on the clock: waiting at a stop, and cancelling. All by the terms that the booking
 * was made under.
 */
#include "services/booking/fees.h"

#include "base/check.h"
#include "base/timestamp.h"
#include "services/booking/price.h"

#define US_PER_MIN (60 * US_PER_S)

/* When the driver came to stop I, or 0. */
static int64_t arrived_us(const struct booking *b, int32_t i) {
    for (int32_t n = b->timeline_count - 1; n >= 0; n--) {
        const struct timeline_entry *t = &b->timeline[n];
        if (t->type == ENTRY_PROGRESSED && t->stop == i && booking_is_at_stop(t->state))
            return t->at_us;
    }
    return 0;
}

/* Since when its driver has done nothing but come to it, or 0. */
static int64_t coming_us(const struct booking *b) {
    for (int32_t n = b->timeline_count - 1; n >= 0; n--) {
        if (b->timeline[n].type == ENTRY_ASSIGNED || b->timeline[n].type == ENTRY_DRIVER_FREE)
            return b->timeline[n].at_us;
    }
    return 0;
}

int64_t fees_waiting_from(const struct booking *b, int32_t i) {
    int64_t from_us = arrived_us(b, i);
    if (i == 0 && from_us != 0 && b->pickup_window != NULL && from_us < b->pickup_window->from_us)
        from_us = b->pickup_window->from_us; /* who comes early waits for himself */
    return from_us;
}

int64_t fees_waiting_minutes(const struct booking *b, int32_t i, int64_t now_us) {
    int64_t from_us = fees_waiting_from(b, i);
    const struct stop_cash *cash = b->stops[i].cash;
    if (cash != NULL && cash->at_us != 0 && cash->at_us < now_us)
        now_us = cash->at_us; /* it was paid then: what he is asked for grows no more */
    if (b->terms.waiting_per_minute <= 0 || from_us == 0 || now_us <= from_us)
        return 0;
    int64_t minutes = (now_us - from_us + US_PER_MIN - 1) / US_PER_MIN;
    minutes = minutes < PRICE_WAITING_MIN_MAX ? minutes : PRICE_WAITING_MIN_MAX;
    return minutes > b->terms.waiting_free_minutes ? minutes - b->terms.waiting_free_minutes : 0;
}

/* Percent of what was made for later, whoever has it. */
static int64_t late_percent(const struct booking *b, int64_t now_us, int64_t *ret_free_until_us) {
    *ret_free_until_us = 0;
    if (b->pickup_window == NULL || b->terms.cancel_late_percent <= 0)
        return 0;
    int64_t until_us = b->pickup_window->from_us - b->terms.cancel_late_minutes * US_PER_MIN;
    if (now_us >= until_us)
        return b->terms.cancel_late_percent;
    *ret_free_until_us = until_us;
    return 0;
}

int64_t fees_base(const struct booking *b) {
    return b->fee_total != I64_ABSENT && b->fee_total > b->price.total ? b->fee_total
                                                                       : b->price.total;
}

/* Percent because somebody is on his way, or has come. */
static int64_t taken_percent(const struct booking *b, int64_t now_us, int64_t *ret_free_until_us) {
    const struct terms *t = &b->terms;
    int64_t percent = 0;
    *ret_free_until_us = 0;
    if (t->cancel_arrived_percent <= 0 && t->cancel_assigned_percent <= 0)
        return 0;
    if (b->state == BOOKING_ARRIVED_PICKUP) {
        percent = t->cancel_arrived_percent;
    } else if (b->state == BOOKING_ASSIGNED) {
        /* While he finishes another booking nobody is on the way: free, and for as long again. */
        bool waits = booking_waits(b);
        int64_t from_us = waits ? now_us : coming_us(b);
        int64_t until_us = from_us + t->cancel_free_minutes * US_PER_MIN;
        if (now_us < until_us)
            *ret_free_until_us = until_us;
        else if (!waits)
            percent = t->cancel_assigned_percent;
    }
    return percent;
}

/* Of two ends the first that there is, or 0. */
static int64_t first_end(int64_t a_us, int64_t b_us) {
    return a_us == 0 || (b_us != 0 && b_us < a_us) ? b_us : a_us;
}

/* Percent of the base, by the state and the clock: that a driver has taken it makes nothing free
 * that was not. */
static int64_t percent_now(const struct booking *b, int64_t now_us, int64_t *ret_free_until_us) {
    bool taken = b->state == BOOKING_ASSIGNED || b->state == BOOKING_ARRIVED_PICKUP;
    int64_t late_us = 0, taken_us = 0, late = 0, his = 0;
    if (taken || b->state == BOOKING_SCHEDULED || booking_is_searching(b->state))
        late = late_percent(b, now_us, &late_us);
    if (taken)
        his = taken_percent(b, now_us, &taken_us);
    int64_t percent = late > his ? late : his;
    *ret_free_until_us = percent > 0 ? 0 : first_end(late_us, taken_us);
    return percent;
}

bool fees_run(const struct booking *b, int64_t now_us) {
    int64_t free_until_us;
    return percent_now(b, now_us, &free_until_us) > 0;
}

int64_t fees_cancel(const struct booking *b, int64_t now_us, int64_t *ret_free_until_us) {
    int64_t percent = percent_now(b, now_us, ret_free_until_us);
    int64_t fee = percent > 0 ? price_part(fees_base(b), percent, 100) : 0;
    if (fees_moved(b) > 0)
        *ret_free_until_us = 0; /* it is free no more */
    return fee > fees_moved(b) ? fee : fees_moved(b);
}

bool fees_leave(const struct booking *b, int32_t i, int64_t now_us, struct arena *a,
                struct price *ret) {
    int64_t minutes = fees_waiting_minutes(b, i, now_us);
    *ret = b->price;
    if (minutes > 0)
        price_add(&b->price, ITEM_WAITING, minutes, minutes * b->terms.waiting_per_minute, a, ret);
    return minutes > 0;
}
