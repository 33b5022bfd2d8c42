/* The driver service put together: its tables, its start from the store, its retention. */
#include "services/driver/driver_service.h"

#include "base/check.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "runtime/metrics.h"
#include "services/driver/cash.h"
#include "services/driver/devices.h"
#include "services/driver/documents.h"
#include "services/driver/erase.h"
#include "services/driver/journey.h"
#include "services/driver/search.h"
#include "services/driver/trail.h"

#include <stdlib.h>

#define OFFER_TIMEOUT_S_DEFAULT 20
#define FAIRNESS_HALF_LIFE_S_DEFAULT 14400 /* 4 hours */
#define SEARCH_RADIUS_M_DEFAULT 1500
#define SEARCH_RADIUS_MAX_M_DEFAULT 12000
#define TRAIL_KEEP_DAYS_DEFAULT 90
#define ARRIVAL_RADIUS_M_DEFAULT 120
#define STALE_AFTER_S_DEFAULT 180
#define OFF_ROUTE_M_DEFAULT 300
#define UNASSIGNED_AFTER_S_DEFAULT 60
#define CHAIN_LATE_S_DEFAULT 600
#define PRUNE_CHUNKS_MAX 2000 /* a second: about as many as a large fleet makes */

static const struct route_entry routes[] = {
    {"GET", "/v1/driver", ROLES(ROLE_DRIVER), profile_get, NULL, 0, "getDriver",
     .area = AREA_DRIVING},
    {"PUT", "/v1/driver", ROLES(ROLE_DRIVER), profile_put, &profile_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "putDriver", .area = AREA_DRIVING},
    {"GET", "/v1/driver/vehicles", ROLES(ROLE_DRIVER), vehicles_list, NULL, 0, "listVehicles",
     .area = AREA_DRIVING},
    {"POST", "/v1/driver/vehicles", ROLES(ROLE_DRIVER), vehicles_add, &new_vehicle_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "addVehicle", .area = AREA_DRIVING},
    {"PUT", "/v1/driver/vehicles/{id}", ROLES(ROLE_DRIVER), vehicles_change, &vehicle_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "changeVehicle", .area = AREA_DRIVING},
    {"DELETE", "/v1/driver/vehicles/{id}", ROLES(ROLE_DRIVER), vehicles_remove, NULL,
     ROUTE_IF_MATCH, "removeVehicle", .area = AREA_DRIVING},
    {"POST", "/v1/driver/vehicles/{id}/use", ROLES(ROLE_DRIVER), vehicles_use, NULL, ROUTE_IF_MATCH,
     "useVehicle", .area = AREA_DRIVING},
    {"GET", "/v1/driver/schedule", ROLES(ROLE_DRIVER), rota_get, NULL, 0, "getSchedule",
     .area = AREA_DRIVING},
    {"PUT", "/v1/driver/schedule", ROLES(ROLE_DRIVER), rota_put, &rota_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "putSchedule", rota_body_check, AREA_DRIVING},
    {"GET", "/v1/driver/documents", ROLES(ROLE_DRIVER), documents_own, NULL, 0, "listDocuments",
     .area = AREA_DRIVING},
    {"POST", "/v1/driver/documents", ROLES(ROLE_DRIVER), documents_submit, &document_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "sendDocument", document_body_check, AREA_DRIVING},
    {"POST", "/v1/driver/duty", ROLES(ROLE_DRIVER), profile_duty, &duty_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "setDuty", .area = AREA_DRIVING},
    {"POST", "/v1/driver/locations", ROLES(ROLE_DRIVER), locations_post, &locations_body_schema, 0,
     "postLocations", .area = AREA_DRIVING},
    {"GET", "/v1/driver/devices", ROLES(ROLE_DRIVER), devices_own, NULL, 0, "listOwnDevices",
     .area = AREA_ACCOUNT},
    {"POST", "/v1/driver/devices", ROLES(ROLE_DRIVER), devices_own_make, &device_body_schema, 0,
     "addOwnDevice", .area = AREA_ACCOUNT},
    {"DELETE", "/v1/driver/devices/{id}", ROLES(ROLE_DRIVER), devices_own_remove, NULL, 0,
     "removeOwnDevice", .area = AREA_ACCOUNT},
    {"GET", "/v1/ingest/osmand", ROLES_PUBLIC, ingest_osmand, NULL, 0, "reportOsmAnd"},
    {"POST", "/v1/ingest/osmand", ROLES_PUBLIC, ingest_osmand, NULL, 0, "postOsmAnd"},
    {"POST", "/v1/ingest/owntracks", ROLES_PUBLIC, ingest_owntracks, &owntracks_body_schema, 0,
     "postOwnTracks", owntracks_check},
    {"POST", "/v1/ingest/fixes", ROLES_PUBLIC, ingest_fixes, &locations_body_schema, 0,
     "postDeviceFixes"},
    {"GET", "/v1/driver/offers", ROLES(ROLE_DRIVER), offers_list, NULL, 0, "listOffers",
     .area = AREA_DRIVING},
    {"GET", "/v1/driver/earnings", ROLES(ROLE_DRIVER), earnings_get, NULL, 0, "getEarnings",
     .area = AREA_DRIVING},
    {"GET", "/v1/driver/cash", ROLES(ROLE_DRIVER), cash_own, NULL, 0, "getCash",
     .area = AREA_DRIVING},
    {"GET", "/v1/driver/cash/entries", ROLES(ROLE_DRIVER), cash_entries_own, NULL, 0,
     "listCashEntries", .area = AREA_DRIVING},
    {"GET", "/v1/cash", ROLES_STAFF, cash_all, NULL, 0, "listCash", .area = AREA_REPORTS},
    {"GET", "/v1/drivers/{id}/cash", ROLES_STAFF, cash_of, NULL, 0, "getDriverCash",
     .area = AREA_REPORTS},
    {"GET", "/v1/drivers/{id}/cash/entries", ROLES_STAFF, cash_entries_of, NULL, 0,
     "listDriverCashEntries", .area = AREA_REPORTS},
    {"POST", "/v1/drivers/{id}/cash/settlements", ROLES_STAFF, cash_settle, &settlement_body_schema,
     ROUTE_IDEMPOTENT, "settleCash"},
    {"POST", "/v1/drivers/{id}/cash/entries/{entry_id}/reverse", ROLES_STAFF, cash_reverse,
     &reversal_body_schema, ROUTE_IDEMPOTENT, "reverseSettlement"},
    {"GET", "/v1/drivers/nearby", ROLES(ROLE_CUSTOMER) | ROLES_STAFF, drivers_nearby, NULL, 0,
     "listNearbyDrivers", .area = AREA_FLEET},
    {"GET", "/v1/drivers", ROLES_STAFF, drivers_list, NULL, 0, "listDrivers", .area = AREA_FLEET},
    {"GET", "/v1/drivers/{id}", ROLES_STAFF, profile_of, NULL, 0, "getOneDriver",
     .area = AREA_FLEET},
    {"GET", "/v1/drivers/{id}/vehicles", ROLES_STAFF, vehicles_of, NULL, 0, "listDriverVehicles",
     .area = AREA_FLEET},
    {"POST", "/v1/drivers/{id}/vehicles", ROLES(ROLE_ADMIN), vehicles_add_for, &new_vehicle_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "addDriverVehicle", .area = AREA_FLEET},
    {"PUT", "/v1/drivers/{id}/vehicles/{vehicle_id}", ROLES(ROLE_ADMIN), vehicles_change_for,
     &vehicle_schema, ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "changeDriverVehicle", .area = AREA_FLEET},
    {"DELETE", "/v1/drivers/{id}/vehicles/{vehicle_id}", ROLES(ROLE_ADMIN), vehicles_remove_for,
     NULL, ROUTE_IF_MATCH, "removeDriverVehicle", .area = AREA_FLEET},
    {"GET", "/v1/drivers/{id}/documents", ROLES(ROLE_ADMIN), documents_of, NULL, 0,
     "listDriverDocuments", .area = AREA_FLEET},
    {"POST", "/v1/drivers/{id}/documents/{document_id}/review", ROLES(ROLE_ADMIN), documents_review,
     &review_body_schema, ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "reviewDocument", review_body_check,
     AREA_FLEET},
    {"PATCH", "/v1/drivers/{id}", ROLES(ROLE_ADMIN), profile_status, &driver_status_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "patchDriver", .area = AREA_FLEET},
    {"GET", "/v1/drivers/{id}/schedule", ROLES_STAFF, rota_get_of, NULL, 0, "getDriverSchedule",
     .area = AREA_FLEET},
    {"PUT", "/v1/drivers/{id}/schedule", ROLES(ROLE_ADMIN), rota_put_of, &rota_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "putDriverSchedule", rota_body_check, AREA_FLEET},
    {"GET", "/v1/drivers/{id}/trail", ROLES_STAFF, trail_get, NULL, 0, "getTrail",
     .area = AREA_FLEET},
    {"GET", "/v1/drivers/{id}/trail/file", ROLES_STAFF, trail_file, NULL, 0, "getTrailFile",
     .area = AREA_FLEET},
    {"GET", "/v1/drivers/{id}/playback", ROLES_STAFF, trail_playback, NULL, 0, "getPlayback",
     .area = AREA_FLEET},
    {"GET", "/v1/drivers/{id}/devices", ROLES_STAFF, devices_of, NULL, 0, "listDevices",
     .area = AREA_FLEET},
    {"POST", "/v1/drivers/{id}/devices", ROLES_STAFF, devices_make, &device_body_schema, 0,
     "addDevice"},
    {"DELETE", "/v1/drivers/{id}/devices/{device_id}", ROLES_STAFF, devices_remove, NULL, 0,
     "removeDevice"},
    {"GET", "/v1/fleet", ROLES_STAFF, fleet_get, NULL, 0, "getFleet", .area = AREA_FLEET},
    {"GET", "/v1/bookings/{id}/candidates", ROLES_STAFF, candidates_get, NULL, 0, "listCandidates",
     .area = AREA_FLEET},
    {"GET", "/v1/bookings/{id}/dispatch", ROLES_STAFF, dispatch_get, NULL, 0, "getDispatch",
     .area = AREA_FLEET},
};

