/* JSON out of a described struct: one walk over the table. */
#include "base/check.h"
#include "json/schema.h"
#include "json/schema_field.h"

#define TEXT_CAP_FIRST 1024 /* a booking fits after one doubling */

static void write_enum(const struct schema_field *f, int32_t value, struct jw *w) {
    CHECK(value > 0);
    for (int32_t i = 1; i < value; i++)
        CHECK(f->names[i] != NULL);
    jw_cstr(w, f->names[value]);
}

static void write_list(const struct schema_field *f, const void *struct_ptr, unsigned mask,
                       struct jw *w) {
    const char *item = *(const char *const *)field_const(f, struct_ptr);
    int32_t count = *count_const(f, struct_ptr);
    jw_array(w);
    for (int32_t i = 0; i < count; i++, item += f->sub->size)
        schema_write(f->sub, item, mask, w);
    jw_end(w);
}

static void write_str_list(const struct schema_field *f, const void *struct_ptr, struct jw *w) {
    const struct str *items = *(const struct str *const *)field_const(f, struct_ptr);
    int32_t count = *count_const(f, struct_ptr);
    jw_array(w);
    for (int32_t i = 0; i < count; i++)
        jw_str(w, items[i]);
    jw_end(w);
}

static void write_value(const struct schema_field *f, const void *struct_ptr, unsigned mask,
                        struct jw *w) {
    const void *at = field_const(f, struct_ptr);
    switch ((enum schema_kind)f->kind) {
    case S_STR:
    case S_LINE:
    case S_ID:
        jw_str(w, *(const struct str *)at);
        return;
    case S_RAW:
        jw_raw(w, *(const struct str *)at);
        return;
    case S_ENUM:
        write_enum(f, *(const int32_t *)at, w);
        return;
    case S_I64:
        jw_i64(w, *(const int64_t *)at);
        return;
    case S_F64:
        jw_f64(w, *(const double *)at);
        return;
    case S_BOOL:
        jw_bool(w, *(const bool *)at);
        return;
    case S_TRI:
        jw_bool(w, *(const int32_t *)at == TRI_TRUE);
        return;
    case S_TIME:
        jw_time(w, *(const int64_t *)at);
        return;
    case S_DEG7:
        jw_deg7(w, *(const int32_t *)at);
        return;
    case S_OBJECT:
        schema_write(f->sub, at, mask, w);
        return;
    case S_OBJECT_PTR:
        schema_write(f->sub, *(const void *const *)at, mask, w);
        return;
    case S_LIST:
        write_list(f, struct_ptr, mask, w);
        return;
    case S_STR_LIST:
        write_str_list(f, struct_ptr, w);
        return;
    }
    UNREACHABLE();
}

static bool is_required_list(const struct schema_field *f) {
    return (f->kind == S_LIST || f->kind == S_STR_LIST) && (f->flags & S_REQUIRED);
}

/* What is kept is read with false for a bool that is not there. */
static bool goes_without_saying(const struct schema_field *f, const void *struct_ptr,
                                unsigned mask) {
    return mask == S_STORE && f->kind == S_BOOL && !*(const bool *)field_const(f, struct_ptr);
}

void schema_write_fields(const struct schema *s, const void *struct_ptr, unsigned mask,
                         struct jw *w) {
    for (int i = 0; i < s->count; i++) {
        const struct schema_field *f = &s->fields[i];
        if (!(f->flags & mask) || goes_without_saying(f, struct_ptr, mask))
            continue;
        if (!schema_absent(f, struct_ptr) || is_required_list(f)) {
            jw_key(w, f->name);
            write_value(f, struct_ptr, mask, w);
        } else if ((f->flags & S_NULL) && (mask & S_OUT)) {
            jw_key(w, f->name);
            jw_null(w);
        }
    }
}

void schema_write(const struct schema *s, const void *struct_ptr, unsigned mask, struct jw *w) {
    jw_object(w);
    schema_write_fields(s, struct_ptr, mask, w);
    jw_end(w);
}

struct str schema_text(const struct schema *s, const void *struct_ptr, unsigned mask,
                       struct arena *a) {
    struct buf text;
    struct jw w;
    buf_init(&text, a, TEXT_CAP_FIRST);
    jw_init(&w, &text);
    schema_write(s, struct_ptr, mask, &w);
    buf_add_char(&text, '\0');
    text.len--;
    return buf_str(&text);
}

void field_errors_write(const struct field_errors *e, struct jw *w) {
    jw_key(w, "errors");
    jw_array(w);
    for (int i = 0; i < e->count; i++) {
        jw_object(w);
        jw_kv_str(w, "pointer", e->items[i].pointer);
        jw_kv_str(w, "detail", e->items[i].detail);
        jw_end(w);
    }
    jw_end(w);
}
