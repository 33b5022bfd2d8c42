/* The tables of search.h. */
#include "services/driver/search.h"

#include <stddef.h>

static const char *const search_status_names[] = {NULL, "open", "done", NULL};
static const char *const outcome_names[] = {NULL,       "offered",     "declined", "timed_out",
                                            "accepted", "passed_over", "left",     NULL};

#define KEPT(type, member) .flags = S_STORE, .offset = offsetof(struct type, member)
#define SHOWN(type, member) .flags = S_STORE | S_OUT, .offset = offsetof(struct type, member)
#define NULLED(type, member)                                                                       \
    .flags = S_STORE | S_OUT | S_NULL, .offset = offsetof(struct type, member)

static const struct schema_field asked_fields[] = {
    {"driver_id", S_ID, KEPT(search_asked, driver_id), .hint = "drv"},
    {"offer_id", S_ID, KEPT(search_asked, offer_id), .hint = "ofr"},
    {"at", S_TIME, KEPT(search_asked, at_us)},
    {"outcome", S_ENUM, KEPT(search_asked, outcome), .names = outcome_names},
};
static const struct schema asked_schema = SCHEMA(struct search_asked, "SearchAsked", asked_fields);

static const struct schema_field part_fields[] = {
    {"part", S_ENUM, SHOWN(search_part, part), .names = dispatch_part_names},
    {"value", S_I64, SHOWN(search_part, value)},
    {"points", S_I64, SHOWN(search_part, points)},
};
static const struct schema part_schema = SCHEMA(struct search_part, "DispatchPart", part_fields);

static const struct schema_field candidate_fields[] = {
    {"driver_id", S_ID, SHOWN(search_candidate, driver_id), .hint = "drv"},
    {"name", S_STR, NULLED(search_candidate, name)},
    {"rank", S_I64, NULLED(search_candidate, rank)},
    {"distance_m", S_I64, NULLED(search_candidate, distance_m)},
    {"pickup_eta_s", S_I64, NULLED(search_candidate, pickup_eta_s)},
    {"score", S_I64, NULLED(search_candidate, score)},
    {"outcome", S_ENUM, SHOWN(search_candidate, outcome), .names = outcome_names},
    {"reason_code", S_ENUM, NULLED(search_candidate, reason_code), .names = dispatch_reason_names},
    {"reason", S_STR, NULLED(search_candidate, reason)},
    {"cost", S_I64, NULLED(search_candidate, cost)},
    {"after_booking_id", S_ID, SHOWN(search_candidate, after), .hint = "bkg"},
    {"free_in_s", S_I64, SHOWN(search_candidate, free_in_s)},
    {"parts", S_LIST, SHOWN(search_candidate, parts),
     .count_offset = offsetof(struct search_candidate, part_count), .sub = &part_schema,
     .max = DISPATCH_PARTS},
    {"offer_id", S_ID, SHOWN(search_candidate, offer_id), .hint = "ofr"},
};
const struct schema search_candidate_schema =
    SCHEMA(struct search_candidate, "DispatchCandidate", candidate_fields);

static const struct schema_field round_fields[] = {
    {"at", S_TIME, SHOWN(search_round, at_us)},
    {"last_at", S_TIME, SHOWN(search_round, last_at_us)},
    {"repeats", S_I64, SHOWN(search_round, repeats)},
    {"radius_m", S_I64, NULLED(search_round, radius_m)},
    {"candidates", S_LIST, .flags = S_STORE | S_OUT | S_REQUIRED,
     .offset = offsetof(struct search_round, candidates),
     .count_offset = offsetof(struct search_round, candidate_count),
     .sub = &search_candidate_schema, .max = CANDIDATES_MAX},
};
const struct schema search_round_schema =
    SCHEMA(struct search_round, "DispatchRound", round_fields);

static const struct schema_field search_fields[] = {
    {"id", S_ID, .flags = S_OUT, .offset = offsetof(struct search, head.id), .hint = "dsp"},
    {"version", S_I64, .flags = S_OUT, .offset = offsetof(struct search, head.version)},
    {"booking_id", S_ID, KEPT(search, booking_id), .hint = "bkg"},
    {"status", S_ENUM, KEPT(search, status), .names = search_status_names},
    {"begun", S_BOOL, KEPT(search, begun)},
    {"begun_at", S_TIME, KEPT(search, begun_at_us)},
    {"unassigned", S_BOOL, KEPT(search, unassigned)},
    {"vehicle", S_ENUM, KEPT(search, vehicle), .names = vehicle_names},
    {"pickup", S_OBJECT_PTR, KEPT(search, pickup), .sub = &place_schema},
    {"dropoff", S_OBJECT_PTR, KEPT(search, dropoff), .sub = &place_schema},
    {"stops", S_I64, KEPT(search, stop_count)},
    {"earning", S_I64, KEPT(search, earning)},
    {"cash", S_I64, KEPT(search, cash)},
    {"currency", S_STR, KEPT(search, currency)},
    {"load", S_OBJECT_PTR, KEPT(search, load), .sub = &ev_load_schema},
    {"favourites", S_STR_LIST, KEPT(search, favourites),
     .count_offset = offsetof(struct search, favourite_count), .max = 20},
    {"search_until", S_TIME, KEPT(search, search_until_us)},
    {"radius_m", S_I64, KEPT(search, radius_m)},
    {"wake_at", S_TIME, KEPT(search, wake_at_us)},
    {"done_at", S_TIME, KEPT(search, done_at_us)},
    {"heard_version", S_I64, KEPT(search, heard_version)},
    {"trip_version", S_I64, KEPT(search, trip_version)},
    {"asked", S_LIST, KEPT(search, asked), .count_offset = offsetof(struct search, asked_count),
     .sub = &asked_schema, .max = ASKED_MAX},
    {"rounds", S_LIST, KEPT(search, rounds), .count_offset = offsetof(struct search, round_count),
     .sub = &search_round_schema, .max = ROUNDS_MAX},
};
static const struct schema search_schema = SCHEMA(struct search, "Dispatch", search_fields);

const struct store_collection search_collection = {.name = "dispatches", .timers = true};

static int64_t search_wake_at(const void *state) {
    return ((const struct search *)state)->wake_at_us;
}

const struct aggregate search_aggregate = {
    .collection = &search_collection, .schema = &search_schema, .wake_at = search_wake_at};

bool search_over(const void *state, int64_t before_us) {
    const struct search *s = state;
    if (s->status == SEARCH_OPEN)
        return s->wake_at_us == 0 && s->search_until_us != 0 && s->search_until_us < before_us;
    return s->done_at_us < before_us;
}
