/* The tables of the booking service, and the service itself. */
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "runtime/metrics.h"
#include "services/booking/collect.h"
#include "services/booking/early.h"
#include "services/booking/erase.h"
#include "services/booking/favourites.h"
#include "services/booking/import.h"
#include "services/booking/promo.h"
#include "services/booking/recurrence.h"
#include "services/booking/report.h"
#include "services/booking/saved_places.h"
#include "services/booking/schedule.h"
#include "services/booking/standing.h"
#include "services/booking/stops.h"

#include <stdlib.h>

#define QUOTE_TTL_US (600 * US_PER_S)
#define OFFER_TIMEOUT_US (20 * US_PER_S)
#define SEARCH_TIMEOUT_US (180 * US_PER_S)
#define HELD_TIMEOUT_US (3600 * US_PER_S)
#define TRIP_MAX_KM 200
#define COMMISSION_PERCENT 20
#define OPEN_BOOKINGS_MAX 100
/* Quotes are kept a while beyond their end, so that a late booking hears "expired". No longer: they
 * cost nothing to ask for, and those of twenty stops are large. */
#define QUOTES_KEPT_US (3600 * US_PER_S)
#define LAST_ACCOUNT "usr_7ZZZZZZZZZZZZZZZZZZZZZZZZZ" /* the highest id there can be */
#define PRUNE_EVERY_US (30 * US_PER_S)
#define PRUNE_MAX 5000

#define ROLES_CUSTOMERS (ROLES(ROLE_CUSTOMER) | ROLES_STAFF)

