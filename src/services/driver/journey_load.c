/* What a journey must know beside its document: fixes from the trail, ways from the router. */
#include "services/driver/journey.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "geo/geo.h"
#include "services/driver/trail.h"

#include <math.h>
#include <string.h>

#define OFF_FIXES_MAX 40 /* of one wake that are held against the plan */

static struct point stop_at(const struct journey_stop *s) {
    return (struct point){s->lat_e7, s->lng_e7};
}

int journey_load_begin(struct command *cmd, struct store *store, int64_t now_us) {
    (void)store;
    (void)now_us;
    const struct driver_service *s = cmd->service;
    const struct ev_booking *b = cmd->args;
    struct journey_facts *f = arena_new(cmd->arena, struct journey_facts);
    cmd->facts = f;
    for (int32_t i = 1; i < b->stop_count && i < JOURNEY_STOPS_MAX; i++) {
        struct router_leg leg;
        struct point from = {b->stops[i - 1].lat_e7, b->stops[i - 1].lng_e7};
        struct point to = {b->stops[i].lat_e7, b->stops[i].lng_e7};
        s->o.router->ops->many_to_one(s->o.router, &from, 1, to, (enum vehicle)b->vehicle, &leg);
        f->legs_s[i] = leg.duration_s > 0 ? leg.duration_s : 0;
    }
    return 0;
}

/* Nothing new can be there when the newest fix that this process knows to be his is an old one. */
static bool may_have_more(const struct driver_service *s, const struct journey *j) {
    const struct member *m = roster_find(s->roster, j->driver_id);
    bool sure = s->o.peers == NULL && m != NULL && m->known;
    return !sure || (m->has_fix && m->newest.at_us > j->through_us);
}

static int read_fixes(struct command *cmd, struct store *store, const struct journey *j,
                      struct journey_facts *f) {
    const struct driver_service *s = cmd->service;
    struct trail_page page = {0};
    if (!may_have_more(s, j))
        return 0;
    int err = trail_since(store, executor_parser(cmd->executor), j->driver_id, j->through_us,
                          JOURNEY_FIXES_MAX, cmd->arena, &page);
    f->fixes = page.fixes;
    f->fix_count = page.count;
    f->more = page.more;
    return err;
}

/* ---- the plan ---- */

/* Where he is: by the newest fix of use, or as it was. False: nobody has seen him. */
static bool place_of(const struct journey *j, const struct journey_facts *f, struct point *ret,
                     int64_t *ret_at_us) {
    for (int32_t i = f->fix_count - 1; i >= 0; i--) {
        if (f->fixes[i].accuracy_cm > (int32_t)(FENCE_ACCURACY_M_MAX * 100))
            continue;
        *ret = f->fixes[i].at;
        *ret_at_us = f->fixes[i].at_us;
        return true;
    }
    *ret = (struct point){j->lat_e7, j->lng_e7};
    *ret_at_us = j->seen_us;
    return j->seen_us != 0;
}

static void make_plan(const struct driver_service *s, const struct journey *j, struct point from,
                      struct arena *a, struct journey_facts *f) {
    struct point ends[2] = {from, stop_at(&j->stops[j->next_stop])};
    struct route route = {0};
    s->o.router->ops->route(s->o.router, ends, 2, (enum vehicle)j->vehicle, true, a, &route);
    if (route.estimate || route.point_count < 2) {
        f->plan = STR(""); /* there is no road to be off */
        return;
    }
    int32_t every = (route.point_count - 1) / JOURNEY_PLAN_POINTS_MAX + 1, kept = 0;
    struct point *points = arena_array(a, struct point, route.point_count);
    for (int32_t i = 0; i < route.point_count; i++) {
        if (i % every == 0 || i == route.point_count - 1)
            points[kept++] = route.points[i];
    }
    f->plan = polyline_encode(points, kept, a);
}

static double off_m(const struct point *line, int32_t count, struct point at) {
    double best_m = HUGE_VAL, fraction;
    for (int32_t i = 1; i < count; i++) {
        double m = geo_off_line_m(line[i - 1], line[i], at, &fraction);
        best_m = m < best_m ? m : best_m;
    }
    return best_m;
}

