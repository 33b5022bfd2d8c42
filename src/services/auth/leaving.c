#include "services/auth/leaving.h"

#include "base/err.h"
#include "services/auth/internal.h"

#include <stddef.h>

#define OF(member) offsetof(struct leaving, member)
static const struct schema_field fields[] = {
    {"user_id", S_ID, S_STORE, OF(user_id), .hint = "usr"},
    {"since", S_TIME, S_STORE, OF(since_us)},
};
static const struct schema schema = SCHEMA(struct leaving, "LeavingAdmin", fields);
const struct store_collection leaving_collection = {.name = "leaving"};
const struct aggregate leaving_aggregate = {.collection = &leaving_collection, .schema = &schema};

struct leave_facts {
    struct str holder; /* who is leaving; absent: nobody */
    bool active;       /* he is an administrator still */
    bool other_admin;  /* beside the one who would leave: a first look, so that nobody waits for
                          what is refused anyway. The one that counts follows. */
};

static int leave_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct auth_service *auth = cmd->service;
    const struct leave_args *args = cmd->args;
    struct leave_facts *facts = arena_new(cmd->arena, struct leave_facts);
    cmd->facts = facts;
    *facts = (struct leave_facts){STR_NONE, false, false};
    int seen =
        account_other_admin(auth->parser, store, args->user_id, cmd->arena, &facts->other_admin);
    if (seen < 0)
        return seen;
    void *state;
    int err = aggregate_get(&leaving_aggregate, store, auth->parser, cmd->id, cmd->arena, &state);
    if (err == 0) {
        facts->holder = ((const struct leaving *)state)->user_id;
        err = aggregate_get(&account_aggregate, store, auth->parser, facts->holder, cmd->arena,
                            &state);
        facts->active = err == 0 && account_is_admin(state);
    }
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* Of who has come between the load and here we know nothing: he holds it. */
static void leave_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct leave_args *args = cmd->args;
    const struct leave_facts *facts = cmd->facts;
    const struct leaving *old = state;
    if (!facts->other_admin) {
        decision_problem(ret, cmd, PROBLEM_LAST_ADMIN,
                         "this is the last administrator who can sign in");
        return;
    }
    bool own = old != NULL && str_eq(old->user_id, args->user_id);
    bool fresh = old != NULL && ctx->now_us < old->since_us + LEAVING_US;
    bool known = old != NULL && facts->holder.p != NULL && str_eq(facts->holder, old->user_id);
    if (fresh && !own && (!known || facts->active)) {
        decision_problem(ret, cmd, PROBLEM_OVERLOADED,
                         "another administrator is being changed at this moment; try again");
        return;
    }
    struct leaving *next = arena_new(ctx->arena, struct leaving);
    *next = (struct leaving){.user_id = args->user_id, .since_us = ctx->now_us};
    decision_state(ret, cmd, old, next);
}

const struct command_type admin_leave = {.name = "admin.leave",
                                         .aggregate = &leaving_aggregate,
                                         .load = leave_load,
                                         .decide = leave_decide};
