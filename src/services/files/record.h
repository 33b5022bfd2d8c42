/* The record of an uploaded file, and the decisions on it. */
#ifndef LORRY_SERVICES_FILES_RECORD_H
#define LORRY_SERVICES_FILES_RECORD_H

#include "runtime/service.h"

struct file {
    struct aggregate_head head;  /* "fil_…" */
    struct str owner_id;         /* who uploaded it: "usr_…" */
    struct str sha256;           /* of what is kept: the blob's name */
    int32_t type;                /* enum file_type */
    int64_t size, width, height; /* pixels; absent: it has none */
    bool ready;                  /* its blob is known to be there */
    struct str subject;          /* what it is attached to: "bkg_…"; absent: nothing */
    int64_t created_at_us;
    int64_t expires_at_us; /* unless something names it before */
    int64_t dropped_at_us; /* 0: it is there. Else nobody gets it, and what is left goes */
    int64_t again_at_us;   /* of what is dropped: the next try */
};
extern const struct store_collection file_collection;
extern const struct aggregate file_aggregate;

/* A blob that was put within this part of the time that files are kept is not removed: whoever put
 * it may not have heard of it yet. */
#define FILE_YOUNG_PART 24

struct file_make_args {
    struct file file; /* what to keep; head apart */
};
extern const struct command_type file_make_type;  /* 201 with the file's view */
extern const struct command_type file_ready_type; /* the same, once its blob is there */

struct file_attach_args {
    struct str subject;
    struct file_claim *claim; /* filled by applied; its id is the command's */
};
/* 204, or 422 whose "errors" name the claim's pointer. */
extern const struct command_type file_attach_type;

struct file_release_args {
    struct str subject;
};
extern const struct command_type file_release_type; /* of an event */
extern const struct command_type file_wake_type;    /* its time has come */
extern const struct command_type file_forget_type;  /* its blob is gone, or has another record */

struct str file_view(struct arena *a, const struct file *f);

#endif
