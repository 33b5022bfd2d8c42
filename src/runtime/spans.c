/* The buffer is a ring of spans, copied in and out under one lock: a span is some 600 bytes, so
 * whoever ends one holds the lock for about 100 ns, and the exporter for some 20 µs a batch.
 */
#include "runtime/spans.h"

#include "base/check.h"
#include "base/timestamp.h"
#include "base/units.h"
#include "runtime/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct spans {
    uint64_t judged_below; /* the last 63 bits of a trace's id, if it is to be recorded */
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct span *ring; /* SPANS_MAX of them */
    int32_t first, count;
    bool closed;
    _Atomic uint64_t recorded, full, sent, lost, failures;
};

struct spans *spans_new(double sample) {
    struct spans *s = xcalloc(1, sizeof *s);
    pthread_condattr_t clock;
    CHECK(sample >= 0 && sample <= 1);
    s->judged_below = sample >= 1 ? UINT64_MAX : (uint64_t)(sample * 0x1p63);
    s->ring = xcalloc(SPANS_MAX, sizeof *s->ring);
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    CHECK(pthread_condattr_init(&clock) == 0);
    CHECK(pthread_condattr_setclock(&clock, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&s->more, &clock) == 0);
    pthread_condattr_destroy(&clock);
    return s;
}

struct spans *spans_free(struct spans *s) {
    if (s) {
        pthread_cond_destroy(&s->more);
        pthread_mutex_destroy(&s->lock);
        free(s->ring);
        free(s);
    }
    return NULL;
}

/* ---- a span ---- */

void spans_judge(const struct spans *s, struct traceparent *t) {
    uint64_t low = 0;
    if (!s || !t->there)
        return;
    for (int i = TRACE_ID_BYTES - 8; i < TRACE_ID_BYTES; i++)
        low = low << 8 | t->trace_id[i];
    t->sampled = (low >> 1) < s->judged_below;
}

struct span *span_begin_trace(const struct spans *s, struct arena *a, struct traceparent *t,
                              enum span_kind kind, int64_t now_us) {
    if (!s || !t->there || !t->sampled)
        return NULL;
    struct span *span = a ? arena_new(a, struct span) : xcalloc(1, sizeof *span);
    span->self = *t;
    span->kind = kind;
    span->start_us = now_us;
    return span;
}

struct span *span_begin(const struct spans *s, struct arena *a, struct rng *rng,
                        struct traceparent *t, enum span_kind kind, int64_t now_us) {
    struct span *span = span_begin_trace(s, a, t, kind, now_us);
    if (!span)
        return NULL;
    memcpy(span->parent_id, t->span_id, SPAN_ID_BYTES);
    span->has_parent = true;
    rng_bytes(rng, t->span_id, SPAN_ID_BYTES);
    t->span_id[0] |= (uint8_t)(t->span_id[0] == 0); /* never all zero */
    span->self = *t;
    return span;
}

/* COUNT bytes of TEXT, or fewer, so that no character is cut in two. */
static size_t cut(const char *text, size_t count) {
    while (count > 0 && ((unsigned char)text[count] & 0xC0) == 0x80)
        count--;
    return count;
}

void span_name(struct span *span, const char *format, ...) {
    va_list args;
    if (!span)
        return;
    va_start(args, format);
    int len = vsnprintf(span->name, sizeof span->name, format, args);
    va_end(args);
    if (len >= (int)sizeof span->name) { /* whatever begins at the end of it is not whole */
        size_t end = sizeof span->name - 1;
        while (end > 0 && ((unsigned char)span->name[end - 1] & 0x80) != 0)
            end--;
        span->name[end] = '\0';
    }
}

static struct span_attribute *add(struct span *span, const char *key) {
    CHECK(span->attribute_count < SPAN_ATTRIBUTES_MAX);
    struct span_attribute *a = &span->attributes[span->attribute_count++];
    *a = (struct span_attribute){.key = key};
    return a;
}

