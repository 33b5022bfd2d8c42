#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void absent_is_not_empty(void **state) {
    (void)state;
    assert_false(str_eq(STR_NONE, STR("")));
    assert_true(str_eq(STR_NONE, str_from(NULL)));
    assert_true(str_eq(STR(""), str_from("")));
    assert_true(str_is(STR_NONE, NULL));
    assert_false(str_is(STR_NONE, ""));
    assert_null(str_sub(STR_NONE, 3, 4).p);
}

static void escapes(void **state) {
    (void)state;
    assert_int_equal(str_percent(STR("%2f")), '/');
    assert_int_equal(str_percent(STR("%fF")), 0xff);
    assert_int_equal(str_percent(STR("%00")), 0);
    static const char *const none[] = {"",   "%",   "%2",   "%2g", "%g2",
                                       "2f", "a2f", "%2f5", "%%2", "% 2"};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        assert_int_equal(str_percent(str_from(none[i])), -1);
    assert_int_equal(str_percent(STR_NONE), -1);
}

static void prefixes_and_parts(void **state) {
    (void)state;
    struct str s = STR("Bearer abc");
    assert_true(str_starts(s, "Bearer ") && str_starts(s, "") && str_ends(s, "abc"));
    assert_false(str_starts(s, "Bearer abcd"));
    assert_false(str_ends(s, "xBearer abc"));
    assert_true(str_eq_nocase(s, "bEARER ABC"));
    assert_false(str_eq_nocase(s, "bearer ab"));
    assert_false(str_eq_nocase(s, "bearer abcd"));
    assert_false(str_eq_nocase(STR("["), "{")); /* differ by the case bit only */
    assert_str(str_sub(s, 7, 99), "abc");
    assert_str(str_sub(s, 99, 99), "");
    assert_str(str_sub(s, 2, SIZE_MAX), "arer abc");
}

static void order_is_bytewise(void **state) {
    (void)state;
    assert_int_equal(str_cmp(STR("a"), STR("ab")), -1);
    assert_int_equal(str_cmp(STR("b"), STR("ab")), 1);
    assert_int_equal(str_cmp(STR("\x7f"), STR("\x80")), -1);
    assert_int_equal(str_cmp(STR(""), STR_NONE), 0);
    assert_int_equal(str_cmp(STR("same"), STR("same")), 0);
}

static void whole_numbers(void **state) {
    (void)state;
    int64_t v = 42;
    static const char *const invalid[] = {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "--1"};
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
        assert_int_equal(str_to_i64(str_from(invalid[i]), &v), ERR_INVALID);
    assert_int_equal(str_to_i64(STR("9223372036854775808"), &v), ERR_LIMIT);
    assert_int_equal(str_to_i64(STR("-9223372036854775809"), &v), ERR_LIMIT);
    assert_int_equal(str_to_i64(STR("99999999999999999999999"), &v), ERR_LIMIT);
    assert_int_equal(str_to_i64(STR("99999999999999999999x"), &v), ERR_INVALID);
    assert_int_equal(v, 42); /* untouched on failure */
    assert_int_equal(str_to_i64(STR("9223372036854775807"), &v), 0);
    assert_true(v == INT64_MAX);
    assert_int_equal(str_to_i64(STR("-9223372036854775808"), &v), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(str_to_i64(STR("000007"), &v), 0);
    assert_true(v == 7);
    struct rng rng;
    rng_seed(&rng, 1);
    for (int i = 0; i < 10000; i++) {
        int64_t wanted = (int64_t)rng_next(&rng) >> rng_below(&rng, 64);
        char text[32];
        snprintf(text, sizeof text, "%" PRId64, wanted);
        assert_int_equal(str_to_i64(str_from(text), &v), 0);
        assert_true(v == wanted);
    }
}

static void decimal_numbers(void **state) {
    (void)state;
    double v = 42;
    static const char *const invalid[] = {"",    "-",   ".5",  "1.", "1e",   "1e+",
                                          "inf", "nan", "0x1", " 1", "1 ",   "1e999",
                                          "1,5", "+1",  "--1", "1-", "1.2.3"};
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
        assert_int_equal(str_to_f64(str_from(invalid[i]), &v), ERR_INVALID);
    assert_int_equal(str_to_f64((struct str){"1\0", 2}, &v), ERR_INVALID);
    char long_one[200];
    memset(long_one, '1', sizeof long_one);
    assert_int_equal(str_to_f64((struct str){long_one, sizeof long_one}, &v), ERR_INVALID);
    assert_true(v == 42);
    static const char *const valid[] = {"57.7", "-1e3", "0", "-0.5", "1E+2", "12e-3"};
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        assert_int_equal(str_to_f64(str_from(valid[i]), &v), 0);
        assert_true(v == strtod(valid[i], NULL));
    }
    /* Only as far as it says: the byte after is not looked at. */
    assert_int_equal(str_to_f64((struct str){"1234", 2}, &v), 0);
    assert_true(v == 12);
}

