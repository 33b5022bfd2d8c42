/* What the booking service keeps: a quote set (one document for each POST /v1/quotes) and a booking
 * (one document with all that belongs to it: stops, price, offers, timeline). Plain structs and
 * their schemas; they live in the arena of whoever decoded or decided them.
 *
 *   qte_X  a set of quotes; each quote in it is id_variant(set, vehicle class)
 *   bkg_X  the booking of quote qte_X: so a quote serves once, and no lookup is needed
 *
 * A booking's document is bounded: STOPS_MAX stops, OFFERS_MAX open offers, CLOSED_MAX remembered
 * ones, TIMELINE_MAX entries.
 */
#ifndef LORRY_BOOKING_TYPES_H
#define LORRY_BOOKING_TYPES_H

#include "events/events.h"
#include "runtime/aggregate.h"
#include "services/booking/goods.h"

#define STOPS_MIN 2
#define STOPS_MAX 20                   /* that people name */
#define TRIP_STOPS_MAX (STOPS_MAX + 1) /* with the way back */
#define PRICE_ITEMS_MAX 16
#define TAXES_MAX 4
#define TAX_NAME_CHARS_MAX 40
#define OFFERS_MAX 16    /* open at once */
#define CLOSED_MAX 64    /* closed offers remembered: late events of them change nothing */
#define TIMELINE_MAX 573 /* entries */
#define HANDS_MAX 12     /* times that a booking may lose its driver */
#define TIMELINE_RESERVED                                                                          \
    477                    /* of them kept free of offers, for what a booking cannot do without */
#define RESCHEDULES_MAX 12 /* times that a booking may be given another time */
#define FAVOURITES_MAX 20
#define CODE_LEN 6      /* what people read to each other */
#define SECRET_BYTES 16 /* of a tracking link, from the entropy port */
#define SECRET_LEN 22   /* the same as base64url */
#define NOTES_CHARS_MAX 1000
#define STOP_NOTE_CHARS_MAX 300
#define NOTE_CHANGES_MAX 24             /* of all stops of one booking */
#define NOTE_CHANGES_OF_CUSTOMER_MAX 16 /* of those: staff has room of its own */
#define REASON_CHARS_MAX 500
#define RECIPIENT_CHARS_MAX 100
#define COLLECT_CHANGES_MAX 4    /* of one stop, by its driver */
#define COLLECT_CHANGES_IN_ALL 8 /* staff has the last word */
/* Lines: four of each time that cash is confirmed, and those of the end. */
#define LEDGER_MAX (4 * COLLECT_CHANGES_IN_ALL * TRIP_STOPS_MAX + 20)
#define PIN_LEN 4
#define PIN_TRIES_MAX 5                          /* wrong ones, then … */
#define PIN_PAUSE_US (INT64_C(5) * 60 * 1000000) /* … none is looked at for so long */
#define PROOF_CHANGES_MAX 6                      /* of one stop */
#define ADDRESS_CHARS_MAX 200
#define STOPS_CHANGES_MAX 12 /* of one booking */

enum payment { PAYMENT_NONE, PAYMENT_CASH, PAYMENT_CARD, PAYMENT_INVOICE };
extern const char *const payment_names[];

enum stop_state { STOP_NONE, STOP_PENDING, STOP_ARRIVED, STOP_DONE, STOP_FAILED };
extern const char *const stop_state_names[];

enum item_code {
    ITEM_NONE,
    ITEM_BASE,
    ITEM_DISTANCE,
    ITEM_TIME,
    ITEM_STOPS,
    ITEM_MINIMUM,
    ITEM_NIGHT,
    ITEM_WEEKEND,
    ITEM_HOLIDAY,
    ITEM_SURGE,
    ITEM_WAITING,
    ITEM_RETURN,
    ITEM_PROMO,
    ITEM_TAX,
    ITEM_CODE_COUNT
};
extern const char *const item_code_names[];
extern const char *const item_unit_names[]; /* by item code: "m", "s", …; NULL: no quantity */

