/* The office: one person with all rights, who approves new drivers, suspends some for a while,
 * gives bookings to drivers by hand, and cancels some. Vouched for: staff does not register.
 */
#include "base/check.h"
#include "sim/oracle.h"
#include "sim/sim.h"

#include <stdio.h>

#define LOOK_US (6 * US_PER_S)

static void on_done(struct person *p, const struct sim_answer *a) {
    (void)p; /* any word will do: what it did shows in the documents */
    (void)a;
}

static void send(struct staff *s, enum sim_service service, const char *method, struct str path,
                 struct str body, sim_answer_fn then) {
    struct sim_request r = {.service = service, .method = method, .path = path, .body = body};
    sim_slot_send(&s->p.slot, &r, then);
}

/* ---- drivers ---- */

static void set_status(struct staff *s, const char *driver_id, const char *body) {
    struct arena *a = &s->p.sim->arena;
    send(s, SIM_DRIVER, "PATCH", arena_printf(a, "/v1/drivers/%s", driver_id), str_from(body),
         on_done);
}

static void on_pending(struct person *p, const struct sim_answer *a) {
    struct staff *s = (struct staff *)p;
    struct json_value items;
    SIM_EXPECT(p->sim, a->status == 200 && a->is_json && json_get(a->json, "items", &items),
               "staff sees the drivers", "%d: %.*s", a->status, STR_ARG(a->body));
    if (!a->is_json || !json_get(a->json, "items", &items))
        return;
    struct json_iter first = json_iter(items);
    if (!json_next(&first))
        return;
    char id[ID_TEXT_MAX];
    snprintf(id, sizeof(id), "%.*s", STR_ARG(sim_json_str(first.value, "id")));
    set_status(s, id, "{\"status\":\"approved\"}");
}

static void on_documents(struct person *p, const struct sim_answer *a) {
    struct staff *s = (struct staff *)p;
    struct sim *sim = p->sim;
    struct json_value items;
    SIM_EXPECT(sim, a->status == 200 && a->is_json && json_get(a->json, "items", &items),
               "staff sees a driver's documents", "%d: %.*s", a->status, STR_ARG(a->body));
    if (!a->is_json || !json_get(a->json, "items", &items))
        return;
    for (struct json_iter it = json_iter(items); json_next(&it);) {
        if (!str_is(sim_json_str(it.value, "state"), "submitted"))
            continue;
        bool good = sim->calm || sim_chance(sim, 0.9);
        send(s, SIM_DRIVER, "POST",
             arena_printf(&sim->arena, "/v1/drivers/%s/documents/%.*s/review", s->driver_id,
                          STR_ARG(sim_json_str(it.value, "id"))),
             good ? STR("{\"decision\":\"approved\"}")
                  : STR("{\"decision\":\"rejected\",\"reason\":\"blurred\"}"),
             on_done);
        return;
    }
}

/* Looks at what some driver has sent. */
static void mind_documents(struct staff *s) {
    struct sim *sim = s->p.sim;
    const struct driver_person *d =
        &sim->drivers[rng_below(&sim->rng, (uint64_t)sim->profile.drivers)];
    if (!d->p.ready || shadow_driver(sim->oracle, str_from(d->p.driver_id))->vehicle.p == NULL)
        return; /* the driver service has not heard of him yet */
    snprintf(s->driver_id, sizeof s->driver_id, "%s", d->p.driver_id);
    send(s, SIM_DRIVER, "GET", arena_printf(&sim->arena, "/v1/drivers/%s/documents", s->driver_id),
         STR_NONE, on_documents);
}

/* A suspended one is approved again as soon as the office looks: nobody stays without work. */
static void look_at_drivers(struct staff *s, bool suspended) {
    send(s, SIM_DRIVER, "GET",
         suspended ? STR("/v1/drivers?status=suspended") : STR("/v1/drivers?status=pending"),
         STR_NONE, on_pending);
}

static void suspend_one(struct staff *s) {
    struct sim *sim = s->p.sim;
    const struct driver_person *d =
        &sim->drivers[rng_below(&sim->rng, (uint64_t)sim->profile.drivers)];
    if (d->p.ready)
        set_status(s, d->p.driver_id, "{\"status\":\"suspended\",\"reason\":\"papers\"}");
}

/* ---- bookings ---- */

