/* The quadtree. A cell is a square of latitude and longitude whose side is a power of two in units
 * of 10^-7 degrees; a leaf that grows over LEAF_MAX splits in four, a cell whose four together come
 * down to MERGE_MAX is a leaf again. At LEVEL_MAX a cell is a single point and takes any number.
 *
 * Squares serve only to find a driver's place in the tree. What a search goes by are positions in
 * space: each driver as whole numbers x, y, z on a sphere of UNITS radius (3 mm each), each cell as
 * the box in space around all that its square may hold. So the search knows no antimeridian and no
 * poles, and rules out a driver or a cell with three subtractions. The straight line through the
 * earth grows with the way along its surface: of two drivers whose lines differ by more than SLACK,
 * which is more than rounding can do, the shorter line is the shorter way. Only when they differ by
 * less does geo_distance_m decide, so it runs for little more than the K that are returned.
 *
 * The index owns its records, one allocation each, and the cells; the map's keys are those in the
 * records.
 */
#include "geo/fleet_index.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_MAX 32
#define MERGE_MAX 16 /* well under LEAF_MAX: one driver on an edge must not split and merge */
#define LEVEL_MAX 32
#define ROOM_MIN 4
#define STACK_MAX (3 * LEVEL_MAX + 4) /* of a search: three siblings wait on each level */

#define UNITS 2147483640.0 /* the sphere's radius: int32 with room for rounding outward */
#define SLACK_UNITS 3.0    /* x, y, z are each half a unit off at most: 0.9 a line, 1.8 two */
#define RAD_PER_E7 (M_PI / (180.0 * E7))
#define BIAS (UINT32_C(1) << 31) /* makes signed coordinates unsigned, in the same order */

#define KINDS (2 * VEHICLE_COUNT) /* class × free */

/* What a search reads is small and lies together: entries by leaf, cells by four. */
struct entry {
    int32_t place[3];
    uint32_t kind; /* its bit */
    struct record *record;
};
struct record {
    struct fleet_item item; /* first: what callers see */
    uint32_t slot;          /* among its leaf's entries */
};
struct cell {
    int32_t low[3], high[3]; /* in space, outward */
    uint32_t count, kinds;   /* of all below; bits of the kinds there are */
    uint32_t room;           /* for entries */
    bool is_split;
    union {
        struct family *family; /* of a cell that is split */
        struct entry *entries; /* of a leaf */
    };
};
struct family {
    struct cell cells[4]; /* south-west, south-east, north-west, north-east */
    uint32_t of_kind[4][KINDS];
};
struct fleet_index {
    struct cell root;
    uint32_t root_of_kind[KINDS];
    struct map items; /* key → struct record */
};
/* A cell's square: its south-west corner, biased, and how often the globe was halved. */
struct square {
    uint32_t x, y;
    int level;
};

/* ---- places ---- */

static uint32_t tree_x(struct point at) { /* the meridian at 180° has two names: here one */
    return (uint32_t)(at.lng_e7 == 180 * E7 ? -180 * E7 : at.lng_e7) + BIAS;
}

static uint32_t tree_y(struct point at) {
    return (uint32_t)at.lat_e7 + BIAS;
}

static void place_of(struct point at, double place[3]) {
    double lat = at.lat_e7 * RAD_PER_E7, lng = at.lng_e7 * RAD_PER_E7;
    place[0] = UNITS * cos(lat) * cos(lng);
    place[1] = UNITS * cos(lat) * sin(lng);
    place[2] = UNITS * sin(lat);
}

struct range {
    double low, high;
};

/* The cosine over angles from -π to π: it rises up to 0 and falls from there. */
static struct range cos_of(struct range a) {
    double at_low = cos(a.low), at_high = cos(a.high);
    return (struct range){fmin(at_low, at_high),
                          a.low <= 0 && a.high >= 0 ? 1 : fmax(at_low, at_high)};
}

