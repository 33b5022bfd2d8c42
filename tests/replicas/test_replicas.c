/* Two replicas of the whole platform on one store: what one has written the other must know, show
 * and go on with, whether it heard of it or had to read it. */
#include "adapters/crow/crow.h"
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "geo/geo.h"
#include "services/auth/auth_service.h"
#include "services/booking/booking_service.h"
#include "services/driver/driver_service.h"
#include "services/notification/notification_service.h"
#include "testing/house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { A, B, REPLICAS };
enum { AUTH = 1, BOOKING = 2, DRIVER = 4, NOTIFICATION = 8, ALL = 15 };

struct replica {
    struct house *house;
    struct hasher *hasher;
    struct router *router;
    struct auth_service *auth;
    struct booking_service *booking;
    struct driver_service *driver;
    struct notification_service *notification;
};
struct town {
    struct replica at[REPLICAS];
    struct arena arena;
};

/* ---- putting it up ---- */

static void on_placed(void *notification, const struct signal_position *said) {
    notification_service_position(notification, said);
}

static void make_services(struct replica *r) {
    struct house *h = r->house;
    r->hasher = hasher_instant_new();
    r->router = crow_new(NULL);
    struct auth_options auth = auth_options_default();
    auth.hasher = r->hasher;
    auth.cache = h->cache;
    auth.verifier = h->verifier;
    auth.entropy = &h->entropy;
    auth.bus = h->bus;
    auth.peers = h->peers;
    r->auth = auth_service_new(&auth);
    r->driver = driver_service_new(&(struct driver_options){.clock = &h->clock,
                                                            .entropy = &h->entropy,
                                                            .bus = h->bus,
                                                            .cache = h->cache,
                                                            .router = r->router,
                                                            .peers = h->peers,
                                                            .chain_eta_s = 900,
                                                            .approval_auto = true});
    r->booking = booking_service_new(&(struct booking_options){
        .router = r->router, .entropy = &h->entropy, .fleet = driver_service_fleet(r->driver)});
    r->notification = notification_service_new(
        &(struct notification_options){.clock = &h->clock,
                                       .bus = h->bus,
                                       .verifier = h->verifier,
                                       .locations = driver_service_locations(r->driver),
                                       .peers = h->peers,
                                       .workers_max = 1});
    driver_service_placed(r->driver, on_placed, r->notification);
}

static void open_replica(struct replica *r, unsigned active) {
    struct service services[] = {auth_service(r->auth), booking_service(r->booking),
                                 driver_service(r->driver), notification_service(r->notification)};
    for (unsigned i = 0; i < COUNT_OF(services); i++)
        services[i].passive = (active >> i & 1) == 0;
    house_open(r->house, services, (int32_t)COUNT_OF(services));
    driver_service_executor(r->driver, r->house->executor);
}

static struct town *town_new(unsigned active_a, unsigned active_b) {
    struct town *t = xcalloc(1, sizeof(*t));
    arena_init(&t->arena, 65536);
    t->at[A].house = house_new(7);
    t->at[B].house = house_beside(t->at[A].house, 8);
    for (int i = 0; i < REPLICAS; i++)
        make_services(&t->at[i]);
    open_replica(&t->at[A], active_a);
    open_replica(&t->at[B], active_b);
    house_advance(t->at[A].house, 2 * US_PER_S); /* each has heard the other */
    return t;
}

static void town_free(struct town *t) {
    house_free(t->at[A].house);
    for (int i = 0; i < REPLICAS; i++) {
        struct replica *r = &t->at[i];
        notification_service_free(r->notification);
        booking_service_free(r->booking);
        driver_service_free(r->driver);
        auth_service_free(r->auth);
        r->hasher->ops->close(r->hasher);
        r->router->ops->close(r->router);
    }
    arena_free(&t->arena);
    free(t);
}

static void advance(struct town *t, int64_t by_us) {
    house_advance(t->at[A].house, by_us);
}

/* ---- asking ---- */

static struct house_answer ask(struct town *t, int at, struct identity who, const char *method,
                               const char *path, const char *body) {
    return house_call(
        t->at[at].house,
        &(struct house_request){.method = method, .path = path, .body = body, .who = who});
}

static const char *expect(struct town *t, int at, int status, struct identity who,
                          const char *method, const char *path, const char *body) {
    struct house_answer a = ask(t, at, who, method, path, body);
    if (a.status != status)
        fail_msg("%s %s: %d instead of %d: %.*s", method, path, a.status, status, STR_ARG(a.body));
    return arena_cstr(&t->arena, a.body);
}

