/* What becomes of a driver who is erased: his profile is emptied, by a command as any other change
 * of it; devices go, and his name in the reasons of who was asked for what. Earnings are amounts
 * under his id and stay. So do his trails, under that id, until their own days are over: a store
 * may keep each day of them as one (ports/store.h).
 */
#include "services/driver/erase.h"

#include "base/check.h"
#include "base/id.h"
#include "services/driver/devices.h"
#include "services/driver/documents.h"
#include "services/driver/search.h"

struct forget_args {
    int64_t at_us;
};

static void forget_decide(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct forget_args *args = cmd->args;
    if (state == NULL)
        return;
    struct driver *d = driver_edit(cmd, ctx, state, ret);
    d->name = d->phone = d->status_reason = STR_NONE;
    d->account_at_us = args->at_us;
    d->disabled = d->erased = true;
    d->status = STATUS_SUSPENDED;
    if (d->vehicle != NULL)
        d->vehicle->plate = STR_NONE;
    driver_off_duty(d, "the account was erased", cmd, ctx, ret); /* an open offer is given back */
    if (d->duty != DUTY_OFF)
        driver_set_duty(d, DUTY_OFF, cmd, ctx, ret);
    d->vehicle = NULL;
    d->vehicles = NULL;
    d->vehicle_count = d->shift_count = 0;
    d->shifts = NULL;
    d->home = NULL;
    d->remind_at_us = d->shift_end_us = 0;
    documents_forget(cmd, ctx, d, ret);
}

static const struct command_type driver_forget = {.name = "driver.forget",
                                                  .aggregate = &driver_aggregate,
                                                  .decide = forget_decide,
                                                  .applied = driver_applied};

/* ---- the rest ---- */

static struct str driver_key(struct arena *a, struct str user_id) {
    return driver_id_of(a, user_id);
}

/* An older version kept with which words he gave a booking back, or it was taken from him. */
static bool forget_words(struct search_candidate *c) {
    size_t n = 0;
    while (n < c->reason.len && c->reason.p[n] != ':')
        n++;
    bool worded = c->outcome == OUTCOME_LEFT && n < c->reason.len;
    if (worded)
        c->reason = str_sub(c->reason, 0, n);
    return worded;
}

static enum eraser_verdict judge_search(void *state, struct str user_id, struct arena *a) {
    struct search *s = state;
    struct str driver_id = driver_id_of(a, user_id);
    enum eraser_verdict v = ERASE_KEEP;
    for (int32_t r = 0; r < s->round_count; r++) {
        for (int32_t i = 0; i < s->rounds[r].candidate_count; i++) {
            struct search_candidate *c = &s->rounds[r].candidates[i];
            if (!str_eq(c->driver_id, driver_id) || (!forget_words(c) && c->name.p == NULL))
                continue;
            c->name = STR_NONE;
            v = ERASE_WRITE;
        }
    }
    return v;
}

static const struct eraser_target targets[] = {
    {&device_aggregate, 0, driver_key, NULL},
    {&search_aggregate, -1, NULL, judge_search},
};
const struct store_collection driver_erasure_collection = {.name = "driver_erasures"};
static const struct aggregate erasure_aggregate = {.collection = &driver_erasure_collection,
                                                   .schema = &erasure_schema};
static const struct command_type erasure_begin = {
    .name = "driver.erase", .aggregate = &erasure_aggregate, .decide = eraser_begin};
const struct eraser driver_eraser = {&erasure_aggregate, &erasure_begin, targets,
                                     COUNT_OF(targets)};

void driver_on_erased(struct event_turn *t, const void *data) {
    const struct ev_erased *e = data;
    if (!id_valid(e->user_id, "usr"))
        return;
    eraser_take(t, e, &erasure_begin);
    struct forget_args *args = arena_new(t->arena, struct forget_args);
    args->at_us = t->event->at_us;
    event_command(t, &driver_forget, driver_id_of(t->arena, e->user_id), args);
}
