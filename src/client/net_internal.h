/* What net.c (loop, timers, streams), http.c (requests) and socket.c (WebSockets) share: a stream
 * is a TCP connection with writes that own their bytes.
 */
#ifndef LORRY_CLIENT_NET_INTERNAL_H
#define LORRY_CLIENT_NET_INTERNAL_H

#include "base/buf.h"
#include "client/net.h"

#include <netinet/in.h>
#include <uv.h>

#define NET_READ_BYTES 65536

struct stream;
struct stream_events {
    void (*connected)(struct stream *s);
    void (*data)(struct stream *s, const char *bytes, size_t len);
    void (*ended)(
        struct stream *s); /* any reason, once; then close what is left with stream_close */
};
struct stream {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct net *net;
    const struct stream_events *events;
    struct buf out; /* gathered during a turn, written at its end */
    bool open, closing, ended, flush_queued;
    struct stream *flush_next;
    void (*closed)(struct stream *s); /* the handle is gone: free the owner */
};

struct net {
    uv_loop_t loop;
    uv_prepare_t flusher;
    struct stream *to_flush;
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address;
    char host[64];
    int port;
    int64_t timeout_us;
    char *read_buffer; /* one for all: a read is used up before the next */
    struct net_conn *conns;
    struct net_socket *sockets;
    struct net_timer *timers;
    struct net_timer *sweep;
};

void stream_open(struct stream *s, struct net *n, const struct stream_events *events);
void stream_write(struct stream *s, const void *bytes, size_t len);
void stream_flush(struct stream *s); /* now, because it is about to be closed */
void stream_close(struct stream *s, void (*closed)(struct stream *s));

/* What is past its time ends: requests without an answer, handshakes. */
void conns_sweep(struct net *n, int64_t now_us);
void sockets_sweep(struct net *n, int64_t now_us);

#endif
