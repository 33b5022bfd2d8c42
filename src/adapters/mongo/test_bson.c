/* JSON to BSON and back: by example, then by chance. */
#include "adapters/mongo/mongo_bson.h"

#include "base/err.h"
#include "base/rng.h"
#include "json/writer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* TEXT through BSON, as it comes back; absent if it cannot go in. */
static struct str through(struct json_parser *p, struct str text, struct arena *a) {
    bson_t *state = bson_from_json(p, text), doc = BSON_INITIALIZER;
    bson_iter_t it;
    struct str back = STR_NONE;
    if (state != NULL) {
        assert_true(bson_append_document(&doc, "state", -1, state));
        assert_true(bson_validate(&doc, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL, NULL));
        assert_true(bson_iter_init_find(&it, &doc, "state"));
        assert_int_equal(bson_read_json(&it, a, &back), 0);
    }
    bson_destroy(state);
    bson_destroy(&doc);
    return back;
}

static void examples(void **state) {
    (void)state;
    static const struct {
        const char *text, *back; /* NULL: refused; "": the same */
    } rows[] = {
        {"{}", ""},
        {"{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":0}", ""},
        {"{\"a\":1.5,\"b\":-0.0,\"c\":1e-300,\"e\":0.1,\"f\":57.7089}", ""},
        {"{\"a\":1.0,\"b\":100.0}", ""},
        {"{\"a\":1e2}", "{\"a\":100.0}"},
        {"{\"z\":1,\"a\":2,\"m\":{\"y\":[],\"b\":{}}}", ""}, /* order stays */
        {"{\"\":1,\"a.b\":2,\"$set\":3,\"0\":4}", ""},       /* names that mean something there */
        {"{\"a\":[1,[2,[3,[]]],{\"b\":null}],\"t\":true,\"f\":false}", ""},
        {"{\"a\":\"Å 😀 \\u0001 \\\\ \\\" \\n\"}", ""},
        {"{\"a\":\"\\u0041\"}", "{\"a\":\"A\"}"},
        {"{\"a\":\"x\\u0000y\"}", ""}, /* a text may have it, */
        {"{\"a\\u0000b\":1}", NULL},   /* a name may not */
        {"{\"o\":{\"a\\u0000b\":1}}", NULL},
        {"[1]", NULL},
        {"1", NULL},
        {"", NULL},
        {"{\"a\":1", NULL},
        {"{\"a\":\"\xff\"}", NULL},
    };
    struct json_parser *p = json_parser_new();
    struct arena a;
    arena_init(&a, 4096);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str text = str_from(rows[i].text), back = through(p, text, &a);
        const char *want = rows[i].back && !*rows[i].back ? rows[i].text : rows[i].back;
        if (want ? !str_is(back, want) : back.p != NULL)
            fail_msg("%s came back as %.*s", rows[i].text, STR_ARG(back));
    }
    arena_free(&a);
    json_parser_free(p);
}

static void others_kinds(void **state) {
    (void)state;
    struct arena a;
    struct str back;
    bson_t doc = BSON_INITIALIZER, inner = BSON_INITIALIZER;
    bson_iter_t it;
    arena_init(&a, 4096);
    bson_append_int32(&inner, "n", -1, 7); /* a person with a shell wrote it */
    bson_append_document(&doc, "state", -1, &inner);
    assert_true(bson_iter_init_find(&it, &doc, "state"));
    assert_int_equal(bson_read_json(&it, &a, &back), 0);
    assert_true(str_is(back, "{\"n\":7}"));
    bson_append_date_time(&inner, "when", -1, 1);
    bson_append_document(&doc, "dated", -1, &inner);
    bson_append_utf8(&doc, "text", -1, "{}", -1);
    assert_true(bson_iter_init_find(&it, &doc, "dated"));
    assert_int_equal(bson_read_json(&it, &a, &back), ERR_CORRUPT);
    assert_true(bson_iter_init_find(&it, &doc, "text"));
    assert_int_equal(bson_read_json(&it, &a, &back), ERR_CORRUPT);
    bson_destroy(&doc);
    bson_destroy(&inner);
    arena_free(&a);
}

/* ---- by chance ---- */

