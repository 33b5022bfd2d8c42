/* A connection and the thread that owns it. The library blocks, so the thread does, too, but never
 * without a bound: to connect, to log in and for each call that has an answer there are time-outs,
 * and a broker that is silent for two heartbeats is given up. Between frames the thread sleeps in
 * poll(2), on the socket and on an eventfd by which other threads tell it that there is work.
 *
 * Lost connections are tried again, on the next host each time, after a wait that doubles and is
 * drawn from its upper half, so that a thousand processes do not come back at once.
 */
#include "adapters/amqp/internal.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_S 3
#define LOGIN_TIMEOUT_S 5
#define CALL_TIMEOUT_S 10
#define BACKOFF_MIN_US (INT64_C(100) * 1000)
#define BACKOFF_MAX_US (INT64_C(5) * 1000000)
#define BACKOFF_STEPS 6
#define SLEEP_MS 500   /* heartbeats are sent while frames are waited for */
#define FRAMES_MAX 512 /* read in one turn */
#define STOP_PATIENCE_S 2
#define FRAME_BYTES 131072
#define LOG_EACH 12 /* failures in a row, after the first */

/* ---- connecting ---- */

void reply_text(amqp_rpc_reply_t reply, char out[LINK_WHY_MAX]) {
    const char *text = "no answer";
    size_t len = strlen(text);
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
        text = amqp_error_string2(reply.library_error);
        len = strlen(text);
    } else if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
               reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        amqp_connection_close_t *c = reply.reply.decoded;
        text = c->reply_text.bytes;
        len = c->reply_text.len;
    } else if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
               reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        amqp_channel_close_t *c = reply.reply.decoded;
        text = c->reply_text.bytes;
        len = c->reply_text.len;
    }
    snprintf(out, LINK_WHY_MAX, "%.*s", (int)(len < LINK_WHY_MAX ? len : LINK_WHY_MAX - 1), text);
}

static amqp_socket_t *socket_new(const struct amqp_address *address, amqp_connection_state_t conn) {
    if (!address->tls)
        return amqp_tcp_socket_new(conn);
    amqp_socket_t *s = amqp_ssl_socket_new(conn);
    if (s == NULL)
        return NULL;
    amqp_ssl_socket_set_verify_peer(s, 1);
    amqp_ssl_socket_set_verify_hostname(s, 1);
    amqp_ssl_socket_set_ssl_versions(s, AMQP_TLSv1_2, AMQP_TLSvLATEST);
    if (address->ca_file != NULL && amqp_ssl_socket_set_cacert(s, address->ca_file) < 0)
        return NULL;
    return s;
}

/* Logs in, saying what we want to hear of: that a queue is gone from under its consumer, that the
 * broker takes nothing in, that the password is wrong. */
static amqp_rpc_reply_t login(const struct amqp_address *address, amqp_connection_state_t conn) {
    static const char *const names[] = {"consumer_cancel_notify", "connection.blocked",
                                        "authentication_failure_close", "publisher_confirms",
                                        "basic.nack"};
    amqp_table_entry_t capabilities[COUNT_OF(names)];
    for (size_t i = 0; i < COUNT_OF(names); i++)
        capabilities[i] =
            (amqp_table_entry_t){.key = amqp_cstring_bytes(names[i]),
                                 .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
    amqp_table_entry_t entries[] = {
        {.key = amqp_cstring_bytes("capabilities"),
         .value = {.kind = AMQP_FIELD_KIND_TABLE,
                   .value.table = {(int)COUNT_OF(names), capabilities}}},
        {.key = amqp_cstring_bytes("connection_name"),
         .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("lorry")}}};
    amqp_table_t properties = {(int)COUNT_OF(entries), entries};
    return amqp_login_with_properties(conn, address->vhost, 0, FRAME_BYTES, AMQP_HEARTBEAT_S,
                                      &properties, AMQP_SASL_METHOD_PLAIN, address->user,
                                      address->password);
}

