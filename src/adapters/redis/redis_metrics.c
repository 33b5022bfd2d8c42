/* The figures of a struct redis in Prometheus' text format. */
#include "adapters/redis/redis_private.h"

static void metric(struct buf *out, const char *name, const char *type, const char *help,
                   double value) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

static void cache_metrics(struct buf *out, const struct redis_stats *s) {
    metric(out, "lorry_cache_connected", "gauge", "1 while Redis is there.", s->connected);
    metric(out, "lorry_cache_ready", "gauge", "1 while this process knows what Redis knows.",
           s->ready);
    metric(out, "lorry_cache_connects_total", "counter", "Connections to Redis that were made.",
           (double)s->connects);
    metric(out, "lorry_cache_failures_total", "counter",
           "Connections to Redis that failed or broke.", (double)s->failures);
    metric(out, "lorry_cache_garbage_total", "counter", "Messages of Redis that were none of ours.",
           (double)s->garbage);
    metric(out, "lorry_cache_entries", "gauge", "Entries in this process's mirror.",
           (double)s->mirror_entries);
    metric(out, "lorry_cache_evicted_total", "counter", "Living entries that had to make room.",
           (double)s->evicted);
    metric(out, "lorry_cache_waiting_writes", "gauge", "Keys that Redis has not been told of.",
           (double)s->waiting_writes);
    metric(out, "lorry_cache_lag_seconds", "gauge",
           "Age of the oldest write that Redis has not confirmed.", (double)s->sync_lag_us / 1e6);
    metric(out, "lorry_cache_sync_seconds", "gauge", "What the last batch of writes took.",
           (double)s->sync_us / 1e6);
}

static void signals_metrics(struct buf *out, const struct redis_stats *s) {
    metric(out, "lorry_signals_sent_total", "counter", "Signals given to Redis for the others.",
           (double)s->signals_out);
    metric(out, "lorry_signals_heard_total", "counter", "Signals of other processes.",
           (double)s->signals_in);
    metric(out, "lorry_signals_unsent_total", "counter",
           "Signals that were dropped for want of Redis or of room.",
           (double)s->signals_out_dropped);
    metric(out, "lorry_signals_unheard_total", "counter",
           "Signals of others that were dropped for want of room.", (double)s->signals_in_dropped);
    metric(out, "lorry_signals_gaps_total", "counter",
           "How often listeners were told that they may have missed some.", (double)s->gaps);
}

void redis_metrics(struct redis *r, struct buf *out) {
    struct redis_stats s;
    redis_stats(r, &s);
    cache_metrics(out, &s);
    if (r->signals)
        signals_metrics(out, &s);
}
