/* Recurrences: a trip that is to be made again and again, on days of the week, between two times of
 * the area's clock.
 *
 * A recurrence is one document, and its own work list, as an import is. Its wake-up comes when the
 * next occurrence is RECURRENCE_DAYS away (an option): then that one is priced as a quote is
 * priced, by the tariff of its time, and in one commit the document notes what became of it and
 * writes the event that its booking is made of (order.h). The booking's id follows from the
 * recurrence's and the day. So each occurrence is booked once, whatever fails, and by whichever
 * process; and a process that was away when the time came does it when it is back.
 *
 *   active ⇄ paused → ended     ended: by its customer, or after its last day; paused: also where
 *                               its customer's account is disabled, until he says that it goes on
 *
 * What cannot be booked (outside the area, no tariff, too many open bookings, its time has gone by)
 * is noted with the reason and told; the next one is tried all the same. What is dearer than its
 * customer allows is held: he is asked, and it is booked when he says up to which price, before its
 * time. So can be what failed. What is changed holds for what is not booked yet; bookings that are
 * made are bookings like any other.
 *
 * Bounded: RECURRENCES_MAX of one account that have not ended, RECURRENCE_STEP_MAX occurrences a
 * step, OCCURRENCES_MAX kept, SKIPS_MAX days skipped ahead; one that has ended is kept for
 * RECURRENCES_KEPT_US.
 */
#ifndef LORRY_BOOKING_RECURRENCE_H
#define LORRY_BOOKING_RECURRENCE_H

#include "base/timestamp.h"
#include "services/booking/import.h"
#include "services/booking/recurrence_rule.h"

#define RECURRENCES_MAX 20
#define RECURRENCE_DAYS 7
#define RECURRENCE_DAYS_MAX 30
#define RECURRENCE_NAME_CHARS_MAX 60
#define RECURRENCE_TIMES_MAX 500
#define RECURRENCE_START_DAYS_MAX 366 /* ahead */
#define OCCURRENCES_MAX 64            /* kept; more than may be ahead of now, and a step of them */
#define SKIPS_MAX 60
#define RECURRENCES_KEPT_US (30 * US_PER_DAY)
_Static_assert(OCCURRENCES_MAX > RECURRENCE_DAYS_MAX + 2 + RECURRENCE_STEP_MAX, "none is lost");

enum recurrence_state { RECURRENCE_NONE, RECURRENCE_ACTIVE, RECURRENCE_PAUSED, RECURRENCE_ENDED };
extern const char *const recurrence_state_names[];
enum occurrence_state {
    OCCURRENCE_NONE,
    OCCURRENCE_BOOKED,
    OCCURRENCE_FAILED,
    OCCURRENCE_HELD, /* its customer is asked */
    OCCURRENCE_SKIPPED,
    OCCURRENCE_STATE_COUNT
};
_Static_assert(OCCURRENCE_STATE_COUNT <= COUNT_OF(((struct booking_service *)0)->occurrences),
               "counted");
extern const char *const occurrence_state_names[];
/* Why it is paused, where nobody said so. */
enum pause_reason { PAUSE_NONE, PAUSE_ACCOUNT_DISABLED };
extern const char *const pause_reason_names[];
/* Why one could not be booked. */
enum occurrence_reason {
    REASON_NONE,
    REASON_OUTSIDE_AREA,
    REASON_NO_TARIFF,
    REASON_GOODS,
    REASON_TOO_DEAR,
    REASON_TOO_MANY_OPEN,
    REASON_TOO_LATE,
    REASON_OTHER
};
extern const char *const occurrence_reason_names[];

struct occurrence {
    struct str date;
    int32_t state;
    int64_t from_us, to_us;
    struct str booking_id; /* BOOKED */
    int64_t total;         /* I64_ABSENT: no price */
    int32_t reason;        /* FAILED, HELD: enum occurrence_reason … */
    struct row_error *errors;
    int32_t error_count;
};
struct recurrence {
    struct aggregate_head head;
    struct str owner_id;
    int32_t role; /* enum role, of its owner when he made it */
    int32_t state;
    struct str name;     /* may be absent */
    struct order *order; /* without a window */
    struct str *weekdays;
    int32_t weekday_count;
    int64_t every_weeks;
    struct str pickup_from, pickup_to; /* "08:00" */
    struct str starts_on, ends_on;     /* "2026-12-07"; ends_on absent: never */
    int64_t price_max;                 /* I64_ABSENT: as it is */
    struct str currency;               /* of the totals; absent: nothing was priced yet */
    struct str through;                /* every day up to this one has been seen to */
    struct str *skips;                 /* dates to be passed over, the earliest first */
    int32_t skip_count;
    struct occurrence *occurrences; /* that were seen to, by date: all after THROUGH, and the last
                                       of those before */
    int32_t occurrence_count;
    int64_t created_at_us, updated_at_us, ended_at_us;
    int64_t next_us;    /* its next wake-up; 0: none */
    int64_t vouched_us; /* when its owner last said himself that it goes on; 0: when he made it */
    int32_t stopped;    /* enum pause_reason: it is paused, and not because somebody said so */
};
extern const struct schema recurrence_schema;
extern const struct aggregate recurrence_aggregate;
extern const struct store_collection recurrence_collection;
extern const struct command_type recurrence_wake;
extern const struct command_type recurrence_stop; /* its owner's account is disabled */