static struct range sin_of(struct range a) {
    double at_low = sin(a.low), at_high = sin(a.high);
    return (struct range){a.low <= -M_PI_2 && a.high >= -M_PI_2 ? -1 : fmin(at_low, at_high),
                          a.low <= M_PI_2 && a.high >= M_PI_2 ? 1 : fmax(at_low, at_high)};
}

static struct range times(struct range positive, struct range a) {
    return (struct range){a.low * (a.low < 0 ? positive.high : positive.low),
                          a.high * (a.high < 0 ? positive.low : positive.high)};
}

/* COUNT coordinates from the biased FIRST on, as angles within ±MOST_E7. */
static struct range angles(uint32_t first, uint64_t count, int64_t most_e7) {
    int64_t low = (int64_t)first - BIAS, high = low + (int64_t)count - 1;
    low = low < -most_e7 ? -most_e7 : low > most_e7 ? most_e7 : low;
    high = high < -most_e7 ? -most_e7 : high > most_e7 ? most_e7 : high;
    return (struct range){(double)low * RAD_PER_E7, (double)high * RAD_PER_E7};
}

static void cell_init(struct cell *c, struct square s) {
    uint64_t side = UINT64_C(1) << (32 - s.level);
    struct range lat = angles(s.y, side, INT64_C(90) * E7);
    struct range lng = angles(s.x, side, INT64_C(180) * E7);
    struct range out = cos_of(lat); /* the distance from the earth's axis */
    if (out.low < 0)
        out.low = 0; /* the cosine of 90° in floating point */
    struct range box[3] = {times(out, cos_of(lng)), times(out, sin_of(lng)), sin_of(lat)};
    *c = (struct cell){0};
    for (int i = 0; i < 3; i++) {
        c->low[i] = (int32_t)floor(box[i].low * UNITS) - 1;
        c->high[i] = (int32_t)ceil(box[i].high * UNITS) + 1;
    }
}

static uint32_t quadrant(struct square s, uint32_t x, uint32_t y) {
    int bit = 31 - s.level;
    return ((y >> bit & 1) << 1) | (x >> bit & 1);
}

static struct square child_square(struct square s, uint32_t q) {
    int bit = 31 - s.level;
    return (struct square){s.x | (q & 1) << bit, s.y | (q >> 1) << bit, s.level + 1};
}

/* ---- the tree ---- */

static uint32_t kind_of(const struct fleet_item *item) {
    return 2U * item->vehicle + (item->free ? 1 : 0);
}

static struct entry entry_of(struct record *record) {
    double place[3];
    place_of(record->item.at, place);
    return (struct entry){
        .place = {(int32_t)lrint(place[0]), (int32_t)lrint(place[1]), (int32_t)lrint(place[2])},
        .kind = UINT32_C(1) << kind_of(&record->item),
        .record = record};
}

/* A way down from the root to where TO belongs. */
struct descent {
    struct point to;
    uint32_t x, y;
    struct square square;
    struct cell *cell;
    uint32_t *of_kind; /* the cell's counts */
};

static struct descent from_root(struct fleet_index *x, struct point to) {
    return (struct descent){
        .to = to, .x = tree_x(to), .y = tree_y(to), .cell = &x->root, .of_kind = x->root_of_kind};
}

static void step_down(struct descent *d) {
    uint32_t q = quadrant(d->square, d->x, d->y);
    d->square = child_square(d->square, q);
    d->of_kind = d->cell->family->of_kind[q];
    d->cell = &d->cell->family->cells[q];
}

static void count_in(struct cell *c, uint32_t *of_kind, uint32_t kind) {
    c->count++;
    of_kind[kind]++;
    c->kinds |= UINT32_C(1) << kind;
}

static void count_out(struct cell *c, uint32_t *of_kind, uint32_t kind) {
    CHECK(c->count > 0 && of_kind[kind] > 0);
    c->count--;
    if (--of_kind[kind] == 0)
        c->kinds &= ~(UINT32_C(1) << kind);
}

