/* One network thread's part of the service: its sessions, found by inbox; the notes from the
 * executor; the tick that sends positions and ends what is past its time.
 */
#include "services/notification/internal.h"

#include "base/check.h"
#include "base/timestamp.h"

#include <stdlib.h>
#include <string.h>

/* ---- who listens: all threads, under one lock ---- */

struct listener {
    uint64_t parts; /* a bit for each thread with sessions of it */
    char stream[STREAM_MAX];
};

static uint64_t listeners_of(struct notification_service *n, struct str stream) {
    pthread_mutex_lock(&n->lock);
    const struct listener *l = map_get(&n->listeners, stream);
    uint64_t parts = l != NULL ? l->parts : 0;
    pthread_mutex_unlock(&n->lock);
    return parts;
}

/* PART has its first session of STREAM, or no more of them. */
static void listen_changed(struct notification_part *part, struct str stream, bool listens) {
    struct notification_service *n = part->service;
    uint64_t bit = UINT64_C(1) << (part - n->parts);
    pthread_mutex_lock(&n->lock);
    struct listener *l = map_get(&n->listeners, stream);
    if (l == NULL) {
        l = xcalloc(1, sizeof(*l));
        copy_text(l->stream, STREAM_MAX, stream);
        map_put(&n->listeners, str_from(l->stream), l);
    }
    CHECK(((l->parts & bit) != 0) != listens);
    l->parts ^= bit;
    if (l->parts == 0) {
        map_remove(&n->listeners, stream);
        free(l);
    }
    pthread_mutex_unlock(&n->lock);
}

/* ---- sessions of this thread ---- */

void part_join(struct session *s) {
    struct notification_part *part = s->part;
    struct str stream = str_from(s->stream);
    struct session *first = map_put(&part->streams, stream, s);
    s->stream_before = NULL;
    s->stream_next = first;
    if (first != NULL)
        first->stream_before = s;
    else
        listen_changed(part, stream, true);
}

static void leave_stream(struct session *s) {
    struct notification_part *part = s->part;
    struct str stream = str_from(s->stream);
    if (s->stream_next != NULL)
        s->stream_next->stream_before = s->stream_before;
    if (s->stream_before != NULL) {
        s->stream_before->stream_next = s->stream_next;
    } else if (s->stream_next != NULL) {
        map_put(&part->streams, str_from(s->stream_next->stream), s->stream_next);
    } else {
        map_remove(&part->streams, stream);
        listen_changed(part, stream, false);
    }
}

void part_leave(struct session *s) {
    struct notification_part *part = s->part;
    map_remove(&part->numbers, session_key(s));
    if (s->stream[0] != 0)
        leave_stream(s);
    if (s->before != NULL)
        s->before->next = s->next;
    else
        part->sessions = s->next;
    if (s->next != NULL)
        s->next->before = s->before;
    if (s->watch_count > 0)
        part->watcher_count--;
    part->service->sessions_open--;
}

struct str session_key(const struct session *s) {
    return (struct str){(const char *)&s->number, sizeof(s->number)};
}

struct session *part_find(struct notification_part *part, uint64_t number) {
    return map_get(&part->numbers, (struct str){(const char *)&number, sizeof(number)});
}

/* ---- notes from the executor ---- */

struct note {
    struct notification_part *part;
    int64_t seq;
    struct push push;
    struct frame *frame; /* NULL: another replica wrote it, and it is read from the store */
    char stream[STREAM_MAX];
};

static void note_free(struct note *note) {
    if (note->frame != NULL)
        frame_unref(note->frame);
    free(note);
}

/* Returns how many sockets it went to. */
static int32_t push_all(struct session *first, int64_t seq, struct frame *frame) {
    struct session *next;
    int32_t count = 0;
    for (struct session *s = first; s != NULL; s = next) {
        next = s->stream_next;
        int64_t before = s->sent_seq;
        session_push(s, seq, frame);
        count += before < seq && s->sent_seq == seq;
    }
    return count;
}

struct push push_begin(const struct notification_service *n, const struct inbox_entry *e) {
    struct push p = {0};
    if (n->o.spans == NULL || !traceparent_read(e->traceparent, &p.trace))
        return p;
    copy_text(p.type, sizeof(p.type), e->type);
    p.since_us = n->o.clock->now_us(n->o.clock);
    return p;
}

void push_end(struct notification_part *part, struct push *p, int32_t sockets) {
    const struct notification_options *o = &part->service->o;
    struct worker *w = part->worker;
    if (o->spans == NULL || w == NULL || sockets == 0)
        return;
    struct span *span = span_begin(o->spans, NULL, w->rng, &p->trace, SPAN_PRODUCER, p->since_us);
    if (span == NULL)
        return;
    span_name(span, "push %s", p->type);
    span_number(span, "lorry.sockets", sockets);
    span_end(o->spans, span, o->clock->now_us(o->clock));
    free(span);
}

