#include "base/err.h"
#include "base/rng.h"
#include "base/test.h"
#include "json/reader.h"
#include "json/writer.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct json_parser *parser;
static struct arena arena;

static int setup(void **state) {
    (void)state;
    parser = json_parser_new();
    arena_init(&arena, 4096);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    parser = json_parser_free(parser);
    assert_null(json_parser_free(NULL));
    arena_free(&arena);
    return 0;
}

static struct json_value parsed(const char *text) {
    struct json_value v;
    if (json_parse(parser, str_from(text), &v) != 0)
        fail_msg("%s was refused", text);
    return v;
}

static struct json_value member(struct json_value object, const char *key) {
    struct json_value v = {0};
    assert_true(json_get(object, key, &v));
    return v;
}

static void values_of_all_kinds(void **state) {
    (void)state;
    struct json_value v =
        parsed("{\"n\":null,\"t\":true,\"f\":false,\"i\":-7,\"d\":1.5,\"s\":\"x\","
               "\"a\":[1,[2,3],{\"k\":4}],\"o\":{},\"u\":18446744073709551615}");
    assert_int_equal(json_kind(v), JSON_IS_OBJECT);
    assert_int_equal(json_count(v), 9);
    assert_int_equal(json_kind(member(v, "n")), JSON_IS_NULL);
    assert_int_equal(json_kind(member(v, "t")), JSON_IS_BOOL);
    assert_true(json_bool(member(v, "t")));
    assert_false(json_bool(member(v, "f")));
    int64_t i = 0;
    assert_int_equal(json_i64(member(v, "i"), &i), 0);
    assert_int_equal(i, -7);
    double d = 0;
    assert_int_equal(json_f64(member(v, "d"), &d), 0);
    assert_true(d == 1.5);
    assert_int_equal(json_f64(member(v, "i"), &d), 0);
    assert_true(d == -7);
    assert_str(json_text(member(v, "s")), "x");
    assert_int_equal(json_kind(member(v, "o")), JSON_IS_OBJECT);
    assert_int_equal(json_count(member(v, "o")), 0);
    assert_int_equal(json_kind(member(v, "u")), JSON_IS_DOUBLE);
    assert_int_equal(json_f64(member(v, "u"), &d), 0);
    assert_true(d == 18446744073709551616.0);
    assert_false(json_get(v, "none", &v));
    assert_false(json_get(member(v, "a"), "k", &v)); /* not of the things inside */
}

static void a_kind_is_not_another(void **state) {
    (void)state;
    struct json_value v = parsed("[\"1\",1.0,1e0,18446744073709551615,true,null,[],{}]");
    for (struct json_iter it = json_iter(v); json_next(&it);) {
        int64_t i = 42;
        assert_int_equal(json_i64(it.value, &i), ERR_INVALID);
        assert_int_equal(i, 42);
        if (json_kind(it.value) != JSON_IS_STRING)
            assert_null(json_text(it.value).p);
        if (json_kind(it.value) != JSON_IS_DOUBLE)
            assert_int_equal(json_f64(it.value, &(double){0}), ERR_INVALID);
        struct json_iter inner = json_iter(it.value);
        assert_false(json_next(&inner));
    }
}

static void walking(void **state) {
    (void)state;
    struct json_value v = parsed(" [ 1.5 , [ 10 , [ ] , 20 ] , { \"a\" : { \"b\" : 1 } } , 4 ] ");
    static const enum json_kind kinds[] = {JSON_IS_DOUBLE, JSON_IS_ARRAY, JSON_IS_OBJECT,
                                           JSON_IS_INT};
    size_t n = 0;
    for (struct json_iter it = json_iter(v); json_next(&it); n++)
        assert_int_equal(json_kind(it.value), kinds[n]);
    assert_int_equal(n, 4);
    assert_int_equal(json_count(v), 4);
    v = parsed("{\"a\":[1,2],\"b\":1.5,\"a\":3,\"\":4}");
    static const char *const keys[] = {"a", "b", "a", ""};
    n = 0;
    for (struct json_iter it = json_iter(v); json_next(&it); n++)
        assert_str(it.key, keys[n]);
    assert_int_equal(n, 4);
    assert_int_equal(json_kind(member(v, "a")), JSON_IS_ARRAY); /* the first of the two */
}

