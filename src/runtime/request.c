/* The way in of a request: route, authenticate, authorise, parse the body by the route's schema,
 * hand it to the handler. And what handlers send on: commands, reads, pages.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "runtime/runtime_internal.h"

#include <math.h>
#include <sodium.h>
#include <string.h>

#define IDEMPOTENCY_KEY_MAX 128
#define WRITES_WINDOW_US (60 * US_PER_S)

/* ---- counting and tracing: the reply of a routed call passes through here ---- */

struct counted {
    struct route_slot *slot;
    const struct clock *clock;
    struct spans *spans;
    struct span *span;
    void (*reply)(struct call *c);
    struct socket *(*accept)(struct call *c, struct str protocol,
                             const struct socket_events *events, void *owner);
    void *origin;
};

/* By the semantic conventions of HTTP: what the client did wrong is no error of the server. The
 * path is left out, because it may hold a secret (a tracking link does): the route says enough. */
static void span_answer(struct counted *counted, struct call *c, int status, int64_t now_us) {
    const struct route_entry *route = counted->slot->entry;
    struct span *span = counted->span;
    if (span == NULL)
        return;
    span_name(span, "%s %s", route->method, route->pattern);
    span_text(span, "http.request.method", str_from(route->method));
    span_text(span, "http.route", str_from(route->pattern));
    span_text(span, "url.scheme", STR("http"));
    span_number(span, "http.response.status_code", status);
    span_text(span, "lorry.request_id", c->request_id);
    if (status >= 500)
        span_fail(span, status == 503 ? "503" : "500");
    span_end(counted->spans, span, now_us);
}

static void counted_reply(struct call *c) {
    struct counted *counted = c->origin;
    int64_t now_us = counted->clock->now_us(counted->clock);
    routes_count(counted->slot, c->response.status, now_us - c->now_us);
    span_answer(counted, c, c->response.status, now_us);
    c->origin = counted->origin;
    c->reply = counted->reply;
    c->reply(c);
}

static struct socket *counted_accept(struct call *c, struct str protocol,
                                     const struct socket_events *events, void *owner) {
    struct counted *counted = c->origin;
    counted->slot->by_class[0]++;
    span_answer(counted, c, 101, counted->clock->now_us(counted->clock));
    c->origin = counted->origin;
    c->accept = counted->accept;
    return c->accept(c, protocol, events, owner);
}

/* What only asks how this process is (its probes, Prometheus) begins no trace. */
static struct span *begin_span(struct runtime *r, struct call *c, const struct route_slot *slot) {
    if (r->o.spans == NULL)
        return NULL;
    if (!c->trace_begins)
        return span_begin(r->o.spans, &c->arena, c->worker->rng, &c->trace, SPAN_SERVER, c->now_us);
    if (slot->service != r)
        spans_judge(r->o.spans, &c->trace);
    return span_begin_trace(r->o.spans, &c->arena, &c->trace, SPAN_SERVER, c->now_us);
}

static void count_call(struct runtime *r, struct call *c, struct route_slot *slot) {
    struct counted *counted = arena_new(&c->arena, struct counted);
    *counted = (struct counted){.slot = slot,
                                .clock = r->o.clock,
                                .spans = r->o.spans,
                                .span = begin_span(r, c, slot),
                                .reply = c->reply,
                                .accept = c->accept,
                                .origin = c->origin};
    c->origin = counted;
    c->reply = counted_reply;
    c->accept = counted_accept;
}

/* ---- authentication, authorisation ---- */

/* The bearer token of a call: the Authorization header, or STR_NONE. */
static struct str bearer(const struct call *c) {
    struct str value = call_header(c, "authorization");
    if (value.len < 8 || !str_eq_nocase(str_sub(value, 0, 7), "bearer "))
        return STR_NONE;
    value = str_sub(value, 7, value.len - 7);
    while (value.len > 0 && value.p[0] == ' ')
        value = str_sub(value, 1, value.len - 1);
    return value;
}

