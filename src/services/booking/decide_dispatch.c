/* What the driver service says: a driver is claimed, could not be claimed, has dropped out, or
 * holds a claim of which he has heard nothing for too long. Its events may come late, twice, or in
 * another order than they were sent; offers are known by their ids, and closed ones are remembered,
 * so that what is over stays over. A driver's claim goes only when the booking says so: therefore
 * every claim that the booking has no use for is answered with offer_closed.
 */
#include "base/check.h"
#include "base/err.h"
#include "services/booking/internal.h"

static struct str some(struct str s) {
    return s.len > 0 ? s : STR_NONE;
}

static void take_driver(const struct ev_claim *claim, struct booking_offer *offer) {
    offer->driver = (struct booking_driver){.id = claim->driver_id,
                                            .user_id = claim->driver_user_id,
                                            .name = some(claim->driver_name),
                                            .phone = some(claim->driver_phone),
                                            .plate = some(claim->plate),
                                            .rating = claim->rating,
                                            .free_at_us = claim->free_at_us};
    offer->pickup_distance_m = claim->pickup_distance_m;
    offer->pickup_eta_s = claim->pickup_eta_s;
}

static bool is_assigned_by(const struct booking *b, struct str offer_id) {
    return b->driver != NULL && str_eq(b->driver->offer_id, offer_id);
}

/* Answers a claim with offer_closed. */
static void refuse_claim(const struct command *cmd, const struct decide_ctx *ctx,
                         const struct booking *b, int32_t reason, struct decision *ret) {
    const struct ev_claim *claim = cmd->args;
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_refuse_offer(&e, claim->offer_id, claim->driver_id, claim->driver_user_id, reason);
    edit_commit(&e, ret);
    if (claim->manual) { /* a dispatcher may still be waiting */
        decision_problem(ret, cmd, PROBLEM_DRIVER_UNAVAILABLE, "the booking is %s",
                         booking_state_names[b->state]);
        ret->wake_key = claim->offer_id;
    }
}

/* ---- dispatch.offered ---- */

/* The open offer by which a dispatcher wants this driver, or -1. */
static int32_t wanted_offer(const struct booking *b, struct str driver_id) {
    for (int32_t i = 0; i < b->offer_count; i++) {
        if (b->offers[i].wanted && str_eq(b->offers[i].driver.id, driver_id))
            return i;
    }
    return -1;
}

/* A dispatcher's choice is claimed: the booking is his. WANTED is the offer that waits for it. It
 * may be another than the claim's: dispatch had claimed him for this very booking a moment before,
 * and he cannot be claimed twice. Whoever waits gets the booking. */
static void assign_wanted(const struct command *cmd, const struct decide_ctx *ctx,
                          const struct booking *b, int32_t wanted, struct decision *ret) {
    const struct ev_claim *claim = cmd->args;
    struct booking_offer offer = {
        .id = claim->offer_id, .expires_at_us = b->search_until_us, .wanted = claim->manual};
    const struct booking_offer *want = wanted >= 0 ? &b->offers[wanted] : NULL;
    if (want != NULL)
        ret->wake_key = want->id;
    take_driver(claim, &offer);
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_put_offer(&e, &offer);
    if (b->driver != NULL) /* now that the other one is sure, and not before */
        edit_unassign(&e, CLOSE_REASSIGNED, want != NULL ? want->reason : STR_NONE);
    edit_assign(&e, booking_offer_index(e.b, offer.id), ACTION_ASSIGN, HAT_STAFF);
    edit_commit(&e, ret);
    booking_audit_hands(ret, cmd, ctx,
                        b->driver != NULL ? "booking.reassigned" : "booking.assigned", b, e.b, want,
                        want != NULL ? want->reason : STR_NONE);
    edit_reply_staff(&e, ret, 200);
}

