/* An upload on its way: see files_service.h. All its memory is in its call's arena and goes with it
 * from thread to thread. */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "services/files/inspect.h"
#include "services/files/internal.h"

#include <sodium.h>
#include <string.h>

#define DAY_US (INT64_C(24) * 3600 * 1000000)

struct upload {
    struct crew_job job; /* first */
    struct call *call;
    struct files_service *service;
    struct str id;
    struct inspection found;
    struct file_make_args args;
};

static void overloaded(struct call *c) {
    call_problem(c, PROBLEM_OVERLOADED, "too many files wait to be looked at");
}

static bool next_job(struct upload *u, void (*run)(struct crew_job *job, bool closing)) {
    u->job.run = run;
    if (crew_submit(u->service->crew, &u->job) == 0)
        return true;
    overloaded(u->call);
    return false;
}

/* ---- the blob, and the end ---- */

static void put_blob(struct crew_job *job, bool closing) {
    struct upload *u = (struct upload *)job;
    struct blobs *b = u->service->o.blobs;
    int err = closing ? ERR_UNAVAILABLE : b->ops->put(b, u->args.file.sha256, u->found.bytes);
    if (err < 0) {
        log_warn(u->service->o.log, "a file could not be kept: %s", err_text(err));
        call_error(u->call, err);
        return;
    }
    u->service->uploads++;
    u->service->upload_bytes += u->found.bytes.len;
    call_command(u->call, &file_ready_type, u->id, NULL);
}

static void made(struct command *cmd, int result, struct response *response) {
    struct upload *u = cmd->finish_arg;
    if (result < 0) {
        call_error(u->call, result);
    } else if (response->status != 201) {
        u->call->response = *response;
        u->call->reply(u->call);
    } else {
        (void)next_job(u, put_blob);
    }
}

/* ---- looking at it ---- */

static struct str sha256_text(struct arena *a, struct str bytes) {
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1];
    crypto_hash_sha256(hash, (const unsigned char *)bytes.p, bytes.len);
    return arena_str(a, str_from(sodium_bin2hex(hex, sizeof hex, hash, sizeof hash)));
}

static void look(struct crew_job *job, bool closing) {
    struct upload *u = (struct upload *)job;
    struct call *c = u->call;
    struct file *f = &u->args.file;
    const char *why = NULL;
    if (closing) {
        overloaded(c);
        return;
    }
    if (inspect((enum file_type)f->type, c->request.body, &c->arena, &u->found, &why) < 0) {
        struct field_errors errors = {0};
        u->service->refused++;
        field_errors_add(&errors, &c->arena, STR(""), "is no %s as it should be: %s",
                         file_type_names[f->type], why);
        call_invalid(c, &errors);
        return;
    }
    f->sha256 = sha256_text(&c->arena, u->found.bytes);
    f->size = (int64_t)u->found.bytes.len;
    f->width = u->found.width > 0 ? u->found.width : I64_ABSENT;
    f->height = u->found.height > 0 ? u->found.height : I64_ABSENT;
    f->subject = STR_NONE;
    files_step(u->service, c, &file_make_type, u->id, &u->args, made, u);
}

/* ---- the request ---- */

static enum file_type type_of(struct call *c) {
    struct str said = call_header(c, "content-type"), encoding = call_header(c, "content-encoding");
    size_t end = 0;
    while (end < said.len && said.p[end] != ';' && said.p[end] != ' ')
        end++;
    if (encoding.len > 0 && !str_eq_nocase(encoding, "identity"))
        return FILE_NONE;
    for (int i = 1; i < FILE_TYPE_COUNT; i++) {
        if (str_eq_nocase(str_sub(said, 0, end), file_type_names[i]))
            return (enum file_type)i;
    }
    return FILE_NONE;
}

/* The counter lives in the cache, so it may be lost; then the day begins anew. False: replied. */
static bool within_budget(struct files_service *s, struct call *c) {
    int64_t used, until_us;
    if (s->o.bytes_per_day_max == 0)
        return true;
    struct str key = arena_printf(&c->arena, "files:%.*s", STR_ARG(c->who.user_id));
    if (s->o.cache->ops->add(s->o.cache, key, (int64_t)c->request.body.len, DAY_US, c->now_us,
                             &used, &until_us) < 0 ||
        used <= s->o.bytes_per_day_max)
        return true;
    int64_t wait_s = (until_us - c->now_us) / 1000000 + 1;
    call_too_many(c, STR("this account has uploaded as much as a day may have"), (int32_t)wait_s);
    return false;
}

void files_upload(struct call *c) {
    struct files_service *s = c->service;
    enum file_type type = type_of(c);
    if (type == FILE_NONE) {
        call_problem(c, PROBLEM_UNSUPPORTED_TYPE,
                     "the body must be the file itself: image/jpeg, image/png or application/pdf");
        return;
    }
    if (crew_full(s->crew)) {
        overloaded(c);
        return;
    }
    if (!within_budget(s, c))
        return;
    struct upload *u = arena_new(&c->arena, struct upload);
    u->call = c;
    u->service = s;
    u->id = id_new(&c->arena, "fil", c->now_us, c->worker->rng);
    u->args.file.type = type;
    u->args.file.owner_id = c->who.user_id;
    (void)next_job(u, look);
}
