/* The router over a graph file: stops are snapped to the nearest segment, each leg is one search,
 * legs are added up. What a query needs of memory beside the caller's arena is a scratch with a
 * label for every node and direction; scratches wait in a small pool behind a mutex, one for each
 * thread that asks at the same time.
 */
#include "adapters/streets/streets.h"

#include "adapters/streets/build.h"
#include "adapters/streets/search.h"
#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POOL_MAX 32 /* scratches kept; more are made and freed as needed */
#define FILE_BYTES_MAX INT64_C(2000000000)
#define OFF_ROAD_KMH 10
#define OFF_LINE_M 0.5 /* nearer to the road than this is on it, to the eye */
#define NAME_RADIUS_MAX_M 20000

struct streets {
    struct router router; /* first: a router is cast back to its streets */
    struct router *fallback;
    struct graph_file file;
    struct graph graph;
    pthread_mutex_t lock; /* of the pool */
    struct scratch *pool[POOL_MAX];
    int pooled;
};

/* ---- building ---- */

static int read_file(const char *path, struct str *ret_text) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    struct stat st;
    int err = fstat(fd, &st) || !S_ISREG(st.st_mode) ? ERR_IO : 0;
    if (!err && st.st_size > FILE_BYTES_MAX)
        err = ERR_LIMIT;
    size_t size = err ? 0 : (size_t)st.st_size, len = 0;
    char *text = err ? NULL : xmalloc(size + 1);
    while (!err && len < size) {
        ssize_t n = read(fd, text + len, size - len);
        if (n < 0 && errno != EINTR)
            err = ERR_IO;
        if (n == 0) /* it has become shorter: what is there is judged by itself */
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (err) {
        free(text);
        return err;
    }
    *ret_text = (struct str){text, len};
    return 0;
}

/* Sums up the lengths: all, and where customers are met (everywhere, if nowhere else). */
static void measure(struct graph *g, struct segment *segments, const bool *meets_customers) {
    uint64_t all_cm = 0, drawn_cm = 0;
    for (uint32_t i = 0; i < g->counts.segments; i++) {
        all_cm += segments[i].cm;
        drawn_cm += meets_customers[i] ? segments[i].cm : 0;
        segments[i].drawn_cm = drawn_cm;
    }
    for (uint32_t i = 0; drawn_cm == 0 && i < g->counts.segments; i++)
        segments[i].drawn_cm = segments[i].cm + (i ? segments[i - 1].drawn_cm : 0);
    g->length_m = (int64_t)(all_cm / 100);
}

/* Gives nodes their ranks as numbers. */
static void renumber(struct network *n, const uint32_t *rank) {
    struct point *at = xmalloc(n->node_count * sizeof *at);
    for (uint32_t i = 0; i < n->node_count; i++)
        at[rank[i]] = n->at[i];
    free(n->at);
    n->at = at;
    for (uint32_t i = 0; i < n->segment_count; i++) {
        for (int end = 0; end < 2; end++)
            n->segments[i].ends[end] = rank[n->segments[i].ends[end]];
    }
}

/* Keeps the names that segments bear; sets G's names. Both arrays are heap, the caller's. */
static void pack_names(struct graph *g, const struct roads *r, struct segment *segments,
                       uint32_t **ret_first, char **ret_bytes) {
    uint32_t *kept = xmalloc((r->name_count + 1) * sizeof *kept);
    memset(kept, 0xff, (r->name_count + 1) * sizeof *kept); /* NONE */
    uint32_t *first = xcalloc(r->name_count + 1, sizeof *first);
    struct buf bytes;
    buf_init(&bytes, NULL, 4096);
    for (uint32_t i = 0; i < g->counts.segments; i++) {
        uint32_t name = segments[i].name;
        if (name == NONE)
            continue;
        if (kept[name] == NONE) {
            kept[name] = g->counts.names++;
            buf_add_str(&bytes, r->names[name]);
            first[g->counts.names] = (uint32_t)bytes.len;
        }
        segments[i].name = kept[name];
    }
    free(kept);
    g->counts.name_bytes = (uint32_t)bytes.len;
    g->name_first = *ret_first = first;
    g->name_bytes = *ret_bytes = bytes.p;
}

