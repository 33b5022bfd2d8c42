/* The search's decisions. Pure: who is near comes from load (gather.c), who goes first from
 * dispatch/, and what was done is written into the trace (trace.c). What a new state points at
 * lives in the command's arena, but for old rounds, which it shares with the state before.
 */
#include "services/driver/search.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"

#include <math.h>
#include <string.h>

/* ---- the state, to be changed ---- */

static struct search *search_edit(const struct command *cmd, const struct decide_ctx *ctx,
                                  const struct search *old, struct decision *ret) {
    struct arena *a = ctx->arena;
    struct search *s = arena_copy(a, old, sizeof(*s));
    s->asked = arena_array(a, struct search_asked, ASKED_MAX);
    for (int32_t i = 0; i < s->asked_count; i++) {
        s->asked[i] = old->asked[i];
        s->asked[i].driver_id = arena_str(a, old->asked[i].driver_id);
        s->asked[i].offer_id = arena_str(a, old->asked[i].offer_id);
    }
    s->rounds = arena_array(a, struct search_round, ROUNDS_MAX);
    if (s->round_count > 0)
        memcpy(s->rounds, old->rounds, (size_t)s->round_count * sizeof(struct search_round));
    decision_state(ret, cmd, old, s);
    return s;
}

static struct search *search_new(const struct command *cmd, const struct decide_ctx *ctx,
                                 struct str booking_id, enum search_status status,
                                 struct decision *ret) {
    struct search *s = arena_new(ctx->arena, struct search);
    *s =
        (struct search){.booking_id = arena_str(ctx->arena, booking_id), .status = (int32_t)status};
    s->done_at_us = status == SEARCH_DONE ? ctx->now_us : 0;
    s->asked = arena_array(ctx->arena, struct search_asked, ASKED_MAX);
    s->rounds = arena_array(ctx->arena, struct search_round, ROUNDS_MAX);
    decision_state(ret, cmd, NULL, s);
    return s;
}

/* What those who are asked are told of the trip, and what they would get. */
static void fill_trip(struct search *s, const struct ev_booking *b) {
    s->trip_version = b->version;
    s->pickup = &b->stops[0];
    s->dropoff = &b->stops[b->stop_count - 1];
    s->stop_count = b->stop_count;
    s->earning = b->earning;
    s->cash = b->cash;
    s->currency = b->currency;
    s->load = b->load;
}

void search_fill(struct search *s, const struct ev_booking *b, int64_t radius_m) {
    s->booking_id = b->booking_id;
    s->begun = true;
    s->vehicle = b->vehicle;
    fill_trip(s, b);
    s->favourites = b->favourites;
    s->favourite_count = b->favourite_count;
    s->search_until_us = b->search_until_us;
    s->radius_m = radius_m;
}

/* ---- who was asked ---- */

static struct search_asked *asked_offer(struct search *s, struct str offer_id) {
    for (int32_t i = 0; i < s->asked_count; i++) {
        if (str_eq(s->asked[i].offer_id, offer_id))
            return &s->asked[i];
    }
    return NULL;
}

static const struct search_asked *asked_driver(const struct search *s, struct str driver_id) {
    for (int32_t i = s->asked_count - 1; i >= 0; i--) {
        if (str_eq(s->asked[i].driver_id, driver_id))
            return &s->asked[i];
    }
    return NULL;
}

static void drop_asked(struct search *s, int32_t at) {
    memmove(&s->asked[at], &s->asked[at + 1],
            (size_t)(s->asked_count - at - 1) * sizeof(struct search_asked));
    s->asked_count--;
}

/* One entry a driver: the newest. If there is no room, those go first who did not decline. */
static void add_asked(struct search *s, struct str driver_id, struct str offer_id, int64_t now_us) {
    for (int32_t i = s->asked_count - 1; i >= 0; i--) {
        if (str_eq(s->asked[i].driver_id, driver_id))
            drop_asked(s, i);
    }
    if (s->asked_count == ASKED_MAX) {
        int32_t at = 0;
        while (at < s->asked_count - 1 && (s->asked[at].outcome == OUTCOME_DECLINED ||
                                           s->asked[at].outcome == OUTCOME_OFFERED))
            at++;
        drop_asked(s, at);
    }
    s->asked[s->asked_count++] = (struct search_asked){
        .driver_id = driver_id, .offer_id = offer_id, .at_us = now_us, .outcome = OUTCOME_OFFERED};
}

