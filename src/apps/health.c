/* `lorry health`: asks a running server whether it is ready. For containers and scripts, which then
 * need no other program that speaks HTTP.
 */
#include "apps/commands.h"
#include "apps/settings.h"
#include "base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX 1024

static const struct config_setting asking[] = {
    {.key = "health_timeout_s",
     .kind = CONFIG_DURATION,
     .fallback = "3",
     .min = 1,
     .max = 60,
     .help = "How long it may take to answer"},
};
static const struct config_table table = {"Asking", asking, (int32_t)COUNT_OF(asking)};
const struct config_table *const health_tables[] = {&settings_server, &table, NULL};

/* Where a server that listens at HOST can be reached from here. Returns the length, 0 if HOST is no
 * address. */
static socklen_t reach(const char *host, int port, struct sockaddr_storage *ret) {
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        if (four->sin_addr.s_addr == htonl(INADDR_ANY))
            four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return sizeof(*four);
    }
    if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1)
        return 0;
    if (IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr))
        six->sin6_addr = in6addr_loopback;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    return sizeof(*six);
}

/* The status of GET /readyz, -1 with errno if there is no answer. */
static int ask(const struct sockaddr *address, socklen_t len, int64_t timeout_s) {
    static const char request[] =
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char answer[ANSWER_BYTES_MAX + 1];
    size_t got = 0;
    ssize_t n = 0;
    struct timeval timeout = {.tv_sec = timeout_s};
    int status = -1, fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, address, len) == 0 &&
        send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(request) - 1) {
        do {
            n = recv(fd, answer + got, ANSWER_BYTES_MAX - got, 0);
            got += n > 0 ? (size_t)n : 0;
        } while (n > 0 && got < ANSWER_BYTES_MAX);
        answer[got] = '\0';
        if (got > 12 && strncmp(answer, "HTTP/1.1 ", 9) == 0)
            status = (int)strtol(answer + 9, NULL, 10);
        else if (n == 0)
            errno = EPROTO;
    }
    int saved = errno;
    close(fd);
    errno = saved == EAGAIN || saved == EINPROGRESS ? ETIMEDOUT : saved;
    return status;
}

int command_health(struct config *c) {
    struct sockaddr_storage address;
    const char *host = config_host(c, "listen");
    int port = config_port(c, "listen");
    socklen_t len = reach(host, port, &address);
    if (len == 0 || port == 0) {
        fprintf(stderr, "lorry: %s port %d is nothing that could be asked\n", host, port);
        return 2;
    }
    int status = ask((const struct sockaddr *)&address, len, config_int(c, "health_timeout_s"));
    if (status < 0)
        fprintf(stderr, "lorry: no answer from %s port %d: %s\n", host, port, strerror(errno));
    else
        printf("%s\n", status == 200 ? "ready" : "not ready");
    return status == 200 ? 0 : 1;
}
