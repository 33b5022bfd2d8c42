#include "apps/figures.h"

#include "apps/platform.h"
#include "runtime/metrics.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The second figure of statm: pages in memory. */
static int64_t resident_bytes(void) {
    char line[128];
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL)
        return 0;
    bool read = fgets(line, sizeof(line), statm) != NULL;
    fclose(statm);
    char *second = read ? strchr(line, ' ') : NULL;
    return second != NULL ? strtoll(second, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

static int64_t open_descriptors(void) {
    int64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 3; /* ".", ".." and the folder's own */
}

static void process_metrics(struct buf *out) {
    struct rusage use;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &use) == 0)
        metric_write(out, "process_cpu_seconds_total", "counter",
                     "Processor time of all threads, user and system.",
                     (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                         (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    metric_write(out, "process_resident_memory_bytes", "gauge", "Memory that is in use.",
                 (double)resident_bytes());
    metric_write(out, "process_open_fds", "gauge", "Open descriptors: connections, files.",
                 (double)open_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metric_write(out, "process_max_fds", "gauge", "How many descriptors may be open.",
                     (double)limit.rlim_cur);
}

void platform_metrics(void *arg, struct buf *out) {
    const struct platform *p = arg;
    process_metrics(out);
    if (p->stores.metrics != NULL)
        p->stores.metrics(p->stores.own, out);
    struct http_counters n;
    if (p->http == NULL)
        return;
    http_counters_read(p->http, &n);
    metric_write(out, "lorry_http_connections_open", "gauge", "Connections, WebSockets included.",
                 (double)n.connections_open);
    metric_write(out, "lorry_http_connections_max", "gauge", "How many there may be.",
                 (double)config_int(p->config, "connections_max"));
    metric_write(out, "lorry_http_requests_in_flight", "gauge", "Requests not yet answered.",
                 (double)n.requests_in_flight);
    metric_write(out, "lorry_http_connections_total", "counter", "Connections that were taken.",
                 (double)n.connections_accepted);
    metric_write(out, "lorry_http_connections_refused_total", "counter",
                 "Connections closed as they came, because there were too many.",
                 (double)n.connections_refused);
    metric_write(out, "lorry_http_received_bytes_total", "counter", "Bytes that came in.",
                 (double)n.bytes_in);
    metric_write(out, "lorry_http_sent_bytes_total", "counter", "Bytes that went out.",
                 (double)n.bytes_out);
}
