/* A search that begins earlier than its time, because whoever is nearest has far to come. */
#ifndef LORRY_BOOKING_EARLY_H
#define LORRY_BOOKING_EARLY_H

#include "base/timestamp.h"
#include "services/booking/internal.h"

#define EARLY_LOOK_US (60 * US_PER_S) /* from one look around to the next */
#define EARLY_LOOKS_MAX 32  /* drivers' ways a look; the next bookings have the next turn */
#define EARLY_READS_MAX 256 /* bookings read for that, some of which wait for longer */
#define EARLY_PAGE_MAX 2048 /* of those whose wake-ups come first */

/* When the search for B, which waits, begins if the nearest free driver takes ETA_S to its pickup
 * (I64_ABSENT: nobody knows). Pure. */
int64_t early_search_at(const struct booking_service *s, const struct booking *b, int64_t eta_s);

/* Now and then: looks how far drivers are from what is to be fetched soon, and begins the search
 * where the usual lead would not bring one in time. On the executor's thread. */
void early_tick(struct booking_service *s, struct store *writer, int64_t now_us);

#endif
