/* The service area over HTTP. If-Match counts the versions as they are shown: 1 is the setting's,
 * for which there is no document, so it is looked at here and not left to the executor. */
#include "runtime/audit.h"
#include "services/booking/internal.h"

#include <stddef.h>

/* ---- PUT /v1/service-area ---- */

/* The reader of JSON knows no lists in lists: the shape is told here, and read by hand. */
struct area_body {
    struct str shape;
    struct str area; /* normalised GeoJSON; absent: any place is to be served */
};
static const struct schema_field body_fields[] = {
    {"area", S_RAW, S_OUT | S_REQUIRED, .offset = offsetof(struct area_body, shape)},
};
const struct schema area_body_schema = SCHEMA(struct area_body, "ServiceAreaRequest", body_fields);

void check_area(struct call *c, const void *body, struct field_errors *errors) {
    (void)body;
    struct area_body *b = c->body;
    struct json_value v;
    struct area area;
    if (errors->count > 0)
        return;
    if (!json_get(c->json, "area", &v)) {
        field_errors_add(errors, &c->arena, STR("/area"), "is required");
        return;
    }
    if (json_kind(v) == JSON_IS_NULL ||
        area_read(v, STR("/area"), true, &c->arena, &area, errors) < 0)
        return;
    struct buf text;
    struct jw w;
    buf_init(&text, &c->arena, 4096);
    jw_init(&w, &text);
    area_write(&w, &area);
    b->area = buf_str(&text);
}

static struct str area_json(int64_t number, int64_t updated_at_us, struct str updated_by,
                            struct str area, bool staff, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, area.len + 128);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_i64(&w, "version", number);
    jw_kv_time(&w, "updated_at", updated_at_us);
    if (staff)
        jw_kv_str(&w, "updated_by", updated_by);
    jw_key(&w, "area");
    if (area.p != NULL)
        jw_raw(&w, area);
    else
        jw_null(&w);
    jw_end(&w);
    return buf_str(&out);
}

static int load_put(struct command *cmd, struct store *store, int64_t now_us) {
    (void)store;
    (void)now_us;
    if (cmd->facts == NULL) {
        cmd->facts = arena_copy(cmd->arena, &cmd->if_match, sizeof cmd->if_match);
        cmd->if_match = 0;
    }
    return 0;
}

static void decide_put(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                       struct decision *ret) {
    const struct area_doc *old = state;
    const struct area_body *body = cmd->args;
    int64_t if_match = *(const int64_t *)cmd->facts;
    int64_t number = old != NULL ? old->head.version + 1 : 1;
    if (if_match > 0 && if_match != number) {
        decision_problem(ret, cmd, PROBLEM_PRECONDITION_FAILED, "the current version is %lld",
                         (long long)number);
        return;
    }
    struct area_doc *doc = arena_new(ctx->arena, struct area_doc);
    *doc = (struct area_doc){.area = arena_str(ctx->arena, body->area),
                             .updated_at_us = ctx->now_us,
                             .updated_by = arena_str(ctx->arena, cmd->who.user_id)};
    decision_state(ret, cmd, old, doc);
    decision_audit(ret, cmd, ctx, "service_area.changed", old, doc, NULL);
    decision_json(
        ret, 200,
        area_json(number + 1, doc->updated_at_us, doc->updated_by, doc->area, true, ctx->arena));
    decision_etag(ret, cmd, number + 1);
}

static void put_applied(const struct command *cmd, const struct decision *d, const void *state) {
    (void)state;
    struct booking_service *s = cmd->service;
    const struct area_doc *doc = d->state;
    if (doc != NULL)
        area_shelf_written(&s->area, executor_store(cmd->executor), doc->updated_at_us);
}

static const struct command_type area_put = {
    .name = "service_area.put",
    .aggregate = &area_aggregate,
    .load = load_put,
    .decide = decide_put,
    .applied = put_applied,
};

void handle_put_area(struct call *c) {
    call_command(c, &area_put, AREA_DOC_ID, c->body);
}

/* ---- GET /v1/service-area ---- */

void handle_area(struct call *c) {
    struct booking_service *s = c->service;
    struct area_book *book = area_book_take(&s->area);
    struct buf text;
    struct jw w;
    struct str area = STR_NONE;
    if (book->area != NULL) {
        buf_init(&text, &c->arena, 4096);
        jw_init(&w, &text);
        area_write(&w, book->area);
        area = buf_str(&text);
    }
    bool staff = c->who.role == ROLE_DISPATCHER || c->who.role == ROLE_ADMIN;
    struct str json =
        area_json(book->number, book->updated_at_us, book->updated_by, area, staff, &c->arena);
    int64_t number = book->number;
    area_book_give(&s->area, book);
    response_header(&c->response, "Cache-Control", STR("private, no-cache"));
    response_header(&c->response, "ETag", arena_printf(&c->arena, "\"%lld\"", (long long)number));
    call_json(c, 200, json); /* never 304: another file may be version 1 after a restart */
}
