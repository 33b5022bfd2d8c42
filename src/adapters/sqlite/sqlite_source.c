/* The folder: its lock, its file, and the handles on it. The source keeps one connection of its own
 * open for as long as it lives, so that the write-ahead log is neither folded in nor deleted each
 * time some other handle happens to be the last.
 */
#include "adapters/sqlite/sqlite_private.h"

#include "base/check.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct sqlite_source {
    struct store_source port; /* first */
    struct sqlite_options options;
    char *path; /* of lorry.db */
    int lock_fd;
    sqlite3 *db;                              /* the checkpointer's, once it runs */
    struct sqlite_checkpointer *checkpointer; /* NULL beside a server: SQLite does it at commits */
};

int sqlite_error(int rc) {
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_NOMEM:
        check_failed(__FILE__, __LINE__, "SQLite found no memory");
    default:
        return ERR_IO;
    }
}

int sqlite_failed(sqlite3 *db, struct arena *a, const char *doing, struct str *ret_why) {
    int code = sqlite_error(sqlite3_extended_errcode(db));
    *ret_why = arena_printf(a, "cannot %s: %s%s", doing, sqlite3_errmsg(db),
                            code == ERR_CORRUPT ? " (the file is damaged: restore a backup)" : "");
    return code;
}

static int os_error(struct arena *a, const char *doing, const char *path, struct str *ret_why) {
    int code = errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
    *ret_why = arena_printf(a, "cannot %s %s: %s", doing, path, strerror(errno));
    return code;
}

/* Makes DIR and what is missing above it. */
static int make_dir(const char *dir, struct arena *a, struct str *ret_why) {
    char *path = arena_cstr(a, str_from(dir));
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return os_error(a, "make the folder", path, ret_why);
        *p = '/';
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return os_error(a, "make the folder", path, ret_why);
    return 0;
}

/* The lock dies with the process, whatever way it ends; the pid in the file is for people. */
static int take_lock(struct sqlite_source *s, struct arena *a, struct str *ret_why) {
    char *path = arena_cstr(a, arena_printf(a, "%s/lorry.lock", s->options.dir));
    char pid[32] = "";
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return os_error(a, "open", path, ret_why);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return os_error(a, "lock", path, ret_why);
        ssize_t n = pread(s->lock_fd, pid, sizeof pid - 1, 0);
        pid[n > 0 ? strspn(pid, "0123456789") : 0] = 0;
        *ret_why = arena_printf(a,
                                "%s is in use by another Lorry%s%s: stop it, or choose another "
                                "folder",
                                s->options.dir, pid[0] ? ", process " : "", pid);
        return ERR_BUSY;
    }
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n)
        return os_error(a, "write", path, ret_why);
    return 0;
}

/* A connection with the settings that all of them share. Cache sizes are ceilings, not taken at
 * once. No memory map: an error of the disk under one is a signal, not an error code. */