#define TEXT(t, ...) arena_printf(&(t)->arena, __VA_ARGS__).p

/* The string member NAME of JSON, the first there is. */
static const char *member(struct town *t, const char *json, const char *name) {
    const char *found = strstr(json, TEXT(t, "\"%s\":\"", name));
    if (found == NULL)
        fail_msg("no \"%s\" in %s", name, json);
    found += strlen(name) + 4;
    return arena_cstr(&t->arena, (struct str){found, strcspn(found, "\"")});
}

static struct identity person(struct town *t, enum role role) {
    struct identity who = house_who(t->at[A].house, role, NULL);
    who.user_id = arena_str(&t->arena, who.user_id);
    return who;
}

static const char *driver_id(struct town *t, struct identity who) {
    return id_with_prefix(&t->arena, who.user_id, "drv").p;
}

static void fix(struct town *t, int at, struct identity who, double lat) {
    char when[TIMESTAMP_TEXT_MAX];
    timestamp_format(t->at[at].house->now_us, when);
    expect(t, at, 200, who, "POST", "/v1/driver/locations",
           TEXT(t, "{\"fixes\":[{\"at\":\"%s\",\"lat\":%.7f,\"lng\":11.97}]}", when, lat));
}

static struct identity make_driver(struct town *t, int at, double lat) {
    struct identity who = person(t, ROLE_DRIVER);
    expect(t, at, 200, who, "PUT", "/v1/driver",
           "{\"vehicle\":{\"class\":\"van\",\"plate\":\"ABC123\",\"capacity_kg\":800}}");
    expect(t, at, 200, who, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    fix(t, at, who, lat);
    return who;
}

static const char *book(struct town *t, int at, struct identity who) {
    const char *quote =
        expect(t, at, 201, who, "POST", "/v1/quotes",
               "{\"stops\":[{\"lat\":57.70,\"lng\":11.97},{\"lat\":57.72,\"lng\":11.95}],"
               "\"vehicle\":\"van\"}");
    const char *contact = "{\"contact\":{\"name\":\"Bo\",\"phone\":\"+46701234567\"}}";
    const char *booking = expect(t, at, 201, who, "POST", "/v1/bookings",
                                 TEXT(t, "{\"quote_id\":\"%s\",\"stops\":[%s,%s]}",
                                      member(t, quote, "id"), contact, contact));
    return member(t, booking, "id");
}

/* Is the driver on the map at this latitude, as AT sees it? */
static bool on_map(struct town *t, int at, struct identity driver, double lat) {
    struct identity staff = person(t, ROLE_DISPATCHER);
    const char *fleet = expect(t, at, 200, staff, "GET", "/v1/fleet", NULL);
    const char *found = strstr(fleet, driver_id(t, driver));
    const char *place = found != NULL ? strstr(found, "\"lat\":") : NULL;
    return place != NULL && strtod(place + 6, NULL) == lat;
}

/* ---- the fleet ---- */

static void test_the_other_replica_knows_the_fleet(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity driver = make_driver(t, A, 57.70), customer = person(t, ROLE_CUSTOMER);
    assert_true(on_map(t, B, driver, 57.70));
    advance(t, US_PER_S);
    fix(t, A, driver, 57.71);
    assert_true(on_map(t, B, driver, 57.71));
    advance(t, US_PER_S);
    fix(t, B, driver, 57.72); /* his next request goes elsewhere */
    assert_true(on_map(t, A, driver, 57.72));
    /* What a customer sees of him is the same wherever he asks. */
    const char *near = "/v1/drivers/nearby?lat=57.7&lng=11.97";
    const char *one = member(t, expect(t, A, 200, customer, "GET", near, NULL), "ref");
    assert_string_equal(one, member(t, expect(t, B, 200, customer, "GET", near, NULL), "ref"));
    expect(t, B, 200, driver, "POST", "/v1/driver/duty", "{\"duty\":\"off\"}");
    assert_false(on_map(t, A, driver, 57.72));
    town_free(t);
}

/* His first fix is faster than the word that he has gone on duty, which another replica has. */
static void test_a_fix_before_the_duty(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity driver = make_driver(t, A, 57.70);
    expect(t, A, 200, driver, "POST", "/v1/driver/duty", "{\"duty\":\"off\"}");
    advance(t, US_PER_S);
    street_hold(t->at[A].house->street, true);
    expect(t, A, 200, driver, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    fix(t, B, driver, 57.71);
    street_hold(t->at[A].house->street, false);
    advance(t, 20 * US_PER_MS);
    assert_true(on_map(t, A, driver, 57.71));
    assert_true(on_map(t, B, driver, 57.71));
    town_free(t);
}

static void test_what_was_not_heard_is_read(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity stays = make_driver(t, A, 57.70), comes, goes = make_driver(t, A, 57.705);
    house_deafen(t->at[A].house, true);
    advance(t, US_PER_S);
    comes = make_driver(t, A, 57.71);
    expect(t, A, 200, goes, "POST", "/v1/driver/duty", "{\"duty\":\"off\"}");
    fix(t, A, stays, 57.73);
    assert_false(on_map(t, B, comes, 57.71));
    advance(t, 10 * US_PER_S); /* nobody is heard: all are read again */
    assert_true(on_map(t, B, comes, 57.71));
    assert_false(on_map(t, B, goes, 57.705));
    advance(t, 30 * US_PER_S);
    assert_true(on_map(t, B, stays, 57.73));
    /* A short gap, too, that nobody would notice by silence. */
    house_deafen(t->at[A].house, false);
    advance(t, 5 * US_PER_S);
    house_deafen(t->at[A].house, true);
    fix(t, A, stays, 57.74);
    expect(t, A, 200, comes, "POST", "/v1/driver/duty", "{\"duty\":\"off\"}");
    house_deafen(t->at[A].house, false);
    advance(t, 3 * US_PER_S);
    assert_true(on_map(t, B, stays, 57.74));
    assert_false(on_map(t, B, comes, 57.71));
    town_free(t);
}

/* The same fixes through both: none counts twice, and what is lost of the word between the two
 * does not change that. */
static void test_fixes_through_both(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity driver = make_driver(t, A, 57.70), staff = person(t, ROLE_DISPATCHER);
    for (int round = 0; round < 8; round++) {
        house_deafen(t->at[A].house, round % 2 == 1);
        advance(t, (round % 4 < 2 ? 12 : 3) * US_PER_S);
        char first[TIMESTAMP_TEXT_MAX], second[TIMESTAMP_TEXT_MAX], third[TIMESTAMP_TEXT_MAX];
        int64_t now_us = t->at[A].house->now_us;
        timestamp_format(now_us - 2 * US_PER_S, first);
        timestamp_format(now_us - US_PER_S, second);
        timestamp_format(now_us, third);
        const char *row = "{\"at\":\"%s\",\"lat\":57.7,\"lng\":11.97}";
        const char *one = TEXT(t, row, first), *two = TEXT(t, row, second);
        const char *three = TEXT(t, row, third);
        expect(t, round % 2, 200, driver, "POST", "/v1/driver/locations",
               TEXT(t, "{\"fixes\":[%s,%s]}", one, two));
        expect(t, 1 - round % 2, 200, driver, "POST", "/v1/driver/locations",
               TEXT(t, "{\"fixes\":[%s,%s]}", two, three));
    }
    const char *trail =
        expect(t, B, 200, staff, "GET",
               TEXT(t, "/v1/drivers/%s/trail?limit=200", driver_id(t, driver)), NULL);
    int fixes = 0;
    for (const char *at = strstr(trail, "\"at\":"); at != NULL; at = strstr(at + 1, "\"at\":"))
        fixes++;
    assert_int_equal(fixes, 1 + 8 * 3);
    town_free(t);
}

/* ---- bookings, from one end to the other ---- */

static void test_a_booking_through_both(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity customer = person(t, ROLE_CUSTOMER);
    static const char *const steps[] = {"arrived_pickup", "picked_up", "arrived_dropoff",
                                        "delivered"};
    struct identity driver = make_driver(t, A, 57.70);
    for (int round = 0; round < 12; round++) { /* enough that each has had every part of it */
        int at = round % 2;
        fix(t, at, driver, 57.70);
        const char *id = book(t, at, customer);
        advance(t, US_PER_S);
        const char *offers = expect(t, 1 - at, 200, driver, "GET", "/v1/driver/offers", NULL);
        assert_string_equal(member(t, offers, "booking_id"), id);
        expect(t, 1 - at, 200, driver, "POST", TEXT(t, "/v1/bookings/%s/accept", id),
               TEXT(t, "{\"offer_id\":\"%s\"}", member(t, offers, "id")));
        for (int i = 0; i < 4; i++) {
            advance(t, US_PER_S);
            expect(t, (at + i) % 2, 200, driver, "POST", TEXT(t, "/v1/bookings/%s/status", id),
                   TEXT(t, "{\"status\":\"%s\",\"stop\":%d}", steps[i], i / 2));
        }
        advance(t, US_PER_S);
    }
    const char *profile = expect(t, B, 200, driver, "GET", "/v1/driver", NULL);
    assert_non_null(strstr(profile, "\"delivered\":12"));
    assert_non_null(strstr(profile, "\"declined\":0,\"timed_out\":0"));
    town_free(t);
}

/* Whichever replica follows a driver's way, the other knows that he is about to finish, and where:
 * he is asked for what comes next, and goes on with it. */
static void test_what_comes_next(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity customer = person(t, ROLE_CUSTOMER), driver = make_driver(t, A, 57.70);
    static const char *const steps[] = {"arrived_pickup", "picked_up", "arrived_dropoff",
                                        "delivered"};
    const char *id = book(t, A, customer), *next = NULL;
    for (int round = 0; round < 8; round++) {
        int at = round % 2;
        advance(t, US_PER_S);
        if (round == 0) {
            const char *offers = expect(t, B, 200, driver, "GET", "/v1/driver/offers", NULL);
            expect(t, A, 200, driver, "POST", TEXT(t, "/v1/bookings/%s/accept", id),
                   TEXT(t, "{\"offer_id\":\"%s\"}", member(t, offers, "id")));
        }
        for (int i = 0; i < 4; i++) {
            if (i == 2) {
                fix(t, 1 - at, driver, 57.72);
                advance(t, 15 * US_PER_S); /* it is known where he will be, and when */
                next = book(t, at, customer);
                advance(t, 5 * US_PER_S); /* the circle grows */
                const char *offers =
                    expect(t, 1 - at, 200, driver, "GET", "/v1/driver/offers", NULL);
                assert_string_equal(member(t, offers, "booking_id"), next);
                assert_non_null(strstr(offers, "\"free_at\":\""));
                const char *his =
                    expect(t, at, 200, driver, "POST", TEXT(t, "/v1/bookings/%s/accept", next),
                           TEXT(t, "{\"offer_id\":\"%s\"}", member(t, offers, "id")));
                assert_non_null(strstr(his, "\"free_at\":\""));
                expect(t, at, 409, driver, "POST", TEXT(t, "/v1/bookings/%s/status", next),
                       "{\"status\":\"arrived_pickup\",\"stop\":0}");
            }
            advance(t, US_PER_S);
            expect(t, (at + i) % 2, 200, driver, "POST", TEXT(t, "/v1/bookings/%s/status", id),
                   TEXT(t, "{\"status\":\"%s\",\"stop\":%d}", steps[i], i / 2));
        }
        id = next;
        advance(t, US_PER_S);
        const char *now = expect(t, at, 200, customer, "GET", TEXT(t, "/v1/bookings/%s", id), NULL);
        assert_null(strstr(now, "\"free_at\""));
    }
    town_free(t);
}

/* A dispatcher's answer waits in one replica for what is decided in whichever has the events. */
static void test_a_reply_is_woken_from_the_other(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity staff = person(t, ROLE_DISPATCHER);
    struct house *h = t->at[A].house;
    for (int round = 0; round < 8; round++) {
        const char *id = book(t, A, person(t, ROLE_CUSTOMER)); /* nobody near: it stays open */
        struct identity driver = make_driver(t, B, 57.0);
        int64_t before_us = h->now_us;
        const char *answer = expect(t, A, 200, staff, "POST", TEXT(t, "/v1/bookings/%s/assign", id),
                                    TEXT(t, "{\"driver_id\":\"%s\"}", driver_id(t, driver)));
        assert_string_equal(member(t, answer, "state"), "assigned");
        assert_int_equal(h->now_us, before_us);
        /* and he cannot have another one */
        const char *other = book(t, A, person(t, ROLE_CUSTOMER));
        expect(t, A, 409, staff, "POST", TEXT(t, "/v1/bookings/%s/assign", other),
               TEXT(t, "{\"driver_id\":\"%s\"}", driver_id(t, driver)));
        assert_int_equal(h->now_us, before_us);
    }
    town_free(t);
}

/* What no replica would say is no answer. */
static void test_a_wake_that_is_none(void **state) {
    (void)state;
    static const struct store_collection bookings = {.name = "bookings"};
    struct town *t = town_new(ALL, ALL);
    struct house *h = t->at[A].house;
    const char *id = book(t, A, person(t, ROLE_CUSTOMER));
    struct identity driver = make_driver(t, B, 57.0);
    struct house_answer answer = {0};
    house_begin(
        h,
        &(struct house_request){.method = "POST",
                                .path = TEXT(t, "/v1/bookings/%s/assign", id),
                                .body = TEXT(t, "{\"driver_id\":\"%s\"}", driver_id(t, driver)),
                                .who = person(t, ROLE_DISPATCHER)},
        &answer);
    executor_turn(h->executor, 0);
    struct executor_stats stats;
    executor_stats(h->executor, &stats);
    assert_int_equal(stats.parked, 1);
    struct store *reader = memory_disk_join(h->disk, false, 9, NULL);
    struct store_doc doc;
    assert_int_equal(reader->ops->get(reader, &bookings, str_from(id), &t->arena, &doc), 0);
    reader->ops->close(reader);
    const char *offer = strstr(doc.state.p, "ofr_");
    assert_non_null(offer);
    struct {
        int32_t status;
        uint32_t key_len, etag_len, body_len;
        char key[30];
    } said = {.key_len = sizeof said.key};
    memcpy(said.key, offer, sizeof said.key);
    static const int32_t none[] = {0, -1, 199, 600};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        said.status = none[i];
        h->bus->ops->signal(h->bus, "wake", &said,
                            offsetof(__typeof__(said), key) + sizeof said.key);
        executor_stats(h->executor, &stats);
        assert_int_equal(stats.parked, 1);
    }
    house_settle(h);
    assert_int_equal(answer.status, 200);
    town_free(t);
}

/* The answer to the first one was lost: what is said to the same key again is what has come of it,
 * not that it is not known yet. */
static void test_an_assignment_asked_for_again(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity staff = person(t, ROLE_DISPATCHER), driver = make_driver(t, B, 57.0);
    const char *id = book(t, A, person(t, ROLE_CUSTOMER));
    const char *path = TEXT(t, "/v1/bookings/%s/assign", id);
    const char *him = TEXT(t, "{\"driver_id\":\"%s\"}", driver_id(t, driver));
    struct house_request r = {.method = "POST",
                              .path = path,
                              .body = him,
                              .who = staff,
                              .headers = {{STR("idempotency-key"), STR("k1")}}};
    for (int i = 0; i < 4; i++) {
        struct house_answer a = house_call(t->at[i % 2].house, &r);
        assert_int_equal(a.status, 200);
        assert_non_null(
            strstr(arena_cstr(&t->arena, a.body), "\"state\":\"assigned\",\"customer_id\""));
        advance(t, US_PER_S);
    }
    r.body = TEXT(t, "{\"driver_id\":\"%s\"}", driver_id(t, make_driver(t, A, 57.0)));
    assert_int_equal(house_call(t->at[A].house, &r).status, 422);
    /* Of another booking he has no time: that is said again, too. */
    r.path = TEXT(t, "/v1/bookings/%s/assign", book(t, A, person(t, ROLE_CUSTOMER)));
    r.body = him;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(house_call(t->at[i % 2].house, &r).status, 409);
        advance(t, US_PER_S);
    }
    town_free(t);
}

