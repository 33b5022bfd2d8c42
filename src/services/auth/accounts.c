/* Accounts and e-mail reservations: shapes, and the decisions about them. */
#include "services/auth/accounts.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "events/events.h"
#include "runtime/audit.h"
#include "services/auth/internal.h"
#include "services/auth/leaving.h"
#include "services/auth/proofs.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

/* ---- shapes ---- */

#define OF(member) offsetof(struct account_factor, member)
static const struct schema_field factor_fields[] = {
    {"secret", S_LINE, S_STORE, OF(secret)},
    {"pending", S_LINE, S_STORE, OF(pending)},
    {"last_step", S_I64, S_STORE, OF(last_step)},
    {"recovery", S_STR_LIST, S_STORE, OF(recovery),
     .count_offset = offsetof(struct account_factor, recovery_count)},
};
static const struct schema factor_schema =
    SCHEMA(struct account_factor, "AccountFactor", factor_fields);

#undef OF
#define OF(member) offsetof(struct account_proof, member)
static const char *const proof_names[] = {NULL, "verify", "reset", "email", NULL};
static const struct schema_field proof_fields[] = {
    {"kind", S_ENUM, S_STORE, OF(kind), .names = proof_names},
    {"hash", S_LINE, S_STORE, OF(hash)},
    {"email", S_LINE, S_STORE, OF(email)},
    {"expires_at", S_TIME, S_STORE, OF(expires_us)},
};
static const struct schema proof_schema =
    SCHEMA(struct account_proof, "AccountProof", proof_fields);

#undef OF
#define OF(member) offsetof(struct account, member)
static const struct schema_field account_fields[] = {
    {"id", S_ID, S_OUT, OF(head.id), .hint = "usr"},
    {"email", S_LINE, S_OUT | S_STORE, OF(email)},
    {"name", S_LINE, S_OUT | S_STORE, OF(name)},
    {"phone", S_LINE, S_OUT | S_STORE | S_NULL, OF(phone)},
    {"role", S_ENUM, S_OUT | S_STORE, OF(role), .names = role_names},
    {"disabled", S_BOOL, S_OUT | S_STORE, OF(disabled)},
    {"email_verified", S_BOOL, S_OUT | S_STORE, OF(email_verified)},
    {"proofs", S_LIST, S_STORE, OF(proofs), .count_offset = OF(proof_count), .sub = &proof_schema,
     .max = PROOFS_MAX},
    {"second_factor", S_BOOL, S_OUT | S_STORE, OF(second_factor)},
    {"factor", S_OBJECT_PTR, S_STORE, OF(factor), .sub = &factor_schema},
    {"password_hash", S_LINE, S_STORE, OF(password_hash)},
    {"sessions_void_at", S_TIME, S_STORE, OF(sessions_void_us)},
    {"session_kept", S_ID, S_STORE, OF(session_kept), .hint = "ses"},
    {"version", S_I64, S_OUT, OF(head.version)},
    {"created_at", S_TIME, S_OUT | S_STORE, OF(created_us)},
    {"erased_at", S_TIME, S_OUT | S_STORE, OF(erased_us)},
};
const struct schema account_schema = SCHEMA(struct account, "User", account_fields);

#undef OF
#define OF(member) offsetof(struct reservation, member)
static const struct schema_field reservation_fields[] = {
    {"user_id", S_ID, S_STORE, OF(user_id), .hint = "usr"},
    {"reserved_at", S_TIME, S_STORE, OF(reserved_us)},
};
static const struct schema reservation_schema =
    SCHEMA(struct reservation, "EmailReservation", reservation_fields);

const struct store_collection accounts_collection = {.name = "accounts",
                                                     .indexes = {"role", "void_hour"}};
const struct store_collection emails_collection = {.name = "emails"};

struct str ended_hour(struct arena *a, int64_t at_us) {
    return arena_printf(a, "%lld", (long long)(at_us / ENDED_HOUR_US));
}

