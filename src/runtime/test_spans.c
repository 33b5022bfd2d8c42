/* Spans: which are recorded, what they hold, and that the buffer is bounded and never waits. */
#include "base/test.h"
#include "base/timestamp.h"
#include "runtime/spans.h"

#include <stdlib.h>
#include <string.h>

static struct traceparent sampled(struct rng *rng) {
    struct traceparent t = traceparent_new(rng);
    t.sampled = true;
    return t;
}

static void nothing_of_what_is_not_traced(void **state) {
    (void)state;
    struct spans *s = spans_new(1);
    struct rng rng;
    struct traceparent none = {0}, unsampled;
    rng_seed(&rng, 1);
    unsampled = traceparent_new(&rng);
    struct traceparent before = unsampled;
    assert_null(span_begin(s, NULL, &rng, &none, SPAN_SERVER, 1));
    assert_null(span_begin(s, NULL, &rng, &unsampled, SPAN_SERVER, 1));
    assert_null(span_begin(NULL, NULL, &rng, &unsampled, SPAN_SERVER, 1));
    assert_memory_equal(&before, &unsampled, sizeof before); /* it goes on as it came */
    span_name(NULL, "%s", "nothing");
    span_text(NULL, "key", STR("value"));
    span_number(NULL, "key", 1);
    span_fail(NULL, "why");
    span_end(s, NULL, 1);
    assert_int_equal(spans_waiting(s), 0);
    spans_free(s);
}

static void a_chain_hangs_together(void **state) {
    (void)state;
    struct spans *s = spans_new(0);
    struct span out[4];
    struct rng rng;
    rng_seed(&rng, 2);
    struct traceparent t = sampled(&rng), first = t;
    struct span *one = span_begin_trace(s, NULL, &t, SPAN_SERVER, 10);
    struct span *two = span_begin(s, NULL, &rng, &t, SPAN_INTERNAL, 20);
    struct span *three = span_begin(s, NULL, &rng, &t, SPAN_PRODUCER, 30);
    assert_memory_equal(&three->self, &t, sizeof t);
    span_end(s, three, 40);
    span_end(s, two, 15); /* the clock was put back */
    span_end(s, one, 50);
    free(one), free(two), free(three);
    assert_int_equal(spans_take(s, out, 4, 0), 3);
    assert_memory_equal(&out[2].self, &first, sizeof first);
    assert_false(out[2].has_parent);
    assert_true(out[1].has_parent && out[0].has_parent);
    assert_memory_equal(out[1].parent_id, out[2].self.span_id, SPAN_ID_BYTES);
    assert_memory_equal(out[0].parent_id, out[1].self.span_id, SPAN_ID_BYTES);
    assert_memory_equal(out[0].self.trace_id, first.trace_id, TRACE_ID_BYTES);
    assert_true(out[1].start_us == 20 && out[1].end_us == 20);
    spans_free(s);
}

/* Of so many traces about so many, and the same ones by whoever judges. */
static void sampling(void **state) {
    (void)state;
    static const double ratios[] = {0, 0.1, 0.5, 1};
    const int traces = 20000;
    for (int r = 0; r < 4; r++) {
        struct spans *s = spans_new(ratios[r]), *other = spans_new(ratios[r]);
        struct rng rng;
        int count = 0;
        rng_seed(&rng, 3);
        for (int i = 0; i < traces; i++) {
            struct traceparent t = traceparent_new(&rng), again = t;
            spans_judge(s, &t);
            spans_judge(other, &again);
            assert_int_equal(t.sampled, again.sampled);
            count += t.sampled;
        }
        assert_in_range(count, (int)(ratios[r] * traces * 0.9), (int)(ratios[r] * traces * 1.1));
        spans_free(s), spans_free(other);
    }
}

