/* Sockets: who gets in and for how long, what is sent when, and what is done about those who read
 * slowly, flood, or talk nonsense.
 */
#include "services/notification/test_kit.h"

#define ASHA STR(TOKEN_ASHA)
#define BO STR(TOKEN_BO)

static const struct identity nobody = {0};

/* {"type":"auth","token":…} */
static const char *auth(struct kit *k, const char *token) {
    return arena_printf(&k->h->arena, "{\"type\":\"auth\",\"token\":\"%s\"}", token).p;
}

static struct client *knock(struct kit *k, const char *protocols) {
    struct house_answer answer;
    struct client *c = client_knock(k, protocols, nobody, &answer);
    assert_non_null(c);
    if (protocols != NULL && strstr(protocols, "lorry.v1") != NULL)
        assert_str(answer.body, "lorry.v1");
    else
        assert_null(answer.body.p);
    return c;
}

/* ---- getting in ---- */

static void a_token_may_come_as_a_subprotocol(void **state) {
    (void)state;
    struct kit *k = kit_new(1, 0, 0);
    kit_fill(k, ASHA, 2);
    struct client *c = knock(k, "lorry.v1, bearer." TOKEN_OF_ASHA);
    expect(c, "{\"type\":\"ready\",\"seq\":2}");
    c = knock(k, "\tbearer." TOKEN_OF_ASHA " ,chat,lorry.v10 , lorry.v1");
    expect(c, "{\"type\":\"ready\",\"seq\":2}");
    kit_fill(k, ASHA, 1);
    house_advance(k->h, SESSION_HOLD_US);
    expect_entry(c, "booking.updated", 3);
    kit_free(k);
}

static void a_bad_token_as_a_subprotocol_is_refused_over_http(void **state) {
    (void)state;
    struct kit *k = kit_new(2, 0, 0);
    static const char *const bad[] = {"lorry.v1, bearer.", "lorry.v1, bearer.x.y.z",
                                      "bearer." TOKEN_OF_ASHA "A"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct house_answer answer;
        assert_null(client_knock(k, bad[i], nobody, &answer));
        assert_int_equal(answer.status, 401);
    }
    assert_int_equal(k->n->sessions_open, 0);
    kit_free(k);
}

static void only_websocket_clients_get_in(void **state) {
    (void)state;
    struct kit *k = kit_new(3, 0, 0);
    struct house_answer answer = kit_get(k, ROLE_NONE, STR_NONE, "/v1/ws");
    assert_int_equal(answer.status, 426);
    bool upgrade = false;
    for (int32_t i = 0; i < answer.response.header_count; i++)
        upgrade = upgrade || (str_is(answer.response.headers[i].name, "Upgrade") &&
                              str_is(answer.response.headers[i].value, "websocket"));
    assert_true(upgrade);
    kit_free(k);
}

static void a_token_may_come_in_the_first_frame(void **state) {
    (void)state;
    struct kit *k = kit_new(4, 0, 0);
    kit_fill(k, ASHA, 1);
    struct client *c = knock(k, "lorry.v1");
    kit_fill(k, ASHA, 1);
    expect_nothing(c); /* nothing before he has said who he is */
    house_socket_text(c->s, "{\"type\":\"resume\",\"after\":0}");
    expect_error(c, 401);
    house_socket_text(c->s, auth(k, TOKEN_OF_ASHA));
    expect(c, "{\"type\":\"ready\",\"seq\":2}");
    kit_fill(k, ASHA, 1);
    house_socket_text(c->s, "{\"type\":\"resume\",\"after\":1}");
    expect_entry(c, "booking.updated", 2);
    expect(c, "{\"type\":\"resumed\",\"seq\":2}");
    expect_entry(c, "booking.updated", 3);
    kit_fill(k, BO, 1);
    expect_nothing(c);
    kit_free(k);
}

static void a_bad_token_in_the_first_frame_ends_it(void **state) {
    (void)state;
    struct kit *k = kit_new(5, 0, 0);
    const char *const bad[] = {auth(k, TOKEN_OF_ASHA "A"), auth(k, "x"), "{\"type\":\"auth\"}"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct client *c = knock(k, NULL);
        house_socket_text(c->s, bad[i]);
        expect_error(c, 401);
        assert_int_equal(c->s->close_code, 1008);
    }
    kit_free(k);
}

