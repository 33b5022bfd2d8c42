/* What ports/signals.h promises. */
#include "contract.h"

#include "base/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTLE_US INT64_C(5000000)
#define HEARD_MAX 20000

struct ear {
    int32_t count, gaps;
    int32_t numbers[HEARD_MAX];
    char last[SIGNAL_BYTES_MAX];
    size_t last_len;
    struct signals *answers; /* signals "b" for each "a" */
};

static void on_number(void *arg, struct str topic, const void *data, size_t len) {
    struct ear *e = arg;
    assert_true(str_is(topic, "number"));
    assert_int_equal(len, sizeof(int32_t));
    assert_true(e->count < HEARD_MAX);
    memcpy(&e->numbers[e->count++], data, sizeof(int32_t));
}

static void on_bytes(void *arg, struct str topic, const void *data, size_t len) {
    struct ear *e = arg;
    (void)topic;
    e->count++;
    e->last_len = len;
    if (len > 0)
        memcpy(e->last, data, len);
    if (e->answers && str_is(topic, "a"))
        e->answers->ops->signal(e->answers, "b", data, len);
}

static void on_gap(void *arg, struct str topic, const void *data, size_t len) {
    struct ear *e = arg;
    (void)data;
    assert_true(str_is(topic, SIGNAL_GAP));
    assert_int_equal(len, 0);
    e->gaps++;
}

static void say(struct signals *s, int32_t n) {
    s->ops->signal(s, "number", &n, sizeof n);
}

static void poll_until(struct signals *s, const int32_t *count, int32_t wanted) {
    const int64_t since_us = clock_wall_us();
    while (*count < wanted && clock_wall_us() - since_us < SETTLE_US) {
        if (s->ops->poll(s, clock_wall_us()) == 0)
            usleep(500);
    }
    assert_int_equal(*count, wanted);
}

static void own_are_heard_at_once_and_once(void **state) {
    const struct signals_factory *f = *state;
    struct signals *s = f->make();
    struct ear one = {0}, two = {0}, other = {0};
    s->ops->listen(s, "pos", on_bytes, &one);
    s->ops->listen(s, "pos", on_bytes, &two);
    s->ops->listen(s, "posture", on_bytes, &other);
    f->start(s);
    s->ops->signal(s, "pos", "a\0b", 3);
    assert_int_equal(one.count, 1);
    assert_int_equal(two.count, 1);
    assert_int_equal(one.last_len, 3);
    assert_memory_equal(one.last, "a\0b", 3);
    s->ops->signal(s, "nobody", "x", 1);
    s->ops->signal(s, "pos", NULL, 0);
    for (int i = 0; i < 50; i++) { /* no echo either */
        s->ops->poll(s, clock_wall_us());
        usleep(1000);
    }
    assert_int_equal(one.count, 2);
    assert_int_equal(one.last_len, 0);
    assert_int_equal(other.count, 0);
    s->ops->close(s);
}

static void may_signal_while_listening(void **state) {
    const struct signals_factory *f = *state;
    struct signals *s = f->make();
    struct ear a = {.answers = s}, b = {0};
    s->ops->listen(s, "a", on_bytes, &a);
    s->ops->listen(s, "b", on_bytes, &b);
    f->start(s);
    s->ops->signal(s, "a", "1", 1);
    assert_int_equal(b.count, 1);
    s->ops->close(s);
}

static void others_hear_all_in_order(void **state) {
    const struct signals_factory *f = *state;
    if (!f->join)
        skip();
    struct signals *a = f->make(), *b = f->join(a), *c = f->join(a);
    struct ear *ears = calloc(3, sizeof *ears);
    a->ops->listen(a, "number", on_number, &ears[0]);
    b->ops->listen(b, "number", on_number, &ears[1]);
    c->ops->listen(c, "number", on_number, &ears[2]);
    f->start(a), f->start(b), f->start(c);
    for (int32_t i = 0; i < 5000; i++) {
        say(a, i);
        say(b, 100000 + i);
    }
    poll_until(a, &ears[0].count, 10000);
    poll_until(b, &ears[1].count, 10000);
    poll_until(c, &ears[2].count, 10000);
    for (int e = 0; e < 3; e++) {
        int32_t next[2] = {0, 100000};
        for (int32_t i = 0; i < 10000; i++) {
            int32_t n = ears[e].numbers[i];
            assert_int_equal(n, next[n >= 100000]);
            next[n >= 100000]++;
        }
    }
    a->ops->close(a), b->ops->close(b), c->ops->close(c);
    free(ears);
}

static void the_first_connection_is_a_gap(void **state) {
    const struct signals_factory *f = *state;
    if (!f->join)
        skip();
    struct signals *a = f->make(), *b = f->join(a);
    struct ear heard = {0}, bytes = {0};
    char most[SIGNAL_BYTES_MAX], topic[SIGNAL_TOPIC_MAX + 1];
    memset(most, 0xfe, sizeof most);
    memset(topic, 't', sizeof topic);
    topic[SIGNAL_TOPIC_MAX] = 0;
    b->ops->listen(b, SIGNAL_GAP, on_gap, &heard);
    b->ops->listen(b, topic, on_bytes, &bytes);
    f->start(a), f->start(b);
    poll_until(b, &heard.gaps, 1);
    a->ops->signal(a, topic, most, sizeof most); /* the longest there is */
    poll_until(b, &bytes.count, 1);
    assert_int_equal(bytes.last_len, sizeof most);
    assert_memory_equal(bytes.last, most, sizeof most);
    a->ops->signal(a, topic, NULL, 0);
    poll_until(b, &bytes.count, 2);
    assert_int_equal(bytes.last_len, 0);
    assert_int_equal(heard.gaps, 1);
    a->ops->close(a), b->ops->close(b);
}

static void count_wake(void *arg) {
    __atomic_add_fetch((int32_t *)arg, 1, __ATOMIC_SEQ_CST);
}

static void wakes_who_should_poll(void **state) {
    const struct signals_factory *f = *state;
    if (!f->join)
        skip();
    struct signals *a = f->make(), *b = f->join(a);
    struct ear heard = {0};
    int32_t wakes = 0;
    b->ops->listen(b, "x", on_bytes, &heard);
    b->ops->on_ready(b, count_wake, &wakes);
    f->start(a), f->start(b);
    for (int32_t i = 1; i <= 20; i++) {
        b->ops->poll(b, clock_wall_us());
        int32_t before = __atomic_load_n(&wakes, __ATOMIC_SEQ_CST);
        a->ops->signal(a, "x", "1", 1);
        const int64_t since_us = clock_wall_us();
        while (__atomic_load_n(&wakes, __ATOMIC_SEQ_CST) == before &&
               clock_wall_us() - since_us < SETTLE_US)
            usleep(200);
        assert_true(__atomic_load_n(&wakes, __ATOMIC_SEQ_CST) > before);
        b->ops->poll(b, clock_wall_us()); /* woken means that it is there */
        assert_int_equal(heard.count, i);
    }
    a->ops->close(a), b->ops->close(b);
}

int signals_contract(const struct signals_factory *f) {
#define TEST(name) cmocka_unit_test_prestate(name, (void *)(uintptr_t)f)
    const struct CMUnitTest tests[] = {
        TEST(own_are_heard_at_once_and_once), TEST(may_signal_while_listening),
        TEST(others_hear_all_in_order),       TEST(the_first_connection_is_a_gap),
        TEST(wakes_who_should_poll),
    };
    return cmocka_run_group_tests_name(f->name, tests, NULL, NULL);
}
