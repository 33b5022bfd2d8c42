/* Inboxes: which event becomes which entry in whose inbox, the numbers, what faults and repeats do
 * to them, reading over HTTP, and what goes when it is old.
 */
#include "services/notification/test_kit.h"

struct world {
    struct kit *k;
    struct str customer, driver;
};

static struct world world_new(uint64_t seed, int64_t keep_s, int32_t keep_entries) {
    struct world w = {.k = kit_new(seed, keep_s, keep_entries)};
    w.customer = house_id(w.k->h, "usr");
    w.driver = house_id(w.k->h, "usr");
    return w;
}

static struct ev_offer *offer_for(struct kit *k, struct str driver) {
    struct ev_offer *o = arena_new(&k->h->arena, struct ev_offer);
    *o = (struct ev_offer){.id = house_id(k->h, "ofr"),
                           .driver_id = id_with_prefix(&k->h->arena, driver, "drv"),
                           .driver_user_id = driver,
                           .expires_at_us = k->h->now_us + 15 * US_PER_S,
                           .pickup_distance_m = 830,
                           .pickup_eta_s = 150};
    return o;
}

/* ---- entries ---- */

static void a_booking_is_told_to_its_people(void **state) {
    (void)state;
    struct world w = world_new(1, 0, 0);
    struct kit *k = w.k;
    struct client *customer = client_open(k, ROLE_CUSTOMER, w.customer);
    struct client *driver = client_open(k, ROLE_DRIVER, w.driver);
    struct client *staff = client_open(k, ROLE_DISPATCHER, house_id(k->h, "usr"));
    struct client *other = client_open(k, ROLE_CUSTOMER, house_id(k->h, "usr"));
    expect(customer, "{\"type\":\"ready\",\"seq\":0}");
    expect(driver, "{\"type\":\"ready\",\"seq\":0}");
    expect(staff, "{\"type\":\"ready\",\"seq\":0}");
    expect(other, "{\"type\":\"ready\",\"seq\":0}");

    struct ev_booking b = kit_booking(k, w.customer);
    kit_tell(k, EV_BOOKING_REQUESTED, &b);
    struct str entry = arena_printf(&k->h->arena,
                                    "{\"type\":\"booking.updated\",\"seq\":1,\"at\":"
                                    "\"2026-11-23T10:00:00Z\",\"data\":%.*s}",
                                    STR_ARG(b.view));
    expect(customer, entry.p);
    expect_nothing(driver);
    expect(staff, entry.p);

    kit_driver(k, &b, w.driver);
    kit_moves(k, &b, BOOKING_ASSIGNED);
    kit_tell(k, EV_BOOKING_ASSIGNED, &b);
    expect_entry(customer, "booking.updated", 2);
    expect_entry(driver, "booking.updated", 1);
    expect_entry(staff, "booking.updated", 2);

    static const char *const later[] = {EV_BOOKING_PROGRESSED, EV_BOOKING_DELIVERED,
                                        EV_BOOKING_RATED};
    for (int64_t i = 0; i < 3; i++) {
        kit_moves(k, &b, i == 0 ? BOOKING_ARRIVED_PICKUP : BOOKING_DELIVERED);
        kit_tell(k, later[i], &b);
        expect_entry(customer, "booking.updated", 3 + i);
        expect_entry(driver, "booking.updated", 2 + i);
        expect_entry(staff, "booking.updated", 3 + i);
    }
    expect_nothing(other);
    kit_free(k);
}

/* The booking's view as its event has it, whole, with its people. */
static struct str whole_view(struct kit *k, const struct ev_booking *b) {
    return arena_printf(
        &k->h->arena,
        "{\"id\":\"%.*s\",\"version\":%lld,\"stops\":[{\"contact\":{\"name\":\"Bo Ek\","
        "\"phone\":\"+46701234567\"},\"note\":\"code 1234\"}],\"notes\":\"ring twice\","
        "\"driver\":{\"name\":\"Ola Berg\",\"phone\":\"+46707654321\"}}",
        STR_ARG(b->booking_id), (long long)b->version);
}

