/* The streets router: a compact, one-way-aware road graph, and shortest times over it.
 *
 * Source: GeoJSON LineString features with OSM tags (highway, oneway, maxspeed, name); a
 * FeatureCollection such as geojson-path-finder's Göteborg. `streets_build` reads it once and
 * writes a binary form; `streets_open` maps that. Off the map or unroutable: the crow's answer,
 * marked as an estimate.
 */
#ifndef LORRY_ADAPTERS_STREETS_STREETS_H
#define LORRY_ADAPTERS_STREETS_STREETS_H

#include "geo/geo.h"
#include "ports/router.h"

struct streets_info {
    int32_t nodes, edges, names;
    int64_t length_m;
    struct box bounds;
    char attribution[200]; /* what must be shown with the map */
};
struct streets;

/* Reads GEOJSON_PATH, writes GRAPH_PATH (whole or not at all). ERR_NOT_FOUND, ERR_INVALID, ERR_IO.
 */
int streets_build(const char *geojson_path, const char *graph_path, struct streets_info *ret_info);
/* Opens a binary form; FALLBACK (the crow) stays the caller's. ERR_CORRUPT if it is of another
 * version or damaged: build again. */
int streets_open(const char *graph_path, struct router *fallback, struct streets **ret_streets);
void streets_close(struct streets *s);
struct router *streets_router(struct streets *s); /* owned by s; its close does nothing */
void streets_info(const struct streets *s, struct streets_info *ret_info);
/* A point on a random road, for simulated customers; the same RNG gives the same points. The
 * street's name goes to RET_NAME (valid as long as s; may be empty). */
struct rng;
struct point streets_random_point(const struct streets *s, struct rng *rng, struct str *ret_name);
/* The name of the nearest street within RADIUS_M, or STR_NONE. */
struct str streets_name_near(const struct streets *s, struct point at, double radius_m);

#endif
