/* A connection's life.
 *
 * Bytes are read into the thread's one buffer and parsed there and then. A whole request joins the
 * end of the connection's list of exchanges and goes to the application; answers may come back in
 * any order, but leave from the front of the list only. When `pipeline_max` exchanges wait, or too
 * much output does, what has been read is stashed and reading stops until answers have left. The
 * same when what was read has kept the thread busy for TURN_NS_MAX: one read may hold more than a
 * thousand requests, and those who came later are served before the rest of it.
 *
 *   OPEN ──refused, "Connection: close", or a close frame──▶ LAST ──all is sent──▶ LINGER ──▶
 * CLOSED
 *
 * An error closes at once from anywhere. The memory of a connection outlives its descriptor while
 * calls of it are with the application; their answers are then dropped.
 *
 * conn_pump() is where everything comes together: after each event it sends, reads on, shuts down,
 * and puts the connection into the list of its deadline.
 */
#include "adapters/http/internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int64_t now_ms(const struct conn *c) {
    return (int64_t)uv_now(&c->thread->loop);
}

/* --- coming and going -------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf) {
    (void)suggested;
    struct conn *c = handle->data;
    *ret_buf = uv_buf_init(c->thread->read_buffer, sizeof c->thread->read_buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void set_reading(struct conn *c, bool reading) {
    if (reading == c->reading)
        return;
    c->reading = reading;
    if (reading)
        uv_read_start(&c->stream, on_alloc, on_read);
    else
        uv_read_stop(&c->stream);
}

void conn_unref(struct conn *c) {
    if (--c->refs == 0)
        free(c);
}

static void on_closed(uv_handle_t *handle) {
    struct conn *c = handle->data;
    struct http_thread *t = c->thread;
    if (c->ws != NULL)
        ws_gone(c);
    t->connections--;
    atomic_fetch_sub(&t->server->connections, 1);
    remote_leave(t->server, &c->peer);
    COUNT(t->counters.open, -1);
    conn_unref(c);
    thread_check_done(t);
}

void conn_close(struct conn *c) {
    if (c->state == CONN_CLOSED)
        return;
    c->state = CONN_CLOSED;
    struct exchange *next;
    for (struct exchange *ex = c->first; ex != NULL; ex = next) {
        next = ex->next;
        ex->next = NULL;
        if (ex->state != EXCHANGE_RUNNING)
            exchange_release(ex);
    }
    c->first = c->last = c->parsing = NULL;
    out_drop(c);
    if (c->ws != NULL)
        ws_message_drop(c);
    free(c->stash);
    c->stash = NULL;
    list_move(c, DEADLINE_COUNT, 0);
    uv_close(&c->handle, on_closed);
}

static struct conn *conn_new(struct http_thread *t) {
    struct conn *c = xcalloc(1, sizeof *c);
    c->thread = t;
    c->refs = 1;
    c->deadline = DEADLINE_COUNT;
    CHECK(uv_tcp_init(&t->loop, &c->tcp) == 0);
    c->handle.data = c;
    t->connections++;
    atomic_fetch_add(&t->server->connections, 1);
    COUNT(t->counters.open, 1);
    return c;
}

bool conn_begin(struct http_thread *t, int fd, const struct remote *peer) {
    struct conn *c = conn_new(t);
    c->peer = *peer;
    address_format(&peer->address, c->peer_text);
    if (uv_tcp_open(&c->tcp, fd) != 0) {
        conn_close(c);
        return false;
    }
    list_move(c, DEADLINE_IDLE, now_ms(c));
    set_reading(c, true);
    return true;
}

/* --- requests ---------------------------------------------------------------------------- */

static bool conn_full(const struct conn *c) {
    return c->waiting >= c->thread->options->limits.pipeline_max || c->out_bytes > OUT_BYTES_MAX;
}

/* Has this connection had its turn? Its first request is always taken, so that it gets on. */
static bool turn_over(struct http_thread *t) {
    uint64_t now_ns = uv_hrtime();
    if (t->turn_end_ns == 0)
        t->turn_end_ns = now_ns + TURN_NS_MAX;
    return now_ns >= t->turn_end_ns;
}

static void exchange_begin(struct conn *c) {
    struct exchange *ex = exchange_new(c);
    parse_begin(ex);
    *(c->last != NULL ? &c->last->next : &c->first) = ex;
    c->last = ex;
    c->parsing = ex;
    c->waiting++;
    list_move(c, DEADLINE_NONE, now_ms(c)); /* this request's time starts now */
}

