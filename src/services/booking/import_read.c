/* Files into rows. A CSV file is RFC 4180 as programs really write it: a byte order mark or none,
 * CRLF or LF, commas or (where the decimal sign is one) semicolons, fields in quotes with quotes
 * doubled. Each of its rows is written as the JSON object that it stands for and read by the same
 * table as a row of a JSON file, so that a field is described once; what that says of
 * "/stops/0/lat" is told of the column it came from.
 *
 * One bad row spoils nothing but itself. What spoils the file is what makes its rows mean something
 * else than they say: columns that are unknown, named twice or missing, too many rows.
 */
#include "services/booking/import.h"

#include "base/check.h"

#include <string.h>

/* ---- columns ---- */

struct column {
    const char *name;
    const char *pointer; /* where it goes */
    bool number, required;
};
static const struct column columns[] = {
    {"reference", "/reference", false, false},
    {"pickup_lat", "/stops/0/lat", true, true},
    {"pickup_lng", "/stops/0/lng", true, true},
    {"pickup_address", "/stops/0/address", false, false},
    {"pickup_name", "/stops/0/contact/name", false, false},
    {"pickup_phone", "/stops/0/contact/phone", false, false},
    {"pickup_note", "/stops/0/note", false, false},
    {"dropoff_lat", "/stops/1/lat", true, true},
    {"dropoff_lng", "/stops/1/lng", true, true},
    {"dropoff_address", "/stops/1/address", false, false},
    {"dropoff_name", "/stops/1/contact/name", false, false},
    {"dropoff_phone", "/stops/1/contact/phone", false, false},
    {"dropoff_note", "/stops/1/note", false, false},
    {"vehicle", "/vehicle", false, true},
    {"pickup_from", "/pickup_window/from", false, false},
    {"pickup_to", "/pickup_window/to", false, false},
    {"goods", "/goods/0/name", false, false},
    {"goods_count", "/goods/0/count", true, false},
    {"goods_weight_g", "/goods/0/weight_g", true, false},
    {"payment", "/payment", false, false},
    {"notes", "/notes", false, false},
};
#define COLUMN_COUNT ((int32_t)COUNT_OF(columns))
_Static_assert(COUNT_OF(columns) <= IMPORT_COLUMNS_MAX, "each may be there once");

/* ---- CSV ---- */

struct csv {
    struct str text;
    size_t at;
    char separator;
};
struct record {
    struct str fields[IMPORT_COLUMNS_MAX];
    int32_t count;
    const char *fault; /* NULL: sound */
};

static bool at_end(const struct csv *in) {
    return in->at >= in->text.len;
}
static char peek(const struct csv *in) {
    return at_end(in) ? '\n' : in->text.p[in->at];
}
/* The end of a line, if it is here: LF, CRLF, the end of the file. */
static bool line_ends(const struct csv *in) {
    bool crlf = peek(in) == '\r' && in->at + 1 < in->text.len && in->text.p[in->at + 1] == '\n';
    return at_end(in) || crlf || peek(in) == '\n';
}
static void skip_line_end(struct csv *in) {
    if (!at_end(in) && in->text.p[in->at] == '\r')
        in->at++;
    in->at += !at_end(in);
}

/* Is there a closing quote at AT, and not a doubled one? */
static bool closes(struct str text, size_t at) {
    return text.p[at] == '"' && (at + 1 == text.len || text.p[at + 1] != '"');
}

/* What stands in quotes; IN is behind the first one. */
static struct str quoted(struct csv *in, struct arena *a, struct record *r) {
    size_t end = in->at, n = 0;
    while (end < in->text.len && !closes(in->text, end))
        end += in->text.p[end] == '"' ? 2 : 1;
    bool closed = end < in->text.len;
    size_t room = end - in->at;
    if (room > 2 * (size_t)IMPORT_FIELD_BYTES_MAX)
        room = 2 * (size_t)IMPORT_FIELD_BYTES_MAX;
    char *out = arena_bytes(a, room + 1);
    for (size_t i = in->at; i < end && i < in->text.len && n < room; i++) {
        bool crlf = in->text.p[i] == '\r' && i + 1 < end && in->text.p[i + 1] == '\n';
        if (crlf)
            continue; /* a line's end inside of a field is one character */
        out[n++] = in->text.p[i];
        i += in->text.p[i] == '"';
    }
    in->at = closed ? end + 1 : in->text.len;
    if (!closed)
        r->fault = "a quote is not closed";
    else if (n > IMPORT_FIELD_BYTES_MAX)
        r->fault = "a field is too long";
    else if (!line_ends(in) && peek(in) != in->separator)
        r->fault = "something follows a closing quote";
    while (!line_ends(in) && peek(in) != in->separator)
        in->at++;
    return (struct str){out, n};
}