/* Of those who can be told at once, the one who has seen least; NULL: nobody lacks SEQ. */
static struct session *least_seen(struct session *first, int64_t seq) {
    struct session *least = NULL;
    for (struct session *s = first; s != NULL; s = s->stream_next) {
        bool waits = s->state == SESSION_LIVE && !s->behind && !s->replaying && s->sent_seq < seq;
        if (waits && (least == NULL || s->sent_seq < least->sent_seq))
            least = s;
    }
    return least;
}

/* Reads once for all sessions of STREAM what they lack up to SEQ. Who lacks it still reads on by
 * himself, with the tick. */
static void fetch(struct notification_part *part, struct str stream, int64_t seq) {
    struct worker *w = part->worker;
    struct session *first = map_get(&part->streams, stream);
    struct session *least = least_seen(first, seq);
    struct inbox_entry *entries;
    int32_t count = 0;
    if (least == NULL)
        return;
    struct arena a; /* not the part's own, which serves those who read on meanwhile */
    arena_init(&a, 16384);
    if (inbox_read(w->reader, w->parser, stream, least->sent_seq, INBOX_SEQ_MAX, INBOX_PAGE_MAX, &a,
                   &entries, &count) < 0)
        count = 0;
    for (int32_t i = 0; i < count; i++) {
        if (!session_follows(least, least->sent_seq, &entries[i]) || entries[i].data.p == NULL)
            break; /* they read on from the store, and pass by what cannot be read */
        struct push push = push_begin(part->service, &entries[i]);
        struct frame *frame = frame_new(inbox_frame(&entries[i], &a));
        push_end(part, &push, push_all(first, entries[i].seq, frame));
        frame_unref(frame);
        if (least->sent_seq != entries[i].seq)
            break; /* his socket is full */
    }
    arena_free(&a);
    for (struct session *s = first; s != NULL; s = s->stream_next)
        s->behind = s->behind || (s->state == SESSION_LIVE && s->sent_seq < seq);
}

static void on_note(struct worker *w, void *arg) {
    (void)w;
    struct note *note = arg;
    struct str stream = str_from(note->stream);
    if (note->frame != NULL) {
        int32_t told = push_all(map_get(&note->part->streams, stream), note->seq, note->frame);
        push_end(note->part, &note->push, told);
    } else {
        fetch(note->part, stream, note->seq);
    }
    note_free(note);
}

static void announce_to(struct notification_part *part, struct str stream, int64_t seq,
                        struct frame *frame, const struct push *push) {
    struct note *note = xcalloc(1, sizeof(*note));
    note->part = part;
    note->seq = seq;
    note->frame = frame != NULL ? frame_ref(frame) : NULL;
    if (push != NULL)
        note->push = *push;
    copy_text(note->stream, STREAM_MAX, stream);
    struct worker *w = part->worker;
    if (w == NULL || !w->post(w, on_note, note)) {
        part->missed = true; /* its tick looks into the store instead */
        note_free(note);
    }
}

/* To each thread with sessions of STREAM; FRAME and PUSH may be NULL. */
static void announce_here(struct notification_service *n, uint64_t parts, struct str stream,
                          int64_t seq, struct frame *frame, const struct push *push) {
    for (int32_t i = 0; i < n->o.workers_max; i++) {
        if ((parts >> i & 1) != 0)
            announce_to(&n->parts[i], stream, seq, frame, push);
    }
}

/* ---- what replicas tell each other ---- */

/* A C struct as it lies in memory: one that changes gets another topic. */
#define SIGNAL_ENTRY "entry"
struct signal_entry {
    int64_t seq;
    char stream[STREAM_MAX];
};

static void tell_others(struct notification_service *n, const struct inbox_entry *entry) {
    struct signal_entry said = {.seq = entry->seq};
    copy_text(said.stream, STREAM_MAX, entry->stream);
    n->announcing = true;
    n->o.bus->ops->signal(n->o.bus, SIGNAL_ENTRY, &said, sizeof(said));
    n->announcing = false;
}

void part_announce(struct notification_service *n, const struct inbox_entry *entry) {
    if (n->o.peers != NULL)
        tell_others(n, entry);
    uint64_t parts = listeners_of(n, entry->stream);
    if (parts == 0)
        return;
    struct arena a;
    arena_init(&a, 4096);
    struct frame *frame = frame_new(inbox_frame(entry, &a));
    arena_free(&a);
    const struct push push = push_begin(n, entry);
    announce_here(n, parts, entry->stream, entry->seq, frame, &push);
    frame_unref(frame);
}

