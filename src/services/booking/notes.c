/* Notes for the stops: what who comes there is to know (a code, a floor, whom to ask for). They are
 * given with the booking, or with a new stop, and may be changed by its customer and by staff until
 * the stop is done. Who sees them is a matter of events/sight.h; the timeline has that one was
 * changed, not what it said.
 */
#include "base/check.h"
#include "runtime/audit.h"
#include "services/booking/internal.h"

/* How often notes of B were changed, by all or by customers. */
static int32_t changes_of(const struct booking *b, bool by_customers) {
    int32_t count = 0;
    for (int32_t i = 0; i < b->timeline_count; i++)
        count += b->timeline[i].type == ENTRY_NOTE_CHANGED &&
                 (!by_customers || b->timeline[i].actor_kind == ROLE_CUSTOMER);
    return count;
}

/* A customer leaves some of them to staff, who may have to put a note right late. False: RET has
 * the problem. */
static bool has_room(const struct command *cmd, const struct booking *b, unsigned hats,
                     struct decision *ret) {
    int32_t most = 0;
    if (changes_of(b, false) >= NOTE_CHANGES_MAX)
        most = NOTE_CHANGES_MAX;
    else if ((hats & HAT_STAFF) == 0 && changes_of(b, true) >= NOTE_CHANGES_OF_CUSTOMER_MAX)
        most = NOTE_CHANGES_OF_CUSTOMER_MAX;
    if (most > 0)
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_CHANGES,
                         "its notes were changed %d times%s, which is as often as they may be",
                         most, most < NOTE_CHANGES_MAX ? " by its customer" : "");
    return most == 0;
}

/* False: RET has the problem. */
static bool may_note(const struct command *cmd, const struct booking *b, unsigned hats,
                     struct decision *ret) {
    const struct note_body *body = cmd->args;
    struct booking_ask ask = booking_ask_of(b, ACTION_NOTE, hats);
    int32_t to;
    enum verdict v = booking_judge(&ask, &to);
    if (v != VERDICT_OK)
        booking_refuse(b, cmd, &ask, v, "a note", ret);
    else if (body->stop >= b->stop_count)
        decision_invalid(ret, cmd, "/stop", "is none of its stops");
    else if (!booking_is_the_stop(cmd, b, (int32_t)body->stop, body->revision, ret))
        return false;
    else if (b->stops[body->stop].state == STOP_DONE || b->stops[body->stop].state == STOP_FAILED)
        decision_invalid(ret, cmd, "/stop", "is over: nobody comes there any more");
    else
        return true;
    return false;
}

static void decide_note(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    static const char *const audited[] = {"updated_at", NULL}; /* not what it says */
    const struct booking *b = state;
    const struct note_body *body = cmd->args;
    unsigned hats = b != NULL ? booking_hats(b, &cmd->who) : 0;
    if (!booking_at_hand(b, cmd, hats, body->version, ret))
        return;
    CHECK(b != NULL);
    if (!may_note(cmd, b, hats, ret))
        return;
    struct str note = body->note.len > 0 ? body->note : STR_NONE;
    if (str_eq(note, b->stops[body->stop].note)) {
        booking_unchanged(b, cmd, ctx, ret);
        return;
    }
    if (!has_room(cmd, b, hats, ret))
        return;
    struct edit e;
    edit_begin(&e, cmd, ctx, b);
    edit_move(&e, ACTION_NOTE, hats);
    edit_stop(&e, (int32_t)body->stop)->note = note;
    edit_entry(&e, ENTRY_NOTE_CHANGED)->stop = body->stop;
    edit_event(&e, ENTRY_NOTE_CHANGED, NULL);
    edit_commit(&e, ret);
    if ((hats & HAT_CUSTOMER) == 0)
        decision_audit(ret, cmd, ctx, "booking.note_changed", b, e.b,
                       &(struct audit_more){.kept = true, .only = audited});
    edit_reply(&e, ret, 200);
}

const struct command_type booking_note = {
    .name = "booking.note",
    .aggregate = &booking_aggregate,
    .decide = decide_note,
    .applied = booking_applied,
};
