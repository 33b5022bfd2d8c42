#include "services/driver/test_rig.h"

#include "adapters/inproc/inproc_bus.h"
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drive_straight(struct router *router, const struct point *from, int32_t count,
                           struct point to, enum vehicle vehicle, struct router_leg *ret_legs) {
    (void)vehicle;
    struct rig *r = (struct rig *)((char *)router - offsetof(struct rig, router));
    r->routed += count;
    for (int32_t i = 0; i < count; i++) {
        double m = geo_distance_m(from[i], to);
        ret_legs[i] = (struct router_leg){.distance_m = llround(m), .duration_s = llround(m / 10)};
    }
}
static void drive_line(struct router *router, const struct point *stops, int32_t stop_count,
                       enum vehicle vehicle, bool with_line, struct arena *a,
                       struct route *ret_route) {
    (void)vehicle;
    struct rig *r = (struct rig *)((char *)router - offsetof(struct rig, router));
    double m = 0;
    for (int32_t i = 1; i < stop_count; i++)
        m += geo_distance_m(stops[i - 1], stops[i]);
    *ret_route = (struct route){
        .distance_m = llround(m), .duration_s = llround(m / 10), .estimate = !r->roads};
    if (with_line) {
        ret_route->points = arena_copy(a, stops, sizeof(*stops) * (size_t)stop_count);
        ret_route->point_count = stop_count;
    }
}
static const struct router_ops router_ops = {.many_to_one = drive_straight, .route = drive_line};

static void hear(void *consumer, struct bus_delivery *d) {
    struct rig *r = consumer;
    CHECK(r->heard_count < HEARD_MAX);
    struct heard *h = &r->heard[r->heard_count++];
    h->type = arena_str(&r->arena, d->event->type);
    CHECK(schema_load(&ev_claim_schema, r->parser, d->event->data, &r->arena, &h->claim) == 0);
    if (str_starts(h->type, "tracking."))
        CHECK(schema_load(&ev_tracking_schema, r->parser, d->event->data, &r->arena,
                          &h->tracking) == 0);
    if (str_starts(h->type, "alert."))
        CHECK(schema_load(&ev_alert_schema, r->parser, d->event->data, &r->arena, &h->alert) == 0);
    d->done(d, 0);
}

static void attach(struct files *files, struct call *c, struct str subject,
                   struct file_claim *claims, int32_t count, files_then_fn then, void *arg) {
    struct rig *r = (struct rig *)((char *)files - offsetof(struct rig, files));
    CHECK(id_valid(subject, "drv") && count == 1);
    if (r->refuse_files) {
        struct field_errors errors = {0};
        field_errors_add(&errors, &c->arena, str_from(claims[0].pointer), "is no file of yours");
        call_invalid(c, &errors);
        return;
    }
    claims[0].type = FILE_JPEG;
    then(c, claims, count, arg);
}
static const struct files_ops files_ops = {.attach = attach};

static void hear_released(void *consumer, struct bus_delivery *d) {
    ((struct rig *)consumer)->released_count++;
    d->done(d, 0);
}

static void hear_notice(void *consumer, struct bus_delivery *d) {
    struct rig *r = consumer;
    CHECK(schema_load(&ev_notice_schema, r->parser, d->event->data, &r->arena, &r->notice) == 0);
    r->notice_count++;
    d->done(d, 0);
}

static void hear_audit(void *consumer, struct bus_delivery *d) {
    struct rig *r = consumer;
    CHECK(schema_load(&ev_audit_schema, r->parser, d->event->data, &r->arena, &r->audit) == 0);
    r->audit_count++;
    d->done(d, 0);
}

static void see(void *consumer, struct str topic, const void *data, size_t len) {
    struct rig *r = consumer;
    CHECK(str_is(topic, SIGNAL_POSITION) && len == sizeof(struct signal_position));
    if (r->signal_count < SIGNALS_MAX)
        memcpy(&r->signals[r->signal_count++], data, len);
}

static void see_eta(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct rig *r = consumer;
    CHECK(signal_eta_read(data, len, &r->eta));
    r->eta_count++;
}

