#include "adapters/inproc/inproc_signals.h"

#include "base/arena.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

struct listener {
    const char *topic;
    signal_fn fn;
    void *consumer;
};

struct inproc_signals {
    struct signals signals; /* first: the port's view */
    /* Written before the first signal only, read by any thread afterwards. */
    struct listener listeners[INPROC_LISTENERS_MAX];
    int32_t listener_count;
};

static int listen_topic(struct signals *signals, const char *topic, signal_fn fn, void *consumer) {
    struct inproc_signals *s = (struct inproc_signals *)signals;
    CHECK(s->listener_count < INPROC_LISTENERS_MAX && fn);
    s->listeners[s->listener_count++] = (struct listener){topic, fn, consumer};
    return 0;
}

static void signal_topic(struct signals *signals, const char *topic, const void *data, size_t len) {
    const struct inproc_signals *s = (struct inproc_signals *)signals;
    struct str name = str_from(topic);
    CHECK(name.len > 0 && name.len <= SIGNAL_TOPIC_MAX && len <= SIGNAL_BYTES_MAX);
    for (int32_t i = 0; i < s->listener_count; i++) {
        const struct listener *l = &s->listeners[i];
        if (!strcmp(l->topic, topic))
            l->fn(l->consumer, name, data, len);
    }
}

static int64_t poll(struct signals *signals, int64_t now_us) {
    (void)signals, (void)now_us;
    return 0;
}

static void on_ready(struct signals *signals, void (*wake)(void *arg), void *arg) {
    (void)signals, (void)wake, (void)arg;
}

static void close_signals(struct signals *signals) {
    free(signals);
}

static const struct signals_ops inproc_signals_ops = {
    .listen = listen_topic,
    .signal = signal_topic,
    .poll = poll,
    .on_ready = on_ready,
    .close = close_signals,
};

struct signals *inproc_signals_new(void) {
    struct inproc_signals *s = xcalloc(1, sizeof *s);
    s->signals.ops = &inproc_signals_ops;
    return &s->signals;
}
