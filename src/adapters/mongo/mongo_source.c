/* The server: the URI with its time-outs, the pool, what kind of server it is, and the handles.
 * Each handle takes one client of the pool for as long as it lives, so the pool never hands one out
 * twice, and its monitor threads learn of a new primary for all of them.
 */
#include "adapters/mongo/mongo_private.h"

#include "base/check.h"
#include "base/err.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HANDLES_MAX 256

struct mongo_source {
    struct store_source port; /* first */
    struct mongo_options options;
    char *database;
    char server[160];
    mongoc_client_pool_t *pool;
    bool unique[MONGO_STORE_COLLECTIONS_MAX]; /* keys, as mongo_schema_prepare found it */
};

/* The driver begins when it is loaded and keeps its counters in a file of shared memory named after
 * the pid; a process that is killed would leave it, and a later one of that pid complain on
 * standard error. So the name goes; the memory is the process's own anyway. */
static void forget_counters(void) {
    char name[32];
    snprintf(name, sizeof(name), "/mongoc-%d", (int)getpid());
    shm_unlink(name); /* ENOENT where the driver was built without them */
}

static void init_driver(void) {
    forget_counters();
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL); /* what matters comes back as an error */
}

int mongo_error(const bson_error_t *e) {
    if (e->domain == MONGOC_ERROR_SERVER_SELECTION || e->domain == MONGOC_ERROR_STREAM)
        return ERR_UNAVAILABLE;
    if (e->domain == MONGOC_ERROR_CLIENT && e->code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
        return ERR_DENIED;
    switch (e->code) {
    case 11000: /* DuplicateKey */
        return ERR_CONFLICT;
    case 13: /* Unauthorized */
    case 18: /* AuthenticationFailed */
        return ERR_DENIED;
    case 50:  /* MaxTimeMSExpired */
    case 24:  /* LockTimeout */
    case 112: /* WriteConflict */
        return ERR_BUSY;
    case 14031: /* OutOfDiskSpace */
        return ERR_FULL;
    case 6:     /* HostUnreachable */
    case 7:     /* HostNotFound */
    case 64:    /* WriteConcernFailed */
    case 89:    /* NetworkTimeout */
    case 91:    /* ShutdownInProgress */
    case 133:   /* FailedToSatisfyReadPreference */
    case 189:   /* PrimarySteppedDown */
    case 262:   /* ExceededTimeLimit */
    case 9001:  /* SocketException */
    case 10107: /* NotWritablePrimary */
    case 11600: /* InterruptedAtShutdown */
    case 11602: /* InterruptedDueToReplStateChange */
    case 13435: /* NotPrimaryNoSecondaryOk */
    case 13436: /* NotPrimaryOrSecondary */
        return ERR_UNAVAILABLE;
    default:
        return ERR_IO;
    }
}

/* --- opening ---------------------------------------------------------------------------------- */

static void uri_default(mongoc_uri_t *uri, const char *option, int32_t value) {
    if (!mongoc_uri_has_option(uri, option))
        CHECK(mongoc_uri_set_option_as_int32(uri, option, value));
}

static int make_pool(struct mongo_source *s, struct arena *a, struct str *ret_why) {
    bson_error_t e;
    mongoc_uri_t *uri = mongoc_uri_new_with_error(s->options.uri, &e);
    if (uri == NULL) {
        *ret_why = arena_printf(a, "this is no MongoDB URI: %s", e.message);
        return ERR_INVALID;
    }
    const char *named = mongoc_uri_get_database(uri);
    s->database = strdup(s->options.database ? s->options.database : named ? named : "lorry");
    CHECK(s->database != NULL);
    uri_default(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, MONGO_SELECTION_TIMEOUT_MS);
    uri_default(uri, MONGOC_URI_CONNECTTIMEOUTMS, MONGO_CONNECT_TIMEOUT_MS);
    uri_default(uri, MONGOC_URI_SOCKETTIMEOUTMS, MONGO_SOCKET_TIMEOUT_MS);
    uri_default(uri, MONGOC_URI_HEARTBEATFREQUENCYMS, MONGO_HEARTBEAT_MS);
    uri_default(uri, MONGOC_URI_MAXPOOLSIZE, HANDLES_MAX);
    if (mongoc_uri_get_option_as_utf8(uri, MONGOC_URI_APPNAME, NULL) == NULL)
        CHECK(mongoc_uri_set_appname(uri, "lorry"));
    s->pool = mongoc_client_pool_new_with_error(uri, &e);
    mongoc_uri_destroy(uri);
    if (s->pool == NULL) {
        *ret_why = arena_printf(a, "this MongoDB URI does not do: %s", e.message);
        return ERR_INVALID;
    }
    CHECK(mongoc_client_pool_set_error_api(s->pool, MONGOC_ERROR_API_VERSION_2));
    return 0;
}

/* Which server it is, for people. */
static int greet(struct mongo_source *s, mongoc_client_t *client, struct arena *a,
                 struct str *ret_why) {
    bson_t reply, command = BSON_INITIALIZER;
    bson_error_t e;
    bson_add_i64(&command, "isMaster", 1);
    bool ok = mongoc_client_command_simple(client, "admin", &command, NULL, &reply, &e);
    bson_destroy(&command);
    if (!ok) {
        bson_destroy(&reply);
        *ret_why = arena_printf(a, "cannot reach MongoDB: %s", e.message);
        return mongo_error(&e);
    }
    struct str set = bson_str(&reply, "setName"), router = bson_str(&reply, "msg");
    snprintf(s->server, sizeof s->server, "MongoDB with wire version %lld, %s%.*s",
             (long long)bson_i64(&reply, "maxWireVersion"),
             set.p      ? "replica set "
             : router.p ? "sharded: "
                        : "standalone",
             STR_ARG(set.p      ? set
                     : router.p ? router
                                : STR("")));
    bson_destroy(&reply);
    return 0;
}

static int open_handle(struct store_source *src, bool writer, struct store **ret_store) {
    struct mongo_source *s = (struct mongo_source *)src;
    mongoc_client_t *client = mongoc_client_pool_try_pop(s->pool);
    if (client == NULL) {
        log_error(s->options.log, "store: more than %d handles on one source", HANDLES_MAX);
        return ERR_LIMIT;
    }
    struct store *store = mongo_store_new(s, client, writer);
    int64_t now_ms;
    int r = writer && !s->options.beside ? mongo_beat(mongo_self(store), &now_ms) : 0;
    if (r < 0) {
        store->ops->close(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

/* A handle that gives no sign of life: with one a dump would find itself at work. */
static int quiet_handle(struct mongo_source *s, struct store **ret_store, struct str *ret_why) {
    mongoc_client_t *client = mongoc_client_pool_try_pop(s->pool);
    if (client == NULL) {
        *ret_why = STR("too many handles are open");
        return ERR_LIMIT;
    }
    *ret_store = mongo_store_new(s, client, false);
    return 0;
}

static int open_dump(struct store_source *src, struct arena *a, struct store_dump **ret_dump,
                     struct str *ret_why) {
    struct store *handle;
    int r = quiet_handle((struct mongo_source *)src, &handle, ret_why);
    return r < 0 ? r : mongo_dump_open(handle, a, ret_dump, ret_why);
}

static int open_load(struct store_source *src, struct arena *a, struct store_load **ret_load,
                     struct str *ret_why) {
    struct store *handle;
    int r = quiet_handle((struct mongo_source *)src, &handle, ret_why);
    return r < 0 ? r : mongo_load_open(handle, a, ret_load, ret_why);
}

/* No server works on what was only half written. */
static int check_loaded(struct mongo_source *s, mongoc_client_t *client, struct arena *a,
                        struct str *ret_why) {
    bool loading = false;
    mongoc_collection_t *meta = mongoc_client_get_collection(client, s->database, MONGO_META);
    int r = mongo_loading(meta, &loading);
    mongoc_collection_destroy(meta);
    if (r == 0 && !loading)
        return 0;
    *ret_why = arena_printf(a,
                            "database %s: an import into it is under way, or was cut off: run "
                            "\"lorry import\" again",
                            s->database);
    return r < 0 ? r : ERR_INVALID;
}

int mongo_source_open(const struct mongo_options *o, struct arena *a,
                      struct mongo_source **ret_source, struct str *ret_why) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CHECK(o->collection_count <= MONGO_STORE_COLLECTIONS_MAX);
    pthread_once(&once, init_driver);
    struct mongo_source *s = xcalloc(1, sizeof *s);
    s->port = (struct store_source){.open = open_handle, .dump = open_dump, .load = open_load};
    s->options = *o;
    int r = make_pool(s, a, ret_why);
    if (r == 0) {
        mongoc_client_t *client = mongoc_client_pool_pop(s->pool);
        r = greet(s, client, a, ret_why);
        if (r == 0)
            r = mongo_schema_prepare(client, s->database, o, s->unique, a, ret_why);
        if (r == 0 && !o->beside)
            r = check_loaded(s, client, a, ret_why);
        mongoc_client_pool_push(s->pool, client);
    }
    if (r < 0) {
        mongo_source_close(s);
        return r;
    }
    s->options.uri = NULL; /* need not outlive this call */
    *ret_source = s;
    return 0;
}

struct store_source *mongo_source_port(struct mongo_source *s) {
    return &s->port;
}

struct str mongo_source_server(const struct mongo_source *s) {
    return str_from(s->server);
}

const struct mongo_options *mongo_source_options(const struct mongo_source *src) {
    return &src->options;
}

const char *mongo_source_database(const struct mongo_source *src) {
    return src->database;
}

bool mongo_source_unique(const struct mongo_source *src, int table) {
    return src->unique[table];
}

void mongo_source_return(struct mongo_source *src, mongoc_client_t *client) {
    mongoc_client_pool_push(src->pool, client);
}

struct mongo_source *mongo_source_close(struct mongo_source *s) {
    if (s == NULL)
        return NULL;
    if (s->pool != NULL)
        mongoc_client_pool_destroy(s->pool);
    free(s->database);
    free(s);
    return NULL;
}
