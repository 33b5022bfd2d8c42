/* Requests, good and hostile, in the lab: whatever the split into reads, the answers are the same.
 */
#include "adapters/http/test_support.h"
#include "base/check.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct app app;
static struct lab lab;

static int setup(void **state) {
    (void)state;
    app_start(&app);
    struct http_options o = app_options(&app, 1);
    o.limits.head_bytes_max = 2048;
    o.limits.body_bytes_max = 4096;
    lab_open(&lab, &o);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    lab_close(&lab);
    app_stop(&app);
    return 0;
}

/* OUT as a string; request ids and dates, which differ each time, blanked. */
static void exchange(const char *bytes, size_t len, size_t step, char *out, size_t cap) {
    size_t n = lab_exchange(&lab, bytes, len, step, out, cap - 1);
    out[n] = 0;
    for (char *p = out; (p = strstr(p, "req_")) != NULL; p++)
        memset(p + 4, '?', strspn(p + 4, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"));
    for (char *p = out; (p = strstr(p, "Date: ")) != NULL; p++)
        memset(p + 6, '?', strcspn(p + 6, "\r"));
}

static int status_of(const char *answer) {
    int status = 0;
    if (sscanf(answer, "HTTP/1.1 %d", &status) != 1)
        return 0;
    return status;
}

static int answers_in(const char *out) {
    int n = 0;
    for (const char *p = out; (p = strstr(p, "HTTP/1.1 ")) != NULL; p++)
        n += p[9] >= '1' && p[9] <= '5';
    return n;
}

#define G "GET /echo HTTP/1.1\r\nHost: a\r\n"
#define P "POST /echo HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED P "Transfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET /echo?next HTTP/1.1\r\nHost: a\r\n\r\n"

/* Each is followed by another request, which must be answered: the end was found right. */
static const struct {
    const char *bytes, *wanted;
} good[] = {
    {G "\r\n", "GET /echo  "},
    {"\r\n\r\n" G "\r\n", "GET /echo  "},
    {"GET /echo?a=b&c HTTP/1.1\r\nHost: a\r\n\r\n", "GET /echo a=b&c "},
    {"GET http://h:80/echo?q HTTP/1.1\r\nHost: h\r\n\r\n", "GET /echo q "},
    {"GET HTTP://h?q HTTP/1.1\r\nHost: h\r\n\r\n", "GET / q "},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS *  "},
    {"GET /e%2Fcho/ HTTP/1.1\r\nHost:\r\n\r\n", "GET /e%2Fcho/  "},
    {"PATCH /echo HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 2\r\n\r\nhi", "PATCH /echo  hi"},
    {"DELETE /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "DELETE /echo  "},
    {P "Content-Length: 5\r\n\r\nhello", "POST /echo  hello"},
    {G "Content-Length: 5\r\n\r\nhello", "GET /echo  hello"},
    {P "content-length:\t5 \r\n\r\nhello", "POST /echo  hello"},
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", "POST /echo  hello"},
    {CHUNKED "5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n", "POST /echo  hello0123456789"},
    {CHUNKED "5;ext=1\r\nhello\r\n0\r\nX-Trailer: v\r\nY: w\r\n\r\n", "POST /echo  hello"},
    {CHUNKED "0\r\nContent-Length: 7\r\n\r\n", "POST /echo  "},
    {P "Transfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "POST /echo  x"},
    {G "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "GET /echo  "},
    {G "Upgrade: websocket\r\n\r\n", "GET /echo  "},
    {"GET /headers HTTP/1.1\r\nHost: a\r\nX-ONE:  two \t\r\nEmpty:\r\nx: y:z\r\n\r\n",
     "host: a\nx-one: two\nempty: \nx: y:z\n"},
    {"GET /headers HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\r\n\r\n", "host: a\nx: \xc3\xa9\n"},
};

static void test_good_in_any_split(void **state) {
    (void)state;
    static char first[1 << 16], out[1 << 16];
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char bytes[2048];
        int len = snprintf(bytes, sizeof bytes, "%s" NEXT, good[i].bytes);
        exchange(bytes, (size_t)len, 0, first, sizeof first);
        if (status_of(first) != 200 || strstr(first, good[i].wanted) == NULL ||
            answers_in(first) != 2 || strstr(first, "GET /echo next ") == NULL)
            fail_msg("request %zu:\n%s\nanswers:\n%s", i, bytes, first);
        for (size_t step = 1; step < 20; step++) {
            exchange(bytes, (size_t)len, step, out, sizeof out);
            if (strcmp(first, out) != 0)
                fail_msg("request %zu in steps of %zu:\n%s\nnot:\n%s", i, step, out, first);
        }
    }
}

#define BAD(status, text)                                                                          \
    { status, text, sizeof(text) - 1 }
static const struct {
    int status;
    const char *bytes;
    size_t len;
} hostile[] = {
    /* two opinions on where a request ends */
    BAD(400, P "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" NEXT),
    BAD(400, P "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" NEXT),
    BAD(400, P "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT),
    BAD(400, P "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" NEXT),
    BAD(400, P "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT),
    BAD(400, P "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" NEXT),
    BAD(501, P "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" NEXT),
    BAD(501, P "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT),
    BAD(501, P "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" NEXT),
    BAD(400, P "Transfer-Encoding: \x0b"
               "chunked\r\n\r\n0\r\n\r\n" NEXT),
    BAD(400, P "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" NEXT),
    BAD(400, P "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" NEXT),
    BAD(501, "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD(400, P "Content-Length: -5\r\n\r\nhello"),
    BAD(400, P "Content-Length: +5\r\n\r\nhello"),
    BAD(400, P "Content-Length: 5,5\r\n\r\nhello"),
    BAD(400, P "Content-Length: 0x5\r\n\r\nhello"),
    BAD(400, P "Content-Length: 5 5\r\n\r\nhello"),
    BAD(400, P "Content-Length:\r\n\r\nhello"),
    BAD(400, P "Content-Length: 99999999999999999999999\r\n\r\nhello"),
    BAD(400, P "Content-Length: 1\r\n 2\r\n\r\nhello"),
    BAD(400, CHUNKED "5\nhello\r\n0\r\n\r\n" NEXT),
    BAD(400, CHUNKED "5 \r\nhello\r\n0\r\n\r\n" NEXT),
    BAD(400, CHUNKED "5\r\nhello0\r\n\r\n" NEXT),
    BAD(400, CHUNKED "5\r\nhello\n0\r\n\r\n" NEXT),
    BAD(400, CHUNKED "-1\r\nhello\r\n0\r\n\r\n" NEXT),
    BAD(400, CHUNKED "0x5\r\nhello\r\n0\r\n\r\n" NEXT),
    BAD(400, CHUNKED "FFFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n" NEXT),
    BAD(400, CHUNKED "\r\nhello\r\n0\r\n\r\n" NEXT),
    BAD(400, CHUNKED "5;a\nb\r\nhello\r\n0\r\n\r\n" NEXT),
    BAD(400, CHUNKED "0\r\n\n" NEXT),
    BAD(400, CHUNKED "0\r\nX: y\r\n\n" NEXT),
    BAD(400, CHUNKED "0\r\nX: y\n\r\n" NEXT),
    /* lines */
    BAD(400, "GET /echo HTTP/1.1\nHost: a\n\n"),
    BAD(400, G "\n"),
    BAD(400, G "X: a\n\r\n"),
    BAD(400, G "X: a\rb\r\n\r\n"),
    BAD(400, G "X: a\r\r\n\r\n"),
    BAD(400, G "X: a\r\n b\r\n\r\n"),
    BAD(400, G "X: a\r\n\tb\r\n\r\n"),
    BAD(400, G " X: a\r\n\r\n"),
    BAD(400, " " G "\r\n"),
    BAD(400, G "X : a\r\n\r\n"),
    BAD(400, G ": a\r\n\r\n"),
    BAD(400, G "X\r\n\r\n"),
    BAD(400, G "X[: 1\r\n\r\n"),
    BAD(400, G "X: a\x01z\r\n\r\n"),
    BAD(400, G "X: a\0z\r\n\r\n"),
    BAD(505, "GET /echo HTTP/1.1 \r\nHost: a\r\n\r\n"),
    /* targets, methods, versions, hosts */
    BAD(400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD(400, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD(400, "GET foo HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD(400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD(400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD(400, "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD(400, "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD(400, "GET / http/1.1\r\nHost: a\r\n\r\n"),
    BAD(400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n"),
    BAD(501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD(501, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD(400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    BAD(505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    BAD(505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    BAD(505, "GET /\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n\r\n"),
    BAD(400, G "Host: a\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    BAD(417, P "Expect: bananas\r\nContent-Length: 1\r\n\r\nx"),
    BAD(413, P "Content-Length: 4097\r\n\r\n"),
    BAD(413, P "Expect: 100-continue\r\nContent-Length: 4097\r\n\r\n"),
    /* handshakes */
    BAD(426, G "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
    BAD(426, G "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
    BAD(400, G "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n"),
    BAD(400, G "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n"),
    BAD(400, G "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 1\r\n\r\nx"),
};

/* One answer, a problem document, and the connection is closed: what follows is never read. */
static void test_hostile_in_any_split(void **state) {
    (void)state;
    static char out[1 << 16];
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        for (size_t step = 0; step < 20; step++) {
            exchange(hostile[i].bytes, hostile[i].len, step, out, sizeof out);
            if (status_of(out) != hostile[i].status || answers_in(out) != 1 ||
                strstr(out, "\r\nConnection: close\r\n") == NULL ||
                strstr(out, "\r\nContent-Type: application/problem+json\r\n") == NULL ||
                strstr(out, "\"request_id\":\"req_") == NULL)
                fail_msg("request %zu in steps of %zu:\n%s\nwants %d, got:\n%s", i, step,
                         hostile[i].bytes, hostile[i].status, out);
        }
    }
    assert_int_equal(lab.thread->running, 0);
}

static void test_limits_are_exact(void **state) {
    (void)state;
    static char bytes[1 << 16], out[1 << 16];
    /* the head: 2,048 bytes to the last; one more is 431 */
    for (int more = 0; more < 2; more++) {
        int n = snprintf(bytes, sizeof bytes, G "X: ");
        int fill = 2048 - n - 4 + more;
        memset(bytes + n, 'x', (size_t)fill);
        memcpy(bytes + n + fill, "\r\n\r\n", 4);
        exchange(bytes, (size_t)n + (size_t)fill + 4, 0, out, sizeof out);
        assert_int_equal(status_of(out), more ? 431 : 200);
    }
    /* spaces before a value reach no callback of the parser, and count all the same */
    int n = snprintf(bytes, sizeof bytes, G "X:");
    memset(bytes + n, ' ', 4000);
    exchange(bytes, (size_t)n + 4000, 500, out, sizeof out);
    assert_int_equal(status_of(out), 431);
    /* the number of headers: Host and 63 others */
    for (int more = 0; more < 2; more++) {
        size_t len = (size_t)snprintf(bytes, sizeof bytes, G);
        for (int i = 0; i < CALL_HEADERS_MAX - 1 + more; i++)
            len += (size_t)snprintf(bytes + len, sizeof bytes - len, "x%d: y\r\n", i);
        len += (size_t)snprintf(bytes + len, sizeof bytes - len, "\r\n");
        exchange(bytes, len, 0, out, sizeof out);
        assert_int_equal(status_of(out), more ? 431 : 200);
    }
    /* a target that fills the head */
    memset(bytes, 'u', sizeof bytes);
    memcpy(bytes, "GET /", 5);
    exchange(bytes, 4000, 0, out, sizeof out);
    assert_int_equal(status_of(out), 414);
    /* the body: 4,096 bytes to the last, of known length or chunked */
    for (int more = 0; more < 2; more++) {
        n = snprintf(bytes, sizeof bytes, P "Content-Length: %d\r\n\r\n", 4096 + more);
        memset(bytes + n, 'x', 4097);
        exchange(bytes, (size_t)n + 4096 + (size_t)more, 100, out, sizeof out);
        assert_int_equal(status_of(out), more ? 413 : 200);
        n = snprintf(bytes, sizeof bytes, CHUNKED "%x\r\n", 4096 + more);
        memset(bytes + n, 'x', 4097);
        n += 4096 + more;
        n += snprintf(bytes + n, sizeof bytes - (size_t)n, "\r\n0\r\n\r\n");
        exchange(bytes, (size_t)n, 1000, out, sizeof out);
        assert_int_equal(status_of(out), more ? 413 : 200);
    }
    /* trailers without end are no way round the limits */
    static char trailer[200 * 1024];
    n = snprintf(trailer, sizeof trailer, CHUNKED "0\r\nX: ");
    memset(trailer + n, 'x', sizeof trailer - (size_t)n);
    exchange(trailer, sizeof trailer, 4000, out, sizeof out);
    assert_int_equal(status_of(out), 413);
}

/* A large Content-Length alone allocates nothing. */
static void test_body_grows_as_it_arrives(void **state) {
    (void)state;
    struct lab big;
    struct http_options o = app_options(&app, 1);
    lab_open(&big, &o);
    int fd = lab_connect(&big);
    static const char head[] = P "Content-Length: 1048576\r\n\r\nx";
    assert_int_equal(write(fd, head, sizeof head - 1), sizeof head - 1);
    lab_turn(&big);
    struct conn *c = big.thread->lists[DEADLINE_BODY].first;
    assert_non_null(c);
    assert_true(c->parsing->call.arena.used_bytes < 16384);
    close(fd);
    lab_turn(&big);
    lab_close(&big);
}

/* What all connections together make a thread hold is bounded, and is let go again. Who came first
 * and does not get on makes room: nobody is kept out by those who only hold. */
#define WHOLE P "Content-Length: 5\r\nConnection: close\r\n\r\nhello"
static void test_held_bytes(void **state) {
    (void)state;
    static char bytes[100 * 1000], out[1 << 16];
    struct lab l;
    struct http_options o = app_options(&app, 1);
    o.limits.held_bytes_max = 500000;
    lab_open(&l, &o);
    static const char head[] = P "Content-Length: 200000\r\n\r\n";
    memset(bytes, 'x', sizeof bytes);
    int fds[10], cut = 0;
    for (int i = 0; i < 10; i++) {
        fds[i] = lab_connect(&l);
        assert_int_equal(write(fds[i], head, sizeof head - 1), sizeof head - 1);
        assert_int_equal(write(fds[i], bytes, sizeof bytes), sizeof bytes);
        lab_turn(&l);
        assert_int_equal(read(fds[i], out, sizeof out), -1); /* the newest is not refused */
        assert_int_equal(errno, EAGAIN);
    }
    size_t n = lab_exchange(&l, WHOLE, sizeof WHOLE - 1, 0, out, sizeof out - 1);
    out[n] = 0;
    assert_int_equal(status_of(out), 200);
    for (int i = 0; i < 10; i++) {
        bool gone = read(fds[i], out, sizeof out) == 0 || errno != EAGAIN;
        assert_true(gone || i > 0);
        cut += gone;
        close(fds[i]);
    }
    assert_in_range(cut, 4, 9);
    lab_turn(&l);
    lab_turn(&l);
    assert_int_equal(l.thread->held_bytes, 0);
    n = lab_exchange(&l, NEXT, sizeof NEXT - 1, 0, out, sizeof out - 1);
    out[n] = 0;
    assert_int_equal(status_of(out), 200);
    /* a client that asks and does not read is held back before memory is */
    int fd = lab_connect(&l);
    static const char ask[] = "GET /big/30000 HTTP/1.1\r\nHost: a\r\n\r\n";
    for (int i = 0; i < 100; i++)
        assert_int_equal(write(fd, ask, sizeof ask - 1), sizeof ask - 1);
    lab_turn(&l);
    assert_in_range(l.thread->held_bytes, 1, 600 * 1000);
    close(fd);
    lab_turn(&l);
    lab_close(&l);
}

static void test_http10_and_close(void **state) {
    (void)state;
    static char out[1 << 16];
    static const struct {
        const char *bytes;
        int answers;
        const char *connection;
    } cases[] = {
        {"GET /echo HTTP/1.0\r\n\r\n" NEXT, 1, "Connection: close"},
        {"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" NEXT, 2, "Connection: keep-alive"},
        {G "Connection: close\r\n\r\n" NEXT, 1, "Connection: close"},
        {G "Connection: foo, close\r\n\r\n" NEXT, 1, "Connection: close"},
        {G "Connection: keep-alive\r\n\r\n" NEXT, 2, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        exchange(cases[i].bytes, strlen(cases[i].bytes), 0, out, sizeof out);
        assert_int_equal(status_of(out), 200);
        assert_int_equal(answers_in(out), cases[i].answers);
        if (cases[i].connection != NULL)
            assert_non_null(strstr(out, cases[i].connection));
        else
            assert_null(strstr(out, "Connection:"));
    }
}

static void test_answer_heads(void **state) {
    (void)state;
    static char out[1 << 16];
#define SHOW(text) exchange(text, sizeof(text) - 1, 0, out, sizeof out)
    SHOW("HEAD /big/1000 HTTP/1.1\r\nHost: a\r\nX-Request-Id: abc.DEF_1-2\r\n\r\n");
    assert_non_null(strstr(out, "\r\nContent-Length: 1000\r\n"));
    assert_non_null(strstr(out, "\r\nX-Request-Id: abc.DEF_1-2\r\n"));
    assert_non_null(strstr(out, "\r\nX-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(out, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(out, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    assert_null(strstr(out, "Server:"));
    assert_string_equal(strstr(out, "\r\n\r\n"), "\r\n\r\n");
    SHOW("GET /empty HTTP/1.1\r\nHost: a\r\nX-Request-Id: not sane\r\n\r\n");
    assert_int_equal(status_of(out), 204);
    assert_null(strstr(out, "Content-Length"));
    assert_null(strstr(out, "not sane"));
    assert_non_null(strstr(out, "\r\nX-Request-Id: req_"));
    SHOW("GET /inject HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(status_of(out), 200);
    assert_null(strstr(out, "X-Evil"));
    SHOW("GET /cached HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_non_null(strstr(out, "cache-control: max-age=5"));
    assert_null(strstr(out, "no-store"));
    SHOW(G "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 7\r\n\r\n");
    assert_non_null(strstr(out, "\r\nSec-WebSocket-Version: 13\r\n"));
    SHOW("POST / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nContent-Length: 9999\r\n\r\n");
    assert_int_equal(status_of(out), 413);
    assert_non_null(strstr(out, "\"type\":\"/problems/payload-too-large\""));
    assert_non_null(strstr(out, "\"request_id\":\"mine\""));
}

/* The client's trace if it is one, else a new one, which nobody has asked to be recorded. */
static void test_traces(void **state) {
    (void)state;
    static char out[1 << 16];
    static const char mine[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    SHOW("GET /trace HTTP/1.1\r\nHost: a\r\ntraceparent: "
         "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n");
    assert_string_equal(strstr(out, "\r\n\r\n") + 4, mine);
    struct traceparent t;
    SHOW("GET /trace HTTP/1.1\r\nHost: a\r\ntraceparent: "
         "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01\r\n\r\n");
    assert_true(traceparent_read(str_from(strstr(out, "\r\n\r\n") + 4), &t) && !t.sampled);
    SHOW("GET /trace HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(traceparent_read(str_from(strstr(out, "\r\n\r\n") + 4), &t) && !t.sampled);
}

static void test_expect_continue(void **state) {
    (void)state;
    static char out[1 << 16];
    static const char head[] = P "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    /* asked for and waited for: told to go on */
    int fd = lab_connect(&lab);
    assert_int_equal(write(fd, head, sizeof head - 1), sizeof head - 1);
    lab_turn(&lab);
    ssize_t n = read(fd, out, sizeof out);
    assert_int_equal(n, 25);
    assert_memory_equal(out, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    assert_int_equal(write(fd, "hi", 2), 2);
    lab_turn(&lab);
    n = read(fd, out, sizeof out - 1);
    assert_true(n > 0);
    out[n] = 0;
    assert_int_equal(status_of(out), 200);
    assert_non_null(strstr(out, "POST /echo  hi"));
    close(fd);
    lab_turn(&lab);
    /* the body came along, or its beginning: nothing to tell */
    static const char begun[] = P "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nh";
    fd = lab_connect(&lab);
    assert_int_equal(write(fd, begun, sizeof begun - 1), sizeof begun - 1);
    lab_turn(&lab);
    assert_int_equal(read(fd, out, sizeof out), -1);
    close(fd);
    lab_turn(&lab);
    SHOW(P "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    assert_int_equal(status_of(out), 200);
    assert_int_equal(answers_in(out), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good_in_any_split, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_in_any_split, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(test_body_grows_as_it_arrives, setup, teardown),
        cmocka_unit_test_setup_teardown(test_held_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_http10_and_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer_heads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_traces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expect_continue, setup, teardown),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
