/* The routes of auth. Reads are answered on the network thread. What writes is a flow: a password
 * check on a hasher's thread perhaps, then commands one after the other, then the answer:
 *
 *   register   hash → reserve the e-mail → create the account → open a session → tokens
 *   login      check (an unknown e-mail against a dummy) → open a session → tokens
 *   refresh    put a new token in the spent one's place → tokens
 *
 * A step that is refused answers with its problem and ends the flow there. All memory of a flow
 * lives in its call's arena and moves with it from thread to thread; secrets are drawn on the
 * network thread. Tokens are signed on the executor's thread, once everything is durable.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "services/auth/api_keys.h"
#include "services/auth/audit_log.h"
#include "services/auth/factor.h"
#include "services/auth/flow.h"
#include "services/auth/leaving.h"
#include "services/auth/login_guard.h"
#include "services/auth/proofs.h"
#include "services/auth/setup.h"
#include "services/auth/validate.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

/* ---- bodies ---- */

struct register_body {
    struct str email, password, name, phone;
    int32_t role;
};
static const char *const register_roles[] = {NULL, "customer", "driver", NULL};
_Static_assert(ROLE_CUSTOMER == 1 && ROLE_DRIVER == 2, "register_roles is a part of enum role");

#define IN(type, member) .flags = S_IN | S_REQUIRED, .offset = offsetof(struct type, member)
#define MAYBE(type, member) .flags = S_IN, .offset = offsetof(struct type, member)

static const struct schema_field register_fields[] = {
    {"email", S_LINE, IN(register_body, email), .min = 3, .max = EMAIL_MAX},
    {"password", S_STR, IN(register_body, password), .min = PASSWORD_MIN_CHARS,
     .max = PASSWORD_MAX_CHARS},
    {"name", S_LINE, IN(register_body, name), .min = 1, .max = NAME_MAX_CHARS},
    {"phone", S_LINE, MAYBE(register_body, phone), .min = 0, .max = PHONE_MAX},
    {"role", S_ENUM, IN(register_body, role), .names = register_roles, .hint = "role"},
};
static const struct schema register_schema =
    SCHEMA(struct register_body, "RegisterRequest", register_fields);

struct login_body {
    struct str email, password, code;
};
static const struct schema_field login_fields[] = {
    {"email", S_LINE, IN(login_body, email), .min = 1, .max = EMAIL_MAX},
    {"password", S_STR, IN(login_body, password), .min = 1, .max = PASSWORD_MAX_CHARS},
    {"code", S_LINE, MAYBE(login_body, code), .min = 6, .max = CODE_MAX_CHARS},
};
static const struct schema login_schema = SCHEMA(struct login_body, "LoginRequest", login_fields);

struct refresh_body {
    struct str token;
};
static const struct schema_field refresh_fields[] = {
    {"refresh_token", S_LINE, IN(refresh_body, token), .min = 1, .max = 1000},
};
static const struct schema refresh_schema =
    SCHEMA(struct refresh_body, "RefreshRequest", refresh_fields);

static const struct schema_field edit_fields[] = {
    {"name", S_LINE, MAYBE(edit_args, name), .min = 1, .max = NAME_MAX_CHARS},
    {"phone", S_LINE, MAYBE(edit_args, phone), .min = 0, .max = PHONE_MAX},
};
static const struct schema edit_schema = SCHEMA(struct edit_args, "MePatch", edit_fields);

static const struct schema_field set_fields[] = {
    {"role", S_ENUM, MAYBE(set_args, role), .names = role_names, .hint = "role"},
    {"disabled", S_TRI, MAYBE(set_args, disabled)},
};
static const struct schema set_schema = STRICT_SCHEMA(struct set_args, "UserPatch", set_fields);

void auth_check_field(struct call *c, struct field_errors *errors, const char *pointer,
                      const char *fault) {
    for (int i = 0; i < errors->count; i++) {
        if (str_is(errors->items[i].pointer, pointer))
            return; /* the schema has said something of it */
    }
    if (fault != NULL)
        field_errors_add(errors, &c->arena, str_from(pointer), "%s", fault);
}

