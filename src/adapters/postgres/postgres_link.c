/* One connection, made and made again, and round trips on it.
 *
 * Nothing here blocks beyond its own deadline: the socket never does, and waiting is poll(2).
 * Connecting goes on from call to call (PQconnectPoll), so that while a server hangs only the first
 * calls after the loss wait for it. libpq tries the URI's hosts in turn as they refuse; one that
 * accepts and then says nothing costs the try its time, and the next try begins behind it.
 *
 * A round trip is everything between two Syncs, which PostgreSQL runs as one transaction: it
 * commits when it reads the Sync, and says so afterwards. So if not everything has been given to
 * the kernel, or a statement was refused, nothing was written; if all was sent and no answer came,
 * nobody knows.
 */
#include "adapters/postgres/postgres_private.h"

#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BACKOFF_FIRST_US (50 * US_PER_MS)

/* --- where to --------------------------------------------------------------------------------- */

static char *copy(const char *s) {
    char *p = s && *s ? strdup(s) : NULL;
    CHECK(p || !s || !*s);
    return p;
}

static int commas(const char *s) {
    int n = 0;
    for (; s && *s; s++)
        n += *s == ',';
    return n;
}

int postgres_target_init(struct postgres_target *t, const char *uri, bool replica, struct arena *a,
                         struct str *ret_why) {
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(uri, &message);
    if (!options) {
        *ret_why = arena_printf(a, "this is no PostgreSQL URI: %s", message ? message : "?");
        PQfreemem(message);
        while (ret_why->len && ret_why->p[ret_why->len - 1] == '\n')
            ret_why->len--;
        return ERR_INVALID;
    }
    *t = (struct postgres_target){.uri = copy(uri), .replica = replica};
    for (PQconninfoOption *o = options; o->keyword; o++) {
        if (!strcmp(o->keyword, "host"))
            t->host = copy(o->val);
        if (!strcmp(o->keyword, "hostaddr"))
            t->hostaddr = copy(o->val);
        if (!strcmp(o->keyword, "port"))
            t->port = copy(o->val);
    }
    PQconninfoFree(options);
    t->host_count = 1 + commas(t->hostaddr ? t->hostaddr : t->host);
    return 0;
}

void postgres_target_free(struct postgres_target *t) {
    free(t->uri);
    free(t->host);
    free(t->hostaddr);
    free(t->port);
    *t = (struct postgres_target){0};
}

/* LIST from its entry TURN on, around. */
static char *rotated(struct arena *a, const char *list, int turn) {
    if (!commas(list))
        return list ? arena_cstr(a, str_from(list)) : NULL;
    const char *rest = list;
    for (int i = turn % (commas(list) + 1); i > 0; i--)
        rest = strchr(rest, ',') + 1;
    if (rest == list)
        return arena_cstr(a, str_from(list));
    return arena_cstr(a, arena_printf(a, "%s,%.*s", rest, (int)(rest - list) - 1, list));
}

/* --- life ------------------------------------------------------------------------------------- */

void postgres_link_init(struct postgres_link *l, const struct postgres_target *t,
                        int statement_count, const struct log *log) {
    *l = (struct postgres_link){.target = t,
                                .log = log,
                                .statement_count = statement_count,
                                .patience_ms = POSTGRES_PATIENCE_MS};
    l->prepared = xcalloc((size_t)statement_count + 1, sizeof *l->prepared);
}

