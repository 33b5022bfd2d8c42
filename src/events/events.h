/* The events: the only thing services know of each other. Version 1 of each; fields may be added,
 * never renamed. Each struct's schema is what travels as `data` (JSON). Event type names are the
 * constants below; `key` of an event is the booking's (or user's, driver's) id.
 *
 *   account.*   auth          → driver (profile); that one is erased: auth, booking, driver,
 *                               notification
 *   audit.*     all           → auth (the audit log; written by decision_audit, runtime/audit.h)
 *   mail.*      auth          → notification (sends it)
 *   webhook.*   notification  → notification (one that fails is disabled, its owner told)
 *   session.*   auth          → auth (every process forgets what it may still believe of a token)
 *   booking.*   booking       → driver (claims, dispatch, earnings), notification (pushes),
 *                               booking (reports; what imports and recurrences order)
 *   import.*    booking       → notification (pushes)
 *   recurrence.*  booking     → notification (pushes; mail of what could not be booked)
 *   dispatch.*  driver        → booking (offers), driver itself (claims)
 *   driver.*    driver        → booking (offers, reports); driver.notice → notification
 *   file.*      all           → files (lets go of what nothing names any more)
 *   tracking.*  driver        → booking (its timeline): what positions say of a stop
 *   alert.*     driver        → notification (GET /v1/alerts): what needs somebody
 */
#ifndef LORRY_EVENTS_EVENTS_H
#define LORRY_EVENTS_EVENTS_H

#include "base/id.h"
#include "base/units.h"
#include "json/schema.h"

/* ---- auth ---- */
#define EV_ACCOUNT_REGISTERED "account.registered" /* struct ev_account */
#define EV_ACCOUNT_CHANGED "account.changed" /* struct ev_account: name, phone, role, disabled */
#define EV_SESSION_ENDED "session.ended"     /* struct ev_session: tokens of it are void */
struct ev_account {
    struct str user_id, name, phone, email;
    int32_t role; /* enum role */
    bool disabled;
};
#define EV_ACCOUNT_ERASED                                                                          \
    "account.erased" /* struct ev_erased: each service forgets who he was (runtime/eraser.h) */
struct ev_erased {
    struct str user_id;
    int32_t role;        /* enum role: which he had */
    struct str email_id; /* of the reservation of his e-mail, which says nothing of it */
};
struct ev_session {
    struct str user_id;
    struct str sid;  /* absent: all sessions of the user */
    struct str kept; /* of all sessions this one goes on; absent: none does */
};

/* ---- audit: what somebody did by his office ---- */
#define EV_AUDIT_RECORDED                                                                          \
    "audit.recorded" /* struct ev_audit; the log's entry has its id's ULID                         \
                      */
struct ev_audit {
    struct str actor_id; /* absent: nobody signed in (source says who) */
    int32_t actor_role;  /* enum role */
    int32_t source;      /* enum audit_source */
    struct str action;   /* "user.changed": what was done to which kind of thing */
    struct str subject_id;
    struct str key_id;        /* the API key that it came with; absent: none */
    struct str before, after; /* JSON text of the members that changed; absent: made, removed */
    struct str reason;
};
enum audit_source { AUDIT_NONE, AUDIT_API, AUDIT_SHELL, AUDIT_SYSTEM };
extern const char *const audit_source_names[];

/* ---- notification ---- */
/* A message to an address, of whoever wants one sent: it is kept, tried again and given up by the
 * notification service. Its Message-ID follows from the event's id. */
#define EV_MAIL_WANTED "mail.wanted" /* struct ev_mail; key: the user's id */
struct ev_mail {
    struct str user_id, to; /* TO may be an address that is not the account's (yet, any more) */
    struct str template;    /* "verify_email", "reset_password", …: notification/words.c */
    struct str language;    /* "sv"; absent: English */
    struct str name;        /* of whom it speaks to */
    struct str code, link;  /* what the template shows; absent: it leaves it out */
    int64_t expires_at_us;  /* not sent after it; 0: two days */
};

#define EV_WEBHOOK_EXHAUSTED                                                                       \
    "webhook.exhausted"                        /* a message was given up: webhook_id, since, gone */
#define EV_WEBHOOK_DISABLED "webhook.disabled" /* all: its owner is told */
struct ev_webhook {
    struct str webhook_id, owner_id, url;
    bool all;         /* it hears of everybody's bookings */
    int64_t since_us; /* when the message was made */
    bool gone;        /* the receiver has said so */
};

