/* The verifier of access tokens.
 *
 * A token is checked in the order in which lies are cheapest to find: its size, its three base64url
 * parts (canonical: no padding, no stray bits), its header (exactly alg, kid and perhaps typ; alg
 * is EdDSA and nothing else, so the token never chooses the algorithm), the key of that kid, the
 * Ed25519 signature, and only then the claims. Any doubt is ERR_DENIED; why is nobody's business.
 *
 * What was found good is remembered in a table of buckets of TOKEN_WAYS entries. A token finds its
 * bucket by its hash and is compared in full; in a full bucket the entry that expires first makes
 * room. Only verified tokens get in, so a stranger cannot push others out. Entries whose key has
 * since left the key set are void (`generation`). A hit takes one of TOKEN_SHARDS mutexes over the
 * buckets; only a miss takes those over the parser and the keys.
 *
 * An entry owns one heap block with the token and its strings; who asks gets copies in his arena.
 */
#include "runtime/token.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "runtime/signature.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_WAYS 4
#define TOKEN_BUCKETS (TOKEN_CACHE_MAX / TOKEN_WAYS)
#define TOKEN_SHARDS 64
#define TOKEN_HEADER_BYTES_MAX 256
#define TOKEN_KID_MAX 64
#define TOKEN_NAME_MAX 512
#define TOKEN_TIME_MAX_S (INT64_C(1) << 40) /* far beyond any clock, far from overflow in µs */

struct token_key {
    char kid[TOKEN_KID_MAX];
    size_t kid_len;
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
};
struct key_set {
    struct token_key keys[TOKEN_KEYS_MAX];
    int32_t count;
};

/* What the claims say. */
struct grant {
    struct identity who; /* strings in the parsed claims, or in an entry's bytes */
    int64_t not_before_us;
    uint32_t generation; /* of the key set that vouched for it */
};

struct remembered {
    uint64_t hash;
    struct grant grant;
    size_t token_len, strings_len;
    char bytes[]; /* the token, then user_id, sid and name */
};

struct token_verifier {
    char *issuer;
    struct cache *revoked; /* may be NULL */
    pthread_mutex_t parser_lock;
    struct json_parser *parser;
    pthread_rwlock_t keys_lock;
    struct key_set keys;
    _Atomic uint32_t generation; /* + 1 when a key leaves the set */
    pthread_mutex_t locks[TOKEN_SHARDS];
    struct remembered *slots[TOKEN_CACHE_MAX];
};

int token_library_init(void) {
    return sodium_init() < 0 ? ERR_UNAVAILABLE : 0;
}

struct token_verifier *token_verifier_new(const char *issuer, struct cache *revoked) {
    struct token_verifier *v = xcalloc(1, sizeof(*v));
    size_t issuer_size = strlen(issuer) + 1;
    v->issuer = xmalloc(issuer_size);
    memcpy(v->issuer, issuer, issuer_size);
    v->revoked = revoked;
    pthread_mutex_init(&v->parser_lock, NULL);
    v->parser = json_parser_new();
    pthread_rwlock_init(&v->keys_lock, NULL);
    for (int i = 0; i < TOKEN_SHARDS; i++)
        pthread_mutex_init(&v->locks[i], NULL);
    return v;
}

struct token_verifier *token_verifier_free(struct token_verifier *v) {
    if (v == NULL)
        return NULL;
    for (size_t i = 0; i < TOKEN_CACHE_MAX; i++)
        free(v->slots[i]);
    for (int i = 0; i < TOKEN_SHARDS; i++)
        pthread_mutex_destroy(&v->locks[i]);
    pthread_rwlock_destroy(&v->keys_lock);
    pthread_mutex_destroy(&v->parser_lock);
    json_parser_free(v->parser);
    free(v->issuer);
    free(v);
    return NULL;
}

/* ---- JSON and base64url ---- */

struct member {
    const char *name;
    bool present;
    struct json_value value;
};

/* Fills in the members of OBJECT that are named. False: it is no object or has one of them twice;
 * or, CLOSED, it has others. */
