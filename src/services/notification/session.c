/* One socket's session. Entries reach the client in the order of their numbers, each once: `ready`
 * names where live begins; a resume replays what lies between the client's number and there, from
 * the store; what comes later is pushed as it becomes durable. A session that could not be told at
 * once (slow reader, a gap) is `behind` and reads on from the store, so that nothing is queued for
 * it here.
 */
#include "services/notification/internal.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_PAGES_MAX 4 /* read in one go; the tick goes on */

/* ---- sending ---- */

static bool send_frame(struct session *s, struct frame *f) {
    return s->socket->ops->send(s->socket, f) == 0;
}

void session_send_text(struct session *s, struct str text) {
    struct frame *f = frame_new(text);
    (void)send_frame(s, f); /* a client that reads nothing misses his errors and acks first */
    frame_unref(f);
}

static struct arena *scratch(struct session *s) {
    arena_reset(&s->part->scratch);
    return &s->part->scratch;
}

static void send_error(struct session *s, int status, const char *problem, struct str detail) {
    struct buf out;
    struct arena *a = &s->part->scratch;
    buf_init(&out, a, 256);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "type", STR("error"));
    jw_kv_i64(&w, "status", status);
    jw_kv_str(&w, "problem", arena_printf(a, "/problems/%s", problem));
    jw_kv_str(&w, "detail", detail);
    jw_end(&w);
    session_send_text(s, buf_str(&out));
}

/* ---- live and replay ---- */

/* Sends one stored entry. False: the socket's queue is full. */
static bool send_entry(struct session *s, const struct inbox_entry *entry, struct arena *a) {
    struct frame *f = frame_new(inbox_frame(entry, a));
    bool sent = send_frame(s, f);
    frame_unref(f);
    return sent;
}

/* Reads entries beyond *AT up to UNTIL and sends them. True when it got to the end. */
static bool send_range(struct session *s, int64_t *at, int64_t until) {
    struct worker *w = s->part->worker;
    for (int page = 0; page < SESSION_PAGES_MAX; page++) {
        struct arena *a = scratch(s);
        struct inbox_entry *entries;
        int32_t count;
        if (inbox_read(w->reader, w->parser, str_from(s->stream), *at, until, INBOX_PAGE_MAX, a,
                       &entries, &count) < 0)
            return false;
        for (int32_t i = 0; i < count; i++) {
            if (!send_entry(s, &entries[i], a))
                return false;
            *at = entries[i].seq;
        }
        if (count < INBOX_PAGE_MAX)
            return true;
    }
    return false;
}

static void replay(struct session *s) {
    if (!send_range(s, &s->replay_seq, s->ready_seq)) {
        s->behind = true;
        return;
    }
    s->replaying = false;
    s->part->service->replayed++;
    session_send_text(s, arena_printf(scratch(s), "{\"type\":\"resumed\",\"seq\":%lld}",
                                      (long long)s->ready_seq));
}

void session_catch_up(struct session *s) {
    s->behind = false;
    if (s->replaying) {
        replay(s);
        if (s->replaying)
            return;
    }
    if (!send_range(s, &s->sent_seq, INT64_C(999999999998)))
        s->behind = true;
}

void session_push(struct session *s, int64_t seq, struct frame *frame) {
    if (s->state != SESSION_LIVE || seq <= s->sent_seq)
        return;
    if (s->replaying || s->behind) {
        s->behind = true;
        return;
    }
    if (seq != s->sent_seq + 1) {
        session_catch_up(s);
        return;
    }
    if (!send_frame(s, frame)) {
        s->behind = true;
        s->part->service->slow++;
        return;
    }
    s->sent_seq = seq;
    s->part->service->pushed++;
}

/* ---- signing in ---- */

struct session *session_new(struct notification_part *part, int64_t now_us) {
    struct session *s = xcalloc(1, sizeof(*s));
    s->part = part;
    s->opened_us = now_us;
    s->number = ++part->next_number;
    map_put(&part->numbers, session_key(s), s);
    s->next = part->sessions;
    if (s->next != NULL)
        s->next->before = s;
    part->sessions = s;
    part->service->sessions_open++;
    return s;
}