static void who_does_not_say_who_he_is_in_5_s_is_sent_away(void **state) {
    (void)state;
    struct kit *k = kit_new(6, 0, 0);
    struct client *silent = knock(k, "lorry.v1"), *late = knock(k, "lorry.v1");
    house_advance(k->h, 4900 * US_PER_MS);
    house_socket_text(late->s, auth(k, TOKEN_OF_ASHA));
    expect(late, "{\"type\":\"ready\",\"seq\":0}");
    assert_int_equal(silent->s->close_code, 0);
    house_advance(k->h, 300 * US_PER_MS);
    assert_int_equal(silent->s->close_code, 1008);
    assert_int_equal(late->s->close_code, 0);
    assert_int_equal(k->n->sessions_open, 1);
    kit_free(k);
}

static void a_session_ends_with_its_token(void **state) {
    (void)state;
    struct kit *k = kit_new(7, 0, 0);
    struct client *c = knock(k, "lorry.v1, bearer." TOKEN_OF_ASHA);
    struct client *renewed = knock(k, "lorry.v1, bearer." TOKEN_OF_ASHA);
    client_skip(c);
    client_skip(renewed);
    house_advance(k->h, 800 * US_PER_S);
    house_socket_text(renewed->s, auth(k, TOKEN_OF_BO));
    expect_error(renewed, 403);
    house_socket_text(renewed->s, auth(k, TOKEN_OF_ASHA_AS_DRIVER));
    expect_error(renewed, 403);
    house_socket_text(renewed->s, auth(k, TOKEN_OF_ASHA_LATER "A"));
    expect_error(renewed, 401);
    house_socket_text(renewed->s, auth(k, TOKEN_OF_ASHA_LATER));
    expect(renewed, "{\"type\":\"renewed\"}");
    assert_int_equal(c->s->close_code, 0);
    house_advance(k->h, 102 * US_PER_S);
    assert_int_equal(c->s->close_code, 1008);
    assert_int_equal(renewed->s->close_code, 0);
    kit_fill(k, ASHA, 1);
    expect_entry(renewed, "booking.updated", 1);
    expect_nothing(c);
    house_advance(k->h, 2700 * US_PER_S);
    assert_int_equal(renewed->s->close_code, 1008);
    kit_free(k);
}

static void a_session_ends_with_the_sign_in(void **state) {
    (void)state;
    struct kit *k = kit_new(8, 0, 0);
    struct client *out = knock(k, "bearer." TOKEN_OF_ASHA);
    struct client *stays = knock(k, "bearer." TOKEN_OF_ASHA_LATER);
    struct client *disabled = knock(k, "bearer." TOKEN_OF_BO);
    token_revoke(k->h->verifier, STR(TOKEN_SID), US_PER_DAY, k->h->now_us);
    token_revoke(k->h->verifier, BO, US_PER_DAY, k->h->now_us);
    for (int i = 0; i < SESSION_ENDED_TICKS; i++)
        house_settle(k->h);
    assert_int_equal(out->s->close_code, 1008);
    assert_int_equal(stays->s->close_code, 0);
    assert_int_equal(disabled->s->close_code, 1008);
    kit_free(k);
}

static void a_store_that_is_busy_turns_clients_away(void **state) {
    (void)state;
    struct kit *k = kit_new(9, 0, 0);
    k->reader_faults.read_busy = 1;
    struct client *c = knock(k, "lorry.v1, bearer." TOKEN_OF_ASHA);
    assert_int_equal(c->s->close_code, 1013);
    expect_nothing(c);
    k->reader_faults.read_busy = 0;
    kit_fill(k, ASHA, 1);
    assert_int_equal(k->n->sessions_open, 0);
    kit_free(k);
}

/* ---- resume ---- */

static void resume(struct client *c, int64_t after) {
    char text[80];
    snprintf(text, sizeof(text), "{\"type\":\"resume\",\"after\":%lld}", (long long)after);
    house_socket_text(c->s, text);
}

static void expect_range(struct client *c, int64_t after, int64_t until) {
    for (int64_t seq = after + 1; seq <= until; seq++)
        expect_entry(c, "booking.updated", seq);
}

