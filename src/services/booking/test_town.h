/* For the tests of routes: the booking service in a house of its own, and the people of a small
 * town. The driver service is played by the tests: they put its events on the bus.
 */
#ifndef LORRY_BOOKING_TEST_TOWN_H
#define LORRY_BOOKING_TEST_TOWN_H

#include "base/check.h"
#include "base/timestamp.h"
#include "services/booking/booking_bench.h"
#include "services/booking/internal.h"
#include "services/booking/test_fakes.h"
#include "testing/house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TWO_STOPS                                                                                  \
    "{\"stops\":[{\"lat\":57.7089,\"lng\":11.9746,\"address\":\"Drottningtorget\"},"               \
    "{\"lat\":57.6969,\"lng\":11.9865}]"
#define VAN_QUOTE TWO_STOPS ",\"vehicle\":\"van\"}"

struct town {
    const char *note; /* the last for the audit log; "": none yet */
    struct house *h;
    struct fake_router router;
    struct fake_fleet fleet;
    struct booking_options options;
    struct booking_service *service;
    struct identity customer, other, driver, driver2, staff;
    struct json_parser *parser;
    const char *booking; /* id of the last one */
    const char *token;
    int64_t free_in_s; /* who is claimed has another to finish first; 0: he has not */
};

static inline void take_note(void *consumer, struct bus_delivery *d) {
    struct town *t = consumer;
    t->note = arena_cstr(&t->h->arena, d->event->data);
    d->done(d, 0);
}

static inline void open_town(struct town *t) {
    static const char *const types[] = {EV_AUDIT_RECORDED, NULL};
    assert_int_equal(t->h->bus->ops->subscribe(t->h->bus, "audit", types, take_note, t), 0);
    t->note = "";
    t->service = booking_service_new(&t->options);
    house_open(t->h, (struct service[]){booking_service(t->service)}, 1);
    booking_service_executor(t->service, t->h->executor);
}

/* The process again, after a crash, with a bound on open bookings; 0: the default. */
static inline void town_reopen(struct town *t, int32_t open_bookings_max) {
    house_crash(t->h);
    booking_service_free(t->service);
    t->options.open_bookings_max = open_bookings_max;
    open_town(t);
}

static inline struct town *town_new(uint64_t seed) {
    struct town *t = calloc(1, sizeof(*t));
    t->h = house_new(seed);
    t->router.router.ops = &fake_router_ops;
    t->fleet.fleet.ops = &fake_fleet_ops;
    t->fleet.position = (struct fleet_position){point_of(57.7, 11.96), 90, 1200, t->h->now_us};
    t->options = (struct booking_options){
        .router = &t->router.router, .fleet = &t->fleet.fleet, .entropy = &t->h->entropy};
    open_town(t);
    t->customer = house_who(t->h, ROLE_CUSTOMER, NULL);
    t->other = house_who(t->h, ROLE_CUSTOMER, NULL);
    t->driver = house_who(t->h, ROLE_DRIVER, NULL);
    t->driver2 = house_who(t->h, ROLE_DRIVER, NULL);
    t->staff = house_who(t->h, ROLE_DISPATCHER, NULL);
    t->parser = json_parser_new();
    return t;
}

static inline void town_free(struct town *t) {
    json_parser_free(t->parser);
    house_free(t->h);
    booking_service_free(t->service);
    free(t);
}

static inline struct house_answer ask(struct town *t, struct identity who, const char *method,
                                      const char *path, const char *body) {
    return house_call(
        t->h, &(struct house_request){.method = method, .path = path, .body = body, .who = who});
}

static inline const char *format(struct town *t, const char *f, ...)
    __attribute__((format(printf, 2, 3)));
static inline const char *format(struct town *t, const char *f, ...) {
    va_list args;
    va_start(args, f);
    struct str s = arena_vprintf(&t->h->arena, f, args);
    va_end(args);
    return s.p;
}

static inline struct house_answer act(struct town *t, struct identity who, const char *action,
                                      const char *body) {
    return ask(t, who, "POST", format(t, "/v1/bookings/%s/%s", t->booking, action), body);
}

static inline bool has(struct house_answer a, const char *text) {
    return a.body.p != NULL && memmem(a.body.p, a.body.len, text, strlen(text)) != NULL;
}

