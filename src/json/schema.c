/* Schemas, as far as both directions share them: what absent means, limits by default, and a check
 * of the tables themselves. Reading is in schema_read.c, writing in schema_write.c. Tables are
 * const and the program's; the structs they describe belong to the caller.
 */
#include "json/schema.h"

#include "base/check.h"
#include "json/schema_field.h"

#include <math.h>
#include <string.h>

#define SUB_DEPTH_MAX 16 /* schemas inside schemas */

bool schema_absent(const struct schema_field *f, const void *struct_ptr) {
    const void *at = field_const(f, struct_ptr);
    switch ((enum schema_kind)f->kind) {
    case S_STR:
    case S_LINE:
    case S_ID:
    case S_RAW:
        return ((const struct str *)at)->p == NULL;
    case S_ENUM:
    case S_TRI:
        return *(const int32_t *)at == 0;
    case S_I64:
        return *(const int64_t *)at == I64_ABSENT;
    case S_F64:
        return isnan(*(const double *)at);
    case S_BOOL:
        return false;
    case S_TIME:
        return *(const int64_t *)at == 0;
    case S_DEG7:
        return *(const int32_t *)at == DEG7_ABSENT;
    case S_OBJECT:
        return !(f->flags & S_REQUIRED) && object_blank(f->sub, at);
    case S_OBJECT_PTR:
        return *(void *const *)at == NULL;
    case S_LIST:
    case S_STR_LIST:
        return *(void *const *)at == NULL && *count_const(f, struct_ptr) == 0;
    }
    UNREACHABLE();
}

/* The bytes of a value of KIND, or 0 when they say nothing by themselves. */
static size_t value_size(enum schema_kind kind) {
    switch (kind) {
    case S_I64:
        return sizeof(int64_t);
    case S_F64:
        return sizeof(double);
    case S_DEG7:
        return sizeof(int32_t);
    case S_BOOL:
        return sizeof(bool);
    default:
        return 0;
    }
}

bool object_blank(const struct schema *s, const void *struct_ptr) {
    static const char zeros[sizeof(double)];
    for (int i = 0; i < s->count; i++) {
        const struct schema_field *f = &s->fields[i];
        const void *at = field_const(f, struct_ptr);
        if (f->kind == S_OBJECT) { /* a required one inside does not make this one present */
            if (!object_blank(f->sub, at))
                return false;
            continue;
        }
        size_t size = value_size((enum schema_kind)f->kind);
        if (!schema_absent(f, struct_ptr) && !(size && memcmp(at, zeros, size) == 0))
            return false;
    }
    return true;
}

void field_clear(const struct schema_field *f, void *struct_ptr) {
    void *at = field_at(f, struct_ptr);
    switch ((enum schema_kind)f->kind) {
    case S_STR:
    case S_LINE:
    case S_ID:
    case S_RAW:
        *(struct str *)at = STR_NONE;
        return;
    case S_ENUM:
    case S_TRI:
        *(int32_t *)at = 0;
        return;
    case S_I64:
        *(int64_t *)at = I64_ABSENT;
        return;
    case S_F64:
        *(double *)at = NAN;
        return;
    case S_BOOL:
        *(bool *)at = false;
        return;
    case S_TIME:
        *(int64_t *)at = 0;
        return;
    case S_DEG7:
        *(int32_t *)at = DEG7_ABSENT;
        return;
    case S_OBJECT:
        memset(at, 0, f->sub->size);
        return;
    case S_OBJECT_PTR:
        *(void **)at = NULL;
        return;
    case S_LIST:
    case S_STR_LIST:
        *(void **)at = NULL;
        *count_at(f, struct_ptr) = 0;
        return;
    }
    UNREACHABLE();
}

void schema_clear(const struct schema *s, void *struct_ptr) {
    memset(struct_ptr, 0, s->size);
    for (int i = 0; i < s->count; i++)
        field_clear(&s->fields[i], struct_ptr);
}

struct limits field_limits(const struct schema_field *f) {
    if (f->min != 0 || f->max != 0)
        return (struct limits){f->min, f->max};
    switch ((enum schema_kind)f->kind) {
    case S_STR:
    case S_LINE:
        return (struct limits){1, STRING_CHARS_MAX};
    case S_DEG7:
        return (struct limits){-180, 180};
    case S_LIST:
    case S_STR_LIST:
        return (struct limits){0, LIST_ITEMS_MAX};
    default:
        return (struct limits){I64_ABSENT + 1, INT64_MAX};
    }
}

static size_t field_size(const struct schema_field *f) {
    switch ((enum schema_kind)f->kind) {
    case S_STR:
    case S_LINE:
    case S_ID:
    case S_RAW:
        return sizeof(struct str);
    case S_ENUM:
    case S_TRI:
    case S_DEG7:
        return sizeof(int32_t);
    case S_I64:
    case S_TIME:
    case S_F64:
        return sizeof(int64_t);
    case S_BOOL:
        return sizeof(bool);
    case S_OBJECT:
        return f->sub ? f->sub->size : 0;
    case S_OBJECT_PTR:
    case S_LIST:
    case S_STR_LIST:
        return sizeof(void *);
    }
    return 0;
}

static const char *field_fault(const struct schema *s, const struct schema_field *f) {
    bool wants_sub = f->kind == S_OBJECT || f->kind == S_OBJECT_PTR || f->kind == S_LIST;
    bool is_list = f->kind == S_LIST || f->kind == S_STR_LIST;
    if (f->name == NULL || f->name[0] == '\0')
        return "a field without a name";
    if (f->kind > S_RAW)
        return "an unknown kind";
    if (wants_sub != (f->sub != NULL))
        return "sub is missing, or not for this kind";
    if (f->kind == S_ENUM && (f->names == NULL || f->names[0] != NULL || f->names[1] == NULL))
        return "an enum's names are NULL, then the names, then NULL";
    if ((f->flags & S_ALL) == 0)
        return "a field that is neither in, out nor stored";
    if (f->kind == S_RAW && (f->flags & S_IN))
        return "raw JSON is not taken from clients";
    if (f->min > f->max)
        return "min is over max";
    if (f->offset + field_size(f) > s->size)
        return "offset is outside the struct";
    if (is_list && f->count_offset + sizeof(int32_t) > s->size)
        return "count_offset is outside the struct";
    return NULL;
}

static const char *schema_fault_at(const struct schema *s, int depth) {
    if (depth > SUB_DEPTH_MAX)
        return "schemas nested too deep";
    if (s->count < 1 || s->count > SCHEMA_FIELDS_MAX)
        return "too many fields, or none";
    for (int i = 0; i < s->count; i++) {
        const struct schema_field *f = &s->fields[i];
        const char *fault = field_fault(s, f);
        for (int j = 0; j < i && !fault; j++) {
            if (strcmp(s->fields[j].name, f->name) == 0 && (s->fields[j].flags & f->flags & S_ALL))
                fault = "a name twice";
        }
        if (!fault && f->sub)
            fault = schema_fault_at(f->sub, depth + 1);
        if (fault)
            return fault;
    }
    return NULL;
}

const char *schema_fault(const struct schema *s) {
    return schema_fault_at(s, 0);
}