/* Puts E behind the COUNT entries of LEAF. */
static void append(struct cell *leaf, uint32_t count, struct entry e) {
    if (count == leaf->room) {
        leaf->room = leaf->room ? 2 * leaf->room : ROOM_MIN;
        leaf->entries = xrealloc(leaf->entries, leaf->room * sizeof *leaf->entries);
    }
    e.record->slot = count;
    leaf->entries[count] = e;
}

/* Makes the leaf C four leaves. */
static void split(struct cell *c, struct square s) {
    struct family *f = xcalloc(1, sizeof *f);
    for (uint32_t q = 0; q < 4; q++)
        cell_init(&f->cells[q], child_square(s, q));
    for (uint32_t i = 0; i < c->count; i++) {
        struct entry e = c->entries[i];
        const struct fleet_item *item = &e.record->item;
        uint32_t q = quadrant(s, tree_x(item->at), tree_y(item->at));
        append(&f->cells[q], f->cells[q].count, e);
        count_in(&f->cells[q], f->of_kind[q], kind_of(item));
    }
    free(c->entries);
    c->room = 0;
    c->is_split = true;
    c->family = f;
}

static void tree_insert(struct fleet_index *x, struct record *record) {
    struct descent d = from_root(x, record->item.at);
    for (;; step_down(&d)) {
        if (!d.cell->is_split && d.cell->count >= LEAF_MAX && d.square.level < LEVEL_MAX)
            split(d.cell, d.square);
        count_in(d.cell, d.of_kind, kind_of(&record->item));
        if (!d.cell->is_split)
            break;
    }
    append(d.cell, d.cell->count - 1, entry_of(record));
}

/* Moves what is below C into INTO, and frees it. Depth is bounded by LEVEL_MAX. */
static void gather(struct cell *c, struct cell *into, uint32_t *count) {
    if (!c->is_split) {
        for (uint32_t i = 0; i < c->count; i++)
            append(into, (*count)++, c->entries[i]);
        free(c->entries);
        return;
    }
    for (uint32_t q = 0; q < 4; q++)
        gather(&c->family->cells[q], into, count);
    free(c->family);
}

/* Makes C a leaf again. */
static void merge(struct cell *c) {
    struct cell leaf = {0};
    uint32_t count = 0;
    gather(c, &leaf, &count);
    CHECK(count == c->count);
    c->is_split = false;
    c->entries = leaf.entries;
    c->room = leaf.room;
}

/* Takes out the entry at SLOT of a leaf that now has COUNT left. */
static void leaf_remove(struct cell *leaf, uint32_t count, uint32_t slot) {
    CHECK(slot <= count);
    leaf->entries[slot] = leaf->entries[count];
    leaf->entries[slot].record->slot = slot;
    if (leaf->room > LEAF_MAX && count < leaf->room / 4) { /* a crowd on one spot has gone */
        leaf->room /= 2;
        leaf->entries = xrealloc(leaf->entries, leaf->room * sizeof *leaf->entries);
    }
}

static void tree_remove(struct fleet_index *x, const struct record *record) {
    struct descent d = from_root(x, record->item.at);
    struct cell *thin = NULL;
    for (;; step_down(&d)) {
        count_out(d.cell, d.of_kind, kind_of(&record->item));
        if (!d.cell->is_split)
            break;
        if (!thin && d.cell->count <= MERGE_MAX)
            thin = d.cell;
    }
    CHECK(d.cell->entries[record->slot].record == record);
    leaf_remove(d.cell, d.cell->count, record->slot);
    if (thin)
        merge(thin);
}

/* ---- items ---- */

struct fleet_index *fleet_index_new(void) {
    struct fleet_index *x = xcalloc(1, sizeof *x);
    cell_init(&x->root, (struct square){0});
    map_init(&x->items);
    return x;
}

