/* `lorry check`: seeds of the simulator, each run twice, spread over some child processes. A child
 * tells its parent which seed it begins with and how it ended, so that a seed that brings the
 * process down (a failed CHECK, a sanitizer) is named, too.
 */
#include "base/check.h"
#include "apps/commands.h"
#include "base/timestamp.h"
#include "sim/check.h"
#include "json/writer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 64
#define SEEDS_MAX 100000000
#define FILE_SEEDS_MAX 10000
#define FAILURES_SHOWN_MAX 5

static const struct config_setting settings[] = {
    {.key = "seeds",
     .kind = CONFIG_INT,
     .fallback = "200",
     .min = 1,
     .max = SEEDS_MAX,
     .help = "How many seeds to run"},
    {.key = "seed",
     .kind = CONFIG_INT,
     .max = INT64_MAX,
     .help = "Run this one alone, as it ran before"},
    {.key = "first",
     .kind = CONFIG_INT,
     .max = INT64_MAX,
     .help = "The first of the seeds; without it they are fresh each time"},
    {.key = "seeds_file",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "Run the seeds in this file, one a line, # begins a comment"},
    {.key = "for",
     .kind = CONFIG_DURATION,
     .fallback = "0",
     .max = 864000,
     .help = "Run as many seeds as can be begun in this time; 0: as many as seeds says"},
    {.key = "bookings",
     .kind = CONFIG_INT,
     .fallback = "24",
     .min = 1,
     .max = SIM_BOOKINGS_MAX,
     .help = "Bookings in each seed"},
    {.key = "jobs",
     .kind = CONFIG_INT,
     .fallback = "0",
     .max = JOBS_MAX,
     .help = "Seeds run at once; 0 is one for each processor"},
    {.key = "keep_going",
     .kind = CONFIG_BOOL,
     .fallback = "true",
     .help = "Whether to go on after a seed has failed"},
    {.key = "replicas",
     .kind = CONFIG_BOOL,
     .fallback = "false",
     .help = "Two processes of booking, driver and notification each, all on one store"},
    {.key = "calm", .kind = CONFIG_BOOL, .fallback = "false", .help = "No faults at all"},
    {.key = "trace",
     .kind = CONFIG_BOOL,
     .fallback = "false",
     .help = "Print all that happens (with --seed)"},
    {.key = "json", .kind = CONFIG_BOOL, .fallback = "false", .help = "One JSON object at the end"},
};
static const struct config_table table = {"Simulator", settings, (int32_t)COUNT_OF(settings)};
const struct config_table *const check_tables[] = {&table, NULL};

/* ---- one seed ---- */

enum report_kind { REPORT_BEGIN, REPORT_END };
struct report {
    int64_t kind;
    uint64_t seed;
    int64_t took_us;
    struct sim_result result;
};

/* Runs SEED twice. */
static void run_seed(const struct sim_options *o, uint64_t seed, struct report *ret) {
    struct sim_options again = *o;
    struct sim_result *second = calloc(1, sizeof(*second));
    CHECK(second != NULL);
    int64_t began_us = clock_mono_us();
    *ret = (struct report){.kind = REPORT_END, .seed = seed};
    sim_run_seed(o, seed, &ret->result);
    again.trace = false;
    sim_run_seed(&again, seed, second);
    if (!ret->result.failed && second->trace_hash != ret->result.trace_hash) {
        ret->result.failed = true;
        snprintf(ret->result.invariant, sizeof(ret->result.invariant), "a seed replays");
        snprintf(ret->result.what, sizeof(ret->result.what),
                 "two runs went differently: trace %016llx, then %016llx",
                 (unsigned long long)ret->result.trace_hash,
                 (unsigned long long)second->trace_hash);
    }
    ret->took_us = clock_mono_us() - began_us;
    free(second);
}

/* ---- which seeds ---- */

struct plan {
    struct sim_options options;
    uint64_t *listed; /* NULL: first, first + 1, … */
    int64_t count;    /* INT64_MAX: until the time is over */
    uint64_t first;
    int64_t until_us; /* 0: no end */
    int32_t jobs;
};

static uint64_t seed_at(const struct plan *p, int64_t i) {
    return p->listed != NULL ? p->listed[i] : p->first + (uint64_t)i;
}

