/* Who is nobody's customer any more: what is booked without anybody asking at that moment must
 * know.
 *
 * An account that is disabled has a document here as long as it is, and one whose news came lately
 * too, for older news may come after it. That he is disabled stops what recurs of it, each by an
 * event; what recurs and was missed by that (it was being made) stops itself, when its next day is
 * due. It goes on when its customer says so, not when the account is enabled.
 *
 * Of who is erased there is the document of his erasure (erase.h) until all of his is gone. Writing
 * it cancels what he has open, which can only be what was booked without him in that moment; and
 * each such booking, once it is there, is looked at again. So whichever is written first, none is
 * left. */
#ifndef LORRY_BOOKING_STANDING_H
#define LORRY_BOOKING_STANDING_H

#include "services/booking/internal.h"

enum standing { STANDING_GOOD, STANDING_DISABLED, STANDING_ERASED };

struct disabled_account {
    struct aggregate_head head; /* id: the user's */
    int64_t since_us;           /* 0: he is not */
    int64_t at_us; /* of the newest news of him; 0: from before that was noted, as since_us */
};
#define STANDING_KEPT_US (7 * US_PER_DAY) /* that he is not disabled */
extern const struct store_collection disabled_collection;
extern const struct aggregate disabled_aggregate;

/* What USER_ID is, for a command's load. *RET_SINCE_US (may be NULL): since when he is disabled. */
int standing_of(struct store *store, struct json_parser *parser, struct str user_id,
                struct arena *a, enum standing *ret, int64_t *ret_since_us);
/* For retention: he is not disabled, and what was older news has come by now. */
bool standing_over(const void *state, int64_t before_us);
/* Asks for BOOKING_ID of USER_ID to be looked at: it is cancelled if he is erased. */
void standing_ask(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                  struct str booking_id, struct str user_id);

void standing_on_account(struct event_turn *t, const void *data); /* struct ev_account */
void standing_on_asked(struct event_turn *t, const void *data);   /* struct ev_of_user */
void standing_on_stopped(struct event_turn *t, const void *data); /* … */

#endif