static void test_services_apart(void **state) {
    (void)state;
    struct town *t = town_new(AUTH | BOOKING, DRIVER | NOTIFICATION);
    struct identity driver = make_driver(t, B, 57.70), customer = person(t, ROLE_CUSTOMER);
    expect(t, A, 404, driver, "GET", "/v1/driver", NULL);
    expect(t, B, 404, customer, "GET", "/v1/bookings", NULL);
    const char *quote =
        expect(t, A, 201, customer, "POST", "/v1/quotes",
               "{\"stops\":[{\"lat\":57.70,\"lng\":11.97},{\"lat\":57.72,\"lng\":11.95}],"
               "\"vehicle\":\"van\"}");
    assert_null(strstr(quote, "\"pickup_eta_s\":null")); /* the fleet is known there, too */
    const char *id = book(t, A, customer);
    advance(t, US_PER_S);
    const char *offers = expect(t, B, 200, driver, "GET", "/v1/driver/offers", NULL);
    assert_string_equal(member(t, offers, "booking_id"), id);
    expect(t, A, 200, driver, "POST", TEXT(t, "/v1/bookings/%s/accept", id),
           TEXT(t, "{\"offer_id\":\"%s\"}", member(t, offers, "id")));
    advance(t, US_PER_S);
    const char *booking = expect(t, A, 200, customer, "GET", TEXT(t, "/v1/bookings/%s", id), NULL);
    const char *tracked =
        expect(t, A, 200, (struct identity){0}, "GET",
               TEXT(t, "/v1/track/%s", member(t, booking, "tracking_token")), NULL);
    assert_non_null(strstr(tracked, "\"position\":{\"lat\":57.7"));
    town_free(t);
}

