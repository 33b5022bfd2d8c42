/* The atlas of a road graph: tiles, read back by a decoder of our own and held against the graph;
 * names, found as people type them.
 */
#include "adapters/crow/crow.h"
#include "adapters/streets/streets.h"
#include "adapters/streets/test_support.h"
#include "adapters/streets/tile.h"
#include "base/check.h"
#include "base/err.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ZOOM 14
#define EXTENT 4096
#define LINES_MAX 20000

/* ---- a decoder of tiles ---- */

struct reader {
    const unsigned char *p, *end;
};

static uint64_t take_varint(struct reader *r) {
    uint64_t v = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(r->p < r->end && shift < 64);
        v |= (uint64_t)(*r->p & 0x7f) << shift;
        if ((*r->p++ & 0x80) == 0)
            return v;
    }
}

static struct reader take_bytes(struct reader *r) {
    uint64_t len = take_varint(r);
    assert_true(len <= (uint64_t)(r->end - r->p));
    struct reader inner = {r->p, r->p + len};
    r->p += len;
    return inner;
}

struct decoded {
    struct {
        double x0, y0, x1, y1;
        char layer; /* 't' or 'n' */
    } pieces[LINES_MAX];
    int count, features, names;
    char texts[200][64]; /* all values */
};

static int64_t unzigzag(uint64_t v) {
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static void decode_geometry(struct decoded *d, struct reader g, char layer) {
    int64_t x = 0, y = 0;
    bool moved = false;
    while (g.p < g.end) {
        uint64_t command = take_varint(&g), id = command & 7, times = command >> 3;
        assert_true((id == 1 && times == 1) || (id == 2 && moved && times >= 1));
        moved = id == 1;
        for (uint64_t i = 0; i < times; i++) {
            int64_t dx = unzigzag(take_varint(&g)), dy = unzigzag(take_varint(&g));
            assert_true(id == 1 || dx != 0 || dy != 0); /* no step that goes nowhere */
            if (id == 2) {
                assert_true(d->count < LINES_MAX);
                d->pieces[d->count].x0 = (double)x;
                d->pieces[d->count].y0 = (double)y;
                d->pieces[d->count].x1 = (double)(x + dx);
                d->pieces[d->count].y1 = (double)(y + dy);
                d->pieces[d->count++].layer = layer;
            }
            x += dx;
            y += dy;
            assert_true(llabs(x - EXTENT / 2) <= EXTENT / 2 + 100); /* clipped */
            assert_true(llabs(y - EXTENT / 2) <= EXTENT / 2 + 100);
        }
        moved = moved || id == 2;
    }
}

static void decode_layer(struct decoded *d, struct reader l) {
    struct reader whole = l;
    char layer = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (l = whole; l.p < l.end;) {
            uint64_t key = take_varint(&l);
            if ((key & 7) == 0) {
                take_varint(&l);
                continue;
            }
            struct reader inner = take_bytes(&l);
            size_t len = (size_t)(inner.end - inner.p);
            if (key >> 3 == 1)
                layer = len == strlen("transportation") ? 't' : 'n';
            if (pass == 1 && key >> 3 == 4) { /* a value: its one field is a string */
                assert_int_equal(take_varint(&inner), 1 << 3 | 2);
                struct reader text = take_bytes(&inner);
                assert_true(d->names < 200);
                snprintf(d->texts[d->names++], sizeof d->texts[0], "%.*s", (int)(text.end - text.p),
                         (const char *)text.p);
            }
            if (pass == 1 && key >> 3 == 2) {
                d->features++;
                while (inner.p < inner.end) {
                    uint64_t field = take_varint(&inner);
                    if ((field & 7) == 0)
                        assert_int_equal(take_varint(&inner), 2); /* a line */
                    else if (field >> 3 == 4)
                        decode_geometry(d, take_bytes(&inner), layer);
                    else
                        take_bytes(&inner);
                }
            }
        }
    }
}

static struct decoded *decode(struct str bytes) {
    struct decoded *d = calloc(1, sizeof(*d));
    struct reader r = {(const unsigned char *)bytes.p, (const unsigned char *)bytes.p + bytes.len};
    while (r.p < r.end) {
        assert_int_equal(take_varint(&r), 3 << 3 | 2);
        decode_layer(d, take_bytes(&r));
    }
    return d;
}

