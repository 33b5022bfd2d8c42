/* Files and folders of a back-up: copies with their checksums, durable ones, whole trees. A failure
 * says in *RET_WHY (in A) what could not be done to which file.
 */
#ifndef LORRY_APPS_FOLDER_H
#define LORRY_APPS_FOLDER_H

#include "base/arena.h"

#define FOLDER_PATH_MAX 1024
#define FOLDER_DEPTH_MAX 8 /* folders in folders */
#define FOLDER_FILES_MAX 1000000
#define FOLDER_SHA256_HEX 65 /* with the NUL */

/* ERR_FULL when there is no room, else ERR_IO; *RET_WHY: "cannot DOING PATH: …". */
int folder_failed(const char *doing, const char *path, struct arena *a, struct str *ret_why);

/* Is there nothing in PATH, or no PATH? */
bool folder_is_empty(const char *path);
/* Makes PATH and what is missing above it, 0700. */
int folder_make(const char *path, struct arena *a, struct str *ret_why);
/* Makes the entries of PATH durable. */
int folder_sync(const char *path, struct arena *a, struct str *ret_why);
/* Takes PATH away with all that is in it, as far as that goes; absent is fine. */
void folder_remove(const char *path);

/* Reads all of PATH. SHA is its SHA-256 in hex. */
int folder_digest(const char *path, struct arena *a, char ret_sha[FOLDER_SHA256_HEX],
                  int64_t *ret_bytes, struct str *ret_why);
/* FROM becomes the new file TO (0600), durable, with its checksum. What is missing above TO is
 * made. ERR_NOT_FOUND: FROM has gone meanwhile. */
int folder_copy(const char *from, const char *to, struct arena *a, char ret_sha[FOLDER_SHA256_HEX],
                int64_t *ret_bytes, struct str *ret_why);
/* BYTES become the new file PATH, durable. */
int folder_write(const char *path, struct str bytes, struct arena *a, struct str *ret_why);
/* All of PATH, at most MAX bytes (ERR_LIMIT). */
int folder_read(const char *path, size_t max, struct arena *a, struct str *ret_bytes,
                struct str *ret_why);

/* Each plain file below ROOT, in the order of the names, with its path from there ("files/a.jpg").
 * EACH returns < 0 to stop. Links and what else is no file are passed over. */
int folder_walk(const char *root, int (*each)(void *arg, const char *path), void *arg,
                struct arena *a, struct str *ret_why);

#endif
