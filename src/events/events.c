/* The shapes of the events' data, as tables: what one service writes and another reads. */
#include "events/events.h"

#include <stddef.h>
#include <string.h>

const char *const booking_state_names[] = {
    NULL,        "scheduled",      "requested", "offered",
    "assigned",  "arrived_pickup", "picked_up", "arrived_dropoff",
    "returning", "arrived_return", "delivered", "cancelled",
    "expired",   "failed",         "returned",  NULL,
};

#define AT(type, member) .flags = S_STORE, .offset = offsetof(struct type, member)

static const struct schema_field account_fields[] = {
    {"user_id", S_ID, AT(ev_account, user_id), .hint = "usr"},
    {"name", S_STR, AT(ev_account, name)},
    {"phone", S_STR, AT(ev_account, phone)},
    {"email", S_STR, AT(ev_account, email)},
    {"role", S_ENUM, AT(ev_account, role), .names = role_names},
    {"disabled", S_BOOL, AT(ev_account, disabled)},
};
const struct schema ev_account_schema = SCHEMA(struct ev_account, "AccountEvent", account_fields);

static const struct schema_field session_fields[] = {
    {"user_id", S_ID, AT(ev_session, user_id), .hint = "usr"},
    {"sid", S_STR, AT(ev_session, sid)},
    {"kept", S_STR, AT(ev_session, kept)},
};
const struct schema ev_session_schema = SCHEMA(struct ev_session, "SessionEvent", session_fields);

const char *const audit_source_names[] = {NULL, "api", "shell", "system", NULL};
static const struct schema_field audit_fields[] = {
    {"actor_id", S_STR, AT(ev_audit, actor_id)},
    {"actor_role", S_ENUM, AT(ev_audit, actor_role), .names = role_names},
    {"source", S_ENUM, AT(ev_audit, source), .names = audit_source_names},
    {"action", S_STR, AT(ev_audit, action)},
    {"subject_id", S_STR, AT(ev_audit, subject_id)},
    {"key_id", S_STR, AT(ev_audit, key_id)},
    {"before", S_RAW, AT(ev_audit, before)},
    {"after", S_RAW, AT(ev_audit, after)},
    {"reason", S_STR, AT(ev_audit, reason)},
};
const struct schema ev_audit_schema = SCHEMA(struct ev_audit, "AuditEvent", audit_fields);

static const struct schema_field mail_fields[] = {
    {"user_id", S_ID, AT(ev_mail, user_id), .hint = "usr"},
    {"to", S_STR, AT(ev_mail, to)},
    {"template", S_STR, AT(ev_mail, template)},
    {"language", S_STR, AT(ev_mail, language)},
    {"name", S_STR, AT(ev_mail, name)},
    {"code", S_STR, AT(ev_mail, code)},
    {"link", S_STR, AT(ev_mail, link)},
    {"expires_at", S_TIME, AT(ev_mail, expires_at_us)},
};
const struct schema ev_mail_schema = SCHEMA(struct ev_mail, "MailEvent", mail_fields);

static const struct schema_field webhook_fields[] = {
    {"webhook_id", S_ID, AT(ev_webhook, webhook_id), .hint = "whk"},
    {"owner_id", S_ID, AT(ev_webhook, owner_id), .hint = "usr"},
    {"url", S_STR, AT(ev_webhook, url)},
    {"all", S_BOOL, AT(ev_webhook, all)},
    {"since", S_TIME, AT(ev_webhook, since_us)},
    {"gone", S_BOOL, AT(ev_webhook, gone)},
};
const struct schema ev_webhook_schema = SCHEMA(struct ev_webhook, "WebhookEvent", webhook_fields);

static const struct schema_field promo_fields[] = {
    {"code", S_STR, AT(ev_promo, code)},
    {"booking_id", S_ID, AT(ev_promo, booking_id), .hint = "bkg"},
    {"customer_id", S_ID, AT(ev_promo, customer_id), .hint = "usr"},
};
const struct schema ev_promo_schema = SCHEMA(struct ev_promo, "PromoEvent", promo_fields);