/* ---- tiles ---- */

struct fixture {
    struct temporary files;
    struct router *crow;
    struct streets *streets;
    struct atlas *atlas;
    struct arena arena;
};

static void open_city(struct fixture *f, struct str geojson) {
    f->crow = crow_new(NULL);
    temporary_make(&f->files);
    assert_int_equal(build_text(&f->files, geojson, NULL), 0);
    assert_int_equal(streets_open(f->files.graph, f->crow, &f->streets), 0);
    f->atlas = streets_atlas_new(f->streets);
    arena_init(&f->arena, 65536);
}
static void close_city(struct fixture *f) {
    f->atlas->ops->close(f->atlas);
    streets_close(f->streets);
    f->crow->ops->close(f->crow);
    arena_free(&f->arena);
    temporary_remove(&f->files);
}

/* Web Mercator, the textbook's way: the twin of tile.c's. */
static void mercator(struct point p, double *ret_x, double *ret_y) {
    double lat = (double)p.lat_e7 / E7 * M_PI / 180;
    *ret_x = ((double)p.lng_e7 / E7 + 180) / 360 * (1 << ZOOM);
    *ret_y = (1 - log(tan(lat) + 1 / cos(lat)) / M_PI) / 2 * (1 << ZOOM);
}

static double distance_to(double x, double y, double x0, double y0, double x1, double y1) {
    double dx = x1 - x0, dy = y1 - y0;
    double t = ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy);
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return hypot(x - x0 - t * dx, y - y0 - t * dy);
}

static bool drawn(const struct decoded *d, char layer, double x, double y) {
    for (int i = 0; i < d->count; i++) {
        if (d->pieces[i].layer == layer && distance_to(x, y, d->pieces[i].x0, d->pieces[i].y0,
                                                       d->pieces[i].x1, d->pieces[i].y1) < 1.5)
            return true;
    }
    return false;
}

/* Each piece of road is drawn in the tile that its middle lies in, by its class and by its name. */
static void test_every_road_is_on_its_tile(void **state) {
    (void)state;
    struct fixture f;
    struct rng rng;
    rng_seed(&rng, 20261129);
    open_city(&f, random_city(&rng, point_of(57.7, 11.9), 12, 12));
    const struct graph *g = streets_graph(f.streets);
    assert_true(g->counts.segments > 200);
    int32_t tile_x = -1, tile_y = -1;
    struct decoded *d = NULL;
    for (uint32_t i = 0; i < g->counts.segments; i++) {
        const struct segment *s = &g->segments[i];
        double x0, y0, x1, y1;
        mercator(g->at[s->ends[0]], &x0, &y0);
        mercator(g->at[s->ends[1]], &x1, &y1);
        double x = (x0 + x1) / 2, y = (y0 + y1) / 2;
        if (d == NULL || (int32_t)x != tile_x || (int32_t)y != tile_y) {
            struct atlas_tile tile;
            free(d);
            tile_x = (int32_t)x;
            tile_y = (int32_t)y;
            assert_int_equal(f.atlas->ops->tile(f.atlas, ZOOM, tile_x, tile_y, &f.arena, &tile), 0);
            assert_false(tile.gzip);
            d = decode(tile.bytes);
        }
        double in_x = (x - tile_x) * EXTENT, in_y = (y - tile_y) * EXTENT;
        /* What is shorter than a unit may have vanished. */
        if (hypot(x1 - x0, y1 - y0) * EXTENT < 2)
            continue;
        assert_true(drawn(d, 't', in_x, in_y));
        if (s->name != NONE)
            assert_true(drawn(d, 'n', in_x, in_y));
    }
    free(d);
    close_city(&f);
}

