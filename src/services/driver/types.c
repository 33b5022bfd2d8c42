/* The tables of types.h. */
#include "services/driver/types.h"

#include "base/check.h"
#include "ports/files.h"

#include <stddef.h>

const char *const driver_status_names[] = {NULL, "pending", "approved", "suspended", NULL};
const char *const duty_names[] = {NULL, "off", "on", "busy", NULL};

#define KEPT(type, member) .flags = S_STORE, .offset = offsetof(struct type, member)
#define ASKED(type, member) .flags = S_IN | S_REQUIRED, .offset = offsetof(struct type, member)
#define MAYBE(type, member) .flags = S_IN, .offset = offsetof(struct type, member)

static const struct schema_field place_fields[] = {
    {"lat", S_DEG7, .flags = S_STORE | S_OUT, .offset = offsetof(struct ev_point, lat_e7)},
    {"lng", S_DEG7, .flags = S_STORE | S_OUT, .offset = offsetof(struct ev_point, lng_e7)},
    {"address", S_STR, .flags = S_STORE | S_OUT, .offset = offsetof(struct ev_point, address)},
};
const struct schema place_schema = SCHEMA(struct ev_point, "Place", place_fields);

#define VEHICLE(member) .offset = offsetof(struct driver_vehicle, member)
static const struct schema_field vehicle_fields[] = {
    {"id", S_ID, S_STORE | S_OUT, VEHICLE(id), .hint = "veh"},
    {"class", S_ENUM, S_ALL | S_REQUIRED, VEHICLE(kind), .names = vehicle_names,
     .hint = "vehicle class"},
    {"plate", S_LINE, S_ALL | S_REQUIRED, VEHICLE(plate), .min = 1, .max = PLATE_CHARS_MAX},
    {"capacity_kg", S_I64, S_ALL, VEHICLE(capacity_kg), .min = 1, .max = CAPACITY_KG_MAX},
    {"capacity_l", S_I64, S_ALL, VEHICLE(capacity_l), .min = 1, .max = CAPACITY_L_MAX},
    {"capacity_items", S_I64, S_ALL, VEHICLE(capacity_items), .min = 1, .max = CAPACITY_ITEMS_MAX},
};
const struct schema vehicle_schema = SCHEMA(struct driver_vehicle, "DriverVehicle", vehicle_fields);
const struct schema new_vehicle_schema =
    STRICT_SCHEMA(struct driver_vehicle, "NewDriverVehicle", vehicle_fields);

/* What a vehicle of its class carries as a rule. */
void vehicle_fill(struct driver_vehicle *v) {
    CHECK(v->kind > VEHICLE_NONE && v->kind < VEHICLE_COUNT);
    if (v->capacity_kg == I64_ABSENT)
        v->capacity_kg = vehicle_usual[v->kind].kg;
    if (v->capacity_l == I64_ABSENT)
        v->capacity_l = vehicle_usual[v->kind].l;
    if (v->capacity_items == I64_ABSENT)
        v->capacity_items = vehicle_usual[v->kind].items;
}

struct capacity vehicle_capacity(const struct driver_vehicle *v) {
    if (v == NULL)
        return (struct capacity){0, 0, 0};
    struct driver_vehicle whole = *v;
    vehicle_fill(&whole);
    return (struct capacity){whole.capacity_kg, whole.capacity_l, whole.capacity_items};
}

static const struct schema_field claim_fields[] = {
    {"booking_id", S_ID, KEPT(driver_claim, booking_id), .hint = "bkg"},
    {"offer_id", S_ID, KEPT(driver_claim, offer_id), .hint = "ofr"},
    {"active", S_BOOL, KEPT(driver_claim, active)},
    {"manual", S_BOOL, KEPT(driver_claim, manual)},
    {"at_once", S_BOOL, KEPT(driver_claim, at_once)},
    {"since", S_TIME, KEPT(driver_claim, since_us)},
    {"expires_at", S_TIME, KEPT(driver_claim, expires_at_us)},
    {"ask_at", S_TIME, KEPT(driver_claim, ask_at_us)},
    {"after", S_ID, KEPT(driver_claim, after), .hint = "bkg"},
    {"free_at", S_TIME, KEPT(driver_claim, free_at_us)},
    {"give_up_at", S_TIME, KEPT(driver_claim, give_up_at_us)},
    {"pickup", S_OBJECT_PTR, KEPT(driver_claim, pickup), .sub = &place_schema},
    {"dropoff", S_OBJECT_PTR, KEPT(driver_claim, dropoff), .sub = &place_schema},
    {"stops", S_I64, KEPT(driver_claim, stop_count)},
    {"pickup_distance_m", S_I64, KEPT(driver_claim, pickup_distance_m)},
    {"pickup_eta_s", S_I64, KEPT(driver_claim, pickup_eta_s)},
    {"earning", S_I64, KEPT(driver_claim, earning)},
    {"cash", S_I64, KEPT(driver_claim, cash)},
    {"currency", S_STR, KEPT(driver_claim, currency)},
    {"load", S_OBJECT_PTR, KEPT(driver_claim, load), .sub = &ev_load_schema},
};
static const struct schema claim_schema = SCHEMA(struct driver_claim, "DriverClaim", claim_fields);

