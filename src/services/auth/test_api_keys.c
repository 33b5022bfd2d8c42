/* API keys: what they open, what they do not, and how they end. */
#include "services/auth/api_keys.h"
#include "services/auth/auth_service.h"
#include "services/auth/test_kit.h"

/* The service is made anew by a crash: the hook must follow. */
static void crash_with_keys(struct fixture *f) {
    house_crash(f->house);
    auth_service_free(f->auth);
    f->options.cache = f->house->cache;
    f->options.verifier = f->house->verifier;
    f->auth = auth_service_new(&f->options);
    f->house->api_key_arg = f->auth;
    struct service services[] = {auth_service(f->auth)};
    house_open(f->house, services, 1);
}

static int setup_keys(void **state) {
    setup(state);
    struct fixture *f = *state;
    f->house->api_key = auth_service_api_key;
    crash_with_keys(f);
    return 0;
}

struct made {
    const char *id, *key;
};

static struct house_answer try_make(struct fixture *f, const char *access, const char *body) {
    return ask(f, "POST", "/v1/api-keys", access, body);
}

static struct made make(struct fixture *f, const char *access, const char *scopes) {
    struct house_answer a = try_make(
        f, access, arena_printf(f->arena, "{\"name\":\"shop\",\"scopes\":[%s]}", scopes).p);
    assert_int_equal(a.status, 201);
    return (struct made){text_at(f, a, "id", NULL), text_at(f, a, "key", NULL)};
}

static int status_of(struct fixture *f, const char *method, const char *path, const char *token) {
    return ask(f, method, path, token, NULL).status;
}

static void a_key_is_shown_once_and_kept_as_a_hash(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct house_answer a = try_make(f, s.access,
                                     "{\"name\":\"till\",\"scopes\":[\"bookings:read\"],"
                                     "\"expires_in_days\":30}");
    assert_int_equal(a.status, 201);
    const char *key = text_at(f, a, "key", NULL), *id = text_at(f, a, "id", NULL);
    assert_int_equal(strlen(key), 4 + 26 + 1 + 43);
    assert_string_equal(text_at(f, a, "expires_at", NULL), "2026-12-23T10:00:00Z");
    a = ask(f, "GET", "/v1/api-keys", s.access, NULL);
    assert_int_equal(count_at(f, a, "items"), 1);
    const char *list = arena_cstr(f->arena, a.body);
    assert_non_null(strstr(list, id));
    assert_non_null(strstr(list, arena_printf(f->arena, "\"begins\":\"%.30s\"", key).p));
    assert_null(strstr(list, key));
    assert_null(strstr(list, "hash"));
    struct store *store = memory_disk_open(f->house->disk, false, NULL);
    struct store_doc doc;
    assert_int_equal(store->ops->get(store, &api_keys_collection, str_from(id), f->arena, &doc), 0);
    assert_null(strstr(arena_cstr(f->arena, doc.state), key + 31)); /* its secret part */
    store->ops->close(store);
    struct signed_in bo = registered(f, "bo@example.com");
    a = ask(f, "GET", "/v1/api-keys", bo.access, NULL);
    assert_int_equal(count_at(f, a, "items"), 0);
}

static void every_bad_field_is_named(void **state) {
    static const struct {
        const char *body, *pointer;
    } bad[] = {
        {"{\"scopes\":[\"bookings:read\"]}", "/name"},
        {"{\"name\":\"\",\"scopes\":[\"bookings:read\"]}", "/name"},
        {"{\"name\":\"a\\nb\",\"scopes\":[\"bookings:read\"]}", "/name"},
        {"{\"name\":\"a\"}", "/scopes"},
        {"{\"name\":\"a\",\"scopes\":[]}", "/scopes"},
        {"{\"name\":\"a\",\"scopes\":[\"bookings:read\",\"bookings\"]}", "/scopes/1"},
        {"{\"name\":\"a\",\"scopes\":[\"account:read\"]}", "/scopes/0"},
        {"{\"name\":\"a\",\"scopes\":[\"\"]}", "/scopes/0"},
        {"{\"name\":\"a\",\"scopes\":[1]}", "/scopes/0"},
        {"{\"name\":\"a\",\"scopes\":[\"bookings:read\"],\"expires_in_days\":0}",
         "/expires_in_days"},
        {"{\"name\":\"a\",\"scopes\":[\"bookings:read\"],\"expires_in_days\":3651}",
         "/expires_in_days"},
        {"{\"name\":\"a\",\"scopes\":[\"bookings:read\"],\"expires_days\":1}", "/expires_days"},
    };
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    int64_t before = documents(f);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct house_answer a = try_make(f, s.access, bad[i].body);
        assert_true(is_problem(f, a, PROBLEM_INVALID_REQUEST));
        assert_non_null(strstr(arena_cstr(f->arena, a.body),
                               arena_printf(f->arena, "\"pointer\":\"%s\"", bad[i].pointer).p));
    }
    assert_int_equal(documents(f), before);
}

