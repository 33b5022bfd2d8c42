/* WebSockets without a network: what the server sends is heard by its client a moment later, in
 * order; lines are cut, readers are slow, nodes go away; the client comes again and resumes.
 *
 * The client keeps what an exact client would: in one connection each entry once, in order, none
 * left out; and over all connections every entry, because it resumes after the last one up to which
 * it has seen all.
 */
#include "base/check.h"
#include "base/err.h"
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define STUCK_FRAMES 6 /* that a slow reader's queue still takes */
#define AGAIN_US (500 * US_PER_MS)

struct sim_socket {
    struct socket socket; /* first */
    struct sim_node *node;
    struct person *person;
    struct sim_socket *next, *before; /* of the node */
    uint64_t number;
    bool open, stuck, was_full, closing;
    int32_t queued;
    int64_t newest_due_us;
};

struct sim_frame {
    struct sim_socket *socket;
    struct frame *frame; /* from the server … */
    struct str text;     /* … or to it */
};

static int64_t latency(struct sim *sim) {
    return (int64_t)rng_exponential(&sim->rng, (double)sim->profile.latency_mean_us);
}

static void reconnect(struct sim *sim, void *arg, uint64_t token) {
    struct person *p = arg;
    (void)sim;
    if (p->feed.number == token && p->feed.socket == NULL && !p->feed.connecting)
        sim_feed_open(p);
}

static void client_lost(struct sim_socket *s) {
    struct sim_feed *f = &s->person->feed;
    if (f->socket != s)
        return;
    f->socket = NULL;
    f->ready = false;
    struct sim *sim = s->person->sim;
    sim_after(sim, AGAIN_US + latency(sim), reconnect, s->person, f->number);
}

void sim_socket_lost(struct sim_socket *s) {
    if (!s->open)
        return;
    s->open = false;
    *(s->before != NULL ? &s->before->next : &s->node->sockets) = s->next;
    if (s->next != NULL)
        s->next->before = s->before;
    s->socket.events->closed(&s->socket);
    client_lost(s);
}

/* ---- from server to client ---- */

static void client_frame(struct sim *sim, struct person *p, struct str text);

static void frame_arrives(struct sim *sim, void *arg, uint64_t token) {
    struct sim_frame *f = arg;
    struct sim_socket *s = f->socket;
    (void)token;
    s->queued--;
    if (s->person->feed.socket == s) {
        if (sim_strikes(sim, SIM_SOCKET_CUT)) {
            sim_socket_lost(s);
        } else {
            struct str text = {f->frame->bytes, f->frame->len};
            client_frame(sim, s->person, text);
        }
    }
    frame_unref(f->frame);
    free(f);
}

static void unstick(struct sim *sim, void *arg, uint64_t token) {
    struct sim_socket *s = arg;
    (void)sim;
    (void)token;
    s->stuck = false;
    if (s->open && s->was_full) {
        s->was_full = false;
        s->socket.events->drained(&s->socket);
    }
}

static int send(struct socket *socket, struct frame *frame) {
    struct sim_socket *s = (struct sim_socket *)socket;
    struct sim *sim = s->node->sim;
    if (!s->open || s->closing || s->node->dying)
        return ERR_UNAVAILABLE;
    if (!s->stuck && sim_strikes(sim, SIM_SLOW_READER)) {
        s->stuck = true;
        s->newest_due_us = sim->now_us + rng_between(&sim->rng, 1, 8) * US_PER_S;
        sim_after(sim, s->newest_due_us - sim->now_us, unstick, s, 0);
    }
    if (s->stuck && s->queued >= STUCK_FRAMES) {
        s->was_full = true;
        return ERR_FULL;
    }
    struct sim_frame *f = xcalloc(1, sizeof(*f));
    *f = (struct sim_frame){.socket = s, .frame = frame_ref(frame)};
    int64_t due_us = sim->now_us + latency(sim);
    if (due_us < s->newest_due_us)
        due_us = s->newest_due_us;
    s->newest_due_us = due_us;
    s->queued++;
    sim_after(sim, due_us - sim->now_us, frame_arrives, f, 0);
    return 0;
}