enum close_reason {
    CLOSE_NONE,
    CLOSE_DECLINED,
    CLOSE_TIMED_OUT,
    CLOSE_WITHDRAWN,
    CLOSE_ACCEPTED_ELSEWHERE,
    /* of the offer by which somebody had the booking */
    CLOSE_UNASSIGNED, /* a dispatcher took it from him */
    CLOSE_REASSIGNED, /* … and gave it to another */
    CLOSE_RELEASED,   /* he gave it back */
    CLOSE_CHANGED     /* it was of another trip: the booking's stops have changed */
};
extern const char *const close_reason_names[];

/* Timeline entries and events have the same names. */
enum entry_type {
    ENTRY_NONE,
    ENTRY_REQUESTED,
    ENTRY_OFFERED,
    ENTRY_OFFER_CLOSED,
    ENTRY_ASSIGN_WANTED,
    ENTRY_ASSIGNED,
    ENTRY_PROGRESSED,
    ENTRY_DELIVERED,
    ENTRY_CANCELLED,
    ENTRY_EXPIRED,
    ENTRY_FAILED,
    ENTRY_RATED,
    ENTRY_SCHEDULED,
    ENTRY_RESCHEDULED,
    ENTRY_REMINDED,
    ENTRY_UNASSIGNED,
    ENTRY_PROOF,
    ENTRY_PIN_REFUSED,
    ENTRY_REACHED, /* by the driver's positions */
    ENTRY_LEFT,
    ENTRY_STOP_FAILED, /* and its goods go on, or back */
    ENTRY_RETURNED,
    ENTRY_COLLECTED,
    ENTRY_STOPS_CHANGED,
    ENTRY_NOTE_CHANGED, /* for a stop */
    ENTRY_DRIVER_FREE,  /* he has finished what he had before it */
    ENTRY_TYPE_COUNT
};
extern const char *const entry_type_names[];
struct timeline_entry;
/* Who did it: a role, "link" (whoever has a tracking link), or "system". */
const char *entry_actor(const struct timeline_entry *t);

struct place {
    int32_t lat_e7, lng_e7;
    struct str address; /* may be absent */
};
static inline struct point place_point(const struct place *p) {
    return (struct point){p->lat_e7, p->lng_e7};
}

struct price_item {
    int32_t code;     /* enum item_code */
    int64_t quantity; /* in the unit of its code; I64_ABSENT: none */
    int64_t amount;   /* minor units; of a promo negative */
};
struct price_tax {
    struct str name;
    int64_t rate_bp, amount;
};
struct price {
    struct str currency;
    int64_t total; /* minor units: always the sum of the items */
    struct price_item *items;
    int32_t item_count;
    struct price_tax *taxes;
    int32_t tax_count;
    bool taxes_included; /* in the items; else they are an item of their own */
};
/* When the goods are to be fetched. */
struct window {
    int64_t from_us, to_us;
};
/* What a promo code takes off: a percentage, at most cap, or an amount; where it comes to minimum
 * without it. I64_ABSENT: not that. */
struct discount {
    struct str code;
    int64_t percent, amount, cap, minimum;
};
/* What else was agreed with the price: copied from the tariff, so that a newer one changes nothing
 * for whoever has booked. I64_ABSENT: nothing of that kind was. */
struct terms {
    int64_t tariff_version; /* 0: from before there were versions; then nothing was */
    struct str zone;        /* of the tariff, that it begins in */
    int64_t commission_bp;
    int64_t waiting_free_minutes, waiting_per_minute;
    int64_t cancel_free_minutes, cancel_assigned_percent, cancel_arrived_percent;
    int64_t cancel_late_minutes, cancel_late_percent; /* of what was made for later */
    /* Of what cannot be delivered: it goes back, for so much of what the way costs. */
    int64_t return_percent, return_per_km, return_per_minute;
};

/* ---- quotes ---- */

struct contact {
    struct str name, phone;
};
struct contact_of {
    struct contact *contact; /* NULL: none */
    struct str note;         /* for the stop; may be absent */
};

