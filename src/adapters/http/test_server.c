/* The server with its threads, over real sockets: pipelines, slow and vanishing clients, overload,
 * drain, and what is counted.
 */
#include "adapters/http/test_support.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct app app;
static struct http_server *server;
static int port;

static void start(const struct http_limits *limits, int workers) {
    struct http_options o = app_options(&app, workers);
    o.limits = *limits;
    server = server_start(&app, &o, &port);
}

static void stop(void) {
    http_stop(server);
    app_stop(&app);
    http_free(server);
    assert_int_equal(app.workers_started, app.workers_stopped);
    assert_int_equal(app.sockets_opened, app.sockets_closed);
}

/* Waits until the counters say so, at most two seconds. */
#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        struct http_counters n = {0};                                                              \
        int tries = 0;                                                                             \
        do {                                                                                       \
            usleep(2000);                                                                          \
            http_counters_read(server, &n);                                                        \
        } while (!(condition) && ++tries < 1000);                                                  \
        if (!(condition))                                                                          \
            fail_msg("never: " #condition);                                                        \
    } while (0)

static void test_keep_alive_and_counters(void **state) {
    (void)state;
    start(&http_limits_default, 2);
    struct client c = client_connect(port);
    struct answer a;
    for (int i = 0; i < 100; i++) {
        client_get(&c, "/echo", &a);
        assert_int_equal(a.status, 200);
    }
    client_send_text(&c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n");
    char *body = xmalloc(300000);
    memset(body, 'z', 300000);
    client_send(&c, body, 300000);
    assert_true(client_answer(&c, false, &a));
    assert_int_equal(a.body_len, 300000 + strlen("POST /echo  "));
    free(body);
    EVENTUALLY(n.requests == 101 && n.connections_open == 1 && n.requests_in_flight == 0);
    client_close(&c);
    EVENTUALLY(n.connections_open == 0 && n.connections_accepted == 1 && n.bytes_in > 300000 &&
               n.bytes_out > 300000);
    stop();
    assert_true(app.ticks > 0);
}

/* Answers come back from another thread in the reverse order, and leave in the right one. */
static void test_pipeline_in_order(void **state) {
    (void)state;
    start(&http_limits_default, 1);
    struct client c = client_connect(port);
    struct answer a;
    struct buf b;
    buf_init(&b, NULL, 0);
    enum { N = 300 }; /* more than pipeline_max: reading stops and goes on */
    for (int i = 0; i < N; i++)
        buf_printf(&b, "GET /%s%d?%d HTTP/1.1\r\nHost: a\r\n\r\n", i % 3 ? "later/" : "x/", i % 7,
                   i);
    client_send(&c, b.p, b.len);
    buf_free(&b);
    for (int i = 0; i < N; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "GET /%s%d %d ", i % 3 ? "later/" : "x/", i % 7, i);
        assert_true(client_answer(&c, false, &a));
        assert_string_equal(a.body, wanted);
    }
    client_close(&c);
    stop();
}

/* A client that asks for much and reads nothing holds a bounded amount, and gets it all later. */
static void test_pipeline_is_bounded(void **state) {
    (void)state;
    start(&http_limits_default, 1);
    struct client c = client_connect(port);
    struct answer a;
    enum { N = 200 };
    for (int i = 0; i < N; i++)
        client_send_text(&c, "GET /big/100000 HTTP/1.1\r\nHost: a\r\n\r\n");
    EVENTUALLY(n.requests > 0);
    usleep(50 * 1000);
    struct http_counters n;
    http_counters_read(server, &n);
    assert_true(n.requests < N);
    for (int i = 0; i < N; i++) {
        assert_true(client_answer(&c, false, &a));
        assert_int_equal(a.body_len, 100000);
    }
    client_close(&c);
    stop();
}

static void test_half_closed_client_is_answered(void **state) {
    (void)state;
    start(&http_limits_default, 1);
    struct client c = client_connect(port);
    struct answer a;
    client_send_text(&c, "GET /later/20?1 HTTP/1.1\r\nHost: a\r\n\r\n"
                         "GET /echo?2 HTTP/1.1\r\nHost: a\r\n\r\nGET /unfini");
    shutdown(c.fd, SHUT_WR);
    assert_true(client_answer(&c, false, &a));
    assert_string_equal(a.body, "GET /later/20 1 ");
    assert_true(client_answer(&c, false, &a));
    assert_string_equal(a.body, "GET /echo 2 ");
    assert_true(client_ended(&c));
    client_close(&c);
    stop();
}