/* ---- booking ---- one struct for all; which members are filled is said beside each type ---- */
#define EV_BOOKING_REQUESTED                                                                       \
    "booking.requested" /* stops, vehicle, earning, search_until: dispatch may begin */
#define EV_BOOKING_OFFERED "booking.offered" /* offer: recorded and shown to its driver */
#define EV_BOOKING_OFFER_CLOSED                                                                    \
    "booking.offer_closed" /* offer with reason: declined, timed_out, withdrawn,                   \
                              accepted_elsewhere; the claim is to be released */
#define EV_BOOKING_ASSIGN_WANTED                                                                   \
    "booking.assign_wanted" /* offer (driver_id, id, manual): a dispatcher's choice */
#define EV_BOOKING_ASSIGNED                                                                        \
    "booking.assigned" /* driver, offer: the claim becomes the active booking */
#define EV_BOOKING_UNASSIGNED                                                                      \
    "booking.unassigned" /* offer: of the driver who had it, with reason (unassigned, released,    \
                            reassigned) and why; stops. Its state says whether it is looked for    \
                            again; a new driver comes with the same version's booking.assigned */
#define EV_BOOKING_PROGRESSED                                                                      \
    "booking.progressed" /* arrived_pickup … delivered of a stop that is not the last */
#define EV_BOOKING_DELIVERED "booking.delivered"     /* driver, earning: final */
#define EV_BOOKING_CANCELLED "booking.cancelled"     /* driver if there was one; final */
#define EV_BOOKING_EXPIRED "booking.expired"         /* final */
#define EV_BOOKING_FAILED "booking.failed"           /* driver; final */
#define EV_BOOKING_PROOF "booking.proof_given"       /* of a stop */
#define EV_BOOKING_PIN_REFUSED "booking.pin_refused" /* a wrong PIN was tried at a stop */
#define EV_BOOKING_STOP_FAILED                                                                     \
    "booking.stop_failed" /* driver; the goods of a stop stay with him. What is left comes next:   \
                             other stops, or (returning, with stops) the way back */
#define EV_BOOKING_RETURNED "booking.returned" /* driver, earning: final */
#define EV_BOOKING_STOPS_CHANGED                                                                   \
    "booking.stops_changed" /* stops, earning; driver if there is one: other drop-offs than        \
                               before. Open offers are closed with it */
#define EV_BOOKING_NOTE_CHANGED "booking.note_changed" /* for a stop; driver if there is one */
#define EV_BOOKING_RATED "booking.rated"               /* driver, stars */
#define EV_BOOKING_SCHEDULED "booking.scheduled"     /* made for later: booking.requested follows */
#define EV_BOOKING_RESCHEDULED "booking.rescheduled" /* for another time than before */
#define EV_BOOKING_REMINDED "booking.reminded"       /* its time is near */
#define EV_BOOKING_COLLECTED                                                                       \
    "booking.collected" /* cash was taken at a stop, or what was said of it is put right: money */
#define EV_BOOKING_COUNTED                                                                         \
    "booking.counted" /* figures, of a change that none of the above tells of */
#define EV_BOOKING_CLAIM_HOLDS                                                                     \
    "booking.claim_holds" /* as booking.assigned, once more and for his claim alone, which asked:  \
                             people are not told */
#define EV_BOOKING_DRIVER_FREE                                                                     \
    "booking.driver_free" /* its driver has finished what he had before it, and begins */
#define EV_BOOKING_REACHED "booking.reached" /* the driver's positions say that he is there … */
#define EV_BOOKING_LEFT "booking.left"       /* … and that he has left */

/* ---- booking, to itself: what an import or a recurrence wants booked (services/booking/order.h);
 * key: the booking's id ---- */
#define EV_BOOKING_ORDERED "booking.ordered"
#define EV_STANDING_ASKED                                                                          \
    "standing.asked" /* struct ev_of_user: its customer may have been erased meanwhile */
#define EV_RECURRENCE_STOPPED                                                                      \
    "recurrence.stopped" /* struct ev_of_user: its customer's account is disabled */
struct ev_of_user {
    struct str user_id;
    int64_t since_us; /* 0: whenever */
};
extern const struct schema ev_of_user_schema;

/* ---- imports and recurrences, to whoever they are of ---- */
#define EV_IMPORT_UPDATED "import.updated" /* struct ev_told; key: the import's id */
struct ev_told {
    struct str user_id;
    int32_t role;    /* enum role: staff are told together */
    struct str view; /* JSON text: as its GET shows it */
};
extern const struct schema ev_told_schema;
#define EV_RECURRENCE_UPDATED "recurrence.updated" /* struct ev_told; key: the recurrence's id */
#define EV_RECURRENCE_FAILED                                                                       \
    "recurrence.failed" /* struct ev_not_booked: one of its days could not be booked */
