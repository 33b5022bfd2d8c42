/* `lorry bench`: the table of benchmarks, those within the process, and what is printed of them. */
#include "apps/bench.h"

#include "adapters/crow/crow.h"
#include "adapters/inproc/inproc_bus.h"
#include "adapters/sqlite/sqlite_store.h"
#include "adapters/streets/streets.h"
#include "apps/city_places.h"
#include "apps/commands.h"
#include "apps/platform.h"
#include "apps/settings.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "dispatch/assign.h"
#include "services/booking/booking_bench.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- bookings: decide + commit on SQLite, nothing else in the house ---- */

#define BOOKINGS 60000
#define BOOKINGS_WAITING 2048

struct one_booking {
    struct arena arena;
    int64_t *done;
};

static void booking_done(struct command *cmd, int result, struct response *response) {
    struct one_booking *one = cmd->finish_arg;
    CHECK(result == 0 && response->status == 201);
    ++*one->done;
    arena_free(&one->arena);
    free(one);
}

static void submit_booking(struct executor *x, struct booking_service *b, struct rng *rng,
                           int64_t *done) {
    struct one_booking *one = xcalloc(1, sizeof(*one));
    arena_init(&one->arena, 16384);
    one->done = done;
    struct command *cmd = booking_bench_create(b, &one->arena, rng, clock_wall_us());
    cmd->finish = booking_done;
    cmd->finish_arg = one;
    CHECK(executor_submit(x, cmd) == 0);
}

static int bench_bookings(struct bench_run *r) {
    char dir[64];
    struct arena a;
    struct str why;
    struct sqlite_source *source;
    struct store *store;
    struct clock clock;
    struct entropy entropy;
    bench_dir_make(dir);
    arena_init(&a, 4096);
    clock_machine(&clock);
    entropy_machine(&entropy);
    const struct store_collection *collections[COLLECTIONS_MAX];
    int count = parts_collections(collections);
    int err = sqlite_source_open(
        &(struct sqlite_options){.dir = dir, .collections = collections, .collection_count = count},
        &a, &source, &why);
    if (err < 0)
        return err;
    CHECK(sqlite_source_port(source)->open(sqlite_source_port(source), true, &store) == 0);
    struct bus *bus = inproc_bus_new();
    struct router *crow = crow_new(NULL);
    struct executor *x = executor_new(&(struct executor_options){.store = store,
                                                                 .bus = bus,
                                                                 .clock = &clock,
                                                                 .entropy = &entropy,
                                                                 .name = "bench",
                                                                 .batch_max = STORE_BATCH_MAX});
    struct booking_service *b =
        booking_service_new(&(struct booking_options){.router = crow, .entropy = &entropy});
    struct rng rng;
    rng_seed(&rng, r->seed);
    int64_t asked = 0, done = 0, since_us = clock_mono_us();
    while (done < BOOKINGS) {
        for (; asked < BOOKINGS && asked - done < BOOKINGS_WAITING; asked++)
            submit_booking(x, b, &rng, &done);
        executor_turn(x, 0);
    }
    r->figures[0] = (double)done / ((double)(clock_mono_us() - since_us) / 1e6);
    executor_free(x);
    booking_service_free(b);
    crow->ops->close(crow);
    bus->ops->close(bus);
    sqlite_source_close(source);
    arena_free(&a);
    bench_dir_remove(dir);
    return 0;
}

/* ---- start ---- */

