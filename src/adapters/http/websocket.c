/* WebSocket frames. In: wslay unmasks and cuts the byte stream into frames; what a frame means is
 * decided here. A wslay context holds 4 kB of buffer, so the thread has a few and lends one to a
 * connection while a frame of it is incomplete; an idle socket has none. It is idle when the bytes
 * fed to the context are exactly those of the frames that came out.
 *
 * A message that lies in one piece in the context's buffer goes to the owner from there; others are
 * gathered in a heap buffer that is freed with the message.
 *
 * Out: a server's frames are not masked, so one `struct frame` serves all who get it; a chunk adds
 * the header of 2–10 bytes. What waits is bounded by SOCKET_QUEUE_BYTES_MAX, chunks included.
 *
 * Closing. Ours: a close frame goes out, what comes in is thrown away until the other side's close
 * frame or the linger time-out. Theirs, or a breach of protocol: a close frame goes out and the
 * connection ends as after a last HTTP answer. The owner's `closed` comes from the loop, when the
 * descriptor is gone.
 */
#include "adapters/http/internal.h"

#include "base/check.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define CONTROL_BYTES_MAX 125

enum close_code {
    CLOSE_NORMAL = 1000,
    CLOSE_PROTOCOL = 1002,
    CLOSE_UNSUPPORTED = 1003,
    CLOSE_NO_STATUS = 1005,
    CLOSE_INVALID = 1007,
    CLOSE_TOO_BIG = 1009,
    CLOSE_TRY_LATER = 1013
};

/* A wslay context and where in a frame it is. */
struct ws_reader {
    struct ws_reader *next;
    wslay_frame_context_ptr context;
    const char *input; /* what it may still take */
    size_t input_len;
    uint64_t fed, framed; /* bytes taken; of them, bytes of complete frames */
    uint64_t payload;     /* of the current frame, so far */
    char control[CONTROL_BYTES_MAX];
};

struct ws {
    struct socket socket; /* first */
    struct conn *conn;
    struct ws_reader *reader; /* while a frame is incomplete */
    struct buf message;       /* of a message that came in pieces */
    size_t held;              /* of the thread's held_bytes */
    bool in_message;          /* the next data frame must be a continuation */
    bool full;                /* the owner wants `drained` */
    bool close_sent, failed;  /* failed: no frame is read any more */
    int64_t heard_ms, pinged_ms;
};

/* --- out --------------------------------------------------------------------------------- */

static size_t frame_head(char head[FRAME_HEAD_BYTES_MAX], int opcode, size_t len) {
    head[0] = (char)(0x80 | opcode);
    if (len <= CONTROL_BYTES_MAX) {
        head[1] = (char)len;
        return 2;
    }
    if (len <= UINT16_MAX) {
        head[1] = 126;
        head[2] = (char)(len >> 8);
        head[3] = (char)len;
        return 4;
    }
    head[1] = 127;
    for (int i = 0; i < 8; i++)
        head[2 + i] = (char)((uint64_t)len >> (56 - 8 * i));
    return 10;
}

/* Takes over the caller's reference. */
static void queue(struct ws *ws, int opcode, struct frame *f) {
    struct conn *c = ws->conn;
    struct frame_chunk *fc = chunk_new(c->thread);
    fc->frame = f;
    fc->chunk.parts[0] = (struct str){fc->head, frame_head(fc->head, opcode, f->len)};
    fc->chunk.parts[1] = (struct str){f->bytes, f->len};
    out_add(c, &fc->chunk);
    c->waiting++;
    COUNT(c->thread->counters.frames_out, 1);
    conn_mark_dirty(c);
}

static size_t queued(const struct conn *c) {
    return c->out_bytes + (size_t)c->waiting * sizeof(struct frame_chunk);
}

static int socket_send(struct socket *s, struct frame *f) {
    struct ws *ws = (struct ws *)s;
    struct conn *c = ws->conn;
    if (c->state != CONN_OPEN || ws->close_sent)
        return ERR_UNAVAILABLE;
    /* One frame may always wait, however large: nothing would ever drain to let it in. */
    size_t after = queued(c) + f->len + sizeof(struct frame_chunk);
    if (c->out_first != NULL && (after > SOCKET_QUEUE_BYTES_MAX || thread_laden(c->thread))) {
        ws->full = true;
        return ERR_FULL;
    }
    queue(ws, WSLAY_TEXT_FRAME, frame_ref(f));
    return 0;
}

