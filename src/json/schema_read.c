/* JSON into a described struct. Clients and our own writer send members in the table's order more
 * often than not, so the search for a member's field begins at the one after the last found; which
 * fields were seen is a bit mask, which finds duplicates and what is missing. The way to the
 * current value is a chain of steps on the stack: a JSON pointer is made from it only when there is
 * something to complain about. Everything decoded is copied into the caller's arena.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "base/units.h"
#include "json/schema.h"
#include "json/schema_field.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#define QUOTED_CHARS_MAX 40 /* of a client's text that an error repeats */
#define NONE_INDEX (-1)

/* One step of the way: a member's name or an item's index under UP. */
struct step {
    const struct step *up; /* NULL: the root, whose pointer is name */
    struct str name;
    int64_t index;
};

struct reading {
    unsigned mask;
    struct arena *arena;
    struct field_errors *errors;
    bool bad;
};

static int read_object(struct reading *r, const struct schema *s, struct json_value v,
                       const struct step *step, void *struct_ptr);

void field_errors_add(struct field_errors *e, struct arena *a, struct str pointer,
                      const char *format, ...) {
    if (e->count == SCHEMA_ERRORS_MAX) {
        e->more++;
        return;
    }
    va_list args;
    va_start(args, format);
    e->items[e->count].pointer = arena_str(a, pointer);
    e->items[e->count].detail = arena_vprintf(a, format, args);
    e->count++;
    va_end(args);
}

/* Writes the JSON pointer of STEP, with "~" and "/" in names escaped (RFC 6901). */
static void put_pointer(const struct step *step, struct buf *b) {
    if (step->up == NULL) {
        buf_add_str(b, step->name);
        return;
    }
    put_pointer(step->up, b);
    buf_add_char(b, '/');
    if (step->index != NONE_INDEX) {
        buf_add_i64(b, step->index);
        return;
    }
    for (size_t i = 0; i < step->name.len; i++) {
        char c = step->name.p[i];
        if (c == '~' || c == '/')
            buf_add_cstr(b, c == '~' ? "~0" : "~1");
        else
            buf_add_char(b, c);
    }
}

static __attribute__((format(printf, 4, 5))) int refuse(struct reading *r, const struct step *step,
                                                        const char *hint, const char *format, ...) {
    r->bad = true;
    struct field_errors *e = r->errors;
    if (e == NULL)
        return ERR_INVALID;
    if (e->count == SCHEMA_ERRORS_MAX) { /* a thousand bad items must not each make a text */
        e->more++;
        return ERR_INVALID;
    }
    struct buf pointer;
    buf_init(&pointer, r->arena, 64);
    put_pointer(step, &pointer);
    va_list args;
    va_start(args, format);
    struct str detail = arena_vprintf(r->arena, format, args);
    va_end(args);
    if (hint)
        detail = arena_printf(r->arena, "%.*s; %s", STR_ARG(detail), hint);
    e->items[e->count++] = (struct field_error){buf_str(&pointer), detail};
    return ERR_INVALID;
}

/* "2 to 20 items", "at most 20 items", "6 characters" */
static int refuse_count(struct reading *r, const struct step *step, const char *hint,
                        const char *verb, struct limits limits, const char *unit) {
    const char *plural = limits.max == 1 ? "" : "s";
    if (limits.min == limits.max)
        return refuse(r, step, hint, "must %s %" PRId64 " %s%s", verb, limits.max, unit, plural);
    if (limits.min == 0)
        return refuse(r, step, hint, "must %s at most %" PRId64 " %s%s", verb, limits.max, unit,
                      plural);
    return refuse(r, step, hint, "must %s %" PRId64 " to %" PRId64 " %ss", verb, limits.min,
                  limits.max, unit);
}

/* Does P begin with one that ends a line, turns the direction of what follows, or is a letter that
 * nobody sees? Shown beside other text, it would make that read as what it is not: U+061C, U+2028
 * to U+202E, U+2066 to U+2069, U+E0000 to U+E007F. */
static bool disguises(const char *p) {
    const unsigned char *c = (const unsigned char *)p; /* valid: its further bytes follow */
    switch (c[0]) {
    case 0xD8:
        return c[1] == 0x9C;
    case 0xE2:
        return (c[1] == 0x80 && c[2] >= 0xA8 && c[2] <= 0xAE) ||
               (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9);
    case 0xF3:
        return c[1] == 0xA0 && (c[2] == 0x80 || c[2] == 0x81);
    default:
        return false;
    }
}

/* The code points of S (valid UTF-8), or -1 when a control character (C0 but ALLOWED, DEL, C1, or
 * one that disguises) is in it. */
