/* Watches and positions, and the locations that drivers send.
 */
#include "services/notification/test_kit.h"

#include <math.h>

struct world {
    struct kit *k;
    struct str customer, driver, driver_id;
    struct client *c, *d, *staff, *other;
    struct ev_booking b; /* the customer's, assigned to the driver */
    const char *watch;   /* the frame that watches it */
};

static const char *watch_of(struct kit *k, struct str booking_id) {
    return arena_printf(&k->h->arena, "{\"type\":\"watch\",\"booking_id\":\"%.*s\"}",
                        STR_ARG(booking_id))
        .p;
}

static void skip_all(struct world *w) {
    for (struct client *c = w->k->clients; c != NULL; c = c->next)
        client_skip(c);
}

static struct world world_new(uint64_t seed) {
    struct world w = {.k = kit_new(seed, 0, 0)};
    struct kit *k = w.k;
    w.customer = house_id(k->h, "usr");
    w.driver = house_id(k->h, "usr");
    w.driver_id = id_with_prefix(&k->h->arena, w.driver, "drv");
    w.c = client_open(k, ROLE_CUSTOMER, w.customer);
    w.d = client_open(k, ROLE_DRIVER, w.driver);
    w.staff = client_open(k, ROLE_DISPATCHER, house_id(k->h, "usr"));
    w.other = client_open(k, ROLE_CUSTOMER, house_id(k->h, "usr"));
    w.b = kit_booking(k, w.customer);
    kit_tell(k, EV_BOOKING_REQUESTED, &w.b);
    kit_moves(k, &w.b, BOOKING_ASSIGNED);
    kit_driver(k, &w.b, w.driver);
    kit_tell(k, EV_BOOKING_ASSIGNED, &w.b);
    w.watch = watch_of(k, w.b.booking_id);
    skip_all(&w);
    return w;
}

static void expect_watching(struct client *c, struct str booking_id) {
    struct str wanted = arena_printf(
        &c->kit->h->arena, "{\"type\":\"watching\",\"booking_id\":\"%.*s\"}", STR_ARG(booking_id));
    expect(c, wanted.p);
}

/* The next frame must be a position at LAT. */
static void expect_position(struct client *c, double lat) {
    struct str frame = client_take(c);
    char part[40];
    snprintf(part, sizeof(part), "\"lat\":%.10g,", lat);
    if (!str_starts(frame, "{\"type\":\"position\",\"data\":{") || !kit_has(frame, part))
        fail_msg("got %.*s, wanted a position at %s", STR_ARG(frame), part);
}

static void tick(struct kit *k) {
    house_advance(k->h, 300 * US_PER_MS);
}

/* ---- who may ---- */

static void a_booking_is_watched_by_its_people_and_staff(void **state) {
    (void)state;
    struct world w = world_new(1);
    struct kit *k = w.k;
    struct client *may[] = {w.c, w.d, w.staff};
    for (int i = 0; i < 3; i++) {
        house_socket_text(may[i]->s, w.watch);
        expect_watching(may[i], w.b.booking_id);
    }
    house_socket_text(w.other->s, w.watch);
    expect_error(w.other, 403);
    kit_position(k, w.driver_id, w.b.booking_id, 57.7, 11.9, false);
    tick(k);
    for (int i = 0; i < 3; i++) {
        struct str wanted = STR("{\"type\":\"position\",\"data\":{\"booking_id\":\"");
        struct str frame = client_take(may[i]);
        assert_true(str_starts(frame, wanted.p)); /* not who he is */
        assert_true(kit_has(frame, "\"lat\":57.7,\"lng\":11.9,\"bearing_deg\":90,\"speed_mps\":9.5,"
                                   "\"at\":\"2026-11-23T10:00:00"));
        assert_false(kit_has(frame, "driver_id"));
        assert_false(kit_has(frame, "seq"));
    }
    expect_nothing(w.other);
    kit_free(k);
}

