/* What one network thread has beside its connections.
 *
 * Two mailboxes and one uv_async wake it: ANSWERS brings back the calls that other threads have
 * replied to (there are never more than calls_max of them, which is its size, so it cannot be
 * full), POSTS brings functions. The mailbox calls uv_async_send only when it goes from empty to
 * not empty, so a batch of answers costs one wake-up.
 *
 * Connections that have something to send are in the `dirty` list, and are sent to just before the
 * loop would sleep: all answers and frames of one turn of the loop leave in one writev each.
 *
 * Time-outs are lists, one for each kind (see enum deadline), looked at each TIMEOUT_CHECK_MS.
 *
 * Exchanges, chunks and wslay contexts are kept for reuse, in bounded numbers: a request needs no
 * malloc in the steady state. Everything here is the thread's own but the mailboxes.
 */
#include "adapters/http/internal.h"

#include "base/check.h"
#include "base/timestamp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ANSWERS_BATCH 64

struct post {
    void (*fn)(struct worker *w, void *arg);
    void *arg;
};

int64_t thread_now_us(struct http_thread *t) {
    const struct clock *clock = t->options->clock;
    return clock != NULL ? clock->now_us(clock) : clock_wall_us();
}

/* --- lists ------------------------------------------------------------------------------- */

static void list_remove(struct conn *c) {
    struct conn_list *l = &c->thread->lists[c->deadline];
    *(c->previous != NULL ? &c->previous->next : &l->first) = c->next;
    *(c->next != NULL ? &c->next->previous : &l->last) = c->previous;
    c->previous = c->next = NULL;
}

static void list_append(struct conn *c, enum deadline to) {
    struct conn_list *l = &c->thread->lists[to];
    c->deadline = to;
    c->previous = l->last;
    *(l->last != NULL ? &l->last->next : &l->first) = c;
    l->last = c;
}

/* To the end of list TO, as of now; DEADLINE_COUNT is for none at all. */
void list_move(struct conn *c, enum deadline to, int64_t now_ms) {
    if (c->deadline != DEADLINE_COUNT)
        list_remove(c);
    c->since_ms = now_ms;
    if (to != DEADLINE_COUNT)
        list_append(c, to);
    else
        c->deadline = DEADLINE_COUNT;
}

bool thread_make_room(struct http_thread *t, const struct conn *asker) {
    static const enum deadline kinds[] = {DEADLINE_BODY, DEADLINE_MESSAGE, DEADLINE_WRITE};
    while (thread_laden(t)) {
        struct conn *oldest = NULL;
        for (size_t i = 0; i < COUNT_OF(kinds); i++) {
            struct conn *c = t->lists[kinds[i]].first;
            if (c != NULL && (oldest == NULL || c->since_ms < oldest->since_ms))
                oldest = c;
        }
        if (oldest == NULL || oldest == asker || t->draining) /* a drain walks these lists */
            return false;
        conn_close(oldest);
    }
    return true;
}

void conn_mark_dirty(struct conn *c) {
    struct http_thread *t = c->thread;
    if (c->dirty || c == t->current || c->state == CONN_CLOSED)
        return;
    c->dirty = true;
    c->refs++;
    c->dirty_next = t->dirty;
    t->dirty = c;
}

/* --- free lists -------------------------------------------------------------------------- */

struct exchange *exchange_new(struct conn *c) {
    struct http_thread *t = c->thread;
    struct exchange *ex = t->idle_exchanges;
    if (ex != NULL) {
        t->idle_exchanges = ex->next;
        t->idle_exchange_count--;
    } else {
        ex = xmalloc(sizeof *ex);
        arena_init(&ex->call.arena, ARENA_FIRST_BYTES);
    }
    struct arena arena = ex->call.arena;
    memset(ex, 0, offsetof(struct exchange, spans));
    ex->call.arena = arena;
    ex->thread = t;
    ex->conn = c;
    ex->out.kind = CHUNK_EXCHANGE;
    return ex;
}

void exchange_release(struct exchange *ex) {
    struct http_thread *t = ex->thread;
    thread_hold(t, &ex->held, 0);
    if (t->idle_exchange_count >= EXCHANGES_IDLE_MAX) {
        arena_free(&ex->call.arena);
        free(ex);
        return;
    }
    arena_reset(&ex->call.arena);
    ex->next = t->idle_exchanges;
    t->idle_exchanges = ex;
    t->idle_exchange_count++;
}

