/* Logs. A line is made on the stack and leaves by one write(2), so lines of several threads do not
 * mix. What does not fit is cut; a line that cannot be written is lost, because there is nobody
 * left to tell.
 */
#include "base/log.h"

#include "base/timestamp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX 1024
#define NAME_MAX_BYTES 64 /* of service and request id */
#define ESCAPED_MAX 6     /* bytes one byte may need: \u001f */
#define LINE_MAX_BYTES (ESCAPED_MAX * (MESSAGE_MAX + 2 * NAME_MAX_BYTES) + 256)

const char *const log_level_names[] = {"debug", "info", "warn", "error", "off", NULL};

static char *put_cstr(char *p, const char *s) {
    size_t len = strlen(s);
    memcpy(p, s, len);
    return p + len;
}

static char *put_escaped(char *p, struct str s) {
    bool utf8 = str_is_utf8(s, NULL); /* if not, other bytes than ASCII would break the JSON */
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') {
            *p++ = '\\';
            *p++ = (char)c;
        } else if (c < 0x20 || c == 0x7F) {
            p += sprintf(p, "\\u%04x", c);
        } else {
            *p++ = c >= 0x80 && !utf8 ? '?' : (char)c;
        }
    }
    return p;
}

static char *put_member(char *p, const char *key, struct str value, size_t max) {
    *p++ = ',';
    *p++ = '"';
    p = put_cstr(p, key);
    p = put_cstr(p, "\":\"");
    p = put_escaped(p, str_sub(value, 0, max));
    *p++ = '"';
    return p;
}

/* The length without a UTF-8 sequence that the cut has left incomplete at the end. */
static size_t whole_chars(const char *text, size_t len) {
    size_t start = len;
    while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    return start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0xC0 ? start - 1 : len;
}

void log_write(const struct log *l, enum log_level level, struct log_cause cause,
               const char *format, ...) {
    if (l == NULL || level < l->level || level >= LOG_OFF)
        return;
    char message[MESSAGE_MAX], line[LINE_MAX_BYTES], at[TIMESTAMP_TEXT_MAX];
    char trace_id[TRACE_ID_CHARS + 1];
    va_list args;
    va_start(args, format);
    int printed = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    size_t len = printed < 0 ? 0 : (size_t)printed;
    if (len >= sizeof message)
        len = whole_chars(message, sizeof message - 1);
    timestamp_format(clock_wall_us(), at);
    char *p = put_cstr(line, "{\"ts\":\"");
    p = put_cstr(p, at);
    *p++ = '"';
    p = put_member(p, "level", str_from(log_level_names[level]), NAME_MAX_BYTES);
    if (l->service)
        p = put_member(p, "service", str_from(l->service), NAME_MAX_BYTES);
    if (cause.request_id.p)
        p = put_member(p, "request_id", cause.request_id, NAME_MAX_BYTES);
    if (cause.trace && cause.trace->there) {
        trace_id_text(cause.trace, trace_id);
        p = put_member(p, "trace_id", str_from(trace_id), NAME_MAX_BYTES);
    }
    p = put_member(p, "msg", (struct str){message, len}, MESSAGE_MAX);
    p = put_cstr(p, "}\n");
    ssize_t written = write(l->fd, line, (size_t)(p - line));
    (void)written;
}
