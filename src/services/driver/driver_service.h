/* The driver service: who drives, with what, whether he is on duty, where he is and was, what he is
 * asked to carry (dispatch) and what he has earned.
 *
 * Its documents: `drivers` (drv_X, of the user usr_X), `trails` and `tracks` (chunks of fixes,
 * new and old), `earnings` (a driver's day) and `dispatches` (dsp_X, the search for a driver of
 * booking bkg_X). Its memory: the roster, which knows where everybody on duty is; it is made from
 * the store at start.
 */
#ifndef LORRY_DRIVER_SERVICE_H
#define LORRY_DRIVER_SERVICE_H

#include "dispatch/dispatch.h"
#include "events/events.h"
#include "ports/cache.h"
#include "ports/files.h"
#include "ports/locations.h"
#include "runtime/service.h"

enum auto_accept { AUTO_ACCEPT_CHOSEN, AUTO_ACCEPT_NEVER, AUTO_ACCEPT_ALWAYS };

struct driver_options {
    const struct clock *clock;
    struct entropy *entropy;
    struct bus *bus;           /* positions are signalled on it */
    struct cache *cache;       /* counts fixes; may be NULL where fixes_per_hour_max is 0 */
    struct router *router;     /* how long to the pickup */
    struct executor *executor; /* fixes are submitted to it. May be set later: see below */
    const struct log *log;
    struct peers *peers;     /* others that write to the same store; NULL: nobody */
    bool approval_auto;      /* driver_approval: auto approves whoever has a vehicle */
    int32_t offer_wave;      /* drivers asked at once, 1..DISPATCH_WAVE_MAX; 0: 1 */
    int64_t offer_timeout_s; /* 0: 20 */
    /* All of a wave is asked again only when all of it has answered; else each place at once. */
    bool offer_whole_waves;
    const struct dispatch_weights *weights; /* NULL: the standard; static or the options' owner's */
    int64_t fairness_half_life_s;           /* of jobs that count as lately; 0: 4 hours */
    enum auto_accept auto_accept;           /* whose offers are taken at once */
    int64_t window_us;      /* > 0: searches wait for its end and are solved together; 0: greedy */
    int64_t cash_limit;     /* minor units: who holds so much is offered nothing that is paid in
                               cash; 0: no limit */
    int32_t bigger_classes; /* how many classes bigger than booked may serve, ≥ 0 */
    /* Who is likely to finish within so long may be asked for what comes next; 0: nobody may. What
     * he has taken so is taken from him when he finishes so much later than was thought. */
    int64_t chain_eta_s, chain_late_s; /* chain_late_s 0: 600 */
    int64_t search_radius_m;           /* the first circle; 0: 1500 */
    int64_t search_radius_max_m;       /* the last one; 0: 12000 */
    int32_t fixes_per_hour_max;        /* of one driver, stored; 0: no limit */
    struct files *files;          /* NULL: documents cannot be sent. May be set later: see below */
    struct str document_kinds;    /* "licence,insurance"; absent: DOCUMENT_KINDS_DEFAULT */
    bool documents_required;      /* nobody drives without all of them */
    bool shifts_required;         /* nobody is on duty outside his shifts */
    struct str timezone;          /* whose clock shifts go by; absent, or not to be had: UTC */
    int64_t trail_keep_days;      /* trails older than this go; 0: 90 */
    int64_t trace_keep_us;        /* searches and journeys, after their end; 0: as long */
    int64_t trail_thin_m;         /* positions that are old are simplified to that; 0: never */
    int64_t trail_thin_us;        /* … older than this; 0: 7 days */
    int64_t trail_thin_window_us; /* so much of a driver at once; 0: TRAIL_SPAN_US, the most */
    int64_t trail_thin_margin_us; /* clocks are that far apart at most; 0: an hour */
    int64_t arrival_radius_m;     /* so near a stop he has come to it; 0: 120 */
    int64_t stale_after_s;        /* without a position, while he has a booking; 0: 180 */
    int64_t unassigned_after_s;   /* a search that goes on for so long needs somebody; 0: 60 */
    int64_t off_route_m;          /* from the way that was planned; 0: 300 */
    const char *currency;         /* of earnings where there are none yet; NULL: "SEK". Static */
};

#define CHAIN_S_MAX 3000 /* below JOURNEY_ORPHAN_US: what waits for its driver is no orphan */
#define DOCUMENT_KINDS_DEFAULT "licence,insurance,registration"
#define DOCUMENT_KINDS_MAX 8
#define DOCUMENT_KIND_CHARS_MAX 32
/* "licence,insurance": words of small letters, digits and _, with commas between? */
static inline bool driver_document_kinds_valid(struct str kinds) {
    size_t len = 0, words = 1;
    for (size_t i = 0; i < kinds.len; i++) {
        char c = kinds.p[i];
        if (c == ',' ? len == 0 : !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
        words += c == ',';
        len = c == ',' ? 0 : len + 1;
        if (len > DOCUMENT_KIND_CHARS_MAX || words > DOCUMENT_KINDS_MAX)
            return false;
    }
    return len > 0;
}

struct driver_service;
/* The ports that OPTIONS points to must outlive the service. Never fails. */
struct driver_service *driver_service_new(const struct driver_options *options);
struct driver_service *driver_service_free(struct driver_service *s); /* NULL ok; returns NULL */
/* From here on whoever has a vehicle is approved, as with approval_auto. Any thread. */
void driver_service_approve_all(struct driver_service *s);
/* For an executor that is made after its services: before the first request. */
void driver_service_executor(struct driver_service *s, struct executor *x);

/* The same for the port of files. */
void driver_service_files(struct driver_service *s, struct files *f);
/* Who may read the files that are attached to drivers. Also where this service is passive. */
struct file_viewer driver_service_viewer(struct driver_service *s);
/* FN hears where drivers are as that is read from the store: at the start and, with peers, when
 * their signals were missed. The executor's thread, or the one that starts the service. */
void driver_service_placed(struct driver_service *s,
                           void (*fn)(void *arg, const struct signal_position *s), void *arg);

struct service driver_service(struct driver_service *s); /* for runtime_new */
/* What the other services see of it; they live as long as the service. */
struct fleet *driver_service_fleet(struct driver_service *s);
struct locations *driver_service_locations(struct driver_service *s);

#endif
