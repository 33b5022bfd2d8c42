/* One HTTP request on its way through the house, and the answer to it. The HTTP adapter makes calls
 * from connections, the simulator makes them from nothing; services cannot tell.
 *
 * Owner: the worker (network thread) that made the call, until a handler hands it to an executor
 * with exec_submit(); then the executor, until call_reply(). Everything of a call lives in its
 * arena, which is freed by whoever made the call after the answer has left.
 */
#ifndef LORRY_RUNTIME_CALL_H
#define LORRY_RUNTIME_CALL_H

#include "base/arena.h"
#include "base/traceparent.h"
#include "base/units.h"
#include "ports/socket.h"
#include "ports/store.h"
#include "json/reader.h"

#define CALL_HEADERS_MAX 64    /* of a request */
#define RESPONSE_HEADERS_MAX 8 /* beside those the adapter writes */
#define CALL_BODY_BYTES_MAX ((size_t)1 << 20)
#define CALL_FILE_BYTES_MAX ((size_t)8 << 20) /* where the body is a file */

struct header {
    struct str name, value; /* request header names are lower case */
};

/* A network thread's own things. One per thread; handlers that run on it may use them freely. */
struct worker {
    int32_t index;
    struct json_parser *parser;
    struct store *reader; /* a reading handle of this thread */
    struct rng *rng;      /* for ids; seeded from the entropy port */
    /* Runs FN(ARG) on this worker's thread soon. False when its mailbox is full. Any thread. */
    bool (*post)(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);
    void *notification; /* the notification service's part of this worker (its sockets) */
    void *adapter;      /* the adapter's own */
};

struct identity {
    struct str user_id; /* "usr_…"; absent: nobody is signed in */
    struct str name, sid;
    enum role role;
    uint32_t scopes; /* SCOPE() bits of what he may do of all that his role may; 0: everything */
    int64_t expires_us;
};

struct request {
    struct str method, path, query; /* as on the wire; path without the query */
    struct header *headers;
    int32_t header_count;
    struct str body;
    struct str peer; /* address of the other end, text, no port */
    bool upgrade;    /* asks for a WebSocket, handshake headers sound */
};

struct response {
    int status;
    const char *content_type; /* NULL: application/json; charset=utf-8 when there is a body */
    struct str body;          /* in the call's arena, or static */
    struct header headers[RESPONSE_HEADERS_MAX];
    int32_t header_count;
};

struct call {
    struct request request;
    struct response response;
    struct arena arena;
    struct worker *worker;
    struct str request_id;    /* the client's X-Request-Id if sane, else a new one */
    struct traceparent trace; /* the client's if sound, else a new one: … */
    bool trace_begins;        /* … whether it is recorded is decided here */
    int64_t now_us;           /* wall clock at arrival */
    /* set by the router */
    const struct route_entry *route;
    struct str params[4]; /* {id} and so on, in order */
    struct identity who;
    struct json_value json; /* the root of the body, valid during the handler only */
    void *body;             /* the body decoded by the route's schema, in the arena */
    void *service;          /* the route's service */
    struct runtime *runtime;
    /* set by who made the call */
    void (*reply)(struct call *c); /* response is filled; any thread; the call is gone afterwards */
    /* Takes the connection over as a WebSocket; only if request.upgrade, only during the handler,
     * instead of a reply. PROTOCOL may be absent. The call is gone afterwards. */
    struct socket *(*accept)(struct call *c, struct str protocol,
                             const struct socket_events *events, void *owner);
    void *origin;
};

/* The value of request header NAME (lower case), or STR_NONE. */
struct str call_header(const struct call *c, const char *name);
/* The decoded value of query parameter NAME, or STR_NONE; "" when it stands without a value. */
struct str call_query(struct call *c, const char *name);

/* Adds a response header; VALUE must live in the arena or be static. */
void response_header(struct response *r, const char *name, struct str value);

/* Fill the response and send it. Body in the call's arena. */
void call_json(struct call *c, int status, struct str json);
void call_empty(struct call *c, int status);

#endif
