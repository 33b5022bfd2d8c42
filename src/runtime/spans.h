/* Spans: what a trace (base/traceparent.h) is made of. Whoever does a piece of work for a request
 * that is being traced begins a span, says what there is to say of it, and ends it; what has ended
 * waits in a bounded buffer until an exporter (adapters/otlp) takes it.
 *
 * Where nothing is exported there is no struct spans; where a trace is not sampled span_begin gives
 * NULL. Every function takes either as NULL and does nothing, so that those who work need not ask.
 *
 * A span belongs to whoever began it; any thread may end it. Ending never waits: the buffer's lock
 * is held while one span is copied, or a batch is taken, and a span without room is counted and
 * dropped.
 */
#ifndef LORRY_RUNTIME_SPANS_H
#define LORRY_RUNTIME_SPANS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rng.h"
#include "base/traceparent.h"

#define SPANS_MAX 4096      /* that wait for the exporter */
#define SPANS_BATCH_MAX 256 /* taken at once */
#define SPAN_NAME_MAX 96    /* with its NUL; what is longer is cut, as are … */
#define SPAN_TEXTS_MAX 320  /* … all its texts together */
#define SPAN_ATTRIBUTES_MAX 8

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER, SPAN_CLIENT, SPAN_PRODUCER, SPAN_CONSUMER };

struct span_attribute {
    const char *key; /* static */
    bool is_text;
    int32_t at, len; /* a text: where in `texts` */
    int64_t number;
};

struct span {
    struct traceparent self; /* its trace and its own id */
    uint8_t parent_id[SPAN_ID_BYTES];
    bool has_parent; /* false: it begins the trace */
    bool failed;
    enum span_kind kind;
    int64_t start_us, end_us; /* wall clock */
    char name[SPAN_NAME_MAX];
    struct span_attribute attributes[SPAN_ATTRIBUTES_MAX];
    int32_t attribute_count, texts_len;
    char texts[SPAN_TEXTS_MAX];
};

struct spans;

/* Of the traces that begin here SAMPLE (0..1) are recorded; those that come from elsewhere, as
 * their traceparent says. */
struct spans *spans_new(double sample);
struct spans *spans_free(struct spans *s); /* NULL ok; returns NULL */

/* T is a trace that begins here: is it to be recorded? The same id is judged alike everywhere. */
void spans_judge(const struct spans *s, struct traceparent *t);

/* A piece of work that T's span has caused; from here on T names the new span, so that what follows
 * from it is hung below it. In A, or on the heap (A NULL: free() it). */
struct span *span_begin(const struct spans *s, struct arena *a, struct rng *rng,
                        struct traceparent *t, enum span_kind kind, int64_t now_us);
/* The same where nobody was before: T is a new trace, and the span is its first. */
struct span *span_begin_trace(const struct spans *s, struct arena *a, struct traceparent *t,
                              enum span_kind kind, int64_t now_us);
void span_name(struct span *span, const char *format, ...) __attribute__((format(printf, 2, 3)));
void span_text(struct span *span, const char *key, struct str value);
void span_number(struct span *span, const char *key, int64_t value);
void span_fail(struct span *span, const char *error_type); /* static */
/* It is over. The span itself stays its owner's. */
void span_end(struct spans *s, struct span *span, int64_t now_us);

/* ---- for the exporter: one thread ---- */

/* Up to MAX of what waits, oldest first; waits up to WAIT_US for SPANS_BATCH_MAX of them, or for
 * the close. */
int32_t spans_take(struct spans *s, struct span *out, int32_t max, int64_t wait_us);
/* What became of COUNT that were taken. */
void spans_sent(struct spans *s, int64_t count);
void spans_lost(struct spans *s, int64_t count);
void spans_failed(struct spans *s); /* an attempt to send; it may be tried again */
void spans_close(struct spans *s);  /* nobody waits any more */
bool spans_closed(struct spans *s);
int32_t spans_waiting(struct spans *s);

/* Figures in Prometheus' text format. Any thread. */
void spans_metrics(struct spans *s, struct buf *out);

#endif
