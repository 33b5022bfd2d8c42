/* Files on their way out. */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "services/files/internal.h"

#include <sodium.h>
#include <string.h>

/* Who may see it may not for ever, so nobody keeps it for long. */
#define KEPT_BY_BROWSERS STR("private, max-age=300")

struct fetch {
    struct crew_job job; /* first */
    struct call *call;
    struct files_service *service;
    struct file *file;
    struct str etag;
};

static bool is_whole(struct str bytes, struct str sha256) {
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1];
    crypto_hash_sha256(hash, (const unsigned char *)bytes.p, bytes.len);
    return str_is(sha256, sodium_bin2hex(hex, sizeof hex, hash, sizeof hash));
}

static void not_found(struct call *c) {
    call_problem(c, PROBLEM_NOT_FOUND, "there is no such file");
}

/* A browser must never take it for a page: it is what it was checked to be, or a download. */
static void add_headers(struct call *c, const struct file *f, struct str etag) {
    static const char *const ends[] = {[FILE_JPEG] = "jpg", [FILE_PNG] = "png", [FILE_PDF] = "pdf"};
    struct response *r = &c->response;
    r->content_type = file_type_names[f->type];
    response_header(r, "ETag", etag);
    response_header(r, "Cache-Control", KEPT_BY_BROWSERS);
    response_header(r, "X-Content-Type-Options", STR("nosniff"));
    response_header(r, "Content-Security-Policy", STR("default-src 'none'; sandbox"));
    response_header(r, "Cross-Origin-Resource-Policy", STR("same-origin"));
    response_header(r, "Content-Disposition",
                    arena_printf(&c->arena, "%s; filename=\"%.*s.%s\"",
                                 f->type == FILE_PDF ? "attachment" : "inline", STR_ARG(f->head.id),
                                 ends[f->type]));
}

static void fetch(struct crew_job *job, bool closing) {
    struct fetch *g = (struct fetch *)job;
    struct call *c = g->call;
    struct blobs *b = g->service->o.blobs;
    struct str bytes = STR_NONE;
    int err = closing ? ERR_UNAVAILABLE : b->ops->get(b, g->file->sha256, &c->arena, &bytes);
    if (err == 0 && !is_whole(bytes, g->file->sha256))
        err = ERR_CORRUPT;
    if (err == ERR_NOT_FOUND || err == ERR_CORRUPT) {
        g->service->damaged++;
        log_error(g->service->o.log, "the file %.*s is %s where files are kept",
                  STR_ARG(g->file->head.id), err == ERR_NOT_FOUND ? "missing" : "damaged");
        err = ERR_CORRUPT;
    }
    if (err < 0) {
        call_error(c, err);
        return;
    }
    g->service->served++;
    add_headers(c, g->file, g->etag);
    call_json(c, 200, bytes);
}

static void send_file(struct files_service *s, struct call *c, struct file *f) {
    struct fetch *g = arena_new(&c->arena, struct fetch);
    *g = (struct fetch){.job.run = fetch, .call = c, .service = s, .file = f};
    g->etag = arena_printf(&c->arena, "\"%.*s\"", STR_ARG(f->sha256));
    if (str_eq(call_header(c, "if-none-match"), g->etag)) {
        add_headers(c, f, g->etag);
        c->response.content_type = NULL;
        call_empty(c, 304);
    } else if (crew_submit(s->crew, &g->job) < 0) {
        call_problem(c, PROBLEM_OVERLOADED, "too many files are being read");
    }
}

/* The file ID if it can be had, or NULL: replied. */
static struct file *find(struct call *c, struct str id) {
    void *state;
    if (!id_valid(id, "fil")) {
        not_found(c);
        return NULL;
    }
    int err =
        aggregate_get(&file_aggregate, c->worker->reader, c->worker->parser, id, &c->arena, &state);
    if (err < 0 && err != ERR_NOT_FOUND) {
        call_error(c, err);
        return NULL;
    }
    struct file *f = err == 0 ? state : NULL;
    if (f == NULL || !f->ready || f->dropped_at_us != 0) {
        not_found(c);
        return NULL;
    }
    return f;
}

static bool may_see(const struct files_service *s, struct call *c, const struct file *f) {
    if (str_eq(f->owner_id, c->who.user_id))
        return true;
    for (int32_t i = 0; f->subject.p != NULL && i < s->viewer_count; i++) {
        const struct file_viewer *v = &s->viewers[i];
        if (id_valid(f->subject, v->prefix))
            return v->may_see(v->arg, c, f->subject);
    }
    return false;
}

void files_get(struct call *c) {
    struct files_service *s = c->service;
    struct file *f = find(c, c->params[0]);
    if (f == NULL)
        return;
    if (may_see(s, c, f))
        send_file(s, c, f);
    else
        not_found(c);
}

void files_serve(struct files *port, struct call *c, struct str id, struct str subject) {
    struct file *f = find(c, id);
    if (f == NULL)
        return;
    if (str_eq(f->subject, subject))
        send_file((struct files_service *)port, c, f);
    else
        not_found(c);
}
