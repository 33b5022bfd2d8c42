/* Auth in a whole house of one thread: what clients see, what must hold when they race, guess,
 * repeat themselves or come back after a crash.
 */
#include "services/auth/leaving.h"
#include "services/auth/login_guard.h"
#include "services/auth/test_kit.h"
#include "services/auth/validate.h"

#include <rhonabwy.h>

/* ---- registering ---- */

static void registering_signs_in(void **state) {
    struct fixture *f = *state;
    struct house_answer a = try_register(f, " Asha@Example.COM ", "customer");
    assert_int_equal(a.status, 201);
    assert_string_equal(text_at(f, a, "user", "email"), "asha@example.com");
    assert_string_equal(text_at(f, a, "user", "name"), "Asha");
    assert_string_equal(text_at(f, a, "user", "phone"), "+46701234567");
    assert_string_equal(text_at(f, a, "user", "role"), "customer");
    assert_string_equal(text_at(f, a, "user", "created_at"), "2026-11-23T10:00:00Z");
    assert_string_equal(text_at(f, a, "token_type", NULL), "Bearer");
    assert_non_null(strstr(a.body.p, "\"expires_in\":900"));
    assert_non_null(strstr(a.body.p, "\"version\":1"));
    assert_null(strstr(a.body.p, "hash"));
    struct house_answer me = ask(f, "GET", "/v1/me", text_at(f, a, "access_token", NULL), NULL);
    assert_int_equal(me.status, 200);
    assert_true(id_valid(str_from(text_at(f, me, "id", NULL)), "usr"));
    assert_string_equal(text_at(f, me, "id", NULL), text_at(f, a, "user", "id"));
    assert_int_equal(login(f, "ASHA@example.com", PASSWORD).status, 200);
}

static void every_bad_field_is_named(void **state) {
    static const struct {
        const char *body, *pointers[5];
    } cases[] = {
        {"{}", {"/email", "/password", "/name", "/role"}},
        {"{\"email\":\"a@b@c\",\"password\":\"password123\",\"name\":\"  \",\"phone\":\"12\","
         "\"role\":\"customer\"}",
         {"/email", "/password", "/name", "/phone"}},
        {"{\"email\":\"asha@example.com\",\"password\":\"Asha@Example.com\",\"name\":\"A\","
         "\"role\":\"driver\"}",
         {"/password"}},
        {"{\"email\":\"longlocal@example.com\",\"password\":\"LongLocal\",\"name\":\"A\","
         "\"role\":\"driver\"}",
         {"/password"}},
        {"{\"email\":\"a@example.com\",\"password\":\"" PASSWORD "\",\"name\":\"A\","
         "\"role\":\"admin\"}",
         {"/role"}},
        {"{\"email\":\"a@example.com\",\"password\":\"short7!\",\"name\":\"A\\nB\","
         "\"role\":\"dispatcher\"}",
         {"/password", "/name", "/role"}},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct house_answer a = ask(f, "POST", "/v1/auth/register", NULL, cases[i].body);
        assert_true(is_problem(f, a, PROBLEM_INVALID_REQUEST));
        int64_t count = 0;
        for (; count < 5 && cases[i].pointers[count] != NULL; count++)
            assert_non_null(
                strstr(a.body.p,
                       arena_printf(f->arena, "\"pointer\":\"%s\"", cases[i].pointers[count]).p));
        assert_int_equal(count_at(f, a, "errors"), count);
    }
    assert_int_equal(documents(f), 0);
}

static void an_email_is_taken_once(void **state) {
    struct fixture *f = *state;
    registered(f, "asha@example.com");
    assert_true(is_problem(f, try_register(f, "ASHA@example.com", "driver"), PROBLEM_EMAIL_TAKEN));
    int64_t before = documents(f);
    /* And when many come at once: one gets it. */
    struct house_answer answers[8];
    int won = 0;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct house_request r = request(f, "POST", "/v1/auth/register", NULL,
                                         "{\"email\":\"bo@example.com\",\"password\":\"" PASSWORD
                                         "\",\"name\":\"Bo\",\"role\":\"driver\"}");
        house_begin(f->house, &r, &answers[i]);
    }
    house_settle(f->house);
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        won += answers[i].status == 201;
        assert_true(answers[i].status == 201 || is_problem(f, answers[i], PROBLEM_EMAIL_TAKEN));
    }
    assert_int_equal(won, 1);
    assert_int_equal(documents(f), before + 3); /* reservation, account, session */
}

/* A crash between the reservation and the account must not lock an e-mail away for ever. */
static void an_abandoned_reservation_is_taken_over(void **state) {
    struct fixture *f = *state;
    struct house_request r = request(f, "POST", "/v1/auth/register", NULL,
                                     "{\"email\":\"bo@example.com\",\"password\":\"" PASSWORD
                                     "\",\"name\":\"Bo\",\"role\":\"driver\"}");
    struct house_answer broken;
    house_begin(f->house, &r, &broken);
    executor_turn(f->house->executor, 0); /* the reservation */
    assert_int_equal(documents(f), 1);
    f->house->faults.io = 1;
    house_settle(f->house);
    f->house->faults.io = 0;
    assert_int_equal(broken.status, 503);
    assert_true(is_problem(f, try_register(f, "bo@example.com", "driver"), PROBLEM_EMAIL_TAKEN));
    f->house->now_us += RESERVATION_US + US_PER_S;
    assert_int_equal(try_register(f, "bo@example.com", "driver").status, 201);
    assert_int_equal(login(f, "bo@example.com", PASSWORD).status, 200);
    f->house->now_us += RESERVATION_US + US_PER_S;
    assert_true(is_problem(f, try_register(f, "bo@example.com", "driver"), PROBLEM_EMAIL_TAKEN));
}

/* Two register at once, and the second one's password takes a minute and more to hash. */
static void a_slow_twin_takes_nothing_over(void **state) {
    struct fixture *f = *state;
    reopen_with(f, &f->patient.hasher);
    struct house_request r = request(f, "POST", "/v1/auth/register", NULL,
                                     "{\"email\":\"bo@example.com\",\"password\":\"" PASSWORD
                                     "\",\"name\":\"Bo\",\"role\":\"driver\"}");
    struct house_answer first, second;
    house_begin(f->house, &r, &first);
    house_begin(f->house, &r, &second);
    struct hash_job *slow = f->patient.jobs[--f->patient.count];
    patient_release(&f->patient);
    house_settle(f->house);
    assert_int_equal(first.status, 201);
    f->house->now_us += RESERVATION_US + US_PER_S;
    f->instant->ops->submit(f->instant, slow);
    house_settle(f->house);
    assert_true(is_problem(f, second, PROBLEM_EMAIL_TAKEN));
}

/* … and who reserved it long ago cannot come back and make a second account. */
static void a_late_account_is_not_created(void **state) {
    struct fixture *f = *state;
    struct create_args args = {.account = {.role = ROLE_DRIVER}, .reserved_us = 1000};
    struct command cmd = {.type = &account_create,
                          .args = &args,
                          .arena = f->arena,
                          .id = STR("usr_01J00000000000000000000000")};
    struct rng rng;
    rng_seed(&rng, 1);
    struct decide_ctx ctx = {.rng = &rng, .arena = f->arena};
    int64_t last_us = args.reserved_us + RESERVATION_US / 2;
    for (ctx.now_us = last_us; ctx.now_us <= last_us + 1; ctx.now_us++) {
        struct decision d = {0};
        account_create.decide(&cmd, &ctx, NULL, &d);
        assert_int_equal(d.state != NULL, ctx.now_us == last_us);
        assert_int_equal(d.event_count, ctx.now_us == last_us);
    }
}

