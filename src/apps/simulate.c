/* `lorry simulate`: a city of real clients against any running server. */
#include "adapters/crow/crow.h"
#include "apps/city_places.h"
#include "apps/commands.h"
#include "apps/platform.h"
#include "apps/settings.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "client/city.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct config_setting settings[] = {
    {.key = "url",
     .kind = CONFIG_STRING,
     .fallback = "http://127.0.0.1:8080",
     .placeholder = "URL",
     .help = "The server"},
    {.key = "drivers",
     .kind = CONFIG_INT,
     .fallback = "40",
     .min = 1,
     .max = 5000,
     .help = "How many drivers"},
    {.key = "bookings_per_hour",
     .kind = CONFIG_INT,
     .fallback = "120",
     .min = 1,
     .max = 10000000,
     .help = "How many bookings in an hour of simulated time"},
    {.key = "speed",
     .kind = CONFIG_INT,
     .fallback = "1",
     .min = 1,
     .max = 1000,
     .help = "How many times faster than life people drive, think and load"},
    {.key = "for",
     .kind = CONFIG_DURATION,
     .fallback = "5m",
     .min = 0,
     .max = INT64_C(30) * 86400,
     .help = "How long, in real time; 0 until Ctrl-C"},
    {.key = "settle",
     .kind = CONFIG_DURATION,
     .fallback = "120",
     .min = 1,
     .max = 3600,
     .help = "How long bookings may take to end after that"},
    {.key = "seed", .kind = CONFIG_INT, .fallback = "1", .help = "What chance chooses"},
    {.key = "tag",
     .kind = CONFIG_STRING,
     .fallback = "sim",
     .min = 1,
     .max = 20,
     .help = "People are <role><n>@<tag>.example; the same tag finds the same people again"},
    {.key = "streets",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "GeoJSON road lines to drive on; without it as the crow flies, around Göteborg"},
    {.key = "requests",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "Where each answer to a request is written down: a JSON object a line"},
    {.key = "sim_password",
     .kind = CONFIG_STRING,
     .secret = true,
     .fallback = "demo-city-2026",
     .help = "The password of all simulated people"},
    {.key = "admin",
     .kind = CONFIG_STRING,
     .placeholder = "E-MAIL",
     .help = "An admin who approves the drivers, where the server wants that"},
    {.key = "admin_password",
     .kind = CONFIG_STRING,
     .secret = true,
     .help = "The password of that admin"},
};
static const struct config_table simulation = {"Simulation", settings,
                                               (int32_t)(sizeof(settings) / sizeof(settings[0]))};
const struct config_table *const simulate_tables[] = {&simulation, &settings_output, NULL};

/* The binary form of a graph made for one run, in a temporary file that is gone at once. */
static int open_streets(const char *geojson, struct router *crow, struct streets **ret) {
    char path[PATH_MAX];
    const char *dir = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/lorry-streets-XXXXXX", dir != NULL ? dir : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0)
        return ERR_IO;
    close(fd);
    int err = streets_build(geojson, path, NULL);
    if (err == 0)
        err = streets_open(path, crow, ret);
    unlink(path);
    return err;
}

/* Ctrl-C ends the run and lets bookings end; a second one ends it at once. The handler's way to the
 * city: a thread that waits for the signal. */
struct stopper {
    struct city *city;
    sigset_t signals;
};

static void *wait_for_signals(void *arg) {
    struct stopper *s = arg;
    int which;
    while (sigwait(&s->signals, &which) == 0)
        city_stop(s->city);
    return NULL;
}

static int run(struct config *c, const struct city_options *o) {
    const char *why = "";
    struct city *city = city_new(o, &why);
    if (city == NULL) {
        fprintf(stderr, "lorry: %s: %s\n", o->url, why);
        return 2;
    }
    struct stopper stopper = {.city = city};
    sigemptyset(&stopper.signals);
    sigaddset(&stopper.signals, SIGINT);
    sigaddset(&stopper.signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stopper.signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_for_signals, &stopper) != 0) {
        city_free(city);
        return 2;
    }
    struct city_summary summary;
    int err = city_run(city, &summary);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    if (err < 0)
        fprintf(stderr, "lorry: there is no server at %s\n", o->url);
    else
        city_print_summary(&summary, config_bool(c, "json") || !isatty(1), stdout);
    city_free(city);
    return err < 0 ? 2 : summary.violations > 0 ? 1 : 0;
}

/* Where answers are written down, line by line, if anywhere. False: it cannot be written to. */
static bool open_requests(const char *path, FILE **ret_file) {
    *ret_file = path != NULL ? fopen(path, "w") : NULL;
    if (path != NULL && *ret_file == NULL) {
        fprintf(stderr, "lorry: cannot write to %s: %s\n", path, strerror(errno));
        return false;
    }
    if (*ret_file != NULL)
        setvbuf(*ret_file, NULL, _IOLBF, 0);
    return true;
}

int command_simulate(struct config *c) {
    if (config_is_given(c, "admin") != config_is_given(c, "admin_password")) {
        fputs("lorry: --admin and --admin-password-file go together\n", stderr);
        return 2;
    }
    FILE *requests;
    if (!open_requests(config_cstr(c, "requests"), &requests))
        return 2;
    struct router *crow = crow_new(NULL);
    struct streets *streets = NULL;
    const char *geojson = config_cstr(c, "streets");
    int err = geojson != NULL ? open_streets(geojson, crow, &streets) : 0;
    if (err < 0) {
        struct str why = streets_problem(geojson, err, &c->arena);
        fprintf(stderr, "lorry: %.*s\n", STR_ARG(why));
        crow->ops->close(crow);
        if (requests != NULL)
            fclose(requests);
        return 2;
    }
    struct city_places places = {streets, point_of(CITY_CENTRE_LAT, CITY_CENTRE_LNG), 4000};
    bool json = config_bool(c, "json") || !isatty(1);
    const char *url = c->argument_count > 0 ? c->arguments[0].p : config_cstr(c, "url");
    int status = run(
        c, &(struct city_options){.url = url,
                                  .drivers = (int32_t)config_int(c, "drivers"),
                                  .bookings_per_hour = (double)config_int(c, "bookings_per_hour"),
                                  .speed = (double)config_int(c, "speed"),
                                  .duration_us = config_int(c, "for") * US_PER_S,
                                  .settle_us = config_int(c, "settle") * US_PER_S,
                                  .seed = (uint64_t)config_int(c, "seed"),
                                  .tag = config_cstr(c, "tag"),
                                  .password = config_cstr(c, "sim_password"),
                                  .admin_email = config_cstr(c, "admin"),
                                  .admin_password = config_cstr(c, "admin_password"),
                                  .router = streets != NULL ? streets_router(streets) : crow,
                                  .place = city_place,
                                  .place_arg = &places,
                                  .output = json ? CITY_JSON : CITY_LIVE,
                                  .out = stdout,
                                  .requests = requests});
    if (requests != NULL)
        fclose(requests);
    streets_close(streets);
    crow->ops->close(crow);
    return status;
}
