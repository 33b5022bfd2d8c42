/* What people do with a booking on its way: the driver's status, cancelling, rating. Each asks the
 * machine and does what it says.
 */
#include "base/check.h"
#include "services/booking/collect.h"
#include "services/booking/fees.h"
#include "services/booking/internal.h"
#include "services/booking/ledger.h"
#include "services/booking/returns.h"

static enum verdict judge(const struct booking_ask *ask) {
    int32_t to;
    return booking_judge(ask, &to);
}

/* ---- status ---- */

static int32_t event_of_move(enum booking_action action, int32_t state) {
    if (action == ACTION_FAIL && !booking_is_final(state))
        return ENTRY_STOP_FAILED;
    switch (state) {
    case BOOKING_DELIVERED:
        return ENTRY_DELIVERED;
    case BOOKING_FAILED:
        return ENTRY_FAILED;
    case BOOKING_RETURNED:
        return ENTRY_RETURNED;
    default:
        return ENTRY_PROGRESSED;
    }
}

/* The driver leaves stop I: what he has waited there is paid for. */
static void charge_waiting(struct edit *e, int32_t i) {
    struct booking *b = e->b;
    if (!fees_leave(e->old, i, e->ctx->now_us, e->ctx->arena, &b->price))
        return;
    b->earning = price_earning(price_gross(&b->price), b->terms.commission_bp);
}

/* What follows for the stop that he leaves, or has come to. */
static void edit_status(struct edit *e, const struct booking_move *move, int32_t stop) {
    const struct status_body *body = e->cmd->args;
    struct booking *b = e->b;
    struct booking_stop *s = edit_stop(e, stop);
    bool goes_on = move->stop_state == STOP_FAILED && !booking_is_final(b->state);
    s->state = move->stop_state;
    if (move->conditions & MOVE_REASON)
        b->reason = s->reason = body->reason;
    if (move->stop_state == STOP_DONE || goes_on) /* also who was not there was waited for */
        charge_waiting(e, stop);
    if (b->state == BOOKING_RETURNING && booking_next_stop(b) == b->stop_count)
        returns_begin(e, e->cmd->facts);
    if (b->state == BOOKING_DELIVERED || b->state == BOOKING_RETURNED)
        ledger_delivered(b, e->ctx->now_us, e->ctx->arena);
}

/* May he say that now? *RET_STOP is the stop that it is of. False: RET has the problem. */
static bool may_say(const struct command *cmd, const struct booking *b, unsigned hats,
                    int32_t *ret_stop, struct decision *ret) {
    const struct status_body *body = cmd->args;
    enum booking_action action = booking_driver_action(body->status);
    struct booking_ask ask = booking_ask_of(b, action, hats);
    int32_t to = BOOKING_NONE;
    ask.stop = body->stop;
    ask.has_reason = body->reason.p != NULL;
    enum verdict v = action == ACTION_COUNT ? VERDICT_ILLEGAL : booking_judge(&ask, &to);
    *ret_stop = ask.next_stop;
    if (v != VERDICT_OK) {
        const char *wanted =
            arena_printf(cmd->arena, "status %s", booking_state_names[body->status]).p;
        booking_refuse(b, cmd, &ask, v, wanted, ret);
        return false;
    }
    if (!booking_is_the_stop(cmd, b, ask.next_stop, body->revision, ret))
        return false;
    if (booking_moves[b->state][action].stop_state == STOP_DONE &&
        (proof_lacking(b, ask.next_stop, cmd, ret) || collect_lacking(b, ask.next_stop, cmd, ret)))
        return false;
    bool begins = to == BOOKING_RETURNING && b->state == BOOKING_ARRIVED_DROPOFF;
    if (!begins || returns_fits(b, cmd->facts))
        return true;
    decision_problem(ret, cmd, PROBLEM_VERSION_CONFLICT, "it has changed meanwhile; try again");
    return false;
}

static void decide_status(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct booking *b = state;
    const struct status_body *body = cmd->args;
    unsigned hats = b != NULL ? booking_hats(b, &cmd->who) : 0;
    if (!booking_at_hand(b, cmd, hats, body->version, ret))
        return;
    CHECK(b != NULL);
    int32_t stop;
    if (!may_say(cmd, b, hats, &stop, ret))
        return;
    enum booking_action action = booking_driver_action(body->status);
    const struct booking_move *move = &booking_moves[b->state][action];
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_move(&e, action, hats);
    edit_status(&e, move, stop);
    bool stays = booking_may_change_hands(e.b->state);
    int32_t type = event_of_move(action, e.b->state);
    struct timeline_entry *entry = edit_entry(&e, type);
    entry->stop = stop;
    if (move->conditions & MOVE_REASON)
        entry->reason = body->reason;
    if (move->stop_state == STOP_FAILED)
        entry->amount = collect_failed(&e, stop);
    edit_event(&e, type, NULL);
    if (!stays) /* somebody else was wanted for it: too late */
        edit_close_offers(&e, CLOSE_WITHDRAWN);
    edit_commit(&e, ret);
    edit_reply(&e, ret, 200);
}

const struct command_type booking_status = {
    .name = "booking.status",
    .aggregate = &booking_aggregate,
    .decide = decide_status,
    .applied = booking_applied,
};

/* ---- cancel ---- */

/* The office cancels for nothing: whose fault it was, it knows itself. */
static int64_t cancel_fee(const struct booking *b, unsigned hats, int64_t now_us) {
    int64_t free_until_us;
    return (hats & HAT_STAFF) != 0 ? 0 : fees_cancel(b, now_us, &free_until_us);
}

