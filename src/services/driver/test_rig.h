/* For the driver service's tests: a house with the service in it, a router that drives straight at
 * 10 m/s, and ears for what it says to the booking service. */
#ifndef LORRY_DRIVER_TEST_RIG_H
#define LORRY_DRIVER_TEST_RIG_H

#include "services/driver/search.h"
#include "testing/house.h"

#define HEARD_MAX 4096
#define SIGNALS_MAX 4096

struct heard {
    struct str type;
    struct ev_claim claim;
    struct ev_tracking tracking; /* of tracking.* */
    struct ev_alert alert;       /* of alert.* */
};
struct rig {
    struct house *house;
    struct driver_service *service;
    struct driver_options options;
    struct router router;
    bool roads;     /* ways are by road: the straight line */
    int32_t routed; /* questions to the router */
    struct heard heard[HEARD_MAX];
    int32_t heard_count;
    struct ev_notice notice; /* the newest */
    int32_t notice_count;
    struct ev_audit audit; /* the newest */
    int32_t audit_count;
    struct files files; /* in which every file is somebody's own picture */
    bool refuse_files;  /* … or no file is */
    int32_t released_count;
    struct signal_position signals[SIGNALS_MAX];
    int32_t signal_count;
    struct signal_eta eta; /* the last that was signalled */
    int32_t eta_count;
    struct json_parser *parser;
    struct arena arena;
};

struct rig *rig_new(uint64_t seed);
/* Changes options of the service; loses its memory. */
void rig_reopen(struct rig *r);
void rig_free(struct rig *r);

/* A request of USER in ROLE; BODY may be NULL. */
struct house_answer rig_call(struct rig *r, enum role role, const char *user, const char *method,
                             const char *path, const char *body);
/* The same, formatted, of whom `who` is. Fails the test unless the status is WANT. */
struct str rig_expect(struct rig *r, int want, enum role role, const char *user, const char *method,
                      const char *path, const char *body);
/* A new driver, approved, with this vehicle, on duty at this place. Returns his user id. */
const char *rig_driver(struct rig *r, const char *class_name, double lat, double lng);
void rig_fix(struct rig *r, const char *user, double lat, double lng);
/* "drv_…" of "usr_…". */
const char *rig_driver_id(struct rig *r, const char *user);
/* His document as the store has it. */
const struct driver *rig_stored(struct rig *r, const char *user);
const struct search *rig_search(struct rig *r, const char *booking_id);

/* An event from another service, and all that follows from it. */
void rig_say(struct rig *r, const char *type, struct str key, const struct schema *schema,
             const void *data);
void rig_say_booking(struct rig *r, const char *type, const struct ev_booking *b);
/* A booking of two stops that begins at this place. */
struct ev_booking rig_booking(struct rig *r, enum vehicle vehicle, double lat, double lng);
/* B with an offer. */
struct ev_booking rig_with_offer(struct rig *r, const struct ev_booking *b, struct str offer_id,
                                 struct str driver_id, const char *reason);
/* The newest heard of TYPE, or NULL. */
const struct ev_claim *rig_last(const struct rig *r, const char *type);
int32_t rig_count(const struct rig *r, const char *type);
const struct heard *rig_last_heard(const struct rig *r, const char *type); /* or NULL */

#endif
