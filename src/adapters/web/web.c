/* A map from address to file; a file's compressed forms hang on it. At the start only the folder is
 * listed; a file's bytes, with those of its compressed forms, are read by whoever asks for it
 * first, behind the file's lock. They are on the heap, owned by the file, and never change: answers
 * point at them from any thread.
 */
#include "adapters/web/web.h"

#include "base/check.h"
#include "base/err.h"
#include "base/map.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ETAG_MAX 40
#define FACE_MAX 32 /* bytes of an address's first part, with its slash */
#define HASH_SEED 0x3eb

enum encoding { PLAIN, BROTLI, GZIP, ENCODINGS };
static const char *const suffixes[ENCODINGS] = {"", ".br", ".gz"};
static const char *const encoding_names[ENCODINGS] = {NULL, "br", "gzip"};

/* What a file was when the folder was listed: another one, later, belongs to another build. */
struct form {
    bool there;
    size_t size;
    struct timespec changed;
};
struct file {
    char *path; /* "/assets/app-1a2b.js", as it is asked for */
    struct form forms[ENCODINGS];
    const char *content_type;
    pthread_mutex_t lock;
    bool tried;                  /* to read it; under the lock. Then the rest is as it stays */
    struct str bytes[ENCODINGS]; /* without PLAIN there is nothing to send */
    char etag[ETAG_MAX];
};
struct web {
    int dir;
    struct map files; /* by path */
    size_t bytes, count;
    struct file *index;
};

/* Scripts come from here only, and nobody shows our pages in a frame of his. Dialogs write a style
 * that keeps the page behind them still; workers and images are made of blobs by the map. */
#define POLICY                                                                                     \
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "                    \
    "img-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self'; object-src 'none'; " \
    "base-uri 'none'; form-action 'self'; "                                                        \
    "frame-ancestors 'none'"
#define PERMISSIONS "geolocation=(self), camera=(self), microphone=(), payment=()"

/* ---- reading the folder ---- */

static const char *content_type(const char *path) {
    static const struct {
        const char *end, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".woff2", "font/woff2"},
        {".json", "application/json; charset=utf-8"},
        {".webmanifest", "application/manifest+json"},
        {".yaml", "application/yaml"},
        {".txt", "text/plain; charset=utf-8"},
        {".mp3", "audio/mpeg"},
        {".ogg", "audio/ogg"},
    };
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (str_ends(str_from(path), types[i].end))
            return types[i].type;
    }
    return "application/octet-stream";
}

static bool is_form(const struct stat *st, const struct form *form) {
    return S_ISREG(st->st_mode) && (size_t)st->st_size == form->size &&
           st->st_mtim.tv_sec == form->changed.tv_sec &&
           st->st_mtim.tv_nsec == form->changed.tv_nsec;
}

