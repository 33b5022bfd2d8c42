/* The server with its threads, over real sockets: pipelines, and clients that are slow, half gone
 * or gone.
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

static struct site site;

static void test_keep_alive_and_counters(void **state) {
    (void)state;
    site_start(&site, &http_limits_default, 2);
    struct client c = client_connect(site.port);
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
    site_stop(&site);
    assert_true(site.app.ticks > 0);
}

/* Answers come back from another thread in the reverse order, and leave in the right one. */
static void test_pipeline_in_order(void **state) {
    (void)state;
    site_start(&site, &http_limits_default, 1);
    struct client c = client_connect(site.port);
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
    site_stop(&site);
}

/* A client that asks for much and reads nothing holds a bounded amount, and gets it all later. */
static void test_pipeline_is_bounded(void **state) {
    (void)state;
    site_start(&site, &http_limits_default, 1);
    struct client c = client_connect(site.port);
    struct answer a;
    enum { N = 200 };
    for (int i = 0; i < N; i++)
        client_send_text(&c, "GET /big/100000 HTTP/1.1\r\nHost: a\r\n\r\n");
    EVENTUALLY(n.requests > 0);
    usleep(50 * 1000);
    struct http_counters n;
    http_counters_read(site.server, &n);
    assert_true(n.requests < N);
    for (int i = 0; i < N; i++) {
        assert_true(client_answer(&c, false, &a));
        assert_int_equal(a.body_len, 100000);
    }
    client_close(&c);
    site_stop(&site);
}

/* A client whose many requests come in one read takes turns with the others. */
static void test_pipeline_lets_others_in(void **state) {
    (void)state;
    enum { N = 250 };
    site_start(&site, &http_limits_default, 1);
    struct client many = client_connect(site.port), other = client_connect(site.port);
    struct answer a;
    struct buf b;
    client_get(&other, "/echo", &a);
    buf_init(&b, NULL, 0);
    for (int i = 0; i < N; i++)
        buf_printf(&b, "GET /busy/2 HTTP/1.1\r\nHost: a\r\n\r\n");
    client_send(&many, b.p, b.len);
    buf_free(&b);
    EVENTUALLY(n.requests > 1);
    client_get(&other, "/echo", &a);
    struct http_counters n;
    http_counters_read(site.server, &n);
    assert_true(n.requests < N);
    for (int i = 0; i < N; i++)
        assert_true(client_answer(&many, false, &a));
    client_close(&many);
    client_close(&other);
    site_stop(&site);
}

static void test_half_closed_client_is_answered(void **state) {
    (void)state;
    site_start(&site, &http_limits_default, 1);
    struct client c = client_connect(site.port);
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
    site_stop(&site);
}

/* Clients that are gone when their answer comes. */
static void test_vanished_clients(void **state) {
    (void)state;
    site_start(&site, &http_limits_default, 2);
    for (int i = 0; i < 50; i++) {
        struct client c = client_connect(site.port);
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        client_send_text(&c, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
        while (app_held(&site.app) < i + 1)
            usleep(500);
        if (i % 2)
            setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        client_close(&c);
    }
    EVENTUALLY(n.connections_open <= 25 && n.requests_in_flight == 50);
    app_release(&site.app);
    EVENTUALLY(n.connections_open == 0 && n.requests_in_flight == 0);
    site_stop(&site);
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
    site_start(&site, &l, 1);
    struct answer a;
    struct client head = client_connect(site.port), body = client_connect(site.port),
                  idle = client_connect(site.port), used = client_connect(site.port);
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
    site_stop(&site);
}

/* Each request has its own time, also when its first bytes come with the one before. */
static void test_time_starts_with_each_request(void **state) {
    (void)state;
    struct http_limits l = short_limits();
    l.head_timeout_ms = 500;
    site_start(&site, &l, 1);
    struct client c = client_connect(site.port);
    struct answer a;
    client_send_text(&c, "GET /echo HTTP/1.1\r\nHost:");
    for (int i = 0; i < 3; i++) {
        usleep(300 * 1000);
        client_send_text(&c, " a\r\n\r\nGET /echo HTTP/1.1\r\nHost:");
        assert_true(client_answer(&c, false, &a));
        assert_int_equal(a.status, 200);
    }
    client_close(&c);
    site_stop(&site);
}

/* One who asks and never reads is closed; one who reads slowly, but reads, gets it all. */
static void test_slow_readers(void **state) {
    (void)state;
    struct http_limits l = short_limits();
    l.idle_timeout_ms = 5000;
    l.write_timeout_ms = 300;
    site_start(&site, &l, 1);
    struct client never = client_connect(site.port), slow = client_connect(site.port);
    enum { BODY = 7 * 1000 * 1000, SLOW = 2 * 1000 * 1000, STEP = 100 * 1000 };
    for (int i = 0; i < 20; i++)
        client_send_text(&never, "GET /big/1000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    client_send_text(&slow, "GET /big/7000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    static char bytes[STEP];
    size_t got = 0;
    for (ssize_t n; got < BODY; got += (size_t)n) {
        n = recv(slow.fd, bytes, STEP, MSG_WAITALL | (got + STEP > BODY ? MSG_DONTWAIT : 0));
        assert_true(n > 0);
        usleep(got < SLOW ? 30 * 1000 : 0); /* slower than the kernel calls writable in time */
    }
    EVENTUALLY(n.connections_open == 1);
    client_close(&never);
    client_close(&slow);
    site_stop(&site);
}

/* The answer to a body that is too large arrives although the client is still sending. */
static void test_early_answer_survives(void **state) {
    (void)state;
    site_start(&site, &http_limits_default, 1);
    for (int i = 0; i < 20; i++) {
        struct client c = client_connect(site.port);
        struct answer a;
        static char junk[1 << 20];
        client_send_text(&c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
        for (int k = 0; k < 4; k++)
            client_send(&c, junk, sizeof junk);
        assert_true(client_answer(&c, false, &a));
        assert_int_equal(a.status, 413);
        client_close(&c);
    }
    site_stop(&site);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive_and_counters),
        cmocka_unit_test(test_pipeline_in_order),
        cmocka_unit_test(test_pipeline_is_bounded),
        cmocka_unit_test(test_pipeline_lets_others_in),
        cmocka_unit_test(test_half_closed_client_is_answered),
        cmocka_unit_test(test_vanished_clients),
        cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_time_starts_with_each_request),
        cmocka_unit_test(test_slow_readers),
        cmocka_unit_test(test_early_answer_survives),
    };
    return cmocka_run_group_tests_name("http server", tests, NULL, NULL);
}
