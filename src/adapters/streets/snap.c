/* The grid of segments. Its squares are about SIDE_M wide, or larger on a map with few segments or
 * very long ones, so that the lists stay in proportion to the map. A search looks at the square of
 * the point and then at ring after ring around it, until no square of the next ring can hold
 * anything nearer than what was found.
 *
 * Distances are measured on the plane that touches the globe at the point, in metres: good to some
 * centimetres for what is a hundred metres away, to a metre for what is a thousand (in the far
 * north). The place that is chosen is then measured on the globe.
 */
#include "adapters/streets/build.h"
#include "adapters/streets/search.h"
#include "base/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_M 120.0
#define CELLS_PER_SEGMENT 4
#define MEMBERS_PER_SEGMENT 8
#define M_PER_E7 (GEO_RADIUS_M * M_PI / (180.0 * E7))
#define HALF_TURN_E7 (INT64_C(180) * E7)
#define FULL_TURN_E7 (INT64_C(360) * E7)
#define SIDE_E7_MAX (INT32_C(1) << 30)

/* How far east of WEST: 0 up to 360°. */
static int64_t east_of(int32_t west_e7, int32_t lng_e7) {
    int64_t d = (int64_t)lng_e7 - west_e7;
    return d < 0 ? d + FULL_TURN_E7 : d >= FULL_TURN_E7 ? d - FULL_TURN_E7 : d;
}

/* The same by the shorter way: -180° up to 180°. */
static int64_t apart_e7(int32_t from_e7, int32_t to_e7) {
    int64_t d = east_of(from_e7, to_e7);
    return d >= HALF_TURN_E7 ? d - FULL_TURN_E7 : d;
}

static double lng_m_per_e7(double lat_e7) {
    return M_PER_E7 * fmax(1e-6, cos(lat_e7 * M_PI / (180.0 * E7))); /* at a pole all is near */
}

/* ---- building ---- */

struct cells { /* inclusive */
    uint32_t columns[2], rows[2];
};

static uint32_t cell(int64_t offset_e7, int32_t side_e7, uint32_t count) {
    int64_t at = offset_e7 / side_e7;
    return at < 0 ? 0 : at >= count ? count - 1 : (uint32_t)at;
}

static void put_in_order(uint32_t pair[2]) {
    if (pair[0] > pair[1]) {
        uint32_t swap = pair[0];
        pair[0] = pair[1];
        pair[1] = swap;
    }
}

/* The squares under the box around S. */
static struct cells cells_of(const struct graph *g, const struct segment *s) {
    const struct grid *grid = &g->grid;
    struct cells c;
    for (int i = 0; i < 2; i++) {
        struct point p = g->at[s->ends[i]];
        c.columns[i] = cell(east_of(grid->west_e7, p.lng_e7), grid->side_lng_e7, grid->columns);
        c.rows[i] = cell((int64_t)p.lat_e7 - grid->south_e7, grid->side_lat_e7, grid->rows);
    }
    put_in_order(c.columns);
    put_in_order(c.rows);
    return c;
}

static uint64_t count_members(const struct graph *g) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < g->counts.segments; i++) {
        struct cells c = cells_of(g, &g->segments[i]);
        total += (uint64_t)(c.columns[1] - c.columns[0] + 1) * (c.rows[1] - c.rows[0] + 1);
    }
    return total;
}

static void set_bounds(struct graph *g) {
    int32_t from = g->at[0].lng_e7, south = INT32_MAX, north = INT32_MIN;
    int64_t west = 0, east = 0;
    for (uint32_t i = 0; i < g->counts.nodes; i++) {
        int64_t x = apart_e7(from, g->at[i].lng_e7);
        west = x < west ? x : west;
        east = x > east ? x : east;
        south = g->at[i].lat_e7 < south ? g->at[i].lat_e7 : south;
        north = g->at[i].lat_e7 > north ? g->at[i].lat_e7 : north;
    }
    g->bounds = (struct box){south, (int32_t)apart_e7(0, (int32_t)apart_e7((int32_t)-west, from)),
                             north, (int32_t)apart_e7(0, (int32_t)apart_e7((int32_t)-east, from))};
}

