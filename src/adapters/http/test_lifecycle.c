/* The server as a whole: overload, descriptors, drain, ports, and work posted to its threads.
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

static void test_overload(void **state) {
    (void)state;
    struct http_limits l = http_limits_default;
    l.calls_max = 4;
    l.connections_max = 6;
    site_start(&site, &l, 1);
    struct client c[6];
    struct answer a;
    char text[32];
    for (int i = 0; i < 6; i++) {
        c[i] = client_connect(site.port);
        client_send_text(&c[i], "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for (int i = 0; i < 2; i++) { /* which two is the loop's choice; the rest wait */
        EVENTUALLY(n.requests == 6 && n.requests_in_flight == 4);
    }
    struct client extra = client_connect(site.port);
    assert_true(client_ended(&extra));
    client_close(&extra);
    EVENTUALLY(n.connections_refused == 1);
    app_release(&site.app);
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
    site_stop(&site);
}

/* Out of descriptors: who is there is served, who wants in waits, and nothing spins. */
static void test_no_descriptors_left(void **state) {
    (void)state;
    site_start(&site, &http_limits_default, 1);
    struct client warm = client_connect(site.port);
    struct answer a;
    client_get(&warm, "/echo", &a);
    enum { N = 4 };
    struct client c[N];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)site.port)};
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
    assert_true(spent_us < 60 * US_PER_MS);
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
    site_stop(&site);
}

static void *stop_main(void *arg) {
    http_stop(arg);
    return NULL;
}

static void test_drain(void **state) {
    (void)state;
    site_start(&site, &http_limits_default, 2);
    struct client idle = client_connect(site.port), busy = client_connect(site.port),
                  half = client_connect(site.port), ws = ws_connect(site.port);
    struct answer a;
    char text[32];
    client_get(&idle, "/echo", &a);
    client_send_text(&busy, "GET /later/100 HTTP/1.1\r\nHost: a\r\n\r\n");
    client_send_text(&half, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh");
    EVENTUALLY(n.requests_in_flight == 1 && n.connections_open == 4 && n.sockets_open == 1);
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_main, site.server), 0);
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
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)site.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), -1);
    close(fd);
    site_stop(&site);
}

static bool refuses(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool refused = connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* A proxy may be sending on a connection that the server believes idle, and cannot send a POST
 * again: it is answered, and told that it was the last one. Who would connect is refused at once,
 * and who has connected before is served. */
static void test_drain_answers_on_idle_connections(void **state) {
    (void)state;
    struct http_limits l = http_limits_default;
    l.drain_idle_ms = 60 * 1000; /* only by requests do they end in this test */
    l.drain_timeout_ms = 60 * 1000;
    l.linger_timeout_ms = 60 * 1000;
    site_start(&site, &l, 2);
    enum { N = 8 };
    struct client idle[N], fresh[N];
    struct answer a;
    char text[32];
    pthread_t stopper;
    for (int i = 0; i < N; i++) {
        idle[i] = client_connect(site.port);
        client_get(&idle[i], "/echo", &a);
        assert_null(answer_header(&a, "Connection", text, sizeof text));
    }
    for (int i = 0; i < N; i++)
        fresh[i] = client_connect(site.port);
    assert_int_equal(pthread_create(&stopper, NULL, stop_main, site.server), 0);
    while (!refuses(site.port))
        usleep(1000);
    for (int i = 0; i < N; i++) {
        struct client *both[] = {&idle[i], &fresh[i]};
        for (int k = 0; k < 2; k++) {
            client_send_text(both[k],
                             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
            assert_true(client_answer(both[k], false, &a));
            assert_string_equal(a.body, "POST /echo  hi");
            assert_string_equal(answer_header(&a, "Connection", text, sizeof text), "close");
            assert_true(client_ended(both[k]));
            assert_true(refuses(site.port));
            client_close(both[k]);
        }
    }
    pthread_join(stopper, NULL); /* nobody is left: it does not wait */
    site_stop(&site);
}

/* What is not finished in time is cut; its answer may come later and hurts nobody. */
static void test_drain_is_cut(void **state) {
    (void)state;
    struct http_limits l = http_limits_default;
    l.drain_timeout_ms = 100;
    site_start(&site, &l, 2);
    struct client c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = client_connect(site.port);
        client_send_text(&c[i], "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    while (app_held(&site.app) < 4)
        usleep(1000);
    int64_t from_us = clock_mono_us();
    http_stop(site.server);
    assert_in_range((clock_mono_us() - from_us) / US_PER_MS, 90, 1500);
    for (int i = 0; i < 4; i++) {
        assert_true(client_ended(&c[i]));
        client_close(&c[i]);
    }
    app_release(&site.app);
    site_stop(&site);
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
    site_start(&site, &http_limits_default, 2);
    struct app other;
    struct http_server *s = NULL;
    const char *why = NULL;
    int got;
    app_start(&other);
    struct http_options o = app_options(&other, 2);
    o.port = site.port;
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
    site_stop(&site);
}

static void posted(struct worker *w, void *arg) {
    struct app *a = arg;
    CHECK(pthread_equal(pthread_self(), ((struct http_thread *)w)->id));
    a->posts++;
}

static void *poster(void *arg) {
    int *sent = arg;
    for (int i = 0; i < 20000; i++)
        *sent += http_worker(site.server, i % 2)
                     ->post(http_worker(site.server, i % 2), posted, &site.app);
    return NULL;
}

static void test_posts_run_on_their_thread(void **state) {
    (void)state;
    site_start(&site, &http_limits_default, 2);
    pthread_t threads[3];
    int sent[3] = {0};
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, poster, &sent[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    int all = sent[0] + sent[1] + sent[2];
    assert_true(all > 0);
    EVENTUALLY(site.app.posts == all);
    site_stop(&site);
}

/* Both threads get connections. */
static void test_connections_are_spread(void **state) {
    (void)state;
    site_start(&site, &http_limits_default, 2);
    enum { N = 100 };
    struct client c[N];
    struct answer a;
    for (int i = 0; i < N; i++) {
        c[i] = client_connect(site.port);
        client_get(&c[i], "/echo", &a);
    }
    for (int i = 0; i < 2; i++) {
        struct http_thread *t = (struct http_thread *)http_worker(site.server, i);
        assert_in_range(atomic_load(&t->counters.open), N / 10, N);
    }
    for (int i = 0; i < N; i++)
        client_close(&c[i]);
    site_stop(&site);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_no_descriptors_left),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_answers_on_idle_connections),
        cmocka_unit_test(test_drain_is_cut),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_posts_run_on_their_thread),
        cmocka_unit_test(test_connections_are_spread),
    };
    return cmocka_run_group_tests_name("http lifecycle", tests, NULL, NULL);
}
