/* Dispatch: who should carry what, as pure functions. The caller knows who is near and what speaks
 * for and against each; this orders them, picks whom to ask now, and says why each was asked or
 * passed over. No clock, no memory but the arena given.
 *
 * The order: those who may be asked, before those who may not; those never asked, before those who
 * let an offer lapse; the customer's favourites before others; then by cost; and by id where all of
 * that is equal, so that the same facts always give the same answer. Only when nobody is left who
 * was never asked may somebody be asked a second time; while a favourite can be asked, or is being
 * asked, nobody else is.
 *
 * The cost is in points, and made of parts, each with a weight:
 *
 *   cost = weight[eta] × seconds to the pickup
 *        + Σ weight[part] × how far his value is behind the best of those who may be asked
 *
 * So every part is a whole number ≥ 0, the order of two does not depend on who else is there, and
 * who is behind nobody pays for nothing but the way. docs/dispatch.md says it with an example.
 */
#ifndef LORRY_DISPATCH_DISPATCH_H
#define LORRY_DISPATCH_DISPATCH_H

#include "base/arena.h"

#include <stdint.h>

#define DISPATCH_WAVE_MAX 10
#define DISPATCH_SCORE_MAX 1000
#define DISPATCH_SCORE_HALF 3000   /* points at which the score is half the maximum */
#define DISPATCH_IDLE_MIN_MAX 60   /* minutes: who waits longer than that waits no worse */
#define DISPATCH_WEIGHT_MAX 100000 /* of each part */

/* What a driver is judged by. The unit of its value, and whether more is better: */
enum dispatch_part {
    PART_NONE,
    PART_ETA,        /* seconds by road to the pickup; less */
    PART_RATING,     /* hundredths of a star; more */
    PART_JOBS,       /* hundredths of a job lately; less (fairness) */
    PART_IDLE,       /* whole minutes without a job, ≤ DISPATCH_IDLE_MIN_MAX; more */
    PART_ACCEPTANCE, /* per cent of his offers that he takes; more */
    PART_CLASS,      /* classes of vehicle bigger than needed; less */
    DISPATCH_PARTS
};
extern const char *const dispatch_part_names[]; /* [0] NULL, "eta", …, NULL */

/* Why somebody is asked, or is not: a code for programs; dispatch_plan makes words of it. */
enum dispatch_reason {
    REASON_NONE,
    /* asked */
    REASON_SOONEST,    /* the least cost, and nobody is sooner */
    REASON_BEST,       /* the least cost, though others are sooner */
    REASON_AMONG_BEST, /* a wave asks several */
    REASON_FAVOURITE,
    REASON_AGAIN, /* let an offer lapse; nobody else is free */
    /* passed over, and why: the part that costs him most against the last who is asked */
    REASON_FARTHER,
    REASON_RATED_LOWER,
    REASON_MORE_JOBS,
    REASON_LESS_IDLE,
    REASON_TAKES_FEWER,
    REASON_BIGGER_CLASS,
    REASON_TIE,           /* equal; the other stands before by id */
    REASON_ENOUGH,        /* nobody more is asked at the moment */
    REASON_OTHERS_FIRST,  /* gave no answer before */
    REASON_NOT_FAVOURITE, /* favourites are asked first */
    /* barred */
    REASON_BUSY,
    REASON_HOLDS_OFFER,
    REASON_RESERVED,    /* is about to be offered another booking */
    REASON_BEING_ASKED, /* for this booking */
    REASON_SILENT,      /* gave no answer a moment ago */
    REASON_UNCLAIMED,   /* could not be claimed a moment ago */
    REASON_DECLINED,    /* declined this booking before */
    REASON_LEFT,        /* had it, and gave it back or was taken off it */
    REASON_NEXT_ROUND,  /* is looked at again in the next round */
    REASON_TOO_SMALL,   /* the goods do not fit in */
    REASON_CASH_LIMIT,  /* holds as much cash as he may */
    /* of an offer, afterwards */
    REASON_CHOSEN,    /* by a dispatcher */
    REASON_NOBODY,    /* there is no such driver */
    REASON_ELSEWHERE, /* another driver has the booking */
    REASON_WITHDRAWN,
    REASON_UNHEARD, /* nothing was heard of it */
    REASON_REFUSED, /* he could not be claimed; the words say why */
    REASON_AUTO,    /* taken at once on his behalf */
    REASON_COUNT
};
extern const char *const dispatch_reason_names[]; /* [0] NULL, "soonest", …, NULL */
/* In English, for the reasons that need no figures; the others in general. */
struct str dispatch_reason_words(enum dispatch_reason reason);

enum dispatch_standing {
    DISPATCH_FRESH, /* was not asked for this booking */
    DISPATCH_AGAIN, /* was asked, gave no answer, and may be asked again */
    DISPATCH_BARRED /* may not be asked now */
};

/* Points for each unit of a part, 0..DISPATCH_WEIGHT_MAX; [PART_NONE] is of no use. */
struct dispatch_weights {
    int64_t of[DISPATCH_PARTS];
};
extern const struct dispatch_weights dispatch_weights_standard;

struct dispatch_candidate {
    struct str driver_id;
    int64_t distance_m; /* straight line to the pickup */
    /* In the units above, each ≥ 0. The time by road of the barred may be unknown: -1. */
    int64_t value[DISPATCH_PARTS];
    enum dispatch_standing standing;
    enum dispatch_reason bar; /* why he is barred */
    bool favourite;           /* the customer's */
    int32_t tag;              /* the caller's own */
    /* filled by dispatch_plan */
    int32_t rank;                   /* 1 is the best; 0: barred */
    int64_t points[DISPATCH_PARTS]; /* what each part costs him */
    int64_t cost;                   /* their sum; 0: barred */
    int64_t score;                  /* 0..DISPATCH_SCORE_MAX, more is better; 0: barred */
    bool chosen;
    enum dispatch_reason reason;
    struct str words; /* the same in English, with figures */
};

/* Sorts C, ranks it, chooses at most WAVE of it (0: nobody), gives reasons (words in A). Returns
 * how many were chosen: they stand first. */
int32_t dispatch_plan(const struct dispatch_weights *weights, struct dispatch_candidate *c,
                      int32_t count, int32_t wave, struct arena *a);
/* Only the points and the cost of each, in the order they stand. */
void dispatch_costs(const struct dispatch_weights *weights, struct dispatch_candidate *c,
                    int32_t count);

int64_t dispatch_score(int64_t cost);
/* The next circle to look in: twice as wide, never over MAX_M. */
int64_t dispatch_next_radius(int64_t radius_m, int64_t max_m);

/* ---- what the values are made of ---- */

/* The mean of SUM over COUNT judgements with a few middling ones mixed in, so that one judgement
 * alone makes nobody best or worst. */
int64_t dispatch_rating_x100(int64_t stars_sum, int64_t stars_count);
int64_t dispatch_acceptance_percent(int64_t accepted, int64_t refused);
/* Jobs lately: each counts 1000 when it begins and half as much every HALF_LIFE_S, in a straight
 * line between; so no list of jobs is kept. LOAD_MILLI was right at SINCE_US. */
int64_t dispatch_load_milli(int64_t load_milli, int64_t since_us, int64_t now_us,
                            int64_t half_life_s);

#endif
