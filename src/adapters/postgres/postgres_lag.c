/* How far a read replica is behind, in time, without asking its clock: now and then the primary is
 * asked for the position in its log, and that is kept with the moment before the question. A
 * replica that has replayed a position has everything that was committed before that moment. So the
 * age of the newest position that it has is a bound of its lag, and the store needs to write
 * nothing for it. A primary that stands still makes nobody late.
 */
#include "adapters/postgres/postgres_private.h"

#include "base/timestamp.h"

void postgres_lag_init(struct postgres_lag *lag, int64_t max_us) {
    *lag = (struct postgres_lag){.max_us = max_us};
    pthread_mutex_init(&lag->lock, NULL);
    int64_t each_us = 2 * max_us / POSTGRES_LAG_MARKS; /* the marks reach back twice as far */
    lag->each_us = each_us > POSTGRES_LAG_EACH_MIN_US ? each_us : (int64_t)POSTGRES_LAG_EACH_MIN_US;
}

void postgres_lag_free(struct postgres_lag *lag) {
    pthread_mutex_destroy(&lag->lock);
}

bool postgres_lag_turn(struct postgres_lag *lag, int64_t now_us) {
    pthread_mutex_lock(&lag->lock);
    bool due = now_us >= lag->next_us;
    if (due)
        lag->next_us = now_us + lag->each_us;
    pthread_mutex_unlock(&lag->lock);
    return due;
}

void postgres_lag_mark(struct postgres_lag *lag, int64_t asked_us, int64_t position) {
    pthread_mutex_lock(&lag->lock);
    /* A new primary may begin before where the old one ended: then nothing is known but this. */
    if (lag->count > 0 && position < lag->marks[lag->newest].position)
        lag->count = 0;
    lag->newest = (lag->newest + 1) % POSTGRES_LAG_MARKS;
    lag->marks[lag->newest] = (struct postgres_mark){asked_us, position};
    lag->count += lag->count < POSTGRES_LAG_MARKS;
    pthread_mutex_unlock(&lag->lock);
}

int64_t postgres_lag_of(struct postgres_lag *lag, int64_t position, int64_t now_us) {
    int64_t behind_us = INT64_MAX;
    pthread_mutex_lock(&lag->lock);
    for (int i = 0; i < lag->count && behind_us == INT64_MAX; i++) {
        int at = (lag->newest - i + POSTGRES_LAG_MARKS) % POSTGRES_LAG_MARKS;
        if (lag->marks[at].position <= position)
            behind_us = now_us - lag->marks[at].asked_us;
    }
    if (behind_us == INT64_MAX && lag->count > 0) /* at least as old as the oldest */
        lag->seen_us =
            now_us -
            lag->marks[(lag->newest - lag->count + 1 + POSTGRES_LAG_MARKS) % POSTGRES_LAG_MARKS]
                .asked_us;
    else if (behind_us != INT64_MAX)
        lag->seen_us = behind_us;
    pthread_mutex_unlock(&lag->lock);
    return behind_us;
}
