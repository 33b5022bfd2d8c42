/* What the simulator's files share. One thread, one seed, one struct sim; nothing outside it.
 *
 *   queue.c     virtual time: what happens next
 *   trace.c     what has happened: a hash of all, the last lines for people
 *   profile.c   what the seed chooses: topology, sizes, faults
 *   bus.c       the bus between nodes, a broker that outlives them
 *   node.c      a process: executor, runtime, services; its crash and its return
 *   mail.c      what carries e-mail
 *   net.c       requests of clients, their time-outs and repeats
 *   socket.c    WebSockets, and what a client keeps of what it saw
 *   person.c, keys.c, customer.c, importer.c, recurrer.c, stops.c, driver.c, staff.c   the people
 *   oracle.c    the promises, checked on every commit; answers.c on every answer;
 *   verdict.c   once a second, and when all has settled; audit.c through the API
 */
#ifndef LORRY_SIM_SIM_H
#define LORRY_SIM_SIM_H

#include "adapters/memory/memory_blobs.h"
#include "adapters/memory/memory_store.h"
#include "base/id.h"
#include "base/map.h"
#include "base/timestamp.h"
#include "dispatch/dispatch.h"
#include "ports/mailer.h"
#include "ports/poster.h"
#include "runtime/service.h"
#include "services/driver/driver_service.h"
#include "sim/check.h"

#define SIM_START_US (INT64_C(1795428000) * US_PER_S) /* 2026-11-23T10:00:00Z */
#define SIM_NODES_MAX 7
#define SIM_TRACE_KEPT 512
#define SIM_TAIL_LINES 30

struct sim;
struct sim_node;
struct person;

/* ---- queue.c ---- */

typedef void (*sim_fn)(struct sim *sim, void *arg, uint64_t token);
struct sim_event {
    int64_t at_us;
    uint64_t seq;
    sim_fn fn;
    void *arg;
    uint64_t token;
};
struct sim_queue {
    struct sim_event *heap;
    size_t count, cap;
    uint64_t seq;
};
/* FN(sim, ARG, TOKEN) in DELAY_US from now; events of one moment in the order they were made. */
void sim_after(struct sim *sim, int64_t delay_us, sim_fn fn, void *arg, uint64_t token);
/* Runs the next event. False: there is none. */
bool sim_step(struct sim *sim);
void sim_queue_free(struct sim_queue *q);

/* ---- trace.c ---- */

struct trace_line {
    int64_t at_us, n, m;
    const char *what; /* static */
    int32_t node;     /* -1: none */
    char a[44], b[28];
};
struct sim_trace {
    uint64_t hash, lines;
    struct trace_line kept[SIM_TRACE_KEPT];
};
/* Adds a line. A and B may be absent; they are cut. */
void sim_trace(struct sim *sim, const char *what, int32_t node, struct str a, struct str b,
               int64_t n, int64_t m);
