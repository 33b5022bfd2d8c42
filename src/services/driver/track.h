/* What can be made of a stretch of a trail: fewer fixes that draw the same line, positions at equal
 * steps for a playback, a file that other programs read. Pure.
 */
#ifndef LORRY_DRIVER_TRACK_H
#define LORRY_DRIVER_TRACK_H

#include "base/buf.h"
#include "services/driver/fix.h"

#define TRACK_GAP_US (INT64_C(5) * 60 * 1000000) /* longer without a fix: nobody knows the way */
#define TRACK_TOLERANCE_M_MAX 1000
#define TRACK_STEPS_MAX 10000

/* Leaves out fixes of FIXES (in order of time) that lie within TOLERANCE_M of the line between
 * those that stay. The first and the last of each stretch without a gap stay, and no gap is made.
 * Returns how many stay, at the front of FIXES. At most COUNT × a fixed number of comparisons. */
int32_t track_simplify(struct fix *fixes, int32_t count, double tolerance_m);

/* Leaves out fixes of FIXES (in order of time) so that at the time of each that is left out the
 * line between those that stay (track_at) is within TOLERANCE_M of it: who stands still at a corner
 * is seen to stand still. The top-down time-ratio algorithm of Meratnia and de By ("Spatiotemporal
 * compression techniques for moving point objects", EDBT 2004), which is Douglas and Peucker's with
 * the distance taken at the same time. Ends of stretches without a gap stay, and no gap is made.
 * Returns how many stay, at the front of FIXES. At most COUNT × a fixed number of comparisons. */
int32_t track_thin(struct fix *fixes, int32_t count, double tolerance_m);

/* Where he was at AT_US, on the straight line between the two fixes around it. False: not known (no
 * fix before or after it, or a gap). *NEXT is where to look from: 0 at first, then as it was left,
 * for times that rise. */
bool track_at(const struct fix *fixes, int32_t count, int64_t at_us, int32_t *next,
              struct fix *ret_fix);

/* GPX 1.1: one track, a segment for each stretch without a gap. NAME is plain ASCII. */
void track_gpx(const struct fix *fixes, int32_t count, struct str name, struct buf *out);
/* GeoJSON (RFC 7946): one feature, a MultiLineString; `coordTimes` has the times. */
void track_geojson(const struct fix *fixes, int32_t count, struct str name, struct buf *out);

#endif
