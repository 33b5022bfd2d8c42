/* The cache port: counters and small values that expire and may be lost at any time: rate limits,
 * lock-outs, revoked sessions. Any thread.
 *
 * Adapters: memory (bounded; counters go before what was set, the oldest first), redis (shared by
 * replicas; what differs is said in its header), sim (loses everything now and then).
 */
#ifndef LORRY_PORTS_CACHE_H
#define LORRY_PORTS_CACHE_H

#include "base/buf.h"
#include "base/str.h"

#include <stdint.h>

struct cache;
struct cache_ops {
    /* Adds N to the counter KEY (created at 0, expiring TTL after its creation) and returns it;
     * also when it expires. ERR_UNAVAILABLE. */
    int (*add)(struct cache *c, struct str key, int64_t n, int64_t ttl_us, int64_t now_us,
               int64_t *ret_value, int64_t *ret_expires_us);
    int (*set)(struct cache *c, struct str key, int64_t value, int64_t ttl_us, int64_t now_us);
    int (*get)(struct cache *c, struct str key, int64_t now_us,
               int64_t *ret_value); /* ERR_NOT_FOUND */
    int (*drop)(struct cache *c, struct str key);
    /* Optional (NULL: none). Appends its figures in Prometheus' text format. */
    void (*metrics)(struct cache *c, struct buf *out);
    void (*close)(struct cache *c);
};
struct cache {
    const struct cache_ops *ops;
};

#endif
