/* Other stops than before, of a booking that is under way already: drop-offs that nobody has come
 * to yet may go, come in another order, and be joined by new ones. The pickup, and each stop that
 * is done, failed, or where the driver stands, stays what and where it is, before all others.
 *
 * What is wanted is the whole list: stops that are kept by the number they have now, new ones by
 * their place. Numbers mean what they meant at one `stops_revision`, which goes up with each
 * change, and with nothing else: offers and positions change the version, but not what 2 is.
 *
 * The price is that of the whole trip as if it had been quoted so: by the version of the tariffs
 * that the booking was made under, with the night and the demand of then, and what its promo code
 * takes off; what was waited stays on top. If it is more than before, it is done only where that
 * was agreed to; if it is less once the goods are on board, the price of before stands. Nothing
 * else of the terms changes.
 */
#ifndef LORRY_BOOKING_STOPS_H
#define LORRY_BOOKING_STOPS_H

#include "services/booking/internal.h"

/* One stop of the list that is wanted: a number, or a place. */
struct stop_wish {
    int64_t index; /* I64_ABSENT: a new one */
    int32_t lat_e7, lng_e7;
    struct str address;
    struct stop_body more; /* contact, proof, cash to be taken: of a new one */
};
struct stops_body {
    struct stop_wish *stops;
    int32_t stop_count;
    int64_t revision; /* what the numbers are of */
    int64_t total;    /* what it may cost at most; I64_ABSENT: as much as it does */
    int64_t version;  /* I64_ABSENT: whatever it is */
    struct str reason;
};
extern const struct schema stops_body_schema, stops_preview_schema;

/* How many stops of B, from the first on, cannot be changed any more. */
int32_t stops_fixed(const struct booking *b);
/* Adds what is wrong with what BODY wants of B. */
void stops_check(const struct booking *b, const struct stops_body *body, struct arena *a,
                 struct field_errors *errors);
/* Does it leave all as it is? */
bool stops_same(const struct booking *b, const struct stops_body *body);
/* Where the trip goes then; RET has room for STOPS_MAX. BODY is of a kind that stops_check finds
 * nothing wrong with. */
void stops_places(const struct booking *b, const struct stops_body *body, struct place *ret);
/* What B costs with STOP_COUNT stops and so long a way, at RATE of its own tariff. In A. */
void stops_price(const struct booking *b, const struct tariff *rate, int64_t distance_m,
                 int64_t duration_s, int32_t stop_count, struct arena *a, struct price *ret);

/* What B costs with other stops, if P is the price of that way: once the goods are on board, no
 * less than now where its customer wants it. Else a trip that was driven could be made one that was
 * not. The driver's part is of it too, so what counts is what he and the house share. It is P, or
 * B's. */
const struct price *stops_agreed(const struct booking *b, unsigned hats, const struct price *p);

/* What a change needs beside its booking, gathered on the network thread. */
struct stops_facts {
    bool gathered;
    const struct booking *of; /* all of this is of the booking as it was then */
    bool offered;             /* there is a rate for its class */
    bool estimate;
    int64_t distance_m, duration_s;
    int64_t arrival_us; /* at the last stop; 0: not known. Of a preview only */
    struct price price;
    struct str polyline;
    struct field_errors outside; /* new stops that are not served, … */
    struct str outside_more;     /* … and what whoever asked is told with them */
    struct stop_secret *secrets; /* drawn by load: for each stop of the list; NULL: no PIN is asked
                                    for */
    bool drawn;
};

void handle_stops_preview(struct call *c);
void handle_stops(struct call *c);
void check_stops(struct call *c, const void *body, struct field_errors *errors);

#endif
