/* The service on real threads: an executor on its own, two network threads made by hand (a mailbox
 * that is often full, sockets that fill up, drain, come and go), many sockets of the same accounts
 * on both, positions and location frames all the while. In the end every socket's log is held
 * against its inbox. It is for ThreadSanitizer, and passes without.
 */
#include "services/notification/internal.h"

#include "adapters/inproc/inproc_bus.h"
#include "adapters/memory/memory_cache.h"
#include "adapters/memory/memory_store.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mailbox.h"
#include "base/test.h"
#include "base/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HANDS 2
#define ACCOUNTS 4 /* customer, customer, driver, staff */
#define SOCKETS 12 /* of one thread, at a time */
#define LOGS_MAX 2000
#define QUEUE_FRAMES 15 /* that a socket holds until it is drained */
#define POSTS 48        /* that wait for one thread: fewer than come in a burst */
#define EVENTS 1200
#define FRAMES_MAX 4000

struct town;

struct poke {
    void (*fn)(struct worker *w, void *arg);
    void *arg;
};
struct log_of {
    int account;
    int64_t after;
    struct str *frames;
    int32_t count;
    bool whole;
};
struct hand_socket {
    struct socket socket; /* first */
    struct hand *hand;
    struct log_of *log;
    int32_t queued;
    bool full, closing;
};
struct hand { /* a network thread */
    struct worker worker;
    struct town *town;
    struct rng rng;
    pthread_t thread;
    struct mailbox *posts;
    struct arena arena; /* logs */
    struct json_parser *parser;
    struct hand_socket *sockets[SOCKETS];
    struct log_of logs[LOGS_MAX];
    int32_t log_count;
};
struct town {
    struct clock clock;
    struct entropy entropy;
    struct rng rng;
    struct arena arena;
    struct memory_disk *disk;
    struct bus *bus;
    struct cache *cache;
    struct token_verifier *verifier;
    struct executor *executor;
    struct runtime *runtime;
    struct notification_service *n;
    struct locations locations;
    struct hand hands[HANDS];
    struct {
        enum role role;
        char id[STREAM_MAX];
        struct str stream;
    } accounts[ACCOUNTS];
    _Atomic bool calm, stop;
    _Atomic int emitted, unfinished;
};

static int64_t wall(const struct clock *c) {
    (void)c;
    return clock_wall_us();
}

static void fill(struct entropy *e, void *out, size_t n) {
    (void)e;
    memset(out, 5, n);
}

static void nap_ms(long ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- commands: one makes an event, one a durable batch of fixes ---- */

struct emit {
    struct command cmd;
    struct arena arena;
    struct town *town;
    struct ev_booking booking;
    locations_done_fn done;
    void *done_arg;
};
struct doc {
    struct aggregate_head head;
    int64_t count;
};
static const struct schema_field doc_fields[] = {
    {"count", S_I64, S_STORE, .offset = offsetof(struct doc, count)},
};
static const struct schema doc_schema = SCHEMA(struct doc, "Doc", doc_fields);
static const struct store_collection docs = {.name = "docs"};
static const struct aggregate doc_aggregate = {&docs, &doc_schema, NULL, NULL};

static void emit_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                        struct decision *ret) {
    const struct emit *e = cmd->args;
    struct doc *doc = arena_new(ctx->arena, struct doc);
    decision_state(ret, cmd, old, doc);
    if (e->booking.booking_id.p != NULL)
        decision_event(ret, cmd, ctx, EV_BOOKING_REQUESTED, e->booking.booking_id,
                       &ev_booking_schema, &e->booking);
}

static void emit_applied(const struct command *cmd, const struct decision *d, const void *state) {
    const struct emit *e = cmd->args;
    (void)d;
    (void)state;
    struct signal_position s = {.at = point_of(1, 1), .bearing_deg = -1, .vehicle = VEHICLE_VAN};
    snprintf(s.driver_id, sizeof(s.driver_id), "drv_%d", e->town->emitted % 50);
    copy_text(s.booking_id, sizeof(s.booking_id), e->booking.booking_id);
    e->town->bus->ops->signal(e->town->bus, SIGNAL_POSITION, &s, sizeof(s));
}

static const struct command_type emit_type = {.name = "test.emit",
                                              .aggregate = &doc_aggregate,
                                              .decide = emit_decide,
                                              .applied = emit_applied};

