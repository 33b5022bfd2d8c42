/* When a driver will be there, so that people can live with it.
 *
 * Each look at where he is gives an arrival A (the fix's time and the way's duration by road). What
 * is believed is an exponential moving average for looks at unequal distances in time (D. J.
 * Wright, "Forecasting data published at irregular time intervals using an extension of Holt's
 * method", Management Science 32(4), 1986; without the trend):
 *
 *     E ← E + (1 − exp(−Δt / τ)) · (A − E)        τ = ETA_TAU_US
 *
 * with Δt since the look before. A jump of more than ETA_JUMP_US (another way, a long stand) is
 * taken over at once. What is shown follows with hysteresis: only when it is off by ETA_STEP_US, or
 * outside the window that was shown with it. Pure.
 */
#ifndef LORRY_DRIVER_ETA_H
#define LORRY_DRIVER_ETA_H

#include <stdbool.h>
#include <stdint.h>

#define ETA_TAU_US (INT64_C(45) * 1000000)
#define ETA_JUMP_US (INT64_C(300) * 1000000)
#define ETA_STEP_US (INT64_C(60) * 1000000)
#define ETA_STAND_US (INT64_C(180) * 1000000)  /* how long a stop takes, until it has */
#define ETA_WINDOW_US (INT64_C(300) * 1000000) /* windows begin and end at whole ones */
#define ETA_SPREAD_US (INT64_C(120) * 1000000) /* half a window, at least … */
#define ETA_SPREAD_PERCENT 15                  /* … and of the time that is left */

/* OLD_US 0: nothing is believed yet. */
int64_t eta_smoothed(int64_t old_us, int64_t old_seen_us, int64_t raw_us, int64_t seen_us);

/* What is shown of one stop. All 0: nothing. */
struct eta_shown {
    int64_t at_us, early_us, late_us;
};
struct eta_shown eta_show(int64_t eta_us, int64_t now_us);
/* Is ETA_US so far from what is shown that it is to be shown? */
bool eta_is_news(const struct eta_shown *shown, int64_t eta_us);

#endif