static enum dispatch_standing standing_of(const struct search *s, struct str driver_id,
                                          int64_t now_us, enum dispatch_reason *ret_bar) {
    const struct search_asked *asked = asked_driver(s, driver_id);
    if (asked == NULL)
        return DISPATCH_FRESH;
    int64_t ago_us = now_us - asked->at_us;
    switch ((enum outcome)asked->outcome) {
    case OUTCOME_OFFERED:
        *ret_bar = REASON_BEING_ASKED;
        return DISPATCH_BARRED;
    case OUTCOME_TIMED_OUT:
        if (ago_us >= SEARCH_AGAIN_US)
            return DISPATCH_AGAIN;
        *ret_bar = REASON_SILENT;
        return DISPATCH_BARRED;
    case OUTCOME_PASSED_OVER:
        if (ago_us >= SEARCH_REFUSED_US)
            return DISPATCH_FRESH;
        *ret_bar = REASON_UNCLAIMED;
        return DISPATCH_BARRED;
    case OUTCOME_LEFT:
        *ret_bar = REASON_LEFT;
        return DISPATCH_BARRED;
    case OUTCOME_DECLINED:
    case OUTCOME_ACCEPTED:
    case OUTCOME_NONE:
        break;
    }
    *ret_bar = REASON_DECLINED;
    return DISPATCH_BARRED;
}

static bool is_favourite(const struct search *s, struct str driver_id) {
    for (int32_t i = 0; i < s->favourite_count; i++) {
        if (str_eq(s->favourites[i], driver_id))
            return true;
    }
    return false;
}

int32_t search_plan(const struct driver_options *o, const struct search *s,
                    const struct search_facts *facts, int32_t wave, int64_t now_us, struct arena *a,
                    struct dispatch_candidate *ret_plan) {
    for (int32_t i = 0; i < facts->near_count; i++) {
        const struct search_near *n = &facts->near[i];
        struct dispatch_candidate *c = &ret_plan[i];
        *c = (struct dispatch_candidate){
            .driver_id = n->driver_id, .distance_m = n->distance_m, .tag = i};
        c->favourite = is_favourite(s, n->driver_id);
        memcpy(c->value, n->value, sizeof c->value);
        c->standing = standing_of(s, n->driver_id, now_us, &c->bar);
        if (c->standing != DISPATCH_BARRED && (n->bar != REASON_NONE || c->value[PART_ETA] < 0)) {
            c->standing = DISPATCH_BARRED;
            c->bar = n->bar != REASON_NONE ? n->bar : REASON_NEXT_ROUND;
        }
    }
    return dispatch_plan(o->weights, ret_plan, facts->near_count, wave, a);
}

int32_t search_room(const struct driver_options *o, const struct search *s, int64_t now_us) {
    int64_t lost_us = now_us - o->offer_timeout_s * US_PER_S - SEARCH_LOST_US;
    int32_t asked = 0;
    for (int32_t i = 0; i < s->asked_count; i++)
        asked += s->asked[i].outcome == OUTCOME_OFFERED && s->asked[i].at_us > lost_us;
    if (asked >= o->offer_wave || (asked > 0 && o->offer_whole_waves))
        return 0;
    return o->offer_wave - asked;
}

/* ---- a round ---- */

static void send_claim(const struct search *s, const struct dispatch_candidate *c,
                       const struct search_near *n, struct str offer_id, const struct command *cmd,
                       const struct decide_ctx *ctx, struct decision *ret) {
    struct ev_claim e = {
        .booking_id = s->booking_id,
        .offer_id = offer_id,
        .driver_id = c->driver_id,
        .driver_user_id = id_with_prefix(ctx->arena, c->driver_id, "usr"),
        .vehicle = s->vehicle,
        .rating = NAN,
        .after = n->after,
        .free_at_us = n->after.p != NULL ? ctx->now_us + n->free_in_s * US_PER_S : 0,
        .pickup_distance_m = c->distance_m,
        .pickup_eta_s = c->value[PART_ETA],
        .pickup = s->pickup,
        .dropoff = s->dropoff,
        .stop_count = s->stop_count,
        .earning = s->earning,
        .cash = s->cash,
        .currency = s->currency,
        .load = s->load,
    };
    decision_event(ret, cmd, ctx, EV_DISPATCH_CLAIM, s->booking_id, &ev_claim_schema, &e);
}

