/* Shared by the files of the booking service and nobody else: the service's own struct, its
 * commands and their arguments, and what decide functions have in common.
 */
#ifndef LORRY_BOOKING_INTERNAL_H
#define LORRY_BOOKING_INTERNAL_H

#include "base/histogram.h"
#include "base/id.h"
#include "base/map.h"
#include "events/sight.h"
#include "runtime/retention.h"
#include "services/booking/area_book.h"
#include "services/booking/booking_service.h"
#include "services/booking/machine.h"
#include "services/booking/surge.h"
#include "services/booking/tariff_book.h"

#include <stdatomic.h>

#define CONTACT_KEPT_US (INT64_C(24) * 3600 * US_PER_S)

/* Whether open bookings lie under their driver's bare id, where an older version has put them. Any
 * thread reads `gone`; all else is the executor thread's (open.c). */
struct open_keys {
    _Atomic bool gone; /* none does */
    bool found;        /* in this look */
    int32_t clean;     /* looks in a row that have found none */
    int64_t next_us;
    char after[STORE_ID_MAX + 1]; /* how far it has come */
};
void open_keys_tick(struct open_keys *k, struct store *store, int64_t now_us);

/* Which booking was looked at last for whether its search must begin early. */
struct early_turn {
    int64_t wake_at_us;
    size_t id_len;
    char id[STORE_ID_MAX];
};

struct booking_service {
    struct booking_options o; /* defaults filled in */
    struct shelf tariffs;
    struct shelf area;
    struct surge surge;
    _Atomic uint64_t events_by_type[ENTRY_TYPE_COUNT];
    _Atomic uint64_t quotes;
    _Atomic uint64_t import_rows[8]; /* by enum row_state */
    _Atomic uint64_t occurrences[8]; /* by enum occurrence_state */
    struct histogram assigned_after; /* from the request to its driver */
    int64_t next_prune_us;           /* executor thread */
    int64_t early_next_us;           /* executor thread: early_tick */
    struct early_turn early_turn;    /* executor thread */
    struct executor *executor;       /* NULL: nothing begins early */
    int64_t erase_next_us;           /* executor thread: eraser_tick */
    struct retention standing_kept;  /* executor thread */
    struct open_keys open_keys;
    struct map opening;   /* executor thread: customers whom this batch opens bookings for, … */
    struct map beginning; /* … whose recurrences it begins, … */
    struct map importing; /* … and whose imports */
};

/* ---- bodies of requests: also the args of the commands ---- */