static const struct schema_field of_user_fields[] = {
    {"user_id", S_ID, AT(ev_of_user, user_id), .hint = "usr"},
    {"since", S_TIME, AT(ev_of_user, since_us)},
};
const struct schema ev_of_user_schema = SCHEMA(struct ev_of_user, "OfUserEvent", of_user_fields);

static const struct schema_field told_fields[] = {
    {"user_id", S_ID, AT(ev_told, user_id), .hint = "usr"},
    {"role", S_ENUM, AT(ev_told, role), .names = role_names},
    {"view", S_RAW, AT(ev_told, view)},
};
const struct schema ev_told_schema = SCHEMA(struct ev_told, "ToldEvent", told_fields);

static const struct schema_field not_booked_fields[] = {
    {"user_id", S_ID, AT(ev_not_booked, user_id), .hint = "usr"},
    {"role", S_ENUM, AT(ev_not_booked, role), .names = role_names},
    {"recurrence_id", S_ID, AT(ev_not_booked, recurrence_id), .hint = "rec"},
    {"name", S_STR, AT(ev_not_booked, name)},
    {"date", S_STR, AT(ev_not_booked, date)},
    {"reason", S_STR, AT(ev_not_booked, reason)},
    {"detail", S_STR, AT(ev_not_booked, detail)},
    {"from", S_TIME, AT(ev_not_booked, from_us)},
    {"to", S_TIME, AT(ev_not_booked, to_us)},
};
const struct schema ev_not_booked_schema =
    SCHEMA(struct ev_not_booked, "NotBookedEvent", not_booked_fields);

static const struct schema_field point_fields[] = {
    {"lat", S_DEG7, AT(ev_point, lat_e7), .min = -90, .max = 90},
    {"lng", S_DEG7, AT(ev_point, lng_e7), .min = -180, .max = 180},
    {"address", S_STR, AT(ev_point, address)},
};
static const struct schema ev_point_schema = SCHEMA(struct ev_point, "EventPoint", point_fields);

const char *const handling_names[HANDLING_COUNT + 1] = {[HANDLING_FRAGILE] = "fragile",
                                                        [HANDLING_UPRIGHT] = "upright",
                                                        [HANDLING_COLD] = "cold",
                                                        [HANDLING_DRY] = "dry",
                                                        [HANDLING_TWO_PEOPLE] = "two_people",
                                                        [HANDLING_TAIL_LIFT] = "tail_lift"};

#define SHOWN(member) .flags = S_STORE | S_OUT, .offset = offsetof(struct ev_load, member)
static const struct schema_field load_fields[] = {
    {"weight_g", S_I64, SHOWN(weight_g)},
    {"volume_cm3", S_I64, SHOWN(volume_cm3)},
    {"pieces", S_I64, SHOWN(pieces)},
    {"handling", S_STR_LIST, S_STORE | S_OUT | S_REQUIRED, offsetof(struct ev_load, handling),
     offsetof(struct ev_load, handling_count), .max = HANDLING_COUNT - 1},
};
const struct schema ev_load_schema = SCHEMA(struct ev_load, "Load", load_fields);

const char *const cash_account_names[] = {NULL,         "held", "customers", "fares", "earnings",
                                          "commission", "tax",  "discounts", "till",  NULL};
const char *const cash_kind_names[] = {NULL,   "collected", "delivered", "cancelled", "handed_in",
                                       "kept", "paid_out",  "reversed",  NULL};
#define LINE(name, account)                                                                        \
    { (name), S_I64, S_STORE, offsetof(struct cash_lines, amount[account]) }
static const struct schema_field lines_fields[] = {
    LINE("held", CASH_HELD),
    LINE("customers", CASH_CUSTOMERS),
    LINE("fares", CASH_FARES),
    LINE("earnings", CASH_EARNINGS),
    LINE("commission", CASH_COMMISSION),
    LINE("tax", CASH_TAX),
    LINE("discounts", CASH_DISCOUNTS),
    LINE("till", CASH_TILL),
};
const struct schema cash_lines_schema = SCHEMA(struct cash_lines, "CashLines", lines_fields);

