/* Who sees whose name, number and note in a booking, through the routes; and the notes for stops.
 * What each may see at all is events/test_sight.c's.
 */
#include "services/booking/test_town.h"

#define DOTS "\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2"
#define HOUR_US (INT64_C(3600) * US_PER_S)
#define BO "\"contact\":{\"name\":\"Bo Ek\",\"phone\":\"+46701234567\"},\"note\":\"code 1234\""
#define BO_MASKED "\"contact\":{\"name\":\"Bo\",\"phone\":\"" DOTS " 67\"},\"note\":null"
#define OLA "\"name\":\"Ola Berg\",\"phone\":\"+46701112233\""
#define OLA_MASKED "\"name\":\"Ola\",\"phone\":\"" DOTS " 33\""

static void book_noted(struct town *t) {
    struct house_answer q =
        ask(t, t->customer, "POST", "/v1/quotes",
            "{\"stops\":[{\"lat\":57.7089,\"lng\":11.9746,\"address\":\"Kungsgatan 12\"},"
            "{\"lat\":57.6969,\"lng\":11.9865}],\"vehicle\":\"van\"}");
    struct house_answer b =
        ask(t, t->customer, "POST", "/v1/bookings",
            format(t,
                   "{\"quote_id\":\"%s\",\"notes\":\"ring twice\",\"stops\":[{" BO
                   "},{\"note\":\"3rd floor\"}]}",
                   member(t, q, "id")));
    assert_int_equal(b.status, 201);
    assert_true(has(b, BO) && has(b, "\"note\":\"3rd floor\""));
    t->booking = member(t, b, "id");
    t->token = member(t, b, "tracking_token");
}

static struct house_answer see(struct town *t, struct identity who) {
    struct house_answer a = ask(t, who, "GET", format(t, "/v1/bookings/%s", t->booking), NULL);
    if (a.status == 200) { /* a list shows the same */
        struct house_answer list = ask(t, who, "GET", "/v1/bookings", NULL);
        const char *people[] = {BO, BO_MASKED, OLA, OLA_MASKED};
        for (size_t i = 0; i < COUNT_OF(people); i++)
            assert_int_equal(has(list, people[i]), has(a, people[i]));
    }
    return a;
}

static void drive(struct town *t) {
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    assert_int_equal(status(t, "arrived_dropoff", 1), 200);
}

static void track_has_no_number(struct town *t) {
    struct house_answer a =
        ask(t, (struct identity){0}, "GET", format(t, "/v1/track/%s", t->token), NULL);
    assert_int_equal(a.status, 200);
    assert_false(has(a, "phone") || has(a, "Bo") || has(a, "Berg") || has(a, "+467") ||
                 has(a, "note"));
}

static void numbers_are_seen_while_they_are_of_use(void **state) {
    (void)state;
    struct town *t = town_new(1);
    book_noted(t);
    track_has_no_number(t);
    assert_true(has(see(t, t->customer), BO) && has(see(t, t->staff), BO));
    const char *asked = offer(t, t->driver);
    assert_int_equal(see(t, t->driver).status, 404);
    struct house_answer won =
        act(t, t->driver, "accept", format(t, "{\"offer_id\":\"%s\"}", asked));
    assert_true(has(won, BO) && has(won, "\"notes\":\"ring twice\"") && has(won, OLA));
    assert_true(has(see(t, t->customer), OLA) && has(see(t, t->staff), OLA));
    assert_true(has(see(t, t->driver), BO));
    track_has_no_number(t);
    drive(t);
    struct house_answer done = act(t, t->driver, "status", "{\"status\":\"delivered\",\"stop\":1}");
    assert_true(done.status == 200 && has(done, BO) && has(done, OLA));
    assert_true(has(see(t, t->customer), OLA_MASKED) && has(see(t, t->customer), BO));
    assert_true(has(see(t, t->staff), OLA));
    struct house_answer rated = act(t, t->customer, "rating", "{\"stars\":5}");
    assert_true(rated.status == 200 && has(rated, OLA_MASKED) && has(rated, BO));
    track_has_no_number(t);
    t->h->now_us += 24 * HOUR_US - US_PER_S;
    struct house_answer kept = see(t, t->driver);
    assert_true(has(kept, BO) && has(kept, "ring twice"));
    t->h->now_us += 2 * US_PER_S;
    kept = see(t, t->driver);
    assert_true(has(kept, BO_MASKED) && has(kept, "\"notes\":null") && has(kept, OLA));
    assert_false(has(kept, "+46701234567") || has(kept, "1234\"") || has(kept, "3rd floor"));
    assert_true(has(see(t, t->customer), BO) && has(see(t, t->staff), BO));
    town_free(t);
}

