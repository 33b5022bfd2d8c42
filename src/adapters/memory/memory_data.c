#include "adapters/memory/memory_data.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "ports/store_check.h"

#include <stdlib.h>
#include <string.h>

/* Copies S to *AT, moves *AT behind it. Absent stays absent. */
static struct str put(char **at, struct str s) {
    if (!s.p)
        return STR_NONE;
    struct str copy = {*at, s.len};
    memcpy(*at, s.p, s.len);
    *at += s.len;
    return copy;
}

/* --- dedupe keys and answers ------------------------------------------------------------------ */

const struct memory_kept *memory_keep_get(const struct memory_keep *k, struct str key) {
    return map_get(&k->by_key, key);
}

static void keep_add(struct memory_keep *k, struct str key, int64_t at_us,
                     const struct store_answer *answer) {
    size_t extra = key.len + (answer ? answer->etag.len + answer->body.len : 0);
    struct memory_kept *kept = xmalloc(sizeof *kept + extra + 1);
    char *at = (char *)(kept + 1);
    *kept = (struct memory_kept){.key = put(&at, key), .at_us = at_us};
    if (answer) {
        kept->answer = *answer;
        kept->answer.key = kept->key;
        kept->answer.etag = put(&at, answer->etag);
        kept->answer.body = put(&at, answer->body);
    }
    map_put(&k->by_key, kept->key, kept);
    sorted_insert(&k->by_time, at_us, kept->key, kept);
}

int memory_keep_prune(struct memory_keep *k, int64_t before_us, int32_t limit) {
    int dropped = 0;
    while (dropped < limit) {
        const struct sorted_entry *oldest = sorted_at(&k->by_time, sorted_first());
        if (!oldest || oldest->rank >= before_us)
            break;
        struct memory_kept *kept = oldest->value;
        sorted_remove(&k->by_time, kept->at_us, kept->key);
        map_remove(&k->by_key, kept->key);
        free(kept);
        dropped++;
    }
    return dropped;
}

static void keep_free(struct memory_keep *k) {
    memory_keep_prune(k, INT64_MAX, INT32_MAX);
    sorted_free(&k->by_time);
    map_free(&k->by_key);
}

/* --- outbox ----------------------------------------------------------------------------------- */

static struct memory_row **outbox_slot(const struct memory_outbox *o, int64_t seq) {
    return &o->ring[(o->head + (size_t)(seq - o->head_seq)) & (o->cap - 1)];
}

int64_t memory_outbox_next_seq(const struct memory_outbox *o) {
    return o->head_seq + (int64_t)o->span;
}

static void outbox_grow(struct memory_outbox *o) {
    size_t cap = o->cap ? o->cap * 2 : 64;
    struct memory_row **ring = xcalloc(cap, sizeof *ring);
    for (size_t i = 0; i < o->span; i++)
        ring[i] = o->ring[(o->head + i) & (o->cap - 1)];
    free(o->ring);
    o->ring = ring;
    o->cap = cap;
    o->head = 0;
}

static void outbox_add(struct memory_outbox *o, const struct event *e, int32_t owner) {
    struct memory_row *copy = xmalloc(sizeof *copy + e->id.len + e->type.len + e->key.len +
                                      e->request_id.len + e->traceparent.len + e->data.len);
    char *at = (char *)(copy + 1);
    copy->owner = owner;
    copy->event = (struct event){.id = put(&at, e->id),
                                 .type = put(&at, e->type),
                                 .key = put(&at, e->key),
                                 .at_us = e->at_us,
                                 .request_id = put(&at, e->request_id),
                                 .traceparent = put(&at, e->traceparent),
                                 .data = put(&at, e->data),
                                 .seq = memory_outbox_next_seq(o)};
    if (o->span == o->cap)
        outbox_grow(o);
    o->span++;
    o->rows++;
    *outbox_slot(o, copy->event.seq) = copy;
}

