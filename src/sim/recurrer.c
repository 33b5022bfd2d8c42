/* A customer who wants the same trip again and again: it begins in a few minutes and then every
 * day. He looks how it is, skips days, pauses it, changes what it may cost, says yes to what is
 * held; then he ends it, and cancels what is booked for later days, for nobody here lives that
 * long. That of today is left to dispatch.
 * All of it comes on top of what he books otherwise.
 */
#include "sim/sim.h"

#include "base/timestamp.h"
#include "base/zone.h"

#include <stdio.h>

#define LOOK_US (4 * US_PER_S)
#define SOON_US (INT64_C(3600) * US_PER_S)
#define MINUTE_US (60 * US_PER_S)
#define DAY_MIN 1440

static void look_later(struct customer *c);
static void clean_up_later(struct customer *c);

static struct str date_of(struct sim *sim, int64_t days_ahead) {
    int32_t y, m, d;
    date_of_days(sim->now_us / US_PER_DAY + days_ahead, &y, &m, &d);
    return arena_printf(&sim->arena, "%04d-%02d-%02d", y, m, d);
}

static void send(struct customer *c, const char *method, const char *rest, struct str body,
                 sim_answer_fn then) {
    struct sim *sim = c->p.sim;
    struct sim_request r = {
        .service = SIM_BOOKING,
        .method = method,
        .path = arena_printf(&sim->arena, "%.*s%s", STR_ARG(c->recurrence_path), rest),
        .body = body};
    if (body.p != NULL)
        r.key = sim_new_key(sim);
    sim_slot_send(&c->p.slot, &r, then);
}

/* ---- and in the end ---- */

static void on_cancelled(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    /* 404: ordered, and not there yet */
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409 || a->status == 404,
               "what recurs can be cancelled", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
    if (a->status != 404)
        c->later_done++;
    clean_up_later(c);
}

/* The next booking of a later day; NULL: there is none. */
static const char *next_later(struct customer *c, struct json_value root) {
    struct json_value list;
    int32_t n = 0;
    if (!json_get(root, "occurrences", &list))
        return NULL;
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        struct str id = sim_json_str(it.value, "booking_id");
        int64_t from_us;
        if (id.p == NULL || timestamp_parse(sim_json_str(it.value, "from"), &from_us) < 0 ||
            from_us < c->recurred_at_us + SOON_US)
            continue;
        if (n++ == c->later_done)
            return arena_str(&c->p.sim->arena, id).p;
    }
    return NULL;
}

static void on_listed(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    SIM_EXPECT(p->sim, a->status == 200 && a->is_json, "a recurrence is there for its owner",
               "%s: %.*s was answered with %d", p->user_id, STR_ARG(c->recurrence_path), a->status);
    if (!a->is_json)
        return;
    SIM_EXPECT(p->sim, str_is(sim_json_str(a->json, "state"), "ended"), "what has ended has ended",
               "%.*s: %.*s", STR_ARG(c->recurrence_path), STR_ARG(a->body));
    const char *id = next_later(c, a->json);
    if (id == NULL) {
        sim_customer_finish(c);
        return;
    }
    struct sim_request r = {.service = SIM_BOOKING,
                            .method = "POST",
                            .path = arena_printf(&p->sim->arena, "/v1/bookings/%s/cancel", id),
                            .body = STR("{}"),
                            .key = sim_new_key(p->sim)};
    sim_slot_send(&p->slot, &r, on_cancelled);
}

static void clean_up(struct sim *sim, void *arg, uint64_t token) {
    struct customer *c = arg;
    (void)sim;
    if (c->p.step != token)
        return;
    if (c->p.slot.busy)
        clean_up_later(c);
    else
        send(c, "GET", "", STR_NONE, on_listed);
}

static void clean_up_later(struct customer *c) {
    c->p.step++;
    sim_after(c->p.sim, US_PER_S, clean_up, c, c->p.step);
}

static void on_ended(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 204, "a recurrence can be ended", "%s got %d: %.*s", p->user_id,
               a->status, STR_ARG(a->body));
    clean_up_later((struct customer *)p);
}

/* ---- until then ---- */

