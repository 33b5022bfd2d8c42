/* The claim on a driver: the part of a booking's saga that is his. At most one at a time, so that
 * he never holds two offers; but who is about to finish the booking that he carries may have a
 * second one, `next`, which becomes the claim as it is (taken or not) when the first has ended.
 *
 *   free ── dispatch.claim ──▶ claimed ── booking.offered ──▶ shown ── booking.assigned ──▶ active
 *    ▲                            │                             │                             │
 *    └──── booking.offer_closed ──┴─────────────────────────────┘   delivered, cancelled, ────┘
 *                                                                   failed
 *
 *   active ── dispatch.claim (after) ──▶ active, and next: claimed … shown … taken
 *                                           │ the first has ended: driver.next_begun
 *                                           ▼ next is the claim
 *
 * Only the booking's word ends a claim, because it alone knows whether he won it. If that word does
 * not come, the claim asks for it (driver.claim_stale), again and again. Events may come twice, or
 * in another order than they were made: what has ended is remembered (`ended`), so that what comes
 * late of it changes nothing.
 *
 * All of it is pure; the new state and all it points at live in the command's arena.
 */
#include "base/check.h"
#include "base/timestamp.h"
#include "services/driver/cash.h"
#include "services/driver/documents.h"

#include <math.h>
#include <string.h>

/* ---- copies ---- */

static void *copy_of(struct arena *a, const void *from, size_t bytes) {
    return from != NULL ? arena_copy(a, from, bytes) : NULL;
}

static struct ev_point *place_copy(struct arena *a, const struct ev_point *from) {
    struct ev_point *copy = copy_of(a, from, sizeof(*copy));
    if (copy != NULL)
        copy->address = arena_str(a, copy->address);
    return copy;
}

static struct ev_load *load_copy(struct arena *a, const struct ev_load *from) {
    struct ev_load *copy = copy_of(a, from, sizeof(*copy));
    if (copy == NULL)
        return NULL;
    copy->handling = arena_array(a, struct str, copy->handling_count + 1);
    for (int32_t i = 0; i < copy->handling_count; i++)
        copy->handling[i] = arena_str(a, from->handling[i]);
    return copy;
}

static struct driver_claim *claim_copy(struct arena *a, const struct driver_claim *from) {
    struct driver_claim *copy = copy_of(a, from, sizeof(*copy));
    if (copy == NULL)
        return NULL;
    copy->booking_id = arena_str(a, copy->booking_id);
    copy->offer_id = arena_str(a, copy->offer_id);
    copy->currency = arena_str(a, copy->currency);
    copy->after = arena_str(a, copy->after);
    copy->pickup = place_copy(a, copy->pickup);
    copy->dropoff = place_copy(a, copy->dropoff);
    copy->load = load_copy(a, copy->load);
    return copy;
}

struct driver *driver_edit(const struct command *cmd, const struct decide_ctx *ctx,
                           const struct driver *state, struct decision *d) {
    struct arena *a = ctx->arena;
    struct driver *copy = arena_copy(a, state, sizeof(*copy));
    copy->user_id = arena_str(a, copy->user_id);
    copy->name = arena_str(a, copy->name);
    copy->phone = arena_str(a, copy->phone);
    copy->status_reason = arena_str(a, copy->status_reason);
    vehicles_copy(copy, cmd->id, a);
    rota_copy(copy, a);
    documents_copy(copy, a);
    copy->claim = claim_copy(a, copy->claim);
    copy->cash = cash_copy(a, copy->cash);
    copy->next = claim_copy(a, copy->next);
    copy->ended = arena_array(a, struct str, ENDED_MAX);
    for (int32_t i = 0; i < copy->ended_count; i++)
        copy->ended[i] = arena_str(a, state->ended[i]);
    copy->updated_at_us = ctx->now_us;
    decision_state(d, cmd, state, copy);
    return copy;
}

/* ---- what has ended ---- */

static bool has_ended(const struct driver *d, struct str id) {
    for (int32_t i = 0; i < d->ended_count; i++) {
        if (str_eq(d->ended[i], id))
            return true;
    }
    return false;
}

/* D is being edited: its list has room for ENDED_MAX. */
static void remember(struct driver *d, struct arena *a, struct str id) {
    if (id.p == NULL || has_ended(d, id))
        return;
    if (d->ended_count == ENDED_MAX) {
        memmove(d->ended, d->ended + 1, (ENDED_MAX - 1) * sizeof(struct str));
        d->ended_count--;
    }
    d->ended[d->ended_count++] = arena_str(a, id);
}

