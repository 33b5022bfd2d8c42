#include "adapters/redis/redis.h"
#include "base/module_build.h"

extern const struct redis_module lorry_module;
const struct redis_module lorry_module = {
    .module.build = MODULE_BUILD,
    .new = redis_new,
    .cache_new = redis_cache_new,
    .signals_new = redis_signals_new,
    .start = redis_start,
    .ready = redis_ready,
    .wait_ready = redis_wait_ready,
    .free = redis_free,
};
