/* The network between clients and nodes, and what a client does about it: a request that was not
 * answered, or with "later", is sent again with the same key and body until it is.
 */
#include "base/check.h"
#include "base/err.h"
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_US (8 * US_PER_S)
#define JWKS_US (5 * US_PER_S)

/* ---- JSON ---- */

struct str sim_json_str(struct json_value v, const char *key) {
    struct json_value member;
    return json_get(v, key, &member) ? json_text(member) : STR_NONE;
}

int64_t sim_json_i64(struct json_value v, const char *key) {
    struct json_value member;
    int64_t value;
    return json_get(v, key, &member) && json_i64(member, &value) == 0 ? value : I64_ABSENT;
}

/* ---- a call on its node ---- */

static void answer(struct sim *sim, void *arg, uint64_t token);
static void send_again(struct sim *sim, void *arg, uint64_t token);

static int64_t latency(struct sim *sim) {
    return (int64_t)rng_exponential(&sim->rng, (double)sim->profile.latency_mean_us);
}

static const struct sim_request jwks_request = {
    .service = SIM_AUTH, .method = "GET", .path = {"/.well-known/jwks.json", 22}};

static void take_jwks(struct sim *sim, const struct sim_call *c) {
    for (int32_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i].up && c->answer.status == 200)
            SIM_EXPECT(sim, token_verifier_keys(sim->nodes[i].verifier, c->answer.body) == 0,
                       "jwks", "the key set cannot be read");
    }
}

/* The answer has been given: does it get there? */
static void reply(struct call *call) {
    struct sim_call *c = call->origin;
    struct sim *sim = c->node->sim;
    bool heard = !c->node->dying;
    if (heard) {
        c->answer = (struct sim_answer){.status = call->response.status,
                                        .body = arena_str(&sim->arena, call->response.body)};
        sim_trace(sim, "reply", c->node->index, c->request->path,
                  c->person != NULL ? str_from(c->person->user_id) : STR_NONE, c->answer.status,
                  (int64_t)str_hash(c->answer.body, 0));
        oracle_reply(sim, c);
    }
    arena_free(&call->arena);
    if (heard && c->request == &jwks_request)
        take_jwks(sim, c);
    else if (heard && c->attempt != 0 && !sim_strikes(sim, SIM_REPLY_LOST))
        sim_after(sim, latency(sim), answer, c, 0);
}

static void add_header(struct call *call, const char *name, struct str value) {
    struct request *r = &call->request;
    r->headers[r->header_count++] = (struct header){str_from(name), value};
}

void sim_call_enter(struct sim *sim, struct sim_call *c, struct sim_node *node) {
    const struct sim_request *from = c->request;
    struct call *call = &c->call;
    c->node = node;
    arena_init(&call->arena, 4096);
    struct request *r = &call->request;
    const char *question = memchr(from->path.p, '?', from->path.len);
    size_t path_len = question != NULL ? (size_t)(question - from->path.p) : from->path.len;
    r->path = str_sub(from->path, 0, path_len);
    r->query = question != NULL ? str_sub(from->path, path_len + 1, from->path.len) : STR_NONE;
    r->method = str_from(from->method);
    r->body = from->body;
    r->peer = STR("127.0.0.1");
    r->headers = arena_array(&call->arena, struct header, 4);
    if (from->body.p != NULL)
        add_header(call, "content-type",
                   from->type != NULL ? str_from(from->type) : STR("application/json"));
    if (from->key.p != NULL)
        add_header(call, "idempotency-key", from->key);
    if (from->token.p != NULL)
        add_header(call, "authorization",
                   arena_printf(&call->arena, "Bearer %.*s", STR_ARG(from->token)));
    else if (c->person != NULL && c->person->ready)
        call->who = sim_person_identity(c->person);
    call->worker = &node->worker;
    call->now_us = sim_node_now(node);
    call->request_id = id_new(&call->arena, "req", call->now_us, &node->rng);
    call->reply = reply;
    call->accept = sim_socket_accept;
    call->origin = c;
    sim->result->calls++;
    runtime_request(node->runtime, call);
    sim_node_poke(node);
}