static const char *const day_names[] = {NULL,  "mon", "tue", "wed", "thu",
                                        "fri", "sat", "sun", NULL};
#define SHIFT(member) .offset = offsetof(struct shift, member)
static const struct schema_field shift_fields[] = {
    {"day", S_ENUM, S_ALL | S_REQUIRED, SHIFT(day), .names = day_names, .hint = "day"},
    {"from", S_LINE, S_ALL | S_REQUIRED, SHIFT(from), .min = 5, .max = 5},
    {"to", S_LINE, S_ALL | S_REQUIRED, SHIFT(to), .min = 5, .max = 5},
};
static const struct schema shift_schema = SCHEMA(struct shift, "Shift", shift_fields);
#define HOME(member) .offset = offsetof(struct home, member)
static const struct schema_field home_fields[] = {
    {"name", S_LINE, S_ALL, HOME(name), .min = 1, .max = HOME_NAME_CHARS_MAX},
    {"lat", S_DEG7, S_ALL | S_REQUIRED, HOME(lat_e7), .min = -90, .max = 90},
    {"lng", S_DEG7, S_ALL | S_REQUIRED, HOME(lng_e7), .min = -180, .max = 180},
    {"radius_m", S_I64, S_ALL | S_REQUIRED, HOME(radius_m), .min = 100, .max = HOME_RADIUS_M_MAX},
    {"only", S_BOOL, S_ALL, HOME(only)},
};
static const struct schema home_schema = SCHEMA(struct home, "HomeZone", home_fields);
static const struct schema_field rota_fields[] = {
    {"shifts", S_LIST, S_IN | S_OUT | S_REQUIRED, .offset = offsetof(struct rota_body, shifts),
     .count_offset = offsetof(struct rota_body, shift_count), .sub = &shift_schema, .min = 0,
     .max = SHIFTS_MAX},
    {"home", S_OBJECT_PTR, S_IN | S_OUT | S_NULL, .offset = offsetof(struct rota_body, home),
     .sub = &home_schema},
};
const struct schema rota_schema = SCHEMA(struct rota_body, "ScheduleInput", rota_fields);

_Static_assert(DOCUMENTS_MAX == 2 * DOCUMENT_KINDS_MAX, "one that holds, one that waits");
static const char *const document_state_names[] = {NULL,       "submitted", "approved",
                                                   "rejected", "expired",   NULL};
#define DOCUMENT(member) .offset = offsetof(struct document, member)
static const struct schema_field document_fields[] = {
    {"id", S_ID, S_STORE | S_OUT, DOCUMENT(id), .hint = "doc"},
    {"kind", S_STR, S_STORE | S_OUT, DOCUMENT(kind)},
    {"file_id", S_ID, S_STORE | S_OUT, DOCUMENT(file_id), .hint = "fil"},
    {"file_type", S_ENUM, S_STORE | S_OUT, DOCUMENT(file_type), .names = file_type_names},
    {"state", S_ENUM, S_STORE | S_OUT, DOCUMENT(state), .names = document_state_names},
    {"expires_at", S_TIME, S_STORE | S_OUT | S_NULL, DOCUMENT(expires_at_us)},
    {"remind_at", S_TIME, S_STORE, DOCUMENT(remind_at_us)},
    {"reason", S_STR, S_STORE | S_OUT | S_NULL, DOCUMENT(reason)},
    {"submitted_at", S_TIME, S_STORE | S_OUT, DOCUMENT(submitted_at_us)},
    {"reviewed_at", S_TIME, S_STORE | S_OUT | S_NULL, DOCUMENT(reviewed_at_us)},
    {"reviewed_by", S_ID, S_STORE, DOCUMENT(reviewed_by), .hint = "usr"},
};
const struct schema document_schema = SCHEMA(struct document, "DriverDocument", document_fields);

static const struct schema_field cash_book_fields[] = {
    {"currency", S_STR, KEPT(cash_book, currency)},
    {"sum", S_OBJECT, KEPT(cash_book, sum), .sub = &cash_lines_schema},
};
static const struct schema cash_book_schema =
    SCHEMA(struct cash_book, "CashBook", cash_book_fields);

