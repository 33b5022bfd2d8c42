/* A driver's documents: what he must show to drive (a licence, insurance, …), as he sends it and as
 * the office finds it. They lie in his document, so that what follows from them is decided with his
 * duty and his claim, in one change.
 *
 *   he sends one ──▶ submitted ──▶ approved ──▶ expired        of each kind at most one that holds
 *                        └───────▶ rejected                    (or held), and a newer one that
 * waits
 *
 * Before one that holds expires he is reminded, 30, 7 and 1 days ahead. Once it has, he is
 * suspended (`lapsed`), by the wake-up of his document, and is approved again as soon as nothing is
 * lacking any more. An administrator's own suspension is lifted only by one.
 *
 * The file is attached to him (ports/files.h) before it is named here, and released by the change
 * that drops the name.
 */
#include "services/driver/documents.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "runtime/audit.h"

#include <string.h>

static const int64_t reminder_days[] = {30, 7, 1};

void documents_copy(struct driver *copy, struct arena *a) {
    const struct document *old = copy->documents;
    copy->documents = arena_array(a, struct document, DOCUMENTS_MAX);
    for (int32_t i = 0; i < copy->document_count; i++) {
        struct document *d = &copy->documents[i];
        *d = old[i];
        d->id = arena_str(a, d->id);
        d->kind = arena_str(a, d->kind);
        d->file_id = arena_str(a, d->file_id);
        d->reason = arena_str(a, d->reason);
        d->reviewed_by = arena_str(a, d->reviewed_by);
    }
}

/* ---- kinds ---- */

/* Calls for each kind of KINDS ("licence,insurance"): the next one of *REST. */
static bool next_kind(struct str *rest, struct str *ret_kind) {
    if (rest->len == 0)
        return false;
    size_t len = 0;
    while (len < rest->len && rest->p[len] != ',')
        len++;
    *ret_kind = str_sub(*rest, 0, len);
    *rest = str_sub(*rest, len + 1, rest->len);
    return true;
}

static bool is_kind(const struct driver_service *s, struct str wanted) {
    struct str kind;
    for (struct str rest = s->o.document_kinds; next_kind(&rest, &kind);) {
        if (str_eq(kind, wanted))
            return true;
    }
    return false;
}

/* ---- what follows from them ---- */

/* The one of KIND that holds or held last; NULL: none was ever approved. */
static struct document *holding(const struct driver *d, struct str kind) {
    for (int32_t i = 0; i < d->document_count; i++) {
        struct document *doc = &d->documents[i];
        bool counts = doc->state == DOCUMENT_APPROVED || doc->state == DOCUMENT_EXPIRED;
        if (counts && str_eq(doc->kind, kind))
            return doc;
    }
    return NULL;
}

static bool is_over(const struct document *doc, int64_t now_us) {
    return doc->state == DOCUMENT_EXPIRED ||
           (doc->expires_at_us != 0 && doc->expires_at_us <= now_us);
}

struct str documents_lack(const struct driver_service *s, const struct driver *d, int64_t now_us,
                          const char **ret_why) {
    struct str kind;
    for (struct str rest = s->o.document_kinds; next_kind(&rest, &kind);) {
        const struct document *doc = holding(d, kind);
        if (doc != NULL ? !is_over(doc, now_us) : !s->o.documents_required)
            continue;
        *ret_why = doc != NULL ? "has expired" : "is missing";
        return kind;
    }
    return STR_NONE;
}

bool documents_refuse(const struct command *cmd, const struct driver *d, int64_t now_us,
                      struct decision *ret) {
    const char *why;
    struct str kind = documents_lack(cmd->service, d, now_us, &why);
    if (kind.p == NULL)
        return false;
    decision_problem(ret, cmd, PROBLEM_DOCUMENTS_LACKING, "%.*s %s", STR_ARG(kind), why);
    return true;
}