/* Who follows by the link may rate, and goes on reading of whoever has the booking after him. */
static void its_driver_has_no_link(void **state) {
    (void)state;
    struct town *t = town_new(9);
    book_noted(t);
    const char *link = format(t, "\"tracking_token\":\"%s\"", t->token);
    const char *asked = offer(t, t->driver);
    struct house_answer won =
        act(t, t->driver, "accept", format(t, "{\"offer_id\":\"%s\"}", asked));
    assert_true(has(won, "\"tracking_token\":null") && !has(won, t->token));
    const char *moves[] = {"arrived_pickup", "picked_up", "arrived_dropoff", "delivered"};
    for (int i = 0; i < 4; i++) {
        struct house_answer a = act(t, t->driver, "status",
                                    format(t, "{\"status\":\"%s\",\"stop\":%d}", moves[i], i / 2));
        assert_true(a.status == 200 && has(a, "\"tracking_token\":null") && !has(a, t->token));
        assert_false(has(see(t, t->driver), t->token));
        assert_false(has(ask(t, t->driver, "GET", "/v1/bookings", NULL), t->token));
        assert_true(has(see(t, t->customer), link) && has(see(t, t->staff), link));
        assert_true(has(ask(t, t->customer, "GET", "/v1/bookings", NULL), link));
    }
    struct house_answer rated = act(t, t->customer, "rating", "{\"stars\":5}");
    assert_true(rated.status == 200 && has(rated, link));
    town_free(t);
}

/* A number is masked in time, while the version stands: a copy that he has is no answer. */
static void what_he_has_kept_is_asked_for_anew(void **state) {
    (void)state;
    struct town *t = town_new(2);
    book_noted(t);
    take(t, t->driver);
    drive(t);
    assert_int_equal(status(t, "delivered", 1), 200);
    const char *path = format(t, "/v1/bookings/%s", t->booking);
    const char *etag = header_of(t, ask(t, t->driver, "GET", path, NULL), "ETag");
    assert_true(etag[0] == '"');
    struct house_answer again = house_call(
        t->h, &(struct house_request){.method = "GET",
                                      .path = path,
                                      .who = t->driver,
                                      .headers = {{STR("if-none-match"), str_from(etag)}}});
    assert_int_equal(again.status, 200);
    again = house_call(
        t->h, &(struct house_request){.method = "GET",
                                      .path = path,
                                      .who = t->customer,
                                      .headers = {{STR("if-none-match"), str_from(etag)}}});
    assert_int_equal(again.status, 304);
    town_free(t);
}

static void who_gives_it_back_sees_no_more(void **state) {
    (void)state;
    struct town *t = town_new(3);
    book_noted(t);
    take(t, t->driver);
    struct house_answer gone = act(t, t->driver, "release", "{\"reason\":\"flat tyre\"}");
    assert_int_equal(gone.status, 200);
    assert_true(has(gone, "\"contact\":null,\"note\":null") && has(gone, "\"notes\":null"));
    assert_false(has(gone, "+467") || has(gone, "Bo") || has(gone, t->token));
    assert_true(has(gone, "\"tracking_token\":null") && has(gone, "\"address\":\"Kungsgatan\""));
    assert_true(has(see(t, t->customer), "Kungsgatan 12"));
    assert_int_equal(see(t, t->driver).status, 404);
    town_free(t);
}

static void the_house_has_a_number_of_its_own(void **state) {
    (void)state;
    struct town *t = town_new(4);
    t->options.contact_phone = STR("+4631100100");
    t->options.contact_kept_us = -1;
    town_reopen(t, 0);
    book_noted(t);
    assert_true(has(see(t, t->customer), BO)); /* what he has written himself */
    const char *asked = offer(t, t->driver);
    struct house_answer won =
        act(t, t->driver, "accept", format(t, "{\"offer_id\":\"%s\"}", asked));
    assert_true(has(won, "\"contact\":{\"name\":\"Bo Ek\",\"phone\":\"+4631100100\"}"));
    assert_true(has(won, OLA) && has(won, "code 1234")); /* his own */
    struct house_answer seen = see(t, t->customer);
    assert_true(has(seen, "\"name\":\"Ola Berg\",\"phone\":\"+4631100100\"") && has(seen, BO));
    assert_true(has(see(t, t->staff), OLA) && has(see(t, t->staff), BO));
    drive(t);
    struct house_answer done = act(t, t->driver, "status", "{\"status\":\"delivered\",\"stop\":1}");
    assert_true(has(done, BO_MASKED) && has(done, "\"notes\":null")); /* kept for no time at all */
    town_free(t);
}

/* ---- notes ---- */

static struct house_answer note(struct town *t, struct identity who, const char *body) {
    return ask(t, who, "PUT", format(t, "/v1/bookings/%s/note", t->booking), body);
}

