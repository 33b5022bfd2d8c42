/* Attaching: one command for each file, one after the other, then the service that asked goes on.
 */
#include "base/check.h"
#include "base/id.h"
#include "services/files/internal.h"

struct attaching {
    struct files_service *service;
    struct call *call;
    struct str subject;
    struct file_claim *claims;
    int32_t count, done;
    files_then_fn then;
    void *arg;
};

static void attach_next(struct attaching *t);

static void attached(struct command *cmd, int result, struct response *response) {
    struct attaching *t = cmd->finish_arg;
    struct call *c = t->call;
    if (result < 0) {
        call_error(c, result);
    } else if (response->status >= 400 && t->claims[t->done].refusal != NULL) {
        *t->claims[t->done].refusal = *response;
        t->then(c, t->claims, t->count, t->arg);
    } else if (response->status >= 400) {
        c->response = *response;
        c->reply(c);
    } else {
        t->done++;
        attach_next(t);
    }
}

static void attach_next(struct attaching *t) {
    struct call *c = t->call;
    if (t->done == t->count) {
        t->then(c, t->claims, t->count, t->arg);
        return;
    }
    struct file_claim *claim = &t->claims[t->done];
    struct file_attach_args *args = arena_new(&c->arena, struct file_attach_args);
    *args = (struct file_attach_args){.subject = t->subject, .claim = claim};
    files_step(t->service, c, &file_attach_type, claim->id, args, attached, t);
}

void files_attach(struct files *port, struct call *c, struct str subject, struct file_claim *claims,
                  int32_t count, files_then_fn then, void *arg) {
    struct attaching *t = arena_new(&c->arena, struct attaching);
    CHECK(count <= FILE_CLAIMS_MAX);
    *t = (struct attaching){.service = (struct files_service *)port,
                            .call = c,
                            .subject = subject,
                            .claims = claims,
                            .count = count,
                            .then = then,
                            .arg = arg};
    attach_next(t);
}