/* The bytes of FORM, which lies at PATH. ERR_IO: it is not what it was, or cannot be read. */
static int read_form(int dir, const char *path, const struct form *form, struct str *ret_bytes) {
    int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return ERR_IO;
    int err = fstat(fd, &st) == 0 && is_form(&st, form) ? 0 : ERR_IO;
    size_t size = err == 0 ? form->size : 0, have = 0;
    char *bytes = xmalloc(size + 1);
    while (err == 0 && have < size) {
        ssize_t n = read(fd, bytes + have, size - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            err = ERR_IO; /* it got shorter while it was read: somebody is writing it */
        else
            have += (size_t)n;
    }
    close(fd);
    if (err < 0)
        free(bytes);
    else
        *ret_bytes = (struct str){bytes, size};
    return err;
}

/* Reads F on first use. True: there is something to send. */
static bool file_read(const struct web *w, struct file *f) {
    pthread_mutex_lock(&f->lock);
    for (int i = 0; i < ENCODINGS && !f->tried; i++) {
        char path[WEB_PATH_MAX + 4];
        snprintf(path, sizeof path, "%s%s", f->path + 1, suffixes[i]);
        if (f->forms[i].there)
            read_form(w->dir, path, &f->forms[i], &f->bytes[i]);
    }
    if (!f->tried && f->bytes[PLAIN].p != NULL)
        snprintf(f->etag, sizeof f->etag, "W/\"%016llx\"",
                 (unsigned long long)str_hash(f->bytes[PLAIN], HASH_SEED));
    f->tried = true;
    pthread_mutex_unlock(&f->lock);
    return f->bytes[PLAIN].p != NULL;
}

static void file_free(struct file *f) {
    pthread_mutex_destroy(&f->lock);
    for (int i = 0; i < ENCODINGS; i++)
        free((void *)(uintptr_t)f->bytes[i].p);
    free(f->path);
    free(f);
}

/* The file at PATH, made if it is not there yet: its compressed form may be met first. */
static struct file *file_at(struct web *w, const char *path, size_t len) {
    struct file *f = map_get(&w->files, (struct str){path, len});
    if (f != NULL)
        return f;
    f = xcalloc(1, sizeof(*f));
    f->path = xcalloc(1, len + 1);
    memcpy(f->path, path, len);
    f->content_type = content_type(f->path);
    pthread_mutex_init(&f->lock, NULL);
    map_put(&w->files, str_from(f->path), f);
    return f;
}

static int take_file(struct web *w, const struct stat *st, const char *path) {
    size_t size = (size_t)st->st_size;
    if (++w->count > WEB_FILES_MAX || size > WEB_BYTES_MAX - w->bytes)
        return ERR_LIMIT;
    w->bytes += size;
    enum encoding e = str_ends(str_from(path), ".br")   ? BROTLI
                      : str_ends(str_from(path), ".gz") ? GZIP
                                                        : PLAIN;
    struct file *f = file_at(w, path, strlen(path) - strlen(suffixes[e]));
    f->forms[e] = (struct form){true, size, st->st_mtim};
    return 0;
}

/* Takes all that lies in the folder FD, which it closes; PATH is what it is called by clients. */
static int take_folder(struct web *w, int fd, const char *path, int depth) {
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL)
        return ERR_IO;
    int err = depth > WEB_DEPTH_MAX ? ERR_LIMIT : 0;
    const struct dirent *entry;
    while (err == 0 && (entry = readdir(dir)) != NULL) {
        char below[WEB_PATH_MAX];
        struct stat st;
        if (entry->d_name[0] == '.')
            continue; /* hidden files are nobody's business */
        int n = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (n >= (int)sizeof below ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            err = ERR_IO;
        else if (S_ISDIR(st.st_mode))
            err = take_folder(w, openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY), below,
                              depth + 1);
        else if (S_ISREG(st.st_mode))
            err = take_file(w, &st, below);
    }
    closedir(dir);
    return err;
}

int web_open(const char *dir, struct arena *a, struct web **ret_web, struct str *ret_why) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        *ret_why = arena_printf(a, "cannot read the web app: %s: %s", dir, strerror(errno));
        return ERR_NOT_FOUND;
    }
    struct web *w = xcalloc(1, sizeof(*w));
    map_init(&w->files);
    w->dir = fd;
    int err = take_folder(w, openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "", 0);
    /* Now, since it must be there, and names the files of its own build. */
    w->index = map_get(&w->files, STR("/index.html"));
    if (err == 0 && (w->index == NULL || !file_read(w, w->index)))
        err = ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND)
        *ret_why = arena_printf(a, "this is not the web app: there is no index.html in %s", dir);
    else if (err == ERR_LIMIT)
        *ret_why = arena_printf(a, "%s holds more than a web app: over %d files or %zu MiB", dir,
                                WEB_FILES_MAX, WEB_BYTES_MAX >> 20);
    else if (err < 0)
        *ret_why = arena_printf(a, "cannot read the web app in %s: %s", dir, err_text(err));
    if (err < 0)
        web_close(w);
    else
        *ret_web = w;
    return err;
}

struct web *web_close(struct web *w) {
    if (w == NULL)
        return NULL;
    void *f;
    for (size_t i = 0; map_next(&w->files, &i, &f);)
        file_free(f);
    map_free(&w->files);
    close(w->dir);
    free(w);
    return NULL;
}

/* ---- answering ---- */

/* "; q=0" and "; q=0.0", up to the next comma: not wanted. */
static bool weight_is_zero(struct str parameters) {
    bool zero = false;
    for (size_t i = 0; i < parameters.len && parameters.p[i] != ','; i++) {
        char ch = parameters.p[i];
        if (ch >= '1' && ch <= '9')
            return false;
        zero = zero || ch == '0';
    }
    return zero;
}

