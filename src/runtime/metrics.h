/* Figures in the text format of Prometheus, for /metrics. Names follow its conventions (seconds,
 * bytes,
 * `_total` for counters), and every metric has a line of help. All of it goes to the end of OUT.
 */
#ifndef LORRY_RUNTIME_METRICS_H
#define LORRY_RUNTIME_METRICS_H

#include "base/buf.h"
#include "base/histogram.h"

/* HELP and TYPE; the samples follow. KIND: "counter", "gauge" or "histogram". */
void metric_head(struct buf *out, const char *name, const char *kind, const char *help);
/* A metric of one sample without labels, with its head. */
void metric_write(struct buf *out, const char *name, const char *kind, const char *help,
                  double value);
/* The samples of a histogram, in seconds. LABELS: `method="GET",route="/v1/me"`, or "". EDGES_US
 * rise; the last bucket, +Inf, follows by itself. */
#define METRIC_EDGES_MAX 16
void metric_histogram(struct buf *out, const char *name, const char *labels,
                      const struct histogram *h, const int64_t *edges_us, int count);

#endif
