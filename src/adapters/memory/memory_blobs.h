/* Blobs in memory, with faults: the simulator's and the tests'. What is put survives whoever put
 * it, as a disk does; one thread.
 */
#ifndef LORRY_ADAPTERS_MEMORY_MEMORY_BLOBS_H
#define LORRY_ADAPTERS_MEMORY_MEMORY_BLOBS_H

#include "base/rng.h"
#include "ports/blobs.h"
#include "ports/clock.h"

struct memory_blob_faults {
    /* Chances in 1,000 of a call: refused, nothing done; done, but refused all the same. */
    int32_t refused, lost;
};
/* FAULTS and RNG may be NULL; both outlive it. */
struct blobs *memory_blobs_new(const struct clock *clock, const struct memory_blob_faults *faults,
                               struct rng *rng);
int64_t memory_blobs_count(const struct blobs *b);
/* Is it there? Without faults: for an oracle. */
bool memory_blobs_has(const struct blobs *b, struct str name);
/* The bytes under NAME are others from now on: what a disk does at worst. */
void memory_blobs_spoil(struct blobs *b, struct str name);

#endif
