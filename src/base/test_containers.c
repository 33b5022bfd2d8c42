/* The map, the mailbox, the histogram and the log. */
#include "base/arena.h"
#include "base/histogram.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/test.h"
#include "base/timestamp.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEYS = 3000 };
struct twin {
    char text[KEYS][16];
    int *values[KEYS]; /* NULL: not in the map */
    size_t count;
};

static void assert_same(const struct map *m, const struct twin *twin) {
    assert_int_equal(m->count, twin->count);
    size_t walked = 0;
    void *value;
    for (size_t i = 0; map_next(m, &i, &value);)
        walked++;
    assert_int_equal(walked, twin->count);
    for (int k = 0; k < KEYS; k++)
        assert_ptr_equal(map_get(m, str_from(twin->text[k])), twin->values[k]);
}

static void map_like_its_twin(void **state) {
    (void)state;
    static struct twin twin;
    static int things[KEYS];
    for (int k = 0; k < KEYS; k++)
        snprintf(twin.text[k], sizeof twin.text[k], "key %d", k * 7919);
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct rng rng;
        rng_seed(&rng, seed);
        struct map m;
        map_init(&m);
        memset(twin.values, 0, sizeof twin.values);
        twin.count = 0;
        assert_null(map_get(&m, STR("x")));
        assert_null(map_remove(&m, STR("x")));
        for (int i = 0; i < 20000; i++) {
            /* Fills up, then empties, then stays about half full. */
            uint64_t put_of_10 = i < 6000 ? 9 : i < 14000 ? 2 : 5;
            size_t k = rng_below(&rng, seed % 2 ? KEYS : 40);
            struct str key = str_from(twin.text[k]);
            int *before = twin.values[k];
            if (rng_below(&rng, 10) < put_of_10) {
                int *value = &things[rng_below(&rng, KEYS)];
                assert_ptr_equal(map_put(&m, key, value), before);
                twin.values[k] = value;
                twin.count += before == NULL;
            } else {
                assert_ptr_equal(map_remove(&m, key), before);
                twin.values[k] = NULL;
                twin.count -= before != NULL;
            }
            if (i % 2000 == 0)
                assert_same(&m, &twin);
        }
        assert_same(&m, &twin);
        map_free(&m);
        assert_int_equal(m.count, 0);
        map_free(&m);
    }
}

static void map_takes_the_new_keys_bytes(void **state) {
    (void)state;
    struct map m;
    map_init(&m);
    char first[] = "key", second[] = "key";
    int one, two;
    map_put(&m, str_from(first), &one);
    assert_ptr_equal(map_put(&m, str_from(second), &two), &one);
    memcpy(first, "???", 3); /* gone with the value it lay in */
    assert_ptr_equal(map_get(&m, STR("key")), &two);
    map_free(&m);
}

static void count_up(void *arg) {
    ++*(int *)arg;
}

static void mailbox_is_a_bounded_ring(void **state) {
    (void)state;
    int items[8], notified = 0;
    void *out[8];
    struct mailbox *m = mailbox_new(3, count_up, &notified);
    for (int round = 0; round < 5; round++) {
        notified = 0;
        assert_true(mailbox_send(m, &items[0]));
        assert_true(mailbox_send(m, &items[1]));
        assert_true(mailbox_send(m, &items[2]));
        assert_false(mailbox_send(m, &items[3]));
        assert_int_equal(notified, 1); /* from empty to not empty only */
        assert_int_equal(mailbox_count(m), 3);
        assert_int_equal(mailbox_take(m, out, 2, 0), 2);
        assert_ptr_equal(out[0], &items[0]);
        assert_ptr_equal(out[1], &items[1]);
        assert_true(mailbox_send(m, &items[4]));
        assert_int_equal(mailbox_take(m, out, 8, -1), 2);
        assert_ptr_equal(out[0], &items[2]);
        assert_ptr_equal(out[1], &items[4]);
        assert_int_equal(mailbox_take(m, out, 8, 0), 0);
    }
    mailbox_send(m, &items[5]);
    mailbox_close(m);
    assert_false(mailbox_send(m, &items[6]));
    assert_int_equal(mailbox_take(m, out, 8, -1), 1);
    assert_int_equal(mailbox_take(m, out, 8, -1), 0); /* closed: does not wait */
    assert_null(mailbox_free(m));
    assert_null(mailbox_free(NULL));
}

