/* The other replicas, as far as this process hears them. What services keep in memory follows what
 * is durable by `applied`; where several processes write to one store it follows what the others
 * have written by their signals, and signals may be lost. So whoever keeps something reads it again
 * from the store: seldom while all is well, and at once when something may have been missed. This
 * module says which of the two it is. Each process says once a second that it is there; where
 * nobody else is heard, either there is nobody or the signals are down, and from inside these look
 * the same.
 *
 * A process that is alone with its store has no peers (NULL), and none of this costs it anything.
 */
#ifndef LORRY_RUNTIME_PEERS_H
#define LORRY_RUNTIME_PEERS_H

#include "ports/bus.h"
#include "ports/clock.h"
#include "ports/entropy.h"

#include <stdbool.h>

#define PEERS_BEAT_US (INT64_C(1) * 1000000)
#define PEERS_SILENT_US (INT64_C(3) * 1000000) /* after that nobody is heard */

struct peers;
/* Listens on BUS: before its first poll. Never fails. */
struct peers *peers_new(struct bus *bus, const struct clock *clock, struct entropy *entropy);
struct peers *peers_free(struct peers *p); /* NULL ok; returns NULL */
/* Says that this process is there, when it is time to. Executor's thread. */
void peers_beat(struct peers *p, int64_t now_us);
/* Has nobody been heard lately? Any thread. */
bool peers_silent(const struct peers *p, int64_t now_us);
/* What was read from the store before this moment may lack what others have written since; what was
 * read after it has been kept fresh by their signals. Any thread. */
int64_t peers_missed_us(const struct peers *p, int64_t now_us);

#endif
