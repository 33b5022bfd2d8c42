/* A customer: asks for quotes between two or more places, books, waits and watches, sometimes
 * cancels, rates what was delivered.
 */
#include "base/check.h"
#include "base/timestamp.h"
#include "client/city_internal.h"

#include <stdlib.h>
#include <string.h>

enum customer_state { AWAY, IDLE, QUOTING, BOOKING, WAITING };

#define GUESTS 3         /* customers who share the guest's account */
#define GUEST_BOOKINGS 2 /* that each of them makes before the others book */

struct customer {
    struct person person;
    bool is_guest;
    int32_t made; /* bookings */
    enum customer_state state;
    char booking_id[PERSON_TEXT_MAX], booking_state[PERSON_TEXT_MAX];
    int64_t booked_us; /* monotonic */
    bool assigned;
    struct net_timer *timer;
};

static struct customer *of(struct person *p) {
    return (struct customer *)p;
}

static bool final_state(struct str state) {
    return str_is(state, "delivered") || str_is(state, "cancelled") || str_is(state, "expired") ||
           str_is(state, "failed");
}

static struct arena *scratch(struct customer *c) {
    arena_reset(&c->person.city->scratch);
    return &c->person.city->scratch;
}

/* ---- after the end ---- */

static void rate(struct customer *c) {
    struct city *city = c->person.city;
    struct arena *a = scratch(c);
    int64_t stars = rng_unit(&city->rng) < 0.8 ? 5 : rng_between(&city->rng, 2, 4);
    person_call(&c->person, "POST", arena_printf(a, "/v1/bookings/%s/rating", c->booking_id),
                arena_printf(a, "{\"stars\":%lld}", (long long)stars), true, NULL, NULL);
}

static void finished(struct customer *c, struct str state, struct json_value booking) {
    struct city *city = c->person.city;
    struct city_summary *sum = &city->sum;
    struct json_value price;
    int64_t total = 0;
    char currency[8] = "";
    if (json_get(booking, "price", &price)) {
        total = json_member_i64(price, "total", 0);
        snprintf(currency, sizeof(currency), "%.*s", STR_ARG(json_member(price, "currency")));
    }
    char fate[PERSON_TEXT_MAX];
    snprintf(fate, sizeof(fate), "%.*s", STR_ARG(state));
    int64_t *count = str_is(state, "delivered")   ? &sum->delivered
                     : str_is(state, "cancelled") ? &sum->cancelled
                     : str_is(state, "expired")   ? &sum->expired
                                                  : &sum->failed;
    ++*count;
    net_cancel(c->timer);
    c->timer = NULL;
    c->state = IDLE;
    city_fate(city, str_from(c->booking_id), fate, net_now_us(city->net) - c->booked_us, total,
              str_from(currency));
    if (strcmp(fate, "delivered") == 0 && rng_unit(&city->rng) < 0.7)
        rate(c);
}

/* What a booking looks like now, from an answer or from the socket. */
static void look(struct customer *c, struct json_value booking) {
    struct str state = json_member(booking, "state");
    if (c->state != WAITING || !str_is(json_member(booking, "id"), c->booking_id))
        return;
    if (!c->assigned && str_is(state, "assigned")) {
        c->assigned = true;
        histogram_record(&c->person.city->assign, net_now_us(c->person.city->net) - c->booked_us);
    }
    snprintf(c->booking_state, sizeof(c->booking_state), "%.*s", STR_ARG(state));
    if (final_state(state))
        finished(c, state, booking);
}

/* ---- cancelling ---- */

static void cancel_answer(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    struct json_value root;
    if (a->status == 200 && city_json(p->city, a->body, &root)) {
        audit_acknowledged(p->city, p, root);
        look(of(p), root);
    }
}

static void cancel(void *arg) {
    struct customer *c = arg;
    c->timer = NULL;
    if (c->state != WAITING)
        return;
    struct arena *a = scratch(c);
    person_call(&c->person, "POST", arena_printf(a, "/v1/bookings/%s/cancel", c->booking_id),
                STR("{\"reason\":\"changed my mind\"}"), true, cancel_answer, NULL);
}

void customer_end(struct customer *c) {
    bool unassigned =
        strcmp(c->booking_state, "requested") == 0 || strcmp(c->booking_state, "offered") == 0;
    if (c->state == WAITING && unassigned && c->timer == NULL)
        c->timer = net_after(c->person.city->net,
                             rng_between(&c->person.city->rng, 15, 25) * US_PER_S, cancel, c);
}

/* ---- booking ---- */

static void follow(struct customer *c, struct json_value booking) {
    struct city *city = c->person.city;
    snprintf(c->booking_id, sizeof(c->booking_id), "%.*s", STR_ARG(json_member(booking, "id")));
    c->state = WAITING;
    c->assigned = false;
    struct arena *a = scratch(c);
    if (rng_unit(&city->rng) < 0.3)
        person_socket_send(&c->person, arena_printf(a, "{\"type\":\"watch\",\"booking_id\":\"%s\"}",
                                                    c->booking_id));
    if (rng_unit(&city->rng) < 0.05) {
        double after_s = 5 + rng_unit(&city->rng) * 200;
        c->timer = net_after(city->net, city_real_us(city, after_s), cancel, c);
    }
}

