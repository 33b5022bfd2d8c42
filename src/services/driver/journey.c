/* The journey's document and its decisions; what a wake makes of fixes is in journey_judge.c. */
#include "services/driver/journey.h"

#include "base/check.h"
#include "base/id.h"
#include "base/timestamp.h"

#include <stddef.h>
#include <string.h>

#define KEPT(type, member) .flags = S_STORE, .offset = offsetof(struct type, member)

static const struct schema_field stop_fields[] = {
    {"lat", S_DEG7, KEPT(journey_stop, lat_e7)},
    {"lng", S_DEG7, KEPT(journey_stop, lng_e7)},
    {"leg_s", S_I64, KEPT(journey_stop, leg_s)},
    {"inside", S_BOOL, KEPT(journey_stop, fence.inside)},
    {"since", S_TIME, KEPT(journey_stop, fence.since_us)},
    {"reached_at", S_TIME, KEPT(journey_stop, fence.reached_us)},
    {"left_at", S_TIME, KEPT(journey_stop, fence.left_us)},
    {"eta", S_TIME, KEPT(journey_stop, eta_us)},
    {"shown", S_TIME, KEPT(journey_stop, shown.at_us)},
    {"early", S_TIME, KEPT(journey_stop, shown.early_us)},
    {"late", S_TIME, KEPT(journey_stop, shown.late_us)},
    {"promised", S_TIME, KEPT(journey_stop, promised_us)},
};
static const struct schema stop_schema = SCHEMA(struct journey_stop, "JourneyStop", stop_fields);

static const struct schema_field journey_fields[] = {
    {"id", S_ID, .flags = S_OUT, .offset = offsetof(struct journey, head.id), .hint = "jny"},
    {"version", S_I64, .flags = S_OUT, .offset = offsetof(struct journey, head.version)},
    {"booking_id", S_ID, KEPT(journey, booking_id), .hint = "bkg"},
    {"driver_id", S_ID, KEPT(journey, driver_id), .hint = "drv"},
    {"offer_id", S_ID, KEPT(journey, offer_id), .hint = "ofr"},
    {"booking_version", S_I64, KEPT(journey, booking_version)},
    {"vehicle", S_ENUM, KEPT(journey, vehicle), .names = vehicle_names},
    {"done", S_BOOL, KEPT(journey, done)},
    {"done_at", S_TIME, KEPT(journey, done_at_us)},
    {"at_stop", S_BOOL, KEPT(journey, at_stop)},
    {"goes_back", S_BOOL, KEPT(journey, goes_back)},
    {"stops", S_LIST, KEPT(journey, stops), .count_offset = offsetof(struct journey, stop_count),
     .sub = &stop_schema, .max = JOURNEY_STOPS_MAX},
    {"next_stop", S_I64, KEPT(journey, next_stop)},
    {"begun_at", S_TIME, KEPT(journey, begun_us)},
    {"through", S_TIME, KEPT(journey, through_us)},
    {"seen_at", S_TIME, KEPT(journey, seen_us)},
    {"lat", S_DEG7, KEPT(journey, lat_e7)},
    {"lng", S_DEG7, KEPT(journey, lng_e7)},
    {"eta_seen_at", S_TIME, KEPT(journey, eta_seen_us)},
    {"plan", S_STR, KEPT(journey, plan)},
    {"plan_stop", S_I64, KEPT(journey, plan_stop)},
    {"off_since", S_TIME, KEPT(journey, off_us)},
    {"on_since", S_TIME, KEPT(journey, on_us)},
    {"elsewhere_since", S_TIME, KEPT(journey, elsewhere_us)},
    {"stale", S_BOOL, KEPT(journey, stale)},
    {"off_route", S_BOOL, KEPT(journey, off_route)},
    {"late_stop", S_I64, KEPT(journey, late_stop)},
    {"wake_at", S_TIME, KEPT(journey, wake_at_us)},
};
static const struct schema journey_schema = SCHEMA(struct journey, "Journey", journey_fields);

const struct store_collection journey_collection = {.name = "journeys", .timers = true};

static int64_t journey_wake_at(const void *state) {
    return ((const struct journey *)state)->wake_at_us;
}

const struct aggregate journey_aggregate = {
    .collection = &journey_collection, .schema = &journey_schema, .wake_at = journey_wake_at};

bool journey_over(const void *state, int64_t before_us) {
    const struct journey *j = state;
    return j->done && j->done_at_us < before_us;
}

struct str journey_id(struct arena *a, struct str booking_id) {
    return id_with_prefix(a, booking_id, "jny");
}

/* ---- decisions ---- */

