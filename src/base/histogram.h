/* A histogram of durations with fixed log-linear buckets (exact up to 15 µs, then 16 to each
 * doubling, so 3 to 6 % wide, up to 268 s), for metrics and the load generator. Recording is
 * lock-free; reading gives a consistent enough picture.
 */
#ifndef LORRY_BASE_HISTOGRAM_H
#define LORRY_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 400
struct histogram {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
    _Atomic uint64_t count, sum_us;
};

/* Negative durations count as 0, those over the last bucket's edge as in it. */
void histogram_record(struct histogram *h, int64_t duration_us);
/* Upper edge of the bucket in which the Q-quantile (0..1) lies, µs; 0 when empty. */
int64_t histogram_quantile(const struct histogram *h, double q);
int64_t histogram_edge_us(int bucket); /* the longest it holds */

#endif
