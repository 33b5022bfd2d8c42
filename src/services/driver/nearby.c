/* Where drivers are, from memory: the nearest free ones for a customer who thinks of booking, all
 * in a box for those who watch the fleet, and the fleet port for the other services. Everything is
 * written while the roster's read lock is held; no store, no waiting.
 *
 * What a customer sees of a driver is a reference that changes each day: a keyed hash of who and
 * when, so that nobody can follow a driver from day to day, nor tell that he is the one who carried
 * his parcel.
 */
#include "base/err.h"
#include "base/timestamp.h"
#include "services/driver/journey.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define NEARBY_MAX 100
#define NEARBY_DEFAULT 10
#define NEARBY_RADIUS_M_MAX 50000
#define NEARBY_RADIUS_M_DEFAULT 3000
#define FLEET_ITEMS_MAX 5000
#define REFERENCE_LEN 16
#define ITEM_BYTES 224 /* about what one of them takes */

static struct str reference_of(const struct driver_service *s, const struct member *m,
                               int64_t now_us, char out[REFERENCE_LEN + 1]) {
    struct {
        int64_t day;
        char id[ID_TEXT_MAX];
    } text;
    text.day = now_us / US_PER_DAY;
    memcpy(text.id, m->id, sizeof text.id);
    uint64_t hash = siphash((struct str){(const char *)&text, sizeof text}, s->ref_secret);
    for (int i = 0; i < REFERENCE_LEN; i++)
        out[i] = "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
    out[REFERENCE_LEN] = '\0';
    return (struct str){out, REFERENCE_LEN};
}

static void write_bearing(struct jw *w, int32_t bearing_deg) {
    jw_key(w, "bearing_deg");
    if (bearing_deg < 0)
        jw_null(w);
    else
        jw_i64(w, bearing_deg);
}

static void write_near(struct jw *w, const struct call *c, const struct fleet_hit *hit) {
    const struct member *m = hit->item->owner;
    char reference[REFERENCE_LEN + 1];
    jw_object(w);
    jw_kv_str(w, "ref", reference_of(c->service, m, c->now_us, reference));
    jw_key(w, "vehicle");
    jw_cstr(w, vehicle_names[hit->item->vehicle]);
    jw_kv_point(w, hit->item->at);
    write_bearing(w, hit->item->bearing_deg);
    jw_kv_i64(w, "distance_m", llround(hit->distance_m));
    if (c->who.role != ROLE_CUSTOMER) {
        jw_kv_str(w, "driver_id", str_from(m->id));
        jw_kv_str(w, "name", m->name);
    }
    jw_end(w);
}

void drivers_nearby(struct call *c) {
    struct driver_service *s = c->service;
    double lat = 0, lng = 0, radius_m = NEARBY_RADIUS_M_DEFAULT;
    int64_t limit = NEARBY_DEFAULT;
    int32_t vehicle = 0;
    if (!call_query_f64(c, "lat", true, -90, 90, &lat) ||
        !call_query_f64(c, "lng", true, -180, 180, &lng) ||
        !call_query_f64(c, "radius_m", false, 1, NEARBY_RADIUS_M_MAX, &radius_m) ||
        !call_query_i64(c, "limit", 1, NEARBY_MAX, &limit) ||
        !call_query_enum(c, "vehicle", vehicle_names, &vehicle))
        return;
    struct fleet_filter filter = {.vehicles = vehicle != 0 ? 1u << vehicle : 0,
                                  .free_only = true,
                                  .newer_than_us = c->now_us - POSITION_FRESH_US};
    struct fleet_hit hits[NEARBY_MAX];
    struct buf out;
    buf_init(&out, &c->arena, 64 + (size_t)limit * ITEM_BYTES);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    int32_t count = fleet_index_nearest(roster_lock(s->roster), point_of(lat, lng), radius_m,
                                        &filter, (int32_t)limit, hits);
    for (int32_t i = 0; i < count; i++)
        write_near(&w, c, &hits[i]);
    roster_unlock(s->roster);
    jw_end(&w);
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}

/* ---- the fleet ---- */

static bool parse_edge(struct str text, double limit, int32_t *ret_e7) {
    double value;
    if (str_to_f64(text, &value) < 0 || !(value >= -limit && value <= limit))
        return false;
    *ret_e7 = (int32_t)lround(value * E7);
    return true;
}

/* "west,south,east,north"; absent: the world. False: replied. */
static bool parse_box(struct call *c, struct box *ret) {
    *ret = (struct box){-90 * E7, -180 * E7, 90 * E7, 180 * E7};
    struct str text = call_query(c, "bbox");
    if (text.p == NULL)
        return true;
    struct str parts[4];
    size_t from = 0, count = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.p[i] != ',')
            continue;
        if (count < 4)
            parts[count] = str_sub(text, from, i - from);
        count++;
        from = i + 1;
    }
    if (count == 4 && parse_edge(parts[0], 180, &ret->west_e7) &&
        parse_edge(parts[1], 90, &ret->south_e7) && parse_edge(parts[2], 180, &ret->east_e7) &&
        parse_edge(parts[3], 90, &ret->north_e7) && ret->south_e7 <= ret->north_e7)
        return true;
    call_problem(c, PROBLEM_BAD_PARAMETER,
                 "bbox must be west,south,east,north in degrees, south not over north");
    return false;
}

