/* Events on their way in: a delivery becomes a turn, the service's handler makes commands of it,
 * and when the last of them has committed the event is acknowledged. Executor thread.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "runtime/executor_internal.h"
#include "runtime/runtime_internal.h"

#include <stdlib.h>

struct turn_own {
    struct event_turn turn;
    struct arena arena;
    const struct subscription *subscription;
    struct span *span; /* of taking the event in; NULL: not traced */
};

static void turn_end(struct event_turn *t) {
    struct turn_own *own = (struct turn_own *)t;
    struct bus_delivery *delivery = t->delivery;
    const struct runtime_options *o = &t->runtime->o;
    int result = t->result;
    if (own->span != NULL && result < 0)
        span_fail(own->span, err_text(result));
    if (own->span != NULL)
        span_end(o->spans, own->span, o->clock->now_us(o->clock));
    arena_free(&own->arena);
    free(own);
    delivery->done(delivery, result);
}

static void turn_release(struct event_turn *t) {
    if (--t->pending == 0)
        turn_end(t);
}

static struct log_cause turn_cause(const struct event_turn *t) {
    return (struct log_cause){t->event->request_id, &t->trace};
}

static void command_finish(struct command *cmd, int result, struct response *response) {
    (void)response;
    struct event_turn *t = cmd->finish_arg;
    if (result < 0) {
        t->result = result;
        if (!executor_transient(result)) /* it comes again, and holds up those behind it */
            log_write(t->runtime->o.log, LOG_ERROR, turn_cause(t),
                      "%s of %.*s failed on event %.*s: %s", cmd->type->name, STR_ARG(cmd->id),
                      STR_ARG(t->event->id), err_text(result));
    }
    turn_release(t);
}

static void submit(struct event_turn *t, const struct command_type *type, struct str id, void *args,
                   struct str place) {
    const struct turn_own *own = (const struct turn_own *)t;
    struct command *cmd = arena_new(t->arena, struct command);
    cmd->type = type;
    cmd->service = t->service;
    cmd->id = arena_str(t->arena, id);
    cmd->args = args;
    cmd->request_id = t->event->request_id;
    cmd->trace = t->trace;
    cmd->dedupe = arena_printf(t->arena, "%.*s/%s/%.*s", STR_ARG(t->event->id),
                               own->subscription->service->def->name, STR_ARG(place));
    cmd->arena = t->arena;
    cmd->finish = command_finish;
    cmd->finish_arg = t;
    t->pending++;
    executor_enqueue(t->runtime->o.executor, cmd);
}

void event_command(struct event_turn *t, const struct command_type *type, struct str id,
                   void *args) {
    submit(t, type, id, args, arena_printf(t->arena, "%d", t->submitted++));
}

void event_command_once(struct event_turn *t, const struct command_type *type, struct str id,
                        void *args) {
    submit(t, type, id, args, id);
}

static const struct event_entry *entry_of(const struct service_def *def, struct str type) {
    for (int32_t i = 0; i < def->event_count; i++) {
        if (str_is(type, def->events[i].type))
            return &def->events[i];
    }
    return NULL;
}

/* The commands of the event hang below it. */
static struct span *begin_span(struct turn_own *own) {
    const struct runtime_options *o = &own->turn.runtime->o;
    const struct event *e = own->turn.event;
    if (o->spans == NULL)
        return NULL;
    struct span *span = span_begin(o->spans, &own->arena, &o->executor->rng, &own->turn.trace,
                                   SPAN_CONSUMER, o->clock->now_us(o->clock));
    span_name(span, "process %.*s", STR_ARG(e->type));
    span_text(span, "messaging.system", STR("lorry"));
    span_text(span, "messaging.operation.type", STR("process"));
    span_text(span, "messaging.destination.name", e->type);
    span_text(span, "messaging.consumer.group.name",
              str_from(own->subscription->service->def->name));
    span_text(span, "messaging.message.id", e->id);
    return span;
}

/* Its data; NULL: it is none of ours. A broker holds whatever somebody has put there; handlers make
 * ids of the event's own, and keep its time in documents that must be read again. */
static void *read_event(struct turn_own *own, const struct event_entry *entry) {
    const struct event *e = own->turn.event;
    void *data = arena_alloc(&own->arena, entry->schema->size);
    bool sound = id_valid(e->id, NULL) && e->at_us >= 0 && e->at_us <= TIMESTAMP_US_MAX &&
                 schema_load(entry->schema, own->turn.parser, e->data, &own->arena, data) == 0;
    return sound ? data : NULL;
}

/* A newer replica may be able to read it, or people: where the bus puts it aside it waits for them.
 * Elsewhere it would be given again for ever, and hold up those behind it: it is let go. */
static void refuse(struct turn_own *own) {
    const struct runtime_options *o = &own->turn.runtime->o;
    const struct event *e = own->turn.event;
    own->turn.result = o->bus->puts_aside ? ERR_CORRUPT : 0;
    log_write(o->log, LOG_ERROR, turn_cause(&own->turn), "event %.*s of type %.*s is not readable",
              STR_ARG(e->id), STR_ARG(e->type));
}

void turn_deliver(void *consumer, struct bus_delivery *d) {
    struct subscription *sub = consumer;
    struct runtime *r = sub->runtime;
    const struct event_entry *entry = entry_of(sub->service->def, d->event->type);
    CHECK(entry != NULL);
    struct turn_own *own = xcalloc(1, sizeof(*own));
    arena_init(&own->arena, 8192);
    own->subscription = sub;
    own->turn = (struct event_turn){.event = d->event,
                                    .arena = &own->arena,
                                    .parser = executor_parser(r->o.executor),
                                    .service = sub->service->self,
                                    .runtime = r,
                                    .delivery = d,
                                    .pending = 1};
    traceparent_read(d->event->traceparent, &own->turn.trace);
    own->span = begin_span(own);
    void *data = read_event(own, entry);
    if (data != NULL)
        entry->on(&own->turn, data);
    else
        refuse(own);
    turn_release(&own->turn);
}
