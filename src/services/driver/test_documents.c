/* Documents, through the routes: sent, looked at, expiring, and what follows for their driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/timestamp.h"
#include "services/driver/documents.h"
#include "services/driver/test_rig.h"

#include <stdio.h>
#include <string.h>

#define DOCUMENTS "/v1/driver/documents"
#define DUTY "/v1/driver/duty"
#define ON "{\"duty\":\"on\"}"
#define VAN "{\"vehicle\":{\"class\":\"van\",\"plate\":\"A\",\"capacity_kg\":800}}"

static bool has(struct str text, const char *part) {
    return memmem(text.p, text.len, part, strlen(part)) != NULL;
}
#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (!has(text, part))                                                                      \
            fail_msg("no %s in %.*s", part, STR_ARG(text));                                        \
    } while (0)

static const char *of(struct rig *r, const char *user, const char *rest) {
    return arena_printf(&r->arena, "/v1/drivers/%s%s", rig_driver_id(r, user), rest).p;
}

/* Sends one of KIND that expires in DAYS (0: never); returns its id. */
static struct str send(struct rig *r, const char *user, const char *kind, int64_t days) {
    char at[TIMESTAMP_TEXT_MAX];
    timestamp_format(r->house->now_us + days * US_PER_DAY, at);
    struct str file = house_id(r->house, "fil");
    struct str body = arena_printf(&r->arena, "{\"kind\":\"%s\",\"file_id\":\"%.*s\"%s%s%s}", kind,
                                   STR_ARG(file), days > 0 ? ",\"expires_at\":\"" : "",
                                   days > 0 ? at : "", days > 0 ? "\"" : "");
    struct str said = rig_expect(r, 201, ROLE_DRIVER, user, "POST", DOCUMENTS, body.p);
    assert_has(said, "\"state\":\"submitted\"");
    const struct driver *d = rig_stored(r, user);
    return arena_str(&r->arena, d->documents[d->document_count - 1].id);
}

static struct str review(struct rig *r, int status, const char *user, struct str id,
                         const char *body) {
    const char *path =
        arena_printf(&r->arena, "%s/%.*s/review", of(r, user, "/documents"), STR_ARG(id)).p;
    return rig_expect(r, status, ROLE_ADMIN, NULL, "POST", path, body);
}

#define APPROVE "{\"decision\":\"approved\"}"
#define REJECT "{\"decision\":\"rejected\",\"reason\":\"blurred\"}"

static void go_on(struct rig *r, int64_t by_us) {
    r->house->now_us += by_us;
    house_settle(r->house);
}

static void test_sent_and_looked_at(void **state) {
    (void)state;
    struct rig *r = rig_new(1);
    const char *user = house_id(r->house, "usr").p;
    struct str body = rig_expect(r, 200, ROLE_DRIVER, user, "GET", DOCUMENTS, NULL);
    assert_true(str_is(body, "{\"items\":[],\"kinds\":[\"licence\",\"insurance\","
                             "\"registration\"],\"required\":false,\"lacking\":null}"));
    struct str first = send(r, user, "licence", 400);
    assert_true(str_is(r->notice.kind, "document_submitted") && r->notice.office_only);
    review(r, 200, user, first, REJECT);
    assert_true(str_is(r->notice.kind, "document_rejected"));
    assert_true(str_is(r->notice.reason, "blurred") && !r->notice.office);
    body = rig_expect(r, 200, ROLE_ADMIN, NULL, "GET", of(r, user, "/documents"), NULL);
    assert_has(body, "\"state\":\"rejected\"");
    assert_has(body, "\"reason\":\"blurred\"");
    /* the next takes its place, and its file is let go */
    struct str second = send(r, user, "licence", 400);
    assert_int_equal(rig_stored(r, user)->document_count, 1);
    assert_int_equal(r->released_count, 1);
    review(r, 404, user, first, APPROVE);
    review(r, 200, user, second, APPROVE);
    review(r, 200, user, second, APPROVE); /* heard again */
    /* a renewal waits beside it; once approved it stands alone */
    struct str third = send(r, user, "licence", 800);
    assert_int_equal(rig_stored(r, user)->document_count, 2);
    body = review(r, 200, user, third,
                  "{\"decision\":\"approved\",\"expires_at\":\"2027-12-31T00:00:00Z\"}");
    assert_has(body, "\"expires_at\":\"2027-12-31T00:00:00Z\"");
    assert_int_equal(rig_stored(r, user)->document_count, 1);
    assert_int_equal(r->released_count, 2);
    assert_has(rig_expect(r, 200, ROLE_ADMIN, NULL, "GET", of(r, user, ""), NULL),
               "\"documents_waiting\":0");
    rig_free(r);
}