/* Arrival times go to whoever watches the booking: when they are new, and once. */
static void arrival_times_are_pushed(void **state) {
    (void)state;
    struct world w = world_new(31);
    struct kit *k = w.k;
    struct signal_eta eta = {.stop_count = 2};
    copy_text(eta.driver_id, sizeof eta.driver_id, w.driver_id);
    copy_text(eta.booking_id, sizeof eta.booking_id, w.b.booking_id);
    eta.stops[1].eta_us = k->h->now_us + 600 * US_PER_S;
    eta.stops[1].early_us = eta.stops[1].eta_us - 60 * US_PER_S;
    eta.stops[1].late_us = eta.stops[1].eta_us + 60 * US_PER_S;
    house_socket_text(w.c->s, w.watch);
    expect_watching(w.c, w.b.booking_id);
    k->h->bus->ops->signal(k->h->bus, SIGNAL_ETA, &eta, sizeof eta); /* of nobody on the map */
    tick(k);
    expect_nothing(w.c);
    kit_position(k, w.driver_id, w.b.booking_id, 57.7, 11.9, false);
    k->h->bus->ops->signal(k->h->bus, SIGNAL_ETA, &eta, sizeof eta);
    tick(k);
    assert_true(kit_has(client_take(w.c), "\"type\":\"position\""));
    struct str frame = client_take(w.c);
    assert_true(str_starts(frame, "{\"type\":\"eta\",\"data\":{\"booking_id\":\""));
    assert_true(kit_has(frame, "{\"index\":0,\"eta\":null,\"eta_from\":null,\"eta_to\":null},"
                               "{\"index\":1,\"eta\":\"2026-11-23T10:10:00"));
    tick(k);
    expect_nothing(w.c);
    kit_position(k, w.driver_id, w.b.booking_id, 57.7, 11.91, false);
    tick(k);
    assert_true(kit_has(client_take(w.c), "\"type\":\"position\""));
    expect_nothing(w.c);
    house_socket_text(w.staff->s, w.watch); /* who comes later is told what is known */
    expect_watching(w.staff, w.b.booking_id);
    assert_true(kit_has(client_take(w.staff), "\"type\":\"position\""));
    assert_true(kit_has(client_take(w.staff), "\"type\":\"eta\""));
    /* another booking of his: what was told of the one before is not told any more */
    struct str other = house_id(k->h, "bkg");
    kit_position(k, w.driver_id, other, 57.7, 11.92, false);
    kit_position(k, w.driver_id, w.b.booking_id, 57.7, 11.93, false);
    house_socket_text(w.d->s, w.watch);
    expect_watching(w.d, w.b.booking_id);
    assert_true(kit_has(client_take(w.d), "\"type\":\"position\""));
    expect_nothing(w.d);
    struct signal_eta bad = eta;
    bad.stop_count = SIGNAL_ETA_STOPS_MAX + 1;
    k->h->bus->ops->signal(k->h->bus, SIGNAL_ETA, &bad, sizeof bad);
    k->h->bus->ops->signal(k->h->bus, SIGNAL_ETA, &eta, sizeof eta - 1);
    tick(k);
    expect_nothing(w.d);
    kit_free(k);
}

/* Whoever waits for a driver who finishes another booking hears when he will come, not where he is;
 * and what is told of the one does not push out what is told of the other. */
static void arrival_times_of_what_comes_next(void **state) {
    (void)state;
    struct world w = world_new(32);
    struct kit *k = w.k;
    struct bus *bus = k->h->bus;
    struct str first = house_id(k->h, "bkg");
    struct signal_eta eta = {.stop_count = 2}, before = {.stop_count = 2};
    copy_text(eta.driver_id, sizeof eta.driver_id, w.driver_id);
    copy_text(eta.booking_id, sizeof eta.booking_id, w.b.booking_id);
    eta.stops[0].eta_us = k->h->now_us + 600 * US_PER_S;
    before = eta;
    copy_text(before.booking_id, sizeof before.booking_id, first);
    house_socket_text(w.c->s, w.watch);
    expect_watching(w.c, w.b.booking_id);
    kit_position(k, w.driver_id, first, 57.7, 11.9, false);
    bus->ops->signal(bus, SIGNAL_ETA, &before, sizeof before);
    bus->ops->signal(bus, SIGNAL_ETA, &eta, sizeof eta);
    tick(k);
    assert_true(kit_has(client_take(w.c), "\"type\":\"eta\""));
    expect_nothing(w.c);
    struct signal_eta found;
    assert_true(positions_eta(&k->n->positions, first, 0, &found));
    kit_position(k, w.driver_id, w.b.booking_id, 57.7, 11.91, false); /* he comes */
    tick(k);
    assert_true(kit_has(client_take(w.c), "\"type\":\"position\""));
    expect_nothing(w.c); /* that time is known */
    assert_false(positions_eta(&k->n->positions, first, 0, &found));
    assert_true(positions_eta(&k->n->positions, w.b.booking_id, 0, &found));
    eta.stops[0].eta_us += 60 * US_PER_S;
    bus->ops->signal(bus, SIGNAL_ETA, &eta, sizeof eta);
    tick(k);
    assert_true(kit_has(client_take(w.c), "\"type\":\"eta\""));
    kit_position(k, w.driver_id, w.b.booking_id, 57.7, 11.91, true); /* off duty: forgotten */
    house_advance(k->h, 3600 * US_PER_S);
    kit_position(k, first, first, 57.7, 11.91, false);
    assert_false(positions_eta(&k->n->positions, w.b.booking_id, 0, &found));
    kit_free(k);
}

