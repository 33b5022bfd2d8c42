/* Other stops: what is gathered for a change, what it would cost, and the decision. */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "geo/geo.h"
#include "runtime/audit.h"
#include "services/booking/collect.h"
#include "services/booking/fees.h"
#include "services/booking/price.h"
#include "services/booking/stops.h"

#include <string.h>

/* ---- bodies ---- */

static void check_kept(const struct stop_wish *w, int32_t i, struct arena *a,
                       struct field_errors *errors) {
    const struct {
        const char *member;
        bool there;
    } own[] = {{"lat", w->lat_e7 != DEG7_ABSENT}, {"lng", w->lng_e7 != DEG7_ABSENT},
               {"address", w->address.p != NULL}, {"contact", w->more.contact != NULL},
               {"proof", w->more.proof != NULL},  {"collect", w->more.collect != NULL},
               {"note", w->more.note.p != NULL}};
    for (size_t k = 0; k < COUNT_OF(own); k++) {
        if (own[k].there)
            field_errors_add(errors, a, arena_printf(a, "/stops/%d/%s", i, own[k].member),
                             "is of a new stop; this one is kept as it is, by its index");
    }
}

static void check_new(const struct booking_service *s, const struct stop_wish *w, int32_t i,
                      struct arena *a, struct field_errors *errors) {
    if (w->lat_e7 == DEG7_ABSENT)
        field_errors_add(errors, a, arena_printf(a, "/stops/%d/lat", i),
                         "is required of a stop without index");
    if (w->lng_e7 == DEG7_ABSENT)
        field_errors_add(errors, a, arena_printf(a, "/stops/%d/lng", i),
                         "is required of a stop without index");
    if (w->more.collect != NULL && w->more.collect->amount > s->o.collect_max)
        field_errors_add(errors, a, arena_printf(a, "/stops/%d/collect/amount", i),
                         "must be at most %lld", (long long)s->o.collect_max);
}

void check_stops(struct call *c, const void *data, struct field_errors *errors) {
    const struct stops_body *body = data;
    uint32_t named = 0;
    if (errors->count > 0)
        return; /* what is not there cannot be looked at */
    for (int32_t i = 0; i < body->stop_count; i++) {
        const struct stop_wish *w = &body->stops[i];
        if (w->index == I64_ABSENT) {
            check_new(c->service, w, i, &c->arena, errors);
            check_proof_kinds(c, i, &w->more, errors);
            continue;
        }
        check_kept(w, i, &c->arena, errors);
        if ((named & 1u << w->index) != 0)
            field_errors_add(errors, &c->arena, arena_printf(&c->arena, "/stops/%d/index", i),
                             "stands before it already");
        named |= 1u << w->index;
    }
}

/* ---- what is gathered ---- */

/* Of those that cannot be served only new ones count: the others were agreed on. */
static void look_where(struct booking_service *s, const struct stops_body *body,
                       const struct place *places, struct arena *a, struct stops_facts *f) {
    struct area_book *book = shelf_take(&s->area);
    for (int32_t i = 0; i < body->stop_count; i++) {
        if (body->stops[i].index == I64_ABSENT)
            area_check_stop(book->area, (int64_t)s->o.trip_max_km * 1000, places, body->stop_count,
                            i, a, &f->outside);
    }
    if (f->outside.count > 0)
        f->outside_more = quote_outside(book, places, body->stop_count, a);
    shelf_give(&s->area, book);
}

/* The version of the tariffs that B was made under, or, of one from before there were versions,
 * that of its time. It lives in A, or until BOOK is given back. */
