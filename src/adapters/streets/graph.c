/* The graph's file: a header, then its arrays one after another, each aligned to 8 bytes, as they
 * are in memory (little-endian, which the magic number shows), and at the end a hash of all that.
 * The header counts them, so the size of the file follows from it and must be just that. The hash
 * tells a damaged file; a pass over all indices tells one that was made by a program with other
 * ideas, before they are followed.
 */
#include "adapters/streets/graph.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x535452545952524c) /* "LRRYTRTS" on a little-endian machine */
#define VERSION 2                          /* 2: segments have a class */
#define ALIGN 8

struct header {
    uint64_t magic;
    uint32_t version, header_bytes;
    struct graph_counts counts;
    struct grid grid;
    struct box bounds;
    int64_t length_m;
    char attribution[200];
};

/* ---- costs ---- */

static uint32_t ms_at(uint32_t cm, uint32_t kmh) {
    uint64_t ms = ((uint64_t)cm * 36 + kmh / 2) / kmh;
    return ms == 0 ? 1 : ms < COST_MS_MAX ? (uint32_t)ms : COST_MS_MAX;
}

struct cost cost_of(uint32_t cm, uint32_t kmh) {
    const uint32_t bike_kmh_max = 18, truck_kmh_max = 80;
    uint32_t bike = kmh < bike_kmh_max ? kmh : bike_kmh_max;
    uint32_t truck = kmh < truck_kmh_max ? kmh : truck_kmh_max;
    struct cost c = {cm, {ms_at(cm, kmh), ms_at(cm, bike), ms_at(cm, truck)}};
    /* Lorries pull away slowly and go round corners with care: a sixth longer. */
    c.ms[PROFILE_TRUCK] += c.ms[PROFILE_TRUCK] / 6;
    return c;
}

static uint32_t add_u32(uint32_t a, uint32_t b) {
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

struct cost cost_add(struct cost a, struct cost b) {
    struct cost sum = {add_u32(a.cm, b.cm), {0}};
    for (int p = 0; p < PROFILE_COUNT; p++)
        sum.ms[p] = add_u32(a.ms[p], b.ms[p]);
    return sum;
}

struct cost cost_part(struct cost whole, double part) {
    CHECK(part >= 0 && part <= 1);
    struct cost c = {(uint32_t)(whole.cm * part + 0.5), {0}};
    for (int p = 0; p < PROFILE_COUNT; p++)
        c.ms[p] = (uint32_t)(whole.ms[p] * part + 0.5);
    return c;
}

const struct arc *graph_arc(const struct graph *g, enum side side, uint32_t low, uint32_t head) {
    for (uint32_t i = g->arcs_first[side][low]; i < g->arcs_first[side][low + 1]; i++) {
        if (g->arcs[side][i].head == head)
            return &g->arcs[side][i];
    }
    return NULL;
}

/* ---- the file's parts ---- */

enum {
    PART_AT,
    PART_FORWARD_FIRST,
    PART_BACKWARD_FIRST,
    PART_FORWARD,
    PART_BACKWARD,
    PART_SEGMENTS,
    PART_CELL_FIRST,
    PART_MEMBERS,
    PART_NAME_FIRST,
    PART_NAME_BYTES,
    PART_COUNT
};
struct part {
    void *array; /* where the graph has its pointer */
    uint64_t bytes, at;
};

/* The parts of a file with G's counts and grid. Returns where the hash lies behind them. */
static uint64_t parts_of(struct graph *g, struct part parts[PART_COUNT]) {
    const struct graph_counts *c = &g->counts;
    uint64_t nodes = c->nodes, cells = (uint64_t)g->grid.columns * g->grid.rows;
#define PART(field, type, count)                                                                   \
    { &g->field, (uint64_t)(count) * sizeof(type), 0 }
    struct part all[PART_COUNT] = {
        [PART_AT] = PART(at, struct point, nodes),
        [PART_FORWARD_FIRST] = PART(arcs_first[FORWARD], uint32_t, nodes + 1),
        [PART_BACKWARD_FIRST] = PART(arcs_first[BACKWARD], uint32_t, nodes + 1),
        [PART_FORWARD] = PART(arcs[FORWARD], struct arc, c->arcs[FORWARD]),
        [PART_BACKWARD] = PART(arcs[BACKWARD], struct arc, c->arcs[BACKWARD]),
        [PART_SEGMENTS] = PART(segments, struct segment, c->segments),
        [PART_CELL_FIRST] = PART(cell_first, uint32_t, cells + 1),
        [PART_MEMBERS] = PART(members, uint32_t, c->members),
        [PART_NAME_FIRST] = PART(name_first, uint32_t, c->names + UINT64_C(1)),
        [PART_NAME_BYTES] = PART(name_bytes, char, c->name_bytes),
    };
#undef PART
    uint64_t at = sizeof(struct header);
    for (int i = 0; i < PART_COUNT; i++) {
        all[i].at = at;
        at = (at + all[i].bytes + ALIGN - 1) / ALIGN * ALIGN;
        parts[i] = all[i];
    }
    return at;
}

/* ---- writing ---- */

static int write_all(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The new name is durable only when the folder is. */
static int sync_folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) + 1 : 0;
    char *folder = xmalloc(len + 2);
    memcpy(folder, path, len);
    memcpy(folder + len, ".", 2);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0)
        return ERR_IO;
    int err = fsync(fd) ? ERR_IO : 0;
    close(fd);
    return err;
}