/* ---- inboxes and sockets ---- */

struct watcher {
    struct house_socket *socket;
    int read;
    int64_t seq;
    int entries, positions;
};

/* AFTER: the last number that he has; -1: whatever there is. */
static struct watcher resume(struct town *t, int at, struct identity who, int64_t after) {
    struct house_answer answer;
    struct watcher w = {0};
    w.socket = house_socket_open(
        t->at[at].house, &(struct house_request){.method = "GET", .path = "/v1/ws", .who = who},
        &answer);
    assert_non_null(w.socket);
    const char *ready = arena_cstr(&t->arena, w.socket->frames[0]);
    assert_int_equal(sscanf(ready, "{\"type\":\"ready\",\"seq\":%ld}", &w.seq), 1);
    w.read = 1;
    w.seq = after >= 0 ? after : w.seq;
    house_socket_text(w.socket, TEXT(t, "{\"type\":\"resume\",\"after\":%ld}", w.seq));
    return w;
}

static struct watcher watch(struct town *t, int at, struct identity who) {
    return resume(t, at, who, -1);
}

/* Reads what has come: entries in order, none missing, none twice. */
static void read_frames(struct town *t, struct watcher *w) {
    for (; w->read < w->socket->frame_count; w->read++) {
        const char *frame = arena_cstr(&t->arena, w->socket->frames[w->read]);
        const char *seq = strstr(frame, "\"seq\":");
        w->positions += strstr(frame, "\"type\":\"position\"") != NULL;
        if (strstr(frame, "\"type\":\"booking.") == NULL)
            continue;
        assert_non_null(seq);
        assert_int_equal(strtol(seq + 6, NULL, 10), w->seq + 1);
        w->seq++;
        w->entries++;
    }
}

