/* What the parts of the postgres store share: postgres_link.c (one connection, made and made
 * again), postgres_params.c (values on their way there), postgres_schema.c (migrations, tables),
 * postgres_lag.c (how far a replica is behind), postgres_commit.c (a batch), postgres_outbox.c (who
 * owns which event), postgres_store.c (the rest of the port's operations) and postgres_source.c
 * (handles).
 */
#ifndef LORRY_ADAPTERS_POSTGRES_PRIVATE_H
#define LORRY_ADAPTERS_POSTGRES_PRIVATE_H

#include "adapters/postgres/postgres_store.h"
#include "base/buf.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#define POSTGRES_SQL_MAX 4096 /* bytes of one statement's text */
#define POSTGRES_WHY_MAX 512
#define POSTGRES_PARAMS_MAX 32
#define POSTGRES_LOCK_CLASS 0x4c6f7279 /* "Lory": our advisory locks are (this, node) */
#define POSTGRES_LOCK_SCHEMA 0         /* no node: held while the schema is looked at */
#define POSTGRES_LOCK_DAYS (-1)        /* no node: held while days are made or dropped */
#define POSTGRES_CHANNEL "lorry_outbox"

/* --- values ----------------------------------------------------------------------------------- */

/* The values of one statement, in binary. Made in an arena that outlives the sending. */
struct postgres_params {
    struct arena *arena;
    int count;
    Oid types[POSTGRES_PARAMS_MAX];
    const char *values[POSTGRES_PARAMS_MAX];
    int lengths[POSTGRES_PARAMS_MAX];
};
void postgres_add_text(struct postgres_params *p, struct str s); /* absent: null */
void postgres_add_i64(struct postgres_params *p, int64_t v);
void postgres_add_i32(struct postgres_params *p, int32_t v);

/* An array that grows element by element. */
struct postgres_array {
    struct buf buf;
    Oid element;
    int32_t count;
};
enum postgres_type { POSTGRES_BOOL, POSTGRES_I32, POSTGRES_I64, POSTGRES_TEXT, POSTGRES_JSONB };
void postgres_array_init(struct postgres_array *array, struct arena *a, enum postgres_type type);
void postgres_array_i64(struct postgres_array *array, int64_t v);
void postgres_array_i32(struct postgres_array *array, int32_t v);
void postgres_array_bool(struct postgres_array *array, bool v);
void postgres_array_str(struct postgres_array *array, struct str s); /* text or jsonb; or null */
void postgres_array_null(struct postgres_array *array);
void postgres_add_array(struct postgres_params *p, struct postgres_array *array);

/* Of a result's row. */
struct str postgres_str(const PGresult *r, int row, int column); /* absent if null */
int64_t postgres_i64(const PGresult *r, int row, int column);    /* 0 if null */

/* --- a connection ----------------------------------------------------------------------------- */

/* A URI, looked through once. */
struct postgres_target {
    char *uri;
    char *host, *hostaddr, *port; /* as given, comma lists; NULL: not given */
    int host_count;
    bool replica;
};
int postgres_target_init(struct postgres_target *t, const char *uri, bool replica, struct arena *a,
                         struct str *ret_why);
void postgres_target_free(struct postgres_target *t);

enum postgres_state { POSTGRES_DOWN, POSTGRES_CONNECTING, POSTGRES_UP };

#define POSTGRES_QUEUE_MAX (2 * STORE_BATCH_MAX + 16) /* statements of one round trip */

/* What went wrong in a round trip. */
struct postgres_error {
    char sqlstate[6]; /* "": not the server's word */
    bool fatal;       /* the server closes the connection */
    int at;           /* the statement's place; one that was refused wrote nothing */
    char text[POSTGRES_WHY_MAX];
};

struct postgres_link;
/* Makes a new connection fit for use; 0 or an error after which it is given up. */
typedef int (*postgres_setup_fn)(void *arg, struct postgres_link *l);
typedef void (*postgres_result_fn)(void *arg, int tag, const PGresult *r);

/* One connection of one thread. */
struct postgres_link {
    const struct postgres_target *target;
    const struct log *log;
    postgres_setup_fn setup; /* beyond the session's settings; or NULL */
    void *arg;
    int32_t patience_ms;
    _Atomic int64_t *reconnects; /* counted here; or NULL */
    _Atomic int32_t *up;         /* how many links are; or NULL */

    enum postgres_state state;
    PGconn *conn;
    PostgresPollingStatusType poll;
    int64_t deadline_us, next_try_us, patient_until_us, backoff_us;
    int host_turn; /* which host comes first */
    bool was_up;   /* at least once */
    bool failing;  /* said so in the log */
    bool notified; /* a notification came on POSTGRES_CHANNEL */
    bool doomed;   /* the server is closing the connection */
    bool doubt;    /* the server warned that a commit may not be where it should */
    char why[POSTGRES_WHY_MAX];