static size_t queued_bytes(const struct socket *socket) {
    return ((const struct sim_socket *)socket)->stuck ? SOCKET_QUEUE_BYTES_MAX : 0;
}

static void close_now(struct sim *sim, void *arg, uint64_t token) {
    (void)sim;
    (void)token;
    sim_socket_lost(arg);
}

static void server_closes(struct socket *socket, int code, const char *reason) {
    struct sim_socket *s = (struct sim_socket *)socket;
    struct sim *sim = s->node->sim;
    if (!s->open || s->closing)
        return;
    s->closing = true;
    sim_trace(sim, "ws closed", s->node->index, str_from(s->person->user_id), str_from(reason),
              code, 0);
    sim_after(sim, 0, close_now, s, 0);
}

static const struct socket_ops socket_ops = {send, queued_bytes, server_closes};

/* ---- connecting ---- */

struct socket *sim_socket_accept(struct call *call, struct str protocol,
                                 const struct socket_events *events, void *owner) {
    struct sim_call *c = call->origin;
    struct sim_node *n = c->node;
    struct sim_feed *feed = &c->person->feed;
    (void)protocol;
    struct sim_socket *s = arena_new(&n->sim->arena, struct sim_socket);
    *s = (struct sim_socket){.socket = {&socket_ops, events, owner, &n->worker},
                             .node = n,
                             .person = c->person,
                             .next = n->sockets,
                             .number = ++feed->number,
                             .open = true};
    if (s->next != NULL)
        s->next->before = s;
    n->sockets = s;
    sim_trace(n->sim, "ws open", n->index, str_from(c->person->user_id), STR_NONE,
              (int64_t)s->number, 0);
    feed->socket = s;
    feed->connecting = feed->ready = feed->resumed = false;
    arena_free(&call->arena);
    return &s->socket;
}

static const struct sim_request ws_request = {
    .service = SIM_NOTIFICATION, .method = "GET", .path = {"/v1/ws", 6}};

static void knock(struct sim *sim, void *arg, uint64_t token) {
    struct person *p = arg;
    (void)token;
    struct sim_node *n = sim_node_for(sim, SIM_NOTIFICATION);
    if (n->up) {
        struct sim_call *c = arena_new(&sim->arena, struct sim_call);
        c->person = p;
        c->request = &ws_request;
        c->call.request.upgrade = true;
        sim_call_enter(sim, c, n);
    }
    if (p->feed.socket != NULL)
        return;
    p->feed.connecting = false; /* refused: it comes again */
    sim_after(sim, AGAIN_US, reconnect, p, p->feed.number);
}

void sim_feed_open(struct person *p) {
    struct sim_feed *f = &p->feed;
    if (f->socket != NULL || f->connecting)
        return;
    if (f->stream == NULL)
        f->stream =
            oracle_stream(p->sim, p->role == ROLE_ADMIN ? STR("staff") : str_from(p->user_id));
    f->connecting = true;
    sim_after(p->sim, latency(p->sim), knock, p, 0);
}

/* ---- from client to server ---- */

static void text_arrives(struct sim *sim, void *arg, uint64_t token) {
    struct sim_frame *f = arg;
    struct sim_socket *s = f->socket;
    (void)sim;
    (void)token;
    if (s->open && !s->closing) {
        s->socket.events->text(&s->socket, f->text);
        sim_node_poke(s->node);
    }
    free(f);
}

bool sim_feed_send(struct person *p, struct str text) {
    struct sim *sim = p->sim;
    if (p->feed.socket == NULL || !p->feed.ready)
        return false;
    struct sim_frame *f = xcalloc(1, sizeof(*f));
    *f = (struct sim_frame){.socket = p->feed.socket, .text = arena_str(&sim->arena, text)};
    sim_after(sim, latency(sim), text_arrives, f, 0);
    return true;
}

/* ---- what the client makes of it ---- */

