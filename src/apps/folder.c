#include "apps/folder.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES ((size_t)256 << 10)

int folder_failed(const char *doing, const char *path, struct arena *a, struct str *ret_why) {
    int code = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ERR_FULL : ERR_IO;
    *ret_why = arena_printf(a, "cannot %s %s: %s", doing, path, strerror(errno));
    return code;
}

bool folder_is_empty(const char *path) {
    DIR *dir = opendir(path);
    if (dir == NULL)
        return errno == ENOENT;
    int entries = 0;
    while (readdir(dir) != NULL && entries <= 2)
        entries++;
    closedir(dir);
    return entries <= 2; /* itself and the one above */
}

int folder_make(const char *path, struct arena *a, struct str *ret_why) {
    char *part = arena_cstr(a, str_from(path));
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return folder_failed("make the folder", part, a, ret_why);
        *p = '/';
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST)
        return folder_failed("make the folder", part, a, ret_why);
    return 0;
}

int folder_sync(const char *path, struct arena *a, struct str *ret_why) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 || fsync(fd) < 0 ? folder_failed("make durable", path, a, ret_why) : 0;
    if (fd >= 0)
        close(fd);
    return r;
}

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *at) {
    (void)st;
    (void)what;
    (void)at;
    remove(path);
    return 0;
}

void folder_remove(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static int write_all(int fd, const char *p, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Reads FROM to its end into the checksum and, unless TO is -1, into TO. */
static int pump(int from, int to, char ret_sha[FOLDER_SHA256_HEX], int64_t *ret_bytes) {
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state sha;
    char *block = xmalloc(BLOCK_BYTES);
    int64_t bytes = 0;
    ssize_t n;
    crypto_hash_sha256_init(&sha);
    while ((n = read(from, block, BLOCK_BYTES)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (to >= 0 && write_all(to, block, (size_t)n) < 0))
            break;
        crypto_hash_sha256_update(&sha, (unsigned char *)block, (unsigned long long)n);
        bytes += n;
    }
    free(block);
    crypto_hash_sha256_final(&sha, hash);
    sodium_bin2hex(ret_sha, FOLDER_SHA256_HEX, hash, sizeof hash);
    *ret_bytes = bytes;
    return n == 0 ? 0 : -1;
}

int folder_digest(const char *path, struct arena *a, char ret_sha[FOLDER_SHA256_HEX],
                  int64_t *ret_bytes, struct str *ret_why) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 || pump(fd, -1, ret_sha, ret_bytes) < 0 ? folder_failed("read", path, a, ret_why)
                                                           : 0;
    if (fd >= 0)
        close(fd);
    return r;
}

/* What is missing above PATH. */
static int make_above(const char *path, struct arena *a, struct str *ret_why) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return 0;
    return folder_make(arena_cstr(a, (struct str){path, (size_t)(slash - path)}), a, ret_why);
}

static int open_new(const char *path) {
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

int folder_copy(const char *from, const char *to, struct arena *a, char ret_sha[FOLDER_SHA256_HEX],
                int64_t *ret_bytes, struct str *ret_why) {
    int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0) {
        bool gone = errno == ENOENT;
        int r = folder_failed("read", from, a, ret_why);
        return gone ? ERR_NOT_FOUND : r;
    }
    int r = make_above(to, a, ret_why), out = r < 0 ? -1 : open_new(to);
    if (r == 0 && (out < 0 || pump(in, out, ret_sha, ret_bytes) < 0 || fsync(out) < 0))
        r = folder_failed("write", to, a, ret_why);
    close(in);
    if (out >= 0)
        close(out);
    return r;
}

int folder_write(const char *path, struct str bytes, struct arena *a, struct str *ret_why) {
    int fd = open_new(path);
    int r = fd < 0 || write_all(fd, bytes.p, bytes.len) < 0 || fsync(fd) < 0
                ? folder_failed("write", path, a, ret_why)
                : 0;
    if (fd >= 0)
        close(fd);
    return r;
}

int folder_read(const char *path, size_t max, struct arena *a, struct str *ret_bytes,
                struct str *ret_why) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        int r = folder_failed("read", path, a, ret_why);
        if (fd >= 0)
            close(fd);
        return r;
    }
    if (st.st_size > (off_t)max) {
        close(fd);
        *ret_why = arena_printf(a, "%s is larger than any of its kind", path);
        return ERR_LIMIT;
    }
    char *bytes = arena_bytes(a, (size_t)st.st_size + 1);
    size_t len = 0;
    ssize_t n = 1;
    while (len < (size_t)st.st_size && (n = read(fd, bytes + len, (size_t)st.st_size - len)) > 0)
        len += (size_t)n;
    int r = n < 0 ? folder_failed("read", path, a, ret_why) : 0;
    close(fd);
    bytes[len] = 0;
    if (r == 0)
        *ret_bytes = (struct str){bytes, len};
    return r;
}

/* --- trees ------------------------------------------------------------------------------------ */

struct walk {
    const char *root;
    int (*each)(void *arg, const char *path);
    void *arg;
    struct arena *a;
    struct str *ret_why;
    int32_t files;
};

static int not_itself(const struct dirent *e) {
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static int walk_folder(struct walk *w, const char *below, int depth);

/* BELOW is the path from the root, "" for the root itself. */
static int walk_entry(struct walk *w, const char *below, const char *name, int depth) {
    char path[FOLDER_PATH_MAX], whole[FOLDER_PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s%s%s", below, *below ? "/" : "", name);
    int m = snprintf(whole, sizeof whole, "%s/%s", w->root, path);
    if (n >= (int)sizeof path || m >= (int)sizeof whole) {
        *w->ret_why = arena_printf(w->a, "a path below %s is too long", w->root);
        return ERR_LIMIT;
    }
    if (lstat(whole, &st) < 0)
        return errno == ENOENT ? 0 : folder_failed("look at", whole, w->a, w->ret_why);
    if (S_ISDIR(st.st_mode))
        return walk_folder(w, path, depth + 1);
    if (!S_ISREG(st.st_mode))
        return 0;
    if (++w->files > FOLDER_FILES_MAX) {
        *w->ret_why = arena_printf(w->a, "more than %d files below %s", FOLDER_FILES_MAX, w->root);
        return ERR_LIMIT;
    }
    return w->each(w->arg, path);
}

static int walk_folder(struct walk *w, const char *below, int depth) {
    struct dirent **entries;
    char whole[FOLDER_PATH_MAX];
    snprintf(whole, sizeof whole, "%s%s%s", w->root, *below ? "/" : "", below);
    if (depth > FOLDER_DEPTH_MAX) {
        *w->ret_why =
            arena_printf(w->a, "%s: folders in more than %d folders", whole, FOLDER_DEPTH_MAX);
        return ERR_LIMIT;
    }
    int count = scandir(whole, &entries, not_itself, alphasort);
    if (count < 0)
        return errno == ENOENT ? 0 : folder_failed("look into", whole, w->a, w->ret_why);
    int r = 0;
    for (int i = 0; i < count; i++) {
        if (r == 0)
            r = walk_entry(w, below, entries[i]->d_name, depth);
        free(entries[i]);
    }
    free(entries);
    return r;
}

int folder_walk(const char *root, int (*each)(void *arg, const char *path), void *arg,
                struct arena *a, struct str *ret_why) {
    struct walk w = {.root = root, .each = each, .arg = arg, .a = a, .ret_why = ret_why};
    return walk_folder(&w, "", 0);
}
