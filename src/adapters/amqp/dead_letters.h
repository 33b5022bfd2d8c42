/* The dead letters of a group, for operators: what was put aside because it could not be consumed
 * (amqp_bus.h). Each call connects by itself and blocks; any thread.
 */
#ifndef LORRY_ADAPTERS_AMQP_DEAD_LETTERS_H
#define LORRY_ADAPTERS_AMQP_DEAD_LETTERS_H

#include "adapters/amqp/amqp_bus.h"
#include "base/module.h"

struct dead_letter {
    struct event event; /* what there is of it: a message that is not an event may lack anything */
    const char *group;
    struct str reason; /* "rejected" by a consumer, "delivery_limit": it killed its consumers */
    int64_t deaths;    /* how often it came here */
    int64_t died_us;   /* the last time; whole seconds */
};

enum dead_letter_fate {
    DEAD_LETTER_KEEP,
    DEAD_LETTER_REPLAY, /* back to the group's queue, the same id: who has had it drops it */
    DEAD_LETTER_DROP
};
/* Says what becomes of a letter, which is valid during the call. */
typedef enum dead_letter_fate (*dead_letter_fn)(void *arg, const struct dead_letter *letter);

/* Gives FN the letters of GROUP, oldest first, at most LIMIT of those that are there at the start.
 * Meanwhile nobody else sees them. A group that has no queue has none. Of O: uri, ca_file, prefix.
 * Returns 0 or an error: *RET_WHY (in A) says what failed; what was replayed or dropped until then
 * stays so, and a letter that failed half way is in both places. */
int dead_letters_walk(const struct amqp_options *o, const char *group, int32_t limit,
                      dead_letter_fn fn, void *fn_arg, struct arena *a, struct str *ret_why);

/* What lorry-amqp.so gives: the functions of this header and of amqp_bus.h, by the same names. */
struct amqp_module {
    struct module module;
    int (*bus_new)(const struct amqp_options *o, struct arena *a, struct bus **ret_bus,
                   struct str *ret_why);
    void (*bus_stats)(struct bus *b, struct amqp_bus_stats *ret);
    int (*dead_letters_walk)(const struct amqp_options *o, const char *group, int32_t limit,
                             dead_letter_fn fn, void *fn_arg, struct arena *a, struct str *ret_why);
};

#endif
