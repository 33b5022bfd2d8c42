/* The routes of the second factor. Secrets and recovery codes are drawn on the network thread. */
#include "services/auth/factor.h"
#include "services/auth/flow.h"
#include "services/auth/validate.h"

#include <stddef.h>
#include <string.h>

struct password_body {
    struct str password;
};
static const struct schema_field password_fields[] = {
    {"password", S_STR, S_IN | S_REQUIRED, offsetof(struct password_body, password), .min = 1,
     .max = PASSWORD_MAX_CHARS},
};
const struct schema password_schema =
    SCHEMA(struct password_body, "PasswordRequest", password_fields);
struct str password_of(const void *body) {
    return ((const struct password_body *)body)->password;
}

static const struct schema_field code_fields[] = {
    {"code", S_LINE, S_IN | S_REQUIRED, offsetof(struct code_args, code), .min = 6,
     .max = CODE_MAX_CHARS},
};
const struct schema code_schema = SCHEMA(struct code_args, "CodeRequest", code_fields);

/* The answer of the flow's last command goes out as it is. */
static void reply_as_decided(struct flow *f, const struct command *cmd) {
    struct call *c = f->call;
    c->response = cmd->decision.response;
    response_header(&c->response, "Cache-Control", STR("no-store"));
    if (c->response.status == 0)
        c->response.status = 204;
    c->reply(c);
}

static struct str draw(struct auth_service *auth, size_t len, struct arena *a) {
    unsigned char bytes[TOTP_SECRET_BYTES];
    auth->entropy->fill(auth->entropy, bytes, len);
    return totp_base32(bytes, len, a);
}

/* ---- enrolling ---- */

static void begin_confirmed(struct flow *f, const struct command *cmd) {
    (void)cmd;
    struct factor_begin_args *args = arena_new(&f->call->arena, struct factor_begin_args);
    args->secret = f->code;
    flow_step(f, &factor_begin, f->account->head.id, args, reply_as_decided);
}

void handle_factor_begin(struct call *c) {
    const struct password_body *body = c->body;
    struct flow *f = flow_new(c, 200);
    f->code = draw(f->auth, TOTP_SECRET_BYTES, &c->arena);
    flow_confirm(f, body->password, begin_confirmed);
}

/* "ABCD-EFGH-IJKL-MNOP" */
static struct str with_hyphens(struct str code, struct arena *a) {
    struct buf out;
    buf_init(&out, a, 32);
    for (size_t i = 0; i < code.len; i += 4) {
        if (i > 0)
            buf_add_char(&out, '-');
        buf_add_str(&out, str_sub(code, i, 4));
    }
    return buf_str(&out);
}

void handle_factor_confirm(struct call *c) {
    const struct code_args *body = c->body;
    struct flow *f = flow_new(c, 200);
    struct factor_confirm_args *args = arena_new(&c->arena, struct factor_confirm_args);
    struct buf out;
    struct jw w;
    buf_init(&out, &c->arena, 512);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "recovery_codes");
    jw_array(&w);
    for (int i = 0; i < RECOVERY_CODES; i++) {
        struct str code = draw(f->auth, RECOVERY_BYTES, &c->arena);
        args->hashes[i] = recovery_hash(code, &c->arena);
        jw_str(&w, with_hyphens(code, &c->arena));
    }
    jw_end(&w);
    jw_end(&w);
    args->code = body->code;
    args->reply = buf_str(&out);
    flow_step(f, &factor_confirm, c->who.user_id, args, reply_as_decided);
}

/* ---- removing ---- */

static void removed(struct flow *f, const struct command *cmd) {
    flow_code_right(f);
    reply_as_decided(f, cmd);
}

void handle_factor_remove(struct call *c) {
    struct flow *f = flow_new(c, 204);
    if (!flow_begin_code(f))
        return;
    f->refused = flow_code_wrong;
    flow_step(f, &factor_remove, c->who.user_id, c->body, removed);
}

void handle_factor_reset(struct call *c) {
    if (!id_valid(c->params[0], "usr")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such user");
        return;
    }
    call_command(c, &factor_reset, c->params[0], NULL);
}
