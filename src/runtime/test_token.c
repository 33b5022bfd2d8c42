/* Access tokens: what a verifier lets in, and everything it must not. Tokens are minted here by
 * hand, so that each lie can be told with a sound signature; librhonabwy is the second opinion on
 * what a sound token is.
 */
#include "runtime/token.h"

#include "adapters/memory/memory_cache.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"

#include <pthread.h>
#include <rhonabwy.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_S INT64_C(1795428000)
#define NOW_US (NOW_S * US_PER_S)
#define URLSAFE sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define HEADER "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"typ\":\"JWT\"}"

struct fixture {
    struct arena arena;
    struct cache *cache;
    struct token_verifier *verifier;
    unsigned char public_key[32], secret[64];
    struct str user, sid; /* ids made at NOW */
};

static struct str b64(struct arena *a, const void *bytes, size_t len) {
    size_t cap = sodium_base64_encoded_len(len, URLSAFE);
    char *text = arena_bytes(a, cap);
    sodium_bin2base64(text, cap, bytes, len, URLSAFE);
    return (struct str){text, cap - 1};
}

static struct str b64_str(struct arena *a, struct str s) {
    return b64(a, s.p, s.len);
}

static struct str jwk(struct fixture *f, const char *kid, const unsigned char key[32]) {
    return arena_printf(&f->arena,
                        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":\"%s\"}", kid,
                        b64(&f->arena, key, 32).p);
}

static struct str jwks(struct fixture *f, struct str keys) {
    return arena_printf(&f->arena, "{\"keys\":[%.*s]}", STR_ARG(keys));
}

static int setup(void **state) {
    struct fixture *f = xcalloc(1, sizeof(*f));
    unsigned char seed[32] = "a seed that nobody would guess.";
    arena_init(&f->arena, 65536);
    f->cache = memory_cache_new(1000);
    f->verifier = token_verifier_new("lorry", f->cache);
    crypto_sign_seed_keypair(f->public_key, f->secret, seed);
    assert_int_equal(token_verifier_keys(f->verifier, jwks(f, jwk(f, "k1", f->public_key))), 0);
    struct rng rng;
    rng_seed(&rng, 1);
    f->user = id_new(&f->arena, "usr", NOW_US, &rng);
    f->sid = id_new(&f->arena, "ses", NOW_US, &rng);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    token_verifier_free(f->verifier);
    f->cache->ops->close(f->cache);
    arena_free(&f->arena);
    free(f);
    return 0;
}

static struct str sign(struct fixture *f, struct str header, struct str payload,
                       const unsigned char secret[64]) {
    unsigned char signature[64];
    struct str text = arena_printf(&f->arena, "%s.%s", b64_str(&f->arena, header).p,
                                   b64_str(&f->arena, payload).p);
    crypto_sign_detached(signature, NULL, (const unsigned char *)text.p, text.len, secret);
    return arena_printf(&f->arena, "%s.%s", text.p, b64(&f->arena, signature, 64).p);
}

/* The claims of a good token with FROM replaced by TO. */
static struct str claims_but(struct fixture *f, const char *from, const char *to) {
    struct str good = arena_printf(
        &f->arena,
        "{\"iss\":\"lorry\",\"aud\":\"lorry\",\"sub\":\"%s\",\"role\":\"driver\",\"name\":\"Asha\","
        "\"sid\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
        f->user.p, f->sid.p, (long long)NOW_S, (long long)NOW_S + 900);
    if (from == NULL)
        return good;
    const char *at = strstr(good.p, from);
    CHECK(at != NULL);
    return arena_printf(&f->arena, "%.*s%s%s", (int)(at - good.p), good.p, to, at + strlen(from));
}

static struct str good_token(struct fixture *f) {
    return sign(f, STR(HEADER), claims_but(f, NULL, NULL), f->secret);
}

static int verify_at(struct fixture *f, struct str token, int64_t now_us) {
    struct identity who = {.role = ROLE_NONE};
    int err = token_verify(f->verifier, token, now_us, &f->arena, &who);
    if (err < 0)
        assert_int_equal(who.role, ROLE_NONE); /* outputs untouched */
    return err;
}

static void denied(struct fixture *f, const char *what, struct str token) {
    for (int i = 0; i < 2; i++) { /* not the second time either */
        if (verify_at(f, token, NOW_US) != ERR_DENIED)
            fail_msg("let in: %s", what);
    }
}

/* ---- what is let in ---- */

