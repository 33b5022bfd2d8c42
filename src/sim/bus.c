/* The bus of a simulated town of nodes: a broker that outlives them all, with one durable queue for
 * each group. A message that was published reaches the broker, or is dropped on the way; it is
 * confirmed, or the confirm is lost, and the publisher sends it again. From a queue it goes to its
 * consumer, perhaps twice, perhaps late and behind newer ones; it stays until it is acknowledged.
 * What a consumer had in hand when its node crashed, or could not acknowledge because the line was
 * cut, it gets again.
 *
 * Order is kept per key and group where nothing fails: each delivery of a key is due after the one
 * before it.
 *
 * Memory: a message is shared by its deliveries and counted; a delivery lives until acknowledged.
 */
#include "adapters/inproc/inproc_bus.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 8
#define LISTENERS_MAX 128
#define TYPES_MAX 64
#define OUT_MAX 256 /* unacknowledged at one consumer */
#define LATE_US (20 * US_PER_S)
#define REFUSED_US (300 * US_PER_MS)
#define CONFIRM_TIMEOUT_US (2 * US_PER_S)

struct message {
    struct event event;
    int32_t refs;
};

struct group;
struct delivery {
    struct bus_delivery port; /* first: what the consumer sees */
    struct group *group;
    struct message *message;
    struct member *member; /* who has it, while it is out */
    uint64_t life;         /* of his node */
    bool out;
};

struct key_due { /* when the newest delivery of a key is due */
    int64_t at_us;
    char key[STORE_ID_MAX];
};

struct member { /* of a group: a node's consumer */
    struct sim_node *node;
    bus_deliver_fn deliver;
    void *consumer;
    int32_t out;
};

struct group {
    struct sim_bus *bus;
    const char *name;
    const char *types[TYPES_MAX + 1];     /* NULL ends */
    struct member members[SIM_NODES_MAX]; /* replicas compete */
    int32_t member_count;
    struct map keys; /* → key_due */
};

struct listener {
    const char *topic;
    signal_fn fn;
    void *consumer;
    struct sim_node *node;
    uint64_t life;
};

struct sim_bus {
    struct sim *sim;
    struct group groups[GROUPS_MAX];
    int32_t group_count;
    struct listener listeners[LISTENERS_MAX];
    int64_t waiting; /* deliveries not yet acknowledged */
    int64_t signals; /* on their way */
};

struct endpoint {
    struct bus bus; /* first */
    struct sim_bus *broker;
    struct sim_node *node;
};

static bool cut(const struct sim_node *n) {
    return n->sim->now_us < n->cut_until_us;
}

static int64_t latency(struct sim *sim) {
    return (int64_t)rng_exponential(&sim->rng, (double)sim->profile.latency_mean_us);
}

/* ---- subscribing ---- */

static int subscribe(struct bus *bus, const char *name, const char *const *types,
                     bus_deliver_fn deliver, void *consumer) {
    struct endpoint *e = (struct endpoint *)bus;
    struct sim_bus *b = e->broker;
    struct group *g = NULL;
    for (int32_t i = 0; i < b->group_count; i++) {
        if (strcmp(b->groups[i].name, name) == 0)
            g = &b->groups[i];
    }
    if (g == NULL) {
        CHECK(b->group_count < GROUPS_MAX);
        g = &b->groups[b->group_count++];
        *g = (struct group){.bus = b, .name = name};
        map_init(&g->keys);
    }
    /* The list is the subscriber's and goes with him; the names in it are constants. */
    for (int i = 0; i == 0 || types[i - 1] != NULL; i++) {
        CHECK(i <= TYPES_MAX);
        g->types[i] = types[i];
    }
    struct member *m = NULL;
    for (int32_t i = 0; i < g->member_count; i++) {
        if (g->members[i].node == e->node)
            m = &g->members[i];
    }
    if (m == NULL)
        m = &g->members[g->member_count++];
    m->node = e->node;
    m->deliver = deliver;
    m->consumer = consumer;
    return 0;
}

static int listen_topic(struct bus *bus, const char *topic, signal_fn fn, void *consumer) {
    struct endpoint *e = (struct endpoint *)bus;
    for (int i = 0; i < LISTENERS_MAX; i++) {
        struct listener *l = &e->broker->listeners[i];
        if (l->node != NULL && l->node->up && l->life == l->node->life)
            continue; /* taken; those of earlier lives are free */
        *l = (struct listener){topic, fn, consumer, e->node, e->node->life};
        return 0;
    }
    return ERR_LIMIT;
}

/* ---- deliveries ---- */

static void message_unref(struct message *m) {
    if (--m->refs == 0)
        free(m);
}

