#include "contract.h"

#include "adapters/memory/memory_cache.h"

int main(void) {
    const struct cache_factory f = {"memory cache", memory_cache_new, memory_cache_count,
                                    MEMORY_CACHE_KEY_MAX, NULL};
    return cache_contract(&f);
}
