/* Between a delivery and the port that carries it. A port says what became of it on a thread of its
 * own; that becomes a command. Where the executor has no room for it the result is lost, and the
 * delivery's lease runs out: it is sent once more.
 */
#include "services/notification/delivery.h"

#include "base/check.h"
#include "base/err.h"
#include "runtime/metrics.h"
#include "services/notification/internal.h"
#include "services/notification/webhooks.h"

#include <stdlib.h>
#include <string.h>

#define NO_PORT_WAIT_US (INT64_C(60) * US_PER_S) /* until it is asked whether there is one now */
#define LOOK_US (INT64_C(5) * US_PER_S)          /* how often the queue's age is looked at */

void outbound_init(struct outbound *o) {
    slots_init(&o->slots);
}

void outbound_free(struct outbound *o) {
    slots_free(&o->slots);
}

/* Whoever is slow holds up himself: each webhook has a lane of its own, which lies in one of its
 * owner's, and that in the one of all webhooks together. Messages have another beside that, so that
 * they wait behind no webhook; both together are no wider than the port. */
#define LANES_MAX 3
#define OWNERS_AT_LEAST 4 /* that have room at once */

/* Webhooks and messages are posted, mail is not. */
static bool is_post(const struct delivery *d) {
    return d->channel == CHANNEL_WEBHOOK || d->channel == CHANNEL_MESSAGE;
}

/* The lanes that D needs a place in, the narrowest first. Returns how many. */
static int32_t lanes_of(const struct delivery *d, struct str ret[LANES_MAX]) {
    struct str channel = str_from(delivery_channel_names[d->channel]);
    if (d->channel != CHANNEL_WEBHOOK) {
        ret[0] = channel;
        return 1;
    }
    ret[0] = d->endpoint_id;
    ret[1] = d->user_id;
    ret[2] = channel;
    return LANES_MAX;
}

static void widths_of(const struct notification_service *n, const struct delivery *d,
                      int32_t ret[LANES_MAX]) {
    const struct poster *p = n->o.poster;
    if (!is_post(d)) {
        ret[0] = n->o.mailer->under_way_max;
        return;
    }
    CHECK(p->under_way_max > p->each_max);
    ret[0] = p->each_max;
    ret[1] = p->under_way_max < OWNERS_AT_LEAST ? 1 : p->under_way_max / OWNERS_AT_LEAST;
    ret[2] = p->under_way_max - p->each_max; /* the others are for messages */
}

/* A place in each of D's lanes. 0, or when to come again: then it has none of them. */
static int64_t take(struct notification_service *n, const struct delivery *d, int64_t now_us) {
    struct slots *slots = &n->outbound.slots;
    struct str lanes[LANES_MAX];
    int32_t widths[LANES_MAX], count = lanes_of(d, lanes);
    widths_of(n, d, widths);
    for (int32_t i = 0; i < count; i++) {
        int64_t again_us = slots_take(slots, lanes[i], widths[i], now_us);
        if (again_us == 0)
            continue;
        while (--i >= 0)
            slots_give(slots, lanes[i], SLOT_NOT_USED, now_us);
        return again_us;
    }
    return 0;
}

void outbound_reserve(struct notification_service *n, const struct delivery *d, int64_t now_us,
                      struct delivery_facts *ret) {
    bool no_port = is_post(d) ? n->o.poster == NULL : n->o.mailer == NULL;
    if (n->outbound.stopping || no_port) {
        ret->again_us = now_us + NO_PORT_WAIT_US;
        return;
    }
    ret->again_us = take(n, d, now_us);
    ret->taken = ret->again_us == 0;
    n->outbound.under_way += ret->taken;
}

/* When a process ends its ports may be gone before its last commands are: they are not asked. */
static void give(struct notification_service *n, const struct delivery *d, int64_t latency_us,
                 int64_t now_us) {
    struct str lanes[LANES_MAX];
    int32_t count = lanes_of(d, lanes);
    n->outbound.under_way--;
    for (int32_t i = 0; i < count; i++)
        slots_give(&n->outbound.slots, lanes[i], latency_us, now_us);
}

void outbound_release(struct notification_service *n, const struct delivery *d, int64_t now_us) {
    give(n, d, SLOT_NOT_USED, now_us);
}

void notification_service_stop(struct notification_service *n) {
    n->outbound.stopping = true;
}

int32_t notification_service_under_way(struct notification_service *n) {
    return n->outbound.under_way;
}

/* ---- results ---- */

struct sending {
    struct command cmd;
    struct arena arena;
    struct notification_service *service;
    const struct delivery *delivery; /* channel, ids and tries of it */
    int64_t latency_us;
};

