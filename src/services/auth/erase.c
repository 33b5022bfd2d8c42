/* Erasing a person: the account is emptied at once, in one write with the event by which every
 * service forgets who he was (runtime/eraser.h). What stays is an id that leads to nobody: bookings
 * and their amounts hang on it, which the house must be able to account for.
 *
 * Who has a booking to finish cannot be erased, nor can the last administrator.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "runtime/audit.h"
#include "runtime/eraser.h"
#include "services/auth/api_keys.h"
#include "services/auth/audit_log.h"
#include "services/auth/factor.h"
#include "services/auth/flow.h"
#include "services/auth/leaving.h"

#define ERASED_NAME "Erased"
#define ERASED_HOST "erased.invalid" /* RFC 2606: nobody's, ever */

struct erase_args {
    struct str known;   /* one's own: the hash of the password that was given; absent: an admin's */
    int64_t leaving_us; /* as in struct set_args */
};
struct erase_facts {
    bool other_admin;
    struct str open[ENGAGED_MAX];
    int32_t open_count;
};

/* ---- the account ---- */

static int erase_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct auth_service *auth = cmd->service;
    struct erase_facts *facts = arena_new(cmd->arena, struct erase_facts);
    *facts = (struct erase_facts){.open_count = 0};
    cmd->facts = facts;
    int err = account_other_admin(auth->parser, store, cmd->id, cmd->arena, &facts->other_admin);
    if (err == 0 && auth->engaged != NULL)
        err = auth->engaged(store, auth->parser, cmd->id, cmd->arena, facts->open,
                            &facts->open_count);
    return err;
}

static void refuse_engaged(const struct command *cmd, const struct erase_facts *facts,
                           struct decision *ret) {
    struct buf out;
    struct jw w;
    buf_init(&out, cmd->arena, 256);
    jw_init(&w, &out);
    jw_array(&w);
    for (int32_t i = 0; i < facts->open_count; i++)
        jw_str(&w, facts->open[i]);
    jw_end(&w);
    struct str extra = arena_printf(cmd->arena, "\"booking_ids\":%.*s", STR_ARG(buf_str(&out)));
    problem_fill_more(&ret->response, cmd->arena, cmd->request_id, PROBLEM_ACTIVE_BOOKING,
                      STR("there are bookings that have not ended"), NULL, extra, 0);
}

/* False: RET has the problem. */
static bool may_erase(const struct command *cmd, const struct decide_ctx *ctx,
                      const struct account *old, struct decision *ret) {
    const struct erase_args *args = cmd->args;
    const struct erase_facts *facts = cmd->facts;
    if (old == NULL || old->erased_us != 0) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such user");
        return false;
    }
    if (args->known.p != NULL && !str_eq(args->known, old->password_hash)) {
        decision_problem(ret, cmd, PROBLEM_NOT_CONFIRMED, "this is not your password");
        return false;
    }
    if (facts->open_count > 0) {
        refuse_engaged(cmd, facts, ret);
        return false;
    }
    return !account_is_admin(old) ||
           admin_may_leave(ret, cmd, ctx, facts->other_admin, args->leaving_us);
}

static const char *const erased_members[] = {"disabled", "erased_at", NULL};

static void erase_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct account *old = state;
    if (!may_erase(cmd, ctx, old, ret))
        return;
    struct account *next = arena_new(ctx->arena, struct account);
    *next = (struct account){
        .email = arena_printf(ctx->arena, "%.*s@" ERASED_HOST, STR_ARG(cmd->id)),
        .name = STR(ERASED_NAME),
        .role = old->role,
        .disabled = true,
        .created_us = old->created_us,
        .erased_us = ctx->now_us,
    };
    decision_state(ret, cmd, old, next);
    decision_event(ret, cmd, ctx, EV_ACCOUNT_ERASED, cmd->id, &ev_erased_schema,
                   &(struct ev_erased){.user_id = cmd->id,
                                       .role = old->role,
                                       .email_id = email_id(ctx->arena, old->email)});
    account_void_sessions(ret, cmd, ctx, next, STR_NONE);
    if (((const struct erase_args *)cmd->args)->known.p == NULL)
        decision_audit(ret, cmd, ctx, "user.erased", old, next,
                       &(struct audit_more){.only = erased_members});
}