static void registering_is_limited_per_address(void **state) {
    struct fixture *f = *state;
    f->options.registers_per_hour_max = 3;
    crash(f);
    for (int i = 0; i < 3; i++)
        registered(f, arena_printf(f->arena, "u%d@example.com", i).p);
    struct house_answer a = try_register(f, "u4@example.com", "driver");
    assert_true(is_problem(f, a, PROBLEM_TOO_MANY_REQUESTS));
    assert_in_range(retry_after(a), 3590, 3600);
    f->house->now_us += 3600 * US_PER_S;
    registered(f, "u4@example.com");
}

static void an_address_of_ipv6_counts_with_its_network(void **state) {
    struct fixture *f = *state;
    static const char *const pairs[][2] = {
        {"127.0.0.1", "127.0.0.1"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"2001:db8:1:2::3", "2001:db8:1:2::/64"},
        {"2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"},
        {"2001:db8:1:3::3", "2001:db8:1:3::/64"},
        {"not an address, and longer than any address would be", NULL},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        const char *want = pairs[i][1] != NULL ? pairs[i][1] : pairs[i][0];
        assert_true(str_is(guard_network(str_from(pairs[i][0]), f->arena), want));
    }
}

static void a_name_shows(void **state) {
    (void)state;
    static const char *const blank[] = {
        "\xCD\x8F", "", " ", "\xE2\x80\x8B", " \xEF\xBB\xBF\xC2\xA0", "\xE3\x85\xA4"};
    static const char *const good[] = {"A", " A", "\xE2\x80\x8F\xD7\x90",
                                       ("\xE2\x80\x9C"
                                        "A"),
                                       "\xC3\x85"};
    for (size_t i = 0; i < COUNT_OF(blank); i++)
        assert_non_null(name_fault(str_from(blank[i])));
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_null(name_fault(str_from(good[i])));
}

/* ---- signing in ---- */

static struct str without_request_id(struct fixture *f, struct str body) {
    const char *at = strstr(body.p, "\"request_id\"");
    assert_non_null(at);
    return arena_str(f->arena, (struct str){body.p, (size_t)(at - body.p)});
}

static void wrong_and_unknown_sound_the_same(void **state) {
    struct fixture *f = *state;
    registered(f, "asha@example.com");
    struct house_answer wrong = login(f, "asha@example.com", "not the right one");
    struct house_answer unknown = login(f, "nobody@example.com", PASSWORD);
    assert_true(is_problem(f, wrong, PROBLEM_INVALID_CREDENTIALS));
    assert_int_equal(unknown.status, wrong.status);
    assert_true(str_eq(without_request_id(f, wrong.body), without_request_id(f, unknown.body)));
    assert_int_equal(unknown.response.header_count, wrong.response.header_count);
}

static void five_wrong_ones_lock_for_a_while(void **state) {
    struct fixture *f = *state;
    registered(f, "asha@example.com");
    static const char *const emails[] = {"asha@example.com", "nobody@example.com"};
    for (size_t e = 0; e < COUNT_OF(emails); e++) {
        for (int i = 0; i < 5; i++)
            assert_int_equal(login(f, emails[e], "wrong wrong").status, 401);
        for (int i = 0; i < 3; i++) { /* the right one neither; and trying makes it no longer */
            struct house_answer a = login(f, emails[e], PASSWORD);
            assert_true(is_problem(f, a, PROBLEM_TOO_MANY_ATTEMPTS));
            assert_in_range(retry_after(a), 1, 900);
        }
    }
    f->house->now_us += LOGIN_WINDOW_US / 2;
    assert_int_equal(login(f, emails[0], PASSWORD).status, 429);
    f->house->now_us += LOGIN_WINDOW_US / 2;
    for (int i = 0; i < 4; i++)
        assert_int_equal(login(f, emails[0], "wrong wrong").status, 401);
    for (int i = 0; i < 10; i++) /* right ones are not counted, and forgive nothing */
        assert_int_equal(login(f, emails[0], PASSWORD).status, 200);
    assert_int_equal(login(f, emails[0], "wrong wrong").status, 401);
    assert_int_equal(login(f, emails[0], PASSWORD).status, 429);
}

static struct house_answer login_at(struct fixture *f, const char *peer, const char *password) {
    struct house_request r =
        request(f, "POST", "/v1/auth/login", NULL, login_body(f, "asha@example.com", password));
    r.peer = peer;
    return house_call(f->house, &r);
}

/* Five wrong ones lock the address that sent them, and nobody else. */
static void a_stranger_locks_himself_out(void **state) {
    struct fixture *f = *state;
    registered(f, "asha@example.com");
    for (int i = 0; i < 5; i++)
        assert_int_equal(login_at(f, "192.0.2.1", "wrong wrong").status, 401);
    assert_int_equal(login_at(f, "192.0.2.1", PASSWORD).status, 429);
    assert_int_equal(login_at(f, "192.0.2.2", PASSWORD).status, 200);
    assert_int_equal(login_at(f, "127.0.0.1", PASSWORD).status, 200);
    /* all of an IPv6 network is one address */
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            login_at(f, arena_printf(f->arena, "2001:db8::%d", i + 1).p, "wrong wrong").status,
            401);
    assert_int_equal(login_at(f, "2001:db8::77", PASSWORD).status, 429);
}

/* Many strangers lock out strangers; where the owner has been, he still gets in, and a guesser
 * gets no more tries there than anywhere. */
static void many_strangers_lock_out_strangers(void **state) {
    struct fixture *f = *state;
    f->options.account_failures_max = 12;
    crash(f);
    registered(f, "asha@example.com"); /* at 127.0.0.1 */
    assert_int_equal(login_at(f, "198.51.100.7", PASSWORD).status, 200);
    int wrong = 0;
    for (int i = 0; i < 40; i++) {
        struct house_answer a =
            login_at(f, arena_printf(f->arena, "192.0.2.%d", i).p, "wrong wrong");
        wrong += a.status == 401;
        assert_true(a.status == 401 || is_problem(f, a, PROBLEM_TOO_MANY_ATTEMPTS));
    }
    assert_int_equal(wrong, 12);
    struct house_answer a = login_at(f, "203.0.113.1", PASSWORD);
    assert_int_equal(a.status, 429);
    assert_in_range(retry_after(a), 1, 900);
    assert_int_equal(login_at(f, "127.0.0.1", PASSWORD).status, 200);
    for (int i = 0; i < 5; i++)
        assert_int_equal(login_at(f, "198.51.100.7", "wrong wrong").status, 401);
    assert_int_equal(login_at(f, "198.51.100.7", PASSWORD).status, 429);
    f->house->now_us += LOGIN_WINDOW_US; /* and homes gave no credit to strangers */
    wrong = 0;
    for (int i = 0; i < 40; i++)
        wrong +=
            login_at(f, arena_printf(f->arena, "192.0.2.%d", i).p, "wrong wrong").status == 401;
    assert_int_equal(wrong, 12);
    f->house->now_us += LOGIN_WINDOW_US;
    assert_int_equal(login_at(f, "203.0.113.1", PASSWORD).status, 200);
}