static void on_acted(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409 || a->status == 422,
               "a recurrence is at its owner's hand", "%s got %d: %.*s", p->user_id, a->status,
               STR_ARG(a->body));
    look_later((struct customer *)p);
}

static void act(struct customer *c) {
    struct sim *sim = c->p.sim;
    struct str date = date_of(sim, rng_between(&sim->rng, 0, 4));
    switch (rng_below(&sim->rng, 6)) {
    case 0:
        send(c, "POST", sim_chance(sim, 0.7) ? "/skip" : "/unskip",
             arena_printf(&sim->arena, "{\"date\":\"%.*s\"}", STR_ARG(date)), on_acted);
        return;
    case 1:
        send(c, "POST", "/book",
             arena_printf(&sim->arena, "{\"date\":\"%.*s\",\"total\":%lld}", STR_ARG(date),
                          (long long)rng_between(&sim->rng, 5000, 200000)),
             on_acted);
        return;
    case 2:
        send(c, "PATCH", "",
             arena_printf(&sim->arena, "{\"paused\":%s}", sim_chance(sim, 0.5) ? "true" : "false"),
             on_acted);
        return;
    case 3:
        send(c, "PATCH", "",
             arena_printf(&sim->arena, "{\"price_max\":%lld,\"paused\":false}",
                          (long long)rng_between(&sim->rng, 0, 50000)),
             on_acted);
        return;
    default:
        send(c, "GET", "", STR_NONE, on_acted);
    }
}

static void look(struct sim *sim, void *arg, uint64_t token) {
    struct customer *c = arg;
    (void)sim;
    if (c->p.step != token)
        return;
    if (c->p.slot.busy)
        look_later(c);
    else if (c->looks-- > 0)
        act(c);
    else
        send(c, "DELETE", "", STR_NONE, on_ended);
}

static void look_later(struct customer *c) {
    c->p.step++;
    sim_after(c->p.sim, LOOK_US, look, c, c->p.step);
}

static void on_made(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    SIM_EXPECT(p->sim, a->status == 201 && a->is_json, "what recurs is taken", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
    if (!a->is_json)
        return;
    c->recurrence_path =
        arena_printf(&p->sim->arena, "/v1/recurrences/%.*s", STR_ARG(sim_json_str(a->json, "id")));
    look_later(c);
}

static double near(struct sim *sim, double middle, double width) {
    return middle + (rng_unit(&sim->rng) - 0.5) * width;
}

void sim_recurrence_send(struct customer *c) {
    struct sim *sim = c->p.sim;
    int64_t from = sim->now_us / MINUTE_US + rng_between(&sim->rng, 4, 9);
    int64_t to = from + rng_between(&sim->rng, 15, 20);
    struct buf body;
    buf_init(&body, &sim->arena, 512);
    buf_printf(&body,
               "{\"stops\":[{\"lat\":%.5f,\"lng\":%.5f},{\"lat\":%.5f,\"lng\":%.5f}],\"vehicle\":"
               "\"van\",\"weekdays\":[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\",\"sat\",\"sun\"],"
               "\"pickup\":{\"from\":\"%02d:%02d\",\"to\":\"%02d:%02d\"}",
               near(sim, 57.70, 0.04), near(sim, 11.97, 0.08), near(sim, 57.70, 0.04),
               near(sim, 11.97, 0.08), (int)(from % DAY_MIN / 60), (int)(from % 60),
               (int)(to % DAY_MIN / 60), (int)(to % 60));
    if (sim_chance(sim, 0.5))
        buf_printf(&body, ",\"price_max\":%lld", (long long)rng_between(&sim->rng, 5000, 50000));
    if (sim_chance(sim, 0.5))
        buf_printf(&body, ",\"times\":%lld", (long long)rng_between(&sim->rng, 1, 4));
    buf_add_char(&body, '}');
    c->looks = (int32_t)rng_between(&sim->rng, 1, 8);
    c->later_done = 0;
    c->recurred_at_us = sim->now_us;
    struct sim_request r = {.service = SIM_BOOKING,
                            .method = "POST",
                            .path = STR("/v1/recurrences"),
                            .body = buf_str(&body),
                            .key = sim_new_key(sim)};
    sim_slot_send(&c->p.slot, &r, on_made);
}