static void say_why(struct postgres_link *l, const char *why) {
    snprintf(l->why, sizeof l->why, "%s", why && *why ? why : "the connection was lost");
    size_t len = strlen(l->why);
    while (len && l->why[len - 1] == '\n')
        l->why[--len] = 0;
    for (char *p = l->why; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
}

static void disconnect(struct postgres_link *l) {
    if (l->state == POSTGRES_UP && l->up)
        (*l->up)--;
    PQfinish(l->conn); /* NULL ok; never waits: what cannot be sent at once is not */
    l->conn = NULL;
    l->state = POSTGRES_DOWN;
    l->queued = 0;
    l->doomed = false;
    memset(l->prepared, 0, (size_t)l->statement_count * sizeof *l->prepared);
}

void postgres_link_drop(struct postgres_link *l, const char *why) {
    int64_t now_us = clock_mono_us();
    say_why(l, why);
    bool was_up = l->state == POSTGRES_UP;
    disconnect(l);
    if (was_up) { /* the first try goes at once */
        l->backoff_us = 0;
        l->next_try_us = now_us;
        l->patient_until_us = now_us + l->patience_ms * US_PER_MS;
    } else {
        l->backoff_us = l->backoff_us ? l->backoff_us * 2 : BACKOFF_FIRST_US;
        if (l->backoff_us > POSTGRES_BACKOFF_MAX_MS * US_PER_MS)
            l->backoff_us = POSTGRES_BACKOFF_MAX_MS * US_PER_MS;
        l->next_try_us = now_us + l->backoff_us;
    }
    if (!l->failing)
        log_warn(l->log, "store: PostgreSQL: %s", l->why);
    l->failing = true;
}

void postgres_link_free(struct postgres_link *l) {
    disconnect(l);
    free(l->prepared);
    l->prepared = NULL;
}

/* --- connecting ------------------------------------------------------------------------------- */

/* A warning in the middle of a commit may mean that it was not replicated as it should be. */
static void on_notice(void *arg, const PGresult *r) {
    struct postgres_link *l = arg;
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity && !strcmp(severity, "WARNING"))
        l->doubt = true;
    if (severity && !strcmp(severity, "FATAL")) /* said unasked: it is closing the connection */
        l->doomed = true;
}

static void start(struct postgres_link *l) {
    const struct postgres_target *t = l->target;
    struct arena a;
    arena_init(&a, 1024);
    /* What stands before the URI may be set otherwise in it; what stands after it may not. */
    const char *const keys[] = {"fallback_application_name",
                                "target_session_attrs",
                                "tcp_user_timeout",
                                "keepalives_idle",
                                "keepalives_interval",
                                "keepalives_count",
                                "dbname",
                                "client_encoding",
                                "host",
                                "port",
                                t->hostaddr ? "hostaddr" : NULL,
                                NULL};
    const char *const values[] = {"lorry",
                                  t->replica ? "prefer-standby" : "read-write",
                                  "5000",
                                  "5",
                                  "2",
                                  "3",
                                  t->uri,
                                  "UTF8",
                                  rotated(&a, t->host, l->host_turn),
                                  rotated(&a, t->port, l->host_turn),
                                  rotated(&a, t->hostaddr, l->host_turn),
                                  NULL};
    l->conn = PQconnectStartParams(keys, values, 1);
    CHECK(l->conn); /* NULL: no memory */
    l->state = POSTGRES_CONNECTING;
    l->poll = PGRES_POLLING_WRITING;
    l->deadline_us = clock_mono_us() + POSTGRES_CONNECT_TIMEOUT_MS * US_PER_MS;
    arena_free(&a);
    if (PQstatus(l->conn) == CONNECTION_BAD)
        l->poll = PGRES_POLLING_FAILED;
}

/* Waits for the socket until UNTIL_US; false: it was not ready by then. */
static bool wait_socket(PGconn *conn, bool reading, bool writing, int64_t until_us) {
    for (;;) {
        int64_t left_us = until_us - clock_mono_us();
        struct pollfd p = {.fd = PQsocket(conn),
                           .events = (short)((reading ? POLLIN : 0) | (writing ? POLLOUT : 0))};
        if (p.fd < 0)
            return true; /* libpq will tell */
        int r = poll(&p, 1, left_us > 0 ? (int)((left_us + 999) / 1000) : 0);
        if (r > 0)
            return true;
        if (r == 0 && left_us <= 0)
            return false;
        CHECK(r == 0 || errno == EINTR);
    }
}

/* The session as Lorry needs it. A server-side time-out ends what its client no longer waits for.
 * Plans: tables grow from nothing, and statistics come late; every statement here is one that goes
 * through an index for each id it was given, so nothing else is to be considered. */
