/* Replicas for tests of the Redis adapter: each a struct redis with its ports. */
#ifndef LORRY_TESTS_REDIS_REPLICA_H
#define LORRY_TESTS_REDIS_REPLICA_H

#include "adapters/redis/redis.h"

struct replica {
    struct redis *redis;
    struct cache *cache;     /* NULL: none */
    struct signals *signals; /* NULL: none */
    char prefix[REDIS_PREFIX_MAX + 1];
};

#define REPLICA_READY_US 20000000

/* PREFIX NULL: one of its own. Not started. */
void replica_make(struct replica *r, const char *url, const char *prefix, int32_t entries_max,
                  bool signals);
void replica_start(struct replica *r); /* and waits until it is ready */
void replica_close(struct replica *r);

#endif
