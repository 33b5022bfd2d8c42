/* What the stores do a second: bench-store [memory|sqlite|postgres] [DIR]. Prints figures, judges
 * nothing. The postgres server is one of its own below DIR, with fsync on.
 *
 * The documents are like bookings: about 1.2 kB of JSON, two partial indexes (one of many
 * customers, one of few states), a wake-up, and one event of 300 bytes with each change, whose
 * outbox row is removed two batches later, as the pump does.
 */
#include "postgres_server.h"

#include "adapters/memory/memory_store.h"
#include "adapters/postgres/postgres_store.h"
#include "adapters/sqlite/sqlite_store.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/rng.h"
#include "base/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE_BYTES 1200
#define EVENT_BYTES 300
#define DOCS 100000
#define CUSTOMERS 20000
#define TURNOVER 20000 /* documents that are still being changed */

static const struct store_collection bookings = {"bench", {"customer", "state"}, true};
static const struct store_collection *const collections[] = {&bookings};

struct bench {
    struct store *s;
    struct arena a;
    char state[STATE_BYTES], event[EVENT_BYTES];
    int64_t *versions;
    int64_t removed_seq, last_seq, worst_us;
    struct rng rng;
    bool plain; /* neither index keys nor wake-ups */
};

/* A JSON object with members as a booking has them. */
static void make_state(char out[STATE_BYTES]) {
    struct buf b;
    buf_init(&b, NULL, STATE_BYTES);
    buf_add_cstr(&b, "{\"stops\":[1,2,3]");
    for (int i = 0; b.len + 40 < STATE_BYTES; i++)
        buf_printf(&b, ",\"member_%02d\":\"value %010d\"", i, i * 7919);
    while (b.len < STATE_BYTES - 1)
        buf_add_char(&b, ' ');
    buf_add_char(&b, '}');
    memcpy(out, b.p, STATE_BYTES);
    buf_free(&b);
}

static struct str id_of(struct bench *b, int64_t n) {
    return arena_printf(&b->a, "bkg_01JABCD%019lld", (long long)n);
}

static struct store_change change(struct bench *b, int64_t doc, int step) {
    struct event *e = arena_new(&b->a, struct event);
    struct str id = id_of(b, doc);
    *e = (struct event){.id = id,
                        .type = STR("booking.requested"),
                        .key = id,
                        .at_us = 1,
                        .data = {b->event, sizeof b->event}};
    struct store_change c = {.collection = &bookings,
                             .id = id,
                             .expected_version = b->versions[doc]++,
                             .state = {b->state, sizeof b->state},
                             .commit_id = id,
                             .events = e,
                             .event_count = 1};
    if (!b->plain) {
        int64_t customer = (int64_t)((uint64_t)doc * 2654435761u % CUSTOMERS);
        c.keys[0] = arena_printf(&b->a, "usr_01JABCD%019lld", (long long)customer);
        c.keys[1] = step < 3 ? STR("active") : STR_NONE;
        c.wake_at_us = step == 0 ? 1000000 + doc : 0;
    }
    return c;
}

static void commit(struct bench *b, struct store_change *changes, int32_t count) {
    int64_t seqs[STORE_BATCH_MAX];
    int32_t gone = 0;
    int64_t from_us = clock_mono_us();
    while (gone < STORE_BATCH_MAX && b->removed_seq < b->last_seq - (int64_t)count * 2)
        seqs[gone++] = ++b->removed_seq;
    CHECK(b->s->ops->commit(b->s, changes, count, seqs, gone) == 0);
    for (int32_t i = 0; i < count; i++)
        CHECK(changes[i].result == 0);
    b->last_seq += count;
    int64_t took_us = clock_mono_us() - from_us;
    if (took_us > b->worst_us)
        b->worst_us = took_us;
}

static void report(struct bench *b, const char *store, const char *what, int32_t batch, int64_t n,
                   int64_t from_us) {
    double s = (double)(clock_mono_us() - from_us) / 1e6;
    printf("%-8s %-22s batch %3d  %9.0f/s  longest batch %6.1f ms\n", store, what, batch,
           (double)n / s, (double)b->worst_us / 1e3);
    fflush(stdout);
    b->worst_us = 0;
}

static void creates_and_updates(struct bench *b, const char *store, int32_t batch) {
    struct store_change changes[STORE_BATCH_MAX];
    int64_t from_us = clock_mono_us();
    for (int64_t doc = 0; doc + batch <= DOCS; doc += batch) {
        for (int32_t i = 0; i < batch; i++)
            changes[i] = change(b, doc + i, 0);
        commit(b, changes, batch);
        arena_reset(&b->a);
    }
    report(b, store, b->plain ? "create, no indexes" : "create", batch, DOCS, from_us);
    from_us = clock_mono_us();
    for (int64_t n = 0; n < DOCS; n += batch) {
        int64_t start = (int64_t)rng_below(&b->rng, TURNOVER);
        for (int32_t i = 0; i < batch; i++) {
            int64_t doc = DOCS - batch - 1 - (start + (int64_t)i * 7919) % TURNOVER;
            changes[i] = change(b, doc, (int)b->versions[doc]);
        }
        commit(b, changes, batch);
        arena_reset(&b->a);
    }
    report(b, store, b->plain ? "update, no indexes" : "update", batch, DOCS, from_us);
}

