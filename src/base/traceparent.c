#include "base/traceparent.h"

#include <string.h>

void hex_write(char *out, const uint8_t *bytes, size_t count) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
}

/* Lower case only, as the specification has it. */
static int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False unless TEXT begins with COUNT bytes as digits, not all zero unless ZERO is fine. */
static bool hex_read(const char *text, size_t count, bool zero, uint8_t *ret) {
    unsigned any = 0;
    for (size_t i = 0; i < count; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
        any |= ret[i];
    }
    return zero || any != 0;
}

bool traceparent_read(struct str text, struct traceparent *ret) {
    struct traceparent t = {.there = true};
    uint8_t version, flags;
    const char *p = text.p;
    *ret = (struct traceparent){0};
    if (p == NULL || text.len < TRACEPARENT_CHARS || p[2] != '-' || p[35] != '-' || p[52] != '-' ||
        !hex_read(p, 1, true, &version) || !hex_read(p + 3, TRACE_ID_BYTES, false, t.trace_id) ||
        !hex_read(p + 36, SPAN_ID_BYTES, false, t.span_id) || !hex_read(p + 53, 1, true, &flags))
        return false;
    bool longer = text.len > TRACEPARENT_CHARS;
    if (version == 0xFF || (longer && (version == 0 || p[TRACEPARENT_CHARS] != '-')))
        return false;
    t.sampled = (flags & 1) != 0;
    *ret = t;
    return true;
}

struct traceparent traceparent_new(struct rng *rng) {
    struct traceparent t = {.there = true};
    rng_bytes(rng, t.trace_id, sizeof t.trace_id);
    rng_bytes(rng, t.span_id, sizeof t.span_id);
    t.trace_id[0] |= (uint8_t)(t.trace_id[0] == 0); /* never all zero */
    t.span_id[0] |= (uint8_t)(t.span_id[0] == 0);
    return t;
}

struct str traceparent_text(const struct traceparent *t, struct arena *a) {
    if (!t->there)
        return STR_NONE;
    char *text = arena_bytes(a, TRACEPARENT_CHARS);
    memcpy(text, "00-", 3);
    hex_write(text + 3, t->trace_id, TRACE_ID_BYTES);
    text[35] = '-';
    hex_write(text + 36, t->span_id, SPAN_ID_BYTES);
    memcpy(text + 52, t->sampled ? "-01" : "-00", 3);
    return (struct str){text, TRACEPARENT_CHARS};
}

void trace_id_text(const struct traceparent *t, char ret[TRACE_ID_CHARS + 1]) {
    if (t->there)
        hex_write(ret, t->trace_id, TRACE_ID_BYTES);
    ret[t->there ? TRACE_ID_CHARS : 0] = '\0';
}
