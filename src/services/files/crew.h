/* A few threads for work that waits for a disk or takes a processor's time: reading pictures,
 * writing and reading blobs. At most `queue_max` jobs wait; who comes then is turned away.
 *
 * The simulator has no threads: its crew works at once, inside submit.
 */
#ifndef LORRY_SERVICES_FILES_CREW_H
#define LORRY_SERVICES_FILES_CREW_H

#include <stdbool.h>
#include <stdint.h>

#define CREW_THREADS_MAX 16

/* Owner: whoever submits it, in memory that lives until `run`; the crew's between the two. */
struct crew_job {
    /* Exactly once, on a thread of the crew. CLOSING: do no work, only say that it was not done. */
    void (*run)(struct crew_job *job, bool closing);
    struct crew_job *next; /* the crew's own */
};

struct crew;
/* THREADS 0: everything is done inside submit. NULL: the threads could not be had. */
struct crew *crew_new(int32_t threads, int32_t queue_max);
int crew_submit(struct crew *c, struct crew_job *job); /* ERR_FULL. Any thread. */
bool crew_full(struct crew *c);                        /* A hint. Any thread. */
int64_t crew_waiting(struct crew *c);
void crew_stop(struct crew *c);         /* waits for what runs; from then on nothing is taken */
struct crew *crew_free(struct crew *c); /* stops first; NULL ok; returns NULL */

#endif