static void account_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    const struct account *account = state;
    ret_keys[0] = str_from(role_names[account->role]);
    ret_keys[1] =
        account->sessions_void_us > 0 ? ended_hour(a, account->sessions_void_us) : STR_NONE;
}

const struct aggregate account_aggregate = {
    .collection = &accounts_collection, .schema = &account_schema, .keys = account_keys};
const struct aggregate reservation_aggregate = {.collection = &emails_collection,
                                                .schema = &reservation_schema};

struct str email_id(struct arena *a, struct str email) {
    unsigned char digest[32];
    char hex[2 * sizeof(digest) + 1];
    crypto_generichash(digest, sizeof(digest), (const unsigned char *)email.p, email.len, NULL, 0);
    sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
    return arena_printf(a, "eml_%s", hex);
}

int account_by_email(struct store *store, struct json_parser *p, struct str email, struct arena *a,
                     struct account **ret_account) {
    void *state;
    int err = aggregate_get(&reservation_aggregate, store, p, email_id(a, email), a, &state);
    if (err < 0)
        return err;
    const struct reservation *reservation = state;
    err = aggregate_get(&account_aggregate, store, p, reservation->user_id, a, &state);
    if (err < 0)
        return err;
    if (!str_eq(((const struct account *)state)->email, email))
        return ERR_NOT_FOUND; /* it has gone to another address since */
    *ret_account = state;
    return 0;
}

bool account_voids(const struct account *account, struct str sid) {
    return id_time_us(sid) <= account->sessions_void_us && !str_eq(sid, account->session_kept);
}

void account_void_sessions(struct decision *d, const struct command *cmd,
                           const struct decide_ctx *ctx, struct account *next, struct str kept) {
    next->sessions_void_us = ctx->now_us;
    next->session_kept = kept;
    decision_event(d, cmd, ctx, EV_SESSION_ENDED, cmd->id, &ev_session_schema,
                   &(struct ev_session){.user_id = cmd->id, .kept = kept});
}

void account_voided(const struct command *cmd, const struct decision *d, const void *state) {
    const struct account *account = state;
    if (d->state != NULL && account->sessions_void_us > 0)
        auth_revoke(cmd->service, cmd->id, account->session_kept, account->sessions_void_us);
}

/* The session that says so must itself go on: it may have ended a moment ago. */
static void sessions_end_decide(const struct command *cmd, const struct decide_ctx *ctx,
                                const void *state, struct decision *ret) {
    const struct account *old = state;
    if (old == NULL || account_voids(old, cmd->who.sid)) {
        decision_problem(ret, cmd, PROBLEM_UNAUTHENTICATED, "this session has ended");
        return;
    }
    struct account *next = arena_copy(ctx->arena, old, sizeof(*old));
    account_void_sessions(ret, cmd, ctx, next, cmd->who.sid);
    decision_state(ret, cmd, old, next);
}

const struct command_type account_sessions_end = {.name = "account.sessions_end",
                                                  .aggregate = &account_aggregate,
                                                  .decide = sessions_end_decide,
                                                  .applied = account_voided};

/* ---- reserving an e-mail ---- */

struct reserve_facts {
    struct str holder;  /* who had it when we looked; absent: nobody */
    bool holder_exists; /* has he an account with this e-mail? */
};

static int reserve_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct auth_service *auth = cmd->service;
    struct reserve_facts *facts = arena_new(cmd->arena, struct reserve_facts);
    cmd->facts = facts;
    void *state;
    int err =
        aggregate_get(&reservation_aggregate, store, auth->parser, cmd->id, cmd->arena, &state);
    if (err == ERR_NOT_FOUND)
        return 0;
    if (err < 0)
        return err;
    facts->holder = ((const struct reservation *)state)->user_id;
    err = aggregate_get(&account_aggregate, store, auth->parser, facts->holder, cmd->arena, &state);
    facts->holder_exists =
        err == 0 && str_eq(email_id(cmd->arena, ((const struct account *)state)->email), cmd->id);
    return err == ERR_NOT_FOUND ? 0 : err;
}

