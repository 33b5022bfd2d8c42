/* What goes by mail: confirming an address, a new password, another address. The mails are heard as
 * events, as the notification service hears them.
 */
#include "events/events.h"
#include "services/auth/login_guard.h"
#include "services/auth/proofs.h"
#include "services/auth/test_kit.h"

/* ---- the post ---- */

static struct {
    struct ev_mail mails[64];
    int32_t count;
    struct arena *arena;
} post;

static void on_mail(struct event_turn *t, const void *data) {
    (void)t;
    const struct ev_mail *m = data;
    assert_true(post.count < 64);
    struct ev_mail *kept = &post.mails[post.count++];
    *kept = *m;
    struct str *texts[] = {&kept->user_id, &kept->to,   &kept->template, &kept->language,
                           &kept->name,    &kept->code, &kept->link};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (texts[i]->p != NULL)
            *texts[i] = arena_str(post.arena, *texts[i]);
    }
}

static const struct event_entry post_events[] = {{EV_MAIL_WANTED, &ev_mail_schema, on_mail}};
static const struct service_def post_def = {
    .name = "post", .events = post_events, .event_count = COUNT_OF(post_events)};

static void open_with_post(struct fixture *f) {
    house_crash(f->house);
    auth_service_free(f->auth);
    f->options.cache = f->house->cache;
    f->options.verifier = f->house->verifier;
    f->auth = auth_service_new(&f->options);
    struct service services[] = {auth_service(f->auth), {.def = &post_def, .self = &post}};
    house_open(f->house, services, 2);
}

static int setup_post(void **state) {
    setup(state);
    struct fixture *f = *state;
    f->options.sends_mail = true;
    f->options.public_url = "https://lorry.example.com";
    post.count = 0;
    post.arena = f->arena;
    open_with_post(f);
    return 0;
}

/* The newest mail of a template; there must be one. */
static struct ev_mail mail(struct fixture *f, const char *template, const char *to) {
    house_settle(f->house);
    for (int32_t i = post.count; i-- > 0;) {
        if (str_is(post.mails[i].template, template)) {
            assert_true(str_is(post.mails[i].to, to));
            return post.mails[i];
        }
    }
    fail_msg("no %s was sent", template);
    return (struct ev_mail){0};
}

static int32_t mails(struct fixture *f, const char *template) {
    int32_t count = 0;
    house_settle(f->house);
    for (int32_t i = 0; i < post.count; i++)
        count += str_is(post.mails[i].template, template);
    return count;
}

static struct house_answer post_json(struct fixture *f, const char *path, const char *access,
                                     const char *format, const char *a, const char *b) {
    char body[600];
    snprintf(body, sizeof(body), format, a, b); /* NOLINT: the tests' own formats */
    return ask(f, "POST", path, access, arena_printf(f->arena, "%s", body).p);
}

#define NEW_PASSWORD "another horse 7"
#define ASK_RESET(f, email)                                                                        \
    post_json(f, "/v1/auth/password-reset", NULL, "{\"email\":\"%s\"}%s", email, "")
#define RESET(f, token)                                                                            \
    post_json(f, "/v1/auth/password-reset/confirm", NULL,                                          \
              "{\"token\":\"%s\",\"new_password\":\"%s\"}", token, NEW_PASSWORD)
#define CONFIRM(f, token)                                                                          \
    post_json(f, "/v1/auth/email/confirm", NULL, "{\"token\":\"%s\"}%s", token, "")

static const char *code(struct fixture *f, struct ev_mail m) {
    return arena_cstr(f->arena, m.code);
}

static bool verified(struct fixture *f, const char *access) {
    struct house_answer a = ask(f, "GET", "/v1/me", access, NULL);
    return strstr(arena_cstr(f->arena, a.body), "\"email_verified\":true") != NULL;
}

/* ---- an address is confirmed ---- */

static void registering_asks_for_confirmation(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct ev_mail m = mail(f, "verify_email", "asha@example.com");
    assert_true(str_is(m.user_id, s.id) && str_is(m.name, "Asha"));
    assert_true(
        str_eq(m.link, arena_printf(f->arena, "https://lorry.example.com/verify-email?token=%.*s",
                                    STR_ARG(m.code))));
    assert_false(verified(f, s.access));
    assert_int_equal(CONFIRM(f, code(f, m)).status, 204);
    assert_true(verified(f, s.access));
    assert_int_equal(me_status(f, s.access), 200); /* his sessions go on */
    assert_true(is_problem(f, CONFIRM(f, code(f, m)), PROBLEM_NOT_CONFIRMED)); /* it serves once */
    assert_int_equal(ask(f, "POST", "/v1/me/email/verify", s.access, NULL).status, 204);
    assert_int_equal(mails(f, "verify_email"), 1); /* there is nothing to confirm any more */
}