#define DOTS "\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2"
/* It lies in inboxes for days: nobody finds another's number there, but staff. */
static void an_inbox_keeps_no_number_of_others(void **state) {
    (void)state;
    struct world w = world_new(5, 0, 0);
    struct kit *k = w.k;
    struct ev_booking b = kit_booking(k, w.customer);
    kit_moves(k, &b, BOOKING_ASSIGNED);
    kit_driver(k, &b, w.driver);
    b.view = whole_view(k, &b);
    kit_tell(k, EV_BOOKING_ASSIGNED, &b);
    const struct {
        enum role role;
        struct str who;
        const char *has[4];
        const char *lacks[4];
    } readers[] = {
        {ROLE_CUSTOMER,
         w.customer,
         {"+46701234567", "code 1234", "\"name\":\"Ola\",\"phone\":\"" DOTS " 21\""},
         {"+46707654321", "Berg"}},
        {ROLE_DRIVER,
         w.driver,
         {"\"name\":\"Bo\",\"phone\":\"" DOTS " 67\"},\"note\":null", "+46707654321"},
         {"+46701234567", "code 1234", "ring twice", "Ek"}},
        {ROLE_DISPATCHER,
         house_id(k->h, "usr"),
         {"+46701234567", "code 1234", "+46707654321", "ring twice"},
         {DOTS}},
    };
    for (size_t i = 0; i < 3; i++) {
        struct str told =
            kit_get(k, readers[i].role, readers[i].who, "/v1/notifications?after=0").body;
        for (int n = 0; n < 4 && readers[i].has[n] != NULL; n++)
            assert_true(kit_has(told, readers[i].has[n]));
        for (int n = 0; n < 4 && readers[i].lacks[n] != NULL; n++)
            assert_false(kit_has(told, readers[i].lacks[n]));
    }
    kit_free(k);
}

/* The first event of a decision carries the view, the others do not: one entry for each version. */
static void an_event_without_a_view_makes_no_entry(void **state) {
    (void)state;
    struct world w = world_new(2, 0, 0);
    struct ev_booking b = kit_booking(w.k, w.customer);
    b.view = STR_NONE;
    kit_tell(w.k, EV_BOOKING_CANCELLED, &b);
    assert_int_equal(kit_head(w.k, w.customer), 0);
    assert_int_equal(kit_head(w.k, STREAM_STAFF), 0);
    assert_true(kit_all_confirmed(w.k));
    kit_free(w.k);
}

/* Who asks for a trace, or for help, can name it; what came without one is as it was. */
static void an_entry_names_its_trace(void **state) {
    (void)state;
    struct world w = world_new(4, 0, 0);
    struct kit *k = w.k;
    struct client *customer = client_open(k, ROLE_CUSTOMER, w.customer);
    expect(customer, "{\"type\":\"ready\",\"seq\":0}");
    struct ev_booking b = kit_booking(k, w.customer);
    int32_t i = kit_event(k, EV_BOOKING_REQUESTED, &b);
    k->events[i].event.traceparent = STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    kit_publish(k, i);
    house_settle(k->h);
    struct str told =
        arena_printf(&k->h->arena,
                     "{\"type\":\"booking.updated\",\"seq\":1,\"at\":\"2026-11-23T10:00:00Z\","
                     "\"data\":%.*s,\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}",
                     STR_ARG(b.view));
    expect(customer, told.p);
    kit_moves(k, &b, BOOKING_CANCELLED);
    kit_tell(k, EV_BOOKING_CANCELLED, &b);
    told = arena_printf(&k->h->arena,
                        "{\"type\":\"booking.updated\",\"seq\":2,\"at\":\"2026-11-23T10:00:00Z\","
                        "\"data\":%.*s}",
                        STR_ARG(b.view));
    expect(customer, told.p);
    kit_free(k);
}

