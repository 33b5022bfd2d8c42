/* A rule's days are found one by one: of a week at least one counts, so within RECURRENCE_WEEKS_MAX
 * weeks there is a next one, or none. */
#include "services/booking/recurrence_rule.h"

#include "base/check.h"
#include "services/booking/schedule.h"

#define DAY_MIN (24 * 60)
#define DAY_S INT64_C(86400)
#define MONDAY 4 /* 1970-01-05 */

/* Weeks since the one of 1970-01-05. */
static int64_t week_of(int64_t day) {
    int64_t since = day - MONDAY;
    return (since >= 0 ? since : since - 6) / 7;
}

int32_t rule_length_min(int32_t from_min, int32_t to_min) {
    return to_min > from_min ? to_min - from_min : to_min + DAY_MIN - from_min;
}

bool rule_falls_on(const struct recurrence_rule *r, int64_t day) {
    int64_t weekday = ((day + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    CHECK(r->every_weeks >= 1 && r->every_weeks <= RECURRENCE_WEEKS_MAX);
    if (day < r->first_day || (r->last_day != I64_ABSENT && day > r->last_day))
        return false;
    return (r->weekdays & 1u << weekday) != 0 &&
           (week_of(day) - week_of(r->first_day)) % r->every_weeks == 0;
}

int64_t rule_next(const struct recurrence_rule *r, int64_t after) {
    int64_t day = after < r->first_day ? r->first_day : after + 1;
    for (int32_t i = 0; i < 7 * (RECURRENCE_WEEKS_MAX + 1); i++, day++) {
        if (rule_falls_on(r, day))
            return day;
    }
    return I64_ABSENT;
}

int64_t rule_nth(const struct recurrence_rule *r, int64_t after, int64_t n) {
    int64_t day = rule_next(r, after);
    for (int64_t i = 1; i < n && day != I64_ABSENT; i++)
        day = rule_next(r, day);
    return day;
}

struct window rule_window(const struct recurrence_rule *r, int64_t day, const struct zone *z) {
    int32_t to_min = r->from_min + rule_length_min(r->from_min, r->to_min);
    struct window w = {zone_moment_us(z, day * DAY_S + (int64_t)r->from_min * 60),
                       zone_moment_us(z, day * DAY_S + (int64_t)to_min * 60)};
    if (w.to_us - w.from_us < PICKUP_WINDOW_MIN_US)
        w.to_us = w.from_us + PICKUP_WINDOW_MIN_US;
    if (w.to_us - w.from_us > PICKUP_WINDOW_MAX_US)
        w.to_us = w.from_us + PICKUP_WINDOW_MAX_US;
    return w;
}

static bool is_settled(const struct rule_progress *done, int64_t day) {
    for (int32_t i = 0; i < done->settled_count; i++) {
        if (done->settled[i] == day)
            return true;
    }
    return false;
}

void rule_due(const struct recurrence_rule *r, const struct rule_progress *done,
              const struct zone *z, int64_t now_us, int64_t ahead_us, struct rule_due *ret) {
    *ret = (struct rule_due){.count = 0};
    for (int64_t day = rule_next(r, done->through); day != I64_ABSENT; day = rule_next(r, day)) {
        if (is_settled(done, day))
            continue;
        int64_t due_us = rule_window(r, day, z).from_us - ahead_us;
        ret->more = due_us <= now_us && ret->count == RECURRENCE_STEP_MAX;
        if (due_us > now_us || ret->more) {
            ret->next_us = ret->more ? now_us : due_us;
            return;
        }
        ret->days[ret->count++] = day;
    }
}
