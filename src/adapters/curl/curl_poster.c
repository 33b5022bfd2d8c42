#include "adapters/curl/curl_poster.h"

#include "adapters/curl/outgoing.h"
#include "base/address.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 15000
#define CONNECT_TIMEOUT_MS 5000

struct curl_poster {
    struct poster poster;
    struct outgoing *outgoing;
    struct arena arena;
    char *ca_file;
    bool allow_private;
    int64_t timeout_ms;
};
struct parcel {
    struct outgoing_job job;
    struct curl_poster *poster;
    struct arena arena;
    char *url;
    struct str body;
    struct curl_slist *headers;
    post_done_fn done;
    void *arg;
    int64_t sent_us;
    bool trusted; /* any address will do */
    bool refused; /* an address that is not public */
    size_t answer_bytes, excerpt_len;
    char excerpt[POST_EXCERPT_MAX + 1];
};

static bool parcel_allows(struct outgoing_job *job, const struct sockaddr *to) {
    struct parcel *p = (struct parcel *)job;
    struct address a = {.b = {[10] = 0xff, [11] = 0xff}};
    if (p->trusted)
        return true;
    if (to->sa_family == AF_INET)
        memcpy(a.b + 12, &((const struct sockaddr_in *)to)->sin_addr, 4);
    else if (to->sa_family == AF_INET6)
        memcpy(a.b, &((const struct sockaddr_in6 *)to)->sin6_addr, 16);
    else
        return false;
    bool open = address_is_public(&a);
    p->refused = p->refused || !open;
    return open;
}

/* Keeps the beginning, and stops reading when it is too much. */
static size_t take_answer(const char *bytes, size_t size, size_t count, void *arg) {
    struct parcel *p = arg;
    size_t n = size * count, room = POST_EXCERPT_MAX - p->excerpt_len;
    memcpy(p->excerpt + p->excerpt_len, bytes, n < room ? n : room);
    p->excerpt_len += n < room ? n : room;
    p->answer_bytes += n;
    return p->answer_bytes > POST_ANSWER_MAX ? 0 : n;
}

static CURLcode parcel_begin(struct outgoing_job *job, CURL *easy) {
    struct parcel *p = (struct parcel *)job;
    const char *protocols = p->trusted ? "https,http" : "https";
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocols);
    if (p->poster->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, p->poster->ca_file);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "Lorry/" LORRY_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, p->headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body.len);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, p->body.p);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, p);
    /* A kept connection would be one whose address was looked at for another post. */
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    return curl_easy_setopt(easy, CURLOPT_URL, p->url);
}

/* What is not a printable character becomes a question mark; half a character at the end goes. */
static void make_printable(char *text) {
    size_t len = strlen(text), whole = len;
    while (whole > 0 && len - whole < 4 && !str_is_utf8((struct str){text, whole}, &(size_t){0}))
        whole--;
    if (str_is_utf8((struct str){text, whole}, &(size_t){0}))
        text[whole] = 0;
    bool sound = str_is_utf8(str_from(text), &(size_t){0});
    for (char *c = text; *c != 0; c++) {
        unsigned char u = (unsigned char)*c;
        if ((u < ' ' && u != '\n') || u == 0x7f || (u >= 0x80 && !sound))
            *c = '?';
    }
}

static void parcel_free(struct parcel *p) {
    curl_slist_free_all(p->headers);
    arena_free(&p->arena);
    free(p);
}

static void parcel_end(struct outgoing_job *job, CURL *easy, CURLcode code, const char *error) {
    struct parcel *p = (struct parcel *)job;
    long status = 0;
    if (easy != NULL)
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    /* An answer that was cut off as too long has a status all the same. */
    bool answered = code == CURLE_OK || p->answer_bytes > POST_ANSWER_MAX;
    struct post_outcome out = {.status = answered ? (int32_t)status : 0,
                               .latency_ms = (int32_t)((clock_mono_us() - p->sent_us) / US_PER_MS)};
    if (!answered && p->refused)
        error = "the receiver's address is not a public one";
    if (!answered)
        snprintf(out.detail, sizeof(out.detail), "%s", error);
    for (size_t i = 0; i < p->excerpt_len; i++)
        p->excerpt[i] = (char)(p->excerpt[i] != 0 ? p->excerpt[i] : '?');
    memcpy(out.excerpt, p->excerpt, p->excerpt_len);
    make_printable(out.excerpt);
    make_printable(out.detail);
    p->done(p->arg, &out);
    parcel_free(p);
}

static bool add_header(struct parcel *p, struct str name, struct str value) {
    struct str line = arena_printf(&p->arena, "%.*s: %.*s", STR_ARG(name), STR_ARG(value));
    for (size_t i = 0; i < line.len; i++) {
        if (line.p[i] < ' ' || line.p[i] > '~')
            return false;
    }
    struct curl_slist *longer = curl_slist_append(p->headers, arena_cstr(&p->arena, line));
    p->headers = longer != NULL ? longer : p->headers;
    return longer != NULL;
}

static int poster_send(struct poster *poster, const struct post *post, post_done_fn done,
                       void *arg) {
    struct curl_poster *own = (struct curl_poster *)poster;
    struct parcel *p = xcalloc(1, sizeof(*p));
    p->poster = own;
    p->done = done;
    p->arg = arg;
    p->sent_us = clock_mono_us();
    p->trusted = own->allow_private || post->trusted;
    p->job = (struct outgoing_job){.timeout_ms = own->timeout_ms,
                                   .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                   .begin = parcel_begin,
                                   .allows = parcel_allows,
                                   .end = parcel_end};
    arena_init(&p->arena, post->body.len + 2048);
    p->url = arena_cstr(&p->arena, post->url);
    p->body = arena_str(&p->arena, post->body);
    bool sound = post->body.len <= POST_BODY_MAX &&
                 add_header(p, STR("Content-Type"), STR("application/json")) &&
                 add_header(p, STR("Expect"), STR("")); /* none */
    for (int32_t i = 0; sound && i < post->header_count; i++)
        sound = add_header(p, post->headers[i].name, post->headers[i].value);
    int err = sound ? outgoing_submit(own->outgoing, &p->job) : ERR_INVALID;
    if (err < 0)
        parcel_free(p);
    return err;
}

static void poster_close(struct poster *poster) {
    struct curl_poster *p = (struct curl_poster *)poster;
    outgoing_close(p->outgoing);
    arena_free(&p->arena);
    free(p);
}
static const struct poster_ops poster_ops = {poster_send, poster_close};

int curl_poster_open(const struct curl_poster_options *o, struct arena *a,
                     struct poster **ret_poster, struct str *ret_why) {
    (void)a;
    if (o->ca_file != NULL && access(o->ca_file, R_OK) != 0) {
        *ret_why = STR("the file of who may vouch for webhooks' receivers cannot be read");
        return ERR_INVALID;
    }
    struct curl_poster *p = xcalloc(1, sizeof(*p));
    arena_init(&p->arena, 512);
    p->poster = (struct poster){&poster_ops, CURL_POSTER_UNDER_WAY_MAX, CURL_POSTER_EACH_MAX};
    p->ca_file = o->ca_file != NULL ? arena_cstr(&p->arena, str_from(o->ca_file)) : NULL;
    p->allow_private = o->allow_private;
    p->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS;
    p->outgoing = outgoing_open(CURL_POSTER_UNDER_WAY_MAX);
    if (p->outgoing == NULL) {
        arena_free(&p->arena);
        free(p);
        *ret_why = STR("the thread for webhooks cannot be started");
        return ERR_LIMIT;
    }
    *ret_poster = &p->poster;
    return 0;
}
