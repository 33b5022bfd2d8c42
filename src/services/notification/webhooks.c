/* Webhooks. All of them are held in memory, because every event asks who is to hear of it; there
 * are a few, and they seldom change. What memory holds follows the commits of this process, and
 * with replicas is read again every few seconds: a webhook that was made in another process may
 * miss what happens in those.
 */
#include "services/notification/webhooks.h"

#include "base/address.h"
#include "base/check.h"
#include "base/err.h"
#include "events/sight.h"
#include "runtime/audit.h"
#include "services/notification/internal.h"

#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_PREFIX "whsec_"
#define EXHAUSTED_LOOK_MAX 200 /* of the newest deliveries: was one taken since? */

/* ---- shapes ---- */

static const char *const status_names[] = {NULL, "enabled", "disabled", NULL};
/* In this order are the bits of webhook_known.events. */
static const char *const event_types[] = {
    EV_BOOKING_REQUESTED,     EV_BOOKING_OFFERED,      EV_BOOKING_OFFER_CLOSED,
    EV_BOOKING_ASSIGNED,      EV_BOOKING_PROGRESSED,   EV_BOOKING_DELIVERED,
    EV_BOOKING_CANCELLED,     EV_BOOKING_EXPIRED,      EV_BOOKING_FAILED,
    EV_BOOKING_RATED,         EV_BOOKING_SCHEDULED,    EV_BOOKING_RESCHEDULED,
    EV_BOOKING_REMINDED,      EV_BOOKING_UNASSIGNED,   EV_BOOKING_PROOF,
    EV_BOOKING_PIN_REFUSED,   EV_BOOKING_REACHED,      EV_BOOKING_LEFT,
    EV_BOOKING_STOP_FAILED,   EV_BOOKING_RETURNED,     EV_BOOKING_COLLECTED,
    EV_BOOKING_STOPS_CHANGED, EV_BOOKING_NOTE_CHANGED, EV_BOOKING_DRIVER_FREE,
};

#define AT(member) .offset = offsetof(struct webhook, member)
static const struct schema_field fields[] = {
    {"owner_id", S_STR, S_OUT | S_STORE, AT(owner_id)},
    {"all", S_BOOL, S_OUT | S_STORE, AT(all)},
    {"status", S_ENUM, S_OUT | S_STORE, AT(status), .names = status_names},
    {"status_reason", S_STR, S_OUT | S_STORE | S_NULL, AT(status_reason)},
    {"url", S_STR, S_OUT | S_STORE, AT(url)},
    {"description", S_STR, S_OUT | S_STORE | S_NULL, AT(description)},
    {"events", S_STR_LIST, S_OUT | S_STORE | S_REQUIRED, AT(events),
     .count_offset = offsetof(struct webhook, event_count)},
    {"secret", S_STR, S_STORE, AT(secret)},
    {"old_secret", S_STR, S_STORE, AT(old_secret)},
    {"old_secret_until", S_TIME, S_OUT | S_STORE | S_NULL, AT(old_secret_until_us)},
    {"created_at", S_TIME, S_OUT | S_STORE, AT(created_us)},
    {"updated_at", S_TIME, S_OUT | S_STORE, AT(updated_us)},
};
#undef AT
static const struct schema schema = SCHEMA(struct webhook, "Webhook", fields);
const struct store_collection webhook_collection = {.name = "webhooks", .indexes = {"owner_id"}};

static void keys_of(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    (void)a;
    ret_keys[0] = ((const struct webhook *)state)->owner_id;
}
const struct aggregate webhook_aggregate = {&webhook_collection, &schema, keys_of, NULL};

#define AT(member) .offset = offsetof(struct webhook_body, member)
#define EVENTS                                                                                     \
    {                                                                                              \
        "events", S_STR_LIST, S_IN, AT(events),                                                    \
            .count_offset = offsetof(struct webhook_body, event_count), .min = 0, .max = 32        \
    }
static const struct schema_field body_fields[] = {
    {"url", S_LINE, S_IN | S_REQUIRED, AT(url), .min = 9, .max = WEBHOOK_URL_MAX},
    {"description", S_LINE, S_IN, AT(description), .min = 1, .max = 200},
    EVENTS,
};
const struct schema webhook_body_schema =
    STRICT_SCHEMA(struct webhook_body, "WebhookRequest", body_fields);
