/* What positions say of a journey. Pure: fixes, ways and plans come from load. */
#include "services/driver/journey.h"

#include "base/check.h"
#include "base/timestamp.h"
#include "geo/geo.h"

#define LEAVE_FACTOR 2 /* how much wider the circle is that one leaves */

static struct fence_terms terms_of(const struct driver_service *s) {
    double enter_m = (double)s->o.arrival_radius_m;
    return (struct fence_terms){enter_m, enter_m * LEAVE_FACTOR, FENCE_DWELL_US};
}

static bool is_there(const struct journey *j) {
    return j->next_stop < j->stop_count && (j->at_stop || j->stops[j->next_stop].fence.inside);
}

/* ---- fences ---- */

static void tell_stop(const struct journey *j, int64_t stop, const char *type, int64_t at_us,
                      const struct command *cmd, const struct decide_ctx *ctx,
                      struct decision *ret) {
    struct ev_tracking e = {.booking_id = j->booking_id,
                            .driver_id = j->driver_id,
                            .stop = stop,
                            .at_us = at_us,
                            .lat_e7 = j->stops[stop].lat_e7,
                            .lng_e7 = j->stops[stop].lng_e7};
    decision_event(ret, cmd, ctx, type, j->booking_id, &ev_tracking_schema, &e);
}

/* The next stop, and the one before it until he has left. */
static void judge_fences(struct journey *j, const struct fix *f, const struct command *cmd,
                         const struct decide_ctx *ctx, struct decision *ret) {
    struct fence_terms terms = terms_of(cmd->service);
    for (int64_t i = j->next_stop > 0 ? j->next_stop - 1 : 0;
         i <= j->next_stop && i < j->stop_count; i++) {
        struct journey_stop *stop = &j->stops[i];
        bool before = i < j->next_stop;
        if (before && (stop->fence.left_us != 0 || !stop->fence.inside))
            continue;
        double far_m = geo_distance_m(f->at, (struct point){stop->lat_e7, stop->lng_e7});
        double accuracy_m = f->accuracy_cm >= 0 ? f->accuracy_cm / 100.0 : -1;
        enum fence_news news = fence_step(&stop->fence, &terms, far_m, accuracy_m, f->at_us);
        if (ret->event_count >= STORE_EVENTS_MAX - 4) /* a batch of days: what matters is the end */
            continue;
        if (news == FENCE_REACHED)
            tell_stop(j, i, EV_TRACKING_REACHED, stop->fence.reached_us, cmd, ctx, ret);
        else if (news == FENCE_LEFT)
            tell_stop(j, i, EV_TRACKING_LEFT, stop->fence.left_us, cmd, ctx, ret);
    }
}

/* ---- alerts ---- */

static void tell_alert(const struct journey *j, enum alert_kind kind, bool raised,
                       struct ev_alert *e, const struct command *cmd, const struct decide_ctx *ctx,
                       struct decision *ret) {
    e->booking_id = j->booking_id;
    e->driver_id = j->driver_id;
    e->kind = (int32_t)kind;
    e->number = j->head.version;
    e->at_us = ctx->now_us;
    decision_event(ret, cmd, ctx, raised ? EV_ALERT_RAISED : EV_ALERT_CLEARED, j->booking_id,
                   &ev_alert_schema, e);
}

#define NO_ALERT ((struct ev_alert){.stop = I64_ABSENT, .distance_m = I64_ABSENT})

static void judge_off(struct journey *j, const struct fix *f, double off_m,
                      const struct command *cmd, const struct decide_ctx *ctx,
                      struct decision *ret) {
    const struct driver_service *s = cmd->service;
    double accuracy_m = f->accuracy_cm >= 0 ? f->accuracy_cm / 100.0 : FENCE_ACCURACY_M;
    if (off_m < 0 || accuracy_m > FENCE_ACCURACY_M_MAX)
        return;
    bool away = off_m - accuracy_m > (double)s->o.off_route_m;
    bool near = off_m <= (double)s->o.off_route_m / 2;
    j->off_us = !away ? 0 : j->off_us != 0 ? j->off_us : f->at_us;
    j->on_us = !near ? 0 : j->on_us != 0 ? j->on_us : f->at_us;
    struct ev_alert e = NO_ALERT;
    e.stop = j->next_stop;
    e.distance_m = (int64_t)off_m;
    if (j->off_us != 0 && f->at_us - j->off_us >= JOURNEY_OFF_US) {
        j->plan_stop = I64_ABSENT; /* from here on the way is another one */
        j->off_us = j->on_us = 0;
        if (!j->off_route)
            tell_alert(j, ALERT_OFF_ROUTE, true, &e, cmd, ctx, ret);
        j->off_route = true;
    } else if (j->off_route && j->on_us != 0 && f->at_us - j->on_us >= JOURNEY_ON_US) {
        j->off_route = false;
        tell_alert(j, ALERT_OFF_ROUTE, false, &e, cmd, ctx, ret);
    }
}

static void clear_off(struct journey *j, const struct command *cmd, const struct decide_ctx *ctx,
                      struct decision *ret) {
    struct ev_alert e = NO_ALERT;
    j->off_us = j->on_us = 0;
    if (!j->off_route)
        return;
    j->off_route = false;
    tell_alert(j, ALERT_OFF_ROUTE, false, &e, cmd, ctx, ret);
}