static const struct event_entry events[] = {
    {EV_ACCOUNT_REGISTERED, &ev_account_schema, on_account},
    {EV_ACCOUNT_CHANGED, &ev_account_schema, on_account},
    {EV_ACCOUNT_ERASED, &ev_erased_schema, driver_on_erased},
    {EV_BOOKING_REQUESTED, &ev_booking_schema, on_requested},
    {EV_BOOKING_OFFERED, &ev_booking_schema, on_offered},
    {EV_BOOKING_OFFER_CLOSED, &ev_booking_schema, on_offer_closed},
    {EV_BOOKING_ASSIGN_WANTED, &ev_booking_schema, on_assign_wanted},
    {EV_BOOKING_ASSIGNED, &ev_booking_schema, on_assigned},
    {EV_BOOKING_CLAIM_HOLDS, &ev_booking_schema, on_assigned},
    {EV_BOOKING_UNASSIGNED, &ev_booking_schema, on_unassigned},
    {EV_BOOKING_PROGRESSED, &ev_booking_schema, on_progressed},
    {EV_BOOKING_STOPS_CHANGED, &ev_booking_schema, on_stops_changed},
    {EV_BOOKING_DELIVERED, &ev_booking_schema, on_ended},
    {EV_BOOKING_CANCELLED, &ev_booking_schema, on_ended},
    {EV_BOOKING_EXPIRED, &ev_booking_schema, on_ended},
    {EV_BOOKING_FAILED, &ev_booking_schema, on_ended},
    {EV_BOOKING_RETURNED, &ev_booking_schema, on_ended},
    {EV_BOOKING_STOP_FAILED, &ev_booking_schema, on_progressed},
    {EV_BOOKING_RATED, &ev_booking_schema, on_rated},
    {EV_BOOKING_COLLECTED, &ev_booking_schema, on_collected},
    {EV_CASH_SETTLED, &ev_cash_schema, on_settled},
    {EV_CASH_REVERSED, &ev_cash_schema, on_reversed},
    {EV_DISPATCH_CLAIM, &ev_claim_schema, on_claim},
    {EV_DISPATCH_REFUSED, &ev_claim_schema, on_refused},
};

