/* Time inside Lorry is int64 microseconds UTC since 1970; outside it is RFC 3339. 0 means "none".
 */
#ifndef LORRY_BASE_TIMESTAMP_H
#define LORRY_BASE_TIMESTAMP_H

#include "base/str.h"

#include <stdint.h>

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_S)
#define TIMESTAMP_TEXT_MAX 28 /* "2026-11-23T10:00:00.123456Z" and a NUL */
/* The last moment of 2261: what is between 0 and this is read back as it was written. */
#define TIMESTAMP_US_MAX (INT64_C(9214646400) * US_PER_S - 1)

/* Writes RFC 3339 UTC with as many of 0, 3 or 6 decimals as are needed. Returns the length. */
size_t timestamp_format(int64_t at_us, char out[TIMESTAMP_TEXT_MAX]);
/* Any RFC 3339 time with zone, years 1970–2261, up to 9 decimals (cut to microseconds).
 * ERR_INVALID. */
int timestamp_parse(struct str text, int64_t *ret_at_us);
/* "2026-11-23" of the day at_us lies in, UTC; 11 bytes with the NUL. */
void timestamp_date(int64_t at_us, char out[11]);

/* The machine's clocks. Only apps, adapters and threads read these; services get time from ctx. */
int64_t clock_wall_us(void);
int64_t clock_mono_us(void);

#endif
