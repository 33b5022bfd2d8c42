/* An event as an AMQP message: message-id, type and timestamp are the event's, the body is its data
 * (JSON); key, request id, traceparent (as OpenTelemetry names it), the exact time and the
 * publisher's sequence number are headers.
 */
#include "adapters/amqp/internal.h"
#include "base/check.h"
#include "base/timestamp.h"

#include <string.h>

#define HEADER_KEY "key"
#define HEADER_REQUEST "request_id"
#define HEADER_TRACE "traceparent"
#define HEADER_AT "at_us"
#define HEADER_SEQ "seq"
#define PERSISTENT 2
#define KEY_MAX 512 /* bytes */
#define REQUEST_MAX 512
#define TRACE_MAX 512 /* later versions may be longer */

static amqp_table_entry_t text_entry(const char *key, struct str value) {
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = bytes_of(value)}};
}

static amqp_table_entry_t number_entry(const char *key, int64_t value) {
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = value}};
}

int message_publish(amqp_connection_state_t conn, const char *exchange, struct str routing_key,
                    const struct event *e) {
    amqp_table_entry_t headers[5] = {text_entry(HEADER_KEY, e->key),
                                     number_entry(HEADER_AT, e->at_us),
                                     number_entry(HEADER_SEQ, e->seq)};
    int count = 3;
    if (e->request_id.p != NULL)
        headers[count++] = text_entry(HEADER_REQUEST, e->request_id);
    if (e->traceparent.p != NULL)
        headers[count++] = text_entry(HEADER_TRACE, e->traceparent);
    amqp_basic_properties_t p = {._flags = AMQP_BASIC_CONTENT_TYPE_FLAG |
                                           AMQP_BASIC_DELIVERY_MODE_FLAG |
                                           AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG |
                                           AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_HEADERS_FLAG,
                                 .content_type = amqp_cstring_bytes("application/json"),
                                 .delivery_mode = PERSISTENT,
                                 .message_id = bytes_of(e->id),
                                 .type = bytes_of(e->type),
                                 .timestamp = e->at_us > 0 ? (uint64_t)(e->at_us / US_PER_S) : 0,
                                 .headers = {count, headers}};
    return amqp_basic_publish(conn, AMQP_CHANNEL, amqp_cstring_bytes(exchange),
                              bytes_of(routing_key), 1, 0, &p, bytes_of(e->data));
}

static const amqp_field_value_t *header(const amqp_basic_properties_t *p, const char *key) {
    if (!(p->_flags & AMQP_BASIC_HEADERS_FLAG))
        return NULL;
    for (int i = 0; i < p->headers.num_entries; i++)
        if (str_is(str_of(p->headers.entries[i].key), key))
            return &p->headers.entries[i].value;
    return NULL;
}

static struct str text_header(const amqp_basic_properties_t *p, const char *key) {
    const amqp_field_value_t *v = header(p, key);
    bool text = v != NULL && (v->kind == AMQP_FIELD_KIND_UTF8 || v->kind == AMQP_FIELD_KIND_BYTES);
    return text ? str_of(v->value.bytes) : STR_NONE;
}

static int64_t number_header(const amqp_basic_properties_t *p, const char *key) {
    const amqp_field_value_t *v = header(p, key);
    return v != NULL && v->kind == AMQP_FIELD_KIND_I64 ? v->value.i64 : 0;
}

static bool is_text(struct str s, size_t max) {
    size_t chars;
    return s.len <= max && memchr(s.p, '\0', s.len) == NULL && str_is_utf8(s, &chars);
}

const char *message_read(const amqp_basic_properties_t *p, struct event *ret) {
    struct event e = {.at_us = number_header(p, HEADER_AT),
                      .seq = number_header(p, HEADER_SEQ),
                      .key = text_header(p, HEADER_KEY),
                      .request_id = text_header(p, HEADER_REQUEST),
                      .traceparent = text_header(p, HEADER_TRACE)};
    if (p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        e.id = str_of(p->message_id);
    if (p->_flags & AMQP_BASIC_TYPE_FLAG)
        e.type = str_of(p->type);
    if (e.id.len == 0 || !is_text(e.id, AMQP_NAME_MAX))
        return "it has no message id";
    if (e.type.len == 0 || !is_text(e.type, AMQP_NAME_MAX))
        return "it has no type";
    if (e.key.p == NULL || !is_text(e.key, KEY_MAX))
        return "it has no key";
    if (e.request_id.p != NULL && !is_text(e.request_id, REQUEST_MAX))
        e.request_id = STR_NONE;
    if (e.traceparent.p != NULL && !is_text(e.traceparent, TRACE_MAX))
        e.traceparent = STR_NONE;
    *ret = e;
    return NULL;
}
