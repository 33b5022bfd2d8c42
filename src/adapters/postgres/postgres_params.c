/* Values in PostgreSQL's binary formats: integers in network order, an array as its header (one
 * dimension, may it have nulls, element type, count, lower bound) and each element's length and
 * bytes; jsonb is its text behind a version byte. */
#include "adapters/postgres/postgres_private.h"

#include "base/check.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* From server/catalog/pg_type.h, which the client's headers do not bring: fixed for ever. */
enum {
    OID_BOOL = 16,
    OID_I64 = 20,
    OID_I32 = 23,
    OID_TEXT = 25,
    OID_BOOLS = 1000,
    OID_I32S = 1007,
    OID_TEXTS = 1009,
    OID_I64S = 1016,
    OID_JSONB = 3802,
    OID_JSONBS = 3807
};
static const Oid element_oids[] = {OID_BOOL, OID_I32, OID_I64, OID_TEXT, OID_JSONB};
static const Oid array_oids[] = {OID_BOOLS, OID_I32S, OID_I64S, OID_TEXTS, OID_JSONBS};

#define HEADER_BYTES 20

static void add(struct postgres_params *p, Oid type, const void *value, size_t len) {
    CHECK(p->count < POSTGRES_PARAMS_MAX && len <= INT32_MAX);
    p->types[p->count] = type;
    p->values[p->count] = value;
    p->lengths[p->count] = (int)len;
    p->count++;
}

void postgres_add_text(struct postgres_params *p, struct str s) {
    add(p, OID_TEXT, s.p, s.len);
}

void postgres_add_i64(struct postgres_params *p, int64_t v) {
    uint64_t be = htobe64((uint64_t)v);
    add(p, OID_I64, arena_copy(p->arena, &be, sizeof be), sizeof be);
}

void postgres_add_i32(struct postgres_params *p, int32_t v) {
    uint32_t be = htobe32((uint32_t)v);
    add(p, OID_I32, arena_copy(p->arena, &be, sizeof be), sizeof be);
}

void postgres_array_init(struct postgres_array *array, struct arena *a, enum postgres_type type) {
    *array = (struct postgres_array){.element = (Oid)type};
    buf_init(&array->buf, a, 256);
    static const char header[HEADER_BYTES];
    buf_add(&array->buf, header, sizeof header);
}

static void element(struct postgres_array *array, const void *bytes, size_t len) {
    uint32_t be = htobe32((uint32_t)len);
    buf_add(&array->buf, &be, sizeof be);
    buf_add(&array->buf, bytes, len);
    array->count++;
}

void postgres_array_i64(struct postgres_array *array, int64_t v) {
    uint64_t be = htobe64((uint64_t)v);
    element(array, &be, sizeof be);
}

void postgres_array_i32(struct postgres_array *array, int32_t v) {
    uint32_t be = htobe32((uint32_t)v);
    element(array, &be, sizeof be);
}

void postgres_array_bool(struct postgres_array *array, bool v) {
    element(array, v ? "\1" : "\0", 1);
}

void postgres_array_null(struct postgres_array *array) {
    static const unsigned char none[4] = {255, 255, 255, 255};
    buf_add(&array->buf, none, sizeof none);
    array->count++;
}

void postgres_array_str(struct postgres_array *array, struct str s) {
    if (!s.p) {
        postgres_array_null(array);
        return;
    }
    bool json = array->element == POSTGRES_JSONB;
    uint32_t be = htobe32((uint32_t)(s.len + json));
    buf_add(&array->buf, &be, sizeof be);
    if (json)
        buf_add_char(&array->buf, 1);
    buf_add_str(&array->buf, s);
    array->count++;
}

void postgres_add_array(struct postgres_params *p, struct postgres_array *array) {
    const uint32_t header[] = {htobe32(array->count > 0), htobe32(1),
                               htobe32(element_oids[array->element]),
                               htobe32((uint32_t)array->count), htobe32(1)};
    _Static_assert(sizeof header == HEADER_BYTES, "dimensions, nulls, type, count, lower bound");
    memcpy(array->buf.p, header, sizeof header);
    /* An array of no elements has no dimension either. */
    add(p, array_oids[array->element], array->buf.p, array->count ? array->buf.len : 12);
}

struct str postgres_str(const PGresult *r, int row, int column) {
    if (PQgetisnull(r, row, column))
        return STR_NONE;
    return (struct str){PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column)};
}

int64_t postgres_i64(const PGresult *r, int row, int column) {
    return strtoll(PQgetvalue(r, row, column), NULL, 10);
}
