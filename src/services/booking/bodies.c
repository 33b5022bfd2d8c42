/* What clients may send. All of it is strict: a member that is not known is a price, a time or a
 * protection that somebody thinks he has. */
#include "services/booking/collect.h"

#include <stddef.h>

#define AT(type, member) .offset = offsetof(struct type, member)
#define COUNT_AT(type, member) .count_offset = offsetof(struct type, member)
#define VERSION(type)                                                                              \
    { "version", S_I64, S_IN, AT(type, version), .min = 1, .max = INT64_MAX }

static const struct schema_field place_fields[] = {
    {"lat", S_DEG7, S_IN | S_REQUIRED, AT(place, lat_e7), .min = -90, .max = 90},
    {"lng", S_DEG7, S_IN | S_REQUIRED, AT(place, lng_e7), .min = -180, .max = 180},
    {"address", S_LINE, S_IN, AT(place, address), .min = 1, .max = ADDRESS_CHARS_MAX},
};
static const struct schema place_schema = STRICT_SCHEMA(struct place, "QuoteStop", place_fields);

static const struct schema_field window_fields[] = {
    {"from", S_TIME, S_IN | S_REQUIRED, AT(window, from_us)},
    {"to", S_TIME, S_IN | S_REQUIRED, AT(window, to_us)},
};
static const struct schema window_schema =
    STRICT_SCHEMA(struct window, "PickupWindow", window_fields);

static const struct schema_field quote_fields[] = {
    {"stops", S_LIST, S_IN | S_REQUIRED, AT(quote_body, stops), COUNT_AT(quote_body, stop_count),
     .min = STOPS_MIN, .max = STOPS_MAX, .sub = &place_schema},
    {"vehicle", S_ENUM, S_IN, AT(quote_body, vehicle), .names = vehicle_names,
     .hint = "vehicle class"},
    {"pickup_window", S_OBJECT_PTR, S_IN, AT(quote_body, pickup_window), .sub = &window_schema},
    {"goods", S_LIST, S_IN, AT(quote_body, goods), COUNT_AT(quote_body, goods_count), .min = 0,
     .max = GOODS_MAX, .sub = &goods_schema},
    {"promo_code", S_LINE, S_IN, AT(quote_body, promo_code), .min = 1, .max = 40},
};
const struct schema quote_body_schema =
    STRICT_SCHEMA(struct quote_body, "QuoteRequest", quote_fields);

static const struct schema_field rebook_fields[] = {
    {"pickup_window", S_OBJECT_PTR, S_IN, AT(rebook_body, pickup_window), .sub = &window_schema},
};
const struct schema rebook_body_schema =
    STRICT_SCHEMA(struct rebook_body, "RebookRequest", rebook_fields);

static const struct schema_field reschedule_fields[] = {
    {"pickup_window", S_OBJECT_PTR, S_IN | S_REQUIRED, AT(window_body, pickup_window),
     .sub = &window_schema},
    {"total", S_I64, S_IN, AT(window_body, total), .min = 0, .max = INT64_MAX},
    VERSION(window_body),
};
const struct schema window_body_schema =
    STRICT_SCHEMA(struct window_body, "RescheduleRequest", reschedule_fields);

static const struct schema_field contact_fields[] = {
    {"name", S_LINE, S_IN, AT(contact, name), .min = 1, .max = 100},
    {"phone", S_LINE, S_IN, AT(contact, phone), .min = 3, .max = 32},
};
const struct schema contact_body_schema = STRICT_SCHEMA(struct contact, "Contact", contact_fields);

static const struct schema_field collect_fields[] = {
    {"amount", S_I64, S_IN | S_REQUIRED, AT(collect_body, amount), .min = 1, .max = COLLECT_TOP,
     .hint = "whole minor units of the currency"},
    {"currency", S_LINE, S_IN, AT(collect_body, currency), .min = 3, .max = 3},
};
const struct schema collect_body_schema =
    STRICT_SCHEMA(struct collect_body, "CollectRequest", collect_fields);

static const struct schema_field stop_fields[] = {
    {"contact", S_OBJECT_PTR, S_IN, AT(stop_body, contact), .sub = &contact_body_schema},
    {"note", S_STR, S_IN, AT(stop_body, note), .min = 0, .max = STOP_NOTE_CHARS_MAX},
    {"proof", S_STR_LIST, S_IN, AT(stop_body, proof), COUNT_AT(stop_body, proof_count), .min = 1,
     .max = PROOF_KIND_COUNT - 1},
    {"collect", S_OBJECT_PTR, S_IN, AT(stop_body, collect), .sub = &collect_body_schema},
};
static const struct schema stop_schema =
    STRICT_SCHEMA(struct stop_body, "BookingRequestStop", stop_fields);

static const struct schema_field create_fields[] = {
    {"quote_id", S_ID, S_IN | S_REQUIRED, AT(create_body, quote_id), .hint = "qte"},
    {"notes", S_STR, S_IN, AT(create_body, notes), .min = 0, .max = NOTES_CHARS_MAX},
    {"payment", S_ENUM, S_IN, AT(create_body, payment), .names = payment_names,
     .hint = "way to pay"},
    {"stops", S_LIST, S_IN, AT(create_body, stops), COUNT_AT(create_body, stop_count), .min = 0,
     .max = STOPS_MAX, .sub = &stop_schema},
    {"goods", S_LIST, S_IN, AT(create_body, goods), COUNT_AT(create_body, goods_count), .min = 0,
     .max = GOODS_MAX, .sub = &goods_schema},
    {"prefer_favourites", S_BOOL, S_IN, AT(create_body, prefer_favourites)},
};
const struct schema create_body_schema =
    STRICT_SCHEMA(struct create_body, "BookingRequest", create_fields);

