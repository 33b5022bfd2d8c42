/* The key ring: shapes, the decision, and tokens signed with it. */
#include "services/auth/keys.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "services/auth/internal.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

#define URLSAFE sodium_base64_VARIANT_URLSAFE_NO_PADDING

_Static_assert(KEY_SEED_BYTES == crypto_sign_SEEDBYTES, "a seed is what libsodium takes");
_Static_assert(sizeof(((struct signer *)0)->secret) == crypto_sign_SECRETKEYBYTES, "and gives");

/* ---- shapes ---- */

#define KEY(member) offsetof(struct signing_key, member)
static const struct schema_field key_fields[] = {
    {"kid", S_ID, S_STORE, KEY(kid), .hint = "key"},
    {"x", S_LINE, S_STORE, KEY(public_b64)},
    {"d", S_LINE, S_STORE, KEY(seed)},
    {"created_at", S_TIME, S_STORE, KEY(created_us)},
    {"gone_at", S_TIME, S_STORE, KEY(gone_us)},
};
static const struct schema key_schema = SCHEMA(struct signing_key, "SigningKey", key_fields);

#define RING(member) offsetof(struct key_ring, member)
static const struct schema_field ring_fields[] = {
    {"keys", S_LIST, S_STORE, RING(keys), .count_offset = RING(key_count), .max = TOKEN_KEYS_MAX,
     .sub = &key_schema},
    {"rotates_at", S_TIME, S_STORE, RING(rotates_us)},
};
static const struct schema ring_schema = SCHEMA(struct key_ring, "KeyRing", ring_fields);

const struct store_collection keys_collection = {.name = "keys", .timers = true};

static int64_t ring_wake_at(const void *state) {
    const struct key_ring *ring = state;
    int64_t at_us = ring->rotates_us;
    for (int32_t i = 0; i < ring->key_count; i++) {
        if (ring->keys[i].gone_us > 0 && ring->keys[i].gone_us < at_us)
            at_us = ring->keys[i].gone_us;
    }
    return at_us;
}

const struct aggregate key_ring_aggregate = {
    .collection = &keys_collection, .schema = &ring_schema, .wake_at = ring_wake_at};

static struct str base64(struct arena *a, const void *bytes, size_t len) {
    size_t cap = sodium_base64_encoded_len(len, URLSAFE);
    char *text = arena_bytes(a, cap);
    sodium_bin2base64(text, cap, bytes, len, URLSAFE);
    return (struct str){text, cap - 1};
}

/* ---- the decision ---- */

struct tend_facts {
    unsigned char seeds[2][KEY_SEED_BYTES]; /* secrets are drawn here, for decide draws none */
};

static int tend_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)store;
    (void)now_us;
    const struct auth_service *auth = cmd->service;
    struct tend_facts *facts = arena_new(cmd->arena, struct tend_facts);
    auth->entropy->fill(auth->entropy, facts->seeds, sizeof(facts->seeds));
    cmd->facts = facts;
    return 0;
}

static struct signing_key make_key(const struct decide_ctx *ctx,
                                   const unsigned char seed[KEY_SEED_BYTES]) {
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(public_key, secret, seed);
    sodium_memzero(secret, sizeof(secret));
    return (struct signing_key){.kid = id_new(ctx->arena, "key", ctx->now_us, ctx->rng),
                                .public_b64 = base64(ctx->arena, public_key, sizeof(public_key)),
                                .seed = base64(ctx->arena, seed, KEY_SEED_BYTES),
                                .created_us = ctx->now_us};
}

/* Copies those of OLD that are still of use. */
static void keep_living(struct key_ring *next, const struct key_ring *old, int64_t now_us) {
    for (int32_t i = 0; i < old->key_count; i++) {
        if (old->keys[i].gone_us == 0 || old->keys[i].gone_us > now_us)
            next->keys[next->key_count++] = old->keys[i];
    }
}

static void tend_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct auth_service *auth = cmd->service;
    const struct tend_args *args = cmd->args;
    const struct tend_facts *facts = cmd->facts;
    const struct key_ring *old = state;
    struct key_ring *next = arena_new(ctx->arena, struct key_ring);
    next->keys = arena_array(ctx->arena, struct signing_key, TOKEN_KEYS_MAX);
    if (old == NULL) {
        next->keys[next->key_count++] = make_key(ctx, facts->seeds[0]);
        next->keys[next->key_count++] = make_key(ctx, facts->seeds[1]);
        next->rotates_us = ctx->now_us + auth->key_rotation_us;
        decision_state(ret, cmd, NULL, next);
        return;
    }
    keep_living(next, old, ctx->now_us);
    next->rotates_us = old->rotates_us;
    bool rotates = (args != NULL && args->rotate) || ctx->now_us >= old->rotates_us;
    if (rotates && next->key_count == TOKEN_KEYS_MAX) {
        decision_problem(ret, cmd, PROBLEM_OVERLOADED,
                         "tokens of too many earlier keys are still alive; try again later");
        return;
    }
    if (rotates) {
        next->keys[next->key_count - 2].gone_us = ctx->now_us + auth_token_life_us(auth);
        next->keys[next->key_count++] = make_key(ctx, facts->seeds[0]);
        next->rotates_us = ctx->now_us + auth->key_rotation_us;
    }
    if (rotates || next->key_count != old->key_count)
        decision_state(ret, cmd, old, next);
}

