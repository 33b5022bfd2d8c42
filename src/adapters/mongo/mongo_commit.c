/* A commit goes in waves. Each sends the compare-and-sets of all open groups, one bulk write for
 * each collection; most often that is all. Whoever did not certainly go through is looked after:
 * his tag among the document's last ones says that he did, answer lost or not; else he is judged
 * again at the version that the document has. So a lost answer costs a look and not a doubt, and
 * sending once more is safe: of two that arrive the version lets only one in.
 *
 * When the server stays away, what was sent is in doubt. It is kept, and brought to an end before
 * this handle answers anything again: then the document shows whether it went through, for good.
 */
#include "adapters/mongo/mongo_batch.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "ports/store_check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_PAUSE_NS 20000000L /* 20 ms */

/* --- commits in doubt ------------------------------------------------------------------------- */

static void forget_recovered(struct mongo_store *s) {
    for (int32_t i = 0; i < s->recovered_count; i++) {
        free(s->recovered[i].id);
        free(s->recovered[i].commit_id);
    }
    s->recovered_count = 0;
}

/* W went through after all: whoever asks for the document is told. */
static void recover(struct mongo_store *s, struct mongo_write *w) {
    CHECK(s->recovered_count < STORE_BATCH_MAX);
    s->recovered[s->recovered_count++] = (struct mongo_recovered){
        .table = w->table, .id = w->id, .id_len = w->id_len, .commit_id = w->commit_id};
    w->id = w->commit_id = NULL;
}

static void keep_in_doubt(struct mongo_store *s, struct mongo_group *g) {
    if (s->limbo_count == 0)
        forget_recovered(s);
    CHECK(s->limbo_count < STORE_BATCH_MAX);
    s->limbo[s->limbo_count++] = g->write;
    g->write = NULL;
    s->outbox.recheck = true;
}

static int resolve_one(struct mongo_store *s, struct mongo_write *w, struct arena *a) {
    struct mongo_head head = {0};
    bool ok = false, sent;
    int r = mongo_heads(s, &w, 1, a, &head);
    if (r == 0 && !head.applied && head.version == w->base) {
        r = mongo_send(s, &w, 1, &ok, &sent);
        if (r == 0 && !ok) /* it was on its way all the time, or somebody else was */
            r = mongo_heads(s, &w, 1, a, &head);
    }
    if (r < 0)
        return ERR_UNAVAILABLE;
    if (ok || head.applied)
        recover(s, w);
    return 0;
}

int mongo_resolve(struct mongo_store *s) {
    struct arena a;
    int r = 0;
    if (s->limbo_count == 0)
        return 0;
    arena_init(&a, 4096);
    while (r == 0 && s->limbo_count > 0) {
        struct mongo_write *w = s->limbo[s->limbo_count - 1];
        r = resolve_one(s, w, &a);
        if (r == 0) {
            mongo_write_free(w);
            s->limbo_count--;
        }
        arena_reset(&a);
    }
    arena_free(&a);
    return r;
}

/* --- waves ------------------------------------------------------------------------------------ */

/* The open groups of one table that are sent together. */
struct wave {
    struct mongo_batch *b;
    int table;
    int32_t count, waiting;
    bool force;
    struct mongo_group *groups[STORE_BATCH_MAX];
    struct mongo_write *writes[STORE_BATCH_MAX];
    struct mongo_head heads[STORE_BATCH_MAX];
    bool ok[STORE_BATCH_MAX];
};

static bool late(const struct mongo_batch *b) {
    return clock_mono_us() >= b->until_us;
}

static void gather(struct wave *w) {
    w->count = w->waiting = 0;
    for (int32_t i = 0; i < w->b->group_count; i++) {
        struct mongo_group *g = &w->b->groups[i];
        if (g->table != w->table || g->fate != MONGO_OPEN)
            continue;
        int r = mongo_batch_judge(w->b, g, w->force && w->count == 0);
        w->waiting += r == ERR_AGAIN;
        if (r != 1)
            continue;
        if (!mongo_batch_write(w->b, g)) {
            mongo_batch_settle(w->b, g, ERR_INVALID);
            continue;
        }
        w->groups[w->count] = g;
        w->writes[w->count++] = g->write;
    }
    w->force = w->count == 0 && w->waiting > 0; /* they wait for each other: the first goes on */
}

/* Those who did not certainly go through: did they, and if not, at which version are they? */
static int look_after(struct wave *w) {
    int32_t left = 0;
    for (int32_t i = 0; i < w->count; i++) {
        if (w->groups[i]->fate != MONGO_OPEN)
            continue;
        w->groups[left] = w->groups[i];
        w->writes[left++] = w->groups[i]->write;
    }
    w->count = left;
    if (left == 0)
        return 0;
    int r = mongo_heads(w->b->s, w->writes, left, w->b->a, w->heads);
    if (r < 0)
        return r;
    for (int32_t i = 0; i < left; i++) {
        struct mongo_group *g = w->groups[i];
        if (w->heads[i].applied)
            mongo_batch_settle(w->b, g, 0);
    }
    r = mongo_batch_find_keys(w->b, w->table);
    for (int32_t i = 0; r == 0 && i < left; i++) {
        struct mongo_group *g = w->groups[i];
        if (g->fate != MONGO_OPEN)
            continue;
        g->doubt = g->doubt && w->heads[i].version == g->version; /* moved on: it cannot come */
        g->version = w->heads[i].version;
        g->known = true;
        if (++g->attempts >= MONGO_WAVES_MAX && !g->doubt)
            mongo_batch_settle(w->b, g, ERR_CONFLICT);
    }
    return r;
}

