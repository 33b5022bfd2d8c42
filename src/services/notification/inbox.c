/* Inboxes. An entry is one small document whose id is its inbox and its number, so that reading an
 * inbox in order is reading a range of ids, on any store. Numbers are given by the executor: it
 * remembers the newest of each inbox that it has lately written to, and asks the store for the
 * others. Where replicas share the store each asks it in every batch; two that give the same number
 * meet in the commit, and the loser takes another.
 *
 * A watchable says who may watch a booking: the facts of its events that this service needs later.
 */
#include "services/notification/alerts.h"
#include "services/notification/erase.h"
#include "services/notification/internal.h"
#include "services/notification/recipients.h"
#include "services/notification/webhooks.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "events/sight.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- shapes ---- */

static const struct schema_field entry_fields[] = {
    {"stream", S_STR, S_STORE, .offset = offsetof(struct inbox_entry, stream)},
    {"seq", S_I64, S_STORE, .offset = offsetof(struct inbox_entry, seq)},
    {"type", S_STR, S_STORE, .offset = offsetof(struct inbox_entry, type)},
    {"at", S_TIME, S_STORE, .offset = offsetof(struct inbox_entry, at_us)},
    {"data", S_RAW, S_STORE, .offset = offsetof(struct inbox_entry, data)},
    {"traceparent", S_STR, S_STORE, .offset = offsetof(struct inbox_entry, traceparent)},
};
static const struct schema entry_schema = SCHEMA(struct inbox_entry, "InboxEntry", entry_fields);
const struct store_collection inbox_collection = {.name = "inbox"};
const struct aggregate inbox_aggregate = {&inbox_collection, &entry_schema, NULL, NULL};

static const struct schema_field watchable_fields[] = {
    {"customer_id", S_STR, S_STORE, .offset = offsetof(struct watchable, customer_id)},
    {"driver_id", S_STR, S_STORE, .offset = offsetof(struct watchable, driver_id)},
    {"driver_user_id", S_STR, S_STORE, .offset = offsetof(struct watchable, driver_user_id)},
    {"state", S_ENUM, S_STORE, .offset = offsetof(struct watchable, state),
     .names = booking_state_names},
    {"booking_version", S_I64, S_STORE, .offset = offsetof(struct watchable, booking_version)},
    {"ended_at", S_TIME, S_STORE, .offset = offsetof(struct watchable, ended_at_us)},
};
static const struct schema watchable_schema =
    SCHEMA(struct watchable, "Watchable", watchable_fields);
const struct store_collection watchable_collection = {.name = "watchables"};
const struct aggregate watchable_aggregate = {&watchable_collection, &watchable_schema, NULL, NULL};

/* ---- reading ---- */

struct str stream_of(const struct identity *who) {
    return who->role == ROLE_DISPATCHER || who->role == ROLE_ADMIN ? STREAM_STAFF : who->user_id;
}

static struct str entry_id(struct arena *a, struct str stream, int64_t seq) {
    return arena_printf(a, "%.*s:%012lld", STR_ARG(stream), (long long)seq);
}

int64_t inbox_seq_of(struct str id) {
    int64_t seq = 0;
    size_t colon = 0;
    while (colon < id.len && id.p[colon] != ':')
        colon++;
    if (colon == id.len || str_to_i64(str_sub(id, colon + 1, id.len), &seq) < 0)
        return 0;
    return seq;
}

/* The one entry at an end of the inbox: ids of an inbox lie between "stream:" and "stream;". */
static int inbox_end(struct store *s, struct str stream, bool newest, struct arena *a,
                     int64_t *ret_seq) {
    struct str below = arena_printf(a, "%.*s:", STR_ARG(stream));
    struct str above = arena_printf(a, "%.*s;", STR_ARG(stream));
    struct store_query q = {.collection = &inbox_collection,
                            .after = newest ? above : below,
                            .until = newest ? below : above,
                            .ascending = !newest,
                            .limit = 1};
    struct store_doc *docs;
    int32_t count;
    int err = s->ops->list(s, &q, a, &docs, &count);
    if (err < 0)
        return err;
    *ret_seq = count > 0 ? inbox_seq_of(docs[0].id) : 0;
    return 0;
}

