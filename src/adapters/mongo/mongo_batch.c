/* Several changes of one document become one update: it takes the document from the first one's
 * version to the last one's, with all their events and keys. Whoever of them cannot pass is told by
 * going through them in order at the version the document has.
 */
#include "adapters/mongo/mongo_batch.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "ports/store_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPDATE_MAX (15u << 20) /* bytes; MongoDB's documents end at 16 MiB */

/* --- grouping --------------------------------------------------------------------------------- */

static struct str claim_key(struct mongo_batch *b, const char *kind, int table, struct str key) {
    return key.p ? arena_printf(b->a, "%s%d %.*s", kind, table, STR_ARG(key)) : STR_NONE;
}

/* Notes that ITEM, the next one, has KEY; returns the one before it that has it, too. */
static int32_t same_key(struct mongo_batch *b, struct map *last, struct mongo_item *item,
                        struct str key) {
    const struct mongo_item *before = key.p ? map_put(last, key, item) : NULL;
    return before ? (int32_t)(before - b->items) : -1;
}

static void add_item(struct mongo_batch *b, struct map *by_id, struct map *last, int32_t i) {
    struct store_change *c = &b->changes[i];
    struct mongo_item *item = &b->items[i];
    int table = mongo_table_of(b->s, c->collection);
    struct str key = arena_printf(b->a, "%d %.*s", table, STR_ARG(c->id));
    item->next = -1;
    item->dedupe = claim_key(b, "d", table, c->dedupe);
    item->answer = claim_key(b, "a", table, c->answer ? c->answer->key : STR_NONE);
    item->dedupe_before = same_key(b, last, item, item->dedupe);
    item->answer_before = same_key(b, last, item, item->answer);
    c->result = 0;
    if (!c->remove) {
        item->state = bson_from_json(b->s->parser, c->state);
        if (item->state == NULL || item->state->len > UPDATE_MAX)
            c->result = ERR_INVALID;
    }
    struct mongo_group *g = map_get(by_id, key);
    if (g != NULL) {
        item->group = g;
        b->items[g->last].next = i;
        g->last = i;
        return;
    }
    g = item->group = &b->groups[b->group_count++];
    *g = (struct mongo_group){
        .table = table, .id = c->id, .first = i, .last = i, .version = c->expected_version};
    map_put(by_id, key, g);
}

void mongo_batch_init(struct mongo_batch *b, struct mongo_store *s, struct arena *a,
                      struct store_change *changes, int32_t count) {
    struct map by_id, last;
    *b = (struct mongo_batch){.s = s, .a = a, .changes = changes, .count = count};
    b->items = arena_array(a, struct mongo_item, count);
    b->groups = arena_array(a, struct mongo_group, count);
    b->now_us = clock_wall_us();
    b->until_us = clock_mono_us() + MONGO_COMMIT_PATIENCE_MS * US_PER_MS;
    map_init(&b->claims);
    map_init(&by_id);
    map_init(&last);
    for (int32_t i = 0; i < count; i++)
        add_item(b, &by_id, &last, i);
    map_free(&by_id);
    map_free(&last);
}

void mongo_batch_free(struct mongo_batch *b) {
    for (int32_t i = 0; i < b->count; i++)
        bson_destroy(b->items[i].state);
    for (int32_t i = 0; i < b->group_count; i++)
        mongo_write_free(b->groups[i].write);
    map_free(&b->claims);
}

/* --- who passes ------------------------------------------------------------------------------- */

/* Who has KEY, or is before ITEM in asking for it: 0 nobody, ERR_DUPLICATE, or ERR_AGAIN if that is
 * not known yet, since he is in another group that is open. */
static int claimed(const struct mongo_batch *b, const struct mongo_item *item, struct str key,
                   bool dedupe, bool force) {
    const struct mongo_item *holder = key.p ? map_get(&b->claims, key) : NULL;
    if (holder != NULL)
        return holder->group == item->group || holder->group->fate == MONGO_SETTLED ? ERR_DUPLICATE
                                                                                    : ERR_AGAIN;
    int32_t i = dedupe ? item->dedupe_before : item->answer_before;
    while (!force && i >= 0) {
        if (b->items[i].group != item->group && b->items[i].group->fate == MONGO_OPEN)
            return ERR_AGAIN;
        i = dedupe ? b->items[i].dedupe_before : b->items[i].answer_before;
    }
    return 0;
}

