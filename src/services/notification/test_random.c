/* Inboxes and sockets under everything at once, by seed: events that come late, twice and in the
 * wrong order, a store that is busy, full, in doubt, sockets that come, go, get stuck and resume,
 * notes that are lost, crashes. Held against a twin that is too simple to be wrong: a list of what
 * must be told to whom, and the rule that a socket's log is a stretch of its inbox.
 *
 *   test-notification-random [SEED]     this one seed, instead of those that are always run
 */
#include "services/notification/test_kit.h"

#define SEEDS 12
#define STEPS 900
#define ACCOUNTS 7
#define BOOKINGS 12
#define SOCKETS 10
#define TOLD_MAX 8192
#define LOGS_MAX 2048

struct told { /* the twin's entry */
    int stream;
    const char *type, *marker;
    bool found;
};
struct log_of { /* of a socket that was */
    int account;
    int64_t after; /* what it resumed from; -1: it did not */
    struct str *frames;
    int32_t count;
    bool whole; /* nothing held it back at the end */
};
struct socket_of {
    struct client *c;
    int account;
    int64_t after;
};
struct world {
    struct kit *k;
    uint64_t seed;
    struct rng rng;
    struct {
        enum role role;
        struct str id, stream;
    } accounts[ACCOUNTS];
    struct ev_booking bookings[BOOKINGS];
    int booking_count;
    struct told told[TOLD_MAX];
    int told_count;
    struct log_of logs[LOGS_MAX];
    int log_count;
    struct socket_of sockets[SOCKETS];
    int32_t held[KIT_EVENTS_MAX]; /* events that were not published yet */
    int held_count;
};

static bool chance(struct world *w, unsigned of) {
    return rng_below(&w->rng, of) == 0;
}

/* ---- events ---- */

static int account_of(const struct world *w, struct str id) {
    for (int i = 0; i < ACCOUNTS; i++) {
        if (str_eq(w->accounts[i].stream, id))
            return i;
    }
    CHECK(false);
    return -1;
}

static void tell(struct world *w, struct str stream, const char *type, struct str marker) {
    if (stream.len == 0)
        return;
    CHECK(w->told_count < TOLD_MAX);
    w->told[w->told_count++] =
        (struct told){.stream = account_of(w, stream), .type = type, .marker = marker.p};
}

static struct ev_offer *random_offer(struct world *w, struct arena *a) {
    struct ev_offer *o = arena_new(a, struct ev_offer);
    struct str driver = w->accounts[3 + rng_below(&w->rng, 2)].id;
    *o = (struct ev_offer){.id = house_id(w->k->h, "ofr"),
                           .driver_id = id_with_prefix(a, driver, "drv"),
                           .driver_user_id = driver,
                           .expires_at_us = w->k->h->now_us,
                           .reason = STR("withdrawn"),
                           .manual = chance(w, 5)};
    return o;
}

/* An event of a booking, new or old; the twin notes what must come of it. */
static int32_t random_event(struct world *w) {
    static const char *const types[] = {EV_BOOKING_PROGRESSED, EV_BOOKING_OFFERED,
                                        EV_BOOKING_OFFER_CLOSED, EV_BOOKING_ASSIGNED,
                                        EV_BOOKING_RATED};
    struct arena *a = &w->k->h->arena;
    bool new = w->booking_count == 0 || (w->booking_count < BOOKINGS && chance(w, 10));
    int i = new ? w->booking_count++ : (int)rng_below(&w->rng, (uint64_t)w->booking_count);
    struct ev_booking *b = &w->bookings[i];
    const char *type = new ? EV_BOOKING_REQUESTED : types[rng_below(&w->rng, COUNT_OF(types))];
    if (new)
        *b = kit_booking(w->k, w->accounts[rng_below(&w->rng, 3)].id);
    else
        b->version++;
    bool assigned = strcmp(type, EV_BOOKING_ASSIGNED) == 0;
    bool offered = strcmp(type, EV_BOOKING_OFFERED) == 0;
    bool offer_closed = strcmp(type, EV_BOOKING_OFFER_CLOSED) == 0;
    if (assigned && b->driver_id.p == NULL)
        kit_driver(w->k, b, w->accounts[3 + rng_below(&w->rng, 2)].id);
    struct str marker = arena_printf(a, "\"marker\":%d,", w->k->event_count);
    b->offer = offered || offer_closed ? random_offer(w, a) : NULL;
    b->view = arena_printf(a, "{%.*s\"pad\":\"%0*d\"}", STR_ARG(marker),
                           (int)rng_below(&w->rng, 300) + 1, 0);
    if (chance(w, 15))
        b->view = STR_NONE;
    if (b->view.p != NULL) {
        tell(w, b->customer_id, "booking.updated", marker);
        tell(w, b->driver_user_id, "booking.updated", marker);
        tell(w, STREAM_STAFF, "booking.updated", marker);
    }
    if (b->offer != NULL && !b->offer->manual)
        tell(w, b->offer->driver_user_id, offered ? "offer.made" : "offer.closed", b->offer->id);
    return kit_event(w->k, type, b);
}

