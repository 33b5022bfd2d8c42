/* The loop, its timers, and TCP streams whose writes are gathered over a turn of the loop. */
#include "base/check.h"
#include "base/timestamp.h"
#include "client/net_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_US (INT64_C(250) * 1000)

/* ---- timers ---- */

struct net_timer {
    uv_timer_t timer;
    struct net *net;
    struct net_timer *next, *before;
    void (*fn)(void *arg);
    void *arg;
    bool once, closing;
};

static void timer_closed(uv_handle_t *h) {
    free(h->data);
}

void net_cancel(struct net_timer *t) {
    if (t == NULL || t->closing)
        return;
    t->closing = true;
    if (t->before != NULL)
        t->before->next = t->next;
    else
        t->net->timers = t->next;
    if (t->next != NULL)
        t->next->before = t->before;
    uv_close((uv_handle_t *)&t->timer, timer_closed);
}

static void timer_fired(uv_timer_t *timer) {
    struct net_timer *t = timer->data;
    void (*fn)(void *arg) = t->fn;
    void *arg = t->arg;
    if (t->once)
        net_cancel(t);
    fn(arg);
}

static struct net_timer *timer_new(struct net *n, int64_t delay_us, bool once,
                                   void (*fn)(void *arg), void *arg) {
    struct net_timer *t = xcalloc(1, sizeof(*t));
    *t = (struct net_timer){.net = n, .next = n->timers, .fn = fn, .arg = arg, .once = once};
    if (t->next != NULL)
        t->next->before = t;
    n->timers = t;
    uint64_t ms = delay_us <= 0 ? 0 : (uint64_t)((delay_us + US_PER_MS - 1) / US_PER_MS);
    uv_timer_init(&n->loop, &t->timer);
    t->timer.data = t;
    uv_timer_start(&t->timer, timer_fired, ms, once ? 0 : (ms > 0 ? ms : 1));
    return t;
}

struct net_timer *net_after(struct net *n, int64_t delay_us, void (*fn)(void *arg), void *arg) {
    return timer_new(n, delay_us, true, fn, arg);
}

struct net_timer *net_every(struct net *n, int64_t period_us, void (*fn)(void *arg), void *arg) {
    return timer_new(n, period_us, false, fn, arg);
}

/* ---- streams ---- */

static void stream_ended(struct stream *s) {
    if (s->ended)
        return;
    s->ended = true;
    s->open = false;
    s->events->ended(s);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    (void)suggested;
    const struct stream *s = handle->data;
    *buf = uv_buf_init(s->net->read_buffer, NET_READ_BYTES);
}

static void on_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *buf) {
    struct stream *s = tcp->data;
    if (n > 0)
        s->events->data(s, buf->base, (size_t)n);
    else if (n < 0)
        stream_ended(s);
}

static void queue_flush(struct stream *s) {
    if (s->flush_queued || !s->open || s->out.len == 0)
        return;
    s->flush_queued = true;
    s->flush_next = s->net->to_flush;
    s->net->to_flush = s;
}

static void on_connect(uv_connect_t *request, int status) {
    struct stream *s = request->data;
    if (s->closing)
        return;
    if (status < 0) {
        stream_ended(s);
        return;
    }
    s->open = true;
    uv_tcp_nodelay(&s->tcp, 1);
    uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
    queue_flush(s);
    s->events->connected(s);
}

void stream_open(struct stream *s, struct net *n, const struct stream_events *events) {
    s->net = n;
    s->events = events;
    s->open = s->closing = s->ended = false;
    buf_init(&s->out, NULL, 256);
    CHECK(uv_tcp_init(&n->loop, &s->tcp) == 0);
    s->tcp.data = s;
    s->connect.data = s;
    if (uv_tcp_connect(&s->connect, &s->tcp, &n->address.any, on_connect) != 0)
        stream_ended(s);
}

void stream_write(struct stream *s, const void *bytes, size_t len) {
    if (s->closing || s->ended)
        return;
    buf_add(&s->out, bytes, len);
    queue_flush(s);
}

static void on_closed(uv_handle_t *h) {
    struct stream *s = h->data;
    buf_free(&s->out);
    if (s->closed != NULL)
        s->closed(s);
}

static void unqueue(struct stream *s) {
    struct stream **at = &s->net->to_flush;
    while (*at != NULL && *at != s)
        at = &(*at)->flush_next;
    if (*at == s)
        *at = s->flush_next;
    s->flush_queued = false;
}

void stream_close(struct stream *s, void (*closed)(struct stream *s)) {
    if (s->closing)
        return;
    s->closing = true;
    s->open = false;
    s->closed = closed;
    unqueue(s);
    uv_close((uv_handle_t *)&s->tcp, on_closed);
}

struct write {
    uv_write_t request;
    char bytes[];
};

