/* Erasing a driver (runtime/eraser.h). */
#ifndef LORRY_DRIVER_ERASE_H
#define LORRY_DRIVER_ERASE_H

#include "runtime/eraser.h"

extern const struct eraser driver_eraser;
extern const struct store_collection driver_erasure_collection;
void driver_on_erased(struct event_turn *t, const void *data);

#endif