static int own_tariffs(struct call *c, const struct tariff_book *book, const struct booking *b,
                       const struct tariffs **ret) {
    const struct booking_service *s = c->service;
    int64_t number = b->terms.tariff_version;
    void *state;
    *ret = number == 1 ? s->o.tariffs : tariff_book_at(book, b->created_at_us)->t;
    if ((*ret)->number == number || number <= 0)
        return 0;
    int err = aggregate_get(&tariff_aggregate, c->worker->reader, c->worker->parser,
                            tariff_id(&c->arena, number), &c->arena, &state);
    if (err == 0)
        *ret = state;
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int look_at_price(struct call *c, const struct booking *b, const struct stops_body *body,
                         const struct place *places, struct stops_facts *f) {
    struct booking_service *s = c->service;
    struct point points[STOPS_MAX];
    struct route route = {0};
    const struct tariffs *t;
    struct str zone;
    for (int32_t i = 0; i < body->stop_count; i++)
        points[i] = place_point(&places[i]);
    s->o.router->ops->route(s->o.router, points, body->stop_count, (enum vehicle)b->vehicle, true,
                            &c->arena, &route);
    struct tariff_book *book = shelf_take(&s->tariffs);
    int err = own_tariffs(c, book, b, &t);
    const struct tariff *rate =
        err == 0 ? tariffs_rate(t, (enum vehicle)b->vehicle, points[0], &zone) : NULL;
    f->offered = rate != NULL;
    f->estimate = route.estimate;
    f->distance_m = route.distance_m;
    f->duration_s = route.duration_s;
    f->polyline = polyline_encode(route.points, route.point_count, &c->arena);
    if (f->offered)
        stops_price(b, rate, f->distance_m, f->duration_s, body->stop_count, &c->arena, &f->price);
    shelf_give(&s->tariffs, book);
    return err;
}

/* All that is to be known of what BODY wants of B, if that can be had at all. */
static int gather(struct call *c, const struct booking *b, const struct stops_body *body,
                  struct stops_facts *f) {
    struct field_errors errors = {0};
    struct place places[STOPS_MAX];
    stops_check(b, body, &c->arena, &errors);
    if (errors.count > 0 || booking_stops_revision(b) != body->revision)
        return 0;
    stops_places(b, body, places);
    f->gathered = true;
    f->of = b;
    look_where(c->service, body, places, &c->arena, f);
    return look_at_price(c, b, body, places, f);
}

/* ---- the decision ---- */

struct stops_args {
    const struct stops_body *body;
    struct create_body asked; /* contacts and proof, stop by stop, as a new booking has them */
};

static void fill_args(const struct stops_body *body, struct arena *a, struct stops_args *ret) {
    static struct str none[] = {{"none", 4}};
    ret->body = body;
    ret->asked = (struct create_body){.stops = arena_array(a, struct stop_body, body->stop_count),
                                      .stop_count = body->stop_count};
    for (int32_t i = 0; i < body->stop_count; i++)
        ret->asked.stops[i] = body->stops[i].index == I64_ABSENT
                                  ? body->stops[i].more
                                  : (struct stop_body){.proof = none, .proof_count = 1};
}

static int load_stops(struct command *cmd, struct store *store, int64_t now_us) {
    const struct stops_args *args = cmd->args;
    struct stops_facts *f = cmd->facts;
    (void)store;
    (void)now_us;
    if (!f->drawn)
        f->secrets = proof_secrets(cmd->service, &args->asked, args->body->stop_count, cmd->arena);
    f->drawn = true;
    return 0;
}

/* Is it a change of the stops that there are, and may there be one more? False: RET has the
 * problem. */
static bool may_change(const struct command *cmd, const struct booking *b,
                       const struct stops_body *body, unsigned hats, struct decision *ret) {
    struct field_errors errors = {0};
    struct booking_ask ask = booking_ask_of(b, ACTION_CHANGE_STOPS, hats);
    int64_t revision = booking_stops_revision(b);
    int32_t to;
    ask.has_reason = body->reason.p != NULL;
    enum verdict v = booking_judge(&ask, &to);
    if (v != VERDICT_OK) {
        booking_refuse(b, cmd, &ask, v, "changing the stops", ret);
        return false;
    }
    if (revision != body->revision) {
        problem_fill_more(&ret->response, cmd->arena, cmd->request_id, PROBLEM_VERSION_CONFLICT,
                          STR("its stops are others by now"), NULL,
                          arena_printf(cmd->arena, "\"stops_revision\":%lld", (long long)revision),
                          0);
        return false;
    }
    stops_check(b, body, cmd->arena, &errors);
    if (errors.count > 0)
        problem_fill_invalid(&ret->response, cmd->arena, cmd->request_id, &errors);
    return errors.count == 0;
}

/* Is what was gathered good for B as it is by now? Offers, positions and the driver's way change
 * its version, and not what the trip costs; waiting does, and another time for the pickup. */
static bool is_good_for(const struct stops_facts *f, const struct booking *b) {
    if (!f->gathered || f->of->terms.tariff_version != b->terms.tariff_version ||
        f->of->price.total != b->price.total || f->of->price.item_count != b->price.item_count)
        return false;
    for (int32_t i = 0; i < b->price.item_count; i++) {
        const struct price_item *then = &f->of->price.items[i], *now = &b->price.items[i];
        if (then->code != now->code || then->quantity != now->quantity ||
            then->amount != now->amount)
            return false;
    }
    return true;
}

/* What is asked for the customer at B's stops, and what would be. */
static int64_t asked_before(const struct booking *b) {
    int64_t sum = 0;
    for (int32_t i = 0; i < b->stop_count; i++)
        sum +=
            b->stops[i].cash != NULL && b->stops[i].cash->asked > 0 ? b->stops[i].cash->asked : 0;
    return sum;
}
static int64_t asked_then(const struct booking *b, const struct stops_body *body) {
    int64_t sum = 0;
    for (int32_t i = 0; i < body->stop_count; i++) {
        const struct stop_wish *w = &body->stops[i];
        const struct stop_cash *cash = w->index != I64_ABSENT ? b->stops[w->index].cash : NULL;
        sum += cash != NULL && cash->asked > 0 ? cash->asked
               : w->more.collect != NULL       ? w->more.collect->amount
                                               : 0;
    }
    return sum;
}

/* How much cash a driver may hold is looked at when he is asked. Who has it already was asked for
 * what there was to be taken then: for more the office asks him. */
static bool asks_driver_for_more(const struct command *cmd, const struct booking *b,
                                 const struct stops_body *body, unsigned hats,
                                 struct decision *ret) {
    const struct booking_service *s = cmd->service;
    if (s->o.cash_limit <= 0 || b->driver == NULL || (hats & HAT_STAFF) != 0 ||
        asked_then(b, body) <= asked_before(b))
        return false;
    for (int32_t i = 0; i < body->stop_count; i++) {
        if (body->stops[i].more.collect != NULL) {
            decision_invalid(ret, cmd, arena_printf(cmd->arena, "/stops/%d/collect", i).p,
                             "its driver takes no more cash than he took it with; the office may "
                             "ask him for more");
            return true;
        }
    }
    return false;
}

/* True: RET has what was in the way of the change itself. */
static bool stands_against(const struct command *cmd, const struct booking *b,
                           const struct stops_body *body, unsigned hats, struct decision *ret) {
    const struct stops_facts *f = cmd->facts;
    if (booking_stops_revision(b) >= STOPS_CHANGES_MAX) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_CHANGES,
                         "its stops were changed %d times, which is as often as they may be",
                         STOPS_CHANGES_MAX);
    } else if (!is_good_for(f, b)) {
        decision_problem(ret, cmd, PROBLEM_VERSION_CONFLICT, "it has changed meanwhile; try again");
    } else if (f->outside.count > 0) {
        problem_fill_more(&ret->response, cmd->arena, cmd->request_id, PROBLEM_OUTSIDE_SERVICE_AREA,
                          arena_printf(cmd->arena, "%d of %d stops cannot be served",
                                       f->outside.count + f->outside.more, body->stop_count),
                          &f->outside, f->outside_more, 0);
    } else if (!f->offered) {
        decision_invalid(ret, cmd, "/stops", "there is no price for them any more");
    } else if (asks_driver_for_more(cmd, b, body, hats, ret)) {
        return true;
    } else {
        int64_t agreed = body->total != I64_ABSENT ? body->total : b->price.total;
        int64_t total = stops_agreed(b, hats, &f->price)->total;
        if (total <= agreed)
            return false;
        booking_price_changed(cmd, b, total, "with these stops it costs more", ret);
    }
    return true;
}

