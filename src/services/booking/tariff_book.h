/* The tariffs that count now and soon, in memory, for quotes: read from the store at the start and
 * whenever there may be a newer one. A book never changes; a reader takes the one there is and
 * gives it back, so that it may be replaced meanwhile.
 *
 * What keeps it fresh: `applied` in the process that wrote a version, its signal in the others, and
 * where signals may have been missed (peers.h) the store, again and again. A process that hears
 * nothing at all has a new version after TARIFF_READ_US.
 */
#ifndef LORRY_BOOKING_TARIFF_BOOK_H
#define LORRY_BOOKING_TARIFF_BOOK_H

#include "ports/bus.h"
#include "runtime/peers.h"
#include "services/booking/tariff.h"

#include <pthread.h>
#include <stdatomic.h>

#define SIGNAL_TARIFFS "tariffs" /* no data: there is a new version */
#define TARIFF_READ_US (INT64_C(10) * 1000000)

struct tariff_version {
    const struct tariffs *t;
    struct zone zone;
};
struct tariff_book; /* read-only */

struct tariff_shelf {
    pthread_mutex_t lock; /* of `book` and its count, for an instant */
    struct tariff_book *book;
    const struct tariffs *house; /* version 1; outlives the shelf */
    struct bus *bus;
    struct peers *peers; /* NULL: nobody else writes */
    _Atomic bool stale;
    int64_t read_us; /* executor's thread */
};

/* Until the first read there is the house's tariff alone. BUS and PEERS may both be NULL. */
void tariff_shelf_init(struct tariff_shelf *s, const struct tariffs *house, struct bus *bus,
                       struct peers *peers);
void tariff_shelf_free(struct tariff_shelf *s);

/* Reads the book anew. An error of the store leaves the old one, to be tried again by follow. */
int tariff_shelf_read(struct tariff_shelf *s, struct store *store, int64_t now_us);
/* About once a second, executor's thread: reads if there may be something new. */
void tariff_shelf_follow(struct tariff_shelf *s, struct store *store, int64_t now_us);
/* A version was written here: read it, and tell the others. */
void tariff_shelf_written(struct tariff_shelf *s, struct store *store, int64_t now_us);

/* Any thread. What is taken is given back. */
struct tariff_book *tariff_book_take(struct tariff_shelf *s);
void tariff_book_give(struct tariff_shelf *s, struct tariff_book *b);
/* The version that holds at AT_US. */
const struct tariff_version *tariff_book_at(const struct tariff_book *b, int64_t at_us);
/* The newest there is, whether it holds yet or not. */
int64_t tariff_book_newest(const struct tariff_book *b);

/* The newest version that is written, or HOUSE, in A. */
int tariffs_newest(struct store *store, struct json_parser *p, const struct tariffs *house,
                   struct arena *a, const struct tariffs **ret);
/* Which of NEWEST's versions holds at AT_US. */
int64_t tariffs_number_at(const struct tariffs *newest, int64_t at_us);

#endif