static int64_t count_chars(struct str s, char allowed) {
    int64_t chars = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool c1 = c == 0xC2 && (unsigned char)s.p[i + 1] < 0xA0; /* a second byte follows */
        if ((c < 0x20 && !(allowed && c == (unsigned char)allowed)) || c == 0x7F || c1 ||
            (c >= 0xD8 && disguises(s.p + i)))
            return -1;
        chars += (c & 0xC0) != 0x80;
    }
    return chars;
}

/* Nothing but spaces and line breaks (none are other white space: those are control characters). */
static bool is_blank(struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != ' ' && s.p[i] != '\n')
            return false;
    }
    return true;
}

/* What may be empty is written by people, for people: blank around it is no part of it. */
static struct str trimmed(struct str s) {
    while (s.len > 0 && is_blank(str_sub(s, 0, 1)))
        s = str_sub(s, 1, s.len);
    while (s.len > 0 && is_blank(str_sub(s, s.len - 1, 1)))
        s = str_sub(s, 0, s.len - 1);
    return s;
}

static int check_string(struct reading *r, const struct step *step, const char *hint, struct str s,
                        struct limits limits, char allowed) {
    int64_t chars = count_chars(s, allowed);
    if (chars < 0)
        return refuse(r, step, NULL, "must not contain control characters");
    if (chars < limits.min || chars > limits.max)
        return refuse_count(r, step, hint, "be", limits, "character");
    if (limits.min > 0 && is_blank(s))
        return refuse(r, step, NULL, "must not be blank");
    return 0;
}

static int read_string(struct reading *r, const struct schema_field *f, struct json_value v,
                       const struct step *step, struct str *ret) {
    struct str s = json_text(v);
    if (s.p == NULL)
        return refuse(r, step, NULL, "must be a string");
    if (f->kind == S_ID) {
        if (!id_valid(s, f->hint))
            return refuse(r, step, NULL, "must be an id, %s%sand %d characters",
                          f->hint ? f->hint : "a prefix", f->hint ? "_ " : " ", ULID_TEXT_LEN);
    } else if (r->mask & S_IN) {
        int err = check_string(r, step, f->hint, s, field_limits(f), f->kind == S_STR ? '\n' : 0);
        if (err)
            return err;
        if (f->kind == S_STR && field_limits(f).min == 0)
            s = trimmed(s);
    }
    *ret = arena_str(r->arena, s);
    return 0;
}

/* S for an error: at most QUOTED_CHARS_MAX characters, control characters made visible. */
static void put_quoted(struct buf *b, struct str s) {
    int chars = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool begins = (c & 0xC0) != 0x80;
        if (begins && chars++ == QUOTED_CHARS_MAX) {
            buf_add_cstr(b, "…");
            return;
        }
        if (c < 0x20 || c == 0x7F)
            buf_printf(b, "\\u%04x", c);
        else
            buf_add_char(b, (char)c);
    }
}

static int read_enum(struct reading *r, const struct schema_field *f, struct json_value v,
                     const struct step *step, int32_t *ret) {
    struct str s = json_text(v);
    if (s.p == NULL)
        return refuse(r, step, NULL, "must be a string");
    for (int32_t i = 1; f->names[i]; i++) {
        if (str_is(s, f->names[i])) {
            *ret = i;
            return 0;
        }
    }
    struct buf text;
    buf_init(&text, r->arena, 256);
    put_quoted(&text, s);
    for (int32_t i = 1; f->names[i]; i++)
        buf_printf(&text, "%s%s", i == 1 ? "; one of " : ", ", f->names[i]);
    return refuse(r, step, NULL, "unknown %s: %.*s", f->hint ? f->hint : "value",
                  STR_ARG(buf_str(&text)));
}

static int refuse_range(struct reading *r, const struct schema_field *f, const struct step *step,
                        struct limits limits) {
    return refuse(r, step, f->hint, "must be between %" PRId64 " and %" PRId64, limits.min,
                  limits.max);
}

static int read_i64(struct reading *r, const struct schema_field *f, struct json_value v,
                    const struct step *step, int64_t *ret) {
    int64_t value;
    if (json_i64(v, &value) != 0)
        return refuse(r, step, NULL, "must be a whole number");
    struct limits limits = field_limits(f);
    if ((r->mask & S_IN) && (value < limits.min || value > limits.max))
        return refuse_range(r, f, step, limits);
    *ret = value;
    return 0;
}

