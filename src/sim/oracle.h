/* What the oracle knows: a shadow of everything durable, made from the commits alone, and what
 * people have been told. Inside the oracle's files only. All memory is the run's arena.
 */
#ifndef LORRY_SIM_ORACLE_H
#define LORRY_SIM_ORACLE_H

#include "events/events.h"
#include "sim/sim.h"

#define SHADOW_OFFERS_MAX 16
#define SHADOW_COUNTS 9 /* of what reports count: oracle_report.c */
#define SHADOW_HOLDS_MAX 200
#define SHADOW_KINDS 17 /* of notifications: sim_kinds */
#define SHADOW_STOPS_MAX 21

struct shadow_doc { /* of any collection */
    int64_t version;
    bool over;  /* of a search or a journey: it may go */
    char key[]; /* "collection/id" */
};
struct shadow_offer {
    char id[ID_TEXT_MAX], driver_id[ID_TEXT_MAX];
    int64_t expires_at_us;
    bool wanted;
};
struct shadow_place { /* of a booking's stop */
    int32_t lat_e7, lng_e7;
    bool pending; /* nobody has come to it yet */
    bool over;
    uint64_t note; /* 0: none */
};
struct shadow_booking {
    bool imported; /* it is of an import */
    char id[ID_TEXT_MAX], customer_id[ID_TEXT_MAX];
    char driver_id[ID_TEXT_MAX], driver_user_id[ID_TEXT_MAX], offer_id[ID_TEXT_MAX];
    int32_t state;
    int64_t weight_g; /* of its goods */
    int64_t discount;
    bool returns;       /* what cannot be delivered is to come back */
    char promo[48];     /* id of its code; "": none */
    int64_t cash_taken; /* by its ledger */
    int64_t version, earning, total, tariff, earned, search_until_us;
    int64_t pickup_from_us, pickup_to_us; /* 0: as soon as can be */
    struct shadow_offer offers[SHADOW_OFFERS_MAX];
    int32_t offer_count;
    char pins[SHADOW_STOPS_MAX][8]; /* of each stop; "": none */
    struct shadow_place stops[SHADOW_STOPS_MAX];
    int32_t stop_count;
    int64_t stops_revision;
    int32_t entries; /* of its timeline */
    char chain[48];  /* of the last of them */
    /* by version: how often it was put into each inbox */
    uint8_t *to_customer, *to_driver, *to_staff;
    int64_t versions_cap;
    int64_t counts[SHADOW_COUNTS]; /* what it has added to `happened` */
    const char **driver_at;        /* by version: its driver's user, or NULL */
    int64_t driver_cap;
    int32_t losses, losses_told; /* of a driver: that there were, and that he was told of */
    struct shadow_booking *next;
};
struct shadow_driver {
    char id[ID_TEXT_MAX], booking_id[ID_TEXT_MAX], offer_id[ID_TEXT_MAX];
    bool claimed, active;
    char next_booking[ID_TEXT_MAX], next_offer[ID_TEXT_MAX];
    bool has_next, next_active; /* what he does after that, or is asked to do */
    bool busy, on_duty;
    bool approved, suspended;
    int64_t paper_end_us; /* of the approved document that expires first; 0: none does */
    int64_t shift_end_us; /* 0: none */
    struct str vehicle;   /* the id and the plate of the one in use; absent: none */
    int64_t newest_fix_us;
    int64_t capacity_kg; /* of his vehicle; 0: he has none */
    int64_t earned, earnings_kept;
    int64_t cash[CASH_ACCOUNT_COUNT], entered[CASH_ACCOUNT_COUNT]; /* his book; its entries */
    int64_t cash_taken;                                            /* of those: at stops */
    struct map fixes; /* the bytes of the time → shadow_fix */
    struct shadow_driver *next;
};
struct shadow_fix {
    int64_t at_us;
    int32_t lat_e7, lng_e7;
    int64_t accuracy_cm; /* -1: not told */
    bool late;           /* it came when those around it may have been simplified already */
};
struct shadow_stop { /* of a journey */
    int32_t lat_e7, lng_e7;
    bool told;                           /* that he has come, and not that he has left */
    int64_t told_us;                     /* of the fix that the newest word is about */
    int64_t shown_us, early_us, late_us; /* 0: nothing is shown */
};
struct shadow_journey {
    char id[ID_TEXT_MAX], driver_id[ID_TEXT_MAX];
    int64_t begun_us, through_us;
    int64_t changes; /* of what is shown, since it was pushed */
    struct shadow_stop stops[SHADOW_STOPS_MAX], before[SHADOW_STOPS_MAX];
    int32_t stop_count;
};
struct shadow_entry {
    bool exists;
    uint64_t frame_hash; /* 0: nobody has been sent it */
    struct shadow_booking *booking;
    int64_t version;
};
struct stream {
    char name[ID_TEXT_MAX];
    int64_t newest;
    struct shadow_entry *entries; /* by seq */
    int64_t cap;
};
struct shadow_event {
    char id[ID_TEXT_MAX];
    bool confirmed, removed;
};
struct shadow_letter { /* of deliveries */
    char id[ID_TEXT_MAX], user_id[ID_TEXT_MAX], kind[40];
    bool pending, sent, taken;
    struct shadow_letter *next;
};
struct shadow_due { /* an event that the office's webhook is to be told of */
    char event_id[ID_TEXT_MAX], type[40];
    struct shadow_due *next;
};
struct shadow_promise { /* what somebody is to be told of, if he wants to */
    char user_id[ID_TEXT_MAX];
    int64_t happened[SHADOW_KINDS];
};
struct shadow_report { /* a day of a class and a zone */
    int64_t counts[SHADOW_COUNTS];
};
struct shadow_promo {
    char id[48];
    int64_t used, uses_max, customer_max;
    char holds[SHADOW_HOLDS_MAX][ID_TEXT_MAX]; /* bookings */
    int32_t hold_count, open;                  /* open: not settled yet */
    struct shadow_promo *next;
};
struct shadow_blob { /* that a proof names */
    char sha256[BLOB_NAME_LEN + 1], booking_id[ID_TEXT_MAX];
    struct shadow_blob *next;
};
struct shadow_note { /* of the audit log */
    char id[ID_TEXT_MAX];
    struct shadow_note *next;
};
#define SHADOW_ROWS_MAX 8
enum shadow_row {
    SHADOW_ROW_NONE,
    SHADOW_ROW_WAITING,
    SHADOW_ROW_ORDERED,
    SHADOW_ROW_BOOKED,
    SHADOW_ROW_REFUSED /* failed, or its import was stopped before */
};
struct shadow_import {
    char id[ID_TEXT_MAX];
    bool ended;
    enum shadow_row rows[SHADOW_ROWS_MAX + 1]; /* by their number, from 1 */
    int32_t bookings[SHADOW_ROWS_MAX + 1];     /* that say they are of it */
    struct shadow_import *next;
};
#define SHADOW_DAYS_MAX 16
struct shadow_day { /* of a recurrence */
    char date[16], booking_id[ID_TEXT_MAX];
    int64_t from_us, total;
    bool refused, was_refused; /* held, or has failed; before this change */
    int32_t bookings;          /* that are of it */
};
struct shadow_recurrence {
    char id[ID_TEXT_MAX];
    bool ended;
    struct shadow_day days[SHADOW_DAYS_MAX];
    int32_t count, booked;
    struct shadow_recurrence *next;
};
struct shadow_outbox { /* of a node, by seq */
    struct shadow_event *events;
    int64_t cap, next_seq, rows;
};
struct shadow_chained { /* an offer that was made to somebody busy */
    char offer_id[ID_TEXT_MAX];
    bool over; /* it has become his present one, or was let go */
};
struct shadow_answer {
    uint64_t body_hash, answer_hash;
    int32_t status;
    bool empty;
    char key[];
};