int connection_open(const struct amqp_address *address, const struct amqp_host *host,
                    amqp_connection_state_t *ret, char why[LINK_WHY_MAX]) {
    amqp_connection_state_t conn = amqp_new_connection();
    CHECK(conn != NULL);
    int err = ERR_IO;
    amqp_socket_t *s = socket_new(address, conn);
    int status = s == NULL
                     ? AMQP_STATUS_SSL_ERROR
                     : amqp_socket_open_noblock(s, host->name, host->port,
                                                &(struct timeval){.tv_sec = CONNECT_TIMEOUT_S});
    if (status != AMQP_STATUS_OK) {
        snprintf(why, LINK_WHY_MAX, "%s", amqp_error_string2(status));
        goto failed;
    }
    amqp_set_handshake_timeout(conn, &(struct timeval){.tv_sec = LOGIN_TIMEOUT_S});
    amqp_set_rpc_timeout(conn, &(struct timeval){.tv_sec = CALL_TIMEOUT_S});
    amqp_rpc_reply_t reply = login(address, conn);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL && amqp_channel_open(conn, AMQP_CHANNEL) == NULL)
        reply = amqp_get_rpc_reply(conn);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
        *ret = conn;
        return 0;
    }
    reply_text(reply, why);
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
        err = ERR_DENIED;
failed:
    amqp_destroy_connection(conn);
    return err;
}

/* ---- failing ---- */

int link_fail(struct link *l, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(l->why, sizeof(l->why), format, args);
    va_end(args);
    return ERR_IO;
}

int link_fail_reply(struct link *l, const char *doing) {
    char text[LINK_WHY_MAX];
    reply_text(amqp_get_rpc_reply(l->conn), text);
    return link_fail(l, "%s: %.200s", doing, text);
}

static const struct amqp_host *host_of(const struct link *l) {
    return &l->bus->address.hosts[l->host % l->bus->address.host_count];
}

/* A broker that stays away is told of now and then, not each time. */
static void log_failure(struct link *l, const char *what) {
    const struct amqp_host *h = host_of(l);
    if (l->failures % LOG_EACH == 0)
        log_warn(l->bus->log, "the broker at %s:%d: %s %s: %s", h->name, h->port, l->ops->name,
                 what, l->why);
}

/* ---- a turn ---- */