static void delivery_end(struct delivery *d) {
    d->group->bus->waiting--;
    message_unref(d->message);
    free(d);
}

static void due(struct sim *sim, void *arg, uint64_t token);

static void again(struct delivery *d, int64_t delay_us) {
    d->out = false;
    sim_after(d->group->bus->sim, delay_us, due, d, 0);
}

static void done(struct bus_delivery *port, int result) {
    struct delivery *d = (struct delivery *)port;
    struct sim *sim = d->group->bus->sim;
    struct member *m = d->member;
    CHECK(d->out);
    m->out--;
    if (m->node->dying || d->life != m->node->life || cut(m->node) ||
        sim_strikes(sim, SIM_ACK_LOST))
        again(d, REFUSED_US + latency(sim));
    else if (result < 0)
        again(d, REFUSED_US);
    else
        delivery_end(d);
}

/* Who of the group takes the next delivery; NULL: nobody can. */
static struct member *taker(struct group *g) {
    struct member *able[SIM_NODES_MAX];
    uint64_t count = 0;
    for (int32_t i = 0; i < g->member_count; i++) {
        struct member *m = &g->members[i];
        if (m->node->up && !cut(m->node) && m->out < OUT_MAX)
            able[count++] = m;
    }
    if (count < 2)
        return count == 0 ? NULL : able[0];
    return able[rng_below(&g->bus->sim->rng, count)];
}

static void due(struct sim *sim, void *arg, uint64_t token) {
    struct delivery *d = arg;
    struct member *m = taker(d->group);
    (void)token;
    if (m == NULL) {
        again(d, REFUSED_US + latency(sim));
        return;
    }
    struct sim_node *n = m->node;
    d->out = true;
    d->member = m;
    d->life = n->life;
    m->out++;
    sim_trace(sim, "deliver", n->index, d->message->event.key, d->message->event.type, 0, 0);
    m->deliver(m->consumer, &d->port);
    sim_node_poke(n);
}

/* When the next delivery of KEY is due, so that none of it overtakes. */
static int64_t due_after(struct group *g, struct str key, int64_t delay_us) {
    struct sim *sim = g->bus->sim;
    struct key_due *k = map_get(&g->keys, key);
    if (k == NULL) {
        CHECK(key.p != NULL && key.len < sizeof(k->key));
        k = arena_new(&sim->arena, struct key_due);
        memcpy(k->key, key.p, key.len);
        map_put(&g->keys, (struct str){k->key, key.len}, k);
    }
    int64_t at_us = sim->now_us + delay_us;
    if (sim_strikes(sim, SIM_EVENT_LATE))
        return delay_us + (int64_t)rng_below(&sim->rng, LATE_US);
    if (at_us <= k->at_us)
        at_us = k->at_us + 1;
    k->at_us = at_us;
    return at_us - sim->now_us;
}

static void add_delivery(struct group *g, struct message *m, int64_t delay_us) {
    struct delivery *d = xcalloc(1, sizeof(*d));
    *d = (struct delivery){.group = g, .message = m};
    d->port = (struct bus_delivery){.event = &m->event, .done = done};
    m->refs++;
    g->bus->waiting++;
    sim_after(g->bus->sim, due_after(g, m->event.key, delay_us), due, d, 0);
}

static bool wants(const struct group *g, struct str type) {
    for (int i = 0; g->types[i] != NULL; i++) {
        if (str_is(type, g->types[i]))
            return true;
    }
    return false;
}

/* The message is the broker's. */
static void arrive(struct sim_bus *b, struct message *m) {
    for (int32_t i = 0; i < b->group_count; i++) {
        struct group *g = &b->groups[i];
        if (!wants(g, m->event.type))
            continue;
        add_delivery(g, m, latency(b->sim));
        if (sim_strikes(b->sim, SIM_EVENT_TWICE))
            add_delivery(g, m, latency(b->sim));
    }
}

/* ---- publishing ---- */

struct confirm {
    struct endpoint *endpoint;
    struct sim_node *node;
    uint64_t life;
    bus_confirm_fn fn;
    void *publisher;
    int64_t seq;
    int result;
};

static void confirm_now(struct sim *sim, void *arg, uint64_t token) {
    struct confirm *c = arg;
    (void)token;
    (void)sim;
    if (c->node->up && c->node->life == c->life) {
        if (c->result == 0)
            oracle_confirmed(c->node, c->seq);
        c->fn(c->publisher, c->seq, c->result);
        sim_node_poke(c->node);
    }
    free(c);
}

static struct str put(char **at, struct str s) {
    if (s.p == NULL)
        return STR_NONE;
    struct str copy = {*at, s.len};
    memcpy(*at, s.p, s.len);
    *at += s.len;
    return copy;
}

