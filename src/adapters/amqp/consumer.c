/* The consuming end. A message comes in as frames: the delivery, a header with its properties and
 * size, its body in pieces. Once whole it becomes a delivery in the lane of its key, and poll()
 * gives it to its consumer. Answers go back from here, since only this thread may use the
 * connection.
 *
 * A delivery belongs to the life of the connection that brought it. When that ends, the broker
 * gives everything again that was not acknowledged: what is not out is dropped, and what is out
 * ends when its consumer is done, whatever he says.
 */
#include "adapters/amqp/internal.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct delivery *of_item(struct lane_item *i) {
    return (struct delivery *)((char *)i - offsetof(struct delivery, item));
}

/* ---- the beginning ---- */

static int consume(struct link *l, int32_t index) {
    const struct group *g = &l->bus->groups[index];
    char tag[16];
    snprintf(tag, sizeof(tag), "%d", index);
    if (amqp_basic_consume(l->conn, AMQP_CHANNEL, amqp_cstring_bytes(g->queue),
                           amqp_cstring_bytes(tag), 0, 0, 0, amqp_empty_table) == NULL)
        return link_fail_reply(l, g->queue);
    return 0;
}

static int up(struct link *l) {
    struct amqp_bus *b = l->bus;
    int err = topology_declare(l);
    if (err == 0 && amqp_basic_qos(l->conn, AMQP_CHANNEL, 0, AMQP_PREFETCH, 0) == NULL)
        err = link_fail_reply(l, "prefetch");
    for (int32_t i = 0; err == 0 && i < b->group_count; i++)
        if (b->groups[i].member_count > 0)
            err = consume(l, i);
    b->incoming.open = false;
    return err;
}

/* ---- a message comes in ---- */

static struct str put(char **at, struct str s) {
    if (!s.p)
        return STR_NONE;
    struct str copy = {*at, s.len};
    memcpy(*at, s.p, s.len);
    *at += s.len;
    return copy;
}

static struct delivery *delivery_new(const struct incoming *in) {
    const struct event *e = &in->event;
    struct delivery *d = xcalloc(1, sizeof(*d) + e->id.len + e->type.len + e->key.len +
                                        e->request_id.len + e->traceparent.len + in->body.len + 1);
    char *at = (char *)(d + 1);
    d->event = *e;
    d->event.id = put(&at, e->id);
    d->event.type = put(&at, e->type);
    d->event.key = put(&at, e->key);
    d->event.request_id = put(&at, e->request_id);
    d->event.traceparent = put(&at, e->traceparent);
    d->event.data = put(&at, (struct str){in->body.p, in->body.len});
    d->tag = in->tag;
    d->again = in->again;
    return d;
}

/* Whoever of the group wants the type: the same one for a key each time. NULL: nobody. */
static const struct member *member_for(const struct group *g, const struct event *e) {
    for (int32_t i = 0; i < g->taker_count; i++) {
        const struct taker *t = &g->takers[i];
        if (t->member_count > 0 && str_is(e->type, t->type))
            return t->members[str_hash(e->key, 0) % (uint64_t)t->member_count];
    }
    return NULL;
}

static int reject(struct link *l, uint64_t tag, bool requeue) {
    int status = amqp_basic_reject(l->conn, AMQP_CHANNEL, tag, requeue);
    return status == AMQP_STATUS_OK ? 0 : link_fail(l, "%s", amqp_error_string2(status));
}

static int put_aside(struct link *l, struct incoming *in) {
    struct amqp_bus *b = l->bus;
    log_error(b->log, "a message in %s is not an event, and was put aside: %s", in->group->queue,
              in->foreign);
    bus_lock(b);
    b->stats.dead_lettered++;
    bus_unlock(b);
    return reject(l, in->tag, false);
}

/* All of it is here. */
static int message_whole(struct link *l) {
    struct amqp_bus *b = l->bus;
    struct incoming *in = &b->incoming;
    in->open = false;
    if (in->foreign != NULL)
        return put_aside(l, in);
    const struct member *m = member_for(in->group, &in->event);
    if (m == NULL) /* a newer replica may know what to do with it, and the broker counts */
        return reject(l, in->tag, true);
    struct delivery *d = delivery_new(in);
    d->bus = b;
    d->group = in->group;
    d->member = m;
    d->port.event = &d->event;
    bus_lock(b);
    d->life = b->life;
    b->stats.unacknowledged++;
    lanes_enter(&d->group->lanes, &b->lanes, d->event.key, &d->item);
    bus_wake(b);
    bus_unlock(b);
    return 0;
}

