/* Bytes → call. llhttp does the parsing; around it stands what it leaves open or forgives:
 *
 *   head_scan()       looks at line ends before llhttp does and finds the end of the head by
 *                     itself. A bare LF, a folded line, or a head whose end the two see in
 *                     different places is refused: what two parsers read differently is how
 *                     requests are smuggled. It also bounds the head exactly.
 *   headers_check()   one Host, one known transfer coding, versions 1.0 and 1.1, sound targets.
 *
 * Target, names (lower case) and values are copied into one buffer in the call's arena; spans are
 * offsets into it until the head is whole, because the buffer moves as it grows. The body grows in
 * the same arena as its bytes arrive: a large Content-Length alone allocates nothing.
 *
 * Each request has a parser of its own, inside its exchange, so that idle connections and
 * WebSockets carry none.
 */
#include "adapters/http/internal.h"

#include "base/check.h"

#include <string.h>

#define HEAD_FIRST_BYTES 1024
#define BODY_FIRST_BYTES 4096
/* Chunked bodies: how many bytes on the wire one byte of body may cost (one-byte chunks take 6). */
#define CHUNK_COST_MAX 8

static const struct refusal
    refusal_malformed = {400,
                         "malformed-request",
                         "Malformed request",
                         "the request is not well-formed HTTP/1.1",
                         NULL,
                         NULL},
    refusal_line = {400,
                    "malformed-request",
                    "Malformed request",
                    "lines end in CR LF and are not folded",
                    NULL,
                    NULL},
    refusal_host = {400,
                    "malformed-request",
                    "Malformed request",
                    "a request has exactly one sound Host header",
                    NULL,
                    NULL},
    refusal_target = {400,
                      "malformed-request",
                      "Malformed request",
                      "the request target is neither a path nor an absolute URI",
                      NULL,
                      NULL},
    refusal_coding = {501,
                      "not-implemented",
                      "Not implemented",
                      "the only transfer coding is chunked, in HTTP/1.1",
                      NULL,
                      NULL},
    refusal_method =
        {501, "not-implemented", "Not implemented", "the method is not known here", NULL, NULL},
    refusal_version = {505,
                       "not-implemented",
                       "Not implemented",
                       "the versions are HTTP/1.1 and HTTP/1.0",
                       NULL,
                       NULL},
    refusal_expect = {417,
                      "expectation-failed",
                      "Expectation failed",
                      "the only expectation is 100-continue",
                      NULL,
                      NULL},
    refusal_count = {431, "headers-too-large", "Headers too large", "too many headers", NULL, NULL},
    refusal_head = {431,
                    "headers-too-large",
                    "Headers too large",
                    "the head of the request is too long",
                    NULL,
                    NULL},
    refusal_uri = {414, "uri-too-long", "URI too long", "the request target is too long", NULL,
                   NULL},
    refusal_body = {413, "payload-too-large", "Payload too large", "the body is too large", NULL,
                    NULL};

bool head_scan(struct head_scan *s, const char *p, size_t len, size_t *ret_used) {
    size_t at = 0;
    if (len > 0 && s->first == 0)
        s->first = p[0];
    while (at < len) {
        *ret_used = at;
        if (s->line == 0 && (p[at] == ' ' || p[at] == '\t'))
            return false;
        const char *lf = memchr(p + at, '\n', len - at);
        if (lf == NULL) {
            s->line += len - at;
            s->last = p[len - 1];
            break;
        }
        size_t end = (size_t)(lf - p);
        char before = end > at ? p[end - 1] : s->last;
        size_t line = s->line + (end - at);
        *ret_used = end;
        if (line == 0 || before != '\r')
            return false;
        at = end + 1;
        s->line = 0;
        s->last = '\n';
        if (line == 1) { /* nothing but CR LF */
            s->whole = true;
            *ret_used = at;
            return true;
        }
    }
    *ret_used = len;
    return true;
}