int inbox_head(struct store *s, struct str stream, struct arena *a, int64_t *ret_seq) {
    return inbox_end(s, stream, true, a, ret_seq);
}

int inbox_oldest(struct store *s, struct str stream, struct arena *a, int64_t *ret_seq) {
    return inbox_end(s, stream, false, a, ret_seq);
}

int inbox_read(struct store *s, struct json_parser *p, struct str stream, int64_t after,
               int64_t until, int32_t limit, struct arena *a, struct inbox_entry **ret_entries,
               int32_t *ret_count) {
    struct store_query q = {.collection = &inbox_collection,
                            .after = entry_id(a, stream, after),
                            .until = entry_id(a, stream, until + 1),
                            .ascending = true,
                            .limit = limit};
    struct store_doc *docs;
    int32_t count;
    int err = s->ops->list(s, &q, a, &docs, &count);
    if (err < 0)
        return err;
    struct inbox_entry *entries = arena_array(a, struct inbox_entry, count);
    for (int32_t i = 0; i < count; i++) {
        void *state;
        if (aggregate_decode(&inbox_aggregate, &docs[i], p, a, &state) == 0)
            entries[i] = *(struct inbox_entry *)state;
        else /* one that is damaged must not take all others with it */
            entries[i] = (struct inbox_entry){.head = {docs[i].id, docs[i].version},
                                              .seq = inbox_seq_of(docs[i].id)};
    }
    *ret_entries = entries;
    *ret_count = count;
    return 0;
}

struct str inbox_frame(const struct inbox_entry *e, struct arena *a) {
    struct traceparent trace;
    char trace_id[TRACE_ID_CHARS + 1];
    struct buf out;
    buf_init(&out, a, e->data.len + 208);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "type", e->type);
    jw_kv_i64(&w, "seq", e->seq);
    jw_kv_time(&w, "at", e->at_us);
    jw_key(&w, "data");
    jw_raw(&w, e->data);
    if (traceparent_read(e->traceparent, &trace)) {
        trace_id_text(&trace, trace_id);
        jw_kv_str(&w, "trace_id", str_from(trace_id));
    }
    jw_end(&w);
    return buf_str(&out);
}

/* ---- numbers ---- */

#define INBOX_PRUNE_EACH 128 /* entries between two looks for what is too old */

/* The newest number of an inbox. Where others write to it as well it is read once a batch, whatever
 * they are heard to say: a number that is too low is mostly taken, and the commit finds out; but it
 * may also be one that went unused, and the entry would stand before what clients have read. */
static struct stream_head *head_of(struct notification_service *n, struct store *store,
                                   struct str stream, struct arena *a, int64_t now_us) {
    struct stream_head *head = map_get(&n->heads, stream);
    int64_t seq;
    if (head != NULL && (n->o.peers == NULL || head->read_us == now_us))
        return head;
    if (stream.len >= STREAM_MAX || inbox_head(store, stream, a, &seq) < 0)
        return NULL;
    if (head == NULL) {
        head = xcalloc(1, sizeof(*head));
        memcpy(head->stream, stream.p, stream.len);
        map_put(&n->heads, str_from(head->stream), head);
    }
    head->seq = seq;
    head->read_us = now_us;
    return head;
}

static void heads_forget(struct notification_service *n, struct str stream) {
    free(map_remove(&n->heads, stream));
}

static void heads_clear(struct notification_service *n) {
    size_t iter = 0;
    void *head;
    while (map_next(&n->heads, &iter, &head))
        free(head);
    map_free(&n->heads);
}

/* ---- the entry command ---- */

/* Is an event of AT so fresh that the one before it may still be on its way? Its clock may be
 * wrong.
 */
static bool is_fresh(int64_t at_us, int64_t now_us) {
    return now_us - at_us < INBOX_TURN_WAIT_US && at_us - now_us < INBOX_TURN_WAIT_US;
}

/* Replicas compete for the events of a booking, so a later one may be here first. It waits, for a
 * moment, until the one before it is in the inboxes: an error, and it is given again. */
