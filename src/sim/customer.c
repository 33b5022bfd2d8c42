/* A customer: asks for quotes, books one, waits for what becomes of it, sometimes cancels, rates
 * what was delivered, and books again. He hears of his booking over his socket, and asks now and
 * then.
 */
#include "base/check.h"
#include "events/events.h"
#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

#define LOOK_US (25 * US_PER_S)
#define PAUSE_MEAN_US (12.0 * US_PER_S)

static void next_booking(struct customer *c);
static void add_window(struct sim *sim, struct buf *out);

static struct arena *arena_of(struct customer *c) {
    return &c->p.sim->arena;
}

static struct str path_of(struct customer *c, const char *rest) {
    return arena_printf(arena_of(c), "/v1/bookings/%s%s", c->booking_id, rest);
}

static void send(struct customer *c, const char *method, struct str path, struct str body,
                 bool keyed, sim_answer_fn then) {
    struct sim *sim = c->p.sim;
    struct sim_request r = {.service = SIM_BOOKING, .method = method, .path = path, .body = body};
    if (keyed)
        r.key = sim_new_key(sim);
    if (c->p.access.p != NULL && sim_chance(sim, 0.05))
        r.token = c->p.access;
    sim_slot_send(&c->p.slot, &r, then);
}

static int32_t state_named(struct str name) {
    for (int32_t i = 1; booking_state_names[i] != NULL; i++) {
        if (str_is(name, booking_state_names[i]))
            return i;
    }
    return BOOKING_NONE;
}

/* ---- the end ---- */

static void after_pause(struct sim *sim, void *arg, uint64_t token) {
    struct customer *c = arg;
    (void)sim;
    if (c->p.step == token)
        next_booking(c);
}

void sim_customer_finish(struct customer *c) {
    struct sim *sim = c->p.sim;
    c->booking_id[0] = c->link[0] = 0;
    c->state = BOOKING_NONE;
    c->p.step++;
    sim_after(sim, (int64_t)rng_exponential(&sim->rng, PAUSE_MEAN_US), after_pause, c, c->p.step);
}

static void on_rated(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 200, "a delivered booking may be rated once", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
    sim_customer_finish((struct customer *)p);
}

/* Whoever has the link was before him: there is one rating. */
static void on_second_rating(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 409, "a booking is rated once",
               "%s got %d for a second rating: %.*s", p->user_id, a->status, STR_ARG(a->body));
    sim_customer_finish((struct customer *)p);
}

static void on_link_rated(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    /* 409: an answer was lost, and it was asked again */
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409,
               "whoever has the link may rate a delivered booking", "%s got %d: %.*s", p->user_id,
               a->status, STR_ARG(a->body));
    send(c, "POST", path_of(c, "/rating"), STR("{\"stars\":1}"), true, on_second_rating);
}

static void rate(struct customer *c) {
    c->rated = true;
    int stars = (int)rng_between(&c->p.sim->rng, 1, 5);
    if (c->link[0] != 0 && sim_chance(c->p.sim, 0.3)) {
        send(c, "POST", arena_printf(arena_of(c), "/v1/track/%s/rating", c->link),
             arena_printf(arena_of(c), "{\"stars\":%d}", stars), false, on_link_rated);
        return;
    }
    send(c, "POST", path_of(c, "/rating"),
         arena_printf(arena_of(c), "{\"stars\":%d,\"comment\":\"as it was\"}", stars), true,
         on_rated);
}

/* Goes on from what he knows, if he is not waiting for an answer. */
static void go_on(struct customer *c) {
    if (c->p.slot.busy || c->booking_id[0] == 0 || c->state < BOOKING_DELIVERED)
        return;
    if (c->state == BOOKING_DELIVERED && !c->rated && sim_chance(c->p.sim, 0.6))
        rate(c);
    else
        sim_customer_finish(c);
}

/* ---- waiting ---- */

static void learn(struct customer *c, struct json_value view) {
    struct str id = sim_json_str(view, "id");
    int32_t state = state_named(sim_json_str(view, "state"));
    struct str link = sim_json_str(view, "tracking_token");
    if (str_is(id, c->booking_id) && link.p != NULL)
        snprintf(c->link, sizeof(c->link), "%.*s", STR_ARG(link));
    if (str_is(id, c->booking_id) && state > c->state)
        c->state = state;
}

static void on_looked(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    SIM_EXPECT(p->sim, a->status == 200, "a booking is there for its customer",
               "%s: %s was answered with %d", p->user_id, c->booking_id, a->status);
    if (a->is_json)
        learn(c, a->json);
    go_on(c);
}

