/* What the files of the notification service share.
 *
 *   inbox.c      entries and watchables: aggregates, commands from events, reading pages
 *   positions.c  the table of newest positions
 *   session.c    one socket: frames in, replay, live, limits
 *   watch.c      what a socket watches: permission, positions out
 *   part.c       one network thread's sessions: who to tell, watchers' ticks
 *   routes.c     GET /v1/ws, GET /v1/notifications, the tables
 */
#ifndef LORRY_SERVICES_NOTIFICATION_INTERNAL_H
#define LORRY_SERVICES_NOTIFICATION_INTERNAL_H

#include "base/id.h"
#include "base/map.h"
#include "events/events.h"
#include "geo/geo.h"
#include "runtime/retention.h"
#include "services/notification/delivery.h"
#include "services/notification/notification_service.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define STREAM_MAX 32                       /* "usr_…" or "staff", with a NUL */
#define INBOX_SEQ_MAX INT64_C(999999999998) /* 12 digits, and one more for an end */
#define INBOX_PAGE_MAX 100                  /* entries read at once in a replay */
#define INBOX_KEEP_ENTRIES 1000             /* always kept */
#define INBOX_HEADS_MAX 65536               /* heads kept in memory */
#define INBOX_TURN_WAIT_US                                                                         \
    (INT64_C(2) * 1000000)        /* with replicas: for the version before an event's */
#define INBOX_PRUNE_QUEUE_MAX 256 /* inboxes that wait to be shortened */
#define INBOX_PRUNE_PAGES_MAX 32  /* pages of old entries that go in one tick */
#define SESSION_WATCHES_MAX 16
#define SESSION_AUTH_TIMEOUT_US (INT64_C(5) * 1000000)
#define SESSION_HOLD_US (INT64_C(2) * 1000000) /* for the resume to come */
#define SESSION_ENDED_TICKS 10   /* how often it is asked whether a sign-in has ended meanwhile */
#define SESSION_FRAMES_BURST 200 /* frames at once … */
#define SESSION_FRAMES_PER_S 50  /* … and sustained */
#define SESSION_LOCATIONS_MAX 32 /* location frames that may wait for their ack */
#define SESSION_POSITIONS_QUEUE_MAX ((size_t)64 * 1024)  /* beyond it a slow reader gets fewer */
#define SESSION_POSITIONS_BURST_MAX ((size_t)192 * 1024) /* leaves room for entries */
/* Where several replicas write entries a number may become visible before a lower one. A gap right
 * before a fresh entry is waited for; what is missing for longer, or before an old one, never was
 * there. */
#define SESSION_GAP_WAIT_US (INT64_C(2) * 1000000)
#define SESSION_GAP_FRESH_US (INT64_C(60) * 1000000)
#define SESSION_LOOK_TICKS 30 /* while no replica is heard: how often each looks into its inbox */
#define WATCH_WAIT_US (INT64_C(1) * 1000000) /* for word of a booking that may be brand-new */
#define POSITIONS_TICK_US (INT64_C(250) * 1000)
#define POSITION_OFF_KEEP_US (INT64_C(60) * 1000000) /* more than a socket may stand still */
#define POSITION_KEEP_US (INT64_C(12) * 3600 * 1000000)
#define POSITIONS_FRAME_MAX 1000 /* positions sent for one watch in one tick */

/* ---- inbox.c ---- */

struct inbox_entry {
    struct aggregate_head head; /* id: "<stream>:<12 digits of seq>" */
    struct str stream, type;
    int64_t seq, at_us;
    struct str data;        /* JSON text; absent: erased, or (without a type) not readable */
    struct str traceparent; /* of what it tells of; absent in those that older versions wrote */
    /* of the event, on its way in only */
    struct str booking_id;
    int64_t booking_version;
};
/* Who may watch a booking. */
struct watchable {
    struct aggregate_head head; /* id: the booking's */
    struct str customer_id, driver_id, driver_user_id;
    int32_t state;
    int64_t booking_version;
    int64_t ended_at_us;           /* 0: it goes on, or ended before that was noted */
    const struct event_turn *turn; /* of an event on its way in, with replicas */
};
/* For retention: has its booking, which was quoted already, ended before BEFORE_US? */
bool watchable_over(const void *state, int64_t before_us);
extern const struct aggregate inbox_aggregate, watchable_aggregate;
extern const struct store_collection inbox_collection, watchable_collection;
extern const struct event_entry notification_events[];
extern const int32_t notification_event_count;

#define STREAM_STAFF STR("staff")
struct str stream_of(const struct identity *who);
/* The seq of the newest entry, 0 if none; and of the oldest. */
int inbox_head(struct store *s, struct str stream, struct arena *a, int64_t *ret_seq);
int inbox_oldest(struct store *s, struct str stream, struct arena *a, int64_t *ret_seq);
/* Entries with AFTER < seq <= UNTIL in order, at most LIMIT (≤ STORE_LIST_MAX). */
int inbox_read(struct store *s, struct json_parser *p, struct str stream, int64_t after,
               int64_t until, int32_t limit, struct arena *a, struct inbox_entry **ret_entries,
               int32_t *ret_count);
