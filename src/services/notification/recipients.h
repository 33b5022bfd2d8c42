/* Who is told of what over which channel. A recipient is an account as this service knows it (from
 * account.* events) and what its owner has chosen; for who has chosen nothing there are defaults.
 */
#ifndef LORRY_SERVICES_NOTIFICATION_RECIPIENTS_H
#define LORRY_SERVICES_NOTIFICATION_RECIPIENTS_H

#include "services/notification/delivery.h"

#define RECIPIENT_YOUNG_US (INT64_C(600) * US_PER_S) /* its account may not be known yet */
#define CLOCK_TEXT_LEN 5                             /* "22:00" */

struct recipient {
    struct aggregate_head head; /* the account's id */
    struct str email, phone, name;
    bool disabled;
    int64_t account_us; /* of the newest account event */
    /* chosen */
    bool chosen;
    struct str language, timezone;
    struct str quiet_from, quiet_until; /* "22:00"; absent: no quiet hours */
    struct str *email_kinds, *message_kinds;
    int32_t email_count, message_count;
};
extern const struct aggregate recipient_aggregate;
extern const struct store_collection recipient_collection;
extern const struct schema preferences_schema;

/* When what is not urgent may go to R: NOW, or the end of its quiet hours. Reads the zone's file.
 */
int64_t recipient_quiet_until(const struct recipient *r, int64_t now_us, struct arena *a);
/* A delivery over each channel there is, for those whom the event concerns and who want it. */
void recipients_add(struct event_turn *t, const struct ev_booking *b);
/* One of the days of a recurrence could not be booked. */
void recipients_not_booked(struct event_turn *t, const struct ev_not_booked *said);
void recipients_notice(struct event_turn *t, const struct ev_notice *said);
void on_notice(struct event_turn *t, const void *data); /* notices.c */
/* Of an event that is no booking's: an entry in the inbox STREAM. inbox.c */
void inbox_add(struct event_turn *t, struct str stream, const char *type, struct str data);
void on_recipient_account(struct event_turn *t, const void *data);
void preferences_check(struct call *c, const void *body, struct field_errors *errors);
void route_preferences(struct call *c);
void route_preferences_put(struct call *c);

#endif