static void offers_go_to_their_driver(void **state) {
    (void)state;
    struct world w = world_new(3, 0, 0);
    struct kit *k = w.k;
    struct client *driver = client_open(k, ROLE_DRIVER, w.driver);
    expect(driver, "{\"type\":\"ready\",\"seq\":0}");
    struct ev_booking b = kit_booking(k, w.customer);
    kit_moves(k, &b, BOOKING_OFFERED);
    b.offer = offer_for(k, w.driver);
    b.stops[0].address = STR("Drottningtorget 5"); /* not the house, before it is his */
    kit_tell(k, EV_BOOKING_OFFERED, &b);
    struct str made = arena_printf(
        &k->h->arena,
        "{\"type\":\"offer.made\",\"seq\":1,\"at\":\"2026-11-23T10:00:00Z\",\"data\":"
        "{\"id\":\"%.*s\",\"booking_id\":\"%.*s\",\"expires_at\":\"2026-11-23T10:00:15Z\","
        "\"pickup\":{\"lat\":57.7089,\"lng\":11.9746,\"address\":\"Drottningtorget\"},"
        "\"dropoff\":{\"lat\":57.6969,\"lng\":11.9865},\"stops\":2,\"pickup_distance_m\":830,"
        "\"pickup_eta_s\":150,\"earning\":{\"currency\":\"SEK\",\"amount\":11900}}}",
        STR_ARG(b.offer->id), STR_ARG(b.booking_id));
    expect(driver, made.p);
    assert_int_equal(kit_head(k, w.customer), 1); /* he hears of the state */

    static const char *const reasons[][2] = {{"timed_out", "expired"},
                                             {"withdrawn", "withdrawn"},
                                             {"accepted_elsewhere", "accepted_elsewhere"},
                                             {"declined", "declined"}};
    for (int i = 0; i < 4; i++) {
        kit_moves(k, &b, BOOKING_REQUESTED);
        b.offer->reason = str_from(reasons[i][0]);
        kit_tell(k, EV_BOOKING_OFFER_CLOSED, &b);
        struct str closed = arena_printf(
            &k->h->arena,
            "{\"type\":\"offer.closed\",\"seq\":%d,\"at\":\"2026-11-23T10:00:00Z\",\"data\":"
            "{\"id\":\"%.*s\",\"booking_id\":\"%.*s\",\"reason\":\"%s\"}}",
            2 + i, STR_ARG(b.offer->id), STR_ARG(b.booking_id), reasons[i][1]);
        expect(driver, closed.p);
    }
    expect_nothing(driver);
    kit_free(k);
}

/* A dispatcher's assignment is no offer: its driver is not asked. */
static void an_assignment_is_no_offer(void **state) {
    (void)state;
    struct world w = world_new(4, 0, 0);
    struct kit *k = w.k;
    struct ev_booking b = kit_booking(k, w.customer);
    b.offer = offer_for(k, w.driver);
    b.offer->manual = true;
    kit_tell(k, EV_BOOKING_ASSIGN_WANTED, &b);
    kit_tell(k, EV_BOOKING_OFFERED, &b);
    kit_tell(k, EV_BOOKING_OFFER_CLOSED, &b);
    assert_int_equal(kit_head(k, w.driver), 0);
    assert_int_equal(kit_head(k, w.customer), 3);
    kit_free(k);
}

/* ---- once ---- */

static void an_event_that_comes_again_makes_no_second_entry(void **state) {
    (void)state;
    struct world w = world_new(5, 0, 0);
    struct kit *k = w.k;
    struct ev_booking b = kit_booking(k, w.customer);
    int32_t first = kit_event(k, EV_BOOKING_REQUESTED, &b);
    kit_moves(k, &b, BOOKING_OFFERED);
    int32_t second = kit_event(k, EV_BOOKING_OFFERED, &b);
    const int32_t order[] = {second, first, first, second, first};
    for (size_t i = 0; i < COUNT_OF(order); i++)
        kit_publish(k, order[i]);
    house_settle(k->h);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        kit_publish(k, order[i]);
        house_settle(k->h);
    }
    kit_crash(k);
    for (size_t i = 0; i < COUNT_OF(order); i++)
        kit_publish(k, order[i]);
    house_settle(k->h);
    assert_int_equal(kit_head(k, w.customer), 2);
    assert_int_equal(kit_head(k, STREAM_STAFF), 2);
    struct client *customer = client_open(k, ROLE_CUSTOMER, w.customer);
    expect(customer, "{\"type\":\"ready\",\"seq\":2}");
    kit_free(k);
}

static struct watchable *watchable_of(struct kit *k, struct str booking_id) {
    void *w;
    struct store *s = memory_disk_open(k->h->disk, false, NULL);
    assert_int_equal(
        aggregate_get(&watchable_aggregate, s, k->parser, booking_id, &k->h->arena, &w), 0);
    s->ops->close(s);
    return w;
}

