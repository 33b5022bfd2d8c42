/* Schemas: a type is described once, as a const table of fields, and from that table come JSON in
 * (with every bad field reported, not just the first), JSON out, what is stored, and the shape that
 * api/openapi.yaml is held against.
 *
 * A described struct holds: struct str for strings, int64_t for integers and times, int32_t for
 * degrees (e7) and enums, double, bool; embedded structs or pointers for objects; pointer + int32_t
 * count for lists. What is absent: a str with p NULL, an enum of 0, a time of 0, I64_ABSENT,
 * DEG7_ABSENT, NAN, a TRI of 0, a NULL object pointer. Decoding sets them so for every field that
 * is not there. All that decoding makes lives in the arena given.
 */
#ifndef LORRY_JSON_SCHEMA_H
#define LORRY_JSON_SCHEMA_H

#include "base/arena.h"
#include "json/reader.h"
#include "json/writer.h"

#include <stdint.h>

#define I64_ABSENT INT64_MIN
#define DEG7_ABSENT INT32_MIN
#define SCHEMA_ERRORS_MAX 32
#define SCHEMA_FIELDS_MAX 64 /* fields in one table */

enum tri { TRI_ABSENT, TRI_FALSE, TRI_TRUE };

enum schema_kind {
    S_STR,    /* struct str; min/max: code points; not blank where min > 0, else trimmed of blank (a
                 blank one is empty). No control characters but \n (S_LINE: none). */
    S_LINE,   /* struct str of one line, trimmed of nothing; min/max: code points */
    S_ID,     /* struct str, "<hint>_ULID"; hint is the prefix, NULL for any */
    S_ENUM,   /* int32_t, index into names (1-based: names[0] is NULL, the list ends with NULL) */
    S_I64,    /* int64_t; min/max */
    S_F64,    /* double; min/max (as integers) */
    S_BOOL,   /* bool; absent is false */
    S_TRI,    /* int32_t of enum tri: a bool that may be absent */
    S_TIME,   /* int64_t µs, RFC 3339 in JSON */
    S_DEG7,   /* int32_t degrees × 10^7, a decimal number in JSON; min/max in degrees */
    S_OBJECT, /* embedded struct described by sub; absent only if optional: then left zero, and an
                 optional one with all its fields zero or absent is not written */
    S_OBJECT_PTR, /* pointer to such a struct, NULL when absent */
    S_LIST,     /* pointer to an array of structs described by sub; count at count_offset; min/max:
                   items */
    S_STR_LIST, /* pointer to an array of struct str; min/max: items; item length ≤ 200 code points
                 */
    S_RAW /* struct str of JSON text, passed through (stored and written, never from clients) */
};

enum schema_flag {
    S_REQUIRED = 1, /* in input: absent or null is an error. In output: S_OBJECT is always written,
                       an empty list as [] */
    S_NULL = 2,     /* in output: written as null when absent (default: left out) */
    S_IN = 4,       /* taken from clients */
    S_OUT = 8,      /* shown to clients */
    S_STORE = 16,   /* kept in the store and in events */
    S_ALL = 28
};

struct schema;
struct schema_field {
    const char *name;
    uint8_t kind; /* enum schema_kind */
    uint8_t flags;
    uint16_t offset, count_offset;
    /* Both 0: no limit but the kind's own (strings: 1..1000, lists: 0..1000, degrees: -180..180).
     */
    int64_t min, max;
    const char *const *names;
    const struct schema *sub;
    /* S_ID: the prefix. S_ENUM: the noun in "unknown <hint>: …". Others: what an error about the
     * value adds after "; ". NULL for the standard words. */
    const char *hint;
};
struct schema {
    const char *name; /* "Booking": also the name in openapi.yaml */
    const struct schema_field *fields;
    int32_t count;
    uint32_t size; /* sizeof the struct */
    bool strict;   /* of a client's body: a member that is not known is an error, for it is about
                      money or a promise, and whoever sent it thinks that it counts */
};

#define SCHEMA(type, schema_name, table)                                                           \
    {                                                                                              \
        .name = (schema_name), .fields = (table),                                                  \
        .count = (int32_t)(sizeof(table) / sizeof((table)[0])), .size = sizeof(type)               \
    }

#define STRICT_SCHEMA(type, schema_name, table)                                                    \
    {                                                                                              \
        .name = (schema_name), .fields = (table),                                                  \
        .count = (int32_t)(sizeof(table) / sizeof((table)[0])), .size = sizeof(type),              \
        .strict = true                                                                             \
    }

/* One bad field: RFC 6901 pointer and what is wrong with it. */
struct field_error {
    struct str pointer, detail;
};
struct field_errors {
    struct field_error items[SCHEMA_ERRORS_MAX];
    int count; /* those over the maximum are counted in `more` and dropped */
    int more;
};
void field_errors_add(struct field_errors *e, struct arena *a, struct str pointer,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The member "errors" of a problem document. */
void field_errors_write(const struct field_errors *e, struct jw *w);

/* Reads the object V into *ret_struct (schema->size bytes, all of them set), taking the fields that
 * have one of the flags in MASK (S_IN or S_STORE); unknown members are ignored (unless it is
 * strict), duplicate ones are errors. Every error is added to ERRORS with POINTER ("" at the root)
 * before it. Limits and control characters are looked at only with S_IN: what is stored met the
 * limits of its day. Returns 0 or ERR_INVALID; a field that is not valid is left absent. */
int schema_read(const struct schema *s, struct json_value v, unsigned mask, struct arena *a,
                struct str pointer, void *ret_struct, struct field_errors *errors);
/* The same for stored text, which was ours: ERR_CORRUPT if it does not decode. */
int schema_load(const struct schema *s, struct json_parser *p, struct str text, struct arena *a,
                void *ret_struct);

/* Writes *STRUCT_PTR as an object with the fields of MASK (S_OUT or S_STORE). With S_STORE a false
 * S_BOOL is left out. */
void schema_write(const struct schema *s, const void *struct_ptr, unsigned mask, struct jw *w);
/* Only the members, for an object the caller has opened. */
void schema_write_fields(const struct schema *s, const void *struct_ptr, unsigned mask,
                         struct jw *w);
/* The same as a text of its own, with a NUL after it. */
struct str schema_text(const struct schema *s, const void *struct_ptr, unsigned mask,
                       struct arena *a);

/* Is the value of field F in *STRUCT_PTR absent? */
bool schema_absent(const struct schema_field *f, const void *struct_ptr);
/* Sets every field to its absent value. */
void schema_clear(const struct schema *s, void *struct_ptr);

/* For tests of tables: NULL, or what is wrong with S or a schema in it (an offset outside the
 * struct, a name twice, a sub or names missing, min over max, too many fields). */
const char *schema_fault(const struct schema *s);

#endif
