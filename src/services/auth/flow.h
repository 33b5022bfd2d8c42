/* Flows: what auth does for one request in several steps, each a command or a hash, on the threads
 * of the network, the hasher and the executor in turn. A step that is refused answers with its
 * problem and ends the flow there. All memory of a flow lives in its call's arena.
 */
#ifndef LORRY_SERVICES_AUTH_FLOW_H
#define LORRY_SERVICES_AUTH_FLOW_H

#include "services/auth/internal.h"
#include "services/auth/login_guard.h"

struct flow {
    struct auth_service *auth;
    struct call *call;
    struct hash_job job;
    struct account *account; /* who is signing in; login with an unknown e-mail: NULL */
    struct str email_id;
    struct login_try tried;
    struct session_args session;
    struct refresh_token token; /* the one that goes out */
    int status;                 /* of the answer when all goes well */
    void *args;                 /* of a step to come */
    struct str code;            /* login: of the second factor; absent: none */
    struct str password;        /* of the account that is being made */
    int64_t since_us;           /* set-up: when it was claimed */
    /* of the step under way */
    void (*refused)(struct flow *f); /* optional: its problem is about to be answered */
    void (*next)(struct flow *f, const struct command *cmd);
};
/* Of the call's service; answers with STATUS when all goes well. */
struct flow *flow_new(struct call *c, int status);
/* Sends a command; when it is durable, NEXT goes on, on the executor's thread. */
void flow_step(struct flow *f, const struct command_type *type, struct str id, void *args,
               void (*next)(struct flow *f, const struct command *cmd));
/* Goes on once there is a key to sign with: only the very first flow of a platform waits. */
void flow_with_keys(struct flow *f, void (*next)(struct flow *f, const struct command *cmd));
/* Hands the flow to the hasher, whose thread calls DONE. False: it is full, and F is still ours. */
bool flow_hash(struct flow *f, struct str password, void (*done)(struct hash_job *job));
void flow_hasher_full(struct call *c);
/* A command that no request waits for: it has its own memory, where its args must lie. */
struct command *detached_new(struct auth_service *auth, const struct command_type *type,
                             struct str id);
/* ERR_FULL: it will not be carried out. On C's thread; C lives on. */
int detached_submit(const struct call *c, struct command *cmd);

/* The signed-in caller's own account in f->account, and his password checked: counted like a
 * sign-in, because a stolen session must not guess it. Replies itself when it is not right, else
 * NEXT goes on (on the hasher's thread). */
void flow_confirm(struct flow *f, struct str password,
                  void (*next)(struct flow *f, const struct command *cmd));
/* The same by a code of his second factor: counts a try before NEXT, which must end in
 * flow_code_right or, by f->refused, flow_code_wrong. False: replied. */
bool flow_begin_code(struct flow *f);
void flow_code_right(struct flow *f);
void flow_code_wrong(struct flow *f);

/* Making an account, as register and set-up do: new (network thread) draws what is drawn, and has
 * replied when it returns NULL; go (any thread) hashes, reserves the e-mail, creates, signs in and
 * replies. SINCE_US > 0: the account must be there within RESERVATION_US / 2 of it. */
struct new_account {
    struct str email; /* normalised */
    struct str name, phone, password;
    enum role role;
};
struct flow *flow_account_new(struct call *c, const struct new_account *n);
void flow_account_go(struct flow *f, int64_t since_us);

#endif
