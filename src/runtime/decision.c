/* What decide functions say, in words. */
#include "base/check.h"
#include "base/id.h"
#include "runtime/executor.h"

#include <stdarg.h>
#include <string.h>

void decision_state(struct decision *d, const struct command *cmd, const void *old_state,
                    void *new_state) {
    struct aggregate_head *head = new_state;
    const struct aggregate_head *old = old_state;
    head->id = cmd->id;
    head->version = old != NULL ? old->version + 1 : 1;
    d->state = new_state;
}

/* Most decisions have no event, or one: room for them doubles whenever it is full. */
static struct event *next_event(struct decision *d, struct arena *a) {
    CHECK(d->event_count < STORE_EVENTS_MAX);
    int32_t count = d->event_count++;
    if ((count & (count - 1)) == 0) {
        struct event *events = arena_array(a, struct event, count == 0 ? 1 : 2 * count);
        if (count > 0)
            memcpy(events, d->events, (size_t)count * sizeof(*events));
        d->events = events;
    }
    return &d->events[count];
}

void decision_event(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                    const char *type, struct str key, const struct schema *schema,
                    const void *data) {
    *next_event(d, ctx->arena) = (struct event){
        .id = id_new(ctx->arena, "evt", ctx->now_us, ctx->rng),
        .type = str_from(type),
        .key = key,
        .at_us = ctx->now_us,
        .request_id = cmd->request_id,
        .traceparent = traceparent_text(&cmd->trace, ctx->arena),
        .data = schema_text(schema, data, S_STORE, ctx->arena),
    };
}

void decision_json(struct decision *d, int status, struct str json) {
    d->response.status = status;
    d->response.body = json;
}

void decision_problem(struct decision *d, const struct command *cmd, enum problem p,
                      const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct str detail = arena_vprintf(cmd->arena, format, args);
    va_end(args);
    problem_fill(&d->response, cmd->arena, cmd->request_id, p, "%.*s", STR_ARG(detail));
}

void decision_invalid(struct decision *d, const struct command *cmd, const char *pointer,
                      const char *format, ...) {
    struct field_errors errors = {0};
    va_list args;
    va_start(args, format);
    struct str detail = arena_vprintf(cmd->arena, format, args);
    va_end(args);
    field_errors_add(&errors, cmd->arena, str_from(pointer), "%.*s", STR_ARG(detail));
    problem_fill_invalid(&d->response, cmd->arena, cmd->request_id, &errors);
}

void decision_etag(struct decision *d, const struct command *cmd, int64_t version) {
    response_header(&d->response, "ETag", arena_printf(cmd->arena, "\"%lld\"", (long long)version));
}
