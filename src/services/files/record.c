#include "services/files/record.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "events/events.h"
#include "ports/files.h"
#include "services/files/internal.h"

#include <stddef.h>

#define TRY_AGAIN_US (10 * INT64_C(60) * US_PER_S)
#define OTHERS_MAX STORE_LIST_MAX

/* ---- what is kept ---- */

#define SHOWN(member) .flags = S_STORE | S_OUT, .offset = offsetof(struct file, member)
#define KEPT(member) .flags = S_STORE, .offset = offsetof(struct file, member)

static const struct schema_field file_fields[] = {
    {"id", S_ID, .flags = S_OUT, .offset = offsetof(struct file, head.id), .hint = "fil"},
    {"owner_id", S_ID, KEPT(owner_id), .hint = "usr"},
    {"sha256", S_STR, SHOWN(sha256)},
    {"type", S_ENUM, SHOWN(type), .names = file_type_names},
    {"size", S_I64, SHOWN(size)},
    {"width", S_I64, .flags = S_STORE | S_OUT | S_NULL, .offset = offsetof(struct file, width)},
    {"height", S_I64, .flags = S_STORE | S_OUT | S_NULL, .offset = offsetof(struct file, height)},
    {"ready", S_BOOL, KEPT(ready)},
    {"subject", S_ID, KEPT(subject)},
    {"created_at", S_TIME, SHOWN(created_at_us)},
    {"expires_at", S_TIME, KEPT(expires_at_us)},
    {"dropped_at", S_TIME, KEPT(dropped_at_us)},
    {"again_at", S_TIME, KEPT(again_at_us)},
};
static const struct schema file_schema = SCHEMA(struct file, "File", file_fields);

const struct store_collection file_collection = {
    .name = "files", .indexes = {"sha256"}, .timers = true};

static void file_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    (void)a;
    ret_keys[0] = ((const struct file *)state)->sha256;
}

static int64_t file_wake_at(const void *state) {
    const struct file *f = state;
    if (f->dropped_at_us != 0)
        return f->again_at_us;
    return f->subject.p != NULL ? 0 : f->expires_at_us;
}

const struct aggregate file_aggregate = {.collection = &file_collection,
                                         .schema = &file_schema,
                                         .keys = file_keys,
                                         .wake_at = file_wake_at};

struct str file_view(struct arena *a, const struct file *f) {
    return schema_text(&file_schema, f, S_OUT, a);
}

static struct file *edited(const struct decide_ctx *ctx, const struct file *old) {
    return arena_copy(ctx->arena, old, sizeof *old);
}

/* ---- making one ---- */

static void decide_make(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct file_make_args *args = cmd->args;
    if (state != NULL) {
        ret->result = ERR_CONFLICT;
        return;
    }
    struct file *f = edited(ctx, &args->file);
    f->created_at_us = ctx->now_us;
    f->expires_at_us = ctx->now_us + ((const struct files_service *)cmd->service)->o.kept_us;
    decision_state(ret, cmd, NULL, f);
    decision_json(ret, 201, file_view(ctx->arena, f));
}

static void decide_ready(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct file *old = state;
    if (old == NULL || old->dropped_at_us != 0) { /* this upload has taken more than a day */
        decision_problem(ret, cmd, PROBLEM_STORE_UNAVAILABLE, "the upload took too long");
        return;
    }
    struct file *f = edited(ctx, old);
    f->ready = true;
    decision_state(ret, cmd, old, f);
    decision_json(ret, 201, file_view(ctx->arena, f));
}

const struct command_type file_make_type = {
    .name = "file.make", .aggregate = &file_aggregate, .decide = decide_make};
const struct command_type file_ready_type = {.name = "file.ready",
                                             .aggregate = &file_aggregate,
                                             .decide = decide_ready,
                                             .location = "/v1/files/"};

/* ---- attaching and letting go ---- */

/* What is in the way, or NULL. What belongs to somebody else is not found. */
static const char *obstacle(const struct command *cmd, const struct file *f) {
    const struct file_attach_args *args = cmd->args;
    if (f == NULL || f->dropped_at_us != 0 || !f->ready || !str_eq(f->owner_id, cmd->who.user_id))
        return "there is no such file of yours: upload it first (POST /v1/files); it is kept for a "
               "day";
    if ((args->claim->types & FILE_TYPES(f->type)) == 0)
        return args->claim->types == FILE_IMAGES ? "must be a picture (JPEG or PNG)"
                                                 : "is of another type than may stand here";
    if (f->subject.p != NULL && !str_eq(f->subject, args->subject))
        return "belongs to something else already: upload it anew";
    return NULL;
}

