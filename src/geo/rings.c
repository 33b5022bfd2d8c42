#include "geo/rings.h"

#include <math.h>
#include <stdlib.h>

double ring_twice_area(const struct ring *r) {
    double sum = 0;
    for (int32_t i = 0, j = r->count - 1; i < r->count; j = i++)
        sum += (double)r->points[j].lng_e7 * r->points[i].lat_e7 -
               (double)r->points[i].lng_e7 * r->points[j].lat_e7;
    return sum;
}

void ring_turn(struct point *points, int32_t count) {
    for (int32_t i = 0, j = count - 1; i < j; i++, j--) {
        struct point p = points[i];
        points[i] = points[j];
        points[j] = p;
    }
}

struct box ring_box(const struct ring *r) {
    struct box b = {INT32_MAX, INT32_MAX, INT32_MIN, INT32_MIN};
    for (int32_t i = 0; i < r->count; i++) {
        struct point p = r->points[i];
        b.south_e7 = p.lat_e7 < b.south_e7 ? p.lat_e7 : b.south_e7;
        b.north_e7 = p.lat_e7 > b.north_e7 ? p.lat_e7 : b.north_e7;
        b.west_e7 = p.lng_e7 < b.west_e7 ? p.lng_e7 : b.west_e7;
        b.east_e7 = p.lng_e7 > b.east_e7 ? p.lng_e7 : b.east_e7;
    }
    return b;
}

/* ---- edges that meet ---- */

struct edge {
    struct point a, b;
    struct box box;
    int32_t ring, index;
};

/* On which side of the line from A to B is C: -1, 0, 1. */
static int side_of(struct point a, struct point b, struct point c) {
    __int128 x = (__int128)((int64_t)b.lng_e7 - a.lng_e7) * ((int64_t)c.lat_e7 - a.lat_e7) -
                 (__int128)((int64_t)b.lat_e7 - a.lat_e7) * ((int64_t)c.lng_e7 - a.lng_e7);
    return x > 0 ? 1 : x < 0 ? -1 : 0;
}

static bool crosses(const struct edge *e, const struct edge *f) {
    return side_of(e->a, e->b, f->a) * side_of(e->a, e->b, f->b) < 0 &&
           side_of(f->a, f->b, e->a) * side_of(f->a, f->b, e->b) < 0;
}

/* Is P on E, its ends included? */
static bool lies_on(const struct edge *e, struct point p) {
    return box_has(e->box, p) && side_of(e->a, e->b, p) == 0;
}

static bool touches(const struct edge *e, const struct edge *f) {
    return lies_on(e, f->a) || lies_on(e, f->b) || lies_on(f, e->a) || lies_on(f, e->b);
}

/* NEXT begins where E ends: does it go back over it? */
static bool goes_back(const struct edge *e, const struct edge *next) {
    return lies_on(e, next->b) || lies_on(next, e->a);
}

static bool meets(const struct edge *e, const struct edge *f, int32_t ring_count) {
    if (e->ring != f->ring)
        return crosses(e, f);
    if (f->index == (e->index + 1) % ring_count)
        return goes_back(e, f);
    if (e->index == (f->index + 1) % ring_count)
        return goes_back(f, e);
    return crosses(e, f) || touches(e, f);
}

static int by_west(const void *a, const void *b) {
    const struct edge *e = a, *f = b;
    return (e->box.west_e7 > f->box.west_e7) - (e->box.west_e7 < f->box.west_e7);
}

static struct edge *edges_of(const struct ring *rings, int32_t count, struct arena *a,
                             int32_t *ret_count) {
    int32_t n = 0, total = 0;
    for (int32_t r = 0; r < count; r++)
        total += rings[r].count;
    struct edge *edges = arena_array(a, struct edge, total);
    for (int32_t r = 0; r < count; r++) {
        for (int32_t i = 0; i < rings[r].count; i++) {
            struct point ends[2] = {rings[r].points[i],
                                    rings[r].points[i + 1 < rings[r].count ? i + 1 : 0]};
            struct ring line = {ends, 2};
            edges[n++] = (struct edge){ends[0], ends[1], ring_box(&line), r, i};
        }
    }
    *ret_count = n;
    return edges;
}

bool rings_meet(const struct ring *rings, int32_t count, struct arena *a,
                struct rings_meeting *ret) {
    int32_t n;
    struct edge *edges = edges_of(rings, count, a, &n);
    if (n > 1)
        qsort(edges, (size_t)n, sizeof(*edges), by_west);
    for (int32_t i = 0; i < n; i++) {
        const struct edge *e = &edges[i];
        for (int32_t j = i + 1; j < n && edges[j].box.west_e7 <= e->box.east_e7; j++) {
            const struct edge *f = &edges[j];
            if (f->box.south_e7 > e->box.north_e7 || f->box.north_e7 < e->box.south_e7 ||
                !meets(e, f, rings[e->ring].count))
                continue;
            *ret = (struct rings_meeting){e->ring, e->index, f->ring, f->index};
            return true;
        }
    }
    return false;
}

/* ---- the nearest point ---- */

double rings_nearest_m(const struct ring *rings, int32_t count, struct point at,
                       struct point *ret_nearest) {
    double best_m = HUGE_VAL;
    for (int32_t r = 0; r < count; r++) {
        for (int32_t i = 0; i < rings[r].count; i++) {
            struct point a = rings[r].points[i];
            struct point b = rings[r].points[i + 1 < rings[r].count ? i + 1 : 0];
            double fraction, off_m = geo_off_line_m(a, b, at, &fraction);
            if (off_m >= best_m)
                continue;
            best_m = off_m;
            *ret_nearest = geo_toward(a, b, fraction);
        }
    }
    return best_m;
}

/* ---- fewer points ---- */

struct span {
    int32_t from, to; /* TO may be the count: the first point again */
};

/* The point between the ends of S that is farthest from the line between them, or -1: all lie
 * within TOLERANCE_M. */
static int32_t farthest(const struct ring *r, struct span s, double tolerance_m) {
    int32_t best = -1;
    double best_m = tolerance_m, fraction;
    for (int32_t i = s.from + 1; i < s.to; i++) {
        double off_m =
            geo_off_line_m(r->points[s.from], r->points[s.to % r->count], r->points[i], &fraction);
        if (off_m > best_m) {
            best_m = off_m;
            best = i;
        }
    }
    return best;
}

struct ring ring_simplified(const struct ring *r, double tolerance_m, struct arena *a) {
    struct point *points = arena_array(a, struct point, r->count);
    struct span *stack = arena_array(a, struct span, r->count + 1);
    int32_t depth = 0, count = 0;
    /* From the first point once round to it: what is farthest from it divides the ring. */
    if (r->count > 0)
        stack[depth++] = (struct span){0, r->count};
    while (depth > 0) {
        struct span s = stack[--depth];
        int32_t at = farthest(r, s, tolerance_m);
        if (at < 0) {
            points[count++] = r->points[s.from];
            continue;
        }
        stack[depth++] = (struct span){at, s.to}; /* its later part waits for the earlier one */
        stack[depth++] = (struct span){s.from, at};
    }
    return (struct ring){points, count};
}