struct quote {
    int32_t vehicle;
    bool estimate; /* the route is not by road */
    int64_t distance_m, duration_s;
    int64_t pickup_eta_s; /* I64_ABSENT: nobody is free, or nobody knows */
    struct price price;
    struct terms terms;
    struct capacity capacity; /* as its tariff has it */
    struct str promo_unfit;   /* of the answer only: why the promo code is not for it */
    struct str polyline;      /* of the answer only, not kept */
};
/* Why a promo code is refused. It is for the decision to say, not for the handler: who asks again
 * with the same Idempotency-Key is answered as he was, also when the code is used up by now. */
struct promo_refusal {
    int32_t problem; /* enum problem */
    struct str why;
};
/* A class that is on offer and does not take the goods. */
struct unfit {
    int32_t vehicle;
    struct str reason;
};
struct quote_set {
    struct aggregate_head head;
    struct str customer_id;
    int64_t created_at_us, expires_at_us;
    struct place *stops;
    int32_t stop_count;
    struct quote *quotes; /* at most one for each class */
    int32_t quote_count;
    struct window *pickup_window; /* NULL: as soon as can be */
    bool waits;                   /* of the answer only: it is for later */
    /* Of a booking that is booked again: what is taken over where the new one does not say. */
    struct str again_of;         /* its id; absent: of none */
    struct contact_of *contacts; /* one for each stop */
    int32_t contact_count;
    struct str notes;
    int32_t payment;
    struct goods *goods; /* none: nothing was said */
    int32_t goods_count;
    struct str made_by;     /* the import or recurrence that it is for; absent: people */
    int32_t role;           /* of that: enum role, of whoever it is for */
    struct discount *promo; /* in those prices that have one; NULL: none was named */
    const struct promo_refusal *refused; /* of the answer only: instead of the quotes */
    struct unfit *unfit;                 /* of the answer only, not kept */
    int32_t unfit_count;
};

/* ---- bookings ---- */

/* What shows that goods changed hands at a stop. */
enum proof_kind {
    PROOF_NONE,
    PROOF_PIN,
    PROOF_PHOTO,
    PROOF_SIGNATURE,
    PROOF_NAME,
    PROOF_KIND_COUNT
};
extern const char *const proof_kind_names[];
#define PROOF(kind) (INT64_C(1) << (kind))

