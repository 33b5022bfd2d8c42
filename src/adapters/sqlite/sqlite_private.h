/* What the parts of the sqlite store share: sqlite_source.c (folder, lock, handles),
 * sqlite_schema.c (migrations, tables) and sqlite_store.c (the port's operations on one handle).
 */
#ifndef LORRY_ADAPTERS_SQLITE_PRIVATE_H
#define LORRY_ADAPTERS_SQLITE_PRIVATE_H

#include "adapters/sqlite/sqlite_store.h"

#include "ports/dump.h"

#include <sqlite3.h>

#define SQLITE_BUSY_TIMEOUT_MS 2000
#define SQLITE_SQL_MAX 1024 /* bytes of one statement's text */

/* Is this file Lorry's, and not newer than this Lorry? Writes nothing. */
int sqlite_schema_check(sqlite3 *db, struct arena *a, struct str *ret_why);

/* Is this the name of a table that belongs to no collection? */
bool sqlite_schema_own(struct str table);

/* Makes the database ready for its collections: migrates it, makes missing tables and indexes. */
int sqlite_schema_prepare(sqlite3 *db, const struct sqlite_options *o, struct arena *a,
                          struct str *ret_why);

/* The port's code for SQLite's RC (not OK). */
int sqlite_error(int rc);
/* The same for the last error of DB, with a sentence for people: "cannot <DOING>: …". */
int sqlite_failed(sqlite3 *db, struct arena *a, const char *doing, struct str *ret_why);

/* A connection on PATH that reads one moment of it, from now until it is closed, whatever others
 * write: ours, and not of a newer Lorry. */
int sqlite_snapshot_open(const char *path, struct arena *a, sqlite3 **ret_db, struct str *ret_why);

/* sqlite_dump.c: PATH and O outlive what is opened. */
int sqlite_dump_open(const char *path, const struct sqlite_options *o, struct arena *a,
                     struct store_dump **ret_dump, struct str *ret_why);
int sqlite_load_open(const char *path, const struct sqlite_options *o, struct arena *a,
                     struct store_load **ret_load, struct str *ret_why);
/* What is in DB now. */
struct sqlite_census;
int sqlite_census_take(sqlite3 *db, struct arena *a, struct sqlite_census *ret,
                       struct str *ret_why);

/* A thread that makes checkpoints on DB (its own from then on, until stop) when a watched writer's
 * log has grown. Writers are closed before stop. */
struct sqlite_checkpointer;
struct sqlite_checkpointer *sqlite_checkpointer_start(sqlite3 *db, const struct sqlite_options *o);
void sqlite_checkpointer_watch(struct sqlite_checkpointer *c, sqlite3 *writer);
struct sqlite_checkpointer *sqlite_checkpointer_stop(struct sqlite_checkpointer *c);

/* Takes DB over: the handle closes it. */
struct store *sqlite_store_new(sqlite3 *db, bool writer, const struct sqlite_options *o);

/* A column of documents: the key of index I. Prefixed, because an index may be called like one of
 * the fixed columns. */
#define SQLITE_KEY_COLUMN "by_%s"

#endif