struct quote_body {
    struct place *stops;
    int32_t stop_count;
    int32_t vehicle;              /* VEHICLE_NONE: all that are on offer */
    struct window *pickup_window; /* NULL: as soon as can be */
    struct goods *goods;
    int32_t goods_count;
    struct str promo_code;
};
struct collect_body {
    int64_t amount;
    struct str currency; /* absent: the quote's */
};
struct stop_body {
    struct contact *contact;
    struct str note;
    struct collect_body *collect; /* NULL: nothing */
    struct str *proof;            /* names of what is asked for; NULL: as the house has it */
    int32_t proof_count;
};
struct create_body {
    struct str quote_id, notes;
    int32_t payment;
    struct stop_body *stops;
    int32_t stop_count;
    struct goods *goods; /* none: the quote's */
    int32_t goods_count;
    int64_t promo_until_us; /* not from the client: its use is taken until then; 0: it is not */
    bool prefer_favourites;
};
struct cancel_body {
    struct str reason;
    int64_t fee;     /* what it may cost at most; I64_ABSENT: whatever it does */
    int64_t version; /* I64_ABSENT: whatever it is */
};
struct offer_body { /* accept, decline */
    struct str offer_id, reason;
};
struct status_body {
    int32_t status; /* enum booking_state */
    int64_t stop, version;
    int64_t revision; /* what STOP is a number of; I64_ABSENT: whatever it is */
    struct str reason;
};
struct note_body {
    int64_t stop, version;
    int64_t revision; /* as of a status */
    struct str note;  /* "": none */
};
struct proof_body {
    int64_t stop, version;
    struct str pin, name, photo_id, signature_id;
};
struct proof_args {
    struct proof_body body;    /* first */
    struct file_claim *claims; /* of the photo, then of the signature, as far as they are named;
                                  NULL: none was attached */
};
struct collection_body {
    int64_t stop, amount, version;
    struct str reason; /* why it is less than is due */
};
struct rating_body {
    int64_t stars, version;
    struct str comment;
};
struct link_rating {
    struct rating_body body;
    int32_t stop; /* whose link it is; -1: the booking's */
};
struct assign_body {
    struct str driver_id;
    struct str reason; /* required where somebody has it already */
    int64_t version;
};
/* The end of an assignment: by a dispatcher, or by the driver himself. */
struct leave_body {
    struct str reason;
    int32_t search; /* enum tri; false: dispatch does not look for another */
    int64_t version;
};
struct rebook_body {
    struct window *pickup_window; /* NULL: as soon as can be */
};
struct window_body {
    struct window *pickup_window;
    int64_t total;   /* what it may cost at most; I64_ABSENT: as much as it does */
    int64_t version; /* I64_ABSENT: whatever it is */
};
extern const struct schema window_body_schema, rebook_body_schema;
extern const struct schema quote_body_schema, create_body_schema, cancel_body_schema,
    accept_body_schema, decline_body_schema, status_body_schema, rating_body_schema,
    assign_body_schema, unassign_body_schema, release_body_schema, area_body_schema,
    note_body_schema, proof_body_schema, contact_body_schema, collect_body_schema,
    collection_body_schema;

/* ---- prices ---- */

/* The price and the terms of a trip that begins at PICKUP_US, by tariff V; of Q distance and
 * duration are there. SURGE_PERCENT is added for demand. False: its class is not on offer there.
 * What is kept is in A. */
bool quote_price(const struct booking_service *s, const struct tariff_version *v,
                 struct point pickup, int64_t pickup_us, int32_t stop_count, int64_t surge_percent,
                 struct arena *a, struct quote *q);

/* How soon the nearest free driver of the class can be there; I64_ABSENT: nobody knows. */
int64_t booking_pickup_eta_s(const struct booking_service *s, struct point pickup,
                             enum vehicle vehicle);

/* What whoever asked for stops outside is told: the border, and for each such stop the nearest
 * place that is served. Without an area there is no border, only a distance. */
struct str quote_outside(const struct area_book *book, const struct place *stops,
                         int32_t stop_count, struct arena *a);

/* Who asks for a price, when, and for what. */
struct quote_ask {
    struct booking_service *service;
    const struct quote_body *body;
    struct str customer_id;
    int64_t now_us;
    struct arena *arena;
};
/* The quotes of a trip that nobody asks for over HTTP: as POST /v1/quotes has them, without a promo
 * code. NULL: ERRORS says why. Any thread. */
struct quote_set *quote_alone(const struct quote_ask *ask, struct field_errors *errors);

/* ---- commands ---- */

/* What a batch adds for one account does not show in the store yet: open.c counts it. For load; for
 * applied and undone. OWN is of the command, ID lives as long. */
struct opening {
    struct str id; /* absent: its command does not count */
    int32_t count; /* of a batch's first for ID: how many they are */
};
int32_t opening_count(const struct map *m, struct str id);
void opening_add(struct map *m, struct opening *own, struct str id);
void opening_drop(struct map *m, struct opening *own);

