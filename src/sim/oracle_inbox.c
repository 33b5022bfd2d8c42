/* Inboxes, as the oracle sees them: numbers rise and are never used again, entries never change,
 * each version of a booking comes into each inbox that it concerns exactly once, and what is pushed
 * is what is kept.
 */
#include "sim/oracle.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

struct stream *oracle_stream(struct sim *sim, struct str name) {
    struct oracle *o = sim->oracle;
    struct stream *s = map_get(&o->streams, name);
    if (s != NULL)
        return s;
    s = arena_new(&sim->arena, struct stream);
    CHECK(name.len < sizeof(s->name));
    memcpy(s->name, name.p, name.len);
    map_put(&o->streams, str_from(s->name), s);
    return s;
}

static struct shadow_entry *entry_at(struct sim *sim, struct stream *s, int64_t seq) {
    if (seq >= s->cap) {
        int64_t cap = s->cap > 0 ? s->cap : 64;
        while (cap <= seq)
            cap *= 2;
        struct shadow_entry *more = arena_array(&sim->arena, struct shadow_entry, cap);
        if (s->cap > 0)
            memcpy(more, s->entries, (size_t)s->cap * sizeof(*more));
        s->entries = more;
        s->cap = cap;
    }
    return &s->entries[seq];
}

int64_t oracle_stream_end(const struct stream *s) {
    return s->newest;
}

bool oracle_entry_exists(const struct stream *s, int64_t seq) {
    return seq >= 0 && seq < s->cap && s->entries[seq].exists;
}

/* ---- how often a version was told ---- */

static void versions_room(struct sim *sim, struct shadow_booking *b, int64_t version) {
    if (version < b->versions_cap)
        return;
    int64_t cap = version * 2 + 16;
    uint8_t **lists[] = {&b->to_customer, &b->to_driver, &b->to_staff};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        uint8_t *more = arena_alloc(&sim->arena, (size_t)cap);
        if (b->versions_cap > 0)
            memcpy(more, *lists[i], (size_t)b->versions_cap);
        *lists[i] = more;
    }
    b->versions_cap = cap;
}

void oracle_unseen(struct oracle *o, struct shadow_booking *b) {
    versions_room(o->sim, b, b->version);
    b->to_customer[b->version] = b->to_driver[b->version] = b->to_staff[b->version] = 1;
}

static void count_version(struct oracle *o, const struct stream *s, struct shadow_booking *b,
                          int64_t version) {
    SIM_EXPECT(o->sim, version >= 1 && version <= b->version, "what is told is durable",
               "%s was told version %lld of %s", s->name, (long long)version, b->id);
    if (version < 1 || version > b->version)
        return;
    versions_room(o->sim, b, version);
    uint8_t *list = b->to_driver;
    if (strcmp(s->name, "staff") == 0)
        list = b->to_staff;
    else if (strcmp(s->name, b->customer_id) == 0)
        list = b->to_customer;
    else
        SIM_EXPECT(o->sim,
                   b->driver_at[version] != NULL && strcmp(s->name, b->driver_at[version]) == 0,
                   "a booking is told to its own people", "%s was told of %s", s->name, b->id);
    SIM_EXPECT(o->sim, list[version] == 0, "a change is told once",
               "version %lld of %s came into the inbox of %s again", (long long)version, b->id,
               s->name);
    list[version]++;
}

/* ---- a commit ---- */

void oracle_inbox(struct oracle *o, const struct store_change *change) {
    struct json_value root, data;
    if (change->remove)
        return;
    if (json_parse(o->parser, change->state, &root) < 0 || !json_get(root, "data", &data)) {
        sim_fail(o->sim, "documents are JSON", "%.*s", STR_ARG(change->id));
        return;
    }
    struct stream *s = oracle_stream(o->sim, sim_json_str(root, "stream"));
    int64_t seq = sim_json_i64(root, "seq");
    SIM_EXPECT(o->sim, seq > s->newest, "an inbox's numbers rise", "%s got number %lld after %lld",
               s->name, (long long)seq, (long long)s->newest);
    SIM_EXPECT(o->sim, change->expected_version == 0, "an entry never changes", "%.*s did",
               STR_ARG(change->id));
    if (seq <= s->newest)
        return;
    s->newest = seq;
    struct shadow_entry *e = entry_at(o->sim, s, seq);
    e->exists = true;
    if (str_is(sim_json_str(root, "type"), "booking.unassigned")) {
        struct shadow_booking *lost = shadow_booking(o, sim_json_str(data, "booking_id"));
        if (lost != NULL)
            lost->losses_told++;
    }
    if (!str_is(sim_json_str(root, "type"), "booking.updated"))
        return;
    e->booking = shadow_booking(o, sim_json_str(data, "id"));
    e->version = sim_json_i64(data, "version");
    SIM_EXPECT(o->sim, e->booking != NULL, "what is told is durable",
               "%s was told of a booking that is not there", s->name);
    if (e->booking != NULL) {
        count_version(o, s, e->booking, e->version);
        oracle_people_kept(o, s, e->booking, data);
    }
}

/* ---- a frame ---- */

void oracle_frame(struct sim *sim, struct stream *s, int64_t seq, struct str text,
                  struct json_value data) {
    uint64_t hash = str_hash(text, 7) | 1;
    SIM_EXPECT(sim, oracle_entry_exists(s, seq), "what is pushed is durable",
               "%s was sent entry %lld, which is not there", s->name, (long long)seq);
    if (!oracle_entry_exists(s, seq))
        return;
    struct shadow_entry *e = entry_at(sim, s, seq);
    SIM_EXPECT(sim, e->frame_hash == 0 || e->frame_hash == hash,
               "an entry is the same whenever it is sent", "entry %lld of %s: %.*s", (long long)seq,
               s->name, STR_ARG(text));
    e->frame_hash = hash;
    if (e->booking == NULL)
        return;
    SIM_EXPECT(sim,
               str_is(sim_json_str(data, "id"), e->booking->id) &&
                   sim_json_i64(data, "version") == e->version,
               "what is pushed is what is kept", "entry %lld of %s: %.*s", (long long)seq, s->name,
               STR_ARG(text));
}
