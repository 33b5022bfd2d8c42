/* The delivery aggregate: all that is decided about one, in pure functions. */
#include "services/notification/delivery.h"

#include "base/check.h"
#include "base/err.h"
#include "services/notification/internal.h"
#include "services/notification/webhooks.h"

#include <stddef.h>
#include <string.h>

/* ---- shape ---- */

const char *const delivery_channel_names[] = {NULL, "email", "webhook", "message", NULL};
const char *const delivery_state_names[] = {NULL, "pending", "sent", "dead", NULL};

#define AT(member) .offset = offsetof(struct delivery_try, member)
static const struct schema_field try_fields[] = {
    {"at", S_TIME, S_OUT | S_STORE, AT(at_us)},
    {"status", S_I64, S_OUT | S_STORE, AT(status)},
    {"latency_ms", S_I64, S_OUT | S_STORE, AT(latency_ms)},
    {"detail", S_STR, S_OUT | S_STORE, AT(detail)},
    {"excerpt", S_STR, S_OUT | S_STORE, AT(excerpt)},
};
#undef AT
static const struct schema try_schema = SCHEMA(struct delivery_try, "DeliveryTry", try_fields);

#define AT(member) .offset = offsetof(struct delivery, member)
static const struct schema_field fields[] = {
    {"channel", S_ENUM, S_OUT | S_STORE, AT(channel), .names = delivery_channel_names},
    {"state", S_ENUM, S_OUT | S_STORE, AT(state), .names = delivery_state_names},
    {"event_id", S_STR, S_OUT | S_STORE, AT(event_id)},
    {"kind", S_STR, S_OUT | S_STORE, AT(kind)},
    {"user_id", S_STR, S_OUT | S_STORE, AT(user_id)},
    {"to", S_STR, S_STORE, AT(to)},
    {"webhook_id", S_STR, S_OUT | S_STORE, AT(endpoint_id)},
    {"payload", S_STR, S_STORE, AT(payload)},
    {"language", S_STR, S_STORE, AT(language)},
    {"name", S_STR, S_STORE, AT(name)},
    {"code", S_STR, S_STORE, AT(code)},
    {"link", S_STR, S_STORE, AT(link)},
    {"booking", S_STR, S_STORE, AT(booking)},
    {"document", S_STR, S_STORE, AT(document)},
    {"when", S_STR, S_STORE, AT(when)},
    {"reason", S_STR, S_STORE, AT(reason)},
    {"created_at", S_TIME, S_OUT | S_STORE, AT(created_us)},
    {"expires_at", S_TIME, S_STORE, AT(expires_us)},
    {"next_try_at", S_TIME, S_OUT | S_STORE, AT(next_us)},
    {"begun_at", S_TIME, S_STORE, AT(begun_us)},
    {"done_at", S_TIME, S_OUT | S_STORE, AT(done_us)},
    {"tries", S_I64, S_OUT | S_STORE | S_REQUIRED, AT(tries)},
    {"base", S_I64, S_STORE, AT(base)},
    {"log", S_LIST, S_OUT | S_STORE | S_REQUIRED, AT(log),
     .count_offset = offsetof(struct delivery, log_count), .sub = &try_schema},
};
#undef AT
static const struct schema schema = SCHEMA(struct delivery, "Delivery", fields);
const struct store_collection delivery_collection = {
    .name = "deliveries", .indexes = {"state", "user_id", "endpoint_id"}, .timers = true};

static void keys_of(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    (void)a;
    const struct delivery *d = state;
    ret_keys[0] = str_from(delivery_state_names[d->state]);
    ret_keys[1] = d->user_id;
    ret_keys[2] = d->endpoint_id;
}

static int64_t wake_at(const void *state) {
    const struct delivery *d = state;
    if (d->state != DELIVERY_PENDING)
        return 0;
    return d->begun_us != 0 ? d->begun_us + DELIVERY_LEASE_US : d->next_us;
}
const struct aggregate delivery_aggregate = {&delivery_collection, &schema, keys_of, wake_at};