static const struct route_entry routes[] = {
    {"POST", "/v1/quotes", ROLES_CUSTOMERS, handle_quotes, &quote_body_schema, ROUTE_IDEMPOTENT,
     "createQuotes", check_quote, .area = AREA_BOOKINGS},
    {"GET", "/v1/tariffs", ROLES_ANY, handle_tariffs, NULL, 0, "listTariffs",
     .area = AREA_BOOKINGS},
    {"PUT", "/v1/tariffs", ROLES(ROLE_ADMIN), handle_put_tariffs, &tariffs_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "putTariffs", check_tariffs},
    {"POST", "/v1/tariffs/preview", ROLES(ROLE_ADMIN), handle_preview, &tariffs_schema, 0,
     "previewTariffs", check_tariffs},
    {"GET", "/v1/tariffs/versions", ROLES_STAFF, handle_tariff_versions, NULL, 0,
     "listTariffVersions", .area = AREA_BOOKINGS},
    {"GET", "/v1/service-area", ROLES_ANY, handle_area, NULL, 0, "getServiceArea",
     .area = AREA_BOOKINGS},
    {"PUT", "/v1/service-area", ROLES(ROLE_ADMIN), handle_put_area, &area_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "putServiceArea", check_area},
    {"GET", "/v1/service-area/versions", ROLES_STAFF, handle_area_versions, NULL, 0,
     "listServiceAreaVersions", .area = AREA_BOOKINGS},
    {"POST", "/v1/service-area/preview", ROLES(ROLE_ADMIN), handle_area_preview, &area_body_schema,
     0, "previewServiceArea", check_area},
    {"POST", "/v1/promo-codes", ROLES(ROLE_ADMIN), handle_promo_make, &promo_schema,
     ROUTE_IDEMPOTENT, "createPromoCode", check_promo},
    {"GET", "/v1/promo-codes", ROLES(ROLE_ADMIN), handle_promos, NULL, 0, "listPromoCodes"},
    {"GET", "/v1/promo-codes/{code}", ROLES(ROLE_ADMIN), handle_promo, NULL, 0, "getPromoCode"},
    {"PATCH", "/v1/promo-codes/{code}", ROLES(ROLE_ADMIN), handle_promo_patch, &promo_patch_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "patchPromoCode"},
    {"POST", "/v1/promo-codes/{code}/end", ROLES(ROLE_ADMIN), handle_promo_end, NULL,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "endPromoCode"},
    {"POST", "/v1/bookings", ROLES_CUSTOMERS, handle_create, &create_body_schema, ROUTE_IDEMPOTENT,
     "createBooking", check_create, AREA_BOOKINGS},
    {"GET", "/v1/bookings", ROLES_ANY, handle_list, NULL, 0, "listBookings", .area = AREA_BOOKINGS},
    {"GET", "/v1/bookings/{id}", ROLES_ANY, handle_get, NULL, 0, "getBooking",
     .area = AREA_BOOKINGS},
    {"GET", "/v1/bookings/{id}/timeline", ROLES_ANY, handle_timeline, NULL, 0, "getTimeline",
     .area = AREA_BOOKINGS},
    {"GET", "/v1/bookings/{id}/custody", ROLES_CUSTOMERS, handle_custody, NULL, 0, "getCustody",
     .area = AREA_BOOKINGS},
    {"POST", "/v1/bookings/{id}/cancel", ROLES_CUSTOMERS, handle_cancel, &cancel_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH | ROUTE_BODY_OPTIONAL, "cancelBooking",
     .area = AREA_BOOKINGS},
    {"GET", "/v1/bookings/{id}/cancellation", ROLES_CUSTOMERS, handle_cancellation, NULL, 0,
     "getCancellation", .area = AREA_BOOKINGS},
    {"GET", "/v1/bookings/{id}/ledger", ROLES_ANY, handle_ledger, NULL, 0, "getLedger",
     .area = AREA_BOOKINGS},
    {"POST", "/v1/bookings/{id}/accept", ROLES(ROLE_DRIVER), handle_accept, &accept_body_schema,
     ROUTE_IDEMPOTENT, "acceptOffer", .area = AREA_DRIVING},
    {"POST", "/v1/bookings/{id}/decline", ROLES(ROLE_DRIVER), handle_decline, &decline_body_schema,
     ROUTE_IDEMPOTENT, "declineOffer", .area = AREA_DRIVING},
    {"POST", "/v1/bookings/{id}/status", ROLES(ROLE_DRIVER), handle_status, &status_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "setStatus", .area = AREA_DRIVING},
    {"POST", "/v1/bookings/{id}/rating", ROLES_CUSTOMERS, handle_rating, &rating_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "rateBooking", .area = AREA_BOOKINGS},
    {"POST", "/v1/bookings/{id}/assign", ROLES_STAFF, handle_assign, &assign_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "assignDriver", .area = AREA_BOOKINGS},
    {"POST", "/v1/bookings/{id}/rebook", ROLES_CUSTOMERS, handle_rebook, &rebook_body_schema,
     ROUTE_BODY_OPTIONAL, "rebook", check_rebook, .area = AREA_BOOKINGS},
    {"POST", "/v1/booking-imports", ROLES_CUSTOMERS, handle_import, NULL,
     ROUTE_IDEMPOTENT | ROUTE_BODY_FILE, "importBookings", .area = AREA_BOOKINGS},
    {"GET", "/v1/booking-imports", ROLES_CUSTOMERS, handle_imports, NULL, 0, "listImports",
     .area = AREA_BOOKINGS},
    {"GET", "/v1/booking-imports/{id}", ROLES_CUSTOMERS, handle_get_import, NULL, 0, "getImport",
     .area = AREA_BOOKINGS},
    {"GET", "/v1/booking-imports/{id}/rows", ROLES_CUSTOMERS, handle_import_rows, NULL, 0,
     "listImportRows", .area = AREA_BOOKINGS},
    {"POST", "/v1/booking-imports/{id}/cancel", ROLES_CUSTOMERS, handle_cancel_import, NULL,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "cancelImport", .area = AREA_BOOKINGS},
    {"POST", "/v1/recurrences", ROLES_CUSTOMERS, handle_recurrence, &recurrence_body_schema,
     ROUTE_IDEMPOTENT, "createRecurrence", check_recurrence, .area = AREA_BOOKINGS},
    {"GET", "/v1/recurrences", ROLES_CUSTOMERS, handle_recurrences, NULL, 0, "listRecurrences",
     .area = AREA_BOOKINGS},
    {"GET", "/v1/recurrences/{id}", ROLES_CUSTOMERS, handle_get_recurrence, NULL, 0,
     "getRecurrence", .area = AREA_BOOKINGS},
    {"PATCH", "/v1/recurrences/{id}", ROLES_CUSTOMERS, handle_patch_recurrence,
     &recurrence_patch_schema, ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "patchRecurrence",
     check_recurrence_patch, .area = AREA_BOOKINGS},
    {"DELETE", "/v1/recurrences/{id}", ROLES_CUSTOMERS, handle_end_recurrence, NULL, 0,
     "endRecurrence", .area = AREA_BOOKINGS},
    {"POST", "/v1/recurrences/{id}/skip", ROLES_CUSTOMERS, handle_skip, &skip_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "skipOccurrence", check_skip, .area = AREA_BOOKINGS},
    {"POST", "/v1/recurrences/{id}/unskip", ROLES_CUSTOMERS, handle_unskip, &skip_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "unskipOccurrence", check_skip, .area = AREA_BOOKINGS},
    {"POST", "/v1/recurrences/{id}/book", ROLES_CUSTOMERS, handle_book_occurrence,
     &occurrence_body_schema, ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "bookOccurrence",
     check_book_occurrence, .area = AREA_BOOKINGS},
    {"GET", "/v1/me/favourite-drivers", ROLES(ROLE_CUSTOMER), handle_favourites, NULL, 0,
     "listFavouriteDrivers", .area = AREA_BOOKINGS},
    {"PUT", "/v1/me/favourite-drivers/{id}", ROLES(ROLE_CUSTOMER), handle_put_favourite,
     &favourite_body_schema, ROUTE_IDEMPOTENT, "addFavouriteDriver", .area = AREA_BOOKINGS},
    {"DELETE", "/v1/me/favourite-drivers/{id}", ROLES(ROLE_CUSTOMER), handle_delete_favourite, NULL,
     0, "removeFavouriteDriver", .area = AREA_BOOKINGS},
    {"GET", "/v1/me/places", ROLES(ROLE_CUSTOMER), handle_saved_places, NULL, 0, "listSavedPlaces",
     .area = AREA_BOOKINGS},
    {"POST", "/v1/me/places", ROLES(ROLE_CUSTOMER), handle_save_place, &saved_place_body_schema,
     ROUTE_IDEMPOTENT, "savePlace", .area = AREA_BOOKINGS},
    {"PUT", "/v1/me/places/{id}", ROLES(ROLE_CUSTOMER), handle_put_saved_place,
     &saved_place_body_schema, ROUTE_IDEMPOTENT, "putSavedPlace", .area = AREA_BOOKINGS},
    {"DELETE", "/v1/me/places/{id}", ROLES(ROLE_CUSTOMER), handle_delete_saved_place, NULL, 0,
     "removeSavedPlace", .area = AREA_BOOKINGS},
    {"PUT", "/v1/bookings/{id}/pickup-window", ROLES_CUSTOMERS, handle_reschedule,
     &window_body_schema, ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "reschedule", check_window,
     .area = AREA_BOOKINGS},
    {"POST", "/v1/bookings/{id}/stops", ROLES_CUSTOMERS, handle_stops, &stops_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "changeStops", check_stops, .area = AREA_BOOKINGS},
    {"POST", "/v1/bookings/{id}/stops/preview", ROLES_CUSTOMERS, handle_stops_preview,
     &stops_preview_schema, 0, "previewStops", check_stops, .area = AREA_BOOKINGS},
    {"PUT", "/v1/bookings/{id}/note", ROLES_CUSTOMERS, handle_note, &note_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "putStopNote", .area = AREA_BOOKINGS},
    {"GET", "/v1/reports/{name}", ROLES_STAFF, handle_report, NULL, 0, "getReport",
     .area = AREA_REPORTS},
    {"POST", "/v1/bookings/{id}/unassign", ROLES_STAFF, handle_unassign, &unassign_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "unassignDriver", .area = AREA_BOOKINGS},
    {"POST", "/v1/bookings/{id}/release", ROLES(ROLE_DRIVER), handle_release, &release_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "releaseBooking", .area = AREA_DRIVING},
    {"POST", "/v1/bookings/{id}/proof", ROLES(ROLE_DRIVER), handle_proof, &proof_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "giveProof", check_proof, .area = AREA_DRIVING},
    {"GET", "/v1/bookings/{id}/collection", ROLES_ANY, handle_collection, NULL, 0, "getCollection",
     .area = AREA_BOOKINGS},
    {"POST", "/v1/bookings/{id}/collection", ROLES(ROLE_DRIVER) | ROLES_STAFF, handle_collect,
     &collection_body_schema, ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "confirmCollection",
     .area = AREA_DRIVING},
    {"GET", "/v1/bookings/{id}/pins", ROLES_CUSTOMERS, handle_pins, NULL, 0, "listPins",
     .area = AREA_BOOKINGS},
    {"GET", "/v1/track/{token}", ROLES_PUBLIC, handle_track, NULL, 0, "trackBooking"},
    {"POST", "/v1/track/{token}/rating", ROLES_PUBLIC, handle_track_rating, &rating_body_schema, 0,
     "rateTrackedBooking"},
    {"GET", "/v1/track/{token}/files/{id}", ROLES_PUBLIC, handle_track_file, NULL, 0,
     "getTrackedFile"},
};

