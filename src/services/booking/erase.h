/* Erasing a person from the bookings (runtime/eraser.h). */
#ifndef LORRY_BOOKING_ERASE_H
#define LORRY_BOOKING_ERASE_H

#include "runtime/eraser.h"
#include "services/booking/internal.h"

extern const struct eraser booking_eraser;
extern const struct store_collection booking_erasure_collection;
void booking_on_erased(struct event_turn *t, const void *data);

#endif
