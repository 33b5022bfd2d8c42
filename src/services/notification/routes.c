/* The service's tables, its own life, and its two routes. */
#include "services/notification/alerts.h"
#include "services/notification/erase.h"
#include "services/notification/internal.h"
#include "services/notification/recipients.h"
#include "services/notification/webhooks.h"

#include "base/check.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

static struct str trimmed(struct str s) {
    while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = str_sub(s, 1, s.len);
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The first of the offered subprotocols ("lorry.v1, bearer.<token>") that begins with PREFIX, or,
 * if WHOLE, that is it. The header may come more than once. */
static struct str offered(const struct call *c, const char *prefix, bool whole) {
    for (int32_t i = 0; i < c->request.header_count; i++) {
        if (!str_is(c->request.headers[i].name, "sec-websocket-protocol"))
            continue;
        struct str list = c->request.headers[i].value;
        for (size_t at = 0, end; at < list.len; at = end + 1) {
            for (end = at; end < list.len && list.p[end] != ','; end++)
                ;
            struct str one = trimmed(str_sub(list, at, end - at));
            if (whole ? str_is(one, prefix) : str_starts(one, prefix))
                return one;
        }
    }
    return STR_NONE;
}

void route_socket(struct call *c) {
    struct notification_service *n = c->service;
    if (!c->request.upgrade) {
        response_header(&c->response, "Upgrade", STR("websocket"));
        struct response keep = c->response;
        problem_fill(&c->response, &c->arena, c->request_id, PROBLEM_UPGRADE_REQUIRED,
                     "connect with a WebSocket client");
        response_header(&c->response, keep.headers[0].name.p, keep.headers[0].value);
        c->reply(c);
        return;
    }
    struct str token = offered(c, "bearer.", false);
    struct identity who = c->who;
    if (token.p != NULL) {
        token = str_sub(token, strlen("bearer."), token.len);
        if (token_verify(n->o.verifier, token, c->now_us, &c->arena, &who) < 0 || who.scopes != 0) {
            call_problem(c, PROBLEM_UNAUTHENTICATED, "the access token is not valid");
            return;
        }
    }
    int64_t now_us = c->now_us;
    struct session *s = session_new(c->worker->notification, now_us);
    if (who.role != ROLE_NONE)
        session_identify(s, &who); /* the call, and all in it, is gone after accept */
    s->socket = c->accept(c, offered(c, "lorry.v1", true), &session_events, s);
    if (s->role != ROLE_NONE)
        session_begin(s, now_us);
}

/* The number that a cursor names: it must be an entry of this inbox. */
static bool cursor_seq(struct call *c, struct str stream, struct str cursor, int64_t *seq) {
    if (cursor.p == NULL)
        return true;
    bool ours = cursor.len > stream.len && str_eq(str_sub(cursor, 0, stream.len), stream) &&
                cursor.p[stream.len] == ':';
    if (ours)
        *seq = inbox_seq_of(cursor);
    else
        call_problem(c, PROBLEM_BAD_PARAMETER, "cursor must be the next_cursor of an earlier page");
    return ours;
}

void route_notifications(struct call *c) {
    int32_t limit;
    struct str cursor, stream = stream_of(&c->who);
    int64_t after = 0;
    if (!call_page(c, &limit, &cursor) ||
        !call_query_i64(c, "after", 0, INBOX_SEQ_MAX + 1, &after) ||
        !cursor_seq(c, stream, cursor, &after))
        return;
    struct inbox_entry *entries;
    int32_t count;
    int err = inbox_read(c->worker->reader, c->worker->parser, stream, after, INBOX_SEQ_MAX, limit,
                         &c->arena, &entries, &count);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    struct page p;
    page_begin(&p, c);
    for (int32_t i = 0; i < count; i++) {
        if (entries[i].data.p != NULL) /* else it was erased, or is damaged */
            jw_raw(&p.w, inbox_frame(&entries[i], &c->arena));
        else if (entries[i].type.p == NULL)
            ((struct notification_service *)c->service)->unreadable++;
    }
    page_reply(&p, count == limit, count > 0 ? entries[count - 1].head.id : STR_NONE);
}

/* ---- tables ---- */

#define WEBHOOK_ROLES (ROLES(ROLE_CUSTOMER) | ROLES(ROLE_ADMIN))
static const struct route_entry routes[] = {
    {"GET", "/v1/ws", ROLES_PUBLIC, route_socket, NULL, ROUTE_SOCKET, "openSocket"},
    {"GET", "/v1/notifications", ROLES_ANY, route_notifications, NULL, 0, "listNotifications",
     .area = AREA_NOTIFICATIONS},
    {"GET", "/v1/notifications/preferences", ROLES_ANY, route_preferences, NULL, 0,
     "getNotificationPreferences", .area = AREA_NOTIFICATIONS},
    {"PUT", "/v1/notifications/preferences", ROLES_ANY, route_preferences_put, &preferences_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "putNotificationPreferences", preferences_check,
     .area = AREA_NOTIFICATIONS},
    {"GET", "/v1/alerts", ROLES_STAFF, route_alerts, NULL, 0, "listAlerts", .area = AREA_BOOKINGS},
    {"POST", "/v1/alerts/{id}/ack", ROLES_STAFF, route_alert_ack, &alert_body_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH | ROUTE_BODY_OPTIONAL, "acknowledgeAlert",
     .area = AREA_BOOKINGS},
    {"GET", "/v1/webhooks", WEBHOOK_ROLES, route_webhooks, NULL, 0, "listWebhooks"},
    {"POST", "/v1/webhooks", WEBHOOK_ROLES, route_webhook_create, &webhook_body_schema, 0,
     "createWebhook", webhook_check},
    {"GET", "/v1/webhooks/{id}", WEBHOOK_ROLES, route_webhook, NULL, 0, "getWebhook"},
    {"PATCH", "/v1/webhooks/{id}", WEBHOOK_ROLES, route_webhook_patch, &webhook_patch_schema,
     ROUTE_IF_MATCH, "patchWebhook", webhook_check},
    {"DELETE", "/v1/webhooks/{id}", WEBHOOK_ROLES, route_webhook_delete, NULL, ROUTE_IF_MATCH,
     "deleteWebhook"},
    {"POST", "/v1/webhooks/{id}/secret", WEBHOOK_ROLES, route_webhook_secret, NULL, 0,
     "rotateWebhookSecret"},
    {"POST", "/v1/webhooks/{id}/test", WEBHOOK_ROLES, route_webhook_test, NULL, 0, "testWebhook"},
    {"GET", "/v1/webhooks/{id}/deliveries", WEBHOOK_ROLES, route_webhook_deliveries, NULL, 0,
     "listWebhookDeliveries"},
    {"GET", "/v1/deliveries", ROLES(ROLE_ADMIN), route_deliveries, NULL, 0, "listDeliveries"},
    {"POST", "/v1/deliveries/{id}/retry", WEBHOOK_ROLES, route_delivery_retry, NULL, 0,
     "retryDelivery"},
};
static const struct store_collection *const collections[] = {
    &inbox_collection,     &watchable_collection,
    &delivery_collection,  &webhook_collection,
    &recipient_collection, &notification_erasure_collection,
    &alert_collection,     NULL};
static const struct command_type *const timers[] = {&delivery_wake, NULL};

static void tick(void *self, struct store *writer, int64_t now_us) {
    inbox_tick(self, writer, now_us);
    outbound_tick(self, writer, now_us);
    eraser_tick(&notification_eraser, writer, &((struct notification_service *)self)->erase_next_us,
                now_us);
    alerts_tick(self, writer, now_us);
}

static int start(void *self, struct store *reader, int64_t now_us) {
    (void)now_us;
    return webhooks_read(self, reader);
}

static void follow(void *self, struct store *writer, int64_t now_us) {
    webhooks_follow(self, writer, now_us);
}

static void metrics(void *self, struct buf *out) {
    struct notification_service *n = self;
    buf_printf(out,
               "# HELP lorry_sockets_open WebSocket sessions.\n"
               "# TYPE lorry_sockets_open gauge\nlorry_sockets_open %lld\n"
               "# HELP lorry_pushed_total Entries pushed live.\n"
               "# TYPE lorry_pushed_total counter\nlorry_pushed_total %llu\n"
               "# HELP lorry_positions_sent_total Positions sent to watchers.\n"
               "# TYPE lorry_positions_sent_total counter\nlorry_positions_sent_total %llu\n"
               "# HELP lorry_replays_total Resumes that were replayed whole.\n"
               "# TYPE lorry_replays_total counter\nlorry_replays_total %llu\n"
               "# HELP lorry_slow_readers_total Times that a socket's queue was full.\n"
               "# TYPE lorry_slow_readers_total counter\nlorry_slow_readers_total %llu\n"
               "# HELP lorry_inbox_unreadable_total Times that a damaged entry was left out.\n"
               "# TYPE lorry_inbox_unreadable_total counter\nlorry_inbox_unreadable_total %llu\n",
               (long long)n->sessions_open, (unsigned long long)n->pushed,
               (unsigned long long)n->positions_sent, (unsigned long long)n->replayed,
               (unsigned long long)n->slow, (unsigned long long)n->unreadable);
    outbound_metrics(n, out);
}

static const struct service_def def = {
    .name = "notification",
    .routes = routes,
    .route_count = (int32_t)COUNT_OF(routes),
    .events = notification_events,
    .event_count = 39,
    .timers = timers,
    .start = start,
    .follow = follow,
    .collections = collections,
    .tick = tick,
    .worker_start = part_start,
    .worker_tick = part_tick,
    .worker_stop = part_stop,
    .metrics = metrics,
};

struct service notification_service(struct notification_service *n) {
    CHECK(notification_event_count == def.event_count);
    return (struct service){&def, n};
}

struct notification_service *notification_service_new(const struct notification_options *o) {
    CHECK(o->workers_max > 0 && o->workers_max <= NOTIFICATION_WORKERS_MAX);
    struct notification_service *n = xcalloc(1, sizeof(*n));
    n->o = *o;
    positions_init(&n->positions);
    map_init(&n->heads);
    map_init(&n->listeners);
    outbound_init(&n->outbound);
    n->watchables_kept =
        (struct retention){.aggregate = &watchable_aggregate, .over = watchable_over};
    n->alerts_kept = (struct retention){.aggregate = &alert_aggregate, .over = alert_over};
    pthread_mutex_init(&n->lock, NULL);
    n->parts = xcalloc((size_t)o->workers_max, sizeof(struct notification_part));
    for (int32_t i = 0; i < o->workers_max; i++)
        n->parts[i].service = n;
    if (o->bus != NULL)
        CHECK(o->bus->ops->listen(o->bus, SIGNAL_POSITION, positions_on_signal, n) == 0 &&
              o->bus->ops->listen(o->bus, SIGNAL_ETA, positions_on_eta, n) == 0);
    if (o->peers != NULL)
        part_listen(n);
    return n;
}

static void free_values(struct map *m) {
    size_t iter = 0;
    void *value;
    while (map_next(m, &iter, &value))
        free(value);
    map_free(m);
}

struct notification_service *notification_service_free(struct notification_service *n) {
    if (n == NULL)
        return NULL;
    positions_free(&n->positions);
    outbound_free(&n->outbound);
    free_values(&n->heads);
    free_values(&n->listeners);
    pthread_mutex_destroy(&n->lock);
    free(n->webhooks);
    free(n->parts);
    free(n);
    return NULL;
}

void notification_service_executor(struct notification_service *n, struct executor *x) {
    n->outbound.executor = x;
}
