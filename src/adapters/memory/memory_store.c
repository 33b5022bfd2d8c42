/* The handle side of the memory store: the lock, the faults, and the copies into the caller's
 * arena. The data itself is in memory_data.c. */
#include "adapters/memory/memory_store.h"

#include "adapters/memory/memory_data.h"
#include "base/check.h"
#include "base/err.h"
#include "ports/store_check.h"

#include <pthread.h>
#include <stdlib.h>

struct memory_disk {
    struct store_source source; /* first: the port's view */
    pthread_mutex_t lock;       /* guards everything below */
    struct memory_data data;
    int64_t commits, handles;
    memory_watch_fn watch;
    void *watch_arg;
};

struct memory_store {
    struct store store; /* first: the port's view */
    struct memory_disk *disk;
    const struct memory_store_faults *faults; /* or NULL */
    bool writer;
    int32_t owner; /* of the events it commits, and the only ones it reads */
};

static struct memory_store *self(struct store *s) {
    return (struct memory_store *)s;
}

static bool chance(const struct memory_store *m, double probability) {
    return probability > 0 && rng_unit(m->faults->rng) < probability;
}

static bool read_fails(const struct memory_store *m) {
    return m->faults && chance(m, m->faults->read_busy);
}

static struct store_doc doc_out(const struct store_doc *d, struct arena *a) {
    return (struct store_doc){.id = arena_str(a, d->id),
                              .version = d->version,
                              .state = arena_str(a, d->state),
                              .wake_at_us = d->wake_at_us,
                              .commit_id = arena_str(a, d->commit_id)};
}

static int get(struct store *s, const struct store_collection *decl, struct str id, struct arena *a,
               struct store_doc *ret_doc) {
    struct memory_store *m = self(s);
    if (read_fails(m))
        return ERR_BUSY;
    pthread_mutex_lock(&m->disk->lock);
    struct memory_collection *c = memory_collection_of(&m->disk->data, decl);
    const struct memory_doc *doc = map_get(&c->by_id, id);
    if (doc)
        *ret_doc = doc_out(&doc->doc, a);
    pthread_mutex_unlock(&m->disk->lock);
    return doc ? 0 : ERR_NOT_FOUND;
}

/* Walks SET from after to until, in the query's direction. */
static int32_t walk(const struct sorted *set, const struct store_query *q, struct arena *a,
                    struct store_doc *out) {
    int32_t n = 0;
    if (q->ascending) {
        struct sorted_pos pos = q->after.p ? sorted_seek(set, 0, q->after) : sorted_first();
        const struct sorted_entry *e = sorted_at(set, pos);
        if (e && q->after.p && str_eq(e->key, q->after))
            sorted_next(set, &pos);
        for (; n < q->limit && (e = sorted_at(set, pos)); sorted_next(set, &pos)) {
            if (q->until.p && str_cmp(e->key, q->until) >= 0)
                break;
            out[n++] = doc_out(&((const struct memory_doc *)e->value)->doc, a);
        }
        return n;
    }
    struct sorted_pos pos = q->after.p ? sorted_seek(set, 0, q->after) : sorted_end(set);
    while (n < q->limit && sorted_prev(set, &pos)) {
        const struct sorted_entry *e = sorted_at(set, pos);
        if (q->until.p && str_cmp(e->key, q->until) <= 0)
            break;
        out[n++] = doc_out(&((const struct memory_doc *)e->value)->doc, a);
    }
    return n;
}

static int list(struct store *s, const struct store_query *q, struct arena *a,
                struct store_doc **ret_docs, int32_t *ret_count) {
    struct memory_store *m = self(s);
    store_query_check(q);
    if (read_fails(m))
        return ERR_BUSY;
    struct store_doc *docs = arena_array(a, struct store_doc, q->limit);
    pthread_mutex_lock(&m->disk->lock);
    struct memory_collection *c = memory_collection_of(&m->disk->data, q->collection);
    const struct sorted *set = &c->ids;
    if (q->index) {
        int index = store_index_of(q->collection, q->index);
        const struct memory_bucket *b = map_get(&c->indexes[index], q->key);
        set = b ? &b->docs : NULL;
    }
    *ret_count = set ? walk(set, q, a, docs) : 0;
    pthread_mutex_unlock(&m->disk->lock);
    *ret_docs = docs;
    return 0;
}

