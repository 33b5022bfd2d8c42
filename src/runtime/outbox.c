/* The outbox pump: publishes what commits have left in the outbox, in order, and notes what the bus
 * has confirmed, so that the next commit removes it. Nothing is kept here that the store has not:
 * after a crash the pump begins at the oldest row, and consumers drop what they have had.
 */
#include "base/check.h"
#include "base/err.h"
#include "runtime/executor_internal.h"

#include <stdlib.h>

static bool forget_in_flight(struct outbox *o, int64_t seq, struct outbox_row *ret_row) {
    for (int32_t i = 0; i < o->in_flight_count; i++) {
        if (o->in_flight[i].seq == seq) {
            *ret_row = o->in_flight[i];
            o->in_flight[i] = o->in_flight[--o->in_flight_count];
            return true;
        }
    }
    return false;
}

/* ---- tracing ---- */

/* From here on the event carries the span of its being published. NULL: it is not traced. */
static struct span *begin_span(struct executor *x, struct event *e, struct arena *a) {
    struct traceparent trace;
    if (x->o.spans == NULL || !traceparent_read(e->traceparent, &trace))
        return NULL;
    struct span *span = span_begin(x->o.spans, NULL, &x->rng, &trace, SPAN_PRODUCER,
                                   x->o.clock->now_us(x->o.clock));
    if (span == NULL)
        return NULL;
    e->traceparent = traceparent_text(&trace, a);
    span_name(span, "publish %.*s", STR_ARG(e->type));
    span_text(span, "messaging.system", STR("lorry"));
    span_text(span, "messaging.operation.type", STR("send"));
    span_text(span, "messaging.destination.name", e->type);
    span_text(span, "messaging.message.id", e->id);
    return span;
}

/* The bus has the event, or says that it has not (RESULT < 0). */
static void end_span(struct executor *x, struct outbox_row *row, int result) {
    if (row->span == NULL)
        return;
    if (result < 0)
        span_fail(row->span, err_text(result));
    span_end(x->o.spans, row->span, x->o.clock->now_us(x->o.clock));
    free(row->span);
    row->span = NULL;
}

/* ---- what is in flight ---- */

static void on_confirm(void *publisher, int64_t seq, int result) {
    struct executor *x = publisher;
    struct outbox *o = &x->outbox;
    struct outbox_row row;
    if (!forget_in_flight(o, seq, &row))
        return; /* confirmed twice */
    end_span(x, &row, result);
    if (result < 0) {
        CHECK(o->again_count < OUTBOX_IN_FLIGHT_MAX);
        if (o->again_count == 0)
            o->again_at_us = x->o.clock->now_us(x->o.clock) + OUTBOX_RETRY_US;
        o->again[o->again_count++] = row;
        return;
    }
    CHECK(o->confirmed_count < OUTBOX_CONFIRMED_MAX);
    if (o->confirmed_count == 0)
        o->confirmed_since_us = x->o.clock->now_us(x->o.clock);
    o->confirmed[o->confirmed_count++] = seq;
    o->behind -= o->behind > 0;
    x->stats.confirmed++;
}

/* What is in flight may all be confirmed before a commit takes it away: keep room for that. */
static int32_t room(const struct outbox *o) {
    int32_t in_flight = OUTBOX_IN_FLIGHT_MAX - o->in_flight_count - o->again_count;
    int32_t confirmed =
        OUTBOX_CONFIRMED_MAX - o->confirmed_count - o->in_flight_count - o->again_count;
    return in_flight < confirmed ? in_flight : confirmed;
}

static int publish(struct executor *x, struct event *e, struct arena *a) {
    struct outbox *o = &x->outbox;
    struct outbox_row row = {.seq = e->seq, .at_us = e->at_us, .span = begin_span(x, e, a)};
    o->in_flight[o->in_flight_count++] = row;
    int err = x->o.bus->ops->publish(x->o.bus, e, on_confirm, x);
    if (err < 0 && forget_in_flight(o, e->seq, &row))
        free(row.span); /* it has not begun */
    if (err == 0)
        x->stats.published++;
    return err;
}