static const struct schema_field offer_fields[] = {
    {"id", S_ID, AT(ev_offer, id), .hint = "ofr"},
    {"driver_id", S_ID, AT(ev_offer, driver_id), .hint = "drv"},
    {"driver_user_id", S_ID, AT(ev_offer, driver_user_id), .hint = "usr"},
    {"expires_at", S_TIME, AT(ev_offer, expires_at_us)},
    {"pickup_distance_m", S_I64, AT(ev_offer, pickup_distance_m)},
    {"pickup_eta_s", S_I64, AT(ev_offer, pickup_eta_s)},
    {"free_at", S_TIME, AT(ev_offer, free_at_us)},
    {"reason", S_STR, AT(ev_offer, reason)},
    {"why", S_STR, AT(ev_offer, why)},
    {"manual", S_BOOL, AT(ev_offer, manual)},
    {"at_once", S_BOOL, AT(ev_offer, at_once)},
};
static const struct schema ev_offer_schema = SCHEMA(struct ev_offer, "OfferEvent", offer_fields);

static const struct schema_field booking_fields[] = {
    {"booking_id", S_ID, AT(ev_booking, booking_id), .hint = "bkg"},
    {"version", S_I64, AT(ev_booking, version)},
    {"state", S_ENUM, AT(ev_booking, state), .names = booking_state_names},
    {"customer_id", S_ID, AT(ev_booking, customer_id), .hint = "usr"},
    {"vehicle", S_ENUM, AT(ev_booking, vehicle), .names = vehicle_names},
    {"stops", S_LIST, AT(ev_booking, stops),
     .count_offset = offsetof(struct ev_booking, stop_count), .sub = &ev_point_schema,
     .max = SIGNAL_ETA_STOPS_MAX},
    {"load", S_OBJECT_PTR, AT(ev_booking, load), .sub = &ev_load_schema},
    {"currency", S_STR, AT(ev_booking, currency)},
    {"earning", S_I64, AT(ev_booking, earning)},
    {"gross", S_I64, AT(ev_booking, gross)},
    {"earned", S_I64, AT(ev_booking, earned)},
    {"cash", S_I64, AT(ev_booking, cash)},
    {"money", S_OBJECT_PTR, AT(ev_booking, money), .sub = &cash_lines_schema},
    {"money_stop", S_I64, AT(ev_booking, money_stop)},
    {"search_until", S_TIME, AT(ev_booking, search_until_us)},
    {"in_bulk", S_BOOL, AT(ev_booking, in_bulk)},
    {"held", S_BOOL, AT(ev_booking, held)},
    {"goes_back", S_BOOL, AT(ev_booking, goes_back)},
    {"favourites", S_STR_LIST, AT(ev_booking, favourites),
     .count_offset = offsetof(struct ev_booking, favourite_count), .max = 20},
    {"driver_id", S_ID, AT(ev_booking, driver_id), .hint = "drv"},
    {"driver_user_id", S_ID, AT(ev_booking, driver_user_id), .hint = "usr"},
    {"offer", S_OBJECT_PTR, AT(ev_booking, offer), .sub = &ev_offer_schema},
    {"stars", S_I64, AT(ev_booking, stars)},
    {"next_stop", S_I64, AT(ev_booking, next_stop)},
    {"pickup_until", S_TIME, AT(ev_booking, pickup_until_us)},
    {"actor_kind", S_ENUM, AT(ev_booking, actor_kind), .names = role_names},
    {"actor_id", S_STR, AT(ev_booking, actor_id)},
    {"again", S_BOOL, AT(ev_booking, again)},
    {"view", S_RAW, AT(ev_booking, view)},
    {"figures", S_RAW, AT(ev_booking, figures)},
};
const struct schema ev_booking_schema = SCHEMA(struct ev_booking, "BookingEvent", booking_fields);

static const struct schema_field erased_fields[] = {
    {"user_id", S_ID, AT(ev_erased, user_id), .hint = "usr"},
    {"role", S_ENUM, AT(ev_erased, role), .names = role_names},
    {"email_id", S_STR, AT(ev_erased, email_id)},
};
const struct schema ev_erased_schema = SCHEMA(struct ev_erased, "ErasedEvent", erased_fields);

