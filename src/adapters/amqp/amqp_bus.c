/* The port: what executors call. Everything that they and the two links share lies under one lock,
 * held for a few instructions; callbacks and the network run without it.
 *
 *   publish → queue → (publisher's link) ring → landed → poll: confirm
 *   (consumer's link) lanes → poll: deliver → done → answered → (consumer's link) ack
 *
 * An event that is published, and one that came in, is one block of memory each.
 */
#include "adapters/amqp/amqp_bus.h"

#include "adapters/amqp/internal.h"
#include "base/check.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

void bus_lock(struct amqp_bus *b) {
    CHECK(pthread_mutex_lock(&b->lock) == 0);
}

void bus_unlock(struct amqp_bus *b) {
    CHECK(pthread_mutex_unlock(&b->lock) == 0);
}

void bus_wake(struct amqp_bus *b) {
    for (int32_t i = 0; i < b->waker_count; i++)
        b->wakers[i].wake(b->wakers[i].arg);
}

static struct amqp_bus *self(struct bus *b) {
    return (struct amqp_bus *)b;
}

/* ---- before the start ---- */

static struct group *group_of(struct amqp_bus *b, const char *name) {
    for (int32_t i = 0; i < b->group_count; i++)
        if (!strcmp(b->groups[i].name, name))
            return &b->groups[i];
    CHECK(b->group_count < AMQP_GROUPS_MAX);
    struct group *g = &b->groups[b->group_count++];
    g->name = name;
    g->queue = arena_printf(&b->arena, "%s.%s", b->prefix, name).p;
    g->dead_queue = arena_printf(&b->arena, "%s.%s.dead", b->prefix, name).p;
    CHECK(strlen(g->dead_queue) <= AMQP_NAME_MAX);
    map_init(&g->lanes);
    return g;
}

static struct taker *taker_of(struct amqp_bus *b, struct group *g, const char *type) {
    for (int32_t i = 0; i < g->taker_count; i++)
        if (!strcmp(g->takers[i].type, type))
            return &g->takers[i];
    CHECK(g->taker_count < AMQP_TYPES_MAX && strlen(type) <= AMQP_NAME_MAX);
    g->takers[g->taker_count].type = type;
    map_put(&b->wanted, str_from(type), g);
    return &g->takers[g->taker_count++];
}

static int subscribe(struct bus *bus, const char *name, const char *const *types,
                     bus_deliver_fn deliver, void *consumer) {
    struct amqp_bus *b = self(bus);
    CHECK(!b->started && name && deliver);
    struct group *g = group_of(b, name);
    CHECK(g->member_count < AMQP_MEMBERS_MAX);
    struct member *m = &g->members[g->member_count++];
    *m = (struct member){deliver, consumer};
    for (int i = 0; types[i]; i++) {
        struct taker *t = taker_of(b, g, types[i]);
        if (t->member_count == 0 || t->members[t->member_count - 1] != m)
            t->members[t->member_count++] = m;
    }
    return 0;
}

/* Under the lock, by the first publish or poll. */
static void start(struct amqp_bus *b) {
    if (b->started)
        return;
    b->started = true;
    link_start(&b->publisher);
    for (int32_t i = 0; i < b->group_count; i++) {
        if (b->groups[i].member_count > 0) {
            link_start(&b->consumer);
            break;
        }
    }
}

/* ---- publishing ---- */

static struct str put(char **at, struct str s) {
    if (!s.p)
        return STR_NONE;
    struct str copy = {*at, s.len};
    memcpy(*at, s.p, s.len);
    *at += s.len;
    return copy;
}

static struct sending *sending_new(const struct event *e) {
    struct sending *s = xcalloc(1, sizeof(*s) + e->id.len + e->type.len + e->key.len + e->data.len +
                                       e->request_id.len + e->traceparent.len + 1);
    char *at = (char *)(s + 1);
    s->event = *e;
    s->event.id = put(&at, e->id);
    s->event.type = put(&at, e->type);
    s->event.key = put(&at, e->key);
    s->event.request_id = put(&at, e->request_id);
    s->event.traceparent = put(&at, e->traceparent);
    s->event.data = put(&at, e->data);
    s->thread = pthread_self();
    return s;
}

static int publish(struct bus *bus, const struct event *e, bus_confirm_fn confirm,
                   void *publisher) {
    struct amqp_bus *b = self(bus);
    CHECK(e->id.p && e->type.p && e->key.p && confirm);
    CHECK(e->id.len <= AMQP_NAME_MAX && e->type.len <= AMQP_NAME_MAX);
    bus_lock(b);
    start(b);
    bool full = b->stats.in_flight >= AMQP_IN_FLIGHT_MAX;
    b->stats.in_flight += !full;
    bus_unlock(b);
    if (full)
        return ERR_FULL;
    struct sending *s = sending_new(e);
    s->confirm = confirm;
    s->publisher = publisher;
    bus_lock(b);
    sending_add(&b->queue, s);
    link_poke(&b->publisher);
    bus_unlock(b);
    return 0;
}