static void the_newest_counts_and_not_for_ever(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct ev_mail first = mail(f, "verify_email", "asha@example.com");
    assert_int_equal(ask(f, "POST", "/v1/me/email/verify", s.access, NULL).status, 202);
    struct ev_mail second = mail(f, "verify_email", "asha@example.com");
    assert_true(is_problem(f, CONFIRM(f, code(f, first)), PROBLEM_NOT_CONFIRMED));
    house_advance(f->house, PROOF_VERIFY_US);
    assert_true(is_problem(f, CONFIRM(f, code(f, second)), PROBLEM_NOT_CONFIRMED));
    assert_false(verified(f, refresh(f, s.refresh).access));
    static const char *const bad[] = {"a", ".", "01M850A1E7QCRB3XG104WRR17N.", "usr_1.abc",
                                      "01M850A1E7QCRB3XG104WRR17N.AAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_true(is_problem(f, CONFIRM(f, bad[i]), PROBLEM_NOT_CONFIRMED));
    assert_true(is_problem(f, CONFIRM(f, ""), PROBLEM_INVALID_REQUEST));
}

/* ---- a new password, by mail ---- */

static void a_password_is_reset_once(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    house_advance(f->house, US_PER_S);
    assert_int_equal(ASK_RESET(f, "Asha@Example.com").status, 202);
    struct ev_mail m = mail(f, "reset_password", "asha@example.com");
    assert_int_equal(me_status(f, s.access), 200); /* asking alone changes nothing */
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 200);
    assert_true(
        is_problem(f,
                   post_json(f, "/v1/auth/password-reset/confirm", NULL,
                             "{\"token\":\"%s\",\"new_password\":\"%s\"}", code(f, m), "password"),
                   PROBLEM_INVALID_REQUEST));
    assert_int_equal(RESET(f, code(f, m)).status, 204);
    mail(f, "password_changed", "asha@example.com");
    assert_int_equal(me_status(f, s.access), 401);
    assert_int_equal(refresh(f, s.refresh).status, 401);
    house_advance(f->house, US_PER_S);
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 401);
    s = signed_in(f, login(f, "asha@example.com", NEW_PASSWORD));
    assert_int_equal(s.status, 200);
    assert_true(verified(f, s.access)); /* it came by mail */
    assert_true(is_problem(f, RESET(f, code(f, m)), PROBLEM_NOT_CONFIRMED));
}

static void a_reset_runs_out(void **state) {
    struct fixture *f = *state;
    registered(f, "asha@example.com");
    assert_int_equal(ASK_RESET(f, "asha@example.com").status, 202);
    struct ev_mail m = mail(f, "reset_password", "asha@example.com");
    house_advance(f->house, PROOF_RESET_US);
    assert_true(is_problem(f, RESET(f, code(f, m)), PROBLEM_NOT_CONFIRMED));
    /* A token for one thing is none for another. */
    assert_int_equal(ASK_RESET(f, "asha@example.com").status, 202);
    m = mail(f, "reset_password", "asha@example.com");
    assert_true(is_problem(f, CONFIRM(f, code(f, m)), PROBLEM_NOT_CONFIRMED));
    m = mail(f, "verify_email", "asha@example.com");
    assert_true(is_problem(f, RESET(f, code(f, m)), PROBLEM_NOT_CONFIRMED));
}

/* Two at once with one token: one changes the password. */
static void a_reset_is_exclusive(void **state) {
    struct fixture *f = *state;
    registered(f, "asha@example.com");
    ASK_RESET(f, "asha@example.com");
    struct ev_mail m = mail(f, "reset_password", "asha@example.com");
    struct house_answer answers[3];
    int won = 0;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct house_request r = request(
            f, "POST", "/v1/auth/password-reset/confirm", NULL,
            arena_printf(f->arena, "{\"token\":\"%.*s\",\"new_password\":\"" NEW_PASSWORD "%d\"}",
                         STR_ARG(m.code), (int)i)
                .p);
        house_begin(f->house, &r, &answers[i]);
    }
    house_settle(f->house);
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        won += answers[i].status == 204;
        assert_true(answers[i].status == 204 || answers[i].status == 403);
    }
    assert_int_equal(won, 1);
}