static void record_offer(const struct command *cmd, const struct decide_ctx *ctx,
                         const struct booking *b, struct decision *ret) {
    const struct booking_service *s = cmd->service;
    const struct ev_claim *claim = cmd->args;
    int64_t until_us = ctx->now_us + s->o.offer_timeout_us;
    struct booking_offer offer = {.id = claim->offer_id,
                                  .expires_at_us =
                                      until_us < b->search_until_us ? until_us : b->search_until_us,
                                  .at_once = claim->at_once};
    take_driver(claim, &offer);
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_put_offer(&e, &offer);
    edit_move(&e, ACTION_OFFER, HAT_SYSTEM);
    struct timeline_entry *entry = edit_entry(&e, ENTRY_OFFERED);
    entry->offer_id = offer.id;
    entry->driver_id = offer.driver.id;
    if (offer.at_once) /* nothing to show him: it is his */
        edit_assign(&e, booking_offer_index(e.b, offer.id), ACTION_ACCEPT, HAT_ASKED);
    else
        edit_event(&e, ENTRY_OFFERED, &offer);
    edit_commit(&e, ret);
}

static bool is_asked(const struct booking *b, struct str driver_id) {
    for (int32_t i = 0; i < b->offer_count; i++) {
        if (!b->offers[i].wanted && str_eq(b->offers[i].driver.id, driver_id))
            return true;
    }
    return false;
}

static void decide_offered(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct booking *b = state;
    const struct ev_claim *claim = cmd->args;
    if (b == NULL || is_assigned_by(b, claim->offer_id))
        return;
    int32_t i = booking_offer_index(b, claim->offer_id);
    if (i >= 0 && !b->offers[i].wanted)
        return; /* heard of already */
    int32_t wanted = wanted_offer(b, claim->driver_id);
    const struct closed_offer *closed = booking_closed(b, claim->offer_id);
    bool searching = booking_is_searching(b->state) && ctx->now_us < b->search_until_us;
    bool changes_hands = wanted >= 0 && booking_may_change_hands(b->state);
    if (closed != NULL)
        refuse_claim(cmd, ctx, b, closed->reason, ret);
    else if (!searching && !changes_hands)
        refuse_claim(cmd, ctx, b, b->driver != NULL ? CLOSE_ACCEPTED_ELSEWHERE : CLOSE_WITHDRAWN,
                     ret);
    else if (i < 0 && (b->offer_count == OFFERS_MAX || is_asked(b, claim->driver_id)))
        refuse_claim(cmd, ctx, b, CLOSE_WITHDRAWN, ret);
    else if (claim->manual || wanted >= 0)
        assign_wanted(cmd, ctx, b, wanted, ret);
    else
        record_offer(cmd, ctx, b, ret);
}

const struct command_type booking_offered = {
    .name = "booking.offered",
    .aggregate = &booking_aggregate,
    .decide = decide_offered,
    .applied = booking_applied,
};

/* ---- dispatch.refused: only a dispatcher's choice waits for it ---- */

static void decide_refused(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct booking *b = state;
    const struct ev_claim *claim = cmd->args;
    if (b == NULL || !claim->manual)
        return;
    int32_t i = booking_offer_index(b, claim->offer_id);
    if (i < 0 || !b->offers[i].wanted)
        return;
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_close_offer(&e, i, CLOSE_WITHDRAWN);
    edit_commit(&e, ret);
    decision_problem(
        ret, cmd, PROBLEM_DRIVER_UNAVAILABLE, "%.*s",
        STR_ARG(claim->reason.len > 0 ? claim->reason : STR("the driver is not available")));
    ret->wake_key = claim->offer_id;
}

const struct command_type booking_refused = {
    .name = "booking.refused",
    .aggregate = &booking_aggregate,
    .decide = decide_refused,
    .applied = booking_applied,
};

/* ---- driver.next_begun: he has finished what he had before it ---- */

/* From here on it is his, or his to answer, like any. If his claim is not known here yet, this says
 * so as well. */