static int in_turn(const struct inbox_entry *entry, struct command *cmd, struct store *store,
                   int64_t now_us) {
    const struct notification_service *n = cmd->service;
    if (n->o.peers == NULL || entry->booking_id.p == NULL || entry->booking_version <= 1 ||
        !is_fresh(entry->at_us, now_us))
        return 0;
    void *state;
    int err = aggregate_get(&watchable_aggregate, store, executor_parser(cmd->executor),
                            entry->booking_id, cmd->arena, &state);
    if (err < 0)
        return err == ERR_NOT_FOUND ? ERR_BUSY : err;
    const struct watchable *told = state;
    return told->booking_version >= entry->booking_version - 1 ? 0 : ERR_BUSY;
}

static int entry_load(struct command *cmd, struct store *store, int64_t now_us) {
    struct inbox_entry *entry = cmd->args;
    int err = in_turn(entry, cmd, store, now_us);
    if (err < 0)
        return err;
    struct stream_head *head = head_of(cmd->service, store, entry->stream, cmd->arena, now_us);
    if (head == NULL)
        return ERR_BUSY;
    entry->seq = ++head->seq;
    cmd->id = entry_id(cmd->arena, entry->stream, entry->seq);
    cmd->fresh = true;
    return 0;
}

static void entry_decide(const struct command *cmd, const struct decide_ctx *ctx, const void *old,
                         struct decision *ret) {
    if (old != NULL) { /* an entry never changes */
        ret->result = ERR_CONFLICT;
        return;
    }
    struct inbox_entry *entry = arena_copy(ctx->arena, cmd->args, sizeof(struct inbox_entry));
    entry->traceparent = traceparent_text(&cmd->trace, ctx->arena);
    decision_state(ret, cmd, NULL, entry);
}

static void prune_later(struct notification_service *n, const struct inbox_entry *entry) {
    if (entry->seq % INBOX_PRUNE_EACH != 0 || entry->seq <= inbox_keep(n))
        return;
    int32_t i = 0;
    while (i < n->prune_count && !str_is(entry->stream, n->prune[i].stream))
        i++;
    if (i == INBOX_PRUNE_QUEUE_MAX)
        return; /* the next time, then */
    if (i == n->prune_count)
        n->prune_count++;
    copy_text(n->prune[i].stream, STREAM_MAX, entry->stream);
    n->prune[i].head = entry->seq;
}

static void entry_applied(const struct command *cmd, const struct decision *d, const void *state) {
    struct notification_service *n = cmd->service;
    if (d->state == NULL) {
        heads_forget(n, ((const struct inbox_entry *)cmd->args)->stream);
        return;
    }
    part_announce(n, state);
    prune_later(n, state);
}

static void entry_undone(const struct command *cmd) {
    heads_forget(cmd->service, ((const struct inbox_entry *)cmd->args)->stream);
}

static const struct command_type entry_type = {
    .name = "notification.entry",
    .aggregate = &inbox_aggregate,
    .load = entry_load,
    .decide = entry_decide,
    .applied = entry_applied,
    .undone = entry_undone,
};

static void add_entry(struct event_turn *t, const struct ev_booking *b, struct str stream,
                      const char *type, struct str data) {
    if (stream.len == 0)
        return;
    struct inbox_entry *entry = arena_new(t->arena, struct inbox_entry);
    *entry = (struct inbox_entry){.stream = stream,
                                  .type = str_from(type),
                                  .at_us = t->event->at_us,
                                  .data = data,
                                  .booking_id = b->booking_id,
                                  .booking_version = b->version};
    event_command(t, &entry_type, STR("new"), entry);
}

void inbox_add(struct event_turn *t, struct str stream, const char *type, struct str data) {
    const struct ev_booking nobody = {.stars = I64_ABSENT};
    add_entry(t, &nobody, stream, type, data);
}

/* ---- the watchable command ---- */

/* It says that its version is in the inboxes, so it comes after the entries; if one of them could
 * not be written all of the event is given again. */
static int watchable_load(struct command *cmd, struct store *store, int64_t now_us) {
    (void)store;
    (void)now_us;
    const struct watchable *said = cmd->args;
    if (said->turn == NULL)
        return 0;
    return said->turn->result < 0 ? ERR_BUSY : said->turn->pending > 1 ? ERR_AGAIN : 0;
}

