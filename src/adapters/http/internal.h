/* The insides of the HTTP server, shared by its files only.
 *
 *   server.c     threads: start, drain, stop, counters
 *   thread.c     what one network thread has: mailboxes, ticks, time-outs, free lists
 *   accept.c     sockets that listen, and who comes in
 *   remote.c      who they are, and how many connections each has
 *   conn.c       a connection's life: read, pipeline, time out, close
 *   parse.c      bytes → call (llhttp behind a stricter guard)
 *   reply.c      call → bytes; problem documents
 *   write.c      the output queue of a connection
 *   handshake.c  is this a sound WebSocket handshake, and the answer to it
 *   websocket.c  frames in (wslay) and out
 *
 * Ownership. A thread owns its connections; a connection owns its exchanges (one request and its
 * answer each) in the order in which they came, and after those the chunks of output made of them.
 * An exchange whose call is with the application is RUNNING and belongs to the application until
 * the answer comes back; it keeps the memory of its connection alive, not its descriptor.
 */
#ifndef LORRY_ADAPTERS_HTTP_INTERNAL_H
#define LORRY_ADAPTERS_HTTP_INTERNAL_H

#include "adapters/http/server.h"
#include "base/buf.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "base/rng.h"

#include <llhttp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <uv.h>

#define READ_BYTES_MAX ((size_t)64 * 1024)      /* one read; the buffer is the thread's */
#define OUT_BYTES_MAX ((size_t)256 * 1024)      /* unsent output beyond which no request is read */
#define FLUSH_PARTS_MAX 128                     /* of one writev */
#define URI_BYTES_MAX ((size_t)8 * 1024)        /* 414 */
#define TURN_NS_MAX ((uint64_t)5 * 1000 * 1000) /* of one connection, before others have theirs */
#define POSTS_MAX 8192                          /* functions waiting for a thread */
#define EXCHANGES_IDLE_MAX 256                  /* kept for reuse by a thread */
#define CHUNKS_IDLE_MAX 1024                    /* the same for chunks of frames */
#define READERS_IDLE_MAX 16                     /* the same for wslay contexts */
#define ARENA_FIRST_BYTES ((size_t)8 * 1024)
#define TIMEOUT_CHECK_MS 50
#define LISTEN_BACKLOG 1024
#define ACCEPTS_MAX 64 /* in a row, before others have their turn */

struct http_thread;
struct conn;

/* A piece of output that lies in somebody else's memory until it has been sent. */
enum chunk_kind { CHUNK_EXCHANGE, CHUNK_FRAME };
struct chunk {
    struct chunk *next;
    struct str parts[2];
    enum chunk_kind kind;
};
static inline size_t chunk_bytes(const struct chunk *c) {
    return c->parts[0].len + c->parts[1].len;
}

/* Output that is not an answer: a frame (shared), or a constant (FRAME NULL). */
#define FRAME_HEAD_BYTES_MAX 10
struct frame_chunk {
    struct chunk chunk; /* first */
    struct frame *frame;
    char head[FRAME_HEAD_BYTES_MAX];
};

/* Why a request is refused before the application sees it. */
struct refusal {
    int status;
    const char *slug, *title;
    const char *detail;
    const char *header_name, *header_value; /* one more header, or NULL */
};

/* Looks over the raw bytes of a head ahead of llhttp, which forgives a bare LF at the end of the
 * head and folded lines. Finds where the head ends. */
struct head_scan {
    char first, last; /* byte of the head; byte before this one */
    size_t line;      /* bytes of the current line so far */
    bool whole;
};
/* Sets how many bytes of P belong to the head: all of them unless `whole` is set. False: bad, and
 * they end before what is bad, so that the first fault counts however the bytes are split. */
bool head_scan(struct head_scan *s, const char *p, size_t len, size_t *ret_used);

struct span { /* bytes in an exchange's head buffer */
    uint32_t at, len;
};

enum exchange_state { EXCHANGE_PARSING, EXCHANGE_RUNNING, EXCHANGE_DONE };
struct exchange {
    struct call call; /* first: a call is its exchange */
    struct chunk out;
    struct exchange *next; /* in the connection's order, or in the free list */
    struct conn *conn;
    struct http_thread *thread;
    enum exchange_state state;
    bool keep; /* the connection may live on after the answer */
    bool http10;
    bool head_whole;               /* the head was read; what follows is body */
    bool continue_due;             /* a 100 Continue is owed before the body comes */
    bool in_header;                /* a header's value has not ended yet */
    char last_byte;                /* of the body phase, for the line ends of trailers */
    const struct refusal *refusal; /* set by the parser's callbacks */
    llhttp_t parser;
    struct head_scan scan;
    struct buf head; /* target, names and values, one after the other */
    struct buf body;
    size_t held;      /* of the thread's held_bytes */
    size_t raw_bytes; /* on the wire: of the head, then of the body */
    size_t body_max;  /* bytes of its body; known when the head is whole */
    struct span target;
    int32_t span_count;
    struct {
        struct span name, value;
    } spans[CALL_HEADERS_MAX]; /* last: not cleared with the rest */
};

