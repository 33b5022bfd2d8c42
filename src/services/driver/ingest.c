/* Positions from what people own, by the token of a device (devices.h):
 *
 *   GET, POST /v1/ingest/osmand?id=TOKEN&lat=…   Traccar Client, OsmAnd and units that speak it
 *   POST /v1/ingest/owntracks                    OwnTracks in its HTTP mode
 *   POST /v1/ingest/fixes                        our own batches, hours old if need be
 *
 * Each becomes a batch of fixes as a signed-in driver sends it (locations.c), with the same limits;
 * and like there the answer waits until they are durable, so whoever keeps what was not answered
 * loses nothing.
 *
 * Whoever tries tokens is told to wait, by his address: about what is in the logs, not about luck,
 * for a secret has 128 bits.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "services/driver/devices.h"
#include "services/driver/fix.h"
#include "services/driver/service_internal.h"

#include <math.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>

#define KNOTS_MPS 0.514444
#define KMH_MPS (1 / 3.6)
#define MS_FROM INT64_C(100000000000) /* a count of seconds that big is one of milliseconds */
#define FAILURES_MAX 60               /* of one address within: */
#define FAILURES_WINDOW_US (INT64_C(60) * US_PER_S)
#define BASIC_BYTES_MAX 512

/* ---- who it is ---- */

static struct str after_word(struct str value, const char *word) {
    size_t len = strlen(word);
    return value.len > len && str_eq_nocase(str_sub(value, 0, len), word)
               ? str_sub(value, len, value.len)
               : STR_NONE;
}

/* The password of "Authorization: Basic …": OwnTracks asks its owner for a user and a password. */
static struct str basic_password(struct call *c, struct str text) {
    char *plain = arena_bytes(&c->arena, BASIC_BYTES_MAX);
    size_t len = 0;
    if (text.p == NULL ||
        sodium_base642bin((unsigned char *)plain, BASIC_BYTES_MAX, text.p, text.len, " ", &len,
                          NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return STR_NONE;
    const char *colon = memchr(plain, ':', len);
    return colon != NULL ? (struct str){colon + 1, len - (size_t)(colon + 1 - plain)} : STR_NONE;
}

static struct str token_of(struct call *c) {
    struct str value = call_header(c, "authorization");
    struct str token = after_word(value, "bearer ");
    if (token.p == NULL)
        token = basic_password(c, after_word(value, "basic "));
    return token;
}

/* 401; or 429, when many of them came from this address lately. Whoever has a good token is let in
 * all the same: a depot's phones may share one address. */
static void refuse(struct call *c) {
    struct driver_service *s = c->service;
    int64_t failures = 0, until_us = 0;
    struct str key = arena_printf(&c->arena, "devices:%.*s", STR_ARG(c->request.peer));
    s->stats.strangers++;
    if (s->o.cache == NULL ||
        s->o.cache->ops->add(s->o.cache, key, 1, FAILURES_WINDOW_US, c->now_us, &failures,
                             &until_us) < 0 ||
        failures <= FAILURES_MAX) {
        call_problem(c, PROBLEM_UNAUTHENTICATED,
                     "the token is no device's, or its device was taken back");
        return;
    }
    int64_t wait_s = (until_us - c->now_us + US_PER_S - 1) / US_PER_S;
    call_too_many(c, STR("too many tokens that are nobody's came from this address"),
                  wait_s < 1 ? 1 : (int32_t)wait_s);
}

/* The user whose device it is; absent: replied. */
static struct str user_of(struct call *c, struct str token) {
    struct device *device = NULL;
    void *state = NULL;
    struct store *reader = c->worker->reader;
    int err = device_of_token(reader, c->worker->parser, token, &c->arena, &device);
    if (err == 0)
        err = aggregate_get(&driver_aggregate, reader, c->worker->parser, device->driver_id,
                            &c->arena, &state);
    if (err == ERR_NOT_FOUND && device != NULL)
        err = 0; /* he has not looked at his profile yet */
    const struct driver *driver = state;
    if (err == ERR_NOT_FOUND || (err == 0 && driver != NULL && driver->disabled)) {
        refuse(c);
        return STR_NONE;
    }
    if (err < 0) {
        call_error(c, err);
        return STR_NONE;
    }
    return id_with_prefix(&c->arena, device->driver_id, "usr");
}

/* ---- into the trail ---- */

/* FIXES ({"fixes":[…]}) for the owner of TOKEN; DONE answers. */
static void take(struct call *c, struct str token, struct str fixes, locations_done_fn done) {
    struct driver_service *s = c->service;
    struct field_errors errors = {0};
    struct json_value root;
    int32_t wait_s;
    struct str user_id = user_of(c, token);
    if (user_id.p == NULL)
        return;
    if (json_parse(c->worker->parser, fixes, &root) < 0) { /* cannot be: it has been parsed, or
                                                              was written here */
        call_error(c, ERR_IO);
        return;
    }
    s->stats.ingested++;
    int err = s->locations.ops->submit(&s->locations, user_id, root, c->now_us, &c->arena, &errors,
                                       done, c, &wait_s);
    if (err == ERR_INVALID)
        call_invalid(c, &errors);
    else if (err == ERR_LIMIT)
        call_too_many(c, STR("as many fixes as an hour may have are stored"), wait_s);
    else if (err < 0)
        call_problem(c, PROBLEM_OVERLOADED, "too many requests wait to be written");
}

/* One fix, as its client said it: negative: not known. */
struct report {
    int64_t at_us;
    double lat, lng, accuracy_m, speed_mps, bearing_deg;
};

static void write_known(struct jw *w, const char *key, double value, double max) {
    if (!(value >= 0))
        return;
    jw_key(w, key);
    jw_f64(w, value < max ? value : max);
}

static struct str report_json(struct arena *a, const struct report *r) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 256);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "fixes");
    jw_array(&w);
    jw_object(&w);
    jw_kv_time(&w, "at", r->at_us);
    jw_key(&w, "lat");
    jw_f64(&w, r->lat);
    jw_key(&w, "lng");
    jw_f64(&w, r->lng);
    write_known(&w, "accuracy_m", r->accuracy_m, FIX_ACCURACY_M_MAX);
    write_known(&w, "speed_mps", r->speed_mps, FIX_SPEED_MPS_MAX);
    write_known(&w, "bearing_deg", r->bearing_deg, 360);
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
    return buf_str(&out);
}