/* Takes a booking from its driver: for another, for whomever dispatch finds, or to think. */
static void change_hands(struct staff *s, struct str id, const char *driver_id) {
    struct sim *sim = s->p.sim;
    struct arena *a = &sim->arena;
    if (sim_chance(sim, 0.6))
        send(s, SIM_BOOKING, "POST", arena_printf(a, "/v1/bookings/%.*s/assign", STR_ARG(id)),
             arena_printf(a, "{\"driver_id\":\"%s\",\"reason\":\"nearer\"}", driver_id), on_done);
    else
        send(s, SIM_BOOKING, "POST", arena_printf(a, "/v1/bookings/%.*s/unassign", STR_ARG(id)),
             sim_chance(sim, 0.8) ? STR("{\"reason\":\"he is stuck\"}")
                                  : STR("{\"reason\":\"he is stuck\",\"search\":false}"),
             on_done);
}

static void on_bookings(struct person *p, const struct sim_answer *a) {
    struct staff *s = (struct staff *)p;
    struct sim *sim = p->sim;
    struct json_value items;
    SIM_EXPECT(sim, a->status == 200 && a->is_json, "staff sees the bookings", "%d: %.*s",
               a->status, STR_ARG(a->body));
    if (!a->is_json || !json_get(a->json, "items", &items) || json_count(items) == 0)
        return;
    uint64_t pick = rng_below(&sim->rng, json_count(items));
    struct json_iter it = json_iter(items);
    for (uint64_t i = 0; i <= pick; i++)
        json_next(&it);
    struct str id = sim_json_str(it.value, "id");
    struct str state = sim_json_str(it.value, "state");
    bool searching = str_is(state, "requested") || str_is(state, "offered");
    bool on_its_way = str_is(state, "assigned") || str_is(state, "arrived_pickup");
    const struct driver_person *d =
        &sim->drivers[rng_below(&sim->rng, (uint64_t)sim->profile.drivers)];
    struct str wish =
        !str_is(state, "returning") && sim_chance(sim, sim->profile.change_stops / 4)
            ? sim_stops_wish(sim, it.value, "\"total\":1000000000,\"reason\":\"they rang\",")
            : STR_NONE;
    if (wish.p != NULL)
        send(s, SIM_BOOKING, "POST",
             arena_printf(&sim->arena, "/v1/bookings/%.*s/stops", STR_ARG(id)), wish, on_done);
    else if (searching && d->p.ready)
        send(s, SIM_BOOKING, "POST",
             arena_printf(&sim->arena, "/v1/bookings/%.*s/assign", STR_ARG(id)),
             arena_printf(&sim->arena, "{\"driver_id\":\"%s\"}", d->p.driver_id), on_done);
    else if (on_its_way && d->p.ready && sim_chance(sim, sim->profile.unassign))
        change_hands(s, id, d->p.driver_id);
    else if (sim_chance(sim, 0.05))
        send(s, SIM_BOOKING, "POST",
             arena_printf(&sim->arena, "/v1/bookings/%.*s/cancel", STR_ARG(id)),
             STR("{\"reason\":\"the office knows why\"}"), on_done);
}

/* ---- cash ---- */

static void on_entries(struct person *p, const struct sim_answer *a) {
    struct staff *s = (struct staff *)p;
    struct sim *sim = p->sim;
    struct json_value items;
    SIM_EXPECT(sim, a->status == 200 && a->is_json, "staff sees a cash book", "%d: %.*s", a->status,
               STR_ARG(a->body));
    if (!a->is_json || !json_get(a->json, "items", &items))
        return;
    for (struct json_iter it = json_iter(items); json_next(&it);) {
        if (sim_chance(sim, 0.5)) /* also of what cannot be: it is refused */
            continue;
        struct sim_request r = {
            .service = SIM_DRIVER,
            .method = "POST",
            .path = arena_printf(&sim->arena, "/v1/drivers/%s/cash/entries/%.*s/reverse",
                                 s->driver_id, STR_ARG(sim_json_str(it.value, "id"))),
            .body = STR("{\"reason\":\"miscounted\"}"),
            .key = sim_new_key(sim)};
        sim_slot_send(&s->p.slot, &r, on_done);
        return;
    }
}

static void on_balances(struct person *p, const struct sim_answer *a) {
    static const char *const kinds[] = {"handed_in", "handed_in", "kept", "paid_out"};
    struct staff *s = (struct staff *)p;
    struct sim *sim = p->sim;
    SIM_EXPECT(sim, a->status == 200 || a->status == 404, "staff sees what a driver holds",
               "%d: %.*s", a->status, STR_ARG(a->body));
    if (a->status != 200 || !a->is_json)
        return;
    const char *kind = kinds[rng_below(&sim->rng, COUNT_OF(kinds))];
    bool out = kind[0] == 'p';
    int64_t balance = sim_json_i64(a->json, out ? "earnings_owed" : "cash_held");
    if (balance <= 0)
        return;
    struct sim_request r = {
        .service = SIM_DRIVER,
        .method = "POST",
        .path = arena_printf(&sim->arena, "/v1/drivers/%s/cash/settlements", s->driver_id),
        .body =
            arena_printf(&sim->arena, "{\"kind\":\"%s\",\"amount\":%lld,\"balance\":%lld}", kind,
                         (long long)rng_between(&sim->rng, 1, balance), (long long)balance),
        .key = sim_new_key(sim)};
    sim_slot_send(&s->p.slot, &r, on_done);
}