static void an_unknown_booking_is_refused_after_a_moment(void **state) {
    (void)state;
    struct world w = world_new(2);
    struct str unknown = house_id(w.k->h, "bkg");
    house_socket_text(w.c->s, watch_of(w.k, unknown));
    house_socket_text(w.staff->s, watch_of(w.k, unknown));
    expect_nothing(w.c);
    house_advance(w.k->h, WATCH_WAIT_US + 100 * US_PER_MS);
    struct str frame = client_take(w.c);
    assert_true(kit_has(frame, "\"status\":403") && kit_has(frame, unknown.p));
    expect_error(w.staff, 403);
    house_advance(w.k->h, 3 * US_PER_S);
    expect_nothing(w.c);
    assert_int_equal(w.k->n->parts[0].watcher_count, 0);
    kit_free(w.k);
}

/* He has his 201 and asks at once; word of the booking comes a moment later. */
static void a_brand_new_booking_can_be_watched_at_once(void **state) {
    (void)state;
    struct world w = world_new(3);
    struct kit *k = w.k;
    struct ev_booking b = kit_booking(k, w.customer);
    house_socket_text(w.c->s, watch_of(k, b.booking_id));
    house_socket_text(w.other->s, watch_of(k, b.booking_id));
    expect_nothing(w.c);
    kit_tell(k, EV_BOOKING_REQUESTED, &b);
    tick(k);
    expect_entry(w.c, "booking.updated", 3);
    expect_watching(w.c, b.booking_id);
    expect_error(w.other, 403);
    kit_position(k, w.driver_id, b.booking_id, 1, 2, false);
    tick(k);
    expect_position(w.c, 1);
    kit_free(k);
}

static void what_is_asked_for_can_be_taken_back(void **state) {
    (void)state;
    struct world w = world_new(4);
    struct kit *k = w.k;
    struct ev_booking b = kit_booking(k, w.customer);
    house_socket_text(w.c->s, watch_of(k, b.booking_id));
    house_socket_text(w.c->s, watch_of(k, b.booking_id)); /* twice is once */
    struct str unwatch = arena_printf(
        &k->h->arena, "{\"type\":\"unwatch\",\"booking_id\":\"%.*s\"}", STR_ARG(b.booking_id));
    house_socket_text(w.c->s, unwatch.p);
    expect(w.c, "{\"type\":\"unwatched\"}");
    house_advance(k->h, 3 * US_PER_S);
    expect_nothing(w.c);
    const struct session *s = w.c->s->socket.owner;
    assert_int_equal(s->watches_asked, 0);
    assert_int_equal(s->watch_count, 0);
    kit_free(k);
}

static void a_busy_store_is_told(void **state) {
    (void)state;
    struct world w = world_new(5);
    w.k->reader_faults.read_busy = 1;
    house_socket_text(w.c->s, w.watch);
    expect_error(w.c, 503);
    w.k->reader_faults.read_busy = 0;
    house_socket_text(w.c->s, w.watch);
    expect_watching(w.c, w.b.booking_id);
    kit_free(w.k);
}

static void a_socket_has_sixteen_watches(void **state) {
    (void)state;
    struct world w = world_new(6);
    struct kit *k = w.k;
    struct ev_booking b[SESSION_WATCHES_MAX + 1];
    for (int i = 0; i <= SESSION_WATCHES_MAX; i++) {
        b[i] = kit_booking(k, w.customer);
        kit_tell(k, EV_BOOKING_REQUESTED, &b[i]);
    }
    client_skip(w.c);
    for (int i = 0; i < SESSION_WATCHES_MAX; i++) {
        house_socket_text(w.c->s, watch_of(k, b[i].booking_id));
        expect_watching(w.c, b[i].booking_id);
    }
    house_socket_text(w.c->s, watch_of(k, b[16].booking_id));
    expect_error(w.c, 400);
    house_socket_text(w.c->s, watch_of(k, b[3].booking_id)); /* one of those again */
    expect_watching(w.c, b[3].booking_id);
    struct str unwatch = arena_printf(
        &k->h->arena, "{\"type\":\"unwatch\",\"booking_id\":\"%.*s\"}", STR_ARG(b[0].booking_id));
    house_socket_text(w.c->s, unwatch.p);
    expect(w.c, "{\"type\":\"unwatched\"}");
    house_socket_text(w.c->s, watch_of(k, b[16].booking_id));
    expect_watching(w.c, b[16].booking_id);
    kit_position(k, w.driver_id, b[0].booking_id, 1, 1, false);
    tick(k);
    expect_nothing(w.c);
    kit_position(k, w.driver_id, b[15].booking_id, 2, 2, false);
    tick(k);
    expect_position(w.c, 2);
    kit_free(k);
}

/* Who had a booking hears nothing of who has it after him: not even while word of the change is on
 * its way. */
