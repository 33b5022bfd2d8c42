/* How many bookings a customer may have open: what is open in the store, and what the batch at hand
 * is about to open, because a batch does not see its own writes there. Both are counted before the
 * decision, in load; what a command has added is taken away again in applied or undone.
 *
 * With one executor the bound is exact. Several executors on one store see each other's bookings
 * once they are committed: each stays within the bound by what it sees, so N of them at once may
 * open N times as many for one customer, once.
 */
#include "base/err.h"
#include "services/booking/internal.h"

#define OPEN_PAGE 50

int32_t opening_count(const struct map *m, struct str id) {
    const struct opening *first = map_get(m, id);
    return first != NULL ? first->count : 0;
}

void opening_add(struct map *m, struct opening *own, struct str id) {
    struct opening *first = map_get(m, id);
    own->id = id;
    if (first == NULL) {
        first = own;
        first->count = 0;
        map_put(m, id, first);
    }
    first->count++;
}

/* The first one's memory is there until all of its batch have been here. */
void opening_drop(struct map *m, struct opening *own) {
    if (own->id.p == NULL)
        return;
    struct opening *first = map_get(m, own->id);
    if (--first->count == 0)
        map_remove(m, own->id);
    own->id = STR_NONE;
}

int open_count(struct store *store, struct str customer_id, int32_t max, int32_t *ret) {
    struct arena a;
    arena_init(&a, 1024);
    struct store_query q = {.collection = &booking_collection,
                            .index = booking_collection.indexes[0],
                            .key = customer_open_key(&a, customer_id)};
    int32_t found = 0, count;
    int err;
    do {
        struct store_doc *docs;
        q.limit = max - found < OPEN_PAGE ? max - found : OPEN_PAGE;
        err = store->ops->list(store, &q, &a, &docs, &count);
        if (err < 0)
            break;
        found += count;
        if (count > 0)
            q.after = docs[count - 1].id;
    } while (count == q.limit && found < max);
    arena_free(&a);
    if (err == 0)
        *ret = found;
    return err;
}

struct str open_words(const struct booking_service *s, struct arena *a) {
    return arena_printf(a, "you have %d open bookings, which is as many as an account may have",
                        s->o.open_bookings_max);
}

int open_reserve(const struct command *cmd, struct store *store, struct str customer_id) {
    struct booking_service *s = cmd->service;
    struct create_facts *facts = cmd->facts;
    int32_t max = s->o.open_bookings_max, open = 0;
    facts->too_many = false;
    if (max < 0)
        return 0;
    int32_t opening = opening_count(&s->opening, customer_id);
    if (opening < max) {
        int err = open_count(store, customer_id, max - opening, &open);
        if (err < 0)
            return err;
    }
    facts->too_many = opening + open >= max;
    if (!facts->too_many)
        opening_add(&s->opening, &facts->opening, customer_id);
    return 0;
}

void open_release(const struct command *cmd) {
    struct booking_service *s = cmd->service;
    struct create_facts *facts = cmd->facts;
    if (facts != NULL)
        opening_drop(&s->opening, &facts->opening);
}
