/* JSON to BSON and back, and the small things that BSON needs everywhere in the mongo store. */
#ifndef LORRY_ADAPTERS_MONGO_BSON_H
#define LORRY_ADAPTERS_MONGO_BSON_H

#include "base/str.h"
#include "json/reader.h"

#include <bson/bson.h>

/* The JSON object TEXT as a document; bson_destroy it. Integers become int64, all other numbers
 * doubles. NULL: no JSON object, or a name in it that BSON cannot hold (U+0000). */
bson_t *bson_from_json(struct json_parser *p, struct str text);

/* The document at IT as compact JSON, members in their order. What bson_from_json made comes back
 * as the same values, numbers of the same kind. Kinds that JSON has not (another program wrote
 * them): ERR_CORRUPT. */
int bson_read_json(const bson_iter_t *it, struct arena *a, struct str *ret_text);

void bson_add_str(bson_t *b, const char *key, struct str value); /* absent: nothing is added */
void bson_add_i64(bson_t *b, const char *key, int64_t value);

/* The member KEY of B. Absent, or of another kind: STR_NONE, 0. Points into B. */
struct str bson_str(const bson_t *b, const char *key);
int64_t bson_i64(const bson_t *b, const char *key);
struct str bson_iter_str(const bson_iter_t *it);

/* Over the documents in the array KEY of B:
 * for (struct bson_walk w = bson_walk(b, "outbox"); bson_walk_next(&w);) … w.doc */
struct bson_walk {
    bson_iter_t iter;
    bson_t doc;
    bool some;
};
struct bson_walk bson_walk(const bson_t *b, const char *key);
bool bson_walk_next(struct bson_walk *w);

#endif