/* One bulk write of a table, and the look after it. */
static int send_wave(struct wave *w) {
    bool sent = true;
    gather(w);
    if (w->force)
        gather(w);
    if (w->count == 0)
        return 0;
    int r = mongo_send(w->b->s, w->writes, w->count, w->ok, &sent);
    if (r < 0 && !sent && r != ERR_UNAVAILABLE) { /* a plain no: it would be the same again */
        for (int32_t i = 0; i < w->count; i++)
            if (!w->groups[i]->doubt)
                mongo_batch_settle(w->b, w->groups[i], r);
    }
    for (int32_t i = 0; i < w->count; i++) {
        w->groups[i]->doubt = w->groups[i]->doubt || (r < 0 && sent);
        if (w->ok[i])
            mongo_batch_settle(w->b, w->groups[i], 0);
    }
    return r < 0 && !sent ? r : look_after(w);
}

static int32_t open_groups(const struct mongo_batch *b) {
    int32_t n = 0;
    for (int32_t i = 0; i < b->group_count; i++)
        n += b->groups[i].fate == MONGO_OPEN;
    return n;
}

/* Where the server does not keep keys apart between documents, they are looked for first. */
static int look_for_keys(struct mongo_batch *b) {
    int r = 0;
    for (int t = 0; r == 0 && t < b->s->table_count; t++)
        if (!b->s->tables[t].unique_keys)
            r = mongo_batch_find_keys(b, t);
    return r;
}

static void run(struct mongo_batch *b) {
    struct wave *w = arena_new(b->a, struct wave);
    while (open_groups(b) > 0 && !late(b)) {
        int r = 0;
        for (int t = 0; r == 0 && t < b->s->table_count; t++) {
            w->b = b;
            w->table = t;
            w->force = false;
            r = send_wave(w);
        }
        if (r < 0)
            nanosleep(&(struct timespec){.tv_nsec = RETRY_PAUSE_NS}, NULL);
    }
    for (int32_t i = 0; i < b->group_count; i++) {
        struct mongo_group *g = &b->groups[i];
        if (g->fate != MONGO_OPEN)
            continue;
        mongo_batch_give_up(b, g, g->doubt);
        if (g->doubt)
            keep_in_doubt(b->s, g);
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

/* The events of all that is there now, in the order of the batch. */
static void take_events(struct mongo_batch *b) {
    for (int32_t i = 0; i < b->count; i++) {
        const struct store_change *c = &b->changes[i];
        int table = mongo_table_of(b->s, c->collection);
        for (int32_t n = 0; c->result == 0 && !b->s->beside && n < c->event_count; n++)
            mongo_outbox_add(&b->s->outbox, table, c->id,
                             arena_printf(b->a, "%.*s%02x", STR_ARG(b->items[i].rows), n),
                             &c->events[n]);
    }
}

/* What the whole came to: an error only if it is the same for each. */
static int whole_result(const struct mongo_batch *b) {
    int r = b->count > 0 ? b->changes[0].result : 0;
    for (int32_t i = 1; i < b->count; i++)
        if (b->changes[i].result != r)
            return 0;
    return r == ERR_UNKNOWN || r == ERR_UNAVAILABLE || r == ERR_FULL || r == ERR_IO ||
                   r == ERR_BUSY || r == ERR_DENIED
               ? r
               : 0;
}

/* May this handle write now? */
static int ready(struct mongo_store *s, const struct store_change *changes, int32_t count) {
    int64_t server_ms = 0;
    int32_t events = 0;
    for (int32_t i = 0; i < count; i++)
        events += changes[i].event_count;
    if (events > 0 && !mongo_outbox_room(&s->outbox, events))
        return ERR_FULL;
    int r = mongo_resolve(s);
    bool stale = clock_mono_us() - s->outbox.beat_at_us > MONGO_LEASE_MS * US_PER_MS / 2;
    if (r == 0 && events > 0 && stale && !s->beside)
        r = mongo_beat(s, &server_ms);
    return r;
}

int mongo_commit(struct store *store, struct store_change *changes, int32_t count,
                 const int64_t *remove_seqs, int32_t remove_count) {
    struct mongo_store *s = mongo_self(store);
    struct mongo_batch b;
    struct arena a;
    CHECK(s->writer);
    store_batch_check(changes, count, remove_count);
    mongo_end(store); /* what was expected is past */
    int r = ready(s, changes, count);
    if (r < 0) {
        for (int32_t i = 0; i < count; i++)
            changes[i].result = r;
        return r;
    }
    arena_init(&a, 65536);
    mongo_batch_init(&b, s, &a, changes, count);
    r = look_for_keys(&b);
    if (r == 0)
        run(&b);
    for (int32_t i = 0; r < 0 && i < count; i++)
        changes[i].result = r;
    if (r == 0) {
        take_events(&b);
        r = whole_result(&b);
    }
    mongo_batch_free(&b);
    arena_free(&a);
    if (r == 0)
        mongo_outbox_remove(s, remove_seqs, remove_count);
    return r;
}
