/* The postgres store on a real server: the contract, then what only a server can suffer. */
#include "contract.h"
#include "postgres_server.h"

#include "adapters/postgres/postgres_store.h"
#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct postgres_server server; /* one for all tests; each has a database of its own */

struct database {
    char name[32], uri[POSTGRES_URI_MAX];
    struct postgres_options options;
    struct postgres_source *source;
};

static struct postgres_source *must_open(const struct postgres_options *o) {
    struct arena a;
    struct str why = STR_NONE;
    struct postgres_source *source = NULL;
    arena_init(&a, 1024);
    if (postgres_source_open(o, &a, &source, &why) != 0)
        fail_msg("%.*s", STR_ARG(why));
    arena_free(&a);
    return source;
}

static void *make(const struct store_collection *const *collections, int count) {
    static int number;
    struct database *d = calloc(1, sizeof *d);
    char sql[128];
    snprintf(d->name, sizeof d->name, "test_%d", ++number);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0", d->name);
    postgres_server_do(&server, "postgres", sql);
    postgres_server_uri(&server, d->name, d->uri);
    d->options = (struct postgres_options){
        .uri = d->uri, .collections = collections, .collection_count = count};
    d->source = must_open(&d->options);
    return d;
}

static struct store_source *source(void *data) {
    return postgres_source_port(((struct database *)data)->source);
}

static void reopen(void *data) {
    struct database *d = data;
    d->source = postgres_source_close(d->source);
    d->source = must_open(&d->options);
}

static void drop(void *data) {
    struct database *d = data;
    char sql[128];
    postgres_source_close(d->source);
    snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", d->name);
    postgres_server_do(&server, "postgres", sql);
    free(d);
}

static struct store_source *join(void *data, bool beside) {
    struct postgres_options o = ((struct database *)data)->options;
    o.beside = beside;
    return postgres_source_port(must_open(&o));
}

static void leave(void *data, struct store_source *src) {
    (void)data;
    postgres_source_close((struct postgres_source *)src);
}

int main(void) {
    const struct store_factory f = {.name = "postgres store",
                                    .make = make,
                                    .source = source,
                                    .reopen = reopen,
                                    .drop = drop,
                                    .join = join,
                                    .leave = leave,
                                    .takeover_ms = 6000};
    postgres_server_make(&server, NULL, NULL);
    postgres_server_start(&server);
    int failed = store_contract(&f);
    postgres_server_remove(&server);
    return failed;
}
