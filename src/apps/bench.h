/* Benchmarks: programs that print figures. Each is run several times, each time from scratch; what
 * is quoted is the median.
 */
#ifndef LORRY_APPS_BENCH_H
#define LORRY_APPS_BENCH_H

#include "apps/config.h"
#include "base/rng.h"
#include "client/net.h"

#include <sys/types.h>

#define BENCH_FIGURES_MAX 4

/* What of the mixed load. */
enum bench_kind { BENCH_READS, BENCH_FIXES, BENCH_NEARBY, BENCH_BUSINESS, BENCH_ALL };

struct bench_run {
    struct config *config;
    const char *url; /* of a server to load, for the mixed load; NULL: one of its own */
    enum bench_kind only;
    const char *streets; /* GeoJSON, NULL: none */
    int32_t seconds;     /* how long a load lasts */
    uint64_t seed;
    double figures[BENCH_FIGURES_MAX]; /* out: in the order of the bench's units */
};
struct bench_figure {
    const char *name, *unit;
    const char *target; /* as people read it; NULL: none */
};
struct bench {
    const char *name, *what;
    struct bench_figure figures[BENCH_FIGURES_MAX]; /* name NULL ends */
    const char *params;                             /* JSON object text */
    int (*run)(struct bench_run *r);                /* 0 or an error */
};
extern const struct bench bench_table[];
extern const int32_t bench_count;

/* ---- bench_server.c: a server of our own in another process ---- */
struct bench_server {
    pid_t pid;
    int port;
    char url[64], dir[64];
    int64_t ready_us; /* from the fork to its first answer */
};
/* FILL: drivers put on the map at once, without going through the store. */
int bench_server_start(struct bench_server *s, int32_t fill, const char *streets);
void bench_server_stop(struct bench_server *s);
int64_t bench_server_memory(const struct bench_server *s,
                            const char *key); /* /proc/…/status, bytes */
void bench_dir_make(char dir[64]);
void bench_dir_remove(const char *dir);

/* ---- bench_load.c: load over HTTP ---- */
int bench_fixes(struct bench_run *r);
int bench_mixed(struct bench_run *r);
int bench_mixed_half(struct bench_run *r);
int bench_nearest(struct bench_run *r);
int bench_sockets(struct bench_run *r);

#endif
