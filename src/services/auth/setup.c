/* The set-up: its document, its two decisions, its routes. */
#include "services/auth/setup.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "services/auth/flow.h"
#include "services/auth/login_guard.h"
#include "services/auth/validate.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

#define CODE_INPUT_MAX 40
#define HASH_BYTES 32
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's */

/* ---- shapes ---- */

#define OF(member) offsetof(struct setup, member)
static const struct schema_field setup_fields[] = {
    {"code_hash", S_LINE, S_STORE, OF(code_hash)},
    {"expires_at", S_TIME, S_STORE, OF(expires_us)},
    {"tries", S_I64, S_STORE, OF(tries)},
    {"user_id", S_ID, S_STORE, OF(user_id), .hint = "usr"},
    {"claimed_at", S_TIME, S_STORE, OF(claimed_us)},
};
static const struct schema setup_schema = SCHEMA(struct setup, "Setup", setup_fields);
const struct store_collection setup_collection = {.name = "setup"};
const struct aggregate setup_aggregate = {.collection = &setup_collection, .schema = &setup_schema};

struct setup_body {
    struct str code, email, password, name;
};
#define IN(member) .flags = S_IN | S_REQUIRED, .offset = offsetof(struct setup_body, member)
static const struct schema_field body_fields[] = {
    {"code", S_LINE, IN(code), .min = SETUP_CODE_CHARS, .max = CODE_INPUT_MAX},
    {"email", S_LINE, IN(email), .min = 3, .max = EMAIL_MAX},
    {"password", S_STR, IN(password), .min = PASSWORD_MIN_CHARS, .max = PASSWORD_MAX_CHARS},
    {"name", S_LINE, IN(name), .min = 1, .max = NAME_MAX_CHARS},
};
const struct schema setup_request_schema = SCHEMA(struct setup_body, "SetupRequest", body_fields);

/* ---- the code ---- */

void setup_code_text(const unsigned char bytes[SETUP_CODE_CHARS], char out[SETUP_CODE_TEXT_MAX]) {
    size_t at = 0;
    for (size_t i = 0; i < SETUP_CODE_CHARS; i++) {
        if (i > 0 && i % 4 == 0)
            out[at++] = '-';
        out[at++] = alphabet[bytes[i] % 32];
    }
    out[at] = 0;
}

struct str setup_code_hash(struct str code, struct arena *a) {
    char canon[CODE_INPUT_MAX];
    size_t len = 0;
    for (size_t i = 0; i < code.len && len < sizeof(canon); i++) {
        char ch = code.p[i];
        if (ch == '-' || ch == ' ')
            continue;
        if (ch >= 'a' && ch <= 'z')
            ch = (char)(ch - 'a' + 'A');
        canon[len++] = (char)(ch == 'O' ? '0' : ch == 'I' || ch == 'L' ? '1' : ch);
    }
    unsigned char digest[HASH_BYTES];
    char *hex = arena_bytes(a, 2 * HASH_BYTES + 1);
    crypto_generichash(digest, sizeof(digest), (const unsigned char *)canon, len, NULL, 0);
    sodium_bin2hex(hex, 2 * HASH_BYTES + 1, digest, sizeof(digest));
    return (struct str){hex, (size_t)2 * HASH_BYTES};
}

static bool same_hash(struct str a, struct str b) {
    return a.len == b.len && a.len > 0 && sodium_memcmp(a.p, b.p, a.len) == 0;
}

static bool is_open(const struct setup *s, int64_t now_us) {
    return s != NULL && now_us < s->expires_us && s->tries < SETUP_TRIES_MAX;
}

/* ---- the decisions ---- */

struct setup_facts {
    bool has_admin;
};

static int setup_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct auth_service *auth = cmd->service;
    struct setup_facts *facts = arena_new(cmd->arena, struct setup_facts);
    cmd->facts = facts;
    return account_other_admin(auth->parser, store, STR_NONE, cmd->arena, &facts->has_admin);
}

static bool refuse_done(const struct command *cmd, struct decision *ret) {
    const struct setup_facts *facts = cmd->facts;
    if (facts->has_admin)
        decision_problem(ret, cmd, PROBLEM_SETUP_DONE, "this platform has an administrator");
    return facts->has_admin;
}

static void offer_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct setup_args *args = cmd->args;
    if (refuse_done(cmd, ret))
        return;
    struct setup *next = arena_new(ctx->arena, struct setup);
    next->code_hash = args->code_hash;
    next->expires_us = ctx->now_us + SETUP_CODE_US;
    decision_state(ret, cmd, state, next);
}