static void strings_are_unescaped(void **state) {
    (void)state;
    struct json_value v = parsed("[\"\\u00e9\\n\\\"\\\\\\/\\ud83d\\ude9a\",\"a\\u0000b\",\"\"]");
    struct json_iter it = json_iter(v);
    assert_true(json_next(&it));
    assert_str(json_text(it.value), "\xC3\xA9\n\"\\/\xF0\x9F\x9A\x9A");
    assert_true(json_next(&it));
    assert_true(str_eq(json_text(it.value), (struct str){"a\0b", 3}));
    assert_true(json_next(&it));
    assert_str(json_text(it.value), "");
}

static void strict(void **state) {
    (void)state;
    static const char *const invalid[] = {
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[1e]",
        "[0x1]",
        "[NaN]",
        "[Infinity]",
        "[-]",
        "[1e999]",
        "nul",
        "truefalse",
        "1 2",
        "[1] 2",
        "[1]]",
        "\"a",
        "\"\t\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\xFF\"",
        "\"\xC0\x80\"",
        "\"\xED\xA0\x80\"",
        "\xEF\xBB\xBF{}",
        "[1]\x01",
        "// c\n1",
        "{\"a\" 1}",
        "{\"a\":}",
        "[1 2]",
        "[,1]",
        "{1:2}",
        "[\"a\\",
        "[99999999999999999999]",
    };
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        struct json_value v = {NULL, 42};
        struct str text = str_from(invalid[i]), what = STR_NONE;
        if (json_parse(parser, text, &v) != ERR_INVALID)
            fail_msg("%s was taken", invalid[i]);
        assert_int_equal(v.at, 42);
        int line = 0, column = 0;
        json_error_at(text, &arena, &line, &column, &what);
        assert_true(line >= 1 && column >= 1 && what.len > 0 && str_is_utf8(what, NULL));
    }
    static const char *const valid[] = {"1", "\"x\"", "null", " {} ", "\t[\r\n]", "-0", "1E5"};
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++)
        parsed(valid[i]);
    struct json_value v;
    assert_int_equal(json_parse(parser, (struct str){"1\0", 2}, &v), ERR_INVALID);
    assert_int_equal(json_parse(parser, STR_NONE, &v), ERR_INVALID);
}

static void places_of_errors(void **state) {
    (void)state;
    int line = 0, column = 0;
    struct str what;
    json_error_at(STR("{\"a\": 1,\n  \"b\": tru}"), &arena, &line, &column, &what);
    assert_int_equal(line, 2);
    assert_int_equal(column, 10);
    assert_str(what, "invalid token near 'tru'");
    json_error_at(STR(""), &arena, &line, &column, &what);
    assert_int_equal(line, 1);
    assert_int_equal(column, 1);
    json_error_at(STR("[\n\"\xC3\xA9[\\\"[\", [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["), &arena, &line,
                  &column, &what);
    assert_int_equal(line, 2); /* characters, not bytes; brackets in strings do not count */
    assert_int_equal(column, 41);
    assert_str(what, "nested deeper than 32");
}

static int parse_nested(const char *open, const char *inner, char close, int depth) {
    struct buf b;
    struct json_value v;
    buf_init(&b, &arena, 0);
    for (int i = 0; i < depth; i++)
        buf_add_cstr(&b, open);
    buf_add_cstr(&b, inner);
    for (int i = 0; i < depth; i++)
        buf_add_char(&b, close);
    return json_parse(parser, buf_str(&b), &v);
}