static void info_of(const struct graph *g, struct streets_info *ret_info) {
    *ret_info = (struct streets_info){.nodes = (int32_t)g->counts.nodes,
                                      .edges = (int32_t)g->counts.segments,
                                      .names = (int32_t)g->counts.names,
                                      .length_m = g->length_m,
                                      .bounds = g->bounds};
    memcpy(ret_info->attribution, g->attribution, sizeof ret_info->attribution);
}

static int write_network(const struct roads *r, struct network *n, const struct hierarchy *h,
                         const char *path, struct streets_info *ret_info) {
    renumber(n, h->rank);
    struct graph g = {.counts = {.nodes = n->node_count,
                                 .segments = n->segment_count,
                                 .arcs = {h->arc_counts[0], h->arc_counts[1]}},
                      .at = n->at,
                      .arcs_first = {h->arcs_first[0], h->arcs_first[1]},
                      .arcs = {h->arcs[0], h->arcs[1]},
                      .segments = n->segments};
    uint32_t *cell_first, *members, *name_first;
    char *name_bytes;
    memcpy(g.attribution, r->attribution, sizeof g.attribution);
    measure(&g, n->segments, n->meets_customers);
    pack_names(&g, r, n->segments, &name_first, &name_bytes);
    grid_build(&g, &cell_first, &members);
    int err = graph_write(&g, path);
    if (!err && ret_info)
        info_of(&g, ret_info);
    free(cell_first);
    free(members);
    free(name_first);
    free(name_bytes);
    return err;
}

static int build_from(struct json_value root, const char *graph_path,
                      struct streets_info *ret_info) {
    struct roads roads;
    struct network network;
    struct hierarchy hierarchy;
    int err = roads_read(root, &roads);
    if (err)
        return err;
    err = network_build(&roads, &network);
    if (!err) {
        err = hierarchy_build(&network, &hierarchy);
        if (!err) {
            err = write_network(&roads, &network, &hierarchy, graph_path, ret_info);
            hierarchy_free(&hierarchy);
        }
        network_free(&network);
    }
    roads_free(&roads);
    return err;
}

int streets_build(const char *geojson_path, const char *graph_path, struct streets_info *ret_info) {
    struct str text;
    int err = read_file(geojson_path, &text);
    if (err)
        return err;
    struct json_parser *parser = json_parser_new();
    struct json_value root;
    err = json_parse(parser, text, &root);
    free((char *)text.p); /* the parser has its own copy */
    if (!err)
        err = build_from(root, graph_path, ret_info);
    json_parser_free(parser);
    return err;
}

/* ---- scratches ---- */

static struct scratch *borrow(struct streets *s) {
    struct scratch *scratch = NULL;
    pthread_mutex_lock(&s->lock);
    if (s->pooled > 0)
        scratch = s->pool[--s->pooled];
    pthread_mutex_unlock(&s->lock);
    return scratch ? scratch : scratch_new(&s->graph);
}

