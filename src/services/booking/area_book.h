/* The service area that counts now, in memory, for quotes. It is one document that an admin writes
 * over the API; until there is one, the setting's (which may be none: then any place is served).
 * Version 1 is the setting's, so the document's are counted from 2.
 *
 * A book never changes; a reader takes the one there is and gives it back, so that it may be
 * replaced meanwhile. What keeps it fresh is what keeps the tariffs so (tariff_book.h): `applied`
 * in the process that wrote, its signal in the others, and the store where signals may be missed.
 */
#ifndef LORRY_BOOKING_AREA_BOOK_H
#define LORRY_BOOKING_AREA_BOOK_H

#include "ports/bus.h"
#include "runtime/aggregate.h"
#include "runtime/peers.h"
#include "services/booking/area.h"

#include <pthread.h>
#include <stdatomic.h>

#define SIGNAL_AREA "service_area" /* no data: there is a new version */
#define AREA_READ_US (INT64_C(10) * 1000000)

/* What the document keeps of the versions before it, so that an admin may go back: as many as
 * fit both. The oldest go first. */
#define AREA_PAST_MAX 20
#define AREA_PAST_BYTES_MAX 262144

struct area_past {
    int64_t number;
    struct str area; /* absent: any place */
    int64_t updated_at_us;
    struct str updated_by;
};
/* The document. */
struct area_doc {
    struct aggregate_head head;
    struct str area; /* GeoJSON MultiPolygon; absent: any place is served */
    int64_t updated_at_us;
    struct str updated_by;
    const struct area_past *past; /* newest first; the house's own is not among them */
    int32_t past_count;
};
extern const struct store_collection area_collection;
extern const struct aggregate area_aggregate;
#define AREA_DOC_ID STR("sva_00000000000000000000000000")

struct area_book { /* read-only but for the readers */
    struct arena arena;
    int32_t readers; /* and one for the shelf; under its lock */
    int64_t number;
    const struct area *area; /* NULL: any place */
    struct str shown;        /* area_shown as GeoJSON; absent without an area */
    int64_t updated_at_us;   /* 0: the setting's */
    struct str updated_by;
};
struct area_shelf {
    pthread_mutex_t lock; /* of `book` and its count, for an instant */
    struct area_book *book;
    const struct area *house; /* the setting's; outlives the shelf. NULL: none */
    struct bus *bus;
    struct peers *peers; /* NULL: nobody else writes */
    _Atomic bool stale;
    int64_t read_us; /* executor's thread */
};

/* Until the first read there is the house's area. BUS and PEERS may both be NULL. */
void area_shelf_init(struct area_shelf *s, const struct area *house, struct bus *bus,
                     struct peers *peers);
void area_shelf_free(struct area_shelf *s);
/* Reads the book anew. An error of the store leaves the old one, to be tried again by follow. */
int area_shelf_read(struct area_shelf *s, struct store *store, int64_t now_us);
/* About once a second, executor's thread: reads if there may be something new. */
void area_shelf_follow(struct area_shelf *s, struct store *store, int64_t now_us);
/* A version was written here: read it, and tell the others. */
void area_shelf_written(struct area_shelf *s, struct store *store, int64_t now_us);

/* Any thread. What is taken is given back. */
struct area_book *area_book_take(struct area_shelf *s);
void area_book_give(struct area_shelf *s, struct area_book *b);

#endif
