/* Erasing whoever was told things (runtime/eraser.h). */
#ifndef LORRY_NOTIFICATION_ERASE_H
#define LORRY_NOTIFICATION_ERASE_H

#include "runtime/eraser.h"

extern const struct eraser notification_eraser;
extern const struct store_collection notification_erasure_collection;
void notification_on_erased(struct event_turn *t, const void *data);

#endif