static size_t socket_queued(const struct socket *s) {
    const struct ws *ws = (const struct ws *)s;
    return queued(ws->conn);
}

static void socket_close(struct socket *s, int code, const char *reason) {
    ws_close(((struct ws *)s)->conn, code, reason);
}

static const struct socket_ops ops = {
    .send = socket_send, .queued_bytes = socket_queued, .close = socket_close};

static void queue_control(struct ws *ws, int opcode, struct str payload) {
    CHECK(payload.len <= CONTROL_BYTES_MAX);
    queue(ws, opcode, frame_new(payload));
}

static void queue_close(struct ws *ws, int code, struct str reason) {
    if (ws->close_sent)
        return;
    char payload[CONTROL_BYTES_MAX];
    size_t n = 0;
    if (code != CLOSE_NO_STATUS) {
        reason = str_sub(reason, 0, sizeof payload - 2);
        payload[n++] = (char)(code >> 8);
        payload[n++] = (char)code;
        if (reason.len > 0)
            memcpy(payload + n, reason.p, reason.len);
        n += reason.len;
    }
    queue_control(ws, WSLAY_CONNECTION_CLOSE, (struct str){payload, n});
    ws->close_sent = true;
}

void ws_close(struct conn *c, int code, const char *reason) {
    if (c->state == CONN_OPEN)
        queue_close(c->ws, code, str_from(reason));
}

bool ws_closing(const struct ws *ws) {
    return ws->close_sent;
}

void ws_after_flush(struct conn *c) {
    struct ws *ws = c->ws;
    if (!ws->full || c->out_first != NULL || c->state != CONN_OPEN || ws->close_sent)
        return;
    ws->full = false;
    if (ws->socket.events->drained != NULL)
        ws->socket.events->drained(&ws->socket);
}

void ws_tick(struct conn *c) {
    struct ws *ws = c->ws;
    const struct http_limits *l = &c->thread->options->limits;
    int64_t now_ms = (int64_t)uv_now(&c->thread->loop), silent_ms = now_ms - ws->heard_ms;
    if (silent_ms >= l->silence_ms) {
        conn_close(c);
    } else if (silent_ms >= l->ping_ms && now_ms - ws->pinged_ms >= l->ping_ms) {
        ws->pinged_ms = now_ms;
        queue_control(ws, WSLAY_PING, STR_NONE);
    }
}

/* --- readers ----------------------------------------------------------------------------- */

static ssize_t reader_recv(uint8_t *buf, size_t len, int flags, void *user_data) {
    (void)flags;
    struct ws_reader *r = user_data;
    size_t n = len < r->input_len ? len : r->input_len;
    if (n == 0)
        return -1;
    memcpy(buf, r->input, n);
    r->input += n;
    r->input_len -= n;
    r->fed += n;
    return (ssize_t)n;
}

static struct ws_reader *reader_new(struct http_thread *t) {
    struct ws_reader *r = t->idle_readers;
    if (r != NULL) {
        t->idle_readers = r->next;
        t->idle_reader_count--;
        r->fed = r->framed = 0;
        return r;
    }
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = reader_recv};
    r = xcalloc(1, sizeof *r);
    CHECK(wslay_frame_context_init(&r->context, &callbacks, r) == 0);
    return r;
}

static void reader_free(struct ws_reader *r) {
    wslay_frame_context_free(r->context);
    free(r);
}

/* Only of a reader that stands between two frames; others are freed. */
static void reader_give_back(struct http_thread *t, struct ws_reader *r) {
    CHECK(r->fed == r->framed && r->payload == 0);
    if (t->idle_reader_count >= READERS_IDLE_MAX) {
        reader_free(r);
        return;
    }
    r->next = t->idle_readers;
    t->idle_readers = r;
    t->idle_reader_count++;
}

void reader_free_all(struct http_thread *t) {
    for (struct ws_reader *r = t->idle_readers, *next; r != NULL; r = next) {
        next = r->next;
        reader_free(r);
    }
    t->idle_readers = NULL;
}

/* --- in ---------------------------------------------------------------------------------- */

static void message_drop(struct ws *ws) {
    buf_free(&ws->message);
    buf_init(&ws->message, NULL, 0);
    thread_hold(ws->conn->thread, &ws->held, 0);
}