/* ---- consuming ---- */

static bool is_own_fault(int err) {
    return err == ERR_NOT_FOUND || err == ERR_INVALID || err == ERR_LIMIT || err == ERR_DENIED ||
           err == ERR_CORRUPT;
}

static void log_dead(const struct delivery *d, int err) {
    log_error(d->bus->log, "event %.*s of type %.*s failed %d times and was put aside into %s: %s",
              STR_ARG(d->event.id), STR_ARG(d->event.type), d->faults, d->group->dead_queue,
              err_text(err));
}

static void done(struct bus_delivery *port, int result) {
    struct delivery *d = (struct delivery *)port;
    struct amqp_bus *b = d->bus;
    bus_lock(b);
    bool current = d->life == b->life;
    d->faults += is_own_fault(result);
    d->verdict = result == 0 ? VERDICT_ACK : VERDICT_DEAD;
    if (current && result != 0 && d->faults < AMQP_ATTEMPTS_MAX) {
        lanes_refuse(&b->lanes, &d->item); /* rests from the next poll on, whose clock counts */
        bus_unlock(b);
        return;
    }
    lanes_done(&d->group->lanes, &b->lanes, &d->item);
    b->stats.unacknowledged--;
    if (!current) { /* the broker gives it again, to whomever */
        free(d);
    } else {
        if (result != 0) {
            b->stats.dead_lettered++;
            log_dead(d, result);
        }
        d->next = NULL;
        *b->answered_last = d;
        b->answered_last = &d->next;
        link_poke(&b->consumer);
    }
    if (b->lanes.ready.first)
        bus_wake(b);
    bus_unlock(b);
}

static void deliver_ready(struct amqp_bus *b) {
    struct lane_item *i;
    while ((i = lanes_next(&b->lanes))) {
        struct delivery *d = (struct delivery *)((char *)i - offsetof(struct delivery, item));
        d->port.done = done;
        b->stats.delivered++;
        b->stats.redelivered += d->again || i->refusals > 0;
        bus_unlock(b);
        d->member->deliver(d->member->consumer, &d->port);
        bus_lock(b);
    }
}

/* What has landed and was published by this thread. */
static struct sending_list take_landed(struct amqp_bus *b) {
    struct sending_list mine = {0}, others = {0};
    struct sending *s;
    while ((s = sending_take(&b->landed)))
        sending_add(pthread_equal(s->thread, pthread_self()) ? &mine : &others, s);
    b->landed = others;
    return mine;
}

static void confirm_landed(struct amqp_bus *b) {
    struct sending_list mine = take_landed(b);
    struct sending *s;
    while ((s = sending_take(&mine))) {
        b->stats.in_flight--;
        bus_unlock(b);
        s->confirm(s->publisher, s->event.seq, s->result);
        free(s);
        bus_lock(b);
    }
}

static int64_t poll(struct bus *bus, int64_t now_us) {
    struct amqp_bus *b = self(bus);
    bus_lock(b);
    start(b);
    confirm_landed(b);
    lanes_due(&b->lanes, now_us);
    if (!b->settling) { /* one thread at a time, and no poll inside a poll's callbacks */
        b->settling = true;
        deliver_ready(b);
        b->settling = false;
    }
    int64_t next_us = lanes_rest(&b->lanes, now_us);
    bus_unlock(b);
    int64_t signals_us = b->signals->ops->poll(b->signals, now_us);
    return signals_us != 0 && (next_us == 0 || signals_us < next_us) ? signals_us : next_us;
}

static void on_ready(struct bus *bus, void (*wake)(void *arg), void *arg) {
    struct amqp_bus *b = self(bus);
    bus_lock(b);
    if (wake) {
        CHECK(b->waker_count < BUS_WAKERS_MAX);
        b->wakers[b->waker_count++] = (struct waker){wake, arg};
    }
    for (int32_t i = 0; !wake && i < b->waker_count; i++) {
        if (b->wakers[i].arg == arg) {
            b->wakers[i] = b->wakers[--b->waker_count];
            break;
        }
    }
    bus_unlock(b);
}

/* ---- signals ---- */

static int listen_topic(struct bus *bus, const char *topic, signal_fn fn, void *consumer) {
    struct amqp_bus *b = self(bus);
    return b->signals->ops->listen(b->signals, topic, fn, consumer);
}

static void signal_topic(struct bus *bus, const char *topic, const void *data, size_t len) {
    struct amqp_bus *b = self(bus);
    b->signals->ops->signal(b->signals, topic, data, len);
}

/* The signals' own threads find something: so would a poll. */
static void signals_ready(void *arg) {
    struct amqp_bus *b = arg;
    bus_lock(b);
    bus_wake(b);
    bus_unlock(b);
}

/* ---- the whole ---- */