static const struct command_type *const timers[] = {&driver_wake_type, &search_wake_type,
                                                    &journey_wake_type, NULL};
static const struct store_collection *const collections[] = {&driver_collection,
                                                             &trail_collection,
                                                             &track_collection,
                                                             &earnings_collection,
                                                             &search_collection,
                                                             &secret_collection,
                                                             &device_collection,
                                                             &journey_collection,
                                                             &driver_erasure_collection,
                                                             &cash_entry_collection,
                                                             NULL};

static int start(void *self, struct store *reader, int64_t now_us) {
    return follow_start(self, reader, now_us);
}

/* ---- once a second ---- */

/* The lowest id there can be of searches whose bookings were quoted at AT_US or later. */
static struct str search_floor(struct arena *a, int64_t at_us) {
    struct rng zero = {0}; /* only the time in the id counts */
    return id_new(a, "dsp", at_us, &zero);
}

/* Searches and journeys go by their own end: a booking may be for much later than it was quoted. */
static void forget(struct driver_service *s, struct store *writer, int64_t now_us,
                   struct arena *a) {
    int64_t before_us = now_us - s->o.trace_keep_us;
    if (before_us <= 0)
        return;
    struct str floor = search_floor(a, before_us);
    retention_tick(&s->searches_kept, writer, floor, before_us, now_us);
    retention_tick(&s->journeys_kept, writer, journey_id(a, floor), before_us, now_us);
}

