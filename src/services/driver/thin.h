/* What becomes of positions that have grown old: they are simplified, and in the end removed.
 *
 * Time is cut in windows. When one has been over for `trail_thin_us` and a margin, nothing is added
 * to it in `trails` any more (what comes in that old goes to `tracks`, locations.c), so each
 * driver's chunks of it are all there. They are read, simplified (track_thin) and written to
 * `tracks`, under an id that follows from driver and window. When that has been done for every
 * chunk before a time, and another margin is over, `trails` is cut off there. So a process may die
 * at any point, and several may be at it at once: what is written is the same, and once; and
 * nothing is removed that is not written. `tracks` is cut off after `trail_keep_days`, as `trails`
 * always is.
 *
 * Work is done a bounded step a second, on the executor's thread; in memory are the fixes of one
 * driver's window, and which drivers of the window are done.
 */
#ifndef LORRY_DRIVER_THIN_H
#define LORRY_DRIVER_THIN_H

#include "base/buf.h"
#include "base/map.h"
#include "ports/store.h"
#include "json/reader.h"

#define THIN_AFTER_DAYS_DEFAULT 7
#define THIN_MARGIN_US (INT64_C(3600) * 1000000) /* clocks of replicas, commands that wait */

struct driver_service;
struct driver_thin {
    struct json_parser *parser;
    struct arena arena;           /* of `done` */
    struct map done;              /* drivers of the window */
    char after[STORE_ID_MAX + 1]; /* all chunks up to this one are done */
    int64_t window_us;            /* where the window begins that is gone through */
    int64_t done_us;              /* all chunks that begin before are done */
    int64_t due_us;               /* of the newest window that is due: its end */
    _Atomic int64_t behind_us;
    _Atomic uint64_t kept, left_out, removed;
};

void thin_init(struct driver_service *s);
void thin_free(struct driver_service *s);
/* Is a fix of AT_US past the age? Any thread. */
bool thin_is_old(const struct driver_service *s, int64_t at_us, int64_t now_us);
/* A step: for tick. */
void thin_tick(struct driver_service *s, struct store *writer, int64_t now_us);
void thin_metrics(struct driver_service *s, struct buf *out);

#endif