static void mailbox_waits_and_wakes(void **state) {
    (void)state;
    void *out[1];
    struct mailbox *m = mailbox_new(1, NULL, NULL);
    int64_t start_us = clock_mono_us();
    assert_int_equal(mailbox_take(m, out, 1, 20000), 0);
    assert_true(clock_mono_us() - start_us >= 20000);
    mailbox_wake(m); /* even before the wait begins: it is not lost */
    assert_int_equal(mailbox_take(m, out, 1, -1), 0);
    start_us = clock_mono_us();
    assert_int_equal(mailbox_take(m, out, 1, 10000), 0); /* but counts once */
    assert_true(clock_mono_us() - start_us >= 10000);
    mailbox_free(m);
}

enum { SENDERS = 3, SENDS = 20000 };
struct sender {
    struct mailbox *mailbox;
    int numbers[SENDS];
};

static void *send_all(void *arg) {
    struct sender *s = arg;
    for (int i = 0; i < SENDS;) {
        s->numbers[i] = i;
        if (mailbox_send(s->mailbox, &s->numbers[i]))
            i++;
        else
            usleep(20);
    }
    return NULL;
}

static void mailbox_between_threads(void **state) {
    (void)state;
    static struct sender senders[SENDERS];
    struct mailbox *m = mailbox_new(64, NULL, NULL);
    pthread_t threads[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        senders[i].mailbox = m;
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    int next[SENDERS] = {0};
    for (int taken = 0; taken < SENDERS * SENDS;) {
        void *out[16];
        size_t n = mailbox_take(m, out, 16, -1);
        assert_true(n > 0);
        for (size_t k = 0; k < n; k++) { /* each sender's items in his order, each once */
            int *number = out[k];
            for (int i = 0; i < SENDERS; i++) {
                if (number >= senders[i].numbers && number < senders[i].numbers + SENDS)
                    assert_int_equal(*number, next[i]++);
            }
        }
        taken += (int)n;
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(next[i], SENDS);
    }
    assert_int_equal(mailbox_count(m), 0);
    mailbox_free(m);
}

static void histogram_edges_rise_by_six_percent_at_most(void **state) {
    (void)state;
    for (int i = 1; i < HISTOGRAM_BUCKETS; i++) {
        int64_t below = histogram_edge_us(i - 1), edge = histogram_edge_us(i);
        assert_true(edge > below);
        if (i > 16)
            assert_true((double)(edge - below) <= 0.0625 * (double)(below + 1));
    }
    assert_true(histogram_edge_us(HISTOGRAM_BUCKETS - 1) > 100 * US_PER_S);
    /* A value lies in the bucket whose edges enclose it. */
    struct rng rng;
    rng_seed(&rng, 10);
    for (int i = 0; i < 20000; i++) {
        struct histogram h = {0};
        int64_t us = (int64_t)(rng_next(&rng) >> (37 + rng_below(&rng, 27)));
        histogram_record(&h, us);
        int64_t edge = histogram_quantile(&h, 0.5);
        assert_true(edge >= us && (double)(edge - us) <= 0.0625 * (double)us);
    }
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void histogram_quantiles(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    static int64_t values[COUNT];
    struct histogram h = {0}, twice = {0};
    assert_int_equal(histogram_quantile(&h, 0.99), 0);
    struct rng rng;
    rng_seed(&rng, 11);
    for (int i = 0; i < COUNT; i++) {
        values[i] = (int64_t)rng_exponential(&rng, 3000);
        histogram_record(&h, values[i]);
        histogram_record(&twice, values[i]);
        histogram_record(&twice, values[i]);
    }
    qsort(values, COUNT, sizeof values[0], by_value);
    static const double quantiles[] = {0.001, 0.5, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        int64_t exact = values[(size_t)(quantiles[i] * COUNT + 0.5) - 1];
        int64_t got = histogram_quantile(&h, quantiles[i]);
        assert_true(got >= exact && (double)(got - exact) <= 0.0625 * (double)exact);
        assert_true(histogram_quantile(&twice, quantiles[i]) == got);
    }
    assert_int_equal(twice.count, 2 * COUNT);
    histogram_record(&h, -5);
    assert_int_equal(histogram_quantile(&h, -1), 0);
    histogram_record(&h, INT64_MAX);
    assert_true(histogram_quantile(&h, 2) == histogram_edge_us(HISTOGRAM_BUCKETS - 1));
}

/* What was written to the log's pipe since the last call. */
static const char *logged(int fd) {
    static char text[16384];
    ssize_t len = read(fd, text, sizeof text - 1);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static void log_lines(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct log l = {.level = LOG_INFO, .fd = fds[1], .service = "http"};
    struct traceparent trace;
    assert_true(
        traceparent_read(STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), &trace));
    log_write(&l, LOG_DEBUG, LOG_NO_CAUSE, "not at this level");
    log_info(NULL, "nobody listens");
    log_write(&l, LOG_OFF, LOG_NO_CAUSE, "off is no level to speak at");
    log_write(&l, LOG_WARN, (struct log_cause){STR("req_1\""), &trace}, "say \"%s\"\n\x01\\", "hi");
    const char *line = logged(fds[0]);
    assert_non_null(strstr(line, "{\"ts\":\"20"));
    assert_non_null(strstr(line, "Z\",\"level\":\"warn\",\"service\":\"http\","
                                 "\"request_id\":\"req_1\\\"\","
                                 "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                                 "\"msg\":\"say \\\"hi\\\"\\u000a\\u0001\\\\\"}\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1); /* one line */
    assert_null(strstr(line, "not at this level"));
    log_error(&l, "bytes \xFF\xC3");
    assert_non_null(strstr(logged(fds[0]), "\"msg\":\"bytes ??\"}\n"));
    log_info(&l, "caf\xC3\xA9");
    assert_non_null(strstr(logged(fds[0]), "\"msg\":\"caf\xC3\xA9\"}\n"));
    char long_text[4001]; /* cut, and not in the middle of a character, wherever it falls */
    for (size_t shift = 0; shift < 4; shift++) {
        memset(long_text, 'x', shift);
        for (size_t i = shift; i + 4 <= sizeof long_text; i += 4)
            memcpy(long_text + i, "\xF0\x9F\x9A\x9A", 4);
        long_text[4000] = '\0';
        log_info(&l, "%s", long_text);
        struct str cut = str_from(logged(fds[0]));
        assert_true(cut.len > 1000 && cut.len < 1200 && str_is_utf8(cut, NULL));
        assert_true(str_ends(cut, "\xF0\x9F\x9A\x9A\"}\n"));
    }
    memset(long_text, 1, 4000); /* everything escaped, everything at its longest */
    log_write(&l, LOG_ERROR, (struct log_cause){str_from(long_text), &trace}, "%s", long_text);
    assert_true(str_ends(str_from(logged(fds[0])), "\\u0001\"}\n"));
    close(fds[0]);
    close(fds[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_like_its_twin),
        cmocka_unit_test(map_takes_the_new_keys_bytes),
        cmocka_unit_test(mailbox_is_a_bounded_ring),
        cmocka_unit_test(mailbox_waits_and_wakes),
        cmocka_unit_test(mailbox_between_threads),
        cmocka_unit_test(histogram_edges_rise_by_six_percent_at_most),
        cmocka_unit_test(histogram_quantiles),
        cmocka_unit_test(log_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
