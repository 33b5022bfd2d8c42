/* Proofs of an address: the decisions. */
#include "services/auth/proofs.h"

#include "base/timestamp.h"
#include "events/events.h"

#include <sodium.h>
#include <string.h>

static const struct {
    const char *template, *page;
    int64_t lasts_us;
} kinds[] = {[PROOF_VERIFY] = {"verify_email", "verify-email", PROOF_VERIFY_US},
             [PROOF_RESET] = {"reset_password", "reset-password", PROOF_RESET_US},
             [PROOF_EMAIL] = {"verify_email", "verify-email", PROOF_EMAIL_US}};

static const char *language_end(struct str s) {
    return s.len >= 2 ? s.p + 2 : s.p + s.len;
}

struct fresh_proof proof_draw(struct auth_service *auth, struct call *c, struct str user_id) {
    unsigned char secret[PROOF_SECRET_BYTES];
    char text[sodium_base64_ENCODED_LEN(PROOF_SECRET_BYTES,
                                        sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    struct str spoken = call_header(c, "accept-language"); /* "sv-SE,sv;q=0.9": its first two */
    auth->entropy->fill(auth->entropy, secret, sizeof(secret));
    sodium_bin2base64(text, sizeof(text), secret, sizeof(secret),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    struct fresh_proof fresh = {
        .hash = refresh_part_hash((const unsigned char *)text, strlen(text), &c->arena),
        .token =
            arena_printf(&c->arena, "%.*s.%s", STR_ARG(str_sub(user_id, 4, ULID_TEXT_LEN)), text)};
    bool letters = spoken.len >= 2;
    for (const char *p = spoken.p; letters && p < language_end(spoken); p++)
        letters = *p >= 'a' && *p <= 'z';
    if (letters)
        fresh.language = arena_str(&c->arena, str_sub(spoken, 0, 2));
    return fresh;
}

static void drop(struct account *next, unsigned which, struct arena *a) {
    struct account_proof *left = arena_array(a, struct account_proof, next->proof_count + 1);
    int32_t count = 0;
    for (int32_t i = 0; i < next->proof_count; i++) {
        if ((which & 1u << next->proofs[i].kind) == 0)
            left[count++] = next->proofs[i];
    }
    next->proofs = left;
    next->proof_count = count;
}

void proof_begin(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                 struct account *next, enum proof_kind kind, const struct fresh_proof *fresh,
                 struct str to) {
    const struct auth_service *auth = cmd->service;
    int64_t expires_us = ctx->now_us + kinds[kind].lasts_us;
    drop(next, 1u << kind, ctx->arena); /* leaves room for one */
    next->proofs[next->proof_count++] = (struct account_proof){
        .kind = (int32_t)kind,
        .hash = fresh->hash,
        .email = kind == PROOF_EMAIL ? to : STR_NONE,
        .expires_us = expires_us,
    };
    struct ev_mail mail = {.user_id = cmd->id,
                           .to = to,
                           .template = str_from(kinds[kind].template),
                           .language = fresh->language,
                           .name = next->name,
                           .code = fresh->token,
                           .expires_at_us = expires_us};
    if (auth->public_url.len > 0)
        mail.link = arena_printf(ctx->arena, "%.*s/%s?token=%.*s", STR_ARG(auth->public_url),
                                 kinds[kind].page, STR_ARG(fresh->token));
    decision_event(d, cmd, ctx, EV_MAIL_WANTED, cmd->id, &ev_mail_schema, &mail);
}

void proof_tell(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                const struct account *account, const char *template, struct str to) {
    const struct auth_service *auth = cmd->service;
    struct ev_mail mail = {
        .user_id = cmd->id, .to = to, .template = str_from(template), .name = account->name};
    if (auth->sends_mail)
        decision_event(d, cmd, ctx, EV_MAIL_WANTED, cmd->id, &ev_mail_schema, &mail);
}

const struct account_proof *proof_find(const struct account *account, unsigned which,
                                       struct str hash, int64_t now_us) {
    for (int32_t i = 0; i < account->proof_count; i++) {
        const struct account_proof *p = &account->proofs[i];
        if ((which & 1u << p->kind) != 0 && str_eq_secret(p->hash, hash) && now_us < p->expires_us)
            return p;
    }
    return NULL;
}

static bool exists(const struct command *cmd, const struct account *account, struct decision *ret) {
    if (account == NULL || account->disabled)
        decision_problem(ret, cmd, PROBLEM_NOT_CONFIRMED, "this is not valid any more");
    return account != NULL && !account->disabled;
}

/* ---- asking for one ---- */

static void begin_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct proof_args *args = cmd->args;
    const struct account *old = state;
    bool again = old != NULL && args->kind == PROOF_VERIFY && old->email_verified;
    if (old == NULL || old->disabled || again)
        return; /* nothing to say: whoever waits must not learn why */
    struct account *next = arena_copy(ctx->arena, old, sizeof(*old));
    proof_begin(ret, cmd, ctx, next, (enum proof_kind)args->kind, &args->fresh,
                args->kind == PROOF_EMAIL ? args->email : old->email);
    decision_state(ret, cmd, old, next);
    ret->response.status = 202;
}

const struct command_type account_proof_begin = {
    .name = "account.proof_begin", .aggregate = &account_aggregate, .decide = begin_decide};

/* ---- using one ---- */

static void verify_decide(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct proof_args *args = cmd->args;
    const struct account *old = state;
    if (!exists(cmd, old, ret))
        return;
    if (proof_find(old, 1u << PROOF_VERIFY, args->hash, ctx->now_us) == NULL) {
        decision_problem(ret, cmd, PROBLEM_NOT_CONFIRMED, "this is not valid any more");
        return;
    }
    struct account *next = arena_copy(ctx->arena, old, sizeof(*old));
    drop(next, 1u << PROOF_VERIFY, ctx->arena);
    next->email_verified = true;
    decision_state(ret, cmd, old, next);
}

const struct command_type account_verify = {
    .name = "account.verify", .aggregate = &account_aggregate, .decide = verify_decide};

/* A new password: what was asked for by mail before is void, and all sessions end but KEPT. */
static void set_password(const struct command *cmd, const struct decide_ctx *ctx,
                         const struct account *old, struct account *next, struct str kept,
                         struct decision *ret) {
    const struct proof_args *args = cmd->args;
    drop(next, 1u << PROOF_RESET | 1u << PROOF_EMAIL, ctx->arena);
    next->password_hash = args->password;
    decision_state(ret, cmd, old, next);
    account_void_sessions(ret, cmd, ctx, next, kept);
    proof_tell(ret, cmd, ctx, next, "password_changed", next->email);
}

static void reset_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct proof_args *args = cmd->args;
    const struct account *old = state;
    if (!exists(cmd, old, ret))
        return;
    if (proof_find(old, 1u << PROOF_RESET, args->hash, ctx->now_us) == NULL) {
        decision_problem(ret, cmd, PROBLEM_NOT_CONFIRMED, "this is not valid any more");
        return;
    }
    struct account *next = arena_copy(ctx->arena, old, sizeof(*old));
    next->email_verified = true; /* it came by mail */
    set_password(cmd, ctx, old, next, STR_NONE, ret);
}

const struct command_type account_reset = {.name = "account.reset",
                                           .aggregate = &account_aggregate,
                                           .decide = reset_decide,
                                           .applied = account_voided};

/* The old one was checked before, against the hash that is in cmd's args as HASH. */
static void password_decide(const struct command *cmd, const struct decide_ctx *ctx,
                            const void *state, struct decision *ret) {
    const struct proof_args *args = cmd->args;
    const struct account *old = state;
    if (!exists(cmd, old, ret))
        return;
    if (!str_eq(old->password_hash, args->hash) || account_voids(old, cmd->who.sid)) {
        decision_problem(ret, cmd, PROBLEM_NOT_CONFIRMED, "it has just been changed");
        return;
    }
    set_password(cmd, ctx, old, arena_copy(ctx->arena, old, sizeof(*old)), cmd->who.sid, ret);
}

const struct command_type account_password = {.name = "account.password",
                                              .aggregate = &account_aggregate,
                                              .decide = password_decide,
                                              .applied = account_voided};

/* The new address is reserved for this account, so nobody else can have it. */
static void move_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct proof_args *args = cmd->args;
    const struct account *old = state;
    if (!exists(cmd, old, ret))
        return;
    const struct account_proof *proof = proof_find(old, 1u << PROOF_EMAIL, args->hash, ctx->now_us);
    if (proof == NULL || !str_eq(proof->email, args->email)) {
        decision_problem(ret, cmd, PROBLEM_NOT_CONFIRMED, "this is not valid any more");
        return;
    }
    if (ctx->now_us > args->reserved_us + RESERVATION_US / 2) {
        decision_problem(ret, cmd, PROBLEM_OVERLOADED, "this took too long; try again in a minute");
        return;
    }
    struct account *next = arena_copy(ctx->arena, old, sizeof(*old));
    drop(next, ~0u, ctx->arena); /* those that went to the old address among them */
    next->email = args->email;
    next->email_verified = true;
    decision_state(ret, cmd, old, next);
    account_event(ret, cmd, ctx, EV_ACCOUNT_CHANGED, next);
    account_void_sessions(ret, cmd, ctx, next, STR_NONE);
    proof_tell(ret, cmd, ctx, next, "email_changed", old->email);
}

const struct command_type account_move_email = {.name = "account.move_email",
                                                .aggregate = &account_aggregate,
                                                .decide = move_decide,
                                                .applied = account_voided};
