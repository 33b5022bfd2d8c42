/* Documents to structs. */
#include "runtime/aggregate.h"

#include "base/err.h"

int aggregate_decode(const struct aggregate *g, const struct store_doc *doc, struct json_parser *p,
                     struct arena *a, void **ret_state) {
    struct aggregate_head *head = arena_alloc(a, g->schema->size);
    int err = schema_load(g->schema, p, doc->state, a, head);
    if (err < 0)
        return err;
    head->id = doc->id;
    head->version = doc->version;
    *ret_state = head;
    return 0;
}

int aggregate_get(const struct aggregate *g, struct store *store, struct json_parser *p,
                  struct str id, struct arena *a, void **ret_state) {
    struct store_doc doc;
    int err = store->ops->get(store, g->collection, id, a, &doc);
    if (err < 0)
        return err;
    return aggregate_decode(g, &doc, p, a, ret_state);
}
