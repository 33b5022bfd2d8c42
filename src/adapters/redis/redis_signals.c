/* Signals travel in packs: version, flags, the sender, then for each signal the length of its
 * topic, the length of its data, both. A pack is filled where the signal is made and goes to Redis
 * as it is; one that was heard goes to poll() as it is, and is taken apart there. So a signal costs
 * two copies and no allocation of its own, and Redis moves packs.
 *
 * A pack with the flag GAP says that its sender could not send something before it. In the queue to
 * poll() a gap is a pack without signals in the place where something is missing.
 */
#include "adapters/redis/redis_private.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/timestamp.h"

#include <stdlib.h>
#include <string.h>

#define PACK_VERSION 1
#define PACK_GAP 1        /* flag */
#define PACK_HEAD 10      /* version, flags, 8 bytes of the sender */
#define PACK_BYTES 32768  /* of a full one */
#define POLL_PACKS_MAX 64 /* taken apart in one poll() */
#define SIGNAL_HEAD 3     /* u8 topic's length, u16 data's, little-endian */

_Static_assert(PACK_BYTES >= PACK_HEAD + SIGNAL_HEAD + SIGNAL_TOPIC_MAX + SIGNAL_BYTES_MAX, "");

struct queue {
    struct redis_pack *first, *last;
    size_t bytes;
};

struct listener {
    const char *topic;
    signal_fn fn;
    void *consumer;
};

struct redis_signals {
    struct signals signals; /* first: the port's view */
    struct redis *redis;
    /* Written before the start only. */
    struct listener listeners[REDIS_LISTENERS_MAX];
    int32_t listener_count;
    void (*wake)(void *arg);
    void *wake_arg;

    pthread_mutex_t lock; /* guards everything below */
    struct queue out, in;
    bool polling; /* one at a time, or the order would be lost */
    bool lost;    /* something of ours did not go out: the next pack says so */
    uint64_t sent, heard, out_dropped, in_dropped, gaps;
};

static struct redis_signals *self(struct signals *s) {
    return (struct redis_signals *)s;
}

/* ---- packs ---- */

static struct redis_pack *pack_new(size_t cap) {
    struct redis_pack *p = xmalloc(sizeof *p + cap);
    *p = (struct redis_pack){0};
    return p;
}

static void push(struct queue *q, struct redis_pack *p) {
    p->next = NULL;
    *(q->last ? &q->last->next : &q->first) = p;
    q->last = p;
    q->bytes += p->len;
}

static struct redis_pack *pull(struct queue *q) {
    struct redis_pack *p = q->first;
    if (p) {
        q->first = p->next;
        if (!q->first)
            q->last = NULL;
        q->bytes -= p->len;
    }
    return p;
}

static void pack_head(const struct redis_signals *s, struct redis_pack *p) {
    p->bytes[0] = PACK_VERSION;
    p->bytes[1] = 0;
    memcpy(p->bytes + 2, &s->redis->origin_id, 8);
    p->len = PACK_HEAD;
}

static void pack_add(struct redis_pack *p, struct str topic, const void *data, size_t len) {
    char *at = p->bytes + p->len;
    at[0] = (char)topic.len;
    at[1] = (char)(len & 0xff);
    at[2] = (char)(len >> 8);
    memcpy(at + SIGNAL_HEAD, topic.p, topic.len);
    if (len > 0)
        memcpy(at + SIGNAL_HEAD + topic.len, data, len);
    p->len += SIGNAL_HEAD + topic.len + len;
    p->signals++;
}

/* Takes a signal off the front of S. False: S is at its end, or is none of ours. */
static bool next_signal(struct str *s, struct str *ret_topic, struct str *ret_data) {
    if (s->len < SIGNAL_HEAD)
        return false;
    const unsigned char *head = (const unsigned char *)s->p;
    size_t topic_len = head[0], data_len = (size_t)(head[1] | head[2] << 8);
    if (topic_len == 0 || topic_len > SIGNAL_TOPIC_MAX || data_len > SIGNAL_BYTES_MAX ||
        s->len - SIGNAL_HEAD < topic_len + data_len)
        return false;
    *ret_topic = (struct str){s->p + SIGNAL_HEAD, topic_len};
    *ret_data = (struct str){ret_topic->p + topic_len, data_len};
    *s = str_sub(*s, SIGNAL_HEAD + topic_len + data_len, s->len);
    return true;
}