static void tick(void *self, struct store *writer, int64_t now_us) {
    struct driver_service *s = self;
    int64_t before_us = now_us - s->o.trail_keep_days * US_PER_DAY;
    struct arena arena;
    arena_init(&arena, 256);
    /* What could not be dropped now is dropped later. */
    if (before_us > 0) {
        writer->ops->prune_docs(writer, &trail_collection, trail_floor(&arena, before_us),
                                PRUNE_CHUNKS_MAX);
        writer->ops->prune_docs(writer, &track_collection, trail_floor(&arena, before_us),
                                PRUNE_CHUNKS_MAX);
    }
    forget(s, writer, now_us, &arena);
    arena_free(&arena);
    thin_tick(s, writer, now_us);
    eraser_tick(&driver_eraser, writer, &s->erase_next_us, now_us);
}

static void metrics(void *self, struct buf *out) {
    struct driver_service *s = self;
    struct roster_counts c = roster_counts(s->roster);
    metric_head(out, "lorry_drivers", "gauge", "Drivers on duty, by whether they are free.");
    buf_printf(out, "lorry_drivers{duty=\"on\"} %lld\nlorry_drivers{duty=\"busy\"} %lld\n",
               (long long)c.on, (long long)c.busy);
    metric_write(out, "lorry_roster_members", "gauge", "Drivers held in memory.",
                 (double)c.members);
    metric_head(out, "lorry_fixes_total", "counter", "Positions, by what became of them.");
    buf_printf(out,
               "lorry_fixes_total{result=\"stored\"} %llu\n"
               "lorry_fixes_total{result=\"duplicate\"} %llu\n"
               "lorry_fixes_total{result=\"rejected\"} %llu\n",
               (unsigned long long)s->stats.fixes, (unsigned long long)s->stats.duplicates,
               (unsigned long long)s->stats.rejected);
    thin_metrics(s, out);
    metric_head(out, "lorry_ingest_requests_total", "counter",
                "Requests of devices, by whether their token was somebody's.");
    buf_printf(out,
               "lorry_ingest_requests_total{token=\"known\"} %llu\n"
               "lorry_ingest_requests_total{token=\"unknown\"} %llu\n",
               (unsigned long long)s->stats.ingested, (unsigned long long)s->stats.strangers);
    metric_write(out, "lorry_dispatch_changes_total", "counter",
                 "Changes of searches for a driver.", (double)s->stats.rounds);
    metric_write(out, "lorry_dispatch_claims_total", "counter", "Drivers claimed for an offer.",
                 (double)s->stats.claims);
    metric_head(
        out, "lorry_chained_total", "counter",
        "Bookings that drivers were given while they finished another, by what came of it.");
    buf_printf(out,
               "lorry_chained_total{step=\"assigned\"} %llu\n"
               "lorry_chained_total{step=\"begun\"} %llu\n",
               (unsigned long long)s->stats.chained, (unsigned long long)s->stats.chain_begun);
}

static const struct service_def def = {.name = "driver",
                                       .routes = routes,
                                       .route_count = COUNT_OF(routes),
                                       .events = events,
                                       .event_count = COUNT_OF(events),
                                       .timers = timers,
                                       .collections = collections,
                                       .start = start,
                                       .tick = tick,
                                       .follow = follow_tick,
                                       .metrics = metrics};

/* ---- making it ---- */

static int64_t or_default(int64_t value, int64_t standard) {
    CHECK(value >= 0);
    return value > 0 ? value : standard;
}