static int read_seeds(struct plan *p, const char *path) {
    FILE *f = fopen(path, "r");
    char line[256];
    if (f == NULL) {
        fprintf(stderr, "lorry: cannot read %s: %s\n", path, strerror(errno));
        return -1;
    }
    p->listed = calloc(FILE_SEEDS_MAX, sizeof(uint64_t));
    CHECK(p->listed != NULL);
    p->count = 0;
    while (p->count < FILE_SEEDS_MAX && fgets(line, sizeof(line), f) != NULL) {
        char *end;
        unsigned long long seed = strtoull(line, &end, 10);
        if (end != line)
            p->listed[p->count++] = seed;
    }
    fclose(f);
    return 0;
}

static int make_plan(const struct config *c, struct plan *p) {
    *p = (struct plan){.options = {.bookings = (int32_t)config_int(c, "bookings"),
                                   .calm = config_bool(c, "calm"),
                                   .replicas = config_bool(c, "replicas")},
                       .count = config_int(c, "seeds"),
                       .jobs = (int32_t)config_int(c, "jobs")};
    int64_t for_s = config_int(c, "for");
    if (for_s > 0) {
        p->until_us = clock_mono_us() + for_s * US_PER_S;
        p->count = config_is_given(c, "seeds") ? p->count : SEEDS_MAX;
    }
    if (config_is_given(c, "seed")) {
        p->first = (uint64_t)config_int(c, "seed");
        p->count = 1;
        p->options.trace = config_bool(c, "trace");
    } else if (config_is_given(c, "first")) {
        p->first = (uint64_t)config_int(c, "first");
    } else {
        p->first = (uint64_t)randombytes_uniform(1000000000) * 1000;
    }
    if (p->jobs == 0)
        p->jobs = (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
    if (p->jobs < 1 || p->jobs > JOBS_MAX)
        p->jobs = p->jobs < 1 ? 1 : JOBS_MAX;
    return config_is_given(c, "seeds_file") ? read_seeds(p, config_cstr(c, "seeds_file")) : 0;
}

/* ---- children ---- */

struct child {
    pid_t pid;
    int fd;
    uint64_t seed; /* the one it is at */
    bool busy;
    size_t have;
    struct report report;
};

static void write_all(int fd, const void *bytes, size_t len) {
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno != EINTR)
            _exit(3); /* the parent is gone */
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

static _Noreturn void child_run(const struct plan *p, int32_t index, int fd) {
    struct report *r = calloc(1, sizeof(*r));
    CHECK(r != NULL);
    for (int64_t i = index; i < p->count; i += p->jobs) {
        if (p->until_us > 0 && clock_mono_us() >= p->until_us)
            break;
        *r = (struct report){.kind = REPORT_BEGIN, .seed = seed_at(p, i)};
        write_all(fd, r, sizeof(*r));
        run_seed(&p->options, seed_at(p, i), r);
        write_all(fd, r, sizeof(*r));
    }
    fflush(stdout);
    _exit(0);
}

static int child_start(const struct plan *p, int32_t index, struct child *ret) {
    int ends[2];
    if (pipe(ends) < 0)
        return -1;
    fflush(stdout);
    fflush(stderr);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child_run(p, index, ends[1]);
    }
    close(ends[1]);
    *ret = (struct child){.pid = pid, .fd = ends[0]};
    return pid < 0 ? -1 : 0;
}

/* ---- the sum of it ---- */

struct sum {
    int64_t seeds, failed, bookings, delivered, cancelled, expired, not_deliverable, imported,
        recurred, returned, stops_changed, notes_changed;
    int64_t virtual_us, calls, commits, frames, fixes, fences, crashes;
    int64_t chained, unchained, early, posted;
    uint64_t faults[SIM_FAULT_COUNT];
    int64_t began_us, shown_us;
    bool progress, keep_going;
};

static void clear_progress(const struct sum *s) {
    if (s->progress)
        fprintf(stderr, "\r\033[K");
}

static void show_failure(struct sum *s, uint64_t seed, const char *invariant, const char *what,
                         const char *tail) {
    if (s->failed++ >= FAILURES_SHOWN_MAX)
        return;
    clear_progress(s);
    fprintf(stderr,
            "seed %llu FAILED: %s\n  %s\n%s  replay it with: lorry check --seed %llu "
            "(and the same --bookings and --replicas)\n\n",
            (unsigned long long)seed, invariant, what, tail, (unsigned long long)seed);
}