/* What the clock of the area shows. */
struct wall {
    int64_t day;
    int32_t minute; /* of the day */
};
struct clock_pair {
    struct str from, to;
};
struct recurrence_body { /* of POST, and of PATCH: what is absent stays */
    struct str name;
    struct order order; /* without a window and a reference */
    struct str *weekdays;
    int32_t weekday_count;
    int64_t every_weeks;
    struct clock_pair *pickup;
    struct str starts_on, ends_on;
    int64_t times;
    int64_t price_max;  /* PATCH: 0: none any more */
    int32_t open_ended; /* enum tri; PATCH: true: it ends never */
    int32_t paused;     /* enum tri; PATCH */
};
struct recurrence_args {
    struct recurrence_body body; /* first */
    struct wall now;
    struct field_errors errors; /* what is in its way as of now */
};
struct skip_body {
    struct str date;
};
struct skip_args {
    struct str date;
    bool undo;
    struct wall now;
};
struct occurrence_body { /* of …/book */
    struct str date;
    int64_t total; /* what it may cost at most; I64_ABSENT: as of any other day */
};
extern const struct schema recurrence_body_schema, recurrence_patch_schema, skip_body_schema,
    occurrence_body_schema;
/* The commands of people. */
extern const struct command_type recurrence_begin, recurrence_change, recurrence_end,
    recurrence_skip, recurrence_book;

/* "2026-12-07" as a day, or I64_ABSENT; and back. */
int64_t date_day(struct str date);
struct str day_date(int64_t day, struct arena *a);
struct recurrence_rule recurrence_rule_of(const struct recurrence *r);
/* The last day whose occurrence would have begun by NOW. */
int64_t recurrence_gone(const struct recurrence_rule *rule, struct wall now);
static inline int64_t recurrence_vouched(const struct recurrence *r) {
    return r->vouched_us != 0 ? r->vouched_us : r->created_at_us;
}
bool recurrence_visible(const struct recurrence *r, const struct identity *who);
void recurrence_write(struct jw *w, const struct recurrence *r);
struct str recurrence_view(const struct recurrence *r, struct arena *a);
/* Of a change: whoever it is of is told, and the answer is the new view. */
void recurrence_tell(const struct command *cmd, const struct decide_ctx *ctx,
                     const struct recurrence *r, struct decision *ret);
void recurrence_answer(const struct command *cmd, const struct decide_ctx *ctx,
                       const struct recurrence *r, int status, struct decision *ret);
/* True when OLD is there for whoever asks and has not ended; else RET has the problem. */
bool recurrence_at_hand(const struct recurrence *old, const struct command *cmd, const char *wanted,
                        struct decision *ret);
void recurrence_refuse_date(const struct command *cmd, struct str why, struct decision *ret);
/* What follows a change: it is told, noted if staff did it, and the answer is the new view. */
void recurrence_finish(const struct command *cmd, const struct decide_ctx *ctx, const char *action,
                       const struct recurrence *old, struct recurrence *r, struct decision *ret);
/* It is paused: nobody is asked for what is held, which is seen to anew when it goes on. R is of
 * recurrence_edit. */
void recurrence_rest(struct recurrence *r, int64_t now_us, struct arena *a);
/* A copy to be changed, as the new state. */
struct recurrence *recurrence_edit(const struct command *cmd, const struct decide_ctx *ctx,
                                   const struct recurrence *old, struct decision *ret);
/* -1: DATE is not among them. */
int32_t recurrence_occurrence(const struct recurrence *r, struct str date);
int32_t recurrence_skipped(const struct recurrence *r, struct str date);

void handle_recurrence(struct call *c);
void check_recurrence(struct call *c, const void *body, struct field_errors *errors);
void handle_recurrences(struct call *c);
void handle_get_recurrence(struct call *c);
void handle_patch_recurrence(struct call *c);
void check_recurrence_patch(struct call *c, const void *body, struct field_errors *errors);
void handle_end_recurrence(struct call *c);
void handle_skip(struct call *c);
void handle_unskip(struct call *c);
void handle_book_occurrence(struct call *c);
void check_book_occurrence(struct call *c, const void *body, struct field_errors *errors);
void check_skip(struct call *c, const void *body, struct field_errors *errors);

#endif