static void look(struct sim *sim, void *arg, uint64_t token) {
    struct customer *c = arg;
    if (c->p.step != token)
        return;
    sim_after(sim, LOOK_US, look, c, token);
    if (!c->p.slot.busy && c->booking_id[0] != 0)
        send(c, "GET", path_of(c, ""), STR_NONE, false, on_looked);
}

static void on_cancelled(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409, "cancelling is answered",
               "%s got %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    if (a->status == 200)
        learn(c, a->json);
    go_on(c);
}

static void cancel(struct sim *sim, void *arg, uint64_t token) {
    struct customer *c = arg;
    if (c->p.step != token || c->booking_id[0] == 0 || c->state >= BOOKING_DELIVERED)
        return;
    if (c->p.slot.busy)
        sim_after(sim, US_PER_S, cancel, c, token);
    else
        send(c, "POST", path_of(c, "/cancel"), STR("{\"reason\":\"changed my mind\"}"), true,
             on_cancelled);
}

/* Another time, if it is not too late for that; what it may cost more is agreed to. */
static void on_rescheduled(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409 || a->status == 422,
               "another time is answered", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
    if (a->status == 200)
        learn(c, a->json);
    go_on(c);
}

static void reschedule(struct sim *sim, void *arg, uint64_t token) {
    struct customer *c = arg;
    if (c->p.step != token || c->booking_id[0] == 0 || c->state != BOOKING_SCHEDULED ||
        c->p.slot.busy)
        return;
    struct buf body;
    buf_init(&body, &sim->arena, 160);
    buf_printf(&body, "{\"total\":%d", 1000000000);
    add_window(sim, &body);
    buf_add_char(&body, '}');
    send(c, "PUT", path_of(c, "/pickup-window"), buf_str(&body), true, on_rescheduled);
}

/* ---- other stops ---- */

/* What was agreed to is what it costs at most; a driver who goes on in the middle, or anybody else
 * who changes it, comes first. Where they stay as they are, what was waited meanwhile is due. */
static void on_stops_changed(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    struct json_value price;
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409 || a->status == 422,
               "other stops are answered", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
    if (a->status == 200 && a->is_json && json_get(a->json, "price", &price) &&
        sim_json_i64(a->json, "stops_revision") > c->stops_revision)
        SIM_EXPECT(p->sim, c->agreed == 0 || sim_json_i64(price, "total") <= c->agreed,
                   "other stops cost what was agreed to", "%s agreed to %lld, and pays %lld",
                   p->user_id, (long long)c->agreed, (long long)sim_json_i64(price, "total"));
    if (a->status == 200)
        learn(c, a->json);
    go_on(c);
}

static void on_stops_previewed(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    struct json_value price;
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409 || a->status == 422,
               "what other stops cost is answered", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
    if (a->status != 200 || !a->is_json || !json_get(a->json, "price", &price)) {
        go_on(c);
        return;
    }
    c->agreed = sim_json_i64(price, "total");
    struct str asked = p->slot.request.body; /* "{" and what is asked for */
    send(c, "POST", path_of(c, "/stops"),
         arena_printf(arena_of(c), "{\"total\":%lld,%.*s", (long long)c->agreed,
                      STR_ARG(str_sub(asked, 1, asked.len))),
         true, on_stops_changed);
}

static void on_stops_seen(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    bool first = sim_chance(p->sim, 0.6);
    if (!a->is_json || a->status != 200) {
        go_on(c);
        return;
    }
    learn(c, a->json);
    struct str body = sim_stops_wish(p->sim, a->json, first ? "" : "\"total\":1000000000,");
    c->agreed = 0;
    c->stops_revision = sim_json_i64(a->json, "stops_revision");
    if (body.p == NULL || c->state >= BOOKING_DELIVERED)
        go_on(c);
    else if (first)
        send(c, "POST", path_of(c, "/stops/preview"), body, false, on_stops_previewed);
    else
        send(c, "POST", path_of(c, "/stops"), body, true, on_stops_changed);
}

static void change_stops(struct sim *sim, void *arg, uint64_t token) {
    struct customer *c = arg;
    if (c->p.step != token || c->booking_id[0] == 0 || c->state >= BOOKING_DELIVERED)
        return;
    if (!c->p.slot.busy)
        send(c, "GET", path_of(c, ""), STR_NONE, false, on_stops_seen);
    sim_after(sim, (int64_t)rng_exponential(&sim->rng, 60.0 * US_PER_S), change_stops, c, token);
}

/* ---- another note ---- */

static void on_noted(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409 || a->status == 422,
               "another note is answered", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
    if (a->status == 200)
        learn(c, a->json);
    go_on(c);
}

