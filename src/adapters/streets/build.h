/* From GeoJSON to a graph, step by step. Inside this folder only; heap memory, one owner. */
#ifndef LORRY_ADAPTERS_STREETS_BUILD_H
#define LORRY_ADAPTERS_STREETS_BUILD_H

#include "adapters/streets/graph.h"
#include "base/map.h"
#include "json/reader.h"

/* ---- osm.c: what tags say ---- */

struct road {
    uint8_t kmh[2]; /* in the line's direction, and against it; 0: not allowed */
    bool meets_customers;
    enum road_class class;
    struct str name; /* may be absent */
};
/* What the tags in PROPERTIES (an object, or anything else for none) make of a line. False: not for
 * motor vehicles. BARE: the file knows no highway tag, so every line is a road. */
bool road_of_tags(struct json_value properties, bool bare, struct road *ret_road);

/* ---- geojson.c: lines of roads ---- */

struct way {
    uint32_t first, count; /* in points */
    uint32_t name;
    uint8_t kmh[2], class;
    bool meets_customers;
};
struct roads {
    struct point *points;
    size_t point_count, point_room;
    struct way *ways;
    size_t way_count, way_room;
    struct str *names; /* their bytes belong to the JSON document */
    size_t name_count, name_room;
    struct map name_ids; /* name → its index + 1, as a pointer */
    char attribution[200];
};
/* ERR_INVALID: not GeoJSON, or no road in it; ERR_LIMIT. ROOT's parser must outlive RET_ROADS. */
int roads_read(struct json_value root, struct roads *ret_roads);
void roads_free(struct roads *r);

/* ---- network.c: nodes and segments ---- */

struct network {
    struct point *at;
    uint32_t node_count;
    struct segment *segments; /* drawn_cm not set */
    bool *meets_customers;    /* of segments */
    uint32_t segment_count;
};
/* Joins R's lines where their coordinates are equal and keeps the largest part in which one comes
 * from everywhere to everywhere. ERR_INVALID: there is none, or a line jumps too far. */
int network_build(const struct roads *r, struct network *ret_network);
void network_free(struct network *n);

/* ---- hierarchy.c ---- */

struct hierarchy {
    uint32_t *rank;          /* of the network's nodes */
    uint32_t *arcs_first[2]; /* by rank */
    struct arc *arcs[2];
    uint32_t arc_counts[2];
};
/* ERR_LIMIT: more arcs than the format holds. */
int hierarchy_build(const struct network *n, struct hierarchy *ret_hierarchy);
void hierarchy_free(struct hierarchy *h);

/* ---- snap.c ---- */

/* Lays the grid over G's nodes and segments; sets grid, bounds, cell_first and members (heap). */
void grid_build(struct graph *g, uint32_t **ret_cell_first, uint32_t **ret_members);

/* Makes room for MORE items behind the COUNT in *ITEMS, doubling. */
void room_for(void *items, size_t *room, size_t count, size_t more, size_t item_bytes);

#endif