static void step_event(struct world *w) {
    int32_t e = random_event(w);
    if (chance(w, 4))
        w->held[w->held_count++] = e; /* it will come late, after newer ones */
    else
        kit_publish(w->k, e);
    if (w->held_count > 0 && chance(w, 4)) {
        uint64_t i = rng_below(&w->rng, (uint64_t)w->held_count);
        kit_publish(w->k, w->held[i]);
        w->held[i] = w->held[--w->held_count];
    }
    if (chance(w, 5)) { /* one that has come comes again */
        int32_t again = (int32_t)rng_below(&w->rng, (uint64_t)w->k->event_count);
        bool held = false;
        for (int i = 0; i < w->held_count; i++)
            held = held || w->held[i] == again;
        if (!held)
            kit_publish(w->k, again);
    }
}

/* ---- sockets ---- */

static void keep_log(struct world *w, struct socket_of *s, bool whole) {
    const struct house_socket *hs = s->c->s;
    CHECK(w->log_count < LOGS_MAX);
    struct log_of *l = &w->logs[w->log_count++];
    *l = (struct log_of){.account = s->account,
                         .after = s->after,
                         .frames = arena_copy(&w->k->h->arena, hs->frames,
                                              (size_t)hs->frame_count * sizeof(struct str)),
                         .count = hs->frame_count,
                         .whole = whole && hs->close_code == 0};
    client_leave(s->c);
    s->c = NULL;
}

static void keep_logs(struct world *w, bool whole) {
    for (int i = 0; i < SOCKETS; i++) {
        if (w->sockets[i].c != NULL)
            keep_log(w, &w->sockets[i], whole);
    }
}

static void step_open(struct world *w, struct socket_of *s) {
    s->account = (int)rng_below(&w->rng, ACCOUNTS);
    s->after = -1;
    s->c = client_open_held(w->k, w->accounts[s->account].role, w->accounts[s->account].id);
}

static void step_resume(struct world *w, struct socket_of *s) {
    if (s->after >= 0 || s->c->s->frame_count == 0)
        return;
    int64_t ready = kit_read(w->k, s->c->s->frames[0]).seq;
    s->after = rng_between(&w->rng, 0, ready);
    struct str text =
        arena_printf(&w->k->h->arena, "{\"type\":\"resume\",\"after\":%lld}", (long long)s->after);
    s->c->s->socket.events->text(&s->c->s->socket, text);
}

static void step_socket(struct world *w) {
    struct socket_of *s = &w->sockets[rng_below(&w->rng, SOCKETS)];
    if (s->c == NULL)
        step_open(w, s);
    else if (s->c->s->close_code != 0 || chance(w, 6))
        keep_log(w, s, false);
    else if (chance(w, 2))
        step_resume(w, s);
    else if (s->c->s->stuck)
        house_socket_drain(s->c->s);
    else
        s->c->s->room = (int32_t)rng_between(&w->rng, 1, 40);
}

/* ---- the weather ---- */