    bool *prepared; /* by statement number, on this connection */
    int statement_count;

    /* The round trip under way. */
    int16_t queue[POSTGRES_QUEUE_MAX]; /* a tag >= 0, or ~statement: its preparation */
    int queued;
    bool send_failed, sent;
    struct postgres_error error;
};

void postgres_link_init(struct postgres_link *l, const struct postgres_target *t,
                        int statement_count, const struct log *log);
void postgres_link_free(struct postgres_link *l);
/* Is there a connection? Takes in what the server has sent unasked (l->notified). Makes one as far
 * as that goes at once or, after a loss, within the link's patience. 0 or ERR_UNAVAILABLE (l->why
 * says why). */
int postgres_link_ready(struct postgres_link *l);
/* Waits for the first connection, trying each host once. */
int postgres_link_open(struct postgres_link *l);
/* Gives the connection up: the next use makes a new one. */
void postgres_link_drop(struct postgres_link *l, const char *why);

/* A round trip: add statements, then run. SQL is needed the first time only: it is prepared then.
 * The result of each goes to ON_RESULT with its TAG (0..). */
void postgres_add(struct postgres_link *l, int tag, int statement, const char *sql,
                  const struct postgres_params *p);
void postgres_add_once(struct postgres_link *l, int tag, const char *sql,
                       const struct postgres_params *p);
/* All statements since the last run are one transaction. Returns 0: committed. Else l->error tells
 * more, and: ERR_UNKNOWN: the connection was lost when everything had been sent; any other:
 * nothing was written. */
int postgres_run(struct postgres_link *l, int32_t timeout_ms, postgres_result_fn on_result,
                 void *arg);

/* --- the rest --------------------------------------------------------------------------------- */

/* Makes the database ready for its collections, on a connection that is up. */
int postgres_schema_prepare(struct postgres_link *l, const struct postgres_options *o,
                            struct arena *a, struct str *ret_why);

struct postgres_counters {
    _Atomic int32_t writers, writers_up, readers, readers_up;
    _Atomic int64_t reconnects, replica_lists, replica_away, replica_behind, commits_retried,
        events_adopted;
};

/* postgres_lag.c: where the primary was when; for all reading handles of a source. */
#define POSTGRES_LAG_MARKS 64
#define POSTGRES_LAG_EACH_MIN_US 100000
struct postgres_mark {
    int64_t asked_us; /* monotonic; everything committed before is below the position */
    int64_t position; /* bytes of the write-ahead log */
};
struct postgres_lag {
    int64_t max_us, each_us; /* how far is too far; how often the primary is asked at most */
    pthread_mutex_t lock;
    int64_t next_us, seen_us;
    int newest, count;
    struct postgres_mark marks[POSTGRES_LAG_MARKS];
};
void postgres_lag_init(struct postgres_lag *lag, int64_t max_us);
void postgres_lag_free(struct postgres_lag *lag);
/* Is it time to ask the primary? Whoever is told so does it. */
bool postgres_lag_turn(struct postgres_lag *lag, int64_t now_us);
void postgres_lag_mark(struct postgres_lag *lag, int64_t asked_us, int64_t position);
/* How far a replica that has replayed POSITION is behind at most; INT64_MAX: nobody knows. */
int64_t postgres_lag_of(struct postgres_lag *lag, int64_t position, int64_t now_us);

enum postgres_statement { /* those of no collection; then POSTGRES_T_COUNT for each of them */
                          POSTGRES_ANSWER_GET,
                          POSTGRES_SEEN_GET,
                          POSTGRES_ANSWERS_GET_ALL,
                          POSTGRES_SEEN_GET_ALL,
                          POSTGRES_OUTBOX_READ,
                          POSTGRES_OUTBOX_REMOVE,
                          POSTGRES_ADOPT,
                          POSTGRES_ADOPT_CLEAN,
                          POSTGRES_PRUNE_SEEN,
                          POSTGRES_PRUNE_ANSWERS,
                          POSTGRES_NOTIFY,
                          POSTGRES_POSITION, /* of the primary; on a replica, what it has */
                          POSTGRES_FIXED_COUNT
};
enum postgres_table_statement {
    POSTGRES_T_GET,
    POSTGRES_T_GET_ALL,
    POSTGRES_T_COMMIT,
    POSTGRES_T_DUE,
    POSTGRES_T_PRUNE,
    POSTGRES_T_LIST, /* by index (the last: none), direction, and which bounds there are */
    POSTGRES_T_COUNT = POSTGRES_T_LIST + (STORE_KEYS_MAX + 1) * 8
};

struct postgres_table {
    const struct store_collection *decl;
    int index_count;
    int statements;       /* the number of its first one */
    int64_t next_keep_us; /* of a daily one: when its days are looked at again */
};

