/* Alerts: what needs somebody in the office. A booking that nobody has taken for a while, a driver
 * who will be late, has gone silent, or is not on his way. One document for each booking and kind
 * ("alr_<the booking's ULID>_<kind>"), which is raised and cleared as often as need be; others say
 * so by events (events.h), this keeps, tells and lists it.
 *
 * Events may come late and twice: each carries a number, and one that is not higher changes
 * nothing.
 */
#ifndef LORRY_NOTIFICATION_ALERTS_H
#define LORRY_NOTIFICATION_ALERTS_H

#include "services/notification/internal.h"

#define ALERTS_KEPT_US                                                                             \
    (INT64_C(90) * 24 * 3600 * 1000000) /* after the last that was done about it */

enum alert_state { ALERT_STATE_NONE, ALERT_OPEN, ALERT_ACKNOWLEDGED, ALERT_PAST };

struct alert {
    struct aggregate_head head;
    int32_t kind;  /* enum alert_kind */
    int32_t state; /* enum alert_state */
    struct str booking_id, driver_id;
    int64_t number; /* of the event that it stands by */
    int64_t times;  /* raised so often */
    int64_t stop, distance_m;
    int64_t eta_us, promised_us, seen_us;
    bool over; /* nothing will clear it but somebody's word */
    int64_t raised_at_us, cleared_at_us, acknowledged_at_us;
    struct str acknowledged_by, note;
};
struct alert_body {
    struct str note;
};
extern const struct store_collection alert_collection;
extern const struct aggregate alert_aggregate;
extern const struct schema alert_body_schema;

void on_alert_raised(struct event_turn *t, const void *data);
void on_alert_cleared(struct event_turn *t, const void *data);
void on_alert_acknowledged(struct event_turn *t, const void *data);
/* For retention: has nothing been heard of it, or done, since BEFORE_US? */
bool alert_over(const void *state, int64_t before_us);
void alerts_tick(struct notification_service *n, struct store *writer, int64_t now_us);

void route_alerts(struct call *c);
void route_alert_ack(struct call *c);

#endif
