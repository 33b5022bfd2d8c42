#include "dispatch/dispatch.h"

#include "base/check.h"
#include "base/timestamp.h"

#include <stdlib.h>

#define PRIOR_RATING_X100 450 /* what is thought of somebody of whom nothing is known … */
#define PRIOR_RATINGS 5       /* … weighing as much as so many ratings */
#define PRIOR_PERCENT 80
#define PRIOR_OFFERS 10
#define HALVES_MAX 20 /* half-lives after which nothing is left of 1000 jobs */

const char *const dispatch_part_names[] = {NULL,   "eta",        "rating", "jobs",
                                           "idle", "acceptance", "class",  NULL};

const char *const dispatch_reason_names[] = {NULL,
                                             "soonest",
                                             "best",
                                             "among_best",
                                             "favourite",
                                             "again",
                                             "farther",
                                             "rated_lower",
                                             "more_jobs",
                                             "less_idle",
                                             "takes_fewer",
                                             "bigger_class",
                                             "tie",
                                             "enough",
                                             "others_first",
                                             "not_favourite",
                                             "busy",
                                             "holds_offer",
                                             "reserved",
                                             "being_asked",
                                             "silent",
                                             "unclaimed",
                                             "declined",
                                             "left",
                                             "next_round",
                                             "too_small",
                                             "cash_limit",
                                             "chosen",
                                             "no_such_driver",
                                             "elsewhere",
                                             "withdrawn",
                                             "unheard",
                                             "refused",
                                             "auto",
                                             NULL};

static const char *const words[REASON_COUNT] = {
    [REASON_SOONEST] = "soonest at the pickup",
    [REASON_BEST] = "the best, all taken together",
    [REASON_AMONG_BEST] = "among the best",
    [REASON_FAVOURITE] = "a favourite of the customer's",
    [REASON_AGAIN] = "asked again: nobody else is free",
    [REASON_FARTHER] = "farther",
    [REASON_RATED_LOWER] = "rated lower",
    [REASON_MORE_JOBS] = "had more jobs lately",
    [REASON_LESS_IDLE] = "has waited for less long",
    [REASON_TAKES_FEWER] = "takes fewer offers",
    [REASON_BIGGER_CLASS] = "drives a bigger vehicle than is needed",
    [REASON_TIE] = "equal, and the other stands before by id",
    [REASON_ENOUGH] = "nobody more is asked at the moment",
    [REASON_OTHERS_FIRST] = "gave no answer before; others are asked first",
    [REASON_NOT_FAVOURITE] = "favourites of the customer's are asked first",
    [REASON_BUSY] = "busy with another booking",
    [REASON_HOLDS_OFFER] = "holds another offer",
    [REASON_RESERVED] = "is about to be offered another booking",
    [REASON_BEING_ASKED] = "is being asked for this booking",
    [REASON_SILENT] = "gave no answer a moment ago",
    [REASON_UNCLAIMED] = "could not be claimed a moment ago",
    [REASON_DECLINED] = "declined this booking before",
    [REASON_LEFT] = "had this booking before",
    [REASON_NEXT_ROUND] = "is looked at again in the next round",
    [REASON_TOO_SMALL] = "the goods do not fit into the vehicle",
    [REASON_CASH_LIMIT] = "holds as much cash as a driver may",
    [REASON_CHOSEN] = "chosen by a dispatcher",
    [REASON_NOBODY] = "there is no such driver",
    [REASON_ELSEWHERE] = "another driver has the booking",
    [REASON_WITHDRAWN] = "withdrawn",
    [REASON_UNHEARD] = "nothing was heard of it",
    [REASON_REFUSED] = "could not be claimed",
    [REASON_AUTO] = "taken at once: he takes every offer",
};

/* A point is a tenth of a second of the way. So a star less weighs half a minute, a job more than
 * others twenty seconds, a minute of waiting a second, ten offers in a hundred not taken six
 * seconds, and a class bigger than needed a whole minute. */
const struct dispatch_weights dispatch_weights_standard = {.of = {[PART_ETA] = 10,
                                                                  [PART_RATING] = 3,
                                                                  [PART_JOBS] = 2,
                                                                  [PART_IDLE] = 10,
                                                                  [PART_ACCEPTANCE] = 6,
                                                                  [PART_CLASS] = 600}};

struct str dispatch_reason_words(enum dispatch_reason reason) {
    CHECK(reason > REASON_NONE && reason < REASON_COUNT);
    return str_from(words[reason]);
}

int64_t dispatch_score(int64_t cost) {
    CHECK(cost >= 0);
    int64_t capped = cost < INT32_MAX ? cost : INT32_MAX;
    int64_t part = INT64_C(1) * DISPATCH_SCORE_MAX * DISPATCH_SCORE_HALF;
    int64_t whole = capped + DISPATCH_SCORE_HALF;
    return (part + whole / 2) / whole;
}

