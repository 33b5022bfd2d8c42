/* Pictures for tests, made by the libraries that read them. */
#ifndef LORRY_SERVICES_FILES_TEST_IMAGES_H
#define LORRY_SERVICES_FILES_TEST_IMAGES_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

/* Noise, so that it does not shrink to nothing. APP1: of the segment's body, or absent. */
static inline struct str test_jpeg(struct arena *a, int width, int height, bool progressive,
                                   struct str app1) {
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL;
    unsigned long len = 0;
    unsigned char *row = calloc(1, (size_t)width * 3);
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, &len);
    c.image_width = (JDIMENSION)width;
    c.image_height = (JDIMENSION)height;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    if (progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    if (app1.p != NULL)
        jpeg_write_marker(&c, JPEG_APP0 + 1, (const unsigned char *)app1.p, (unsigned)app1.len);
    jpeg_write_marker(&c, JPEG_COM, (const unsigned char *)"secret place", 12);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width * 3; x++)
            row[x] = (unsigned char)(x * 7 + y * 13);
        (void)jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    struct str made = arena_str(a, (struct str){(const char *)out, len});
    free(out);
    free(row);
    return made;
}

static inline void test_png_write(png_structp p, png_bytep bytes, size_t len) {
    buf_add(png_get_io_ptr(p), (const char *)bytes, len);
}

static inline struct str test_png(struct arena *a, int width, int height, bool interlaced) {
    struct buf out;
    buf_init(&out, a, 4096);
    png_structp p = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(p);
    unsigned char *row = calloc(1, (size_t)width * 3);
    png_set_write_fn(p, &out, test_png_write, NULL);
    png_set_IHDR(p, info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_RGB,
                 interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    char key[] = "Comment", secret[] = "secret place";
    png_text text;
    memset(&text, 0, sizeof text);
    text.compression = PNG_TEXT_COMPRESSION_NONE;
    text.key = key;
    text.text = secret;
    png_set_text(p, info, &text, 1);
    png_write_info(p, info);
    int passes = png_set_interlace_handling(p);
    for (int pass = 0; pass < passes; pass++) {
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width * 3; x++)
                row[x] = (unsigned char)(x * 3 + y);
            png_write_row(p, row);
        }
    }
    png_write_end(p, info);
    png_destroy_write_struct(&p, &info);
    free(row);
    return buf_str(&out);
}

#endif
