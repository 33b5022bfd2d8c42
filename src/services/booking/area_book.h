/* The service area that counts now, in memory, for quotes. It is one document that an admin writes
 * over the API; until there is one, the setting's (which may be none: then any place is served).
 * Version 1 is the setting's, so the document's are counted from 2.
 */
#ifndef LORRY_BOOKING_AREA_BOOK_H
#define LORRY_BOOKING_AREA_BOOK_H

#include "runtime/aggregate.h"
#include "runtime/shelf.h"
#include "services/booking/area.h"

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

struct area_book { /* read-only */
    struct shelf_book head;
    int64_t number;
    const struct area *area; /* NULL: any place */
    struct str shown;        /* area_shown as GeoJSON; absent without an area */
    int64_t updated_at_us;   /* 0: the setting's */
    struct str updated_by;
};
/* Its books are `struct area_book`; its house is a `struct area`, or NULL: none. */
extern const struct shelf_kind area_shelf;

#endif
