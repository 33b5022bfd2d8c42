/* The route table put together: matching a method and a path to an entry, and what each entry has
 * done, for /metrics. Read-only after start but for the counters. Any thread.
 */
#ifndef LORRY_RUNTIME_ROUTES_H
#define LORRY_RUNTIME_ROUTES_H

#include "base/histogram.h"
#include "runtime/service.h"

#define ROUTES_MAX 256
#define ROUTE_METHODS_TEXT_MAX 64

struct route_slot {
    const struct route_entry *entry;
    void *service;
    int32_t segment_count;
    _Atomic uint64_t by_class[6]; /* answers 1xx … 5xx; [0]: sockets */
    struct histogram latency;
};
struct routes {
    struct route_slot slots[ROUTES_MAX];
    int32_t count;
};

void routes_add(struct routes *r, const struct route_entry *entries, int32_t count, void *service);

/* Finds the slot and fills C's params. NULL: *RET_ALLOW (in C's arena) lists the methods that the
 * path has, or is STR_NONE when there is no such path. A HEAD is served by the GET. */
struct route_slot *routes_match(struct routes *r, struct call *c, struct str *ret_allow);

/* The flags of the route for METHOD and PATH; 0: there is none. */
unsigned routes_flags(const struct routes *r, struct str method, struct str path);

/* Counts an answer. */
void routes_count(struct route_slot *slot, int status, int64_t duration_us);

#endif
