/* Is a file what it says it is? Pictures are decoded to their last row, within bounds; of PDFs the
 * outer form is looked at, no more. What is kept of a picture is the picture: everything that says
 * where, when and with what it was taken is left out.
 *
 * Any thread; nothing is shared.
 */
#ifndef LORRY_SERVICES_FILES_INSPECT_H
#define LORRY_SERVICES_FILES_INSPECT_H

#include "base/arena.h"
#include "ports/files.h"

/* 25 million pixels are more than a phone's ordinary picture. Of a progressive JPEG all of it is in
 * memory at once, two bytes a sample. */
#define IMAGE_SIDE_MAX 12000
#define IMAGE_PIXELS_MAX (INT64_C(25) * 1000 * 1000)
#define IMAGE_MEMORY_MAX (INT64_C(160) << 20)
#define IMAGE_SCANS_MAX 100 /* of a progressive JPEG: each is a walk over all of it */

struct inspection {
    struct str bytes;      /* what is to be kept; in the arena, or BYTES itself */
    int64_t width, height; /* as stored, before it is turned; 0: it has none */
};
/* ERR_INVALID: it is not, and *RET_WHY (a static text) says what is wrong. */
int inspect(enum file_type type, struct str bytes, struct arena *a, struct inspection *ret,
            const char **ret_why);

#endif
