/* How far long work is, for who looks at a terminal (standard error; nothing if it is none). */
#ifndef LORRY_APPS_PROGRESS_H
#define LORRY_APPS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown, terminal;
    int64_t began_us, next_us; /* by the monotonic clock */
    const char *unit;          /* "MB", "records" */
    int64_t per_unit;          /* 1000000 for MB */
};

void progress_begin(struct progress *p, const char *unit, int64_t per_unit);
/* DONE of ALL (0: unknown), some times a second at most. */
void progress_show(struct progress *p, int64_t done, int64_t all);
/* Wipes the line away. Returns the seconds since the begin, at least one millisecond. */
double progress_end(struct progress *p);

#endif
