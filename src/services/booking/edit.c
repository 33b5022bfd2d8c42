/* An edit: how decide functions make a booking's next state. The old state is never touched: the
 * struct is copied at once, each list when it is first changed. Everything lives in the arena of
 * the command.
 *
 * The events of an edit are gathered first and written last, because each names the version and the
 * state that come out of it, and carries its view. Those behind the first say so: each version of a
 * booking comes into inboxes exactly once, however many offers were closed with it.
 */
#include "base/check.h"
#include "base/timestamp.h"
#include "services/booking/collect.h"
#include "services/booking/custody.h"
#include "services/booking/figures.h"
#include "services/booking/internal.h"
#include "services/booking/ledger.h"

#include <string.h>

#define PICKUP_ETA_S_MAX 604800 /* what is said to be farther off is no promise */

void edit_begin(struct edit *e, const struct command *cmd, const struct decide_ctx *ctx,
                const struct booking *old) {
    *e = (struct edit){.cmd = cmd, .ctx = ctx, .old = old};
    e->b = arena_new(ctx->arena, struct booking);
    if (old != NULL)
        *e->b = *old;
    e->b->updated_at_us = ctx->now_us;
}

struct booking_stop *edit_stop(struct edit *e, int32_t i) {
    CHECK(i >= 0 && i < e->b->stop_count);
    if (!e->own_stops) {
        e->b->stops = arena_copy(e->ctx->arena, e->b->stops,
                                 (size_t)e->b->stop_count * sizeof(struct booking_stop));
        e->own_stops = true;
    }
    return &e->b->stops[i];
}

struct stop_proof *edit_proof(struct edit *e, int32_t i) {
    struct booking_stop *s = edit_stop(e, i);
    CHECK(s->proof != NULL);
    s->proof = arena_copy(e->ctx->arena, s->proof, sizeof(*s->proof));
    return s->proof;
}

/* Entries that can come any number of times: they are kept only as far as there is room. */
static bool is_routine(int32_t type) {
    return type == ENTRY_OFFERED || type == ENTRY_OFFER_CLOSED || type == ENTRY_ASSIGN_WANTED ||
           type == ENTRY_PIN_REFUSED || type == ENTRY_REACHED || type == ENTRY_LEFT;
}

/* Room for one more entry, in a list of our own. */
static void timeline_reserve(struct edit *e) {
    struct booking *b = e->b;
    if (b->timeline_count < e->timeline_room)
        return;
    e->timeline_room = b->timeline_count + (e->timeline_room == 0 ? 1 : EDIT_EVENTS_MAX);
    struct timeline_entry *timeline =
        arena_array(e->ctx->arena, struct timeline_entry, e->timeline_room);
    if (b->timeline_count > 0)
        memcpy(timeline, b->timeline, (size_t)b->timeline_count * sizeof(*timeline));
    b->timeline = timeline;
}

struct timeline_entry *edit_entry(struct edit *e, int32_t type) {
    struct booking *b = e->b;
    timeline_reserve(e);
    struct timeline_entry *entry = &b->timeline[b->timeline_count];
    /* All else is bounded by its own rule, and fits; one that was stored by other rules may be
     * full, and must still come to its end. */
    if (b->timeline_count >= TIMELINE_MAX - (is_routine(type) ? TIMELINE_RESERVED : 0))
        entry = arena_new(e->ctx->arena, struct timeline_entry); /* nobody keeps this one */
    else
        b->timeline_count++;
    *entry = (struct timeline_entry){.at_us = e->ctx->now_us,
                                     .type = type,
                                     .state = b->state,
                                     .actor_kind = (int32_t)e->cmd->who.role,
                                     .actor_id = e->cmd->who.user_id,
                                     .stop = I64_ABSENT,
                                     .stars = I64_ABSENT,
                                     .amount = I64_ABSENT};
    return entry;
}

struct edit_event *edit_event(struct edit *e, int32_t type, const struct booking_offer *offer) {
    CHECK(e->event_count < EDIT_EVENTS_MAX);
    struct edit_event *event = &e->events[e->event_count++];
    *event = (struct edit_event){.type = type,
                                 .pickup_distance_m = I64_ABSENT,
                                 .pickup_eta_s = I64_ABSENT,
                                 .money_stop = I64_ABSENT};
    if (offer != NULL) {
        event->offer_id = offer->id;
        event->driver_id = offer->driver.id;
        event->driver_user_id = offer->driver.user_id;
        event->expires_at_us = offer->expires_at_us;
        event->pickup_distance_m = offer->pickup_distance_m;
        event->pickup_eta_s = offer->pickup_eta_s;
        event->free_at_us = offer->driver.free_at_us;
        event->manual = offer->wanted;
        event->at_once = offer->at_once;
    }
    return event;
}