/* ---- on duty and off ---- */

/* Once he is off duty, the reports hear how long he was on it. */
void driver_set_duty(struct driver *next, int32_t duty, const struct command *cmd,
                     const struct decide_ctx *ctx, struct decision *ret) {
    bool was_on = next->duty != DUTY_OFF, is_on = duty != DUTY_OFF;
    next->duty = duty;
    if (was_on == is_on)
        return;
    struct ev_shift shift = {.driver_id = cmd->id, .since_us = next->on_since_us};
    next->on_since_us = is_on ? ctx->now_us : 0;
    if (is_on || shift.since_us == 0 || next->vehicle == NULL)
        return;
    shift.vehicle = next->vehicle->kind;
    decision_event(ret, cmd, ctx, EV_DRIVER_SHIFT, cmd->id, &ev_shift_schema, &shift);
}

/* ---- events about the claim ---- */

void driver_claim_event(const struct driver *d, const struct driver_claim *claim, struct str reason,
                        const char *type, const struct command *cmd, const struct decide_ctx *ctx,
                        struct decision *ret) {
    struct ev_claim e = {
        .booking_id = claim->booking_id,
        .offer_id = claim->offer_id,
        .driver_id = cmd->id,
        .driver_user_id = d->user_id,
        .driver_name = d->name,
        .driver_phone = d->phone,
        .rating = d->stars_count > 0 ? (double)d->stars_sum / (double)d->stars_count : NAN,
        .pickup_distance_m = claim->pickup_distance_m,
        .pickup_eta_s = claim->pickup_eta_s,
        .manual = claim->manual,
        .at_once = claim->at_once,
        .reason = reason,
        .after = claim->after,
        .free_at_us = claim->free_at_us,
        .pickup = claim->pickup,
        .dropoff = claim->dropoff,
        .stop_count = claim->stop_count,
        .earning = claim->earning,
        .cash = claim->cash,
        .currency = claim->currency,
        .load = claim->load,
    };
    if (d->vehicle != NULL) {
        e.plate = d->vehicle->plate;
        e.vehicle = d->vehicle->kind;
    }
    decision_event(ret, cmd, ctx, type, claim->booking_id, &ev_claim_schema, &e);
}

static struct driver_claim claim_of(const struct ev_claim *want, const struct decide_ctx *ctx,
                                    int64_t offer_timeout_s) {
    return (struct driver_claim){
        .booking_id = want->booking_id,
        .offer_id = want->offer_id,
        .manual = want->manual,
        .after = want->after,
        .free_at_us = want->free_at_us,
        .since_us = ctx->now_us,
        .ask_at_us = ctx->now_us + offer_timeout_s * US_PER_S + SPARE_US,
        .pickup = want->pickup,
        .dropoff = want->dropoff,
        .stop_count = want->stop_count,
        .pickup_distance_m = want->pickup_distance_m,
        .pickup_eta_s = want->pickup_eta_s,
        .earning = want->earning,
        .cash = want->cash,
        .currency = want->currency,
        .load = want->load,
    };
}

static bool is_offer(const struct driver_claim *claim, struct str offer_id) {
    return claim != NULL && str_eq(claim->offer_id, offer_id);
}

static bool is_of(const struct driver_claim *claim, struct str booking_id) {
    return claim != NULL && str_eq(claim->booking_id, booking_id);
}

/* Has what WANT comes after ended meanwhile, or was there nothing? Then it is a claim like any. */
static bool comes_next(const struct driver *d, const struct ev_claim *want) {
    return want->after.p != NULL && d->next == NULL && driver_active(d) &&
           is_of(d->claim, want->after);
}

/* Why D cannot be claimed for WANT, in A; NULL: he can. */
static const char *refusal(const struct driver_service *s, const struct driver *d,
                           const struct ev_claim *want, int64_t now_us, struct arena *a) {
    const struct driver_options *o = &s->o;
    const char *lacks;
    if (d->disabled)
        return "the account is disabled";
    if (d->status != STATUS_APPROVED)
        return d->status == STATUS_SUSPENDED ? "suspended" : "not approved";
    if (documents_lack(s, d, now_us, &lacks).p != NULL)
        return "a document of his has expired"; /* the wake-up that suspends him is on its way */
    if (d->duty == DUTY_OFF)
        return "off duty";
    bool next = comes_next(d, want);
    if (driver_active(d) && !next)
        return "busy with another booking";
    /* Also if a dispatcher gives him the very booking that he is being asked for: the booking knows
     * that offer, or is about to, and gives it to him by it. A claim that took its place would
     * leave an open offer without a claim. */
    if (d->claim != NULL && !next)
        return "holds another offer";
    if (d->vehicle == NULL || d->vehicle->kind < want->vehicle ||
        d->vehicle->kind > want->vehicle + o->bigger_classes)
        return "drives another class of vehicle";
    if (!want->manual && cash_barred(o, cash_coming(d), want->cash))
        return dispatch_reason_words(REASON_CASH_LIMIT).p;
    int64_t from_us = next && want->free_at_us > now_us ? want->free_at_us : now_us;
    const char *bar = rota_bar(d, want, from_us);
    return bar != NULL ? bar : vehicle_unfit(vehicle_capacity(d->vehicle), want->load, a).p;
}