/* ---- events ---- */

static void on_claim(struct event_turn *t, const void *data, const struct command_type *type) {
    const struct ev_claim *claim = data;
    /* An event without these is nothing that we could act on, now or later. */
    if (!id_valid(claim->booking_id, "bkg") || claim->offer_id.p == NULL ||
        claim->driver_id.p == NULL || claim->driver_user_id.p == NULL)
        return;
    event_command(t, type, claim->booking_id, arena_copy(t->arena, claim, sizeof(*claim)));
}
static void on_offered(struct event_turn *t, const void *data) {
    on_claim(t, data, &booking_offered);
}
static void on_refused(struct event_turn *t, const void *data) {
    on_claim(t, data, &booking_refused);
}
static void on_dropped(struct event_turn *t, const void *data) {
    on_claim(t, data, &booking_dropped);
}
static void on_next_begun(struct event_turn *t, const void *data) {
    on_claim(t, data, &booking_next_begun);
}
static void on_stale(struct event_turn *t, const void *data) {
    on_claim(t, data, &booking_stale);
}
static void on_tracking(struct event_turn *t, const void *data, const struct command_type *type) {
    const struct ev_tracking *said = data;
    if (id_valid(said->booking_id, "bkg") && said->driver_id.p != NULL)
        event_command(t, type, said->booking_id, arena_copy(t->arena, said, sizeof(*said)));
}
static void on_reached(struct event_turn *t, const void *data) {
    on_tracking(t, data, &booking_reached);
}
static void on_left(struct event_turn *t, const void *data) {
    on_tracking(t, data, &booking_left);
}

