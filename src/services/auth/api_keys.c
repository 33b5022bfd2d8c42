/* API keys: shapes, decisions, and who a key is. */
#include "services/auth/api_keys.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "runtime/audit.h"
#include "services/auth/factor.h"
#include "services/auth/flow.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

/* ---- shapes ---- */

#define OF(member) offsetof(struct api_key, member)
#define SHOWN (S_OUT | S_STORE)
static const struct schema_field key_fields[] = {
    {"id", S_ID, S_OUT, OF(head.id), .hint = "apk"},
    {"version", S_I64, S_OUT, OF(head.version)},
    {"user_id", S_ID, S_STORE, OF(user_id), .hint = "usr"},
    {"name", S_LINE, SHOWN, OF(name)},
    {"begins", S_LINE, SHOWN, OF(begins)},
    {"hash", S_LINE, S_STORE, OF(hash)},
    {"scopes", S_STR_LIST, SHOWN, OF(scopes), .count_offset = OF(scope_count)},
    {"created_at", S_TIME, SHOWN, OF(created_us)},
    {"expires_at", S_TIME, SHOWN, OF(expires_us)},
    {"last_used_at", S_TIME, SHOWN | S_NULL, OF(last_used_us)},
};
static const struct schema key_schema = SCHEMA(struct api_key, "ApiKey", key_fields);

const struct store_collection api_keys_collection = {
    .name = "api_keys", .indexes = {"user"}, .timers = true};

static void key_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    (void)a;
    ret_keys[0] = ((const struct api_key *)state)->user_id;
}

static int64_t key_wake_at(const void *state) {
    return ((const struct api_key *)state)->expires_us;
}

const struct aggregate api_key_aggregate = {.collection = &api_keys_collection,
                                            .schema = &key_schema,
                                            .keys = key_keys,
                                            .wake_at = key_wake_at};

#undef OF
#define OF(member) offsetof(struct api_key_body, member)
static const struct schema_field body_fields[] = {
    {"name", S_LINE, S_IN | S_REQUIRED, OF(name), .min = 1, .max = API_KEY_NAME_MAX},
    {"scopes", S_STR_LIST, S_IN | S_REQUIRED, OF(scopes), .count_offset = OF(scope_count), .min = 1,
     .max = (int64_t)SCOPE_NAMES_MAX},
    {"expires_in_days", S_I64, S_IN, OF(expires_in_days), .min = 1, .max = API_KEY_DAYS_MAX},
};
const struct schema api_key_body_schema =
    STRICT_SCHEMA(struct api_key_body, "ApiKeyRequest", body_fields);

void api_key_check(struct call *c, const void *body, struct field_errors *errors) {
    const struct api_key_body *b = body;
    for (int32_t i = 0; i < b->scope_count; i++) {
        uint32_t bit = scope_of(b->scopes[i]);
        if (bit == 0 || (bit & SCOPES_ACCOUNT) != 0)
            field_errors_add(errors, &c->arena, arena_printf(&c->arena, "/scopes/%d", (int)i),
                             "is no scope of a key, such as bookings:read");
    }
}

/* ---- making ---- */

struct make_args {
    struct api_key key; /* head unset */
    struct str secret;  /* base64url */
};
struct make_facts {
    bool full;
};

static int make_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct make_args *args = cmd->args;
    struct make_facts *facts = arena_new(cmd->arena, struct make_facts);
    struct store_query q = {.collection = &api_keys_collection,
                            .index = api_keys_collection.indexes[0],
                            .key = args->key.user_id,
                            .limit = API_KEYS_MAX};
    struct store_doc *docs;
    int32_t count = 0;
    int err = store->ops->list(store, &q, cmd->arena, &docs, &count);
    facts->full = count >= API_KEYS_MAX;
    cmd->facts = facts;
    return err;
}

static void write_key(struct jw *w, const struct api_key *key) {
    schema_write_fields(&key_schema, key, S_OUT, w);
}

static void make_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct make_args *args = cmd->args;
    const struct make_facts *facts = cmd->facts;
    if (state != NULL || facts->full) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_KEYS, "revoke some first: %d at most",
                         API_KEYS_MAX);
        return;
    }
    struct api_key *fresh = arena_copy(ctx->arena, &args->key, sizeof(args->key));
    fresh->created_us = ctx->now_us;
    fresh->expires_us += ctx->now_us;
    decision_state(ret, cmd, NULL, fresh);
    decision_audit(ret, cmd, ctx, "api_key.made", NULL, fresh, NULL);
    struct buf out;
    struct jw w;
    buf_init(&out, cmd->arena, 512);
    jw_init(&w, &out);
    jw_object(&w);
    write_key(&w, fresh);
    jw_kv_str(&w, "key",
              arena_printf(cmd->arena, API_KEY_START "%.*s_%.*s",
                           STR_ARG(str_sub(cmd->id, strlen("apk_"), ULID_TEXT_LEN)),
                           STR_ARG(args->secret)));
    jw_end(&w);
    decision_json(ret, 201, buf_str(&out));
    response_header(&ret->response, "Cache-Control", STR("no-store"));
}

const struct command_type api_key_make = {.name = "api_key.make",
                                          .aggregate = &api_key_aggregate,
                                          .load = make_load,
                                          .decide = make_decide};

static struct str hash_of(struct str secret, struct arena *a) {
    return refresh_part_hash((const unsigned char *)secret.p, secret.len, a);
}

