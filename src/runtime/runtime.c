/* Putting the house together from the services' tables. */
#include "base/check.h"
#include "base/err.h"
#include "runtime/runtime_internal.h"

#include "base/timestamp.h"

#include <stdlib.h>

/* Answers and dedupe keys: the promise is 24 h at least. */
#define ANSWERS_KEPT_US (2 * US_PER_DAY)
#define PRUNE_MAX 500

static int subscribe(struct runtime *r, const struct service *s, struct subscription *sub) {
    *sub = (struct subscription){.runtime = r, .service = s};
    CHECK((size_t)s->def->event_count < COUNT_OF(sub->types));
    for (int32_t i = 0; i < s->def->event_count; i++)
        sub->types[i] = s->def->events[i].type;
    return r->o.bus->ops->subscribe(r->o.bus, s->def->name, sub->types, turn_deliver, sub);
}

/* Once a second on the executor's thread: what is past its time goes, a little at a time. */
static void executor_tick(void *arg, struct store *writer, int64_t now_us) {
    struct runtime *r = arg;
    if (writer->ops->prune(writer, now_us - ANSWERS_KEPT_US, PRUNE_MAX) >= 0)
        r->store_ok_us = clock_mono_us();
    for (int32_t i = 0; i < r->service_count; i++) {
        const struct service *s = &r->services[i];
        if (s->def->tick != NULL && !s->passive)
            s->def->tick(s->self, writer, now_us);
        if (s->def->follow != NULL)
            s->def->follow(s->self, writer, now_us);
    }
    if (r->o.peers != NULL)
        peers_beat(r->o.peers, now_us);
}

struct runtime *runtime_new(const struct runtime_options *o, const struct service *services,
                            int32_t count) {
    CHECK(count <= RUNTIME_SERVICES_MAX);
    struct runtime *r = xcalloc(1, sizeof(*r));
    r->o = *o;
    r->service_count = count;
    r->started_us = o->clock->now_us(o->clock);
    r->store_ok_us = clock_mono_us();
    r->subscriptions = xcalloc(RUNTIME_SERVICES_MAX, sizeof(struct subscription));
    executor_ticker(o->executor, executor_tick, r);
    routes_add(&r->routes, operations_routes, operations_route_count, r);
    for (int32_t i = 0; i < count; i++) {
        struct service *s = &r->services[i];
        *s = services[i];
        if (s->passive)
            continue;
        routes_add(&r->routes, s->def->routes, s->def->route_count, s->self);
        for (int32_t t = 0; s->def->timers != NULL && s->def->timers[t] != NULL; t++)
            executor_timer(o->executor, s->def->timers[t], s->self);
        if (s->def->event_count > 0)
            CHECK(subscribe(r, s, &r->subscriptions[i]) == 0);
    }
    return r;
}

struct runtime *runtime_free(struct runtime *r) {
    if (r != NULL) {
        free(r->subscriptions);
        free(r);
    }
    return NULL;
}

int runtime_start(struct runtime *r, struct store *reader) {
    for (int32_t i = 0; i < r->service_count; i++) {
        const struct service *s = &r->services[i];
        if (s->def->start == NULL)
            continue;
        int err = s->def->start(s->self, reader, r->o.clock->now_us(r->o.clock));
        if (err < 0)
            return err;
    }
    return 0;
}

int runtime_worker_start(struct runtime *r, struct worker *w) {
    for (int32_t i = 0; i < r->service_count; i++) {
        const struct service *s = &r->services[i];
        int err = s->def->worker_start != NULL ? s->def->worker_start(s->self, w) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

void runtime_worker_stop(struct runtime *r, struct worker *w) {
    for (int32_t i = 0; i < r->service_count; i++) {
        if (r->services[i].def->worker_stop != NULL)
            r->services[i].def->worker_stop(r->services[i].self, w);
    }
}

void runtime_worker_tick(struct runtime *r, struct worker *w, int64_t now_us) {
    for (int32_t i = 0; i < r->service_count; i++) {
        if (r->services[i].def->worker_tick != NULL)
            r->services[i].def->worker_tick(r->services[i].self, w, now_us);
    }
}

void runtime_draining(struct runtime *r) {
    r->draining = true;
}

const struct runtime_options *runtime_options(const struct runtime *r) {
    return &r->o;
}

int32_t runtime_routes(const struct runtime *r, const struct route_entry **ret_entries,
                       int32_t max) {
    int32_t n = r->routes.count < max ? r->routes.count : max;
    for (int32_t i = 0; i < n; i++)
        ret_entries[i] = r->routes.slots[i].entry;
    return n;
}