static void three_streets(struct buf *b) {
    struct point a[] = {point_of(57.70, 11.96), point_of(57.70, 11.965), point_of(57.70, 11.97)};
    struct point c[] = {point_of(57.70, 11.97), point_of(57.705, 11.97)};
    struct point back[] = {point_of(57.705, 11.97), point_of(57.70, 11.96)};
    city_begin(b);
    city_line(b, a, 3, "\"highway\":\"primary\",\"name\":\"Drottninggatan\"");
    city_line(b, c, 2, "\"highway\":\"residential\",\"name\":\"Östra Hamngatan\"");
    city_line(b, back, 2, "\"highway\":\"service\",\"name\":\"Ostindiegatan\"");
    city_end(b);
}

static void test_pieces_of_one_street_are_one_line(void **state) {
    (void)state;
    struct fixture f;
    struct buf b;
    struct atlas_tile tile;
    double x, y;
    three_streets(&b);
    open_city(&f, buf_str(&b));
    mercator(point_of(57.702, 11.965), &x, &y);
    assert_int_equal(f.atlas->ops->tile(f.atlas, ZOOM, (int32_t)x, (int32_t)y, &f.arena, &tile), 0);
    struct decoded *d = decode(tile.bytes);
    assert_int_equal(d->features, 6); /* three classes, three names */
    assert_int_equal(d->names, 6);
    assert_string_equal(d->texts[0], "primary");
    assert_string_equal(d->texts[1], "minor");
    assert_string_equal(d->texts[2], "service");
    free(d);
    /* From afar the small ones are left out. */
    assert_int_equal(
        f.atlas->ops->tile(f.atlas, 9, (int32_t)x >> 5, (int32_t)y >> 5, &f.arena, &tile), 0);
    d = decode(tile.bytes);
    assert_int_equal(d->features, 1);
    free(d);
    close_city(&f);
}

/* A tile that was drawn before is the same again, whatever was drawn meanwhile. */
static void test_kept_tiles_are_the_same(void **state) {
    (void)state;
    struct fixture f;
    struct rng rng;
    struct atlas_tile tile;
    rng_seed(&rng, 7);
    open_city(&f, random_city(&rng, point_of(57.7, 11.9), 12, 12));
    double x, y;
    mercator(point_of(57.702, 11.91), &x, &y);
    for (int round = 0; round < 3; round++) {
        for (int32_t i = 0; i < 2000; i++) { /* more than are kept */
            int32_t at_x = (int32_t)x - 22 + i % 45, at_y = (int32_t)y - 22 + i / 45;
            struct str drawn_now = STR_NONE;
            int drawn_err =
                tile_draw(streets_graph(f.streets), ZOOM, at_x, at_y, &f.arena, &drawn_now);
            int err = f.atlas->ops->tile(f.atlas, ZOOM, at_x, at_y, &f.arena, &tile);
            assert_int_equal(err, drawn_err);
            assert_true(err != 0 || str_eq(tile.bytes, drawn_now));
            int again = f.atlas->ops->tile(f.atlas, ZOOM, at_x, at_y, &f.arena, &tile);
            assert_int_equal(again, drawn_err);
            assert_true(again != 0 || str_eq(tile.bytes, drawn_now));
            arena_reset(&f.arena);
        }
    }
    close_city(&f);
}

static void test_where_nothing_is(void **state) {
    (void)state;
    struct fixture f;
    struct buf b;
    struct atlas_tile tile;
    three_streets(&b);
    open_city(&f, buf_str(&b));
    static const int32_t tiles[][3] = {{14, 0, 0},     {14, 16383, 16383}, {8, 0, 255}, {8, 255, 0},
                                       {15, 17470, 1}, {7, 68, 38},        {16, 1, 1},  {22, 0, 0}};
    for (size_t i = 0; i < COUNT_OF(tiles); i++)
        assert_int_equal(
            f.atlas->ops->tile(f.atlas, tiles[i][0], tiles[i][1], tiles[i][2], &f.arena, &tile),
            ERR_NOT_FOUND);
    close_city(&f);
}

/* ---- names ---- */

/* Once the names are in order. */
static int32_t search(struct fixture *f, const char *text, int32_t limit,
                      struct atlas_place *places) {
    int32_t n;
    while ((n = f->atlas->ops->search(f->atlas, str_from(text), limit, &f->arena, places)) ==
           ERR_BUSY)
        usleep(1000);
    return n;
}

