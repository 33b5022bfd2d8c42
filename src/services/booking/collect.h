/* Cash at stops: what a driver is asked to take, and what he says that he took.
 *
 *   asked   for the customer (cash on delivery): a dropoff's, said with the booking
 *   fare    what the trip costs, at the last stop of a booking that is paid in cash; with what has
 *           been waited there until the driver confirms it. Where goods go back, that is the way
 *           back's stop, with what was not paid before
 *   due     both
 *
 * The driver confirms one sum while he is at the stop. It may be less than is due, then with a
 * reason; never more. What was taken pays the fare first: house and driver have done their part,
 * and what is left of it is the customer's. A stop with something asked is not done before it was
 * confirmed; a fare alone counts as taken in full where he says nothing else. Until he leaves he
 * may put right what he said, after that the office; each time the difference is written into the
 * ledger, and nothing in it is changed. Pure; any thread.
 */
#ifndef LORRY_BOOKING_COLLECT_H
#define LORRY_BOOKING_COLLECT_H

#include "services/booking/internal.h"

#define COLLECT_MAX INT64_C(1000000)    /* minor units, at one stop, where nothing is configured */
#define COLLECT_TOP INT64_C(1000000000) /* … and what may be configured */

/* As of NOW; minor units. */
int64_t collect_fare(const struct booking *b, int32_t i, int64_t now_us, struct arena *a);
int64_t collect_due(const struct booking *b, int32_t i, int64_t now_us, struct arena *a);
/* What was taken at stop I; I64_ABSENT: nothing is known of it. */
int64_t collect_taken(const struct booking *b, int32_t i);
/* What was confirmed of the fare at all stops but one; BUT -1: at all. */
int64_t collect_fares(const struct booking *b, int32_t but);
/* What its driver is to take at all its stops, as things stand, without waiting; 0: nothing. */
int64_t collect_all(const struct booking *b);
/* Its stop I has failed though cash was taken there: what the driver has of it, for the timeline;
 * I64_ABSENT: nothing. Where nothing was carried in the end, what was paid for the trip is the
 * customer's again: the ledger says so. */
int64_t collect_failed(struct edit *e, int32_t i);
/* It has ended: if it failed or was cancelled, what was paid for the trip is the customer's again.
 */
void collect_for_nothing(struct edit *e);
/* 409 if stop I of B cannot be done before cash was confirmed. True: it is so. */
bool collect_lacking(const struct booking *b, int32_t i, const struct command *cmd,
                     struct decision *d);
/* The member "cash" of stop I, if there is any at it; without what is being waited there. */
void collect_write(struct jw *w, const struct booking *b, int32_t i);
/* Of a new booking whose stops are filled in. */
void collect_ask(const struct create_body *body, struct arena *a, struct booking *b);
/* The currency of a stop of BODY that is not CURRENCY: its number; -1: there is none. */
int32_t collect_foreign(const struct create_body *body, struct str currency);
void collect_check(const struct booking_service *s, const struct create_body *body, struct arena *a,
                   struct field_errors *errors);

#endif
