/* What is open: under which keys it lies, and how many bookings a customer may have of it: what is
 * open in the store, and what the batch at hand is about to open, because a batch does not see its
 * own writes there. Both are counted before the decision, in load; what a command has added is
 * taken away again in applied or undone.
 *
 * With one executor the bound is exact. Several executors on one store see each other's bookings
 * once they are committed: each stays within the bound by what it sees, so N of them at once may
 * open N times as many for one customer, once.
 */
#include "base/err.h"
#include "base/timestamp.h"
#include "services/booking/internal.h"

#include <stdio.h>

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
                            .key = booking_open_key(&a, customer_id)};
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

/* ---- what lies under a driver's bare id ---- */

#define KEYS_PAGE 100
#define KEYS_LOOKS                                                                                 \
    2 /* … that find none are enough: the second is for replicas of an older version */
#define KEYS_AGAIN_US (600 * US_PER_S)

/* Is B found under its driver's open key? It is read again: it may have ended meanwhile. */
static int lies_well(struct store *store, struct json_parser *parser, const struct booking *b,
                     struct arena *a, bool *ret) {
    struct store_query q = {.collection = &booking_collection,
                            .index = booking_collection.indexes[1],
                            .key = booking_open_key(a, b->driver->id),
                            .limit = STORE_LIST_MAX};
    struct store_doc *docs;
    int32_t count;
    void *now;
    int err = store->ops->list(store, &q, a, &docs, &count);
    if (err < 0)
        return err;
    *ret = count == q.limit; /* nobody has so many; let it be */
    for (int32_t i = 0; i < count && !*ret; i++)
        *ret = str_eq(docs[i].id, b->head.id);
    if (*ret)
        return 0;
    err = aggregate_get(&booking_aggregate, store, parser, b->head.id, a, &now);
    const struct booking *after = err == 0 ? now : NULL;
    *ret = after == NULL || after->head.version != b->head.version;
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* One page of those that are open. *RET_COUNT: how many there were. */
static int look_on(struct open_keys *k, struct store *store, struct json_parser *parser,
                   struct arena *a, int32_t *ret_count) {
    struct store_query q = {.collection = &booking_collection,
                            .index = booking_collection.indexes[2],
                            .key = STR(PHASE_OPEN),
                            .after = k->after[0] != 0 ? str_from(k->after) : STR_NONE,
                            .limit = KEYS_PAGE};
    struct store_doc *docs;
    int err = store->ops->list(store, &q, a, &docs, ret_count);
    for (int32_t i = 0; i < *ret_count && err == 0 && !k->found; i++) {
        void *state;
        bool well = true;
        if (aggregate_decode(&booking_aggregate, &docs[i], parser, a, &state) == 0 &&
            ((const struct booking *)state)->driver != NULL) /* else nobody can read it */
            err = lies_well(store, parser, state, a, &well);
        k->found = !well;
    }
    if (err == 0 && *ret_count > 0)
        snprintf(k->after, sizeof(k->after), "%.*s", STR_ARG(docs[*ret_count - 1].id));
    return err;
}

/* A page at a time, from the start on. While it is not known that there is none, drivers' lists
 * walk both keys, as they do where there is one: that is slow where he has much behind him, and
 * right. */
void open_keys_tick(struct open_keys *k, struct store *store, int64_t now_us) {
    if (k->clean == KEYS_LOOKS || now_us < k->next_us)
        return;
    struct arena a;
    struct json_parser *parser = json_parser_new();
    int32_t count = 0;
    arena_init(&a, 65536);
    int err = look_on(k, store, parser, &a, &count);
    if (err == 0 && (k->found || count < KEYS_PAGE)) {
        atomic_store_explicit(&k->gone, !k->found, memory_order_release);
        k->clean = k->found ? 0 : k->clean + 1;
        k->next_us = now_us + KEYS_AGAIN_US;
        k->found = false;
        k->after[0] = 0;
    }
    arena_free(&a);
    json_parser_free(parser);
}

/* ---- what else is begun ---- */

int begin_reserve(struct command *cmd, struct store *store, const struct store_collection *c,
                  struct map *m, int32_t max) {
    struct begin_facts *facts = arena_new(cmd->arena, struct begin_facts);
    struct store_query q = {
        .collection = c, .index = c->indexes[1], .key = cmd->who.user_id, .limit = max};
    struct store_doc *docs;
    int32_t count;
    *facts = (struct begin_facts){.counted = m};
    cmd->facts = facts;
    int err = store->ops->list(store, &q, cmd->arena, &docs, &count);
    if (err < 0)
        return err;
    facts->too_many = count + opening_count(m, cmd->who.user_id) >= max;
    if (!facts->too_many)
        opening_add(m, &facts->opening, cmd->who.user_id);
    return 0;
}

void begin_over(const struct command *cmd) {
    struct begin_facts *facts = cmd->facts;
    if (facts != NULL)
        opening_drop(facts->counted, &facts->opening);
}

void begin_applied(const struct command *cmd, const struct decision *d, const void *state) {
    (void)d;
    (void)state;
    begin_over(cmd);
}