static void good_tokens_name_their_bearer(void **state) {
    struct fixture *f = *state;
    struct str token = good_token(f);
    for (int i = 0; i < 2; i++) { /* checked, then remembered */
        struct identity who;
        assert_int_equal(token_verify(f->verifier, token, NOW_US, &f->arena, &who), 0);
        assert_true(str_eq(who.user_id, f->user));
        assert_true(str_eq(who.sid, f->sid));
        assert_true(str_is(who.name, "Asha"));
        assert_int_equal(who.role, ROLE_DRIVER);
        assert_int_equal(who.expires_us, NOW_US + 900 * US_PER_S);
    }
}

static void time_is_kept_with_a_little_patience(void **state) {
    struct fixture *f = *state;
    struct str token = good_token(f);
    int64_t exp_us = NOW_US + 900 * US_PER_S;
    int64_t times[] = {NOW_US, NOW_US - TOKEN_SKEW_US, exp_us + TOKEN_SKEW_US - 1};
    for (int i = 0; i < 2; i++) {
        for (size_t t = 0; t < COUNT_OF(times); t++)
            assert_int_equal(verify_at(f, token, times[t]), 0);
        assert_int_equal(verify_at(f, token, NOW_US - TOKEN_SKEW_US - 1), ERR_DENIED);
        assert_int_equal(verify_at(f, token, exp_us + TOKEN_SKEW_US), ERR_DENIED);
        assert_int_equal(verify_at(f, token, INT64_MAX / 2), ERR_DENIED);
    }
}

static void headers_may_leave_typ_out(void **state) {
    struct fixture *f = *state;
    struct str claims = claims_but(f, NULL, NULL);
    struct str bare = STR("{\"kid\":\"k1\",\"alg\":\"EdDSA\"}");
    assert_int_equal(verify_at(f, sign(f, bare, claims, f->secret), NOW_US), 0);
}

static void the_longest_name_fits(void **state) {
    struct fixture *f = *state;
    struct buf name;
    buf_init(&name, &f->arena, 512);
    for (int i = 0; i < 100; i++)
        buf_add_cstr(&name, "\xf0\x9f\x9a\x9a"); /* a lorry */
    struct str text = arena_printf(&f->arena, "\"name\":\"%.*s\"", STR_ARG(buf_str(&name)));
    struct str token = sign(f, STR(HEADER), claims_but(f, "\"name\":\"Asha\"", text.p), f->secret);
    struct identity who;
    assert_int_equal(token_verify(f->verifier, token, NOW_US, &f->arena, &who), 0);
    assert_true(str_eq(who.name, buf_str(&name)));
}

/* ---- what is not ---- */

static void headers_that_lie(void **state) {
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"kid\":\"k1\"}",
        "{\"alg\":\"None\",\"kid\":\"k1\"}",
        "{\"alg\":\"\",\"kid\":\"k1\"}",
        "{\"alg\":\"HS256\",\"kid\":\"k1\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\"}",
        "{\"alg\":\"RS256\",\"kid\":\"k1\"}",
        "{\"alg\":\"eddsa\",\"kid\":\"k1\"}",
        "{\"alg\":\"EdDSA \",\"kid\":\"k1\"}",
        "{\"alg\":[\"EdDSA\"],\"kid\":\"k1\"}",
        "{\"alg\":1,\"kid\":\"k1\"}",
        "{\"alg\":null,\"kid\":\"k1\"}",
        "{\"kid\":\"k1\"}",
        "{\"alg\":\"EdDSA\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k2\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\\u0000\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"../../dev/null\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"' or '1'='1\"}",
        "{\"alg\":\"EdDSA\",\"kid\":1}",
        "{\"alg\":\"EdDSA\",\"kid\":[\"k1\"]}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"kid\":\"k1\"}",
        "{\"alg\":\"none\",\"alg\":\"EdDSA\",\"kid\":\"k1\"}",
        "{\"alg\":\"EdDSA\",\"alg\":\"none\",\"kid\":\"k1\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"crit\":[],\"typ\":\"JWT\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"b64\":false}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"jku\":\"https://example.com/keys\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"zip\":\"DEF\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"typ\":\"JWE\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"typ\":7}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\"}x",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\"}{}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k1\"",
        "[\"EdDSA\",\"k1\"]",
        "\"EdDSA\"",
        "null",
        " ",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    };
    struct fixture *f = *state;
    struct str claims = claims_but(f, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(headers); i++)
        denied(f, headers[i], sign(f, str_from(headers[i]), claims, f->secret));
}

