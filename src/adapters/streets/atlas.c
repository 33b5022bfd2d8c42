/* The atlas of a road graph. */
#include "adapters/streets/gazetteer.h"
#include "adapters/streets/search.h"
#include "adapters/streets/streets.h"
#include "adapters/streets/tile.h"
#include "base/check.h"
#include "base/err.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#define NEAR_M 300.0 /* what lies farther away is not what people would call a place by */

struct streets_atlas {
    struct atlas atlas; /* first: an atlas is cast back to it */
    const struct graph *graph;
    pthread_mutex_t lock; /* of making the gazetteer */
    struct gazetteer *gazetteer;
};

static const struct graph *graph_of(const struct atlas *t) {
    return ((const struct streets_atlas *)t)->graph;
}

static void info(const struct atlas *t, struct atlas_info *ret_info) {
    const struct graph *g = graph_of(t);
    uint64_t facts[] = {g->counts.nodes, g->counts.segments, (uint64_t)g->length_m};
    *ret_info = (struct atlas_info){
        .zoom_min = TILE_ZOOM_MIN,
        .zoom_max = TILE_ZOOM_MAX,
        .south_west = {g->bounds.south_e7, g->bounds.west_e7},
        .north_east = {g->bounds.north_e7, g->bounds.east_e7},
        .attribution = str_from(g->attribution),
        .version = str_hash((struct str){(const char *)facts, sizeof facts}, GRAPH_HASH_SEED),
    };
}

static int tile(const struct atlas *t, int32_t z, int32_t x, int32_t y, struct arena *a,
                struct atlas_tile *ret_tile) {
    if (z < TILE_ZOOM_MIN || z > TILE_ZOOM_MAX)
        return ERR_NOT_FOUND;
    ret_tile->gzip = false;
    return tile_draw(graph_of(t), z, x, y, a, &ret_tile->bytes);
}

static int32_t search(const struct atlas *t, struct str text, int32_t limit, struct arena *a,
                      struct atlas_place *ret_places) {
    struct streets_atlas *own = (struct streets_atlas *)(uintptr_t)t;
    pthread_mutex_lock(&own->lock);
    if (own->gazetteer == NULL)
        own->gazetteer = gazetteer_new(own->graph);
    pthread_mutex_unlock(&own->lock);
    return gazetteer_search(own->gazetteer, text, limit, a, ret_places);
}

static int near(const struct atlas *t, struct point at, struct arena *a,
                struct atlas_place *ret_place) {
    const struct graph *g = graph_of(t);
    struct spot spot;
    (void)a; /* the name lives in the graph */
    if (!snap(g, at, NEAR_M, true, &spot))
        return ERR_NOT_FOUND;
    *ret_place = (struct atlas_place){.label = graph_name(g, g->segments[spot.segment].name),
                                      .at = spot.at,
                                      .distance_m = (int64_t)llround(spot.off_m)};
    return 0;
}

static void close_atlas(struct atlas *t) {
    struct streets_atlas *own = (struct streets_atlas *)t;
    gazetteer_free(own->gazetteer);
    pthread_mutex_destroy(&own->lock);
    free(own);
}

static const struct atlas_ops ops = {info, tile, search, near, close_atlas};

struct atlas *streets_atlas_new(const struct streets *s) {
    struct streets_atlas *own = xcalloc(1, sizeof(*own));
    own->atlas.ops = &ops;
    own->graph = streets_graph(s);
    CHECK(pthread_mutex_init(&own->lock, NULL) == 0);
    return &own->atlas;
}
