/* HTTP/1.1 and WebSocket on libuv, llhttp and wslay: N network threads, each with its own loop and
 * its own listening socket on the same port (SO_REUSEPORT; a port in use is refused all the same).
 *
 * Per connection: keep-alive, pipelined requests answered in order, chunked and fixed bodies,
 * Expect: 100-continue, limits and time-outs for head, body and idle connections. What is
 * malformed, too large or ambiguous is answered with a problem document and the connection is
 * closed.
 */
#ifndef LORRY_ADAPTERS_HTTP_SERVER_H
#define LORRY_ADAPTERS_HTTP_SERVER_H

#include "base/address.h"
#include "base/log.h"
#include "ports/clock.h"
#include "runtime/call.h"

struct http_limits {         /* 0 stands for the default */
    int32_t connections_max; /* of the whole server; more are closed at once; default 16384 */
    int32_t connections_per_address_max; /* the same for one address (of IPv6: a /64) that is no
                                            proxy's; 0, the default: no limit */
    int32_t head_bytes_max;              /* 431; default 16 KiB */
    int32_t body_bytes_max;              /* 413; default 1 MiB */
    int32_t pipeline_max; /* answers waiting on one connection before reading stops; default 64 */
    int32_t head_timeout_ms;  /* from the first byte to the end of the head: 408; default 10 s */
    int32_t body_timeout_ms;  /* for the whole body: 408, for a message: 1008; default 30 s */
    int32_t idle_timeout_ms;  /* between requests: closed; default 75 s */
    int32_t write_timeout_ms; /* no progress in sending: closed; default 30 s */
    int32_t drain_timeout_ms; /* how long a drain waits for what is in flight; default 10 s */
    int32_t drain_idle_ms;    /* how long it leaves idle connections open: a proxy may be sending on
                                 one right now, and is answered "Connection: close"; default 500 ms */
    int32_t calls_max;        /* of one thread, unanswered; more get 503; default 4096 */
    int64_t held_bytes_max;   /* bodies, unfinished messages and unsent output of one thread; with
                                 more, who has been at his for longest is cut off, and where that
                                 does not help requests get 503 and messages 1013; default 256 MiB
                               */
    int32_t linger_timeout_ms; /* for the other end to close after our last word; default 2 s */
    int32_t ping_ms;           /* a socket silent for so long is pinged; default 30 s */
    int32_t silence_ms;        /* a socket silent for so long is ended; default 75 s */
};
extern const struct http_limits http_limits_default;

struct http_options {
    const char *address; /* "127.0.0.1" */
    int port;            /* 0: any free one */
    int32_t workers;
    struct http_limits limits;
    /* Who passes on others' requests and says in X-Forwarded-For whose: the call's peer is the
     * first from the end of that header who is none of them. Must outlive the server. */
    const struct network *proxies;
    int32_t proxy_count;
    const struct log *log;
    const struct clock *clock;
    /* Called on each network thread before it listens: opens the reader, parser, rng of W. Returns
     * 0 or an error, which http_start gives back. worker_stop undoes it. */
    int (*worker_start)(void *app, struct worker *w);
    void (*worker_stop)(void *app, struct worker *w);
    /* Every whole request, on its network thread. Must lead to exactly one reply or accept. */
    void (*request)(void *app, struct call *c);
    /* Optional: how many bytes the body of such a request may have, where that is more than
     * limits.body_bytes_max. Asked on its network thread when its head says that it will, or not
     * how many. */
    size_t (*body_max)(void *app, struct str method, struct str path);
    /* Each TICK_MS on each network thread. */
    void (*tick)(void *app, struct worker *w, int64_t now_us);
    int32_t tick_ms; /* default 100 */
    void *app;
};

struct http_counters { /* sums over all workers; any thread */
    uint64_t requests, connections_accepted, connections_refused, bytes_in, bytes_out, frames_in,
        frames_out;
    int64_t connections_open, sockets_open, requests_in_flight;
};

struct http_server;

/* Starts the threads and listens. ERR_BUSY: the port is in use. On failure RET_WHY tells (static or
 * strerror text). */
int http_start(const struct http_options *o, struct http_server **ret_server, int *ret_port,
               const char **ret_why);
struct worker *http_worker(struct http_server *s, int32_t index);
void http_counters_read(struct http_server *s, struct http_counters *ret);
/* No new connections, from at once on; sockets are closed with 1001, what is in flight, or comes in
 * on a connection that is not closed yet, is finished or cut after the drain time-out; then the
 * threads end. Blocks; not from a network thread. */
void http_stop(struct http_server *s);
/* Stops first if need be. Calls that were cut may still be replied to until here, not later: end
 * whoever holds them first. Functions posted after the end of their thread never run. */
void http_free(struct http_server *s);

#endif
