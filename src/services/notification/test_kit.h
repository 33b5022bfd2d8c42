/* What the tests of this service share: a house with nothing but notification in it, events that
 * the test makes itself, clients that read what their sockets were sent, tokens minted by hand, and
 * a locations port that answers when the test says so.
 *
 * The bus forgets with a crash what it has not confirmed; like an outbox, the kit publishes that
 * again.
 */
#ifndef LORRY_NOTIFICATION_TEST_KIT_H
#define LORRY_NOTIFICATION_TEST_KIT_H

#include "base/check.h"
#include "base/err.h"
#include "base/test.h"
#include "base/timestamp.h"
#include "services/notification/internal.h"
#include "services/notification/test_tokens.h"
#include "testing/house.h"

#include <stdio.h>
#include <stdlib.h>

#define KIT_EVENTS_MAX 8192
#define KIT_SUBMITS_MAX 64

struct kit_event {
    struct event event;
    bool confirmed;
};
struct kit_submit {
    locations_done_fn done;
    void *arg;
    char user_id[STREAM_MAX];
    int32_t fixes;
};
struct kit_locations {
    struct locations port; /* first */
    struct kit_submit waiting[KIT_SUBMITS_MAX];
    int32_t count;
    int refuse; /* what submit returns, if not 0 */
};
struct kit {
    struct house *h;
    struct notification_service *n;
    struct notification_options o;
    struct memory_store_faults reader_faults;
    struct kit_locations locations;
    struct json_parser *parser;
    struct kit_event *events;
    int32_t event_count;
    bool post_full; /* the worker's mailbox takes nothing */
    bool (*post)(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);
    struct client *clients;
};
struct client {
    struct house_socket *s;
    struct kit *kit;
    struct client *next;
    int32_t read; /* frames taken */
};

/* ---- the house ---- */

/* worker.post has no argument of its own: the kit of the running test. */
static struct kit *kit_running;

static inline bool kit_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg) {
    return !kit_running->post_full && kit_running->post(w, fn, arg);
}

static inline int kit_submit(struct locations *l, struct str user_id, struct json_value body,
                             int64_t now_us, struct arena *a, struct field_errors *errors,
                             locations_done_fn done, void *arg, int32_t *ret_wait_s) {
    struct kit_locations *own = (struct kit_locations *)l;
    struct json_value fixes;
    (void)now_us;
    *ret_wait_s = 77;
    if (own->refuse != 0)
        return own->refuse;
    if (!json_get(body, "fixes", &fixes) || json_kind(fixes) != JSON_IS_ARRAY) {
        field_errors_add(errors, a, STR("/fixes"), "is required");
        return ERR_INVALID;
    }
    CHECK(own->count < KIT_SUBMITS_MAX);
    struct kit_submit *s = &own->waiting[own->count++];
    *s = (struct kit_submit){.done = done, .arg = arg, .fixes = (int32_t)json_count(fixes)};
    copy_text(s->user_id, STREAM_MAX, user_id);
    return 0;
}
static const struct locations_ops kit_locations_ops = {.submit = kit_submit};

/* Answers the oldest waiting batch. */
static inline void kit_locations_done(struct kit *k, int err, int64_t through_us) {
    CHECK(k->locations.count > 0);
    struct kit_submit s = k->locations.waiting[0];
    memmove(k->locations.waiting, k->locations.waiting + 1,
            (size_t)--k->locations.count * sizeof(s));
    s.done(s.arg, err,
           &(struct locations_result){
               .stored = s.fixes, .rejected = STR("[]"), .through_us = through_us});
    house_settle(k->h);
}

