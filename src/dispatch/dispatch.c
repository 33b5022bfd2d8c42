#include "dispatch/dispatch.h"

#include "base/check.h"

#include <stdlib.h>

int64_t dispatch_score(int64_t eta_s) {
    CHECK(eta_s >= 0);
    int64_t capped_s = eta_s < INT32_MAX ? eta_s : INT32_MAX;
    int64_t part = INT64_C(1) * DISPATCH_SCORE_MAX * DISPATCH_SCORE_HALF_S;
    int64_t whole = capped_s + DISPATCH_SCORE_HALF_S;
    return (part + whole / 2) / whole;
}

int64_t dispatch_next_radius(int64_t radius_m, int64_t max_m) {
    CHECK(radius_m > 0 && max_m >= radius_m);
    return radius_m > max_m / 2 ? max_m : radius_m * 2;
}

static int compare_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int compare(const void *left, const void *right) {
    const struct dispatch_candidate *a = left, *b = right;
    if (a->standing != b->standing)
        return compare_i64(a->standing, b->standing);
    /* The barred have no time by road: how near they are is all that is known. */
    int order = a->standing == DISPATCH_BARRED ? compare_i64(a->distance_m, b->distance_m)
                                               : compare_i64(a->eta_s, b->eta_s);
    return order != 0 ? order : str_cmp(a->driver_id, b->driver_id);
}

static struct str reason_of(const struct dispatch_candidate *c,
                            const struct dispatch_candidate *last_chosen, bool no_fresh,
                            struct arena *a) {
    if (c->standing == DISPATCH_BARRED)
        return c->bar;
    if (c->chosen && c->standing == DISPATCH_AGAIN)
        return STR("asked again: nobody else is free");
    if (c->chosen)
        return c->rank == 1 ? STR("soonest at the pickup") : STR("among the soonest at the pickup");
    if (c->standing == DISPATCH_AGAIN && !no_fresh)
        return STR("gave no answer before; others are asked first");
    if (last_chosen == NULL)
        return STR("nobody more is asked at the moment");
    if (c->eta_s == last_chosen->eta_s)
        return arena_printf(a, "as far: %lld s, and the other stands before by id",
                            (long long)c->eta_s);
    return arena_printf(a, "farther: %lld s against %lld s", (long long)c->eta_s,
                        (long long)last_chosen->eta_s);
}

int32_t dispatch_plan(struct dispatch_candidate *c, int32_t count, int32_t wave, struct arena *a) {
    CHECK(count >= 0 && wave >= 0 && wave <= DISPATCH_WAVE_MAX);
    if (count == 0)
        return 0;
    qsort(c, (size_t)count, sizeof(*c), compare);
    bool no_fresh = c[0].standing != DISPATCH_FRESH;
    int32_t chosen = 0;
    for (int32_t i = 0; i < count; i++) {
        bool barred = c[i].standing == DISPATCH_BARRED;
        CHECK(barred || c[i].eta_s >= 0);
        c[i].rank = barred ? 0 : i + 1;
        c[i].score = barred ? 0 : dispatch_score(c[i].eta_s);
        c[i].chosen = !barred && chosen < wave && (no_fresh || c[i].standing == DISPATCH_FRESH);
        chosen += c[i].chosen;
    }
    const struct dispatch_candidate *last = chosen > 0 ? &c[chosen - 1] : NULL;
    for (int32_t i = 0; i < count; i++)
        c[i].reason = reason_of(&c[i], last, no_fresh, a);
    return chosen;
}
