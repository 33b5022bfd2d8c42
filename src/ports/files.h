/* The files port: what other services do with files that were uploaded (POST /v1/files). A file
 * belongs to whoever uploaded it until a service attaches it to something of its own; from then on
 * it stays for as long as that does, and whoever may see the one may read the other. What is
 * attached to nothing is removed after a day.
 *
 * A service attaches first and names the file in its own document afterwards: what it names is
 * there. If it fails in between, the file stays with nobody naming it, which costs its bytes only.
 * It lets a file go by the event "file.released" (events/events.h), written with the change that
 * drops the name.
 *
 * Adapters: the files service; in tests a fake.
 */
#ifndef LORRY_PORTS_FILES_H
#define LORRY_PORTS_FILES_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum file_type { FILE_NONE, FILE_JPEG, FILE_PNG, FILE_PDF, FILE_TYPE_COUNT };
extern const char *const file_type_names[]; /* [0] is NULL, "image/jpeg", …, ends with NULL */
#define FILE_TYPES(t) (1u << (t))
#define FILE_IMAGES (FILE_TYPES(FILE_JPEG) | FILE_TYPES(FILE_PNG))

#define FILE_CLAIMS_MAX 4 /* files of one request */

struct call;
struct response;
/* One file of a request. */
struct file_claim {
    struct str id;       /* "fil_…", as the client sent it */
    const char *pointer; /* where in the body it stood: "/file_id" */
    unsigned types;      /* FILE_TYPES that will do */
    /* NULL: attach replies if it cannot be. Else what it would reply is put here, no more of the
     * claims are tried, and THEN goes on: for who must look first whether the request was answered
     * before. */
    struct response *refusal;
    /* filled */
    struct str sha256;
    int32_t type; /* enum file_type */
    int64_t size;
};

struct files;
/* All are attached, durably: the claims are filled, and the call is the service's again, on the
 * executor's thread: it goes on with call_command(), or replies. */
typedef void (*files_then_fn)(struct call *c, struct file_claim *claims, int32_t count, void *arg);

struct files_ops {
    /* Attaches the files of CLAIMS (in C's arena) to SUBJECT ("bkg_…"), for the account that sent
     * C, which must have uploaded them. Twice is the same as once. Replies itself if that cannot
     * be: 422 with the claim's pointer (no such file, of another account, attached to something
     * else, of another type), 503. COUNT may be 0. */
    void (*attach)(struct files *f, struct call *c, struct str subject, struct file_claim *claims,
                   int32_t count, files_then_fn then, void *arg);
    /* Answers C, a GET, with the file's bytes; whether C may have them the caller has decided.
     * SUBJECT: it must be attached to this, else 404. */
    void (*serve)(struct files *f, struct call *c, struct str id, struct str subject);
};
struct files {
    const struct files_ops *ops;
};

/* Who may read what is attached to something of a service: asked on a network thread. */
struct file_viewer {
    const char *prefix; /* of subjects: "bkg" */
    bool (*may_see)(void *arg, struct call *c, struct str subject);
    void *arg;
};

#endif
