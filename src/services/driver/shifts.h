/* Shifts: when a driver works, week by week, by the clock on the wall of the area. Pure; a zone is
 * the service's. Any thread.
 */
#ifndef LORRY_DRIVER_SHIFTS_H
#define LORRY_DRIVER_SHIFTS_H

#include "base/zone.h"
#include "services/driver/types.h"

#define SHIFT_EARLY_US (INT64_C(15) * 60 * 1000000)  /* so long before it he may begin */
#define SHIFT_REMIND_US (INT64_C(30) * 60 * 1000000) /* so long before it he is reminded */

/* What a schema cannot say: times that are none, shifts that overlap. Pointers are below
 * "/shifts". */
void shifts_check(const struct shift *shifts, int32_t count, struct arena *a,
                  struct field_errors *errors);

/* A stretch of work: shifts that follow each other without a break are one. Both 0: there is none
 * (within SHIFTS_DAYS_AHEAD). */
struct shift_span {
    int64_t begin_us, end_us;
};
/* The first stretch that ends after AFTER_US: the one under way, or the next. */
struct shift_span shifts_span(const struct shift *shifts, int32_t count, const struct zone *zone,
                              int64_t after_us);
/* The next moment after NOW_US to remind of a stretch, 0: never. */
int64_t shifts_remind_at(const struct shift *shifts, int32_t count, const struct zone *zone,
                         int64_t now_us);

#endif