static void size_grid(struct graph *g) {
    const struct box *b = &g->bounds;
    int64_t wide = east_of(b->west_e7, b->east_e7), high = (int64_t)b->north_e7 - b->south_e7;
    double middle = ((double)b->north_e7 + b->south_e7) / 2;
    double side_lng = fmin(SIDE_M / lng_m_per_e7(middle), SIDE_E7_MAX);
    uint64_t segments = g->counts.segments;
    for (int32_t times = 1;; times *= 2) {
        CHECK(times < SIDE_E7_MAX / 2);
        g->grid =
            (struct grid){.south_e7 = b->south_e7,
                          .west_e7 = b->west_e7,
                          .side_lat_e7 = (int32_t)fmin(SIDE_M / M_PER_E7 * times, SIDE_E7_MAX),
                          .side_lng_e7 = (int32_t)fmin(side_lng * times, SIDE_E7_MAX)};
        g->grid.columns = (uint32_t)(wide / g->grid.side_lng_e7) + 1;
        g->grid.rows = (uint32_t)(high / g->grid.side_lat_e7) + 1;
        if ((uint64_t)g->grid.columns * g->grid.rows <= CELLS_PER_SEGMENT * segments + 64 &&
            count_members(g) <= MEMBERS_PER_SEGMENT * segments + 64)
            return;
    }
}

void grid_build(struct graph *g, uint32_t **ret_cell_first, uint32_t **ret_members) {
    set_bounds(g);
    size_grid(g);
    uint32_t cells = g->grid.columns * g->grid.rows;
    uint32_t *first = xcalloc((size_t)cells + 2, sizeof *first);
    uint32_t *members = xcalloc(count_members(g) + 1, sizeof *members);
    for (int filling = 0; filling < 2; filling++) {
        for (uint32_t i = 0; i < g->counts.segments; i++) {
            struct cells c = cells_of(g, &g->segments[i]);
            for (uint32_t row = c.rows[0]; row <= c.rows[1]; row++) {
                for (uint32_t column = c.columns[0]; column <= c.columns[1]; column++) {
                    uint32_t at = row * g->grid.columns + column;
                    if (filling)
                        members[first[at + 1]++] = i;
                    else
                        first[at + 2]++;
                }
            }
        }
        for (uint32_t at = 0; !filling && at < cells; at++)
            first[at + 2] += first[at + 1]; /* first[at + 1]: where at's list begins, for now */
    }
    g->counts.members = first[cells];
    g->cell_first = *ret_cell_first = first;
    g->members = *ret_members = members;
}

/* ---- what lies in a box ---- */

static int by_number(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static struct cells cells_of_box(const struct graph *g, struct box b) {
    const struct grid *grid = &g->grid;
    struct cells c;
    int64_t west = apart_e7(grid->west_e7, b.west_e7), east = apart_e7(grid->west_e7, b.east_e7);
    c.columns[0] = cell(west, grid->side_lng_e7, grid->columns);
    c.columns[1] = cell(east, grid->side_lng_e7, grid->columns);
    c.rows[0] = cell((int64_t)b.south_e7 - grid->south_e7, grid->side_lat_e7, grid->rows);
    c.rows[1] = cell((int64_t)b.north_e7 - grid->south_e7, grid->side_lat_e7, grid->rows);
    put_in_order(c.columns);
    return c;
}

size_t segments_in(const struct graph *g, struct box box, enum road_class class_last,
                   struct arena *a, uint32_t **ret_segments) {
    struct cells c = cells_of_box(g, box);
    size_t room = 0, count = 0, kept = 0;
    for (uint32_t row = c.rows[0]; row <= c.rows[1]; row++) {
        const uint32_t *first = g->cell_first + (size_t)row * g->grid.columns;
        room += first[c.columns[1] + 1] - first[c.columns[0]];
    }
    uint32_t *ids = arena_array(a, uint32_t, room + 1);
    for (uint32_t row = c.rows[0]; row <= c.rows[1]; row++) {
        const uint32_t *first = g->cell_first + (size_t)row * g->grid.columns;
        for (uint32_t i = first[c.columns[0]]; i < first[c.columns[1] + 1]; i++) {
            if (g->segments[g->members[i]].class <= class_last)
                ids[count++] = g->members[i];
        }
    }
    qsort(ids, count, sizeof *ids, by_number);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || ids[i] != ids[i - 1])
            ids[kept++] = ids[i];
    }
    *ret_segments = ids;
    return kept;
}

/* ---- searching ---- */

struct seek {
    const struct graph *g;
    struct point at;
    double lng_m; /* metres to a unit of longitude here */
    bool named;
    double best_m;
    uint32_t segment; /* NONE: nothing yet */
    double part;
};

