#include "testing/house.h"

#include "adapters/inproc/inproc_bus.h"
#include "adapters/memory/memory_cache.h"
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUSE_START_US (INT64_C(1795428000) * US_PER_S) /* 2026-11-23T10:00:00Z */
#define HOUSE_TURNS_MAX 100000

struct posted {
    struct posted *next;
    void (*fn)(struct worker *w, void *arg);
    void *arg;
};

static int64_t house_now(const struct clock *c) {
    return ((const struct house *)((const char *)c - offsetof(struct house, clock)))->now_us;
}

static void house_fill(struct entropy *e, void *out, size_t n) {
    struct house *h = (struct house *)((char *)e - offsetof(struct house, entropy));
    rng_bytes(&h->rng, out, n);
}

static bool house_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg) {
    struct house *h = w->adapter;
    struct posted *p = xcalloc(1, sizeof(*p));
    *p = (struct posted){.fn = fn, .arg = arg};
    if (h->posted_last != NULL)
        h->posted_last->next = p;
    else
        h->posted = p;
    h->posted_last = p;
    return true;
}

static struct house *make(uint64_t seed, int64_t now_us) {
    struct house *h = xcalloc(1, sizeof(*h));
    h->first = h;
    h->clock.now_us = house_now;
    h->now_us = now_us;
    h->entropy.fill = house_fill;
    rng_seed(&h->rng, seed);
    h->faults.rng = &h->rng;
    arena_init(&h->arena, 65536);
    h->cache = memory_cache_new(4096);
    h->verifier = token_verifier_new("lorry", h->cache);
    return h;
}

struct house *house_new(uint64_t seed) {
    struct house *h = make(seed, HOUSE_START_US);
    h->disk = memory_disk_new();
    h->bus = inproc_bus_new();
    return h;
}

struct house *house_beside(struct house *h, uint64_t seed) {
    CHECK(h->runtime == NULL);
    if (h->street == NULL) {
        h->street = street_new(h->bus);
        h->bus = street_door(h->street);
        h->peers = peers_new(h->bus, &h->clock, &h->entropy);
    }
    struct house *b = make(seed, h->now_us);
    b->disk = h->disk;
    b->street = h->street;
    b->bus = street_door(h->street);
    b->peers = peers_new(b->bus, &b->clock, &b->entropy);
    b->first = h;
    for (b->number = 1; h->next != NULL; b->number++)
        h = h->next;
    h->next = b;
    return b;
}

void house_deafen(struct house *h, bool deaf) {
    street_deafen(h->street, deaf);
}

void house_open(struct house *h, const struct service *services, int32_t count) {
    h->executor = executor_new(
        &(struct executor_options){.store = memory_disk_join(h->disk, true, h->number, &h->faults),
                                   .bus = h->bus,
                                   .peers = h->peers,
                                   .spans = h->spans,
                                   .clock = &h->clock,
                                   .entropy = &h->entropy,
                                   .name = "house",
                                   .batch_max = 64,
                                   .behind_max = h->behind_max});
    h->runtime =
        runtime_new(&(struct runtime_options){.clock = &h->clock,
                                              .entropy = &h->entropy,
                                              .bus = h->bus,
                                              .cache = h->cache,
                                              .verifier = h->verifier,
                                              .api_key = h->api_key,
                                              .api_key_arg = h->api_key_arg,
                                              .writes_per_minute_max = h->writes_per_minute_max,
                                              .peers = h->peers,
                                              .spans = h->spans,
                                              .executor = h->executor},
                    services, count);
    h->worker = (struct worker){.parser = json_parser_new(),
                                .reader = memory_disk_open(h->disk, false, NULL),
                                .rng = &h->rng,
                                .post = house_post,
                                .adapter = h};
    struct store *store = h->peers != NULL ? executor_store(h->executor) : h->worker.reader;
    CHECK(runtime_start(h->runtime, store) == 0);
    CHECK(runtime_worker_start(h->runtime, &h->worker) == 0);
}

static void close_runtime(struct house *h) {
    runtime_worker_stop(h->runtime, &h->worker);
    h->runtime = runtime_free(h->runtime);
    executor_free(h->executor);
    h->executor = NULL;
    h->worker.reader->ops->close(h->worker.reader);
    json_parser_free(h->worker.parser);
}