/* The stops, and what is asked for at the new ones. */
static void take_stops(struct edit *e, const struct stops_args *args) {
    const struct stops_body *body = args->body;
    const struct stops_facts *f = e->cmd->facts;
    struct arena *a = e->ctx->arena;
    struct booking *b = e->b;
    struct booking_stop *stops = arena_array(a, struct booking_stop, body->stop_count);
    for (int32_t i = 0; i < body->stop_count; i++) {
        const struct stop_wish *w = &body->stops[i];
        stops[i] =
            w->index != I64_ABSENT
                ? e->old->stops[w->index]
                : (struct booking_stop){.place = {w->lat_e7, w->lng_e7, w->address},
                                        .contact = w->more.contact,
                                        .note = w->more.note.len > 0 ? w->more.note : STR_NONE,
                                        .state = STOP_PENDING};
        if (w->index != i)
            stops[i].since = body->revision + 1;
    }
    b->stops = stops;
    b->stop_count = body->stop_count;
    e->own_stops = true;
    const struct create_facts secrets = {.stops = f->secrets};
    proof_demand(e->cmd->service, &args->asked, &secrets, a, b);
    collect_ask(&args->asked, a, b);
}

/* "[0,2,null]": which stop each one was. */
static struct str from_text(const struct stops_body *body, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 64);
    jw_init(&w, &out);
    jw_array(&w);
    for (int32_t i = 0; i < body->stop_count; i++) {
        if (body->stops[i].index == I64_ABSENT)
            jw_null(&w);
        else
            jw_i64(&w, body->stops[i].index);
    }
    jw_end(&w);
    return buf_str(&out);
}

