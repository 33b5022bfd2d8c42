/* What the files of the city share.
 *
 *   city.c       people are made, bookings arrive, time ends
 *   person.c     sign-in, refresh, requests that try again, the socket that resumes
 *   customer.c   quotes, books, waits, sometimes cancels, rates
 *   driver.c     on duty, drives, takes offers, does jobs, sends fixes
 *   audit.c      what was promised against what was seen
 */
#ifndef LORRY_CLIENT_CITY_INTERNAL_H
#define LORRY_CLIENT_CITY_INTERNAL_H

#include "base/buf.h"
#include "base/histogram.h"
#include "base/map.h"
#include "client/city.h"
#include "client/net.h"
#include "json/reader.h"
#include "json/writer.h"

#define PERSON_TEXT_MAX 64
#define JOB_STOPS_MAX 21
#define FIXES_WAITING_MAX 600
#define FIX_FRAME_MAX 100
#define FIX_EVERY_US (INT64_C(2) * 1000000)
#define FIX_EVERY_US_MIN (INT64_C(250) * 1000)
#define VIOLATIONS_KEPT 20
#define END_SPEED                                                                                  \
    60 /* when the time is over everyone hurries: at least that much faster than life */

struct person;
struct person_kind {
    const char *role;
    void (*ready)(struct person *p); /* signed in, socket open, caught up */
    void (*event)(struct person *p, struct str type, struct json_value data);
};

/* Somebody with an account: what customers and drivers have in common. */
struct person {
    struct city *city;
    const struct person_kind *kind;
    struct net_conn *conn;
    struct net_socket *socket;
    struct net_timer *refresh_timer, *socket_timer;
    char email[PERSON_TEXT_MAX], name[PERSON_TEXT_MAX], user_id[PERSON_TEXT_MAX];
    struct buf token, refresh_token;
    int64_t seq;       /* the newest event seen: where a resume goes on */
    int64_t ready_seq; /* what is newer on this socket is live */
    bool signed_in, live, was_ready;
    int32_t number;
};

struct city {
    struct city_options o;
    struct net *net;
    struct rng rng;
    struct json_parser *parser;
    struct arena scratch; /* of one callback */
    struct driver **drivers;
    struct customer **customers;
    int32_t driver_count, customer_count, drivers_ready, complaints;
    struct person *admin;
    struct asking *askings; /* requests that have no answer yet; person.c's */
    struct net_timer *arrival, *clock_timer;
    int64_t started_us;
    bool ending, stopped, reached;
    bool hushed; /* nobody asks anything any more */
    _Atomic int stop_asked;
    struct histogram latency, assign;
    struct map bookings; /* id → struct audit_booking */
    struct city_summary sum;
    char violations[VIOLATIONS_KEPT][160];
};

/* ---- person.c ---- */
typedef void (*person_answer_fn)(struct person *p, void *arg, const struct net_answer *a);
/* Something asked is neither answered nor to be asked again: whoever took it may be slow, but is
 * there. */
bool person_any_waits(const struct city *c);
void person_make(struct person *p, struct city *city, const struct person_kind *kind,
                 const char *prefix, int32_t number);
void person_free(struct person *p);
void person_begin(struct person *p); /* registers or signs in, opens the socket; then kind->ready */
/* A request; what has no answer or 429, 502, 503 or 504 is tried again until it has one. Bodies and
 * paths are copied. KEY: an Idempotency-Key is made and kept over the tries. */
void person_call(struct person *p, const char *method, struct str path, struct str body, bool key,
                 person_answer_fn answer, void *arg);
bool person_socket_send(struct person *p, struct str text);
/* Reads an answer's or event's JSON: valid until the next parse. */
bool city_json(struct city *c, struct str text, struct json_value *ret_root);
struct str json_member(struct json_value object, const char *key); /* a string member or STR_NONE */
int64_t json_member_i64(struct json_value object, const char *key, int64_t otherwise);
/* A real duration for SECONDS of simulated time. */
int64_t city_real_us(const struct city *c, double seconds);

/* ---- customer.c ---- */
struct customer *customer_new(struct city *city, int32_t number);
void customer_free(struct customer *c);
bool customer_idle(const struct customer *c); /* ready and without a booking */
bool customer_busy(const struct customer *c); /* has a booking on its way */
/* It is one of the guest's, who is to have a history early. */
bool customer_keen(const struct customer *c);
void customer_book(struct customer *c);
/* The time is over: who waits for a driver in vain cancels before long. */
void customer_end(struct customer *c);
struct person *customer_person(struct customer *c);

/* ---- driver.c ---- */
struct driver *driver_new(struct city *city, int32_t number);
void driver_free(struct driver *d);
struct person *driver_person(struct driver *d);
bool driver_has_unacked(const struct driver *d);

/* ---- audit.c ---- */
/* An answer acknowledged VERSION of a booking to P, with this driver (may be absent). */
void audit_acknowledged(struct city *c, struct person *p, struct json_value booking);
/* P's socket showed a version. */
void audit_seen(struct city *c, struct person *p, struct json_value booking);
/* P's socket showed an event with SEQ: they only rise. */
void audit_seq(struct city *c, struct person *p, int64_t seq);
/* P sent so many fixes and was told that so many are durable (or were before). */
void audit_fixes(struct city *c, const struct person *p, int64_t sent, int64_t durable);
/* P, a driver, was given a booking; HAD_JOB: while on another one. */
void audit_accepted(struct city *c, struct str booking_id, const char *driver_email, bool had_job);
void audit_violation(struct city *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* At the end: everything acknowledged must have been seen, every driver's fixes be durable
 * (audit_waiting says whose are not), and no booking hang. */
void audit_end(struct city *c, int64_t unfinished);
void audit_waiting(struct city *c, const struct person *p);
bool audit_settled(struct city *c); /* nothing acknowledged is still unseen */
void audit_free(struct city *c);

/* ---- city.c ---- */
/* Something that will not mend itself, to standard error; the first few of a run. P's request was
 * answered by A. */
void city_complain(struct city *c, const struct person *p, const char *what,
                   const struct net_answer *a);
void city_fate(struct city *c, struct str booking_id, const char *fate, int64_t took_us,
               int64_t total, struct str currency);

#endif
