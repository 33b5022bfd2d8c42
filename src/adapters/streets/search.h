/* Questions to a graph: the segment nearest to a point, and the fastest way between two places on
 * segments. Inside this folder only. A graph is only read; a scratch belongs to one query at a
 * time.
 */
#ifndef LORRY_ADAPTERS_STREETS_SEARCH_H
#define LORRY_ADAPTERS_STREETS_SEARCH_H

#include "adapters/streets/graph.h"
#include "adapters/streets/heap.h"

/* ---- snap.c ---- */

/* A place on a segment. */
struct spot {
    uint32_t segment;
    double part; /* 0: at ends[0], 1: at ends[1] */
    struct point at;
    double off_m; /* from the point that was asked for */
};
/* The nearest place on a segment (NAMED: on one that has a name) within RADIUS_M of AT. */
bool snap(const struct graph *g, struct point at, double radius_m, bool named,
          struct spot *ret_spot);

/* The segments that may lie in BOX (within some grid squares of it), each once, in rising order; in
 * arena A. Those of a class beyond CLASS_LAST are left out. */
size_t segments_in(const struct graph *g, struct box box, enum road_class class_last,
                   struct arena *a, uint32_t **ret_segments);

/* ---- search.c ---- */

struct label {
    uint32_t stamp;
    uint32_t ms;
    uint32_t parent;       /* the node before, NONE: a start */
    const struct arc *arc; /* from there */
};
struct labels { /* of one direction; those whose stamp is NOW count */
    struct label *of;
    uint32_t now;
};
struct scratch {
    struct labels labels[2];
    struct heap heap;
    uint32_t *nodes; /* of the last line, in order */
    size_t node_count, node_room;
    struct crumb {
        uint32_t from, to;
    } * crumbs; /* arcs yet to be unpacked */
    size_t crumb_room;
    struct point *points; /* for the caller to gather a line in */
    size_t point_count, point_room;
};
struct scratch *scratch_new(const struct graph *g);
struct scratch *scratch_free(struct scratch *s); /* NULL ok; returns NULL */

/* What going from one spot to another comes to, by the fastest way for PROFILE_CAR. */
struct way_cost {
    uint64_t cm, ms[PROFILE_COUNT];
};
/* Prepares S for ways to TO; any number of search_from may follow. */
void search_to(struct scratch *s, const struct graph *g, const struct spot *to);
/* The fastest way from FROM to the TO of search_to. False: there is none. WITH_LINE: leaves the
 * nodes it passes in S->nodes, from first to last, without the two spots themselves. */
bool search_from(struct scratch *s, const struct graph *g, const struct spot *from,
                 const struct spot *to, bool with_line, struct way_cost *ret_cost);

#endif
