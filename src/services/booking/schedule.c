/* A booking for later waits in the state `scheduled`: no driver is looked for. Its wake-ups are the
 * reminder and the beginning of the search, schedule_lead before the window; the search then lasts
 * until the window's end. All of it is data of the booking: a process that was away when the time
 * came does it late, and one that comes back after the window's end lets it expire. (Where drivers
 * are far it begins earlier: early.c.)
 *
 * Until then its customer may choose another time. That is another price, by the tariff and the
 * clock of the new time; if it is more, he is told, and has to say so.
 */
#include "services/booking/schedule.h"

#include "base/check.h"
#include "base/err.h"
#include "services/booking/fees.h"
#include "services/booking/price.h"

void schedule_check(const struct booking_service *s, const struct window *w, int64_t now_us,
                    const char *pointer, struct arena *a, struct field_errors *errors) {
    if (w == NULL || w->from_us == 0 || w->to_us == 0)
        return; /* said already: both are required */
    struct str from = arena_printf(a, "%s/from", pointer), to = arena_printf(a, "%s/to", pointer);
    int64_t length_us = w->to_us - w->from_us;
    if (w->from_us < now_us)
        field_errors_add(errors, a, from, "is in the past");
    else if (w->from_us > now_us + s->o.schedule_days_max * US_PER_DAY)
        field_errors_add(errors, a, from, "is more than %d days ahead", s->o.schedule_days_max);
    if (length_us < PICKUP_WINDOW_MIN_US)
        field_errors_add(errors, a, to, "must be at least %lld minutes after from",
                         (long long)(PICKUP_WINDOW_MIN_US / US_PER_S / 60));
    else if (length_us > PICKUP_WINDOW_MAX_US)
        field_errors_add(errors, a, to, "must be at most %lld hours after from",
                         (long long)(PICKUP_WINDOW_MAX_US / US_PER_S / 3600));
}

static int64_t dispatch_at(const struct booking_service *s, const struct window *w) {
    return w->from_us - s->o.schedule_lead_us;
}

bool schedule_waits(const struct booking_service *s, const struct window *w, int64_t now_us) {
    return w != NULL && dispatch_at(s, w) > now_us;
}

void schedule_set(const struct booking_service *s, struct booking *b, const struct window *w,
                  int64_t now_us, struct arena *a) {
    b->pickup_window = arena_copy(a, w, sizeof(*w));
    b->search_until_us = w->to_us;
    b->dispatch_at_us = dispatch_at(s, w);
    int64_t remind_us = w->from_us - s->o.schedule_remind_us;
    bool remind = s->o.schedule_remind_us > 0 && remind_us > now_us &&
                  remind_us < b->dispatch_at_us; /* else it says no more than the search does */
    b->remind_at_us = remind ? remind_us : 0;
}

/* What follows of its time is behind it; TYPE tells of that. */
static void tell(struct edit *e, int32_t type) {
    e->b->remind_at_us = 0;
    edit_entry(e, type);
    edit_event(e, type, NULL);
}

void schedule_begin(struct edit *e) {
    edit_move(e, ACTION_DISPATCH, HAT_SYSTEM);
    tell(e, ENTRY_REQUESTED);
}

void schedule_wake(struct edit *e) {
    const struct booking *b = e->b;
    if (e->ctx->now_us >= b->search_until_us) {
        edit_move(e, ACTION_EXPIRE, HAT_SYSTEM);
        tell(e, ENTRY_EXPIRED);
    } else if (e->ctx->now_us >= b->dispatch_at_us) {
        schedule_begin(e);
    } else {
        tell(e, ENTRY_REMINDED);
    }
}

/* ---- another time ---- */

struct reschedule {
    const struct window_body *body;
    int64_t priced_version; /* of the booking that the price is of */
    struct price price;
    struct terms terms;
};

/* How often it was. */
static int32_t reschedules(const struct booking *b) {
    int32_t count = 0;
    for (int32_t i = 0; i < b->timeline_count; i++)
        count += b->timeline[i].type == ENTRY_RESCHEDULED;
    return count;
}

/* Who would have to pay for cancelling cannot move it far away first, and then cancel for nothing.
 * Where the office moves it, that may be for its own reasons. */
static void hold_fee(struct edit *e, unsigned hats) {
    int64_t free_until_us, fee = fees_cancel(e->old, e->ctx->now_us, &free_until_us);
    if ((hats & HAT_CUSTOMER) != 0 && fee > 0)
        e->b->fee_moved = fee;
}

