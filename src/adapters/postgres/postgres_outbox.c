/* Who owns which event. Every writing handle has a number of its own (its node, a row of `nodes`,
 * never given twice) and holds the advisory lock (POSTGRES_LOCK_CLASS, node) for as long as its
 * session lives; its events carry the number. Whoever can take that lock knows that the owner is
 * gone, and makes the events his own, with seqs behind his last. Owner 0 is nobody: a tool beside
 * the servers.
 *
 * A handle that lost its connection comes back as the same node. First it ends what may be left of
 * its old session, and waits for the lock: then whatever that session had under way has been
 * committed or undone, and the answer to "did it?" is final. Adopters take the lock shared and for
 * a moment only, so that they hinder neither each other nor, for long, its owner.
 *
 * After a fail-over all sessions are gone at once, and everybody looks dead to the first one back:
 * so after a reconnect a writer waits before it takes anything over.
 */
#include "adapters/postgres/postgres_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <stdlib.h>

#define ADOPT_POLL_US US_PER_S
#define ADOPT_AFTER_RECONNECT_US (3 * US_PER_S)
#define ADOPT_MAX 1000 /* events in one go */

#define STRING(x) #x
#define TEXT_OF(x) STRING(x)
/* POSTGRES_LOCK_CLASS as SQL has it. */
#define CLASS "x'4c6f7279'::int"
_Static_assert(POSTGRES_LOCK_CLASS == 0x4c6f7279, "CLASS is the same");

/* --- a node ----------------------------------------------------------------------------------- */

enum { TAG_NODE, TAG_LAST, TAG_NONE };

struct setup {
    struct postgres_store *store;
    int32_t node;
};

static void on_node(void *arg, int tag, const PGresult *r) {
    struct setup *x = arg;
    if (tag == TAG_NODE && PQntuples(r) == 1)
        x->node = (int32_t)postgres_i64(r, 0, 0);
    if (tag == TAG_LAST && PQntuples(r) == 1)
        postgres_doubts_end(x->store, postgres_i64(r, 0, 0), postgres_str(r, 0, 1));
}

/* What waits for a synchronous standby is not ended: it would be committed, but not where it should
 * be. */
#define END_OLD_SQL                                                                                \
    "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"  \
    " WHERE l.locktype = 'advisory' AND l.classid = " CLASS "::oid"                                \
    " AND l.objid = $1::int8::oid AND l.objsubid = 2 AND l.granted AND l.mode = 'ExclusiveLock'"   \
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"           \
    " AND l.pid <> pg_backend_pid() AND a.wait_event IS DISTINCT FROM 'SyncRep'"

int postgres_outbox_setup(void *arg, struct postgres_link *l) {
    struct postgres_store *s = arg;
    struct postgres_params p = {.arena = &s->scratch};
    struct setup x = {s, s->node};
    arena_reset(&s->scratch);
    if (s->beside) {
        if (x.node != 0)
            return 0;
        postgres_add_once(l, TAG_NODE, "SELECT nextval('nodes_node_seq')", NULL);
    } else if (x.node == 0) { /* nobody sees the row before the lock is held */
        postgres_add_once(l, TAG_NODE,
                          "INSERT INTO nodes DEFAULT VALUES RETURNING node,"
                          " pg_advisory_lock(" CLASS ", node)",
                          NULL);
    } else {
        struct postgres_params big = {.arena = &s->scratch};
        postgres_add_i64(&big, x.node);
        postgres_add_i32(&p, x.node);
        postgres_add_once(l, TAG_NONE, END_OLD_SQL, &big);
        postgres_add_once(l, TAG_NONE, "SELECT pg_advisory_lock(" CLASS ", $1)", &p);
        postgres_add_once(l, TAG_LAST,
                          "INSERT INTO nodes(node) VALUES($1) ON CONFLICT (node)"
                          " DO UPDATE SET gone_at = NULL RETURNING batch, done",
                          &p);
    }
    if (!s->beside)
        postgres_add_once(l, TAG_NONE, "LISTEN " POSTGRES_CHANNEL, NULL);
    int r = postgres_run(l, POSTGRES_CONNECT_TIMEOUT_MS, on_node, &x);
    if (r < 0)
        return r;
    if (s->node == 0 && s->beside)
        s->last_seq = (int64_t)x.node << 32; /* nobody's seqs are told apart by who made them */
    if (s->node != 0)
        s->next_adopt_us = clock_mono_us() + ADOPT_AFTER_RECONNECT_US;
    s->node = x.node;
    return 0;
}

void postgres_outbox_leave(struct postgres_store *s) {
    struct postgres_link *l = &s->link;
    if (l->state != POSTGRES_UP)
        return;
    /* Seen by nobody before the lock is free. */
    postgres_add_once(l, TAG_NONE, "SELECT pg_advisory_unlock_all()", NULL);
    postgres_add_once(l, TAG_NONE, POSTGRES_NOTIFY_SQL, NULL);
    postgres_run(l, POSTGRES_READER_TIMEOUT_MS, NULL, NULL);
}

/* --- taking over ------------------------------------------------------------------------------ */

#define DEAD_SQL                                                                                   \
    "dead AS MATERIALIZED (SELECT node FROM nodes WHERE node <> $1"                                \
    " AND pg_try_advisory_xact_lock_shared(" CLASS ", node))"