/* Who was asked and never heard of again (his answer would be far overdue) counts as silent. */
static void give_up_lost(struct search *s, int64_t offer_timeout_s, const struct decide_ctx *ctx) {
    int64_t lost_us = ctx->now_us - offer_timeout_s * US_PER_S - SEARCH_LOST_US;
    for (int32_t i = 0; i < s->asked_count; i++) {
        struct search_asked *asked = &s->asked[i];
        if (asked->outcome != OUTCOME_OFFERED || asked->at_us > lost_us)
            continue;
        asked->outcome = OUTCOME_TIMED_OUT;
        asked->at_us = ctx->now_us;
        trace_outcome(s, asked->offer_id, OUTCOME_TIMED_OUT, REASON_UNHEARD, STR_NONE, ctx->arena);
    }
}

/* ---- the alert that nobody has taken it ---- */

static void tell_unassigned(struct search *s, bool raised, bool over, const struct command *cmd,
                            const struct decide_ctx *ctx, struct decision *ret) {
    struct ev_alert e = {.booking_id = s->booking_id,
                         .kind = ALERT_UNASSIGNED,
                         .number = s->head.version,
                         .at_us = ctx->now_us,
                         .stop = I64_ABSENT,
                         .distance_m = I64_ABSENT,
                         .over = over};
    s->unassigned = raised;
    decision_event(ret, cmd, ctx, raised ? EV_ALERT_RAISED : EV_ALERT_CLEARED, s->booking_id,
                   &ev_alert_schema, &e);
}

/* Raised once it has gone on for long enough; until then the search wakes for it in time. Searches
 * from before it was noted when they began raise none. */
static void note_unassigned(struct search *s, const struct command *cmd,
                            const struct decide_ctx *ctx, struct decision *ret) {
    const struct driver_service *service = cmd->service;
    int64_t due_us = s->begun_at_us + service->o.unassigned_after_s * US_PER_S;
    if (s->begun_at_us == 0 || s->unassigned || s->wake_at_us == 0)
        return;
    if (ctx->now_us >= due_us)
        tell_unassigned(s, true, false, cmd, ctx, ret);
    else if (s->wake_at_us > due_us)
        s->wake_at_us = due_us;
}

/* When the first of those who are being asked counts as lost. */
static int64_t patient_until(const struct search *s, int64_t now_us, int64_t patience_us) {
    int64_t until_us = now_us + patience_us;
    for (int32_t i = 0; i < s->asked_count; i++) {
        int64_t lost_us = s->asked[i].at_us + patience_us;
        if (s->asked[i].outcome == OUTCOME_OFFERED && lost_us > now_us && lost_us < until_us)
            until_us = lost_us;
    }
    return until_us;
}

/* Looks at who is near, asks as many as may be asked now, and says when to look again. */
static void go_round(struct search *s, const struct command *cmd, const struct decide_ctx *ctx,
                     struct decision *ret) {
    const struct driver_service *service = cmd->service;
    const struct driver_options *o = &service->o;
    int64_t now_us = ctx->now_us;
    s->wake_at_us = 0;
    if (s->status != SEARCH_OPEN || !s->begun || now_us >= s->search_until_us)
        return; /* in the end the booking says that it has expired */
    give_up_lost(s, o->offer_timeout_s, ctx);
    int32_t wave = search_room(o, s, now_us);
    int64_t patience_us = o->offer_timeout_s * US_PER_S + SEARCH_LOST_US;
    if (wave <= 0) {
        s->wake_at_us = patient_until(s, now_us, patience_us);
        note_unassigned(s, cmd, ctx, ret);
        return;
    }
    const struct search_facts *facts = cmd->facts;
    struct dispatch_candidate *plan =
        arena_array(ctx->arena, struct dispatch_candidate, facts->near_count + 1);
    int32_t chosen = search_plan(o, s, facts, wave, now_us, ctx->arena, plan);
    struct search_round *round =
        trace_round(s, plan, facts->near_count, facts->near, now_us, ctx->arena);
    for (int32_t i = 0; i < chosen; i++) {
        struct str offer_id = id_new(ctx->arena, "ofr", now_us, ctx->rng);
        round->candidates[i].offer_id = offer_id;
        add_asked(s, arena_str(ctx->arena, plan[i].driver_id), offer_id, now_us);
        send_claim(s, &plan[i], &facts->near[plan[i].tag], offer_id, cmd, ctx, ret);
    }
    if (chosen == 0)
        s->radius_m = dispatch_next_radius(s->radius_m, o->search_radius_max_m);
    s->wake_at_us =
        chosen == wave ? now_us + patience_us : window_end_us(o, now_us + SEARCH_PAUSE_US);
    note_unassigned(s, cmd, ctx, ret);
}