/* Who was being asked was asked for another trip: he may be asked for this one. A dispatcher's
 * choice stands. */
static void take_offers_back(struct edit *e) {
    for (int32_t i = e->b->offer_count - 1; i >= 0; i--) {
        if (!e->b->offers[i].wanted)
            edit_close_offer(e, i, CLOSE_CHANGED);
    }
    edit_lapse(e);
}

static void change(struct edit *e, const struct stops_args *args, unsigned hats) {
    const struct stops_facts *f = e->cmd->facts;
    struct booking *b = e->b;
    edit_move(e, ACTION_CHANGE_STOPS, hats);
    take_stops(e, args);
    b->stops_revision = booking_stops_revision(e->old) + 1;
    if (fees_run(e->old, e->ctx->now_us)) /* a shorter trip avoids no fee */
        b->fee_total = fees_base(e->old);
    b->price = *stops_agreed(e->old, hats, &f->price);
    b->earning = price_earning(price_gross(&b->price), b->terms.commission_bp);
    b->distance_m = f->distance_m;
    b->duration_s = f->duration_s;
    b->estimate = f->estimate;
    edit_event(e, ENTRY_STOPS_CHANGED, NULL);
    struct timeline_entry *entry = edit_entry(e, ENTRY_STOPS_CHANGED);
    entry->reason = args->body->reason;
    entry->from = from_text(args->body, e->ctx->arena);
    take_offers_back(e);
}

static void decide_stops(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    static const char *const audited[] = {"stops_revision", "distance_m", "earning", NULL};
    const struct booking *b = state;
    const struct stops_args *args = cmd->args;
    const struct stops_body *body = args->body;
    unsigned hats = b != NULL ? booking_hats(b, &cmd->who) : 0;
    if (!booking_at_hand(b, cmd, hats, body->version, ret))
        return;
    CHECK(b != NULL);
    if (!may_change(cmd, b, body, hats, ret))
        return;
    if (stops_same(b, body)) {
        booking_unchanged(b, cmd, ctx, ret);
        return;
    }
    if (stands_against(cmd, b, body, hats, ret))
        return;
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    change(&e, args, hats);
    edit_commit(&e, ret);
    if ((hats & HAT_CUSTOMER) == 0)
        decision_audit(ret, cmd, ctx, "booking.stops_changed", b, e.b,
                       &(struct audit_more){.kept = true, .only = audited, .reason = body->reason});
    edit_reply(&e, ret, 200);
}

const struct command_type booking_change_stops = {
    .name = "booking.change_stops",
    .aggregate = &booking_aggregate,
    .load = load_stops,
    .decide = decide_stops,
    .applied = booking_applied,
};

/* ---- the handlers ---- */

/* Whatever stands in the way, the command is sent: the request may be one that was answered
 * before. */
void handle_stops(struct call *c) {
    const struct stops_body *body = c->body;
    struct stops_facts *f = arena_new(&c->arena, struct stops_facts);
    struct stops_args *args = arena_new(&c->arena, struct stops_args);
    void *state = NULL;
    if (!id_valid(c->params[0], "bkg")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such booking");
        return;
    }
    int err = aggregate_get(&booking_aggregate, c->worker->reader, c->worker->parser, c->params[0],
                            &c->arena, &state);
    if (err == 0 && booking_visible(booking_hats(state, &c->who)))
        err = gather(c, state, body, f);
    if (err < 0 && err != ERR_NOT_FOUND) {
        call_error(c, err);
        return;
    }
    fill_args(body, &c->arena, args);
    struct command *cmd = call_command_new(c, &booking_change_stops, c->params[0], args);
    if (cmd == NULL)
        return;
    cmd->facts = f;
    call_command_send(c, cmd);
}