static const struct schema_field patch_fields[] = {
    {"url", S_LINE, S_IN, AT(url), .min = 9, .max = WEBHOOK_URL_MAX},
    {"description", S_LINE, S_IN, AT(description), .min = 1, .max = 200},
    EVENTS,
    {"status", S_ENUM, S_IN, AT(status), .names = status_names, .hint = "status"},
};
#undef AT
const struct schema webhook_patch_schema =
    STRICT_SCHEMA(struct webhook_body, "WebhookPatch", patch_fields);

void write_webhook(struct jw *w, const struct webhook *h, struct str secret, struct arena *a) {
    (void)a;
    jw_object(w);
    jw_kv_str(w, "id", h->head.id);
    jw_kv_i64(w, "version", h->head.version);
    schema_write_fields(&schema, h, S_OUT, w);
    if (secret.p != NULL)
        jw_kv_str(w, "secret", secret);
    jw_end(w);
}

/* ---- what clients say ---- */

static int32_t type_index(struct str type) {
    for (size_t i = 0; i < COUNT_OF(event_types); i++) {
        if (str_is(type, event_types[i]))
            return (int32_t)i;
    }
    return -1;
}

/* The host of URL, which begins with SCHEME: absent if there can be none, or more than one reading
 * of it. */
static struct str host_of(struct str url, const char *scheme) {
    struct str rest = str_sub(url, strlen(scheme), url.len);
    size_t end = 0;
    for (size_t i = 0; i < url.len; i++) {
        if (url.p[i] <= ' ' || url.p[i] > '~' || strchr("\"<>\\^`{|}", url.p[i]) != NULL)
            return STR_NONE;
    }
    while (end < rest.len && strchr("/?#", rest.p[end]) == NULL)
        end++;
    struct str host = str_sub(rest, 0, end);
    if (host.len == 0 || memchr(host.p, '@', host.len) != NULL)
        return STR_NONE;
    if (host.p[0] == '[') {
        const char *close = memchr(host.p, ']', host.len);
        return close != NULL ? str_sub(host, 1, (size_t)(close - host.p) - 1) : STR_NONE;
    }
    const char *colon = memchr(host.p, ':', host.len);
    host.len = colon != NULL ? (size_t)(colon - host.p) : host.len;
    return host.len > 0 ? host : STR_NONE;
}

/* What is wrong with URL; NULL: nothing that can be known before it is connected to. */
static const char *url_fault(struct str url, bool allow_private) {
    bool https = str_starts(url, "https://");
    if (!https && !(allow_private && str_starts(url, "http://")))
        return "must begin with https://";
    struct str host = host_of(url, https ? "https://" : "http://");
    struct address address;
    if (host.p == NULL)
        return "must be a URL with a host and without user, password, spaces or quotes";
    bool inside = str_eq_nocase(host, "localhost") ||
                  (address_parse(host, &address) && !address_is_public(&address));
    return inside && !allow_private ? "must not lead to a private address" : NULL;
}

void webhook_check(struct call *c, const void *data, struct field_errors *errors) {
    const struct notification_service *n = c->service;
    const struct webhook_body *b = data;
    const char *fault = b->url.p != NULL ? url_fault(b->url, n->o.webhook_allow_private) : NULL;
    if (fault != NULL)
        field_errors_add(errors, &c->arena, STR("/url"), "%s", fault);
    for (int32_t i = 0; i < b->event_count; i++) {
        if (type_index(b->events[i]) < 0)
            field_errors_add(errors, &c->arena, arena_printf(&c->arena, "/events/%d", i),
                             "is no type of event");
    }
}

/* ---- secrets and signatures ---- */