static int on_deliver(struct link *l, const amqp_basic_deliver_t *m) {
    struct incoming *in = &l->bus->incoming;
    int64_t index;
    if (in->open || str_to_i64(str_of(m->consumer_tag), &index) < 0 || index < 0 ||
        index >= l->bus->group_count)
        return link_fail(l, "it delivers what makes no sense");
    arena_reset(&in->arena);
    *in = (struct incoming){.arena = in->arena,
                            .open = true,
                            .group = &l->bus->groups[index],
                            .tag = m->delivery_tag,
                            .again = m->redelivered};
    return 0;
}

static int on_header(struct link *l, const amqp_frame_t *f) {
    struct incoming *in = &l->bus->incoming;
    struct event e;
    in->size = f->payload.properties.body_size;
    in->foreign = message_read(f->payload.properties.decoded, &e);
    if (in->foreign == NULL && in->size > AMQP_BODY_MAX)
        in->foreign = "it is too large";
    if (in->foreign == NULL) {
        in->event = e;
        in->event.id = arena_str(&in->arena, e.id);
        in->event.type = arena_str(&in->arena, e.type);
        in->event.key = arena_str(&in->arena, e.key);
        in->event.request_id = arena_str(&in->arena, e.request_id);
        in->event.traceparent = arena_str(&in->arena, e.traceparent);
        buf_init(&in->body, &in->arena, (size_t)in->size + 1);
    }
    return in->size == 0 ? message_whole(l) : 0;
}

static int on_body(struct link *l, struct str part) {
    struct incoming *in = &l->bus->incoming;
    in->have += part.len;
    if (in->have > in->size)
        return link_fail(l, "it sends more than it said");
    if (in->foreign == NULL)
        buf_add_str(&in->body, part);
    return in->have == in->size ? message_whole(l) : 0;
}

static int frame(struct link *l, const amqp_frame_t *f) {
    bool open = l->bus->incoming.open;
    if (f->frame_type == AMQP_FRAME_HEADER && open)
        return on_header(l, f);
    if (f->frame_type == AMQP_FRAME_BODY && open)
        return on_body(l, str_of(f->payload.body_fragment));
    if (f->frame_type != AMQP_FRAME_METHOD)
        return 0;
    if (f->payload.method.id == AMQP_BASIC_DELIVER_METHOD)
        return on_deliver(l, f->payload.method.decoded);
    if (f->payload.method.id == AMQP_BASIC_CANCEL_METHOD)
        return link_fail(l, "the queue is gone");
    return 0;
}

/* ---- answers ---- */

static int answer(struct link *l, const struct delivery *d) {
    if (d->verdict == VERDICT_DEAD)
        return reject(l, d->tag, false);
    int status = amqp_basic_ack(l->conn, AMQP_CHANNEL, d->tag, 0);
    return status == AMQP_STATUS_OK ? 0 : link_fail(l, "%s", amqp_error_string2(status));
}

static struct delivery *take_answered(struct amqp_bus *b) {
    bus_lock(b);
    struct delivery *first = b->answered;
    b->answered = NULL;
    b->answered_last = &b->answered;
    bus_unlock(b);
    return first;
}

static int work(struct link *l) {
    int err = 0;
    for (struct delivery *d = take_answered(l->bus), *next; d; d = next) {
        next = d->next;
        if (err == 0)
            err = answer(l, d);
        free(d);
    }
    return err;
}

static bool idle(struct link *l) {
    bus_lock(l->bus);
    bool nothing = l->bus->answered == NULL;
    bus_unlock(l->bus);
    return nothing;
}

/* ---- the end ---- */

static void drop(void *arg, struct lane_item *item) {
    struct amqp_bus *b = arg;
    b->stats.unacknowledged--;
    free(of_item(item));
}

void consumer_drop_answered(struct amqp_bus *b) {
    for (struct delivery *d = b->answered, *next; d; d = next) {
        next = d->next;
        free(d);
    }
    b->answered = NULL;
    b->answered_last = &b->answered;
}

static void down(struct link *l) {
    struct amqp_bus *b = l->bus;
    bus_lock(b);
    b->life++;
    for (int32_t i = 0; i < b->group_count; i++)
        lanes_drop(&b->groups[i].lanes, &b->lanes, drop, b);
    consumer_drop_answered(b);
    bus_unlock(b);
}

const struct link_ops consumer_ops = {
    .name = "consumer",
    .up = up,
    .frame = frame,
    .work = work,
    .idle = idle,
    .down = down,
};
