/* The mailer over SMTP against a real server, in a process of its own: what arrives, and what
 * becomes of a message when the server is away, refuses, is slow, or speaks TLS.
 */
#include "adapters/curl/curl_mailer.h"
#include "base/check.h"
#include "base/err.h"
#include "base/test.h"
#include "base/timestamp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *server_script;
static char certificate[64], key[64], folder[] = "/tmp/lorry-smtp-XXXXXX";

/* ---- the server ---- */

struct server {
    pid_t pid;
    FILE *said, *in;
    int port;
};

static void child(const char *mode, int out, int in) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, 1);
    dup2(in, 0);
    bool tls = strcmp(mode, "plain") != 0;
    /* Debian's, which its packages are for, whatever else is on the path. */
    execl("/usr/bin/python3", "python3", server_script, mode, tls ? certificate : NULL, key, NULL);
    _exit(127);
}

/* Skips the test where there is no aiosmtpd. */
static void server_start(struct server *s, const char *mode) {
    int out[2], in[2];
    char line[256] = "";
    CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(in, O_CLOEXEC) == 0);
    s->pid = fork();
    if (s->pid == 0)
        child(mode, out[1], in[0]);
    close(out[1]);
    close(in[0]);
    s->said = fdopen(out[0], "r");
    s->in = fdopen(in[1], "w");
    if (fgets(line, sizeof(line), s->said) == NULL || strncmp(line, "skip", 4) == 0) {
        print_message("there is no python3-aiosmtpd: %s\n", line);
        skip();
    }
    assert_int_equal(sscanf(line, "port %d", &s->port), 1);
}

static void server_stop(struct server *s) {
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    fclose(s->said);
    fclose(s->in);
}

static bool has(const char *text, const char *part) {
    return strstr(text, part) != NULL;
}

/* ---- one message, and its outcome ---- */

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int32_t done;
    struct mail_outcome last;
};

