/* Requests over keep-alive connections, answers parsed by llhttp, in order. */
#include "base/check.h"
#include "base/timestamp.h"
#include "client/net_internal.h"

#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX ((size_t)16 << 20)
#define HEADER_NAME_MAX 1024

struct pending {
    struct pending *next;
    net_answer_fn answer;
    void *arg;
    int64_t since_us, sent_us;
    struct buf request; /* kept until sent */
    bool sent;
};

struct net_conn {
    struct net *net;
    struct net_conn *next, *before;
    struct stream *stream; /* NULL: not connected */
    llhttp_t parser;
    struct buf body, header;
    bool retry_after, closes; /* closes: the server ends the connection after this answer */
    int32_t retry_after_s;
    struct pending *first, **last;
    int32_t count;
    bool pipelined, busy; /* busy: in a callback of ours; freeing waits */
    bool doomed, connecting;
};

struct http_stream {
    struct stream stream;
    struct net_conn *conn; /* NULL: abandoned */
};

/* ---- answers ---- */

static void answer_first(struct net_conn *c, int status) {
    struct pending *p = c->first;
    CHECK(p != NULL);
    c->first = p->next;
    if (c->first == NULL)
        c->last = &c->first;
    c->count--;
    struct net_answer a = {.status = status,
                           .body = buf_str(&c->body),
                           .took_us = clock_mono_us() - p->since_us,
                           .retry_after_s = c->retry_after_s};
    net_answer_fn fn = p->answer;
    void *arg = p->arg;
    buf_free(&p->request);
    free(p);
    fn(arg, &a);
}

static void send_pending(struct net_conn *c);

static int on_message_begin(llhttp_t *parser) {
    struct net_conn *c = parser->data;
    c->body.len = 0;
    c->retry_after_s = 0;
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len) {
    struct net_conn *c = parser->data;
    if (c->header.len + len > HEADER_NAME_MAX)
        return -1;
    buf_add(&c->header, at, len);
    return 0;
}

static int on_header_field_complete(llhttp_t *parser) {
    struct net_conn *c = parser->data;
    c->retry_after = str_eq_nocase(buf_str(&c->header), "retry-after");
    c->header.len = 0;
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len) {
    struct net_conn *c = parser->data;
    for (size_t i = 0; c->retry_after && i < len && at[i] >= '0' && at[i] <= '9'; i++)
        c->retry_after_s = (c->retry_after_s * 10 + (at[i] - '0')) % 100000;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len) {
    struct net_conn *c = parser->data;
    if (c->body.len + len > ANSWER_BYTES_MAX)
        return -1;
    buf_add(&c->body, at, len);
    return 0;
}