/* What the reports hear of; on the clock of the tariff that held then. */
static void count(struct event_turn *t, const struct figure *figures, int32_t figure_count,
                  int32_t vehicle) {
    struct booking_service *s = t->service;
    struct tariff_book *book = shelf_take(&s->tariffs);
    const struct zone *zone = &tariff_book_at(book, t->event->at_us)->zone;
    for (int32_t i = 0; i < figure_count; i++)
        report_take(t, &figures[i], vehicle, zone);
    shelf_give(&s->tariffs, book);
}
static void on_counted(struct event_turn *t, const void *data) {
    const struct report_event *e = data;
    count(t, e->figures, e->figure_count, e->vehicle);
}
static void on_shift(struct event_turn *t, const void *data) {
    const struct ev_shift *shift = data;
    struct figure f = {
        .at_us = t->event->at_us, .driver_id = shift->driver_id, .since_us = shift->since_us};
    if (shift->driver_id.p == NULL || shift->since_us <= 0 || shift->since_us > f.at_us)
        return;
    f.counts.n[COUNT_DUTY_S] = (f.at_us - f.since_us) / US_PER_S;
    count(t, &f, 1, shift->vehicle);
}

static const struct event_entry events[] = {
    {EV_BOOKING_SCHEDULED, &report_event_schema, on_counted},
    {EV_BOOKING_REQUESTED, &report_event_schema, on_counted},
    {EV_BOOKING_DELIVERED, &report_event_schema, on_counted},
    {EV_BOOKING_CANCELLED, &report_event_schema, on_counted},
    {EV_BOOKING_EXPIRED, &report_event_schema, on_counted},
    {EV_BOOKING_FAILED, &report_event_schema, on_counted},
    {EV_BOOKING_RETURNED, &report_event_schema, on_counted},
    {EV_BOOKING_RATED, &report_event_schema, on_counted},
    {EV_BOOKING_COUNTED, &report_event_schema, on_counted},
    {EV_DRIVER_SHIFT, &ev_shift_schema, on_shift},
    {EV_ACCOUNT_ERASED, &ev_erased_schema, booking_on_erased},
    {EV_ACCOUNT_CHANGED, &ev_account_schema, standing_on_account},
    {EV_RECURRENCE_STOPPED, &ev_of_user_schema, standing_on_stopped},
    {EV_STANDING_ASKED, &ev_of_user_schema, standing_on_asked},
    {EV_DISPATCH_OFFERED, &ev_claim_schema, on_offered},
    {EV_DISPATCH_REFUSED, &ev_claim_schema, on_refused},
    {EV_DRIVER_DROPPED, &ev_claim_schema, on_dropped},
    {EV_DRIVER_CLAIM_STALE, &ev_claim_schema, on_stale},
    {EV_DRIVER_NEXT_BEGUN, &ev_claim_schema, on_next_begun},
    {EV_PROMO_TAKEN, &ev_promo_schema, on_promo_taken},
    {EV_PROMO_GIVEN_BACK, &ev_promo_schema, on_promo_given_back},
    {EV_PROMO_USED, &ev_promo_schema, on_promo_used},
    {EV_PROMO_FREED, &ev_promo_schema, on_promo_freed},
    {EV_BOOKING_ORDERED, &quote_set_schema, on_ordered},
    {EV_TRACKING_REACHED, &ev_tracking_schema, on_reached},
    {EV_TRACKING_LEFT, &ev_tracking_schema, on_left},
};