static void emit_finish(struct command *cmd, int result, struct response *response) {
    struct emit *e = cmd->finish_arg;
    (void)response;
    if (e->done != NULL)
        e->done(e->done_arg, result, &(struct locations_result){.stored = 1});
    e->town->unfinished--;
    arena_free(&e->arena);
    free(e);
}

static struct emit *emit_new(struct town *t) {
    struct emit *e = xcalloc(1, sizeof(*e));
    arena_init(&e->arena, 2048);
    e->town = t;
    e->cmd = (struct command){
        .type = &emit_type, .args = e, .arena = &e->arena, .finish = emit_finish, .finish_arg = e};
    return e;
}

static int emit_send(struct emit *e, struct str id) {
    e->cmd.id = arena_str(&e->arena, id);
    e->town->unfinished++;
    return executor_submit(e->town->executor, &e->cmd);
}

static int submit(struct locations *l, struct str user_id, struct json_value body, int64_t now_us,
                  struct arena *a, struct field_errors *errors, locations_done_fn done, void *arg,
                  int32_t *ret_wait_s) {
    struct town *t = (struct town *)((char *)l - offsetof(struct town, locations));
    (void)body;
    (void)now_us;
    (void)a;
    (void)errors;
    (void)ret_wait_s;
    struct emit *e = emit_new(t);
    e->done = done;
    e->done_arg = arg;
    CHECK(emit_send(e, user_id) == 0);
    return 0;
}
static const struct locations_ops locations_ops = {.submit = submit};

/* ---- sockets ---- */

static bool hand_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg) {
    const struct hand *h = w->adapter;
    struct poke *p = xmalloc(sizeof(*p));
    *p = (struct poke){fn, arg};
    if (mailbox_send(h->posts, p))
        return true;
    free(p);
    return false;
}

static int socket_send(struct socket *socket, struct frame *f) {
    struct hand_socket *s = (struct hand_socket *)socket;
    CHECK(!s->closing);
    if (s->queued >= QUEUE_FRAMES) {
        s->full = true;
        return ERR_FULL;
    }
    s->queued++;
    struct str text = {f->bytes, f->len};
    if (!str_starts(text, "{\"type\":\"position\"") && s->log->count < FRAMES_MAX)
        s->log->frames[s->log->count++] = arena_str(&s->hand->arena, text);
    return 0;
}

static size_t socket_queued(const struct socket *socket) {
    return (size_t)((const struct hand_socket *)socket)->queued * 300;
}

static void socket_close(struct socket *socket, int code, const char *reason) {
    (void)code;
    (void)reason;
    ((struct hand_socket *)socket)->closing = true;
}

static const struct socket_ops socket_ops = {socket_send, socket_queued, socket_close};

static void no_reply(struct call *c) {
    (void)c;
    CHECK(false); /* every knock becomes a socket */
}

static struct socket *accept_socket(struct call *c, struct str protocol,
                                    const struct socket_events *events, void *owner) {
    struct hand_socket *s = c->origin;
    (void)protocol;
    s->socket = (struct socket){&socket_ops, events, owner, c->worker};
    arena_free(&c->arena);
    free(c);
    return &s->socket;
}

static struct hand_socket *knock(struct hand *h) {
    struct town *t = h->town;
    CHECK(h->log_count < LOGS_MAX);
    struct hand_socket *s = xcalloc(1, sizeof(*s));
    s->hand = h;
    s->log = &h->logs[h->log_count++];
    *s->log = (struct log_of){.account = (int)rng_below(&h->rng, ACCOUNTS), .after = -1};
    s->log->frames = xcalloc(FRAMES_MAX, sizeof(struct str));
    struct call *c = xcalloc(1, sizeof(*c));
    arena_init(&c->arena, 2048);
    c->request = (struct request){.method = STR("GET"), .path = STR("/v1/ws"), .upgrade = true};
    c->worker = &h->worker;
    c->now_us = clock_wall_us();
    c->request_id = STR("req_test");
    c->who = (struct identity){.user_id = str_from(t->accounts[s->log->account].id),
                               .sid = STR("ses_test"),
                               .role = t->accounts[s->log->account].role,
                               .expires_us = c->now_us + US_PER_DAY};
    c->reply = no_reply;
    c->accept = accept_socket;
    c->origin = s;
    runtime_request(t->runtime, c);
    return s;
}

