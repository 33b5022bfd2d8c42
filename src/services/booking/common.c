/* What every decision about a booking asks first: who are you to it, which version do you mean, and
 * is this a move at all.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "services/booking/internal.h"

unsigned booking_hats(const struct booking *b, const struct identity *who) {
    unsigned hats = 0;
    if (who->user_id.p == NULL)
        return 0;
    if (who->role == ROLE_DISPATCHER || who->role == ROLE_ADMIN)
        hats |= HAT_STAFF;
    if (str_eq(b->customer_id, who->user_id))
        hats |= HAT_CUSTOMER;
    if (who->role == ROLE_DRIVER && b->driver != NULL && str_eq(b->driver->user_id, who->user_id))
        hats |= HAT_DRIVER;
    return hats;
}

bool booking_visible(unsigned hats) {
    return (hats & (HAT_STAFF | HAT_CUSTOMER | HAT_DRIVER)) != 0;
}

struct booking_ask booking_ask_of(const struct booking *b, enum booking_action action,
                                  unsigned hats) {
    return (struct booking_ask){.state = b->state,
                                .action = action,
                                .hats = hats,
                                .stop = I64_ABSENT,
                                .next_stop = booking_next_stop(b),
                                .stop_count = b->stop_count,
                                .rated = b->rating != NULL,
                                .waits = booking_waits(b),
                                .back = action == ACTION_FAIL ? booking_returns(b)
                                                              : booking_owes_return(b)};
}

bool booking_at_hand(const struct booking *b, const struct command *cmd, unsigned hats,
                     int64_t version, struct decision *d) {
    if (b == NULL || !booking_visible(hats)) {
        decision_problem(d, cmd, PROBLEM_NOT_FOUND, "there is no such booking");
        return false;
    }
    if (version != I64_ABSENT && version != b->head.version) {
        struct str detail =
            arena_printf(cmd->arena, "the current version is %lld", (long long)b->head.version);
        struct str extra = arena_printf(cmd->arena, "\"version\":%lld", (long long)b->head.version);
        problem_fill_more(&d->response, cmd->arena, cmd->request_id, PROBLEM_VERSION_CONFLICT,
                          detail, NULL, extra, 0);
        return false;
    }
    return true;
}

bool booking_is_the_stop(const struct command *cmd, const struct booking *b, int32_t i,
                         int64_t revision, struct decision *d) {
    int64_t since = i < b->stop_count ? b->stops[i].since : I64_ABSENT;
    if (revision > booking_stops_revision(b)) { /* I64_ABSENT is below all */
        decision_invalid(d, cmd, "/stops_revision",
                         "must be at most %lld, for there was none after it",
                         (long long)booking_stops_revision(b));
        return false;
    }
    if (revision == I64_ABSENT || since == I64_ABSENT || revision >= since)
        return true;
    problem_fill_more(
        &d->response, cmd->arena, cmd->request_id, PROBLEM_VERSION_CONFLICT,
        arena_printf(cmd->arena, "stop %d is another one by now", i), NULL,
        arena_printf(cmd->arena, "\"stops_revision\":%lld", (long long)booking_stops_revision(b)),
        0);
    return false;
}

/* 409 illegal-transition with the state and the moves that there are. */
static void refuse_move(const struct booking *b, const struct command *cmd, unsigned hats,
                        struct str detail, struct decision *d) {
    struct buf extra;
    buf_init(&extra, cmd->arena, 128);
    buf_printf(&extra, "\"state\":\"%s\",\"allowed\":[", booking_state_names[b->state]);
    int32_t states[BOOKING_STATE_COUNT];
    int32_t n = booking_allowed(b->state, hats, booking_waits(b), states);
    for (int32_t i = 0; i < n; i++)
        buf_printf(&extra, "%s\"%s\"", i > 0 ? "," : "", booking_state_names[states[i]]);
    buf_add_char(&extra, ']');
    if (!booking_is_final(b->state))
        buf_printf(&extra, ",\"stop\":%d", booking_next_stop(b));
    if (booking_waits(b)) {
        char free_at[TIMESTAMP_TEXT_MAX];
        timestamp_format(b->driver->free_at_us, free_at);
        buf_printf(&extra, ",\"free_at\":\"%s\"", free_at);
    }
    problem_fill_more(&d->response, cmd->arena, cmd->request_id, PROBLEM_ILLEGAL_TRANSITION, detail,
                      NULL, buf_str(&extra), 0);
}

