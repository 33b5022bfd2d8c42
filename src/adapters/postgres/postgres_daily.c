/* Collections that grow by the day (trails): a table in partitions, one a day, so that what is past
 * its time is dropped with its day instead of row by row. Ids begin with their time, so an id lies
 * in the partition of its day:
 *
 *   trails                  the whole, PARTITION BY RANGE (id)
 *   trails_20261129         a day, UTC
 *   trails_rest             ids of days that nobody made a partition for (clocks that are far off)
 *
 * Days are made ahead of time, at the start and by prune_docs, which every writer calls now and
 * then. Both change the table's shape, for which PostgreSQL keeps readers and writers out: only for
 * a moment, and whoever cannot have that moment at once tries again later.
 */
#include "adapters/postgres/postgres_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_US (60 * US_PER_S)
#define WAIT_MS "200" /* for the moment alone with the table */

/* "20261129" */
static void day_name(int64_t at_us, char out[9]) {
    char date[11];
    timestamp_date(at_us, date);
    snprintf(out, 9, "%.4s%.2s%.2s", date, date + 5, date + 8);
}

/* A block that another process may run at the same time. */
#define ALONE                                                                                      \
    "DO $$ BEGIN PERFORM set_config('lock_timeout', '" WAIT_MS "', true);"                         \
    " IF pg_try_advisory_xact_lock(%d, %d)"

void postgres_daily_make(const char *table, int64_t at_us, char sql[POSTGRES_SQL_MAX]) {
    char day[9];
    int64_t from_us = at_us - at_us % US_PER_DAY;
    day_name(at_us, day);
    /* Where the rest has documents of that day already, they stay there. */
    int n =
        snprintf(sql, POSTGRES_SQL_MAX,
                 ALONE " AND to_regclass('%s_%s') IS NULL THEN"
                       " CREATE TABLE %s_%s (LIKE %s INCLUDING DEFAULTS INCLUDING INDEXES);"
                       " ALTER TABLE %s ATTACH PARTITION %s_%s FOR VALUES"
                       " FROM ('%016" PRIx64 "') TO ('%016" PRIx64 "'); END IF;"
                       " EXCEPTION WHEN check_violation OR lock_not_available THEN NULL; END $$",
                 POSTGRES_LOCK_CLASS, POSTGRES_LOCK_DAYS, table, day, table, day, table, table,
                 table, day, (uint64_t)from_us, (uint64_t)(from_us + US_PER_DAY));
    CHECK(n < POSTGRES_SQL_MAX);
}

static int run(struct postgres_store *s, const char *sql, postgres_result_fn on_result, void *arg) {
    int r = postgres_link_ready(&s->link);
    if (r < 0)
        return r;
    postgres_add_once(&s->link, 0, sql, NULL);
    r = postgres_run(&s->link, POSTGRES_READ_TIMEOUT_MS, on_result, arg);
    return r == ERR_UNKNOWN ? ERR_UNAVAILABLE : r;
}

struct oldest {
    char name[64];
};

static void on_oldest(void *arg, int tag, const PGresult *r) {
    struct oldest *o = arg;
    (void)tag;
    if (PQntuples(r))
        snprintf(o->name, sizeof o->name, "%s", PQgetvalue(r, 0, 0));
}

/* Drops the oldest day before that of BEFORE_US, if there is one. Returns how many. */
static int drop_day(struct postgres_store *s, const char *table, int64_t before_us) {
    char sql[POSTGRES_SQL_MAX], day[9];
    struct oldest oldest = {""};
    day_name(before_us, day);
    snprintf(sql, sizeof sql,
             "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
             " WHERE i.inhparent = to_regclass('%s') AND c.relname ~ '^%s_[0-9]{8}$'"
             " AND c.relname < '%s_%s' ORDER BY 1 LIMIT 1",
             table, table, table, day);
    int r = run(s, sql, on_oldest, &oldest);
    if (r < 0 || !oldest.name[0])
        return r;
    snprintf(sql, sizeof sql,
             ALONE " THEN DROP TABLE IF EXISTS %s; END IF;"
                   " EXCEPTION WHEN lock_not_available THEN NULL; END $$",
             POSTGRES_LOCK_CLASS, POSTGRES_LOCK_DAYS, oldest.name);
    r = run(s, sql, NULL, NULL);
    return r < 0 ? r : 1;
}

int postgres_daily_keep(struct postgres_store *s, struct postgres_table *t, struct str below_id) {
    char sql[POSTGRES_SQL_MAX], hex[17] = {0};
    int64_t now_us = clock_mono_us();
    int dropped = 0, r = 0;
    if (now_us < t->next_keep_us)
        return 0;
    CHECK(below_id.len >= 16);
    memcpy(hex, below_id.p, 16);
    for (int days = 0; r == 0 && days <= POSTGRES_DAYS_AHEAD; days++) {
        postgres_daily_make(t->decl->name, clock_wall_us() + days * US_PER_DAY, sql);
        r = run(s, sql, NULL, NULL);
    }
    if (r == 0)
        r = dropped = drop_day(s, t->decl->name, (int64_t)strtoull(hex, NULL, 16));
    if (r == 0)
        t->next_keep_us = now_us + POLL_US; /* else there may be more to do at once */
    return r < 0 ? r : dropped;
}
