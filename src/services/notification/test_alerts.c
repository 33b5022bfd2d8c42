/* Alerts: raised and cleared by events that come late and twice, listed, acknowledged, told live.
 */
#include "services/notification/alerts.h"
#include "services/notification/test_kit.h"

static void say(struct kit *k, const char *type, const struct ev_alert *e) {
    kit_publish(k, kit_event_of(k, type, e->booking_id, &ev_alert_schema, e));
    house_settle(k->h);
}

static struct ev_alert late_of(struct kit *k, int64_t number) {
    return (struct ev_alert){.booking_id = house_id(k->h, "bkg"),
                             .driver_id = house_id(k->h, "drv"),
                             .kind = ALERT_LATE,
                             .number = number,
                             .at_us = k->h->now_us,
                             .stop = 1,
                             .eta_us = k->h->now_us + 600 * US_PER_S,
                             .promised_us = k->h->now_us + 300 * US_PER_S,
                             .distance_m = I64_ABSENT};
}

static struct house_answer staff(struct kit *k, const char *method, const char *path,
                                 const char *body) {
    return house_call(k->h, &(struct house_request){.method = method,
                                                    .path = path,
                                                    .body = body,
                                                    .who = house_who(k->h, ROLE_DISPATCHER, NULL)});
}

static bool has(struct house_answer a, const char *text) {
    return kit_has(a.body, text);
}

static const char *id_of(struct kit *k, const struct ev_alert *e) {
    return arena_printf(&k->h->arena, "%.*s_%s",
                        STR_ARG(id_with_prefix(&k->h->arena, e->booking_id, "alr")),
                        alert_kind_names[e->kind])
        .p;
}

static void test_raised_and_cleared(void **unused) {
    (void)unused;
    struct kit *k = kit_new(1, 0, 0);
    struct ev_alert e = late_of(k, 5), again = e, cleared = e;
    say(k, EV_ALERT_RAISED, &e);
    struct house_answer a = staff(k, "GET", "/v1/alerts", NULL);
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"kind\":\"late\",\"state\":\"open\"") && has(a, "\"times\":1,\"stop\":1"));
    assert_true(has(a, id_of(k, &e)) && has(a, "\"acknowledged_by\":null"));
    say(k, EV_ALERT_RAISED, &again); /* twice */
    assert_true(has(staff(k, "GET", "/v1/alerts", NULL), "\"times\":1"));
    cleared.number = 9;
    say(k, EV_ALERT_CLEARED, &cleared);
    a = staff(k, "GET", "/v1/alerts", NULL);
    assert_true(has(a, "{\"items\":[],"));
    assert_true(has(staff(k, "GET", "/v1/alerts?state=past", NULL), "\"state\":\"cleared\""));
    again.number = 7; /* what came late is over */
    say(k, EV_ALERT_RAISED, &again);
    assert_true(has(staff(k, "GET", "/v1/alerts", NULL), "{\"items\":[],"));
    again.number = 12;
    say(k, EV_ALERT_RAISED, &again);
    a = staff(k, "GET", "/v1/alerts", NULL);
    assert_true(has(a, "\"state\":\"open\"") && has(a, "\"times\":2"));
    /* a clear that overtakes its raise */
    struct ev_alert fast = late_of(k, 4);
    fast.kind = ALERT_STALE;
    say(k, EV_ALERT_CLEARED, &fast);
    fast.number = 3;
    say(k, EV_ALERT_RAISED, &fast);
    assert_false(has(staff(k, "GET", "/v1/alerts", NULL), "stale"));
    assert_false(has(staff(k, "GET", "/v1/alerts?state=past", NULL), "stale")); /* never seen */
    kit_free(k);
}

