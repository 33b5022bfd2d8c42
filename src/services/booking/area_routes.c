/* The service area over HTTP. If-Match counts the versions as they are shown: 1 is the setting's,
 * for which there is no document, so it is looked at here and not left to the executor. */
#include "base/check.h"
#include "base/err.h"
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

/* What NEXT keeps of OLD and of those before it: the newest, until there are enough of them. */
static void keep_past(const struct area_doc *old, struct arena *a, struct area_doc *next) {
    struct area_past *past = arena_array(a, struct area_past, AREA_PAST_MAX);
    size_t bytes = old->area.len;
    past[0] =
        (struct area_past){old->head.version + 1, old->area, old->updated_at_us, old->updated_by};
    int32_t count = 1;
    for (int32_t i = 0; i < old->past_count && count < AREA_PAST_MAX; i++) {
        bytes += old->past[i].area.len;
        if (bytes > AREA_PAST_BYTES_MAX)
            break;
        past[count++] = old->past[i];
    }
    next->past = past;
    next->past_count = count;
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
    if (old != NULL)
        keep_past(old, ctx->arena, doc);
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
        shelf_written(&s->area, executor_store(cmd->executor), doc->updated_at_us);
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

/* ---- GET /v1/service-area, /v1/service-area/versions ---- */

static bool is_staff(const struct call *c) {
    return c->who.role == ROLE_DISPATCHER || c->who.role == ROLE_ADMIN;
}

static struct str geojson_of(const struct area *area, struct arena *a) {
    struct buf text;
    struct jw w;
    if (area == NULL)
        return STR_NONE;
    buf_init(&text, a, 4096);
    jw_init(&w, &text);
    area_write(&w, area);
    return buf_str(&text);
}

static void reply_area(struct call *c, int64_t newest, const struct area_past *v) {
    struct str json =
        area_json(v->number, v->updated_at_us, v->updated_by, v->area, is_staff(c), &c->arena);
    response_header(&c->response, "Cache-Control", STR("private, no-cache"));
    response_header(&c->response, "ETag", arena_printf(&c->arena, "\"%lld\"", (long long)newest));
    call_json(c, 200, json); /* never 304: another file may be version 1 after a restart */
}

/* All versions that are kept, newest first, in C's arena, at most AREA_PAST_MAX + 2; from the
 * store, so that who has written sees it. 0: replied. */
static int32_t read_versions(struct call *c, struct area_past **ret) {
    struct booking_service *s = c->service;
    struct area_past *list = arena_array(&c->arena, struct area_past, AREA_PAST_MAX + 2);
    void *state = NULL;
    int32_t count = 0;
    int err = aggregate_get(&area_aggregate, c->worker->reader, c->worker->parser, AREA_DOC_ID,
                            &c->arena, &state);
    if (err < 0 && err != ERR_NOT_FOUND) {
        call_error(c, err);
        return 0;
    }
    if (err == 0) {
        const struct area_doc *doc = state;
        list[count++] = (struct area_past){doc->head.version + 1, doc->area, doc->updated_at_us,
                                           doc->updated_by};
        for (int32_t i = 0; i < doc->past_count && i < AREA_PAST_MAX; i++)
            list[count++] = doc->past[i];
    }
    list[count++] = (struct area_past){.number = 1, .area = geojson_of(s->area.house, &c->arena)};
    *ret = list;
    return count;
}

/* The one that counts, from memory; another one by its number. */
void handle_area(struct call *c) {
    struct booking_service *s = c->service;
    int64_t number = 0;
    if (!call_query_i64(c, "version", 1, INT64_C(1) << 40, &number))
        return;
    struct area_book *book = shelf_take(&s->area);
    struct area_past now = {book->number, geojson_of(book->area, &c->arena), book->updated_at_us,
                            arena_str(&c->arena, book->updated_by)};
    shelf_give(&s->area, book);
    if (number == 0 || number == now.number) {
        reply_area(c, now.number, &now);
        return;
    }
    struct area_past *list;
    int32_t count = read_versions(c, &list);
    for (int32_t i = 0; i < count; i++) {
        if (list[i].number == number) {
            reply_area(c, list[0].number, &list[i]);
            return;
        }
    }
    if (count > 0)
        call_problem(c, PROBLEM_NOT_FOUND, "version %lld is not kept", (long long)number);
}

void handle_area_versions(struct call *c) {
    struct area_past *list;
    struct buf out;
    struct jw w;
    int32_t count = read_versions(c, &list);
    if (count == 0)
        return;
    buf_init(&out, &c->arena, 2048);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (int32_t i = 0; i < count; i++) {
        jw_object(&w);
        jw_kv_i64(&w, "version", list[i].number);
        jw_kv_time(&w, "updated_at", list[i].updated_at_us);
        jw_kv_str(&w, "updated_by", list[i].updated_by);
        jw_end(&w);
    }
    jw_end(&w);
    jw_key(&w, "next_cursor"); /* they are few: there is one page */
    jw_null(&w);
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}

/* ---- POST /v1/service-area/preview ---- */

struct outside_count {
    const struct area *area; /* NULL: any place */
    int64_t outside;
};

static void count_outside(const struct booking *b, struct arena *a, void *arg) {
    struct outside_count *n = arg;
    (void)a;
    for (int32_t i = 0; i < b->stop_count && n->area != NULL; i++) {
        if (!area_has(n->area, place_point(&b->stops[i].place))) {
            n->outside++;
            return;
        }
    }
}

void handle_area_preview(struct call *c) {
    const struct area_body *b = c->body;
    struct recent r = {0};
    struct field_errors none = {0};
    struct area area;
    struct outside_count n = {0};
    if (!recent_span(c, &r))
        return;
    if (b->area.p != NULL) {
        CHECK(area_parse(b->area, &c->arena, &area, &none) == 0); /* we wrote it a moment ago */
        n.area = &area;
    }
    int err = recent_walk(c, &r, count_outside, &n);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    struct buf out;
    struct jw w;
    buf_init(&out, &c->arena, 256);
    jw_init(&w, &out);
    jw_object(&w);
    recent_write(&w, &r);
    jw_kv_i64(&w, "outside", n.outside);
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}
