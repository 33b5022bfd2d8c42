/* See test_support.h. The lab fills in by hand what http_start() would: a server with one thread
 * object whose loop runs on the caller's thread.
 */
#include "adapters/http/test_support.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_MS 5000
#define NS_PER_S 1000000000L

/* --- the application --------------------------------------------------------------------- */

static void flood_on(struct socket *s) {
    intptr_t left = (intptr_t)s->owner;
    char text[1000];
    memset(text, 'f', sizeof text);
    struct frame *f = frame_new((struct str){text, sizeof text});
    while (left > 0 && s->ops->send(s, f) == 0)
        left--;
    frame_unref(f);
    s->owner = (void *)left;
}

static struct app *app_of(const struct socket *s) {
    return ((struct http_thread *)s->worker)->options->app;
}

/* The digits that S begins with; what follows S is no end of it. */
static int64_t number_in(struct str s) {
    int64_t value = 0;
    for (size_t i = 0; i < s.len && s.p[i] >= '0' && s.p[i] <= '9' && value < INT32_MAX; i++)
        value = value * 10 + (s.p[i] - '0');
    return value;
}

static void on_text(struct socket *s, struct str message) {
    app_of(s)->texts++;
    if (str_is(message, "close")) {
        s->ops->close(s, 4000, "as you wish");
        return;
    }
    if (str_starts(message, "flood ")) {
        s->owner = (void *)(intptr_t)number_in(str_sub(message, 6, message.len));
        flood_on(s);
        return;
    }
    struct frame *f = frame_new(message);
    s->ops->send(s, f);
    frame_unref(f);
}

static void on_drained(struct socket *s) {
    app_of(s)->drained++;
    CHECK(s->ops->queued_bytes(s) == 0);
    flood_on(s);
}

static void on_closed(struct socket *s) {
    app_of(s)->sockets_closed++;
}

static const struct socket_events socket_events = {
    .text = on_text, .drained = on_drained, .closed = on_closed};

static void echo(struct call *c) {
    const struct request *r = &c->request;
    struct buf b;
    buf_init(&b, &c->arena, 64 + r->body.len);
    buf_printf(&b, "%.*s %.*s %.*s ", STR_ARG(r->method), STR_ARG(r->path), STR_ARG(r->query));
    buf_add_str(&b, r->body);
    c->response.status = 200;
    c->response.content_type = "text/plain";
    c->response.body = buf_str(&b);
}

