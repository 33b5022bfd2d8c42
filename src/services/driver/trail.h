/* Trails: what is kept of where drivers were. One document is a chunk: fixes of one driver, in the
 * order of time, spanning at most TRAIL_SPAN_US, as one batch brought them. It is written once and
 * never changed.
 *
 * There are two collections of chunks. `trails` has what came in; `tracks` has what became of those
 * that have grown old (thin.c): fewer fixes, in fewer chunks, which span a window (TRACK_SPAN_US
 * where chunks from before there were windows are in it); and what came in that was old already.
 * Whoever reads reads both, `trails` first: what is taken from there is in `tracks` before.
 *
 * A chunk's id is "<its first time, 16 hex digits>_<the driver's ULID>", so ids are in the order of
 * time, both of all drivers (old ones can be dropped from the low end) and within one driver's
 * index. No two fixes of a driver have the same time, so no two chunks have the same id.
 *
 * Every chunk is either newer, from its first fix on, than all that its driver had before, or not
 * newer than his newest; `newest` is the driver's newest fix once the chunk was there. From both
 * follows: the newest fix of a collection is `newest` of the chunk with the highest id (or that of
 * a newer one elsewhere), whatever order chunks came in. So one read of each finds it.
 */
#ifndef LORRY_DRIVER_TRAIL_H
#define LORRY_DRIVER_TRAIL_H

#include "runtime/aggregate.h"
#include "services/driver/fix.h"

#define TRAIL_SPAN_US (INT64_C(10) * 60 * 1000000)
#define TRACK_SPAN_US (2 * TRAIL_SPAN_US)
/* Read at most for one stretch: more is nobody's real trail. */
#define TRAIL_CHUNKS_MAX 4096
#define TRAIL_FIXES_MAX 100000

struct trail_chunk {
    struct aggregate_head head;
    struct str driver_id;
    struct str newest; /* JSON: a row */
    struct str fixes;  /* JSON: rows */
};
extern const struct store_collection trail_collection;
extern const struct aggregate trail_aggregate;
extern const struct store_collection track_collection;
extern const struct aggregate track_aggregate;

/* The id of a chunk that begins at FIRST_US. */
struct str trail_id(struct arena *a, struct str driver_id, int64_t first_us);
/* The same of what was left of several (thin.c), which no chunk that came in can have. */
struct str track_id(struct arena *a, struct str driver_id, int64_t first_us);
/* What such an id says: when the chunk began, and whose it is. False: it is no such id. */
bool trail_id_parts(struct str id, struct arena *a, int64_t *ret_first_us, struct str *ret_driver);
/* The lowest id there can be of chunks at AT_US or later. */
struct str trail_floor(struct arena *a, int64_t at_us);
/* A chunk of COUNT > 0 fixes in order; its texts are made in A. */
struct trail_chunk *trail_encode(struct arena *a, struct str driver_id, const struct fix *fixes,
                                 int32_t count, const struct fix *newest);
/* The fixes of a stored chunk. ERR_CORRUPT. */
int trail_decode(struct json_parser *p, struct str state, struct arena *a, struct fix **ret_fixes,
                 int32_t *ret_count);
/* What it says of the driver's newest. ERR_CORRUPT. */
int trail_decode_newest(struct json_parser *p, struct str state, struct fix *ret_fix);
/* Of two at the same time only the first stays; FIXES are in order. Returns how many stay. */
int32_t trail_leave_out_twice(struct fix *fixes, int32_t count);

/* The driver's newest stored fix. ERR_NOT_FOUND: he has none; or an error of the store. */
int trail_newest(struct store *store, struct json_parser *p, struct str driver_id, struct arena *a,
                 struct fix *ret_fix);

/* Reads a driver's fixes of [from, until] in the order of time. */
struct trail_page {
    struct fix *fixes;
    int32_t count;
    bool more; /* there are more after the last one */
};
/* At most LIMIT fixes. ERR_LIMIT: TRAIL_CHUNKS_MAX or TRAIL_FIXES_MAX was passed before that many
 * were certain; or an error of the store. All in A. */
int trail_read(struct store *store, struct json_parser *p, struct str driver_id, int64_t from_us,
               int64_t until_us, int32_t limit, struct arena *a, struct trail_page *ret_page);
/* The fixes after AFTER_US that came in since the driver's newest was that, at least LIMIT of them
 * if there are so many. Cheaper than trail_read: it looks at nothing that is older. */
int trail_since(struct store *store, struct json_parser *p, struct str driver_id, int64_t after_us,
                int32_t limit, struct arena *a, struct trail_page *ret_page);

#endif
