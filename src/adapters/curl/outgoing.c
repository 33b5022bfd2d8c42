#include "adapters/curl/outgoing.h"

#include "base/arena.h"
#include "base/err.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define POLL_MS 1000 /* a wake-up cuts it short */
#define CLOSING_POLL_MS 20

struct outgoing {
    CURLM *multi;
    CURL **easies; /* in use: its job is its private pointer */
    int32_t under_way_max;
    int32_t easy_count; /* the thread's */
    pthread_mutex_t lock;
    struct outgoing_job *first, **last; /* yet to begin; under lock */
    int32_t under_way;                  /* under lock */
    bool closing;                       /* under lock */
    int *sockets;                       /* open ones; under lock */
    int32_t socket_count, socket_cap;
    pthread_t thread;
};

static void over(struct outgoing *o, struct outgoing_job *job, CURL *easy, CURLcode code) {
    const char *error = job->error[0] != 0 ? job->error : curl_easy_strerror(code);
    job->end(job, easy, code, error);
    pthread_mutex_lock(&o->lock);
    o->under_way--;
    pthread_mutex_unlock(&o->lock);
}

/* ---- sockets ---- */

static void keep_socket(struct outgoing *o, int fd) {
    if (o->socket_count == o->socket_cap) {
        o->socket_cap = o->socket_cap > 0 ? 2 * o->socket_cap : 16;
        o->sockets = xrealloc(o->sockets, (size_t)o->socket_cap * sizeof(int));
    }
    o->sockets[o->socket_count++] = fd;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to) {
    struct outgoing_job *job = arg;
    struct outgoing *o = job->outgoing;
    (void)purpose;
    if (job->allows != NULL && !job->allows(job, &to->addr))
        return CURL_SOCKET_BAD;
    int fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    pthread_mutex_lock(&o->lock);
    bool closing = o->closing;
    if (!closing)
        keep_socket(o, fd);
    pthread_mutex_unlock(&o->lock);
    if (!closing)
        return fd;
    close(fd);
    return CURL_SOCKET_BAD;
}

static int close_socket(void *arg, curl_socket_t fd) {
    struct outgoing *o = arg;
    pthread_mutex_lock(&o->lock);
    for (int32_t i = 0; i < o->socket_count; i++) {
        if (o->sockets[i] == fd)
            o->sockets[i] = o->sockets[--o->socket_count];
    }
    pthread_mutex_unlock(&o->lock);
    return close(fd);
}

/* ---- jobs ---- */

/* libcurl would end a half-sent mail as if it were whole if its handle were just taken away. */
static int abort_if_closing(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    struct outgoing *o = arg;
    (void)a, (void)b, (void)c, (void)d;
    pthread_mutex_lock(&o->lock);
    bool closing = o->closing;
    pthread_mutex_unlock(&o->lock);
    return closing ? 1 : 0;
}

static void set_common(struct outgoing *o, CURL *easy, struct outgoing_job *job) {
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, job);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, o);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, abort_if_closing);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, o);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, job->error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)job->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)job->connect_timeout_ms);
    /* Else a job whose time is over waits, and all others with it, until the resolver has given up:
     * whoever owns a name server that says nothing could hold up everybody's webhooks. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

static void begin(struct outgoing *o, struct outgoing_job *job) {
    CURL *easy = curl_easy_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;
    job->error[0] = 0;
    if (easy != NULL) {
        set_common(o, easy, job);
        code = job->begin(job, easy);
    }
    if (code == CURLE_OK && curl_multi_add_handle(o->multi, easy) == CURLM_OK) {
        o->easies[o->easy_count++] = easy;
        return;
    }
    over(o, job, easy, code != CURLE_OK ? code : CURLE_FAILED_INIT);
    curl_easy_cleanup(easy);
}

static void finish(struct outgoing *o, CURL *easy, CURLcode code) {
    struct outgoing_job *job = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&job);
    for (int32_t i = 0; i < o->easy_count; i++) {
        if (o->easies[i] == easy)
            o->easies[i] = o->easies[--o->easy_count];
    }
    over(o, job, easy, code);
    curl_multi_remove_handle(o->multi, easy);
    curl_easy_cleanup(easy);
}

static struct outgoing_job *take(struct outgoing *o, bool *ret_closing) {
    pthread_mutex_lock(&o->lock);
    struct outgoing_job *job = o->first;
    if (job != NULL) {
        o->first = job->next;
        if (o->first == NULL)
            o->last = &o->first;
    }
    *ret_closing = o->closing;
    pthread_mutex_unlock(&o->lock);
    return job;
}

static void *outgoing_thread(void *arg) {
    struct outgoing *o = arg;
    bool closing = false;
    while (!closing || o->easy_count > 0) {
        struct outgoing_job *job;
        int running, left;
        while ((job = take(o, &closing)) != NULL) {
            if (closing)
                over(o, job, NULL, CURLE_ABORTED_BY_CALLBACK);
            else
                begin(o, job);
        }
        curl_multi_perform(o->multi, &running);
        const CURLMsg *said;
        while ((said = curl_multi_info_read(o->multi, &left)) != NULL)
            finish(o, said->easy_handle, said->data.result);
        if (!closing || o->easy_count > 0)
            curl_multi_poll(o->multi, NULL, 0, closing ? CLOSING_POLL_MS : POLL_MS, NULL);
    }
    return NULL;
}

static void release(struct outgoing *o) {
    if (o->multi != NULL)
        curl_multi_cleanup(o->multi);
    pthread_mutex_destroy(&o->lock);
    free(o->sockets);
    free(o->easies);
    free(o);
}

struct outgoing *outgoing_open(int32_t under_way_max) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return NULL;
    struct outgoing *o = xcalloc(1, sizeof(*o));
    o->under_way_max = under_way_max;
    o->easies = xcalloc((size_t)under_way_max, sizeof(CURL *));
    o->last = &o->first;
    pthread_mutex_init(&o->lock, NULL);
    o->multi = curl_multi_init();
    if (o->multi == NULL || pthread_create(&o->thread, NULL, outgoing_thread, o) != 0) {
        release(o);
        return NULL;
    }
    return o;
}

int outgoing_submit(struct outgoing *o, struct outgoing_job *job) {
    pthread_mutex_lock(&o->lock);
    bool room = o->under_way < o->under_way_max && !o->closing;
    if (room) {
        job->next = NULL;
        job->outgoing = o;
        *o->last = job;
        o->last = &job->next;
        o->under_way++;
    }
    pthread_mutex_unlock(&o->lock);
    if (!room)
        return ERR_FULL;
    curl_multi_wakeup(o->multi);
    return 0;
}

void outgoing_close(struct outgoing *o) {
    if (o == NULL)
        return;
    pthread_mutex_lock(&o->lock);
    o->closing = true;
    for (int32_t i = 0; i < o->socket_count; i++)
        shutdown(o->sockets[i], SHUT_RDWR);
    pthread_mutex_unlock(&o->lock);
    curl_multi_wakeup(o->multi);
    pthread_join(o->thread, NULL);
    release(o);
}