static int read_f64(struct reading *r, const struct schema_field *f, struct json_value v,
                    const struct step *step, double *ret) {
    double value;
    if (json_f64(v, &value) != 0)
        return refuse(r, step, NULL, "must be a number");
    bool limited = (r->mask & S_IN) && (f->min != 0 || f->max != 0);
    if (limited && (value < (double)f->min || value > (double)f->max))
        return refuse_range(r, f, step, field_limits(f));
    *ret = value;
    return 0;
}

static int read_deg7(struct reading *r, const struct schema_field *f, struct json_value v,
                     const struct step *step, int32_t *ret) {
    double value;
    if (json_f64(v, &value) != 0)
        return refuse(r, step, NULL, "must be a number");
    struct limits limits = field_limits(f);
    CHECK(limits.min >= -180 && limits.max <= 180); /* what int32 holds */
    if (value < (double)limits.min || value > (double)limits.max)
        return refuse_range(r, f, step, limits);
    *ret = (int32_t)lround(value * E7);
    return 0;
}

static int read_time(struct reading *r, const struct schema_field *f, struct json_value v,
                     const struct step *step, int64_t *ret) {
    struct str s = json_text(v);
    if (s.p == NULL)
        return refuse(r, step, NULL, "must be a string");
    int64_t at_us;
    if (timestamp_parse(s, &at_us) != 0 || at_us == 0) /* 0 is how absent is told */
        return refuse(r, step, f->hint, "must be a time such as 2026-11-23T10:00:00Z");
    *ret = at_us;
    return 0;
}

static int read_bool(struct reading *r, struct json_value v, const struct step *step, bool *ret) {
    if (json_kind(v) != JSON_IS_BOOL)
        return refuse(r, step, NULL, "must be true or false");
    *ret = json_bool(v);
    return 0;
}

/* Is V an array with as many items as F allows? */
static int read_count(struct reading *r, const struct schema_field *f, struct json_value v,
                      const struct step *step, int32_t *ret) {
    if (json_kind(v) != JSON_IS_ARRAY)
        return refuse(r, step, NULL, "must be a list");
    size_t count = json_count(v);
    struct limits limits = field_limits(f);
    if ((r->mask & S_IN) && ((int64_t)count < limits.min || (int64_t)count > limits.max))
        return refuse_count(r, step, f->hint, "have", limits, "item");
    CHECK(count <= INT32_MAX);
    *ret = (int32_t)count;
    return 0;
}

static int read_list(struct reading *r, const struct schema_field *f, struct json_value v,
                     const struct step *step, void *struct_ptr) {
    int32_t count = 0;
    int err = read_count(r, f, v, step, &count);
    if (err)
        return err;
    char *items = arena_alloc(r->arena, (size_t)count * f->sub->size), *item = items;
    struct step item_step = {.up = step, .index = 0};
    for (struct json_iter it = json_iter(v); json_next(&it); item += f->sub->size) {
        int item_err = read_object(r, f->sub, it.value, &item_step, item);
        err = err ? err : item_err;
        item_step.index++;
    }
    if (err)
        return err;
    *(void **)field_at(f, struct_ptr) = items;
    *count_at(f, struct_ptr) = count;
    return 0;
}

static int read_str_list(struct reading *r, const struct schema_field *f, struct json_value v,
                         const struct step *step, void *struct_ptr) {
    int32_t count = 0;
    int err = read_count(r, f, v, step, &count);
    if (err)
        return err;
    static const struct schema_field item_field = {
        .kind = S_LINE, .min = 1, .max = LIST_STR_CHARS_MAX};
    struct str *items = arena_array(r->arena, struct str, count), *item = items;
    struct step item_step = {.up = step, .index = 0};
    for (struct json_iter it = json_iter(v); json_next(&it); item++) {
        int item_err = read_string(r, &item_field, it.value, &item_step, item);
        err = err ? err : item_err;
        item_step.index++;
    }
    if (err)
        return err;
    *(void **)field_at(f, struct_ptr) = items;
    *count_at(f, struct_ptr) = count;
    return 0;
}

static int read_object_ptr(struct reading *r, const struct schema_field *f, struct json_value v,
                           const struct step *step, void **ret) {
    void *sub = arena_alloc(r->arena, f->sub->size);
    int err = read_object(r, f->sub, v, step, sub);
    if (err)
        return err;
    *ret = sub;
    return 0;
}

/* As it was meant, not byte for byte: the parser does not keep the spaces. */
static int read_raw(struct reading *r, struct json_value v, struct str *ret) {
    struct buf text;
    struct jw w;
    buf_init(&text, r->arena, 256);
    jw_init(&w, &text);
    json_write(v, &w);
    *ret = buf_str(&text);
    return 0;
}

