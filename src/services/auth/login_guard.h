/* How often somebody may try: wrong passwords per account and per address, registrations per
 * address. Counters of the cache port; a cache that cannot answer limits nothing.
 *
 * An account is guarded twice. Few wrong passwords are taken from one address; they lock that
 * address out of the account, and nobody else. Many are taken from all addresses together; they
 * lock out every address but those where the owner has been given tokens lately (his homes), which
 * are not counted there at all. So a stranger can guess neither from one address nor from many, and
 * whoever means to lock an owner out of his account has to do it from the owner's own address.
 *
 * Per account an attempt is counted before its password is looked at and given back when it was
 * right, so that many at once get no more tries than one after the other. Whether there is such an
 * account makes no difference. Per address only what has failed is counted, because many people
 * may sign in from one address at once; attempts under way there can pass the limit by as many as
 * the hasher holds, once in a window.
 */
#ifndef LORRY_SERVICES_AUTH_LOGIN_GUARD_H
#define LORRY_SERVICES_AUTH_LOGIN_GUARD_H

#include "services/auth/internal.h"

#define LOGIN_WINDOW_US (INT64_C(15) * 60 * 1000000)
#define HOME_US (INT64_C(30) * 24 * 3600 * 1000000)
#define REGISTER_WINDOW_US (INT64_C(3600) * 1000000)

/* What an attempt has been counted as; absent: not. */
struct login_try {
    struct str from_here, from_anywhere; /* keys of counters, in the call's arena */
};

/* May C try to sign in as EMAIL_ID? Counts it. False: replied 429. */
bool guard_login(struct auth_service *a, struct call *c, struct str email_id,
                 struct login_try *ret_try);
/* What became of an attempt that was let through. */
void guard_login_right(struct auth_service *a, struct call *c, const struct login_try *try);
void guard_login_wrong(struct auth_service *a, struct call *c);
/* Nobody looked at the password after all: as if it had not been tried. */
void guard_login_undone(struct auth_service *a, struct call *c, const struct login_try *try);
/* EMAIL_ID's owner is given tokens: C's address is one of his homes for HOME_US. */
void guard_home(struct auth_service *a, struct call *c, struct str email_id);
/* May C have a mail sent to (or asked for by) WHOM? Counts it, whether or not there is such an
 * account. False: replied 429. */
bool guard_mail(struct auth_service *a, struct call *c, struct str whom);
/* May C register? Counts it. False: replied 429. */
bool guard_register(struct auth_service *a, struct call *c);
/* What stands for PEER's address in the counters: an IPv6 address is its /64, because whoever has
 * one has all of them; others are themselves. */
struct str guard_network(struct str peer, struct arena *a);

#endif