static void draw_string(struct rng *r, struct arena *a, struct jw *w, bool key) {
    static const char *const parts[] = {"a",  "é", "😀",     "\xef\xbf\xbf", "\"", "\\",
                                        "\n", "$", "a.b.c", "\x7f",         " ",  "/"};
    struct buf b;
    buf_init(&b, a, 16);
    for (int64_t n = rng_between(r, 0, 6); n > 0; n--)
        buf_add_cstr(&b, parts[rng_below(r, sizeof parts / sizeof parts[0])]);
    if (key)
        jw_key_str(w, buf_str(&b));
    else
        jw_str(w, buf_str(&b));
}

static void draw_number(struct rng *r, struct jw *w) {
    uint64_t bits = rng_next(r);
    double real;
    memcpy(&real, &bits, sizeof real);
    switch (rng_below(r, 4)) {
    case 0:
        jw_i64(w, (int64_t)(bits >> rng_below(r, 64)));
        break;
    case 1:
        jw_i64(w, -(int64_t)(bits >> (1 + rng_below(r, 63))));
        break;
    case 2:
        jw_fixed(w, (int64_t)(bits >> 20), 7);
        break;
    default:
        jw_f64(w, isfinite(real) ? real : 0.5);
        break;
    }
}

static void draw_value(struct rng *r, struct arena *a, struct jw *w, int depth) {
    uint64_t kind = rng_below(r, depth < JSON_DEPTH_MAX - 2 ? 8 : 5);
    switch (kind) {
    case 0:
        jw_null(w);
        return;
    case 1:
        jw_bool(w, rng_below(r, 2));
        return;
    case 2:
        draw_string(r, a, w, false);
        return;
    case 3:
    case 4:
        draw_number(r, w);
        return;
    default:
        break;
    }
    if (kind == 5)
        jw_array(w);
    else
        jw_object(w);
    for (int64_t n = rng_between(r, 0, kind == 7 ? 1 : 3); n > 0; n--) {
        if (kind != 5)
            draw_string(r, a, w, true);
        draw_value(r, a, w, depth + 1);
    }
    jw_end(w);
}

/* Kind by kind, bit by bit. */
static bool same_value(struct json_value x, struct json_value y) {
    if (json_kind(x) != json_kind(y) || json_count(x) != json_count(y))
        return false;
    double fx = 0, fy = 0;
    int64_t ix = 0, iy = 0;
    struct json_iter i = json_iter(x), j = json_iter(y);
    switch (json_kind(x)) {
    case JSON_IS_BOOL:
        return json_bool(x) == json_bool(y);
    case JSON_IS_INT:
        return json_i64(x, &ix) == 0 && json_i64(y, &iy) == 0 && ix == iy;
    case JSON_IS_DOUBLE:
        return json_f64(x, &fx) == 0 && json_f64(y, &fy) == 0 && fx == fy &&
               signbit(fx) == signbit(fy);
    case JSON_IS_STRING:
        return str_eq(json_text(x), json_text(y));
    default:
        while (json_next(&i) && json_next(&j))
            if (!str_eq(i.key, j.key) || !same_value(i.value, j.value))
                return false;
        return true;
    }
}

static void by_chance(void **state) {
    (void)state;
    struct json_parser *p = json_parser_new(), *q = json_parser_new();
    struct arena a;
    struct rng r;
    arena_init(&a, 65536);
    rng_seed(&r, 7);
    for (int n = 0; n < 20000; n++) {
        struct buf out;
        struct jw w;
        struct json_value x, y;
        buf_init(&out, &a, 256);
        jw_init(&w, &out);
        jw_object(&w);
        for (int64_t k = rng_between(&r, 0, 4); k > 0; k--) {
            draw_string(&r, &a, &w, true);
            draw_value(&r, &a, &w, 1);
        }
        jw_end(&w);
        struct str text = buf_str(&out), back = through(p, text, &a);
        assert_non_null(back.p);
        assert_true(str_eq(through(p, back, &a), back));
        assert_int_equal(json_parse(p, text, &x), 0);
        assert_int_equal(json_parse(q, back, &y), 0);
        if (!same_value(x, y))
            fail_msg("%.*s came back as %.*s", STR_ARG(text), STR_ARG(back));
        arena_reset(&a);
    }
    arena_free(&a);
    json_parser_free(p);
    json_parser_free(q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(others_kinds),
        cmocka_unit_test(by_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
