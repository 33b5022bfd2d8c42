/* The database as a source of handles. The source itself keeps no connection: it connects once, to
 * make the schema ready and to say clearly what is wrong if something is.
 */
#include "adapters/postgres/postgres_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <stdlib.h>

struct postgres_source {
    struct store_source port; /* first */
    struct postgres_options options;
    struct postgres_target target, replica;
    bool has_replica;
    struct postgres_lag lag; /* of the replica */
    struct postgres_counters counters;
};

static int open_handle(struct store_source *src, bool writer, struct store **ret_store) {
    struct postgres_source *s = (struct postgres_source *)src;
    struct store *store =
        postgres_store_new(&s->target, &s->replica, s->has_replica ? &s->lag : NULL, writer,
                           &s->options, &s->counters);
    int r = postgres_link_open(&((struct postgres_store *)store)->link);
    if (r < 0) {
        store->ops->close(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

static int open_dump(struct store_source *src, struct arena *a, struct store_dump **ret_dump,
                     struct str *ret_why) {
    struct postgres_source *s = (struct postgres_source *)src;
    return postgres_dump_open(&s->target, &s->options, a, ret_dump, ret_why);
}

static int open_load(struct store_source *src, struct arena *a, struct store_load **ret_load,
                     struct str *ret_why) {
    struct postgres_source *s = (struct postgres_source *)src;
    return postgres_load_open(&s->target, &s->options, a, ret_load, ret_why);
}

static int prepare(struct postgres_source *s, struct arena *a, struct str *ret_why) {
    struct postgres_link l;
    struct str why = STR_NONE;
    postgres_link_init(&l, &s->target, 0, NULL);
    int r = postgres_link_open(&l);
    if (r < 0)
        *ret_why = arena_printf(a, "cannot use PostgreSQL: %s", l.why);
    if (r == 0) {
        r = postgres_schema_prepare(&l, &s->options, a, &why);
        if (r < 0)
            *ret_why = arena_printf(a, "PostgreSQL: %.*s", STR_ARG(why));
    }
    postgres_link_free(&l);
    return r;
}

int postgres_source_open(const struct postgres_options *o, struct arena *a,
                         struct postgres_source **ret_source, struct str *ret_why) {
    CHECK(o->collection_count <= POSTGRES_STORE_COLLECTIONS_MAX);
    struct postgres_source *s = xcalloc(1, sizeof *s);
    s->port = (struct store_source){.open = open_handle, .dump = open_dump, .load = open_load};
    s->options = *o;
    int32_t lag_ms = o->read_lag_max_ms > 0 ? o->read_lag_max_ms : POSTGRES_READ_LAG_MAX_MS;
    postgres_lag_init(&s->lag, lag_ms * US_PER_MS);
    int r = postgres_target_init(&s->target, o->uri, false, a, ret_why);
    if (r == 0 && o->read_uri && *o->read_uri) {
        r = postgres_target_init(&s->replica, o->read_uri, true, a, ret_why);
        s->has_replica = r == 0;
    }
    s->options.uri = s->options.read_uri = NULL; /* the targets have copies */
    if (r == 0)
        r = prepare(s, a, ret_why);
    if (r < 0) {
        postgres_source_close(s);
        return r;
    }
    *ret_source = s;
    return 0;
}

struct store_source *postgres_source_port(struct postgres_source *s) {
    return &s->port;
}

void postgres_source_stats(struct postgres_source *s, struct postgres_stats *ret) {
    pthread_mutex_lock(&s->lag.lock);
    int64_t lag_us = s->lag.seen_us;
    pthread_mutex_unlock(&s->lag.lock);
    const struct postgres_counters *c = &s->counters;
    *ret = (struct postgres_stats){.writers = c->writers,
                                   .writers_connected = c->writers_up,
                                   .readers = c->readers,
                                   .readers_connected = c->readers_up,
                                   .reconnects = c->reconnects,
                                   .has_replica = s->has_replica,
                                   .replica_lists = c->replica_lists,
                                   .replica_away = c->replica_away,
                                   .replica_behind = c->replica_behind,
                                   .replica_lag_us = lag_us,
                                   .commits_retried = c->commits_retried,
                                   .events_adopted = c->events_adopted};
}

struct postgres_source *postgres_source_close(struct postgres_source *s) {
    if (!s)
        return NULL;
    postgres_target_free(&s->target);
    postgres_target_free(&s->replica);
    postgres_lag_free(&s->lag);
    free(s);
    return NULL;
}
