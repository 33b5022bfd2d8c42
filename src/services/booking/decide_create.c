/* From quote to booking. The booking's id is the quote's, so that a quote serves once without a
 * table of used ones: who comes second finds the document there.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "services/booking/collect.h"
#include "services/booking/favourites.h"
#include "services/booking/schedule.h"

void booking_secret(const struct booking_service *s, struct create_facts *facts) {
    unsigned char bytes[SECRET_BYTES];
    s->o.entropy->fill(s->o.entropy, bytes, sizeof(bytes));
    tracking_secret(bytes, facts->secret);
}

/* Reads the quote, which never changes, and draws the secret of the tracking link: secrets do not
 * come from ctx, whose numbers can be replayed. */
static int load_create(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct booking_service *s = cmd->service;
    const struct create_body *body = cmd->args;
    struct create_facts *facts = cmd->facts;
    if (facts == NULL) {
        facts = arena_new(cmd->arena, struct create_facts);
        booking_secret(s, facts);
        cmd->facts = facts;
    }
    if (body->prefer_favourites) {
        int found = favourites_of(store, executor_parser(cmd->executor), cmd->who.user_id,
                                  cmd->arena, &facts->favourites, &facts->favourite_count);
        if (found < 0)
            return found;
    }
    int err = cmd->who.role == ROLE_CUSTOMER ? open_reserve(cmd, store, cmd->who.user_id) : 0;
    if (err < 0)
        return err;
    if (facts->set != NULL) /* decided once already, or the bench's */
        return 0;
    facts->stops = proof_secrets(s, body, STOPS_MAX, cmd->arena);
    void *set;
    err = aggregate_get(&quote_aggregate, store, executor_parser(cmd->executor),
                        id_variant(cmd->arena, body->quote_id, 0), cmd->arena, &set);
    if (err == 0) {
        facts->set = set;
        facts->wants_promo = facts->set->promo != NULL;
    }
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* The quote that was named, if it is CMD's caller's. */
static const struct quote *find_quote(const struct command *cmd) {
    const struct create_body *body = cmd->args;
    const struct create_facts *facts = cmd->facts;
    if (facts->set == NULL || !str_eq(facts->set->customer_id, cmd->who.user_id))
        return NULL;
    int32_t vehicle = (int32_t)id_variant_of(body->quote_id);
    for (int32_t i = 0; i < facts->set->quote_count; i++) {
        if (facts->set->quotes[i].vehicle == vehicle)
            return &facts->set->quotes[i];
    }
    return NULL;
}

/* Goods that are named only now must fit into what was quoted. Absent: they do. */
static struct str unfit_goods(const struct command *cmd, const struct quote *quote) {
    const struct create_body *body = cmd->args;
    struct ev_load load;
    if (body->goods_count == 0)
        return STR_NONE;
    goods_load(body->goods, body->goods_count, cmd->arena, &load);
    return goods_unfit(&load, quote->vehicle,
                       capacity_of(quote->vehicle, quote->capacity.kg, quote->capacity.l),
                       cmd->arena);
}

/* The classes of the quote's set that take them. */
static struct str fitting(const struct command *cmd) {
    const struct create_body *body = cmd->args;
    const struct create_facts *facts = cmd->facts;
    struct ev_load load;
    struct buf out;
    buf_init(&out, cmd->arena, 64);
    goods_load(body->goods, body->goods_count, cmd->arena, &load);
    for (int32_t i = 0; i < facts->set->quote_count; i++) {
        const struct quote *q = &facts->set->quotes[i];
        if (goods_unfit(&load, q->vehicle, capacity_of(q->vehicle, q->capacity.kg, q->capacity.l),
                        cmd->arena)
                .p == NULL)
            buf_printf(&out, "%s%s", out.len > 0 ? ", " : "", vehicle_names[q->vehicle]);
    }
    return out.len > 0 ? buf_str(&out) : STR("none of those that were quoted");
}

/* False: RET has the problem. */
static bool may_create(const struct command *cmd, const struct decide_ctx *ctx,
                       const struct booking *existing, const struct quote *quote,
                       struct decision *ret) {
    const struct create_body *body = cmd->args;
    const struct create_facts *facts = cmd->facts;
    /* The booking outlives its quote: whoever booked it is told the truth even then. */
    bool own_booking = existing != NULL && str_eq(existing->customer_id, cmd->who.user_id);
    if (quote == NULL && !own_booking) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such quote");
        return false;
    }
    if (existing != NULL) {
        decision_problem(ret, cmd, PROBLEM_QUOTE_USED, "this quote is booked as %.*s",
                         STR_ARG(existing->head.id));
        return false;
    }
    const struct window *window = facts->set->pickup_window;
    if (ctx->now_us >= facts->set->expires_at_us ||
        (window != NULL && ctx->now_us >= window->to_us)) {
        decision_problem(ret, cmd, PROBLEM_QUOTE_EXPIRED, "this quote's price holds no more");
        return false;
    }
    if (body->stop_count > facts->set->stop_count) {
        decision_invalid(ret, cmd, "/stops", "the quote has only %d", facts->set->stop_count);
        return false;
    }
    struct str unfit = unfit_goods(cmd, quote);
    if (unfit.p != NULL) {
        struct str takes = fitting(cmd);
        decision_invalid(ret, cmd, "/goods", "%.*s; what takes them: %.*s", STR_ARG(unfit),
                         STR_ARG(takes));
        return false;
    }
    int32_t foreign = collect_foreign(body, quote->price.currency);
    if (foreign >= 0) {
        decision_invalid(ret, cmd,
                         arena_printf(cmd->arena, "/stops/%d/collect/currency", foreign).p,
                         "must be %.*s", STR_ARG(quote->price.currency));
        return false;
    }
    if (facts->too_many) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_OPEN, "%.*s",
                         STR_ARG(open_words(cmd->service, cmd->arena)));
        return false;
    }
    return true;
}