static const struct schema_field shift_fields[] = {
    {"driver_id", S_ID, AT(ev_shift, driver_id), .hint = "drv"},
    {"vehicle", S_ENUM, AT(ev_shift, vehicle), .names = vehicle_names},
    {"since", S_TIME, AT(ev_shift, since_us)},
};
const struct schema ev_shift_schema = SCHEMA(struct ev_shift, "ShiftEvent", shift_fields);

static const struct schema_field claim_fields[] = {
    {"booking_id", S_ID, AT(ev_claim, booking_id), .hint = "bkg"},
    {"offer_id", S_ID, AT(ev_claim, offer_id), .hint = "ofr"},
    {"driver_id", S_ID, AT(ev_claim, driver_id), .hint = "drv"},
    {"driver_user_id", S_ID, AT(ev_claim, driver_user_id), .hint = "usr"},
    {"driver_name", S_STR, AT(ev_claim, driver_name)},
    {"driver_phone", S_STR, AT(ev_claim, driver_phone)},
    {"plate", S_STR, AT(ev_claim, plate)},
    {"vehicle", S_ENUM, AT(ev_claim, vehicle), .names = vehicle_names},
    {"rating", S_F64, AT(ev_claim, rating)},
    {"pickup_distance_m", S_I64, AT(ev_claim, pickup_distance_m)},
    {"pickup_eta_s", S_I64, AT(ev_claim, pickup_eta_s)},
    {"manual", S_BOOL, AT(ev_claim, manual)},
    {"at_once", S_BOOL, AT(ev_claim, at_once)},
    {"after", S_ID, AT(ev_claim, after), .hint = "bkg"},
    {"free_at", S_TIME, AT(ev_claim, free_at_us)},
    {"reason", S_STR, AT(ev_claim, reason)},
    {"pickup", S_OBJECT_PTR, AT(ev_claim, pickup), .sub = &ev_point_schema},
    {"dropoff", S_OBJECT_PTR, AT(ev_claim, dropoff), .sub = &ev_point_schema},
    {"stop_count", S_I64, AT(ev_claim, stop_count)},
    {"earning", S_I64, AT(ev_claim, earning)},
    {"cash", S_I64, AT(ev_claim, cash)},
    {"currency", S_STR, AT(ev_claim, currency)},
    {"load", S_OBJECT_PTR, AT(ev_claim, load), .sub = &ev_load_schema},
};
const struct schema ev_claim_schema = SCHEMA(struct ev_claim, "ClaimEvent", claim_fields);

static const struct schema_field cash_fields[] = {
    {"entry_id", S_ID, AT(ev_cash, entry_id), .hint = "cse"},
    {"driver_id", S_ID, AT(ev_cash, driver_id), .hint = "drv"},
    {"user_id", S_ID, AT(ev_cash, user_id), .hint = "usr"},
    {"kind", S_ENUM, AT(ev_cash, kind), .names = cash_kind_names},
    {"currency", S_STR, AT(ev_cash, currency)},
    {"lines", S_OBJECT, AT(ev_cash, lines), .sub = &cash_lines_schema},
    {"by", S_ID, AT(ev_cash, by), .hint = "usr"},
    {"reason", S_STR, AT(ev_cash, reason)},
    {"reference", S_STR, AT(ev_cash, reference)},
    {"reverses", S_ID, AT(ev_cash, reverses), .hint = "cse"},
    {"at", S_TIME, AT(ev_cash, at_us)},
    {"booking_id", S_ID, AT(ev_cash, booking_id), .hint = "bkg"},
    {"customer_id", S_ID, AT(ev_cash, customer_id), .hint = "usr"},
    {"stop", S_I64, AT(ev_cash, stop)},
};
const struct schema ev_cash_schema = SCHEMA(struct ev_cash, "CashEvent", cash_fields);

