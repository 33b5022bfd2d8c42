#include "apps/archive.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "json/reader.h"
#include "json/writer.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- one way to write a value ---- */

struct member {
    struct str key;
    struct json_value value;
};

static int by_key(const void *a, const void *b) {
    return str_cmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void write_same(struct json_value v, struct jw *w, struct arena *a);

static void write_object(struct json_value v, struct jw *w, struct arena *a) {
    size_t count = json_count(v), n = 0;
    struct member *members = arena_array(a, struct member, count + 1);
    for (struct json_iter it = json_iter(v); json_next(&it) && n < count;)
        members[n++] = (struct member){it.key, it.value};
    qsort(members, n, sizeof *members, by_key);
    jw_object(w);
    for (size_t i = 0; i < n; i++) {
        jw_key_str(w, members[i].key);
        write_same(members[i].value, w, a);
    }
    jw_end(w);
}

/* A store may give 1.50 for 1.5, or 2.0 for 2. */
static void write_number(struct json_value v, struct jw *w) {
    int64_t whole;
    double real = 0;
    if (json_i64(v, &whole) == 0) {
        jw_i64(w, whole);
        return;
    }
    json_f64(v, &real);
    if (real == trunc(real) && fabs(real) < 9007199254740992.0)
        jw_i64(w, (int64_t)real);
    else
        jw_f64(w, real);
}

static void write_same(struct json_value v, struct jw *w, struct arena *a) {
    switch (json_kind(v)) {
    case JSON_IS_OBJECT:
        write_object(v, w, a);
        break;
    case JSON_IS_ARRAY:
        jw_array(w);
        for (struct json_iter it = json_iter(v); json_next(&it);)
            write_same(it.value, w, a);
        jw_end(w);
        break;
    case JSON_IS_INT:
    case JSON_IS_DOUBLE:
        write_number(v, w);
        break;
    default:
        json_write(v, w);
    }
}

static void add_text(struct jw *w, const char *key, struct str s) {
    if (s.p != NULL)
        jw_kv_str(w, key, s);
}

static void write_doc(const struct store_record *r, struct json_value state, struct jw *w,
                      struct arena *a) {
    const struct store_collection *c = r->collection;
    jw_kv_str(w, "doc", str_from(c->name));
    jw_kv_str(w, "id", r->doc.id);
    jw_kv_i64(w, "version", r->doc.version);
    if (r->doc.wake_at_us != 0)
        jw_kv_i64(w, "wake_at", r->doc.wake_at_us);
    add_text(w, "commit_id", r->doc.commit_id);
    jw_key(w, "keys");
    jw_object(w);
    for (int i = 0; i < STORE_KEYS_MAX && c->indexes[i] != NULL; i++)
        add_text(w, c->indexes[i], r->keys[i]);
    jw_end(w);
    jw_key(w, "state");
    write_same(state, w, a);
}

static void write_event(const struct event *e, struct jw *w) {
    jw_kv_str(w, "event", e->id);
    jw_kv_str(w, "type", e->type);
    jw_kv_str(w, "key", e->key);
    jw_kv_i64(w, "at", e->at_us);
    add_text(w, "request_id", e->request_id);
    add_text(w, "traceparent", e->traceparent);
    jw_kv_str(w, "data", e->data);
}

static void write_key(const struct store_record *r, struct jw *w) {
    bool answer = r->kind == STORE_RECORD_ANSWER;
    char hash[17];
    jw_kv_str(w, answer ? "answer" : "seen", r->answer.key);
    jw_kv_i64(w, "at", r->answer.at_us);
    if (!answer)
        return;
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r->answer.body_hash);
    jw_kv_str(w, "hash", str_from(hash));
    jw_kv_i64(w, "status", r->answer.status);
    add_text(w, "etag", r->answer.etag);
    add_text(w, "body", r->answer.body);
}

/* ---- the tally ---- */

void archive_tally_init(struct archive_tally *t) {
    *t = (struct archive_tally){.parser = json_parser_new()};
    t->collection_count = parts_collections(t->collections);
}

void archive_tally_free(struct archive_tally *t) {
    t->parser = json_parser_free(t->parser);
}

const char *archive_part_name(const struct archive_tally *t, int part) {
    static const char *const kinds[] = {"events", "dedupe keys", "answers"};
    return part < t->collection_count ? t->collections[part]->name
                                      : kinds[part - t->collection_count];
}

