#include "runtime/peers.h"

#include "base/check.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SIGNAL_ALIVE "alive" /* the number of the process, 8 bytes */

struct peers {
    struct bus *bus;
    const struct clock *clock;
    uint64_t number; /* this process's own */
    int64_t next_beat_us;
    _Atomic int64_t heard_us, gap_us;
};

static void on_alive(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct peers *p = consumer;
    uint64_t number;
    if (len != sizeof(number))
        return;
    memcpy(&number, data, sizeof(number));
    int64_t now_us = p->clock->now_us(p->clock);
    if (number == p->number)
        return;
    if (peers_silent(p, now_us))
        p->gap_us = now_us; /* what he said before this was not heard */
    p->heard_us = now_us;
}

static void on_gap(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    (void)data;
    (void)len;
    struct peers *p = consumer;
    p->gap_us = p->clock->now_us(p->clock);
}

struct peers *peers_new(struct bus *bus, const struct clock *clock, struct entropy *entropy) {
    struct peers *p = xcalloc(1, sizeof(*p));
    p->bus = bus;
    p->clock = clock;
    entropy->fill(entropy, &p->number, sizeof(p->number));
    CHECK(bus->ops->listen(bus, SIGNAL_ALIVE, on_alive, p) == 0);
    CHECK(bus->ops->listen(bus, SIGNAL_GAP, on_gap, p) == 0);
    return p;
}

struct peers *peers_free(struct peers *p) {
    free(p);
    return NULL;
}

void peers_beat(struct peers *p, int64_t now_us) {
    if (now_us < p->next_beat_us && p->next_beat_us - now_us <= PEERS_BEAT_US)
        return;
    p->next_beat_us = now_us + PEERS_BEAT_US;
    p->bus->ops->signal(p->bus, SIGNAL_ALIVE, &p->number, sizeof(p->number));
}

bool peers_silent(const struct peers *p, int64_t now_us) {
    int64_t ago_us = now_us - p->heard_us;
    return ago_us < -PEERS_SILENT_US || ago_us > PEERS_SILENT_US;
}

int64_t peers_missed_us(const struct peers *p, int64_t now_us) {
    return peers_silent(p, now_us) ? now_us : p->gap_us;
}
