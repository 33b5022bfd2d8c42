#include "base/err.h"
#include "base/rng.h"
#include "base/test.h"
#include "base/units.h"
#include "json/schema.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Two types with a field of each kind. */
struct stop {
    int32_t lat, lng;
    struct str address;
};
static const struct schema_field stop_fields[] = {
    {"lat", S_DEG7, S_ALL | S_REQUIRED, offsetof(struct stop, lat), .min = -90, .max = 90},
    {"lng", S_DEG7, S_ALL | S_REQUIRED, offsetof(struct stop, lng)},
    {"a/d~r", S_LINE, S_ALL, offsetof(struct stop, address), .min = 1, .max = 10},
};
static const struct schema stop_schema = SCHEMA(struct stop, "Stop", stop_fields);

struct thing {
    struct str id, name, notes, raw, secret;
    int32_t vehicle, tri, stops_count, tags_count;
    bool flag;
    int64_t weight, count, at;
    double speed;
    struct stop home, base;
    struct stop *work;
    struct stop *stops;
    struct str *tags;
};
#define AT(member) offsetof(struct thing, member)
static const struct schema_field thing_fields[] = {
    {"id", S_ID, S_ALL, AT(id), .hint = "bkg"},
    {"name", S_LINE, S_ALL | S_REQUIRED, AT(name), .min = 1, .max = 100},
    {"notes", S_STR, S_ALL | S_NULL, AT(notes), .hint = "be brief"},
    {"raw", S_RAW, S_OUT | S_STORE, AT(raw)},
    {"secret", S_STR, S_IN | S_STORE, AT(secret), .min = 0, .max = 5},
    {"vehicle", S_ENUM, S_ALL | S_NULL, AT(vehicle), .names = vehicle_names,
     .hint = "vehicle class"},
    {"tri", S_TRI, S_ALL, AT(tri)},
    {"flag", S_BOOL, S_ALL, AT(flag)},
    {"weight", S_I64, S_ALL, AT(weight), .min = 0, .max = 1000},
    {"count", S_I64, S_ALL, AT(count)},
    {"at", S_TIME, S_ALL | S_NULL, AT(at)},
    {"speed", S_F64, S_ALL, AT(speed), .min = 0, .max = 200},
    {"home", S_OBJECT, S_ALL, AT(home), .sub = &stop_schema},
    {"base", S_OBJECT, S_OUT | S_STORE | S_REQUIRED, AT(base), .sub = &stop_schema},
    {"work", S_OBJECT_PTR, S_ALL | S_NULL, AT(work), .sub = &stop_schema},
    {"stops", S_LIST, S_ALL, AT(stops), AT(stops_count), 2, 20, .sub = &stop_schema},
    {"tags", S_STR_LIST, S_ALL, AT(tags), AT(tags_count), 0, 3},
};
static const struct schema thing_schema = SCHEMA(struct thing, "Thing", thing_fields);

static struct json_parser *parser;
static struct arena arena;
static struct field_errors errors;
static struct thing thing;

static int setup(void **state) {
    (void)state;
    parser = json_parser_new();
    arena_init(&arena, 4096);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    json_parser_free(parser);
    arena_free(&arena);
    return 0;
}

static int read_as(unsigned mask, const char *text) {
    struct json_value v;
    if (json_parse(parser, str_from(text), &v) != 0)
        fail_msg("not JSON: %s", text);
    errors.count = errors.more = 0;
    memset(&thing, 0xA5, sizeof thing);
    return schema_read(&thing_schema, v, mask, &arena, STR(""), &thing, &errors);
}

static void assert_taken(const char *text) {
    if (read_as(S_IN, text) != 0)
        fail_msg("%s: %.*s %.*s", text, STR_ARG(errors.items[0].pointer),
                 STR_ARG(errors.items[0].detail));
    assert_int_equal(errors.count, 0);
}

/* TEXT makes exactly one error. */
static void assert_refused(const char *text, const char *pointer, const char *detail) {
    assert_int_equal(read_as(S_IN, text), ERR_INVALID);
    assert_str(errors.items[0].pointer, pointer);
    assert_str(errors.items[0].detail, detail);
    if (errors.count != 1)
        fail_msg("%s makes %d errors", text, errors.count);
}

#define NAMED "{\"name\":\"n\","
#define ID "bkg_01ARZ3NDEKTSV4RRFFQ69G5FAV"