static void a_former_driver_hears_nothing(void **state) {
    (void)state;
    struct world w = world_new(7);
    struct kit *k = w.k;
    struct str after = house_id(k->h, "usr");
    struct str after_id = id_with_prefix(&k->h->arena, after, "drv");
    struct client *d[] = {w.d, w.c, w.staff};
    for (int i = 0; i < 3; i++) {
        house_socket_text(d[i]->s, w.watch);
        expect_watching(d[i], w.b.booking_id);
    }
    kit_position(k, w.driver_id, w.b.booking_id, 1, 1, false);
    tick(k);
    for (int i = 0; i < 3; i++)
        expect_position(d[i], 1);
    kit_position(k, w.driver_id, STR(""), 1, 2, false);
    kit_position(k, after_id, w.b.booking_id, 2, 2, false);
    struct signal_eta eta = {.stop_count = 2};
    copy_text(eta.driver_id, sizeof eta.driver_id, after_id);
    copy_text(eta.booking_id, sizeof eta.booking_id, w.b.booking_id);
    eta.stops[1].eta_us = k->h->now_us + 600 * US_PER_S;
    k->h->bus->ops->signal(k->h->bus, SIGNAL_ETA, &eta, sizeof eta);
    tick(k);
    expect_nothing(w.d);
    for (int i = 1; i < 3; i++) {
        expect_position(d[i], 2);
        assert_true(kit_has(client_take(d[i]), "\"type\":\"eta\""));
    }
    kit_moves(k, &w.b, BOOKING_ASSIGNED);
    kit_driver(k, &w.b, after);
    kit_tell(k, EV_BOOKING_ASSIGNED, &w.b);
    skip_all(&w);
    kit_position(k, after_id, w.b.booking_id, 3, 3, false);
    tick(k);
    expect_nothing(w.d);
    expect_position(w.c, 3);
    house_socket_text(w.d->s, w.watch); /* and asks in vain */
    expect_error(w.d, 403);
    kit_free(k);
}

/* ---- positions ---- */

static void only_the_newest_position_is_sent(void **state) {
    (void)state;
    struct world w = world_new(10);
    struct kit *k = w.k;
    kit_position(k, w.driver_id, w.b.booking_id, 1, 1, false);
    house_socket_text(w.c->s, w.watch);
    expect_watching(w.c, w.b.booking_id);
    expect_position(w.c, 1); /* where he is now, at once */
    tick(k);
    expect_nothing(w.c);
    for (int i = 2; i <= 9; i++)
        kit_position(k, w.driver_id, w.b.booking_id, i, i, false);
    tick(k);
    expect_position(w.c, 9);
    expect_nothing(w.c);
    for (int i = 0; i < 40; i++) { /* 2 s, 20 positions a second */
        kit_position(k, w.driver_id, w.b.booking_id, 10 + i, 1, false);
        k->h->now_us += 50 * US_PER_MS;
        house_settle(k->h);
    }
    int32_t frames = w.c->s->frame_count - w.c->read;
    assert_in_range(frames, 7, 9); /* four a second */
    kit_free(k);
}

static void positions_stop_with_the_booking(void **state) {
    (void)state;
    struct world w = world_new(11);
    struct kit *k = w.k;
    house_socket_text(w.c->s, w.watch);
    client_skip(w.c);
    kit_position(k, w.driver_id, w.b.booking_id, 1, 1, false);
    tick(k);
    expect_position(w.c, 1);
    kit_position(k, w.driver_id, w.b.booking_id, 2, 2, false);
    kit_position(k, w.driver_id, STR(""), 3, 3, false); /* delivered: he is free */
    tick(k);
    expect_nothing(w.c);
    house_socket_text(w.c->s, w.watch); /* allowed, and nothing to be seen */
    expect_watching(w.c, w.b.booking_id);
    expect_nothing(w.c);
    kit_position(k, w.driver_id, house_id(k->h, "bkg"), 4, 4, false); /* his next one */
    tick(k);
    expect_nothing(w.c);
    kit_free(k);
}

/* The booking was given to another driver, and the first one's word comes late. */
static void a_booking_is_where_its_last_driver_is(void **state) {
    (void)state;
    struct world w = world_new(12);
    struct kit *k = w.k;
    struct str second = house_id(k->h, "drv");
    house_socket_text(w.c->s, w.watch);
    client_skip(w.c);
    kit_position(k, w.driver_id, w.b.booking_id, 1, 1, false);
    kit_position(k, second, w.b.booking_id, 2, 2, false);
    kit_position(k, w.driver_id, STR(""), 3, 3, false);
    tick(k);
    expect_position(w.c, 2);
    kit_position(k, second, w.b.booking_id, 4, 4, false);
    tick(k);
    expect_position(w.c, 4);
    kit_position(k, second, STR(""), 5, 5, false);
    tick(k);
    expect_nothing(w.c);
    kit_free(k);
}