/* The other end of a connection. */
struct remote_count;
struct remote {
    struct address address;
    bool is_proxy;              /* trusted: it speaks for others */
    struct remote_count *count; /* its place in the server's counts, or NULL: it is not counted */
};
struct remotes {
    pthread_mutex_t lock;
    struct map by_holder; /* the address of whose limits it is → struct remote_count */
};

enum conn_state {
    CONN_OPEN,   /* reads requests, or frames */
    CONN_LAST,   /* reads no more; what is owed is still sent */
    CONN_LINGER, /* our side is shut; discards until the other end closes, so that no reset
                    overtakes our last answer */
    CONN_CLOSED
};
/* Every connection is in exactly one of these lists. All in a list have the same time-out, so a
 * list is in order of expiry by itself, and the check looks at its front only. */
enum deadline {
    DEADLINE_NONE, /* the application is at work */
    DEADLINE_IDLE,
    DEADLINE_HEAD,
    DEADLINE_BODY,
    DEADLINE_WRITE,
    DEADLINE_LINGER,
    DEADLINE_SOCKET,  /* looks after pings */
    DEADLINE_MESSAGE, /* a message of a socket has begun and not ended */
    DEADLINE_COUNT
};

struct conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
    };
    struct http_thread *thread;
    struct conn *previous, *next; /* in its deadline's list */
    int64_t since_ms;             /* when it came into that list */
    struct conn *dirty_next;
    enum deadline deadline;
    enum conn_state state;
    int32_t refs;                 /* the handle, running calls, the dirty list */
    int32_t waiting;              /* exchanges and frames not wholly sent */
    bool dirty;                   /* in the thread's list of those with something to send */
    bool reading, writing, ended; /* ended: the other side sends no more */
    struct exchange *first, *last, *parsing;
    struct chunk *out_first, *out_last;
    size_t out_bytes, out_sent; /* in all; of the first chunk */
    size_t write_bytes;         /* asked of the write that is under way */
    size_t write_left;          /* at the last look, to see progress */
    char *stash;                /* read, but not to be parsed before answers have left */
    size_t stash_len;
    struct ws *ws;
    uv_write_t write;
    struct remote peer;
    char peer_text[ADDRESS_TEXT_MAX];
};

struct counters { /* written by the thread alone, read by any */
    _Atomic uint64_t requests, accepted, refused, bytes_in, bytes_out, frames_in, frames_out;
    _Atomic int64_t open, sockets, running;
};
#define COUNT(counter, n)                                                                          \
    atomic_store_explicit(&(counter),                                                              \
                          atomic_load_explicit(&(counter), memory_order_relaxed) + (n),            \
                          memory_order_relaxed)

struct conn_list {
    struct conn *first, *last;
};

struct http_thread {
    struct worker worker; /* first: a worker is its thread */
    struct http_server *server;
    const struct http_options *options;
    struct counters counters;
    struct rng rng; /* when the application brings none */
    pthread_t id;
    sem_t go;
    bool started, run; /* run: http_start went well */
    int start_result;
    uv_loop_t loop;
    uv_poll_t listener;
    int listen_fd;      /* -1: does not listen */
    bool accept_paused; /* no descriptors left; tried again at the next look at time-outs */
    bool accept_warned; /* said so in the log; once until it works again */
    uv_async_t wake;
    uv_prepare_t before_poll;
    uv_timer_t tick, timeouts, drain;
    struct mailbox *answers; /* exchanges answered on other threads; cannot be full */
    struct mailbox *posts;
    struct conn_list lists[DEADLINE_COUNT];
    int64_t timeout_ms[DEADLINE_COUNT];
    struct conn *dirty;        /* have something to send before the loop sleeps */
    struct conn *current;      /* being read: sends at the end of that anyway */
    uint64_t turn_end_ns;      /* of the connection at work; 0: it has taken no request yet */
    struct exchange *handling; /* inside options->request */
    struct exchange *idle_exchanges;
    struct frame_chunk *idle_chunks;
    struct ws_reader *idle_readers;
    int32_t idle_exchange_count, idle_chunk_count, idle_reader_count;
    int32_t connections; /* open handles */
    int32_t running;     /* calls with the application */
    int64_t held_bytes;  /* see http_limits */
    bool draining, cut;
    int64_t date_s;
    char date[64]; /* "Date: …\r\n" */
    char read_buffer[READ_BYTES_MAX];
};

struct http_server {
    struct http_options options;
    int32_t thread_count; /* made so far */
    struct http_thread **threads;
    _Atomic int32_t connections;
    struct remotes remotes;
    _Atomic bool stopping;
    bool stopped;
    int port;
    sem_t started;
};