static double often(struct world *w) {
    return chance(w, 2) ? 0 : rng_unit(&w->rng) * 0.3;
}

static void step_weather(struct world *w) {
    struct kit *k = w->k;
    k->h->faults = (struct memory_store_faults){.rng = &k->h->rng};
    k->reader_faults = (struct memory_store_faults){.rng = &k->h->rng};
    k->post_full = chance(w, 4);
    if (chance(w, 3))
        return;
    k->h->faults.busy = often(w);
    k->h->faults.io = often(w);
    k->h->faults.conflict = often(w);
    k->h->faults.unknown_committed = often(w);
    k->h->faults.unknown_lost = often(w);
    k->h->faults.read_busy = often(w);
    k->reader_faults.read_busy = often(w);
}

static void step_crash(struct world *w) {
    bool full = w->k->post_full;
    w->k->post_full = true; /* what it would have told dies with it */
    for (uint64_t turns = rng_below(&w->rng, 4); turns > 0; turns--)
        executor_turn(w->k->h->executor, 0);
    keep_logs(w, false);
    w->k->post_full = full;
    for (int i = 0; i < w->held_count; i++)
        w->k->events[w->held[i]].confirmed = true; /* not to be published just now */
    kit_crash(w->k);
    for (int i = 0; i < w->held_count; i++)
        w->k->events[w->held[i]].confirmed = false;
}

static void step(struct world *w) {
    switch (rng_below(&w->rng, 8)) {
    case 0:
    case 1:
    case 2:
        step_event(w);
        break;
    case 3:
    case 4:
        step_socket(w);
        break;
    case 5:
        house_settle(w->k->h);
        break;
    case 6:
        house_advance(w->k->h, rng_between(&w->rng, 1, 300) * US_PER_MS);
        break;
    default:
        if (chance(w, 6))
            step_weather(w);
        if (chance(w, 25))
            step_crash(w);
    }
}

/* ---- the verdict ---- */

#define demand(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("seed %llu: ", (unsigned long long)w->seed);                               \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

/* Each thing that was to be told is there once, and nothing else is. */
static void check_inbox(struct world *w, int account, const struct inbox_entry *inbox,
                        int32_t count) {
    int32_t wanted = 0;
    for (int i = 0; i < w->told_count; i++)
        wanted += w->told[i].stream == account;
    demand(count == wanted, "%d entries, %d were to be told", count, wanted);
    for (int32_t e = 0; e < count; e++) {
        demand(e == 0 || inbox[e].seq > inbox[e - 1].seq, "numbers do not rise");
        int i = 0;
        while (i < w->told_count &&
               !(w->told[i].stream == account && str_is(inbox[e].type, w->told[i].type) &&
                 kit_has(inbox[e].data, w->told[i].marker)))
            i++;
        demand(i < w->told_count, "nobody told %.*s", STR_ARG(inbox[e].data));
        demand(!w->told[i].found, "told twice: %.*s", STR_ARG(inbox[e].data));
        w->told[i].found = true;
    }
}

/* The next entry of the inbox after SEQ must be what FRAME says. Returns its number. */
static int64_t check_frame(struct world *w, struct str frame, int64_t after,
                           const struct inbox_entry *inbox, int32_t count) {
    int32_t e = 0;
    while (e < count && inbox[e].seq <= after)
        e++;
    demand(e < count, "beyond the end: %.*s", STR_ARG(frame));
    struct str wanted = inbox_frame(&inbox[e], &w->k->h->arena);
    demand(str_eq(frame, wanted), "got %.*s, wanted %.*s", STR_ARG(frame), STR_ARG(wanted));
    return inbox[e].seq;
}

static int64_t newest_until(const struct inbox_entry *inbox, int32_t count, int64_t until) {
    int64_t seq = 0;
    for (int32_t e = 0; e < count && inbox[e].seq <= until; e++)
        seq = inbox[e].seq;
    return seq;
}