static void late_news_do_not_change_who_may_watch(void **state) {
    (void)state;
    struct world w = world_new(6, 0, 0);
    struct kit *k = w.k;
    struct ev_booking b = kit_booking(k, w.customer);
    int32_t requested = kit_event(k, EV_BOOKING_REQUESTED, &b);
    kit_moves(k, &b, BOOKING_ASSIGNED);
    kit_driver(k, &b, w.driver);
    int32_t assigned = kit_event(k, EV_BOOKING_ASSIGNED, &b);
    kit_publish(k, assigned);
    house_settle(k->h);
    kit_publish(k, requested);
    house_settle(k->h);
    assert_true(str_eq(watchable_of(k, b.booking_id)->driver_user_id, w.driver));
    assert_int_equal(watchable_of(k, b.booking_id)->state, BOOKING_ASSIGNED);
    assert_int_equal(kit_head(k, w.customer), 2); /* both are told all the same */
    kit_free(k);
}

/* ---- faults ---- */

/* Every event exactly once in each inbox; without holes where only whole commits fail. */
static void numbers_survive(uint64_t seed, struct memory_store_faults faults, bool holes) {
    struct world w = world_new(seed, 0, 0);
    struct kit *k = w.k;
    struct inbox_entry *inbox = xcalloc(1000, sizeof(*inbox));
    const int32_t count = 300;
    for (int32_t i = 0; i < count; i++) {
        faults.rng = &k->h->rng;
        k->h->faults = faults;
        struct ev_booking b = kit_booking(k, w.customer);
        kit_publish(k, kit_event(k, EV_BOOKING_REQUESTED, &b));
        if (rng_below(&k->h->rng, 3) == 0)
            house_advance(k->h, 20 * US_PER_MS);
        if (rng_below(&k->h->rng, 40) == 0)
            kit_crash(k);
    }
    k->h->faults = (struct memory_store_faults){.rng = &k->h->rng};
    house_advance(k->h, 20 * US_PER_S);
    assert_true(kit_all_confirmed(k));
    const struct str streams[] = {w.customer, STREAM_STAFF};
    for (int s = 0; s < 2; s++) {
        assert_int_equal(kit_inbox(k, streams[s], inbox, 1000), count);
        bool *told = arena_array(&k->h->arena, bool, count);
        for (int32_t i = 0; i < count; i++) {
            assert_true(i == 0 || inbox[i].seq > inbox[i - 1].seq);
            assert_true(holes || inbox[i].seq == i + 1);
            int32_t e = 0;
            while (e < count && !kit_has(inbox[i].data, k->events[e].event.key.p))
                e++;
            assert_true(e < count && !told[e]);
            told[e] = true;
        }
    }
    free(inbox);
    kit_free(k);
}

static void numbers_survive_a_busy_store(void **state) {
    (void)state;
    numbers_survive(10, (struct memory_store_faults){.busy = 0.4, .io = 0.2}, false);
}

static void numbers_survive_commits_whose_answer_is_lost(void **state) {
    (void)state;
    numbers_survive(11, (struct memory_store_faults){.unknown_committed = 0.3}, false);
    numbers_survive(12, (struct memory_store_faults){.unknown_lost = 0.4}, false);
    numbers_survive(
        13, (struct memory_store_faults){.unknown_lost = 0.25, .unknown_committed = 0.25}, false);
}

static void numbers_survive_everything(void **state) {
    (void)state;
    for (uint64_t seed = 20; seed < 24; seed++)
        numbers_survive(seed,
                        (struct memory_store_faults){.busy = 0.1,
                                                     .io = 0.05,
                                                     .conflict = 0.2,
                                                     .unknown_committed = 0.1,
                                                     .unknown_lost = 0.1,
                                                     .read_busy = 0.1},
                        true);
}

