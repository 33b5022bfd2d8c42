/* What /metrics tells of the process and its network, under the runtime. */
#ifndef LORRY_APPS_FIGURES_H
#define LORRY_APPS_FIGURES_H

#include "base/buf.h"

/* ARG: the platform. The process' figures have the names that Prometheus' own clients give them, so
 * that common dashboards and alerts fit. Any thread; reads a few files of /proc. */
void platform_metrics(void *arg, struct buf *out);

#endif