static int32_t count_signals(struct str s, bool *ret_whole) {
    struct str topic, data;
    int32_t n = 0;
    while (next_signal(&s, &topic, &data))
        n++;
    *ret_whole = s.len == 0;
    return n;
}

/* ---- the port ---- */

static int listen_topic(struct signals *signals, const char *topic, signal_fn fn, void *consumer) {
    struct redis_signals *s = self(signals);
    CHECK(s->listener_count < REDIS_LISTENERS_MAX && fn);
    s->listeners[s->listener_count++] = (struct listener){topic, fn, consumer};
    return 0;
}

static void tell(const struct redis_signals *s, struct str topic, struct str data) {
    for (int32_t i = 0; i < s->listener_count; i++) {
        const struct listener *l = &s->listeners[i];
        if (str_is(topic, l->topic))
            l->fn(l->consumer, topic, data.p, data.len);
    }
}

/* Makes room by letting the oldest go. */
static void out_bound(struct redis_signals *s) {
    while (s->out.bytes > REDIS_OUT_BYTES_MAX) {
        struct redis_pack *p = pull(&s->out);
        s->out_dropped += (uint64_t)p->signals;
        s->lost = true;
        free(p);
    }
}

static void signal_topic(struct signals *signals, const char *topic, const void *data, size_t len) {
    struct redis_signals *s = self(signals);
    struct str name = str_from(topic);
    CHECK(name.len > 0 && name.len <= SIGNAL_TOPIC_MAX && len <= SIGNAL_BYTES_MAX);
    pthread_mutex_lock(&s->lock);
    size_t more = SIGNAL_HEAD + name.len + len;
    struct redis_pack *p = s->out.last;
    if (!p || p->len + more > PACK_BYTES) {
        p = pack_new(PACK_BYTES);
        pack_head(s, p);
        push(&s->out, p);
    }
    pack_add(p, name, data, len);
    s->out.bytes += more;
    out_bound(s);
    pthread_mutex_unlock(&s->lock);
    redis_wake(s->redis);
    tell(s, name, (struct str){data, len});
}

static int64_t poll(struct signals *signals, int64_t now_us) {
    struct redis_signals *s = self(signals);
    struct queue taken = {0};
    struct str topic, data;
    int gaps = 0;
    pthread_mutex_lock(&s->lock);
    if (s->polling) {
        pthread_mutex_unlock(&s->lock);
        return 0; /* who is at it looks again when he has done */
    }
    s->polling = true;
    for (int n = 0; n < POLL_PACKS_MAX && s->in.first; n++) {
        gaps += s->in.first->gap;
        push(&taken, pull(&s->in));
    }
    if (gaps > 0)
        s->gaps++;
    pthread_mutex_unlock(&s->lock);
    for (struct redis_pack *p; (p = pull(&taken)); free(p)) {
        struct str rest = {p->bytes, p->len};
        if (p->gap && --gaps == 0) /* several at once are one, in the place of the last */
            tell(s, STR(SIGNAL_GAP), STR(""));
        while (!p->gap && next_signal(&rest, &topic, &data))
            tell(s, topic, data);
    }
    pthread_mutex_lock(&s->lock);
    s->polling = false;
    bool more = s->in.first != NULL;
    pthread_mutex_unlock(&s->lock);
    return more ? now_us : 0;
}

static void on_ready(struct signals *signals, void (*wake)(void *arg), void *arg) {
    struct redis_signals *s = self(signals);
    CHECK(!s->redis->started);
    s->wake = wake;
    s->wake_arg = arg;
}