/* ---- the end of every flow: tokens ---- */

static struct str tokens_json(struct flow *f, const struct account *account) {
    struct arena *a = &f->call->arena;
    struct auth_service *auth = f->auth;
    const struct clock *clock = runtime_options(f->call->runtime)->clock;
    struct access_claims claims = {.issuer = auth->issuer,
                                   .user_id = account->head.id,
                                   .name = account->name,
                                   .sid = f->token.sid,
                                   .role = (enum role)account->role,
                                   .issued_us = clock->now_us(clock),
                                   .restricted = factor_missing(auth, account),
                                   .ttl_us = auth->access_ttl_us};
    struct buf out;
    buf_init(&out, a, 2048);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "user");
    schema_write(&account_schema, account, S_OUT, &w);
    jw_kv_str(&w, "access_token", signer_token(&auth->signer, &claims, a));
    jw_kv_str(&w, "token_type", STR("Bearer"));
    jw_kv_i64(&w, "expires_in", auth->access_ttl_us / US_PER_S);
    jw_kv_str(&w, "refresh_token", refresh_token_text(&f->token, a));
    jw_end(&w);
    return buf_str(&out);
}

static void reply_tokens(struct flow *f, const struct command *cmd) {
    const struct session_facts *facts = cmd->facts;
    struct call *c = f->call;
    if (!f->auth->has_keys) { /* there is a ring, and it is of no use */
        call_error(c, ERR_CORRUPT);
        return;
    }
    guard_home(f->auth, c, email_id(&c->arena, facts->account->email));
    response_header(&c->response, "Cache-Control", STR("no-store"));
    call_json(c, f->status, tokens_json(f, facts->account));
}

/* ---- opening a session ---- */

/* Draws the session's id and its first refresh token. Network thread. */
static void draw_session(struct flow *f) {
    struct call *c = f->call;
    struct entropy *entropy = f->auth->entropy;
    f->token.sid = id_new(&c->arena, "ses", c->now_us, c->worker->rng);
    entropy->fill(entropy, f->token.family, sizeof(f->token.family));
    entropy->fill(entropy, f->token.secret, sizeof(f->token.secret));
    f->session.family_hash = refresh_part_hash(f->token.family, FAMILY_BYTES, &c->arena);
    f->session.fresh_hash = refresh_part_hash(f->token.secret, SECRET_BYTES, &c->arena);
}

static void open_session(struct flow *f, const struct command *cmd) {
    (void)cmd;
    f->session.user_id = f->account->head.id;
    f->session.device = session_device(f->call);
    flow_step(f, &session_open, f->token.sid, &f->session, reply_tokens);
}

static void open_with_keys(struct flow *f, const struct command *cmd) {
    (void)cmd;
    flow_with_keys(f, open_session);
}

/* ---- register ---- */

static void create_account(struct flow *f, const struct command *reserved) {
    const struct reservation *reservation = reserved->decision.state;
    struct create_args *args = arena_new(&f->call->arena, struct create_args);
    args->account = *f->account;
    args->account.head = (struct aggregate_head){0};
    args->reserved_us = reservation->reserved_us;
    if (f->since_us > 0 && f->since_us < args->reserved_us)
        args->reserved_us = f->since_us;
    args->proof = f->args;
    f->auth->registers++;
    flow_step(f, &account_create, f->account->head.id, args, open_with_keys);
}

static void register_hashed(struct hash_job *job) {
    struct flow *f = job->arg;
    struct call *c = f->call;
    if (job->result < 0) {
        call_problem(c, PROBLEM_OVERLOADED, "passwords cannot be hashed now");
        return;
    }
    f->account->password_hash = str_from(job->hash);
    struct reserve_args *args = arena_new(&c->arena, struct reserve_args);
    args->user_id = f->account->head.id;
    flow_step(f, &email_reserve, f->email_id, args, create_account);
}

