/* What is asked of the rings of an area that people draw: which way one turns, whether it meets
 * itself, the nearest point of its border, the same shape with fewer points. Edges are straight
 * lines in longitude and latitude (RFC 7946), so a ring that crosses the antimeridian is cut there.
 * Pure.
 */
#ifndef LORRY_GEO_RINGS_H
#define LORRY_GEO_RINGS_H

#include "geo/geo.h"

/* Twice the area that it encloses, in e7 degrees squared; above 0: counterclockwise. Doubles are
 * exact enough to tell it from nothing. */
double ring_twice_area(const struct ring *r);
/* The other way round; POINTS are those of a ring. */
void ring_turn(struct point *points, int32_t count);
struct box ring_box(const struct ring *r);

/* Two edges that meet; an edge is named by the point that it begins at. */
struct rings_meeting {
    int32_t ring, edge, other_ring, other_edge;
};
/* Does an edge of RINGS (an outer one and its holes) meet another where a polygon's may not: one
 * of its own ring anywhere but in the point they share, one of another ring by crossing it. Of
 * several the one that is found first. Scratch in A; in the worst case each pair of edges is looked
 * at once, but those whose longitudes have nothing in common are passed over. */
bool rings_meet(const struct ring *rings, int32_t count, struct arena *a,
                struct rings_meeting *ret);

/* The point of the border that is nearest to AT, and how far it is. COUNT rings of ≥ 1 point. */
double rings_nearest_m(const struct ring *rings, int32_t count, struct point at,
                       struct point *ret_nearest);

/* R without points that lie within TOLERANCE_M of the line between those that stay
 * (Ramer–Douglas–Peucker). What stays is in A; fewer than 3 points: there was no more to it. */
struct ring ring_simplified(const struct ring *r, double tolerance_m, struct arena *a);

#endif
