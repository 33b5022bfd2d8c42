/* The runtime over the memory store, with a toy service: counters that can be made, raised and
 * watched by a second aggregate that mirrors them by events.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "testing/house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct counter {
    struct aggregate_head head;
    int64_t value, alarm_at_us;
};
struct raise_args {
    int64_t by, alarm_s;
};

static const struct schema_field counter_fields[] = {
    {"id", S_STR, S_OUT, offsetof(struct counter, head.id)},
    {"version", S_I64, S_OUT, offsetof(struct counter, head.version)},
    {"value", S_I64, S_OUT | S_STORE, offsetof(struct counter, value)},
    {"alarm_at", S_TIME, S_STORE, offsetof(struct counter, alarm_at_us)},
};
static const struct schema counter_schema = SCHEMA(struct counter, "Counter", counter_fields);

static const struct schema_field raise_fields[] = {
    {"by", S_I64, S_REQUIRED | S_IN | S_STORE, offsetof(struct raise_args, by), .min = 1,
     .max = 100},
    {"alarm_s", S_I64, S_IN | S_STORE, offsetof(struct raise_args, alarm_s), .min = 1, .max = 100},
};
static const struct schema raise_schema = SCHEMA(struct raise_args, "Raise", raise_fields);

static const struct store_collection counters = {"counters", .timers = true};
static const struct store_collection mirrors = {"mirrors"};

static int64_t counter_wake(const void *state) {
    return ((const struct counter *)state)->alarm_at_us;
}
static const struct aggregate counter_aggregate = {&counters, &counter_schema, NULL, counter_wake};
static const struct aggregate mirror_aggregate = {&mirrors, &counter_schema, NULL, NULL};

static void raise_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                         struct decision *ret) {
    const struct raise_args *args = cmd->args;
    if (args->by == 13) {
        decision_problem(ret, cmd, PROBLEM_ILLEGAL_TRANSITION, "not by 13");
        return;
    }
    struct counter *next = arena_new(ctx->arena, struct counter);
    if (old != NULL)
        *next = *(const struct counter *)old;
    next->value += args->by;
    if (args->alarm_s != I64_ABSENT)
        next->alarm_at_us = ctx->now_us + args->alarm_s * US_PER_S;
    decision_state(ret, cmd, old, next);
    decision_event(ret, cmd, ctx, "counter.raised", cmd->id, &raise_schema, args);
    decision_json(ret, 200, schema_text(&counter_schema, next, S_OUT, ctx->arena));
    decision_etag(ret, cmd, next->head.version);
}
static const struct command_type raise_type = {
    "counter.raise", &counter_aggregate, NULL, raise_decide, NULL, NULL};

/* Creating is raising what is not there yet. */
static void create_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                          struct decision *ret) {
    raise_decide(cmd, ctx, old, ret);
    if (old == NULL)
        ret->response.status = 201;
}
static const struct command_type create_type = {.name = "counter.create",
                                                .aggregate = &counter_aggregate,
                                                .decide = create_decide,
                                                .location = "/v1/counters/"};

static void alarm_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                         struct decision *ret) {
    const struct counter *before = old;
    if (before == NULL || before->alarm_at_us == 0 || before->alarm_at_us > ctx->now_us)
        return;
    struct counter *next = arena_copy(ctx->arena, before, sizeof(*before));
    next->alarm_at_us = 0;
    next->value += 1000;
    decision_state(ret, cmd, old, next);
}
static const struct command_type alarm_type = {
    "counter.alarm", &counter_aggregate, NULL, alarm_decide, NULL, NULL};

/* What came along with the last event, and with the command that it made. */
static struct traceparent heard, mirrored;

static void mirror_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                          struct decision *ret) {
    const struct raise_args *args = cmd->args;
    struct counter *next = arena_new(ctx->arena, struct counter);
    if (old != NULL)
        *next = *(const struct counter *)old;
    next->value += args->by;
    mirrored = cmd->trace;
    decision_state(ret, cmd, old, next);
}
static const struct command_type mirror_type = {
    "mirror.raise", &mirror_aggregate, NULL, mirror_decide, NULL, NULL};

