/* A flight is one published event: a copy of it and one delivery for each group that wants it. Each
 * group keeps a lane per key: the deliveries of that key in the order of publishing, of which only
 * the first is ever out. A delivery moves
 *
 *   behind others in its lane → ready → out (the consumer has it) → acknowledged
 *                                 ↑         └→ refused → resting ─┐
 *                                 └───────────────────────────────┘
 *
 * Resting deliveries lie in one list per backoff step; within a step they come due in the order in
 * which they came. When the last delivery of a flight is acknowledged the flight is landed, and its
 * publisher is told. Callbacks never run under the lock and never inside each other: settle() is
 * the one loop that makes them, and a call into the bus from a callback leaves its work to the loop
 * that is already running.
 *
 * Memory: a flight is one block; it is freed after its confirm. Lanes live as long as they have
 * deliveries.
 */
#include "adapters/inproc/inproc_bus.h"

#include "adapters/inproc/inproc_signals.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/map.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_STEPS 10 /* 10 ms doubling to 5 s */
#define CROSSING_POLL_US INT64_C(10000)
#define TYPES_MAX 64 /* of one subscription */

struct delivery {
    struct bus_delivery port; /* first: what the consumer sees */
    struct inproc_bus *bus;
    struct flight *flight;
    struct lane *lane;
    const struct member *member;
    struct delivery *behind; /* the next of the same key and group */
    struct delivery *next;   /* in the ready, refused or a resting list */
    int64_t due_us;
    int32_t refusals;
    bool out;
};

struct delivery_list {
    struct delivery *first, *last;
};

struct lane { /* of one group and key */
    struct delivery *first, *last;
    struct str key;
    struct group *group;
    char key_bytes[];
};

struct member { /* one subscription */
    bus_deliver_fn deliver;
    void *consumer;
};

struct group {
    const char *name;
    struct map lanes; /* key → lane */
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
    struct delivery_list ready, refused, resting[BACKOFF_STEPS];
    struct waker wakers[BUS_WAKERS_MAX];
    int32_t waker_count;
    struct inproc_bus_stats stats;
};

static struct inproc_bus *self(struct bus *b) {
    return (struct inproc_bus *)b;
}

/* --- lists ------------------------------------------------------------------------------------ */

static void list_add(struct delivery_list *l, struct delivery *d) {
    d->next = NULL;
    *(l->last ? &l->last->next : &l->first) = d;
    l->last = d;
}

static struct delivery *list_take(struct delivery_list *l) {
    struct delivery *d = l->first;
    if (d) {
        l->first = d->next;
        if (!l->first)
            l->last = NULL;
    }
    return d;
}

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

/* --- lanes ------------------------------------------------------------------------------------ */

static void lane_enter(struct inproc_bus *b, struct group *g, struct delivery *d) {
    struct str key = d->flight->event.key;
    struct lane *lane = map_get(&g->lanes, key);
    bool alone = !lane;
    if (alone) {
        lane = xcalloc(1, sizeof *lane + key.len + 1);
        memcpy(lane->key_bytes, key.p, key.len);
        lane->key = (struct str){lane->key_bytes, key.len};
        lane->group = g;
        map_put(&g->lanes, lane->key, lane);
    }
    d->lane = lane;
    *(lane->last ? &lane->last->behind : &lane->first) = d;
    lane->last = d;
    if (alone)
        list_add(&b->ready, d);
}

/* The first of a lane has been acknowledged: the next one's turn. */
static void lane_leave(struct inproc_bus *b, struct delivery *d) {
    struct lane *lane = d->lane;
    CHECK(lane->first == d);
    lane->first = d->behind;
    if (lane->first) {
        list_add(&b->ready, lane->first);
        return;
    }
    map_remove(&lane->group->lanes, lane->key);
    free(lane);
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

/* Makes all callbacks that are due. Called with the lock held, and holds it again on return. */
static void settle(struct inproc_bus *b) {
    if (b->settling)
        return;
    b->settling = true;
    for (;;) {
        struct delivery *d = list_take(&b->ready);
        if (d) {
            d->out = true;
            b->stats.delivered++;
            if (d->refusals > 0)
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
    CHECK(d->out);
    d->out = false;
    if (!pthread_equal(f->thread, pthread_self()))
        wake_others(b);
    if (result != 0) {
        list_add(&b->refused, d); /* rests from the next poll on, whose clock counts */
        b->stats.resting++;
    } else {
        lane_leave(b, d);
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
                                      e->request_id.len + 1);
    char *at = (char *)f + fixed;
    f->event = *e;
    f->event.id = put(&at, e->id);
    f->event.type = put(&at, e->type);
    f->event.key = put(&at, e->key);
    f->event.request_id = put(&at, e->request_id);
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
        lane_enter(b, rg->group, d);
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

static int64_t backoff_us(int32_t step) {
    int64_t us = INPROC_BACKOFF_MIN_US << step;
    return us < INPROC_BACKOFF_MAX_US ? us : INPROC_BACKOFF_MAX_US;
}

static int64_t poll(struct bus *bus, int64_t now_us) {
    struct inproc_bus *b = self(bus);
    struct delivery *d;
    int64_t next_us = 0;
    pthread_mutex_lock(&b->lock);
    for (int32_t step = 0; step < BACKOFF_STEPS; step++) {
        struct delivery_list *l = &b->resting[step];
        /* Due later than a whole rest from now: the clock was put back meanwhile. */
        while (l->first &&
               (l->first->due_us <= now_us || l->first->due_us - now_us > backoff_us(step))) {
            b->stats.resting--;
            list_add(&b->ready, list_take(l));
        }
    }
    settle(b);
    while ((d = list_take(&b->refused))) {
        int32_t step = d->refusals < BACKOFF_STEPS ? d->refusals : BACKOFF_STEPS - 1;
        d->refusals++;
        d->due_us = now_us + backoff_us(step);
        list_add(&b->resting[step], d);
    }
    for (int32_t step = 0; step < BACKOFF_STEPS; step++) {
        const struct delivery *first = b->resting[step].first;
        if (first && (next_us == 0 || first->due_us < next_us))
            next_us = first->due_us;
    }
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
        for (i = 0; map_next(&b->groups[g]->lanes, &i, &value);)
            free(value);
        map_free(&b->groups[g]->lanes);
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
    ret->signals = b->signal_count;
    pthread_mutex_unlock(&b->lock);
}
