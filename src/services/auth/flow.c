/* The steps of flows. */
#include "services/auth/flow.h"

#include "base/check.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

struct flow *flow_new(struct call *c, int status) {
    struct flow *f = arena_new(&c->arena, struct flow);
    f->auth = c->service;
    f->call = c;
    f->status = status;
    return f;
}

static void step_finish(struct command *cmd, int result, struct response *response) {
    struct flow *f = cmd->finish_arg;
    struct call *c = f->call;
    if (result < 0) {
        call_error(c, result);
    } else if (response->status >= 400) {
        if (f->refused != NULL)
            f->refused(f);
        c->response = *response;
        c->reply(c);
    } else {
        f->next(f, cmd);
    }
}

void flow_step(struct flow *f, const struct command_type *type, struct str id, void *args,
               void (*next)(struct flow *f, const struct command *cmd)) {
    struct call *c = f->call;
    struct command *cmd = arena_new(&c->arena, struct command);
    cmd->type = type;
    cmd->service = f->auth;
    cmd->id = id;
    cmd->args = args;
    cmd->who = c->who;
    cmd->request_id = c->request_id;
    cmd->trace = c->trace;
    cmd->arena = &c->arena;
    cmd->finish = step_finish;
    cmd->finish_arg = f;
    f->next = next;
    if (executor_submit(runtime_options(c->runtime)->executor, cmd) < 0)
        call_problem(c, PROBLEM_OVERLOADED, "too many requests wait to be written");
}

void flow_with_keys(struct flow *f, void (*next)(struct flow *f, const struct command *cmd)) {
    if (f->auth->has_keys)
        next(f, NULL);
    else
        flow_step(f, &keys_tend, STR(KEY_RING_ID), NULL, next);
}

bool flow_hash(struct flow *f, struct str password, void (*done)(struct hash_job *job)) {
    struct hasher *h = f->auth->hasher;
    f->job.password = password;
    f->job.done = done;
    f->job.arg = f;
    return h->ops->submit(h, &f->job) == 0;
}

void flow_hasher_full(struct call *c) {
    call_problem(c, PROBLEM_OVERLOADED, "too many passwords wait to be checked");
}

/* ---- commands that nobody waits for ---- */

struct detached {
    struct command cmd;
    struct arena arena;
};

static void detached_done(struct command *cmd, int result, struct response *response) {
    struct detached *d = cmd->finish_arg;
    (void)result; /* nobody waits for it */
    (void)response;
    arena_free(&d->arena);
    free(d);
}

struct command *detached_new(struct auth_service *auth, const struct command_type *type,
                             struct str id) {
    struct detached *d = xcalloc(1, sizeof(*d));
    arena_init(&d->arena, 2048);
    d->cmd = (struct command){.type = type,
                              .service = auth,
                              .id = arena_str(&d->arena, id),
                              .arena = &d->arena,
                              .finish = detached_done,
                              .finish_arg = d};
    return &d->cmd;
}

int detached_submit(const struct call *c, struct command *cmd) {
    cmd->request_id = arena_str(cmd->arena, c->request_id);
    int err = executor_submit(runtime_options(c->runtime)->executor, cmd);
    if (err < 0)
        detached_done(cmd, err, NULL);
    return err;
}

/* ---- confirming that it is still he ---- */

/* His account, in f->account. False: replied. */
static bool take_own(struct flow *f) {
    struct call *c = f->call;
    f->account = call_state(c, &account_aggregate, c->who.user_id);
    if (f->account != NULL)
        f->email_id = email_id(&c->arena, f->account->email);
    return f->account != NULL;
}

static void confirmed(struct hash_job *job) {
    struct flow *f = job->arg;
    struct call *c = f->call;
    if (job->result == ERR_UNAVAILABLE) {
        guard_login_undone(f->auth, c, &f->tried);
        call_problem(c, PROBLEM_OVERLOADED, "passwords cannot be checked now");
    } else if (job->result < 0) {
        guard_login_wrong(f->auth, c);
        call_problem(c, PROBLEM_NOT_CONFIRMED, "this is not your password");
    } else {
        guard_login_undone(f->auth, c, &f->tried);
        f->next(f, NULL);
    }
}

void flow_confirm(struct flow *f, struct str password,
                  void (*next)(struct flow *f, const struct command *cmd)) {
    struct auth_service *auth = f->auth;
    struct call *c = f->call;
    if (!take_own(f) || !guard_login(auth, c, f->email_id, &f->tried))
        return;
    struct str known = f->account->password_hash;
    bool usable = known.len > 0 && known.len < sizeof(f->job.hash);
    memcpy(f->job.hash, usable ? known.p : auth->hasher->dummy,
           usable ? known.len : sizeof(f->job.hash));
    f->job.verify = true;
    f->next = next;
    if (flow_hash(f, password, confirmed))
        return;
    guard_login_undone(auth, c, &f->tried);
    flow_hasher_full(c);
}

bool flow_begin_code(struct flow *f) {
    return take_own(f) && guard_login(f->auth, f->call, f->email_id, &f->tried);
}

void flow_code_right(struct flow *f) {
    guard_login_undone(f->auth, f->call, &f->tried);
}

void flow_code_wrong(struct flow *f) {
    guard_login_wrong(f->auth, f->call);
}
