/* A flight is one published event: a copy of it and one delivery for each group that wants it. Each
 * group keeps its deliveries in lanes, one per key (base/lanes.h). When the last delivery of a
 * flight is acknowledged the flight is landed, and its publisher is told. Callbacks never run under
 * the lock and never inside each other: settle() is the one loop that makes them, and a call into
 * the bus from a callback leaves its work to the loop that is already running.
 *
 * Memory: a flight is one block; it is freed after its confirm.
 */
#include "adapters/inproc/inproc_bus.h"

#include "adapters/inproc/inproc_signals.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/lanes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CROSSING_POLL_US INT64_C(10000)
#define TYPES_MAX 64 /* of one subscription */

struct delivery {
    struct bus_delivery port; /* first: what the consumer sees */
    struct lane_item item;
    struct inproc_bus *bus;
    struct flight *flight;
    struct group *group;
    const struct member *member;
};

struct member { /* one subscription */
    bus_deliver_fn deliver;
    void *consumer;
};

struct group {
    const char *name;
    struct map lanes;
    struct member members[INPROC_MEMBERS_MAX];
    int32_t member_count;
};

/* Who gets events of one type: for each group the members that asked for it. */
struct route_group {
    struct group *group;
    const struct member *members[INPROC_MEMBERS_MAX];
    int32_t member_count;
};
struct route {
    struct route_group groups[INPROC_GROUPS_MAX];
    int32_t group_count;
};

struct flight {
    struct event event;
    bus_confirm_fn confirm;
    void *publisher;
    pthread_t thread; /* that published, and must hear of the end */
    struct flight *next, *prev;
    int32_t pending; /* deliveries not yet acknowledged */
    int32_t delivery_count;
    struct delivery deliveries[];
};

struct flight_list {
    struct flight *first, *last;
};

struct waker {
    void (*wake)(void *arg);
    void *arg;
};

struct inproc_bus {
    struct bus bus; /* first: the port's view */

    /* Written before the start only, read without the lock afterwards. */
    struct group *groups[INPROC_GROUPS_MAX];
    int32_t group_count;
    struct map routes; /* type → route */

    struct signals *signals;
    _Atomic uint64_t signal_count;

    pthread_mutex_t lock; /* guards everything below */
    bool started;
    bool settling; /* a thread is in settle() */
    bool crossed;  /* consumers on other threads than the publisher's have been seen */
    struct flight_list flying, landed;
    struct lane_queue queue;
    struct waker wakers[BUS_WAKERS_MAX];
    int32_t waker_count;
    struct inproc_bus_stats stats;
};

static struct inproc_bus *self(struct bus *b) {
    return (struct inproc_bus *)b;
}

/* --- lists ------------------------------------------------------------------------------------ */

static void flight_add(struct flight_list *l, struct flight *f) {
    f->next = NULL;
    f->prev = l->last;
    *(l->last ? &l->last->next : &l->first) = f;
    l->last = f;
}

static void flight_take(struct flight_list *l, struct flight *f) {
    *(f->prev ? &f->prev->next : &l->first) = f->next;
    *(f->next ? &f->next->prev : &l->last) = f->prev;
}

/* --- subscribing ------------------------------------------------------------------------------ */

static struct group *group_of(struct inproc_bus *b, const char *name) {
    for (int32_t i = 0; i < b->group_count; i++)
        if (!strcmp(b->groups[i]->name, name))
            return b->groups[i];
    CHECK(b->group_count < INPROC_GROUPS_MAX);
    struct group *g = xcalloc(1, sizeof *g);
    g->name = name;
    map_init(&g->lanes);
    b->groups[b->group_count++] = g;
    return g;
}

static void route_add(struct inproc_bus *b, const char *type, struct group *g,
                      const struct member *member) {
    struct route *r = map_get(&b->routes, str_from(type));
    if (!r) {
        r = xcalloc(1, sizeof *r);
        map_put(&b->routes, str_from(type), r);
    }
    struct route_group *rg = NULL;
    for (int32_t i = 0; i < r->group_count; i++)
        if (r->groups[i].group == g)
            rg = &r->groups[i];
    if (!rg) {
        rg = &r->groups[r->group_count++];
        rg->group = g;
    }
    for (int32_t i = 0; i < rg->member_count; i++)
        if (rg->members[i] == member)
            return; /* a type named twice in one list */
    rg->members[rg->member_count++] = member;
}

