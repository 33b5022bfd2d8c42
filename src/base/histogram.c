/* The histogram: bucket i < 16 holds exactly i µs; above that every doubling is split into 16 equal
 * buckets, so finding one takes a count of leading zeros and a shift. All counters are relaxed
 * atomics: they are only ever added to, and nobody needs them to agree to the last one.
 */
#include "base/histogram.h"

#include "base/check.h"

#include <math.h>

#define SUB_BITS 4 /* 16 buckets a doubling */
#define SUBS (1 << SUB_BITS)

static int bucket_of(int64_t duration_us) {
    if (duration_us < SUBS)
        return duration_us < 0 ? 0 : (int)duration_us;
    int top = 63 - __builtin_clzll((unsigned long long)duration_us); /* >= SUB_BITS */
    int shift = top - SUB_BITS;
    int bucket = shift * SUBS + (int)(duration_us >> shift); /* the latter is SUBS..2·SUBS-1 */
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

int64_t histogram_edge_us(int bucket) {
    CHECK(bucket >= 0 && bucket < HISTOGRAM_BUCKETS);
    if (bucket < SUBS)
        return bucket;
    int shift = bucket / SUBS - 1;
    return ((int64_t)(bucket % SUBS + SUBS + 1) << shift) - 1;
}

void histogram_record(struct histogram *h, int64_t duration_us) {
    if (duration_us < 0)
        duration_us = 0;
    atomic_fetch_add_explicit(&h->buckets[bucket_of(duration_us)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, (uint64_t)duration_us, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->count, 1, memory_order_relaxed);
}

static uint64_t load(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

int64_t histogram_quantile(const struct histogram *h, double q) {
    uint64_t counts[HISTOGRAM_BUCKETS], total = 0, seen = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += counts[i] = load(&h->buckets[i]);
    if (total == 0)
        return 0;
    double wanted = ceil((q < 0 ? 0 : q > 1 ? 1 : q) * (double)total);
    uint64_t rank = wanted < 1 ? 1 : (uint64_t)wanted;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += counts[i];
        if (seen >= rank)
            return histogram_edge_us(i);
    }
    return histogram_edge_us(HISTOGRAM_BUCKETS - 1);
}