/* Replies 409 if the e-mail certainly has an account, before any work is put into hashing. */
static bool is_taken(struct call *c, struct str email) {
    struct account *account;
    int err = account_by_email(c->worker->reader, c->worker->parser, email, &c->arena, &account);
    if (err == ERR_NOT_FOUND)
        return false;
    if (err < 0)
        call_error(c, err);
    else
        call_problem(c, PROBLEM_EMAIL_TAKEN, "there is an account with this e-mail already");
    return true;
}

static void register_check(struct call *c, const void *decoded, struct field_errors *errors) {
    const struct register_body *body = decoded;
    struct str email = body->email.p != NULL ? email_normalise(body->email, &c->arena) : STR("");
    if (body->email.p != NULL)
        auth_check_field(c, errors, "/email", email_fault(email));
    if (body->password.p != NULL)
        auth_check_field(c, errors, "/password", password_fault(body->password, email));
    if (body->name.p != NULL)
        auth_check_field(c, errors, "/name", name_fault(body->name));
    if (body->phone.len > 0)
        auth_check_field(c, errors, "/phone", phone_fault(body->phone));
}

struct flow *flow_account_new(struct call *c, const struct new_account *n) {
    if (is_taken(c, n->email))
        return NULL;
    struct flow *f = flow_new(c, 201);
    f->email_id = email_id(&c->arena, n->email);
    f->account = arena_new(&c->arena, struct account);
    *f->account = (struct account){.head.id = id_new(&c->arena, "usr", c->now_us, c->worker->rng),
                                   .email = n->email,
                                   .name = n->name,
                                   .phone = n->phone.len > 0 ? n->phone : STR_NONE,
                                   .role = (int32_t)n->role};
    f->password = n->password;
    draw_session(f);
    if (f->auth->sends_mail) {
        struct fresh_proof *proof = f->args = arena_new(&c->arena, struct fresh_proof);
        *proof = proof_draw(f->auth, c, f->account->head.id);
    }
    return f;
}

void flow_account_go(struct flow *f, int64_t since_us) {
    f->since_us = since_us;
    if (!flow_hash(f, f->password, register_hashed))
        flow_hasher_full(f->call);
}

static void handle_register(struct call *c) {
    const struct register_body *body = c->body;
    if (!guard_register(c->service, c))
        return;
    struct flow *f =
        flow_account_new(c, &(struct new_account){.email = email_normalise(body->email, &c->arena),
                                                  .name = body->name,
                                                  .phone = body->phone,
                                                  .password = body->password,
                                                  .role = (enum role)body->role});
    if (f != NULL)
        flow_account_go(f, 0);
}

/* ---- login ---- */

static void open_after_code(struct flow *f, const struct command *cmd) {
    f->refused = NULL;
    guard_login_right(f->auth, f->call, &f->tried);
    open_with_keys(f, cmd);
}

static void login_checked(struct hash_job *job) {
    struct flow *f = job->arg;
    struct call *c = f->call;
    if (job->result == ERR_UNAVAILABLE) {
        guard_login_undone(f->auth, c, &f->tried);
        call_problem(c, PROBLEM_OVERLOADED, "passwords cannot be checked now");
    } else if (job->result < 0 || f->account == NULL) {
        guard_login_wrong(f->auth, c);
        call_problem(c, PROBLEM_INVALID_CREDENTIALS, "no account has this e-mail and password");
    } else if (!f->account->second_factor) {
        guard_login_right(f->auth, c, &f->tried);
        open_with_keys(f, NULL);
    } else if (f->code.p == NULL) { /* who knows the password learns nothing by asking again */
        guard_login_undone(f->auth, c, &f->tried);
        call_problem(c, PROBLEM_SECOND_FACTOR_REQUIRED,
                     "send the code of your authenticator, or a recovery code, as code, too");
    } else {
        struct code_args *args = arena_new(&c->arena, struct code_args);
        args->code = f->code;
        f->refused = flow_code_wrong;
        flow_step(f, &factor_use, f->account->head.id, args, open_after_code);
    }
}