static void nobody_learns_who_has_an_account(void **state) {
    struct fixture *f = *state;
    registered(f, "asha@example.com");
    int64_t before = documents(f);
    struct house_answer known = ASK_RESET(f, "asha@example.com");
    struct house_answer unknown = ASK_RESET(f, "nobody@example.com");
    assert_int_equal(known.status, unknown.status);
    assert_true(str_eq(known.body, unknown.body));
    assert_int_equal(mails(f, "reset_password"), 1);
    assert_int_equal(documents(f), before);
    /* And both may be asked for so often, no oftener. */
    for (int i = 1; i < MAILS_PER_ACCOUNT_MAX; i++) {
        assert_int_equal(ASK_RESET(f, "asha@example.com").status, 202);
        assert_int_equal(ASK_RESET(f, "nobody@example.com").status, 202);
    }
    known = ASK_RESET(f, "asha@example.com");
    unknown = ASK_RESET(f, "nobody@example.com");
    assert_true(is_problem(f, known, PROBLEM_TOO_MANY_REQUESTS));
    assert_true(is_problem(f, unknown, PROBLEM_TOO_MANY_REQUESTS));
    assert_true(retry_after(known) > 0);
    house_advance(f->house, MAILS_WINDOW_US);
    assert_int_equal(ASK_RESET(f, "asha@example.com").status, 202);
    assert_true(is_problem(f, ASK_RESET(f, "no address"), PROBLEM_INVALID_REQUEST));
}

/* ---- a new password, by the old one ---- */

static void a_password_is_changed_by_its_owner(void **state) {
    struct fixture *f = *state;
    struct signed_in other = registered(f, "asha@example.com");
    ASK_RESET(f, "asha@example.com");
    struct ev_mail m = mail(f, "reset_password", "asha@example.com");
    house_advance(f->house, US_PER_S);
    struct signed_in here = signed_in(f, login(f, "asha@example.com", PASSWORD));
    static const char change[] = "{\"password\":\"%s\",\"new_password\":\"%s\"}";
    assert_true(is_problem(
        f, post_json(f, "/v1/me/password", here.access, change, "wrong wrong", NEW_PASSWORD),
        PROBLEM_NOT_CONFIRMED));
    assert_true(is_problem(f,
                           post_json(f, "/v1/me/password", here.access, change, PASSWORD, "short"),
                           PROBLEM_INVALID_REQUEST));
    assert_int_equal(
        post_json(f, "/v1/me/password", here.access, change, PASSWORD, NEW_PASSWORD).status, 204);
    mail(f, "password_changed", "asha@example.com");
    assert_int_equal(me_status(f, here.access), 200); /* he goes on, all others do not */
    assert_int_equal(refresh(f, here.refresh).status, 200);
    assert_int_equal(me_status(f, other.access), 401);
    assert_int_equal(refresh(f, other.refresh).status, 401);
    assert_true(is_problem(f, RESET(f, code(f, m)), PROBLEM_NOT_CONFIRMED));
    house_advance(f->house, US_PER_S);
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 401);
    assert_int_equal(login(f, "asha@example.com", NEW_PASSWORD).status, 200);
}

/* ---- another address ---- */

static struct house_answer change_email(struct fixture *f, const char *access, const char *email) {
    return post_json(f, "/v1/me/email", access, "{\"password\":\"%s\",\"email\":\"%s\"}", PASSWORD,
                     email);
}

static void an_account_goes_to_another_address(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    assert_int_equal(change_email(f, s.access, "Asha@new.example.com").status, 202);
    struct ev_mail m = mail(f, "verify_email", "asha@new.example.com");
    assert_int_equal(login(f, "asha@new.example.com", PASSWORD).status, 401); /* not yet */
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 200);
    ASK_RESET(f, "asha@example.com");
    struct ev_mail reset = mail(f, "reset_password", "asha@example.com");
    assert_int_equal(CONFIRM(f, code(f, m)).status, 204);
    mail(f, "email_changed", "asha@example.com"); /* the old one is told */
    assert_int_equal(me_status(f, s.access), 401);
    assert_true(is_problem(f, RESET(f, code(f, reset)), PROBLEM_NOT_CONFIRMED));
    house_advance(f->house, US_PER_S);
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 401);
    s = signed_in(f, login(f, "asha@new.example.com", PASSWORD));
    assert_int_equal(s.status, 200);
    assert_true(verified(f, s.access));
    assert_true(
        is_problem(f, try_register(f, "asha@new.example.com", "driver"), PROBLEM_EMAIL_TAKEN));
    /* The old address may be had by somebody else, once nobody can be in the middle of it. */
    house_advance(f->house, RESERVATION_US);
    struct signed_in next = registered(f, "asha@example.com");
    assert_string_not_equal(next.id, s.id);
    assert_int_equal(login(f, "asha@new.example.com", PASSWORD).status, 200);
    /* And then it cannot be had back. */
    assert_int_equal(change_email(f, s.access, "asha@example.com").status, 202);
    m = mail(f, "verify_email", "asha@example.com");
    assert_true(is_problem(f, CONFIRM(f, code(f, m)), PROBLEM_EMAIL_TAKEN));
    assert_int_equal(me_status(f, s.access), 200);
}

