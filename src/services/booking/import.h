/* Imports: many bookings from one file, a row each.
 *
 * POST reads the file on the network thread, row by row, and keeps it as one document: each row
 * with what it wants, or with what is wrong with it. From there the document is its own work list.
 * Its wake-up takes the next few rows, prices each as a quote is priced, and in one commit notes
 * what became of it and writes the event that its booking is made of (order.h); so a crash between
 * any two rows leaves each row either waiting or ordered, never both and never neither. The next
 * rows wait until the bookings of those before are there. A dry run does the same and orders
 * nothing.
 *
 *   running → done            all rows are booked, valid (dry run) or failed
 *   running → cancelling → cancelled   no further row is begun; those that are ordered are booked;
 *                                      so it goes, too, once its account is disabled
 *
 * What a row wanted is forgotten once it is settled: the booking has it. Bounded: IMPORT_ROWS_MAX
 * rows, IMPORT_BYTES_MAX bytes, IMPORTS_OPEN_MAX of one account under way, IMPORT_ERRORS_MAX
 * errors of a row; kept for IMPORTS_KEPT_US.
 */
#ifndef LORRY_BOOKING_IMPORT_H
#define LORRY_BOOKING_IMPORT_H

#include "base/check.h"
#include "services/booking/order.h"

#define IMPORT_ROWS_MAX 1000
#define IMPORT_BYTES_MAX (1 << 20)
#define IMPORT_ERRORS_MAX 8
#define IMPORT_FIELD_BYTES_MAX 4096 /* of a CSV file */
#define IMPORT_COLUMNS_MAX 32
#define IMPORT_STEP_MAX 16 /* rows at once; each is an event of the same change */
#define IMPORTS_OPEN_MAX 3
#define IMPORTS_KEPT_US (30 * INT64_C(86400) * 1000000)

enum import_state { IMPORT_NONE, IMPORT_RUNNING, IMPORT_CANCELLING, IMPORT_CANCELLED, IMPORT_DONE };
extern const char *const import_state_names[];
enum row_state {
    ROW_NONE,
    ROW_WAITING,
    ROW_ORDERED, /* its booking is on its way */
    ROW_BOOKED,
    ROW_VALID, /* of a dry run: it would be booked */
    ROW_FAILED,
    ROW_CANCELLED,
    ROW_STATE_COUNT
};
_Static_assert(ROW_STATE_COUNT <= COUNT_OF(((struct booking_service *)0)->import_rows), "counted");
extern const char *const row_state_names[];

struct row_error {
    struct str pointer, detail; /* of a CSV file: "/pickup_lat", the column */
};
struct import_row {
    int64_t number; /* in the file, from 1; the CSV file's head is not one */
    int32_t state;
    struct str reference;
    struct order *order; /* while it waits; NULL: settled */
    int64_t total;       /* I64_ABSENT: no price */
    struct row_error *errors;
    int32_t error_count;
};
struct import {
    struct aggregate_head head;
    struct str owner_id;
    int32_t role; /* enum role, of its owner when he sent it */
    int32_t state;
    bool csv, dry_run;
    struct str currency; /* of the totals; absent: none yet */
    struct import_row *rows;
    int32_t row_count;
    int64_t created_at_us, ended_at_us;
    int64_t next_us; /* of its next step; 0: it has ended */
    int64_t told_us; /* its owner heard of it last */
    int64_t waits;   /* steps since the last that brought it on */
};
extern const struct schema import_schema;
extern const struct aggregate import_aggregate;
extern const struct store_collection import_collection;
extern const struct command_type import_wake;

/* Reads a whole file into ROWS (those that are not sound are failed already). False: it cannot be
 * read at all, and *RET_WHY says why. Pure but for PARSER. */
struct import_source {
    const struct booking_service *service;
    struct json_parser *parser;
    struct arena *arena;
    int64_t now_us;
};
bool import_read_csv(const struct import_source *src, struct str text, struct import *ret,
                     struct str *ret_why);
/* {"rows":[…]}, parsed. */
bool import_read_json(const struct import_source *src, struct json_value root, struct import *ret,
                      struct str *ret_why);

/* ROW cannot be booked. What is wrong is told of the columns of a CSV file. */
void import_fail(struct import_row *row, const struct field_errors *errors, bool csv,
                 struct arena *a);

void handle_import(struct call *c);
void handle_imports(struct call *c);
void handle_get_import(struct call *c);
void handle_import_rows(struct call *c);
void handle_cancel_import(struct call *c);
/* Retention: executor thread. */
void import_prune(struct store *writer, int64_t now_us);

#endif
