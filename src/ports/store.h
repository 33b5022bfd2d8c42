/* The store port: documents, each an aggregate, with everything that must change together in one
 * write: its state, its version, its next wake-up, the events it sends (outbox), the dedupe keys of
 * what it has taken in, and the answer it gave to an idempotency key.
 *
 * Adapters: sqlite (one file, a batch is one transaction), memory (the simulator's, with faults),
 * postgres (a batch is one transaction and one round trip), mongo (each document is one write). The
 * one contract suite in tests/contract holds them to this text.
 *
 * Threads and processes: a `store` handle belongs to one thread. Any number of handles, of any
 * number of processes, may be open on the same data and write at once: `expected_version` decides
 * who wins, dedupe and answer keys hold for all of them together. (sqlite and memory have one
 * writing handle, the executor's.) Every handle reads what any of them has committed.
 *
 * Each event is owned by one writing handle: the one that committed it, and when that is gone
 * (closed, or dead with its process) one of those that live. Only the owner's outbox_read returns
 * it, so nothing is published by two living handles; after a takeover, what the dead one had
 * published may be published again, and consumers drop it by its id. What a handle that was opened
 * beside the servers commits (`lorry user`) is owned by nobody, and a living writer takes it over.
 * Order is kept within what one handle committed.
 *
 * States: JSON objects. What comes back is the same value; white space and the order of members may
 * have changed. Strings have no U+0000. All other texts (keys, answers' bodies, events' data) come
 * back byte for byte.
 *
 * Memory: what a call returns lives in the arena it was given.
 */
#ifndef LORRY_PORTS_STORE_H
#define LORRY_PORTS_STORE_H

#include "base/arena.h"
#include "base/str.h"

#include <stdint.h>

#define STORE_KEYS_MAX 4    /* index keys of one collection */
#define STORE_EVENTS_MAX 24 /* events of one change */
#define STORE_BATCH_MAX 256 /* changes in one commit */
#define STORE_LIST_MAX 200  /* documents in one page */
#define STORE_ID_MAX 96     /* bytes of a document id */

/* A collection: one kind of aggregate. Declared const by the service that owns it; the service
 * fills `keys` of each change in the order of `indexes`. An index maps a text key to documents, in
 * the order of their ids; a change whose key is absent (STR_NONE) is not in that index. An index
 * may be added later: documents that are there already come into it when they are next written. */
struct store_collection {
    const char *name;                    /* "bookings": also the table's name */
    const char *indexes[STORE_KEYS_MAX]; /* "customer_id", …; NULL ends */
    bool timers;                         /* may its documents have wake_at_us? */
    /* Documents are created and never changed, their ids begin with their time (µs since 1970, 16
     * hex digits), and only prune_docs removes them: an adapter may keep each day apart. */
    bool daily;
};

struct store_doc {
    struct str id;
    int64_t version;      /* 1 after the create, then +1 a commit */
    struct str state;     /* a JSON object */
    int64_t wake_at_us;   /* 0: none */
    struct str commit_id; /* of the last commit */
};

/* An event in the outbox: written with the state, removed when the bus has confirmed it. */
struct event {
    struct str id;   /* "evt_…": consumers drop what they have seen by it */
    struct str type; /* "booking.requested" */
    struct str key;  /* the aggregate it speaks of; order is kept per key */
    int64_t at_us;
    struct str request_id; /* of the request that caused it; may be absent */
    struct str
        traceparent; /* W3C; absent: of no trace, or written by a Lorry before it knew them */
    struct str data; /* JSON text, shape given by its type in events/ */
    int64_t seq;     /* set by outbox_read: rises in the order of the owning handle */
};

/* The answer to a request with an Idempotency-Key, kept at least 24 h. */
struct store_answer {
    struct str key; /* the client's, with account, method and path; the runtime's to put together */
    uint64_t body_hash; /* of the request */
    int32_t status;
    struct str etag, body;
    int64_t at_us;
};

struct store_change {
    const struct store_collection *collection;
    struct str id;
    int64_t expected_version; /* 0: must not exist yet */
    bool remove;              /* delete the document instead (events and dedupe still count) */
    struct str state;
    int64_t wake_at_us;
    struct str keys[STORE_KEYS_MAX];
    struct str commit_id; /* unique per attempt: who lost an answer finds his commit by it */
    const struct event *events;
    int32_t event_count;
    struct str dedupe; /* STR_NONE, or: ERR_DUPLICATE if this key was committed before */
    int64_t at_us;     /* when this was decided: the dedupe key ages from it. 0: from the answer's
                          or the first event's time, else from the adapter's clock */
    const struct store_answer *answer; /* or NULL */
    int result; /* out: 0, ERR_CONFLICT (version), ERR_DUPLICATE (dedupe or answer key), ERR_INVALID
                   (text that the store cannot keep), or what commit says below */
};