/* What becomes of a document whose changes are in doubt. */
enum fate {
    FATE_SURE,
    FATE_WRITTEN, /* ERR_UNKNOWN */
    FATE_LOST,    /* ERR_UNKNOWN */
    FATE_AWAY,    /* ERR_UNAVAILABLE */
    FATES
};

/* The fate of change I: of one document all have the same. */
static enum fate draw_fate(struct memory_store *m, const struct store_change *changes, int32_t i,
                           const enum fate *fates) {
    if (!m->faults || m->faults->doubt <= 0)
        return FATE_SURE;
    for (int32_t k = i - 1; k >= 0; k--)
        if (changes[k].collection == changes[i].collection && str_eq(changes[k].id, changes[i].id))
            return fates[k];
    return chance(m, m->faults->doubt) ? 1 + (enum fate)rng_below(m->faults->rng, FATES - 1)
                                       : FATE_SURE;
}

/* Everything of a commit that happens under the lock. */
static void write_batch(struct memory_store *m, struct store_change *changes, int32_t count,
                        const int64_t *remove_seqs, int32_t remove_count, enum fate *ret_fates,
                        struct memory_commit *ret) {
    struct memory_data *d = &m->disk->data;
    ret->first_seq = memory_outbox_next_seq(&d->outbox);
    for (int32_t i = 0; i < count; i++) {
        bool spurious = m->faults && chance(m, m->faults->conflict);
        ret_fates[i] = draw_fate(m, changes, i, ret_fates);
        if (ret_fates[i] > FATE_WRITTEN)
            changes[i].result = ret_fates[i] == FATE_LOST ? ERR_UNKNOWN : ERR_UNAVAILABLE;
        else
            changes[i].result =
                spurious ? ERR_CONFLICT : memory_data_apply(d, &changes[i], m->owner);
    }
    for (int32_t i = 0; i < remove_count; i++)
        memory_outbox_remove(&d->outbox, remove_seqs[i]);
    ret->event_count = memory_outbox_next_seq(&d->outbox) - ret->first_seq;
    m->disk->commits++;
}

static int fail_all(struct store_change *changes, int32_t count, int code) {
    for (int32_t i = 0; i < count; i++)
        changes[i].result = code;
    return code;
}

static int commit(struct store *s, struct store_change *changes, int32_t count,
                  const int64_t *remove_seqs, int32_t remove_count) {
    struct memory_store *m = self(s);
    CHECK(m->writer);
    store_batch_check(changes, count, remove_count);
    if (m->faults && chance(m, m->faults->busy))
        return fail_all(changes, count, ERR_BUSY);
    if (m->faults && chance(m, m->faults->io))
        return fail_all(changes, count, ERR_IO);
    if (m->faults && chance(m, m->faults->unknown_lost))
        return fail_all(changes, count, ERR_UNKNOWN);

    struct memory_commit done = {.changes = changes,
                                 .count = count,
                                 .remove_seqs = remove_seqs,
                                 .remove_count = remove_count};
    enum fate fates[STORE_BATCH_MAX];
    pthread_mutex_lock(&m->disk->lock);
    write_batch(m, changes, count, remove_seqs, remove_count, fates, &done);
    memory_watch_fn watch = m->disk->watch;
    void *watch_arg = m->disk->watch_arg;
    pthread_mutex_unlock(&m->disk->lock);
    if (watch)
        watch(watch_arg, &done);
    if (m->faults && chance(m, m->faults->unknown_committed))
        return fail_all(changes, count, ERR_UNKNOWN);
    for (int32_t i = 0; i < count; i++)
        if (fates[i] == FATE_WRITTEN && changes[i].result == 0)
            changes[i].result = ERR_UNKNOWN;
    return 0;
}