static inline void kit_open(struct kit *k) {
    struct house *h = k->h;
    k->o.clock = &h->clock;
    k->o.bus = h->bus;
    k->o.verifier = h->verifier;
    k->n = notification_service_new(&k->o);
    house_open(h, (struct service[]){notification_service(k->n)}, 1);
    notification_service_executor(k->n, h->executor);
    h->worker.reader->ops->close(h->worker.reader);
    h->worker.reader = memory_disk_open(h->disk, false, &k->reader_faults);
    k->post = h->worker.post;
    h->worker.post = kit_post;
    CHECK(token_verifier_keys(h->verifier, STR(TOKEN_JWKS)) == 0);
}

static inline struct kit *kit_new(uint64_t seed, int64_t keep_s, int32_t keep_entries) {
    struct kit *k = xcalloc(1, sizeof(*k));
    kit_running = k;
    k->h = house_new(seed);
    k->parser = json_parser_new();
    k->events = xcalloc(KIT_EVENTS_MAX, sizeof(*k->events));
    k->locations.port.ops = &kit_locations_ops;
    k->reader_faults.rng = &k->h->rng;
    k->o = (struct notification_options){.locations = &k->locations.port,
                                         .workers_max = 2,
                                         .keep_s = keep_s,
                                         .keep_entries = keep_entries};
    kit_open(k);
    return k;
}

static inline void client_leave(struct client *c) {
    struct client **at = &c->kit->clients;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    bool full = c->kit->post_full;
    c->kit->post_full = false;
    if (c->s->close_code != 0)
        house_settle(c->kit->h); /* `closed` comes from the loop */
    house_socket_leave(c->s);
    c->kit->post_full = full;
    free(c);
}

static inline void kit_leave_all(struct kit *k) {
    while (k->clients != NULL)
        client_leave(k->clients);
}

static inline void kit_publish_unconfirmed(struct kit *k);

static inline void kit_crash(struct kit *k) {
    kit_leave_all(k);
    house_crash(k->h);
    notification_service_free(k->n);
    kit_open(k);
    kit_publish_unconfirmed(k);
}

static inline void kit_free(struct kit *k) {
    kit_leave_all(k);
    house_settle(k->h);
    struct notification_service *n = k->n;
    house_free(k->h);
    notification_service_free(n);
    json_parser_free(k->parser);
    free(k->events);
    free(k);
}

/* ---- events ---- */

static inline void kit_confirm(void *publisher, int64_t seq, int result) {
    struct kit *k = publisher;
    if (result == 0)
        k->events[seq].confirmed = true;
}

static inline void kit_publish(struct kit *k, int32_t i) {
    CHECK(k->h->bus->ops->publish(k->h->bus, &k->events[i].event, kit_confirm, k) == 0);
}

static inline void kit_publish_unconfirmed(struct kit *k) {
    for (int32_t i = 0; i < k->event_count; i++) {
        if (!k->events[i].confirmed)
            kit_publish(k, i);
    }
}

static inline bool kit_all_confirmed(const struct kit *k) {
    for (int32_t i = 0; i < k->event_count; i++) {
        if (!k->events[i].confirmed)
            return false;
    }
    return true;
}

static inline int32_t kit_event_of(struct kit *k, const char *type, struct str key,
                                   const struct schema *schema, const void *data) {
    CHECK(k->event_count < KIT_EVENTS_MAX);
    struct house *h = k->h;
    int32_t i = k->event_count++;
    k->events[i].event = (struct event){.id = house_id(h, "evt"),
                                        .type = str_from(type),
                                        .key = key,
                                        .at_us = h->now_us,
                                        .data = schema_text(schema, data, S_STORE, &h->arena),
                                        .seq = i};
    return i;
}

/* Makes an event without publishing it; returns its index. */
static inline int32_t kit_event(struct kit *k, const char *type, const struct ev_booking *b) {
    return kit_event_of(k, type, b->booking_id, &ev_booking_schema, b);
}

static inline void kit_tell(struct kit *k, const char *type, const struct ev_booking *b) {
    kit_publish(k, kit_event(k, type, b));
    house_settle(k->h);
}