void conn_refuse(struct exchange *ex, const struct refusal *r) {
    struct conn *c = ex->conn;
    CHECK(ex->state == EXCHANGE_PARSING);
    COUNT(c->thread->counters.requests, 1);
    c->parsing = NULL;
    c->state = CONN_LAST;
    ex->keep = false;
    ex->state = EXCHANGE_DONE;
    reply_problem(ex, r);
}

/* The reply of a call; any thread. */
static void on_reply(struct call *call) {
    struct exchange *ex = (struct exchange *)call;
    if (pthread_equal(pthread_self(), ex->thread->id))
        exchange_answered(ex);
    else
        CHECK(mailbox_send(ex->thread->answers, ex));
}

/* Answers go from the front of the list to the output, as far as they are there. */
static void render_done(struct conn *c) {
    while (c->first != NULL && c->first->state == EXCHANGE_DONE) {
        struct exchange *ex = c->first;
        c->first = ex->next;
        if (c->first == NULL)
            c->last = NULL;
        bool last = c->thread->draining && c->first == NULL && c->stash == NULL;
        bool keep = ex->keep && !last;
        if (!keep)
            c->state = CONN_LAST;
        reply_render(ex, keep);
        out_add(c, &ex->out);
    }
}

void exchange_answered(struct exchange *ex) {
    struct conn *c = ex->conn;
    struct http_thread *t = ex->thread;
    CHECK(ex->state == EXCHANGE_RUNNING);
    t->running--;
    COUNT(t->counters.running, -1);
    ex->state = EXCHANGE_DONE;
    if (c->state == CONN_CLOSED) {
        exchange_release(ex);
        thread_check_done(t);
    } else {
        thread_hold(t, &ex->held, ex->held + ex->call.response.body.len);
        render_done(c); /* now, so that what waits to be sent is known before more is asked for */
        conn_mark_dirty(c);
    }
    conn_unref(c);
}

static const struct refusal refusal_upgrade_behind = {
    400,
    "malformed-request",
    "Malformed request",
    "an upgrade cannot follow a request that has not been answered yet",
    NULL,
    NULL};

void conn_dispatch(struct exchange *ex) {
    struct conn *c = ex->conn;
    struct http_thread *t = c->thread;
    if (t->running >= t->options->limits.calls_max || !thread_make_room(t, c)) {
        conn_refuse(ex, &refusal_overloaded);
        return;
    }
    if (ex->call.request.upgrade && c->first != ex) {
        conn_refuse(ex, &refusal_upgrade_behind);
        return;
    }
    request_ids_take(ex);
    ex->call.request.peer =
        c->peer.is_proxy ? remote_client(t->options, &c->peer, &ex->call) : str_from(c->peer_text);
    ex->call.worker = &t->worker;
    ex->call.reply = on_reply;
    ex->call.accept = ws_accept;
    ex->call.origin = ex;
    ex->state = EXCHANGE_RUNNING;
    c->parsing = NULL;
    if (!ex->keep)
        c->state = CONN_LAST;
    c->refs++;
    t->running++;
    COUNT(t->counters.running, 1);
    COUNT(t->counters.requests, 1);
    t->handling = ex;
    t->options->request(t->options->app, &ex->call);
    t->handling = NULL;
}

static void stash(struct conn *c, const char *p, size_t len) {
    CHECK(c->stash == NULL);
    c->stash = xmalloc(len);
    c->stash_len = len;
    memcpy(c->stash, p, len);
}

static void conn_input(struct conn *c, const char *p, size_t len) {
    while (len > 0 && c->state == CONN_OPEN && c->ws == NULL) {
        if (c->parsing == NULL) {
            if (*p == '\r' || *p == '\n') { /* empty lines between requests are forgiven */
                p++;
                len--;
                continue;
            }
            if (conn_full(c) || turn_over(c->thread)) {
                stash(c, p, len);
                return;
            }
            exchange_begin(c);
        }
        size_t used = parse_bytes(c->parsing, p, len);
        p += used;
        len -= used;
    }
    if (len > 0 && c->state == CONN_OPEN)
        ws_input(c, p, len);
}

/* The other side has sent all it will. What it asked for is still answered. */
static void conn_ended(struct conn *c) {
    c->ended = true;
    if (c->ws != NULL) { /* gone without a close frame */
        conn_close(c);
        return;
    }
    struct exchange *ex = c->parsing;
    if (ex == NULL)
        return;
    struct exchange **link = &c->first;
    struct exchange *before = NULL;
    for (; *link != ex; link = &(*link)->next)
        before = *link;
    *link = NULL;
    c->last = before;
    c->parsing = NULL;
    c->waiting--;
    exchange_release(ex);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct conn *c = stream->data;
    if (n == 0)
        return;
    if (n < 0 && n != UV_EOF) {
        conn_close(c);
        return;
    }
    c->thread->current = c;
    c->thread->turn_end_ns = 0;
    if (n == UV_EOF) {
        conn_ended(c);
    } else {
        COUNT(c->thread->counters.bytes_in, (uint64_t)n);
        if (c->state == CONN_OPEN)
            conn_input(c, buf->base, (size_t)n);
    }
    c->thread->current = NULL;
    conn_pump(c);
}

