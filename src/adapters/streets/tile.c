/* The pieces of road in the tile are put into groups (of one class, of one name); within a group
 * those that meet are joined to long lines, because labels follow lines and short ones have no
 * room. A line is cut at the tile's border and a little beyond, and written as steps from point to
 * point in units of 1/4096 of the tile.
 */
#include "adapters/streets/tile.h"

#include "adapters/streets/search.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXTENT 4096
#define BUFFER 80 /* beyond the border, so that wide lines do not end in sight */
#define NAME_ZOOM_MIN 12
#define GROUPS_MAX 5000 /* names in one tile; further ones go without a label */

static const char *const class_names[ROAD_CLASSES] = {"motorway", "trunk", "primary", "secondary",
                                                      "tertiary", "minor", "service"};

/* From afar only what is large is drawn. */
static enum road_class last_class(int32_t z) {
    return z < 9    ? ROAD_PRIMARY
           : z < 11 ? ROAD_SECONDARY
           : z < 12 ? ROAD_TERTIARY
           : z < 13 ? ROAD_MINOR
                    : ROAD_SERVICE;
}

/* ---- protocol buffers (protobuf.dev/programming-guides/encoding) ---- */

enum wire { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static void put_varint(struct buf *b, uint64_t v) {
    while (v >= 0x80) {
        buf_add_char(b, (char)(v | 0x80));
        v >>= 7;
    }
    buf_add_char(b, (char)v);
}

static void put_number(struct buf *b, int field, uint64_t v) {
    put_varint(b, (uint64_t)field << 3 | WIRE_VARINT);
    put_varint(b, v);
}

static void put_bytes(struct buf *b, int field, struct str bytes) {
    put_varint(b, (uint64_t)field << 3 | WIRE_BYTES);
    put_varint(b, bytes.len);
    buf_add_str(b, bytes);
}

/* ---- geometry ---- */

struct spot2 {
    double x, y; /* in units of the tile */
};

struct drawing {
    const struct graph *g;
    double scale, x0, y0; /* the world is 1 wide; tile units = world · scale - x0 */
    struct arena *arena;
    struct buf geometry; /* commands of the feature in hand */
    int64_t at_x, at_y;  /* the cursor */
    struct buf line;     /* steps of the line in hand */
    uint32_t line_points;
    int64_t first_x, first_y;
};

/* Web Mercator (EPSG:3857). */
static struct spot2 project(const struct drawing *d, struct point p) {
    double lat = (double)p.lat_e7 / E7 * M_PI / 180, lng = (double)p.lng_e7 / E7;
    double wx = (lng + 180) / 360, wy = (1 - asinh(tan(lat)) / M_PI) / 2;
    return (struct spot2){wx * d->scale - d->x0, wy * d->scale - d->y0};
}

static uint64_t zigzag(int64_t v) {
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static void step_to(struct drawing *d, struct buf *b, int64_t x, int64_t y) {
    put_varint(b, zigzag(x - d->at_x));
    put_varint(b, zigzag(y - d->at_y));
    d->at_x = x;
    d->at_y = y;
}

static void line_end(struct drawing *d) {
    if (d->line_points == 0)
        return;
    put_varint(&d->geometry, (uint64_t)d->line_points << 3 | 2); /* LineTo */
    buf_add_str(&d->geometry, buf_str(&d->line));
    d->line.len = 0;
    d->line_points = 0;
}

static void line_to(struct drawing *d, struct spot2 from, struct spot2 to) {
    int64_t x0 = llround(from.x), y0 = llround(from.y), x1 = llround(to.x), y1 = llround(to.y);
    if (x0 == x1 && y0 == y1)
        return;
    if (d->line_points == 0 || x0 != d->at_x || y0 != d->at_y) {
        line_end(d);
        put_varint(&d->geometry, 1 << 3 | 1); /* MoveTo, once */
        step_to(d, &d->geometry, x0, y0);
    }
    step_to(d, &d->line, x1, y1);
    d->line_points++;
}

/* Narrows [*from, *to] of the way to where START + t · DELTA lies within the buffered tile. */
static void clip_axis(double start, double delta, double *from, double *to) {
    double low = -BUFFER, high = EXTENT + BUFFER;
    if (delta == 0) {
        if (start < low || start > high)
            *to = -1;
        return;
    }
    double a = (low - start) / delta, b = (high - start) / delta;
    *from = fmax(*from, fmin(a, b));
    *to = fmin(*to, fmax(a, b));
}

/* Liang and Barsky's clipping. */
static void draw_piece(struct drawing *d, struct point from, struct point to) {
    struct spot2 p = project(d, from), q = project(d, to);
    double dx = q.x - p.x, dy = q.y - p.y, t0 = 0, t1 = 1;
    clip_axis(p.x, dx, &t0, &t1);
    clip_axis(p.y, dy, &t0, &t1);
    if (t0 >= t1)
        return;
    line_to(d, (struct spot2){p.x + dx * t0, p.y + dy * t0},
            (struct spot2){p.x + dx * t1, p.y + dy * t1});
}

/* ---- joining pieces to lines ---- */

struct piece { /* one end of a segment */
    uint32_t group, node, segment;
};

static int by_group_and_node(const void *left, const void *right) {
    const struct piece *a = left, *b = right;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    return a->segment < b->segment ? -1 : a->segment > b->segment;
}

struct pieces {
    struct piece *ends; /* two a segment, sorted by group and node */
    size_t count;
    const uint32_t *ids; /* of the segments, rising; `used` runs beside it */
    bool *used;
    size_t id_count;
};

static bool *used_of(const struct pieces *p, uint32_t segment) {
    size_t low = 0, high = p->id_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (p->ids[middle] < segment)
            low = middle + 1;
        else
            high = middle;
    }
    CHECK(low < p->id_count && p->ids[low] == segment);
    return &p->used[low];
}

/* An unused segment of GROUP at NODE, or NONE. */
static uint32_t next_at(const struct pieces *p, uint32_t group, uint32_t node) {
    struct piece key = {.group = group, .node = node};
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (by_group_and_node(&p->ends[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < p->count && p->ends[low].group == group && p->ends[low].node == node; low++) {
        if (!*used_of(p, p->ends[low].segment))
            return p->ends[low].segment;
    }
    return NONE;
}

static uint32_t other_end(const struct graph *g, uint32_t segment, uint32_t node) {
    const struct segment *s = &g->segments[segment];
    return s->ends[0] == node ? s->ends[1] : s->ends[0];
}

/* Writes the way from NODE over unused segments of GROUP as far as there are any, and uses them up.
 */
static void walk(struct drawing *d, const struct pieces *p, uint32_t group, uint32_t node) {
    uint32_t segment;
    while ((segment = next_at(p, group, node)) != NONE) {
        uint32_t to = other_end(d->g, segment, node);
        *used_of(p, segment) = true;
        draw_piece(d, d->g->at[node], d->g->at[to]);
        node = to;
    }
}

/* Does the end AT meet no other of its group? */
static bool is_tip(const struct pieces *p, size_t at) {
    const struct piece *e = &p->ends[at];
    bool before = at > 0 && e[-1].group == e->group && e[-1].node == e->node;
    bool after = at + 1 < p->count && e[1].group == e->group && e[1].node == e->node;
    return !before && !after;
}

/* Writes all lines of the group whose ends are FIRST up to LAST: those that begin at a tip first,
 * so that they are long; then rings. */
static void draw_group(struct drawing *d, const struct pieces *p, size_t first, size_t last) {
    d->geometry.len = 0;
    d->at_x = d->at_y = 0;
    for (int tips = 1; tips >= 0; tips--) {
        for (size_t i = first; i < last; i++) {
            if ((tips && !is_tip(p, i)) || *used_of(p, p->ends[i].segment))
                continue;
            walk(d, p, p->ends[i].group, p->ends[i].node);
            line_end(d);
        }
    }
}

/* ---- layers ---- */

struct layer {
    struct buf features, values;
    uint32_t value_count;
};

static void add_feature(struct layer *l, struct drawing *d, struct str value) {
    if (d->geometry.len == 0)
        return;
    struct buf text, tags, feature;
    buf_init(&text, d->arena, value.len + 8);
    put_bytes(&text, 1, value); /* string_value */
    put_bytes(&l->values, 4, buf_str(&text));
    buf_init(&tags, d->arena, 8);
    put_varint(&tags, 0); /* the one key */
    put_varint(&tags, l->value_count++);
    buf_init(&feature, d->arena, d->geometry.len + 16);
    put_bytes(&feature, 2, buf_str(&tags));
    put_number(&feature, 3, 2); /* LINESTRING */
    put_bytes(&feature, 4, buf_str(&d->geometry));
    put_bytes(&l->features, 2, buf_str(&feature));
}

static void end_layer(struct buf *tile, struct layer *l, struct arena *a, const char *name,
                      const char *key) {
    if (l->value_count == 0)
        return;
    struct buf layer;
    buf_init(&layer, a, l->features.len + l->values.len + 64);
    put_bytes(&layer, 1, str_from(name));
    buf_add_str(&layer, buf_str(&l->features));
    put_bytes(&layer, 3, str_from(key));
    buf_add_str(&layer, buf_str(&l->values));
    put_number(&layer, 5, EXTENT);
    put_number(&layer, 15, 2); /* version */
    put_bytes(tile, 3, buf_str(&layer));
}

/* The ends of the segments IDS in groups: by class, or by NAMES, where one without is left out. */
static struct pieces gather(const struct graph *g, const uint32_t *ids, size_t count, bool names,
                            struct arena *a) {
    struct pieces p = {.ends = arena_array(a, struct piece, 2 * count + 1),
                       .ids = ids,
                       .used = arena_array(a, bool, count + 1),
                       .id_count = count};
    for (size_t i = 0; i < count; i++) {
        const struct segment *s = &g->segments[ids[i]];
        uint32_t group = names ? s->name : s->class;
        for (int end = 0; group != NONE && end < 2; end++)
            p.ends[p.count++] =
                (struct piece){.group = group, .node = s->ends[end], .segment = ids[i]};
    }
    qsort(p.ends, p.count, sizeof *p.ends, by_group_and_node);
    return p;
}

static void draw_layer(struct drawing *d, const uint32_t *ids, size_t count, bool names,
                       struct buf *tile) {
    struct layer layer = {0};
    struct pieces p = gather(d->g, ids, count, names, d->arena);
    buf_init(&layer.features, d->arena, 4096);
    buf_init(&layer.values, d->arena, 512);
    size_t last;
    for (size_t first = 0; first < p.count && layer.value_count < GROUPS_MAX; first = last) {
        uint32_t group = p.ends[first].group;
        for (last = first; last < p.count && p.ends[last].group == group;)
            last++;
        draw_group(d, &p, first, last);
        add_feature(&layer, d, names ? graph_name(d->g, group) : str_from(class_names[group]));
    }
    end_layer(tile, &layer, d->arena, names ? "transportation_name" : "transportation",
              names ? "name" : "class");
}

/* The box of the tile and its buffer. */
static struct box box_of(int32_t z, int32_t x, int32_t y) {
    double n = ldexp(1, z), more = (double)BUFFER / EXTENT;
    double north = atan(sinh(M_PI * (1 - 2 * (y - more) / n))) * 180 / M_PI;
    double south = atan(sinh(M_PI * (1 - 2 * (y + 1 + more) / n))) * 180 / M_PI;
    double west = (x - more) / n * 360 - 180, east = (x + 1 + more) / n * 360 - 180;
    return (struct box){.south_e7 = (int32_t)(fmax(south, -90) * E7),
                        .west_e7 = (int32_t)(fmax(west, -180) * E7),
                        .north_e7 = (int32_t)(fmin(north, 90) * E7),
                        .east_e7 = (int32_t)(fmin(east, 180) * E7)};
}

int tile_draw(const struct graph *g, int32_t z, int32_t x, int32_t y, struct arena *a,
              struct str *ret_bytes) {
    CHECK(z >= TILE_ZOOM_MIN && z <= TILE_ZOOM_MAX && x >= 0 && y >= 0 && x < 1 << z && y < 1 << z);
    uint32_t *ids;
    size_t count = segments_in(g, box_of(z, x, y), last_class(z), a, &ids);
    struct drawing d = {.g = g,
                        .arena = a,
                        .scale = ldexp(EXTENT, z),
                        .x0 = (double)x * EXTENT,
                        .y0 = (double)y * EXTENT};
    struct buf tile;
    buf_init(&d.geometry, a, 4096);
    buf_init(&d.line, a, 4096);
    buf_init(&tile, a, 4096);
    draw_layer(&d, ids, count, false, &tile);
    if (z >= NAME_ZOOM_MIN)
        draw_layer(&d, ids, count, true, &tile);
    if (tile.len == 0)
        return ERR_NOT_FOUND;
    *ret_bytes = buf_str(&tile);
    return 0;
}
