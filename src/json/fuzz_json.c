/* libFuzzer: any bytes into the parser and through a schema that has a field of every kind, in and
 * out. Beyond not crashing: what was read and written is read and written the same again, every
 * error has a pointer and words, and a refused text has a place.
 *
 *   CC=clang CXX=clang++ meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined
 *   build-fuzz/src/json/fuzz-json tests/corpora/json
 */
#include "base/check.h"
#include "base/units.h"
#include "json/schema.h"

struct part {
    int32_t lat, lng, kind;
    struct str line;
};
static const struct schema_field part_fields[] = {
    {"lat", S_DEG7, S_ALL | S_REQUIRED, offsetof(struct part, lat), .min = -90, .max = 90},
    {"lng", S_DEG7, S_ALL, offsetof(struct part, lng)},
    {"kind", S_ENUM, S_ALL, offsetof(struct part, kind), .names = vehicle_names},
    {"li/n~e", S_LINE, S_ALL, offsetof(struct part, line), .min = 1, .max = 5},
};
static const struct schema part_schema = SCHEMA(struct part, "Part", part_fields);

struct all {
    struct str id, line, text, raw;
    int64_t whole, at;
    double number;
    bool flag;
    int32_t tri, parts_count, tags_count;
    struct part part, *other, *parts;
    struct str *tags;
};
#define AT(member) offsetof(struct all, member)
static const struct schema_field all_fields[] = {
    {"id", S_ID, S_ALL, AT(id)},
    {"line", S_LINE, S_ALL | S_REQUIRED, AT(line)},
    {"text", S_STR, S_ALL | S_NULL, AT(text), .max = 20},
    {"raw", S_RAW, S_OUT | S_STORE, AT(raw)},
    {"whole", S_I64, S_ALL, AT(whole)},
    {"at", S_TIME, S_ALL, AT(at)},
    {"number", S_F64, S_ALL, AT(number)},
    {"flag", S_BOOL, S_ALL, AT(flag)},
    {"tri", S_TRI, S_ALL, AT(tri)},
    {"part", S_OBJECT, S_ALL, AT(part), .sub = &part_schema},
    {"other", S_OBJECT_PTR, S_ALL, AT(other), .sub = &part_schema},
    {"parts", S_LIST, S_ALL, AT(parts), AT(parts_count), 0, 4, .sub = &part_schema},
    {"tags", S_STR_LIST, S_ALL, AT(tags), AT(tags_count), 0, 4},
};
static const struct schema all_schema = SCHEMA(struct all, "All", all_fields);

static void check_errors(const struct field_errors *errors) {
    CHECK(errors->count <= SCHEMA_ERRORS_MAX);
    for (int i = 0; i < errors->count; i++) {
        struct str pointer = errors->items[i].pointer, detail = errors->items[i].detail;
        CHECK(pointer.p != NULL && (pointer.len == 0 || pointer.p[0] == '/'));
        CHECK(detail.len > 0 && str_is_utf8(detail, NULL));
    }
}

static void check_refused(struct str text, struct arena *a) {
    int line, column;
    struct str what;
    json_error_at(text, a, &line, &column, &what);
    CHECK(line >= 1 && column >= 1 && what.len > 0 && str_is_utf8(what, NULL));
}

/* Stored text must read back, and to the same. */
static void check_round_trip(const struct all *value, struct json_parser *p, struct arena *a) {
    struct all again;
    struct str first = schema_text(&all_schema, value, S_STORE, a);
    CHECK(schema_load(&all_schema, p, first, a, &again) == 0);
    CHECK(str_eq(first, schema_text(&all_schema, &again, S_STORE, a)));
}

/* The same for the tree as a whole. */
static void check_write(struct json_value v, struct json_parser *p, struct arena *a) {
    struct buf texts[2];
    for (int i = 0; i < 2; i++) {
        struct jw w;
        buf_init(&texts[i], a, 64);
        jw_init(&w, &texts[i]);
        json_write(v, &w);
        CHECK(str_is_utf8(buf_str(&texts[i]), NULL));
        CHECK(json_parse(p, buf_str(&texts[i]), &v) == 0);
    }
    CHECK(str_eq(buf_str(&texts[0]), buf_str(&texts[1])));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct str text = {(const char *)bytes, len};
    struct arena arena;
    arena_init(&arena, 1024);
    struct json_parser *p = json_parser_new();
    struct json_value root;
    CHECK(schema_fault(&all_schema) == NULL);
    if (json_parse(p, text, &root) != 0) {
        check_refused(text, &arena);
    } else {
        static const unsigned masks[] = {S_IN, S_STORE};
        for (int i = 0; i < 2; i++) {
            struct field_errors errors = {.count = 0};
            struct all value;
            CHECK(json_parse(p, text, &root) == 0);
            int err = schema_read(&all_schema, root, masks[i], &arena, STR(""), &value, &errors);
            CHECK((err == 0) == (errors.count == 0));
            check_errors(&errors);
            schema_text(&all_schema, &value, S_OUT, &arena); /* also of what is half there */
            if (err == 0)
                check_round_trip(&value, p, &arena);
        }
        CHECK(json_parse(p, text, &root) == 0);
        check_write(root, p, &arena);
    }
    json_parser_free(p);
    arena_free(&arena);
    return 0;
}