static void park_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                        struct decision *ret) {
    raise_decide(cmd, ctx, old, ret);
    ret->response.status = 202;
    ret->park_key = STR("gate");
}
static const struct command_type park_type = {
    "counter.park", &counter_aggregate, NULL, park_decide, NULL, NULL};
static void open_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                        struct decision *ret) {
    (void)cmd;
    (void)ctx;
    (void)old;
    decision_json(ret, 200, STR("\"open\""));
    ret->wake_key = STR("gate");
}
static const struct command_type open_type = {
    "counter.open", &counter_aggregate, NULL, open_decide, NULL, NULL};

static void handle_raise(struct call *c) {
    call_command(c, &raise_type, c->params[0], c->body);
}
static void handle_create(struct call *c) {
    call_command(c, &create_type, c->params[0], c->body);
}
static void handle_park(struct call *c) {
    call_command(c, &park_type, c->params[0], c->body);
}
static void handle_open(struct call *c) {
    call_command(c, &open_type, c->params[0], NULL);
}
static void handle_get(struct call *c) {
    const struct counter *state = call_state(c, &counter_aggregate, c->params[0]);
    if (state != NULL)
        call_json_etag(c, state->head.version,
                       schema_text(&counter_schema, state, S_OUT, &c->arena));
}
static void handle_mirror(struct call *c) {
    const struct counter *state = call_state(c, &mirror_aggregate, c->params[0]);
    if (state != NULL)
        call_json(c, 200, schema_text(&counter_schema, state, S_OUT, &c->arena));
}
static void handle_list(struct call *c) {
    int32_t limit;
    struct str after;
    if (!call_page(c, &limit, &after))
        return;
    struct store_query q = {.collection = &counters, .after = after, .limit = limit};
    struct store_doc *docs;
    int32_t count;
    int err = c->worker->reader->ops->list(c->worker->reader, &q, &c->arena, &docs, &count);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    struct page p;
    page_begin(&p, c);
    for (int32_t i = 0; i < count; i++)
        jw_str(&p.w, docs[i].id);
    page_reply(&p, count == limit, count > 0 ? docs[count - 1].id : STR_NONE);
}

static const struct route_entry routes[] = {
    {"POST", "/v1/counters/{id}", ROLES(ROLE_CUSTOMER), handle_raise, &raise_schema,
     ROUTE_IDEMPOTENT | ROUTE_IF_MATCH, "raise"},
    {"PUT", "/v1/counters/{id}", ROLES(ROLE_CUSTOMER), handle_create, &raise_schema,
     ROUTE_IDEMPOTENT, "create"},
    {"POST", "/v1/counters/{id}/park", ROLES(ROLE_CUSTOMER), handle_park, &raise_schema, 0, "park"},
    {"POST", "/v1/counters/{id}/open", ROLES(ROLE_CUSTOMER), handle_open, NULL, 0, "open"},
    {"GET", "/v1/counters/{id}", ROLES_ANY, handle_get, NULL, 0, "get"},
    {"GET", "/v1/counters", ROLES_ANY, handle_list, NULL, 0, "list"},
    {"GET", "/v1/mirrors/{id}", ROLES_PUBLIC, handle_mirror, NULL, 0, "mirror"},
};
static void on_raised(struct event_turn *t, const void *data) {
    heard = t->trace;
    event_command(t, &mirror_type, t->event->key,
                  arena_copy(t->arena, data, sizeof(struct raise_args)));
}
static const struct event_entry events[] = {{"counter.raised", &raise_schema, on_raised}};
static const struct command_type *const timers[] = {&alarm_type, NULL};
static const struct store_collection *const collections[] = {&counters, &mirrors, NULL};
static const struct service_def def = {.name = "toy",
                                       .routes = routes,
                                       .route_count = COUNT_OF(routes),
                                       .events = events,
                                       .event_count = COUNT_OF(events),
                                       .timers = timers,
                                       .collections = collections};

static struct house *open_house(uint64_t seed) {
    struct house *h = house_new(seed);
    house_open(h, &(struct service){&def, NULL}, 1);
    return h;
}

