#include "services/booking/tariff_book.h"

#include "base/check.h"
#include "base/err.h"

#include <stdlib.h>

struct tariff_book {
    struct shelf_book head;
    int64_t newest;
    struct tariff_version versions[TARIFF_AHEAD_MAX];
    int32_t count;
};

/* A timezone that is not on this machine was on the one that took the tariff: UTC is what is left.
 */
static void book_add(struct tariff_book *b, const struct tariffs *t) {
    CHECK(b->count < TARIFF_AHEAD_MAX);
    struct tariff_version *v = &b->versions[b->count++];
    v->t = t;
    if (t->timezone.p == NULL || zone_load(ZONE_DIR, t->timezone, &b->head.arena, &v->zone) < 0)
        v->zone = zone_utc;
}

/* ---- reading ---- */

int tariffs_newest(struct store *store, struct json_parser *p, const struct tariffs *house,
                   struct arena *a, const struct tariffs **ret) {
    struct store_query q = {.collection = &tariff_collection, .limit = 1};
    struct store_doc *docs;
    int32_t count;
    void *state = NULL;
    int err = store->ops->list(store, &q, a, &docs, &count);
    if (err == 0 && count > 0)
        err = aggregate_decode(&tariff_aggregate, &docs[0], p, a, &state);
    if (err < 0)
        return err;
    *ret = state != NULL ? state : house;
    return 0;
}

int64_t tariffs_number_at(const struct tariffs *newest, int64_t at_us) {
    int64_t number = newest->number, best_us = INT64_MIN;
    for (int32_t i = 0; i < newest->ahead_count; i++) {
        const struct tariff_ref *ref = &newest->ahead[i];
        if (ref->effective_us <= at_us && ref->effective_us >= best_us) {
            number = ref->number;
            best_us = ref->effective_us;
        }
    }
    return number;
}

static int book_read(void *book, const void *house, struct store *store, struct json_parser *p) {
    struct tariff_book *b = book;
    const struct tariffs *newest = house;
    int err = tariffs_newest(store, p, house, &b->head.arena, &newest);
    if (err < 0)
        return err;
    b->newest = newest->number;
    for (int32_t i = 0; err == 0 && i < newest->ahead_count; i++) {
        int64_t number = newest->ahead[i].number;
        void *state = NULL;
        if (number == newest->number || number == 1)
            book_add(b, number == 1 ? house : newest);
        else
            err = aggregate_get(&tariff_aggregate, store, p, tariff_id(&b->head.arena, number),
                                &b->head.arena, &state);
        if (state != NULL)
            book_add(b, state);
    }
    if (b->count == 0 && err == 0)
        book_add(b, newest);
    return err;
}

static void book_house(void *book, const void *house) {
    struct tariff_book *b = book;
    const struct tariffs *t = house;
    b->newest = t->number;
    book_add(b, t);
}

const struct shelf_kind tariff_shelf = {.book_size = sizeof(struct tariff_book),
                                        .signal = "tariffs",
                                        .house = book_house,
                                        .read = book_read};

const struct tariff_version *tariff_book_at(const struct tariff_book *b, int64_t at_us) {
    const struct tariff_version *best = NULL, *first = &b->versions[0];
    for (int32_t i = 0; i < b->count; i++) {
        const struct tariff_version *v = &b->versions[i];
        if (v->t->effective_us < first->t->effective_us)
            first = v;
        if (v->t->effective_us <= at_us &&
            (best == NULL || v->t->effective_us >= best->t->effective_us))
            best = v;
    }
    return best != NULL ? best : first; /* of clocks that differ, say */
}

int64_t tariff_book_newest(const struct tariff_book *b) {
    return b->newest;
}
