/* WebSockets: the protocol in any split into reads (in the lab), then time, drain and slow readers
 * over real sockets.
 */
#include "adapters/http/test_support.h"

#include "base/check.h"
#include "base/timestamp.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FIN 0x80
#define TEXT 1
#define BINARY 2
#define CONTINUATION 0
#define CLOSE 8
#define PING 9
#define PONG 10

static struct app app;
static struct lab lab;

static int lab_setup(void **state) {
    (void)state;
    app_start(&app);
    struct http_options o = app_options(&app, 1);
    lab_open(&lab, &o);
    return 0;
}

static int lab_teardown(void **state) {
    (void)state;
    lab_close(&lab);
    app_stop(&app);
    assert_int_equal(app.sockets_opened, app.sockets_closed);
    return 0;
}

struct bytes {
    unsigned char p[512 * 1024];
    size_t len;
};

static void add(struct bytes *b, int first, const void *payload, size_t len) {
    CHECK(b->len + len + 14 <= sizeof b->p);
    b->len += ws_frame_make(b->p + b->len, first, payload, len);
}

static void begin(struct bytes *b) {
    b->len = sizeof WS_HANDSHAKE - 1;
    memcpy(b->p, WS_HANDSHAKE, b->len);
}

/* All frames that came back, and that there was a sound handshake before them. */
struct replies {
    int count;
    struct {
        int opcode;
        size_t len;
        const unsigned char *payload;
    } f[512];
    int close_code; /* of a close frame, the last; 0: none; 1005: without a code */
};

static void replies_read(const unsigned char *p, size_t len, struct replies *ret) {
    const unsigned char *at = memmem(p, len, "\r\n\r\n", 4), *end = p + len;
    assert_non_null(at);
    assert_memory_equal(p, "HTTP/1.1 101 ", 13);
    assert_non_null(
        memmem(p, len, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", 53));
    memset(ret, 0, sizeof *ret);
    for (at += 4; at < end;) {
        assert_true(end - at >= 2 && ret->count < (int)COUNT_OF(ret->f) && ret->close_code == 0);
        assert_int_equal(at[0] & 0xf0, FIN); /* the server never fragments, never uses RSV */
        assert_int_equal(at[1] & 0x80, 0);   /* and never masks */
        size_t n = at[1], head = 2;
        if (n == 126)
            n = (size_t)at[2] << 8 | at[3], head = 4;
        else if (n == 127)
            n = (size_t)at[6] << 24 | (size_t)at[7] << 16 | (size_t)at[8] << 8 | at[9], head = 10;
        assert_true((size_t)(end - at) >= head + n);
        ret->f[ret->count].opcode = at[0] & 15;
        ret->f[ret->count].len = n;
        ret->f[ret->count++].payload = at + head;
        if ((at[0] & 15) == CLOSE)
            ret->close_code = n >= 2 ? at[head] << 8 | at[head + 1] : 1005;
        at += head + n;
    }
}

static unsigned char out[2 << 20];

static void run(const struct bytes *b, size_t step, struct replies *ret) {
    size_t n = lab_exchange(&lab, b->p, b->len, step, (char *)out, sizeof out);
    replies_read(out, n, ret);
}

static const size_t steps[] = {0, 1, 2, 3, 7, 100, 4096};

static void test_echo_of_all_sizes(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 124, 125, 126, 127, 4089, 4090, 4096, 10000, 65535, 65536};
    static char text[65537];
    static struct bytes b;
    struct replies r;
    memset(text, 't', sizeof text);
    for (size_t s = 0; s < COUNT_OF(steps); s++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            if (steps[s] > 0 && steps[s] < 100 && sizes[i] > 5000)
                continue; /* too many turns for what they show */
            begin(&b);
            add(&b, FIN | TEXT, text, sizes[i]);
            add(&b, FIN | TEXT, "next", 4);
            run(&b, steps[s], &r);
            assert_int_equal(r.count, 2);
            assert_int_equal(r.f[0].opcode, TEXT);
            assert_int_equal(r.f[0].len, sizes[i]);
            assert_memory_equal(r.f[0].payload, text, sizes[i]);
            assert_memory_equal(r.f[1].payload, "next", 4);
        }
    }
    begin(&b);
    add(&b, FIN | TEXT, text, sizeof text);
    run(&b, 0, &r);
    assert_int_equal(r.close_code, 1009);
}