bool session_sign_in(struct session *s, const struct identity *who) {
    struct str stream = stream_of(who);
    CHECK(stream.len < STREAM_MAX && who->user_id.len < STREAM_MAX && who->sid.len < STREAM_MAX);
    copy_text(s->stream, STREAM_MAX, stream);
    copy_text(s->user_id, STREAM_MAX, who->user_id);
    copy_text(s->sid, STREAM_MAX, who->sid);
    copy_text(s->name, sizeof(s->name), who->name);
    s->role = who->role;
    s->expires_us = who->expires_us;
    part_join(s); /* first, so that no entry falls between the head and the listening */
    int64_t head;
    if (inbox_head(s->part->worker->reader, stream, scratch(s), &head) < 0) {
        s->socket->ops->close(s->socket, 1013, "the store is busy");
        return false;
    }
    s->ready_seq = s->sent_seq = head;
    s->state = SESSION_LIVE;
    session_send_text(
        s, arena_printf(scratch(s), "{\"type\":\"ready\",\"seq\":%lld}", (long long)head));
    return true;
}

/* ---- frames in ---- */

struct frame_in {
    struct str type, token, booking_id;
    int64_t after, id;
};
static const struct schema_field frame_fields[] = {
    {"type", S_LINE, S_REQUIRED | S_IN, .offset = offsetof(struct frame_in, type), .min = 1,
     .max = 40},
    {"token", S_LINE, S_IN, .offset = offsetof(struct frame_in, token), .min = 1,
     .max = TOKEN_BYTES_MAX},
    {"booking_id", S_ID, S_IN, .offset = offsetof(struct frame_in, booking_id), .hint = "bkg"},
    {"after", S_I64, S_IN, .offset = offsetof(struct frame_in, after), .min = 0,
     .max = 999999999999},
    {"id", S_I64, S_IN, .offset = offsetof(struct frame_in, id), .min = 0,
     .max = INT64_C(9007199254740991)},
};
static const struct schema frame_schema = SCHEMA(struct frame_in, "ClientFrame", frame_fields);

static void on_auth(struct session *s, const struct frame_in *f, int64_t now_us) {
    struct identity who;
    if (token_verify(s->part->service->o.verifier, f->token, now_us, &s->part->scratch, &who) < 0) {
        send_error(s, 401, "unauthenticated", STR("the access token is not valid"));
        if (s->state == SESSION_NEW)
            s->socket->ops->close(s->socket, 1008, "not signed in");
        return;
    }
    if (s->state == SESSION_NEW) {
        struct identity kept = who; /* its strings are in scratch, which signing in resets */
        char user_id[STREAM_MAX], sid[STREAM_MAX], name[64];
        copy_text(user_id, sizeof(user_id), who.user_id);
        copy_text(sid, sizeof(sid), who.sid);
        copy_text(name, sizeof(name), who.name);
        kept.user_id = str_from(user_id);
        kept.sid = str_from(sid);
        kept.name = str_from(name);
        session_sign_in(s, &kept);
        return;
    }
    if (!str_is(who.user_id, s->user_id) || who.role != s->role) {
        send_error(s, 403, "forbidden", STR("this socket belongs to another account or role"));
        return;
    }
    s->expires_us = who.expires_us; /* a fresh token */
    copy_text(s->sid, sizeof(s->sid), who.sid);
    session_send_text(s, STR("{\"type\":\"renewed\"}"));
}

static void on_resume(struct session *s, const struct frame_in *f) {
    if (f->after == I64_ABSENT) {
        send_error(s, 400, "invalid-request", STR("after is required"));
        return;
    }
    if (s->resumed) {
        send_error(s, 400, "invalid-request", STR("this socket has resumed before"));
        return;
    }
    int64_t oldest;
    struct str stream = str_from(s->stream);
    if (inbox_oldest(s->part->worker->reader, stream, scratch(s), &oldest) < 0) {
        send_error(s, 503, "store-unavailable", STR("try again"));
        return;
    }
    s->resumed = true;
    /* A number may have gone unused, even the first: missing are only entries that were pruned, and
     * the newest are never pruned. */
    int64_t keep = inbox_keep(s->part->service);
    bool pruned = oldest > 0 && f->after + 1 < oldest && s->ready_seq - f->after > keep;
    if (f->after > s->ready_seq || pruned) {
        session_send_text(
            s, arena_printf(scratch(s), "{\"type\":\"gap\",\"from\":%lld}",
                            (long long)(f->after > s->ready_seq ? s->ready_seq + 1 : oldest)));
        return;
    }
    s->replay_seq = f->after;
    s->replaying = true;
    session_catch_up(s);
}

/* ---- watches ---- */

