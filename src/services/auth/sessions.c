/* Sessions: shapes, refresh tokens as text, and the decisions. */
#include "services/auth/sessions.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "events/events.h"
#include "services/auth/internal.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

/* ---- shapes ---- */

#define OF(member) offsetof(struct session, member)
static const struct schema_field session_fields[] = {
    {"id", S_ID, S_OUT, OF(head.id), .hint = "ses"},
    {"version", S_I64, S_OUT, OF(head.version)},
    {"user_id", S_ID, S_STORE, OF(user_id), .hint = "usr"},
    {"family_hash", S_LINE, S_STORE, OF(family_hash)},
    {"current_hash", S_LINE, S_STORE, OF(current_hash)},
    {"generation", S_I64, S_STORE, OF(generation)},
    {"opened_at", S_TIME, S_STORE, OF(opened_us)},
    {"refreshed_at", S_TIME, S_STORE, OF(refreshed_us)},
    {"expires_at", S_TIME, S_STORE, OF(expires_us)},
    {"ended_at", S_TIME, S_STORE, OF(ended_us)},
    {"device", S_STR, S_STORE, OF(device)},
};
static const struct schema session_schema = SCHEMA(struct session, "Session", session_fields);

const struct store_collection sessions_collection = {
    .name = "sessions", .indexes = {"ended_hour", "user"}, .timers = true};

static void session_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    const struct session *s = state;
    ret_keys[0] = s->ended_us > 0 ? ended_hour(a, s->ended_us) : STR_NONE;
    ret_keys[1] = s->ended_us > 0 ? STR_NONE : s->user_id;
}

static int64_t session_wake_at(const void *state) {
    const struct session *s = state;
    return (s->ended_us > 0 ? s->ended_us : s->expires_us) + SESSION_KEPT_US;
}

const struct aggregate session_aggregate = {.collection = &sessions_collection,
                                            .schema = &session_schema,
                                            .keys = session_keys,
                                            .wake_at = session_wake_at};

/* ---- refresh tokens ---- */

#define PARTS_BYTES (FAMILY_BYTES + SECRET_BYTES)