/* ---- ids ---- */

/* "dlv_", the event's time, and 80 bits of a hash over event and receiver. */
struct str delivery_id(struct arena *a, struct str event_id, struct str receiver) {
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char text[ULID_TEXT_LEN];
    struct str both = arena_printf(a, "%.*s>%.*s", STR_ARG(event_id), STR_ARG(receiver));
    CHECK(id_valid(event_id, NULL));
    memcpy(text, event_id.p + event_id.len - ULID_TEXT_LEN, 10);
    for (uint64_t half = 0; half < 2; half++) {
        uint64_t hash = str_hash(both, UINT64_C(0x6c6f727279646c76) + half);
        for (size_t i = 0; i < 8; i++, hash >>= 5)
            text[10 + half * 8 + i] = digits[hash & 31];
    }
    return arena_printf(a, "dlv_%.*s", ULID_TEXT_LEN, text);
}

/* ---- new ---- */

void delivery_begin_life(struct delivery *d, int64_t now_us) {
    bool again = d->state != DELIVERY_NONE;
    int64_t most_us = d->channel == CHANNEL_WEBHOOK ? WEBHOOK_KEEP_TRYING_US : MAIL_KEEP_TRYING_US;
    d->state = DELIVERY_PENDING;
    if (!again)
        d->created_us = now_us;
    if (again || d->expires_us == 0)
        d->expires_us = now_us + most_us;
    if (d->next_us < now_us)
        d->next_us = now_us;
    d->base = d->tries;
    d->begun_us = d->done_us = 0;
}

static void new_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                       struct decision *ret) {
    if (old != NULL)
        return; /* the event has come before */
    struct delivery *d = arena_copy(ctx->arena, cmd->args, sizeof(*d));
    delivery_begin_life(d, ctx->now_us);
    decision_state(ret, cmd, NULL, d);
}
static const struct command_type delivery_new = {
    .name = "delivery.new", .aggregate = &delivery_aggregate, .decide = new_decide};

void delivery_add(struct event_turn *t, struct delivery *d) {
    d->event_id = t->event->id;
    struct str who = d->endpoint_id.p != NULL ? d->endpoint_id : d->user_id;
    struct str receiver = arena_printf(t->arena, "%s:%.*s", delivery_channel_names[d->channel],
                                       STR_ARG(who.p != NULL ? who : d->to));
    event_command_once(t, &delivery_new, delivery_id(t->arena, t->event->id, receiver), d);
}

/* ---- begin ---- */

/* How long after the Nth try the next one is: the last of them again and again; a fifth more or
 * less, so that what failed together does not come again together. */
static int64_t backoff_us(const struct delivery *d, struct rng *rng) {
    static const int32_t mail_s[] = {60, 180, 540, 1620, 4860, 14400};
    static const int32_t webhook_s[] = {5, 60, 300, 1800, 7200, 18000, 36000};
    bool webhook = d->channel == CHANNEL_WEBHOOK;
    int64_t n = d->tries - d->base - 1;
    int64_t last = (int64_t)(webhook ? COUNT_OF(webhook_s) : COUNT_OF(mail_s)) - 1;
    n = n < 0 ? 0 : n > last ? last : n;
    int64_t wait_us = (webhook ? webhook_s[n] : mail_s[n]) * US_PER_S;
    return wait_us + rng_between(rng, -wait_us / 5, wait_us / 5);
}

/* A line of the log; the oldest goes when there are too many. */
static void log_try(struct delivery *d, const struct delivery_try *said, struct arena *a) {
    int32_t keep =
        d->log_count < DELIVERY_TRIES_KEPT_MAX ? d->log_count : DELIVERY_TRIES_KEPT_MAX - 1;
    struct delivery_try *log = arena_array(a, struct delivery_try, keep + 1);
    for (int32_t i = 0; i < keep; i++)
        log[i] = d->log[d->log_count - keep + i];
    log[keep] = *said;
    d->log = log;
    d->log_count = keep + 1;
}

