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
    struct frame *frame;
    char stream[STREAM_MAX];
};

static void on_note(struct worker *w, void *arg) {
    (void)w;
    struct note *note = arg;
    struct session *s = map_get(&note->part->streams, str_from(note->stream));
    while (s != NULL) {
        struct session *next = s->stream_next;
        session_push(s, note->seq, note->frame);
        s = next;
    }
    frame_unref(note->frame);
    free(note);
}

static void announce_to(struct notification_part *part, const struct inbox_entry *entry,
                        struct frame *frame) {
    struct note *note = xcalloc(1, sizeof(*note));
    note->part = part;
    note->seq = entry->seq;
    note->frame = frame_ref(frame);
    memcpy(note->stream, entry->stream.p, entry->stream.len);
    struct worker *w = part->worker;
    if (w == NULL || !w->post(w, on_note, note)) {
        part->missed = true; /* its tick looks into the store instead */
        frame_unref(note->frame);
        free(note);
    }
}

void part_announce(struct notification_service *n, const struct inbox_entry *entry) {
    uint64_t parts = listeners_of(n, entry->stream);
    if (parts == 0)
        return;
    struct arena a;
    arena_init(&a, 4096);
    struct frame *frame = frame_new(inbox_frame(entry, &a));
    arena_free(&a);
    for (int32_t i = 0; i < n->o.workers_max; i++) {
        if ((parts >> i & 1) != 0)
            announce_to(&n->parts[i], entry, frame);
    }
    frame_unref(frame);
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

static void end_overdue(struct session *s, int64_t now_us) {
    if (s->state == SESSION_NEW && now_us - s->opened_us > SESSION_AUTH_TIMEOUT_US)
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

void part_tick(void *self, struct worker *w, int64_t now_us) {
    (void)self;
    struct notification_part *part = w->notification;
    bool missed = atomic_exchange(&part->missed, false);
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
