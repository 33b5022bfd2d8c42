/* The deterministic simulator behind `lorry check`: the real services over the real runtime, with a
 * virtual clock, and everything around them faulty: stores, the bus between services, the network
 * to clients, the cache, clocks, and the nodes themselves, which crash and come back on what their
 * disks have kept. Simulated customers, drivers and a dispatcher make the workload through the same
 * requests and sockets as real ones; an oracle watches every durable commit, every answer and every
 * frame, and says which promise was broken.
 *
 * All that happens follows from the seed: the same seed gives the same trace, byte for byte.
 */
#ifndef LORRY_SIM_CHECK_H
#define LORRY_SIM_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_BOOKINGS_MAX 100000
#define SIM_TAIL_BYTES_MAX 8192

enum sim_fault {
    SIM_CALL_LOST,  /* a request that never arrives */
    SIM_REPLY_LOST, /* an answer that never arrives */
    SIM_CALL_TWICE,
    SIM_SOCKET_CUT,
    SIM_SLOW_READER,
    SIM_NOTE_LOST, /* a worker's mailbox was full */
    SIM_EVENT_DROPPED,
    SIM_CONFIRM_LOST,
    SIM_EVENT_TWICE,
    SIM_EVENT_LATE, /* and so behind newer ones */
    SIM_ACK_LOST,
    SIM_BUS_FULL,
    SIM_PARTITION,
    SIM_STORE_FAULT, /* busy, conflict, I/O error, unknown */
    SIM_CACHE_LOST,
    SIM_CLOCK_SET, /* forward or back */
    SIM_CRASH,
    SIM_CRASH_COMMIT, /* right after a commit, before anybody was told */
    SIM_GPS_LATE,
    SIM_MAIL_REFUSED, /* for now */
    SIM_MAIL_TWICE,   /* taken, but nobody hears of it */
    SIM_POST_REFUSED,
    SIM_POST_TWICE,
    SIM_FAULT_COUNT
};
extern const char *const sim_fault_names[SIM_FAULT_COUNT];

struct sim_options {
    int32_t bookings; /* 1..SIM_BOOKINGS_MAX */
    bool calm;        /* no faults at all */
    bool replicas;    /* two of each service but auth, all on one store, hearing each other */
    bool trace;       /* every line of the trace to stdout */
};

struct sim_result {
    bool failed;
    char invariant[64];
    char what[768];
    char tail[SIM_TAIL_BYTES_MAX]; /* the last lines of the trace, if it failed */
    uint64_t trace_hash;
    int64_t bookings; /* that came to an end: */
    int64_t delivered, cancelled, expired, not_deliverable, returned;
    int64_t stops_changed; /* times that a booking got other stops */
    int64_t notes_changed; /* … that one of them got another note */
    int64_t imported;      /* of them, rows of files */
    int64_t recurred;      /* of them, days of recurrences */
    int64_t virtual_us;    /* how long it lasted in there */
    int64_t calls, commits, events, frames, fixes, crashes;
    int64_t fences; /* comings and goings */
    int64_t posted; /* events of bookings that a webhook was told, each once or more */
    int64_t early;  /* searches for later that began before their usual time */
    int64_t chained,
        unchained; /* that were taken while another was carried: begun, let go before */
    uint64_t faults[SIM_FAULT_COUNT];
};

/* Runs SEED once, on this thread, without any state outside. Returns 0, or ERR_CORRUPT with
 * RET->failed and what was broken. token_library_init() first. A failed CHECK inside the services
 * aborts the process: whoever runs seeds does it in a child and names the seed. */
int sim_run_seed(const struct sim_options *o, uint64_t seed, struct sim_result *ret);

#endif