static void close_signals(struct signals *signals) {
    struct redis_signals *s = self(signals);
    struct redis_pack *p;
    redis_stop(s->redis);
    s->redis->signals = NULL;
    while ((p = pull(&s->out)) || (p = pull(&s->in)))
        free(p);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static const struct signals_ops redis_signals_ops = {
    .listen = listen_topic,
    .signal = signal_topic,
    .poll = poll,
    .on_ready = on_ready,
    .close = close_signals,
};

struct signals *redis_signals_new(struct redis *r) {
    CHECK(!r->signals && !r->started);
    struct redis_signals *s = xcalloc(1, sizeof *s);
    s->signals.ops = &redis_signals_ops;
    s->redis = r;
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    r->signals = s;
    return &s->signals;
}

/* ---- on the thread of struct redis ---- */

static struct redis_pack *gap_new(void) {
    struct redis_pack *p = pack_new(0);
    p->gap = true;
    return p;
}

/* Puts P, if there is one, behind a gap, if there is one, into the queue of poll(). */
static void deliver(struct redis_signals *s, struct redis_pack *p, bool gap) {
    bool dropped = false;
    pthread_mutex_lock(&s->lock);
    bool was_empty = !s->in.first;
    if (gap && !(s->in.last && s->in.last->gap))
        push(&s->in, gap_new());
    if (p) {
        push(&s->in, p);
        s->heard += (uint64_t)p->signals;
    }
    while (s->in.bytes > REDIS_IN_BYTES_MAX) {
        struct redis_pack *oldest = pull(&s->in);
        s->in_dropped += (uint64_t)oldest->signals;
        free(oldest);
        dropped = true;
    }
    if (dropped) { /* in the place of what has gone */
        struct redis_pack *g = gap_new();
        g->next = s->in.first;
        s->in.first = g;
        if (!s->in.last)
            s->in.last = g;
    }
    pthread_mutex_unlock(&s->lock);
    if (was_empty && s->wake)
        s->wake(s->wake_arg);
}

void redis_signals_link_up(struct redis_signals *s) {
    deliver(s, NULL, true);
}

void redis_signals_link_down(struct redis_signals *s, int32_t unanswered) {
    pthread_mutex_lock(&s->lock);
    if (unanswered > 0)
        s->lost = true;
    pthread_mutex_unlock(&s->lock);
}

bool redis_signals_waits(struct redis_signals *s) {
    pthread_mutex_lock(&s->lock);
    bool waits = s->out.first || s->lost;
    pthread_mutex_unlock(&s->lock);
    return waits;
}

struct redis_pack *redis_signals_take(struct redis_signals *s) {
    pthread_mutex_lock(&s->lock);
    struct redis_pack *p = pull(&s->out);
    if (!p && s->lost) { /* the others must know also if there is nothing more to say */
        p = pack_new(PACK_HEAD);
        pack_head(s, p);
    }
    if (p) {
        p->bytes[1] = s->lost ? PACK_GAP : 0;
        s->lost = false;
        s->sent += (uint64_t)p->signals;
    }
    pthread_mutex_unlock(&s->lock);
    return p;
}

void redis_signals_heard(struct redis_signals *s, struct str message) {
    bool whole;
    if (message.len < PACK_HEAD || message.p[0] != PACK_VERSION) {
        s->redis->garbage++;
        return;
    }
    if (memcmp(message.p + 2, &s->redis->origin_id, 8) == 0)
        return; /* one's own have been heard */
    struct str body = str_sub(message, PACK_HEAD, message.len);
    int32_t count = count_signals(body, &whole);
    if (!whole || message.len > PACK_BYTES) {
        s->redis->garbage++;
        return;
    }
    struct redis_pack *p = count > 0 ? pack_new(body.len) : NULL;
    if (p) {
        p->len = body.len;
        p->signals = count;
        memcpy(p->bytes, body.p, body.len);
    }
    if (p || message.p[1] & PACK_GAP)
        deliver(s, p, message.p[1] & PACK_GAP);
}

void redis_signals_fill_stats(struct redis_signals *s, struct redis_stats *ret) {
    pthread_mutex_lock(&s->lock);
    ret->signals_out = s->sent;
    ret->signals_in = s->heard;
    ret->signals_out_dropped = s->out_dropped;
    ret->signals_in_dropped = s->in_dropped;
    ret->gaps = s->gaps;
    pthread_mutex_unlock(&s->lock);
}
