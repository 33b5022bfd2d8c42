/* xoshiro256** by David Blackman and Sebastiano Vigna (prng.di.unimi.it, public domain). */
#include "base/rng.h"

#include "base/check.h"

#include <math.h>
#include <string.h>

/* splitmix64: spreads a seed, even 0 or 1, over the whole state. */
static uint64_t split_mix(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rng_seed(struct rng *r, uint64_t seed) {
    for (int i = 0; i < 4; i++)
        r->s[i] = split_mix(&seed);
}

static uint64_t rotate(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

uint64_t rng_next(struct rng *r) {
    uint64_t *s = r->s, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *r, uint64_t n) {
    CHECK(n > 0);
    /* Lemire 2019: the high half of a product is uniform once the few low halves that some values
     * would get too often are drawn again. */
    unsigned __int128 product = (unsigned __int128)rng_next(r) * n;
    if ((uint64_t)product < n) {
        uint64_t unfair = (0 - n) % n;
        while ((uint64_t)product < unfair)
            product = (unsigned __int128)rng_next(r) * n;
    }
    return (uint64_t)(product >> 64);
}

int64_t rng_between(struct rng *r, int64_t low, int64_t high) {
    CHECK(low <= high);
    uint64_t n = (uint64_t)high - (uint64_t)low + 1;
    uint64_t draw = n ? rng_below(r, n) : rng_next(r); /* 0: all of int64 */
    return (int64_t)((uint64_t)low + draw);
}

double rng_unit(struct rng *r) {
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

double rng_exponential(struct rng *r, double mean) {
    return -mean * log1p(-rng_unit(r));
}

void rng_bytes(struct rng *r, void *out, size_t n) {
    unsigned char *p = out;
    while (n > 0) {
        uint64_t word = rng_next(r);
        size_t len = n < sizeof word ? n : sizeof word;
        memcpy(p, &word, len);
        p += len;
        n -= len;
    }
}
