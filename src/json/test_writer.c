#include "base/rng.h"
#include "base/test.h"
#include "base/timestamp.h"
#include "json/writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct buf out;
static struct jw w;

/* A fresh writer, on the heap so that writes past the room reserved are seen. */
static void begin(void) {
    buf_free(&out);
    buf_init(&out, NULL, 0);
    jw_init(&w, &out);
}

static int teardown(void **state) {
    (void)state;
    buf_free(&out);
    return 0;
}

static void commas_come_by_themselves(void **state) {
    (void)state;
    begin();
    jw_object(&w);
    jw_kv_str(&w, "id", STR("x"));
    jw_kv_i64(&w, "n", -5);
    jw_key(&w, "list");
    jw_array(&w);
    jw_end(&w);
    jw_key(&w, "deep");
    jw_array(&w);
    jw_object(&w);
    jw_end(&w);
    jw_array(&w);
    jw_bool(&w, true);
    jw_bool(&w, false);
    jw_null(&w);
    jw_end(&w);
    jw_raw(&w, STR("{\"raw\":1}"));
    jw_end(&w);
    jw_kv_time(&w, "at", 1500000);
    jw_kv_time(&w, "never", 0);
    jw_kv_str(&w, "none", STR_NONE);
    jw_kv_point(&w, point_of(57.7089, -11.9746));
    jw_key_str(&w, STR("a\"b"));
    jw_cstr(&w, NULL);
    jw_end(&w);
    assert_str(buf_str(&out), "{\"id\":\"x\",\"n\":-5,\"list\":[],\"deep\":[{},[true,false,null],"
                              "{\"raw\":1}],\"at\":\"1970-01-01T00:00:01.500Z\",\"never\":null,"
                              "\"none\":null,\"lat\":57.7089,\"lng\":-11.9746,\"a\\\"b\":null}");
}

static void every_byte_escaped_as_it_should(void **state) {
    (void)state;
    char text[24], wanted[256];
    for (int c = 0; c < 128; c++) {
        for (size_t at = 0; at < 18; at++) { /* wherever it stands in a word of eight */
            memset(text, 'x', 18);
            text[at] = (char)c;
            begin();
            jw_str(&w, (struct str){text, 18});
            char escape[8] = {(char)c, 0};
            const char *shorts = "\"\"\\\\\bb\ff\nn\rr\tt", *hit = NULL;
            for (const char *s = shorts; *s && !hit; s += 2)
                hit = *s == c ? s : NULL;
            if (hit)
                snprintf(escape, sizeof escape, "\\%c", hit[1]);
            else if (c < 0x20)
                snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c & 0x7Fu);
            snprintf(wanted, sizeof wanted, "\"%.*s%s%.*s\"", (int)at, "xxxxxxxxxxxxxxxxxx", escape,
                     (int)(17 - at), "xxxxxxxxxxxxxxxxxx");
            assert_str(buf_str(&out), wanted);
        }
    }
    begin();
    jw_cstr(&w, "\xC3\xA9 \xF0\x9F\x9A\x9A \x7f");
    assert_str(buf_str(&out), "\"\xC3\xA9 \xF0\x9F\x9A\x9A \x7f\"");
}

static const char *f64_text(double v) {
    static char text[64];
    begin();
    jw_f64(&w, v);
    snprintf(text, sizeof text, "%.*s", STR_ARG(buf_str(&out)));
    return text;
}

static void doubles_by_example(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *wanted;
    } cases[] = {
        {0, "0"},
        {9.1, "9.1"},
        {-0.5, "-0.5"},
        {45, "45"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e21, "1e+21"},
        {0.001, "0.001"},
        {1.0 / 3, "0.3333333333333333"},
        {123456.789, "123456.789"},
        {5e-324, "4.94065645841247e-324"},
        {9007199254740993.0, "9007199254740992"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
        {57.7089037, "57.7089037"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(f64_text(cases[i].value), cases[i].wanted);
    assert_string_equal(f64_text(-0.0), "-0.0"); /* "-0" would read back as an integer */
}

/* Significant digits: from the first that is not 0 to the last that is not 0. */
static int digits_of(const char *text) {
    int digits = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text == '0')
            zeros += digits > 0;
        else if (*text > '0') {
            digits += zeros + 1;
            zeros = 0;
        }
    }
    return digits;
}

static void doubles_read_back(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 13);
    for (int i = 0; i < 50000; i++) {
        double v;
        uint64_t bits = rng_next(&rng);
        if (i % 2) {
            v = (double)rng_between(&rng, -1000000000, 1000000000) /
                pow(10, (double)rng_below(&rng, 12));
        } else {
            memcpy(&v, &bits, sizeof v);
        }
        if (!isfinite(v))
            continue;
        const char *text = f64_text(v);
        assert_true(strtod(text, NULL) == v);
        char shorter[64]; /* no text with fewer digits would do */
        snprintf(shorter, sizeof shorter, "%.15g", v);
        if (strtod(shorter, NULL) == v)
            assert_true(digits_of(text) <= digits_of(shorter));
    }
}

static void fixed_point(void **state) {
    (void)state;
    static const struct {
        int64_t value;
        int decimals;
        const char *wanted;
    } cases[] = {
        {577089000, 7, "57.7089"},
        {0, 7, "0"},
        {1, 7, "0.0000001"},
        {-1, 7, "-0.0000001"},
        {-900000000, 7, "-90"},
        {1800000000, 7, "180"},
        {14900, 2, "149"},
        {14901, 2, "149.01"},
        {5, 0, "5"},
        {100, 0, "100"},
        {INT64_MIN, 0, "-9223372036854775808"},
        {INT64_MAX, 18, "9.223372036854775807"},
        {10, 1, "1"},
        {7, 1, "0.7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin();
        jw_fixed(&w, cases[i].value, cases[i].decimals);
        assert_str(buf_str(&out), cases[i].wanted);
    }
    struct rng rng;
    rng_seed(&rng, 14);
    for (int i = 0; i < 20000; i++) {
        int32_t e7 = (int32_t)rng_between(&rng, -1800000000, 1800000000);
        begin();
        jw_deg7(&w, e7);
        buf_add_char(&out, '\0');
        assert_int_equal(lround(strtod(out.p, NULL) * E7), e7);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_come_by_themselves),
        cmocka_unit_test(every_byte_escaped_as_it_should),
        cmocka_unit_test(doubles_by_example),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(fixed_point),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
