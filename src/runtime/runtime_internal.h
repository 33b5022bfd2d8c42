/* The runtime's own struct, shared by its files: runtime.c (putting together), request.c (the way
 * in), turn.c (events in), operations.c (healthz, readyz, metrics, problems).
 */
#ifndef LORRY_RUNTIME_RUNTIME_INTERNAL_H
#define LORRY_RUNTIME_RUNTIME_INTERNAL_H

#include "runtime/routes.h"

#include <stdatomic.h>

struct runtime {
    struct runtime_options o;
    struct service services[RUNTIME_SERVICES_MAX];
    int32_t service_count;
    struct routes routes;
    _Atomic uint64_t unrouted; /* answers 404, 405 without a route */
    _Atomic bool draining;
    _Atomic int64_t store_ok_us; /* when the store last answered the tick, with peers */
    int64_t started_us;
    struct subscription *subscriptions; /* one a service that takes events in */
};

/* One service's ear on the bus. */
struct subscription {
    struct runtime *runtime;
    const struct service *service;
    const char *types[64];
};

/* turn.c: bus_deliver_fn with a struct subscription. */
void turn_deliver(void *consumer, struct bus_delivery *d);

/* operations.c: the runtime's own routes; their service is the runtime. */
extern const struct route_entry operations_routes[];
extern const int32_t operations_route_count;

#endif