static void handle_login(struct call *c) {
    struct auth_service *auth = c->service;
    const struct login_body *body = c->body;
    struct str email = email_normalise(body->email, &c->arena);
    struct flow *f = flow_new(c, 200);
    f->email_id = email_id(&c->arena, email);
    if (auth->hasher->ops->full(auth->hasher)) { /* before anything is counted */
        auth->logins[LOGIN_OVERLOADED]++;
        flow_hasher_full(c);
        return;
    }
    if (!guard_login(auth, c, f->email_id, &f->tried))
        return;
    int err = account_by_email(c->worker->reader, c->worker->parser, email, &c->arena, &f->account);
    if (err < 0 && err != ERR_NOT_FOUND) {
        guard_login_undone(auth, c, &f->tried);
        call_error(c, err);
        return;
    }
    struct str known = f->account != NULL ? f->account->password_hash : STR_NONE;
    bool usable = known.len > 0 && known.len < sizeof(f->job.hash);
    memcpy(f->job.hash, usable ? known.p : auth->hasher->dummy,
           usable ? known.len : sizeof(f->job.hash));
    f->job.verify = true;
    f->code = body->code;
    draw_session(f);
    if (!flow_hash(f, body->password, login_checked)) {
        auth->logins[LOGIN_OVERLOADED]++;
        guard_login_undone(auth, c, &f->tried);
        flow_hasher_full(c);
    }
}

/* ---- refresh, logout ---- */

static void refresh_session(struct flow *f, const struct command *cmd) {
    (void)cmd;
    f->auth->refreshes++;
    flow_step(f, &session_refresh, f->token.sid, &f->session, reply_tokens);
}

static void handle_refresh(struct call *c) {
    const struct refresh_body *body = c->body;
    struct flow *f = flow_new(c, 200);
    struct entropy *entropy = f->auth->entropy;
    if (refresh_token_parse(body->token, &f->token) < 0) {
        call_problem(c, PROBLEM_INVALID_REFRESH, "sign in again");
        return;
    }
    f->session.family_hash = refresh_part_hash(f->token.family, FAMILY_BYTES, &c->arena);
    f->session.secret_hash = refresh_part_hash(f->token.secret, SECRET_BYTES, &c->arena);
    entropy->fill(entropy, f->token.secret, sizeof(f->token.secret));
    f->session.fresh_hash = refresh_part_hash(f->token.secret, SECRET_BYTES, &c->arena);
    f->session.device = session_device(c);
    flow_with_keys(f, refresh_session);
}

static void handle_logout(struct call *c) {
    const struct refresh_body *body = c->body;
    struct refresh_token token;
    if (refresh_token_parse(body->token, &token) < 0) {
        call_empty(c, 204); /* it is not signed in, as was asked */
        return;
    }
    struct session_args *args = arena_new(&c->arena, struct session_args);
    args->family_hash = refresh_part_hash(token.family, FAMILY_BYTES, &c->arena);
    call_command(c, &session_end, token.sid, args);
}

/* ---- one's own account, and the key set ---- */

static void handle_me(struct call *c) {
    const struct account *account = call_state(c, &account_aggregate, c->who.user_id);
    if (account != NULL)
        call_json_etag(c, account->head.version,
                       schema_text(&account_schema, account, S_OUT, &c->arena));
}

static void edit_check(struct call *c, const void *body, struct field_errors *errors) {
    const struct edit_args *args = body;
    if (args->name.p != NULL)
        auth_check_field(c, errors, "/name", name_fault(args->name));
    if (args->phone.len > 0)
        auth_check_field(c, errors, "/phone", phone_fault(args->phone));
}

static void handle_edit(struct call *c) {
    call_command(c, &account_edit, c->who.user_id, c->body);
}

static void reply_jwks(struct flow *f, const struct command *cmd) {
    (void)cmd;
    struct call *c = f->call;
    /* A new key is published a whole rotation before it signs: copies may be kept for a while. */
    response_header(&c->response, "Cache-Control", STR("public, max-age=300"));
    call_json(c, 200, auth_jwks(f->auth, &c->arena));
}

