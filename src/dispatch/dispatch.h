/* Dispatch: who should carry what, as pure functions. The caller knows who is near and how long
 * each would need; this orders them, picks whom to ask now, and puts into words why each was asked
 * or passed over. No clock, no memory but the arena given.
 *
 * The order: those who may be asked, before those who may not; those never asked, before those who
 * let an offer lapse; sooner at the pickup before later; and by id where all of that is equal, so
 * that the same facts always give the same answer. Only when nobody is left who was never asked may
 * somebody be asked a second time.
 */
#ifndef LORRY_DISPATCH_DISPATCH_H
#define LORRY_DISPATCH_DISPATCH_H

#include "base/arena.h"

#include <stdint.h>

#define DISPATCH_WAVE_MAX 10
#define DISPATCH_SCORE_MAX 1000
#define DISPATCH_SCORE_HALF_S                                                                      \
    300 /* seconds to the pickup at which the score is half the maximum                            \
         */

enum dispatch_standing {
    DISPATCH_FRESH, /* was not asked for this booking */
    DISPATCH_AGAIN, /* was asked, gave no answer, and may be asked again */
    DISPATCH_BARRED /* may not be asked now */
};

struct dispatch_candidate {
    struct str driver_id;
    int64_t distance_m; /* straight line to the pickup */
    int64_t eta_s;      /* by road; I64 ≥ 0 for all but the barred, where it may be unknown: -1 */
    enum dispatch_standing standing;
    struct str bar; /* why he is barred */
    int32_t tag;    /* the caller's own */
    /* filled by dispatch_plan */
    int32_t rank;  /* 1 is the best; 0: barred */
    int64_t score; /* 0..DISPATCH_SCORE_MAX, more is better; 0: barred */
    bool chosen;
    struct str reason;
};

/* Sorts C, ranks it, chooses at most WAVE of it (0: nobody), gives reasons (in A). Returns how many
 * were chosen: they stand first. */
int32_t dispatch_plan(struct dispatch_candidate *c, int32_t count, int32_t wave, struct arena *a);

int64_t dispatch_score(int64_t eta_s);
/* The next circle to look in: twice as wide, never over MAX_M. */
int64_t dispatch_next_radius(int64_t radius_m, int64_t max_m);

#endif
