/* The routes of what goes by mail: confirming an address, a new password, another address. */
#include "services/auth/flow.h"
#include "services/auth/proofs.h"
#include "services/auth/validate.h"

#include "base/check.h"
#include "base/err.h"

#include <stddef.h>
#include <string.h>

/* ---- bodies ---- */

struct proof_body {
    struct str email, token, password, current;
};
#define FIELD(member) S_IN | S_REQUIRED, offsetof(struct proof_body, member)
#define EMAIL_FIELD                                                                                \
    { "email", S_LINE, FIELD(email), .min = 3, .max = EMAIL_MAX }
#define TOKEN_FIELD                                                                                \
    { "token", S_LINE, FIELD(token), .min = 1, .max = PROOF_TOKEN_MAX }
#define NEW_FIELD                                                                                  \
    { "new_password", S_STR, FIELD(password), .min = PASSWORD_MIN_CHARS, .max = PASSWORD_MAX_CHARS }
#define CURRENT_FIELD                                                                              \
    { "password", S_STR, FIELD(current), .min = 1, .max = PASSWORD_MAX_CHARS }

static const struct schema_field email_fields[] = {EMAIL_FIELD};
static const struct schema_field reset_fields[] = {TOKEN_FIELD, NEW_FIELD};
static const struct schema_field token_fields[] = {TOKEN_FIELD};
static const struct schema_field change_password_fields[] = {CURRENT_FIELD, NEW_FIELD};
static const struct schema_field change_email_fields[] = {CURRENT_FIELD, EMAIL_FIELD};
const struct schema email_schema = SCHEMA(struct proof_body, "EmailRequest", email_fields);
const struct schema reset_schema = SCHEMA(struct proof_body, "ResetRequest", reset_fields);
const struct schema token_schema = SCHEMA(struct proof_body, "TokenRequest", token_fields);
const struct schema change_password_schema =
    SCHEMA(struct proof_body, "PasswordChange", change_password_fields);
const struct schema change_email_schema =
    SCHEMA(struct proof_body, "EmailChange", change_email_fields);

void password_check(struct call *c, const void *body, struct field_errors *errors) {
    const struct proof_body *b = body;
    const char *fault = b->password.p != NULL ? password_fault(b->password, STR_NONE) : NULL;
    if (fault != NULL)
        field_errors_add(errors, &c->arena, STR("/new_password"), "%s", fault);
}

void reset_check(struct call *c, const void *body, struct field_errors *errors) {
    password_check(c, body, errors);
}

void email_check(struct call *c, const void *body, struct field_errors *errors) {
    const struct proof_body *b = body;
    const char *fault =
        b->email.p != NULL ? email_fault(email_normalise(b->email, &c->arena)) : NULL;
    if (fault != NULL)
        field_errors_add(errors, &c->arena, STR("/email"), "%s", fault);
}

/* ---- on the way ---- */

/* False: replied. */
static bool can_mail(struct call *c) {
    if (((struct auth_service *)c->service)->sends_mail)
        return true;
    call_problem(c, PROBLEM_NO_MAIL, "this server has no mail (--mail); ask whoever runs it");
    return false;
}

static void reply_with(struct flow *f, const struct command *cmd) {
    (void)cmd;
    call_empty(f->call, f->status);
}

/* "<ULID>.<secret>": whose, and the hash of the secret. False: replied, it is not one. */
static bool read_token(struct call *c, struct str token, struct str *ret_id, struct str *ret_hash) {
    if (token.len > ULID_TEXT_LEN + 1 && token.p[ULID_TEXT_LEN] == '.') {
        struct str secret = str_sub(token, ULID_TEXT_LEN + 1, token.len);
        *ret_id = arena_printf(&c->arena, "usr_%.*s", STR_ARG(str_sub(token, 0, ULID_TEXT_LEN)));
        *ret_hash = refresh_part_hash((const unsigned char *)secret.p, secret.len, &c->arena);
        if (id_valid(*ret_id, "usr"))
            return true;
    }
    call_problem(c, PROBLEM_NOT_CONFIRMED, "this is not valid any more");
    return false;
}

/* Its account with such a proof, or NULL: replied. What is decided later looks again. */
static const struct account_proof *read_proof(struct call *c, struct str id, unsigned kinds,
                                              struct str hash, const struct account **ret) {
    void *state;
    int err = aggregate_get(&account_aggregate, c->worker->reader, c->worker->parser, id, &c->arena,
                            &state);
    if (err < 0 && err != ERR_NOT_FOUND) {
        call_error(c, err);
        return NULL;
    }
    const struct account_proof *proof = err == 0 ? proof_find(state, kinds, hash, c->now_us) : NULL;
    if (proof == NULL)
        call_problem(c, PROBLEM_NOT_CONFIRMED, "this is not valid any more");
    else
        *ret = state;
    return proof;
}

/* ---- a new password, by mail ---- */