/* It is over: what it was made of is not needed any more. The address and the code of one that was
 * sent are nobody's business; a dead one may be tried again by hand. */
static void end(struct delivery *d, enum delivery_state state, int64_t now_us) {
    d->state = (int32_t)state;
    d->done_us = now_us;
    d->begun_us = 0;
    d->next_us = 0;
    if (state == DELIVERY_SENT)
        d->to = d->name = d->code = d->link = d->reason = STR_NONE;
}

/* The endpoint is asked about its others: has it taken any of them? */
static void tell_exhausted(const struct delivery *d, bool gone, const struct command *cmd,
                           const struct decide_ctx *ctx, struct decision *ret) {
    if (d->channel != CHANNEL_WEBHOOK || d->state != DELIVERY_DEAD || str_is(d->kind, WEBHOOK_TEST))
        return;
    const struct ev_webhook event = {
        .webhook_id = d->endpoint_id, .since_us = d->created_us, .gone = gone};
    decision_event(ret, cmd, ctx, EV_WEBHOOK_EXHAUSTED, d->endpoint_id, &ev_webhook_schema, &event);
}

#define LAST_TRY_US (INT64_C(60) * US_PER_S) /* before it expires */
#define LAST_TRY_APART_US (INT64_C(600) * US_PER_S)

/* A try has failed: when is the next one, if there is one? */
static void failed(struct delivery *d, bool forever, const struct decide_ctx *ctx) {
    d->begun_us = 0;
    int64_t last_us = d->expires_us - LAST_TRY_US;
    d->next_us = ctx->now_us + backoff_us(d, ctx->rng);
    if (d->next_us >= d->expires_us && ctx->now_us < last_us - LAST_TRY_APART_US)
        d->next_us = last_us; /* all of the time is used that was promised */
    bool many = d->channel != CHANNEL_WEBHOOK && d->tries - d->base >= MAIL_TRY_MAX;
    if (forever || many || d->next_us >= d->expires_us)
        end(d, DELIVERY_DEAD, ctx->now_us);
}

/* Where a webhook's message goes, if that is still wanted. */
static int endpoint_load(struct command *cmd, struct store *store, const struct delivery *d,
                         struct delivery_facts *f) {
    void *state;
    int err = aggregate_get(&webhook_aggregate, store, executor_parser(cmd->executor),
                            d->endpoint_id, cmd->arena, &state);
    if (err < 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    const struct webhook *w = state;
    bool test = str_is(d->kind, WEBHOOK_TEST);
    f->endpoint = w->status == WEBHOOK_ENABLED || test ? w : NULL;
    return 0;
}

static int wake_load(struct command *cmd, struct store *store, int64_t now_us) {
    struct delivery_facts *f = arena_new(cmd->arena, struct delivery_facts);
    void *state;
    int err = aggregate_get(&delivery_aggregate, store, executor_parser(cmd->executor), cmd->id,
                            cmd->arena, &state);
    if (err < 0 && err != ERR_NOT_FOUND)
        return err;
    const struct delivery *d = state;
    cmd->facts = f;
    bool due = err == 0 && wake_at(d) != 0 && wake_at(d) <= now_us && now_us < d->expires_us;
    if (due && d->channel == CHANNEL_WEBHOOK) {
        err = endpoint_load(cmd, store, d, f);
        if (err < 0)
            return err;
        due = f->endpoint != NULL;
    }
    if (due)
        outbound_reserve(cmd->service, d, now_us, f);
    if (f->taken)
        cmd->args = state; /* whose place it is */
    return 0;
}

static void wake_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                        struct decision *ret) {
    const struct delivery_facts *f = cmd->facts;
    if (old == NULL || wake_at(old) == 0 || wake_at(old) > ctx->now_us)
        return; /* somebody else has seen to it */
    struct delivery *d = arena_copy(ctx->arena, old, sizeof(*d));
    if (d->begun_us != 0) {
        log_try(d, &(struct delivery_try){.at_us = d->begun_us, .detail = STR("nothing was heard")},
                ctx->arena);
        failed(d, false, ctx);
    } else if (ctx->now_us >= d->expires_us) {
        end(d, DELIVERY_DEAD, ctx->now_us);
    } else if (d->channel == CHANNEL_WEBHOOK && f->endpoint == NULL) {
        log_try(d,
                &(struct delivery_try){.at_us = ctx->now_us,
                                       .detail = STR("the webhook is gone or disabled")},
                ctx->arena);
        end(d, DELIVERY_DEAD, ctx->now_us);
        decision_state(ret, cmd, old, d);
        return;
    } else if (!f->taken) {
        d->next_us = f->again_us > ctx->now_us ? f->again_us : ctx->now_us + US_PER_S;
    } else {
        d->tries++;
        d->begun_us = ctx->now_us;
    }
    decision_state(ret, cmd, old, d);
    tell_exhausted(d, false, cmd, ctx, ret);
}

