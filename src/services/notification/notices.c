/* What drivers are told beside their bookings: of shifts, of their documents, of their approval. In
 * the inbox it is one kind of entry, driver.notice; what is the office's business stands in the
 * staff's inbox, too. By e-mail goes what may keep a driver from working, whatever he has chosen;
 * the rest as he has.
 */
#include "services/notification/internal.h"
#include "services/notification/recipients.h"

static struct str notice_json(const struct ev_notice *said, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 256);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "kind", said->kind);
    jw_kv_str(&w, "driver_id", said->driver_id);
    jw_kv_str(&w, "name", said->name);
    if (said->at_us != 0)
        jw_kv_time(&w, "about", said->at_us);
    if (said->document.p != NULL)
        jw_kv_str(&w, "document", said->document);
    if (said->reason.p != NULL)
        jw_kv_str(&w, "reason", said->reason);
    if (said->days != I64_ABSENT)
        jw_kv_i64(&w, "days", said->days);
    if (said->amount != I64_ABSENT && said->currency.p != NULL) {
        jw_kv_i64(&w, "amount", said->amount);
        jw_kv_str(&w, "currency", said->currency);
    }
    jw_end(&w);
    return buf_str(&out);
}

void on_notice(struct event_turn *t, const void *data) {
    const struct ev_notice *said = data;
    struct str json = notice_json(said, t->arena);
    if (!said->office_only)
        inbox_add(t, said->user_id, EV_DRIVER_NOTICE, json);
    if (said->office)
        inbox_add(t, STREAM_STAFF, EV_DRIVER_NOTICE, json);
    if (!said->office_only)
        recipients_notice(t, said);
}