/* Takes cash from some driver, pays him, or puts right what was recorded. */
static void mind_cash(struct staff *s) {
    struct sim *sim = s->p.sim;
    const struct driver_person *d =
        &sim->drivers[rng_below(&sim->rng, (uint64_t)sim->profile.drivers)];
    if (!d->p.ready || shadow_driver(sim->oracle, str_from(d->p.driver_id))->vehicle.p == NULL)
        return; /* the driver service has not heard of him yet */
    snprintf(s->driver_id, sizeof s->driver_id, "%s", d->p.driver_id);
    if (sim_chance(sim, 0.3))
        send(s, SIM_DRIVER, "GET",
             arena_printf(&sim->arena, "/v1/drivers/%s/cash/entries", s->driver_id), STR_NONE,
             on_entries);
    else
        send(s, SIM_DRIVER, "GET", arena_printf(&sim->arena, "/v1/drivers/%s/cash", s->driver_id),
             STR_NONE, on_balances);
}

/* ---- promo codes ---- */

/* Made early; made again they are refused, which does no harm. One that the other half of the time
 * is ended does not change what has been taken off. */
static void mind_promos(struct staff *s) {
    static const char *const codes[] = {
        "{\"code\":\"FEW\",\"percent\":30,\"cap\":3000,\"uses_max\":2,\"uses_per_customer_max\":1}",
        "{\"code\":\"FIRST\",\"amount\":2500,\"first_only\":true,\"uses_per_customer_max\":1}",
        "{\"code\":\"MANY\",\"percent\":100,\"uses_per_customer_max\":2}",
    };
    struct sim *sim = s->p.sim;
    if (sim_chance(sim, 0.1))
        send(s, SIM_BOOKING, "POST", STR("/v1/promo-codes/MANY/end"), STR_NONE, on_done);
    else
        send(s, SIM_BOOKING, "POST", STR("/v1/promo-codes"),
             str_from(codes[rng_below(&sim->rng, 3)]), on_done);
}

/* ---- tariffs ---- */

/* Another version: other rates and taxes each time, at once or in a while. */
static void change_tariffs(struct staff *s) {
    struct sim *sim = s->p.sim;
    struct rng *rng = &sim->rng;
    char at[TIMESTAMP_TEXT_MAX];
    struct buf body;
    buf_init(&body, &sim->arena, 1024);
    buf_add_cstr(&body, "{\"currency\":\"SEK\",\"items\":[");
    for (int32_t v = VEHICLE_NONE + 1; v < VEHICLE_COUNT; v++)
        buf_printf(&body,
                   "%s{\"vehicle\":\"%s\",\"base\":%d,\"per_km\":%d,\"per_minute\":%d,"
                   "\"minimum\":%d,\"waiting_per_minute\":%d}",
                   v > VEHICLE_NONE + 1 ? "," : "", vehicle_names[v], (int)rng_below(rng, 9000),
                   (int)rng_below(rng, 3000), (int)rng_below(rng, 500), (int)rng_below(rng, 20000),
                   (int)rng_below(rng, 200));
    buf_printf(&body,
               "],\"taxes\":[{\"name\":\"VAT\",\"rate_bp\":%d},{\"name\":\"city\",\"rate_bp\":%d}],"
               "\"taxes_included\":%s,\"commission_bp\":%d,"
               "\"night\":{\"from\":\"10:00\",\"to\":\"10:05\",\"add_percent\":%d},"
               "\"surge\":{\"from_percent\":20,\"full_percent\":%d,\"add_percent\":%d},"
               "\"cancellation\":{\"assigned_percent\":%d,\"arrived_percent\":%d}",
               (int)rng_below(rng, 3000), (int)rng_below(rng, 99),
               rng_below(rng, 2) == 0 ? "true" : "false", (int)rng_below(rng, 4000),
               (int)rng_below(rng, 100), 21 + (int)rng_below(rng, 300), (int)rng_below(rng, 100),
               (int)rng_below(rng, 101), (int)rng_below(rng, 101));
    if (rng_below(rng, 3) > 0)
        buf_printf(&body, ",\"returns\":{\"percent\":%d}", (int)rng_below(rng, 200));
    if (rng_below(rng, 2) == 0) {
        timestamp_format(sim->now_us + (int64_t)rng_below(rng, 60) * US_PER_S, at);
        buf_printf(&body, ",\"effective_at\":\"%s\"", at);
    }
    buf_add_char(&body, '}');
    send(s, SIM_BOOKING, "PUT", STR("/v1/tariffs"), buf_str(&body), on_done);
}