static void check_log(struct world *w, const struct log_of *l, const struct inbox_entry *inbox,
                      int32_t count) {
    if (l->count == 0)
        return; /* it was turned away */
    struct seen first = kit_read(w->k, l->frames[0]);
    demand(strcmp(first.type, "ready") == 0, "first came %.*s", STR_ARG(l->frames[0]));
    int64_t live = first.seq, replayed = l->after;
    bool resumed = false;
    for (int32_t f = 1; f < l->count; f++) {
        struct seen s = kit_read(w->k, l->frames[f]);
        if (strcmp(s.type, "resumed") == 0) {
            demand(l->after >= 0 && !resumed && s.seq == first.seq, "a wrong resumed");
            demand(newest_until(inbox, count, first.seq) <= replayed, "resumed too soon");
            resumed = true;
        } else if (s.seq > first.seq) {
            live = check_frame(w, l->frames[f], live, inbox, count);
        } else {
            demand(l->after >= 0 && !resumed, "unasked: %.*s", STR_ARG(l->frames[f]));
            demand(live == first.seq, "replayed after live: %.*s", STR_ARG(l->frames[f]));
            replayed = check_frame(w, l->frames[f], replayed, inbox, count);
        }
    }
    if (l->whole) {
        demand(newest_until(inbox, count, INBOX_SEQ_MAX) <= live, "it was not sent the end");
        demand(resumed == (l->after >= 0), "it did not hear that it had resumed");
    }
}

static void settle_all(struct world *w) {
    struct kit *k = w->k;
    k->h->faults = (struct memory_store_faults){.rng = &k->h->rng};
    k->reader_faults = (struct memory_store_faults){.rng = &k->h->rng};
    k->post_full = chance(w, 2); /* then the ticks must find it all */
    for (int i = 0; i < w->held_count; i++)
        kit_publish(k, w->held[i]);
    house_advance(k->h, 20 * US_PER_S);
    k->post_full = false;
    for (int i = 0; i < SOCKETS; i++) {
        if (w->sockets[i].c != NULL && w->sockets[i].c->s->close_code == 0) {
            w->sockets[i].c->s->room = 0;
            house_socket_drain(w->sockets[i].c->s);
        }
    }
    house_advance(k->h, 2 * US_PER_S);
    demand(kit_all_confirmed(k), "an event hangs");
    keep_logs(w, true);
}

static void run(uint64_t seed) {
    struct world *w = xcalloc(1, sizeof(*w));
    static const enum role roles[ACCOUNTS] = {ROLE_CUSTOMER,  ROLE_CUSTOMER, ROLE_CUSTOMER,
                                              ROLE_DRIVER,    ROLE_DRIVER,   ROLE_ADMIN,
                                              ROLE_DISPATCHER};
    w->seed = seed;
    w->k = kit_new(seed, 0, 0);
    rng_seed(&w->rng, seed);
    for (int i = 0; i < ACCOUNTS; i++) {
        w->accounts[i].role = roles[i];
        w->accounts[i].id = house_id(w->k->h, "usr");
        w->accounts[i].stream = i < 5 ? w->accounts[i].id : STREAM_STAFF;
    }
    for (int i = 0; i < STEPS; i++)
        step(w);
    settle_all(w);
    struct inbox_entry *inbox = xcalloc(TOLD_MAX, sizeof(*inbox));
    for (int i = 0; i < 6; i++) {
        int32_t count = kit_inbox(w->k, w->accounts[i].stream, inbox, TOLD_MAX);
        check_inbox(w, i, inbox, count);
        for (int l = 0; l < w->log_count; l++) {
            if (str_eq(w->accounts[w->logs[l].account].stream, w->accounts[i].stream))
                check_log(w, &w->logs[l], inbox, count);
        }
    }
    free(inbox);
    kit_free(w->k);
    free(w);
}

static uint64_t only_seed;

static void every_log_is_a_stretch_of_its_inbox(void **state) {
    (void)state;
    if (only_seed != 0) {
        run(only_seed);
        return;
    }
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_log_is_a_stretch_of_its_inbox),
    };
    only_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    return cmocka_run_group_tests_name("notification-random", tests, NULL, NULL);
}
