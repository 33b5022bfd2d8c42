/* The street names of a graph, for people to find: by how they begin, also with accents left out or
 * a letter wrong. Inside this folder only.
 */
#ifndef LORRY_ADAPTERS_STREETS_GAZETTEER_H
#define LORRY_ADAPTERS_STREETS_GAZETTEER_H

#include "adapters/streets/graph.h"
#include "ports/atlas.h"

struct gazetteer;
/* G must outlive it. Some milliseconds for a city. */
struct gazetteer *gazetteer_new(const struct graph *g);
struct gazetteer *gazetteer_free(struct gazetteer *z); /* NULL ok; returns NULL */
/* The best first, at most LIMIT; returns how many. Strings live as long as the graph, details in A.
 * Any thread. */
int32_t gazetteer_search(const struct gazetteer *z, struct str text, int32_t limit, struct arena *a,
                         struct atlas_place *ret_places);
/* The street that crosses SEGMENT's nearest to AT, a place on it; absent when none is near. Lives
 * as long as the graph. Any thread. */
struct str gazetteer_cross_street(const struct gazetteer *z, uint32_t segment, struct point at);

#endif
