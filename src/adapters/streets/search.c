/* The query of contraction hierarchies. From the target everything is labelled that leads to it by
 * coming down in rank, once for any number of sources; from each source the search goes up, nearest
 * first, and wherever it meets such a label there is a way over that node; it ends when it has come
 * as far as the best of these ways takes in all. A node that is reached faster by way of a higher
 * one (which comes down to it) lies on no fastest way up and is not gone on from ("stalled").
 *
 * Sources and targets lie on segments: a search starts from the ends that may be driven to, at the
 * cost of the part of the segment. Two spots on one segment may also be joined by it directly, if
 * it is open that way.
 *
 * Costs of shortcuts are sums, so a way's length and times come from its few arcs; only for a line
 * to draw are the shortcuts unpacked into the nodes they lead over.
 */
#include "adapters/streets/search.h"

#include "base/check.h"

#include <stdlib.h>

struct scratch *scratch_new(const struct graph *g) {
    struct scratch *s = xcalloc(1, sizeof *s);
    for (int side = 0; side < 2; side++)
        s->labels[side].of = xcalloc(g->counts.nodes, sizeof(struct label));
    return s;
}

struct scratch *scratch_free(struct scratch *s) {
    if (!s)
        return NULL;
    for (int side = 0; side < 2; side++)
        free(s->labels[side].of);
    heap_free(&s->heap);
    free(s->nodes);
    free(s->crumbs);
    free(s->points);
    free(s);
    return NULL;
}

/* ---- labels ---- */

static void restart(struct scratch *s, const struct graph *g, enum side side) {
    struct labels *l = &s->labels[side];
    if (++l->now == 0) { /* once in four billion: stamps of old would count again */
        for (uint32_t i = 0; i < g->counts.nodes; i++)
            l->of[i].stamp = 0;
        l->now = 1;
    }
    s->heap.count = 0;
}

static uint32_t ms_of(const struct labels *l, uint32_t node) {
    return l->of[node].stamp == l->now ? l->of[node].ms : NONE;
}

static void reach(struct scratch *s, enum side side, uint32_t node, uint32_t ms, uint32_t parent,
                  const struct arc *arc) {
    struct labels *l = &s->labels[side];
    if (ms >= ms_of(l, node))
        return;
    l->of[node] = (struct label){l->now, ms, parent, arc};
    heap_push(&s->heap, ms, node);
}

static bool stalled(const struct scratch *s, const struct graph *g, enum side side, uint32_t node,
                    uint32_t ms) {
    const uint32_t *first = g->arcs_first[!side];
    for (uint32_t i = first[node]; i < first[node + 1]; i++) {
        const struct arc *arc = &g->arcs[!side][i];
        uint32_t above = ms_of(&s->labels[side], arc->head), more = arc->cost.ms[PROFILE_CAR];
        if (above < ms && more < ms - above)
            return true;
    }
    return false;
}

static void go_on(struct scratch *s, const struct graph *g, enum side side, uint32_t node,
                  uint32_t ms) {
    const uint32_t *first = g->arcs_first[side];
    for (uint32_t i = first[node]; i < first[node + 1]; i++) {
        const struct arc *arc = &g->arcs[side][i];
        uint32_t more = arc->cost.ms[PROFILE_CAR];
        if (more < COST_MS_MAX && ms < COST_MS_MAX)
            reach(s, side, arc->head, ms + more, node, arc);
    }
}

/* ---- starts ---- */

/* The part of its segment between SPOT and the end D, driven outward (FORWARD) or inward. False:
 * one may not. */
static bool start_cost(const struct graph *g, const struct spot *spot, enum side side, int end,
                       struct cost *ret_cost) {
    const struct segment *seg = &g->segments[spot->segment];
    /* Toward end 1 one drives in the segment's direction 0; from end 1 in direction 1. */
    int direction = (end == 1) == (side == FORWARD) ? 0 : 1;
    if (!seg->kmh[direction])
        return false;
    *ret_cost = cost_part(segment_cost(seg, direction), end == 1 ? 1 - spot->part : spot->part);
    return true;
}

static void start(struct scratch *s, const struct graph *g, const struct spot *spot,
                  enum side side) {
    restart(s, g, side);
    for (int end = 0; end < 2; end++) {
        struct cost cost;
        if (start_cost(g, spot, side, end, &cost))
            reach(s, side, g->segments[spot->segment].ends[end], cost.ms[PROFILE_CAR], NONE, NULL);
    }
}

void search_to(struct scratch *s, const struct graph *g, const struct spot *to) {
    start(s, g, to, BACKWARD);
    while (s->heap.count > 0) {
        uint32_t ms, node = heap_pop(&s->heap, &ms);
        if (ms == ms_of(&s->labels[BACKWARD], node) && !stalled(s, g, BACKWARD, node, ms))
            go_on(s, g, BACKWARD, node, ms);
    }
}

/* ---- ways ---- */

/* The segment itself, if both lie on it and it is open from FROM to TO. */
static bool direct(const struct graph *g, const struct spot *from, const struct spot *to,
                   struct cost *ret_cost) {
    const struct segment *seg = &g->segments[from->segment];
    if (from->segment != to->segment)
        return false;
    for (int d = 0; d < 2; d++) {
        double ahead = d == 0 ? to->part - from->part : from->part - to->part;
        if (ahead >= 0 && seg->kmh[d]) {
            *ret_cost = cost_part(segment_cost(seg, d), ahead);
            return true;
        }
    }
    return false;
}