/* Whoever can be claimed is on duty, and free or about to be: then his word is known. */
static bool takes_at_once(enum auto_accept of_house, const struct driver *d) {
    return of_house == AUTO_ACCEPT_ALWAYS || (of_house == AUTO_ACCEPT_CHOSEN && d->auto_accept);
}

static void decide_claim(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct driver_service *s = cmd->service;
    const struct driver *d = state;
    const struct ev_claim *want = cmd->args;
    if (d == NULL)
        return; /* a dispatcher named nobody: the search answers for him */
    if (has_ended(d, want->offer_id) || has_ended(d, want->booking_id) ||
        is_offer(d->claim, want->offer_id) || is_offer(d->next, want->offer_id))
        return; /* heard before */
    const char *why = refusal(s, d, want, ctx->now_us, ctx->arena);
    struct driver_claim claim = claim_of(want, ctx, s->o.offer_timeout_s);
    if (why != NULL) {
        driver_claim_event(d, &claim, str_from(why), EV_DISPATCH_REFUSED, cmd, ctx, ret);
        return;
    }
    claim.at_once = !want->manual && takes_at_once(s->o.auto_accept, d);
    struct driver *next = driver_edit(cmd, ctx, d, ret);
    if (next->claim != NULL) {
        claim.give_up_at_us = claim.free_at_us + s->o.chain_late_s * US_PER_S;
        next->next = claim_copy(ctx->arena, &claim);
    } else {
        claim.after = STR_NONE; /* he has finished since he was chosen */
        claim.free_at_us = 0;
        next->claim = claim_copy(ctx->arena, &claim);
    }
    next->offered++;
    driver_claim_event(next, &claim, STR_NONE, EV_DISPATCH_OFFERED, cmd, ctx, ret);
}

static void decide_offered(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct driver *d = state;
    const struct ev_booking *b = cmd->args;
    const struct ev_offer *offer = b->offer;
    if (d == NULL || offer->expires_at_us == 0)
        return;
    bool is_next = is_offer(d->next, offer->id);
    if (!is_next && !is_offer(d->claim, offer->id))
        return;
    if (is_next ? d->next->active : d->claim->active)
        return;
    struct driver *next = driver_edit(cmd, ctx, d, ret);
    struct driver_claim *claim = is_next ? next->next : next->claim;
    claim->expires_at_us = offer->expires_at_us;
    claim->ask_at_us = offer->expires_at_us + SPARE_US;
    if (b->stop_count < 2 || b->earning == I64_ABSENT)
        return;
    /* Its stops may have changed while he was being claimed: he is asked for what it is now. */
    claim->dropoff = place_copy(ctx->arena, &b->stops[b->stop_count - 1]);
    claim->stop_count = b->stop_count;
    claim->earning = b->earning;
    claim->cash = b->cash;
}

static void count_close(struct driver *d, struct str reason) {
    if (str_is(reason, "declined"))
        d->declined++;
    else if (str_is(reason, "timed_out"))
        d->timed_out++;
}

static void decide_closed(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct driver *d = state;
    const struct ev_offer *offer = ((const struct ev_booking *)cmd->args)->offer;
    if (d == NULL || has_ended(d, offer->id))
        return;
    bool mine = is_offer(d->claim, offer->id), my_next = is_offer(d->next, offer->id);
    if ((mine && d->claim->active) || (my_next && d->next->active))
        return; /* what he won is not closed but ended */
    struct driver *next = driver_edit(cmd, ctx, d, ret);
    remember(next, ctx->arena, offer->id);
    if (!mine && !my_next)
        return;
    if (my_next)
        next->next = NULL;
    else
        next->claim = NULL;
    count_close(next, offer->reason);
}

