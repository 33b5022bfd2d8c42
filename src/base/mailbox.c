/* The mailbox: a ring under one mutex. Senders hold it for a few instructions and never wait for
 * room. Items belong to the sender until mailbox_send says true, then to whoever takes them.
 */
#include "base/mailbox.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/timestamp.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    void (*notify)(void *arg);
    void *notify_arg;
    size_t capacity, first, count;
    bool waiting; /* the receiver sleeps in mailbox_take */
    bool woken;   /* mailbox_wake was called since the last take */
    bool closed;
    void *items[];
};

struct mailbox *mailbox_new(size_t capacity, void (*notify)(void *arg), void *notify_arg) {
    CHECK(capacity > 0 && capacity <= SIZE_MAX / 16 / sizeof(void *));
    struct mailbox *m = xcalloc(1, sizeof *m + capacity * sizeof(void *));
    m->capacity = capacity;
    m->notify = notify;
    m->notify_arg = notify_arg;
    pthread_condattr_t attr;
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&m->filled, &attr) == 0);
    pthread_condattr_destroy(&attr);
    CHECK(pthread_mutex_init(&m->lock, NULL) == 0);
    return m;
}

struct mailbox *mailbox_free(struct mailbox *m) {
    if (m == NULL)
        return NULL;
    CHECK(!m->waiting);
    pthread_cond_destroy(&m->filled);
    pthread_mutex_destroy(&m->lock);
    free(m);
    return NULL;
}

static void lock(struct mailbox *m) {
    CHECK(pthread_mutex_lock(&m->lock) == 0);
}

static void unlock(struct mailbox *m) {
    CHECK(pthread_mutex_unlock(&m->lock) == 0);
}

bool mailbox_send(struct mailbox *m, void *item) {
    lock(m);
    bool sent = !m->closed && m->count < m->capacity;
    bool first = sent && m->count == 0;
    if (sent) {
        size_t at = m->first + m->count;
        m->items[at < m->capacity ? at : at - m->capacity] = item;
        m->count++;
        if (m->waiting)
            pthread_cond_signal(&m->filled);
    }
    unlock(m);
    if (first && m->notify)
        m->notify(m->notify_arg);
    return sent;
}

/* Sleeps until there is something to say, with the lock held at both ends. */
static void wait_filled(struct mailbox *m, int64_t wait_us) {
    struct timespec until = {0};
    if (wait_us > 0) {
        int64_t now_us = clock_mono_us();
        int64_t until_us = wait_us > INT64_MAX - now_us ? INT64_MAX : now_us + wait_us;
        until = (struct timespec){until_us / US_PER_S, until_us % US_PER_S * 1000};
    }
    m->waiting = true;
    int failed = 0;
    while (m->count == 0 && !m->woken && !m->closed && !failed) {
        failed = wait_us < 0 ? pthread_cond_wait(&m->filled, &m->lock)
                             : pthread_cond_timedwait(&m->filled, &m->lock, &until);
    }
    m->waiting = false;
}

size_t mailbox_take(struct mailbox *m, void **items, size_t max, int64_t wait_us) {
    lock(m);
    if (wait_us != 0 && m->count == 0)
        wait_filled(m, wait_us);
    m->woken = false;
    size_t taken = m->count < max ? m->count : max;
    for (size_t i = 0; i < taken; i++) {
        items[i] = m->items[m->first];
        m->first = m->first + 1 == m->capacity ? 0 : m->first + 1;
    }
    m->count -= taken;
    unlock(m);
    return taken;
}

void mailbox_wake(struct mailbox *m) {
    lock(m);
    m->woken = true;
    pthread_cond_signal(&m->filled);
    unlock(m);
}

void mailbox_close(struct mailbox *m) {
    lock(m);
    m->closed = true;
    pthread_cond_signal(&m->filled);
    unlock(m);
}

size_t mailbox_count(struct mailbox *m) {
    lock(m);
    size_t count = m->count;
    unlock(m);
    return count;
}
