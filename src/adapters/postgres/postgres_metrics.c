/* The figures of a source in Prometheus' text format. */
#include "adapters/postgres/postgres_private.h"

static void head(struct buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void metric(struct buf *out, const char *name, const char *type, const char *help,
                   double value) {
    head(out, name, type, help);
    buf_printf(out, "%s %.15g\n", name, value);
}

static void replica_metrics(struct buf *out, const struct postgres_stats *s) {
    const char *lists = "lorry_store_replica_lists_total";
    metric(out, "lorry_store_replica_lag_seconds", "gauge",
           "How far the read replica was behind at most, when a list was last asked of it.",
           (double)s->replica_lag_us / 1e6);
    head(out, lists, "counter",
         "Lists that may come from the read replica: from there, or from the primary since it was "
         "away or too far behind.");
    buf_printf(out, "%s{from=\"replica\"} %lld\n", lists, (long long)s->replica_lists);
    buf_printf(out, "%s{from=\"primary_replica_away\"} %lld\n", lists, (long long)s->replica_away);
    buf_printf(out, "%s{from=\"primary_replica_behind\"} %lld\n", lists,
               (long long)s->replica_behind);
}

void postgres_source_metrics(struct postgres_source *source, struct buf *out) {
    struct postgres_stats s;
    postgres_source_stats(source, &s);
    metric(out, "lorry_store_connections", "gauge", "Connections to PostgreSQL that are there.",
           (double)(s.writers_connected + s.readers_connected));
    metric(out, "lorry_store_connections_wanted", "gauge", "How many there should be.",
           (double)(s.writers + s.readers));
    metric(out, "lorry_store_reconnects_total", "counter", "Connections lost and made again.",
           (double)s.reconnects);
    metric(out, "lorry_store_commits_retried_total", "counter",
           "Batches done again after a deadlock or a race with another writer.",
           (double)s.commits_retried);
    metric(out, "lorry_store_events_adopted_total", "counter",
           "Events taken over from processes that are gone.", (double)s.events_adopted);
    if (s.has_replica)
        replica_metrics(out, &s);
}
