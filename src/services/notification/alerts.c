#include "services/notification/alerts.h"

#include "base/check.h"
#include "base/timestamp.h"
#include "runtime/audit.h"
#include "services/notification/recipients.h"

#include <stddef.h>

#define NOTE_CHARS_MAX 500

static const char *const state_names[] = {NULL, "open", "acknowledged", "cleared", NULL};

#define KEPT(member) .flags = S_STORE, .offset = offsetof(struct alert, member)
#define SHOWN(member) .flags = S_STORE | S_OUT, .offset = offsetof(struct alert, member)
#define NULLED(member) .flags = S_STORE | S_OUT | S_NULL, .offset = offsetof(struct alert, member)
static const struct schema_field fields[] = {
    {"id", S_STR, .flags = S_OUT, .offset = offsetof(struct alert, head.id)},
    {"version", S_I64, .flags = S_OUT, .offset = offsetof(struct alert, head.version)},
    {"kind", S_ENUM, SHOWN(kind), .names = alert_kind_names},
    {"state", S_ENUM, SHOWN(state), .names = state_names},
    {"booking_id", S_ID, SHOWN(booking_id), .hint = "bkg"},
    {"driver_id", S_ID, NULLED(driver_id), .hint = "drv"},
    {"number", S_I64, KEPT(number)},
    {"over", S_BOOL, KEPT(over)},
    {"times", S_I64, SHOWN(times)},
    {"stop", S_I64, NULLED(stop)},
    {"eta", S_TIME, NULLED(eta_us)},
    {"promised", S_TIME, NULLED(promised_us)},
    {"distance_m", S_I64, NULLED(distance_m)},
    {"seen_at", S_TIME, NULLED(seen_us)},
    {"raised_at", S_TIME, NULLED(raised_at_us)},
    {"cleared_at", S_TIME, NULLED(cleared_at_us)},
    {"acknowledged_at", S_TIME, NULLED(acknowledged_at_us)},
    {"acknowledged_by", S_ID, NULLED(acknowledged_by), .hint = "usr"},
    {"note", S_STR, NULLED(note)},
};
static const struct schema alert_schema = SCHEMA(struct alert, "StoredAlert", fields);

static const struct schema_field body_fields[] = {
    {"note", S_STR, S_IN, .offset = offsetof(struct alert_body, note), .min = 1,
     .max = NOTE_CHARS_MAX},
};
const struct schema alert_body_schema = SCHEMA(struct alert_body, "AlertAckRequest", body_fields);

const struct store_collection alert_collection = {.name = "alerts", .indexes = {"phase"}};

static void alert_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    (void)a;
    ret_keys[0] = ((const struct alert *)state)->state == ALERT_PAST ? STR("past") : STR("active");
}
const struct aggregate alert_aggregate = {&alert_collection, &alert_schema, alert_keys, NULL};

static struct str alert_id(struct arena *a, struct str booking_id, int32_t kind) {
    return arena_printf(a, "%.*s_%s", STR_ARG(id_with_prefix(a, booking_id, "alr")),
                        alert_kind_names[kind]);
}

static struct str alert_json(const struct alert *alert, struct arena *a) {
    return schema_text(&alert_schema, alert, S_OUT, a);
}

/* ---- decisions ---- */

static struct alert *alert_edit(const struct command *cmd, const struct decide_ctx *ctx,
                                const struct alert *old, struct decision *ret) {
    struct alert *next = arena_new(ctx->arena, struct alert);
    schema_clear(&alert_schema, next);
    if (old != NULL) {
        *next = *old;
        next->booking_id = arena_str(ctx->arena, old->booking_id);
        next->driver_id = arena_str(ctx->arena, old->driver_id);
        next->acknowledged_by = arena_str(ctx->arena, old->acknowledged_by);
        next->note = arena_str(ctx->arena, old->note);
    }
    decision_state(ret, cmd, old, next);
    return next;
}

static void decide_raised(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct ev_alert *e = cmd->args;
    const struct alert *old = state;
    if (old != NULL && old->number >= e->number)
        return;
    int64_t times = old != NULL && old->times > 0 ? old->times : 0;
    struct alert *next = alert_edit(cmd, ctx, NULL, ret);
    *next = (struct alert){.head = next->head,
                           .kind = e->kind,
                           .state = ALERT_OPEN,
                           .booking_id = arena_str(ctx->arena, e->booking_id),
                           .driver_id = arena_str(ctx->arena, e->driver_id),
                           .number = e->number,
                           .over = e->over,
                           .times = times + 1,
                           .stop = e->stop,
                           .distance_m = e->distance_m,
                           .eta_us = e->eta_us,
                           .promised_us = e->promised_us,
                           .seen_us = e->seen_us,
                           .raised_at_us = e->at_us};
    decision_state(ret, cmd, old, next);
}

/* Also where it was not heard that it was raised: that may come yet, and is over. */
static void decide_cleared(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct ev_alert *e = cmd->args;
    const struct alert *old = state;
    if (old != NULL && old->number >= e->number)
        return;
    struct alert *next = alert_edit(cmd, ctx, old, ret);
    if (old == NULL) {
        next->kind = e->kind;
        next->booking_id = arena_str(ctx->arena, e->booking_id);
        next->times = 0;
    }
    next->number = e->number;
    next->state = ALERT_PAST;
    next->cleared_at_us = e->at_us;
}