static void judge_stale(struct journey *j, const struct command *cmd, const struct decide_ctx *ctx,
                        struct decision *ret) {
    const struct driver_service *s = cmd->service;
    int64_t heard_us = j->through_us > j->begun_us ? j->through_us : j->begun_us;
    bool stale = ctx->now_us - heard_us > s->o.stale_after_s * US_PER_S;
    if (stale == j->stale)
        return;
    struct ev_alert e = NO_ALERT;
    e.seen_us = j->seen_us;
    j->stale = stale;
    tell_alert(j, ALERT_STALE, stale, &e, cmd, ctx, ret);
}

static void set_late(struct journey *j, int64_t stop, const struct command *cmd,
                     const struct decide_ctx *ctx, struct decision *ret) {
    struct ev_alert e = NO_ALERT;
    if (stop == j->late_stop)
        return;
    e.stop = stop != I64_ABSENT ? stop : j->late_stop;
    j->late_stop = stop;
    if (stop != I64_ABSENT) {
        e.eta_us = j->stops[stop].eta_us;
        e.promised_us = j->stops[stop].promised_us;
    }
    tell_alert(j, ALERT_LATE, stop != I64_ABSENT, &e, cmd, ctx, ret);
}

/* The first stop that he will be late at; the one that it was raised for counts as late until he is
 * clearly in time. */
static void judge_late(struct journey *j, const struct command *cmd, const struct decide_ctx *ctx,
                       struct decision *ret) {
    int64_t late = I64_ABSENT;
    for (int64_t i = j->next_stop + is_there(j); i < j->stop_count && late == I64_ABSENT; i++) {
        const struct journey_stop *stop = &j->stops[i];
        int64_t slack_us = i == j->late_stop ? -JOURNEY_LATE_US : JOURNEY_LATE_US;
        if (stop->promised_us != 0 && stop->eta_us > stop->promised_us + slack_us)
            late = i;
    }
    set_late(j, late, cmd, ctx, ret);
}

void journey_clear(struct journey *j, const struct command *cmd, const struct decide_ctx *ctx,
                   struct decision *ret) {
    struct ev_alert e = NO_ALERT;
    clear_off(j, cmd, ctx, ret);
    set_late(j, I64_ABSENT, cmd, ctx, ret);
    if (!j->stale)
        return;
    j->stale = false;
    tell_alert(j, ALERT_STALE, false, &e, cmd, ctx, ret);
}

/* ---- arrivals ---- */

static void judge_arrivals(struct journey *j, const struct journey_facts *facts, int64_t now_us) {
    if (j->next_stop >= j->stop_count)
        return;
    struct journey_stop *next = &j->stops[j->next_stop];
    bool there = is_there(j);
    if (facts->leg_s >= 0 && !there) {
        next->eta_us =
            eta_smoothed(next->eta_us, j->eta_seen_us, facts->leg_from_us + facts->leg_s * US_PER_S,
                         facts->leg_from_us);
        j->eta_seen_us = facts->leg_from_us;
    }
    if (next->eta_us == 0 && !there)
        return; /* nobody has seen him yet */
    if (there && (next->eta_us == 0 || next->eta_us > now_us))
        next->eta_us = now_us;
    if (!there && next->eta_us < now_us)
        next->eta_us = now_us; /* not there yet */
    int64_t leaves_us = next->eta_us + ETA_STAND_US;
    leaves_us = leaves_us > now_us ? leaves_us : now_us;
    for (int64_t i = j->next_stop + 1; i < j->stop_count; i++) {
        j->stops[i].eta_us = leaves_us + j->stops[i].leg_s * US_PER_S;
        leaves_us = j->stops[i].eta_us + ETA_STAND_US;
    }
    for (int64_t i = j->next_stop + there; i < j->stop_count; i++) {
        struct journey_stop *stop = &j->stops[i];
        if (!eta_is_news(&stop->shown, stop->eta_us))
            continue;
        stop->shown = eta_show(stop->eta_us, now_us);
        if (stop->promised_us == 0)
            stop->promised_us = stop->shown.late_us;
        j->told = true;
    }
}

/* ---- all of it ---- */

/* Where he is meanwhile is of the other booking. */
void journey_await(struct journey *j, const struct command *cmd, const struct decide_ctx *ctx,
                   struct decision *ret) {
    int64_t through_us = ctx->now_us - JOURNEY_EVERY_US;
    j->through_us = through_us > j->through_us ? through_us : j->through_us;
    judge_arrivals(j, cmd->facts, ctx->now_us);
    judge_late(j, cmd, ctx, ret);
}

void journey_judge(struct journey *j, const struct command *cmd, const struct decide_ctx *ctx,
                   struct decision *ret) {
    const struct journey_facts *facts = cmd->facts;
    if (facts->plan.p != NULL) {
        j->plan = facts->plan;
        j->plan_stop = j->next_stop;
    }
    for (int32_t i = 0; i < facts->fix_count; i++) {
        const struct fix *f = &facts->fixes[i];
        j->through_us = f->at_us;
        if (f->accuracy_cm <= (int32_t)(FENCE_ACCURACY_M_MAX * 100)) {
            j->seen_us = f->at_us;
            j->lat_e7 = f->at.lat_e7;
            j->lng_e7 = f->at.lng_e7;
        }
        judge_fences(j, f, cmd, ctx, ret);
        if (!is_there(j) && ret->event_count < STORE_EVENTS_MAX - 4)
            judge_off(j, f, facts->off_m[i], cmd, ctx, ret);
    }
    if (is_there(j))
        clear_off(j, cmd, ctx, ret);
    judge_stale(j, cmd, ctx, ret);
    judge_arrivals(j, facts, ctx->now_us);
    judge_late(j, cmd, ctx, ret);
}
