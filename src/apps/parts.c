#include "apps/parts.h"

#include "adapters/amqp/dead_letters.h"
#include "adapters/blobs/blob_folder.h"
#include "adapters/curl/curl_blobs.h"
#include "adapters/curl/curl_mailer.h"
#include "adapters/curl/curl_poster.h"
#include "adapters/inproc/inproc_bus.h"
#include "adapters/mail/mail_folder.h"
#include "adapters/memory/memory_cache.h"
#include "adapters/mongo/mongo_store.h"
#include "adapters/postgres/postgres_store.h"
#include "adapters/redis/redis.h"
#include "adapters/sqlite/sqlite_store.h"
#include "apps/modules.h"
#include "apps/settings.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "services/auth/auth_service.h"
#include "services/booking/booking_service.h"
#include "services/driver/driver_service.h"
#include "services/files/files_service.h"
#include "services/notification/notification_service.h"

#include <stdlib.h>
#include <string.h>

#define CACHE_ENTRIES_MAX 200000

/* ---- the store ---- */

int parts_collections(const struct store_collection *ret[COLLECTIONS_MAX]) {
    const struct service services[] = {auth_service(NULL), booking_service(NULL),
                                       driver_service(NULL), notification_service(NULL),
                                       files_service(NULL)};
    int count = 0;
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        const struct store_collection *const *each = services[i].def->collections;
        for (; *each != NULL; each++) {
            CHECK(count < COLLECTIONS_MAX);
            ret[count++] = *each;
        }
    }
    return count;
}

/* What a store is opened with, whichever it is. */
struct wanted {
    const struct config *config;
    const struct store_collection **collections; /* the store keeps them */
    int count;
    bool beside;
    const struct log *log;
    struct arena *arena;
};

static void close_sqlite(void *own) {
    sqlite_source_close(own);
}

static int open_sqlite(const struct wanted *w, const char *dir, struct stores *ret,
                       struct str *ret_why) {
    struct sqlite_source *source;
    const struct sqlite_options o = {.dir = dir,
                                     .collections = w->collections,
                                     .collection_count = w->count,
                                     .beside = w->beside,
                                     .log = w->log};
    int err = sqlite_source_open(&o, w->arena, &source, ret_why);
    if (err < 0)
        return err;
    *ret = (struct stores){.port = sqlite_source_port(source),
                           .name = STR("sqlite"),
                           .own = source,
                           .close = close_sqlite};
    return 0;
}

/* The drivers of servers are loaded: what closes a store knows its own. */
struct loaded {
    const struct postgres_module *postgres;
    struct postgres_source *postgres_source;
    const struct mongo_module *mongo;
    struct mongo_source *mongo_source;
};

static void close_postgres(void *own) {
    struct loaded *l = own;
    l->postgres->close(l->postgres_source);
}

static void postgres_metrics(void *own, struct buf *out) {
    struct loaded *l = own;
    l->postgres->metrics(l->postgres_source, out);
}

static int open_postgres(const struct wanted *w, struct stores *ret, struct str *ret_why) {
    const void *module;
    struct loaded *l = arena_new(w->arena, struct loaded);
    const struct postgres_options o = {
        .uri = config_cstr(w->config, "store"),
        .read_uri = config_cstr(w->config, "store_read"),
        .read_lag_max_ms = 1000 * (int32_t)config_int(w->config, "store_read_lag_s"),
        .collections = w->collections,
        .collection_count = w->count,
        .beside = w->beside,
        .log = w->log};
    int err = module_load(MODULE_POSTGRES, w->arena, &module, ret_why);
    if (err < 0)
        return err;
    l->postgres = module;
    err = l->postgres->open(&o, w->arena, &l->postgres_source, ret_why);
    if (err < 0)
        return err;
    *ret = (struct stores){.port = l->postgres->port(l->postgres_source),
                           .name = STR("postgres"),
                           .shared = true,
                           .own = l,
                           .close = close_postgres,
                           .metrics = postgres_metrics};
    return 0;
}

static void close_mongo(void *own) {
    struct loaded *l = own;
    l->mongo->close(l->mongo_source);
}

static int open_mongo(const struct wanted *w, struct stores *ret, struct str *ret_why) {
    const void *module;
    struct loaded *l = arena_new(w->arena, struct loaded);
    const struct mongo_options o = {.uri = config_cstr(w->config, "store"),
                                    .collections = w->collections,
                                    .collection_count = w->count,
                                    .beside = w->beside,
                                    .log = w->log};
    int err = module_load(MODULE_MONGO, w->arena, &module, ret_why);
    if (err < 0)
        return err;
    l->mongo = module;
    err = l->mongo->open(&o, w->arena, &l->mongo_source, ret_why);
    if (err < 0)
        return err;
    *ret = (struct stores){.port = l->mongo->port(l->mongo_source),
                           .name = STR("mongodb"),
                           .shared = true,
                           .own = l,
                           .close = close_mongo};
    return 0;
}