static bool may_watch(struct session *s, struct str booking_id, int *ret_status) {
    void *state;
    struct worker *w = s->part->worker;
    int err = aggregate_get(&watchable_aggregate, w->reader, w->parser, booking_id,
                            &s->part->scratch, &state);
    *ret_status = err == ERR_NOT_FOUND || err == 0 ? 403 : 503;
    if (err < 0)
        return false;
    const struct watchable *b = state;
    return s->role == ROLE_DISPATCHER || s->role == ROLE_ADMIN ||
           str_is(b->customer_id, s->user_id) || str_is(b->driver_user_id, s->user_id);
}

static struct watch *watch_find(struct session *s, struct str booking_id, bool area) {
    for (int32_t i = 0; i < s->watch_count; i++) {
        struct watch *w = &s->watches[i];
        if (w->area == area && (area || str_is(booking_id, w->booking_id)))
            return w;
    }
    return NULL;
}

static struct watch *watch_add(struct session *s, struct str booking_id, bool area) {
    struct watch *w = watch_find(s, booking_id, area);
    if (w == NULL) {
        if (s->watch_count == SESSION_WATCHES_MAX)
            return NULL;
        if (s->watches == NULL)
            s->watches = xcalloc(SESSION_WATCHES_MAX, sizeof(struct watch));
        if (s->watch_count == 0)
            s->part->watcher_count++;
        w = &s->watches[s->watch_count++];
    }
    *w = (struct watch){.area = area};
    copy_text(w->booking_id, sizeof(w->booking_id), booking_id);
    return w;
}

/* "bbox":[west,south,east,north] in degrees. */
static bool read_bbox(struct json_value root, struct box *ret_box) {
    struct json_value list;
    double v[4];
    int n = 0;
    if (!json_get(root, "bbox", &list) || json_kind(list) != JSON_IS_ARRAY)
        return false;
    for (struct json_iter it = json_iter(list); json_next(&it); n++) {
        if (n == 4 || json_f64(it.value, &v[n]) < 0 || !isfinite(v[n]))
            return false;
    }
    if (n != 4 || fabs(v[0]) > 180 || fabs(v[2]) > 180 || v[1] < -90 || v[3] > 90 || v[1] > v[3])
        return false;
    struct point south_west = point_of(v[1], v[0]), north_east = point_of(v[3], v[2]);
    *ret_box =
        (struct box){south_west.lat_e7, south_west.lng_e7, north_east.lat_e7, north_east.lng_e7};
    return true;
}

/* VALUE is JSON text. */
static void watching(struct session *s, const char *key, struct str value) {
    session_send_text(s, arena_printf(&s->part->scratch, "{\"type\":\"watching\",\"%s\":%.*s}", key,
                                      STR_ARG(value)));
}

static void watch_area(struct session *s, struct json_value root) {
    struct box box;
    if (s->role != ROLE_DISPATCHER && s->role != ROLE_ADMIN) {
        send_error(s, 403, "forbidden", STR("only staff watch an area"));
        return;
    }
    if (!read_bbox(root, &box)) {
        send_error(s, 400, "invalid-request",
                   STR("bbox must be [west, south, east, north] in degrees"));
        return;
    }
    struct watch *w = watch_add(s, STR(""), true);
    if (w == NULL) {
        send_error(s, 400, "invalid-request", STR("too many watches on this socket"));
        return;
    }
    w->box = box;
    struct buf echo;
    buf_init(&echo, &s->part->scratch, 96);
    struct jw j;
    jw_init(&j, &echo);
    struct json_value list;
    CHECK(json_get(root, "bbox", &list));
    json_write(list, &j);
    watching(s, "bbox", buf_str(&echo));
    session_positions(s, &s->part->service->positions);
}

static void on_watch(struct session *s, const struct frame_in *f, struct json_value root) {
    if (f->booking_id.p == NULL) {
        watch_area(s, root);
        return;
    }
    int status;
    if (!may_watch(s, f->booking_id, &status)) {
        send_error(s, status, status == 403 ? "forbidden" : "store-unavailable",
                   STR("you may not watch this booking"));
        return;
    }
    if (watch_add(s, f->booking_id, false) == NULL) {
        send_error(s, 400, "invalid-request", STR("too many watches on this socket"));
        return;
    }
    watching(s, "booking_id", arena_printf(&s->part->scratch, "\"%.*s\"", STR_ARG(f->booking_id)));
    session_positions(s, &s->part->service->positions);
}

static void on_unwatch(struct session *s, const struct frame_in *f) {
    struct watch *w = watch_find(s, f->booking_id, f->booking_id.p == NULL);
    if (w != NULL) {
        *w = s->watches[--s->watch_count];
        if (s->watch_count == 0)
            s->part->watcher_count--;
    }
    session_send_text(s, STR("{\"type\":\"unwatched\"}"));
}

