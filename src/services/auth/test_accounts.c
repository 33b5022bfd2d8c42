/* Sessions as their owner sees them, and the log of what admins do. */
#include "services/auth/audit_log.h"
#include "services/auth/test_kit.h"

/* ---- sessions ---- */

static struct signed_in login_from(struct fixture *f, const char *email, const char *device) {
    struct house_request r =
        request(f, "POST", "/v1/auth/login", NULL, login_body(f, email, PASSWORD));
    r.headers[0] = (struct header){STR("user-agent"), str_from(device)};
    return signed_in(f, house_call(f->house, &r));
}

static struct house_answer sessions(struct fixture *f, const char *access) {
    return ask(f, "GET", "/v1/me/sessions", access, NULL);
}

static const char *sid_of(struct fixture *f, const char *refresh) {
    return arena_printf(f->arena, "%.*s", 30, refresh).p;
}

static bool mentions(struct fixture *f, struct house_answer a, const char *format,
                     const char *what) {
    char text[256];
    snprintf(text, sizeof(text), format, what);
    return strstr(arena_cstr(f->arena, a.body), text) != NULL;
}

static void sessions_are_listed(void **state) {
    struct fixture *f = *state;
    struct signed_in first = registered(f, "asha@example.com");
    registered(f, "bo@example.com");
    house_advance(f->house, US_PER_S);
    struct signed_in phone = login_from(f, "asha@example.com", "Phone/1.0 (sm\xC3\xA5rt)\x01");
    struct house_answer a = sessions(f, phone.access);
    assert_int_equal(a.status, 200);
    assert_int_equal(count_at(f, a, "items"), 2); /* and nobody else's */
    assert_true(mentions(f, a, "\"id\":\"%s\",\"current\":true,\"device\":\"Phone/1.0 (smrt)\"",
                         sid_of(f, phone.refresh)));
    assert_true(mentions(f, a, "\"id\":\"%s\",\"current\":false,\"device\":null",
                         sid_of(f, first.refresh)));
    assert_true(mentions(f, a, "\"last_used_at\":\"%s\"", "2026-11-23T10:00:00Z"));
    assert_false(mentions(f, a, "%s", "hash"));
    house_advance(f->house, 5 * US_PER_S);
    struct signed_in again = refresh(f, first.refresh);
    a = sessions(f, again.access);
    assert_true(mentions(f, a, "\"last_used_at\":\"%s\"", "2026-11-23T10:00:06Z"));
    /* In pages, and not with another's cursor words. */
    a = ask(f, "GET", "/v1/me/sessions?limit=1", phone.access, NULL);
    assert_int_equal(count_at(f, a, "items"), 1);
    const char *cursor = text_at(f, a, "next_cursor", NULL);
    assert_non_null(cursor);
    a = ask(f, "GET", arena_printf(f->arena, "/v1/me/sessions?limit=1&cursor=%s", cursor).p,
            phone.access, NULL);
    assert_true(mentions(f, a, "\"id\":\"%s\"", sid_of(f, first.refresh)));
    a = ask(f, "GET", "/v1/me/sessions?limit=0", phone.access, NULL);
    assert_true(is_problem(f, a, PROBLEM_BAD_PARAMETER));
    assert_int_equal(sessions(f, NULL).status, 401);
}

static int end_session(struct fixture *f, const char *access, const char *sid) {
    return ask(f, "DELETE", arena_printf(f->arena, "/v1/me/sessions/%s", sid).p, access, NULL)
        .status;
}

static void one_session_is_ended(void **state) {
    struct fixture *f = *state;
    struct signed_in lost = registered(f, "asha@example.com");
    struct signed_in bo = registered(f, "bo@example.com");
    house_advance(f->house, US_PER_S);
    struct signed_in here = login_from(f, "asha@example.com", "here");
    const char *sid = sid_of(f, lost.refresh);
    assert_int_equal(end_session(f, bo.access, sid), 404);
    assert_int_equal(end_session(f, here.access, "ses_1"), 404);
    assert_int_equal(end_session(f, here.access, bo.id), 404);
    assert_int_equal(me_status(f, lost.access), 200);
    assert_int_equal(end_session(f, here.access, sid), 204);
    assert_int_equal(end_session(f, here.access, sid), 204); /* it has ended, as was asked */
    assert_int_equal(me_status(f, lost.access), 401);
    assert_int_equal(refresh(f, lost.refresh).status, 401);
    assert_int_equal(me_status(f, here.access), 200);
    assert_int_equal(count_at(f, sessions(f, here.access), "items"), 1);
    crash(f); /* and stays ended */
    assert_int_equal(me_status(f, lost.access), 401);
    assert_int_equal(end_session(f, here.access, sid_of(f, here.refresh)), 204);
    assert_int_equal(me_status(f, here.access), 401);
}

