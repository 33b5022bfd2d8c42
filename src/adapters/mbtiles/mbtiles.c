/* One connection, and one statement under a lock: a tile is found in some tens of microseconds, and
 * browsers keep it for a day.
 */
#include "adapters/mbtiles/mbtiles.h"

#include "base/check.h"
#include "base/err.h"

#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HASH_SEED 0x3b7
#define BUSY_MS 1000
#define LATITUDE_MAX 85.0511287798 /* of the web's square map */

struct mbtiles {
    struct atlas atlas;
    struct atlas *names;
    struct atlas_info info;
    char attribution[MBTILES_ATTRIBUTION_MAX];
    sqlite3 *db;
    pthread_mutex_t lock; /* of tile_query */
    sqlite3_stmt *tile_query;
};

/* ---- reading what the file says of itself ---- */

/* The value of KEY in A; absent: there is none. */
static struct str metadata(sqlite3 *db, const char *key, struct arena *a) {
    sqlite3_stmt *q = NULL;
    struct str value = STR_NONE;
    if (sqlite3_prepare_v2(db, "select cast(value as text) from metadata where name = ?", -1, &q,
                           NULL) == SQLITE_OK &&
        sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) == SQLITE_TEXT)
        value = arena_str(a, str_from((const char *)sqlite3_column_text(q, 0)));
    sqlite3_finalize(q);
    return value;
}

/* The least or the greatest zoom of the tiles themselves: what the metadata say may be wrong. */
static bool zooms(sqlite3 *db, int32_t *ret_min, int32_t *ret_max) {
    sqlite3_stmt *q = NULL;
    bool ok = sqlite3_prepare_v2(db, "select min(zoom_level), max(zoom_level) from tiles", -1, &q,
                                 NULL) == SQLITE_OK &&
              sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) == SQLITE_INTEGER &&
              sqlite3_column_type(q, 1) == SQLITE_INTEGER;
    int64_t min = ok ? sqlite3_column_int64(q, 0) : 0, max = ok ? sqlite3_column_int64(q, 1) : 0;
    sqlite3_finalize(q);
    *ret_min = (int32_t)min;
    *ret_max = (int32_t)max;
    return ok && min >= 0 && max <= ATLAS_ZOOM_MAX && min <= max;
}

/* Four numbers with commas between them, and nothing else. */
static bool four_numbers(const char *text, double ret[4]) {
    for (int i = 0; i < 4; i++) {
        char *end;
        ret[i] = strtod(text, &end);
        if (end == text || !isfinite(ret[i]) || *end != (i < 3 ? ',' : 0))
            return false;
        text = end + 1;
    }
    return true;
}

/* "west,south,east,north"; absent or nonsense: the whole world. */
static void bounds(struct str text, struct arena *a, struct atlas_info *info) {
    double v[4] = {-180, -LATITUDE_MAX, 180, LATITUDE_MAX}, read[4];
    if (text.p != NULL && four_numbers(arena_cstr(a, text), read) && read[0] >= -180 &&
        read[2] <= 180 && read[0] < read[2] && read[1] >= -90 && read[3] <= 90 && read[1] < read[3])
        memcpy(v, read, sizeof(v));
    info->south_west = point_of(v[1], v[0]);
    info->north_east = point_of(v[3], v[2]);
}

/* Text without markup: clients may show it as HTML. */
static void take_attribution(struct mbtiles *m, struct str text) {
    size_t len = 0;
    bool in_tag = false;
    for (size_t i = 0; i < text.len && len + 1 < sizeof(m->attribution); i++) {
        if (text.p[i] == '<')
            in_tag = true;
        else if (text.p[i] == '>')
            in_tag = false;
        else if (!in_tag && (unsigned char)text.p[i] >= 0x20)
            m->attribution[len++] = text.p[i];
    }
    m->attribution[len] = 0;
    if (len == 0 || !str_is_utf8(str_from(m->attribution), NULL))
        snprintf(m->attribution, sizeof(m->attribution), "%s", MBTILES_ATTRIBUTION);
    m->info.attribution = str_from(m->attribution);
}

static uint64_t version_of(const struct stat *st) {
    const int64_t facts[] = {(int64_t)st->st_size, (int64_t)st->st_mtim.tv_sec,
                             (int64_t)st->st_mtim.tv_nsec, (int64_t)st->st_ino};
    return str_hash((struct str){(const char *)facts, sizeof(facts)}, HASH_SEED);
}

static int read_info(struct mbtiles *m, const char *path, struct arena *a, struct str *ret_why) {
    struct str format = metadata(m->db, "format", a);
    if (sqlite3_prepare_v2(m->db,
                           "select tile_data from tiles where zoom_level = ?1 and tile_column = ?2 "
                           "and tile_row = ?3",
                           -1, &m->tile_query, NULL) != SQLITE_OK) {
        *ret_why = arena_printf(a, "%s is not an MBTiles file: %s", path, sqlite3_errmsg(m->db));
        return ERR_INVALID;
    }
    if (!str_is(format, "pbf")) {
        *ret_why =
            arena_printf(a, "%s has no vector tiles: its format must be pbf, and is \"%.*s\"", path,
                         STR_ARG(format));
        return ERR_INVALID;
    }
    if (!zooms(m->db, &m->info.zoom_min, &m->info.zoom_max)) {
        *ret_why = arena_printf(a, "%s has no tiles, or some beyond zoom %d", path, ATLAS_ZOOM_MAX);
        return ERR_INVALID;
    }
    bounds(metadata(m->db, "bounds", a), a, &m->info);
    take_attribution(m, metadata(m->db, "attribution", a));
    return 0;
}

