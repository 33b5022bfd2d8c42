/* W3C trace context: what counts, what does not, and that it comes out as it went in. */
#include "base/test.h"
#include "base/traceparent.h"

#include <string.h>

#define GOOD "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void read_and_written(void **state) {
    (void)state;
    static const char *const same[] = {GOOD,
                                       "00-00000000000000000000000000000001-0000000000000001-00"};
    struct arena a;
    struct traceparent t;
    char id[TRACE_ID_CHARS + 1];
    arena_init(&a, 1024);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_true(traceparent_read(str_from(same[i]), &t));
        assert_true(str_is(traceparent_text(&t, &a), same[i]));
        trace_id_text(&t, id);
        assert_memory_equal(id, same[i] + 3, TRACE_ID_CHARS);
        assert_int_equal(strlen(id), TRACE_ID_CHARS);
    }
    arena_free(&a);
}

/* Flags that are not known go, and a later version is read by what it has in common. */
static void of_later_versions(void **state) {
    (void)state;
    static const char *const taken[] = {
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-comes",
    };
    struct arena a;
    struct traceparent t;
    arena_init(&a, 1024);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        assert_true(traceparent_read(str_from(taken[i]), &t));
        assert_true(str_is(traceparent_text(&t, &a), GOOD));
    }
    arena_free(&a);
}

static void what_does_not_count(void **state) {
    (void)state;
    static const char *const refused[] = {
        "",
        "rubbish",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
        "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
    };
    struct arena a;
    struct traceparent t;
    char id[TRACE_ID_CHARS + 1];
    arena_init(&a, 1024);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        t.there = true;
        assert_false(traceparent_read(str_from(refused[i]), &t));
        assert_false(t.there);
    }
    assert_false(traceparent_read(STR_NONE, &t));
    assert_null(traceparent_text(&t, &a).p);
    trace_id_text(&t, id);
    assert_string_equal(id, "");
    arena_free(&a);
}

static void new_ones_differ(void **state) {
    (void)state;
    struct arena a;
    struct rng rng;
    struct traceparent before = {0}, again;
    arena_init(&a, 1024);
    rng_seed(&rng, 3);
    for (int i = 0; i < 2000; i++) {
        struct traceparent t = traceparent_new(&rng);
        assert_true(traceparent_read(traceparent_text(&t, &a), &again));
        assert_memory_equal(&t, &again, sizeof t);
        assert_false(t.sampled);
        assert_memory_not_equal(t.trace_id, before.trace_id, TRACE_ID_BYTES);
        assert_memory_not_equal(t.span_id, before.span_id, SPAN_ID_BYTES);
        before = t;
    }
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_and_written),
        cmocka_unit_test(of_later_versions),
        cmocka_unit_test(what_does_not_count),
        cmocka_unit_test(new_ones_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