static void a_slow_reader_gets_fewer(void **state) {
    (void)state;
    struct world w = world_new(13);
    struct kit *k = w.k;
    house_socket_text(w.c->s, w.watch);
    client_skip(w.c);
    w.c->s->stuck = true;
    for (int i = 1; i <= 20; i++) {
        kit_position(k, w.driver_id, w.b.booking_id, i, i, false);
        tick(k);
    }
    house_socket_drain(w.c->s);
    tick(k);
    expect_position(w.c, 20);
    expect_nothing(w.c);
    kit_free(k);
}

/* ---- areas ---- */

/* A round that the queue interrupts goes on where it stood, with what is newest by then. */
static void a_round_goes_on_where_it_stood(void **state) {
    (void)state;
    struct world w = world_new(14);
    struct kit *k = w.k;
    struct str drivers[10];
    house_socket_text(w.staff->s, "{\"type\":\"watch\",\"bbox\":[-1,-90,1,90]}");
    client_skip(w.staff);
    for (int i = 0; i < 10; i++)
        drivers[i] = house_id(k->h, "drv");
    for (int i = 0; i < 10; i++)
        kit_position(k, drivers[i], STR(""), i + 1, 0, false);
    w.staff->s->room = 4;
    tick(k);
    kit_position(k, drivers[2], STR(""), 73, 0, false); /* was sent in this round already */
    kit_position(k, drivers[6], STR(""), 77, 0, false); /* was not */
    for (int i = 0; i < 4; i++)
        expect_position(w.staff, i + 1);
    expect_nothing(w.staff);
    house_socket_drain(w.staff->s);
    tick(k);
    static const double rest[] = {5, 6, 77, 8, 9, 10};
    for (int i = 0; i < 6; i++)
        expect_position(w.staff, rest[i]);
    tick(k);
    expect_position(w.staff, 73);
    kit_free(k);
}

static void an_area_is_for_staff(void **state) {
    (void)state;
    struct world w = world_new(20);
    const char *watch = "{\"type\":\"watch\",\"bbox\":[11,57,12.5,58]}";
    house_socket_text(w.c->s, watch);
    expect_error(w.c, 403);
    house_socket_text(w.d->s, watch);
    expect_error(w.d, 403);
    house_socket_text(w.staff->s, watch);
    expect(w.staff, "{\"type\":\"watching\",\"bbox\":[11,57,12.5,58]}");
    kit_free(w.k);
}

static void a_bad_bbox_is_refused(void **state) {
    (void)state;
    struct world w = world_new(21);
    static const char *const bad[] = {
        "[]",           "[1,2,3]",   "[1,2,3,4,5]",   "[181,2,3,4]",  "[1,-91,3,4]", "[1,2,3,91]",
        "[1,2,-181,4]", "[1,5,3,4]", "[1,2,3,\"4\"]", "[1,2,3,null]", "{\"w\":1}",   "7",
        "[1,2,3,[4]]",  "null",      "[1e400,2,3,4]",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        house_socket_text(
            w.staff->s, arena_printf(&w.k->h->arena, "{\"type\":\"watch\",\"bbox\":%s}", bad[i]).p);
        expect_error(w.staff, 400);
        expect_nothing(w.staff);
    }
    const struct session *s = w.staff->s->socket.owner;
    assert_int_equal(s->watch_count, 0);
    kit_free(w.k);
}

static void staff_see_who_is_in_view(void **state) {
    (void)state;
    struct world w = world_new(22);
    struct kit *k = w.k;
    struct str out = house_id(k->h, "drv"), off = house_id(k->h, "drv");
    kit_position(k, w.driver_id, STR(""), 57.5, 12, false);
    kit_position(k, out, STR(""), 59, 12, false);
    kit_position(k, off, STR(""), 57.6, 12, false);
    kit_position(k, off, STR(""), 57.6, 12, true);
    house_socket_text(w.staff->s, "{\"type\":\"watch\",\"bbox\":[11,57,12.5,58]}");
    client_take(w.staff);
    struct str wanted = arena_printf(
        &k->h->arena,
        "{\"type\":\"position\",\"data\":{\"driver_id\":\"%.*s\",\"lat\":57.5,\"lng\":12,"
        "\"bearing_deg\":90,\"speed_mps\":9.5,\"at\":\"2026-11-23T10:00:00Z\","
        "\"vehicle\":\"van\",\"duty\":\"on\"}}",
        STR_ARG(w.driver_id));
    expect(w.staff, wanted.p);
    expect_nothing(w.staff); /* who has gone already is not news */
    kit_position(k, w.driver_id, w.b.booking_id, 57.6, 12, false);
    tick(k);
    struct str frame = client_take(w.staff);
    assert_true(kit_has(frame, "\"duty\":\"busy\"") && kit_has(frame, w.b.booking_id.p));
    kit_position(k, w.driver_id, STR(""), 57.6, 12, true);
    tick(k);
    assert_true(kit_has(client_take(w.staff), "\"duty\":\"off\"")); /* off the map with him */
    kit_position(k, out, STR(""), 57.9, 12, false);
    tick(k);
    expect_position(w.staff, 57.9);
    house_socket_text(w.staff->s, "{\"type\":\"watch\",\"bbox\":[0,0,1,1]}"); /* in its place */
    client_take(w.staff);
    kit_position(k, out, STR(""), 57.8, 12, false);
    kit_position(k, off, STR(""), 0.5, 0.5, false);
    tick(k);
    expect_position(w.staff, 0.5);
    house_socket_text(w.staff->s, "{\"type\":\"unwatch\"}");
    expect(w.staff, "{\"type\":\"unwatched\"}");
    kit_position(k, off, STR(""), 0.6, 0.5, false);
    tick(k);
    expect_nothing(w.staff);
    kit_free(k);
}

