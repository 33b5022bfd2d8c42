/* Each request has a handle of its own, made and dropped on its thread; names that were looked up
 * and TLS sessions are shared. */
#include "adapters/curl/curl_blobs.h"

#include "base/check.h"
#include "base/err.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 30000
#define CONNECT_TIMEOUT_MS 10000
#define REGION_DEFAULT "us-east-1"
#define DEFAULT_CAP ((size_t)64 * 1024)
#define LOCKS CURL_LOCK_DATA_LAST

struct curl_blobs {
    struct blobs blobs;
    struct arena arena;
    char *base;  /* "https://HOST:PORT/BUCKET/PREFIX", no slash at its end */
    char *user;  /* "KEY:SECRET" */
    char *sigv4; /* "aws:amz:REGION:s3" */
    char *ca_file;
    int64_t timeout_ms;
    CURLSH *share;
    pthread_mutex_t locks[LOCKS];
};

/* One request and its answer. */
struct exchange {
    struct curl_blobs *blobs;
    const char *method;
    struct str name, body;
    struct arena *arena; /* of the answer's body; NULL: it is not kept */
    char *bytes;
    size_t len, cap;
    bool too_long;
    long status;
    curl_off_t modified_s;
};

static void share_lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *arg) {
    (void)easy;
    (void)access;
    pthread_mutex_lock(&((struct curl_blobs *)arg)->locks[data]);
}
static void share_unlock(CURL *easy, curl_lock_data data, void *arg) {
    (void)easy;
    pthread_mutex_unlock(&((struct curl_blobs *)arg)->locks[data]);
}

static size_t take_body(char *p, size_t size, size_t count, void *arg) {
    struct exchange *x = arg;
    size_t n = size * count;
    if (x->arena == NULL)
        return n;
    if (n > BLOB_BYTES_MAX - x->len) {
        x->too_long = true;
        return 0;
    }
    if (x->len + n > x->cap) {
        size_t cap = x->cap == 0 ? DEFAULT_CAP : 2 * x->cap;
        while (cap < x->len + n)
            cap *= 2;
        x->bytes = xrealloc(x->bytes, cap);
        x->cap = cap;
    }
    memcpy(x->bytes + x->len, p, n);
    x->len += n;
    return n;
}

static void set_request(CURL *easy, struct exchange *x, struct curl_slist *headers,
                        const char *url) {
    const struct curl_blobs *b = x->blobs;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)b->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_SHARE, b->share);
    curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, b->sigv4);
    curl_easy_setopt(easy, CURLOPT_USERPWD, b->user);
    curl_easy_setopt(easy, CURLOPT_FILETIME, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    if (b->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, b->ca_file);
    if (strcmp(x->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (strcmp(x->method, "GET") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, x->method);
    if (x->body.p != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, x->body.p);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body.len);
    }
}

/* Whatever the server says, an answer is 0 and a status; none is ERR_UNAVAILABLE. */
static int perform(struct exchange *x) {
    char url[2048], sum[128];
    /* The payload's sum is part of what is signed; of a PUT it is the blob's name. */
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    snprintf(url, sizeof url, "%s/%.2s/%.*s", x->blobs->base, x->name.p, (int)x->name.len - 2,
             x->name.p + 2);
    snprintf(sum, sizeof sum, "x-amz-content-sha256: %.*s", BLOB_NAME_LEN,
             x->body.p != NULL ? x->name.p : empty);
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, sum);
    if (headers != NULL && x->body.p != NULL)
        curl_slist_append(headers, "Content-Type: application/octet-stream");
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (easy != NULL && headers != NULL) {
        set_request(easy, x, headers, url);
        code = curl_easy_perform(easy);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &x->status);
        curl_easy_getinfo(easy, CURLINFO_FILETIME_T, &x->modified_s);
    }
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    if (x->too_long)
        return ERR_LIMIT;
    return code == CURLE_OK ? 0 : ERR_UNAVAILABLE;
}

static int verdict(long status) {
    if (status >= 200 && status < 300)
        return 0;
    if (status == 404)
        return ERR_NOT_FOUND;
    if (status == 507)
        return ERR_FULL;
    return status == 401 || status == 403 || status == 400 ? ERR_IO : ERR_UNAVAILABLE;
}

static int request(struct exchange *x) {
    int err = perform(x);
    return err < 0 ? err : verdict(x->status);
}

/* What is there already is put again all the same: that says that it was put now. */
static int s3_put(struct blobs *blobs, struct str name, struct str bytes) {
    struct exchange x = {
        .blobs = (struct curl_blobs *)blobs, .method = "PUT", .name = name, .body = bytes};
    CHECK(blob_name_valid(name));
    int err = request(&x);
    return err == ERR_NOT_FOUND ? ERR_IO : err; /* there is no such bucket */
}

static int s3_get(struct blobs *blobs, struct str name, struct arena *a, struct str *ret_bytes) {
    struct exchange x = {
        .blobs = (struct curl_blobs *)blobs, .method = "GET", .name = name, .arena = a};
    CHECK(blob_name_valid(name));
    int err = request(&x);
    if (err == 0)
        *ret_bytes = arena_str(a, (struct str){x.len > 0 ? x.bytes : "", x.len});
    free(x.bytes);
    return err;
}