struct str webhook_secret(struct entropy *e, struct arena *a) {
    unsigned char bytes[WEBHOOK_SECRET_BYTES];
    char text[sodium_base64_ENCODED_LEN(WEBHOOK_SECRET_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    e->fill(e, bytes, sizeof(bytes));
    sodium_bin2base64(text, sizeof(text), bytes, sizeof(bytes), sodium_base64_VARIANT_ORIGINAL);
    return arena_printf(a, SECRET_PREFIX "%s", text);
}

bool notification_is_secret(struct str s) {
    unsigned char key[64];
    size_t len = 0;
    struct str coded = str_sub(s, strlen(SECRET_PREFIX), s.len);
    return str_starts(s, SECRET_PREFIX) &&
           sodium_base642bin(key, sizeof(key), coded.p, coded.len, NULL, &len, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           len >= 24;
}

static struct str sign(struct str secret, struct str text, struct arena *a) {
    unsigned char key[64], mac[crypto_auth_hmacsha256_BYTES];
    char out[sodium_base64_ENCODED_LEN(sizeof(mac), sodium_base64_VARIANT_ORIGINAL)];
    size_t len = 0;
    struct str coded = str_sub(secret, strlen(SECRET_PREFIX), secret.len);
    CHECK(sodium_base642bin(key, sizeof(key), coded.p, coded.len, NULL, &len, NULL,
                            sodium_base64_VARIANT_ORIGINAL) == 0);
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.p, text.len);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2base64(out, sizeof(out), mac, sizeof(mac), sodium_base64_VARIANT_ORIGINAL);
    return arena_printf(a, "v1,%s", out);
}

struct str webhook_signature(const struct webhook *w, struct str id, int64_t at_s, struct str body,
                             int64_t now_us, struct arena *a) {
    struct str text =
        arena_printf(a, "%.*s.%lld.%.*s", STR_ARG(id), (long long)at_s, STR_ARG(body));
    struct str one = sign(w->secret, text, a);
    if (w->old_secret.p == NULL || now_us >= w->old_secret_until_us)
        return one;
    return arena_printf(a, "%.*s %.*s", STR_ARG(one), STR_ARG(sign(w->old_secret, text, a)));
}

/* ---- memory ---- */

static void forget(struct notification_service *n, struct str id) {
    for (int32_t i = 0; i < n->webhook_count; i++) {
        if (str_is(id, n->webhooks[i].id))
            n->webhooks[i] = n->webhooks[--n->webhook_count];
    }
}

static void know(struct notification_service *n, const struct webhook *w) {
    forget(n, w->head.id);
    if (w->status != WEBHOOK_ENABLED || n->webhook_count == WEBHOOKS_MAX)
        return;
    if (n->webhooks == NULL)
        n->webhooks = xcalloc(WEBHOOKS_MAX, sizeof(struct webhook_known));
    struct webhook_known *k = &n->webhooks[n->webhook_count++];
    *k = (struct webhook_known){.all = w->all, .events = w->event_count == 0 ? ~0u : 0};
    copy_text(k->id, sizeof(k->id), w->head.id);
    copy_text(k->owner_id, sizeof(k->owner_id), w->owner_id);
    for (int32_t i = 0; i < w->event_count; i++) {
        int32_t bit = type_index(w->events[i]);
        k->events |= bit >= 0 ? 1u << bit : 0;
    }
}

int webhooks_read(struct notification_service *n, struct store *store) {
    struct arena a;
    struct json_parser *parser = json_parser_new();
    struct str after = STR_NONE;
    int32_t count = STORE_LIST_MAX;
    int err = 0;
    arena_init(&a, 65536);
    for (int32_t pages = 0; err == 0 && count == STORE_LIST_MAX; pages++) {
        struct store_query q = {.collection = &webhook_collection,
                                .after = after,
                                .ascending = true,
                                .limit = STORE_LIST_MAX};
        struct store_doc *docs;
        err = store->ops->list(store, &q, &a, &docs, &count);
        if (err == 0 && pages == 0)
            n->webhook_count = 0;
        for (int32_t i = 0; err == 0 && i < count; i++) {
            void *state;
            err = aggregate_decode(&webhook_aggregate, &docs[i], parser, &a, &state);
            if (err == 0)
                know(n, state);
            after = docs[i].id;
        }
    }
    json_parser_free(parser);
    arena_free(&a);
    return err;
}

void webhooks_follow(struct notification_service *n, struct store *store, int64_t now_us) {
    if (n->o.peers == NULL ||
        (now_us >= n->webhooks_read_us && now_us < n->webhooks_read_us + WEBHOOKS_FOLLOW_US))
        return;
    n->webhooks_read_us = now_us;
    webhooks_read(n, store); /* what could not be read now is read later */
}

/* ---- who hears of an event ---- */

/* For VIEWER, who is not told what he will not see in the end: what was sent is out of the house.
 */
static struct str payload(struct str type, int64_t at_us, const struct ev_booking *b,
                          enum sight_viewer viewer, struct arena *a) {
    struct buf out;
    buf_init(&out, a, b != NULL ? b->view.len + 256 : 256);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "type", type);
    jw_kv_time(&w, "timestamp", at_us);
    jw_key(&w, "data");
    jw_object(&w);
    if (b != NULL) {
        jw_kv_str(&w, "booking_id", b->booking_id);
        jw_key(&w, "booking");
        jw_raw(&w, sight_copy(b->view, viewer, a));
    }
    jw_end(&w);
    jw_end(&w);
    return buf_str(&out);
}

void webhooks_add(struct event_turn *t, const struct ev_booking *b) {
    const struct notification_service *n = t->service;
    int32_t bit = type_index(t->event->type);
    struct str bodies[2] = {STR_NONE, STR_NONE}; /* for the customer; for the house's own */
    if (n->o.poster == NULL || bit < 0 || b->view.len == 0 || b->view.len > POST_BODY_MAX / 2)
        return;
    for (int32_t i = 0; i < n->webhook_count; i++) {
        const struct webhook_known *k = &n->webhooks[i];
        bool hears = k->all || str_is(b->customer_id, k->owner_id);
        if (!hears || (k->events & 1u << bit) == 0)
            continue;
        struct str *body = &bodies[k->all];
        if (body->p == NULL)
            *body = payload(t->event->type, t->event->at_us, b,
                            k->all ? VIEWER_STAFF : VIEWER_CUSTOMER, t->arena);
        struct delivery *d = arena_new(t->arena, struct delivery);
        *d = (struct delivery){.channel = CHANNEL_WEBHOOK,
                               .kind = t->event->type,
                               .user_id = arena_str(t->arena, str_from(k->owner_id)),
                               .endpoint_id = arena_str(t->arena, str_from(k->id)),
                               .payload = *body};
        delivery_add(t, d);
    }
}

/* ---- changing one ---- */

static struct webhook *edit(const struct command *cmd, const struct decide_ctx *ctx,
                            const struct webhook *old, struct decision *ret) {
    struct webhook *w = arena_copy(ctx->arena, old, sizeof(*old));
    w->updated_us = ctx->now_us;
    decision_state(ret, cmd, old, w);
    return w;
}

static void take_body(struct webhook *w, const struct webhook_body *b, bool events) {
    if (b->url.p != NULL)
        w->url = b->url;
    if (b->description.p != NULL)
        w->description = b->description;
    if (events) {
        w->events = b->events;
        w->event_count = b->event_count;
    }
}

static void answer(const struct command *cmd, const struct decide_ctx *ctx, const struct webhook *w,
                   int status, struct str secret, struct decision *ret) {
    struct buf out;
    struct jw jw;
    buf_init(&out, ctx->arena, 512);
    jw_init(&jw, &out);
    write_webhook(&jw, w, secret, ctx->arena);
    decision_json(ret, status, buf_str(&out));
    decision_etag(ret, cmd, w->head.version);
}

static int create_load(struct command *cmd, struct store *store, int64_t now_us) {
    const struct notification_service *n = cmd->service;
    struct store_query q = {.collection = &webhook_collection,
                            .index = "owner_id",
                            .key = cmd->who.user_id,
                            .limit = WEBHOOKS_OF_ONE_MAX};
    struct store_doc *docs;
    int32_t count;
    (void)now_us;
    int err = store->ops->list(store, &q, cmd->arena, &docs, &count);
    if (err < 0)
        return err;
    bool *full = arena_new(cmd->arena, bool);
    *full = count == WEBHOOKS_OF_ONE_MAX || n->webhook_count == WEBHOOKS_MAX;
    cmd->facts = full;
    return 0;
}

static void create_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                          struct decision *ret) {
    const struct webhook_args *args = cmd->args;
    if (old != NULL) { /* 80 random bits that came twice */
        decision_problem(ret, cmd, PROBLEM_INTERNAL, "this id is taken");
        return;
    }
    if (*(const bool *)cmd->facts) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_WEBHOOKS, "an account may have %d webhooks",
                         WEBHOOKS_OF_ONE_MAX);
        return;
    }
    struct webhook *w = arena_new(ctx->arena, struct webhook);
    *w = (struct webhook){.owner_id = cmd->who.user_id,
                          .all = cmd->who.role == ROLE_ADMIN,
                          .status = WEBHOOK_ENABLED,
                          .secret = args->secret,
                          .created_us = ctx->now_us,
                          .updated_us = ctx->now_us};
    take_body(w, args->body, true);
    decision_state(ret, cmd, NULL, w);
    if (w->all)
        decision_audit(ret, cmd, ctx, "webhook.created", NULL, w, NULL);
    answer(cmd, ctx, w, 201, w->secret, ret);
}

