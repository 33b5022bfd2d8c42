/* Who sees whose name, number and notes in a booking: one table, of who looks and how far the
 * booking is, that everything that shows one asks. Pure; any thread. docs/contacts.md tells it to
 * people.
 *
 * A booking names two kinds of people: those at its stops (contacts, with the notes for the stops,
 * which say how to get in), and its driver. What is shown of them never loses a member: a number is
 * masked, a note is null.
 */
#ifndef LORRY_SIGHT_H
#define LORRY_SIGHT_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum sight_viewer {
    VIEWER_CUSTOMER, /* whose booking it is */
    VIEWER_DRIVER,   /* who has it, or had it to its end */
    VIEWER_STAFF,
    VIEWER_LINK,  /* whoever has a tracking link */
    VIEWER_ASKED, /* a driver who is asked whether he wants it, or does not have it any more */
    VIEWER_COUNT
};
enum sight_stage {
    STAGE_OPEN, /* nobody has it yet */
    STAGE_LIVE,
    STAGE_OVER, /* it has ended, lately */
    STAGE_PAST, /* … and longer ago than numbers are kept for its driver */
    STAGE_COUNT
};
/* In this order: more and more. */
enum sight {
    SIGHT_NONE,
    SIGHT_NAME,   /* the first name; no number */
    SIGHT_MASKED, /* the first name; of the number the last two digits */
    SIGHT_LINE,   /* name and number; where the house has a number for that, the house's */
    SIGHT_WHOLE   /* as it is */
};
struct sights {
    enum sight contacts, driver;
};

/* STATE: enum booking_state. ENDED_US: 0, or when it ended. KEPT_US: how long numbers are kept for
 * its driver after that. */
enum sight_stage sight_stage(int32_t state, int64_t ended_us, int64_t now_us, int64_t kept_us);
struct sights sight_of(enum sight_viewer viewer, enum sight_stage stage);

/* Are the notes for the stops seen by who sees CONTACTS of the people there? */
bool sight_has_notes(enum sight contacts);
/* Is the tracking link, by which anybody follows the booking and rates it? Its driver has none. */
bool sight_has_link(enum sight contacts);

/* What is seen of NAME and NUMBER (either may be absent). LINE: the house's number; absent: it has
 * none. */
struct str sight_name(enum sight sight, struct str name);
struct str sight_number(enum sight sight, struct str number, struct str line, struct arena *a);
/* An address as a driver reads it who does not have the booking yet: the street, not the house.
 * Absent: nothing is left of it. */
struct str sight_street(struct str address, struct arena *a);

/* A booking's view (JSON text, all of it whole) as it is laid into an inbox or sent out for VIEWER.
 * There it is kept, and comes again as it was, whatever has become of the booking: so it shows
 * what is shown in the end (STAGE_PAST). Who wants to call asks for the booking. */
struct str sight_copy(struct str view, enum sight_viewer viewer, struct arena *a);

#endif