/* What a create needs beside its booking: gathered by load, or given by the bench. */
struct create_facts {
    const struct quote_set *set; /* NULL: no such quote */
    struct str *favourites;      /* of the customer, if they are wanted */
    int32_t favourite_count;
    char secret[SECRET_LEN + 1];
    struct stop_secret {
        char pin[PIN_LEN + 1], secret[SECRET_LEN + 1];
    } * stops;        /* for each of STOPS_MAX; NULL: none is asked for a PIN */
    bool wants_promo; /* its use has to be taken first */
    bool too_many;    /* the customer has as many open bookings as he may */
    bool erased;      /* of an order: its customer was erased meanwhile */
    struct opening opening;
};
/* open.c: for load (ERR of the store), with an id that lives as long as CMD; for applied and
 * undone. */
int open_reserve(const struct command *cmd, struct store *store, struct str customer_id);
/* Open bookings of CUSTOMER_ID in the store, but no more than MAX are counted. */
int open_count(struct store *store, struct str customer_id, int32_t max, int32_t *ret);
void open_release(const struct command *cmd);
struct str open_words(const struct booking_service *s, struct arena *a); /* why no more */

/* The same for what an account begins of another collection, whose index 1 is of what is under way
 * by account: CMD's facts are a struct begin_facts, and M counts its batch. begin_over is for
 * undone, begin_applied for applied. */
struct begin_facts {
    bool too_many; /* MAX are under way, or about to be */
    struct map *counted;
    struct opening opening;
};
int begin_reserve(struct command *cmd, struct store *store, const struct store_collection *c,
                  struct map *m, int32_t max);
void begin_over(const struct command *cmd);
void begin_applied(const struct command *cmd, const struct decision *d, const void *state);

extern const struct command_type quote_create, booking_create, booking_cancel, booking_status,
    booking_rate, booking_rate_by_link, booking_accept, booking_decline, booking_assign,
    booking_wake, booking_offered, booking_refused, booking_dropped, booking_stale,
    booking_reschedule, booking_unassign, booking_release, booking_proof, booking_reached,
    booking_left, booking_collect, booking_change_stops, booking_note, booking_next_begun;
/* The saga of a promo code's use, promo_use.c. */
extern const struct command_type promo_reserve; /* [struct ev_promo] */
extern const struct command_type promo_wake;
void on_promo_taken(struct event_turn *t, const void *data);
void on_promo_given_back(struct event_turn *t, const void *data);
void on_promo_used(struct event_turn *t, const void *data);
void on_promo_freed(struct event_turn *t, const void *data);
/* Counts the events of a decision that has become durable. */
void booking_applied(const struct command *cmd, const struct decision *d, const void *state);

/* ---- an edit: a new state of a booking in the making, with what it tells the world ---- */

#define EDIT_EVENTS_MAX (OFFERS_MAX + 2)

struct edit_event {
    int32_t type;                                   /* enum entry_type */
    int32_t reason;                                 /* enum close_reason, of a closed offer */
    struct str offer_id, driver_id, driver_user_id; /* of the offer; absent: none */
    int64_t expires_at_us, pickup_distance_m, pickup_eta_s;
    struct cash_lines *money; /* NULL: none */
    int64_t money_stop;       /* I64_ABSENT: of no stop */
    int64_t free_at_us;       /* of its driver; 0: he is free */
    struct str why;           /* of an end of an assignment, in people's words */
    bool manual, at_once;
    bool inner; /* of an assignment: said once more, and not to people */
};
struct edit {
    const struct command *cmd;
    const struct decide_ctx *ctx;
    const struct booking *old; /* NULL: it is being created */
    struct booking *b;         /* the new state */
    struct str view;           /* of the new state, once committed: whole, for its events */
    struct edit_event events[EDIT_EVENTS_MAX];
    int32_t event_count;
    int32_t timeline_room; /* entries that the list has room for; 0: it is still the old one */
    bool own_stops, own_offers, own_closed; /* copied already */
};
void edit_begin(struct edit *e, const struct command *cmd, const struct decide_ctx *ctx,
                const struct booking *old);
