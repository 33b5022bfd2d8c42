/* The audit log's way in: a decision that somebody makes by his office says so with one line, and
 * the note travels as an event (EV_AUDIT_RECORDED), written with the change itself, so that there
 * is no change without its note and no note without its change. The auth service keeps the log.
 *
 *   decision_audit(ret, cmd, ctx, "user.changed", old, next, NULL);
 *
 * Call it after decision_state. Pure, like decide.
 */
#ifndef LORRY_RUNTIME_AUDIT_H
#define LORRY_RUNTIME_AUDIT_H

#include "events/events.h"
#include "runtime/executor.h"

/* The name (cmd->who.name, without a role) of who works on the store from the command line. */
#define AUDIT_SHELL_NAME "lorry"
#define AUDIT_SIDE_BYTES_MAX 8192 /* of before and of after; more is left out, and said so */

/* What may be said of a change beyond its aggregate. All optional. */
struct audit_more {
    /* The fields to compare; NULL: those of the aggregate's schema. What clients are shown (S_OUT)
     * is kept; with KEPT, what the store keeps: only where nothing of it is a secret. */
    const struct schema *schema;
    bool kept;
    const char *const *only; /* names of the fields to look at, NULL ends; NULL: all */
    struct str reason;
    struct str subject_id; /* absent: the command's */
};
/* ACTION is a static text "<kind>.<what>". BEFORE and AFTER (structs described by the schema) may
 * be NULL: the thing was made, or removed. Only the members that differ are noted. */
void decision_audit(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                    const char *action, const void *before, const void *after,
                    const struct audit_more *more);

#endif
