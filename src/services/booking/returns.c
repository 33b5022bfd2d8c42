#include "services/booking/returns.h"

#include "base/check.h"
#include "services/booking/price.h"

#include <string.h>

static struct point stop_point(const struct booking *b, int32_t i) {
    return place_point(&b->stops[i].place);
}

/* Does STATUS at B's last drop-off leave something in the vehicle? */
static bool begins(const struct booking *b, int32_t status) {
    if (b->state != BOOKING_ARRIVED_DROPOFF || booking_next_stop(b) + 1 != b->stop_count)
        return false;
    return (status == BOOKING_FAILED && booking_returns(b)) ||
           (status == BOOKING_DELIVERED && booking_owes_return(b));
}

struct way_back *returns_way(const struct booking_service *s, const struct booking *b,
                             int32_t status, struct arena *a) {
    if (!begins(b, status))
        return NULL;
    struct way_back *way = arena_new(a, struct way_back);
    struct point ends[2] = {stop_point(b, b->stop_count - 1), stop_point(b, 0)};
    struct route route = {0};
    s->o.router->ops->route(s->o.router, ends, 2, (enum vehicle)b->vehicle, false, a, &route);
    *way = (struct way_back){ends[0], ends[1], route.distance_m, route.duration_s};
    return way;
}

static bool same_point(struct point a, struct point b) {
    return a.lat_e7 == b.lat_e7 && a.lng_e7 == b.lng_e7;
}

bool returns_fits(const struct booking *b, const struct way_back *way) {
    return way != NULL && same_point(way->from, stop_point(b, booking_next_stop(b))) &&
           same_point(way->to, stop_point(b, 0));
}

/* Who takes them back says his name; pictures and signatures as where they were not taken. */
static struct stop_proof *proof_of_return(const struct booking *b, struct arena *a) {
    int64_t required = PROOF(PROOF_NAME);
    for (int32_t i = 1; i < b->stop_count; i++) {
        const struct stop_proof *p = b->stops[i].proof;
        if (b->stops[i].state == STOP_FAILED && p != NULL)
            required |= p->required & ~PROOF(PROOF_PIN);
    }
    struct stop_proof *proof = arena_new(a, struct stop_proof);
    *proof = (struct stop_proof){.required = required};
    return proof;
}

void returns_begin(struct edit *e, const struct way_back *way) {
    struct booking *b = e->b;
    struct arena *a = e->ctx->arena;
    CHECK(b->stop_count < TRIP_STOPS_MAX && returns_fits(e->old, way));
    struct booking_stop *stops = arena_array(a, struct booking_stop, b->stop_count + 1);
    memcpy(stops, b->stops, (size_t)b->stop_count * sizeof(*stops));
    stops[b->stop_count] = (struct booking_stop){.place = stops[0].place,
                                                 .contact = stops[0].contact,
                                                 .note = stops[0].note,
                                                 .state = STOP_PENDING,
                                                 .back = true,
                                                 .proof = proof_of_return(b, a)};
    b->stops = stops;
    b->stop_count++;
    e->own_stops = true;
    const struct terms *t = &b->terms;
    int64_t amount = price_return(t->return_percent, t->return_per_km, t->return_per_minute,
                                  way->distance_m, way->duration_s);
    if (amount == 0)
        return;
    price_add(&b->price, ITEM_RETURN, way->distance_m, amount, a, &b->price);
    b->earning = price_earning(price_gross(&b->price), t->commission_bp);
}