struct postgres_store {
    struct store store; /* first: the port's view */
    struct postgres_link link;
    struct postgres_link replica; /* of a reading handle, if lag is there */
    struct postgres_lag *lag;     /* NULL: there is no replica */
    int64_t replica_next_us;      /* it was too far behind: not asked again before */
    bool writer, beside;
    const struct log *log;
    struct postgres_counters *counters;
    struct arena scratch;           /* values on their way to the server */
    int32_t node;                   /* of a writer, 0: none yet */
    int64_t last_seq;               /* of the events it owns */
    int64_t batch;                  /* the number of its last batch */
    struct postgres_fetch *fetch;   /* what the batch under way asked for; NULL: never any */
    struct postgres_doubts *doubts; /* commits whose answer was lost; NULL: never any */
    int64_t next_adopt_us;
    int table_count;
    struct postgres_table tables[];
};

struct postgres_table *postgres_table_of(struct postgres_store *s,
                                         const struct store_collection *c);
/* One statement, prepared, as a round trip of its own; ERR_UNKNOWN becomes ERR_UNAVAILABLE. */
int postgres_query(struct postgres_store *s, struct postgres_link *l, int statement,
                   const char *sql, const struct postgres_params *p, postgres_result_fn on_result,
                   void *arg);
struct postgres_params postgres_params(struct postgres_store *s); /* empty; scratch begins anew */

int postgres_commit(struct store *store, struct store_change *changes, int32_t count,
                    const int64_t *remove_seqs, int32_t remove_count);
int postgres_outbox_read(struct store *store, int64_t after_seq, int32_t limit, struct arena *a,
                         struct event **ret_events, int32_t *ret_count);
/* postgres_fetch.c: what a batch will ask for. Each answers whether it was asked for beforehand. */
void postgres_expect(struct store *store, const struct store_want *wants, int32_t count);
bool postgres_fetched_doc(struct postgres_store *s, const struct store_collection *c, struct str id,
                          struct arena *a, struct store_doc *ret_doc, bool *ret_found);
bool postgres_fetched_answer(struct postgres_store *s, struct str key, struct arena *a,
                             struct store_answer *ret_answer, bool *ret_found);
bool postgres_fetched_seen(struct postgres_store *s, struct str dedupe, bool *ret_found);
void postgres_fetch_end(struct postgres_store *s); /* from now on everything is asked anew */
void postgres_fetch_free(struct postgres_store *s);

/* postgres_doubt.c. The batch under way may have been committed or not. */
void postgres_doubt(struct postgres_store *s, const struct store_change *changes, int32_t count);
/* Back again: the last batch that was committed, and which of its changes ("{0,2}"). */
void postgres_doubts_end(struct postgres_store *s, int64_t batch, struct str done);
/* Puts into DOC, just read, the id of this handle's own commit if that was in doubt. Once. */
void postgres_doubts_tell(struct postgres_store *s, const struct store_collection *c, struct str id,
                          struct arena *a, struct store_doc *doc);
/* A writer's setup: its node, its lock, and that it listens. */
int postgres_outbox_setup(void *arg, struct postgres_link *l);
/* Its owner is closing: tells the others that what it leaves may be taken. */
void postgres_outbox_leave(struct postgres_store *s);
#define POSTGRES_NOTIFY_SQL "SELECT pg_notify('" POSTGRES_CHANNEL "', '')"

/* postgres_dump.c: TARGET and O outlive what is opened. */
int postgres_dump_open(const struct postgres_target *target, const struct postgres_options *o,
                       struct arena *a, struct store_dump **ret_dump, struct str *ret_why);
int postgres_load_open(const struct postgres_target *target, const struct postgres_options *o,
                       struct arena *a, struct store_load **ret_load, struct str *ret_why);

/* postgres_daily.c */
#define POSTGRES_DAYS_AHEAD 2
#define POSTGRES_DAILY_REST "%s_rest"
/* The statement that makes the partition of AT_US's day if it is not there. */
void postgres_daily_make(const char *table, int64_t at_us, char sql[POSTGRES_SQL_MAX]);
/* Once a minute: makes the days to come, drops a day whose ids are all below BELOW_ID. Returns how
 * many days went, or an error. */
int postgres_daily_keep(struct postgres_store *s, struct postgres_table *t, struct str below_id);

/* LAG NULL: there is no REPLICA. */
struct store *postgres_store_new(const struct postgres_target *target,
                                 const struct postgres_target *replica, struct postgres_lag *lag,
                                 bool writer, const struct postgres_options *o,
                                 struct postgres_counters *counters);

/* A column: the key of index I. Prefixed, because an index may be called like a fixed column. */
#define POSTGRES_KEY_COLUMN "by_%s"

#endif