struct oracle {
    struct sim *sim;
    struct json_parser *parser;
    struct map docs; /* → shadow_doc */
    struct map bookings, drivers, streams;
    struct map dedupes; /* → their own keys */
    struct map answers; /* → shadow_answer */
    struct shadow_booking *first_booking;
    struct shadow_driver *first_driver;
    struct shadow_outbox outboxes[SIM_NODES_MAX];
    int64_t open_bookings;
    struct shadow_note *first_note;
    struct map promos; /* → shadow_promo */
    struct shadow_promo *first_promo;
    struct shadow_blob *first_blob;
    struct map imports; /* → shadow_import */
    struct shadow_import *first_import;
    struct map recurrences; /* → shadow_recurrence */
    struct shadow_recurrence *first_recurrence;
    struct map letters; /* → shadow_letter */
    struct shadow_letter *first_letter;
    char webhook_id[ID_TEXT_MAX];
    int64_t webhook_from_us; /* it is told of everything from then on; 0: there is none */
    struct map told;         /* → shadow_letter, by the event that the webhook was told of */
    struct shadow_due *first_due;
    struct map journeys; /* → shadow_journey */
    struct map chained;  /* → shadow_chained, by offer */
    struct map promises; /* → shadow_promise, by user */
    struct map reports;  /* → shadow_report */
    int64_t happened[SHADOW_COUNTS], reported[SHADOW_COUNTS];
};

