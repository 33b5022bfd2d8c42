/* The oracle: sees every durable commit, and holds it against what was durable before.
 *
 * For all documents: versions rise by one; a dedupe key has its effect once; an idempotency key has
 * one answer; an outbox row goes only after the bus has confirmed it, and goes once. What concerns
 * bookings, drivers and inboxes is in files of their own.
 */
#include "sim/oracle.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct oracle *oracle_new(struct sim *sim) {
    struct oracle *o = arena_new(&sim->arena, struct oracle);
    o->sim = sim;
    o->parser = json_parser_new();
    for (int i = 0; i < SIM_NODES_MAX; i++)
        o->outboxes[i].next_seq = 1;
    return o;
}

void oracle_free(struct oracle *o) {
    if (o == NULL)
        return;
    json_parser_free(o->parser);
    map_free(&o->docs);
    map_free(&o->bookings);
    map_free(&o->drivers);
    map_free(&o->streams);
    map_free(&o->letters);
    map_free(&o->told);
    map_free(&o->imports);
    map_free(&o->recurrences);
    map_free(&o->reports);
    map_free(&o->promises);
    map_free(&o->journeys);
    map_free(&o->chained);
    map_free(&o->promos);
    map_free(&o->dedupes);
    map_free(&o->answers);
    for (struct shadow_driver *d = o->first_driver; d != NULL; d = d->next)
        map_free(&d->fixes);
}

/* ---- all documents ---- */

static struct str doc_key(struct str collection, struct str id, char *out, size_t room) {
    CHECK(collection.len + id.len + 1 < room);
    memcpy(out, collection.p, collection.len);
    out[collection.len] = '/';
    memcpy(out + collection.len + 1, id.p, id.len);
    return (struct str){out, collection.len + 1 + id.len};
}

static struct shadow_doc *find_doc(struct oracle *o, const char *collection, struct str id,
                                   bool make) {
    char room[STORE_ID_MAX + 64];
    struct str key = doc_key(str_from(collection), id, room, sizeof(room));
    struct shadow_doc *doc = map_get(&o->docs, key);
    if (doc == NULL && make) {
        doc = arena_alloc(&o->sim->arena, sizeof(*doc) + key.len);
        memcpy(doc->key, key.p, key.len);
        map_put(&o->docs, (struct str){doc->key, key.len}, doc);
    }
    return doc;
}

int64_t shadow_version(struct oracle *o, const char *collection, struct str id) {
    const struct shadow_doc *doc = find_doc(o, collection, id, false);
    return doc != NULL ? doc->version : 0;
}

static void check_version(struct oracle *o, const struct store_change *c) {
    struct shadow_doc *doc = find_doc(o, c->collection->name, c->id, true);
    SIM_EXPECT(o->sim, c->expected_version == doc->version, "versions rise by one",
               "%s %.*s was written on version %lld, but %lld is durable", c->collection->name,
               STR_ARG(c->id), (long long)c->expected_version, (long long)doc->version);
    doc->version = c->remove ? 0 : c->expected_version + 1;
}

/* A booking may be for much later than it was quoted: what it still needs is not past its time. */
static void check_kept(struct oracle *o, const struct store_change *c) {
    bool search = strcmp(c->collection->name, "dispatches") == 0;
    struct json_value root, value;
    if (!search && strcmp(c->collection->name, "journeys") != 0)
        return;
    struct shadow_doc *doc = find_doc(o, c->collection->name, c->id, true);
    if (c->remove)
        SIM_EXPECT(o->sim, doc->over, "a search or a journey that goes on is kept",
                   "%s was removed", doc->key);
    else if (json_parse(o->parser, c->state, &root) == 0)
        doc->over = search ? str_is(sim_json_str(root, "status"), "done") ||
                                 !json_get(root, "wake_at", &value)
                           : json_get(root, "done", &value) && json_bool(value);
}

static void check_dedupe(struct oracle *o, const struct store_change *c) {
    if (c->dedupe.p == NULL)
        return;
    SIM_EXPECT(o->sim, map_get(&o->dedupes, c->dedupe) == NULL, "an event has its effect once",
               "%.*s had its effect again, on %.*s", STR_ARG(c->dedupe), STR_ARG(c->id));
    struct str key = arena_str(&o->sim->arena, c->dedupe);
    map_put(&o->dedupes, key, (void *)(uintptr_t)key.p);
}

static void note_answer(struct oracle *o, const struct store_change *c) {
    const struct store_answer *a = c->answer;
    if (a == NULL)
        return;
    SIM_EXPECT(o->sim, map_get(&o->answers, a->key) == NULL, "one answer for an idempotency key",
               "%.*s was carried out again", STR_ARG(a->key));
    struct shadow_answer *s = arena_alloc(&o->sim->arena, sizeof(*s) + a->key.len);
    *s = (struct shadow_answer){.body_hash = a->body_hash,
                                .answer_hash = str_hash(a->body, 0),
                                .status = a->status,
                                .empty = a->body.len == 0};
    memcpy(s->key, a->key.p, a->key.len);
    map_put(&o->answers, (struct str){s->key, a->key.len}, s);
}

/* ---- outboxes ---- */

static struct shadow_event *outbox_row(struct oracle *o, const struct sim_node *n, int64_t seq) {
    struct shadow_outbox *box = &o->outboxes[n->disk_number];
    return seq > 0 && seq < box->next_seq ? &box->events[seq] : NULL;
}

