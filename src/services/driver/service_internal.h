/* Inside the driver service only: its struct, and what its files offer one another. */
#ifndef LORRY_DRIVER_SERVICE_INTERNAL_H
#define LORRY_DRIVER_SERVICE_INTERNAL_H

#include "base/map.h"
#include "base/zone.h"
#include "runtime/retention.h"
#include "services/driver/driver_service.h"
#include "services/driver/roster.h"
#include "services/driver/siphash.h"
#include "services/driver/thin.h"
#include "services/driver/types.h"

#include <stdatomic.h>

struct driver_service {
    struct driver_options o;  /* defaults filled in; const once requests come */
    _Atomic bool approve_all; /* the demo city has moved in */
    struct zone zone;         /* of shifts */
    struct arena zone_arena;
    struct fleet fleet;
    struct locations locations;
    struct roster *roster;
    int64_t erase_next_us;                         /* executor's thread: eraser_tick */
    struct retention searches_kept, journeys_kept; /* executor's thread */
    struct driver_thin thin;                       /* executor's thread; thin.c */
    struct driver_window {                         /* executor's thread; window.c */
        struct map due; /* of open searches: when each wants to look, by id */
        int64_t solved_us;
    } window;
    struct driver_follow { /* executor's thread; follow.c */
        char after[STORE_ID_MAX + 1];
        int64_t began_us; /* of the round through all who are live; 0: none is under way */
        int64_t whole_us; /* when the last whole round began */
        void (*placed)(void *arg, const struct signal_position *s);
        void *placed_arg;
    } follow;
    unsigned char ref_secret[SIPHASH_KEY_BYTES]; /* of the references that customers see */
    struct {
        _Atomic uint64_t fixes, duplicates, rejected, rounds, claims;
        _Atomic uint64_t ingested, strangers;  /* requests of devices; those of nobody's */
        _Atomic uint64_t chained, chain_begun; /* next bookings: taken, begun */
    } stats;
};

/* ---- routes, by file ---- */
void profile_get(struct call *c); /* profile.c */
void profile_put(struct call *c);
void profile_status(struct call *c);
void profile_duty(struct call *c);
void rota_get(struct call *c); /* rota.c */
void rota_put(struct call *c);
void rota_get_of(struct call *c);
void rota_put_of(struct call *c);
void vehicles_list(struct call *c); /* vehicles.c */
void vehicles_of(struct call *c);
void profile_of(struct call *c);
void vehicles_add(struct call *c);
void vehicles_add_for(struct call *c); /* by the office */
void vehicles_change_for(struct call *c);
void vehicles_remove_for(struct call *c);
void vehicles_change(struct call *c);
void vehicles_remove(struct call *c);
void vehicles_use(struct call *c);
void drivers_list(struct call *c); /* drivers.c */
void offers_list(struct call *c);
void locations_post(struct call *c); /* locations.c */
void ingest_osmand(struct call *c);  /* ingest.c */
void ingest_owntracks(struct call *c);
void ingest_fixes(struct call *c);
extern const struct schema owntracks_body_schema;
void owntracks_check(struct call *c, const void *body, struct field_errors *errors);
void drivers_nearby(struct call *c); /* nearby.c */
void fleet_get(struct call *c);
void trail_get(struct call *c); /* trail_route.c */
void trail_file(struct call *c);
void trail_playback(struct call *c);
void earnings_get(struct call *c); /* earnings.c */
void dispatch_get(struct call *c); /* trace.c */
void candidates_get(struct call *c);

/* ---- events, by file ---- */
void on_account(struct event_turn *t, const void *data); /* profile.c */
void on_claim(struct event_turn *t, const void *data);   /* events.c */
void on_refused(struct event_turn *t, const void *data);
void on_requested(struct event_turn *t, const void *data);
void on_offered(struct event_turn *t, const void *data);
void on_offer_closed(struct event_turn *t, const void *data);
void on_assign_wanted(struct event_turn *t, const void *data);
void on_assigned(struct event_turn *t, const void *data);
void on_unassigned(struct event_turn *t, const void *data);
void on_progressed(struct event_turn *t, const void *data);
void on_stops_changed(struct event_turn *t, const void *data);
void on_ended(struct event_turn *t, const void *data);
void on_rated(struct event_turn *t, const void *data);