static void leave(struct hand_socket **at) {
    struct hand_socket *s = *at;
    s->socket.events->closed(&s->socket);
    free(s);
    *at = NULL;
}

static void drain(struct hand_socket *s) {
    s->queued = 0;
    if (!s->full)
        return;
    s->full = false;
    s->socket.events->drained(&s->socket);
}

static void say(struct hand_socket *s, const char *text) {
    if (!s->closing)
        s->socket.events->text(&s->socket, str_from(text));
}

static int64_t seq_of(struct json_parser *p, struct str frame) {
    struct json_value root, seq;
    int64_t value;
    CHECK(json_parse(p, frame, &root) == 0);
    return json_get(root, "seq", &seq) && json_i64(seq, &value) == 0 ? value : -1;
}

static void resume(struct hand_socket *s) {
    struct hand *h = s->hand;
    if (s->log->after >= 0 || s->log->count == 0 || s->closing)
        return;
    int64_t ready = seq_of(h->parser, s->log->frames[0]);
    s->log->after = rng_between(&h->rng, 0, ready);
    char text[80];
    snprintf(text, sizeof(text), "{\"type\":\"resume\",\"after\":%lld}", (long long)s->log->after);
    say(s, text);
}

static void act(struct hand *h) {
    struct hand_socket **at = &h->sockets[rng_below(&h->rng, SOCKETS)];
    struct hand_socket *s = *at;
    if (s == NULL) {
        if (!h->town->calm && h->log_count < LOGS_MAX)
            *at = knock(h);
        return;
    }
    if (s->closing) {
        leave(at);
        return;
    }
    switch (rng_below(&h->rng, 12)) {
    case 0:
        if (!h->town->calm)
            leave(at);
        break;
    case 1:
    case 2:
        resume(s);
        break;
    case 3:
        say(s, "{\"type\":\"watch\",\"bbox\":[-10,-10,10,10]}");
        break;
    case 4:
        say(s, "{\"type\":\"location\",\"id\":1,\"fixes\":[1]}");
        break;
    case 5:
        say(s, "{\"type\":\"ping\"}");
        break;
    default:
        drain(s);
    }
}

/* ---- a network thread ---- */

static bool run_posts(struct hand *h, int64_t wait_us) {
    void *items[16];
    size_t n = mailbox_take(h->posts, items, COUNT_OF(items), wait_us);
    for (size_t i = 0; i < n; i++) {
        struct poke p = *(struct poke *)items[i];
        free(items[i]);
        p.fn(&h->worker, p.arg);
    }
    return n > 0;
}

static void *hand_main(void *arg) {
    struct hand *h = arg;
    struct town *t = h->town;
    int64_t next_tick_us = 0;
    CHECK(runtime_worker_start(t->runtime, &h->worker) == 0);
    while (!t->stop) {
        run_posts(h, 500);
        for (int i = 0; i < 3; i++)
            act(h);
        int64_t now_us = clock_wall_us();
        if (now_us >= next_tick_us) {
            next_tick_us = now_us + 5 * US_PER_MS;
            runtime_worker_tick(t->runtime, &h->worker, now_us);
        }
    }
    for (int i = 0; i < SOCKETS; i++) { /* what they are still owed */
        for (int n = 0; n < 1000 && h->sockets[i] != NULL && !h->sockets[i]->closing; n++)
            drain(h->sockets[i]);
    }
    for (int i = 0; i < 20; i++) {
        runtime_worker_tick(t->runtime, &h->worker, clock_wall_us());
        for (int n = 0; n < SOCKETS; n++) {
            if (h->sockets[n] != NULL && !h->sockets[n]->closing)
                drain(h->sockets[n]);
        }
    }
    for (int i = 0; i < SOCKETS; i++) {
        if (h->sockets[i] == NULL)
            continue;
        h->sockets[i]->log->whole = !h->sockets[i]->closing;
        leave(&h->sockets[i]);
    }
    while (run_posts(h, 0)) {
    }
    runtime_worker_stop(t->runtime, &h->worker);
    return NULL;
}