static void many_at_once_get_no_more_tries(void **state) {
    struct fixture *f = *state;
    registered(f, "asha@example.com");
    reopen_with(f, &f->patient.hasher);
    struct house_answer answers[20];
    struct house_request r = request(f, "POST", "/v1/auth/login", NULL,
                                     login_body(f, "asha@example.com", "wrong wrong"));
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        house_begin(f->house, &r, &answers[i]);
    assert_int_equal(f->patient.count, 5);
    patient_release(&f->patient);
    house_settle(f->house);
    int wrong = 0, limited = 0;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        wrong += answers[i].status == 401;
        limited += answers[i].status == 429;
    }
    assert_int_equal(wrong, 5);
    assert_int_equal(limited, 15);
}

/* Who is refused because others are under way has not used up a try. */
static void refusals_are_no_tries(void **state) {
    struct fixture *f = *state;
    registered(f, "asha@example.com");
    reopen_with(f, &f->patient.hasher);
    struct house_answer answers[8];
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        const char *password = i < 4 ? "wrong wrong" : PASSWORD;
        struct house_request r =
            request(f, "POST", "/v1/auth/login", NULL, login_body(f, "asha@example.com", password));
        house_begin(f->house, &r, &answers[i]);
    }
    patient_release(&f->patient);
    house_settle(f->house);
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        assert_int_equal(answers[i].status, i < 4 ? 401 : i == 4 ? 200 : 429);
    struct house_request r =
        request(f, "POST", "/v1/auth/login", NULL, login_body(f, "asha@example.com", PASSWORD));
    house_begin(f->house, &r, &answers[0]);
    patient_release(&f->patient);
    house_settle(f->house);
    assert_int_equal(answers[0].status, 200);
}

static void a_full_hasher_counts_nothing(void **state) {
    struct fixture *f = *state;
    registered(f, "asha@example.com");
    f->patient.max = 1;
    reopen_with(f, &f->patient.hasher);
    struct house_answer first, second;
    struct house_request r =
        request(f, "POST", "/v1/auth/login", NULL, login_body(f, "asha@example.com", PASSWORD));
    house_begin(f->house, &r, &first);
    for (int i = 0; i < 20; i++) {
        house_begin(f->house, &r, &second);
        assert_true(is_problem(f, second, PROBLEM_OVERLOADED));
        assert_true(retry_after(second) > 0);
    }
    patient_release(&f->patient);
    house_settle(f->house);
    assert_int_equal(first.status, 200);
    /* Registering waits in the same queue. */
    house_begin(f->house, &r, &first);
    assert_int_equal(try_register(f, "bo@example.com", "driver").status, 503);
    patient_release(&f->patient);
    house_settle(f->house);
    assert_int_equal(first.status, 200);
}

static void an_address_may_not_guess_for_ever(void **state) {
    struct fixture *f = *state;
    f->options.address_failures_max = 7;
    crash(f);
    registered(f, "asha@example.com");
    for (int i = 0; i < 20; i++)
        assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 200);
    for (int i = 0; i < 7; i++)
        assert_int_equal(
            login(f, arena_printf(f->arena, "u%d@example.com", i).p, "wrong wrong").status, 401);
    struct house_answer a = login(f, "asha@example.com", PASSWORD);
    assert_true(is_problem(f, a, PROBLEM_TOO_MANY_ATTEMPTS));
    assert_in_range(retry_after(a), 1, 900);
    f->house->now_us += LOGIN_WINDOW_US;
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 200);
}

/* ---- refreshing ---- */

static void a_refresh_token_serves_once(void **state) {
    struct fixture *f = *state;
    struct signed_in first = registered(f, "asha@example.com");
    struct signed_in second = refresh(f, first.refresh);
    assert_int_equal(second.status, 200);
    assert_string_not_equal(first.refresh, second.refresh);
    assert_int_equal(me_status(f, second.access), 200);
    /* The spent one again: 401, and the whole family ends, access tokens and all. */
    assert_int_equal(refresh(f, first.refresh).status, 401);
    assert_int_equal(refresh(f, second.refresh).status, 401);
    assert_int_equal(me_status(f, second.access), 401);
    assert_int_equal(me_status(f, first.access), 401);
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 200);
    struct buf metrics;
    buf_init(&metrics, f->arena, 1024);
    auth_service(f->auth).def->metrics(f->auth, &metrics);
    buf_add_char(&metrics, 0);
    assert_non_null(strstr(metrics.p, "lorry_auth_reuses_total 1\n"));
    assert_non_null(strstr(metrics.p, "lorry_auth_logins_total{outcome=\"right\"} 1\n"));
}

static void two_refreshes_at_once_end_the_family(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct house_request r = request(f, "POST", "/v1/auth/refresh", NULL, token_body(f, s.refresh));
    struct house_answer one, two;
    house_begin(f->house, &r, &one);
    house_begin(f->house, &r, &two);
    house_settle(f->house);
    assert_int_equal(one.status, 200);
    assert_true(is_problem(f, two, PROBLEM_INVALID_REFRESH));
    assert_int_equal(refresh(f, signed_in(f, one).refresh).status, 401);
}

