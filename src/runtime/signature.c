/* Digests and signatures, by libsodium. */
#include "runtime/signature.h"

#include "base/check.h"

#include <sodium.h>

#define URLSAFE sodium_base64_VARIANT_URLSAFE_NO_PADDING

_Static_assert(sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, URLSAFE) == DIGEST_LEN + 1,
               "a digest's length");

_Static_assert(SIGNATURE_SEED_BYTES == crypto_sign_SEEDBYTES, "a seed is what libsodium takes");

static struct str encode(const unsigned char *bytes, size_t len, struct arena *a) {
    size_t size = sodium_base64_encoded_len(len, URLSAFE);
    char *text = arena_bytes(a, size);
    sodium_bin2base64(text, size, bytes, len, URLSAFE);
    return (struct str){text, size - 1};
}

static bool decode(struct str b64, unsigned char *out, size_t size) {
    size_t len;
    return b64.len > 0 &&
           sodium_base642bin(out, size, b64.p, b64.len, NULL, &len, NULL, URLSAFE) == 0 &&
           len == size;
}

static struct str message_of(struct str purpose, struct str kid, struct str text, struct arena *a) {
    return arena_printf(a, "%.*s\n%.*s\n%.*s", STR_ARG(purpose), STR_ARG(kid), STR_ARG(text));
}

void signature_make(const unsigned char seed[SIGNATURE_SEED_BYTES], struct str kid,
                    struct str purpose, struct str text, struct arena *a, struct signature *ret) {
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    unsigned char value[crypto_sign_BYTES];
    struct str message = message_of(purpose, kid, text, a);
    crypto_sign_seed_keypair(public_key, secret, seed);
    crypto_sign_detached(value, NULL, (const unsigned char *)message.p, message.len, secret);
    sodium_memzero(secret, sizeof(secret));
    *ret = (struct signature){.kid = arena_str(a, kid),
                              .public_b64 = encode(public_key, sizeof(public_key), a),
                              .value_b64 = encode(value, sizeof(value), a)};
}

bool signature_good(const struct signature *s, struct str purpose, struct str text,
                    struct arena *a) {
    struct str message = message_of(purpose, s->kid, text, a);
    unsigned char key[crypto_sign_PUBLICKEYBYTES], value[crypto_sign_BYTES];
    return decode(s->public_b64, key, sizeof(key)) && decode(s->value_b64, value, sizeof(value)) &&
           crypto_sign_verify_detached(value, (const unsigned char *)message.p, message.len, key) ==
               0;
}

struct str digest_of(const struct str *texts, int count, struct arena *a) {
    crypto_hash_sha256_state state;
    unsigned char bytes[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_init(&state);
    for (int i = 0; i < count; i++)
        crypto_hash_sha256_update(&state, (const unsigned char *)texts[i].p, texts[i].len);
    crypto_hash_sha256_final(&state, bytes);
    return encode(bytes, sizeof(bytes), a);
}

struct str digest_hex(struct str text, struct arena *a) {
    unsigned char bytes[crypto_hash_sha256_BYTES];
    char *hex = arena_bytes(a, 2 * sizeof(bytes) + 1);
    crypto_hash_sha256(bytes, (const unsigned char *)text.p, text.len);
    sodium_bin2hex(hex, 2 * sizeof(bytes) + 1, bytes, sizeof(bytes));
    return (struct str){hex, 2 * sizeof(bytes)};
}