/* False: replied. */
static bool role_fits(struct call *c) {
    if ((c->route->roles & ROLES(c->who.role)) != 0)
        return true;
    call_problem(c, PROBLEM_FORBIDDEN, "a %s may not do this", role_names[c->who.role]);
    return false;
}

/* False: replied. */
static bool scope_fits(struct call *c) {
    bool writes = !str_is(c->request.method, "GET") && !str_is(c->request.method, "HEAD");
    uint32_t needed = c->route->area != AREA_NONE ? SCOPE(c->route->area, writes) : 0;
    if (c->who.scopes == 0 || (c->who.scopes & needed) != 0)
        return true;
    char name[SCOPE_NAMES_MAX][SCOPE_TEXT_MAX];
    if (c->who.scopes == SCOPES_ACCOUNT)
        call_problem(c, PROBLEM_SECOND_FACTOR_MISSING,
                     "an account of your role must have a second factor: enrol one, then refresh "
                     "your token");
    else if (needed == 0 || c->route->area == AREA_ACCOUNT)
        call_problem(c, PROBLEM_FORBIDDEN, "an API key may not do this; sign in");
    else if (scope_names(needed, name) == 1)
        call_problem(c, PROBLEM_FORBIDDEN, "this API key has not the scope %s", name[0]);
    return false;
}

/* False: replied. */
static bool authorised(struct runtime *r, struct call *c) {
    unsigned roles = c->route->roles;
    if (roles == ROLES_PUBLIC)
        return true;
    if (c->who.role != ROLE_NONE) /* whoever made the call vouches for it: tests do */
        return role_fits(c) && scope_fits(c);
    struct str token = bearer(c);
    if (token.len == 0) {
        call_problem(c, PROBLEM_UNAUTHENTICATED,
                     "send an access token as \"Authorization: Bearer <token>\"");
        return false;
    }
    if (str_starts(token, "lry_") && r->o.api_key != NULL) {
        int err = r->o.api_key(r->o.api_key_arg, c, token, &c->who);
        if (err < 0 && err != ERR_DENIED)
            call_error(c, err);
        else if (err < 0)
            call_problem(c, PROBLEM_UNAUTHENTICATED,
                         "this API key is not valid any more, or never was");
        return err == 0 && role_fits(c) && scope_fits(c);
    }
    if (token_verify(r->o.verifier, token, c->now_us, &c->arena, &c->who) < 0) {
        call_problem(c, PROBLEM_UNAUTHENTICATED,
                     "the access token is not valid any more, or never was");
        return false;
    }
    return role_fits(c) && scope_fits(c);
}

/* One account's requests that may write, a minute: whoever registers can otherwise fill the disk.
 * The counter lives in the cache, so it may be lost; then the minute begins anew. False: replied.
 */
static bool within_rate(struct runtime *r, struct call *c) {
    int64_t value, until_us;
    if (r->o.writes_per_minute_max == 0 || c->who.role == ROLE_NONE ||
        str_is(c->request.method, "GET") || str_is(c->request.method, "HEAD"))
        return true;
    struct str key = arena_printf(&c->arena, "writes:%.*s", STR_ARG(c->who.user_id));
    if (r->o.cache->ops->add(r->o.cache, key, 1, WRITES_WINDOW_US, c->now_us, &value, &until_us) <
            0 ||
        value <= r->o.writes_per_minute_max)
        return true;
    int64_t wait_s = (until_us - c->now_us + US_PER_S - 1) / US_PER_S;
    call_too_many(c, STR("this account has sent as many changes as a minute may have"),
                  wait_s < 1 ? 1 : (int32_t)wait_s);
    return false;
}

/* ---- bodies ---- */

static bool is_json(struct str type) {
    size_t end = 0;
    while (end < type.len && type.p[end] != ';' && type.p[end] != ' ')
        end++;
    struct str media = str_sub(type, 0, end);
    return str_eq_nocase(media, "application/json") ||
           (media.len > 5 && str_eq_nocase(str_sub(media, media.len - 5, 5), "+json"));
}