static void an_area_may_cross_the_antimeridian(void **state) {
    (void)state;
    struct world w = world_new(23);
    struct kit *k = w.k;
    static const struct {
        double lat, lng;
        bool in;
    } at[] = {{1, 179.5, true}, {2, -179.5, true}, {3, 180, true}, {4, -180, true},
              {5, 170, false},  {6, -170, false},  {7, 0, false}};
    house_socket_text(w.staff->s, "{\"type\":\"watch\",\"bbox\":[179,-10,-179,10]}");
    client_take(w.staff);
    for (size_t i = 0; i < COUNT_OF(at); i++) {
        kit_position(k, house_id(k->h, "drv"), STR(""), at[i].lat, at[i].lng, false);
        tick(k);
        if (at[i].in)
            expect_position(w.staff, at[i].lat);
        expect_nothing(w.staff);
    }
    kit_free(k);
}

/* More of a fleet moves in each tick than one tick may send: nobody is left out, and what is sent
 * is the newest. Against a plain table of what each driver said last and how long it has been
 * unheard.
 */
static void a_large_fleet_is_seen_whole(void **state) {
    (void)state;
    enum { FLEET = 2500, ALWAYS = 1500, TICKS = 14, REST = 4, LATE_MAX = 4 };
    struct world w = world_new(24);
    struct kit *k = w.k;
    struct str *drivers = xcalloc(FLEET, sizeof(*drivers));
    double *lats = xcalloc(FLEET, sizeof(*lats));
    int *unheard = xcalloc(FLEET, sizeof(*unheard)); /* since which tick; 0: all was heard */
    for (int i = 0; i < FLEET; i++)
        drivers[i] = house_id(k->h, "drv");
    house_socket_text(w.staff->s, "{\"type\":\"watch\",\"bbox\":[-1,-90,1,90]}");
    client_take(w.staff);
    for (int t = 1; t <= TICKS; t++) {
        for (int i = 0; i < FLEET && t <= TICKS - REST; i++) {
            if (i >= ALWAYS && t > 1 && rng_below(&k->h->rng, 2) == 0)
                continue;
            lats[i] = (double)rng_between(&k->h->rng, -89000, 89000) / 1000;
            unheard[i] = unheard[i] > 0 ? unheard[i] : t;
            kit_position(k, drivers[i], STR(""), lats[i], 0, false);
        }
        tick(k);
        int32_t n = w.staff->s->frame_count;
        assert_true(n - w.staff->read <= 2 * POSITIONS_FRAME_MAX); /* two ticks in 300 ms at most */
        for (int32_t f = w.staff->read; f < n; f++) {
            struct json_value root, data = {0}, id = {0}, lat = {0};
            double value = 0;
            assert_int_equal(json_parse(k->parser, w.staff->s->frames[f], &root), 0);
            assert_true(json_get(root, "data", &data) && json_get(data, "driver_id", &id) &&
                        json_get(data, "lat", &lat));
            int i = 0;
            while (!str_eq(drivers[i], json_text(id)))
                i++;
            assert_int_equal(json_f64(lat, &value), 0);
            assert_true(fabs(value - lats[i]) < 1e-9);
            unheard[i] = 0;
        }
        w.staff->s->frame_count = w.staff->read = 0; /* the house keeps so many only */
        for (int i = 0; i < FLEET; i++)
            assert_true(unheard[i] == 0 || t - unheard[i] < LATE_MAX);
    }
    for (int i = 0; i < FLEET; i++)
        assert_int_equal(unheard[i], 0);
    tick(k);
    expect_nothing(w.staff);
    free(drivers);
    free(lats);
    free(unheard);
    kit_free(k);
}