static void decide_reschedule(const struct command *cmd, const struct decide_ctx *ctx,
                              const void *state, struct decision *ret) {
    const struct booking *b = state;
    const struct reschedule *r = cmd->args;
    unsigned hats = b != NULL ? booking_hats(b, &cmd->who) : 0;
    if (!booking_at_hand(b, cmd, hats, r->body->version, ret))
        return;
    CHECK(b != NULL);
    struct booking_ask ask = booking_ask_of(b, ACTION_RESCHEDULE, hats);
    int32_t to;
    enum verdict v = booking_judge(&ask, &to);
    if (v != VERDICT_OK) {
        booking_refuse(b, cmd, &ask, v, "another time", ret);
        return;
    }
    if (r->priced_version != b->head.version) {
        decision_problem(ret, cmd, PROBLEM_VERSION_CONFLICT, "it has changed meanwhile; try again");
        return;
    }
    if (reschedules(b) >= RESCHEDULES_MAX) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_CHANGES,
                         "it was given another time %d times, which is as often as it may be",
                         RESCHEDULES_MAX);
        return;
    }
    int64_t agreed = r->body->total != I64_ABSENT ? r->body->total : b->price.total;
    if (r->price.total > b->price.total && r->price.total > agreed) {
        booking_price_changed(cmd, b, r->price.total, "at that time it costs more", ret);
        return;
    }
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_move(&e, ACTION_RESCHEDULE, hats);
    hold_fee(&e, hats);
    e.b->price = r->price;
    e.b->terms = r->terms;
    e.b->earning = price_earning(price_gross(&r->price), r->terms.commission_bp);
    schedule_set(cmd->service, e.b, r->body->pickup_window, ctx->now_us, ctx->arena);
    edit_entry(&e, ENTRY_RESCHEDULED);
    edit_event(&e, ENTRY_RESCHEDULED, NULL);
    edit_commit(&e, ret);
    edit_reply(&e, ret, 200);
}

const struct command_type booking_reschedule = {
    .name = "booking.reschedule",
    .aggregate = &booking_aggregate,
    .decide = decide_reschedule,
    .applied = booking_applied,
};

/* B's price at AT_US, in C's arena. False: it is not on offer then. */
static bool price_then(struct call *c, const struct booking *b, int64_t at_us,
                       struct reschedule *r) {
    struct booking_service *s = c->service;
    struct quote q = {
        .vehicle = b->vehicle, .distance_m = b->distance_m, .duration_s = b->duration_s};
    struct tariff_book *book = shelf_take(&s->tariffs);
    bool offered = quote_price(s, tariff_book_at(book, at_us), place_point(&b->stops[0].place),
                               at_us, b->stop_count, 0, &c->arena, &q);
    shelf_give(&s->tariffs, book);
    r->price = q.price;
    if (b->promo != NULL) /* what was promised holds for the other time, too */
        price_promo(&q.price, b->promo, &c->arena, &r->price);
    r->terms = q.terms;
    return offered;
}

void check_window(struct call *c, const void *data, struct field_errors *errors) {
    const struct window_body *body = data;
    schedule_check(c->service, body->pickup_window, c->now_us, "/pickup_window", &c->arena, errors);
}

/* What there is to see is looked at once more by the decision: here only for its price. */
void handle_reschedule(struct call *c) {
    const struct window_body *body = c->body;
    if (!id_valid(c->params[0], "bkg")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such booking");
        return;
    }
    void *state = NULL;
    int err = aggregate_get(&booking_aggregate, c->worker->reader, c->worker->parser, c->params[0],
                            &c->arena, &state);
    if (err < 0 && err != ERR_NOT_FOUND) {
        call_error(c, err);
        return;
    }
    const struct booking *b = state;
    struct reschedule *r = arena_new(&c->arena, struct reschedule);
    *r = (struct reschedule){.body = body, .priced_version = b != NULL ? b->head.version : 0};
    bool waits =
        b != NULL && b->state == BOOKING_SCHEDULED && booking_visible(booking_hats(b, &c->who));
    if (waits && !price_then(c, b, body->pickup_window->from_us, r)) {
        struct field_errors errors = {0};
        field_errors_add(&errors, &c->arena, STR("/pickup_window/from"),
                         "this class is not on offer there then");
        call_invalid(c, &errors);
        return;
    }
    call_command(c, &booking_reschedule, c->params[0], r);
}
