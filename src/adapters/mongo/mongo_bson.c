/* What goes in is taken from the house's own JSON parser, which has checked it; what comes out goes
 * through the house's own writer, so that a state comes back in the very bytes it was written in.
 */
#include "adapters/mongo/mongo_bson.h"

#include "base/check.h"
#include "base/err.h"
#include "json/writer.h"

#include <string.h>

/* --- JSON to BSON ----------------------------------------------------------------------------- */

static int add_value(bson_t *b, struct str key, struct json_value v);

static int add_members(bson_t *b, struct json_value v) {
    uint32_t index = 0;
    char text[16];
    for (struct json_iter it = json_iter(v); json_next(&it); index++) {
        struct str key = it.key;
        if (!it.object)
            key.len = bson_uint32_to_string(index, &key.p, text, sizeof text);
        int r = add_value(b, key, it.value);
        if (r < 0)
            return r;
    }
    return 0;
}

/* An array or an object, one level down. */
static int add_nested(bson_t *b, struct str key, struct json_value v) {
    bson_t child;
    if (json_kind(v) == JSON_IS_OBJECT) {
        CHECK(bson_append_document_begin(b, key.p, (int)key.len, &child));
        int r = add_members(&child, v);
        CHECK(bson_append_document_end(b, &child));
        return r;
    }
    CHECK(bson_append_array_begin(b, key.p, (int)key.len, &child));
    int r = add_members(&child, v);
    CHECK(bson_append_array_end(b, &child));
    return r;
}

static int add_number(bson_t *b, struct str key, struct json_value v) {
    int64_t whole;
    double real;
    if (json_i64(v, &whole) == 0) {
        CHECK(bson_append_int64(b, key.p, (int)key.len, whole));
        return 0;
    }
    if (json_f64(v, &real) < 0)
        return ERR_INVALID;
    CHECK(bson_append_double(b, key.p, (int)key.len, real));
    return 0;
}

static int add_value(bson_t *b, struct str key, struct json_value v) {
    if (memchr(key.p, 0, key.len) != NULL)
        return ERR_INVALID;
    struct str text;
    switch (json_kind(v)) {
    case JSON_IS_NULL:
        CHECK(bson_append_null(b, key.p, (int)key.len));
        return 0;
    case JSON_IS_BOOL:
        CHECK(bson_append_bool(b, key.p, (int)key.len, json_bool(v)));
        return 0;
    case JSON_IS_STRING:
        text = json_text(v);
        CHECK(bson_append_utf8(b, key.p, (int)key.len, text.p, (int)text.len));
        return 0;
    case JSON_IS_INT:
    case JSON_IS_DOUBLE:
        return add_number(b, key, v);
    default:
        return add_nested(b, key, v);
    }
}

bson_t *bson_from_json(struct json_parser *p, struct str text) {
    struct json_value root;
    if (json_parse(p, text, &root) < 0 || json_kind(root) != JSON_IS_OBJECT)
        return NULL;
    bson_t *b = bson_new();
    if (add_members(b, root) == 0)
        return b;
    bson_destroy(b);
    return NULL;
}

/* --- BSON to JSON ----------------------------------------------------------------------------- */

static int write_value(struct jw *w, const bson_iter_t *it);

static int write_members(struct jw *w, bson_iter_t *it, bool keys) {
    while (bson_iter_next(it)) {
        if (keys)
            jw_key_str(w, (struct str){bson_iter_key(it), bson_iter_key_len(it)});
        int r = write_value(w, it);
        if (r < 0)
            return r;
    }
    return it->err_off ? ERR_CORRUPT : 0;
}

static int write_nested(struct jw *w, const bson_iter_t *it, bool object) {
    bson_iter_t child;
    if (w->depth >= JW_DEPTH_MAX || !bson_iter_recurse(it, &child))
        return ERR_CORRUPT;
    if (object)
        jw_object(w);
    else
        jw_array(w);
    int r = write_members(w, &child, object);
    jw_end(w);
    return r;
}

/* A whole number that was a double is told so, or it would come back as an integer. */
static void write_double(struct jw *w, double v) {
    size_t from = w->out->len;
    jw_f64(w, v);
    for (size_t i = from; i < w->out->len; i++) {
        if (strchr(".eEn", w->out->p[i]) != NULL)
            return;
    }
    buf_add_str(w->out, STR(".0"));
}

static int write_value(struct jw *w, const bson_iter_t *it) {
    switch (bson_iter_type(it)) {
    case BSON_TYPE_NULL:
        jw_null(w);
        return 0;
    case BSON_TYPE_BOOL:
        jw_bool(w, bson_iter_bool(it));
        return 0;
    case BSON_TYPE_UTF8:
        jw_str(w, bson_iter_str(it));
        return 0;
    case BSON_TYPE_INT32: /* never ours, but a person with a shell writes them */
    case BSON_TYPE_INT64:
        jw_i64(w, bson_iter_as_int64(it));
        return 0;
    case BSON_TYPE_DOUBLE:
        write_double(w, bson_iter_double(it));
        return 0;
    case BSON_TYPE_DOCUMENT:
        return write_nested(w, it, true);
    case BSON_TYPE_ARRAY:
        return write_nested(w, it, false);
    default:
        return ERR_CORRUPT;
    }
}

int bson_read_json(const bson_iter_t *it, struct arena *a, struct str *ret_text) {
    struct buf out;
    struct jw w;
    const uint8_t *bytes;
    uint32_t len;
    if (bson_iter_type(it) != BSON_TYPE_DOCUMENT)
        return ERR_CORRUPT;
    bson_iter_document(it, &len, &bytes);
    buf_init(&out, a, len + 64);
    jw_init(&w, &out);
    int r = write_value(&w, it);
    if (r < 0)
        return r;
    buf_add_char(&out, 0); /* as arena_str does */
    *ret_text = (struct str){out.p, out.len - 1};
    return 0;
}

/* --- small things ----------------------------------------------------------------------------- */

void bson_add_str(bson_t *b, const char *key, struct str value) {
    if (value.p != NULL)
        CHECK(bson_append_utf8(b, key, -1, value.p, (int)value.len));
}

void bson_add_i64(bson_t *b, const char *key, int64_t value) {
    CHECK(bson_append_int64(b, key, -1, value));
}

struct str bson_iter_str(const bson_iter_t *it) {
    uint32_t len;
    if (bson_iter_type(it) != BSON_TYPE_UTF8)
        return STR_NONE;
    const char *p = bson_iter_utf8(it, &len);
    return (struct str){p, len};
}

struct str bson_str(const bson_t *b, const char *key) {
    bson_iter_t it;
    return bson_iter_init_find(&it, b, key) ? bson_iter_str(&it) : STR_NONE;
}

int64_t bson_i64(const bson_t *b, const char *key) {
    bson_iter_t it;
    return bson_iter_init_find(&it, b, key) ? bson_iter_as_int64(&it) : 0;
}

struct bson_walk bson_walk(const bson_t *b, const char *key) {
    struct bson_walk w = {.some = false};
    bson_iter_t it;
    w.some = bson_iter_init_find(&it, b, key) && BSON_ITER_HOLDS_ARRAY(&it) &&
             bson_iter_recurse(&it, &w.iter);
    return w;
}

bool bson_walk_next(struct bson_walk *w) {
    while (w->some && bson_iter_next(&w->iter)) {
        const uint8_t *bytes;
        uint32_t len;
        if (!BSON_ITER_HOLDS_DOCUMENT(&w->iter))
            continue;
        bson_iter_document(&w->iter, &len, &bytes);
        if (bson_init_static(&w->doc, bytes, len))
            return true;
    }
    return false;
}