static void close_down(struct house *h) {
    if (h->runtime != NULL) /* after a crash there is none until it is opened again */
        close_runtime(h);
    while (h->posted != NULL) {
        struct posted *p = h->posted;
        h->posted = p->next;
        free(p);
    }
    h->posted_last = NULL;
    h->bus->ops->close(h->bus);
    h->cache->ops->close(h->cache);
    token_verifier_free(h->verifier);
    peers_free(h->peers);
}

void house_crash(struct house *h) {
    CHECK(h->street == NULL);
    close_down(h);
    h->bus = inproc_bus_new();
    h->cache = memory_cache_new(4096);
    h->verifier = token_verifier_new("lorry", h->cache);
}

void house_free(struct house *h) {
    for (struct house *each = h->next; each != NULL; each = h->next) {
        h->next = each->next;
        close_down(each);
        arena_free(&each->arena);
        free(each);
    }
    close_down(h);
    memory_disk_free(h->disk);
    arena_free(&h->arena);
    free(h);
}

/* ---- calls ---- */

struct house_call_own {
    struct call call;
    struct house *house;
    struct house_answer *answer;
    struct house_socket **ret_socket;
};

static void house_reply(struct call *c) {
    struct house_call_own *own = c->origin;
    struct arena *a = &own->house->arena;
    struct house_answer *answer = own->answer;
    answer->status = c->response.status;
    answer->response = c->response;
    answer->body = arena_str(a, c->response.body);
    answer->response.body = answer->body;
    for (int32_t i = 0; i < answer->response.header_count; i++)
        answer->response.headers[i].value = arena_str(a, answer->response.headers[i].value);
    arena_free(&c->arena);
    free(own);
}

static int house_send(struct socket *s, struct frame *f) {
    struct house_socket *hs = (struct house_socket *)s;
    if (hs->stuck) {
        hs->was_full = true;
        return ERR_FULL;
    }
    CHECK(hs->frame_count < HOUSE_SOCKET_FRAMES_MAX && hs->close_code == 0);
    hs->frames[hs->frame_count++] = arena_str(&hs->house->arena, (struct str){f->bytes, f->len});
    if (hs->room > 0 && --hs->room == 0)
        hs->stuck = true;
    return 0;
}

static size_t house_queued(const struct socket *s) {
    return ((const struct house_socket *)s)->stuck ? SOCKET_QUEUE_BYTES_MAX : 0;
}

static void closed_later(struct worker *w, void *arg) {
    (void)w;
    struct house_socket *hs = arg;
    hs->socket.events->closed(&hs->socket);
}

static void house_close(struct socket *s, int code, const char *reason) {
    (void)reason;
    struct house_socket *hs = (struct house_socket *)s;
    if (hs->close_code != 0)
        return;
    hs->close_code = code;
    house_post(&hs->house->worker, closed_later, hs);
}

static const struct socket_ops house_socket_ops = {house_send, house_queued, house_close};

static struct socket *house_accept(struct call *c, struct str protocol,
                                   const struct socket_events *events, void *owner) {
    struct house_call_own *own = c->origin;
    struct house_socket *hs = xcalloc(1, sizeof(*hs));
    hs->house = own->house;
    hs->socket = (struct socket){&house_socket_ops, events, owner, &own->house->worker};
    own->answer->accepted = true;
    own->answer->status = 101;
    own->answer->body = arena_str(&own->house->arena, protocol);
    CHECK(own->ret_socket != NULL);
    *own->ret_socket = hs;
    arena_free(&c->arena);
    free(own);
    return &hs->socket;
}

static void begin(struct house *h, const struct house_request *request, struct house_answer *answer,
                  struct house_socket **ret_socket) {
    struct house_call_own *own = xcalloc(1, sizeof(*own));
    *own = (struct house_call_own){.house = h, .answer = answer, .ret_socket = ret_socket};
    struct call *c = &own->call;
    arena_init(&c->arena, 4096);
    struct request *r = &c->request;
    struct str path = arena_str(&c->arena, str_from(request->path));
    const char *question = strchr(path.p, '?');
    r->path = question != NULL ? str_sub(path, 0, (size_t)(question - path.p)) : path;
    r->query = question != NULL ? str_from(question + 1) : STR_NONE;
    r->method = str_from(request->method);
    r->body =
        arena_str(&c->arena, request->bytes.p != NULL ? request->bytes : str_from(request->body));
    r->peer = arena_str(&c->arena, str_from(request->peer != NULL ? request->peer : "127.0.0.1"));
    r->upgrade = ret_socket != NULL;
    r->headers = arena_array(&c->arena, struct header, 8);
    if (request->body != NULL)
        r->headers[r->header_count++] =
            (struct header){STR("content-type"), STR("application/json")};
    for (int i = 0; i < 6 && request->headers[i].name.p != NULL; i++)
        r->headers[r->header_count++] = request->headers[i];
    c->worker = &h->worker;
    c->request_id = id_new(&c->arena, "req", h->now_us, &h->rng);
    c->trace_begins = !traceparent_read(call_header(c, "traceparent"), &c->trace);
    c->now_us = h->now_us;
    c->who = request->who;
    c->reply = house_reply;
    c->accept = house_accept;
    c->origin = own;
    *answer = (struct house_answer){0};
    runtime_request(h->runtime, c);
}