void memory_outbox_remove(struct memory_outbox *o, int64_t seq) {
    if (seq < o->head_seq || seq >= memory_outbox_next_seq(o) || !*outbox_slot(o, seq))
        return;
    free(*outbox_slot(o, seq));
    *outbox_slot(o, seq) = NULL;
    o->rows--;
    while (o->span > 0 && !o->ring[o->head]) {
        o->head = (o->head + 1) & (o->cap - 1);
        o->head_seq++;
        o->span--;
    }
}

const struct event *memory_outbox_from(const struct memory_outbox *o, int32_t owner, int64_t seq) {
    if (seq < o->head_seq)
        seq = o->head_seq;
    for (; seq < memory_outbox_next_seq(o); seq++) {
        const struct memory_row *row = *outbox_slot(o, seq);
        if (row && row->owner == owner)
            return &row->event;
    }
    return NULL;
}

static void outbox_free(struct memory_outbox *o) {
    for (size_t i = 0; i < o->span; i++)
        free(o->ring[(o->head + i) & (o->cap - 1)]);
    free(o->ring);
}

/* --- documents -------------------------------------------------------------------------------- */

struct memory_collection *memory_collection_of(struct memory_data *d,
                                               const struct store_collection *decl) {
    for (int i = 0; i < d->collection_count; i++)
        if (d->collections[i]->decl == decl || !strcmp(d->collections[i]->decl->name, decl->name))
            return d->collections[i];
    CHECK(d->collection_count < MEMORY_COLLECTIONS_MAX);
    struct memory_collection *c = xcalloc(1, sizeof *c);
    c->decl = decl;
    c->index_count = store_index_count(decl);
    map_init(&c->by_id);
    sorted_init(&c->ids);
    sorted_init(&c->wakes);
    for (int i = 0; i < STORE_KEYS_MAX; i++)
        map_init(&c->indexes[i]);
    d->collections[d->collection_count++] = c;
    return c;
}

static void bucket_leave(struct memory_collection *c, int index, struct memory_doc *doc) {
    struct memory_bucket *b = doc->buckets[index];
    if (!b)
        return;
    doc->buckets[index] = NULL;
    sorted_remove(&b->docs, 0, doc->doc.id);
    if (b->docs.count == 0) {
        map_remove(&c->indexes[index], b->key);
        sorted_free(&b->docs);
        free(b);
    }
}

static void bucket_join(struct memory_collection *c, int index, struct str key,
                        struct memory_doc *doc) {
    struct memory_bucket *b = map_get(&c->indexes[index], key);
    if (!b) {
        b = xmalloc(sizeof *b + key.len + 1);
        sorted_init(&b->docs);
        memcpy(b->key_bytes, key.p, key.len);
        b->key = (struct str){b->key_bytes, key.len};
        map_put(&c->indexes[index], b->key, b);
    }
    sorted_insert(&b->docs, 0, doc->doc.id, doc);
    doc->buckets[index] = b;
}

static void set_keys(struct memory_collection *c, struct memory_doc *doc, const struct str *keys) {
    for (int i = 0; i < c->index_count; i++) {
        struct memory_bucket *now = doc->buckets[i];
        if (now && keys[i].p && str_eq(now->key, keys[i]))
            continue;
        bucket_leave(c, i, doc);
        if (keys[i].p)
            bucket_join(c, i, keys[i], doc);
    }
}

static void set_wake(struct memory_collection *c, struct memory_doc *doc, int64_t wake_at_us) {
    if (doc->doc.wake_at_us == wake_at_us)
        return;
    if (doc->doc.wake_at_us)
        sorted_remove(&c->wakes, doc->doc.wake_at_us, doc->doc.id);
    if (wake_at_us)
        sorted_insert(&c->wakes, wake_at_us, doc->doc.id, doc);
    doc->doc.wake_at_us = wake_at_us;
}

