/* What handlers ask of a call: headers, query parameters, and the answer. */
#include "runtime/call.h"

#include "base/check.h"

struct str call_header(const struct call *c, const char *name) {
    for (int32_t i = 0; i < c->request.header_count; i++) {
        if (str_is(c->request.headers[i].name, name))
            return c->request.headers[i].value;
    }
    return STR_NONE;
}

/* Percent-decoding as forms do it: '+' is a space; a '%' that is none of an escape stays. */
static struct str query_decode(struct arena *a, struct str raw) {
    char *out = arena_bytes(a, raw.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        int byte = raw.p[i] == '%' ? str_percent(str_sub(raw, i, 3)) : -1;
        if (byte >= 0) {
            out[n++] = (char)byte;
            i += 2;
        } else {
            out[n++] = raw.p[i] == '+' ? ' ' : raw.p[i];
        }
    }
    out[n] = 0;
    return (struct str){out, n};
}

struct str call_query(struct call *c, const char *name) {
    struct str query = c->request.query;
    size_t at = 0;
    while (at < query.len) {
        size_t end = at;
        while (end < query.len && query.p[end] != '&')
            end++;
        size_t equals = at;
        while (equals < end && query.p[equals] != '=')
            equals++;
        if (str_is((struct str){query.p + at, equals - at}, name)) {
            size_t from = equals < end ? equals + 1 : end;
            return query_decode(&c->arena, (struct str){query.p + from, end - from});
        }
        at = end + 1;
    }
    return STR_NONE;
}

void response_header(struct response *r, const char *name, struct str value) {
    CHECK(r->header_count < RESPONSE_HEADERS_MAX);
    r->headers[r->header_count++] = (struct header){str_from(name), value};
}

void call_json(struct call *c, int status, struct str json) {
    c->response.status = status;
    c->response.body = json;
    c->reply(c);
}

void call_empty(struct call *c, int status) {
    c->response.status = status;
    c->response.body = STR_NONE;
    c->reply(c);
}
