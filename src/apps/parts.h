/* The platform's parts as the settings name them: which store, which bus, which cache. Everything
 * that opens a store (`lorry serve`, `lorry user`, the demo) opens it here.
 */
#ifndef LORRY_APPS_PARTS_H
#define LORRY_APPS_PARTS_H

#include "apps/config.h"
#include "base/buf.h"
#include "base/log.h"
#include "ports/bus.h"
#include "ports/cache.h"
#include "ports/store.h"

/* A store, opened. Handles of `port` are closed before it. */
struct stores {
    struct store_source *port;
    struct str name; /* "sqlite", "postgres", "mongodb" */
    bool shared;     /* other processes may write to it */
    void *own;
    void (*close)(void *own);
    void (*metrics)(void *own, struct buf *out); /* NULL: it has none of its own. Any thread */
};
/* BESIDE: for a tool beside the servers (ports/store.h). On failure *RET_WHY, in A, says in a
 * sentence what is wrong; what A holds must outlive the store. LOG may be NULL. */
int stores_open(const struct config *config, bool beside, const struct log *log, struct arena *a,
                struct stores *ret, struct str *ret_why);
/* SQLite in DIR, which is made, whatever the settings say; nobody else may be at work there. */
int stores_open_folder(const char *dir, struct arena *a, struct stores *ret, struct str *ret_why);
void stores_close(struct stores *s); /* zeroed ok */

/* What processes share, or one process has: its bus, and its cache. */
struct links {
    struct bus *bus;
    struct cache *cache;
    /* The drivers (apps/modules.h) and what is theirs; NULL: there is none. */
    const struct amqp_module *amqp_driver;
    const struct redis_module *redis_driver;
    struct redis *redis;
    bool several; /* the bus reaches other processes */
};
/* As stores_open. Nothing is connected yet where that can wait. */
int links_open(const struct config *config, const struct log *log, struct arena *a,
               struct links *ret, struct str *ret_why);
/* The services have made their subscriptions. */
int links_start(struct links *l, struct str *ret_why);
void links_close(struct links *l); /* zeroed ok */
bool links_bus_ok(void *links);    /* is it there? Any thread */
bool links_cache_ok(void *links);

/* What sends e-mail as the settings say; *RET_MAILER is NULL where they say none. As stores_open.
 */
struct mailer;
int mailer_open(const struct config *config, struct arena *a, struct mailer **ret_mailer,
                struct str *ret_why);

/* What calls webhooks. Its library is loaded when the first one is called. As stores_open. */
struct poster;
struct poster *poster_new(const struct config *config, const struct log *log);

/* Where files are kept. As stores_open. */
struct blobs;
int blobs_open(const struct config *config, struct arena *a, struct blobs **ret_blobs,
               struct str *ret_why);
/* The folder that they are kept in; NULL: it is none. */
const char *blobs_folder(const struct config *config, struct arena *a);

#define COLLECTIONS_MAX 64
/* Every collection of every service: what a store is opened with. Returns how many. */
int parts_collections(const struct store_collection *ret[COLLECTIONS_MAX]);

#endif
