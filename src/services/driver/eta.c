#include "services/driver/eta.h"

#include <math.h>

int64_t eta_smoothed(int64_t old_us, int64_t old_seen_us, int64_t raw_us, int64_t seen_us) {
    int64_t off_us = raw_us - old_us, passed_us = seen_us - old_seen_us;
    if (old_us == 0 || off_us > ETA_JUMP_US || off_us < -ETA_JUMP_US)
        return raw_us;
    if (passed_us <= 0)
        return old_us;
    return old_us + llround((1 - exp(-(double)passed_us / ETA_TAU_US)) * (double)off_us);
}

struct eta_shown eta_show(int64_t eta_us, int64_t now_us) {
    int64_t left_us = eta_us > now_us ? eta_us - now_us : 0;
    int64_t spread_us = left_us / 100 * ETA_SPREAD_PERCENT;
    spread_us = spread_us > ETA_SPREAD_US ? spread_us : ETA_SPREAD_US;
    int64_t early_us = eta_us - spread_us, late_us = eta_us + spread_us + ETA_WINDOW_US - 1;
    return (struct eta_shown){eta_us, early_us - early_us % ETA_WINDOW_US,
                              late_us - late_us % ETA_WINDOW_US};
}

bool eta_is_news(const struct eta_shown *shown, int64_t eta_us) {
    int64_t off_us = eta_us - shown->at_us;
    return shown->at_us == 0 || off_us >= ETA_STEP_US || off_us <= -ETA_STEP_US ||
           eta_us < shown->early_us || eta_us > shown->late_us;
}