static bool offer_has_ended(const struct driver *d, const struct ev_offer *offer) {
    return offer != NULL && offer->id.p != NULL && has_ended(d, offer->id);
}

static void add_load(struct driver *d, int64_t milli, int64_t half_life_s, int64_t now_us) {
    int64_t load = dispatch_load_milli(d->load_milli > 0 ? d->load_milli : 0, d->load_at_us, now_us,
                                       half_life_s) +
                   milli;
    d->load_milli = load > 0 ? load : 0;
    d->load_at_us = now_us;
}

/* The booking is his: it decides, whatever was known here before. But an offer that was closed is
 * not won: if it was, the booking was over by the time it was closed (it had been asked for its
 * word, and that overtook this), and he may hold another claim by now. */
static void decide_assigned(const struct command *cmd, const struct decide_ctx *ctx,
                            const void *state, struct decision *ret) {
    const struct driver_service *s = cmd->service;
    const struct driver *d = state;
    const struct ev_booking *b = cmd->args;
    if (d == NULL || has_ended(d, b->booking_id) || offer_has_ended(d, b->offer))
        return;
    bool is_next = is_of(d->next, b->booking_id);
    if (is_next ? d->next->active : driver_active(d))
        return; /* this one, heard again; two at a time are not possible */
    struct driver *next = driver_edit(cmd, ctx, d, ret);
    next->accepted++;
    add_load(next, 1000, s->o.fairness_half_life_s, ctx->now_us);
    if (is_next) {
        next->next->active = true;
        return;
    }
    bool mine = is_of(next->claim, b->booking_id);
    if (next->claim != NULL && !mine) /* then the other offer cannot be his any more */
        driver_claim_event(next, next->claim, STR("took another booking"), EV_DRIVER_DROPPED, cmd,
                           ctx, ret);
    if (!mine) {
        struct driver_claim claim = {.booking_id = b->booking_id,
                                     .offer_id = b->offer != NULL ? b->offer->id : STR_NONE,
                                     .since_us = ctx->now_us,
                                     .stop_count = b->stop_count,
                                     .earning = b->earning,
                                     .cash = b->cash,
                                     .currency = b->currency};
        next->claim = claim_copy(ctx->arena, &claim);
    }
    next->claim->active = true;
    driver_set_duty(next, DUTY_BUSY, cmd, ctx, ret);
}

/* His booking is over: he is free, or off duty if he may not drive any more. */
static void free_driver(struct driver *d, const struct command *cmd, const struct decide_ctx *ctx,
                        struct decision *ret) {
    bool may_drive = d->status == STATUS_APPROVED && !d->disabled;
    if (d->duty == DUTY_BUSY)
        driver_set_duty(d, may_drive ? DUTY_ON : DUTY_OFF, cmd, ctx, ret);
}

/* What he carried he carries no more. What comes next is his claim from here on; its booking waits
 * to hear that. */
static void leave_present(struct driver *d, const struct command *cmd, const struct decide_ctx *ctx,
                          struct decision *ret) {
    d->claim = d->next;
    d->next = NULL;
    if (d->claim != NULL) {
        d->claim->after = STR_NONE;
        d->claim->free_at_us = d->claim->give_up_at_us = 0;
        driver_claim_event(d, d->claim, STR_NONE, EV_DRIVER_NEXT_BEGUN, cmd, ctx, ret);
    }
    if (!driver_active(d))
        free_driver(d, cmd, ctx, ret);
}

void driver_drop_next(const struct driver *d, const char *why, const struct command *cmd,
                      const struct decide_ctx *ctx, struct decision *ret) {
    if (d->next != NULL)
        driver_claim_event(d, d->next, str_from(why), EV_DRIVER_DROPPED, cmd, ctx, ret);
}

static void decide_ended(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct driver *d = state;
    const struct ev_booking *b = cmd->args;
    if (d == NULL || has_ended(d, b->booking_id))
        return;
    struct driver *next = driver_edit(cmd, ctx, d, ret);
    remember(next, ctx->arena, b->booking_id);
    next->delivered += b->state == BOOKING_DELIVERED;
    if (is_of(next->next, b->booking_id)) {
        remember(next, ctx->arena, next->next->offer_id);
        next->next = NULL;
    }
    if (!is_of(next->claim, b->booking_id))
        return;
    remember(next, ctx->arena, next->claim->offer_id);
    next->free_since_us = ctx->now_us;
    leave_present(next, cmd, ctx, ret);
}

/* The booking is his no more, though it is not over. If he gave it back it stays a job of his in
 * the reckoning of fair shares, and an offer that he did not keep; else it never was one. */