/* Marks SEQ as seen. */
static void mark(struct sim *sim, struct sim_feed *f, int64_t seq) {
    if (seq >= f->seen_cap) {
        int64_t cap = f->seen_cap > 0 ? f->seen_cap * 2 : 256;
        cap = cap > seq ? cap : seq + 1;
        uint8_t *more = arena_alloc(&sim->arena, (size_t)cap);
        if (f->seen_cap > 0)
            memcpy(more, f->seen, (size_t)f->seen_cap);
        f->seen = more;
        f->seen_cap = cap;
    }
    f->seen[seq] = 1;
}

/* No entry of the stream may lie between AFTER and SEQ: it would have been left out. */
static void none_between(struct sim *sim, const struct person *p, int64_t after, int64_t seq) {
    for (int64_t i = after + 1; i < seq; i++)
        SIM_EXPECT(sim, !oracle_entry_exists(p->feed.stream, i), "every entry is pushed",
                   "%s was sent entry %lld, but %lld was left out", p->user_id, (long long)seq,
                   (long long)i);
}

static void on_entry(struct sim *sim, struct person *p, int64_t seq) {
    struct sim_feed *f = &p->feed;
    bool live = seq > f->ready_seq;
    int64_t *newest = live ? &f->live_seq : &f->replayed_seq;
    SIM_EXPECT(sim, f->ready, "ready comes first", "%s was sent entry %lld before ready",
               p->user_id, (long long)seq);
    SIM_EXPECT(sim, seq > *newest, "each entry once, in order", "%s was sent entry %lld after %lld",
               p->user_id, (long long)seq, (long long)*newest);
    none_between(sim, p, *newest, seq);
    *newest = seq;
    mark(sim, f, seq);
    if (!live || f->resumed)
        f->safe_seq = seq;
}

static void on_ready(struct sim *sim, struct person *p, int64_t seq) {
    struct sim_feed *f = &p->feed;
    SIM_EXPECT(sim, seq >= f->safe_seq, "what was pushed is kept",
               "%s has seen entry %lld, and the server says %lld is the newest", p->user_id,
               (long long)f->safe_seq, (long long)seq);
    f->ready = true;
    f->ready_seq = f->live_seq = seq;
    f->replayed_seq = f->safe_seq;
    sim_feed_send(p, arena_printf(&sim->arena, "{\"type\":\"resume\",\"after\":%lld}",
                                  (long long)f->safe_seq));
}

static void on_resumed(struct sim *sim, struct person *p) {
    struct sim_feed *f = &p->feed;
    none_between(sim, p, f->replayed_seq, f->ready_seq + 1);
    f->resumed = true;
    f->safe_seq = f->live_seq;
}

static void client_frame(struct sim *sim, struct person *p, struct str text) {
    struct json_value root, data = {0};
    sim->result->frames++;
    if (json_parse(sim->parser, text, &root) < 0) {
        sim_fail(sim, "frames are JSON", "%.*s", STR_ARG(text));
        return;
    }
    struct str type = sim_json_str(root, "type");
    int64_t seq = sim_json_i64(root, "seq");
    sim_trace(sim, "frame", -1, str_from(p->user_id), type, seq, (int64_t)str_hash(text, 0));
    if (str_is(type, "ready")) {
        on_ready(sim, p, seq);
    } else if (str_is(type, "resumed")) {
        on_resumed(sim, p);
    } else if (str_is(type, "gap")) {
        sim_fail(sim, "a feed is kept", "%s was told of a gap", p->user_id);
    } else if (str_is(type, "ack")) {
        if (p->on_ack != NULL)
            p->on_ack(p, sim_json_i64(root, "id"));
    } else if (seq != I64_ABSENT && json_get(root, "data", &data)) {
        on_entry(sim, p, seq);
        oracle_frame(sim, p->feed.stream, seq, text, data);
        if (p->on_entry != NULL)
            p->on_entry(p, type, data);
    } else if (str_is(type, "error") && sim_json_i64(root, "status") == 503 &&
               p->feed.socket != NULL && !p->feed.resumed) {
        sim_socket_lost(p->feed.socket); /* it could not resume: come again */
    }
}

void sim_socket_drop_event(struct sim_event *e) {
    if (e->fn != frame_arrives && e->fn != text_arrives)
        return;
    struct sim_frame *f = e->arg;
    if (f->frame != NULL)
        frame_unref(f->frame);
    free(f);
}
