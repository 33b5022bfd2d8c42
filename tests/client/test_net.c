/* The client's HTTP and WebSockets, against the real server, and against a scripted one that does
 * what a server should not: silence, garbage, half answers, a wrong handshake.
 */
#include "adapters/http/test_support.h"
#include "base/check.h"
#include "base/timestamp.h"
#include "client/net.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_US (10 * US_PER_S) /* of a test whose net never stops */

/* ---- what a test asks for, and what came ---- */

#define ANSWERS_MAX 200
struct asked {
    struct net *net;
    struct net_conn *conn;
    int expected; /* answers, after which the net stops */
    int count;
    int status[ANSWERS_MAX];
    int32_t retry_after_s;
    size_t body_len;
    char body[128]; /* of the last one, its beginning */
};

static void gave_up(void *arg) {
    (void)arg;
    fail_msg("nothing more came");
}

static struct net *open_net(int port) {
    char url[64];
    const char *why = "";
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    struct net *n = net_new(url, &why);
    assert_non_null(n);
    net_after(n, PATIENCE_US, gave_up, NULL);
    return n;
}

static struct asked *asked_new(int port, int expected) {
    struct asked *a = xcalloc(1, sizeof(*a));
    a->net = open_net(port);
    a->conn = net_conn_new(a->net);
    a->expected = expected;
    return a;
}
static void asked_free(struct asked *a) {
    net_free(a->net);
    free(a);
}

static void on_answer(void *arg, const struct net_answer *answer) {
    struct asked *a = arg;
    assert_true(a->count < ANSWERS_MAX);
    a->status[a->count++] = answer->status;
    a->retry_after_s = answer->retry_after_s;
    a->body_len = answer->body.len;
    snprintf(a->body, sizeof(a->body), "%.*s", STR_ARG(answer->body));
    if (a->count == a->expected)
        net_stop(a->net);
}

static bool ask(struct asked *a, const char *method, const char *path, const char *body) {
    return net_send(
        a->conn,
        &(struct net_request){.method = method, .path = str_from(path), .body = str_from(body)},
        on_answer, a);
}

/* ---- a scripted server: one thread, one connection after the other ---- */

struct script {
    int fd, port;
    int connections;
    const char *answers[4]; /* to each connection's first bytes; NULL: none, and it stays open */
    bool leaves;            /* closes after it */
    bool dribbles;          /* a byte at a time */
    pthread_t thread;
};

static void say(const struct script *s, int fd, const char *text) {
    size_t step = s->dribbles ? 1 : strlen(text);
    for (size_t at = 0; text[at] != 0; at += step) {
        if (write(fd, text + at, step) != (ssize_t)step)
            return;
        if (s->dribbles)
            usleep(300);
    }
}

static void *script_thread(void *arg) {
    struct script *s = arg;
    int open[4], count = 0;
    for (; count < s->connections; count++) {
        int fd = accept(s->fd, NULL, NULL);
        char request[4096];
        CHECK(fd >= 0);
        open[count] = fd;
        if (read(fd, request, sizeof(request)) > 0 && s->answers[count] != NULL)
            say(s, fd, s->answers[count]);
        if (s->leaves)
            shutdown(fd, SHUT_RDWR);
    }
    for (int i = 0; i < count; i++) {
        char rest[256];
        while (read(open[i], rest, sizeof(rest)) > 0) {
        }
        close(open[i]);
    }
    return NULL;
}

static void script_start(struct script *s) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &len), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, script_thread, s), 0);
}
static void script_end(struct script *s) {
    pthread_join(s->thread, NULL);
    close(s->fd);
}

/* The status of one GET against what S answers, after which the net is freed. */
static struct asked one_get(struct script *s) {
    script_start(s);
    struct asked *a = asked_new(s->port, 1);
    assert_true(ask(a, "GET", "/", NULL));
    net_run(a->net);
    struct asked result = *a;
    asked_free(a);
    script_end(s);
    return result;
}

/* ---- requests ---- */