static void decide_unassigned(const struct command *cmd, const struct decide_ctx *ctx,
                              const void *state, struct decision *ret) {
    const struct driver_service *s = cmd->service;
    const struct driver *d = state;
    const struct ev_offer *offer = ((const struct ev_booking *)cmd->args)->offer;
    if (d == NULL || has_ended(d, offer->id))
        return;
    struct driver *next = driver_edit(cmd, ctx, d, ret);
    remember(next, ctx->arena, offer->id); /* not the booking: it may come to him again */
    if (str_is(offer->reason, "released"))
        next->released = (next->released > 0 ? next->released : 0) + 1;
    else
        add_load(next, -1000, s->o.fairness_half_life_s, ctx->now_us);
    if (is_offer(next->next, offer->id))
        next->next = NULL;
    else if (is_offer(next->claim, offer->id))
        leave_present(next, cmd, ctx, ret);
}

static void decide_rated(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct ev_booking *b = cmd->args;
    if (state == NULL || b->stars < 1 || b->stars > 5)
        return;
    struct driver *next = driver_edit(cmd, ctx, state, ret);
    next->stars_sum += b->stars;
    next->stars_count++;
}

/* An offer is asked after when it should long be closed; one that is taken and comes next is given
 * up when what comes before it takes too long. */
static int64_t due_of(const struct driver_claim *claim) {
    if (claim == NULL)
        return 0;
    return claim->active ? claim->give_up_at_us : claim->ask_at_us;
}

int64_t claim_wake_at(const struct driver *d) {
    int64_t now_us = due_of(d->claim), next_us = due_of(d->next);
    return now_us == 0 || (next_us != 0 && next_us < now_us) ? next_us : now_us;
}

static bool is_due(const struct driver_claim *claim, int64_t now_us) {
    return due_of(claim) != 0 && due_of(claim) <= now_us;
}

static void ask_again(struct driver *d, struct driver_claim *claim, const struct command *cmd,
                      const struct decide_ctx *ctx, struct decision *ret) {
    claim->ask_at_us = ctx->now_us + SPARE_US;
    driver_claim_event(d, claim, STR_NONE, EV_DRIVER_CLAIM_STALE, cmd, ctx, ret);
}

void claim_wake(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                struct decision *ret) {
    if (is_due(d->claim, ctx->now_us))
        ask_again(d, d->claim, cmd, ctx, ret);
    if (!is_due(d->next, ctx->now_us))
        return;
    if (!d->next->active) {
        ask_again(d, d->next, cmd, ctx, ret);
        return;
    }
    d->next->give_up_at_us = ctx->now_us + SPARE_US; /* until its word has come */
    driver_drop_next(d, "what he carries before it takes longer than was promised", cmd, ctx, ret);
}

/* ---- the roster, and what is counted ---- */

static void count_chained(const struct command *cmd, const struct decision *d) {
    struct driver_service *s = cmd->service;
    const struct driver *is = d->state;
    if (is == NULL)
        return;
    s->stats.chained += cmd->type == &driver_assigned_type && is->next != NULL && is->next->active;
    for (int32_t i = 0; i < d->event_count; i++)
        s->stats.chain_begun +=
            driver_active(is) && str_is(d->events[i].type, EV_DRIVER_NEXT_BEGUN);
}

void driver_applied(const struct command *cmd, const struct decision *d, const void *state) {
    (void)state;
    struct driver_service *s = cmd->service;
    if (d->state != NULL)
        roster_driver(s->roster, d->state);
    count_chained(cmd, d);
}

#define DRIVER_COMMAND(label, decide_fn)                                                           \
    {                                                                                              \
        .name = (label), .aggregate = &driver_aggregate, .decide = (decide_fn),                    \
        .applied = driver_applied                                                                  \
    }

const struct command_type driver_claim_type = DRIVER_COMMAND("driver.claim", decide_claim);
const struct command_type driver_offered_type = DRIVER_COMMAND("driver.offered", decide_offered);
const struct command_type driver_closed_type = DRIVER_COMMAND("driver.offer_closed", decide_closed);
const struct command_type driver_assigned_type = DRIVER_COMMAND("driver.assigned", decide_assigned);
const struct command_type driver_unassigned_type =
    DRIVER_COMMAND("driver.unassigned", decide_unassigned);
const struct command_type driver_ended_type = DRIVER_COMMAND("driver.ended", decide_ended);
const struct command_type driver_rated_type = DRIVER_COMMAND("driver.rated", decide_rated);
