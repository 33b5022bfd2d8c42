/* A manual bench, not a test: the smallest application there is behind the server.
 *
 *   bench-http serve [WORKERS] [PORT]   answers {"ok":true} to everything, accepts WebSockets;
 *                                       for wrk. Ends with SIGINT.
 *   bench-http idle COUNT               opens COUNT WebSockets to itself and prints what each costs
 *                                       in user space
 */
#include "adapters/http/server.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_text(struct socket *s, struct str message) {
    struct frame *f = frame_new(message);
    s->ops->send(s, f);
    frame_unref(f);
}
static void on_nothing(struct socket *s) {
    (void)s;
}
static const struct socket_events events = {
    .text = on_text, .drained = on_nothing, .closed = on_nothing};

static void on_request(void *app, struct call *c) {
    (void)app;
    if (c->request.upgrade) {
        c->accept(c, STR_NONE, &events, NULL);
        return;
    }
    c->response.status = 200;
    c->response.body = STR("{\"ok\":true}");
    c->reply(c);
}

static struct http_server *serve(int workers, int port, int *ret_port) {
    struct http_options o = {.address = "127.0.0.1",
                             .port = port,
                             .workers = workers,
                             .limits = http_limits_default,
                             .request = on_request};
    struct http_server *s;
    const char *why = "";
    if (http_start(&o, &s, ret_port, &why) != 0) {
        fprintf(stderr, "cannot start: %s\n", why);
        exit(1);
    }
    return s;
}

static int serve_until_signal(int workers, int port) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct http_server *s = serve(workers, port, &port);
    printf("http://127.0.0.1:%d\n", port);
    fflush(stdout);
    int signal;
    sigwait(&set, &signal);
    struct http_counters n;
    http_counters_read(s, &n);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu_us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    printf("requests %llu, connections %llu, %.2f µs of processor time a request (%.0f %% user)\n",
           (unsigned long long)n.requests, (unsigned long long)n.connections_accepted,
           n.requests > 0 ? cpu_us / (double)n.requests : 0,
           ((double)used.ru_utime.tv_sec * 1e6 + (double)used.ru_utime.tv_usec) * 100 / cpu_us);
    http_free(s);
    return 0;
}

static int connect_socket(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    static const char ask[] = "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char got[512];
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        write(fd, ask, sizeof ask - 1) != (ssize_t)sizeof ask - 1 || read(fd, got, sizeof got) < 12)
        return -1;
    return fd;
}

static long resident_bytes(void) {
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL && fscanf(f, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (f != NULL)
        fclose(f);
    return resident * sysconf(_SC_PAGESIZE);
}

/* The clients live in a child, so that what is measured is the server alone. */
static int idle(int count) {
    int port, done[2];
    if (pipe(done) != 0)
        return 1;
    struct http_server *s = serve(1, 0, &port);
    struct http_counters n;
    long before = resident_bytes();
    pid_t child = fork();
    if (child == 0) {
        int made = 0;
        while (made < count && connect_socket(port) >= 0)
            made++;
        if (made < count)
            fprintf(stderr, "only %d connected\n", made);
        if (write(done[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    char byte;
    if (read(done[0], &byte, 1) != 1)
        return 1;
    http_counters_read(s, &n);
    long after = resident_bytes();
    printf("sockets %lld, resident %.1f MB before, %.1f MB after: %ld bytes each\n",
           (long long)n.sockets_open, (double)before / 1e6, (double)after / 1e6,
           n.sockets_open > 0 ? (after - before) / (long)n.sockets_open : 0);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    http_free(s);
    return 0;
}

int main(int argc, char **argv) {
    struct rlimit files = {20000, 20000};
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc >= 3 && strcmp(argv[1], "idle") == 0)
        return idle(atoi(argv[2]));
    if (argc >= 2 && strcmp(argv[1], "serve") == 0)
        return serve_until_signal(argc > 2 ? atoi(argv[2]) : 1, argc > 3 ? atoi(argv[3]) : 0);
    fprintf(stderr, "usage: bench-http serve [WORKERS] [PORT] | idle COUNT\n");
    return 2;
}