struct booking_stop *edit_stop(struct edit *e, int32_t i);
/* Its proof, to be changed; it has one. */
struct stop_proof *edit_proof(struct edit *e, int32_t i);
/* A timeline entry of now and of whoever sent the command. Fill in what it has to tell. */
struct timeline_entry *edit_entry(struct edit *e, int32_t type);
/* An event without an offer, or of OFFER. */
struct edit_event *edit_event(struct edit *e, int32_t type, const struct booking_offer *offer);
/* Adds an open offer, or replaces the one with its id. */
void edit_put_offer(struct edit *e, const struct booking_offer *offer);
/* Takes open offer I away: remembered as closed, told, in the timeline. */
void edit_close_offer(struct edit *e, int32_t i, int32_t reason);
/* All that are left, last first. */
void edit_close_offers(struct edit *e, int32_t reason);
/* Remembers an offer that never was open here, or no longer is, and tells that it is closed. */
void edit_refuse_offer(struct edit *e, struct str offer_id, struct str driver_id,
                       struct str driver_user_id, int32_t reason);
/* Its driver has it no more, for REASON (enum close_reason) and WHY (his offer is remembered as
 * closed): told, in the timeline, the stop where he was is as before. The state is the caller's. */
void edit_unassign(struct edit *e, int32_t reason, struct str why);
/* Open offer I becomes the assignment, by ACTION of HATS; the others are closed. */
void edit_assign(struct edit *e, int32_t i, enum booking_action action, unsigned hats);
/* By the machine: the booking's state after ACTION; the caller has judged that it is legal. */
void edit_move(struct edit *e, enum booking_action action, unsigned hats);
/* Without offers that a driver may answer the booking is `requested` again. */
void edit_lapse(struct edit *e);
/* Finishes: version, state and events into D. Exactly one event, the first, carries the view. */
void edit_commit(struct edit *e, struct decision *d);
/* The answer, with ETag: what whoever sent the command sees of the new state. */
void edit_reply(struct edit *e, struct decision *d, int status);
/* The same where it is a dispatcher who waits for it, whatever command it comes by. */
void edit_reply_staff(struct edit *e, struct decision *d, int status);

/* A new booking of QUOTE, which is of FACTS' set, with its entry and its event: decide_create.c.
 * For its load: the secret of its tracking link. */
void booking_fill(struct edit *e, const struct create_body *body, const struct create_facts *facts,
                  const struct quote *quote);
void booking_secret(const struct booking_service *s, struct create_facts *facts);
/* The system cancels it, for nothing: decide_move.c. */
void booking_call_off(struct edit *e, struct str reason);

/* ---- what decide functions have in common ---- */

/* What WHO is to B. */
unsigned booking_hats(const struct booking *b, const struct identity *who);
bool booking_visible(unsigned hats);
struct booking_ask booking_ask_of(const struct booking *b, enum booking_action action,
                                  unsigned hats);
/* True when B exists, WHO may see it and VERSION (or I64_ABSENT) is its version; otherwise D has
 * the problem. */
bool booking_at_hand(const struct booking *b, const struct command *cmd, unsigned hats,
                     int64_t version, struct decision *d);
/* Is stop I what whoever names it knows by that number at REVISION (I64_ABSENT: whatever it is)?
 * False: D has the problem. */
bool booking_is_the_stop(const struct command *cmd, const struct booking *b, int32_t i,
                         int64_t revision, struct decision *d);
/* The answer to a verdict that is not OK. WANTED is what was asked for, in words. */
void booking_refuse(const struct booking *b, const struct command *cmd,
                    const struct booking_ask *ask, enum verdict v, const char *wanted,
                    struct decision *d);
/* True unless B has lost its driver so often that it is enough; then D has the problem. */
bool booking_may_lose_driver(const struct booking *b, const struct command *cmd, unsigned hats,
                             struct decision *d);
bool booking_lost_enough(const struct booking *b);
/* B's driver, who has another booking before it, will not come to it: it is looked for anew. WHY in
 * people's words. decide_hands.c */
void booking_lose_next(const struct command *cmd, const struct decide_ctx *ctx,
                       const struct booking *b, struct str why, struct decision *ret);
