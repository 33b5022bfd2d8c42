/* Real Redis servers for tests: on 127.0.0.1 and free ports, in a temporary folder, without any
 * persistence, ended with the test.
 */
#ifndef LORRY_TESTS_REDIS_SERVER_H
#define LORRY_TESTS_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct redis_server {
    int port;
    pid_t pid; /* 0: not running */
    char folder[64];
    char url[80];
    char more[512]; /* lines of its configuration */
    bool sentinel;
};

/* False, having said why: there is no redis-server on this machine. */
bool redis_server_installed(void);
/* MORE: lines of configuration, may be NULL. */
void redis_server_init(struct redis_server *s, bool sentinel, const char *more);
void redis_server_start(struct redis_server *s); /* also again; on the same port, with no memory */
void redis_server_kill(struct redis_server *s);  /* SIGKILL */
void redis_server_signal(const struct redis_server *s, int signal);
void redis_server_free(struct redis_server *s);

struct redisReply;
/* One command on a connection of its own; fails the test on an error. Free with freeReplyObject. */
struct redisReply *redis_server_do(const struct redis_server *s, const char *format, ...);
long long redis_server_number(const struct redis_server *s, const char *command);

#endif
