/* Tariffs: what trips cost, as the house has set it. One `struct tariffs` is one version of all of
 * it: rates by vehicle class and zone, what night, weekend, holidays and demand add, taxes, the
 * commission, what waiting and cancelling cost. A version never changes; a change is a new version
 * with the moment from which it holds.
 *
 * Version 1 is the house's own: from a JSON file or built in. Later ones are documents (id
 * "trf_" + the version), written by an admin over the API. At any moment the version holds whose
 * effective_at is the latest that has come; of equal ones the newest.
 *
 *   {"currency":"SEK","timezone":"Europe/Stockholm",
 *    "tariffs":[{"vehicle":"van","base":9900,"per_km":1500,"per_minute":260,"minimum":12900,
 *                "per_stop":3500,"waiting_free_minutes":10,"waiting_per_minute":400},
 *               {"vehicle":"van","zone":"harbour","base":12900, …}, …],
 *    "zones":[{"name":"harbour","area":[{"lat":57.7,"lng":11.9}, …]}],
 *    "night":{"from":"22:00","to":"06:00","add_percent":25},
 *    "weekend":{"days":["sat","sun"],"add_percent":10},
 *    "holiday":{"dates":["2026-12-25"],"add_percent":50},
 *    "surge":{"from_percent":100,"full_percent":300,"add_percent":60},
 *    "taxes":[{"name":"VAT","rate_bp":2500}],"taxes_included":true,"commission_bp":2000,
 *    "cancellation":{"free_minutes":2,"assigned_percent":10,"arrived_percent":50},
 *    "returns":{"percent":100}}
 *
 * The API calls "tariffs" "items". Amounts are minor units. Only currency and rates must be there.
 * A class that has no rate for a place is not on offer there.
 */
#ifndef LORRY_BOOKING_TARIFF_H
#define LORRY_BOOKING_TARIFF_H

#include "base/zone.h"
#include "geo/geo.h"
#include "services/booking/price.h"

#define BOOKING_FILE_BYTES_MAX ((size_t)1 << 20)
#define TARIFF_ZONES_MAX 16
#define TARIFF_ZONE_POINTS_MAX 100
#define TARIFF_RATES_MAX ((int64_t)(VEHICLE_COUNT - 1) * (TARIFF_ZONES_MAX + 1))
#define TARIFF_DATES_MAX 100
#define TARIFF_AHEAD_MAX 8 /* versions that can wait for their day, with the one that holds */
#define TARIFF_AHEAD_DAYS_MAX 400
#define TARIFF_ZONE_CHARS_MAX 40

struct tariff_zone {
    struct str name;
    const struct point *area; /* a ring */
    int32_t area_count;
};
/* Of a clock, of days or of dates; in the tariff's timezone, at the time of the pickup. */
struct time_rate {
    struct str from, to; /* "22:00"; to may be before from: over midnight */
    struct str *days;    /* "mon" … "sun"; none: sat and sun */
    int32_t day_count;
    struct str *dates; /* "2026-12-25" */
    int32_t date_count;
    int64_t add_percent;
};
/* Demand is open searches, supply free drivers, about the pickup. Nothing is added up to
 * from_percent (of demand to supply), add_percent from full_percent on, and in between in
 * proportion, in steps of SURGE_STEP_PERCENT. Less than one driver counts as one: a single
 * customer with nobody near does not pay more for that. */
#define SURGE_STEP_PERCENT 5
struct surge_terms {
    int64_t from_percent, full_percent, add_percent;
};
struct cancel_terms {
    int64_t free_minutes;     /* after it was assigned */
    int64_t assigned_percent; /* of the total, after that */
    int64_t arrived_percent;  /* once the driver is at the pickup */
    /* Of what is booked for later, whether anybody has it or not: from so many minutes before its
     * window on. I64_ABSENT, or 0 percent: nothing. */
    int64_t late_minutes, late_percent;
};
/* What cannot be delivered goes back to its pickup, for so much of what the way there is worth by
 * per_km and per_minute. Without it a delivery that fails ends its booking there. */