static const struct command_type account_erase = {.name = "account.erase",
                                                  .aggregate = &account_aggregate,
                                                  .load = erase_load,
                                                  .decide = erase_decide,
                                                  .applied = account_voided};

/* ---- over HTTP ---- */

static void erased(struct flow *f, const struct command *cmd) {
    (void)cmd;
    call_empty(f->call, f->status);
}

static void erase(struct flow *f, const struct command *left) {
    struct erase_args *args = f->args;
    if (left != NULL)
        args->leaving_us = ((const struct leaving *)left->decision.state)->since_us;
    flow_step(f, &account_erase, f->session.user_id, args, erased);
}

static void leave_or_erase(struct flow *f) {
    if (!account_is_admin(f->account)) {
        erase(f, NULL);
        return;
    }
    struct leave_args *leave = arena_new(&f->call->arena, struct leave_args);
    leave->user_id = f->session.user_id;
    flow_step(f, &admin_leave, STR(LEAVING_ID), leave, erase);
}

static void confirmed(struct flow *f, const struct command *cmd) {
    (void)cmd;
    ((struct erase_args *)f->args)->known = f->account->password_hash;
    leave_or_erase(f);
}

static struct flow *begin(struct call *c, struct str user_id) {
    struct flow *f = flow_new(c, 204);
    struct erase_args *args = arena_new(&c->arena, struct erase_args);
    *args = (struct erase_args){STR_NONE, 0};
    f->args = args;
    f->session.user_id = user_id;
    return f;
}

void handle_erase(struct call *c) {
    flow_confirm(begin(c, c->who.user_id), password_of(c->body), confirmed);
}

void handle_erase_user(struct call *c) {
    if (!id_valid(c->params[0], "usr")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such user");
        return;
    }
    struct flow *f = begin(c, c->params[0]);
    f->account = call_state(c, &account_aggregate, c->params[0]);
    if (f->account != NULL)
        leave_or_erase(f);
}

/* ---- the rest of what auth knows ---- */

static struct str driver_key(struct arena *a, struct str user_id) {
    return id_with_prefix(a, user_id, "drv");
}

/* That something was done to him stays, not what he was. */
static enum eraser_verdict judge_entry(void *state, struct str user_id, struct arena *a) {
    (void)user_id;
    (void)a;
    struct audit_entry *e = state;
    if (str_is(e->note.action, "user.erased") ||
        (e->note.before.p == NULL && e->note.after.p == NULL && e->note.reason.p == NULL))
        return ERASE_KEEP;
    e->note.before = e->note.after = e->note.reason = STR_NONE;
    return ERASE_WRITE;
}

static const struct eraser_target targets[] = {
    {&session_aggregate, 1, NULL, NULL},
    {&api_key_aggregate, 0, NULL, NULL},
    {&audit_aggregate, 1, NULL, judge_entry},
    {&audit_aggregate, 1, driver_key, judge_entry},
};
const struct store_collection auth_erasure_collection = {.name = "auth_erasures"};
static const struct aggregate erasure_aggregate = {.collection = &auth_erasure_collection,
                                                   .schema = &erasure_schema};
static const struct command_type erasure_begin = {
    .name = "auth.erase", .aggregate = &erasure_aggregate, .decide = eraser_begin};
const struct eraser auth_eraser = {&erasure_aggregate, &erasure_begin, targets, COUNT_OF(targets)};

/* His e-mail is free again: somebody may have it, or himself. */
static void free_email_decide(const struct command *cmd, const struct decide_ctx *ctx,
                              const void *state, struct decision *ret) {
    (void)ctx;
    const struct reservation *old = state;
    const struct reserve_args *args = cmd->args;
    ret->remove = old != NULL && str_eq(old->user_id, args->user_id);
}
static const struct command_type email_free = {
    .name = "email.free", .aggregate = &reservation_aggregate, .decide = free_email_decide};

void on_erased(struct event_turn *t, const void *data) {
    const struct ev_erased *e = data;
    eraser_take(t, e, &erasure_begin);
    if (e->email_id.p == NULL || !str_starts(e->email_id, "eml_"))
        return;
    struct reserve_args *args = arena_new(t->arena, struct reserve_args);
    args->user_id = e->user_id;
    event_command(t, &email_free, e->email_id, args);
}