bool webhook_is_of(const struct webhook *w, const struct identity *who) {
    return w->all ? who->role == ROLE_ADMIN : str_eq(w->owner_id, who->user_id);
}

/* Somebody else's is not found. */
static bool is_his(const struct command *cmd, const struct webhook *w, struct decision *ret) {
    bool his = w != NULL && webhook_is_of(w, &cmd->who);
    if (!his)
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such webhook");
    return his;
}

static void change_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                          struct decision *ret) {
    const struct webhook_args *args = cmd->args;
    if (!is_his(cmd, old, ret))
        return;
    struct webhook *w = edit(cmd, ctx, old, ret);
    take_body(w, args->body, args->body->events != NULL);
    if (args->body->status != WEBHOOK_NONE) {
        w->status = args->body->status;
        w->status_reason = w->status == WEBHOOK_DISABLED ? STR("by its owner") : STR_NONE;
    }
    if (w->all)
        decision_audit(ret, cmd, ctx, "webhook.changed", old, w, NULL);
    answer(cmd, ctx, w, 200, STR_NONE, ret);
}

static void rotate_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                          struct decision *ret) {
    const struct webhook_args *args = cmd->args;
    if (!is_his(cmd, old, ret))
        return;
    struct webhook *w = edit(cmd, ctx, old, ret);
    w->old_secret = w->secret;
    w->old_secret_until_us = ctx->now_us + WEBHOOK_OLD_SECRET_US;
    w->secret = args->secret;
    if (w->all)
        decision_audit(ret, cmd, ctx, "webhook.secret", old, w, NULL);
    answer(cmd, ctx, w, 200, w->secret, ret);
}

