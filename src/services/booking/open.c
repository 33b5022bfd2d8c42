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

int open_reserve(const struct command *cmd, struct store *store) {
    struct booking_service *s = cmd->service;
    struct create_facts *facts = cmd->facts;
    int32_t max = s->o.open_bookings_max, open = 0;
    facts->too_many = false;
    if (max < 0 || cmd->who.role != ROLE_CUSTOMER)
        return 0;
    struct create_facts *first = map_get(&s->opening, cmd->who.user_id);
    int32_t opening = first != NULL ? first->opening : 0;
    if (opening < max) {
        int err = open_count(store, cmd->who.user_id, max - opening, &open);
        if (err < 0)
            return err;
        opening += open;
    }
    facts->too_many = opening >= max;
    if (facts->too_many)
        return 0;
    if (first == NULL) {
        first = facts;
        first->opening = 0;
        map_put(&s->opening, cmd->who.user_id, first);
    }
    first->opening++;
    facts->reserved = true;
    return 0;
}

/* The first one's memory is there until all of its batch have been here. */
void open_release(const struct command *cmd) {
    struct booking_service *s = cmd->service;
    struct create_facts *facts = cmd->facts;
    if (facts == NULL || !facts->reserved)
        return;
    facts->reserved = false;
    struct create_facts *first = map_get(&s->opening, cmd->who.user_id);
    if (--first->opening == 0)
        map_remove(&s->opening, cmd->who.user_id);
}