static double per_hour(const struct sum *s) {
    double hours = (double)(clock_mono_us() - s->began_us) / 3600e6;
    return hours > 0 ? (double)s->bookings / hours : 0;
}

static void show_progress(struct sum *s) {
    int64_t now_us = clock_mono_us();
    if (!s->progress || now_us - s->shown_us < 200 * US_PER_MS)
        return;
    s->shown_us = now_us;
    fprintf(stderr, "\r\033[K%lld seeds, %lld bookings, %lld failed, %.0f bookings an hour",
            (long long)s->seeds, (long long)s->bookings, (long long)s->failed, per_hour(s));
    fflush(stderr);
}

static void add_result(struct sum *s, const struct report *r) {
    const struct sim_result *x = &r->result;
    s->seeds++;
    s->bookings += x->bookings;
    s->delivered += x->delivered;
    s->cancelled += x->cancelled;
    s->expired += x->expired;
    s->not_deliverable += x->not_deliverable;
    s->imported += x->imported;
    s->recurred += x->recurred;
    s->returned += x->returned;
    s->stops_changed += x->stops_changed;
    s->notes_changed += x->notes_changed;
    s->virtual_us += x->virtual_us;
    s->calls += x->calls;
    s->commits += x->commits;
    s->frames += x->frames;
    s->fixes += x->fixes;
    s->fences += x->fences;
    s->crashes += x->crashes;
    s->early += x->early;
    s->posted += x->posted;
    s->chained += x->chained;
    s->unchained += x->unchained;
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        s->faults[i] += x->faults[i];
    if (x->failed)
        show_failure(s, r->seed, x->invariant, x->what, x->tail);
}

/* ---- listening to the children ---- */

static void on_report(struct sum *s, struct child *c) {
    c->have = 0;
    c->seed = c->report.seed;
    c->busy = c->report.kind == REPORT_BEGIN;
    if (!c->busy)
        add_result(s, &c->report);
    show_progress(s);
}

static void on_end(struct sum *s, struct child *c) {
    int status = 0;
    char what[128];
    close(c->fd);
    c->fd = -1;
    waitpid(c->pid, &status, 0);
    if (!c->busy)
        return;
    s->seeds++;
    if (WIFSIGNALED(status))
        snprintf(what, sizeof(what), "the process died of signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(what, sizeof(what), "the process ended with status %d", WEXITSTATUS(status));
    show_failure(s, c->seed, "the services stay alive", what, "");
}

/* Kills the children: a seed has failed, and nobody wants to know more. */
static void give_up(struct child *children, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (children[i].fd < 0)
            continue;
        kill(children[i].pid, SIGKILL);
        waitpid(children[i].pid, NULL, 0);
        close(children[i].fd);
    }
}

static void listen_to(struct sum *s, struct child *children, int32_t count) {
    int32_t open = count;
    while (open > 0) {
        if (s->failed > 0 && !s->keep_going) {
            give_up(children, count);
            return;
        }
        struct pollfd fds[JOBS_MAX];
        for (int32_t i = 0; i < count; i++)
            fds[i] = (struct pollfd){.fd = children[i].fd, .events = POLLIN};
        if (poll(fds, (nfds_t)count, 1000) < 0 && errno != EINTR)
            return;
        for (int32_t i = 0; i < count; i++) {
            struct child *c = &children[i];
            if (c->fd < 0 || fds[i].revents == 0)
                continue;
            ssize_t n = read(c->fd, (char *)&c->report + c->have, sizeof(c->report) - c->have);
            c->have += n > 0 ? (size_t)n : 0;
            if (c->have == sizeof(c->report)) {
                on_report(s, c);
            } else if (n == 0 || (n < 0 && errno != EINTR)) {
                on_end(s, c);
                open--;
            }
        }
    }
}

/* ---- for people, and for machines ---- */