static void expect_resumed(struct client *c, int64_t seq) {
    struct str wanted =
        arena_printf(&c->kit->h->arena, "{\"type\":\"resumed\",\"seq\":%lld}", (long long)seq);
    expect(c, wanted.p);
}

static struct client *ready(struct kit *k, int64_t seq) {
    struct client *c = client_open(k, ROLE_CUSTOMER, ASHA);
    struct str wanted =
        arena_printf(&k->h->arena, "{\"type\":\"ready\",\"seq\":%lld}", (long long)seq);
    expect(c, wanted.p);
    return c;
}

static void a_resume_brings_what_was_missed_then_live_goes_on(void **state) {
    (void)state;
    struct kit *k = kit_new(20, 0, 0);
    kit_fill(k, ASHA, 5);
    struct client *all = ready(k, 5), *some = ready(k, 5), *none = ready(k, 5), *late = ready(k, 5);
    resume(all, 0);
    expect_range(all, 0, 5);
    expect_resumed(all, 5);
    resume(some, 3);
    expect_range(some, 3, 5);
    expect_resumed(some, 5);
    resume(none, 5);
    expect_resumed(none, 5);
    kit_fill(k, ASHA, 2);
    expect_range(all, 5, 7);
    expect_range(some, 5, 7);
    expect_range(none, 5, 7);
    expect_range(late, 5, 7);
    resume(late, 2); /* it would get 3 after 7: numbers only rise, so it must come again */
    assert_int_equal(late->s->close_code, 1013);
    expect_nothing(late);
    kit_free(k);
}

static struct client *ready_held(struct kit *k, int64_t seq) {
    struct client *c = client_open_held(k, ROLE_CUSTOMER, ASHA);
    struct str wanted =
        arena_printf(&k->h->arena, "{\"type\":\"ready\",\"seq\":%lld}", (long long)seq);
    expect(c, wanted.p);
    return c;
}

static void nothing_live_comes_before_a_resume(void **state) {
    (void)state;
    struct kit *k = kit_new(43, 0, 0);
    kit_fill(k, ASHA, 5);
    struct client *c = ready_held(k, 5), *fresh = ready_held(k, 5), *ahead = ready_held(k, 5);
    kit_fill(k, ASHA, 2);
    house_socket_text(c->s, "{\"type\":\"ping\"}");
    expect(c, "{\"type\":\"pong\"}");
    house_advance(k->h, SESSION_HOLD_US - US_PER_S);
    expect_nothing(c);
    resume(c, 2);
    expect_range(c, 2, 5);
    expect_resumed(c, 5);
    expect_range(c, 5, 7);
    resume(fresh, 5); /* it has nothing to hear of, and need not wait */
    expect_resumed(fresh, 5);
    expect_range(fresh, 5, 7);
    resume(ahead, 99);
    expect(ahead, "{\"type\":\"gap\",\"from\":6}");
    house_advance(k->h, US_PER_S / 2);
    expect_range(ahead, 5, 7);
    kit_fill(k, ASHA, 1);
    expect_range(c, 7, 8);
    expect_range(fresh, 7, 8);
    expect_range(ahead, 7, 8);
    kit_free(k);
}

/* A resume reads an entry from the store while the note that tells of it is still on its way. */
static void a_note_that_comes_after_its_entry_changes_nothing(void **state) {
    (void)state;
    struct kit *k = kit_new(45, 0, 0);
    kit_fill(k, ASHA, 1);
    struct client *c = ready_held(k, 1);
    struct ev_booking b = kit_booking(k, ASHA);
    kit_publish(k, kit_event(k, EV_BOOKING_REQUESTED, &b));
    for (int i = 0; i < 8 && kit_head(k, ASHA) < 2; i++)
        executor_turn(k->h->executor, 0);
    expect_nothing(c);
    resume(c, 0);
    expect_range(c, 0, 1);
    expect_resumed(c, 1);
    expect_range(c, 1, 2);
    house_settle(k->h);
    expect_nothing(c);
    kit_fill(k, ASHA, 1);
    expect_range(c, 2, 3);
    kit_free(k);
}