/* Another process has written to the inbox meanwhile: its numbers are respected. */
static void a_number_that_is_taken_is_not_given_again(void **state) {
    (void)state;
    struct world w = world_new(14, 0, 0);
    struct kit *k = w.k;
    kit_fill(k, w.customer, 3);
    struct inbox_entry theirs = {
        .stream = w.customer, .type = STR("booking.updated"), .seq = 4, .data = STR("{}")};
    theirs.at_us = k->h->now_us;
    struct store *other = memory_disk_open(k->h->disk, true, NULL);
    struct store_change change = {
        .collection = &inbox_collection,
        .id = arena_printf(&k->h->arena, "%.*s:%012d", STR_ARG(w.customer), 4),
        .state = schema_text(inbox_aggregate.schema, &theirs, S_STORE, &k->h->arena),
        .commit_id = STR("theirs"),
        .at_us = k->h->now_us};
    assert_int_equal(other->ops->commit(other, &change, 1, NULL, 0), 0);
    other->ops->close(other);
    struct client *c = client_open(k, ROLE_CUSTOMER, w.customer);
    expect(c, "{\"type\":\"ready\",\"seq\":4}");
    kit_fill(k, w.customer, 1);
    house_advance(k->h, US_PER_S);
    expect_entry(c, "booking.updated", 5);
    assert_int_equal(kit_head(k, STREAM_STAFF), 4);
    kit_free(k);
}

/* One entry is damaged: all others are read, live, again and over HTTP, and its number is passed.
 */
static void an_entry_that_cannot_be_read_is_left_out(void **state) {
    (void)state;
    struct world w = world_new(16, 0, 0);
    struct kit *k = w.k;
    kit_fill(k, w.customer, 3);
    struct store *other = memory_disk_open(k->h->disk, true, NULL);
    struct store_change change = {
        .collection = &inbox_collection,
        .id = arena_printf(&k->h->arena, "%.*s:%012d", STR_ARG(w.customer), 2),
        .expected_version = 1,
        .state = STR("{\"stream\":7,\"seq\":\"two\"}"),
        .commit_id = STR("damage"),
        .at_us = k->h->now_us};
    assert_int_equal(other->ops->commit(other, &change, 1, NULL, 0), 0);
    assert_int_equal(change.result, 0);
    other->ops->close(other);
    struct client *c = client_open(k, ROLE_CUSTOMER, w.customer);
    expect(c, "{\"type\":\"ready\",\"seq\":3}");
    house_socket_text(c->s, "{\"type\":\"resume\",\"after\":0}");
    expect_entry(c, "booking.updated", 1);
    expect_entry(c, "booking.updated", 3);
    expect(c, "{\"type\":\"resumed\",\"seq\":3}");
    struct house_answer a = kit_get(k, ROLE_CUSTOMER, w.customer, "/v1/notifications");
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body.p, "\"seq\":1,"));
    assert_null(strstr(a.body.p, "\"seq\":2,"));
    assert_non_null(strstr(a.body.p, "\"seq\":3,"));
    a = kit_get(k, ROLE_CUSTOMER, w.customer, "/v1/notifications?limit=2");
    assert_null(strstr(a.body.p, "\"next_cursor\":null")); /* a page of two, one of them shown */
    kit_fill(k, w.customer, 1);
    house_advance(k->h, US_PER_S);
    expect_entry(c, "booking.updated", 4);
    kit_free(k);
}

/* ---- over HTTP ---- */

static void an_entry_is_the_same_whenever_it_is_sent(void **state) {
    (void)state;
    struct world w = world_new(15, 0, 0);
    struct kit *k = w.k;
    struct arena *a = &k->h->arena;
    struct client *live = client_open(k, ROLE_CUSTOMER, w.customer);
    client_skip(live);
    static const char *const odd[] = {
        "{\"note\":\"Åsa said \\\"5\\u00b0 / 3\\\" \\\\ \\n\\u0001\\ud83d\\ude9a\"}",
        "{ \"n\" : [1.50, 1e3, -0.0, 0.1, 1E-7, 123456789012345678, 18446744073709551615] }",
        "{\"deep\":[[[{\"a\":{}}],[]],null,true,false],\"\":\"\\/\"}",
    };
    struct str body = STR("{\"items\":[");
    for (int i = 0; i < 3; i++) {
        k->h->now_us += 1234567;
        struct ev_booking b = kit_booking(k, w.customer);
        b.view = str_from(odd[i]);
        kit_tell(k, EV_BOOKING_REQUESTED, &b);
        struct str frame = client_take(live);
        assert_true(frame.p != NULL);
        body = arena_printf(a, "%.*s%s%.*s", STR_ARG(body), i > 0 ? "," : "", STR_ARG(frame));
    }
    body = arena_printf(a, "%.*s],\"next_cursor\":null}", STR_ARG(body));
    kit_crash(k);
    struct client *again = client_open(k, ROLE_CUSTOMER, w.customer);
    client_skip(again);
    house_socket_text(again->s, "{\"type\":\"resume\",\"after\":0}");
    struct str replayed = STR("{\"items\":[");
    for (int i = 0; i < 3; i++) {
        struct str frame = client_take(again);
        replayed =
            arena_printf(a, "%.*s%s%.*s", STR_ARG(replayed), i > 0 ? "," : "", STR_ARG(frame));
    }
    replayed = arena_printf(a, "%.*s],\"next_cursor\":null}", STR_ARG(replayed));
    assert_str(replayed, body.p);
    assert_str(kit_get(k, ROLE_CUSTOMER, w.customer, "/v1/notifications").body, body.p);
    kit_free(k);
}

