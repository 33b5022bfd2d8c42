/* The wake-up of a driver's document, and what he is told by it: his claim is too old, his shift
 * ends or is about to begin, a document of his expires or soon will. Each is due by its own moment
 * in his state; what is not due is left alone, so that a wake-up that comes twice changes nothing.
 */
#include "services/driver/documents.h"

static int64_t earlier(int64_t a_us, int64_t b_us) {
    return a_us == 0 || (b_us != 0 && b_us < a_us) ? b_us : a_us;
}

int64_t driver_wake_at(const void *state) {
    const struct driver *d = state;
    return earlier(documents_wake_at(d), earlier(claim_wake_at(d), rota_wake_at(d)));
}

void driver_notice(const struct driver *d, const struct ev_notice *what, const struct command *cmd,
                   const struct decide_ctx *ctx, struct decision *ret) {
    struct ev_notice notice = *what;
    notice.driver_id = cmd->id;
    notice.user_id = d->user_id;
    notice.name = d->name;
    decision_event(ret, cmd, ctx, EV_DRIVER_NOTICE, cmd->id, &ev_notice_schema, &notice);
}

static void decide_wake(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    if (state == NULL || driver_wake_at(state) == 0 || driver_wake_at(state) > ctx->now_us)
        return;
    struct driver *d = driver_edit(cmd, ctx, state, ret);
    claim_wake(cmd, ctx, d, ret);
    rota_wake(cmd, ctx, d, ret);
    documents_wake(cmd, ctx, d, ret);
}

const struct command_type driver_wake_type = {.name = "driver.wake",
                                              .aggregate = &driver_aggregate,
                                              .decide = decide_wake,
                                              .applied = driver_applied};