struct ev_not_booked {
    struct str user_id;
    int32_t role; /* enum role, of whoever is told */
    struct str recurrence_id, name;
    struct str date;           /* "2026-12-07" */
    struct str reason, detail; /* a word (booking: recurrence.h), and in people's words */
    int64_t from_us, to_us;    /* when it was to be fetched */
};
extern const struct schema ev_not_booked_schema;

/* ---- booking, to itself: a promo code's use (services/booking/promo.h); key: the code ---- */
#define EV_PROMO_TAKEN "promo.taken"           /* a booking with it is made */
#define EV_PROMO_GIVEN_BACK "promo.given_back" /* its booking was cancelled, or has expired */
#define EV_PROMO_USED "promo.used"             /* the customer's document knows it */
#define EV_PROMO_FREED "promo.freed"           /* … and that it was given back */
struct ev_promo {
    struct str code, booking_id, customer_id;
};

struct ev_point {
    int32_t lat_e7, lng_e7;
    struct str address;
};
/* How goods want to be handled. */
enum handling {
    HANDLING_NONE,
    HANDLING_FRAGILE,
    HANDLING_UPRIGHT,
    HANDLING_COLD,
    HANDLING_DRY,
    HANDLING_TWO_PEOPLE,
    HANDLING_TAIL_LIFT,
    HANDLING_COUNT
};
extern const char *const handling_names[]; /* [0] NULL, "fragile", …, NULL */
/* What is to be carried, all together; 0: nothing is known of it. */
struct ev_load {
    int64_t weight_g, volume_cm3, pieces;
    struct str *handling;
    int32_t handling_count;
};
/* Accounts of a driver's book (services/driver/cash.h). */
enum cash_account {
    CASH_NONE,
    CASH_HELD,       /* cash that he has */
    CASH_CUSTOMERS,  /* taken for customers, who are owed it */
    CASH_FARES,      /* what trips cost, and what was taken for them */
    CASH_EARNINGS,   /* his part of it */
    CASH_COMMISSION, /* the house's */
    CASH_TAX,
    CASH_DISCOUNTS, /* what promo codes took off, which the house bears */
    CASH_TILL,      /* what he has handed in, less what he was paid */
    CASH_ACCOUNT_COUNT
};
extern const char *const cash_account_names[]; /* [0] NULL, "held", …, NULL */
/* What a change adds to the accounts, minor units: assets positive, debts negative, so that they
 * always add up to zero. [CASH_NONE] is of no use. */
struct cash_lines {
    int64_t amount[CASH_ACCOUNT_COUNT];
};
extern const struct schema cash_lines_schema;

struct ev_offer {
    struct str id, driver_id, driver_user_id;
    int64_t expires_at_us;
    int64_t pickup_distance_m, pickup_eta_s;
    int64_t free_at_us; /* until about then he finishes another booking; 0: he is free */
    struct str reason;  /* of a close */
    struct str why;     /* in people's words */
    bool manual;        /* a dispatcher's assignment: no accept needed */
    bool at_once;       /* taken on his behalf */
};
struct ev_booking {
    struct str booking_id;
    int64_t version;
    int32_t state; /* enum booking_state below */
    struct str customer_id;
    int32_t vehicle;
    struct ev_point *stops;
    int32_t stop_count;
    struct ev_load *load; /* where the stops are; NULL: nothing was said */
    struct str currency;
    int64_t earning;       /* minor units: the driver's part */
    int64_t gross, earned; /* once it has ended: what driver and house share, and the driver's part;
                              also of a cancellation that costs something */
    int64_t cash;          /* what its driver is to take at its stops, all together; 0: nothing */
    struct cash_lines *money; /* what the change is to the book of its driver; NULL: nothing */
    int64_t money_stop;       /* of cash that was taken: where; I64_ABSENT: of no stop */
    int64_t search_until_us;
    bool in_bulk;   /* made by an import: nobody wants a mail for each */
    bool held;      /* a dispatcher will choose: nobody is to be looked for */
    bool goes_back; /* after the last stop that there is now, goods are to be brought back */
    struct str *favourites; /* when it is requested: drivers to be asked before others */
    int32_t favourite_count;
    struct str driver_id, driver_user_id; /* once assigned */
    struct ev_offer *offer;
    int64_t stars;
    int64_t pickup_until_us; /* of one that was made for later: the end of its window; 0: none */
    int64_t next_stop;  /* the first that is neither done nor failed; I64_ABSENT: from before it was
                           told */
    int32_t actor_kind; /* enum role; ROLE_NONE: the system */
    struct str actor_id;
    bool again;      /* its version went with an event before it: inboxes have it from there */
    struct str view; /* JSON text: the booking as GET /v1/bookings/{id} shows it to its customer */
    struct str figures; /* JSON text: what the reports count more by this change */
};

