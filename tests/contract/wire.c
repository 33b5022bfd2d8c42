#include "wire.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/timestamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_MAX 64
#define TICK_MS 10

struct link {
    int client, server;
};

struct wire {
    pthread_t thread;
    int listener, port, server_port;
    _Atomic enum wire_mode mode;
    _Atomic int64_t cut_at_us; /* 0: not */
    _Atomic bool stop;
    struct link links[LINKS_MAX];
    int count;
};

static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void take_link(struct wire *w) {
    struct sockaddr_in a = loopback(w->server_port);
    int client = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0)
        return;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(server >= 0);
    if (w->count == LINKS_MAX || connect(server, (struct sockaddr *)&a, sizeof a) < 0) {
        close(client);
        close(server);
        return;
    }
    w->links[w->count++] = (struct link){client, server};
}

static void drop_link(struct wire *w, int i) {
    close(w->links[i].client);
    close(w->links[i].server);
    w->links[i] = w->links[--w->count];
}

/* False: one of the two is gone. */
static bool carry(int from, int to, bool lose) {
    char bytes[65536];
    ssize_t n = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    for (ssize_t at = 0; at < n && !lose;) {
        ssize_t sent = send(to, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        at += sent;
    }
    return n > 0;
}

static void turn(struct wire *w) {
    struct pollfd p[1 + 2 * LINKS_MAX] = {{.fd = w->listener, .events = POLLIN}};
    int links = w->count;
    short wanted = w->mode == WIRE_FROZEN ? 0 : POLLIN;
    for (int i = 0; i < links; i++) {
        p[1 + 2 * i] = (struct pollfd){.fd = w->links[i].client, .events = wanted};
        p[2 + 2 * i] = (struct pollfd){.fd = w->links[i].server, .events = wanted};
    }
    if (poll(p, (nfds_t)links * 2 + 1, TICK_MS) < 0)
        return;
    enum wire_mode mode = w->mode;         /* now: it may have changed while nothing came */
    for (int i = links - 1; i >= 0; i--) { /* backwards: the last one takes a dropped one's place */
        struct link l = w->links[i];
        if (mode == WIRE_FROZEN)
            continue;
        if ((p[1 + 2 * i].revents && !carry(l.client, l.server, mode == WIRE_MUTE)) ||
            (p[2 + 2 * i].revents && !carry(l.server, l.client, mode == WIRE_DEAF)))
            drop_link(w, i);
    }
    if (p[0].revents)
        take_link(w);
}

static void *run(void *arg) {
    struct wire *w = arg;
    while (!w->stop) {
        int64_t cut_at_us = w->cut_at_us;
        if (cut_at_us && clock_mono_us() >= cut_at_us) {
            while (w->count)
                drop_link(w, w->count - 1);
            w->mode = WIRE_PASS;
            w->cut_at_us = 0;
        }
        turn(w);
    }
    while (w->count)
        drop_link(w, w->count - 1);
    return NULL;
}

struct wire *wire_new(int server_port) {
    struct wire *w = xcalloc(1, sizeof *w);
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof a;
    w->server_port = server_port;
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(w->listener >= 0 && bind(w->listener, (struct sockaddr *)&a, len) == 0 &&
          listen(w->listener, 16) == 0 &&
          getsockname(w->listener, (struct sockaddr *)&a, &len) == 0);
    w->port = ntohs(a.sin_port);
    CHECK(pthread_create(&w->thread, NULL, run, w) == 0);
    return w;
}

int wire_port(const struct wire *w) {
    return w->port;
}

void wire_set(struct wire *w, enum wire_mode mode) {
    w->mode = mode;
}

void wire_cut_in(struct wire *w, int ms) {
    w->cut_at_us = clock_mono_us() + ms * US_PER_MS;
}

struct wire *wire_free(struct wire *w) {
    w->stop = true;
    pthread_join(w->thread, NULL);
    close(w->listener);
    free(w);
    return NULL;
}
