/* Lines to a network: equal coordinates are one node (that is how OSM joins its ways), each piece
 * of a line a segment, pieces that lie on one another one segment with the better of both. Then
 * Tarjan's algorithm finds the strongly connected components, and all but the largest goes: what is
 * left is what one can both get to and come back from, so every snap to it can be routed.
 */
#include "adapters/streets/build.h"
#include "base/check.h"
#include "base/err.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_CM_MAX (100 * 1000 * 100) /* 100 km without a bend is no road */

/* ---- nodes ---- */

struct numbered {
    struct point at;
    uint32_t index;
};

static int by_place(const void *left, const void *right) {
    const struct numbered *a = left, *b = right;
    if (a->at.lat_e7 != b->at.lat_e7)
        return a->at.lat_e7 < b->at.lat_e7 ? -1 : 1;
    if (a->at.lng_e7 != b->at.lng_e7)
        return a->at.lng_e7 < b->at.lng_e7 ? -1 : 1;
    return 0;
}

/* Sets N's nodes. Returns the node of each point (heap). */
static uint32_t *number_nodes(const struct roads *r, struct network *n) {
    struct numbered *sorted = xmalloc(r->point_count * sizeof *sorted);
    for (size_t i = 0; i < r->point_count; i++) {
        sorted[i] = (struct numbered){r->points[i], (uint32_t)i};
        if (sorted[i].at.lng_e7 == 180 * E7) /* the meridian with two names */
            sorted[i].at.lng_e7 = -180 * E7;
    }
    qsort(sorted, r->point_count, sizeof *sorted, by_place);
    uint32_t *node_of = xmalloc(r->point_count * sizeof *node_of);
    n->at = xmalloc(r->point_count * sizeof *n->at);
    for (size_t i = 0; i < r->point_count; i++) {
        if (i == 0 || by_place(&sorted[i - 1], &sorted[i]) != 0)
            n->at[n->node_count++] = sorted[i].at;
        node_of[sorted[i].index] = n->node_count - 1;
    }
    free(sorted);
    return node_of;
}

/* ---- segments ---- */

struct piece {
    struct segment segment;
    bool meets_customers;
};

static int by_ends(const void *left, const void *right) {
    const struct segment *a = &((const struct piece *)left)->segment,
                         *b = &((const struct piece *)right)->segment;
    for (int i = 0; i < 2; i++) {
        if (a->ends[i] != b->ends[i])
            return a->ends[i] < b->ends[i] ? -1 : 1;
    }
    return a->name < b->name ? -1 : a->name > b->name; /* NONE last */
}

static int cut(const struct network *n, const struct way *way, uint32_t a, uint32_t b,
               struct piece *ret_piece) {
    double m = geo_distance_m(n->at[a], n->at[b]);
    if (m * 100 > SEGMENT_CM_MAX)
        return ERR_INVALID;
    uint32_t cm = (uint32_t)lround(m * 100);
    bool swap = a > b;
    *ret_piece = (struct piece){.segment = {.ends = {swap ? b : a, swap ? a : b},
                                            .name = way->name,
                                            .cm = cm ? cm : 1,
                                            .kmh = {way->kmh[swap], way->kmh[!swap]},
                                            .class = way->class},
                                .meets_customers = way->meets_customers};
    return 0;
}

static int cut_ways(const struct roads *r, const struct network *n, const uint32_t *node_of,
                    struct piece *pieces, size_t *ret_count) {
    size_t count = 0;
    for (size_t i = 0; i < r->way_count; i++) {
        const struct way *way = &r->ways[i];
        for (uint32_t j = way->first + 1; j < way->first + way->count; j++) {
            if (node_of[j - 1] == node_of[j])
                continue;
            int err = cut(n, way, node_of[j - 1], node_of[j], &pieces[count]);
            if (err)
                return err;
            count++;
        }
    }
    *ret_count = count;
    return 0;
}

static uint8_t max_u8(uint8_t a, uint8_t b) {
    return a > b ? a : b;
}

/* Sets N's segments from PIECES, which it sorts. */
static void join_pieces(struct piece *pieces, size_t count, struct network *n) {
    qsort(pieces, count, sizeof *pieces, by_ends);
    n->segments = xcalloc(count + 1, sizeof *n->segments);
    n->meets_customers = xcalloc(count + 1, sizeof *n->meets_customers);
    for (size_t i = 0; i < count; i++) {
        const struct segment *s = &pieces[i].segment;
        struct segment *last = n->segment_count ? &n->segments[n->segment_count - 1] : NULL;
        if (!last || last->ends[0] != s->ends[0] || last->ends[1] != s->ends[1]) {
            n->meets_customers[n->segment_count] = pieces[i].meets_customers;
            n->segments[n->segment_count++] = *s;
            continue;
        }
        last->kmh[0] = max_u8(last->kmh[0], s->kmh[0]);
        last->kmh[1] = max_u8(last->kmh[1], s->kmh[1]);
        last->class = last->class < s->class ? last->class : s->class;
        n->meets_customers[n->segment_count - 1] |= pieces[i].meets_customers;
    }
}

/* ---- the largest strongly connected component ---- */

struct targets { /* of node i: to[first[i]] up to to[first[i + 1]] */
    uint32_t *first, *to;
};