static void watchable_decide(const struct command *cmd, const struct decide_ctx *ctx,
                             const void *old, struct decision *ret) {
    const struct watchable *before = old;
    const struct watchable *said = cmd->args;
    if (before != NULL && before->booking_version >= said->booking_version)
        return; /* an older event after a newer one */
    int64_t told = before != NULL ? before->booking_version : 0;
    if (said->turn != NULL && told < said->booking_version - 1 &&
        is_fresh(said->turn->event->at_us, ctx->now_us)) {
        ret->result = ERR_BUSY; /* as its entries do */
        return;
    }
    struct watchable *next = arena_copy(ctx->arena, said, sizeof(*said));
    next->ended_at_us = said->state >= BOOKING_DELIVERED ? ctx->now_us : 0;
    decision_state(ret, cmd, old, next);
}
static const struct command_type watchable_type = {
    .name = "notification.watchable",
    .aggregate = &watchable_aggregate,
    .load = watchable_load,
    .decide = watchable_decide,
};

/* ---- events ---- */

static void add_views(struct event_turn *t, const struct ev_booking *b) {
    if (b->view.len == 0 || b->again)
        return;
    struct {
        struct str stream;
        enum sight_viewer viewer;
    } readers[] = {{b->customer_id, VIEWER_CUSTOMER},
                   {b->driver_user_id, VIEWER_DRIVER},
                   {STREAM_STAFF, VIEWER_STAFF}};
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        if (readers[i].stream.len > 0)
            add_entry(t, b, readers[i].stream, "booking.updated",
                      sight_copy(b->view, readers[i].viewer, t->arena));
    }
}

/* The last command of its event: it waits for the others, and whatever waits is in front of those
 * behind it. */
static void add_watchable(struct event_turn *t, const struct ev_booking *b) {
    const struct notification_service *n = t->service;
    bool who_changes = str_is(t->event->type, EV_BOOKING_REQUESTED) ||
                       str_is(t->event->type, EV_BOOKING_SCHEDULED) ||
                       str_is(t->event->type, EV_BOOKING_ASSIGNED) ||
                       str_is(t->event->type, EV_BOOKING_UNASSIGNED) ||
                       b->state >= BOOKING_DELIVERED;
    bool unseen = str_is(t->event->type, EV_BOOKING_CLAIM_HOLDS); /* a version without an entry */
    bool in_order = n->o.peers != NULL && (b->view.len > 0 || unseen) && !b->again;
    if (!who_changes && !in_order)
        return;
    struct watchable *said = arena_new(t->arena, struct watchable);
    *said = (struct watchable){.customer_id = b->customer_id,
                               .driver_id = b->driver_id,
                               .driver_user_id = b->driver_user_id,
                               .state = b->state,
                               .booking_version = b->version};
    if (in_order)
        said->turn = t;
    event_command(t, &watchable_type, b->booking_id, said);
}

static void on_booking(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (b->booking_id.p == NULL)
        return; /* of no booking: nobody's */
    add_views(t, b);
    webhooks_add(t, b);
    recipients_add(t, b);
    add_watchable(t, b);
}

/* Nobody is told; but what comes after it need not wait for an entry of its version. */
static void on_claim_holds(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (b->booking_id.p != NULL)
        add_watchable(t, b);
}

static void write_place(struct jw *w, const char *key, const struct ev_point *p) {
    jw_key(w, key);
    jw_object(w);
    jw_kv_point(w, (struct point){p->lat_e7, p->lng_e7});
    struct str street = sight_street(p->address, w->out->arena); /* the booking is not his yet */
    if (street.p != NULL)
        jw_kv_str(w, "address", street);
    jw_end(w);
}

