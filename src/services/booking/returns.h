/* The way back: what cannot be delivered goes to where it came from, where that was agreed.
 *
 * A drop-off that fails keeps its goods in the vehicle. While other drop-offs remain the trip goes
 * on with them; after the last, a stop of kind `return` is added behind all others: the pickup's
 * place and contact, with the proof that was asked for where it failed (without PINs, which were
 * for those who were to get the goods) and always the name of who takes them back. It costs what
 * price_return() says of the way from that last drop-off, by the terms of the booking, and what was
 * waited at each stop, the failed ones too. Once it is done the booking is `returned`, and all of
 * it is paid.
 *
 * Goods end in one of these ways: delivered; returned; never picked up (cancelled, expired, or
 * failed at the pickup). The office may end a booking anywhere, and has the goods to look after
 * then.
 */
#ifndef LORRY_BOOKING_RETURNS_H
#define LORRY_BOOKING_RETURNS_H

#include "services/booking/internal.h"

/* Facts of a status that may begin the way back: how far it is, between which places. */
struct way_back {
    struct point from, to;
    int64_t distance_m, duration_s;
};

/* Asked for on the network thread; NULL: STATUS of B begins none. Lives in A. */
struct way_back *returns_way(const struct booking_service *s, const struct booking *b,
                             int32_t status, struct arena *a);
/* Is WAY that of B, whose next stop is the last before it? */
bool returns_fits(const struct booking *b, const struct way_back *way);
/* Adds the stop and its price. */
void returns_begin(struct edit *e, const struct way_back *way);

#endif
