#include "services/driver/fence.h"

#include "base/check.h"

/* Does the fix speak for a change (1), against it (-1), or neither? */
static int says(const struct fence *f, const struct fence_terms *t, double distance_m,
                double accuracy_m) {
    if (f->inside)
        return distance_m - accuracy_m >= t->leave_m ? 1 : distance_m < t->leave_m ? -1 : 0;
    return distance_m + accuracy_m <= t->enter_m ? 1 : distance_m > t->enter_m ? -1 : 0;
}

enum fence_news fence_step(struct fence *f, const struct fence_terms *t, double distance_m,
                           double accuracy_m, int64_t at_us) {
    CHECK(t->enter_m > 0 && t->leave_m > t->enter_m && t->dwell_us >= 0);
    if (accuracy_m < 0)
        accuracy_m = FENCE_ACCURACY_M;
    if (accuracy_m > FENCE_ACCURACY_M_MAX)
        return FENCE_NOTHING;
    int word = says(f, t, distance_m, accuracy_m);
    if (word < 0)
        f->since_us = 0;
    if (word <= 0)
        return FENCE_NOTHING;
    if (f->since_us == 0)
        f->since_us = at_us;
    if (at_us - f->since_us < t->dwell_us)
        return FENCE_NOTHING;
    f->inside = !f->inside;
    if (f->inside) {
        f->reached_us = f->since_us;
        f->left_us = 0;
    } else {
        f->left_us = f->since_us;
    }
    f->since_us = 0;
    return f->inside ? FENCE_REACHED : FENCE_LEFT;
}
