/* What is a picture, and what is not. */
#include "base/check.h"
#include "base/err.h"
#include "services/files/inspect.h"
#include "services/files/strip.h"
#include "services/files/test_images.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena a;

static int clean(void **state) {
    (void)state;
    arena_free(&a);
    arena_init(&a, 4096);
    return 0;
}

static int looked(enum file_type type, struct str bytes, struct inspection *ret) {
    const char *why = NULL;
    int err = inspect(type, bytes, &a, ret, &why);
    assert_true((err == 0) == (why == NULL));
    return err;
}

static bool holds(struct str bytes, const char *text) {
    return memmem(bytes.p, bytes.len, text, strlen(text)) != NULL;
}

static void pictures_are_read(void **state) {
    (void)state;
    struct inspection found;
    for (int progressive = 0; progressive < 2; progressive++) {
        struct str jpeg = test_jpeg(&a, 123, 77, progressive, STR_NONE);
        assert_true(holds(jpeg, "secret place"));
        assert_int_equal(looked(FILE_JPEG, jpeg, &found), 0);
        assert_int_equal(found.width, 123);
        assert_int_equal(found.height, 77);
        assert_false(holds(found.bytes, "secret place"));
        assert_int_equal(looked(FILE_PNG, jpeg, &found), ERR_INVALID);
    }
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        struct str png = test_png(&a, 65, 33, interlaced);
        assert_true(holds(png, "secret place"));
        assert_int_equal(looked(FILE_PNG, png, &found), 0);
        assert_int_equal(found.width, 65);
        assert_int_equal(found.height, 33);
        assert_false(holds(found.bytes, "secret place"));
        assert_int_equal(looked(FILE_JPEG, png, &found), ERR_INVALID);
    }
}

/* EXIF with an orientation and a place: the one stays, the other goes. */
static void place_is_left_out(void **state) {
    (void)state;
    static const char big[] = "Exif\0\0MM\0\x2A\0\0\0\x08\0\x02"
                              "\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
                              "\x88\x25\0\x04\0\0\0\x01\0\0\0\x26"
                              "\0\0\0\0GPS here";
    static const char little[] = "Exif\0\0II\x2A\0\x08\0\0\0\x01\0"
                                 "\x12\x01\x03\0\x01\0\0\0\x08\0\0\0"
                                 "\0\0\0\0GPS here";
    const struct {
        struct str exif;
        char orientation;
    } cases[] = {{{big, sizeof big - 1}, 6}, {{little, sizeof little - 1}, 8}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct inspection found, again;
        struct str jpeg = test_jpeg(&a, 20, 10, false, cases[i].exif);
        assert_true(holds(jpeg, "GPS here"));
        assert_int_equal(looked(FILE_JPEG, jpeg, &found), 0);
        assert_false(holds(found.bytes, "GPS here"));
        const char *exif = memmem(found.bytes.p, found.bytes.len, "Exif", 4);
        assert_non_null(exif);
        assert_int_equal(exif[6 + 8 + 2 + 9], cases[i].orientation);
        /* What is kept is left as it is the next time. */
        assert_int_equal(looked(FILE_JPEG, found.bytes, &again), 0);
        assert_true(str_eq(found.bytes, again.bytes));
    }
}

/* Everything shorter than the whole is refused, and so is what a changed byte breaks; nothing
 * crashes. What follows the end is cut off. */
static void damage_is_found(void **state) {
    (void)state;
    struct str whole[] = {test_jpeg(&a, 40, 30, false, STR_NONE),
                          test_jpeg(&a, 40, 30, true, STR_NONE), test_png(&a, 40, 30, false),
                          test_png(&a, 40, 30, true)};
    for (size_t w = 0; w < COUNT_OF(whole); w++) {
        enum file_type type = w < 2 ? FILE_JPEG : FILE_PNG;
        struct inspection found, good;
        assert_int_equal(looked(type, whole[w], &good), 0);
        size_t tail = type == FILE_JPEG ? 2 : 0; /* an end mark missing, all rows there: harmless */
        for (size_t len = 0; len < whole[w].len - tail; len += len < 700 ? 1 : 37)
            assert_int_equal(looked(type, str_sub(whole[w], 0, len), &found), ERR_INVALID);
        for (size_t at = 0; at < whole[w].len; at += 3) {
            struct str spoilt = arena_str(&a, whole[w]);
            ((char *)(uintptr_t)spoilt.p)[at] ^= 0x55;
            (void)looked(type, spoilt, &found);
        }
        struct buf b;
        buf_init(&b, &a, whole[w].len + 64);
        buf_add_str(&b, whole[w]);
        buf_add_cstr(&b, "<script>alert(1)</script>");
        assert_int_equal(looked(type, buf_str(&b), &found), 0);
        assert_true(str_eq(found.bytes, good.bytes));
    }
}

static void put32(char *p, uint32_t v) {
    for (int i = 0; i < 4; i++)
        p[i] = (char)(v >> (24 - 8 * i));
}

/* A picture that says it has a billion pixels costs nothing. */
static void bombs_are_refused(void **state) {
    (void)state;
    struct inspection found;
    struct str jpeg = arena_str(&a, test_jpeg(&a, 8, 8, true, STR_NONE));
    char *sof = memmem(jpeg.p, jpeg.len, "\xFF\xC2", 2);
    assert_non_null(sof);
    memcpy(sof + 5, "\xFF\xDC\xFF\xDC", 4);
    assert_int_equal(looked(FILE_JPEG, jpeg, &found), ERR_INVALID);
    struct str large = test_png(&a, IMAGE_SIDE_MAX + 1, 1, false);
    assert_int_equal(looked(FILE_PNG, large, &found), ERR_INVALID);
    struct str png = arena_str(&a, test_png(&a, 8, 8, false));
    put32((char *)(uintptr_t)png.p + 16, 30000);
    put32((char *)(uintptr_t)png.p + 20, 30000);
    assert_int_equal(looked(FILE_PNG, png, &found), ERR_INVALID);
}

static void other_things(void **state) {
    (void)state;
    struct inspection found;
    static const char *const texts[] = {"",
                                        "x",
                                        "GIF89a",
                                        "<svg xmlns='http://www.w3.org/2000/svg'/>",
                                        "\xFF\xD8",
                                        "\xFF\xD8\xFF\xD9",
                                        "\x89PNG\r\n\x1A\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        for (int t = FILE_JPEG; t < FILE_TYPE_COUNT; t++)
            assert_int_equal(looked((enum file_type)t, str_from(texts[i]), &found), ERR_INVALID);
    }
    struct str pdf = STR("%PDF-1.7\n1 0 obj <<>> endobj\nstartxref\n9\n%%EOF\n");
    assert_int_equal(looked(FILE_PDF, pdf, &found), 0);
    assert_int_equal(found.width, 0);
    assert_int_equal(looked(FILE_PDF, str_sub(pdf, 0, pdf.len - 8), &found), ERR_INVALID);
    assert_int_equal(looked(FILE_PDF, str_sub(pdf, 1, pdf.len), &found), ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pictures_are_read, clean),
        cmocka_unit_test_setup(place_is_left_out, clean),
        cmocka_unit_test_setup(damage_is_found, clean),
        cmocka_unit_test_setup(bombs_are_refused, clean),
        cmocka_unit_test_setup(other_things, clean),
    };
    arena_init(&a, 4096);
    return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