static int part_of(const struct archive_tally *t, const struct store_record *r) {
    if (r->kind != STORE_RECORD_DOC)
        return t->collection_count + (int)r->kind - STORE_RECORD_EVENT;
    for (int i = 0; i < t->collection_count; i++)
        if (strcmp(t->collections[i]->name, r->collection->name) == 0)
            return i;
    UNREACHABLE();
}

int archive_tally_add(struct archive_tally *t, const struct store_record *r, struct arena *a,
                      struct str *ret_line) {
    struct json_value state;
    struct buf line;
    struct jw w;
    unsigned char hash[ARCHIVE_SUM_BYTES];
    buf_init(&line, a, r->kind == STORE_RECORD_DOC ? r->doc.state.len + 512 : 512);
    jw_init(&w, &line);
    jw_object(&w);
    if (r->kind == STORE_RECORD_DOC) {
        if (json_parse(t->parser, r->doc.state, &state) < 0 || json_kind(state) != JSON_IS_OBJECT)
            return ERR_INVALID;
        write_doc(r, state, &w, a);
    } else if (r->kind == STORE_RECORD_EVENT) {
        write_event(&r->event, &w);
    } else {
        write_key(r, &w);
    }
    jw_end(&w);
    struct archive_part *part = &t->parts[part_of(t, r)];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)line.p, line.len, NULL, 0);
    sodium_add(part->sum, hash, sizeof hash);
    part->records++;
    t->records++;
    *ret_line = buf_str(&line);
    return 0;
}

const char *archive_tally_differ(const struct archive_tally *a, const struct archive_tally *b) {
    for (int i = 0; i < a->collection_count + STORE_RECORD_KINDS - 1; i++)
        if (a->parts[i].records != b->parts[i].records ||
            memcmp(a->parts[i].sum, b->parts[i].sum, ARCHIVE_SUM_BYTES) != 0)
            return archive_part_name(a, i);
    return NULL;
}

/* "bookings":[12,"0f…"] of every part that is not empty. */
static void write_parts(const struct archive_tally *t, struct jw *w) {
    char hex[2 * ARCHIVE_SUM_BYTES + 1];
    jw_object(w);
    for (int i = 0; i < t->collection_count + STORE_RECORD_KINDS - 1; i++) {
        if (t->parts[i].records == 0)
            continue;
        jw_key(w, archive_part_name(t, i));
        jw_array(w);
        jw_i64(w, t->parts[i].records);
        jw_cstr(w, sodium_bin2hex(hex, sizeof hex, t->parts[i].sum, ARCHIVE_SUM_BYTES));
        jw_end(w);
    }
    jw_end(w);
}

/* ---- out ---- */

struct archive_out {
    FILE *file;
    crypto_generichash_state digest;
    struct archive_tally tally;
    int64_t bytes;
    bool failed;
};

static void out_line(struct archive_out *o, struct str line) {
    o->failed = o->failed || fwrite(line.p, 1, line.len, o->file) != line.len ||
                fputc('\n', o->file) == EOF;
    crypto_generichash_update(&o->digest, (const unsigned char *)line.p, line.len);
    crypto_generichash_update(&o->digest, (const unsigned char *)"\n", 1);
    o->bytes += (int64_t)line.len + 1;
}

static int out_result(const struct archive_out *o) {
    if (!o->failed)
        return 0;
    return errno == ENOSPC || errno == EFBIG || errno == EDQUOT ? ERR_FULL : ERR_IO;
}

