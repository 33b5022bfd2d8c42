/* Logs: one JSON object a line on stderr: ts, level, service, request_id, trace_id and msg. No
 * personal data: never a name, e-mail, phone, address, position or token. Any thread; a line is one
 * write(2).
 */
#ifndef LORRY_BASE_LOG_H
#define LORRY_BASE_LOG_H

#include "base/str.h"
#include "base/traceparent.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
extern const char *const log_level_names[]; /* "debug", "info", "warn", "error", "off", NULL */

struct log {
    enum log_level level;
    int fd;              /* 2 for stderr */
    const char *service; /* who speaks: "http", "booking", … */
};

/* What made somebody speak, as far as it is known. */
struct log_cause {
    struct str request_id;           /* STR_NONE: of no request */
    const struct traceparent *trace; /* NULL: of no trace */
};
#define LOG_NO_CAUSE ((struct log_cause){STR_NONE, NULL})

/* FORMAT makes msg. L NULL logs nothing. */
void log_write(const struct log *l, enum log_level level, struct log_cause cause,
               const char *format, ...) __attribute__((format(printf, 4, 5)));
#define log_info(l, ...) log_write((l), LOG_INFO, LOG_NO_CAUSE, __VA_ARGS__)
#define log_warn(l, ...) log_write((l), LOG_WARN, LOG_NO_CAUSE, __VA_ARGS__)
#define log_error(l, ...) log_write((l), LOG_ERROR, LOG_NO_CAUSE, __VA_ARGS__)

#endif