/* The value of the string member KEY that comes first in the answer. */
static inline const char *member(struct town *t, struct house_answer a, const char *key) {
    const char *mark = format(t, "\"%s\":\"", key);
    const char *at = memmem(a.body.p, a.body.len, mark, strlen(mark));
    assert_non_null(at);
    at += strlen(mark);
    const char *end = memchr(at, '"', a.body.len - (size_t)(at - a.body.p));
    return format(t, "%.*s", (int)(end - at), at);
}

/* The same, of the last one. */
static inline const char *last_member(struct town *t, struct house_answer a, const char *key) {
    const char *mark = format(t, "\"%s\":\"", key), *last = NULL;
    struct house_answer rest = a;
    for (const char *at; (at = memmem(rest.body.p, rest.body.len, mark, strlen(mark))) != NULL;) {
        last = member(t, rest, key);
        rest.body = str_sub(rest.body, (size_t)(at - rest.body.p) + 1, rest.body.len);
    }
    assert_non_null(last);
    return last;
}

static inline const char *header_of(struct town *t, struct house_answer a, const char *name) {
    for (int32_t i = 0; i < a.response.header_count; i++) {
        if (str_is(a.response.headers[i].name, name))
            return format(t, "%.*s", STR_ARG(a.response.headers[i].value));
    }
    return "";
}

static inline struct house_answer book(struct town *t, struct identity who) {
    struct house_answer q = ask(t, who, "POST", "/v1/quotes", VAN_QUOTE);
    assert_int_equal(q.status, 201);
    struct house_answer b =
        ask(t, who, "POST", "/v1/bookings",
            format(t,
                   "{\"quote_id\":\"%s\",\"notes\":\"ring twice\",\"stops\":[{\"contact\":"
                   "{\"name\":\"Bo\",\"phone\":\"+46701234567\"}}]}",
                   member(t, q, "id")));
    assert_int_equal(b.status, 201);
    t->booking = member(t, b, "id");
    t->token = member(t, b, "tracking_token");
    return b;
}

static inline void confirmed(void *publisher, int64_t seq, int result) {
    (void)publisher;
    (void)seq;
    assert_int_equal(result, 0);
}

/* The driver service says something of WHO's claim. */
static inline void say(struct town *t, const char *type, struct identity who, const char *offer_id,
                       bool manual) {
    struct arena *a = &t->h->arena;
    struct ev_claim claim = {.booking_id = str_from(t->booking),
                             .offer_id = str_from(offer_id),
                             .driver_id = id_with_prefix(a, who.user_id, "drv"),
                             .driver_user_id = who.user_id,
                             .driver_name = STR("Ola Berg"),
                             .driver_phone = STR("+46701112233"),
                             .plate = STR("ABC123"),
                             .vehicle = VEHICLE_VAN,
                             .rating = NAN,
                             .pickup_distance_m = 830,
                             .pickup_eta_s = 150,
                             .manual = manual,
                             .reason = manual ? STR("off duty") : STR_NONE,
                             .stop_count = I64_ABSENT,
                             .earning = I64_ABSENT};
    if (t->free_in_s > 0) {
        claim.after = house_id(t->h, "bkg");
        claim.free_at_us = t->h->now_us + t->free_in_s * US_PER_S;
        claim.pickup_eta_s += t->free_in_s;
    }
    struct event e = {.id = house_id(t->h, "evt"),
                      .type = str_from(type),
                      .key = claim.booking_id,
                      .at_us = t->h->now_us,
                      .data = schema_text(&ev_claim_schema, &claim, S_STORE, a)};
    assert_int_equal(t->h->bus->ops->publish(t->h->bus, &e, confirmed, NULL), 0);
    house_settle(t->h);
}

static inline const char *offer(struct town *t, struct identity who) {
    const char *id = house_id(t->h, "ofr").p;
    say(t, EV_DISPATCH_OFFERED, who, id, false);
    return id;
}

static inline void take(struct town *t, struct identity who) {
    const char *body = format(t, "{\"offer_id\":\"%s\"}", offer(t, who));
    assert_int_equal(act(t, who, "accept", body).status, 200);
}

static inline int status(struct town *t, const char *state, int stop) {
    return act(t, t->driver, "status", format(t, "{\"status\":\"%s\",\"stop\":%d}", state, stop))
        .status;
}

#endif
