/* What the parts of the AMQP bus share: the address (uri.c), a connection with its thread
 * (link.c), what is declared (topology.c), an event as a message (message.c), the publishing and
 * the consuming end (publisher.c, consumer.c), and the port (amqp_bus.c). Fields under the lock of
 * struct amqp_bus are marked so; the rest of a link belongs to its thread.
 */
#ifndef LORRY_ADAPTERS_AMQP_INTERNAL_H
#define LORRY_ADAPTERS_AMQP_INTERNAL_H

#include "adapters/amqp/amqp_bus.h"
#include "base/lanes.h"
#include "base/rng.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <pthread.h>
#include <stdatomic.h>

#define AMQP_CHANNEL 1
#define AMQP_HOSTS_MAX 8
#define AMQP_NAME_MAX 255 /* bytes of what the protocol calls a short string */

/* ---- uri.c ---- */

struct amqp_host {
    const char *name;
    int port;
};
struct amqp_address {
    struct amqp_host hosts[AMQP_HOSTS_MAX];
    int32_t host_count;
    const char *user, *password, *vhost;
    bool tls;
    const char *ca_file;
};
/* Strings land in A. ERR_INVALID: *RET_WHY says what is wrong, without the password. */
int uri_parse(const char *uri, struct arena *a, struct amqp_address *ret, struct str *ret_why);

/* ---- link.c: a connection ---- */

#define LINK_WHY_MAX 256

/* What went wrong with the last call, as text: "PRECONDITION_FAILED - …". */
void reply_text(amqp_rpc_reply_t reply, char out[LINK_WHY_MAX]);
/* Connects to one host and opens the channel. ERR_IO or ERR_DENIED with WHY. */
int connection_open(const struct amqp_address *address, const struct amqp_host *host,
                    amqp_connection_state_t *ret, char why[LINK_WHY_MAX]);

struct amqp_bus;
struct link;
struct link_ops {
    const char *name; /* in logs */
    /* The connection is there. An error (with l->why) ends it. */
    int (*up)(struct link *l);
    /* A frame for the channel. */
    int (*frame)(struct link *l, const amqp_frame_t *f);
    /* Sends what waits; called once a turn. 1: there is more. */
    int (*work)(struct link *l);
    /* There is nothing left that should be sent before the end. */
    bool (*idle)(struct link *l);
    void (*down)(struct link *l);
};
struct link {
    const struct link_ops *ops;
    struct amqp_bus *bus;
    amqp_connection_state_t conn;
    char why[LINK_WHY_MAX];
    struct rng rng;
    int32_t host; /* the one to try next */
    int32_t failures;
    bool blocked; /* the broker takes nothing in for now */
    int wake_fd;
    pthread_t thread;
    bool running;
    _Atomic bool stopping, connected;
    bool poked; /* under the bus's lock: wake_fd has been written to */
    int fd;     /* under the bus's lock: the socket while connected, -1 */
};
void link_init(struct link *l, const struct link_ops *ops, struct amqp_bus *bus);
void link_start(struct link *l);
void link_poke(struct link *l); /* under the bus's lock: there is work */
void link_stop(struct link *l); /* lets it finish what it can in a moment, then cuts it off */
/* Notes why the connection cannot go on. Returns ERR_IO. */
int link_fail(struct link *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
int link_fail_reply(struct link *l, const char *doing); /* … from the last call's answer */

/* ---- the bus ---- */

struct member { /* one subscription */
    bus_deliver_fn deliver;
    void *consumer;
};
/* Who of a group wants one type. */
struct taker {
    const char *type;
    const struct member *members[AMQP_MEMBERS_MAX];
    int32_t member_count;
};
struct group {
    const char *name;
    const char *queue, *dead_queue;
    struct taker takers[AMQP_TYPES_MAX];
    int32_t taker_count;
    struct member members[AMQP_MEMBERS_MAX];
    int32_t member_count; /* 0: declared only */
    struct map lanes;     /* under the lock */
};

/* An event on its way out. */
struct sending {
    struct event event;
    bus_confirm_fn confirm;
    void *publisher;
    pthread_t thread; /* that published, and must hear of the end */
    struct sending *next;
    int64_t sent_us; /* monotonic */
    int result;
};
struct sending_list {
    struct sending *first, *last;
};

enum verdict { VERDICT_ACK, VERDICT_DEAD };

/* An event that came in, until it is acknowledged. */
struct delivery {
    struct bus_delivery port; /* first: what the consumer sees */
    struct lane_item item;
    struct event event;
    struct amqp_bus *bus;
    struct group *group;
    const struct member *member;
    struct delivery *next; /* among the answered */
    uint64_t life;         /* of the connection that brought it */
    uint64_t tag;
    int32_t faults; /* tries that ended with an error of the event's own */
    bool again;     /* the broker has given it before */
    enum verdict verdict;
};

/* A message while its frames come in. */
struct incoming {
    struct arena arena;
    bool open;
    struct group *group;
    uint64_t tag, size, have;
    bool again;
    const char *foreign; /* why it is not an event of ours; NULL: it may be one */
    struct event event;
    struct buf body;
};

struct waker {
    void (*wake)(void *arg);
    void *arg;
};

struct amqp_bus {
    struct bus bus; /* first: the port's view */
    struct arena arena;
    struct amqp_address address;
    const char *prefix, *exchange;
    const struct log *log;
    struct signals *signals;

    /* Written before the start only. */
    struct group groups[AMQP_GROUPS_MAX];
    int32_t group_count;
    struct map wanted; /* type → non-NULL if any group takes it */

    struct link publisher, consumer;
    struct sending *sent[AMQP_IN_FLIGHT_MAX]; /* publisher's thread: by tag; NULL: confirmed */
    uint64_t sent_first, sent_next;           /* tags not yet confirmed are in [first, next) */
    struct incoming incoming;                 /* consumer's thread */
    bool unbound;                             /* its, too: what is not wanted any more is gone */

    pthread_mutex_t declaring; /* two connections of one process do not declare at once */
    pthread_mutex_t lock;      /* guards what is below, and what is marked above */
    bool started;
    bool settling;
    struct sending_list queue, landed;
    struct lane_queue lanes;
    struct delivery *answered, **answered_last;
    uint64_t life; /* of the consumer's connection: counts them */
    struct waker wakers[BUS_WAKERS_MAX];
    int32_t waker_count;
    struct amqp_bus_stats stats;
};

void bus_lock(struct amqp_bus *b);
void bus_unlock(struct amqp_bus *b);
void bus_wake(struct amqp_bus *b); /* under the lock: a poll would find something */

extern const struct link_ops publisher_ops, consumer_ops;
void consumer_drop_answered(struct amqp_bus *b); /* under the lock */
void sending_add(struct sending_list *l, struct sending *s);
struct sending *sending_take(struct sending_list *l);

/* ---- topology.c ---- */

int topology_declare(struct link *l);

/* ---- message.c ---- */

/* Publishes E as a message with the routing key given, mandatory. Returns the library's status. */
int message_publish(amqp_connection_state_t conn, const char *exchange, struct str routing_key,
                    const struct event *e);
/* Reads an event (but for its data) from a message's properties; its strings point into them.
 * Returns NULL, or why it is not an event of ours. */
const char *message_read(const amqp_basic_properties_t *p, struct event *ret);

static inline amqp_bytes_t bytes_of(struct str s) {
    return (amqp_bytes_t){.len = s.len, .bytes = (void *)(uintptr_t)s.p};
}
static inline struct str str_of(amqp_bytes_t b) {
    return (struct str){b.bytes != NULL ? b.bytes : "", b.len};
}

#endif
