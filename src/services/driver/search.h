/* A search: the dispatch aggregate, one for each booking, which looks for a driver until somebody
 * has it, and remembers in its trace whom it asked in which round, and why not the others.
 *
 * It holds no driver: it asks for claims (dispatch.claim), and hears from the driver that he could
 * not be claimed, or from the booking how the offer ended. When fewer than offer_wave drivers are
 * being asked, it goes round again: at once after an answer, and every SEARCH_PAUSE_US while nobody
 * was found, in a circle that doubles up to the widest.
 */
#ifndef LORRY_DRIVER_SEARCH_H
#define LORRY_DRIVER_SEARCH_H

#include "dispatch/dispatch.h"
#include "services/driver/service_internal.h"

#define ROUNDS_MAX 50
#define CANDIDATES_MAX 20 /* in a round's trace, and asked for their time by road */
#define ASKED_MAX 256     /* drivers remembered */
#define SEARCH_PAUSE_US (INT64_C(2) * 1000000)
#define SEARCH_AGAIN_US                                                                            \
    (INT64_C(60) * 1000000) /* after which one who gave no answer is asked again */
#define SEARCH_REFUSED_US                                                                          \
    (INT64_C(5) * 1000000) /* after which one who could not be claimed is tried */
#define SEARCH_RESERVE_US (INT64_C(5) * 1000000) /* other searches leave him alone that long */
#define SEARCH_LOST_US                                                                             \
    (INT64_C(60) * 1000000) /* over the offer's time: then nobody answers any more */

enum search_status { SEARCH_NONE, SEARCH_OPEN, SEARCH_DONE };
enum outcome {
    OUTCOME_NONE,
    OUTCOME_OFFERED,
    OUTCOME_DECLINED,
    OUTCOME_TIMED_OUT,
    OUTCOME_ACCEPTED,
    OUTCOME_PASSED_OVER,
    OUTCOME_LEFT /* had it, and gave it back or was taken off it */
};

/* One who was asked, as the search must know it; the trace forgets old rounds, this does not. */
struct search_asked {
    struct str driver_id, offer_id;
    int64_t at_us;
    int32_t outcome; /* OFFERED: no answer yet. PASSED_OVER: could not be claimed, or withdrawn */
};
struct search_part {
    int32_t part; /* enum dispatch_part */
    int64_t value, points;
};
struct search_candidate {
    struct str driver_id, name, offer_id; /* name and offer may be absent */
    int64_t rank, distance_m;             /* rank 0 is kept as I64_ABSENT, and so are unknowns */
    int64_t pickup_eta_s, score;
    int32_t outcome;
    int32_t reason_code; /* enum dispatch_reason */
    struct str reason;
    int64_t cost;              /* points; I64_ABSENT: barred, or chosen by hand */
    struct str after;          /* the booking that he finishes first; absent: he is free */
    int64_t free_in_s;         /* … within so long, of pickup_eta_s; I64_ABSENT: he is free */
    struct search_part *parts; /* what costs him something */
    int32_t part_count;
};
struct search_round {
    int64_t at_us;
    int64_t last_at_us, repeats; /* rounds in which nobody was asked are put together */
    int64_t radius_m;
    struct search_candidate *candidates;
    int32_t candidate_count;
};
struct search {
    struct aggregate_head head;
    struct str booking_id;
    int32_t status; /* enum search_status */
    int64_t begun_at_us;
    bool unassigned; /* the alert is raised: nobody has taken it for a while */
    bool begun;      /* what follows is known: false if news of its end came first */
    int32_t vehicle;
    struct ev_point *pickup, *dropoff;
    int64_t stop_count, earning;
    int64_t cash; /* to be taken at its stops; I64_ABSENT: none */
    struct str currency;
    struct ev_load *load;   /* NULL: nothing was said of it */
    struct str *favourites; /* ids: the customer wants them asked before others */
    int32_t favourite_count;
    int64_t search_until_us, radius_m;
    int64_t wake_at_us;    /* 0: none */
    int64_t done_at_us;    /* 0: it is not, or it is from before that was noted */
    int64_t heard_version; /* of the booking, when it was last given, taken or ended */
    int64_t trip_version;  /* of the booking whose trip this is */
    struct search_asked *asked;
    int32_t asked_count;
    struct search_round *rounds;
    int32_t round_count;
};
extern const struct store_collection search_collection;
extern const struct aggregate search_aggregate;
/* For retention: is it over since before BEFORE_US, when its booking had been quoted already? */
bool search_over(const void *state, int64_t before_us);
extern const struct schema search_round_schema, search_candidate_schema;