/* Publishes up to LIMIT rows beyond AFTER. Returns how many, or the error that stopped it;
 * *ret_last is the last one that went. */
static int32_t publish_rows(struct executor *x, int64_t after, int32_t limit, int64_t *ret_last) {
    struct arena arena;
    arena_init(&arena, 65536);
    struct event *events;
    int32_t count;
    int result = x->o.store->ops->outbox_read(x->o.store, after, limit, &arena, &events, &count);
    if (result >= 0)
        x->outbox.held_us = 0;
    for (int32_t i = 0; result >= 0 && i < count; i++) {
        int err = publish(x, &events[i], &arena);
        if (err < 0) {
            x->outbox.held_us = events[i].at_us;
            result = i > 0 ? i : err;
            break;
        }
        *ret_last = events[i].seq;
        result = i + 1;
    }
    arena_free(&arena);
    return result;
}

/* The list is walked while confirms may already write to its front; never past the walk. */
static void publish_again(struct executor *x, int64_t now_us) {
    struct outbox *o = &x->outbox;
    int32_t count = o->again_count;
    o->again_count = 0;
    o->again_at_us = now_us + OUTBOX_RETRY_US;
    for (int32_t i = 0; i < count; i++) {
        int64_t last = 0;
        struct outbox_row row = o->again[i];
        if (publish_rows(x, row.seq - 1, 1, &last) < 0)
            o->again[o->again_count++] = row;
    }
}

static int64_t older(int64_t a_us, int64_t b_us) {
    return a_us == 0 || b_us < a_us ? b_us : a_us;
}

/* When the oldest event was made that is not confirmed, 0: all are. */
static int64_t oldest_us(const struct outbox *o) {
    int64_t at_us = o->held_us;
    for (int32_t i = 0; i < o->in_flight_count; i++)
        at_us = older(at_us, o->in_flight[i].at_us);
    for (int32_t i = 0; i < o->again_count; i++)
        at_us = older(at_us, o->again[i].at_us);
    return at_us;
}

void outbox_pump(struct executor *x, int64_t now_us) {
    struct outbox *o = &x->outbox;
    if (o->again_count > 0 && now_us >= o->again_at_us)
        publish_again(x, now_us);
    bool poll = now_us >= o->next_poll_us;
    if (poll) {
        o->next_poll_us = now_us + OUTBOX_POLL_US;
        o->dirty = true;
    }
    while (o->dirty && room(o) > 0) {
        int32_t limit = room(o) < OUTBOX_PAGE_MAX ? room(o) : OUTBOX_PAGE_MAX;
        int32_t n = publish_rows(x, o->pumped_seq, limit, &o->pumped_seq);
        if (n < 0)
            break; /* the bus or the store is busy: the next turn tries again */
        if (n < limit)
            o->dirty = n > 0;
    }
    if (!o->dirty && o->in_flight_count + o->again_count == 0)
        o->behind =
            0; /* it is counted anew from here on: commits in doubt and others' rows blur it */
    x->stats.in_flight = o->in_flight_count + o->again_count;
    x->stats.behind = o->behind;
    if (poll || o->in_flight_count + o->again_count == 0) /* there may be many, and turns, too */
        x->stats.oldest_us = oldest_us(o);
}

void outbox_removed(struct executor *x, int32_t count) {
    struct outbox *o = &x->outbox;
    CHECK(count <= o->confirmed_count);
    o->confirmed_count -= count;
    for (int32_t i = 0; i < o->confirmed_count; i++)
        o->confirmed[i] = o->confirmed[i + count];
}

bool outbox_idle(const struct executor *x) {
    const struct outbox *o = &x->outbox;
    return !o->dirty && o->in_flight_count == 0 && o->again_count == 0 && o->confirmed_count == 0;
}

void outbox_free(struct executor *x) {
    for (int32_t i = 0; i < x->outbox.in_flight_count; i++)
        free(x->outbox.in_flight[i].span);
}