/* States of a booking, everywhere the same. 0 is absent. */
enum booking_state {
    BOOKING_NONE,
    BOOKING_SCHEDULED, /* for later: nobody is looked for yet */
    BOOKING_REQUESTED,
    BOOKING_OFFERED,
    BOOKING_ASSIGNED,
    BOOKING_ARRIVED_PICKUP,
    BOOKING_PICKED_UP,
    BOOKING_ARRIVED_DROPOFF,
    BOOKING_RETURNING, /* what could not be delivered is on its way back to the pickup */
    BOOKING_ARRIVED_RETURN,
    BOOKING_DELIVERED,
    BOOKING_CANCELLED,
    BOOKING_EXPIRED,
    BOOKING_FAILED,
    BOOKING_RETURNED,
    BOOKING_STATE_COUNT
};
extern const char *const booking_state_names[]; /* [0] NULL, "scheduled", …, NULL */

/* ---- driver service ---- */
#define EV_DISPATCH_CLAIM                                                                          \
    "dispatch.claim" /* to the driver aggregate: claim yourself for this booking */
#define EV_DISPATCH_OFFERED                                                                        \
    "dispatch.offered" /* the driver is claimed: booking may record the offer */
#define EV_DISPATCH_REFUSED "dispatch.refused" /* he could not be claimed (reason) */
#define EV_DRIVER_DROPPED                                                                          \
    "driver.offer_dropped" /* he went off duty or was suspended with an offer open; or what he was \
                              to do next will not be done by him (reason) */
#define EV_DRIVER_NEXT_BEGUN                                                                       \
    "driver.next_begun" /* his present booking has ended: this one is what he does, or is asked */
#define EV_DRIVER_CLAIM_STALE                                                                      \
    "driver.claim_stale" /* a claim is older than its offer can be: booking answers with           \
                            offer_closed or assigned again */
#define EV_DRIVER_NOTICE                                                                           \
    "driver.notice" /* struct ev_notice: something that the driver is to be told */
struct ev_notice {
    struct str driver_id, user_id, name;
    struct str kind; /* "shift_begins", "shift_ended", "document_expires", …: driver service */
    int64_t at_us;   /* the moment it is about; 0: none */
    struct str document; /* of a document: what kind it is */
    struct str reason;
    int64_t days;    /* until AT; I64_ABSENT: not said */
    struct str when; /* AT in words, by the clock of the area: "2026-12-31", "08:00" */
    int64_t amount;  /* of cash; I64_ABSENT: none */
    struct str currency;
    bool office;      /* all staff are told, too … */
    bool office_only; /* … and he is not */
};
struct ev_claim {
    struct str booking_id, offer_id, driver_id, driver_user_id;
    struct str driver_name, driver_phone, plate;
    int32_t vehicle;
    double rating; /* NAN: none yet */
    int64_t pickup_distance_m, pickup_eta_s;
    bool manual;
    bool at_once; /* he takes every offer: no answer of his is waited for */
    struct str reason;
    struct str after; /* it comes after this one, which he still carries; absent: he is free … */
    int64_t free_at_us; /* … when that is likely to have ended; 0: he is free */
    /* of the offer, so that the driver's own aggregate can show it */
    struct ev_point *pickup, *dropoff;
    int64_t stop_count, earning;
    int64_t cash; /* that he would take at its stops; 0: none */
    struct str currency;
    struct ev_load *load; /* NULL: nothing was said of it */
};

/* ---- the driver service, to itself: settlements of a driver's cash book; key: his id ---- */
#define EV_CASH_SETTLED "cash.settled"   /* struct ev_cash: his balances have it */
#define EV_CASH_REVERSED "cash.reversed" /* the entry it reverses has it */
enum cash_kind {
    KIND_NONE,
    KIND_COLLECTED,
    KIND_DELIVERED,
    KIND_CANCELLED,
    KIND_HANDED_IN,
    KIND_KEPT,
    KIND_PAID_OUT,
    KIND_REVERSED
};
extern const char *const cash_kind_names[]; /* [0] NULL, "collected", …, NULL */
struct ev_cash {
    struct str entry_id, driver_id, user_id; /* "cse_…" */
    int32_t kind;                            /* enum cash_kind */
    struct str currency;
    struct cash_lines lines;
    struct str by, reason, reference, reverses; /* of a settlement; may be absent */
    int64_t at_us;                              /* of what came of a booking; 0: the event's */
    struct str booking_id, customer_id;         /* … */
    int64_t stop;                               /* I64_ABSENT: of none */
};
extern const struct schema ev_cash_schema;