static void reserve_decide(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct reserve_args *args = cmd->args;
    const struct reserve_facts *facts = cmd->facts;
    const struct reservation *old = state;
    /* Abandoned: we looked for the holder's account, it was not there, and its time is over. */
    bool abandoned = old != NULL && str_eq(old->user_id, facts->holder) && !facts->holder_exists &&
                     ctx->now_us > old->reserved_us + RESERVATION_US;
    bool own = old != NULL && str_eq(old->user_id, args->user_id); /* he has tried before */
    if (old != NULL && !abandoned && !own) {
        decision_problem(ret, cmd, PROBLEM_EMAIL_TAKEN,
                         "there is an account with this e-mail already");
        return;
    }
    struct reservation *fresh = arena_new(ctx->arena, struct reservation);
    fresh->user_id = args->user_id;
    fresh->reserved_us = ctx->now_us;
    decision_state(ret, cmd, old, fresh);
}

const struct command_type email_reserve = {.name = "email.reserve",
                                           .aggregate = &reservation_aggregate,
                                           .load = reserve_load,
                                           .decide = reserve_decide};

/* ---- creating an account ---- */

void account_event(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                   const char *type, const struct account *account) {
    struct ev_account data = {.user_id = account->head.id,
                              .name = account->name,
                              .phone = account->phone,
                              .email = account->email,
                              .role = account->role,
                              .disabled = account->disabled};
    decision_event(d, cmd, ctx, type, account->head.id, &ev_account_schema, &data);
}

static void create_decide(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct create_args *args = cmd->args;
    if (state != NULL) { /* 80 random bits that came twice */
        decision_problem(ret, cmd, PROBLEM_INTERNAL, "this user id is taken");
        return;
    }
    if (ctx->now_us > args->reserved_us + RESERVATION_US / 2) {
        decision_problem(ret, cmd, PROBLEM_OVERLOADED, "this took too long; try again in a minute");
        return;
    }
    struct account *fresh = arena_copy(ctx->arena, &args->account, sizeof(args->account));
    fresh->created_us = ctx->now_us;
    decision_state(ret, cmd, NULL, fresh);
    account_event(ret, cmd, ctx, EV_ACCOUNT_REGISTERED, fresh);
    if (args->proof != NULL)
        proof_begin(ret, cmd, ctx, fresh, PROOF_VERIFY, args->proof, fresh->email);
}

const struct command_type account_create = {
    .name = "account.create", .aggregate = &account_aggregate, .decide = create_decide};

/* ---- changing one's own ---- */

static void account_reply(struct decision *d, const struct command *cmd,
                          const struct account *account) {
    decision_json(d, 200, schema_text(&account_schema, account, S_OUT, cmd->arena));
    decision_etag(d, cmd, account->head.version);
}

static void edit_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct edit_args *args = cmd->args;
    const struct account *old = state;
    if (old == NULL) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "this account is not there any more");
        return;
    }
    struct account *next = arena_copy(ctx->arena, old, sizeof(*old));
    if (args->name.p != NULL)
        next->name = args->name;
    if (args->phone.p != NULL)
        next->phone = args->phone.len > 0 ? args->phone : STR_NONE;
    if (str_eq(next->name, old->name) && str_eq(next->phone, old->phone)) {
        account_reply(ret, cmd, old);
        return;
    }
    decision_state(ret, cmd, old, next);
    account_event(ret, cmd, ctx, EV_ACCOUNT_CHANGED, next);
    account_reply(ret, cmd, next);
}

const struct command_type account_edit = {
    .name = "account.edit", .aggregate = &account_aggregate, .decide = edit_decide};

/* ---- an administrator's word about an account ----
 *
 * The last administrator who can sign in must stay. Whether there is another one is a fact about
 * other aggregates, so two such commands in one batch could each rely on the other's subject. The
 * service therefore lets one of them through at a time (`admin_guard`): the next waits for a later
 * batch and sees what the first one did. Between processes leaving.h sees to it.
 */