static void guesses_do_no_harm(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct refresh_token t;
    assert_int_equal(refresh_token_parse(str_from(s.refresh), &t), 0);
    t.family[0] ^= 1; /* who knows the session's id knows nothing of its family */
    const char *guess = refresh_token_text(&t, f->arena).p;
    assert_int_equal(refresh(f, guess).status, 401);
    assert_int_equal(ask(f, "POST", "/v1/auth/logout", NULL, token_body(f, guess)).status, 204);
    static const char *const nonsense[] = {
        "x",
        ".",
        "ses_01J00000000000000000000000",
        "ses_01J00000000000000000000000.AAAA",
        "ses_01J00000000000000000000000."
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "usr_01J00000000000000000000000."
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    for (size_t i = 0; i < COUNT_OF(nonsense); i++) {
        struct house_answer a =
            ask(f, "POST", "/v1/auth/refresh", NULL, token_body(f, nonsense[i]));
        assert_true(is_problem(f, a, PROBLEM_INVALID_REFRESH));
        assert_int_equal(ask(f, "POST", "/v1/auth/logout", NULL, token_body(f, nonsense[i])).status,
                         204);
    }
    for (size_t n = 0; n < strlen(s.refresh); n++) { /* nothing shorter is a token */
        const char *cut = arena_printf(f->arena, "%.*s", (int)n, s.refresh).p;
        if (n > 0)
            assert_int_equal(refresh(f, cut).status, 401);
    }
    assert_int_equal(refresh(f, s.refresh).status, 200);
}

static void logging_out_ends_at_once(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct signed_in other = signed_in(f, login(f, "asha@example.com", PASSWORD));
    for (int i = 0; i < 2; i++)
        assert_int_equal(ask(f, "POST", "/v1/auth/logout", NULL, token_body(f, s.refresh)).status,
                         204);
    assert_int_equal(me_status(f, s.access), 401);
    assert_int_equal(refresh(f, s.refresh).status, 401);
    assert_int_equal(me_status(f, other.access), 200); /* the other device stays */
    assert_int_equal(refresh(f, other.refresh).status, 200);
    assert_int_equal(ask(f, "POST", "/v1/auth/logout", NULL, "{}").status, 422);
}

static void sessions_expire_and_are_forgotten(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    int64_t before = documents(f);
    f->house->now_us += 30 * US_PER_DAY - US_PER_S;
    house_settle(f->house);
    s = refresh(f, s.refresh);
    assert_int_equal(s.status, 200); /* and it counts from here again */
    f->house->now_us += 30 * US_PER_DAY;
    house_settle(f->house);
    assert_int_equal(refresh(f, s.refresh).status, 401);
    assert_int_equal(documents(f), before);
    f->house->now_us += SESSION_KEPT_US;
    house_settle(f->house);
    assert_int_equal(documents(f), before - 1);
    assert_int_equal(refresh(f, s.refresh).status, 401);
}

/* Random refreshes, repeats, guesses and logouts of a few families against what must come. */
static void families_against_their_twin(void **state) {
    enum { FAMILIES = 4, TOKENS = 40, STEPS = 600 };
    struct fixture *f = *state;
    struct {
        const char *tokens[TOKENS];
        int count;
        bool ended;
    } twin[FAMILIES] = {0};
    struct rng rng;
    rng_seed(&rng, 11);
    registered(f, "asha@example.com");
    for (int i = 0; i < FAMILIES; i++)
        twin[i].tokens[twin[i].count++] =
            signed_in(f, login(f, "asha@example.com", PASSWORD)).refresh;
    for (int i = 0; i < STEPS; i++) {
        int n = (int)rng_below(&rng, FAMILIES);
        bool newest = rng_below(&rng, 20) > 0;
        int t = newest ? twin[n].count - 1 : (int)rng_below(&rng, (uint64_t)twin[n].count);
        if (twin[n].ended || twin[n].count == TOKENS) { /* after a few checks begin anew */
            assert_int_equal(refresh(f, twin[n].tokens[t]).status == 200,
                             !twin[n].ended && t == twin[n].count - 1);
            twin[n].count = 0;
            twin[n].ended = false;
            twin[n].tokens[twin[n].count++] =
                signed_in(f, login(f, "asha@example.com", PASSWORD)).refresh;
        } else if (rng_below(&rng, 30) == 0) {
            ask(f, "POST", "/v1/auth/logout", NULL, token_body(f, twin[n].tokens[t]));
            twin[n].ended = true;
        } else {
            struct signed_in s = refresh(f, twin[n].tokens[t]);
            bool good = t == twin[n].count - 1;
            assert_int_equal(s.status, good ? 200 : 401);
            if (good)
                twin[n].tokens[twin[n].count++] = s.refresh;
            else
                twin[n].ended = true;
        }
        if (rng_below(&rng, 50) == 0)
            crash(f);
    }
}

/* ---- restarts ---- */

static void what_has_ended_stays_ended_over_a_crash(void **state) {
    struct fixture *f = *state;
    struct signed_in out = registered(f, "out@example.com");
    struct signed_in off = registered(f, "off@example.com");
    struct signed_in in = registered(f, "in@example.com");
    struct str boss = house_id(f->house, "usr");
    f->house->now_us += 60 * US_PER_S;
    ask(f, "POST", "/v1/auth/logout", NULL, token_body(f, out.refresh));
    assert_int_equal(set_user(f, boss, off.id, "{\"disabled\":true}").status, 200);
    f->house->now_us += 600 * US_PER_S;
    house_settle(f->house); /* the events are delivered and gone */
    crash(f);
    assert_int_equal(me_status(f, out.access), 401);
    assert_int_equal(me_status(f, off.access), 401);
    assert_int_equal(me_status(f, in.access), 200); /* the keys were found again */
    assert_int_equal(refresh(f, in.refresh).status, 200);
}

/* ---- administration ---- */

static void disabling_ends_everything_at_once(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct str boss = house_id(f->house, "usr");
    f->house->now_us += US_PER_S;
    struct house_answer a = set_user(f, boss, s.id, "{\"disabled\":true}");
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body.p, "\"disabled\":true"));
    assert_int_equal(me_status(f, s.access), 401);
    assert_int_equal(refresh(f, s.refresh).status, 401);
    assert_true(is_problem(f, login(f, "asha@example.com", PASSWORD), PROBLEM_ACCOUNT_DISABLED));
    assert_int_equal(login(f, "asha@example.com", "wrong wrong").status, 401);
    assert_int_equal(set_user(f, boss, s.id, "{\"disabled\":false}").status, 200);
    assert_int_equal(refresh(f, s.refresh).status, 401); /* what has ended has ended */
    f->house->now_us += US_PER_S;
    struct signed_in again = signed_in(f, login(f, "asha@example.com", PASSWORD));
    assert_int_equal(again.status, 200);
    assert_int_equal(me_status(f, again.access), 200);
    f->house->now_us += US_PER_S;
    assert_int_equal(set_user(f, boss, s.id, "{\"role\":\"dispatcher\"}").status, 200);
    assert_int_equal(me_status(f, again.access), 401); /* it says another role */
    f->house->now_us += US_PER_S;
    again = signed_in(f, login(f, "asha@example.com", PASSWORD));
    assert_int_equal(me_status(f, again.access), 200);
    assert_int_equal(ask(f, "GET", "/v1/users", again.access, NULL).status, 403);
}

/* The account changes while its password is being checked: what comes out must not outlive it. */
static void a_sign_in_that_a_change_overtakes_is_refused(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    reopen_with(f, &f->patient.hasher);
    struct house_answer late;
    struct house_request r =
        request(f, "POST", "/v1/auth/login", NULL, login_body(f, "asha@example.com", PASSWORD));
    house_begin(f->house, &r, &late);
    f->house->now_us += US_PER_S;
    set_user(f, house_id(f->house, "usr"), s.id, "{\"role\":\"dispatcher\"}");
    patient_release(&f->patient);
    house_settle(f->house);
    assert_int_equal(late.status, 401);
}

static void the_last_admin_stays(void **state) {
    struct fixture *f = *state;
    struct signed_in one = added(f, "one@example.com", ROLE_ADMIN);
    struct str boss = str_from(one.id);
    assert_true(
        is_problem(f, set_user(f, boss, one.id, "{\"disabled\":true}"), PROBLEM_LAST_ADMIN));
    assert_true(
        is_problem(f, set_user(f, boss, one.id, "{\"role\":\"customer\"}"), PROBLEM_LAST_ADMIN));
    assert_int_equal(set_user(f, boss, one.id, "{\"role\":\"admin\"}").status, 200);
    struct signed_in two = added(f, "two@example.com", ROLE_ADMIN);
    /* Each demotes the other in the same moment. */
    struct house_answer answers[2];
    const char *ids[] = {one.id, two.id};
    for (int i = 0; i < 2; i++) {
        struct house_request r = {.method = "PATCH",
                                  .path = arena_printf(f->arena, "/v1/users/%s", ids[i]).p,
                                  .body = "{\"role\":\"customer\"}",
                                  .who = house_who(f->house, ROLE_ADMIN, ids[1 - i])};
        house_begin(f->house, &r, &answers[i]);
    }
    house_settle(f->house);
    assert_int_equal(answers[0].status, 200);
    assert_true(is_problem(f, answers[1], PROBLEM_OVERLOADED));
    assert_true(
        is_problem(f, set_user(f, boss, two.id, "{\"role\":\"customer\"}"), PROBLEM_LAST_ADMIN));
    assert_true(
        is_problem(f, set_user(f, boss, "usr_01J00000000000000000000000", "{\"disabled\":true}"),
                   PROBLEM_NOT_FOUND));
    assert_int_equal(set_user(f, boss, "nonsense", "{\"disabled\":true}").status, 404);
    assert_int_equal(set_user(f, boss, one.id, "{\"role\":\"king\"}").status, 422);
    assert_int_equal(set_user(f, boss, one.id, "{\"disable\":true}").status, 422);
    assert_int_equal(set_user(f, boss, one.id, "{}").status, 200);
}

