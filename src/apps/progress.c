#include "apps/progress.h"

#include "base/timestamp.h"

#include <stdio.h>
#include <unistd.h>

#define EVERY_US (250 * US_PER_MS)

void progress_begin(struct progress *p, const char *unit, int64_t per_unit) {
    int64_t now_us = clock_mono_us();
    *p = (struct progress){.terminal = isatty(2) != 0,
                           .began_us = now_us,
                           .next_us = now_us + EVERY_US,
                           .unit = unit,
                           .per_unit = per_unit};
}

void progress_show(struct progress *p, int64_t done, int64_t all) {
    if (!p->terminal)
        return;
    int64_t now_us = clock_mono_us();
    if (now_us < p->next_us)
        return;
    p->next_us = now_us + EVERY_US;
    p->shown = true;
    double seconds = (double)(now_us - p->began_us) / (double)US_PER_S;
    double rate = (double)done / (double)p->per_unit / seconds;
    fprintf(stderr, "\r\033[K%lld %s, %.0f a second", (long long)(done / p->per_unit), p->unit,
            rate);
    if (all > 0)
        fprintf(stderr, ", %d %%", (int)(100 * done / all));
    fflush(stderr);
}

double progress_end(struct progress *p) {
    if (p->shown)
        fputs("\r\033[K", stderr);
    double seconds = (double)(clock_mono_us() - p->began_us) / (double)US_PER_S;
    return seconds < 0.001 ? 0.001 : seconds;
}
