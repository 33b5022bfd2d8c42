/* `lorry map build`: an OpenStreetMap extract → vector tiles (tilemaker) and road lines (osmium).
 *
 * Both are Debian's programs, and run one after the other in a folder of their own beside the
 * output. What they leave is opened as the server will open it; then it is renamed into its place,
 * so that a server never finds half a map, and a failure leaves what was there.
 */
#include "adapters/crow/crow.h"
#include "adapters/mbtiles/mbtiles.h"
#include "adapters/streets/streets.h"
#include "apps/commands.h"
#include "apps/folder.h"
#include "apps/platform.h"
#include "apps/settings.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES_MAX 1000
#define LOG_TAIL_MAX 400
#define BOX_TEXT_MAX 200
#define WRITES (O_WRONLY | O_CREAT | O_TRUNC | O_APPEND)
/* What Debian's tilemaker brings: the layers are OpenMapTiles', as web/src/map/style.ts draws. */
#define TILEMAKER_CONFIG "/usr/share/doc/tilemaker/examples/config-openmaptiles.json"
#define TILEMAKER_PROCESS "/usr/share/doc/tilemaker/examples/process-openmaptiles.lua"
#define INSTALL "sudo apt-get install tilemaker osmium-tool"

static const struct config_setting build_settings[] = {
    {.key = "output",
     .kind = CONFIG_PATH,
     .placeholder = "FILE.mbtiles",
     .help = "Where the map goes; without it beside you, named as the extract is"},
};
static const struct config_table build = {"Map", build_settings, 1};
const struct config_table *const map_build_tables[] = {&build, NULL};

struct job {
    struct arena *a;
    const char *extract, *tiles, *streets; /* given; what comes of it */
    const char *work, *log;                /* the folder in which it is made */
    struct str why;
};

static int fail(struct job *j, int err, struct str why) {
    j->why = why;
    return err;
}

static const char *in_work(struct job *j, const char *name) {
    return arena_printf(j->a, "%s/%s", j->work, name).p;
}

/* ---- the other programs ---- */

/* The last line of the log, for whoever has not seen the program itself speak. */
static struct str last_words(struct job *j) {
    char tail[LOG_TAIL_MAX + 1];
    FILE *log = fopen(j->log, "r");
    if (log == NULL)
        return STR("");
    if (fseek(log, -LOG_TAIL_MAX, SEEK_END) != 0)
        rewind(log);
    size_t len = fread(tail, 1, LOG_TAIL_MAX, log);
    fclose(log);
    while (len > 0 && ((unsigned char)tail[len - 1] <= ' ' || tail[len - 1] == '.'))
        len--;
    size_t from = len;
    while (from > 0 && tail[from - 1] != '\n' && tail[from - 1] != '\r')
        from--;
    return arena_str(j->a, (struct str){tail + from, len - from});
}

/* What it says on standard output goes to OUTPUT, if that is not NULL. */
static int spawn(struct job *j, char *const argv[], const char *output, pid_t *ret_pid) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (isatty(2)) { /* its progress is for the person who waits */
        posix_spawn_file_actions_adddup2(&actions, 2, 1);
    } else {
        posix_spawn_file_actions_addopen(&actions, 2, j->log, WRITES, 0600);
        posix_spawn_file_actions_adddup2(&actions, 2, 1);
    }
    if (output != NULL)
        posix_spawn_file_actions_addopen(&actions, 1, output, WRITES, 0600);
    int err = posix_spawnp(ret_pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return err;
}

/* Runs ARGV to its end. ERR_NOT_FOUND: it is not installed. Ctrl-C reaches it as it does us; then
 * it ends, and what it has left is removed here. */
static int run(struct job *j, char *const argv[], const char *output) {
    pid_t pid;
    int status = 0;
    signal(SIGINT, SIG_IGN);
    int err = spawn(j, argv, output, &pid);
    if (err == ENOENT)
        return fail(j, ERR_NOT_FOUND, arena_printf(j->a, "%s is not installed: " INSTALL, argv[0]));
    if (err != 0)
        return fail(j, ERR_IO, arena_printf(j->a, "%s cannot be run: %s", argv[0], strerror(err)));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    struct str words = last_words(j);
    return fail(j, ERR_INVALID,
                arena_printf(j->a, "%s could make nothing of %s%s%.*s", argv[0], j->extract,
                             words.len > 0 ? ": " : "", STR_ARG(words)));
}

/* ---- the tiles ---- */