static void claim(struct mongo_batch *b, struct mongo_item *item, struct str key) {
    if (key.p)
        map_put(&b->claims, key, item);
}

static void unclaim(struct mongo_batch *b, const struct mongo_item *item, struct str key) {
    if (key.p && map_get(&b->claims, key) == item)
        map_remove(&b->claims, key);
}

static void unclaim_all(struct mongo_batch *b, const struct mongo_group *g) {
    for (int32_t i = g->first; i >= 0; i = b->items[i].next) {
        unclaim(b, &b->items[i], b->items[i].dedupe);
        unclaim(b, &b->items[i], b->items[i].answer);
        b->items[i].passes = false;
    }
}

int mongo_batch_judge(struct mongo_batch *b, struct mongo_group *g, bool force) {
    int64_t version = g->version;
    bool known = g->known;
    int passing = 0;
    unclaim_all(b, g);
    for (int32_t i = g->first; i >= 0; i = b->items[i].next) {
        struct store_change *c = &b->changes[i];
        struct mongo_item *item = &b->items[i];
        if (c->result == ERR_INVALID)
            continue;
        int by_dedupe = claimed(b, item, item->dedupe, true, force);
        int by_answer = claimed(b, item, item->answer, false, force);
        if (by_dedupe == ERR_AGAIN || by_answer == ERR_AGAIN) {
            unclaim_all(b, g);
            return ERR_AGAIN;
        }
        bool duplicate = item->taken || by_dedupe < 0 || by_answer < 0;
        if (!known && !duplicate) {
            version = g->version = c->expected_version;
            known = true;
        }
        if (duplicate) {
            c->result = ERR_DUPLICATE; /* before a conflict: its effect is there */
        } else if (c->expected_version != version) {
            c->result = ERR_CONFLICT;
        } else {
            c->result = 0;
            item->passes = true;
            version = c->remove ? 0 : version + 1;
            claim(b, item, item->dedupe);
            claim(b, item, item->answer);
            passing++;
        }
    }
    if (passing == 0)
        g->fate = MONGO_SETTLED;
    return passing > 0;
}

void mongo_batch_settle(struct mongo_batch *b, struct mongo_group *g, int result) {
    for (int32_t i = g->first; i >= 0; i = b->items[i].next)
        if (b->items[i].passes)
            b->changes[i].result = result;
    if (result != 0)
        unclaim_all(b, g);
    g->fate = MONGO_SETTLED;
}

void mongo_batch_give_up(struct mongo_batch *b, struct mongo_group *g, bool doubt) {
    for (int32_t i = g->first; i >= 0; i = b->items[i].next) {
        struct store_change *c = &b->changes[i];
        if (doubt && b->items[i].written)
            c->result = ERR_UNKNOWN;
        else if (c->result != ERR_INVALID)
            c->result = ERR_UNAVAILABLE;
    }
    g->fate = MONGO_SETTLED;
}

/* --- keys in the database --------------------------------------------------------------------- */

struct key_search {
    struct mongo_batch *b;
    int table;
    const char *list, *kind;
    struct map wanted; /* key → item */
};

static struct str key_of(const struct mongo_batch *b, int32_t i, bool dedupe) {
    const struct store_change *c = &b->changes[i];
    return dedupe ? c->dedupe : c->answer ? c->answer->key : STR_NONE;
}

static int mark_taken(void *arg, const bson_t *doc) {
    struct key_search *k = arg;
    for (struct bson_walk w = bson_walk(doc, k->list); bson_walk_next(&w);) {
        struct str key = bson_str(&w.doc, "k");
        struct mongo_item *item = key.p ? map_get(&k->wanted, key) : NULL;
        if (item == NULL)
            continue;
        for (int32_t i = 0; i < k->b->count; i++) /* others of the batch may have the same key */
            if (key_of(k->b, i, k->kind[0] == 'd').p &&
                str_eq(key_of(k->b, i, k->kind[0] == 'd'), key) &&
                mongo_table_of(k->b->s, k->b->changes[i].collection) == k->table &&
                !k->b->items[i].passes)
                k->b->items[i].taken = true;
    }
    return 0;
}