/* The offer as GET /v1/driver/offers shows it. */
static struct str offer_json(const struct ev_booking *b, struct arena *a) {
    struct buf out;
    buf_init(&out, a, 512);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "id", b->offer->id);
    jw_kv_str(&w, "booking_id", b->booking_id);
    jw_kv_time(&w, "expires_at", b->offer->expires_at_us);
    if (b->stop_count > 0) {
        write_place(&w, "pickup", &b->stops[0]);
        write_place(&w, "dropoff", &b->stops[b->stop_count - 1]);
    }
    jw_kv_i64(&w, "stops", b->stop_count);
    jw_kv_i64(&w, "pickup_distance_m", b->offer->pickup_distance_m);
    jw_kv_i64(&w, "pickup_eta_s", b->offer->pickup_eta_s);
    jw_key(&w, "earning");
    jw_object(&w);
    jw_kv_str(&w, "currency", b->currency);
    jw_kv_i64(&w, "amount", b->earning);
    jw_end(&w);
    if (b->cash > 0) {
        jw_key(&w, "cash");
        jw_object(&w);
        jw_kv_str(&w, "currency", b->currency);
        jw_kv_i64(&w, "amount", b->cash);
        jw_end(&w);
    }
    if (b->load != NULL) {
        jw_key(&w, "load");
        schema_write(&ev_load_schema, b->load, S_OUT, &w);
    }
    if (b->offer->free_at_us != 0)
        jw_kv_time(&w, "free_at", b->offer->free_at_us);
    jw_end(&w);
    return buf_str(&out);
}

static void on_offered(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (b->booking_id.p != NULL) {
        add_views(t, b);
        webhooks_add(t, b);
        recipients_add(t, b);
    }
    if (b->offer != NULL && !b->offer->manual)
        add_entry(t, b, b->offer->driver_user_id, "offer.made", offer_json(b, t->arena));
    if (b->booking_id.p != NULL)
        add_watchable(t, b);
}

static void add_closed(struct event_turn *t, const struct ev_booking *b) {
    struct str reason = str_is(b->offer->reason, "timed_out") ? STR("expired")
                        : str_is(b->offer->reason, "changed") ? STR("withdrawn")
                                                              : b->offer->reason;
    struct buf out;
    buf_init(&out, t->arena, 96);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "id", b->offer->id);
    jw_kv_str(&w, "booking_id", b->booking_id);
    jw_kv_str(&w, "reason", reason);
    jw_end(&w);
    add_entry(t, b, b->offer->driver_user_id, "offer.closed", buf_str(&out));
}

/* Who had it is told, too: he sees the booking no more. */
static void on_unassigned(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (b->booking_id.p == NULL)
        return;
    add_views(t, b);
    webhooks_add(t, b);
    if (b->offer != NULL) {
        struct buf out;
        buf_init(&out, t->arena, 128);
        struct jw w;
        jw_init(&w, &out);
        jw_object(&w);
        jw_kv_str(&w, "booking_id", b->booking_id);
        jw_kv_str(&w, "how", b->offer->reason);
        jw_kv_str(&w, "reason", b->offer->why);
        jw_end(&w);
        add_entry(t, b, b->offer->driver_user_id, "booking.unassigned", buf_str(&out));
    }
    add_watchable(t, b);
}

static void on_offer_closed(struct event_turn *t, const void *data) {
    const struct ev_booking *b = data;
    if (b->booking_id.p != NULL) {
        add_views(t, b);
        webhooks_add(t, b);
    }
    if (b->offer != NULL && !b->offer->manual)
        add_closed(t, b);
    if (b->booking_id.p != NULL)
        add_watchable(t, b);
}

/* Its owner is told; of one that hears of everything all staff are. */
static void on_webhook_disabled(struct event_turn *t, const void *data) {
    const struct ev_webhook *said = data;
    struct buf out;
    struct jw w;
    buf_init(&out, t->arena, 256);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "id", said->webhook_id);
    jw_kv_str(&w, "url", said->url);
    jw_kv_str(&w, "reason", said->gone ? STR("gone") : STR("failing"));
    jw_end(&w);
    inbox_add(t, said->all ? STREAM_STAFF : said->owner_id, EV_WEBHOOK_DISABLED, buf_str(&out));
}