static void an_admin_reads_one_account(void **state) {
    struct fixture *f = *state;
    struct signed_in asha = registered(f, "asha@example.com");
    struct house_request r = {.method = "GET",
                              .path = arena_printf(f->arena, "/v1/users/%s", asha.id).p,
                              .who = house_who(f->house, ROLE_ADMIN, NULL)};
    struct house_answer a = house_call(f->house, &r);
    assert_int_equal(a.status, 200);
    assert_string_equal(text_at(f, a, "email", NULL), "asha@example.com");
    assert_null(strstr(a.body.p, "hash"));
    for (int role = ROLE_CUSTOMER; role < ROLE_ADMIN; role++) {
        r.who = house_who(f->house, (enum role)role, NULL);
        assert_int_equal(house_call(f->house, &r).status, 403);
    }
    static const char *const nobody[] = {"/v1/users/usr_01J00000000000000000000000",
                                         "/v1/users/nonsense", "/v1/users/%00"};
    r.who = house_who(f->house, ROLE_ADMIN, NULL);
    for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++) {
        r.path = nobody[i];
        assert_int_equal(house_call(f->house, &r).status, 404);
    }
}

static void users_list_in_pages(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 7; i++) {
        f->house->now_us += US_PER_MS;
        try_register(f, arena_printf(f->arena, "u%d@example.com", i).p,
                     i % 2 == 0 ? "driver" : "customer");
    }
    struct house_request r = {.method = "GET", .who = house_who(f->house, ROLE_ADMIN, NULL)};
    const char *cursor = "";
    int seen = 0, pages = 0;
    do {
        r.path = arena_printf(f->arena, "/v1/users?role=driver&limit=3&cursor=%s", cursor).p;
        struct house_answer a = house_call(f->house, &r);
        assert_int_equal(a.status, 200);
        assert_null(strstr(a.body.p, "hash"));
        assert_null(strstr(a.body.p, "\"customer\""));
        seen += (int)count_at(f, a, "items");
        cursor = text_at(f, a, "next_cursor", NULL);
    } while (cursor != NULL && ++pages < 10);
    assert_int_equal(seen, 4);
    r.path = "/v1/users";
    struct house_answer all = house_call(f->house, &r);
    assert_int_equal(count_at(f, all, "items"), 7);
    assert_non_null(strstr(all.body.p, "\"disabled\":false"));
    assert_true(strstr(all.body.p, "u6@") < strstr(all.body.p, "u0@")); /* newest first */
    r.path = "/v1/users?role=king";
    assert_int_equal(house_call(f->house, &r).status, 422);
    for (int role = ROLE_CUSTOMER; role < ROLE_ADMIN; role++) {
        r.path = "/v1/users";
        r.who = house_who(f->house, (enum role)role, NULL);
        assert_int_equal(house_call(f->house, &r).status, 403);
    }
}

static void one_may_change_name_and_phone(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct house_answer a =
        ask(f, "PATCH", "/v1/me", s.access, "{\"name\":\"Asha Berg\",\"role\":\"admin\"}");
    assert_int_equal(a.status, 200);
    assert_string_equal(text_at(f, a, "name", NULL), "Asha Berg");
    assert_string_equal(text_at(f, a, "role", NULL), "customer");
    assert_string_equal(text_at(f, a, "phone", NULL), "+46701234567");
    assert_non_null(strstr(a.body.p, "\"version\":2"));
    a = ask(f, "PATCH", "/v1/me", s.access, "{\"phone\":\"\"}");
    assert_non_null(strstr(a.body.p, "\"phone\":null"));
    a = ask(f, "PATCH", "/v1/me", s.access, "{\"phone\":\"call me\",\"name\":\" \"}");
    assert_int_equal(a.status, 422);
    assert_int_equal(count_at(f, a, "errors"), 2);
    struct house_request stale = request(f, "PATCH", "/v1/me", s.access, "{\"name\":\"X\"}");
    stale.headers[1] = (struct header){STR("if-match"), STR("\"1\"")};
    assert_int_equal(house_call(f->house, &stale).status, 412);
    stale.headers[1].value = STR("\"3\"");
    assert_int_equal(house_call(f->house, &stale).status, 200);
    assert_int_equal(ask(f, "PATCH", "/v1/me", NULL, "{\"name\":\"X\"}").status, 401);
}

/* ---- keys ---- */

static int64_t key_count(struct fixture *f) {
    return count_at(f, ask(f, "GET", "/.well-known/jwks.json", NULL, NULL), "keys");
}

/* As an operator does it in another process: the server hears of it by its tick. */
static int rotate(struct fixture *f, struct str *ret_why) {
    struct store *store = memory_disk_open(f->house->disk, true, NULL);
    struct auth_admin *m = auth_admin_new(&(struct auth_admin_options){
        .store = store, .entropy = &f->house->entropy, .clock = &f->house->clock});
    int err = auth_admin_rotate_keys(m, f->arena, ret_why);
    auth_admin_free(m);
    store->ops->close(store);
    f->house->now_us += 11 * US_PER_S;
    house_settle(f->house);
    return err;
}

struct listed_keys {
    enum auth_key_use uses[TOKEN_KEYS_MAX];
    int64_t until_us[TOKEN_KEYS_MAX];
    int32_t count;
};
static void list_key(void *arg, const struct auth_admin_key *key) {
    struct listed_keys *l = arg;
    assert_true(id_valid(key->kid, "key"));
    l->uses[l->count] = key->use;
    l->until_us[l->count++] = key->until_us;
}

/* Rotates as by a server whose tokens live that long, and lists. */
static void an_operator_sees_what_keys_do(void **state) {
    struct fixture *f = *state;
    struct store *store = memory_disk_open(f->house->disk, true, NULL);
    struct auth_admin *m =
        auth_admin_new(&(struct auth_admin_options){.store = store,
                                                    .entropy = &f->house->entropy,
                                                    .clock = &f->house->clock,
                                                    .access_ttl_s = 3600});
    struct listed_keys l = {0};
    struct str why;
    assert_int_equal(auth_admin_keys(m, list_key, &l, f->arena, &why), ERR_NOT_FOUND);
    assert_int_equal(auth_admin_rotate_keys(m, f->arena, &why), 0); /* makes the first */
    assert_int_equal(auth_admin_rotate_keys(m, f->arena, &why), 0);
    assert_int_equal(auth_admin_keys(m, list_key, &l, f->arena, &why), 0);
    assert_int_equal(l.count, 3);
    assert_int_equal(l.uses[0], AUTH_KEY_RETIRED);
    assert_int_equal(l.uses[1], AUTH_KEY_SIGNS);
    assert_int_equal(l.uses[2], AUTH_KEY_NEXT);
    assert_int_equal(l.until_us[0], f->house->now_us + 3600 * US_PER_S + 2 * TOKEN_SKEW_US);
    assert_int_equal(l.until_us[1], f->house->now_us + 30 * US_PER_DAY);
    assert_int_equal(l.until_us[2], 0);
    auth_admin_free(m);
    store->ops->close(store);
}