static void suspend(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                    struct str reason, struct decision *ret) {
    d->status = STATUS_SUSPENDED;
    d->status_reason = reason;
    d->lapsed = true;
    driver_off_duty(d, "suspended", cmd, ctx, ret);
    struct ev_notice told = {.kind = STR("suspended"), .reason = reason, .days = I64_ABSENT};
    driver_notice(d, &told, cmd, ctx, ret);
}

static void lift(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                 struct decision *ret) {
    d->status = STATUS_APPROVED;
    d->status_reason = STR_NONE;
    d->lapsed = false;
    driver_notice(d, &(struct ev_notice){.kind = STR("approved"), .days = I64_ABSENT}, cmd, ctx,
                  ret);
}

void documents_settle(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                      struct decision *ret) {
    const char *why;
    struct str kind = documents_lack(cmd->service, d, ctx->now_us, &why);
    if (kind.p != NULL && d->status == STATUS_APPROVED)
        suspend(cmd, ctx, d, arena_printf(ctx->arena, "%.*s %s", STR_ARG(kind), why), ret);
    else if (kind.p == NULL && d->status == STATUS_SUSPENDED && d->lapsed)
        lift(cmd, ctx, d, ret);
    else if (kind.p == NULL && d->vehicle != NULL)
        driver_approve(cmd, ctx, d);
}

/* ---- wake-ups ---- */

/* When to remind next of what expires at EXPIRES_US, 0: not any more. */
static int64_t remind_at(int64_t expires_us, int64_t now_us) {
    for (size_t i = 0; expires_us != 0 && i < COUNT_OF(reminder_days); i++) {
        int64_t at_us = expires_us - reminder_days[i] * US_PER_DAY;
        if (at_us > now_us)
            return at_us;
    }
    return 0;
}

int64_t documents_wake_at(const struct driver *d) {
    int64_t first_us = 0;
    for (int32_t i = 0; i < d->document_count; i++) {
        const struct document *doc = &d->documents[i];
        int64_t at_us = doc->remind_at_us != 0 ? doc->remind_at_us : doc->expires_at_us;
        if (doc->state == DOCUMENT_APPROVED && at_us != 0 && (first_us == 0 || at_us < first_us))
            first_us = at_us;
    }
    return first_us;
}

static void tell(const struct command *cmd, const struct decide_ctx *ctx, const struct driver *d,
                 const struct document *doc, const char *kind, bool office, struct decision *ret) {
    const struct driver_service *s = cmd->service;
    struct ev_notice told = {.kind = str_from(kind),
                             .at_us = doc->expires_at_us,
                             .document = doc->kind,
                             .reason = doc->reason,
                             .days = I64_ABSENT,
                             .office = office,
                             .office_only = doc->state == DOCUMENT_SUBMITTED};
    if (doc->expires_at_us != 0) {
        struct zone_time local;
        zone_local(&s->zone, doc->expires_at_us, &local);
        told.when = arena_printf(ctx->arena, "%04d-%02d-%02d", local.year, local.month, local.day);
        if (doc->expires_at_us > ctx->now_us)
            told.days = (doc->expires_at_us - ctx->now_us + US_PER_DAY - 1) / US_PER_DAY;
    }
    driver_notice(d, &told, cmd, ctx, ret);
}

void documents_wake(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                    struct decision *ret) {
    bool any = false;
    for (int32_t i = 0; i < d->document_count; i++) {
        struct document *doc = &d->documents[i];
        if (doc->state != DOCUMENT_APPROVED)
            continue;
        if (is_over(doc, ctx->now_us)) {
            any = true;
            doc->state = DOCUMENT_EXPIRED;
            doc->remind_at_us = 0;
            tell(cmd, ctx, d, doc, "document_expired", true, ret);
        } else if (doc->remind_at_us != 0 && doc->remind_at_us <= ctx->now_us) {
            doc->remind_at_us = remind_at(doc->expires_at_us, ctx->now_us);
            tell(cmd, ctx, d, doc, "document_expires", true, ret);
        }
    }
    if (any)
        documents_settle(cmd, ctx, d, ret);
}

