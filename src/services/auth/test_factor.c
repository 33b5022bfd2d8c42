/* The second factor: codes as RFC 6238 has them, and what they open and do not open. */
#include "services/auth/factor.h"
#include "services/auth/login_guard.h"
#include "services/auth/test_kit.h"

static void codes_are_those_of_the_rfc(void **state) {
    static const struct {
        int64_t at_s;
        const char *code; /* RFC 6238, appendix B, the last six digits */
    } vectors[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                   {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
    struct fixture *f = *state;
    struct str secret = totp_base32((const unsigned char *)"12345678901234567890", 20, f->arena);
    assert_true(str_is(secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"));
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        char code[TOTP_DIGITS + 1];
        int64_t step = vectors[i].at_s / 30, found = 0, now_us = vectors[i].at_s * US_PER_S;
        assert_int_equal(totp_code(secret, step, code), 0);
        assert_string_equal(code, vectors[i].code);
        for (int64_t around = step > 2 ? -2 : 0; around <= 2; around++)
            assert_int_equal(
                totp_check(secret, str_from(code), now_us + around * TOTP_STEP_US, 0, &found),
                around >= -1 && around <= 1 ? 0 : ERR_DENIED);
        assert_int_equal(totp_check(secret, str_from(code), now_us, step, &found), ERR_DENIED);
    }
    char code[TOTP_DIGITS + 1];
    static const char *const bad[] = {"", "A1", "a", "AAAA=", "A\tA"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(totp_code(str_from(bad[i]), 1, code), ERR_INVALID);
    assert_true(str_is(totp_base32((const unsigned char *)"fooba", 5, f->arena), "MZXW6YTB"));
    assert_true(str_is(totp_base32((const unsigned char *)"f", 1, f->arena), "MY"));
}

/* ---- somebody with an authenticator ---- */

static const char *code_at(struct fixture *f, const char *secret, int64_t at_us) {
    char code[TOTP_DIGITS + 1];
    assert_int_equal(totp_code(str_from(secret), at_us / TOTP_STEP_US, code), 0);
    return arena_printf(f->arena, "%s", code).p;
}

static const char *code_now(struct fixture *f, const char *secret) {
    return code_at(f, secret, f->house->now_us);
}

static struct house_answer with_code(struct fixture *f, const char *path, const char *access,
                                     const char *code) {
    return ask(f, "POST", path, access, arena_printf(f->arena, "{\"code\":\"%s\"}", code).p);
}

static struct house_answer enrol(struct fixture *f, const char *access, const char *password) {
    return ask(f, "POST", "/v1/me/second-factor", access,
               arena_printf(f->arena, "{\"password\":\"%s\"}", password).p);
}

#define CONFIRM "/v1/me/second-factor/confirm"
#define REMOVE "/v1/me/second-factor/remove"

static struct house_answer login_code(struct fixture *f, const char *email, const char *code) {
    return ask(f, "POST", "/v1/auth/login", NULL,
               arena_printf(f->arena,
                            "{\"email\":\"%s\",\"password\":\"" PASSWORD "\",\"code\":\"%s\"}",
                            email, code)
                   .p);
}

/* His secret; RECOVERY is set to the n-th of his codes. */
static const char *enrolled(struct fixture *f, const char *access, int n,
                            const char **ret_recovery) {
    struct house_answer a = enrol(f, access, PASSWORD);
    assert_int_equal(a.status, 200);
    const char *secret = text_at(f, a, "secret", NULL);
    a = with_code(f, CONFIRM, access, code_now(f, secret));
    assert_int_equal(a.status, 200);
    assert_int_equal(count_at(f, a, "recovery_codes"), RECOVERY_CODES);
    struct json_value v, codes;
    assert_int_equal(json_parse(f->parser, a.body, &v), 0);
    assert_true(json_get(v, "recovery_codes", &codes));
    for (struct json_iter it = json_iter(codes); json_next(&it);) {
        if (n-- == 0 && ret_recovery != NULL)
            *ret_recovery = arena_cstr(f->arena, json_text(it.value));
    }
    house_advance(f->house, US_PER_S);
    return secret;
}

static void enrolling_takes_password_and_code(void **state) {
    struct fixture *f = *state;
    struct signed_in other = registered(f, "asha@example.com");
    house_advance(f->house, US_PER_S);
    struct signed_in s = signed_in(f, login(f, "asha@example.com", PASSWORD));
    assert_true(
        is_problem(f, with_code(f, CONFIRM, s.access, "123456"), PROBLEM_SECOND_FACTOR_STATE));
    assert_true(is_problem(f, enrol(f, s.access, "wrong wrong"), PROBLEM_NOT_CONFIRMED));
    struct house_answer a = enrol(f, s.access, PASSWORD);
    const char *secret = text_at(f, a, "secret", NULL);
    assert_int_equal(strlen(secret), 32);
    assert_string_equal(text_at(f, a, "otpauth_uri", NULL),
                        arena_printf(f->arena,
                                     "otpauth://totp/Lorry:asha%%40example.com?secret=%s"
                                     "&issuer=Lorry&algorithm=SHA1&digits=6&period=30",
                                     secret)
                            .p);
    /* Not in force yet: nobody is locked out by a secret that never reached an authenticator. */
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 200);
    const char *before = code_at(f, secret, f->house->now_us - 3 * TOTP_STEP_US);
    assert_true(is_problem(f, with_code(f, CONFIRM, s.access, before), PROBLEM_NOT_CONFIRMED));
    a = with_code(f, CONFIRM, s.access, code_now(f, secret));
    assert_int_equal(a.status, 200);
    assert_int_equal(me_status(f, other.access), 401); /* other sessions have ended */
    a = ask(f, "GET", "/v1/me", s.access, NULL);
    assert_non_null(strstr(arena_cstr(f->arena, a.body), "\"second_factor\":true"));
    assert_null(strstr(arena_cstr(f->arena, a.body), secret));
    assert_true(is_problem(f, enrol(f, s.access, PASSWORD), PROBLEM_SECOND_FACTOR_STATE));
    static const char *const bad[] = {"", "12345", "12345678901234567890123456789012345678901",
                                      "123\\n456"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_true(
            is_problem(f, with_code(f, CONFIRM, s.access, bad[i]), PROBLEM_INVALID_REQUEST));
    assert_true(is_problem(f, ask(f, "POST", "/v1/me/second-factor", s.access, "{}"),
                           PROBLEM_INVALID_REQUEST));
}

static void signing_in_takes_a_code_once(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    const char *secret = enrolled(f, s.access, 0, NULL);
    assert_true(
        is_problem(f, login(f, "asha@example.com", PASSWORD), PROBLEM_SECOND_FACTOR_REQUIRED));
    assert_true(
        is_problem(f, login(f, "asha@example.com", "wrong wrong"), PROBLEM_INVALID_CREDENTIALS));
    /* The code that confirmed it is spent, too. */
    const char *code = code_now(f, secret);
    assert_true(is_problem(f, login_code(f, "asha@example.com", code), PROBLEM_NOT_CONFIRMED));
    house_advance(f->house, TOTP_STEP_US);
    code = code_now(f, secret);
    assert_int_equal(login_code(f, "asha@example.com", code).status, 200);
    assert_true(is_problem(f, login_code(f, "asha@example.com", code), PROBLEM_NOT_CONFIRMED));
    crash(f);
    assert_true(is_problem(f, login_code(f, "asha@example.com", code), PROBLEM_NOT_CONFIRMED));
    /* Of two at once with the same code one gets in. */
    house_advance(f->house, TOTP_STEP_US);
    struct house_answer answers[4];
    int won = 0;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct house_request r =
            request(f, "POST", "/v1/auth/login", NULL,
                    arena_printf(f->arena,
                                 "{\"email\":\"asha@example.com\",\"password\":\"" PASSWORD
                                 "\",\"code\":\"%s\"}",
                                 code_now(f, secret))
                        .p);
        r.peer = arena_printf(f->arena, "10.0.0.%d", (int)i).p;
        house_begin(f->house, &r, &answers[i]);
    }
    house_settle(f->house);
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        won += answers[i].status == 200;
    assert_int_equal(won, 1);
}

static void recovery_codes_serve_once(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    const char *recovery = NULL;
    enrolled(f, s.access, 9, &recovery);
    assert_int_equal(strlen(recovery), 19);
    char typed[32] = "";
    for (size_t i = 0, n = 0; recovery[i] != 0; i++) { /* as people type it */
        if (recovery[i] != '-')
            typed[n++] = (char)(recovery[i] >= 'A' ? recovery[i] - 'A' + 'a' : recovery[i]);
    }
    assert_int_equal(login_code(f, "asha@example.com", typed).status, 200);
    assert_true(is_problem(f, login_code(f, "asha@example.com", recovery), PROBLEM_NOT_CONFIRMED));
}

static void wrong_codes_lock_like_wrong_passwords(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    const char *secret = enrolled(f, s.access, 0, NULL);
    house_advance(f->house, 2 * TOTP_STEP_US);
    for (int i = 0; i < 20; i++) /* no code is no try */
        assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 401);
    for (int i = 0; i < 3; i++)
        assert_int_equal(login_code(f, "asha@example.com", "000000").status, 403);
    assert_int_equal(login(f, "asha@example.com", "wrong wrong").status, 401);
    assert_int_equal(with_code(f, REMOVE, s.access, "000000").status, 403);
    const char *right = code_now(f, secret);
    assert_true(is_problem(f, login_code(f, "asha@example.com", right), PROBLEM_TOO_MANY_ATTEMPTS));
    assert_true(is_problem(f, with_code(f, REMOVE, s.access, right), PROBLEM_TOO_MANY_ATTEMPTS));
    assert_true(is_problem(f, enrol(f, s.access, PASSWORD), PROBLEM_TOO_MANY_ATTEMPTS));
    house_advance(f->house, LOGIN_WINDOW_US);
    assert_int_equal(login_code(f, "asha@example.com", code_now(f, secret)).status, 200);
}

static void it_is_removed_by_code(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    assert_true(
        is_problem(f, with_code(f, REMOVE, s.access, "123456"), PROBLEM_SECOND_FACTOR_STATE));
    const char *secret = enrolled(f, s.access, 0, NULL);
    house_advance(f->house, TOTP_STEP_US);
    assert_true(is_problem(f, with_code(f, REMOVE, s.access, "000000"), PROBLEM_NOT_CONFIRMED));
    assert_int_equal(with_code(f, REMOVE, s.access, code_now(f, secret)).status, 204);
    assert_int_equal(me_status(f, s.access), 200);
    house_advance(f->house, US_PER_S);
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 200);
}

static struct house_answer reset_as(struct fixture *f, const char *id) {
    struct house_request r = {.method = "DELETE",
                              .path = arena_printf(f->arena, "/v1/users/%s/second-factor", id).p,
                              .who = house_who(f->house, ROLE_ADMIN, "usr_admin")};
    return house_call(f->house, &r);
}

static void an_admin_resets_it(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    enrolled(f, s.access, 0, NULL);
    assert_int_equal(reset_as(f, "usr_1").status, 404);
    assert_int_equal(reset_as(f, house_id(f->house, "usr").p).status, 404);
    assert_int_equal(reset_as(f, s.id).status, 204);
    assert_int_equal(reset_as(f, s.id).status, 204); /* there is none, as was asked */
    assert_int_equal(me_status(f, s.access), 401);   /* whoever he is now signs in anew */
    house_advance(f->house, US_PER_S);
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 200);
    house_settle(f->house);
    struct house_request r = {.method = "GET",
                              .path = "/v1/audit?action=user.second_factor_reset",
                              .who = house_who(f->house, ROLE_ADMIN, "usr_admin")};
    struct house_answer a = house_call(f->house, &r);
    assert_int_equal(count_at(f, a, "items"), 1);
    assert_non_null(strstr(arena_cstr(f->arena, a.body), "\"after\":{\"second_factor\":false}"));
}

