/* W3C Trace Context: which trace something belongs to, and the span in it that caused it. It comes
 * with a request, goes with the command into the events and with those into whatever they cause.
 * Pure; any thread.
 */
#ifndef LORRY_BASE_TRACEPARENT_H
#define LORRY_BASE_TRACEPARENT_H

#include "base/arena.h"
#include "base/rng.h"
#include "base/str.h"

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES 8
#define TRACE_ID_CHARS 32
#define SPAN_ID_CHARS 16
#define TRACEPARENT_CHARS 55 /* "00-<trace id>-<span id>-01" */

struct traceparent {
    uint8_t trace_id[TRACE_ID_BYTES], span_id[SPAN_ID_BYTES];
    bool there;   /* false: of no trace, and the rest means nothing */
    bool sampled; /* whoever began the trace wants its spans */
};

/* False, and RET is of no trace, when TEXT is none that counts: absent, of another shape, all zero.
 * A later version than 00 counts by what it has in common with it. */
bool traceparent_read(struct str text, struct traceparent *ret);
/* A new trace, not sampled; its span is whoever begins it. */
struct traceparent traceparent_new(struct rng *rng);
/* As the header has it; STR_NONE for no trace. */
struct str traceparent_text(const struct traceparent *t, struct arena *a);
/* Writes the id as hexadecimal digits and a NUL; "" for no trace. */
void trace_id_text(const struct traceparent *t, char ret[TRACE_ID_CHARS + 1]);
/* COUNT bytes as 2 * COUNT digits, without a NUL. */
void hex_write(char *out, const uint8_t *bytes, size_t count);

#endif