static void give_back(struct streets *s, struct scratch *scratch) {
    pthread_mutex_lock(&s->lock);
    if (s->pooled < POOL_MAX) {
        s->pool[s->pooled++] = scratch;
        scratch = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    scratch_free(scratch);
}

/* ---- routes ---- */

static enum profile profile_of(enum vehicle vehicle) {
    switch (vehicle) {
    case VEHICLE_BIKE:
        return PROFILE_BIKE;
    case VEHICLE_TRUCK:
        return PROFILE_TRUCK;
    default:
        return PROFILE_CAR;
    }
}

struct stop {
    struct point at;
    struct spot spot;
    bool on_road;
};

static struct stop stop_at(const struct streets *s, struct point at) {
    struct stop stop = {.at = at};
    stop.on_road = snap(&s->graph, at, STREETS_SNAP_M, false, &stop.spot);
    return stop;
}

struct leg {
    int64_t cm, ms;
    bool estimate;
};

static struct leg straight(double m) {
    double cm = m * 100;
    return (struct leg){(int64_t)(cm + 0.5), (int64_t)(cm * 36 / OFF_ROAD_KMH + 0.5), false};
}

static struct leg by_crow(struct streets *s, struct point from, struct point to,
                          enum vehicle vehicle) {
    struct point stops[2] = {from, to};
    struct route r;
    s->fallback->ops->route(s->fallback, stops, 2, vehicle, false, NULL, &r);
    return (struct leg){r.distance_m * 100, r.duration_s * 1000, true};
}

/* From FROM to the TO for which search_to has prepared SCRATCH. Who is nearer to the other than
 * both are to the road goes straight. WITH_LINE: SCRATCH has the nodes. */
static struct leg leg_to(struct streets *s, struct scratch *scratch, const struct stop *from,
                         const struct stop *to, enum vehicle vehicle, bool with_line) {
    scratch->node_count = 0;
    if (!from->on_road || !to->on_road)
        return by_crow(s, from->at, to->at, vehicle);
    double off_m = from->spot.off_m + to->spot.off_m, apart_m = geo_distance_m(from->at, to->at);
    if (apart_m <= off_m)
        return straight(apart_m);
    struct way_cost cost;
    if (!search_from(scratch, &s->graph, &from->spot, &to->spot, with_line, &cost))
        return by_crow(s, from->at, to->at, vehicle);
    struct leg leg = straight(off_m);
    leg.cm += (int64_t)cost.cm;
    leg.ms += (int64_t)cost.ms[profile_of(vehicle)];
    return leg;
}

static void put_point(struct scratch *scratch, struct point p) {
    if (scratch->point_count > 0) {
        struct point last = scratch->points[scratch->point_count - 1];
        if (last.lat_e7 == p.lat_e7 && last.lng_e7 == p.lng_e7)
            return;
    }
    room_for(&scratch->points, &scratch->point_room, scratch->point_count, 1, sizeof p);
    scratch->points[scratch->point_count++] = p;
}

/* The line of the leg whose nodes SCRATCH has, from stop to stop. */
static void put_line(const struct streets *s, struct scratch *scratch, const struct stop *from,
                     const struct stop *to, const struct leg *leg) {
    put_point(scratch, from->at);
    double off_m = from->spot.off_m + to->spot.off_m;
    bool by_road = !leg->estimate && geo_distance_m(from->at, to->at) > off_m;
    if (by_road && from->spot.off_m >= OFF_LINE_M)
        put_point(scratch, from->spot.at);
    for (size_t i = 0; i < scratch->node_count; i++)
        put_point(scratch, s->graph.at[scratch->nodes[i]]);
    if (by_road && to->spot.off_m >= OFF_LINE_M)
        put_point(scratch, to->spot.at);
    put_point(scratch, to->at);
}

static int64_t metres(int64_t cm) {
    return (cm + 50) / 100;
}

static int64_t seconds(int64_t ms) {
    return (ms + 500) / 1000;
}

static void streets_route(struct router *r, const struct point *stops, int32_t stop_count,
                          enum vehicle vehicle, bool with_line, struct arena *a,
                          struct route *ret_route) {
    struct streets *s = (struct streets *)r;
    CHECK(stop_count >= 2);
    struct scratch *scratch = borrow(s);
    struct leg sum = {0};
    scratch->point_count = 0;
    struct stop from = stop_at(s, stops[0]);
    for (int32_t i = 1; i < stop_count; i++) {
        struct stop to = stop_at(s, stops[i]);
        if (to.on_road)
            search_to(scratch, &s->graph, &to.spot);
        struct leg leg = leg_to(s, scratch, &from, &to, vehicle, with_line);
        if (with_line)
            put_line(s, scratch, &from, &to, &leg);
        sum.cm += leg.cm;
        sum.ms += leg.ms;
        sum.estimate |= leg.estimate;
        from = to;
    }
    *ret_route = (struct route){
        .distance_m = metres(sum.cm), .duration_s = seconds(sum.ms), .estimate = sum.estimate};
    if (with_line) {
        put_point(scratch, from.at);
        ret_route->point_count = (int32_t)scratch->point_count;
        ret_route->points =
            arena_copy(a, scratch->points, scratch->point_count * sizeof(struct point));
    }
    give_back(s, scratch);
}

static void streets_many_to_one(struct router *r, const struct point *from, int32_t count,
                                struct point to, enum vehicle vehicle,
                                struct router_leg *ret_legs) {
    struct streets *s = (struct streets *)r;
    struct scratch *scratch = borrow(s);
    struct stop target = stop_at(s, to);
    if (target.on_road)
        search_to(scratch, &s->graph, &target.spot);
    for (int32_t i = 0; i < count; i++) {
        struct stop source = stop_at(s, from[i]);
        struct leg leg = leg_to(s, scratch, &source, &target, vehicle, false);
        ret_legs[i] = (struct router_leg){metres(leg.cm), seconds(leg.ms), leg.estimate};
    }
    give_back(s, scratch);
}

static void router_close(struct router *r) {
    (void)r; /* streets_close does it */
}

static const struct router_ops streets_ops = {
    .route = streets_route, .many_to_one = streets_many_to_one, .close = router_close};

/* ---- the rest ---- */

int streets_open(const char *graph_path, struct router *fallback, struct streets **ret_streets) {
    CHECK(fallback);
    struct streets *s = xcalloc(1, sizeof *s);
    int err = graph_open(graph_path, &s->file, &s->graph);
    if (err) {
        free(s);
        return err;
    }
    s->router.ops = &streets_ops;
    s->fallback = fallback;
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    *ret_streets = s;
    return 0;
}

void streets_close(struct streets *s) {
    if (!s)
        return;
    while (s->pooled > 0)
        scratch_free(s->pool[--s->pooled]);
    pthread_mutex_destroy(&s->lock);
    graph_close(&s->file);
    free(s);
}

struct router *streets_router(struct streets *s) {
    return &s->router;
}

void streets_info(const struct streets *s, struct streets_info *ret_info) {
    info_of(&s->graph, ret_info);
}

struct point streets_random_point(const struct streets *s, struct rng *rng, struct str *ret_name) {
    const struct graph *g = &s->graph;
    uint64_t cm = rng_below(rng, g->segments[g->counts.segments - 1].drawn_cm);
    uint32_t low = 0, high = g->counts.segments - 1; /* the first whose drawn_cm is more than CM */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (g->segments[middle].drawn_cm > cm)
            high = middle;
        else
            low = middle + 1;
    }
    const struct segment *seg = &g->segments[low];
    if (ret_name)
        *ret_name = graph_name(g, seg->name);
    double part = (double)(seg->drawn_cm - cm) / seg->cm;
    return geo_toward(g->at[seg->ends[0]], g->at[seg->ends[1]], part);
}

const struct graph *streets_graph(const struct streets *s) {
    return &s->graph;
}

struct str streets_name_near(const struct streets *s, struct point at, double radius_m) {
    struct spot spot;
    if (!(radius_m >= 0))
        return STR_NONE;
    double near_m = radius_m < NAME_RADIUS_MAX_M ? radius_m : NAME_RADIUS_MAX_M;
    if (!snap(&s->graph, at, near_m, true, &spot))
        return STR_NONE;
    return graph_name(&s->graph, s->graph.segments[spot.segment].name);
}