static struct house_answer request(struct house *h, const char *method, const char *path,
                                   const char *body, const char *key, const char *if_match) {
    struct house_request r = {.method = method,
                              .path = path,
                              .body = body,
                              .who = house_who(h, ROLE_CUSTOMER, "usr_01JD0000000000000000000000")};
    int n = 0;
    if (key != NULL)
        r.headers[n++] = (struct header){STR("idempotency-key"), str_from(key)};
    if (if_match != NULL)
        r.headers[n++] = (struct header){STR("if-match"), str_from(if_match)};
    return house_call(h, &r);
}
static struct house_answer post(struct house *h, const char *path, const char *body,
                                const char *key, const char *if_match) {
    return request(h, "POST", path, body, key, if_match);
}
static struct house_answer get(struct house *h, const char *path) {
    return house_call(h, &(struct house_request){.method = "GET",
                                                 .path = path,
                                                 .who = house_who(h, ROLE_CUSTOMER, NULL)});
}
static bool has(struct str body, const char *part) {
    return memmem(body.p, body.len, part, strlen(part)) != NULL;
}
static struct str header_of(const struct house_answer *a, const char *name) {
    for (int32_t i = 0; i < a->response.header_count; i++) {
        if (str_eq_nocase(a->response.headers[i].name, name))
            return a->response.headers[i].value;
    }
    return STR_NONE;
}