/* "(9.47,47.04,9.63,47.27)" → the same without its brackets; NULL: that is no box. */
static const char *box_of(struct job *j, const char *path) {
    char text[BOX_TEXT_MAX];
    FILE *in = fopen(path, "r");
    size_t len = in != NULL ? fread(text, 1, sizeof(text), in) : 0;
    if (in != NULL)
        fclose(in);
    while (len > 0 && (unsigned char)text[len - 1] <= ' ')
        len--;
    if (len < 3 || text[0] != '(' || text[len - 1] != ')')
        return NULL;
    return arena_cstr(j->a, (struct str){text + 1, len - 2});
}

/* tilemaker must know what the extract covers. Where its head does not say, all of it is read. */
static int find_box(struct job *j, const char **ret_box) {
    const char *out = in_work(j, "box");
    char *const head[] = {
        "osmium", "fileinfo", "--get", "header.boxes", (char *)(uintptr_t)j->extract, NULL};
    char *const whole[] = {"osmium",
                           "fileinfo",
                           "--no-progress",
                           "--extended",
                           "--get",
                           "data.bbox",
                           (char *)(uintptr_t)j->extract,
                           NULL};
    int err = run(j, head, out);
    if (err == 0 && (*ret_box = box_of(j, out)) == NULL)
        err = run(j, whole, out);
    if (err == 0 && *ret_box == NULL && (*ret_box = box_of(j, out)) == NULL)
        err = fail(j, ERR_INVALID, arena_printf(j->a, "%s holds no map", j->extract));
    return err;
}

static int make_tiles(struct job *j, struct atlas_info *ret_info) {
    const char *path = in_work(j, "map.mbtiles"), *box;
    int err = find_box(j, &box);
    if (err < 0)
        return err;
    char *const argv[] = {"tilemaker",
                          "--input",
                          (char *)(uintptr_t)j->extract,
                          "--output",
                          (char *)(uintptr_t)path,
                          "--bbox",
                          (char *)(uintptr_t)box,
                          "--config",
                          TILEMAKER_CONFIG,
                          "--process",
                          TILEMAKER_PROCESS,
                          NULL};
    if (access(TILEMAKER_CONFIG, R_OK) != 0 || access(TILEMAKER_PROCESS, R_OK) != 0)
        return fail(
            j, ERR_NOT_FOUND,
            STR("tilemaker, or its examples in " TILEMAKER_CONFIG ", are not installed: " INSTALL));
    struct atlas *atlas = NULL;
    err = run(j, argv, NULL);
    if (err == 0 && access(path, R_OK) != 0)
        err = fail(j, ERR_INVALID, arena_printf(j->a, "%s holds no map", j->extract));
    if (err == 0)
        err = mbtiles_sign(path, MBTILES_ATTRIBUTION, j->a, &j->why);
    if (err == 0)
        err = mbtiles_atlas_open(path, NULL, j->a, &atlas, &j->why);
    if (err < 0)
        return err;
    CHECK(atlas != NULL);
    atlas->ops->info(atlas, ret_info);
    atlas->ops->close(atlas);
    return 0;
}

/* ---- the streets ---- */

static int make_streets(struct job *j, struct streets_info *ret_info) {
    const char *roads = in_work(j, "roads.osm.pbf"), *lines = in_work(j, "streets.json");
    char *const filter[] = {"osmium",        "tags-filter",
                            "--output",      (char *)(uintptr_t)roads,
                            "--no-progress", (char *)(uintptr_t)j->extract,
                            "w/highway",     NULL};
    char *const export[] = {"osmium",
                            "export",
                            "--output",
                            (char *)(uintptr_t)lines,
                            "--output-format=geojson",
                            "--geometry-types=linestring",
                            "--no-progress",
                            (char *)(uintptr_t)roads,
                            NULL};
    int err = run(j, filter, NULL);
    if (err == 0)
        err = run(j, export, NULL);
    if (err < 0)
        return err;
    err = streets_build(lines, in_work(j, "streets.graph"), ret_info);
    if (err < 0)
        return fail(j, err, streets_problem(lines, err, j->a));
    return 0;
}

/* ---- the command ---- */

/* An extract begins with the length of its first block's head, and that with its kind. The tools
 * say strange things of what is none. */
