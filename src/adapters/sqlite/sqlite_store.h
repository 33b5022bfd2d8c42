/* The sqlite store: the store port on one SQLite file (WAL, synchronous=FULL) in a folder of its
 * own. A source holds the folder's lock and opens handles: one writer, any number of readers, each
 * owned by one thread. A batch of changes is one transaction.
 *
 *   DIR/lorry.db, -wal, -shm   the database
 *   DIR/lorry.lock             held while a server runs; contains its pid
 */
#ifndef LORRY_ADAPTERS_SQLITE_STORE_H
#define LORRY_ADAPTERS_SQLITE_STORE_H

#include "base/log.h"
#include "ports/store.h"

#define SQLITE_STORE_SCHEMA 2 /* the version of the tables that belong to no collection */
#define SQLITE_STORE_COLLECTIONS_MAX 64

struct sqlite_options {
    const char *dir;                                   /* made if it is not there, mode 0700 */
    const struct store_collection *const *collections; /* outlive the source */
    int collection_count;
    /* Open beside a running server (`lorry user add`): the folder's lock is neither needed nor
     * taken. SQLite's own locks keep the data sound. */
    bool beside;
    const struct log *log; /* NULL: none */
    /* For tests. The largest size of the database in pages, 0: as far as the disk goes. */
    int32_t pages_max;
    /* For tests. Pages in the log at which a checkpoint begins, 0: the usual 8000. */
    int32_t checkpoint_pages;
};

struct sqlite_source;

/* Opens the folder: lock, file, migrations, tables, indexes. On failure *RET_WHY (in A) says in a
 * sentence what is wrong and what to do.
 * ERR_BUSY: another process serves this folder (its pid is told). ERR_INVALID: a file made by a
 * newer Lorry, or by something else, or with other columns. ERR_CORRUPT: damaged. ERR_IO,
 * ERR_FULL. */
int sqlite_source_open(const struct sqlite_options *o, struct arena *a,
                       struct sqlite_source **ret_source, struct str *ret_why);
/* The port's view: opens handles. Any thread. Lives as long as the source. */
struct store_source *sqlite_source_port(struct sqlite_source *s);
/* After all handles are closed: lets the folder go. NULL ok; returns NULL. */
struct sqlite_source *sqlite_source_close(struct sqlite_source *s);

#endif
