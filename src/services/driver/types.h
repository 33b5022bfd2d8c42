/* What the driver service keeps of a driver: one document with his profile, vehicle, duty, the one
 * claim on him (and one on what he does next), his rating and counters; and a document for each day
 * he earned something. Plain structs and their schemas; they live in the arena of whoever decoded
 * or decided them.
 */
#ifndef LORRY_DRIVER_TYPES_H
#define LORRY_DRIVER_TYPES_H

#include "events/events.h"
#include "runtime/aggregate.h"
#include "services/driver/driver_service.h"

#define PLATE_CHARS_MAX 16
#define CAPACITY_KG_MAX 40000
#define CAPACITY_L_MAX 150000 /* 150 m³: a road train */
#define CAPACITY_ITEMS_MAX 10000
#define VEHICLES_MAX 8 /* of one driver */
#define SHIFTS_MAX 21
#define DOCUMENTS_MAX 16 /* of each kind one that holds, and one that waits */
#define HOME_RADIUS_M_MAX 200000
#define HOME_NAME_CHARS_MAX 80
#define REASON_CHARS_MAX 500
#define ENDED_MAX 24 /* offers and bookings remembered: what comes late of them changes nothing */
#define SPARE_US (INT64_C(30) * 1000000) /* an offer's claim may outlive the offer by this */

enum driver_status { STATUS_NONE, STATUS_PENDING, STATUS_APPROVED, STATUS_SUSPENDED };
extern const char *const driver_status_names[];
enum duty { DUTY_NONE, DUTY_OFF, DUTY_ON, DUTY_BUSY };
extern const char *const duty_names[];

/* What is left out of its capacity (and I64_ABSENT in documents from before it was kept) is that of
 * its class: vehicle_fill. */
struct driver_vehicle {
    int32_t kind; /* enum vehicle; "class" in JSON */
    struct str plate;
    int64_t capacity_kg, capacity_l, capacity_items;
    struct str id; /* "veh_…"; absent only in bodies and in documents from before there were several
                    */
};
/* What he is asked to carry (not active) or carries (active). Only the booking's word ends it. */
struct driver_claim {
    struct str booking_id, offer_id;
    bool active, manual;
    bool at_once; /* the booking is asked to take it as accepted */
    int64_t since_us;
    int64_t
        expires_at_us;  /* of the offer; 0: the booking has not recorded it, so it is not shown */
    int64_t ask_at_us;  /* when to ask the booking what became of it; of no use once active */
    struct str after;   /* of a next one: the present one, which ends before it; else absent */
    int64_t free_at_us; /* … which was likely to have ended by then */
    int64_t give_up_at_us; /* … and if it has not by then, it is not waited for any longer */
    struct ev_point *pickup, *dropoff; /* NULL: not known */
    int64_t stop_count, pickup_distance_m, pickup_eta_s, earning;
    int64_t cash; /* that he would take at its stops; I64_ABSENT: none */
    struct str currency;
    struct ev_load *load; /* NULL: nothing was said of it */
};
/* Weekly, by the clock of the area; over midnight where TO is not after FROM. */
struct shift {
    int32_t day;         /* 1 Monday … 7 Sunday */
    struct str from, to; /* "08:00", "17:00"; to: also "24:00" */
};
/* Where he would rather work: a circle. */
struct home {
    struct str name; /* absent: none */
    int32_t lat_e7, lng_e7;
    int64_t radius_m;
    bool only; /* he is asked for nothing that begins outside it */
};
enum document_state {
    DOCUMENT_NONE,
    DOCUMENT_SUBMITTED,
    DOCUMENT_APPROVED,
    DOCUMENT_REJECTED,
    DOCUMENT_EXPIRED
};
struct document {
    struct str id, kind, file_id; /* "doc_…", one of the setting's, "fil_…" */
    int32_t file_type;            /* enum file_type */
    int32_t state;                /* enum document_state */
    int64_t expires_at_us;        /* 0: never */
    int64_t remind_at_us;         /* of an approved one: the next time; 0: not any more */
    struct str reason;            /* of the rejection */
    int64_t submitted_at_us, reviewed_at_us;
    struct str reviewed_by; /* "usr_…" */
};
/* The sums of his cash book; cash.h. */
struct cash_book {
    struct str currency;
    struct cash_lines sum;
};
struct driver {
    struct aggregate_head head;
    struct str user_id, name, phone; /* name and phone may be absent until auth has told */
    int64_t account_at_us;           /* of the newest account event taken in */
    bool disabled;                   /* the account is, or is no driver's any more */
    bool erased;                     /* … for good: nobody changes him any more */
    int32_t status;                  /* enum driver_status */
    struct str status_reason;
    int32_t duty;                   /* enum duty; changed by driver_set_duty */
    int64_t on_since_us;            /* on duty since then; 0: off, or from before it was kept */
    struct driver_vehicle *vehicle; /* the one in use; NULL: none yet */
    /* All of his, that one too. Empty in a document from before there were several: then it is the
     * only one. */
    struct driver_vehicle *vehicles;
    int32_t vehicle_count;      /* ≤ VEHICLES_MAX */
    struct driver_claim *claim; /* NULL: none */
    struct driver_claim *next;  /* what comes after an active claim, taken or not; NULL: nothing */
    struct document *documents;
    int32_t document_count; /* ≤ DOCUMENTS_MAX */
    bool lapsed;            /* suspended for what his documents lack: lifted when it is there */
    struct shift *shifts;
    int32_t shift_count;
    struct home *home;    /* NULL: none */
    int64_t shift_end_us; /* on duty: when that ends by itself once he is free; 0: it does not */
    int64_t remind_at_us; /* of the next shift; 0: of none */
    struct str *ended;    /* oldest first, ≤ ENDED_MAX */
    int32_t ended_count;
    int64_t stars_sum, stars_count;
    int64_t offered, accepted, declined, timed_out, delivered;
    int64_t released;               /* bookings that he gave back */
    int64_t load_milli, load_at_us; /* jobs lately, as dispatch_load_milli has them */
    bool auto_accept;               /* he takes every offer at once */
    struct cash_book *cash;         /* NULL: nothing was written into it yet */
    int64_t free_since_us;          /* he came on duty, or his last job ended; 0: not known */
    int64_t created_at_us, updated_at_us;
};
/* Index keys: his status, and "1" while he is on duty or claimed. */
extern const struct store_collection driver_collection;
extern const struct aggregate driver_aggregate;

