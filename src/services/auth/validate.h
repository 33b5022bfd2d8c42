/* What a person may be called, reached at and let in by. The JSON schemas look at presence and
 * length; this looks at the rest. Each returns NULL when the value is good, or says what is wrong.
 */
#ifndef LORRY_SERVICES_AUTH_VALIDATE_H
#define LORRY_SERVICES_AUTH_VALIDATE_H

#include "base/arena.h"

#define EMAIL_MAX 254 /* bytes: RFC 5321 */
#define NAME_MAX_CHARS 100
#define PHONE_MAX 20
#define PASSWORD_MIN_CHARS 8
#define PASSWORD_MAX_CHARS 128

/* Trimmed and in lower case: two spellings that reach one mailbox are one account. Addresses beyond
 * ASCII (RFC 6531) are not taken: what looks alike must be alike. */
struct str email_normalise(struct str email, struct arena *a);
const char *email_fault(struct str normalised);
/* "+46701234567", or without the plus. */
const char *phone_fault(struct str phone);
const char *name_fault(struct str name);
/* EMAIL is normalised; may be absent. */
const char *password_fault(struct str password, struct str email);

/* The commonest passwords of eight characters and more, in lower case, sorted. */
extern const char *const common_passwords[];
extern const int32_t common_password_count;

#endif