static void test_command_and_event(void **state) {
    (void)state;
    struct house *h = open_house(1);
    struct house_answer a = post(h, "/v1/counters/a", "{\"by\":5}", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_true(has(a.body, "\"value\":5"));
    assert_true(str_is(header_of(&a, "ETag"), "\"1\""));
    house_advance(h, US_PER_S);
    assert_true(has(get(h, "/v1/mirrors/a").body, "\"value\":5"));
    assert_true(executor_idle(h->executor));
    house_free(h);
}

/* A request's trace goes with its command into the event, and with that into the next command. */
static void test_trace(void **state) {
    (void)state;
    static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    struct house *h = open_house(9);
    struct house_request r = {.method = "POST",
                              .path = "/v1/counters/a",
                              .body = "{\"by\":5}",
                              .who = house_who(h, ROLE_CUSTOMER, NULL),
                              .headers = {{STR("traceparent"), str_from(trace)}}};
    assert_int_equal(house_call(h, &r).status, 200);
    house_settle(h);
    assert_true(str_is(traceparent_text(&heard, &h->arena), trace));
    assert_true(str_is(traceparent_text(&mirrored, &h->arena), trace));
    r.headers[0].value = STR("rubbish");
    assert_int_equal(house_call(h, &r).status, 200);
    house_settle(h);
    assert_false(heard.there || mirrored.there);
    assert_true(has(get(h, "/v1/mirrors/a").body, "\"value\":10"));
    house_free(h);
}

static const struct span *span_named(const struct span *spans, int32_t count, const char *name) {
    for (int32_t i = 0; i < count; i++) {
        if (strcmp(spans[i].name, name) == 0)
            return &spans[i];
    }
    fail_msg("there is no span %s", name);
    return NULL;
}

static void assert_below(const struct span *span, const struct span *parent) {
    assert_true(span->has_parent);
    assert_memory_equal(span->parent_id, parent->self.span_id, SPAN_ID_BYTES);
    assert_memory_equal(span->self.trace_id, parent->self.trace_id, TRACE_ID_BYTES);
}

static int64_t number_of(const struct span *s, const char *key) {
    for (int32_t i = 0; i < s->attribute_count; i++) {
        if (strcmp(s->attributes[i].key, key) == 0 && !s->attributes[i].is_text)
            return s->attributes[i].number;
    }
    fail_msg("%s has no number %s", s->name, key);
    return 0;
}

/* From the client's span down to the last command that his request has caused: one chain. */
static void test_spans(void **state) {
    (void)state;
    static struct span spans[16];
    struct house *h = house_new(10);
    h->spans = spans_new(0); /* what comes with a traceparent is recorded all the same */
    house_open(h, &(struct service){&def, NULL}, 1);
    struct house_request r = {
        .method = "POST",
        .path = "/v1/counters/a",
        .body = "{\"by\":5,\"alarm_s\":5}",
        .who = house_who(h, ROLE_CUSTOMER, NULL),
        .headers = {
            {STR("traceparent"), STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}}};
    assert_int_equal(house_call(h, &r).status, 200);
    house_settle(h);
    int32_t n = spans_take(h->spans, spans, 16, 0);
    assert_int_equal(n, 5);
    const struct span *request = span_named(spans, n, "POST /v1/counters/{id}");
    const struct span *command = span_named(spans, n, "counter.raise");
    const struct span *publish = span_named(spans, n, "publish counter.raised");
    const struct span *process = span_named(spans, n, "process counter.raised");
    const struct span *mirror = span_named(spans, n, "mirror.raise");
    assert_int_equal(request->parent_id[0], 0x00);
    assert_int_equal(request->parent_id[1], 0xf0);
    assert_int_equal(number_of(request, "http.response.status_code"), 200);
    assert_int_equal(number_of(command, "lorry.batch.size"), 1);
    assert_below(command, request);
    assert_below(publish, command);
    assert_below(process, publish);
    assert_below(mirror, process);
    assert_true(request->kind == SPAN_SERVER && command->kind == SPAN_INTERNAL &&
                publish->kind == SPAN_PRODUCER && process->kind == SPAN_CONSUMER);

    /* by 13 is a client's fault, and no error; of 0 of the traces that begin here nothing is kept
     */
    r.body = "{\"by\":13}";
    assert_int_equal(house_call(h, &r).status, 409);
    n = spans_take(h->spans, spans, 16, 0);
    assert_int_equal(n, 2);
    assert_false(spans[0].failed || spans[1].failed);
    r.headers[0].name = STR_NONE;
    assert_int_equal(house_call(h, &r).status, 409);
    house_advance(h, 10 * US_PER_S); /* the alarm, too */
    assert_true(has(get(h, "/v1/counters/a").body, "\"value\":1005"));
    assert_int_equal(spans_take(h->spans, spans, 16, 0), 0);

    /* a store that gives up is the server's */
    r.headers[0].name = STR("traceparent");
    r.body = "{\"by\":1}";
    h->faults = (struct memory_store_faults){.busy = 1, .rng = &h->rng};
    assert_int_equal(house_call(h, &r).status, 503);
    n = spans_take(h->spans, spans, 16, 0);
    assert_int_equal(n, 2);
    assert_true(span_named(spans, n, "POST /v1/counters/{id}")->failed);
    assert_true(span_named(spans, n, "counter.raise")->failed);
    struct spans *mine = h->spans;
    house_free(h);
    spans_free(mine);
}

/* Nobody asked: a wake-up begins a trace of its own. */
static void test_spans_of_timers(void **state) {
    (void)state;
    static struct span spans[16];
    struct house *h = house_new(11);
    h->spans = spans_new(1);
    house_open(h, &(struct service){&def, NULL}, 1);
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":5,\"alarm_s\":5}", NULL, NULL).status, 200);
    house_settle(h);
    spans_take(h->spans, spans, 16, 0);
    house_advance(h, 10 * US_PER_S);
    assert_int_equal(spans_take(h->spans, spans, 16, 0), 1);
    assert_string_equal(spans[0].name, "counter.alarm");
    struct spans *mine = h->spans;
    house_free(h);
    spans_free(mine);
}

static void test_problems(void **state) {
    (void)state;
    struct house *h = open_house(2);
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":0,\"alarm_s\":\"x\"}", NULL, NULL).status,
                     422);
    struct house_answer bad = post(h, "/v1/counters/a", "{\"by\":0,\"alarm_s\":\"x\"}", NULL, NULL);
    assert_true(has(bad.body, "/by") && has(bad.body, "/alarm_s") && has(bad.body, "2 fields"));
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":", NULL, NULL).status, 400);
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":13}", NULL, NULL).status, 409);
    assert_int_equal(get(h, "/v1/counters/a").status, 404);
    assert_int_equal(get(h, "/v1/nothing").status, 404);
    struct house_request r = {.method = "DELETE", .path = "/v1/counters/a"};
    struct house_answer a = house_call(h, &r);
    assert_int_equal(a.status, 405);
    assert_true(str_is(header_of(&a, "Allow"), "POST, PUT, GET"));
    r = (struct house_request){.method = "GET", .path = "/v1/counters/a"};
    a = house_call(h, &r);
    assert_int_equal(a.status, 401);
    assert_true(header_of(&a, "WWW-Authenticate").len > 0);
    r = (struct house_request){.method = "POST",
                               .path = "/v1/counters/a",
                               .body = "{\"by\":1}",
                               .who = house_who(h, ROLE_DRIVER, NULL)};
    assert_int_equal(house_call(h, &r).status, 403);
    assert_int_equal(get(h, "/problems/email-taken").status, 200);
    assert_int_equal(get(h, "/metrics").status, 200);
    house_free(h);
}