/* When its driver would be at the last of PLACES, by road from where he is and without the time at
 * stops; of one that waits for him, from when he will be at its pickup. 0: nobody is on his way, or
 * there is nothing to go to. */
static int64_t arrival_us(struct call *c, const struct booking *b, const struct place *places,
                          int32_t count) {
    struct router *r = ((struct booking_service *)c->service)->o.router;
    struct point points[STOPS_MAX];
    struct route route = {0};
    struct router_leg leg = {0};
    struct live live = {0};
    int32_t n = 0, first = b->stops[0].state == STOP_PENDING ? 0 : stops_fixed(b);
    if (b->driver != NULL)
        booking_live(c, b, &live);
    if (live.eta_us == 0 || first >= count) /* nor where he was long ago */
        return 0;
    for (int32_t i = first; i < count; i++)
        points[n++] = place_point(&places[i]);
    if (live.known)
        r->ops->many_to_one(r, &live.position.at, 1, points[0], (enum vehicle)b->vehicle, &leg);
    if (n > 1)
        r->ops->route(r, points, n, (enum vehicle)b->vehicle, false, &c->arena, &route);
    int64_t from_us = live.known ? c->now_us : live.eta_us;
    return leg.duration_s < 0 ? 0 : from_us + (leg.duration_s + route.duration_s) * US_PER_S;
}

static void write_preview(struct jw *w, const struct booking *b, const struct stops_body *body,
                          const struct place *places, unsigned hats, const struct stops_facts *f) {
    const struct price *price = stops_agreed(b, hats, &f->price);
    jw_object(w);
    jw_kv_i64(w, "stops_revision", body->revision);
    jw_kv_i64(w, "version", b->head.version);
    jw_kv_i64(w, "changes_left", STOPS_CHANGES_MAX - body->revision);
    jw_key(w, "stops");
    jw_array(w);
    for (int32_t i = 0; i < body->stop_count; i++) {
        jw_object(w);
        place_write(w, i, false, &places[i]);
        jw_key(w, "was");
        if (body->stops[i].index != I64_ABSENT)
            jw_i64(w, body->stops[i].index);
        else
            jw_null(w);
        jw_end(w);
    }
    jw_end(w);
    price_write(w, price, &b->terms);
    jw_kv_i64(w, "old_total", b->price.total);
    jw_kv_i64(w, "difference", price->total - b->price.total);
    jw_key(w, "price_stands");
    jw_bool(w, price == &b->price);
    jw_kv_i64(w, "distance_m", f->distance_m);
    jw_kv_i64(w, "duration_s", f->duration_s);
    jw_kv_i64(w, "old_distance_m", b->distance_m);
    jw_kv_i64(w, "old_duration_s", b->duration_s);
    jw_kv_time(w, "eta_at", f->arrival_us);
    jw_key(w, "estimate");
    jw_bool(w, f->estimate);
    jw_kv_str(w, "polyline", f->polyline);
    jw_end(w);
}

/* What the change would come to: the decision without its deed. What stands in its way is said in
 * the same words. */
void handle_stops_preview(struct call *c) {
    const struct booking *b = visible_booking(c);
    if (b == NULL)
        return;
    unsigned hats = booking_hats(b, &c->who);
    struct stops_body *body = arena_copy(&c->arena, c->body, sizeof(*body));
    struct stops_facts f = {0};
    body->total = INT64_MAX;           /* it is what is asked here */
    body->reason = STR("to be known"); /* nothing is done yet */
    int err = gather(c, b, body, &f);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    const struct command cmd = {.service = c->service,
                                .who = c->who,
                                .arena = &c->arena,
                                .request_id = c->request_id,
                                .facts = &f};
    struct decision d = {0};
    if (!may_change(&cmd, b, body, hats, &d) || stands_against(&cmd, b, body, hats, &d)) {
        c->response = d.response;
        c->reply(c);
        return;
    }
    struct place places[STOPS_MAX];
    struct buf out;
    struct jw w;
    stops_places(b, body, places);
    f.arrival_us = arrival_us(c, b, places, body->stop_count);
    buf_init(&out, &c->arena, 2048);
    jw_init(&w, &out);
    write_preview(&w, b, body, places, hats, &f);
    response_header(&c->response, "Cache-Control", STR("no-store"));
    call_json(c, 200, buf_str(&out));
}
