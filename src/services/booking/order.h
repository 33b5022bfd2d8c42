/* What an import or a recurrence wants booked. It is priced as any quote is, where its import or
 * recurrence is loaded; that document's decision writes the event `booking.ordered` together with
 * its own note of it, and the booking is made of the event. The booking's id follows from the
 * document's id and the row or day, so however often the event comes, or the decision is tried
 * again, there is one booking; and since the event lies in the outbox of the same commit, it is
 * never lost.
 *
 * Whether it may be booked is decided before the event is written. Making the booking does not ask
 * whether the quote has run out meanwhile. But several documents at once may have thought that
 * there is room for one more: what is too many by then is made as cancelled, and says why. And of
 * who was erased meanwhile nothing is made.
 */
#ifndef LORRY_BOOKING_ORDER_H
#define LORRY_BOOKING_ORDER_H

#include "services/booking/internal.h"

struct order_stop {
    struct place place; /* its fields stand beside the contact */
    struct contact *contact;
    struct str note;
};
struct order {
    struct order_stop *stops;
    int32_t stop_count;
    int32_t vehicle, payment;
    struct window *pickup_window; /* NULL: as soon as can be */
    struct goods *goods;
    int32_t goods_count;
    struct str notes, reference;
};
/* S_IN: a row of an import. S_STORE: what is kept of it. */
extern const struct schema order_schema, order_stop_schema;

/* What the schema cannot say: windows, goods. */
void order_check(const struct booking_service *s, const struct order *o, int64_t now_us,
                 struct arena *a, struct field_errors *errors);
/* Whose it is, and of which document (absent: of none yet). */
struct order_owner {
    struct str customer_id;
    int32_t role; /* enum role, when he made it */
    struct str made_by;
};
/* Its price, for OWNER at NOW_US. NULL: ERRORS says why. Any thread. */
struct quote_set *order_price(struct booking_service *s, const struct order *o,
                              const struct order_owner *owner, int64_t now_us, struct arena *a,
                              struct field_errors *errors);
/* The id of the booking that MADE_BY wants for NUMBER (a row, a day). AT_US: the time in the id. */
struct str order_booking_id(struct str made_by, int64_t number, int64_t at_us, struct arena *a);
/* Writes the event. SET is of order_price. */
void order_send(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                struct str booking_id, const struct quote_set *set);
/* How many more bookings WHO's account may have open, at most MAX. */
int order_room(struct booking_service *s, struct store *store, struct str user_id, int32_t role,
               int32_t max, int32_t *ret_room);

void on_ordered(struct event_turn *t, const void *data); /* struct quote_set */

#endif