/* A copy to be changed: it is the decision's state already. */
static struct journey *journey_edit(const struct command *cmd, const struct decide_ctx *ctx,
                                    const struct journey *old, struct decision *ret) {
    struct journey *j = arena_copy(ctx->arena, old, sizeof(*j));
    j->stops =
        arena_copy(ctx->arena, old->stops, (size_t)old->stop_count * sizeof(struct journey_stop));
    j->booking_id = arena_str(ctx->arena, old->booking_id);
    j->driver_id = arena_str(ctx->arena, old->driver_id);
    j->offer_id = arena_str(ctx->arena, old->offer_id);
    j->plan = arena_str(ctx->arena, old->plan);
    j->told = false;
    decision_state(ret, cmd, old, j);
    return j;
}

/* The same assignment, said again. */
static bool is_under_way(const struct journey *j, const struct ev_booking *b) {
    bool known = j->offer_id.p != NULL && b->offer != NULL && b->offer->id.p != NULL;
    return !j->done && str_eq(j->driver_id, b->driver_id) &&
           (!known || str_eq(j->offer_id, b->offer->id));
}

static void decide_begin(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct ev_booking *b = cmd->args;
    const struct journey *old = state;
    const struct journey_facts *facts = cmd->facts;
    /* Who takes it over from another comes with the version at which that one left. */
    if (old != NULL &&
        (old->booking_version > b->version || is_under_way(old, b) ||
         (old->booking_version == b->version && !old->done) ||
         (old->booking_version == b->version && str_eq(old->driver_id, b->driver_id))))
        return;
    struct journey *j = arena_new(ctx->arena, struct journey);
    if (old != NULL) /* it was another driver's: what is raised of him is over */
        journey_clear(journey_edit(cmd, ctx, old, ret), cmd, ctx, ret);
    *j = (struct journey){.booking_id = arena_str(ctx->arena, b->booking_id),
                          .driver_id = arena_str(ctx->arena, b->driver_id),
                          .offer_id =
                              arena_str(ctx->arena, b->offer != NULL ? b->offer->id : STR_NONE),
                          .booking_version = b->version,
                          .vehicle = b->vehicle,
                          .stop_count = b->stop_count,
                          .next_stop = b->next_stop != I64_ABSENT ? b->next_stop : 0,
                          .begun_us = ctx->now_us,
                          .through_us = ctx->now_us - JOURNEY_EVERY_US,
                          .plan_stop = I64_ABSENT,
                          .late_stop = I64_ABSENT,
                          .lat_e7 = DEG7_ABSENT,
                          .lng_e7 = DEG7_ABSENT,
                          .wake_at_us = ctx->now_us + JOURNEY_SOON_US};
    j->stops = arena_array(ctx->arena, struct journey_stop, b->stop_count);
    for (int32_t i = 0; i < b->stop_count; i++)
        j->stops[i] = (struct journey_stop){
            .lat_e7 = b->stops[i].lat_e7, .lng_e7 = b->stops[i].lng_e7, .leg_s = facts->legs_s[i]};
    if (j->next_stop == 0)
        j->stops[0].promised_us = b->pickup_until_us;
    decision_state(ret, cmd, old, j);
}

/* The stops that are left may be others than before: those behind him stay as they were. What was
 * promised of those after the first that is another was promised of another way: who goes there as
 * he was told to is not late. */
static void take_stops(struct journey *j, const struct ev_booking *b,
                       const struct journey_facts *facts, struct arena *a) {
    if (b->stop_count < 2 || b->stop_count > JOURNEY_STOPS_MAX || facts == NULL)
        return;
    struct journey_stop *stops = arena_array(a, struct journey_stop, b->stop_count);
    bool as_before = true;
    for (int32_t i = 0; i < b->stop_count; i++) {
        bool same = i < j->stop_count && j->stops[i].lat_e7 == b->stops[i].lat_e7 &&
                    j->stops[i].lng_e7 == b->stops[i].lng_e7;
        stops[i] = same ? j->stops[i]
                        : (struct journey_stop){.lat_e7 = b->stops[i].lat_e7,
                                                .lng_e7 = b->stops[i].lng_e7};
        stops[i].leg_s = facts->legs_s[i];
        as_before = as_before && same;
        if (!as_before)
            stops[i].promised_us = 0;
    }
    if (j->next_stop < b->stop_count && j->next_stop < j->stop_count &&
        (stops[j->next_stop].lat_e7 != j->stops[j->next_stop].lat_e7 ||
         stops[j->next_stop].lng_e7 != j->stops[j->next_stop].lng_e7))
        j->plan_stop = I64_ABSENT; /* the plan is of another place */
    j->stops = stops;
    j->stop_count = b->stop_count;
}

static void decide_progress(const struct command *cmd, const struct decide_ctx *ctx,
                            const void *state, struct decision *ret) {
    const struct ev_booking *b = cmd->args;
    const struct journey *old = state;
    if (old == NULL || old->done || old->booking_version >= b->version)
        return;
    struct journey *j = journey_edit(cmd, ctx, old, ret);
    j->booking_version = b->version;
    take_stops(j, b, cmd->facts, ctx->arena);
    if (b->next_stop != I64_ABSENT && b->next_stop <= j->stop_count)
        j->next_stop = b->next_stop;
    j->at_stop = b->state == BOOKING_ARRIVED_PICKUP || b->state == BOOKING_ARRIVED_DROPOFF ||
                 b->state == BOOKING_ARRIVED_RETURN;
    j->goes_back = b->goes_back;
    j->off_us = j->on_us = 0;
    j->wake_at_us = ctx->now_us;
}

