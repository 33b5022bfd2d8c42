/* The trace of a search: round by round, who was looked at, who was asked, what came of it, and why
 * not the others. Bounded: rounds in which nobody was asked are put together while the circle is
 * the same; beyond ROUNDS_MAX the oldest such go first, then the oldest of all.
 */
#include "base/check.h"
#include "base/id.h"
#include "services/driver/search.h"

#include <string.h>

#define STAFF_RADIUS_M 50000 /* wider than any search: a dispatcher may choose whom he will */

static bool asked_anyone(const struct search_round *r) {
    for (int32_t i = 0; i < r->candidate_count; i++) {
        if (r->candidates[i].offer_id.p != NULL)
            return true;
    }
    return false;
}

static struct search_round *add_round(struct search *s) {
    if (s->round_count == ROUNDS_MAX) {
        int32_t at = 0;
        while (at < ROUNDS_MAX && asked_anyone(&s->rounds[at]))
            at++;
        at = at == ROUNDS_MAX ? 0 : at;
        memmove(&s->rounds[at], &s->rounds[at + 1],
                (size_t)(ROUNDS_MAX - at - 1) * sizeof(struct search_round));
        s->round_count--;
    }
    struct search_round *r = &s->rounds[s->round_count++];
    *r = (struct search_round){.repeats = 0};
    return r;
}

/* Only what costs him something is kept: most are behind in little. */
static void keep_parts(const struct dispatch_candidate *c, struct search_candidate *ret,
                       struct arena *a) {
    ret->parts = arena_array(a, struct search_part, DISPATCH_PARTS);
    for (int32_t part = PART_ETA; part < DISPATCH_PARTS; part++) {
        if (c->points[part] > 0)
            ret->parts[ret->part_count++] =
                (struct search_part){part, c->value[part], c->points[part]};
    }
}

/* Up, for what lasts a moment is not nothing. */
static long long minutes(int64_t s) {
    return (long long)(s + 59) / 60;
}

/* When he will be free comes before whatever else is said of him. */
static void keep_chain(const struct dispatch_candidate *c, const struct search_near *n,
                       struct search_candidate *ret, struct arena *a) {
    ret->free_in_s = I64_ABSENT;
    if (n->after.p == NULL)
        return;
    ret->after = n->after;
    ret->free_in_s = n->free_in_s;
    if (c->rank > 0)
        ret->reason = arena_printf(a, "finishes %.*s in %lld min, then %lld min away; %.*s",
                                   STR_ARG(n->after), minutes(n->free_in_s),
                                   minutes(c->value[PART_ETA] - n->free_in_s), STR_ARG(c->words));
}

struct search_candidate trace_candidate(const struct dispatch_candidate *c,
                                        const struct search_near *n, struct arena *a) {
    bool ranked = c->rank > 0;
    struct search_candidate kept = {.driver_id = c->driver_id,
                                    .name = n->name,
                                    .rank = ranked ? c->rank : I64_ABSENT,
                                    .distance_m = c->distance_m,
                                    .pickup_eta_s = ranked ? c->value[PART_ETA] : I64_ABSENT,
                                    .score = ranked ? c->score : I64_ABSENT,
                                    .cost = ranked ? c->cost : I64_ABSENT,
                                    .outcome = c->chosen ? OUTCOME_OFFERED : OUTCOME_PASSED_OVER,
                                    .reason_code = (int32_t)c->reason,
                                    .reason = c->words};
    keep_parts(c, &kept, a);
    keep_chain(c, n, &kept, a);
    return kept;
}

struct search_round *trace_round(struct search *s, const struct dispatch_candidate *plan,
                                 int32_t count, const struct search_near *near, int64_t now_us,
                                 struct arena *a) {
    struct search_round *last = s->round_count > 0 ? &s->rounds[s->round_count - 1] : NULL;
    bool chosen = count > 0 && plan[0].chosen;
    struct search_round *r;
    if (!chosen && last != NULL && last->radius_m == s->radius_m && !asked_anyone(last)) {
        r = last;
        r->repeats++;
    } else {
        r = add_round(s);
        r->at_us = now_us;
        r->radius_m = s->radius_m;
    }
    r->last_at_us = now_us;
    r->candidate_count = count < CANDIDATES_MAX ? count : CANDIDATES_MAX;
    r->candidates = arena_array(a, struct search_candidate, r->candidate_count);
    for (int32_t i = 0; i < r->candidate_count; i++)
        r->candidates[i] = trace_candidate(&plan[i], &near[plan[i].tag], a);
    return r;
}

