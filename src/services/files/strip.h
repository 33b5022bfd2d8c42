/* The parts of a picture file that make the picture, without the rest. */
#ifndef LORRY_SERVICES_FILES_STRIP_H
#define LORRY_SERVICES_FILES_STRIP_H

#include "base/arena.h"
#include "base/str.h"

/* What is left of a JPEG without comments and application segments: kept are JFIF's, Adobe's, the
 * colour profile, and of EXIF the orientation alone, in a segment of our making. Everything after
 * the first scan's header is taken over as it is. ERR_INVALID: it is not made as a JPEG is. */
int strip_jpeg(struct str bytes, struct arena *a, struct str *ret_bytes);
/* The same for a PNG: kept are the chunks that the picture and its colours need; what follows its
 * end is cut off. */
int strip_png(struct str bytes, struct arena *a, struct str *ret_bytes);

#endif
