/* Call → bytes: the head of an answer, its body left where it lies. Everything is written into the
 * call's arena and stays there until it has been sent.
 */
#include "adapters/http/internal.h"

#include "base/check.h"
#include "base/id.h"
#include "base/timestamp.h"

#include <string.h>
#include <time.h>

#define HEAD_BYTES 512 /* enough for most; the buffer grows */
#define REQUEST_ID_CHARS_MAX 64

const struct refusal refusal_timeout = {
    408, "request-timeout", "Request timeout", "the request did not arrive in time", NULL, NULL};
const struct refusal refusal_overloaded = {
    503,           "overloaded", "Overloaded", "as many requests as can be held are under way",
    "Retry-After", "1"};

static struct str reason(int status) {
    switch (status) {
#define REASON(code, name, text)                                                                   \
    case code:                                                                                     \
        return STR("HTTP/1.1 " #code " " text "\r\n");
        REASON(200, OK, "OK")
        REASON(201, CREATED, "Created")
        REASON(202, ACCEPTED, "Accepted")
        REASON(204, NO_CONTENT, "No Content")
        REASON(206, PARTIAL_CONTENT, "Partial Content")
        REASON(301, MOVED, "Moved Permanently")
        REASON(302, FOUND, "Found")
        REASON(303, SEE_OTHER, "See Other")
        REASON(304, NOT_MODIFIED, "Not Modified")
        REASON(307, TEMPORARY, "Temporary Redirect")
        REASON(308, PERMANENT, "Permanent Redirect")
        REASON(400, BAD_REQUEST, "Bad Request")
        REASON(401, UNAUTHORIZED, "Unauthorized")
        REASON(403, FORBIDDEN, "Forbidden")
        REASON(404, NOT_FOUND, "Not Found")
        REASON(405, METHOD, "Method Not Allowed")
        REASON(406, NOT_ACCEPTABLE, "Not Acceptable")
        REASON(408, TIMEOUT, "Request Timeout")
        REASON(409, CONFLICT, "Conflict")
        REASON(410, GONE, "Gone")
        REASON(412, PRECONDITION, "Precondition Failed")
        REASON(413, PAYLOAD, "Payload Too Large")
        REASON(414, URI, "URI Too Long")
        REASON(415, TYPE, "Unsupported Media Type")
        REASON(416, RANGE, "Range Not Satisfiable")
        REASON(417, EXPECTATION, "Expectation Failed")
        REASON(422, UNPROCESSABLE, "Unprocessable Entity")
        REASON(423, LOCKED, "Locked")
        REASON(426, UPGRADE, "Upgrade Required")
        REASON(428, PRECONDITION_REQUIRED, "Precondition Required")
        REASON(429, TOO_MANY, "Too Many Requests")
        REASON(431, HEADERS, "Request Header Fields Too Large")
        REASON(500, INTERNAL, "Internal Server Error")
        REASON(501, NOT_IMPLEMENTED, "Not Implemented")
        REASON(502, BAD_GATEWAY, "Bad Gateway")
        REASON(503, UNAVAILABLE, "Service Unavailable")
        REASON(504, GATEWAY_TIMEOUT, "Gateway Timeout")
        REASON(505, VERSION, "HTTP Version Not Supported")
#undef REASON
    default:
        return STR_NONE;
    }
}

/* "Date: …", made once a second. */
static struct str date_line(struct http_thread *t, int64_t now_us) {
    int64_t now_s = now_us / US_PER_S;
    if (now_s != t->date_s || t->date[0] == 0) {
        static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        time_t at = (time_t)now_s;
        struct tm tm;
        CHECK(gmtime_r(&at, &tm) != NULL);
        snprintf(t->date, sizeof t->date, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                 days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
                 tm.tm_min, tm.tm_sec);
        t->date_s = now_s;
    }
    return str_from(t->date);
}

static bool request_id_sane(struct str id) {
    if (id.p == NULL || id.len == 0 || id.len > REQUEST_ID_CHARS_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char ch = id.p[i];
        bool ok = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                  (ch >= '0' && ch <= '9') || ch == '.' || ch == '_' || ch == '-';
        if (!ok)
            return false;
    }
    return true;
}

/* The client's request id and trace if they are sane, else new ones; and the time of arrival. */
void request_ids_take(struct exchange *ex) {
    struct call *c = &ex->call;
    c->now_us = thread_now_us(ex->thread);
    struct str theirs = request_header(&c->request, "x-request-id");
    c->request_id = request_id_sane(theirs)
                        ? theirs
                        : id_new(&c->arena, "req", c->now_us, ex->thread->worker.rng);
    c->trace_begins = !traceparent_read(request_header(&c->request, "traceparent"), &c->trace);
    if (c->trace_begins)
        c->trace = traceparent_new(ex->thread->worker.rng);
}

static void add_header(struct buf *b, struct str name, struct str value) {
    buf_add_str(b, name);
    buf_add(b, ": ", 2);
    buf_add_str(b, value);
    buf_add(b, "\r\n", 2);
}

/* A value that would end its line early never leaves: somebody else wrote what follows. */
static bool one_line(struct str s) {
    return s.len == 0 || (memchr(s.p, '\r', s.len) == NULL && memchr(s.p, '\n', s.len) == NULL &&
                          memchr(s.p, 0, s.len) == NULL);
}

static void add_own_headers(struct buf *b, struct exchange *ex, bool *ret_cache_control) {
    const struct response *r = &ex->call.response;
    for (int32_t i = 0; i < r->header_count; i++) {
        const struct header *h = &r->headers[i];
        if (!one_line(h->name) || !one_line(h->value)) {
            log_write(ex->thread->options->log, LOG_ERROR,
                      (struct log_cause){ex->call.request_id, &ex->call.trace},
                      "a response header with a line break was left out");
            continue;
        }
        if (str_eq_nocase(h->name, "cache-control"))
            *ret_cache_control = true;
        add_header(b, h->name, h->value);
    }
}

void reply_render(struct exchange *ex, bool keep) {
    struct call *c = &ex->call;
    const struct response *r = &c->response;
    CHECK(r->status >= 200 && r->status <= 599);
    bool bodyless = r->status == 204 || r->status == 304;
    struct buf b;
    buf_init(&b, &c->arena, HEAD_BYTES);

    struct str line = reason(r->status);
    if (line.p != NULL)
        buf_add_str(&b, line);
    else
        buf_printf(&b, "HTTP/1.1 %d -\r\n", r->status);
    buf_add_str(&b, date_line(ex->thread, thread_now_us(ex->thread)));
    if (!bodyless) {
        if (r->body.len > 0)
            add_header(&b, STR("Content-Type"),
                       r->content_type != NULL ? str_from(r->content_type)
                                               : STR("application/json; charset=utf-8"));
        buf_add_str(&b, STR("Content-Length: "));
        buf_add_i64(&b, (int64_t)r->body.len);
        buf_add(&b, "\r\n", 2);
    }
    add_header(&b, STR("X-Request-Id"), c->request_id);
    buf_add_str(&b, STR("X-Content-Type-Options: nosniff\r\n"));
    bool cache_control = false;
    add_own_headers(&b, ex, &cache_control);
    if (!cache_control)
        buf_add_str(&b, STR("Cache-Control: no-store\r\n"));
    if (!keep)
        buf_add_str(&b, STR("Connection: close\r\n"));
    else if (ex->http10)
        buf_add_str(&b, STR("Connection: keep-alive\r\n"));
    buf_add(&b, "\r\n", 2);

    ex->out.parts[0] = buf_str(&b);
    bool with_body = !bodyless && !str_is(c->request.method, "HEAD");
    ex->out.parts[1] = with_body ? r->body : STR_NONE;
}

void reply_upgrade(struct exchange *ex, struct str accept, struct str protocol) {
    struct buf b;
    buf_init(&b, &ex->call.arena, HEAD_BYTES);
    buf_add_str(&b, STR("HTTP/1.1 101 Switching Protocols\r\n"
                        "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
    add_header(&b, STR("Sec-WebSocket-Accept"), accept);
    if (protocol.p != NULL && one_line(protocol))
        add_header(&b, STR("Sec-WebSocket-Protocol"), protocol);
    add_header(&b, STR("X-Request-Id"), ex->call.request_id);
    buf_add(&b, "\r\n", 2);
    ex->out.parts[0] = buf_str(&b);
    ex->out.parts[1] = STR_NONE;
}

/* The texts of refusals are ours and the request id is sane: nothing needs escaping. */
void reply_problem(struct exchange *ex, const struct refusal *r) {
    struct call *c = &ex->call;
    request_ids_take(ex);
    c->response = (struct response){
        .status = r->status,
        .content_type = "application/problem+json",
        .body = arena_printf(&c->arena,
                             "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%d,"
                             "\"detail\":\"%s\",\"request_id\":\"%.*s\"}",
                             r->slug, r->title, r->status, r->detail, STR_ARG(c->request_id)),
    };
    if (r->header_name != NULL)
        c->response.headers[c->response.header_count++] =
            (struct header){str_from(r->header_name), str_from(r->header_value)};
}
