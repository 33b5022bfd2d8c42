/* The server that a benchmark loads: this program again, in a process of its own, on a folder of
 * its own.
 */
#include "apps/bench.h"
#include "apps/platform.h"
#include "apps/settings.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "services/driver/service_internal.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void bench_dir_make(char dir[64]) {
    const char *base = getenv("LORRY_BENCH_DIR"); /* an ordinary disk, not memory */
    snprintf(dir, 64, "%.40s/lorry-bench-XXXXXX", base != NULL ? base : "/var/tmp");
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        exit(2);
    }
}

void bench_dir_remove(const char *dir) {
    DIR *d = opendir(dir);
    if (d == NULL)
        return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
    rmdir(dir);
}

/* Drivers evenly over 20 km × 20 km around Göteborg, on duty and free. */
static void fill_map(struct platform *p, int32_t count) {
    struct rng rng;
    struct arena a;
    rng_seed(&rng, 7);
    arena_init(&a, 65536);
    int64_t now_us = clock_wall_us();
    for (int32_t i = 0; i < count; i++) {
        arena_reset(&a);
        struct driver d = {.head = {.id = id_new(&a, "drv", now_us, &rng), .version = 1},
                           .name = STR("Driver"),
                           .status = STATUS_APPROVED,
                           .duty = DUTY_ON};
        struct driver_vehicle vehicle = {
            .kind = (int32_t)rng_between(&rng, VEHICLE_BIKE, VEHICLE_TRUCK)};
        d.vehicle = &vehicle;
        roster_driver(p->driver->roster, &d);
        struct point at = geo_offset(point_of(57.7, 11.97), (rng_unit(&rng) - 0.5) * 20000,
                                     (rng_unit(&rng) - 0.5) * 20000);
        struct fix fix = {.at_us = now_us, .at = at};
        struct member *m = roster_meet(p->driver->roster, d.head.id);
        m->known = true;
        roster_fix(p->driver->roster, m, &fix);
    }
    arena_free(&a);
}

static const struct config_command serve_command = {.name = "serve", .tables = settings_of_serve};
static const struct config_program bench_program = {"lorry", "", &serve_command};

/* The child: serves until it is told to end. */
static void serve(struct bench_server *s, int32_t fill, const char *streets, int ready) {
    char *argv[] = {"--data",
                    s->dir,
                    "--listen",
                    "127.0.0.1:0",
                    "--driver-approval",
                    "auto",
                    "--log-level",
                    "error",
                    "--writes-per-minute-max",
                    "0", /* a load has few accounts */
                    "--fixes-per-hour-max",
                    "0",
                    "--open-bookings-max",
                    "0",
                    "--connections-per-address-max",
                    "0",
                    streets != NULL ? "--streets" : NULL,
                    (char *)streets,
                    NULL};
    int argc = streets != NULL ? 18 : 16;
    char *envp[] = {NULL};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct config *c = xcalloc(1, sizeof(*c));
    struct platform p;
    struct str why;
    if (config_load(c, &bench_program, &serve_command, argc, argv, envp) < 0 ||
        platform_open(&p, c, &why) < 0)
        _exit(1);
    fill_map(&p, fill);
    if (write(ready, &p.port, sizeof(p.port)) != (ssize_t)sizeof(p.port))
        _exit(1);
    int which;
    sigwait(&set, &which);
    platform_close(&p);
    _exit(0);
}

int bench_server_start(struct bench_server *s, int32_t fill, const char *streets) {
    int pipe_fds[2];
    bench_dir_make(s->dir);
    if (pipe(pipe_fds) != 0)
        return ERR_LIMIT;
    int64_t since_us = clock_mono_us();
    fflush(NULL);
    s->pid = fork();
    if (s->pid == 0) {
        close(pipe_fds[0]);
        serve(s, fill, streets, pipe_fds[1]);
    }
    close(pipe_fds[1]);
    ssize_t n = read(pipe_fds[0], &s->port, sizeof(s->port));
    close(pipe_fds[0]);
    s->ready_us = clock_mono_us() - since_us;
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", s->port);
    return s->pid > 0 && n == (ssize_t)sizeof(s->port) ? 0 : ERR_UNAVAILABLE;
}

void bench_server_stop(struct bench_server *s) {
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
    bench_dir_remove(s->dir);
}

int64_t bench_server_memory(const struct bench_server *s, const char *key) {
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)s->pid);
    FILE *f = fopen(path, "re");
    long kb = -1;
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0)
            sscanf(line + strlen(key), ": %ld", &kb);
    }
    if (f != NULL)
        fclose(f);
    return kb * 1024;
}
