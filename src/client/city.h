/* A simulated city: customers and drivers as real clients of a running server, over HTTP and
 * WebSocket, and an audit of what the server promised them:
 *
 *   - no booking has two drivers, no driver two bookings at once;
 *   - every change that was acknowledged to somebody is seen on his socket, and the customer's,
 * exactly once, and numbers on a socket only rise;
 *   - every fix that was sent is acknowledged in the end.
 *
 * city_run blocks on one thread; city_stop may come from any.
 */
#ifndef LORRY_CLIENT_CITY_H
#define LORRY_CLIENT_CITY_H

#include "base/rng.h"
#include "ports/router.h"

#include <stdio.h>

enum city_output {
    CITY_SILENT,
    CITY_LINES, /* one line per booking's fate, for people */
    CITY_JSON,  /* one JSON object a line */
    CITY_LIVE   /* a status line that is redrawn, above it the fates */
};

struct city_options {
    const char *url;
    int32_t drivers;
    int32_t customers_max;    /* 0: drivers × 4, at least 20 */
    double bookings_per_hour; /* of simulated time */
    double speed;             /* simulated seconds in a real one */
    int64_t duration_us;      /* real; 0: until city_stop */
    uint64_t seed;
    const char *tag;      /* e-mails are <role><n>@<tag>.example: the same tag, the same people */
    const char *password; /* of everyone */
    /* Somebody who is there already, with the same password: a few of the customers share the
     * account and book before the others do, so that it has a history early. NULL: nobody. */
    const char *guest_email, *guest_name;
    const char *admin_email, *admin_password; /* to approve drivers; NULL: not needed */
    struct router *router;                    /* how drivers drive; the caller's */
    /* Where people are: a point and perhaps a street's name. */
    struct point (*place)(void *arg, struct rng *rng, struct str *ret_name);
    void *place_arg;
    enum city_output output;
    FILE *out;
    FILE *requests; /* each answer to a request, one JSON object a line; NULL: nobody wants that */
    int64_t settle_us; /* how long bookings may take to end after the time is over; 0: 120 s */
};

struct city_summary {
    int64_t requested, delivered, cancelled, expired, failed, unfinished;
    int64_t assign_p50_us, assign_p95_us, latency_p50_us, latency_p99_us;
    int64_t requests, errors, reconnects;
    int64_t fixes_sent, fixes_acknowledged, events_seen;
    int64_t violations;
    int64_t elapsed_us;
};

struct city;
struct city *city_new(const struct city_options *o, const char **ret_why);
void city_free(struct city *c);
/* Until the time is over or city_stop, and then until bookings have ended. 0; ERR_UNAVAILABLE: the
 * server could not be reached at the start. */
int city_run(struct city *c, struct city_summary *ret_summary);
void city_stop(struct city *c); /* any thread; twice: at once, without waiting for bookings */
void city_print_summary(const struct city_summary *s, bool json, FILE *out);

#endif
