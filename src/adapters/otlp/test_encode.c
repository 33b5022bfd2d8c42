/* What goes to a collector, read by another reader. The tests of the whole way, with a collector
 * that answers as collectors do, are in tests/integration/tracing.py.
 */
#include "adapters/otlp/otlp.h"
#include "base/test.h"

#include <jansson.h>
#include <string.h>

static const struct otlp_resource resource = {"lorry-booking", "instance", "host", 42};

static json_t *encoded(const struct span *spans, int32_t count) {
    struct arena a;
    struct buf out;
    json_error_t error;
    arena_init(&a, 1024);
    buf_init(&out, &a, 16);
    otlp_encode(&resource, spans, count, &out);
    struct str text = buf_str(&out);
    json_t *root = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("%s: %.*s", error.text, STR_ARG(text));
    arena_free(&a);
    return root;
}

static json_t *spans_of(json_t *root) {
    json_t *resources = json_object_get(root, "resourceSpans");
    json_t *scopes = json_object_get(json_array_get(resources, 0), "scopeSpans");
    assert_int_equal(json_array_size(resources), 1);
    assert_int_equal(json_array_size(scopes), 1);
    return json_object_get(json_array_get(scopes, 0), "spans");
}

static const char *text_at(json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static json_t *attribute_of(json_t *object, const char *key) {
    json_t *list = json_object_get(object, "attributes"), *each;
    size_t i;
    json_array_foreach(list, i, each) {
        if (strcmp(text_at(each, "key"), key) == 0)
            return json_object_get(each, "value");
    }
    fail_msg("no attribute %s", key);
    return NULL;
}

static void a_span_with_everything(void **state) {
    (void)state;
    struct span s = {.kind = SPAN_SERVER,
                     .start_us = INT64_C(1790000000123456),
                     .end_us = INT64_C(1790000000123956),
                     .has_parent = true};
    assert_true(
        traceparent_read(STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), &s.self));
    memset(s.parent_id, 0xAB, sizeof s.parent_id);
    span_name(&s, "POST %s", "/v1/bookings");
    span_text(&s, "says", STR("\"yes\"\n"));
    span_text(&s, "bytes", STR("\xFF"));
    span_number(&s, "http.response.status_code", -503);
    span_fail(&s, "503");
    json_t *root = encoded(&s, 1), *got = json_array_get(spans_of(root), 0);
    assert_string_equal(text_at(got, "traceId"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_equal(text_at(got, "spanId"), "00f067aa0ba902b7");
    assert_string_equal(text_at(got, "parentSpanId"), "abababababababab");
    assert_string_equal(text_at(got, "name"), "POST /v1/bookings");
    assert_int_equal(json_integer_value(json_object_get(got, "kind")), 2);
    assert_string_equal(text_at(got, "startTimeUnixNano"), "1790000000123456000");
    assert_string_equal(text_at(got, "endTimeUnixNano"), "1790000000123956000");
    assert_string_equal(text_at(attribute_of(got, "says"), "stringValue"), "\"yes\"\n");
    assert_string_equal(text_at(attribute_of(got, "bytes"), "stringValue"), "(not UTF-8)");
    assert_string_equal(text_at(attribute_of(got, "http.response.status_code"), "intValue"),
                        "-503");
    assert_string_equal(text_at(attribute_of(got, "error.type"), "stringValue"), "503");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(got, "status"), "code")),
                     2);
    json_t *of =
        json_object_get(json_array_get(json_object_get(root, "resourceSpans"), 0), "resource");
    assert_string_equal(text_at(attribute_of(of, "service.name"), "stringValue"), "lorry-booking");
    assert_string_equal(text_at(attribute_of(of, "service.instance.id"), "stringValue"),
                        "instance");
    assert_string_equal(text_at(attribute_of(of, "process.pid"), "intValue"), "42");
    json_decref(root);
}

static void a_span_with_nothing(void **state) {
    (void)state;
    struct span s[SPANS_BATCH_MAX] = {{.kind = SPAN_INTERNAL}};
    json_t *root = encoded(s, SPANS_BATCH_MAX);
    assert_int_equal(json_array_size(spans_of(root)), SPANS_BATCH_MAX);
    json_t *got = json_array_get(spans_of(root), 0);
    assert_null(json_object_get(got, "parentSpanId"));
    assert_null(json_object_get(got, "status"));
    assert_int_equal(json_array_size(json_object_get(got, "attributes")), 0);
    json_decref(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_with_everything),
        cmocka_unit_test(a_span_with_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
