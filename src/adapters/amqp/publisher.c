/* The publishing end. Each event that is sent gets the next tag of the channel; the broker confirms
 * tags, one by one or all up to one. The ring `sent` holds what is between the oldest tag that is
 * not confirmed and the next one.
 */
#include "adapters/amqp/internal.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

/* Without a confirm for so long the node that we are on has lost its majority, or worse. */
#define CONFIRM_TIMEOUT_US (30 * US_PER_S)
#define SEND_MAX 256 /* in one turn; then what came in is read */

void sending_add(struct sending_list *l, struct sending *s) {
    s->next = NULL;
    *(l->last ? &l->last->next : &l->first) = s;
    l->last = s;
}

struct sending *sending_take(struct sending_list *l) {
    struct sending *s = l->first;
    if (s) {
        l->first = s->next;
        if (!l->first)
            l->last = NULL;
    }
    return s;
}

static struct sending **slot(struct amqp_bus *b, uint64_t tag) {
    return &b->sent[tag % AMQP_IN_FLIGHT_MAX];
}

static int up(struct link *l) {
    struct amqp_bus *b = l->bus;
    int err = topology_declare(l);
    if (err < 0)
        return err;
    if (amqp_confirm_select(l->conn, AMQP_CHANNEL) == NULL)
        return link_fail_reply(l, "publisher confirms");
    b->sent_first = b->sent_next = 1;
    return 0;
}

/* Takes what waits into the ring, at most a turn's worth. Returns whether there is more. */
static bool take_queue(struct amqp_bus *b) {
    bus_lock(b);
    for (int i = 0; i < SEND_MAX && b->queue.first; i++) {
        if (b->sent_next - b->sent_first == AMQP_IN_FLIGHT_MAX)
            break;
        *slot(b, b->sent_next++) = sending_take(&b->queue);
        b->stats.published++;
    }
    bool more = b->queue.first && b->sent_next - b->sent_first < AMQP_IN_FLIGHT_MAX;
    bus_unlock(b);
    return more;
}

static bool confirm_is_late(const struct amqp_bus *b, int64_t now_us) {
    const struct sending *oldest = b->sent[b->sent_first % AMQP_IN_FLIGHT_MAX];
    return b->sent_first < b->sent_next && now_us - oldest->sent_us > CONFIRM_TIMEOUT_US;
}

static int work(struct link *l) {
    struct amqp_bus *b = l->bus;
    if (l->blocked)
        return 0;
    int64_t now_us = clock_mono_us();
    uint64_t tag = b->sent_next;
    bool more = take_queue(b);
    for (; tag < b->sent_next; tag++) {
        struct sending *s = *slot(b, tag);
        s->sent_us = now_us;
        int status = message_publish(l->conn, b->exchange, s->event.type, &s->event);
        if (status != AMQP_STATUS_OK)
            return link_fail(l, "%s", amqp_error_string2(status));
    }
    if (confirm_is_late(b, now_us))
        return link_fail(l, "it confirms nothing any more");
    return more;
}

/* ---- confirms ---- */

/* Under the lock. */
static void land(struct amqp_bus *b, uint64_t tag, int result) {
    struct sending *s = *slot(b, tag);
    if (!s)
        return;
    *slot(b, tag) = NULL;
    s->result = result;
    sending_add(&b->landed, s);
    b->stats.confirmed += result == 0;
    b->stats.unconfirmed += result != 0;
}

/* Everything up to TAG if MULTIPLE, else TAG alone. */
static int confirmed(struct link *l, uint64_t tag, bool multiple, int result) {
    struct amqp_bus *b = l->bus;
    if (tag == 0 || tag >= b->sent_next)
        return link_fail(l, "it confirmed what was never sent");
    bus_lock(b);
    for (uint64_t t = multiple ? b->sent_first : tag; t >= b->sent_first && t <= tag; t++)
        land(b, t, result);
    while (b->sent_first < b->sent_next && !*slot(b, b->sent_first))
        b->sent_first++;
    bus_wake(b);
    bus_unlock(b);
    return 0;
}

static int returned(struct link *l, const amqp_basic_return_t *r) {
    struct amqp_bus *b = l->bus;
    struct str type = str_of(r->routing_key);
    if (map_get(&b->wanted, type))
        return link_fail(l, "%.*s reached no queue", STR_ARG(type));
    bus_lock(b);
    uint64_t count = ++b->stats.returned;
    bus_unlock(b);
    if (count == 1)
        log_info(b->log, "nobody wants events of type %.*s (nor, perhaps, some others)",
                 STR_ARG(type));
    return 0;
}

static int frame(struct link *l, const amqp_frame_t *f) {
    if (f->frame_type != AMQP_FRAME_METHOD)
        return 0; /* the content of what was returned */
    if (f->payload.method.id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *m = f->payload.method.decoded;
        return confirmed(l, m->delivery_tag, m->multiple, 0);
    }
    if (f->payload.method.id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *m = f->payload.method.decoded;
        return confirmed(l, m->delivery_tag, m->multiple, ERR_BUSY);
    }
    if (f->payload.method.id == AMQP_BASIC_RETURN_METHOD)
        return returned(l, f->payload.method.decoded);
    return 0;
}

/* What waits is in the outbox, too: it need not be sent before the end. */
static bool idle(struct link *l) {
    (void)l;
    return true;
}

/* What was not confirmed may or may not have arrived: it is published again. */
static void down(struct link *l) {
    struct amqp_bus *b = l->bus;
    bus_lock(b);
    for (; b->sent_first < b->sent_next; b->sent_first++)
        land(b, b->sent_first, ERR_UNAVAILABLE);
    bus_wake(b);
    bus_unlock(b);
}

const struct link_ops publisher_ops = {
    .name = "publisher",
    .up = up,
    .frame = frame,
    .work = work,
    .idle = idle,
    .down = down,
};
