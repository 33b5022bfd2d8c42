/* `lorry backup` and `lorry restore`: a folder with all that the data folder of a server holds, as
 * it was at one moment.
 *
 *   BACKUP/lorry.db        the database, as one file
 *   BACKUP/files/…         what else lies in the data folder and cannot be made again
 *   BACKUP/manifest.json   what made it, when, and the rows of each table
 *   BACKUP/SHA256SUMS      of all of these; `sha256sum -c` reads it
 *
 * It is made as BACKUP.partial, read back whole, and renamed: what is called BACKUP is complete. So
 * is a restore: everything is laid out in a folder inside the empty one and moved up at the end,
 * the database last. Files are copied after the database, so that whatever it names is there.
 */
#include "adapters/sqlite/sqlite_backup.h"
#include "apps/commands.h"
#include "apps/folder.h"
#include "apps/parts.h"
#include "apps/progress.h"
#include "apps/settings.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "json/reader.h"
#include "json/writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BACKUP_FORMAT 1
#define MANIFEST_BYTES_MAX ((size_t)1 << 20)
#define SUMS_BYTES_MAX ((size_t)256 << 20)
#define KEEP_MAX 10000
#define NAME_FORMAT "lorry-%Y%m%dT%H%M%SZ" /* sorts by time */
#define NAME_LENGTH 22

static const struct config_setting into_settings[] = {
    {.key = "into",
     .kind = CONFIG_PATH,
     .placeholder = "DIR",
     .help = "Make a folder named after the time in this one, instead of FOLDER"},
    {.key = "keep",
     .kind = CONFIG_INT,
     .fallback = "0",
     .max = KEEP_MAX,
     .help = "With --into: keep so many, and take older ones away once the new one is verified; 0 "
             "keeps all"},
};
static const struct config_table into = {"Where to", into_settings,
                                         (int32_t)COUNT_OF(into_settings)};
const struct config_table *const backup_tables[] = {&settings_data, &settings_files, &into, NULL};
const struct config_table *const restore_tables[] = {&settings_data, NULL};

/* What lies in a data folder and is not copied: the database has a way of its own, the rest can be
 * made again or belongs to a running process. */
static bool passed_over(const char *path) {
    static const char *const begins[] = {"lorry.db", "lorry.lock", "streets.graph", "lost+found/"};
    static const char *const ends[] = {".partial", ".tmp", ".log"};
    if (strstr(path, ".partial/") != NULL)
        return true;
    for (size_t i = 0; i < COUNT_OF(begins); i++)
        if (str_starts(str_from(path), begins[i]))
            return true;
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        if (str_ends(str_from(path), ends[i]))
            return true;
    return false;
}

struct job {
    struct arena *a;
    struct str *why;
    const char *data;    /* the data folder */
    const char *uploads; /* uploaded files, where they lie elsewhere; NULL: they do not */
    const char *backup;  /* the folder that is made or read */
    struct buf sums;     /* SHA256SUMS */
    struct sqlite_census census;
    struct progress progress;
    int64_t bytes, files;
};

static const char *path_in(struct job *j, const char *folder, const char *name) {
    return arena_cstr(j->a, arena_printf(j->a, "%s/%s", folder, name));
}

static int64_t documents(const struct sqlite_census *c) {
    const struct store_collection *collections[COLLECTIONS_MAX];
    int count = parts_collections(collections);
    int64_t rows = 0;
    for (int32_t i = 0; i < c->count; i++)
        for (int n = 0; n < count; n++)
            if (str_is(c->tables[i].name, collections[n]->name))
                rows += c->tables[i].rows;
    return rows;
}

/* ---- making ---- */

static void show_bytes(void *arg, int64_t done, int64_t all) {
    progress_show(arg, done, all);
}

static void add_sum(struct job *j, const char sha[FOLDER_SHA256_HEX], const char *path,
                    int64_t bytes) {
    buf_printf(&j->sums, "%s  %s\n", sha, path);
    j->bytes += bytes;
    j->files++;
}

