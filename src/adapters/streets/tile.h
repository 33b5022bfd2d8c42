/* A vector tile of a road graph: Mapbox Vector Tile 2.1 (github.com/mapbox/vector-tile-spec) with
 * the layers `transportation` (lines with a class) and `transportation_name` (lines with a name),
 * as in OpenMapTiles. Inside this folder only. Any thread.
 */
#ifndef LORRY_ADAPTERS_STREETS_TILE_H
#define LORRY_ADAPTERS_STREETS_TILE_H

#include "adapters/streets/graph.h"

#define TILE_ZOOM_MIN 8
#define TILE_ZOOM_MAX 15

/* Z within the bounds above, X and Y within the zoom. The bytes in A, or ERR_NOT_FOUND: no road is
 * there. */
int tile_draw(const struct graph *g, int32_t z, int32_t x, int32_t y, struct arena *a,
              struct str *ret_bytes);

#endif