/* A key that the token brings along is nobody's. */
static void keys_in_the_header_are_not_asked(void **state) {
    struct fixture *f = *state;
    unsigned char public_key[32], secret[64], seed[32] = "an enemy's";
    crypto_sign_seed_keypair(public_key, secret, seed);
    struct str header = arena_printf(&f->arena, "{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"jwk\":%s}",
                                     jwk(f, "k1", public_key).p);
    denied(f, "jwk in the header", sign(f, header, claims_but(f, NULL, NULL), secret));
    denied(f, "another key's signature", sign(f, STR(HEADER), claims_but(f, NULL, NULL), secret));
}

/* The classic: the public key, which everyone has, used as the secret of an HMAC. */
static void hmac_with_the_public_key(void **state) {
    struct fixture *f = *state;
    static const char *const headers[] = {"{\"alg\":\"HS256\",\"kid\":\"k1\"}", HEADER};
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        struct str text =
            arena_printf(&f->arena, "%s.%s", b64_str(&f->arena, str_from(headers[i])).p,
                         b64_str(&f->arena, claims_but(f, NULL, NULL)).p);
        unsigned char mac[crypto_auth_hmacsha256_BYTES];
        crypto_auth_hmacsha256(mac, (const unsigned char *)text.p, text.len, f->public_key);
        denied(f, "hmac",
               arena_printf(&f->arena, "%s.%s", text.p, b64(&f->arena, mac, sizeof(mac)).p));
        unsigned char twice[64];
        memcpy(twice, mac, 32);
        memcpy(twice + 32, mac, 32);
        denied(f, "hmac of the right length",
               arena_printf(&f->arena, "%s.%s", text.p, b64(&f->arena, twice, 64).p));
        denied(f, "no signature", arena_printf(&f->arena, "%s.", text.p));
        denied(f, "no third part", text);
    }
}

static void claims_that_lie(void **state) {
    static const struct {
        const char *from, *to;
    } lies[] = {
        {"\"iss\":\"lorry\"", "\"iss\":\"larry\""},
        {"\"iss\":\"lorry\"", "\"iss\":[\"lorry\"]"},
        {"\"iss\":\"lorry\",", ""},
        {"\"aud\":\"lorry\"", "\"aud\":\"other\""},
        {"\"aud\":\"lorry\"", "\"aud\":[\"lorry\",\"other\"]"},
        {"\"aud\":\"lorry\",", ""},
        {"\"role\":\"driver\"", "\"role\":\"root\""},
        {"\"role\":\"driver\"", "\"role\":\"\""},
        {"\"role\":\"driver\"", "\"role\":4"},
        {"\"role\":\"driver\",", ""},
        {"\"role\":\"driver\"", "\"role\":\"driver\",\"role\":\"admin\""},
        {"\"sub\":\"usr_", "\"sub\":\"drv_"},
        {"\"sub\":\"usr_", "\"sub\":\"usr_0"},
        {"\"sub\":\"usr_", "\"sub\":\"\",\"x\":\"usr_"},
        {"\"sid\":\"ses_", "\"sid\":\"usr_"},
        {"\"sid\":\"ses_", "\"no\":\"ses_"},
        {"\"iat\":1795428000", "\"iat\":\"1795428000\""},
        {"\"iat\":1795428000", "\"iat\":1795428031"}, /* in the future */
        {"\"iat\":1795428000", "\"iat\":1795429999"}, /* after exp */
        {"\"iat\":1795428000", "\"iat\":0"},
        {"\"iat\":1795428000", "\"iat\":-1"},
        {"\"iat\":1795428000,", ""},
        {"\"iat\":1795428000", "\"iat\":1795428000,\"nbf\":1795428031"},
        {"\"iat\":1795428000", "\"iat\":1795428000,\"nbf\":\"1795428000\""},
        {"\"iat\":1795428000", "\"iat\":1795428000,\"nbf\":null"},
        {"\"exp\":1795428900", "\"exp\":\"1795428900\""},
        {"\"exp\":1795428900", "\"exp\":1795428900.5"},
        {"\"exp\":1795428900", "\"exp\":1795428900.0"},
        {"\"exp\":1795428900", "\"exp\":1e300"},
        {"\"exp\":1795428900", "\"exp\":9223372036854775807"},
        {"\"exp\":1795428900", "\"exp\":18446744073709551615"},
        {"\"exp\":1795428900", "\"exp\":99999999999999999999999999"},
        {"\"exp\":1795428900", "\"exp\":-1"},
        {"\"exp\":1795428900", "\"exp\":1795427000"}, /* before iat */
        {"\"exp\":1795428900", "\"exp\":null"},
        {"\"exp\":1795428900", "\"exp\":true"},
        {"\"exp\":1795428900", "\"exp\":1795428900,\"exp\":1999999999"},
        {",\"exp\":1795428900", ""},
        {"\"exp\":1795428900}", "\"exp\":1795428900}}"},
        {"\"exp\":1795428900}", "\"exp\":1795428900"},
        {"{\"iss\"", "[{\"iss\""},
        {"\"name\":\"Asha\"", "\"name\":\"\xff\xfe\""},
        {"\"name\":\"Asha\"", "\"name\":\"\xed\xa0\x80\""},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(lies); i++)
        denied(f, lies[i].to,
               sign(f, STR(HEADER), claims_but(f, lies[i].from, lies[i].to), f->secret));
    struct str expired = claims_but(f, "\"iat\":1795428000,\"exp\":1795428900",
                                    "\"iat\":1795427000,\"exp\":1795427900");
    denied(f, "expired", sign(f, STR(HEADER), expired, f->secret));
}

