/* Blobs in a bucket of S3, or of a server that speaks its protocol (MinIO, Ceph, Garage): one
 * object a blob, PREFIX/ab/cdef…, addressed by path, requests signed by AWS's Signature 4.
 *
 * Removing first asks when the object was last put, and then removes it: who puts the same bytes
 * between the two, after an hour in which nobody did, would lose them. The two requests follow each
 * other at once; S3 has no one request for both.
 */
#ifndef LORRY_ADAPTERS_CURL_CURL_BLOBS_H
#define LORRY_ADAPTERS_CURL_CURL_BLOBS_H

#include "base/arena.h"
#include "ports/blobs.h"

struct curl_blobs_options {
    const char *url;     /* s3://KEY:SECRET@HOST:PORT/BUCKET/PREFIX?region=R; s3+http:// */
    const char *ca_file; /* PEM of who may vouch for the server; NULL: the system's */
    int64_t timeout_ms;  /* of one request; 0: 30 s */
};
/* Connects to nothing yet. On failure *RET_WHY, in A, says in a sentence what is wrong. */
int curl_blobs_open(const struct curl_blobs_options *o, struct arena *a, struct blobs **ret_blobs,
                    struct str *ret_why);

#endif