/* Clients that are gone when their answer comes. */
static void test_vanished_clients(void **state) {
    (void)state;
    start(&http_limits_default, 2);
    for (int i = 0; i < 50; i++) {
        struct client c = client_connect(port);
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        client_send_text(&c, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
        while (app_held(&app) < i + 1)
            usleep(500);
        if (i % 2)
            setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        client_close(&c);
    }
    EVENTUALLY(n.connections_open <= 25 && n.requests_in_flight == 50);
    app_release(&app);
    EVENTUALLY(n.connections_open == 0 && n.requests_in_flight == 0);
    stop();
}

static struct http_limits short_limits(void) {
    struct http_limits l = http_limits_default;
    l.head_timeout_ms = l.body_timeout_ms = l.idle_timeout_ms = l.write_timeout_ms = 150;
    l.linger_timeout_ms = 100;
    return l;
}

static void test_slow_clients(void **state) {
    (void)state;
    struct http_limits l = short_limits();
    start(&l, 1);
    struct answer a;
    struct client head = client_connect(port), body = client_connect(port),
                  idle = client_connect(port), used = client_connect(port);
    int64_t from_us = clock_mono_us();
    client_get(&used, "/echo", &a);
    client_send_text(&body, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    for (int i = 0; i < 20; i++) { /* a byte now and then buys no time */
        client_send_text(&head, i == 0 ? "GET / HTTP/1.1\r\nX: " : "x");
        if (i < 8)
            client_send_text(&body, "x");
        usleep(10 * 1000);
    }
    assert_true(client_answer(&head, false, &a));
    assert_int_equal(a.status, 408);
    assert_non_null(strstr(a.body, "/problems/request-timeout"));
    assert_true(client_answer(&body, false, &a));
    assert_int_equal(a.status, 408);
    assert_true(client_ended(&head));
    assert_true(client_ended(&idle));
    assert_true(client_ended(&used));
    int64_t took_ms = (clock_mono_us() - from_us) / US_PER_MS;
    assert_in_range(took_ms, 150, 2000);
    client_close(&head);
    client_close(&body);
    client_close(&idle);
    client_close(&used);
    EVENTUALLY(n.connections_open == 0);
    stop();
}

/* One who asks and never reads is closed; one who reads slowly, but reads, gets it all. */
static void test_slow_readers(void **state) {
    (void)state;
    struct http_limits l = short_limits();
    l.idle_timeout_ms = 5000;
    start(&l, 1);
    struct client never = client_connect(port), slow = client_connect(port);
    enum { BODY = 12 * 1000 * 1000, STEP = 500 * 1000 };
    for (int i = 0; i < 20; i++)
        client_send_text(&never, "GET /big/1000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    client_send_text(&slow, "GET /big/12000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    static char bytes[STEP];
    size_t got = 0;
    for (ssize_t n; got < BODY; got += (size_t)n) {
        n = recv(slow.fd, bytes, STEP, MSG_WAITALL | (got + STEP > BODY ? MSG_DONTWAIT : 0));
        assert_true(n > 0);
        usleep(30 * 1000);
    }
    EVENTUALLY(n.connections_open == 1);
    client_close(&never);
    client_close(&slow);
    stop();
}

/* The answer to a body that is too large arrives although the client is still sending. */
static void test_early_answer_survives(void **state) {
    (void)state;
    start(&http_limits_default, 1);
    for (int i = 0; i < 20; i++) {
        struct client c = client_connect(port);
        struct answer a;
        static char junk[1 << 20];
        client_send_text(&c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
        for (int k = 0; k < 4; k++)
            client_send(&c, junk, sizeof junk);
        assert_true(client_answer(&c, false, &a));
        assert_int_equal(a.status, 413);
        client_close(&c);
    }
    stop();
}

static void test_overload(void **state) {
    (void)state;
    struct http_limits l = http_limits_default;
    l.calls_max = 4;
    l.connections_max = 6;
    start(&l, 1);
    struct client c[6];
    struct answer a;
    char text[32];
    for (int i = 0; i < 6; i++) {
        c[i] = client_connect(port);
        client_send_text(&c[i], "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for (int i = 0; i < 2; i++) { /* which two is the loop's choice; the rest wait */
        EVENTUALLY(n.requests == 6 && n.requests_in_flight == 4);
    }
    struct client extra = client_connect(port);
    assert_true(client_ended(&extra));
    client_close(&extra);
    EVENTUALLY(n.connections_refused == 1);
    app_release(&app);
    int ok = 0, refused = 0;
    for (int i = 0; i < 6; i++) {
        assert_true(client_answer(&c[i], false, &a));
        ok += a.status == 200;
        refused += a.status == 503;
        if (a.status == 503) {
            assert_string_equal(answer_header(&a, "Retry-After", text, sizeof text), "1");
            assert_non_null(strstr(a.body, "/problems/overloaded"));
        }
        client_close(&c[i]);
    }
    assert_int_equal(ok, 4);
    assert_int_equal(refused, 2);
    stop();
}

/* Out of descriptors: who is there is served, who wants in waits, and nothing spins. */
static void test_no_descriptors_left(void **state) {
    (void)state;
    start(&http_limits_default, 1);
    struct client warm = client_connect(port);
    struct answer a;
    client_get(&warm, "/echo", &a);
    enum { N = 4 };
    struct client c[N];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < N; i++)
        c[i] = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0),
                               .buf = xmalloc(CLIENT_BYTES_MAX + 1)};
    struct rlimit before, few;
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = 100;
    setrlimit(RLIMIT_NOFILE, &few);
    int taken[100], taken_count = 0;
    while ((taken[taken_count] = dup(0)) >= 0)
        taken_count++;
    for (int i = 0; i < N; i++)
        assert_int_equal(connect(c[i].fd, (struct sockaddr *)&to, sizeof to), 0);
    usleep(50 * 1000);
    struct rusage first, second;
    getrusage(RUSAGE_SELF, &first);
    usleep(100 * 1000);
    getrusage(RUSAGE_SELF, &second);
    setrlimit(RLIMIT_NOFILE, &before);
    int64_t spent_us = (second.ru_utime.tv_sec - first.ru_utime.tv_sec) * US_PER_S +
                       second.ru_utime.tv_usec - first.ru_utime.tv_usec +
                       (second.ru_stime.tv_sec - first.ru_stime.tv_sec) * US_PER_S +
                       second.ru_stime.tv_usec - first.ru_stime.tv_usec;
    assert_true(spent_us < 60 * 1000);
    client_get(&warm, "/echo", &a);
    assert_int_equal(a.status, 200);
    while (taken_count > 0)
        close(taken[--taken_count]);
    for (int i = 0; i < N; i++) {
        client_get(&c[i], "/echo", &a);
        assert_int_equal(a.status, 200);
        client_close(&c[i]);
    }
    client_close(&warm);
    stop();
}

static void test_drain(void **state) {
    (void)state;
    start(&http_limits_default, 2);
    struct client idle = client_connect(port), busy = client_connect(port),
                  half = client_connect(port), ws = ws_connect(port);
    struct answer a;
    char text[32];
    client_get(&idle, "/echo", &a);
    client_send_text(&busy, "GET /later/100 HTTP/1.1\r\nHost: a\r\n\r\n");
    client_send_text(&half, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh");
    EVENTUALLY(n.requests_in_flight == 1 && n.connections_open == 4 && n.sockets_open == 1);
    pthread_t stopper;
    assert_int_equal(
        pthread_create(&stopper, NULL, (void *(*)(void *))(void (*)(void))http_stop, server), 0);
    assert_true(client_ended(&idle));
    client_send_text(&half, "i");
    assert_true(client_answer(&half, false, &a));
    assert_string_equal(a.body, "POST /echo  hi");
    assert_string_equal(answer_header(&a, "Connection", text, sizeof text), "close");
    struct ws_frame *f = xmalloc(sizeof *f);
    assert_true(ws_read(&ws, f));
    assert_int_equal(f->opcode, 8);
    assert_int_equal(f->payload[0] << 8 | f->payload[1], 1001);
    ws_send(&ws, 0x88, f->payload, 2);
    assert_true(client_ended(&ws));
    free(f);
    assert_true(client_answer(&busy, false, &a));
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "Connection", text, sizeof text), "close");
    client_close(&idle);
    client_close(&busy);
    client_close(&half);
    client_close(&ws);
    pthread_join(stopper, NULL);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), -1);
    close(fd);
    stop();
}