/* ---- the port ---- */

static struct mbtiles *own(const struct atlas *t) {
    return (struct mbtiles *)(uintptr_t)t;
}

static void info(const struct atlas *t, struct atlas_info *ret_info) {
    *ret_info = own(t)->info;
}

static int read_tile(sqlite3_stmt *q, struct arena *a, struct atlas_tile *ret_tile) {
    int result = sqlite3_step(q);
    if (result == SQLITE_DONE)
        return ERR_NOT_FOUND;
    if (result != SQLITE_ROW)
        return ERR_IO;
    const char *bytes = sqlite3_column_blob(q, 0);
    int64_t len = sqlite3_column_bytes(q, 0);
    if (len == 0 || bytes == NULL)
        return ERR_NOT_FOUND;
    if (len > MBTILES_TILE_BYTES_MAX)
        return ERR_IO;
    ret_tile->bytes = arena_str(a, (struct str){bytes, (size_t)len});
    ret_tile->gzip = len > 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
    return 0;
}

static int tile(const struct atlas *t, int32_t z, int32_t x, int32_t y, struct arena *a,
                struct atlas_tile *ret_tile) {
    struct mbtiles *m = own(t);
    if (z < m->info.zoom_min || z > m->info.zoom_max)
        return ERR_NOT_FOUND;
    pthread_mutex_lock(&m->lock);
    sqlite3_bind_int(m->tile_query, 1, z);
    sqlite3_bind_int(m->tile_query, 2, x);
    sqlite3_bind_int(m->tile_query, 3, (1 << z) - 1 - y); /* rows are counted from the south */
    int err = read_tile(m->tile_query, a, ret_tile);
    sqlite3_reset(m->tile_query);
    pthread_mutex_unlock(&m->lock);
    return err;
}

static int32_t search(const struct atlas *t, struct str text, int32_t limit, struct arena *a,
                      struct atlas_place *ret_places) {
    const struct atlas *names = own(t)->names;
    return names != NULL ? names->ops->search(names, text, limit, a, ret_places) : 0;
}

static int near(const struct atlas *t, struct point at, struct arena *a,
                struct atlas_place *ret_place) {
    const struct atlas *names = own(t)->names;
    return names != NULL ? names->ops->near(names, at, a, ret_place) : ERR_NOT_FOUND;
}

static void discard(struct mbtiles *m) {
    sqlite3_finalize(m->tile_query);
    sqlite3_close(m->db);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static void close_atlas(struct atlas *t) {
    struct mbtiles *m = own(t);
    if (m->names != NULL)
        m->names->ops->close(m->names);
    discard(m);
}

static const struct atlas_ops ops = {info, tile, search, near, close_atlas};

int mbtiles_atlas_open(const char *path, struct atlas *names, struct arena *a,
                       struct atlas **ret_atlas, struct str *ret_why) {
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        *ret_why = arena_printf(a, "there is no such file: %s", path);
        return ERR_NOT_FOUND;
    }
    struct mbtiles *m = xcalloc(1, sizeof(*m));
    m->atlas.ops = &ops;
    m->info.version = version_of(&st);
    CHECK(pthread_mutex_init(&m->lock, NULL) == 0);
    int err = ERR_IO;
    if (sqlite3_open_v2(path, &m->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        *ret_why = arena_printf(a, "%s cannot be read: %s", path, sqlite3_errmsg(m->db));
    else {
        /* What a hostile file could make SQLite do. */
        sqlite3_db_config(m->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(m->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_limit(m->db, SQLITE_LIMIT_LENGTH, (int)(2 * MBTILES_TILE_BYTES_MAX));
        sqlite3_busy_timeout(m->db, BUSY_MS);
        err = read_info(m, path, a, ret_why);
    }
    if (err < 0) {
        discard(m);
        return err;
    }
    m->names = names;
    *ret_atlas = &m->atlas;
    return 0;
}

int mbtiles_sign(const char *path, const char *attribution, struct arena *a, struct str *ret_why) {
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int ok = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (ok == SQLITE_OK)
        ok = sqlite3_prepare_v2(db,
                                "insert or replace into metadata (name, value) "
                                "values ('attribution', ?)",
                                -1, &q, NULL);
    if (ok == SQLITE_OK)
        ok = sqlite3_bind_text(q, 1, attribution, -1, SQLITE_STATIC);
    if (ok == SQLITE_OK)
        ok = sqlite3_step(q) == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
    if (ok != SQLITE_OK)
        *ret_why = arena_printf(a, "%s cannot be written: %s", path, sqlite3_errmsg(db));
    sqlite3_finalize(q);
    sqlite3_close(db);
    return ok == SQLITE_OK ? 0 : ERR_IO;
}