/* Of an import, or a recurrence: whoever made it. */
static void on_told(struct event_turn *t, const void *data) {
    const struct ev_told *said = data;
    const struct identity who = {.user_id = said->user_id, .role = (enum role)said->role};
    if (id_valid(said->user_id, "usr") && said->view.len > 0)
        inbox_add(t, stream_of(&who),
                  str_is(t->event->type, EV_RECURRENCE_UPDATED) ? EV_RECURRENCE_UPDATED
                                                                : EV_IMPORT_UPDATED,
                  said->view);
}

/* One of the days of a recurrence could not be booked: its owner hears of it here, and by mail. */
static void on_not_booked(struct event_turn *t, const void *data) {
    const struct ev_not_booked *said = data;
    const struct identity who = {.user_id = said->user_id, .role = (enum role)said->role};
    struct buf out;
    struct jw w;
    if (!id_valid(said->user_id, "usr") || said->recurrence_id.p == NULL)
        return;
    buf_init(&out, t->arena, 256);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "id", said->recurrence_id);
    jw_kv_str(&w, "name", said->name);
    jw_kv_str(&w, "date", said->date);
    jw_kv_time(&w, "from", said->from_us);
    jw_kv_time(&w, "to", said->to_us);
    jw_kv_str(&w, "reason", said->reason);
    jw_kv_str(&w, "detail", said->detail);
    jw_end(&w);
    inbox_add(t, stream_of(&who), EV_RECURRENCE_FAILED, buf_str(&out));
    recipients_not_booked(t, said);
}

const struct event_entry notification_events[] = {
    {EV_BOOKING_REQUESTED, &ev_booking_schema, on_booking},
    {EV_BOOKING_OFFERED, &ev_booking_schema, on_offered},
    {EV_BOOKING_OFFER_CLOSED, &ev_booking_schema, on_offer_closed},
    {EV_BOOKING_ASSIGN_WANTED, &ev_booking_schema, on_booking},
    {EV_BOOKING_ASSIGNED, &ev_booking_schema, on_booking},
    {EV_BOOKING_CLAIM_HOLDS, &ev_booking_schema, on_claim_holds},
    {EV_BOOKING_UNASSIGNED, &ev_booking_schema, on_unassigned},
    {EV_BOOKING_PROGRESSED, &ev_booking_schema, on_booking},
    {EV_BOOKING_DELIVERED, &ev_booking_schema, on_booking},
    {EV_BOOKING_CANCELLED, &ev_booking_schema, on_booking},
    {EV_BOOKING_EXPIRED, &ev_booking_schema, on_booking},
    {EV_BOOKING_FAILED, &ev_booking_schema, on_booking},
    {EV_BOOKING_STOP_FAILED, &ev_booking_schema, on_booking},
    {EV_BOOKING_RETURNED, &ev_booking_schema, on_booking},
    {EV_BOOKING_STOPS_CHANGED, &ev_booking_schema, on_booking},
    {EV_BOOKING_NOTE_CHANGED, &ev_booking_schema, on_booking},
    {EV_BOOKING_DRIVER_FREE, &ev_booking_schema, on_booking},
    {EV_BOOKING_RATED, &ev_booking_schema, on_booking},
    {EV_BOOKING_SCHEDULED, &ev_booking_schema, on_booking},
    {EV_BOOKING_RESCHEDULED, &ev_booking_schema, on_booking},
    {EV_BOOKING_REMINDED, &ev_booking_schema, on_booking},
    {EV_BOOKING_PROOF, &ev_booking_schema, on_booking},
    {EV_BOOKING_PIN_REFUSED, &ev_booking_schema, on_booking},
    {EV_BOOKING_REACHED, &ev_booking_schema, on_booking},
    {EV_BOOKING_LEFT, &ev_booking_schema, on_booking},
    {EV_BOOKING_COLLECTED, &ev_booking_schema, on_booking},
    {EV_ALERT_RAISED, &ev_alert_schema, on_alert_raised},
    {EV_ALERT_CLEARED, &ev_alert_schema, on_alert_cleared},
    {EV_ALERT_ACKNOWLEDGED, &ev_alert_schema, on_alert_acknowledged},
    {EV_ACCOUNT_REGISTERED, &ev_account_schema, on_recipient_account},
    {EV_ACCOUNT_CHANGED, &ev_account_schema, on_recipient_account},
    {EV_ACCOUNT_ERASED, &ev_erased_schema, notification_on_erased},
    {EV_MAIL_WANTED, &ev_mail_schema, on_mail_wanted},
    {EV_WEBHOOK_EXHAUSTED, &ev_webhook_schema, on_webhook_exhausted},
    {EV_WEBHOOK_DISABLED, &ev_webhook_schema, on_webhook_disabled},
    {EV_DRIVER_NOTICE, &ev_notice_schema, on_notice},
    {EV_IMPORT_UPDATED, &ev_told_schema, on_told},
    {EV_RECURRENCE_UPDATED, &ev_told_schema, on_told},
    {EV_RECURRENCE_FAILED, &ev_not_booked_schema, on_not_booked},
};
const int32_t notification_event_count = (int32_t)COUNT_OF(notification_events);

