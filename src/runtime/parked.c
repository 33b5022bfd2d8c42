/* Parked replies: a caller who waits for what follows from his command (a dispatcher's assignment
 * needs the driver's word first). The command is durable; only its answer is held, for a bounded
 * time.
 */
#include "base/check.h"
#include "runtime/executor_internal.h"

bool parked_hold(struct executor *x, struct command *cmd, int64_t now_us) {
    if (x->parked_count == EXECUTOR_PARKED_MAX)
        return false;
    x->parked[x->parked_count++] =
        (struct parked_call){.cmd = cmd, .deadline_us = now_us + EXECUTOR_PARK_TIMEOUT_US};
    x->stats.parked = x->parked_count;
    return true;
}

static void release(struct executor *x, int32_t i) {
    struct command *cmd = x->parked[i].cmd;
    x->parked[i] = x->parked[--x->parked_count];
    x->stats.parked = x->parked_count;
    cmd->finish(cmd, 0, &cmd->decision.response);
}

static struct response response_copy(struct arena *a, const struct response *from) {
    struct response copy = *from;
    copy.body = arena_str(a, from->body);
    for (int32_t i = 0; i < copy.header_count; i++)
        copy.headers[i].value = arena_str(a, copy.headers[i].value);
    return copy;
}

void parked_wake(struct executor *x, struct str key, const struct response *response) {
    for (int32_t i = x->parked_count - 1; i >= 0; i--) {
        struct command *cmd = x->parked[i].cmd;
        if (!str_eq(cmd->decision.park_key, key))
            continue;
        cmd->decision.response = response_copy(cmd->arena, response);
        release(x, i);
    }
}

void parked_expire(struct executor *x, int64_t now_us, bool all) {
    for (int32_t i = x->parked_count - 1; i >= 0; i--) {
        if (all || now_us >= x->parked[i].deadline_us)
            release(x, i);
    }
}
