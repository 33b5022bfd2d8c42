#include "services/files/files_service.h"

#include "base/check.h"
#include "events/events.h"
#include "runtime/metrics.h"
#include "services/files/internal.h"

#include <stdlib.h>

void files_step(struct files_service *s, struct call *c, const struct command_type *type,
                struct str id, void *args,
                void (*finish)(struct command *cmd, int result, struct response *response),
                void *finish_arg) {
    struct command *cmd = arena_new(&c->arena, struct command);
    *cmd = (struct command){.type = type,
                            .service = s,
                            .id = id,
                            .args = args,
                            .who = c->who,
                            .request_id = c->request_id,
                            .trace = c->trace,
                            .arena = &c->arena,
                            .refusable = true,
                            .finish = finish,
                            .finish_arg = finish_arg};
    if (executor_submit(runtime_options(c->runtime)->executor, cmd) < 0)
        call_problem(c, PROBLEM_OVERLOADED, "too many requests wait to be written");
}

static void on_released(struct event_turn *t, const void *data) {
    const struct ev_file *e = data;
    if (e->file_id.p == NULL || e->subject.p == NULL)
        return;
    struct file_release_args *args = arena_new(t->arena, struct file_release_args);
    args->subject = e->subject;
    event_command(t, &file_release_type, e->file_id, args);
}

static const struct route_entry routes[] = {
    {"POST", "/v1/files", ROLES_ANY, files_upload, NULL, ROUTE_IDEMPOTENT | ROUTE_BODY_FILE,
     "uploadFile", .area = AREA_BOOKINGS},
    {"GET", "/v1/files/{id}", ROLES_ANY, files_get, NULL, 0, "getFile", .area = AREA_BOOKINGS},
};
static const struct event_entry events[] = {{EV_FILE_RELEASED, &ev_file_schema, on_released}};
static const struct command_type *const timers[] = {&file_wake_type, NULL};
static const struct store_collection *const collections[] = {&file_collection, NULL};

static void files_metrics(void *self, struct buf *out) {
    struct files_service *s = self;
    metric_write(out, "lorry_files_uploaded_total", "counter", "Files that were kept.",
                 (double)s->uploads);
    metric_write(out, "lorry_files_uploaded_bytes_total", "counter", "Bytes of them.",
                 (double)s->upload_bytes);
    metric_write(out, "lorry_files_refused_total", "counter",
                 "Uploads that were not what they said they are.", (double)s->refused);
    metric_write(out, "lorry_files_served_total", "counter", "Files that were read.",
                 (double)s->served);
    metric_write(out, "lorry_files_removed_total", "counter",
                 "Files taken away because nothing has them any more.", (double)s->sweeps);
    metric_write(out, "lorry_files_damaged_total", "counter",
                 "Reads of files that were missing, or not what was put.", (double)s->damaged);
    metric_write(out, "lorry_files_waiting", "gauge", "Files that wait to be looked at or read.",
                 (double)crew_waiting(s->crew));
}

static const struct service_def def = {.name = "files",
                                       .routes = routes,
                                       .route_count = COUNT_OF(routes),
                                       .events = events,
                                       .event_count = COUNT_OF(events),
                                       .timers = timers,
                                       .collections = collections,
                                       .metrics = files_metrics};

static const struct files_ops port_ops = {files_attach, files_serve};

struct files_service *files_service_new(const struct files_options *o) {
    struct files_service *s = xcalloc(1, sizeof *s);
    s->port.ops = &port_ops;
    s->o = *o;
    if (s->o.kept_us == 0)
        s->o.kept_us = FILE_KEPT_US;
    s->crew = crew_new(o->threads, o->queue_max > 0 ? o->queue_max : FILES_QUEUE_MAX);
    if (s->crew != NULL)
        return s;
    free(s);
    return NULL;
}

void files_service_viewer(struct files_service *s, const struct file_viewer *viewer) {
    CHECK(s->viewer_count < FILES_VIEWERS_MAX);
    s->viewers[s->viewer_count++] = *viewer;
}

void files_service_executor(struct files_service *s, struct executor *x) {
    s->executor = x;
}

struct files *files_service_port(struct files_service *s) {
    return &s->port;
}

void files_service_stop(struct files_service *s) {
    crew_stop(s->crew);
}

struct files_service *files_service_free(struct files_service *s) {
    if (s == NULL)
        return NULL;
    s->crew = crew_free(s->crew);
    free(s);
    return NULL;
}

struct service files_service(struct files_service *s) {
    return (struct service){.def = &def, .self = s};
}