static void add_event(struct oracle *o, const struct sim_node *n, const struct event *e) {
    struct shadow_outbox *box = &o->outboxes[n->disk_number];
    if (box->next_seq >= box->cap) {
        int64_t cap = box->cap > 0 ? box->cap * 2 : 1024;
        struct shadow_event *more = arena_array(&o->sim->arena, struct shadow_event, cap);
        if (box->cap > 0)
            memcpy(more, box->events, (size_t)box->cap * sizeof(*more));
        box->events = more;
        box->cap = cap;
    }
    struct shadow_event *row = &box->events[box->next_seq++];
    snprintf(row->id, sizeof(row->id), "%.*s", STR_ARG(e->id));
    box->rows++;
    if (str_is(e->type, EV_AUDIT_RECORDED)) {
        struct shadow_note *note = arena_new(&o->sim->arena, struct shadow_note);
        snprintf(note->id, sizeof(note->id), "aud%.*s", STR_ARG(str_sub(e->id, 3, e->id.len)));
        note->next = o->first_note;
        o->first_note = note;
    }
}

static void remove_event(struct oracle *o, const struct sim_node *n, int64_t seq) {
    struct shadow_event *row = outbox_row(o, n, seq);
    SIM_EXPECT(o->sim, row != NULL, "an outbox row that is removed was there",
               "%s removed row %lld", n->name, (long long)seq);
    if (row == NULL || row->removed)
        return; /* removing it again after a commit in doubt is harmless */
    SIM_EXPECT(o->sim, row->confirmed, "an event leaves the outbox once the bus has it",
               "%s removed %s, row %lld, which the bus has not confirmed", n->name, row->id,
               (long long)seq);
    row->removed = true;
    o->outboxes[n->disk_number].rows--;
}

void oracle_confirmed(struct sim_node *node, int64_t seq) {
    struct shadow_event *row = outbox_row(node->sim->oracle, node, seq);
    SIM_EXPECT(node->sim, row != NULL, "what is published is durable",
               "%s published row %lld, which is in no commit", node->name, (long long)seq);
    if (row != NULL)
        row->confirmed = true;
}

/* ---- commits ---- */

static void by_collection(struct oracle *o, const struct store_change *c) {
    static const struct {
        const char *collection;
        void (*see)(struct oracle *o, const struct store_change *change);
    } eyes[] = {{"inbox", oracle_inbox},
                {"promo_codes", oracle_promo},
                {"deliveries", oracle_delivery},
                {"webhooks", oracle_webhook},
                {"bookings", oracle_booking},
                {"drivers", oracle_driver},
                {"trails", oracle_trail},
                {"tracks", oracle_track},
                {"earnings", oracle_earnings},
                {"report_days", oracle_report},
                {"journeys", oracle_journey},
                {"booking_imports", oracle_import},
                {"recurrences", oracle_recurrence},
                {"cash_entries", oracle_cash_entry}};
    for (size_t i = 0; i < COUNT_OF(eyes); i++) {
        if (strcmp(c->collection->name, eyes[i].collection) == 0)
            eyes[i].see(o, c);
    }
}

void oracle_commit(void *node, const struct memory_commit *commit) {
    struct sim_node *n = node;
    struct sim *sim = n->sim;
    struct oracle *o = sim->oracle;
    n = sim->turning != NULL ? sim->turning : n;
    for (int32_t i = 0; i < commit->count; i++) {
        const struct store_change *c = &commit->changes[i];
        if (c->result != 0)
            continue;
        sim_trace(sim, "commit", n->index, c->id, str_from(c->collection->name),
                  c->expected_version + 1, (int64_t)str_hash(c->state, 0));
        check_version(o, c);
        check_kept(o, c);
        check_dedupe(o, c);
        note_answer(o, c);
        for (int32_t e = 0; e < c->event_count; e++)
            add_event(o, n, &c->events[e]);
        by_collection(o, c);
    }
    SIM_EXPECT(sim, o->outboxes[n->disk_number].next_seq == commit->first_seq + commit->event_count,
               "events are committed with their state", "%s: %lld rows, %lld events", n->name,
               (long long)(commit->first_seq + commit->event_count),
               (long long)o->outboxes[n->disk_number].next_seq);
    for (int32_t i = 0; i < commit->remove_count; i++)
        remove_event(o, n, commit->remove_seqs[i]);
    sim->result->commits++;
    if (commit->count > 0 && !n->dying && sim_strikes(sim, SIM_CRASH_COMMIT))
        n->dying = true;
}

/* ---- finding ---- */

struct shadow_booking *shadow_booking(struct oracle *o, struct str id) {
    return map_get(&o->bookings, id);
}

struct shadow_driver *shadow_driver(struct oracle *o, struct str id) {
    struct shadow_driver *d = map_get(&o->drivers, id);
    if (d != NULL)
        return d;
    d = arena_new(&o->sim->arena, struct shadow_driver);
    CHECK(id.len < sizeof(d->id));
    memcpy(d->id, id.p, id.len);
    map_init(&d->fixes);
    map_put(&o->drivers, str_from(d->id), d);
    d->next = o->first_driver;
    o->first_driver = d;
    return d;
}