static void cell_free(struct cell *c) {
    if (!c->is_split) {
        free(c->entries);
        return;
    }
    for (uint32_t q = 0; q < 4; q++)
        cell_free(&c->family->cells[q]);
    free(c->family);
}

struct fleet_index *fleet_index_free(struct fleet_index *x) {
    if (!x)
        return NULL;
    void *record;
    for (size_t i = 0; map_next(&x->items, &i, &record);)
        free(record);
    map_free(&x->items);
    cell_free(&x->root);
    free(x);
    return NULL;
}

const struct fleet_item *fleet_index_put(struct fleet_index *x, const struct fleet_item *item) {
    CHECK(item->key[0] && memchr(item->key, '\0', FLEET_KEY_MAX));
    CHECK(item->vehicle < VEHICLE_COUNT);
    CHECK(item->at.lat_e7 >= -90 * E7 && item->at.lat_e7 <= 90 * E7);
    CHECK(item->at.lng_e7 >= -180 * E7 && item->at.lng_e7 <= 180 * E7);
    struct record *mine = map_get(&x->items, str_from(item->key));
    if (mine) {
        tree_remove(x, mine);
        memmove(&mine->item, item, sizeof *item); /* it may be its own */
    } else {
        mine = xmalloc(sizeof *mine);
        mine->item = *item;
        map_put(&x->items, str_from(mine->item.key), mine);
    }
    tree_insert(x, mine);
    return &mine->item;
}

bool fleet_index_remove(struct fleet_index *x, struct str key) {
    struct record *record = map_remove(&x->items, key);
    if (!record)
        return false;
    tree_remove(x, record);
    free(record);
    return true;
}

const struct fleet_item *fleet_index_get(const struct fleet_index *x, struct str key) {
    const struct record *record = map_get(&x->items, key);
    return record ? &record->item : NULL;
}

size_t fleet_index_count(const struct fleet_index *x) {
    return x->items.count;
}

static uint32_t kinds_wanted(const struct fleet_filter *f) {
    uint32_t kinds = 0;
    for (uint32_t v = 0; v < VEHICLE_COUNT; v++) {
        if (!f || f->vehicles == 0 || (f->vehicles >> v & 1))
            kinds |= (f && f->free_only ? UINT32_C(2) : UINT32_C(3)) << (2 * v);
    }
    return kinds;
}

/* ---- nearest ---- */

struct search {
    struct point at;
    double place[3];
    double radius_m, radius_line;
    double limit2; /* the square of the longest line that may still count */
    uint32_t kinds;
    int64_t newer_than_us;
    int32_t carries_kg;
    struct fleet_hit *hits; /* a heap: the last in order on top; distance_m is the line, in units */
    int32_t count, k;
};

/* The order of two whose lines do not tell. Rare, and so kept out of the way of the rest. */
static __attribute__((noinline)) bool
before_by_distance(struct point at, const struct fleet_item *a, const struct fleet_item *b) {
    if (a->at.lat_e7 != b->at.lat_e7 || a->at.lng_e7 != b->at.lng_e7) {
        double a_m = geo_distance_m(at, a->at), b_m = geo_distance_m(at, b->at);
        if (a_m != b_m)
            return a_m < b_m;
    }
    return strcmp(a->key, b->key) < 0;
}

/* Does A come before B? */
static inline bool before(const struct search *s, const struct fleet_hit *a,
                          const struct fleet_hit *b) {
    double longer = a->distance_m - b->distance_m;
    if (fabs(longer) > SLACK_UNITS)
        return longer < 0;
    return before_by_distance(s->at, a->item, b->item);
}

/* Puts HIT where the top was and lets it sink among COUNT. */
static void sink(const struct search *s, int32_t count, struct fleet_hit hit) {
    struct fleet_hit *hits = s->hits;
    int32_t at = 0;
    for (int32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(s, &hits[child], &hits[child + 1]))
            child++;
        if (!before(s, &hit, &hits[child]))
            break;
        hits[at] = hits[child];
    }
    hits[at] = hit;
}

