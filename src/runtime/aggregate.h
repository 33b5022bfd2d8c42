/* An aggregate type: how one kind of document becomes a struct and back. The state struct begins
 * with struct aggregate_head; its schema describes id and version too (S_OUT only: the store keeps
 * them beside the state).
 */
#ifndef LORRY_RUNTIME_AGGREGATE_H
#define LORRY_RUNTIME_AGGREGATE_H

#include "ports/store.h"
#include "json/schema.h"

struct aggregate_head {
    struct str id;
    int64_t version; /* 0: not yet stored */
};

struct aggregate {
    const struct store_collection *collection;
    const struct schema *schema;
    /* The index keys of a state, in the order of collection->indexes; NULL: no indexes. */
    void (*keys)(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]);
    /* When the aggregate wants its wake command, 0: never; NULL: no timers. Pure. */
    int64_t (*wake_at)(const void *state);
};

/* Reads and decodes one document. *RET_STATE lives in A. ERR_NOT_FOUND, ERR_BUSY, ERR_IO,
 * ERR_CORRUPT. */
int aggregate_get(const struct aggregate *g, struct store *store, struct json_parser *p,
                  struct str id, struct arena *a, void **ret_state);
int aggregate_decode(const struct aggregate *g, const struct store_doc *doc, struct json_parser *p,
                     struct arena *a, void **ret_state);

#endif
