/* The files service: what people upload (pictures, documents), kept by its hash, and who may read
 * it. Other services attach files to what is theirs through the port (ports/files.h).
 *
 *   upload   look at it (a crew's thread) → a record, not ready (commit) → the blob (crew) → ready
 *            (commit) → 201. So a blob always has a record, which is what cleaning up goes by.
 *   gone     a record that a day has passed over and nothing is attached to is dropped (commit);
 *            then, if no other record has the hash, the blob is removed (crew), then the record.
 */
#ifndef LORRY_SERVICES_FILES_FILES_SERVICE_H
#define LORRY_SERVICES_FILES_FILES_SERVICE_H

#include "base/log.h"
#include "ports/blobs.h"
#include "ports/files.h"
#include "runtime/service.h"

#define FILE_KEPT_US (INT64_C(24) * 3600 * 1000000)
#define FILES_VIEWERS_MAX 4
#define FILES_QUEUE_MAX 64
#define FILES_THREADS 2
#define FILES_BYTES_PER_DAY_MAX (INT64_C(256) << 20)

struct files_options {
    struct blobs *blobs; /* outlives the service */
    const struct clock *clock;
    struct cache *cache;
    const struct log *log;
    int32_t threads;           /* 0: everything at once (the simulator) */
    int32_t queue_max;         /* work that may wait; 0: FILES_QUEUE_MAX */
    int64_t kept_us;           /* what nothing is attached to; 0: FILE_KEPT_US */
    int64_t bytes_per_day_max; /* uploads of one account; 0: no limit */
};
struct files_service;
struct files_service *files_service_new(const struct files_options *o); /* NULL: no threads */
/* Who may read what is attached to subjects with VIEWER's prefix. Before the first request. */
void files_service_viewer(struct files_service *s, const struct file_viewer *viewer);
void files_service_executor(struct files_service *s, struct executor *x); /* before start */
struct files *files_service_port(struct files_service *s);
/* No more work is begun; waits for what runs. Before the executor stops. */
void files_service_stop(struct files_service *s);
struct files_service *files_service_free(struct files_service *s); /* NULL ok; returns NULL */
struct service files_service(struct files_service *s);             /* for runtime_new */

#endif