/* ---- on the way ---- */

static void refused(struct sim *sim, struct sim_call *c) {
    c->answer = (struct sim_answer){0};
    if (c->attempt != 0)
        sim_after(sim, latency(sim), answer, c, 0);
}

static void arrive(struct sim *sim, void *arg, uint64_t token) {
    struct sim_call *c = arg;
    (void)token;
    struct sim_node *n = sim_node_for(sim, c->request->service);
    if (n->up)
        sim_call_enter(sim, c, n);
    else
        refused(sim, c);
}

static void dispatch(struct sim *sim, struct sim_slot *s, uint64_t attempt) {
    struct sim_call *c = arena_new(&sim->arena, struct sim_call);
    struct sim_request *r = arena_new(&sim->arena, struct sim_request);
    *r = s->request;
    c->slot = s;
    c->person = s->person;
    c->attempt = attempt;
    c->request = r;
    sim_after(sim, latency(sim), arrive, c, 0);
}

static void timeout(struct sim *sim, void *arg, uint64_t token) {
    struct sim_slot *s = arg;
    if (s->busy && s->attempt == token)
        send_again(sim, s, token);
}

static void attempt(struct sim *sim, struct sim_slot *s) {
    s->attempt++;
    s->tries++;
    s->sent_at_us = sim->now_us;
    sim_after(sim, TIMEOUT_US, timeout, s, s->attempt);
    if (!sim_strikes(sim, SIM_CALL_LOST))
        dispatch(sim, s, s->attempt);
    /* Refreshing is the one thing that must not be repeated by the way. */
    if (s->request.service != SIM_AUTH && sim_strikes(sim, SIM_CALL_TWICE))
        dispatch(sim, s, 0);
}

static void send_again(struct sim *sim, void *arg, uint64_t token) {
    struct sim_slot *s = arg;
    if (s->busy && s->attempt == token)
        attempt(sim, s);
}

static bool comes_again(const struct sim_slot *s, const struct sim_answer *a) {
    return a->status == 0 || a->status == 429 || a->status >= 500 ||
           (a->status == 401 && s->request.token.p != NULL && !s->request.device);
}

static void answer(struct sim *sim, void *arg, uint64_t token) {
    struct sim_call *c = arg;
    struct sim_slot *s = c->slot;
    (void)token;
    if (!s->busy || s->attempt != c->attempt)
        return; /* too late: it was sent again */
    struct sim_answer *a = &c->answer;
    SIM_EXPECT(sim, a->status != 500, "no internal errors", "%s %.*s was answered with 500: %.*s",
               c->request->method, STR_ARG(c->request->path), STR_ARG(a->body));
    if (comes_again(s, a)) {
        if (!s->request.device)
            s->request.token = STR_NONE;
        int64_t rest_us = US_PER_MS * rng_between(&sim->rng, 100, 1500);
        sim_after(sim, rest_us, send_again, s, s->attempt);
        return;
    }
    s->busy = false;
    a->is_json = a->body.len > 0 && json_parse(sim->parser, a->body, &a->json) == 0;
    s->on_answer(s->person, a);
}

void sim_slot_send(struct sim_slot *s, const struct sim_request *r, sim_answer_fn on_answer) {
    CHECK(!s->busy);
    s->busy = true;
    s->tries = 0;
    s->request = *r;
    s->on_answer = on_answer;
    attempt(s->person->sim, s);
}

struct str sim_new_key(struct sim *sim) {
    return arena_printf(&sim->arena, "k%016llx", (unsigned long long)rng_next(&sim->rng));
}

/* ---- everybody verifies tokens by auth's keys ---- */

void sim_fetch_jwks(struct sim *sim, void *arg, uint64_t token) {
    (void)arg;
    (void)token;
    struct sim_node *n = sim_node_of(sim, SIM_AUTH);
    if (n->up) {
        struct sim_call *c = arena_new(&sim->arena, struct sim_call);
        c->request = &jwks_request;
        sim_call_enter(sim, c, n);
    }
    if (!sim->calm)
        sim_after(sim, JWKS_US, sim_fetch_jwks, NULL, 0);
}