static int subscribe(struct bus *bus, const char *group, const char *const *types,
                     bus_deliver_fn deliver, void *consumer) {
    struct inproc_bus *b = self(bus);
    CHECK(!b->started && group && deliver);
    struct group *g = group_of(b, group);
    CHECK(g->member_count < INPROC_MEMBERS_MAX);
    struct member *m = &g->members[g->member_count++];
    *m = (struct member){deliver, consumer};
    for (int i = 0; types[i]; i++) {
        CHECK(i < TYPES_MAX);
        route_add(b, types[i], g, m);
    }
    return 0;
}

static int listen_topic(struct bus *bus, const char *topic, signal_fn fn, void *consumer) {
    struct inproc_bus *b = self(bus);
    CHECK(!b->started);
    return b->signals->ops->listen(b->signals, topic, fn, consumer);
}

/* --- settling --------------------------------------------------------------------------------- */

/* A landed flight whose publisher is the calling thread, unlinked; or NULL. */
static struct flight *take_landed(struct inproc_bus *b) {
    for (struct flight *f = b->landed.first; f; f = f->next) {
        if (pthread_equal(f->thread, pthread_self())) {
            flight_take(&b->landed, f);
            return f;
        }
    }
    return NULL;
}

static struct delivery *of_item(struct lane_item *i) {
    return (struct delivery *)((char *)i - offsetof(struct delivery, item));
}

/* Makes all callbacks that are due. Called with the lock held, and holds it again on return. */
static void settle(struct inproc_bus *b) {
    if (b->settling)
        return;
    b->settling = true;
    for (;;) {
        struct lane_item *i = lanes_next(&b->queue);
        if (i) {
            struct delivery *d = of_item(i);
            b->stats.delivered++;
            if (i->refusals > 0)
                b->stats.redelivered++;
            pthread_mutex_unlock(&b->lock);
            d->member->deliver(d->member->consumer, &d->port);
            pthread_mutex_lock(&b->lock);
            continue;
        }
        struct flight *f = take_landed(b);
        if (!f)
            break;
        b->stats.in_flight--;
        pthread_mutex_unlock(&b->lock);
        f->confirm(f->publisher, f->event.seq, 0);
        free(f);
        pthread_mutex_lock(&b->lock);
    }
    b->settling = false;
}

/* The flight's publisher is another thread, which may be asleep. */
static void wake_others(struct inproc_bus *b) {
    b->crossed = true;
    for (int32_t i = 0; i < b->waker_count; i++)
        b->wakers[i].wake(b->wakers[i].arg);
}

static void done(struct bus_delivery *port, int result) {
    struct delivery *d = (struct delivery *)port;
    struct inproc_bus *b = d->bus;
    struct flight *f = d->flight;
    pthread_mutex_lock(&b->lock);
    if (!pthread_equal(f->thread, pthread_self()))
        wake_others(b);
    if (result != 0) {
        lanes_refuse(&b->queue, &d->item); /* rests from the next poll on, whose clock counts */
    } else {
        lanes_done(&d->group->lanes, &b->queue, &d->item);
        if (--f->pending == 0) {
            flight_take(&b->flying, f);
            flight_add(&b->landed, f);
        }
    }
    settle(b);
    pthread_mutex_unlock(&b->lock);
}

/* --- publishing ------------------------------------------------------------------------------- */

static struct str put(char **at, struct str s) {
    if (!s.p)
        return STR_NONE;
    struct str copy = {*at, s.len};
    memcpy(*at, s.p, s.len);
    *at += s.len;
    return copy;
}

static struct flight *flight_new(const struct event *e, int32_t delivery_count) {
    size_t fixed = sizeof(struct flight) + sizeof(struct delivery) * (size_t)delivery_count;
    struct flight *f = xcalloc(1, fixed + e->id.len + e->type.len + e->key.len + e->data.len +
                                      e->request_id.len + e->traceparent.len + 1);
    char *at = (char *)f + fixed;
    f->event = *e;
    f->event.id = put(&at, e->id);
    f->event.type = put(&at, e->type);
    f->event.key = put(&at, e->key);
    f->event.request_id = put(&at, e->request_id);
    f->event.traceparent = put(&at, e->traceparent);
    f->event.data = put(&at, e->data);
    f->delivery_count = f->pending = delivery_count;
    f->thread = pthread_self();
    return f;
}