static void hold(struct app *a, struct call *c, int64_t due_us) {
    pthread_mutex_lock(&a->lock);
    CHECK(a->held_count < HELD_MAX);
    a->held[a->held_count++] = (struct held){c, due_us};
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

static void list_headers(struct call *c) {
    struct buf b;
    buf_init(&b, &c->arena, 256);
    for (int32_t i = 0; i < c->request.header_count; i++)
        buf_printf(&b, "%.*s: %.*s\n", STR_ARG(c->request.headers[i].name),
                   STR_ARG(c->request.headers[i].value));
    c->response.body = buf_str(&b);
}

static void on_request(void *app, struct call *c) {
    struct app *a = app;
    struct str path = c->request.path;
    CHECK(c->request_id.len > 0 && c->now_us > 0 && c->worker != NULL);
    c->response.status = 200;
    if (str_is(path, "/ws") && c->request.upgrade) {
        a->sockets_opened++;
        c->accept(c, request_header(&c->request, "sec-websocket-protocol"), &socket_events, NULL);
        return;
    }
    if (str_starts(path, "/later/") || str_is(path, "/hold")) {
        bool held = str_is(path, "/hold");
        echo(c);
        hold(a, c,
             held ? INT64_MAX
                  : clock_mono_us() + number_in(str_sub(path, 7, path.len)) * US_PER_MS);
        return;
    }
    struct response *r = &c->response;
    if (str_is(path, "/trace")) {
        r->body = traceparent_text(&c->trace, &c->arena);
    } else if (str_starts(path, "/big/")) {
        size_t n = (size_t)number_in(str_sub(path, 5, path.len));
        char *p = arena_bytes(&c->arena, n);
        memset(p, 'b', n);
        r->body = (struct str){p, n};
    } else if (str_starts(path, "/busy/")) {
        for (int64_t end_us = clock_mono_us() + number_in(str_sub(path, 6, path.len)) * US_PER_MS;
             clock_mono_us() < end_us;)
            ;
    } else if (str_is(path, "/headers")) {
        list_headers(c);
    } else if (str_is(path, "/peer")) {
        r->body = c->request.peer;
    } else if (str_is(path, "/empty")) {
        r->status = 204;
    } else if (str_is(path, "/inject")) {
        r->headers[r->header_count++] = (struct header){STR("X-Bad"), STR("a\r\nX-Evil: b")};
    } else if (str_is(path, "/cached")) {
        r->headers[r->header_count++] = (struct header){STR("cache-control"), STR("max-age=5")};
    } else {
        echo(c);
    }
    c->reply(c);
}

static int on_worker_start(void *app, struct worker *w) {
    struct app *a = app;
    (void)w;
    a->workers_started++;
    return a->start_result;
}

static void on_worker_stop(void *app, struct worker *w) {
    struct app *a = app;
    (void)w;
    a->workers_stopped++;
}

static void on_tick(void *app, struct worker *w, int64_t now_us) {
    struct app *a = app;
    CHECK(w->adapter != NULL && now_us > 0);
    a->ticks++;
}

/* Replies to what is due, newest first, so that answers come back out of order. */
static void *reply_main(void *arg) {
    struct app *a = arg;
    pthread_mutex_lock(&a->lock);
    while (!a->ending || a->held_count > 0) {
        struct call *due = NULL;
        int64_t now_us = clock_mono_us();
        for (int i = a->held_count - 1; i >= 0 && due == NULL; i--) {
            if (a->held[i].due_us <= now_us || a->ending) {
                due = a->held[i].call;
                memmove(&a->held[i], &a->held[i + 1],
                        (size_t)(--a->held_count - i) * sizeof a->held[0]);
            }
        }
        if (due != NULL) {
            pthread_mutex_unlock(&a->lock);
            due->reply(due);
            pthread_mutex_lock(&a->lock);
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += NS_PER_S / 1000;
        if (until.tv_nsec >= NS_PER_S) {
            until.tv_nsec -= NS_PER_S;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&a->changed, &a->lock, &until);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

void app_start(struct app *a) {
    memset(a, 0, sizeof *a);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    CHECK(pthread_create(&a->thread, NULL, reply_main, a) == 0);
}

void app_stop(struct app *a) {
    pthread_mutex_lock(&a->lock);
    a->ending = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
}

void app_release(struct app *a) {
    pthread_mutex_lock(&a->lock);
    for (int i = 0; i < a->held_count; i++)
        a->held[i].due_us = 0;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

int app_held(struct app *a) {
    pthread_mutex_lock(&a->lock);
    int n = a->held_count;
    pthread_mutex_unlock(&a->lock);
    return n;
}

struct http_options app_options(struct app *a, int32_t workers) {
    return (struct http_options){.address = "127.0.0.1",
                                 .workers = workers,
                                 .limits = http_limits_default,
                                 .worker_start = on_worker_start,
                                 .worker_stop = on_worker_stop,
                                 .request = on_request,
                                 .tick = on_tick,
                                 .tick_ms = 10,
                                 .app = a};
}

struct http_server *server_start(struct app *a, const struct http_options *o, int *ret_port) {
    struct http_server *s = NULL;
    const char *why = "";
    app_start(a);
    if (http_start(o, &s, ret_port, &why) != 0) {
        fprintf(stderr, "http_start: %s\n", why);
        abort();
    }
    return s;
}

void site_start(struct site *s, const struct http_limits *limits, int32_t workers) {
    struct http_options o = app_options(&s->app, workers);
    o.limits = *limits;
    s->server = server_start(&s->app, &o, &s->port);
}

void site_stop(struct site *s) {
    http_stop(s->server);
    app_stop(&s->app);
    http_free(s->server);
    CHECK(s->app.workers_started == s->app.workers_stopped);
    CHECK(s->app.sockets_opened == s->app.sockets_closed);
}

/* --- the client -------------------------------------------------------------------------- */

struct client client_connect(int port) {
    return client_connect_from(1, port);
}

struct client client_connect_from(unsigned last, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + last);
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int on = 1;
    CHECK(c.fd >= 0 && bind(c.fd, (struct sockaddr *)&from, sizeof from) == 0);
    CHECK(connect(c.fd, (struct sockaddr *)&to, sizeof to) == 0);
    CHECK(setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    c.buf = xmalloc(CLIENT_BYTES_MAX + 1);
    return c;
}

void client_close(struct client *c) {
    close(c->fd);
    free(c->buf);
    c->buf = NULL;
}

/* A server that has refused already may close while we still send: that is no failure. */
void client_send(struct client *c, const void *bytes, size_t len) {
    const char *p = bytes;
    while (len > 0) {
        ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);
        if (n < 0)
            return;
        p += n;
        len -= (size_t)n;
    }
}

void client_send_text(struct client *c, const char *text) {
    client_send(c, text, strlen(text));
}

/* More bytes into the buffer; false at the end of the connection. */
static bool client_fill(struct client *c) {
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    int ready = poll(&p, 1, SILENCE_MS);
    if (ready == 0) {
        fprintf(stderr, "the server is silent; so far: %.*s\n", (int)c->len, c->buf);
        abort();
    }
    CHECK(c->len < CLIENT_BYTES_MAX);
    size_t room = CLIENT_BYTES_MAX - c->len; /* little at a time: what is left moves to the front */
    ssize_t n = recv(c->fd, c->buf + c->len, room < 65536 ? room : 65536, 0);
    if (n <= 0)
        return false;
    c->len += (size_t)n;
    c->buf[c->len] = 0;
    return true;
}

static void client_drop(struct client *c, size_t n) {
    memmove(c->buf, c->buf + n, c->len - n);
    c->len -= n;
    c->buf[c->len] = 0;
}

const char *answer_header(const struct answer *a, const char *name, char *out, size_t cap) {
    char key[64];
    snprintf(key, sizeof key, "\r\n%s: ", name);
    const char *at = strcasestr(a->head, key);
    if (at == NULL)
        return NULL;
    at += strlen(key);
    snprintf(out, cap, "%.*s", (int)strcspn(at, "\r"), at);
    return out;
}

bool client_answer(struct client *c, bool bodyless, struct answer *ret) {
    static _Thread_local char body[CLIENT_BYTES_MAX + 1];
    char *end;
    while (c->len == 0 || (end = memmem(c->buf, c->len, "\r\n\r\n", 4)) == NULL) {
        if (!client_fill(c))
            return false;
    }
    size_t head = (size_t)(end - c->buf) + 4;
    CHECK(head < sizeof ret->head);
    memcpy(ret->head, c->buf, head);
    ret->head[head] = 0;
    CHECK(sscanf(ret->head, "HTTP/1.1 %d", &ret->status) == 1);
    client_drop(c, head);
    char text[32];
    bool none = bodyless || ret->status < 200 || ret->status == 204 || ret->status == 304;
    const char *length = answer_header(ret, "Content-Length", text, sizeof text);
    ret->body_len = none || length == NULL ? 0 : (size_t)atol(length);
    while (c->len < ret->body_len) {
        if (!client_fill(c))
            return false;
    }
    memcpy(body, c->buf, ret->body_len);
    body[ret->body_len] = 0;
    ret->body = body;
    client_drop(c, ret->body_len);
    return true;
}

bool client_ended(struct client *c) {
    return c->len == 0 && !client_fill(c);
}

void client_get(struct client *c, const char *path, struct answer *ret) {
    char text[512];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    client_send_text(c, text);
    CHECK(client_answer(c, false, ret));
}

/* --- WebSocket --------------------------------------------------------------------------- */

size_t ws_frame_make(unsigned char *out, int first, const void *payload, size_t len) {
    static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
    size_t n = 0;
    out[n++] = (unsigned char)first;
    if (len < 126) {
        out[n++] = (unsigned char)(0x80 | len);
    } else if (len < 65536) {
        out[n++] = 0x80 | 126;
        out[n++] = (unsigned char)(len >> 8);
        out[n++] = (unsigned char)len;
    } else {
        out[n++] = 0x80 | 127;
        for (int i = 7; i >= 0; i--)
            out[n++] = (unsigned char)((uint64_t)len >> (8 * i));
    }
    memcpy(out + n, mask, 4);
    n += 4;
    for (size_t i = 0; i < len; i++)
        out[n++] = (unsigned char)(((const unsigned char *)payload)[i] ^ mask[i % 4]);
    return n;
}

void ws_send(struct client *c, int first, const void *payload, size_t len) {
    unsigned char *out = xmalloc(len + 14);
    client_send(c, out, ws_frame_make(out, first, payload, len));
    free(out);
}

bool ws_read(struct client *c, struct ws_frame *ret) {
    for (;;) {
        const unsigned char *p = (const unsigned char *)c->buf;
        size_t head = 2;
        uint64_t len = c->len >= 2 ? p[1] & 0x7f : 0;
        if (len >= 126)
            head += len == 126 ? 2 : 8;
        if (c->len >= head) {
            if (head > 2)
                for (size_t i = len = 0; i < head - 2; i++)
                    len = len << 8 | p[2 + i];
            if (c->len >= head + len) {
                CHECK(len <= sizeof ret->payload && (p[1] & 0x80) == 0);
                ret->fin = p[0] >> 7;
                ret->opcode = p[0] & 15;
                ret->len = (size_t)len;
                memcpy(ret->payload, p + head, (size_t)len);
                client_drop(c, head + (size_t)len);
                return true;
            }
        }
        if (!client_fill(c))
            return false;
    }
}

struct client ws_connect(int port) {
    struct client c = client_connect(port);
    struct answer a;
    client_send_text(&c, WS_HANDSHAKE);
    CHECK(client_answer(&c, false, &a) && a.status == 101);
    return c;
}

/* --- the lab ----------------------------------------------------------------------------- */

void lab_open(struct lab *l, const struct http_options *o) {
    signal(SIGPIPE, SIG_IGN); /* network threads block it */
    memset(l, 0, sizeof *l);
    l->server.options = *o;
    l->thread = xcalloc(1, sizeof *l->thread);
    l->thread->id = pthread_self();
    CHECK(thread_open(l->thread, &l->server, 0) == 0);
}

int lab_connect(struct lab *l) {
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    const struct remote nobody = {.is_proxy = false};
    CHECK(conn_begin(l->thread, pair[0], &nobody));
    return pair[1];
}

void lab_turn(struct lab *l) {
    for (int i = 0; i < 3; i++)
        uv_run(&l->thread->loop, UV_RUN_NOWAIT);
}

void lab_close(struct lab *l) {
    l->thread->cut = true;
    thread_begin_drain(l->thread);
    for (int i = 0; i < 10 && l->thread->connections > 0; i++)
        uv_run(&l->thread->loop, UV_RUN_NOWAIT);
    CHECK(l->thread->connections == 0);
    thread_close(l->thread);
    free(l->thread);
}

static size_t collect(int fd, char *out, size_t len, size_t cap) {
    ssize_t n;
    while (len < cap && (n = read(fd, out + len, cap - len)) > 0)
        len += (size_t)n;
    return len;
}

size_t lab_exchange(struct lab *l, const void *bytes, size_t len, size_t step, char *out,
                    size_t cap) {
    int fd = lab_connect(l);
    const char *p = bytes;
    size_t got = 0;
    while (len > 0) {
        size_t n = step == 0 || step > len ? len : step;
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            break;
        if (sent > 0) {
            p += sent;
            len -= (size_t)sent;
        }
        lab_turn(l);
        got = collect(fd, out, got, cap);
    }
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 3; i++) {
        lab_turn(l);
        got = collect(fd, out, got, cap);
    }
    close(fd);
    lab_turn(l);
    return got;
}
