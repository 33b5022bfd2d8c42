#include "adapters/streets/test_support.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE_MAX 40
#define BLOCK_M 90

void temporary_make(struct temporary *t) {
    const char *root = getenv("TMPDIR");
    *t = (struct temporary){0};
    snprintf(t->folder, sizeof t->folder, "%.40s/lorry-streets-XXXXXX", root ? root : "/tmp");
    CHECK(mkdtemp(t->folder));
    snprintf(t->geojson, sizeof t->geojson, "%s/city.json", t->folder);
    snprintf(t->graph, sizeof t->graph, "%s/city.graph", t->folder);
}

void temporary_remove(struct temporary *t) {
    unlink(t->geojson);
    unlink(t->graph);
    CHECK(rmdir(t->folder) == 0); /* nothing else has been left behind */
}

void write_text(const char *path, struct str text) {
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(text.p, 1, text.len, f) == text.len && fclose(f) == 0);
}

struct str read_text(const char *path) {
    FILE *f = fopen(path, "rb");
    CHECK(f && fseek(f, 0, SEEK_END) == 0);
    size_t len = (size_t)ftell(f);
    char *p = xmalloc(len + 1);
    rewind(f);
    CHECK(fread(p, 1, len, f) == len);
    fclose(f);
    return (struct str){p, len};
}

void city_begin(struct buf *b) {
    buf_init(b, NULL, 4096);
    buf_add_cstr(b, "{\"type\":\"FeatureCollection\",\"features\":[");
}

void city_line(struct buf *b, const struct point *points, int count, const char *tags) {
    if (b->p[b->len - 1] != '[')
        buf_add_char(b, ',');
    buf_printf(b, "{\"type\":\"Feature\",\"properties\":{%s},\"geometry\":{\"type\":", tags);
    buf_add_cstr(b, "\"LineString\",\"coordinates\":[");
    for (int i = 0; i < count; i++)
        buf_printf(b, "%s[%.7f,%.7f]", i ? "," : "", point_lng(points[i]), point_lat(points[i]));
    buf_add_cstr(b, "]}}");
}

void city_end(struct buf *b) {
    buf_add_cstr(b, "]}");
}

/* ---- a random city ---- */

struct city {
    struct rng *rng;
    struct buf json;
    int columns, rows;
    struct point at[SIDE_MAX][SIDE_MAX];
};

static const char *random_tags(struct city *c, char *out, size_t room) {
    static const char *const highways[] = {"residential", "residential",  "residential", "tertiary",
                                           "secondary",   "unclassified", "service",     "footway"};
    static const char *const oneways[] = {
        "", "", "", "", ",\"oneway\":\"yes\"", ",\"oneway\":\"-1\""};
    static const char *const limits[] = {"",
                                         "",
                                         ",\"maxspeed\":\"30\"",
                                         ",\"maxspeed\":\"50\"",
                                         ",\"maxspeed\":\"20 mph\"",
                                         ",\"maxspeed\":70"};
    snprintf(out, room, "\"highway\":\"%s\"%s%s,\"name\":\"Gata %d\"",
             highways[rng_below(c->rng, COUNT_OF(highways))],
             oneways[rng_below(c->rng, COUNT_OF(oneways))],
             limits[rng_below(c->rng, COUNT_OF(limits))], (int)rng_below(c->rng, 50));
    return out;
}

/* A street along a row or a column, in pieces of random length, some of them missing or double. */
static void street(struct city *c, int number, bool along_row) {
    int count = along_row ? c->columns : c->rows;
    for (int from = 0, to; from < count - 1; from = to) {
        to = from + 1 + (int)rng_below(c->rng, 5);
        to = to < count ? to : count - 1;
        struct point line[SIDE_MAX];
        for (int i = from; i <= to; i++)
            line[i - from] = along_row ? c->at[i][number] : c->at[number][i];
        char tags[200];
        int times = rng_below(c->rng, 8) == 0 ? (int)rng_below(c->rng, 3) : 1;
        for (int i = 0; i < times; i++)
            city_line(&c->json, line, to - from + 1, random_tags(c, tags, sizeof tags));
    }
}

/* Eight corners around a crossing, one of them on it. */
static void roundabout(struct city *c, struct point at) {
    struct point ring[9];
    const double half = 0.70710678;
    const double turn[8][2] = {{0, 0},  {half - 1, half},   {-1, 1},  {-1 - half, half},
                               {-2, 0}, {-1 - half, -half}, {-1, -1}, {half - 1, -half}};
    for (int i = 0; i < 9; i++)
        ring[i] = geo_offset(at, 12 * turn[i % 8][0], 12 * turn[i % 8][1]);
    ring[0] = ring[8] = at;
    city_line(&c->json, ring, 9, "\"highway\":\"tertiary\",\"junction\":\"roundabout\"");
    struct point exit[2] = {ring[4], geo_offset(ring[4], -40, 5)};
    city_line(&c->json, exit, 2, "\"highway\":\"residential\"");
}

struct str random_city(struct rng *rng, struct point corner, int columns, int rows) {
    CHECK(columns <= SIDE_MAX && rows <= SIDE_MAX && columns > 1 && rows > 1);
    struct city *c = xcalloc(1, sizeof *c);
    *c = (struct city){.rng = rng, .columns = columns, .rows = rows};
    city_begin(&c->json);
    for (int i = 0; i < columns; i++) {
        for (int j = 0; j < rows; j++)
            c->at[i][j] = geo_offset(corner, BLOCK_M * (j + 0.4 * rng_unit(rng)),
                                     BLOCK_M * (i + 0.4 * rng_unit(rng)));
    }
    for (int j = 0; j < rows; j++)
        street(c, j, true);
    for (int i = 0; i < columns; i++)
        street(c, i, false);
    for (int i = 0; i < 3; i++)
        roundabout(c, c->at[rng_below(rng, (uint64_t)columns)][rng_below(rng, (uint64_t)rows)]);
    struct point motorway[2] = {c->at[0][0], c->at[columns - 1][rows - 1]};
    city_line(&c->json, motorway, 2, "\"highway\":\"motorway\",\"maxspeed\":\"none\"");
    struct point island[3];
    for (int i = 0; i < 3; i++)
        island[i] = geo_offset(corner, -400 - 30 * i, 200 + 50 * i * (i % 2));
    city_line(&c->json, island, 3, "\"highway\":\"residential\",\"name\":\"Utsikten\"");
    city_end(&c->json);
    struct str text = buf_str(&c->json);
    free(c);
    return text;
}

int build_text(struct temporary *t, struct str geojson, struct streets_info *ret_info) {
    write_text(t->geojson, geojson);
    free((char *)geojson.p);
    return streets_build(t->geojson, t->graph, ret_info);
}