static void sending_free(struct sending *s) {
    struct notification_service *n = s->service;
    give(n, s->delivery, s->latency_us, n->o.clock->now_us(n->o.clock));
    arena_free(&s->arena);
    free(s);
}

static void on_committed(struct command *cmd, int result, struct response *response) {
    (void)result; /* whatever it was, the lease is behind it */
    (void)response;
    sending_free(cmd->finish_arg);
}

static void submit(struct sending *s, struct delivery_outcome *o, const char *detail) {
    o->tries = s->delivery->tries;
    if (detail[0] != 0)
        o->detail = arena_str(&s->arena, str_from(detail));
    s->latency_us = o->latency_ms * US_PER_MS;
    s->cmd = (struct command){.type = &delivery_result,
                              .service = s->service,
                              .id = s->delivery->head.id,
                              .args = o,
                              .arena = &s->arena,
                              .finish = on_committed,
                              .finish_arg = s};
    if (executor_submit(s->service->outbound.executor, &s->cmd) < 0)
        sending_free(s);
}

static void on_outcome(void *arg, const struct mail_outcome *said) {
    struct sending *s = arg;
    struct delivery_outcome *o = arena_new(&s->arena, struct delivery_outcome);
    *o = (struct delivery_outcome){
        .result = said->result, .status = said->status, .latency_ms = said->latency_ms};
    submit(s, o, said->detail);
}

/* Anything of 2xx takes it; 410 wants no more of anything; whatever else is tried again. */
static void on_answer(void *arg, const struct post_outcome *said) {
    struct sending *s = arg;
    struct delivery_outcome *o = arena_new(&s->arena, struct delivery_outcome);
    bool taken = said->status >= 200 && said->status < 300, gone = said->status == 410;
    *o = (struct delivery_outcome){.result = taken  ? MAIL_SENT
                                             : gone ? MAIL_REFUSED
                                                    : MAIL_LATER,
                                   .gone = gone,
                                   .status = said->status,
                                   .latency_ms = said->latency_ms};
    if (said->excerpt[0] != 0)
        o->excerpt = arena_str(&s->arena, str_from(said->excerpt));
    submit(s, o, said->detail);
}

/* ---- sending ---- */

static struct sending *sending_new(struct notification_service *n, const struct delivery *d) {
    struct sending *s = xcalloc(1, sizeof(*s));
    arena_init(&s->arena, 2048);
    s->service = n;
    struct delivery *kept = arena_new(&s->arena, struct delivery);
    kept->head.id = arena_str(&s->arena, d->head.id);
    kept->channel = d->channel;
    kept->user_id = arena_str(&s->arena, d->user_id);
    kept->endpoint_id = arena_str(&s->arena, d->endpoint_id);
    kept->tries = d->tries;
    s->delivery = kept;
    return s;
}

/* https://www.standardwebhooks.com: id, time and body are signed; the id stays the same. */
static void send_post(struct sending *s, const struct delivery *d, const struct webhook *endpoint) {
    struct notification_service *n = s->service;
    int64_t at_s = d->begun_us / US_PER_S;
    const struct post_outcome out = {.detail = "it could not be sent"};
    struct post post = {
        .url = endpoint->url,
        .body = d->payload,
        .trusted = d->channel == CHANNEL_MESSAGE,
        .headers = {{STR("webhook-id"), d->head.id},
                    {STR("webhook-timestamp"), arena_printf(&s->arena, "%lld", (long long)at_s)},
                    {STR("webhook-signature"),
                     webhook_signature(endpoint, d->head.id, at_s, d->payload, d->begun_us,
                                       &s->arena)}},
        .header_count = 3};
    if (n->o.poster->ops->send(n->o.poster, &post, on_answer, s) < 0)
        on_answer(s, &out);
}

/* To whoever sends text messages or push for the operator: as a webhook is, with the body made
 * anew from the template. */
static void send_message(struct sending *s, const struct delivery *d) {
    const struct notification_service *n = s->service;
    const struct webhook gateway = {.url = n->o.message_url, .secret = n->o.message_secret};
    struct words words;
    struct delivery with = *d;
    struct buf out;
    struct jw w;
    if (words_of(d, &s->arena, &words) < 0) {
        const struct post_outcome none = {.status = 410, .detail = "no such template"};
        on_answer(s, &none);
        return;
    }
    buf_init(&out, &s->arena, 512);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "type", STR("message"));
    jw_kv_time(&w, "timestamp", d->created_us);
    jw_key(&w, "data");
    jw_object(&w);
    jw_kv_str(&w, "to", d->to);
    jw_kv_str(&w, "kind", d->kind);
    jw_kv_str(&w, "language", words_language(d->language));
    jw_kv_str(&w, "text", words.subject);
    jw_kv_str(&w, "user_id", d->user_id);
    jw_end(&w);
    jw_end(&w);
    with.payload = buf_str(&out);
    send_post(s, &with, &gateway);
}