static void write_member(struct jw *w, const struct fleet_item *i) {
    const struct member *m = i->owner;
    jw_object(w);
    jw_kv_str(w, "driver_id", str_from(m->id));
    jw_kv_str(w, "name", m->name);
    jw_key(w, "vehicle");
    jw_cstr(w, vehicle_names[i->vehicle]);
    jw_kv_str(w, "duty", str_from(duty_names[m->duty]));
    jw_kv_str(w, "booking_id", m->booking_id[0] != '\0' ? str_from(m->booking_id) : STR_NONE);
    jw_kv_point(w, i->at);
    fix_write_motion(w, i->speed_cmps, i->bearing_deg);
    jw_kv_time(w, "at", i->at_us);
    jw_end(w);
}

/* Items of the first FLEET_ITEMS_MAX, counts of all. */
static void write_fleet(struct jw *w, const struct fleet_item **items, int32_t count) {
    int64_t on = 0, busy = 0;
    jw_key(w, "items");
    jw_array(w);
    for (int32_t i = 0; i < count; i++) {
        const struct member *m = items[i]->owner;
        on += m->duty == DUTY_ON;
        busy += m->duty == DUTY_BUSY;
        if (i < FLEET_ITEMS_MAX)
            write_member(w, items[i]);
    }
    jw_end(w);
    jw_key(w, "counts");
    jw_object(w);
    jw_kv_i64(w, "on", on);
    jw_kv_i64(w, "busy", busy);
    jw_end(w);
    jw_key(w, "truncated");
    jw_bool(w, count > FLEET_ITEMS_MAX);
}

void fleet_get(struct call *c) {
    struct driver_service *s = c->service;
    struct box box;
    if (!parse_box(c, &box))
        return;
    struct buf out;
    buf_init(&out, &c->arena, 4096);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    const struct fleet_index *index = roster_lock(s->roster);
    size_t all = fleet_index_count(index);
    const struct fleet_item **items = arena_array(&c->arena, const struct fleet_item *, all + 1);
    struct fleet_filter filter = {0};
    int32_t count = fleet_index_box(index, box, &filter, (int32_t)all, items);
    write_fleet(&w, items, count);
    roster_unlock(s->roster);
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}

/* ---- the fleet port ---- */

static struct driver_service *self(struct fleet *f) {
    return (struct driver_service *)((char *)f - offsetof(struct driver_service, fleet));
}

static int fleet_position(struct fleet *f, struct str driver_id, struct fleet_position *ret) {
    return roster_position(self(f)->roster, driver_id, ret);
}

static int fleet_nearest_free(struct fleet *f, struct point to, enum vehicle vehicle,
                              struct fleet_position *ret) {
    struct driver_service *s = self(f);
    struct fleet_filter filter = {.vehicles = 1u << vehicle,
                                  .free_only = true,
                                  .newer_than_us =
                                      s->o.clock->now_us(s->o.clock) - POSITION_FRESH_US};
    struct fleet_hit hit;
    int32_t count = fleet_index_nearest(roster_lock(s->roster), to,
                                        (double)s->o.search_radius_max_m, &filter, 1, &hit);
    if (count > 0)
        *ret = fleet_position_of(hit.item);
    roster_unlock(s->roster);
    return count > 0 ? 0 : ERR_NOT_FOUND;
}

static int64_t fleet_count_free(struct fleet *f, struct point south_west, struct point north_east,
                                enum vehicle vehicle) {
    struct box box = {south_west.lat_e7, south_west.lng_e7, north_east.lat_e7, north_east.lng_e7};
    struct driver_service *s = self(f);
    struct fleet_filter filter = {.vehicles = 1u << vehicle,
                                  .free_only = true,
                                  .newer_than_us =
                                      s->o.clock->now_us(s->o.clock) - POSITION_FRESH_US};
    const struct fleet_item *items[FLEET_COUNT_MAX];
    int32_t count = fleet_index_box(roster_lock(s->roster), box, &filter, FLEET_COUNT_MAX, items);
    roster_unlock(s->roster);
    return count;
}

static int fleet_etas(struct fleet *f, struct store *reader, struct json_parser *p,
                      struct str booking_id, struct arena *a, struct fleet_etas *ret) {
    (void)f;
    return journey_etas(reader, p, booking_id, a, ret);
}

const struct fleet_ops driver_fleet_ops = {.count_free = fleet_count_free,
                                           .position = fleet_position,
                                           .nearest_free = fleet_nearest_free,
                                           .etas = fleet_etas};
