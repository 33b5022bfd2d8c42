/* Tables for spreadsheets: RFC 4180, lines end with CR LF. */
#ifndef LORRY_RUNTIME_CSV_H
#define LORRY_RUNTIME_CSV_H

#include "runtime/call.h"

#include "base/buf.h"

/* A text in quotes. What a spreadsheet would take for a formula gets an apostrophe before it. */
void csv_text(struct buf *out, struct str s);
/* 200 with TEXT, which has a line of column names first, as a download called NAME. */
void call_csv(struct call *c, struct str name, struct str text);

#endif