static void test_idempotency(void **state) {
    (void)state;
    struct house *h = open_house(3);
    struct house_answer a = post(h, "/v1/counters/a", "{\"by\":5}", "k1", NULL);
    struct house_answer b = post(h, "/v1/counters/a", "{\"by\":5}", "k1", NULL);
    assert_int_equal(b.status, 200);
    assert_true(str_eq(a.body, b.body));
    assert_true(str_is(header_of(&b, "ETag"), "\"1\""));
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":6}", "k1", NULL).status, 422);
    assert_true(has(get(h, "/v1/counters/a").body, "\"value\":5"));
    /* two with one key in one batch */
    struct house_answer x, y;
    struct house_request r = {.method = "POST",
                              .path = "/v1/counters/a",
                              .body = "{\"by\":7}",
                              .who = house_who(h, ROLE_CUSTOMER, NULL),
                              .headers = {{STR("idempotency-key"), STR("k2")}}};
    house_begin(h, &r, &x);
    house_begin(h, &r, &y);
    house_settle(h);
    assert_int_equal(x.status, 200);
    assert_true(str_eq(x.body, y.body));
    assert_true(has(get(h, "/v1/counters/a").body, "\"value\":12"));
    house_free(h);
}

/* A repeated answer has what the first had: where the new thing is, too; nothing else says it. */
static void test_location(void **state) {
    (void)state;
    struct house *h = open_house(10);
    struct house_answer a = request(h, "PUT", "/v1/counters/a", "{\"by\":5}", "k1", NULL);
    assert_int_equal(a.status, 201);
    assert_true(str_is(header_of(&a, "Location"), "/v1/counters/a"));
    assert_true(header_of(&a, "Idempotency-Replayed").p == NULL);
    struct house_answer b = request(h, "PUT", "/v1/counters/a", "{\"by\":5}", "k1", NULL);
    assert_int_equal(b.status, 201);
    assert_true(str_is(header_of(&b, "Location"), "/v1/counters/a"));
    assert_true(str_is(header_of(&b, "ETag"), "\"1\""));
    assert_true(str_is(header_of(&b, "Idempotency-Replayed"), "true"));
    assert_true(str_eq(a.body, b.body));
    struct house_answer other = request(h, "PUT", "/v1/counters/a", "{\"by\":6}", "k1", NULL);
    assert_int_equal(other.status, 422);
    assert_true(header_of(&other, "Location").p == NULL);
    struct house_answer raised = request(h, "PUT", "/v1/counters/a", "{\"by\":5}", "k2", NULL);
    assert_int_equal(raised.status, 200);
    assert_true(header_of(&raised, "Location").p == NULL);
    house_free(h);
}

/* One account's changes in a minute are counted, reads are not, and the minute passes. */
static void test_rate(void **state) {
    (void)state;
    struct house *h = house_new(9);
    h->writes_per_minute_max = 3;
    house_open(h, &(struct service){&def, NULL}, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(post(h, "/v1/counters/a", "{\"by\":1}", NULL, NULL).status, 200);
    struct house_answer refused = post(h, "/v1/counters/a", "{\"by\":1}", NULL, NULL);
    assert_int_equal(refused.status, 429);
    assert_true(str_is(header_of(&refused, "Retry-After"), "60"));
    assert_int_equal(get(h, "/v1/counters/a").status, 200);
    assert_true(has(get(h, "/v1/counters/a").body, "\"value\":3"));
    house_advance(h, 61 * US_PER_S);
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":1}", NULL, NULL).status, 200);
    house_free(h);
}