/* ---- out ---- */

int32_t documents_waiting(const struct driver *d) {
    int32_t count = 0;
    for (int32_t i = 0; i < d->document_count; i++)
        count += d->documents[i].state == DOCUMENT_SUBMITTED;
    return count;
}

static void write_document(struct jw *w, const struct document *doc) {
    schema_write(&document_schema, doc, S_OUT, w);
}

static struct str document_json(const struct document *doc, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 512);
    jw_init(&w, &out);
    write_document(&w, doc);
    return buf_str(&out);
}

static struct str list_json(const struct driver_service *s, const struct driver *d, int64_t now_us,
                            struct arena *a) {
    const char *why = NULL;
    struct buf out;
    struct jw w;
    struct str kind;
    buf_init(&out, a, 2048);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (int32_t i = 0; i < d->document_count; i++)
        write_document(&w, &d->documents[i]);
    jw_end(&w);
    jw_key(&w, "kinds");
    jw_array(&w);
    for (struct str rest = s->o.document_kinds; next_kind(&rest, &kind);)
        jw_str(&w, kind);
    jw_end(&w);
    jw_key(&w, "required");
    jw_bool(&w, s->o.documents_required);
    kind = documents_lack(s, d, now_us, &why);
    jw_kv_str(&w, "lacking", kind);
    jw_end(&w);
    return buf_str(&out);
}

static void list(struct call *c, struct str id, bool must_exist) {
    static const struct driver nobody = {.status = STATUS_PENDING, .duty = DUTY_OFF};
    const void *state = &nobody;
    void *found;
    int err = id_valid(id, "drv") ? aggregate_get(&driver_aggregate, c->worker->reader,
                                                  c->worker->parser, id, &c->arena, &found)
                                  : ERR_NOT_FOUND;
    if (err < 0 && (err != ERR_NOT_FOUND || must_exist)) {
        call_error(c, err);
        return;
    }
    if (err == 0)
        state = found;
    call_json(c, 200, list_json(c->service, state, c->now_us, &c->arena));
}

void documents_own(struct call *c) {
    list(c, driver_id_of(&c->arena, c->who.user_id), false);
}

void documents_of(struct call *c) {
    list(c, c->params[0], true);
}

/* ---- sending one ---- */

struct submit_args {
    struct document document;
};

/* Takes the document AT out, and lets its file go unless another names it. */
static void drop(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                 int32_t at, struct decision *ret) {
    struct str file_id = d->documents[at].file_id;
    d->document_count--;
    memmove(&d->documents[at], &d->documents[at + 1],
            (size_t)(d->document_count - at) * sizeof(*d->documents));
    for (int32_t i = 0; i < d->document_count; i++) {
        if (str_eq(d->documents[i].file_id, file_id))
            return;
    }
    struct ev_file gone = {.file_id = file_id, .subject = cmd->id};
    decision_event(ret, cmd, ctx, EV_FILE_RELEASED, file_id, &ev_file_schema, &gone);
}

void documents_forget(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                      struct decision *ret) {
    while (d->document_count > 0)
        drop(cmd, ctx, d, d->document_count - 1, ret);
    d->lapsed = false;
}

/* What a new one of KIND takes the place of: another that waits or was refused; and those of kinds
 * that are not asked for any more. */
static void make_room(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                      struct str kind, struct decision *ret) {
    for (int32_t i = d->document_count - 1; i >= 0; i--) {
        const struct document *doc = &d->documents[i];
        bool waits = doc->state == DOCUMENT_SUBMITTED || doc->state == DOCUMENT_REJECTED;
        if ((waits && str_eq(doc->kind, kind)) || !is_kind(cmd->service, doc->kind))
            drop(cmd, ctx, d, i, ret);
    }
    CHECK(d->document_count < DOCUMENTS_MAX); /* two of each kind */
}