static void open_house(struct rig *r) {
    static const char *const types[] = {EV_DISPATCH_CLAIM,
                                        EV_DISPATCH_OFFERED,
                                        EV_DISPATCH_REFUSED,
                                        EV_DRIVER_DROPPED,
                                        EV_DRIVER_CLAIM_STALE,
                                        EV_TRACKING_REACHED,
                                        EV_TRACKING_LEFT,
                                        EV_ALERT_RAISED,
                                        EV_ALERT_CLEARED,
                                        EV_DRIVER_NEXT_BEGUN,
                                        NULL};
    struct house *h = r->house;
    static const char *const notices[] = {EV_DRIVER_NOTICE, NULL};
    static const char *const released[] = {EV_FILE_RELEASED, NULL};
    static const char *const audits[] = {EV_AUDIT_RECORDED, NULL};
    CHECK(h->bus->ops->subscribe(h->bus, "released", released, hear_released, r) == 0);
    CHECK(h->bus->ops->subscribe(h->bus, "audits", audits, hear_audit, r) == 0);
    CHECK(h->bus->ops->subscribe(h->bus, "ears", types, hear, r) == 0);
    CHECK(h->bus->ops->subscribe(h->bus, "notices", notices, hear_notice, r) == 0);
    CHECK(h->bus->ops->listen(h->bus, SIGNAL_POSITION, see, r) == 0);
    CHECK(h->bus->ops->listen(h->bus, SIGNAL_ETA, see_eta, r) == 0);
    r->options.clock = &h->clock;
    r->options.entropy = &h->entropy;
    r->options.bus = h->bus;
    r->options.cache = h->cache;
    r->options.router = &r->router;
    r->files.ops = &files_ops;
    r->options.files = &r->files;
    r->service = driver_service_new(&r->options);
    struct service service = driver_service(r->service);
    house_open(h, &service, 1);
    driver_service_executor(r->service, h->executor);
}

struct rig *rig_new(uint64_t seed) {
    struct rig *r = xcalloc(1, sizeof(*r));
    r->house = house_new(seed);
    r->router.ops = &router_ops;
    r->parser = json_parser_new();
    arena_init(&r->arena, 65536);
    open_house(r);
    return r;
}

void rig_reopen(struct rig *r) {
    house_crash(r->house);
    driver_service_free(r->service);
    open_house(r);
}

void rig_free(struct rig *r) {
    house_free(r->house);
    driver_service_free(r->service);
    json_parser_free(r->parser);
    arena_free(&r->arena);
    free(r);
}

struct house_answer rig_call(struct rig *r, enum role role, const char *user, const char *method,
                             const char *path, const char *body) {
    return house_call(r->house, &(struct house_request){.method = method,
                                                        .path = path,
                                                        .body = body,
                                                        .who = house_who(r->house, role, user)});
}

struct str rig_expect(struct rig *r, int want, enum role role, const char *user, const char *method,
                      const char *path, const char *body) {
    struct house_answer a = rig_call(r, role, user, method, path, body);
    if (a.status != want) {
        fprintf(stderr, "%s %s: %d instead of %d: %.*s\n", method, path, a.status, want,
                STR_ARG(a.body));
        abort();
    }
    return a.body;
}

const char *rig_driver_id(struct rig *r, const char *user) {
    return id_with_prefix(&r->arena, str_from(user), "drv").p;
}

void rig_fix(struct rig *r, const char *user, double lat, double lng) {
    char at[TIMESTAMP_TEXT_MAX], body[256];
    timestamp_format(r->house->now_us, at);
    snprintf(body, sizeof body, "{\"fixes\":[{\"at\":\"%s\",\"lat\":%.7f,\"lng\":%.7f}]}", at, lat,
             lng);
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/locations", body);
}

const char *rig_driver(struct rig *r, const char *class_name, double lat, double lng) {
    const char *user = house_id(r->house, "usr").p;
    char body[128], path[64];
    snprintf(body, sizeof body,
             "{\"vehicle\":{\"class\":\"%s\",\"plate\":\"ABC123\",\"capacity_kg\":800}}",
             class_name);
    rig_expect(r, 200, ROLE_DRIVER, user, "PUT", "/v1/driver", body);
    snprintf(path, sizeof path, "/v1/drivers/%s", rig_driver_id(r, user));
    rig_expect(r, 200, ROLE_ADMIN, NULL, "PATCH", path, "{\"status\":\"approved\"}");
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", "/v1/driver/duty", "{\"duty\":\"on\"}");
    rig_fix(r, user, lat, lng);
    return user;
}

