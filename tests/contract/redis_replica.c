#include "redis_replica.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

void replica_make(struct replica *r, const char *url, const char *prefix, int32_t entries_max,
                  bool signals) {
    static int number;
    const char *why = NULL;
    *r = (struct replica){0};
    if (prefix)
        snprintf(r->prefix, sizeof r->prefix, "%s", prefix);
    else
        snprintf(r->prefix, sizeof r->prefix, "test%d-%d:", (int)getpid(), ++number);
    struct redis_options o = {.url = url, .prefix = r->prefix};
    if (redis_new(&o, &r->redis, &why) < 0)
        fail_msg("%s: %s", url, why);
    if (entries_max > 0)
        r->cache = redis_cache_new(r->redis, entries_max);
    if (signals)
        r->signals = redis_signals_new(r->redis);
}

void replica_start(struct replica *r) {
    assert_int_equal(redis_start(r->redis), 0);
    assert_true(redis_wait_ready(r->redis, REPLICA_READY_US));
}

void replica_close(struct replica *r) {
    if (r->signals)
        r->signals->ops->close(r->signals);
    if (r->cache)
        r->cache->ops->close(r->cache);
    redis_free(r->redis);
    *r = (struct replica){0};
}