static void who_does_not_resume_waits_2_s_once(void **state) {
    (void)state;
    struct kit *k = kit_new(44, 0, 0);
    struct client *c = ready_held(k, 0), *quiet = ready_held(k, 0), *back = ready_held(k, 0);
    kit_fill(k, ASHA, 3);
    house_advance(k->h, SESSION_HOLD_US - US_PER_S / 2);
    expect_nothing(c);
    house_advance(k->h, US_PER_S);
    expect_range(c, 0, 3);
    expect_range(quiet, 0, 3);
    kit_fill(k, ASHA, 1);
    expect_range(c, 3, 4); /* at once from here on */
    client_skip(back);
    back = ready_held(k, 4);
    kit_fill(k, ASHA, 1);
    k->h->now_us -= 3600 * US_PER_S; /* a clock that is put back holds nobody for an hour */
    house_advance(k->h, US_PER_S / 2);
    expect_range(back, 4, 5);
    kit_free(k);
}

static void a_socket_resumes_once(void **state) {
    (void)state;
    struct kit *k = kit_new(21, 0, 0);
    kit_fill(k, ASHA, 2);
    struct client *c = ready(k, 2);
    house_socket_text(c->s, "{\"type\":\"resume\"}");
    expect_error(c, 400);
    resume(c, 1);
    expect_range(c, 1, 2);
    expect_resumed(c, 2);
    resume(c, 0);
    expect_error(c, 400);
    expect_nothing(c);
    kit_free(k);
}

static void a_number_beyond_the_end_is_a_gap(void **state) {
    (void)state;
    struct kit *k = kit_new(22, 0, 0);
    kit_fill(k, ASHA, 2);
    struct client *c = ready(k, 2);
    resume(c, 3);
    expect(c, "{\"type\":\"gap\",\"from\":3}");
    kit_fill(k, ASHA, 1);
    expect_entry(c, "booking.updated", 3);
    kit_free(k);
}

/* 300 entries, of which those up to 290 are pruned. */
static struct kit *pruned(uint64_t seed) {
    struct kit *k = kit_new(seed, 60, 94);
    kit_fill(k, ASHA, 300);
    k->h->now_us += 120 * US_PER_S;
    kit_fill(k, ASHA, 84);
    house_advance(k->h, 2 * US_PER_S);
    return k;
}

static void what_is_pruned_is_a_gap(void **state) {
    (void)state;
    struct kit *k = pruned(23);
    struct client *too_old = ready(k, 384), *first = ready(k, 384), *just = ready(k, 384);
    resume(too_old, 289);
    expect(too_old, "{\"type\":\"gap\",\"from\":291}");
    resume(first, 0);
    expect(first, "{\"type\":\"gap\",\"from\":291}");
    resume(just, 290);
    expect_range(just, 290, 384);
    expect_resumed(just, 384);
    kit_fill(k, ASHA, 1);
    expect_entry(too_old, "booking.updated", 385);
    expect_entry(just, "booking.updated", 385);
    kit_free(k);
}

/* Entries are pruned while somebody slowly reads them. */
static void what_is_pruned_under_a_slow_reader_is_a_gap(void **state) {
    (void)state;
    struct kit *k = kit_new(24, 60, 94);
    kit_fill(k, ASHA, 300);
    house_advance(k->h, 2 * US_PER_S);
    struct client *c = ready(k, 300);
    c->s->stuck = true;
    resume(c, 0);
    k->h->now_us += 120 * US_PER_S;
    kit_fill(k, ASHA, 84);
    house_advance(k->h, 2 * US_PER_S);
    house_socket_drain(c->s);
    expect(c, "{\"type\":\"gap\",\"from\":291}");
    expect_range(c, 300, 384); /* live begins after ready, whatever became of the resume */
    expect_nothing(c);
    kit_free(k);
}

/* A number that was never used, at the very beginning even, is not missing. */
static void an_unused_number_is_no_gap(void **state) {
    (void)state;
    struct kit *k = kit_new(25, 0, 0);
    kit_fill(k, ASHA, 5);
    struct store *s = memory_disk_open(k->h->disk, true, NULL);
    struct store_change gone[2] = {0};
    for (int i = 0; i < 2; i++)
        gone[i] = (struct store_change){
            .collection = &inbox_collection,
            .id = arena_printf(&k->h->arena, "%s:%012d", TOKEN_ASHA, i == 0 ? 1 : 3),
            .expected_version = 1,
            .remove = true,
            .commit_id = STR("hole"),
            .at_us = 1};
    assert_int_equal(s->ops->commit(s, gone, 2, NULL, 0), 0);
    s->ops->close(s);
    struct client *c = ready(k, 5);
    resume(c, 0);
    expect_entry(c, "booking.updated", 2);
    expect_entry(c, "booking.updated", 4);
    expect_entry(c, "booking.updated", 5);
    expect_resumed(c, 5);
    kit_free(k);
}