int refresh_token_parse(struct str text, struct refresh_token *ret) {
    unsigned char parts[PARTS_BYTES];
    size_t len, sid_len = strlen("ses_") + ULID_TEXT_LEN;
    if (text.len <= sid_len || text.len > REFRESH_TOKEN_MAX || text.p[sid_len] != '.')
        return ERR_INVALID;
    struct str sid = str_sub(text, 0, sid_len);
    if (!id_valid(sid, "ses") ||
        sodium_base642bin(parts, sizeof(parts), text.p + sid_len + 1, text.len - sid_len - 1, NULL,
                          &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        len != sizeof(parts))
        return ERR_INVALID;
    ret->sid = sid;
    memcpy(ret->family, parts, FAMILY_BYTES);
    memcpy(ret->secret, parts + FAMILY_BYTES, SECRET_BYTES);
    return 0;
}

struct str refresh_token_text(const struct refresh_token *t, struct arena *a) {
    unsigned char parts[PARTS_BYTES];
    char text[sodium_base64_ENCODED_LEN(PARTS_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    memcpy(parts, t->family, FAMILY_BYTES);
    memcpy(parts + FAMILY_BYTES, t->secret, SECRET_BYTES);
    sodium_bin2base64(text, sizeof(text), parts, sizeof(parts),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return arena_printf(a, "%.*s.%s", STR_ARG(t->sid), text);
}

struct str refresh_part_hash(const unsigned char *part, size_t len, struct arena *a) {
    unsigned char digest[32];
    char text[sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    crypto_generichash(digest, sizeof(digest), part, len, NULL, 0);
    sodium_bin2base64(text, sizeof(text), digest, sizeof(digest),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return arena_str(a, str_from(text));
}

/* ---- opening ---- */

static int load_account(struct command *cmd, struct store *store, struct str user_id) {
    const struct auth_service *auth = cmd->service;
    struct session_facts *facts = cmd->facts;
    void *state;
    int err = aggregate_get(&account_aggregate, store, auth->parser, user_id, cmd->arena, &state);
    if (err == 0)
        facts->account = state;
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int open_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct session_args *args = cmd->args;
    cmd->facts = arena_new(cmd->arena, struct session_facts);
    return load_account(cmd, store, args->user_id);
}

static void open_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct auth_service *auth = cmd->service;
    const struct session_args *args = cmd->args;
    const struct session_facts *facts = cmd->facts;
    if (facts->account != NULL && facts->account->disabled) {
        decision_problem(ret, cmd, PROBLEM_ACCOUNT_DISABLED, "this account is disabled");
        return;
    }
    /* The account was changed while the password was being checked; or 80 random bits came twice.
     */
    if (facts->account == NULL || account_voids(facts->account, cmd->id) || state != NULL) {
        decision_problem(ret, cmd, PROBLEM_INVALID_CREDENTIALS,
                         "the account has just been changed; sign in again");
        return;
    }
    struct session *fresh = arena_new(ctx->arena, struct session);
    *fresh = (struct session){.user_id = args->user_id,
                              .family_hash = args->family_hash,
                              .current_hash = args->fresh_hash,
                              .device = args->device,
                              .generation = 1,
                              .opened_us = ctx->now_us,
                              .refreshed_us = ctx->now_us,
                              .expires_us = ctx->now_us + auth->refresh_ttl_us};
    decision_state(ret, cmd, NULL, fresh);
}

const struct command_type session_open = {.name = "session.open",
                                          .aggregate = &session_aggregate,
                                          .load = open_load,
                                          .decide = open_decide};

/* ---- refreshing ---- */

static int refresh_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct auth_service *auth = cmd->service;
    cmd->facts = arena_new(cmd->arena, struct session_facts);
    void *state;
    int err = aggregate_get(&session_aggregate, store, auth->parser, cmd->id, cmd->arena, &state);
    if (err < 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    return load_account(cmd, store, ((const struct session *)state)->user_id);
}

/* An open session of which the sender has held a token. */
static bool is_family(const struct session *s, struct str family_hash, int64_t now_us) {
    return s != NULL && s->ended_us == 0 && now_us < s->expires_us &&
           str_eq_secret(s->family_hash, family_hash);
}

static void end_session(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                        const struct session *old) {
    struct session *next = arena_copy(ctx->arena, old, sizeof(*old));
    next->ended_us = ctx->now_us;
    decision_state(d, cmd, old, next);
    decision_event(d, cmd, ctx, EV_SESSION_ENDED, old->user_id, &ev_session_schema,
                   &(struct ev_session){.user_id = old->user_id, .sid = cmd->id});
}

static void refresh_decide(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct auth_service *auth = cmd->service;
    const struct session_args *args = cmd->args;
    const struct account *account = ((const struct session_facts *)cmd->facts)->account;
    const struct session *old = state;
    bool family = is_family(old, args->family_hash, ctx->now_us);
    bool spent = family && !str_eq_secret(old->current_hash, args->secret_hash);
    if (spent)
        end_session(ret, cmd, ctx, old);
    if (!family || spent || account == NULL || account->disabled ||
        account_voids(account, cmd->id)) {
        decision_problem(ret, cmd, PROBLEM_INVALID_REFRESH, "sign in again");
        return;
    }
    struct session *next = arena_copy(ctx->arena, old, sizeof(*old));
    next->current_hash = args->fresh_hash;
    next->generation++;
    next->refreshed_us = ctx->now_us;
    next->expires_us = ctx->now_us + auth->refresh_ttl_us;
    if (args->device.p != NULL)
        next->device = args->device;
    decision_state(ret, cmd, old, next);
}

static void session_applied(const struct command *cmd, const struct decision *d,
                            const void *state) {
    struct auth_service *auth = cmd->service;
    const struct session *s = state;
    if (d->state == NULL || s->ended_us == 0)
        return;
    auth_revoke(auth, cmd->id, STR_NONE, s->ended_us);
    auth->reuses += cmd->type == &session_refresh;
}

const struct command_type session_refresh = {.name = "session.refresh",
                                             .aggregate = &session_aggregate,
                                             .load = refresh_load,
                                             .decide = refresh_decide,
                                             .applied = session_applied};

/* ---- ending, forgetting ---- */

/* Any token of the family will do, spent or not: to end it harms nobody but who holds it. */
static void end_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct session_args *args = cmd->args;
    if (is_family(state, args->family_hash, ctx->now_us))
        end_session(ret, cmd, ctx, state);
}

const struct command_type session_end = {.name = "session.end",
                                         .aggregate = &session_aggregate,
                                         .decide = end_decide,
                                         .applied = session_applied};

/* Of somebody else's session nobody learns whether there is one. One that has ended stays so. */
static void revoke_decide(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct session *old = state;
    if (old == NULL || !str_eq(old->user_id, cmd->who.user_id))
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "you have no such session");
    else if (old->ended_us == 0 && ctx->now_us < old->expires_us)
        end_session(ret, cmd, ctx, old);
}

const struct command_type session_revoke = {.name = "session.revoke",
                                            .aggregate = &session_aggregate,
                                            .decide = revoke_decide,
                                            .applied = session_applied};

static void forget_decide(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    (void)cmd;
    ret->remove = state != NULL && ctx->now_us >= session_wake_at(state);
}

const struct command_type session_forget = {
    .name = "session.forget", .aggregate = &session_aggregate, .decide = forget_decide};
