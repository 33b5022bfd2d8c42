/* One socket's session. Entries reach the client in the order of their numbers, each once: `ready`
 * names where live begins; a resume replays what lies between the client's number and there, from
 * the store; what comes later is pushed as it becomes durable. So that a resume finds nothing live
 * sent before it, live is held after `ready` until the resume, or SESSION_HOLD_US for those who
 * have none; what comes meanwhile makes the session `behind`. A session that could not be told at
 * once (slow reader, a gap) is `behind` and reads on from the store, so that nothing is queued for
 * it here; one whose socket is full does so when that has drained, not before.
 */
#include "services/notification/internal.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_PAGES_MAX 4 /* read in one go; the tick goes on */

/* ---- sending ---- */

static bool send_frame(struct session *s, struct frame *f) {
    if (s->state == SESSION_CLOSED)
        return false;
    int err = s->socket->ops->send(s->socket, f);
    if (err == ERR_FULL) {
        s->part->service->slow += !s->full;
        s->full = s->behind = true;
    }
    return err == 0;
}

bool session_send_text(struct session *s, struct str text) {
    struct frame *f = frame_new(text);
    bool sent = send_frame(s, f);
    frame_unref(f);
    return sent;
}

static struct arena *scratch(struct session *s) {
    arena_reset(&s->part->scratch);
    return &s->part->scratch;
}

/* What the client must hear, or he would wait for it for ever. */
static void send_or_close(struct session *s, struct str text) {
    if (!session_send_text(s, text))
        session_close(s, 1013, "too slow");
}

/* WAIT_S 0: not known. */
static void send_error(struct session *s, const struct frame_in *f, int status, const char *problem,
                       struct str detail, int32_t wait_s) {
    struct buf out;
    struct arena *a = &s->part->scratch;
    buf_init(&out, a, 256);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "type", STR("error"));
    jw_kv_i64(&w, "status", status);
    if (f != NULL && f->id != I64_ABSENT)
        jw_kv_i64(&w, "id", f->id);
    if (f != NULL && f->booking_id.p != NULL)
        jw_kv_str(&w, "booking_id", f->booking_id);
    jw_kv_str(&w, "problem", arena_printf(a, "/problems/%s", problem));
    jw_kv_str(&w, "detail", detail);
    if (wait_s > 0)
        jw_kv_i64(&w, "retry_after_s", wait_s);
    jw_end(&w);
    session_send_text(s, buf_str(&out)); /* a client that reads nothing misses his errors first */
}

void session_error(struct session *s, const struct frame_in *f, int status, const char *problem,
                   struct str detail) {
    send_error(s, f, status, problem, detail, 0);
}

void session_close(struct session *s, int code, const char *reason) {
    if (s->state == SESSION_CLOSED)
        return;
    s->state = SESSION_CLOSED;
    s->socket->ops->close(s->socket, code, reason);
}

/* ---- live and replay ---- */

/* Sends one stored entry. False: the socket's queue is full. */
static bool send_entry(struct session *s, const struct inbox_entry *entry, struct arena *a) {
    struct push push = push_begin(s->part->service, entry);
    struct frame *f = frame_new(inbox_frame(entry, a));
    bool sent = send_frame(s, f);
    if (!s->replaying) /* then it is live, only late; who resumes is told of the past */
        push_end(s->part, &push, sent);
    frame_unref(f);
    return sent;
}

/* Has anything that follows AT been pruned? A number may also have gone unused, even the first:
 * what is missing among the newest that are always kept was never there. */
static int pruned_after(struct session *s, int64_t at, struct arena *a, bool *ret_pruned,
                        int64_t *ret_oldest) {
    int64_t head = 0, oldest;
    struct store *reader = s->part->worker->reader;
    int err = inbox_oldest(reader, str_from(s->stream), a, &oldest);
    if (err == 0)
        err = inbox_head(reader, str_from(s->stream), a, &head);
    if (err < 0)
        return err;
    *ret_pruned = at + 1 < oldest && head - at > inbox_keep(s->part->service);
    *ret_oldest = oldest;
    return 0;
}