/* ---- offers ---- */

static void own_offers(struct edit *e) {
    if (e->own_offers)
        return;
    struct booking_offer *offers = arena_array(e->ctx->arena, struct booking_offer, OFFERS_MAX);
    if (e->b->offer_count > 0)
        memcpy(offers, e->b->offers, (size_t)e->b->offer_count * sizeof(*offers));
    e->b->offers = offers;
    e->own_offers = true;
}

void edit_put_offer(struct edit *e, const struct booking_offer *offer) {
    own_offers(e);
    int32_t i = booking_offer_index(e->b, offer->id);
    if (i < 0) {
        CHECK(e->b->offer_count < OFFERS_MAX);
        i = e->b->offer_count++;
    }
    e->b->offers[i] = *offer;
}

static struct booking_offer take_offer(struct edit *e, int32_t i) {
    own_offers(e);
    struct booking *b = e->b;
    CHECK(i >= 0 && i < b->offer_count);
    struct booking_offer taken = b->offers[i];
    memmove(&b->offers[i], &b->offers[i + 1],
            (size_t)(b->offer_count - i - 1) * sizeof(struct booking_offer));
    b->offer_count--;
    return taken;
}

/* The oldest is forgotten when there is no room. */
static void remember_closed(struct edit *e, struct str offer_id, struct str driver_id,
                            int32_t reason) {
    struct booking *b = e->b;
    if (!e->own_closed) {
        struct closed_offer *closed = arena_array(e->ctx->arena, struct closed_offer, CLOSED_MAX);
        if (b->closed_count > 0)
            memcpy(closed, b->closed, (size_t)b->closed_count * sizeof(*closed));
        b->closed = closed;
        e->own_closed = true;
    }
    if (b->closed_count == CLOSED_MAX) {
        memmove(b->closed, b->closed + 1, (CLOSED_MAX - 1) * sizeof(struct closed_offer));
        b->closed_count--;
    }
    b->closed[b->closed_count++] = (struct closed_offer){offer_id, driver_id, reason};
}

void edit_close_offer(struct edit *e, int32_t i, int32_t reason) {
    struct booking_offer offer = take_offer(e, i);
    remember_closed(e, offer.id, offer.driver.id, reason);
    edit_event(e, ENTRY_OFFER_CLOSED, &offer)->reason = reason;
    struct timeline_entry *entry = edit_entry(e, ENTRY_OFFER_CLOSED);
    entry->offer_id = offer.id;
    entry->driver_id = offer.driver.id;
    entry->reason = str_from(close_reason_names[reason]);
}

void edit_close_offers(struct edit *e, int32_t reason) {
    while (e->b->offer_count > 0)
        edit_close_offer(e, e->b->offer_count - 1, reason);
}

void edit_refuse_offer(struct edit *e, struct str offer_id, struct str driver_id,
                       struct str driver_user_id, int32_t reason) {
    if (booking_closed(e->b, offer_id) == NULL)
        remember_closed(e, offer_id, driver_id, reason);
    struct edit_event *event = edit_event(e, ENTRY_OFFER_CLOSED, NULL);
    event->offer_id = offer_id;
    event->driver_id = driver_id;
    event->driver_user_id = driver_user_id;
    event->reason = reason;
}

void edit_unassign(struct edit *e, int32_t reason, struct str why) {
    const struct booking_driver *driver = e->b->driver;
    CHECK(driver != NULL);
    int32_t next = booking_next_stop(e->b);
    e->b->driver = NULL;
    if (next < e->b->stop_count && e->b->stops[next].state != STOP_PENDING)
        edit_stop(e, next)->state = STOP_PENDING;
    remember_closed(e, driver->offer_id, driver->id, reason);
    struct edit_event *event = edit_event(e, ENTRY_UNASSIGNED, NULL);
    event->offer_id = driver->offer_id;
    event->driver_id = driver->id;
    event->driver_user_id = driver->user_id;
    event->reason = reason;
    event->why = why;
    struct timeline_entry *entry = edit_entry(e, ENTRY_UNASSIGNED);
    entry->offer_id = driver->offer_id;
    entry->driver_id = driver->id;
    entry->reason = why;
}

