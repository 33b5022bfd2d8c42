/* The platform as one process has it: the adapters that the settings name, the four services, the
 * network. What `lorry serve` runs and `lorry bench` measures. Wiring, nothing else.
 *
 * Every process has all four services, because they lean on each other through ports; those that
 * the settings do not name are passive: they serve nobody, and hear what the others must know.
 */
#ifndef LORRY_APPS_PLATFORM_H
#define LORRY_APPS_PLATFORM_H

#include "adapters/http/server.h"
#include "adapters/otlp/otlp.h"
#include "apps/parts.h"
#include "dispatch/dispatch.h"
#include "runtime/service.h"

#define PLATFORM_WORKERS_MAX 64

struct platform {
    const struct config *config;
    struct log log;
    struct arena arena; /* tariffs, area, messages */
    struct clock clock;
    struct entropy entropy;
    struct stores stores;
    struct links links;
    struct peers *peers; /* NULL: nobody else writes to the store */
    struct token_verifier *verifier;
    struct hasher *hasher;
    struct router *crow, *router;
    struct streets *streets;               /* NULL: none */
    struct atlas *atlas;                   /* NULL: none */
    struct poster *poster;                 /* NULL: webhooks are not called from here */
    struct mailer *mailer;                 /* NULL: no e-mail is sent from here */
    struct web *web;                       /* NULL: no web app */
    struct spans *spans;                   /* NULL: nothing is traced */
    struct otlp *otlp;                     /* sends them, … */
    const struct otlp_module *otlp_driver; /* … by this */
    const struct tariffs *tariffs;
    struct dispatch_weights weights;
    struct auth_service *auth;
    struct booking_service *booking;
    struct driver_service *driver;
    struct notification_service *notification;
    struct map_service *map;
    struct files_service *files;
    struct blobs *blobs; /* NULL: files are not kept here */
    struct executor *executor;
    struct runtime *runtime;
    struct http_server *http;
    int port;    /* the one it listens on */
    int fill_fd; /* readable: the first administrator wants the demo city; -1: cannot */
};

/* Opens the store, makes the services, starts the executor and the network as CONFIG says. On
 * failure *RET_WHY (in P's arena) says in a sentence what is wrong, and P is closed. P is zeroed by
 * it first. */
int platform_open(struct platform *p, const struct config *config, struct str *ret_why);
/* Where it listens, as a URL without a path: "http://127.0.0.1:8080", "http://[::1]:8080". */
#define PLATFORM_URL_MAX 96
void platform_url(const struct platform *p, char out[PLATFORM_URL_MAX]);
/* Drains: not ready, no new connections, what is in flight is finished. Then closes all. */
void platform_close(struct platform *p);

/* The store alone, for `lorry user`: beside a running server. */
int platform_open_store(const struct config *config, struct arena *a, struct stores *ret_stores,
                        struct store **ret_store, struct str *ret_why);

/* What is wrong with GEOJSON as road lines, a sentence in A, when streets_build or streets_open
 * gave ERR. */
struct str streets_problem(const char *geojson, int err, struct arena *a);

void entropy_machine(struct entropy *e); /* libsodium's */
void clock_machine(struct clock *c);

#endif