#define SESSION_SQL                                                                                \
    "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),"    \
    " set_config('idle_in_transaction_session_timeout', $1, false),"                               \
    " set_config('client_connection_check_interval', CASE WHEN version() LIKE '%linux%'"           \
    " THEN '1s' ELSE '0' END, false),"                                                             \
    " set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN"         \
    " ('off', 'local') THEN 'on' ELSE current_setting('synchronous_commit') END, false),"          \
    " set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),"    \
    " set_config('enable_mergejoin', 'off', false), set_config('enable_bitmapscan', 'off', "       \
    "false), set_config('jit', 'off', false),"                                                     \
    " set_config('plan_cache_mode', 'force_generic_plan', false),"                                 \
    " current_setting('server_version_num'), current_setting('server_encoding')"
#define SESSION_VERSION_COLUMN 11

struct session {
    int64_t version;
    bool utf8;
};

static void on_session(void *arg, int tag, const PGresult *r) {
    struct session *s = arg;
    (void)tag;
    s->version = postgres_i64(r, 0, SESSION_VERSION_COLUMN);
    s->utf8 = str_is(postgres_str(r, 0, SESSION_VERSION_COLUMN + 1), "UTF8");
}

/* An old server would refuse the settings: its version is asked before. */
static int set_session(struct postgres_link *l) {
    char timeout[16], lock[16];
    struct session session = {0};
    struct arena a;
    int version = PQserverVersion(l->conn);
    if (version < POSTGRES_SERVER_MIN) {
        snprintf(l->error.text, sizeof l->error.text,
                 "the server is PostgreSQL %d, Lorry needs %d or later", version / 10000,
                 POSTGRES_SERVER_MIN / 10000);
        return ERR_INVALID;
    }
    arena_init(&a, 512);
    snprintf(timeout, sizeof timeout, "%d", POSTGRES_STATEMENT_TIMEOUT_MS);
    snprintf(lock, sizeof lock, "%d", POSTGRES_LOCK_TIMEOUT_MS);
    struct postgres_params p = {.arena = &a};
    postgres_add_text(&p, str_from(timeout));
    postgres_add_text(&p, str_from(lock));
    postgres_add_once(l, 0, SESSION_SQL, &p);
    int r = postgres_run(l, POSTGRES_CONNECT_TIMEOUT_MS, on_session, &session);
    arena_free(&a);
    if (r == 0 && !session.utf8) {
        snprintf(l->error.text, sizeof l->error.text,
                 "the database is not in UTF-8: make one with CREATE DATABASE … ENCODING 'UTF8' "
                 "TEMPLATE template0");
        return ERR_INVALID;
    }
    return r;
}

/* The server has let us in: from here to a connection that is fit for use. */
static int finish_connecting(struct postgres_link *l) {
    PQsetNoticeReceiver(l->conn, on_notice, l);
    CHECK(PQsetnonblocking(l->conn, 1) == 0 && PQenterPipelineMode(l->conn) == 1);
    l->queued = 0;
    l->notified = true; /* there may be something */
    l->error = (struct postgres_error){0};
    int r = set_session(l);
    if (r == 0 && l->setup)
        r = l->setup(l->arg, l);
    if (r < 0) {
        if (l->conn)
            postgres_link_drop(l, l->error.text);
        return r == ERR_INVALID ? r : ERR_UNAVAILABLE;
    }
    l->state = POSTGRES_UP;
    if (l->up)
        (*l->up)++;
    if (l->was_up) {
        log_info(l->log, "store: PostgreSQL: connected again");
        if (l->reconnects)
            (*l->reconnects)++;
    }
    l->was_up = true;
    l->failing = false;
    l->backoff_us = 0;
    return 0;
}

/* Goes on with the try under way until UNTIL_US. 0: connected. */
static int go_on(struct postgres_link *l, int64_t until_us) {
    for (;;) {
        bool reading = l->poll == PGRES_POLLING_READING;
        if (l->poll == PGRES_POLLING_OK)
            return finish_connecting(l);
        if (l->poll == PGRES_POLLING_FAILED) {
            postgres_link_drop(l, PQerrorMessage(l->conn));
            return ERR_UNAVAILABLE;
        }
        int64_t limit_us = until_us < l->deadline_us ? until_us : l->deadline_us;
        if (wait_socket(l->conn, reading, !reading, limit_us)) {
            l->poll = PQconnectPoll(l->conn);
        } else if (clock_mono_us() >= l->deadline_us) {
            postgres_link_drop(l, "the server takes connections, but does not answer");
            l->host_turn = (l->host_turn + 1) % l->target->host_count;
            return ERR_UNAVAILABLE;
        } else {
            return ERR_UNAVAILABLE; /* so far */
        }
    }
}