struct store_query {
    const struct store_collection *collection;
    const char *index; /* NULL: the whole collection by id */
    struct str key;    /* the index's key */
    struct str after;  /* cursor: only ids beyond this one; absent: from the start */
    struct str until;  /* only ids before this one (exclusive) in walking order; absent: no bound */
    bool ascending;    /* default: newest id first */
    bool may_lag;      /* on a reading handle: it may be behind by some seconds (a read replica) */
    int32_t limit;     /* 1..STORE_LIST_MAX */
};

/* What a batch is about to ask for. Absent: nothing of that kind. */
struct store_want {
    const struct store_collection *collection;
    struct str id, dedupe, answer;
};

struct store;
struct store_ops {
    /* ERR_NOT_FOUND, ERR_BUSY, ERR_IO; ERR_UNAVAILABLE: the server is away (any of the calls). Sees
     * whatever was committed before the call. */
    int (*get)(struct store *s, const struct store_collection *c, struct str id, struct arena *a,
               struct store_doc *ret_doc);
    /* Sees whatever was committed before the call, unless it may lag. */
    int (*list)(struct store *s, const struct store_query *q, struct arena *a,
                struct store_doc **ret_docs, int32_t *ret_count);
    /* All changes in one durable write, in order; each gets its own result, and one that fails
     * touches nothing while the others go through. A change sees those before it in the batch.
     * The return value speaks for the whole: 0 (look at each result), ERR_BUSY, ERR_UNAVAILABLE,
     * ERR_FULL or ERR_IO (nothing was written), ERR_UNKNOWN (nobody knows what was written; as soon
     * as this handle answers a get again, it is decided).
     * Where a batch cannot be one write (mongo: a document is), single changes may have the result
     * ERR_UNAVAILABLE or ERR_UNKNOWN while the whole says 0. What becomes of one document's changes
     * is one write everywhere: the first get of it tells the commit_id of this handle's own commit
     * if that went through, whoever has written since.
     * REMOVE_SEQS are outbox rows of this handle that the bus has confirmed, removed in the same
     * write. */
    int (*commit)(struct store *s, struct store_change *changes, int32_t count,
                  const int64_t *remove_seqs, int32_t remove_count);
    /* ERR_NOT_FOUND. C is where the key was, or would be, committed: a key is always used with
     * documents of the same collection. */
    int (*answer)(struct store *s, const struct store_collection *c, struct str key,
                  struct arena *a, struct store_answer *ret_answer);
    /* Was this dedupe key committed? (Used to skip work early; commit is what decides.) */
    bool (*seen)(struct store *s, const struct store_collection *c, struct str dedupe);
    /* Events that this writing handle owns with seq > AFTER in order, at most LIMIT. Those it takes
     * over from handles that are gone get seqs beyond its own last: it looks for them here, about
     * once a second and when it hears of some. No seq is ever given twice by one handle. */
    int (*outbox_read)(struct store *s, int64_t after_seq, int32_t limit, struct arena *a,
                       struct event **ret_events, int32_t *ret_count);
    /* Documents whose wake_at_us <= NOW, earliest first, at most LIMIT. Only id and wake_at_us are
     * sure to be there. Several handles may get the same ones: who commits first wins. */
    int (*due)(struct store *s, const struct store_collection *c, int64_t now_us, int32_t limit,
               struct arena *a, struct store_doc **ret_docs, int32_t *ret_count);
    /* Drops answers and dedupe keys older than BEFORE, at most LIMIT of each (mongo: at most those
     * of LIMIT documents). Returns how many or an error. */
    int (*prune)(struct store *s, int64_t before_us, int32_t limit);
    /* Drops up to LIMIT documents of C whose id is below ID (in id order). For retention. Of a
     * daily collection days may go as a whole, which count as one; those of ID's own day may stay
     * until it is over. */
    int (*prune_docs)(struct store *s, const struct store_collection *c, struct str below_id,
                      int32_t limit);
    /* Optional (NULL): a batch of reads and one commit follow on this writing handle, and the store
     * may hold on to what makes them cheap (a transaction) from begin to end. An error from begin
     * means only that nothing is held. */
    int (*begin)(struct store *s);
    void (*end)(struct store *s);
    /* Optional (NULL): between begin and end, what the batch is about to ask for, so that a store
     * across a network can fetch it in one go. Hints only. What get, seen and answer say of it
     * until the commit may be as of this call: the commit finds out. */
    void (*expect)(struct store *s, const struct store_want *wants, int32_t count);
    void (*close)(struct store *s);
};
struct store {
    const struct store_ops *ops;
};

/* Opens one more handle on the same data for another thread. */
struct store_dump;
struct store_load;
struct store_source {
    int (*open)(struct store_source *src, bool writer, struct store **ret_store);
    /* Optional (NULL), see ports/dump.h. On failure *RET_WHY (in A) says what is wrong. Servers may
     * be at work meanwhile unless the store cannot read one moment (mongo: ERR_BUSY). */
    int (*dump)(struct store_source *src, struct arena *a, struct store_dump **ret_dump,
                struct str *ret_why);
    /* ERR_CONFLICT: it is not empty. ERR_BUSY: a server works on it. */
    int (*load)(struct store_source *src, struct arena *a, struct store_load **ret_load,
                struct str *ret_why);
};

#endif