struct shadow_booking *shadow_booking(struct oracle *o, struct str id); /* NULL: unknown */
struct shadow_driver *shadow_driver(struct oracle *o, struct str id);   /* made when new */
/* The version of a document as it is durable now; 0: it is not there. */
int64_t shadow_version(struct oracle *o, const char *collection, struct str id);

/* By collection: CHANGE is durable. */
void oracle_webhook(struct oracle *o, const struct store_change *change); /* oracle_webhook.c */
void oracle_webhook_due(struct oracle *o, const struct event *e);         /* E is durable */
void oracle_webhook_told(struct oracle *o, struct str webhook_id, struct str event_id,
                         struct shadow_letter *l);
void oracle_webhook_verdict(struct sim *sim);
void oracle_booking(struct oracle *o, const struct store_change *change); /* oracle_booking.c */
void oracle_driver(struct oracle *o, const struct store_change *change);  /* oracle_driver.c */
void oracle_trail(struct oracle *o, const struct store_change *change);   /* oracle_driver.c */
void oracle_track(struct oracle *o, const struct store_change *change);
void oracle_cash_book(struct oracle *o, struct json_value root, struct shadow_driver *d);
void oracle_cash_entry(struct oracle *o, const struct store_change *change);
void oracle_cash_booking(struct json_value root, struct shadow_booking *b);
void oracle_cash_verdict(struct oracle *o);
void oracle_earnings(struct oracle *o, const struct store_change *change); /* oracle_driver.c */
void oracle_delivery(struct oracle *o, const struct store_change *change); /* oracle_mail.c */
void oracle_promo(struct oracle *o, const struct store_change *change);    /* oracle_promo.c */
void oracle_promo_taken(struct oracle *o, const struct shadow_booking *b); /* B is new */
bool oracle_promo_settled(struct oracle *o, struct str *ret_why);
void oracle_promo_verdict(struct oracle *o);
void oracle_import(struct oracle *o, const struct store_change *change); /* oracle_import.c */
/* B is new, as ROOT says. */
void oracle_imported(struct oracle *o, struct json_value root, struct shadow_booking *b);
bool oracle_imports_settled(struct oracle *o, struct str *ret_why);
void oracle_imports_verdict(struct oracle *o);
/* Were B's stops changed as they may be? oracle_stops.c */
void oracle_stops(struct oracle *o, const struct shadow_booking *old, struct shadow_booking *b,
                  struct json_value root);
/* BOOKING, as P sees it in an answer; FRESH: which was made just now. oracle_people.c */
void oracle_people(struct sim *sim, const struct person *p, struct json_value booking, bool fresh);
/* VIEW of B, as it is laid into S. */
void oracle_people_kept(struct oracle *o, const struct stream *s, const struct shadow_booking *b,
                        struct json_value view);
void oracle_no_number(struct sim *sim, const struct sim_call *c);
/* Does J, as ROOT says, go where its booking does? */
void oracle_journey_stops(struct oracle *o, const struct shadow_journey *j, struct json_value root);
void oracle_recurrence(struct oracle *o,
                       const struct store_change *change); /* oracle_recurrence.c */
void oracle_recurred(struct oracle *o, struct json_value root, const struct shadow_booking *b);
bool oracle_recurrences_settled(struct oracle *o, struct str *ret_why);
void oracle_recurrences_verdict(struct oracle *o);
void oracle_proofs(struct oracle *o, struct json_value root, struct shadow_booking *b);
void oracle_custody(struct oracle *o, struct json_value root, struct shadow_booking *b);
/* Is what proofs name still there? oracle_proof.c */
void oracle_proof_verdict(struct sim *sim);
/* E, of B, is durable. oracle_mail.c */
void oracle_promised(struct oracle *o, const struct event *e, const struct shadow_booking *b);
/* Is nothing waiting to be sent? And when all has settled: has each been told? */
bool oracle_mail_settled(struct oracle *o, struct str *ret_why);
void oracle_mail_verdict(struct sim *sim);
void oracle_journey(struct oracle *o, const struct store_change *change); /* oracle_journey.c */
/* NULL: it is not durable. */
const struct shadow_fix *shadow_fix(struct oracle *o, struct str driver_id, int64_t at_us);
void oracle_inbox(struct oracle *o, const struct store_change *change); /* oracle_inbox.c */
void oracle_unseen(struct oracle *o, struct shadow_booking *b); /* nobody is told its version */
/* oracle_report.c: a booking is now what ROOT says; a day of the reports was written; and when all
 * has settled. */
void oracle_counted(struct oracle *o, struct json_value root, struct shadow_booking *b);
void oracle_report(struct oracle *o, const struct store_change *change);
void oracle_reports_verdict(struct oracle *o);

/* When all has settled: reads it through the API. audit.c */
void oracle_audit(struct sim *sim);

#endif
