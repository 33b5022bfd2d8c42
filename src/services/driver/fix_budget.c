/* How many fixes a driver may have stored in an hour: whoever registers as a driver could otherwise
 * fill the disk with his trail. A batch is charged whole before it goes to the executor, so that of
 * several on their way at once none goes over; what of it was not stored after all (it was there
 * already, or the store refused it) is given back at its end. So to send again costs nothing, as
 * long as there is room for it.
 *
 * The counter lives in the cache, where it may be lost: then the hour begins anew.
 */
#include "base/timestamp.h"
#include "services/driver/service_internal.h"

#define BUDGET_WINDOW_US (INT64_C(3600) * US_PER_S)

static bool add(struct driver_service *s, struct str driver_id, int64_t n, int64_t now_us,
                struct arena *a, int64_t *ret_value, int64_t *ret_until_us) {
    struct cache *cache = s->o.cache;
    struct str key = arena_printf(a, "fixes:%.*s", STR_ARG(driver_id));
    return cache->ops->add(cache, key, n, BUDGET_WINDOW_US, now_us, ret_value, ret_until_us) == 0;
}

int32_t fix_budget_take(struct driver_service *s, struct str driver_id, int32_t count,
                        int64_t now_us, struct arena *a) {
    int64_t value, until_us;
    if (s->o.fixes_per_hour_max == 0 || count == 0 ||
        !add(s, driver_id, count, now_us, a, &value, &until_us) || value <= s->o.fixes_per_hour_max)
        return 0;
    fix_budget_return(s, driver_id, count, now_us, a); /* fewer may still have room */
    int64_t wait_s = (until_us - now_us + US_PER_S - 1) / US_PER_S;
    return wait_s < 1 ? 1 : (int32_t)wait_s;
}

void fix_budget_return(struct driver_service *s, struct str driver_id, int32_t count,
                       int64_t now_us, struct arena *a) {
    int64_t value, until_us;
    if (s->o.fixes_per_hour_max == 0 || count == 0 ||
        !add(s, driver_id, -count, now_us, a, &value, &until_us) || value >= 0)
        return;
    /* The hour has ended meanwhile, and a new one must not begin with a credit. */
    add(s, driver_id, -value, now_us, a, &value, &until_us);
}