static void decide_attach(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct file_attach_args *args = cmd->args;
    const struct file *old = state;
    const char *wrong = obstacle(cmd, old);
    if (wrong != NULL) {
        decision_invalid(ret, cmd, args->claim->pointer, "%s", wrong);
        return;
    }
    if (old->subject.p != NULL)
        return;
    struct file *f = edited(ctx, old);
    f->subject = args->subject;
    decision_state(ret, cmd, old, f);
}

/* Nothing; but what has loaded is told of decisions that change nothing, too: of a file that is
 * attached already. */
static int load_attach(struct command *cmd, struct store *store, int64_t now_us) {
    (void)cmd;
    (void)store;
    (void)now_us;
    return 0;
}

static void applied_attach(const struct command *cmd, const struct decision *d, const void *state) {
    const struct file_attach_args *args = cmd->args;
    const struct file *f = state;
    if (f == NULL || d->response.status >= 400)
        return;
    args->claim->sha256 = arena_str(cmd->arena, f->sha256);
    args->claim->type = f->type;
    args->claim->size = f->size;
}

static void decide_release(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct file_release_args *args = cmd->args;
    const struct file *old = state;
    if (old == NULL || old->dropped_at_us != 0 || !str_eq(old->subject, args->subject))
        return;
    struct file *f = edited(ctx, old);
    f->dropped_at_us = f->again_at_us = ctx->now_us;
    decision_state(ret, cmd, old, f);
}

const struct command_type file_attach_type = {.name = "file.attach",
                                              .aggregate = &file_aggregate,
                                              .load = load_attach,
                                              .decide = decide_attach,
                                              .applied = applied_attach};
const struct command_type file_release_type = {
    .name = "file.release", .aggregate = &file_aggregate, .decide = decide_release};

/* ---- going ---- */

/* What a wake-up knows: of the record as it was loaded, and whether another one that is there has
 * its hash. */
struct wake_facts {
    int64_t version;
    struct str sha256;
    bool shared;
    bool sweep; /* set by decide's word: the blob is to go */
};

static int find_others(struct command *cmd, struct store *store, struct wake_facts *facts) {
    struct store_doc *docs;
    int32_t count;
    struct store_query q = {.collection = &file_collection,
                            .index = "sha256",
                            .key = facts->sha256,
                            .limit = OTHERS_MAX};
    int err = store->ops->list(store, &q, cmd->arena, &docs, &count);
    for (int32_t i = 0; err == 0 && !facts->shared && i < count; i++) {
        void *state;
        if (str_eq(docs[i].id, cmd->id))
            continue;
        err = aggregate_decode(&file_aggregate, &docs[i], executor_parser(cmd->executor),
                               cmd->arena, &state);
        facts->shared = err == 0 && ((const struct file *)state)->dropped_at_us == 0;
    }
    if (err == 0 && count == OTHERS_MAX)
        facts->shared = true; /* not all were looked at: it stays for now */
    return err;
}

static int wake_load(struct command *cmd, struct store *store, int64_t now_us) {
    void *state;
    struct wake_facts *facts = arena_new(cmd->arena, struct wake_facts);
    (void)now_us;
    cmd->facts = facts;
    int err = aggregate_get(&file_aggregate, store, executor_parser(cmd->executor), cmd->id,
                            cmd->arena, &state);
    if (err < 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    const struct file *f = state;
    facts->version = f->head.version;
    facts->sha256 = f->sha256;
    return f->dropped_at_us != 0 ? find_others(cmd, store, facts) : 0;
}

static void decide_wake(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    struct wake_facts *facts = cmd->facts;
    const struct file *old = state;
    facts->sweep = false;
    if (old == NULL || old->head.version != facts->version || file_wake_at(old) == 0 ||
        file_wake_at(old) > ctx->now_us)
        return;
    if (old->dropped_at_us != 0 && facts->shared) {
        ret->remove = true;
        return;
    }
    struct file *f = edited(ctx, old);
    if (old->dropped_at_us == 0) {
        f->dropped_at_us = f->again_at_us = ctx->now_us;
    } else {
        f->again_at_us = ctx->now_us + TRY_AGAIN_US;
        facts->sweep = true;
    }
    decision_state(ret, cmd, old, f);
}

static void applied_wake(const struct command *cmd, const struct decision *d, const void *state) {
    const struct wake_facts *facts = cmd->facts;
    (void)d;
    (void)state;
    if (facts->sweep)
        files_sweep(cmd->service, cmd->id, facts->sha256);
}

static void decide_forget(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct file *old = state;
    (void)cmd;
    (void)ctx;
    ret->remove = old != NULL && old->dropped_at_us != 0;
}

const struct command_type file_wake_type = {.name = "file.wake",
                                            .aggregate = &file_aggregate,
                                            .load = wake_load,
                                            .decide = decide_wake,
                                            .applied = applied_wake};
const struct command_type file_forget_type = {
    .name = "file.forget", .aggregate = &file_aggregate, .decide = decide_forget};