static int read_value(struct reading *r, const struct schema_field *f, struct json_value v,
                      const struct step *step, void *struct_ptr) {
    void *at = field_at(f, struct_ptr);
    switch ((enum schema_kind)f->kind) {
    case S_STR:
    case S_LINE:
    case S_ID:
        return read_string(r, f, v, step, at);
    case S_ENUM:
        return read_enum(r, f, v, step, at);
    case S_I64:
        return read_i64(r, f, v, step, at);
    case S_F64:
        return read_f64(r, f, v, step, at);
    case S_BOOL:
        return read_bool(r, v, step, at);
    case S_TRI: {
        bool value = false;
        int err = read_bool(r, v, step, &value);
        if (!err)
            *(int32_t *)at = value ? TRI_TRUE : TRI_FALSE;
        return err;
    }
    case S_TIME:
        return read_time(r, f, v, step, at);
    case S_DEG7:
        return read_deg7(r, f, v, step, at);
    case S_OBJECT:
        return read_object(r, f->sub, v, step, at);
    case S_OBJECT_PTR:
        return read_object_ptr(r, f, v, step, at);
    case S_LIST:
        return read_list(r, f, v, step, struct_ptr);
    case S_STR_LIST:
        return read_str_list(r, f, v, step, struct_ptr);
    case S_RAW:
        return read_raw(r, v, at);
    }
    UNREACHABLE();
}

static bool is_name(const char *name, struct str key) {
    return key.len > 0 && name[0] == key.p[0] && strlen(name) == key.len &&
           memcmp(name, key.p, key.len) == 0;
}

/* The field of MASK called KEY, looked for from FIRST on and round; count when there is none. */
static int find_field(const struct schema *s, struct str key, unsigned mask, int first) {
    for (int i = first; i < s->count; i++) {
        if ((s->fields[i].flags & mask) && is_name(s->fields[i].name, key))
            return i;
    }
    for (int i = 0; i < first; i++) {
        if ((s->fields[i].flags & mask) && is_name(s->fields[i].name, key))
            return i;
    }
    return s->count;
}

static int read_object(struct reading *r, const struct schema *s, struct json_value v,
                       const struct step *step, void *struct_ptr) {
    CHECK(s->count <= SCHEMA_FIELDS_MAX);
    schema_clear(s, struct_ptr);
    if (json_kind(v) != JSON_IS_OBJECT)
        return refuse(r, step, NULL, "must be an object");
    int first_err = 0, next = 0;
    uint64_t seen = 0, there = 0; /* there: with another value than null */
    for (struct json_iter it = json_iter(v); json_next(&it);) {
        int at = find_field(s, it.key, r->mask, next);
        if (at == s->count) {
            struct step unknown = {.up = step, .name = it.key, .index = NONE_INDEX};
            if (s->strict && (r->mask & S_IN))
                first_err = refuse(r, &unknown, NULL, "is not known here");
            continue;
        }
        next = at + 1;
        const struct schema_field *f = &s->fields[at];
        struct step member = {.up = step, .name = it.key, .index = NONE_INDEX};
        int err = 0;
        if (seen & (UINT64_C(1) << at)) {
            err = refuse(r, &member, NULL, "is given twice");
        } else if (json_kind(it.value) != JSON_IS_NULL) {
            there |= UINT64_C(1) << at;
            err = read_value(r, f, it.value, &member, struct_ptr);
            if (err)
                field_clear(f, struct_ptr);
        }
        seen |= UINT64_C(1) << at;
        first_err = first_err ? first_err : err;
    }
    for (int at = 0; at < s->count; at++) {
        const struct schema_field *f = &s->fields[at];
        if (!(f->flags & S_REQUIRED) || !(f->flags & r->mask) || (there & (UINT64_C(1) << at)))
            continue;
        struct step member = {.up = step, .name = str_from(f->name), .index = NONE_INDEX};
        first_err = refuse(r, &member, NULL, "is required");
    }
    return first_err;
}

int schema_read(const struct schema *s, struct json_value v, unsigned mask, struct arena *a,
                struct str pointer, void *ret_struct, struct field_errors *errors) {
    struct reading r = {.mask = mask, .arena = a, .errors = errors};
    struct step root = {.name = pointer};
    return read_object(&r, s, v, &root, ret_struct);
}

int schema_load(const struct schema *s, struct json_parser *p, struct str text, struct arena *a,
                void *ret_struct) {
    struct json_value root;
    if (json_parse(p, text, &root) != 0)
        return ERR_CORRUPT;
    return schema_read(s, root, S_STORE, a, STR(""), ret_struct, NULL) == 0 ? 0 : ERR_CORRUPT;
}
