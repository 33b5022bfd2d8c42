/* SQLite's backup API below a read transaction of the source's own connection: then the source
 * never changes under the copy, which would begin again with each commit otherwise. */
#include "adapters/sqlite/sqlite_backup.h"

#include "adapters/sqlite/sqlite_private.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP_PAGES 1024 /* 4 MB between two words on how far it is */

/* --- what is in it ---------------------------------------------------------------------------- */

static int count_rows(sqlite3 *db, struct sqlite_table_rows *t) {
    char sql[SQLITE_SQL_MAX];
    sqlite3_stmt *st;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%.*s\"", STR_ARG(t->name));
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        t->rows = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int name_tables(sqlite3 *db, struct arena *a, struct sqlite_census *c) {
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db,
                                "SELECT name FROM sqlite_schema WHERE type = 'table'"
                                " AND name NOT LIKE 'sqlite%' ORDER BY name",
                                -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW && c->count < SQLITE_TABLES_MAX)
        c->tables[c->count++].name =
            arena_str(a, str_from((const char *)sqlite3_column_text(st, 0)));
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc == SQLITE_ROW ? SQLITE_TOOBIG : rc;
}

static int take_census(sqlite3 *db, struct arena *a, struct sqlite_census *ret) {
    sqlite3_stmt *st;
    *ret = (struct sqlite_census){0};
    int rc = name_tables(db, a, ret);
    for (int32_t i = 0; rc == SQLITE_OK && i < ret->count; i++)
        rc = count_rows(db, &ret->tables[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "SELECT max(version) FROM schema_version", -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        ret->schema = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int sqlite_census_take(sqlite3 *db, struct arena *a, struct sqlite_census *ret,
                       struct str *ret_why) {
    return take_census(db, a, ret) == SQLITE_OK
               ? 0
               : sqlite_failed(db, a, "count what is in it", ret_why);
}

struct str sqlite_census_stranger(const struct sqlite_census *c,
                                  const struct store_collection *const *collections, int count) {
    for (int32_t i = 0; i < c->count; i++) {
        bool known = sqlite_schema_own(c->tables[i].name) || c->tables[i].rows == 0;
        for (int n = 0; !known && n < count; n++)
            known = str_is(c->tables[i].name, collections[n]->name);
        if (!known)
            return c->tables[i].name;
    }
    return STR_NONE;
}

/* --- the copy --------------------------------------------------------------------------------- */

static int open_source(const char *dir, struct arena *a, sqlite3 **ret_db, struct str *ret_why) {
    char *path = arena_cstr(a, arena_printf(a, "%s/lorry.db", dir));
    if (access(path, F_OK) != 0) {
        *ret_why = arena_printf(a, "there is no database %s: %s", path, strerror(errno));
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    int r = sqlite_snapshot_open(path, a, ret_db, ret_why);
    if (r < 0)
        *ret_why = arena_printf(a, "%s: %.*s", path, STR_ARG(*ret_why));
    return r;
}

int sqlite_snapshot_open(const char *path, struct arena *a, sqlite3 **ret_db, struct str *ret_why) {
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int r = 0, rc = sqlite3_open_v2(path, ret_db, flags, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(*ret_db, SQLITE_BUSY_TIMEOUT_MS);
        rc = sqlite3_exec(*ret_db,
                          "PRAGMA trusted_schema = off; PRAGMA query_only = on;"
                          "PRAGMA cache_size = -8192; PRAGMA temp_store = memory; BEGIN",
                          NULL, NULL, NULL);
    }
    if (rc != SQLITE_OK)
        r = sqlite_failed(*ret_db, a, "open it", ret_why);
    if (r == 0) /* its first read fixes the moment */
        r = sqlite_schema_check(*ret_db, a, ret_why);
    if (r < 0) {
        sqlite3_close(*ret_db);
        *ret_db = NULL;
    }
    return r;
}

static int open_target(const char *to, struct arena *a, sqlite3 **ret_db, struct str *ret_why) {
    int fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        *ret_why = arena_printf(a, "cannot make %s: %s", to, strerror(errno));
        return errno == EEXIST ? ERR_CONFLICT : errno == ENOSPC ? ERR_FULL : ERR_IO;
    }
    close(fd);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(to, ret_db, flags, NULL);
    if (rc == SQLITE_OK) /* a failure leaves nothing that anybody would open: no journal */
        rc = sqlite3_exec(*ret_db, "PRAGMA journal_mode = off; PRAGMA synchronous = off", NULL,
                          NULL, NULL);
    return rc == SQLITE_OK ? 0 : sqlite_failed(*ret_db, a, "open the copy", ret_why);
}

static int copy_pages(sqlite3 *from, sqlite3 *to, sqlite_progress_fn progress, void *arg,
                      struct arena *a, struct str *ret_why) {
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    int rc;
    if (!b)
        return sqlite_failed(to, a, "copy it", ret_why);
    do {
        rc = sqlite3_backup_step(b, STEP_PAGES);
        int64_t all = sqlite3_backup_pagecount(b), left = sqlite3_backup_remaining(b);
        if (progress)
            progress(arg, (all - left) * 4096, all * 4096);
        if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
            sqlite3_sleep(10);
    } while (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED);
    rc = sqlite3_backup_finish(b);
    if (rc == SQLITE_OK) /* what was copied says that a log lies beside it */
        rc = sqlite3_exec(to, "PRAGMA journal_mode = delete", NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : sqlite_failed(to, a, "copy it", ret_why);
}

static int make_durable(const char *path, struct arena *a, struct str *ret_why) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        *ret_why = arena_printf(a, "cannot make %s durable: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok ? 0 : ERR_IO;
}

int sqlite_copy(const char *dir, const char *to, sqlite_progress_fn progress, void *arg,
                struct arena *a, struct sqlite_census *ret_census, struct str *ret_why) {
    sqlite3 *from = NULL, *copy = NULL;
    int r = open_source(dir, a, &from, ret_why);
    if (r == 0)
        r = sqlite_census_take(from, a, ret_census, ret_why);
    if (r == 0)
        r = open_target(to, a, &copy, ret_why);
    if (r == 0)
        r = copy_pages(from, copy, progress, arg, a, ret_why);
    sqlite3_close(copy);
    sqlite3_close(from);
    return r < 0 ? r : make_durable(to, a, ret_why);
}

/* --- the look at a copy ----------------------------------------------------------------------- */

static int check_sound(sqlite3 *db, struct arena *a, struct str *ret_why) {
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &st, NULL);
    if (rc != SQLITE_OK)
        return sqlite_failed(db, a, "check it", ret_why);
    rc = sqlite3_step(st);
    struct str says =
        rc == SQLITE_ROW ? str_from((const char *)sqlite3_column_text(st, 0)) : STR("");
    int r = 0;
    if (rc != SQLITE_ROW) {
        r = sqlite_failed(db, a, "check it", ret_why);
    } else if (!str_is(says, "ok")) {
        *ret_why = arena_printf(a, "it is damaged: %.*s", STR_ARG(says));
        r = ERR_CORRUPT;
    }
    sqlite3_finalize(st);
    return r;
}

int sqlite_copy_check(const char *path, struct arena *a, struct sqlite_census *ret_census,
                      struct str *ret_why) {
    sqlite3 *db = NULL;
    struct buf uri;
    buf_init(&uri, a, 256);
    buf_add_cstr(&uri, "file:"); /* a path may hold what means something in a URI */
    for (const char *p = path; *p; p++)
        buf_printf(&uri, strchr("%?#", *p) ? "%%%02x" : "%c", (unsigned char)*p);
    buf_add_cstr(&uri, "?immutable=1");
    buf_add_char(&uri, 0);
    int flags =
        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int r = 0;
    if (sqlite3_open_v2(uri.p, &db, flags, NULL) != SQLITE_OK)
        r = sqlite_failed(db, a, "open it", ret_why);
    if (r == 0)
        r = sqlite_schema_check(db, a, ret_why);
    if (r == 0)
        r = check_sound(db, a, ret_why);
    if (r == 0)
        r = sqlite_census_take(db, a, ret_census, ret_why);
    sqlite3_close(db);
    if (r < 0)
        *ret_why = arena_printf(a, "%s: %.*s", path, STR_ARG(*ret_why));
    return r;
}