void outbound_send(struct notification_service *n, const struct delivery *d,
                   const struct webhook *endpoint) {
    struct sending *s = sending_new(n, d);
    if (d->channel == CHANNEL_MESSAGE) {
        n->outbound.begun++;
        send_message(s, d);
        return;
    }
    if (d->channel == CHANNEL_WEBHOOK) {
        CHECK(n->outbound.executor != NULL && endpoint != NULL);
        n->outbound.begun++;
        send_post(s, d, endpoint);
        return;
    }
    struct words words;
    struct mail_outcome out = {.result = MAIL_LATER};
    CHECK(n->outbound.executor != NULL);
    n->outbound.begun++;
    if (words_of(d, &s->arena, &words) < 0) {
        out.result = MAIL_REFUSED;
        memcpy(out.detail, "no such template", sizeof("no such template"));
        on_outcome(s, &out);
        return;
    }
    struct mail mail = {.id = d->head.id,
                        .to = d->to,
                        .subject = words.subject,
                        .text = words.text,
                        .html = words.html,
                        .language = words_language(d->language),
                        .at_us = d->created_us};
    if (n->o.mailer->ops->send(n->o.mailer, &mail, on_outcome, s) < 0)
        on_outcome(s, &out); /* the slot is as wide as the port: it is being closed */
}

/* ---- events ---- */

void on_mail_wanted(struct event_turn *t, const void *data) {
    struct notification_service *n = t->service;
    const struct ev_mail *m = data;
    if (n->o.mailer == NULL || !words_exist(m->template) || m->to.len == 0) {
        n->outbound.dropped++;
        log_write(n->o.log, LOG_WARN, (struct log_cause){t->event->request_id, &t->trace},
                  "a mail was not sent: %s",
                  n->o.mailer == NULL ? "there is no --mail" : "it has no template or receiver");
        return;
    }
    struct delivery *d = arena_new(t->arena, struct delivery);
    *d = (struct delivery){.channel = CHANNEL_EMAIL,
                           .kind = m->template,
                           .user_id = m->user_id,
                           .to = m->to,
                           .language = m->language,
                           .name = m->name,
                           .code = m->code,
                           .link = m->link,
                           .expires_us = m->expires_at_us};
    delivery_add(t, d);
}

/* ---- once a second ---- */

static void look_at_queue(struct notification_service *n, struct store *store, struct arena *a,
                          int64_t now_us) {
    if (now_us >= n->outbound.looked_us && now_us < n->outbound.looked_us + LOOK_US)
        return;
    n->outbound.looked_us = now_us;
    struct store_query q = {.collection = &delivery_collection,
                            .index = "state",
                            .key = STR("pending"),
                            .ascending = true,
                            .limit = 1};
    struct store_doc *docs;
    int32_t count;
    if (store->ops->list(store, &q, a, &docs, &count) == 0)
        n->outbound.oldest_us = count > 0 ? id_time_us(docs[0].id) : 0;
}

void outbound_tick(struct notification_service *n, struct store *writer, int64_t now_us) {
    struct arena a;
    struct rng zero = {0}; /* only the time in the id counts */
    arena_init(&a, 4096);
    look_at_queue(n, writer, &a, now_us);
    if (now_us > DELIVERY_KEEP_US)
        writer->ops->prune_docs(writer, &delivery_collection,
                                id_new(&a, "dlv", now_us - DELIVERY_KEEP_US, &zero),
                                DELIVERIES_PRUNED_MAX);
    arena_free(&a);
}

void outbound_metrics(struct notification_service *n, struct buf *out) {
    const struct outbound *o = &n->outbound;
    int64_t oldest_us = o->oldest_us, now_us = n->o.clock->now_us(n->o.clock);
    metric_write(out, "lorry_delivery_queue_age_seconds", "gauge",
                 "Age of the oldest message that has not been delivered yet.",
                 oldest_us > 0 && oldest_us < now_us ? (double)(now_us - oldest_us) / 1e6 : 0);
    metric_write(out, "lorry_delivery_tries_total", "counter", "Tries to deliver a message.",
                 (double)o->begun);
    metric_head(out, "lorry_deliveries_total", "counter", "Messages, by what became of a try.");
    buf_printf(out,
               "lorry_deliveries_total{result=\"sent\"} %llu\n"
               "lorry_deliveries_total{result=\"later\"} %llu\n"
               "lorry_deliveries_total{result=\"dead\"} %llu\n"
               "lorry_deliveries_total{result=\"dropped\"} %llu\n",
               (unsigned long long)o->sent, (unsigned long long)o->later,
               (unsigned long long)o->dead, (unsigned long long)o->dropped);
}