static const struct schema_field file_fields[] = {
    {"file_id", S_ID, AT(ev_file, file_id), .hint = "fil"},
    {"subject", S_ID, AT(ev_file, subject)},
};
const struct schema ev_file_schema = SCHEMA(struct ev_file, "FileEvent", file_fields);
static const struct schema_field notice_fields[] = {
    {"driver_id", S_ID, AT(ev_notice, driver_id), .hint = "drv"},
    {"user_id", S_ID, AT(ev_notice, user_id), .hint = "usr"},
    {"name", S_STR, AT(ev_notice, name)},
    {"kind", S_STR, AT(ev_notice, kind)},
    {"at", S_TIME, AT(ev_notice, at_us)},
    {"document", S_STR, AT(ev_notice, document)},
    {"reason", S_STR, AT(ev_notice, reason)},
    {"days", S_I64, AT(ev_notice, days)},
    {"amount", S_I64, AT(ev_notice, amount)},
    {"currency", S_STR, AT(ev_notice, currency)},
    {"when", S_STR, AT(ev_notice, when)},
    {"office", S_BOOL, AT(ev_notice, office)},
    {"office_only", S_BOOL, AT(ev_notice, office_only)},
};
const struct schema ev_notice_schema = SCHEMA(struct ev_notice, "NoticeEvent", notice_fields);
static const struct schema_field tracking_fields[] = {
    {"booking_id", S_ID, AT(ev_tracking, booking_id), .hint = "bkg"},
    {"driver_id", S_ID, AT(ev_tracking, driver_id), .hint = "drv"},
    {"stop", S_I64, AT(ev_tracking, stop)},
    {"at", S_TIME, AT(ev_tracking, at_us)},
    {"lat", S_DEG7, AT(ev_tracking, lat_e7), .min = -90, .max = 90},
    {"lng", S_DEG7, AT(ev_tracking, lng_e7), .min = -180, .max = 180},
};
const struct schema ev_tracking_schema =
    SCHEMA(struct ev_tracking, "TrackingEvent", tracking_fields);

const char *const alert_kind_names[] = {NULL, "unassigned", "late", "stale", "off_route", NULL};
static const struct schema_field alert_fields[] = {
    {"booking_id", S_ID, AT(ev_alert, booking_id), .hint = "bkg"},
    {"driver_id", S_ID, AT(ev_alert, driver_id), .hint = "drv"},
    {"kind", S_ENUM, AT(ev_alert, kind), .names = alert_kind_names},
    {"number", S_I64, AT(ev_alert, number)},
    {"at", S_TIME, AT(ev_alert, at_us)},
    {"stop", S_I64, AT(ev_alert, stop)},
    {"eta", S_TIME, AT(ev_alert, eta_us)},
    {"promised", S_TIME, AT(ev_alert, promised_us)},
    {"distance_m", S_I64, AT(ev_alert, distance_m)},
    {"seen", S_TIME, AT(ev_alert, seen_us)},
    {"over", S_BOOL, AT(ev_alert, over)},
};
const struct schema ev_alert_schema = SCHEMA(struct ev_alert, "AlertEvent", alert_fields);

bool signal_eta_read(const void *data, size_t len, struct signal_eta *ret) {
    if (len != sizeof(*ret))
        return false;
    struct signal_eta s;
    memcpy(&s, data, sizeof(s));
    if (!memchr(s.driver_id, 0, sizeof(s.driver_id)) || s.driver_id[0] == 0 ||
        !memchr(s.booking_id, 0, sizeof(s.booking_id)) || s.booking_id[0] == 0 ||
        s.stop_count < 0 || s.stop_count > SIGNAL_ETA_STOPS_MAX)
        return false;
    *ret = s;
    return true;
}

bool signal_position_read(const void *data, size_t len, struct signal_position *ret) {
    if (len != sizeof(*ret))
        return false;
    /* A bool must not be looked at before it is known to be one. */
    unsigned char off = ((const unsigned char *)data)[offsetof(struct signal_position, off)];
    struct signal_position s;
    if (off > 1)
        return false;
    memcpy(&s, data, sizeof(s));
    if (!memchr(s.driver_id, 0, sizeof(s.driver_id)) || s.driver_id[0] == 0 ||
        !memchr(s.booking_id, 0, sizeof(s.booking_id)) || s.vehicle >= VEHICLE_COUNT)
        return false;
    if (s.at.lat_e7 < -90 * E7 || s.at.lat_e7 > 90 * E7 || s.at.lng_e7 < -180 * E7 ||
        s.at.lng_e7 > 180 * E7 || s.bearing_deg < -1 || s.bearing_deg >= 360 || s.speed_cmps < -1)
        return false;
    *ret = s;
    return true;
}