static void all_that_is_absent(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"name\":\"n\"}",
        "{\"name\":\"n\",\"id\":null,\"notes\":null,\"secret\":null,\"vehicle\":null,\"tri\":null,"
        "\"flag\":null,\"weight\":null,\"count\":null,\"at\":null,\"speed\":null,\"home\":null,"
        "\"work\":null,\"stops\":null,\"tags\":null}",
    };
    for (int i = 0; i < 2; i++) {
        assert_taken(texts[i]);
        assert_true(thing.id.p == NULL && thing.notes.p == NULL && thing.secret.p == NULL);
        assert_true(thing.vehicle == 0 && thing.tri == TRI_ABSENT && !thing.flag);
        assert_true(thing.weight == I64_ABSENT && thing.count == I64_ABSENT && thing.at == 0);
        assert_true(isnan(thing.speed));
        assert_true(thing.home.lat == 0 && thing.home.address.p == NULL);
        assert_true(thing.work == NULL && thing.stops == NULL && thing.stops_count == 0);
        assert_true(thing.tags == NULL && thing.tags_count == 0);
        for (int f = 0; f < thing_schema.count; f++) {
            const struct schema_field *field = &thing_fields[f];
            bool there = field->kind == S_BOOL || strcmp(field->name, "name") == 0 ||
                         strcmp(field->name, "base") == 0;
            assert_int_equal(schema_absent(field, &thing), !there);
        }
        assert_str(schema_text(&thing_schema, &thing, S_OUT, &arena),
                   "{\"name\":\"n\",\"notes\":null,\"vehicle\":null,\"flag\":false,\"at\":null,"
                   "\"base\":{\"lat\":0,\"lng\":0},\"work\":null}");
        assert_str(schema_text(&thing_schema, &thing, S_STORE, &arena),
                   "{\"name\":\"n\",\"base\":{\"lat\":0,\"lng\":0}}");
    }
    struct thing cleared;
    schema_clear(&thing_schema, &cleared);
    assert_true(cleared.name.p == NULL && cleared.weight == I64_ABSENT && isnan(cleared.speed));
}

static const char full[] =
    "{\"id\":\"" ID "\",\"name\":\"Bo \xC3\x85\",\"notes\":\"a\\nb\",\"raw\":{\"x\":[1,2.5,\"y\"]},"
    "\"secret\":\"\",\"vehicle\":\"van\",\"tri\":false,\"flag\":true,\"weight\":7,\"count\":-1,"
    "\"at\":\"2026-11-23T10:00:00.500Z\",\"speed\":9.1,\"home\":{\"lat\":57.7089,\"lng\":11.9746},"
    "\"base\":{\"lat\":0,\"lng\":0},\"work\":{\"lat\":-1,\"lng\":-2,\"a/d~r\":\"w\"},"
    "\"stops\":[{\"lat\":1,\"lng\":2},{\"lat\":3,\"lng\":4}],\"tags\":[\"a\",\"b\"]}";

static void assert_full(void) {
    assert_str(thing.id, ID);
    assert_str(thing.raw, "{\"x\":[1,2.5,\"y\"]}");
    assert_int_equal(thing.vehicle, VEHICLE_VAN);
    assert_int_equal(thing.tri, TRI_FALSE);
    assert_int_equal(thing.home.lat, 577089000);
    assert_int_equal(thing.work->lng, -20000000);
    assert_int_equal(thing.stops_count, 2);
    assert_int_equal(thing.stops[1].lng, 40000000);
    assert_str(thing.tags[1], "b");
    assert_str(schema_text(&thing_schema, &thing, S_STORE, &arena), full);
}

static void stored_and_read_again(void **state) {
    (void)state;
    assert_int_equal(schema_load(&thing_schema, parser, STR_NONE, &arena, &thing), ERR_CORRUPT);
    assert_int_equal(schema_load(&thing_schema, parser, str_from(full), &arena, &thing), 0);
    assert_full();
    struct json_value v; /* what was decoded does not hang on the parser */
    assert_int_equal(json_parse(parser, STR("[\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]"), &v), 0);
    assert_full();
}

static void masks(void **state) {
    (void)state;
    assert_taken(NAMED "\"raw\":{},\"base\":7,\"secret\":\"s\"}"); /* not taken from clients */
    assert_null(thing.raw.p);
    assert_str(thing.secret, "s");
    struct str shown = schema_text(&thing_schema, &thing, S_OUT, &arena);
    assert_null(strstr(shown.p, "secret"));
    assert_non_null(strstr(schema_text(&thing_schema, &thing, S_STORE, &arena).p, "secret"));
}