static void a_long_replay_goes_in_parts_between_which_live_waits(void **state) {
    (void)state;
    struct kit *k = kit_new(26, 0, 0);
    kit_fill(k, ASHA, 1150);
    struct client *c = ready(k, 1150);
    c->s->socket.events->text(&c->s->socket, STR("{\"type\":\"resume\",\"after\":0}"));
    expect_range(c, 0, 400);
    expect_nothing(c);
    kit_fill(k, ASHA, 3);
    house_advance(k->h, 500 * US_PER_MS);
    expect_range(c, 400, 1150);
    expect_resumed(c, 1150);
    expect_range(c, 1150, 1153);
    expect_nothing(c);
    kit_free(k);
}

static void a_replay_waits_for_a_slow_reader(void **state) {
    (void)state;
    struct kit *k = kit_new(27, 0, 0);
    kit_fill(k, ASHA, 700);
    struct client *c = ready(k, 700);
    c->s->stuck = true;
    resume(c, 10);
    kit_fill(k, ASHA, 1);
    expect_nothing(c);
    for (int i = 0; i < 20; i++) {
        house_socket_drain(c->s);
        c->s->stuck = i % 3 != 0;
        house_advance(k->h, 100 * US_PER_MS);
    }
    house_socket_drain(c->s);
    house_advance(k->h, 500 * US_PER_MS);
    expect_range(c, 10, 700);
    expect_resumed(c, 700);
    expect_range(c, 700, 701);
    expect_nothing(c);
    kit_free(k);
}

/* A queue that fills up in the middle of a page. */
static void what_was_taken_is_not_sent_again(void **state) {
    (void)state;
    struct kit *k = kit_new(31, 0, 0);
    kit_fill(k, ASHA, 260);
    struct client *c = ready(k, 260);
    c->s->room = 7;
    resume(c, 0);
    kit_fill(k, ASHA, 2);
    expect_range(c, 0, 7);
    for (int64_t at = 7; at < 253; at += 41) {
        expect_nothing(c);
        c->s->room = 41;
        house_socket_drain(c->s);
        expect_range(c, at, at + 41);
    }
    expect_nothing(c);
    c->s->room = 7; /* all entries, but not the word that they were all */
    house_socket_drain(c->s);
    expect_range(c, 253, 260);
    expect_nothing(c);
    c->s->room = 2;
    house_socket_drain(c->s);
    expect_resumed(c, 260);
    expect_entry(c, "booking.updated", 261);
    expect_nothing(c);
    house_socket_drain(c->s);
    expect_entry(c, "booking.updated", 262);
    expect_nothing(c);
    kit_free(k);
}

/* The word that a replay has ended must come, too. */
static void resumed_comes_though_the_queue_was_full(void **state) {
    (void)state;
    struct kit *k = kit_new(28, 0, 0);
    kit_fill(k, ASHA, 3);
    struct client *c = ready(k, 3);
    c->s->stuck = true;
    resume(c, 3); /* nothing to replay: only the word itself */
    expect_nothing(c);
    house_socket_drain(c->s);
    expect_resumed(c, 3);
    kit_fill(k, ASHA, 1);
    expect_entry(c, "booking.updated", 4);
    kit_free(k);
}

/* Who cannot be told of a gap is sent away: he would wait for ever. */
static void a_gap_that_cannot_be_told_ends_it(void **state) {
    (void)state;
    struct kit *k = kit_new(29, 0, 0);
    struct client *c = ready(k, 0);
    c->s->stuck = true;
    resume(c, 9);
    assert_int_equal(c->s->close_code, 1013);
    kit_free(k);
}

static void a_busy_store_delays_a_replay(void **state) {
    (void)state;
    struct kit *k = kit_new(30, 0, 0);
    kit_fill(k, ASHA, 250);
    struct client *c = ready(k, 250);
    k->reader_faults.read_busy = 1;
    resume(c, 0);
    kit_fill(k, ASHA, 1);
    expect_nothing(c);
    k->reader_faults.read_busy = 0.5;
    house_advance(k->h, 5 * US_PER_S);
    expect_range(c, 0, 250);
    expect_resumed(c, 250);
    expect_range(c, 250, 251);
    expect_nothing(c);
    kit_free(k);
}