static void send_gap(struct session *s, int64_t from) {
    s->replaying = false;
    send_or_close(s, arena_printf(scratch(s), "{\"type\":\"gap\",\"from\":%lld}", (long long)from));
}

bool session_follows(struct session *s, int64_t at, const struct inbox_entry *e) {
    const struct notification_service *n = s->part->service;
    if (n->o.peers == NULL || e->seq == at + 1)
        return true;
    int64_t now_us = n->o.clock->now_us(n->o.clock);
    if (now_us - e->at_us > SESSION_GAP_FRESH_US)
        return true;
    if (s->gap_us == 0 || s->gap_seq != at || now_us < s->gap_us) {
        s->gap_seq = at;
        s->gap_us = now_us;
    }
    return now_us - s->gap_us >= SESSION_GAP_WAIT_US;
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
        /* Looked at page by page, because entries are also pruned while a client reads on. */
        bool whole = count > 0 ? entries[0].seq == *at + 1 : *at >= until;
        bool pruned = false;
        int64_t oldest = 0;
        if (s->replaying && !whole && pruned_after(s, *at, a, &pruned, &oldest) < 0)
            return false;
        if (pruned) {
            send_gap(s, oldest);
            return false;
        }
        for (int32_t i = 0; i < count; i++) {
            if (!session_follows(s, *at, &entries[i]))
                return false;
            if (entries[i].data.p == NULL) /* erased, or damaged */
                s->part->service->unreadable += entries[i].type.p == NULL;
            else if (!send_entry(s, &entries[i], a))
                return false;
            *at = entries[i].seq;
        }
        if (count < INBOX_PAGE_MAX)
            return true;
    }
    return false;
}

/* Goes on with the replay. True when it has ended, be it with a gap. */
static bool replay(struct session *s) {
    bool sent = send_range(s, &s->replay_seq, s->ready_seq);
    if (!s->replaying)
        return true;
    if (!sent ||
        !session_send_text(s, arena_printf(scratch(s), "{\"type\":\"resumed\",\"seq\":%lld}",
                                           (long long)s->ready_seq)))
        return false;
    s->replaying = false;
    s->part->service->replayed++;
    return true;
}

void session_catch_up(struct session *s) {
    if (s->full || s->held)
        return;
    bool done = (!s->replaying || replay(s)) && send_range(s, &s->sent_seq, INBOX_SEQ_MAX);
    s->behind = !done;
}

void session_push(struct session *s, int64_t seq, struct frame *frame) {
    if (s->state != SESSION_LIVE || seq <= s->sent_seq)
        return;
    if (s->held || s->replaying || s->behind) {
        s->behind = true;
        return;
    }
    if (seq != s->sent_seq + 1) {
        session_catch_up(s);
        return;
    }
    if (!send_frame(s, frame))
        return;
    s->sent_seq = seq;
    s->part->service->pushed++;
}

void session_let_go(struct session *s) {
    if (s->state != SESSION_LIVE || !s->held)
        return;
    s->held = false;
    if (s->behind)
        session_catch_up(s);
}

/* ---- signing in ---- */

struct session *session_new(struct notification_part *part, int64_t now_us) {
    struct session *s = xcalloc(1, sizeof(*s));
    s->part = part;
    s->since_us = now_us;
    s->number = ++part->next_number;
    map_put(&part->numbers, session_key(s), s);
    s->next = part->sessions;
    if (s->next != NULL)
        s->next->before = s;
    part->sessions = s;
    part->service->sessions_open++;
    return s;
}

void session_identify(struct session *s, const struct identity *who) {
    struct str stream = stream_of(who);
    CHECK(stream.len < STREAM_MAX && who->user_id.len < STREAM_MAX && who->sid.len < STREAM_MAX);
    copy_text(s->stream, STREAM_MAX, stream);
    copy_text(s->user_id, STREAM_MAX, who->user_id);
    copy_text(s->sid, STREAM_MAX, who->sid);
    s->role = who->role;
    s->expires_us = who->expires_us;
}