/* Every byte of a token counts, and nothing may stand around it. */
static void no_byte_may_differ(void **state) {
    struct fixture *f = *state;
    struct str token = good_token(f);
    assert_int_equal(verify_at(f, token, NOW_US), 0);
    static const char other[] = {'A', 'B', 'Q', '9', '-', '_', '.', '=', '+', '/', ' ', '\n', 0};
    for (size_t i = 0; i < token.len; i++) {
        char *copy = arena_cstr(&f->arena, token);
        copy[i] = other[i % sizeof(other)] != token.p[i] ? other[i % sizeof(other)] : '!';
        denied(f, "a byte changed", (struct str){copy, token.len});
        denied(f, "cut off", (struct str){token.p, i});
    }
    char *last = arena_cstr(&f->arena, token);
    for (int c = 1; c < 256; c++) { /* the spare bits of the signature's last character too */
        last[token.len - 1] = (char)c;
        if (last[token.len - 1] != token.p[token.len - 1])
            denied(f, "the last byte changed", (struct str){last, token.len});
    }
    static const char *const tails[] = {".", "A", "AAAA", "=", "==", " ", "\n", ".e30", "\t"};
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        denied(f, "a tail", arena_printf(&f->arena, "%s%s", token.p, tails[i]));
        denied(f, "a head", arena_printf(&f->arena, "%s%s", tails[i], token.p));
    }
    denied(f, "a NUL after it", (struct str){token.p, token.len + 1});
}

static void sizes_are_bounded(void **state) {
    struct fixture *f = *state;
    char *big = arena_bytes(&f->arena, 1 << 20);
    memset(big, 'A', 1 << 20);
    size_t sizes[] = {0, 1, TOKEN_BYTES_MAX - 1, TOKEN_BYTES_MAX, TOKEN_BYTES_MAX + 1, 1 << 20};
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        denied(f, "AAAA", (struct str){big, sizes[i]});
    memset(big, '.', 1 << 20);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        denied(f, "....", (struct str){big, sizes[i]});
    memset(big, ' ', 1400);
    big[1400] = 0; /* sound in everything but its length */
    struct str claims = claims_but(f, "\"iat\"", arena_printf(&f->arena, "%s\"iat\"", big).p);
    struct str token = sign(f, STR(HEADER), claims, f->secret);
    assert_true(token.len > TOKEN_BYTES_MAX);
    denied(f, "too long", token);
}

/* ---- keys ---- */

