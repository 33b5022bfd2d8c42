/* A copy of the database of a folder while a server works on it, and the look at such a copy.
 *
 * The copy is of one moment: a read transaction is held from the first count to the last page,
 * which hinders no writer (its log grows meanwhile). It is one file without a log beside it.
 *
 * Any thread; nothing is kept between calls.
 */
#ifndef LORRY_ADAPTERS_SQLITE_BACKUP_H
#define LORRY_ADAPTERS_SQLITE_BACKUP_H

#include "adapters/sqlite/sqlite_store.h"

#define SQLITE_TABLES_MAX 128

/* What is in a database: the rows of each table, in the order of their names. */
struct sqlite_census {
    int32_t schema; /* the version of the tables that belong to no collection */
    int32_t count;
    struct sqlite_table_rows {
        struct str name;
        int64_t rows;
    } tables[SQLITE_TABLES_MAX];
};

typedef void (*sqlite_progress_fn)(void *arg, int64_t done_bytes, int64_t all_bytes);

/* Copies DIR's database to the new file TO (0600) and makes it durable there, folder entry aside.
 * What is in it, names in A, goes to *RET_CENSUS. ERR_NOT_FOUND: there is no database. ERR_INVALID:
 * not ours, or of a newer Lorry. ERR_FULL, ERR_IO, ERR_CORRUPT, ERR_CONFLICT: TO is there already.
 * After a failure TO may be there in part. */
int sqlite_copy(const char *dir, const char *to, sqlite_progress_fn progress, void *arg,
                struct arena *a, struct sqlite_census *ret_census, struct str *ret_why);
/* Reads all of the copy PATH: is it ours, of a schema that this Lorry knows, and sound? Changes
 * nothing. ERR_INVALID, ERR_CORRUPT, ERR_IO. */
int sqlite_copy_check(const char *path, struct arena *a, struct sqlite_census *ret_census,
                      struct str *ret_why);
/* The first table with rows that is neither a collection of COLLECTIONS nor the store's own;
 * absent: there is none. A newer Lorry may have left it. */
struct str sqlite_census_stranger(const struct sqlite_census *c,
                                  const struct store_collection *const *collections, int count);

#endif