static void test_bad_input(void **state) {
    (void)state;
    static const struct {
        const char *body, *pointer;
    } bad[] = {
        {"{}", "/kind"},
        {"{\"kind\":\"licence\"}", "/file_id"},
        {"{\"kind\":\"passport\",\"file_id\":\"fil_01M850A1E7QCRB3XG104WRR17N\"}", "/kind"},
        {"{\"kind\":\"Licence\",\"file_id\":\"fil_01M850A1E7QCRB3XG104WRR17N\"}", "/kind"},
        {"{\"kind\":\"licence,insurance\",\"file_id\":\"fil_01M850A1E7QCRB3XG104WRR17N\"}",
         "/kind"},
        {"{\"kind\":\"licence\",\"file_id\":\"bkg_01M850A1E7QCRB3XG104WRR17N\"}", "/file_id"},
        {"{\"kind\":\"licence\",\"file_id\":\"../../etc/passwd\"}", "/file_id"},
        {"{\"kind\":\"licence\",\"file_id\":\"fil_01M850A1E7QCRB3XG104WRR17N\","
         "\"expires_at\":\"2020-01-01T00:00:00Z\"}",
         "/expires_at"},
        {"{\"kind\":\"licence\",\"file_id\":\"fil_01M850A1E7QCRB3XG104WRR17N\","
         "\"expires_at\":\"2126-01-01T00:00:00Z\"}",
         "/expires_at"},
        {"{\"kind\":\"licence\",\"file_id\":\"fil_01M850A1E7QCRB3XG104WRR17N\","
         "\"expires_at\":\"soon\"}",
         "/expires_at"},
    };
    struct rig *r = rig_new(2);
    const char *user = house_id(r->house, "usr").p;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_has(rig_expect(r, 422, ROLE_DRIVER, user, "POST", DOCUMENTS, bad[i].body),
                   bad[i].pointer);
    assert_null(rig_stored(r, user));
    struct str id = send(r, user, "insurance", 0);
    review(r, 422, user, id, "{}");
    review(r, 422, user, id, "{\"decision\":\"expired\"}");
    assert_has(review(r, 422, user, id, "{\"decision\":\"rejected\"}"), "/reason");
    assert_has(review(r, 422, user, id,
                      "{\"decision\":\"approved\",\"expires\":\"2027-01-01T00:00:00Z\"}"),
               "\"/expires\"");
    review(r, 422, user, id, "{\"decision\":\"rejected\",\"reason\":\"\"}");
    assert_has(review(r, 422, user, id,
                      "{\"decision\":\"approved\",\"expires_at\":\"2020-01-01T00:00:00Z\"}"),
               "/expires_at");
    review(r, 404, user, STR("doc_1"), APPROVE);
    const char *path =
        arena_printf(&r->arena, "%s/%.*s/review", of(r, user, "/documents"), STR_ARG(id)).p;
    rig_expect(r, 403, ROLE_DISPATCHER, NULL, "POST", path, APPROVE);
    rig_expect(r, 403, ROLE_DRIVER, user, "POST", path, APPROVE);
    rig_expect(r, 403, ROLE_DISPATCHER, NULL, "GET", of(r, user, "/documents"), NULL);
    rig_expect(r, 404, ROLE_ADMIN, NULL, "GET", "/v1/drivers/drv_1/documents", NULL);
    rig_expect(r, 404, ROLE_ADMIN, NULL, "GET", "/v1/drivers/drv_1", NULL);
    /* of a file that is not his, nothing is kept */
    r->refuse_files = true;
    rig_expect(r, 422, ROLE_DRIVER, user, "POST", DOCUMENTS,
               "{\"kind\":\"licence\",\"file_id\":\"fil_01M850A1E7QCRB3XG104WRR17N\"}");
    assert_int_equal(rig_stored(r, user)->document_count, 1);
    static const char *const kinds[] = {"",
                                        ",",
                                        "a,",
                                        "a,,b",
                                        "A",
                                        "a b",
                                        "a,b,c,d,e,f,g,h,i",
                                        "this_word_is_longer_than_thirty_two_letters"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        assert_false(driver_document_kinds_valid(str_from(kinds[i])));
    assert_true(driver_document_kinds_valid(STR("a,b_2,c")));
    rig_free(r);
}

/* 30, 7 and 1 days before it he is reminded; then he is suspended, until a new one is approved. */
static void test_expiry(void **state) {
    (void)state;
    struct rig *r = rig_new(3);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    struct str id = send(r, user, "insurance", 40);
    review(r, 200, user, id, APPROVE);
    static const int64_t days[] = {30, 7, 1};
    int64_t end_us = rig_stored(r, user)->documents[0].expires_at_us;
    for (size_t i = 0; i < 3; i++) {
        int32_t before = r->notice_count;
        r->house->now_us = end_us - days[i] * US_PER_DAY - 2 * US_PER_S;
        house_settle(r->house);
        assert_int_equal(r->notice_count, before);
        go_on(r, 2 * US_PER_S);
        assert_int_equal(r->notice_count, before + 1);
        assert_true(str_is(r->notice.kind, "document_expires") && r->notice.office);
        assert_int_equal(r->notice.days, days[i]);
        assert_true(str_is(r->notice.document, "insurance"));
    }
    assert_int_equal(rig_stored(r, user)->duty, DUTY_ON);
    r->house->now_us = end_us;
    house_settle(r->house);
    const struct driver *d = rig_stored(r, user);
    assert_int_equal(d->status, STATUS_SUSPENDED);
    assert_int_equal(d->duty, DUTY_OFF);
    assert_int_equal(d->documents[0].state, DOCUMENT_EXPIRED);
    assert_true(str_is(d->status_reason, "insurance has expired"));
    assert_has(rig_expect(r, 200, ROLE_DRIVER, user, "GET", DOCUMENTS, NULL),
               "\"lacking\":\"insurance\"");
    rig_expect(r, 403, ROLE_DRIVER, user, "POST", DUTY, ON);
    /* nobody can lift that but by a document */
    assert_has(
        rig_expect(r, 409, ROLE_ADMIN, NULL, "PATCH", of(r, user, ""), "{\"status\":\"approved\"}"),
        "documents-lacking");
    assert_has(review(r, 409, user, id, APPROVE), "document-state");
    struct str renewed = send(r, user, "insurance", 365);
    assert_int_equal(rig_stored(r, user)->status, STATUS_SUSPENDED);
    review(r, 200, user, renewed, APPROVE);
    d = rig_stored(r, user);
    assert_int_equal(d->status, STATUS_APPROVED);
    assert_int_equal(d->document_count, 1);
    assert_true(str_is(r->notice.kind, "approved"));
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", DUTY, ON);
    rig_free(r);
}

/* Away for weeks, the server reminds of each document once, not three times. */
static void test_reminded_once_after_a_pause(void **state) {
    (void)state;
    struct rig *r = rig_new(4);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    review(r, 200, user, send(r, user, "licence", 40), APPROVE);
    int32_t before = r->notice_count;
    go_on(r, 36 * US_PER_DAY);
    assert_int_equal(r->notice_count, before + 1);
    assert_int_equal(r->notice.days, 4);
    rig_free(r);
}

/* An administrator's own suspension is not lifted by a document. */
static void test_suspended_by_the_office(void **state) {
    (void)state;
    struct rig *r = rig_new(5);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    review(r, 200, user, send(r, user, "licence", 10), APPROVE);
    go_on(r, 10 * US_PER_DAY);
    assert_true(rig_stored(r, user)->lapsed);
    rig_expect(r, 200, ROLE_ADMIN, NULL, "PATCH", of(r, user, ""),
               "{\"status\":\"suspended\",\"reason\":\"complaints\"}");
    assert_false(rig_stored(r, user)->lapsed);
    review(r, 200, user, send(r, user, "licence", 10), APPROVE);
    assert_int_equal(rig_stored(r, user)->status, STATUS_SUSPENDED);
    rig_expect(r, 200, ROLE_ADMIN, NULL, "PATCH", of(r, user, ""), "{\"status\":\"approved\"}");
    rig_free(r);
}

static void test_finishes_his_booking(void **state) {
    (void)state;
    struct rig *r = rig_new(6);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    review(r, 200, user, send(r, user, "licence", 1), APPROVE);
    struct ev_booking b = rig_booking(r, VEHICLE_VAN, 57.7, 11.97);
    struct ev_booking won =
        rig_with_offer(r, &b, house_id(r->house, "ofr"), str_from(rig_driver_id(r, user)), NULL);
    won.driver_id = str_from(rig_driver_id(r, user));
    rig_say_booking(r, EV_BOOKING_ASSIGNED, &won);
    go_on(r, US_PER_DAY);
    const struct driver *d = rig_stored(r, user);
    assert_int_equal(d->status, STATUS_SUSPENDED);
    assert_int_equal(d->duty, DUTY_BUSY);
    assert_true(driver_active(d));
    won.state = BOOKING_DELIVERED;
    rig_say_booking(r, EV_BOOKING_DELIVERED, &won);
    assert_int_equal(rig_stored(r, user)->duty, DUTY_OFF);
    rig_free(r);
}

/* Where documents are required nobody is approved without them; by hand, or by itself. */
static void test_required(void **state) {
    (void)state;
    for (int by_itself = 0; by_itself < 2; by_itself++) {
        struct rig *r = rig_new(7);
        r->options.documents_required = true;
        r->options.document_kinds = STR("licence,insurance");
        r->options.approval_auto = by_itself;
        rig_reopen(r);
        const char *user = house_id(r->house, "usr").p;
        rig_expect(r, 200, ROLE_DRIVER, user, "PUT", "/v1/driver", VAN);
        assert_int_equal(rig_stored(r, user)->status, STATUS_PENDING);
        review(r, 200, user, send(r, user, "licence", 90), APPROVE);
        assert_has(rig_expect(r, 409, ROLE_ADMIN, NULL, "PATCH", of(r, user, ""),
                              "{\"status\":\"approved\"}"),
                   "insurance is missing");
        struct str insurance = send(r, user, "insurance", 90);
        review(r, 200, user, insurance, APPROVE);
        assert_int_equal(rig_stored(r, user)->status, by_itself ? STATUS_APPROVED : STATUS_PENDING);
        rig_expect(r, 200, ROLE_ADMIN, NULL, "PATCH", of(r, user, ""), "{\"status\":\"approved\"}");
        rig_expect(r, 200, ROLE_DRIVER, user, "POST", DUTY, ON);
        /* what is taken back is missing, too */
        review(r, 200, user, insurance, REJECT);
        assert_int_equal(rig_stored(r, user)->status, STATUS_SUSPENDED);
        assert_int_equal(rig_stored(r, user)->duty, DUTY_OFF);
        rig_free(r);
    }
}

/* Who was approved before documents were required is refused when he wants to drive. */
static void test_required_later(void **state) {
    (void)state;
    struct rig *r = rig_new(8);
    const char *user = rig_driver(r, "van", 57.7, 11.97);
    rig_expect(r, 200, ROLE_DRIVER, user, "POST", DUTY, "{\"duty\":\"off\"}");
    r->options.documents_required = true;
    rig_reopen(r);
    assert_has(rig_expect(r, 409, ROLE_DRIVER, user, "POST", DUTY, ON), "licence is missing");
    rig_free(r);
}

static void test_who_may_see(void **state) {
    (void)state;
    struct rig *r = rig_new(9);
    struct file_viewer viewer = driver_service_viewer(r->service);
    struct call c = {0};
    arena_init(&c.arena, 1024);
    struct str user = house_id(r->house, "usr");
    struct str driver = id_with_prefix(&r->arena, user, "drv");
    static const struct {
        enum role role;
        bool himself, may;
    } cases[] = {{ROLE_DRIVER, true, true},    {ROLE_DRIVER, false, false},
                 {ROLE_ADMIN, false, true},    {ROLE_DISPATCHER, false, false},
                 {ROLE_CUSTOMER, true, false}, {ROLE_NONE, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        c.who.role = cases[i].role;
        c.who.user_id = cases[i].himself ? user : house_id(r->house, "usr");
        assert_int_equal(viewer.may_see(viewer.arg, &c, driver), cases[i].may);
    }
    arena_free(&c.arena);
    rig_free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sent_and_looked_at),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_reminded_once_after_a_pause),
        cmocka_unit_test(test_suspended_by_the_office),
        cmocka_unit_test(test_finishes_his_booking),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_required_later),
        cmocka_unit_test(test_who_may_see),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