/* ---- live ---- */

/* Counts the pages that are read of the store. */
static int reads;
static int (*list_really)(struct store *s, const struct store_query *q, struct arena *a,
                          struct store_doc **ret_docs, int32_t *ret_count);
static int list_counted(struct store *s, const struct store_query *q, struct arena *a,
                        struct store_doc **ret_docs, int32_t *ret_count) {
    reads++;
    return list_really(s, q, a, ret_docs, ret_count);
}

static void a_slow_reader_costs_nothing_until_he_reads(void **state) {
    (void)state;
    struct kit *k = kit_new(40, 0, 0);
    struct client *slow = ready(k, 0), *quick = ready(k, 0);
    struct store_ops counted = *k->h->worker.reader->ops;
    list_really = counted.list;
    counted.list = list_counted;
    k->h->worker.reader->ops = &counted;
    slow->s->stuck = true;
    kit_fill(k, ASHA, 5);
    expect_range(quick, 0, 5);
    reads = 0;
    house_advance(k->h, 10 * US_PER_S);
    assert_int_equal(reads, 0);
    assert_int_equal(k->n->slow, 1);
    expect_nothing(slow);
    house_socket_drain(slow->s);
    expect_range(slow, 0, 5);
    assert_int_equal(reads, 1);
    kit_fill(k, ASHA, 1);
    expect_entry(slow, "booking.updated", 6);
    assert_int_equal(reads, 1);
    kit_free(k);
}

/* An entry becomes durable just when somebody signs in: after his inbox's end was read. */
static struct kit *kit_in_between;
static int list_in_between(struct store *s, const struct store_query *q, struct arena *a,
                           struct store_doc **ret_docs, int32_t *ret_count) {
    struct kit *k = kit_in_between;
    int err = list_really(s, q, a, ret_docs, ret_count);
    kit_in_between = NULL;
    if (k != NULL) {
        struct ev_booking b = kit_booking(k, ASHA);
        kit_publish(k, kit_event(k, EV_BOOKING_REQUESTED, &b));
        executor_turn(k->h->executor, 0);
    }
    return err;
}

static void an_entry_that_comes_with_the_sign_in_is_not_lost(void **state) {
    (void)state;
    struct kit *k = kit_new(43, 0, 0);
    kit_fill(k, ASHA, 1);
    struct store_ops hooked = *k->h->worker.reader->ops;
    list_really = hooked.list;
    hooked.list = list_in_between;
    k->h->worker.reader->ops = &hooked;
    kit_in_between = k;
    struct client *c = ready(k, 1);
    expect_entry(c, "booking.updated", 2);
    expect_nothing(c);
    kit_free(k);
}

static void a_full_mailbox_delays_and_loses_nothing(void **state) {
    (void)state;
    struct kit *k = kit_new(41, 0, 0);
    struct client *a = ready(k, 0), *b = ready(k, 0);
    struct client *staff = client_open(k, ROLE_ADMIN, BO);
    client_skip(staff);
    kit_fill(k, ASHA, 2);
    k->post_full = true;
    for (int i = 0; i < 3; i++) {
        struct ev_booking booking = kit_booking(k, ASHA);
        kit_publish(k, kit_event(k, EV_BOOKING_REQUESTED, &booking));
        executor_turn(k->h->executor, 0);
    }
    k->post_full = false;
    struct ev_booking booking = kit_booking(k, ASHA);
    kit_publish(k, kit_event(k, EV_BOOKING_REQUESTED, &booking));
    house_settle(k->h); /* a note comes through, of an entry that is not the next */
    house_advance(k->h, 200 * US_PER_MS);
    expect_range(a, 0, 6);
    expect_range(b, 0, 6);
    expect_range(staff, 0, 6);
    expect_nothing(a);
    k->post_full = true;
    kit_fill(k, ASHA, 1);
    house_advance(k->h, 200 * US_PER_MS); /* no note at all: the tick finds it */
    expect_range(a, 6, 7);
    expect_range(staff, 6, 7);
    expect_nothing(staff);
    k->post_full = false;
    kit_free(k);
}