static void remove_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                          struct decision *ret) {
    if (!is_his(cmd, old, ret))
        return;
    ret->remove = true;
    if (((const struct webhook *)old)->all)
        decision_audit(ret, cmd, ctx, "webhook.removed", old, NULL, NULL);
}

static void applied(const struct command *cmd, const struct decision *d, const void *state) {
    if (d->remove)
        forget(cmd->service, cmd->id);
    else if (d->state != NULL)
        know(cmd->service, state);
}

const struct command_type webhook_create = {.name = "webhook.create",
                                            .aggregate = &webhook_aggregate,
                                            .load = create_load,
                                            .decide = create_decide,
                                            .applied = applied,
                                            .location = "/v1/webhooks/"};
#define WEBHOOK_COMMAND(label, fn)                                                                 \
    { .name = (label), .aggregate = &webhook_aggregate, .decide = (fn), .applied = applied }
const struct command_type webhook_change = WEBHOOK_COMMAND("webhook.change", change_decide);
const struct command_type webhook_rotate = WEBHOOK_COMMAND("webhook.rotate", rotate_decide);
const struct command_type webhook_remove = WEBHOOK_COMMAND("webhook.remove", remove_decide);

/* ---- what becomes of its owner ---- */

struct orphaned {
    bool erased; /* its owner is; else: not what he was any more */
};