static int answer(struct store *s, const struct store_collection *c, struct str key,
                  struct arena *a, struct store_answer *ret_answer) {
    (void)c; /* keys of all collections lie together */
    struct memory_store *m = self(s);
    if (read_fails(m))
        return ERR_BUSY;
    pthread_mutex_lock(&m->disk->lock);
    const struct memory_kept *kept = memory_keep_get(&m->disk->data.answers, key);
    if (kept) {
        *ret_answer = kept->answer;
        ret_answer->key = arena_str(a, kept->key);
        ret_answer->etag = arena_str(a, kept->answer.etag);
        ret_answer->body = arena_str(a, kept->answer.body);
    }
    pthread_mutex_unlock(&m->disk->lock);
    return kept ? 0 : ERR_NOT_FOUND;
}

static bool seen(struct store *s, const struct store_collection *c, struct str dedupe) {
    (void)c;
    struct memory_store *m = self(s);
    pthread_mutex_lock(&m->disk->lock);
    bool yes = memory_keep_get(&m->disk->data.seen, dedupe) != NULL;
    pthread_mutex_unlock(&m->disk->lock);
    return yes;
}

static int outbox_read(struct store *s, int64_t after_seq, int32_t limit, struct arena *a,
                       struct event **ret_events, int32_t *ret_count) {
    struct memory_store *m = self(s);
    CHECK(limit >= 1);
    if (read_fails(m))
        return ERR_BUSY;
    pthread_mutex_lock(&m->disk->lock);
    const struct memory_outbox *o = &m->disk->data.outbox;
    struct event *events =
        arena_array(a, struct event, o->rows < limit ? (int32_t)o->rows + 1 : limit);
    const struct event *e;
    int32_t n = 0;
    while (n < limit && (e = memory_outbox_from(o, m->owner, after_seq + 1))) {
        events[n++] = (struct event){.id = arena_str(a, e->id),
                                     .type = arena_str(a, e->type),
                                     .key = arena_str(a, e->key),
                                     .at_us = e->at_us,
                                     .request_id = arena_str(a, e->request_id),
                                     .traceparent = arena_str(a, e->traceparent),
                                     .data = arena_str(a, e->data),
                                     .seq = e->seq};
        after_seq = e->seq;
    }
    pthread_mutex_unlock(&m->disk->lock);
    *ret_events = events;
    *ret_count = n;
    return 0;
}

static int due(struct store *s, const struct store_collection *decl, int64_t now_us, int32_t limit,
               struct arena *a, struct store_doc **ret_docs, int32_t *ret_count) {
    struct memory_store *m = self(s);
    CHECK(decl->timers && limit >= 1);
    if (read_fails(m))
        return ERR_BUSY;
    pthread_mutex_lock(&m->disk->lock);
    const struct sorted *wakes = &memory_collection_of(&m->disk->data, decl)->wakes;
    size_t room = wakes->count < (size_t)limit ? wakes->count : (size_t)limit;
    struct store_doc *docs = arena_array(a, struct store_doc, room + 1);
    struct sorted_pos pos = sorted_first();
    const struct sorted_entry *e;
    int32_t n = 0;
    for (; n < limit && (e = sorted_at(wakes, pos)) && e->rank <= now_us; sorted_next(wakes, &pos))
        docs[n++] = doc_out(&((const struct memory_doc *)e->value)->doc, a);
    pthread_mutex_unlock(&m->disk->lock);
    *ret_docs = docs;
    *ret_count = n;
    return 0;
}