/* For the audit log: what a dispatcher's ACTION has made of B. WANTED (may be NULL): the choice
 * that has come about by this command, which is not the dispatcher's own. After edit_commit. */
void booking_audit_hands(struct decision *ret, const struct command *cmd,
                         const struct decide_ctx *ctx, const char *action, const struct booking *b,
                         const struct booking *next, const struct booking_offer *wanted,
                         struct str reason);
/* 409 with TOTAL, which B would cost. */
void booking_price_changed(const struct command *cmd, const struct booking *b, int64_t total,
                           const char *words, struct decision *d);
/* 200 with what is there already. */
void booking_unchanged(const struct booking *b, const struct command *cmd,
                       const struct decide_ctx *ctx, struct decision *d);

/* The booking of the path, if the caller may see it; else NULL: replied. */
const struct booking *visible_booking(struct call *c);

/* ---- views ---- */

/* Where the driver is, while he is on his way to one of the booking's stops. */
struct live {
    bool known;
    struct fleet_position position;
    int64_t eta_us;         /* at the next stop; 0: unknown */
    struct fleet_etas etas; /* at all that are left */
};
void booking_live(struct call *c, const struct booking *b, struct live *ret);
/* What somebody sees of the people in a booking: events/sight.h, and the house's own number. */
struct booking_sight {
    enum sight contacts, driver;
    struct str line; /* may be absent */
};
extern const struct booking_sight booking_sight_whole;
/* What whoever wears HATS sees of B at NOW_US. */
struct booking_sight booking_sight(const struct booking_service *s, const struct booking *b,
                                   unsigned hats, int64_t now_us);
void booking_write(struct jw *w, const struct booking *b, const struct live *live,
                   const struct booking_sight *seen);
/* The booking as GET /v1/bookings/{id} shows it to who sees SEEN. LIVE may be NULL. */
struct str booking_view(const struct booking *b, const struct live *live,
                        const struct booking_sight *seen, struct arena *a);
/* Who else was asked, and why he did not want it, is staff's business. */
bool booking_entry_confidential(const struct timeline_entry *t);
struct str booking_timeline_view(const struct booking *b, bool staff, struct arena *a);
/* The lines that concern whoever wears HATS. */
struct str booking_ledger_view(const struct booking *b, unsigned hats, struct arena *a);
/* STOP: whose link it is, and whose PIN is shown; -1: the booking's. */
struct str booking_tracking_view(const struct booking *b, const struct live *live, int32_t stop,
                                 struct arena *a);
/* COLLECT_MAX: what may be collected in cash at a stop. */
struct str quote_set_view(const struct quote_set *s, int64_t collect_max, struct arena *a);
/* Members of an object: stop INDEX; what something costs. */
void place_write(struct jw *w, int32_t index, bool back, const struct place *p);
void price_write(struct jw *w, const struct price *p, const struct terms *terms);

/* What stop I asks for and has got, as members of an object; OPEN: also whose name and which files.
 */
void proof_write(struct jw *w, const struct booking *b, int32_t i, bool open);
/* The names of KINDS (PROOF() bits) as a JSON array. */
void proof_write_kinds(struct jw *w, int64_t kinds);

/* ---- proof ---- */

/* What stop I of BODY's booking must show: PROOF() bits. */
int64_t proof_asked(const struct booking_service *s, const struct create_body *body, int32_t i);
/* PINs and links, drawn from the entropy port, if any of STOP_COUNT stops asks for a PIN; else
 * NULL. */
struct stop_secret *proof_secrets(const struct booking_service *s, const struct create_body *body,
                                  int32_t stop_count, struct arena *a);
/* Of a new booking whose stops are filled in. */
void proof_demand(const struct booking_service *s, const struct create_body *body,
                  const struct create_facts *facts, struct arena *a, struct booking *b);
/* 409 with what is missing, if stop I of B cannot be done yet. True: it is so. */
bool proof_lacking(const struct booking *b, int32_t i, const struct command *cmd,
                   struct decision *d);