static void nothing_is_sent_after_the_end(void **state) {
    (void)state;
    struct kit *k = kit_new(42, 0, 0);
    struct client *c = knock(k, "bearer." TOKEN_OF_ASHA);
    struct session *s = c->s->socket.owner;
    kit_fill(k, ASHA, 1);
    client_skip(c);
    session_close(s, 1008, "test"); /* `closed` is on its way; the house checks that all is quiet */
    assert_int_equal(c->s->close_code, 1008);
    s->behind = true;
    session_catch_up(s);
    session_positions(s);
    c->s->socket.events->text(&c->s->socket, STR("{\"type\":\"ping\"}"));
    c->s->socket.events->drained(&c->s->socket);
    kit_fill(k, ASHA, 1);
    expect_nothing(c);
    kit_free(k);
}

/* ---- frames in ---- */

static void bad_frames_get_an_error_and_the_socket_stays(void **state) {
    (void)state;
    struct kit *k = kit_new(50, 0, 0);
    struct client *c = ready(k, 0);
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "1",
        "null",
        "\"type\"",
        "{}",
        "{\"type\":1}",
        "{\"type\":\"\"}",
        "{\"type\":\"dance\"}",
        "{\"type\":\"ping\",\"type\":\"ping\"}",
        "{\"type\":\"ping\"} x",
        "{\"type\":\"resume\",\"after\":-1}",
        "{\"type\":\"resume\",\"after\":1.5}",
        "{\"type\":\"resume\",\"after\":\"1\"}",
        "{\"type\":\"resume\",\"after\":1e99}",
        "{\"type\":\"resume\",\"after\":1000000000000}",
        "{\"type\":\"watch\"}",
        "{\"type\":\"watch\",\"booking_id\":7}",
        "{\"type\":\"watch\",\"booking_id\":\"usr_01KAR00000000000000000000A\"}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        house_socket_text(c->s, bad[i]);
        expect_error(c, 400);
        expect_nothing(c);
    }
    house_socket_text(c->s, "{\"type\":\"resume\",\"after\":-1,\"id\":12}");
    expect_error(c, 400);
    house_socket_text(c->s, "{\"type\":\"dance\",\"id\":12}");
    assert_int_equal(client_read(c).id, 12); /* an error repeats what names its frame */
    house_socket_text(c->s, "{\"type\":\"ping\",\"more\":{\"type\":\"of that\"}}");
    expect(c, "{\"type\":\"pong\"}");
    resume(c, 0); /* a resume that was malformed does not count */
    expect_resumed(c, 0);
    kit_free(k);
}

static void pings(struct client *c, int n) {
    for (int i = 0; i < n && c->s->close_code == 0; i++)
        c->s->socket.events->text(&c->s->socket, STR("{\"type\":\"ping\"}"));
}

static void a_flood_ends_it(void **state) {
    (void)state;
    struct kit *k = kit_new(51, 0, 0);
    struct client *burst = ready(k, 0), *flood = ready(k, 0), *steady = ready(k, 0);
    struct client *fast = ready(k, 0);
    pings(burst, 200);
    assert_int_equal(burst->s->close_code, 0);
    pings(flood, 201);
    assert_int_equal(flood->s->close_code, 1008);
    for (int i = 0; i < 300; i++) { /* 30 s at 50 a second, and at 60 */
        pings(steady, 5);
        pings(fast, 6);
        k->h->now_us += 100 * US_PER_MS;
    }
    assert_int_equal(steady->s->close_code, 0);
    assert_int_equal(fast->s->close_code, 1008);
    pings(burst, 200); /* rested */
    assert_int_equal(burst->s->close_code, 0);
    pings(burst, 1);
    assert_int_equal(burst->s->close_code, 1008);
    kit_free(k);
}

/* Nobody floods because a clock was put back. */
static void a_clock_that_is_put_back_is_no_flood(void **state) {
    (void)state;
    struct kit *k = kit_new(52, 0, 0);
    struct client *c = ready(k, 0);
    pings(c, 150);
    k->h->now_us -= 3600 * US_PER_S;
    pings(c, 150);
    house_advance(k->h, US_PER_S);
    assert_int_equal(c->s->close_code, 0);
    kit_free(k);
}

/* ---- coming and going ---- */