static void test_if_match_and_batch(void **state) {
    (void)state;
    struct house *h = open_house(4);
    post(h, "/v1/counters/a", "{\"by\":5}", NULL, NULL);
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":5}", NULL, "\"2\"").status, 412);
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":5}", NULL, "\"1\"").status, 200);
    assert_int_equal(post(h, "/v1/counters/zz", "{\"by\":5}", NULL, "*").status, 412);
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":5}", NULL, "*").status, 200);
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":5}", NULL, "3").status, 412); /* no ETag */
    /* it comes last: what would not have gone anyway says why, and nothing of the version */
    struct house_answer refused = post(h, "/v1/counters/a", "{\"by\":13}", NULL, "\"1\"");
    assert_int_equal(refused.status, 409);
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":0}", NULL, "\"1\"").status, 422);
    /* a repeat is a repeat, although the version has gone on */
    assert_int_equal(post(h, "/v1/counters/b", "{\"by\":5}", "key", NULL).status, 200);
    assert_int_equal(post(h, "/v1/counters/b", "{\"by\":5}", "key2", "\"1\"").status, 200);
    assert_int_equal(post(h, "/v1/counters/b", "{\"by\":5}", "key2", "\"1\"").status, 200);
    assert_true(has(get(h, "/v1/counters/b").body, "\"value\":10"));
    struct house_answer many[20];
    struct house_request r = {.method = "POST",
                              .path = "/v1/counters/a",
                              .body = "{\"by\":1}",
                              .who = house_who(h, ROLE_CUSTOMER, NULL)};
    for (int i = 0; i < 20; i++)
        house_begin(h, &r, &many[i]);
    house_settle(h);
    for (int i = 0; i < 20; i++)
        assert_int_equal(many[i].status, 200);
    assert_true(has(many[19].body, "\"value\":35,") || has(many[19].body, "\"value\":35}"));
    assert_true(has(get(h, "/v1/counters/a").body, "\"version\":23"));
    house_free(h);
}

static void test_timer_and_crash(void **state) {
    (void)state;
    struct house *h = open_house(5);
    post(h, "/v1/counters/a", "{\"by\":5,\"alarm_s\":30}", NULL, NULL);
    house_crash(h);
    house_open(h, &(struct service){&def, NULL}, 1);
    house_settle(h);
    assert_true(has(get(h, "/v1/counters/a").body, "\"value\":5"));
    assert_true(has(get(h, "/v1/mirrors/a").body, "\"value\":5"));
    house_advance(h, 31 * US_PER_S);
    assert_true(has(get(h, "/v1/counters/a").body, "\"value\":1005"));
    house_free(h);
}

/* Every fault of the store, many seeds: what was answered 200 is there exactly once, what was not
 * is there at most once, and the mirror agrees in the end. */
static void test_faults(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct house *h = open_house(seed);
        h->faults.busy = 0.05;
        h->faults.io = 0.05;
        h->faults.conflict = 0.1;
        h->faults.unknown_committed = 0.1;
        h->faults.unknown_lost = 0.1;
        h->faults.read_busy = 0.1;
        enum { CALLS = 60 };
        static struct house_answer answers[CALLS];
        struct house_request r = {.method = "POST",
                                  .path = "/v1/counters/a",
                                  .body = "{\"by\":1}",
                                  .who = house_who(h, ROLE_CUSTOMER, NULL)};
        for (int i = 0; i < CALLS; i++) {
            house_begin(h, &r, &answers[i]);
            if (i % 7 == 0)
                house_settle(h);
        }
        house_advance(h, 5 * US_PER_S);
        h->faults = (struct memory_store_faults){.rng = &h->rng};
        house_advance(h, 30 * US_PER_S);
        int done = 0;
        for (int i = 0; i < CALLS; i++) {
            assert_true(answers[i].status == 200 || answers[i].status == 503);
            done += answers[i].status == 200;
        }
        struct house_answer counter = get(h, "/v1/counters/a"), mirror = get(h, "/v1/mirrors/a");
        int value = atoi(strstr(counter.body.p, "\"value\":") + 8);
        assert_true(value >= done && value <= CALLS);
        assert_int_equal(atoi(strstr(mirror.body.p, "\"value\":") + 8), value);
        assert_true(executor_idle(h->executor));
        house_free(h);
    }
}

