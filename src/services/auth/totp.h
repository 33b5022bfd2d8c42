/* One-time codes by the clock (RFC 6238): HMAC-SHA-1, six digits, a new one every 30 s, as all
 * authenticators have them. Pure. Secrets are base32 (RFC 4648) without padding.
 */
#ifndef LORRY_SERVICES_AUTH_TOTP_H
#define LORRY_SERVICES_AUTH_TOTP_H

#include "base/arena.h"

#define TOTP_SECRET_BYTES 20 /* RFC 4226: as long as the hash */
#define TOTP_DIGITS 6
#define TOTP_STEP_US (INT64_C(30) * 1000000)
#define TOTP_STEPS_AROUND 1 /* earlier and later: clocks differ, and people are slow */

struct str totp_base32(const unsigned char *bytes, size_t len, struct arena *a);
/* ERR_INVALID. */
int totp_code(struct str secret, int64_t step, char ret_code[TOTP_DIGITS + 1]);
/* Is CODE that of a step around NOW, and beyond LAST_STEP? 0 and its step, or ERR_DENIED. */
int totp_check(struct str secret, struct str code, int64_t now_us, int64_t last_step,
               int64_t *ret_step);

#endif