static void metric(struct buf *out, const char *name, const char *kind, const char *help,
                   double value) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, kind, name, value);
}

static void metrics(struct bus *bus, struct buf *out) {
    struct amqp_bus_stats s;
    amqp_bus_stats(bus, &s);
    metric(out, "lorry_bus_connected", "gauge", "1 while the broker is there.", s.connected);
    metric(out, "lorry_bus_reconnects_total", "counter",
           "Connections to the broker that were lost.", (double)s.reconnects);
    metric(out, "lorry_bus_in_flight", "gauge", "Events published and not confirmed.",
           (double)s.in_flight);
    metric(out, "lorry_bus_published_total", "counter", "Events sent to the broker.",
           (double)s.published);
    metric(out, "lorry_bus_confirmed_total", "counter", "Events that the broker has safely.",
           (double)s.confirmed);
    metric(out, "lorry_bus_unconfirmed_total", "counter",
           "Events refused or lost on the way: sent again.", (double)s.unconfirmed);
    metric(out, "lorry_bus_returned_total", "counter", "Events that no group wanted.",
           (double)s.returned);
    metric(out, "lorry_bus_unacknowledged", "gauge",
           "Events taken from the broker and not yet done with.", (double)s.unacknowledged);
    metric(out, "lorry_bus_resting", "gauge", "Of them, refused and waiting for another try.",
           (double)s.resting);
    metric(out, "lorry_bus_delivered_total", "counter", "Events given to consumers.",
           (double)s.delivered);
    metric(out, "lorry_bus_redelivered_total", "counter", "Of them, not for the first time.",
           (double)s.redelivered);
    metric(out, "lorry_bus_dead_letters_total", "counter", "Events put aside by this process.",
           (double)s.dead_lettered);
}

static void free_sendings(struct sending_list *l) {
    struct sending *s;
    while ((s = sending_take(l)))
        free(s);
}

static void free_delivery(void *arg, struct lane_item *item) {
    (void)arg;
    free((char *)item - offsetof(struct delivery, item));
}

static void close_bus(struct bus *bus) {
    struct amqp_bus *b = self(bus);
    b->signals->ops->close(b->signals);
    link_stop(&b->consumer);
    link_stop(&b->publisher);
    free_sendings(&b->queue);
    free_sendings(&b->landed);
    consumer_drop_answered(b);
    for (int32_t i = 0; i < b->group_count; i++)
        lanes_free(&b->groups[i].lanes, free_delivery, NULL);
    map_free(&b->wanted);
    arena_free(&b->incoming.arena);
    arena_free(&b->arena);
    pthread_mutex_destroy(&b->declaring);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static const struct bus_ops amqp_ops = {
    .subscribe = subscribe,
    .publish = publish,
    .listen = listen_topic,
    .signal = signal_topic,
    .poll = poll,
    .on_ready = on_ready,
    .metrics = metrics,
    .close = close_bus,
};

int amqp_bus_new(const struct amqp_options *o, struct arena *a, struct bus **ret_bus,
                 struct str *ret_why) {
    struct amqp_bus *b = xcalloc(1, sizeof(*b));
    arena_init(&b->arena, 4096);
    struct str why;
    if (uri_parse(o->uri, &b->arena, &b->address, &why) < 0) {
        *ret_why = arena_str(a, why);
        arena_free(&b->arena);
        free(b);
        return ERR_INVALID;
    }
    b->bus.ops = &amqp_ops;
    b->bus.puts_aside = true;
    b->address.ca_file = o->ca_file;
    b->prefix = o->prefix ? o->prefix : AMQP_PREFIX;
    b->exchange = arena_printf(&b->arena, "%s.events", b->prefix).p;
    b->log = o->log;
    b->signals = o->signals;
    CHECK(b->signals);
    b->signals->ops->on_ready(b->signals, signals_ready, b);
    b->answered_last = &b->answered;
    map_init(&b->wanted);
    arena_init(&b->incoming.arena, 16384);
    CHECK(pthread_mutex_init(&b->lock, NULL) == 0);
    CHECK(pthread_mutex_init(&b->declaring, NULL) == 0);
    link_init(&b->publisher, &publisher_ops, b);
    link_init(&b->consumer, &consumer_ops, b);
    for (int32_t i = 0; i < o->group_count; i++) {
        struct group *g = group_of(b, o->groups[i].name);
        for (int t = 0; o->groups[i].types[t]; t++)
            taker_of(b, g, o->groups[i].types[t]);
    }
    *ret_bus = &b->bus;
    return 0;
}

void amqp_bus_stats(struct bus *bus, struct amqp_bus_stats *ret) {
    struct amqp_bus *b = self(bus);
    bus_lock(b);
    *ret = b->stats;
    ret->resting = b->lanes.resting_count;
    bus_unlock(b);
    ret->connected = b->publisher.connected && (!b->consumer.running || b->consumer.connected);
}