static void on_done(void *arg, const struct mail_outcome *o) {
    struct wait *w = arg;
    pthread_mutex_lock(&w->lock);
    w->done++;
    w->last = *o;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static struct mailer *open_mailer(const struct curl_mailer_options *o) {
    struct arena a;
    struct str why = STR_NONE;
    struct mailer *m = NULL;
    struct curl_mailer_options with = *o;
    with.from = o->from != NULL ? o->from : "Lorry \xc3\x85 <lorry@example.com>";
    arena_init(&a, 1024);
    if (curl_mailer_open(&with, &a, &m, &why) < 0)
        fail_msg("%.*s", STR_ARG(why));
    arena_free(&a);
    return m;
}

static struct mail_outcome send_to(struct mailer *m, const char *to) {
    struct wait w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    const struct mail mail = {
        .id = STR("dlv_01HZZZZZZZZZZZZZZZZZZZZZZZ"),
        .to = str_from(to),
        .subject =
            STR("\xe0\xa4\xa8\xe0\xa4\xae\xe0\xa4\xb8\xe0\xa5\x8d\xe0\xa4\xa4\xe0\xa5\x87 a"),
        .text = STR("One\n.two = 2 \n\nthree\n"),
        .html = STR("<p>\xc3\x85</p>\n"),
        .language = STR("hi"),
        .at_us = INT64_C(1795428000000000)};
    assert_int_equal(m->ops->send(m, &mail, on_done, &w), 0);
    pthread_mutex_lock(&w.lock);
    while (w.done == 0)
        pthread_cond_wait(&w.cond, &w.lock);
    pthread_mutex_unlock(&w.lock);
    return w.last;
}

static struct mail_outcome once(const struct curl_mailer_options *o, const char *to) {
    struct mailer *m = open_mailer(o);
    struct mail_outcome out = send_to(m, to);
    m->ops->close(m);
    return out;
}

#define URL_OF(name, scheme, server)                                                               \
    char name[128];                                                                                \
    snprintf(name, sizeof(name), "%s127.0.0.1:%d", scheme, (server).port)

/* ---- */

static void test_arrives_whole(void **state) {
    (void)state;
    struct server s;
    char line[4096] = "";
    server_start(&s, "plain");
    URL_OF(url, "smtp://", s);
    struct mailer *m = open_mailer(&(struct curl_mailer_options){.url = url});
    for (int32_t i = 0; i < 3; i++) { /* the connection is used again */
        struct mail_outcome out = send_to(m, "kim@example.com");
        assert_int_equal(out.result, MAIL_SENT);
        assert_string_equal(out.detail, "");
        assert_non_null(fgets(line, sizeof(line), s.said));
        assert_true(has(line, "'from': 'lorry@example.com'"));
        assert_true(has(line, "'to': ['kim@example.com']"));
        assert_true(has(line, "'sender': 'Lorry \xc3\x85 <lorry@example.com>'"));
        assert_true(has(
            line, "'subject': "
                  "'\xe0\xa4\xa8\xe0\xa4\xae\xe0\xa4\xb8\xe0\xa5\x8d\xe0\xa4\xa4\xe0\xa5\x87 a'"));
        assert_true(has(line, "'id': '<dlv_01HZZZZZZZZZZZZZZZZZZZZZZZ@example.com>'"));
        assert_true(has(line, "'text': 'One\\r\\n.two = 2 \\r\\n\\r\\nthree\\r\\n"));
        assert_true(has(line, "'html': '<p>\xc3\x85</p>"));
        assert_true(has(line, "'defects': 0"));
    }
    m->ops->close(m);
    server_stop(&s);
}

static void test_what_the_server_says(void **state) {
    (void)state;
    struct server s;
    server_start(&s, "plain");
    URL_OF(url, "smtp://", s);
    struct mailer *m = open_mailer(&(struct curl_mailer_options){.url = url});
    struct mail_outcome out = send_to(m, "later@example.com");
    assert_int_equal(out.result, MAIL_LATER);
    assert_int_equal(out.status, 451);
    assert_true(out.detail[0] != 0);
    out = send_to(m, "never@example.com");
    assert_int_equal(out.result, MAIL_REFUSED);
    assert_int_equal(out.status, 550);
    out = send_to(m, "data@example.com");
    assert_int_equal(out.result, MAIL_REFUSED);
    assert_int_equal(out.status, 554);
    out = send_to(m, "kim@example.com"); /* and the next one goes through */
    assert_int_equal(out.result, MAIL_SENT);
    m->ops->close(m);
    server_stop(&s);
}

static void test_slow(void **state) {
    (void)state;
    struct server s;
    server_start(&s, "plain");
    URL_OF(url, "smtp://", s);
    struct mailer *m = open_mailer(&(struct curl_mailer_options){.url = url, .timeout_ms = 700});
    assert_int_equal(send_to(m, "slow@example.com").result, MAIL_LATER);
    m->ops->close(m);
    /* Closed while it is under way: it has its outcome, and nobody waits for the server. */
    m = open_mailer(&(struct curl_mailer_options){.url = url});
    struct wait w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    const struct mail mail = {
        .id = STR("dlv_1"), .to = STR("slow@example.com"), .subject = STR("a"), .text = STR("b")};
    int64_t begun_us = clock_mono_us();
    for (int32_t i = 0; i < m->under_way_max; i++)
        assert_int_equal(m->ops->send(m, &mail, on_done, &w), 0);
    assert_int_equal(m->ops->send(m, &mail, on_done, &w), ERR_FULL);
    int32_t under_way = m->under_way_max;
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    m->ops->close(m);
    assert_int_equal(w.done, under_way);
    assert_int_equal(w.last.result, MAIL_LATER);
    assert_true(clock_mono_us() - begun_us < 20 * US_PER_S);
    server_stop(&s);
}

/* A port that nobody listens on. */
static void test_away(void **state) {
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    struct server s = {.port = ntohs(at.sin_port)};
    URL_OF(url, "smtp://", s);
    struct mail_outcome out = once(&(struct curl_mailer_options){.url = url}, "kim@example.com");
    assert_int_equal(out.result, MAIL_LATER);
    assert_int_equal(out.status, 0);
    close(fd);
    out = once(&(struct curl_mailer_options){.url = "smtp://no-such-host.invalid"},
               "kim@example.com");
    assert_int_equal(out.result, MAIL_LATER);
}

static void test_tls(void **state) {
    (void)state;
    struct server s;
    char line[4096];
    server_start(&s, "starttls");
    URL_OF(url, "smtp://", s);
    struct curl_mailer_options o = {.url = url, .ca_file = certificate};
    assert_int_equal(once(&o, "kim@example.com").result, MAIL_SENT); /* auto takes it */
    assert_non_null(fgets(line, sizeof(line), s.said));
    assert_true(has(line, "'tls': True"));
    o.tls = MAIL_TLS_OFF;
    assert_int_equal(once(&o, "kim@example.com").result, MAIL_SENT);
    assert_non_null(fgets(line, sizeof(line), s.said));
    assert_true(has(line, "'tls': False"));
    o.tls = MAIL_TLS_REQUIRED;
    o.ca_file = NULL; /* nobody vouches for it */
    assert_int_equal(once(&o, "kim@example.com").result, MAIL_LATER);
    server_stop(&s);

    server_start(&s, "smtps");
    URL_OF(smtps, "smtps://", s);
    o = (struct curl_mailer_options){.url = smtps, .ca_file = certificate};
    assert_int_equal(once(&o, "kim@example.com").result, MAIL_SENT);
    o.ca_file = NULL;
    assert_int_equal(once(&o, "kim@example.com").result, MAIL_LATER);
    server_stop(&s);
}

static void test_user(void **state) {
    (void)state;
    struct server s;
    char line[4096];
    server_start(&s, "auth");
    URL_OF(url, "smtp://kim%40home:p%20ss%3Aw%2Frd@", s);
    struct curl_mailer_options o = {.url = url, .ca_file = certificate};
    assert_int_equal(once(&o, "kim@example.com").result, MAIL_SENT);
    assert_non_null(fgets(line, sizeof(line), s.said));
    assert_true(has(line, "'tls': True") && has(line, "'user': True"));
    URL_OF(wrong, "smtp://kim%40home:other@", s);
    o.url = wrong; /* an operator will mend it: the message waits */
    assert_int_equal(once(&o, "kim@example.com").result, MAIL_LATER);
    URL_OF(nobody, "smtp://", s);
    o.url = nobody;
    assert_int_equal(once(&o, "kim@example.com").result, MAIL_LATER);
    server_stop(&s);
    /* A password never goes over a connection that has no TLS. */
    server_start(&s, "plain");
    URL_OF(plain, "smtp://kim:secret@", s);
    o = (struct curl_mailer_options){.url = plain};
    assert_int_equal(once(&o, "kim@example.com").result, MAIL_LATER);
    server_stop(&s);
}

static void test_wrong_options(void **state) {
    (void)state;
    struct arena a;
    struct str why;
    struct mailer *m;
    arena_init(&a, 1024);
    const struct curl_mailer_options wrong[] = {
        {.url = "smtp://host", .from = "nobody"},
        {.url = "smtp://host", .from = "a@b.c\r\nBcc: d@e.f"},
        {.url = "smtp://ho st", .from = "a@b.c"},
        {.url = "smtp://host:99999", .from = "a@b.c"},
        {.url = "smtp://host", .from = "a@b.c", .ca_file = "/no/such"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(curl_mailer_open(&wrong[i], &a, &m, &why), ERR_INVALID);
    arena_free(&a);
}

static int make_certificate(void **state) {
    (void)state;
    char command[512];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(certificate, sizeof(certificate), "%s/cert.pem", folder);
    snprintf(key, sizeof(key), "%s/key.pem", folder);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
             "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
             key, certificate);
    return system(command); /* NOLINT(cert-env33-c): a fixed command, for the test's own files */
}

static int remove_certificate(void **state) {
    (void)state;
    unlink(certificate);
    unlink(key);
    return rmdir(folder);
}

int main(int argc, char *argv[]) {
    CHECK(argc == 2);
    server_script = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrives_whole), cmocka_unit_test(test_what_the_server_says),
        cmocka_unit_test(test_slow),          cmocka_unit_test(test_away),
        cmocka_unit_test(test_tls),           cmocka_unit_test(test_user),
        cmocka_unit_test(test_wrong_options),
    };
    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