static void hand_start(struct town *t, int32_t index) {
    struct hand *h = &t->hands[index];
    h->town = t;
    rng_seed(&h->rng, 100 + (uint64_t)index);
    arena_init(&h->arena, 65536);
    h->parser = json_parser_new();
    h->posts = mailbox_new(POSTS, NULL, NULL);
    h->worker = (struct worker){.index = index,
                                .parser = json_parser_new(),
                                .reader = memory_disk_open(t->disk, false, NULL),
                                .rng = &h->rng,
                                .post = hand_post,
                                .adapter = h};
    CHECK(pthread_create(&h->thread, NULL, hand_main, h) == 0);
}

static void hand_free(struct hand *h) {
    for (int32_t i = 0; i < h->log_count; i++)
        free(h->logs[i].frames);
    h->worker.reader->ops->close(h->worker.reader);
    json_parser_free(h->worker.parser);
    json_parser_free(h->parser);
    mailbox_free(h->posts);
    arena_free(&h->arena);
}

/* ---- the town ---- */

static struct town *town_open(void) {
    static const enum role roles[ACCOUNTS] = {ROLE_CUSTOMER, ROLE_CUSTOMER, ROLE_DRIVER,
                                              ROLE_DISPATCHER};
    struct town *t = xcalloc(1, sizeof(*t));
    t->clock.now_us = wall;
    t->entropy.fill = fill;
    t->locations.ops = &locations_ops;
    rng_seed(&t->rng, 7);
    arena_init(&t->arena, 65536);
    for (int i = 0; i < ACCOUNTS; i++) {
        t->accounts[i].role = roles[i];
        copy_text(t->accounts[i].id, STREAM_MAX,
                  id_new(&t->arena, "usr", clock_wall_us(), &t->rng));
        t->accounts[i].stream = i == 3 ? STREAM_STAFF : str_from(t->accounts[i].id);
    }
    t->disk = memory_disk_new();
    t->bus = inproc_bus_new();
    t->cache = memory_cache_new(100);
    t->verifier = token_verifier_new("lorry", t->cache);
    t->executor =
        executor_new(&(struct executor_options){.store = memory_disk_open(t->disk, true, NULL),
                                                .bus = t->bus,
                                                .clock = &t->clock,
                                                .entropy = &t->entropy,
                                                .name = "town",
                                                .batch_max = 64});
    t->n = notification_service_new(&(struct notification_options){.clock = &t->clock,
                                                                   .bus = t->bus,
                                                                   .verifier = t->verifier,
                                                                   .locations = &t->locations,
                                                                   .workers_max = HANDS});
    t->runtime = runtime_new(&(struct runtime_options){.clock = &t->clock,
                                                       .entropy = &t->entropy,
                                                       .bus = t->bus,
                                                       .cache = t->cache,
                                                       .verifier = t->verifier,
                                                       .executor = t->executor},
                             (struct service[]){notification_service(t->n)}, 1);
    CHECK(executor_start(t->executor) == 0);
    for (int32_t i = 0; i < HANDS; i++)
        hand_start(t, i);
    return t;
}

static void town_stop(struct town *t) {
    t->stop = true;
    for (int i = 0; i < HANDS; i++)
        pthread_join(t->hands[i].thread, NULL);
    executor_stop(t->executor);
    runtime_free(t->runtime);
    executor_free(t->executor);
    notification_service_free(t->n);
}

static void town_free(struct town *t) {
    for (int i = 0; i < HANDS; i++)
        hand_free(&t->hands[i]);
    token_verifier_free(t->verifier);
    t->bus->ops->close(t->bus);
    t->cache->ops->close(t->cache);
    memory_disk_free(t->disk);
    arena_free(&t->arena);
    free(t);
}

static void emit_event(struct town *t) {
    struct emit *e = emit_new(t);
    struct str driver = str_from(t->accounts[2].id);
    struct ev_booking *b = &e->booking;
    *b = (struct ev_booking){.booking_id = id_new(&e->arena, "bkg", clock_wall_us(), &t->rng),
                             .version = 1,
                             .state = BOOKING_REQUESTED,
                             .customer_id = str_from(t->accounts[rng_below(&t->rng, 2)].id),
                             .stars = I64_ABSENT};
    if (rng_below(&t->rng, 2) == 0) {
        b->driver_user_id = driver;
        b->driver_id = id_with_prefix(&e->arena, driver, "drv");
    }
    b->view = arena_printf(&e->arena, "{\"id\":\"%.*s\"}", STR_ARG(b->booking_id));
    t->emitted++;
    CHECK(emit_send(e, b->booking_id) == 0);
}

