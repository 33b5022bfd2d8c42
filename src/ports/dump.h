/* A store whole: all that one keeps, read as of one moment (a dump) and written into an empty one
 * (a load). Both are optional parts of a store_source (ports/store.h). They are how a company moves
 * from one kind of store to another; no service knows of them.
 *
 * What there is: documents of every collection that the source was opened with, events that have
 * not been published, dedupe keys, answers to idempotency keys. A dump fails when the store holds
 * something else, so that nothing is left behind in silence.
 *
 * One thread. Errors are the port's codes; `why` says in a sentence what is wrong.
 */
#ifndef LORRY_PORTS_DUMP_H
#define LORRY_PORTS_DUMP_H

#include "ports/store.h"

#define STORE_WHY_MAX 640
#define STORE_LOAD_MAX 1000 /* records of one add */

enum store_record_kind {
    STORE_RECORD_DOC,
    STORE_RECORD_EVENT,
    STORE_RECORD_SEEN,   /* a dedupe key: answer.key, answer.at_us */
    STORE_RECORD_ANSWER, /* to an idempotency key */
    STORE_RECORD_KINDS
};

struct store_record {
    enum store_record_kind kind;
    /* Of a document. Of keys: that of the documents they are used with; NULL: it is not known. */
    const struct store_collection *collection;
    struct store_doc doc;
    struct str keys[STORE_KEYS_MAX]; /* of a document, in the order of the collection's indexes */
    struct event event;              /* seq means nothing */
    struct store_answer answer;
};

struct store_dump;
struct store_dump_ops {
    /* The next records, some hundred, in A; none: that was all. Each record comes once. Documents
     * of a collection come in the order of their ids, events of a key in theirs. */
    int (*next)(struct store_dump *d, struct arena *a, struct store_record **ret_records,
                int32_t *ret_count);
    void (*close)(struct store_dump *d);
};
struct store_dump {
    const struct store_dump_ops *ops;
    char why[STORE_WHY_MAX];
};

struct store_load;
struct store_load_ops {
    /* COUNT (1..STORE_LOAD_MAX) more. A key that is there already is passed over. */
    int (*add)(struct store_load *l, const struct store_record *records, int32_t count);
    /* Reads what was added so far; closed before anything else is done. */
    int (*dump)(struct store_load *l, struct store_dump **ret_dump);
    /* From now on it is a store like any other; what was added is durable. */
    int (*finish)(struct store_load *l);
    /* Without finish: the store is empty again. */
    void (*close)(struct store_load *l);
};
struct store_load {
    const struct store_load_ops *ops;
    char why[STORE_WHY_MAX];
};

#endif