static const struct schema_field driver_fields[] = {
    {"id", S_ID, .flags = S_OUT, .offset = offsetof(struct driver, head.id), .hint = "drv"},
    {"version", S_I64, .flags = S_OUT, .offset = offsetof(struct driver, head.version)},
    {"user_id", S_ID, KEPT(driver, user_id), .hint = "usr"},
    {"name", S_STR, KEPT(driver, name)},
    {"phone", S_STR, KEPT(driver, phone)},
    {"account_at", S_TIME, KEPT(driver, account_at_us)},
    {"disabled", S_BOOL, KEPT(driver, disabled)},
    {"erased", S_BOOL, KEPT(driver, erased)},
    {"status", S_ENUM, KEPT(driver, status), .names = driver_status_names},
    {"status_reason", S_STR, KEPT(driver, status_reason)},
    {"duty", S_ENUM, KEPT(driver, duty), .names = duty_names},
    {"on_since", S_TIME, KEPT(driver, on_since_us)},
    {"vehicle", S_OBJECT_PTR, KEPT(driver, vehicle), .sub = &vehicle_schema},
    {"vehicles", S_LIST, KEPT(driver, vehicles),
     .count_offset = offsetof(struct driver, vehicle_count), .sub = &vehicle_schema,
     .max = VEHICLES_MAX},
    {"claim", S_OBJECT_PTR, KEPT(driver, claim), .sub = &claim_schema},
    {"next", S_OBJECT_PTR, KEPT(driver, next), .sub = &claim_schema},
    {"documents", S_LIST, KEPT(driver, documents),
     .count_offset = offsetof(struct driver, document_count), .sub = &document_schema,
     .max = DOCUMENTS_MAX},
    {"lapsed", S_BOOL, KEPT(driver, lapsed)},
    {"shifts", S_LIST, KEPT(driver, shifts), .count_offset = offsetof(struct driver, shift_count),
     .sub = &shift_schema, .max = SHIFTS_MAX},
    {"home", S_OBJECT_PTR, KEPT(driver, home), .sub = &home_schema},
    {"shift_end", S_TIME, KEPT(driver, shift_end_us)},
    {"remind_at", S_TIME, KEPT(driver, remind_at_us)},
    {"ended", S_STR_LIST, KEPT(driver, ended), .count_offset = offsetof(struct driver, ended_count),
     .max = ENDED_MAX},
    {"stars_sum", S_I64, KEPT(driver, stars_sum)},
    {"stars_count", S_I64, KEPT(driver, stars_count)},
    {"offered", S_I64, KEPT(driver, offered)},
    {"accepted", S_I64, KEPT(driver, accepted)},
    {"declined", S_I64, KEPT(driver, declined)},
    {"timed_out", S_I64, KEPT(driver, timed_out)},
    {"delivered", S_I64, KEPT(driver, delivered)},
    {"released", S_I64, KEPT(driver, released)},
    {"load_milli", S_I64, KEPT(driver, load_milli)},
    {"load_at", S_TIME, KEPT(driver, load_at_us)},
    {"auto_accept", S_BOOL, KEPT(driver, auto_accept)},
    {"cash", S_OBJECT_PTR, KEPT(driver, cash), .sub = &cash_book_schema},
    {"free_since", S_TIME, KEPT(driver, free_since_us)},
    {"created_at", S_TIME, KEPT(driver, created_at_us)},
    {"updated_at", S_TIME, KEPT(driver, updated_at_us)},
};
static const struct schema driver_schema = SCHEMA(struct driver, "Driver", driver_fields);

const struct store_collection driver_collection = {
    .name = "drivers", .indexes = {"status", "live"}, .timers = true};

static void driver_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    (void)a;
    const struct driver *d = state;
    ret_keys[0] = str_from(driver_status_names[d->status]);
    ret_keys[1] = d->duty != DUTY_OFF || d->claim != NULL ? STR("1") : STR_NONE;
}

const struct aggregate driver_aggregate = {.collection = &driver_collection,
                                           .schema = &driver_schema,
                                           .keys = driver_keys,
                                           .wake_at = driver_wake_at};

bool vehicle_fits(struct capacity c, const struct ev_load *load) {
    return load == NULL || ((c.kg <= 0 || load->weight_g <= c.kg * 1000) &&
                            (c.l <= 0 || load->volume_cm3 <= c.l * 1000) &&
                            (c.items <= 0 || load->pieces <= c.items));
}

/* What is too much, or absent; HAVE in thousandths of UNIT. */
static struct str too_much(int64_t have, int64_t takes, const char *unit, struct arena *a) {
    if (takes <= 0 || have <= takes * 1000)
        return STR_NONE;
    return arena_printf(a, "too small: takes %lld %s, the goods are %lld", (long long)takes, unit,
                        (long long)(have + 999) / 1000);
}