static const void *stored(struct rig *r, const struct aggregate *g, struct str id) {
    void *state;
    int err = aggregate_get(g, r->house->worker.reader, r->parser, id, &r->arena, &state);
    CHECK(err == 0 || err == ERR_NOT_FOUND);
    return err == 0 ? state : NULL;
}

const struct driver *rig_stored(struct rig *r, const char *user) {
    return stored(r, &driver_aggregate, str_from(rig_driver_id(r, user)));
}

const struct search *rig_search(struct rig *r, const char *booking_id) {
    return stored(r, &search_aggregate, id_with_prefix(&r->arena, str_from(booking_id), "dsp"));
}

/* ---- what the others say ---- */

static void confirmed(void *publisher, int64_t seq, int result) {
    (void)publisher;
    (void)seq;
    CHECK(result == 0);
}

void rig_say(struct rig *r, const char *type, struct str key, const struct schema *schema,
             const void *data) {
    struct house *h = r->house;
    struct event e = {.id = house_id(h, "evt"),
                      .type = str_from(type),
                      .key = key,
                      .at_us = h->now_us,
                      .data = schema_text(schema, data, S_STORE, &r->arena)};
    CHECK(h->bus->ops->publish(h->bus, &e, confirmed, r) == 0);
    house_settle(h);
}

void rig_say_booking(struct rig *r, const char *type, const struct ev_booking *b) {
    rig_say(r, type, b->booking_id, &ev_booking_schema, b);
}

struct ev_booking rig_booking(struct rig *r, enum vehicle vehicle, double lat, double lng) {
    struct ev_booking b;
    schema_clear(&ev_booking_schema, &b);
    struct point from = point_of(lat, lng);
    b.booking_id = house_id(r->house, "bkg");
    b.version = 1;
    b.state = BOOKING_REQUESTED;
    b.customer_id = house_id(r->house, "usr");
    b.vehicle = (int32_t)vehicle;
    b.stops = arena_array(&r->arena, struct ev_point, 2);
    b.stop_count = 2;
    b.stops[0] = (struct ev_point){from.lat_e7, from.lng_e7, STR("Drottningtorget")};
    b.stops[1] = (struct ev_point){from.lat_e7 + 100000, from.lng_e7, STR_NONE};
    b.currency = STR("SEK");
    b.earning = 11900;
    b.search_until_us = r->house->now_us + 180 * US_PER_S;
    return b;
}

struct ev_booking rig_with_offer(struct rig *r, const struct ev_booking *b, struct str offer_id,
                                 struct str driver_id, const char *reason) {
    struct ev_booking with = *b;
    with.offer = arena_new(&r->arena, struct ev_offer);
    *with.offer = (struct ev_offer){.id = offer_id,
                                    .driver_id = driver_id,
                                    .driver_user_id = id_with_prefix(&r->arena, driver_id, "usr"),
                                    .pickup_distance_m = 830,
                                    .pickup_eta_s = 83,
                                    .reason = str_from(reason)};
    if (reason == NULL)
        with.offer->expires_at_us = r->house->now_us + 20 * US_PER_S;
    return with;
}

const struct ev_claim *rig_last(const struct rig *r, const char *type) {
    for (int32_t i = r->heard_count - 1; i >= 0; i--) {
        if (str_is(r->heard[i].type, type))
            return &r->heard[i].claim;
    }
    return NULL;
}

int32_t rig_count(const struct rig *r, const char *type) {
    int32_t n = 0;
    for (int32_t i = 0; i < r->heard_count; i++)
        n += str_is(r->heard[i].type, type);
    return n;
}

const struct heard *rig_last_heard(const struct rig *r, const char *type) {
    for (int32_t i = r->heard_count - 1; i >= 0; i--) {
        if (str_is(r->heard[i].type, type))
            return &r->heard[i];
    }
    return NULL;
}