static void count_finish(struct command *cmd, int result, struct response *response) {
    (void)response;
    *(int *)cmd->finish_arg += result == 0;
}

/* A full mailbox is said at once, with when to come again, and takes nothing with it. */
static void test_overload(void **state) {
    (void)state;
    struct house *h = open_house(7);
    struct command *fill = xcalloc(EXECUTOR_MAILBOX_MAX, sizeof(*fill));
    struct arena arena;
    int done = 0;
    arena_init(&arena, 4096);
    for (int i = 0; i < EXECUTOR_MAILBOX_MAX; i++) {
        fill[i] = (struct command){.type = &open_type,
                                   .id = STR("a"),
                                   .arena = &arena,
                                   .finish = count_finish,
                                   .finish_arg = &done};
        assert_int_equal(executor_submit(h->executor, &fill[i]), 0);
    }
    struct house_answer answer;
    house_begin(h,
                &(struct house_request){.method = "POST",
                                        .path = "/v1/counters/a",
                                        .body = "{\"by\":1}",
                                        .who = house_who(h, ROLE_CUSTOMER, NULL)},
                &answer);
    assert_int_equal(answer.status, 503);
    assert_true(str_is(header_of(&answer, "Retry-After"), "1"));
    assert_true(has(answer.body, "/problems/overloaded"));
    house_settle(h);
    assert_int_equal(done, EXECUTOR_MAILBOX_MAX);
    assert_int_equal(get(h, "/v1/counters/a").status, 404);
    assert_int_equal(post(h, "/v1/counters/a", "{\"by\":1}", NULL, NULL).status, 200);
    arena_free(&arena);
    free(fill);
    house_free(h);
}

static void test_parked(void **state) {
    (void)state;
    struct house *h = open_house(6);
    struct house_answer waiting, timed;
    struct house_request r = {.method = "POST",
                              .path = "/v1/counters/a/park",
                              .body = "{\"by\":1}",
                              .who = house_who(h, ROLE_CUSTOMER, NULL)};
    house_begin(h, &r, &waiting);
    house_settle(h);
    assert_int_equal(waiting.status, 0);
    assert_int_equal(post(h, "/v1/counters/a/open", NULL, NULL, NULL).status, 200);
    assert_int_equal(waiting.status, 200);
    assert_true(str_is(waiting.body, "\"open\""));
    house_begin(h, &r, &timed);
    house_advance(h, 6 * US_PER_S);
    assert_int_equal(timed.status, 202);
    house_free(h);
}

static void test_pages(void **state) {
    (void)state;
    struct house *h = open_house(8);
    const char *paths[] = {"/v1/counters/a", "/v1/counters/b", "/v1/counters/c"};
    for (int i = 0; i < 3; i++)
        post(h, paths[i], "{\"by\":1}", NULL, NULL);
    struct house_answer page = get(h, "/v1/counters?limit=2");
    assert_true(has(page.body, "[\"c\",\"b\"]"));
    const char *cursor = strstr(page.body.p, "next_cursor\":\"") + 14;
    char path[100];
    snprintf(path, sizeof(path), "/v1/counters?limit=2&cursor=%.*s", (int)strcspn(cursor, "\""),
             cursor);
    page = get(h, path);
    assert_true(has(page.body, "[\"a\"]") && has(page.body, "\"next_cursor\":null"));
    assert_int_equal(get(h, "/v1/counters?limit=0").status, 422);
    assert_int_equal(get(h, "/v1/counters?limit=201").status, 422);
    assert_int_equal(get(h, "/v1/counters?cursor=%21").status, 422);
    house_free(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_and_event),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_spans_of_timers),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_idempotency),
        cmocka_unit_test(test_location),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_if_match_and_batch),
        cmocka_unit_test(test_timer_and_crash),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_parked),
        cmocka_unit_test(test_pages),
    };
    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
