/* The platform in one process: every port's embedded adapter, the four services, the network. What
 * `lorry serve` runs and `lorry bench` measures. Wiring, nothing else.
 */
#ifndef LORRY_APPS_PLATFORM_H
#define LORRY_APPS_PLATFORM_H

#include "adapters/http/server.h"
#include "adapters/sqlite/sqlite_store.h"
#include "apps/config.h"
#include "runtime/service.h"

#define PLATFORM_WORKERS_MAX 64

struct platform {
    const struct config *config;
    struct log log;
    struct arena arena; /* tariffs, area, messages */
    struct clock clock;
    struct entropy entropy;
    struct cache *cache;
    struct bus *bus;
    struct sqlite_source *source;
    struct store_source *stores;
    struct token_verifier *verifier;
    struct hasher *hasher;
    struct router *crow, *router;
    struct streets *streets; /* NULL: none */
    struct atlas *atlas;     /* NULL: none */
    struct web *web;         /* NULL: no web app */
    const struct tariffs *tariffs;
    struct auth_service *auth;
    struct booking_service *booking;
    struct driver_service *driver;
    struct notification_service *notification;
    struct map_service *map;
    struct executor *executor;
    struct runtime *runtime;
    struct http_server *http;
    int port; /* the one it listens on */
};

#define PLATFORM_COLLECTIONS_MAX 32
/* Every collection of every service: what a store is opened with. Returns how many. */
int platform_collections(const struct store_collection *ret[PLATFORM_COLLECTIONS_MAX]);

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
int platform_open_store(const struct config *config, struct arena *a,
                        struct sqlite_source **ret_source, struct store **ret_store,
                        struct str *ret_why);

/* What is wrong with GEOJSON as road lines, a sentence in A, when streets_build or streets_open
 * gave ERR. */
struct str streets_problem(const char *geojson, int err, struct arena *a);

void entropy_machine(struct entropy *e); /* libsodium's */
void clock_machine(struct clock *c);

#endif