/* thread.c */
int thread_open(struct http_thread *t, struct http_server *s, int32_t index);
void thread_close(struct http_thread *t); /* by the thread that joined it */
void thread_begin_drain(struct http_thread *t);
void thread_check_done(struct http_thread *t); /* ends the loop when a drain is through */
int64_t thread_now_us(struct http_thread *t);
/* More is held for others than may be: nothing new is taken on. */
static inline bool thread_laden(const struct http_thread *t) {
    return t->held_bytes > t->options->limits.held_bytes_max;
}
/* ASKER wants more to be held. While there is too much, those are cut off who have been at a body,
 * a message, or the reading of an answer for longest. False: it is ASKER himself, or that did not
 * help. */
bool thread_make_room(struct http_thread *t, const struct conn *asker);
/* A buffer that is *HELD so far has CAP now; keeps count of it. */
static inline void thread_hold(struct http_thread *t, size_t *held, size_t cap) {
    t->held_bytes += (int64_t)cap - (int64_t)*held;
    *held = cap;
}
void list_move(struct conn *c, enum deadline to, int64_t now_ms);
void conn_mark_dirty(struct conn *c);
struct exchange *exchange_new(struct conn *c);
void exchange_release(struct exchange *ex);
void exchange_answered(struct exchange *ex); /* its reply is here, on its thread */
struct frame_chunk *chunk_new(struct http_thread *t);
void chunk_release(struct http_thread *t, struct frame_chunk *fc);

/* accept.c */
/* All threads of S listen. 0 and the port, or -errno. */
int accept_open(struct http_server *s, int *ret_port);
void accept_rest(struct http_thread *t); /* those who have connected already, before it closes */
void accept_resume(struct http_thread *t);
void accept_close(struct http_thread *t);

/* remote.c */
void remotes_init(struct remotes *p);
void remotes_free(struct remotes *p); /* when all have left */
/* Somebody comes in. False: he has as many connections as he may have. Any thread. */
bool remote_enter(struct http_server *s, const struct sockaddr *from, struct remote *ret_remote);
void remote_leave(struct http_server *s, struct remote *peer);
/* The address of whom the proxy PEER passes C on for; in the call's arena. */
struct str remote_client(const struct http_options *o, const struct remote *peer, struct call *c);

/* conn.c */
/* A connection on FD, which is its own afterwards, as is PEER's place in the counts (also when
 * false comes back). */
bool conn_begin(struct http_thread *t, int fd, const struct remote *peer);
void conn_unref(struct conn *c);
void conn_close(struct conn *c); /* at once; twice is fine */
void conn_pump(struct conn *c);  /* sends what is ready, reads on, sets the deadline */
void conn_expire(struct conn *c);
void conn_drain(struct conn *c);
/* No request is read after EX, which is answered with REFUSAL. */
void conn_refuse(struct exchange *ex, const struct refusal *r);
/* EX is a whole request: to the application with it. */
void conn_dispatch(struct exchange *ex);

/* parse.c */
void parse_begin(struct exchange *ex);
/* Takes bytes for EX and returns how many were its own. Afterwards the exchange is PARSING still,
 * or with the application, or DONE (refused). */
size_t parse_bytes(struct exchange *ex, const char *p, size_t len);
struct str request_header(const struct request *r, const char *name);

/* reply.c */
void reply_render(struct exchange *ex, bool keep); /* response → out */
void reply_upgrade(struct exchange *ex, struct str accept, struct str protocol);
void reply_problem(struct exchange *ex, const struct refusal *r);
void request_ids_take(struct exchange *ex);
extern const struct refusal refusal_timeout, refusal_overloaded;

/* write.c */
void out_add(struct conn *c, struct chunk *chunk);
void out_add_const(struct conn *c, struct str bytes);
void out_flush(struct conn *c);
void out_drop(struct conn *c);
size_t out_unsent(const struct conn *c);

/* handshake.c */
/* NULL when the request does not ask for a WebSocket or asks well (request.upgrade is set then). */
const struct refusal *handshake_check(struct exchange *ex);
#define WS_ACCEPT_LEN 28
void handshake_accept_key(struct str key, char out[WS_ACCEPT_LEN + 1]);

/* websocket.c */
struct socket *ws_accept(struct call *call, struct str protocol, const struct socket_events *events,
                         void *owner);
void ws_input(struct conn *c, const char *p, size_t len);
void ws_after_flush(struct conn *c); /* tells `drained` */
void ws_tick(struct conn *c);
void ws_close(struct conn *c, int code, const char *reason);
bool ws_closing(const struct ws *ws);
bool ws_in_message(const struct ws *ws); /* some of a frame or message is here, not all */
void ws_message_drop(struct conn *c);    /* lets go of what is */
void ws_gone(struct conn *c);            /* tells `closed`, frees */
void reader_free_all(struct http_thread *t);

#endif