static bool media_type_fits(struct call *c) {
    struct str encoding = call_header(c, "content-encoding");
    if (encoding.len > 0 && !str_eq_nocase(encoding, "identity")) {
        call_problem(c, PROBLEM_UNSUPPORTED_TYPE, "bodies are taken without a Content-Encoding");
        return false;
    }
    if (!is_json(call_header(c, "content-type"))) {
        call_problem(c, PROBLEM_UNSUPPORTED_TYPE, "the body must be application/json");
        return false;
    }
    return true;
}

/* Parses and decodes the body into c->body. False: replied. */
static bool body_read(struct call *c) {
    const struct schema *schema = c->route->body;
    if (schema == NULL)
        return true;
    struct str text = c->request.body;
    if (text.len == 0 && (c->route->flags & ROUTE_BODY_OPTIONAL) != 0)
        text = STR("{}");
    else if (!media_type_fits(c))
        return false;
    int err = json_parse(c->worker->parser, text, &c->json);
    if (err < 0) {
        int line, column;
        struct str what;
        json_error_at(text, &c->arena, &line, &column, &what);
        call_problem(c, PROBLEM_MALFORMED_JSON, "line %d, column %d: %.*s", line, column,
                     STR_ARG(what));
        return false;
    }
    c->body = arena_alloc(&c->arena, schema->size);
    struct field_errors errors = {0};
    schema_read(schema, c->json, S_IN, &c->arena, STR(""), c->body, &errors);
    if (c->route->check != NULL)
        c->route->check(c, c->body, &errors);
    if (errors.count > 0) {
        call_invalid(c, &errors);
        return false;
    }
    return true;
}

void runtime_request(struct runtime *r, struct call *c) {
    c->runtime = r;
    struct str allow;
    struct route_slot *slot = routes_match(&r->routes, c, &allow);
    if (slot == NULL) {
        if (allow.p == NULL && r->o.pages != NULL && r->o.pages(r->o.pages_arg, c))
            return;
        r->unrouted++;
        if (allow.p == NULL) {
            call_problem(c, PROBLEM_NOT_FOUND, "there is nothing at this address");
            return;
        }
        problem_fill(&c->response, &c->arena, c->request_id, PROBLEM_METHOD_NOT_ALLOWED,
                     "allowed here: %.*s", STR_ARG(allow));
        response_header(&c->response, "Allow", allow);
        c->reply(c);
        return;
    }
    c->route = slot->entry;
    c->service = slot->service;
    count_call(r, c, slot);
    if (authorised(r, c) && within_rate(r, c) && body_read(c))
        slot->entry->handle(c);
}

size_t runtime_body_max(struct runtime *r, struct str method, struct str path) {
    return (routes_flags(&r->routes, method, path) & ROUTE_BODY_FILE) != 0 ? CALL_FILE_BYTES_MAX
                                                                           : CALL_BODY_BYTES_MAX;
}

/* ---- commands ---- */

void call_command_finish(struct command *cmd, int result, struct response *response) {
    struct call *c = cmd->finish_arg;
    if (result < 0) {
        call_error(c, result);
        return;
    }
    if (response != &c->response)
        c->response = *response;
    c->reply(c);
}

/* Idempotency-Key counts per account, method and path. False: replied. */
static bool take_idempotency_key(struct call *c, struct command *cmd) {
    struct str key = call_header(c, "idempotency-key");
    if (key.p == NULL || (c->route->flags & ROUTE_IDEMPOTENT) == 0)
        return true;
    bool sane = key.len >= 1 && key.len <= IDEMPOTENCY_KEY_MAX;
    for (size_t i = 0; sane && i < key.len; i++)
        sane = key.p[i] > ' ' && key.p[i] <= '~';
    if (!sane) {
        call_problem(c, PROBLEM_BAD_PARAMETER,
                     "Idempotency-Key must be 1 to %d visible ASCII characters",
                     IDEMPOTENCY_KEY_MAX);
        return false;
    }
    cmd->answer_key =
        arena_printf(&c->arena, "%.*s %.*s %.*s %.*s", STR_ARG(c->who.user_id),
                     STR_ARG(c->request.method), STR_ARG(c->request.path), STR_ARG(key));
    cmd->body_hash = str_hash(c->request.body, 0x1d3);
    return true;
}