void session_begin(struct session *s, int64_t now_us) {
    CHECK(s->state == SESSION_NEW && s->role != ROLE_NONE);
    part_join(s); /* first, so that no entry falls between the head and the listening */
    int64_t head;
    if (inbox_head(s->part->worker->reader, str_from(s->stream), scratch(s), &head) < 0) {
        session_close(s, 1013, "the store is busy");
        return;
    }
    s->ready_seq = s->sent_seq = head;
    s->state = SESSION_LIVE;
    s->since_us = now_us;
    s->held = true;
    send_or_close(s,
                  arena_printf(scratch(s), "{\"type\":\"ready\",\"seq\":%lld}", (long long)head));
}

/* ---- frames in ---- */

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
    if (token_verify(s->part->service->o.verifier, f->token, now_us, &s->part->scratch, &who) < 0 ||
        who.scopes != 0) {
        session_error(s, f, 401, "unauthenticated", STR("the access token is not valid"));
        if (s->state == SESSION_NEW)
            session_close(s, 1008, "not signed in");
        return;
    }
    if (s->state == SESSION_NEW) {
        session_identify(s, &who);
        session_begin(s, now_us);
        return;
    }
    if (!str_is(who.user_id, s->user_id) || who.role != s->role) {
        session_error(s, f, 403, "forbidden",
                      STR("this socket belongs to another account or role"));
        return;
    }
    s->expires_us = who.expires_us; /* a fresh token */
    copy_text(s->sid, sizeof(s->sid), who.sid);
    session_send_text(s, STR("{\"type\":\"renewed\"}"));
}

static void on_resume(struct session *s, const struct frame_in *f) {
    s->held = false; /* what has come meanwhile makes it `behind` already */
    if (f->after == I64_ABSENT) {
        session_error(s, f, 400, "invalid-request", STR("after is required"));
        return;
    }
    if (s->resumed) {
        session_error(s, f, 400, "invalid-request", STR("this socket has resumed before"));
        return;
    }
    if (s->sent_seq > s->ready_seq) { /* what was missed would come after what is newer */
        session_close(s, 1013, "the resume came too late");
        return;
    }
    s->resumed = true;
    if (f->after > s->ready_seq) {
        send_gap(s, s->ready_seq + 1);
        return;
    }
    s->replay_seq = f->after;
    s->replaying = true;
    session_catch_up(s);
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

static struct str ack_json(const struct location_wait *wait, struct arena *a) {
    const struct locations_result *r = &wait->result;
    struct buf out;
    buf_init(&out, a, 256 + r->rejected.len);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "type", STR("ack"));
    if (wait->id != I64_ABSENT)
        jw_kv_i64(&w, "id", wait->id);
    jw_kv_i64(&w, "stored", r->stored);
    jw_kv_i64(&w, "duplicates", r->duplicates);
    jw_key(&w, "rejected");
    jw_raw(&w, r->rejected.len > 0 ? r->rejected : STR("[]"));
    jw_kv_time(&w, "through", r->through_us);
    jw_end(&w);
    return buf_str(&out);
}

static void location_error(struct session *s, const struct location_wait *wait) {
    const struct frame_in f = {.id = wait->id};
    if (wait->err == ERR_LIMIT)
        session_error(s, &f, 429, "too-many-requests",
                      STR("there are too many fixes of this stretch of time already"));
    else if (wait->err == ERR_FULL)
        session_error(s, &f, 503, "overloaded", STR("too much waits to be written; send it again"));
    else
        session_error(s, &f, 503, "store-unavailable", str_from(err_text(wait->err)));
}

