#include "services/driver/devices.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "runtime/audit.h"
#include "services/driver/service_internal.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

#define ID_LENGTH 30 /* "dev_" and a ULID */
#define TOKEN_LENGTH (ID_LENGTH + 1 + 2 * DEVICE_SECRET_BYTES)

/* ---- what is kept ---- */

#define SHOWN(member) .flags = S_STORE | S_OUT, .offset = offsetof(struct device, member)

static const struct schema_field device_fields[] = {
    {"id", S_ID, .flags = S_OUT, .offset = offsetof(struct device, head.id), .hint = "dev"},
    {"version", S_I64, .flags = S_OUT, .offset = offsetof(struct device, head.version)},
    {"driver_id", S_ID, SHOWN(driver_id), .hint = "drv"},
    {"name", S_LINE, SHOWN(name), .min = 1, .max = DEVICE_NAME_CHARS_MAX},
    {"token_hash", S_STR, .flags = S_STORE, .offset = offsetof(struct device, token_hash)},
    {"created_at", S_TIME, SHOWN(created_at_us)},
};
static const struct schema device_schema = SCHEMA(struct device, "Device", device_fields);

const struct store_collection device_collection = {.name = "devices", .indexes = {"driver_id"}};

static void device_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    (void)a;
    ret_keys[0] = ((const struct device *)state)->driver_id;
}

const struct aggregate device_aggregate = {
    .collection = &device_collection, .schema = &device_schema, .keys = device_keys};

static const struct schema_field body_fields[] = {
    {"name", S_LINE, .flags = S_IN | S_REQUIRED, .offset = offsetof(struct device_body, name),
     .min = 1, .max = DEVICE_NAME_CHARS_MAX},
};
const struct schema device_body_schema = SCHEMA(struct device_body, "DeviceInput", body_fields);

/* ---- tokens ---- */

struct str device_token_hash(struct arena *a, struct str token) {
    unsigned char hash[DEVICE_HASH_BYTES];
    char hex[2 * DEVICE_HASH_BYTES + 1];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)token.p, token.len, NULL, 0);
    return arena_str(a, str_from(sodium_bin2hex(hex, sizeof hex, hash, sizeof hash)));
}

int device_of_token(struct store *store, struct json_parser *p, struct str token, struct arena *a,
                    struct device **ret_device) {
    void *state;
    struct str id = str_sub(token, 0, ID_LENGTH);
    if (token.len != TOKEN_LENGTH || token.p[ID_LENGTH] != '_' || !id_valid(id, "dev"))
        return ERR_NOT_FOUND;
    int err = aggregate_get(&device_aggregate, store, p, id, a, &state);
    if (err < 0)
        return err;
    struct device *d = state;
    if (!str_eq_secret(d->token_hash, device_token_hash(a, token)))
        return ERR_NOT_FOUND;
    *ret_device = d;
    return 0;
}

/* ---- making one, taking it back ---- */

struct make_args {
    struct str driver_id, name, token;
    bool by_staff;
};
struct make_facts {
    bool no_driver, full;
};

static int make_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)now_us;
    const struct make_args *args = cmd->args;
    struct make_facts *facts = arena_new(cmd->arena, struct make_facts);
    struct store_doc doc, *docs;
    int32_t count = 0;
    cmd->facts = facts;
    int err = store->ops->get(store, &driver_collection, args->driver_id, cmd->arena, &doc);
    if (err == ERR_NOT_FOUND) { /* a driver may make one before he ever looked at his profile */
        facts->no_driver = args->by_staff;
        err = 0;
    }
    if (err == 0)
        err = store->ops->list(store,
                               &(struct store_query){.collection = &device_collection,
                                                     .index = "driver_id",
                                                     .key = args->driver_id,
                                                     .limit = DEVICES_MAX},
                               cmd->arena, &docs, &count);
    facts->full = count == DEVICES_MAX;
    return err;
}

static struct str made_json(struct arena *a, const struct device *d, struct str token) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 384);
    jw_init(&w, &out);
    jw_object(&w);
    schema_write_fields(&device_schema, d, S_OUT, &w);
    jw_kv_str(&w, "token", token);
    jw_end(&w);
    return buf_str(&out);
}

