/* A bounded queue of pointers between threads: many senders, one receiver. A full mailbox refuses
 * (the caller answers 503); nothing grows. The receiver either blocks (executor thread) or is woken
 * by NOTIFY (uv_async_send on a loop), which is called on the sender's thread when the box goes
 * from empty to not empty: so a receiver that is woken takes until nothing comes. Without threads
 * (the simulator) it is a plain ring.
 */
#ifndef LORRY_BASE_MAILBOX_H
#define LORRY_BASE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mailbox;

struct mailbox *mailbox_new(size_t capacity, void (*notify)(void *arg), void *notify_arg);
struct mailbox *
mailbox_free(struct mailbox *m); /* NULL ok; returns NULL; what is inside is dropped */
bool mailbox_send(struct mailbox *m, void *item); /* false: full or closed */
/* Takes up to MAX items, oldest first. WAIT_US: 0 returns at once, < 0 waits for ever; returns 0 on
 * time-out, wake or close. */
size_t mailbox_take(struct mailbox *m, void **items, size_t max, int64_t wait_us);
void mailbox_wake(struct mailbox *m);  /* lets a waiting receiver return early */
void mailbox_close(struct mailbox *m); /* later sends are refused; what is inside may be taken */
size_t mailbox_count(struct mailbox *m);

#endif
