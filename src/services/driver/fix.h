/* A fix: where a driver was at a moment. Read by hand from JSON, because it is what comes in most
 * (a bad one must not refuse the others of its batch, and each costs a fraction of a microsecond),
 * and kept in rows of JSON numbers, so that the store's own tools can read a trail.
 */
#ifndef LORRY_DRIVER_FIX_H
#define LORRY_DRIVER_FIX_H

#include "base/arena.h"
#include "base/units.h"
#include "json/reader.h"
#include "json/writer.h"

#define FIX_AHEAD_US (INT64_C(5) * 60 * 1000000)       /* a clock may be fast by this */
#define FIX_AGE_US (INT64_C(30) * 24 * 3600 * 1000000) /* older ones are of no use */
#define FIX_ACCURACY_M_MAX 100000
#define FIX_SPEED_MPS_MAX 200
#define FIX_ROW_BYTES_MAX 96

struct fix {
    int64_t at_us;
    struct point at;
    int32_t accuracy_cm; /* -1 unknown */
    int32_t speed_cmps;  /* -1 unknown */
    int32_t bearing_deg; /* 0..359, -1 unknown */
};

/* What is wrong with a fix: a member of it (NULL: the whole) and words, all static. */
struct fix_fault {
    const char *member, *detail;
};
/* ERR_INVALID and *RET_FAULT, or 0 and *RET_FIX. */
int fix_read(struct json_value v, int64_t now_us, struct fix *ret_fix, struct fix_fault *ret_fault);

/* A row: [at_us, lat_e7, lng_e7, accuracy_cm, speed_cmps, bearing_deg], null for what is unknown;
 * OUT must have FIX_ROW_BYTES_MAX. Returns the end. */
char *fix_row(char *out, const struct fix *f);
int fix_from_row(struct json_value v, struct fix *ret_fix); /* ERR_CORRUPT */

/* Members of an open object: "at", "lat", "lng", "speed_mps", "bearing_deg". */
void fix_write(struct jw *w, const struct fix *f);
/* "speed_mps" and "bearing_deg" from what is kept; null where unknown. */
void fix_write_motion(struct jw *w, int32_t speed_cmps, int32_t bearing_deg);

/* Sorts by time; of two at the same time the one that stood first stays first. Scratch in A. */
void fix_sort(struct fix *fixes, int32_t count, struct arena *a);

#endif
