/* A batch on its way: its changes, grouped by document. mongo_batch.c makes a compare-and-set of
 * each group, mongo_commit.c sends them until each is settled.
 */
#ifndef LORRY_ADAPTERS_MONGO_BATCH_H
#define LORRY_ADAPTERS_MONGO_BATCH_H

#include "adapters/mongo/mongo_private.h"

enum mongo_fate {
    MONGO_OPEN,    /* to be sent, or sent and not looked after yet */
    MONGO_SETTLED, /* all its changes have their results */
};

/* The changes of one document, in their order. */
struct mongo_group {
    int table;
    struct str id;
    int32_t first, last; /* changes, linked by `next` */
    int64_t version;     /* the document's: KNOWN, or hoped to be what the first change expects */
    bool known;
    enum mongo_fate fate;
    int32_t attempts;
    bool doubt; /* sent, and nobody knows */
    struct mongo_write *write;
};

/* What the batch knows of one change. */
struct mongo_item {
    int32_t next;              /* of the same document; -1: none */
    bool passes;               /* if the group's compare-and-set goes through */
    bool written;              /* it is in the group's write */
    bool taken;                /* one of its keys is in the database, with another commit */
    bson_t *state;             /* NULL: none */
    struct str dedupe, answer; /* its keys as they are in `claims`; absent: none */
    int32_t dedupe_before, answer_before; /* the last one before it with the same; -1: none */
    struct mongo_group *group;
    struct str rows; /* its events' rows begin with this */
};

struct mongo_batch {
    struct mongo_store *s;
    struct arena *a;
    struct store_change *changes;
    struct mongo_item *items;
    struct mongo_group *groups;
    int32_t count, group_count;
    struct map claims; /* key → the item that has it, or is about to */
    int64_t until_us, now_us;
};

void mongo_batch_init(struct mongo_batch *b, struct mongo_store *s, struct arena *a,
                      struct store_change *changes, int32_t count);
void mongo_batch_free(struct mongo_batch *b);

/* Decides which changes of G pass at its version, in order, and claims their keys. 1: some pass;
 * 0: none, and G is settled; ERR_AGAIN: it must wait for another group that may take a key first
 * (unless FORCE: two may wait for each other). */
int mongo_batch_judge(struct mongo_batch *b, struct mongo_group *g, bool force);
/* The compare-and-set of what passes, in G->write; the same as before if nothing has changed.
 * False: it is larger than any document may be. */
bool mongo_batch_write(struct mongo_batch *b, struct mongo_group *g);
/* G went through (RESULT 0), or those that pass fail with RESULT. */
void mongo_batch_settle(struct mongo_batch *b, struct mongo_group *g, int result);
/* Time is up for G: what was sent is in DOUBT, all else was not written. */
void mongo_batch_give_up(struct mongo_batch *b, struct mongo_group *g, bool doubt);
/* Marks the items of open groups of TABLE whose keys are in the database. */
int mongo_batch_find_keys(struct mongo_batch *b, int table);

#endif