static const struct command_type alert_raised = {
    .name = "alert.raised", .aggregate = &alert_aggregate, .decide = decide_raised};
static const struct command_type alert_cleared = {
    .name = "alert.cleared", .aggregate = &alert_aggregate, .decide = decide_cleared};

static void decide_ack(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct alert_body *body = cmd->args;
    const struct alert *old = state;
    if (old == NULL || old->times <= 0) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such alert");
        return;
    }
    if (old->state == ALERT_OPEN) {
        struct alert *next = alert_edit(cmd, ctx, old, ret);
        next->state = next->over ? ALERT_PAST : ALERT_ACKNOWLEDGED;
        next->acknowledged_at_us = ctx->now_us;
        next->acknowledged_by = arena_str(ctx->arena, cmd->who.user_id);
        next->note = arena_str(ctx->arena, body->note);
        decision_audit(ret, cmd, ctx, "alert.acknowledged", old, next, NULL);
        struct ev_alert told = {.booking_id = next->booking_id,
                                .driver_id = next->driver_id,
                                .kind = next->kind,
                                .number = next->number,
                                .at_us = ctx->now_us,
                                .stop = next->stop,
                                .distance_m = next->distance_m};
        decision_event(ret, cmd, ctx, EV_ALERT_ACKNOWLEDGED, next->booking_id, &ev_alert_schema,
                       &told);
        old = next;
    }
    decision_json(ret, 200, alert_json(old, ctx->arena));
    decision_etag(ret, cmd, old->head.version);
}

static const struct command_type alert_ack = {
    .name = "alert.acknowledge", .aggregate = &alert_aggregate, .decide = decide_ack};

/* ---- events ---- */

/* What staff is told: short, for the list is read anew. */
static struct str told(const struct ev_alert *e, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 256);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "id", alert_id(a, e->booking_id, e->kind));
    jw_kv_str(&w, "kind", str_from(alert_kind_names[e->kind]));
    jw_kv_str(&w, "booking_id", e->booking_id);
    jw_kv_str(&w, "driver_id", e->driver_id);
    jw_end(&w);
    return buf_str(&out);
}

static void on_alert(struct event_turn *t, const struct ev_alert *e,
                     const struct command_type *type) {
    if (!id_valid(e->booking_id, "bkg") || e->kind == ALERT_NONE || e->number < 0)
        return;
    if (type != NULL)
        event_command(t, type, alert_id(t->arena, e->booking_id, e->kind),
                      arena_copy(t->arena, e, sizeof(*e)));
    inbox_add(t, STREAM_STAFF, "alert.updated", told(e, t->arena));
}

void on_alert_raised(struct event_turn *t, const void *data) {
    on_alert(t, data, &alert_raised);
}
void on_alert_cleared(struct event_turn *t, const void *data) {
    on_alert(t, data, &alert_cleared);
}
void on_alert_acknowledged(struct event_turn *t, const void *data) {
    on_alert(t, data, NULL);
}

/* ---- routes ---- */

void route_alerts(struct call *c) {
    static const char *const phases[] = {NULL, "active", "past", NULL};
    int32_t limit, count, phase = 1;
    struct store_query q = {.collection = &alert_collection, .index = "phase"};
    struct store_doc *docs;
    if (!call_query_enum(c, "state", phases, &phase) || !call_page(c, &limit, &q.after))
        return;
    q.key = str_from(phases[phase != 0 ? phase : 1]);
    q.limit = limit;
    int err = c->worker->reader->ops->list(c->worker->reader, &q, &c->arena, &docs, &count);
    struct page page;
    page_begin(&page, c);
    for (int32_t i = 0; i < count && err == 0; i++) {
        void *state;
        err = aggregate_decode(&alert_aggregate, &docs[i], c->worker->parser, &c->arena, &state);
        if (err == 0 && ((const struct alert *)state)->times > 0)
            jw_raw(&page.w, alert_json(state, &c->arena));
    }
    if (err < 0)
        call_error(c, err);
    else
        page_reply(&page, count == limit, count > 0 ? docs[count - 1].id : STR_NONE);
}

void route_alert_ack(struct call *c) {
    if (c->params[0].len > STORE_ID_MAX) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such alert");
        return;
    }
    call_command(c, &alert_ack, c->params[0], c->body);
}

bool alert_over(const void *state, int64_t before_us) {
    const struct alert *a = state;
    return a->raised_at_us < before_us && a->cleared_at_us < before_us &&
           a->acknowledged_at_us < before_us;
}

void alerts_tick(struct notification_service *n, struct store *writer, int64_t now_us) {
    if (now_us <= ALERTS_KEPT_US)
        return;
    struct arena a;
    struct rng zero = {{0}};
    rng_seed(&zero, 0); /* any id of that time is a bound */
    arena_init(&a, 256);
    int64_t before_us = now_us - ALERTS_KEPT_US;
    retention_tick(&n->alerts_kept, writer, id_new(&a, "alr", before_us, &zero), before_us, now_us);
    arena_free(&a);
}