static void decide_make(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct make_args *args = cmd->args;
    const struct make_facts *facts = cmd->facts;
    if (state != NULL) {
        ret->result = ERR_CONFLICT;
    } else if (facts->no_driver) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such driver");
    } else if (facts->full) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_DEVICES,
                         "there are %d devices already: take one back first", DEVICES_MAX);
    } else {
        struct device *d = arena_new(ctx->arena, struct device);
        d->driver_id = args->driver_id;
        d->name = args->name;
        d->token_hash = device_token_hash(ctx->arena, args->token);
        d->created_at_us = ctx->now_us;
        decision_state(ret, cmd, NULL, d);
        if (args->by_staff)
            decision_audit(ret, cmd, ctx, "device.made", NULL, d, NULL);
        decision_json(ret, 201, made_json(ctx->arena, d, args->token));
    }
}

static const struct command_type make_type = {.name = "device.make",
                                              .aggregate = &device_aggregate,
                                              .load = make_load,
                                              .decide = decide_make};

struct remove_args {
    struct str driver_id;
    bool by_staff;
};

static void decide_remove(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct remove_args *args = cmd->args;
    const struct device *d = state;
    if (d == NULL || !str_eq(d->driver_id, args->driver_id)) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such device");
        return;
    }
    ret->remove = true;
    if (args->by_staff)
        decision_audit(ret, cmd, ctx, "device.removed", d, NULL, NULL);
}

static const struct command_type remove_type = {
    .name = "device.remove", .aggregate = &device_aggregate, .decide = decide_remove};

/* ---- routes ---- */

static void make(struct call *c, struct str driver_id, bool by_staff) {
    struct driver_service *s = c->service;
    const struct device_body *body = c->body;
    unsigned char secret[DEVICE_SECRET_BYTES];
    char hex[2 * DEVICE_SECRET_BYTES + 1];
    struct make_args *args = arena_new(&c->arena, struct make_args);
    struct str id = id_new(&c->arena, "dev", c->now_us, c->worker->rng);
    s->o.entropy->fill(s->o.entropy, secret, sizeof secret);
    sodium_bin2hex(hex, sizeof hex, secret, sizeof secret);
    *args = (struct make_args){.driver_id = driver_id,
                               .name = body->name,
                               .token = arena_printf(&c->arena, "%.*s_%s", STR_ARG(id), hex),
                               .by_staff = by_staff};
    call_command(c, &make_type, id, args);
}

static void take_back(struct call *c, struct str driver_id, struct str id, bool by_staff) {
    struct remove_args *args = arena_new(&c->arena, struct remove_args);
    *args = (struct remove_args){driver_id, by_staff};
    if (id_valid(id, "dev"))
        call_command(c, &remove_type, id, args);
    else
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such device");
}

/* All of them: they are few. */
static void list(struct call *c, struct str driver_id) {
    struct store *store = c->worker->reader;
    struct store_doc *docs;
    struct page p;
    int32_t count = 0;
    int err = store->ops->list(store,
                               &(struct store_query){.collection = &device_collection,
                                                     .index = "driver_id",
                                                     .key = driver_id,
                                                     .limit = STORE_LIST_MAX},
                               &c->arena, &docs, &count);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    page_begin(&p, c);
    for (int32_t i = 0; i < count; i++) {
        void *state;
        if (aggregate_decode(&device_aggregate, &docs[i], c->worker->parser, &c->arena, &state) ==
            0)
            schema_write(&device_schema, state, S_OUT, &p.w);
    }
    page_reply(&p, false, STR_NONE);
}

void devices_own(struct call *c) {
    list(c, driver_id_of(&c->arena, c->who.user_id));
}

void devices_own_make(struct call *c) {
    make(c, driver_id_of(&c->arena, c->who.user_id), false);
}

void devices_own_remove(struct call *c) {
    take_back(c, driver_id_of(&c->arena, c->who.user_id), c->params[0], false);
}

void devices_of(struct call *c) {
    struct store_doc doc;
    struct store *store = c->worker->reader;
    struct str id = c->params[0];
    int err = id_valid(id, "drv") ? store->ops->get(store, &driver_collection, id, &c->arena, &doc)
                                  : ERR_NOT_FOUND;
    if (err < 0)
        call_error(c, err);
    else
        list(c, id);
}

void devices_make(struct call *c) {
    if (id_valid(c->params[0], "drv"))
        make(c, c->params[0], true);
    else
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such driver");
}

void devices_remove(struct call *c) {
    take_back(c, c->params[0], c->params[1], true);
}
