/* A driver's documents, inside the driver service: what the rest of it asks of them. All of it is
 * pure but the routes; what is decided lives in the command's arena.
 */
#ifndef LORRY_DRIVER_DOCUMENTS_H
#define LORRY_DRIVER_DOCUMENTS_H

#include "services/driver/service_internal.h"

#define DOCUMENT_YEARS_MAX 50 /* ahead, until it expires */

void documents_copy(struct driver *copy, struct arena *a); /* of driver_edit */
/* The kind of which D has none that holds though he must, and why ("has expired", "is missing");
 * absent: nothing is lacking. */
struct str documents_lack(const struct driver_service *s, const struct driver *d, int64_t now_us,
                          const char **ret_why);
/* Is something lacking? Then RET says what. */
bool documents_refuse(const struct command *cmd, const struct driver *d, int64_t now_us,
                      struct decision *ret);
/* D's documents have changed: suspends him, lifts that, or approves him where nobody looks. */
void documents_settle(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                      struct decision *ret);
int32_t documents_waiting(const struct driver *d); /* to be looked at */
int64_t documents_wake_at(const struct driver *d);
void documents_wake(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                    struct decision *ret);

/* D is erased: his documents go, and their files. */
void documents_forget(const struct command *cmd, const struct decide_ctx *ctx, struct driver *d,
                      struct decision *ret);

/* ---- routes ---- */
void documents_own(struct call *c);
void documents_submit(struct call *c);
void documents_of(struct call *c);
void documents_review(struct call *c);
void document_body_check(struct call *c, const void *data, struct field_errors *errors);
void review_body_check(struct call *c, const void *data, struct field_errors *errors);
bool documents_may_see(void *arg, struct call *c, struct str subject); /* a file_viewer's */

#endif