static bool is_extract(const char *path) {
    static const char kind[] = "\x0a\x09OSMHeader";
    char head[4 + sizeof(kind) - 1];
    FILE *in = fopen(path, "rb");
    bool whole = in != NULL && fread(head, 1, sizeof(head), in) == sizeof(head);
    if (in != NULL)
        fclose(in);
    return whole && memcmp(head + 4, kind, sizeof(kind) - 1) == 0;
}

static int put(struct job *j, const char *name, const char *to) {
    if (rename(in_work(j, name), to) == 0)
        return 0;
    return fail(j, ERR_IO, arena_printf(j->a, "cannot write %s: %s", to, strerror(errno)));
}

static int make_map(struct job *j) {
    struct atlas_info info;
    struct streets_info streets = {0};
    int64_t began_us = clock_mono_us();
    fprintf(stderr, "Drawing tiles of %s\n", j->extract);
    int err = make_tiles(j, &info);
    if (err == 0) {
        fprintf(stderr, "Reading its roads\n");
        err = make_streets(j, &streets);
    }
    if (err == 0)
        err = put(j, "map.mbtiles", j->tiles);
    if (err == 0)
        err = put(j, "streets.json", j->streets);
    if (err < 0)
        return err;
    printf("%s: zoom %d to %d, %.3f,%.3f to %.3f,%.3f\n", j->tiles, info.zoom_min, info.zoom_max,
           info.south_west.lat_e7 / 1e7, info.south_west.lng_e7 / 1e7, info.north_east.lat_e7 / 1e7,
           info.north_east.lng_e7 / 1e7);
    printf("%s: %.0f km of streets, %d names\n", j->streets, (double)streets.length_m / 1000,
           streets.names);
    printf("Made in %.0f s. Serve it:\n  lorry serve --map %s --streets %s",
           (double)(clock_mono_us() - began_us) / (double)US_PER_S, j->tiles, j->streets);
    printf("\nMap data " MBTILES_ATTRIBUTION ".\n");
    return 0;
}

/* "region" of "maps/region.osm.pbf". */
static struct str base_name(struct str path) {
    for (size_t i = path.len; i > 0; i--) {
        if (path.p[i - 1] == '/') {
            path = str_sub(path, i, path.len);
            break;
        }
    }
    static const char *const ends[] = {".pbf", ".osm", ".mbtiles"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        if (str_ends(path, ends[i]))
            path = str_sub(path, 0, path.len - strlen(ends[i]));
    }
    return path;
}

static bool name_outputs(struct job *j, const struct config *c) {
    const char *output = config_cstr(c, "output");
    struct str tiles = output != NULL ? str_from(output)
                                      : arena_printf(j->a, "%.*s.mbtiles",
                                                     STR_ARG(base_name(str_from(j->extract))));
    struct str stem =
        str_ends(tiles, ".mbtiles") ? str_sub(tiles, 0, tiles.len - strlen(".mbtiles")) : tiles;
    j->tiles = arena_cstr(j->a, tiles);
    j->streets = arena_printf(j->a, "%.*s.streets.json", STR_ARG(stem)).p;
    return tiles.len < PATH_BYTES_MAX;
}

int command_map_build(struct config *c) {
    struct job j = {.a = &c->arena, .why = STR("it could not be made")};
    struct stat st;
    if (c->argument_count != 1) {
        fputs("lorry: say which extract; \"lorry help map build\" tells more\n", stderr);
        return 2;
    }
    j.extract = c->arguments[0].p;
    if (stat(j.extract, &st) != 0 || !S_ISREG(st.st_mode) || access(j.extract, R_OK) != 0) {
        fprintf(stderr, "lorry: there is no file to read: %s\n", j.extract);
        return 1;
    }
    if (!is_extract(j.extract)) {
        fprintf(stderr, "lorry: %s is no OpenStreetMap extract (.osm.pbf)\n", j.extract);
        return 1;
    }
    if (!name_outputs(&j, c)) {
        fputs("lorry: the output's name is too long\n", stderr);
        return 2;
    }
    char *work = arena_cstr(j.a, arena_printf(j.a, "%s.part-XXXXXX", j.tiles));
    if (mkdtemp(work) == NULL) {
        fprintf(stderr, "lorry: cannot write beside %s: %s\n", j.tiles, strerror(errno));
        return 1;
    }
    j.work = work;
    j.log = in_work(&j, "log");
    int err = make_map(&j);
    folder_remove(work);
    if (err < 0)
        fprintf(stderr, "lorry: %.*s. Nothing was changed.\n", STR_ARG(j.why));
    return err < 0 || fflush(stdout) != 0 ? 1 : 0;
}
