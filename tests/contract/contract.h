/* The contract suites: one per port, the same words for every adapter of it. An adapter's test
 * program makes a factory and hands it to the suite.
 */
#ifndef LORRY_TESTS_CONTRACT_H
#define LORRY_TESTS_CONTRACT_H

#include "ports/blobs.h"
#include "ports/bus.h"
#include "ports/cache.h"
#include "ports/signals.h"
#include "ports/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Data that outlives its handles, as a disk does. */
struct store_factory {
    const char *name;
    void *(*make)(const struct store_collection *const *collections, int count);
    struct store_source *(*source)(void *data);
    void (*reopen)(void *data); /* all handles are closed: as after a restart */
    void (*drop)(void *data);
    /* NULL: one handle writes. Else one more source on the same data, as another process has it
     * (it is called in a forked one, too); BESIDE: what it commits is owned by nobody. */
    struct store_source *(*join)(void *data, bool beside);
    void (*leave)(void *data, struct store_source *src);
    /* Documents of a batch become visible one by one. */
    bool batch_by_document;
    /* Against writers at the same instant a key is only sure to hold on one document. */
    bool keys_by_document;
    int takeover_ms; /* by then the events of a handle that is gone belong to a living one */
};
int store_contract(const struct store_factory *f); /* the number of failed tests */
int store_writers_contract(
    const struct store_factory *f); /* its part for several writing handles */

struct bus_factory {
    const char *name;
    struct bus *(*make)(void);
    int32_t in_flight_max; /* of one publisher */
    /* How much there is of what takes a bus with a network long: seeds, and events of which each
     * follows from the one before. */
    int32_t seeds, rounds;
    /* Sleeps a little while the network works; NULL: everything happens inside the calls. */
    void (*wait)(void);
    /* Nothing that is published gets anywhere, until it is called with false. NULL: a consumer that
     * does not acknowledge is enough for that. */
    void (*block)(bool blocked);
};
int bus_contract(const struct bus_factory *f);

struct cache_factory {
    const char *name;
    struct cache *(*make)(int32_t entries_max);
    int32_t (*count)(struct cache *c);
    int32_t key_max;
    /* Another replica's cache on the same data as FIRST; NULL: nothing is shared. */
    struct cache *(*join)(struct cache *first);
};
int cache_contract(const struct cache_factory *f);

struct signals_factory {
    const char *name;
    struct signals *(*make)(void);
    struct signals *(*join)(struct signals *first); /* another replica's; NULL: there are none */
    /* Listeners are there; returns when what is signalled reaches the others. */
    void (*start)(struct signals *s);
};
int signals_contract(const struct signals_factory *f);

struct blobs_factory {
    const char *name;
    struct blobs *(*open)(void);
    struct blobs *(*again)(void); /* one more on the same place; NULL: there is but one */
    void (*age)(struct blobs *b, const char *name); /* it was put two hours ago */
};
int blobs_contract(const struct blobs_factory *f);

#endif
