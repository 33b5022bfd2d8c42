/* What the parts of the mongo store share: mongo_source.c (server, pool, handles), mongo_schema.c
 * (collections, indexes), mongo_read.c (the port's reads), mongo_expect.c (the same in one go),
 * mongo_commit.c (batches, and what became of them), mongo_write.c (one document's
 * compare-and-set), mongo_outbox.c (events, their owners) and mongo_prune.c (retention). A handle
 * and all in it belong to one thread.
 */
#ifndef LORRY_ADAPTERS_MONGO_PRIVATE_H
#define LORRY_ADAPTERS_MONGO_PRIVATE_H

#include "adapters/mongo/mongo_bson.h"
#include "adapters/mongo/mongo_store.h"
#include "base/map.h"

#include <mongoc/mongoc.h>

#define MONGO_NODES "lorry_nodes" /* handles that live: {_id: owner, beat_at} */
#define MONGO_META "lorry_meta"
#define MONGO_LOADING "loading" /* in MONGO_META: a load is not finished (mongo_dump.c) */

#define MONGO_OWNER_MAX 40     /* bytes of a handle's name */
#define MONGO_TAGS_MAX 8       /* of its last commits, that a document remembers */
#define MONGO_WAVES_MAX 6      /* compare-and-sets that one change may try in a commit */
#define MONGO_READ_MAX_MS 2500 /* the server gives a read up after this */
#define MONGO_WTIMEOUT_MS 2500 /* for a majority to have it */
#define MONGO_SWEEP_US                                                                             \
    (INT64_C(1) * 1000000)  /* between two signs of life and looks for the dead                    \
                             */
#define MONGO_ADOPT_MAX 200 /* documents whose events are taken over in one go */
#define MONGO_NODES_MAX 512 /* living handles */

struct mongo_table {
    const struct store_collection *decl;
    mongoc_collection_t *docs; /* majority, journal, primary */
    int index_count;
    bool unique_keys; /* the server keeps dedupe and answer keys apart between documents */
};

/* A compare-and-set of one document, kept until it is known whether it went through. */
struct mongo_write {
    int table;
    char *id, *tag, *commit_id;
    size_t id_len;
    int64_t base; /* the version it is made for */
    bool upsert;
    bson_t *filter, *update; /* never within: a bson_t wants an alignment of its own */
};

struct mongo_event { /* in one block of memory with its texts */
    int64_t seq;
    int table;
    bool confirmed; /* the bus has it; the document is still to lose it */
    struct str doc_id, row;
    struct event event;
};

struct mongo_outbox {
    struct mongo_event **events; /* ascending seq; NULL where one is gone */
    int32_t first, end, cap, count, confirmed;
    size_t bytes;
    struct map rows; /* row → event */
    int64_t seq;     /* the last one given */
    int64_t sweep_at_us;
    int64_t beat_at_us; /* by the monotonic clock: when others last heard of us */
    bool recheck;       /* a commit was in doubt: the documents may hold events that we lack */
};

struct mongo_recovered { /* commits in doubt that turned out to be there */
    int table;
    char *id, *commit_id;
    size_t id_len;
};

/* What a batch was expected to ask for, fetched in one go (mongo_expect.c). */
struct mongo_expected {
    bool open;
    struct arena a;
    struct map docs; /* "<table> <id>" → struct store_doc; without an id: there is none */
    struct map
        keys; /* "d<table> <key>", "a…" → struct store_answer; without a key: there is none */
};

struct mongo_store {
    struct store store; /* first: the port's view */
    struct mongo_source *source;
    mongoc_client_t *client;
    mongoc_collection_t *nodes;
    const struct log *log;
    bool writer, beside;
    int last_error;        /* a server that is away is logged when it goes, not each time */
    int64_t away_until_us; /* by the monotonic clock: until then it is not looked for */
    char owner[MONGO_OWNER_MAX];
    int64_t tags; /* commits so far */
    struct json_parser *parser;
    struct mongo_write *limbo[STORE_BATCH_MAX]; /* in doubt; resolved before anything else */
    int32_t limbo_count;
    struct mongo_recovered recovered[STORE_BATCH_MAX];
    int32_t recovered_count;
    struct mongo_outbox outbox;
    struct mongo_expected expected;
    int table_count;
    struct mongo_table tables[];
};

static inline struct mongo_store *mongo_self(struct store *s) {
    return (struct mongo_store *)s;
}
int mongo_table_of(const struct mongo_store *s, const struct store_collection *c);

/* The port's code for E, logged when it is news. */
int mongo_failed(struct mongo_store *s, const bson_error_t *e);
int mongo_error(const bson_error_t *e);
void mongo_well(struct mongo_store *s); /* the server has answered */
bool mongo_away(const struct mongo_store *s);

