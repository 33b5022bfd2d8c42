#include "mongo_proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PAIRS_MAX 32
#define CHUNK_MAX 65536

struct pair {
    int client, server; /* -1: free */
    bool drops_answer;
};

struct mongo_proxy {
    int listener, port, server_port;
    pthread_t thread;
    _Atomic bool stop, happened, hole, mend;
    _Atomic int mishap;
    struct pair pairs[PAIRS_MAX];
    char *ghost;
    size_t ghost_len;
};

static int dial(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

static void cut(struct pair *p) {
    close(p->client);
    close(p->server);
    *p = (struct pair){.client = -1, .server = -1};
}

static void welcome(struct mongo_proxy *p) {
    int client = accept(p->listener, NULL, NULL), server = dial(p->server_port);
    for (int i = 0; server >= 0 && i < PAIRS_MAX; i++) {
        if (p->pairs[i].client < 0) {
            p->pairs[i] = (struct pair){.client = client, .server = server};
            return;
        }
    }
    close(client);
    if (server >= 0)
        close(server);
}

static bool send_all(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static size_t read_whole(int fd, char *bytes, size_t have) { /* of a message that has begun */
    uint32_t want;
    while (have < CHUNK_MAX) {
        if (have >= 4) {
            memcpy(&want, bytes, 4);
            if (have >= want)
                break;
        }
        ssize_t n = recv(fd, bytes + have, CHUNK_MAX - have, 0);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    return have;
}

/* True: PAIR is gone, or the chunk is. */
static bool suffer(struct mongo_proxy *p, struct pair *pair, char *bytes, size_t len) {
    if (p->mishap == MISHAP_NONE || !memmem(bytes, len, "\x02update", 8))
        return false;
    int mishap = p->mishap;
    p->mishap = MISHAP_NONE;
    if (mishap == MISHAP_LOSE_ANSWER) {
        pair->drops_answer = true;
        send_all(pair->server, bytes, len);
        return true;
    }
    if (mishap == MISHAP_HOLE) {
        p->hole = true;
    } else {
        if (mishap == MISHAP_GHOST) {
            len = read_whole(pair->client, bytes, len);
            p->ghost = malloc(len);
            memcpy(p->ghost, bytes, len);
            p->ghost_len = len;
        }
        cut(pair);
    }
    p->happened = true;
    return true;
}

static void pass(struct mongo_proxy *p, struct pair *pair, bool from_client) {
    static char bytes[CHUNK_MAX]; /* one proxy thread */
    int from = from_client ? pair->client : pair->server;
    int to = from_client ? pair->server : pair->client;
    ssize_t n = recv(from, bytes, sizeof bytes, 0);
    bool drops = n > 0 && !from_client && pair->drops_answer;
    if (n > 0 && !drops) {
        if (from_client && suffer(p, pair, bytes, (size_t)n))
            return;
        if (send_all(to, bytes, (size_t)n))
            return;
    }
    cut(pair);
    p->happened = p->happened || drops;
}

static void *carry(void *arg) {
    struct mongo_proxy *p = arg;
    while (!p->stop) {
        struct pollfd fds[PAIRS_MAX][2], listener = {.fd = p->listener, .events = POLLIN};
        for (int i = 0; i < PAIRS_MAX; i++) {
            fds[i][0] = (struct pollfd){.fd = p->hole ? -1 : p->pairs[i].client, .events = POLLIN};
            fds[i][1] = (struct pollfd){.fd = p->hole ? -1 : p->pairs[i].server, .events = POLLIN};
        }
        if (p->mend) {
            for (int i = 0; i < PAIRS_MAX; i++)
                if (p->pairs[i].client >= 0)
                    cut(&p->pairs[i]);
            p->hole = p->mend = false;
            continue;
        }
        poll((struct pollfd *)fds, (nfds_t)2 * PAIRS_MAX, 5);
        for (int i = 0; i < PAIRS_MAX; i++) {
            if (fds[i][0].revents && p->pairs[i].client == fds[i][0].fd)
                pass(p, &p->pairs[i], true);
            if (fds[i][1].revents && p->pairs[i].server == fds[i][1].fd)
                pass(p, &p->pairs[i], false);
        }
        if (poll(&listener, 1, 0) == 1)
            welcome(p);
    }
    return NULL;
}

struct mongo_proxy *mongo_proxy_new(int server_port) {
    struct mongo_proxy *p = calloc(1, sizeof *p);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_non_null(p);
    p->server_port = server_port;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(p->listener, 16), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &len), 0);
    p->port = ntohs(a.sin_port);
    for (int i = 0; i < PAIRS_MAX; i++)
        p->pairs[i] = (struct pair){.client = -1, .server = -1};
    assert_int_equal(pthread_create(&p->thread, NULL, carry, p), 0);
    return p;
}

int mongo_proxy_port(const struct mongo_proxy *p) {
    return p->port;
}

void mongo_proxy_expect(struct mongo_proxy *p, enum mongo_mishap m) {
    p->happened = false;
    p->mishap = (int)m;
}

bool mongo_proxy_happened(struct mongo_proxy *p) {
    return p->happened;
}

void mongo_proxy_release(struct mongo_proxy *p) {
    char answer[1024];
    int fd = dial(p->server_port);
    assert_non_null(p->ghost);
    assert_true(fd >= 0 && send_all(fd, p->ghost, p->ghost_len));
    assert_true(recv(fd, answer, sizeof answer, 0) > 16);
    close(fd);
    free(p->ghost);
    p->ghost = NULL;
}

void mongo_proxy_mend(struct mongo_proxy *p) {
    p->mend = true;
    while (p->mend)
        usleep(1000);
}

void mongo_proxy_free(struct mongo_proxy *p) {
    p->stop = true;
    pthread_join(p->thread, NULL);
    for (int i = 0; i < PAIRS_MAX; i++)
        if (p->pairs[i].client >= 0)
            cut(&p->pairs[i]);
    close(p->listener);
    free(p->ghost);
    free(p);
}
