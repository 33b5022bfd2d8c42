/* The executor in small: one command at a time, load → decide → commit, on the operator's thread.
 */
#include "services/auth/admin.h"

#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "runtime/audit.h"
#include "services/auth/factor.h"
#include "services/auth/internal.h"
#include "services/auth/leaving.h"
#include "services/auth/setup.h"
#include "services/auth/validate.h"

#include <stdlib.h>
#include <string.h>

struct auth_admin {
    struct auth_admin_options o;
    struct auth_service *service; /* for the decisions: its parser and periods */
    struct rng rng;
};

struct auth_admin *auth_admin_new(const struct auth_admin_options *o) {
    struct auth_admin *m = xcalloc(1, sizeof(*m));
    struct auth_options options = auth_options_default();
    options.entropy = o->entropy;
    if (o->access_ttl_s > 0)
        options.access_ttl_s = o->access_ttl_s;
    if (options.refresh_ttl_s <= options.access_ttl_s) /* of no use here, but it must fit */
        options.refresh_ttl_s = options.access_ttl_s + 1;
    m->o = *o;
    m->service = auth_service_new(&options);
    uint64_t seed;
    o->entropy->fill(o->entropy, &seed, sizeof(seed));
    rng_seed(&m->rng, seed);
    return m;
}

struct auth_admin *auth_admin_free(struct auth_admin *m) {
    if (m == NULL)
        return NULL;
    auth_service_free(m->service);
    free(m);
    return NULL;
}

static int fail(int err, struct str why, struct str *ret_why) {
    *ret_why = why;
    return err;
}

static int store_failed(int err, struct str *ret_why) {
    return fail(err, str_from(err_text(err)), ret_why);
}

/* ---- one command ---- */

/* A problem document's detail, and its kind as an error. */
static int problem_error(struct auth_admin *m, const struct response *r, struct arena *a,
                         struct str *ret_why) {
    struct json_value root, detail;
    *ret_why = STR("refused");
    if (json_parse(m->service->parser, r->body, &root) == 0 && json_get(root, "detail", &detail))
        *ret_why = arena_str(a, json_text(detail));
    switch (r->status) {
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_DENIED;
    case 503:
        return ERR_BUSY;
    default:
        return ERR_INVALID;
    }
}

static int commit(struct auth_admin *m, struct command *cmd, int64_t now_us) {
    const struct aggregate *g = cmd->type->aggregate;
    struct decision *d = &cmd->decision;
    const struct aggregate_head *old = cmd->old_state;
    struct store_change change = {
        .collection = g->collection,
        .id = cmd->id,
        .expected_version = old != NULL ? old->version : 0,
        .state = schema_text(g->schema, d->state, S_STORE, cmd->arena),
        .wake_at_us = g->wake_at != NULL ? g->wake_at(d->state) : 0,
        .commit_id = id_new(cmd->arena, "cmt", now_us, &m->rng),
        .events = d->events,
        .event_count = d->event_count,
        .at_us = now_us,
    };
    if (g->keys != NULL)
        g->keys(d->state, cmd->arena, change.keys);
    int err = m->o.store->ops->commit(m->o.store, &change, 1, NULL, 0);
    return err < 0 ? err : change.result;
}

static int attempt(struct auth_admin *m, struct command *cmd) {
    struct store *store = m->o.store;
    int64_t now_us = m->o.clock->now_us(m->o.clock);
    cmd->decision = (struct decision){0};
    cmd->old_state = NULL;
    int err = cmd->type->load != NULL ? cmd->type->load(cmd, store, now_us) : 0;
    if (err == 0)
        err = aggregate_get(cmd->type->aggregate, store, m->service->parser, cmd->id, cmd->arena,
                            &cmd->old_state);
    if (err == ERR_NOT_FOUND)
        err = 0;
    if (err == 0) {
        struct decide_ctx ctx = {.now_us = now_us, .rng = &m->rng, .arena = cmd->arena};
        cmd->type->decide(cmd, &ctx, cmd->old_state, &cmd->decision);
        if (cmd->decision.state != NULL)
            err = commit(m, cmd, now_us);
    }
    if (cmd->type->undone != NULL)
        cmd->type->undone(cmd); /* what load reserved; there is no memory to apply it to */
    return err;
}

