/* A whole house in one thread, for tests: the real runtime and real services over the memory store,
 * the in-process bus and a clock that stands still until told. Requests enter as structs, answers
 * come back as structs.
 *
 *   struct house *h = house_new(7);
 *   struct booking_service *b = booking_service_new(&(struct booking_options){.clock = &h->clock,
 * …}); house_open(h, (struct service[]){booking_service(b)}, 1); struct house_answer a =
 * house_call(h, &(struct house_request){.method = "GET", .path = "/v1/…"});
 *
 * house_beside makes another one on the same disk, as a replica is: they compete for the same
 * events and hear each other's signals, unless these are lost. All of a row are opened before
 * anything happens in one of them, and freed with the first; what settles or advances one does so
 * for all.
 */
#ifndef LORRY_TESTING_HOUSE_H
#define LORRY_TESTING_HOUSE_H

#include "adapters/memory/memory_store.h"
#include "runtime/service.h"
#include "testing/street.h"

#define HOUSE_SOCKET_FRAMES_MAX 4096

struct house {
    struct clock clock; /* now_us below */
    int64_t now_us;
    struct entropy entropy; /* drawn from rng: the same seed, the same house */
    struct rng rng;
    struct bus *bus;
    struct cache *cache;
    struct memory_disk *disk;
    struct memory_store_faults faults; /* of the writer: set any time */
    struct token_verifier *verifier;
    int32_t writes_per_minute_max; /* before house_open; 0: no limit */
    struct spans *spans;           /* before house_open; NULL: nothing is traced */
    /* Of the runtime's options; before house_open. NULL: API keys are no good. */
    int (*api_key)(void *arg, struct call *c, struct str key, struct identity *ret_who);
    void *api_key_arg;
    struct executor *executor;
    struct runtime *runtime;
    struct worker worker;
    struct arena arena; /* answers live here until house_free */
    struct posted *posted, *posted_last;
    struct street *street;      /* what houses side by side share; NULL: it stands alone */
    struct house *first, *next; /* of the street */
    int32_t number;             /* in it */
    struct peers *peers;        /* for the services' options; NULL: it stands alone */
    int32_t behind_max;         /* the executor's; 0: its own */
};

struct house_request {
    const char *method, *path; /* path with query */
    const char *body;          /* NULL: none */
    struct str bytes;          /* instead of it: a body that is no text; its type is in headers */
    struct identity who;       /* role NONE: nobody, or whoever a token in headers says */
    struct header headers[6];  /* name NULL ends */
    const char *peer;          /* NULL: 127.0.0.1 */
};
struct house_answer {
    int status; /* 0: not answered yet */
    struct str body;
    struct response response;
    bool accepted; /* became a socket */
};
struct house_socket {
    struct socket socket;
    struct house *house;
    struct str frames[HOUSE_SOCKET_FRAMES_MAX]; /* what the server sent */
    int32_t frame_count;
    int close_code; /* 0: open */
    bool stuck;     /* sends are refused with ERR_FULL until house_socket_drain */
    int32_t room;   /* > 0: after so many more frames it is stuck */
    bool was_full;
};

struct house *house_new(uint64_t seed);
/* A replica of H, the first of its row and not open yet: the same disk, broker and time; then make
 * the services of each with its own bus, peers and executor. */
struct house *house_beside(struct house *h, uint64_t seed);
/* From now on signals between houses of H's street are lost; then (false) heard again, after a gap.
 */
void house_deafen(struct house *h, bool deaf);
void house_open(struct house *h, const struct service *services, int32_t count);
/* Loses everything but the disk; then make the services anew and house_open again. */
void house_crash(struct house *h);
void house_free(struct house *h); /* services are the caller's to free, before */

/* Makes the call and turns the executor until it is answered (or nothing moves any more). */
struct house_answer house_call(struct house *h, const struct house_request *request);
/* Makes the call and returns; *ANSWER is filled when the answer comes. */
void house_begin(struct house *h, const struct house_request *request, struct house_answer *answer);
/* Turns until nothing is left to do at this moment. */
void house_settle(struct house *h);
/* Moves the clock on, in steps of 10 ms to 1 s, settling after each. */
void house_advance(struct house *h, int64_t by_us);

struct identity house_who(struct house *h, enum role role, const char *user_id);
/* A fresh id, e.g. house_id(h, "usr"). */
struct str house_id(struct house *h, const char *prefix);

/* Opens a WebSocket on PATH with headers of REQUEST; NULL and *ret_answer when refused. */
struct house_socket *house_socket_open(struct house *h, const struct house_request *request,
                                       struct house_answer *ret_answer);
void house_socket_text(struct house_socket *s,
                       const char *text);        /* the client says; then settles */
void house_socket_drain(struct house_socket *s); /* no longer stuck */
void house_socket_leave(struct house_socket *s); /* the client goes; S is freed */

#endif
