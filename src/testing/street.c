#include "testing/street.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define LISTENERS_MAX 32

struct heard { /* a signal of another house, until it is polled for */
    struct heard *next;
    const char *topic;
    size_t len;
    char bytes[];
};

struct door {
    struct bus bus; /* first: what the house sees */
    struct street *street;
    struct heard *first, **last;
    bool gap; /* to be told of, before anything else */
    int listener_count;
    struct {
        const char *topic;
        signal_fn fn;
        void *consumer;
    } listeners[LISTENERS_MAX];
};

struct street {
    struct bus *inner;
    struct door *doors[STREET_DOORS_MAX];
    int count, open;
    bool deaf, held;
};

static struct door *self(struct bus *b) {
    return (struct door *)b;
}

static int subscribe(struct bus *b, const char *group, const char *const *types,
                     bus_deliver_fn deliver, void *consumer) {
    struct bus *inner = self(b)->street->inner;
    return inner->ops->subscribe(inner, group, types, deliver, consumer);
}

static int publish(struct bus *b, const struct event *e, bus_confirm_fn confirm, void *publisher) {
    struct bus *inner = self(b)->street->inner;
    return inner->ops->publish(inner, e, confirm, publisher);
}

static int listen_topic(struct bus *b, const char *topic, signal_fn fn, void *consumer) {
    struct door *d = self(b);
    CHECK(d->listener_count < LISTENERS_MAX);
    d->listeners[d->listener_count].topic = topic;
    d->listeners[d->listener_count].fn = fn;
    d->listeners[d->listener_count++].consumer = consumer;
    return 0;
}

static void tell(struct door *d, const char *topic, const void *data, size_t len) {
    for (int i = 0; i < d->listener_count; i++) {
        if (strcmp(d->listeners[i].topic, topic) == 0)
            d->listeners[i].fn(d->listeners[i].consumer, str_from(topic), data, len);
    }
}

static void signal_topic(struct bus *b, const char *topic, const void *data, size_t len) {
    struct door *from = self(b);
    const struct street *s = from->street;
    CHECK(topic[0] != '\0' && len <= SIGNAL_BYTES_MAX);
    tell(from, topic, data, len);
    for (int i = 0; i < s->count && !s->deaf; i++) {
        struct door *to = s->doors[i];
        if (to == from)
            continue;
        struct heard *h = xcalloc(1, sizeof(*h) + len + 1);
        h->topic = topic;
        h->len = len;
        if (len > 0)
            memcpy(h->bytes, data, len);
        *to->last = h;
        to->last = &h->next;
    }
}

static struct heard *take(struct door *d) {
    struct heard *h = d->first;
    d->first = h->next;
    if (d->first == NULL)
        d->last = &d->first;
    return h;
}

static int64_t poll(struct bus *b, int64_t now_us) {
    struct door *d = self(b);
    if (d->gap)
        tell(d, SIGNAL_GAP, NULL, 0);
    d->gap = false;
    while (d->first != NULL && !d->street->held) {
        struct heard *h = take(d);
        tell(d, h->topic, h->bytes, h->len);
        free(h);
    }
    return d->street->inner->ops->poll(d->street->inner, now_us);
}

static void close_door(struct bus *b) {
    struct door *d = self(b);
    struct street *s = d->street;
    while (d->first != NULL)
        free(take(d));
    if (--s->open > 0)
        return; /* the others may still signal to it */
    s->inner->ops->close(s->inner);
    for (int i = 0; i < s->count; i++)
        free(s->doors[i]);
    free(s);
}

static const struct bus_ops door_ops = {.subscribe = subscribe,
                                        .publish = publish,
                                        .listen = listen_topic,
                                        .signal = signal_topic,
                                        .poll = poll,
                                        .close = close_door};

struct street *street_new(struct bus *bus) {
    struct street *s = xcalloc(1, sizeof(*s));
    s->inner = bus;
    return s;
}

struct bus *street_door(struct street *s) {
    CHECK(s->count < STREET_DOORS_MAX);
    struct door *d = xcalloc(1, sizeof(*d));
    *d = (struct door){.bus = {&door_ops}, .street = s, .gap = true};
    d->last = &d->first;
    s->doors[s->count++] = d;
    s->open++;
    return &d->bus;
}

void street_deafen(struct street *s, bool deaf) {
    for (int i = 0; i < s->count && s->deaf && !deaf; i++)
        s->doors[i]->gap = true;
    s->deaf = deaf;
}

void street_hold(struct street *s, bool held) {
    s->held = held;
}
