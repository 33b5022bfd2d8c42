/* The second factor: the decisions. */
#include "services/auth/factor.h"

#include "base/timestamp.h"
#include "events/events.h"
#include "runtime/audit.h"

#include <string.h>

bool factor_missing(const struct auth_service *auth, const struct account *account) {
    bool staff = account->role == ROLE_DISPATCHER && auth->require_factor == FACTOR_STAFF;
    bool admin = account->role == ROLE_ADMIN && auth->require_factor != FACTOR_NOBODY;
    return (staff || admin) && !account->second_factor;
}

/* Capitals without the spaces and hyphens that people put between. */
static struct str plain(struct str code, struct arena *a) {
    char *out = arena_bytes(a, code.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < code.len; i++) {
        char c = code.p[i];
        if (c != ' ' && c != '-')
            out[len++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return (struct str){out, len};
}

struct str recovery_hash(struct str code, struct arena *a) {
    struct str text = plain(code, a);
    return refresh_part_hash((const unsigned char *)text.p, text.len, a);
}

static struct account_factor *copy_factor(const struct account *account, struct arena *a) {
    struct account_factor *f = arena_new(a, struct account_factor);
    if (account->factor != NULL)
        *f = *account->factor;
    return f;
}

/* Takes CODE, so that it is not taken again: NEXT is a copy of the account's factor. */
static bool take_code(struct account_factor *next, struct str code, int64_t now_us,
                      struct arena *a) {
    if (totp_check(next->secret, plain(code, a), now_us, next->last_step, &next->last_step) == 0)
        return true;
    struct str hash = recovery_hash(code, a);
    struct str *left = arena_array(a, struct str, next->recovery_count + 1);
    int32_t count = 0;
    for (int32_t i = 0; i < next->recovery_count; i++) {
        if (!str_eq_secret(next->recovery[i], hash))
            left[count++] = next->recovery[i];
    }
    bool taken = count < next->recovery_count;
    next->recovery = left;
    next->recovery_count = count;
    return taken;
}

static bool exists(const struct command *cmd, const struct account *account, struct decision *ret) {
    if (account == NULL)
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such user");
    return account != NULL;
}

/* ---- enrolling ---- */

/* What authenticators read from a QR code: "Key Uri Format". */
static struct str otpauth_uri(struct str email, struct str secret, struct arena *a) {
    struct buf out;
    buf_init(&out, a, 256);
    buf_add_cstr(&out, "otpauth://totp/Lorry:");
    for (size_t i = 0; i < email.len; i++) {
        unsigned char c = (unsigned char)email.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
        buf_printf(&out, plain ? "%c" : "%%%02X", c);
    }
    buf_printf(&out, "?secret=%.*s&issuer=Lorry&algorithm=SHA1&digits=%d&period=%d",
               STR_ARG(secret), TOTP_DIGITS, (int)(TOTP_STEP_US / US_PER_S));
    return buf_str(&out);
}

static void begin_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct factor_begin_args *args = cmd->args;
    const struct account *old = state;
    if (!exists(cmd, old, ret))
        return;
    if (old->second_factor) {
        decision_problem(ret, cmd, PROBLEM_SECOND_FACTOR_STATE,
                         "there is a second factor already; remove it first");
        return;
    }
    struct account *next = arena_copy(ctx->arena, old, sizeof(*old));
    next->factor = copy_factor(old, ctx->arena);
    next->factor->pending = args->secret;
    decision_state(ret, cmd, old, next);
    decision_json(ret, 200,
                  arena_printf(cmd->arena, "{\"secret\":\"%.*s\",\"otpauth_uri\":\"%.*s\"}",
                               STR_ARG(args->secret),
                               STR_ARG(otpauth_uri(old->email, args->secret, cmd->arena))));
}

const struct command_type factor_begin = {
    .name = "factor.begin", .aggregate = &account_aggregate, .decide = begin_decide};

static void confirm_decide(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct factor_confirm_args *args = cmd->args;
    const struct account *old = state;
    int64_t step;
    if (!exists(cmd, old, ret))
        return;
    if (old->second_factor || old->factor == NULL || old->factor->pending.p == NULL) {
        decision_problem(ret, cmd, PROBLEM_SECOND_FACTOR_STATE, "there is none to confirm");
        return;
    }
    if (totp_check(old->factor->pending, plain(args->code, cmd->arena), ctx->now_us,
                   old->factor->last_step, &step) < 0) {
        decision_problem(ret, cmd, PROBLEM_NOT_CONFIRMED,
                         "this is not the code of now; is the clock of the device right?");
        return;
    }
    struct account *next = arena_copy(ctx->arena, old, sizeof(*old));
    struct account_factor *f = next->factor = arena_new(ctx->arena, struct account_factor);
    *f = (struct account_factor){
        .secret = old->factor->pending, .last_step = step, .recovery_count = RECOVERY_CODES};
    f->recovery = arena_copy(ctx->arena, args->hashes, sizeof(args->hashes));
    next->second_factor = true;
    decision_state(ret, cmd, old, next);
    account_void_sessions(ret, cmd, ctx, next, cmd->who.sid);
    decision_json(ret, 200, args->reply);
}

const struct command_type factor_confirm = {.name = "factor.confirm",
                                            .aggregate = &account_aggregate,
                                            .decide = confirm_decide,
                                            .applied = account_voided};

/* ---- using ---- */

static void count_code(const struct command *cmd, const struct decision *d, const void *state) {
    struct auth_service *auth = cmd->service;
    (void)state;
    auth->factors[d->state != NULL]++;
}

static void use_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct code_args *args = cmd->args;
    const struct account *old = state;
    if (!exists(cmd, old, ret) || !old->second_factor)
        return; /* removed since the password was looked at: nothing is asked for any more */
    struct account *next = arena_copy(ctx->arena, old, sizeof(*old));
    next->factor = copy_factor(old, ctx->arena);
    if (take_code(next->factor, args->code, ctx->now_us, cmd->arena))
        decision_state(ret, cmd, old, next);
    else
        decision_problem(ret, cmd, PROBLEM_NOT_CONFIRMED,
                         "this code is not right, or was used before");
}