struct str vehicle_unfit(struct capacity capacity, const struct ev_load *load, struct arena *a) {
    if (vehicle_fits(capacity, load))
        return STR_NONE;
    struct str why = too_much(load->weight_g, capacity.kg, "kg", a);
    if (why.p == NULL)
        why = too_much(load->volume_cm3, capacity.l, "l", a);
    if (why.p == NULL)
        why = too_much(load->pieces * 1000, capacity.items, "pieces", a);
    return why;
}

static const struct schema_field earnings_fields[] = {
    {"id", S_STR, .flags = S_OUT, .offset = offsetof(struct earnings_day, head.id)},
    {"version", S_I64, .flags = S_OUT, .offset = offsetof(struct earnings_day, head.version)},
    {"driver_id", S_ID, KEPT(earnings_day, driver_id), .hint = "drv"},
    {"date", S_STR, KEPT(earnings_day, date)},
    {"currency", S_STR, KEPT(earnings_day, currency)},
    {"total", S_I64, KEPT(earnings_day, total)},
    {"gross", S_I64, KEPT(earnings_day, gross)},
    {"bookings", S_I64, KEPT(earnings_day, bookings)},
};
static const struct schema earnings_schema =
    SCHEMA(struct earnings_day, "EarningsDay", earnings_fields);

const struct store_collection earnings_collection = {.name = "earnings"};
const struct aggregate earnings_aggregate = {.collection = &earnings_collection,
                                             .schema = &earnings_schema};

/* ---- bodies ---- */

static const struct schema_field profile_body_fields[] = {
    {"vehicle", S_OBJECT, ASKED(profile_body, vehicle), .sub = &vehicle_schema},
};
const struct schema profile_body_schema =
    SCHEMA(struct profile_body, "DriverProfileInput", profile_body_fields);

static const struct schema_field document_body_fields[] = {
    {"kind", S_LINE, ASKED(document_body, kind), .min = 1, .max = DOCUMENT_KIND_CHARS_MAX},
    {"file_id", S_ID, ASKED(document_body, file_id), .hint = "fil"},
    {"expires_at", S_TIME, MAYBE(document_body, expires_at_us)},
};
const struct schema document_body_schema =
    SCHEMA(struct document_body, "DocumentInput", document_body_fields);

static const char *const review_names[] = {NULL, "approved", "rejected", NULL};
static const struct schema_field review_body_fields[] = {
    {"decision", S_ENUM, ASKED(review_body, decision), .names = review_names},
    {"reason", S_STR, MAYBE(review_body, reason), .min = 1, .max = REASON_CHARS_MAX},
    {"expires_at", S_TIME, MAYBE(review_body, expires_at_us)},
};
const struct schema review_body_schema =
    STRICT_SCHEMA(struct review_body, "ReviewInput", review_body_fields);

/* He says whether he is on duty; that he is busy follows from his bookings. */
static const char *const duty_body_names[] = {NULL, "off", "on", NULL};
static const struct schema_field duty_body_fields[] = {
    {"duty", S_ENUM, ASKED(duty_body, duty), .names = duty_body_names},
    {"auto_accept", S_TRI, MAYBE(duty_body, auto_accept)},
};
const struct schema duty_body_schema = SCHEMA(struct duty_body, "DutyInput", duty_body_fields);

static const char *const status_body_names[] = {NULL, "approved", "suspended", NULL};
static const struct schema_field status_body_fields[] = {
    {"status", S_ENUM, ASKED(status_body, status), .names = status_body_names},
    {"reason", S_STR, MAYBE(status_body, reason), .min = 1, .max = REASON_CHARS_MAX},
};
const struct schema driver_status_body_schema =
    STRICT_SCHEMA(struct status_body, "DriverStatusInput", status_body_fields);

static const struct schema_field fix_body_fields[] = {
    {"at", S_TIME, ASKED(fix_body, at_us)},
    {"lat", S_DEG7, ASKED(fix_body, lat_e7), .min = -90, .max = 90},
    {"lng", S_DEG7, ASKED(fix_body, lng_e7), .min = -180, .max = 180},
    {"accuracy_m", S_F64, MAYBE(fix_body, accuracy_m), .min = 0, .max = 100000},
    {"speed_mps", S_F64, MAYBE(fix_body, speed_mps), .min = 0, .max = 200},
    {"bearing_deg", S_F64, MAYBE(fix_body, bearing_deg), .min = 0, .max = 360},
};
static const struct schema fix_body_schema = SCHEMA(struct fix_body, "FixInput", fix_body_fields);
static const struct schema_field locations_body_fields[] = {
    {"fixes", S_LIST, .flags = S_OUT | S_REQUIRED, .offset = offsetof(struct locations_body, fixes),
     .count_offset = offsetof(struct locations_body, fix_count), .sub = &fix_body_schema, .min = 1,
     .max = 1000},
};
const struct schema locations_body_schema =
    SCHEMA(struct locations_body, "LocationsInput", locations_body_fields);