/* --- the pump ---------------------------------------------------------------------------- */

/* A client that waits for it is told to send its body, once it is its turn. */
static void tell_continue(struct conn *c) {
    if (c->parsing != NULL && c->parsing == c->first && c->parsing->continue_due) {
        c->parsing->continue_due = false;
        out_add_const(c, STR("HTTP/1.1 100 Continue\r\n\r\n"));
    }
}

static enum deadline wanted_deadline(const struct conn *c) {
    if (c->state == CONN_LINGER || (c->ws != NULL && ws_closing(c->ws)))
        return DEADLINE_LINGER;
    if (c->writing)
        return DEADLINE_WRITE;
    if (c->ws != NULL)
        return ws_in_message(c->ws) ? DEADLINE_MESSAGE : DEADLINE_SOCKET;
    if (c->parsing != NULL)
        return c->parsing->head_whole ? DEADLINE_BODY : DEADLINE_HEAD;
    return c->first != NULL ? DEADLINE_NONE : DEADLINE_IDLE;
}

static void settle(struct conn *c) {
    bool quiet = c->first == NULL && c->out_first == NULL && !c->writing;
    if (quiet && c->state == CONN_LAST && !c->ended) {
        uv_os_fd_t fd;
        c->state = CONN_LINGER;
        if (uv_fileno(&c->handle, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
            conn_close(c);
            return;
        }
    }
    if (quiet && c->ended) {
        conn_close(c);
        return;
    }
    set_reading(c, !c->ended &&
                       ((c->state == CONN_OPEN && c->stash == NULL) || c->state == CONN_LINGER));
    enum deadline d = wanted_deadline(c);
    if (d != c->deadline || d == DEADLINE_IDLE)
        list_move(c, d, now_ms(c));
}

void conn_pump(struct conn *c) {
    for (;;) {
        if (c->state == CONN_CLOSED)
            return;
        if (c->ws != NULL && c->thread->draining && !ws_closing(c->ws))
            ws_close(c, 1001, "going away");
        render_done(c);
        tell_continue(c);
        out_flush(c);
        if (c->stash == NULL || c->state != CONN_OPEN || conn_full(c))
            break;
        if (turn_over(c->thread)) {
            conn_mark_dirty(c); /* goes on when others have had theirs */
            break;
        }
        char *taken = c->stash;
        c->stash = NULL;
        conn_input(c, taken, c->stash_len);
        free(taken);
    }
    if (c->state != CONN_CLOSED && c->ws != NULL)
        ws_after_flush(c);
    if (c->state != CONN_CLOSED)
        settle(c);
}

/* Something has come that has not been read yet. */
static bool readable(const struct conn *c) {
    uv_os_fd_t fd;
    int bytes = 0;
    return uv_fileno(&c->handle, &fd) == 0 && ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* Its deadline has come. */
void conn_expire(struct conn *c) {
    switch (c->deadline) {
    case DEADLINE_IDLE:
        if (c->reading && readable(c)) /* in this very turn of the loop */
            list_move(c, DEADLINE_IDLE, now_ms(c));
        else
            conn_close(c);
        break;
    case DEADLINE_HEAD:
    case DEADLINE_BODY:
        conn_refuse(c->parsing, &refusal_timeout);
        conn_pump(c);
        break;
    case DEADLINE_WRITE: {
        size_t left = out_unsent(c);
        if (left >= c->write_left) {
            conn_close(c);
            break;
        }
        c->write_left = left;
        list_move(c, DEADLINE_WRITE, now_ms(c));
        break;
    }
    case DEADLINE_SOCKET:
        list_move(c, DEADLINE_SOCKET, now_ms(c));
        ws_tick(c);
        break;
    case DEADLINE_MESSAGE:
        ws_close(c, 1008, "the message takes too long");
        conn_pump(c);
        break;
    default:
        conn_close(c);
    }
}

void conn_drain(struct conn *c) {
    if (c->ws != NULL)
        conn_pump(c); /* says goodbye */
    else if (c->deadline == DEADLINE_IDLE)
        c->since_ms = now_ms(c); /* the same for all of them, so their list stays in order */
}