static void print_summary(const struct sum *s, const struct plan *p) {
    double took_s = (double)(clock_mono_us() - s->began_us) / 1e6;
    printf("%lld seeds, each run twice: %lld failed\n", (long long)s->seeds, (long long)s->failed);
    if (p->listed == NULL && s->seeds > 0)
        printf("seeds from %llu\n", (unsigned long long)p->first);
    printf("%lld bookings (counted once): %lld delivered, %lld cancelled, %lld expired, "
           "%lld not deliverable, %lld brought back\n",
           (long long)s->bookings, (long long)s->delivered, (long long)s->cancelled,
           (long long)s->expired, (long long)s->not_deliverable, (long long)s->returned);
    printf("%lld of them rows of files, %lld days of recurrences; stops changed %lld times, "
           "notes %lld times\n",
           (long long)s->imported, (long long)s->recurred, (long long)s->stops_changed,
           (long long)s->notes_changed);
    printf("%lld taken while another was carried, of which %lld were begun; %lld for later looked "
           "for early\n",
           (long long)s->chained + (long long)s->unchained, (long long)s->chained,
           (long long)s->early);
    printf("%lld events told to webhooks\n", (long long)s->posted);
    printf("%lld calls, %lld commits, %lld frames, %lld fixes, %lld comings and goings\n",
           (long long)s->calls, (long long)s->commits, (long long)s->frames, (long long)s->fixes,
           (long long)s->fences);
    printf("%.1f hours of simulated time in %.1f s: %.0f bookings an hour (with both runs: %.0f)\n",
           (double)s->virtual_us / 3600e6, took_s, per_hour(s), 2 * per_hour(s));
    printf("faults:\n");
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        printf("  %8llu %s\n", (unsigned long long)s->faults[i], sim_fault_names[i]);
}

static void print_json(const struct sum *s, const struct plan *p, struct arena *a) {
    double took_s = (double)(clock_mono_us() - s->began_us) / 1e6;
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"seeds", s->seeds},
                   {"failed", s->failed},
                   {"first", (int64_t)p->first},
                   {"bookings", s->bookings},
                   {"delivered", s->delivered},
                   {"cancelled", s->cancelled},
                   {"expired", s->expired},
                   {"not_deliverable", s->not_deliverable},
                   {"imported", s->imported},
                   {"recurred", s->recurred},
                   {"returned", s->returned},
                   {"stops_changed", s->stops_changed},
                   {"notes_changed", s->notes_changed},
                   {"calls", s->calls},
                   {"commits", s->commits},
                   {"frames", s->frames},
                   {"fixes", s->fixes},
                   {"crashes", s->crashes},
                   {"simulated_s", s->virtual_us / US_PER_S},
                   {"bookings_per_hour", (int64_t)per_hour(s)}};
    struct buf out;
    struct jw w;
    buf_init(&out, a, 2048);
    jw_init(&w, &out);
    jw_object(&w);
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        jw_kv_i64(&w, numbers[i].name, numbers[i].value);
    jw_key(&w, "took_s");
    jw_f64(&w, took_s);
    jw_key(&w, "faults");
    jw_object(&w);
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        jw_kv_i64(&w, sim_fault_names[i], (int64_t)s->faults[i]);
    jw_end(&w);
    jw_end(&w);
    printf("%.*s\n", STR_ARG(buf_str(&out)));
}

int command_check(struct config *c) {
    struct plan p;
    struct sum s = {.began_us = clock_mono_us(),
                    .progress = isatty(2) == 1,
                    .keep_going = config_bool(c, "keep_going")};
    struct child *children = calloc(JOBS_MAX, sizeof(*children));
    CHECK(children != NULL);
    if (make_plan(c, &p) < 0) {
        free(children);
        return 2;
    }
    int32_t count = p.jobs < p.count ? p.jobs : (int32_t)p.count;
    p.jobs = count;
    s.progress = s.progress && !p.options.trace;
    for (int32_t i = 0; i < count; i++) {
        if (child_start(&p, i, &children[i]) < 0) {
            fprintf(stderr, "lorry: cannot start a process: %s\n", strerror(errno));
            count = i;
            s.failed++;
        }
    }
    listen_to(&s, children, count);
    clear_progress(&s);
    if (config_bool(c, "json"))
        print_json(&s, &p, &c->arena);
    else
        print_summary(&s, &p);
    free(children);
    free(p.listed);
    return s.failed > 0 ? 1 : 0;
}
