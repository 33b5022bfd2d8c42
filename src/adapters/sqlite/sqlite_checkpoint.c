/* Checkpoints: what is in the write-ahead log moves into the database file, so that the log can
 * begin again at its start. SQLite's own way does all of it within the commit that passes a limit,
 * which then takes some 50 ms. Here a thread with its own connection does it beside the writer
 * (a PASSIVE checkpoint holds up nobody); but the log only begins again once all of it has been
 * moved, and a busy writer has added to it meanwhile. So the writer itself moves that short tail
 * when the thread is done. If the thread cannot keep up the writer does the whole at
 * WAL_PAGES_MAX: the log stays bounded.
 *
 * Threads: the hook runs on the writer's thread, under no lock of SQLite's; `moved` and `done` are
 * all that the two sides share beside the condition.
 */
#include "adapters/sqlite/sqlite_private.h"

#include "base/arena.h"
#include "base/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WAL_PAGES 8000      /* 32 MB not yet moved: the thread begins */
#define WAL_TAIL_PAGES 4000 /* the writer moves no more than this beside its own work */
#define WAL_PAGES_MAX 64000 /* 256 MB: the writer moves everything */

struct sqlite_checkpointer {
    sqlite3 *db; /* the thread's */
    int begin_pages;
    const struct log *log;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool wanted, stop; /* under the lock */
    _Atomic int moved; /* pages of the log that are in the database file */
    _Atomic bool done; /* the thread has moved what there was; the writer has not looked yet */
};

/* Moves what can be moved; returns how many pages of the log have been, or -1. */
static int checkpoint(struct sqlite_checkpointer *c, sqlite3 *db) {
    int pages = -1, moved = -1;
    int rc = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
    if (rc == SQLITE_OK)
        return moved;
    if ((rc & 0xff) != SQLITE_BUSY) /* a full disk: the log grows, and commits fail in the end */
        log_warn(c->log, "store: checkpoint: %s", sqlite3_errmsg(db));
    return -1;
}

static void *run(void *arg) {
    struct sqlite_checkpointer *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        if (!c->wanted) {
            pthread_cond_wait(&c->wake, &c->lock);
            continue;
        }
        pthread_mutex_unlock(&c->lock);
        int moved = checkpoint(c, c->db);
        pthread_mutex_lock(&c->lock);
        c->wanted = false;
        if (moved >= 0) {
            c->moved = moved;
            c->done = true;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* After each commit of the writer; PAGES are in the log now. */
static int on_commit(void *arg, sqlite3 *db, const char *name, int pages) {
    struct sqlite_checkpointer *c = arg;
    (void)name;
    if (pages < c->moved)
        c->moved = 0; /* the log has begun again */
    bool tail = c->done && pages - c->moved <= WAL_TAIL_PAGES;
    if (tail || pages >= WAL_PAGES_MAX) {
        c->done = false;
        int moved = checkpoint(c, db);
        if (moved >= 0)
            c->moved = moved;
    } else if (pages - c->moved >= c->begin_pages) {
        pthread_mutex_lock(&c->lock);
        c->wanted = true;
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->lock);
    }
    return SQLITE_OK;
}

void sqlite_checkpointer_watch(struct sqlite_checkpointer *c, sqlite3 *writer) {
    sqlite3_wal_hook(writer, on_commit, c);
}

struct sqlite_checkpointer *sqlite_checkpointer_start(sqlite3 *db, const struct sqlite_options *o) {
    struct sqlite_checkpointer *c = xcalloc(1, sizeof *c);
    sigset_t all, before;
    c->db = db;
    c->log = o->log;
    c->begin_pages = o->checkpoint_pages ? o->checkpoint_pages : WAL_PAGES;
    CHECK(pthread_mutex_init(&c->lock, NULL) == 0 && pthread_cond_init(&c->wake, NULL) == 0);
    sigfillset(&all); /* signals are for the threads that expect them */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&c->thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    CHECK(r == 0);
    return c;
}

struct sqlite_checkpointer *sqlite_checkpointer_stop(struct sqlite_checkpointer *c) {
    if (!c)
        return NULL;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->wake);
    free(c);
    return NULL;
}
