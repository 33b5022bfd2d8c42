/* The atlas of an MBTiles file (version 1.3): vector tiles that somebody has made, such as `lorry
 * map build`, in an SQLite database. It is only read; replace it by renaming another one over it,
 * and start anew. Tiles go out as they lie there, compressed if they are.
 *
 * An MBTiles file has no names to be found by: those come from another atlas, if there is one.
 */
#ifndef LORRY_ADAPTERS_MBTILES_MBTILES_H
#define LORRY_ADAPTERS_MBTILES_MBTILES_H

#include "ports/atlas.h"

#define MBTILES_TILE_BYTES_MAX ((int64_t)8 << 20)
#define MBTILES_ATTRIBUTION_MAX 300
/* Shown where the file names nobody: nearly every map is made of this. */
#define MBTILES_ATTRIBUTION "© OpenStreetMap contributors, ODbL"

/* NAMES may be NULL; else it is closed with the atlas. ERR_NOT_FOUND: no such file; ERR_INVALID: it
 * is not MBTiles of vector tiles; ERR_IO. WHY is a sentence in A. */
int mbtiles_atlas_open(const char *path, struct atlas *names, struct arena *a,
                       struct atlas **ret_atlas, struct str *ret_why);
/* Writes whom to name into a file that is not served yet. ERR_IO. */
int mbtiles_sign(const char *path, const char *attribution, struct arena *a, struct str *ret_why);

#endif