static struct str bare(struct csv *in, struct record *r) {
    size_t from = in->at;
    while (!line_ends(in) && peek(in) != in->separator)
        in->at++;
    struct str s = str_sub(in->text, from, in->at - from);
    if (memchr(s.p, '"', s.len) != NULL)
        r->fault = "a quote stands inside a field that is not in quotes";
    else if (s.len > IMPORT_FIELD_BYTES_MAX)
        r->fault = "a field is too long";
    return s;
}

static void check_text(struct str s, struct record *r) {
    size_t chars;
    if (r->fault != NULL)
        return;
    if (memchr(s.p, 0, s.len) != NULL)
        r->fault = "has a NUL";
    else if (!str_is_utf8(s, &chars))
        r->fault = "is not UTF-8";
}

static void next_record(struct csv *in, struct arena *a, struct record *r) {
    *r = (struct record){.count = 0};
    for (;;) {
        struct str field;
        if (peek(in) == '"' && !at_end(in)) {
            in->at++;
            field = quoted(in, a, r);
        } else {
            field = bare(in, r);
        }
        check_text(field, r);
        if (r->count < IMPORT_COLUMNS_MAX)
            r->fields[r->count] = field;
        r->count++;
        if (line_ends(in))
            break;
        in->at++; /* the separator */
    }
    skip_line_end(in);
    if (r->count > IMPORT_COLUMNS_MAX && r->fault == NULL)
        r->fault = "has more fields than there are columns";
}

/* ---- the head ---- */

static struct str trimmed(struct str s) {
    while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = str_sub(s, 1, s.len);
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s = str_sub(s, 0, s.len - 1);
    return s;
}

static int32_t column_named(struct str name) {
    for (int32_t i = 0; i < COLUMN_COUNT; i++) {
        if (str_eq_nocase(name, columns[i].name))
            return i;
    }
    return -1;
}

/* FIELD_OF[column]: its place in a record, or -1. False: *RET_WHY says what is wrong. */
static bool read_head(struct csv *in, struct arena *a, int32_t field_of[COLUMN_COUNT],
                      int32_t *ret_count, struct str *ret_why) {
    struct record head;
    size_t end = 0;
    while (end < in->text.len && in->text.p[end] != '\n')
        end++;
    in->separator =
        memchr(in->text.p, ',', end) == NULL && memchr(in->text.p, ';', end) != NULL ? ';' : ',';
    next_record(in, a, &head);
    for (int32_t i = 0; i < COLUMN_COUNT; i++)
        field_of[i] = -1;
    if (head.fault != NULL) {
        *ret_why = arena_printf(a, "the first line, which names the columns: %s", head.fault);
        return false;
    }
    for (int32_t i = 0; i < head.count; i++) {
        struct str name = trimmed(head.fields[i]);
        int32_t column = column_named(name);
        if (column < 0 || field_of[column] >= 0) {
            *ret_why = arena_printf(a, "the first line names the columns; \"%.*s\" is %s",
                                    (int)(name.len < 40 ? name.len : 40), name.p,
                                    column < 0 ? "none that there is" : "there twice");
            return false;
        }
        field_of[column] = i;
    }
    for (int32_t i = 0; i < COLUMN_COUNT; i++) {
        if (columns[i].required && field_of[i] < 0) {
            *ret_why = arena_printf(a, "the column %s is missing", columns[i].name);
            return false;
        }
    }
    *ret_count = head.count;
    return true;
}

/* ---- a row as JSON ---- */

static size_t digits(struct str s, size_t at) {
    size_t n = 0;
    while (at + n < s.len && s.p[at + n] >= '0' && s.p[at + n] <= '9')
        n++;
    return n;
}

#define NUMBER_CHARS_MAX 18 /* more would not fit an integer; degrees have less */