/* What concerns the whole connection. */
static int on_control(struct link *l, const amqp_frame_t *f) {
    if (f->frame_type != AMQP_FRAME_METHOD)
        return 0;
    if (f->payload.method.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *c = f->payload.method.decoded;
        amqp_connection_close_ok_t ok = {0};
        amqp_send_method(l->conn, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
        return link_fail(l, "%.*s", (int)c->reply_text.len, (const char *)c->reply_text.bytes);
    }
    if (f->payload.method.id == AMQP_CONNECTION_BLOCKED_METHOD) {
        const amqp_connection_blocked_t *c = f->payload.method.decoded;
        l->blocked = true;
        log_warn(l->bus->log, "the broker takes no events for now: %.*s", (int)c->reason.len,
                 (const char *)c->reason.bytes);
    }
    if (f->payload.method.id == AMQP_CONNECTION_UNBLOCKED_METHOD) {
        l->blocked = false;
        log_info(l->bus->log, "the broker takes events again");
    }
    return 0;
}

static int on_frame(struct link *l, const amqp_frame_t *f) {
    if (f->channel == 0)
        return on_control(l, f);
    if (f->frame_type == AMQP_FRAME_METHOD && f->payload.method.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *c = f->payload.method.decoded;
        return link_fail(l, "%.*s", (int)c->reply_text.len, (const char *)c->reply_text.bytes);
    }
    return l->ops->frame(l, f);
}

/* Reads what has come, without waiting. *RET_MORE: there may be more. */
static int read_frames(struct link *l, bool *ret_more) {
    *ret_more = true;
    for (int i = 0; i < FRAMES_MAX; i++) {
        amqp_frame_t f;
        int status = amqp_simple_wait_frame_noblock(l->conn, &f, &(struct timeval){0});
        if (status == AMQP_STATUS_TIMEOUT) {
            *ret_more = false;
            return 0;
        }
        if (status != AMQP_STATUS_OK)
            return link_fail(l, "%s", amqp_error_string2(status));
        int err = on_frame(l, &f);
        amqp_maybe_release_buffers(l->conn);
        if (err < 0)
            return err;
    }
    return 0;
}

static void clear_poke(struct link *l) {
    uint64_t count;
    bus_lock(l->bus);
    if (l->poked && read(l->wake_fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
        l->poked = false;
    bus_unlock(l->bus);
}

static void sleep_until_poked(struct link *l, int timeout_ms) {
    struct pollfd fds[] = {
        {.fd = l->wake_fd, .events = POLLIN},
        {.fd = l->conn != NULL ? amqp_get_sockfd(l->conn) : -1, .events = POLLIN}};
    poll(fds, COUNT_OF(fds), timeout_ms);
    clear_poke(l);
}

/* Works until the connection fails or the end has come. */
static int turn_until_end(struct link *l) {
    for (;;) {
        bool unread = false;
        int result = l->ops->work(l);
        int err = result < 0 ? result : read_frames(l, &unread);
        if (err < 0)
            return err;
        if (l->stopping && l->ops->idle(l))
            return 0;
        if (!unread && result == 0)
            sleep_until_poked(l, SLEEP_MS);
    }
}

/* ---- the thread ---- */

static void set_connection(struct link *l, amqp_connection_state_t conn) {
    bus_lock(l->bus);
    l->conn = conn;
    l->fd = conn != NULL ? amqp_get_sockfd(conn) : -1;
    bus_unlock(l->bus);
}

static void connected(struct link *l) {
    const struct amqp_host *h = host_of(l);
    log_info(l->bus->log, "the broker at %s:%d: %s connected", h->name, h->port, l->ops->name);
    l->failures = 0;
    l->blocked = false;
    l->connected = true;
}

/* One connection, from its beginning to its end. */
static void live_once(struct link *l) {
    amqp_connection_state_t conn;
    if (connection_open(&l->bus->address, host_of(l), &conn, l->why) < 0) {
        log_failure(l, "cannot connect");
        l->failures++;
        return;
    }
    set_connection(l, conn);
    int err = l->ops->up(l);
    if (err == 0) {
        connected(l);
        err = turn_until_end(l);
        l->connected = false;
    }
    if (err < 0) {
        log_failure(l, "lost its connection");
        l->failures++;
    } else {
        amqp_connection_close(conn, AMQP_REPLY_SUCCESS);
    }
    l->ops->down(l);
    set_connection(l, NULL);
    amqp_destroy_connection(conn);
    bus_lock(l->bus);
    l->bus->stats.reconnects += err < 0;
    bus_unlock(l->bus);
}

static int64_t backoff_us(struct link *l) {
    int step = l->failures < BACKOFF_STEPS ? l->failures : BACKOFF_STEPS;
    int64_t most_us = BACKOFF_MIN_US << step;
    if (most_us > BACKOFF_MAX_US)
        most_us = BACKOFF_MAX_US;
    return rng_between(&l->rng, most_us / 2, most_us);
}

static void *link_thread(void *arg) {
    struct link *l = arg;
    while (!l->stopping) {
        live_once(l);
        l->host++;
        int64_t until_us = clock_mono_us() + backoff_us(l), now_us;
        while (!l->stopping && (now_us = clock_mono_us()) < until_us)
            sleep_until_poked(l, (int)((until_us - now_us) / US_PER_MS) + 1);
    }
    return NULL;
}

void link_init(struct link *l, const struct link_ops *ops, struct amqp_bus *bus) {
    *l = (struct link){.ops = ops, .bus = bus, .fd = -1};
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(l->wake_fd >= 0);
    rng_seed(&l->rng, (uint64_t)clock_wall_us() ^ ((uint64_t)getpid() << 40) ^ (uintptr_t)l);
    l->host = (int32_t)rng_below(&l->rng, (uint64_t)bus->address.host_count);
}

void link_start(struct link *l) {
    CHECK(pthread_create(&l->thread, NULL, link_thread, l) == 0);
    l->running = true;
}

void link_poke(struct link *l) {
    if (l->poked)
        return;
    l->poked = true;
    uint64_t one = 1;
    CHECK(write(l->wake_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

void link_stop(struct link *l) {
    if (l->running) {
        struct timespec until;
        bus_lock(l->bus);
        l->stopping = true;
        link_poke(l);
        bus_unlock(l->bus);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += STOP_PATIENCE_S;
        if (pthread_timedjoin_np(l->thread, NULL, &until) != 0) {
            bus_lock(l->bus);
            if (l->fd >= 0)
                shutdown(l->fd, SHUT_RDWR);
            bus_unlock(l->bus);
            pthread_join(l->thread, NULL);
        }
    }
    close(l->wake_fd);
}