static void list_collections(struct wanted *w) {
    w->collections = arena_array(w->arena, const struct store_collection *, COLLECTIONS_MAX);
    w->count = parts_collections(w->collections);
}

int stores_open_folder(const char *dir, struct arena *a, struct stores *ret, struct str *ret_why) {
    struct wanted w = {.arena = a};
    list_collections(&w);
    return open_sqlite(&w, dir, ret, ret_why);
}

int stores_open(const struct config *config, bool beside, const struct log *log, struct arena *a,
                struct stores *ret, struct str *ret_why) {
    struct wanted w = {.config = config, .beside = beside, .log = log, .arena = a};
    list_collections(&w);
    switch (settings_store(config)) {
    case STORE_SQLITE:
        return open_sqlite(&w, config_cstr(config, "data"), ret, ret_why);
    case STORE_POSTGRES:
    case STORE_POSTGRESQL:
        return open_postgres(&w, ret, ret_why);
    case STORE_MONGODB:
    case STORE_SRV:
        return open_mongo(&w, ret, ret_why);
    }
    UNREACHABLE();
}

void stores_close(struct stores *s) {
    if (s->close != NULL)
        s->close(s->own);
    *s = (struct stores){0};
}

/* ---- the bus and the cache ---- */

#define READY_PATIENCE_US (2 * US_PER_S) /* for what the others know; then it comes later */

/* Every group there is, whichever process it is in: so that no event is lost because its consumer
 * has not been started yet. */
static int32_t list_groups(struct amqp_group *groups, struct arena *a) {
    const struct service services[] = {auth_service(NULL), booking_service(NULL),
                                       driver_service(NULL), notification_service(NULL),
                                       files_service(NULL)};
    int32_t count = 0;
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        const struct service_def *def = services[i].def;
        const char **types = arena_array(a, const char *, def->event_count + 1);
        for (int32_t e = 0; e < def->event_count; e++)
            types[e] = def->events[e].type;
        if (def->event_count > 0)
            groups[count++] = (struct amqp_group){def->name, types};
    }
    return count;
}

static int load_drivers(struct links *l, struct arena *a, struct str *ret_why) {
    const void *module;
    int err = module_load(MODULE_REDIS, a, &module, ret_why);
    if (err < 0)
        return err;
    l->redis_driver = module;
    err = module_load(MODULE_AMQP, a, &module, ret_why);
    if (err < 0)
        return err;
    l->amqp_driver = module;
    return 0;
}

static int open_several(const struct config *config, const struct log *log, struct arena *a,
                        struct links *l, struct str *ret_why) {
    const struct redis_options cache = {.url = config_cstr(config, "cache"), .log = log};
    const char *why = "";
    int err = load_drivers(l, a, ret_why);
    if (err < 0)
        return err;
    err = l->redis_driver->new (&cache, &l->redis, &why);
    if (err < 0) {
        *ret_why = arena_printf(a, "the cache cannot be used: %s", why);
        return err;
    }
    l->cache = l->redis_driver->cache_new(l->redis, CACHE_ENTRIES_MAX);
    struct signals *signals = l->redis_driver->signals_new(l->redis);
    struct amqp_group *groups = arena_array(a, struct amqp_group, RUNTIME_SERVICES_MAX);
    struct amqp_options o = {.uri = config_cstr(config, "bus"),
                             .ca_file = config_cstr(config, "bus_ca"),
                             .groups = groups,
                             .group_count = list_groups(groups, a),
                             .signals = signals,
                             .log = log};
    err = l->amqp_driver->bus_new(&o, a, &l->bus, ret_why);
    if (err < 0)
        signals->ops->close(signals);
    return err;
}

int links_open(const struct config *config, const struct log *log, struct arena *a,
               struct links *ret, struct str *ret_why) {
    struct links l = {.several = config_enum(config, "bus") != BUS_INPROC};
    int err = 0;
    if (l.several) {
        err = open_several(config, log, a, &l, ret_why);
    } else {
        l.bus = inproc_bus_new();
        l.cache = memory_cache_new(CACHE_ENTRIES_MAX);
    }
    if (err < 0)
        links_close(&l);
    else
        *ret = l;
    return err;
}

int links_start(struct links *l, struct str *ret_why) {
    if (l->redis == NULL)
        return 0;
    int err = l->redis_driver->start(l->redis);
    if (err < 0)
        *ret_why = STR("the thread for the cache cannot be started");
    else
        l->redis_driver->wait_ready(l->redis, READY_PATIENCE_US);
    return err;
}

bool links_bus_ok(void *links) {
    const struct links *l = links;
    struct amqp_bus_stats stats;
    l->amqp_driver->bus_stats(l->bus, &stats);
    return stats.connected;
}

bool links_cache_ok(void *links) {
    const struct links *l = links;
    return l->redis_driver->ready(l->redis);
}

