/* Promo codes: a discount that an admin gives out by a word. Two kinds of document:
 *
 *   prm_CODE         the code: what it takes off, on which trips, how often it has been used, and
 *                    who is using it at this moment (holds)
 *   pru_CODE_ULID    its uses by one customer, a booking each
 *
 * A use is a saga, because a command changes one document. POST /v1/bookings of a quote with a
 * discount first takes a use of the code (promo.reserve: exactly one takes the last, by the version
 * of the document, however many processes there are), then makes the booking:
 *
 *   hold ── booking made: promo.taken ──▶ pru: used ── promo.used ──▶ the hold is settled
 *    │                                     ▲ ▼
 *    │                 cancelled, expired: promo.given_back ── promo.freed ──▶ one use fewer
 *    └─ no booking within PROMO_HOLD_US: one use fewer
 *
 * A customer's uses are his document's and the holds that it does not have yet. A settled hold is
 * kept for PROMO_SETTLED_US more, so that who read the other document before it knew is not misled.
 */
#ifndef LORRY_BOOKING_PROMO_H
#define LORRY_BOOKING_PROMO_H

#include "runtime/problem.h"
#include "services/booking/types.h"

#define PROMO_CODE_CHARS_MIN 3
#define PROMO_CODE_CHARS_MAX 24
#define PROMO_LIST_MAX 16 /* zones, classes */
#define PROMO_USES_MAX 1000000
#define PROMO_CUSTOMER_USES_MAX 100
#define PROMO_HOLDS_MAX 200 /* uses in the making; more are asked to come again */
#define PROMO_FREED_MAX 32  /* given back ones that a customer's document remembers */
#define PROMO_CREATE_US (INT64_C(60) * 1000000) /* a booking is made within it, or not at all */
#define PROMO_HOLD_US (INT64_C(120) * 1000000)
#define PROMO_SETTLED_US (INT64_C(60) * 1000000)
#define PROMO_GUESSES_MAX 10 /* unknown codes of one account in PROMO_GUESSES_US */
#define PROMO_GUESSES_US (INT64_C(600) * 1000000)

struct promo_hold {
    struct str booking_id, customer_id;
    int64_t until_us; /* when it ends by itself; of a settled one: when it is forgotten */
    bool settled;
};
struct promo {
    struct aggregate_head head;
    struct str code, note;
    int64_t percent, amount;   /* one of them; the other I64_ABSENT */
    int64_t cap;               /* of a percentage, minor units; I64_ABSENT: none */
    int64_t from_us, until_us; /* 0: at once, without end */
    int64_t minimum_total;     /* minor units, before it; I64_ABSENT: none */
    struct str *zones;         /* of the tariff, in which a trip begins; none: anywhere */
    int32_t zone_count;
    struct str *vehicles; /* classes; none: all */
    int32_t vehicle_count;
    int64_t uses_max, customer_uses_max; /* I64_ABSENT: as often as one likes */
    bool first_only;                     /* who has booked before may not */
    bool ended;
    int64_t used; /* also by those who hold it */
    struct promo_hold *holds;
    int32_t hold_count;
    int64_t created_us;
    struct str created_by;
};
struct promo_patch {
    struct str note;
    int64_t until_us, uses_max, customer_uses_max, minimum_total;
};
struct promo_use {
    struct str booking_id;
    bool freed;
};
struct promo_uses {
    struct aggregate_head head;
    struct str code, customer_id;
    struct promo_use *uses;
    int32_t use_count;
};
extern const struct store_collection promo_collection, promo_uses_collection;
extern const struct aggregate promo_aggregate, promo_uses_aggregate;
extern const struct schema promo_schema, promo_patch_schema;

/* CODE as it is kept: capital letters, digits, - and _; absent: it can be none. In A. */
struct str promo_normal(struct str code, struct arena *a);
struct str promo_id(struct str code, struct arena *a); /* of a normal one */
struct str promo_uses_id(struct str code, struct str customer_id, struct arena *a);

/* Why P gives nothing now, to nobody; PROBLEM_COUNT: it does. */
enum problem promo_closed(const struct promo *p, int64_t now_us);
/* Why P is not for a trip of this price and class that begins in ZONE, in A; absent: it is. */
struct str promo_unfit(const struct promo *p, int32_t vehicle, struct str zone,
                       const struct price *price, struct arena *a);
/* What it takes off, to be kept with the quote. */
struct discount promo_discount(const struct promo *p);

/* ---- what is known of the one who uses it, beside the code's own document ---- */

struct promo_facts {
    const struct promo_uses *uses;    /* NULL: none yet */
    bool booked;                      /* the booking is there already */
    bool came_before;                 /* he has booked before; only looked at for first_only */
    struct str gone[PROMO_HOLDS_MAX]; /* holds past their time without a booking */
    int32_t gone_count;
    int64_t create_until_us;
};
/* Reads what P needs of CUSTOMER_ID into RET; STORE may be any handle. 0 or its error. */
int promo_know(const struct promo *p, struct str customer_id, struct store *store,
               struct json_parser *parser, struct arena *a, struct promo_facts *ret);
/* Why CUSTOMER_ID may not use P for BOOKING_ID (absent: for a new one); PROBLEM_COUNT: he may. */
enum problem promo_denied(const struct promo *p, const struct promo_facts *f,
                          struct str customer_id, struct str booking_id, int64_t now_us);
/* What to say with it. */
const char *promo_words(enum problem p);

#endif
