/* An MBTiles file as an atlas: what it hands out, and what it refuses to be opened as. */
#include "adapters/mbtiles/mbtiles.h"
#include "base/check.h"
#include "base/err.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SCHEMA_SQL                                                                                 \
    "create table metadata (name text, value text, unique (name));"                                \
    "create table tiles (zoom_level integer, tile_column integer, tile_row integer, "              \
    "tile_data blob, unique (zoom_level, tile_column, tile_row));"

struct fixture {
    char path[64];
    struct arena a;
    struct str why;
};

static int setup(void **state) {
    struct fixture *f = xcalloc(1, sizeof(*f));
    strcpy(f->path, "/tmp/lorry-mbtiles-XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    arena_init(&f->a, 4096);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    unlink(f->path);
    arena_free(&f->a);
    free(f);
    return 0;
}

static void make(struct fixture *f, const char *sql) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, SCHEMA_SQL, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static struct atlas *opened(struct fixture *f, struct atlas *names) {
    struct atlas *t;
    assert_int_equal(mbtiles_atlas_open(f->path, names, &f->a, &t, &f->why), 0);
    return t;
}

static void tiles_go_out_as_they_lie_there(void **state) {
    struct fixture *f = *state;
    struct atlas_tile tile;
    struct atlas_info info;
    make(f, "insert into metadata values ('format', 'pbf'), ('bounds', '9.47,47.04,9.63,47.27'),"
            "('attribution', '<a href=\"javascript:alert(1)\">© Somebody</a><script>');"
            "insert into tiles values (1, 0, 1, x'1f8b0800'), (2, 3, 0, x'1a00'), (2, 0, 0, x'');");
    struct atlas *t = opened(f, NULL);
    t->ops->info(t, &info);
    assert_int_equal(info.zoom_min, 1);
    assert_int_equal(info.zoom_max, 2);
    assert_int_equal(info.south_west.lng_e7, 94700000);
    assert_int_equal(info.north_east.lat_e7, 472700000);
    assert_true(str_is(info.attribution, "© Somebody"));
    assert_int_equal(t->ops->tile(t, 1, 0, 0, &f->a, &tile), 0); /* its row, from the south, is 1 */
    assert_true(tile.gzip && tile.bytes.len == 4 && memcmp(tile.bytes.p, "\x1f\x8b\x08", 4) == 0);
    assert_int_equal(t->ops->tile(t, 2, 3, 3, &f->a, &tile), 0);
    assert_true(!tile.gzip && tile.bytes.len == 2);
    assert_int_equal(t->ops->tile(t, 1, 0, 1, &f->a, &tile), ERR_NOT_FOUND);
    assert_int_equal(t->ops->tile(t, 2, 0, 3, &f->a, &tile), ERR_NOT_FOUND); /* empty */
    assert_int_equal(t->ops->tile(t, 0, 0, 0, &f->a, &tile), ERR_NOT_FOUND);
    assert_int_equal(t->ops->tile(t, 22, 0, 0, &f->a, &tile), ERR_NOT_FOUND);
    struct atlas_place places[ATLAS_PLACES_MAX];
    assert_int_equal(t->ops->search(t, STR("a"), 5, &f->a, places), 0);
    assert_int_equal(t->ops->near(t, point_of(47, 9), &f->a, places), ERR_NOT_FOUND);
    t->ops->close(t);
}

static void what_is_not_said_is_the_world_by_openstreetmap(void **state) {
    struct fixture *f = *state;
    struct atlas_info info;
    make(f, "insert into metadata values ('format', 'pbf'), ('bounds', '9,nan,1,2');"
            "insert into tiles values (0, 0, 0, x'1a00');");
    struct atlas *t = opened(f, NULL);
    t->ops->info(t, &info);
    assert_int_equal(info.south_west.lng_e7, -1800000000);
    assert_true(str_is(info.attribution, MBTILES_ATTRIBUTION));
    t->ops->close(t);
}

/* ---- names of another atlas ---- */

static int closed;
static int32_t other_search(const struct atlas *t, struct str text, int32_t limit, struct arena *a,
                            struct atlas_place *ret_places) {
    (void)t;
    (void)text;
    (void)limit;
    (void)a;
    ret_places[0] = (struct atlas_place){.label = STR("Städtle")};
    return 1;
}
static int other_near(const struct atlas *t, struct point at, struct arena *a,
                      struct atlas_place *ret_place) {
    (void)t;
    (void)a;
    *ret_place = (struct atlas_place){.label = STR("Städtle"), .at = at};
    return 0;
}
static void other_close(struct atlas *t) {
    (void)t;
    closed++;
}
static const struct atlas_ops other_ops = {NULL, NULL, other_search, other_near, other_close};

static void names_come_from_another_atlas(void **state) {
    struct fixture *f = *state;
    struct atlas other = {&other_ops};
    struct atlas_place places[ATLAS_PLACES_MAX];
    make(f, "insert into metadata values ('format', 'pbf');"
            "insert into tiles values (0, 0, 0, x'1a00');");
    closed = 0;
    struct atlas *t = opened(f, &other);
    assert_int_equal(t->ops->search(t, STR("st"), 5, &f->a, places), 1);
    assert_int_equal(t->ops->near(t, point_of(47, 9), &f->a, places), 0);
    t->ops->close(t);
    assert_int_equal(closed, 1);
}

/* ---- what is refused ---- */

static void assert_refused(struct fixture *f, int err, const char *word) {
    struct atlas *t = NULL;
    assert_int_equal(mbtiles_atlas_open(f->path, NULL, &f->a, &t, &f->why), err);
    assert_null(t);
    assert_non_null(strstr(arena_cstr(&f->a, f->why), word));
}

static void what_is_no_map_is_refused(void **state) {
    struct fixture *f = *state;
    assert_refused(f, ERR_INVALID, "not an MBTiles file"); /* an empty file is an empty database */
    FILE *out = fopen(f->path, "w");
    fputs("SQLite format 3, or so it says", out);
    fclose(out);
    assert_refused(f, ERR_INVALID, "not an MBTiles file");
    unlink(f->path);
    assert_refused(f, ERR_NOT_FOUND, "no such file");
}

static void maps_that_cannot_be_shown_are_refused(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *sql, *word;
    } cases[] = {
        {"insert into metadata values ('format', 'png'); insert into tiles values (0,0,0,x'00')",
         "png"},
        {"insert into tiles values (0, 0, 0, x'00')", "format"},
        {"insert into metadata values ('format', 'pbf')", "no tiles"},
        {"insert into metadata values ('format','pbf'); insert into tiles values (40,0,0,x'00')",
         "zoom"},
        {"insert into metadata values ('format','pbf'); insert into tiles values ('x',0,0,x'00')",
         "no tiles"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unlink(f->path);
        make(f, cases[i].sql);
        assert_refused(f, ERR_INVALID, cases[i].word);
    }
}

/* A file that is damaged further in: no answer is made up. */
static void a_damaged_file_is_an_error_not_a_tile(void **state) {
    struct fixture *f = *state;
    struct atlas_tile tile;
    make(f, "insert into metadata values ('format', 'pbf');"
            "with recursive n(i) as (select 0 union all select i + 1 from n where i < 999) "
            "insert into tiles select 10, i, i, randomblob(2000) from n;");
    FILE *file = fopen(f->path, "r+");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    for (long at = 8 * 4096L; at < size; at += 4096) {
        fseek(file, at, SEEK_SET);
        fputs("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", file);
    }
    fclose(file);
    struct atlas *t = NULL;
    if (mbtiles_atlas_open(f->path, NULL, &f->a, &t, &f->why) < 0)
        return;
    int failed = 0;
    for (int32_t i = 0; i < 1000; i++)
        failed += t->ops->tile(t, 10, i, 1023 - i, &f->a, &tile) != 0;
    assert_true(failed > 900);
    t->ops->close(t);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(tiles_go_out_as_they_lie_there),        T(what_is_not_said_is_the_world_by_openstreetmap),
        T(names_come_from_another_atlas),         T(what_is_no_map_is_refused),
        T(maps_that_cannot_be_shown_are_refused), T(a_damaged_file_is_an_error_not_a_tile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