/* ---- files ---- */
/* Written with the change that drops the name of an attached file (ports/files.h); key: the file's
 * id. */
#define EV_FILE_RELEASED "file.released" /* struct ev_file */
struct ev_file {
    struct str file_id;
    struct str subject; /* what it was attached to */
};

/* ---- where he is, and what of that needs somebody ---- */
#define EV_TRACKING_REACHED "tracking.reached" /* struct ev_tracking; key: the booking's id */
#define EV_TRACKING_LEFT "tracking.left"
struct ev_tracking {
    struct str booking_id, driver_id;
    int64_t stop;
    int64_t at_us;          /* by his fixes */
    int32_t lat_e7, lng_e7; /* of the stop: another may have its number by now; DEG7_ABSENT: from
                               before that was said */
};

#define EV_ALERT_RAISED "alert.raised" /* struct ev_alert; key: the booking's id */
#define EV_ALERT_CLEARED "alert.cleared"
#define EV_ALERT_ACKNOWLEDGED "alert.acknowledged" /* by somebody of the staff */
enum alert_kind { ALERT_NONE, ALERT_UNASSIGNED, ALERT_LATE, ALERT_STALE, ALERT_OFF_ROUTE };
extern const char *const alert_kind_names[]; /* [0] NULL, "unassigned", …, NULL */
/* Of one booking and kind, the one with the higher number is newer. Numbers: I64_ABSENT: none. */
struct ev_alert {
    struct str booking_id, driver_id;
    int32_t kind; /* enum alert_kind */
    int64_t number, at_us, stop;
    int64_t eta_us, promised_us; /* late */
    int64_t distance_m;          /* off_route: from the way that was planned */
    int64_t seen_us;             /* stale: his newest fix */
    bool over; /* unassigned: nobody is looked for any more, so nothing will clear it */
};

extern const struct schema ev_tracking_schema, ev_alert_schema;
extern const struct schema ev_account_schema, ev_session_schema, ev_audit_schema, ev_booking_schema,
    ev_claim_schema, ev_load_schema, ev_promo_schema;
extern const struct schema ev_notice_schema, ev_mail_schema, ev_webhook_schema, ev_file_schema;

#define EV_DRIVER_SHIFT                                                                            \
    "driver.shift" /* struct ev_shift: he was on duty until the event's time                       \
                    */
struct ev_shift {
    struct str driver_id;
    int32_t vehicle;
    int64_t since_us;
};
extern const struct schema ev_shift_schema, ev_erased_schema;

/* ---- signals: newest counts, may be lost ----
 * C structs as they lie in memory: replicas run on machines of one kind. A struct that changes gets
 * another topic, so that replicas of two builds do not misread each other. */
#define SIGNAL_POSITION "position" /* struct signal_position */
struct signal_position {
    char driver_id[ID_TEXT_MAX];
    char booking_id[ID_TEXT_MAX]; /* "" when free */
    struct point at;
    int32_t bearing_deg; /* -1 unknown */
    int32_t speed_cmps;  /* -1 unknown */
    int64_t at_us;
    uint8_t vehicle; /* enum vehicle */
    bool off;        /* off duty: he leaves the map */
};
/* When he will be at the stops of a booking, as it is shown now. */
#define SIGNAL_ETA "eta.2"      /* struct signal_eta */
#define SIGNAL_ETA_STOPS_MAX 21 /* twenty and the way back */
struct signal_eta {
    char driver_id[ID_TEXT_MAX];
    char booking_id[ID_TEXT_MAX];
    int64_t at_us;
    int32_t stop_count;
    struct {
        int64_t eta_us, early_us, late_us; /* 0: none */
    } stops[SIGNAL_ETA_STOPS_MAX];
};
bool signal_eta_read(const void *data, size_t len, struct signal_eta *ret);

/* What was heard, if it can be one: its length is right, its texts end, its enums exist, and it is
 * a place on the globe. */
bool signal_position_read(const void *data, size_t len, struct signal_position *ret);

#endif
