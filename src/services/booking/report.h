/* Reports: what happened, counted as it happens. A document for each local day of a vehicle class
 * and zone ("cell"), and one for each day of a driver and his class, with the day's hours in it; an
 * event adds to a few of them, once by its id. So a report of a month reads days × (classes ×
 * zones) small documents, whatever the number of bookings; none is ever counted again.
 *
 * Days and hours are those of the tariff's timezone. Where that changes, what has been counted
 * stays where it is.
 *
 *   cell    c_<date>_<class>_<hash of the zone>
 *   driver  d_<date>_<ULID of the driver>_<class>
 */
#ifndef LORRY_BOOKING_REPORT_H
#define LORRY_BOOKING_REPORT_H

#include "base/zone.h"
#include "runtime/service.h"
#include "services/booking/figures.h"

#define DATE_LEN 10 /* "2026-11-29" */
#define REPORT_SPAN_US                                                                             \
    (INT64_C(7) * US_PER_DAY) /* of a longer shift (or trip) the last so much                      \
                               */

struct report_hour {
    int64_t hour; /* 0..23, as the clock shows it: one that comes twice in a night is one here */
    struct counts counts;
};
struct report_day {
    struct aggregate_head head;
    struct str date;
    int32_t vehicle;
    struct str zone;           /* of a cell; absent: in none */
    struct str driver_id;      /* absent: a cell */
    struct report_hour *hours; /* rising */
    int32_t hour_count;
};
extern const struct store_collection report_collection;
extern const struct aggregate report_aggregate;
extern const struct command_type report_add;

/* What an event of a booking and of a shift must tell; the rest of it is not looked at. */
struct report_event {
    int32_t vehicle;
    struct figure *figures;
    int32_t figure_count;
};
extern const struct schema report_event_schema;

/* Makes the commands of F, on the clock of Z. */
void report_take(struct event_turn *t, const struct figure *f, int32_t vehicle,
                 const struct zone *z);

/* "2026-11-29" of AT_US where Z counts, and its hour. */
struct str report_date(struct arena *a, const struct zone *z, int64_t at_us, int32_t *ret_hour);

/* GET /v1/reports/{name} */
void handle_report(struct call *c);

#endif
