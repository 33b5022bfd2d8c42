/* The service's tables, its own life, and its two routes. */
#include "services/notification/internal.h"

#include "base/check.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

/* Offered subprotocols: "lorry.v1, bearer.<token>". */
static struct str offered(struct call *c, const char *prefix) {
    struct str list = call_header(c, "sec-websocket-protocol");
    size_t at = 0;
    while (at < list.len) {
        size_t end = at;
        while (end < list.len && list.p[end] != ',')
            end++;
        struct str one = {list.p + at, end - at};
        while (one.len > 0 && (one.p[0] == ' ' || one.p[0] == '\t'))
            one = str_sub(one, 1, one.len);
        while (one.len > 0 && (one.p[one.len - 1] == ' ' || one.p[one.len - 1] == '\t'))
            one.len--;
        if (str_starts(one, prefix))
            return one;
        at = end + 1;
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
    struct str token = offered(c, "bearer.");
    struct identity who = c->who;
    if (token.p != NULL) {
        token = str_sub(token, 7, token.len);
        if (token_verify(n->o.verifier, token, c->now_us, &c->arena, &who) < 0) {
            call_problem(c, PROBLEM_UNAUTHENTICATED, "the access token is not valid");
            return;
        }
    }
    struct notification_part *part = c->worker->notification;
    struct session *s = session_new(part, c->now_us);
    struct str protocol = offered(c, "lorry.v1");
    char user_id[STREAM_MAX], sid[STREAM_MAX], name[64]; /* the call is gone after accept */
    struct identity kept = who;
    copy_text(user_id, sizeof(user_id), who.user_id);
    copy_text(sid, sizeof(sid), who.sid);
    copy_text(name, sizeof(name), who.name);
    kept.user_id = str_from(user_id);
    kept.sid = str_from(sid);
    kept.name = str_from(name);
    s->socket =
        c->accept(c, str_is(protocol, "lorry.v1") ? STR("lorry.v1") : STR_NONE, &session_events, s);
    if (kept.role != ROLE_NONE)
        session_sign_in(s, &kept);
}

void route_notifications(struct call *c) {
    int32_t limit;
    struct str after_id;
    int64_t after = 0;
    if (!call_page(c, &limit, &after_id) ||
        !call_query_i64(c, "after", 0, INT64_C(999999999999), &after))
        return;
    if (after_id.p != NULL)
        after = inbox_seq_of(after_id);
    struct inbox_entry *entries;
    int32_t count;
    int err = inbox_read(c->worker->reader, c->worker->parser, stream_of(&c->who), after,
                         INT64_C(999999999998), limit, &c->arena, &entries, &count);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    struct buf out;
    buf_init(&out, &c->arena, 4096);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (int32_t i = 0; i < count; i++)
        jw_raw(&w, inbox_frame(&entries[i], &c->arena));
    jw_end(&w);
    page_cursor(&w, &c->arena, count == limit, count > 0 ? entries[count - 1].head.id : STR_NONE);
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}

/* ---- tables ---- */

static const struct route_entry routes[] = {
    {"GET", "/v1/ws", ROLES_PUBLIC, route_socket, NULL, ROUTE_SOCKET, "openSocket"},
    {"GET", "/v1/notifications", ROLES_ANY, route_notifications, NULL, 0, "listNotifications"},
};
static const struct store_collection *const collections[] = {&inbox_collection,
                                                             &watchable_collection, NULL};

static void tick(void *self, struct store *writer, int64_t now_us) {
    inbox_tick(self, writer, now_us);
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
               "# TYPE lorry_slow_readers_total counter\nlorry_slow_readers_total %llu\n",
               (long long)n->sessions_open, (unsigned long long)n->pushed,
               (unsigned long long)n->positions_sent, (unsigned long long)n->replayed,
               (unsigned long long)n->slow);
}

static const struct service_def def = {
    .name = "notification",
    .routes = routes,
    .route_count = (int32_t)COUNT_OF(routes),
    .events = notification_events,
    .event_count = 11,
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
    CHECK(o->workers_max > 0);
    struct notification_service *n = xcalloc(1, sizeof(*n));
    n->o = *o;
    positions_init(&n->positions);
    map_init(&n->heads);
    map_init(&n->listeners);
    pthread_mutex_init(&n->lock, NULL);
    n->parts = xcalloc((size_t)o->workers_max, sizeof(struct notification_part));
    if (o->bus != NULL)
        CHECK(o->bus->ops->listen(o->bus, SIGNAL_POSITION, positions_on_signal, n) == 0);
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
    free_values(&n->heads);
    free_values(&n->listeners);
    pthread_mutex_destroy(&n->lock);
    free(n->parts);
    free(n);
    return NULL;
}
