/* WebSockets out: the handshake by hand (one request, one answer head), frames by wslay. */
#include "base/check.h"
#include "client/net_internal.h"

#include <ctype.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define HEAD_BYTES_MAX 8192
#define MESSAGE_BYTES_MAX ((size_t)16 << 20)
#define ACCEPT_LEN 28 /* base64 of a SHA-1 */

struct net_socket {
    struct stream stream;
    struct net *net;
    struct net_socket *next, *before;
    const struct net_socket_events *events;
    void *arg;
    wslay_event_context_ptr ws;
    struct buf head;             /* of the answer, until it is whole */
    char accept[ACCEPT_LEN + 1]; /* what proves that the server understood the handshake */
    int64_t since_us;
    struct net_timer *failed; /* an end that waits for the caller to return */
    bool upgraded, busy, ending;
    const char *in; /* bytes being given to wslay */
    size_t in_len;
    int close_code;
};

/* ---- wslay's side ---- */

static ssize_t ws_recv(wslay_event_context_ptr ws, uint8_t *buf, size_t len, int flags, void *arg) {
    (void)flags;
    struct net_socket *s = arg;
    if (s->in_len == 0) {
        wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t n = len < s->in_len ? len : s->in_len;
    memcpy(buf, s->in, n);
    s->in += n;
    s->in_len -= n;
    return (ssize_t)n;
}

static ssize_t ws_send(wslay_event_context_ptr ws, const uint8_t *data, size_t len, int flags,
                       void *arg) {
    (void)ws;
    (void)flags;
    struct net_socket *s = arg;
    stream_write(&s->stream, data, len);
    return (ssize_t)len;
}

static int ws_mask(wslay_event_context_ptr ws, uint8_t *buf, size_t len, void *arg) {
    (void)ws;
    (void)arg;
    randombytes_buf(buf, len);
    return 0;
}

static void ws_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *m,
                       void *arg) {
    struct net_socket *s = arg;
    if (m->opcode == WSLAY_TEXT_FRAME && !s->ending)
        s->events->text(s->arg, (struct str){(const char *)m->msg, m->msg_length});
    else if (m->opcode == WSLAY_CONNECTION_CLOSE)
        s->close_code = wslay_event_get_status_code_received(ws);
}

static const struct wslay_event_callbacks ws_callbacks = {
    .recv_callback = ws_recv,
    .send_callback = ws_send,
    .genmask_callback = ws_mask,
    .on_msg_recv_callback = ws_message,
};

/* ---- life ---- */

static void socket_gone(struct stream *stream) {
    struct net_socket *s = (struct net_socket *)stream;
    if (s->ws != NULL)
        wslay_event_context_free(s->ws);
    buf_free(&s->head);
    free(s);
}

static void finish(struct net_socket *s) {
    if (s->before != NULL)
        s->before->next = s->next;
    else
        s->net->sockets = s->next;
    if (s->next != NULL)
        s->next->before = s->before;
    net_cancel(s->failed);
    s->events->closed(s->arg, s->close_code);
    stream_flush(&s->stream); /* the close frame */
    stream_close(&s->stream, socket_gone);
}

static void end(struct net_socket *s) {
    s->ending = true;
    if (!s->busy)
        finish(s);
}

static void feed(struct net_socket *s, const char *bytes, size_t len) {
    s->in = bytes;
    s->in_len = len;
    s->busy = true;
    bool over = wslay_event_recv(s->ws) != 0;
    if (!over && wslay_event_want_write(s->ws))
        over = wslay_event_send(s->ws) != 0;
    over = over || (!wslay_event_want_read(s->ws) && !wslay_event_want_write(s->ws));
    s->busy = false;
    if (over || s->ending)
        end(s);
}

/* The value of a header of the answer's HEAD, or STR_NONE. */
static struct str head_value(struct str head, const char *name) {
    while (head.len > 0) {
        const char *stop = memmem(head.p, head.len, "\r\n", 2);
        struct str line = str_sub(head, 0, stop != NULL ? (size_t)(stop - head.p) : head.len);
        const char *colon = memchr(line.p, ':', line.len);
        size_t at = colon != NULL ? (size_t)(colon - line.p) : line.len;
        if (colon != NULL && str_eq_nocase(str_sub(line, 0, at), name)) {
            struct str value = str_sub(line, at + 1, line.len);
            while (value.len > 0 && isspace((unsigned char)value.p[0]))
                value = str_sub(value, 1, value.len);
            while (value.len > 0 && isspace((unsigned char)value.p[value.len - 1]))
                value.len--;
            return value;
        }
        head = str_sub(head, line.len + 2, head.len);
    }
    return STR_NONE;
}

/* The status of "HTTP/1.1 101 …", 0 if it is none. */
static int head_status(struct str head) {
    int64_t status;
    if (!str_starts(head, "HTTP/1.1 ") || str_to_i64(str_sub(head, 9, 3), &status) < 0)
        return 0;
    return (int)status;
}