static int prune(struct store *s, int64_t before_us, int32_t limit) {
    struct memory_store *m = self(s);
    CHECK(m->writer && limit >= 1);
    pthread_mutex_lock(&m->disk->lock);
    int dropped = memory_keep_prune(&m->disk->data.seen, before_us, limit) +
                  memory_keep_prune(&m->disk->data.answers, before_us, limit);
    pthread_mutex_unlock(&m->disk->lock);
    return dropped;
}

static int prune_docs(struct store *s, const struct store_collection *decl, struct str below_id,
                      int32_t limit) {
    struct memory_store *m = self(s);
    CHECK(m->writer && limit >= 1 && below_id.p);
    pthread_mutex_lock(&m->disk->lock);
    struct memory_collection *c = memory_collection_of(&m->disk->data, decl);
    const struct sorted_entry *e;
    int dropped = 0;
    while (dropped < limit && (e = sorted_at(&c->ids, sorted_first())) &&
           str_cmp(e->key, below_id) < 0) {
        memory_doc_remove(c, e->value);
        dropped++;
    }
    pthread_mutex_unlock(&m->disk->lock);
    return dropped;
}

static void close_handle(struct store *s) {
    struct memory_store *m = self(s);
    pthread_mutex_lock(&m->disk->lock);
    m->disk->handles--;
    pthread_mutex_unlock(&m->disk->lock);
    free(m);
}

static const struct store_ops memory_ops = {
    .get = get,
    .list = list,
    .commit = commit,
    .answer = answer,
    .seen = seen,
    .outbox_read = outbox_read,
    .due = due,
    .prune = prune,
    .prune_docs = prune_docs,
    .close = close_handle,
};

struct store *memory_disk_open(struct memory_disk *d, bool writer,
                               const struct memory_store_faults *faults) {
    return memory_disk_join(d, writer, 0, faults);
}

struct store *memory_disk_join(struct memory_disk *d, bool writer, int32_t owner,
                               const struct memory_store_faults *faults) {
    struct memory_store *m = xcalloc(1, sizeof *m);
    *m = (struct memory_store){
        .store = {&memory_ops}, .disk = d, .faults = faults, .writer = writer, .owner = owner};
    pthread_mutex_lock(&d->lock);
    d->handles++;
    pthread_mutex_unlock(&d->lock);
    return &m->store;
}

static int open_from_source(struct store_source *src, bool writer, struct store **ret_store) {
    *ret_store = memory_disk_open((struct memory_disk *)src, writer, NULL);
    return 0;
}

struct memory_disk *memory_disk_new(void) {
    struct memory_disk *d = xcalloc(1, sizeof *d);
    d->source.open = open_from_source;
    CHECK(pthread_mutex_init(&d->lock, NULL) == 0);
    memory_data_init(&d->data);
    return d;
}

struct memory_disk *memory_disk_free(struct memory_disk *d) {
    if (!d)
        return NULL;
    CHECK(d->handles == 0);
    memory_data_free(&d->data);
    pthread_mutex_destroy(&d->lock);
    free(d);
    return NULL;
}

void memory_disk_watch(struct memory_disk *d, memory_watch_fn fn, void *arg) {
    pthread_mutex_lock(&d->lock);
    d->watch = fn;
    d->watch_arg = arg;
    pthread_mutex_unlock(&d->lock);
}

struct store_source *memory_disk_source(struct memory_disk *d) {
    return &d->source;
}

void memory_disk_stats(struct memory_disk *d, struct memory_disk_stats *ret) {
    pthread_mutex_lock(&d->lock);
    *ret = (struct memory_disk_stats){.outbox_rows = d->data.outbox.rows,
                                      .seen = (int64_t)d->data.seen.by_key.count,
                                      .answers = (int64_t)d->data.answers.by_key.count,
                                      .commits = d->commits,
                                      .next_seq = memory_outbox_next_seq(&d->data.outbox)};
    for (int i = 0; i < d->data.collection_count; i++)
        ret->documents += (int64_t)d->data.collections[i]->ids.count;
    pthread_mutex_unlock(&d->lock);
}