/* A breach: says so and ends. */
static void fail(struct ws *ws, int code, const char *reason) {
    queue_close(ws, code, str_from(reason));
    ws->failed = true;
    ws->conn->state = CONN_LAST;
    message_drop(ws);
}

static void deliver(struct ws *ws, struct str message) {
    size_t chars;
    if (ws->close_sent) /* after our close frame nothing counts but theirs */
        return;
    if (!str_is_utf8(message, &chars)) {
        fail(ws, CLOSE_INVALID, "not UTF-8");
        return;
    }
    COUNT(ws->conn->thread->counters.frames_in, 1);
    ws->socket.events->text(&ws->socket, message);
}

/* One piece of a data frame; LAST when it completes it. */
static void data_piece(struct ws *ws, const struct wslay_frame_iocb *io, bool last) {
    struct str piece = {(const char *)io->data, io->data_length};
    if (last && io->fin && ws->message.len == 0) {
        ws->in_message = false;
        deliver(ws, piece.p != NULL ? piece : STR(""));
        return;
    }
    buf_add_str(&ws->message, piece);
    thread_hold(ws->conn->thread, &ws->held, ws->message.cap);
    if (!thread_make_room(ws->conn->thread, ws->conn)) {
        fail(ws, CLOSE_TRY_LATER, "overloaded");
        return;
    }
    if (!last)
        return;
    ws->in_message = !io->fin;
    if (!io->fin)
        return;
    struct buf whole = ws->message;
    buf_init(&ws->message, NULL, 0);
    thread_hold(ws->conn->thread, &ws->held, 0);
    deliver(ws, buf_str(&whole));
    buf_free(&whole);
}

static bool close_code_valid(int code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1011) ||
           (code >= 3000 && code <= 4999);
}

static void on_close_frame(struct ws *ws, struct str payload) {
    size_t chars;
    int code = CLOSE_NO_STATUS;
    if (payload.len >= 2)
        code = (unsigned char)payload.p[0] << 8 | (unsigned char)payload.p[1];
    if (payload.len == 1 || (payload.len >= 2 && !close_code_valid(code))) {
        fail(ws, CLOSE_PROTOCOL, "bad close frame");
    } else if (!str_is_utf8(str_sub(payload, 2, payload.len), &chars)) {
        fail(ws, CLOSE_INVALID, "not UTF-8");
    } else {
        queue_close(ws, code, STR_NONE); /* the echo, unless it was ours that came first */
        ws->failed = true;
        ws->conn->state = CONN_LAST;
    }
}

static void control_piece(struct ws *ws, struct ws_reader *r, const struct wslay_frame_iocb *io,
                          bool last) {
    CHECK(r->payload <= CONTROL_BYTES_MAX);
    if (io->data_length > 0)
        memcpy(r->control + r->payload - io->data_length, io->data, io->data_length);
    if (!last)
        return;
    struct str payload = {r->control, (size_t)r->payload};
    if (io->opcode == WSLAY_CONNECTION_CLOSE) {
        on_close_frame(ws, payload);
    } else if (io->opcode == WSLAY_PING && !ws->close_sent &&
               queued(ws->conn) < SOCKET_QUEUE_BYTES_MAX) {
        queue_control(ws, WSLAY_PONG, payload); /* a flood that reads no pongs gets fewer */
    }
}

/* What can be wrong with a frame by its header; 0 when it is sound. */
static int frame_check(const struct ws *ws, const struct wslay_frame_iocb *io) {
    if (io->rsv != 0 || !io->mask)
        return CLOSE_PROTOCOL;
    switch (io->opcode) {
    case WSLAY_CONTINUATION_FRAME:
    case WSLAY_TEXT_FRAME:
        if (ws->in_message != (io->opcode == WSLAY_CONTINUATION_FRAME))
            return CLOSE_PROTOCOL;
        break;
    case WSLAY_BINARY_FRAME:
        return ws->in_message ? CLOSE_PROTOCOL : CLOSE_UNSUPPORTED;
    case WSLAY_CONNECTION_CLOSE:
    case WSLAY_PING:
    case WSLAY_PONG:
        return io->payload_length > CONTROL_BYTES_MAX || !io->fin ? CLOSE_PROTOCOL : 0;
    default:
        return CLOSE_PROTOCOL;
    }
    return io->payload_length > SOCKET_MESSAGE_BYTES_MAX - ws->message.len ? CLOSE_TOO_BIG : 0;
}

