/* The two hashers. The threaded one is a ring of jobs under one lock: submit puts at the tail,
 * each worker takes from the head. Jobs belong to their submitters; only pointers lie in the ring.
 */
#include "services/auth/hasher.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(HASH_TEXT_MAX >= crypto_pwhash_STRBYTES, "libsodium's text must fit");

/* ---- argon2id on threads ---- */

struct threaded {
    struct hasher hasher;
    struct hasher_options o;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct hash_job **ring;
    int32_t head, count;
    bool closing;
    pthread_t threads[HASHER_WORKERS_MAX];
    int32_t thread_count;
};

static void run(const struct threaded *t, struct hash_job *job) {
    if (job->verify)
        job->result = crypto_pwhash_str_verify(job->hash, job->password.p, job->password.len) == 0
                          ? 0
                          : ERR_DENIED;
    else
        job->result = crypto_pwhash_str_alg(job->hash, job->password.p, job->password.len,
                                            (unsigned long long)t->o.passes, t->o.memory_bytes,
                                            crypto_pwhash_ALG_ARGON2ID13) == 0
                          ? 0
                          : ERR_UNAVAILABLE;
}

/* The next job, or NULL at the end. With the lock held. */
static struct hash_job *take(struct threaded *t) {
    while (t->count == 0 && !t->closing)
        pthread_cond_wait(&t->work, &t->lock);
    if (t->count == 0)
        return NULL;
    struct hash_job *job = t->ring[t->head];
    t->head = (t->head + 1) % t->o.queue_max;
    t->count--;
    return job;
}

static void *worker(void *arg) {
    struct threaded *t = arg;
    pthread_mutex_lock(&t->lock);
    for (;;) {
        struct hash_job *job = take(t);
        bool closing = t->closing;
        pthread_mutex_unlock(&t->lock);
        if (job == NULL)
            return NULL;
        if (closing)
            job->result = ERR_UNAVAILABLE;
        else
            run(t, job);
        job->done(job);
        pthread_mutex_lock(&t->lock);
    }
}

static int threaded_submit(struct hasher *h, struct hash_job *job) {
    struct threaded *t = (struct threaded *)h;
    pthread_mutex_lock(&t->lock);
    bool room = t->count < t->o.queue_max && !t->closing;
    if (room) {
        t->ring[(t->head + t->count) % t->o.queue_max] = job;
        t->count++;
        pthread_cond_signal(&t->work);
    }
    pthread_mutex_unlock(&t->lock);
    return room ? 0 : ERR_FULL;
}

static int64_t threaded_waiting(struct hasher *h) {
    struct threaded *t = (struct threaded *)h;
    pthread_mutex_lock(&t->lock);
    int64_t count = t->count;
    pthread_mutex_unlock(&t->lock);
    return count;
}

static bool threaded_full(struct hasher *h) {
    return threaded_waiting(h) >= ((struct threaded *)h)->o.queue_max;
}

static void threaded_close(struct hasher *h) {
    struct threaded *t = (struct threaded *)h;
    pthread_mutex_lock(&t->lock);
    t->closing = true;
    pthread_cond_broadcast(&t->work);
    pthread_mutex_unlock(&t->lock);
    for (int32_t i = 0; i < t->thread_count; i++)
        pthread_join(t->threads[i], NULL);
    pthread_cond_destroy(&t->work);
    pthread_mutex_destroy(&t->lock);
    free(t->ring);
    free(t);
}

static const struct hasher_ops threaded_ops = {threaded_submit, threaded_full, threaded_waiting,
                                               threaded_close};

struct hasher *hasher_argon2id_new(const struct hasher_options *o) {
    CHECK(o->workers >= 1 && o->workers <= HASHER_WORKERS_MAX && o->queue_max >= 1);
    struct threaded *t = xcalloc(1, sizeof(*t));
    t->hasher.ops = &threaded_ops;
    t->o = *o;
    if (t->o.memory_bytes == 0)
        t->o.memory_bytes = HASH_MEMORY_BYTES;
    if (t->o.passes == 0)
        t->o.passes = HASH_PASSES;
    /* Salt and hash of zeros: nothing is known to hash to it, and it costs what a real one does. */
    snprintf(t->hasher.dummy, sizeof(t->hasher.dummy), "$argon2id$v=19$m=%zu,t=%d,p=1$%s$%s",
             t->o.memory_bytes / 1024, t->o.passes, "AAAAAAAAAAAAAAAAAAAAAA",
             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    t->ring = xcalloc((size_t)o->queue_max, sizeof(struct hash_job *));
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->work, NULL);
    while (t->thread_count < o->workers) {
        if (pthread_create(&t->threads[t->thread_count], NULL, worker, t) != 0) {
            threaded_close(&t->hasher);
            return NULL;
        }
        t->thread_count++;
    }
    return &t->hasher;
}

int hash_password_now(struct str password, char ret_hash[HASH_TEXT_MAX]) {
    return crypto_pwhash_str_alg(ret_hash, password.p, password.len, HASH_PASSES, HASH_MEMORY_BYTES,
                                 crypto_pwhash_ALG_ARGON2ID13) == 0
               ? 0
               : ERR_UNAVAILABLE;
}

/* ---- the simulator's: the same password, the same hash, at once ---- */

static void instant_hash(struct str password, char out[HASH_TEXT_MAX]) {
    unsigned char digest[32];
    crypto_generichash(digest, sizeof(digest), (const unsigned char *)password.p, password.len,
                       NULL, 0);
    memcpy(out, "$instant$", 9);
    sodium_bin2hex(out + 9, HASH_TEXT_MAX - 9, digest, sizeof(digest));
}

static int instant_submit(struct hasher *h, struct hash_job *job) {
    (void)h;
    char hash[HASH_TEXT_MAX] = "";
    instant_hash(job->password, hash);
    if (job->verify)
        job->result = strcmp(hash, job->hash) == 0 ? 0 : ERR_DENIED;
    else
        memcpy(job->hash, hash, sizeof(hash));
    job->done(job);
    return 0;
}

static bool instant_full(struct hasher *h) {
    (void)h;
    return false;
}

static int64_t instant_waiting(struct hasher *h) {
    (void)h;
    return 0;
}

static void instant_close(struct hasher *h) {
    free(h);
}

static const struct hasher_ops instant_ops = {instant_submit, instant_full, instant_waiting,
                                              instant_close};

struct hasher *hasher_instant_new(void) {
    struct hasher *h = xcalloc(1, sizeof(*h));
    h->ops = &instant_ops;
    strcpy(h->dummy, "$instant$nobody");
    return h;
}