/* The first failure counts; the run stops after the event under way. */
void sim_fail(struct sim *sim, const char *invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define SIM_EXPECT(sim, cond, invariant, ...)                                                      \
    do {                                                                                           \
        if (!(cond))                                                                               \
            sim_fail((sim), (invariant), __VA_ARGS__);                                             \
    } while (0)
void sim_trace_tail(const struct sim *sim, char *out, size_t room);

/* ---- profile.c ---- */

enum sim_topology { SIM_FOUR_NODES, SIM_ONE_NODE, SIM_ONE_NODE_BROKER, SIM_REPLICAS };
struct sim_profile {
    enum sim_topology topology;
    int32_t customers, drivers, bookings;
    int32_t offer_wave, batch_max;
    int64_t offer_timeout_s, search_timeout_s, schedule_lead_s, schedule_lead_max_s;
    int64_t thin_m, thin_s;    /* positions older than this are simplified; 0 m: never */
    int64_t trace_s;           /* so long a search and a journey are kept after their end */
    int64_t turn_delay_max_us; /* how long work waits for its executor */
    int64_t idle_turn_us;      /* how often one with nothing to do looks around */
    int64_t latency_mean_us;   /* of the network */
    int64_t faults_until_us;   /* virtual time at which all faults end */
    bool approval_auto, whole_waves;
    bool webhook; /* the office has one */
    int32_t bigger_classes;
    int64_t chain_eta_s, chain_late_s; /* 0: nobody is asked before he has finished */
    int64_t window_us;                 /* 0: greedy */
    struct dispatch_weights weights;
    double faults[SIM_FAULT_COUNT]; /* chance of each, where it can happen; or how many a minute */
    struct memory_store_faults store;
    double release, unassign, auto_accept, fail;
    bool returns; /* by the house's own tariff what cannot be delivered goes back */
    enum auto_accept house_accepts;
    double cancel, decline, ignore, late_accept, off_duty, assign, suspend, tariffs, two_dropoffs;
    double vehicles, shifts, documents;
    double linger; /* bookings that their drivers take their time with: positions come to count */
    double schedule, reschedule, change_stops, notes;
    int64_t contact_kept_s; /* -1: not at all */
    double recurs;          /* … or has something recur */
    double imports;         /* instead of asking for a quote he sends a file */
    double proof;           /* stops that ask for some */
    double collect, settle; /* dropoffs with cash; looks of the office that settle some */
    int64_t cash_limit;
    struct memory_blob_faults blobs;
};
void sim_profile_draw(struct sim *sim, const struct sim_options *o);
/* Does FAULT strike now? Draws, counts and traces. Never after the faults have ended. */
bool sim_strikes(struct sim *sim, enum sim_fault fault);
bool sim_chance(struct sim *sim, double p);

/* ---- bus.c ---- */

struct sim_bus;
struct sim_bus *sim_bus_new(struct sim *sim);
void sim_bus_free(struct sim_bus *b);
struct bus *sim_bus_open(struct sim_bus *b, struct sim_node *node); /* close with ops->close */
bool sim_bus_idle(const struct sim_bus *b);
/* NODE hears from now on; what went before it did not. */
void sim_bus_first_gap(struct sim_bus *b, const struct sim_node *node);
void sim_bus_drop_event(struct sim_event *e); /* that will not happen any more */
/* For a process of its own: the in-process bus, with the oracle listening at its confirms. */
struct bus *sim_tap_new(struct sim_node *node);

/* ---- node.c ---- */

enum sim_service { SIM_AUTH, SIM_BOOKING, SIM_DRIVER, SIM_NOTIFICATION, SIM_SERVICE_COUNT };
struct sim_posted;
struct sim_socket;
struct sim_node {
    struct sim *sim;
    const char *name;
    int32_t index;
    unsigned holds; /* 1 << enum sim_service */
    int64_t offset_us, drift_ppm;
    struct clock clock;
    struct entropy entropy;
    struct rng rng;
    struct memory_disk *disk; /* SIM_REPLICAS: the first one's, which all write to */
    int32_t disk_number;      /* one for all who share it */
    struct memory_store_faults faults;
    uint64_t life; /* counts its starts */
    bool up;
    bool dying; /* it has crashed inside a turn: nothing it says from here on is heard */
    int64_t booted_us;
    int64_t cut_until_us; /* apart from the broker */
    int64_t turn_at_us;   /* of the turn that is arranged; 0: none */
    int64_t next_tick_us;
    struct bus *bus;
    struct peers *peers;         /* NULL: its disk is its own */
    struct sim_carrier *carrier; /* NULL: it sends nothing */
    struct cache *cache;
    struct token_verifier *verifier;
    struct router *router;
    struct hasher *hasher;
    struct executor *executor;
    struct runtime *runtime;
    struct worker worker;
    struct auth_service *auth;
    struct booking_service *booking;
    struct driver_service *driver;
    struct notification_service *notification;
    struct files_service *files;
    struct files any_files; /* of documents */
    struct sim_posted *posted, *posted_last;
    struct sim_socket *sockets;
};
void sim_node_init(struct sim *sim, struct sim_node *n, int32_t index, const char *name,
                   unsigned holds);
void sim_node_boot(struct sim_node *n);
void sim_node_crash(struct sim_node *n); /* comes back after a while */
void sim_node_stop(struct sim_node *n);  /* for good */
void sim_node_free(struct sim_node *n);  /* when all have stopped */
int64_t sim_node_now(const struct sim_node *n);
/* Its executor will turn soon, or at DELAY_US if that is not sooner than arranged. */
void sim_node_poke(struct sim_node *n);
struct sim_node *sim_node_of(struct sim *sim, enum sim_service service);
/* Where a request for SERVICE comes in: of several any one, but one that is up if there is one. */
struct sim_node *sim_node_for(struct sim *sim, enum sim_service service);
/* The ways in and out that are shared by all nodes: crashes, partitions, lost caches, JWKS. */
void sim_disasters(struct sim *sim);

/* ---- mail.c ---- */

struct sim_carrier *sim_carrier_new(struct sim_node *node);
struct mailer *sim_carrier_mailer(struct sim_carrier *m); /* NULL of NULL */
struct poster *sim_carrier_poster(struct sim_carrier *m);
struct sim_carrier *sim_carrier_free(struct sim_carrier *m); /* NULL ok; returns NULL */

/* ---- net.c ---- */

struct sim_request {
    enum sim_service service;
    const char *method;
    struct str path;  /* with the query */
    struct str body;  /* absent: none */
    const char *type; /* of the body; NULL: JSON */
    struct str key;   /* Idempotency-Key; absent: none */
    struct str token; /* access token; absent: the caller is vouched for */
    bool device;      /* the token is a device's: without it nobody vouches for the request */
};
struct sim_answer {
    int status;
    struct str body;
    struct json_value json; /* its root, during the callback */
    bool is_json;
};
typedef void (*sim_answer_fn)(struct person *p, const struct sim_answer *a);
/* One request of a person at a time: sent again, the same, until there is a real answer. */
struct sim_slot {
    struct person *person;
    bool busy;
    uint64_t attempt;
    int32_t tries;
    struct sim_request request;
    sim_answer_fn on_answer;
    int64_t sent_at_us;
};
void sim_slot_send(struct sim_slot *s, const struct sim_request *r, sim_answer_fn on_answer);
/* The PIN of a stop, as its customer would say it; absent: it has none. */
struct str oracle_pin(struct sim *sim, const char *booking_id, int64_t stop);
struct str sim_new_key(struct sim *sim);
struct sim_call {
    struct call call;
    struct sim_node *node;
    struct sim_slot *slot;
    uint64_t attempt; /* of the slot; 0: nobody waits for the answer */
    struct person *person;
    const struct sim_request *request;
    struct sim_socket **ret_socket;
    struct sim_answer answer;
};
/* Makes the call of C's request and person on NODE now. */
void sim_call_enter(struct sim *sim, struct sim_call *c, struct sim_node *node);
/* Gives auth's public keys to all nodes, now and every few seconds. A sim_fn. */
void sim_fetch_jwks(struct sim *sim, void *arg, uint64_t token);

/* JSON of answers and frames, absent where there is none. */
struct str sim_json_str(struct json_value v, const char *key);
int64_t sim_json_i64(struct json_value v, const char *key); /* I64_ABSENT */

/* ---- socket.c: what a client knows of its stream ---- */

struct stream;
struct sim_feed {
    struct sim_socket *socket;
    uint64_t number; /* of the connection: frames of an older one are not heard */
    bool connecting, ready, resumed;
    int64_t ready_seq, replayed_seq, live_seq;
    int64_t safe_seq; /* all up to here have been seen */
    struct stream *stream;
    uint8_t *seen; /* by seq: in this connection (1), ever (2) */
    int64_t seen_cap;
};
void sim_feed_open(struct person *p);
void sim_socket_lost(struct sim_socket *s); /* its node is gone, or the line is cut */
/* False: not connected. */
bool sim_feed_send(struct person *p, struct str text);
/* For net.c: the call's `accept`. */
struct socket *sim_socket_accept(struct call *call, struct str protocol,
                                 const struct socket_events *events, void *owner);
void sim_socket_drop_event(struct sim_event *e); /* that will not happen any more */

/* ---- people ---- */

struct person {
    struct sim *sim;
    enum role role;
    int32_t index;
    char user_id[ID_TEXT_MAX], driver_id[ID_TEXT_MAX];
    struct str name, email, password, access, refresh, spent;
    struct str key, key_id; /* an API key of his */
    bool key_dead;          /* it was taken back */
    struct sim_slot slot, auth_slot;
    struct sim_feed feed;
    bool ready;     /* is registered */
    bool chosen;    /* of what he is told by e-mail: … */
    unsigned kinds; /* … 1 << its place in sim_kinds */
    void (*on_chosen)(struct person *p);
    /* what the socket tells; JSON root of the frame's data */
    void (*on_entry)(struct person *p, struct str type, struct json_value data);
    void (*on_ready)(struct person *p);
    void (*on_ack)(struct person *p, int64_t id);
    uint64_t step; /* timers of an older one are not heard */
};
void sim_person_init(struct sim *sim, struct person *p, enum role role, int32_t index);
/* The kinds of notifications, ends with NULL. */
extern const char *const sim_kinds[];
/* Chooses what he is told by e-mail, or leaves it; then THEN. By his slot, which must be free. */
void sim_person_choose(struct person *p, void (*then)(struct person *p));
void sim_person_register(struct person *p); /* then on_ready */
void sim_person_refresh_now_and_then(struct person *p);
/* keys.c: perhaps he makes a key, or tries one. True: his auth_slot is at it. */
bool sim_person_minds_key(struct person *p);
struct identity sim_person_identity(const struct person *p);

struct customer {
    struct person p;
    int32_t left; /* bookings yet to be made */
    char quote_id[ID_TEXT_MAX], booking_id[ID_TEXT_MAX];
    char link[64];          /* the token of its tracking link */
    int32_t state;          /* of the booking, as he knows it */
    bool scheduling;        /* it is to be for later */
    bool saving;            /* with a promo code */
    int64_t agreed;         /* to pay for other stops; 0: whatever it is */
    int64_t stops_revision; /* of the stops that he has seen */
    bool rated, done;
    struct str import_path; /* of the file that he has sent */
    struct str recurrence_path;
    int64_t recurred_at_us;
    int32_t looks, later_done; /* at it, yet to come; bookings of it that he has cancelled */
};
#define SIM_CONTACT_PHONE "+46712345678" /* of whoever is at a stop */
#define SIM_RECURRENCE_DAYS 2            /* so many days ahead what recurs is booked */
void sim_customer_start(struct customer *c);
/* stops.c: a body for BOOKING's stops to be others, with the members MORE; absent: it has none. */
struct str sim_stops_wish(struct sim *sim, struct json_value booking, const char *more);
/* He is through with what he was doing, and goes on in a while. */
void sim_customer_finish(struct customer *c);
void sim_import_send(struct customer *c);     /* importer.c */
void sim_recurrence_send(struct customer *c); /* recurrer.c */

#define DRIVER_BATCH_MAX 16
struct gps_batch {
    int64_t at_us[DRIVER_BATCH_MAX];
    int32_t count;
    struct str body;
};
#define DRIVER_BATCHES_HELD 8
struct driver_person {
    struct person p;
    struct sim_slot gps_slot;
    struct gps_batch sending, frame, held[DRIVER_BATCHES_HELD];
    int32_t held_count;
    int64_t frame_id, last_fix_us;
    int32_t lat_e7, lng_e7;
    struct str device_token;          /* of what reports for him; absent: nothing does */
    struct str device_id, dead_token; /* dead: it is being taken back */
    struct str sending_token;         /* that `sending` goes with; absent: he sends it himself */
    enum vehicle vehicle;
    bool carrying, answering;
    char booking_id[ID_TEXT_MAX], offer_id[ID_TEXT_MAX], offer_booking[ID_TEXT_MAX];
    struct str next_status;
    int64_t next_stop;
    int32_t to_lat_e7, to_lng_e7; /* of that stop */
    bool lingers;                 /* takes his time with what he carries */
    int64_t cash_due;             /* there; 0: none, or it was said */
    struct str missing; /* what it lacks; absent: nothing */ /* the body that says it */
};
void sim_driver_start(struct driver_person *d);
bool sim_driver_quiet(const struct driver_person *d);

struct staff {
    struct person p;
    char driver_id[ID_TEXT_MAX]; /* whose documents are looked at */
    bool has_webhook;
};
void sim_staff_start(struct staff *s);

/* ---- the oracle ---- */

struct oracle;
struct oracle *oracle_new(struct sim *sim);
void oracle_free(struct oracle *o);
void oracle_commit(void *node, const struct memory_commit *commit); /* memory_watch_fn */
/* The bus has told NODE that its outbox row SEQ is safe. */
void oracle_confirmed(struct sim_node *node, int64_t seq);
void oracle_reply(struct sim *sim, const struct sim_call *c); /* before anybody hears it */
/* The message ID has arrived. */
void oracle_mail(struct sim *sim, struct str id);
struct stream *oracle_stream(struct sim *sim, struct str name);
/* Frame TEXT with entry SEQ has reached a client. */
void oracle_frame(struct sim *sim, struct stream *s, int64_t seq, struct str text,
                  struct json_value data);
int64_t oracle_stream_end(const struct stream *s);
/* DATA is about to be signalled on TOPIC. */
void oracle_signal(struct sim *sim, const char *topic, const void *data, size_t len);
bool oracle_entry_exists(const struct stream *s, int64_t seq);
/* Is FIX of that driver durable? */
bool oracle_has_fix(struct sim *sim, const char *driver_id, int64_t at_us);
/* Has everything come to rest? *RET_WHY says what has not. */
bool oracle_settled(struct sim *sim, struct str *ret_why);
void oracle_watch(struct sim *sim);   /* once a second: what must hold at any time */
void oracle_verdict(struct sim *sim); /* when it has settled */

/* ---- the whole ---- */

struct sim {
    uint64_t seed;
    bool print; /* the trace, as it goes */
    int64_t now_us;
    struct rng rng;
    struct arena arena; /* lives as long as the run */
    struct sim_queue queue;
    struct sim_trace trace;
    struct sim_profile profile;
    bool calm;          /* the faults have ended */
    int64_t settled_us; /* when all had first come to rest; 0: not yet */
    struct sim_result *result;
    struct json_parser *parser;
    struct sim_bus *bus; /* NULL: a node of its own */
    struct cache *cache;
    struct sim_node nodes[SIM_NODES_MAX];
    int32_t node_count;
    struct clock clock;       /* its virtual time */
    struct blobs *blobs;      /* survive everybody */
    struct sim_node *turning; /* whose executor commits now; NULL: the one of the disk */
    struct customer *customers;
    struct driver_person *drivers;
    struct staff staff;
    struct oracle *oracle;
    int32_t crashes_left;
    uint64_t letters;
};

#endif