/* Also for a stop that is over, or none: it is refused. */
static void change_note(struct sim *sim, void *arg, uint64_t token) {
    struct customer *c = arg;
    if (c->p.step != token || c->booking_id[0] == 0 || c->state >= BOOKING_DELIVERED)
        return;
    if (!c->p.slot.busy)
        send(c, "PUT", path_of(c, "/note"),
             arena_printf(arena_of(c), "{\"stop\":%lld,\"note\":\"floor %lld\"}",
                          (long long)rng_below(&sim->rng, 4), (long long)rng_below(&sim->rng, 9)),
             true, on_noted);
    sim_after(sim, (int64_t)rng_exponential(&sim->rng, 60.0 * US_PER_S), change_note, c, token);
}

static void on_entry(struct person *p, struct str type, struct json_value data) {
    struct customer *c = (struct customer *)p;
    if (str_is(type, "booking.updated"))
        learn(c, data);
    go_on(c);
}

/* ---- booking ---- */

static void wait_for_it(struct customer *c) {
    struct sim *sim = c->p.sim;
    c->p.step++;
    sim_after(sim, LOOK_US, look, c, c->p.step);
    if (c->state == BOOKING_SCHEDULED && sim_chance(sim, sim->profile.reschedule))
        sim_after(sim, (int64_t)rng_exponential(&sim->rng, 60.0 * US_PER_S), reschedule, c,
                  c->p.step);
    if (sim_chance(sim, sim->profile.change_stops))
        sim_after(sim, (int64_t)rng_exponential(&sim->rng, 40.0 * US_PER_S), change_stops, c,
                  c->p.step);
    if (sim_chance(sim, sim->profile.notes))
        sim_after(sim, (int64_t)rng_exponential(&sim->rng, 40.0 * US_PER_S), change_note, c,
                  c->p.step);
    if (sim_chance(sim, sim->profile.cancel))
        sim_after(sim, (int64_t)rng_exponential(&sim->rng, 40.0 * US_PER_S), cancel, c, c->p.step);
    go_on(c);
}

static void on_other_body(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 422, "same key, other body: refused",
               "%s got %d for another body with the same Idempotency-Key", p->user_id, a->status);
    wait_for_it((struct customer *)p);
}

