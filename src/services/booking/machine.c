/* Whatever is not in this table cannot happen to a booking. */
#include "services/booking/machine.h"

#include "base/check.h"
#include "services/booking/types.h"

const char *const booking_action_names[ACTION_COUNT] = {
    [ACTION_OFFER] = "offer",
    [ACTION_LAPSE] = "last offer closes",
    [ACTION_ACCEPT] = "accept",
    [ACTION_ASSIGN] = "assign",
    [ACTION_EXPIRE] = "search ends",
    [ACTION_ARRIVE_PICKUP] = "status arrived_pickup",
    [ACTION_PICK_UP] = "status picked_up",
    [ACTION_ARRIVE_DROPOFF] = "status arrived_dropoff",
    [ACTION_DELIVER] = "status delivered",
    [ACTION_FAIL] = "status failed",
    [ACTION_CANCEL] = "cancel",
    [ACTION_RATE] = "rating",
    [ACTION_DISPATCH] = "its time comes",
    [ACTION_RESCHEDULE] = "another time",
    [ACTION_UNASSIGN] = "unassign",
    [ACTION_RELEASE] = "release",
    [ACTION_ARRIVE_RETURN] = "status arrived_return",
    [ACTION_GIVE_BACK] = "status returned",
    [ACTION_CHANGE_STOPS] = "other stops",
    [ACTION_NOTE] = "another note",
};

