/* What the reader needs beside the parser: where malformed text went wrong, and a value back to
 * text. The former parses the whole text once more with jansson, which keeps lines and columns but
 * is thirty times slower; it runs only for what simdjson has refused.
 */
#include "base/check.h"
#include "json/reader.h"
#include "json/writer.h"

#include <jansson.h>

struct place {
    int line, column;
};

/* Where TEXT goes deeper than JSON_DEPTH_MAX; line 0 when it does not. jansson would go on. */
static struct place too_deep(struct str text) {
    struct place at = {1, 0};
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        at.column += (c & 0xC0) != 0x80; /* counts characters, not bytes */
        if (c == '\n') {
            at.line++;
            at.column = 0;
        } else if (in_string) {
            if (c == '\\') {
                i++;
                at.column++;
            }
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_DEPTH_MAX)
                return at;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return (struct place){0, 0};
}

void json_error_at(struct str text, struct arena *a, int *ret_line, int *ret_column,
                   struct str *ret_what) {
    *ret_line = 1;
    *ret_column = 1;
    *ret_what = STR("not valid JSON");
    if (text.len == 0) {
        *ret_what = STR("there is no text");
        return;
    }
    struct place deep = too_deep(text);
    if (deep.line) {
        *ret_line = deep.line;
        *ret_column = deep.column;
        *ret_what = arena_printf(a, "nested deeper than %d", JSON_DEPTH_MAX);
        return;
    }
    json_error_t error;
    json_t *root = json_loadb(text.p, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (root) { /* the two do not agree on every byte of what is wrong */
        json_decref(root);
        return;
    }
    *ret_line = error.line > 0 ? error.line : 1;
    *ret_column = error.column > 0 ? error.column : 1;
    struct str what = str_from(error.text);
    if (str_is_utf8(what, NULL)) /* it quotes the text, and may have cut it */
        *ret_what = arena_str(a, what);
}

void json_write(struct json_value v, struct jw *w) {
    switch (json_kind(v)) {
    case JSON_IS_NULL:
        jw_null(w);
        return;
    case JSON_IS_BOOL:
        jw_bool(w, json_bool(v));
        return;
    case JSON_IS_INT: {
        int64_t value = 0;
        json_i64(v, &value);
        jw_i64(w, value);
        return;
    }
    case JSON_IS_DOUBLE: {
        double value = 0;
        json_f64(v, &value);
        jw_f64(w, value);
        return;
    }
    case JSON_IS_STRING:
        jw_str(w, json_text(v));
        return;
    case JSON_IS_ARRAY:
        jw_array(w);
        for (struct json_iter it = json_iter(v); json_next(&it);)
            json_write(it.value, w);
        jw_end(w);
        return;
    case JSON_IS_OBJECT:
        jw_object(w);
        for (struct json_iter it = json_iter(v); json_next(&it);) {
            jw_key_str(w, it.key);
            json_write(it.value, w);
        }
        jw_end(w);
        return;
    }
    UNREACHABLE();
}