/* Random messages in random fragments with pings between, in random splits: the echo is exact. */
static void test_random_streams(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 20261123);
    static struct bytes b;
    struct replies r;
    static char messages[200][300];
    static size_t lens[200];
    for (int round = 0; round < 60; round++) {
        int wanted = 0, pings = 0;
        begin(&b);
        for (int m = 0; m < 100; m++) {
            size_t len = rng_below(&rng, 300), at = 0;
            for (size_t i = 0; i < len; i++)
                messages[wanted][i] = (char)('a' + rng_below(&rng, 26));
            lens[wanted] = len;
            do {
                size_t n = rng_below(&rng, 3) ? len - at : rng_below(&rng, len - at + 1);
                add(&b, (at + n == len ? FIN : 0) | (at == 0 ? TEXT : CONTINUATION),
                    messages[wanted] + at, n);
                if (at == 0 && n == 0 && len > 0) { /* an empty first fragment */
                    add(&b, FIN, messages[wanted], len);
                    n = len;
                }
                at += n;
                if (rng_below(&rng, 10) == 0 && at < len) {
                    add(&b, FIN | PING, "ping", 4);
                    pings++;
                }
            } while (at < len);
            wanted++;
        }
        run(&b, round == 0 ? 1 : 1 + rng_below(&rng, 5000), &r);
        int texts = 0, pongs = 0;
        for (int i = 0; i < r.count; i++) {
            if (r.f[i].opcode == PONG) {
                assert_memory_equal(r.f[i].payload, "ping", 4);
                pongs++;
                continue;
            }
            assert_int_equal(r.f[i].len, lens[texts]);
            assert_memory_equal(r.f[i].payload, messages[texts], lens[texts]);
            texts++;
        }
        assert_int_equal(texts, wanted);
        assert_int_equal(pongs, pings);
    }
    assert_true(lab.thread->idle_reader_count >= 1);
}

#define RAW(code, text)                                                                            \
    { code, text, sizeof(text) - 1 }
static const struct {
    int code;
    const char *p;
    size_t len;
} breaches[] = {
    RAW(1002, "\x81\x02hi"),                         /* not masked */
    RAW(1002, "\xc1\x80\0\0\0\0"),                   /* RSV1 */
    RAW(1002, "\xa1\x80\0\0\0\0"),                   /* RSV2 */
    RAW(1002, "\x91\x80\0\0\0\0"),                   /* RSV3 */
    RAW(1002, "\x83\x80\0\0\0\0"),                   /* reserved opcodes */
    RAW(1002, "\x8b\x80\0\0\0\0"),                   /* … */
    RAW(1003, "\x82\x81\0\0\0\0x"),                  /* binary */
    RAW(1002, "\x80\x81\0\0\0\0x"),                  /* continuation of nothing */
    RAW(1002, "\x01\x81\0\0\0\0x\x81\x81\0\0\0\0y"), /* a message inside another */
    RAW(1002, "\x09\x80\0\0\0\0"),                   /* a fragmented ping */
    RAW(1002, "\x89\xfe\0\x7e\0\0\0\0"),             /* a ping of 126 bytes */
    RAW(1002, "\x81\xfe\0\x05\0\0\0\0hello"),        /* a length longer than need be */
    RAW(1002, "\x81\xff\0\0\0\0\0\0\0\x05\0\0\0\0hello"),
    RAW(1002, "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0h"),
    RAW(1009, "\x81\xff\0\0\0\0\0\x01\0\x01\0\0\0\0h"),
    RAW(1009, "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0h"),
    RAW(1007, "\x81\x82\0\0\0\0\xc3\x28"),             /* not UTF-8 */
    RAW(1007, "\x81\x83\0\0\0\0\xed\xa0\x80"),         /* a surrogate */
    RAW(1007, "\x01\x81\0\0\0\0\xc3\x80\x80\0\0\0\0"), /* cut short, over two fragments */
    RAW(1002, "\x88\x81\0\0\0\0\x03"),                 /* close frames: half a code */
    RAW(1002, "\x88\x82\0\0\0\0\x03\xed"),             /* 1005 is not to be sent */
    RAW(1002, "\x88\x82\0\0\0\0\x03\xe7"),             /* 999 */
    RAW(1002, "\x88\x82\0\0\0\0\x13\x88"),             /* 5000 */
    RAW(1007, "\x88\x83\0\0\0\0\x03\xe8\xff"),         /* a reason that is not UTF-8 */
    RAW(1000, "\x88\x82\0\0\0\0\x03\xe8"),             /* sound ones are echoed */
    RAW(4999, "\x88\x86\0\0\0\0\x13\x87yes!"),
    RAW(1005, "\x88\x80\0\0\0\0"),
};