static int32_t read_page(struct kit *k, struct str body, int64_t *after, struct str *ret_cursor) {
    struct json_value root, items, cursor;
    int32_t count = 0;
    assert_int_equal(json_parse(k->parser, body, &root), 0);
    assert_true(json_get(root, "items", &items));
    for (struct json_iter it = json_iter(items); json_next(&it); count++) {
        int64_t seq = kit_i64(it.value, "seq");
        assert_int_equal(seq, *after + 1);
        *after = seq;
    }
    assert_true(json_get(root, "next_cursor", &cursor));
    *ret_cursor = arena_str(&k->h->arena, json_text(cursor));
    return count;
}

static void notifications_come_in_pages(void **state) {
    (void)state;
    struct world w = world_new(16, 0, 0);
    struct kit *k = w.k;
    struct str other = house_id(k->h, "usr"), cursor;
    kit_fill(k, w.customer, 25);
    kit_fill(k, other, 2);
    int64_t after = 3;
    struct str path = STR("/v1/notifications?after=3&limit=10");
    int32_t count = 0, pages = 0;
    do {
        struct house_answer page = kit_get(k, ROLE_CUSTOMER, w.customer, path.p);
        assert_int_equal(page.status, 200);
        count += read_page(k, page.body, &after, &cursor);
        path =
            arena_printf(&k->h->arena, "/v1/notifications?limit=10&cursor=%.*s", STR_ARG(cursor));
        pages++;
    } while (cursor.p != NULL);
    assert_int_equal(count, 22);
    assert_int_equal(pages, 3);

    struct house_answer first = kit_get(k, ROLE_CUSTOMER, w.customer, "/v1/notifications?limit=2");
    after = 0;
    assert_int_equal(read_page(k, first.body, &after, &cursor), 2);
    path = arena_printf(&k->h->arena, "/v1/notifications?cursor=%.*s", STR_ARG(cursor));
    assert_int_equal(kit_get(k, ROLE_CUSTOMER, other, path.p).status, 422); /* not his */
    after = 27 - 2;
    struct house_answer staff = kit_get(k, ROLE_ADMIN, other, "/v1/notifications?after=25");
    assert_int_equal(read_page(k, staff.body, &after, &cursor), 2);
    kit_free(k);
}