struct str request_header(const struct request *r, const char *name) {
    for (int32_t i = 0; i < r->header_count; i++) {
        if (str_is(r->headers[i].name, name))
            return r->headers[i].value;
    }
    return STR_NONE;
}

/* --- what the head says ------------------------------------------------------------------ */

static struct str span_str(const struct exchange *ex, struct span s) {
    return (struct str){ex->head.p + s.at, s.len};
}

static struct str trimmed(struct str s) {
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* "/path?query", "*" for OPTIONS, or "http://host/path?query". */
static bool target_split(struct str target, bool options, struct request *r) {
    if (memchr(target.p, '#', target.len) != NULL)
        return false;
    if (str_is(target, "*")) {
        r->path = target;
        return options;
    }
    if (target.len == 0)
        return false;
    if (target.p[0] != '/') {
        struct str scheme7 = str_sub(target, 0, 7), scheme8 = str_sub(target, 0, 8);
        size_t at = str_eq_nocase(scheme7, "http://")    ? 7
                    : str_eq_nocase(scheme8, "https://") ? 8
                                                         : 0;
        size_t host = at;
        while (at < target.len && target.p[at] != '/' && target.p[at] != '?')
            at++;
        if (host == 0 || at == host)
            return false;
        target = str_sub(target, at, target.len - at);
    }
    const char *mark = target.len > 0 ? memchr(target.p, '?', target.len) : NULL;
    size_t path_len = mark != NULL ? (size_t)(mark - target.p) : target.len;
    r->path = path_len > 0 ? str_sub(target, 0, path_len) : STR("/");
    if (mark != NULL)
        r->query = str_sub(target, path_len + 1, target.len - path_len - 1);
    return true;
}

static bool host_sound(struct str host) {
    for (size_t i = 0; i < host.len; i++) {
        unsigned char ch = (unsigned char)host.p[i];
        if (ch <= ' ' || ch >= 0x7f || strchr("/?#@,\\\"<>", ch) != NULL)
            return false;
    }
    return true;
}

static const struct refusal *headers_check(struct exchange *ex) {
    const struct request *r = &ex->call.request;
    int hosts = 0;
    struct str coding = STR_NONE, expect = STR_NONE;
    for (int32_t i = 0; i < r->header_count; i++) {
        struct header h = r->headers[i];
        if (h.name.len == 0)
            return &refusal_malformed;
        if (str_is(h.name, "host")) {
            hosts++;
            if (!host_sound(h.value))
                return &refusal_host;
        } else if (str_is(h.name, "transfer-encoding")) {
            if (coding.p != NULL) /* together they are a list, which others may read otherwise */
                return &refusal_coding;
            coding = h.value;
        } else if (str_is(h.name, "expect")) {
            expect = h.value;
        }
    }
    if (hosts > 1 || (hosts == 0 && !ex->http10))
        return &refusal_host;
    if (coding.p != NULL && (ex->http10 || !str_eq_nocase(coding, "chunked")))
        return &refusal_coding;
    if (expect.p != NULL && !ex->http10) {
        if (!str_eq_nocase(expect, "100-continue"))
            return &refusal_expect;
        ex->continue_due = (ex->parser.flags & F_CHUNKED) != 0 || ex->parser.content_length > 0;
    }
    return NULL;
}

/* Of a chunked body nobody knows how long it will be. */
static size_t body_max(const struct exchange *ex) {
    const struct http_options *o = ex->thread->options;
    const struct request *r = &ex->call.request;
    size_t max = (size_t)o->limits.body_bytes_max;
    bool may_be_long = (ex->parser.flags & F_CHUNKED) != 0 || ex->parser.content_length > max;
    size_t more = may_be_long && o->body_max != NULL ? o->body_max(o->app, r->method, r->path) : 0;
    return more > max ? more : max;
}

static const struct refusal *head_check(struct exchange *ex) {
    const llhttp_t *p = &ex->parser;
    if (p->http_major != 1 || p->http_minor > 1)
        return &refusal_version;
    if (p->method == HTTP_CONNECT || p->method > HTTP_UNLINK)
        return &refusal_method;
    ex->http10 = p->http_minor == 0;
    ex->keep = llhttp_should_keep_alive(p) != 0;

    struct request *r = &ex->call.request;
    r->method = str_from(llhttp_method_name((llhttp_method_t)p->method));
    r->headers = arena_array(&ex->call.arena, struct header, ex->span_count);
    r->header_count = ex->span_count;
    for (int32_t i = 0; i < ex->span_count; i++) {
        r->headers[i].name = span_str(ex, ex->spans[i].name);
        r->headers[i].value = trimmed(span_str(ex, ex->spans[i].value));
    }
    if (!target_split(span_str(ex, ex->target), p->method == HTTP_OPTIONS, r))
        return &refusal_target;
    const struct refusal *bad = headers_check(ex);
    if (bad != NULL)
        return bad;
    const struct http_limits *l = &ex->thread->options->limits;
    ex->body_max = body_max(ex);
    if (p->content_length > ex->body_max)
        return &refusal_body;
    if (ex->thread->running >= l->calls_max || !thread_make_room(ex->thread, ex->conn))
        return &refusal_overloaded;
    return handshake_check(ex);
}

/* --- llhttp's callbacks ------------------------------------------------------------------ */

static int refuse(struct exchange *ex, const struct refusal *r) {
    ex->refusal = r;
    return HPE_USER;
}

static int on_url(llhttp_t *p, const char *at, size_t len) {
    struct exchange *ex = p->data;
    buf_add(&ex->head, at, len);
    ex->target.len += (uint32_t)len;
    return ex->target.len > URI_BYTES_MAX ? refuse(ex, &refusal_uri) : 0;
}

static int on_header_field(llhttp_t *p, const char *at, size_t len) {
    struct exchange *ex = p->data;
    if (ex->head_whole) /* a trailer: read, not kept */
        return 0;
    if (!ex->in_header) {
        if (ex->span_count == CALL_HEADERS_MAX)
            return refuse(ex, &refusal_count);
        ex->in_header = true;
        ex->spans[ex->span_count].name = (struct span){(uint32_t)ex->head.len, 0};
        ex->spans[ex->span_count].value = (struct span){0, 0};
        ex->span_count++;
    }
    struct span *name = &ex->spans[ex->span_count - 1].name;
    buf_reserve(&ex->head, len);
    for (size_t i = 0; i < len; i++) {
        char ch = at[i];
        ex->head.p[ex->head.len++] = ch >= 'A' && ch <= 'Z' ? (char)(ch + ('a' - 'A')) : ch;
    }
    name->len += (uint32_t)len;
    return 0;
}

static int on_header_value(llhttp_t *p, const char *at, size_t len) {
    struct exchange *ex = p->data;
    if (ex->head_whole)
        return 0;
    struct span *value = &ex->spans[ex->span_count - 1].value;
    if (value->len == 0)
        value->at = (uint32_t)ex->head.len;
    buf_add(&ex->head, at, len);
    value->len += (uint32_t)len;
    return 0;
}

static int on_header_value_complete(llhttp_t *p) {
    struct exchange *ex = p->data;
    ex->in_header = false;
    return 0;
}

static int on_headers_complete(llhttp_t *p) {
    struct exchange *ex = p->data;
    const struct refusal *bad = head_check(ex);
    ex->head_whole = true;
    ex->raw_bytes = 0;
    if (bad != NULL) {
        ex->refusal = bad;
        return -1;
    }
    if (p->content_length > 0 || (p->flags & F_CHUNKED) != 0) {
        size_t cap = (p->flags & F_CHUNKED) != 0 || p->content_length > BODY_FIRST_BYTES
                         ? BODY_FIRST_BYTES
                         : (size_t)p->content_length;
        buf_init(&ex->body, &ex->call.arena, cap);
    }
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len) {
    struct exchange *ex = p->data;
    ex->continue_due = false;
    if (ex->body.len + len > ex->body_max)
        return refuse(ex, &refusal_body);
    buf_add(&ex->body, at, len);
    thread_hold(ex->thread, &ex->held, ex->body.cap);
    return thread_make_room(ex->thread, ex->conn) ? 0 : refuse(ex, &refusal_overloaded);
}

static int on_message_complete(llhttp_t *p) {
    (void)p;
    return HPE_PAUSED;
}

static const llhttp_settings_t parser_settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void parse_begin(struct exchange *ex) {
    llhttp_init(&ex->parser, HTTP_REQUEST, &parser_settings);
    ex->parser.data = ex;
    buf_init(&ex->head, &ex->call.arena, HEAD_FIRST_BYTES);
}

/* --- feeding ----------------------------------------------------------------------------- */

static const struct refusal *refusal_of(struct exchange *ex, llhttp_errno_t e) {
    if (ex->refusal != NULL)
        return ex->refusal;
    char first = ex->scan.first;
    switch (e) {
    case HPE_INVALID_METHOD:
        return first >= 'A' && first <= 'Z' ? &refusal_method : &refusal_malformed;
    case HPE_INVALID_VERSION:
    case HPE_PAUSED_H2_UPGRADE:
        return &refusal_version;
    default:
        return &refusal_malformed;
    }
}

/* Feeds llhttp. Returns true when the request is whole; false with ex->refusal set when it is
 * refused, else more bytes are needed. */
static bool feed(struct exchange *ex, const char *p, size_t len, size_t *ret_used) {
    llhttp_errno_t e = llhttp_execute(&ex->parser, p, len);
    *ret_used = len;
    if (e == HPE_OK)
        return false;
    if (e != HPE_PAUSED) {
        ex->refusal = refusal_of(ex, e);
        return false;
    }
    *ret_used = (size_t)(llhttp_get_error_pos(&ex->parser) - p);
    return true;
}

static bool feed_head(struct exchange *ex, const char *p, size_t len, size_t *ret_used) {
    size_t max = (size_t)ex->thread->options->limits.head_bytes_max;
    size_t room = max - ex->raw_bytes, n = 0, parsed = 0;
    bool sound = head_scan(&ex->scan, p, len < room ? len : room, &n);
    ex->raw_bytes += n;
    *ret_used = n;
    bool whole = feed(ex, p, n, &parsed);
    if (ex->refusal != NULL)
        return false;
    if (!sound)
        ex->refusal = &refusal_line;
    else if (ex->scan.whole != ex->head_whole || (whole && parsed != n))
        ex->refusal = &refusal_malformed; /* the two do not agree where the head ends */
    else if (!ex->head_whole && ex->raw_bytes >= max)
        ex->refusal = ex->span_count == 0 ? &refusal_uri : &refusal_head;
    return whole;
}

static bool feed_body(struct exchange *ex, const char *p, size_t len, size_t *ret_used) {
    const struct http_limits *l = &ex->thread->options->limits;
    bool whole = feed(ex, p, len, ret_used);
    if (ex->refusal != NULL)
        return false;
    size_t used = *ret_used;
    CHECK(used > 0 && used <= len);
    ex->raw_bytes += used;
    if (ex->raw_bytes > ex->body_max * CHUNK_COST_MAX + (size_t)l->head_bytes_max)
        ex->refusal = &refusal_body;
    /* llhttp takes a bare LF for the end of the trailers. */
    char before = used > 1 ? p[used - 2] : ex->last_byte;
    if (whole && (ex->parser.flags & F_CHUNKED) != 0 && before != '\r')
        ex->refusal = &refusal_line;
    ex->last_byte = p[used - 1];
    return whole;
}

size_t parse_bytes(struct exchange *ex, const char *p, size_t len) {
    size_t used = 0;
    bool whole = ex->head_whole ? feed_body(ex, p, len, &used) : feed_head(ex, p, len, &used);
    if (ex->refusal != NULL) {
        conn_refuse(ex, ex->refusal);
        return len;
    }
    if (whole) {
        ex->call.request.body = buf_str(&ex->body);
        conn_dispatch(ex);
    }
    return used;
}
