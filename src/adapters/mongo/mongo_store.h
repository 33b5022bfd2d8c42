/* The mongo store: the store port on MongoDB (libmongoc), for as many processes as one likes.
 *
 * One aggregate is one document:
 *
 *   _id, version, commit_id, wake_at, k: {index: key}, state: {…},
 *   outbox: [{row, owner, id, type, key, at, request_id, traceparent, data}],
 *   seen: [{k, at}], answers: [{k, at, hash, status, etag, body}], keys_at, tags: [last commits]
 *
 * A commit is one compare-and-set on {_id, version} for each document, majority and journal; a
 * batch is one unordered bulk write for each collection. So single changes of a batch may fail, or
 * be unknown, while the others are durable. docs/sharding.md says how to spread the collections.
 */
#ifndef LORRY_ADAPTERS_MONGO_STORE_H
#define LORRY_ADAPTERS_MONGO_STORE_H

#include "base/log.h"
#include "base/module.h"
#include "ports/store.h"

#define MONGO_STORE_SCHEMA 1 /* the version of the documents' shape */
#define MONGO_STORE_COLLECTIONS_MAX 64

/* A server that does not answer holds a call up for this long, unless the URI says otherwise
 * (serverSelectionTimeoutMS, connectTimeoutMS, socketTimeoutMS, heartbeatFrequencyMS). */
#define MONGO_SELECTION_TIMEOUT_MS 3000
#define MONGO_CONNECT_TIMEOUT_MS 2000
#define MONGO_SOCKET_TIMEOUT_MS 3000
#define MONGO_HEARTBEAT_MS 1000 /* how soon a server that is there again is noticed */
/* A commit takes no new step after this. So no call lasts longer than this and two steps of at most
 * a selection and a socket's time-out each. */
#define MONGO_COMMIT_PATIENCE_MS 8000
/* Whoever has found no server does not look for it again before this: so a batch of many reads
 * waits for it once. */
#define MONGO_AWAY_MS 500
/* A handle that has not been heard of for this long is gone; others take its events over. */
#define MONGO_LEASE_MS 10000

#define MONGO_SEEN_MAX 512                        /* dedupe keys of one document; older ones go */
#define MONGO_ANSWERS_MAX 64                      /* answers of one document; older ones go */
#define MONGO_OUTBOX_MAX 65536                    /* events of one handle that wait for the bus */
#define MONGO_OUTBOX_BYTES_MAX ((size_t)64 << 20) /* and their bytes; beyond: ERR_FULL */

struct mongo_options {
    const char *uri;      /* "mongodb://…"; credentials are not told */
    const char *database; /* NULL: the URI's, else "lorry" */
    const struct store_collection *const *collections; /* outlive the source */
    int collection_count;
    /* Open beside the servers (`lorry user add`): a writing handle's events belong to nobody, and a
     * server takes them over. */
    bool beside;
    const struct log *log; /* NULL: none */
};

struct mongo_source;

/* Reaches the server, makes collections and indexes. On failure *RET_WHY (in A) says in a sentence
 * what is wrong and what to do. ERR_UNAVAILABLE: no server, or none that takes writes. ERR_DENIED:
 * it does not let us in. ERR_INVALID: the URI, or data written by a newer Lorry. ERR_IO. */
int mongo_source_open(const struct mongo_options *o, struct arena *a,
                      struct mongo_source **ret_source, struct str *ret_why);
/* The port's view: opens handles, each with a connection of its own. Any thread. Lives as long as
 * the source. */
struct store_source *mongo_source_port(struct mongo_source *s);
/* "MongoDB 7.0.5, replica set rs0": for logs and tests. */
struct str mongo_source_server(const struct mongo_source *s);
/* After all handles are closed. NULL ok; returns NULL. */
struct mongo_source *mongo_source_close(struct mongo_source *s);

/* What lorry-mongo.so gives: the functions above, by the same names. */
struct mongo_module {
    struct module module;
    int (*open)(const struct mongo_options *o, struct arena *a, struct mongo_source **ret_source,
                struct str *ret_why);
    struct store_source *(*port)(struct mongo_source *s);
    struct mongo_source *(*close)(struct mongo_source *s);
};

#endif
