/* The notification service: every booking event becomes an entry in the inbox of each account that
 * it concerns, numbered per account; sockets push the entries as they become durable and replay
 * what a client missed; watchers get positions, coalesced, newest only.
 *
 * Staff (dispatchers and admins) share one inbox, "staff": what one of them may see all may see.
 *
 * Threads: entries are committed by the executor; a socket and its session belong to one network
 * thread (struct notification_part); between them goes a note "inbox X has grown", and positions
 * lie in one table under a read-write lock.
 */
#ifndef LORRY_SERVICES_NOTIFICATION_NOTIFICATION_SERVICE_H
#define LORRY_SERVICES_NOTIFICATION_NOTIFICATION_SERVICE_H

#include "events/events.h"
#include "ports/entropy.h"
#include "ports/locations.h"
#include "ports/mailer.h"
#include "ports/poster.h"
#include "runtime/service.h"

#define NOTIFICATION_WORKERS_MAX 64

struct notification_options {
    const struct clock *clock;
    struct bus *bus; /* positions are heard from it */
    struct token_verifier *verifier;
    struct locations *locations; /* takes location frames; NULL: they are refused */
    struct mailer *mailer;       /* NULL: no mail is sent; closed after the executor has stopped */
    struct poster *poster;       /* NULL: webhooks are not called; the same */
    bool webhook_allow_private;  /* http:// and private addresses may be told: for tests */
    struct str message_url;      /* where text messages and push go; absent: nowhere */
    struct str message_secret;   /* "whsec_…" that signs them */
    struct entropy *entropy;     /* for secrets, on any thread */
    const struct log *log;
    struct peers *peers; /* others that write to the same store; NULL: nobody */
    struct spans *spans; /* what is traced goes there; NULL: nothing is */
    int32_t workers_max; /* network threads there can be, 1..NOTIFICATION_WORKERS_MAX */
    /* In seconds; 0 for the defaults: 7 days and 1,000 entries are always kept. */
    int64_t keep_s;
    int32_t keep_entries;
};

struct notification_service;
struct notification_service *notification_service_new(const struct notification_options *o);
struct notification_service *notification_service_free(struct notification_service *n);
/* For an end in order: nothing more is begun; how many messages are still under way, whose results
 * the executor is to hear. Any thread. */
/* Can S sign ("whsec_" and the base64 of 24 to 64 bytes)? */
bool notification_is_secret(struct str s);
void notification_service_stop(struct notification_service *n);
int32_t notification_service_under_way(struct notification_service *n);
/* Where the results of what is sent go. Before its first turn, where there is a mailer or poster.
 */
void notification_service_executor(struct notification_service *n, struct executor *x);
/* Where a driver is, for those who watch; what is older than what is known is passed over. Any one
 * thread at a time. */
void notification_service_position(struct notification_service *n,
                                   const struct signal_position *said);
struct service notification_service(struct notification_service *n);

#endif