/* Those who have gone are told to whoever watched, and forgotten; others take their places. */
static void only_who_drives_is_kept(void **state) {
    (void)state;
    struct world w = world_new(60);
    struct kit *k = w.k;
    const struct positions *p = &k->n->positions;
    enum { SHIFT = 40, SHIFTS = 30 };
    struct str drivers[SHIFT];
    house_socket_text(w.staff->s, "{\"type\":\"watch\",\"bbox\":[-180,-90,180,90]}");
    client_skip(w.staff);
    kit_position(k, house_id(k->h, "drv"), STR(""), 1, 1, true); /* gone, and never was here */
    assert_int_equal(p->count, 0);
    for (int shift = 0; shift < SHIFTS; shift++) {
        for (int i = 0; i < SHIFT; i++) {
            drivers[i] = house_id(k->h, "drv");
            kit_position(k, drivers[i], house_id(k->h, "bkg"), i, shift, false);
        }
        tick(k);
        for (int i = 0; i < SHIFT; i++)
            kit_position(k, drivers[i], STR(""), i, shift, true);
        tick(k);
        int32_t on = 0, off = 0;
        for (struct str frame; (frame = client_take(w.staff)).p != NULL;) {
            on += kit_has(frame, "\"duty\":\"busy\"");
            off += kit_has(frame, "\"duty\":\"off\"");
        }
        assert_int_equal(on, SHIFT);
        assert_int_equal(off, SHIFT);
        house_advance(k->h, POSITION_OFF_KEEP_US);
    }
    assert_int_equal(p->count, SHIFT); /* places */
    assert_int_equal(p->by_booking.count, 0);
    /* One who comes back in time, and one who has been silent for half a day. */
    kit_position(k, drivers[0], STR(""), 1, 1, false);
    assert_int_equal(p->by_driver.count, 1);
    kit_position(k, drivers[0], STR(""), 2, 2, true);
    kit_position(k, drivers[0], STR(""), 3, 3, false);
    house_advance(k->h, 2 * POSITION_OFF_KEEP_US);
    kit_position(k, drivers[1], STR(""), 4, 4, false);
    assert_int_equal(p->by_driver.count, 2);
    k->h->now_us += POSITION_KEEP_US;
    kit_position(k, drivers[2], STR(""), 5, 5, false);
    assert_int_equal(p->by_driver.count, 1);
    assert_int_equal(p->free_count, SHIFT - 1);
    kit_free(k);
}

/* ---- locations ---- */

static void fixes_are_acknowledged_when_they_are_durable(void **state) {
    (void)state;
    struct world w = world_new(30);
    struct kit *k = w.k;
    house_socket_text(w.d->s, "{\"type\":\"location\",\"id\":7,\"fixes\":[1,2,3]}");
    house_socket_text(w.d->s, "{\"type\":\"location\",\"fixes\":[1]}");
    assert_int_equal(k->locations.count, 2);
    assert_str(w.driver, k->locations.waiting[0].user_id);
    expect_nothing(w.d);
    kit_locations_done(k, 0, k->h->now_us);
    expect(w.d, "{\"type\":\"ack\",\"id\":7,\"stored\":3,\"duplicates\":0,\"rejected\":[],"
                "\"through\":\"2026-11-23T10:00:00Z\"}");
    kit_locations_done(k, 0, 0);
    expect(w.d, "{\"type\":\"ack\",\"stored\":1,\"duplicates\":0,\"rejected\":[],"
                "\"through\":null}");
    kit_free(k);
}

static void fixes_that_cannot_be_taken_are_said_so(void **state) {
    (void)state;
    struct world w = world_new(31);
    struct kit *k = w.k;
    house_socket_text(w.c->s, "{\"type\":\"location\",\"id\":1,\"fixes\":[1]}");
    expect_error(w.c, 403);
    house_socket_text(w.d->s, "{\"type\":\"location\",\"id\":8,\"fixes\":5}");
    struct str frame = client_take(w.d);
    assert_true(kit_has(frame, "\"status\":400,\"id\":8"));
    assert_true(kit_has(frame, "\"errors\":[{\"pointer\":\"/fixes\",\"detail\":\"is required\"}]"));
    k->locations.refuse = ERR_FULL;
    house_socket_text(w.d->s, "{\"type\":\"location\",\"id\":9,\"fixes\":[1]}");
    frame = client_take(w.d);
    assert_true(kit_has(frame, "\"status\":503,\"id\":9"));
    k->locations.refuse = ERR_LIMIT;
    house_socket_text(w.d->s, "{\"type\":\"location\",\"id\":9,\"fixes\":[1]}");
    frame = client_take(w.d);
    assert_true(kit_has(frame, "\"status\":429,\"id\":9") &&
                kit_has(frame, "\"retry_after_s\":77"));
    k->locations.refuse = 0;
    static const struct {
        int err;
        const char *says;
    } late[] = {
        {ERR_BUSY, "\"status\":503,\"id\":10,\"problem\":\"/problems/store-unavailable\""},
        {ERR_FULL, "\"status\":503,\"id\":10,\"problem\":\"/problems/overloaded\""},
        {ERR_LIMIT, "\"status\":429,\"id\":10,\"problem\":\"/problems/too-many-requests\""}};
    for (size_t i = 0; i < COUNT_OF(late); i++) {
        house_socket_text(w.d->s, "{\"type\":\"location\",\"id\":10,\"fixes\":[1]}");
        kit_locations_done(k, late[i].err, 0);
        frame = client_take(w.d);
        assert_true(kit_has(frame, "\"type\":\"error\"") && kit_has(frame, late[i].says));
    }
    const struct session *s = w.d->s->socket.owner;
    assert_int_equal(s->locations_waiting, 0);
    kit_free(k);
}