static int on_message_complete(llhttp_t *parser) {
    struct net_conn *c = parser->data;
    if (parser->status_code < 200)
        return 0; /* 100 Continue */
    if (c->first == NULL || !c->first->sent)
        return -1;
    c->closes = !llhttp_should_keep_alive(parser);
    answer_first(c, parser->status_code);
    return c->doomed ? -1 : 0;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- the connection ---- */

static void http_closed(struct stream *s) {
    free(s);
}

static void let_go(struct net_conn *c) {
    if (c->stream == NULL)
        return;
    ((struct http_stream *)c->stream)->conn = NULL;
    stream_close(c->stream, http_closed);
    c->stream = NULL;
}

static void conn_really_free(struct net_conn *c) {
    let_go(c);
    c->busy = true; /* whoever is told of the end below may free it again */
    while (c->first != NULL) {
        c->body.len = 0;
        answer_first(c, 0);
    }
    if (c->before != NULL)
        c->before->next = c->next;
    else
        c->net->conns = c->next;
    if (c->next != NULL)
        c->next->before = c->before;
    buf_free(&c->body);
    buf_free(&c->header);
    free(c);
}

/* The connection is gone: what was sent has no answer; what was not goes on a new one. */
static void lost(struct net_conn *c) {
    let_go(c);
    c->busy = true;
    while (c->first != NULL && c->first->sent) {
        c->body.len = 0;
        answer_first(c, 0);
    }
    c->busy = false;
    if (c->doomed)
        conn_really_free(c);
    else if (c->first != NULL)
        send_pending(c);
}

static void http_connected(struct stream *s) {
    (void)s;
}

static void http_data(struct stream *s, const char *bytes, size_t len) {
    struct net_conn *c = ((struct http_stream *)s)->conn;
    if (c == NULL)
        return;
    c->busy = true;
    llhttp_errno_t err = llhttp_execute(&c->parser, bytes, len);
    c->busy = false;
    if (c->doomed)
        conn_really_free(c);
    else if (err != HPE_OK || c->closes)
        lost(c);
    else
        send_pending(c);
}

static void http_ended(struct stream *s) {
    struct net_conn *c = ((struct http_stream *)s)->conn;
    if (c == NULL)
        return;
    if (c->connecting) {
        let_go(c); /* could not even begin: send_pending sees it */
        return;
    }
    c->busy = true;
    llhttp_finish(&c->parser); /* a body that was to go on until here is whole now */
    c->busy = false;
    lost(c);
}

static const struct stream_events http_events = {http_connected, http_data, http_ended};

static void connect_now(struct net_conn *c) {
    struct http_stream *hs = xcalloc(1, sizeof(*hs));
    hs->conn = c;
    c->stream = &hs->stream;
    llhttp_init(&c->parser, HTTP_RESPONSE, &settings);
    c->parser.data = c;
    c->closes = false;
    c->connecting = true;
    stream_open(&hs->stream, c->net, &http_events);
    c->connecting = false;
}

static void send_pending(struct net_conn *c) {
    struct pending *p = c->first;
    if (p == NULL || c->busy)
        return;
    if (c->stream == NULL)
        connect_now(c);
    if (c->stream == NULL) {
        p->sent = true;
        lost(c);
        return;
    }
    while (p != NULL && c->stream != NULL) {
        if (!p->sent) {
            p->sent = true;
            p->sent_us = clock_mono_us();
            stream_write(c->stream, p->request.p, p->request.len);
        }
        p = c->pipelined ? p->next : NULL;
    }
}

struct net_conn *net_conn_new(struct net *n) {
    struct net_conn *c = xcalloc(1, sizeof(*c));
    c->net = n;
    c->last = &c->first;
    buf_init(&c->body, NULL, 1024);
    buf_init(&c->header, NULL, 64);
    c->next = n->conns;
    if (c->next != NULL)
        c->next->before = c;
    n->conns = c;
    return c;
}

void net_conn_free(struct net_conn *c) {
    c->doomed = true;
    if (!c->busy)
        conn_really_free(c);
}

static struct net_conn *overdue(const struct net *n, int64_t now_us) {
    for (struct net_conn *c = n->conns; c != NULL; c = c->next) {
        if (c->first != NULL && c->first->sent && now_us - c->first->sent_us > n->timeout_us)
            return c;
    }
    return NULL;
}

void conns_sweep(struct net *n, int64_t now_us) {
    struct net_conn *c; /* looked for anew each time: whoever is told may free any of them */
    while ((c = overdue(n, now_us)) != NULL)
        lost(c);
}

/* ---- requests ---- */

static struct pending *pending_new(struct net_conn *c, net_answer_fn answer, void *arg) {
    if (c->count == NET_QUEUE_MAX || c->doomed)
        return NULL;
    struct pending *p = xcalloc(1, sizeof(*p));
    p->answer = answer;
    p->arg = arg;
    p->since_us = clock_mono_us();
    buf_init(&p->request, NULL, 512);
    *c->last = p;
    c->last = &p->next;
    c->count++;
    return p;
}

bool net_send(struct net_conn *c, const struct net_request *r, net_answer_fn answer, void *arg) {
    struct pending *p = pending_new(c, answer, arg);
    if (p == NULL)
        return false;
    buf_printf(&p->request, "%s %.*s HTTP/1.1\r\nHost: %s:%d\r\n", r->method, STR_ARG(r->path),
               c->net->host, c->net->port);
    if (r->token.p != NULL)
        buf_printf(&p->request, "Authorization: Bearer %.*s\r\n", STR_ARG(r->token));
    if (r->idempotency_key.p != NULL)
        buf_printf(&p->request, "Idempotency-Key: %.*s\r\n", STR_ARG(r->idempotency_key));
    if (r->body.p != NULL)
        buf_printf(&p->request, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                   r->body.len);
    buf_add_cstr(&p->request, "\r\n");
    buf_add_str(&p->request, r->body);
    send_pending(c);
    return true;
}

bool net_send_raw(struct net_conn *c, struct str request, net_answer_fn answer, void *arg) {
    struct pending *p = pending_new(c, answer, arg);
    if (p == NULL)
        return false;
    c->pipelined = true;
    buf_add_str(&p->request, request);
    send_pending(c);
    return true;
}