/* ---- the service area ---- */

/* Versions fall, one after the other, down to the house's own. */
static void on_areas(struct person *p, const struct sim_answer *a) {
    struct sim *sim = p->sim;
    struct json_value items;
    int64_t above = INT64_MAX;
    SIM_EXPECT(sim, a->status == 200 && a->is_json && json_get(a->json, "items", &items),
               "staff sees the versions of the service area", "%d: %.*s", a->status,
               STR_ARG(a->body));
    if (a->status != 200 || !a->is_json)
        return;
    for (struct json_iter it = json_iter(items); json_next(&it);) {
        int64_t number = sim_json_i64(it.value, "version");
        SIM_EXPECT(sim, number < above && number > 0, "versions of the service area fall",
                   "%lld after %lld", (long long)number, (long long)above);
        above = number;
    }
    SIM_EXPECT(sim, above == 1, "the house's service area is kept", "%lld", (long long)above);
}

/* Half the world with a hole at the pole, its corner elsewhere each time, or none: nobody here
 * lives outside of it, so no quote is ever refused for it, whichever version a process believes in.
 */
static void change_area(struct staff *s) {
    struct sim *sim = s->p.sim;
    struct rng *rng = &sim->rng;
    struct str body = STR("{\"area\":null}");
    if (rng_below(rng, 4) == 0) {
        send(s, SIM_BOOKING, "GET", STR("/v1/service-area/versions"), STR_NONE, on_areas);
        return;
    }
    if (rng_below(rng, 3) > 0)
        body = arena_printf(&sim->arena,
                            "{\"area\":{\"type\":\"Polygon\",\"coordinates\":[[[-80,-%d],[80,-%d],"
                            "[80,88],[-80,88],[-80,-%d]],[[0,86],[1,86],[1,87],[0,86]]]}}",
                            1, (int)rng_below(rng, 80), 1);
    send(s, SIM_BOOKING, "PUT", STR("/v1/service-area"), body, on_done);
}

/* ---- a webhook ---- */

static void on_webhook(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 201, "the office may have a webhook", "%d: %.*s", a->status,
               STR_ARG(a->body));
}

static void make_webhook(struct staff *s) {
    s->has_webhook = true;
    sim_slot_send(&s->p.slot,
                  &(struct sim_request){.service = SIM_NOTIFICATION,
                                        .method = "POST",
                                        .path = STR("/v1/webhooks"),
                                        .body = STR("{\"url\":\"https://shop.example/hook\"}")},
                  on_webhook);
}

static void look(struct sim *sim, void *arg, uint64_t token) {
    struct staff *s = arg;
    sim_after(sim, LOOK_US, look, s, token + 1);
    if (s->p.slot.busy)
        return;
    if (sim->profile.webhook && !s->has_webhook)
        make_webhook(s);
    else if (!sim->calm && sim_chance(sim, token < 4 ? 0.6 : 0.05))
        mind_promos(s);
    else if (!sim->calm && sim_chance(sim, sim->profile.settle))
        mind_cash(s);
    else if (!sim->calm && sim_chance(sim, sim->profile.suspend))
        suspend_one(s);
    else if (!sim->calm && sim_chance(sim, sim->profile.tariffs))
        change_tariffs(s);
    else if (!sim->calm && sim_chance(sim, sim->profile.tariffs))
        change_area(s);
    else if (!sim->calm && sim_chance(sim, sim->profile.assign))
        send(s, SIM_BOOKING, "GET", STR("/v1/bookings?state=active"), STR_NONE, on_bookings);
    else if (token % 3 == 2)
        mind_documents(s);
    else
        look_at_drivers(s, token % 2 == 1);
}

void sim_staff_start(struct staff *s) {
    struct sim *sim = s->p.sim;
    struct str id = id_new(&sim->arena, "usr", sim->now_us, &sim->rng);
    snprintf(s->p.user_id, sizeof(s->p.user_id), "%.*s", STR_ARG(id));
    s->p.ready = true;
    sim_feed_open(&s->p);
    sim_after(sim, US_PER_S, look, s, 0);
}
