/* The postgres store: the store port on a PostgreSQL database, for any number of processes. One
 * aggregate is one row (id, version, wake_at, commit_id, by_<index>…, state jsonb); a batch of
 * changes is one transaction and one round trip (libpq's pipeline mode).
 *
 * Connections come and go: a handle that lost its own makes it again, with backoff, at any of the
 * URI's hosts that takes writes. Until then its calls fail, and none of them ever takes longer than
 * POSTGRES_STALL_MAX_MS.
 *
 * Needs PostgreSQL 14 or later, a database in UTF-8, a role that may make tables in it, and
 * connections that are sessions (PgBouncer: pool_mode = session).
 */
#ifndef LORRY_ADAPTERS_POSTGRES_STORE_H
#define LORRY_ADAPTERS_POSTGRES_STORE_H

#include "base/buf.h"
#include "base/log.h"
#include "base/module.h"
#include "ports/store.h"

#define POSTGRES_STORE_SCHEMA 2 /* the version of the tables that belong to no collection */
#define POSTGRES_STORE_COLLECTIONS_MAX 64
#define POSTGRES_SERVER_MIN 140000 /* server_version_num */

#define POSTGRES_CONNECT_TIMEOUT_MS 3000 /* of one try; the next one begins at another host */
#define POSTGRES_READ_TIMEOUT_MS 4000    /* of a read on a writing handle */
#define POSTGRES_READER_TIMEOUT_MS 2000  /* of a read on a reading handle (a network thread's) */
#define POSTGRES_COMMIT_TIMEOUT_MS 6000
#define POSTGRES_STATEMENT_TIMEOUT_MS 3500 /* the server gives up before its client does */
#define POSTGRES_LOCK_TIMEOUT_MS 2000
/* How long calls wait for a lost connection to come back, once per loss. */
#define POSTGRES_PATIENCE_MS 1000
#define POSTGRES_READER_PATIENCE_MS 200
#define POSTGRES_BACKOFF_MAX_MS 1000
#define POSTGRES_READ_LAG_MAX_MS 5000
#define POSTGRES_STALL_MAX_MS                                                                      \
    (POSTGRES_PATIENCE_MS + 2 * POSTGRES_CONNECT_TIMEOUT_MS + 2 * POSTGRES_COMMIT_TIMEOUT_MS)

struct postgres_options {
    const char *uri; /* "postgresql://user:password@host1:5432,host2:5432/lorry"; see libpq */
    /* Or NULL or "". Servers that may be behind (streaming replicas): lists that may lag (may_lag
     * of a query) go there while one of them answers and is not too far behind. All else is read
     * where it is written, so that everybody sees what he was told is done. */
    const char *read_uri;
    int32_t read_lag_max_ms; /* further behind is too far; 0: POSTGRES_READ_LAG_MAX_MS */
    const struct store_collection *const *collections; /* outlive the source */
    int collection_count;
    bool beside; /* a tool beside the servers: what it commits is owned by nobody (ports/store.h) */
    const struct log *log; /* NULL: none */
};

struct postgres_source;

/* Connects, migrates, makes missing tables and indexes. On failure *RET_WHY (in A) says in a
 * sentence what is wrong. Takes POSTGRES_CONNECT_TIMEOUT_MS a host at most, and what migrations
 * take.
 * ERR_INVALID: a malformed URI, a server too old, a database that is not in UTF-8, belongs to
 * something else or to a newer Lorry. ERR_UNAVAILABLE: no server, or it lets nobody in. ERR_IO,
 * ERR_FULL, ERR_BUSY. */
int postgres_source_open(const struct postgres_options *o, struct arena *a,
                         struct postgres_source **ret_source, struct str *ret_why);
/* The port's view: opens handles. Any thread. Lives as long as the source. */
struct store_source *postgres_source_port(struct postgres_source *s);
/* After all handles are closed. NULL ok; returns NULL. */
struct postgres_source *postgres_source_close(struct postgres_source *s);

struct postgres_stats {
    int32_t writers, writers_connected; /* handles */
    int32_t readers, readers_connected;
    int64_t reconnects; /* lost and made again */
    bool has_replica;
    int64_t replica_lists;   /* lists that a read replica answered */
    int64_t replica_away;    /* that the primary answered, since no replica did */
    int64_t replica_behind;  /* that the primary answered, since the replica was too far behind */
    int64_t replica_lag_us;  /* at most, when it was last asked */
    int64_t commits_retried; /* after a deadlock or a race with another writer */
    int64_t events_adopted;  /* taken over from writers that are gone */
};
/* Any thread. Ready is who has all of its writers connected. */
void postgres_source_stats(struct postgres_source *s, struct postgres_stats *ret);
/* Appends them in Prometheus' text format. Any thread. */
void postgres_source_metrics(struct postgres_source *s, struct buf *out);

/* What lorry-postgres.so gives: the functions above, by the same names. */
struct postgres_module {
    struct module module;
    int (*open)(const struct postgres_options *o, struct arena *a,
                struct postgres_source **ret_source, struct str *ret_why);
    struct store_source *(*port)(struct postgres_source *s);
    void (*metrics)(struct postgres_source *s, struct buf *out);
    struct postgres_source *(*close)(struct postgres_source *s);
};

#endif