static void claim_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct setup_args *args = cmd->args;
    const struct setup *old = state;
    if (refuse_done(cmd, ret))
        return;
    bool open = is_open(old, ctx->now_us);
    struct setup *next = open ? arena_copy(ctx->arena, old, sizeof(*old)) : NULL;
    if (!open || !same_hash(old->code_hash, args->code_hash)) {
        decision_problem(ret, cmd, PROBLEM_SETUP_CODE,
                         "this is not the code that the server printed last, or its time is over");
        if (open) { /* a wrong one counts */
            next->tries++;
            decision_state(ret, cmd, old, next);
        }
        return;
    }
    if (old->user_id.p != NULL && ctx->now_us < old->claimed_us + SETUP_CLAIM_US) {
        decision_problem(ret, cmd, PROBLEM_SETUP_DONE,
                         "somebody else has just used the code; look again in a minute");
        return;
    }
    next->user_id = args->user_id;
    next->claimed_us = ctx->now_us;
    decision_state(ret, cmd, old, next);
}

const struct command_type setup_offer = {.name = "setup.offer",
                                         .aggregate = &setup_aggregate,
                                         .load = setup_load,
                                         .decide = offer_decide};
const struct command_type setup_claim = {.name = "setup.claim",
                                         .aggregate = &setup_aggregate,
                                         .load = setup_load,
                                         .decide = claim_decide};

/* ---- routes ---- */

/* The document, or NULL where no server has offered a code. */
static int read_setup(struct call *c, const struct setup **ret) {
    void *state;
    int err = aggregate_get(&setup_aggregate, c->worker->reader, c->worker->parser, STR(SETUP_ID),
                            &c->arena, &state);
    *ret = err == 0 ? state : NULL;
    return err == ERR_NOT_FOUND ? 0 : err;
}

void setup_look(struct call *c) {
    const struct auth_service *auth = c->service;
    const struct setup *s = NULL;
    bool has_admin = false;
    int err =
        account_other_admin(c->worker->parser, c->worker->reader, STR_NONE, &c->arena, &has_admin);
    if (err == 0)
        err = read_setup(c, &s);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    struct buf out;
    struct jw w;
    buf_init(&out, &c->arena, 128);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "needed");
    jw_bool(&w, !has_admin);
    jw_key(&w, "code_expires_at");
    if (!has_admin && is_open(s, c->now_us))
        jw_time(&w, s->expires_us);
    else
        jw_null(&w);
    jw_key(&w, "can_fill");
    jw_bool(&w, auth->fill != NULL);
    jw_end(&w);
    response_header(&c->response, "Cache-Control", STR("no-store"));
    call_json(c, 200, buf_str(&out));
}

static void claim_finish(struct command *cmd, int result, struct response *response) {
    struct flow *f = cmd->finish_arg;
    struct call *c = f->call;
    if (result < 0) {
        call_error(c, result);
    } else if (response->status >= 400) {
        c->response = *response;
        c->reply(c);
    } else {
        const struct setup *claimed = cmd->decision.state;
        flow_account_go(f, claimed->claimed_us);
    }
}

void setup_check(struct call *c, const void *decoded, struct field_errors *errors) {
    const struct setup_body *b = decoded;
    struct str email = b->email.p != NULL ? email_normalise(b->email, &c->arena) : STR("");
    if (b->email.p != NULL)
        auth_check_field(c, errors, "/email", email_fault(email));
    if (b->password.p != NULL)
        auth_check_field(c, errors, "/password", password_fault(b->password, email));
    if (b->name.p != NULL)
        auth_check_field(c, errors, "/name", name_fault(b->name));
}

void setup_admin(struct call *c) {
    struct auth_service *auth = c->service;
    const struct setup_body *b = c->body;
    if (!guard_register(auth, c))
        return;
    struct flow *f =
        flow_account_new(c, &(struct new_account){.email = email_normalise(b->email, &c->arena),
                                                  .name = b->name,
                                                  .password = b->password,
                                                  .role = ROLE_ADMIN});
    if (f == NULL)
        return;
    struct setup_args *args = arena_new(&c->arena, struct setup_args);
    args->code_hash = setup_code_hash(b->code, &c->arena);
    args->user_id = f->account->head.id;
    struct command *cmd = arena_new(&c->arena, struct command);
    *cmd = (struct command){.type = &setup_claim,
                            .service = auth,
                            .id = STR(SETUP_ID),
                            .args = args,
                            .request_id = c->request_id,
                            .arena = &c->arena,
                            .finish = claim_finish,
                            .finish_arg = f};
    if (executor_submit(runtime_options(c->runtime)->executor, cmd) < 0)
        call_problem(c, PROBLEM_OVERLOADED, "too many requests wait to be written");
}

void setup_fill(struct call *c) {
    const struct auth_service *auth = c->service;
    const struct setup *s;
    int err = read_setup(c, &s);
    if (err < 0)
        call_error(c, err);
    else if (auth->fill == NULL)
        call_problem(c, PROBLEM_SETUP_DONE, "this server cannot be filled while it runs");
    else if (s == NULL || !str_eq(s->user_id, c->who.user_id) ||
             c->now_us > s->claimed_us + SETUP_FILL_US)
        call_problem(c, PROBLEM_SETUP_DONE,
                     "only who has just made the platform's first account may fill it");
    else {
        auth->fill(auth->fill_arg);
        call_empty(c, 202);
    }
}