static void finish(struct journey *j, int64_t now_us) {
    j->done = true;
    j->done_at_us = now_us;
    j->wake_at_us = 0;
}

static void end(const struct command *cmd, const struct decide_ctx *ctx, const struct journey *old,
                struct decision *ret) {
    const struct ev_booking *b = cmd->args;
    struct journey *j = journey_edit(cmd, ctx, old, ret);
    j->booking_version = b->version;
    finish(j, ctx->now_us);
    j->plan = STR_NONE;
    journey_clear(j, cmd, ctx, ret);
}

static void decide_end(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct journey *old = state;
    if (old != NULL && !old->done)
        end(cmd, ctx, old, ret);
}

/* Its driver has it no more; another one may have it already. */
static void decide_leave(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct ev_booking *b = cmd->args;
    const struct journey *old = state;
    if (old != NULL && !old->done && old->booking_version <= b->version &&
        str_eq(old->driver_id, b->offer->driver_id))
        end(cmd, ctx, old, ret);
}

static void decide_wake(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct journey *old = state;
    const struct journey_facts *facts = cmd->facts;
    if (old == NULL || old->done || old->wake_at_us == 0 || old->wake_at_us > ctx->now_us)
        return;
    struct journey *j = journey_edit(cmd, ctx, old, ret);
    bool lost = facts->elsewhere && !facts->waits;
    j->elsewhere_us = !lost ? 0 : j->elsewhere_us == 0 ? ctx->now_us : j->elsewhere_us;
    j->wake_at_us = ctx->now_us + (facts->more ? JOURNEY_SOON_US : JOURNEY_EVERY_US);
    if (j->elsewhere_us != 0 && ctx->now_us - j->elsewhere_us > JOURNEY_ORPHAN_US)
        finish(j, ctx->now_us);
    if (lost)
        journey_clear(j, cmd, ctx, ret);
    else if (facts->waits)
        journey_await(j, cmd, ctx, ret);
    else
        journey_judge(j, cmd, ctx, ret);
}

/* ---- what others are told ---- */

static void copy_id(char *out, struct str id) {
    CHECK(id.len < ID_TEXT_MAX);
    memcpy(out, id.p, id.len);
}

/* On the last way of all it is known when he will be done, and where: dispatch may look at him for
 * what comes next. */
static void tell_end(struct driver_service *s, const struct journey *j) {
    const struct journey_stop *last = &j->stops[j->stop_count - 1];
    bool ends = !j->done && j->next_stop == j->stop_count - 1 && !j->goes_back && last->eta_us != 0;
    struct signal_ends said = {.at = {last->lat_e7, last->lng_e7},
                               .at_us = ends ? last->eta_us + ETA_STAND_US : 0};
    copy_id(said.driver_id, j->driver_id);
    copy_id(said.booking_id, j->booking_id);
    roster_ends(s->roster, &said);
}

static void journey_applied(const struct command *cmd, const struct decision *d,
                            const void *state) {
    (void)state;
    struct driver_service *s = cmd->service;
    const struct journey *j = d->state;
    if (j != NULL && s->o.chain_eta_s > 0)
        tell_end(s, j);
    if (j == NULL || !j->told)
        return;
    struct signal_eta said = {.at_us = j->seen_us, .stop_count = j->stop_count};
    copy_id(said.driver_id, j->driver_id);
    copy_id(said.booking_id, j->booking_id);
    for (int32_t i = 0; i < j->stop_count; i++) {
        const struct eta_shown *shown = &j->stops[i].shown;
        if (i < j->next_stop)
            continue;
        said.stops[i].eta_us = shown->at_us;
        said.stops[i].early_us = shown->early_us;
        said.stops[i].late_us = shown->late_us;
    }
    s->o.bus->ops->signal(s->o.bus, SIGNAL_ETA, &said, sizeof said);
}

#define JOURNEY_COMMAND(label, load_fn, decide_fn)                                                 \
    {                                                                                              \
        .name = (label), .aggregate = &journey_aggregate, .load = (load_fn),                       \
        .decide = (decide_fn), .applied = journey_applied                                          \
    }

const struct command_type journey_begin_type =
    JOURNEY_COMMAND("journey.begin", journey_load_begin, decide_begin);
const struct command_type journey_progress_type =
    JOURNEY_COMMAND("journey.progress", journey_load_begin, decide_progress);
const struct command_type journey_leave_type = JOURNEY_COMMAND("journey.leave", NULL, decide_leave);
const struct command_type journey_end_type = JOURNEY_COMMAND("journey.end", NULL, decide_end);
const struct command_type journey_wake_type =
    JOURNEY_COMMAND("journey.wake", journey_load_wake, decide_wake);