/* ---- tracking links ---- */

/* The link of one stop, in ROOM; absent: it has none. */
struct str tracking_stop_token(const struct booking *b, int32_t i,
                               char room[ULID_TEXT_LEN + SECRET_LEN]);

/* 16 random bytes as 22 characters of base64url. */
void tracking_secret(const unsigned char bytes[SECRET_BYTES], char ret_text[SECRET_LEN + 1]);
/* The booking's ULID and its secret, in ROOM. */
struct str tracking_token(const struct booking *b, char room[ULID_TEXT_LEN + SECRET_LEN]);
/* The two parts of a token; false when it cannot be one. */
bool tracking_split(struct str token, struct arena *a, struct str *ret_booking_id,
                    struct str *ret_secret);

/* ---- handlers ---- */

void handle_quotes(struct call *c);
void check_quote(struct call *c, const void *body, struct field_errors *errors);
void handle_tariffs(struct call *c);
void handle_promos(struct call *c);
void handle_promo(struct call *c);
void handle_promo_make(struct call *c);
void handle_promo_patch(struct call *c);
void handle_promo_end(struct call *c);
void check_promo(struct call *c, const void *body, struct field_errors *errors);
struct promo;
/* The promo code CODE, if C's caller may use it now. NULL: *RET_REFUSED says why not, or (NULL)
 * replied. */
const struct promo *promo_named(struct call *c, struct str code,
                                const struct promo_refusal **ret_refused);
void handle_put_tariffs(struct call *c);
void handle_preview(struct call *c);
/* ---- recent.c: the bookings of a stretch of time ---- */
struct recent {
    int64_t from_us, to_us;
    int64_t bookings, oldest_us; /* how many were read, and when the first of them was made */
    bool complete;               /* these are all */
};
typedef void recent_fn(const struct booking *b, struct arena *a, void *arg);
bool recent_span(struct call *c, struct recent *r); /* false: replied */
/* EACH of them, newest first; A is good until it returns. */
int recent_walk(struct call *c, struct recent *r, recent_fn *each, void *arg);
void recent_write(struct jw *w, const struct recent *r); /* members of an object */
void handle_tariff_versions(struct call *c);
void check_tariffs(struct call *c, const void *body, struct field_errors *errors);
void handle_area(struct call *c);
void handle_area_versions(struct call *c);
void handle_area_preview(struct call *c);
void handle_put_area(struct call *c);
void check_area(struct call *c, const void *body, struct field_errors *errors);
void handle_create(struct call *c);
void check_create(struct call *c, const void *body, struct field_errors *errors);
void handle_list(struct call *c);
void handle_get(struct call *c);
void handle_timeline(struct call *c);
void handle_custody(struct call *c);
void handle_cancel(struct call *c);
void handle_cancellation(struct call *c);
void handle_ledger(struct call *c);
void handle_accept(struct call *c);
void handle_decline(struct call *c);
void handle_status(struct call *c);
void handle_rating(struct call *c);
void handle_assign(struct call *c);
void handle_reschedule(struct call *c);
void handle_rebook(struct call *c);
void check_rebook(struct call *c, const void *body, struct field_errors *errors);
void check_window(struct call *c, const void *body, struct field_errors *errors);
void handle_unassign(struct call *c);
void handle_release(struct call *c);
void handle_track(struct call *c);
void handle_track_file(struct call *c);
void handle_track_rating(struct call *c);
void handle_proof(struct call *c);
void check_proof(struct call *c, const void *body, struct field_errors *errors);
void check_proof_kinds(struct call *c, int32_t i, const struct stop_body *stop,
                       struct field_errors *errors);
void check_proofs(struct call *c, const struct create_body *b, struct field_errors *errors);
void handle_pins(struct call *c);
void handle_collection(struct call *c);
void handle_collect(struct call *c);
void handle_note(struct call *c);

#endif
