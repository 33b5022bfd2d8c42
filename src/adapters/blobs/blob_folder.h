/* Blobs in a folder: DIR/ab/cdef…, each written beside, synced and renamed, the folder synced after
 * it. A file's time of modification says when it was last put. Several processes may use one folder
 * if their machines share it with locks (flock) that hold.
 */
#ifndef LORRY_ADAPTERS_BLOBS_BLOB_FOLDER_H
#define LORRY_ADAPTERS_BLOBS_BLOB_FOLDER_H

#include "base/arena.h"
#include "ports/blobs.h"

/* Makes DIR if it is missing. On failure *RET_WHY, in A, says in a sentence what is wrong. */
int blob_folder_open(const char *dir, struct arena *a, struct blobs **ret_blobs,
                     struct str *ret_why);

#endif