static struct targets targets_of(const struct network *n) {
    struct targets t = {xcalloc((size_t)n->node_count + 2, sizeof *t.first),
                        xmalloc(2 * (size_t)n->segment_count * sizeof *t.to + 1)};
    for (uint32_t i = 0; i < n->segment_count; i++) {
        for (int d = 0; d < 2; d++)
            t.first[n->segments[i].ends[d] + 2] += n->segments[i].kmh[d] > 0;
    }
    for (uint32_t i = 0; i < n->node_count; i++)
        t.first[i + 2] += t.first[i + 1];
    for (uint32_t i = 0; i < n->segment_count; i++) {
        for (int d = 0; d < 2; d++) {
            if (n->segments[i].kmh[d] > 0)
                t.to[t.first[n->segments[i].ends[d] + 1]++] = n->segments[i].ends[!d];
        }
    }
    return t;
}

struct tarjan {
    struct targets targets;
    uint32_t *index, *low; /* index: when first seen, from 1; NONE: already in a component */
    uint32_t *next;        /* the target to look at next */
    uint32_t *path, *open; /* the way down to here; all seen and not yet in a component */
    uint32_t path_count, open_count, seen;
    uint32_t *component;
    uint32_t component_count, largest, largest_size;
};

/* All nodes above and with NODE on the open stack are a component. */
static void close_component(struct tarjan *t, uint32_t node) {
    uint32_t size = 0, member;
    do {
        member = t->open[--t->open_count];
        t->component[member] = t->component_count;
        t->index[member] = NONE;
        size++;
    } while (member != node);
    if (size > t->largest_size) {
        t->largest_size = size;
        t->largest = t->component_count;
    }
    t->component_count++;
}

static void enter(struct tarjan *t, uint32_t node) {
    t->index[node] = t->low[node] = ++t->seen;
    t->next[node] = t->targets.first[node];
    t->path[t->path_count++] = node;
    t->open[t->open_count++] = node;
}

static void visit_from(struct tarjan *t, uint32_t start) {
    enter(t, start);
    while (t->path_count > 0) {
        uint32_t node = t->path[t->path_count - 1];
        if (t->next[node] < t->targets.first[node + 1]) {
            uint32_t to = t->targets.to[t->next[node]++];
            if (t->index[to] == 0)
                enter(t, to);
            else if (t->index[to] < t->low[node]) /* never when it is NONE */
                t->low[node] = t->index[to];
            continue;
        }
        t->path_count--;
        if (t->path_count > 0) {
            uint32_t above = t->path[t->path_count - 1];
            if (t->low[node] < t->low[above])
                t->low[above] = t->low[node];
        }
        if (t->low[node] == t->index[node])
            close_component(t, node);
    }
}

static struct tarjan tarjan_run(const struct network *n) {
    size_t nodes = (size_t)n->node_count + 1;
    struct tarjan t = {.targets = targets_of(n),
                       .index = xcalloc(nodes, sizeof *t.index),
                       .low = xcalloc(nodes, sizeof *t.low),
                       .next = xcalloc(nodes, sizeof *t.next),
                       .path = xcalloc(nodes, sizeof *t.path),
                       .open = xcalloc(nodes, sizeof *t.open),
                       .component = xcalloc(nodes, sizeof *t.component)};
    for (uint32_t node = 0; node < n->node_count; node++) {
        if (t.index[node] == 0)
            visit_from(&t, node);
    }
    return t;
}

static void tarjan_free(struct tarjan *t) {
    free(t->targets.first);
    free(t->targets.to);
    free(t->index);
    free(t->low);
    free(t->next);
    free(t->path);
    free(t->open);
    free(t->component);
}

static void keep_largest(struct network *n) {
    struct tarjan t = tarjan_run(n);
    uint32_t *renumbered = t.index; /* not needed any more */
    uint32_t nodes = 0, segments = 0;
    for (uint32_t i = 0; i < n->node_count; i++) {
        renumbered[i] = t.component[i] == t.largest ? nodes : NONE;
        if (renumbered[i] != NONE)
            n->at[nodes++] = n->at[i];
    }
    for (uint32_t i = 0; i < n->segment_count; i++) {
        struct segment s = n->segments[i];
        s.ends[0] = renumbered[s.ends[0]];
        s.ends[1] = renumbered[s.ends[1]];
        if (s.ends[0] == NONE || s.ends[1] == NONE)
            continue;
        n->meets_customers[segments] = n->meets_customers[i];
        n->segments[segments++] = s;
    }
    n->node_count = nodes;
    n->segment_count = segments;
    tarjan_free(&t);
}

int network_build(const struct roads *r, struct network *ret_network) {
    struct network n = {0};
    uint32_t *node_of = number_nodes(r, &n);
    struct piece *pieces = xmalloc(r->point_count * sizeof *pieces);
    size_t count;
    int err = cut_ways(r, &n, node_of, pieces, &count);
    if (!err) {
        join_pieces(pieces, count, &n);
        keep_largest(&n);
        if (n.segment_count == 0)
            err = ERR_INVALID;
        else if (n.node_count > STREETS_NODES_MAX || n.segment_count > STREETS_SEGMENTS_MAX)
            err = ERR_LIMIT;
    }
    free(pieces);
    free(node_of);
    if (err) {
        network_free(&n);
        return err;
    }
    *ret_network = n;
    return 0;
}

void network_free(struct network *n) {
    free(n->at);
    free(n->segments);
    free(n->meets_customers);
    *n = (struct network){0};
}
