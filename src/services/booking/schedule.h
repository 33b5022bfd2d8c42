/* Pickups for later: when they may be, and when a driver is looked for. Pure; any thread. */
#ifndef LORRY_BOOKING_SCHEDULE_H
#define LORRY_BOOKING_SCHEDULE_H

#include "base/timestamp.h"
#include "services/booking/internal.h"

#define PICKUP_WINDOW_MIN_US (INT64_C(15) * 60 * US_PER_S)
#define PICKUP_WINDOW_MAX_US (INT64_C(12) * 3600 * US_PER_S)
#define SCHEDULE_LEAD_US (INT64_C(15) * 60 * US_PER_S)
#define SCHEDULE_LEAD_MAX_US (INT64_C(3600) * US_PER_S)
#define SCHEDULE_REMIND_US (INT64_C(2) * 3600 * US_PER_S)
#define SCHEDULE_DAYS_MAX 30

/* May goods be fetched in W, asked at NOW_US? What is wrong is added to ERRORS below POINTER. */
void schedule_check(const struct booking_service *s, const struct window *w, int64_t now_us,
                    const char *pointer, struct arena *a, struct field_errors *errors);
/* Is it still so long until W that nobody is looked for? Always of the same mind as
 * schedule_set. */
bool schedule_waits(const struct booking_service *s, const struct window *w, int64_t now_us);
/* Gives B, which is made or changed at NOW_US, the window W, with the moments that follow from
 * it. */
void schedule_set(const struct booking_service *s, struct booking *b, const struct window *w,
                  int64_t now_us, struct arena *a);
/* Its time has come, or part of it: the move of a booking that is scheduled. */
void schedule_wake(struct edit *e);
/* From now on a driver is looked for. */
void schedule_begin(struct edit *e);

#endif
