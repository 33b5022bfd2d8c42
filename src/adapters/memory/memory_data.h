/* What lies on a memory disk: documents with their indexes, the outbox, dedupe keys and answers.
 * Private to the memory store, which holds the lock, draws the faults and copies what goes out;
 * pointers returned here are valid until the next change.
 */
#ifndef LORRY_ADAPTERS_MEMORY_DATA_H
#define LORRY_ADAPTERS_MEMORY_DATA_H

#include "adapters/memory/sorted.h"
#include "base/map.h"
#include "ports/store.h"

#define MEMORY_COLLECTIONS_MAX 64

/* All documents that share one key of one index, by id. */
struct memory_bucket {
    struct sorted docs;
    struct str key;
    char key_bytes[];
};

struct memory_doc {
    struct store_doc doc; /* what the port shows; its strings point into id_bytes and body */
    struct memory_bucket *buckets[STORE_KEYS_MAX]; /* NULL: not in that index */
    char *body;                                    /* state and commit id */
    size_t body_cap;
    char id_bytes[];
};

struct memory_collection {
    const struct store_collection *decl;
    int index_count;
    struct map by_id;                   /* → memory_doc */
    struct sorted ids;                  /* (0, id) → memory_doc */
    struct sorted wakes;                /* (wake_at_us, id) → memory_doc */
    struct map indexes[STORE_KEYS_MAX]; /* key → memory_bucket */
};

/* A dedupe key or an answer: something kept by key until it is old. */
struct memory_kept {
    struct str key;
    int64_t at_us;
    struct store_answer answer; /* zero for a dedupe key; its strings lie behind the struct */
};
struct memory_keep {
    struct map by_key;     /* → memory_kept */
    struct sorted by_time; /* (at_us, key) → memory_kept */
};

/* Events in seq order: a ring whose slot 0 has head_seq; a removed row leaves NULL until it is the
 * oldest. */
struct memory_row {
    struct event event;
    int32_t owner;
};
struct memory_outbox {
    struct memory_row **ring;
    size_t cap, head, span;
    int64_t head_seq; /* the next event gets head_seq + span */
    int64_t rows;
};

struct memory_data {
    struct memory_collection *collections[MEMORY_COLLECTIONS_MAX];
    int collection_count;
    struct memory_outbox outbox;
    struct memory_keep seen, answers;
    int64_t newest_us; /* the highest time any change spoke of: stands in for a clock */
};

void memory_data_init(struct memory_data *d);
void memory_data_free(struct memory_data *d);

/* Made on first use. Collections are the same when their names are. */
struct memory_collection *memory_collection_of(struct memory_data *d,
                                               const struct store_collection *decl);
/* Checks the change and, if nothing stands against it, does all of it; its events are OWNER's. The
 * port's result code. */
int memory_data_apply(struct memory_data *d, const struct store_change *change, int32_t owner);
void memory_doc_remove(struct memory_collection *c, struct memory_doc *doc);
void memory_outbox_remove(struct memory_outbox *o, int64_t seq); /* absent: nothing happens */
int64_t memory_outbox_next_seq(const struct memory_outbox *o);
/* The event of OWNER with SEQ or, if there is none, his next one after it; NULL at the end. */
const struct event *memory_outbox_from(const struct memory_outbox *o, int32_t owner, int64_t seq);
const struct memory_kept *memory_keep_get(const struct memory_keep *k, struct str key);
int memory_keep_prune(struct memory_keep *k, int64_t before_us, int32_t limit);

#endif