static void reads(struct bench *b, struct store *r, const char *store) {
    struct store_doc doc, *docs;
    int32_t n;
    int64_t from_us = clock_mono_us();
    for (int i = 0; i < 100000; i++) {
        struct str id = id_of(b, (int64_t)rng_below(&b->rng, DOCS - 256));
        CHECK(r->ops->get(r, &bookings, id, &b->a, &doc) == 0);
        arena_reset(&b->a);
    }
    report(b, store, "get", 1, 100000, from_us);
    from_us = clock_mono_us();
    for (int i = 0; i < 20000; i++) {
        struct store_query q = {.collection = &bookings, .limit = 20, .index = "state"};
        q.key = STR("active");
        q.after = id_of(b, (int64_t)rng_below(&b->rng, DOCS));
        CHECK(r->ops->list(r, &q, &b->a, &docs, &n) == 0);
        arena_reset(&b->a);
    }
    report(b, store, "list 20 by index", 1, 20000, from_us);
}

static void run(struct store_source *src, const char *store, int32_t batch, bool plain) {
    struct bench *b = xcalloc(1, sizeof *b);
    struct store *r;
    make_state(b->state);
    memset(b->event, 'e', sizeof b->event);
    b->versions = xcalloc(DOCS, sizeof *b->versions);
    b->plain = plain;
    rng_seed(&b->rng, 1);
    arena_init(&b->a, 1 << 20);
    CHECK(src->open(src, true, &b->s) == 0 && src->open(src, false, &r) == 0);
    creates_and_updates(b, store, batch);
    if (!plain)
        reads(b, r, store);
    r->ops->close(r);
    b->s->ops->close(b->s);
    arena_free(&b->a);
    free(b->versions);
    free(b);
}

static void run_sqlite(const char *base, int32_t batch, bool plain) {
    struct arena a;
    struct sqlite_source *src;
    struct str why = STR_NONE;
    arena_init(&a, 4096);
    char *dir = arena_cstr(&a, arena_printf(&a, "%s/lorry-bench-XXXXXX", base));
    CHECK(mkdtemp(dir));
    struct sqlite_options o = {.dir = dir, .collections = collections, .collection_count = 1};
    if (sqlite_source_open(&o, &a, &src, &why) < 0) {
        fprintf(stderr, "%.*s\n", STR_ARG(why));
        exit(1);
    }
    run(sqlite_source_port(src), "sqlite", batch, plain);
    sqlite_source_close(src);
    const char *files[] = {"lorry.db", "lorry.db-wal", "lorry.db-shm", "lorry.lock", "."};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        remove(arena_cstr(&a, arena_printf(&a, i < 4 ? "%s/%s" : "%s", dir, files[i])));
    arena_free(&a);
}

static void run_postgres(const char *base, int32_t batch, bool plain) {
    struct arena a;
    struct postgres_server server;
    struct postgres_source *src;
    struct str why = STR_NONE;
    char uri[POSTGRES_URI_MAX];
    arena_init(&a, 4096);
    char *dir = arena_cstr(&a, arena_printf(&a, "%s/lorry-bench-XXXXXX", base));
    CHECK(mkdtemp(dir));
    postgres_server_make(&server, dir, "max_wal_size = 1GB");
    postgres_server_start(&server);
    postgres_server_uri(&server, "postgres", uri);
    struct postgres_options o = {.uri = uri, .collections = collections, .collection_count = 1};
    if (postgres_source_open(&o, &a, &src, &why) < 0) {
        fprintf(stderr, "%.*s\n", STR_ARG(why));
        exit(1);
    }
    run(postgres_source_port(src), "postgres", batch, plain);
    postgres_source_close(src);
    postgres_server_remove(&server);
    arena_free(&a);
}

int main(int argc, char **argv) {
    static const int32_t batches[] = {1, 32, 128, 256};
    const char *only = argc > 1 ? argv[1] : "";
    const char *base = argc > 2 ? argv[2] : "/tmp";
    bool all = !*only;
    for (size_t i = 0; i < COUNT_OF(batches); i++) {
        if (all || !strcmp(only, "memory")) {
            struct memory_disk *d = memory_disk_new();
            run(memory_disk_source(d), "memory", batches[i], false);
            memory_disk_free(d);
        }
        for (int plain = 0; plain < 2 && batches[i] > 1; plain++) {
            if (all || !strcmp(only, "sqlite"))
                run_sqlite(base, batches[i], plain);
            if ((all || !strcmp(only, "postgres")) && postgres_server_installed())
                run_postgres(base, batches[i], plain);
        }
    }
    return 0;
}