struct str inbox_frame(const struct inbox_entry *e,
                       struct arena *a);                  /* as it goes over the socket */
int64_t inbox_seq_of(struct str id);                      /* from an entry's id */
int64_t inbox_keep(const struct notification_service *n); /* newest entries that always stay */
void inbox_tick(struct notification_service *n, struct store *writer, int64_t now_us);

/* ---- positions.c ---- */

struct eta_heard {
    struct signal_eta said;
    uint64_t stamp;
};
struct position {
    struct signal_position latest;
    uint64_t stamp; /* rises with every change of any */
    int32_t index;  /* its place in `all`, as long as it is known */
    /* Of the booking under way, and of another one, which comes after it; NULL: not heard. Behind
     * the lock. */
    struct eta_heard *eta, *next_eta;
    int64_t heard_us;
    struct position *before, *next; /* of those who are on duty, or off, by heard_us */
};
struct position_list {
    struct position *first, *last;
};
struct positions {
    pthread_rwlock_t lock;
    struct map by_driver, by_booking; /* struct position; by_booking: of the active booking */
    struct map etas;                  /* struct eta_heard, by booking */
    struct position **all;            /* NULL: a free place */
    uint64_t *stamps;                 /* of all, side by side: looking through them is quick */
    int32_t *free_places;
    int32_t count, cap, free_count; /* count: of places, free ones too */
    struct position_list on, off;
    uint64_t stamp;
};
void positions_init(struct positions *p);
void positions_free(struct positions *p);
/* Copies the positions in BOX that have changed after the stamp AFTER into OUT, at most MAX, from
 * index AT on. *RET_AT: where to go on, 0: that was the end. *RET_STAMP: the newest. Any thread. */
int32_t positions_in_box(struct positions *p, struct box box, uint64_t after, int32_t at,
                         struct position *out, int32_t max, int32_t *ret_at, uint64_t *ret_stamp);
/* The position of whoever carries the booking, if it has changed after AFTER: 1, else 0. */
int32_t positions_of_booking(struct positions *p, struct str booking_id, uint64_t after,
                             struct position *out, uint64_t *ret_stamp);
/* signal_fn with the notification_service as consumer. */
void positions_on_signal(void *consumer, struct str topic, const void *data, size_t len);
/* When he will be at the stops of the booking, if that has changed after AFTER. */
bool positions_eta(struct positions *p, struct str booking_id, uint64_t after,
                   struct signal_eta *ret);
void positions_on_eta(void *consumer, struct str topic, const void *data, size_t len);
struct str eta_frame(const struct signal_eta *s, struct arena *a);
struct str position_frame(const struct signal_position *s, bool for_booking, struct arena *a);

/* ---- session.c ---- */

enum session_state { SESSION_NEW, SESSION_LIVE, SESSION_CLOSED };

struct watch {
    bool area;
    struct box box;
    char booking_id[ID_TEXT_MAX];
    uint64_t stamp;   /* up to which it was given all */
    uint64_t round;   /* an area: the stamp when this round through the fleet began, … */
    int32_t at;       /* … and how far it has come */
    int64_t asked_us; /* the booking is not known yet; 0: it is, and may be watched */
    bool his;         /* by its driver: of whoever has it after him he hears nothing */
};

struct session {
    struct socket *socket;
    struct notification_part *part;
    struct session *next, *before;               /* all of the part */
    struct session *stream_next, *stream_before; /* of the same inbox */
    char stream[STREAM_MAX];
    char user_id[STREAM_MAX];
    char sid[STREAM_MAX]; /* of the session that the token belongs to */
    enum role role;
    int64_t expires_us;
    int64_t since_us; /* it is NEW, or LIVE */
    enum session_state state;
    int64_t sent_seq;       /* the newest live entry it was sent */
    int64_t ready_seq;      /* live begins after it */
    int64_t replay_seq;     /* the newest entry replayed; replay ends at ready_seq */
    int64_t gap_seq;        /* the last number before a gap that is being waited for … */
    int64_t gap_us;         /* … since when; 0: none */
    bool resumed;           /* has asked for a resume */
    bool held;              /* may still: nothing live before that */
    bool replaying, behind; /* has entries to read when it can */
    bool full;              /* its socket took no more: `drained` will come */
    int64_t tokens_us;      /* frame budget, in time */
    struct watch *watches;  /* SESSION_WATCHES_MAX of them, or NULL */
    int32_t watches_asked;  /* of them, those that are not known yet */
    int32_t watch_count, locations_waiting; /* location frames without an ack */
    uint64_t number;                        /* unique in the part: who may be gone is found by it */
};
/* What a client says, whatever it is. */
struct frame_in {
    struct str type, token, booking_id;
    int64_t after, id;
};