bool trace_outcome(struct search *s, struct str offer_id, enum outcome outcome,
                   enum dispatch_reason reason, struct str words, struct arena *a) {
    if (offer_id.p == NULL)
        return false;
    for (int32_t n = s->round_count - 1; n >= 0; n--) {
        struct search_round *r = &s->rounds[n];
        for (int32_t i = 0; i < r->candidate_count; i++) {
            if (!str_eq(r->candidates[i].offer_id, offer_id))
                continue;
            /* the list may belong to the state before */
            r->candidates =
                arena_copy(a, r->candidates, (size_t)r->candidate_count * sizeof(r->candidates[0]));
            r->candidates[i].outcome = (int32_t)outcome;
            if (reason == REASON_NONE)
                return true;
            r->candidates[i].reason_code = (int32_t)reason;
            r->candidates[i].reason = words.p != NULL ? words : dispatch_reason_words(reason);
            return true;
        }
    }
    return false;
}

void trace_manual(struct search *s, struct str driver_id, struct str name, struct str offer_id,
                  enum outcome outcome, enum dispatch_reason reason, int64_t now_us,
                  struct arena *a) {
    struct search_round *r = add_round(s);
    r->at_us = r->last_at_us = now_us;
    r->radius_m = I64_ABSENT; /* nobody was looked for */
    r->candidate_count = 1;
    r->candidates = arena_array(a, struct search_candidate, 1);
    r->candidates[0] = (struct search_candidate){
        .driver_id = driver_id,
        .name = name,
        .offer_id = offer_id,
        .rank = I64_ABSENT,
        .distance_m = I64_ABSENT,
        .pickup_eta_s = I64_ABSENT,
        .score = I64_ABSENT,
        .cost = I64_ABSENT,
        .free_in_s = I64_ABSENT,
        .outcome = (int32_t)outcome,
        .reason_code = (int32_t)reason,
        .reason = reason != REASON_NONE ? dispatch_reason_words(reason) : STR_NONE};
}

/* GET /v1/bookings/{id}/dispatch */
void dispatch_get(struct call *c) {
    if (!id_valid(c->params[0], "bkg")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such booking");
        return;
    }
    const struct search *s =
        call_state(c, &search_aggregate, id_with_prefix(&c->arena, c->params[0], "dsp"));
    if (s == NULL)
        return;
    struct buf out;
    buf_init(&out, &c->arena, 4096);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "booking_id", s->booking_id);
    jw_kv_str(&w, "status", s->status == SEARCH_OPEN ? STR("open") : STR("done"));
    jw_kv_i64(&w, "version", s->head.version);
    jw_key(&w, "rounds");
    jw_array(&w);
    for (int32_t i = 0; i < s->round_count; i++)
        schema_write(&search_round_schema, &s->rounds[i], S_OUT, &w);
    jw_end(&w);
    jw_end(&w);
    call_json_etag(c, s->head.version, buf_str(&out));
}

/* GET /v1/bookings/{id}/candidates: who could take it now. In the order and by the reasons of
 * dispatch, as if it looked this moment, in a wide circle; nothing is kept of it. */
void candidates_get(struct call *c) {
    struct driver_service *service = c->service;
    if (!id_valid(c->params[0], "bkg")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such booking");
        return;
    }
    const struct search *s =
        call_state(c, &search_aggregate, id_with_prefix(&c->arena, c->params[0], "dsp"));
    if (s == NULL)
        return;
    struct search_facts f = {0};
    const struct dispatch_candidate *plan = NULL;
    if (s->begun)
        plan = search_candidates(service, s, STAFF_RADIUS_M, c->now_us, &c->arena, &f);
    struct buf out;
    buf_init(&out, &c->arena, 4096);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (int32_t i = 0; i < f.near_count; i++) {
        struct search_candidate k = trace_candidate(&plan[i], &f.near[plan[i].tag], &c->arena);
        k.outcome = OUTCOME_NONE; /* nobody has been asked */
        schema_write(&search_candidate_schema, &k, S_OUT, &w);
    }
    jw_end(&w);
    jw_end(&w);
    response_header(&c->response, "Cache-Control", STR("no-store"));
    call_json(c, 200, buf_str(&out));
}