static void full_is_counted(void **state) {
    (void)state;
    struct spans *s = spans_new(1);
    struct rng rng;
    struct arena a;
    struct buf text;
    static struct span out[SPANS_MAX];
    rng_seed(&rng, 4);
    arena_init(&a, 4096);
    struct traceparent t = sampled(&rng);
    for (int i = 0; i < SPANS_MAX + 10; i++) {
        struct span *span = span_begin_trace(s, &a, &t, SPAN_SERVER, i);
        span_end(s, span, i);
    }
    assert_int_equal(spans_take(s, out, SPANS_BATCH_MAX, 0), SPANS_BATCH_MAX);
    assert_true(out[0].start_us == 0 && out[SPANS_BATCH_MAX - 1].start_us == SPANS_BATCH_MAX - 1);
    spans_sent(s, 200), spans_lost(s, 56), spans_failed(s);
    assert_int_equal(spans_take(s, out, SPANS_MAX, 0), SPANS_MAX - SPANS_BATCH_MAX);
    assert_true(out[SPANS_MAX - SPANS_BATCH_MAX - 1].start_us == SPANS_MAX - 1);
    buf_init(&text, &a, 16);
    spans_metrics(s, &text);
    const char *figures = arena_cstr(&a, buf_str(&text));
    assert_non_null(strstr(figures, "\nlorry_otlp_spans_total 4106\n"));
    assert_non_null(strstr(figures, "_dropped_total{reason=\"full\"} 10\n"));
    assert_non_null(strstr(figures, "_dropped_total{reason=\"refused\"} 56\n"));
    assert_non_null(strstr(figures, "\nlorry_otlp_spans_sent_total 200\n"));
    assert_non_null(strstr(figures, "\nlorry_otlp_failures_total 1\n"));
    spans_metrics(NULL, &text);
    arena_free(&a);
    spans_free(s);
}

/* It waits for a batch, but not after the close, and then gives what is left. */
static void closing(void **state) {
    (void)state;
    struct spans *s = spans_new(1);
    struct span out[1];
    struct rng rng;
    rng_seed(&rng, 5);
    struct traceparent t = sampled(&rng);
    int64_t from_us = clock_mono_us();
    assert_int_equal(spans_take(s, out, 1, 20000), 0);
    assert_true(clock_mono_us() - from_us >= 20000);
    struct span *span = span_begin_trace(s, NULL, &t, SPAN_SERVER, 1);
    span_end(s, span, 2);
    free(span);
    spans_close(s);
    assert_true(spans_closed(s));
    assert_int_equal(spans_take(s, out, 1, INT64_C(3600) * US_PER_S), 1);
    assert_int_equal(spans_take(s, out, 1, INT64_C(3600) * US_PER_S), 0);
    spans_free(s);
}

/* What does not fit is cut, and stays text. */
static void long_texts(void **state) {
    (void)state;
    struct span s = {0};
    char text[1000];
    for (size_t shift = 0; shift < 4; shift++) {
        s = (struct span){0};
        memset(text, 'x', sizeof text);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xF0\x9F\x9A\x9A", 4);
        text[sizeof text - 1] = '\0';
        span_name(&s, "%s", text);
        span_text(&s, "a", (struct str){text, 100});
        span_text(&s, "b", str_from(text));
        span_text(&s, "c", str_from("more"));
        span_text(&s, "absent", STR_NONE);
        assert_true(str_is_utf8(str_from(s.name), NULL) && strlen(s.name) < SPAN_NAME_MAX);
        assert_int_equal(s.attribute_count, 3);
        assert_true(s.texts_len <= SPAN_TEXTS_MAX && s.texts_len > SPAN_TEXTS_MAX - 8);
        struct str b = {s.texts + s.attributes[1].at, (size_t)s.attributes[1].len};
        assert_true(b.len > 200 && str_is_utf8(b, NULL));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_what_is_not_traced),
        cmocka_unit_test(a_chain_hangs_together),
        cmocka_unit_test(sampling),
        cmocka_unit_test(full_is_counted),
        cmocka_unit_test(closing),
        cmocka_unit_test(long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