static void orphaned_decide(const struct command *cmd, const struct decide_ctx *ctx,
                            const void *old, struct decision *ret) {
    const struct orphaned *args = cmd->args;
    const struct webhook *before = old;
    if (before == NULL || (!args->erased && before->status != WEBHOOK_ENABLED))
        return;
    if (args->erased) {
        ret->remove = true;
        return;
    }
    struct webhook *w = edit(cmd, ctx, old, ret);
    w->status = WEBHOOK_DISABLED;
    w->status_reason = STR("its owner's account was disabled, or is no admin's any more");
    if (w->all)
        decision_audit(ret, cmd, ctx, "webhook.orphaned", old, w, NULL);
}
static const struct command_type webhook_orphaned =
    WEBHOOK_COMMAND("webhook.orphaned", orphaned_decide);

static void orphan(struct event_turn *t, const char *id, bool erased) {
    struct orphaned *args = arena_new(t->arena, struct orphaned);
    args->erased = erased;
    event_command_once(t, &webhook_orphaned, arena_str(t->arena, str_from(id)), args);
}

void webhooks_on_account(struct event_turn *t, const struct ev_account *said) {
    const struct notification_service *n = t->service;
    for (int32_t i = 0; i < n->webhook_count; i++) {
        const struct webhook_known *k = &n->webhooks[i];
        bool too_much = k->all && said->role != ROLE_NONE && said->role != ROLE_ADMIN;
        if (str_is(said->user_id, k->owner_id) && (said->disabled || too_much))
            orphan(t, k->id, false);
    }
}

/* Forgotten at once: the store's are the eraser's too, and it may be there first. */
void webhooks_on_erased(struct event_turn *t, const struct ev_erased *said) {
    struct notification_service *n = t->service;
    for (int32_t i = n->webhook_count - 1; i >= 0; i--) {
        if (!str_is(said->user_id, n->webhooks[i].owner_id))
            continue;
        orphan(t, n->webhooks[i].id, true);
        n->webhooks[i] = n->webhooks[--n->webhook_count];
    }
}

/* ---- one that takes nothing any more ---- */

/* Has any other of its messages been taken since the one that was given up was made? */
static int exhausted_load(struct command *cmd, struct store *store, int64_t now_us) {
    const struct ev_webhook *said = cmd->args;
    struct store_query q = {.collection = &delivery_collection,
                            .index = "endpoint_id",
                            .key = said->webhook_id,
                            .limit = EXHAUSTED_LOOK_MAX};
    struct store_doc *docs;
    int32_t count;
    bool *alive = arena_new(cmd->arena, bool);
    (void)now_us;
    int err = store->ops->list(store, &q, cmd->arena, &docs, &count);
    for (int32_t i = 0; err == 0 && i < count; i++) {
        void *state;
        err = aggregate_decode(&delivery_aggregate, &docs[i], executor_parser(cmd->executor),
                               cmd->arena, &state);
        const struct delivery *d = state;
        *alive = *alive || (err == 0 && d->state == DELIVERY_SENT && d->done_us > said->since_us);
    }
    cmd->facts = alive;
    return err;
}

static void exhausted_decide(const struct command *cmd, const struct decide_ctx *ctx,
                             const void *old, struct decision *ret) {
    const struct ev_webhook *said = cmd->args;
    const struct webhook *before = old;
    bool alive = *(const bool *)cmd->facts && !said->gone;
    if (before == NULL || before->status != WEBHOOK_ENABLED || alive)
        return;
    struct webhook *w = edit(cmd, ctx, old, ret);
    w->status = WEBHOOK_DISABLED;
    w->status_reason = said->gone ? STR("the receiver says that it is gone (410)")
                                  : STR("nothing was taken for three days");
    struct ev_webhook event = {.webhook_id = cmd->id,
                               .owner_id = w->owner_id,
                               .all = w->all,
                               .url = w->url,
                               .since_us = said->since_us,
                               .gone = said->gone};
    decision_event(ret, cmd, ctx, EV_WEBHOOK_DISABLED, cmd->id, &ev_webhook_schema, &event);
}
static const struct command_type webhook_exhausted = {.name = "webhook.exhausted",
                                                      .aggregate = &webhook_aggregate,
                                                      .load = exhausted_load,
                                                      .decide = exhausted_decide,
                                                      .applied = applied};

void on_webhook_exhausted(struct event_turn *t, const void *data) {
    const struct ev_webhook *said = data;
    if (said->webhook_id.p != NULL) /* else of no webhook: nobody's */
        event_command(t, &webhook_exhausted, said->webhook_id, (void *)(uintptr_t)said);
}
