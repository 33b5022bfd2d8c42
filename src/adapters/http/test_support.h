/* What the tests of this folder share: an application that answers by path, a client on a raw
 * socket, and a lab: one network thread without a thread, whose loop the test turns by hand, so
 * that how bytes are split into reads is exact.
 *
 *   /echo         "METHOD path query body" back
 *   /headers      the request's headers, one "name: value" a line
 *   /big/N        N bytes
 *   /later/MS     the same as /echo, from another thread after MS milliseconds
 *   /busy/MS      keeps the network thread busy for MS milliseconds
 *   /hold         answered by app_release() only
 *   /peer         the address of the client
 *   /empty        204
 *   /inject       a response header with a line break in it
 *   /cached       a Cache-Control of its own
 *   /ws           accepts a WebSocket; text is echoed. "close" closes with 4000, "flood N" sends N
 *                 frames of 1,000 bytes as fast as the queue takes them
 */
#ifndef LORRY_ADAPTERS_HTTP_TEST_SUPPORT_H
#define LORRY_ADAPTERS_HTTP_TEST_SUPPORT_H

#include "adapters/http/internal.h"

#define HELD_MAX 8192
struct held {
    struct call *call;
    int64_t due_us; /* INT64_MAX: not before app_release() */
};
struct app {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool ending;
    struct held held[HELD_MAX];
    int held_count;
    int start_result; /* what worker_start gives */
    _Atomic int workers_started, workers_stopped, ticks, sockets_opened, sockets_closed, drained,
        texts, posts;
};
void app_start(struct app *a); /* its replying thread */
void app_stop(struct app *a);  /* replies to all that is held first */
void app_release(struct app *a);
int app_held(struct app *a);
/* The callbacks and ctx of A filled into options for 127.0.0.1, any port. */
struct http_options app_options(struct app *a, int32_t workers);
struct http_server *server_start(struct app *a, const struct http_options *o, int *ret_port);

/* A server with its application. */
struct site {
    struct app app;
    struct http_server *server;
    int port;
};
void site_start(struct site *s, const struct http_limits *limits, int32_t workers);
/* Also checks that what was started was stopped, and what was opened was closed. */
void site_stop(struct site *s);

/* Waits until CONDITION, on the counters `n` of the test's `site`, holds, at most some seconds. */
#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        struct http_counters n = {0};                                                              \
        int tries = 0;                                                                             \
        do {                                                                                       \
            usleep(2000);                                                                          \
            http_counters_read(site.server, &n);                                                   \
        } while (!(condition) && ++tries < 3000);                                                  \
        if (!(condition))                                                                          \
            fail_msg("never: " #condition);                                                        \
    } while (0)

/* --- a client ---------------------------------------------------------------------------- */
#define CLIENT_BYTES_MAX ((size_t)4 << 20)
struct client {
    int fd;
    char *buf;
    size_t len;
};
struct answer {
    int status;
    char head[4096]; /* from the status line to the empty line */
    size_t body_len;
    char *body; /* NUL after it; in the client's buffer until the next answer */
};
struct client client_connect(int port);
struct client client_connect_from(unsigned last, int port); /* from 127.0.0.LAST */
void client_close(struct client *c);
void client_send(struct client *c, const void *bytes, size_t len);
void client_send_text(struct client *c, const char *text);
/* The next answer; false when the connection ends first. BODYLESS: to a HEAD. Fails the test after
 * five seconds of silence. */
bool client_answer(struct client *c, bool bodyless, struct answer *ret);
bool client_ended(struct client *c); /* nothing more comes but the end; waits for it */
const char *answer_header(const struct answer *a, const char *name, char *out, size_t cap);
void client_get(struct client *c, const char *path, struct answer *ret);

/* --- WebSocket --------------------------------------------------------------------------- */
struct ws_frame {
    int opcode, fin;
    size_t len;
    unsigned char payload[1 << 17];
};
#define WS_HANDSHAKE                                                                               \
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"     \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
/* A masked frame into OUT (room for LEN + 14); returns its length. FIRST is the first byte. */
size_t ws_frame_make(unsigned char *out, int first, const void *payload, size_t len);
void ws_send(struct client *c, int first, const void *payload, size_t len);
bool ws_read(struct client *c, struct ws_frame *ret); /* false: the connection ended */
struct client ws_connect(int port);

/* --- the lab ----------------------------------------------------------------------------- */
struct lab {
    struct http_server server;
    struct http_thread *thread;
};
void lab_open(struct lab *l, const struct http_options *o);
int lab_connect(struct lab *l); /* our end of a new connection, not blocking */
void lab_turn(struct lab *l);   /* until the loop has nothing to do now */
void lab_close(struct lab *l);
/* Sends BYTES in pieces of STEP bytes (0: all at once), turning in between, shuts our side, and
 * collects all that comes back into OUT. Returns its length. */
size_t lab_exchange(struct lab *l, const void *bytes, size_t len, size_t step, char *out,
                    size_t cap);

#endif