/* mongo_schema.c: on a client of its own. */
/* RET_UNIQUE, of each collection: does the server keep its keys apart between documents? */
int mongo_schema_prepare(mongoc_client_t *client, const char *database,
                         const struct mongo_options *o, bool *ret_unique, struct arena *a,
                         struct str *ret_why);

/* mongo_read.c. Each document that FILTER finds goes to EACH, which returns < 0 to stop. OPTS may
 * be NULL; the time limit is added. */
int mongo_find(struct mongo_store *s, mongoc_collection_t *c, const bson_t *filter,
               const bson_t *opts, int (*each)(void *arg, const bson_t *doc), void *arg);
extern const struct store_ops mongo_ops;
/* The documents that FILTER finds, at most LIMIT; OPTS has their projection. */
int mongo_find_docs(struct mongo_store *s, int table, const bson_t *filter, const bson_t *opts,
                    int32_t limit, struct arena *a, struct store_doc **ret_docs,
                    int32_t *ret_count);
void mongo_add_projection(bson_t *opts);
void mongo_add_alive(bson_t *filter);
/* The entry of an array `answers`. */
struct store_answer mongo_answer(const bson_t *entry, struct arena *a);

/* mongo_expect.c. Both NULL if it was not expected. */
int mongo_begin(struct store *store);
void mongo_end(struct store *store);
void mongo_expect(struct store *store, const struct store_want *wants, int32_t count);
const struct store_doc *mongo_expected_doc(struct mongo_store *s, int table, struct str id);
const struct store_answer *mongo_expected_key(struct mongo_store *s, bool dedupe, int table,
                                              struct str key);

/* mongo_write.c. What the document of W says now. */
struct mongo_head {
    int64_t version; /* 0: none, or removed */
    bool applied;    /* W is among its last commits */
};
struct mongo_write *mongo_write_free(struct mongo_write *w); /* NULL ok; returns NULL */
/* Reads the heads of COUNT writes, all of one table. */
int mongo_heads(struct mongo_store *s, struct mongo_write *const *writes, int32_t count,
                struct arena *a, struct mongo_head *ret_heads);
/* Sends them as one bulk write. RET_OK tells of each whether it certainly went through. An error:
 * nobody knows what went through, unless *RET_SENT is false: nothing did. */
int mongo_send(struct mongo_store *s, struct mongo_write *const *writes, int32_t count,
               bool *ret_ok, bool *ret_sent);

/* mongo_commit.c */
int mongo_commit(struct store *store, struct store_change *changes, int32_t count,
                 const int64_t *remove_seqs, int32_t remove_count);
/* Commits in doubt are brought to an end, one way or the other. 0, or the server is away. */
int mongo_resolve(struct mongo_store *s);

/* mongo_outbox.c */
void mongo_outbox_init(struct mongo_outbox *o);
void mongo_outbox_free(struct mongo_outbox *o);
bool mongo_outbox_room(const struct mongo_outbox *o, int32_t events);
/* A copy of E, of document ID, goes to the end. */
void mongo_outbox_add(struct mongo_outbox *o, int table, struct str id, struct str row,
                      const struct event *e);
int mongo_outbox_read(struct store *store, int64_t after_seq, int32_t limit, struct arena *a,
                      struct event **ret_events, int32_t *ret_count);
/* Marks what the bus has confirmed, and takes it out of the documents as far as the server can be
 * reached: what stays is tried again with the next one. */
void mongo_outbox_remove(struct mongo_store *s, const int64_t *seqs, int32_t count);
/* A sign of life, so that nobody takes over what we are about to commit. */
int mongo_beat(struct mongo_store *s, int64_t *ret_server_ms);
void mongo_leave(struct mongo_store *s);

/* mongo_prune.c */
int mongo_prune(struct store *store, int64_t before_us, int32_t limit);
int mongo_prune_docs(struct store *store, const struct store_collection *c, struct str below_id,
                     int32_t limit);

/* mongo_dump.c: each takes HANDLE over. */
int mongo_dump_open(struct store *handle, struct arena *a, struct store_dump **ret_dump,
                    struct str *ret_why);
int mongo_load_open(struct store *handle, struct arena *a, struct store_load **ret_load,
                    struct str *ret_why);
/* Has a load into this database begun, and not ended? */
int mongo_loading(mongoc_collection_t *meta, bool *ret_loading);

/* Takes CLIENT over: goes back to the pool at close. */
struct store *mongo_store_new(struct mongo_source *src, mongoc_client_t *client, bool writer);
void mongo_source_return(struct mongo_source *src, mongoc_client_t *client);
const struct mongo_options *mongo_source_options(const struct mongo_source *src);
const char *mongo_source_database(const struct mongo_source *src);
bool mongo_source_unique(const struct mongo_source *src, int table);

#endif