/* What may be empty, of clients; what is stored, and what may not be empty, is as it was. */
static void blank_around_is_no_part(void **state) {
    (void)state;
    static const char *const said[][2] = {
        {"", ""}, {"   ", ""}, {" \\n ", ""}, {"\\n s ", "s"}, {" a b ", "a b"}};
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct str body =
            arena_printf(&arena, NAMED "\"notes\":\" n \",\"secret\":\"%s\"}", said[i][0]);
        assert_taken(body.p);
        assert_str(thing.secret, said[i][1]);
        assert_str(thing.notes, " n ");
    }
    assert_int_equal(read_as(S_STORE, NAMED "\"base\":{\"lat\":0,\"lng\":0},\"secret\":\" s \"}"),
                     0);
    assert_str(thing.secret, " s ");
}

static void words_for_people(void **state) {
    (void)state;
    assert_refused("{}", "/name", "is required");
    assert_refused("{\"name\":null}", "/name", "is required");
    assert_refused("[]", "", "must be an object");
    assert_refused("\"x\"", "", "must be an object");
    assert_refused("{\"name\":5}", "/name", "must be a string");
    assert_refused("{\"name\":\"\"}", "/name", "must be 1 to 100 characters");
    assert_refused("{\"name\":\"a\\nb\"}", "/name", "must not contain control characters");
    assert_refused("{\"name\":\"a\\u0000b\"}", "/name", "must not contain control characters");
    assert_refused("{\"name\":\"a\\u0085b\"}", "/name", "must not contain control characters");
    assert_refused("{\"name\":\"a\\u007f\"}", "/name", "must not contain control characters");
    assert_refused("{\"name\":\"a\\u202eb\"}", "/name", "must not contain control characters");
    assert_refused("{\"name\":\"a\\u061cb\"}", "/name", "must not contain control characters");
    assert_refused("{\"name\":\"\\udb40\\udc41\"}", "/name", "must not contain control characters");
    assert_refused("{\"name\":\"a\\u2069\"}", "/name", "must not contain control characters");
    assert_refused(NAMED "\"notes\":\"\\u2028\"}", "/notes", "must not contain control characters");
    assert_refused(NAMED "\"notes\":\"\\t\"}", "/notes", "must not contain control characters");
    assert_refused(NAMED "\"notes\":\"\"}", "/notes", "must be 1 to 1000 characters; be brief");
    assert_refused(NAMED "\"secret\":\"123456\"}", "/secret", "must be at most 5 characters");
    assert_refused(NAMED "\"name\":\"m\"}", "/name", "is given twice");
    assert_refused(NAMED "\"flag\":null,\"flag\":true}", "/flag", "is given twice");
    assert_refused(NAMED "\"id\":\"x\"}", "/id", "must be an id, bkg_ and 26 characters");
    assert_refused(NAMED "\"flag\":1}", "/flag", "must be true or false");
    assert_refused(NAMED "\"tri\":\"true\"}", "/tri", "must be true or false");
    assert_refused(NAMED "\"weight\":1.0}", "/weight", "must be a whole number");
    assert_refused(NAMED "\"weight\":\"1\"}", "/weight", "must be a whole number");
    assert_refused(NAMED "\"weight\":-1}", "/weight", "must be between 0 and 1000");
    assert_refused(NAMED "\"weight\":1001}", "/weight", "must be between 0 and 1000");
    assert_refused(NAMED "\"speed\":200.5}", "/speed", "must be between 0 and 200");
    assert_refused(NAMED "\"speed\":\"9\"}", "/speed", "must be a number");
    assert_refused(NAMED "\"at\":\"2026-02-30T00:00:00Z\"}", "/at",
                   "must be a time such as 2026-11-23T10:00:00Z");
    assert_refused(NAMED "\"at\":\"1970-01-01T00:00:00Z\"}", "/at",
                   "must be a time such as 2026-11-23T10:00:00Z");
    assert_refused(NAMED "\"at\":1}", "/at", "must be a string");
    assert_refused(NAMED "\"home\":[]}", "/home", "must be an object");
    assert_refused(NAMED "\"home\":{\"lat\":1}}", "/home/lng", "is required");
    assert_refused(NAMED "\"work\":{\"lat\":90.1,\"lng\":0}}", "/work/lat",
                   "must be between -90 and 90");
    assert_refused(NAMED "\"work\":{\"lat\":0,\"lng\":\"0\"}}", "/work/lng", "must be a number");
    assert_refused(NAMED "\"work\":{\"lat\":0,\"lng\":-180.00000001}}", "/work/lng",
                   "must be between -180 and 180");
    assert_refused(NAMED "\"work\":{\"lat\":0,\"lng\":0,\"a/d~r\":\"\"}}", "/work/a~1d~0r",
                   "must be 1 to 10 characters");
    assert_refused(NAMED "\"stops\":{}}", "/stops", "must be a list");
    assert_refused(NAMED "\"stops\":[]}", "/stops", "must have 2 to 20 items");
    assert_refused(NAMED "\"stops\":[{\"lat\":1,\"lng\":2}]}", "/stops", "must have 2 to 20 items");
    assert_refused(NAMED "\"stops\":[{\"lat\":1,\"lng\":2},{\"lat\":91,\"lng\":2}]}",
                   "/stops/1/lat", "must be between -90 and 90");
    assert_refused(NAMED "\"stops\":[{\"lat\":1,\"lng\":2},null]}", "/stops/1",
                   "must be an object");
    assert_refused(NAMED "\"tags\":[\"a\",\"b\",\"c\",\"d\"]}", "/tags",
                   "must have at most 3 items");
    assert_refused(NAMED "\"tags\":[\"a\",7]}", "/tags/1", "must be a string");
    assert_refused(NAMED "\"tags\":[\"\"]}", "/tags/0", "must be 1 to 200 characters");
}