static int write_whole(const char *path, const char *bytes, size_t len) {
    size_t room = strlen(path) + sizeof ".XXXXXX";
    char *temporary = xmalloc(room);
    snprintf(temporary, room, "%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        free(temporary);
        return ERR_IO;
    }
    int err = write_all(fd, bytes, len);
    if (!err && (fchmod(fd, 0644) || fsync(fd)))
        err = ERR_IO;
    if (close(fd) && !err)
        err = ERR_IO;
    if (!err && rename(temporary, path))
        err = ERR_IO;
    if (err)
        unlink(temporary);
    else
        err = sync_folder_of(path);
    free(temporary);
    return err;
}

int graph_write(const struct graph *g, const char *path) {
    struct graph copy = *g; /* only so that the parts may point to its fields */
    struct part parts[PART_COUNT];
    uint64_t hash_at = parts_of(&copy, parts);
    char *image = xcalloc(hash_at + sizeof(uint64_t), 1);
    struct header *h = (struct header *)image;
    *h = (struct header){.magic = MAGIC,
                         .version = VERSION,
                         .header_bytes = sizeof *h,
                         .counts = g->counts,
                         .grid = g->grid,
                         .bounds = g->bounds,
                         .length_m = g->length_m};
    memcpy(h->attribution, g->attribution, sizeof h->attribution);
    for (int i = 0; i < PART_COUNT; i++) {
        const void *array;
        memcpy(&array, parts[i].array, sizeof array); /* a pointer of whatever type */
        if (parts[i].bytes)
            memcpy(image + parts[i].at, array, parts[i].bytes);
    }
    uint64_t hash = str_hash((struct str){image, hash_at}, GRAPH_HASH_SEED);
    memcpy(image + hash_at, &hash, sizeof hash);
    int err = write_whole(path, image, hash_at + sizeof hash);
    free(image);
    return err;
}

/* ---- reading ---- */

/* Do FIRST's COUNT lists lie one after another in TOTAL items? */
static bool lists_hold(const uint32_t *first, uint64_t count, uint32_t total) {
    for (uint64_t i = 0; i < count; i++) {
        if (first[i] > first[i + 1])
            return false;
    }
    return first[0] == 0 && first[count] == total;
}

static bool arcs_hold(const struct graph *g, enum side side) {
    uint32_t nodes = g->counts.nodes;
    if (!lists_hold(g->arcs_first[side], nodes, g->counts.arcs[side]))
        return false;
    for (uint32_t low = 0; low < nodes; low++) {
        for (uint32_t i = g->arcs_first[side][low]; i < g->arcs_first[side][low + 1]; i++) {
            const struct arc *arc = &g->arcs[side][i];
            if (arc->head <= low || arc->head >= nodes)
                return false;
            if (arc->middle != NONE && arc->middle >= low)
                return false;
        }
    }
    return true;
}

/* Has each shortcut the two arcs it stands for? Only after arcs_hold of both sides. */
static bool shortcuts_hold(const struct graph *g, enum side side) {
    for (uint32_t low = 0; low < g->counts.nodes; low++) {
        for (uint32_t i = g->arcs_first[side][low]; i < g->arcs_first[side][low + 1]; i++) {
            const struct arc *arc = &g->arcs[side][i];
            uint32_t from = side == FORWARD ? low : arc->head;
            uint32_t to = side == FORWARD ? arc->head : low;
            if (arc->middle != NONE && (!graph_arc(g, BACKWARD, arc->middle, from) ||
                                        !graph_arc(g, FORWARD, arc->middle, to)))
                return false;
        }
    }
    return true;
}

static bool on_globe(struct point p) {
    return p.lat_e7 >= -90 * E7 && p.lat_e7 <= 90 * E7 && p.lng_e7 >= -180 * E7 &&
           p.lng_e7 <= 180 * E7;
}

