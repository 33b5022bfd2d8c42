/* The signals port inside one process: signal() calls the listeners, and that is all of it. There
 * is nobody else to hear of, so poll() finds nothing and there are no gaps. Any thread, once the
 * listeners are there.
 */
#ifndef LORRY_ADAPTERS_INPROC_SIGNALS_H
#define LORRY_ADAPTERS_INPROC_SIGNALS_H

#include "ports/signals.h"

#define INPROC_LISTENERS_MAX 64

struct signals *inproc_signals_new(void);

#endif