int64_t dispatch_next_radius(int64_t radius_m, int64_t max_m) {
    CHECK(radius_m > 0 && max_m >= radius_m);
    return radius_m > max_m / 2 ? max_m : radius_m * 2;
}

int64_t dispatch_rating_x100(int64_t stars_sum, int64_t stars_count) {
    CHECK(stars_count >= 0 && stars_sum >= stars_count);
    return (stars_sum * 100 + INT64_C(1) * PRIOR_RATING_X100 * PRIOR_RATINGS) /
           (stars_count + PRIOR_RATINGS);
}

int64_t dispatch_acceptance_percent(int64_t accepted, int64_t refused) {
    CHECK(accepted >= 0 && refused >= 0);
    return (accepted * 100 + INT64_C(1) * PRIOR_PERCENT * PRIOR_OFFERS) /
           (accepted + refused + PRIOR_OFFERS);
}

int64_t dispatch_load_milli(int64_t load_milli, int64_t since_us, int64_t now_us,
                            int64_t half_life_s) {
    CHECK(load_milli >= 0 && half_life_s > 0);
    if (now_us <= since_us)
        return load_milli; /* another machine's clock */
    int64_t gone_s = (now_us - since_us) / US_PER_S, halves = gone_s / half_life_s;
    if (halves >= HALVES_MAX)
        return 0;
    int64_t left = load_milli >> halves;
    return left - left * (gone_s % half_life_s) / (2 * half_life_s);
}

/* ---- the cost ---- */

static bool more_is_better(int part) {
    return part == PART_RATING || part == PART_IDLE || part == PART_ACCEPTANCE;
}

/* How far A is behind B in PART; negative: he is ahead. */
static int64_t behind(const struct dispatch_candidate *a, int64_t b, int part) {
    return more_is_better(part) ? b - a->value[part] : a->value[part] - b;
}

/* The best value of each part among those who may be asked. That of the time is 0: the way is paid
 * for whole. */
static void find_best(const struct dispatch_candidate *c, int32_t count,
                      int64_t ret_best[DISPATCH_PARTS]) {
    bool any = false;
    for (int part = 0; part < DISPATCH_PARTS; part++)
        ret_best[part] = 0;
    for (int32_t i = 0; i < count; i++) {
        if (c[i].standing == DISPATCH_BARRED)
            continue;
        for (int part = PART_ETA + 1; part < DISPATCH_PARTS; part++) {
            if (!any || behind(&c[i], ret_best[part], part) < 0)
                ret_best[part] = c[i].value[part];
        }
        any = true;
    }
}

void dispatch_costs(const struct dispatch_weights *weights, struct dispatch_candidate *c,
                    int32_t count) {
    int64_t best[DISPATCH_PARTS];
    find_best(c, count, best);
    for (int32_t i = 0; i < count; i++) {
        c[i].cost = 0;
        for (int part = 0; part < DISPATCH_PARTS; part++)
            c[i].points[part] = 0;
        if (c[i].standing == DISPATCH_BARRED)
            continue;
        for (int part = PART_ETA; part < DISPATCH_PARTS; part++) {
            int64_t weight = weights->of[part], by = behind(&c[i], best[part], part);
            CHECK(weight >= 0 && weight <= DISPATCH_WEIGHT_MAX && by >= 0);
            c[i].points[part] = weight * (by < INT32_MAX ? by : INT32_MAX);
            c[i].cost += c[i].points[part];
        }
    }
}

/* ---- the order ---- */

static int compare_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int compare(const void *left, const void *right) {
    const struct dispatch_candidate *a = left, *b = right;
    if (a->standing != b->standing)
        return compare_i64(a->standing, b->standing);
    /* The barred have no time by road: how near they are is all that is known. */
    bool barred = a->standing == DISPATCH_BARRED;
    if (!barred && a->favourite != b->favourite)
        return a->favourite ? -1 : 1;
    int order = barred ? compare_i64(a->distance_m, b->distance_m) : compare_i64(a->cost, b->cost);
    return order != 0 ? order : str_cmp(a->driver_id, b->driver_id);
}

/* Has the customer a favourite who can be asked, or who is being asked? */
static bool favourites_first(const struct dispatch_candidate *c, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (c[i].favourite && (c[i].standing == DISPATCH_FRESH || c[i].bar == REASON_BEING_ASKED))
            return true;
    }
    return false;
}

/* ---- reasons ---- */

static bool is_soonest(const struct dispatch_candidate *c, int32_t count, int32_t i) {
    for (int32_t n = 0; n < count; n++) {
        if (c[n].standing == c[i].standing && c[n].value[PART_ETA] < c[i].value[PART_ETA])
            return false;
    }
    return true;
}