static void the_shell_resets_it(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    enrolled(f, s.access, 0, NULL);
    struct store *store = memory_disk_open(f->house->disk, true, NULL);
    struct auth_admin *m = auth_admin_new(&(struct auth_admin_options){
        .store = store, .entropy = &f->house->entropy, .clock = &f->house->clock});
    struct str why;
    assert_int_equal(auth_admin_reset_factor(m, STR("nobody@example.com"), f->arena, &why),
                     ERR_NOT_FOUND);
    assert_int_equal(auth_admin_reset_factor(m, STR("Asha@example.com"), f->arena, &why), 0);
    auth_admin_free(m);
    store->ops->close(store);
    crash(f);
    house_advance(f->house, US_PER_S);
    assert_int_equal(login(f, "asha@example.com", PASSWORD).status, 200);
}

/* Who must have one and has none sees to his account, and to nothing else. */
static void who_must_have_one_is_held(void **state) {
    struct fixture *f = *state;
    f->options.require_factor = FACTOR_ADMIN;
    crash(f);
    struct signed_in admin = added(f, "root@example.com", ROLE_ADMIN);
    struct signed_in me = registered(f, "asha@example.com"); /* customers need none */
    assert_int_equal(ask(f, "PATCH", "/v1/me", me.access, "{\"name\":\"A\"}").status, 200);
    assert_int_equal(set_user(f, str_from(admin.id), me.id, "{\"role\":\"admin\"}").status, 200);
    house_advance(f->house, US_PER_S);
    me = signed_in(f, login(f, "asha@example.com", PASSWORD));
    assert_int_equal(me.status, 200);
    assert_true(
        is_problem(f, ask(f, "GET", "/v1/users", me.access, NULL), PROBLEM_SECOND_FACTOR_MISSING));
    assert_true(
        is_problem(f, ask(f, "GET", "/v1/audit", me.access, NULL), PROBLEM_SECOND_FACTOR_MISSING));
    assert_int_equal(me_status(f, me.access), 200);
    enrolled(f, me.access, 0, NULL);
    me = refresh(f, me.refresh);
    assert_int_equal(ask(f, "GET", "/v1/users", me.access, NULL).status, 200);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(codes_are_those_of_the_rfc),
        TEST(enrolling_takes_password_and_code),
        TEST(signing_in_takes_a_code_once),
        TEST(recovery_codes_serve_once),
        TEST(wrong_codes_lock_like_wrong_passwords),
        TEST(it_is_removed_by_code),
        TEST(an_admin_resets_it),
        TEST(the_shell_resets_it),
        TEST(who_must_have_one_is_held),
    };
    if (token_library_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