static void test_sockets_of_both_hear_everything(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity staff = person(t, ROLE_DISPATCHER), customer = person(t, ROLE_CUSTOMER);
    struct watcher watchers[] = {watch(t, A, staff), watch(t, B, staff), watch(t, A, customer),
                                 watch(t, B, customer), watch(t, B, customer)};
    int staff_entries = 0;
    for (int round = 0; round < 30; round++) {
        house_deafen(t->at[A].house, round >= 10 && round < 20);
        const char *id = book(t, round % 2, round % 3 == 0 ? customer : person(t, ROLE_CUSTOMER));
        expect(t, (round / 2) % 2, 200, staff, "POST", TEXT(t, "/v1/bookings/%s/cancel", id), NULL);
        if (round % 5 == 0)
            advance(t, US_PER_S);
    }
    house_deafen(t->at[A].house, false);
    advance(t, 10 * US_PER_S);
    for (size_t i = 0; i < COUNT_OF(watchers); i++) {
        read_frames(t, &watchers[i]);
        staff_entries += i < 2 ? watchers[i].entries : 0;
        assert_int_equal(watchers[i].entries, i < 2 ? 60 : 20);
        house_socket_leave(watchers[i].socket);
    }
    assert_int_equal(staff_entries, 120);
    town_free(t);
}