static void test_found_as_people_type(void **state) {
    (void)state;
    struct fixture f;
    struct buf b;
    three_streets(&b);
    open_city(&f, buf_str(&b));
    static const struct {
        const char *text, *first;
        int32_t count;
    } cases[] = {
        {"drott", "Drottninggatan", 1},
        {"DROTTNINGGATAN", "Drottninggatan", 1},
        {"ost", "Ostindiegatan", 2},
        {"ostra", "Östra Hamngatan", 1},
        {"östra h", "Östra Hamngatan", 1},
        {"hamn", "Östra Hamngatan", 1},
        {"drotninggatan", "Drottninggatan", 1},
        {"drottnnig", "Drottninggatan", 1},
        {"  Drott ", "Drottninggatan", 1},
        {"hamngtan", "Östra Hamngatan", 1}, /* a letter wrong in a word behind the first */
        {"ostra hmngatan", "Östra Hamngatan", 1},
        {"Drottninggatan 12", "Drottninggatan", 1}, /* houses have no numbers here */
        {"drottninggatan 12 b", "Drottninggatan", 1},
        {"12 Drottninggatan", "Drottninggatan", 1},
        {"drotninggatan 12", "Drottninggatan", 1},
        {"Drottninggatan 12, Göteborg", "Drottninggatan", 1}, /* no such street meets it: a town */
        {"Drottninggatan, 411 14 Göteborg", "Drottninggatan", 1},
        {", Göteborg", NULL, 0},
        {"12", NULL, 0},
        {"12 13", NULL, 0},
        {"drx", NULL, 0},
        {"zzzzzzzz", NULL, 0},
        {"", NULL, 0},
        {"...", NULL, 0},
        {"\xff\xfe\xfd", NULL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct atlas_place places[ATLAS_PLACES_MAX];
        int32_t n = search(&f, cases[i].text, 6, places);
        assert_int_equal(n, cases[i].count);
        if (n > 0)
            assert_true(str_is(places[0].label, cases[i].first));
    }
    struct atlas_place one[1];
    assert_int_equal(search(&f, "ost", 1, one), 1);
    assert_true(str_is(one[0].detail, "Östra Hamngatan") ||
                str_is(one[0].detail, "Drottninggatan"));
    close_city(&f);
}

/* Where two streets meet, in whichever order and however it is written. */
static void test_a_corner(void **state) {
    (void)state;
    struct fixture f;
    struct buf b;
    three_streets(&b);
    open_city(&f, buf_str(&b));
    static const char *const texts[] = {"Drottninggatan, Östra Hamngatan", "drott/hamn",
                                        "DROTT & OSTRA H", "drottninggatan 3 + hamngatan 7",
                                        "drotninggatan; hamngtan"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct atlas_place places[ATLAS_PLACES_MAX];
        assert_int_equal(search(&f, texts[i], 6, places), 1);
        assert_true(str_is(places[0].label, "Drottninggatan"));
        assert_true(str_is(places[0].detail, "Östra Hamngatan"));
        assert_true(geo_distance_m(places[0].at, point_of(57.70, 11.97)) < 1);
    }
    struct atlas_place places[ATLAS_PLACES_MAX];
    assert_int_equal(search(&f, "hamngatan / ostindie", 6, places), 1);
    assert_true(str_is(places[0].label, "Östra Hamngatan"));
    assert_true(geo_distance_m(places[0].at, point_of(57.705, 11.97)) < 1);
    assert_int_equal(search(&f, "hamngatan,", 6, places), 1);
    assert_int_equal(search(&f, "/", 6, places), 0);
    close_city(&f);
}

/* Small words that people leave out, what they shorten, and letters that are not Latin. */
static void test_names_of_other_countries(void **state) {
    (void)state;
    struct fixture f;
    struct buf b;
    struct point ring[] = {point_of(57.70, 11.96), point_of(57.70, 11.97), point_of(57.71, 11.97),
                           point_of(57.71, 11.96), point_of(57.70, 11.96)};
    static const char *const names[] = {"Rua dos Andradas", "Avenida Ipiranga", "Maximilianstraße",
                                        "Невский проспект"};
    city_begin(&b);
    for (int i = 0; i < 4; i++) {
        char tags[128];
        snprintf(tags, sizeof tags, "\"highway\":\"residential\",\"name\":\"%s\"", names[i]);
        city_line(&b, &ring[i], 2, tags);
    }
    city_end(&b);
    open_city(&f, buf_str(&b));
    static const struct {
        const char *text, *first;
    } cases[] = {{"rua andradas", "Rua dos Andradas"},
                 {"R. Andr", "Rua dos Andradas"},
                 {"av. ipir", "Avenida Ipiranga"},
                 {"maximilianstrasse", "Maximilianstraße"},
                 {"MAXIMILIANSTRASSE 4", "Maximilianstraße"},
                 {"невский", "Невский проспект"},
                 {"НЕВСКИЙ ПР", "Невский проспект"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct atlas_place places[ATLAS_PLACES_MAX];
        assert_true(search(&f, cases[i].text, 6, places) >= 1);
        assert_true(str_is(places[0].label, cases[i].first));
    }
    struct atlas_place places[ATLAS_PLACES_MAX];
    assert_int_equal(search(&f, "andradas rua", 6, places), 0); /* the order is the name's */
    close_city(&f);
}

static void test_two_streets_of_one_name(void **state) {
    (void)state;
    struct fixture f;
    struct buf b;
    struct atlas_place places[ATLAS_PLACES_MAX];
    struct point here[] = {point_of(57.70, 11.96), point_of(57.70, 11.965)};
    struct point way[] = {point_of(57.70, 11.965), point_of(57.74, 12.03)};
    struct point there[] = {point_of(57.74, 12.03), point_of(57.74, 12.04)};
    city_begin(&b);
    city_line(&b, here, 2, "\"highway\":\"residential\",\"name\":\"Storgatan\"");
    city_line(&b, way, 2, "\"highway\":\"primary\"");
    city_line(&b, there, 2, "\"highway\":\"residential\",\"name\":\"Storgatan\"");
    city_end(&b);
    open_city(&f, buf_str(&b));
    assert_int_equal(search(&f, "stor", 6, places), 2);
    assert_true(geo_distance_m(places[0].at, point_of(57.74, 12.035)) < 50); /* the longer one */
    assert_true(geo_distance_m(places[1].at, point_of(57.70, 11.9625)) < 50);
    close_city(&f);
}

static void test_what_is_near(void **state) {
    (void)state;
    struct fixture f;
    struct buf b;
    struct atlas_place place;
    three_streets(&b);
    open_city(&f, buf_str(&b));
    assert_int_equal(f.atlas->ops->near(f.atlas, point_of(57.6991, 11.962), &f.arena, &place), 0);
    assert_true(str_is(place.label, "Drottninggatan"));
    assert_int_equal(place.distance_m, 100);
    struct atlas_place places[ATLAS_PLACES_MAX];
    search(&f, "x", 1, places); /* the names are in order by now */
    assert_int_equal(f.atlas->ops->near(f.atlas, point_of(57.6991, 11.962), &f.arena, &place), 0);
    assert_true(str_is(place.detail, "Ostindiegatan")); /* its corner is nearer than the other */
    assert_int_equal(f.atlas->ops->near(f.atlas, point_of(57.6991, 11.9675), &f.arena, &place), 0);
    assert_true(str_is(place.label, "Drottninggatan") && str_is(place.detail, "Östra Hamngatan"));
    assert_int_equal(f.atlas->ops->near(f.atlas, point_of(57.69, 11.962), &f.arena, &place),
                     ERR_NOT_FOUND);
    close_city(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_road_is_on_its_tile),
        cmocka_unit_test(test_pieces_of_one_street_are_one_line),
        cmocka_unit_test(test_kept_tiles_are_the_same),
        cmocka_unit_test(test_where_nothing_is),
        cmocka_unit_test(test_found_as_people_type),
        cmocka_unit_test(test_a_corner),
        cmocka_unit_test(test_names_of_other_countries),
        cmocka_unit_test(test_two_streets_of_one_name),
        cmocka_unit_test(test_what_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