static void test_urls(void **state) {
    (void)state;
    static const char *const good[] = {"http://127.0.0.1:8080", "http://127.0.0.1:8080/",
                                       "http://localhost:1",    "http://10.0.0.1",
                                       "http://[::1]:8080",     "http://[2001:db8::7]"};
    static const char *const bad[] = {"",
                                      "127.0.0.1:8080",
                                      "https://127.0.0.1",
                                      "http://",
                                      "http://127.0.0.1:",
                                      "http://127.0.0.1:0",
                                      "http://127.0.0.1:65536",
                                      "http://127.0.0.1:80x",
                                      "http://127.0.0.1/api",
                                      "http://example.com",
                                      "http://1.2.3.4.5",
                                      "http://::1:8080",
                                      "http://[::1",
                                      "http://[127.0.0.1]:80",
                                      "http://[]:80"};
    const char *why = NULL;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct net *n = net_new(good[i], &why);
        assert_non_null(n);
        net_free(n);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        why = NULL;
        assert_null(net_new(bad[i], &why));
        assert_non_null(why);
    }
}

/* One connection serves them all, one after the other, whatever they carry. */
static void test_keep_alive(void **state) {
    (void)state;
    enum { N = 50 };
    struct site site;
    site_start(&site, &(struct http_limits){0}, 1);
    struct asked *a = asked_new(site.port, N);
    for (int i = 0; i < N; i++)
        assert_true(ask(a, i % 2 ? "POST" : "GET", "/echo?x=1", i % 2 ? "{\"a\":1}" : NULL));
    net_run(a->net);
    for (int i = 0; i < N; i++)
        assert_int_equal(a->status[i], 200);
    assert_string_equal(a->body, "POST /echo x=1 {\"a\":1}");
    struct http_counters n;
    http_counters_read(site.server, &n);
    assert_int_equal(n.connections_accepted, 1);
    assert_int_equal(n.requests, N);
    asked_free(a);
    site_stop(&site);
}

static void test_headers(void **state) {
    (void)state;
    struct site site;
    site_start(&site, &(struct http_limits){0}, 1);
    struct asked *a = asked_new(site.port, 1);
    assert_true(net_send(a->conn,
                         &(struct net_request){.method = "POST",
                                               .path = STR("/echo"),
                                               .token = STR("tok"),
                                               .idempotency_key = STR("key"),
                                               .body = STR("{}")},
                         on_answer, a));
    net_run(a->net);
    a->expected++;
    assert_true(net_send(a->conn,
                         &(struct net_request){.method = "GET",
                                               .path = STR("/headers"),
                                               .token = STR("tok"),
                                               .idempotency_key = STR("key")},
                         on_answer, a));
    net_run(a->net);
    assert_non_null(strstr(a->body, "authorization: Bearer tok\n"));
    assert_non_null(strstr(a->body, "idempotency-key: key\n"));
    asked_free(a);
    site_stop(&site);
}

static void test_pipelining(void **state) {
    (void)state;
    enum { N = NET_QUEUE_MAX };
    struct site site;
    site_start(&site, &(struct http_limits){0}, 1);
    struct asked *a = asked_new(site.port, N);
    for (int i = 0; i < N; i++) /* the first is the slowest: answers come in order all the same */
        assert_true(net_send_raw(a->conn,
                                 i == 0 ? STR("GET /later/50 HTTP/1.1\r\nHost: a\r\n\r\n")
                                        : STR("GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"),
                                 on_answer, a));
    assert_false(ask(a, "GET", "/echo", NULL)); /* and no more than that wait */
    net_run(a->net);
    assert_int_equal(a->status[0], 200);
    for (int i = 1; i < N; i++)
        assert_int_equal(a->status[i], 204);
    asked_free(a);
    site_stop(&site);
}

static void test_big_answer(void **state) {
    (void)state;
    struct site site;
    site_start(&site, &(struct http_limits){0}, 1);
    struct asked *a = asked_new(site.port, 1);
    assert_true(ask(a, "GET", "/big/3000000", NULL));
    net_run(a->net);
    assert_int_equal(a->status[0], 200);
    assert_int_equal(a->body_len, 3000000);
    asked_free(a);
    site_stop(&site);
}

static void test_refused_connection(void **state) {
    (void)state;
    struct script s = {.connections = 0};
    script_start(&s);
    script_end(&s); /* the port is nobody's now */
    struct asked *a = asked_new(s.port, 3);
    for (int i = 0; i < 3; i++)
        assert_true(ask(a, "GET", "/", NULL));
    net_run(a->net);
    for (int i = 0; i < 3; i++)
        assert_int_equal(a->status[i], 0);
    asked_free(a);
}