#define MOVE(state, ...)                                                                           \
    { .to = BOOKING_##state, __VA_ARGS__ }
#define PARTIES (HAT_CUSTOMER | HAT_STAFF)
/* The system calls off what nobody wants any more (standing.h), until it is on board. */
#define CALLED_OFF [ACTION_CANCEL] = MOVE(CANCELLED, .who = PARTIES | HAT_SYSTEM)
/* Other drop-offs: while there is one that nobody has come to yet. */
#define CHANGES_STOPS(state)                                                                       \
    [ACTION_CHANGE_STOPS] = MOVE(state, .who = PARTIES, .conditions = MOVE_STAFF_REASON)
/* Another note for a stop: for who is on his way, wherever that is. */
#define TAKES_NOTES(state) [ACTION_NOTE] = MOVE(state, .who = PARTIES)
/* Until the goods are picked up a booking may go to another driver, or to nobody. */
#define CHANGES_HANDS(unassigns)                                                                   \
    [ACTION_ASSIGN] =                                                                              \
        MOVE(ASSIGNED, .who = HAT_STAFF, .conditions = MOVE_REASON, .stop_state = STOP_PENDING),   \
    [ACTION_UNASSIGN] = MOVE(REQUESTED, .who = (unassigns), .conditions = MOVE_REASON,             \
                             .stop_state = STOP_PENDING),                                          \
    [ACTION_RELEASE] =                                                                             \
        MOVE(REQUESTED, .who = HAT_DRIVER, .conditions = MOVE_REASON, .stop_state = STOP_PENDING)

const struct booking_move booking_moves[BOOKING_STATE_COUNT][ACTION_COUNT] =
    {
        [BOOKING_SCHEDULED] =
            {
                [ACTION_EXPIRE] = MOVE(EXPIRED, .who = HAT_SYSTEM), /* it was past before we woke */
                CALLED_OFF,
                [ACTION_DISPATCH] = MOVE(REQUESTED, .who = HAT_SYSTEM),
                [ACTION_RESCHEDULE] = MOVE(SCHEDULED, .who = PARTIES),
                CHANGES_STOPS(SCHEDULED),
                TAKES_NOTES(SCHEDULED),
            },
        [BOOKING_REQUESTED] =
            {
                [ACTION_OFFER] = MOVE(OFFERED, .who = HAT_SYSTEM),
                [ACTION_ASSIGN] = MOVE(ASSIGNED, .who = HAT_STAFF),
                [ACTION_EXPIRE] = MOVE(EXPIRED, .who = HAT_SYSTEM),
                CALLED_OFF,
                CHANGES_STOPS(REQUESTED),
                TAKES_NOTES(REQUESTED),
            },
        [BOOKING_OFFERED] =
            {
                [ACTION_OFFER] = MOVE(OFFERED, .who = HAT_SYSTEM), /* a wave asks several */
                [ACTION_LAPSE] = MOVE(REQUESTED, .who = HAT_SYSTEM),
                [ACTION_ACCEPT] = MOVE(ASSIGNED, .who = HAT_ASKED),
                [ACTION_ASSIGN] = MOVE(ASSIGNED, .who = HAT_STAFF),
                [ACTION_EXPIRE] = MOVE(EXPIRED, .who = HAT_SYSTEM),
                CALLED_OFF,
                CHANGES_STOPS(OFFERED),
                TAKES_NOTES(OFFERED),
            },
        [BOOKING_ASSIGNED] =
            {
                [ACTION_ARRIVE_PICKUP] =
                    MOVE(ARRIVED_PICKUP, .who = HAT_DRIVER, .conditions = MOVE_AT_STOP | MOVE_FREE,
                         .stop_state = STOP_ARRIVED),
                CALLED_OFF,
                /* what he was to do next he may not come to */
                CHANGES_HANDS(HAT_STAFF | HAT_SYSTEM),
                CHANGES_STOPS(ASSIGNED),
                TAKES_NOTES(ASSIGNED),
            },
        [BOOKING_ARRIVED_PICKUP] =
            {
                [ACTION_PICK_UP] = MOVE(PICKED_UP, .who = HAT_DRIVER, .conditions = MOVE_AT_STOP,
                                        .stop_state = STOP_DONE),
                [ACTION_FAIL] =
                    MOVE(FAILED, .who = HAT_DRIVER, .conditions = MOVE_AT_STOP | MOVE_REASON,
                         .stop_state = STOP_FAILED),
                CALLED_OFF,
                CHANGES_HANDS(HAT_STAFF),
                CHANGES_STOPS(ARRIVED_PICKUP),
                TAKES_NOTES(ARRIVED_PICKUP),
            },
        [BOOKING_PICKED_UP] =
            {
                [ACTION_ARRIVE_DROPOFF] =
                    MOVE(ARRIVED_DROPOFF, .who = HAT_DRIVER, .conditions = MOVE_AT_STOP,
                         .stop_state = STOP_ARRIVED),
                [ACTION_CANCEL] = MOVE(CANCELLED, .who = HAT_STAFF),
                CHANGES_STOPS(PICKED_UP),
                TAKES_NOTES(PICKED_UP),
            },
        [BOOKING_ARRIVED_DROPOFF] =
            {
                [ACTION_DELIVER] =
                    MOVE(DELIVERED, .to_more = BOOKING_PICKED_UP, .to_back = BOOKING_RETURNING,
                         .who = HAT_DRIVER, .conditions = MOVE_AT_STOP, .stop_state = STOP_DONE),
                [ACTION_FAIL] =
                    MOVE(FAILED, .to_more = BOOKING_PICKED_UP, .to_back = BOOKING_RETURNING,
                         .who = HAT_DRIVER, .conditions = MOVE_AT_STOP | MOVE_REASON | MOVE_ENDS,
                         .stop_state = STOP_FAILED),
                [ACTION_CANCEL] = MOVE(CANCELLED, .who = HAT_STAFF),
                CHANGES_STOPS(ARRIVED_DROPOFF),
                TAKES_NOTES(ARRIVED_DROPOFF),
            },
        [BOOKING_RETURNING] =
            {
                [ACTION_ARRIVE_RETURN] =
                    MOVE(ARRIVED_RETURN, .who = HAT_DRIVER, .conditions = MOVE_AT_STOP,
                         .stop_state = STOP_ARRIVED),
                [ACTION_CANCEL] = MOVE(CANCELLED, .who = HAT_STAFF),
                TAKES_NOTES(RETURNING),
            },
        [BOOKING_ARRIVED_RETURN] =
            {
                [ACTION_GIVE_BACK] = MOVE(RETURNED, .who = HAT_DRIVER, .conditions = MOVE_AT_STOP,
                                          .stop_state = STOP_DONE),
                [ACTION_CANCEL] = MOVE(CANCELLED, .who = HAT_STAFF),
                TAKES_NOTES(ARRIVED_RETURN),
            },
        [BOOKING_DELIVERED] =
            {
                [ACTION_RATE] = MOVE(DELIVERED, .who = HAT_CUSTOMER, .conditions = MOVE_ONCE),
            },
        /* cancelled, expired, failed, returned: nothing moves any more */
};

/* May any of HATS do ACTION in some state? */
static bool ever_may(enum booking_action action, unsigned hats) {
    for (int32_t state = BOOKING_NONE; state < BOOKING_STATE_COUNT; state++) {
        const struct booking_move *m = &booking_moves[state][action];
        if (m->to != BOOKING_NONE && (m->who & hats) != 0)
            return true;
    }
    return false;
}

enum verdict booking_judge(const struct booking_ask *ask, int32_t *ret_to) {
    CHECK(ask->state > BOOKING_NONE && ask->state < BOOKING_STATE_COUNT);
    if (!ever_may(ask->action, ask->hats))
        return VERDICT_DENIED;
    const struct booking_move *m = &booking_moves[ask->state][ask->action];
    if (m->to == BOOKING_NONE || (m->who & ask->hats) == 0)
        return VERDICT_ILLEGAL;
    if ((m->conditions & MOVE_AT_STOP) && ask->stop != I64_ABSENT && ask->stop != ask->next_stop)
        return VERDICT_OTHER_STOP;
    if ((m->conditions & MOVE_FREE) && ask->waits)
        return VERDICT_WAITS;
    if ((m->conditions & MOVE_REASON) && !ask->has_reason)
        return VERDICT_NO_REASON;
    if ((m->conditions & MOVE_STAFF_REASON) && (ask->hats & HAT_CUSTOMER) == 0 && !ask->has_reason)
        return VERDICT_NO_REASON;
    if ((m->conditions & MOVE_ONCE) && ask->rated)
        return VERDICT_RATED;
    bool more = ask->next_stop + 1 < ask->stop_count;
    if ((m->conditions & MOVE_ENDS) && !ask->back)
        *ret_to = m->to;
    else if (more && m->to_more != BOOKING_NONE)
        *ret_to = m->to_more;
    else
        *ret_to = ask->back && m->to_back != BOOKING_NONE ? m->to_back : m->to;
    return VERDICT_OK;
}

int32_t booking_allowed(int32_t state, unsigned hats, bool waits,
                        int32_t ret_states[BOOKING_STATE_COUNT]) {
    unsigned seen_by = HAT_CUSTOMER | HAT_DRIVER | HAT_ASKED | (hats & HAT_STAFF);
    unsigned found = 0;
    for (int action = 0; action < ACTION_COUNT; action++) {
        const struct booking_move *m = &booking_moves[state][action];
        if (action == ACTION_UNASSIGN || action == ACTION_RELEASE)
            continue; /* no status, but ways of their own */
        if (waits && (m->conditions & MOVE_FREE) != 0)
            continue;
        if ((m->who & seen_by) != 0 && m->to != state)
            found |= 1u << m->to;
    }
    int32_t n = 0;
    for (int32_t to = BOOKING_NONE + 1; to < BOOKING_STATE_COUNT; to++) {
        if (found & (1u << to))
            ret_states[n++] = to;
    }
    return n;
}

enum booking_action booking_driver_action(int32_t state) {
    switch (state) {
    case BOOKING_ARRIVED_PICKUP:
        return ACTION_ARRIVE_PICKUP;
    case BOOKING_PICKED_UP:
        return ACTION_PICK_UP;
    case BOOKING_ARRIVED_DROPOFF:
        return ACTION_ARRIVE_DROPOFF;
    case BOOKING_DELIVERED:
        return ACTION_DELIVER;
    case BOOKING_FAILED:
        return ACTION_FAIL;
    case BOOKING_ARRIVED_RETURN:
        return ACTION_ARRIVE_RETURN;
    case BOOKING_RETURNED:
        return ACTION_GIVE_BACK;
    default:
        return ACTION_COUNT;
    }
}

static void write_who(struct buf *out, unsigned who) {
    static const struct {
        unsigned hat;
        const char *name;
    } names[] = {{HAT_SYSTEM, "the system"},
                 {HAT_CUSTOMER, "its customer"},
                 {HAT_DRIVER, "its driver"},
                 {HAT_ASKED, "the driver who is asked"},
                 {HAT_STAFF, "dispatcher, admin"}};
    const char *comma = "";
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (who & names[i].hat) {
            buf_printf(out, "%s%s", comma, names[i].name);
            comma = ", ";
        }
    }
}