/* A number as JSON writes it, without an exponent. */
static bool is_number(struct str s) {
    size_t at = s.len > 0 && s.p[0] == '-', whole = digits(s, at);
    if (s.len > NUMBER_CHARS_MAX || whole == 0 || (whole > 1 && s.p[at] == '0'))
        return false;
    at += whole;
    if (at == s.len)
        return true;
    size_t part = s.p[at] == '.' ? digits(s, at + 1) : 0;
    return part > 0 && at + 1 + part == s.len;
}

/* The cell of the column at POINTER; absent: empty. */
static struct str cell(const struct record *r, const int32_t field_of[COLUMN_COUNT],
                       const char *pointer, bool *ret_number) {
    for (int32_t i = 0; i < COLUMN_COUNT; i++) {
        if (strcmp(columns[i].pointer, pointer) != 0)
            continue;
        *ret_number = columns[i].number;
        if (field_of[i] < 0 || field_of[i] >= r->count || r->fields[field_of[i]].len == 0)
            return STR_NONE;
        return columns[i].number ? trimmed(r->fields[field_of[i]]) : r->fields[field_of[i]];
    }
    UNREACHABLE();
}

struct row_writer {
    struct jw w;
    const struct record *r;
    const int32_t *field_of;
};

static void put(struct row_writer *rw, const char *key, const char *pointer) {
    bool number = false;
    struct str s = cell(rw->r, rw->field_of, pointer, &number);
    if (s.p == NULL)
        return;
    jw_key(&rw->w, key);
    if (number && is_number(s))
        jw_raw(&rw->w, s);
    else
        jw_str(&rw->w, s);
}

static bool any(const struct row_writer *rw, const char *pointer) {
    bool number;
    return cell(rw->r, rw->field_of, pointer, &number).p != NULL;
}

static void put_stop(struct row_writer *rw, const char *const pointers[6]) {
    jw_object(&rw->w);
    put(rw, "lat", pointers[0]);
    put(rw, "lng", pointers[1]);
    put(rw, "address", pointers[2]);
    if (any(rw, pointers[3]) || any(rw, pointers[4])) {
        jw_key(&rw->w, "contact");
        jw_object(&rw->w);
        put(rw, "name", pointers[3]);
        put(rw, "phone", pointers[4]);
        jw_end(&rw->w);
    }
    put(rw, "note", pointers[5]);
    jw_end(&rw->w);
}

static struct str row_json(const struct record *r, const int32_t field_of[COLUMN_COUNT],
                           struct arena *a) {
    static const char *const pickup[] = {"/stops/0/lat",           "/stops/0/lng",
                                         "/stops/0/address",       "/stops/0/contact/name",
                                         "/stops/0/contact/phone", "/stops/0/note"};
    static const char *const dropoff[] = {"/stops/1/lat",           "/stops/1/lng",
                                          "/stops/1/address",       "/stops/1/contact/name",
                                          "/stops/1/contact/phone", "/stops/1/note"};
    struct row_writer rw = {.r = r, .field_of = field_of};
    struct buf out;
    buf_init(&out, a, 512);
    jw_init(&rw.w, &out);
    jw_object(&rw.w);
    jw_key(&rw.w, "stops");
    jw_array(&rw.w);
    put_stop(&rw, pickup);
    put_stop(&rw, dropoff);
    jw_end(&rw.w);
    put(&rw, "reference", "/reference");
    put(&rw, "vehicle", "/vehicle");
    put(&rw, "payment", "/payment");
    put(&rw, "notes", "/notes");
    if (any(&rw, "/pickup_window/from") || any(&rw, "/pickup_window/to")) {
        jw_key(&rw.w, "pickup_window");
        jw_object(&rw.w);
        put(&rw, "from", "/pickup_window/from");
        put(&rw, "to", "/pickup_window/to");
        jw_end(&rw.w);
    }
    if (any(&rw, "/goods/0/name") || any(&rw, "/goods/0/count") || any(&rw, "/goods/0/weight_g")) {
        jw_key(&rw.w, "goods");
        jw_array(&rw.w);
        jw_object(&rw.w);
        put(&rw, "name", "/goods/0/name");
        put(&rw, "count", "/goods/0/count");
        put(&rw, "weight_g", "/goods/0/weight_g");
        jw_end(&rw.w);
        jw_end(&rw.w);
    }
    jw_end(&rw.w);
    return buf_str(&out);
}

/* ---- rows ---- */

/* Of a CSV file the column is named. */
static struct str place_of(struct str pointer, bool csv, struct arena *a) {
    for (int32_t i = 0; csv && i < COLUMN_COUNT; i++) {
        if (str_is(pointer, columns[i].pointer))
            return arena_printf(a, "/%s", columns[i].name);
    }
    return pointer;
}