/* If-Match: "3", or *. False: replied. */
static bool take_if_match(struct call *c, struct command *cmd) {
    struct str value = call_header(c, "if-match");
    if (value.p == NULL || (c->route->flags & ROUTE_IF_MATCH) == 0)
        return true;
    if (str_is(value, "*")) {
        cmd->if_match = -1;
        return true;
    }
    bool quoted = value.len > 2 && value.p[0] == '"' && value.p[value.len - 1] == '"';
    if (!quoted || str_to_i64(str_sub(value, 1, value.len - 2), &cmd->if_match) < 0 ||
        cmd->if_match < 1) {
        problem_fill(&c->response, &c->arena, c->request_id, PROBLEM_PRECONDITION_FAILED,
                     "If-Match must be an ETag that this resource has had, as in \"3\", or *");
        c->reply(c);
        return false;
    }
    return true;
}

struct command *call_command_new(struct call *c, const struct command_type *type, struct str id,
                                 void *args) {
    struct command *cmd = arena_new(&c->arena, struct command);
    cmd->type = type;
    cmd->service = c->service;
    cmd->id = id;
    cmd->args = args;
    cmd->who = c->who;
    cmd->request_id = c->request_id;
    cmd->trace = c->trace;
    cmd->arena = &c->arena;
    cmd->finish = call_command_finish;
    cmd->finish_arg = c;
    cmd->refusable = true;
    if (!take_idempotency_key(c, cmd) || !take_if_match(c, cmd))
        return NULL;
    return cmd;
}

void call_command_send(struct call *c, struct command *cmd) {
    if (executor_submit(c->runtime->o.executor, cmd) < 0)
        call_problem(c, PROBLEM_OVERLOADED, "too many requests wait to be written");
}

void call_command(struct call *c, const struct command_type *type, struct str id, void *args) {
    struct command *cmd = call_command_new(c, type, id, args);
    if (cmd != NULL)
        call_command_send(c, cmd);
}

/* ---- reads ---- */

void *call_state(struct call *c, const struct aggregate *g, struct str id) {
    void *state;
    int err = id.len <= STORE_ID_MAX
                  ? aggregate_get(g, c->worker->reader, c->worker->parser, id, &c->arena, &state)
                  : ERR_NOT_FOUND;
    if (err < 0) {
        call_error(c, err);
        return NULL;
    }
    return state;
}

void call_json_etag(struct call *c, int64_t version, struct str json) {
    struct str etag = arena_printf(&c->arena, "\"%lld\"", (long long)version);
    response_header(&c->response, "ETag", etag);
    response_header(&c->response, "Cache-Control", STR("private, no-cache"));
    if (str_eq(call_header(c, "if-none-match"), etag)) {
        call_empty(c, 304);
        return;
    }
    call_json(c, 200, json);
}

#define PAGE_DEFAULT 50

bool call_page(struct call *c, int32_t *ret_limit, struct str *ret_after) {
    int64_t limit = PAGE_DEFAULT;
    if (!call_query_i64(c, "limit", 1, STORE_LIST_MAX, &limit))
        return false;
    *ret_limit = (int32_t)limit;
    *ret_after = STR_NONE;
    struct str cursor = call_query(c, "cursor");
    if (cursor.len == 0)
        return true;
    char *bytes = arena_bytes(&c->arena, cursor.len + 1);
    size_t len = 0;
    if (sodium_base642bin((unsigned char *)bytes, cursor.len, cursor.p, cursor.len, NULL, &len,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        len == 0 || len > STORE_ID_MAX || memchr(bytes, 0, len) != NULL) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "cursor must be the next_cursor of an earlier page");
        return false;
    }
    *ret_after = (struct str){bytes, len};
    return true;
}

