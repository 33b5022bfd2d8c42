/* The blobs port: bytes by the SHA-256 of them. What was put is durable before put returns; the
 * same bytes are kept once, whoever puts them.
 *
 * Adapters: blobs (a folder), curl (S3 and what speaks its protocol), memory (with faults).
 * Calls wait for the disk or the network: any thread that may, several at once.
 */
#ifndef LORRY_PORTS_BLOBS_H
#define LORRY_PORTS_BLOBS_H

#include "base/arena.h"
#include "base/str.h"

#include <stdint.h>

#define BLOB_NAME_LEN 64 /* SHA-256 in lower-case hex */
#define BLOB_BYTES_MAX ((size_t)8 << 20)

struct blobs;
struct blobs_ops {
    /* BYTES under NAME. If they are there already they count as put now. ERR_FULL, ERR_IO,
     * ERR_UNAVAILABLE: nobody knows whether they are there. */
    int (*put)(struct blobs *b, struct str name, struct str bytes);
    /* ERR_NOT_FOUND, ERR_IO, ERR_UNAVAILABLE; ERR_LIMIT: more than BLOB_BYTES_MAX. Whether they are
     * what was put is the caller's to check: he has the name. */
    int (*get)(struct blobs *b, struct str name, struct arena *a, struct str *ret_bytes);
    /* Takes them away unless they were put within the last YOUNGER_S seconds (ERR_BUSY): who puts
     * them at this moment must find them afterwards. Not there is 0 as well. */
    int (*remove)(struct blobs *b, struct str name, int64_t younger_s);
    void (*close)(struct blobs *b);
};
struct blobs {
    const struct blobs_ops *ops;
};

/* 64 lower-case hex digits? */
static inline bool blob_name_valid(struct str name) {
    for (size_t i = 0; i < name.len; i++) {
        char ch = name.p[i];
        if (!(ch >= '0' && ch <= '9') && !(ch >= 'a' && ch <= 'f'))
            return false;
    }
    return name.len == BLOB_NAME_LEN;
}

#endif