static inline struct str kit_view(struct kit *k, const struct ev_booking *b) {
    return arena_printf(&k->h->arena, "{\"id\":\"%.*s\",\"state\":\"%s\",\"version\":%lld}",
                        STR_ARG(b->booking_id), booking_state_names[b->state],
                        (long long)b->version);
}

/* A booking of CUSTOMER, requested. */
static inline struct ev_booking kit_booking(struct kit *k, struct str customer) {
    struct ev_booking b = {.booking_id = house_id(k->h, "bkg"),
                           .version = 1,
                           .state = BOOKING_REQUESTED,
                           .customer_id = customer,
                           .vehicle = VEHICLE_VAN,
                           .currency = STR("SEK"),
                           .earning = 11900,
                           .stars = I64_ABSENT};
    b.stops = arena_array(&k->h->arena, struct ev_point, 2);
    b.stops[0] = (struct ev_point){577089000, 119746000, STR("Drottningtorget")};
    b.stops[1] = (struct ev_point){576969000, 119865000, STR_NONE};
    b.stop_count = 2;
    b.view = kit_view(k, &b);
    return b;
}

static inline void kit_moves(struct kit *k, struct ev_booking *b, int32_t state) {
    b->state = state;
    b->version++;
    b->view = kit_view(k, b);
}

static inline void kit_driver(struct kit *k, struct ev_booking *b, struct str user_id) {
    b->driver_user_id = user_id;
    b->driver_id = id_with_prefix(&k->h->arena, user_id, "drv");
}

/* N entries for CUSTOMER, who gets as many bookings. */
static inline void kit_fill(struct kit *k, struct str customer, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        struct ev_booking b = kit_booking(k, customer);
        kit_publish(k, kit_event(k, EV_BOOKING_REQUESTED, &b));
        if (i % 32 == 31)
            house_settle(k->h);
    }
    house_settle(k->h);
}

static inline void kit_position(struct kit *k, struct str driver_id, struct str booking_id,
                                double lat, double lng, bool off) {
    struct signal_position s = {.at = point_of(lat, lng),
                                .bearing_deg = 90,
                                .speed_cmps = 950,
                                .at_us = k->h->now_us,
                                .vehicle = VEHICLE_VAN,
                                .off = off};
    copy_text(s.driver_id, sizeof(s.driver_id), driver_id);
    copy_text(s.booking_id, sizeof(s.booking_id), booking_id);
    k->h->bus->ops->signal(k->h->bus, SIGNAL_POSITION, &s, sizeof(s));
}

/* ---- clients ---- */

/* A socket that offers PROTOCOLS (NULL: none), or an answer that refuses it. */
static inline struct client *client_knock(struct kit *k, const char *protocols, struct identity who,
                                          struct house_answer *ret_answer) {
    struct house_request request = {.method = "GET", .path = "/v1/ws", .who = who};
    if (protocols != NULL)
        request.headers[0] = (struct header){STR("sec-websocket-protocol"), str_from(protocols)};
    struct house_socket *s = house_socket_open(k->h, &request, ret_answer);
    if (s == NULL)
        return NULL;
    struct client *c = xcalloc(1, sizeof(*c));
    *c = (struct client){.s = s, .kit = k, .next = k->clients};
    k->clients = c;
    return c;
}

/* One that may still resume: nothing live comes until it does, or has waited. */
static inline struct client *client_open_held(struct kit *k, enum role role, struct str user_id) {
    struct house_answer answer;
    struct identity who = house_who(k->h, role, NULL);
    who.user_id = user_id;
    struct client *c = client_knock(k, NULL, who, &answer);
    assert_non_null(c);
    return c;
}

/* One that was not held, or has waited, unless it resumes. */
static inline struct client *client_open(struct kit *k, enum role role, struct str user_id) {
    struct client *c = client_open_held(k, role, user_id);
    if (c->s->socket.owner != NULL && c->s->close_code == 0)
        session_let_go(c->s->socket.owner);
    return c;
}

