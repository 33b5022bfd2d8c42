/* Prints what the tables of the services say, as JSON, so that test_openapi.py can hold
 * api/openapi.yaml against it: every route with its roles, its flags and the name of its body's
 * schema; every such schema as a JSON Schema, made from the table that decodes the body; every
 * problem there is.
 */
#include "base/check.h"
#include "runtime/runtime_internal.h"
#include "services/auth/auth_service.h"
#include "services/booking/booking_service.h"
#include "services/driver/driver_service.h"
#include "services/files/files_service.h"
#include "services/map/map_service.h"
#include "services/notification/notification_service.h"
#include "json/schema_field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMAS_MAX 128
#define ULID_PATTERN "_[0-7][0-9A-HJKMNP-TV-Z]{25}$"

struct dump {
    struct arena arena;
    struct jw w;
    const struct schema *schemas[SCHEMAS_MAX]; /* met so far; written once all routes are */
    int32_t schema_count;
};

static void kv_cstr(struct jw *w, const char *key, const char *value) {
    jw_key(w, key);
    jw_cstr(w, value);
}

static void kv_bool(struct jw *w, const char *key, bool value) {
    jw_key(w, key);
    jw_bool(w, value);
}

/* ---- schemas ---- */

/* Notes a schema that is referred to. Two with one name could not both be documented. */
static void meet(struct dump *d, const struct schema *s) {
    for (int32_t i = 0; i < d->schema_count; i++) {
        if (d->schemas[i] == s)
            return;
        if (strcmp(d->schemas[i]->name, s->name) == 0) {
            fprintf(stderr, "dump_routes: two different schemas are called %s\n", s->name);
            exit(1);
        }
    }
    CHECK(d->schema_count < SCHEMAS_MAX);
    d->schemas[d->schema_count++] = s;
}

static void write_ref(struct dump *d, const struct schema *sub) {
    meet(d, sub);
    jw_kv_str(&d->w, "$ref", arena_printf(&d->arena, "#/components/schemas/%s", sub->name));
}

static void write_limits(struct jw *w, const struct schema_field *f, const char *low,
                         const char *high) {
    struct limits limits = field_limits(f);
    if (limits.min > INT64_MIN + 1)
        jw_kv_i64(w, low, limits.min);
    if (limits.max < INT64_MAX)
        jw_kv_i64(w, high, limits.max);
}

static void write_enum(struct jw *w, const char *const *names) {
    kv_cstr(w, "type", "string");
    jw_key(w, "enum");
    jw_array(w);
    for (int32_t i = 1; names[i] != NULL; i++)
        jw_cstr(w, names[i]);
    jw_end(w);
}

static void write_id(struct dump *d, const char *prefix) {
    kv_cstr(&d->w, "type", "string");
    jw_kv_str(&d->w, "pattern",
              arena_printf(&d->arena, "^%s" ULID_PATTERN, prefix != NULL ? prefix : "[a-z]+"));
}

static void write_items(struct dump *d, const struct schema_field *f) {
    struct jw *w = &d->w;
    kv_cstr(w, "type", "array");
    write_limits(w, f, "minItems", "maxItems");
    jw_key(w, "items");
    jw_object(w);
    if (f->kind == S_LIST) {
        write_ref(d, f->sub);
    } else {
        kv_cstr(w, "type", "string");
        jw_kv_i64(w, "maxLength", LIST_STR_CHARS_MAX);
    }
    jw_end(w);
}

static void write_field(struct dump *d, const struct schema_field *f) {
    struct jw *w = &d->w;
    switch ((enum schema_kind)f->kind) {
    case S_STR:
    case S_LINE:
        kv_cstr(w, "type", "string");
        write_limits(w, f, "minLength", "maxLength");
        return;
    case S_ID:
        write_id(d, f->hint);
        return;
    case S_ENUM:
        write_enum(w, f->names);
        return;
    case S_I64:
        kv_cstr(w, "type", "integer");
        write_limits(w, f, "minimum", "maximum");
        return;
    case S_F64:
    case S_DEG7:
        kv_cstr(w, "type", "number");
        write_limits(w, f, "minimum", "maximum");
        return;
    case S_BOOL:
    case S_TRI:
        kv_cstr(w, "type", "boolean");
        return;
    case S_TIME:
        kv_cstr(w, "type", "string");
        kv_cstr(w, "format", "date-time");
        return;
    case S_OBJECT:
    case S_OBJECT_PTR:
        write_ref(d, f->sub);
        return;
    case S_LIST:
    case S_STR_LIST:
        write_items(d, f);
        return;
    case S_RAW: /* the handler reads it: any JSON, as far as the table goes */
        return;
    }
    UNREACHABLE();
}