void page_cursor(struct jw *w, struct arena *a, bool more, struct str last_id) {
    jw_key(w, "next_cursor");
    if (!more) {
        jw_null(w);
        return;
    }
    size_t cap = sodium_base64_encoded_len(last_id.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *text = arena_bytes(a, cap);
    sodium_bin2base64(text, cap, (const unsigned char *)last_id.p, last_id.len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    jw_cstr(w, text);
}

void page_begin(struct page *p, struct call *c) {
    p->call = c;
    buf_init(&p->text, &c->arena, 4096);
    jw_init(&p->w, &p->text);
    jw_object(&p->w);
    jw_key(&p->w, "items");
    jw_array(&p->w);
}

void page_reply(struct page *p, bool more, struct str last_id) {
    jw_end(&p->w);
    page_cursor(&p->w, &p->call->arena, more, last_id);
    jw_end(&p->w);
    call_json(p->call, 200, buf_str(&p->text));
}

bool page_list(struct page *p, struct call *c, const struct aggregate *g, int index, struct str key,
               void (*write)(struct page *p, const void *state, const void *arg), const void *arg) {
    struct store *store = c->worker->reader;
    struct store_query q = {.collection = g->collection};
    struct store_doc *docs;
    int32_t count;
    if (!call_page(c, &q.limit, &q.after))
        return false;
    if (index >= 0) {
        q.index = g->collection->indexes[index];
        q.key = key;
    }
    int err = store->ops->list(store, &q, &c->arena, &docs, &count);
    if (err < 0) {
        call_error(c, err);
        return false;
    }
    page_begin(p, c);
    for (int32_t i = 0; i < count; i++) {
        void *state;
        if (aggregate_decode(g, &docs[i], c->worker->parser, &c->arena, &state) == 0)
            write(p, state, arg);
    }
    p->more = count == q.limit;
    p->last_id = count > 0 ? docs[count - 1].id : STR_NONE;
    return true;
}

bool call_query_f64(struct call *c, const char *name, bool required, double low, double high,
                    double *value) {
    struct str text = call_query(c, name);
    if (text.p == NULL && !required)
        return true;
    double v;
    if (text.p == NULL || str_to_f64(text, &v) < 0 || !isfinite(v) || v < low || v > high) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "%s must be a number between %g and %g", name, low,
                     high);
        return false;
    }
    *value = v;
    return true;
}

bool call_query_i64(struct call *c, const char *name, int64_t low, int64_t high, int64_t *value) {
    struct str text = call_query(c, name);
    if (text.p == NULL)
        return true;
    int64_t v;
    if (str_to_i64(text, &v) < 0 || v < low || v > high) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "%s must be a whole number between %lld and %lld",
                     name, (long long)low, (long long)high);
        return false;
    }
    *value = v;
    return true;
}

bool call_query_time(struct call *c, const char *name, int64_t *value_us) {
    struct str text = call_query(c, name);
    if (text.p == NULL)
        return true;
    int64_t v;
    if (timestamp_parse(text, &v) < 0) {
        call_problem(c, PROBLEM_BAD_PARAMETER,
                     "%s must be an RFC 3339 time such as 2026-11-23T10:00:00Z (%%2B for a +)",
                     name);
        return false;
    }
    *value_us = v;
    return true;
}

bool call_query_enum(struct call *c, const char *name, const char *const *names, int32_t *value) {
    struct str text = call_query(c, name);
    if (text.p == NULL)
        return true;
    struct buf list;
    buf_init(&list, &c->arena, 64);
    for (int32_t i = 1; names[i] != NULL; i++) {
        if (str_is(text, names[i])) {
            *value = i;
            return true;
        }
        if (i > 1)
            buf_add_cstr(&list, ", ");
        buf_add_cstr(&list, names[i]);
    }
    call_problem(c, PROBLEM_BAD_PARAMETER, "%s must be one of %.*s", name, STR_ARG(buf_str(&list)));
    return false;
}
