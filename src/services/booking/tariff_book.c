#include "services/booking/tariff_book.h"

#include "base/check.h"
#include "base/err.h"

#include <stdlib.h>

struct tariff_book {
    struct arena arena;
    int32_t readers; /* and one for the shelf; under its lock */
    int64_t newest;
    struct tariff_version versions[TARIFF_AHEAD_MAX];
    int32_t count;
};

static struct tariff_book *book_new(void) {
    struct tariff_book *b = xcalloc(1, sizeof(*b));
    arena_init(&b->arena, 8192);
    b->readers = 1;
    return b;
}

static void book_free(struct tariff_book *b) {
    arena_free(&b->arena);
    free(b);
}

/* A timezone that is not on this machine was on the one that took the tariff: UTC is what is left.
 */
static void book_add(struct tariff_book *b, const struct tariffs *t) {
    CHECK(b->count < TARIFF_AHEAD_MAX);
    struct tariff_version *v = &b->versions[b->count++];
    v->t = t;
    if (t->timezone.p == NULL || zone_load(ZONE_DIR, t->timezone, &b->arena, &v->zone) < 0)
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

static int book_read(struct tariff_book *b, struct store *store, struct json_parser *p,
                     const struct tariffs *house) {
    const struct tariffs *newest = house;
    int err = tariffs_newest(store, p, house, &b->arena, &newest);
    if (err < 0)
        return err;
    b->newest = newest->number;
    for (int32_t i = 0; err == 0 && i < newest->ahead_count; i++) {
        int64_t number = newest->ahead[i].number;
        void *state = NULL;
        if (number == newest->number || number == 1)
            book_add(b, number == 1 ? house : newest);
        else
            err = aggregate_get(&tariff_aggregate, store, p, tariff_id(&b->arena, number),
                                &b->arena, &state);
        if (state != NULL)
            book_add(b, state);
    }
    if (b->count == 0 && err == 0)
        book_add(b, newest);
    return err;
}

static void put_book(struct tariff_shelf *s, struct tariff_book *b) {
    pthread_mutex_lock(&s->lock);
    struct tariff_book *old = s->book;
    s->book = b;
    bool last = old != NULL && --old->readers == 0;
    pthread_mutex_unlock(&s->lock);
    if (last)
        book_free(old);
}

int tariff_shelf_read(struct tariff_shelf *s, struct store *store, int64_t now_us) {
    struct tariff_book *b = book_new();
    struct json_parser *p = json_parser_new();
    atomic_store(&s->stale, false);
    int err = book_read(b, store, p, s->house);
    json_parser_free(p);
    if (err < 0) {
        book_free(b);
        atomic_store(&s->stale, true);
        return err;
    }
    s->read_us = now_us;
    put_book(s, b);
    return 0;
}

void tariff_shelf_follow(struct tariff_shelf *s, struct store *store, int64_t now_us) {
    bool missed = s->peers != NULL && s->read_us < peers_missed_us(s->peers, now_us) &&
                  now_us - s->read_us >= TARIFF_READ_US;
    if (missed || atomic_load(&s->stale))
        tariff_shelf_read(s, store, now_us);
}

void tariff_shelf_written(struct tariff_shelf *s, struct store *store, int64_t now_us) {
    tariff_shelf_read(s, store, now_us);
    if (s->peers != NULL)
        s->bus->ops->signal(s->bus, SIGNAL_TARIFFS, "", 0);
}

/* ---- the shelf ---- */

static void on_tariffs(void *shelf, struct str topic, const void *data, size_t len) {
    (void)topic;
    (void)data;
    (void)len;
    struct tariff_shelf *s = shelf;
    atomic_store(&s->stale, true);
}

void tariff_shelf_init(struct tariff_shelf *s, const struct tariffs *house, struct bus *bus,
                       struct peers *peers) {
    *s = (struct tariff_shelf){.house = house, .bus = bus, .peers = peers};
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    if (peers != NULL)
        CHECK(bus->ops->listen(bus, SIGNAL_TARIFFS, on_tariffs, s) == 0);
    struct tariff_book *b = book_new();
    b->newest = house->number;
    book_add(b, house);
    put_book(s, b);
}

void tariff_shelf_free(struct tariff_shelf *s) {
    CHECK(s->book != NULL && s->book->readers == 1);
    book_free(s->book);
    pthread_mutex_destroy(&s->lock);
}

struct tariff_book *tariff_book_take(struct tariff_shelf *s) {
    pthread_mutex_lock(&s->lock);
    struct tariff_book *b = s->book;
    b->readers++;
    pthread_mutex_unlock(&s->lock);
    return b;
}

void tariff_book_give(struct tariff_shelf *s, struct tariff_book *b) {
    pthread_mutex_lock(&s->lock);
    bool last = --b->readers == 0;
    pthread_mutex_unlock(&s->lock);
    if (last)
        book_free(b);
}

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