/* The next frame that was not taken yet; absent: none. */
static inline struct str client_take(struct client *c) {
    return c->read < c->s->frame_count ? c->s->frames[c->read++] : STR_NONE;
}

static inline void client_skip(struct client *c) {
    c->read = c->s->frame_count;
}

#define expect(client, text)                                                                       \
    do {                                                                                           \
        struct str got_frame = client_take(client);                                                \
        if (!str_is(got_frame, text))                                                              \
            fail_msg("got %.*s, wanted %s", STR_ARG(got_frame), text);                             \
    } while (0)
#define expect_nothing(client)                                                                     \
    do {                                                                                           \
        struct str got_frame = client_take(client);                                                \
        if (got_frame.p != NULL)                                                                   \
            fail_msg("got %.*s, wanted nothing", STR_ARG(got_frame));                              \
    } while (0)

/* ---- what is in a frame ---- */

struct seen {
    char type[40];
    int64_t seq, status, id, from; /* I64_ABSENT where there is none */
};

static inline int64_t kit_i64(struct json_value v, const char *key) {
    struct json_value member;
    int64_t value;
    return json_get(v, key, &member) && json_i64(member, &value) == 0 ? value : I64_ABSENT;
}

static inline struct seen kit_read(struct kit *k, struct str frame) {
    struct json_value root, type = {0};
    struct seen s = {.type = ""};
    if (frame.p == NULL)
        return s;
    if (json_parse(k->parser, frame, &root) < 0 || !json_get(root, "type", &type))
        fail_msg("not a frame: %.*s", STR_ARG(frame));
    copy_text(s.type, sizeof(s.type), json_text(type));
    s.seq = kit_i64(root, "seq");
    s.status = kit_i64(root, "status");
    s.id = kit_i64(root, "id");
    s.from = kit_i64(root, "from");
    return s;
}

static inline struct seen client_read(struct client *c) {
    return kit_read(c->kit, client_take(c));
}

static inline void expect_entry(struct client *c, const char *type, int64_t seq) {
    struct seen s = client_read(c);
    assert_string_equal(s.type, type);
    assert_int_equal(s.seq, seq);
}

static inline void expect_error(struct client *c, int status) {
    struct seen s = client_read(c);
    assert_string_equal(s.type, "error");
    assert_int_equal(s.status, status);
}

static inline bool kit_has(struct str text, const char *part) {
    return memmem(text.p, text.len, part, strlen(part)) != NULL;
}

/* ---- over HTTP, and in the store ---- */

static inline struct house_answer kit_get(struct kit *k, enum role role, struct str user_id,
                                          const char *path) {
    struct house_request request = {
        .method = "GET", .path = path, .who = house_who(k->h, role, NULL)};
    request.who.user_id = user_id;
    return house_call(k->h, &request);
}

static inline int64_t kit_head(struct kit *k, struct str stream) {
    int64_t head;
    struct store *s = memory_disk_open(k->h->disk, false, NULL);
    assert_int_equal(inbox_head(s, stream, &k->h->arena, &head), 0);
    s->ops->close(s);
    return head;
}

/* All of an inbox, read without faults. */
static inline int32_t kit_inbox(struct kit *k, struct str stream, struct inbox_entry *out,
                                int32_t max) {
    struct store *s = memory_disk_open(k->h->disk, false, NULL);
    int32_t n = 0, count = INBOX_PAGE_MAX;
    for (int64_t after = 0; count == INBOX_PAGE_MAX; after = n > 0 ? out[n - 1].seq : 0) {
        struct inbox_entry *page;
        assert_int_equal(inbox_read(s, k->parser, stream, after, INBOX_SEQ_MAX, INBOX_PAGE_MAX,
                                    &k->h->arena, &page, &count),
                         0);
        assert_true(n + count <= max);
        if (count > 0)
            memcpy(out + n, page, (size_t)count * sizeof(*page));
        n += count;
    }
    s->ops->close(s);
    return n;
}

#endif