struct driver_service *driver_service_new(const struct driver_options *options) {
    CHECK(options->clock && options->entropy && options->bus && options->router);
    CHECK(options->cache != NULL || options->fixes_per_hour_max == 0);
    struct driver_service *s = xcalloc(1, sizeof(*s));
    s->o = *options;
    struct driver_options *o = &s->o;
    o->offer_wave = (int32_t)or_default(o->offer_wave, 1);
    CHECK(o->offer_wave <= DISPATCH_WAVE_MAX);
    o->offer_timeout_s = or_default(o->offer_timeout_s, OFFER_TIMEOUT_S_DEFAULT);
    o->weights = o->weights != NULL ? o->weights : &dispatch_weights_standard;
    o->fairness_half_life_s = or_default(o->fairness_half_life_s, FAIRNESS_HALF_LIFE_S_DEFAULT);
    CHECK(o->bigger_classes >= 0 && o->bigger_classes < VEHICLE_COUNT);
    o->chain_late_s = or_default(o->chain_late_s, CHAIN_LATE_S_DEFAULT);
    CHECK(o->chain_eta_s >= 0 && o->chain_eta_s + o->chain_late_s <= CHAIN_S_MAX);
    o->search_radius_m = or_default(o->search_radius_m, SEARCH_RADIUS_M_DEFAULT);
    o->search_radius_max_m = or_default(o->search_radius_max_m, SEARCH_RADIUS_MAX_M_DEFAULT);
    if (o->search_radius_max_m < o->search_radius_m)
        o->search_radius_max_m = o->search_radius_m;
    o->trail_keep_days = or_default(o->trail_keep_days, TRAIL_KEEP_DAYS_DEFAULT);
    o->trace_keep_us = or_default(o->trace_keep_us, o->trail_keep_days * US_PER_DAY);
    s->searches_kept = (struct retention){.aggregate = &search_aggregate, .over = search_over};
    s->journeys_kept = (struct retention){.aggregate = &journey_aggregate, .over = journey_over};
    o->trail_thin_us = or_default(o->trail_thin_us, THIN_AFTER_DAYS_DEFAULT * US_PER_DAY);
    o->trail_thin_window_us = or_default(o->trail_thin_window_us, TRAIL_SPAN_US);
    o->trail_thin_margin_us = or_default(o->trail_thin_margin_us, THIN_MARGIN_US);
    o->arrival_radius_m = or_default(o->arrival_radius_m, ARRIVAL_RADIUS_M_DEFAULT);
    o->stale_after_s = or_default(o->stale_after_s, STALE_AFTER_S_DEFAULT);
    o->unassigned_after_s = or_default(o->unassigned_after_s, UNASSIGNED_AFTER_S_DEFAULT);
    o->off_route_m = or_default(o->off_route_m, OFF_ROUTE_M_DEFAULT);
    o->currency = o->currency != NULL ? o->currency : "SEK";
    if (o->document_kinds.p == NULL)
        o->document_kinds = STR(DOCUMENT_KINDS_DEFAULT);
    CHECK(driver_document_kinds_valid(o->document_kinds));
    arena_init(&s->zone_arena, 4096);
    s->zone = zone_utc;
    if (o->timezone.p == NULL || zone_load(ZONE_DIR, o->timezone, &s->zone_arena, &s->zone) < 0)
        o->timezone = STR("UTC");
    s->fleet.ops = &driver_fleet_ops;
    s->locations.ops = &driver_locations_ops;
    map_init(&s->window.due);
    thin_init(s);
    s->roster = roster_new(o->bus, o->peers != NULL);
    o->entropy->fill(o->entropy, s->ref_secret, sizeof s->ref_secret);
    if (o->peers != NULL)
        follow_listen(s);
    return s;
}

struct driver_service *driver_service_free(struct driver_service *s) {
    if (s == NULL)
        return NULL;
    roster_free(s->roster);
    window_free(s);
    thin_free(s);
    arena_free(&s->zone_arena);
    free(s);
    return NULL;
}

void driver_service_approve_all(struct driver_service *s) {
    s->approve_all = true;
}

void driver_service_executor(struct driver_service *s, struct executor *x) {
    s->o.executor = x;
}

void driver_service_files(struct driver_service *s, struct files *f) {
    s->o.files = f;
}

struct file_viewer driver_service_viewer(struct driver_service *s) {
    return (struct file_viewer){.prefix = "drv", .may_see = documents_may_see, .arg = s};
}

void driver_service_placed(struct driver_service *s,
                           void (*fn)(void *arg, const struct signal_position *s), void *arg) {
    s->follow.placed = fn;
    s->follow.placed_arg = arg;
}

struct service driver_service(struct driver_service *s) {
    return (struct service){.def = &def, .self = s};
}

struct fleet *driver_service_fleet(struct driver_service *s) {
    return &s->fleet;
}

struct locations *driver_service_locations(struct driver_service *s) {
    return &s->locations;
}