/* One file of FOLDER, PATH from there, to where it belongs in a data folder. */
static int copy_to(struct job *j, const char *folder, const char *path, const char *belongs) {
    char sha[FOLDER_SHA256_HEX];
    int64_t bytes = 0;
    if (passed_over(path))
        return 0;
    if (strpbrk(path, "\\\n") != NULL) {
        *j->why = arena_printf(j->a, "%s has a file whose name cannot be written down", folder);
        return ERR_INVALID;
    }
    const char *to = arena_cstr(j->a, arena_printf(j->a, "files/%s%s", belongs, path));
    int r =
        folder_copy(path_in(j, folder, path), path_in(j, j->backup, to), j->a, sha, &bytes, j->why);
    if (r == ERR_NOT_FOUND) /* it has gone since it was listed */
        return 0;
    if (r == 0)
        add_sum(j, sha, to, bytes);
    progress_show(&j->progress, j->bytes, 0);
    return r;
}

static int copy_file(void *arg, const char *path) {
    struct job *j = arg;
    return copy_to(j, j->data, path, "");
}

static int copy_upload(void *arg, const char *path) {
    struct job *j = arg;
    return copy_to(j, j->uploads, path, "files/");
}

static int write_listed(struct job *j, const char *name, struct str bytes) {
    char sha[FOLDER_SHA256_HEX];
    int64_t len = 0;
    const char *path = path_in(j, j->backup, name);
    int r = folder_write(path, bytes, j->a, j->why);
    if (r == 0)
        r = folder_digest(path, j->a, sha, &len, j->why);
    if (r == 0)
        add_sum(j, sha, name, len);
    return r;
}

static int write_manifest(struct job *j) {
    struct buf out;
    struct jw w;
    buf_init(&out, j->a, 4096);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_i64(&w, "lorry_backup", BACKUP_FORMAT);
    jw_kv_str(&w, "lorry", str_from(LORRY_VERSION));
    jw_kv_time(&w, "at", clock_wall_us());
    jw_kv_i64(&w, "schema", j->census.schema);
    jw_key(&w, "tables");
    jw_object(&w);
    for (int32_t i = 0; i < j->census.count; i++) {
        jw_key_str(&w, j->census.tables[i].name);
        jw_i64(&w, j->census.tables[i].rows);
    }
    jw_end(&w);
    jw_end(&w);
    buf_add_char(&out, '\n');
    return write_listed(j, "manifest.json", buf_str(&out));
}

static int copy_all(struct job *j) {
    char sha[FOLDER_SHA256_HEX];
    int64_t bytes = 0;
    const char *db = path_in(j, j->backup, "lorry.db");
    int r = sqlite_copy(j->data, db, show_bytes, &j->progress, j->a, &j->census, j->why);
    if (r == 0)
        r = folder_digest(db, j->a, sha, &bytes, j->why);
    if (r < 0)
        return r;
    add_sum(j, sha, "lorry.db", bytes);
    r = folder_walk(j->data, copy_file, j, j->a, j->why);
    if (r == 0 && j->uploads != NULL)
        r = folder_walk(j->uploads, copy_upload, j, j->a, j->why);
    if (r == 0)
        r = write_manifest(j);
    if (r == 0)
        r = folder_write(path_in(j, j->backup, "SHA256SUMS"), buf_str(&j->sums), j->a, j->why);
    return r;
}

/* ---- reading back ---- */

static int corrupt(struct job *j, const char *what) {
    *j->why = arena_printf(j->a, "%s is damaged: %s", j->backup, what);
    return ERR_CORRUPT;
}

static int read_tables(struct job *j, struct json_value tables) {
    for (struct json_iter it = json_iter(tables); json_next(&it);) {
        struct sqlite_table_rows *t = &j->census.tables[j->census.count];
        if (j->census.count == SQLITE_TABLES_MAX || json_i64(it.value, &t->rows) < 0)
            return corrupt(j, "its manifest's tables");
        t->name = arena_str(j->a, it.key);
        j->census.count++;
    }
    return 0;
}

static int read_manifest(struct job *j) {
    struct str text;
    struct json_value root, v;
    int64_t format = 0, schema = 0;
    const char *path = path_in(j, j->backup, "manifest.json");
    if (access(path, F_OK) != 0) {
        *j->why = arena_printf(j->a, "%s is no back-up: it has no manifest.json", j->backup);
        return ERR_INVALID;
    }
    int r = folder_read(path, MANIFEST_BYTES_MAX, j->a, &text, j->why);
    if (r < 0)
        return r;
    struct json_parser *p = json_parser_new();
    if (json_parse(p, text, &root) < 0 || !json_get(root, "lorry_backup", &v) ||
        json_i64(v, &format) < 0) {
        r = corrupt(j, "its manifest cannot be read");
    } else if (format > BACKUP_FORMAT) {
        *j->why = arena_printf(j->a,
                               "%s was made by a newer Lorry (format %lld, this one knows "
                               "%d): restore it with that version",
                               j->backup, (long long)format, BACKUP_FORMAT);
        r = ERR_INVALID;
    } else if (!json_get(root, "schema", &v) || json_i64(v, &schema) < 0 ||
               !json_get(root, "tables", &v)) {
        r = corrupt(j, "its manifest lacks something");
    } else {
        j->census.schema = (int32_t)schema;
        r = read_tables(j, v);
    }
    json_parser_free(p);
    return r;
}