struct return_terms {
    int64_t percent;
};
struct tariff_ref { /* a version that holds, or will */
    int64_t number, effective_us;
};

struct tariffs {
    struct aggregate_head head;
    int64_t number; /* "version": 1, 2, … */
    int64_t effective_us, created_us;
    struct str created_by, note;
    struct tariff_ref *ahead; /* when it was written: what held then, and what came after */
    int32_t ahead_count;
    struct str currency; /* ISO 4217, with a NUL after it */
    struct str timezone; /* absent: UTC */
    const struct tariff *rates;
    int32_t rate_count;
    const struct tariff_zone *zones;
    int32_t zone_count;
    const struct time_rate *night, *weekend, *holiday; /* NULL: none */
    const struct surge_terms *surge;
    const struct tax *taxes;
    int32_t tax_count;
    bool taxes_included;
    int64_t commission_bp; /* I64_ABSENT: the setting's */
    const struct cancel_terms *cancellation;
    const struct return_terms *returns; /* NULL: nothing goes back */
};

extern const struct tariffs tariffs_default; /* all four classes, SEK */
extern const struct schema tariffs_schema;   /* in, out and kept */
extern const struct store_collection tariff_collection;
extern const struct aggregate tariff_aggregate;

/* What a schema cannot say: names a zone twice, a date that is none. POINTERS call the rates RATES
 * ("items"). ZONE_DIR is where timezones are looked up. */
void tariffs_check(const struct tariffs *t, const char *rates, const char *zone_dir,
                   struct arena *a, struct field_errors *errors);
/* What may be left out of a rate is nothing then. After the check. */
void tariffs_fill(struct tariffs *t, struct arena *a);

/* ERR_INVALID: every mistake is in *ERRORS (texts in A), *RET is untouched. */
int tariffs_parse(struct str json, struct arena *a, struct tariffs *ret,
                  struct field_errors *errors);
/* The same from a file. Failure: *RET_COMPLAINT (in A) is ready to print, one line a mistake. */
int tariffs_load(const char *path, struct arena *a, struct tariffs *ret, struct str *ret_complaint);

/* The rate of VEHICLE for a trip that begins at PICKUP, or NULL: not on offer there. *RET_ZONE: the
 * name of the zone it lies in, or absent. */
const struct tariff *tariffs_rate(const struct tariffs *t, enum vehicle vehicle,
                                  struct point pickup, struct str *ret_zone);
static inline struct capacity rate_capacity(const struct tariff *rate) {
    return capacity_of(rate->vehicle, rate->capacity_kg, rate->capacity_l);
}
/* Is VEHICLE on offer anywhere? */
bool tariffs_offers(const struct tariffs *t, int32_t vehicle);
/* "sun" (0), "mon", …; -1: not a day. */
int32_t weekday_named(struct str name);
/* What is added at AT_US, on the clock of ZONE: the item's code, or ITEM_NONE. */
int32_t tariffs_time(const struct tariffs *t, const struct zone *zone, int64_t at_us,
                     int64_t *ret_percent);
/* What is added for DEMAND and SUPPLY (in thousandths), in percent. */
int64_t tariffs_surge(const struct tariffs *t, int64_t demand_milli, int64_t supply_milli);

/* "bike, car, van": those on offer. */
struct str tariffs_classes(const struct tariffs *t, struct arena *a);
/* The answer to GET /v1/tariffs. */
struct str tariffs_json(const struct tariffs *t, struct arena *a);
/* The id of a version's document. */
struct str tariff_id(struct arena *a, int64_t number);

/* For files of configuration: the whole file in A. ERR_NOT_FOUND, ERR_IO, ERR_LIMIT. */
int booking_file_read(const char *path, struct arena *a, struct str *ret_text);
/* "PATH: POINTER DETAIL" lines; what is said of the whole file has no pointer. */
struct str booking_file_complaint(const char *path, const struct field_errors *errors,
                                  struct arena *a);

#endif
