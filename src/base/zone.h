/* Time zones: what the clock on the wall of a place shows. Read from TZif files (RFC 8536), which
 * the system keeps under ZONE_DIR, because libc's own conversion has one zone for the whole
 * process.
 *
 * A zone is read-only once it is loaded and lives in the arena given; any thread.
 */
#ifndef LORRY_BASE_ZONE_H
#define LORRY_BASE_ZONE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

#define ZONE_DIR "/usr/share/zoneinfo"
#define ZONE_NAME_MAX 64                  /* bytes of "Europe/Stockholm" */
#define ZONE_FILE_MAX ((size_t)256 << 10) /* the largest there is has some 4 kB */

/* One half of the rule that goes on after the last transition of the file: when the clock is put
 * forward, or back. */
struct zone_change {
    char kind; /* 'M': month, week (5: the last), weekday; 'J': day 1..365 without
                  29 February; 'D': day 0..365 */
    int32_t month, week, day;
    int32_t time_s; /* after that day's local midnight; may be negative */
};
struct zone {
    const unsigned char *times, *types, *infos; /* in the file's bytes: big-endian */
    int32_t time_count, type_count;
    bool rule, summer;             /* is there a rule; has it a summer time */
    int32_t standard_s, summer_s;  /* of the rule: seconds east of UTC */
    struct zone_change begin, end; /* of summer time */
};
struct zone_time {
    int32_t year, month, day; /* month and day from 1 */
    int32_t hour, minute, second;
    int32_t weekday; /* 0: Sunday */
};

/* UTC, for which no file is needed. */
extern const struct zone zone_utc;

/* Can NAME be a zone's: "UTC", "Europe/Stockholm"? Says nothing of whether there is one. */
bool zone_name_valid(struct str name);
/* The zone NAME below DIR ("UTC" always is there). ERR_INVALID (not a name), ERR_NOT_FOUND,
 * ERR_IO, ERR_CORRUPT. */
int zone_load(const char *dir, struct str name, struct arena *a, struct zone *ret);
/* From the bytes of a TZif file, which must live as long as the zone. ERR_CORRUPT. */
int zone_parse(struct str bytes, struct zone *ret);

/* Seconds east of UTC at AT_US. */
int32_t zone_offset_s(const struct zone *z, int64_t at_us);
void zone_local(const struct zone *z, int64_t at_us, struct zone_time *ret);

/* The moment when the clock on the wall shows LOCAL_S (seconds since 1970, as if it were UTC).
 * Shows it that twice, when it is put back: the first of them. Never, when it is put forward: as
 * long after the change as LOCAL_S is. Right where the clock changes at most once within a day. */
int64_t zone_moment_us(const struct zone *z, int64_t local_s);

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back; and is there such a date? */
int64_t date_days(int32_t year, int32_t month, int32_t day);
void date_of_days(int64_t days, int32_t *ret_year, int32_t *ret_month, int32_t *ret_day);
bool date_valid(int32_t year, int32_t month, int32_t day);
/* "2026-12-25". False: it is not a date. */
bool date_parse(struct str text, int32_t *ret_year, int32_t *ret_month, int32_t *ret_day);

/* Minutes since midnight of "22:00"; -1: it is no such time ("24:00" is none). */
int32_t clock_minutes(struct str text);

#endif
