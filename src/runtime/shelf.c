#include "runtime/shelf.h"

#include "base/check.h"

#include <stdlib.h>

/* ---- the book ---- */

static struct shelf_book *book_new(const struct shelf *s) {
    CHECK(s->kind->book_size >= sizeof(struct shelf_book));
    struct shelf_book *b = xcalloc(1, s->kind->book_size);
    arena_init(&b->arena, 8192);
    b->readers = 1;
    return b;
}

static void book_free(struct shelf_book *b) {
    arena_free(&b->arena);
    free(b);
}

static void put_book(struct shelf *s, struct shelf_book *b) {
    pthread_mutex_lock(&s->lock);
    struct shelf_book *old = s->book;
    s->book = b;
    bool last = old != NULL && --old->readers == 0;
    pthread_mutex_unlock(&s->lock);
    if (last)
        book_free(old);
}

/* ---- reading ---- */

int shelf_read(struct shelf *s, struct store *store, int64_t now_us) {
    struct shelf_book *b = book_new(s);
    struct json_parser *p = json_parser_new();
    atomic_store(&s->stale, false); /* before the read: a signal that comes meanwhile counts */
    int err = s->kind->read(b, s->house, store, p);
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

void shelf_follow(struct shelf *s, struct store *store, int64_t now_us) {
    bool missed = s->peers != NULL && s->read_us < peers_missed_us(s->peers, now_us) &&
                  now_us - s->read_us >= SHELF_READ_US;
    if (missed || atomic_load(&s->stale))
        shelf_read(s, store, now_us);
}

void shelf_written(struct shelf *s, struct store *store, int64_t now_us) {
    shelf_read(s, store, now_us);
    if (s->peers != NULL)
        s->bus->ops->signal(s->bus, s->kind->signal, "", 0);
}

static void on_signal(void *shelf, struct str topic, const void *data, size_t len) {
    (void)topic;
    (void)data;
    (void)len;
    struct shelf *s = shelf;
    atomic_store(&s->stale, true);
}

/* ---- the shelf ---- */

void shelf_init(struct shelf *s, const struct shelf_kind *kind, const void *house, struct bus *bus,
                struct peers *peers) {
    *s = (struct shelf){.kind = kind, .house = house, .bus = bus, .peers = peers};
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    if (peers != NULL)
        CHECK(bus->ops->listen(bus, kind->signal, on_signal, s) == 0);
    struct shelf_book *b = book_new(s);
    kind->house(b, house);
    put_book(s, b);
}

void shelf_free(struct shelf *s) {
    CHECK(s->book != NULL && s->book->readers == 1);
    book_free(s->book);
    pthread_mutex_destroy(&s->lock);
}

void *shelf_take(struct shelf *s) {
    pthread_mutex_lock(&s->lock);
    struct shelf_book *b = s->book;
    b->readers++;
    pthread_mutex_unlock(&s->lock);
    return b;
}

void shelf_give(struct shelf *s, void *book) {
    struct shelf_book *b = book;
    pthread_mutex_lock(&s->lock);
    bool last = --b->readers == 0;
    pthread_mutex_unlock(&s->lock);
    if (last)
        book_free(b);
}
