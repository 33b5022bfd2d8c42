/* /v1/webhooks and /v1/deliveries. */
#include "services/notification/webhooks.h"

#include "base/check.h"
#include "base/err.h"
#include "services/notification/internal.h"

/* ---- reading ---- */

/* The webhook {id} that the caller may see, or NULL: it was replied. */
static const struct webhook *his_webhook(struct call *c) {
    const struct webhook *w = call_state(c, &webhook_aggregate, c->params[0]);
    if (w == NULL)
        return NULL;
    if (webhook_is_of(w, &c->who))
        return w;
    call_problem(c, PROBLEM_NOT_FOUND, "there is no such webhook");
    return NULL;
}

/* A page of the query Q, each as its aggregate's schema shows it. */
static void list(struct call *c, struct store_query q, const struct aggregate *g,
                 void (*write)(struct jw *w, const void *state, struct arena *a)) {
    int32_t limit, count;
    struct store_doc *docs;
    if (!call_page(c, &limit, &q.after))
        return;
    q.limit = limit;
    struct store *s = c->worker->reader;
    int err = s->ops->list(s, &q, &c->arena, &docs, &count);
    struct page p;
    page_begin(&p, c);
    for (int32_t i = 0; err == 0 && i < count; i++) {
        void *state;
        err = aggregate_decode(g, &docs[i], c->worker->parser, &c->arena, &state);
        if (err == 0)
            write(&p.w, state, &c->arena);
    }
    if (err < 0)
        call_error(c, err);
    else
        page_reply(&p, count == limit, count > 0 ? docs[count - 1].id : STR_NONE);
}

static void write_listed(struct jw *w, const void *state, struct arena *a) {
    write_webhook(w, state, STR_NONE, a);
}

static void write_delivery(struct jw *w, const void *state, struct arena *a) {
    const struct delivery *d = state;
    (void)a;
    jw_object(w);
    jw_kv_str(w, "id", d->head.id);
    schema_write_fields(delivery_aggregate.schema, d, S_OUT, w);
    jw_end(w);
}

void route_webhooks(struct call *c) {
    list(c,
         (struct store_query){
             .collection = &webhook_collection, .index = "owner_id", .key = c->who.user_id},
         &webhook_aggregate, write_listed);
}

void route_webhook(struct call *c) {
    const struct webhook *w = his_webhook(c);
    if (w == NULL)
        return;
    struct buf out;
    struct jw jw;
    buf_init(&out, &c->arena, 512);
    jw_init(&jw, &out);
    write_webhook(&jw, w, STR_NONE, &c->arena);
    call_json_etag(c, w->head.version, buf_str(&out));
}

void route_webhook_deliveries(struct call *c) {
    int32_t limit;
    struct str after;
    const struct webhook *w = call_page(c, &limit, &after) ? his_webhook(c) : NULL;
    if (w != NULL)
        list(c,
             (struct store_query){
                 .collection = &delivery_collection, .index = "endpoint_id", .key = w->head.id},
             &delivery_aggregate, write_delivery);
}

void route_deliveries(struct call *c) {
    struct store_query q = {.collection = &delivery_collection};
    int32_t state = 0;
    if (!call_query_enum(c, "state", delivery_state_names, &state))
        return;
    if (state != DELIVERY_NONE) {
        q.index = "state";
        q.key = str_from(delivery_state_names[state]);
    }
    list(c, q, &delivery_aggregate, write_delivery);
}

/* ---- writing ---- */

static struct webhook_args *args_of(struct call *c, bool with_secret) {
    const struct notification_service *n = c->service;
    struct webhook_args *args = arena_new(&c->arena, struct webhook_args);
    args->body = c->body;
    if (with_secret)
        args->secret = webhook_secret(n->o.entropy, &c->arena);
    return args;
}

void route_webhook_create(struct call *c) {
    struct str id = id_new(&c->arena, "whk", c->now_us, c->worker->rng);
    call_command(c, &webhook_create, id, args_of(c, true));
}

void route_webhook_patch(struct call *c) {
    call_command(c, &webhook_change, c->params[0], args_of(c, false));
}

void route_webhook_delete(struct call *c) {
    call_command(c, &webhook_remove, c->params[0], NULL);
}

void route_webhook_secret(struct call *c) {
    call_command(c, &webhook_rotate, c->params[0], args_of(c, true));
}

/* ---- by hand ---- */

static void answer_delivery(const struct decide_ctx *ctx, const struct delivery *d,
                            struct decision *ret) {
    struct buf out;
    struct jw w;
    buf_init(&out, ctx->arena, 512);
    jw_init(&w, &out);
    write_delivery(&w, d, ctx->arena);
    decision_json(ret, 202, buf_str(&out));
}

static void by_hand_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                           struct decision *ret) {
    if (old != NULL) {
        decision_problem(ret, cmd, PROBLEM_INTERNAL, "this id is taken");
        return;
    }
    struct delivery *d = arena_copy(ctx->arena, cmd->args, sizeof(*d));
    delivery_begin_life(d, ctx->now_us);
    decision_state(ret, cmd, NULL, d);
    answer_delivery(ctx, d, ret);
}
const struct command_type delivery_by_hand = {
    .name = "delivery.by_hand", .aggregate = &delivery_aggregate, .decide = by_hand_decide};

void route_webhook_test(struct call *c) {
    const struct webhook *w = his_webhook(c);
    if (w == NULL)
        return;
    struct str id = id_new(&c->arena, "dlv", c->now_us, c->worker->rng);
    struct delivery *d = arena_new(&c->arena, struct delivery);
    *d = (struct delivery){.channel = CHANNEL_WEBHOOK,
                           .event_id = id_with_prefix(&c->arena, id, "evt"),
                           .kind = STR(WEBHOOK_TEST),
                           .user_id = w->owner_id,
                           .endpoint_id = w->head.id};
    char at[TIMESTAMP_TEXT_MAX];
    timestamp_format(c->now_us, at);
    d->payload = arena_printf(&c->arena,
                              "{\"type\":\"" WEBHOOK_TEST
                              "\",\"timestamp\":\"%s\",\"data\":{\"webhook_id\":\"%.*s\"}}",
                              at, STR_ARG(w->head.id));
    call_command(c, &delivery_by_hand, id, d);
}

static void again_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                         struct decision *ret) {
    const struct delivery *before = old;
    bool his = before != NULL &&
               (cmd->who.role == ROLE_ADMIN ||
                (before->channel == CHANNEL_WEBHOOK && str_eq(before->user_id, cmd->who.user_id)));
    if (!his) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such delivery");
        return;
    }
    struct delivery *d = arena_copy(ctx->arena, old, sizeof(*d));
    bool empty = d->channel == CHANNEL_WEBHOOK ? d->payload.p == NULL : d->to.p == NULL;
    if (d->begun_us != 0 || empty) {
        decision_problem(ret, cmd, PROBLEM_VERSION_CONFLICT,
                         empty ? "what it was made of is not kept any more" : "a try is under way");
        return;
    }
    d->next_us = ctx->now_us; /* who asks for it waits for no backoff */
    delivery_begin_life(d, ctx->now_us);
    decision_state(ret, cmd, old, d);
    answer_delivery(ctx, d, ret);
}
const struct command_type delivery_again = {
    .name = "delivery.again", .aggregate = &delivery_aggregate, .decide = again_decide};

void route_delivery_retry(struct call *c) {
    call_command(c, &delivery_again, c->params[0], NULL);
}