void edit_assign(struct edit *e, int32_t i, enum booking_action action, unsigned hats) {
    struct booking_offer offer = take_offer(e, i);
    struct booking_driver *driver = arena_new(e->ctx->arena, struct booking_driver);
    *driver = offer.driver;
    driver->offer_id = offer.id;
    e->b->driver = driver;
    bool promised = offer.pickup_eta_s >= 0 && offer.pickup_eta_s <= PICKUP_ETA_S_MAX;
    e->b->pickup_due_us = promised ? e->ctx->now_us + offer.pickup_eta_s * US_PER_S : 0;
    e->b->held = false;
    edit_move(e, action, hats);
    edit_event(e, ENTRY_ASSIGNED, &offer);
    struct timeline_entry *entry = edit_entry(e, ENTRY_ASSIGNED);
    if (offer.at_once)
        entry->reason = STR("auto");
    entry->offer_id = offer.id;
    entry->driver_id = driver->id;
    edit_close_offers(e, CLOSE_ACCEPTED_ELSEWHERE);
}

/* ---- states ---- */

void edit_move(struct edit *e, enum booking_action action, unsigned hats) {
    struct booking *b = e->b;
    struct booking_ask ask = booking_ask_of(b, action, hats);
    ask.has_reason = true; /* judged already */
    CHECK(booking_judge(&ask, &b->state) == VERDICT_OK);
    if (booking_is_final(b->state) && b->ended_at_us == 0)
        b->ended_at_us = e->ctx->now_us;
}

void edit_lapse(struct edit *e) {
    struct booking *b = e->b;
    if (b->state != BOOKING_OFFERED)
        return;
    for (int32_t i = 0; i < b->offer_count; i++) {
        if (!b->offers[i].wanted)
            return;
    }
    edit_move(e, ACTION_LAPSE, HAT_SYSTEM);
}

/* ---- events ---- */

static void fill_trip(const struct booking *b, struct arena *a, struct ev_booking *ev) {
    ev->stops = arena_array(a, struct ev_point, b->stop_count);
    ev->stop_count = b->stop_count;
    for (int32_t i = 0; i < b->stop_count; i++) {
        const struct place *p = &b->stops[i].place;
        ev->stops[i] = (struct ev_point){p->lat_e7, p->lng_e7, p->address};
    }
    if (b->goods_count > 0) {
        ev->load = arena_new(a, struct ev_load);
        goods_load(b->goods, b->goods_count, a, ev->load);
    }
}

/* Dispatch needs to know the way, and what is to be carried, when it begins to look, and when it is
 * told whom to ask; the driver who is asked is shown where it begins and ends; and who has it is
 * watched on his way. Once stops have been changed, or there is a way back, each event of a booking
 * that somebody has tells them: its journey need not have heard of the change itself. */
static bool tells_trip(const struct booking *b, int32_t type) {
    return type == ENTRY_REQUESTED || type == ENTRY_OFFERED || type == ENTRY_ASSIGN_WANTED ||
           type == ENTRY_ASSIGNED || type == ENTRY_UNASSIGNED || type == ENTRY_STOPS_CHANGED ||
           b->stops[b->stop_count - 1].back || (b->driver != NULL && booking_stops_revision(b) > 0);
}

static void fill_offer(const struct edit_event *from, struct ev_offer *to) {
    *to = (struct ev_offer){.id = from->offer_id,
                            .driver_id = from->driver_id,
                            .driver_user_id = from->driver_user_id,
                            .expires_at_us = from->expires_at_us,
                            .pickup_distance_m = from->pickup_distance_m,
                            .pickup_eta_s = from->pickup_eta_s,
                            .free_at_us = from->free_at_us,
                            .reason = str_from(close_reason_names[from->reason]),
                            .why = from->why,
                            .manual = from->manual,
                            .at_once = from->at_once};
}

/* Which of its events tells what the reports hear of; with none of these there is one more. */
static int32_t counted_by(const struct edit *e) {
    for (int32_t i = 0; i < e->event_count; i++) {
        if (figures_carried(e->events[i].type))
            return i;
    }
    return e->event_count;
}

