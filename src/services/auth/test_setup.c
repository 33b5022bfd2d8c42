/* The first administrator: who may make him, how often one may guess, and that there is one only.
 */
#include "services/auth/setup.h"
#include "services/auth/test_kit.h"

static const char *offer(struct fixture *f) {
    struct str code, why = STR_NONE;
    struct store *store = memory_disk_open(f->house->disk, true, NULL);
    struct auth_admin *m = auth_admin_new(&(struct auth_admin_options){
        .store = store, .entropy = &f->house->entropy, .clock = &f->house->clock});
    int err = auth_admin_offer_setup(m, f->arena, &code, &why);
    auth_admin_free(m);
    store->ops->close(store);
    return err == 0 ? arena_cstr(f->arena, code) : NULL;
}

static const char *claim_body(struct fixture *f, const char *code, const char *email) {
    return arena_printf(f->arena,
                        "{\"code\":\"%s\",\"email\":\"%s\",\"password\":\"" PASSWORD
                        "\",\"name\":\"Ada\"}",
                        code, email)
        .p;
}

static struct house_answer claim(struct fixture *f, const char *code, const char *email) {
    return ask(f, "POST", "/v1/setup/admin", NULL, claim_body(f, code, email));
}

static bool needed(struct fixture *f) {
    struct json_value v;
    struct house_answer a = ask(f, "GET", "/v1/setup", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_int_equal(json_parse(f->parser, a.body, &v), 0);
    assert_true(json_get(v, "needed", &v));
    return json_bool(v);
}

static void the_code_makes_one_administrator(void **state) {
    struct fixture *f = *state;
    assert_true(is_problem(f, claim(f, "0000-0000-0000", "a@example.com"), PROBLEM_SETUP_CODE));
    assert_true(needed(f));
    const char *code = offer(f);
    assert_non_null(code);
    struct house_answer a = claim(f, code, "Ada@Example.com");
    assert_int_equal(a.status, 201);
    assert_string_equal(text_at(f, a, "user", "role"), "admin");
    assert_string_equal(text_at(f, a, "user", "email"), "ada@example.com");
    assert_false(needed(f));
    assert_true(is_problem(f, claim(f, code, "b@example.com"), PROBLEM_SETUP_DONE));
    f->house->now_us += 2 * SETUP_CLAIM_US;
    assert_true(is_problem(f, claim(f, code, "b@example.com"), PROBLEM_SETUP_DONE));
    assert_null(offer(f)); /* nor is there another one */
}

static void the_code_is_read_as_people_write_it(void **state) {
    struct fixture *f = *state;
    const char *code = offer(f);
    char loose[2 * SETUP_CODE_TEXT_MAX];
    size_t at = 0;
    for (const char *c = code; *c != 0; c++)
        loose[at++] = *c == '-'   ? ' '
                      : *c == '0' ? 'o'
                      : *c == '1' ? 'l'
                      : *c >= 'A' ? (char)(*c - 'A' + 'a')
                                  : *c;
    loose[at] = 0;
    assert_int_equal(claim(f, loose, "a@example.com").status, 201);
}

static void a_code_ends_after_an_hour(void **state) {
    struct fixture *f = *state;
    const char *code = offer(f);
    f->house->now_us += SETUP_CODE_US;
    assert_true(is_problem(f, claim(f, code, "a@example.com"), PROBLEM_SETUP_CODE));
    const char *newer = offer(f);
    assert_true(is_problem(f, claim(f, code, "a@example.com"), PROBLEM_SETUP_CODE));
    assert_int_equal(claim(f, newer, "a@example.com").status, 201);
}

static void guesses_are_counted(void **state) {
    struct fixture *f = *state;
    const char *code = offer(f);
    for (int i = 0; i < SETUP_TRIES_MAX; i++)
        assert_true(is_problem(f, claim(f, "ZZZZ-ZZZZ-ZZZZ", "a@example.com"), PROBLEM_SETUP_CODE));
    assert_true(is_problem(f, claim(f, code, "a@example.com"), PROBLEM_SETUP_CODE));
    crash(f); /* nor does a restart of the service alone forgive them */
    assert_true(is_problem(f, claim(f, code, "a@example.com"), PROBLEM_SETUP_CODE));
    assert_int_equal(claim(f, offer(f), "a@example.com").status, 201);
}

static int admins(struct fixture *f) {
    struct store_query q = {.collection = &accounts_collection,
                            .index = accounts_collection.indexes[0],
                            .key = STR("admin"),
                            .limit = STORE_LIST_MAX};
    struct store_doc *docs;
    int32_t count;
    struct store *store = memory_disk_open(f->house->disk, false, NULL);
    assert_int_equal(store->ops->list(store, &q, f->arena, &docs, &count), 0);
    store->ops->close(store);
    return count;
}

/* Two hold the code. The first one's password takes a minute and more to hash: by then his claim is
 * over, and the second one has made his account. */
static void two_who_hold_the_code_make_one(void **state) {
    struct fixture *f = *state;
    reopen_with(f, &f->patient.hasher);
    const char *code = offer(f);
    struct house_request first =
        request(f, "POST", "/v1/setup/admin", NULL, claim_body(f, code, "a@example.com"));
    struct house_request second =
        request(f, "POST", "/v1/setup/admin", NULL, claim_body(f, code, "b@example.com"));
    struct house_answer slow, quick;
    house_begin(f->house, &first, &slow);
    house_settle(f->house);
    assert_true(is_problem(f, house_call(f->house, &second), PROBLEM_SETUP_DONE));
    f->house->now_us += SETUP_CLAIM_US + 1;
    house_begin(f->house, &second, &quick);
    house_settle(f->house);
    assert_int_equal(f->patient.count, 2);
    patient_release(&f->patient);
    house_settle(f->house);
    assert_int_equal(slow.status, 503);
    assert_int_equal(quick.status, 201);
    assert_int_equal(admins(f), 1);
}

static void what_cannot_be_an_administrator(void **state) {
    struct fixture *f = *state;
    const char *code = offer(f);
    registered(f, "asha@example.com");
    assert_true(is_problem(f, claim(f, code, "asha@example.com"), PROBLEM_EMAIL_TAKEN));
    assert_int_equal(claim(f, code, "no e-mail").status, 422);
    assert_int_equal(claim(f, "short", "a@example.com").status, 422);
    assert_int_equal(ask(f, "POST", "/v1/setup/admin", NULL, "{}").status, 422);
    assert_int_equal(ask(f, "POST", "/v1/setup/demo", NULL, NULL).status, 401);
    struct house_answer a = claim(f, code, "a@example.com"); /* none of these was a guess */
    assert_int_equal(a.status, 201);
    const char *token = text_at(f, a, "access_token", NULL);
    assert_true(is_problem(f, ask(f, "POST", "/v1/setup/demo", token, NULL), PROBLEM_SETUP_DONE));
}

static void note_fill(void *arg) {
    ++*(int *)arg;
}

static void the_city_comes_when_the_first_administrator_asks(void **state) {
    struct fixture *f = *state;
    int asked = 0;
    f->options.fill = note_fill;
    f->options.fill_arg = &asked;
    crash(f);
    const char *token = text_at(f, claim(f, offer(f), "a@example.com"), "access_token", NULL);
    assert_int_equal(ask(f, "POST", "/v1/setup/demo", token, NULL).status, 202);
    assert_int_equal(asked, 1);
    f->house->now_us += SETUP_FILL_US + 1;
    token =
        text_at(f, ask(f, "POST", "/v1/auth/login", NULL, login_body(f, "a@example.com", PASSWORD)),
                "access_token", NULL);
    assert_true(is_problem(f, ask(f, "POST", "/v1/setup/demo", token, NULL), PROBLEM_SETUP_DONE));
    assert_int_equal(asked, 1);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_code_makes_one_administrator),
        T(the_code_is_read_as_people_write_it),
        T(a_code_ends_after_an_hour),
        T(guesses_are_counted),
        T(two_who_hold_the_code_make_one),
        T(what_cannot_be_an_administrator),
        T(the_city_comes_when_the_first_administrator_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
