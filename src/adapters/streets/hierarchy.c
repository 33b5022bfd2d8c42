/* Contraction hierarchies (Geisberger, Sanders, Schultes, Delling 2008). Nodes are taken out of the
 * network one by one, the least important first; wherever the fastest way between two of a node's
 * neighbours led over it, a shortcut takes its place. A node's rank is when it went. Afterwards the
 * fastest way between any two nodes can be found by going up in rank only, from both ends, which
 * meets a few hundred nodes however large the map.
 *
 * Whether a shortcut is needed is asked by a small search for a witness, a way round the node that
 * is no slower; one that gives up early costs an arc too many, never a wrong time. What makes a
 * node unimportant is that its going adds few arcs, removes many, and that its neighbourhood has
 * not been thinned out yet, so that ranks rise evenly all over the map. Importance is reckoned anew
 * when a node's turn comes; if it has risen above the next one's, it waits.
 */
#include "adapters/streets/build.h"
#include "adapters/streets/heap.h"
#include "base/check.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define WITNESS_SETTLED_MAX 64 /* nodes that a search for one looks at before it gives up */
#define IMPORTANCE_BIAS (1 << 20)

struct arcs {
    struct arc *items; /* head: any node still there */
    uint32_t count, room;
};
struct builder {
    const struct network *network;
    struct arcs *arcs[2]; /* of each node: where it leads, whence it is reached */
    uint32_t *depth;      /* how many have gone one above the other below it */
    struct arcs *done[2]; /* a node's arcs when it went */
    uint32_t *order;      /* the nodes as they went */
    struct heap heap;     /* of the search for witnesses */
    uint32_t *ms, *stamp; /* its labels: valid where the stamp is NOW */
    uint32_t now;
};

/* Sets the arc to HEAD among ARCS, unless there is one that is as fast. */
static void set_arc(struct arcs *arcs, const struct arc *arc) {
    for (uint32_t i = 0; i < arcs->count; i++) {
        if (arcs->items[i].head != arc->head)
            continue;
        if (arc->cost.ms[PROFILE_CAR] < arcs->items[i].cost.ms[PROFILE_CAR])
            arcs->items[i] = *arc;
        return;
    }
    if (arcs->count == arcs->room) {
        arcs->room = arcs->room ? 2 * arcs->room : 4;
        arcs->items = xrealloc(arcs->items, arcs->room * sizeof *arcs->items);
    }
    arcs->items[arcs->count++] = *arc;
}

static void drop_arc(struct arcs *arcs, uint32_t head) {
    for (uint32_t i = 0; i < arcs->count; i++) {
        if (arcs->items[i].head == head) {
            arcs->items[i] = arcs->items[--arcs->count];
            return;
        }
    }
    UNREACHABLE();
}

static void join(struct builder *b, uint32_t from, uint32_t to, uint32_t middle, struct cost cost) {
    set_arc(&b->arcs[FORWARD][from], &(struct arc){to, middle, cost});
    set_arc(&b->arcs[BACKWARD][to], &(struct arc){from, middle, cost});
}

/* ---- witnesses ---- */

static uint32_t label(const struct builder *b, uint32_t node) {
    return b->stamp[node] == b->now ? b->ms[node] : NONE;
}

static void reach(struct builder *b, uint32_t node, uint32_t ms) {
    if (ms >= label(b, node))
        return;
    b->stamp[node] = b->now;
    b->ms[node] = ms;
    heap_push(&b->heap, ms, node);
}

/* Labels what lies within MS_MAX of FROM, not going over WITHOUT. Labels are times of real ways
 * even where the search gave up before they were the fastest. */
static void search_witnesses(struct builder *b, uint32_t from, uint32_t without, uint32_t ms_max) {
    b->now++;
    b->heap.count = 0;
    reach(b, from, 0);
    for (int settled = 0; b->heap.count && settled < WITNESS_SETTLED_MAX;) {
        uint32_t ms, node = heap_pop(&b->heap, &ms);
        if (ms > ms_max)
            return;
        if (ms > label(b, node))
            continue;
        settled++;
        const struct arcs *out = &b->arcs[FORWARD][node];
        for (uint32_t i = 0; i < out->count; i++) {
            uint32_t head = out->items[i].head, more = out->items[i].cost.ms[PROFILE_CAR];
            if (head != without && more <= ms_max - ms)
                reach(b, head, ms + more);
        }
    }
}

/* Finds the shortcuts that must take NODE's place, and with APPLY joins them. Returns how many. */
static uint32_t shortcuts(struct builder *b, uint32_t node, bool apply) {
    const struct arcs *in = &b->arcs[BACKWARD][node], *out = &b->arcs[FORWARD][node];
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        struct arc first = in->items[i];
        uint32_t farthest = 0;
        for (uint32_t j = 0; j < out->count; j++) {
            uint32_t ms = out->items[j].cost.ms[PROFILE_CAR];
            if (out->items[j].head != first.head && ms > farthest)
                farthest = ms;
        }
        if (farthest == 0) /* nowhere to go but back */
            continue;
        search_witnesses(b, first.head, node, first.cost.ms[PROFILE_CAR] + farthest);
        for (uint32_t j = 0; j < out->count; j++) {
            struct arc second = out->items[j];
            uint32_t ms = first.cost.ms[PROFILE_CAR] + second.cost.ms[PROFILE_CAR];
            if (second.head == first.head || label(b, second.head) <= ms || ms >= COST_MS_MAX)
                continue;
            count++;
            if (apply)
                join(b, first.head, second.head, node, cost_add(first.cost, second.cost));
        }
    }
    return count;
}