static void sockets_come_and_go_in_any_order(void **state) {
    (void)state;
    struct kit *k = kit_new(53, 0, 0);
    const struct str accounts[] = {ASHA, BO, house_id(k->h, "usr")};
    struct client *open[24] = {NULL};
    int64_t heads[3] = {0}, seen[24] = {0};
    int whose[24] = {0};
    for (int step = 0; step < 2000; step++) {
        uint64_t i = rng_below(&k->h->rng, COUNT_OF(open));
        if (open[i] == NULL) {
            whose[i] = (int)rng_below(&k->h->rng, 3);
            open[i] = client_open(k, ROLE_CUSTOMER, accounts[whose[i]]);
            seen[i] = heads[whose[i]];
            client_skip(open[i]);
        } else {
            client_leave(open[i]);
            open[i] = NULL;
        }
        if (rng_below(&k->h->rng, 8) > 0)
            continue;
        int account = (int)rng_below(&k->h->rng, 3);
        kit_fill(k, accounts[account], 1);
        heads[account]++;
        for (size_t n = 0; n < COUNT_OF(open); n++) {
            if (open[n] != NULL && whose[n] == account)
                expect_entry(open[n], "booking.updated", ++seen[n]);
            if (open[n] != NULL)
                expect_nothing(open[n]);
        }
    }
    kit_leave_all(k);
    assert_int_equal(k->n->sessions_open, 0);
    assert_int_equal(k->n->listeners.count, 0);
    assert_int_equal(k->n->parts[0].streams.count, 0);
    assert_int_equal(k->n->parts[0].numbers.count, 0);
    kit_free(k);
}

static void an_idle_session_is_small(void **state) {
    (void)state;
    assert_true(sizeof(struct session) <= 320);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_may_come_as_a_subprotocol),
        cmocka_unit_test(a_bad_token_as_a_subprotocol_is_refused_over_http),
        cmocka_unit_test(only_websocket_clients_get_in),
        cmocka_unit_test(a_token_may_come_in_the_first_frame),
        cmocka_unit_test(a_bad_token_in_the_first_frame_ends_it),
        cmocka_unit_test(who_does_not_say_who_he_is_in_5_s_is_sent_away),
        cmocka_unit_test(a_session_ends_with_its_token),
        cmocka_unit_test(a_session_ends_with_the_sign_in),
        cmocka_unit_test(a_store_that_is_busy_turns_clients_away),
        cmocka_unit_test(a_resume_brings_what_was_missed_then_live_goes_on),
        cmocka_unit_test(nothing_live_comes_before_a_resume),
        cmocka_unit_test(a_note_that_comes_after_its_entry_changes_nothing),
        cmocka_unit_test(who_does_not_resume_waits_2_s_once),
        cmocka_unit_test(a_socket_resumes_once),
        cmocka_unit_test(a_number_beyond_the_end_is_a_gap),
        cmocka_unit_test(what_is_pruned_is_a_gap),
        cmocka_unit_test(what_is_pruned_under_a_slow_reader_is_a_gap),
        cmocka_unit_test(an_unused_number_is_no_gap),
        cmocka_unit_test(a_long_replay_goes_in_parts_between_which_live_waits),
        cmocka_unit_test(a_replay_waits_for_a_slow_reader),
        cmocka_unit_test(what_was_taken_is_not_sent_again),
        cmocka_unit_test(resumed_comes_though_the_queue_was_full),
        cmocka_unit_test(a_gap_that_cannot_be_told_ends_it),
        cmocka_unit_test(a_busy_store_delays_a_replay),
        cmocka_unit_test(a_slow_reader_costs_nothing_until_he_reads),
        cmocka_unit_test(an_entry_that_comes_with_the_sign_in_is_not_lost),
        cmocka_unit_test(a_full_mailbox_delays_and_loses_nothing),
        cmocka_unit_test(nothing_is_sent_after_the_end),
        cmocka_unit_test(bad_frames_get_an_error_and_the_socket_stays),
        cmocka_unit_test(a_flood_ends_it),
        cmocka_unit_test(a_clock_that_is_put_back_is_no_flood),
        cmocka_unit_test(sockets_come_and_go_in_any_order),
        cmocka_unit_test(an_idle_session_is_small),
    };
    return cmocka_run_group_tests_name("notification-session", tests, NULL, NULL);
}