/* Those that pass in a group that is settled have put their keys there themselves. */
static int find_keys(struct mongo_batch *b, int table, bool dedupe) {
    struct key_search k = {
        .b = b, .table = table, .list = dedupe ? "seen" : "answers", .kind = dedupe ? "d" : "a"};
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, in, keys, projection;
    char path[16], number[16];
    const char *at;
    uint32_t count = 0;
    map_init(&k.wanted);
    snprintf(path, sizeof path, "%s.k", k.list);
    bson_append_document_begin(&filter, path, -1, &in);
    bson_append_array_begin(&in, "$in", -1, &keys);
    for (int32_t g = 0; g < b->group_count; g++) {
        if (b->groups[g].table != table || b->groups[g].fate != MONGO_OPEN)
            continue;
        for (int32_t i = b->groups[g].first; i >= 0; i = b->items[i].next) {
            struct str key = key_of(b, i, dedupe);
            b->items[i].passes = false;
            if (!key.p)
                continue;
            bson_uint32_to_string(count++, &at, number, sizeof number);
            bson_add_str(&keys, at, key);
            map_put(&k.wanted, key, &b->items[i]);
        }
    }
    bson_append_array_end(&in, &keys);
    bson_append_document_end(&filter, &in);
    bson_append_document_begin(&opts, "projection", -1, &projection);
    bson_append_int32(&projection, path, -1, 1);
    bson_append_document_end(&opts, &projection);
    int r =
        count == 0 ? 0 : mongo_find(b->s, b->s->tables[table].docs, &filter, &opts, mark_taken, &k);
    map_free(&k.wanted);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return r;
}

int mongo_batch_find_keys(struct mongo_batch *b, int table) {
    int r = find_keys(b, table, true);
    return r < 0 ? r : find_keys(b, table, false);
}

/* --- the update ------------------------------------------------------------------------------- */

struct maker {
    struct mongo_batch *b;
    const struct mongo_group *g;
    bson_t *out;
};

static bool next_passing(const struct maker *m, int32_t *i) {
    *i = *i < 0 ? m->g->first : m->b->items[*i].next;
    while (*i >= 0 && !m->b->items[*i].passes)
        *i = m->b->items[*i].next;
    return *i >= 0;
}

static void add_none_of(struct maker *m, const char *path, bool dedupe) {
    bson_t none, keys;
    char number[16];
    const char *at;
    uint32_t count = 0;
    for (int32_t i = -1; next_passing(m, &i);)
        count += key_of(m->b, i, dedupe).p != NULL;
    if (count == 0)
        return;
    count = 0;
    bson_append_document_begin(m->out, path, -1, &none);
    bson_append_array_begin(&none, "$nin", -1, &keys);
    for (int32_t i = -1; next_passing(m, &i);) {
        if (key_of(m->b, i, dedupe).p == NULL)
            continue;
        bson_uint32_to_string(count++, &at, number, sizeof number);
        bson_add_str(&keys, at, key_of(m->b, i, dedupe));
    }
    bson_append_array_end(&none, &keys);
    bson_append_document_end(m->out, &none);
}

/* The document as the last change leaves it; what it has no longer goes into UNSET. */
static void add_set(bson_t *set, bson_t *unset, const struct store_change *c,
                    const struct mongo_item *item, int64_t version) {
    bson_t k;
    bool keys = false;
    bson_add_i64(set, "version", version);
    bson_add_str(set, "commit_id", c->commit_id);
    for (int i = 0; !c->remove && i < store_index_count(c->collection); i++)
        keys = keys || c->keys[i].p;
    if (keys) {
        bson_append_document_begin(set, "k", -1, &k);
        for (int i = 0; i < store_index_count(c->collection); i++)
            bson_add_str(&k, c->collection->indexes[i], c->keys[i]);
        bson_append_document_end(set, &k);
    } else {
        bson_append_bool(unset, "k", -1, true);
    }
    if (c->remove)
        bson_append_bool(unset, "state", -1, true);
    else
        bson_append_document(set, "state", -1, item->state);
    if (!c->remove && c->wake_at_us)
        bson_add_i64(set, "wake_at", c->wake_at_us);
    else
        bson_append_bool(unset, "wake_at", -1, true);
}