static void sleep_until(int64_t at_us) {
    int64_t us = at_us - clock_mono_us();
    if (us > 0)
        nanosleep(&(struct timespec){us / US_PER_S, us % US_PER_S * 1000}, NULL);
}

static void take_notifications(struct postgres_link *l) {
    PGnotify *n;
    while ((n = PQnotifies(l->conn))) {
        l->notified = true;
        PQfreemem(n);
    }
}

int postgres_link_ready(struct postgres_link *l) {
    if (l->state == POSTGRES_UP) { /* one that has been closed meanwhile is noticed before use */
        bool sound = PQconsumeInput(l->conn);
        take_notifications(l);
        if (sound && !l->doomed && PQstatus(l->conn) == CONNECTION_OK)
            return 0;
        postgres_link_drop(l, l->doomed ? "the server closed the connection"
                                        : PQerrorMessage(l->conn));
    }
    for (;;) {
        int64_t now_us = clock_mono_us();
        if (l->state == POSTGRES_DOWN && now_us < l->next_try_us) {
            if (l->next_try_us >= l->patient_until_us)
                return ERR_UNAVAILABLE;
            sleep_until(l->next_try_us);
        }
        if (l->state == POSTGRES_DOWN)
            start(l);
        int64_t until_us = l->patient_until_us > now_us ? l->patient_until_us : now_us;
        if (go_on(l, until_us) == 0)
            return 0;
        if (clock_mono_us() >= l->patient_until_us)
            return ERR_UNAVAILABLE;
    }
}

int postgres_link_open(struct postgres_link *l) {
    int r = ERR_UNAVAILABLE;
    for (int i = 0; i < l->target->host_count && r == ERR_UNAVAILABLE; i++) {
        int turn = l->host_turn;
        start(l);
        r = go_on(l, INT64_MAX);
        if (r < 0 && l->host_turn == turn)
            break; /* it was refused by all of them, or let in and sent away */
    }
    return r;
}

/* --- round trips ------------------------------------------------------------------------------ */