struct proof_file { /* no id: none */
    struct str id, sha256;
};
/* Of one stop: what must be shown before it is done, and what has been. */
struct stop_proof {
    int64_t required, given; /* PROOF() bits */
    struct str pin;          /* digits; absent: none is asked for */
    struct str secret;       /* of the stop's own link, which shows its PIN */
    int64_t tries;           /* wrong ones since the last pause */
    int64_t pause_until_us;  /* 0: none */
    int64_t changes;         /* times that something was given */
    struct str name;         /* of who took it; may be absent */
    struct proof_file photo, signature;
    int64_t at_us; /* of the last that was given; 0: nothing yet */
};
/* Cash at one stop; collect.h says by which rules. */
struct stop_cash {
    int64_t asked;     /* minor units, for the customer; 0: none */
    int64_t collected; /* all together; I64_ABSENT: not confirmed yet */
    int64_t fare;      /* of that: for the trip */
    int64_t fare_due;  /* the most that was due for the trip when it was confirmed; absent: from
                          before it was kept */
    int64_t changes;   /* times that it was confirmed, or put right */
    int64_t at_us;     /* when it was first confirmed; 0: not yet */
    struct str reason; /* why it was less */
};
struct booking_stop {
    struct place place;
    struct contact *contact;  /* NULL: none */
    struct str note;          /* for who comes there: code, floor, whom to ask for; may be absent */
    int32_t state;            /* enum stop_state */
    bool back;                /* the pickup once more: what could not be delivered comes back */
    struct stop_proof *proof; /* NULL: nothing is asked for, nothing was given */
    struct str reason;        /* why it failed; may be absent */
    struct stop_cash *cash;   /* NULL: none is asked for the customer, none was confirmed */
    /* By the driver's positions; 0: not. left_at_us is of the last time that he was there. */
    int64_t reached_at_us, left_at_us;
    int64_t since; /* the stops_revision at which it got its number; I64_ABSENT: it always had it */
};
/* Its driver, as he was when he took it. */
struct booking_driver {
    struct str id, user_id, name, phone, plate;
    double rating;       /* NAN: none yet */
    struct str offer_id; /* the one he accepted, or was given */
    int64_t free_at_us;  /* until about then he finishes another booking first; 0: this is his */
};
struct booking_offer {
    struct str id;
    struct booking_driver driver; /* of a wanted one only the ids */
    int64_t expires_at_us;
    int64_t pickup_distance_m, pickup_eta_s;
    bool
        wanted; /* a dispatcher's choice, waiting for the driver to be claimed; not his to accept */
    bool at_once;             /* its driver takes every offer: it never is open */
    struct str reason;        /* of a wanted one: why, in the dispatcher's words; may be absent */
    struct str by_id, by_key; /* of a wanted one: who wants it; absent: from before that was kept */
    int32_t by_role;          /* enum role */
};
struct closed_offer {
    struct str id, driver_id;
    int32_t reason; /* enum close_reason */
};
struct timeline_entry { /* its seq is its place + 1 */
    int64_t at_us;
    int32_t type;       /* enum entry_type */
    int32_t state;      /* enum booking_state, of the booking after it */
    int32_t actor_kind; /* enum role; ROLE_NONE: the system */
    struct str actor_id;
    int64_t stop;                   /* I64_ABSENT: of no stop */
    int64_t stars;                  /* I64_ABSENT: none */
    int64_t amount;                 /* of cash; I64_ABSENT: none */
    struct str reason;              /* may be absent */
    struct str driver_id, offer_id; /* may be absent */
    struct str proof;               /* JSON text: what was given; may be absent */
    struct str from; /* JSON text, of other stops: each one's number before, null of a new one */
    /* custody.h: absent from before there were chains. Of what was erased there is the seal, and
     * the salt no more. */
    struct str salt, seal, chain;
};
enum ledger_account {
    LEDGER_NONE,
    LEDGER_CUSTOMER,
    LEDGER_DRIVER,
    LEDGER_HOUSE,
    LEDGER_TAX,
    LEDGER_PROMO
};
extern const char *const ledger_account_names[];
enum ledger_code {
    LINE_NONE,
    LINE_CHARGE,
    LINE_EARNING,
    LINE_COMMISSION,
    LINE_TAX,
    LINE_DISCOUNT,
    LINE_CASH,
    LINE_FEE,
    LINE_COLLECTED
};
extern const char *const ledger_code_names[];
struct ledger_line {
    int64_t at_us;
    int32_t account, code; /* enum ledger_account, enum ledger_code */
    int64_t amount;        /* minor units; positive: to the good of the account */
};
struct rating {
    int64_t stars;
    struct str comment;
};
struct booking {
    struct aggregate_head head;
    struct str code, customer_id;
    int32_t state, vehicle, payment;
    bool estimate;
    struct booking_stop *stops;
    int32_t stop_count;
    struct goods *goods; /* none: nothing was said */
    int32_t goods_count;
    struct price price;
    int64_t distance_m, duration_s;
    int64_t earning;        /* minor units: the driver's part */
    struct discount *promo; /* of its price; NULL: none */
    struct terms terms;
    struct str notes;
    struct booking_driver *driver; /* NULL until assigned */
    struct booking_offer *offers;  /* open ones */
    int32_t offer_count;
    struct closed_offer *closed; /* oldest first */
    int32_t closed_count;
    struct timeline_entry *timeline;
    int32_t timeline_count;
    struct ledger_line *ledger; /* once it has ended */
    int32_t ledger_count;
    int64_t cancel_fee; /* I64_ABSENT: it was not cancelled */
    struct rating *rating;
    struct str reason; /* of a cancel or a failure */
    struct str secret; /* of the tracking link */
    int64_t created_at_us, updated_at_us, search_until_us;
    int64_t ended_at_us;          /* 0: not ended */
    struct window *pickup_window; /* NULL: as soon as could be */
    struct str *favourites;       /* drivers who are asked before others */
    int32_t favourite_count;
    int64_t dispatch_at_us; /* while scheduled: when a driver will be looked for, at the latest */
    int64_t remind_at_us;   /* while scheduled: when its customer is reminded; 0: no more */
    int64_t pickup_due_us;  /* what its driver's offer promised; 0: nobody knew, or from before */
    struct str made_by;     /* the import or recurrence that it is of; absent: somebody booked it */
    bool held;              /* it waits for a dispatcher's hand: dispatch does not look */
    int64_t stops_revision; /* how often its stops were changed; I64_ABSENT: from before that */
    int64_t fee_total; /* the most it cost while cancelling it was not free; I64_ABSENT: as now */
    int64_t
        fee_moved; /* what cancelling cost when it was given another time; I64_ABSENT: nothing */
};

