/* Exchange, queues and bindings, declared so that it does no harm if they are there already. */
#include "adapters/amqp/internal.h"
#include "base/check.h"
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static amqp_table_entry_t text_entry(const char *key, const char *value) {
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)}};
}

static amqp_table_entry_t number_entry(const char *key, int64_t value) {
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = value}};
}

static int declare_queue(struct link *l, const char *name, amqp_table_entry_t *entries, int count) {
    char doing[300];
    if (amqp_queue_declare(l->conn, AMQP_CHANNEL, amqp_cstring_bytes(name), 0, 1, 0, 0,
                           (amqp_table_t){count, entries}) != NULL)
        return 0;
    snprintf(doing, sizeof(doing), "the queue %.200s", name);
    return link_fail_reply(l, doing);
}

static int declare_queues(struct link *l, const struct group *g) {
    /* Reading dead letters and putting them back counts as deliveries: newer brokers would drop
     * them after a few if nothing were said. */
    amqp_table_entry_t dead[] = {
        text_entry("x-queue-type", "quorum"), number_entry("x-delivery-limit", 1000000),
        number_entry("x-max-length", AMQP_DEAD_MAX), text_entry("x-overflow", "reject-publish")};
    /* at-least-once: a dead letter leaves the queue when the dead letters have it. It asks for
     * reject-publish, which without a length never happens. */
    amqp_table_entry_t live[] = {text_entry("x-queue-type", "quorum"),
                                 number_entry("x-delivery-limit", AMQP_DELIVERIES_MAX - 1),
                                 text_entry("x-dead-letter-exchange", ""),
                                 text_entry("x-dead-letter-routing-key", g->dead_queue),
                                 text_entry("x-dead-letter-strategy", "at-least-once"),
                                 text_entry("x-overflow", "reject-publish")};
    int err = declare_queue(l, g->dead_queue, dead, COUNT_OF(dead));
    return err < 0 ? err : declare_queue(l, g->queue, live, COUNT_OF(live));
}

static bool takes(const struct group *g, const char *type) {
    for (int32_t i = 0; i < g->taker_count; i++)
        if (!strcmp(g->takers[i].type, type))
            return true;
    return false;
}

static int bind(struct link *l, const struct group *g) {
    amqp_bytes_t queue = amqp_cstring_bytes(g->queue);
    amqp_bytes_t exchange = amqp_cstring_bytes(l->bus->exchange);
    for (int32_t i = 0; i < g->taker_count; i++)
        if (amqp_queue_bind(l->conn, AMQP_CHANNEL, queue, exchange,
                            amqp_cstring_bytes(g->takers[i].type), amqp_empty_table) == NULL)
            return link_fail_reply(l, g->takers[i].type);
    return 0;
}

/* Of the types that the platform knows, takes away those that G does not want any more. Only
 * whoever consumes a group knows what it wants, and only at its start: a replica of an older
 * version that merely reconnects takes nothing from a newer one. */
static int unbind(struct link *l, const struct group *g) {
    amqp_bytes_t queue = amqp_cstring_bytes(g->queue);
    amqp_bytes_t exchange = amqp_cstring_bytes(l->bus->exchange);
    for (int32_t o = 0; o < l->bus->group_count; o++) {
        const struct group *other = &l->bus->groups[o];
        for (int32_t i = 0; i < other->taker_count; i++) {
            const char *type = other->takers[i].type;
            if (!takes(g, type) &&
                amqp_queue_unbind(l->conn, AMQP_CHANNEL, queue, exchange, amqp_cstring_bytes(type),
                                  amqp_empty_table) == NULL)
                return link_fail_reply(l, type);
        }
    }
    return 0;
}

static int declare_all(struct link *l) {
    struct amqp_bus *b = l->bus;
    if (amqp_exchange_declare(l->conn, AMQP_CHANNEL, amqp_cstring_bytes(b->exchange),
                              amqp_cstring_bytes("topic"), 0, 1, 0, 0, amqp_empty_table) == NULL)
        return link_fail_reply(l, b->exchange);
    int err = 0;
    bool clean = l == &b->consumer && !b->unbound;
    for (int32_t i = 0; err == 0 && i < b->group_count && !l->stopping; i++) {
        const struct group *g = &b->groups[i];
        err = declare_queues(l, g);
        if (err == 0)
            err = bind(l, g);
        if (err == 0 && g->member_count > 0 && clean)
            err = unbind(l, g);
        amqp_maybe_release_buffers(l->conn);
    }
    if (err == 0 && clean)
        b->unbound = true;
    return err;
}

int topology_declare(struct link *l) {
    CHECK(pthread_mutex_lock(&l->bus->declaring) == 0);
    int err = declare_all(l);
    CHECK(pthread_mutex_unlock(&l->bus->declaring) == 0);
    return err;
}