static void rise(const struct search *s, int32_t at, struct fleet_hit hit) {
    struct fleet_hit *hits = s->hits;
    for (int32_t parent; at > 0 && before(s, &hits[parent = (at - 1) / 2], &hit); at = parent)
        hits[at] = hits[parent];
    hits[at] = hit;
}

static void set_limit(struct search *s, double line) {
    s->limit2 = (line + SLACK_UNITS) * (line + SLACK_UNITS);
}

static void set_radius(struct search *s, double radius_m) {
    s->radius_m = radius_m;
    double angle = fmin(radius_m / GEO_RADIUS_M, M_PI);
    s->radius_line = 2 * UNITS * sin(angle / 2);
    set_limit(s, s->radius_line);
}

/* E's line is within the limit: is E within the radius, and among the K? */
static void consider(struct search *s, const struct entry *e, double line) {
    const struct fleet_item *item = &e->record->item;
    if (line > s->radius_line - SLACK_UNITS && geo_distance_m(s->at, item->at) > s->radius_m)
        return;
    if (item->capacity_kg && item->capacity_kg < s->carries_kg)
        return;
    if (s->newer_than_us && item->at_us <= s->newer_than_us)
        return;
    struct fleet_hit hit = {item, line};
    if (s->count < s->k)
        rise(s, s->count++, hit);
    else if (before(s, &hit, &s->hits[0]))
        sink(s, s->count, hit);
    else
        return;
    __builtin_prefetch(&item->at); /* finish() and the caller will look */
    if (s->count == s->k)
        set_limit(s, fmin(s->hits[0].distance_m, s->radius_line));
}

static void search_leaf(struct search *s, const struct cell *leaf) {
    for (uint32_t i = 0; i < leaf->count; i++) {
        const struct entry *e = &leaf->entries[i];
        double x = e->place[0] - s->place[0], y = e->place[1] - s->place[1],
               z = e->place[2] - s->place[2];
        double line2 = x * x + y * y + z * z;
        if (line2 <= s->limit2 && (e->kind & s->kinds))
            consider(s, e, sqrt(line2));
    }
}

/* The heap, last first, into order; lines into distances. */
static void finish(struct search *s) {
    for (int32_t n = s->count - 1; n > 0; n--) {
        struct fleet_hit last = s->hits[0];
        sink(s, n, s->hits[n]);
        s->hits[n] = last;
    }
    for (int32_t i = 0; i < s->count; i++)
        s->hits[i].distance_m = geo_distance_m(s->at, s->hits[i].item->at);
}

static double cell_distance2(const struct cell *c, const double place[3]) {
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        double under = c->low[i] - place[i], over = place[i] - c->high[i];
        double d = under > 0 ? under : over > 0 ? over : 0;
        sum += d * d;
    }
    return sum;
}

struct pending {
    double distance2;
    const struct cell *cell;
};

/* Puts C's children on the stack, the nearest on top. Returns the new height. */
static int push_children(const struct search *s, const struct cell *c, struct pending *stack,
                         int height) {
    int first = height;
    for (uint32_t q = 0; q < 4; q++) {
        const struct cell *child = &c->family->cells[q];
        if (!(child->kinds & s->kinds))
            continue;
        double distance2 = cell_distance2(child, s->place);
        if (distance2 > s->limit2)
            continue;
        /* Its turn comes after that of nearer ones: time for memory to bring what is inside. */
        __builtin_prefetch(child->entries);
        int at = height++;
        for (; at > first && stack[at - 1].distance2 < distance2; at--)
            stack[at] = stack[at - 1];
        stack[at] = (struct pending){distance2, child};
    }
    return height;
}

