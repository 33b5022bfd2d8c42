#include "runtime/metrics.h"

#include "base/check.h"

void metric_head(struct buf *out, const char *name, const char *kind, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

void metric_write(struct buf *out, const char *name, const char *kind, const char *help,
                  double value) {
    metric_head(out, name, kind, help);
    buf_printf(out, "%s %.17g\n", name, value);
}

void metric_histogram(struct buf *out, const char *name, const char *labels,
                      const struct histogram *h, const int64_t *edges_us, int count) {
    uint64_t below[METRIC_EDGES_MAX] = {0}, total = 0;
    CHECK(count <= METRIC_EDGES_MAX);
    for (int b = 0; b < HISTOGRAM_BUCKETS; b++) {
        uint64_t n = h->buckets[b];
        total += n;
        for (int i = 0; n > 0 && i < count; i++) {
            if (histogram_edge_us(b) <= edges_us[i])
                below[i] += n;
        }
    }
    const char *comma = labels[0] != '\0' ? "," : "";
    const char *open = labels[0] != '\0' ? "{" : "", *close = labels[0] != '\0' ? "}" : "";
    for (int i = 0; i < count; i++)
        buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma,
                   (double)edges_us[i] / 1e6, (unsigned long long)below[i]);
    buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
               (unsigned long long)total);
    buf_printf(out, "%s_sum%s%s%s %.6f\n", name, open, labels, close, (double)h->sum_us / 1e6);
    buf_printf(out, "%s_count%s%s%s %llu\n", name, open, labels, close, (unsigned long long)total);
}