static void add_event(bson_t *each, uint32_t index, struct str row, const char *owner,
                      const struct event *e) {
    bson_t entry;
    char number[16];
    const char *at;
    bson_uint32_to_string(index, &at, number, sizeof number);
    bson_append_document_begin(each, at, -1, &entry);
    bson_add_str(&entry, "row", row);
    bson_add_str(&entry, "owner", str_from(owner));
    bson_add_str(&entry, "id", e->id);
    bson_add_str(&entry, "type", e->type);
    bson_add_str(&entry, "key", e->key);
    bson_add_i64(&entry, "at", e->at_us);
    bson_add_str(&entry, "request_id", e->request_id);
    bson_add_str(&entry, "traceparent", e->traceparent);
    bson_add_str(&entry, "data", e->data);
    bson_append_document_end(each, &entry);
}

static int64_t change_at(const struct mongo_batch *b, const struct store_change *c) {
    int64_t at_us = store_change_at(c);
    return at_us ? at_us : b->now_us;
}

static void add_answer(bson_t *entry, const struct store_answer *answer) {
    bson_add_i64(entry, "hash", (int64_t)answer->body_hash);
    bson_add_i64(entry, "status", answer->status);
    bson_add_str(entry, "etag", answer->etag);
    bson_add_str(entry, "body", answer->body);
}

/* LIST gets the keys of all that pass; the oldest beyond MAX go. Returns the least time among
 * them and LEAST_US. */
static int64_t push_keys(struct maker *m, const char *list, bool dedupe, int32_t max,
                         int64_t least_us) {
    bson_t push, each, entry;
    char number[16];
    const char *at;
    uint32_t count = 0;
    for (int32_t i = -1; next_passing(m, &i);)
        count += key_of(m->b, i, dedupe).p != NULL;
    if (count == 0)
        return least_us;
    count = 0;
    bson_append_document_begin(m->out, list, -1, &push);
    bson_append_array_begin(&push, "$each", -1, &each);
    for (int32_t i = -1; next_passing(m, &i);) {
        const struct store_change *c = &m->b->changes[i];
        struct str key = key_of(m->b, i, dedupe);
        if (!key.p)
            continue;
        int64_t at_us = change_at(m->b, c);
        if (!dedupe && c->answer->at_us)
            at_us = c->answer->at_us;
        bson_uint32_to_string(count++, &at, number, sizeof number);
        bson_append_document_begin(&each, at, -1, &entry);
        bson_add_str(&entry, "k", key);
        bson_add_i64(&entry, "at", at_us);
        if (!dedupe)
            add_answer(&entry, c->answer);
        bson_append_document_end(&each, &entry);
        least_us = at_us < least_us ? at_us : least_us;
    }
    bson_append_array_end(&push, &each);
    bson_append_int32(&push, "$slice", -1, -max);
    bson_append_document_end(m->out, &push);
    return least_us;
}

static void push_events(struct maker *m) {
    bson_t push, each;
    uint32_t count = 0;
    for (int32_t i = -1; next_passing(m, &i);)
        count += (uint32_t)m->b->changes[i].event_count;
    if (count == 0)
        return;
    count = 0;
    bson_append_document_begin(m->out, "outbox", -1, &push);
    bson_append_array_begin(&push, "$each", -1, &each);
    for (int32_t i = -1; next_passing(m, &i);) {
        const struct store_change *c = &m->b->changes[i];
        for (int32_t n = 0; n < c->event_count; n++)
            add_event(&each, count++,
                      arena_printf(m->b->a, "%.*s%02x", STR_ARG(m->b->items[i].rows), n),
                      m->b->s->owner, &c->events[n]);
    }
    bson_append_array_end(&push, &each);
    bson_append_document_end(m->out, &push);
}

