/* Quotes: a firm price for some minutes. The network thread asks the router and the fleet and works
 * out the price of each class; what is sent to the executor is the finished document, so the
 * decision is only that it is new. A quote is trusted later because it is in the store, not because
 * the client has it.
 *
 * Customers ask, and staff for customers on the phone; a booking belongs to whoever books.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "geo/geo.h"
#include "services/booking/internal.h"

/* ---- the decision ---- */

static void decide_quote(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    if (state != NULL) { /* 80 random bits met */
        decision_problem(ret, cmd, PROBLEM_INTERNAL, "this quote exists; try again");
        return;
    }
    struct quote_set *set = arena_copy(ctx->arena, cmd->args, sizeof(struct quote_set));
    decision_state(ret, cmd, NULL, set);
    decision_json(ret, 201, quote_set_view(set, ctx->arena));
}

static void quote_applied(const struct command *cmd, const struct decision *d, const void *state) {
    (void)state;
    struct booking_service *s = cmd->service;
    if (d->state != NULL)
        atomic_fetch_add_explicit(&s->quotes, 1, memory_order_relaxed);
}

const struct command_type quote_create = {
    .name = "quote.create",
    .aggregate = &quote_aggregate,
    .decide = decide_quote,
    .applied = quote_applied,
};

/* ---- the handler ---- */

static bool all_one_place(const struct quote_body *body) {
    for (int32_t i = 1; i < body->stop_count; i++) {
        if (body->stops[i].lat_e7 != body->stops[0].lat_e7 ||
            body->stops[i].lng_e7 != body->stops[0].lng_e7)
            return false;
    }
    return true;
}

/* False: replied. */
static bool body_fits(struct call *c, const struct booking_service *s,
                      const struct quote_body *body) {
    struct field_errors errors = {0};
    if (all_one_place(body))
        field_errors_add(&errors, &c->arena, STR("/stops"), "are all at the same place");
    if (body->vehicle != VEHICLE_NONE &&
        s->o.tariffs->classes[body->vehicle].vehicle == VEHICLE_NONE)
        field_errors_add(&errors, &c->arena, STR("/vehicle"),
                         "%s is not on offer here; one of %.*s", vehicle_names[body->vehicle],
                         STR_ARG(tariffs_classes(s->o.tariffs, &c->arena)));
    if (errors.count > 0) {
        call_invalid(c, &errors);
        return false;
    }
    area_check(s->o.area, (int64_t)s->o.trip_max_km * 1000, body->stops, body->stop_count,
               &c->arena, &errors);
    if (errors.count > 0) {
        struct str detail = arena_printf(&c->arena, "%d of %d stops cannot be served",
                                         errors.count + errors.more, body->stop_count);
        problem_fill_more(&c->response, &c->arena, c->request_id, PROBLEM_OUTSIDE_SERVICE_AREA,
                          detail, &errors, STR_NONE, 0);
        c->reply(c);
        return false;
    }
    return true;
}

/* How soon the nearest free driver of the class can be there; I64_ABSENT: nobody knows. */
static int64_t pickup_eta_s(const struct booking_service *s, struct point pickup,
                            enum vehicle vehicle) {
    struct fleet *fleet = s->o.fleet;
    struct fleet_position nearest;
    if (fleet == NULL || fleet->ops->nearest_free(fleet, pickup, vehicle, &nearest) < 0)
        return I64_ABSENT;
    struct router_leg leg;
    s->o.router->ops->many_to_one(s->o.router, &nearest.at, 1, pickup, vehicle, &leg);
    return leg.duration_s;
}

static void fill_quote(struct call *c, const struct booking_service *s, const struct point *stops,
                       int32_t stop_count, enum vehicle vehicle, struct quote *q) {
    struct route route = {0};
    s->o.router->ops->route(s->o.router, stops, stop_count, vehicle, true, &c->arena, &route);
    *q = (struct quote){.vehicle = (int32_t)vehicle,
                        .estimate = route.estimate,
                        .distance_m = route.distance_m,
                        .duration_s = route.duration_s,
                        .pickup_eta_s = pickup_eta_s(s, stops[0], vehicle),
                        .price.currency = str_from(s->o.tariffs->currency),
                        .polyline = polyline_encode(route.points, route.point_count, &c->arena)};
    price_compute(&s->o.tariffs->classes[vehicle], q->distance_m, q->duration_s, stop_count,
                  &c->arena, &q->price);
}

void handle_quotes(struct call *c) {
    const struct booking_service *s = c->service;
    const struct quote_body *body = c->body;
    if (!body_fits(c, s, body))
        return;
    struct quote_set *set = arena_new(&c->arena, struct quote_set);
    *set = (struct quote_set){.customer_id = c->who.user_id,
                              .created_at_us = c->now_us,
                              .expires_at_us = c->now_us + s->o.quote_ttl_us,
                              .stops = body->stops,
                              .stop_count = body->stop_count,
                              .quotes = arena_array(&c->arena, struct quote, VEHICLE_COUNT)};
    struct point stops[STOPS_MAX];
    CHECK(body->stop_count <= STOPS_MAX);
    for (int32_t i = 0; i < body->stop_count; i++)
        stops[i] = place_point(&body->stops[i]);
    for (int32_t v = VEHICLE_NONE + 1; v < VEHICLE_COUNT; v++) {
        bool wanted = body->vehicle == VEHICLE_NONE || body->vehicle == v;
        if (wanted && s->o.tariffs->classes[v].vehicle != VEHICLE_NONE)
            fill_quote(c, s, stops, body->stop_count, (enum vehicle)v,
                       &set->quotes[set->quote_count++]);
    }
    struct str id = id_new(&c->arena, "qte", c->now_us, c->worker->rng);
    call_command(c, &quote_create, id_variant(&c->arena, id, 0), set);
}

void handle_tariffs(struct call *c) {
    const struct booking_service *s = c->service;
    call_json(c, 200, tariffs_json(s->o.tariffs, &c->arena));
}