static void hold_against_plan(const struct journey *j, struct arena *a, struct journey_facts *f) {
    struct point *line = NULL;
    int32_t count = 0, every = (f->fix_count - 1) / OFF_FIXES_MAX + 1;
    f->off_m = arena_array(a, double, f->fix_count + 1);
    bool planned = j->plan.len > 0 && j->plan_stop == j->next_stop && !j->at_stop &&
                   polyline_decode(j->plan, a, &line, &count) == 0;
    for (int32_t i = 0; i < f->fix_count; i++) {
        bool looked_at = i % every == 0 || i == f->fix_count - 1;
        f->off_m[i] = planned && count > 1 && looked_at ? off_m(line, count, f->fixes[i].at) : -1;
    }
}

/* ---- a wake ---- */

static bool is_elsewhere(const struct driver_service *s, const struct journey *j) {
    const struct member *m = roster_find(s->roster, j->driver_id);
    return m != NULL && m->version > 0 && !str_is(j->booking_id, m->booking_id);
}

/* He finishes another booking first, and then comes from where that ends. */
static void await(const struct driver_service *s, const struct journey *j, int64_t now_us,
                  struct journey_facts *f) {
    const struct member *m = roster_find(s->roster, j->driver_id);
    struct router_leg leg;
    if (m == NULL || !str_is(j->booking_id, m->next_id))
        return;
    f->waits = true;
    if (m->ends_us == 0 || strcmp(m->ends_of, m->booking_id) != 0 || j->next_stop >= j->stop_count)
        return;
    s->o.router->ops->many_to_one(s->o.router, &m->ends_at, 1, stop_at(&j->stops[j->next_stop]),
                                  (enum vehicle)j->vehicle, &leg);
    f->leg_s = (m->ends_us > now_us ? (m->ends_us - now_us) / US_PER_S : 0) +
               (leg.duration_s > 0 ? leg.duration_s : 0);
    f->leg_from_us = now_us;
}

int journey_load_wake(struct command *cmd, struct store *store, int64_t now_us) {
    const struct driver_service *s = cmd->service;
    struct journey_facts *f = arena_new(cmd->arena, struct journey_facts);
    void *state;
    cmd->facts = f;
    f->leg_s = -1;
    int err = aggregate_get(&journey_aggregate, store, executor_parser(cmd->executor), cmd->id,
                            cmd->arena, &state);
    if (err == ERR_NOT_FOUND)
        return 0;
    if (err < 0)
        return err;
    const struct journey *j = state;
    if (j->done || j->wake_at_us == 0 || j->wake_at_us > now_us)
        return 0;
    f->elsewhere = is_elsewhere(s, j);
    if (f->elsewhere) {
        await(s, j, now_us, f);
        return 0;
    }
    err = read_fixes(cmd, store, j, f);
    if (err < 0)
        return err;
    hold_against_plan(j, cmd->arena, f);
    struct point from;
    bool seen = place_of(j, f, &from, &f->leg_from_us);
    if (!seen || j->next_stop >= j->stop_count)
        return 0;
    if (f->leg_from_us != j->eta_seen_us && !j->at_stop) {
        struct router_leg leg;
        s->o.router->ops->many_to_one(s->o.router, &from, 1, stop_at(&j->stops[j->next_stop]),
                                      (enum vehicle)j->vehicle, &leg);
        f->leg_s = leg.duration_s > 0 ? leg.duration_s : 0;
    }
    if (j->plan_stop != j->next_stop && !j->at_stop)
        make_plan(s, j, from, cmd->arena, f);
    return 0;
}

/* ---- for those who show it ---- */

int journey_etas(struct store *reader, struct json_parser *p, struct str booking_id,
                 struct arena *a, struct fleet_etas *ret) {
    void *state;
    int err = aggregate_get(&journey_aggregate, reader, p, journey_id(a, booking_id), a, &state);
    if (err < 0)
        return err;
    const struct journey *j = state;
    if (j->done)
        return ERR_NOT_FOUND;
    *ret = (struct fleet_etas){.stop_count = j->stop_count};
    for (int32_t i = 0; i < j->stop_count; i++) {
        const struct eta_shown *shown = &j->stops[i].shown;
        if (i >= j->next_stop)
            ret->stops[i] = (struct fleet_eta){shown->at_us, shown->early_us, shown->late_us};
    }
    return 0;
}