/* Does S describe what a handler reads by hand? Then none of its fields is taken by the reader. */
static bool is_shape_only(const struct schema *s) {
    for (int32_t i = 0; i < s->count; i++) {
        if (s->fields[i].flags & S_IN)
            return false;
    }
    return true;
}

static void write_schema(struct dump *d, const struct schema *s) {
    struct jw *w = &d->w;
    unsigned mask = is_shape_only(s) ? S_OUT : S_IN;
    jw_object(w);
    kv_cstr(w, "type", "object");
    jw_key(w, "required");
    jw_array(w);
    for (int32_t i = 0; i < s->count; i++) {
        if ((s->fields[i].flags & mask) && (s->fields[i].flags & S_REQUIRED))
            jw_cstr(w, s->fields[i].name);
    }
    jw_end(w);
    jw_key(w, "properties");
    jw_object(w);
    for (int32_t i = 0; i < s->count; i++) {
        if (!(s->fields[i].flags & mask))
            continue;
        jw_key(w, s->fields[i].name);
        jw_object(w);
        write_field(d, &s->fields[i]);
        jw_end(w);
    }
    jw_end(w);
    jw_end(w);
}

/* ---- routes and problems ---- */

static void write_route(struct dump *d, const char *service, const struct route_entry *e) {
    struct jw *w = &d->w;
    jw_object(w);
    kv_cstr(w, "service", service);
    kv_cstr(w, "method", e->method);
    kv_cstr(w, "path", e->pattern);
    kv_cstr(w, "operation", e->operation);
    jw_key(w, "roles");
    jw_array(w);
    for (int32_t role = ROLE_NONE + 1; role < ROLE_COUNT; role++) {
        if (e->roles & ROLES(role))
            jw_cstr(w, role_names[role]);
    }
    jw_end(w);
    char scope[SCOPE_NAMES_MAX][SCOPE_TEXT_MAX];
    jw_key(w, "scope");
    if (e->area != AREA_NONE && scope_names(SCOPE(e->area, strcmp(e->method, "GET") != 0), scope))
        jw_cstr(w, scope[0]);
    else
        jw_null(w);
    kv_bool(w, "idempotent", e->flags & ROUTE_IDEMPOTENT);
    kv_bool(w, "if_match", e->flags & ROUTE_IF_MATCH);
    kv_bool(w, "body_optional", e->flags & ROUTE_BODY_OPTIONAL);
    kv_bool(w, "body_file", e->flags & ROUTE_BODY_FILE);
    jw_key(w, "body");
    if (e->body != NULL) {
        meet(d, e->body);
        jw_cstr(w, e->body->name);
    } else {
        jw_null(w);
    }
    jw_end(w);
}

static void write_routes(struct dump *d) {
    const struct service services[] = {auth_service(NULL),   booking_service(NULL),
                                       driver_service(NULL), notification_service(NULL),
                                       map_service(NULL),    files_service(NULL)};
    jw_key(&d->w, "routes");
    jw_array(&d->w);
    for (int32_t i = 0; i < operations_route_count; i++)
        write_route(d, "runtime", &operations_routes[i]);
    for (size_t s = 0; s < COUNT_OF(services); s++) {
        const struct service_def *def = services[s].def;
        for (int32_t i = 0; i < def->route_count; i++)
            write_route(d, def->name, &def->routes[i]);
    }
    jw_end(&d->w);
}

static void write_problems(struct dump *d) {
    struct jw *w = &d->w;
    jw_key(w, "problems");
    jw_array(w);
    for (int32_t i = 0; i < PROBLEM_COUNT; i++) {
        const struct problem_def *p = &problem_table[i];
        jw_object(w);
        kv_cstr(w, "slug", p->slug);
        jw_kv_i64(w, "status", p->status);
        kv_cstr(w, "title", p->title);
        jw_end(w);
    }
    jw_end(w);
}

int main(void) {
    struct dump d = {.schema_count = 0};
    struct buf out;
    arena_init(&d.arena, 65536);
    buf_init(&out, &d.arena, 65536);
    jw_init(&d.w, &out);
    jw_object(&d.w);
    write_routes(&d);
    write_problems(&d);
    jw_key(&d.w, "schemas");
    jw_object(&d.w);
    for (int32_t i = 0; i < d.schema_count; i++) { /* grows while it is walked */
        jw_key(&d.w, d.schemas[i]->name);
        write_schema(&d, d.schemas[i]);
    }
    jw_end(&d.w);
    jw_end(&d.w);
    printf("%.*s\n", (int)out.len, out.p);
    arena_free(&d.arena);
    return fflush(stdout) == 0 ? 0 : 1;
}