static const char adopt_sql[] =
    "WITH " DEAD_SQL ", theirs AS MATERIALIZED (SELECT owner, seq, row_number() OVER () AS n FROM"
    " (SELECT o.owner, o.seq FROM outbox o WHERE o.owner = 0 OR o.owner IN (SELECT node FROM dead)"
    " ORDER BY o.owner, o.seq LIMIT " TEXT_OF(
        ADOPT_MAX) ") t),"
                   " mine AS (UPDATE outbox o SET owner = $1, seq = $2 + t.n FROM theirs t"
                   " WHERE o.owner = t.owner AND o.seq = t.seq RETURNING 1)"
                   " SELECT count(*) FROM mine";

/* Who is gone may come back and ask what became of his last batch: his row stays for an hour. */
static const char clean_sql[] =
    "WITH " DEAD_SQL ", gone AS (UPDATE nodes n SET gone_at = now() WHERE gone_at IS NULL"
    " AND n.node IN (SELECT node FROM dead))"
    " DELETE FROM nodes n WHERE n.node IN (SELECT node FROM dead)"
    " AND n.gone_at < now() - interval '1 hour'"
    " AND NOT EXISTS (SELECT FROM outbox o WHERE o.owner = n.node)";

static void on_adopted(void *arg, int tag, const PGresult *r) {
    if (tag == TAG_NODE)
        *(int64_t *)arg = postgres_i64(r, 0, 0);
}

static int adopt(struct postgres_store *s) {
    int64_t adopted = 0;
    struct postgres_params p = postgres_params(s), who = {.arena = &s->scratch};
    postgres_add_i64(&p, s->node);
    postgres_add_i64(&p, s->last_seq);
    postgres_add_i64(&who, s->node);
    s->last_seq += ADOPT_MAX; /* used up, whatever comes of it */
    postgres_add(&s->link, TAG_NODE, POSTGRES_ADOPT, adopt_sql, &p);
    postgres_add(&s->link, TAG_NONE, POSTGRES_ADOPT_CLEAN, clean_sql, &who);
    int r = postgres_run(&s->link, POSTGRES_READ_TIMEOUT_MS, on_adopted, &adopted);
    if (r < 0)
        return r == ERR_UNKNOWN ? ERR_UNAVAILABLE : r == ERR_AGAIN ? ERR_BUSY : r;
    s->last_seq -= ADOPT_MAX - adopted;
    s->counters->events_adopted += adopted;
    if (adopted)
        log_info(s->log, "store: took over %lld events of writers that are gone",
                 (long long)adopted);
    s->link.notified = adopted == ADOPT_MAX; /* there may be more */
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct reading {
    struct arena *arena;
    struct event *events;
    int32_t count;
};

static void on_events(void *arg, int tag, const PGresult *r) {
    struct reading *reading = arg;
    (void)tag;
    reading->count = PQntuples(r);
    reading->events = arena_array(reading->arena, struct event, reading->count + 1);
    for (int i = 0; i < reading->count; i++)
        reading->events[i] =
            (struct event){.seq = postgres_i64(r, i, 0),
                           .id = arena_str(reading->arena, postgres_str(r, i, 1)),
                           .type = arena_str(reading->arena, postgres_str(r, i, 2)),
                           .key = arena_str(reading->arena, postgres_str(r, i, 3)),
                           .at_us = postgres_i64(r, i, 4),
                           .request_id = arena_str(reading->arena, postgres_str(r, i, 5)),
                           .traceparent = arena_str(reading->arena, postgres_str(r, i, 6)),
                           .data = arena_str(reading->arena, postgres_str(r, i, 7))};
}

int postgres_outbox_read(struct store *store, int64_t after_seq, int32_t limit, struct arena *a,
                         struct event **ret_events, int32_t *ret_count) {
    struct postgres_store *s = (struct postgres_store *)store;
    struct reading reading = {.arena = a};
    CHECK(limit >= 1);
    int r = postgres_link_ready(&s->link);
    if (r < 0)
        return r;
    if (s->writer && !s->beside) {
        int64_t now_us = clock_mono_us();
        if (now_us >= s->next_adopt_us ||
            (s->link.notified && s->next_adopt_us <= now_us + ADOPT_POLL_US)) {
            s->next_adopt_us = now_us + ADOPT_POLL_US;
            if ((r = adopt(s)) < 0)
                return r;
        }
        /* What it owns it knows: mostly that is nothing more, and not worth a question. */
        if (after_seq < s->last_seq) {
            struct postgres_params p = postgres_params(s);
            postgres_add_i64(&p, s->node);
            postgres_add_i64(&p, after_seq);
            postgres_add_i32(&p, limit);
            r = postgres_query(s, &s->link, POSTGRES_OUTBOX_READ,
                               "SELECT seq, id, type, key, at, request_id, traceparent, data"
                               " FROM outbox WHERE owner = $1 AND seq > $2 ORDER BY seq LIMIT $3",
                               &p, on_events, &reading);
            if (r < 0)
                return r;
        }
    }
    *ret_events = reading.events;
    *ret_count = reading.count;
    return 0;
}