struct set_facts {
    bool other_admin;
};

bool may_lose_admin(const struct set_args *args) {
    return args->disabled == TRI_TRUE || (args->role != ROLE_NONE && args->role != ROLE_ADMIN);
}

int account_other_admin(struct json_parser *p, struct store *store, struct str id, struct arena *a,
                        bool *ret_found) {
    struct store_query q = {.collection = &accounts_collection,
                            .index = accounts_collection.indexes[0],
                            .key = str_from(role_names[ROLE_ADMIN]),
                            .ascending = true,
                            .limit = STORE_LIST_MAX};
    for (;;) {
        struct store_doc *docs;
        int32_t count;
        int err = store->ops->list(store, &q, a, &docs, &count);
        if (err < 0)
            return err;
        for (int32_t i = 0; i < count; i++) {
            void *state;
            err = aggregate_decode(&account_aggregate, &docs[i], p, a, &state);
            if (err < 0)
                return err;
            if (!((const struct account *)state)->disabled && !str_eq(docs[i].id, id)) {
                *ret_found = true;
                return 0;
            }
        }
        if (count < q.limit)
            return 0;
        q.after = docs[count - 1].id;
    }
}

static int set_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    struct auth_service *auth = cmd->service;
    struct set_facts *facts = arena_new(cmd->arena, struct set_facts);
    cmd->facts = facts;
    if (!may_lose_admin(cmd->args))
        return 0;
    if (auth->admin_guard != NULL)
        return ERR_AGAIN;
    auth->admin_guard = cmd;
    return account_other_admin(auth->parser, store, cmd->id, cmd->arena, &facts->other_admin);
}

bool admin_may_leave(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                     bool other_admin, int64_t leaving_us) {
    if (!other_admin)
        decision_problem(d, cmd, PROBLEM_LAST_ADMIN,
                         "this is the last administrator who can sign in");
    else if (!leaving_holds(leaving_us, ctx->now_us))
        decision_problem(d, cmd, PROBLEM_OVERLOADED, "this took too long; try again");
    else
        return true;
    return false;
}

static void set_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct set_args *args = cmd->args;
    const struct set_facts *facts = cmd->facts;
    const struct account *old = state;
    if (old == NULL || old->erased_us != 0) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such user");
        return;
    }
    struct account *next = arena_copy(ctx->arena, old, sizeof(*old));
    if (args->role != ROLE_NONE)
        next->role = args->role;
    if (args->disabled != TRI_ABSENT)
        next->disabled = args->disabled == TRI_TRUE;
    if (next->role == old->role && next->disabled == old->disabled) {
        account_reply(ret, cmd, old);
        return;
    }
    bool was_admin = old->role == ROLE_ADMIN && !old->disabled;
    bool is_admin = next->role == ROLE_ADMIN && !next->disabled;
    if (was_admin && !is_admin &&
        !admin_may_leave(ret, cmd, ctx, facts->other_admin, args->leaving_us))
        return;
    bool ends_sessions = next->role != old->role || next->disabled;
    decision_state(ret, cmd, old, next);
    account_event(ret, cmd, ctx, EV_ACCOUNT_CHANGED, next);
    if (ends_sessions)
        account_void_sessions(ret, cmd, ctx, next, STR_NONE);
    decision_audit(ret, cmd, ctx, "user.changed", old, next, NULL);
    account_reply(ret, cmd, next);
}

static void set_undone(const struct command *cmd) {
    struct auth_service *auth = cmd->service;
    if (auth->admin_guard == cmd)
        auth->admin_guard = NULL;
}

static void set_applied(const struct command *cmd, const struct decision *d, const void *state) {
    set_undone(cmd); /* the guard's work is done either way */
    account_voided(cmd, d, state);
}

const struct command_type account_set = {.name = "account.set",
                                         .aggregate = &account_aggregate,
                                         .load = set_load,
                                         .decide = set_decide,
                                         .applied = set_applied,
                                         .undone = set_undone};
