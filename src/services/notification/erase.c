/* Who was told things and is erased: where he was reached, what was sent to him and what he had
 * called; and what any inbox has that names him. An entry of an inbox loses what it says and keeps
 * its number: numbers are never used again, and readers pass by an entry that says nothing.
 */
#include "services/notification/erase.h"

#include "base/check.h"
#include "base/id.h"
#include "services/notification/delivery.h"
#include "services/notification/internal.h"
#include "services/notification/recipients.h"
#include "services/notification/webhooks.h"

static enum eraser_verdict judge_entry(void *state, struct str user_id, struct arena *a) {
    struct inbox_entry *e = state;
    (void)user_id;
    (void)a;
    if (e->data.p == NULL)
        return ERASE_KEEP;
    e->data = STR_NONE;
    return ERASE_WRITE;
}

/* Of deliveries first those to him, then what webhooks of others were told of his bookings, or are
 * still to be told: a message is a copy of the booking as it was. */
static const struct eraser_target targets[] = {
    {&delivery_aggregate, 1, NULL, NULL},   {&delivery_aggregate, -1, NULL, NULL},
    {&webhook_aggregate, 0, NULL, NULL},    {&inbox_aggregate, -1, NULL, judge_entry},
    {&recipient_aggregate, -1, NULL, NULL}, /* what an event of before has made anew */
};
const struct store_collection notification_erasure_collection = {.name = "notification_erasures"};
static const struct aggregate erasure_aggregate = {.collection = &notification_erasure_collection,
                                                   .schema = &erasure_schema};
static const struct command_type erasure_begin = {
    .name = "notification.erase", .aggregate = &erasure_aggregate, .decide = eraser_begin};
const struct eraser notification_eraser = {&erasure_aggregate, &erasure_begin, targets,
                                           COUNT_OF(targets)};

void notification_on_erased(struct event_turn *t, const void *data) {
    const struct ev_erased *said = data;
    eraser_take(t, said, &erasure_begin);
    if (said->user_id.p != NULL) /* else nobody's */
        webhooks_on_erased(t, said);
}