void span_text(struct span *span, const char *key, struct str value) {
    if (!span || !value.p)
        return;
    struct span_attribute *a = add(span, key);
    size_t room = SPAN_TEXTS_MAX - (size_t)span->texts_len;
    size_t len = value.len <= room ? value.len : cut(value.p, room);
    a->is_text = true;
    a->at = span->texts_len;
    a->len = (int32_t)len;
    if (len > 0)
        memcpy(span->texts + a->at, value.p, len);
    span->texts_len += a->len;
}

void span_number(struct span *span, const char *key, int64_t value) {
    if (span)
        add(span, key)->number = value;
}

void span_fail(struct span *span, const char *error_type) {
    if (!span)
        return;
    span->failed = true;
    span_text(span, "error.type", str_from(error_type));
}

void span_end(struct spans *s, struct span *span, int64_t now_us) {
    if (!s || !span)
        return;
    span->end_us = now_us > span->start_us ? now_us : span->start_us; /* clocks are put back */
    pthread_mutex_lock(&s->lock);
    bool room = s->count < SPANS_MAX;
    if (room)
        s->ring[(s->first + s->count++) % SPANS_MAX] = *span;
    if (s->count == SPANS_BATCH_MAX)
        pthread_cond_signal(&s->more);
    pthread_mutex_unlock(&s->lock);
    s->recorded++;
    s->full += !room;
}

/* ---- the exporter ---- */

static struct timespec deadline(int64_t at_us) {
    return (struct timespec){.tv_sec = at_us / US_PER_S, .tv_nsec = at_us % US_PER_S * 1000};
}

int32_t spans_take(struct spans *s, struct span *out, int32_t max, int64_t wait_us) {
    const struct timespec until = deadline(clock_mono_us() + wait_us);
    pthread_mutex_lock(&s->lock);
    while (!s->closed && s->count < SPANS_BATCH_MAX)
        if (wait_us <= 0 || pthread_cond_timedwait(&s->more, &s->lock, &until) == ETIMEDOUT)
            break;
    int32_t n = s->count < max ? s->count : max;
    for (int32_t i = 0; i < n; i++)
        out[i] = s->ring[(s->first + i) % SPANS_MAX];
    s->first = (s->first + n) % SPANS_MAX;
    s->count -= n;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void spans_sent(struct spans *s, int64_t count) {
    s->sent += (uint64_t)count;
}

void spans_lost(struct spans *s, int64_t count) {
    s->lost += (uint64_t)count;
}

void spans_failed(struct spans *s) {
    s->failures++;
}

void spans_close(struct spans *s) {
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
}

bool spans_closed(struct spans *s) {
    pthread_mutex_lock(&s->lock);
    bool closed = s->closed;
    pthread_mutex_unlock(&s->lock);
    return closed;
}

int32_t spans_waiting(struct spans *s) {
    pthread_mutex_lock(&s->lock);
    int32_t count = s->count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

void spans_metrics(struct spans *s, struct buf *out) {
    if (!s)
        return;
    metric_write(out, "lorry_otlp_spans_total", "counter", "Spans that were recorded.",
                 (double)s->recorded);
    metric_write(out, "lorry_otlp_spans_sent_total", "counter",
                 "Spans that the collector has taken.", (double)s->sent);
    metric_head(out, "lorry_otlp_spans_dropped_total", "counter",
                "Spans that were dropped: no room while the collector was away, or not taken by "
                "it in time or at all.");
    buf_printf(out, "lorry_otlp_spans_dropped_total{reason=\"full\"} %llu\n",
               (unsigned long long)s->full);
    buf_printf(out, "lorry_otlp_spans_dropped_total{reason=\"refused\"} %llu\n",
               (unsigned long long)s->lost);
    metric_write(out, "lorry_otlp_failures_total", "counter", "Attempts to send spans that failed.",
                 (double)s->failures);
    metric_write(out, "lorry_otlp_spans_waiting", "gauge", "Spans that wait to be sent.",
                 (double)spans_waiting(s));
}
