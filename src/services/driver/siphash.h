/* SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"): a keyed hash of short texts
 * that tells nothing of its key, nor of one text from the hashes of others. */
#ifndef LORRY_DRIVER_SIPHASH_H
#define LORRY_DRIVER_SIPHASH_H

#include "base/str.h"

#define SIPHASH_KEY_BYTES 16

uint64_t siphash(struct str text, const unsigned char key[SIPHASH_KEY_BYTES]);

#endif