static void keys_rotate_and_old_tokens_live_out(void **state) {
    struct fixture *f = *state;
    struct str why;
    assert_int_equal(key_count(f), 2); /* made by the first who asks */
    struct signed_in old = registered(f, "asha@example.com");
    assert_int_equal(rotate(f, &why), 0);
    assert_int_equal(key_count(f), 3);
    assert_int_equal(me_status(f, old.access), 200);
    struct signed_in fresh = signed_in(f, login(f, "asha@example.com", PASSWORD));
    assert_int_equal(me_status(f, fresh.access), 200);
    assert_int_not_equal(strncmp(old.access, fresh.access, 80), 0); /* another kid */
    crash(f);
    assert_int_equal(me_status(f, old.access), 200);
    f->house->now_us += 900 * US_PER_S + 2 * TOKEN_SKEW_US;
    house_settle(f->house);
    assert_int_equal(key_count(f), 2);
    assert_int_equal(me_status(f, old.access), 401);
    /* By itself, each 30 days. */
    f->house->now_us += 30 * US_PER_DAY;
    house_settle(f->house);
    assert_int_equal(key_count(f), 3);
    /* More rotations than a key set may hold are refused, and harm nobody. */
    int err = 0;
    struct signed_in before = signed_in(f, login(f, "asha@example.com", PASSWORD));
    for (int i = 0; i < TOKEN_KEYS_MAX && err == 0; i++)
        err = rotate(f, &why);
    assert_int_equal(err, ERR_BUSY);
    assert_int_equal(key_count(f), TOKEN_KEYS_MAX);
    assert_int_equal(me_status(f, before.access), 200);
}

static void others_can_verify_by_the_key_set(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct house_answer keys = ask(f, "GET", "/.well-known/jwks.json", NULL, NULL);
    assert_null(strstr(keys.body.p, "\"d\"")); /* nothing private */
    jwt_t *jwt = NULL;
    assert_int_equal(r_jwt_init(&jwt), RHN_OK);
    assert_int_equal(r_jwt_parse(jwt, s.access, 0), RHN_OK);
    jwks_t *jwks = NULL;
    assert_int_equal(r_jwks_init(&jwks), RHN_OK);
    assert_int_equal(r_jwks_import_from_json_str(jwks, keys.body.p), RHN_OK);
    assert_int_equal(r_jwt_add_sign_jwks(jwt, NULL, jwks), RHN_OK);
    assert_int_equal(r_jwt_verify_signature(jwt, NULL, 0), RHN_OK);
    assert_string_equal(r_jwt_get_claim_str_value(jwt, "iss"), "lorry");
    assert_string_equal(r_jwt_get_claim_str_value(jwt, "aud"), "lorry");
    assert_string_equal(r_jwt_get_claim_str_value(jwt, "sub"), s.id);
    assert_string_equal(r_jwt_get_claim_str_value(jwt, "role"), "customer");
    assert_string_equal(r_jwt_get_claim_str_value(jwt, "name"), "Asha");
    assert_int_equal(r_jwt_get_claim_int_value(jwt, "exp"),
                     r_jwt_get_claim_int_value(jwt, "iat") + 900);
    /* Signed by the current key, which stands before the next. */
    jwk_t *current = r_jwks_get_at(jwks, 0);
    assert_string_equal(r_jwt_get_header_str_value(jwt, "kid"),
                        r_jwk_get_property_str(current, "kid"));
    r_jwk_free(current);
    r_jwks_free(jwks);
    r_jwt_free(jwt);
}

/* ---- the operator's tools ---- */

static void list_one(void *arg, const struct account *account) {
    struct buf *out = arg;
    buf_printf(out, "%.*s %s%s\n", STR_ARG(account->email), role_names[account->role],
               account->disabled ? " disabled" : "");
}

static void operators_keep_to_the_same_rules(void **state) {
    struct fixture *f = *state;
    struct store *store = memory_disk_open(f->house->disk, true, NULL);
    struct auth_admin *m = auth_admin_new(&(struct auth_admin_options){
        .store = store, .entropy = &f->house->entropy, .clock = &f->house->clock});
    struct str id, why = STR_NONE;
    struct auth_admin_user boss = {.email = STR("Boss@Example.com"),
                                   .name = STR("Boss"),
                                   .password = STR(PASSWORD),
                                   .role = ROLE_ADMIN};
    assert_int_equal(auth_admin_add(m, &boss, f->arena, &id, &why), 0);
    assert_int_equal(auth_admin_add(m, &boss, f->arena, &id, &why), ERR_DUPLICATE);
    struct auth_admin_user bad[] = {boss, boss, boss, boss, boss};
    bad[0].email = STR("boss");
    bad[1].password = STR("password1");
    bad[2].name = STR("");
    bad[3].role = ROLE_NONE;
    bad[4].password = STR("boss@example.com");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(auth_admin_add(m, &bad[i], f->arena, &id, &why), ERR_INVALID);
        assert_true(why.len > 10);
    }
    struct str who = STR("boss@example.com");
    assert_int_equal(auth_admin_disable(m, who, true, f->arena, &why), ERR_DENIED);
    assert_int_equal(auth_admin_set_role(m, who, ROLE_DRIVER, f->arena, &why), ERR_DENIED);
    assert_int_equal(auth_admin_disable(m, STR("no@example.com"), true, f->arena, &why),
                     ERR_NOT_FOUND);
    struct signed_in s = registered(f, "asha@example.com");
    f->house->now_us += US_PER_S;
    assert_int_equal(auth_admin_disable(m, str_from(s.id), true, f->arena, &why), 0);
    f->house->now_us += 2 * US_PER_S; /* the pump looks for what others wrote once a second */
    house_settle(f->house);
    assert_int_equal(me_status(f, s.access), 401); /* the running server has heard of it */
    struct buf out;
    buf_init(&out, f->arena, 256);
    assert_int_equal(auth_admin_list(m, ROLE_NONE, list_one, &out, f->arena, &why), 0);
    assert_true(str_is(buf_str(&out), "boss@example.com admin\n"
                                      "asha@example.com customer disabled\n"));
    auth_admin_free(m);
    store->ops->close(store);
}

/* ---- two administrators, each taken away by another process in the same moment ---- */

/* A handle in whose Nth commit, just before it, the other process does the whole of its own. */
struct raced_store {
    struct store store;
    struct store_ops ops;
    struct store *real;
    struct auth_admin *other;
    struct str victim; /* whom the other takes away */
    struct arena *arena;
    int commits_until;
    int outcome; /* of the other's */
};

static int raced_commit(struct store *s, struct store_change *changes, int32_t count,
                        const int64_t *seqs, int32_t seq_count) {
    struct raced_store *r = (struct raced_store *)s;
    struct str why;
    if (r->commits_until-- == 0)
        r->outcome = auth_admin_disable(r->other, r->victim, true, r->arena, &why);
    return r->real->ops->commit(r->real, changes, count, seqs, seq_count);
}
static int raced_get(struct store *s, const struct store_collection *c, struct str id,
                     struct arena *a, struct store_doc *ret) {
    struct store *real = ((struct raced_store *)s)->real;
    return real->ops->get(real, c, id, a, ret);
}
static int raced_list(struct store *s, const struct store_query *q, struct arena *a,
                      struct store_doc **ret_docs, int32_t *ret_count) {
    struct store *real = ((struct raced_store *)s)->real;
    return real->ops->list(real, q, a, ret_docs, ret_count);
}

