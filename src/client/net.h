/* A client of Lorry's public surface on one libuv loop: keep-alive HTTP/1.1 connections and
 * WebSockets. For simulations and load: any number of connections, callbacks on the loop's thread.
 *
 * One thread owns a net and everything made from it. Everything is bounded by how many connections
 * the caller makes; a connection has one request on its way and at most NET_QUEUE_MAX waiting.
 */
#ifndef LORRY_CLIENT_NET_H
#define LORRY_CLIENT_NET_H

#include "base/str.h"

#include <stdint.h>

#define NET_QUEUE_MAX 64
#define NET_TIMEOUT_US                                                                             \
    (INT64_C(30) * 1000000) /* for an answer, or a handshake; looked at four times a second */

struct net;
struct net_conn;
struct net_socket;

struct net_answer {
    int status;      /* 0: no answer: refused, cut, timed out */
    struct str body; /* valid during the callback */
    int64_t took_us;
    int32_t retry_after_s; /* 0: not said */
};
typedef void (*net_answer_fn)(void *arg, const struct net_answer *answer);

/* URL: "http://127.0.0.1:8080" or "http://[::1]:8080"; no names but localhost. NULL and *RET_WHY
 * when it cannot be used. */
struct net *net_new(const char *url, const char **ret_why);
void net_free(
    struct net *n); /* closes everything; callbacks of what waits are called with status 0 */
void net_timeout(struct net *n, int64_t timeout_us); /* instead of NET_TIMEOUT_US */
/* Runs the loop until net_stop(); timers below fire in it. */
void net_run(struct net *n);
void net_stop(struct net *n);            /* the loop's thread */
int64_t net_now_us(const struct net *n); /* monotonic, of this turn of the loop */
/* Calls FN(ARG) once after DELAY. Returns a handle for net_cancel, valid until it has fired. */
struct net_timer *net_after(struct net *n, int64_t delay_us, void (*fn)(void *arg), void *arg);
void net_cancel(struct net_timer *t); /* NULL ok */
/* Calls FN(ARG) every PERIOD until net_cancel. */
struct net_timer *net_every(struct net *n, int64_t period_us, void (*fn)(void *arg), void *arg);

/* Connects when the first request comes, and again whenever it must. */
struct net_conn *net_conn_new(struct net *n);
void net_conn_free(struct net_conn *c);
struct net_request {
    const char *method;
    struct str path;
    struct str token;           /* bearer; absent: none */
    struct str idempotency_key; /* absent: none */
    struct str body;            /* JSON; absent: none. All copied. */
};
/* ANSWER is called exactly once. False (and it is not called): the queue is full. */
bool net_send(struct net_conn *c, const struct net_request *r, net_answer_fn answer, void *arg);
/* Requests sent raw and pipelined, for load: REQUEST is a whole HTTP request; answers come in
 * order. */
bool net_send_raw(struct net_conn *c, struct str request, net_answer_fn answer, void *arg);

struct net_socket_events {
    void (*open)(void *arg); /* the handshake is done */
    void (*text)(void *arg, struct str message);
    /* CODE is the server's, 0 if it left without one. Also after a handshake that failed: then it
     * is the HTTP status or 0. The socket is gone afterwards. */
    void (*closed)(void *arg, int code);
};
struct net_socket *net_socket_open(struct net *n, struct str path, struct str token,
                                   const struct net_socket_events *events, void *arg);
bool net_socket_send(struct net_socket *s, struct str text); /* false: not open */
void net_socket_close(struct net_socket *s);                 /* closed() follows */

#endif
