/* Sockets that listen, and who comes in.
 *
 * All threads listen on one port with sockets of their own, and the kernel spreads connections over
 * them. SO_REUSEPORT alone would let a second server of the same user join in silently, so the
 * first socket is bound and listens without it: the kernel then refuses the port to exactly one of
 * two rivals. Only after that the first socket is opened to the group, and the others join it.
 *
 * Accepting is done here and not by uv_listen(), which goes round and round while there are no
 * descriptors. When they run out, the thread stops asking until it next looks at its time-outs; who
 * wants in waits in the kernel's queue meanwhile.
 */
#include "adapters/http/internal.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool listen_address(const char *text, int port, struct sockaddr_storage *ret_address,
                           socklen_t *ret_len) {
    struct sockaddr_storage a = {0};
    if (uv_ip4_addr(text, port, (struct sockaddr_in *)&a) == 0) {
        *ret_len = sizeof(struct sockaddr_in);
    } else if (uv_ip6_addr(text, port, (struct sockaddr_in6 *)&a) == 0) {
        *ret_len = sizeof(struct sockaddr_in6);
    } else {
        return false;
    }
    *ret_address = a;
    return true;
}

/* A bound socket, or -errno. Accepted sockets inherit TCP_NODELAY from it. */
static int socket_bound(const struct sockaddr_storage *a, socklen_t len, bool shared) {
    int on = 1;
    int fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        bind(fd, (const struct sockaddr *)a, len) != 0) {
        int e = errno;
        close(fd);
        return -e;
    }
    return fd;
}

/* False: nobody is there, or nobody can be let in now. */
static bool accept_one(struct http_thread *t) {
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int fd = accept4(t->listen_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        bool scarce = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
        if (scarce) {
            if (!t->accept_warned)
                log_warn(t->options->log, "cannot accept connections now: %s", strerror(errno));
            t->accept_paused = t->accept_warned = true;
            uv_poll_stop(&t->listener);
        }
        return !scarce && errno != EAGAIN;
    }
    struct remote who;
    if (atomic_load(&t->server->connections) >= t->options->limits.connections_max ||
        !remote_enter(t->server, (struct sockaddr *)&peer, &who)) {
        COUNT(t->counters.refused, 1);
        close(fd);
        return true;
    }
    t->accept_warned = false;
    if (conn_begin(t, fd, &who))
        COUNT(t->counters.accepted, 1);
    return true;
}

static void on_acceptable(uv_poll_t *handle, int status, int events) {
    (void)events;
    struct http_thread *t = handle->data;
    for (int i = 0; i < ACCEPTS_MAX && status == 0 && accept_one(t); i++)
        ;
}

void accept_rest(struct http_thread *t) {
    for (int i = 0; i < LISTEN_BACKLOG && t->listen_fd >= 0 && accept_one(t); i++)
        ;
}

void accept_resume(struct http_thread *t) {
    if (!t->accept_paused || t->listen_fd < 0)
        return;
    t->accept_paused = false;
    uv_poll_start(&t->listener, UV_READABLE, on_acceptable);
}

void accept_close(struct http_thread *t) {
    if (t->listen_fd < 0)
        return;
    uv_close((uv_handle_t *)&t->listener, NULL);
    close(t->listen_fd);
    t->listen_fd = -1;
}

/* Makes thread T listen on FD, which is its own afterwards. 0 or -errno. */
static int thread_listen(struct http_thread *t, int fd) {
    if (listen(fd, LISTEN_BACKLOG) != 0) {
        int e = errno;
        close(fd);
        return -e;
    }
    int r = uv_poll_init(&t->loop, &t->listener, fd);
    if (r != 0) {
        close(fd);
        return r;
    }
    t->listen_fd = fd;
    t->listener.data = t;
    return uv_poll_start(&t->listener, UV_READABLE, on_acceptable);
}

int accept_open(struct http_server *s, int *ret_port) {
    struct sockaddr_storage a;
    socklen_t len;
    if (!listen_address(s->options.address, s->options.port, &a, &len))
        return -EADDRNOTAVAIL;
    int on = 1, first = socket_bound(&a, len, false);
    if (first < 0)
        return first;
    int r = thread_listen(s->threads[0], first);
    if (r != 0)
        return r;
    if (getsockname(first, (struct sockaddr *)&a, &len) != 0 ||
        setsockopt(first, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return -errno;
    for (int32_t i = 1; i < s->thread_count; i++) {
        int fd = socket_bound(&a, len, true);
        r = fd < 0 ? fd : thread_listen(s->threads[i], fd);
        if (r != 0)
            return r;
    }
    *ret_port = ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port
                                             : ((struct sockaddr_in6 *)&a)->sin6_port);
    return 0;
}