static void a_key_opens_what_its_scopes_name(void **state) {
    struct fixture *f = *state;
    struct signed_in admin = registered(f, "root@example.com");
    struct signed_in other = added(f, "other@example.com", ROLE_ADMIN);
    assert_int_equal(set_user(f, str_from(other.id), admin.id, "{\"role\":\"admin\"}").status, 200);
    house_advance(f->house, US_PER_S);
    admin = signed_in(f, login(f, "root@example.com", PASSWORD));
    struct made users = make(f, admin.access, "\"users:read\"");
    struct made audit = make(f, admin.access, "\"audit:read\",\"users:write\"");
    assert_int_equal(status_of(f, "GET", "/v1/users", users.key), 200);
    assert_int_equal(status_of(f, "HEAD", "/v1/users", users.key), 200);
    struct house_answer a =
        ask(f, "PATCH", arena_printf(f->arena, "/v1/users/%s", admin.id).p, users.key, "{}");
    assert_true(is_problem(f, a, PROBLEM_FORBIDDEN));
    assert_non_null(strstr(arena_cstr(f->arena, a.body), "users:write"));
    assert_int_equal(status_of(f, "GET", "/v1/audit", users.key), 403);
    assert_int_equal(status_of(f, "GET", "/v1/audit", audit.key), 200);
    assert_int_equal(status_of(f, "GET", "/v1/users", audit.key), 403);
    /* Never one's own account, and no more keys. */
    assert_int_equal(status_of(f, "GET", "/v1/me", users.key), 403);
    assert_int_equal(status_of(f, "GET", "/v1/me/sessions", users.key), 403);
    assert_int_equal(status_of(f, "GET", "/v1/api-keys", users.key), 403);
    /* What it does is its account's act, with the key noted. */
    a = ask(f, "PATCH", arena_printf(f->arena, "/v1/users/%s", other.id).p, audit.key,
            "{\"disabled\":true}");
    assert_int_equal(a.status, 200);
    house_settle(f->house);
    a = ask(f, "GET", "/v1/audit?action=user.changed&limit=1", audit.key, NULL);
    assert_non_null(strstr(arena_cstr(f->arena, a.body),
                           arena_printf(f->arena, "\"key_id\":\"%s\"", audit.id).p));
    /* The role bounds it: a customer's key is a customer. */
    struct signed_in bo = registered(f, "bo@example.com");
    struct made low = make(f, bo.access, "\"users:read\"");
    assert_int_equal(status_of(f, "GET", "/v1/users", low.key), 403);
}