static void bad_questions_are_refused(void **state) {
    (void)state;
    struct world w = world_new(17, 0, 0);
    static const char *const bad[] = {
        "/v1/notifications?after=-1",    "/v1/notifications?after=x",
        "/v1/notifications?after=1.5",   "/v1/notifications?after=99999999999999999999",
        "/v1/notifications?limit=0",     "/v1/notifications?limit=201",
        "/v1/notifications?cursor=!!!!", "/v1/notifications?cursor=YmtnXzE",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(kit_get(w.k, ROLE_CUSTOMER, w.customer, bad[i]).status, 422);
    struct house_answer none =
        kit_get(w.k, ROLE_CUSTOMER, w.customer, "/v1/notifications?after=999999999999");
    assert_str(none.body, "{\"items\":[],\"next_cursor\":null}");
    assert_int_equal(kit_get(w.k, ROLE_NONE, STR_NONE, "/v1/notifications").status, 401);
    w.k->reader_faults.read_busy = 1;
    assert_int_equal(kit_get(w.k, ROLE_CUSTOMER, w.customer, "/v1/notifications").status, 503);
    kit_free(w.k);
}

/* ---- what is kept ---- */

static int64_t oldest_of(struct kit *k, struct str stream) {
    int64_t oldest;
    struct store *s = memory_disk_open(k->h->disk, false, NULL);
    assert_int_equal(inbox_oldest(s, stream, &k->h->arena, &oldest), 0);
    s->ops->close(s);
    return oldest;
}

static void young_entries_stay_however_many(void **state) {
    (void)state;
    struct world w = world_new(30, 3600, 100);
    kit_fill(w.k, w.customer, 600);
    house_advance(w.k->h, 60 * US_PER_S);
    assert_int_equal(oldest_of(w.k, w.customer), 1);
    kit_free(w.k);
}

static void old_entries_stay_while_they_are_few(void **state) {
    (void)state;
    struct world w = world_new(31, 0, 0);
    kit_fill(w.k, w.customer, 900);
    w.k->h->now_us += 400 * US_PER_DAY;
    kit_fill(w.k, w.customer, 100);
    house_advance(w.k->h, 60 * US_PER_S);
    assert_int_equal(oldest_of(w.k, w.customer), 1);
    kit_free(w.k);
}

static void the_old_beyond_the_newest_thousand_go(void **state) {
    (void)state;
    struct world w = world_new(32, 0, 0);
    struct kit *k = w.k;
    kit_fill(k, w.customer, 700);
    k->h->now_us += 4 * US_PER_DAY;
    kit_fill(k, w.customer, 836); /* 1,536 = 12 × 128 */
    house_advance(k->h, 5 * US_PER_S);
    assert_int_equal(oldest_of(k, w.customer), 1); /* none is older than 7 days */
    k->h->now_us += 4 * US_PER_DAY;
    kit_fill(k, w.customer, 64); /* 1,600: the next look is at 1,664 */
    house_advance(k->h, 5 * US_PER_S);
    assert_int_equal(oldest_of(k, w.customer), 1);
    kit_fill(k, w.customer, 64);
    house_advance(k->h, 5 * US_PER_S);
    assert_int_equal(oldest_of(k, w.customer), 665); /* of 700 that are old, 664 lie beyond 1,000 */
    assert_int_equal(oldest_of(k, STREAM_STAFF), 665);
    assert_int_equal(kit_head(k, w.customer), 1664);
    kit_free(k);
}

static void what_is_kept_can_be_configured(void **state) {
    (void)state;
    struct world w = world_new(33, 60, 10);
    struct kit *k = w.k;
    kit_fill(k, w.customer, 300);
    house_advance(k->h, 2 * US_PER_S);
    k->h->now_us += 61 * US_PER_S;
    kit_fill(k, w.customer, 84); /* 384 = 3 × 128 */
    k->h->faults.busy = 1;       /* the store must not take it for done */
    house_advance(k->h, 3 * US_PER_S);
    assert_int_equal(oldest_of(k, w.customer), 1);
    k->h->faults.busy = 0;
    house_advance(k->h, 3 * US_PER_S);
    assert_int_equal(oldest_of(k, w.customer), 301);
    k->h->now_us += 61 * US_PER_S;
    kit_fill(k, w.customer, 128); /* 512 */
    k->h->now_us += 61 * US_PER_S;
    kit_fill(k, w.customer, 128); /* 640 */
    house_advance(k->h, 3 * US_PER_S);
    assert_int_equal(oldest_of(k, w.customer), 513);
    kit_fill(k, w.customer, 1); /* numbers go on */
    assert_int_equal(kit_head(k, w.customer), 641);
    kit_free(k);
}

/* A long inbox does not hold up the others, and the queue holds each once. */
static void inboxes_are_shortened_in_turn(void **state) {
    (void)state;
    struct world w = world_new(34, 60, 10);
    struct kit *k = w.k;
    struct str others[4];
    for (int i = 0; i < 4; i++) {
        others[i] = house_id(k->h, "usr");
        kit_fill(k, others[i], 127);
    }
    kit_fill(k, w.customer, 1663);
    k->h->now_us += 61 * US_PER_S;
    kit_fill(k, w.customer, 1);
    for (int i = 0; i < 4; i++)
        kit_fill(k, others[i], 1);
    assert_true(k->n->prune_count <= 6);
    house_advance(k->h, 3 * US_PER_S);
    for (int i = 0; i < 4; i++)
        assert_int_equal(oldest_of(k, others[i]), 119);
    assert_int_equal(oldest_of(k, w.customer), 1655);
    assert_int_equal(k->n->prune_count, 0);
    kit_free(k);
}

/* … after the booking's end, not after it was quoted. */
static void watchables_go_after_thirty_days(void **state) {
    (void)state;
    struct world w = world_new(35, 0, 0);
    struct kit *k = w.k;
    struct ev_booking old = kit_booking(k, w.customer);
    kit_tell(k, EV_BOOKING_REQUESTED, &old);
    k->h->now_us += 35 * US_PER_DAY;
    struct ev_booking young = kit_booking(k, w.customer);
    kit_tell(k, EV_BOOKING_REQUESTED, &young);
    house_advance(k->h, 61 * US_PER_S);
    assert_true(str_eq(watchable_of(k, old.booking_id)->customer_id, w.customer));
    old.version++;
    old.state = BOOKING_DELIVERED;
    kit_tell(k, EV_BOOKING_DELIVERED, &old);
    k->h->now_us += 29 * US_PER_DAY;
    house_advance(k->h, 61 * US_PER_S);
    assert_int_equal(watchable_of(k, old.booking_id)->state, BOOKING_DELIVERED);
    k->h->now_us += 2 * US_PER_DAY;
    house_advance(k->h, 61 * US_PER_S);
    struct store *s = memory_disk_open(k->h->disk, false, NULL);
    struct store_doc doc;
    assert_int_equal(s->ops->get(s, &watchable_collection, old.booking_id, &k->h->arena, &doc),
                     ERR_NOT_FOUND);
    s->ops->close(s);
    assert_true(str_eq(watchable_of(k, young.booking_id)->customer_id, w.customer));
    kit_free(k);
}

static void heads_in_memory_are_bounded(void **state) {
    (void)state;
    struct world w = world_new(36, 0, 0);
    struct kit *k = w.k;
    kit_fill(k, w.customer, 3);
    for (int i = 0; i <= INBOX_HEADS_MAX; i++) {
        struct stream_head *head = xcalloc(1, sizeof(*head));
        snprintf(head->stream, sizeof(head->stream), "usr_%d", i);
        map_put(&k->n->heads, str_from(head->stream), head);
    }
    house_advance(k->h, 2 * US_PER_S);
    assert_int_equal(k->n->heads.count, 0);
    kit_fill(k, w.customer, 1);
    assert_int_equal(kit_head(k, w.customer), 4);
    kit_free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_booking_is_told_to_its_people),
        cmocka_unit_test(an_inbox_keeps_no_number_of_others),
        cmocka_unit_test(an_event_without_a_view_makes_no_entry),
        cmocka_unit_test(an_entry_names_its_trace),
        cmocka_unit_test(offers_go_to_their_driver),
        cmocka_unit_test(an_assignment_is_no_offer),
        cmocka_unit_test(an_event_that_comes_again_makes_no_second_entry),
        cmocka_unit_test(late_news_do_not_change_who_may_watch),
        cmocka_unit_test(numbers_survive_a_busy_store),
        cmocka_unit_test(numbers_survive_commits_whose_answer_is_lost),
        cmocka_unit_test(numbers_survive_everything),
        cmocka_unit_test(a_number_that_is_taken_is_not_given_again),
        cmocka_unit_test(an_entry_that_cannot_be_read_is_left_out),
        cmocka_unit_test(an_entry_is_the_same_whenever_it_is_sent),
        cmocka_unit_test(notifications_come_in_pages),
        cmocka_unit_test(bad_questions_are_refused),
        cmocka_unit_test(young_entries_stay_however_many),
        cmocka_unit_test(old_entries_stay_while_they_are_few),
        cmocka_unit_test(the_old_beyond_the_newest_thousand_go),
        cmocka_unit_test(what_is_kept_can_be_configured),
        cmocka_unit_test(inboxes_are_shortened_in_turn),
        cmocka_unit_test(watchables_go_after_thirty_days),
        cmocka_unit_test(heads_in_memory_are_bounded),
    };
    return cmocka_run_group_tests_name("notification-inbox", tests, NULL, NULL);
}