static void on_booked(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    struct sim *sim = p->sim;
    bool promo_gone = c->saving && a->status == 422; /* he has booked before by now */
    if (a->status == 409 || promo_gone) {            /* the quote ran out, or the code is used up */
        c->left++;
        sim_customer_finish(c);
        return;
    }
    SIM_EXPECT(sim, a->status == 201 && a->is_json, "a quote can be booked", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
    if (!a->is_json)
        return;
    struct str id = sim_json_str(a->json, "id");
    snprintf(c->booking_id, sizeof(c->booking_id), "%.*s", STR_ARG(id));
    c->rated = false;
    learn(c, a->json);
    if (sim_chance(sim, 0.05)) {
        struct sim_request other = p->slot.request;
        other.token = STR_NONE;
        other.body =
            arena_printf(&sim->arena, "{\"quote_id\":\"%s\",\"notes\":\"no, so\"}", c->quote_id);
        sim_slot_send(&p->slot, &other, on_other_body);
        return;
    }
    wait_for_it(c);
}

/* Who is at the first two stops, and what they ask for: nothing, or this and that; the second one
 * maybe cash. */
static struct str proofs_wanted(struct sim *sim) {
    static const char *const kinds[] = {"pin", "photo", "signature", "name"};
    struct buf out;
    buf_init(&out, &sim->arena, 128);
    for (int stop = 0; stop < 2; stop++) {
        buf_printf(&out,
                   "%s{\"contact\":{\"name\":\"Bo Ek\",\"phone\":\"" SIM_CONTACT_PHONE
                   "\"},\"note\":\"code 1234\"",
                   stop > 0 ? "," : "");
        uint64_t wanted = sim_chance(sim, sim->profile.proof) ? rng_below(&sim->rng, 16) : 0;
        const char *comma = "";
        for (int k = 0; k < 4; k++) {
            if ((wanted & 1u << k) != 0) {
                buf_printf(&out, "%s\"%s\"", comma[0] != 0 ? comma : ",\"proof\":[", kinds[k]);
                comma = ",";
            }
        }
        buf_add_cstr(&out, comma[0] != 0 ? "]" : "");
        if (stop == 1 && sim_chance(sim, sim->profile.collect))
            buf_printf(&out, ",\"collect\":{\"amount\":%lld}",
                       (long long)rng_between(&sim->rng, 1, 50000));
        buf_add_char(&out, '}');
    }
    return buf_str(&out);
}

static void on_quoted(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    struct json_value quotes;
    if (c->saving && (a->status == 409 || a->status == 422 || a->status == 429)) {
        c->left++; /* the code is not there yet, or no longer for him: he thinks again */
        sim_customer_finish(c);
        return;
    }
    if (a->status == 422 && c->scheduling) { /* its time has gone by before it was heard */
        c->left++;
        sim_customer_finish(c);
        return;
    }
    SIM_EXPECT(p->sim, a->status == 201 && a->is_json, "quotes are given", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
    if (!a->is_json || !json_get(a->json, "quotes", &quotes))
        return;
    struct json_iter first = json_iter(quotes);
    if (!json_next(&first))
        return;
    snprintf(c->quote_id, sizeof(c->quote_id), "%.*s", STR_ARG(sim_json_str(first.value, "id")));
    struct str proofs = proofs_wanted(p->sim);
    send(c, "POST", STR("/v1/bookings"),
         arena_printf(
             arena_of(c),
             "{\"quote_id\":\"%s\",\"notes\":\"ring twice\",\"payment\":\"%s\",\"stops\":[%.*s]}",
             c->quote_id, sim_chance(p->sim, 0.7) ? "cash" : "card", STR_ARG(proofs)),
         true, on_booked);
}

static void add_stop(struct sim *sim, struct buf *out) {
    double lat = 57.70 + (rng_unit(&sim->rng) - 0.5) * 0.04;
    double lng = 11.97 + (rng_unit(&sim->rng) - 0.5) * 0.08;
    buf_printf(out, "%s{\"lat\":%.5f,\"lng\":%.5f}", out->p[out->len - 1] == '[' ? "" : ",", lat,
               lng);
}

/* A few minutes from now: far enough that the house's clock, which may be wrong, does not matter.
 */
static void add_window(struct sim *sim, struct buf *out) {
    char from[TIMESTAMP_TEXT_MAX], to[TIMESTAMP_TEXT_MAX];
    int64_t from_us = sim->now_us + rng_between(&sim->rng, 150, 600) * US_PER_S;
    timestamp_format(from_us, from);
    timestamp_format(from_us + rng_between(&sim->rng, 900, 1200) * US_PER_S, to);
    buf_printf(out, ",\"pickup_window\":{\"from\":\"%s\",\"to\":\"%s\"}", from, to);
}

/* What a van can take, or a bike; not every driver's is large enough for all of it. */
static void add_goods(struct sim *sim, bool bike, struct buf *out) {
    int kinds = (int)rng_between(&sim->rng, 1, 3);
    for (int i = 0; i < kinds; i++)
        buf_printf(out, "%s{\"name\":\"box\",\"weight_g\":%lld,\"handling\":[\"%s\"]}",
                   i == 0 ? ",\"goods\":[" : ",",
                   (long long)rng_between(&sim->rng, 1, bike ? 8000 : 200000),
                   i == 0 ? "fragile" : "cold");
    buf_add_char(out, ']');
}

static void next_booking(struct customer *c) {
    struct sim *sim = c->p.sim;
    if (c->left == 0) {
        c->done = true;
        return;
    }
    if (c->p.slot.busy)
        return;
    if (sim_chance(sim, sim->profile.imports)) {
        sim_import_send(c);
        return;
    }
    if (sim_chance(sim, sim->profile.recurs)) {
        sim_recurrence_send(c);
        return;
    }
    c->left--;
    struct buf body;
    buf_init(&body, &sim->arena, 256);
    buf_add_cstr(&body, "{\"stops\":[");
    int stops = sim_chance(sim, sim->profile.two_dropoffs) ? (int)rng_between(&sim->rng, 3, 4) : 2;
    for (int i = 0; i < stops; i++)
        add_stop(sim, &body);
    bool bike = !sim_chance(sim, 0.85);
    buf_printf(&body, "],\"vehicle\":\"%s\"", bike ? "bike" : "van");
    if (sim_chance(sim, 0.4))
        add_goods(sim, bike, &body);
    c->scheduling = sim_chance(sim, sim->profile.schedule);
    if (c->scheduling)
        add_window(sim, &body);
    c->saving = sim_chance(sim, 0.3);
    if (c->saving)
        buf_printf(&body, ",\"promo_code\":\"%s\"",
                   sim_chance(sim, 0.5)   ? "few"
                   : sim_chance(sim, 0.5) ? "first"
                                          : "many");
    buf_add_char(&body, '}');
    send(c, "POST", STR("/v1/quotes"), buf_str(&body), true, on_quoted);
}

static void go_to_town(struct person *p) {
    sim_customer_finish((struct customer *)p);
    sim_person_refresh_now_and_then(p);
}

static void begin(struct person *p) {
    sim_feed_open(p);
    sim_person_choose(p, go_to_town);
}

void sim_customer_start(struct customer *c) {
    c->p.on_entry = on_entry;
    c->p.on_ready = begin;
    sim_person_register(&c->p);
}
