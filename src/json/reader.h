/* JSON in: simdjson behind a C face (reader.cc is the one C++ file in the house). A parse gives a
 * tree of values that stay valid until the same parser parses again or is freed. Strict: RFC 8259
 * numbers and UTF-8, depth bounded, duplicate keys are found by whoever decodes an object (schema
 * does). One parser per thread. Names keep clear of jansson's (json_type, json_string, JSON_NULL
 * …): one file may include both, and librhonabwy must find jansson's when it calls them.
 */
#ifndef LORRY_JSON_READER_H
#define LORRY_JSON_READER_H

#include "base/arena.h"
#include "base/str.h"

#ifdef __cplusplus
extern "C" {
#endif

#define JSON_DEPTH_MAX 32

struct json_parser;
/* A value inside a parser's document; copy freely. */
struct json_value {
    const void *doc;
    size_t at;
};
enum json_kind {
    JSON_IS_NULL,
    JSON_IS_BOOL,
    JSON_IS_INT,
    JSON_IS_DOUBLE,
    JSON_IS_STRING,
    JSON_IS_ARRAY,
    JSON_IS_OBJECT
};

struct json_parser *json_parser_new(void);
struct json_parser *json_parser_free(struct json_parser *p); /* NULL ok; returns NULL */

/* Parses TEXT (need not be padded or terminated). ERR_INVALID: ask json_error_at() where.
 * ERR_LIMIT: over 2 GiB. Integers over UINT64_MAX are not valid here. */
int json_parse(struct json_parser *p, struct str text, struct json_value *ret_root);
/* After a failure: line and column (1-based) and a phrase, by parsing once more with jansson. */
void json_error_at(struct str text, struct arena *a, int *ret_line, int *ret_column,
                   struct str *ret_what);

enum json_kind json_kind(struct json_value v);
bool json_bool(struct json_value v);
/* ERR_INVALID for anything but a JSON number without fraction that fits (1.0 is refused). */
int json_i64(struct json_value v, int64_t *ret_value);
int json_f64(struct json_value v, double *ret_value); /* any finite number */
struct str json_text(struct json_value v);            /* unescaped; lives as long as the document */

size_t json_count(struct json_value v); /* items or members; 0 for others */

/* Walk arrays and objects: for (struct json_iter it = json_iter(v); json_next(&it);) it.value,
 * it.key */
struct json_iter {
    struct json_value value;
    struct str key; /* objects only */
    const void *doc;
    size_t next, end;
    bool object;
};
struct json_iter json_iter(struct json_value v); /* nothing to walk unless array or object */
bool json_next(struct json_iter *it);
/* First member called KEY. */
bool json_get(struct json_value object, const char *key, struct json_value *ret_value);

/* Writes V and all in it, compact, in the order it came in. */
struct jw;
void json_write(struct json_value v, struct jw *w);

#ifdef __cplusplus
}
#endif
#endif
