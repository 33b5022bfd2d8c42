/* The streets router: a compact, one-way-aware road graph, and shortest times over it.
 *
 * Source: GeoJSON LineString features with OSM tags (highway, oneway, maxspeed, name); a
 * FeatureCollection such as geojson-path-finder's Göteborg. A file in which nothing has a highway
 * tag is taken as bare lines, open both ways. `streets_build` reads it once and writes a binary
 * form; `streets_open` maps that. Off the map (STREETS_SNAP_M from any road) or unroutable: the
 * crow's answer for that leg, marked as an estimate.
 *
 * Routes are the fastest for a car, whichever the vehicle, and only their duration is the class's
 * own: bikes at up to 18 km/h, trucks at up to 80 and a sixth slower, vans as cars. From a stop to
 * its place on the road and from there on it goes straight, at 10 km/h; the line shows it.
 *
 * Only roads from which one comes everywhere and back are in the graph. Any thread may ask at any
 * time; streets_close comes after the last answer.
 */
#ifndef LORRY_ADAPTERS_STREETS_STREETS_H
#define LORRY_ADAPTERS_STREETS_STREETS_H

#include "geo/geo.h"
#include "ports/atlas.h"
#include "ports/router.h"

#define STREETS_SNAP_M 1000

struct streets_info {
    int32_t nodes, edges, names; /* edges: pieces of road between two nodes, one for both ways */
    int64_t length_m;
    struct box bounds;
    char attribution[200]; /* what must be shown with the map */
};
struct streets;

/* Reads GEOJSON_PATH, writes GRAPH_PATH (whole or not at all). ERR_NOT_FOUND; ERR_INVALID: not
 * GeoJSON, or no road to go and come back on; ERR_LIMIT: too large; ERR_IO. RET_INFO may be NULL.
 * A second or so of one core for a city. */
int streets_build(const char *geojson_path, const char *graph_path, struct streets_info *ret_info);
/* Opens a binary form; FALLBACK (the crow) stays the caller's. ERR_CORRUPT if it is of another
 * version or damaged: build again. */
int streets_open(const char *graph_path, struct router *fallback, struct streets **ret_streets);
void streets_close(struct streets *s);
struct router *streets_router(struct streets *s); /* owned by s; its close does nothing */
void streets_info(const struct streets *s, struct streets_info *ret_info);
/* The map drawn from the roads, and their names to be found by. S must outlive it. A thread of its
 * own puts the names in order meanwhile. */
struct atlas *streets_atlas_new(const struct streets *s);
/* A point on a random road where people live and work (no motorways, ramps or car parks), for
 * simulated customers; the same RNG gives the same points. The street's name goes to RET_NAME
 * (valid as long as s; may be empty). */
struct rng;
struct point streets_random_point(const struct streets *s, struct rng *rng, struct str *ret_name);
/* The name of the nearest street that has one within RADIUS_M, or STR_NONE. */
struct str streets_name_near(const struct streets *s, struct point at, double radius_m);

#endif
