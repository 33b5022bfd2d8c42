#include "power_vfs.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/rng.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define FILES_MAX 16

/* A write or (len 0) truncation that has not been synced. */
struct pending {
    struct pending *earlier, *later;
    int64_t at;
    int len;
    int64_t size_before;
    char *old, *new;
};

/* What is pending belongs to the file, not to one of the handles on it: a sync by any is for all.
 */
struct content {
    char path[256];
    struct pending *first, *last;
};

struct power_file {
    sqlite3_file file; /* first: what SQLite sees */
    sqlite3_file *real;
    struct content *content;
};

/* The one disk of this process. */
static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    pthread_mutex_t lock;
    struct content contents[FILES_MAX];
    struct power_file *handles[FILES_MAX];
    int64_t ops_left;
    bool fail_syncs;
    struct rng rng;
    char shm_path[256];
} disk;

static struct power_file *self(sqlite3_file *f) {
    return (struct power_file *)f;
}

static void forget(struct content *f) {
    while (f->first) {
        struct pending *p = f->first;
        f->first = p->later;
        free(p->old);
        free(p->new);
        free(p);
    }
    f->last = NULL;
}

static void remember(struct power_file *f, const void *bytes, int len, int64_t at) {
    struct pending *p = xcalloc(1, sizeof *p);
    p->at = at;
    p->len = len;
    f->real->pMethods->xFileSize(f->real, (sqlite3_int64 *)&p->size_before);
    p->old = xcalloc(1, (size_t)len + 1);
    p->new = xcalloc(1, (size_t)len + 1);
    if (bytes)
        memcpy(p->new, bytes, (size_t)len);
    f->real->pMethods->xRead(f->real, p->old, len, at); /* short reads leave zeros */
    struct content *c = f->content;
    p->earlier = c->last;
    *(c->last ? &c->last->later : &c->first) = p;
    c->last = p;
}

/* Takes back every write of F, then lets some through again, whole or torn. */
static void lose(struct power_file *f) {
    const sqlite3_io_methods *m = f->real->pMethods;
    struct content *c = f->content;
    for (struct pending *p = c->last; p; p = p->earlier) {
        if (p->len > 0)
            CHECK(m->xWrite(f->real, p->old, p->len, p->at) == SQLITE_OK);
        CHECK(m->xTruncate(f->real, p->size_before) == SQLITE_OK);
    }
    bool none = rng_below(&disk.rng, 3) == 0;
    for (struct pending *p = c->first; p && !none; p = p->later) {
        uint64_t fate = rng_below(&disk.rng, 4);
        int len = fate == 1 ? (int)rng_below(&disk.rng, 9) * SECTOR : p->len;
        if (fate == 0 || p->len == 0)
            continue;
        CHECK(m->xWrite(f->real, p->new, len < p->len ? len : p->len, p->at) == SQLITE_OK);
    }
    forget(c);
}

/* Counts an operation, with the lock held. False: it must fail. */
static bool operate(bool sync) {
    if (disk.ops_left > 0 && --disk.ops_left == 0) {
        if (!disk.fail_syncs) {
            for (int i = 0; i < FILES_MAX; i++)
                if (disk.handles[i])
                    lose(disk.handles[i]);
            unlink(disk.shm_path); /* memory, really */
            _exit(0);
        }
    }
    return !(sync && disk.fail_syncs && disk.ops_left == 0);
}

/* --- a file ----------------------------------------------------------------------------------- */