static void test_entries_come_while_nobody_is_heard(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity customer = person(t, ROLE_CUSTOMER);
    struct watcher a = watch(t, A, customer), b = watch(t, B, customer);
    house_deafen(t->at[A].house, true);
    for (int i = 0; i < 6; i++)
        book(t, i % 2, customer);
    for (int i = 0; i < 80; i++) /* as often as a network thread ticks */
        advance(t, 100 * US_PER_MS);
    read_frames(t, &a);
    read_frames(t, &b);
    assert_int_equal(a.entries, 6);
    assert_int_equal(b.entries, 6);
    house_socket_leave(a.socket);
    house_socket_leave(b.socket);
    town_free(t);
}

static void test_a_socket_goes_on_at_the_other(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity customer = person(t, ROLE_CUSTOMER);
    struct watcher w = watch(t, A, customer);
    book(t, A, customer);
    read_frames(t, &w);
    assert_int_equal(w.entries, 1);
    house_socket_leave(w.socket);
    for (int i = 0; i < 4; i++)
        book(t, i % 2, customer);
    struct watcher again = resume(t, B, customer, w.seq);
    read_frames(t, &again);
    assert_int_equal(again.entries, 4);
    house_socket_leave(again.socket);
    town_free(t);
}

static void write_entry(struct town *t, struct store *writer, struct identity who, int64_t seq) {
    static const struct store_collection inbox = {.name = "inbox"};
    char when[TIMESTAMP_TEXT_MAX];
    timestamp_format(t->at[A].house->now_us, when);
    struct store_change change = {
        .collection = &inbox,
        .id = arena_printf(&t->arena, "%.*s:%012ld", STR_ARG(who.user_id), seq),
        .state = arena_printf(&t->arena,
                              "{\"stream\":\"%.*s\",\"seq\":%ld,\"type\":\"booking.updated\","
                              "\"at\":\"%s\",\"data\":{}}",
                              STR_ARG(who.user_id), seq, when),
        .commit_id = STR("cmt")};
    assert_int_equal(writer->ops->commit(writer, &change, 1, NULL, 0), 0);
    assert_int_equal(change.result, 0);
}

