/* Events in: each becomes a command on the driver it names, on the booking's search, or on both. */
#include "base/id.h"
#include "base/timestamp.h"
#include "services/driver/cash.h"
#include "services/driver/journey.h"
#include "services/driver/search.h"

static struct str search_id(struct event_turn *t, struct str booking_id) {
    return id_with_prefix(t->arena, booking_id, "dsp");
}

/* Did an event come with what its type promises? One that does not is nobody's. */
static bool names_offer(const struct ev_booking *b) {
    return b->booking_id.p != NULL && b->offer != NULL && b->offer->id.p != NULL &&
           b->offer->driver_id.p != NULL;
}

void on_requested(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (b->booking_id.p != NULL && b->stop_count >= 2 && b->vehicle != VEHICLE_NONE)
        event_command(t, &search_begin_type, search_id(t, b->booking_id), (void *)(uintptr_t)b);
}

void on_claim(struct event_turn *t, const void *data) {
    const struct ev_claim *claim = data;
    if (claim->driver_id.p != NULL && claim->booking_id.p != NULL && claim->offer_id.p != NULL)
        event_command(t, &driver_claim_type, claim->driver_id, (void *)(uintptr_t)claim);
}

void on_refused(struct event_turn *t, const void *data) {
    const struct ev_claim *claim = data;
    if (claim->booking_id.p != NULL && claim->offer_id.p != NULL)
        event_command(t, &search_refused_type, search_id(t, claim->booking_id),
                      (void *)(uintptr_t)claim);
}

void on_offered(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (names_offer(b))
        event_command(t, &driver_offered_type, b->offer->driver_id, (void *)(uintptr_t)b);
}

void on_offer_closed(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (!names_offer(b))
        return;
    event_command(t, &driver_closed_type, b->offer->driver_id, (void *)(uintptr_t)b);
    event_command(t, &search_closed_type, search_id(t, b->booking_id), (void *)(uintptr_t)b);
}

/* Whoever is about to finish what he carries may be given what comes next, as dispatch would. */
static void follow_on(const struct event_turn *t, struct ev_claim *claim) {
    const struct driver_service *s = t->service;
    struct signal_ends ends;
    int64_t now_us = s->o.clock->now_us(s->o.clock);
    if (s->o.chain_eta_s == 0 || roster_about_to_finish(s->roster, claim->driver_id, &ends) < 0 ||
        ends.at_us - now_us > s->o.chain_eta_s * US_PER_S)
        return;
    claim->after = arena_str(t->arena, str_from(ends.booking_id));
    claim->free_at_us = ends.at_us > now_us ? ends.at_us : now_us;
}

/* A dispatcher's choice is claimed like any other; the search writes it down, and answers if there
 * is no such driver. */
void on_assign_wanted(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (!names_offer(b))
        return;
    struct ev_claim *claim = arena_new(t->arena, struct ev_claim);
    *claim = (struct ev_claim){.booking_id = b->booking_id,
                               .offer_id = b->offer->id,
                               .driver_id = b->offer->driver_id,
                               .vehicle = b->vehicle,
                               .pickup_distance_m = b->offer->pickup_distance_m,
                               .pickup_eta_s = b->offer->pickup_eta_s,
                               .manual = true,
                               .stop_count = b->stop_count,
                               .earning = b->earning,
                               .cash = b->cash,
                               .currency = b->currency,
                               .load = b->load};
    if (b->stop_count >= 2) {
        claim->pickup = &b->stops[0];
        claim->dropoff = &b->stops[b->stop_count - 1];
    }
    follow_on(t, claim);
    event_command(t, &driver_claim_type, claim->driver_id, claim);
    event_command(t, &search_wanted_type, search_id(t, b->booking_id), (void *)(uintptr_t)b);
}

void on_assigned(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (b->booking_id.p == NULL || b->driver_id.p == NULL)
        return;
    event_command(t, &driver_assigned_type, b->driver_id, (void *)(uintptr_t)b);
    event_command(t, &search_assigned_type, search_id(t, b->booking_id), (void *)(uintptr_t)b);
    if (b->stop_count >= 2 && b->stop_count <= JOURNEY_STOPS_MAX && b->vehicle != VEHICLE_NONE)
        event_command(t, &journey_begin_type, journey_id(t->arena, b->booking_id),
                      (void *)(uintptr_t)b);
}

void on_progressed(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (b->booking_id.p != NULL && b->driver_id.p != NULL)
        event_command(t, &journey_progress_type, journey_id(t->arena, b->booking_id),
                      (void *)(uintptr_t)b);
}

/* Other drop-offs: the search and the journey go by them from now on. */
void on_stops_changed(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (b->booking_id.p == NULL || b->stop_count < 2)
        return;
    event_command(t, &search_changed_type, search_id(t, b->booking_id), (void *)(uintptr_t)b);
    on_progressed(t, data);
}

/* He had it, and has it no more; whether another is looked for its state says. */
void on_unassigned(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (!names_offer(b))
        return;
    event_command(t, &driver_unassigned_type, b->offer->driver_id, (void *)(uintptr_t)b);
    event_command(t, &search_unassigned_type, search_id(t, b->booking_id), (void *)(uintptr_t)b);
    event_command(t, &journey_leave_type, journey_id(t->arena, b->booking_id),
                  (void *)(uintptr_t)b);
}

static void earn(struct event_turn *t, const struct ev_booking *b) {
    char date[11];
    bool known = b->gross > 0; /* else of a booking from before there was a ledger */
    timestamp_date(t->event->at_us, date);
    struct earning_args *args = arena_new(t->arena, struct earning_args);
    *args = (struct earning_args){.driver_id = b->driver_id,
                                  .date = arena_str(t->arena, str_from(date)),
                                  .currency = b->currency,
                                  .delivered = b->state == BOOKING_DELIVERED,
                                  .gross = known ? b->gross : b->earning,
                                  .amount = known ? b->earned : b->earning};
    event_command(t, &earnings_add_type, earnings_id(t->arena, b->driver_id, date), args);
}

/* Delivered, returned, cancelled, failed, expired. */
void on_ended(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (b->booking_id.p == NULL)
        return;
    if (b->driver_id.p != NULL)
        event_command(t, &journey_end_type, journey_id(t->arena, b->booking_id),
                      (void *)(uintptr_t)b);
    bool delivered = b->state == BOOKING_DELIVERED && b->earning != I64_ABSENT;
    bool done = delivered || b->state == BOOKING_RETURNED;
    /* before he is free: he is not asked for more cash than he may hold */
    cash_take(t, b, done ? KIND_DELIVERED : KIND_CANCELLED);
    if (b->driver_id.p != NULL)
        event_command(t, &driver_ended_type, b->driver_id, (void *)(uintptr_t)b);
    if (b->driver_id.p != NULL && (delivered || b->gross > 0))
        earn(t, b);
    event_command(t, &search_ended_type, search_id(t, b->booking_id), (void *)(uintptr_t)b);
}

void on_rated(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (b->driver_id.p != NULL)
        event_command(t, &driver_rated_type, b->driver_id, (void *)(uintptr_t)b);
}
