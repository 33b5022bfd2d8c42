/* A driver: tells his vehicle, waits for approval, goes on duty, sends where he is, and answers
 * offers: takes them, declines, says nothing, or accepts too late. What he carries he brings, stop
 * by stop. He hears of offers over his socket, and asks now and then; what he is carrying he reads
 * from his profile, so that nothing is forgotten, however he came by it.
 */
#include "base/check.h"
#include "events/events.h"
#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

#define LOOK_US (9 * US_PER_S)
#define GPS_US (12 * US_PER_S)
#define STEP_MEAN_US (8.0 * US_PER_S)
#define LINGER_MEAN_US (55.0 * US_PER_S)

static struct arena *arena_of(struct driver_person *d) {
    return &d->p.sim->arena;
}

static void set_id(char out[ID_TEXT_MAX], struct str id) {
    snprintf(out, ID_TEXT_MAX, "%.*s", STR_ARG(id));
}

static void send(struct driver_person *d, enum sim_service service, const char *method,
                 struct str path, struct str body, bool keyed, sim_answer_fn then) {
    struct sim *sim = d->p.sim;
    struct sim_request r = {.service = service, .method = method, .path = path, .body = body};
    if (keyed)
        r.key = sim_new_key(sim);
    if (d->p.access.p != NULL && sim_chance(sim, 0.05))
        r.token = d->p.access;
    sim_slot_send(&d->p.slot, &r, then);
}

/* ---- carrying ---- */

static void carry(struct driver_person *d, struct json_value view);

static void on_booking(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 404, "a booking can be read",
               "%s: %s was answered with %d", p->user_id, d->booking_id, a->status);
    d->carrying = false;
    if (a->status == 200 && a->is_json)
        carry(d, a->json);
}

static void read_booking(struct driver_person *d) {
    send(d, SIM_BOOKING, "GET", arena_printf(arena_of(d), "/v1/bookings/%s", d->booking_id),
         STR_NONE, false, on_booking);
}

static void on_status(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409 || a->status == 404,
               "a driver's status is answered", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
    if (a->status == 200 && a->is_json)
        carry(d, a->json);
    else
        read_booking(d);
}

/* The word for the next step, and the stop it is about. NULL: there is none. */
static const char *next_step(struct json_value view, int64_t *ret_stop) {
    struct str state = sim_json_str(view, "state");
    struct json_value stops;
    *ret_stop = 0;
    if (str_is(state, "assigned"))
        return "arrived_pickup";
    if (str_is(state, "arrived_pickup"))
        return "picked_up";
    if (!json_get(view, "stops", &stops))
        return NULL;
    for (struct json_iter it = json_iter(stops); json_next(&it); (*ret_stop)++) {
        struct str stop = sim_json_str(it.value, "state");
        if (!str_is(stop, "done") && !str_is(stop, "failed"))
            break;
    }
    if (str_is(state, "picked_up"))
        return "arrived_dropoff";
    if (str_is(state, "returning"))
        return "arrived_return";
    if (str_is(state, "arrived_return"))
        return "returned";
    return str_is(state, "arrived_dropoff") ? "delivered" : NULL;
}

static void on_released(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409 || a->status == 404,
               "a driver may give a booking back", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
    d->carrying = false; /* what he has he reads from his profile */
}

/* ---- proof ---- */

/* A picture of one grey point. */
#define PICTURE                                                                                    \
    STR("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\1\0\0\0\1\x08\0\0\0\0\x3a\x7e\x9b\x55\0\0\0\x0aIDA" \
        "T"                                                                                        \
        "\x78\x9c\x63\x68\0\0\0\x82\0\x81\x77\xcd\x72\xb6\0\0\0\0IEND\xae\x42\x60\x82")

