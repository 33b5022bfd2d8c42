/* The socket port: one client's open WebSocket as the notification service sees it. Everything here
 * happens on the worker thread that owns the socket.
 *
 * Adapters: http (wslay in, shared frames out), sim (a list of frames).
 */
#ifndef LORRY_PORTS_SOCKET_H
#define LORRY_PORTS_SOCKET_H

#include "base/str.h"

#include <stdatomic.h>

/* A text message encoded once and shared by all who get it. */
struct frame {
    _Atomic int refs;
    size_t len;
    char bytes[];
};
struct frame *frame_new(struct str text); /* refs = 1; a copy */
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

struct socket;
struct socket_ops {
    /* Queues F (takes its own reference). ERR_FULL when more than SOCKET_QUEUE_BYTES_MAX would
     * wait: nothing was queued, and `drained` will be called when the queue is empty again. */
    int (*send)(struct socket *s, struct frame *f);
    size_t (*queued_bytes)(const struct socket *s);
    /* Sends a close frame and ends; `closed` follows. CODE as in RFC 6455 §7.4. */
    void (*close)(struct socket *s, int code, const char *reason);
};
#define SOCKET_QUEUE_BYTES_MAX ((size_t)256 * 1024)
#define SOCKET_MESSAGE_BYTES_MAX ((size_t)64 * 1024) /* from clients: more closes with 1009 */

/* What the owner is told. */
struct socket_events {
    void (*text)(struct socket *s, struct str message); /* one whole message, valid UTF-8 */
    void (*drained)(struct socket *s);
    void (*closed)(struct socket *s); /* the last call; s is gone afterwards */
};
struct socket {
    const struct socket_ops *ops;
    const struct socket_events *events; /* set by accept */
    void *owner;                        /* the notification service's session */
    struct worker *worker;
};

#endif