/* A line of SHA256SUMS: its file is there, and is what it was. */
static int check_line(struct job *j, struct str line) {
    char sha[FOLDER_SHA256_HEX];
    int64_t bytes = 0;
    if (line.len < FOLDER_SHA256_HEX + 2 || memchr(line.p, 0, line.len) != NULL)
        return corrupt(j, "its SHA256SUMS cannot be read");
    const char *name = arena_cstr(j->a, str_sub(line, FOLDER_SHA256_HEX + 1, line.len));
    int r = folder_digest(path_in(j, j->backup, name), j->a, sha, &bytes, j->why);
    if (r < 0)
        return r;
    if (memcmp(sha, line.p, FOLDER_SHA256_HEX - 1) != 0)
        return corrupt(j, arena_cstr(j->a, arena_printf(j->a, "%s is not what was written", name)));
    j->bytes += bytes;
    j->files++;
    progress_show(&j->progress, j->bytes, 0);
    return 0;
}

static int count_file(void *arg, const char *path) {
    *(int64_t *)arg += strcmp(path, "SHA256SUMS") != 0;
    return 0;
}

static int check_sums(struct job *j) {
    struct str sums;
    int64_t there = 0;
    int r = folder_read(path_in(j, j->backup, "SHA256SUMS"), SUMS_BYTES_MAX, j->a, &sums, j->why);
    while (r == 0 && sums.len > 0) {
        const char *end = memchr(sums.p, '\n', sums.len);
        if (end == NULL)
            return corrupt(j, "its SHA256SUMS is cut off");
        struct str line = {sums.p, (size_t)(end - sums.p)};
        r = check_line(j, line);
        sums = str_sub(sums, line.len + 1, sums.len);
    }
    if (r == 0)
        r = folder_walk(j->backup, count_file, &there, j->a, j->why);
    if (r == 0 && there != j->files)
        return corrupt(j, "it has other files than its SHA256SUMS says");
    return r;
}

static int same_census(struct job *j, const struct sqlite_census *found) {
    const struct sqlite_census *said = &j->census;
    bool same = said->schema == found->schema && said->count == found->count;
    for (int32_t i = 0; same && i < said->count; i++)
        same = str_eq(said->tables[i].name, found->tables[i].name) &&
               said->tables[i].rows == found->tables[i].rows;
    return same ? 0 : corrupt(j, "its database holds something else than its manifest says");
}

/* All of it, from the files: the manifest, the checksums, the database itself. */
static int check_backup(struct job *j) {
    const struct store_collection *collections[COLLECTIONS_MAX];
    struct sqlite_census found;
    int count = parts_collections(collections);
    j->census = (struct sqlite_census){0};
    j->bytes = j->files = 0;
    int r = read_manifest(j);
    if (r == 0)
        r = check_sums(j);
    if (r == 0)
        r = sqlite_copy_check(path_in(j, j->backup, "lorry.db"), j->a, &found, j->why);
    if (r == 0)
        r = same_census(j, &found);
    if (r < 0)
        return r;
    struct str stranger = sqlite_census_stranger(&found, collections, count);
    if (stranger.p != NULL) {
        *j->why = arena_printf(j->a,
                               "%s holds a collection \"%.*s\" that this Lorry does not "
                               "know: use the version that made it",
                               j->backup, STR_ARG(stranger));
        return ERR_INVALID;
    }
    return 0;
}

/* ---- `lorry backup` ---- */