static void unknown_names_are_repeated_with_care(void **state) {
    (void)state;
#define CLASSES "; one of bike, car, van, truck"
    assert_refused(NAMED "\"vehicle\":\"plane\"}", "/vehicle",
                   "unknown vehicle class: plane" CLASSES);
    assert_refused(NAMED "\"vehicle\":\"\"}", "/vehicle", "unknown vehicle class: " CLASSES);
    assert_refused(NAMED "\"vehicle\":\"Van\"}", "/vehicle", "unknown vehicle class: Van" CLASSES);
    assert_refused(NAMED "\"vehicle\":\"van\\u0000\"}", "/vehicle",
                   "unknown vehicle class: van\\u0000" CLASSES);
    assert_refused(NAMED "\"vehicle\":3}", "/vehicle", "must be a string");
    assert_refused(NAMED "\"vehicle\":\"\xC3\xA5\xC3\xA5\xC3\xA5\xC3\xA5\xC3\xA5\xC3\xA5\xC3\xA5"
                         "\xC3\xA5\xC3\xA5\xC3\xA5"
                         "123456789012345678901234567890xyz\"}",
                   "/vehicle",
                   "unknown vehicle class: \xC3\xA5\xC3\xA5\xC3\xA5\xC3\xA5\xC3\xA5\xC3\xA5\xC3\xA5"
                   "\xC3\xA5\xC3\xA5\xC3\xA5"
                   "123456789012345678901234567890\xE2\x80\xA6" CLASSES);
}

static void edges_that_are_taken(void **state) {
    (void)state;
    assert_taken("{\"name\":\"\\u00e9\\u00e9\",\"unknown\":1,\"unknown\":2,\"\":3}");
    assert_taken(NAMED "\"notes\":\"a\\nb\",\"secret\":\"\",\"weight\":0}");
    assert_true(thing.secret.p != NULL && thing.secret.len == 0);
    assert_taken(NAMED "\"weight\":1000,\"count\":9223372036854775807,\"speed\":0,\"tags\":[]}");
    assert_true(thing.tags != NULL && thing.tags_count == 0);
    assert_true(thing.count == INT64_MAX);
    assert_refused(NAMED "\"count\":-9223372036854775808}", "/count", /* it means absent */
                   "must be between -9223372036854775807 and 9223372036854775807");
    assert_taken(NAMED "\"home\":{\"lat\":90,\"lng\":-180}}");
    assert_int_equal(thing.home.lng, -1800000000);
    assert_taken(NAMED "\"home\":{\"lat\":1.00000005,\"lng\":-1.000000049}}"); /* rounded */
    assert_int_equal(thing.home.lat, 10000001);
    assert_int_equal(thing.home.lng, -10000000);
    assert_taken(NAMED "\"home\":{\"lat\":1e-7,\"lng\":-1E1}}");
    assert_int_equal(thing.home.lat, 1);
    assert_int_equal(thing.home.lng, -100000000);
    assert_taken(NAMED "\"at\":\"2026-11-23t11:00:00+01:00\"}");
    assert_true(thing.at == INT64_C(1795428000000000));
    /* 100 characters of three bytes each are 100 characters. */
    struct buf b;
    buf_init(&b, &arena, 0);
    buf_add_cstr(&b, "{\"name\":\"");
    for (int i = 0; i < 100; i++)
        buf_add_cstr(&b, "\xE2\x82\xAC");
    buf_add_cstr(&b, "\"}");
    buf_add_char(&b, '\0');
    assert_taken(b.p);
    b.len -= 3;
    buf_add_cstr(&b, "x\"}");
    buf_add_char(&b, '\0');
    assert_refused(b.p, "/name", "must be 1 to 100 characters");
}