static void handle_jwks(struct call *c) {
    flow_with_keys(flow_new(c, 200), reply_jwks);
}

/* ---- administration ---- */

static void reply_users(struct call *c, const struct store_doc *docs, int32_t count, bool more) {
    struct page p;
    page_begin(&p, c);
    for (int32_t i = 0; i < count; i++) {
        void *state;
        /* One that cannot be read is left out, not the whole list with it. */
        if (aggregate_decode(&account_aggregate, &docs[i], c->worker->parser, &c->arena, &state) ==
            0)
            schema_write(&account_schema, state, S_OUT, &p.w);
    }
    page_reply(&p, more, count > 0 ? docs[count - 1].id : STR_NONE);
}

static void handle_users(struct call *c) {
    int32_t role = ROLE_NONE, limit, count;
    struct str after;
    struct store_doc *docs;
    if (!call_query_enum(c, "role", role_names, &role) || !call_page(c, &limit, &after))
        return;
    struct store_query q = {
        .collection = &accounts_collection, .after = after, .may_lag = true, .limit = limit};
    if (role != ROLE_NONE) {
        q.index = accounts_collection.indexes[0];
        q.key = str_from(role_names[role]);
    }
    int err = c->worker->reader->ops->list(c->worker->reader, &q, &c->arena, &docs, &count);
    if (err < 0)
        call_error(c, err);
    else
        reply_users(c, docs, count, count == limit);
}

static void handle_user(struct call *c) {
    if (!id_valid(c->params[0], "usr")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such user");
        return;
    }
    const struct account *account = call_state(c, &account_aggregate, c->params[0]);
    if (account != NULL)
        call_json_etag(c, account->head.version,
                       schema_text(&account_schema, account, S_OUT, &c->arena));
}

static void set_leaving(struct flow *f, const struct command *left) {
    struct set_args *args = f->call->body;
    args->leaving_us = ((const struct leaving *)left->decision.state)->since_us;
    call_command(f->call, &account_set, f->call->params[0], args);
}

static void handle_set(struct call *c) {
    if (!id_valid(c->params[0], "usr")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such user");
        return;
    }
    void *account;
    int err = aggregate_get(&account_aggregate, c->worker->reader, c->worker->parser, c->params[0],
                            &c->arena, &account);
    if (err < 0 || !may_lose_admin(c->body) || !account_is_admin(account)) {
        call_command(c, &account_set, c->params[0], c->body);
        return;
    }
    struct leave_args *leave = arena_new(&c->arena, struct leave_args);
    leave->user_id = c->params[0];
    flow_step(flow_new(c, 200), &admin_leave, STR(LEAVING_ID), leave, set_leaving);
}