static bool read_members(struct json_value object, bool closed, struct member *members, size_t n) {
    if (json_kind(object) != JSON_IS_OBJECT)
        return false;
    for (struct json_iter it = json_iter(object); json_next(&it);) {
        size_t i = 0;
        while (i < n && !str_is(it.key, members[i].name))
            i++;
        if (i == n && !closed)
            continue;
        if (i == n || members[i].present)
            return false;
        members[i].present = true;
        members[i].value = it.value;
    }
    return true;
}

/* A member's string, or STR_NONE. */
static struct str text_of(const struct member *m) {
    return m->present && json_kind(m->value) == JSON_IS_STRING ? json_text(m->value) : STR_NONE;
}

/* Decodes all of B64 into OUT. False: not canonical base64url, or longer than MAX bytes. */
static bool unbase64(struct str b64, unsigned char *out, size_t max, size_t *ret_len) {
    return b64.len > 0 && sodium_base642bin(out, max, b64.p, b64.len, NULL, ret_len, NULL,
                                            sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

/* ---- keys ---- */

static bool read_key(struct json_value jwk, struct token_key *ret_key) {
    enum { KTY, CRV, KID, X, COUNT };
    struct member m[COUNT] = {[KTY] = {"kty"}, [CRV] = {"crv"}, [KID] = {"kid"}, [X] = {"x"}};
    size_t len;
    if (!read_members(jwk, false, m, COUNT) || !str_is(text_of(&m[KTY]), "OKP") ||
        !str_is(text_of(&m[CRV]), "Ed25519") ||
        !unbase64(text_of(&m[X]), ret_key->public_key, sizeof(ret_key->public_key), &len) ||
        len != sizeof(ret_key->public_key))
        return false;
    struct str kid = text_of(&m[KID]);
    if (kid.len == 0 || kid.len > TOKEN_KID_MAX)
        return false;
    memcpy(ret_key->kid, kid.p, kid.len);
    ret_key->kid_len = kid.len;
    return true;
}

static bool read_keys(struct json_parser *p, struct str jwks, struct key_set *ret_set) {
    struct json_value root;
    struct member list = {"keys"};
    if (json_parse(p, jwks, &root) < 0 || !read_members(root, false, &list, 1) || !list.present ||
        json_kind(list.value) != JSON_IS_ARRAY)
        return false;
    for (struct json_iter it = json_iter(list.value); json_next(&it);) {
        if (ret_set->count == TOKEN_KEYS_MAX ||
            !read_key(it.value, &ret_set->keys[ret_set->count++]))
            return false;
    }
    return true;
}

static const struct token_key *find_key(const struct key_set *set, struct str kid) {
    for (int32_t i = 0; i < set->count; i++) {
        if (str_eq(kid, (struct str){set->keys[i].kid, set->keys[i].kid_len}))
            return &set->keys[i];
    }
    return NULL;
}

int jwks_find(struct json_parser *p, struct str jwks, struct str kid, struct arena *a,
              struct str *ret_public_b64) {
    struct key_set set = {0};
    if (!read_keys(p, jwks, &set))
        return ERR_INVALID;
    const struct token_key *key = find_key(&set, kid);
    if (key == NULL)
        return ERR_NOT_FOUND;
    size_t size = sodium_base64_encoded_len(sizeof(key->public_key),
                                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *text = arena_bytes(a, size);
    sodium_bin2base64(text, size, key->public_key, sizeof(key->public_key),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    *ret_public_b64 = (struct str){text, size - 1};
    return 0;
}

/* Is every key of BEFORE still in AFTER, unchanged? */
static bool keeps_all(const struct key_set *after, const struct key_set *before) {
    for (int32_t i = 0; i < before->count; i++) {
        const struct token_key *old = &before->keys[i];
        const struct token_key *now = find_key(after, (struct str){old->kid, old->kid_len});
        if (now == NULL || memcmp(now->public_key, old->public_key, sizeof(old->public_key)) != 0)
            return false;
    }
    return true;
}

int token_verifier_keys(struct token_verifier *v, struct str jwks_json) {
    struct key_set set = {0};
    pthread_mutex_lock(&v->parser_lock);
    bool good = read_keys(v->parser, jwks_json, &set);
    pthread_mutex_unlock(&v->parser_lock);
    if (!good)
        return ERR_INVALID;
    pthread_rwlock_wrlock(&v->keys_lock);
    if (!keeps_all(&set, &v->keys))
        v->generation++;
    v->keys = set;
    pthread_rwlock_unlock(&v->keys_lock);
    return 0;
}

/* ---- a token that is not remembered ---- */

struct parts {
    struct str header, payload, signature, signed_text; /* base64url, as they came */
};

static bool split(struct str token, struct parts *ret) {
    const char *first = memchr(token.p, '.', token.len);
    if (first == NULL)
        return false;
    size_t header = (size_t)(first - token.p), rest = token.len - header - 1;
    const char *second = memchr(first + 1, '.', rest);
    if (second == NULL)
        return false;
    size_t payload = (size_t)(second - first) - 1;
    *ret = (struct parts){.header = {token.p, header},
                          .payload = {first + 1, payload},
                          .signature = {second + 1, rest - payload - 1},
                          .signed_text = {token.p, header + 1 + payload}};
    return true; /* a third dot is no base64url and falls there */
}

/* Finds the key that a header names. Copies it, so that no lock is held over the arithmetic. */
static bool header_key(struct token_verifier *v, struct json_value header,
                       struct token_key *ret_key, uint32_t *ret_generation) {
    enum { ALG, KID, TYP, COUNT };
    struct member m[COUNT] = {[ALG] = {"alg"}, [KID] = {"kid"}, [TYP] = {"typ"}};
    /* Nothing but these members: no crit, no jwk, no jku, whatever they would ask for. */
    if (!read_members(header, true, m, COUNT) || !str_is(text_of(&m[ALG]), "EdDSA") ||
        (m[TYP].present && !str_eq_nocase(text_of(&m[TYP]), "JWT")))
        return false;
    pthread_rwlock_rdlock(&v->keys_lock);
    const struct token_key *key = find_key(&v->keys, text_of(&m[KID]));
    if (key != NULL)
        *ret_key = *key;
    *ret_generation = v->generation;
    pthread_rwlock_unlock(&v->keys_lock);
    return key != NULL;
}

static bool claim_time(const struct member *m, int64_t *ret_us) {
    int64_t s;
    if (!m->present || json_i64(m->value, &s) < 0 || s <= 0 || s > TOKEN_TIME_MAX_S)
        return false;
    *ret_us = s * US_PER_S;
    return true;
}

static enum role role_of(struct str name) {
    for (int r = ROLE_NONE + 1; r < ROLE_COUNT; r++) {
        if (str_is(name, role_names[r]))
            return (enum role)r;
    }
    return ROLE_NONE;
}

/* *RET's strings live in the parser's document. */
static bool read_claims(const struct token_verifier *v, struct json_value claims,
                        struct grant *ret) {
    enum { ISS, AUD, SUB, SID, NAME, ROLE, SCP, IAT, NBF, EXP, COUNT };
    struct member m[COUNT] = {
        [ISS] = {"iss"},   [AUD] = {"aud"}, [SUB] = {"sub"}, [SID] = {"sid"}, [NAME] = {"name"},
        [ROLE] = {"role"}, [SCP] = {"scp"}, [IAT] = {"iat"}, [NBF] = {"nbf"}, [EXP] = {"exp"}};
    struct identity *who = &ret->who;
    int64_t issued_us, not_before_us = 0;
    if (!read_members(claims, false, m, COUNT) || !str_is(text_of(&m[ISS]), v->issuer) ||
        !str_is(text_of(&m[AUD]), TOKEN_AUDIENCE))
        return false;
    who->user_id = text_of(&m[SUB]);
    who->sid = text_of(&m[SID]);
    who->name = text_of(&m[NAME]);
    who->role = role_of(text_of(&m[ROLE]));
    if (who->role == ROLE_NONE || !id_valid(who->user_id, "usr") || !id_valid(who->sid, "ses") ||
        who->name.len > TOKEN_NAME_MAX)
        return false;
    if (m[SCP].present && !str_is(text_of(&m[SCP]), TOKEN_RESTRICTED))
        return false; /* what it may do is not known */
    who->scopes = m[SCP].present ? SCOPES_ACCOUNT : 0;
    if (!claim_time(&m[IAT], &issued_us) || !claim_time(&m[EXP], &who->expires_us) ||
        who->expires_us <= issued_us || (m[NBF].present && !claim_time(&m[NBF], &not_before_us)))
        return false;
    ret->not_before_us = not_before_us > issued_us ? not_before_us : issued_us;
    return true;
}

static bool in_force(const struct grant *g, int64_t now_us) {
    return now_us < g->who.expires_us + TOKEN_SKEW_US && now_us + TOKEN_SKEW_US >= g->not_before_us;
}

static void copy_strings(struct identity *who, char *to) {
    struct str *strings[] = {&who->user_id, &who->sid, &who->name};
    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        if (strings[i]->len > 0)
            memcpy(to, strings[i]->p, strings[i]->len);
        strings[i]->p = to;
        to += strings[i]->len;
    }
}

static size_t strings_len(const struct identity *who) {
    return who->user_id.len + who->sid.len + who->name.len;
}

/* The two readings of JSON, each while it holds the one parser. */
static bool examine_header(struct token_verifier *v, struct str b64, struct token_key *ret_key,
                           uint32_t *ret_generation) {
    char text[TOKEN_HEADER_BYTES_MAX];
    size_t len;
    struct json_value root;
    if (!unbase64(b64, (unsigned char *)text, sizeof(text), &len))
        return false;
    pthread_mutex_lock(&v->parser_lock);
    bool good = json_parse(v->parser, (struct str){text, len}, &root) == 0 &&
                header_key(v, root, ret_key, ret_generation);
    pthread_mutex_unlock(&v->parser_lock);
    return good;
}

static bool examine_claims(struct token_verifier *v, struct str b64, struct arena *a,
                           struct grant *ret) {
    char text[TOKEN_BYTES_MAX];
    size_t len;
    struct json_value root;
    if (!unbase64(b64, (unsigned char *)text, sizeof(text), &len))
        return false;
    pthread_mutex_lock(&v->parser_lock);
    bool good =
        json_parse(v->parser, (struct str){text, len}, &root) == 0 && read_claims(v, root, ret);
    if (good)
        copy_strings(&ret->who, arena_bytes(a, strings_len(&ret->who)));
    pthread_mutex_unlock(&v->parser_lock);
    return good;
}

/* Everything about TOKEN from the start. *RET's strings are in A. */
static bool examine(struct token_verifier *v, struct str token, int64_t now_us, struct arena *a,
                    struct grant *ret) {
    struct parts parts;
    struct token_key key;
    unsigned char signature[crypto_sign_BYTES];
    size_t len;
    if (!split(token, &parts) || !examine_header(v, parts.header, &key, &ret->generation) ||
        !unbase64(parts.signature, signature, sizeof(signature), &len) || len != sizeof(signature))
        return false;
    const unsigned char *text = (const unsigned char *)parts.signed_text.p;
    return crypto_sign_verify_detached(signature, text, parts.signed_text.len, key.public_key) ==
               0 &&
           examine_claims(v, parts.payload, a, ret) && in_force(ret, now_us);
}

/* ---- remembered tokens ---- */

static uint64_t bucket_of(uint64_t hash) {
    return hash % TOKEN_BUCKETS;
}

static bool recall(struct token_verifier *v, struct str token, uint64_t hash, int64_t now_us,
                   struct arena *a, struct grant *ret) {
    uint64_t bucket = bucket_of(hash);
    pthread_mutex_t *lock = &v->locks[bucket % TOKEN_SHARDS];
    bool found = false;
    pthread_mutex_lock(lock);
    for (uint64_t i = bucket * TOKEN_WAYS; !found && i < (bucket + 1) * TOKEN_WAYS; i++) {
        const struct remembered *r = v->slots[i];
        found = r != NULL && r->hash == hash && r->grant.generation == v->generation &&
                str_eq(token, (struct str){r->bytes, r->token_len}) && in_force(&r->grant, now_us);
        if (found) {
            *ret = r->grant;
            copy_strings(&ret->who, arena_bytes(a, r->strings_len));
        }
    }
    pthread_mutex_unlock(lock);
    return found;
}

/* When an entry's place may be had: sooner for those that are of no use any more. */
static int64_t worth(const struct token_verifier *v, const struct remembered *r) {
    if (r == NULL)
        return INT64_MIN;
    return r->grant.generation == v->generation ? r->grant.who.expires_us : INT64_MIN + 1;
}

static void remember(struct token_verifier *v, struct str token, uint64_t hash,
                     const struct grant *g) {
    size_t strings = strings_len(&g->who);
    struct remembered *fresh = xmalloc(sizeof(*fresh) + token.len + strings);
    *fresh = (struct remembered){
        .hash = hash, .grant = *g, .token_len = token.len, .strings_len = strings};
    memcpy(fresh->bytes, token.p, token.len);
    copy_strings(&fresh->grant.who, fresh->bytes + token.len);
    uint64_t bucket = bucket_of(hash), least = bucket * TOKEN_WAYS;
    pthread_mutex_t *lock = &v->locks[bucket % TOKEN_SHARDS];
    pthread_mutex_lock(lock);
    for (uint64_t i = least + 1; i < (bucket + 1) * TOKEN_WAYS; i++) {
        if (worth(v, v->slots[i]) < worth(v, v->slots[least]))
            least = i;
    }
    struct remembered *gone = v->slots[least];
    v->slots[least] = fresh;
    pthread_mutex_unlock(lock);
    free(gone);
}

/* ---- ended sessions ---- */

#define REVOKED_KEY_MAX (8 + ID_TEXT_MAX)

static struct str key_of(const char kind[8], struct str id, char out[REVOKED_KEY_MAX]) {
    CHECK(id.len < ID_TEXT_MAX);
    memcpy(out, kind, 8);
    memcpy(out + 8, id.p, id.len);
    return (struct str){out, 8 + id.len};
}

static struct str revoked_key(struct str id, char out[REVOKED_KEY_MAX]) {
    return key_of("revoked:", id, out);
}

static struct str spared_key(struct str id, char out[REVOKED_KEY_MAX]) {
    return key_of("spared::", id, out);
}

/* A cache that cannot answer revokes nothing: tokens are short, and a cache may be lost anyway. */
bool token_ended(const struct token_verifier *v, const struct identity *who, int64_t now_us) {
    char key[REVOKED_KEY_MAX];
    int64_t at_us, spared_us;
    struct cache *c = v->revoked;
    if (c == NULL)
        return false;
    if (c->ops->get(c, revoked_key(who->sid, key), now_us, &at_us) == 0)
        return true;
    if (c->ops->get(c, revoked_key(who->user_id, key), now_us, &at_us) < 0 ||
        id_time_us(who->sid) > at_us)
        return false;
    return c->ops->get(c, spared_key(who->sid, key), now_us, &spared_us) < 0 || spared_us < at_us;
}

/* The word of an event that was late must not take back a newer one. */
static void set_later(struct cache *c, struct str name, int64_t ttl_us, int64_t now_us) {
    int64_t before_us;
    if (c->ops->get(c, name, now_us, &before_us) == 0 && before_us >= now_us)
        return;
    c->ops->set(c, name, now_us, ttl_us, now_us);
}

void token_revoke(struct token_verifier *v, struct str sid_or_user, int64_t ttl_us,
                  int64_t now_us) {
    char key[REVOKED_KEY_MAX];
    if (v->revoked != NULL && ttl_us > 0 && id_valid(sid_or_user, NULL))
        set_later(v->revoked, revoked_key(sid_or_user, key), ttl_us, now_us);
}

void token_spare(struct token_verifier *v, struct str sid, int64_t ttl_us, int64_t now_us) {
    char key[REVOKED_KEY_MAX];
    if (v->revoked != NULL && ttl_us > 0 && id_valid(sid, NULL))
        set_later(v->revoked, spared_key(sid, key), ttl_us, now_us);
}

/* ---- */

int token_verify(struct token_verifier *v, struct str token, int64_t now_us, struct arena *a,
                 struct identity *ret_who) {
    struct grant g;
    if (token.len == 0 || token.len > TOKEN_BYTES_MAX)
        return ERR_DENIED;
    uint64_t hash = str_hash(token, 0);
    if (!recall(v, token, hash, now_us, a, &g)) {
        if (!examine(v, token, now_us, a, &g))
            return ERR_DENIED;
        remember(v, token, hash, &g);
    }
    if (token_ended(v, &g.who, now_us))
        return ERR_DENIED;
    *ret_who = g.who;
    return 0;
}
