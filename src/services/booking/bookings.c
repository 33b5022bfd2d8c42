/* Handlers of one booking: reads are answered on the spot, the rest goes to the executor. */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "services/booking/collect.h"
#include "services/booking/promo.h"
#include "services/booking/returns.h"

/* A booking's id from the path. False: replied. */
static bool path_id(struct call *c) {
    if (id_valid(c->params[0], "bkg"))
        return true;
    call_problem(c, PROBLEM_NOT_FOUND, "there is no such booking");
    return false;
}

static void send(struct call *c, const struct command_type *type) {
    if (path_id(c))
        call_command(c, type, c->params[0], c->body);
}

/* ---- writes ---- */

void check_create(struct call *c, const void *body, struct field_errors *errors) {
    const struct create_body *b = body;
    goods_check(b->goods, b->goods_count, &c->arena, errors);
    check_proofs(c, b, errors);
    collect_check(c->service, b, &c->arena, errors);
}

/* A booking whose price has a promo code's discount is made in two commands: the first try finds
 * that the quote has one, then a use of the code is taken, then the booking is made. All on the
 * executor's thread, which owns the call until the answer. */
static void make_booking(struct call *c, int64_t promo_until_us);

static void promo_reserved(struct command *cmd, int result, struct response *response) {
    const struct promo_facts *facts = cmd->facts;
    bool refused = response != NULL && response->status >= 400;
    if (result < 0 || refused || facts == NULL)
        call_command_finish(cmd, result, response);
    else
        make_booking(cmd->finish_arg, facts->create_until_us);
}

static void booking_made(struct command *cmd, int result, struct response *response) {
    const struct create_facts *facts = cmd->facts;
    struct call *c = cmd->finish_arg;
    const struct create_body *body = cmd->args;
    bool first = facts != NULL && facts->wants_promo && body->promo_until_us == 0;
    if (result < 0 || !first || response->status != 503) {
        call_command_finish(cmd, result, response);
        return;
    }
    struct ev_promo *use = arena_new(&c->arena, struct ev_promo);
    *use = (struct ev_promo){facts->set->promo->code, cmd->id, c->who.user_id};
    struct command *take = call_command_new(c, &promo_reserve, promo_id(use->code, &c->arena), use);
    if (take == NULL)
        return;
    take->answer_key = STR_NONE; /* the answer is the booking's */
    take->finish = promo_reserved;
    call_command_send(c, take);
}

static void make_booking(struct call *c, int64_t promo_until_us) {
    struct create_body *body = arena_copy(&c->arena, c->body, sizeof(*body));
    body->promo_until_us = promo_until_us;
    struct str id = id_with_prefix(&c->arena, body->quote_id, "bkg");
    struct command *cmd = call_command_new(c, &booking_create, id, body);
    if (cmd == NULL)
        return;
    cmd->finish = booking_made;
    call_command_send(c, cmd);
}

void handle_create(struct call *c) {
    make_booking(c, 0);
}

void handle_cancel(struct call *c) {
    send(c, &booking_cancel);
}
void handle_accept(struct call *c) {
    send(c, &booking_accept);
}
void handle_decline(struct call *c) {
    send(c, &booking_decline);
}
void handle_rating(struct call *c) {
    send(c, &booking_rate);
}
void handle_collect(struct call *c) {
    send(c, &booking_collect);
}
void handle_note(struct call *c) {
    send(c, &booking_note);
}
void handle_assign(struct call *c) {
    send(c, &booking_assign);
}
void handle_unassign(struct call *c) {
    send(c, &booking_unassign);
}
void handle_release(struct call *c) {
    send(c, &booking_release);
}

void handle_status(struct call *c) {
    const struct status_body *body = c->body;
    if (body->status == BOOKING_FAILED && body->reason.p == NULL) {
        struct field_errors errors = {0};
        field_errors_add(&errors, &c->arena, STR("/reason"), "is required with status failed");
        call_invalid(c, &errors);
        return;
    }
    if (!path_id(c))
        return;
    struct command *cmd = call_command_new(c, &booking_status, c->params[0], c->body);
    if (cmd == NULL)
        return;
    bool may_begin = body->status == BOOKING_FAILED || body->status == BOOKING_DELIVERED;
    void *state;
    /* How far it is to bring back what is left is for the router to say, here; whether it goes back
     * is for the decision. Who has no such booking is told so by it, too. */
    if (may_begin && aggregate_get(&booking_aggregate, c->worker->reader, c->worker->parser,
                                   c->params[0], &c->arena, &state) == 0)
        cmd->facts = returns_way(c->service, state, body->status, &c->arena);
    call_command_send(c, cmd);
}

/* ---- reads ---- */

const struct booking *visible_booking(struct call *c) {
    if (!path_id(c))
        return NULL;
    const struct booking *b = call_state(c, &booking_aggregate, c->params[0]);
    if (b == NULL || booking_visible(booking_hats(b, &c->who)))
        return b;
    call_problem(c, PROBLEM_NOT_FOUND, "there is nothing here"); /* as if there were none */
    return NULL;
}

void handle_get(struct call *c) {
    const struct booking *b = visible_booking(c);
    if (b == NULL)
        return;
    struct live live;
    booking_live(c, b, &live);
    unsigned hats = booking_hats(b, &c->who);
    struct booking_sight seen = booking_sight(c->service, b, hats, c->now_us);
    struct str view = booking_view(b, &live, &seen, &c->arena);
    bool forgets = (hats & HAT_DRIVER) != 0 && booking_is_final(b->state);
    if (live.eta_us == 0 && !forgets) {
        call_json_etag(c, b->head.version, view);
        return;
    }
    /* The ETA moves while the version stands, and numbers are masked in time: no 304 here. */
    response_header(&c->response, "ETag",
                    arena_printf(&c->arena, "\"%lld\"", (long long)b->head.version));
    response_header(&c->response, "Cache-Control", STR("private, no-cache"));
    call_json(c, 200, view);
}

void handle_ledger(struct call *c) {
    const struct booking *b = visible_booking(c);
    if (b != NULL)
        call_json(c, 200, booking_ledger_view(b, booking_hats(b, &c->who), &c->arena));
}

void handle_timeline(struct call *c) {
    const struct booking *b = visible_booking(c);
    if (b == NULL)
        return;
    bool staff = (booking_hats(b, &c->who) & HAT_STAFF) != 0;
    call_json(c, 200, booking_timeline_view(b, staff, &c->arena));
}