static void depth_is_bounded(void **state) {
    (void)state;
    for (int depth = 1; depth <= 4 * JSON_DEPTH_MAX; depth++) {
        int wanted = depth <= JSON_DEPTH_MAX ? 0 : ERR_INVALID;
        assert_int_equal(parse_nested("[", "1", ']', depth), wanted);
        assert_int_equal(parse_nested("[1,", "{}", ']', depth), wanted); /* {} is as flat as 1 */
        assert_int_equal(parse_nested("{\"k\":", "1", '}', depth), wanted);
    }
    static char open[1 << 20];
    memset(open, '[', sizeof open);
    struct json_value v;
    assert_int_equal(json_parse(parser, (struct str){open, sizeof open}, &v), ERR_INVALID);
}

/* Texts of every length, at the very end of their allocation: nothing is read past it. */
static void text_needs_no_padding(void **state) {
    (void)state;
    for (size_t len = 2; len < 300; len++) {
        char *text = malloc(len);
        assert_non_null(text);
        memset(text, 'x', len);
        text[0] = text[len - 1] = '"';
        struct json_value v;
        assert_int_equal(json_parse(parser, (struct str){text, len}, &v), 0);
        memset(text, '?', len); /* and it may go: the document has its own */
        free(text);
        assert_int_equal(json_text(v).len, len - 2);
    }
}

static void long_lists_are_counted(void **state) {
    (void)state;
    enum { ITEMS = 100000 };
    struct buf b;
    buf_init(&b, NULL, 0);
    buf_add_char(&b, '[');
    for (int i = 0; i < ITEMS; i++)
        buf_add_cstr(&b, i ? ",1" : "1");
    buf_add_char(&b, ']');
    struct json_value v;
    assert_int_equal(json_parse(parser, buf_str(&b), &v), 0);
    assert_int_equal(json_count(v), ITEMS);
    size_t walked = 0;
    for (struct json_iter it = json_iter(v); json_next(&it);)
        walked++;
    assert_int_equal(walked, ITEMS);
    buf_free(&b);
}

static void write_random(struct jw *w, struct rng *rng, int depth) {
    static const char *const strings[] = {"",
                                          "x",
                                          "\"\\\n\t\x01",
                                          "\xC3\xA9\xF0\x9F\x9A\x9A",
                                          "a/b~c",
                                          "long enough to take more than one word"};
    switch (rng_below(rng, depth < 6 ? 8 : 6)) {
    case 0:
        jw_null(w);
        return;
    case 1:
        jw_bool(w, rng_below(rng, 2));
        return;
    case 2:
        jw_i64(w, (int64_t)rng_next(rng) >> rng_below(rng, 64));
        return;
    case 3:
    case 4:
        jw_f64(w, ldexp(rng_unit(rng) - 0.5, (int)rng_between(rng, -60, 60)));
        return;
    case 5:
        jw_cstr(w, strings[rng_below(rng, 6)]);
        return;
    case 6:
        jw_array(w);
        for (uint64_t n = rng_below(rng, 5); n > 0; n--)
            write_random(w, rng, depth + 1);
        jw_end(w);
        return;
    default:
        jw_object(w);
        for (uint64_t n = rng_below(rng, 5); n > 0; n--) {
            jw_key_str(w, str_from(strings[rng_below(rng, 6)]));
            write_random(w, rng, depth + 1);
        }
        jw_end(w);
    }
}

/* Written, read and written again is the same; another parser agrees that it is JSON. */
static void what_is_written_reads_back(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 12);
    for (int i = 0; i < 3000; i++) {
        struct buf first, second;
        struct jw w;
        arena_reset(&arena);
        buf_init(&first, &arena, 16);
        jw_init(&w, &first);
        write_random(&w, &rng, 0);
        assert_int_equal(w.depth, 0);
        struct json_value v;
        assert_int_equal(json_parse(parser, buf_str(&first), &v), 0);
        buf_init(&second, &arena, 16);
        jw_init(&w, &second);
        json_write(v, &w);
        assert_true(str_eq(buf_str(&first), buf_str(&second)));
        json_t *twin = json_loadb(first.p, first.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(twin);
        json_decref(twin);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_all_kinds),
        cmocka_unit_test(a_kind_is_not_another),
        cmocka_unit_test(walking),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(strict),
        cmocka_unit_test(places_of_errors),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(text_needs_no_padding),
        cmocka_unit_test(long_lists_are_counted),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
