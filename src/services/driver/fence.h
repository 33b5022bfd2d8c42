/* A geofence: a circle around a stop, and whether the driver is in it, by his fixes in the order of
 * the time at which they were measured (a batch that comes an hour late counts as of that hour).
 *
 * It never flaps. One comes in at a smaller radius than one goes out; a fix speaks only when its
 * whole circle of accuracy does (so one that may be anywhere says nothing); and what it says must
 * last: a fix that begins a change and fixes that agree with it for DWELL_US, with none between
 * that clearly contradicts. When it has lasted, the change counts from the fix that began it. Pure.
 */
#ifndef LORRY_DRIVER_FENCE_H
#define LORRY_DRIVER_FENCE_H

#include <stdbool.h>
#include <stdint.h>

#define FENCE_ACCURACY_M 30.0      /* of fixes that do not tell theirs */
#define FENCE_ACCURACY_M_MAX 200.0 /* worse ones are passed over */
#define FENCE_DWELL_US (INT64_C(20) * 1000000)

struct fence_terms {
    double enter_m, leave_m; /* enter_m < leave_m */
    int64_t dwell_us;
};
struct fence {
    bool inside;
    int64_t since_us;   /* of the fix that began a change; 0: none is under way */
    int64_t reached_us; /* when he last came in; 0: never */
    int64_t left_us;    /* when he last went out after that; 0: not yet */
};
enum fence_news { FENCE_NOTHING, FENCE_REACHED, FENCE_LEFT };

/* A fix of AT_US, later than those before it, so far from the stop. ACCURACY_M < 0: not known. */
enum fence_news fence_step(struct fence *f, const struct fence_terms *t, double distance_m,
                           double accuracy_m, int64_t at_us);

#endif