const struct command_type factor_use = {.name = "factor.use",
                                        .aggregate = &account_aggregate,
                                        .decide = use_decide,
                                        .applied = count_code};

/* ---- removing ---- */

/* Without it, all but who says so must sign in anew. */
static struct account *without_factor(const struct command *cmd, const struct decide_ctx *ctx,
                                      const struct account *old, struct str kept,
                                      struct decision *ret) {
    struct account *next = arena_copy(ctx->arena, old, sizeof(*old));
    int64_t last_step = old->factor != NULL ? old->factor->last_step : 0;
    next->factor = arena_new(ctx->arena, struct account_factor);
    next->factor->last_step = last_step; /* should the same secret come back */
    next->second_factor = false;
    decision_state(ret, cmd, old, next);
    account_void_sessions(ret, cmd, ctx, next, kept);
    return next;
}

static void remove_decide(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct code_args *args = cmd->args;
    const struct account *old = state;
    if (!exists(cmd, old, ret))
        return;
    if (!old->second_factor)
        decision_problem(ret, cmd, PROBLEM_SECOND_FACTOR_STATE, "there is none to remove");
    else if (!take_code(copy_factor(old, ctx->arena), args->code, ctx->now_us, cmd->arena))
        decision_problem(ret, cmd, PROBLEM_NOT_CONFIRMED,
                         "this code is not right, or was used before");
    else
        without_factor(cmd, ctx, old, cmd->who.sid, ret);
}

const struct command_type factor_remove = {.name = "factor.remove",
                                           .aggregate = &account_aggregate,
                                           .decide = remove_decide,
                                           .applied = account_voided};

static void reset_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct account *old = state;
    if (!exists(cmd, old, ret) || !old->second_factor)
        return;
    struct account *next = without_factor(cmd, ctx, old, STR_NONE, ret);
    decision_audit(ret, cmd, ctx, "user.second_factor_reset", old, next, NULL);
}

const struct command_type factor_reset = {.name = "factor.reset",
                                          .aggregate = &account_aggregate,
                                          .decide = reset_decide,
                                          .applied = account_voided};
