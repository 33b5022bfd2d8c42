/* A booking for later is looked for schedule_lead before its window. Half of that is for finding
 * who will come, and half for his way: where the nearest free driver takes longer, the search
 * begins as much earlier, at most schedule_lead_max before the window.
 *
 * Nothing of it is kept. How far drivers are is of now, so it is looked at again every minute, by
 * each process that has an executor; what comes of it is a command that judges by the booking as it
 * is then, so that it does not matter how many send it, or that one is lost.
 */
#include "services/booking/early.h"

#include "base/err.h"
#include "services/booking/schedule.h"

int64_t early_search_at(const struct booking_service *s, const struct booking *b, int64_t eta_s) {
    int64_t near_us = s->o.schedule_lead_us / 2, ahead_us = 0;
    int64_t ahead_max_us = s->o.schedule_lead_max_us - s->o.schedule_lead_us;
    if (eta_s != I64_ABSENT && eta_s * US_PER_S > near_us)
        ahead_us = eta_s * US_PER_S - near_us;
    if (ahead_us > ahead_max_us)
        ahead_us = ahead_max_us > 0 ? ahead_max_us : 0;
    return b->dispatch_at_us - ahead_us;
}

/* ---- the beginning ---- */

static void decide_begin(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct booking *b = state;
    const int64_t *eta_s = cmd->args;
    if (b == NULL || b->state != BOOKING_SCHEDULED ||
        ctx->now_us < early_search_at(cmd->service, b, *eta_s))
        return; /* it has begun, or has been given another time */
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    e.b->dispatch_at_us = ctx->now_us;
    schedule_begin(&e);
    edit_commit(&e, ret);
}

static const struct command_type booking_begin_early = {
    .name = "booking.begin_early",
    .aggregate = &booking_aggregate,
    .decide = decide_begin,
    .applied = booking_applied,
};

/* ---- looking around ---- */

/* True: B was one that waits, and has been looked at. */
static bool look(struct booking_service *s, const struct booking *b, int64_t now_us) {
    if (b->state != BOOKING_SCHEDULED)
        return false;
    int64_t eta_s =
        booking_pickup_eta_s(s, place_point(&b->stops[0].place), (enum vehicle)b->vehicle);
    /* One that is lost is sent again in a minute, and its wake-up comes at its time. */
    if (eta_s != I64_ABSENT && now_us >= early_search_at(s, b, eta_s))
        executor_send(s->executor, &booking_begin_early, s, b->head.id, &eta_s, sizeof eta_s);
    return true;
}

/* The latest first: what is nearer to its time than anybody's way is begins by itself. */
static void look_around(struct booking_service *s, struct store *writer, struct json_parser *parser,
                        int64_t now_us, struct arena *a) {
    struct store_doc *docs;
    int32_t count, looks = 0;
    int64_t until_us = now_us + s->o.schedule_lead_max_us - s->o.schedule_lead_us;
    if (writer->ops->due(writer, &booking_collection, until_us, EARLY_PAGE_MAX, a, &docs, &count) <
        0)
        return;
    for (int32_t i = count - 1; i >= 0 && looks < EARLY_LOOKS_MAX; i--) {
        void *state;
        if (docs[i].wake_at_us > now_us &&
            aggregate_get(&booking_aggregate, writer, parser, docs[i].id, a, &state) == 0)
            looks += look(s, state, now_us);
    }
}

void early_tick(struct booking_service *s, struct store *writer, int64_t now_us) {
    bool never = s->executor == NULL || s->o.fleet == NULL ||
                 s->o.schedule_lead_max_us <= s->o.schedule_lead_us;
    if (never || now_us < s->early_next_us)
        return;
    s->early_next_us = now_us + EARLY_LOOK_US;
    struct arena a;
    arena_init(&a, 16384);
    look_around(s, writer, executor_parser(s->executor), now_us, &a);
    arena_free(&a);
}
