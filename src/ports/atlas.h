/* The atlas port: what people see of a map and ask of it. Vector tiles to draw it, places by name,
 * the name of a place. Read only; any thread.
 *
 * Adapters: streets (drawn from the road graph, which also finds street names), mbtiles (tiles from
 * a file that an operator brings; names from another atlas, if there is one).
 */
#ifndef LORRY_PORTS_ATLAS_H
#define LORRY_PORTS_ATLAS_H

#include "base/arena.h"
#include "base/units.h"

#include <stdint.h>

#define ATLAS_ZOOM_MAX 22
#define ATLAS_PLACES_MAX 20 /* of one answer */
#define ATLAS_TEXT_MAX 200  /* bytes of what is searched for */

struct atlas_info {
    int32_t zoom_min, zoom_max; /* of the tiles there are; clients stretch the last ones */
    struct point south_west, north_east;
    struct str attribution; /* must be shown with the map; lives as long as the atlas */
    uint64_t version;       /* another one: tiles that were kept are old */
};
struct atlas_tile {
    struct str bytes; /* Mapbox Vector Tile 2.1, layers as in OpenMapTiles; in the arena given */
    bool gzip;        /* bytes are compressed */
};
struct atlas_place {
    struct str label;  /* "Drottninggatan" */
    struct str detail; /* where that is: "Inom Vallgraven"; may be absent */
    struct point at;
    int64_t distance_m; /* of `near`: from the point asked for */
};

struct atlas;
struct atlas_ops {
    void (*info)(const struct atlas *t, struct atlas_info *ret_info);
    /* The tile at Z, X, Y (Y from the north, as on the web). ERR_NOT_FOUND: nothing is there;
     * ERR_IO. */
    int (*tile)(const struct atlas *t, int32_t z, int32_t x, int32_t y, struct arena *a,
                struct atlas_tile *ret_tile);
    /* Places whose name TEXT begins, or nearly; the best first, at most LIMIT. Returns how many, or
     * ERR_BUSY: the names are not ready yet. */
    int32_t (*search)(const struct atlas *t, struct str text, int32_t limit, struct arena *a,
                      struct atlas_place *ret_places);
    /* What the place nearest to AT is called. ERR_NOT_FOUND: nothing is near. */
    int (*near)(const struct atlas *t, struct point at, struct arena *a,
                struct atlas_place *ret_place);
    void (*close)(struct atlas *t);
};
struct atlas {
    const struct atlas_ops *ops;
};

#endif