static void on_entry(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct notification_service *n = consumer;
    struct signal_entry said;
    if (n->announcing || len != sizeof(said))
        return;
    memcpy(&said, data, sizeof(said));
    if (!memchr(said.stream, 0, STREAM_MAX) || said.seq <= 0 || said.seq > INBOX_SEQ_MAX)
        return;
    struct str stream = str_from(said.stream);
    announce_here(n, listeners_of(n, stream), stream, said.seq, NULL, NULL);
}

void part_listen(struct notification_service *n) {
    CHECK(n->o.bus->ops->listen(n->o.bus, SIGNAL_ENTRY, on_entry, n) == 0);
}

/* ---- the thread's life ---- */

int part_start(void *self, struct worker *w) {
    struct notification_service *n = self;
    CHECK(w->index < n->o.workers_max);
    struct notification_part *part = &n->parts[w->index];
    CHECK(part->worker == NULL && part->sessions == NULL);
    map_init(&part->streams);
    map_init(&part->numbers);
    arena_init(&part->scratch, 16384);
    w->notification = part;
    part->worker = w; /* last: notes may come from here on */
    return 0;
}

void part_stop(void *self, struct worker *w) {
    (void)self;
    struct notification_part *part = w->notification;
    part->worker = NULL;
    CHECK(part->sessions == NULL);
    map_free(&part->streams);
    map_free(&part->numbers);
    arena_free(&part->scratch);
    free(part->found);
    part->found = NULL;
}

/* No resume has come in time; or the clock was put back, and nobody knows. */
static void end_hold(struct session *s, int64_t now_us) {
    if (s->state == SESSION_LIVE && s->held &&
        (now_us - s->since_us >= SESSION_HOLD_US || now_us < s->since_us))
        session_let_go(s);
}

static void end_overdue(struct session *s, int64_t now_us) {
    if (s->state == SESSION_NEW && now_us - s->since_us > SESSION_AUTH_TIMEOUT_US)
        session_close(s, 1008, "no auth in 5 s");
    else if (s->state == SESSION_LIVE && now_us > s->expires_us)
        session_close(s, 1008, "token expired");
}

/* Signed out, or disabled: a socket must not outlive that, as a token does not. Each session is
 * looked at in one tick of SESSION_ENDED_TICKS. */
static void end_signed_out(struct session *s, int64_t now_us) {
    const struct notification_part *part = s->part;
    const struct identity who = {.user_id = str_from(s->user_id), .sid = str_from(s->sid)};
    bool due = (s->number + part->ticks) % SESSION_ENDED_TICKS == 0;
    if (due && s->state == SESSION_LIVE && part->service->o.verifier != NULL && who.sid.len > 0 &&
        token_ended(part->service->o.verifier, &who, now_us))
        session_close(s, 1008, "signed out");
}

/* Must all sessions look into their inboxes, because what replicas said was missed? */
static bool unheard(struct notification_part *part, int64_t now_us) {
    const struct peers *peers = part->service->o.peers;
    if (peers == NULL || peers_silent(peers, now_us) ||
        part->looked_us >= peers_missed_us(peers, now_us))
        return false; /* while nobody is heard each session looks for itself, now and then */
    part->looked_us = now_us;
    return true;
}

static bool looks(const struct session *s, bool silent) {
    return silent && (s->number + s->part->ticks) % SESSION_LOOK_TICKS == 0;
}

void part_tick(void *self, struct worker *w, int64_t now_us) {
    struct notification_service *n = self;
    struct notification_part *part = w->notification;
    bool missed = atomic_exchange(&part->missed, false), all = unheard(part, now_us);
    bool silent = n->o.peers != NULL && peers_silent(n->o.peers, now_us);
    part->ticks++;
    if (part->next_positions_us > now_us + POSITIONS_TICK_US)
        part->next_positions_us = now_us; /* the clock was put back */
    bool positions = part->watcher_count > 0 && now_us >= part->next_positions_us;
    if (positions)
        part->next_positions_us = now_us + POSITIONS_TICK_US;
    struct session *next;
    for (struct session *s = part->sessions; s != NULL; s = next) {
        next = s->next;
        if (missed) { /* notes, and acks of locations, may have been dropped */
            s->behind = true;
            s->locations_waiting = 0;
        }
        s->behind = s->behind || all || looks(s, silent);
        end_hold(s, now_us);
        if (s->state == SESSION_LIVE && s->behind)
            session_catch_up(s);
        if (s->watches_asked > 0)
            session_watches_asked(s, now_us);
        if (s->state == SESSION_LIVE && positions && s->watch_count > 0)
            session_positions(s);
        end_overdue(s, now_us);
        end_signed_out(s, now_us);
    }
}
