/* Made-up cities for the tests of this folder, as GeoJSON, and the files they go through. */
#ifndef LORRY_ADAPTERS_STREETS_TEST_SUPPORT_H
#define LORRY_ADAPTERS_STREETS_TEST_SUPPORT_H

#include "adapters/streets/streets.h"
#include "base/buf.h"
#include "base/rng.h"

struct temporary {
    char folder[64], geojson[96], graph[96];
};
void temporary_make(struct temporary *t);
void temporary_remove(struct temporary *t);
void write_text(const char *path, struct str text);
struct str read_text(const char *path); /* free its p */

/* A FeatureCollection: begin, any number of lines, end. */
void city_begin(struct buf *b);
/* TAGS: JSON members ("\"highway\":\"residential\""), may be empty. */
void city_line(struct buf *b, const struct point *points, int count, const char *tags);
void city_end(struct buf *b);

/* Blocks of crooked streets with one-ways either way, gaps, dead ends, roundabouts, a motorway
 * through it, ways that lie on one another, footpaths, and an island that no road leads to. */
struct str random_city(struct rng *rng, struct point corner, int columns, int rows);

/* Writes GEOJSON (freed) and builds. */
int build_text(struct temporary *t, struct str geojson, struct streets_info *ret_info);

#endif