/* Of two who go for one address one has it. */
static void an_address_goes_to_one(void **state) {
    struct fixture *f = *state;
    struct signed_in s[2] = {registered(f, "asha@example.com"), registered(f, "bo@example.com")};
    const char *codes[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(change_email(f, s[i].access, "one@example.com").status, 202);
        codes[i] = code(f, mail(f, "verify_email", "one@example.com"));
    }
    struct house_answer answers[2];
    for (int i = 0; i < 2; i++) {
        struct house_request r = request(f, "POST", "/v1/auth/email/confirm", NULL,
                                         arena_printf(f->arena, "{\"token\":\"%s\"}", codes[i]).p);
        house_begin(f->house, &r, &answers[i]);
    }
    house_settle(f->house);
    assert_true((answers[0].status == 204) != (answers[1].status == 204));
    assert_true(is_problem(f, answers[answers[0].status == 204], PROBLEM_EMAIL_TAKEN));
}

/* A crash between the reservation and the change: the same token goes through again. */
static void a_change_that_was_cut_goes_on(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    f->house->faults.busy = 0.1;
    f->house->faults.io = 0.1;
    f->house->faults.unknown_committed = 0.1;
    f->house->faults.unknown_lost = 0.1;
    int moved = 0;
    for (int i = 0; i < 20 && moved < 5; i++) {
        char email[64];
        snprintf(email, sizeof(email), "asha%d@example.com", i);
        int32_t before = mails(f, "verify_email");
        if (change_email(f, s.access, email).status != 202 || mails(f, "verify_email") == before)
            continue;
        const char *token = code(f, mail(f, "verify_email", email));
        int status = 503;
        for (int tries = 0; tries < 20 && status == 503; tries++)
            status = CONFIRM(f, token).status;
        assert_true(status == 204 || status == 403); /* 403: the 204 was lost */
        house_advance(f->house, 3600 * US_PER_S);
        for (int tries = 0; tries < 20; tries++) {
            s = signed_in(f, login(f, email, PASSWORD));
            if (s.status == 200)
                break;
            assert_int_equal(s.status, 503);
        }
        moved++;
    }
    assert_int_equal(moved, 5);
}

static void bad_bodies_are_told(void **state) {
    static const struct {
        const char *path, *body, *pointer;
    } bad[] = {
        {"/v1/auth/password-reset", "{}", "/email"},
        {"/v1/auth/password-reset", "{\"email\":\"a@b@c\"}", "/email"},
        {"/v1/auth/password-reset/confirm", "{\"new_password\":\"a long enough one\"}", "/token"},
        {"/v1/auth/password-reset/confirm", "{\"token\":\"x\",\"new_password\":\"short\"}",
         "/new_password"},
        {"/v1/auth/password-reset/confirm", "{\"token\":\"x\",\"new_password\":\"password123\"}",
         "/new_password"},
        {"/v1/auth/email/confirm", "{\"token\":7}", "/token"},
        {"/v1/me/password", "{\"new_password\":\"a long enough one\"}", "/password"},
        {"/v1/me/password", "{\"password\":\"x\",\"new_password\":\"12345678\"}", "/new_password"},
        {"/v1/me/email", "{\"password\":\"x\",\"email\":\"nowhere\"}", "/email"},
        {"/v1/me/email", "{\"email\":\"a@example.com\"}", "/password"},
    };
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct house_answer a = ask(f, "POST", bad[i].path, s.access, bad[i].body);
        assert_true(is_problem(f, a, PROBLEM_INVALID_REQUEST));
        assert_non_null(strstr(arena_cstr(f->arena, a.body),
                               arena_printf(f->arena, "\"pointer\":\"%s\"", bad[i].pointer).p));
    }
}

static void without_mail_it_says_so(void **state) {
    struct fixture *f = *state;
    f->options.sends_mail = false;
    open_with_post(f);
    struct signed_in s = registered(f, "asha@example.com");
    assert_true(is_problem(f, ASK_RESET(f, "asha@example.com"), PROBLEM_NO_MAIL));
    assert_true(is_problem(f, change_email(f, s.access, "a@example.com"), PROBLEM_NO_MAIL));
    assert_true(
        is_problem(f, ask(f, "POST", "/v1/me/email/verify", s.access, NULL), PROBLEM_NO_MAIL));
    house_settle(f->house);
    assert_int_equal(post.count, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_post, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(registering_asks_for_confirmation),
        TEST(the_newest_counts_and_not_for_ever),
        TEST(a_password_is_reset_once),
        TEST(a_reset_runs_out),
        TEST(a_reset_is_exclusive),
        TEST(nobody_learns_who_has_an_account),
        TEST(a_password_is_changed_by_its_owner),
        TEST(an_account_goes_to_another_address),
        TEST(an_address_goes_to_one),
        TEST(a_change_that_was_cut_goes_on),
        TEST(bad_bodies_are_told),
        TEST(without_mail_it_says_so),
    };
    if (token_library_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
