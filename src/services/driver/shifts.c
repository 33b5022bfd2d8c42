/* Each shift of the week becomes a few stretches of real time about now, which are sorted and
 * joined. A clock that is put forward or back makes a shift an hour shorter or longer, as it does
 * for whoever works it.
 */
#include "services/driver/shifts.h"

#include "base/timestamp.h"

#include <stdlib.h>

#define WEEK_MINUTES 10080
#define DAY_MINUTES 1440
#define DAYS_AHEAD 8 /* yesterday's may still be under way; a week ahead comes what is weekly */
#define SHIFT_SPANS_MAX (SHIFTS_MAX * 2)

/* Minutes since midnight of "08:30"; "24:00" only where it ENDS. -1: it is no time. */
static int32_t minutes_of(struct str s, bool ends) {
    return ends && str_is(s, "24:00") ? DAY_MINUTES : clock_minutes(s);
}

/* Minutes of the shift, over midnight if it ends before it begins. */
static int32_t length_of(int32_t from, int32_t to) {
    return to > from ? to - from : to + DAY_MINUTES - from;
}

static bool meet(const struct shift *a, const struct shift *b) {
    int32_t a_from = minutes_of(a->from, false), b_from = minutes_of(b->from, false);
    int32_t a_len = length_of(a_from, minutes_of(a->to, true));
    int32_t b_len = length_of(b_from, minutes_of(b->to, true));
    int32_t apart = (b->day * DAY_MINUTES + b_from) - (a->day * DAY_MINUTES + a_from);
    apart = (apart + WEEK_MINUTES) % WEEK_MINUTES; /* from A's beginning on to B's */
    return apart < a_len || apart + b_len > WEEK_MINUTES;
}

static bool check_times(const struct shift *s, int32_t at, struct arena *a,
                        struct field_errors *errors) {
    int before = errors->count;
    if (s->from.p != NULL && minutes_of(s->from, false) < 0)
        field_errors_add(errors, a, arena_printf(a, "/shifts/%d/from", at),
                         "must be a time such as 08:00");
    if (s->to.p != NULL && minutes_of(s->to, true) < 0)
        field_errors_add(errors, a, arena_printf(a, "/shifts/%d/to", at),
                         "must be a time such as 17:00");
    if (s->from.p != NULL && str_eq(s->from, s->to))
        field_errors_add(errors, a, arena_printf(a, "/shifts/%d/to", at),
                         "must differ from the beginning");
    return errors->count == before && s->from.p != NULL && s->to.p != NULL && s->day > 0;
}

void shifts_check(const struct shift *shifts, int32_t count, struct arena *a,
                  struct field_errors *errors) {
    bool sound[SHIFTS_MAX];
    for (int32_t i = 0; i < count && i < SHIFTS_MAX; i++) {
        sound[i] = check_times(&shifts[i], i, a, errors);
        for (int32_t j = 0; sound[i] && j < i; j++) {
            if (sound[j] && meet(&shifts[i], &shifts[j])) {
                field_errors_add(errors, a, arena_printf(a, "/shifts/%d", i),
                                 "overlaps with shift %d", j);
                break;
            }
        }
    }
}

/* ---- real time ---- */

/* When the clock in ZONE shows MINUTES after midnight of the day DAYS (since 1970). */
static int64_t wall_us(const struct zone *zone, int64_t days, int32_t minutes) {
    return zone_moment_us(zone, (days * DAY_MINUTES + minutes) * 60);
}

static int by_begin(const void *left, const void *right) {
    const struct shift_span *a = left, *b = right;
    return a->begin_us < b->begin_us ? -1 : a->begin_us > b->begin_us;
}

/* Those about AFTER_US, in order; returns how many. ROOM is for SHIFT_SPANS_MAX. */
static int32_t spans_about(const struct shift *shifts, int32_t count, const struct zone *zone,
                           int64_t after_us, struct shift_span *ret) {
    struct zone_time local;
    int32_t found = 0;
    zone_local(zone, after_us, &local);
    int64_t today = date_days(local.year, local.month, local.day);
    for (int64_t days = today - 1; days < today + DAYS_AHEAD; days++) {
        int32_t day = (int32_t)((days + 3) % 7) + 1; /* 1970-01-01 was a Thursday; 1 is Monday */
        for (int32_t i = 0; i < count && found < SHIFT_SPANS_MAX; i++) {
            int32_t from = minutes_of(shifts[i].from, false), to = minutes_of(shifts[i].to, true);
            if (shifts[i].day != day || from < 0 || to < 0)
                continue;
            ret[found++] = (struct shift_span){wall_us(zone, days, from),
                                               wall_us(zone, to > from ? days : days + 1, to)};
        }
    }
    qsort(ret, (size_t)found, sizeof(*ret), by_begin);
    return found;
}

struct shift_span shifts_span(const struct shift *shifts, int32_t count, const struct zone *zone,
                              int64_t after_us) {
    struct shift_span spans[SHIFT_SPANS_MAX], whole = {0, 0};
    int32_t found = count > 0 ? spans_about(shifts, count, zone, after_us, spans) : 0;
    for (int32_t i = 0; i < found; i++) {
        bool goes_on = whole.end_us != 0 && spans[i].begin_us <= whole.end_us;
        if (whole.end_us > after_us && !goes_on)
            break;
        if (!goes_on)
            whole = spans[i];
        else if (spans[i].end_us > whole.end_us)
            whole.end_us = spans[i].end_us;
    }
    return whole.end_us > after_us ? whole : (struct shift_span){0, 0};
}

int64_t shifts_remind_at(const struct shift *shifts, int32_t count, const struct zone *zone,
                         int64_t now_us) {
    struct shift_span span = shifts_span(shifts, count, zone, now_us);
    if (span.end_us != 0 && span.begin_us - SHIFT_REMIND_US <= now_us)
        span = shifts_span(shifts, count, zone, span.end_us);
    int64_t at_us = span.begin_us - SHIFT_REMIND_US;
    return span.end_us != 0 && at_us > now_us ? at_us : 0;
}