/* A proof may come too late (its picture has gone, the booking moved on), or the PIN be wrong. */
static void on_proof(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    SIM_EXPECT(p->sim,
               a->status == 200 || a->status == 404 || a->status == 409 || a->status == 422 ||
                   a->status == 429,
               "a proof is answered", "%s got %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    if (a->status == 200 && a->is_json)
        carry(d, a->json);
    else
        read_booking(d);
}

static void give(struct driver_person *d, const char *member, struct str value) {
    send(d, SIM_BOOKING, "POST", arena_printf(arena_of(d), "/v1/bookings/%s/proof", d->booking_id),
         arena_printf(arena_of(d), "{\"stop\":%lld,\"%s\":\"%.*s\"}", (long long)d->next_stop,
                      member, STR_ARG(value)),
         true, on_proof);
}

static void on_uploaded(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    SIM_EXPECT(p->sim, a->status == 201 && a->is_json, "a picture is kept", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
    if (a->status == 201 && a->is_json)
        give(d, str_is(d->missing, "photo") ? "photo_id" : "signature_id",
             sim_json_str(a->json, "id"));
}

static void prove(struct driver_person *d) {
    struct sim *sim = d->p.sim;
    if (str_is(d->missing, "pin")) {
        bool right = !sim_chance(sim, 0.1);
        struct str pin = right ? oracle_pin(sim, d->booking_id, d->next_stop) : STR("0000");
        give(d, "pin", pin);
    } else if (str_is(d->missing, "name")) {
        give(d, "name", STR("Bo Ek"));
    } else {
        struct sim_request r = {.service = SIM_BOOKING,
                                .method = "POST",
                                .path = STR("/v1/files"),
                                .body = PICTURE,
                                .type = "image/png",
                                .key = sim_new_key(sim)};
        sim_slot_send(&d->p.slot, &r, on_uploaded);
    }
}

/* The first thing that the stop still lacks; absent: nothing. */
static struct str missing_at(struct driver_person *d, struct json_value view, int64_t stop) {
    struct json_value stops, proof, missing;
    if (!json_get(view, "stops", &stops))
        return STR_NONE;
    struct json_iter it = json_iter(stops);
    for (int64_t i = 0; i <= stop; i++) {
        if (!json_next(&it))
            return STR_NONE;
    }
    if (!json_get(it.value, "proof", &proof) || !json_get(proof, "missing", &missing))
        return STR_NONE;
    struct json_iter first = json_iter(missing);
    return json_next(&first) ? arena_str(arena_of(d), json_text(first.value)) : STR_NONE;
}

/* ---- cash ---- */

static void on_collected(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 404 || a->status == 409 || a->status == 422,
               "cash is answered", "%s got %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    if (a->status == 200 && a->is_json)
        carry(d, a->json);
    else
        read_booking(d);
}

/* The whole, or less with a reason; now and then too much, or without a reason, which is refused.
 * What he has waited may have made it more than he was shown. */
static void say_cash(struct driver_person *d) {
    struct sim *sim = d->p.sim;
    int64_t amount = d->cash_due;
    if (sim_chance(sim, 0.3))
        amount = rng_between(&sim->rng, 0, 2 * amount);
    send(d, SIM_BOOKING, "POST",
         arena_printf(arena_of(d), "/v1/bookings/%s/collection", d->booking_id),
         arena_printf(arena_of(d), "{\"stop\":%lld,\"amount\":%lld%s}", (long long)d->next_stop,
                      (long long)amount,
                      sim_chance(sim, 0.6) ? ",\"reason\":\"he had no more\"" : ""),
         true, on_collected);
}

/* What is due at a stop where something is asked for: 0 once it was said, but for who counts again.
 */
static int64_t due_at(struct driver_person *d, struct json_value view, int64_t stop) {
    struct json_value stops, cash;
    if (!json_get(view, "stops", &stops))
        return 0;
    struct json_iter it = json_iter(stops);
    for (int64_t i = 0; i <= stop; i++) {
        if (!json_next(&it))
            return 0;
    }
    if (!json_get(it.value, "cash", &cash) || json_kind(cash) != JSON_IS_OBJECT)
        return 0;
    bool said = sim_json_i64(cash, "collected") != I64_ABSENT;
    bool needed = said ? sim_json_i64(cash, "collected") < sim_json_i64(cash, "due") &&
                             sim_json_str(cash, "reason").len == 0
                       : sim_json_i64(cash, "goods") > 0;
    return needed || sim_chance(d->p.sim, 0.1) ? sim_json_i64(cash, "due") : 0;
}

static void step_now(struct sim *sim, void *arg, uint64_t token) {
    struct driver_person *d = arg;
    if (d->p.step != token || !d->carrying)
        return;
    if (d->p.slot.busy) {
        sim_after(sim, US_PER_S, step_now, d, token);
        return;
    }
    if (!sim->calm && sim_chance(sim, sim->profile.release)) {
        send(d, SIM_BOOKING, "POST",
             arena_printf(arena_of(d), "/v1/bookings/%s/release", d->booking_id),
             STR("{\"reason\":\"a puncture\"}"), true, on_released);
        return;
    }
    if (d->missing.p != NULL && !sim_chance(sim, 0.1)) {
        prove(d);
        return;
    }
    if (d->cash_due > 0 && !sim_chance(sim, 0.1)) {
        say_cash(d);
        return;
    }
    send(d, SIM_BOOKING, "POST", arena_printf(arena_of(d), "/v1/bookings/%s/status", d->booking_id),
         d->next_status, true, on_status);
}

/* Now and then he fails, or is wrong: a step too far must be refused. */
static struct str say_status(struct driver_person *d, const char *status, int64_t stop,
                             int64_t version) {
    struct sim *sim = d->p.sim;
    bool pickup = strcmp(status, "picked_up") == 0, dropoff = strcmp(status, "delivered") == 0;
    if ((pickup && sim_chance(sim, 0.03)) || (dropoff && sim_chance(sim, sim->profile.fail)))
        return STR("{\"status\":\"failed\",\"reason\":\"nobody\"}");
    if (sim_chance(sim, 0.02))
        return STR("{\"status\":\"delivered\"}");
    if (sim_chance(sim, 0.3))
        return arena_printf(arena_of(d), "{\"status\":\"%s\",\"stop\":%lld,\"version\":%lld}",
                            status, (long long)stop, (long long)version);
    return arena_printf(arena_of(d), "{\"status\":\"%s\",\"stop\":%lld}", status, (long long)stop);
}

static int32_t degrees(struct json_value v, const char *key) {
    struct json_value member;
    double value = 0;
    if (json_get(v, key, &member))
        json_f64(member, &value);
    return (int32_t)(value * 1e7);
}

/* Where he is to go next: his positions will tell. */
static void head_for(struct driver_person *d, struct json_value view, int64_t stop) {
    struct json_value stops;
    if (!json_get(view, "stops", &stops))
        return;
    struct json_iter it = json_iter(stops);
    for (int64_t i = 0; i <= stop; i++) {
        if (!json_next(&it))
            return;
    }
    d->to_lat_e7 = degrees(it.value, "lat");
    d->to_lng_e7 = degrees(it.value, "lng");
}

/* Goes on with what he carries, if it is his. */
static void carry(struct driver_person *d, struct json_value view) {
    struct sim *sim = d->p.sim;
    struct json_value driver;
    int64_t stop = 0;
    bool mine = json_get(view, "driver", &driver) && json_kind(driver) == JSON_IS_OBJECT &&
                str_is(sim_json_str(driver, "id"), d->p.driver_id);
    /* What comes after what he has he does not begin, but for now and then: that is refused. */
    bool waits = mine && sim_json_str(driver, "free_at").p != NULL && !sim_chance(sim, 0.1);
    const char *status = mine && !waits ? next_step(view, &stop) : NULL;
    d->carrying = status != NULL;
    if (status == NULL)
        return;
    struct str id = sim_json_str(view, "id");
    if (!str_is(id, d->booking_id) || d->to_lat_e7 == 0)
        d->lingers = sim_chance(sim, sim->profile.linger);
    set_id(d->booking_id, id);
    head_for(d, view, stop);
    bool at_stop = strcmp(status, "picked_up") == 0 || strcmp(status, "delivered") == 0 ||
                   strcmp(status, "returned") == 0;
    d->next_stop = stop;
    bool ends = strcmp(status, "delivered") == 0 || strcmp(status, "returned") == 0;
    d->cash_due = ends ? due_at(d, view, stop) : 0;
    d->missing = at_stop ? missing_at(d, view, stop) : STR_NONE;
    d->next_status = say_status(d, status, stop, sim_json_i64(view, "version"));
    d->p.step++;
    double mean_us = d->lingers && !sim->calm ? LINGER_MEAN_US : STEP_MEAN_US;
    sim_after(sim, (int64_t)rng_exponential(&sim->rng, mean_us), step_now, d, d->p.step);
}

/* ---- offers ---- */

static void on_accepted(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409, "accepting is answered",
               "%s got %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    d->answering = false;
    if (a->status == 200 && a->is_json && !d->carrying) /* else it is for later */
        carry(d, a->json);
}

static void on_declined(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 204 || a->status == 409, "declining is answered",
               "%s got %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    ((struct driver_person *)p)->answering = false;
}

static void answer_offer(struct sim *sim, void *arg, uint64_t accept) {
    struct driver_person *d = arg;
    if (d->p.slot.busy) {
        sim_after(sim, 300 * US_PER_MS, answer_offer, d, accept);
        return;
    }
    struct str body = arena_printf(arena_of(d), "{\"offer_id\":\"%s\"}", d->offer_id);
    struct str path = arena_printf(arena_of(d), "/v1/bookings/%s/%s", d->offer_booking,
                                   accept ? "accept" : "decline");
    send(d, SIM_BOOKING, "POST", path, body, sim_chance(sim, 0.7),
         accept ? on_accepted : on_declined);
}

static void forget_offer(struct sim *sim, void *arg, uint64_t token) {
    (void)sim;
    (void)token;
    ((struct driver_person *)arg)->answering = false;
}

/* In how long the offer runs out by the booking service's clock, or a little before or after. */
static int64_t at_the_last_moment(struct sim *sim, struct json_value offer) {
    int64_t until_us = 0;
    timestamp_parse(sim_json_str(offer, "expires_at"), &until_us);
    int64_t in_us = until_us - sim_node_now(sim_node_of(sim, SIM_BOOKING)) +
                    rng_between(&sim->rng, -100, 300) * US_PER_MS;
    return in_us > 0 ? in_us : 0;
}

static void hear_offer(struct driver_person *d, struct json_value offer) {
    struct sim *sim = d->p.sim;
    const struct sim_profile *f = &sim->profile;
    struct str id = sim_json_str(offer, "id");
    bool next = sim_json_str(offer, "free_at").p != NULL;
    if (d->answering || (d->carrying && !next) || str_is(id, d->offer_id))
        return;
    set_id(d->offer_id, id);
    set_id(d->offer_booking, sim_json_str(offer, "booking_id"));
    d->answering = true;
    int64_t in_us = (int64_t)rng_exponential(&sim->rng, 2.0 * US_PER_S);
    if (sim_chance(sim, f->ignore))
        sim_after(sim, f->offer_timeout_s * US_PER_S, forget_offer, d, 0);
    else if (sim_chance(sim, f->late_accept))
        sim_after(sim, at_the_last_moment(sim, offer), answer_offer, d, 1);
    else
        sim_after(sim, in_us, answer_offer, d, !sim_chance(sim, f->decline));
}

static void on_entry(struct person *p, struct str type, struct json_value data) {
    struct driver_person *d = (struct driver_person *)p;
    if (str_is(type, "offer.made"))
        hear_offer(d, data);
    else if (str_is(type, "booking.updated") && !d->carrying && !d->answering && !p->slot.busy)
        carry(d, data);
}

/* ---- looking around ---- */

static void on_offers(struct person *p, const struct sim_answer *a) {
    struct json_value items;
    SIM_EXPECT(p->sim, a->status == 200 && a->is_json, "a driver sees his offers", "%d: %.*s",
               a->status, STR_ARG(a->body));
    if (!a->is_json || !json_get(a->json, "items", &items))
        return;
    SIM_EXPECT(p->sim, json_count(items) <= 1, "a driver holds one offer at most", "%s sees %zu",
               p->user_id, json_count(items));
    struct json_iter first = json_iter(items);
    if (json_next(&first))
        hear_offer((struct driver_person *)p, first.value);
}

/* ---- what he shows ---- */

static void on_sent(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 201, "a driver sends a document", "%s got %d: %.*s", p->user_id,
               a->status, STR_ARG(a->body));
}

/* One that expires soon, so that this is met; a good one if he is suspended, or all is calm. */
static void send_document(struct driver_person *d, bool good) {
    struct sim *sim = d->p.sim;
    char at[TIMESTAMP_TEXT_MAX];
    timestamp_format(sim->now_us + rng_between(&sim->rng, 40, 200) * US_PER_S, at);
    struct str file = id_new(arena_of(d), "fil", sim->now_us, &sim->rng);
    send(d, SIM_DRIVER, "POST", STR("/v1/driver/documents"),
         arena_printf(arena_of(d), "{\"kind\":\"insurance\",\"file_id\":\"%.*s\"%s%s%s}",
                      STR_ARG(file), good ? "" : ",\"expires_at\":\"", good ? "" : at,
                      good ? "" : "\""),
         true, on_sent);
}

/* ---- on duty ---- */

static void on_duty(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 403 || a->status == 409,
               "a change of duty is answered", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
}

static void set_duty(struct driver_person *d, bool on) {
    send(d, SIM_DRIVER, "POST", STR("/v1/driver/duty"),
         !on ? STR("{\"duty\":\"off\"}")
         : sim_chance(d->p.sim, d->p.sim->profile.auto_accept)
             ? STR("{\"duty\":\"on\",\"auto_accept\":true}")
             : STR("{\"duty\":\"on\"}"),
         true, on_duty);
}

/* What he was to do next. */
static void on_next_released(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409 || a->status == 404,
               "a driver may give back what comes next", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
}

static void release_next(struct driver_person *d, struct str id) {
    send(d, SIM_BOOKING, "POST",
         arena_printf(arena_of(d), "/v1/bookings/%.*s/release", STR_ARG(id)),
         STR("{\"reason\":\"too much for today\"}"), true, on_next_released);
}

static void on_profile(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    struct sim *sim = p->sim;
    SIM_EXPECT(sim, a->status == 200 && a->is_json, "a driver sees his profile", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
    if (!a->is_json)
        return;
    struct str booking_id = sim_json_str(a->json, "booking_id");
    struct str next_id = sim_json_str(a->json, "next_booking_id");
    bool off = str_is(sim_json_str(a->json, "duty"), "off");
    bool approved = str_is(sim_json_str(a->json, "status"), "approved");
    bool suspended = str_is(sim_json_str(a->json, "status"), "suspended");
    bool waits = sim_json_i64(a->json, "documents_waiting") > 0;
    if (booking_id.p != NULL && !d->carrying) {
        set_id(d->booking_id, booking_id);
        read_booking(d);
    } else if (suspended && !waits && sim_chance(sim, 0.5)) {
        send_document(d, true);
    } else if (off && approved) {
        set_duty(d, true);
    } else if (!off && !sim->calm && sim_chance(sim, sim->profile.off_duty)) {
        set_duty(d, false);
    } else if (next_id.p != NULL && !sim->calm && sim_chance(sim, sim->profile.release)) {
        release_next(d, next_id);
    } else if (!d->carrying || (sim->profile.chain_eta_s > 0 && sim_chance(sim, 0.5))) {
        send(d, SIM_DRIVER, "GET", STR("/v1/driver/offers"), STR_NONE, false, on_offers);
    }
}

/* ---- what reports for him ---- */

static void on_device(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    SIM_EXPECT(p->sim, a->status == 201 || a->status == 409, "a driver gives a device a token",
               "%s got %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    if (a->status != 201 || !a->is_json)
        return;
    d->device_token = arena_str(arena_of(d), sim_json_str(a->json, "token"));
    d->device_id = arena_str(arena_of(d), sim_json_str(a->json, "id"));
}

static void on_dead(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 401 || a->status == 429,
               "a token that was taken back reports nothing", "%s got %d: %.*s", p->user_id,
               a->status, STR_ARG(a->body));
}

static void on_taken_back(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    SIM_EXPECT(p->sim, a->status == 204 || a->status == 404, "a driver takes a token back",
               "%s got %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    d->device_token = STR_NONE;
    sim_slot_send(
        &p->slot,
        &(struct sim_request){.service = SIM_DRIVER,
                              .method = "POST",
                              .path = STR("/v1/ingest/owntracks"),
                              .body = STR("{\"_type\":\"location\",\"tst\":1,\"lat\":1,\"lon\":1}"),
                              .token = d->dead_token,
                              .device = true},
        on_dead);
}

/* True: he is at it. */
static bool mind_device(struct driver_person *d) {
    struct sim *sim = d->p.sim;
    if (sim->calm || !sim_chance(sim, 0.1))
        return false;
    if (d->device_token.p == NULL) {
        d->dead_token = STR_NONE;
        send(d, SIM_DRIVER, "POST", STR("/v1/driver/devices"), STR("{\"name\":\"phone\"}"), false,
             on_device);
        return true;
    }
    d->dead_token = d->device_token;
    send(d, SIM_DRIVER, "DELETE",
         arena_printf(arena_of(d), "/v1/driver/devices/%.*s", STR_ARG(d->device_id)), STR_NONE,
         false, on_taken_back);
    return true;
}

/* ---- what he drives ---- */

static void on_changed(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim,
               a->status == 200 || a->status == 201 || a->status == 409 ||
                   a->status == 422, /* the plate of another of his */
               "a change of vehicle is answered", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
}

static void on_vehicles(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    struct json_value items;
    SIM_EXPECT(p->sim, a->status == 200 && a->is_json && json_get(a->json, "items", &items),
               "a driver sees his vehicles", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
    if (!a->is_json || !json_get(a->json, "items", &items) || json_count(items) == 0)
        return;
    uint64_t pick = rng_below(&p->sim->rng, json_count(items));
    struct json_iter it = json_iter(items);
    for (uint64_t i = 0; i <= pick; i++)
        json_next(&it);
    send(d, SIM_DRIVER, "POST",
         arena_printf(arena_of(d), "/v1/driver/vehicles/%.*s/use",
                      STR_ARG(sim_json_str(it.value, "id"))),
         STR_NONE, false, on_changed);
}

/* True: he is at it. All of his are of one class, so that there is work for him. */
static bool mind_vehicles(struct driver_person *d) {
    struct sim *sim = d->p.sim;
    if (sim->calm || !sim_chance(sim, sim->profile.vehicles))
        return false;
    if (sim_chance(sim, 0.3))
        send(d, SIM_DRIVER, "POST", STR("/v1/driver/vehicles"),
             arena_printf(arena_of(d), "{\"class\":\"%s\",\"plate\":\"N%llu\"}",
                          vehicle_names[d->vehicle], (unsigned long long)rng_below(&sim->rng, 9)),
             true, on_changed);
    else
        send(d, SIM_DRIVER, "GET", STR("/v1/driver/vehicles"), STR_NONE, false, on_vehicles);
    return true;
}

/* True: he is at it. */
static bool mind_documents(struct driver_person *d) {
    struct sim *sim = d->p.sim;
    if (sim->calm || !sim_chance(sim, sim->profile.documents))
        return false;
    send_document(d, false);
    return true;
}

/* ---- when he works ---- */

static void on_schedule(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 200, "a driver says when he works", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
}

/* True: he is at it. A shift that ends within a few minutes, so that its end is met. */
static bool mind_schedule(struct driver_person *d) {
    struct sim *sim = d->p.sim;
    if (sim->calm || !sim_chance(sim, sim->profile.shifts))
        return false;
    int64_t minute = sim->now_us / US_PER_S / 60;
    int64_t from = (minute - rng_between(&sim->rng, 0, 60)) % 1440;
    int64_t to = (minute + rng_between(&sim->rng, 1, 4)) % 1440;
    static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    send(d, SIM_DRIVER, "PUT", STR("/v1/driver/schedule"),
         arena_printf(arena_of(d),
                      "{\"shifts\":[{\"day\":\"%s\",\"from\":\"%02d:%02d\",\"to\":\"%02d:%02d\"}]}",
                      days[(minute / 1440 + 3) % 7], (int)from / 60, (int)from % 60, (int)to / 60,
                      (int)to % 60),
         true, on_schedule);
    return true;
}

static void look(struct sim *sim, void *arg, uint64_t token) {
    struct driver_person *d = arg;
    (void)token;
    sim_after(sim, LOOK_US, look, d, 0);
    if (!d->p.slot.busy && !mind_device(d) && !mind_vehicles(d) && !mind_schedule(d) &&
        !mind_documents(d))
        send(d, SIM_DRIVER, "GET", STR("/v1/driver"), STR_NONE, false, on_profile);
}

/* ---- where he is ---- */

/* With something to carry he makes for its next stop and stands about there, on both sides of its
 * fence; now and then a position is far off. */
static void move(struct driver_person *d) {
    struct sim *sim = d->p.sim;
    int64_t noise = sim_chance(sim, 0.15) ? 30000 : 9000;
    if (d->carrying && d->to_lat_e7 != 0) {
        d->lat_e7 += (d->to_lat_e7 - d->lat_e7) / 5 * 4;
        d->lng_e7 += (d->to_lng_e7 - d->lng_e7) / 5 * 4;
    }
    d->lat_e7 += (int32_t)rng_between(&sim->rng, -noise, noise);
    d->lng_e7 += (int32_t)rng_between(&sim->rng, -noise * 2, noise * 2);
}

static void add_fix(struct driver_person *d, struct gps_batch *b, struct buf *out) {
    struct sim *sim = d->p.sim;
    int64_t at_us = sim->now_us - rng_between(&sim->rng, 0, US_PER_S);
    if (at_us <= d->last_fix_us)
        at_us = d->last_fix_us + rng_between(&sim->rng, 1, 2000);
    d->last_fix_us = at_us;
    move(d);
    char at[TIMESTAMP_TEXT_MAX];
    timestamp_format(at_us, at);
    buf_printf(out, "%s{\"at\":\"%s\",\"lat\":%.7f,\"lng\":%.7f,\"speed_mps\":9.1",
               b->count > 0 ? "," : "", at, d->lat_e7 / 1e7, d->lng_e7 / 1e7);
    if (sim_chance(sim, 0.7))
        buf_printf(out, ",\"accuracy_m\":%d", (int)rng_between(&sim->rng, 3, 90));
    buf_add_char(out, '}');
    b->at_us[b->count++] = at_us;
}

static struct gps_batch new_batch(struct driver_person *d) {
    struct gps_batch b = {0};
    struct buf out;
    buf_init(&out, arena_of(d), 512);
    buf_add_cstr(&out, "{\"fixes\":[");
    int count = (int)rng_between(&d->p.sim->rng, 1, 4);
    for (int i = 0; i < count; i++)
        add_fix(d, &b, &out);
    buf_add_cstr(&out, "]}");
    b.body = buf_str(&out);
    return b;
}

static void expect_stored(struct driver_person *d, const struct gps_batch *b) {
    for (int32_t i = 0; i < b->count; i++)
        SIM_EXPECT(d->p.sim, oracle_has_fix(d->p.sim, d->p.driver_id, b->at_us[i]),
                   "a fix is durable before it is acknowledged",
                   "%s: the fix of %lld was acknowledged and is not stored", d->p.driver_id,
                   (long long)b->at_us[i]);
}

static void on_located(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    if (d->sending_token.p != NULL && a->status == 401) { /* it was taken back meanwhile */
        bool good = d->device_token.p != NULL && str_eq(d->sending_token, d->device_token) &&
                    d->dead_token.p == NULL;
        SIM_EXPECT(p->sim, !good, "a device's token is good until it is taken back", "%s got 401",
                   p->user_id);
        return;
    }
    SIM_EXPECT(p->sim, a->status == 200, "fixes are taken", "%s got %d: %.*s", p->user_id,
               a->status, STR_ARG(a->body));
    expect_stored(d, &d->sending);
}

static void post_batch(struct driver_person *d, const struct gps_batch *b) {
    d->sending = *b;
    d->sending_token = sim_chance(d->p.sim, 0.5) ? d->device_token : STR_NONE;
    if (d->sending_token.p != NULL) {
        sim_slot_send(&d->gps_slot,
                      &(struct sim_request){.service = SIM_DRIVER,
                                            .method = "POST",
                                            .path = STR("/v1/ingest/fixes"),
                                            .body = b->body,
                                            .token = d->device_token,
                                            .device = true},
                      on_located);
        return;
    }
    sim_slot_send(&d->gps_slot,
                  &(struct sim_request){.service = SIM_DRIVER,
                                        .method = "POST",
                                        .path = STR("/v1/driver/locations"),
                                        .body = b->body},
                  on_located);
}

static void on_ack(struct person *p, int64_t id) {
    struct driver_person *d = (struct driver_person *)p;
    if (id == d->frame_id)
        expect_stored(d, &d->frame);
}

static void send_frame(struct driver_person *d, const struct gps_batch *b) {
    d->frame = *b;
    d->frame_id++;
    sim_feed_send(&d->p,
                  arena_printf(arena_of(d), "{\"type\":\"location\",\"id\":%lld,%.*s",
                               (long long)d->frame_id, STR_ARG(str_sub(b->body, 1, b->body.len))));
}

/* Sends a batch that was held back, perhaps not for the last time. */
static void send_held(struct driver_person *d) {
    struct sim *sim = d->p.sim;
    post_batch(d, &d->held[d->held_count - 1]);
    if (sim->calm || !sim_chance(sim, 0.3))
        d->held_count--;
}

/* A batch goes at once, or is held back and comes later, or comes twice. */
static void locate(struct sim *sim, void *arg, uint64_t token) {
    struct driver_person *d = arg;
    (void)token;
    sim_after(sim, GPS_US + rng_between(&sim->rng, -US_PER_S, US_PER_S), locate, d, 0);
    if (d->held_count > 0 && !d->gps_slot.busy && (sim->calm || sim_chance(sim, 0.3))) {
        send_held(d);
        return;
    }
    struct gps_batch b = new_batch(d);
    if (d->held_count < DRIVER_BATCHES_HELD && sim_strikes(sim, SIM_GPS_LATE))
        d->held[d->held_count++] = b;
    else if (sim->profile.topology != SIM_FOUR_NODES && sim_chance(sim, 0.3))
        send_frame(d, &b);
    else if (!d->gps_slot.busy)
        post_batch(d, &b);
}

/* ---- the beginning ---- */

static void on_vehicle(struct person *p, const struct sim_answer *a) {
    struct driver_person *d = (struct driver_person *)p;
    SIM_EXPECT(p->sim, a->status == 200, "a driver tells his vehicle", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
    sim_after(p->sim, 0, look, d, 0);
    sim_after(p->sim, US_PER_S, locate, d, 0);
}

static void go_to_work(struct person *p) {
    struct driver_person *d = (struct driver_person *)p;
    sim_person_refresh_now_and_then(p);
    send(d, SIM_DRIVER, "PUT", STR("/v1/driver"),
         arena_printf(arena_of(d),
                      "{\"vehicle\":{\"class\":\"%s\",\"plate\":\"ABC%03d\",\"capacity_kg\":%d}}",
                      vehicle_names[d->vehicle], p->index, p->index % 3 == 1 ? 120 : 800),
         true, on_vehicle);
}

static void begin(struct person *p) {
    sim_feed_open(p);
    sim_person_choose(p, go_to_work);
}

void sim_driver_start(struct driver_person *d) {
    struct sim *sim = d->p.sim;
    d->gps_slot.person = &d->p;
    d->vehicle = d->p.index % 4 == 3 ? VEHICLE_BIKE : VEHICLE_VAN;
    d->lat_e7 = 577000000 + (int32_t)rng_between(&sim->rng, -200000, 200000);
    d->lng_e7 = 119700000 + (int32_t)rng_between(&sim->rng, -400000, 400000);
    d->p.on_entry = on_entry;
    d->p.on_ready = begin;
    d->p.on_ack = on_ack;
    sim_person_register(&d->p);
}

bool sim_driver_quiet(const struct driver_person *d) {
    return !d->carrying && !d->answering && d->held_count == 0;
}
