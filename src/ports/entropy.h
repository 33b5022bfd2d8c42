/* Where randomness comes from: the machine's (libsodium) or the simulator's seed. Owner: the
 * thread that holds the runtime. */
#ifndef LORRY_PORTS_ENTROPY_H
#define LORRY_PORTS_ENTROPY_H

#include <stddef.h>

struct entropy {
    void (*fill)(struct entropy *e, void *out, size_t n);
};

#endif
