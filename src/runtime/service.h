/* What a service is to the house: tables. Its routes, the events it takes in, its wake-ups, its
 * collections. The runtime walks the tables; the service holds the decisions.
 */
#ifndef LORRY_RUNTIME_SERVICE_H
#define LORRY_RUNTIME_SERVICE_H

#include "ports/cache.h"
#include "ports/fleet.h"
#include "ports/router.h"
#include "runtime/executor.h"
#include "runtime/token.h"

#define ROLES_PUBLIC 0u /* no token needed */
#define ROLES(r) (1u << (r))
#define ROLES_STAFF (ROLES(ROLE_DISPATCHER) | ROLES(ROLE_ADMIN))
#define ROLES_ANY (ROLES(ROLE_CUSTOMER) | ROLES(ROLE_DRIVER) | ROLES_STAFF)

enum route_flag {
    ROUTE_IDEMPOTENT = 1,    /* Idempotency-Key is honoured: the answer is kept with the commit */
    ROUTE_IF_MATCH = 2,      /* If-Match is honoured */
    ROUTE_BODY_OPTIONAL = 4, /* an empty body counts as {} */
    ROUTE_SOCKET = 8,        /* WebSocket upgrade */
    ROUTE_BODY_FILE = 16     /* the body is a file, of up to CALL_FILE_BYTES_MAX */
};

struct route_entry {
    const char *method;
    const char *pattern; /* "/v1/bookings/{id}/cancel" */
    unsigned roles;
    void (*handle)(
        struct call *c);       /* c->body is decoded, c->who known; must reply, submit or accept */
    const struct schema *body; /* NULL: the request has none (one is ignored) */
    unsigned flags;
    const char *operation; /* operationId in openapi.yaml */
    /* Optional: faults of a body that its schema cannot say (a password too common). Added to the
     * schema's own, so that one answer names them all. BODY may hold absent or wrong values where
     * ERRORS says so. */
    void (*check)(struct call *c, const void *body, struct field_errors *errors);
    enum scope_area area; /* which API keys may use it: area.h */
};

/* An event on its way in: the handler turns it into commands. When all have committed the event is
 * acknowledged; each has its effect at most once, by the event's id and its ordinal. */
struct event_turn {
    const struct event *event;
    struct traceparent trace; /* of whatever caused the event */
    struct arena *arena;      /* of the turn; args of its commands live here */
    struct json_parser *parser;
    void *service;
    struct runtime *runtime;
    struct bus_delivery *delivery;
    int32_t pending, submitted;
    int result;
};
struct event_entry {
    const char *type;
    const struct schema *schema; /* of the data; decoded into DATA */
    void (*on)(struct event_turn *t, const void *data);
};
/* For event handlers: a command of this event. */
void event_command(struct event_turn *t, const struct command_type *type, struct str id,
                   void *args);

/* The same where how many commands an event makes may differ from one delivery to the next: its
 * effect is once for ID, whatever stands before it. */
void event_command_once(struct event_turn *t, const struct command_type *type, struct str id,
                        void *args);

struct timer_entry {
    const struct command_type *wake;
};

struct service_def {
    const char *name; /* "booking": also its group on the bus */
    const struct route_entry *routes;
    int32_t route_count;
    const struct event_entry *events;
    int32_t event_count;
    const struct command_type *const *timers;          /* wake commands, NULL ends */
    const struct store_collection *const *collections; /* NULL ends */
    /* Optional. Before the first request: read what memory must hold. 0 or an error. */
    int (*start)(void *self, struct store *reader, int64_t now_us);
    /* Optional: on the executor's thread about once a second: retention and the like. */
    void (*tick)(void *self, struct store *writer, int64_t now_us);
    /* Optional: the same, but also where the service is passive: what memory must still hold of
     * what others have written. After `tick`. */
    void (*follow)(void *self, struct store *writer, int64_t now_us);
    /* Optional: on each network thread. */
    int (*worker_start)(void *self, struct worker *w);
    void (*worker_tick)(void *self, struct worker *w, int64_t now_us);
    void (*worker_stop)(void *self, struct worker *w);
    /* Optional: adds lines to /metrics. */
    void (*metrics)(void *self, struct buf *out);
};
/* A passive service is there for the others of its process only (a socket's fixes, the map of the
 * fleet): no routes, no events, no wake-ups, no ticks. What it keeps in memory it keeps all the
 * same. */
struct service {
    const struct service_def *def;
    void *self;
    bool passive;
};