struct count {
    int admins;
};
static void count_admin(void *arg, const struct account *account) {
    ((struct count *)arg)->admins += account_is_admin(account) ? 1 : 0;
}

static void two_processes_leave_one_admin(void **state) {
    struct fixture *f = *state;
    for (int at = 0; at < 4; at++) { /* the commit before which the other one comes */
        struct memory_disk *disk = memory_disk_new();
        struct store *stores[] = {memory_disk_join(disk, true, 1, NULL),
                                  memory_disk_join(disk, true, 2, NULL)};
        struct raced_store raced = {.real = stores[0], .arena = f->arena, .commits_until = -1};
        raced.ops =
            (struct store_ops){.get = raced_get, .list = raced_list, .commit = raced_commit};
        raced.store.ops = &raced.ops;
        struct auth_admin_options o = {
            .store = &raced.store, .entropy = &f->house->entropy, .clock = &f->house->clock};
        struct auth_admin *one = auth_admin_new(&o);
        o.store = stores[1];
        raced.other = auth_admin_new(&o);
        struct str ids[2], why = STR_NONE;
        for (int i = 0; i < 2; i++) {
            struct auth_admin_user boss = {.email = arena_printf(f->arena, "boss%d@example.com", i),
                                           .name = STR("Boss"),
                                           .password = STR(PASSWORD),
                                           .role = ROLE_ADMIN};
            assert_int_equal(auth_admin_add(one, &boss, f->arena, &ids[i], &why), 0);
        }
        raced.victim = ids[0];
        raced.commits_until = at;
        int err = auth_admin_disable(one, ids[1], true, f->arena, &why);
        struct count left = {0};
        assert_int_equal(auth_admin_list(one, ROLE_ADMIN, count_admin, &left, f->arena, &why), 0);
        assert_int_equal(left.admins, 1);
        if (at == 0) /* the other was the first, and this one sees it */
            assert_true(raced.outcome == 0 && err == ERR_DENIED);
        if (at == 1) /* this one was under way, and the other is told so */
            assert_true(raced.outcome == ERR_BUSY && err == 0);
        auth_admin_free(one);
        auth_admin_free(raced.other);
        for (int i = 0; i < 2; i++)
            stores[i]->ops->close(stores[i]);
        memory_disk_free(disk);
    }
}

/* What was taken up and then left lying for long is not done any more. */
static void an_admin_leaves_in_time(void **state) {
    (void)state;
    assert_true(leaving_holds(1, 1 + LEAVING_US / 2));
    assert_false(leaving_holds(1, 2 + LEAVING_US / 2));
    assert_false(leaving_holds(0, 1));
}

/* ---- what people may be called, reached at and let in by ---- */