static void set_body(struct memory_doc *doc, struct str state, struct str commit_id) {
    size_t need = state.len + commit_id.len;
    if (need > doc->body_cap || !doc->body) {
        free(doc->body);
        doc->body_cap = need + need / 4; /* states grow a little with each step */
        doc->body = xmalloc(doc->body_cap + 1);
    }
    char *at = doc->body;
    doc->doc.state = put(&at, state);
    doc->doc.commit_id = put(&at, commit_id);
}

static struct memory_doc *doc_add(struct memory_collection *c, struct str id) {
    struct memory_doc *doc = xcalloc(1, sizeof *doc + id.len + 1);
    memcpy(doc->id_bytes, id.p, id.len);
    doc->doc.id = (struct str){doc->id_bytes, id.len};
    map_put(&c->by_id, doc->doc.id, doc);
    sorted_insert(&c->ids, 0, doc->doc.id, doc);
    return doc;
}

void memory_doc_remove(struct memory_collection *c, struct memory_doc *doc) {
    for (int i = 0; i < c->index_count; i++)
        bucket_leave(c, i, doc);
    set_wake(c, doc, 0);
    sorted_remove(&c->ids, 0, doc->doc.id);
    map_remove(&c->by_id, doc->doc.id);
    free(doc->body);
    free(doc);
}

static void collection_free(struct memory_collection *c) {
    const struct sorted_entry *e;
    while ((e = sorted_at(&c->ids, sorted_first())))
        memory_doc_remove(c, e->value);
    sorted_free(&c->ids);
    sorted_free(&c->wakes);
    map_free(&c->by_id);
    for (int i = 0; i < STORE_KEYS_MAX; i++)
        map_free(&c->indexes[i]);
    free(c);
}

/* --- the whole -------------------------------------------------------------------------------- */

void memory_data_init(struct memory_data *d) {
    *d = (struct memory_data){.outbox = {.head_seq = 1}};
    map_init(&d->seen.by_key);
    map_init(&d->answers.by_key);
    sorted_init(&d->seen.by_time);
    sorted_init(&d->answers.by_time);
}

void memory_data_free(struct memory_data *d) {
    for (int i = 0; i < d->collection_count; i++)
        collection_free(d->collections[i]);
    outbox_free(&d->outbox);
    keep_free(&d->seen);
    keep_free(&d->answers);
}

static void apply_document(struct memory_collection *c, struct memory_doc *doc,
                           const struct store_change *change) {
    if (change->remove) {
        if (doc)
            memory_doc_remove(c, doc);
        return;
    }
    if (!doc)
        doc = doc_add(c, change->id);
    doc->doc.version = change->expected_version + 1;
    set_body(doc, change->state, change->commit_id);
    set_wake(c, doc, change->wake_at_us);
    set_keys(c, doc, change->keys);
}

int memory_data_apply(struct memory_data *d, const struct store_change *change, int32_t owner) {
    struct memory_collection *c = memory_collection_of(d, change->collection);
    struct memory_doc *doc = map_get(&c->by_id, change->id);
    if (change->dedupe.p && memory_keep_get(&d->seen, change->dedupe))
        return ERR_DUPLICATE;
    if (change->answer && memory_keep_get(&d->answers, change->answer->key))
        return ERR_DUPLICATE;
    if ((doc ? doc->doc.version : 0) != change->expected_version)
        return ERR_CONFLICT;

    int64_t at_us = store_change_at(change);
    if (at_us > d->newest_us)
        d->newest_us = at_us;
    if (at_us == 0)
        at_us = d->newest_us;
    apply_document(c, doc, change);
    for (int32_t i = 0; i < change->event_count; i++)
        outbox_add(&d->outbox, &change->events[i], owner);
    if (change->dedupe.p)
        keep_add(&d->seen, change->dedupe, at_us, NULL);
    if (change->answer)
        keep_add(&d->answers, change->answer->key, at_us, change->answer);
    return 0;
}
