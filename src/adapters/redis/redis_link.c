/* Connecting: one step after the other, each with an end, on the thread that has nothing better to
 * do meanwhile. Resolving a name is the one thing that has no end of its own (the resolver's).
 */
#include "adapters/redis/redis_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int refuse(struct redis *r, const char *what, const char *detail) {
    snprintf(r->why, sizeof r->why, "%s%s%s", what, detail ? ": " : "", detail ? detail : "");
    return ERR_UNAVAILABLE;
}

static redisContext *hang_up(redisContext *c) {
    if (c)
        redisFree(c);
    return NULL;
}

/* A connection that is there, or NULL. */
static redisContext *dial(struct redis *r, const struct redis_address *a, int64_t until_us) {
    redisContext *c =
        a->port > 0 ? redisConnectNonBlock(a->host, a->port) : redisConnectUnixNonBlock(a->host);
    CHECK(c);
    int error = 0;
    socklen_t len = sizeof error;
    if (c->err) {
        refuse(r, "cannot connect", c->errstr);
        return hang_up(c);
    }
    if (!redis_wait_fd(r, c->fd, POLLOUT, until_us)) {
        refuse(r, "cannot connect", "no answer");
        return hang_up(c);
    }
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0) {
        refuse(r, "cannot connect", strerrordesc_np(error));
        return hang_up(c);
    }
    return c;
}

/* The answer to one command, which is the caller's; NULL: none, or an error. */
__attribute__((format(printf, 4, 5))) static redisReply *
ask(struct redis *r, redisContext *c, int64_t until_us, const char *format, ...) {
    va_list args;
    void *reply = NULL;
    int done = 0;
    va_start(args, format);
    int err = redisvAppendCommand(c, format, args);
    va_end(args);
    while (err == REDIS_OK && !done) {
        err = redisBufferWrite(c, &done);
        if (err == REDIS_OK && !done && !redis_wait_fd(r, c->fd, POLLOUT, until_us))
            break;
    }
    while (err == REDIS_OK && done) {
        err = redisGetReply(c, &reply);
        if (err != REDIS_OK || reply || !redis_wait_fd(r, c->fd, POLLIN, until_us))
            break;
        err = redisBufferRead(c);
    }
    redisReply *answer = reply;
    if (!answer)
        refuse(r, err == REDIS_OK ? "no answer in time" : "the connection broke",
               err == REDIS_OK ? NULL : c->errstr);
    else if (answer->type == REDIS_REPLY_ERROR)
        refuse(r, "the server refused", answer->str);
    else
        return answer;
    if (answer)
        freeReplyObject(answer);
    return NULL;
}

static bool told(redisReply *reply) {
    if (reply)
        freeReplyObject(reply);
    return reply != NULL;
}

static bool is_text(const redisReply *r) {
    return r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS;
}

static bool text_of(redisReply *reply, char *to, size_t cap) {
    bool fits = reply && is_text(reply) && (size_t)reply->len < cap && reply->len > 0;
    if (fits)
        memcpy(to, reply->str, (size_t)reply->len + 1);
    if (reply)
        freeReplyObject(reply);
    return fits;
}

/* The server of the moment: asks one sentinel after the other. */
static int locate(struct redis *r, struct redis_address *ret) {
    if (r->url.master[0] == '\0') {
        *ret = r->url.hosts[0];
        return 0;
    }
    for (int i = 0; i < r->url.host_count; i++) {
        const struct redis_address *a = &r->url.hosts[(r->next_host + i) % r->url.host_count];
        int64_t until_us = clock_mono_us() + REDIS_ANSWER_US;
        redisContext *c = dial(r, a, until_us);
        redisReply *reply =
            c ? ask(r, c, until_us, "SENTINEL get-master-addr-by-name %s", r->url.master) : NULL;
        bool known = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                     is_text(reply->element[0]) && is_text(reply->element[1]) &&
                     (size_t)reply->element[0]->len < sizeof ret->host;
        if (known) {
            memcpy(ret->host, reply->element[0]->str, (size_t)reply->element[0]->len + 1);
            ret->port = (int)strtol(reply->element[1]->str, NULL, 10);
        } else if (reply) {
            refuse(r, "a sentinel does not know the master", r->url.master);
        }
        told(reply);
        hang_up(c);
        if (known && ret->port > 0)
            return 0;
    }
    r->next_host++; /* another one first the next time */
    return ERR_UNAVAILABLE;
}

static bool sign_in(struct redis *r, redisContext *c, int64_t until_us) {
    const struct redis_url *u = &r->url;
    if (u->password[0] != '\0' &&
        !told(u->user[0] != '\0' ? ask(r, c, until_us, "AUTH %s %s", u->user, u->password)
                                 : ask(r, c, until_us, "AUTH %s", u->password)))
        return false;
    return u->db == 0 || told(ask(r, c, until_us, "SELECT %d", u->db));
}

/* A replica takes no writes; one that has just been deposed may not know it yet, its clients are
 * cut off when it does. */
static bool is_master(struct redis *r, redisContext *c, int64_t until_us) {
    redisReply *reply = ask(r, c, until_us, "ROLE");
    bool master = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                  is_text(reply->element[0]) && strcmp(reply->element[0]->str, "master") == 0;
    if (reply && !master)
        refuse(r, "the server is a replica", NULL);
    told(reply);
    return master;
}

/* Who finds no epoch, names one: the server's memory is new. */
static bool know_epoch(struct redis *r, struct redis_link *l, int64_t until_us) {
    char fresh[REDIS_EPOCH_TEXT];
    snprintf(fresh, sizeof fresh, "%016llx", (unsigned long long)rng_next(&r->rng));
    redisReply *reply = ask(r, l->commands, until_us, "SET %s %s NX", r->epoch_key, fresh);
    return told(reply) && text_of(ask(r, l->commands, until_us, "GET %s", r->epoch_key), l->epoch,
                                  sizeof l->epoch);
}

/* In one command: from its first answer on messages may come between. The other answers are met by
 * the loop, which ignores them. */
static bool subscribe(struct redis *r, redisContext *c, int64_t until_us) {
    return told(ask(r, c, until_us, "SUBSCRIBE %s %s %s", r->to_me,
                    r->cache ? r->to_cache : r->to_me, r->signals ? r->to_signals : r->to_me));
}

int redis_link_open(struct redis *r, struct redis_link *l, const char **ret_why) {
    struct redis_address a;
    int64_t until_us;
    *l = (struct redis_link){0};
    *ret_why = r->why;
    if (locate(r, &a) < 0)
        return ERR_UNAVAILABLE;
    until_us = clock_mono_us() + REDIS_ANSWER_US;
    l->commands = dial(r, &a, until_us);
    if (l->commands && sign_in(r, l->commands, until_us) && is_master(r, l->commands, until_us) &&
        text_of(ask(r, l->commands, until_us, "SCRIPT LOAD %s", redis_sync_script), l->sync_sha,
                sizeof l->sync_sha) &&
        text_of(ask(r, l->commands, until_us, "SCRIPT LOAD %s", redis_read_script), l->read_sha,
                sizeof l->read_sha) &&
        know_epoch(r, l, until_us) && (l->heard = dial(r, &a, until_us)) &&
        sign_in(r, l->heard, until_us) && subscribe(r, l->heard, until_us))
        return 0;
    redis_link_close(l);
    return ERR_UNAVAILABLE;
}

void redis_link_close(struct redis_link *l) {
    l->commands = hang_up(l->commands);
    l->heard = hang_up(l->heard);
}
