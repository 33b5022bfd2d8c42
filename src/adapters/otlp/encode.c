/* OTLP in JSON, by the mapping of Protocol Buffers with OTLP's exceptions: ids are hexadecimal,
 * 64-bit numbers are strings, enumerations are numbers.
 */
#include "adapters/otlp/otlp.h"
#include "json/writer.h"

#include <inttypes.h>
#include <stdio.h>

#define STATUS_ERROR 2

static void decimal(struct jw *w, const char *key, int64_t v) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, v);
    jw_kv_str(w, key, str_from(text));
}

static void hex(struct jw *w, const char *key, const uint8_t *bytes, size_t count) {
    char text[TRACE_ID_CHARS];
    hex_write(text, bytes, count);
    jw_kv_str(w, key, (struct str){text, 2 * count});
}

/* TEXT NULL: it is a number. */
static void attribute(struct jw *w, const char *key, const struct str *text, int64_t number) {
    jw_object(w);
    jw_kv_str(w, "key", str_from(key));
    jw_key(w, "value");
    jw_object(w);
    if (text)
        jw_kv_str(w, "stringValue", *text);
    else
        decimal(w, "intValue", number);
    jw_end(w);
    jw_end(w);
}

static void text_attribute(struct jw *w, const char *key, const char *value) {
    struct str text = str_from(value);
    attribute(w, key, &text, 0);
}

static void write_resource(struct jw *w, const struct otlp_resource *r) {
    jw_key(w, "resource");
    jw_object(w);
    jw_key(w, "attributes");
    jw_array(w);
    text_attribute(w, "service.name", r->service);
    text_attribute(w, "service.namespace", "lorry");
    text_attribute(w, "service.instance.id", r->instance);
    text_attribute(w, "service.version", LORRY_VERSION);
    text_attribute(w, "host.name", r->host);
    attribute(w, "process.pid", NULL, r->pid);
    jw_end(w);
    jw_end(w);
}

static void write_span(struct jw *w, const struct span *s) {
    jw_object(w);
    hex(w, "traceId", s->self.trace_id, TRACE_ID_BYTES);
    hex(w, "spanId", s->self.span_id, SPAN_ID_BYTES);
    if (s->has_parent)
        hex(w, "parentSpanId", s->parent_id, SPAN_ID_BYTES);
    jw_kv_str(w, "name", str_from(s->name));
    jw_kv_i64(w, "kind", s->kind);
    decimal(w, "startTimeUnixNano", s->start_us * 1000);
    decimal(w, "endTimeUnixNano", s->end_us * 1000);
    jw_key(w, "attributes");
    jw_array(w);
    for (int32_t i = 0; i < s->attribute_count; i++) {
        const struct span_attribute *a = &s->attributes[i];
        struct str text = {s->texts + a->at, (size_t)a->len};
        if (a->is_text && !str_is_utf8(text, NULL))
            text = STR("(not UTF-8)");
        attribute(w, a->key, a->is_text ? &text : NULL, a->number);
    }
    jw_end(w);
    if (s->failed) {
        jw_key(w, "status");
        jw_object(w);
        jw_kv_i64(w, "code", STATUS_ERROR);
        jw_end(w);
    }
    jw_end(w);
}

void otlp_encode(const struct otlp_resource *r, const struct span *spans, int32_t count,
                 struct buf *out) {
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "resourceSpans");
    jw_array(&w);
    jw_object(&w);
    write_resource(&w, r);
    jw_key(&w, "scopeSpans");
    jw_array(&w);
    jw_object(&w);
    jw_key(&w, "scope");
    jw_object(&w);
    jw_kv_str(&w, "name", STR("lorry"));
    jw_kv_str(&w, "version", STR(LORRY_VERSION));
    jw_end(&w);
    jw_key(&w, "spans");
    jw_array(&w);
    for (int32_t i = 0; i < count; i++)
        write_span(&w, &spans[i]);
    for (int depth = 0; depth < 6; depth++)
        jw_end(&w); /* spans, scope, scopes, resource, resources, all */
}