/* ---- positions ---- */

static bool wanted(const struct watch *w, const struct position *p) {
    return w->area && p->stamp > w->stamp && box_has(w->box, p->latest.at);
}

/* Copies what WATCH is to see (the lock is held) into OUT. */
static int32_t gather(const struct watch *watch, const struct positions *p,
                      struct signal_position *out, int32_t max) {
    int32_t n = 0;
    if (!watch->area) {
        const struct position *of = map_get(&p->by_booking, str_from(watch->booking_id));
        if (of != NULL && of->stamp > watch->stamp && !of->latest.off)
            out[n++] = of->latest;
        return n;
    }
    size_t iter = 0;
    void *each;
    while (n < max && map_next(&p->by_driver, &iter, &each)) {
        const struct position *position = each;
        if (wanted(watch, position))
            out[n++] = position->latest;
    }
    return n;
}

void session_positions(struct session *s, struct positions *p) {
    if (s->socket->ops->queued_bytes(s->socket) > SESSION_POSITIONS_QUEUE_MAX)
        return; /* the newest will do when he has read what waits */
    struct arena *a = scratch(s);
    for (int32_t i = 0; i < s->watch_count; i++) {
        struct watch *watch = &s->watches[i];
        pthread_rwlock_rdlock(&p->lock);
        int32_t room = watch->area ? (int32_t)p->by_driver.count : 1;
        room = room < POSITIONS_FRAME_MAX ? room : POSITIONS_FRAME_MAX;
        struct signal_position *found = arena_array(a, struct signal_position, room + 1);
        int32_t n = gather(watch, p, found, room);
        uint64_t stamp = p->stamp;
        pthread_rwlock_unlock(&p->lock);
        watch->stamp = stamp;
        for (int32_t k = 0; k < n; k++)
            session_send_text(s, position_frame(&found[k], !watch->area, a));
        s->part->service->positions_sent += (uint64_t)n;
    }
}

/* ---- locations from drivers ---- */

struct location_wait {
    struct arena arena;
    struct notification_part *part;
    uint64_t session;
    int64_t id;
    int err;
    struct locations_result result;
};

static void location_answer(struct worker *w, void *arg) {
    (void)w;
    struct location_wait *wait = arg;
    struct session *s = part_find(wait->part, wait->session);
    if (s != NULL) {
        s->locations_waiting -= s->locations_waiting > 0;
        struct buf out;
        buf_init(&out, &wait->arena, 256);
        struct jw j;
        jw_init(&j, &out);
        jw_object(&j);
        jw_kv_str(&j, "type", wait->err < 0 ? STR("error") : STR("ack"));
        if (wait->id != I64_ABSENT)
            jw_kv_i64(&j, "id", wait->id);
        if (wait->err < 0) {
            jw_kv_i64(&j, "status", 503);
            jw_kv_str(&j, "problem", STR("/problems/store-unavailable"));
            jw_kv_str(&j, "detail", str_from(err_text(wait->err)));
        } else {
            jw_kv_i64(&j, "stored", wait->result.stored);
            jw_kv_i64(&j, "duplicates", wait->result.duplicates);
            jw_key(&j, "rejected");
            jw_raw(&j, wait->result.rejected.len > 0 ? wait->result.rejected : STR("[]"));
            jw_kv_time(&j, "through", wait->result.through_us);
        }
        jw_end(&j);
        session_send_text(s, buf_str(&out));
    }
    arena_free(&wait->arena);
    free(wait);
}

/* Executor's thread. */
static void location_done(void *arg, int err, const struct locations_result *r) {
    struct location_wait *wait = arg;
    wait->err = err;
    if (err == 0)
        wait->result = *r;
    struct worker *w = wait->part->worker;
    if (w == NULL || !w->post(w, location_answer, wait)) {
        wait->part->missed = true;
        arena_free(&wait->arena); /* no ack: the client sends the batch again */
        free(wait);
    }
}

static void send_location_errors(struct session *s, int64_t id, const struct field_errors *errors) {
    struct buf out;
    buf_init(&out, &s->part->scratch, 256);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "type", STR("error"));
    jw_kv_i64(&w, "status", 400);
    if (id != I64_ABSENT)
        jw_kv_i64(&w, "id", id);
    jw_kv_str(&w, "detail", STR("the frame's fields are not valid"));
    jw_key(&w, "errors");
    jw_array(&w);
    for (int i = 0; i < errors->count; i++) {
        jw_object(&w);
        jw_kv_str(&w, "pointer", errors->items[i].pointer);
        jw_kv_str(&w, "detail", errors->items[i].detail);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    session_send_text(s, buf_str(&out));
}

