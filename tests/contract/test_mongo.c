/* The mongo store: the contract, then what only a server across a network can do to it. Which
 * server it ran on is printed; without any it is skipped, and says so. */
#include "contract.h"
#include "mongo_server.h"

#include "adapters/mongo/mongo_store.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKIPPED 77

static struct mongo_server server;

/* A database of its own for each test, on the one server. */
struct house {
    char database[64];
    struct mongo_options options;
    struct mongo_source *source;
};

static struct mongo_source *open_source(const struct mongo_options *o) {
    struct arena a;
    struct str why = STR_NONE;
    struct mongo_source *s = NULL;
    arena_init(&a, 1024);
    if (mongo_source_open(o, &a, &s, &why) != 0)
        fail_msg("%.*s", STR_ARG(why));
    arena_free(&a);
    return s;
}

static void *make(const struct store_collection *const *collections, int count) {
    static int number;
    struct house *h = calloc(1, sizeof *h);
    snprintf(h->database, sizeof h->database, "lorry_test_%llx_%d",
             (unsigned long long)clock_wall_us(), number++);
    h->options = (struct mongo_options){.uri = server.uri,
                                        .database = h->database,
                                        .collections = collections,
                                        .collection_count = count};
    h->source = open_source(&h->options);
    return h;
}

static struct store_source *source(void *data) {
    return mongo_source_port(((struct house *)data)->source);
}

static void reopen(void *data) {
    struct house *h = data;
    mongo_source_close(h->source);
    h->source = open_source(&h->options);
}

static void drop(void *data) {
    struct house *h = data;
    mongo_source_close(h->source);
    mongoc_client_t *client = mongoc_client_new(server.uri);
    mongoc_database_t *database = mongoc_client_get_database(client, h->database);
    bson_error_t e;
    if (!mongoc_database_drop(database, &e))
        fail_msg("%s", e.message);
    mongoc_database_destroy(database);
    mongoc_client_destroy(client);
    free(h);
}

/* Sources of other processes; each is the port of one that is remembered here. */
static struct mongo_source *joined[16];

static struct store_source *join(void *data, bool beside) {
    struct mongo_options o = ((struct house *)data)->options;
    o.beside = beside;
    for (size_t i = 0; i < COUNT_OF(joined); i++) {
        if (joined[i] == NULL) {
            joined[i] = open_source(&o);
            return mongo_source_port(joined[i]);
        }
    }
    UNREACHABLE();
}

static void leave(void *data, struct store_source *src) {
    (void)data;
    for (size_t i = 0; i < COUNT_OF(joined); i++)
        if (joined[i] != NULL && mongo_source_port(joined[i]) == src)
            joined[i] = mongo_source_close(joined[i]);
}

int main(void) {
    const char *why;
    if (!mongo_server_find(&server, &why)) {
        printf("skipped: %s\n", why);
        return SKIPPED;
    }
    printf("on %s\n", server.what);
    const struct store_factory f = {.name = "mongo store",
                                    .make = make,
                                    .source = source,
                                    .reopen = reopen,
                                    .drop = drop,
                                    .join = join,
                                    .leave = leave,
                                    .batch_by_document = true,
                                    .keys_by_document = server.stand_in,
                                    .takeover_ms = MONGO_LEASE_MS + 5000};
    int failed = store_contract(&f);
    mongo_server_remove(&server);
    return failed;
}
