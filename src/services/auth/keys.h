/* Signing keys: one ring of Ed25519 keys, one document, so that a rotation is one compare-and-set
 * whoever does it. In the order of their making the ring holds
 *
 *   retired …  sign nothing any more; published until the last token they signed has expired
 *   current    signs
 *   next       signs nothing yet; published already, so that whoever keeps a copy of the key set
 *              knows it long before the first token signed with it comes along
 *
 * A rotation retires current, makes next current and adds a fresh next. It comes by the ring's own
 * wake-up each KEYS_ROTATE period, and whenever an operator asks. The first use makes the ring.
 *
 * Tokens are signed on the executor's thread only, by a copy of the current key in memory.
 */
#ifndef LORRY_SERVICES_AUTH_KEYS_H
#define LORRY_SERVICES_AUTH_KEYS_H

#include "base/id.h"
#include "base/units.h"
#include "runtime/executor.h"
#include "runtime/signature.h"
#include "runtime/token.h"

#define KEY_SEED_BYTES 32

struct signing_key {
    struct str kid;              /* "key_…" */
    struct str public_b64, seed; /* base64url */
    int64_t created_us;
    int64_t gone_us; /* retired: no token of it lives beyond; else 0 */
};
struct key_ring {
    struct aggregate_head head; /* id: KEY_RING_ID */
    struct signing_key *keys;   /* oldest first; the last is next, the one before it current */
    int32_t key_count;          /* 2..TOKEN_KEYS_MAX */
    int64_t rotates_us;         /* when current is retired */
};
#define KEY_RING_ID "ring"
extern const struct store_collection keys_collection;
extern const struct aggregate key_ring_aggregate;

/* Makes the ring where there is none, rotates it when it is time or ROTATE says so, and drops what
 * is gone. Args may be NULL. Its service is a struct auth_service. */
struct tend_args {
    bool rotate;
};
extern const struct command_type keys_tend;

/* The public part as a JWKS document. */
struct str key_ring_jwks(const struct key_ring *ring, struct arena *a);

/* What a process keeps in memory to sign with. */
struct signer {
    char kid[ID_TEXT_MAX];
    unsigned char secret[64]; /* libsodium's form: seed and public key */
};
/* The current key of the ring. ERR_CORRUPT. */
int signer_load(struct signer *s, const struct key_ring *ring);

struct access_claims {
    struct str issuer, user_id, name, sid;
    enum role role;
    int64_t issued_us, ttl_us;
    bool restricted; /* to one's own account (AREA_ACCOUNT): a second factor is missing */
};
/* A signed access token in A. */
struct str signer_token(const struct signer *s, const struct access_claims *claims,
                        struct arena *a);

/* TEXT's signature by that key for PURPOSE, in A. */
void signer_sign(const struct signer *s, struct str purpose, struct str text, struct arena *a,
                 struct signature *ret);

#endif
