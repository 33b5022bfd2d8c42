/* The road graph as it lies in the file and, mapped read-only, in memory: arrays of fixed-size
 * records behind one header. Inside this folder only.
 *
 * Nodes are numbered by their rank in the contraction hierarchy (hierarchy.c): the larger number is
 * the more important crossing. Every arc joins a node to one of higher rank and is kept with the
 * lower one: on side FORWARD it leads up, on side BACKWARD it comes down from there.
 */
#ifndef LORRY_ADAPTERS_STREETS_GRAPH_H
#define LORRY_ADAPTERS_STREETS_GRAPH_H

#include "geo/geo.h"

#include <stddef.h>

#define NONE UINT32_MAX
#define STREETS_NODES_MAX (UINT32_C(1) << 24)
#define STREETS_SEGMENTS_MAX (UINT32_C(1) << 25)
#define STREETS_ARCS_MAX (UINT32_C(1) << 28)
#define STREETS_CELLS_MAX (UINT32_C(1) << 27)
#define STREETS_MEMBERS_MAX (UINT32_C(1) << 30)
#define STREETS_NAME_BYTES_MAX (UINT32_C(1) << 30)
#define GRID_SIDE_MIN_E7 10000 /* a hundred metres and a bit; smaller ones only cost time */
#define GRAPH_HASH_SEED 20161227
#define COST_MS_MAX (UINT32_C(1) << 31) /* 24 days; two of them still fit the type */

/* The ways in which vehicles take time. Routes are the fastest for PROFILE_CAR. */
enum profile { PROFILE_CAR, PROFILE_BIKE, PROFILE_TRUCK, PROFILE_COUNT };

struct cost {
    uint32_t cm;
    uint32_t ms[PROFILE_COUNT];
};
/* CM of road at KMH. */
struct cost cost_of(uint32_t cm, uint32_t kmh);
struct cost cost_add(struct cost a, struct cost b);    /* stops at the type's end */
struct cost cost_part(struct cost whole, double part); /* PART: 0..1 */

enum side { FORWARD, BACKWARD };

struct arc {
    uint32_t head;   /* the node of higher rank */
    uint32_t middle; /* a shortcut: the node of lower rank it leads over; NONE: a road itself */
    struct cost cost;
};

/* How much of a road it is, the most first: what maps draw wide, and from afar. Names as in
 * OpenMapTiles (openmaptiles.org/schema). */
enum road_class {
    ROAD_MOTORWAY,
    ROAD_TRUNK,
    ROAD_PRIMARY,
    ROAD_SECONDARY,
    ROAD_TERTIARY,
    ROAD_MINOR,
    ROAD_SERVICE,
    ROAD_CLASSES
};

/* A straight piece of road between two nodes. */
struct segment {
    uint32_t ends[2];
    uint32_t name; /* or NONE */
    uint32_t cm;
    uint8_t kmh[2]; /* from ends[0] to ends[1], and back; 0: not allowed, but not both */
    uint8_t class;  /* enum road_class */
    uint8_t unused[5];
    uint64_t drawn_cm; /* this and those before it, where one may meet a customer */
};

/* Squares of latitude and longitude, row by row from the south-west, each listing the segments
 * that may touch it. */
struct grid {
    int32_t south_e7, west_e7;
    int32_t side_lat_e7, side_lng_e7;
    uint32_t columns, rows;
};

struct graph_counts {
    uint32_t nodes, segments, arcs[2], members, names, name_bytes;
};
struct graph {
    struct graph_counts counts;
    struct grid grid;
    struct box bounds;
    int64_t length_m;
    char attribution[200];
    const struct point *at;        /* of nodes */
    const uint32_t *arcs_first[2]; /* of node i: arcs_first[i] up to arcs_first[i + 1] */
    const struct arc *arcs[2];
    const struct segment *segments;
    const uint32_t *cell_first, *members;
    const uint32_t *name_first;
    const char *name_bytes;
};

static inline struct str graph_name(const struct graph *g, uint32_t name) {
    if (name == NONE)
        return STR_NONE;
    return (struct str){g->name_bytes + g->name_first[name],
                        g->name_first[name + 1] - g->name_first[name]};
}
static inline struct cost segment_cost(const struct segment *s, int direction) {
    return cost_of(s->cm, s->kmh[direction]);
}
/* The arc on SIDE of node LOW whose other end is HEAD; NULL: there is none. */
const struct arc *graph_arc(const struct graph *g, enum side side, uint32_t low, uint32_t head);

/* Writes G to PATH by way of a temporary name beside it: whole or not at all. ERR_IO. */
int graph_write(const struct graph *g, const char *path);
/* The graph in a file's BYTES, which start at an address that is a multiple of 8 and must outlive
 * it. ERR_CORRUPT for anything that graph_write has not written: whatever the bytes are, no index
 * in the graph leads outside of them. */
int graph_read(const char *file, size_t bytes, struct graph *ret_graph);
struct streets;
const struct graph *streets_graph(const struct streets *s); /* as long as s */

/* A graph in a mapped file. */
struct graph_file {
    void *map;
    size_t bytes;
};
/* ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT. */
int graph_open(const char *path, struct graph_file *ret_file, struct graph *ret_graph);
void graph_close(struct graph_file *file);

#endif