/* What it would cost now, before it is done. */
void handle_cancellation(struct call *c) {
    const struct booking *b = visible_booking(c);
    if (b == NULL)
        return;
    unsigned hats = booking_hats(b, &c->who);
    struct booking_ask ask = booking_ask_of(b, ACTION_CANCEL, hats);
    bool may = judge(&ask) == VERDICT_OK;
    int64_t free_until_us = 0, fee = cancel_fee(b, hats, c->now_us);
    if ((hats & HAT_STAFF) == 0)
        fees_cancel(b, c->now_us, &free_until_us);
    struct buf out;
    struct jw w;
    buf_init(&out, &c->arena, 128);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "allowed");
    jw_bool(&w, may);
    jw_key(&w, "fee");
    jw_object(&w);
    jw_kv_str(&w, "currency", b->price.currency);
    jw_kv_i64(&w, "amount", may ? fee : 0);
    jw_end(&w);
    jw_kv_time(&w, "free_until", may ? free_until_us : 0);
    jw_kv_i64(&w, "due_when_moved", may && (hats & HAT_STAFF) == 0 ? fees_moved(b) : 0);
    jw_end(&w);
    response_header(&c->response, "Cache-Control", STR("no-store"));
    call_json(c, 200, buf_str(&out));
}

static void cancel(struct edit *e, unsigned hats, struct str reason, int64_t fee) {
    edit_move(e, ACTION_CANCEL, hats);
    e->b->reason = reason;
    e->b->cancel_fee = fee;
    collect_for_nothing(e);
    ledger_cancelled(e->b, fee, e->ctx->now_us, e->ctx->arena);
    edit_entry(e, ENTRY_CANCELLED)->reason = reason;
    edit_event(e, ENTRY_CANCELLED, NULL);
    edit_close_offers(e, CLOSE_WITHDRAWN);
}

void booking_call_off(struct edit *e, struct str reason) {
    cancel(e, HAT_SYSTEM, reason, 0);
}

static void decide_cancel(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct booking *b = state;
    const struct cancel_body *body = cmd->args;
    unsigned hats = b != NULL ? booking_hats(b, &cmd->who) : 0;
    if (!booking_at_hand(b, cmd, hats, body->version, ret))
        return;
    CHECK(b != NULL);
    struct booking_ask ask = booking_ask_of(b, ACTION_CANCEL, hats);
    enum verdict v = judge(&ask);
    if (v != VERDICT_OK) {
        booking_refuse(b, cmd, &ask, v, "cancelling", ret);
        return;
    }
    int64_t fee = cancel_fee(b, hats, ctx->now_us);
    if (body->fee != I64_ABSENT && fee > body->fee) {
        struct str extra =
            arena_printf(cmd->arena, "\"fee\":{\"currency\":\"%.*s\",\"amount\":%lld}",
                         STR_ARG(b->price.currency), (long long)fee);
        problem_fill_more(&ret->response, cmd->arena, cmd->request_id, PROBLEM_FEE_CHANGED,
                          STR("cancelling costs more by now"), NULL, extra, 0);
        return;
    }
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    cancel(&e, hats, body->reason, fee);
    edit_commit(&e, ret);
    edit_reply(&e, ret, 200);
}

const struct command_type booking_cancel = {
    .name = "booking.cancel",
    .aggregate = &booking_aggregate,
    .decide = decide_cancel,
    .applied = booking_applied,
};

/* ---- rating ---- */

/* What whoever wears HATS says of B, into E. False: D has the problem. */
static bool rate(const struct command *cmd, const struct decide_ctx *ctx, const struct booking *b,
                 const struct rating_body *body, unsigned hats, struct edit *e,
                 struct decision *d) {
    if (!booking_at_hand(b, cmd, hats, body->version, d))
        return false;
    CHECK(b != NULL);
    struct booking_ask ask = booking_ask_of(b, ACTION_RATE, hats);
    enum verdict v = judge(&ask);
    if (v != VERDICT_OK) {
        booking_refuse(b, cmd, &ask, v, "rating", d);
        return false;
    }
    edit_begin(e, cmd, ctx, b);
    edit_move(e, ACTION_RATE, hats);
    e->b->rating = arena_new(ctx->arena, struct rating);
    *e->b->rating = (struct rating){body->stars, body->comment};
    edit_entry(e, ENTRY_RATED)->stars = body->stars;
    edit_event(e, ENTRY_RATED, NULL);
    edit_commit(e, d);
    return true;
}

static void decide_rating(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct booking *b = state;
    struct edit e;
    unsigned hats = b != NULL ? booking_hats(b, &cmd->who) : 0;
    if (rate(cmd, ctx, b, cmd->args, hats, &e, ret))
        edit_reply(&e, ret, 200);
}

/* Whoever has a link rates in the customer's place: the one rating that there is. */
static void decide_link_rating(const struct command *cmd, const struct decide_ctx *ctx,
                               const void *state, struct decision *ret) {
    const struct link_rating *args = cmd->args;
    struct edit e;
    if (!rate(cmd, ctx, state, &args->body, HAT_CUSTOMER, &e, ret))
        return;
    const struct live live = {0}; /* it has ended */
    response_header(&ret->response, "Cache-Control", STR("no-store"));
    decision_json(ret, 200, booking_tracking_view(e.b, &live, args->stop, ctx->arena));
}

const struct command_type booking_rate = {
    .name = "booking.rate",
    .aggregate = &booking_aggregate,
    .decide = decide_rating,
    .applied = booking_applied,
};
const struct command_type booking_rate_by_link = {
    .name = "booking.rate_by_link",
    .aggregate = &booking_aggregate,
    .decide = decide_link_rating,
    .applied = booking_applied,
};
