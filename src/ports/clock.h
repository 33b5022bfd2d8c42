/* The clock: the machine's, or the simulator's virtual one. Any thread. */
#ifndef LORRY_PORTS_CLOCK_H
#define LORRY_PORTS_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*now_us)(const struct clock *c); /* wall clock, UTC microseconds */
};

#endif
