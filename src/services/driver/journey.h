/* A journey: one booking on its way, watched by its driver's positions. It is a document of its own
 * (jny_X of bkg_X), begun when the booking is assigned, told of each step, done when that has
 * ended; so it survives a restart, and no fix costs more because of it. Every JOURNEY_EVERY_US it
 * wakes, reads the fixes that have become durable since, in the order of their own times, and
 * decides:
 *
 *   fences   has he come to a stop, has he left it (fence.h)        → tracking.reached,
 * tracking.left arrival  when will he be at each stop (eta.h)                   → SIGNAL_ETA, when
 * it is news late     later than the window that was shown first             → alert late stale
 * nothing was heard of him for a while                   → alert stale off      far from the way
 * that was planned, for a while         → alert off_route
 *
 * Each alert is raised once and cleared once. A fix that is older than one that was judged already
 * (a second device that comes late) changes nothing any more.
 */
#ifndef LORRY_DRIVER_JOURNEY_H
#define LORRY_DRIVER_JOURNEY_H

#include "services/driver/eta.h"
#include "services/driver/fence.h"
#include "services/driver/fix.h"
#include "services/driver/service_internal.h"

#define JOURNEY_STOPS_MAX SIGNAL_ETA_STOPS_MAX
#define JOURNEY_EVERY_US (INT64_C(10) * 1000000)
#define JOURNEY_SOON_US (INT64_C(1) * 1000000)
#define JOURNEY_FIXES_MAX 400 /* judged at once; more wait for the next wake, which comes soon */
#define JOURNEY_PLAN_POINTS_MAX 400
#define JOURNEY_LATE_US                                                                            \
    (INT64_C(60) * 1000000)                    /* beyond the promise; as much before it: not late */
#define JOURNEY_OFF_US (INT64_C(90) * 1000000) /* so long away from the way: off it … */
#define JOURNEY_ON_US (INT64_C(30) * 1000000)  /* … and so long near it: on it again */
/* His driver has no such booking under way for so long: news of its end was lost to it. */
#define JOURNEY_ORPHAN_US (INT64_C(3600) * 1000000)

struct journey_stop {
    int32_t lat_e7, lng_e7;
    int64_t leg_s; /* by road from the stop before it */
    struct fence fence;
    int64_t eta_us; /* 0: not known */
    struct eta_shown shown;
    int64_t promised_us; /* the end of the first window that was shown; 0: none yet */
};
struct journey {
    struct aggregate_head head;
    struct str booking_id, driver_id;
    struct str offer_id; /* by which it is his; absent: from before that was noted */
    int64_t booking_version;
    int32_t vehicle;
    bool done;
    int64_t done_at_us; /* 0: it is not, or it is from before that was noted */
    bool at_stop;       /* the driver has said that he is at the next stop */
    bool goes_back; /* after the last one there will be one more: goods are to be brought back */
    struct journey_stop *stops;
    int32_t stop_count;
    int64_t next_stop;
    int64_t begun_us;
    int64_t through_us;     /* the newest fix that was judged; 0: none */
    int64_t seen_us;        /* the newest that said where he is; 0: none */
    int32_t lat_e7, lng_e7; /* there */
    int64_t eta_seen_us;    /* the fix that the arrival was last reckoned from */
    struct str plan;        /* the way to the next stop, a polyline; absent: not planned */
    int64_t plan_stop;      /* which that was; I64_ABSENT: none */
    int64_t off_us, on_us;  /* since when he is away from it, near it; 0: is not */
    int64_t elsewhere_us;   /* since when the driver has no such booking under way; 0: he has */
    bool stale, off_route;  /* raised */
    int64_t late_stop;      /* raised for this stop; I64_ABSENT: not */
    int64_t wake_at_us;     /* 0: none */
    bool told;              /* not kept: what is shown has changed with this version */
};
extern const struct store_collection journey_collection;
extern const struct aggregate journey_aggregate;
/* For retention: is it over since before BEFORE_US, when its booking had been quoted already? */
bool journey_over(const void *state, int64_t before_us);

/* What load finds out for a wake, or a begin. */
struct journey_facts {
    struct fix *fixes; /* since through_us, in order */
    double *off_m;     /* of each from the plan; < 0: not known */
    int32_t fix_count;
    bool more;
    int64_t leg_s;       /* by road from the newest of use to the next stop; < 0: not asked */
    int64_t leg_from_us; /* that fix */
    struct str plan;     /* a new one; absent: as it was */
    bool elsewhere;      /* the driver has another booking under way, or none … */
    bool waits;          /* … and this one is what he does next: leg_s is until its first stop */
    int64_t legs_s[JOURNEY_STOPS_MAX]; /* of a begin, and of other stops than before */
};

/* ---- journey_load.c, executor's thread ---- */
int journey_load_begin(struct command *cmd, struct store *store, int64_t now_us);
int journey_load_wake(struct command *cmd, struct store *store, int64_t now_us);
/* Reads what is shown of BOOKING_ID's arrivals. Any thread, by its own READER. ERR_NOT_FOUND. */
int journey_etas(struct store *reader, struct json_parser *p, struct str booking_id,
                 struct arena *a, struct fleet_etas *ret);

/* ---- journey_judge.c, pure ---- */
/* J (being edited) is judged by what FACTS say, at NOW_US. Events go to RET. */
void journey_judge(struct journey *j, const struct command *cmd, const struct decide_ctx *ctx,
                   struct decision *ret);
/* The same while J's driver finishes another booking before it: only when he will be there. */
void journey_await(struct journey *j, const struct command *cmd, const struct decide_ctx *ctx,
                   struct decision *ret);
/* Clears what is raised. */
void journey_clear(struct journey *j, const struct command *cmd, const struct decide_ctx *ctx,
                   struct decision *ret);

/* ---- journey.c ---- */
struct str journey_id(struct arena *a, struct str booking_id);
extern const struct command_type journey_begin_type;    /* [struct ev_booking] */
extern const struct command_type journey_progress_type; /* [struct ev_booking] */
extern const struct command_type journey_leave_type;    /* [struct ev_booking] with its offer */
extern const struct command_type journey_end_type;      /* [struct ev_booking] */
extern const struct command_type journey_wake_type;     /* wake-up */

#endif
