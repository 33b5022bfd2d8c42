/* What the platform signs beside tokens: texts that leave the house and are looked at offline. The
 * key is the one that signs tokens (auth's). What is signed is PURPOSE "\n" kid "\n" TEXT: it can
 * pass for nothing else, least of all for a token, which has no line breaks.
 */
#ifndef LORRY_RUNTIME_SIGNATURE_H
#define LORRY_RUNTIME_SIGNATURE_H

#include "base/arena.h"
#include "json/reader.h"

struct signature { /* of Ed25519 */
    struct str kid;
    struct str public_b64, value_b64; /* base64url without padding, canonical */
};

/* Signs TEXT for PURPOSE (one line) by the key that signs now; what is given lives in A. 0, or
 * ERR_UNAVAILABLE: there is no key yet. Any thread. */
typedef int (*sign_fn)(void *arg, struct str purpose, struct str text, struct arena *a,
                       struct signature *ret);

#define SIGNATURE_SEED_BYTES 32
/* The same by the key that SEED makes, under the name KID. */
void signature_make(const unsigned char seed[SIGNATURE_SEED_BYTES], struct str kid,
                    struct str purpose, struct str text, struct arena *a, struct signature *ret);
/* Is S one of TEXT for PURPOSE by the key that it names itself? Whose that is is another question.
 */
bool signature_good(const struct signature *s, struct str purpose, struct str text,
                    struct arena *a);

/* The public key KID of a JWKS document, as base64url in A. ERR_NOT_FOUND, ERR_INVALID. */
int jwks_find(struct json_parser *p, struct str jwks, struct str kid, struct arena *a,
              struct str *ret_public_b64);

#define DIGEST_LEN 43 /* SHA-256 as base64url without padding */
/* SHA-256 of COUNT texts, one behind the other, in A. */
struct str digest_of(const struct str *texts, int count, struct arena *a);
/* The same of one, as 64 hexadecimal digits, as files are named. */
struct str digest_hex(struct str text, struct arena *a);

#endif
