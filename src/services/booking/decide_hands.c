/* How a booking loses its driver before the goods are picked up: a dispatcher takes it from him, or
 * he gives it back. It is `requested` again and dispatch looks anew, with a time of its own, unless
 * a dispatcher has said that he will choose himself. Giving it to another straight away is
 * assigning (decide_offer.c): there the old driver keeps it until the new one is claimed, so that
 * it is never nobody's.
 */
#include "base/check.h"
#include "base/timestamp.h"
#include "runtime/audit.h"
#include "services/booking/internal.h"

static const char *const audited[] = {"state", "driver", "held", NULL};

void booking_audit_hands(struct decision *ret, const struct command *cmd,
                         const struct decide_ctx *ctx, const char *action, const struct booking *b,
                         const struct booking *next, const struct booking_offer *wanted,
                         struct str reason) {
    struct command as = *cmd; /* what he wanted comes about by another's word: it is his act */
    if (wanted != NULL)
        as.who = (struct identity){
            .user_id = wanted->by_id, .sid = wanted->by_key, .role = (enum role)wanted->by_role};
    decision_audit(ret, &as, ctx, action, b, next,
                   &(struct audit_more){.kept = true, .only = audited, .reason = reason});
}

/* As long as a search lasts, and at least until the pickup's window ends. */
static int64_t search_end(const struct booking_service *s, const struct booking *b,
                          int64_t now_us) {
    int64_t until_us = now_us + (b->held ? s->o.held_timeout_us : s->o.search_timeout_us);
    bool later = b->pickup_window != NULL && b->pickup_window->to_us > until_us;
    return later ? b->pickup_window->to_us : until_us;
}

/* Its driver has it no more: another is looked for, or a dispatcher will choose (HELD). */
static void take_away(struct edit *e, bool held, int32_t reason, struct str why,
                      struct decision *ret) {
    e->b->held = held;
    e->b->search_until_us = search_end(e->cmd->service, e->b, e->ctx->now_us);
    e->b->pickup_due_us = 0;
    edit_unassign(e, reason, why);
    edit_commit(e, ret);
}

static void lose_driver(const struct command *cmd, const struct decide_ctx *ctx,
                        enum booking_action action, int32_t reason, const char *wanted,
                        const struct booking *b, struct decision *ret) {
    const struct leave_body *body = cmd->args;
    unsigned hats = b != NULL ? booking_hats(b, &cmd->who) : 0;
    if (!booking_at_hand(b, cmd, hats, body->version, ret))
        return;
    CHECK(b != NULL);
    struct booking_ask ask = booking_ask_of(b, action, hats);
    ask.has_reason = body->reason.p != NULL;
    int32_t to;
    enum verdict v = booking_judge(&ask, &to);
    if (v != VERDICT_OK) {
        booking_refuse(b, cmd, &ask, v, wanted, ret);
        return;
    }
    if (!booking_may_lose_driver(b, cmd, hats, ret))
        return;
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_move(&e, action, hats);
    take_away(&e, body->search == TRI_FALSE, reason, body->reason, ret);
    if (reason == CLOSE_UNASSIGNED)
        booking_audit_hands(ret, cmd, ctx, "booking.unassigned", b, e.b, NULL, body->reason);
    edit_reply(&e, ret, 200);
}

void booking_lose_next(const struct command *cmd, const struct decide_ctx *ctx,
                       const struct booking *b, struct str why, struct decision *ret) {
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_move(&e, ACTION_UNASSIGN, HAT_SYSTEM);
    take_away(&e, false, CLOSE_UNASSIGNED, why, ret);
}

static void decide_unassign(const struct command *cmd, const struct decide_ctx *ctx,
                            const void *state, struct decision *ret) {
    lose_driver(cmd, ctx, ACTION_UNASSIGN, CLOSE_UNASSIGNED, "taking it from its driver", state,
                ret);
}

const struct command_type booking_unassign = {
    .name = "booking.unassign",
    .aggregate = &booking_aggregate,
    .decide = decide_unassign,
    .applied = booking_applied,
};

static void decide_release(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    lose_driver(cmd, ctx, ACTION_RELEASE, CLOSE_RELEASED, "giving it back", state, ret);
}

const struct command_type booking_release = {
    .name = "booking.release",
    .aggregate = &booking_aggregate,
    .decide = decide_release,
    .applied = booking_applied,
};