/* ---- the service ---- */

static const struct command_type *const timers[] = {&booking_wake, &promo_wake, &import_wake,
                                                    &recurrence_wake, NULL};
static const struct store_collection *const collections[] = {
    &booking_collection,    &quote_collection,
    &tariff_collection,     &area_collection,
    &report_collection,     &promo_collection,
    &promo_uses_collection, &booking_erasure_collection,
    &favourites_collection, &saved_places_collection,
    &import_collection,     &recurrence_collection,
    &disabled_collection,   NULL};

static int start(void *self, struct store *reader, int64_t now_us) {
    struct booking_service *s = self;
    int err = shelf_read(&s->tariffs, reader, now_us);
    return err < 0 ? err : shelf_read(&s->area, reader, now_us);
}

static void follow(void *self, struct store *writer, int64_t now_us) {
    struct booking_service *s = self;
    shelf_follow(&s->tariffs, writer, now_us);
    shelf_follow(&s->area, writer, now_us);
    struct tariff_book *book = shelf_take(&s->tariffs);
    if (tariff_book_at(book, now_us)->t->surge != NULL)
        surge_sample(&s->surge, writer, s->o.fleet, s->o.search_timeout_us + s->o.quote_ttl_us,
                     now_us);
    else
        surge_clear(&s->surge);
    shelf_give(&s->tariffs, book);
}

