/* Administrators who leave: demoted, disabled, erased. The last one who can sign in must stay, and
 * whether there is another one is a fact about other documents, which other processes write too. So
 * whoever takes one away first takes the one document of this collection, which says who is
 * leaving: of two who do so at once one loses the compare-and-set, and finds the other there.
 *
 * It is never given back: it holds nobody up once its administrator is none any more, and after
 * LEAVING_US in any case. What it is for must be decided within half of that (as for a reservation,
 * accounts.h), so that one that was taken over cannot come back from the dead.
 */
#ifndef LORRY_SERVICES_AUTH_LEAVING_H
#define LORRY_SERVICES_AUTH_LEAVING_H

#include "services/auth/accounts.h"

#define LEAVING_US (INT64_C(10) * 1000000)
#define LEAVING_ID "leaving"

struct leaving {
    struct aggregate_head head; /* id: LEAVING_ID */
    struct str user_id;
    int64_t since_us;
};
extern const struct store_collection leaving_collection;
extern const struct aggregate leaving_aggregate;

struct leave_args {
    struct str user_id;
};
/* 503 while another administrator is leaving. */
extern const struct command_type admin_leave;

/* Is it in time for what SINCE_US was taken for? */
static inline bool leaving_holds(int64_t since_us, int64_t now_us) {
    return since_us > 0 && now_us <= since_us + LEAVING_US / 2;
}

#endif