static void on_location(struct session *s, const struct frame_in *f, struct json_value root,
                        int64_t now_us) {
    struct locations *l = s->part->service->o.locations;
    if (s->role != ROLE_DRIVER || l == NULL) {
        send_error(s, 403, "forbidden", STR("only drivers send locations"));
        return;
    }
    if (s->locations_waiting == SESSION_LOCATIONS_MAX) {
        send_error(s, 429, "too-many-requests", STR("wait for the acks of earlier frames"));
        return;
    }
    struct location_wait *wait = xcalloc(1, sizeof(*wait));
    arena_init(&wait->arena, 8192);
    wait->part = s->part;
    wait->session = s->number;
    wait->id = f->id;
    struct field_errors errors = {0};
    s->locations_waiting++;
    int err = l->ops->submit(l, str_from(s->user_id), root, now_us, &wait->arena, &errors,
                             location_done, wait);
    if (err == 0)
        return;
    s->locations_waiting--;
    if (err == ERR_INVALID)
        send_location_errors(s, f->id, &errors);
    else
        send_error(s, 503, "overloaded", STR("too much waits to be written; send it again"));
    arena_free(&wait->arena);
    free(wait);
}

/* ---- what the socket says ---- */

/* A budget of SESSION_FRAMES_PER_S with a burst: tokens_us is the time up to which frames are paid.
 */
static bool flooding(struct session *s, int64_t now_us) {
    const int64_t frame_us = US_PER_S / SESSION_FRAMES_PER_S;
    int64_t earliest = now_us - SESSION_FRAMES_BURST * frame_us;
    if (s->tokens_us < earliest)
        s->tokens_us = earliest;
    s->tokens_us += frame_us;
    return s->tokens_us > now_us;
}

static void dispatch(struct session *s, const struct frame_in *f, struct json_value root,
                     int64_t now_us) {
    if (str_is(f->type, "auth"))
        on_auth(s, f, now_us);
    else if (s->state != SESSION_LIVE)
        send_error(s, 401, "unauthenticated", STR("the first frame must be auth"));
    else if (str_is(f->type, "resume"))
        on_resume(s, f);
    else if (str_is(f->type, "watch"))
        on_watch(s, f, root);
    else if (str_is(f->type, "unwatch"))
        on_unwatch(s, f);
    else if (str_is(f->type, "location"))
        on_location(s, f, root, now_us);
    else if (str_is(f->type, "ping"))
        session_send_text(s, STR("{\"type\":\"pong\"}"));
    else
        send_error(s, 400, "invalid-request",
                   STR("unknown type; one of auth, resume, watch, unwatch, location, ping"));
}

static void on_text(struct socket *socket, struct str message) {
    struct session *s = socket->owner;
    const struct clock *clock = s->part->service->o.clock;
    int64_t now_us = clock->now_us(clock);
    if (flooding(s, now_us)) {
        socket->ops->close(socket, 1008, "too many frames");
        return;
    }
    struct arena *a = scratch(s);
    struct json_value root;
    struct frame_in f;
    struct field_errors errors = {0};
    if (json_parse(s->part->worker->parser, message, &root) < 0) {
        int line, column;
        struct str what;
        json_error_at(message, a, &line, &column, &what);
        send_error(s, 400, "malformed-json",
                   arena_printf(a, "line %d, column %d: %.*s", line, column, STR_ARG(what)));
        return;
    }
    if (schema_read(&frame_schema, root, S_IN, a, STR(""), &f, &errors) < 0) {
        send_error(s, 400, "invalid-request",
                   arena_printf(a, "%.*s %.*s", STR_ARG(errors.items[0].pointer),
                                STR_ARG(errors.items[0].detail)));
        return;
    }
    dispatch(s, &f, root, now_us);
}

static void on_drained(struct socket *socket) {
    struct session *s = socket->owner;
    if (s->state == SESSION_LIVE && s->behind)
        session_catch_up(s);
}

static void on_closed(struct socket *socket) {
    struct session *s = socket->owner;
    s->state = SESSION_CLOSED;
    part_leave(s);
    free(s->watches);
    free(s);
}

const struct socket_events session_events = {on_text, on_drained, on_closed};
