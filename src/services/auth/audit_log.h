/* The audit log: an entry for each act of somebody's office, in whichever service it was done.
 * Notes come as events (runtime/audit.h). An entry's id is its event's with another prefix, so
 * however often the event comes there is one entry. Entries are created and never changed; they go
 * after `audit_days` days, the oldest first.
 */
#ifndef LORRY_SERVICES_AUTH_AUDIT_LOG_H
#define LORRY_SERVICES_AUTH_AUDIT_LOG_H

#include "events/events.h"
#include "runtime/service.h"

#define AUDIT_PRUNE_MAX 200 /* entries that go in one tick */

struct audit_entry {
    struct aggregate_head head; /* id: "aud_…" */
    int64_t at_us;
    struct ev_audit note;
    struct str request_id; /* absent: no request */
};
/* Index keys: who, on whom, what. */
extern const struct store_collection audit_collection;
extern const struct aggregate audit_aggregate;

void on_audit_recorded(struct event_turn *t, const void *data);
/* GET /v1/audit */
void handle_audit(struct call *c);
/* Drops what is older than BEFORE. Executor thread. */
void audit_prune(struct store *writer, int64_t before_us);

#endif
