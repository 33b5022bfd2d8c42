/* What a booking adds to the reports, as a pure function of its document. Whoever changes a booking
 * tells by its event how much that has become more (or less) by the change: so the reports only
 * add, in any order, each event once, and whatever is put right later (a refund, a rating) counts
 * for the day that it belongs to.
 *
 * A booking is asked for at one moment and ends at another. `requested` counts for the first,
 * everything else for the second, however late it comes. Any thread.
 */
#ifndef LORRY_BOOKING_FIGURES_H
#define LORRY_BOOKING_FIGURES_H

#include "services/booking/types.h"

#define FIGURES_HOUSE 2             /* of one booking: of the request, and of its end; … */
#define FIGURES_MAX 64              /* … the rest are drivers' */
#define ON_TIME_US (300 * US_PER_S) /* so much after the promised pickup is on time still */

/* What is counted. */
enum count {
    COUNT_REQUESTED,
    COUNT_DELIVERED,
    COUNT_CANCELLED,
    COUNT_EXPIRED,
    COUNT_FAILED,
    COUNT_ACCEPTED,  /* offers that a driver took, … */
    COUNT_DECLINED,  /* … did not want, … */
    COUNT_TIMED_OUT, /* … let pass */
    COUNT_ASSIGNED,
    COUNT_ASSIGN_WAIT_S, /* from the request to the first driver */
    COUNT_PICKUPS,       /* for which a time was promised, … */
    COUNT_ON_TIME,       /* … and kept */
    COUNT_REVENUE,       /* minor units: what customers were charged, fees and all */
    COUNT_FEES,          /* of them for cancelling */
    COUNT_TAX,
    COUNT_COMMISSION,
    COUNT_EARNINGS,
    COUNT_RATINGS,
    COUNT_STARS,
    COUNT_BUSY_S,      /* of drivers: from being assigned to the end */
    COUNT_DUTY_S,      /* of drivers: on duty */
    COUNT_OF_CUSTOMER, /* cancelled by the customer */
    COUNTS
};
struct counts {
    int64_t n[COUNTS];
};

/* The increments of one moment: of the house, or of a driver. */
struct figure {
    int64_t at_us;
    struct str zone;      /* of the tariff; absent: in none */
    struct str driver_id; /* absent: the house's */
    int64_t since_us;     /* he was busy (or on duty) from then until at_us; 0: does not say */
    struct counts counts;
};
extern const struct schema figure_schema; /* counts of 0 are not written */

/* Of B; NULL has none. RET has room for FIGURES_MAX, or 1 while it has not ended. */
int32_t figures_of(const struct booking *b, struct figure *ret);
/* By what NEXT says more than OLD (NULL: it is new): a JSON list, or absent where nothing is. */
struct str figures_more(const struct booking *old, const struct booking *next, struct arena *a);

/* Does the event of this timeline entry bring figures along? Where no event of a change does, it
 * has an EV_BOOKING_COUNTED of its own. */
bool figures_carried(int32_t entry_type);

/* A figure is written and read with absent members for 0. */
void counts_fill(struct counts *c);       /* absent → 0 */
void counts_strip(struct counts *c);      /* 0 → absent */
bool counts_none(const struct counts *c); /* all are 0 */
void counts_add(struct counts *to, const struct counts *from);

#endif