void house_begin(struct house *h, const struct house_request *request,
                 struct house_answer *answer) {
    begin(h, request, answer, NULL);
}

static bool run_posted(struct house *h) {
    struct posted *p = h->posted;
    if (p == NULL)
        return false;
    h->posted = p->next;
    if (h->posted == NULL)
        h->posted_last = NULL;
    p->fn(&h->worker, p->arg);
    free(p);
    return true;
}

static bool turn(struct house *h) {
    bool moved = executor_turn(h->executor, 0) > 0;
    while (run_posted(h))
        moved = true;
    return moved;
}

/* The houses beside H turn, too. */
static bool turn_all(struct house *h) {
    bool moved = false;
    for (h = h->first; h != NULL; h = h->next)
        moved = (h->runtime != NULL && turn(h)) || moved;
    return moved;
}

void house_settle(struct house *h) {
    int idle = 0;
    for (int i = 0; i < HOUSE_TURNS_MAX && idle < 3; i++)
        idle = turn_all(h) ? 0 : idle + 1;
    for (h = h->first; h != NULL; h = h->next) {
        if (h->runtime != NULL)
            runtime_worker_tick(h->runtime, &h->worker, h->now_us);
        while (run_posted(h)) {
        }
    }
}

struct house_answer house_call(struct house *h, const struct house_request *request) {
    struct house_answer *answer = arena_new(&h->arena, struct house_answer);
    house_begin(h, request, answer);
    /* hash workers are threads: give them real time */
    for (int i = 0; i < 20000 && answer->status == 0; i++) {
        if (!turn_all(h) && i > 3) {
            struct timespec nap = {0, 500000};
            nanosleep(&nap, NULL);
        }
    }
    house_settle(h);
    return *answer;
}

void house_advance(struct house *h, int64_t by_us) {
    int64_t until_us = h->now_us + by_us;
    while (h->now_us < until_us) {
        int64_t left_us = until_us - h->now_us;
        int64_t step_us = by_us / 20;
        step_us = step_us < 10 * US_PER_MS ? 10 * US_PER_MS : step_us;
        step_us = step_us > US_PER_S ? US_PER_S : step_us;
        int64_t now_us = h->now_us + (step_us < left_us ? step_us : left_us);
        for (struct house *each = h->first; each != NULL; each = each->next)
            each->now_us = now_us;
        house_settle(h);
    }
}

struct str house_id(struct house *h, const char *prefix) {
    return id_new(&h->arena, prefix, h->now_us, &h->rng);
}

struct identity house_who(struct house *h, enum role role, const char *user_id) {
    return (struct identity){
        .user_id = user_id != NULL ? str_from(user_id) : house_id(h, "usr"),
        .name = STR("Test Person"),
        .sid = STR("ses_test"),
        .role = role,
        .expires_us = h->now_us + US_PER_DAY,
    };
}

/* ---- sockets ---- */

struct house_socket *house_socket_open(struct house *h, const struct house_request *request,
                                       struct house_answer *ret_answer) {
    struct house_socket *s = NULL;
    begin(h, request, ret_answer, &s);
    house_settle(h);
    return s;
}

void house_socket_text(struct house_socket *s, const char *text) {
    CHECK(s->close_code == 0);
    s->socket.events->text(&s->socket, str_from(text));
    house_settle(s->house);
}

void house_socket_drain(struct house_socket *s) {
    s->stuck = false;
    if (s->was_full) {
        s->was_full = false;
        s->socket.events->drained(&s->socket);
    }
    house_settle(s->house);
}

void house_socket_leave(struct house_socket *s) {
    if (s->close_code == 0)
        s->socket.events->closed(&s->socket);
    free(s);
}