static int run(struct auth_admin *m, const struct command_type *type, struct str id, void *args,
               struct arena *a, struct command **ret_cmd, struct str *ret_why) {
    struct command *cmd = arena_new(a, struct command);
    *cmd = (struct command){.type = type,
                            .service = m->service,
                            .id = id,
                            .args = args,
                            .arena = a,
                            .who.name = STR(AUDIT_SHELL_NAME)};
    int err = ERR_CONFLICT;
    for (int i = 0; err == ERR_CONFLICT && i < EXECUTOR_ATTEMPTS_MAX; i++)
        err = attempt(m, cmd);
    if (err < 0)
        return store_failed(err, ret_why);
    if (cmd->decision.response.status >= 400)
        return problem_error(m, &cmd->decision.response, a, ret_why);
    if (ret_cmd != NULL)
        *ret_cmd = cmd;
    return 0;
}

/* ---- add ---- */

static bool length_fits(struct str s, size_t min, size_t max) {
    size_t chars;
    return str_is_utf8(s, &chars) && chars >= min && chars <= max;
}

static bool has_control(struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    }
    return false;
}

/* As the routes' schemas and checks together. */
static const char *user_fault(const struct auth_admin_user *u, struct str email,
                              const char **ret_field) {
    const char *fault;
    *ret_field = "e-mail";
    if ((fault = email_fault(email)) != NULL)
        return fault;
    *ret_field = "name";
    if (!length_fits(u->name, 1, NAME_MAX_CHARS) || has_control(u->name))
        return "must have 1 to 100 characters on one line";
    if ((fault = name_fault(u->name)) != NULL)
        return fault;
    *ret_field = "phone";
    if (u->phone.len > 0 && (fault = phone_fault(u->phone)) != NULL)
        return fault;
    *ret_field = "role";
    if (u->role <= ROLE_NONE || u->role >= ROLE_COUNT)
        return "must be one of customer, driver, dispatcher, admin";
    *ret_field = "password";
    if (!length_fits(u->password, PASSWORD_MIN_CHARS, PASSWORD_MAX_CHARS) ||
        has_control(u->password))
        return "must have 8 to 128 characters";
    return password_fault(u->password, email);
}

int auth_admin_add(struct auth_admin *m, const struct auth_admin_user *user, struct arena *a,
                   struct str *ret_id, struct str *ret_why) {
    const char *field;
    struct str email = email_normalise(user->email, a);
    const char *fault = user_fault(user, email, &field);
    if (fault != NULL)
        return fail(ERR_INVALID, arena_printf(a, "the %s %s", field, fault), ret_why);
    char hash[HASH_TEXT_MAX];
    int err = hash_password_now(user->password, hash);
    if (err < 0)
        return fail(err, STR("there is no memory to hash the password with"), ret_why);
    struct str id = id_new(a, "usr", m->o.clock->now_us(m->o.clock), &m->rng);
    struct command *reserved;
    err = run(m, &email_reserve, email_id(a, email), &(struct reserve_args){.user_id = id}, a,
              &reserved, ret_why);
    if (err < 0)
        return err == ERR_DENIED ? ERR_DUPLICATE : err;
    const struct reservation *reservation = reserved->decision.state;
    struct create_args create = {
        .account = {.email = email,
                    .name = arena_str(a, user->name),
                    .phone = user->phone.len > 0 ? arena_str(a, user->phone) : STR_NONE,
                    .password_hash = arena_str(a, str_from(hash)),
                    .role = (int32_t)user->role},
        .reserved_us = reservation->reserved_us};
    err = run(m, &account_create, id, &create, a, NULL, ret_why);
    if (err == 0)
        *ret_id = id;
    return err;
}

/* ---- change, list, keys ---- */

static int find(struct auth_admin *m, struct str who, struct arena *a, struct str *ret_id,
                struct str *ret_why) {
    if (id_valid(who, "usr")) {
        *ret_id = who;
        return 0;
    }
    struct account *account;
    int err =
        account_by_email(m->o.store, m->service->parser, email_normalise(who, a), a, &account);
    if (err == ERR_NOT_FOUND)
        return fail(err, arena_printf(a, "there is no user %.*s", STR_ARG(who)), ret_why);
    if (err < 0)
        return store_failed(err, ret_why);
    *ret_id = account->head.id;
    return 0;
}

/* If he is an administrator now. */
static int leave(struct auth_admin *m, struct str id, int64_t *ret_since_us, struct arena *a,
                 struct str *ret_why) {
    void *state;
    struct command *left;
    int err = aggregate_get(&account_aggregate, m->o.store, m->service->parser, id, a, &state);
    if (err < 0)
        return store_failed(err, ret_why);
    if (!account_is_admin(state))
        return 0;
    err = run(m, &admin_leave, STR(LEAVING_ID), &(struct leave_args){.user_id = id}, a, &left,
              ret_why);
    if (err == 0)
        *ret_since_us = ((const struct leaving *)left->decision.state)->since_us;
    return err;
}

