/* The error codes that functions return: 0 is success, every failure is negative. Functions leave
 * their ret_ outputs untouched when they fail.
 */
#ifndef LORRY_BASE_ERR_H
#define LORRY_BASE_ERR_H

enum err {
    ERR_NOT_FOUND = -1,   /* no such document, key, route */
    ERR_CONFLICT = -2,    /* somebody else's version; load and decide again */
    ERR_DUPLICATE = -3,   /* this dedupe key has had its effect already */
    ERR_BUSY = -4,        /* try again soon: locked, overloaded */
    ERR_FULL = -5,        /* a bounded queue, or the disk, has no room */
    ERR_IO = -6,          /* the disk or the network said no */
    ERR_INVALID = -7,     /* malformed input */
    ERR_LIMIT = -8,       /* a named maximum was passed */
    ERR_TIMEOUT = -9,     /* no answer in time */
    ERR_UNKNOWN = -10,    /* a commit whose answer was lost: it may or may not be there */
    ERR_AGAIN = -11,      /* not in this batch: decide again in the next one */
    ERR_DENIED = -12,     /* not allowed */
    ERR_CORRUPT = -13,    /* stored data that cannot be what was written */
    ERR_UNAVAILABLE = -14 /* the other side is not there */
};

/* A constant English phrase for CODE (0 included). Any thread. */
const char *err_text(int code);

#endif
