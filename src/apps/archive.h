/* The file of `lorry export` (docs/backup.md): a JSON object a line. The first tells what it is,
 * the last what was in it; between them a line for each record of a store. A record is always
 * written the same way, whatever kind of store it comes from (members of a state in the order of
 * their names, numbers by their value), so that what two stores hold can be compared by checksums.
 *
 * One thread. What a read gives lives in the arena it was given.
 */
#ifndef LORRY_APPS_ARCHIVE_H
#define LORRY_APPS_ARCHIVE_H

#include "apps/parts.h"
#include "ports/dump.h"

#include <stdio.h>

#define ARCHIVE_FORMAT 1
#define ARCHIVE_LINE_MAX ((size_t)64 << 20)
#define ARCHIVE_PARTS_MAX (COLLECTIONS_MAX + STORE_RECORD_KINDS)
#define ARCHIVE_SUM_BYTES 16
#define ARCHIVE_DIGEST_BYTES 32

/* How many records of each part there are (each collection, then events, dedupe keys, answers), and
 * the sum of their checksums, which does not hang on their order. */
struct archive_tally {
    struct archive_part {
        int64_t records;
        unsigned char sum[ARCHIVE_SUM_BYTES];
    } parts[ARCHIVE_PARTS_MAX];
    const struct store_collection *collections[COLLECTIONS_MAX];
    int collection_count;
    int64_t records;
    struct json_parser *parser;
};
void archive_tally_init(struct archive_tally *t);
void archive_tally_free(struct archive_tally *t);
/* ERR_INVALID: its state is no JSON object. *RET_LINE, in A, is how it is written. */
int archive_tally_add(struct archive_tally *t, const struct store_record *r, struct arena *a,
                      struct str *ret_line);
/* The name of the first part in which they differ, NULL if they are the same. */
const char *archive_tally_differ(const struct archive_tally *a, const struct archive_tally *b);
const char *archive_part_name(const struct archive_tally *t, int part);

struct archive_out;
/* Writes the first line. OUT stays the caller's. */
struct archive_out *archive_out_new(FILE *out, struct str store);
int archive_out_add(struct archive_out *o, const struct store_record *r, struct arena *a);
/* Writes the last line, and flushes. ERR_FULL, ERR_IO. */
int archive_out_end(struct archive_out *o);
const struct archive_tally *archive_out_tally(const struct archive_out *o);
int64_t archive_out_bytes(const struct archive_out *o);
struct archive_out *archive_out_free(struct archive_out *o);

struct archive_in;
/* Reads the first line. ERR_INVALID: it is no export, or not one that this Lorry can read. */
int archive_in_new(FILE *in, struct arena *a, struct archive_in **ret_in, struct str *ret_why);
/* 1: a record. 0: the end, and all was as it was written. ERR_CORRUPT, ERR_INVALID, ERR_IO. */
int archive_in_next(struct archive_in *i, struct arena *a, struct store_record *ret_record,
                    struct str *ret_why);
const struct archive_tally *archive_in_tally(const struct archive_in *i);
int64_t archive_in_bytes(const struct archive_in *i);
struct archive_in *archive_in_free(struct archive_in *i); /* NULL ok; returns NULL */

#endif
