/* Who gets the booking: accept, decline, a dispatcher's choice, and the clock. A booking in the
 * store has one version, so of two drivers who accept at once one wins and the other is told.
 */
#include "base/check.h"
#include "base/id.h"
#include "services/booking/schedule.h"

#include <math.h>

/* ---- accept and decline ---- */

static void offer_closed(const struct booking *b, const struct command *cmd, struct str offer_id,
                         struct decision *d) {
    const struct closed_offer *closed = booking_closed(b, offer_id);
    decision_problem(d, cmd, PROBLEM_OFFER_CLOSED, "this offer is not open%s%s",
                     closed != NULL ? ": " : "",
                     closed != NULL ? close_reason_names[closed->reason] : "");
}

/* The place of the open offer that CMD's driver may answer now, or -1. */
static int32_t own_offer(const struct booking *b, const struct command *cmd, struct str offer_id,
                         int64_t now_us) {
    int32_t i = booking_offer_index(b, offer_id);
    if (i < 0 || b->offers[i].wanted || now_us >= b->offers[i].expires_at_us ||
        !str_eq(b->offers[i].driver.user_id, cmd->who.user_id))
        return -1;
    return i;
}

static bool is_winner(const struct booking *b, const struct command *cmd, struct str offer_id) {
    return b->driver != NULL && str_eq(b->driver->offer_id, offer_id) &&
           str_eq(b->driver->user_id, cmd->who.user_id);
}

static void decide_accept(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct booking *b = state;
    const struct offer_body *body = cmd->args;
    if (b == NULL) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such booking");
        return;
    }
    if (is_winner(b, cmd, body->offer_id)) { /* he asks again: the answer was lost */
        booking_unchanged(b, cmd, ctx, ret);
        return;
    }
    int32_t i = own_offer(b, cmd, body->offer_id, ctx->now_us);
    struct booking_ask ask = booking_ask_of(b, ACTION_ACCEPT, i >= 0 ? HAT_ASKED : 0);
    int32_t to;
    if (booking_judge(&ask, &to) != VERDICT_OK) {
        offer_closed(b, cmd, body->offer_id, ret);
        return;
    }
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_assign(&e, i, ACTION_ACCEPT, HAT_ASKED);
    edit_commit(&e, ret);
    edit_reply(&e, ret, 200);
}

const struct command_type booking_accept = {
    .name = "booking.accept",
    .aggregate = &booking_aggregate,
    .decide = decide_accept,
    .applied = booking_applied,
};

static void decide_decline(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct booking *b = state;
    const struct offer_body *body = cmd->args;
    if (b == NULL) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such booking");
        return;
    }
    struct str driver_id = id_with_prefix(ctx->arena, cmd->who.user_id, "drv");
    const struct closed_offer *closed = booking_closed(b, body->offer_id);
    if (closed != NULL && closed->reason == CLOSE_DECLINED && str_eq(closed->driver_id, driver_id))
        return; /* again: 204 */
    int32_t i = own_offer(b, cmd, body->offer_id, ctx->now_us);
    if (i < 0) {
        offer_closed(b, cmd, body->offer_id, ret);
        return;
    }
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_close_offer(&e, i, CLOSE_DECLINED);
    edit_lapse(&e);
    edit_commit(&e, ret);
}

const struct command_type booking_decline = {
    .name = "booking.decline",
    .aggregate = &booking_aggregate,
    .decide = decide_decline,
    .applied = booking_applied,
};

/* ---- a dispatcher's choice ---- */

static int32_t offer_of_driver(const struct booking *b, struct str driver_id) {
    for (int32_t i = 0; i < b->offer_count; i++) {
        if (str_eq(b->offers[i].driver.id, driver_id))
            return i;
    }
    return -1;
}

/* Asks the driver service to claim him. The answer waits for its word, or says 202. */
static void want_driver(const struct command *cmd, const struct decide_ctx *ctx,
                        const struct booking *b, struct decision *ret) {
    const struct booking_service *s = cmd->service;
    const struct assign_body *body = cmd->args;
    struct booking_offer offer = {.id = id_new(ctx->arena, "ofr", ctx->now_us, ctx->rng),
                                  .expires_at_us = ctx->now_us + s->o.offer_timeout_us,
                                  .pickup_distance_m = I64_ABSENT,
                                  .pickup_eta_s = I64_ABSENT,
                                  .wanted = true,
                                  .reason = body->reason,
                                  .by_id = cmd->who.user_id,
                                  .by_key =
                                      str_starts(cmd->who.sid, "apk_") ? cmd->who.sid : STR_NONE,
                                  .by_role = (int32_t)cmd->who.role};
    offer.driver.id = body->driver_id;
    offer.driver.user_id = id_with_prefix(ctx->arena, body->driver_id, "usr");
    offer.driver.rating = NAN;
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_put_offer(&e, &offer);
    struct timeline_entry *entry = edit_entry(&e, ENTRY_ASSIGN_WANTED);
    entry->offer_id = offer.id;
    entry->driver_id = offer.driver.id;
    entry->reason = body->reason;
    edit_event(&e, ENTRY_ASSIGN_WANTED, &offer);
    edit_commit(&e, ret);
    edit_reply(&e, ret, 202);
    ret->park_key = offer.id;
}