static void tick(void *self, struct store *writer, int64_t now_us) {
    struct booking_service *s = self;
    open_keys_tick(&s->open_keys, writer, now_us);
    eraser_tick(&booking_eraser, writer, &s->erase_next_us, now_us);
    early_tick(s, writer, now_us);
    if (now_us < s->next_prune_us)
        return;
    s->next_prune_us = now_us + PRUNE_EVERY_US;
    import_prune(writer, now_us);
    retention_tick(&s->standing_kept, writer, STR(LAST_ACCOUNT), now_us - STANDING_KEPT_US, now_us);
    int64_t before_us = now_us - s->o.quote_ttl_us - QUOTES_KEPT_US;
    if (before_us <= 0)
        return;
    struct arena a;
    struct rng zero = {{0}};
    rng_seed(&zero, 0); /* any id of that time is a bound */
    arena_init(&a, 256);
    writer->ops->prune_docs(writer, &quote_collection, id_new(&a, "qte", before_us, &zero),
                            PRUNE_MAX);
    arena_free(&a);
}

static const int64_t assigned_edges_us[] = {1000000,  2000000,  5000000,   10000000, 20000000,
                                            30000000, 60000000, 120000000, 240000000};

static void metrics(void *self, struct buf *out) {
    const struct booking_service *s = self;
    metric_head(out, "lorry_booking_events_total", "counter", "What has happened to bookings.");
    for (int32_t type = ENTRY_NONE + 1; type < ENTRY_TYPE_COUNT; type++)
        buf_printf(out, "lorry_booking_events_total{type=\"%s\"} %llu\n", entry_type_names[type],
                   (unsigned long long)atomic_load_explicit(&s->events_by_type[type],
                                                            memory_order_relaxed));
    metric_head(out, "lorry_import_rows_total", "counter",
                "Steps of rows of imports, by what they have come to.");
    for (int32_t state = ROW_ORDERED; state < ROW_CANCELLED; state++)
        buf_printf(
            out, "lorry_import_rows_total{state=\"%s\"} %llu\n", row_state_names[state],
            (unsigned long long)atomic_load_explicit(&s->import_rows[state], memory_order_relaxed));
    metric_head(out, "lorry_recurrence_occurrences_total", "counter",
                "Occurrences of recurrences that were seen to, by what they have come to.");
    for (int32_t state = OCCURRENCE_BOOKED; state < OCCURRENCE_STATE_COUNT; state++)
        buf_printf(
            out, "lorry_recurrence_occurrences_total{state=\"%s\"} %llu\n",
            occurrence_state_names[state],
            (unsigned long long)atomic_load_explicit(&s->occurrences[state], memory_order_relaxed));
    metric_write(out, "lorry_quote_sets_total", "counter",
                 "Requests for quotes that were answered with a price.",
                 (double)atomic_load_explicit(&s->quotes, memory_order_relaxed));
    metric_head(out, "lorry_booking_assigned_after_seconds", "histogram",
                "From the request of a booking until a driver had it.");
    metric_histogram(out, "lorry_booking_assigned_after_seconds", "", &s->assigned_after,
                     assigned_edges_us, (int)COUNT_OF(assigned_edges_us));
}

static const struct service_def def = {
    .name = "booking",
    .routes = routes,
    .route_count = COUNT_OF(routes),
    .events = events,
    .event_count = COUNT_OF(events),
    .timers = timers,
    .collections = collections,
    .start = start,
    .tick = tick,
    .follow = follow,
    .metrics = metrics,
};