/* S with a NUL, cut to ROOM bytes: what must outlive the arena it came in. */
static inline void copy_text(char *out, size_t room, struct str s) {
    size_t len = s.len < room ? s.len : room - 1;
    if (len > 0)
        memcpy(out, s.p, len);
    out[len] = 0;
}

extern const struct socket_events session_events;
struct session *session_new(struct notification_part *part, int64_t now_us);
/* The session is WHO's from here on; then, once it has its socket, it begins: `ready`. */
void session_identify(struct session *s, const struct identity *who);
void session_begin(struct session *s, int64_t now_us);
/* Live entries may be sent from here on, if they were held. */
void session_let_go(struct session *s);
/* Ends it; nothing is sent any more, and `closed` follows. */
void session_close(struct session *s, int code, const char *reason);
/* An entry has become durable: FRAME is it, encoded. */
void session_push(struct session *s, int64_t seq, struct frame *frame);
void session_catch_up(struct session *s);
/* False: the socket's queue is full (or it is closing) and the text is lost. */
bool session_send_text(struct session *s, struct str text);
/* An error frame; what names the client's frame F (its id, its booking) is repeated. */
void session_error(struct session *s, const struct frame_in *f, int status, const char *problem,
                   struct str detail);

/* ---- watch.c ---- */

void session_watch(struct session *s, const struct frame_in *f, struct json_value root,
                   int64_t now_us);
void session_unwatch(struct session *s, const struct frame_in *f);
/* Sends what changed since each watch's stamp. */
void session_positions(struct session *s);
/* Looks again for bookings that were not known when they were asked for. */
void session_watches_asked(struct session *s, int64_t now_us);

/* ---- part.c ---- */

struct notification_part {
    struct notification_service *service;
    _Atomic(struct worker *) worker; /* NULL: the thread has ended */
    struct session *sessions;
    struct map streams; /* stream → first struct session of it */
    struct map numbers; /* the bytes of a session's number → it */
    struct arena scratch;
    struct position *found; /* POSITIONS_FRAME_MAX of them, or NULL: room for session_positions */
    int64_t next_positions_us;
    uint64_t next_number;
    uint64_t ticks;
    int32_t watcher_count;
    _Atomic bool missed; /* a note could not be posted: look at the store */
    int64_t looked_us;   /* with peers: all inboxes were looked at after what was missed then */
};
int part_start(void *self, struct worker *w);
void part_stop(void *self, struct worker *w);
void part_tick(void *self, struct worker *w, int64_t now_us);
/* The span of pushing an entry to sockets, if it is traced: from its begin, on any thread, to its
 * end, on the part's, when it has gone to SOCKETS of them. Nothing is recorded of 0. */
struct push {
    struct traceparent trace;
    int64_t since_us;
    char type[24];
};
struct push push_begin(const struct notification_service *n, const struct inbox_entry *e);
void push_end(struct notification_part *part, struct push *p, int32_t sockets);
void part_join(struct session *s);  /* into its stream, once signed in */
void part_leave(struct session *s); /* out of everything */
/* The bytes of its number, as a map's key. */
struct str session_key(const struct session *s);
struct session *part_find(struct notification_part *part, uint64_t number);
/* Executor thread: tells every network thread, and the other replicas, that ENTRY is durable. */
void part_announce(struct notification_service *n, const struct inbox_entry *entry);
void part_listen(struct notification_service *n); /* with peers: to their announcements */
/* May the entry E follow the number AT, or is there a gap to be waited for? Network thread. */
bool session_follows(struct session *s, int64_t at, const struct inbox_entry *e);

/* ---- the service ---- */

struct stream_head {
    int64_t seq;
    int64_t read_us; /* the time of the batch that read it from the store */
    char stream[STREAM_MAX];
};
struct notification_service {
    struct notification_options o;
    struct positions positions;
    struct map heads; /* executor thread: stream → struct stream_head */
    struct {
        char stream[STREAM_MAX];
        int64_t head;
    } prune[INBOX_PRUNE_QUEUE_MAX]; /* executor thread */
    int32_t prune_count, prune_next;
    bool announcing; /* executor thread: what is heard now is this process's own word */
    struct notification_part *parts; /* workers_max */
    pthread_mutex_t lock;
    struct map listeners; /* stream → the threads that have sessions of it; under lock */
    _Atomic int64_t sessions_open;
    _Atomic uint64_t pushed, replayed, positions_sent, slow;
    _Atomic uint64_t unreadable;                   /* entries that were left out */
    int64_t erase_next_us;                         /* executor thread: eraser_tick */
    struct retention watchables_kept, alerts_kept; /* executor thread */
    struct outbound outbound;
    struct webhook_known *webhooks; /* executor thread: WEBHOOKS_MAX of them, or NULL */
    int32_t webhook_count;
    int64_t webhooks_read_us;
};

void route_socket(struct call *c);
void route_notifications(struct call *c);

#endif