/* ---- decisions ---- */

/* What the booking says of itself, unless something newer is known. */
static void hear(struct search *s, const struct ev_booking *b, enum search_status status,
                 int64_t now_us) {
    if (b->version <= s->heard_version && s->heard_version > 0)
        return;
    s->heard_version = b->version;
    s->status = (int32_t)status;
    s->wake_at_us = 0;
    s->done_at_us = status == SEARCH_DONE ? now_us : 0;
}

/* Its search may have been there, and be gone as its trace is: what is to come would be waited for
 * in vain. */
static bool may_be_forgotten(const struct command *cmd, const struct decide_ctx *ctx) {
    const struct driver_service *service = cmd->service;
    return id_time_us(cmd->id) < ctx->now_us - service->o.trace_keep_us;
}

/* Not with which words: those are the booking's, which forgets them with its customer. Nobody would
 * find them here, for a search does not know whose it was. */
static struct str left_words(const struct ev_offer *offer) {
    return str_is(offer->reason, "released")     ? STR("gave it back")
           : str_is(offer->reason, "reassigned") ? STR("it was given to another")
                                                 : STR("it was taken from him");
}

static void decide_begin(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct driver_service *service = cmd->service;
    const struct ev_booking *b = cmd->args;
    const struct search *old = state;
    if (old != NULL && old->begun)
        return;
    struct search *s = old != NULL ? search_edit(cmd, ctx, old, ret)
                                   : search_new(cmd, ctx, b->booking_id, SEARCH_OPEN, ret);
    search_fill(s, b, service->o.search_radius_m);
    s->begun_at_us = ctx->now_us;
    if (service->o.window_us > 0)
        s->wake_at_us = window_end_us(&service->o, ctx->now_us + 1);
    else
        go_round(s, cmd, ctx, ret);
}

static void decide_wake(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct search *old = state;
    if (old == NULL || old->wake_at_us == 0 || old->wake_at_us > ctx->now_us)
        return;
    go_round(search_edit(cmd, ctx, old, ret), cmd, ctx, ret);
}

static void decide_refused(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct ev_claim *claim = cmd->args;
    if (state == NULL)
        return;
    struct search *s = search_edit(cmd, ctx, state, ret);
    struct search_asked *asked = asked_offer(s, claim->offer_id);
    bool waited = asked != NULL && asked->outcome == OUTCOME_OFFERED;
    if (waited) {
        asked->outcome = OUTCOME_PASSED_OVER;
        asked->at_us = ctx->now_us;
    }
    if (waited || claim->manual)
        trace_outcome(s, claim->offer_id, OUTCOME_PASSED_OVER, REASON_REFUSED, claim->reason,
                      ctx->arena);
    if (waited)
        go_round(s, cmd, ctx, ret);
}

static void decide_closed(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct ev_offer *offer = ((const struct ev_booking *)cmd->args)->offer;
    if (state == NULL)
        return;
    struct search *s = search_edit(cmd, ctx, state, ret);
    bool changed = str_is(offer->reason, "changed"); /* he may be asked for the trip as it is now */
    bool declined = str_is(offer->reason, "declined");
    bool timed_out = str_is(offer->reason, "timed_out");
    enum outcome outcome = declined    ? OUTCOME_DECLINED
                           : timed_out ? OUTCOME_TIMED_OUT
                                       : OUTCOME_PASSED_OVER;
    struct search_asked *asked = asked_offer(s, offer->id);
    bool waited = asked != NULL && asked->outcome == OUTCOME_OFFERED;
    if (asked != NULL && asked->outcome != OUTCOME_DECLINED && asked->outcome != OUTCOME_LEFT) {
        asked->outcome = (int32_t)outcome;
        asked->at_us = ctx->now_us;
    }
    if (asked != NULL && changed && waited)
        drop_asked(s, (int32_t)(asked - s->asked));
    if (declined || timed_out)
        trace_outcome(s, offer->id, outcome, REASON_NONE, STR_NONE, ctx->arena);
    else /* it was made, and taken back: not his doing */
        trace_outcome(s, offer->id, OUTCOME_OFFERED,
                      str_is(offer->reason, "accepted_elsewhere") ? REASON_ELSEWHERE
                                                                  : REASON_WITHDRAWN,
                      STR_NONE, ctx->arena);
    if (waited && (declined || timed_out))
        go_round(s, cmd, ctx, ret);
    else if (s->status == SEARCH_OPEN && s->begun)
        s->wake_at_us = ctx->now_us + SEARCH_PAUSE_US;
}