static void decide_next_begun(const struct command *cmd, const struct decide_ctx *ctx,
                              const void *state, struct decision *ret) {
    const struct booking *b = state;
    const struct ev_claim *claim = cmd->args;
    if (b == NULL)
        return;
    bool his = is_assigned_by(b, claim->offer_id);
    int32_t i = booking_offer_index(b, claim->offer_id);
    if (!his && (i < 0 || b->offers[i].wanted)) {
        decide_offered(cmd, ctx, state, ret);
        return;
    }
    if (his ? !booking_waits(b) : b->offers[i].driver.free_at_us == 0)
        return; /* heard before, or it is over */
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    if (his) { /* its customer waited for this, and his free minutes begin */
        e.b->driver = arena_copy(ctx->arena, b->driver, sizeof(*b->driver));
        e.b->driver->free_at_us = 0;
        struct timeline_entry *entry = edit_entry(&e, ENTRY_DRIVER_FREE);
        entry->offer_id = claim->offer_id;
        entry->driver_id = claim->driver_id;
    } else {
        struct booking_offer offer = b->offers[i];
        offer.driver.free_at_us = 0;
        edit_put_offer(&e, &offer);
    }
    edit_event(&e, ENTRY_DRIVER_FREE, NULL);
    edit_commit(&e, ret);
}

const struct command_type booking_next_begun = {
    .name = "booking.next_begun",
    .aggregate = &booking_aggregate,
    .decide = decide_next_begun,
    .applied = booking_applied,
};

/* ---- driver.offer_dropped: he went off duty, or was suspended; or what he was to do next comes
 * too late ---- */

static void decide_dropped(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct booking *b = state;
    const struct ev_claim *claim = cmd->args;
    if (b == NULL)
        return;
    if (is_assigned_by(b, claim->offer_id)) {
        /* He took it before he left; it is his to finish, unless he has not come to it yet. */
        if (booking_waits(b) && !booking_lost_enough(b))
            booking_lose_next(cmd, ctx, b, arena_str(ctx->arena, claim->reason), ret);
        return;
    }
    const struct closed_offer *closed = booking_closed(b, claim->offer_id);
    int32_t i = booking_offer_index(b, claim->offer_id);
    if (i < 0) { /* its dispatch.offered is still on the way, or it is closed: either way, say so */
        refuse_claim(cmd, ctx, b, closed != NULL ? closed->reason : CLOSE_DECLINED, ret);
        return;
    }
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_close_offer(&e, i, CLOSE_DECLINED);
    edit_lapse(&e);
    edit_commit(&e, ret);
}

const struct command_type booking_dropped = {
    .name = "booking.dropped",
    .aggregate = &booking_aggregate,
    .decide = decide_dropped,
    .applied = booking_applied,
};

/* ---- driver.claim_stale: what has become of my claim? ---- */

/* It was his: if it still is, that is said again, to his claim alone: what made it his may still be
 * on its way, and he asks every half minute. If it is over, the claim may go. */
static void answer_winner(const struct command *cmd, const struct decide_ctx *ctx,
                          const struct booking *b, struct decision *ret) {
    const struct ev_claim *claim = cmd->args;
    if (booking_is_final(b->state)) {
        refuse_claim(cmd, ctx, b, CLOSE_WITHDRAWN, ret);
        return;
    }
    struct booking_offer offer = {.id = claim->offer_id,
                                  .driver = *b->driver,
                                  .pickup_distance_m = I64_ABSENT,
                                  .pickup_eta_s = I64_ABSENT};
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_event(&e, ENTRY_ASSIGNED, &offer)->inner = true;
    edit_commit(&e, ret);
}

static void decide_stale(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct booking *b = state;
    const struct ev_claim *claim = cmd->args;
    if (b == NULL)
        return;
    if (is_assigned_by(b, claim->offer_id)) {
        answer_winner(cmd, ctx, b, ret);
        return;
    }
    int32_t i = booking_offer_index(b, claim->offer_id);
    const struct closed_offer *closed = booking_closed(b, claim->offer_id);
    if (i < 0) {
        refuse_claim(cmd, ctx, b, closed != NULL ? closed->reason : CLOSE_WITHDRAWN, ret);
        return;
    }
    if (ctx->now_us < b->offers[i].expires_at_us)
        return; /* still open: its end will be told */
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_close_offer(&e, i, CLOSE_TIMED_OUT);
    edit_lapse(&e);
    edit_commit(&e, ret);
}

const struct command_type booking_stale = {
    .name = "booking.stale",
    .aggregate = &booking_aggregate,
    .decide = decide_stale,
    .applied = booking_applied,
};