static bool segments_hold(const struct graph *g) {
    const struct graph_counts *c = &g->counts;
    uint64_t drawn_cm = 0;
    for (uint32_t i = 0; i < c->nodes; i++) {
        if (!on_globe(g->at[i]))
            return false;
    }
    for (uint32_t i = 0; i < c->segments; i++) {
        const struct segment *s = &g->segments[i];
        if (s->ends[0] >= c->nodes || s->ends[1] >= c->nodes || s->ends[0] == s->ends[1])
            return false;
        if ((s->name != NONE && s->name >= c->names) || (!s->kmh[0] && !s->kmh[1]) ||
            s->class >= ROAD_CLASSES)
            return false;
        if (s->drawn_cm < drawn_cm || s->drawn_cm - drawn_cm > s->cm)
            return false;
        drawn_cm = s->drawn_cm;
    }
    return drawn_cm > 0;
}

static bool holds_together(const struct graph *g) {
    const struct graph_counts *c = &g->counts;
    const struct grid *grid = &g->grid;
    uint64_t cells = (uint64_t)grid->columns * grid->rows;
    if (!arcs_hold(g, FORWARD) || !arcs_hold(g, BACKWARD) || !shortcuts_hold(g, FORWARD) ||
        !shortcuts_hold(g, BACKWARD) || !segments_hold(g))
        return false;
    if (!lists_hold(g->cell_first, cells, c->members) ||
        !lists_hold(g->name_first, c->names, c->name_bytes))
        return false;
    for (uint32_t i = 0; i < c->members; i++) {
        if (g->members[i] >= c->segments)
            return false;
    }
    return on_globe((struct point){grid->south_e7, grid->west_e7}) &&
           grid->side_lat_e7 >= GRID_SIDE_MIN_E7 && grid->side_lng_e7 >= GRID_SIDE_MIN_E7;
}

static bool header_holds(const struct header *h) {
    const struct graph_counts *c = &h->counts;
    if (h->magic != MAGIC || h->version != VERSION || h->header_bytes != sizeof *h)
        return false;
    if (c->nodes == 0 || c->nodes > STREETS_NODES_MAX || c->segments == 0 ||
        c->segments > STREETS_SEGMENTS_MAX || c->arcs[0] > STREETS_ARCS_MAX ||
        c->arcs[1] > STREETS_ARCS_MAX || c->members > STREETS_MEMBERS_MAX ||
        c->names > STREETS_SEGMENTS_MAX || c->name_bytes > STREETS_NAME_BYTES_MAX)
        return false;
    uint64_t cells = (uint64_t)h->grid.columns * h->grid.rows;
    return cells > 0 && cells <= STREETS_CELLS_MAX &&
           memchr(h->attribution, '\0', sizeof h->attribution);
}

int graph_read(const char *map, size_t bytes, struct graph *ret_graph) {
    if (bytes < sizeof(struct header))
        return ERR_CORRUPT;
    const struct header *h = (const struct header *)map;
    if (!header_holds(h))
        return ERR_CORRUPT;
    struct graph g = {
        .counts = h->counts, .grid = h->grid, .bounds = h->bounds, .length_m = h->length_m};
    memcpy(g.attribution, h->attribution, sizeof g.attribution);
    struct part parts[PART_COUNT];
    uint64_t hash, hash_at = parts_of(&g, parts);
    if (hash_at + sizeof hash != bytes)
        return ERR_CORRUPT;
    memcpy(&hash, map + hash_at, sizeof hash);
    if (hash != str_hash((struct str){map, hash_at}, GRAPH_HASH_SEED))
        return ERR_CORRUPT;
    for (int i = 0; i < PART_COUNT; i++) {
        const void *array = map + parts[i].at;
        memcpy(parts[i].array, &array, sizeof array);
    }
    if (!holds_together(&g))
        return ERR_CORRUPT;
    *ret_graph = g;
    return 0;
}

static int map_file(int fd, struct graph_file *file) {
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        return ERR_IO;
    if (st.st_size < (off_t)sizeof(struct header))
        return ERR_CORRUPT;
    file->bytes = (size_t)st.st_size;
    file->map = mmap(NULL, file->bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    return file->map == MAP_FAILED ? ERR_IO : 0;
}

int graph_open(const char *path, struct graph_file *ret_file, struct graph *ret_graph) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    struct graph_file file;
    int err = map_file(fd, &file);
    close(fd);
    if (err)
        return err;
    err = graph_read(file.map, file.bytes, ret_graph);
    if (err)
        graph_close(&file);
    else
        *ret_file = file;
    return err;
}

void graph_close(struct graph_file *file) {
    if (file->map)
        munmap(file->map, file->bytes);
    *file = (struct graph_file){0};
}
