/* The output queue of a connection: chunks whose bytes lie elsewhere (an exchange's arena, a shared
 * frame). A flush hands as many as fit to one writev; only when the kernel's buffer is full a
 * uv_write waits for room. A chunk is given back when its last byte is with the kernel.
 */
#include "adapters/http/internal.h"

#include "base/check.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

void out_add(struct conn *c, struct chunk *chunk) {
    chunk->next = NULL;
    *(c->out_last != NULL ? &c->out_last->next : &c->out_first) = chunk;
    c->out_last = chunk;
    c->out_bytes += chunk_bytes(chunk);
    if (chunk->kind == CHUNK_FRAME) /* an exchange is counted from its answer to its release */
        c->thread->held_bytes += (int64_t)chunk_bytes(chunk);
}

void out_add_const(struct conn *c, struct str bytes) {
    struct frame_chunk *fc = chunk_new(c->thread);
    fc->chunk.parts[0] = bytes;
    c->waiting++;
    out_add(c, &fc->chunk);
}

static void chunk_sent(struct conn *c, struct chunk *chunk) {
    c->waiting--;
    if (chunk->kind == CHUNK_FRAME) {
        c->thread->held_bytes -= (int64_t)chunk_bytes(chunk);
        chunk_release(c->thread, (struct frame_chunk *)chunk);
        return;
    }
    exchange_release((struct exchange *)((char *)chunk - offsetof(struct exchange, out)));
}

/* N bytes from the front are with the kernel. */
static void out_advance(struct conn *c, size_t n) {
    COUNT(c->thread->counters.bytes_out, n);
    c->out_bytes -= n;
    n += c->out_sent;
    struct chunk *chunk;
    while ((chunk = c->out_first) != NULL && n >= chunk_bytes(chunk)) {
        n -= chunk_bytes(chunk);
        c->out_first = chunk->next;
        if (c->out_first == NULL)
            c->out_last = NULL;
        chunk_sent(c, chunk);
    }
    c->out_sent = n;
}

void out_drop(struct conn *c) {
    struct chunk *chunk;
    while ((chunk = c->out_first) != NULL) {
        c->out_first = chunk->next;
        chunk_sent(c, chunk);
    }
    c->out_last = NULL;
    c->out_bytes = c->out_sent = 0;
}

/* Fills BUFS from the front of the queue; returns how many, and their sum. */
static unsigned gather(const struct conn *c, uv_buf_t bufs[FLUSH_PARTS_MAX], size_t *ret_bytes) {
    unsigned n = 0;
    size_t skip = c->out_sent, sum = 0;
    for (const struct chunk *chunk = c->out_first; chunk != NULL && n + 2 <= FLUSH_PARTS_MAX;
         chunk = chunk->next) {
        for (int i = 0; i < 2; i++) {
            struct str part = chunk->parts[i];
            if (skip >= part.len) {
                skip -= part.len;
                continue;
            }
            bufs[n++] =
                (uv_buf_t){.base = (char *)(uintptr_t)part.p + skip, .len = part.len - skip};
            sum += part.len - skip;
            skip = 0;
        }
    }
    *ret_bytes = sum;
    return n;
}

static void on_written(uv_write_t *request, int status) {
    struct conn *c = request->data;
    c->writing = false;
    if (c->state == CONN_CLOSED)
        return;
    if (status < 0) {
        conn_close(c);
        return;
    }
    out_advance(c, c->write_bytes);
    c->thread->turn_end_ns = 0;
    conn_pump(c);
}

static void write_later(struct conn *c) {
    uv_buf_t bufs[FLUSH_PARTS_MAX];
    unsigned n = gather(c, bufs, &c->write_bytes);
    c->write.data = c;
    if (uv_write(&c->write, &c->stream, bufs, n, on_written) != 0) {
        conn_close(c);
        return;
    }
    c->writing = true;
    c->write_left = out_unsent(c);
}

/* What the other side has not taken, ours and the kernel's together: the kernel calls a socket
 * writable again only when a good part of its buffer is free, which is megabytes, and a slow reader
 * is making progress all the while. */
size_t out_unsent(const struct conn *c) {
    uv_os_fd_t fd;
    int kernel = 0;
    if (uv_fileno(&c->handle, &fd) != 0 || ioctl(fd, SIOCOUTQ, &kernel) != 0)
        kernel = 0;
    return uv_stream_get_write_queue_size(&c->stream) + (size_t)kernel;
}

void out_flush(struct conn *c) {
    while (c->out_first != NULL && !c->writing && c->state != CONN_CLOSED) {
        uv_buf_t bufs[FLUSH_PARTS_MAX];
        size_t bytes;
        unsigned n = gather(c, bufs, &bytes);
        int sent = uv_try_write(&c->stream, bufs, n);
        if (sent == UV_EAGAIN)
            sent = 0;
        if (sent < 0) {
            conn_close(c);
            return;
        }
        out_advance(c, (size_t)sent);
        if ((size_t)sent < bytes)
            write_later(c);
    }
}
