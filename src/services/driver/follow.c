/* How the roster comes to know what it did not write itself: all who are live, from the store, at
 * the start; and where other processes write to the same store, their changes, as they signal them.
 *
 * Signals may be lost, so with peers the live drivers are read again in rounds, a page a second:
 * more of it when something was missed, until one whole round has begun after that. Who is no
 * longer in the index of the live is not met in a round; he is looked for at its end. A version
 * tells what is newer, so it does not matter what comes first, a signal or the store.
 *
 * Where a driver is follows from signals, too, and is read from his trail when they were missed.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "services/driver/search.h"
#include "services/driver/service_internal.h"
#include "services/driver/trail.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define PAGES_MISSED_MAX 3                 /* of live drivers read in one tick, after a gap */
#define FIXES_READ_MAX 100                 /* newest fixes read in one tick */
#define GONE_READ_MAX 200                  /* drivers looked for at the end of a round */
#define KNOWN_US (INT64_C(10) * US_PER_S)  /* how long a trail is taken to be as it was read … */
#define SILENT_US (INT64_C(20) * US_PER_S) /* … and where a driver is, while nobody is heard */

/* ---- the secret of the references that customers see: one for all replicas ---- */

struct secret {
    struct aggregate_head head;
    struct str key; /* hexadecimal */
};
static const struct schema_field secret_fields[] = {
    {"key", S_STR, S_STORE, .offset = offsetof(struct secret, key)},
};
static const struct schema secret_schema = SCHEMA(struct secret, "DriverSecret", secret_fields);
const struct store_collection secret_collection = {.name = "driver_secrets"};
static const struct aggregate secret_aggregate = {&secret_collection, &secret_schema, NULL, NULL};
#define SECRET_ID STR("reference")