/* On the wire, masked. */
static uint64_t frame_bytes(uint64_t payload) {
    unsigned more = payload <= CONTROL_BYTES_MAX ? 0 : payload <= UINT16_MAX ? 2 : 8;
    return 2 + more + 4 + payload;
}

/* The time of the next message starts with its first byte. */
static void message_over(struct conn *c) {
    if (c->deadline == DEADLINE_MESSAGE)
        list_move(c, DEADLINE_SOCKET, (int64_t)uv_now(&c->thread->loop));
}

bool ws_in_message(const struct ws *ws) {
    return ws->reader != NULL || ws->in_message || ws->message.len > 0;
}

void ws_message_drop(struct conn *c) {
    message_drop(c->ws);
}

static void frame_piece(struct ws *ws, struct ws_reader *r, const struct wslay_frame_iocb *io) {
    int bad = r->payload == 0 ? frame_check(ws, io) : 0;
    if (bad != 0) {
        fail(ws, bad, bad == CLOSE_TOO_BIG ? "message too big" : "");
        return;
    }
    r->payload += io->data_length;
    bool last = r->payload == io->payload_length;
    if (wslay_is_ctrl_frame(io->opcode))
        control_piece(ws, r, io, last);
    else
        data_piece(ws, io, last);
    if (last) {
        r->framed += frame_bytes(io->payload_length);
        r->payload = 0;
        if (!ws->in_message)
            message_over(ws->conn);
    }
}

void ws_input(struct conn *c, const char *p, size_t len) {
    struct ws *ws = c->ws;
    ws->heard_ms = (int64_t)uv_now(&c->thread->loop);
    struct ws_reader *r = ws->reader != NULL ? ws->reader : reader_new(c->thread);
    ws->reader = NULL;
    r->input = p;
    r->input_len = len;
    ssize_t n = 0;
    while (!ws->failed) {
        struct wslay_frame_iocb io = {0};
        n = wslay_frame_recv(r->context, &io);
        if (n == WSLAY_ERR_WANT_READ)
            break;
        if (n < 0)
            fail(ws, CLOSE_PROTOCOL, "");
        else
            frame_piece(ws, r, &io);
    }
    if (!ws->failed && r->fed != r->framed)
        ws->reader = r;
    else if (ws->failed)
        reader_free(r);
    else
        reader_give_back(c->thread, r);
}

/* --- coming and going -------------------------------------------------------------------- */

struct socket *ws_accept(struct call *call, struct str protocol, const struct socket_events *events,
                         void *owner) {
    struct exchange *ex = (struct exchange *)call;
    struct conn *c = ex->conn;
    struct http_thread *t = ex->thread;
    CHECK(call->request.upgrade && t->handling == ex && ex->state == EXCHANGE_RUNNING);
    CHECK(c->first == ex && c->last == ex);

    struct ws *ws = xcalloc(1, sizeof *ws);
    ws->socket =
        (struct socket){.ops = &ops, .events = events, .owner = owner, .worker = &t->worker};
    ws->conn = c;
    ws->heard_ms = ws->pinged_ms = (int64_t)uv_now(&t->loop);
    c->ws = ws;
    c->state = CONN_OPEN; /* whatever the request said of keeping the connection */
    COUNT(t->counters.sockets, 1);

    char *accept = arena_bytes(&call->arena, WS_ACCEPT_LEN + 1);
    handshake_accept_key(request_header(&call->request, "sec-websocket-key"), accept);
    reply_upgrade(ex, str_from(accept), protocol);
    c->first = c->last = NULL;
    ex->state = EXCHANGE_DONE;
    t->running--;
    COUNT(t->counters.running, -1);
    conn_unref(c);
    out_add(c, &ex->out);
    conn_mark_dirty(c);
    return &ws->socket;
}

void ws_gone(struct conn *c) {
    struct ws *ws = c->ws;
    if (ws->socket.events->closed != NULL)
        ws->socket.events->closed(&ws->socket);
    c->ws = NULL;
    if (ws->reader != NULL)
        reader_free(ws->reader);
    message_drop(ws);
    free(ws);
    COUNT(c->thread->counters.sockets, -1);
}