static int publish(struct bus *bus, const struct event *e, bus_confirm_fn confirm,
                   void *publisher) {
    struct inproc_bus *b = self(bus);
    CHECK(e->id.p && e->type.p && e->key.p && confirm);
    const struct route *r = map_get(&b->routes, e->type);
    pthread_mutex_lock(&b->lock);
    b->started = true;
    if (r && b->stats.in_flight >= INPROC_IN_FLIGHT_MAX) {
        pthread_mutex_unlock(&b->lock);
        return ERR_FULL;
    }
    b->stats.published++;
    if (!r) {
        pthread_mutex_unlock(&b->lock);
        confirm(publisher, e->seq, 0);
        return 0;
    }
    struct flight *f = flight_new(e, r->group_count);
    f->confirm = confirm;
    f->publisher = publisher;
    b->stats.in_flight++;
    flight_add(&b->flying, f);
    uint64_t hash = str_hash(f->event.key, 0);
    for (int32_t i = 0; i < r->group_count; i++) {
        const struct route_group *rg = &r->groups[i];
        struct delivery *d = &f->deliveries[i];
        d->port = (struct bus_delivery){.event = &f->event, .done = done};
        d->bus = b;
        d->flight = f;
        d->member = rg->members[hash % (uint64_t)rg->member_count];
        d->group = rg->group;
        lanes_enter(&rg->group->lanes, &b->queue, f->event.key, &d->item);
    }
    settle(b);
    pthread_mutex_unlock(&b->lock);
    return 0;
}

static void signal_topic(struct bus *bus, const char *topic, const void *data, size_t len) {
    struct inproc_bus *b = self(bus);
    atomic_fetch_add_explicit(&b->signal_count, 1, memory_order_relaxed);
    b->signals->ops->signal(b->signals, topic, data, len);
}

/* --- redelivery ------------------------------------------------------------------------------- */

static int64_t poll(struct bus *bus, int64_t now_us) {
    struct inproc_bus *b = self(bus);
    pthread_mutex_lock(&b->lock);
    lanes_due(&b->queue, now_us);
    settle(b);
    int64_t next_us = lanes_rest(&b->queue, now_us);
    if (b->crossed && b->stats.in_flight > 0 &&
        (next_us == 0 || next_us > now_us + CROSSING_POLL_US))
        next_us = now_us + CROSSING_POLL_US;
    pthread_mutex_unlock(&b->lock);
    return next_us;
}

static void on_ready(struct bus *bus, void (*wake)(void *arg), void *arg) {
    struct inproc_bus *b = self(bus);
    pthread_mutex_lock(&b->lock);
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
    pthread_mutex_unlock(&b->lock);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void flights_free(struct flight *f) {
    while (f) {
        struct flight *next = f->next;
        free(f);
        f = next;
    }
}

static void close_bus(struct bus *bus) {
    struct inproc_bus *b = self(bus);
    size_t i = 0;
    void *value;
    flights_free(b->flying.first);
    flights_free(b->landed.first);
    while (map_next(&b->routes, &i, &value))
        free(value);
    map_free(&b->routes);
    for (int32_t g = 0; g < b->group_count; g++) {
        lanes_free(&b->groups[g]->lanes, NULL, NULL);
        free(b->groups[g]);
    }
    b->signals->ops->close(b->signals);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static const struct bus_ops inproc_ops = {
    .subscribe = subscribe,
    .publish = publish,
    .listen = listen_topic,
    .signal = signal_topic,
    .poll = poll,
    .on_ready = on_ready,
    .close = close_bus,
};

struct bus *inproc_bus_new(void) {
    struct inproc_bus *b = xcalloc(1, sizeof *b);
    b->bus.ops = &inproc_ops;
    b->signals = inproc_signals_new();
    map_init(&b->routes);
    CHECK(pthread_mutex_init(&b->lock, NULL) == 0);
    return &b->bus;
}

void inproc_bus_stats(struct bus *bus, struct inproc_bus_stats *ret) {
    struct inproc_bus *b = self(bus);
    pthread_mutex_lock(&b->lock);
    *ret = b->stats;
    ret->resting = b->queue.resting_count;
    ret->signals = b->signal_count;
    pthread_mutex_unlock(&b->lock);
}