static struct message *message_new(const struct event *e) {
    struct message *m = xcalloc(1, sizeof(*m) + e->id.len + e->type.len + e->key.len +
                                       e->request_id.len + e->traceparent.len + e->data.len + 1);
    char *at = (char *)(m + 1);
    m->event = *e;
    m->event.id = put(&at, e->id);
    m->event.type = put(&at, e->type);
    m->event.key = put(&at, e->key);
    m->event.request_id = put(&at, e->request_id);
    m->event.traceparent = put(&at, e->traceparent);
    m->event.data = put(&at, e->data);
    m->refs = 1;
    return m;
}

static int publish(struct bus *bus, const struct event *e, bus_confirm_fn confirm,
                   void *publisher) {
    struct endpoint *ep = (struct endpoint *)bus;
    struct sim *sim = ep->broker->sim;
    struct sim_node *n = ep->node;
    if (n->dying || sim_strikes(sim, SIM_BUS_FULL))
        return ERR_FULL;
    sim_trace(sim, "publish", n->index, e->key, e->type, e->seq, (int64_t)str_hash(e->data, 0));
    bool lost = cut(n) || sim_strikes(sim, SIM_EVENT_DROPPED);
    bool unheard = !lost && sim_strikes(sim, SIM_CONFIRM_LOST);
    if (!lost) {
        struct message *m = message_new(e);
        arrive(ep->broker, m);
        message_unref(m);
    }
    struct confirm *c = xcalloc(1, sizeof(*c));
    *c = (struct confirm){
        ep, n, n->life, confirm, publisher, e->seq, lost || unheard ? ERR_TIMEOUT : 0};
    sim_after(sim, c->result < 0 ? CONFIRM_TIMEOUT_US : 2 * latency(sim), confirm_now, c, 0);
    return 0;
}

/* ---- signals ---- */

#define GAP_US (3 * US_PER_S) /* until a node notices at most that it has missed something */

struct signal {
    struct listener listener;
    size_t len;
    char bytes[];
};

static void signal_now(struct sim *sim, void *arg, uint64_t token) {
    struct signal *s = arg;
    const struct listener *l = &s->listener;
    (void)token;
    sim->bus->signals--;
    if (l->node->up && l->node->life == l->life)
        l->fn(l->consumer, str_from(l->topic), s->bytes, s->len);
    free(s);
}

static bool listens(const struct listener *l, const char *topic) {
    return l->node != NULL && l->node->up && l->life == l->node->life &&
           strcmp(l->topic, topic) == 0;
}

static void send_signal(struct sim *sim, const struct listener *l, const void *data, size_t len,
                        int64_t delay_us) {
    struct signal *s = xcalloc(1, sizeof(*s) + len + 1);
    s->listener = *l;
    s->len = len;
    sim->bus->signals++;
    if (len > 0)
        memcpy(s->bytes, data, len);
    sim_after(sim, delay_us, signal_now, s, 0);
}

/* NODE has missed something, and will hear that it has. */
static void send_gap(struct sim_bus *b, const struct sim_node *node, int64_t delay_us) {
    for (int i = 0; i < LISTENERS_MAX; i++) {
        if (listens(&b->listeners[i], SIGNAL_GAP) && b->listeners[i].node == node)
            send_signal(b->sim, &b->listeners[i], NULL, 0, delay_us);
    }
}

/* Among replicas, as ports/signals.h has it: one's own at once; that of others later, or never, and
 * then one hears that something was missed. */
static void signal_replicas(struct endpoint *e, const char *topic, const void *data, size_t len) {
    struct sim *sim = e->broker->sim;
    if (e->node->dying)
        return; /* nobody hears it, and what it has in memory is as good as gone */
    for (int i = 0; i < LISTENERS_MAX; i++) {
        const struct listener *l = &e->broker->listeners[i];
        if (!listens(l, topic))
            continue;
        if (l->node == e->node) {
            l->fn(l->consumer, str_from(topic), data, len);
        } else if (cut(e->node) || cut(l->node) || sim_strikes(sim, SIM_EVENT_DROPPED)) {
            int64_t until_us = e->node->cut_until_us > l->node->cut_until_us
                                   ? e->node->cut_until_us
                                   : l->node->cut_until_us;
            int64_t wait_us = until_us > sim->now_us ? until_us - sim->now_us : 0;
            send_gap(e->broker, l->node, wait_us + (int64_t)rng_below(&sim->rng, GAP_US));
        } else {
            send_signal(sim, l, data, len, latency(sim));
        }
    }
}

