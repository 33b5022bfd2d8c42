/* The claim on a driver: the part of a booking's saga that is his. At most one at a time, so that
 * he never holds two offers.
 *
 *   free ── dispatch.claim ──▶ claimed ── booking.offered ──▶ shown ── booking.assigned ──▶ active
 *    ▲                            │                             │                             │
 *    └──── booking.offer_closed ──┴─────────────────────────────┘   delivered, cancelled, ────┘
 *                                                                   failed
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
    if (driver_active(d))
        return "busy with another booking";
    /* Also if a dispatcher gives him the very booking that he is being asked for: the booking knows
     * that offer, or is about to, and gives it to him by it. A claim that took its place would
     * leave an open offer without a claim. */
    if (d->claim != NULL)
        return "holds another offer";
    if (d->vehicle == NULL || d->vehicle->kind < want->vehicle ||
        d->vehicle->kind > want->vehicle + o->bigger_classes)
        return "drives another class of vehicle";
    if (!want->manual && cash_barred(o, cash_held(d), want->cash))
        return dispatch_reason_words(REASON_CASH_LIMIT).p;
    const char *bar = rota_bar(d, want, now_us);
    return bar != NULL ? bar : vehicle_unfit(vehicle_capacity(d->vehicle), want->load, a).p;
}

/* Whoever can be claimed is on duty and free: then his word is known. */
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
        (d->claim != NULL && str_eq(d->claim->offer_id, want->offer_id)))
        return; /* heard before */
    const char *why = refusal(s, d, want, ctx->now_us, ctx->arena);
    struct driver_claim claim = claim_of(want, ctx, s->o.offer_timeout_s);
    if (why != NULL) {
        driver_claim_event(d, &claim, str_from(why), EV_DISPATCH_REFUSED, cmd, ctx, ret);
        return;
    }
    claim.at_once = !want->manual && takes_at_once(s->o.auto_accept, d);
    struct driver *next = driver_edit(cmd, ctx, d, ret);
    next->claim = claim_copy(ctx->arena, &claim);
    next->offered++;
    driver_claim_event(next, &claim, STR_NONE, EV_DISPATCH_OFFERED, cmd, ctx, ret);
}

static void decide_offered(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct driver *d = state;
    const struct ev_booking *b = cmd->args;
    const struct ev_offer *offer = b->offer;
    if (d == NULL || d->claim == NULL || d->claim->active ||
        !str_eq(d->claim->offer_id, offer->id) || offer->expires_at_us == 0)
        return;
    struct driver *next = driver_edit(cmd, ctx, d, ret);
    next->claim->expires_at_us = offer->expires_at_us;
    next->claim->ask_at_us = offer->expires_at_us + SPARE_US;
    if (b->stop_count < 2 || b->earning == I64_ABSENT)
        return;
    /* Its stops may have changed while he was being claimed: he is asked for what it is now. */
    next->claim->dropoff = place_copy(ctx->arena, &b->stops[b->stop_count - 1]);
    next->claim->stop_count = b->stop_count;
    next->claim->earning = b->earning;
    next->claim->cash = b->cash;
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
    bool mine = d->claim != NULL && str_eq(d->claim->offer_id, offer->id);
    if (mine && d->claim->active)
        return; /* what he won is not closed but ended */
    struct driver *next = driver_edit(cmd, ctx, d, ret);
    remember(next, ctx->arena, offer->id);
    if (!mine)
        return;
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
    if (driver_active(d))
        return; /* this one, heard again; two at a time are not possible */
    struct driver *next = driver_edit(cmd, ctx, d, ret);
    bool mine = next->claim != NULL && str_eq(next->claim->booking_id, b->booking_id);
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
    next->accepted++;
    add_load(next, 1000, s->o.fairness_half_life_s, ctx->now_us);
}

/* His booking is over: he is free, or off duty if he may not drive any more. */
static void free_driver(struct driver *d, const struct command *cmd, const struct decide_ctx *ctx,
                        struct decision *ret) {
    bool may_drive = d->status == STATUS_APPROVED && !d->disabled;
    if (d->duty == DUTY_BUSY)
        driver_set_duty(d, may_drive ? DUTY_ON : DUTY_OFF, cmd, ctx, ret);
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
    if (next->claim == NULL || !str_eq(next->claim->booking_id, b->booking_id))
        return;
    remember(next, ctx->arena, next->claim->offer_id);
    next->claim = NULL;
    next->free_since_us = ctx->now_us;
    free_driver(next, cmd, ctx, ret);
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
    if (next->claim == NULL || !str_eq(next->claim->offer_id, offer->id))
        return;
    next->claim = NULL;
    free_driver(next, cmd, ctx, ret);
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

int64_t claim_wake_at(const struct driver *d) {
    return d->claim != NULL && !d->claim->active ? d->claim->ask_at_us : 0;
}

void claim_wake(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                struct decision *ret) {
    if (claim_wake_at(d) == 0 || d->claim->ask_at_us > ctx->now_us)
        return;
    d->claim->ask_at_us = ctx->now_us + SPARE_US;
    driver_claim_event(d, d->claim, STR_NONE, EV_DRIVER_CLAIM_STALE, cmd, ctx, ret);
}

/* ---- the roster ---- */

void driver_applied(const struct command *cmd, const struct decision *d, const void *state) {
    (void)state;
    struct driver_service *s = cmd->service;
    if (d->state != NULL)
        roster_driver(s->roster, d->state);
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