/* Until all that was emitted has come into the inboxes; what the sockets ask is answered, too. */
#define SETTLE_MS 2500

static void wait_for_all(struct town *t) {
    struct store *s = memory_disk_open(t->disk, false, NULL);
    int64_t head = 0;
    for (int i = 0; i < 20000 && (head < EVENTS || t->unfinished > 0); i++) {
        struct arena a;
        arena_init(&a, 4096);
        CHECK(inbox_head(s, STREAM_STAFF, &a, &head) == 0);
        arena_free(&a);
        nap_ms(1);
    }
    s->ops->close(s);
    assert_int_equal(head, EVENTS);
    /* What was posted is run, and whoever has not asked for what he missed is waited for no more.
     */
    nap_ms(SETTLE_MS);
}

/* ---- the verdict ---- */

static int32_t read_inbox(struct town *t, struct str stream, struct str *frames, int32_t max) {
    struct store *s = memory_disk_open(t->disk, false, NULL);
    struct json_parser *p = json_parser_new();
    int32_t n = 0, count = INBOX_PAGE_MAX;
    while (count == INBOX_PAGE_MAX) {
        struct inbox_entry *page;
        assert_int_equal(
            inbox_read(s, p, stream, n, INBOX_SEQ_MAX, INBOX_PAGE_MAX, &t->arena, &page, &count),
            0);
        assert_true(n + count <= max);
        for (int32_t i = 0; i < count; i++) {
            assert_int_equal(page[i].seq, n + 1); /* without faults there are no holes */
            frames[n++] = inbox_frame(&page[i], &t->arena);
        }
    }
    json_parser_free(p);
    s->ops->close(s);
    return n;
}

static void check_log(struct town *t, const struct log_of *l, const struct str *inbox,
                      int32_t count) {
    struct json_parser *p = t->hands[0].parser;
    assert_true(l->count > 0 && l->count < FRAMES_MAX);
    assert_true(str_starts(l->frames[0], "{\"type\":\"ready\""));
    int64_t ready = seq_of(p, l->frames[0]), live = ready, replayed = l->after;
    bool resumed = false;
    for (int32_t f = 1; f < l->count; f++) {
        struct str frame = l->frames[f];
        if (str_starts(frame, "{\"type\":\"resumed\"")) {
            assert_true(!resumed && replayed == ready && seq_of(p, frame) == ready);
            resumed = true;
        } else if (str_starts(frame, "{\"type\":\"booking.updated\"")) {
            int64_t *at = seq_of(p, frame) > ready ? &live : &replayed;
            assert_true(*at < count && str_eq(frame, inbox[*at]));
            ++*at;
        } else {
            assert_false(str_starts(frame, "{\"type\":\"gap\""));
        }
    }
    if (l->whole) {
        assert_int_equal(live, count);
        assert_int_equal(resumed, l->after >= 0);
    }
}

static void every_log_is_a_stretch_of_its_inbox(void **state) {
    (void)state;
    struct town *t = town_open();
    for (int i = 0; i < EVENTS; i++) {
        emit_event(t);
        if (i % 40 == 39)
            nap_ms(20);
    }
    t->calm = true;
    wait_for_all(t);
    town_stop(t);
    struct str *inbox = xcalloc(EVENTS, sizeof(*inbox));
    int whole = 0, logs = 0;
    for (int a = 0; a < ACCOUNTS; a++) {
        int32_t count = read_inbox(t, t->accounts[a].stream, inbox, EVENTS);
        for (int i = 0; i < HANDS; i++) {
            struct hand *h = &t->hands[i];
            for (int32_t n = 0; n < h->log_count; n++) {
                if (h->logs[n].account != a)
                    continue;
                check_log(t, &h->logs[n], inbox, count);
                whole += h->logs[n].whole;
                logs++;
            }
        }
    }
    assert_true(whole > 0 && logs > whole);
    free(inbox);
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_log_is_a_stretch_of_its_inbox),
    };
    return cmocka_run_group_tests_name("notification-threads", tests, NULL, NULL);
}