static int s3_remove(struct blobs *blobs, struct str name, int64_t younger_s) {
    struct exchange head = {.blobs = (struct curl_blobs *)blobs, .method = "HEAD", .name = name};
    struct exchange gone = {.blobs = (struct curl_blobs *)blobs, .method = "DELETE", .name = name};
    CHECK(blob_name_valid(name));
    int err = request(&head);
    if (err < 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    if (head.modified_s < 0 || (int64_t)head.modified_s + younger_s > (int64_t)time(NULL))
        return ERR_BUSY;
    err = request(&gone);
    return err == ERR_NOT_FOUND ? 0 : err;
}

static void s3_close(struct blobs *blobs) {
    struct curl_blobs *b = (struct curl_blobs *)blobs;
    curl_share_cleanup(b->share);
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&b->locks[i]);
    arena_free(&b->arena);
    free(b);
}
static const struct blobs_ops s3_ops = {s3_put, s3_get, s3_remove, s3_close};

/* ---- its address ---- */

/* "region=R" of QUERY. */
static const char *region_of(const char *query) {
    const char *at = query != NULL ? strstr(query, "region=") : NULL;
    return at != NULL && at[7] != 0 ? at + 7 : REGION_DEFAULT;
}

static char *part(CURLU *u, CURLUPart which, unsigned flags) {
    char *text = NULL;
    return curl_url_get(u, which, &text, flags) == CURLUE_OK ? text : NULL;
}

/* Fills B from the parts of its URL. False: it has not all that is needed. */
static bool read_url(struct curl_blobs *b, const char *scheme, CURLU *u) {
    char *user = part(u, CURLUPART_USER, CURLU_URLDECODE);
    char *secret = part(u, CURLUPART_PASSWORD, CURLU_URLDECODE);
    char *host = part(u, CURLUPART_HOST, 0), *port = part(u, CURLUPART_PORT, 0);
    char *path = part(u, CURLUPART_PATH, 0), *query = part(u, CURLUPART_QUERY, CURLU_URLDECODE);
    bool whole = user != NULL && secret != NULL && host != NULL && path != NULL && path[1] != 0;
    if (whole) {
        size_t len = strlen(path);
        while (len > 0 && path[len - 1] == '/')
            len--;
        b->base = arena_cstr(&b->arena, arena_printf(&b->arena, "%s://%s%s%s%.*s", scheme, host,
                                                     port != NULL ? ":" : "",
                                                     port != NULL ? port : "", (int)len, path));
        b->user = arena_cstr(&b->arena, arena_printf(&b->arena, "%s:%s", user, secret));
        b->sigv4 =
            arena_cstr(&b->arena, arena_printf(&b->arena, "aws:amz:%s:s3", region_of(query)));
        whole = strlen(b->base) < 1024;
    }
    curl_free(user);
    curl_free(secret);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_free(query);
    return whole;
}

static bool parse_url(struct curl_blobs *b, const char *url) {
    bool plain = strncmp(url, "s3+http:", 8) == 0;
    const char *rest = strstr(url, "://");
    if (rest == NULL)
        return false;
    const char *scheme = plain ? "http" : "https";
    struct str whole = arena_printf(&b->arena, "%s%s", scheme, rest);
    CURLU *u = curl_url();
    bool good = curl_url_set(u, CURLUPART_URL, whole.p, 0) == CURLUE_OK && read_url(b, scheme, u);
    curl_url_cleanup(u);
    return good;
}

int curl_blobs_open(const struct curl_blobs_options *o, struct arena *a, struct blobs **ret_blobs,
                    struct str *ret_why) {
    if (o->ca_file != NULL && access(o->ca_file, R_OK) != 0) {
        *ret_why = STR("the file of who may vouch for the bucket's server cannot be read");
        return ERR_INVALID;
    }
    struct curl_blobs *b = xcalloc(1, sizeof *b);
    arena_init(&b->arena, 1024);
    if (!parse_url(b, o->url)) {
        arena_free(&b->arena);
        free(b);
        *ret_why = arena_printf(a, "files cannot be kept there: the address is not of the form "
                                   "s3://KEY:SECRET@HOST/BUCKET");
        return ERR_INVALID;
    }
    b->blobs.ops = &s3_ops;
    b->ca_file = o->ca_file != NULL ? arena_cstr(&b->arena, str_from(o->ca_file)) : NULL;
    b->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS;
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_init(&b->locks[i], NULL);
    b->share = curl_share_init();
    curl_share_setopt(b->share, CURLSHOPT_LOCKFUNC, share_lock);
    curl_share_setopt(b->share, CURLSHOPT_UNLOCKFUNC, share_unlock);
    curl_share_setopt(b->share, CURLSHOPT_USERDATA, b);
    curl_share_setopt(b->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl_share_setopt(b->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    *ret_blobs = &b->blobs;
    return 0;
}