static void emails_are_looked_at(void **state) {
    struct fixture *f = *state;
    static const char *const good[] = {"a@b", "asha@example.com", "a.b+c@x-y.example",
                                       "o'neil@example.co.uk", "1@1.example"};
    static const char *const bad[] = {"",
                                      "@",
                                      "a@",
                                      "@b",
                                      "a",
                                      "a@b@c",
                                      "a b@c.example",
                                      "a@b c",
                                      "a@.example",
                                      "a@b..c",
                                      "a@b.",
                                      "a@-b",
                                      "a@b-",
                                      "a\x01@b",
                                      "a@b\x7f",
                                      "\xc3\xa5sa@example.com",
                                      "a@ex_ample.com",
                                      "<a@b>",
                                      "\"a\"@b",
                                      "a,b@c",
                                      "a@[127.0.0.1]"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_null(email_fault(str_from(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_non_null(email_fault(str_from(bad[i])));
    char *text = arena_bytes(f->arena, 400);
    memset(text, 'a', 400);
    text[64] = '@'; /* 64 before it are as many as there may be */
    for (int i = 128; i < 400; i += 64)
        text[i] = '.';
    assert_null(email_fault((struct str){text, 254}));
    assert_non_null(email_fault((struct str){text, 255}));
    text[64] = 'a';
    text[65] = '@';
    assert_non_null(email_fault((struct str){text, 120}));
}

static void phones_and_passwords_are_looked_at(void **state) {
    (void)state;
    static const char *const phones[] = {"+46701234567", "0701234567", "112112"};
    static const char *const not_phones[] = {
        "", "+", "+46 70", "12345", "+1234567890123456", "07O1234567", "++46701234567"};
    for (size_t i = 0; i < COUNT_OF(phones); i++)
        assert_null(phone_fault(str_from(phones[i])));
    for (size_t i = 0; i < COUNT_OF(not_phones); i++)
        assert_non_null(phone_fault(str_from(not_phones[i])));
    static const char *const common[] = {"password", "PassWord1",  "12345678", "Qwertyuiop",
                                         "iloveyou", "zxcvbnm123", "00000000"};
    for (size_t i = 0; i < COUNT_OF(common); i++)
        assert_non_null(password_fault(str_from(common[i]), STR("a@b")));
    assert_null(password_fault(STR(PASSWORD), STR("asha@example.com")));
    assert_null(password_fault(STR(PASSWORD), STR_NONE));
    assert_non_null(password_fault(STR("ASHABERG9"), STR("ashaberg9@example.com")));
    assert_true(common_password_count >= 1000);
    for (int32_t i = 0; i < common_password_count; i++) { /* or the search would miss some */
        assert_true(strlen(common_passwords[i]) >= PASSWORD_MIN_CHARS);
        for (const char *c = common_passwords[i]; *c != 0; c++)
            assert_false(*c >= 'A' && *c <= 'Z');
        if (i > 0)
            assert_true(strcmp(common_passwords[i - 1], common_passwords[i]) < 0);
    }
}

static void schemas_are_sound(void **state) {
    (void)state;
    for (size_t i = 0; i < AUTH_ROUTES; i++) {
        if (auth_routes[i].body != NULL)
            assert_null(schema_fault(auth_routes[i].body));
    }
    const struct aggregate *aggregates[] = {&account_aggregate, &reservation_aggregate,
                                            &session_aggregate, &key_ring_aggregate};
    for (size_t i = 0; i < COUNT_OF(aggregates); i++)
        assert_null(schema_fault(aggregates[i]->schema));
}

/* ---- trouble below ---- */

/* Whatever the store does, a register or login that says yes is there, and no e-mail has two
 * accounts. */
static void a_store_that_fails_loses_nothing(void **state) {
    struct fixture *f = *state;
    f->house->faults.busy = 0.05;
    f->house->faults.io = 0.05;
    f->house->faults.conflict = 0.1;
    f->house->faults.unknown_committed = 0.1;
    f->house->faults.unknown_lost = 0.1;
    int made = 0;
    for (int i = 0; i < 60; i++) {
        const char *email = arena_printf(f->arena, "u%d@example.com", i).p;
        struct signed_in s = signed_in(f, try_register(f, email, "driver"));
        if (s.status != 201) {
            assert_true(s.status == 503 || s.status == 409);
            continue;
        }
        made++;
        assert_int_equal(me_status(f, s.access), 200);
        struct signed_in next = refresh(f, s.refresh);
        assert_true(next.status == 200 || next.status == 503);
        int again = try_register(f, email, "driver").status;
        assert_true(again == 409 || again == 503);
    }
    f->house->faults = (struct memory_store_faults){.rng = &f->house->rng};
    assert_true(made > 10);
}

/* ---- the real hasher ---- */

struct waited {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int done;
};

static void count_done(struct hash_job *job) {
    struct waited *w = job->arg;
    pthread_mutex_lock(&w->lock);
    w->done++;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static void wait_for(struct waited *w, int done) {
    pthread_mutex_lock(&w->lock);
    while (w->done < done)
        pthread_cond_wait(&w->cond, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static void argon2id_on_threads(void **state) {
    (void)state;
    struct waited w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct hasher *h = hasher_argon2id_new(
        &(struct hasher_options){.workers = 2, .queue_max = 4, .memory_bytes = 65536, .passes = 1});
    assert_non_null(h);
    struct hash_job make = {.password = STR(PASSWORD), .done = count_done, .arg = &w};
    assert_int_equal(h->ops->submit(h, &make), 0);
    wait_for(&w, 1);
    assert_int_equal(make.result, 0);
    assert_int_equal(strncmp(make.hash, "$argon2id$v=19$m=64,t=1,p=1$", 28), 0);
    struct hash_job jobs[3] = {make, make, make};
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        jobs[i].verify = true;
    jobs[1].password = STR("correct horse 8");
    strcpy(jobs[2].hash, h->dummy);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        assert_int_equal(h->ops->submit(h, &jobs[i]), 0);
    wait_for(&w, 4);
    assert_int_equal(jobs[0].result, 0);
    assert_int_equal(jobs[1].result, ERR_DENIED);
    assert_int_equal(jobs[2].result, ERR_DENIED);
    /* Full is refused, and what waits at the end is told so. */
    struct hash_job many[64];
    int taken = 0;
    bool refused = false;
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = make;
        many[i].result = 1;
        int err = h->ops->submit(h, &many[i]);
        assert_true(err == 0 || err == ERR_FULL);
        taken += err == 0;
        refused = refused || err == ERR_FULL;
    }
    assert_true(refused);
    h->ops->close(h);
    assert_int_equal(w.done, 4 + taken);
}

/* The dummy must cost what a real hash costs: libsodium must take its text for one. */
static void the_dummy_is_well_formed(void **state) {
    (void)state;
    struct waited w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct hasher *h = hasher_argon2id_new(&(struct hasher_options){.workers = 1, .queue_max = 4});
    assert_non_null(h);
    struct hash_job job = {.password = STR(PASSWORD), .done = count_done, .arg = &w};
    assert_int_equal(h->ops->submit(h, &job), 0);
    wait_for(&w, 1);
    assert_int_equal(strlen(job.hash), strlen(h->dummy));
    assert_int_equal(strncmp(job.hash, h->dummy, strlen("$argon2id$v=19$m=19456,t=2,p=1$")), 0);
    int64_t real_us = clock_mono_us();
    job.verify = true;
    assert_int_equal(h->ops->submit(h, &job), 0);
    wait_for(&w, 2);
    real_us = clock_mono_us() - real_us;
    strcpy(job.hash, h->dummy);
    int64_t dummy_us = clock_mono_us();
    assert_int_equal(h->ops->submit(h, &job), 0);
    wait_for(&w, 3);
    dummy_us = clock_mono_us() - dummy_us;
    assert_int_equal(job.result, ERR_DENIED);
    assert_true(dummy_us > real_us / 10); /* not turned away for its form, which takes no time */
    h->ops->close(h);
}

/* The threaded hasher as a house of one thread can use it: submit waits for its thread. */
struct relay {
    struct hasher hasher, *real;
};

static int relay_submit(struct hasher *h, struct hash_job *job) {
    struct relay *r = (struct relay *)h;
    struct waited w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct hash_job copy = *job;
    copy.done = count_done;
    copy.arg = &w;
    int err = r->real->ops->submit(r->real, &copy);
    if (err < 0)
        return err;
    wait_for(&w, 1);
    job->result = copy.result;
    memcpy(job->hash, copy.hash, sizeof(job->hash));
    job->done(job);
    return 0;
}

static bool relay_full(struct hasher *h) {
    struct relay *r = (struct relay *)h;
    return r->real->ops->full(r->real);
}

static const struct hasher_ops relay_ops = {relay_submit, relay_full, NULL, NULL};

static void a_real_sign_in(void **state) {
    struct fixture *f = *state;
    struct relay relay = {.hasher.ops = &relay_ops,
                          .real = hasher_argon2id_new(&(struct hasher_options){
                              .workers = 2, .queue_max = 16, .memory_bytes = 65536, .passes = 1})};
    strcpy(relay.hasher.dummy, relay.real->dummy);
    reopen_with(f, &relay.hasher);
    registered(f, "asha@example.com");
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 200);
    assert_int_equal(login(f, "asha@example.com", "wrong wrong").status, 401);
    assert_int_equal(login(f, "nobody@example.com", PASSWORD).status, 401);
    relay.real->ops->close(relay.real);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(registering_signs_in),
        TEST(every_bad_field_is_named),
        TEST(an_email_is_taken_once),
        TEST(an_abandoned_reservation_is_taken_over),
        TEST(a_slow_twin_takes_nothing_over),
        TEST(a_late_account_is_not_created),
        TEST(registering_is_limited_per_address),
        TEST(an_address_of_ipv6_counts_with_its_network),
        TEST(a_name_shows),
        TEST(wrong_and_unknown_sound_the_same),
        TEST(five_wrong_ones_lock_for_a_while),
        TEST(a_stranger_locks_himself_out),
        TEST(many_strangers_lock_out_strangers),
        TEST(many_at_once_get_no_more_tries),
        TEST(refusals_are_no_tries),
        TEST(a_full_hasher_counts_nothing),
        TEST(an_address_may_not_guess_for_ever),
        TEST(a_refresh_token_serves_once),
        TEST(two_refreshes_at_once_end_the_family),
        TEST(guesses_do_no_harm),
        TEST(logging_out_ends_at_once),
        TEST(sessions_expire_and_are_forgotten),
        TEST(families_against_their_twin),
        TEST(what_has_ended_stays_ended_over_a_crash),
        TEST(disabling_ends_everything_at_once),
        TEST(a_sign_in_that_a_change_overtakes_is_refused),
        TEST(the_last_admin_stays),
        TEST(an_admin_reads_one_account),
        TEST(users_list_in_pages),
        TEST(one_may_change_name_and_phone),
        TEST(an_operator_sees_what_keys_do),
        TEST(keys_rotate_and_old_tokens_live_out),
        TEST(others_can_verify_by_the_key_set),
        TEST(operators_keep_to_the_same_rules),
        TEST(two_processes_leave_one_admin),
        TEST(an_admin_leaves_in_time),
        TEST(emails_are_looked_at),
        TEST(phones_and_passwords_are_looked_at),
        TEST(schemas_are_sound),
        TEST(a_store_that_fails_loses_nothing),
        TEST(argon2id_on_threads),
        TEST(the_dummy_is_well_formed),
        TEST(a_real_sign_in),
    };
    if (token_library_init() < 0 || r_global_init() != RHN_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    r_global_close();
    return failed;
}