int32_t fleet_index_nearest(const struct fleet_index *x, struct point at, double radius_m,
                            const struct fleet_filter *f, int32_t k, struct fleet_hit *hits) {
    if (k <= 0 || !(radius_m >= 0))
        return 0;
    struct search s = {.at = at,
                       .kinds = kinds_wanted(f),
                       .newer_than_us = f ? f->newer_than_us : 0,
                       .carries_kg = f ? f->carries_kg : 0,
                       .hits = hits,
                       .k = k};
    place_of(at, s.place);
    set_radius(&s, radius_m);
    struct pending stack[STACK_MAX];
    int height = 0;
    if (x->root.kinds & s.kinds)
        stack[height++] = (struct pending){0, &x->root};
    while (height > 0) {
        struct pending top = stack[--height];
        if (top.distance2 > s.limit2)
            continue;
        if (!top.cell->is_split) {
            search_leaf(&s, top.cell);
            continue;
        }
        height = push_children(&s, top.cell, stack, height);
        CHECK(height <= STACK_MAX);
    }
    finish(&s);
    return s.count;
}

/* ---- boxes ---- */

/* Longitudes in the tree's names, both included. */
struct span {
    uint32_t west, east;
};

/* B's longitudes as one or two spans. */
static int spans_of(struct box b, struct span spans[2]) {
    const int32_t most = 180 * E7;
    uint32_t west = tree_x((struct point){0, b.west_e7}),
             east = tree_x((struct point){0, b.east_e7});
    uint32_t first = (uint32_t)-most + BIAS, last = (uint32_t)most - 1 + BIAS;
    if (b.west_e7 <= b.east_e7 && b.east_e7 != most) {
        spans[0] = (struct span){west, east};
        return 1;
    }
    /* Over the antimeridian, or up to it: from the west to the end, and on from the start. */
    spans[0] = (struct span){west, last};
    spans[1] = (struct span){first, east};
    return 2;
}

static bool square_meets(struct square s, struct box b, const struct span *spans, int count) {
    uint64_t side = UINT64_C(1) << (32 - s.level);
    uint32_t south = (uint32_t)b.south_e7 + BIAS, north = (uint32_t)b.north_e7 + BIAS;
    if (s.y > north || s.y + side - 1 < south)
        return false;
    for (int i = 0; i < count; i++) {
        if (s.x <= spans[i].east && s.x + side - 1 >= spans[i].west)
            return true;
    }
    return false;
}

static int32_t box_leaf(const struct cell *leaf, struct box b, uint32_t kinds,
                        int64_t newer_than_us, int32_t max, const struct fleet_item **ret_items) {
    int32_t n = 0;
    for (uint32_t i = 0; i < leaf->count && n < max; i++) {
        const struct entry *e = &leaf->entries[i];
        const struct fleet_item *item = &e->record->item;
        if ((e->kind & kinds) && (!newer_than_us || item->at_us > newer_than_us) &&
            box_has(b, item->at))
            ret_items[n++] = item;
    }
    return n;
}

int32_t fleet_index_box(const struct fleet_index *x, struct box b, const struct fleet_filter *f,
                        int32_t max, const struct fleet_item **ret_items) {
    struct span spans[2];
    int span_count = spans_of(b, spans);
    uint32_t kinds = kinds_wanted(f);
    int64_t newer_than_us = f ? f->newer_than_us : 0;
    struct {
        const struct cell *cell;
        struct square square;
    } stack[STACK_MAX];
    int height = 0;
    stack[height++] = (typeof(stack[0])){&x->root, {0}};
    int32_t n = 0;
    while (height > 0 && n < max) {
        const struct cell *c = stack[--height].cell;
        struct square s = stack[height].square;
        if (!(c->kinds & kinds) || !square_meets(s, b, spans, span_count))
            continue;
        if (!c->is_split) {
            n += box_leaf(c, b, kinds, newer_than_us, max - n, ret_items + n);
            continue;
        }
        for (uint32_t q = 0; q < 4; q++)
            stack[height++] = (typeof(stack[0])){&c->family->cells[q], child_square(s, q)};
        CHECK(height <= STACK_MAX);
    }
    return n;
}