void import_fail(struct import_row *row, const struct field_errors *errors, bool csv,
                 struct arena *a) {
    int32_t count = errors->count < IMPORT_ERRORS_MAX ? errors->count : IMPORT_ERRORS_MAX;
    row->state = ROW_FAILED;
    row->order = NULL;
    row->errors = arena_array(a, struct row_error, count);
    row->error_count = count;
    for (int32_t i = 0; i < count; i++)
        row->errors[i] =
            (struct row_error){place_of(errors->items[i].pointer, csv, a), errors->items[i].detail};
}

static void take_row(const struct import_source *src, struct json_value v, bool csv,
                     struct import_row *row) {
    struct arena *a = src->arena;
    struct field_errors errors = {0};
    struct order *o = arena_new(a, struct order);
    if (json_kind(v) != JSON_IS_OBJECT) {
        field_errors_add(&errors, a, STR(""), "must be an object");
    } else {
        schema_read(&order_schema, v, S_IN, a, STR(""), o, &errors);
        row->reference = o->reference;
        order_check(src->service, o, src->now_us, a, &errors);
    }
    o->reference = STR_NONE; /* it is the row's */
    row->state = ROW_WAITING;
    row->order = o;
    if (errors.count > 0)
        import_fail(row, &errors, csv, a);
}

static struct import_row *next_row(struct import *im) {
    struct import_row *row = &im->rows[im->row_count++];
    *row = (struct import_row){.number = im->row_count, .total = I64_ABSENT};
    return row;
}

static bool too_many(struct arena *a, struct str *ret_why) {
    *ret_why = arena_printf(a, "has more than %d rows", IMPORT_ROWS_MAX);
    return false;
}

static void take_record(const struct import_source *src, const struct record *r,
                        const int32_t field_of[COLUMN_COUNT], int32_t column_count,
                        struct import_row *row) {
    struct field_errors errors = {0};
    struct json_value v;
    const char *fault = r->fault == NULL && r->count > column_count
                            ? "has more fields than there are columns"
                            : r->fault;
    if (fault != NULL) {
        field_errors_add(&errors, src->arena, STR(""), "%s", fault);
        import_fail(row, &errors, true, src->arena);
        return;
    }
    if (json_parse(src->parser, row_json(r, field_of, src->arena), &v) < 0) {
        field_errors_add(&errors, src->arena, STR(""), "cannot be read");
        import_fail(row, &errors, true, src->arena);
        return;
    }
    take_row(src, v, true, row);
}

bool import_read_csv(const struct import_source *src, struct str text, struct import *ret,
                     struct str *ret_why) {
    int32_t field_of[COLUMN_COUNT], column_count;
    struct csv in = {.text = text};
    if (str_starts(in.text, "\xEF\xBB\xBF"))
        in.text = str_sub(in.text, 3, in.text.len);
    if (!read_head(&in, src->arena, field_of, &column_count, ret_why))
        return false;
    ret->rows = arena_array(src->arena, struct import_row, IMPORT_ROWS_MAX);
    while (!at_end(&in)) {
        struct record r;
        if (line_ends(&in)) { /* an empty line */
            skip_line_end(&in);
            continue;
        }
        next_record(&in, src->arena, &r);
        if (ret->row_count == IMPORT_ROWS_MAX)
            return too_many(src->arena, ret_why);
        take_record(src, &r, field_of, column_count, next_row(ret));
    }
    *ret_why = STR("has no rows");
    return ret->row_count > 0;
}

bool import_read_json(const struct import_source *src, struct json_value root, struct import *ret,
                      struct str *ret_why) {
    struct json_value rows;
    *ret_why = STR("must be an object with the rows as \"rows\", at least one");
    if (json_kind(root) != JSON_IS_OBJECT || !json_get(root, "rows", &rows) ||
        json_kind(rows) != JSON_IS_ARRAY || json_count(rows) == 0)
        return false;
    if (json_count(rows) > IMPORT_ROWS_MAX)
        return too_many(src->arena, ret_why);
    ret->rows = arena_array(src->arena, struct import_row, (int32_t)json_count(rows));
    for (struct json_iter it = json_iter(rows); json_next(&it);)
        take_row(src, it.value, false, next_row(ret));
    return true;
}