static void every_bad_field_is_reported(void **state) {
    (void)state;
    assert_int_equal(read_as(S_IN, "{\"id\":1,\"vehicle\":\"x\",\"stops\":[{},{\"lat\":\"x\"}],"
                                   "\"weight\":-1,\"flag\":true}"),
                     ERR_INVALID);
    static const char *const pointers[] = {"/id",          "/vehicle",     "/stops/0/lat",
                                           "/stops/0/lng", "/stops/1/lat", "/stops/1/lng",
                                           "/weight",      "/name"};
    assert_int_equal(errors.count, 8);
    for (int i = 0; i < 8; i++)
        assert_str(errors.items[i].pointer, pointers[i]);
    assert_true(thing.flag && thing.weight == I64_ABSENT && thing.stops == NULL);
    assert_null(thing.id.p);
    /* Under another pointer, and added to what was there. */
    struct json_value v;
    assert_int_equal(json_parse(parser, STR("{\"name\":7}"), &v), 0);
    schema_read(&thing_schema, v, S_IN, &arena, STR("/things/3"), &thing, &errors);
    assert_int_equal(errors.count, 9);
    assert_str(errors.items[8].pointer, "/things/3/name");
    field_errors_add(&errors, &arena, STR("/x"), "is %d too many", 2);
    assert_str(errors.items[9].detail, "is 2 too many");
}

static void errors_are_bounded(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, &arena, 0);
    buf_add_cstr(&b, "{\"name\":\"n\",\"tags\":[],\"stops\":[{}");
    for (int i = 1; i < 20; i++)
        buf_add_cstr(&b, ",{}");
    buf_add_cstr(&b, "]}");
    buf_add_char(&b, '\0');
    assert_int_equal(read_as(S_IN, b.p), ERR_INVALID);
    assert_int_equal(errors.count, SCHEMA_ERRORS_MAX);
    assert_int_equal(errors.more, 40 - SCHEMA_ERRORS_MAX);
    field_errors_add(&errors, &arena, STR(""), "x");
    assert_int_equal(errors.more, 41 - SCHEMA_ERRORS_MAX);
}

static void what_is_stored_met_the_limits_of_its_day(void **state) {
    (void)state;
    static const char stored[] = "{\"name\":\"\",\"weight\":5000,\"base\":{\"lat\":0,\"lng\":0},"
                                 "\"stops\":[],\"notes\":\"a\\u0007b\"}";
    assert_int_equal(schema_load(&thing_schema, parser, str_from(stored), &arena, &thing), 0);
    assert_true(thing.weight == 5000 && thing.name.len == 0 && thing.notes.len == 3);
    static const char *const corrupt[] = {
        "",
        "{",
        "[]",
        "{\"name\":\"n\"}", /* base is required of the store */
        "{\"name\":7,\"base\":{\"lat\":0,\"lng\":0}}",
        "{\"name\":\"n\",\"base\":{\"lat\":0,\"lng\":400}}", /* what int32 cannot hold */
        "{\"name\":\"n\",\"base\":{\"lat\":0,\"lng\":0},\"vehicle\":\"plane\"}",
        "{\"name\":\"n\",\"base\":{\"lat\":0,\"lng\":0},\"at\":\"soon\"}",
        "{\"name\":\"n\",\"name\":\"n\",\"base\":{\"lat\":0,\"lng\":0}}",
    };
    for (size_t i = 0; i < sizeof corrupt / sizeof corrupt[0]; i++)
        assert_int_equal(schema_load(&thing_schema, parser, str_from(corrupt[i]), &arena, &thing),
                         ERR_CORRUPT);
}

