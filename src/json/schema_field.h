/* Inside json/ only: how the schema's files reach a field's value in the struct it describes. */
#ifndef LORRY_JSON_SCHEMA_FIELD_H
#define LORRY_JSON_SCHEMA_FIELD_H

#include "json/schema.h"

#define STRING_CHARS_MAX 1000 /* of a string whose field names no limit */
#define LIST_ITEMS_MAX 1000   /* of a list whose field names no limit */
#define LIST_STR_CHARS_MAX 200

struct limits {
    int64_t min, max;
};

static inline void *field_at(const struct schema_field *f, void *struct_ptr) {
    return (char *)struct_ptr + f->offset;
}
static inline const void *field_const(const struct schema_field *f, const void *struct_ptr) {
    return (const char *)struct_ptr + f->offset;
}
static inline int32_t *count_at(const struct schema_field *f, void *struct_ptr) {
    return (int32_t *)(void *)((char *)struct_ptr + f->count_offset);
}
static inline const int32_t *count_const(const struct schema_field *f, const void *struct_ptr) {
    return (const int32_t *)(const void *)((const char *)struct_ptr + f->count_offset);
}

/* The field's own limits, or its kind's. */
struct limits field_limits(const struct schema_field *f);
/* Sets one field to its absent value. */
void field_clear(const struct schema_field *f, void *struct_ptr);
/* Are all fields of this embedded object zero or absent? */
bool object_blank(const struct schema *s, const void *struct_ptr);

#endif
