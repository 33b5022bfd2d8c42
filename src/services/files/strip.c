#include "services/files/strip.h"

#include "base/buf.h"
#include "base/err.h"

#include <string.h>

static uint32_t be16(const char *p) {
    return (uint32_t)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}
static uint32_t be32(const char *p) {
    return be16(p) << 16 | be16(p + 2);
}

/* ---- JPEG ---- */

enum {
    SOI = 0xD8,
    EOI = 0xD9,
    SOS = 0xDA,
    APP0 = 0xE0,
    APP1,
    APP2,
    APP14 = 0xEE,
    APP15,
    COM = 0xFE
};

#define EXIF_HEAD_BYTES 6 /* "Exif", two zeros; TIFF begins after it */
#define TIFF_HEAD_BYTES 8
#define TIFF_ENTRY_BYTES 12
#define TIFF_ENTRIES_MAX 200
#define ORIENTATION 0x0112

static uint32_t tiff16(const char *p, bool big) {
    return big ? be16(p) : (uint32_t)(unsigned char)p[1] << 8 | (unsigned char)p[0];
}
static uint32_t tiff32(const char *p, bool big) {
    return big ? be32(p) : tiff16(p + 2, false) << 16 | tiff16(p, false);
}

/* The orientation (1 to 8) that an EXIF segment's body gives; 0: none. */
static uint32_t orientation_of(struct str s) {
    if (s.len < EXIF_HEAD_BYTES + TIFF_HEAD_BYTES || memcmp(s.p, "Exif\0\0", EXIF_HEAD_BYTES) != 0)
        return 0;
    struct str t = str_sub(s, EXIF_HEAD_BYTES, s.len);
    bool big = t.p[0] == 'M';
    uint32_t at = tiff32(t.p + 4, big);
    if (at > t.len || t.len - at < 2)
        return 0;
    uint32_t count = tiff16(t.p + at, big);
    at += 2;
    for (uint32_t i = 0; i < count && i < TIFF_ENTRIES_MAX; i++, at += TIFF_ENTRY_BYTES) {
        if (t.len < TIFF_ENTRY_BYTES || at > t.len - TIFF_ENTRY_BYTES)
            return 0;
        uint32_t value = tiff16(t.p + at + 8, big);
        if (tiff16(t.p + at, big) == ORIENTATION)
            return value >= 1 && value <= 8 ? value : 0;
    }
    return 0;
}

/* An EXIF segment that says the orientation and nothing else. */
static void add_orientation(struct buf *out, uint32_t orientation) {
    static const char segment[] = "\xFF\xE1\x00\x22"
                                  "Exif\0\0"
                                  "MM\0\x2A\0\0\0\x08"
                                  "\0\x01"
                                  "\x01\x12\0\x03\0\0\0\x01";
    buf_add(out, segment, sizeof segment - 1);
    buf_add_char(out, 0);
    buf_add_char(out, (char)orientation);
    buf_add(out, "\0\0\0\0\0\0", 6); /* fills the value; no further directory */
}

static bool begins(struct str body, const char *head, size_t len) {
    return body.len >= len && memcmp(body.p, head, len) == 0;
}

static bool jpeg_kept(unsigned marker, struct str body) {
    if (marker == COM)
        return false;
    if (marker == APP0)
        return begins(body, "JFIF\0", 5);
    if (marker == APP2)
        return begins(body, "ICC_PROFILE\0", 12);
    if (marker == APP14)
        return begins(body, "Adobe", 5);
    return marker < APP0 || marker > APP15;
}

int strip_jpeg(struct str bytes, struct arena *a, struct str *ret_bytes) {
    struct buf out;
    size_t at = 2;
    uint32_t orientation = 0;
    if (bytes.len < 4 || (unsigned char)bytes.p[0] != 0xFF || (unsigned char)bytes.p[1] != SOI)
        return ERR_INVALID;
    buf_init(&out, a, bytes.len + 64);
    buf_add(&out, bytes.p, 2);
    for (;;) {
        while (at + 1 < bytes.len && (unsigned char)bytes.p[at] == 0xFF &&
               (unsigned char)bytes.p[at + 1] == 0xFF)
            at++; /* padding */
        if (at > bytes.len || bytes.len - at < 4 || (unsigned char)bytes.p[at] != 0xFF)
            return ERR_INVALID;
        unsigned marker = (unsigned char)bytes.p[at + 1];
        size_t len = be16(bytes.p + at + 2);
        if (marker < 0xC0 || (marker >= 0xD0 && marker <= EOI) || len < 2 ||
            len > bytes.len - at - 2)
            return ERR_INVALID; /* the header has no markers that stand alone */
        if (marker == SOS)
            break;
        struct str body = {bytes.p + at + 4, len - 2};
        if (marker == APP1 && orientation == 0)
            orientation = orientation_of(body);
        if (jpeg_kept(marker, body))
            buf_add(&out, bytes.p + at, len + 2);
        at += len + 2;
    }
    if (orientation > 1)
        add_orientation(&out, orientation);
    buf_add(&out, bytes.p + at, bytes.len - at);
    *ret_bytes = buf_str(&out);
    return 0;
}

/* ---- PNG ---- */

#define PNG_HEAD_BYTES 8
#define CHUNK_FRAME_BYTES 12 /* length, type, checksum */

static bool png_kept(const char *type) {
    static const char *const kept[] = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "cHRM",
                                       "gAMA", "iCCP", "sBIT", "sRGB", "pHYs"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (memcmp(type, kept[i], 4) == 0)
            return true;
    }
    return false;
}

int strip_png(struct str bytes, struct arena *a, struct str *ret_bytes) {
    struct buf out;
    size_t at = PNG_HEAD_BYTES;
    if (bytes.len < PNG_HEAD_BYTES || memcmp(bytes.p, "\x89PNG\r\n\x1A\n", PNG_HEAD_BYTES) != 0)
        return ERR_INVALID;
    buf_init(&out, a, bytes.len + 1);
    buf_add(&out, bytes.p, PNG_HEAD_BYTES);
    for (;;) {
        if (bytes.len - at < CHUNK_FRAME_BYTES)
            return ERR_INVALID;
        size_t len = be32(bytes.p + at);
        const char *type = bytes.p + at + 4;
        if (len > bytes.len - at - CHUNK_FRAME_BYTES)
            return ERR_INVALID;
        if (png_kept(type))
            buf_add(&out, bytes.p + at, len + CHUNK_FRAME_BYTES);
        at += len + CHUNK_FRAME_BYTES;
        if (memcmp(type, "IEND", 4) == 0)
            break;
    }
    *ret_bytes = buf_str(&out);
    return 0;
}
