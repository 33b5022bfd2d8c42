/* Hashing passwords, which is slow on purpose: argon2id on a few threads of its own, so that no
 * network thread and no executor ever waits for it. At most `workers` hashes run at once and at
 * most `queue_max` wait; who comes then is turned away and answers 503.
 *
 * The simulator has no threads: its hasher answers at once, inside submit.
 */
#ifndef LORRY_SERVICES_AUTH_HASHER_H
#define LORRY_SERVICES_AUTH_HASHER_H

#include "base/str.h"

#include <stdint.h>

#define HASH_TEXT_MAX 128 /* as crypto_pwhash_STRBYTES, NUL included */
#define HASHER_WORKERS_MAX 64

/* The cost: OWASP's floor for argon2id, 14 ms on an ordinary core. */
#define HASH_MEMORY_BYTES ((size_t)19 << 20)
#define HASH_PASSES 2

/* Owner: whoever submits it, in memory that lives until `done`; the hasher's between the two. */
struct hash_job {
    bool verify; /* PASSWORD against HASH; else make HASH of PASSWORD */
    struct str password;
    char hash[HASH_TEXT_MAX];
    /* 0; ERR_DENIED: not this password; ERR_UNAVAILABLE: no memory, or the hasher is closing. */
    int result;
    /* Exactly once, on a thread of the hasher (the instant one: inside submit). */
    void (*done)(struct hash_job *job);
    void *arg;
};

struct hasher;
struct hasher_ops {
    /* ERR_FULL: nothing was taken. Any thread. */
    int (*submit)(struct hasher *h, struct hash_job *job);
    /* Would a job be refused now? A hint, to refuse before anything is counted. Any thread. */
    bool (*full)(struct hasher *h);
    int64_t (*waiting)(struct hasher *h); /* jobs in the queue. Any thread. */
    /* Those that wait get ERR_UNAVAILABLE; waits for those that run. */
    void (*close)(struct hasher *h);
};
struct hasher {
    const struct hasher_ops *ops;
    /* A well-formed hash of the same cost that no password has: what an unknown account is checked
     * against, so that it takes as long as a known one. */
    char dummy[HASH_TEXT_MAX];
};

struct hasher_options {
    int32_t workers;     /* 1..HASHER_WORKERS_MAX */
    int32_t queue_max;   /* jobs that may wait; ≥ 1 */
    size_t memory_bytes; /* 0: HASH_MEMORY_BYTES */
    int32_t passes;      /* 0: HASH_PASSES */
};
/* NULL: the threads could not be had. token_library_init() first. */
struct hasher *hasher_argon2id_new(const struct hasher_options *o);
struct hasher *hasher_instant_new(void);

/* One argon2id hash right here (the command line's `user add`). ERR_UNAVAILABLE: no memory. */
int hash_password_now(struct str password, char ret_hash[HASH_TEXT_MAX]);

#endif
