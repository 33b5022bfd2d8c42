#include "services/files/crew.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"

#include <pthread.h>
#include <stdlib.h>

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct crew_job *first, **last;
    int32_t waiting, queue_max;
    bool closing;
    pthread_t threads[CREW_THREADS_MAX];
    int32_t thread_count, wanted;
};

/* The next job, or NULL at the end. With the lock held. */
static struct crew_job *take(struct crew *c) {
    while (c->first == NULL && !c->closing)
        pthread_cond_wait(&c->work, &c->lock);
    struct crew_job *job = c->first;
    if (job != NULL) {
        c->first = job->next;
        if (c->first == NULL)
            c->last = &c->first;
        c->waiting--;
    }
    return job;
}

static void *work(void *arg) {
    struct crew *c = arg;
    pthread_mutex_lock(&c->lock);
    for (struct crew_job *job = take(c); job != NULL; job = take(c)) {
        bool closing = c->closing;
        pthread_mutex_unlock(&c->lock);
        job->run(job, closing);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct crew *crew_new(int32_t threads, int32_t queue_max) {
    CHECK(threads >= 0 && threads <= CREW_THREADS_MAX && queue_max >= 1);
    struct crew *c = xcalloc(1, sizeof *c);
    c->wanted = threads;
    c->queue_max = queue_max;
    c->last = &c->first;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    while (c->thread_count < threads) {
        if (pthread_create(&c->threads[c->thread_count], NULL, work, c) != 0)
            return crew_free(c);
        c->thread_count++;
    }
    return c;
}

int crew_submit(struct crew *c, struct crew_job *job) {
    if (c->wanted == 0) {
        job->run(job, false);
        return 0;
    }
    pthread_mutex_lock(&c->lock);
    bool room = c->waiting < c->queue_max && !c->closing;
    if (room) {
        job->next = NULL;
        *c->last = job;
        c->last = &job->next;
        c->waiting++;
        pthread_cond_signal(&c->work);
    }
    pthread_mutex_unlock(&c->lock);
    return room ? 0 : ERR_FULL;
}

int64_t crew_waiting(struct crew *c) {
    pthread_mutex_lock(&c->lock);
    int64_t waiting = c->waiting;
    pthread_mutex_unlock(&c->lock);
    return waiting;
}

bool crew_full(struct crew *c) {
    return crew_waiting(c) >= c->queue_max;
}

void crew_stop(struct crew *c) {
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    for (int32_t i = 0; i < c->thread_count; i++)
        pthread_join(c->threads[i], NULL);
    c->thread_count = 0;
}

struct crew *crew_free(struct crew *c) {
    if (c == NULL)
        return NULL;
    crew_stop(c);
    pthread_cond_destroy(&c->work);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return NULL;
}