static void upgrade(struct net_socket *s, const char *bytes, size_t len) {
    buf_add(&s->head, bytes, len);
    const char *stop = memmem(s->head.p, s->head.len, "\r\n\r\n", 4);
    if (stop == NULL) {
        if (s->head.len > HEAD_BYTES_MAX)
            end(s);
        return;
    }
    struct str head = str_sub(buf_str(&s->head), 0, (size_t)(stop - s->head.p));
    int status = head_status(head);
    if (status != 101 || !str_is(head_value(head, "sec-websocket-accept"), s->accept)) {
        s->close_code = status != 101 ? status : 0;
        end(s);
        return;
    }
    CHECK(wslay_event_context_client_init(&s->ws, &ws_callbacks, s) == 0);
    wslay_event_config_set_max_recv_msg_length(s->ws, MESSAGE_BYTES_MAX);
    s->upgraded = true;
    s->busy = true;
    s->events->open(s->arg);
    s->busy = false;
    size_t used = head.len + 4;
    if (s->ending)
        end(s);
    else if (s->head.len > used)
        feed(s, s->head.p + used, s->head.len - used);
}

static void socket_connected(struct stream *stream) {
    (void)stream;
}

static void socket_data(struct stream *stream, const char *bytes, size_t len) {
    struct net_socket *s = (struct net_socket *)stream;
    if (s->ending)
        return;
    if (s->upgraded)
        feed(s, bytes, len);
    else
        upgrade(s, bytes, len);
}

static void socket_ended(struct stream *stream) {
    struct net_socket *s = (struct net_socket *)stream;
    if (!s->ending)
        end(s);
}

static const struct stream_events socket_stream_events = {socket_connected, socket_data,
                                                          socket_ended};

static void finish_later(void *arg) {
    struct net_socket *s = arg;
    s->failed = NULL;
    finish(s);
}

void sockets_sweep(struct net *n, int64_t now_us) {
    struct net_socket *s = n->sockets;
    while (s != NULL) {
        bool late = !s->upgraded && !s->ending && now_us - s->since_us > n->timeout_us;
        if (late)
            end(s);
        s = late ? n->sockets : s->next; /* whoever is told may end others */
    }
}

/* Sends the handshake of RFC 6455 §4.1, and notes what its answer must say. */
static void shake_hands(struct net_socket *s, struct str path, struct str token) {
    unsigned char random[16], digest[SHA_DIGEST_LENGTH];
    char key[25], text[64];
    randombytes_buf(random, sizeof(random));
    sodium_bin2base64(key, sizeof(key), random, sizeof(random), sodium_base64_VARIANT_ORIGINAL);
    size_t len =
        (size_t)snprintf(text, sizeof(text), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    SHA1((const unsigned char *)text, len, digest);
    sodium_bin2base64(s->accept, sizeof(s->accept), digest, sizeof(digest),
                      sodium_base64_VARIANT_ORIGINAL);
    struct buf request;
    buf_init(&request, NULL, 1024);
    buf_printf(&request,
               "GET %.*s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
               "Sec-WebSocket-Protocol: lorry.v1%s%.*s\r\n\r\n",
               STR_ARG(path), s->net->host, s->net->port, key, token.len > 0 ? ", bearer." : "",
               STR_ARG(token));
    stream_write(&s->stream, request.p, request.len);
    buf_free(&request);
}

struct net_socket *net_socket_open(struct net *n, struct str path, struct str token,
                                   const struct net_socket_events *events, void *arg) {
    struct net_socket *s = xcalloc(1, sizeof(*s));
    s->net = n;
    s->events = events;
    s->arg = arg;
    s->since_us = net_now_us(n);
    s->next = n->sockets;
    if (s->next != NULL)
        s->next->before = s;
    n->sockets = s;
    buf_init(&s->head, NULL, 512);
    s->busy = true; /* a connect that fails at once must not free S before it is returned */
    stream_open(&s->stream, n, &socket_stream_events);
    s->busy = false;
    if (s->ending)
        s->failed = net_after(n, 0, finish_later, s);
    else
        shake_hands(s, path, token);
    return s;
}

bool net_socket_send(struct net_socket *s, struct str text) {
    if (!s->upgraded || s->ending)
        return false;
    struct wslay_event_msg m = {WSLAY_TEXT_FRAME, (const uint8_t *)text.p, text.len};
    if (wslay_event_queue_msg(s->ws, &m) != 0)
        return false;
    bool busy = s->busy;
    s->busy = true;
    int err = wslay_event_send(s->ws);
    s->busy = busy;
    return err == 0;
}

void net_socket_close(struct net_socket *s) {
    if (s->ending && s->busy)
        return;
    if (s->upgraded && !s->ending) {
        wslay_event_queue_close(s->ws, 1000, NULL, 0);
        wslay_event_send(s->ws);
    }
    end(s);
}