static void a_key_that_leaves_takes_its_tokens_along(void **state) {
    struct fixture *f = *state;
    struct str token = good_token(f);
    unsigned char public_key[32], secret[64], seed[32] = "the next one";
    crypto_sign_seed_keypair(public_key, secret, seed);
    struct str first = jwk(f, "k1", f->public_key), next = jwk(f, "k2", public_key);
    assert_int_equal(verify_at(f, token, NOW_US), 0);
    struct str both = arena_printf(&f->arena, "%s,%s", first.p, next.p);
    assert_int_equal(token_verifier_keys(f->verifier, jwks(f, both)), 0);
    struct str second =
        sign(f, STR("{\"alg\":\"EdDSA\",\"kid\":\"k2\"}"), claims_but(f, NULL, NULL), secret);
    assert_int_equal(verify_at(f, token, NOW_US), 0);
    assert_int_equal(verify_at(f, second, NOW_US), 0);
    assert_int_equal(token_verifier_keys(f->verifier, jwks(f, next)), 0);
    denied(f, "its key is gone", token);
    assert_int_equal(verify_at(f, second, NOW_US), 0);
    /* The old kid with another key is another key. */
    struct str same_kid = jwk(f, "k2", f->public_key);
    assert_int_equal(token_verifier_keys(f->verifier, jwks(f, same_kid)), 0);
    denied(f, "its key was swapped", second);
}

static void bad_key_sets_change_nothing(void **state) {
    struct fixture *f = *state;
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"keys\":{}}",
        "{\"keys\":[{}]}",
        "{\"keys\":[1]}",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"kid\":\"k\",\"x\":\"AAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAA\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"AAAA\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAA\"}]}",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(token_verifier_keys(f->verifier, str_from(bad[i])), ERR_INVALID);
    struct buf many;
    buf_init(&many, &f->arena, 1024);
    for (int i = 0; i <= TOKEN_KEYS_MAX; i++)
        buf_printf(&many, "%s%s", i > 0 ? "," : "", jwk(f, "k1", f->public_key).p);
    assert_int_equal(token_verifier_keys(f->verifier, jwks(f, buf_str(&many))), ERR_INVALID);
    assert_int_equal(verify_at(f, good_token(f), NOW_US), 0);
}

/* A key of small order signs anything with a signature of zeros; libsodium must refuse it. */
static void keys_of_small_order_sign_nothing(void **state) {
    struct fixture *f = *state;
    unsigned char zero[32] = {1};
    assert_int_equal(token_verifier_keys(f->verifier, jwks(f, jwk(f, "k1", zero))), 0);
    unsigned char signature[64] = {1};
    struct str text = arena_printf(&f->arena, "%s.%s", b64_str(&f->arena, STR(HEADER)).p,
                                   b64_str(&f->arena, claims_but(f, NULL, NULL)).p);
    denied(f, "small order",
           arena_printf(&f->arena, "%s.%s", text.p, b64(&f->arena, signature, 64).p));
}

/* ---- ended sessions ---- */

static void ended_sessions_are_void(void **state) {
    struct fixture *f = *state;
    struct str token = good_token(f);
    assert_int_equal(verify_at(f, token, NOW_US), 0);
    token_revoke(f->verifier, f->sid, 900 * US_PER_S, NOW_US);
    denied(f, "ended", token);
    memory_cache_clear(f->cache); /* a cache may forget; then the token's own end is what holds */
    assert_int_equal(verify_at(f, token, NOW_US), 0);
}

static void a_user_who_ends_may_sign_in_again(void **state) {
    struct fixture *f = *state;
    struct str token = good_token(f);
    int64_t at_us = NOW_US + 5 * US_PER_S;
    token_revoke(f->verifier, f->user, 900 * US_PER_S, at_us);
    assert_int_equal(verify_at(f, token, at_us), ERR_DENIED);
    struct rng rng;
    rng_seed(&rng, 2);
    struct str later = id_new(&f->arena, "ses", at_us + 1000 * US_PER_MS, &rng);
    struct str fresh = sign(f, STR(HEADER), claims_but(f, f->sid.p, later.p), f->secret);
    assert_int_equal(verify_at(f, fresh, at_us), 0);
    /* An old event, delivered late, must not bring the first session back. */
    token_revoke(f->verifier, f->user, 900 * US_PER_S, NOW_US - 60 * US_PER_S);
    assert_int_equal(verify_at(f, token, at_us), ERR_DENIED);
    /* Nor does nonsense do anything. */
    token_revoke(f->verifier, STR("not an id"), 900 * US_PER_S, at_us);
    token_revoke(f->verifier, STR_NONE, 900 * US_PER_S, at_us);
}

/* ---- twins ---- */

