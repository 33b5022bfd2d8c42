/* put and remove of the same name exclude each other by a lock on one of 256 folders: else one
 * could find a blob there that the other is about to take away. */
#include "adapters/blobs/blob_folder.h"

#include "base/check.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PART_LEN 2 /* of the name: the folder's; the rest is the file's */

struct blob_folder {
    struct blobs blobs;
    int dir;
};
/* A name's place: its folder, open and locked, and the file's name in it. */
struct place {
    int folder;
    char file[BLOB_NAME_LEN - PART_LEN + 1];
};

static int failed(void) {
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ERR_FULL : ERR_IO;
}

/* Opens the folder of NAME. ERR_NOT_FOUND: there is none, and none shall be made. */
static int place_open(const struct blob_folder *b, struct str name, bool make, struct place *ret) {
    char part[PART_LEN + 1] = {name.p[0], name.p[1], 0};
    CHECK(blob_name_valid(name));
    if (make && mkdirat(b->dir, part, 0700) == 0)
        (void)fsync(b->dir); /* that it failed, the next sync of a file's folder would show */
    int fd = openat(b->dir, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : failed();
    memcpy(ret->file, name.p + PART_LEN, BLOB_NAME_LEN - PART_LEN);
    ret->file[BLOB_NAME_LEN - PART_LEN] = 0;
    ret->folder = fd;
    return 0;
}

static int lock(const struct place *p) {
    int r;
    while ((r = flock(p->folder, LOCK_EX)) < 0 && errno == EINTR) {
    }
    return r < 0 ? ERR_IO : 0;
}

static int write_all(int fd, struct str bytes) {
    size_t at = 0;
    while (at < bytes.len) {
        ssize_t n = write(fd, bytes.p + at, bytes.len - at);
        if (n < 0 && errno != EINTR)
            return failed();
        at += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) < 0 ? failed() : 0;
}

/* Under the lock, so one name for what is not whole yet will do. */
static int write_new(const struct place *p, struct str bytes) {
    char part[sizeof p->file + 4];
    snprintf(part, sizeof part, "%s.tmp", p->file);
    int fd = openat(p->folder, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed();
    int err = write_all(fd, bytes);
    close(fd);
    if (err == 0 && renameat(p->folder, part, p->folder, p->file) < 0)
        err = failed();
    if (err == 0 && fsync(p->folder) < 0)
        err = failed();
    if (err < 0)
        unlinkat(p->folder, part, 0);
    return err;
}

static int folder_put(struct blobs *blobs, struct str name, struct str bytes) {
    struct place p;
    struct stat st;
    int err = place_open((struct blob_folder *)blobs, name, true, &p);
    if (err < 0)
        return err;
    err = lock(&p);
    bool there = err == 0 && fstatat(p.folder, p.file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                 S_ISREG(st.st_mode) && (size_t)st.st_size == bytes.len;
    if (there)
        err = utimensat(p.folder, p.file, NULL, 0) < 0 ? failed() : 0;
    else if (err == 0)
        err = write_new(&p, bytes);
    close(p.folder);
    return err;
}

static int read_file(int fd, struct arena *a, struct str *ret_bytes) {
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return ERR_IO;
    if ((uint64_t)st.st_size > BLOB_BYTES_MAX)
        return ERR_LIMIT;
    size_t len = (size_t)st.st_size, at = 0;
    char *bytes = arena_bytes(a, len + 1);
    while (at < len) {
        ssize_t n = read(fd, bytes + at, len - at);
        if (n == 0 || (n < 0 && errno != EINTR))
            return ERR_IO;
        at += n > 0 ? (size_t)n : 0;
    }
    *ret_bytes = (struct str){bytes, len};
    return 0;
}

static int folder_get(struct blobs *blobs, struct str name, struct arena *a,
                      struct str *ret_bytes) {
    struct place p;
    int err = place_open((struct blob_folder *)blobs, name, false, &p);
    if (err < 0)
        return err;
    int fd = openat(p.folder, p.file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    err = fd >= 0 ? read_file(fd, a, ret_bytes) : errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    if (fd >= 0)
        close(fd);
    close(p.folder);
    return err;
}

static int folder_remove_blob(struct blobs *blobs, struct str name, int64_t younger_s) {
    struct place p;
    struct stat st;
    int err = place_open((struct blob_folder *)blobs, name, false, &p);
    if (err < 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    err = lock(&p);
    if (err == 0 && fstatat(p.folder, p.file, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if ((int64_t)st.st_mtime + younger_s > (int64_t)time(NULL))
            err = ERR_BUSY;
        else if (unlinkat(p.folder, p.file, 0) < 0)
            err = failed();
    }
    close(p.folder);
    return err;
}

static void folder_close(struct blobs *blobs) {
    struct blob_folder *b = (struct blob_folder *)blobs;
    close(b->dir);
    free(b);
}
static const struct blobs_ops folder_ops = {folder_put, folder_get, folder_remove_blob,
                                            folder_close};

int blob_folder_open(const char *dir, struct arena *a, struct blobs **ret_blobs,
                     struct str *ret_why) {
    if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
        *ret_why = arena_printf(a, "cannot make the folder for files %s: %s", dir, strerror(errno));
        return failed();
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || faccessat(fd, ".", W_OK, 0) < 0) {
        *ret_why = arena_printf(a, "cannot use the folder for files %s: %s", dir, strerror(errno));
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    struct blob_folder *b = xcalloc(1, sizeof *b);
    b->blobs.ops = &folder_ops;
    b->dir = fd;
    *ret_blobs = &b->blobs;
    return 0;
}