static enum dispatch_reason why_chosen(const struct dispatch_candidate *c, int32_t count,
                                       int32_t i) {
    if (c[i].standing == DISPATCH_AGAIN)
        return REASON_AGAIN;
    if (c[i].favourite)
        return REASON_FAVOURITE;
    if (i > 0)
        return REASON_AMONG_BEST;
    return is_soonest(c, count, i) ? REASON_SOONEST : REASON_BEST;
}

/* The part that costs C most against LAST, who is asked. */
static int worst_part(const struct dispatch_candidate *c, const struct dispatch_candidate *last) {
    int worst = PART_ETA;
    for (int part = PART_ETA; part < DISPATCH_PARTS; part++) {
        if (c->points[part] - last->points[part] > c->points[worst] - last->points[worst])
            worst = part;
    }
    return worst;
}

static const enum dispatch_reason reason_of_part[DISPATCH_PARTS] = {
    [PART_ETA] = REASON_FARTHER,
    [PART_RATING] = REASON_RATED_LOWER,
    [PART_JOBS] = REASON_MORE_JOBS,
    [PART_IDLE] = REASON_LESS_IDLE,
    [PART_ACCEPTANCE] = REASON_TAKES_FEWER,
    [PART_CLASS] = REASON_BIGGER_CLASS,
};

static struct str hundredths(int64_t x, struct arena *a) {
    return arena_printf(a, "%lld.%02d", (long long)(x / 100), (int)(x % 100));
}

/* Both sides of what he is behind in. */
static struct str figures(const struct dispatch_candidate *c, const struct dispatch_candidate *last,
                          int part, struct arena *a) {
    struct str said = dispatch_reason_words(reason_of_part[part]);
    long long his = (long long)c->value[part], other = (long long)last->value[part];
    switch (part) {
    case PART_ETA:
        return arena_printf(a, "%.*s: %lld s against %lld s", STR_ARG(said), his, other);
    case PART_IDLE:
        return arena_printf(a, "%.*s: %lld min against %lld min", STR_ARG(said), his, other);
    case PART_ACCEPTANCE:
        return arena_printf(a, "%.*s: %lld %% against %lld %%", STR_ARG(said), his, other);
    case PART_RATING:
    case PART_JOBS:
        return arena_printf(a, "%.*s: %.*s against %.*s", STR_ARG(said),
                            STR_ARG(hundredths(c->value[part], a)),
                            STR_ARG(hundredths(last->value[part], a)));
    default:
        return said;
    }
}

static void explain(struct dispatch_candidate *c, const struct dispatch_candidate *last,
                    bool no_fresh, bool favourites, struct arena *a) {
    if (c->standing == DISPATCH_BARRED)
        c->reason = c->bar;
    else if (c->standing == DISPATCH_AGAIN && !no_fresh)
        c->reason = REASON_OTHERS_FIRST;
    else if (!c->favourite && (favourites || (last != NULL && last->favourite)))
        c->reason = REASON_NOT_FAVOURITE;
    else if (last == NULL)
        c->reason = REASON_ENOUGH;
    else if (c->cost == last->cost)
        c->reason = REASON_TIE;
    else {
        int part = worst_part(c, last);
        c->reason = reason_of_part[part];
        c->words = figures(c, last, part, a);
        return;
    }
    c->words = dispatch_reason_words(c->reason);
}

int32_t dispatch_plan(const struct dispatch_weights *weights, struct dispatch_candidate *c,
                      int32_t count, int32_t wave, struct arena *a) {
    CHECK(count >= 0 && wave >= 0 && wave <= DISPATCH_WAVE_MAX);
    if (count == 0)
        return 0;
    dispatch_costs(weights, c, count);
    qsort(c, (size_t)count, sizeof(*c), compare);
    bool no_fresh = c[0].standing != DISPATCH_FRESH, favourites = favourites_first(c, count);
    int32_t chosen = 0;
    for (int32_t i = 0; i < count; i++) {
        bool barred = c[i].standing == DISPATCH_BARRED;
        CHECK(barred || c[i].value[PART_ETA] >= 0);
        c[i].rank = barred ? 0 : i + 1;
        c[i].score = barred ? 0 : dispatch_score(c[i].cost);
        c[i].chosen = !barred && chosen < wave && (no_fresh || c[i].standing == DISPATCH_FRESH) &&
                      (!favourites || c[i].favourite);
        chosen += c[i].chosen;
    }
    const struct dispatch_candidate *last = chosen > 0 ? &c[chosen - 1] : NULL;
    for (int32_t i = 0; i < count; i++) {
        if (c[i].chosen) {
            c[i].reason = why_chosen(c, count, i);
            c[i].words = dispatch_reason_words(c[i].reason);
        } else {
            explain(&c[i], last, no_fresh, favourites, a);
        }
    }
    return chosen;
}