static int file_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at) {
    struct power_file *f = self(file);
    pthread_mutex_lock(&disk.lock);
    operate(false);
    remember(f, bytes, len, at);
    int rc = f->real->pMethods->xWrite(f->real, bytes, len, at);
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
    struct power_file *f = self(file);
    sqlite3_int64 before = 0;
    pthread_mutex_lock(&disk.lock);
    operate(false);
    f->real->pMethods->xFileSize(f->real, &before);
    if (before > size) /* remembered as a write of what is cut off, which never comes back */
        remember(f, NULL, (int)(before - size), size);
    int rc = f->real->pMethods->xTruncate(f->real, size);
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int file_sync(sqlite3_file *file, int flags) {
    struct power_file *f = self(file);
    int rc = SQLITE_IOERR_FSYNC;
    pthread_mutex_lock(&disk.lock);
    if (operate(true)) {
        forget(f->content); /* to be safe on the real disk is not asked: only this process ends */
        rc = SQLITE_OK;
    }
    (void)flags;
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int file_close(sqlite3_file *file) {
    struct power_file *f = self(file);
    pthread_mutex_lock(&disk.lock);
    for (int i = 0; i < FILES_MAX; i++)
        if (disk.handles[i] == f)
            disk.handles[i] = NULL;
    int rc = f->real->pMethods->xClose(f->real);
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int file_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at) {
    return self(file)->real->pMethods->xRead(self(file)->real, to, len, at);
}
static int file_size(sqlite3_file *file, sqlite3_int64 *ret) {
    return self(file)->real->pMethods->xFileSize(self(file)->real, ret);
}
static int file_lock(sqlite3_file *file, int level) {
    return self(file)->real->pMethods->xLock(self(file)->real, level);
}
static int file_unlock(sqlite3_file *file, int level) {
    return self(file)->real->pMethods->xUnlock(self(file)->real, level);
}
static int file_reserved(sqlite3_file *file, int *ret) {
    return self(file)->real->pMethods->xCheckReservedLock(self(file)->real, ret);
}
static int file_control(sqlite3_file *file, int op, void *arg) {
    return self(file)->real->pMethods->xFileControl(self(file)->real, op, arg);
}
static int file_sector(sqlite3_file *file) {
    (void)file;
    return SECTOR;
}
static int file_traits(sqlite3_file *file) {
    (void)file;
    return 0; /* promises nothing, so SQLite must take every care */
}
static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret) {
    return self(file)->real->pMethods->xShmMap(self(file)->real, page, size, extend, ret);
}
static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    return self(file)->real->pMethods->xShmLock(self(file)->real, offset, n, flags);
}
static void file_shm_barrier(sqlite3_file *file) {
    self(file)->real->pMethods->xShmBarrier(self(file)->real);
}
static int file_shm_unmap(sqlite3_file *file, int remove) {
    return self(file)->real->pMethods->xShmUnmap(self(file)->real, remove);
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* --- the disk --------------------------------------------------------------------------------- */

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *ret_flags) {
    struct power_file *f = self(file);
    (void)vfs;
    *f = (struct power_file){.real = (sqlite3_file *)(f + 1)};
    int rc = disk.real->xOpen(disk.real, name, f->real, flags, ret_flags);
    if (rc != SQLITE_OK)
        return rc;
    f->file.pMethods = &file_methods;
    pthread_mutex_lock(&disk.lock);
    int i = 0, c = 0;
    CHECK(name); /* no temporary files */
    while (i < FILES_MAX && disk.handles[i])
        i++;
    while (c < FILES_MAX && disk.contents[c].path[0] && strcmp(disk.contents[c].path, name) != 0)
        c++;
    CHECK(i < FILES_MAX && c < FILES_MAX && strlen(name) + 5 < sizeof disk.shm_path);
    memcpy(disk.contents[c].path, name, strlen(name) + 1);
    f->content = &disk.contents[c];
    disk.handles[i] = f;
    if (flags & SQLITE_OPEN_MAIN_DB)
        stpcpy(stpcpy(disk.shm_path, name), "-shm");
    pthread_mutex_unlock(&disk.lock);
    return SQLITE_OK;
}

static void install(int64_t ops) {
    disk.ops_left = ops;
    if (disk.real)
        return;
    pthread_mutex_init(&disk.lock, NULL);
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = "power";
    disk.vfs.pNext = NULL;
    disk.vfs.szOsFile = disk.real->szOsFile + (int)sizeof(struct power_file);
    disk.vfs.xOpen = disk_open;
    CHECK(sqlite3_vfs_register(&disk.vfs, 1) == SQLITE_OK);
}

void power_vfs_install(int64_t ops, uint64_t seed) {
    install(ops);
    rng_seed(&disk.rng, seed);
}

void power_vfs_fail_syncs(int64_t ops) {
    install(ops);
    disk.fail_syncs = true;
}

void power_vfs_repair(void) {
    pthread_mutex_lock(&disk.lock);
    disk.fail_syncs = false;
    disk.ops_left = 0;
    pthread_mutex_unlock(&disk.lock);
}