static void on_written(uv_write_t *request, int status) {
    struct stream *s = request->handle->data;
    free(request->data);
    if (status < 0 && !s->closing)
        stream_ended(s);
}

static void flush(struct stream *s) {
    struct write *w = xmalloc(sizeof(*w) + s->out.len);
    memcpy(w->bytes, s->out.p, s->out.len);
    uv_buf_t buf = uv_buf_init(w->bytes, (unsigned)s->out.len);
    s->out.len = 0;
    w->request.data = w;
    if (uv_write(&w->request, (uv_stream_t *)&s->tcp, &buf, 1, on_written) != 0) {
        free(w);
        stream_ended(s);
    }
}

void stream_flush(struct stream *s) {
    if (s->open && s->out.len > 0)
        flush(s);
}

/* Before the loop sleeps: what was written in this turn leaves, one write a stream. */
static void on_prepare(uv_prepare_t *prepare) {
    struct net *n = prepare->data;
    while (n->to_flush != NULL) {
        struct stream *s = n->to_flush;
        n->to_flush = s->flush_next;
        s->flush_queued = false;
        stream_flush(s);
    }
}

/* ---- the loop ---- */

static void on_sweep(void *arg) {
    struct net *n = arg;
    conns_sweep(n, net_now_us(n));
    sockets_sweep(n, net_now_us(n));
}

/* HOST, a numeric address or localhost; one of IPv6 stands in brackets. */
static bool read_host(struct net *n, struct str host) {
    char text[sizeof(n->host)];
    if (host.len == 0 || host.len >= sizeof(n->host))
        return false;
    if (str_is(host, "localhost"))
        host = STR("127.0.0.1");
    snprintf(n->host, sizeof(n->host), "%.*s", STR_ARG(host));
    bool six = n->host[0] == '[' && n->host[host.len - 1] == ']';
    snprintf(text, sizeof(text), "%.*s", (int)host.len - (six ? 2 : 0), n->host + (six ? 1 : 0));
    return six ? uv_ip6_addr(text, n->port, &n->address.six) == 0
               : uv_ip4_addr(text, n->port, &n->address.four) == 0;
}

/* "http://HOST[:PORT][/]" into N. */
static bool read_url(struct net *n, const char *url) {
    struct str rest = str_from(url);
    if (!str_starts(rest, "http://"))
        return false;
    rest = str_sub(rest, 7, rest.len);
    if (str_ends(rest, "/"))
        rest.len--;
    const char *bracket = memchr(rest.p, ']', rest.len);
    size_t from = bracket != NULL ? (size_t)(bracket - rest.p) : 0;
    const char *colon = memchr(rest.p + from, ':', rest.len - from);
    size_t host_len = colon != NULL ? (size_t)(colon - rest.p) : rest.len;
    int64_t port = 80;
    if (colon != NULL && str_to_i64(str_sub(rest, host_len + 1, rest.len), &port) < 0)
        return false;
    n->port = (int)port;
    return port >= 1 && port <= 65535 && read_host(n, str_sub(rest, 0, host_len));
}

struct net *net_new(const char *url, const char **ret_why) {
    struct net *n = xcalloc(1, sizeof(*n));
    n->timeout_us = NET_TIMEOUT_US;
    if (!read_url(n, url)) {
        *ret_why = "the URL must be http://HOST:PORT, where HOST is an IP address ([::1] for IPv6) "
                   "or localhost";
        free(n);
        return NULL;
    }
    CHECK(uv_loop_init(&n->loop) == 0);
    uv_prepare_init(&n->loop, &n->flusher);
    n->flusher.data = n;
    uv_prepare_start(&n->flusher, on_prepare);
    n->read_buffer = xmalloc(NET_READ_BYTES);
    n->sweep = net_every(n, SWEEP_US, on_sweep, n);
    return n;
}

void net_free(struct net *n) {
    while (n->sockets != NULL || n->conns != NULL) {
        if (n->sockets != NULL)
            net_socket_close(n->sockets);
        else
            net_conn_free(n->conns);
    }
    while (n->timers != NULL)
        net_cancel(n->timers);
    uv_close((uv_handle_t *)&n->flusher, NULL);
    while (uv_run(&n->loop, UV_RUN_DEFAULT) != 0) { /* whoever is told of the end may stop it */
    }
    CHECK(uv_loop_close(&n->loop) == 0);
    free(n->read_buffer);
    free(n);
}

void net_timeout(struct net *n, int64_t timeout_us) {
    n->timeout_us = timeout_us;
}

void net_run(struct net *n) {
    uv_run(&n->loop, UV_RUN_DEFAULT);
}

void net_stop(struct net *n) {
    uv_stop(&n->loop);
}

int64_t net_now_us(const struct net *n) {
    (void)n;
    return clock_mono_us();
}
