/* Taking blobs away. What is lost of it (a queue that is full, a process that ends) the record's
 * next wake-up does again. */
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "services/files/internal.h"

#include <stdlib.h>

struct sweep {
    struct crew_job job; /* first */
    struct files_service *service;
    struct arena arena;
    struct str id, sha256;
};

static void sweep_free(struct sweep *w) {
    arena_free(&w->arena);
    free(w);
}

static void run(struct crew_job *job, bool closing) {
    struct sweep *w = (struct sweep *)job;
    struct files_service *s = w->service;
    struct blobs *b = s->o.blobs;
    int64_t young_s = s->o.kept_us / FILE_YOUNG_PART / US_PER_S;
    int err = closing ? ERR_BUSY : b->ops->remove(b, w->sha256, young_s);
    if (err < 0 && err != ERR_BUSY)
        log_warn(s->o.log, "a file could not be taken away yet: %s", err_text(err));
    if (err == 0)
        s->sweeps++;
    if (err >= 0)
        executor_send(s->executor, &file_forget_type, s, w->id, NULL, 0);
    sweep_free(w);
}

void files_sweep(struct files_service *s, struct str id, struct str sha256) {
    struct sweep *w = xcalloc(1, sizeof *w);
    arena_init(&w->arena, 512);
    w->job.run = run;
    w->service = s;
    w->id = arena_str(&w->arena, id);
    w->sha256 = arena_str(&w->arena, sha256);
    if (crew_submit(s->crew, &w->job) < 0)
        sweep_free(w);
}
