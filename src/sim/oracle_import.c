/* Imports, as the oracle sees them: a row that is accepted has exactly one booking in the end, and
 * one that is not has none, whatever fails in between. Bookings say by whom they were made, and
 * those of customers here say in their notes of which row they are.
 */
#include "sim/oracle.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

static struct shadow_import *import_of(struct oracle *o, struct str id) {
    struct shadow_import *im = map_get(&o->imports, id);
    if (im != NULL)
        return im;
    im = arena_new(&o->sim->arena, struct shadow_import);
    snprintf(im->id, sizeof(im->id), "%.*s", STR_ARG(id));
    map_put(&o->imports, str_from(im->id), im);
    im->next = o->first_import;
    o->first_import = im;
    return im;
}

static enum shadow_row row_named(struct str state) {
    return str_is(state, "waiting")   ? SHADOW_ROW_WAITING
           : str_is(state, "ordered") ? SHADOW_ROW_ORDERED
           : str_is(state, "booked")  ? SHADOW_ROW_BOOKED
                                      : SHADOW_ROW_REFUSED;
}

static bool may_become(enum shadow_row from, enum shadow_row to) {
    switch (from) {
    case SHADOW_ROW_NONE:
        return to == SHADOW_ROW_WAITING || to == SHADOW_ROW_REFUSED;
    case SHADOW_ROW_WAITING:
        return to != SHADOW_ROW_NONE && to != SHADOW_ROW_BOOKED;
    case SHADOW_ROW_ORDERED:
        return to == SHADOW_ROW_ORDERED || to == SHADOW_ROW_BOOKED;
    case SHADOW_ROW_BOOKED:
    case SHADOW_ROW_REFUSED:
        return to == from;
    }
    UNREACHABLE();
}

static int32_t orders_in(const struct store_change *change) {
    int32_t count = 0;
    for (int32_t i = 0; i < change->event_count; i++)
        count += str_is(change->events[i].type, EV_BOOKING_ORDERED);
    return count;
}

void oracle_import(struct oracle *o, const struct store_change *change) {
    struct json_value root, rows;
    int32_t ordered = 0;
    if (change->remove || json_parse(o->parser, change->state, &root) < 0 ||
        !json_get(root, "rows", &rows)) {
        sim_fail(o->sim, "an import stays as it is", "%.*s", STR_ARG(change->id));
        return;
    }
    struct shadow_import *im = import_of(o, change->id);
    struct str state = sim_json_str(root, "state");
    im->ended = str_is(state, "done") || str_is(state, "cancelled");
    for (struct json_iter it = json_iter(rows); json_next(&it);) {
        int64_t n = sim_json_i64(it.value, "number");
        CHECK(n >= 1 && n <= SHADOW_ROWS_MAX);
        enum shadow_row was = im->rows[n], is = row_named(sim_json_str(it.value, "state"));
        SIM_EXPECT(o->sim, may_become(was, is), "a row of an import only goes on",
                   "row %lld of %s went from %d to %d", (long long)n, im->id, (int)was, (int)is);
        SIM_EXPECT(o->sim, is != SHADOW_ROW_BOOKED || im->bookings[n] == 1,
                   "a row that is booked has its booking", "row %lld of %s has %d", (long long)n,
                   im->id, im->bookings[n]);
        ordered += is == SHADOW_ROW_ORDERED && was != is;
        im->rows[n] = is;
    }
    SIM_EXPECT(o->sim, orders_in(change) == ordered, "a row is ordered with its event",
               "%s: %d rows, %d events", im->id, ordered, orders_in(change));
}

void oracle_imported(struct oracle *o, struct json_value root, struct shadow_booking *b) {
    struct str made_by = sim_json_str(root, "made_by"), notes = sim_json_str(root, "notes");
    int64_t n;
    if (made_by.p == NULL || !str_starts(made_by, "imp_"))
        return;
    b->imported = true;
    struct shadow_import *im = import_of(o, made_by);
    bool named = str_starts(notes, "row ") && str_to_i64(str_sub(notes, 4, notes.len), &n) == 0 &&
                 n >= 1 && n <= SHADOW_ROWS_MAX;
    SIM_EXPECT(o->sim, named && im->rows[named ? n : 0] == SHADOW_ROW_ORDERED,
               "only what is accepted is booked", "%s is of %s, %.*s", b->id, im->id,
               STR_ARG(notes));
    if (!named)
        return;
    SIM_EXPECT(o->sim, ++im->bookings[n] == 1, "each accepted row has exactly one booking",
               "row %lld of %s has %d", (long long)n, im->id, im->bookings[n]);
}

bool oracle_imports_settled(struct oracle *o, struct str *ret_why) {
    for (const struct shadow_import *im = o->first_import; im != NULL; im = im->next) {
        if (im->ended)
            continue;
        *ret_why = arena_printf(&o->sim->arena, "the import %s goes on", im->id);
        return false;
    }
    return true;
}

void oracle_imports_verdict(struct oracle *o) {
    for (const struct shadow_import *im = o->first_import; im != NULL; im = im->next) {
        for (int32_t n = 1; n <= SHADOW_ROWS_MAX; n++) {
            int32_t wanted = im->rows[n] == SHADOW_ROW_BOOKED;
            SIM_EXPECT(o->sim, im->bookings[n] == wanted,
                       "each accepted row has exactly one booking", "row %d of %s has %d, not %d",
                       n, im->id, im->bookings[n], wanted);
            o->sim->result->imported += im->bookings[n];
        }
    }
}