static void a_note_is_changed_until_its_stop_is_done(void **state) {
    (void)state;
    struct town *t = town_new(5);
    book_noted(t);
    struct house_answer a =
        note(t, t->customer, "{\"stop\":1,\"note\":\"4th floor\\nask for Cy\",\"version\":1}");
    assert_true(a.status == 200 && has(a, "\"note\":\"4th floor\\nask for Cy\"") &&
                has(a, "\"version\":2") && has(a, BO) && has(a, "\"state\":\"requested\""));
    assert_int_equal(note(t, t->customer, "{\"stop\":1,\"note\":\"5\",\"version\":1}").status, 409);
    a = note(t, t->customer, "{\"stop\":1,\"note\":\"4th floor\\nask for Cy\"}"); /* as it is */
    assert_true(a.status == 200 && has(a, "\"version\":2"));
    take(t, t->driver);
    assert_true(has(see(t, t->driver), "ask for Cy"));
    assert_int_equal(note(t, t->driver, "{\"stop\":1,\"note\":\"x\"}").status, 403);
    assert_int_equal(note(t, t->other, "{\"stop\":1,\"note\":\"x\"}").status, 404);
    assert_true(has(note(t, t->staff, "{\"stop\":0,\"note\":\"\"}"), "\"note\":null"));
    assert_int_equal(status(t, "arrived_pickup", 0), 200);
    assert_int_equal(note(t, t->customer, "{\"stop\":0,\"note\":\"I wave\"}").status, 200);
    assert_int_equal(status(t, "picked_up", 0), 200);
    a = note(t, t->customer, "{\"stop\":0,\"note\":\"too late\"}");
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/stop\"") && has(a, "is over"));
    assert_int_equal(note(t, t->customer, "{\"stop\":1,\"note\":\"\"}").status, 200);
    a = act(t, t->staff, "cancel", "{\"reason\":\"no van\"}");
    assert_int_equal(a.status, 200);
    a = note(t, t->customer, "{\"stop\":1,\"note\":\"x\"}");
    assert_true(a.status == 409 && has(a, "/problems/illegal-transition"));
    a = ask(t, t->customer, "GET", format(t, "/v1/bookings/%s/timeline", t->booking), NULL);
    assert_true(has(a, "\"type\":\"booking.note_changed\"") && has(a, "\"stop\":1"));
    assert_false(has(a, "floor") || has(a, "wave"));
    town_free(t);
}