static void wake_undone(const struct command *cmd) {
    struct delivery_facts *f = cmd->facts;
    if (f == NULL || !f->taken)
        return;
    f->taken = false;
    outbound_release(cmd->service, cmd->args, 0);
}

static void wake_applied(const struct command *cmd, const struct decision *d, const void *state) {
    struct notification_service *n = cmd->service;
    const struct delivery_facts *f = cmd->facts;
    const struct delivery *now = state;
    if (d->state == NULL || now->begun_us == 0) { /* not begun, whatever was reserved for it */
        wake_undone(cmd);
        if (d->state != NULL && now->state == DELIVERY_DEAD)
            n->outbound.dead++;
        return;
    }
    struct delivery_facts again = {.taken = f->taken};
    if (!again.taken) /* a commit that was lost and found */
        outbound_reserve(n, now, now->begun_us, &again);
    if (again.taken)
        outbound_send(n, now, f->endpoint);
}

const struct command_type delivery_wake = {.name = "delivery.wake",
                                           .aggregate = &delivery_aggregate,
                                           .load = wake_load,
                                           .decide = wake_decide,
                                           .applied = wake_applied,
                                           .undone = wake_undone};

/* ---- result ---- */

static void result_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                          struct decision *ret) {
    const struct delivery_outcome *o = cmd->args;
    const struct delivery *before = old;
    if (before == NULL || before->state != DELIVERY_PENDING)
        return;
    bool late = before->begun_us == 0 || before->tries != o->tries;
    if (late && o->result != MAIL_SENT)
        return; /* of a try that was given up; but if it did arrive, that counts */
    struct delivery *d = arena_copy(ctx->arena, old, sizeof(*d));
    log_try(d,
            &(struct delivery_try){.at_us = before->begun_us != 0 ? before->begun_us : ctx->now_us,
                                   .status = o->status,
                                   .latency_ms = o->latency_ms,
                                   .detail = o->detail,
                                   .excerpt = o->excerpt},
            ctx->arena);
    if (o->result == MAIL_SENT)
        end(d, DELIVERY_SENT, ctx->now_us);
    else
        failed(d, o->result == MAIL_REFUSED, ctx);
    decision_state(ret, cmd, old, d);
    tell_exhausted(d, o->gone, cmd, ctx, ret);
}

static void result_applied(const struct command *cmd, const struct decision *d, const void *state) {
    struct notification_service *n = cmd->service;
    if (d->state == NULL)
        return;
    const struct delivery *now = state;
    if (now->state == DELIVERY_SENT)
        n->outbound.sent++;
    else if (now->state == DELIVERY_DEAD)
        n->outbound.dead++;
    else
        n->outbound.later++;
}

const struct command_type delivery_result = {.name = "delivery.result",
                                             .aggregate = &delivery_aggregate,
                                             .decide = result_decide,
                                             .applied = result_applied};
