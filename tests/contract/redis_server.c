#include "redis_server.h"

#include "base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_US (20 * US_PER_S)

bool redis_server_installed(void) {
    const char *const at[] = {"/usr/bin/redis-server", "/usr/local/bin/redis-server"};
    for (int i = 0; i < 2; i++)
        if (access(at[i], X_OK) == 0)
            return true;
    printf("redis-server is not installed (Debian: apt-get install redis-server)\n");
    return false;
}

static int free_port(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

void redis_server_init(struct redis_server *s, bool sentinel, const char *more) {
    *s = (struct redis_server){.port = free_port(), .sentinel = sentinel};
    snprintf(s->folder, sizeof s->folder, "/tmp/lorry-redis-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->url, sizeof s->url, "redis://127.0.0.1:%d", s->port);
    snprintf(s->more, sizeof s->more, "%s", more ? more : "");
}

static void configure(const struct redis_server *s, char *path, size_t cap) {
    snprintf(path, cap, "%s/redis.conf", s->folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "bind 127.0.0.1\nport %d\ndir %s\nlogfile %s/log\n", s->port, s->folder, s->folder);
    if (!s->sentinel)
        fprintf(f, "save \"\"\nappendonly no\nunixsocket %s/socket\nrepl-diskless-sync-delay 0\n",
                s->folder);
    fprintf(f, "%s\n", s->more);
    fclose(f);
}

static bool answers(const struct redis_server *s) {
    redisContext *c = redisConnect("127.0.0.1", s->port);
    redisReply *r = c && !c->err ? redisCommand(c, "PING") : NULL;
    bool there = r != NULL; /* also if it wants a password first */
    if (r)
        freeReplyObject(r);
    if (c)
        redisFree(c);
    return there;
}

void redis_server_start(struct redis_server *s) {
    char path[128];
    configure(s, path, sizeof path);
    pid_t parent = getpid();
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        execlp("redis-server", "redis-server", path, s->sentinel ? "--sentinel" : (char *)NULL,
               (char *)NULL);
        _exit(127);
    }
    const int64_t since_us = clock_mono_us();
    while (!answers(s)) {
        if (clock_mono_us() - since_us > START_US || waitpid(s->pid, NULL, WNOHANG) != 0)
            fail_msg("redis-server does not start; its log is %s/log", s->folder);
        usleep(10000);
    }
}

void redis_server_signal(const struct redis_server *s, int signal) {
    assert_true(s->pid > 0);
    assert_int_equal(kill(s->pid, signal), 0);
}

void redis_server_kill(struct redis_server *s) {
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

void redis_server_free(struct redis_server *s) {
    static const char *const files[] = {"redis.conf", "log", "socket"};
    char path[128];
    redis_server_kill(s);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", s->folder, files[i]);
        unlink(path);
    }
    rmdir(s->folder);
}

struct redisReply *redis_server_do(const struct redis_server *s, const char *format, ...) {
    va_list args;
    redisContext *c = redisConnect("127.0.0.1", s->port);
    assert_true(c && !c->err);
    va_start(args, format);
    redisReply *r = redisvCommand(c, format, args);
    va_end(args);
    assert_non_null(r);
    if (r->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, r->str);
    redisFree(c);
    return r;
}

long long redis_server_number(const struct redis_server *s, const char *command) {
    redisReply *r = redis_server_do(s, command);
    long long n = r->type == REDIS_REPLY_INTEGER ? r->integer
                  : r->str                       ? strtoll(r->str, 0, 10)
                                                 : -1;
    freeReplyObject(r);
    return n;
}