static void test_answers(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        bool leaves;
        int status;
        const char *body;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", false,
         201, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n",
         false, 200, "ok!"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", true, 200, "until the end"},
        {"HTTP/1.1 503 Later\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n", false, 503, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", true, 0, ""},
        {"HTTP/1.1 200 OK\r\nContent-", true, 0, ""},
        {"", true, 0, ""},
        {"SSH-2.0-OpenSSH_9.2\r\n", false, 0, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", true, 0, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct script s = {
            .connections = 1, .answers = {cases[i].answer}, .leaves = cases[i].leaves};
        struct asked whole = one_get(&s);
        s.dribbles = true;
        struct asked dribbled = one_get(&s);
        assert_int_equal(whole.status[0], cases[i].status);
        assert_int_equal(dribbled.status[0], cases[i].status);
        if (cases[i].status != 0) {
            assert_string_equal(whole.body, cases[i].body);
            assert_string_equal(dribbled.body, cases[i].body);
        }
        assert_int_equal(whole.retry_after_s, cases[i].status == 503 ? 17 : 0);
    }
}

/* A server that leaves after each answer: the next request goes on a new connection. */
static void test_server_closes(void **state) {
    (void)state;
    static const char last[] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    struct script s = {.connections = 3, .answers = {last, last, ""}, .leaves = true};
    script_start(&s);
    struct asked *a = asked_new(s.port, 3);
    for (int i = 0; i < 3; i++)
        assert_true(ask(a, "GET", "/", NULL));
    net_run(a->net);
    assert_int_equal(a->status[0], 200);
    assert_int_equal(a->status[1], 200);
    assert_int_equal(a->status[2], 0); /* it left without a word */
    asked_free(a);
    script_end(&s);
}

/* Of pipelined requests those that were sent have no answer when the server leaves. */
static void test_server_closes_pipeline(void **state) {
    (void)state;
    struct script s = {.connections = 1,
                       .answers = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
                       .leaves = true};
    script_start(&s);
    struct asked *a = asked_new(s.port, 3);
    for (int i = 0; i < 3; i++)
        assert_true(net_send_raw(a->conn, STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), on_answer, a));
    net_run(a->net);
    assert_int_equal(a->status[0], 200);
    assert_int_equal(a->status[1], 0);
    assert_int_equal(a->status[2], 0);
    asked_free(a);
    script_end(&s);
}

