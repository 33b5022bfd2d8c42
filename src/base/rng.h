/* Random numbers: xoshiro256** seeded by splitmix64 for everything that must replay from a seed.
 * Secrets do not come from here (see ports/entropy in runtime ctx); the simulator's do. One owner.
 */
#ifndef LORRY_BASE_RNG_H
#define LORRY_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n);                 /* uniform in [0, n), n > 0 */
int64_t rng_between(struct rng *r, int64_t low, int64_t high); /* uniform, both included */
double rng_unit(struct rng *r);                                /* uniform in [0, 1) */
double rng_exponential(struct rng *r, double mean);
void rng_bytes(struct rng *r, void *out, size_t n);

#endif