static void write_row(struct buf *out, int32_t state, int action) {
    const struct booking_move *m = &booking_moves[state][action];
    buf_printf(out, "| %s | %s | %s", booking_state_names[state], booking_action_names[action],
               booking_state_names[m->to]);
    const char *only = m->conditions & MOVE_ENDS ? "where goods go back " : "";
    if (m->to_more != BOOKING_NONE)
        buf_printf(out, ", or %s%s while stops remain", only, booking_state_names[m->to_more]);
    if (m->to_back != BOOKING_NONE)
        buf_printf(out, ", or %s when something has to go back", booking_state_names[m->to_back]);
    buf_add_cstr(out, " | ");
    write_who(out, m->who);
    buf_add_cstr(out, " | ");
    const char *comma = "";
    if (m->conditions & MOVE_AT_STOP) {
        buf_add_cstr(out, "at the next undone stop");
        comma = ", ";
    }
    if (m->conditions & MOVE_FREE) {
        buf_printf(out, "%swith no other booking before it", comma);
        comma = ", ";
    }
    if (m->conditions & MOVE_REASON) {
        buf_printf(out, "%swith a reason", comma);
        comma = ", ";
    }
    if (m->conditions & MOVE_STAFF_REASON) {
        buf_printf(out, "%sof staff with a reason", comma);
        comma = ", ";
    }
    if (m->conditions & MOVE_ONCE)
        buf_printf(out, "%sonce", comma);
    if (m->stop_state != STOP_NONE)
        buf_printf(out, "; the stop is then %s", stop_state_names[m->stop_state]);
    buf_add_cstr(out, " |\n");
}

void booking_moves_markdown(struct buf *out) {
    buf_add_cstr(out, "| from | by | to | who | conditions |\n|---|---|---|---|---|\n");
    for (int32_t state = BOOKING_NONE + 1; state < BOOKING_STATE_COUNT; state++) {
        for (int action = 0; action < ACTION_COUNT; action++) {
            if (booking_moves[state][action].to != BOOKING_NONE)
                write_row(out, state, action);
        }
    }
}