static void test_time_out(void **state) {
    (void)state;
    struct script s = {.connections = 2,
                       .answers = {NULL, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
    script_start(&s);
    struct asked *a = asked_new(s.port, 2);
    net_timeout(a->net, 100 * US_PER_MS);
    assert_true(ask(a, "GET", "/", NULL));
    assert_true(ask(a, "GET", "/", NULL)); /* its time begins when it is sent */
    net_run(a->net);
    assert_int_equal(a->status[0], 0);
    assert_int_equal(a->status[1], 200);
    asked_free(a);
    script_end(&s);
}

/* Answers that free their connection, or ask again from within. */
static void on_answer_free(void *arg, const struct net_answer *answer) {
    struct asked *a = arg;
    net_conn_free(a->conn);
    on_answer(arg, answer);
}
static void on_answer_again(void *arg, const struct net_answer *answer) {
    struct asked *a = arg;
    if (a->count + 1 < a->expected)
        net_send(a->conn, &(struct net_request){.method = "GET", .path = STR("/echo")},
                 on_answer_again, a);
    on_answer(arg, answer);
}
static void test_from_within(void **state) {
    (void)state;
    struct site site;
    site_start(&site, &(struct http_limits){0}, 1);
    struct asked *a = asked_new(site.port, 20);
    net_send(a->conn, &(struct net_request){.method = "GET", .path = STR("/echo")}, on_answer_again,
             a);
    net_run(a->net);
    a->expected += 3;
    for (int i = 0; i < 3; i++)
        assert_true(net_send(a->conn, &(struct net_request){.method = "GET", .path = STR("/echo")},
                             i == 0 ? on_answer_free : on_answer, a));
    net_run(a->net);
    assert_int_equal(a->status[20], 200);
    assert_int_equal(a->status[21], 0); /* they went with their connection */
    assert_int_equal(a->status[22], 0);
    asked_free(a);
    site_stop(&site);
}

/* Everything that is on its way when the net is freed hears of it, once. */
static void test_free_in_flight(void **state) {
    (void)state;
    struct site site;
    site_start(&site, &(struct http_limits){.drain_timeout_ms = 50}, 1);
    struct asked *a = asked_new(site.port, 1);
    struct asked held = {.net = a->net, .conn = net_conn_new(a->net), .expected = 100};
    for (int i = 0; i < 5; i++)
        assert_true(ask(&held, "GET", "/hold", NULL));
    assert_true(ask(a, "GET", "/later/50", NULL));
    net_run(a->net);
    assert_int_equal(a->status[0], 200);
    assert_int_equal(held.count, 0);
    asked_free(a);
    assert_int_equal(held.count, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(held.status[i], 0);
    site_stop(&site);
    /* and while it still connects */
    a = asked_new(site.port, 1);
    held = (struct asked){.net = a->net, .conn = a->conn, .expected = 100};
    assert_true(ask(&held, "GET", "/", NULL));
    asked_free(a);
    assert_int_equal(held.count, 1);
}

/* ---- timers ---- */

struct ticking {
    struct net *net;
    struct net_timer *every, *never;
    int ticks;
};
static void tick(void *arg) {
    struct ticking *t = arg;
    if (++t->ticks == 3) {
        net_cancel(t->never);
        net_cancel(t->every);
        net_after(t->net, 20 * US_PER_MS, (void (*)(void *))net_stop, t->net);
    }
}
static void test_timers(void **state) {
    (void)state;
    struct ticking t = {.net = open_net(1)};
    t.never = net_after(t.net, US_PER_S, gave_up, NULL);
    t.every = net_every(t.net, 2 * US_PER_MS, tick, &t);
    net_run(t.net);
    assert_int_equal(t.ticks, 3);
    net_cancel(NULL);
    net_free(t.net);
}

/* ---- WebSockets ---- */

struct listening {
    struct net *net;
    struct net_socket *socket;
    const char *say; /* when it opens */
    int opened, texts;
    int leave_after; /* texts, then it closes; 0: never */
    size_t bytes;
    char first[64];
    int closed, code;
};
static void on_open(void *arg) {
    struct listening *l = arg;
    l->opened++;
    if (l->say != NULL)
        assert_true(net_socket_send(l->socket, str_from(l->say)));
}
static void on_text(void *arg, struct str message) {
    struct listening *l = arg;
    if (l->texts++ == 0)
        snprintf(l->first, sizeof(l->first), "%.*s", STR_ARG(message));
    l->bytes += message.len;
    if (l->texts == l->leave_after) {
        net_socket_close(l->socket);
        net_socket_close(l->socket); /* twice is once */
        assert_false(net_socket_send(l->socket, STR("too late")));
    }
}
static void on_closed(void *arg, int code) {
    struct listening *l = arg;
    l->closed++;
    l->code = code;
    net_stop(l->net);
}
static const struct net_socket_events listening_events = {on_open, on_text, on_closed};

static void listen_to(struct listening *l, int port, const char *path) {
    l->net = open_net(port);
    net_timeout(l->net, 100 * US_PER_MS);
    l->socket = net_socket_open(l->net, str_from(path), STR("tok"), &listening_events, l);
    assert_false(net_socket_send(l->socket, STR("too early")));
    net_run(l->net);
    net_free(l->net);
    assert_int_equal(l->closed, 1);
}

static void test_socket(void **state) {
    (void)state;
    struct site site;
    site_start(&site, &(struct http_limits){0}, 1);
    struct listening l = {.say = "hello", .leave_after = 1};
    listen_to(&l, site.port, "/ws");
    assert_int_equal(l.opened, 1);
    assert_string_equal(l.first, "hello");
    EVENTUALLY(n.sockets_open == 0);
    /* the server ends it, with a code of its own */
    l = (struct listening){.say = "close"};
    listen_to(&l, site.port, "/ws");
    assert_int_equal(l.code, 4000);
    site_stop(&site);
}

/* A frame of 64 KiB there and back, and then thousands that come as fast as they can. */
static void test_socket_big_and_many(void **state) {
    (void)state;
    enum { MANY = 20000 };
    struct site site;
    site_start(&site, &(struct http_limits){0}, 1);
    char *big = xcalloc(1, SOCKET_MESSAGE_BYTES_MAX + 1);
    memset(big, 'x', SOCKET_MESSAGE_BYTES_MAX);
    struct listening l = {.say = big, .leave_after = 1};
    listen_to(&l, site.port, "/ws");
    assert_int_equal(l.bytes, SOCKET_MESSAGE_BYTES_MAX);
    l = (struct listening){.say = "flood 20000", .leave_after = MANY};
    listen_to(&l, site.port, "/ws");
    assert_int_equal(l.texts, MANY);
    assert_int_equal(l.bytes, MANY * 1000);
    /* what the server does not take ends it: 1009 */
    char *too_big = xcalloc(1, SOCKET_MESSAGE_BYTES_MAX + 2);
    memset(too_big, 'x', SOCKET_MESSAGE_BYTES_MAX + 1);
    l = (struct listening){.say = too_big};
    listen_to(&l, site.port, "/ws");
    assert_int_equal(l.code, 1009);
    free(big);
    free(too_big);
    site_stop(&site);
}

#define UPGRADED "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

static void test_handshake_refused(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        bool leaves;
        int code;
    } cases[] = {
        {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", false, 401},
        {"HTTP/1.1 503 Full\r\n\r\n", true, 503},
        {UPGRADED "\r\n", false, 0}, /* no proof that it understood */
        {UPGRADED "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", false, 0},
        {"hello\r\n\r\n", false, 0},
        {"HTTP/1.1 10", true, 0},
        {NULL, false, 0}, /* silence: its time is up */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct script s = {
            .connections = 1, .answers = {cases[i].answer}, .leaves = cases[i].leaves};
        script_start(&s);
        struct listening l = {0};
        listen_to(&l, s.port, "/ws");
        script_end(&s);
        assert_int_equal(l.opened, 0);
        assert_int_equal(l.code, cases[i].code);
    }
    struct site site; /* the real one, where there is no socket */
    site_start(&site, &(struct http_limits){0}, 1);
    struct listening l = {0};
    listen_to(&l, site.port, "/echo");
    assert_int_equal(l.code, 200);
    int port = site.port;
    site_stop(&site);
    l = (struct listening){0};
    listen_to(&l, port, "/ws"); /* nobody there */
    assert_int_equal(l.code, 0);
}

/* A head without an end is not kept for ever. */
static void test_endless_head(void **state) {
    (void)state;
    char *head = xcalloc(1, 20001);
    memset(head, 'h', 20000);
    struct script s = {.connections = 1, .answers = {head}};
    script_start(&s);
    struct listening l = {0};
    listen_to(&l, s.port, "/ws");
    script_end(&s);
    assert_int_equal(l.opened, 0);
    s = (struct script){.connections = 1, .answers = {head}};
    memcpy(head, "HTTP/1.1 200 OK\r\n", 17);
    struct asked asked = one_get(&s);
    assert_int_equal(asked.status[0], 0);
    free(head);
}

static void test_free_with_sockets(void **state) {
    (void)state;
    struct site site;
    site_start(&site, &(struct http_limits){0}, 1);
    struct asked *a = asked_new(site.port, 1);
    struct listening open[3] = {0};
    for (int i = 0; i < 3; i++) {
        open[i].net = a->net;
        open[i].socket = net_socket_open(a->net, STR("/ws"), STR_NONE, &listening_events, &open[i]);
    }
    assert_true(ask(a, "GET", "/later/50", NULL));
    net_run(a->net);
    struct listening opening = {.net = a->net};
    opening.socket = net_socket_open(a->net, STR("/ws"), STR_NONE, &listening_events, &opening);
    asked_free(a);
    for (int i = 0; i < 3; i++)
        assert_true(open[i].opened == 1 && open[i].closed == 1);
    assert_true(opening.opened == 0 && opening.closed == 1);
    EVENTUALLY(n.sockets_open == 0);
    site_stop(&site);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_big_answer),
        cmocka_unit_test(test_refused_connection),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_server_closes),
        cmocka_unit_test(test_server_closes_pipeline),
        cmocka_unit_test(test_time_out),
        cmocka_unit_test(test_from_within),
        cmocka_unit_test(test_free_in_flight),
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_socket),
        cmocka_unit_test(test_socket_big_and_many),
        cmocka_unit_test(test_handshake_refused),
        cmocka_unit_test(test_endless_head),
        cmocka_unit_test(test_free_with_sockets),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("client-net", tests, NULL, NULL);
}