static const int binary[POSTGRES_PARAMS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static void begin_trip(struct postgres_link *l) {
    if (l->queued == 0) {
        l->send_failed = l->sent = l->doubt = false;
        l->error = (struct postgres_error){.at = -1};
    }
}

static void queue(struct postgres_link *l, int what) {
    CHECK(l->queued < POSTGRES_QUEUE_MAX);
    l->queue[l->queued++] = (int16_t)what;
}

void postgres_add(struct postgres_link *l, int tag, int statement, const char *sql,
                  const struct postgres_params *p) {
    char name[16];
    CHECK(statement < l->statement_count && tag >= 0);
    begin_trip(l);
    snprintf(name, sizeof name, "s%d", statement);
    if (!l->prepared[statement]) {
        l->send_failed |= !PQsendPrepare(l->conn, name, sql, p->count, p->types);
        queue(l, ~statement);
        l->prepared[statement] = true; /* forgotten again if it was refused */
    }
    l->send_failed |=
        !PQsendQueryPrepared(l->conn, name, p->count, p->values, p->lengths, binary, 0);
    queue(l, tag);
}

void postgres_add_once(struct postgres_link *l, int tag, const char *sql,
                       const struct postgres_params *p) {
    begin_trip(l);
    l->send_failed |= !PQsendQueryParams(l->conn, sql, p ? p->count : 0, p ? p->types : NULL,
                                         p ? p->values : NULL, p ? p->lengths : NULL, binary, 0);
    queue(l, tag);
}

static void note_error(struct postgres_link *l, int at, const PGresult *r) {
    if (l->error.at >= 0)
        return; /* the first one is the cause */
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    if (!state)
        return; /* libpq's own: the connection is gone */
    snprintf(l->error.sqlstate, sizeof l->error.sqlstate, "%s", state);
    snprintf(l->error.text, sizeof l->error.text, "%s", text ? text : "?");
    l->error.fatal = severity && (!strcmp(severity, "FATAL") || !strcmp(severity, "PANIC"));
    l->error.at = at;
}

/* Takes what has arrived. *AT is the statement whose results come next. True: the answer to the
 * Sync is there. False: there will be more, or the connection is gone. */
static bool take_results(struct postgres_link *l, int *at, postgres_result_fn on_result,
                         void *arg) {
    bool gap = false; /* two in a row mean that nothing more is expected */
    while (!PQisBusy(l->conn)) {
        PGresult *r = PQgetResult(l->conn);
        if (!r) {
            if (gap)
                return false;
            gap = true;
            (*at)++;
            continue;
        }
        gap = false;
        ExecStatusType status = PQresultStatus(r);
        int what = *at < l->queued ? l->queue[*at] : INT16_MAX;
        if (status == PGRES_FATAL_ERROR)
            note_error(l, *at, r);
        bool bad = status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED;
        if (bad && what < 0)
            l->prepared[~what] = false;
        if (status == PGRES_TUPLES_OK && what >= 0 && what != INT16_MAX && on_result)
            on_result(arg, what, r);
        PQclear(r);
        if (status == PGRES_PIPELINE_SYNC)
            return true;
        if (PQstatus(l->conn) == CONNECTION_BAD)
            return false;
    }
    return false;
}

/* Sends and receives until the Sync is answered. ERR_TIMEOUT, ERR_UNAVAILABLE: it was not. */
static int converse(struct postgres_link *l, int64_t until_us, postgres_result_fn on_result,
                    void *arg) {
    int at = 0;
    if (l->send_failed || !PQpipelineSync(l->conn))
        return ERR_UNAVAILABLE;
    for (;;) {
        int pending = PQflush(l->conn);
        if (pending == 0)
            l->sent = true;
        if (take_results(l, &at, on_result, arg))
            return 0;
        if (pending < 0 || PQstatus(l->conn) == CONNECTION_BAD)
            return ERR_UNAVAILABLE;
        if (!wait_socket(l->conn, true, pending > 0, until_us))
            return ERR_TIMEOUT;
        if (!PQconsumeInput(l->conn)) {
            take_results(l, &at, on_result, arg); /* its last words */
            return ERR_UNAVAILABLE;
        }
    }
}

static int code_of(const struct postgres_error *e) {
    static const struct {
        const char *state;
        int code;
    } codes[] = {{"53100", ERR_FULL},        {"53", ERR_BUSY},    {"40", ERR_AGAIN},
                 {"57014", ERR_BUSY},        {"55P03", ERR_BUSY}, {"57P", ERR_UNAVAILABLE},
                 {"25006", ERR_UNAVAILABLE}, {"22", ERR_INVALID}};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (!strncmp(e->sqlstate, codes[i].state, strlen(codes[i].state)))
            return codes[i].code;
    return ERR_IO;
}

/* The server answered the Sync, but refused a statement. */
static int refused(struct postgres_link *l) {
    int code = code_of(&l->error);
    if (code == ERR_IO)
        log_error(l->log, "store: PostgreSQL: %s (%s)", l->error.text, l->error.sqlstate);
    /* A server that no longer takes writes, or a statement that no longer fits the tables: a new
     * connection finds another, or prepares anew. */
    if (code == ERR_IO || code == ERR_UNAVAILABLE)
        postgres_link_drop(l, l->error.text);
    return code;
}

int postgres_run(struct postgres_link *l, int32_t timeout_ms, postgres_result_fn on_result,
                 void *arg) {
    int statements = l->queued;
    CHECK(statements > 0);
    int r = converse(l, clock_mono_us() + timeout_ms * US_PER_MS, on_result, arg);
    l->queued = 0;
    if (r == 0) {
        take_notifications(l);
        return l->error.at >= 0 ? refused(l) : 0;
    }
    bool before_commit = !l->sent || (l->error.at >= 0 && l->error.at < statements);
    if (!l->error.text[0])
        snprintf(l->error.text, sizeof l->error.text, "%s",
                 r == ERR_TIMEOUT ? "the server does not answer" : PQerrorMessage(l->conn));
    postgres_link_drop(l, l->error.text);
    return before_commit ? ERR_UNAVAILABLE : ERR_UNKNOWN;
}
