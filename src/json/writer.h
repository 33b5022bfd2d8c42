/* JSON out: appends to a buf; commas are put in by itself. Strings are escaped as RFC 8259 asks;
 * what is written is always valid UTF-8 if what came in was. One owner.
 *
 *   jw_object(&w); jw_key(&w, "id"); jw_str(&w, id); jw_end(&w);
 */
#ifndef LORRY_JSON_WRITER_H
#define LORRY_JSON_WRITER_H

#include "base/buf.h"
#include "base/units.h"

#define JW_DEPTH_MAX 40 /* all of a parsed text (JSON_DEPTH_MAX) fits inside some more */

struct jw {
    struct buf *out;
    int depth;
    bool comma;                 /* a value stands before */
    char closers[JW_DEPTH_MAX]; /* '}' or ']' */
};

void jw_init(struct jw *w, struct buf *out);
void jw_object(struct jw *w);
void jw_array(struct jw *w);
void jw_end(struct jw *w);                  /* closes the innermost */
void jw_key(struct jw *w, const char *key); /* a name of ours: nothing in it is escaped */
void jw_key_str(struct jw *w, struct str key);
void jw_str(struct jw *w, struct str s); /* absent writes null */
void jw_cstr(struct jw *w, const char *s);
void jw_i64(struct jw *w, int64_t v);
void jw_f64(struct jw *w, double v); /* shortest that reads back the same; non-finite: null */
void jw_fixed(struct jw *w, int64_t v, int decimals); /* v / 10^decimals, trailing zeros cut */
void jw_deg7(struct jw *w, int32_t e7);               /* 577089000 → 57.7089 */
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_time(struct jw *w, int64_t at_us); /* RFC 3339; 0 writes null */
void jw_raw(struct jw *w, struct str json);
/* key and value in one */
void jw_kv_str(struct jw *w, const char *key, struct str s);
void jw_kv_i64(struct jw *w, const char *key, int64_t v);
void jw_kv_time(struct jw *w, const char *key, int64_t at_us);
void jw_kv_point(struct jw *w, struct point p); /* "lat":…,"lng":… */

#endif