static int connect_db(const struct sqlite_source *s, bool writer, sqlite3 **ret_db) {
    char sql[SQLITE_SQL_MAX];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(s->path, ret_db, flags, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_busy_timeout(*ret_db, SQLITE_BUSY_TIMEOUT_MS);
    snprintf(sql, sizeof sql,
             "PRAGMA foreign_keys = off; PRAGMA trusted_schema = off; PRAGMA temp_store = memory;"
             "PRAGMA synchronous = full; PRAGMA cache_size = %d; PRAGMA query_only = %s;"
             "PRAGMA journal_size_limit = 67108864;",
             writer ? -32768 : -8192, writer ? "off" : "on");
    rc = sqlite3_exec(*ret_db, sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK && writer && s->options.pages_max) {
        snprintf(sql, sizeof sql, "PRAGMA max_page_count = %d", s->options.pages_max);
        rc = sqlite3_exec(*ret_db, sql, NULL, NULL, NULL);
    }
    return rc;
}

static int set_wal(sqlite3 *db, struct arena *a, struct str *ret_why) {
    sqlite3_stmt *st;
    bool wal = false;
    if (sqlite3_prepare_v2(db, "PRAGMA journal_mode = wal", -1, &st, NULL) == SQLITE_OK) {
        if (sqlite3_step(st) == SQLITE_ROW)
            wal = str_is(str_from((const char *)sqlite3_column_text(st, 0)), "wal");
        if (sqlite3_finalize(st) == SQLITE_OK && wal)
            return 0;
    }
    *ret_why = arena_printf(a, "cannot keep a write-ahead log here: %s (a network file system?)",
                            sqlite3_errmsg(db));
    return ERR_IO;
}

static int open_database(struct sqlite_source *s, struct arena *a, struct str *ret_why) {
    /* Made here and not by SQLite, so that nobody else may read what is in it. One that is there is
     * left alone: closing it would drop the locks of all connections this process has on it. */
    int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    else if (errno != EEXIST)
        return os_error(a, "open", s->path, ret_why);
    struct str why = STR_NONE;
    int r = 0;
    if (connect_db(s, true, &s->db) != SQLITE_OK)
        r = sqlite_failed(s->db, a, "open it", &why);
    if (r == 0)
        r = sqlite_schema_check(s->db, a, &why);
    if (r == 0)
        r = set_wal(s->db, a, &why);
    if (r == 0)
        r = sqlite_schema_prepare(s->db, &s->options, a, &why);
    if (r < 0)
        *ret_why = arena_printf(a, "%s: %.*s", s->path, STR_ARG(why));
    return r;
}

static int open_handle(struct store_source *src, bool writer, struct store **ret_store) {
    struct sqlite_source *s = (struct sqlite_source *)src;
    sqlite3 *db = NULL;
    int rc = connect_db(s, writer, &db);
    if (rc != SQLITE_OK) {
        log_error(s->options.log, "store: cannot open a handle: %s", sqlite3_errmsg(db));
        sqlite3_close(db);
        return sqlite_error(rc);
    }
    if (writer && s->checkpointer)
        sqlite_checkpointer_watch(s->checkpointer, db);
    *ret_store = sqlite_store_new(db, writer, &s->options);
    return 0;
}

static int open_dump(struct store_source *src, struct arena *a, struct store_dump **ret_dump,
                     struct str *ret_why) {
    struct sqlite_source *s = (struct sqlite_source *)src;
    return sqlite_dump_open(s->path, &s->options, a, ret_dump, ret_why);
}

static int open_load(struct store_source *src, struct arena *a, struct store_load **ret_load,
                     struct str *ret_why) {
    struct sqlite_source *s = (struct sqlite_source *)src;
    return sqlite_load_open(s->path, &s->options, a, ret_load, ret_why);
}

int sqlite_source_open(const struct sqlite_options *o, struct arena *a,
                       struct sqlite_source **ret_source, struct str *ret_why) {
    CHECK(o->collection_count <= SQLITE_STORE_COLLECTIONS_MAX);
    /* Its count of all memory, which nobody asks for, costs a lock for each allocation. Refused,
     * and no harm done, once SQLite is in use. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct sqlite_source *s = xcalloc(1, sizeof *s);
    s->port = (struct store_source){.open = open_handle, .dump = open_dump, .load = open_load};
    s->options = *o;
    s->options.dir = strdup(o->dir);
    s->lock_fd = -1;
    CHECK(s->options.dir && asprintf(&s->path, "%s/lorry.db", o->dir) > 0);
    int r = make_dir(o->dir, a, ret_why);
    if (r == 0 && !o->beside)
        r = take_lock(s, a, ret_why);
    if (r == 0)
        r = open_database(s, a, ret_why);
    if (r < 0) {
        sqlite_source_close(s);
        return r;
    }
    if (!o->beside)
        s->checkpointer = sqlite_checkpointer_start(s->db, o);
    *ret_source = s;
    return 0;
}

struct store_source *sqlite_source_port(struct sqlite_source *s) {
    return &s->port;
}

struct sqlite_source *sqlite_source_close(struct sqlite_source *s) {
    if (!s)
        return NULL;
    s->checkpointer = sqlite_checkpointer_stop(s->checkpointer);
    sqlite3_close(s->db);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s->path);
    free((char *)(uintptr_t)s->options.dir);
    free(s);
    return NULL;
}