struct frame_chunk *chunk_new(struct http_thread *t) {
    struct frame_chunk *fc = t->idle_chunks;
    if (fc != NULL) {
        t->idle_chunks = (struct frame_chunk *)fc->chunk.next;
        t->idle_chunk_count--;
    } else {
        fc = xmalloc(sizeof *fc);
    }
    memset(fc, 0, sizeof *fc);
    fc->chunk.kind = CHUNK_FRAME;
    return fc;
}

void chunk_release(struct http_thread *t, struct frame_chunk *fc) {
    if (fc->frame != NULL)
        frame_unref(fc->frame);
    if (t->idle_chunk_count >= CHUNKS_IDLE_MAX) {
        free(fc);
        return;
    }
    fc->chunk.next = (struct chunk *)t->idle_chunks;
    t->idle_chunks = fc;
    t->idle_chunk_count++;
}

/* --- mailboxes --------------------------------------------------------------------------- */

static void wake(void *arg) {
    struct http_thread *t = arg;
    uv_async_send(&t->wake);
}

static bool worker_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg) {
    struct http_thread *t = w->adapter;
    struct post *p = xmalloc(sizeof *p);
    *p = (struct post){fn, arg};
    if (mailbox_send(t->posts, p))
        return true;
    free(p);
    return false;
}

/* Runs what was posted before now; what those post waits for the next turn, so that the network is
 * served in between. */
static void run_posts(struct http_thread *t) {
    void *items[ANSWERS_BATCH];
    size_t left = mailbox_count(t->posts);
    while (left > 0) {
        size_t n = mailbox_take(t->posts, items, left < ANSWERS_BATCH ? left : ANSWERS_BATCH, 0);
        if (n == 0)
            return;
        left -= n;
        for (size_t i = 0; i < n; i++) {
            struct post p = *(struct post *)items[i];
            free(items[i]);
            p.fn(&t->worker, p.arg);
        }
    }
    if (mailbox_count(t->posts) > 0)
        uv_async_send(&t->wake);
}

static void take_answers(struct http_thread *t) {
    void *items[ANSWERS_BATCH];
    size_t n;
    while ((n = mailbox_take(t->answers, items, ANSWERS_BATCH, 0)) > 0) {
        for (size_t i = 0; i < n; i++)
            exchange_answered(items[i]);
    }
}

static void on_wake(uv_async_t *handle) {
    struct http_thread *t = handle->data;
    take_answers(t);
    run_posts(t);
    if (atomic_load(&t->server->stopping) && !t->draining)
        thread_begin_drain(t);
    thread_check_done(t);
}

/* --- turns of the loop ------------------------------------------------------------------- */

static void on_before_poll(uv_prepare_t *handle) {
    struct http_thread *t = handle->data;
    struct conn *c = t->dirty;
    t->dirty = NULL;
    while (c != NULL) {
        struct conn *next = c->dirty_next;
        c->dirty = false;
        t->turn_end_ns = 0;
        conn_pump(c);
        conn_unref(c);
        c = next;
    }
    if (t->dirty != NULL) /* `drained` has brought more, or a turn was over: do not sleep */
        uv_async_send(&t->wake);
}

static void on_tick(uv_timer_t *handle) {
    struct http_thread *t = handle->data;
    t->options->tick(t->options->app, &t->worker, thread_now_us(t));
}

static void on_timeouts(uv_timer_t *handle) {
    struct http_thread *t = handle->data;
    int64_t now_ms = (int64_t)uv_now(&t->loop);
    accept_resume(t);
    for (int kind = DEADLINE_NONE + 1; kind < DEADLINE_COUNT; kind++) {
        struct conn *c;
        while ((c = t->lists[kind].first) != NULL && now_ms - c->since_ms >= t->timeout_ms[kind])
            conn_expire(c); /* moves it to the end, or to another list */
    }
}

/* --- drain ------------------------------------------------------------------------------- *
 *
 * Where a proxy stands before several servers, none of its requests may be lost when one of them
 * leaves. It cannot send a POST again that it has sent, so none may be cut off: who has connected
 * is taken in before the listening socket is closed, and from then on is refused, which makes the
 * proxy take another server; and a connection that is idle is not closed at once, since a request
 * may be on its way over it, but only when none has come for drain_idle_ms. Whatever is answered
 * says "Connection: close", so busy connections end by themselves.
 */

static void drain_all(struct http_thread *t) {
    for (int kind = 0; kind < DEADLINE_COUNT; kind++) {
        for (struct conn *c = t->lists[kind].first, *next; c != NULL; c = next) {
            next = c->next;
            if (t->cut)
                conn_close(c);
            else
                conn_drain(c);
        }
    }
}

static void on_drain_timeout(uv_timer_t *handle) {
    struct http_thread *t = handle->data;
    t->cut = true;
    drain_all(t);
    thread_check_done(t);
}

