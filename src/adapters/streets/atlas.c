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
#include <string.h>

#define NEAR_M 300.0 /* what lies farther away is not what people would call a place by */

#define KEPT_TILES 512
#define KEPT_TILE_BYTES_MAX ((size_t)64 * 1024) /* larger ones are drawn each time */

/* A tile that was drawn; what is empty is kept, too. */
struct kept_tile {
    int32_t z, x, y; /* z 0: nothing here yet */
    size_t len;
    char *bytes; /* NULL: nothing is there to draw */
};

struct streets_atlas {
    struct atlas atlas; /* first: an atlas is cast back to it */
    const struct graph *graph;
    pthread_t naming;                    /* makes the gazetteer */
    struct gazetteer *_Atomic gazetteer; /* NULL: not made yet */
    pthread_mutex_t lock;                /* of what follows */
    struct kept_tile
        kept[KEPT_TILES]; /* each address has one place, and whoever comes last keeps it */
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

/* Drawing takes some milliseconds, and everybody may ask. */
static struct kept_tile *place_of(struct streets_atlas *own, int32_t z, int32_t x, int32_t y) {
    int32_t address[3] = {z, x, y};
    struct str key = {(const char *)address, sizeof address};
    return &own->kept[str_hash(key, GRAPH_HASH_SEED) % KEPT_TILES];
}

/* 0, ERR_NOT_FOUND (it is empty), or ERR_AGAIN: it has to be drawn. */
static int recall(struct streets_atlas *own, int32_t z, int32_t x, int32_t y, struct arena *a,
                  struct str *ret_bytes) {
    int err = ERR_AGAIN;
    pthread_mutex_lock(&own->lock);
    const struct kept_tile *k = place_of(own, z, x, y);
    if (k->z == z && k->x == x && k->y == y) {
        err = k->bytes != NULL ? 0 : ERR_NOT_FOUND;
        if (err == 0)
            *ret_bytes = (struct str){arena_copy(a, k->bytes, k->len), k->len};
    }
    pthread_mutex_unlock(&own->lock);
    return err;
}

/* BYTES may be absent: the tile is empty. */
static void keep(struct streets_atlas *own, int32_t z, int32_t x, int32_t y, struct str bytes) {
    if (bytes.len > KEPT_TILE_BYTES_MAX)
        return;
    char *copy = NULL;
    if (bytes.p != NULL) {
        copy = xmalloc(bytes.len);
        memcpy(copy, bytes.p, bytes.len);
    }
    pthread_mutex_lock(&own->lock);
    struct kept_tile *k = place_of(own, z, x, y);
    free(k->bytes);
    *k = (struct kept_tile){.z = z, .x = x, .y = y, .len = bytes.len, .bytes = copy};
    pthread_mutex_unlock(&own->lock);
}

static int tile(const struct atlas *t, int32_t z, int32_t x, int32_t y, struct arena *a,
                struct atlas_tile *ret_tile) {
    struct streets_atlas *own = (struct streets_atlas *)(uintptr_t)t;
    if (z < TILE_ZOOM_MIN || z > TILE_ZOOM_MAX)
        return ERR_NOT_FOUND;
    ret_tile->gzip = false;
    int err = recall(own, z, x, y, a, &ret_tile->bytes);
    if (err != ERR_AGAIN)
        return err;
    err = tile_draw(own->graph, z, x, y, a, &ret_tile->bytes);
    keep(own, z, x, y, err == 0 ? ret_tile->bytes : STR_NONE);
    return err;
}

/* A city's names take some milliseconds to put in order, a country's longer: nobody waits for it.
 */
static void *name_thread(void *arg) {
    struct streets_atlas *own = arg;
    own->gazetteer = gazetteer_new(own->graph);
    return NULL;
}

static int32_t search(const struct atlas *t, struct str text, int32_t limit, struct arena *a,
                      struct atlas_place *ret_places) {
    const struct gazetteer *gazetteer = ((const struct streets_atlas *)t)->gazetteer;
    return gazetteer != NULL ? gazetteer_search(gazetteer, text, limit, a, ret_places) : ERR_BUSY;
}

static int near(const struct atlas *t, struct point at, struct arena *a,
                struct atlas_place *ret_place) {
    const struct graph *g = graph_of(t);
    struct spot spot;
    const struct gazetteer *names = ((const struct streets_atlas *)t)->gazetteer;
    (void)a; /* names live in the graph */
    if (!snap(g, at, NEAR_M, true, &spot))
        return ERR_NOT_FOUND;
    /* While the names are not in order yet, the street is all that is said. */
    struct str cross =
        names != NULL ? gazetteer_cross_street(names, spot.segment, spot.at) : STR_NONE;
    *ret_place = (struct atlas_place){.label = graph_name(g, g->segments[spot.segment].name),
                                      .detail = cross,
                                      .at = spot.at,
                                      .distance_m = (int64_t)llround(spot.off_m)};
    return 0;
}

static void close_atlas(struct atlas *t) {
    struct streets_atlas *own = (struct streets_atlas *)t;
    pthread_join(own->naming, NULL);
    gazetteer_free(own->gazetteer);
    for (int i = 0; i < KEPT_TILES; i++)
        free(own->kept[i].bytes);
    pthread_mutex_destroy(&own->lock);
    free(own);
}

static const struct atlas_ops ops = {info, tile, search, near, close_atlas};

struct atlas *streets_atlas_new(const struct streets *s) {
    struct streets_atlas *own = xcalloc(1, sizeof(*own));
    own->atlas.ops = &ops;
    own->graph = streets_graph(s);
    CHECK(pthread_mutex_init(&own->lock, NULL) == 0);
    CHECK(pthread_create(&own->naming, NULL, name_thread, own) == 0);
    return &own->atlas;
}