static void guesses_and_halves_open_nothing(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct made k = make(f, s.access, "\"bookings:read\"");
    size_t len = strlen(k.key);
    for (size_t i = 4; i < len; i++) { /* one character off, anywhere */
        char *off = arena_bytes(f->arena, len + 1);
        memcpy(off, k.key, len + 1);
        off[i] = off[i] == 'A' ? 'B' : 'A';
        assert_int_equal(status_of(f, "GET", "/v1/users", off), 401);
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(
            status_of(f, "GET", "/v1/users", arena_printf(f->arena, "%.*s", (int)cut, k.key).p),
            401);
    assert_int_equal(status_of(f, "GET", "/v1/users", k.key), 403);
    assert_int_equal(status_of(f, "GET", "/v1/users", arena_printf(f->arena, "%sA", k.key).p), 401);
}

static void a_key_ends(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct signed_in bo = registered(f, "bo@example.com");
    struct signed_in admin = added(f, "root@example.com", ROLE_ADMIN);
    struct made k = make(f, s.access, "\"users:read\"");
    const char *path = arena_printf(f->arena, "/v1/api-keys/%s", k.id).p;
    assert_int_equal(status_of(f, "DELETE", path, bo.access), 404);
    assert_int_equal(status_of(f, "DELETE", "/v1/api-keys/apk_1", s.access), 404);
    assert_int_equal(status_of(f, "GET", "/v1/users", k.key), 403); /* a customer's, and good */
    assert_int_equal(status_of(f, "DELETE", path, s.access), 204);
    assert_int_equal(status_of(f, "GET", "/v1/users", k.key), 401);
    assert_int_equal(status_of(f, "DELETE", path, s.access), 404);
    /* By an admin; and with its account. */
    k = make(f, s.access, "\"users:read\"");
    struct house_request r = {.method = "DELETE",
                              .path = arena_printf(f->arena, "/v1/api-keys/%s", k.id).p,
                              .who = house_who(f->house, ROLE_ADMIN, admin.id)};
    assert_int_equal(house_call(f->house, &r).status, 204);
    assert_int_equal(status_of(f, "GET", "/v1/users", k.key), 401);
    k = make(f, s.access, "\"users:read\"");
    assert_int_equal(set_user(f, str_from(admin.id), s.id, "{\"disabled\":true}").status, 200);
    assert_int_equal(status_of(f, "GET", "/v1/users", k.key), 401);
    assert_int_equal(set_user(f, str_from(admin.id), s.id, "{\"disabled\":false}").status, 200);
    assert_int_equal(status_of(f, "GET", "/v1/users", k.key), 403);
    crash_with_keys(f);
    assert_int_equal(status_of(f, "GET", "/v1/users", k.key), 403);
    /* By the clock: its document goes, too. */
    int64_t before = documents(f);
    f->house->now_us += 365 * US_PER_DAY - 120 * US_PER_S; /* at one go, not tick by tick */
    house_advance(f->house, 60 * US_PER_S);
    assert_int_equal(status_of(f, "GET", "/v1/users", k.key), 403);
    house_advance(f->house, 61 * US_PER_S);
    assert_int_equal(status_of(f, "GET", "/v1/users", k.key), 401);
    assert_true(documents(f) < before);
}

static void its_last_use_is_known(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct made k = make(f, s.access, "\"users:read\"");
    struct house_answer a = ask(f, "GET", "/v1/api-keys", s.access, NULL);
    assert_non_null(strstr(arena_cstr(f->arena, a.body), "\"last_used_at\":null"));
    house_advance(f->house, US_PER_S);
    status_of(f, "GET", "/v1/users", k.key);
    house_advance(f->house, 60 * US_PER_S);
    status_of(f, "GET", "/v1/users", k.key); /* so soon again is not written */
    house_settle(f->house);
    a = ask(f, "GET", "/v1/api-keys", s.access, NULL);
    assert_non_null(
        strstr(arena_cstr(f->arena, a.body), "\"last_used_at\":\"2026-11-23T10:00:01Z\""));
}

static void an_account_has_so_many(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    struct made k = {0};
    for (int i = 0; i < API_KEYS_MAX; i++)
        k = make(f, s.access, "\"bookings:read\"");
    struct house_answer a =
        try_make(f, s.access, "{\"name\":\"a\",\"scopes\":[\"bookings:read\"]}");
    assert_true(is_problem(f, a, PROBLEM_TOO_MANY_KEYS));
    assert_int_equal(
        status_of(f, "DELETE", arena_printf(f->arena, "/v1/api-keys/%s", k.id).p, s.access), 204);
    make(f, s.access, "\"bookings:read\"");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_keys, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_shown_once_and_kept_as_a_hash),
        TEST(every_bad_field_is_named),
        TEST(a_key_opens_what_its_scopes_name),
        TEST(guesses_and_halves_open_nothing),
        TEST(a_key_ends),
        TEST(its_last_use_is_known),
        TEST(an_account_has_so_many),
    };
    if (token_library_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