/* Does an Accept-Encoding take NAME? "br;q=0" is a no. */
static bool takes(struct str accept, const char *name) {
    size_t len = strlen(name);
    for (size_t i = 0; i + len <= accept.len; i++) {
        bool starts = i == 0 || accept.p[i - 1] == ',' || accept.p[i - 1] == ' ';
        if (!starts || !str_eq_nocase(str_sub(accept, i, len), name))
            continue;
        struct str rest = str_sub(accept, i + len, accept.len);
        if (rest.len == 0 || rest.p[0] == ',' || rest.p[0] == ' ')
            return true;
        if (rest.p[0] == ';')
            return !weight_is_zero(rest);
    }
    return false;
}

static bool of_the_api(struct str path) {
    static const char *const starts[] = {"/v1/",     "/problems/", "/.well-known/",
                                         "/healthz", "/readyz",    "/metrics"};
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        if (str_starts(path, starts[i]))
            return true;
    }
    return str_is(path, "/v1");
}

/* An address of a page, not of a file: its last part has no dot. */
static bool is_page(struct str path) {
    for (size_t i = path.len; i > 0 && path.p[i - 1] != '/'; i--) {
        if (path.p[i - 1] == '.')
            return false;
    }
    return true;
}

/* /book and all below it are book.html, if the build left one: it names that face's own files, so
 * that a browser fetches them with the rest and not after them. */
static const struct file *page_of(const struct web *w, struct str path) {
    char name[FACE_MAX + sizeof "/.html"];
    size_t len = 1;
    while (len < path.len && path.p[len] != '/')
        len++;
    if (len == 1 || len > FACE_MAX)
        return w->index;
    int n = snprintf(name, sizeof name, "%.*s.html", (int)len, path.p);
    CHECK(n > 0 && n < (int)sizeof name);
    struct file *f = map_get(&w->files, str_from(name));
    return f != NULL && file_read(w, f) ? f : w->index;
}

static const struct file *find(const struct web *w, struct str path) {
    if (of_the_api(path))
        return NULL;
    struct file *f = map_get(&w->files, path);
    if (f != NULL && file_read(w, f))
        return f;
    return is_page(path) ? page_of(w, path) : NULL;
}

static void page_headers(struct call *c) {
    struct response *r = &c->response;
    bool tracking = str_starts(c->request.path, "/track/");
    response_header(r, "Content-Security-Policy", STR(POLICY));
    response_header(r, "Permissions-Policy", STR(PERMISSIONS));
    /* The address of a tracking page is its key. */
    response_header(r, "Referrer-Policy", tracking ? STR("no-referrer") : STR("same-origin"));
    if (tracking)
        response_header(r, "X-Robots-Tag", STR("noindex, nofollow"));
}

bool web_answer(const struct web *w, struct call *c) {
    if (!str_is(c->request.method, "GET") && !str_is(c->request.method, "HEAD"))
        return false;
    const struct file *f = find(w, c->request.path);
    if (f == NULL)
        return false;
    struct response *r = &c->response;
    struct str accept = call_header(c, "accept-encoding");
    enum encoding e = PLAIN;
    for (enum encoding each = BROTLI; each < ENCODINGS && e == PLAIN; each++) {
        if (f->bytes[each].p != NULL && takes(accept, encoding_names[each]))
            e = each;
    }
    bool hashed = str_starts(str_from(f->path), "/assets/");
    response_header(r, "Cache-Control",
                    hashed ? STR("public, max-age=31536000, immutable") : STR("no-cache"));
    response_header(r, "ETag", str_from(f->etag));
    response_header(r, "Vary", STR("Accept-Encoding"));
    if (str_ends(str_from(f->path), ".html"))
        page_headers(c);
    if (str_eq(call_header(c, "if-none-match"), str_from(f->etag))) {
        call_empty(c, 304);
        return true;
    }
    if (e != PLAIN)
        response_header(r, "Content-Encoding", str_from(encoding_names[e]));
    r->content_type = f->content_type;
    call_json(c, 200, f->bytes[e]);
    return true;
}