static void try_segment(struct seek *k, uint32_t index) {
    const struct segment *s = &k->g->segments[index];
    if (k->named && s->name == NONE)
        return;
    double x[2], y[2];
    for (int i = 0; i < 2; i++) {
        struct point p = k->g->at[s->ends[i]];
        x[i] = (double)apart_e7(k->at.lng_e7, p.lng_e7) * k->lng_m;
        y[i] = (double)((int64_t)p.lat_e7 - k->at.lat_e7) * M_PER_E7;
    }
    double dx = x[1] - x[0], dy = y[1] - y[0], length2 = dx * dx + dy * dy;
    double part = length2 > 0 ? -(x[0] * dx + y[0] * dy) / length2 : 0;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    double m = hypot(x[0] + part * dx, y[0] + part * dy);
    /* The lower index on a tie, so that the order of the squares does not show. */
    if (m < k->best_m || (m == k->best_m && index < k->segment)) {
        k->best_m = m;
        k->segment = index;
        k->part = part;
    }
}

static void try_cells(struct seek *k, int64_t row, int64_t column_first, int64_t column_last) {
    const struct grid *grid = &k->g->grid;
    if (row < 0 || row >= grid->rows)
        return;
    column_first = column_first < 0 ? 0 : column_first;
    column_last = column_last < grid->columns ? column_last : (int64_t)grid->columns - 1;
    for (int64_t c = column_first; c <= column_last; c++) {
        const uint32_t *first = k->g->cell_first + row * grid->columns + c;
        for (uint32_t i = first[0]; i < first[1]; i++)
            try_segment(k, k->g->members[i]);
    }
}

static void try_ring(struct seek *k, int64_t row, int64_t column, int64_t ring) {
    try_cells(k, row - ring, column - ring, column + ring);
    if (ring == 0)
        return;
    try_cells(k, row + ring, column - ring, column + ring);
    int64_t last = row + ring < k->g->grid.rows ? row + ring : k->g->grid.rows;
    for (int64_t r = row - ring + 1 > 0 ? row - ring + 1 : 0; r < last; r++) {
        try_cells(k, r, column - ring, column - ring);
        try_cells(k, r, column + ring, column + ring);
    }
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static int64_t max_i64(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Metres from AT north or south to the nearest that a road can be, whatever its longitude; 0 beside
 * the map. Near a pole, where degrees of longitude are short, no square is ruled out by its column,
 * and the rings would look at the whole map. */
static double beyond_m(const struct graph *g, struct point at) {
    int64_t below = (int64_t)g->bounds.south_e7 - at.lat_e7;
    int64_t above = (int64_t)at.lat_e7 - g->bounds.north_e7;
    return (double)max_i64(max_i64(below, above), 0) * M_PER_E7;
}

/* How many rings out the grid begins, and ends, for a point COLUMNS in a row of COUNT. */
static int64_t rings_to(int64_t at, int64_t count) {
    return at < 0 ? -at : at >= count ? at - count + 1 : 0;
}

bool snap(const struct graph *g, struct point at, double radius_m, bool named,
          struct spot *ret_spot) {
    const struct grid *grid = &g->grid;
    struct seek k = {.g = g,
                     .at = at,
                     .lng_m = lng_m_per_e7(at.lat_e7),
                     .named = named,
                     .best_m = nextafter(radius_m, INFINITY),
                     .segment = NONE};
    if (beyond_m(g, at) > radius_m)
        return false;
    int64_t wide = (int64_t)grid->columns * grid->side_lng_e7;
    int64_t x = east_of(grid->west_e7, at.lng_e7);
    if (x > wide + (FULL_TURN_E7 - wide) / 2) /* nearer by going west */
        x -= FULL_TURN_E7;
    int64_t column = floor_div(x, grid->side_lng_e7);
    int64_t row = floor_div((int64_t)at.lat_e7 - grid->south_e7, grid->side_lat_e7);
    /* The narrowest that a square within the radius can be. */
    double far_lat_e7 = fmin(90.0 * E7, fabs((double)at.lat_e7) + radius_m / M_PER_E7);
    double side_m =
        fmin(grid->side_lat_e7 * M_PER_E7, grid->side_lng_e7 * lng_m_per_e7(far_lat_e7));
    int64_t ring = max_i64(rings_to(column, grid->columns), rings_to(row, grid->rows));
    int64_t last = max_i64(max_i64(llabs(column), llabs(column - grid->columns)),
                           max_i64(llabs(row), llabs(row - grid->rows)));
    for (; ring <= last && (double)(ring - 1) * side_m <= k.best_m; ring++)
        try_ring(&k, row, column, ring);
    if (k.segment == NONE)
        return false;
    const struct segment *s = &g->segments[k.segment];
    struct point place = geo_toward(g->at[s->ends[0]], g->at[s->ends[1]], k.part);
    *ret_spot = (struct spot){
        .segment = k.segment, .part = k.part, .at = place, .off_m = geo_distance_m(at, place)};
    return true;
}
