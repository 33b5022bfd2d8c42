/* WebSockets out: the handshake by hand (one request, one answer head), frames by wslay. */
#include "base/check.h"
#include "client/net_internal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define HEAD_BYTES_MAX 8192

struct net_socket {
    struct stream stream;
    struct net *net;
    struct net_socket *next, *before;
    const struct net_socket_events *events;
    void *arg;
    wslay_event_context_ptr ws;
    struct buf head; /* of the answer, until it is whole */
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
    s->events->closed(s->arg, s->close_code);
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

static void upgrade(struct net_socket *s, const char *bytes, size_t len) {
    buf_add(&s->head, bytes, len);
    const char *stop = memmem(s->head.p, s->head.len, "\r\n\r\n", 4);
    if (stop == NULL) {
        if (s->head.len > HEAD_BYTES_MAX)
            end(s);
        return;
    }
    int status = 0;
    buf_add_char(&s->head, 0);
    if (sscanf(s->head.p, "HTTP/1.1 %d", &status) != 1 || status != 101) {
        s->close_code = status;
        end(s);
        return;
    }
    CHECK(wslay_event_context_client_init(&s->ws, &ws_callbacks, s) == 0);
    s->upgraded = true;
    s->busy = true;
    s->events->open(s->arg);
    s->busy = false;
    size_t used = (size_t)(stop + 4 - s->head.p);
    if (s->ending)
        end(s);
    else if (s->head.len - 1 > used)
        feed(s, s->head.p + used, s->head.len - 1 - used);
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
    finish(arg);
}

struct net_socket *net_socket_open(struct net *n, struct str path, struct str token,
                                   const struct net_socket_events *events, void *arg) {
    struct net_socket *s = xcalloc(1, sizeof(*s));
    s->net = n;
    s->events = events;
    s->arg = arg;
    s->next = n->sockets;
    if (s->next != NULL)
        s->next->before = s;
    n->sockets = s;
    buf_init(&s->head, NULL, 512);
    unsigned char key[16];
    char text[32];
    randombytes_buf(key, sizeof(key));
    sodium_bin2base64(text, sizeof(text), key, sizeof(key), sodium_base64_VARIANT_ORIGINAL);
    struct buf request;
    buf_init(&request, NULL, 1024);
    buf_printf(&request,
               "GET %.*s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
               "Sec-WebSocket-Protocol: lorry.v1%s%.*s\r\n\r\n",
               STR_ARG(path), n->host, n->port, text, token.len > 0 ? ", bearer." : "",
               STR_ARG(token));
    s->busy = true; /* a connect that fails at once must not free S before it is returned */
    stream_open(&s->stream, n, &socket_stream_events);
    s->busy = false;
    if (s->ending)
        net_after(n, 0, finish_later, s);
    stream_write(&s->stream, request.p, request.len);
    buf_free(&request);
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