/* ---- retention: entries go when they are both old and beyond the newest thousand ---- */

#define WATCHABLES_KEPT_US (30 * US_PER_DAY) /* after the booking's end */

bool watchable_over(const void *state, int64_t before_us) {
    const struct watchable *w = state;
    return w->state >= BOOKING_DELIVERED && w->ended_at_us < before_us;
}

int64_t inbox_keep(const struct notification_service *n) {
    return n->o.keep_entries > 0 ? n->o.keep_entries : INBOX_KEEP_ENTRIES;
}

/* Removes one page of what may go. Returns how many went, or an error. */
static int prune_page(struct notification_service *n, struct store *writer, struct json_parser *p,
                      struct str stream, int64_t head, int64_t now_us, struct arena *a) {
    int64_t keep_us = n->o.keep_s > 0 ? n->o.keep_s * US_PER_S : 7 * US_PER_DAY;
    struct inbox_entry *entries;
    int32_t count, old = 0;
    int err =
        inbox_read(writer, p, stream, 0, head - inbox_keep(n), INBOX_PAGE_MAX, a, &entries, &count);
    if (err < 0)
        return err;
    struct store_change *changes = arena_array(a, struct store_change, count);
    for (int32_t i = 0; i < count && entries[i].at_us < now_us - keep_us; i++)
        changes[old++] = (struct store_change){.collection = &inbox_collection,
                                               .id = entries[i].head.id,
                                               .expected_version = entries[i].head.version,
                                               .remove = true,
                                               .commit_id = STR("prune"),
                                               .at_us = now_us};
    err = old > 0 ? writer->ops->commit(writer, changes, old, NULL, 0) : 0;
    return err < 0 ? err : old;
}

/* A page of each inbox that waits, in turn, so that a long one holds up no other. */
static void prune_inboxes(struct notification_service *n, struct store *writer, int64_t now_us,
                          struct arena *a) {
    struct json_parser *parser = json_parser_new();
    for (int page = 0; page < INBOX_PRUNE_PAGES_MAX && n->prune_count > 0; page++) {
        arena_reset(a);
        n->prune_next %= n->prune_count;
        int32_t i = n->prune_next++;
        int gone = prune_page(n, writer, parser, str_from(n->prune[i].stream), n->prune[i].head,
                              now_us, a);
        if (gone < 0)
            break; /* the store has other worries: the next tick */
        if (gone < INBOX_PAGE_MAX)
            n->prune[i] = n->prune[--n->prune_count];
    }
    json_parser_free(parser);
}

void inbox_tick(struct notification_service *n, struct store *writer, int64_t now_us) {
    /* Only here, between two batches: no number of a head is on its way into the store. */
    if (n->heads.count > INBOX_HEADS_MAX)
        heads_clear(n);
    struct arena a;
    arena_init(&a, 65536);
    if (n->prune_count > 0)
        prune_inboxes(n, writer, now_us, &a);
    if (now_us > WATCHABLES_KEPT_US) { /* a clock that stands before 1970-02 prunes nothing */
        struct rng rng;
        rng_seed(&rng, 0);
        int64_t before_us = now_us - WATCHABLES_KEPT_US;
        retention_tick(&n->watchables_kept, writer, id_new(&a, "bkg", before_us, &rng), before_us,
                       now_us);
    }
    arena_free(&a);
}