static void decide_wanted(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct search_facts *facts = cmd->facts;
    const struct ev_booking *b = cmd->args;
    if (state == NULL && !may_be_forgotten(cmd, ctx)) {
        ret->result = ERR_AGAIN; /* it is known before anybody is chosen for it: wait for that */
        return;
    }
    struct search *s = state != NULL ? search_edit(cmd, ctx, state, ret)
                                     : search_new(cmd, ctx, b->booking_id, SEARCH_OPEN, ret);
    if (state == NULL)
        s->search_until_us = b->search_until_us;
    enum dispatch_reason reason = facts->unknown_driver ? REASON_NOBODY : REASON_CHOSEN;
    trace_manual(s, b->offer->driver_id, facts->named, b->offer->id,
                 facts->unknown_driver ? OUTCOME_PASSED_OVER : OUTCOME_OFFERED, reason, ctx->now_us,
                 ctx->arena);
    if (!facts->unknown_driver)
        return;
    struct ev_claim e = {.booking_id = b->booking_id,
                         .offer_id = b->offer->id,
                         .driver_id = b->offer->driver_id,
                         .driver_user_id = id_with_prefix(ctx->arena, b->offer->driver_id, "usr"),
                         .vehicle = b->vehicle,
                         .rating = NAN,
                         .manual = true,
                         .reason = dispatch_reason_words(reason)};
    decision_event(ret, cmd, ctx, EV_DISPATCH_REFUSED, b->booking_id, &ev_claim_schema, &e);
}

static void decide_assigned(const struct command *cmd, const struct decide_ctx *ctx,
                            const void *state, struct decision *ret) {
    const struct search_facts *facts = cmd->facts;
    const struct ev_booking *b = cmd->args;
    struct search *s = state != NULL ? search_edit(cmd, ctx, state, ret)
                                     : search_new(cmd, ctx, b->booking_id, SEARCH_DONE, ret);
    hear(s, b, SEARCH_DONE, ctx->now_us);
    if (s->unassigned && s->status == SEARCH_DONE)
        tell_unassigned(s, false, false, cmd, ctx, ret);
    struct str offer_id = b->offer != NULL ? b->offer->id : STR_NONE;
    struct search_asked *asked = asked_offer(s, offer_id);
    if (asked != NULL && asked->outcome == OUTCOME_LEFT)
        return; /* late news: he has it no more */
    if (asked != NULL)
        asked->outcome = OUTCOME_ACCEPTED;
    bool manual = b->offer != NULL && b->offer->manual;
    bool at_once = b->offer != NULL && b->offer->at_once;
    enum dispatch_reason reason = manual ? REASON_CHOSEN : at_once ? REASON_AUTO : REASON_NONE;
    if (!trace_outcome(s, offer_id, OUTCOME_ACCEPTED, reason, STR_NONE, ctx->arena))
        trace_manual(s, b->driver_id, facts->named, offer_id, OUTCOME_ACCEPTED, reason, ctx->now_us,
                     ctx->arena);
}

static void decide_ended(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct ev_booking *b = cmd->args;
    const struct search *old = state;
    if (old == NULL) {
        search_new(cmd, ctx, b->booking_id, SEARCH_DONE, ret)->heard_version = b->version;
    } else if (old->status == SEARCH_OPEN || b->driver_id.p == NULL) {
        struct search *s = search_edit(cmd, ctx, old, ret);
        hear(s, b, SEARCH_DONE, ctx->now_us);
        if (b->state == BOOKING_EXPIRED) /* somebody has to tell the customer, or find a driver */
            tell_unassigned(s, true, true, cmd, ctx, ret);
        else if (s->unassigned)
            tell_unassigned(s, false, false, cmd, ctx, ret);
    }
}

/* Its driver has it no more. The trace says so; and unless it has gone to another, or a dispatcher
 * will choose, dispatch looks again: not at him. */
