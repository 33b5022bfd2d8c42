/* The in-process bus: the contract, then the waits that its header tells of. */
#include "contract.h"

#include "adapters/inproc/inproc_bus.h"
#include "adapters/inproc/inproc_signals.h"
#include "base/err.h"
#include "base/lanes.h"

static void refuse(void *consumer, struct bus_delivery *d) {
    ++*(int *)consumer;
    d->done(d, ERR_BUSY);
}

static void never(void *publisher, int64_t seq, int result) {
    (void)publisher, (void)seq, (void)result;
    fail_msg("confirmed though nobody acknowledged");
}

static void waits_double_up_to_a_bound(void **state) {
    (void)state;
    static const char *const types[] = {"t", NULL};
    struct bus *b = inproc_bus_new();
    struct event e = {STR("evt_1"), STR("t"), STR("k"), 1, STR_NONE, STR_NONE, STR("{}"), 1};
    struct inproc_bus_stats stats;
    int given = 0;
    b->ops->subscribe(b, "g", types, refuse, &given);
    assert_int_equal(b->ops->publish(b, &e, never, NULL), 0);
    int64_t now_us = 1000000, wait_us = LANES_REST_MIN_US;
    for (int i = 1; i <= 15; i++) {
        assert_int_equal(given, i);
        int64_t next_us = b->ops->poll(b, now_us);
        assert_int_equal(next_us, now_us + wait_us);
        assert_int_equal(b->ops->poll(b, next_us - 1), next_us);
        assert_int_equal(given, i);
        b->ops->poll(b, next_us);
        now_us = next_us;
        wait_us = wait_us * 2 < LANES_REST_MAX_US ? wait_us * 2 : LANES_REST_MAX_US;
    }
    inproc_bus_stats(b, &stats);
    assert_int_equal(stats.in_flight, 1);
    assert_int_equal(stats.resting, 1);
    assert_int_equal(stats.redelivered, 15);
    b->ops->close(b); /* with an event still on its way */
}

static void acknowledge(void *consumer, struct bus_delivery *d) {
    ++*(int *)consumer;
    d->done(d, 0);
}

static void hold(void *consumer, struct bus_delivery *d) {
    *(struct bus_delivery **)consumer = d;
}

static void count_confirm(void *publisher, int64_t seq, int result) {
    (void)seq;
    assert_int_equal(result, 0);
    ++*(int *)publisher;
}

/* It keeps nothing itself, so what it confirms has had its effect. */
static void confirms_when_all_have_acknowledged(void **state) {
    (void)state;
    static const char *const types[] = {"t", NULL};
    struct bus *b = inproc_bus_new();
    struct event e = {STR("evt_1"), STR("t"), STR("k"), 1, STR_NONE, STR_NONE, STR("{}"), 1};
    struct bus_delivery *held = NULL;
    int given = 0, confirmed = 0;
    b->ops->subscribe(b, "quick", types, acknowledge, &given);
    b->ops->subscribe(b, "slow", types, hold, &held);
    assert_int_equal(b->ops->publish(b, &e, count_confirm, &confirmed), 0);
    for (int64_t now_us = 1000000; now_us < 30000000; now_us += 1000000)
        b->ops->poll(b, now_us);
    assert_int_equal(given, 1);
    assert_int_equal(confirmed, 0);
    held->done(held, 0);
    assert_int_equal(confirmed, 1);
    b->ops->close(b);
}

/* An operator, or NTP, sets the clock a day back: a rest is no longer for that. */
static void clock_put_back(void **state) {
    (void)state;
    static const char *const types[] = {"t", NULL};
    struct bus *b = inproc_bus_new();
    struct event e = {STR("evt_1"), STR("t"), STR("k"), 1, STR_NONE, STR_NONE, STR("{}"), 1};
    const int64_t day_us = INT64_C(86400000000), now_us = 2 * day_us;
    int given = 0;
    b->ops->subscribe(b, "g", types, refuse, &given);
    assert_int_equal(b->ops->publish(b, &e, never, NULL), 0);
    b->ops->poll(b, now_us);
    assert_int_equal(given, 1);
    int64_t next_us = b->ops->poll(b, now_us - day_us);
    assert_int_equal(given, 2);
    assert_int_equal(next_us, now_us - day_us + 2 * LANES_REST_MIN_US);
    b->ops->close(b);
}

static void start(struct signals *s) {
    (void)s;
}

int main(void) {
    const struct signals_factory signals = {"inproc signals", inproc_signals_new, NULL, start};
    const struct bus_factory f = {.name = "inproc bus",
                                  .make = inproc_bus_new,
                                  .in_flight_max = INPROC_IN_FLIGHT_MAX,
                                  .seeds = 30,
                                  .rounds = 9000};
    const struct CMUnitTest own[] = {cmocka_unit_test(waits_double_up_to_a_bound),
                                     cmocka_unit_test(confirms_when_all_have_acknowledged),
                                     cmocka_unit_test(clock_put_back)};
    int failed = bus_contract(&f) + signals_contract(&signals);
    return failed + cmocka_run_group_tests_name("inproc bus's own", own, NULL, NULL);
}