/* On some stores a number can be seen before a lower one is, that another replica is still writing.
 * It must not be passed over; one that was never used must be. */
static void test_a_gap_in_the_numbers(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity customer = person(t, ROLE_CUSTOMER);
    struct watcher w = watch(t, B, customer);
    struct store *writer = memory_disk_join(t->at[A].house->disk, true, 9, NULL);
    struct bus *bus = t->at[A].house->bus;
    struct {
        int64_t seq;
        char stream[32];
    } said = {.seq = 2};
    memcpy(said.stream, customer.user_id.p, customer.user_id.len);
    write_entry(t, writer, customer, 2);
    bus->ops->signal(bus, "entry", &said, sizeof said);
    advance(t, US_PER_S);
    read_frames(t, &w);
    assert_int_equal(w.entries, 0);
    write_entry(t, writer, customer, 1);
    advance(t, US_PER_S);
    read_frames(t, &w);
    assert_int_equal(w.entries, 2);
    write_entry(t, writer, customer, 4);
    said.seq = 4;
    bus->ops->signal(bus, "entry", &said, sizeof said);
    advance(t, US_PER_S);
    assert_int_equal(w.socket->frame_count, w.read);
    advance(t, 3 * US_PER_S);
    w.seq++;
    read_frames(t, &w);
    assert_int_equal(w.entries, 3);
    writer->ops->close(writer);
    house_socket_leave(w.socket);
    town_free(t);
}

/* Is there an entry of this number? */
static bool entry_there(struct town *t, struct store *reader, struct identity who, int64_t seq) {
    static const struct store_collection inbox = {.name = "inbox"};
    struct str id = arena_printf(&t->arena, "%.*s:%012ld", STR_ARG(who.user_id), seq);
    struct store_doc doc;
    int err = reader->ops->get(reader, &inbox, id, &t->arena, &doc);
    assert_true(err == 0 || err == ERR_NOT_FOUND);
    return err == 0;
}

/* A number that went unused, and word of a higher one that was missed, by silence or in a short
 * gap: once the others are heard again nobody writes what is below what everybody has read. */
static void test_an_unused_number_stays_unused(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity customer = person(t, ROLE_CUSTOMER);
    struct watcher w = watch(t, B, customer);
    struct store *writer = memory_disk_join(t->at[A].house->disk, true, 9, NULL);
    for (int silent = 0; silent < 2; silent++) {
        for (int i = 0; i < 8; i++) { /* enough that each has given numbers */
            book(t, i % 2, customer);
            advance(t, US_PER_S);
        }
        read_frames(t, &w);
        int64_t unused = w.seq + 1;
        house_deafen(t->at[A].house, true);
        write_entry(t, writer, customer, unused + 1);
        advance(t, silent ? 5 * US_PER_S : 100 * US_PER_MS);
        house_deafen(t->at[A].house, false);
        advance(t, 3 * US_PER_S);
        for (int i = 0; i < 8; i++) {
            book(t, i % 2, customer);
            advance(t, US_PER_S);
        }
        assert_false(entry_there(t, writer, customer, unused));
        assert_true(entry_there(t, writer, customer, unused + 9));
        w.seq++;
        read_frames(t, &w);
        assert_int_equal(w.seq, unused + 9);
    }
    writer->ops->close(writer);
    house_socket_leave(w.socket);
    town_free(t);
}

/* A driver's frames go in where his socket is, and the dispatcher sees him where his own is. */
static void test_positions_cross(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity driver = make_driver(t, A, 57.70), staff = person(t, ROLE_DISPATCHER);
    struct watcher sees = watch(t, B, staff), drives = watch(t, A, driver);
    house_socket_text(sees.socket, "{\"type\":\"watch\",\"bbox\":[11,57,13,58]}");
    char when[TIMESTAMP_TEXT_MAX];
    for (int i = 1; i <= 5; i++) {
        advance(t, US_PER_S);
        timestamp_format(t->at[A].house->now_us, when);
        house_socket_text(drives.socket,
                          TEXT(t,
                               "{\"type\":\"location\",\"id\":%d,\"fixes\":[{\"at\":\"%s\","
                               "\"lat\":57.7%d,\"lng\":11.97}]}",
                               i, when, i));
    }
    advance(t, US_PER_S);
    read_frames(t, &sees);
    assert_int_equal(sees.positions, 6); /* where he was, and five times more */
    house_socket_leave(sees.socket);
    house_socket_leave(drives.socket);
    town_free(t);
}