static void test_breaches(void **state) {
    (void)state;
    static struct bytes b;
    struct replies r;
    for (size_t i = 0; i < COUNT_OF(breaches); i++) {
        for (size_t s = 0; s < COUNT_OF(steps); s++) {
            int texts = app.texts;
            begin(&b);
            memcpy(b.p + b.len, breaches[i].p, breaches[i].len);
            b.len += breaches[i].len;
            add(&b, FIN | TEXT, "after", 5); /* never heard */
            run(&b, steps[s], &r);
            if (r.close_code != breaches[i].code || app.texts != texts)
                fail_msg("breach %zu in steps of %zu: closed with %d, not %d", i, steps[s],
                         r.close_code, breaches[i].code);
        }
    }
    /* fragments that are small each, but too much together */
    static char text[40000];
    memset(text, 't', sizeof text);
    begin(&b);
    add(&b, TEXT, text, sizeof text);
    add(&b, FIN, text, sizeof text);
    run(&b, 0, &r);
    assert_int_equal(r.close_code, 1009);
    /* and what is refused, a part of a frame, an unfinished message leave nothing behind */
    begin(&b);
    add(&b, TEXT, text, sizeof text);
    b.len -= 10;
    run(&b, 999, &r);
    assert_int_equal(r.count, 0);
    assert_int_equal(app.sockets_opened, app.sockets_closed);
}

static void test_messages_are_held_within_limits(void **state) {
    (void)state;
    static struct bytes b;
    static char text[60000];
    struct lab l;
    struct http_options o = app_options(&app, 1);
    o.limits.held_bytes_max = 100000;
    lab_open(&l, &o);
    int fds[4];
    memset(text, 't', sizeof text);
    for (int i = 0; i < 4; i++) {
        fds[i] = lab_connect(&l);
        begin(&b);
        add(&b, TEXT, text, sizeof text); /* and no end */
        assert_int_equal(write(fds[i], b.p, b.len), b.len);
        lab_turn(&l);
    }
    for (int i = 0; i < 4; i++) { /* those who were at it for longer have made room */
        ssize_t n;
        while ((n = read(fds[i], out, sizeof out)) > 0)
            ;
        assert_int_equal(n == 0 || errno != EAGAIN, i < 3);
        close(fds[i]);
    }
    lab_turn(&l);
    lab_turn(&l);
    assert_int_equal(l.thread->held_bytes, 0);
    lab_close(&l);
}

static void test_close_by_owner(void **state) {
    (void)state;
    static struct bytes b;
    struct replies r;
    int texts = app.texts;
    begin(&b);
    add(&b, FIN | TEXT, "close", 5);
    add(&b, FIN | TEXT, "too late", 8);
    add(&b, FIN | CLOSE, "\x0f\xa0", 2);
    run(&b, 0, &r);
    assert_int_equal(app.texts, texts + 1);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.close_code, 4000);
    assert_memory_equal(r.f[0].payload + 2, "as you wish", 11);
}

static void test_upgrade_in_a_pipeline(void **state) {
    (void)state;
    int fd = lab_connect(&lab);
    static const char behind[] = "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n" WS_HANDSHAKE;
    assert_int_equal(write(fd, behind, sizeof behind - 1), sizeof behind - 1);
    lab_turn(&lab);
    app_release(&app);
    for (int i = 0; i < 100 && lab.thread->running > 0; i++) {
        usleep(1000);
        lab_turn(&lab);
    }
    ssize_t n = read(fd, out, sizeof out - 1);
    assert_true(n > 0);
    out[n] = 0;
    assert_non_null(strstr((char *)out, "HTTP/1.1 200 OK"));
    assert_non_null(strstr((char *)out, "HTTP/1.1 400 Bad Request"));
    close(fd);
    lab_turn(&lab);
    /* behind one that is answered already it is fine */
    static const char after[] = "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n" WS_HANDSHAKE;
    n = (ssize_t)lab_exchange(&lab, after, sizeof after - 1, 0, (char *)out, sizeof out - 1);
    out[n] = 0;
    assert_non_null(strstr((char *)out, "HTTP/1.1 200 OK"));
    assert_non_null(strstr((char *)out, "HTTP/1.1 101 "));
}

static void test_subprotocol(void **state) {
    (void)state;
    static const char ask[] =
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, WebSocket\r\nConnection: upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: lorry.v1\r\n\r\n";
    size_t n = lab_exchange(&lab, ask, sizeof ask - 1, 0, (char *)out, sizeof out - 1);
    out[n] = 0;
    assert_non_null(strstr((char *)out, "\r\nSec-WebSocket-Protocol: lorry.v1\r\n"));
}

/* --- over real sockets ------------------------------------------------------------------- */