/* ---- the order ---- */

static uint32_t importance(struct builder *b, uint32_t node) {
    int64_t added = shortcuts(b, node, false);
    int64_t removed = (int64_t)b->arcs[FORWARD][node].count + b->arcs[BACKWARD][node].count;
    int64_t value = 2 * added - removed + b->depth[node];
    return (uint32_t)(value + IMPORTANCE_BIAS);
}

/* Takes NODE out: joins its shortcuts, and unties it from its neighbours. */
static void contract(struct builder *b, uint32_t node) {
    shortcuts(b, node, true);
    for (int side = 0; side < 2; side++) {
        struct arcs *arcs = &b->arcs[side][node];
        for (uint32_t i = 0; i < arcs->count; i++) {
            uint32_t head = arcs->items[i].head;
            drop_arc(&b->arcs[!side][head], node);
            if (b->depth[head] < b->depth[node] + 1)
                b->depth[head] = b->depth[node] + 1;
        }
        b->done[side][node] = *arcs;
        *arcs = (struct arcs){0};
    }
}

static void contract_all(struct builder *b) {
    struct heap waiting = {0};
    for (uint32_t node = 0; node < b->network->node_count; node++)
        heap_push(&waiting, importance(b, node), node);
    uint32_t gone = 0;
    while (waiting.count > 0) {
        uint32_t was, node = heap_pop(&waiting, &was);
        uint32_t is = importance(b, node);
        if (waiting.count > 0 && is > heap_top_key(&waiting)) {
            heap_push(&waiting, is, node);
            continue;
        }
        contract(b, node);
        b->order[gone++] = node;
    }
    heap_free(&waiting);
}

/* ---- to arrays by rank ---- */

static int pack(struct builder *b, struct hierarchy *h) {
    uint32_t nodes = b->network->node_count;
    h->rank = xmalloc(nodes * sizeof *h->rank);
    for (uint32_t rank = 0; rank < nodes; rank++)
        h->rank[b->order[rank]] = rank;
    for (int side = 0; side < 2; side++) {
        uint64_t total = 0;
        for (uint32_t i = 0; i < nodes; i++)
            total += b->done[side][i].count;
        if (total > STREETS_ARCS_MAX)
            return ERR_LIMIT;
        h->arc_counts[side] = (uint32_t)total;
        h->arcs_first[side] = xmalloc(((size_t)nodes + 1) * sizeof(uint32_t));
        h->arcs[side] = xcalloc(total + 1, sizeof(struct arc));
        uint32_t at = 0;
        for (uint32_t rank = 0; rank < nodes; rank++) {
            h->arcs_first[side][rank] = at;
            const struct arcs *arcs = &b->done[side][b->order[rank]];
            for (uint32_t i = 0; i < arcs->count; i++, at++) {
                struct arc arc = arcs->items[i];
                arc.head = h->rank[arc.head];
                arc.middle = arc.middle == NONE ? NONE : h->rank[arc.middle];
                h->arcs[side][at] = arc;
            }
        }
        h->arcs_first[side][nodes] = at;
    }
    return 0;
}

static void builder_init(struct builder *b, const struct network *n) {
    size_t nodes = n->node_count;
    *b = (struct builder){.network = n,
                          .depth = xcalloc(nodes, sizeof *b->depth),
                          .order = xcalloc(nodes, sizeof *b->order),
                          .ms = xcalloc(nodes, sizeof *b->ms),
                          .stamp = xcalloc(nodes, sizeof *b->stamp)};
    for (int side = 0; side < 2; side++) {
        b->arcs[side] = xcalloc(nodes, sizeof(struct arcs));
        b->done[side] = xcalloc(nodes, sizeof(struct arcs));
    }
    for (uint32_t i = 0; i < n->segment_count; i++) {
        const struct segment *s = &n->segments[i];
        for (int d = 0; d < 2; d++) {
            if (s->kmh[d])
                join(b, s->ends[d], s->ends[!d], NONE, segment_cost(s, d));
        }
    }
}

static void builder_free(struct builder *b) {
    for (int side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < b->network->node_count; i++) {
            free(b->arcs[side][i].items);
            free(b->done[side][i].items);
        }
        free(b->arcs[side]);
        free(b->done[side]);
    }
    free(b->depth);
    free(b->order);
    free(b->ms);
    free(b->stamp);
    heap_free(&b->heap);
}

int hierarchy_build(const struct network *n, struct hierarchy *ret_hierarchy) {
    struct builder b;
    struct hierarchy h = {0};
    builder_init(&b, n);
    contract_all(&b);
    int err = pack(&b, &h);
    builder_free(&b);
    if (err) {
        hierarchy_free(&h);
        return err;
    }
    *ret_hierarchy = h;
    return 0;
}

void hierarchy_free(struct hierarchy *h) {
    free(h->rank);
    for (int side = 0; side < 2; side++) {
        free(h->arcs_first[side]);
        free(h->arcs[side]);
    }
    *h = (struct hierarchy){0};
}