/* Where the fastest way goes over the top; NONE: there is none. *MS: only a faster one counts. */
static uint32_t meet(struct scratch *s, const struct graph *g, const struct spot *from,
                     uint32_t *ms_best) {
    uint32_t top = NONE;
    start(s, g, from, FORWARD);
    while (s->heap.count > 0) {
        uint32_t ms, node = heap_pop(&s->heap, &ms);
        if (ms >= *ms_best)
            break;
        if (ms > ms_of(&s->labels[FORWARD], node))
            continue;
        uint32_t rest = ms_of(&s->labels[BACKWARD], node);
        if (rest < *ms_best - ms) {
            *ms_best = ms + rest;
            top = node;
        }
        if (!stalled(s, g, FORWARD, node, ms))
            go_on(s, g, FORWARD, node, ms);
    }
    return top;
}

static void add_cost(struct way_cost *sum, const struct cost *c) {
    sum->cm += c->cm;
    for (int p = 0; p < PROFILE_COUNT; p++)
        sum->ms[p] += c->ms[p];
}

/* Adds what leads from SPOT to TOP, or from there to it. Returns the node where SPOT's segment is
 * left or come to. */
static uint32_t add_branch(const struct scratch *s, const struct graph *g, const struct spot *spot,
                           enum side side, uint32_t top, struct way_cost *sum) {
    const struct label *of = s->labels[side].of;
    uint32_t node = top;
    for (; of[node].parent != NONE; node = of[node].parent)
        add_cost(sum, &of[node].arc->cost);
    struct cost part;
    int end = g->segments[spot->segment].ends[1] == node;
    CHECK(start_cost(g, spot, side, end, &part));
    add_cost(sum, &part);
    return node;
}

/* ---- lines ---- */

static void put_node(struct scratch *s, uint32_t node) {
    if (s->node_count == s->node_room) {
        s->node_room = s->node_room ? 2 * s->node_room : 256;
        s->nodes = xrealloc(s->nodes, s->node_room * sizeof *s->nodes);
    }
    s->nodes[s->node_count++] = node;
}

/* Appends the nodes after FROM up to TO, which an arc joins. Middles are of ever lower rank, so it
 * ends; graph_open has seen to it that each has its two arcs. */
static void unpack(struct scratch *s, const struct graph *g, uint32_t from, uint32_t to) {
    size_t count = 0;
    for (struct crumb c = {from, to};; c = s->crumbs[--count]) {
        bool up = c.from < c.to;
        const struct arc *arc =
            up ? graph_arc(g, FORWARD, c.from, c.to) : graph_arc(g, BACKWARD, c.to, c.from);
        CHECK(arc);
        while (arc->middle != NONE) { /* the second half waits */
            if (count == s->crumb_room) {
                s->crumb_room = s->crumb_room ? 2 * s->crumb_room : 64;
                s->crumbs = xrealloc(s->crumbs, s->crumb_room * sizeof *s->crumbs);
            }
            s->crumbs[count++] = (struct crumb){arc->middle, c.to};
            c.to = arc->middle;
            arc = graph_arc(g, BACKWARD, c.to, c.from);
            CHECK(arc);
        }
        put_node(s, c.to);
        if (count == 0)
            return;
    }
}

static void reverse(uint32_t *nodes, size_t count) {
    for (size_t i = 0; i < count / 2; i++) {
        uint32_t swap = nodes[i];
        nodes[i] = nodes[count - 1 - i];
        nodes[count - 1 - i] = swap;
    }
}

/* The nodes from the source's segment over TOP to the target's. */
static void line(struct scratch *s, const struct graph *g, uint32_t top) {
    const struct label *up = s->labels[FORWARD].of, *down = s->labels[BACKWARD].of;
    s->node_count = 0;
    for (uint32_t node = top; node != NONE; node = up[node].parent)
        put_node(s, node);
    reverse(s->nodes, s->node_count);
    /* The turning points, in order; then each arc between two of them in full. */
    for (uint32_t node = top; down[node].parent != NONE; node = down[node].parent)
        put_node(s, down[node].parent);
    size_t turns = s->node_count;
    put_node(s, s->nodes[0]);
    for (size_t i = 1; i < turns; i++)
        unpack(s, g, s->nodes[i - 1], s->nodes[i]);
    s->node_count -= turns;
    for (size_t i = 0; i < s->node_count; i++)
        s->nodes[i] = s->nodes[turns + i];
}

bool search_from(struct scratch *s, const struct graph *g, const struct spot *from,
                 const struct spot *to, bool with_line, struct way_cost *ret_cost) {
    struct cost along;
    struct way_cost sum = {0};
    uint32_t ms_best = NONE;
    if (direct(g, from, to, &along))
        ms_best = along.ms[PROFILE_CAR];
    bool stays = ms_best != NONE;
    uint32_t top = meet(s, g, from, &ms_best);
    s->node_count = 0;
    if (top == NONE && !stays)
        return false;
    if (top == NONE) {
        add_cost(&sum, &along);
    } else {
        add_branch(s, g, from, FORWARD, top, &sum);
        add_branch(s, g, to, BACKWARD, top, &sum);
        if (with_line)
            line(s, g, top);
    }
    *ret_cost = sum;
    return true;
}
