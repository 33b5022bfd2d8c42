/* On which days something recurs, and which of them are due. Pure; any thread.
 *
 * A day is days since 1970-01-01 of the calendar, on the clock of the area. A rule says which days
 * of the week, of every week or of every so many (counted from the week of its first day, weeks
 * beginning on Monday), and when on them: a time of that day's clock, whatever the clock does. */
#ifndef LORRY_BOOKING_RECURRENCE_RULE_H
#define LORRY_BOOKING_RECURRENCE_RULE_H

#include "base/zone.h"
#include "services/booking/types.h"

#define RECURRENCE_WEEKS_MAX 8
#define RECURRENCE_STEP_MAX 8 /* occurrences that are looked at at once */

struct recurrence_rule {
    uint32_t weekdays; /* 1 << weekday; 0: Sunday */
    int64_t every_weeks;
    int32_t from_min, to_min;    /* of the day; to ≤ from: of the next one */
    int64_t first_day, last_day; /* last: I64_ABSENT: for ever */
};

/* Minutes from FROM to TO, which is on the next day if it is not after it. */
int32_t rule_length_min(int32_t from_min, int32_t to_min);
bool rule_falls_on(const struct recurrence_rule *r, int64_t day);
/* Its first day after AFTER, or I64_ABSENT. */
int64_t rule_next(const struct recurrence_rule *r, int64_t after);
/* The N-th of its days after AFTER (N ≥ 1), or I64_ABSENT. */
int64_t rule_nth(const struct recurrence_rule *r, int64_t after, int64_t n);
/* From when to when on DAY. Both ends are what the clock on the wall shows then; where it is
 * changed between them, the window is still one that may be booked (schedule.h). */
struct window rule_window(const struct recurrence_rule *r, int64_t day, const struct zone *z);

/* What has been seen to: every day up to THROUGH, and those of SETTLED. */
struct rule_progress {
    int64_t through;
    const int64_t *settled;
    int32_t settled_count;
};
struct rule_due {
    int64_t days[RECURRENCE_STEP_MAX];
    int32_t count;
    bool more;       /* are due */
    int64_t next_us; /* when the first after these is; 0: there is none any more */
};
/* Which are due at NOW_US: those whose window begins at most AHEAD_US later, or has begun already,
 * and that nobody has seen to, the oldest first. */
void rule_due(const struct recurrence_rule *r, const struct rule_progress *done,
              const struct zone *z, int64_t now_us, int64_t ahead_us, struct rule_due *ret);

#endif