void links_close(struct links *l) {
    if (l->bus != NULL)
        l->bus->ops->close(l->bus);
    if (l->cache != NULL)
        l->cache->ops->close(l->cache);
    if (l->redis != NULL)
        l->redis_driver->free(l->redis);
    *l = (struct links){0};
}

/* ---- e-mail ---- */

static int open_smtp(const struct curl_mailer_options *o, struct arena *a,
                     struct mailer **ret_mailer, struct str *ret_why) {
    const void *module;
    int err = module_load(MODULE_CURL, a, &module, ret_why);
    if (err < 0)
        return err;
    return ((const struct curl_module *)module)->mailer_open(o, a, ret_mailer, ret_why);
}

int mailer_open(const struct config *config, struct arena *a, struct mailer **ret_mailer,
                struct str *ret_why) {
    const char *url = config_cstr(config, "mail");
    const char *from = config_cstr(config, "mail_from");
    switch ((enum settings_mail)config_enum(config, "mail")) {
    case MAIL_BY_NONE:
        *ret_mailer = NULL;
        return 0;
    case MAIL_BY_FILE:
        url += strlen("file:");
        url += strncmp(url, "//", 2) == 0 ? 2 : 0;
        return mail_folder_open(url, from, a, ret_mailer, ret_why);
    case MAIL_BY_SMTP:
    case MAIL_BY_SMTPS:
        return open_smtp(
            &(struct curl_mailer_options){.url = url,
                                          .from = from,
                                          .tls = (enum mail_tls)config_enum(config, "mail_tls"),
                                          .ca_file = config_cstr(config, "mail_ca")},
            a, ret_mailer, ret_why);
    }
    UNREACHABLE();
}

/* ---- files ---- */

const char *blobs_folder(const struct config *config, struct arena *a) {
    const char *said = config_cstr(config, "files");
    switch ((enum settings_files)config_enum(config, "files")) {
    case FILES_IN_DATA:
        return arena_cstr(a, arena_printf(a, "%s/files", config_cstr(config, "data")));
    case FILES_IN_FOLDER:
        said += strlen("file:");
        return said + (strncmp(said, "//", 2) == 0 ? 2 : 0);
    case FILES_IN_S3:
    case FILES_IN_S3_HTTP:
        return NULL;
    }
    UNREACHABLE();
}

int blobs_open(const struct config *config, struct arena *a, struct blobs **ret_blobs,
               struct str *ret_why) {
    const void *module;
    const char *folder = blobs_folder(config, a);
    if (folder != NULL)
        return blob_folder_open(folder, a, ret_blobs, ret_why);
    const struct curl_blobs_options o = {.url = config_cstr(config, "files"),
                                         .ca_file = config_cstr(config, "files_ca")};
    int err = module_load(MODULE_CURL, a, &module, ret_why);
    if (err < 0)
        return err;
    return ((const struct curl_module *)module)->blobs_open(&o, a, ret_blobs, ret_why);
}

/* ---- webhooks ---- */

/* Most platforms have no webhooks, so the real poster is opened by the first one that is called. */
struct lazy_poster {
    struct poster poster;
    const struct config *config;
    const struct log *log;
    struct arena arena;
    struct poster *real; /* NULL: not yet; on the one thread that sends, the executor's */
};

static int open_real(struct lazy_poster *l) {
    const void *module;
    struct str why = STR_NONE;
    const struct curl_poster_options o = {.allow_private =
                                              config_bool(l->config, "webhook_allow_private"),
                                          .ca_file = config_cstr(l->config, "webhook_ca")};
    int err = module_load(MODULE_CURL, &l->arena, &module, &why);
    if (err == 0)
        err = ((const struct curl_module *)module)->poster_open(&o, &l->arena, &l->real, &why);
    if (err < 0)
        log_error(l->log, "webhooks cannot be called: %.*s", STR_ARG(why));
    return err;
}

static int lazy_send(struct poster *p, const struct post *post, post_done_fn done, void *arg) {
    struct lazy_poster *l = (struct lazy_poster *)p;
    int err = l->real == NULL ? open_real(l) : 0;
    return err < 0 ? err : l->real->ops->send(l->real, post, done, arg);
}

static void lazy_close(struct poster *p) {
    struct lazy_poster *l = (struct lazy_poster *)p;
    if (l->real != NULL)
        l->real->ops->close(l->real);
    arena_free(&l->arena);
    free(l);
}
static const struct poster_ops lazy_ops = {lazy_send, lazy_close};

struct poster *poster_new(const struct config *config, const struct log *log) {
    struct lazy_poster *l = xcalloc(1, sizeof(*l));
    l->poster = (struct poster){&lazy_ops, CURL_POSTER_UNDER_WAY_MAX, CURL_POSTER_EACH_MAX};
    l->config = config;
    l->log = log;
    arena_init(&l->arena, 1024);
    return &l->poster;
}