static void decide_submit(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct submit_args *args = cmd->args;
    const struct driver *old = state;
    if (driver_gone(cmd, old, ret))
        return;
    struct driver *d = old != NULL ? driver_edit(cmd, ctx, old, ret) : driver_make(cmd, ctx, ret);
    if (old == NULL)
        d->name = arena_str(ctx->arena, cmd->who.name);
    make_room(cmd, ctx, d, args->document.kind, ret);
    struct document *doc = &d->documents[d->document_count++];
    *doc = args->document;
    doc->id = id_new(ctx->arena, "doc", ctx->now_us, ctx->rng);
    doc->state = DOCUMENT_SUBMITTED;
    doc->submitted_at_us = ctx->now_us;
    tell(cmd, ctx, d, doc, "document_submitted", true, ret);
    decision_json(ret, 201, document_json(doc, ctx->arena));
    decision_etag(ret, cmd, d->head.version);
}

static const struct command_type submit_type = {.name = "document.submit",
                                                .aggregate = &driver_aggregate,
                                                .decide = decide_submit,
                                                .applied = driver_applied};

static void on_attached(struct call *c, struct file_claim *claims, int32_t count, void *arg) {
    (void)count;
    struct submit_args *args = arg;
    args->document.file_type = claims[0].type;
    call_command(c, &submit_type, driver_id_of(&c->arena, c->who.user_id), args);
}

void documents_submit(struct call *c) {
    struct driver_service *s = c->service;
    const struct document_body *body = c->body;
    struct submit_args *args = arena_new(&c->arena, struct submit_args);
    args->document = (struct document){
        .kind = body->kind, .file_id = body->file_id, .expires_at_us = body->expires_at_us};
    struct file_claim *claim = arena_new(&c->arena, struct file_claim);
    *claim = (struct file_claim){
        .id = body->file_id, .pointer = "/file_id", .types = FILE_IMAGES | FILE_TYPES(FILE_PDF)};
    s->o.files->ops->attach(s->o.files, c, driver_id_of(&c->arena, c->who.user_id), claim, 1,
                            on_attached, args);
}

static void check_expiry(struct call *c, int64_t expires_us, struct field_errors *errors) {
    if (expires_us != 0 && expires_us <= c->now_us)
        field_errors_add(errors, &c->arena, STR("/expires_at"), "has passed");
    else if (expires_us > c->now_us + 366 * US_PER_DAY * DOCUMENT_YEARS_MAX)
        field_errors_add(errors, &c->arena, STR("/expires_at"), "is more than %d years ahead",
                         DOCUMENT_YEARS_MAX);
}

void document_body_check(struct call *c, const void *data, struct field_errors *errors) {
    const struct driver_service *s = c->service;
    const struct document_body *body = data;
    if (body->kind.p != NULL && !is_kind(s, body->kind))
        field_errors_add(errors, &c->arena, STR("/kind"), "must be one of %.*s",
                         STR_ARG(s->o.document_kinds));
    check_expiry(c, body->expires_at_us, errors);
}

/* ---- looking at one ---- */

struct review_args {
    struct str document_id;
    const struct review_body *body;
};

void review_body_check(struct call *c, const void *data, struct field_errors *errors) {
    const struct review_body *body = data;
    if (body->decision == REVIEW_REJECTED && body->reason.p == NULL)
        field_errors_add(errors, &c->arena, STR("/reason"), "is required to reject");
    if (body->decision == REVIEW_APPROVED)
        check_expiry(c, body->expires_at_us, errors);
}

static int32_t find(const struct driver *d, struct str id) {
    for (int32_t i = 0; i < d->document_count; i++) {
        if (str_eq(d->documents[i].id, id))
            return i;
    }
    return -1;
}

