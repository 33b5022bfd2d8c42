/* A binary heap by (time, order of making). */
#include "base/arena.h"
#include "base/check.h"
#include "sim/sim.h"

#include <stdlib.h>

static bool before(const struct sim_event *a, const struct sim_event *b) {
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

void sim_after(struct sim *sim, int64_t delay_us, sim_fn fn, void *arg, uint64_t token) {
    struct sim_queue *q = &sim->queue;
    CHECK(delay_us >= 0);
    if (q->count == q->cap) {
        q->cap = q->cap > 0 ? q->cap * 2 : 1024;
        q->heap = xrealloc(q->heap, q->cap * sizeof(struct sim_event));
    }
    struct sim_event e = {sim->now_us + delay_us, q->seq++, fn, arg, token};
    size_t at = q->count++;
    while (at > 0 && before(&e, &q->heap[(at - 1) / 2])) {
        q->heap[at] = q->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    q->heap[at] = e;
}

static struct sim_event take(struct sim_queue *q) {
    struct sim_event first = q->heap[0], last = q->heap[--q->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= q->count)
            break;
        if (child + 1 < q->count && before(&q->heap[child + 1], &q->heap[child]))
            child++;
        if (!before(&q->heap[child], &last))
            break;
        q->heap[at] = q->heap[child];
        at = child;
    }
    if (q->count > 0)
        q->heap[at] = last;
    return first;
}

bool sim_step(struct sim *sim) {
    if (sim->queue.count == 0)
        return false;
    struct sim_event e = take(&sim->queue);
    CHECK(e.at_us >= sim->now_us);
    sim->now_us = e.at_us;
    sim->result->events++;
    e.fn(sim, e.arg, e.token);
    return true;
}

void sim_queue_free(struct sim_queue *q) {
    free(q->heap);
    *q = (struct sim_queue){0};
}