static void all_others_are_ended(void **state) {
    struct fixture *f = *state;
    struct signed_in lost = registered(f, "asha@example.com");
    struct signed_in bo = registered(f, "bo@example.com");
    house_advance(f->house, US_PER_S);
    struct signed_in here = login_from(f, "asha@example.com", "here");
    assert_int_equal(ask(f, "DELETE", "/v1/me/sessions", here.access, NULL).status, 204);
    for (int crashed = 0; crashed < 2; crashed++) {
        assert_int_equal(me_status(f, lost.access), 401);
        assert_int_equal(me_status(f, here.access), 200);
        assert_int_equal(me_status(f, bo.access), 200);
        crash(f);
    }
    assert_int_equal(refresh(f, lost.refresh).status, 401);
    here = refresh(f, here.refresh);
    assert_int_equal(here.status, 200);
    assert_int_equal(me_status(f, here.access), 200);
    assert_int_equal(count_at(f, sessions(f, here.access), "items"), 1);
    house_advance(f->house, US_PER_S);
    struct signed_in next = login_from(f, "asha@example.com", "next");
    assert_int_equal(ask(f, "DELETE", "/v1/me/sessions", next.access, NULL).status, 204);
    assert_int_equal(me_status(f, here.access), 401); /* what was spared once is not for ever */
    assert_int_equal(refresh(f, here.refresh).status, 401);
    assert_int_equal(ask(f, "DELETE", "/v1/me/sessions", here.access, NULL).status, 401);
    assert_int_equal(me_status(f, next.access), 200);
}

