/* The state machine of a booking: one const table, state × action. It is what decides, what an
 * illegal move is answered with, and what states.md is printed from. Pure; any thread.
 */
#ifndef LORRY_BOOKING_MACHINE_H
#define LORRY_BOOKING_MACHINE_H

#include "base/buf.h"
#include "events/events.h"

enum booking_action {
    ACTION_OFFER,  /* the system: a driver is claimed, he is asked */
    ACTION_LAPSE,  /* the system: the last open offer has closed */
    ACTION_ACCEPT, /* the driver who is asked */
    ACTION_ASSIGN, /* a dispatcher picks the driver */
    ACTION_EXPIRE, /* the system: nobody took it */
    ACTION_ARRIVE_PICKUP,
    ACTION_PICK_UP,
    ACTION_ARRIVE_DROPOFF,
    ACTION_DELIVER,
    ACTION_FAIL,
    ACTION_CANCEL,
    ACTION_RATE,
    ACTION_DISPATCH,   /* the system: it is time to look for a driver */
    ACTION_RESCHEDULE, /* another time for the pickup */
    ACTION_UNASSIGN,   /* a dispatcher takes it from its driver */
    ACTION_RELEASE,    /* its driver gives it back */
    ACTION_ARRIVE_RETURN,
    ACTION_GIVE_BACK,    /* what could not be delivered is where it came from */
    ACTION_CHANGE_STOPS, /* other drop-offs than before */
    ACTION_NOTE,         /* another note for a stop */
    ACTION_COUNT
};
extern const char *const booking_action_names[ACTION_COUNT];

/* What somebody is to a booking; one person may be several (staff who booked). 0: a stranger. */
enum hat {
    HAT_SYSTEM = 1,
    HAT_CUSTOMER = 2, /* who booked it */
    HAT_DRIVER = 4,   /* its driver */
    HAT_ASKED = 8,    /* a driver who has an open offer of it */
    HAT_STAFF = 16
};

enum move_condition {
    MOVE_AT_STOP = 1,       /* the stop named, if one is, must be the next undone one */
    MOVE_REASON = 2,        /* a reason must be given */
    MOVE_ONCE = 4,          /* a booking is rated once */
    MOVE_ENDS = 8,          /* unless goods go back: TO, whether stops remain or not */
    MOVE_STAFF_REASON = 16, /* staff must give a reason, its customer need not */
    MOVE_FREE = 32          /* its driver is not finishing another booking before it */
};

struct booking_move {
    uint8_t to;         /* enum booking_state; BOOKING_NONE: no such move */
    uint8_t to_more;    /* instead of TO while undone stops remain; BOOKING_NONE: as TO */
    uint8_t to_back;    /* … when none remains and goods go back; BOOKING_NONE: as TO */
    uint8_t who;        /* hats that may */
    uint8_t conditions; /* enum move_condition */
    uint8_t stop_state; /* enum stop_state: what the next undone stop becomes; 0: stays */
};
extern const struct booking_move booking_moves[BOOKING_STATE_COUNT][ACTION_COUNT];

struct booking_ask {
    int32_t state; /* of the booking */
    enum booking_action action;
    unsigned hats;
    int64_t stop; /* as named, or I64_ABSENT */
    int32_t next_stop, stop_count;
    bool has_reason, rated;
    bool waits; /* its driver finishes another booking first */
    bool back;  /* after it goods of some stop are to go back */
};
enum verdict {
    VERDICT_OK,
    VERDICT_ILLEGAL,    /* not in this state, or not by these hats in this state */
    VERDICT_DENIED,     /* these hats never may */
    VERDICT_OTHER_STOP, /* not the stop that is next */
    VERDICT_NO_REASON,
    VERDICT_RATED,
    VERDICT_WAITS /* its driver finishes another booking first */
};
/* May it be done? VERDICT_OK sets *RET_TO, the state after it. */
enum verdict booking_judge(const struct booking_ask *ask, int32_t *ret_to);

/* The states that people can move a booking to from STATE: by what its customer and its drivers may
 * do, and with HAT_STAFF in HATS staff, too. WAITS: its driver finishes another booking first. Each
 * once, in the order of the states. Returns how many; a delivery to a stop that is not the last
 * counts as "delivered", the word to send. */
int32_t booking_allowed(int32_t state, unsigned hats, bool waits,
                        int32_t ret_states[BOOKING_STATE_COUNT]);

/* The action that a driver means by naming STATE; ACTION_COUNT when there is none. */
enum booking_action booking_driver_action(int32_t state);

/* The table as Markdown. */
void booking_moves_markdown(struct buf *out);

#endif