static void a_bad_note_changes_nothing(void **state) {
    (void)state;
    struct town *t = town_new(6);
    book_noted(t);
    char long_note[STOP_NOTE_CHARS_MAX + 2];
    memset(long_note, 'n', sizeof(long_note) - 1);
    long_note[sizeof(long_note) - 1] = 0;
    const struct {
        const char *body, *pointer;
    } bad[] = {
        {"{\"note\":\"x\"}", "/stop"},
        {"{\"stop\":0}", "/note"},
        {"{\"stop\":2,\"note\":\"x\"}", "/stop"},
        {"{\"stop\":-1,\"note\":\"x\"}", "/stop"},
        {"{\"stop\":0,\"note\":1}", "/note"},
        {"{\"stop\":0,\"note\":null}", "/note"},
        {"{\"stop\":0,\"note\":\"a\\u0007b\"}", "/note"},
        {format(t, "{\"stop\":0,\"note\":\"%s\"}", long_note), "/note"},
        {"{\"stop\":0,\"note\":\"x\",\"stops_revision\":99}", "/stops_revision"},
        {"{\"stop\":0,\"note\":\"x\",\"stops_revision\":1}", "/stops_revision"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct house_answer a = note(t, t->customer, bad[i].body);
        assert_int_equal(a.status, 422);
        assert_true(has(a, format(t, "\"pointer\":\"%s\"", bad[i].pointer)));
    }
    assert_true(has(see(t, t->customer), "\"version\":1,"));
    struct house_answer q = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    struct house_answer a = ask(t, t->customer, "POST", "/v1/bookings",
                                format(t, "{\"quote_id\":\"%s\",\"stops\":[{},{\"note\":\"%s\"}]}",
                                       member(t, q, "id"), long_note));
    assert_true(a.status == 422 && has(a, "\"pointer\":\"/stops/1/note\""));
    town_free(t);
}

static void notes_are_changed_a_bounded_number_of_times(void **state) {
    (void)state;
    struct town *t = town_new(7);
    book_noted(t);
    /* one by staff takes nothing of what its customer has */
    assert_int_equal(note(t, t->staff, "{\"stop\":0,\"note\":\"gate 3\"}").status, 200);
    for (int i = 1; i < NOTE_CHANGES_MAX; i++) {
        bool staff = i > NOTE_CHANGES_OF_CUSTOMER_MAX;
        struct house_answer a = note(t, staff ? t->staff : t->customer,
                                     format(t, "{\"stop\":%d,\"note\":\"n%d\"}", i % 2, i));
        assert_int_equal(a.status, 200);
        if (i < NOTE_CHANGES_OF_CUSTOMER_MAX)
            continue;
        a = note(t, t->customer, "{\"stop\":0,\"note\":\"one more\"}");
        assert_true(a.status == 409 && has(a, "/problems/too-many-changes"));
    }
    struct house_answer a = note(t, t->staff, "{\"stop\":0,\"note\":\"one more\"}");
    assert_true(a.status == 409 && has(a, "/problems/too-many-changes"));
    take(t, t->driver); /* all else goes on */
    drive(t);
    assert_int_equal(status(t, "delivered", 1), 200);
    town_free(t);
}

/* Of nothing but blank: there is none. */
static void a_blank_note_is_none(void **state) {
    (void)state;
    struct town *t = town_new(9);
    struct house_answer q = ask(t, t->customer, "POST", "/v1/quotes", VAN_QUOTE);
    struct house_answer a =
        ask(t, t->customer, "POST", "/v1/bookings",
            format(t,
                   "{\"quote_id\":\"%s\",\"notes\":\" \\n \",\"stops\":[{\"note\":\"   \"},"
                   "{\"note\":\"\\n gate 3\\n left \"}]}",
                   member(t, q, "id")));
    assert_true(a.status == 201 && has(a, "\"note\":null") && has(a, "\"notes\":null") &&
                has(a, "\"note\":\"gate 3\\n left\""));
    t->booking = member(t, a, "id");
    a = note(t, t->customer, "{\"stop\":0,\"note\":\" \\n\"}"); /* as it is */
    assert_true(a.status == 200 && has(a, "\"version\":1,"));
    a = note(t, t->customer, "{\"stop\":1,\"note\":\"gate 3\\n left   \"}");
    assert_true(a.status == 200 && has(a, "\"version\":1,"));
    a = note(t, t->customer, "{\"stop\":1,\"note\":\"  \"}");
    assert_true(a.status == 200 && has(a, "\"version\":2,") && !has(a, "gate"));
    a = act(t, t->customer, "stops",
            "{\"stops_revision\":0,\"total\":10000000,\"stops\":[{\"index\":0},{\"lat\":57.70,"
            "\"lng\":11.98,\"note\":\"  \"},{\"index\":1}]}");
    assert_true(a.status == 200 && !has(a, "\"note\":\""));
    town_free(t);
}

static void other_stops_and_another_trip_keep_their_notes(void **state) {
    (void)state;
    struct town *t = town_new(8);
    book_noted(t);
    struct house_answer a =
        act(t, t->customer, "stops",
            "{\"stops_revision\":0,\"total\":10000000,\"stops\":[{\"index\":0},{\"lat\":57.70,"
            "\"lng\":11.98,\"note\":\"blue door\"},{\"index\":1}]}");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "code 1234") && has(a, "blue door") && has(a, "3rd floor"));
    a = act(t, t->customer, "stops",
            "{\"stops_revision\":1,\"total\":10000000,\"stops\":[{\"index\":0,\"note\":\"x\"},"
            "{\"index\":1}]}");
    assert_true(a.status == 422 && has(a, "\"/stops/0/note\""));
    /* what is stop 1 for who has not heard of it yet is another */
    a = note(t, t->customer, "{\"stop\":1,\"note\":\"red door\",\"stops_revision\":0}");
    assert_true(a.status == 409 && has(a, "\"stops_revision\":1"));
    a = act(t, t->customer, "rebook", "{}");
    assert_int_equal(a.status, 201);
    a = ask(t, t->customer, "POST", "/v1/bookings",
            format(t, "{\"quote_id\":\"%s\"}", member(t, a, "id")));
    assert_true(a.status == 201 && has(a, "code 1234") && has(a, "blue door") &&
                has(a, "3rd floor"));
    town_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_seen_while_they_are_of_use),
        cmocka_unit_test(its_driver_has_no_link),
        cmocka_unit_test(what_he_has_kept_is_asked_for_anew),
        cmocka_unit_test(who_gives_it_back_sees_no_more),
        cmocka_unit_test(the_house_has_a_number_of_its_own),
        cmocka_unit_test(a_note_is_changed_until_its_stop_is_done),
        cmocka_unit_test(a_bad_note_changes_nothing),
        cmocka_unit_test(notes_are_changed_a_bounded_number_of_times),
        cmocka_unit_test(a_blank_note_is_none),
        cmocka_unit_test(other_stops_and_another_trip_keep_their_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
