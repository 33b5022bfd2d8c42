/* libjpeg and libpng report errors by jumping; what jumps and what is jumped over is in one
 * function for each, which keeps its things in a struct that outlives the jump. */
#include "services/files/inspect.h"

#include "base/err.h"
#include "services/files/strip.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

#define PDF_TAIL_BYTES 1024

static const char why_damaged[] = "it is damaged or cut off";
static const char why_large[] = "it has more pixels than a picture may have";

static bool too_large(int64_t width, int64_t height) {
    return width < 1 || height < 1 || width > IMAGE_SIDE_MAX || height > IMAGE_SIDE_MAX ||
           width * height > IMAGE_PIXELS_MAX;
}

/* ---- JPEG ---- */

struct jpeg {
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    const char *why;
    unsigned char *row;
};

static void jpeg_fail(j_common_ptr d) {
    struct jpeg *j = d->client_data;
    if (j->why == NULL)
        j->why = d->err->msg_code == JERR_OUT_OF_MEMORY ? why_large : why_damaged;
    longjmp(j->out, 1);
}

/* libjpeg forgives what is missing and draws grey; we do not. */
static void jpeg_message(j_common_ptr d, int level) {
    int code = d->err->msg_code;
    if (level < 0 &&
        (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_BOGUS_PROGRESSION))
        jpeg_fail(d);
}

static void jpeg_progress(j_common_ptr d) {
    struct jpeg *j = d->client_data;
    if (j->d.input_scan_number > IMAGE_SCANS_MAX)
        jpeg_fail(d);
}

static void jpeg_rows(struct jpeg *j, struct str bytes, struct inspection *ret) {
    struct jpeg_decompress_struct *d = &j->d;
    jpeg_mem_src(d, (const unsigned char *)bytes.p, bytes.len);
    (void)jpeg_read_header(d, TRUE);
    if (too_large(d->image_width, d->image_height)) {
        j->why = why_large;
        return;
    }
    d->dct_method = JDCT_IFAST;
    d->do_fancy_upsampling = FALSE;
    (void)jpeg_start_decompress(d);
    j->row = malloc((size_t)d->output_width * (size_t)d->output_components);
    if (j->row == NULL) {
        j->why = why_large;
        return;
    }
    while (d->output_scanline < d->output_height)
        (void)jpeg_read_scanlines(d, &j->row, 1);
    (void)jpeg_finish_decompress(d);
    ret->width = d->image_width;
    ret->height = d->image_height;
    ret->bytes = str_sub(bytes, 0, bytes.len - d->src->bytes_in_buffer); /* without what follows */
}

static const char *jpeg_decode(struct str bytes, struct inspection *ret) {
    struct jpeg *j = calloc(1, sizeof *j);
    if (j == NULL)
        return why_large;
    j->d.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = jpeg_fail;
    j->errors.emit_message = jpeg_message;
    j->d.client_data = j;
    if (setjmp(j->out) == 0) {
        jpeg_create_decompress(&j->d);
        j->d.mem->max_memory_to_use = IMAGE_MEMORY_MAX;
        j->progress.progress_monitor = jpeg_progress;
        j->d.progress = &j->progress;
        jpeg_rows(j, bytes, ret);
    }
    const char *why = j->why;
    jpeg_destroy_decompress(&j->d);
    free(j->row);
    free(j);
    return why;
}

/* ---- PNG ---- */

struct png {
    png_structp png;
    png_infop info;
    struct str left;
    unsigned char *row;
    const char *why;
};

static void png_fail(png_structp p, png_const_charp text) {
    struct png *s = png_get_error_ptr(p);
    (void)text;
    if (s->why == NULL)
        s->why = why_damaged;
    png_longjmp(p, 1);
}

static void png_warn(png_structp p, png_const_charp text) {
    (void)p;
    (void)text;
}

static void png_bytes(png_structp p, png_bytep out, size_t len) {
    struct png *s = png_get_io_ptr(p);
    if (s->left.len < len)
        png_error(p, "end");
    memcpy(out, s->left.p, len);
    s->left = str_sub(s->left, len, s->left.len);
}

static void png_rows(struct png *s, struct inspection *ret) {
    png_set_user_limits(s->png, IMAGE_SIDE_MAX, IMAGE_SIDE_MAX);
    png_set_read_fn(s->png, s, png_bytes);
    png_read_info(s->png, s->info);
    png_uint_32 width = png_get_image_width(s->png, s->info);
    png_uint_32 height = png_get_image_height(s->png, s->info);
    if (too_large(width, height)) {
        s->why = why_large;
        return;
    }
    int passes = png_set_interlace_handling(s->png);
    png_read_update_info(s->png, s->info);
    s->row = malloc(png_get_rowbytes(s->png, s->info));
    if (s->row == NULL) {
        s->why = why_large;
        return;
    }
    for (int pass = 0; pass < passes; pass++) {
        for (png_uint_32 y = 0; y < height; y++)
            png_read_row(s->png, s->row, NULL);
    }
    png_read_end(s->png, NULL);
    ret->width = width;
    ret->height = height;
}

static const char *png_decode(struct str bytes, struct inspection *ret) {
    struct png *s = calloc(1, sizeof *s);
    if (s == NULL)
        return why_large;
    s->left = bytes;
    ret->bytes = bytes;
    s->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, s, png_fail, png_warn);
    if (s->png != NULL && setjmp(png_jmpbuf(s->png)) == 0) {
        s->info = png_create_info_struct(s->png);
        if (s->info != NULL)
            png_rows(s, ret);
    }
    const char *why = s->info == NULL && s->why == NULL ? why_large : s->why;
    png_destroy_read_struct(&s->png, &s->info, NULL);
    free(s->row);
    free(s);
    return why;
}

/* ---- PDF ---- */

/* What is in it nobody looks at here: it is served as a download, never shown by us. */
static const char *pdf_look(struct str bytes, struct inspection *ret) {
    static const char head[] = "%PDF-";
    struct str tail = bytes.len > PDF_TAIL_BYTES
                          ? str_sub(bytes, bytes.len - PDF_TAIL_BYTES, PDF_TAIL_BYTES)
                          : bytes;
    if (bytes.len < 8 || !str_starts(bytes, head) || (bytes.p[5] != '1' && bytes.p[5] != '2') ||
        bytes.p[6] != '.')
        return "it does not begin as a PDF does";
    if (memmem(tail.p, tail.len, "startxref", 9) == NULL ||
        memmem(tail.p, tail.len, "%%EOF", 5) == NULL)
        return why_damaged;
    ret->bytes = bytes;
    return NULL;
}

int inspect(enum file_type type, struct str bytes, struct arena *a, struct inspection *ret,
            const char **ret_why) {
    struct inspection found = {0};
    struct str kept = bytes;
    const char *why = why_damaged;
    if (type == FILE_JPEG && strip_jpeg(bytes, a, &kept) == 0)
        why = jpeg_decode(kept, &found);
    else if (type == FILE_PNG && strip_png(bytes, a, &kept) == 0)
        why = png_decode(kept, &found);
    else if (type == FILE_PDF)
        why = pdf_look(bytes, &found);
    if (why != NULL) {
        *ret_why = why;
        return ERR_INVALID;
    }
    *ret = found;
    return 0;
}