/* ---- commands ---- */
/* Of a driver, decided in claims.c; args in brackets. */
extern const struct command_type driver_claim_type;      /* [struct ev_claim] */
extern const struct command_type driver_offered_type;    /* [struct ev_booking] */
extern const struct command_type driver_closed_type;     /* [struct ev_booking] */
extern const struct command_type driver_assigned_type;   /* [struct ev_booking] */
extern const struct command_type driver_unassigned_type; /* [struct ev_booking] */
extern const struct command_type driver_ended_type;      /* [struct ev_booking] */
extern const struct command_type driver_rated_type;      /* [struct ev_booking] */
extern const struct command_type driver_wake_type;       /* wake-up; wake.c */
/* Of a driver, decided in profile.c. */
struct account_args {
    const struct ev_account *account;
    int64_t at_us; /* of the event */
};
extern const struct command_type driver_account_type; /* [struct account_args] */
extern const struct command_type driver_open_type;    /* [none] GET before there is a document */
extern const struct command_type driver_profile_type; /* [struct profile_body] vehicles.c */
extern const struct command_type driver_status_type;  /* [struct status_body] */
extern const struct command_type driver_duty_type;    /* [struct duty_body] */
/* Of a day, decided in earnings.c. */
struct earning_args {
    struct str driver_id, date, currency;
    int64_t gross, amount; /* the whole, and his part */
    bool delivered;        /* else it is a fee */
};
extern const struct command_type earnings_add_type; /* [struct earning_args] */
struct str earnings_id(struct arena *a, struct str driver_id, const char *date);
/* Of a search, decided in search.c. */
extern const struct command_type search_begin_type;      /* [struct ev_booking] */
extern const struct command_type search_wake_type;       /* wake-up */
extern const struct command_type search_refused_type;    /* [struct ev_claim] */
extern const struct command_type search_closed_type;     /* [struct ev_booking] */
extern const struct command_type search_wanted_type;     /* [struct ev_booking] */
extern const struct command_type search_assigned_type;   /* [struct ev_booking] */
extern const struct command_type search_unassigned_type; /* [struct ev_booking] */
extern const struct command_type search_ended_type;      /* [struct ev_booking] */
extern const struct command_type search_changed_type;    /* [struct ev_booking] */

/* ---- shared ---- */
/* `applied` of every command on a driver: the roster learns of the new state. */
void driver_applied(const struct command *cmd, const struct decision *d, const void *state);
/* For decide: a copy of STATE to change, with everything it points at in ctx->arena (what STATE
 * points at may belong to another command of the batch); it is the decision's state already. */
struct driver *driver_edit(const struct command *cmd, const struct decide_ctx *ctx,
                           const struct driver *state, struct decision *d);
/* The same where there is none yet: a new one, not approved. */
struct driver *driver_make(const struct command *cmd, const struct decide_ctx *ctx,
                           struct decision *ret);
/* `load` of commands that answer with his profile: where he is, which decide may not ask itself. */
int driver_load_position(struct command *cmd, struct store *store, int64_t now_us);
/* 200 with his profile. */
void driver_answer(const struct command *cmd, const struct decide_ctx *ctx, const struct driver *d,
                   struct decision *ret);
/* Where drivers are approved by themselves: D is, if nothing more is asked of him. vehicles.c */
void driver_approve(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d);
/* D (NULL: none) is erased, so nobody changes him any more: answered. profile.c */
bool driver_gone(const struct command *cmd, const struct driver *d, struct decision *ret);
/* Off duty at once, or after the booking under way. An open offer is given back; its claim stays
 * until the booking has said so. */
void driver_off_duty(struct driver *d, const char *why, const struct command *cmd,
                     const struct decide_ctx *ctx, struct decision *ret);