static void test_acknowledged(void **unused) {
    (void)unused;
    struct kit *k = kit_new(2, 0, 0);
    struct client *c = client_open(k, ROLE_DISPATCHER, house_id(k->h, "usr"));
    struct ev_alert e = late_of(k, 5);
    say(k, EV_ALERT_RAISED, &e);
    const char *path = arena_printf(&k->h->arena, "/v1/alerts/%s/ack", id_of(k, &e)).p;
    struct house_answer a = staff(k, "POST", path, "{\"note\":\"has been called\"}");
    assert_int_equal(a.status, 200);
    assert_true(has(a, "\"state\":\"acknowledged\"") && has(a, "\"acknowledged_by\":\"usr_") &&
                has(a, "\"note\":\"has been called\""));
    assert_true(has(staff(k, "GET", "/v1/alerts", NULL), "\"state\":\"acknowledged\""));
    struct house_answer twice = staff(k, "POST", path, NULL); /* by another: nothing changes */
    assert_true(twice.status == 200 && has(twice, "has been called"));
    house_settle(k->h);
    int32_t told = 0;
    for (int32_t i = 0; i < c->s->frame_count; i++)
        told += kit_has(c->s->frames[i], "\"alert.updated\"");
    assert_int_equal(told, 2);
    /* raised anew, for another stop: it is open again */
    e.number = 8;
    e.stop = 2;
    say(k, EV_ALERT_RAISED, &e);
    a = staff(k, "GET", "/v1/alerts", NULL);
    assert_true(has(a, "\"state\":\"open\"") && has(a, "\"note\":null"));
    /* of what nothing will clear, somebody's word is the end */
    struct ev_alert over = late_of(k, 6);
    over.kind = ALERT_UNASSIGNED;
    over.over = true;
    say(k, EV_ALERT_RAISED, &over);
    path = arena_printf(&k->h->arena, "/v1/alerts/%s/ack", id_of(k, &over)).p;
    assert_true(has(staff(k, "POST", path, NULL), "\"state\":\"cleared\""));
    assert_false(has(staff(k, "GET", "/v1/alerts", NULL), "unassigned"));
    kit_free(k);
}

/* Of a booking that was quoted long ago as of any: from the last that was done about it. */
static void test_kept(void **unused) {
    (void)unused;
    struct kit *k = kit_new(4, 0, 0);
    struct ev_alert e = late_of(k, 5);
    k->h->now_us += ALERTS_KEPT_US + US_PER_DAY;
    house_advance(k->h, 61 * US_PER_S);
    e.at_us = k->h->now_us;
    say(k, EV_ALERT_RAISED, &e);
    house_advance(k->h, 61 * US_PER_S);
    assert_true(has(staff(k, "GET", "/v1/alerts", NULL), "\"state\":\"open\""));
    k->h->now_us += ALERTS_KEPT_US;
    house_advance(k->h, 61 * US_PER_S);
    assert_false(has(staff(k, "GET", "/v1/alerts", NULL), "open"));
    kit_free(k);
}

static void test_refused(void **unused) {
    (void)unused;
    struct kit *k = kit_new(3, 0, 0);
    struct ev_alert e = late_of(k, 5);
    say(k, EV_ALERT_RAISED, &e);
    const char *path = arena_printf(&k->h->arena, "/v1/alerts/%s/ack", id_of(k, &e)).p;
    static const char *const bad[] = {"{\"note\":\"\"}", "{\"note\":3}", "[]"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(staff(k, "POST", path, bad[i]).status, 422);
    assert_int_equal(staff(k, "POST", path, "{").status, 400);
    assert_int_equal(staff(k, "POST", "/v1/alerts/alr_x/ack", NULL).status, 404);
    assert_int_equal(staff(k, "GET", "/v1/alerts?state=loud", NULL).status, 422);
    assert_int_equal(staff(k, "GET", "/v1/alerts?limit=0", NULL).status, 422);
    struct house_answer a =
        house_call(k->h, &(struct house_request){.method = "GET",
                                                 .path = "/v1/alerts",
                                                 .who = house_who(k->h, ROLE_CUSTOMER, NULL)});
    assert_int_equal(a.status, 403);
    /* events of nothing */
    struct ev_alert none = {.booking_id = STR("bkg_1"), .kind = ALERT_LATE, .number = 1};
    say(k, EV_ALERT_RAISED, &none);
    none = late_of(k, 1);
    none.kind = ALERT_NONE;
    say(k, EV_ALERT_RAISED, &none);
    assert_true(kit_all_confirmed(k));
    kit_free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raised_and_cleared),
        cmocka_unit_test(test_acknowledged),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