static void location_answer(struct worker *w, void *arg) {
    (void)w;
    struct location_wait *wait = arg;
    struct session *s = part_find(wait->part, wait->session);
    if (s != NULL) {
        s->locations_waiting -= s->locations_waiting > 0;
        if (wait->err < 0)
            location_error(s, wait);
        else
            session_send_text(s, ack_json(wait, &wait->arena));
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
    jw_kv_str(&w, "problem", STR("/problems/invalid-request"));
    jw_kv_str(&w, "detail", STR("the frame's fields are not valid"));
    field_errors_write(errors, &w);
    jw_end(&w);
    session_send_text(s, buf_str(&out));
}

static void on_location(struct session *s, const struct frame_in *f, struct json_value root,
                        int64_t now_us) {
    struct locations *l = s->part->service->o.locations;
    if (s->role != ROLE_DRIVER || l == NULL) {
        session_error(s, f, 403, "forbidden", STR("only drivers send locations"));
        return;
    }
    if (s->locations_waiting == SESSION_LOCATIONS_MAX) {
        session_error(s, f, 429, "too-many-requests", STR("wait for the acks of earlier frames"));
        return;
    }
    struct location_wait *wait = xcalloc(1, sizeof(*wait));
    arena_init(&wait->arena, 8192);
    wait->part = s->part;
    wait->session = s->number;
    wait->id = f->id;
    struct field_errors errors = {0};
    s->locations_waiting++;
    int32_t wait_s;
    int err = l->ops->submit(l, str_from(s->user_id), root, now_us, &wait->arena, &errors,
                             location_done, wait, &wait_s);
    if (err == 0)
        return;
    s->locations_waiting--;
    if (err == ERR_INVALID)
        send_location_errors(s, f->id, &errors);
    else if (err == ERR_LIMIT)
        send_error(s, f, 429, "too-many-requests",
                   STR("as many fixes as an hour may have are stored"), wait_s);
    else
        session_error(s, f, 503, "overloaded", STR("too much waits to be written; send it again"));
    arena_free(&wait->arena);
    free(wait);
}

/* ---- what the socket says ---- */

/* A budget of SESSION_FRAMES_PER_S with a burst: tokens_us is the time up to which frames are paid.
 * It is never ahead of the clock, unless that was put back: then the budget begins anew. */
static bool flooding(struct session *s, int64_t now_us) {
    const int64_t frame_us = US_PER_S / SESSION_FRAMES_PER_S;
    int64_t earliest = now_us - SESSION_FRAMES_BURST * frame_us;
    if (s->tokens_us < earliest || s->tokens_us > now_us)
        s->tokens_us = earliest;
    s->tokens_us += frame_us;
    return s->tokens_us > now_us;
}

static void dispatch(struct session *s, const struct frame_in *f, struct json_value root,
                     int64_t now_us) {
    if (str_is(f->type, "auth"))
        on_auth(s, f, now_us);
    else if (s->state != SESSION_LIVE)
        session_error(s, f, 401, "unauthenticated", STR("the first frame must be auth"));
    else if (str_is(f->type, "resume"))
        on_resume(s, f);
    else if (str_is(f->type, "watch"))
        session_watch(s, f, root, now_us);
    else if (str_is(f->type, "unwatch"))
        session_unwatch(s, f);
    else if (str_is(f->type, "location"))
        on_location(s, f, root, now_us);
    else if (str_is(f->type, "ping"))
        session_send_text(s, STR("{\"type\":\"pong\"}"));
    else
        session_error(s, f, 400, "invalid-request",
                      STR("unknown type; one of auth, resume, watch, unwatch, location, ping"));
}

static void on_text(struct socket *socket, struct str message) {
    struct session *s = socket->owner;
    const struct clock *clock = s->part->service->o.clock;
    int64_t now_us = clock->now_us(clock);
    if (s->state == SESSION_CLOSED)
        return;
    if (flooding(s, now_us)) {
        session_close(s, 1008, "too many frames");
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
        session_error(s, NULL, 400, "malformed-json",
                      arena_printf(a, "line %d, column %d: %.*s", line, column, STR_ARG(what)));
        return;
    }
    if (schema_read(&frame_schema, root, S_IN, a, STR(""), &f, &errors) < 0) {
        session_error(s, NULL, 400, "invalid-request",
                      arena_printf(a, "%.*s %.*s", STR_ARG(errors.items[0].pointer),
                                   STR_ARG(errors.items[0].detail)));
        return;
    }
    dispatch(s, &f, root, now_us);
}

static void on_drained(struct socket *socket) {
    struct session *s = socket->owner;
    s->full = false;
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