static void write_event(struct edit *e, struct decision *d, const struct edit_event *from,
                        bool again, struct str figures) {
    const struct booking *b = e->b;
    bool told =
        from->type != ENTRY_NONE && !from->inner; /* to people: the rest is between services */
    int64_t cash = collect_all(b);
    struct ev_booking ev = {
        .booking_id = b->head.id,
        .version = b->head.version,
        .state = b->state,
        .customer_id = b->customer_id,
        .vehicle = b->vehicle,
        .currency = b->price.currency,
        .earning = b->earning,
        .earned = b->ledger_count > 0 ? ledger_earned(b) : I64_ABSENT,
        .gross = b->ledger_count > 0 ? ledger_gross(b) : I64_ABSENT,
        .cash = cash > 0 ? cash : I64_ABSENT,
        .money = from->money,
        .money_stop = from->money_stop,
        .search_until_us = b->search_until_us,
        .in_bulk = e->old == NULL && id_valid(b->made_by, "imp"),
        .held = b->held,
        .goes_back = booking_owes_return(b) && !b->stops[b->stop_count - 1].back,
        .stars = I64_ABSENT,
        .next_stop = booking_next_stop(b),
        .pickup_until_us = b->pickup_window != NULL ? b->pickup_window->to_us : 0,
        .actor_kind = (int32_t)e->cmd->who.role,
        .actor_id = e->cmd->who.user_id,
        .again = again && told,
        .view = told ? e->view : STR_NONE,
        .figures = figures};
    struct ev_offer offer;
    if (tells_trip(b, from->type))
        fill_trip(b, e->ctx->arena, &ev);
    if (from->type == ENTRY_REQUESTED) {
        ev.favourites = b->favourites;
        ev.favourite_count = b->favourite_count;
    }
    if (from->type == ENTRY_RATED)
        ev.stars = b->rating->stars;
    if (b->driver != NULL) {
        ev.driver_id = b->driver->id;
        ev.driver_user_id = b->driver->user_id;
    }
    if (from->offer_id.p != NULL) {
        fill_offer(from, &offer);
        ev.offer = &offer;
    }
    const char *type = from->inner                ? EV_BOOKING_CLAIM_HOLDS
                       : from->type != ENTRY_NONE ? entry_type_names[from->type]
                                                  : EV_BOOKING_COUNTED;
    decision_event(d, e->cmd, e->ctx, type, b->head.id, &ev_booking_schema, &ev);
}

/* A promo code's use begins with its booking, and comes back when that is cancelled or expires. */
static void tell_promo(struct edit *e, struct decision *d) {
    const struct booking *b = e->b;
    bool ends = e->old != NULL && !booking_is_final(e->old->state) &&
                (b->state == BOOKING_CANCELLED || b->state == BOOKING_EXPIRED);
    if (b->promo == NULL || (e->old != NULL && !ends))
        return;
    struct ev_promo ev = {b->promo->code, b->head.id, b->customer_id};
    decision_event(d, e->cmd, e->ctx, ends ? EV_PROMO_GIVEN_BACK : EV_PROMO_TAKEN, ev.code,
                   &ev_promo_schema, &ev);
}

void edit_commit(struct edit *e, struct decision *d) {
    CHECK(e->event_count > 0);
    custody_chain(e->b, e->cmd->id, e->old != NULL ? e->old->timeline_count : 0, e->ctx->entropy,
                  e->ctx->arena);
    decision_state(d, e->cmd, e->old, e->b);
    e->view = booking_view(e->b, NULL, &booking_sight_whole, e->ctx->arena);
    struct str figures = figures_more(e->old, e->b, e->ctx->arena);
    if (e->b->driver != NULL) /* the first event tells of what is written into the ledger with it */
        e->events[0].money =
            ledger_book_lines(e->b, e->old != NULL ? e->old->ledger_count : 0, e->ctx->arena);
    int32_t counted = figures.p != NULL ? counted_by(e) : -1;
    for (int32_t i = 0; i < e->event_count; i++)
        write_event(e, d, &e->events[i], i > 0, i == counted ? figures : STR_NONE);
    if (counted == e->event_count)
        write_event(e, d, &(struct edit_event){.type = ENTRY_NONE, .money_stop = I64_ABSENT}, true,
                    figures);
    tell_promo(e, d);
}

void edit_reply_staff(struct edit *e, struct decision *d, int status) {
    decision_json(d, status, e->view);
    decision_etag(d, e->cmd, e->b->head.version);
}

void edit_reply(struct edit *e, struct decision *d, int status) {
    struct booking_sight seen =
        booking_sight(e->cmd->service, e->b, booking_hats(e->b, &e->cmd->who), e->ctx->now_us);
    enum sight whole = seen.line.len > 0 ? SIGHT_WHOLE : SIGHT_LINE; /* the same without a line */
    bool same = seen.contacts == SIGHT_WHOLE && (e->b->driver == NULL || seen.driver >= whole);
    decision_json(d, status, same ? e->view : booking_view(e->b, NULL, &seen, e->ctx->arena));
    decision_etag(d, e->cmd, e->b->head.version);
}