/* The folder for work on TO. A lock says that somebody is at it; what was left behind has none. */
static int open_partial(struct job *j, const char *partial, int *ret_lock) {
    struct stat st;
    if (lstat(partial, &st) == 0) {
        int fd = open(partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool free_to_go = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (fd >= 0)
            close(fd);
        if (!free_to_go) {
            *j->why = arena_printf(j->a, "%s is in use: another one is being made", partial);
            return ERR_BUSY;
        }
        folder_remove(partial);
    }
    int r = folder_make(partial, j->a, j->why);
    if (r < 0)
        return r;
    *ret_lock = open(partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_lock < 0 || flock(*ret_lock, LOCK_EX | LOCK_NB) < 0)
        return folder_failed("lock", partial, j->a, j->why);
    return 0;
}

static int each_synced(struct job *j, const char *folder) {
    struct stat st;
    const char *files = path_in(j, folder, "files");
    int r = lstat(files, &st) == 0 ? folder_sync(files, j->a, j->why) : 0;
    return r < 0 ? r : folder_sync(folder, j->a, j->why);
}

static const char *folder_above(struct job *j, const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL   ? "."
           : slash == path ? "/"
                           : arena_cstr(j->a, (struct str){path, (size_t)(slash - path)});
}

/* A back-up in the data folder would be copied into the next one. */
static bool lies_in(struct job *j, const char *folder, const char *path) {
    char *outer = realpath(folder, NULL), *inner = realpath(folder_above(j, path), NULL);
    size_t len = outer != NULL ? strlen(outer) : 0;
    bool inside = outer != NULL && inner != NULL && strncmp(outer, inner, len) == 0 &&
                  (inner[len] == '/' || inner[len] == 0);
    free(outer);
    free(inner);
    return inside;
}

static int make_backup(struct job *j, const char *to) {
    const char *partial = arena_cstr(j->a, arena_printf(j->a, "%s.partial", to));
    struct stat st;
    int lock = -1;
    if (lstat(to, &st) == 0) {
        *j->why = arena_printf(j->a, "%s is there already: name a folder that is not", to);
        return ERR_CONFLICT;
    }
    if (lies_in(j, j->data, to)) {
        *j->why = arena_printf(j->a,
                               "%s lies in the data folder: choose another place, best on "
                               "another disk",
                               to);
        return ERR_INVALID;
    }
    int r = open_partial(j, partial, &lock);
    if (r < 0)
        return r;
    j->backup = partial;
    r = copy_all(j);
    if (r == 0)
        r = check_backup(j);
    if (r == 0)
        r = each_synced(j, partial);
    if (r == 0 && renameat2(AT_FDCWD, partial, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
        r = folder_failed("give its name to", to, j->a, j->why);
    if (r == 0)
        r = folder_sync(folder_above(j, to), j->a, j->why);
    if (r < 0)
        folder_remove(partial);
    close(lock);
    return r;
}

static int is_backup(const struct dirent *e) {
    return strlen(e->d_name) == NAME_LENGTH && strncmp(e->d_name, "lorry-2", 7) == 0 &&
           e->d_name[NAME_LENGTH - 1] == 'Z';
}

/* All but the newest KEEP of FOLDER go. Returns how many went. */
static int drop_older(struct job *j, const char *folder, int64_t keep) {
    struct dirent **names;
    int count = scandir(folder, &names, is_backup, alphasort), gone = 0;
    for (int i = 0; i < count; i++) {
        if (i < count - keep) {
            folder_remove(path_in(j, folder, names[i]->d_name));
            gone++;
        }
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return gone;
}

/* Where to: the argument, or a name in --into. NULL: it has said what is wrong. */
static const char *target(struct config *c) {
    char name[64];
    bool into_given = config_is_given(c, "into");
    if (into_given == (c->argument_count == 1)) {
        fputs("lorry: say where to: a FOLDER to make, or --into DIR\n", stderr);
        return NULL;
    }
    if (!into_given)
        return c->arguments[0].p;
    time_t now = (time_t)(clock_wall_us() / US_PER_S);
    struct tm utc;
    strftime(name, sizeof name, NAME_FORMAT, gmtime_r(&now, &utc));
    CHECK(strlen(name) == NAME_LENGTH);
    return arena_cstr(&c->arena, arena_printf(&c->arena, "%s/%s", config_cstr(c, "into"), name));
}

static int told(const struct str *why) {
    fprintf(stderr, "lorry: %.*s\n", STR_ARG(*why));
    return 1;
}

static void job_init(struct job *j, struct config *c, struct str *why) {
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
    *why = STR("it failed");
    *j = (struct job){.a = &c->arena, .why = why, .data = config_cstr(c, "data")};
    buf_init(&j->sums, &c->arena, 1024);
    progress_begin(&j->progress, "MB", 1000000);
}

int command_backup(struct config *c) {
    struct job j;
    struct str why;
    if (settings_store(c) != STORE_SQLITE) {
        fputs("lorry: back up a database server with its own tools (pg_dump, mongodump), or use "
              "\"lorry export\"\n",
              stderr);
        return 2;
    }
    const char *to = target(c);
    if (to == NULL)
        return 2;
    job_init(&j, c, &why);
    if (config_enum(c, "files") == FILES_IN_FOLDER)
        j.uploads = blobs_folder(c, &c->arena);
    int r = make_backup(&j, to);
    double seconds = progress_end(&j.progress);
    if (r < 0)
        return told(&why);
    if (config_enum(c, "files") >= FILES_IN_S3)
        puts("Uploaded files are in a bucket, and not in this back-up: keep versions of it there.");
    printf("%s: %lld documents, %lld files, %.1f MB in %.1f s (%.0f MB/s), verified.\n", to,
           (long long)documents(&j.census), (long long)j.files, (double)j.bytes / 1e6, seconds,
           (double)j.bytes / 1e6 / seconds);
    if (config_is_given(c, "into") && config_int(c, "keep") > 0) {
        int gone = drop_older(&j, config_cstr(c, "into"), config_int(c, "keep"));
        if (gone > 0)
            printf("%d older ones have been taken away.\n", gone);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

/* ---- `lorry restore` ---- */

struct layout {
    struct job *j;
    const char *partial;
};

/* A file of the back-up, into the folder where the new data is laid out. */
static int lay_out(void *arg, const char *path) {
    struct layout *l = arg;
    struct job *j = l->j;
    char sha[FOLDER_SHA256_HEX];
    int64_t bytes = 0;
    bool file = str_starts(str_from(path), "files/");
    if (!file && strcmp(path, "lorry.db") != 0)
        return 0;
    int r = folder_copy(path_in(j, j->backup, path),
                        path_in(j, l->partial, file ? path + strlen("files/") : path), j->a, sha,
                        &bytes, j->why);
    return r;
}

/* Everything in FROM goes up into TO, the database last: with it the folder is a server's. */
static int move_up(struct job *j, const char *from, const char *to) {
    struct dirent **names;
    int count = scandir(from, &names, NULL, alphasort), r = 0;
    if (count < 0)
        return folder_failed("look into", from, j->a, j->why);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; r == 0 && i < count; i++) {
            const char *name = names[i]->d_name;
            bool database = strcmp(name, "lorry.db") == 0;
            if (database != (pass == 1) || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                continue;
            if (rename(path_in(j, from, name), path_in(j, to, name)) < 0)
                r = folder_failed("move into place", name, j->a, j->why);
        }
        if (r == 0)
            r = folder_sync(to, j->a, j->why);
    }
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return r;
}

static int restore(struct job *j) {
    const char *partial = path_in(j, j->data, "restore.partial");
    struct layout l = {j, partial};
    struct stat st;
    if (lstat(partial, &st) == 0)
        folder_remove(partial); /* one that was cut off */
    if (!folder_is_empty(j->data)) {
        *j->why = arena_printf(j->a,
                               "%s is not empty: --data names a folder that is, or is not "
                               "there yet",
                               j->data);
        return ERR_CONFLICT;
    }
    int r = check_backup(j);
    if (r < 0)
        return r;
    bool made = lstat(j->data, &st) != 0;
    r = folder_make(partial, j->a, j->why);
    if (r == 0)
        r = folder_walk(j->backup, lay_out, &l, j->a, j->why);
    if (r == 0)
        r = folder_sync(partial, j->a, j->why);
    if (r == 0)
        r = move_up(j, partial, j->data);
    folder_remove(partial);
    if (r < 0 && made)
        rmdir(j->data);
    return r;
}

int command_restore(struct config *c) {
    struct job j;
    struct str why;
    if (c->argument_count != 1) {
        fputs("lorry: say which back-up; \"lorry help restore\" tells more\n", stderr);
        return 2;
    }
    job_init(&j, c, &why);
    j.backup = c->arguments[0].p;
    int r = restore(&j);
    double seconds = progress_end(&j.progress);
    if (r < 0)
        return told(&why);
    printf("%s: restored from %s, verified before: %lld documents, %.1f MB in %.1f s.\n"
           "What had not been published yet is published when the server starts:\n"
           "  lorry serve --data %s\n",
           j.data, j.backup, (long long)documents(&j.census), (double)j.bytes / 1e6, seconds,
           j.data);
    return fflush(stdout) == 0 ? 0 : 1;
}
