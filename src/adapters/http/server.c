/* Starting and stopping.
 *
 * The server is made and freed by one thread; it owns the threads. Each thread is set up here,
 * starts, runs the application's worker_start and waits; when all went well and all sockets listen,
 * all are let go.
 */
#include "adapters/http/internal.h"

#include "base/check.h"
#include "base/err.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

const struct http_limits http_limits_default = {
    .connections_max = 16384,
    .head_bytes_max = 16 * 1024,
    .body_bytes_max = (int32_t)CALL_BODY_BYTES_MAX,
    .pipeline_max = 64,
    .head_timeout_ms = 10 * 1000,
    .body_timeout_ms = 30 * 1000,
    .idle_timeout_ms = 75 * 1000,
    .write_timeout_ms = 30 * 1000,
    .drain_timeout_ms = 10 * 1000,
    .drain_idle_ms = 500,
    .calls_max = 4096,
    .held_bytes_max = INT64_C(256) << 20,
    .linger_timeout_ms = 2 * 1000,
    .ping_ms = 30 * 1000,
    .silence_ms = 75 * 1000,
};

static struct http_limits limits_filled(struct http_limits l) {
    const struct http_limits *d = &http_limits_default;
#define FILL(field) l.field = l.field > 0 ? l.field : d->field
    FILL(connections_max);
    FILL(head_bytes_max);
    FILL(body_bytes_max);
    FILL(pipeline_max);
    FILL(head_timeout_ms);
    FILL(body_timeout_ms);
    FILL(idle_timeout_ms);
    FILL(write_timeout_ms);
    FILL(drain_timeout_ms);
    FILL(drain_idle_ms);
    FILL(calls_max);
    FILL(held_bytes_max);
    FILL(linger_timeout_ms);
    FILL(ping_ms);
    FILL(silence_ms);
#undef FILL
    return l;
}

static void *thread_main(void *arg) {
    struct http_thread *t = arg;
    const struct http_options *o = t->options;
    t->start_result = o->worker_start != NULL ? o->worker_start(o->app, &t->worker) : 0;
    if (t->worker.rng == NULL)
        t->worker.rng = &t->rng;
    sem_post(&t->server->started);
    while (sem_wait(&t->go) != 0)
        CHECK(errno == EINTR);
    if (t->run)
        uv_run(&t->loop, UV_RUN_DEFAULT);
    if (t->start_result == 0 && o->worker_stop != NULL)
        o->worker_stop(o->app, &t->worker);
    return NULL;
}

/* Signals are for the application's main thread. A broken pipe is an error code, not a signal. */
static int threads_start(struct http_server *s) {
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    sigdelset(&all, SIGPROF);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int result = 0;
    for (int32_t i = 0; i < s->thread_count && result == 0; i++) {
        struct http_thread *t = s->threads[i];
        result = -pthread_create(&t->id, NULL, thread_main, t);
        t->started = result == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (int32_t i = 0; i < s->thread_count; i++) {
        while (s->threads[i]->started && sem_wait(&s->started) != 0)
            CHECK(errno == EINTR);
    }
    return result;
}

static void threads_join(struct http_server *s) {
    for (int32_t i = 0; i < s->thread_count; i++) {
        struct http_thread *t = s->threads[i];
        if (t->started)
            pthread_join(t->id, NULL);
        t->started = false;
    }
}

static void threads_go(struct http_server *s, bool run) {
    for (int32_t i = 0; i < s->thread_count; i++) {
        s->threads[i]->run = run;
        sem_post(&s->threads[i]->go);
    }
}

static int start_result(const struct http_server *s) {
    for (int32_t i = 0; i < s->thread_count; i++) {
        if (s->threads[i]->start_result != 0)
            return s->threads[i]->start_result;
    }
    return 0;
}

static int err_of_errno(int e) {
    switch (-e) {
    case EADDRINUSE:
        return ERR_BUSY;
    case EADDRNOTAVAIL:
    case EINVAL:
        return ERR_INVALID;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    default:
        return ERR_IO;
    }
}

int http_start(const struct http_options *o, struct http_server **ret_server, int *ret_port,
               const char **ret_why) {
    CHECK(o->request != NULL && o->workers > 0);
    struct http_server *s = xcalloc(1, sizeof *s);
    s->options = *o;
    s->options.limits = limits_filled(o->limits);
    s->options.tick_ms = o->tick_ms > 0 ? o->tick_ms : 100;
    s->threads = xcalloc((size_t)o->workers, sizeof *s->threads);
    CHECK(sem_init(&s->started, 0, 0) == 0);
    remotes_init(&s->remotes);

    int port = 0, e = 0, result = 0;
    for (int32_t i = 0; i < o->workers && e == 0; i++) {
        s->threads[i] = xcalloc(1, sizeof *s->threads[i]);
        e = thread_open(s->threads[i], s, i);
        s->thread_count = i + 1;
    }
    if (e == 0)
        e = threads_start(s);
    if (e == 0)
        result = start_result(s);
    if (e == 0 && result == 0)
        e = accept_open(s, &port);
    bool well = e == 0 && result == 0;
    if (well) { /* before the first request, whose handler may want the counters */
        s->port = port;
        *ret_port = port;
        *ret_server = s;
    }
    threads_go(s, well);
    if (well)
        return 0;
    *ret_why = e != 0 ? strerror(-e) : err_text(result);
    s->stopped = true;
    threads_join(s);
    http_free(s);
    return e != 0 ? err_of_errno(e) : result;
}

struct worker *http_worker(struct http_server *s, int32_t index) {
    CHECK(index >= 0 && index < s->thread_count);
    return &s->threads[index]->worker;
}

void http_counters_read(struct http_server *s, struct http_counters *ret) {
    struct http_counters sum = {0};
    for (int32_t i = 0; i < s->thread_count; i++) {
        struct counters *c = &s->threads[i]->counters;
#define ADD(to, from) sum.to += atomic_load_explicit(&c->from, memory_order_relaxed)
        ADD(requests, requests);
        ADD(connections_accepted, accepted);
        ADD(connections_refused, refused);
        ADD(bytes_in, bytes_in);
        ADD(bytes_out, bytes_out);
        ADD(frames_in, frames_in);
        ADD(frames_out, frames_out);
        ADD(connections_open, open);
        ADD(sockets_open, sockets);
        ADD(requests_in_flight, running);
#undef ADD
    }
    *ret = sum;
}

void http_stop(struct http_server *s) {
    if (s->stopped)
        return;
    s->stopped = true;
    atomic_store(&s->stopping, true);
    for (int32_t i = 0; i < s->thread_count; i++)
        uv_async_send(&s->threads[i]->wake);
    threads_join(s);
}

void http_free(struct http_server *s) {
    if (s == NULL)
        return;
    http_stop(s);
    for (int32_t i = 0; i < s->thread_count; i++) {
        thread_close(s->threads[i]);
        free(s->threads[i]);
    }
    remotes_free(&s->remotes);
    sem_destroy(&s->started);
    free(s->threads);
    free(s);
}