static void a_person_has_his_data(void **state) {
    struct fixture *f = *state;
    struct signed_in s = registered(f, "asha@example.com");
    registered(f, "bo@example.com");
    struct signed_in admin = added(f, "root@example.com", ROLE_ADMIN);
    assert_int_equal(ask(f, "POST", "/v1/api-keys", s.access,
                         "{\"name\":\"till\",\"scopes\":[\"bookings:read\"]}")
                         .status,
                     201);
    struct house_answer a = ask(f, "GET", "/v1/me/export", s.access, NULL);
    assert_int_equal(count_at(f, a, "elsewhere"), 6); /* a customer's */
    assert_true(mentions(f, a, "%s", "/v1/me/places"));
    assert_true(mentions(f, a, "%s", "/v1/booking-imports"));
    assert_true(mentions(f, a, "%s", "/v1/recurrences"));
    assert_int_equal(set_user(f, str_from(admin.id), s.id, "{\"role\":\"driver\"}").status, 200);
    house_advance(f->house, US_PER_S);
    s = signed_in(f, login(f, "asha@example.com", PASSWORD));
    a = ask(f, "GET", "/v1/me/export", s.access, NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(text_at(f, a, "account", "email"), "asha@example.com");
    assert_int_equal(count_at(f, a, "api_keys"), 1);
    assert_int_equal(count_at(f, a, "acts"), 1); /* he made a key */
    assert_int_equal(count_at(f, a, "acts_on_you"), 1);
    assert_int_equal(count_at(f, a, "elsewhere"), 6); /* a driver's, his cash too */
    assert_true(mentions(f, a, "\"before\":{\"role\":\"%s\"}", "customer"));
    assert_false(mentions(f, a, "%s", "hash"));
    assert_false(mentions(f, a, "%s", "bo@example.com"));
    assert_int_equal(ask(f, "GET", "/v1/me/export", NULL, NULL).status, 401);
}

/* ---- the audit log ---- */

static struct house_answer audit(struct fixture *f, const char *query) {
    struct house_request r = {.method = "GET",
                              .path = arena_printf(f->arena, "/v1/audit%s", query).p,
                              .who = house_who(f->house, ROLE_ADMIN, "usr_admin")};
    return house_call(f->house, &r);
}

static int64_t audited(struct fixture *f, const char *query) {
    struct house_answer a = audit(f, query);
    assert_int_equal(a.status, 200);
    return count_at(f, a, "items");
}

static void what_admins_do_is_kept(void **state) {
    struct fixture *f = *state;
    struct signed_in asha = registered(f, "asha@example.com");
    struct signed_in admin = added(f, "root@example.com", ROLE_ADMIN);
    assert_int_equal(audited(f, ""), 0); /* registering is nobody's office */
    assert_int_equal(set_user(f, str_from(admin.id), asha.id, "{\"role\":\"dispatcher\"}").status,
                     200);
    house_settle(f->house);
    struct house_answer a = audit(f, "");
    assert_int_equal(count_at(f, a, "items"), 1);
    assert_true(mentions(f, a, "\"action\":\"%s\",\"source\":\"api\"", "user.changed"));
    assert_true(mentions(f, a, "\"actor_id\":\"%s\",\"actor_role\":\"admin\"", admin.id));
    assert_true(mentions(f, a, "\"subject_id\":\"%s\"", asha.id));
    assert_true(mentions(f, a, "\"before\":{\"role\":\"%s\"},\"after\":{\"role\":\"dispatcher\"}",
                         "customer"));
    assert_false(mentions(f, a, "%s", "hash"));
    /* What changes nothing, and what is refused, leaves no trace. */
    assert_int_equal(set_user(f, str_from(admin.id), asha.id, "{\"role\":\"dispatcher\"}").status,
                     200);
    assert_int_equal(set_user(f, str_from(admin.id), admin.id, "{\"disabled\":true}").status, 409);
    house_settle(f->house);
    assert_int_equal(audited(f, ""), 1);
    house_advance(f->house, 10 * US_PER_S);
    assert_int_equal(set_user(f, str_from(admin.id), asha.id, "{\"disabled\":true}").status, 200);
    house_settle(f->house);
    crash(f);
    assert_int_equal(audited(f, ""), 2);
    assert_int_equal(audited(f, "?limit=1"), 1);
    assert_int_equal(audited(f, "?action=user.changed"), 2);
    assert_int_equal(audited(f, "?action=user.made"), 0);
    assert_int_equal(audited(f, arena_printf(f->arena, "?subject=%s", asha.id).p), 2);
    assert_int_equal(audited(f, arena_printf(f->arena, "?actor=%s&action=a", admin.id).p), 0);
    assert_int_equal(audited(f, "?until=2026-11-23T10:00:05Z"), 1);
    assert_int_equal(audited(f, "?from=2026-11-23T10:00:05Z"), 1);
    assert_int_equal(audited(f, "?from=2026-11-23T10:00:05Z&until=2026-11-23T10:00:06Z"), 0);
    static const char *const bad[] = {"?actor=",  "?subject=", "?action=",   "?from=then",
                                      "?until=1", "?limit=0",  "?cursor=%7e"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_true(is_problem(f, audit(f, bad[i]), PROBLEM_BAD_PARAMETER));
}

static void the_shell_is_named(void **state) {
    struct fixture *f = *state;
    struct signed_in asha = registered(f, "asha@example.com");
    struct store *store = memory_disk_open(f->house->disk, true, NULL);
    struct auth_admin *m = auth_admin_new(&(struct auth_admin_options){
        .store = store, .entropy = &f->house->entropy, .clock = &f->house->clock});
    struct str why;
    assert_int_equal(auth_admin_set_role(m, str_from(asha.id), ROLE_ADMIN, f->arena, &why), 0);
    auth_admin_free(m);
    store->ops->close(store);
    crash(f); /* who starts next takes the event over */
    house_settle(f->house);
    struct house_answer a = audit(f, "");
    assert_true(mentions(f, a, "\"source\":\"shell\",\"actor_id\":%s", "null"));
}

/* However often an event comes, one entry; whatever the store does, no change without one. */
static void every_change_has_one_entry(void **state) {
    struct fixture *f = *state;
    struct signed_in asha = registered(f, "asha@example.com");
    struct signed_in admin = added(f, "root@example.com", ROLE_ADMIN);
    f->house->faults.busy = 0.05;
    f->house->faults.io = 0.05;
    f->house->faults.conflict = 0.1;
    f->house->faults.unknown_committed = 0.1;
    f->house->faults.unknown_lost = 0.1;
    int64_t changes = 0;
    for (int i = 0; i < 30; i++) {
        struct house_answer a =
            set_user(f, str_from(admin.id), asha.id,
                     i % 2 == 0 ? "{\"disabled\":true}" : "{\"disabled\":false}");
        assert_true(a.status == 200 || a.status == 503);
        if (i % 7 == 6)
            crash(f);
    }
    f->house->faults = (struct memory_store_faults){.rng = &f->house->rng};
    house_advance(f->house, 60 * US_PER_S);
    struct house_answer me = set_user(f, str_from(admin.id), asha.id, "{}");
    struct json_value v, version;
    assert_int_equal(json_parse(f->parser, me.body, &v), 0);
    assert_true(json_get(v, "version", &version));
    assert_int_equal(json_i64(version, &changes), 0);
    assert_true(changes > 5);
    assert_int_equal(audited(f, "?limit=200"), changes - 1);
}

static void old_entries_go(void **state) {
    struct fixture *f = *state;
    struct signed_in asha = registered(f, "asha@example.com");
    struct signed_in admin = added(f, "root@example.com", ROLE_ADMIN);
    f->options.audit_days = 1;
    crash(f);
    assert_int_equal(set_user(f, str_from(admin.id), asha.id, "{\"role\":\"driver\"}").status, 200);
    house_settle(f->house);
    house_advance(f->house, 20 * INT64_C(3600) * US_PER_S);
    assert_int_equal(audited(f, ""), 1);
    house_advance(f->house, 5 * INT64_C(3600) * US_PER_S);
    assert_int_equal(audited(f, ""), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(sessions_are_listed),        TEST(one_session_is_ended),   TEST(all_others_are_ended),
        TEST(a_person_has_his_data),      TEST(what_admins_do_is_kept), TEST(the_shell_is_named),
        TEST(every_change_has_one_entry), TEST(old_entries_go),
    };
    if (token_library_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