const struct route_entry auth_routes[AUTH_ROUTES] = {
    {"POST", "/v1/auth/register", ROLES_PUBLIC, handle_register, &register_schema, 0, "register",
     register_check},
    {"POST", "/v1/auth/login", ROLES_PUBLIC, handle_login, &login_schema, 0, "login"},
    {"POST", "/v1/auth/refresh", ROLES_PUBLIC, handle_refresh, &refresh_schema, 0, "refresh"},
    {"POST", "/v1/auth/logout", ROLES_PUBLIC, handle_logout, &refresh_schema, 0, "logout"},
    {"POST", "/v1/auth/password-reset", ROLES_PUBLIC, handle_reset_begin, &email_schema, 0,
     "askPasswordReset", email_check},
    {"POST", "/v1/auth/password-reset/confirm", ROLES_PUBLIC, handle_reset, &reset_schema, 0,
     "resetPassword", reset_check},
    {"POST", "/v1/auth/email/confirm", ROLES_PUBLIC, handle_verify, &token_schema, 0,
     "confirmEmail"},
    {"GET", "/.well-known/jwks.json", ROLES_PUBLIC, handle_jwks, NULL, 0, "getKeys"},
    {"GET", "/v1/me", ROLES_ANY, handle_me, NULL, 0, "getMe", .area = AREA_ACCOUNT},
    {"PATCH", "/v1/me", ROLES_ANY, handle_edit, &edit_schema, ROUTE_IDEMPOTENT | ROUTE_IF_MATCH,
     "updateMe", edit_check, .area = AREA_ACCOUNT},
    {"DELETE", "/v1/me", ROLES_ANY, handle_erase, &password_schema, 0, "eraseMe",
     .area = AREA_ACCOUNT},
    {"POST", "/v1/me/password", ROLES_ANY, handle_password, &change_password_schema, 0,
     "changePassword", password_check, .area = AREA_ACCOUNT},
    {"POST", "/v1/me/email", ROLES_ANY, handle_email_begin, &change_email_schema, 0, "changeEmail",
     email_check, .area = AREA_ACCOUNT},
    {"POST", "/v1/me/email/verify", ROLES_ANY, handle_verify_begin, NULL, 0, "askEmailConfirmation",
     .area = AREA_ACCOUNT},
    {"GET", "/v1/me/export", ROLES_ANY, handle_export, NULL, 0, "exportMe", .area = AREA_ACCOUNT},
    {"GET", "/v1/me/sessions", ROLES_ANY, handle_sessions, NULL, 0, "listSessions",
     .area = AREA_ACCOUNT},
    {"DELETE", "/v1/me/sessions", ROLES_ANY, handle_sessions_revoke, NULL, 0, "endOtherSessions",
     .area = AREA_ACCOUNT},
    {"DELETE", "/v1/me/sessions/{id}", ROLES_ANY, handle_session_revoke, NULL, 0, "endSession",
     .area = AREA_ACCOUNT},
    {"POST", "/v1/me/second-factor", ROLES_ANY, handle_factor_begin, &password_schema, 0,
     "enrolSecondFactor", .area = AREA_ACCOUNT},
    {"POST", "/v1/me/second-factor/confirm", ROLES_ANY, handle_factor_confirm, &code_schema, 0,
     "confirmSecondFactor", .area = AREA_ACCOUNT},
    {"POST", "/v1/me/second-factor/remove", ROLES_ANY, handle_factor_remove, &code_schema, 0,
     "removeSecondFactor", .area = AREA_ACCOUNT},
    {"DELETE", "/v1/users/{id}/second-factor", ROLES(ROLE_ADMIN), handle_factor_reset, NULL, 0,
     "resetSecondFactor", .area = AREA_USERS},
    {"GET", "/v1/audit", ROLES(ROLE_ADMIN), handle_audit, NULL, 0, "listAudit", .area = AREA_AUDIT},
    {"GET", "/v1/api-keys", ROLES_ANY, handle_api_keys, NULL, 0, "listApiKeys"},
    {"POST", "/v1/api-keys", ROLES_ANY, handle_api_key_make, &api_key_body_schema, 0, "makeApiKey",
     api_key_check},
    {"DELETE", "/v1/api-keys/{id}", ROLES_ANY, handle_api_key_revoke, NULL, 0, "revokeApiKey"},
    {"GET", "/v1/users", ROLES(ROLE_ADMIN), handle_users, NULL, 0, "listUsers", .area = AREA_USERS},
    {"GET", "/v1/users/{id}", ROLES(ROLE_ADMIN), handle_user, NULL, 0, "getUser",
     .area = AREA_USERS},
    {"DELETE", "/v1/users/{id}", ROLES(ROLE_ADMIN), handle_erase_user, NULL, 0, "eraseUser",
     .area = AREA_USERS},
    {"PATCH", "/v1/users/{id}", ROLES(ROLE_ADMIN), handle_set, &set_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "updateUser", .area = AREA_USERS},
    {"GET", "/v1/setup", ROLES_PUBLIC, setup_look, NULL, 0, "getSetup"},
    {"POST", "/v1/setup/admin", ROLES_PUBLIC, setup_admin, &setup_request_schema, 0, "setUp",
     setup_check},
    {"POST", "/v1/setup/demo", ROLES(ROLE_ADMIN), setup_fill, NULL, 0, "fillWithDemo"},
};
