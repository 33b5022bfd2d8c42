/* The insides of the files service, shared by its files only. */
#ifndef LORRY_SERVICES_FILES_INTERNAL_H
#define LORRY_SERVICES_FILES_INTERNAL_H

#include "services/files/crew.h"
#include "services/files/files_service.h"
#include "services/files/record.h"

struct files_service {
    struct files port; /* first */
    struct files_options o;
    struct executor *executor;
    struct crew *crew;
    struct file_viewer viewers[FILES_VIEWERS_MAX];
    int32_t viewer_count;
    _Atomic uint64_t uploads, upload_bytes, refused, served, sweeps, damaged;
};

/* A command of C's account that is not the last of its request: FINISH gets it back. */
void files_step(struct files_service *s, struct call *c, const struct command_type *type,
                struct str id, void *args,
                void (*finish)(struct command *cmd, int result, struct response *response),
                void *finish_arg);

void files_upload(struct call *c); /* upload.c */
void files_get(struct call *c);    /* serve.c */
void files_serve(struct files *f, struct call *c, struct str id, struct str subject);
void files_attach(struct files *f, struct call *c, struct str subject, struct file_claim *claims,
                  int32_t count, files_then_fn then, void *arg); /* attach.c */
/* Takes the blob SHA256 away and then the record ID; if that cannot be now, its next wake-up tries
 * again. Executor's thread. */
void files_sweep(struct files_service *s, struct str id, struct str sha256); /* sweep.c */

#endif
