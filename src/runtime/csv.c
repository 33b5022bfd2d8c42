#include "runtime/csv.h"

#include <string.h>

void csv_text(struct buf *out, struct str s) {
    bool formula = s.len > 0 && memchr("=+-@\t\r", s.p[0], 6) != NULL;
    buf_add_char(out, '"');
    if (formula)
        buf_add_char(out, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, s.p[i]);
    }
    buf_add_char(out, '"');
}

void call_csv(struct call *c, struct str name, struct str text) {
    response_header(&c->response, "Content-Disposition",
                    arena_printf(&c->arena, "attachment; filename=\"%.*s\"", STR_ARG(name)));
    c->response.status = 200;
    c->response.content_type = "text/csv; charset=utf-8; header=present";
    c->response.body = text;
    c->reply(c);
}