static void tend_applied(const struct command *cmd, const struct decision *d, const void *state) {
    struct auth_service *auth = cmd->service;
    int err = state != NULL ? auth_take_ring(auth, state) : 0;
    if (d->state != NULL)
        auth_tell_ring(auth);
    if (err < 0)
        log_error(auth->log, "the signing keys cannot be used: %s", err_text(err));
}

const struct command_type keys_tend = {.name = "keys.tend",
                                       .aggregate = &key_ring_aggregate,
                                       .load = tend_load,
                                       .decide = tend_decide,
                                       .applied = tend_applied};

/* ---- what is made of it ---- */

struct str key_ring_jwks(const struct key_ring *ring, struct arena *a) {
    struct buf out;
    buf_init(&out, a, 512);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "keys");
    jw_array(&w);
    for (int32_t i = 0; i < ring->key_count; i++) {
        jw_object(&w);
        jw_kv_str(&w, "kty", STR("OKP"));
        jw_kv_str(&w, "crv", STR("Ed25519"));
        jw_kv_str(&w, "alg", STR("EdDSA"));
        jw_kv_str(&w, "use", STR("sig"));
        jw_kv_str(&w, "kid", ring->keys[i].kid);
        jw_kv_str(&w, "x", ring->keys[i].public_b64);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    return buf_str(&out);
}

int signer_load(struct signer *s, const struct key_ring *ring) {
    unsigned char seed[KEY_SEED_BYTES], public_key[crypto_sign_PUBLICKEYBYTES];
    size_t len;
    if (ring->key_count < 2 || ring->key_count > TOKEN_KEYS_MAX)
        return ERR_CORRUPT;
    const struct signing_key *current = &ring->keys[ring->key_count - 2];
    if (current->kid.len >= sizeof(s->kid) ||
        sodium_base642bin(seed, sizeof(seed), current->seed.p, current->seed.len, NULL, &len, NULL,
                          URLSAFE) != 0 ||
        len != sizeof(seed))
        return ERR_CORRUPT;
    memset(s->kid, 0, sizeof(s->kid));
    memcpy(s->kid, current->kid.p, current->kid.len);
    crypto_sign_seed_keypair(public_key, s->secret, seed);
    sodium_memzero(seed, sizeof(seed));
    return 0;
}

static struct str header_json(const struct signer *s, struct arena *a) {
    return arena_printf(a, "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\"}", s->kid);
}

static struct str claims_json(const struct access_claims *c, struct arena *a) {
    int64_t issued_s = c->issued_us / US_PER_S;
    struct buf out;
    buf_init(&out, a, 512);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "iss", c->issuer);
    jw_kv_str(&w, "aud", STR(TOKEN_AUDIENCE));
    jw_kv_str(&w, "sub", c->user_id);
    jw_kv_str(&w, "role", str_from(role_names[c->role]));
    jw_kv_str(&w, "name", c->name);
    jw_kv_str(&w, "sid", c->sid);
    if (c->restricted)
        jw_kv_str(&w, "scp", STR(TOKEN_RESTRICTED));
    jw_kv_i64(&w, "iat", issued_s);
    jw_kv_i64(&w, "exp", issued_s + c->ttl_us / US_PER_S);
    jw_end(&w);
    return buf_str(&out);
}

struct str signer_token(const struct signer *s, const struct access_claims *claims,
                        struct arena *a) {
    unsigned char signature[crypto_sign_BYTES];
    struct str header = header_json(s, a), payload = claims_json(claims, a);
    struct str b64_header = base64(a, header.p, header.len);
    struct str b64_payload = base64(a, payload.p, payload.len);
    struct str text = arena_printf(a, "%.*s.%.*s", STR_ARG(b64_header), STR_ARG(b64_payload));
    crypto_sign_detached(signature, NULL, (const unsigned char *)text.p, text.len, s->secret);
    struct str b64_signature = base64(a, signature, sizeof(signature));
    struct str token = arena_printf(a, "%.*s.%.*s", STR_ARG(text), STR_ARG(b64_signature));
    CHECK(token.len <= TOKEN_BYTES_MAX);
    return token;
}

void signer_sign(const struct signer *s, struct str purpose, struct str text, struct arena *a,
                 struct signature *ret) {
    signature_make(s->secret, str_from(s->kid), purpose, text, a,
                   ret); /* it begins with the seed */
}