/* What people read to each other over the phone: no 0 and O, no 1 and I. */
static struct str new_code(const struct decide_ctx *ctx) {
    static const char alphabet[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    char *code = arena_bytes(ctx->arena, CODE_LEN + 1);
    uint64_t bits = rng_next(ctx->rng);
    for (int i = 0; i < CODE_LEN; i++, bits >>= 5)
        code[i] = alphabet[bits & 31];
    code[CODE_LEN] = 0;
    return (struct str){code, CODE_LEN};
}

static void fill_stops(const struct create_body *body, const struct quote_set *set, struct arena *a,
                       struct booking *b) {
    b->stop_count = set->stop_count;
    b->stops = arena_array(a, struct booking_stop, set->stop_count);
    for (int32_t i = 0; i < set->stop_count; i++) {
        b->stops[i] = (struct booking_stop){.place = set->stops[i], .state = STOP_PENDING};
        struct contact_of who = {0};
        if (i < body->stop_count)
            who = (struct contact_of){body->stops[i].contact, body->stops[i].note};
        else if (body->stop_count == 0 && i < set->contact_count)
            who = set->contacts[i];
        b->stops[i].contact = who.contact;
        b->stops[i].note = who.note.len > 0 ? who.note : STR_NONE;
    }
}

/* The discount of QUOTE, or NULL. */
static struct discount *discount_of(const struct quote_set *set, const struct quote *quote) {
    return quote != NULL && price_discount(&quote->price) > 0 ? set->promo : NULL;
}

/* False: its promo code's use is not taken, or no longer; the handler sees to that (bookings.c). */
static bool promo_taken(const struct command *cmd, const struct decide_ctx *ctx,
                        struct decision *ret) {
    const struct create_body *body = cmd->args;
    const struct create_facts *facts = cmd->facts;
    if (discount_of(facts->set, find_quote(cmd)) == NULL || ctx->now_us < body->promo_until_us)
        return true;
    decision_problem(ret, cmd, PROBLEM_OVERLOADED, "the promo code was not taken in time");
    return false;
}

void booking_fill(struct edit *e, const struct create_body *body, const struct create_facts *facts,
                  const struct quote *quote) {
    const struct booking_service *s = e->cmd->service;
    const struct quote_set *set = facts->set;
    struct arena *a = e->ctx->arena;
    struct booking *b = e->b;
    b->code = new_code(e->ctx);
    b->customer_id = set->customer_id;
    b->made_by = set->made_by;
    b->state = BOOKING_REQUESTED;
    b->vehicle = quote->vehicle;
    b->payment = body->payment != PAYMENT_NONE  ? body->payment
                 : set->payment != PAYMENT_NONE ? set->payment
                                                : PAYMENT_CASH;
    b->favourites = facts->favourites;
    b->favourite_count = facts->favourite_count;
    b->estimate = quote->estimate;
    fill_stops(body, set, a, b);
    b->goods = body->goods_count > 0 ? body->goods : set->goods;
    b->goods_count = body->goods_count > 0 ? body->goods_count : set->goods_count;
    proof_demand(s, body, facts, a, b);
    collect_ask(body, a, b);
    b->price = quote->price;
    b->promo = discount_of(set, quote);
    b->distance_m = quote->distance_m;
    b->duration_s = quote->duration_s;
    b->terms = quote->terms;
    if (b->terms.tariff_version <= 0) /* of a quote that was made before there were terms */
        b->terms.commission_bp = (int64_t)s->o.commission_percent * 100;
    b->earning = price_earning(price_gross(&quote->price), b->terms.commission_bp);
    b->cancel_fee = I64_ABSENT;
    b->stops_revision = I64_ABSENT;
    b->fee_total = b->fee_moved = I64_ABSENT;
    b->notes = body->notes.p != NULL ? body->notes : set->notes;
    b->notes = b->notes.len > 0 ? b->notes : STR_NONE;
    b->secret = (struct str){facts->secret, SECRET_LEN};
    b->created_at_us = e->ctx->now_us;
    b->search_until_us = e->ctx->now_us + s->o.search_timeout_us;
    int32_t type = ENTRY_REQUESTED;
    if (set->pickup_window != NULL)
        schedule_set(s, b, set->pickup_window, e->ctx->now_us, a);
    if (schedule_waits(s, set->pickup_window, e->ctx->now_us)) {
        b->state = BOOKING_SCHEDULED;
        type = ENTRY_SCHEDULED;
    }
    edit_entry(e, type);
    edit_event(e, type, NULL);
}

static void decide_create(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct quote *quote = find_quote(cmd);
    if (!may_create(cmd, ctx, state, quote, ret) || !promo_taken(cmd, ctx, ret))
        return;
    struct edit e;
    edit_begin(&e, cmd, ctx, NULL);
    booking_fill(&e, cmd->args, cmd->facts, quote);
    edit_commit(&e, ret);
    edit_reply(&e, ret, 201);
}

static void create_applied(const struct command *cmd, const struct decision *d, const void *state) {
    open_release(cmd);
    booking_applied(cmd, d, state);
}

const struct command_type booking_create = {
    .name = "booking.create",
    .aggregate = &booking_aggregate,
    .load = load_create,
    .decide = decide_create,
    .applied = create_applied,
    .undone = open_release,
    .location = "/v1/bookings/",
};