static void push_tag(bson_t *push, const char *tag) {
    bson_t tags, each;
    bson_append_document_begin(push, "tags", -1, &tags);
    bson_append_array_begin(&tags, "$each", -1, &each);
    bson_append_utf8(&each, "0", -1, tag, -1);
    bson_append_array_end(&tags, &each);
    bson_append_int32(&tags, "$slice", -1, -MONGO_TAGS_MAX);
    bson_append_document_end(push, &tags);
}

static void make_update(const struct maker *group, struct mongo_write *w, int32_t last,
                        int64_t version) {
    bson_t set, unset = BSON_INITIALIZER, push, min;
    struct maker into = {.b = group->b, .g = group->g, .out = &push}, *m = &into;
    const struct store_change *c = &m->b->changes[last];
    bson_append_document_begin(w->update, "$set", -1, &set);
    add_set(&set, &unset, c, &m->b->items[last], version);
    bson_append_document_end(w->update, &set);
    if (!bson_empty(&unset))
        bson_append_document(w->update, "$unset", -1, &unset);
    bson_destroy(&unset);
    bson_append_document_begin(w->update, "$push", -1, &push);
    push_tag(&push, w->tag);
    push_events(m);
    int64_t least_us = push_keys(m, "seen", true, MONGO_SEEN_MAX, INT64_MAX);
    least_us = push_keys(m, "answers", false, MONGO_ANSWERS_MAX, least_us);
    bson_append_document_end(w->update, &push);
    if (c->remove && least_us == INT64_MAX)
        least_us = change_at(m->b, c); /* what is left of it goes in its time, too */
    if (least_us == INT64_MAX)
        return;
    bson_append_document_begin(w->update, "$min", -1, &min);
    bson_add_i64(&min, "keys_at", least_us);
    bson_append_document_end(w->update, &min);
}

/* Is W made for this version, and of those that pass now? */
static bool still_right(const struct mongo_batch *b, const struct mongo_group *g) {
    bool same = g->write != NULL && g->write->base == g->version;
    for (int32_t i = g->first; same && i >= 0; i = b->items[i].next)
        same = b->items[i].passes == b->items[i].written;
    return same;
}

bool mongo_batch_write(struct mongo_batch *b, struct mongo_group *g) {
    struct mongo_store *s = b->s;
    struct maker m = {.b = b, .g = g};
    int64_t version = g->version;
    int32_t last = -1;
    if (still_right(b, g))
        return true; /* once more the very same: if both arrive, one of them finds nothing to do */
    mongo_write_free(g->write);
    struct mongo_write *w = g->write = xcalloc(1, sizeof *w);
    struct str tag = arena_printf(b->a, "%s-%012llx", s->owner, (unsigned long long)++s->tags);
    for (int32_t i = g->first; i >= 0; i = b->items[i].next) {
        b->items[i].written = b->items[i].passes;
        if (!b->items[i].passes)
            continue;
        version = b->changes[i].remove ? 0 : version + 1;
        b->items[i].rows = arena_printf(b->a, "%.*s-%03x", STR_ARG(tag), i);
        last = i;
    }
    CHECK(last >= 0);
    struct str commit_id = b->changes[last].commit_id;
    w->table = g->table;
    w->id = strndup(g->id.p, g->id.len);
    w->id_len = g->id.len;
    w->tag = strndup(tag.p, tag.len);
    w->commit_id = strndup(commit_id.p ? commit_id.p : "", commit_id.len);
    w->base = g->version;
    w->upsert = g->version == 0;
    CHECK(w->id && w->tag && w->commit_id);
    w->filter = bson_new();
    w->update = bson_new();
    m.out = w->filter;
    bson_add_str(w->filter, "_id", g->id);
    bson_add_i64(w->filter, "version", g->version);
    add_none_of(&m, "seen.k", true);
    add_none_of(&m, "answers.k", false);
    make_update(&m, w, last, version);
    return w->update->len <= UPDATE_MAX;
}