/* Many tokens, asked for in any order at any time, against what is known of each. */
static void remembering_changes_no_answer(void **state) {
    enum { TOKENS = 200, QUESTIONS = 4000 };
    struct fixture *f = *state;
    struct rng rng;
    rng_seed(&rng, 7);
    struct str tokens[TOKENS];
    int64_t ends_s[TOKENS];
    for (int i = 0; i < TOKENS; i++) {
        ends_s[i] = NOW_S + rng_between(&rng, 1, 2000);
        struct str exp = arena_printf(&f->arena, "\"exp\":%lld", (long long)ends_s[i]);
        tokens[i] = sign(f, STR(HEADER), claims_but(f, "\"exp\":1795428900", exp.p), f->secret);
    }
    for (int i = 0; i < QUESTIONS; i++) {
        int n = (int)rng_below(&rng, TOKENS);
        int64_t now_us = NOW_US + rng_between(&rng, -60, 2100) * US_PER_S;
        bool good =
            now_us + TOKEN_SKEW_US >= NOW_US && now_us < ends_s[n] * US_PER_S + TOKEN_SKEW_US;
        assert_int_equal(verify_at(f, tokens[n], now_us), good ? 0 : ERR_DENIED);
    }
}

static void rhonabwy_agrees(void **state) {
    struct fixture *f = *state;
    jwk_t *private_key = NULL, *public_key = NULL;
    jwt_t *jwt = NULL;
    assert_int_equal(r_jwk_init(&private_key), RHN_OK);
    assert_int_equal(r_jwk_init(&public_key), RHN_OK);
    assert_int_equal(
        r_jwk_generate_key_pair(private_key, public_key, R_KEY_TYPE_EDDSA, 256, "theirs"), RHN_OK);
    char *json = r_jwk_export_to_json_str(public_key, 0);
    assert_int_equal(token_verifier_keys(f->verifier, jwks(f, str_from(json))), 0);
    assert_int_equal(r_jwt_init(&jwt), RHN_OK);
    r_jwt_set_sign_alg(jwt, R_JWA_ALG_EDDSA);
    r_jwt_set_full_claims_json_str(jwt, claims_but(f, NULL, NULL).p);
    char *theirs = r_jwt_serialize_signed(jwt, private_key, 0);
    assert_non_null(theirs);
    assert_int_equal(verify_at(f, str_from(theirs), NOW_US), 0);
    r_free(theirs);
    r_free(json);
    r_jwk_free(private_key);
    r_jwk_free(public_key);
    r_jwt_free(jwt);
}

static void *verify_many(void *arg) {
    struct fixture *f = arg;
    struct arena own;
    arena_init(&own, 4096);
    struct str token = {f->sid.p + 64, strlen(f->sid.p + 64)}; /* laid there by the test */
    long good = 0;
    for (int i = 0; i < 400; i++) {
        struct identity who;
        arena_reset(&own);
        if (token_verify(f->verifier, token, NOW_US, &own, &who) == 0)
            good += str_is(who.name, "Asha") ? 1 : 1000;
    }
    arena_free(&own);
    return (void *)good;
}

static void threads_share_a_verifier(void **state) {
    struct fixture *f = *state;
    struct str token = good_token(f);
    char *both = arena_bytes(&f->arena, 64 + token.len + 1);
    memset(both, 0, 64 + token.len + 1);
    memcpy(both, f->sid.p, f->sid.len);
    memcpy(both + 64, token.p, token.len);
    f->sid.p = both;
    struct str keys = jwks(f, jwk(f, "k1", f->public_key)), none = STR("{\"keys\":[]}");
    pthread_t threads[3];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_many, f), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(token_verifier_keys(f->verifier, i % 2 == 0 ? none : keys), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *good;
        pthread_join(threads[i], &good);
        assert_in_range((long)good, 0, 400);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(good_tokens_name_their_bearer),
        TEST(time_is_kept_with_a_little_patience),
        TEST(headers_may_leave_typ_out),
        TEST(the_longest_name_fits),
        TEST(headers_that_lie),
        TEST(keys_in_the_header_are_not_asked),
        TEST(hmac_with_the_public_key),
        TEST(claims_that_lie),
        TEST(no_byte_may_differ),
        TEST(sizes_are_bounded),
        TEST(a_key_that_leaves_takes_its_tokens_along),
        TEST(bad_key_sets_change_nothing),
        TEST(keys_of_small_order_sign_nothing),
        TEST(ended_sessions_are_void),
        TEST(a_user_who_ends_may_sign_in_again),
        TEST(remembering_changes_no_answer),
        TEST(rhonabwy_agrees),
        TEST(threads_share_a_verifier),
    };
    if (token_library_init() < 0 || r_global_init() != RHN_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    r_global_close();
    return failed;
}