static void so_many_location_frames_may_wait(void **state) {
    (void)state;
    struct world w = world_new(32);
    struct kit *k = w.k;
    const char *frame = "{\"type\":\"location\",\"id\":3,\"fixes\":[1]}";
    for (int i = 0; i < SESSION_LOCATIONS_MAX; i++)
        house_socket_text(w.d->s, frame);
    expect_nothing(w.d);
    house_socket_text(w.d->s, frame);
    struct str refused = client_take(w.d);
    assert_true(kit_has(refused, "\"status\":429,\"id\":3"));
    kit_locations_done(k, 0, 0);
    client_take(w.d);
    house_socket_text(w.d->s, frame);
    expect_nothing(w.d);
    while (k->locations.count > 0)
        kit_locations_done(k, 0, 0);
    assert_int_equal(w.d->s->frame_count - w.d->read, SESSION_LOCATIONS_MAX);
    kit_free(k);
}

static void a_driver_may_go_before_his_acks_come(void **state) {
    (void)state;
    struct world w = world_new(33);
    struct kit *k = w.k;
    for (int i = 0; i < 3; i++)
        house_socket_text(w.d->s, "{\"type\":\"location\",\"id\":1,\"fixes\":[1]}");
    struct kit_submit last = k->locations.waiting[2];
    k->locations.count = 2;
    last.done(last.arg, 0, &(struct locations_result){0}); /* its ack is on its way */
    client_leave(w.d);
    while (k->locations.count > 0)
        kit_locations_done(k, 0, 0);
    struct client *again = client_open(k, ROLE_DRIVER, w.driver);
    client_skip(again);
    house_advance(k->h, US_PER_S);
    expect_nothing(again); /* they were not his */
    kit_free(k);
}

static void acks_lost_by_a_full_mailbox_do_not_hold_him_up(void **state) {
    (void)state;
    struct world w = world_new(34);
    struct kit *k = w.k;
    const char *frame = "{\"type\":\"location\",\"id\":3,\"fixes\":[1]}";
    for (int i = 0; i < SESSION_LOCATIONS_MAX; i++)
        house_socket_text(w.d->s, frame);
    k->post_full = true;
    while (k->locations.count > 0)
        kit_locations_done(k, 0, 0);
    k->post_full = false;
    house_settle(k->h);
    house_socket_text(w.d->s, frame); /* without an ack he sends it again */
    assert_int_equal(k->locations.count, 1);
    kit_locations_done(k, 0, 0);
    struct seen s = client_read(w.d);
    assert_string_equal(s.type, "ack");
    expect_nothing(w.d);
    kit_free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_booking_is_watched_by_its_people_and_staff),
        cmocka_unit_test(arrival_times_are_pushed),
        cmocka_unit_test(arrival_times_of_what_comes_next),
        cmocka_unit_test(an_unknown_booking_is_refused_after_a_moment),
        cmocka_unit_test(a_brand_new_booking_can_be_watched_at_once),
        cmocka_unit_test(what_is_asked_for_can_be_taken_back),
        cmocka_unit_test(a_busy_store_is_told),
        cmocka_unit_test(a_socket_has_sixteen_watches),
        cmocka_unit_test(a_former_driver_hears_nothing),
        cmocka_unit_test(only_the_newest_position_is_sent),
        cmocka_unit_test(positions_stop_with_the_booking),
        cmocka_unit_test(only_who_drives_is_kept),
        cmocka_unit_test(a_booking_is_where_its_last_driver_is),
        cmocka_unit_test(a_slow_reader_gets_fewer),
        cmocka_unit_test(a_round_goes_on_where_it_stood),
        cmocka_unit_test(an_area_is_for_staff),
        cmocka_unit_test(a_bad_bbox_is_refused),
        cmocka_unit_test(staff_see_who_is_in_view),
        cmocka_unit_test(an_area_may_cross_the_antimeridian),
        cmocka_unit_test(a_large_fleet_is_seen_whole),
        cmocka_unit_test(fixes_are_acknowledged_when_they_are_durable),
        cmocka_unit_test(fixes_that_cannot_be_taken_are_said_so),
        cmocka_unit_test(so_many_location_frames_may_wait),
        cmocka_unit_test(a_driver_may_go_before_his_acks_come),
        cmocka_unit_test(acks_lost_by_a_full_mailbox_do_not_hold_him_up),
    };
    return cmocka_run_group_tests_name("notification-watch", tests, NULL, NULL);
}