struct booking_service *booking_service_new(const struct booking_options *o) {
    CHECK(o->router != NULL && o->entropy != NULL);
    struct booking_service *s = xcalloc(1, sizeof(*s));
    s->o = *o;
    s->standing_kept = (struct retention){.aggregate = &disabled_aggregate, .over = standing_over};
    if (s->o.tariffs == NULL)
        s->o.tariffs = &tariffs_default;
    if (s->o.quote_ttl_us == 0)
        s->o.quote_ttl_us = QUOTE_TTL_US;
    if (s->o.offer_timeout_us == 0)
        s->o.offer_timeout_us = OFFER_TIMEOUT_US;
    if (s->o.search_timeout_us == 0)
        s->o.search_timeout_us = SEARCH_TIMEOUT_US;
    if (s->o.held_timeout_us == 0)
        s->o.held_timeout_us = HELD_TIMEOUT_US;
    if (s->o.trip_max_km == 0)
        s->o.trip_max_km = TRIP_MAX_KM;
    if (s->o.commission_percent == 0)
        s->o.commission_percent = COMMISSION_PERCENT;
    if (s->o.commission_percent < 0)
        s->o.commission_percent = 0;
    if (s->o.open_bookings_max == 0)
        s->o.open_bookings_max = OPEN_BOOKINGS_MAX;
    if (s->o.collect_max == 0)
        s->o.collect_max = COLLECT_MAX;
    if (s->o.schedule_lead_us == 0)
        s->o.schedule_lead_us = SCHEDULE_LEAD_US;
    if (s->o.schedule_lead_max_us == 0)
        s->o.schedule_lead_max_us = SCHEDULE_LEAD_MAX_US;
    if (s->o.schedule_remind_us == 0)
        s->o.schedule_remind_us = SCHEDULE_REMIND_US;
    if (s->o.contact_kept_us == 0)
        s->o.contact_kept_us = CONTACT_KEPT_US;
    if (s->o.schedule_days_max == 0)
        s->o.schedule_days_max = SCHEDULE_DAYS_MAX;
    if (s->o.recurrence_days == 0)
        s->o.recurrence_days = RECURRENCE_DAYS;
    if (s->o.recurrence_days > s->o.schedule_days_max)
        s->o.recurrence_days = s->o.schedule_days_max;
    CHECK(s->o.recurrence_days > 0 && s->o.recurrence_days <= RECURRENCE_DAYS_MAX);
    map_init(&s->opening);
    map_init(&s->beginning);
    map_init(&s->importing);
    surge_init(&s->surge);
    shelf_init(&s->tariffs, &tariff_shelf, s->o.tariffs, s->o.bus, s->o.peers);
    shelf_init(&s->area, &area_shelf, s->o.area, s->o.bus, s->o.peers);
    CHECK(s->o.quote_ttl_us > 0 && s->o.offer_timeout_us > 0 && s->o.search_timeout_us > 0 &&
          s->o.trip_max_km > 0 && s->o.commission_percent <= 100);
    return s;
}

struct booking_service *booking_service_free(struct booking_service *s) {
    if (s == NULL)
        return NULL;
    map_free(&s->opening);
    map_free(&s->beginning);
    map_free(&s->importing);
    shelf_free(&s->tariffs);
    shelf_free(&s->area);
    surge_free(&s->surge);
    free(s);
    return NULL;
}

static bool may_see(void *arg, struct call *c, struct str subject) {
    void *state;
    (void)arg;
    return aggregate_get(&booking_aggregate, c->worker->reader, c->worker->parser, subject,
                         &c->arena, &state) == 0 &&
           booking_visible(booking_hats(state, &c->who));
}

void booking_service_executor(struct booking_service *s, struct executor *x) {
    s->executor = x;
}

struct file_viewer booking_service_viewer(struct booking_service *s) {
    return (struct file_viewer){"bkg", may_see, s};
}

struct service booking_service(struct booking_service *s) {
    return (struct service){&def, s};
}

const struct tariffs *booking_tariffs_load(const char *path, struct arena *a,
                                           struct str *ret_complaint) {
    struct tariffs *t = arena_new(a, struct tariffs);
    return tariffs_load(path, a, t, ret_complaint) == 0 ? t : NULL;
}

const struct area *booking_area_load(const char *path, struct arena *a, struct str *ret_complaint) {
    struct area *area = arena_new(a, struct area);
    return area_load(path, a, area, ret_complaint) == 0 ? area : NULL;
}