static void signal_topic(struct bus *bus, const char *topic, const void *data, size_t len) {
    struct endpoint *e = (struct endpoint *)bus;
    struct sim *sim = e->broker->sim;
    CHECK(len <= SIGNAL_BYTES_MAX);
    oracle_signal(sim, topic, data, len);
    if (sim->profile.topology == SIM_REPLICAS) {
        signal_replicas(e, topic, data, len);
        return;
    }
    for (int i = 0; i < LISTENERS_MAX; i++) {
        const struct listener *l = &e->broker->listeners[i];
        if (listens(l, topic) && !sim_strikes(sim, SIM_EVENT_DROPPED))
            send_signal(sim, l, data, len, latency(sim));
    }
}

void sim_bus_first_gap(struct sim_bus *b, const struct sim_node *node) {
    send_gap(b, node, 0);
}

static int64_t poll(struct bus *bus, int64_t now_us) {
    (void)bus;
    (void)now_us;
    return 0;
}

static void close_endpoint(struct bus *bus) {
    free(bus);
}

static const struct bus_ops ops = {
    .subscribe = subscribe,
    .publish = publish,
    .listen = listen_topic,
    .signal = signal_topic,
    .poll = poll,
    .close = close_endpoint,
};

struct bus *sim_bus_open(struct sim_bus *b, struct sim_node *node) {
    struct endpoint *e = xcalloc(1, sizeof(*e));
    *e = (struct endpoint){{&ops}, b, node};
    return &e->bus;
}

struct sim_bus *sim_bus_new(struct sim *sim) {
    struct sim_bus *b = xcalloc(1, sizeof(*b));
    b->sim = sim;
    return b;
}

void sim_bus_drop_event(struct sim_event *e) {
    if (e->fn == due)
        delivery_end(e->arg);
    else if (e->fn == confirm_now || e->fn == signal_now)
        free(e->arg);
}

void sim_bus_free(struct sim_bus *b) {
    if (b == NULL)
        return;
    for (int32_t i = 0; i < b->group_count; i++)
        map_free(&b->groups[i].keys);
    free(b);
}

bool sim_bus_idle(const struct sim_bus *b) {
    return b == NULL || (b->waiting == 0 && b->signals == 0);
}

/* ---- the tap on the in-process bus ---- */

struct tap {
    struct bus bus; /* first */
    struct bus *inner;
    struct sim_node *node;
    bus_confirm_fn confirm; /* there is one publisher: the node's executor */
    void *publisher;
};

static void tap_confirm(void *arg, int64_t seq, int result) {
    struct tap *t = arg;
    if (result == 0)
        oracle_confirmed(t->node, seq);
    t->confirm(t->publisher, seq, result);
}

static int tap_subscribe(struct bus *bus, const char *group, const char *const *types,
                         bus_deliver_fn deliver, void *consumer) {
    struct tap *t = (struct tap *)bus;
    return t->inner->ops->subscribe(t->inner, group, types, deliver, consumer);
}

static int tap_publish(struct bus *bus, const struct event *e, bus_confirm_fn confirm,
                       void *publisher) {
    struct tap *t = (struct tap *)bus;
    struct sim *sim = t->node->sim;
    if (t->node->dying || sim_strikes(sim, SIM_BUS_FULL))
        return ERR_FULL;
    t->confirm = confirm;
    t->publisher = publisher;
    sim_trace(sim, "publish", t->node->index, e->key, e->type, e->seq,
              (int64_t)str_hash(e->data, 0));
    return t->inner->ops->publish(t->inner, e, tap_confirm, t);
}

static int tap_listen(struct bus *bus, const char *topic, signal_fn fn, void *consumer) {
    struct tap *t = (struct tap *)bus;
    return t->inner->ops->listen(t->inner, topic, fn, consumer);
}

static void tap_signal(struct bus *bus, const char *topic, const void *data, size_t len) {
    struct tap *t = (struct tap *)bus;
    oracle_signal(t->node->sim, topic, data, len);
    t->inner->ops->signal(t->inner, topic, data, len);
}

static int64_t tap_poll(struct bus *bus, int64_t now_us) {
    struct tap *t = (struct tap *)bus;
    return t->inner->ops->poll(t->inner, now_us);
}

static void tap_close(struct bus *bus) {
    struct tap *t = (struct tap *)bus;
    t->inner->ops->close(t->inner);
    free(t);
}

static const struct bus_ops tap_ops = {
    .subscribe = tap_subscribe,
    .publish = tap_publish,
    .listen = tap_listen,
    .signal = tap_signal,
    .poll = tap_poll,
    .close = tap_close,
};

struct bus *sim_tap_new(struct sim_node *node) {
    struct tap *t = xcalloc(1, sizeof(*t));
    *t = (struct tap){.bus = {&tap_ops}, .inner = inproc_bus_new(), .node = node};
    return &t->bus;
}