void booking_refuse(const struct booking *b, const struct command *cmd,
                    const struct booking_ask *ask, enum verdict v, const char *wanted,
                    struct decision *d) {
    switch (v) {
    case VERDICT_DENIED:
        decision_problem(d, cmd, PROBLEM_FORBIDDEN, "%s is not for you to do", wanted);
        return;
    case VERDICT_ILLEGAL:
        refuse_move(b, cmd, ask->hats,
                    arena_printf(cmd->arena, "%s is not possible while the booking is %s", wanted,
                                 booking_state_names[b->state]),
                    d);
        return;
    case VERDICT_OTHER_STOP:
        refuse_move(b, cmd, ask->hats,
                    arena_printf(cmd->arena, "the next stop is %d, not %lld", ask->next_stop,
                                 (long long)ask->stop),
                    d);
        return;
    case VERDICT_NO_REASON:
        decision_invalid(d, cmd, "/reason", "is required for %s", wanted);
        return;
    case VERDICT_RATED:
        decision_problem(d, cmd, PROBLEM_ALREADY_RATED, "this booking has its rating");
        return;
    case VERDICT_WAITS:
        refuse_move(b, cmd, ask->hats, STR("finish the booking that you have before it first"), d);
        return;
    case VERDICT_OK:
        break;
    }
    UNREACHABLE();
}

bool booking_lost_enough(const struct booking *b) {
    int32_t lost = 0;
    for (int32_t i = 0; i < b->timeline_count; i++)
        lost += b->timeline[i].type == ENTRY_UNASSIGNED;
    return lost >= HANDS_MAX;
}

bool booking_may_lose_driver(const struct booking *b, const struct command *cmd, unsigned hats,
                             struct decision *d) {
    if (!booking_lost_enough(b))
        return true;
    refuse_move(b, cmd, hats,
                arena_printf(cmd->arena, "the booking has lost its driver %d times", HANDS_MAX), d);
    return false;
}

void booking_price_changed(const struct command *cmd, const struct booking *b, int64_t total,
                           const char *words, struct decision *d) {
    struct str extra = arena_printf(
        cmd->arena, "\"price\":{\"currency\":\"%.*s\",\"total\":%lld,\"old_total\":%lld}",
        STR_ARG(b->price.currency), (long long)total, (long long)b->price.total);
    problem_fill_more(&d->response, cmd->arena, cmd->request_id, PROBLEM_PRICE_CHANGED,
                      str_from(words), NULL, extra, 0);
}

const struct booking_sight booking_sight_whole = {SIGHT_WHOLE, SIGHT_WHOLE, {NULL, 0}};

struct booking_sight booking_sight(const struct booking_service *s, const struct booking *b,
                                   unsigned hats, int64_t now_us) {
    enum sight_viewer viewer = (hats & HAT_STAFF) != 0      ? VIEWER_STAFF
                               : (hats & HAT_CUSTOMER) != 0 ? VIEWER_CUSTOMER
                               : (hats & HAT_DRIVER) != 0   ? VIEWER_DRIVER
                                                            : VIEWER_ASKED;
    struct sights seen =
        sight_of(viewer, sight_stage(b->state, b->ended_at_us, now_us, s->o.contact_kept_us));
    return (struct booking_sight){seen.contacts, seen.driver, s->o.contact_phone};
}

void booking_unchanged(const struct booking *b, const struct command *cmd,
                       const struct decide_ctx *ctx, struct decision *d) {
    struct booking_sight seen =
        booking_sight(cmd->service, b, booking_hats(b, &cmd->who), ctx->now_us);
    decision_json(d, 200, booking_view(b, NULL, &seen, cmd->arena));
    decision_etag(d, cmd, b->head.version);
}

/* When it was to be looked for. */
static int64_t requested_us(const struct booking *b) {
    return b->dispatch_at_us > b->created_at_us ? b->dispatch_at_us : b->created_at_us;
}

void booking_applied(const struct command *cmd, const struct decision *d, const void *state) {
    const struct booking *b = state;
    struct booking_service *s = cmd->service;
    for (int32_t i = 0; i < d->event_count; i++) {
        if (str_is(d->events[i].type, entry_type_names[ENTRY_ASSIGNED]))
            histogram_record(&s->assigned_after, b->updated_at_us - requested_us(b));
        for (int32_t type = ENTRY_NONE + 1; type < ENTRY_TYPE_COUNT; type++) {
            if (str_is(d->events[i].type, entry_type_names[type]))
                atomic_fetch_add_explicit(&s->events_by_type[type], 1, memory_order_relaxed);
        }
    }
}