/* The one fix was stored, or had been before. False: replied, with FAULT if it was the fix's. */
static bool one_done(struct call *c, int err, const struct locations_result *r,
                     enum problem fault) {
    if (err == ERR_LIMIT)
        call_problem(c, PROBLEM_TOO_MANY_REQUESTS,
                     "there are too many fixes of this stretch of time already");
    else if (err < 0)
        call_error(c, err);
    else if (r->rejected.len > 2) /* more than [] */
        call_problem(c, fault, "the position is not valid: %.*s", STR_ARG(r->rejected));
    else
        return true;
    return false;
}

/* ---- OsmAnd's way ---- */

static void osmand_done(void *arg, int err, const struct locations_result *r) {
    struct call *c = arg;
    if (one_done(c, err, r, PROBLEM_BAD_PARAMETER))
        call_empty(c, 200);
}

/* Seconds or milliseconds since 1970, or RFC 3339. False: replied. */
static bool osmand_time(struct call *c, int64_t *at_us) {
    struct str text = call_query(c, "timestamp");
    int64_t count;
    if (text.p == NULL)
        return true;
    if (str_to_i64(text, &count) == 0 && count > 0 && count < MS_FROM * 1000) {
        *at_us = count < MS_FROM ? count * US_PER_S : count * US_PER_MS;
        return true;
    }
    if (timestamp_parse(text, at_us) == 0)
        return true;
    call_problem(c, PROBLEM_BAD_PARAMETER,
                 "timestamp must be seconds or milliseconds since 1970, or an RFC 3339 time");
    return false;
}

