/* For benchmarks: a create command like those that POST /v1/bookings submits, but with its quote
 * given instead of read, so that what is measured is decide + commit.
 */
#ifndef LORRY_BOOKING_BENCH_H
#define LORRY_BOOKING_BENCH_H

#include "services/booking/booking_service.h"

/* A command for executor_submit, with a new id each: a van, two stops with contacts, a priced
 * quote. Everything of it lives in A, which the caller keeps until `finish`; finish and finish_arg
 * are the caller's to set. RNG makes ids and places. */
struct command *booking_bench_create(struct booking_service *s, struct arena *a, struct rng *rng,
                                     int64_t now_us);

#endif