struct archive_out *archive_out_new(FILE *out, struct str store) {
    struct archive_out *o = xcalloc(1, sizeof *o);
    struct buf line;
    struct jw w;
    o->file = out;
    archive_tally_init(&o->tally);
    crypto_generichash_init(&o->digest, NULL, 0, ARCHIVE_DIGEST_BYTES);
    buf_init(&line, NULL, 2048);
    jw_init(&w, &line);
    jw_object(&w);
    jw_kv_i64(&w, "lorry_export", ARCHIVE_FORMAT);
    jw_kv_str(&w, "lorry", str_from(LORRY_VERSION));
    jw_kv_time(&w, "at", clock_wall_us());
    jw_kv_str(&w, "store", store);
    jw_key(&w, "collections");
    jw_object(&w);
    for (int i = 0; i < o->tally.collection_count; i++) {
        const struct store_collection *c = o->tally.collections[i];
        jw_key(&w, c->name);
        jw_array(&w);
        for (int k = 0; k < STORE_KEYS_MAX && c->indexes[k] != NULL; k++)
            jw_cstr(&w, c->indexes[k]);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    out_line(o, buf_str(&line));
    buf_free(&line);
    return o;
}

int archive_out_add(struct archive_out *o, const struct store_record *r, struct arena *a) {
    struct str line;
    int err = archive_tally_add(&o->tally, r, a, &line);
    if (err < 0)
        return err;
    if (r->kind != STORE_RECORD_DOC && r->collection != NULL) /* it counts for no comparison */
        line =
            arena_printf(a, "%.*s,\"in\":\"%s\"}", (int)line.len - 1, line.p, r->collection->name);
    out_line(o, line);
    return out_result(o);
}

int archive_out_end(struct archive_out *o) {
    unsigned char digest[ARCHIVE_DIGEST_BYTES];
    char hex[2 * ARCHIVE_DIGEST_BYTES + 1];
    struct buf line;
    struct jw w;
    crypto_generichash_final(&o->digest, digest, sizeof digest);
    buf_init(&line, NULL, 1024);
    jw_init(&w, &line);
    jw_object(&w);
    jw_kv_i64(&w, "end", o->tally.records);
    jw_key(&w, "parts");
    write_parts(&o->tally, &w);
    jw_kv_str(&w, "blake2b", str_from(sodium_bin2hex(hex, sizeof hex, digest, sizeof digest)));
    jw_end(&w);
    out_line(o, buf_str(&line));
    buf_free(&line);
    o->failed = fflush(o->file) != 0 || o->failed;
    return out_result(o);
}

const struct archive_tally *archive_out_tally(const struct archive_out *o) {
    return &o->tally;
}

int64_t archive_out_bytes(const struct archive_out *o) {
    return o->bytes;
}

struct archive_out *archive_out_free(struct archive_out *o) {
    archive_tally_free(&o->tally);
    free(o);
    return NULL;
}

/* ---- in ---- */

struct archive_in {
    FILE *file;
    struct json_parser *parser;
    crypto_generichash_state digest;
    struct archive_tally tally;
    struct buf line;
    int64_t bytes, number;
};

static int bad(const struct archive_in *i, struct arena *a, int code, const char *what,
               struct str *ret_why) {
    *ret_why = arena_printf(a, "line %lld: %s", (long long)i->number, what);
    return code;
}

/* 1: LINE is the next one, without its end; 0: there is none. */
static int in_line(struct archive_in *i, struct arena *a, struct str *ret_why) {
    i->line.len = 0;
    i->number++;
    for (;;) {
        buf_reserve(&i->line, 65536);
        char *at = i->line.p + i->line.len;
        if (fgets(at, 65536, i->file) == NULL)
            break;
        size_t len = strlen(at);
        if (len == 0)
            return bad(i, a, ERR_CORRUPT, "a NUL is in it", ret_why);
        i->line.len += len;
        if (at[len - 1] == '\n')
            break;
        if (i->line.len > ARCHIVE_LINE_MAX)
            return bad(i, a, ERR_INVALID, "it is longer than any of ours", ret_why);
    }
    if (ferror(i->file))
        return bad(i, a, ERR_IO, strerror(errno), ret_why);
    i->bytes += (int64_t)i->line.len;
    if (i->line.len == 0)
        return 0;
    if (i->line.p[i->line.len - 1] != '\n')
        return bad(i, a, ERR_CORRUPT, "the file is cut off here", ret_why);
    return 1;
}

static void in_digest(struct archive_in *i) {
    crypto_generichash_update(&i->digest, (const unsigned char *)i->line.p, i->line.len);
}

static struct str text(struct json_value object, const char *key, struct arena *a) {
    struct json_value v;
    if (!json_get(object, key, &v) || json_kind(v) != JSON_IS_STRING)
        return STR_NONE;
    return arena_str(a, json_text(v));
}

static int64_t number(struct json_value object, const char *key) {
    struct json_value v;
    int64_t n = 0;
    return json_get(object, key, &v) && json_i64(v, &n) == 0 ? n : 0;
}

static const struct store_collection *named(const struct archive_in *i, struct str name) {
    for (int n = 0; name.p != NULL && n < i->tally.collection_count; n++)
        if (str_is(name, i->tally.collections[n]->name))
            return i->tally.collections[n];
    return NULL;
}

/* A collection as its Lorry had it must be one of ours, with the same indexes: what a document's
 * keys are only its own version can tell. */
static int check_collection(const struct archive_in *i, struct str name, struct json_value indexes,
                            struct arena *a, struct str *ret_why) {
    const struct store_collection *c = named(i, name);
    int n = 0;
    bool same = c != NULL;
    for (struct json_iter it = json_iter(indexes); same && json_next(&it); n++)
        same = n < STORE_KEYS_MAX && c->indexes[n] != NULL &&
               json_kind(it.value) == JSON_IS_STRING && str_is(json_text(it.value), c->indexes[n]);
    same = same && (n == STORE_KEYS_MAX || c->indexes[n] == NULL);
    if (same)
        return 0;
    *ret_why = arena_printf(a,
                            "its collection \"%.*s\" is not as this Lorry (" LORRY_VERSION
                            ") has it: import it with the version that wrote it",
                            STR_ARG(name));
    return ERR_INVALID;
}

static int read_first(struct archive_in *i, struct arena *a, struct str *ret_why) {
    struct json_value root, v;
    int r = in_line(i, a, ret_why);
    if (r < 0)
        return r;
    if (r == 0 || json_parse(i->parser, buf_str(&i->line), &root) < 0 ||
        json_kind(root) != JSON_IS_OBJECT || number(root, "lorry_export") < 1)
        return bad(i, a, ERR_INVALID, "this is no export of Lorry", ret_why);
    if (number(root, "lorry_export") > ARCHIVE_FORMAT) {
        *ret_why = arena_printf(a,
                                "it was written by a newer Lorry (format %lld, this one knows "
                                "%d): import it with that version",
                                (long long)number(root, "lorry_export"), ARCHIVE_FORMAT);
        return ERR_INVALID;
    }
    in_digest(i);
    if (!json_get(root, "collections", &v))
        return bad(i, a, ERR_CORRUPT, "it lacks its collections", ret_why);
    for (struct json_iter it = json_iter(v); r > 0 && json_next(&it);)
        r = check_collection(i, it.key, it.value, a, ret_why) < 0 ? ERR_INVALID : 1;
    return r < 0 ? r : 0;
}

int archive_in_new(FILE *in, struct arena *a, struct archive_in **ret_in, struct str *ret_why) {
    struct archive_in *i = xcalloc(1, sizeof *i);
    i->file = in;
    i->parser = json_parser_new();
    archive_tally_init(&i->tally);
    buf_init(&i->line, NULL, 65536);
    crypto_generichash_init(&i->digest, NULL, 0, ARCHIVE_DIGEST_BYTES);
    int r = read_first(i, a, ret_why);
    if (r < 0)
        archive_in_free(i);
    else
        *ret_in = i;
    return r;
}

static int read_doc(struct archive_in *i, struct json_value root, struct arena *a,
                    struct store_record *r) {
    struct json_value state, keys, v;
    struct buf out;
    struct jw w;
    r->collection = named(i, text(root, "doc", a));
    r->doc = (struct store_doc){.id = text(root, "id", a),
                                .version = number(root, "version"),
                                .wake_at_us = number(root, "wake_at"),
                                .commit_id = text(root, "commit_id", a)};
    if (r->collection == NULL || r->doc.id.p == NULL || r->doc.id.len == 0 ||
        r->doc.id.len > STORE_ID_MAX || r->doc.version < 1 || r->doc.wake_at_us < 0 ||
        !json_get(root, "state", &state) || json_kind(state) != JSON_IS_OBJECT)
        return ERR_CORRUPT;
    for (int k = 0; k < STORE_KEYS_MAX && r->collection->indexes[k] != NULL; k++)
        if (json_get(root, "keys", &keys) && json_get(keys, r->collection->indexes[k], &v))
            r->keys[k] = text(keys, r->collection->indexes[k], a);
    buf_init(&out, a, i->line.len);
    jw_init(&w, &out);
    json_write(state, &w);
    r->doc.state = buf_str(&out);
    return 0;
}

static int read_event(struct json_value root, struct arena *a, struct event *e) {
    *e = (struct event){.id = text(root, "event", a),
                        .type = text(root, "type", a),
                        .key = text(root, "key", a),
                        .at_us = number(root, "at"),
                        .request_id = text(root, "request_id", a),
                        .traceparent = text(root, "traceparent", a),
                        .data = text(root, "data", a)};
    return e->id.p && e->type.p && e->key.p && e->data.p ? 0 : ERR_CORRUPT;
}

static int read_answer(struct json_value root, struct arena *a, struct store_answer *answer) {
    struct str hash = text(root, "hash", a);
    answer->at_us = number(root, "at");
    answer->status = (int32_t)number(root, "status");
    answer->etag = text(root, "etag", a);
    answer->body = text(root, "body", a);
    answer->body_hash = hash.p != NULL ? strtoull(hash.p, NULL, 16) : 0;
    return answer->key.p ? 0 : ERR_CORRUPT;
}

static int read_record(struct archive_in *i, struct json_value root, struct arena *a,
                       struct store_record *r) {
    struct json_value v;
    *r = (struct store_record){0};
    if (json_get(root, "doc", &v)) {
        r->kind = STORE_RECORD_DOC;
        return read_doc(i, root, a, r);
    }
    r->collection = named(i, text(root, "in", a));
    if (json_get(root, "event", &v)) {
        r->kind = STORE_RECORD_EVENT;
        return read_event(root, a, &r->event);
    }
    bool answer = json_get(root, "answer", &v);
    r->kind = answer ? STORE_RECORD_ANSWER : STORE_RECORD_SEEN;
    r->answer.key = text(root, answer ? "answer" : "seen", a);
    return read_answer(root, a, &r->answer);
}

/* The last line: of everything before it, how much there was and its checksums. */
static int read_end(struct archive_in *i, struct json_value root, struct arena *a,
                    struct str *ret_why) {
    unsigned char digest[ARCHIVE_DIGEST_BYTES];
    char hex[2 * ARCHIVE_DIGEST_BYTES + 1];
    struct json_value parts;
    struct buf said, found;
    struct jw w;
    crypto_generichash_final(&i->digest, digest, sizeof digest);
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    buf_init(&said, a, 1024);
    buf_init(&found, a, 1024);
    jw_init(&w, &said);
    if (!json_get(root, "parts", &parts))
        return bad(i, a, ERR_CORRUPT, "the last line is damaged", ret_why);
    json_write(parts, &w);
    jw_init(&w, &found);
    write_parts(&i->tally, &w);
    if (number(root, "end") != i->tally.records || !str_is(text(root, "blake2b", a), hex) ||
        !str_eq(buf_str(&said), buf_str(&found)))
        return bad(i, a, ERR_CORRUPT, "the file is not what was written: its checksums differ",
                   ret_why);
    int r = in_line(i, a, ret_why);
    return r <= 0 ? r : bad(i, a, ERR_CORRUPT, "something follows the last line", ret_why);
}

int archive_in_next(struct archive_in *i, struct arena *a, struct store_record *ret_record,
                    struct str *ret_why) {
    struct json_value root, v;
    struct str line;
    int r = in_line(i, a, ret_why);
    if (r < 0)
        return r;
    if (r == 0)
        return bad(i, a, ERR_CORRUPT, "the file is cut off: its last line is missing", ret_why);
    if (json_parse(i->parser, buf_str(&i->line), &root) < 0 || json_kind(root) != JSON_IS_OBJECT)
        return bad(i, a, ERR_CORRUPT, "it is damaged", ret_why);
    if (json_get(root, "end", &v))
        return read_end(i, root, a, ret_why);
    in_digest(i);
    r = read_record(i, root, a, ret_record);
    if (r == 0)
        r = archive_tally_add(&i->tally, ret_record, a, &line);
    return r < 0 ? bad(i, a, ERR_CORRUPT, "it is no record", ret_why) : 1;
}

const struct archive_tally *archive_in_tally(const struct archive_in *i) {
    return &i->tally;
}

int64_t archive_in_bytes(const struct archive_in *i) {
    return i->bytes;
}

struct archive_in *archive_in_free(struct archive_in *i) {
    if (i == NULL)
        return NULL;
    json_parser_free(i->parser);
    archive_tally_free(&i->tally);
    buf_free(&i->line);
    free(i);
    return NULL;
}