void handle_api_key_make(struct call *c) {
    struct auth_service *auth = c->service;
    const struct api_key_body *body = c->body;
    struct make_args *args = arena_new(&c->arena, struct make_args);
    unsigned char bytes[API_KEY_SECRET_BYTES];
    char text[sodium_base64_ENCODED_LEN(API_KEY_SECRET_BYTES,
                                        sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    struct str id = id_new(&c->arena, "apk", c->now_us, c->worker->rng);
    int64_t days =
        body->expires_in_days != I64_ABSENT ? body->expires_in_days : API_KEY_DAYS_DEFAULT;
    auth->entropy->fill(auth->entropy, bytes, sizeof(bytes));
    sodium_bin2base64(text, sizeof(text), bytes, sizeof(bytes),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    args->secret = arena_str(&c->arena, str_from(text));
    args->key = (struct api_key){
        .user_id = c->who.user_id,
        .name = body->name,
        .begins = arena_printf(&c->arena, API_KEY_START "%.*s",
                               STR_ARG(str_sub(id, strlen("apk_"), ULID_TEXT_LEN))),
        .hash = hash_of(args->secret, &c->arena),
        .scopes = body->scopes,
        .scope_count = body->scope_count,
        .expires_us = days * US_PER_DAY};
    call_command(c, &api_key_make, id, args);
}

/* ---- revoking, using, forgetting ---- */

/* An admin may revoke anybody's. Somebody else's is not there for all others. */
static void revoke_decide(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct api_key *old = state;
    if (old == NULL || (!str_eq(old->user_id, cmd->who.user_id) && cmd->who.role != ROLE_ADMIN)) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such key");
        return;
    }
    ret->remove = true;
    decision_audit(ret, cmd, ctx, "api_key.revoked", old, NULL, NULL);
}

const struct command_type api_key_revoke = {
    .name = "api_key.revoke", .aggregate = &api_key_aggregate, .decide = revoke_decide};

static void used_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct api_key *old = state;
    if (old == NULL || ctx->now_us - old->last_used_us < API_KEY_USED_US)
        return;
    struct api_key *next = arena_copy(ctx->arena, old, sizeof(*old));
    next->last_used_us = ctx->now_us;
    decision_state(ret, cmd, old, next);
}

const struct command_type api_key_used = {
    .name = "api_key.used", .aggregate = &api_key_aggregate, .decide = used_decide};

static void forget_decide(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    (void)cmd;
    ret->remove = state != NULL && ctx->now_us >= key_wake_at(state);
}

const struct command_type api_key_forget = {
    .name = "api_key.forget", .aggregate = &api_key_aggregate, .decide = forget_decide};

void handle_api_key_revoke(struct call *c) {
    if (!id_valid(c->params[0], "apk")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such key");
        return;
    }
    call_command(c, &api_key_revoke, c->params[0], NULL);
}

static void write_item(struct page *p, const void *state, const void *arg) {
    (void)arg;
    jw_object(&p->w);
    write_key(&p->w, state);
    jw_end(&p->w);
}

void handle_api_keys(struct call *c) {
    struct page p;
    if (page_list(&p, c, &api_key_aggregate, 0, c->who.user_id, write_item, NULL))
        page_reply(&p, p.more, p.last_id);
}

/* ---- who a key is ---- */

/* "lry_<ULID>_<secret>" in its parts. False: it is not one. */
static bool split(struct str text, struct arena *a, struct str *ret_id, struct str *ret_secret) {
    size_t head = strlen(API_KEY_START) + ULID_TEXT_LEN;
    if (text.len <= head + 1 || text.len > 128 || text.p[head] != '_')
        return false;
    *ret_id =
        arena_printf(a, "apk_%.*s", STR_ARG(str_sub(text, strlen(API_KEY_START), ULID_TEXT_LEN)));
    *ret_secret = str_sub(text, head + 1, text.len - head - 1);
    return id_valid(*ret_id, "apk");
}

static int read_one(const struct call *c, const struct aggregate *g, struct str id, struct arena *a,
                    void **ret) {
    int err = aggregate_get(g, c->worker->reader, c->worker->parser, id, a, ret);
    return err == ERR_NOT_FOUND ? ERR_DENIED : err;
}

int auth_service_api_key(void *self, struct call *c, struct str text, struct identity *ret_who) {
    struct auth_service *auth = self;
    struct str id, secret;
    void *state;
    if (!split(text, &c->arena, &id, &secret))
        return ERR_DENIED;
    int err = read_one(c, &api_key_aggregate, id, &c->arena, &state);
    if (err < 0)
        return err;
    const struct api_key *key = state;
    if (!str_eq_secret(key->hash, hash_of(secret, &c->arena)) || c->now_us >= key->expires_us)
        return ERR_DENIED;
    err = read_one(c, &account_aggregate, key->user_id, &c->arena, &state);
    if (err < 0)
        return err;
    const struct account *account = state;
    *ret_who = (struct identity){.user_id = key->user_id,
                                 .name = account->name,
                                 .sid = id,
                                 .role = (enum role)account->role,
                                 .expires_us = key->expires_us};
    for (int32_t i = 0; i < key->scope_count; i++)
        ret_who->scopes |= scope_of(key->scopes[i]);
    if (account->disabled || factor_missing(auth, account) || ret_who->scopes == 0)
        return ERR_DENIED;
    auth->key_uses++;
    if (c->now_us - key->last_used_us >= API_KEY_USED_US)
        detached_submit(c, detached_new(auth, &api_key_used, id));
    return 0;
}
