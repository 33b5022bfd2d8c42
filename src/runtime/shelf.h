/* A shelf holds a book: what one or a few documents of the store say, in memory, for whoever asks
 * on any thread. A book never changes; a reader takes the one there is and gives it back, so that
 * it may be replaced meanwhile.
 *
 * What keeps it fresh: shelf_written in the process that wrote, its signal in the others, and where
 * signals may have been missed (peers.h) the store, again and again. A process that hears nothing
 * at all has what is new after SHELF_READ_US.
 */
#ifndef LORRY_RUNTIME_SHELF_H
#define LORRY_RUNTIME_SHELF_H

#include "base/arena.h"
#include "ports/bus.h"
#include "ports/store.h"
#include "runtime/peers.h"
#include "json/reader.h"

#include <pthread.h>
#include <stdatomic.h>

#define SHELF_READ_US (INT64_C(10) * 1000000)

/* The head of every book: its first member. */
struct shelf_book {
    struct arena arena; /* what the book holds */
    int32_t readers;    /* and one for the shelf; under its lock */
};
struct shelf_kind {
    size_t book_size;
    const char *signal; /* no data: there is something new */
    /* Fill a book of zeros, whose arena is ready: from HOUSE alone, or from the store. */
    void (*house)(void *book, const void *house);
    int (*read)(void *book, const void *house, struct store *store, struct json_parser *p);
};
struct shelf {
    pthread_mutex_t lock; /* of `book` and its count, for an instant */
    struct shelf_book *book;
    const struct shelf_kind *kind;
    const void *house; /* what the setting says; outlives the shelf */
    struct bus *bus;
    struct peers *peers; /* NULL: nobody else writes */
    _Atomic bool stale;
    int64_t read_us; /* executor's thread */
};

/* Until the first read there is what HOUSE says. BUS and PEERS may both be NULL; else before the
 * bus's first poll. */
void shelf_init(struct shelf *s, const struct shelf_kind *kind, const void *house, struct bus *bus,
                struct peers *peers);
void shelf_free(struct shelf *s); /* no reader has a book any more */

/* Reads the book anew. An error leaves the old one, to be tried again by follow. */
int shelf_read(struct shelf *s, struct store *store, int64_t now_us);
/* About once a second, executor's thread: reads if there may be something new. */
void shelf_follow(struct shelf *s, struct store *store, int64_t now_us);
/* Something was written here: reads it, and tells the others. */
void shelf_written(struct shelf *s, struct store *store, int64_t now_us);

/* Any thread. What is taken is given back. */
void *shelf_take(struct shelf *s);
void shelf_give(struct shelf *s, void *book);

#endif