/* The same members in any order, with strangers among them, decode to the same. */
static void order_does_not_matter(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 15);
    static const char *const members[] = {
        ("\"id\":\"" ID "\""), "\"name\":\"n\"",    "\"vehicle\":\"bike\"",
        "\"flag\":true",       "\"weight\":7",      "\"speed\":1.5",
        "\"tags\":[\"x\"]",    "\"stranger\":[{}]", "\"nam\":\"no\"",
        "\"names\":1",         "\"i\":{}",
    };
    enum { MEMBERS = sizeof members / sizeof members[0] };
    for (int i = 0; i < 500; i++) {
        int order[MEMBERS] = {0};
        struct buf b;
        buf_init(&b, &arena, 256);
        for (int k = 0; k < MEMBERS; k++) { /* Fisher and Yates */
            int j = (int)rng_below(&rng, (uint64_t)k + 1);
            order[k] = order[j];
            order[j] = k;
        }
        for (int k = 0; k < MEMBERS; k++)
            buf_printf(&b, "%c%s", k ? ',' : '{', members[order[k]]);
        buf_add_str(&b, (struct str){"}", 2});
        assert_taken(b.p);
        assert_str(schema_text(&thing_schema, &thing, S_IN, &arena),
                   "{\"id\":\"" ID "\",\"name\":\"n\",\"vehicle\":\"bike\",\"flag\":true,"
                   "\"weight\":7,\"speed\":1.5,\"tags\":[\"x\"]}");
        arena_reset(&arena);
    }
}

static void required_lists_are_written_empty(void **state) {
    (void)state;
    static const struct schema_field fields[] = {
        {"stops", S_LIST, S_ALL | S_REQUIRED, AT(stops), AT(stops_count), .sub = &stop_schema},
        {"tags", S_STR_LIST, S_ALL, AT(tags), AT(tags_count)},
    };
    static const struct schema schema = SCHEMA(struct thing, "Lists", fields);
    struct thing none = {0};
    assert_str(schema_text(&schema, &none, S_OUT, &arena), "{\"stops\":[]}");
}

static void tables_are_checked(void **state) {
    (void)state;
    assert_null(schema_fault(&thing_schema));
    static const struct schema_field good = {"a", S_I64, S_ALL, AT(weight), .max = 9};
    struct schema_field fields[2] = {good, good};
    struct schema s = SCHEMA(struct thing, "Bad", fields);
    assert_string_equal(schema_fault(&s), "a name twice");
    fields[1].flags = S_IN; /* the same name, but never in the same text */
    fields[0].flags = S_OUT;
    assert_null(schema_fault(&s));
    s.count = 1;
    fields[0].name = "";
    assert_non_null(schema_fault(&s));
    fields[0] = good;
    fields[0].offset = sizeof(struct thing) - 4;
    assert_non_null(schema_fault(&s));
    fields[0] = good;
    fields[0].kind = S_OBJECT;
    assert_non_null(schema_fault(&s));
    fields[0].sub = &s; /* in itself */
    assert_non_null(schema_fault(&s));
    fields[0] = good;
    fields[0].kind = S_ENUM;
    assert_non_null(schema_fault(&s));
    fields[0] = good;
    fields[0].min = 10;
    assert_non_null(schema_fault(&s));
    fields[0] = good;
    fields[0].flags = S_REQUIRED;
    assert_non_null(schema_fault(&s));
    s.count = SCHEMA_FIELDS_MAX + 1;
    assert_non_null(schema_fault(&s));
    s.count = 0;
    assert_non_null(schema_fault(&s));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_absent),
        cmocka_unit_test(stored_and_read_again),
        cmocka_unit_test(masks),
        cmocka_unit_test(blank_around_is_no_part),
        cmocka_unit_test(words_for_people),
        cmocka_unit_test(unknown_names_are_repeated_with_care),
        cmocka_unit_test(edges_that_are_taken),
        cmocka_unit_test(every_bad_field_is_reported),
        cmocka_unit_test(errors_are_bounded),
        cmocka_unit_test(what_is_stored_met_the_limits_of_its_day),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(required_lists_are_written_empty),
        cmocka_unit_test(tables_are_checked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