static const struct schema_field cancel_fields[] = {
    {"reason", S_STR, S_IN, AT(cancel_body, reason), .min = 1, .max = REASON_CHARS_MAX},
    {"fee", S_I64, S_IN, AT(cancel_body, fee), .min = 0, .max = INT64_MAX},
    VERSION(cancel_body),
};
const struct schema cancel_body_schema =
    STRICT_SCHEMA(struct cancel_body, "CancelRequest", cancel_fields);

static const struct schema_field accept_fields[] = {
    {"offer_id", S_ID, S_IN | S_REQUIRED, AT(offer_body, offer_id), .hint = "ofr"},
};
const struct schema accept_body_schema =
    STRICT_SCHEMA(struct offer_body, "AcceptRequest", accept_fields);

static const struct schema_field decline_fields[] = {
    {"offer_id", S_ID, S_IN | S_REQUIRED, AT(offer_body, offer_id), .hint = "ofr"},
    {"reason", S_STR, S_IN, AT(offer_body, reason), .min = 1, .max = REASON_CHARS_MAX},
};
const struct schema decline_body_schema =
    STRICT_SCHEMA(struct offer_body, "DeclineRequest", decline_fields);

static const struct schema_field status_fields[] = {
    {"status", S_ENUM, S_IN | S_REQUIRED, AT(status_body, status), .names = booking_state_names,
     .hint = "status"},
    {"stop", S_I64, S_IN, AT(status_body, stop), .min = 0, .max = TRIP_STOPS_MAX - 1},
    VERSION(status_body),
    {"stops_revision", S_I64, S_IN, AT(status_body, revision), .min = 0, .max = STOPS_CHANGES_MAX},
    {"reason", S_STR, S_IN, AT(status_body, reason), .min = 1, .max = REASON_CHARS_MAX},
};
const struct schema status_body_schema =
    STRICT_SCHEMA(struct status_body, "StatusRequest", status_fields);

static const struct schema_field note_fields[] = {
    {"stop", S_I64, S_IN | S_REQUIRED, AT(note_body, stop), .min = 0, .max = TRIP_STOPS_MAX - 1},
    {"note", S_STR, S_IN | S_REQUIRED, AT(note_body, note), .min = 0, .max = STOP_NOTE_CHARS_MAX},
    VERSION(note_body),
    {"stops_revision", S_I64, S_IN, AT(note_body, revision), .min = 0, .max = STOPS_CHANGES_MAX},
};
const struct schema note_body_schema =
    STRICT_SCHEMA(struct note_body, "StopNoteRequest", note_fields);

static const struct schema_field proof_fields[] = {
    {"stop", S_I64, S_IN | S_REQUIRED, AT(proof_body, stop), .min = 0, .max = TRIP_STOPS_MAX - 1},
    VERSION(proof_body),
    {"pin", S_LINE, S_IN, AT(proof_body, pin), .min = PIN_LEN, .max = PIN_LEN},
    {"name", S_LINE, S_IN, AT(proof_body, name), .min = 1, .max = RECIPIENT_CHARS_MAX},
    {"photo_id", S_ID, S_IN, AT(proof_body, photo_id), .hint = "fil"},
    {"signature_id", S_ID, S_IN, AT(proof_body, signature_id), .hint = "fil"},
};
const struct schema proof_body_schema =
    STRICT_SCHEMA(struct proof_body, "ProofRequest", proof_fields);

static const struct schema_field collection_fields[] = {
    {"stop", S_I64, S_IN | S_REQUIRED, AT(collection_body, stop), .min = 0,
     .max = TRIP_STOPS_MAX - 1},
    {"amount", S_I64, S_IN | S_REQUIRED, AT(collection_body, amount), .min = 0, .max = INT64_MAX,
     .hint = "whole minor units of the currency"},
    {"reason", S_STR, S_IN, AT(collection_body, reason), .min = 1, .max = REASON_CHARS_MAX},
    VERSION(collection_body),
};
const struct schema collection_body_schema =
    STRICT_SCHEMA(struct collection_body, "CollectionRequest", collection_fields);

static const struct schema_field rating_fields[] = {
    {"stars", S_I64, S_IN | S_REQUIRED, AT(rating_body, stars), .min = 1, .max = 5},
    {"comment", S_STR, S_IN, AT(rating_body, comment), .min = 0, .max = 1000},
    VERSION(rating_body),
};
const struct schema rating_body_schema =
    STRICT_SCHEMA(struct rating_body, "RatingRequest", rating_fields);

static const struct schema_field assign_fields[] = {
    {"driver_id", S_ID, S_IN | S_REQUIRED, AT(assign_body, driver_id), .hint = "drv"},
    {"reason", S_STR, S_IN, AT(assign_body, reason), .min = 1, .max = REASON_CHARS_MAX},
    VERSION(assign_body),
};
const struct schema assign_body_schema =
    STRICT_SCHEMA(struct assign_body, "AssignRequest", assign_fields);

static const struct schema_field unassign_fields[] = {
    {"reason", S_STR, S_IN | S_REQUIRED, AT(leave_body, reason), .min = 1, .max = REASON_CHARS_MAX},
    {"search", S_TRI, S_IN, AT(leave_body, search)},
    VERSION(leave_body),
};
const struct schema unassign_body_schema =
    STRICT_SCHEMA(struct leave_body, "UnassignRequest", unassign_fields);

static const struct schema_field release_fields[] = {
    {"reason", S_STR, S_IN | S_REQUIRED, AT(leave_body, reason), .min = 1, .max = REASON_CHARS_MAX},
    VERSION(leave_body),
};
const struct schema release_body_schema =
    STRICT_SCHEMA(struct leave_body, "ReleaseRequest", release_fields);