void handle_reset_begin(struct call *c) {
    struct auth_service *auth = c->service;
    const struct proof_body *body = c->body;
    struct str email = email_normalise(body->email, &c->arena);
    struct account *account = NULL;
    if (!can_mail(c) || !guard_mail(auth, c, email_id(&c->arena, email)))
        return;
    int err = account_by_email(c->worker->reader, c->worker->parser, email, &c->arena, &account);
    if (err < 0 && err != ERR_NOT_FOUND) {
        call_error(c, err);
        return;
    }
    struct str id =
        account != NULL ? account->head.id : id_new(&c->arena, "usr", c->now_us, c->worker->rng);
    struct fresh_proof fresh = proof_draw(auth, c, id);
    if (account != NULL) { /* nobody waits for it, so nobody can measure it */
        struct command *cmd = detached_new(auth, &account_proof_begin, id);
        struct proof_args *args = arena_new(cmd->arena, struct proof_args);
        args->kind = PROOF_RESET;
        args->fresh = (struct fresh_proof){arena_str(cmd->arena, fresh.hash),
                                           arena_str(cmd->arena, fresh.token),
                                           arena_str(cmd->arena, fresh.language)};
        cmd->args = args;
        detached_submit(c, cmd);
    }
    call_empty(c, 202);
}

static void reset_hashed(struct hash_job *job) {
    struct flow *f = job->arg;
    struct proof_args *args = f->args;
    if (job->result < 0) {
        call_problem(f->call, PROBLEM_OVERLOADED, "passwords cannot be hashed now");
        return;
    }
    args->password = str_from(job->hash);
    flow_step(f, args->fresh.hash.p != NULL ? &account_password : &account_reset,
              f->session.user_id, args, reply_with);
}

void handle_reset(struct call *c) {
    const struct proof_body *body = c->body;
    const struct account *account;
    struct flow *f = flow_new(c, 204);
    struct proof_args *args = arena_new(&c->arena, struct proof_args);
    f->args = args;
    if (!read_token(c, body->token, &f->session.user_id, &args->hash) ||
        read_proof(c, f->session.user_id, 1u << PROOF_RESET, args->hash, &account) == NULL)
        return;
    if (!flow_hash(f, body->password, reset_hashed))
        flow_hasher_full(c);
}

/* ---- a new password, by the old one ---- */

static void password_confirmed(struct flow *f, const struct command *cmd) {
    (void)cmd;
    struct proof_args *args = f->args;
    args->hash = f->account->password_hash;
    args->fresh.hash = args->hash; /* says which of the two it is */
    f->session.user_id = f->account->head.id;
    f->job.verify = false;
    if (!flow_hash(f, f->code, reset_hashed))
        flow_hasher_full(f->call);
}

void handle_password(struct call *c) {
    const struct proof_body *body = c->body;
    struct flow *f = flow_new(c, 204);
    f->args = arena_new(&c->arena, struct proof_args);
    f->code = body->password;
    flow_confirm(f, body->current, password_confirmed);
}

/* ---- confirming an address ---- */

void handle_verify_begin(struct call *c) {
    struct auth_service *auth = c->service;
    if (!can_mail(c) || !guard_mail(auth, c, c->who.user_id))
        return;
    struct proof_args *args = arena_new(&c->arena, struct proof_args);
    args->kind = PROOF_VERIFY;
    args->fresh = proof_draw(auth, c, c->who.user_id);
    call_command(c, &account_proof_begin, c->who.user_id, args);
}

static void email_reserved(struct flow *f, const struct command *reserved) {
    struct proof_args *args = f->args;
    args->reserved_us = ((const struct reservation *)reserved->decision.state)->reserved_us;
    flow_step(f, &account_move_email, f->session.user_id, args, reply_with);
}

void handle_verify(struct call *c) {
    const struct proof_body *body = c->body;
    const struct account *account;
    struct flow *f = flow_new(c, 204);
    struct proof_args *args = arena_new(&c->arena, struct proof_args);
    f->args = args;
    if (!read_token(c, body->token, &f->session.user_id, &args->hash))
        return;
    const struct account_proof *proof = read_proof(
        c, f->session.user_id, 1u << PROOF_VERIFY | 1u << PROOF_EMAIL, args->hash, &account);
    if (proof == NULL)
        return;
    if (proof->kind == PROOF_VERIFY) {
        flow_step(f, &account_verify, f->session.user_id, args, reply_with);
        return;
    }
    struct reserve_args *reserve = arena_new(&c->arena, struct reserve_args);
    args->email = proof->email;
    reserve->user_id = f->session.user_id;
    flow_step(f, &email_reserve, email_id(&c->arena, proof->email), reserve, email_reserved);
}

/* ---- another address ---- */

static void email_confirmed(struct flow *f, const struct command *cmd) {
    (void)cmd;
    flow_step(f, &account_proof_begin, f->account->head.id, f->args, reply_with);
}

void handle_email_begin(struct call *c) {
    struct auth_service *auth = c->service;
    const struct proof_body *body = c->body;
    if (!can_mail(c) || !guard_mail(auth, c, c->who.user_id))
        return;
    struct flow *f = flow_new(c, 202);
    struct proof_args *args = arena_new(&c->arena, struct proof_args);
    args->kind = PROOF_EMAIL;
    args->email = email_normalise(body->email, &c->arena);
    args->fresh = proof_draw(auth, c, c->who.user_id);
    f->args = args;
    flow_confirm(f, body->current, email_confirmed);
}
