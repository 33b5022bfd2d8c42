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
#include "services/booking/promo.h"
#include "services/booking/schedule.h"

/* ---- the decision ---- */

static void decide_quote(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    if (state != NULL) { /* 80 random bits met */
        decision_problem(ret, cmd, PROBLEM_INTERNAL, "this quote exists; try again");
        return;
    }
    struct quote_set *set = arena_copy(ctx->arena, cmd->args, sizeof(struct quote_set));
    if (set->refused != NULL) {
        struct field_errors errors = {0};
        enum problem problem = (enum problem)set->refused->problem;
        field_errors_add(&errors, cmd->arena, STR("/promo_code"), "%.*s",
                         STR_ARG(set->refused->why));
        problem_fill_more(&ret->response, cmd->arena, cmd->request_id, problem,
                          str_from(promo_words(problem)), &errors, STR_NONE, 0);
        return;
    }
    decision_state(ret, cmd, NULL, set);
    const struct booking_service *s = cmd->service;
    decision_json(ret, 201, quote_set_view(set, s->o.collect_max, ctx->arena));
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

void check_quote(struct call *c, const void *data, struct field_errors *errors) {
    const struct quote_body *body = data;
    schedule_check(c->service, body->pickup_window, c->now_us, "/pickup_window", &c->arena, errors);
    goods_check(body->goods, body->goods_count, &c->arena, errors);
}

static bool all_one_place(const struct quote_body *body) {
    for (int32_t i = 1; i < body->stop_count; i++) {
        if (body->stops[i].lat_e7 != body->stops[0].lat_e7 ||
            body->stops[i].lng_e7 != body->stops[0].lng_e7)
            return false;
    }
    return true;
}

static void body_faults(const struct quote_body *body, const struct tariffs *t, struct arena *a,
                        struct field_errors *errors) {
    if (all_one_place(body))
        field_errors_add(errors, a, STR("/stops"), "are all at the same place");
    if (body->vehicle != VEHICLE_NONE && !tariffs_offers(t, body->vehicle))
        field_errors_add(errors, a, STR("/vehicle"), "%s is not on offer here; one of %.*s",
                         vehicle_names[body->vehicle], STR_ARG(tariffs_classes(t, a)));
}

/* False: replied. */
static bool body_fits(struct call *c, const struct quote_body *body, const struct tariffs *t) {
    struct field_errors errors = {0};
    body_faults(body, t, &c->arena, &errors);
    if (errors.count > 0) {
        call_invalid(c, &errors);
        return false;
    }
    return true;
}

struct str quote_outside(const struct area_book *book, const struct place *stops,
                         int32_t stop_count, struct arena *a) {
    struct buf out;
    struct jw w;
    if (book->area == NULL)
        return STR_NONE;
    buf_init(&out, a, book->shown.len + 256);
    buf_add_cstr(&out, "\"boundary\":");
    buf_add_str(&out, book->shown);
    buf_add_cstr(&out, ",\"outside\":");
    jw_init(&w, &out);
    jw_array(&w);
    for (int32_t i = 0; i < stop_count; i++) {
        struct point at = place_point(&stops[i]), nearest;
        if (area_has(book->area, at))
            continue;
        double far_m = area_nearest_m(book->area, at, &nearest);
        jw_object(&w);
        jw_kv_i64(&w, "stop", i);
        jw_key(&w, "nearest");
        jw_object(&w);
        jw_kv_point(&w, nearest);
        jw_end(&w);
        jw_kv_i64(&w, "distance_m", (int64_t)far_m);
        jw_end(&w);
    }
    jw_end(&w);
    return buf_str(&out);
}

/* False: replied. */
static bool stops_served(struct call *c, struct booking_service *s, const struct quote_body *body) {
    struct field_errors errors = {0};
    struct area_book *book = shelf_take(&s->area);
    struct str more = STR_NONE;
    area_check(book->area, (int64_t)s->o.trip_max_km * 1000, body->stops, body->stop_count,
               &c->arena, &errors);
    if (errors.count > 0)
        more = quote_outside(book, body->stops, body->stop_count, &c->arena);
    shelf_give(&s->area, book);
    if (errors.count == 0)
        return true;
    struct str detail = arena_printf(&c->arena, "%d of %d stops cannot be served",
                                     errors.count + errors.more, body->stop_count);
    problem_fill_more(&c->response, &c->arena, c->request_id, PROBLEM_OUTSIDE_SERVICE_AREA, detail,
                      &errors, more, 0);
    c->reply(c);
    return false;
}

int64_t booking_pickup_eta_s(const struct booking_service *s, struct point pickup,
                             enum vehicle vehicle) {
    struct fleet *fleet = s->o.fleet;
    struct fleet_position nearest;
    if (fleet == NULL || fleet->ops->nearest_free(fleet, pickup, vehicle, &nearest) < 0)
        return I64_ABSENT;
    struct router_leg leg;
    s->o.router->ops->many_to_one(s->o.router, &nearest.at, 1, pickup, vehicle, &leg);
    return leg.duration_s;
}

static struct str kept(struct arena *a, struct str s) {
    return s.p != NULL ? arena_str(a, s) : s;
}

static void fill_terms(const struct booking_service *s, const struct tariffs *t,
                       const struct tariff *rate, struct arena *a, struct str zone,
                       struct terms *ret) {
    bool waits = rate->waiting_per_minute > 0;
    const struct cancel_terms *cancel = t->cancellation;
    bool late = cancel != NULL && cancel->late_minutes != I64_ABSENT && cancel->late_percent > 0;
    *ret = (struct terms){
        .tariff_version = t->number,
        .zone = kept(a, zone),
        .commission_bp = t->commission_bp != I64_ABSENT ? t->commission_bp
                                                        : (int64_t)s->o.commission_percent * 100,
        .waiting_free_minutes = waits ? rate->waiting_free_minutes : I64_ABSENT,
        .waiting_per_minute = waits ? rate->waiting_per_minute : I64_ABSENT,
        .cancel_free_minutes = cancel != NULL ? cancel->free_minutes : I64_ABSENT,
        .cancel_assigned_percent = cancel != NULL ? cancel->assigned_percent : I64_ABSENT,
        .cancel_arrived_percent = cancel != NULL ? cancel->arrived_percent : I64_ABSENT,
        .cancel_late_minutes = late ? cancel->late_minutes : I64_ABSENT,
        .cancel_late_percent = late ? cancel->late_percent : I64_ABSENT,
        .return_percent = t->returns != NULL ? t->returns->percent : I64_ABSENT,
        .return_per_km = t->returns != NULL ? rate->per_km : I64_ABSENT,
        .return_per_minute = t->returns != NULL ? rate->per_minute : I64_ABSENT};
}

bool quote_price(const struct booking_service *s, const struct tariff_version *v,
                 struct point pickup, int64_t pickup_us, int32_t stop_count, int64_t surge_percent,
                 struct arena *a, struct quote *q) {
    const struct tariffs *t = v->t;
    struct str zone;
    struct pricing in = {.rate = tariffs_rate(t, (enum vehicle)q->vehicle, pickup, &zone),
                         .distance_m = q->distance_m,
                         .duration_s = q->duration_s,
                         .stop_count = stop_count,
                         .surge_percent = surge_percent,
                         .taxes = t->taxes,
                         .tax_count = t->tax_count,
                         .taxes_included = t->taxes_included};
    if (in.rate == NULL)
        return false;
    in.time_code = tariffs_time(t, &v->zone, pickup_us, &in.time_percent);
    q->price.currency = kept(a, t->currency);
    price_compute(&in, a, &q->price);
    for (int32_t i = 0; i < q->price.tax_count; i++) /* the tariff may go before the quote does */
        q->price.taxes[i].name = kept(a, q->price.taxes[i].name);
    fill_terms(s, t, in.rate, a, zone, &q->terms);
    q->capacity = (struct capacity){.kg = in.rate->capacity_kg, .l = in.rate->capacity_l};
    return true;
}

/* False: this class is not on offer there. */
static bool fill_quote(const struct quote_ask *ask, const struct tariff_version *v,
                       const struct point *stops, enum vehicle vehicle, struct quote *q) {
    struct booking_service *s = ask->service;
    int32_t stop_count = ask->body->stop_count;
    const struct window *window = ask->body->pickup_window;
    bool later = schedule_waits(s, window, ask->now_us);
    int64_t demand_milli, supply_milli;
    struct route route = {0};
    s->o.router->ops->route(s->o.router, stops, stop_count, vehicle, true, ask->arena, &route);
    *q = (struct quote){.vehicle = (int32_t)vehicle,
                        .estimate = route.estimate,
                        .distance_m = route.distance_m,
                        .duration_s = route.duration_s,
                        .polyline = polyline_encode(route.points, route.point_count, ask->arena)};
    surge_at(&s->surge, stops[0], vehicle, &demand_milli, &supply_milli);
    int64_t surge_percent = later ? 0 : tariffs_surge(v->t, demand_milli, supply_milli);
    int64_t pickup_us = window != NULL ? window->from_us : ask->now_us;
    if (!quote_price(s, v, stops[0], pickup_us, stop_count, surge_percent, ask->arena, q))
        return false;
    q->pickup_eta_s = later ? I64_ABSENT : booking_pickup_eta_s(s, stops[0], vehicle);
    return true;
}

/* The price of Q with what P takes off, or why it takes nothing. */
static void discount_quote(const struct promo *p, const struct discount *d, struct arena *a,
                           struct quote *q) {
    q->promo_unfit = promo_unfit(p, q->vehicle, q->terms.zone, &q->price, a);
    if (q->promo_unfit.p == NULL)
        price_promo(&q->price, d, a, &q->price);
}

static void discount_set(const struct promo *p, struct arena *a, struct quote_set *set) {
    if (p == NULL)
        return;
    set->promo = arena_new(a, struct discount);
    *set->promo = promo_discount(p);
    for (int32_t i = 0; i < set->quote_count; i++)
        discount_quote(p, set->promo, a, &set->quotes[i]);
}

/* The code of SET is for none of its quotes: that is the answer. */
static void refuse_useless(struct arena *a, struct quote_set *set) {
    struct promo_refusal *r = arena_new(a, struct promo_refusal);
    *r = (struct promo_refusal){PROBLEM_PROMO_NOT_FOR_THIS, STR("takes nothing off")};
    for (int32_t i = 0; i < set->quote_count; i++) {
        if (price_discount(&set->quotes[i].price) > 0)
            return;
        r->why = set->quotes[i].promo_unfit.p != NULL ? set->quotes[i].promo_unfit : r->why;
    }
    set->refused = r;
}

/* Takes the class what is to be carried? If it is on offer there and does not, SET remembers why.
 */
static bool carries(const struct tariffs *t, struct point pickup, int32_t vehicle,
                    const struct ev_load *load, struct arena *a, struct quote_set *set) {
    struct str zone;
    const struct tariff *rate = tariffs_rate(t, (enum vehicle)vehicle, pickup, &zone);
    if (rate == NULL)
        return true; /* another matter */
    struct str why = goods_unfit(load, vehicle, rate_capacity(rate), a);
    if (why.p == NULL)
        return true;
    set->unfit[set->unfit_count++] = (struct unfit){vehicle, why};
    return false;
}

/* Without a quote: no class that was wanted is on offer where it begins, or takes the goods. */
static struct quote_set *make_set(const struct quote_ask *ask, const struct tariff_version *v) {
    const struct booking_service *s = ask->service;
    const struct quote_body *body = ask->body;
    struct arena *a = ask->arena;
    struct quote_set *set = arena_new(a, struct quote_set);
    *set = (struct quote_set){.customer_id = ask->customer_id,
                              .created_at_us = ask->now_us,
                              .expires_at_us = ask->now_us + s->o.quote_ttl_us,
                              .stops = body->stops,
                              .stop_count = body->stop_count,
                              .pickup_window = body->pickup_window,
                              .waits = schedule_waits(s, body->pickup_window, ask->now_us),
                              .goods = body->goods,
                              .goods_count = body->goods_count,
                              .unfit = arena_array(a, struct unfit, VEHICLE_COUNT),
                              .quotes = arena_array(a, struct quote, VEHICLE_COUNT)};
    struct ev_load load;
    goods_load(body->goods, body->goods_count, a, &load);
    struct point stops[STOPS_MAX];
    CHECK(body->stop_count >= STOPS_MIN && body->stop_count <= STOPS_MAX);
    for (int32_t i = 0; i < body->stop_count; i++)
        stops[i] = place_point(&body->stops[i]);
    for (int32_t vehicle = VEHICLE_NONE + 1; vehicle < VEHICLE_COUNT; vehicle++) {
        bool wanted = body->vehicle == VEHICLE_NONE || body->vehicle == vehicle;
        if (wanted && tariffs_offers(v->t, vehicle) &&
            carries(v->t, stops[0], vehicle, &load, a, set) &&
            fill_quote(ask, v, stops, (enum vehicle)vehicle, &set->quotes[set->quote_count]))
            set->quote_count++;
    }
    return set;
}

/* Those classes that take the goods, of all that are on offer at the pickup. */
static struct str fitting(const struct tariffs *t, const struct quote_body *body, struct arena *a) {
    struct quote_set none = {.unfit = arena_array(a, struct unfit, VEHICLE_COUNT)};
    struct point pickup = place_point(&body->stops[0]);
    struct ev_load load;
    struct str zone;
    struct buf out;
    buf_init(&out, a, 64);
    goods_load(body->goods, body->goods_count, a, &load);
    for (int32_t v = VEHICLE_NONE + 1; v < VEHICLE_COUNT; v++) {
        if (tariffs_rate(t, (enum vehicle)v, pickup, &zone) != NULL &&
            carries(t, pickup, v, &load, a, &none))
            buf_printf(&out, "%s%s", out.len > 0 ? ", " : "", vehicle_names[v]);
    }
    return out.len > 0 ? buf_str(&out) : STR("none of those on offer there");
}

/* What a new booking of the trip of B need not say again. */
static void take_over(const struct booking *b, struct arena *a, struct quote_set *set) {
    set->again_of = b->head.id;
    set->contact_count = booking_trip_stops(b);
    set->contacts = arena_array(a, struct contact_of, set->contact_count);
    for (int32_t i = 0; i < set->contact_count; i++)
        set->contacts[i] = (struct contact_of){b->stops[i].contact, b->stops[i].note};
    set->notes = b->notes;
    set->payment = b->payment;
}

/* There is no quote: why. */
static void no_quotes(const struct quote_body *body, const struct quote_set *set, struct str fit,
                      struct arena *a, struct field_errors *errors) {
    if (set->unfit_count > 0)
        field_errors_add(errors, a, STR("/goods"), "%.*s; what takes them: %.*s",
                         STR_ARG(set->unfit[set->unfit_count - 1].reason), STR_ARG(fit));
    else
        field_errors_add(errors, a,
                         body->vehicle != VEHICLE_NONE ? STR("/vehicle") : STR("/stops/0"),
                         "is not on offer where the trip begins");
}

struct quote_set *quote_alone(const struct quote_ask *ask, struct field_errors *errors) {
    struct booking_service *s = ask->service;
    const struct quote_body *body = ask->body;
    const struct window *window = body->pickup_window;
    struct quote_set *set = NULL;
    schedule_check(s, window, ask->now_us, "/pickup_window", ask->arena, errors);
    struct area_book *area = shelf_take(&s->area);
    area_check(area->area, (int64_t)s->o.trip_max_km * 1000, body->stops, body->stop_count,
               ask->arena, errors);
    shelf_give(&s->area, area);
    struct tariff_book *book = shelf_take(&s->tariffs);
    const struct tariff_version *v =
        tariff_book_at(book, window != NULL ? window->from_us : ask->now_us);
    body_faults(body, v->t, ask->arena, errors);
    if (errors->count == 0)
        set = make_set(ask, v);
    if (set != NULL && set->quote_count == 0) {
        no_quotes(body, set, fitting(v->t, body, ask->arena), ask->arena, errors);
        set = NULL;
    }
    shelf_give(&s->tariffs, book);
    return set;
}

/* AGAIN: the booking whose trip it is once more; NULL: a new one. */
static void answer_quotes(struct call *c, const struct booking *again) {
    struct booking_service *s = c->service;
    const struct quote_body *body = c->body;
    const struct promo *promo = NULL;
    const struct promo_refusal *refused = NULL;
    if (body->promo_code.p != NULL) {
        promo = promo_named(c, body->promo_code, &refused);
        if (promo == NULL && refused == NULL)
            return;
    }
    struct tariff_book *book = shelf_take(&s->tariffs);
    const struct window *window = body->pickup_window;
    const struct tariff_version *v =
        tariff_book_at(book, window != NULL ? window->from_us : c->now_us);
    struct quote_set *set = NULL;
    struct str fit = STR_NONE;
    bool fits = body_fits(c, body, v->t) && stops_served(c, s, body);
    if (fits)
        set = make_set(&(struct quote_ask){s, body, c->who.user_id, c->now_us, &c->arena}, v);
    if (fits && set->quote_count == 0)
        fit = fitting(v->t, body, &c->arena);
    shelf_give(&s->tariffs, book);
    if (!fits)
        return;
    if (set->quote_count == 0) {
        struct field_errors errors = {0};
        no_quotes(body, set, fit, &c->arena, &errors);
        call_invalid(c, &errors);
        return;
    }
    discount_set(promo, &c->arena, set);
    set->refused = refused;
    if (promo != NULL)
        refuse_useless(&c->arena, set);
    if (again != NULL)
        take_over(again, &c->arena, set);
    struct str id = id_new(&c->arena, "qte", c->now_us, c->worker->rng);
    call_command(c, &quote_create, id_variant(&c->arena, id, 0), set);
}

void handle_quotes(struct call *c) {
    answer_quotes(c, NULL);
}

void check_rebook(struct call *c, const void *data, struct field_errors *errors) {
    const struct rebook_body *body = data;
    schedule_check(c->service, body->pickup_window, c->now_us, "/pickup_window", &c->arena, errors);
}

/* The same stops, class and goods at today's price. Who may see a booking but has not booked it,
 * gets a quote of his own: staff do so for customers on the phone. */
void handle_rebook(struct call *c) {
    const struct rebook_body *asked = c->body;
    const struct booking *b = visible_booking(c);
    if (b == NULL)
        return;
    int32_t stop_count = booking_trip_stops(b);
    struct quote_body *body = arena_new(&c->arena, struct quote_body);
    *body = (struct quote_body){.stops = arena_array(&c->arena, struct place, stop_count),
                                .stop_count = stop_count,
                                .vehicle = b->vehicle,
                                .pickup_window = asked->pickup_window,
                                .goods = b->goods,
                                .goods_count = b->goods_count};
    for (int32_t i = 0; i < stop_count; i++)
        body->stops[i] = b->stops[i].place;
    c->body = body;
    answer_quotes(c, b);
}
