/* The booking service: quotes, bookings, tracking links. It decides who wins an offer: accepting is
 * a compare-and-set on the booking.
 *
 * Read-only after booking_service_new but for counters; every function may be called on any thread.
 */
#ifndef LORRY_BOOKING_SERVICE_H
#define LORRY_BOOKING_SERVICE_H

#include "ports/files.h"
#include "runtime/service.h"
#include "runtime/signature.h"

struct tariffs;
struct area;
struct bus;
struct peers;

/* Zero in a number means its default. The pointers must outlive the service. */
struct booking_options {
    struct router *router;
    struct entropy *entropy;       /* for tracking links */
    struct fleet *fleet;           /* NULL: no pickup ETAs, no positions */
    const struct tariffs *tariffs; /* the house's own, version 1; NULL: the built-in ones */
    struct bus *bus;            /* with peers only: to hear of tariffs that others have written */
    struct peers *peers;        /* NULL: nobody else writes to the store */
    const struct area *area;    /* until an admin writes one. NULL: none, then trip_max_km counts */
    int64_t quote_ttl_us;       /* 10 min */
    int64_t offer_timeout_us;   /* 20 s */
    int64_t search_timeout_us;  /* 180 s */
    int64_t held_timeout_us;    /* 1 h: how long a dispatcher who will choose himself has for it */
    int32_t trip_max_km;        /* 200: between any two stops */
    int32_t commission_percent; /* 20: what the house keeps where the tariff does
                                   not say; -1: nothing */
    bool status_by_position;    /* a driver who comes to his next stop has arrived; else that is
                                   suggested to him */
    int32_t open_bookings_max;  /* 100: of one customer; staff may have any number; -1: no limit.
                                   Several executors on one store may pass it by as many times */
    int64_t cash_limit;         /* drivers have one: their customers ask them for no more cash
                                   than they took a booking with; 0: they have none */
    int64_t collect_max;        /* 1,000,000: minor units that a driver may be asked to collect at
                                   one stop */
    struct files *files;        /* pictures of proofs; NULL: none are taken */
    int32_t proof_default;      /* bits of 1 << kind (pin 1, photo 2, signature 3, name 4): what a
                                   dropoff asks for whose booking does not say */
    int64_t schedule_lead_us;   /* 15 min: so long before its window a driver is looked for */
    int64_t schedule_lead_max_us; /* 1 h: so long at most, where the nearest has far to come */
    int64_t schedule_remind_us;   /* 2 h: so long before its window its customer is reminded; -1:
                                     not at all */
    int32_t schedule_days_max;    /* 30: how far ahead may be booked */
    int32_t recurrence_days;      /* 7: so many days before it what recurs is booked; at most
                                     schedule_days_max */
    int64_t contact_kept_us;  /* 24 h: so long after the end its driver sees whom he came to, and
                                 the notes; -1: not at all */
    struct str contact_phone; /* shown to customers and drivers instead of each other's numbers;
                                 absent: none */
    sign_fn sign;             /* custody bundles, with sign_arg; NULL: there are none */
    void *sign_arg;
};

struct booking_service;
struct booking_service *booking_service_new(const struct booking_options *o);
struct booking_service *booking_service_free(struct booking_service *s); /* NULL ok; returns NULL */
/* Ids of bookings of a user that have not ended, as customer or driver: in A, at most so many. 0 or
 * an error of STORE. Any thread that STORE and PARSER belong to. */
#define ENGAGED_BOOKINGS_MAX 20
int booking_engaged(struct store *store, struct json_parser *parser, struct str user_id,
                    struct arena *a, struct str ret_ids[ENGAGED_BOOKINGS_MAX], int32_t *ret_count);
/* For runtime_new. */
struct service booking_service(struct booking_service *s);

/* For an executor that is made after its services: before the first request. Without one no search
 * begins early. */
void booking_service_executor(struct booking_service *s, struct executor *x);

/* Who may see a booking may read the files that are attached to it. */
struct file_viewer booking_service_viewer(struct booking_service *s);

/* Configuration from files; what is returned lives in A. NULL: *RET_COMPLAINT (in A) says all that
 * is wrong, one line each, with the file's name. */
const struct tariffs *booking_tariffs_load(const char *path, struct arena *a,
                                           struct str *ret_complaint);
const struct area *booking_area_load(const char *path, struct arena *a, struct str *ret_complaint);

#endif