static int nibble(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_secret(struct driver_service *s, struct str hex) {
    unsigned char key[SIPHASH_KEY_BYTES];
    if (hex.len != sizeof key * 2)
        return false;
    for (size_t i = 0; i < sizeof key; i++) {
        int high = nibble(hex.p[2 * i]), low = nibble(hex.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (unsigned char)(high << 4 | low);
    }
    memcpy(s->ref_secret, key, sizeof key);
    return true;
}

static int make_secret(struct driver_service *s, struct store *store, struct arena *a,
                       int64_t now_us) {
    struct secret fresh = {0};
    char *hex = arena_bytes(a, sizeof s->ref_secret * 2 + 1);
    for (size_t i = 0; i < sizeof s->ref_secret; i++)
        snprintf(hex + 2 * i, 3, "%02x", s->ref_secret[i]);
    fresh.key = str_from(hex);
    struct store_change change = {.collection = &secret_collection,
                                  .id = SECRET_ID,
                                  .state = schema_text(&secret_schema, &fresh, S_STORE, a),
                                  .commit_id = STR("first"),
                                  .at_us = now_us};
    int err = store->ops->commit(store, &change, 1, NULL, 0);
    return err < 0 ? err : change.result == ERR_CONFLICT ? 0 : change.result;
}

/* Whoever comes first makes it. */
static int share_secret(struct driver_service *s, struct store *store, struct json_parser *p,
                        struct arena *a, int64_t now_us) {
    void *state;
    int err = aggregate_get(&secret_aggregate, store, p, SECRET_ID, a, &state);
    if (err == ERR_NOT_FOUND) {
        err = make_secret(s, store, a, now_us);
        if (err == 0)
            err = aggregate_get(&secret_aggregate, store, p, SECRET_ID, a, &state);
    }
    if (err == 0 && !take_secret(s, ((const struct secret *)state)->key))
        err = ERR_CORRUPT;
    return err;
}

/* ---- reading who is live ---- */

struct reading {
    struct driver_service *service;
    struct store *store;
    struct json_parser *parser;
    struct arena *arena;
    int64_t now_us;
    int32_t fixes_left, gone_left;
};

static bool fix_is_old(const struct reading *r, const struct member *m) {
    const struct peers *peers = r->service->o.peers;
    if (!m->known || peers == NULL)
        return !m->known;
    if (peers_silent(peers, r->now_us))
        return r->now_us - m->read_us > SILENT_US;
    return m->read_us < peers_missed_us(peers, r->now_us);
}

/* His newest fix, from his trail. */
static int read_fix(struct reading *r, struct member *m) {
    struct fix newest;
    int err = trail_newest(r->store, r->parser, str_from(m->id), r->arena, &newest);
    if (err < 0 && err != ERR_NOT_FOUND)
        return err;
    m->known = true;
    m->known_us = m->read_us = r->now_us;
    if (err == ERR_NOT_FOUND)
        return 0;
    if (r->service->o.peers == NULL)
        roster_fix(r->service->roster, m, &newest);
    else
        roster_found_fix(r->service->roster, m, &newest);
    return 0;
}

static int meet(struct reading *r, const struct store_doc *doc) {
    struct driver_service *s = r->service;
    void *state;
    int err = aggregate_decode(&driver_aggregate, doc, r->parser, r->arena, &state);
    if (err < 0)
        return err;
    struct member *m = roster_meet(s->roster, doc->id);
    int64_t version = m->version, fix_us = m->newest.at_us;
    bool was_placed = m->placed;
    if (fix_is_old(r, m) && r->fixes_left > 0) {
        r->fixes_left--;
        err = read_fix(r, m);
    }
    m->heard_us = r->now_us;
    if (s->o.peers == NULL) {
        roster_driver(s->roster, state);
        return err;
    }
    roster_found(s->roster, state);
    bool changed = m->version != version || m->newest.at_us != fix_us;
    if (changed && (m->placed || was_placed) && s->follow.placed != NULL) {
        struct signal_position position = roster_signal(m);
        s->follow.placed(s->follow.placed_arg, &position);
    }
    return err;
}

/* The next page of a round. *RET_LAST: that was its end. */
static int read_page(struct reading *r, bool *ret_last) {
    struct driver_follow *f = &r->service->follow;
    struct store_query q = {.collection = &driver_collection,
                            .index = "live",
                            .key = STR("1"),
                            .after = f->after[0] != '\0' ? str_from(f->after) : STR_NONE,
                            .ascending = true,
                            .limit = STORE_LIST_MAX};
    struct store_doc *docs;
    int32_t count;
    if (f->began_us == 0)
        f->began_us = r->now_us;
    int err = r->store->ops->list(r->store, &q, r->arena, &docs, &count);
    for (int32_t i = 0; err == 0 && i < count; i++)
        err = meet(r, &docs[i]);
    if (err < 0)
        return err;
    *ret_last = count < q.limit;
    memset(f->after, 0, sizeof f->after);
    if (!*ret_last) {
        CHECK(docs[count - 1].id.len < sizeof f->after);
        memcpy(f->after, docs[count - 1].id.p, docs[count - 1].id.len);
    }
    arena_reset(r->arena);
    return 0;
}

/* M was not met: is he off duty, or has he only just come? */
static void look_for(void *arg, struct member *m) {
    struct reading *r = arg;
    struct driver_service *s = r->service;
    if (m->heard_us >= s->follow.began_us || r->gone_left == 0)
        return;
    r->gone_left--;
    struct store_doc doc;
    if (r->store->ops->get(r->store, &driver_collection, str_from(m->id), r->arena, &doc) == 0)
        meet(r, &doc);
}

static void end_round(struct reading *r) {
    struct driver_follow *f = &r->service->follow;
    r->gone_left = GONE_READ_MAX;
    roster_each_live(r->service->roster, look_for, r);
    f->whole_us = f->began_us;
    f->began_us = 0;
}

int follow_start(struct driver_service *s, struct store *store, int64_t now_us) {
    struct arena arena;
    arena_init(&arena, 65536);
    struct reading r = {.service = s,
                        .store = store,
                        .parser = json_parser_new(),
                        .arena = &arena,
                        .now_us = now_us,
                        .fixes_left = INT32_MAX};
    bool last = false;
    int err = s->o.peers != NULL ? share_secret(s, store, r.parser, &arena, now_us) : 0;
    while (err == 0 && !last)
        err = read_page(&r, &last);
    s->follow.whole_us = s->follow.began_us;
    s->follow.began_us = 0;
    json_parser_free(r.parser);
    arena_free(&arena);
    return err;
}

void follow_tick(void *self, struct store *writer, int64_t now_us) {
    struct driver_service *s = self;
    roster_trim(s->roster, ROSTER_IDLE_MAX);
    if (s->o.peers == NULL || s->o.executor == NULL)
        return;
    struct arena arena;
    arena_init(&arena, 65536);
    struct reading r = {.service = s,
                        .store = writer,
                        .parser = executor_parser(s->o.executor),
                        .arena = &arena,
                        .now_us = now_us,
                        .fixes_left = FIXES_READ_MAX};
    bool missed = s->follow.whole_us < peers_missed_us(s->o.peers, now_us), last = false;
    /* What cannot be read now is read in the next tick, from where this one stopped. */
    for (int32_t page = 0; page < (missed ? PAGES_MISSED_MAX : 1) && !last; page++) {
        if (read_page(&r, &last) < 0)
            break;
    }
    if (last)
        end_round(&r);
    arena_free(&arena);
}

/* ---- fixes that come in ---- */

int follow_know(struct driver_service *s, struct member *m, struct command *cmd,
                struct store *store, int64_t now_us) {
    bool fresh = s->o.peers == NULL || m->known_us >= now_us - KNOWN_US;
    if (m->known && fresh)
        return 0;
    struct fix newest;
    int err =
        trail_newest(store, executor_parser(cmd->executor), str_from(m->id), cmd->arena, &newest);
    if (err < 0 && err != ERR_NOT_FOUND)
        return err;
    m->known = true;
    m->known_us = m->read_us = now_us;
    if (err == 0)
        roster_fix(s->roster, m, &newest);
    return 0;
}

/* ---- what others say ---- */

/* A C struct as it lies in memory: one that changes gets another topic. */
#define SIGNAL_RESERVED "reserved"
struct signal_reserved {
    char driver_id[ID_TEXT_MAX], search_id[ID_TEXT_MAX];
};

static bool is_text(const char *text, size_t room) {
    return text[0] != '\0' && memchr(text, '\0', room) != NULL;
}

static bool are_merits(const struct merits *is) {
    return is->rating_x100 >= 0 && is->acceptance_percent >= 0 && is->load_milli >= 0 &&
           is->load_at_us >= 0 && is->free_since_us >= 0;
}

static void on_driver(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct driver_service *s = consumer;
    struct signal_driver d;
    if (len != sizeof d)
        return;
    memcpy(&d, data, sizeof d);
    if (!is_text(d.driver_id, sizeof d.driver_id) || d.duty > DUTY_BUSY || d.claimed > 1 ||
        !memchr(d.next_id, '\0', sizeof d.next_id) || d.vehicle >= VEHICLE_COUNT ||
        !memchr(d.booking_id, '\0', sizeof d.booking_id) || !memchr(d.name, '\0', sizeof d.name) ||
        !are_merits(&d.merits))
        return;
    roster_heard(s->roster, &d);
}

static void on_position(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct driver_service *s = consumer;
    struct signal_position position;
    if (signal_position_read(data, len, &position))
        roster_heard_position(s->roster, &position, s->o.clock->now_us(s->o.clock));
}

static void on_ends(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct driver_service *s = consumer;
    struct signal_ends said;
    if (len != sizeof said)
        return;
    memcpy(&said, data, sizeof said);
    if (is_text(said.driver_id, sizeof said.driver_id) &&
        is_text(said.booking_id, sizeof said.booking_id) && said.at_us >= 0)
        roster_heard_ends(s->roster, &said);
}

static void reserve(struct member *m, const struct signal_reserved *said, int64_t now_us) {
    m->reserved_until_us = now_us + SEARCH_RESERVE_US;
    memcpy(m->reserved_for, said->search_id, sizeof m->reserved_for);
}

static void on_reserved(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct driver_service *s = consumer;
    struct signal_reserved said;
    if (len != sizeof said)
        return;
    memcpy(&said, data, sizeof said);
    if (!is_text(said.driver_id, sizeof said.driver_id) ||
        !is_text(said.search_id, sizeof said.search_id))
        return;
    struct member *m = roster_find(s->roster, str_from(said.driver_id));
    if (m != NULL && (!m->claimed || m->ending))
        reserve(m, &said, s->o.clock->now_us(s->o.clock));
}

void follow_reserved(struct driver_service *s, const struct member *m) {
    struct signal_reserved said;
    memcpy(said.driver_id, m->id, sizeof said.driver_id);
    memcpy(said.search_id, m->reserved_for, sizeof said.search_id);
    s->o.bus->ops->signal(s->o.bus, SIGNAL_RESERVED, &said, sizeof said);
}

void follow_listen(struct driver_service *s) {
    struct bus *b = s->o.bus;
    CHECK(b->ops->listen(b, SIGNAL_DRIVER, on_driver, s) == 0);
    CHECK(b->ops->listen(b, SIGNAL_POSITION, on_position, s) == 0);
    CHECK(b->ops->listen(b, SIGNAL_RESERVED, on_reserved, s) == 0);
    CHECK(b->ops->listen(b, SIGNAL_ENDS, on_ends, s) == 0);
}
