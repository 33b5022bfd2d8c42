/* What the driver's positions say of a booking's stops: the driver service has watched him (its
 * journeys), and says that he has come to one, or left it. It is noted with the time of his fixes,
 * told, and suggested to him as his next word; where status_by_position is set, coming to the next
 * stop is that word already. Waiting is paid from the status alone, whoever gave it.
 */
#include "base/check.h"
#include "services/booking/internal.h"

/* False: it is of nobody's way, or known. */
static bool is_news(const struct booking *b, const struct ev_tracking *said, bool reached) {
    if (b == NULL || b->driver == NULL || !str_eq(b->driver->id, said->driver_id) ||
        said->stop < 0 || said->stop >= b->stop_count || said->at_us <= 0)
        return false;
    const struct booking_stop *s = &b->stops[said->stop];
    if (said->lat_e7 != DEG7_ABSENT &&
        (said->lat_e7 != s->place.lat_e7 || said->lng_e7 != s->place.lng_e7))
        return false; /* of a stop that is another by now */
    if (reached)
        return !booking_is_final(b->state) && said->at_us > s->reached_at_us &&
               (s->reached_at_us == 0 || s->left_at_us != 0);
    return s->left_at_us == 0 && said->at_us >= s->reached_at_us;
}

/* The same as if he had said that he is there. */
static void arrive(struct edit *e, int64_t stop) {
    struct booking *b = e->b;
    if (!booking_is_under_way(b->state) || stop != booking_next_stop(b) || booking_waits(b))
        return;
    edit_move(e,
              b->state == BOOKING_ASSIGNED    ? ACTION_ARRIVE_PICKUP
              : b->state == BOOKING_RETURNING ? ACTION_ARRIVE_RETURN
                                              : ACTION_ARRIVE_DROPOFF,
              HAT_DRIVER);
    edit_stop(e, (int32_t)stop)->state = STOP_ARRIVED;
    edit_entry(e, ENTRY_PROGRESSED)->stop = stop;
    edit_event(e, ENTRY_PROGRESSED, NULL);
}

static void note(const struct command *cmd, const struct decide_ctx *ctx, const struct booking *b,
                 bool reached, struct decision *ret) {
    const struct booking_service *s = cmd->service;
    const struct ev_tracking *said = cmd->args;
    struct edit e;
    int32_t type = reached ? ENTRY_REACHED : ENTRY_LEFT;
    if (!is_news(b, said, reached))
        return;
    edit_begin(&e, cmd, ctx, b);
    struct booking_stop *stop = edit_stop(&e, (int32_t)said->stop);
    if (reached && stop->reached_at_us == 0)
        stop->reached_at_us = said->at_us;
    stop->left_at_us = reached ? 0 : said->at_us;
    struct timeline_entry *entry = edit_entry(&e, type);
    entry->at_us = said->at_us;
    entry->stop = said->stop;
    entry->driver_id = said->driver_id;
    edit_event(&e, type, NULL);
    if (reached && s->o.status_by_position)
        arrive(&e, said->stop);
    edit_commit(&e, ret);
}

static void decide_reached(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    note(cmd, ctx, state, true, ret);
}

static void decide_left(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    note(cmd, ctx, state, false, ret);
}

const struct command_type booking_reached = {
    .name = "booking.reached",
    .aggregate = &booking_aggregate,
    .decide = decide_reached,
    .applied = booking_applied,
};
const struct command_type booking_left = {
    .name = "booking.left",
    .aggregate = &booking_aggregate,
    .decide = decide_left,
    .applied = booking_applied,
};