/* When the document wants its wake-up: wake.c. */
int64_t driver_wake_at(const void *state);

/* Is a booking of his under way? */
static inline bool driver_active(const struct driver *d) {
    return d->claim != NULL && d->claim->active;
}

/* Fills in what is absent of V's capacity. */
void vehicle_fill(struct driver_vehicle *v);
struct capacity vehicle_capacity(const struct driver_vehicle *v); /* NULL: nothing */

/* id "<ULID of the driver>_<date, UTC>" */
struct earnings_day {
    struct aggregate_head head;
    struct str driver_id, date, currency;
    int64_t total; /* minor units: his part */
    int64_t gross; /* of this, with the commission; I64_ABSENT: from before it was kept */
    int64_t bookings;
};
extern const struct store_collection earnings_collection;
extern const struct aggregate earnings_aggregate;

bool vehicle_fits(struct capacity capacity, const struct ev_load *load);
/* Why a vehicle of CAPACITY (0: unknown) cannot take LOAD (may be NULL), in A; absent: it can. */
struct str vehicle_unfit(struct capacity capacity, const struct ev_load *load, struct arena *a);

/* A place in an event or a document. */
extern const struct schema place_schema; /* struct ev_point */

/* Bodies of requests. */
struct profile_body {
    struct driver_vehicle vehicle;
};
extern const struct schema vehicle_schema; /* kept, shown, and said by clients (without its id) */
extern const struct schema new_vehicle_schema; /* the same of one that is added, and nothing else */
struct rota_body {
    struct shift *shifts;
    int32_t shift_count;
    struct home *home;
};
extern const struct schema rota_schema;
struct document_body {
    struct str kind, file_id;
    int64_t expires_at_us;
};
enum review { REVIEW_NONE, REVIEW_APPROVED, REVIEW_REJECTED };
struct review_body {
    int32_t decision; /* enum review */
    struct str reason;
    int64_t expires_at_us; /* 0: as he said */
};
extern const struct schema document_schema, document_body_schema, review_body_schema;
struct duty_body {
    int32_t duty;        /* DUTY_OFF or DUTY_ON */
    int32_t auto_accept; /* enum tri; absent: as it was */
};
struct status_body {
    int32_t status; /* index into its own names: 1 approved, 2 suspended */
    struct str reason;
};
struct fix_body {
    int64_t at_us;
    int32_t lat_e7, lng_e7;
    double accuracy_m, speed_mps, bearing_deg;
};
/* Describes the shape only: fixes are read by hand, because a bad one must not refuse the others.
 */
struct locations_body {
    struct fix_body *fixes;
    int32_t fix_count;
};
extern const struct schema profile_body_schema, duty_body_schema, driver_status_body_schema,
    locations_body_schema;

#endif