/* The program itself, as people start it: until it says that it is ready. */
static int bench_start(struct bench_run *r) {
    struct bench_server s = {0};
    int fds[2];
    char line[256] = "";
    bench_dir_make(s.dir);
    if (pipe(fds) != 0)
        return ERR_LIMIT;
    int64_t since_us = clock_mono_us();
    s.pid = fork();
    if (s.pid == 0) {
        dup2(fds[1], 1);
        close(fds[0]);
        execl("/proc/self/exe", "lorry", "serve", "--data", s.dir, "--listen", "127.0.0.1:0",
              (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *said = fdopen(fds[0], "r");
    bool ready =
        said != NULL && fgets(line, sizeof(line), said) != NULL && strstr(line, "is ready") != NULL;
    r->figures[0] = (double)(clock_mono_us() - since_us) / 1e3;
    r->figures[1] = (double)bench_server_memory(&s, "VmRSS") / (1 << 20);
    bench_server_stop(&s);
    if (said != NULL)
        fclose(said);
    return ready ? 0 : ERR_UNAVAILABLE;
}

/* ---- streets ---- */

#define ROUTES 2000

static int bench_streets(struct bench_run *r) {
    if (r->streets == NULL) {
        fprintf(stderr, "bench: streets needs --streets FILE\n");
        return ERR_NOT_FOUND;
    }
    char dir[64], graph[96];
    struct streets_info info;
    struct streets *streets = NULL;
    struct arena a;
    struct rng rng;
    bench_dir_make(dir);
    snprintf(graph, sizeof(graph), "%s/streets.graph", dir);
    struct router *crow = crow_new(NULL);
    int err = streets_build(r->streets, graph, &info);
    int64_t since_us = clock_mono_us();
    if (err == 0)
        err = streets_open(graph, crow, &streets);
    if (streets == NULL)
        return err;
    r->figures[0] = (double)(clock_mono_us() - since_us) / 1e3;
    struct router *router = streets_router(streets);
    rng_seed(&rng, r->seed);
    arena_init(&a, 65536);
    since_us = clock_mono_us();
    for (int i = 0; i < ROUTES; i++) {
        struct str name;
        struct route route;
        struct point ends[2] = {streets_random_point(streets, &rng, &name),
                                streets_random_point(streets, &rng, &name)};
        arena_reset(&a);
        router->ops->route(router, ends, 2, VEHICLE_VAN, true, &a, &route);
    }
    r->figures[1] = (double)(clock_mono_us() - since_us) / ROUTES;
    arena_free(&a);
    streets_close(streets);
    crow->ops->close(crow);
    bench_dir_remove(dir);
    return 0;
}

/* ---- assign ---- */

#define ASSIGN_SIDE 500     /* bookings, and drivers free */
#define ASSIGN_TOWN_M 15000 /* a square of that side */
#define ASSIGN_MPS 8        /* straight to the pickup */

/* Bookings and drivers all over a town; what it takes to give each a driver at once, and how much
 * sooner they are there on average than if each booking in turn took the nearest who is left. */
static int bench_assign(struct bench_run *r) {
    struct rng rng;
    struct arena a;
    rng_seed(&rng, r->seed);
    arena_init(&a, 65536);
    int64_t *cost = arena_array(&a, int64_t, ASSIGN_SIDE * ASSIGN_SIDE);
    int32_t *column = arena_array(&a, int32_t, ASSIGN_SIDE);
    double at[2 * ASSIGN_SIDE][2], mean_s[2];
    for (int i = 0; i < 2 * ASSIGN_SIDE; i++) {
        at[i][0] = rng_unit(&rng) * ASSIGN_TOWN_M;
        at[i][1] = rng_unit(&rng) * ASSIGN_TOWN_M;
    }
    for (int b = 0; b < ASSIGN_SIDE; b++) {
        for (int d = 0; d < ASSIGN_SIDE; d++) {
            const double *to = at[b], *from = at[ASSIGN_SIDE + d];
            cost[b * ASSIGN_SIDE + d] =
                llround(hypot(to[0] - from[0], to[1] - from[1]) / ASSIGN_MPS);
        }
    }
    for (int greedy = 1; greedy >= 0; greedy--) {
        int64_t since_us = clock_mono_us(), sum = 0;
        int32_t pairs =
            (greedy ? assign_greedily : assign_solve)(cost, ASSIGN_SIDE, ASSIGN_SIDE, &a, column);
        r->figures[0] = (double)(clock_mono_us() - since_us) / 1e3;
        CHECK(pairs == ASSIGN_SIDE);
        for (int b = 0; b < ASSIGN_SIDE; b++)
            sum += cost[b * ASSIGN_SIDE + column[b]];
        mean_s[greedy] = (double)sum / ASSIGN_SIDE;
    }
    r->figures[1] = mean_s[0];
    r->figures[2] = mean_s[1];
    arena_free(&a);
    return 0;
}

/* ---- the table ---- */

const struct bench bench_table[] = {
    {"assign",
     "500 bookings to 500 drivers so that they wait least together; the mean wait then, and if "
     "each in turn took the nearest",
     {{"solve", "ms", NULL}, {"wait", "s", NULL}, {"wait-in-turn", "s", NULL}},
     "{\"bookings\":500,\"drivers\":500,\"town_m\":15000}",
     bench_assign},
    {"bookings",
     "bookings committed in process: decide + SQLite with synchronous=FULL, batched",
     {{"bookings", "1/s", ">= 30000"}},
     "{\"bookings\":60000,\"batch_max\":256}",
     bench_bookings},
    {"fixes",
     "fixes acknowledged durable over HTTP, batches of 100",
     {{"fixes", "1/s", ">= 200000"}, {"p99", "ms", NULL}},
     "{\"connections\":64,\"batch\":100}",
     bench_fixes},
    {"mixed",
     "mixed API over HTTP: 60 % reads, 20 % fixes (5 each), 10 % nearby, 10 % quote/book/cancel",
     {{"requests", "1/s", ">= 15000"}, {"p50", "ms", NULL}, {"p99", "ms", NULL}},
     "{\"connections\":50,\"pipelined\":4}",
     bench_mixed},
    {"mixed-half",
     "the same at 7,500 requests/s by the clock, latency from when each was due",
     {{"requests", "1/s", NULL}, {"p50", "ms", NULL}, {"p99", "ms", "< 20"}},
     "{\"connections\":50,\"rate\":7500}",
     bench_mixed_half},
    {"nearest",
     "nearest 10 of 100,000 drivers over HTTP, radius 250 m, 1, 3 and 10 km in turn",
     {{"requests", "1/s", ">= 30000"}, {"p99", "ms", NULL}},
     "{\"connections\":64,\"pipelined\":16,\"drivers\":100000}",
     bench_nearest},
    {"sockets",
     "idle WebSockets held, user-space memory of the server for each",
     {{"memory", "bytes", "<= 4096"}, {"sockets", "", NULL}},
     "{\"sockets\":10000}",
     bench_sockets},
    {"start",
     "from start to ready on an empty folder, and memory then",
     {{"ready", "ms", "< 100"}, {"memory", "MiB", "< 30"}},
     "{}",
     bench_start},
    {"streets",
     "road graph: opening the binary form, and a shortest route with its line",
     {{"open", "ms", "< 1000"}, {"route", "us", NULL}},
     "{\"routes\":2000}",
     bench_streets},
};
const int32_t bench_count = (int32_t)COUNT_OF(bench_table);

/* ---- running and printing ---- */

static const char *const url_schemes[] = {"http", NULL};
static const char *const kind_names[] = {
    [BENCH_READS] = "reads",       [BENCH_FIXES] = "fixes", [BENCH_NEARBY] = "nearby",
    [BENCH_BUSINESS] = "business", [BENCH_ALL] = "all",     NULL};
static const struct config_setting settings[] = {
    {.key = "list", .kind = CONFIG_BOOL, .fallback = "false", .help = "Name the benchmarks"},
    {.key = "runs",
     .kind = CONFIG_INT,
     .fallback = "5",
     .min = 1,
     .max = 100,
     .help = "How often each is run; the median is quoted"},
    {.key = "seconds",
     .kind = CONFIG_DURATION,
     .fallback = "5",
     .min = 1,
     .max = 600,
     .help = "How long each load lasts"},
    {.key = "url",
     .kind = CONFIG_URL,
     .names = url_schemes,
     .help = "mixed: a running server to load, with the limits of each account and address off; "
             "without it one is started"},
    {.key = "only",
     .kind = CONFIG_ENUM,
     .fallback = "all",
     .names = kind_names,
     .help = "mixed: this part of the load alone"},
    {.key = "streets",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "GeoJSON road lines, for what uses streets"},
};
static const struct config_table table = {"Benchmarks", settings, (int32_t)COUNT_OF(settings)};
const struct config_table *const bench_tables[] = {&table, &settings_output, NULL};

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print_figure(const struct bench *b, int32_t f, double *values, int32_t runs,
                         bool json) {
    const struct bench_figure *figure = &b->figures[f];
    qsort(values, (size_t)runs, sizeof(double), compare);
    double median =
        runs % 2 == 1 ? values[runs / 2] : (values[runs / 2 - 1] + values[runs / 2]) / 2;
    if (json)
        printf("{\"name\":\"%s.%s\",\"value\":%.6g,\"unit\":\"%s\",\"runs\":%d,\"min\":%.6g,"
               "\"median\":%.6g,\"max\":%.6g,\"params\":%s}\n",
               b->name, figure->name, median, figure->unit, runs, values[0], median,
               values[runs - 1], b->params);
    else
        printf("  %-12s %-10s %12.6g %-6s %12.6g %12.6g   %s\n", b->name, figure->name, median,
               figure->unit, values[0], values[runs - 1],
               figure->target != NULL ? figure->target : "");
    fflush(stdout);
}

static int run_one(struct config *c, const struct bench *b) {
    double values[BENCH_FIGURES_MAX][100];
    int32_t runs = (int32_t)config_int(c, "runs");
    for (int32_t i = 0; i < runs; i++) {
        struct bench_run r = {.config = c,
                              .url = config_cstr(c, "url"),
                              .only = (enum bench_kind)config_enum(c, "only"),
                              .streets = config_cstr(c, "streets"),
                              .seconds = (int32_t)config_int(c, "seconds"),
                              .seed = (uint64_t)i + 1};
        if (isatty(2))
            fprintf(stderr, "\r\033[K%s: run %d of %d", b->name, i + 1, runs);
        int err = b->run(&r);
        if (err < 0) {
            fprintf(stderr, "bench: %s: %s\n", b->name, err_text(err));
            return 1;
        }
        for (int32_t f = 0; f < BENCH_FIGURES_MAX; f++)
            values[f][i] = r.figures[f];
    }
    if (isatty(2))
        fprintf(stderr, "\r\033[K");
    for (int32_t f = 0; f < BENCH_FIGURES_MAX && b->figures[f].name != NULL; f++)
        print_figure(b, f, values[f], runs, config_bool(c, "json"));
    return 0;
}

static int list(void) {
    for (int32_t i = 0; i < bench_count; i++)
        printf("  %-12s %s\n", bench_table[i].name, bench_table[i].what);
    return 0;
}

int command_bench(struct config *c) {
    if (config_bool(c, "list"))
        return list();
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_IGN);
    bool found = false;
    int status = 0;
    if (!config_bool(c, "json"))
        printf("  %-12s %-10s %12s %-6s %12s %12s   %s\n", "benchmark", "figure", "median", "unit",
               "min", "max", "target");
    for (int32_t i = 0; i < bench_count; i++) {
        const struct bench *b = &bench_table[i];
        if (c->argument_count > 0 && !str_is(c->arguments[0], b->name))
            continue;
        found = true;
        if (c->argument_count == 0 && b->run == bench_streets && !config_is_given(c, "streets"))
            continue;
        status |= run_one(c, b);
    }
    if (!found)
        fprintf(stderr, "lorry: there is no benchmark \"%.*s\"; --list names them\n",
                STR_ARG(c->arguments[0]));
    return found ? status : 2;
}