/* What is not finished in time is cut; its answer may come later and hurts nobody. */
static void test_drain_is_cut(void **state) {
    (void)state;
    struct http_limits l = http_limits_default;
    l.drain_timeout_ms = 100;
    start(&l, 2);
    struct client c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = client_connect(port);
        client_send_text(&c[i], "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    while (app_held(&app) < 4)
        usleep(1000);
    int64_t from_us = clock_mono_us();
    http_stop(server);
    assert_in_range((clock_mono_us() - from_us) / US_PER_MS, 90, 1500);
    for (int i = 0; i < 4; i++) {
        assert_true(client_ended(&c[i]));
        client_close(&c[i]);
    }
    app_release(&app);
    stop();
}

static int bare_listener(bool share, int *ret_port) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (share)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    CHECK(bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 1) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static void test_port_in_use(void **state) {
    (void)state;
    start(&http_limits_default, 2);
    struct app other;
    struct http_server *s = NULL;
    const char *why = NULL;
    int got;
    app_start(&other);
    struct http_options o = app_options(&other, 2);
    o.port = port;
    assert_int_equal(http_start(&o, &s, &got, &why), ERR_BUSY);
    assert_non_null(why);
    for (int share = 0; share < 2; share++) {
        int fd = bare_listener(share, &o.port);
        assert_int_equal(http_start(&o, &s, &got, &why), ERR_BUSY);
        close(fd);
    }
    assert_int_equal(http_start(&o, &s, &got, &why), 0);
    assert_int_equal(got, o.port);
    http_free(s);
    assert_int_equal(http_start(&o, &s, &got, &why), 0); /* and at once again */
    http_free(s);
    o.address = "not an address";
    assert_int_equal(http_start(&o, &s, &got, &why), ERR_INVALID);
    o.address = "127.0.0.1";
    other.start_result = ERR_DENIED;
    other.workers_started = other.workers_stopped = 0;
    assert_int_equal(http_start(&o, &s, &got, &why), ERR_DENIED);
    assert_int_equal(other.workers_started, 2);
    assert_int_equal(other.workers_stopped, 0);
    app_stop(&other);
    stop();
}

static void posted(struct worker *w, void *arg) {
    struct app *a = arg;
    CHECK(pthread_equal(pthread_self(), ((struct http_thread *)w)->id));
    a->posts++;
}

static void *poster(void *arg) {
    int *sent = arg;
    for (int i = 0; i < 20000; i++)
        *sent += http_worker(server, i % 2)->post(http_worker(server, i % 2), posted, &app);
    return NULL;
}

static void test_posts_run_on_their_thread(void **state) {
    (void)state;
    start(&http_limits_default, 2);
    pthread_t threads[3];
    int sent[3] = {0};
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, poster, &sent[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    int all = sent[0] + sent[1] + sent[2];
    assert_true(all > 0);
    EVENTUALLY(app.posts == all);
    stop();
}

/* Both threads get connections. */
static void test_connections_are_spread(void **state) {
    (void)state;
    start(&http_limits_default, 2);
    enum { N = 100 };
    struct client c[N];
    struct answer a;
    for (int i = 0; i < N; i++) {
        c[i] = client_connect(port);
        client_get(&c[i], "/echo", &a);
    }
    for (int i = 0; i < 2; i++) {
        struct http_thread *t = (struct http_thread *)http_worker(server, i);
        assert_in_range(atomic_load(&t->counters.open), N / 10, N);
    }
    for (int i = 0; i < N; i++)
        client_close(&c[i]);
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive_and_counters),
        cmocka_unit_test(test_pipeline_in_order),
        cmocka_unit_test(test_pipeline_is_bounded),
        cmocka_unit_test(test_half_closed_client_is_answered),
        cmocka_unit_test(test_vanished_clients),
        cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_slow_readers),
        cmocka_unit_test(test_early_answer_survives),
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_no_descriptors_left),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_is_cut),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_posts_run_on_their_thread),
        cmocka_unit_test(test_connections_are_spread),
    };
    return cmocka_run_group_tests_name("http server", tests, NULL, NULL);
}
