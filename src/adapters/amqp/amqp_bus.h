/* The bus port on RabbitMQ (AMQP 0-9-1), for services that are processes of their own.
 *
 * On the broker: one durable topic exchange PREFIX.events; for each group one durable quorum queue
 * PREFIX.GROUP, bound to the types that the group wants, and one PREFIX.GROUP.dead for what was put
 * aside. Both are declared on each connection, by publishers too, so that no event is lost because
 * its consumer has not been started yet.
 *
 * Publishing: persistent, mandatory, with publisher confirms; a confirm means that a majority of
 * each queue's nodes has the event. What the broker refused, or had not confirmed when the
 * connection went, is confirmed with an error and so published again. An event that no group wants
 * is confirmed; one that a group wants and that reached no queue is not, and the topology is
 * declared again. At most AMQP_IN_FLIGHT_MAX events wait in memory, then publish says ERR_FULL: the
 * rest stays in the outbox while the broker is away.
 *
 * Consuming: at most AMQP_PREFETCH unacknowledged per group and process. Order is kept per key
 * within a process (base/lanes.h); replicas of a group compete, so across them there is none.
 * A refused event rests here and is given again. With an error that speaks of the event itself
 * (ERR_NOT_FOUND, ERR_INVALID, ERR_LIMIT, ERR_DENIED, ERR_CORRUPT) it is put aside into the dead
 * letters after AMQP_ATTEMPTS_MAX tries; with any other the world is not ready, and it is never
 * given up. The broker itself puts aside what has come back AMQP_DELIVERIES_MAX times unanswered:
 * an event that kills its consumers. What is not an event of ours is put aside at once.
 *
 * Threads: two, each with a connection of its own (a broker that is short of memory stops reading
 * from publishers, and consumers must go on), reconnecting with backoff and jitter to any of the
 * hosts. Ops are for any thread; callbacks come inside poll(), confirm on the thread that
 * published.
 */
#ifndef LORRY_ADAPTERS_AMQP_BUS_H
#define LORRY_ADAPTERS_AMQP_BUS_H

#include "base/buf.h"
#include "base/log.h"
#include "ports/bus.h"

#define AMQP_IN_FLIGHT_MAX 4096 /* events not yet confirmed; then publish: ERR_FULL */
#define AMQP_PREFETCH 256       /* events of one group in one process, not yet acknowledged */
#define AMQP_ATTEMPTS_MAX 5     /* tries of an event that is itself at fault */
#define AMQP_DELIVERIES_MAX 20  /* by the broker, of an event that nobody answers */
#define AMQP_BODY_MAX ((size_t)4 << 20) /* bytes of an event; what is larger is not ours */
#define AMQP_DEAD_MAX 100000            /* dead letters of a group; more wait in its queue */
#define AMQP_PREFIX "lorry"             /* where none is given */
#define AMQP_GROUPS_MAX 32
#define AMQP_TYPES_MAX 64   /* of one group */
#define AMQP_MEMBERS_MAX 16 /* subscriptions of one group in this process */
#define AMQP_HEARTBEAT_S 6  /* a broker that says nothing for twice as long is gone */

/* A group that exists somewhere: its queue is declared here, too. */
struct amqp_group {
    const char *name;
    const char *const *types; /* ends with NULL */
};

struct amqp_options {
    /* amqp://user:password@host:port,host:port/vhost; amqps:// for TLS. Hosts are names, IPv4, or
     * IPv6 in brackets. */
    const char *uri;
    const char *ca_file;             /* PEM: who may vouch for an amqps broker */
    const char *prefix;              /* NULL: AMQP_PREFIX */
    const struct amqp_group *groups; /* all of the platform; names must outlive the bus */
    int32_t group_count;
    struct signals *signals; /* closed with the bus */
    const struct log *log;
};

/* Connects in the background from the first publish or poll on. ERR_INVALID: *RET_WHY (in A) says
 * what is wrong with the options, without the password. Strings of O must outlive the bus. */
int amqp_bus_new(const struct amqp_options *o, struct arena *a, struct bus **ret_bus,
                 struct str *ret_why);

struct amqp_bus_stats {
    bool connected;         /* all of its connections are there */
    int64_t in_flight;      /* published and not yet confirmed */
    int64_t unacknowledged; /* deliveries here */
    int64_t resting;        /* of them, waiting for their redelivery */
    uint64_t reconnects;    /* connections that were lost */
    uint64_t published;     /* sent to the broker */
    uint64_t confirmed;     /* by it */
    uint64_t unconfirmed;   /* refused, or lost with the connection: published again */
    uint64_t returned;      /* confirmed though no group wanted it */
    uint64_t delivered;     /* to consumers here */
    uint64_t redelivered;   /* of them, not for the first time */
    uint64_t dead_lettered; /* put aside by this process */
};
void amqp_bus_stats(struct bus *b, struct amqp_bus_stats *ret); /* any thread */

#endif
