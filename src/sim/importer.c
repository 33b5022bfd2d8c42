/* A customer who sends a file instead of asking for one quote: some rows, one of which may be no
 * good. He looks how far it is, sometimes stops it, and goes on when it has ended. What becomes of
 * the bookings is left to dispatch.
 */
#include "sim/sim.h"

#define ROWS_MAX 6
#define LOOK_US (4 * US_PER_S)

static void look_later(struct customer *c);

static void on_looked(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    SIM_EXPECT(p->sim, a->status == 200 && a->is_json, "an import is there for its owner",
               "%s: %.*s was answered with %d", p->user_id, STR_ARG(c->import_path), a->status);
    if (!a->is_json)
        return;
    struct str state = sim_json_str(a->json, "state");
    struct json_value rows;
    if (str_is(state, "running") || str_is(state, "cancelling")) {
        look_later(c);
        return;
    }
    /* What came of no row is booked in another way. */
    if (json_get(a->json, "rows", &rows))
        c->left += (int32_t)(sim_json_i64(rows, "all") - sim_json_i64(rows, "booked"));
    sim_customer_finish(c);
}

static void on_stopped(struct person *p, const struct sim_answer *a) {
    SIM_EXPECT(p->sim, a->status == 200 || a->status == 409, "an import can be stopped",
               "%s got %d: %.*s", p->user_id, a->status, STR_ARG(a->body));
    look_later((struct customer *)p);
}

static void look(struct sim *sim, void *arg, uint64_t token) {
    struct customer *c = arg;
    struct sim_request r = {.service = SIM_BOOKING, .method = "GET", .path = c->import_path};
    if (c->p.step != token)
        return;
    if (c->p.slot.busy) {
        look_later(c);
        return;
    }
    if (sim_chance(sim, 0.1)) {
        r.method = "POST";
        r.path = arena_printf(&sim->arena, "%.*s/cancel", STR_ARG(c->import_path));
        r.key = sim_new_key(sim);
        sim_slot_send(&c->p.slot, &r, on_stopped);
        return;
    }
    sim_slot_send(&c->p.slot, &r, on_looked);
}

static void look_later(struct customer *c) {
    c->p.step++;
    sim_after(c->p.sim, LOOK_US, look, c, c->p.step);
}

static void on_sent(struct person *p, const struct sim_answer *a) {
    struct customer *c = (struct customer *)p;
    SIM_EXPECT(p->sim, a->status == 201 && a->is_json, "a file is taken", "%s got %d: %.*s",
               p->user_id, a->status, STR_ARG(a->body));
    if (!a->is_json)
        return;
    c->import_path = arena_printf(&p->sim->arena, "/v1/booking-imports/%.*s",
                                  STR_ARG(sim_json_str(a->json, "id")));
    look_later(c);
}

static double near(struct sim *sim, double middle, double width) {
    return middle + (rng_unit(&sim->rng) - 0.5) * width;
}

/* The notes say which row it is, for the oracle. */
void sim_import_send(struct customer *c) {
    struct sim *sim = c->p.sim;
    struct buf file;
    int32_t rows = c->left < ROWS_MAX ? c->left : ROWS_MAX;
    rows = (int32_t)rng_between(&sim->rng, 1, rows);
    int32_t bad = sim_chance(sim, 0.3) ? (int32_t)rng_between(&sim->rng, 1, rows) : 0;
    buf_init(&file, &sim->arena, 1024);
    buf_add_cstr(&file, "pickup_lat,pickup_lng,dropoff_lat,dropoff_lng,vehicle,notes\n");
    for (int32_t i = 1; i <= rows; i++)
        buf_printf(&file, "%.5f,%.5f,%.5f,%.5f,%s,row %d\n", near(sim, 57.70, 0.04),
                   near(sim, 11.97, 0.08), near(sim, 57.70, 0.04), near(sim, 11.97, 0.08),
                   i == bad ? "plane" : "van", i);
    c->left -= rows;
    struct sim_request r = {.service = SIM_BOOKING,
                            .method = "POST",
                            .path = STR("/v1/booking-imports"),
                            .body = buf_str(&file),
                            .type = "text/csv",
                            .key = sim_new_key(sim)};
    sim_slot_send(&c->p.slot, &r, on_sent);
}