/* Why it cannot be reviewed so, NULL: it can. */
static const char *unfit(const struct document *doc, const struct review_body *body,
                         int64_t now_us) {
    int64_t expires_us = body->expires_at_us != 0 ? body->expires_at_us : doc->expires_at_us;
    if (doc->state == DOCUMENT_EXPIRED)
        return "it has expired: a new one is needed";
    if (body->decision == REVIEW_APPROVED && expires_us != 0 && expires_us <= now_us)
        return "it has expired meanwhile: it can only be rejected";
    return NULL;
}

static void approve_one(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                        int32_t at, struct decision *ret) {
    const struct review_args *args = cmd->args;
    struct document *doc = &d->documents[at];
    if (args->body->expires_at_us != 0)
        doc->expires_at_us = args->body->expires_at_us;
    doc->state = DOCUMENT_APPROVED;
    doc->reason = STR_NONE;
    doc->remind_at_us = remind_at(doc->expires_at_us, ctx->now_us);
    tell(cmd, ctx, d, doc, "document_approved", false, ret);
    struct str kind = doc->kind;
    for (int32_t i = d->document_count - 1; i >= 0; i--) { /* what it follows is history */
        const struct document *other = &d->documents[i];
        bool held = other->state == DOCUMENT_APPROVED || other->state == DOCUMENT_EXPIRED;
        if (held && str_eq(other->kind, kind) && !str_eq(other->id, args->document_id))
            drop(cmd, ctx, d, i, ret);
    }
}

static void decide_review(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    static const char *const members[] = {"documents", "status", "status_reason", "duty", NULL};
    const struct review_args *args = cmd->args;
    const struct driver *old = state;
    if (driver_gone(cmd, old, ret))
        return;
    int32_t at = old != NULL ? find(old, args->document_id) : -1;
    if (at < 0) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such document");
        return;
    }
    const char *why = unfit(&old->documents[at], args->body, ctx->now_us);
    if (why != NULL) {
        decision_problem(ret, cmd, PROBLEM_DOCUMENT_STATE, "%s", why);
        return;
    }
    struct driver *d = driver_edit(cmd, ctx, old, ret);
    struct document *doc = &d->documents[at];
    doc->reviewed_at_us = ctx->now_us;
    doc->reviewed_by = arena_str(ctx->arena, cmd->who.user_id);
    if (args->body->decision == REVIEW_APPROVED) {
        approve_one(cmd, ctx, d, at, ret);
    } else {
        doc->state = DOCUMENT_REJECTED;
        doc->remind_at_us = 0;
        doc->reason = arena_str(ctx->arena, args->body->reason);
        tell(cmd, ctx, d, doc, "document_rejected", false, ret);
    }
    documents_settle(cmd, ctx, d, ret);
    decision_audit(
        ret, cmd, ctx, "driver.document", old, d,
        &(struct audit_more){.kept = true, .only = members, .reason = args->body->reason});
    decision_json(ret, 200, document_json(&d->documents[find(d, args->document_id)], ctx->arena));
    decision_etag(ret, cmd, d->head.version);
}

static const struct command_type review_type = {.name = "document.review",
                                                .aggregate = &driver_aggregate,
                                                .decide = decide_review,
                                                .applied = driver_applied};

void documents_review(struct call *c) {
    struct review_args *args = arena_new(&c->arena, struct review_args);
    *args = (struct review_args){.document_id = c->params[1], .body = c->body};
    if (id_valid(c->params[0], "drv"))
        call_command(c, &review_type, c->params[0], args);
    else
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such driver");
}

/* His papers are his own and the administrators' business, nobody else's. */
bool documents_may_see(void *arg, struct call *c, struct str subject) {
    (void)arg;
    return c->who.role == ROLE_ADMIN ||
           (c->who.role == ROLE_DRIVER && str_eq(driver_id_of(&c->arena, c->who.user_id), subject));
}