static void secrets(void **state) {
    (void)state;
    assert_true(str_eq_secret(STR("abc"), STR("abc")));
    assert_false(str_eq_secret(STR("abc"), STR("abd")));
    assert_false(str_eq_secret(STR("abc"), STR("ab")));
    assert_false(str_eq_secret(STR_NONE, STR_NONE)); /* no secret opens nothing */
}

/* The twin: decodes by the bit patterns and judges the code point afterwards. */
static bool twin_utf8(const unsigned char *p, size_t len, size_t *ret_chars) {
    size_t chars = 0;
    for (size_t i = 0; i < len; chars++) {
        unsigned c = p[i];
        size_t more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 9;
        if (more == 9 || i + more >= len)
            return false;
        uint32_t point = more == 0 ? c : c & (0x3Fu >> more);
        for (size_t k = 1; k <= more; k++) {
            if (p[i + k] >> 6 != 2)
                return false;
            point = point << 6 | (p[i + k] & 0x3Fu);
        }
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (point < least[more] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
            return false;
        i += more + 1;
    }
    *ret_chars = chars;
    return true;
}

static void assert_like_twin(const unsigned char *p, size_t len) {
    size_t chars = 0, wanted_chars = 0;
    bool wanted = twin_utf8(p, len, &wanted_chars);
    assert_int_equal(str_is_utf8((struct str){(const char *)p, len}, &chars), wanted);
    if (wanted)
        assert_int_equal(chars, wanted_chars);
}

static void utf8_like_its_twin(void **state) {
    (void)state;
    unsigned char p[24];
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            p[0] = (unsigned char)a;
            p[1] = (unsigned char)b;
            assert_like_twin(p, 2);
            p[2] = 0x80;
            assert_like_twin(p, 3);
            p[3] = 0xBF;
            assert_like_twin(p, 4);
        }
    }
    struct rng rng;
    rng_seed(&rng, 2);
    static const unsigned char likely[] = {'a',  0x80, 0xBF, 0xC2, 0xC0, 0xE0, 0xA0, 0xED,
                                           0x9F, 0xF0, 0x90, 0xF4, 0x8F, 0xF5, 0xEF, 0xFF};
    for (int i = 0; i < 300000; i++) {
        size_t len = rng_below(&rng, sizeof p + 1);
        for (size_t k = 0; k < len; k++) /* mostly ASCII, so that the fast path ends anywhere */
            p[k] = rng_below(&rng, 3) ? 'x' : likely[rng_below(&rng, sizeof likely)];
        assert_like_twin(p, len);
    }
}

static void hash_spreads(void **state) {
    (void)state;
    enum { COUNT = 1 << 15, BUCKETS = 1 << 10 };
    static int buckets[BUCKETS];
    char text[40];
    for (int i = 0; i < COUNT; i++) {
        int len = snprintf(text, sizeof text, "bkg_01J%019d", i);
        buckets[str_hash((struct str){text, (size_t)len}, 0) % BUCKETS]++;
    }
    for (int i = 0; i < BUCKETS; i++) /* 32 each, σ = 5.7 */
        assert_in_range(buckets[i], 4, 64);
    /* Every byte counts, at every length, and so does the length itself. */
    static char bytes[64];
    for (size_t len = 1; len <= sizeof bytes; len++) {
        uint64_t plain = str_hash((struct str){bytes, len}, 0);
        assert_true(plain != str_hash((struct str){bytes, len - 1}, 0));
        for (size_t i = 0; i < len; i++) {
            bytes[i] = 1;
            assert_true(plain != str_hash((struct str){bytes, len}, 0));
            bytes[i] = 0;
        }
    }
    assert_true(str_hash(STR("a"), 1) != str_hash(STR("a"), 2));
    assert_true(str_hash(STR("abcabc"), 1) == str_hash((struct str){&"xabcabc"[1], 6}, 1));
    assert_true(str_hash(STR(""), 1) == str_hash(STR_NONE, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_is_not_empty), cmocka_unit_test(prefixes_and_parts),
        cmocka_unit_test(order_is_bytewise),   cmocka_unit_test(whole_numbers),
        cmocka_unit_test(decimal_numbers),     cmocka_unit_test(secrets),
        cmocka_unit_test(utf8_like_its_twin),  cmocka_unit_test(escapes),
        cmocka_unit_test(hash_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