/* Who is near, as load found him. */
struct search_near {
    struct str driver_id, name;
    struct point at;
    int64_t distance_m;
    int64_t value[DISPATCH_PARTS]; /* eta -1: he cannot be asked now */
    enum dispatch_reason bar;      /* why not; REASON_NONE: he is free */
    struct str after;  /* the booking that he finishes first, at AT; absent: he is there now */
    int64_t free_in_s; /* … in so long; counts in his time to the pickup */
};
struct search_facts {
    struct search_near *near;
    int32_t near_count;
    struct str named;    /* the name of the driver an event is about, if known */
    bool unknown_driver; /* a dispatcher named a driver who is none */
};

/* ---- search.c, pure ---- */
void search_fill(struct search *s, const struct ev_booking *b, int64_t radius_m);
/* Puts those near in order (RET_PLAN has room for them) and chooses at most WAVE. */
int32_t search_plan(const struct driver_options *o, const struct search *s,
                    const struct search_facts *facts, int32_t wave, int64_t now_us, struct arena *a,
                    struct dispatch_candidate *ret_plan);
/* How many more may be asked now. */
int32_t search_room(const struct driver_options *o, const struct search *s, int64_t now_us);

/* ---- gather.c, executor's thread: `load` of the commands; facts are struct search_facts ---- */
int search_load_begin(struct command *cmd, struct store *store, int64_t now_us);
int search_load(struct command *cmd, struct store *store, int64_t now_us);
int search_load_wake(struct command *cmd, struct store *store, int64_t now_us);
int search_load_anew(struct command *cmd, struct store *store, int64_t now_us);
int search_load_named(struct command *cmd, struct store *store, int64_t now_us);
/* As of now, for somebody who looks: those near the pickup of SEARCH, in order,
 * RET_FACTS->near_count of them. Any thread. */
struct dispatch_candidate *search_candidates(struct driver_service *s, const struct search *search,
                                             int64_t radius_m, int64_t now_us, struct arena *a,
                                             struct search_facts *ret_facts);
/* On the executor's thread: the same in the search's own circle, for at most WAVE; whom another
 * search than ID has reserved is barred. */
struct dispatch_candidate *search_look(struct driver_service *s, const struct search *search,
                                       struct str id, int32_t wave, int64_t now_us, struct arena *a,
                                       struct search_facts *ret_facts);
void search_reserve(struct driver_service *s, struct str driver_id, struct str search_id,
                    int64_t now_us);

/* ---- window.c, executor's thread: batch assignment ---- */
/* A search's document is S by now (NULL: it is gone). */
void window_note(struct driver_service *w, struct str id, const struct search *s);
/* Reserves for all searches that are due the drivers with whom they cost least together; once for
 * each window. CMD lends its arena and its parser. */
void window_solve(struct command *cmd, struct store *store, int64_t now_us);
/* AT, or with batches the end of the window in which it lies. */
int64_t window_end_us(const struct driver_options *o, int64_t at_us);
void window_free(struct driver_service *w);

/* Lets go those who were reserved for the search of CMD, but for those whom KEEP (may be NULL) is
 * asking. */
void search_release(const struct command *cmd, const struct search *keep);

/* ---- trace.c, pure ---- */
/* S is being edited: its lists have room for one more. */
struct search_round *trace_round(struct search *s, const struct dispatch_candidate *plan,
                                 int32_t count, const struct search_near *near, int64_t now_us,
                                 struct arena *a);
/* C, who is N, as the trace keeps it. */
struct search_candidate trace_candidate(const struct dispatch_candidate *c,
                                        const struct search_near *n, struct arena *a);
/* How the offer ended, in the round where it was made; REASON_NONE: as it was. WORDS absent: those
 * of the reason. False: it is not in the trace. */
bool trace_outcome(struct search *s, struct str offer_id, enum outcome outcome,
                   enum dispatch_reason reason, struct str words, struct arena *a);
/* A round of one: somebody was chosen by a dispatcher. */
void trace_manual(struct search *s, struct str driver_id, struct str name, struct str offer_id,
                  enum outcome outcome, enum dispatch_reason reason, int64_t now_us,
                  struct arena *a);

#endif