/* He has an open offer of this booking: he is claimed for it, so it is his at once. */
static void give_offer(const struct command *cmd, const struct decide_ctx *ctx,
                       const struct booking *b, int32_t i, struct decision *ret) {
    const struct assign_body *body = cmd->args;
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_assign(&e, i, ACTION_ASSIGN, HAT_STAFF);
    edit_commit(&e, ret);
    booking_audit_hands(ret, cmd, ctx, "booking.assigned", b, e.b, NULL, body->reason);
    edit_reply(&e, ret, 200);
}

static void decide_assign(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct booking *b = state;
    const struct assign_body *body = cmd->args;
    unsigned hats = b != NULL ? booking_hats(b, &cmd->who) : 0;
    if (!booking_at_hand(b, cmd, hats, body->version, ret))
        return;
    CHECK(b != NULL);
    if (b->driver != NULL && str_eq(b->driver->id, body->driver_id) &&
        !booking_is_final(b->state)) {
        booking_unchanged(b, cmd, ctx, ret);
        return;
    }
    struct booking_ask ask = booking_ask_of(b, ACTION_ASSIGN, hats);
    ask.has_reason = body->reason.p != NULL;
    int32_t to;
    enum verdict v = booking_judge(&ask, &to);
    if (v != VERDICT_OK) {
        booking_refuse(b, cmd, &ask, v, b->driver != NULL ? "giving it to another" : "assigning",
                       ret);
        return;
    }
    if (b->driver != NULL && !booking_may_lose_driver(b, cmd, hats, ret))
        return;
    int32_t i = offer_of_driver(b, body->driver_id);
    if (i >= 0 && b->offers[i].wanted) { /* asked for already: wait with whoever did */
        booking_unchanged(b, cmd, ctx, ret);
        ret->response.status = 202;
        ret->park_key = b->offers[i].id;
    } else if (i >= 0) {
        give_offer(cmd, ctx, b, i, ret);
    } else if (b->offer_count == OFFERS_MAX) {
        decision_problem(ret, cmd, PROBLEM_DRIVER_UNAVAILABLE, "%d drivers are being asked already",
                         OFFERS_MAX);
    } else {
        want_driver(cmd, ctx, b, ret);
    }
}

const struct command_type booking_assign = {
    .name = "booking.assign",
    .aggregate = &booking_aggregate,
    .decide = decide_assign,
    .applied = booking_applied,
};

/* ---- the clock ---- */

static void expire_search(struct edit *e) {
    edit_move(e, ACTION_EXPIRE, HAT_SYSTEM);
    edit_entry(e, ENTRY_EXPIRED);
    edit_event(e, ENTRY_EXPIRED, NULL);
    int64_t now_us = e->ctx->now_us;
    for (int32_t i = e->b->offer_count - 1; i >= 0; i--) {
        bool in_time = now_us < e->b->offers[i].expires_at_us;
        edit_close_offer(e, i, in_time ? CLOSE_WITHDRAWN : CLOSE_TIMED_OUT);
    }
}

static void expire_offers(struct edit *e) {
    for (int32_t i = e->b->offer_count - 1; i >= 0; i--) {
        if (e->ctx->now_us >= e->b->offers[i].expires_at_us)
            edit_close_offer(e, i, CLOSE_TIMED_OUT);
    }
    edit_lapse(e);
}

static void decide_wake(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct booking *b = state;
    int64_t due_us = b != NULL ? booking_aggregate.wake_at(b) : 0;
    if (due_us == 0 || ctx->now_us < due_us)
        return; /* what was due is settled */
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    if (b->state == BOOKING_SCHEDULED)
        schedule_wake(&e);
    else if (booking_is_searching(b->state) && ctx->now_us >= b->search_until_us)
        expire_search(&e);
    else
        expire_offers(&e);
    edit_commit(&e, ret);
}

const struct command_type booking_wake = {
    .name = "booking.wake",
    .aggregate = &booking_aggregate,
    .decide = decide_wake,
    .applied = booking_applied,
};