/* The owner sends faster than the client reads: the queue stays bounded, nothing is lost. */
static void test_slow_reader(void **state) {
    (void)state;
    struct http_options o = app_options(&app, 1);
    int port;
    struct http_server *s = server_start(&app, &o, &port);
    struct client c = ws_connect(port);
    struct ws_frame *f = xmalloc(sizeof *f);
    enum { N = 20000 };
    ws_send(&c, FIN | TEXT, "flood 20000", 11);
    usleep(100 * 1000);
    for (int i = 0; i < N; i++) {
        assert_true(ws_read(&c, f));
        assert_int_equal(f->opcode, TEXT);
        assert_int_equal(f->len, 1000);
    }
    assert_true(app.drained > 5);
    client_close(&c);
    free(f);
    http_stop(s);
    app_stop(&app);
    http_free(s);
    assert_int_equal(app.sockets_opened, app.sockets_closed);
}

/* A message has its time from its first byte; who always has one under way is not late. */
static void test_messages_take_their_time(void **state) {
    (void)state;
    struct http_options o = app_options(&app, 1);
    o.limits.body_timeout_ms = 300;
    int port;
    struct http_server *s = server_start(&app, &o, &port);
    struct client late = ws_connect(port), busy = ws_connect(port);
    struct ws_frame *f = xmalloc(sizeof *f);
    unsigned char frame[32];
    size_t len = ws_frame_make(frame, FIN | TEXT, "hello", 5), half = 4;
    ws_send(&late, TEXT, "hel", 3); /* and no more */
    client_send(&busy, frame, half);
    for (int i = 0; i < 18; i++) {
        usleep(50 * 1000);
        client_send(&busy, frame + half, len - half);
        client_send(&busy, frame, half);
        assert_true(ws_read(&busy, f));
        assert_int_equal(f->opcode, TEXT);
    }
    assert_true(ws_read(&late, f));
    assert_int_equal(f->opcode, CLOSE);
    assert_int_equal(f->payload[0] << 8 | f->payload[1], 1008);
    client_close(&late);
    client_close(&busy);
    free(f);
    http_stop(s);
    app_stop(&app);
    http_free(s);
}

static void test_pings_and_silence(void **state) {
    (void)state;
    struct http_options o = app_options(&app, 1);
    o.limits.ping_ms = 100;
    o.limits.silence_ms = 400;
    int port;
    struct http_server *s = server_start(&app, &o, &port);
    struct client polite = ws_connect(port), mute = ws_connect(port);
    struct ws_frame *f = xmalloc(sizeof *f);
    int64_t from_us = clock_mono_us();
    int mute_pings = 0, polite_pings = 0;
    while (clock_mono_us() - from_us < 900 * US_PER_MS) { /* answers pings: lives */
        assert_true(ws_read(&polite, f));
        assert_int_equal(f->opcode, PING);
        ws_send(&polite, FIN | PONG, f->payload, f->len);
        polite_pings++;
    }
    while (ws_read(&mute, f))
        mute_pings++;
    assert_true(polite_pings >= 4); /* without answers it would have ended after three */
    assert_in_range(mute_pings, 1, 4);
    ws_send(&polite, FIN | TEXT, "still here", 10);
    do
        assert_true(ws_read(&polite, f));
    while (f->opcode != TEXT);
    assert_int_equal(app.sockets_closed, 1);
    client_close(&polite);
    client_close(&mute);
    free(f);
    http_stop(s);
    app_stop(&app);
    http_free(s);
    assert_int_equal(app.sockets_closed, 2);
}

/* One who never answers our close frame does not hold the connection. */
static void test_close_unanswered(void **state) {
    (void)state;
    struct http_options o = app_options(&app, 1);
    o.limits.linger_timeout_ms = 100;
    int port;
    struct http_server *s = server_start(&app, &o, &port);
    struct client c = ws_connect(port);
    struct ws_frame *f = xmalloc(sizeof *f);
    ws_send(&c, FIN | TEXT, "close", 5);
    assert_true(ws_read(&c, f));
    assert_int_equal(f->opcode, CLOSE);
    assert_false(ws_read(&c, f));
    free(f);
    client_close(&c);
    http_stop(s);
    app_stop(&app);
    http_free(s);
    assert_int_equal(app.sockets_closed, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_echo_of_all_sizes, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_random_streams, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_breaches, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_messages_are_held_within_limits, lab_setup,
                                        lab_teardown),
        cmocka_unit_test_setup_teardown(test_close_by_owner, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_upgrade_in_a_pipeline, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_subprotocol, lab_setup, lab_teardown),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_messages_take_their_time),
        cmocka_unit_test(test_pings_and_silence),
        cmocka_unit_test(test_close_unanswered),
    };
    return cmocka_run_group_tests_name("websocket", tests, NULL, NULL);
}