/* He (and the office, where it is its business) is told WHAT; who he is is filled in. wake.c */
void driver_notice(const struct driver *d, const struct ev_notice *what, const struct command *cmd,
                   const struct decide_ctx *ctx, struct decision *ret);
/* What D was to do next he will not do: its booking is told. Nothing next: nothing. */
void driver_drop_next(const struct driver *d, const char *why, const struct command *cmd,
                      const struct decide_ctx *ctx, struct decision *ret);
/* Parts of the wake-up: when each is due (0: never), and what it does to D if it is. */
int64_t claim_wake_at(const struct driver *d); /* claims.c */
void claim_wake(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                struct decision *ret);
int64_t rota_wake_at(const struct driver *d); /* rota.c */
void rota_wake(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
               struct decision *ret);
/* May he not go on duty now? Then RET says why. */
bool rota_refuses(const struct command *cmd, const struct driver *d, int64_t now_us,
                  struct decision *ret);
void rota_begin_duty(const struct command *cmd, struct driver *d, int64_t now_us);
/* Why his schedule keeps him from WANT; NULL: it does not. */
const char *rota_bar(const struct driver *d, const struct ev_claim *want, int64_t now_us);
void rota_copy(struct driver *copy, struct arena *a); /* of driver_edit */
void rota_write(struct jw *w, const struct driver_service *s, const struct driver *d,
                int64_t now_us);
void rota_body_check(struct call *c, const void *data, struct field_errors *errors);
/* Of driver_edit: COPY's vehicles come to live in A, with room for VEHICLES_MAX. A document from
 * before there were several gets its only one. */
void vehicles_copy(struct driver *copy, struct str driver_id, struct arena *a);
/* His vehicles as items of a list. Scratch in A. */
void vehicles_write(struct jw *w, const struct driver *d, struct arena *a);
/* NEXT, which is being decided, goes on duty or off. */
void driver_set_duty(struct driver *next, int32_t duty, const struct command *cmd,
                     const struct decide_ctx *ctx, struct decision *ret);
/* Adds an event about D's claim to the decision; REASON may be absent. */
void driver_claim_event(const struct driver *d, const struct driver_claim *claim, struct str reason,
                        const char *type, const struct command *cmd, const struct decide_ctx *ctx,
                        struct decision *ret);
/* His profile as he and the staff see it; POSITION may be NULL. */
void driver_write(struct jw *w, const struct driver *d, const struct fleet_position *position);
/* The id of the driver who is this user. */
struct str driver_id_of(struct arena *a, struct str user_id);

/* ---- fix_budget.c, any thread ---- */
/* Takes COUNT fixes out of the driver's hour. 0: they are his; else nothing was taken and he may
 * come again in so many seconds. Scratch in A. */
int32_t fix_budget_take(struct driver_service *s, struct str driver_id, int32_t count,
                        int64_t now_us, struct arena *a);
/* COUNT of those taken were not stored. */
void fix_budget_return(struct driver_service *s, struct str driver_id, int32_t count,
                       int64_t now_us, struct arena *a);

/* follow.c */
extern const struct store_collection secret_collection;
/* Reads from STORE all who are live: 0 or its error. */
int follow_start(struct driver_service *s, struct store *store, int64_t now_us);
void follow_listen(struct driver_service *s); /* with peers: before the bus's first poll */
void follow_tick(void *self, struct store *writer, int64_t now_us);
/* Is M's newest fix what the store has? Reads it if that is not known, or not any more. */
int follow_know(struct driver_service *s, struct member *m, struct command *cmd,
                struct store *store, int64_t now_us);
/* A search is about to claim M: others leave him alone, too. */
void follow_reserved(struct driver_service *s, const struct member *m);

/* locations.c */
extern const struct locations_ops driver_locations_ops;
/* A locations_done_fn that answers the call ARG as POST /v1/driver/locations does. */
void locations_call_done(void *arg, int err, const struct locations_result *r);
/* nearby.c */
extern const struct fleet_ops driver_fleet_ops;

#endif