void ingest_osmand(struct call *c) {
    struct report r = {.at_us = c->now_us, .accuracy_m = -1, .speed_mps = -1, .bearing_deg = -1};
    struct str id = call_query(c, "id");
    double knots = -1;
    if (!call_query_f64(c, "lat", true, -90, 90, &r.lat) ||
        !call_query_f64(c, "lon", true, -180, 180, &r.lng) ||
        !call_query_f64(c, "accuracy", false, -1, 1e7, &r.accuracy_m) ||
        !call_query_f64(c, "speed", false, -1, 1e4, &knots) ||
        !call_query_f64(c, "bearing", false, -1, 360, &r.bearing_deg) || !osmand_time(c, &r.at_us))
        return;
    r.speed_mps = knots >= 0 ? knots * KNOTS_MPS : -1;
    take(c, id, report_json(&c->arena, &r), osmand_done);
}

/* ---- OwnTracks ---- */

/* OwnTracks wants a list of what friends and commands there are for it. */
static void owntracks_done(void *arg, int err, const struct locations_result *r) {
    struct call *c = arg;
    if (one_done(c, err, r, PROBLEM_INVALID_REQUEST))
        call_json(c, 200, STR("[]"));
}

struct owntracks_body {
    struct str type;
    int64_t at_s;
    double lat, lng, accuracy_m, speed_kmh, bearing_deg;
};
#define GIVEN(member) .flags = S_IN, .offset = offsetof(struct owntracks_body, member)

static const struct schema_field owntracks_fields[] = {
    {"_type", S_STR, .flags = S_IN | S_REQUIRED, .offset = offsetof(struct owntracks_body, type),
     .min = 1, .max = 40},
    {"tst", S_I64, GIVEN(at_s), .min = 1, .max = MS_FROM},
    {"lat", S_F64, GIVEN(lat), .min = -90, .max = 90},
    {"lon", S_F64, GIVEN(lng), .min = -180, .max = 180},
    {"acc", S_F64, GIVEN(accuracy_m), .min = -1, .max = 10000000},
    {"vel", S_F64, GIVEN(speed_kmh), .min = -1, .max = 10000},
    {"cog", S_F64, GIVEN(bearing_deg), .min = -1, .max = 360},
};
const struct schema owntracks_body_schema =
    SCHEMA(struct owntracks_body, "OwnTracksMessage", owntracks_fields);

void owntracks_check(struct call *c, const void *body, struct field_errors *errors) {
    const struct owntracks_body *b = body;
    struct json_value v;
    static const char *const needed[] = {"tst", "lat", "lon"};
    if (!str_is(b->type, "location"))
        return;
    for (size_t i = 0; i < COUNT_OF(needed); i++)
        if (!json_get(c->json, needed[i], &v) || json_kind(v) == JSON_IS_NULL)
            field_errors_add(errors, &c->arena, arena_printf(&c->arena, "/%s", needed[i]),
                             "is required");
}

/* What is no number when it is absent is a zero to the schema. */
static double known(struct call *c, const char *key, double value) {
    struct json_value v;
    return json_get(c->json, key, &v) && json_kind(v) != JSON_IS_NULL ? value : -1;
}

void ingest_owntracks(struct call *c) {
    const struct owntracks_body *b = c->body;
    struct str token = token_of(c);
    if (str_is(b->type, "location")) {
        double kmh = known(c, "vel", b->speed_kmh);
        struct report r = {.at_us = b->at_s * US_PER_S,
                           .lat = b->lat,
                           .lng = b->lng,
                           .accuracy_m = known(c, "acc", b->accuracy_m),
                           .speed_mps = kmh >= 0 ? kmh * KMH_MPS : -1,
                           .bearing_deg = known(c, "cog", b->bearing_deg)};
        take(c, token, report_json(&c->arena, &r), owntracks_done);
        return;
    }
    /* A waypoint, a status, a last will: nothing of it is kept, and it need not come again. */
    if (user_of(c, token).p != NULL)
        call_json(c, 200, STR("[]"));
}

/* ---- our own batches ---- */

void ingest_fixes(struct call *c) {
    take(c, token_of(c), c->request.body, locations_call_done);
}