#define RUNTIME_SERVICES_MAX 8
#define RUNTIME_HEALTH_MAX 4
struct runtime_options {
    const struct clock *clock;
    struct entropy *entropy;
    struct bus *bus;
    struct cache *cache;
    /* Optional: who sends an API key ("lry_…"); on the call's thread. 0, ERR_DENIED or the store's
     * errors. NULL: keys are no good here. */
    int (*api_key)(void *arg, struct call *c, struct str key, struct identity *ret_who);
    void *api_key_arg;
    struct token_verifier *verifier;
    struct executor *executor;
    const struct log *log;
    int32_t writes_per_minute_max; /* of one account, all but GET; 0: no limit */
    /* Optional: what answers GET at addresses without a route (the web app). True: replied. Any
     * thread. */
    bool (*pages)(const void *arg, struct call *c);
    const void *pages_arg;
    struct peers *peers; /* others that write to the same store; NULL: nobody */
    struct spans *spans; /* what is traced goes there; NULL: nothing is */
    /* Optional: is it there? /readyz names them. Any thread, must not wait. */
    struct health {
        const char *name;
        bool (*ok)(void *arg);
        void *arg;
        bool needed; /* without it nothing works: not ready */
    } health[RUNTIME_HEALTH_MAX];
    /* Optional: more figures for /metrics, of what lies under the runtime. Any network thread. */
    void (*metrics)(void *metrics_arg, struct buf *out);
    void *metrics_arg;
};
struct runtime;

/* The house put together: services' tables joined into one router, subscriptions made, timers
 * known. */
struct runtime *runtime_new(const struct runtime_options *o, const struct service *services,
                            int32_t count);
struct runtime *runtime_free(struct runtime *r);
int runtime_start(struct runtime *r, struct store *reader); /* each service's start */
/* The entry of every request: route, authenticate, authorise, parse, handle. Worker thread. */
void runtime_request(struct runtime *r, struct call *c);
/* How long the body of a request may be: what the HTTP adapter asks when one is long. Any thread.
 */
size_t runtime_body_max(struct runtime *r, struct str method, struct str path);
void runtime_worker_tick(struct runtime *r, struct worker *w, int64_t now_us);
int runtime_worker_start(struct runtime *r, struct worker *w);
void runtime_worker_stop(struct runtime *r, struct worker *w);
void runtime_draining(struct runtime *r); /* readyz says no from here on */
const struct runtime_options *runtime_options(const struct runtime *r);
/* Every route there is, in order; for openapi's test and help. */
int32_t runtime_routes(const struct runtime *r, const struct route_entry **ret_entries,
                       int32_t max);

/* Sends the command of a handler to the executor: takes account, request id, Idempotency-Key and
 * If-Match from the call; the reply is the decision's response. After it the call is not the
 * handler's any more. */
void call_command(struct call *c, const struct command_type *type, struct str id, void *args);
/* The parts of it, for a handler that needs more than one command before it replies: NEW (NULL:
 * replied) may be given another `finish`, which sends the next one, from the executor's thread, or
 * ends with FINISH as it would have ended. */
struct command *call_command_new(struct call *c, const struct command_type *type, struct str id,
                                 void *args);
void call_command_send(struct call *c, struct command *cmd);
void call_command_finish(struct command *cmd, int result, struct response *response);
/* The aggregate ID for a read; replies itself (404 or an error) and returns NULL when there is
 * none. */
void *call_state(struct call *c, const struct aggregate *g, struct str id);
/* limit= and cursor= of a list; false when it has replied 422. Default 50, at most STORE_LIST_MAX.
 * The cursor is opaque: base64url of an id. */
bool call_page(struct call *c, int32_t *ret_limit, struct str *ret_after);
/* "next_cursor" member: null unless MORE. */
void page_cursor(struct jw *w, struct arena *a, bool more, struct str last_id);
/* A list as all routes give it, {"items":[…],"next_cursor":…}: write the items to W between the
 * two. It must stay where it is meanwhile. */
struct page {
    struct call *call;
    struct buf text;
    struct jw w;
    bool more;          /* of page_list */
    struct str last_id; /* of page_list */
};
void page_begin(struct page *p, struct call *c);
/* Replies 200; LAST_ID counts if there are MORE after it. */
void page_reply(struct page *p, bool more, struct str last_id);
/* The same of documents as the store has them, newest first: those of G whose INDEX (of its
 * collection; -1: all) says KEY, each written by WRITE. One that cannot be read is left out, not
 * the whole list with it. False: replied. Else P is begun, and page_reply(P, p->more, p->last_id)
 * ends it, after whatever else the page has. */
bool page_list(struct page *p, struct call *c, const struct aggregate *g, int index, struct str key,
               void (*write)(struct page *p, const void *state, const void *arg), const void *arg);
/* Query parameters, with a 422 that names them. Absent gives the default. False: replied. */
bool call_query_f64(struct call *c, const char *name, bool required, double low, double high,
                    double *value);
bool call_query_i64(struct call *c, const char *name, int64_t low, int64_t high, int64_t *value);
bool call_query_time(struct call *c, const char *name, int64_t *value_us);
bool call_query_enum(struct call *c, const char *name, const char *const *names, int32_t *value);
/* 200 with ETag: "<version>". If-None-Match that matches gives 304. */
void call_json_etag(struct call *c, int64_t version, struct str json);

#endif