/* Another build, or whoever else may publish there: what can be no position is nobody's. */
static void test_positions_that_are_none(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity driver = make_driver(t, A, 57.70);
    struct bus *bus = t->at[A].house->bus;
    struct signal_position good = {.at = point_of(57.71, 11.97),
                                   .bearing_deg = 90,
                                   .speed_cmps = 800,
                                   .at_us = t->at[A].house->now_us + 1,
                                   .vehicle = VEHICLE_VAN};
    snprintf(good.driver_id, sizeof good.driver_id, "%s", driver_id(t, driver));
    struct signal_position bad[7];
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        bad[i] = good;
    bad[0].at.lat_e7 = 90 * E7 + 1;
    bad[1].at.lat_e7 = INT32_MIN;
    bad[2].at.lng_e7 = 180 * E7 + 1;
    bad[3].at.lng_e7 = INT32_MIN;
    bad[4].bearing_deg = 360;
    bad[5].speed_cmps = -2;
    bad[6].vehicle = VEHICLE_COUNT;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        bus->ops->signal(bus, SIGNAL_POSITION, &bad[i], sizeof bad[i]);
        advance(t, 100 * US_PER_MS);
        assert_true(on_map(t, A, driver, 57.70) && on_map(t, B, driver, 57.70));
    }
    bus->ops->signal(bus, SIGNAL_POSITION, &good, sizeof good);
    advance(t, 100 * US_PER_MS);
    assert_true(on_map(t, A, driver, 57.71) && on_map(t, B, driver, 57.71));
    town_free(t);
}

/* ---- tokens ---- */

static int with_token(struct town *t, int at, const char *token) {
    struct house_request r = {.method = "GET", .path = "/v1/bookings"};
    r.headers[0] =
        (struct header){STR("authorization"), arena_printf(&t->arena, "Bearer %s", token)};
    return house_call(t->at[at].house, &r).status;
}

static void test_tokens_are_known_and_forgotten_everywhere(void **state) {
    (void)state;
    struct town *t = town_new(ALL, ALL);
    struct identity nobody = {0};
    for (int deaf = 0; deaf < 2; deaf++) {
        house_deafen(t->at[A].house, deaf);
        const char *account =
            expect(t, A, 201, nobody, "POST", "/v1/auth/register",
                   TEXT(t,
                        "{\"email\":\"asha%d@example.com\",\"password\":\"correct horse 9\","
                        "\"name\":\"Asha\",\"phone\":\"+46701234567\",\"role\":\"customer\"}",
                        deaf));
        const char *token = member(t, account, "access_token");
        assert_int_equal(with_token(t, A, token), 200);
        assert_int_equal(with_token(t, B, token), 200); /* the keys were told, or are known */
        expect(t, A, 204, nobody, "POST", "/v1/auth/logout",
               TEXT(t, "{\"refresh_token\":\"%s\"}", member(t, account, "refresh_token")));
        assert_int_equal(with_token(t, A, token), 401);
        if (deaf)
            advance(t, 30 * US_PER_S);
        assert_int_equal(with_token(t, B, token), 401);
    }
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_other_replica_knows_the_fleet),
        cmocka_unit_test(test_a_fix_before_the_duty),
        cmocka_unit_test(test_what_was_not_heard_is_read),
        cmocka_unit_test(test_fixes_through_both),
        cmocka_unit_test(test_a_booking_through_both),
        cmocka_unit_test(test_what_comes_next),
        cmocka_unit_test(test_a_reply_is_woken_from_the_other),
        cmocka_unit_test(test_a_wake_that_is_none),
        cmocka_unit_test(test_an_assignment_asked_for_again),
        cmocka_unit_test(test_services_apart),
        cmocka_unit_test(test_sockets_of_both_hear_everything),
        cmocka_unit_test(test_entries_come_while_nobody_is_heard),
        cmocka_unit_test(test_a_socket_goes_on_at_the_other),
        cmocka_unit_test(test_a_gap_in_the_numbers),
        cmocka_unit_test(test_an_unused_number_stays_unused),
        cmocka_unit_test(test_positions_cross),
        cmocka_unit_test(test_positions_that_are_none),
        cmocka_unit_test(test_tokens_are_known_and_forgotten_everywhere),
    };
    return cmocka_run_group_tests_name("replicas", tests, NULL, NULL);
}