static int set(struct auth_admin *m, struct str who, struct set_args args, struct arena *a,
               struct str *ret_why) {
    struct str id;
    int err = find(m, who, a, &id, ret_why);
    if (err == 0 && may_lose_admin(&args))
        err = leave(m, id, &args.leaving_us, a, ret_why);
    return err < 0 ? err : run(m, &account_set, id, &args, a, NULL, ret_why);
}

int auth_admin_set_role(struct auth_admin *m, struct str who, enum role role, struct arena *a,
                        struct str *ret_why) {
    return set(m, who, (struct set_args){.role = (int32_t)role}, a, ret_why);
}

int auth_admin_disable(struct auth_admin *m, struct str who, bool disabled, struct arena *a,
                       struct str *ret_why) {
    struct set_args args = {.disabled = disabled ? TRI_TRUE : TRI_FALSE};
    return set(m, who, args, a, ret_why);
}

int auth_admin_reset_factor(struct auth_admin *m, struct str who, struct arena *a,
                            struct str *ret_why) {
    struct str id;
    int err = find(m, who, a, &id, ret_why);
    return err < 0 ? err : run(m, &factor_reset, id, NULL, a, NULL, ret_why);
}

int auth_admin_list(struct auth_admin *m, enum role role,
                    void (*each)(void *arg, const struct account *account), void *arg,
                    struct arena *a, struct str *ret_why) {
    struct store_query q = {
        .collection = &accounts_collection, .ascending = true, .limit = STORE_LIST_MAX};
    if (role != ROLE_NONE) {
        q.index = accounts_collection.indexes[0];
        q.key = str_from(role_names[role]);
    }
    for (;;) {
        struct store_doc *docs;
        int32_t count;
        int err = m->o.store->ops->list(m->o.store, &q, a, &docs, &count);
        for (int32_t i = 0; err == 0 && i < count; i++) {
            void *state;
            err = aggregate_decode(&account_aggregate, &docs[i], m->service->parser, a, &state);
            if (err == 0)
                each(arg, state);
        }
        if (err < 0)
            return store_failed(err, ret_why);
        if (count < q.limit)
            return 0;
        q.after = docs[count - 1].id;
    }
}

int auth_admin_keys(struct auth_admin *m, void (*each)(void *arg, const struct auth_admin_key *key),
                    void *arg, struct arena *a, struct str *ret_why) {
    void *state;
    int err = aggregate_get(&key_ring_aggregate, m->o.store, m->service->parser, STR(KEY_RING_ID),
                            a, &state);
    if (err == ERR_NOT_FOUND)
        return fail(err, STR("there are no keys yet; they are made when they are first needed"),
                    ret_why);
    if (err < 0)
        return store_failed(err, ret_why);
    const struct key_ring *ring = state;
    for (int32_t i = 0; i < ring->key_count; i++) {
        const struct signing_key *k = &ring->keys[i];
        int32_t from_end = ring->key_count - 1 - i;
        struct auth_admin_key key = {.kid = k->kid,
                                     .use = from_end == 0   ? AUTH_KEY_NEXT
                                            : from_end == 1 ? AUTH_KEY_SIGNS
                                                            : AUTH_KEY_RETIRED,
                                     .created_us = k->created_us,
                                     .until_us = from_end == 1 ? ring->rotates_us : k->gone_us};
        each(arg, &key);
    }
    return 0;
}

int auth_admin_rotate_keys(struct auth_admin *m, struct arena *a, struct str *ret_why) {
    return run(m, &keys_tend, STR(KEY_RING_ID), &(struct tend_args){.rotate = true}, a, NULL,
               ret_why);
}

int auth_admin_offer_setup(struct auth_admin *m, struct arena *a, struct str *ret_code,
                           struct str *ret_why) {
    unsigned char bytes[SETUP_CODE_CHARS];
    char text[SETUP_CODE_TEXT_MAX];
    m->o.entropy->fill(m->o.entropy, bytes, sizeof(bytes));
    setup_code_text(bytes, text);
    struct str code = arena_str(a, str_from(text));
    struct setup_args args = {.code_hash = setup_code_hash(code, a)};
    int err = run(m, &setup_offer, STR(SETUP_ID), &args, a, NULL, ret_why);
    if (err == 0)
        *ret_code = code;
    return err;
}