extern const struct schema quote_set_schema, booking_schema;
extern const struct aggregate quote_aggregate, booking_aggregate;
extern const struct store_collection quote_collection, booking_collection;

/* Keys of the booking collection's index "phase": the open ones together, each final state alone.
 */
#define PHASE_OPEN "open"

/* Key of the indexes "customer_id" and "driver_id" for the open bookings of OWN_ID, a customer's or
 * a driver's; the bare id is for those that have ended. So both are counted and listed without
 * looking through the other, by one index that costs no more than it would without the difference.
 * What an older version has written of a driver lies under the bare id while it is open, too, until
 * it is written again (open.c). */
struct str booking_open_key(struct arena *a, struct str own_id);

static inline bool booking_is_final(int32_t state) {
    return state >= BOOKING_DELIVERED;
}
/* May still be offered and assigned? */
static inline bool booking_is_searching(int32_t state) {
    return state == BOOKING_REQUESTED || state == BOOKING_OFFERED;
}
/* Has it a driver who has not picked up yet? Then it may be another's. */
static inline bool booking_may_change_hands(int32_t state) {
    return state == BOOKING_ASSIGNED || state == BOOKING_ARRIVED_PICKUP;
}
/* On the way to one of its stops? */
static inline bool booking_is_under_way(int32_t state) {
    return state == BOOKING_ASSIGNED || state == BOOKING_PICKED_UP || state == BOOKING_RETURNING;
}
/* Is its driver at one of them? */
static inline bool booking_is_at_stop(int32_t state) {
    return state == BOOKING_ARRIVED_PICKUP || state == BOOKING_ARRIVED_DROPOFF ||
           state == BOOKING_ARRIVED_RETURN;
}
/* Do goods that cannot be delivered go back, by what was agreed? */
static inline bool booking_returns(const struct booking *b) {
    return b->terms.return_percent != I64_ABSENT && b->terms.tariff_version > 0;
}
/* Is there something in the vehicle that could not be delivered? */
bool booking_owes_return(const struct booking *b);
/* The stops of the trip that was booked: all but the way back. */
int32_t booking_trip_stops(const struct booking *b);
/* The first stop that is neither done nor failed; stop_count when there is none. */
int32_t booking_next_stop(const struct booking *b);
/* Does its driver, who has not begun it, finish another booking first? */
static inline bool booking_waits(const struct booking *b) {
    return b->state == BOOKING_ASSIGNED && b->driver != NULL && b->driver->free_at_us != 0;
}
/* What stop I still lacks before it can be done: PROOF() bits. */
int64_t booking_proof_missing(const struct booking *b, int32_t i);
/* How often its stops were changed. */
static inline int64_t booking_stops_revision(const struct booking *b) {
    return b->stops_revision != I64_ABSENT ? b->stops_revision : 0;
}
/* The state that the driver's positions suggest to say next, or BOOKING_NONE. */
int32_t booking_suggested(const struct booking *b);
/* The open offer ID, or -1. */
int32_t booking_offer_index(const struct booking *b, struct str id);
const struct closed_offer *booking_closed(const struct booking *b, struct str id); /* or NULL */

#endif