static void book_answer(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    struct customer *c = of(p);
    struct json_value root;
    if (a->status != 201 || !city_json(p->city, a->body, &root)) {
        c->state = IDLE; /* an expired quote, after a long outage */
        p->city->sum.errors += a->status != 409;
        return;
    }
    p->city->sum.requested++;
    c->made++;
    follow(c, root);
    CHECK(city_json(p->city, a->body, &root)); /* follow() may have parsed */
    audit_acknowledged(p->city, p, root);
    look(c, root);
}

static void book(void *arg) {
    struct customer *c = arg;
    c->timer = NULL;
    struct arena *a = scratch(c);
    c->booked_us = net_now_us(c->person.city->net);
    c->state = BOOKING;
    person_call(
        &c->person, "POST", STR("/v1/bookings"),
        arena_printf(a,
                     "{\"quote_id\":\"%s\",\"notes\":\"simulated\",\"payment\":\"cash\","
                     "\"stops\":[{\"contact\":{\"name\":\"%s\",\"phone\":\"+46700000001\"}}]}",
                     c->booking_id, c->person.name),
        true, book_answer, NULL);
}

static void quote_answer(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    struct customer *c = of(p);
    struct json_value root, quotes;
    struct json_iter it = {0};
    if (a->status == 201 && city_json(p->city, a->body, &root) && json_get(root, "quotes", &quotes))
        it = json_iter(quotes);
    if (it.doc == NULL || !json_next(&it)) {
        c->state = IDLE;
        p->city->sum.errors++;
        return;
    }
    snprintf(c->booking_id, sizeof(c->booking_id), "%.*s", STR_ARG(json_member(it.value, "id")));
    double think_s = 1 + rng_unit(&p->city->rng) * 5;
    c->timer = net_after(p->city->net, city_real_us(p->city, think_s), book, c);
}

static const char *vehicle_wish(struct rng *rng) {
    double x = rng_unit(rng);
    return x < 0.10 ? "bike" : x < 0.40 ? "car" : x < 0.85 ? "van" : "truck";
}

static void write_stop(struct city *city, struct jw *w) {
    struct str name = STR_NONE;
    struct point at = city->o.place(city->o.place_arg, &city->rng, &name);
    jw_object(w);
    jw_kv_point(w, at);
    if (name.len > 0)
        jw_kv_str(w, "address", name);
    jw_end(w);
}

void customer_book(struct customer *c) {
    CHECK(customer_idle(c));
    struct city *city = c->person.city;
    struct buf out;
    buf_init(&out, scratch(c), 512);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "stops");
    jw_array(&w);
    int64_t stops = rng_unit(&city->rng) < 0.85 ? 2 : rng_between(&city->rng, 3, 4);
    for (int64_t i = 0; i < stops; i++)
        write_stop(city, &w);
    jw_end(&w);
    jw_kv_str(&w, "vehicle", str_from(vehicle_wish(&city->rng)));
    jw_end(&w);
    c->state = QUOTING;
    person_call(&c->person, "POST", STR("/v1/quotes"), buf_str(&out), false, quote_answer, NULL);
}

/* ---- the person ---- */

/* Bookings from before, when the same people come back to a server that was restarted. */
static void earlier_answer(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    struct customer *c = of(p);
    struct json_value root, items;
    c->state = IDLE;
    if (a->status != 200 || !city_json(p->city, a->body, &root) || !json_get(root, "items", &items))
        return;
    struct json_iter it = json_iter(items);
    if (!json_next(&it))
        return;
    snprintf(c->booking_id, sizeof(c->booking_id), "%.*s", STR_ARG(json_member(it.value, "id")));
    c->booked_us = net_now_us(p->city->net);
    c->assigned = true;
    c->state = WAITING;
    p->city->sum.requested++;
    look(c, it.value);
}

static void customer_ready(struct person *p) {
    if (of(p)->is_guest && p->number > 0) { /* what is on its way is followed once */
        of(p)->state = IDLE;
        return;
    }
    person_call(p, "GET", STR("/v1/bookings?state=active&limit=1"), STR_NONE, false, earlier_answer,
                NULL);
}

static void customer_event(struct person *p, struct str type, struct json_value data) {
    if (str_is(type, "booking.updated"))
        look(of(p), data);
}

static const struct person_kind customer_kind = {"customer", customer_ready, customer_event};

struct customer *customer_new(struct city *city, int32_t number) {
    struct customer *c = xcalloc(1, sizeof(*c));
    person_make(&c->person, city, &customer_kind, "customer", number);
    c->is_guest = city->o.guest_email != NULL && number < GUESTS;
    if (c->is_guest) {
        snprintf(c->person.email, sizeof(c->person.email), "%s", city->o.guest_email);
        snprintf(c->person.name, sizeof(c->person.name), "%s", city->o.guest_name);
    }
    person_begin(&c->person);
    return c;
}

void customer_free(struct customer *c) {
    net_cancel(c->timer);
    person_free(&c->person);
    free(c);
}

bool customer_idle(const struct customer *c) {
    return c->state == IDLE && c->person.live;
}

bool customer_keen(const struct customer *c) {
    return c->is_guest && c->made < GUEST_BOOKINGS && customer_idle(c);
}

bool customer_busy(const struct customer *c) {
    return c->state == QUOTING || c->state == BOOKING || c->state == WAITING;
}

struct person *customer_person(struct customer *c) {
    return &c->person;
}
