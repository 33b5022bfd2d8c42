/* The exporter of spans: takes them from the buffer (runtime/spans.h) and posts them to a collector
 * by OTLP over HTTP, in its JSON form, from one thread of its own. Nobody waits for it: while the
 * collector is away it tries again, ever more seldom, and what no longer fits in the buffer is
 * dropped and counted.
 */
#ifndef LORRY_ADAPTERS_OTLP_OTLP_H
#define LORRY_ADAPTERS_OTLP_OTLP_H

#include "base/log.h"
#include "base/module.h"
#include "runtime/spans.h"

struct otlp_options {
    const char *url;      /* of the collector, "http://127.0.0.1:4318": /v1/traces goes behind it */
    const char *service;  /* service.name: what this process does */
    const char *instance; /* service.instance.id: unique to this process */
    uint64_t seed;        /* for the jitter of its waiting */
    struct spans *spans;  /* closed by otlp_close; freed by the caller, after it */
    const struct log *log;
};

struct otlp;
/* Connects to nothing yet. All texts are copied. On failure *RET_WHY, in A, says what is wrong. */
int otlp_open(const struct otlp_options *o, struct arena *a, struct otlp **ret,
              struct str *ret_why);
/* Sends what waits, for 3 s at most, and ends. NULL ok. */
void otlp_close(struct otlp *o);

/* Pure. Appends the body of a request with COUNT spans. */
struct otlp_resource {
    const char *service, *instance, *host;
    int64_t pid;
};
void otlp_encode(const struct otlp_resource *r, const struct span *spans, int32_t count,
                 struct buf *out);

/* What the module lorry-otlp.so exports (base/module.h). */
struct otlp_module {
    struct module module;
    int (*open)(const struct otlp_options *o, struct arena *a, struct otlp **ret,
                struct str *ret_why);
    void (*close)(struct otlp *o);
};

#endif
