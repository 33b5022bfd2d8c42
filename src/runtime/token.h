/* Access tokens as everyone but auth sees them: verified offline by the public keys of the JWKS. A
 * JWS, EdDSA (Ed25519), kid in its header; claims iss, aud, sub, role, name, sid, iat, exp.
 * Verified tokens are remembered (bounded) so that a signature is checked once, not at every
 * request; ended sessions are known by the cache port until their tokens would have expired anyway.
 */
#ifndef LORRY_RUNTIME_TOKEN_H
#define LORRY_RUNTIME_TOKEN_H

#include "ports/cache.h"
#include "runtime/area.h"
#include "runtime/call.h"

#define TOKEN_BYTES_MAX 2048
#define TOKEN_KEYS_MAX 8
#define TOKEN_CACHE_MAX 65536 /* remembered tokens */
#define TOKEN_SKEW_US (INT64_C(30) * 1000000)
#define TOKEN_AUDIENCE "lorry"
#define TOKEN_RESTRICTED "account" /* "scp" of who may only see to his own account; else absent */

/* Makes the crypto library ready. Once, at the start of a process, before any other thread uses it;
 * may be repeated. ERR_UNAVAILABLE: the machine gives no randomness. */
int token_library_init(void);

struct token_verifier;
struct token_verifier *token_verifier_new(const char *issuer, struct cache *revoked);
struct token_verifier *token_verifier_free(struct token_verifier *v);
/* Takes the public keys of a JWKS document in place of those known. ERR_INVALID. Any thread. */
int token_verifier_keys(struct token_verifier *v, struct str jwks_json);
/* 0 and *RET_WHO (strings in A), or ERR_DENIED: malformed, unknown key, bad signature, expired, not
 * for us, revoked. Any thread. */
int token_verify(struct token_verifier *v, struct str token, int64_t now_us, struct arena *a,
                 struct identity *ret_who);
/* Has the session that WHO came from ended since his token was verified? For what outlives a
 * request. Any thread. */
bool token_ended(const struct token_verifier *v, const struct identity *who, int64_t now_us);
/* The session SID (or all sessions that user SID = "usr_…" had opened by NOW) has ended; kept for
 * TTL. Those he opens later are not touched: a session's id tells when it began. Any thread. */
void token_revoke(struct token_verifier *v, struct str sid_or_user, int64_t ttl_us, int64_t now_us);
/* Of all sessions of a user that end by NOW, SID goes on. Before token_revoke, with the same NOW.
 * Any thread. */
void token_spare(struct token_verifier *v, struct str sid, int64_t ttl_us, int64_t now_us);

#endif