static void decide_unassigned(const struct command *cmd, const struct decide_ctx *ctx,
                              const void *state, struct decision *ret) {
    const struct driver_service *service = cmd->service;
    const struct ev_booking *b = cmd->args;
    if (state == NULL && !may_be_forgotten(cmd, ctx)) {
        ret->result = ERR_AGAIN; /* that it was given is on its way: wait for that */
        return;
    }
    struct search *s = state != NULL ? search_edit(cmd, ctx, state, ret)
                                     : search_new(cmd, ctx, b->booking_id, SEARCH_DONE, ret);
    add_asked(s, b->offer->driver_id, b->offer->id, ctx->now_us);
    s->asked[s->asked_count - 1].outcome = OUTCOME_LEFT;
    trace_outcome(s, b->offer->id, OUTCOME_LEFT, REASON_LEFT, left_words(b->offer), ctx->arena);
    if (b->version <= s->heard_version)
        return; /* it has been given or ended since */
    bool again = b->state == BOOKING_REQUESTED && !b->held && b->stop_count >= 2;
    hear(s, b, again ? SEARCH_OPEN : SEARCH_DONE, ctx->now_us);
    if (!again)
        return;
    search_fill(s, b, service->o.search_radius_m);
    s->begun_at_us = ctx->now_us;
    go_round(s, cmd, ctx, ret);
}

/* It looks by its wake-up. Should what it begins with come yet, that is older. */
static void begin_late(const struct command *cmd, const struct decide_ctx *ctx,
                       const struct search *old, struct decision *ret) {
    const struct driver_service *service = cmd->service;
    const struct ev_booking *b = cmd->args;
    struct search *s = old != NULL ? search_edit(cmd, ctx, old, ret)
                                   : search_new(cmd, ctx, b->booking_id, SEARCH_OPEN, ret);
    search_fill(s, b, service->o.search_radius_m);
    s->begun_at_us = ctx->now_us;
    if (s->status == SEARCH_OPEN)
        s->wake_at_us = window_end_us(&service->o, ctx->now_us + 1);
}

/* Its stops are others: whoever is asked from now on is told of those. That he who was asked before
 * is not any more comes by itself, with the same version. */
static void decide_changed(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct ev_booking *b = cmd->args;
    const struct search *old = state;
    bool searching = b->state == BOOKING_REQUESTED || b->state == BOOKING_OFFERED;
    bool begun = old != NULL && old->begun;
    if (searching && !begun && may_be_forgotten(cmd, ctx))
        begin_late(cmd, ctx, old, ret);
    else if (searching && !begun)
        ret->result = ERR_AGAIN; /* what it begins with has these no more: wait */
    else if (begun && old->trip_version < b->version)
        fill_trip(search_edit(cmd, ctx, old, ret), b);
}

/* ---- around them ---- */

static void search_applied(const struct command *cmd, const struct decision *d, const void *state) {
    (void)state;
    struct driver_service *service = cmd->service;
    search_release(cmd, d->state);
    window_note(service, cmd->id, d->state);
    service->stats.rounds += d->state != NULL;
    for (int32_t i = 0; i < d->event_count; i++)
        service->stats.claims += str_is(d->events[i].type, EV_DISPATCH_CLAIM);
}

static void search_undone(const struct command *cmd) {
    search_release(cmd, NULL);
}

#define SEARCH_COMMAND(label, load_fn, decide_fn)                                                  \
    {                                                                                              \
        .name = (label), .aggregate = &search_aggregate, .load = (load_fn), .decide = (decide_fn), \
        .applied = search_applied, .undone = search_undone                                         \
    }

const struct command_type search_begin_type =
    SEARCH_COMMAND("dispatch.begin", search_load_begin, decide_begin);
const struct command_type search_wake_type =
    SEARCH_COMMAND("dispatch.wake", search_load_wake, decide_wake);
const struct command_type search_refused_type =
    SEARCH_COMMAND("dispatch.refused", search_load, decide_refused);
const struct command_type search_closed_type =
    SEARCH_COMMAND("dispatch.offer_closed", search_load, decide_closed);
const struct command_type search_wanted_type =
    SEARCH_COMMAND("dispatch.assign_wanted", search_load_named, decide_wanted);
const struct command_type search_assigned_type =
    SEARCH_COMMAND("dispatch.assigned", search_load_named, decide_assigned);
const struct command_type search_unassigned_type =
    SEARCH_COMMAND("dispatch.unassigned", search_load_anew, decide_unassigned);
const struct command_type search_changed_type = {
    .name = "dispatch.stops_changed", .aggregate = &search_aggregate, .decide = decide_changed};
const struct command_type search_ended_type = {
    .name = "dispatch.ended", .aggregate = &search_aggregate, .decide = decide_ended};