void thread_begin_drain(struct http_thread *t) {
    t->draining = true;
    accept_rest(t);
    accept_close(t);
    if (t->timeout_ms[DEADLINE_IDLE] > t->options->limits.drain_idle_ms)
        t->timeout_ms[DEADLINE_IDLE] = t->options->limits.drain_idle_ms;
    uv_timer_start(&t->drain, on_drain_timeout, (uint64_t)t->options->limits.drain_timeout_ms, 0);
    drain_all(t);
}

void thread_check_done(struct http_thread *t) {
    if (t->draining && t->connections == 0 && (t->running == 0 || t->cut))
        uv_stop(&t->loop);
}

/* --- opening and closing ------------------------------------------------------------------ */

static void limits_to_deadlines(struct http_thread *t, const struct http_limits *l) {
    t->timeout_ms[DEADLINE_IDLE] = l->idle_timeout_ms;
    t->timeout_ms[DEADLINE_HEAD] = l->head_timeout_ms;
    t->timeout_ms[DEADLINE_BODY] = l->body_timeout_ms;
    t->timeout_ms[DEADLINE_WRITE] = l->write_timeout_ms;
    t->timeout_ms[DEADLINE_LINGER] = l->linger_timeout_ms;
    t->timeout_ms[DEADLINE_SOCKET] = l->ping_ms / 2 + 1;
    t->timeout_ms[DEADLINE_MESSAGE] = l->body_timeout_ms;
}

int thread_open(struct http_thread *t, struct http_server *s, int32_t index) {
    t->server = s;
    t->options = &s->options;
    t->listen_fd = -1;
    t->worker = (struct worker){.index = index, .rng = &t->rng, .post = worker_post, .adapter = t};
    uint64_t seed;
    CHECK(getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed);
    rng_seed(&t->rng, seed);
    limits_to_deadlines(t, &s->options.limits);
    CHECK(sem_init(&t->go, 0, 0) == 0);
    t->answers = mailbox_new((size_t)s->options.limits.calls_max, wake, t);
    t->posts = mailbox_new(POSTS_MAX, wake, t);
    int r = uv_loop_init(&t->loop);
    if (r != 0)
        return r;
    CHECK(uv_async_init(&t->loop, &t->wake, on_wake) == 0);
    CHECK(uv_prepare_init(&t->loop, &t->before_poll) == 0);
    CHECK(uv_timer_init(&t->loop, &t->tick) == 0);
    CHECK(uv_timer_init(&t->loop, &t->timeouts) == 0);
    CHECK(uv_timer_init(&t->loop, &t->drain) == 0);
    t->wake.data = t->before_poll.data = t->tick.data = t->timeouts.data = t->drain.data = t;
    uv_prepare_start(&t->before_poll, on_before_poll);
    uv_timer_start(&t->timeouts, on_timeouts, TIMEOUT_CHECK_MS, TIMEOUT_CHECK_MS);
    if (s->options.tick != NULL)
        uv_timer_start(&t->tick, on_tick, (uint64_t)s->options.tick_ms,
                       (uint64_t)s->options.tick_ms);
    t->loop.data = t;
    return 0;
}

static void close_handle(uv_handle_t *handle, void *arg) {
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* The loop stopped before those that have a turn to come had it. */
static void drop_dirty(struct http_thread *t) {
    struct conn *c;
    while ((c = t->dirty) != NULL) {
        t->dirty = c->dirty_next;
        conn_unref(c);
    }
}

void thread_close(struct http_thread *t) {
    mailbox_close(t->posts);
    take_answers(t); /* of calls that were cut */
    if (t->loop.data != NULL) {
        accept_close(t);
        uv_walk(&t->loop, close_handle, NULL);
        while (uv_run(&t->loop, UV_RUN_DEFAULT) != 0) /* a stop that came late ends one run */
            ;
        drop_dirty(t);
        CHECK(uv_loop_close(&t->loop) == 0);
    }
    CHECK(t->held_bytes == 0 || t->running > 0); /* what is never answered is never let go */
    void *post;
    while (mailbox_take(t->posts, &post, 1, 0) == 1)
        free(post);
    for (struct exchange *ex = t->idle_exchanges, *next; ex != NULL; ex = next) {
        next = ex->next;
        arena_free(&ex->call.arena);
        free(ex);
    }
    for (struct frame_chunk *fc = t->idle_chunks, *next; fc != NULL; fc = next) {
        next = (struct frame_chunk *)fc->chunk.next;
        free(fc);
    }
    reader_free_all(t);
    mailbox_free(t->answers);
    mailbox_free(t->posts);
    sem_destroy(&t->go);
}
